/* SPDX-License-Identifier: Apache-2.0 */
/* Avro around the stages: see stages_avro.h.
 *
 * A lane remembers for a few schemas what it found out about them (the compiled schema, the plan of
 * what is read, the target's id), so that a record costs neither a lock nor a string. */
#include "stages_avro.h"

#include <stdatomic.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/limits.h"
#include "cz/map.h"
#include "cz/thread.h"

enum { MEMORY = 32, MAX_TRIES = 2, MAX_HEADERS = 256 };
enum side_no { KEY, VALUE, SIDES };

struct pair {
    char *source, *target;
};
struct cz_avro_stage {
    uint64_t number; /* of this stage, never used again */
    struct cz_registry *registry;
    struct cz_schema_copier *copier;
    enum cz_subjects subjects;
    bool avro[SIDES], copy[SIDES];
    bool whole;    /* the first look is at all of the value */
    bool shapes;   /* some stage changes the value */
    const struct cz_json_trie *tries[MAX_TRIES]; /* what filter and sample read of the value */
    size_t tries_len;
    struct pair *pairs;
    size_t pairs_len;
    struct cz_mutex lock;
    struct cz_map plans; /* address of a schema → struct cz_avro_plan */
};

/* What a lane knows of a schema in a stage. */
struct memo {
    uint64_t stage; /* 0: empty */
    struct cz_schema_name name;
    size_t pair;
    const struct cz_schema *schema;
    struct cz_avro_plan *plan;
    bool has_target;
    struct cz_schema_name target; /* its name in the target's registry */
    unsigned losses;              /* of the target's registry when it was told */
};
struct side {
    struct cz_avro_wire wire;
    struct memo *memo; /* of the schema; NULL: none is named */
    bool whole;        /* `json` is all of the datum */
    struct cz_buf json, sent;
    struct cz_slice header;                     /* the value that names the schema */
    unsigned char new_header[CZ_AVRO_WIRE_MAX]; /* what it becomes; new_len 0: it stays */
    size_t new_len;
};
struct cz_avro_ctx {
    struct memo memos[SIDES][MEMORY];
    struct side sides[SIDES];
    struct cz_avro_writer *writer;
    struct cz_record entity;
    struct cz_header headers[MAX_HEADERS];
};

/* ---- life ------------------------------------------------------------------------------------- */

enum cz_side_format cz_avro_stage_shown(enum cz_side_format f)
{
    return f == CZ_SIDE_AVRO ? CZ_SIDE_AUTO : f;
}

static void plan_free(void *p)
{
    cz_avro_plan_free(p);
}

static void add_tries(struct cz_avro_stage *a, const struct cz_jmespath *x)
{
    const struct cz_json_trie *t = x ? cz_jmespath_value_paths(x) : NULL;
    if (t)
        a->tries[a->tries_len++] = t;
}

enum cz_err cz_avro_stage_new(const struct cz_stages_conf *conf,
                              const struct cz_jmespath *filter,
                              const struct cz_sample *sample,
                              bool shapes,
                              struct cz_avro_stage **ret,
                              struct cz_error *err)
{
    static _Atomic uint64_t numbers;
    const struct cz_stages_schemas *s = &conf->schemas;
    bool avro = conf->key_format == CZ_SIDE_AVRO || conf->value_format == CZ_SIDE_AVRO;
    bool copy = s->copier && (s->copy_key || s->copy_value);
    *ret = NULL;
    if (!avro && !copy)
        return CZ_OK;
    if (!s->registry)
        return cz_fail(err, CZ_E_INVALID, "Avro: the source cluster names no schema_registry");
    struct cz_avro_stage *a = cz_alloc(sizeof *a);
    a->number = ++numbers;
    a->registry = cz_registry_ref(s->registry);
    a->copier = copy ? cz_schema_copier_ref(s->copier) : NULL;
    a->subjects = s->subjects;
    a->avro[KEY] = conf->key_format == CZ_SIDE_AVRO;
    a->avro[VALUE] = conf->value_format == CZ_SIDE_AVRO;
    a->copy[KEY] = copy && s->copy_key;
    a->copy[VALUE] = copy && s->copy_value;
    a->whole = conf->validate_full;
    a->shapes = shapes;
    add_tries(a, filter);
    add_tries(a, sample ? cz_sample_expression(sample) : NULL);
    a->pairs = cz_alloc_array(s->pairs_len + 1, sizeof *a->pairs);
    for (size_t i = 0; i < s->pairs_len; i++)
        a->pairs[a->pairs_len++] = (struct pair){cz_strdup(s->pairs[i].source), cz_strdup(s->pairs[i].target)};
    cz_mutex_init(&a->lock);
    cz_map_init(&a->plans, plan_free);
    *ret = a;
    return CZ_OK;
}

