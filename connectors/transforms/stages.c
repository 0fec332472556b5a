/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of a mapping: see cz/stages.h.  The filter and the sample see the source record;
 * then values, key and partition are mapped, then masked, then transformed.  The lookup of key:partition is by the *source* key. */
#include "cz/stages.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "cz/alloc.h"
#include "cz/limits.h"
#include "cz/util.h"
#include "sample.h"
#include "stages_avro.h"
#include "value_map.h"

enum { WAIT_MS = 20 }; /* between two looks whether a schema has come */

struct cz_stages {
    _Atomic int refs;
    struct cz_jmespath *filter;
    struct cz_sample *sample;
    struct cz_value_map *map;
    struct cz_mask *mask;
    struct cz_jmespath *transform;
    struct cz_headers *headers;
    struct cz_eval_options options;
    struct cz_avro_stage *avro; /* NULL: neither side is Avro, and no id is rewritten */
};

struct cz_stage_ctx {
    struct cz_eval *eval;
    struct cz_avro_ctx *avro;
    const struct cz_value_map *map; /* for the current record's topic; NULL: none */
    struct cz_buf value;       /* rewritten by the value map */
    struct cz_buf masked, key; /* by the masks, which read `value` */
    struct cz_header_list headers;
    struct cz_buf made;        /* by the transform, which may read either */
};

/* Does a stage behind the filter and the sample read the value? */
static bool shapes(const struct cz_stages *s)
{
    return s->transform || s->mask || (s->map && (s->map->paths || s->map->topics.len > 0));
}

enum cz_err cz_stages_new(const struct cz_stages_conf *conf,
                          struct cz_stages **ret,
                          struct cz_error *err)
{
    struct cz_stages *s = cz_alloc(sizeof *s);
    atomic_init(&s->refs, 1);
    s->options = (struct cz_eval_options){
        .key_format = cz_avro_stage_shown(conf->key_format),
        .value_format = cz_avro_stage_shown(conf->value_format),
        .validate_full = conf->validate_full,
    };
    enum cz_err code = CZ_OK;
    if (conf->filter)
        code = cz_jmespath_compile(conf->filter, strlen(conf->filter), &s->filter, err);
    if (!code && conf->sample.by)
        code = cz_sample_new(&conf->sample, &s->sample, err);
    if (!code && conf->value_map && json_object_size(conf->value_map) > 0)
        code = cz_value_map_new(conf->value_map, &s->map, err);
    if (!code && json_array_size(conf->mask.masks) > 0) {
        struct cz_mask_conf mask = conf->mask;
        mask.key_json = conf->key_format == CZ_SIDE_JSON || conf->key_format == CZ_SIDE_AVRO;
        code = cz_mask_new(&mask, &s->mask, err);
    }
    if (!code && conf->transform)
        code = cz_jmespath_compile(conf->transform, strlen(conf->transform), &s->transform, err);
    if (!code)
        code = cz_headers_new(&conf->headers, &s->headers, err);
    if (!code)
        code = cz_avro_stage_new(conf, s->filter, s->sample, shapes(s), &s->avro, err);
    if (code) {
        cz_stages_unref(s);
        return code;
    }
    *ret = s;
    return CZ_OK;
}

