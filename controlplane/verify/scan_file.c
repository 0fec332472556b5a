/* SPDX-License-Identifier: Apache-2.0 */
/* Topic files as a side.  All files of a topic are one row of records, which only grows at its end:
 * what a number names does not change when the file is rotated. */
#include <inttypes.h>

#include "cz/alloc.h"
#include "verify_priv.h"

enum { LOOK_EVERY = 1024 }; /* records between two looks at the clock */

struct walk {
    struct cz_file_reader *reader;
    int64_t last_ms; /* of the last record that had a time */
    int64_t seen;
};

/* false: the end, or (with @err) no more. */
static bool next(struct walk *w, const struct verify_side *s, const struct cz_verify_conf *conf,
                 struct cz_record *ret, bool *ret_bad, struct cz_error *err)
{
    struct cz_error why = CZ_ERROR_INIT;
    if (w->seen++ % LOOK_EVERY == 0 && verify_may_go_on(conf, s->topic, err))
        return false;
    switch (cz_file_read_next(w->reader, ret, &why)) {
    case CZ_FILE_RECORD:
        *ret_bad = false;
        if (ret->ts_type == CZ_TS_NONE)
            ret->timestamp_ms = w->last_ms; /* as a replay takes it */
        w->last_ms = ret->timestamp_ms;
        return true;
    case CZ_FILE_BAD:
        *ret_bad = true;
        return true;
    case CZ_FILE_END:
        return false;
    case CZ_FILE_FAILED:
        break;
    }
    cz_fail_flags(err, why.code, why.flags, why.detail, "%s", why.text);
    return false;
}

/* Once through all of it.  A bad line at the very end may be one that is being written. */
static enum cz_err measure(struct verify_side *s, const struct cz_verify_conf *conf, size_t *ret_files,
                           struct cz_error *err)
{
    struct walk w = {.last_ms = INT64_MIN};
    struct cz_record r;
    struct cz_error own = CZ_ERROR_INIT;
    bool bad;
    s->end[0] = s->widest = 0;
    s->untimed = false;
    *ret_files = 0;
    enum cz_err code = cz_file_reader_open(s->folder, s->topic, &w.reader, err);
    if (code)
        return code;
    while (next(&w, s, conf, &r, &bad, &own)) {
        if (bad)
            continue;
        s->end[0] = r.offset + 1;
        s->widest = r.partition > s->widest ? r.partition : s->widest;
        s->untimed |= r.ts_type == CZ_TS_NONE;
    }
    *ret_files = cz_file_reader_files(w.reader);
    cz_file_reader_free(w.reader);
    return own.code ? cz_fail_flags(err, own.code, own.flags, own.detail, "%s", own.text) : CZ_OK;
}

enum cz_err verify_file_measure(struct verify_side *s, const struct cz_verify_conf *conf, struct cz_error *err)
{
    for (;;) {
        struct cz_file_reader *r = NULL;
        size_t files = 0, now = 0;
        enum cz_err code = measure(s, conf, &files, err);
        if (!code)
            code = cz_file_reader_open(s->folder, s->topic, &r, err);
        if (code)
            return code;
        now = cz_file_reader_files(r);
        cz_file_reader_free(r);
        if (now == files)
            return CZ_OK; /* else it was rotated meanwhile, and some of it was not seen */
    }
}

enum cz_err verify_file_scan(const struct verify_side *s, const struct cz_verify_conf *conf, verify_record_fn fn,
                             void *arg, struct cz_error *err)
{
    struct walk w = {.last_ms = INT64_MIN};
    struct cz_record r;
    struct cz_error own = CZ_ERROR_INIT;
    bool bad;
    if (s->end[0] == 0)
        return CZ_OK;
    enum cz_err code = cz_file_reader_open(s->folder, s->topic, &w.reader, err);
    while (!code && cz_file_reader_number(w.reader) < s->end[0]) {
        if (next(&w, s, conf, &r, &bad, &own))
            code = fn(arg, s, 0, &r, bad, err);
        else if (own.code)
            code = cz_fail_flags(err, own.code, own.flags, own.detail, "%s", own.text);
        else
            code = cz_fail_flags(err, CZ_E_CONFLICT, CZ_ERR_RETRIABLE, 0,
                                 "%s: it had %" PRId64 " records, and ends sooner now: truncated while it was read?",
                                 s->topic, s->end[0]);
    }
    cz_file_reader_free(w.reader);
    return code;
}