void cz_avro_stage_free(struct cz_avro_stage *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->pairs_len; i++) {
        cz_free(a->pairs[i].source);
        cz_free(a->pairs[i].target);
    }
    cz_free(a->pairs);
    cz_map_done(&a->plans);
    cz_mutex_done(&a->lock);
    cz_schema_copier_unref(a->copier);
    cz_registry_unref(a->registry);
    cz_free(a);
}

struct cz_avro_ctx *cz_avro_ctx_new(void)
{
    struct cz_avro_ctx *c = cz_alloc(sizeof *c);
    for (int i = 0; i < SIDES; i++) {
        cz_buf_init(&c->sides[i].json, CZ_MAX_EVAL_OUTPUT);
        cz_buf_init(&c->sides[i].sent, CZ_MAX_EVAL_OUTPUT);
    }
    c->writer = cz_avro_writer_new();
    return c;
}

void cz_avro_ctx_free(struct cz_avro_ctx *c)
{
    if (!c)
        return;
    for (int i = 0; i < SIDES; i++) {
        cz_buf_done(&c->sides[i].json);
        cz_buf_done(&c->sides[i].sent);
    }
    cz_avro_writer_free(c->writer);
    cz_free(c);
}

/* ---- which schema ------------------------------------------------------------------------------- */

static bool fail(struct cz_stage_result *ret, const char *stage)
{
    ret->verdict = CZ_VERDICT_ERROR;
    ret->stage = stage;
    return false;
}

static bool wait_for(struct cz_stage_result *ret, const struct cz_schema_name *name, struct cz_error *err)
{
    char text[CZ_SCHEMA_NAME_SIZE];
    ret->verdict = CZ_VERDICT_WAIT;
    cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "schema %s is being looked up",
                  cz_schema_name_text(name, text));
    return false;
}

static struct cz_slice header_of(struct cz_avro_ctx *c, const struct cz_record *r, enum side_no side)
{
    const char *name = side == KEY ? CZ_KEY_SCHEMA_HEADER : CZ_VALUE_SCHEMA_HEADER;
    size_t len = strlen(name), n = r->headers ? r->headers(r, c->headers, MAX_HEADERS) : 0;
    if (n > MAX_HEADERS)
        n = MAX_HEADERS;
    while (n-- > 0) { /* the last one wins */
        const struct cz_header *h = &c->headers[n];
        if (h->name.len == len && memcmp(h->name.data, name, len) == 0)
            return h->value;
    }
    return (struct cz_slice){0};
}

static size_t pair_of(const struct cz_avro_stage *a, const char *topic)
{
    size_t i = 0;
    while (a->copier && i < a->pairs_len && strcmp(a->pairs[i].source, topic) != 0)
        i++;
    return i;
}

static bool same_name(const struct cz_schema_name *x, const struct cz_schema_name *y)
{
    return x->is_guid == y->is_guid && x->id == y->id && memcmp(x->guid, y->guid, sizeof x->guid) == 0;
}

static struct memo *memo_at(struct cz_avro_ctx *c, enum side_no side, const struct memo *m)
{
    uint32_t guid;
    memcpy(&guid, m->name.guid, sizeof guid);
    uint64_t h = m->stage * 31 + m->name.id + guid + m->pair * 7;
    return &c->memos[side][h % MEMORY];
}

static struct cz_avro_plan *plan_of(struct cz_avro_stage *a, const struct cz_schema *s)
{
    if (!s->avro || a->whole)
        return NULL;
    CZ_LOCKED(&a->lock);
    struct cz_avro_plan *plan = cz_map_getn(&a->plans, &s, sizeof s);
    if (!plan) {
        plan = cz_avro_plan_new(s->avro, a->tries, a->tries_len);
        cz_map_putn(&a->plans, &s, sizeof s, plan);
    }
    return plan;
}

/* What is known of the side's schema; NULL: the verdict is in @ret. */
static struct memo *recall(struct cz_avro_stage *a, struct cz_avro_ctx *c, const struct cz_record *r,
                           enum side_no side, struct cz_stage_result *ret, struct cz_error *err)
{
    const struct cz_schema_name *name = &c->sides[side].wire.name;
    struct memo want = {.stage = a->number, .name = *name, .pair = pair_of(a, r->topic)};
    struct memo *m = memo_at(c, side, &want);
    if (m->stage == want.stage && m->pair == want.pair && same_name(&m->name, name))
        return m;
    switch (cz_registry_schema(a->registry, name, &want.schema, err)) {
    case CZ_LOOKUP_WAIT:
        (void)wait_for(ret, name, err);
        return NULL;
    case CZ_LOOKUP_FAILED:
        (void)fail(ret, "decode");
        return NULL;
    case CZ_LOOKUP_FOUND:
        break;
    }
    if (side == VALUE && a->avro[VALUE])
        want.plan = plan_of(a, want.schema);
    *m = want;
    return m;
}