struct cz_stages *cz_stages_ref(struct cz_stages *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void cz_stages_unref(struct cz_stages *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    cz_jmespath_free(s->filter);
    cz_sample_free(s->sample);
    cz_value_map_free(s->map);
    cz_mask_free(s->mask);
    cz_jmespath_free(s->transform);
    cz_headers_free(s->headers);
    cz_avro_stage_free(s->avro);
    cz_free(s);
}

bool cz_stages_is_raw(const struct cz_stages *s)
{
    return !s->filter && !s->sample && !s->map && !s->mask && !s->transform && !s->headers &&
           !s->options.validate_full && !s->avro && s->options.key_format != CZ_SIDE_JSON && s->options.value_format != CZ_SIDE_JSON;
}

bool cz_stages_masks(const struct cz_stages *s)
{
    return s->mask != NULL;
}

struct cz_stage_ctx *cz_stage_ctx_new(void)
{
    struct cz_stage_ctx *c = cz_alloc(sizeof *c);
    c->eval = cz_eval_new();
    c->avro = cz_avro_ctx_new();
    cz_header_list_init(&c->headers);
    cz_buf_init(&c->value, CZ_MAX_EVAL_OUTPUT);
    cz_buf_init(&c->masked, CZ_MAX_EVAL_OUTPUT);
    cz_buf_init(&c->key, CZ_MAX_EVAL_OUTPUT);
    cz_buf_init(&c->made, CZ_MAX_EVAL_OUTPUT);
    return c;
}

void cz_stage_ctx_free(struct cz_stage_ctx *c)
{
    if (!c)
        return;
    cz_eval_free(c->eval);
    cz_avro_ctx_free(c->avro);
    cz_header_list_done(&c->headers);
    cz_buf_done(&c->value);
    cz_buf_done(&c->masked);
    cz_buf_done(&c->key);
    cz_buf_done(&c->made);
    cz_free(c);
}

/* The text form of the source key: the content of a JSON string, else its bytes. */
static bool key_text(struct cz_stage_ctx *c,
                     const struct cz_stages *s,
                     const struct cz_record *r,
                     struct cz_slice *ret,
                     bool *ret_json_string)
{
    *ret_json_string = false;
    if (!r->key.data)
        return false;
    *ret = r->key;
    if (s->options.key_format == CZ_SIDE_RAW || r->key.len < 2 || r->key.data[0] != '"')
        return true;
    struct cz_json_doc doc = CZ_JSON_DOC_INIT;
    struct cz_jval v;
    if (!cz_json_read(&doc, cz_eval_arena(c->eval), r->key.data, r->key.len, &v, NULL) &&
        v.type == CZ_J_STRING && cz_value_map_text(v, cz_eval_arena(c->eval), ret))
        *ret_json_string = true;
    cz_json_doc_done(&doc);
    return true;
}

/* Map the key and choose the partition by it; false: the record is to be dropped. */
static bool map_key(const struct cz_stages *s,
                    struct cz_stage_ctx *c,
                    const struct cz_record *r,
                    struct cz_stage_result *ret)
{
    const struct cz_value_map *m = c->map;
    struct cz_slice text;
    bool json_string;
    if ((m->key.len == 0 && m->partition.len == 0) || !key_text(c, s, r, &text, &json_string))
        return true;
    const struct cz_mapped *p = cz_value_map_find(&m->partition, text.data, text.len);
    if (p && p->partition == CZ_PARTITION_DROP)
        return false;
    if (p)
        ret->partition = p->partition;
    const struct cz_mapped *k = cz_value_map_find(&m->key, text.data, text.len);
    if (k && json_string)
        ret->key = (struct cz_slice){k->json, k->json_len};
    else if (k)
        ret->key = (struct cz_slice){k->text, k->text_len};
    return true;
}

struct replace_arg {
    const struct cz_value_map *map;
    struct cz_arena *arena;
};

static enum cz_err replace_value(void *arg,
                                 size_t path,
                                 struct cz_jval v,
                                 struct cz_buf *out,
                                 struct cz_error *err)
{
    (void)err;
    const struct replace_arg *a = arg;
    struct cz_slice text;
    if (!cz_value_map_text(v, a->arena, &text))
        return CZ_OK;
    const struct cz_mapped *to = cz_value_map_find(&a->map->by_path[path], text.data, text.len);
    if (to)
        cz_buf_add(out, to->json, to->json_len);
    return CZ_OK;
}

static enum cz_err map_value(struct cz_stage_ctx *c,
                             struct cz_stage_result *ret,
                             struct cz_error *err)
{
    const struct cz_json_doc *doc = NULL;
    enum cz_err code = cz_eval_value_doc(c->eval, &doc, err);
    if (code || !doc)
        return code; /* a tombstone has no values to map */
    struct replace_arg a = {c->map, cz_eval_arena(c->eval)};
    bool changed = false;
    code = cz_json_doc_replace(doc, c->map->paths, replace_value, &a, &c->value, &changed, err);
    if (code || !changed)
        return code;
    ret->value = (struct cz_slice){c->value.data, c->value.len};
    ret->value_changed = true;
    return CZ_OK;
}

/* What the stages before have changed is read as a record of its own, in @room. */
static void see_changed(const struct cz_stages *s,
                        struct cz_stage_ctx *c,
                        const struct cz_record *r,
                        const struct cz_stage_result *ret,
                        struct cz_record *room)
{
    if (ret->value.data == r->value.data && ret->key.data == r->key.data)
        return;
    *room = *r;
    room->key = ret->key;
    room->value = ret->value;
    cz_eval_begin(c->eval, room, &s->options);
}

static enum cz_err mask(const struct cz_stages *s,
                        struct cz_stage_ctx *c,
                        const struct cz_record *r,
                        struct cz_stage_result *ret,
                        struct cz_error *err)
{
    struct cz_record mapped;
    struct cz_slice value = ret->value, key = ret->key;
    see_changed(s, c, r, ret, &mapped);
    enum cz_err code = cz_mask_value(s->mask, c->eval, &c->masked, &value, err);
    if (!code)
        code = cz_mask_key(s->mask, c->eval, &c->key, &key, err);
    ret->value_changed |= value.data != ret->value.data;
    ret->value = value;
    ret->key = key;
    return code;
}

/* The new value. */
static enum cz_err transform(const struct cz_stages *s,
                             struct cz_stage_ctx *c,
                             const struct cz_record *r,
                             struct cz_stage_result *ret,
                             struct cz_error *err)
{
    struct cz_record changed;
    if (!ret->value.data)
        return CZ_OK; /* a deletion stays one */
    see_changed(s, c, r, ret, &changed);
    struct cz_jval v;
    enum cz_err code = cz_jmespath_value(s->transform, c->eval, &v, err);
    if (code)
        return code;
    if (v.type == CZ_J_NULL)
        return cz_fail(err, CZ_E_INVALID, "the result is null, which would delete the key");
    cz_buf_clear(&c->made);
    cz_jval_write(&c->made, v);
    if (c->made.failed)
        return cz_fail(err, CZ_E_LIMIT, "the new value is longer than %zu bytes", c->made.max);
    ret->value = (struct cz_slice){c->made.data, c->made.len};
    ret->value_changed = true;
    return CZ_OK;
}

static void fail(struct cz_stage_result *ret, const char *stage)
{
    ret->verdict = CZ_VERDICT_ERROR;
    ret->stage = stage;
}

/* Formats that were asked for are checked even when no stage reads that side. */
static enum cz_err check_formats(const struct cz_stages *s, struct cz_stage_ctx *c, struct cz_error *err)
{
    const struct cz_json_doc *doc;
    enum cz_err code = CZ_OK;
    bool full = s->options.validate_full;
    if (s->options.key_format == CZ_SIDE_JSON)
        code = cz_eval_key_doc(c->eval, &doc, err);
    if (!code && (s->options.value_format == CZ_SIDE_JSON ||
                  (full && s->options.value_format == CZ_SIDE_AUTO)))
        code = cz_eval_value_doc(c->eval, &doc, err);
    return code;
}

static void drop(struct cz_stage_result *ret, enum cz_drop why)
{
    ret->verdict = CZ_VERDICT_DROP;
    ret->drop = why;
}

/* Filter and sample; false: the verdict is in @ret. */
static bool let_through(const struct cz_stages *s,
                        struct cz_stage_ctx *c,
                        const struct cz_record *r,
                        struct cz_stage_result *ret,
                        struct cz_error *err)
{
    bool pass = true;
    const struct cz_record *sampled = s->avro ? cz_avro_stage_entity(s->avro, c->avro, r) : r;
    if (s->filter && cz_jmespath_match(s->filter, c->eval, &pass, err))
        fail(ret, err->code == CZ_E_PARSE ? "decode" : "filter");
    else if (!pass)
        drop(ret, CZ_DROP_FILTER);
    else if (s->sample && cz_sample_match(s->sample, c->eval, sampled, &pass, err))
        fail(ret, err->code == CZ_E_PARSE ? "decode" : "sample");
    else if (!pass)
        drop(ret, CZ_DROP_SAMPLE);
    return ret->verdict == CZ_VERDICT_PASS;
}

static void run(const struct cz_stages *s,
                struct cz_stage_ctx *c,
                struct cz_record *r,
                struct cz_stage_result *ret,
                struct cz_error *err)
{
    cz_eval_begin(c->eval, r, &s->options);
    if (s->headers && cz_headers_loop(s->headers, c->eval, r, &c->headers)) {
        drop(ret, CZ_DROP_LOOP);
        return;
    }
    if (check_formats(s, c, err)) {
        fail(ret, "decode");
        return;
    }
    if (!let_through(s, c, r, ret, err))
        return;
    if (s->avro && shapes(s)) { /* so far only what filter and sample read is there */
        if (!cz_avro_stage_whole(s->avro, c->avro, r, ret, err))
            return;
        cz_eval_begin(c->eval, r, &s->options);
    }
    c->map = cz_value_map_of(s->map, r->topic);
    if (c->map && !map_key(s, c, r, ret)) {
        drop(ret, CZ_DROP_PARTITION);
        return;
    }
    if (c->map && c->map->paths && map_value(c, ret, err)) {
        fail(ret, err->code == CZ_E_PARSE ? "decode" : "value_map");
        return;
    }
    if (s->mask && mask(s, c, r, ret, err)) {
        fail(ret, err->code == CZ_E_PARSE ? "decode" : "mask");
        return;
    }
    if (s->transform && transform(s, c, r, ret, err)) {
        fail(ret, err->code == CZ_E_PARSE ? "decode" : "transform");
        return;
    }
    if (s->headers && cz_headers_make(s->headers, r, &c->headers)) {
        ret->headers_changed = true;
        ret->headers = c->headers.out;
        ret->headers_len = c->headers.out_len;
    }
}

/* Schemas that headers name have other names in the target's registry. */
static void put_schema_headers(struct cz_stage_ctx *c, const struct cz_record *r, struct cz_stage_result *ret)
{
    for (int side = 0; side < CZ_AVRO_SIDES; side++) {
        struct cz_slice was, now;
        if (!cz_avro_stage_header(c->avro, side, &was, &now))
            continue;
        cz_headers_replace(r, ret->headers_changed, was, now, &c->headers);
        ret->headers_changed = true;
        ret->headers = c->headers.out;
        ret->headers_len = c->headers.out_len;
    }
}

void cz_stages_run(const struct cz_stages *s,
                   struct cz_stage_ctx *c,
                   const struct cz_record *r,
                   struct cz_stage_result *ret,
                   struct cz_error *err)
{
    struct cz_record seen = *r;
    *ret = (struct cz_stage_result){.key = r->key, .value = r->value, .partition = -1};
    if (cz_stages_is_raw(s))
        return;
    if (s->avro && !cz_avro_stage_open(s->avro, c->avro, r, &seen, ret, err))
        return;
    run(s, c, &seen, ret, err);
    if (s->avro && ret->verdict == CZ_VERDICT_PASS)
        cz_avro_stage_close(s->avro, c->avro, r, &seen, ret, err);
    if (s->avro && ret->verdict == CZ_VERDICT_PASS)
        put_schema_headers(c, r, ret);
}

void cz_stages_run_until(const struct cz_stages *s,
                         struct cz_stage_ctx *c,
                         const struct cz_record *r,
                         cz_time deadline,
                         const atomic_bool *stop,
                         struct cz_stage_result *ret,
                         struct cz_error *err)
{
    const struct timespec pause = {.tv_nsec = WAIT_MS * 1000000L};
    for (;;) {
        cz_stages_run(s, c, r, ret, err);
        if (ret->verdict != CZ_VERDICT_WAIT || cz_now() >= deadline || (stop && atomic_load(stop)))
            return;
        cz_error_reset(err);
        (void)nanosleep(&pause, NULL);
    }
}

bool cz_stages_kept_headers(const struct cz_stages *s,
                            struct cz_stage_ctx *c,
                            const struct cz_record *r,
                            const struct cz_header **ret,
                            size_t *ret_len)
{
    if (!s->headers)
        return false;
    cz_headers_keep(s->headers, r, &c->headers);
    *ret = c->headers.out;
    *ret_len = c->headers.out_len;
    return true;
}

bool cz_stages_view(const struct cz_stages *s,
                    struct cz_stage_ctx *c,
                    const struct cz_record *r,
                    struct cz_record *ret)
{
    struct cz_record seen = *r;
    struct cz_stage_result ignored = {0};
    struct cz_error err = CZ_ERROR_INIT;
    if (s->avro && (!cz_avro_stage_open(s->avro, c->avro, r, &seen, &ignored, &err) ||
                    !cz_avro_stage_whole(s->avro, c->avro, &seen, &ignored, &err)))
        return false;
    *ret = seen;
    return true;
}

json_t *cz_stages_explain(const struct cz_stages *s, struct cz_stage_ctx *c, const struct cz_record *r)
{
    json_t *why = NULL;
    struct cz_record seen = *r;
    struct cz_stage_result ret = {0};
    struct cz_error err = CZ_ERROR_INIT;
    if (s->avro && !cz_avro_stage_open(s->avro, c->avro, r, &seen, &ret, &err))
        return NULL;
    cz_eval_begin(c->eval, &seen, &s->options);
    if (s->filter && cz_jmespath_explain(s->filter, c->eval, &why, NULL))
        return NULL;
    return why;
}
