/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas by id: fetched with all that they refer to, compiled, kept. */
#include <stdatomic.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/util.h"
#include "registry_priv.h"

struct cz_registry {
    atomic_int refs;
    struct cz__calls calls; /* the thread's */
    struct cz__flights *flights;
};

/* ---- one schema ------------------------------------------------------------------------------- */

void cz__schema_free(void *p)
{
    struct cz_schema *s = p;
    if (!s)
        return;
    for (size_t i = 0; i < s->references_len; i++) {
        cz_free(s->references[i].name);
        cz_free(s->references[i].subject);
    }
    cz_free(s->references);
    cz_avro_schema_free(s->avro);
    cz_free(s->type);
    cz_free(s->text);
    cz_free(s);
}

enum cz_err cz__schema_parse(const json_t *answer, struct cz_schema **ret, struct cz_error *err)
{
    const char *text = cz_json_str(answer, "schema", NULL);
    const json_t *references = json_object_get(answer, "references");
    size_t n = json_array_size(references);
    if (!text)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "the registry's answer has no schema");
    if (n > CZ__MAX_REFERENCES)
        return cz_fail(err, CZ_E_LIMIT, "the schema has more than %d references", CZ__MAX_REFERENCES);
    struct cz_schema *s = cz_alloc(sizeof *s);
    s->text = cz_strdup(text);
    s->type = cz_strdup(cz_json_str(answer, "schemaType", "AVRO"));
    s->references = cz_alloc_array(n + 1, sizeof *s->references);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(references, i);
        s->references[i].name = cz_strdup(cz_json_str(one, "name", ""));
        s->references[i].subject = cz_strdup(cz_json_str(one, "subject", ""));
        s->references[i].version = cz_json_int(one, "version", -1);
        s->references_len++;
    }
    *ret = s;
    return CZ_OK;
}

char *cz__schema_key(const struct cz_schema_name *name)
{
    char text[CZ_SCHEMA_NAME_SIZE];
    return cz_strf("%s/%s", name->is_guid ? "guids" : "ids", cz_schema_name_text(name, text));
}

/* ---- with what it refers to --------------------------------------------------------------------- */

/* The schemas below one, each after those that it refers to itself. */
struct below {
    struct cz__calls *calls;
    struct cz_schema *items[CZ__MAX_REFERENCES];
    char *names[CZ__MAX_REFERENCES]; /* "subject/version" */
    size_t n, depth;
};

static bool known(const struct below *b, const char *name)
{
    for (size_t i = 0; i < b->n; i++) {
        if (strcmp(b->names[i], name) == 0)
            return true;
    }
    return false;
}

static enum cz_err fetch_below(struct below *b, const struct cz_schema *s, struct cz_error *err);

static enum cz_err fetch_reference(struct below *b, const struct cz_schema_reference *r, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *version = cz_strf("%lld", (long long)r->version);
    CZ_CLEANUP(cz_freep) char *name = cz_strf("%s/%s", r->subject, version);
    CZ_CLEANUP(cz_freep) char *path = cz__path("/subjects/%s/versions/%s", r->subject, version);
    if (known(b, name))
        return CZ_OK;
    json_t *answer = NULL;
    struct cz_schema *s = NULL;
    enum cz_err code = cz__call(b->calls, "GET", path, NULL, &answer, err);
    if (!code)
        code = cz__schema_parse(answer, &s, err);
    json_decref(answer);
    if (!code)
        code = fetch_below(b, s, err);
    if (!code && b->n == CZ__MAX_REFERENCES)
        code = cz_fail(err, CZ_E_LIMIT, "the schema refers to more than %d others", CZ__MAX_REFERENCES);
    if (code || known(b, name)) {
        cz__schema_free(s);
        return code;
    }
    b->names[b->n] = cz_strdup(name);
    b->items[b->n++] = s;
    return CZ_OK;
}

static enum cz_err fetch_below(struct below *b, const struct cz_schema *s, struct cz_error *err)
{
    if (++b->depth > 32)
        return cz_fail(err, CZ_E_LIMIT, "the schema's references are nested too deep");
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < s->references_len; i++)
        code = fetch_reference(b, &s->references[i], err);
    b->depth--;
    return code;
}

static void compile(const struct below *b, struct cz_schema *s)
{
    struct cz_slice texts[CZ__MAX_REFERENCES + 1];
    if (strcmp(s->type, "AVRO") != 0) {
        cz_fail(&s->why, CZ_E_INVALID, "the schema is %.40s, not Avro", s->type);
        return;
    }
    for (size_t i = 0; i < b->n; i++)
        texts[i] = (struct cz_slice){b->items[i]->text, strlen(b->items[i]->text)};
    texts[b->n] = (struct cz_slice){s->text, strlen(s->text)};
    if (cz_avro_schema_new(texts, b->n + 1, &s->avro, &s->why))
        s->avro = NULL;
}

static enum cz_err fetch(void *arg, const char *key, void **ret, struct cz_error *err)
{
    struct cz_registry *r = arg;
    struct below *b = cz_alloc(sizeof *b);
    struct cz_schema *s = NULL;
    json_t *answer = NULL;
    CZ_CLEANUP(cz_freep) char *path = cz_strf("/schemas/%s", key);
    b->calls = &r->calls;
    enum cz_err code = cz__call(&r->calls, "GET", path, NULL, &answer, err);
    if (!code)
        code = cz__schema_parse(answer, &s, err);
    if (!code)
        code = fetch_below(b, s, err);
    if (!code)
        compile(b, s);
    for (size_t i = 0; i < b->n; i++) {
        cz__schema_free(b->items[i]);
        cz_free(b->names[i]);
    }
    cz_free(b);
    json_decref(answer);
    if (code)
        cz__schema_free(s);
    else
        *ret = s;
    return code;
}

/* ---- the registry --------------------------------------------------------------------------------- */

enum cz_err
cz_registry_new(const struct cz_registry_conf *conf, struct cz_registry **ret, struct cz_error *err)
{
    struct cz_registry *r = cz_alloc(sizeof *r);
    enum cz_err code = cz__calls_init(&r->calls, conf, err);
    if (code) {
        cz_free(r);
        return code;
    }
    atomic_init(&r->refs, 1);
    r->flights = cz__flights_new(fetch, cz__schema_free, r);
    *ret = r;
    return CZ_OK;
}

struct cz_registry *cz_registry_ref(struct cz_registry *r)
{
    atomic_fetch_add(&r->refs, 1);
    return r;
}

void cz_registry_unref(struct cz_registry *r)
{
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    atomic_store(&r->calls.cancel, true);
    cz__flights_free(r->flights);
    cz__calls_done(&r->calls);
    cz_free(r);
}

enum cz_lookup cz_registry_schema(struct cz_registry *r,
                                  const struct cz_schema_name *name,
                                  const struct cz_schema **ret,
                                  struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cz__schema_key(name);
    void *found = NULL;
    enum cz_lookup l = cz__flights_get(r->flights, key, &found, err);
    if (l == CZ_LOOKUP_FOUND)
        *ret = found;
    return l;
}

char *cz_subject_name(enum cz_subjects by, const char *topic, bool is_key, const struct cz_schema *s)
{
    if (by == CZ_SUBJECTS_TOPIC)
        return cz_strf("%s-%s", topic, is_key ? "key" : "value");
    const char *name = s->avro ? cz_avro_schema_name(s->avro) : NULL;
    if (!name)
        return NULL;
    return by == CZ_SUBJECTS_RECORD ? cz_strdup(name) : cz_strf("%s-%s", topic, name);
}