/* ---- in front of the stages --------------------------------------------------------------------- */

static bool unreadable(const struct cz_schema *s, const char *side, struct cz_stage_result *ret,
                       struct cz_error *err)
{
    char text[CZ_SCHEMA_NAME_SIZE];
    cz_fail(err, s->why.code, "%s, schema %s: %s", side, cz_schema_name_text(&s->name, text), s->why.text);
    return fail(ret, "decode");
}

static const char *const side_names[SIDES] = {"key", "value"};

/* @all: not only what filter and sample read. */
static bool decode(struct cz_avro_stage *a, struct cz_avro_ctx *c, enum side_no no, bool all,
                   struct cz_slice *seen, struct cz_stage_result *ret, struct cz_error *err)
{
    struct side *s = &c->sides[no];
    const struct cz_schema *schema = s->memo->schema;
    struct cz_avro_plan *plan = all ? NULL : s->memo->plan;
    bool nobody = no == VALUE && !all && !a->whole && a->tries_len == 0 && !a->shapes;
    if (!schema->avro)
        return unreadable(schema, side_names[no], ret, err);
    s->whole = all;
    cz_buf_clear(&s->json);
    if (cz_avro_to_json(schema->avro, nobody ? NULL : plan, s->wire.datum.data, s->wire.datum.len,
                        nobody ? NULL : &s->json, err)) {
        cz_fail_prefix(err, "%s", side_names[no]);
        return fail(ret, "decode");
    }
    if (!nobody)
        *seen = (struct cz_slice){cz_buf_str(&s->json), s->json.len};
    return true;
}

static bool open_side(struct cz_avro_stage *a, struct cz_avro_ctx *c, const struct cz_record *r,
                      enum side_no no, struct cz_slice bytes, struct cz_slice *seen,
                      struct cz_stage_result *ret, struct cz_error *err)
{
    struct side *s = &c->sides[no];
    bool all = a->shapes && a->tries_len == 0; /* else first what filter and sample need */
    s->memo = NULL;
    s->whole = false;
    s->new_len = 0;
    if (!bytes.data || (!a->avro[no] && !a->copy[no]))
        return true;
    s->header = header_of(c, r, no);
    if (cz_avro_wire(bytes, s->header, &s->wire, a->avro[no] ? err : NULL)) {
        if (!a->avro[no])
            return true; /* among the raw bytes of this side some name no schema */
        cz_fail_prefix(err, "%s", side_names[no]);
        return fail(ret, "decode");
    }
    s->memo = recall(a, c, r, no, ret, err);
    return s->memo && (!a->avro[no] || decode(a, c, no, no == KEY || all, seen, ret, err));
}

bool cz_avro_stage_open(struct cz_avro_stage *a, struct cz_avro_ctx *c, const struct cz_record *r,
                        struct cz_record *seen, struct cz_stage_result *ret, struct cz_error *err)
{
    if (!open_side(a, c, r, KEY, r->key, &seen->key, ret, err) ||
        !open_side(a, c, r, VALUE, r->value, &seen->value, ret, err))
        return false;
    ret->key = seen->key;
    ret->value = seen->value;
    return true;
}

const struct cz_record *
cz_avro_stage_entity(const struct cz_avro_stage *a, struct cz_avro_ctx *c, const struct cz_record *seen)
{
    struct cz_slice key = seen->key;
    if (!a->avro[KEY] || key.len < 2 || key.data[0] != '"' || memchr(key.data, '\\', key.len))
        return seen;
    c->entity = *seen;
    c->entity.key = (struct cz_slice){key.data + 1, key.len - 2};
    return &c->entity;
}

bool cz_avro_stage_whole(struct cz_avro_stage *a, struct cz_avro_ctx *c, struct cz_record *seen,
                         struct cz_stage_result *ret, struct cz_error *err)
{
    if (!a->avro[VALUE] || !c->sides[VALUE].memo || c->sides[VALUE].whole)
        return true;
    if (!decode(a, c, VALUE, true, &seen->value, ret, err))
        return false;
    ret->value = seen->value;
    return true;
}

/* ---- behind the stages -------------------------------------------------------------------------- */

