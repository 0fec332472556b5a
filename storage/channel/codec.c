/* SPDX-License-Identifier: Apache-2.0 */
/** Channel records to bytes and back.  Every value is a JSON object with its format version in
 *  `v`; what a reader does not know it keeps, and a version above ours it refuses, so that an older
 *  process beside newer ones never acts on a half-understood record. */
#include <string.h>

#include "channel_priv.h"
#include "cz/alloc.h"
#include "cz/buf.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/util.h"

void cz_channel_record_done(struct cz_channel_record *r)
{
    if (!r)
        return;
    cz_free(r->key);
    json_decref(r->value);
    *r = (struct cz_channel_record){0};
}

static enum cz_err check_key(const void *key, size_t len, struct cz_error *err)
{
    if (!key || len == 0)
        return cz_fail(err, CZ_E_PARSE, "channel record without a key");
    if (len > CZ__MAX_CHANNEL_KEY)
        return cz_fail(err, CZ_E_PARSE, "channel record with a key of %zu bytes", len);
    if (memchr(key, '\0', len) || !cz_utf8_valid(key, len))
        return cz_fail(err, CZ_E_PARSE, "channel record with a key that is not UTF-8 text");
    return CZ_OK;
}

/* A 64-bit field of the envelope; absent is 0. */
static enum cz_err envelope_int(const json_t *value, const char *name, int64_t *ret, struct cz_error *err)
{
    int64_t n = json_object_get(value, name) ? cz_json_int(value, name, -1) : 0;
    if (n < 0)
        return cz_fail(err, CZ_E_PARSE, "field %s is no number from 0 on", name);
    *ret = n;
    return CZ_OK;
}

static enum cz_err parse_value(const void *value,
                               size_t len,
                               struct cz_channel_record *r,
                               struct cz_error *err)
{
    if (len > CZ_MAX_CHANNEL_RECORD)
        return cz_fail(err, CZ_E_PARSE, "value of %zu bytes", len);
    enum cz_err code = cz_json_parse(value, len, &r->value, err);
    if (code)
        return code;
    if (!json_is_object(r->value))
        return cz_fail(err, CZ_E_PARSE, "value is no JSON object");
    int64_t v = cz_json_int(r->value, "v", 0);
    if (v > CZ_CHANNEL_VERSION)
        return cz_fail(err, CZ_E_INVALID, "format version %lld is newer than ours", (long long)v);
    if (v < 1)
        return cz_fail(err, CZ_E_PARSE, "value has no format version");
    code = envelope_int(r->value, "revision", &r->revision, err);
    return code ? code : envelope_int(r->value, "epoch", &r->epoch, err);
}

enum cz_err cz_channel_decode(const void *key,
                              size_t key_len,
                              const void *value,
                              size_t value_len,
                              struct cz_channel_record *ret,
                              struct cz_error *err)
{
    enum cz_err code = check_key(key, key_len, err);
    if (code)
        return code;
    struct cz_channel_record r = {.key = cz_strndup(key, key_len)};
    struct cz_error e = CZ_ERROR_INIT;
    if (value && (code = parse_value(value, value_len, &r, &e))) {
        cz_fail_flags(err, code, e.flags, e.detail, "channel record \"%.100s\": %s", r.key, e.text);
        cz_channel_record_done(&r);
        return code;
    }
    *ret = r;
    return CZ_OK;
}

enum cz_err cz_channel_encode(const json_t *value,
                              int64_t revision,
                              int64_t epoch,
                              char **ret,
                              size_t *ret_len,
                              struct cz_error *err)
{
    if (!json_is_object(value))
        return cz_fail(err, CZ_E_INVALID, "a channel value must be a JSON object");
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(CZ_MAX_CHANNEL_RECORD);
    cz_buf_addf(&b, "{\"v\":%d", CZ_CHANNEL_VERSION);
    if (revision > 0)
        cz_buf_addf(&b, ",\"revision\":\"%lld\"", (long long)revision);
    if (epoch > 0)
        cz_buf_addf(&b, ",\"epoch\":\"%lld\"", (long long)epoch);
    const char *name;
    json_t *field;
    json_object_foreach(CZ_UNCONST(value), name, field) {
        /* The envelope is stamped, not copied; a status record's own `epoch` (what a worker has
         * applied) stays when no epoch is given. */
        if (strcmp(name, "v") == 0 || (revision > 0 && strcmp(name, "revision") == 0) ||
            (epoch > 0 && strcmp(name, "epoch") == 0))
            continue;
        cz_buf_addc(&b, ',');
        cz_buf_add_json_string(&b, name, strlen(name));
        cz_buf_addc(&b, ':');
        cz_json_add(&b, field);
    }
    cz_buf_addc(&b, '}');
    if (b.failed)
        return cz_fail(err, CZ_E_TOO_LARGE, "a channel value has over %d bytes", CZ_MAX_CHANNEL_RECORD);
    *ret_len = b.len;
    *ret = cz_buf_steal(&b);
    return CZ_OK;
}
