/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions of the data path's producer.  Errors are sorted in the order that librdkafka's manual
 * asks for: fatal, needs an abort, retriable (the same call again); the rest is fatal too, since
 * nobody knows then what the broker has. */
#include "cz/producer.h"
#include "kafka_priv.h"

enum { STEP_MS = 500, RETRY_MS = 10 };

static enum cz_err sorted(struct cz_producer *p, rd_kafka_error_t *e, const char *what, struct cz_error *err)
{
    if (!e)
        return CZ_OK;
    char text[256];
    rd_kafka_t *rk = cz__producer_handle(p);
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

enum cz_err cz_producer_txn_init(struct cz_producer *p, cz_time deadline, struct cz_error *err)
{
    for (;;) {
        int left = cz_remaining_ms(deadline);
        struct cz_error own = CZ_ERROR_INIT;
        rd_kafka_error_t *e =
            rd_kafka_init_transactions(cz__producer_handle(p), left > STEP_MS ? STEP_MS : left);
        enum cz_err code = sorted(p, e, "init_transactions", &own);
        if (!code)
            return CZ_OK;
        if (!(own.flags & CZ_ERR_RETRIABLE) || cz_remaining_ms(deadline) == 0)
            return cz_fail_flags(err, code, own.flags, own.detail, "%s", own.text);
    }
}

enum cz_err cz_producer_txn_begin(struct cz_producer *p, struct cz_error *err)
{
    return sorted(p, rd_kafka_begin_transaction(cz__producer_handle(p)), "begin_transaction", err);
}

/* A retriable answer that came at once must not make a busy loop of the caller. */
static enum cz_err piece(struct cz_producer *p, rd_kafka_error_t *e, const char *what, struct cz_error *err)
{
    struct cz_error own = CZ_ERROR_INIT;
    enum cz_err code = sorted(p, e, what, &own);
    if (!code)
        return CZ_OK;
    if (own.flags & CZ_ERR_RETRIABLE)
        (void)rd_kafka_poll(cz__producer_handle(p), RETRY_MS);
    return cz_fail_flags(err, code, own.flags, own.detail, "%s", own.text);
}

enum cz_err cz_producer_txn_commit(struct cz_producer *p, int slice_ms, struct cz_error *err)
{
    return piece(p, rd_kafka_commit_transaction(cz__producer_handle(p), slice_ms), "commit", err);
}

enum cz_err cz_producer_txn_abort(struct cz_producer *p, int slice_ms, struct cz_error *err)
{
    return piece(p, rd_kafka_abort_transaction(cz__producer_handle(p), slice_ms), "abort", err);
}