/* The JSON of a side as a datum behind the same prefix. */
static bool encode(struct cz_avro_ctx *c, enum side_no no, struct cz_slice was, struct cz_slice *io,
                   struct cz_stage_result *ret, struct cz_error *err)
{
    struct side *s = &c->sides[no];
    cz_buf_clear(&s->sent);
    cz_buf_add(&s->sent, was.data, s->wire.prefix);
    if (cz_avro_from_json(c->writer, s->memo->schema->avro, *io, s->wire.datum, &s->sent, err)) {
        cz_fail_prefix(err, "%s", side_names[no]);
        return fail(ret, "encode");
    }
    bool same = s->sent.len == was.len && memcmp(s->sent.data, was.data, was.len) == 0;
    *io = same ? was : (struct cz_slice){s->sent.data, s->sent.len};
    return true;
}

/* What names the schema in the target's registry. */
static bool target_name(struct cz_avro_stage *a, struct cz_avro_ctx *c, const struct cz_record *r,
                      enum side_no no, struct cz_stage_result *ret, struct cz_error *err)
{
    struct memo *m = c->sides[no].memo;
    const char *to = m->pair < a->pairs_len ? a->pairs[m->pair].target : r->topic;
    CZ_CLEANUP(cz_freep) char *source = cz_subject_name(a->subjects, r->topic, no == KEY, m->schema);
    CZ_CLEANUP(cz_freep) char *target = cz_subject_name(a->subjects, to, no == KEY, m->schema);
    if (!source || !target) {
        cz_fail(err, CZ_E_INVALID, "%s: its schema has no record name for its subject; use schemas.subjects: "
                "topic_name", side_names[no]);
        return fail(ret, "encode");
    }
    unsigned losses = cz_schema_copier_losses(a->copier);
    switch (cz_schema_copier_name(a->copier, &m->name, source, target, &m->target, err)) {
    case CZ_LOOKUP_WAIT:
        return wait_for(ret, &m->name, err);
    case CZ_LOOKUP_FAILED:
        return fail(ret, "encode");
    case CZ_LOOKUP_FOUND:
        break;
    }
    m->has_target = true;
    m->losses = losses;
    return true;
}

static bool put_name(struct cz_avro_stage *a, struct cz_avro_ctx *c, const struct cz_record *r, enum side_no no,
                   struct cz_slice *io, struct cz_stage_result *ret, struct cz_error *err)
{
    struct side *s = &c->sides[no];
    struct memo *m = s->memo;
    bool told = m->has_target && m->losses == cz_schema_copier_losses(a->copier);
    if (!told && !target_name(a, c, r, no, ret, err))
        return false;
    if (same_name(&m->name, &m->target))
        return true;
    if (s->wire.in_header) {
        s->new_len = cz_avro_wire_put(s->new_header, &m->target);
        return true;
    }
    if (io->data != s->sent.data) {
        cz_buf_clear(&s->sent);
        cz_buf_add(&s->sent, io->data, io->len);
    }
    if (s->sent.failed) {
        cz_fail(err, CZ_E_TOO_LARGE, "%s: over %zu bytes", side_names[no], s->sent.max);
        return fail(ret, "encode");
    }
    (void)cz_avro_wire_put((unsigned char *)s->sent.data, &m->target); /* as long as what stands there */
    *io = (struct cz_slice){s->sent.data, s->sent.len};
    return true;
}

static bool close_side(struct cz_avro_stage *a, struct cz_avro_ctx *c, const struct cz_record *r,
                       enum side_no no, struct cz_slice was, struct cz_slice seen, struct cz_slice *io,
                       struct cz_stage_result *ret, struct cz_error *err)
{
    if (!c->sides[no].memo || !io->data)
        return true;
    if (io->data == seen.data)
        *io = was;
    else if (a->avro[no] && !encode(c, no, was, io, ret, err))
        return false;
    return !a->copy[no] || put_name(a, c, r, no, io, ret, err);
}

void cz_avro_stage_close(struct cz_avro_stage *a, struct cz_avro_ctx *c, const struct cz_record *r,
                         const struct cz_record *seen, struct cz_stage_result *ret, struct cz_error *err)
{
    if (!close_side(a, c, r, KEY, r->key, seen->key, &ret->key, ret, err) ||
        !close_side(a, c, r, VALUE, r->value, seen->value, &ret->value, ret, err))
        return;
    ret->value_changed = ret->value.data != r->value.data;
}

bool cz_avro_stage_header(const struct cz_avro_ctx *c, int side, struct cz_slice *ret_was, struct cz_slice *ret_now)
{
    const struct side *s = &c->sides[side];
    *ret_was = s->header;
    *ret_now = (struct cz_slice){(const char *)s->new_header, s->new_len};
    return s->new_len > 0;
}
