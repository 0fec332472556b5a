/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions of every producer: the data path's, and (cz__txn_…) the control records'.  Errors are
 * sorted here alone, in the order that librdkafka's manual asks for: fatal, needs an abort, retriable
 * (the same call again); the rest is fatal too, since nobody knows then what the broker has. */
#include "cz/producer.h"
#include "kafka_priv.h"

/* One try of a call.  Calls are resumable, so a short one loses nothing and keeps the deadline exact;
 * a retriable answer that came at once must not make a busy loop. */
enum { STEP_MS = 500, RETRY_MS = 10 };

static enum cz_err sorted(rd_kafka_t *rk, rd_kafka_error_t *e, const char *what, struct cz_error *err)
{
    if (!e)
        return CZ_OK;
    char text[256];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(rk, text, sizeof text);
    if (fatal) {
        uint32_t flags;
        enum cz_err code = cz__kafka_code(fatal, &flags);
        rd_kafka_error_destroy(e);
        return cz_fail_flags(err, code, CZ_ERR_FATAL, fatal, "%s: %s", what, text);
    }
    struct cz_error own = CZ_ERROR_INIT;
    enum cz_err code = cz__kafka_fail_take(&own, e, "%s", what);
    uint32_t flags = own.flags & CZ_ERR_FATAL       ? CZ_ERR_FATAL
                     : own.flags & CZ_ERR_ABORT_TXN ? CZ_ERR_ABORT_TXN
                     : own.flags & CZ_ERR_RETRIABLE ? CZ_ERR_RETRIABLE
                                                    : CZ_ERR_FATAL;
    return cz_fail_flags(err, code, flags, own.detail, "%s", own.text);
}

/* One piece of a call, of at most @ms. */
static enum cz_err piece(rd_kafka_t *rk, enum cz__txn_step step, int ms, struct cz_error *err)
{
    static const struct {
        const char *name;
        rd_kafka_error_t *(*fn)(rd_kafka_t *, int);
    } calls[] = {
        [CZ__TXN_INIT] = {"init_transactions", rd_kafka_init_transactions},
        [CZ__TXN_COMMIT] = {"commit", rd_kafka_commit_transaction},
        [CZ__TXN_ABORT] = {"abort", rd_kafka_abort_transaction},
    };
    struct cz_error own = CZ_ERROR_INIT;
    enum cz_err code = sorted(rk, calls[step].fn(rk, ms), calls[step].name, &own);
    if (!code)
        return CZ_OK;
    if (own.flags & CZ_ERR_RETRIABLE)
        (void)rd_kafka_poll(rk, RETRY_MS);
    return cz_fail_flags(err, code, own.flags, own.detail, "%s", own.text);
}

enum cz_err cz__txn_call(rd_kafka_t *rk, enum cz__txn_step step, cz_time deadline, struct cz_error *err)
{
    for (;;) {
        int left = cz_remaining_ms(deadline);
        struct cz_error own = CZ_ERROR_INIT;
        enum cz_err code = piece(rk, step, left < 0 || left > STEP_MS ? STEP_MS : left, &own);
        if (!code)
            return CZ_OK;
        if (!(own.flags & CZ_ERR_RETRIABLE))
            return cz_fail_flags(err, code, own.flags, own.detail, "%s", own.text);
        if (cz_remaining_ms(deadline) == 0)
            return cz_fail_flags(err, CZ_E_TIMEOUT, CZ_ERR_FATAL, own.detail,
                                 "%s: no answer in time, the outcome is unknown", own.text);
    }
}

enum cz_err cz__txn_begin(rd_kafka_t *rk, struct cz_error *err)
{
    return sorted(rk, rd_kafka_begin_transaction(rk), "begin", err);
}

enum cz_err cz_producer_txn_init(struct cz_producer *p, cz_time deadline, struct cz_error *err)
{
    return cz__txn_call(cz__producer_handle(p), CZ__TXN_INIT, deadline, err);
}

enum cz_err cz_producer_txn_begin(struct cz_producer *p, struct cz_error *err)
{
    return cz__txn_begin(cz__producer_handle(p), err);
}

enum cz_err cz_producer_txn_commit(struct cz_producer *p, int slice_ms, struct cz_error *err)
{
    return piece(cz__producer_handle(p), CZ__TXN_COMMIT, slice_ms, err);
}

enum cz_err cz_producer_txn_abort(struct cz_producer *p, int slice_ms, struct cz_error *err)
{
    return piece(cz__producer_handle(p), CZ__TXN_ABORT, slice_ms, err);
}
