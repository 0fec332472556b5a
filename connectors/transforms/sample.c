/* SPDX-License-Identifier: Apache-2.0 */
/* The sample stage: see sample.h.  Only `by: <expression>` decodes anything. */
#include "sample.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "value_map.h"

#define FNV_BASIS 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

enum sample_by { BY_KEY, BY_RECORD, BY_VALUE };

struct cz_sample {
    enum sample_by by;
    uint32_t from, to;
    uint64_t seed; /* the hash over the salt and its zero byte */
    struct cz_jmespath *expr;
};

static uint64_t fnv(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * FNV_PRIME;
    return h;
}

/* Little-endian on every machine: the result is a promise. */
static uint64_t fnv_number(uint64_t h, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        h = (h ^ (v >> (8 * i) & 0xff)) * FNV_PRIME;
    return h;
}

static uint32_t place(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 33;
    return (uint32_t)((h >> 32) * CZ_SAMPLE_UNITS >> 32);
}

enum cz_err
cz_sample_new(const struct cz_sample_conf *conf, struct cz_sample **ret, struct cz_error *err)
{
    struct cz_sample *s = cz_alloc(sizeof *s);
    *s = (struct cz_sample){.by = BY_VALUE, .from = conf->from, .to = conf->to};
    if (cz_streq(conf->by, "key"))
        s->by = BY_KEY;
    else if (cz_streq(conf->by, "record"))
        s->by = BY_RECORD;
    else if (cz_jmespath_compile(conf->by, strlen(conf->by), &s->expr, err)) {
        cz_sample_free(s);
        return CZ_E_INVALID;
    }
    const char *salt = conf->salt ? conf->salt : "";
    s->seed = fnv(FNV_BASIS, salt, strlen(salt) + 1);
    *ret = s;
    return CZ_OK;
}

void cz_sample_free(struct cz_sample *s)
{
    if (!s)
        return;
    cz_jmespath_free(s->expr);
    cz_free(s);
}

const struct cz_jmespath *cz_sample_expression(const struct cz_sample *s)
{
    return s->expr;
}

/* The entity of the record; NULL data: it has none. */
static enum cz_err entity_of(const struct cz_sample *s,
                             struct cz_eval *e,
                             const struct cz_record *r,
                             struct cz_slice *ret,
                             struct cz_error *err)
{
    *ret = (struct cz_slice){NULL, 0};
    if (s->by == BY_KEY)
        *ret = r->key;
    if (s->by != BY_VALUE)
        return CZ_OK;
    struct cz_jval v;
    enum cz_err code = cz_jmespath_value(s->expr, e, &v, err);
    if (code || v.type == CZ_J_NULL)
        return code;
    if (!cz_value_map_text(v, cz_eval_arena(e), ret))
        return cz_fail(err, CZ_E_INVALID,
                       "sample.by must give a string, a number or a boolean, not an %s",
                       v.type == CZ_J_ARRAY ? "array" : "object");
    return CZ_OK;
}

enum cz_err cz_sample_match(const struct cz_sample *s,
                            struct cz_eval *e,
                            const struct cz_record *r,
                            bool *ret,
                            struct cz_error *err)
{
    struct cz_slice entity;
    enum cz_err code = entity_of(s, e, r, &entity, err);
    if (code)
        return code;
    uint64_t h = s->seed;
    if (entity.data) {
        h = fnv(h, entity.data, entity.len);
    } else {
        /* Without an entity each record is one of its own; a replay chooses the same. */
        h = fnv(h, r->topic, strlen(r->topic) + 1);
        h = fnv_number(h, (uint32_t)r->partition, 4);
        h = fnv_number(h, (uint64_t)r->offset, 8);
    }
    uint32_t at = place(h);
    *ret = at >= s->from && at < s->to;
    return CZ_OK;
}
