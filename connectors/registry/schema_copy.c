/* SPDX-License-Identifier: Apache-2.0 */
/* From registry to registry.  The first record of a subject brings all of its versions over, oldest
 * first, so that the target's compatibility checks see the history that the source's saw; what a
 * schema refers to goes before it, under the same subject.  Nothing is kept on disk: registering the
 * same text again gives the same id. */
#include <stdatomic.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/map.h"
#include "cz/util.h"
#include "registry_priv.h"

struct target { /* what the target registry answered */
    uint32_t id;
    struct cz_schema_name guid; /* is_guid false: it told none */
};
struct cz_schema_copier {
    atomic_int refs;
    atomic_uint losses;
    struct cz__flights *flights; /* "<schema key>\n<source subject>\n<target subject>" → struct target */
    /* the thread's */
    struct cz__calls source, target;
    struct cz_map ids;        /* "<schema key>\n<target subject>" → struct target */
    struct cz_map done;       /* "<source subject>/<version>\n<target subject>" copied */
    struct cz_map references; /* "<subject>/<version>" of the source → int64_t version of the target */
    struct cz_map configured; /* target subjects whose compatibility was looked at */
    struct cz_map known;      /* target subjects that have something of ours */
    struct cz_map answers;    /* of all flights since the beginning */
    unsigned depth;
    bool fresh; /* the target's subject of this flight did not exist before */
};

static void remember(struct cz_map *m, const char *key)
{
    cz_map_put(m, key, cz_alloc(1));
}

/* ---- registering -------------------------------------------------------------------------------- */

static enum cz_err copy_schema(struct cz_schema_copier *c, const struct cz_schema *s, const char *subject,
                               struct target *ret, struct cz_error *err);

/* The target's number of a version that was just registered there. */
static enum cz_err version_of(struct cz_schema_copier *c, const char *subject, const json_t *body,
                              int64_t *ret, struct cz_error *err)
{
    json_t *answer = NULL;
    CZ_CLEANUP(cz_freep) char *path = cz__path("/subjects/%s", subject, NULL);
    enum cz_err code = cz__call(&c->target, "POST", path, body, &answer, err);
    int64_t version = code ? -1 : cz_json_int(answer, "version", -1);
    json_decref(answer);
    if (!code && version < 0)
        code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "schema registry %s: no version in the answer to %s", c->target.url, path);
    if (!code)
        *ret = version;
    return code;
}

static enum cz_err fetch_version(struct cz_schema_copier *c, const char *subject, int64_t version,
                                 struct cz_schema **ret, struct cz_error *err)
{
    json_t *answer = NULL;
    CZ_CLEANUP(cz_freep) char *number = cz_strf("%lld", (long long)version);
    CZ_CLEANUP(cz_freep) char *path = cz__path("/subjects/%s/versions/%s", subject, number);
    enum cz_err code = cz__call(&c->source, "GET", path, NULL, &answer, err);
    if (!code)
        code = cz__schema_parse(answer, ret, err);
    if (!code)
        (*ret)->name.id = (uint32_t)cz_json_int(answer, "id", 0);
    json_decref(answer);
    return code;
}

static enum cz_err body_of(struct cz_schema_copier *c, const struct cz_schema *s, json_t **ret,
                           struct cz_error *err);

/* Bring over what is referred to; its version there. */
static enum cz_err copy_reference(struct cz_schema_copier *c, const struct cz_schema_reference *r,
                                  int64_t *ret_version, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%lld", r->subject, (long long)r->version);
    const int64_t *known = cz_map_get(&c->references, key);
    if (known) {
        *ret_version = *known;
        return CZ_OK;
    }
    struct cz_schema *s = NULL;
    json_t *body = NULL;
    struct target there;
    int64_t version = 0;
    if (++c->depth > 32)
        return cz_fail(err, CZ_E_LIMIT, "the schema's references are nested too deep");
    enum cz_err code = fetch_version(c, r->subject, r->version, &s, err);
    if (!code)
        code = copy_schema(c, s, r->subject, &there, err);
    if (!code)
        code = body_of(c, s, &body, err);
    if (!code)
        code = version_of(c, r->subject, body, &version, err);
    c->depth--;
    cz__schema_free(s);
    json_decref(body);
    if (code)
        return code;
    cz_map_put(&c->references, key, cz_memdup(&version, sizeof version));
    *ret_version = version;
    return CZ_OK;
}

/* {"schema","schemaType","references"} as the target is to see it. */
static enum cz_err body_of(struct cz_schema_copier *c, const struct cz_schema *s, json_t **ret,
                           struct cz_error *err)
{
    json_t *body = json_object(), *references = json_array();
    enum cz_err code = CZ_OK;
    cz_json_set_str(body, "schema", s->text);
    cz_json_set_str(body, "schemaType", s->type);
    for (size_t i = 0; !code && i < s->references_len; i++) {
        int64_t version = 0;
        json_t *one = json_object();
        code = copy_reference(c, &s->references[i], &version, err);
        cz_json_set_str(one, "name", s->references[i].name);
        cz_json_set_str(one, "subject", s->references[i].subject);
        json_object_set_new(one, "version", json_integer(version));
        json_array_append_new(references, one);
    }
    if (s->references_len > 0)
        json_object_set(body, "references", references);
    json_decref(references);
    if (code)
        json_decref(body);
    else
        *ret = body;
    return code;
}

static enum cz_err copy_schema(struct cz_schema_copier *c, const struct cz_schema *s, const char *subject,
                               struct target *ret, struct cz_error *err)
{
    json_t *body = NULL, *answer = NULL;
    CZ_CLEANUP(cz_freep) char *path = cz__path("/subjects/%s/versions", subject, NULL);
    enum cz_err code = body_of(c, s, &body, err);
    if (!code)
        code = cz__call(&c->target, "POST", path, body, &answer, err);
    int64_t id = code ? -1 : cz_json_int(answer, "id", -1);
    struct target there = {.id = (uint32_t)id};
    if (!code)
        (void)cz_schema_guid_parse(cz_json_str(answer, "guid", NULL), &there.guid);
    json_decref(body);
    json_decref(answer);
    if (!code && (id < 0 || id > UINT32_MAX))
        code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "schema registry %s: no id in the answer to %s", c->target.url, path);
    if (!code)
        *ret = there;
    return code;
}

/* ---- a subject ------------------------------------------------------------------------------------ */

/* The level of a subject; NULL: it follows its registry's.  Some registries tell that one then. */
static enum cz_err own_level(struct cz__calls *calls, const char *subject, char **ret, struct cz_error *err)
{
    json_t *answer = NULL;
    struct cz_error why = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *path = cz__path("/config/%s", subject, NULL);
    enum cz_err code = cz__call(calls, "GET", path, NULL, &answer, &why);
    *ret = NULL;
    if (code == CZ_E_NOT_FOUND)
        return CZ_OK;
    if (code)
        return cz_fail_flags(err, why.code, why.flags, why.detail, "%s", why.text);
    *ret = cz_strdup(cz_json_str(answer, "compatibilityLevel", NULL));
    json_decref(answer);
    return CZ_OK;
}

static enum cz_err look_at_target(struct cz_schema_copier *c, const char *subject, struct cz_error *err)
{
    json_t *answer = NULL;
    struct cz_error why = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *path = cz__path("/subjects/%s/versions", subject, NULL);
    enum cz_err code = cz__call(&c->target, "GET", path, NULL, &answer, &why);
    c->fresh = code == CZ_E_NOT_FOUND;
    json_decref(answer);
    if (code && !c->fresh)
        return cz_fail_flags(err, why.code, why.flags, why.detail, "%s", why.text);
    return CZ_OK;
}

/* Behind the first version, in front of the next ones, so that the target judges these as the source
 * did; some registries know no level of a subject that is not there yet. */
static enum cz_err copy_level(struct cz_schema_copier *c, const char *from, const char *to,
                              struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *level = NULL;
    CZ_CLEANUP(cz_freep) char *there = NULL;
    if (cz_map_get(&c->configured, to))
        return CZ_OK;
    enum cz_err code = own_level(&c->source, from, &level, err);
    if (!code && level && !c->fresh) /* what the target was told already is its own business */
        code = own_level(&c->target, to, &there, err);
    if (!code && level && !there) {
        CZ_CLEANUP(cz_freep) char *path = cz__path("/config/%s", to, NULL);
        json_t *body = json_object(), *answer = NULL;
        cz_json_set_str(body, "compatibility", level);
        code = cz__call(&c->target, "PUT", path, body, &answer, err);
        json_decref(body);
        json_decref(answer);
    }
    if (!code)
        remember(&c->configured, to);
    return code;
}

static void remember_target(struct cz_schema_copier *c, const char *key, const char *subject, const struct target *t)
{
    CZ_CLEANUP(cz_freep) char *at = cz_strf("%s\n%s", key, subject);
    cz_map_put(&c->ids, at, cz_memdup(t, sizeof *t));
}

static enum cz_err copy_version(struct cz_schema_copier *c, const char *from, int64_t version, const char *to,
                                struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *mark = cz_strf("%s/%lld\n%s", from, (long long)version, to);
    struct cz_schema *s = NULL;
    struct target there;
    if (cz_map_get(&c->done, mark))
        return CZ_OK;
    enum cz_err code = fetch_version(c, from, version, &s, err);
    if (!code)
        code = copy_schema(c, s, to, &there, err);
    if (!code) {
        CZ_CLEANUP(cz_freep) char *key = cz__schema_key(&s->name);
        remember_target(c, key, to, &there);
        remember(&c->done, mark);
    }
    cz__schema_free(s);
    return code;
}

static enum cz_err copy_versions(struct cz_schema_copier *c, const char *from, const char *to,
                                 struct cz_error *err)
{
    json_t *versions = NULL, *v;
    size_t i;
    struct cz_error why = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *path = cz__path("/subjects/%s/versions", from, NULL);
    enum cz_err code = cz__call(&c->source, "GET", path, NULL, &versions, &why);
    if (code == CZ_E_NOT_FOUND)
        return CZ_OK; /* filed under another subject: the one schema comes alone */
    if (code)
        return cz_fail_flags(err, why.code, why.flags, why.detail, "%s", why.text);
    json_array_foreach(versions, i, v)
    {
        if (!code)
            code = copy_version(c, from, json_integer_value(v), to, err);
        if (!code)
            code = copy_level(c, from, to, err);
    }
    json_decref(versions);
    return code;
}

static enum cz_err copy_alone(struct cz_schema_copier *c, const char *key, const char *to, struct target *ret,
                              struct cz_error *err)
{
    json_t *answer = NULL;
    struct cz_schema *s = NULL;
    CZ_CLEANUP(cz_freep) char *path = cz_strf("/schemas/%s", key);
    enum cz_err code = cz__call(&c->source, "GET", path, NULL, &answer, err);
    if (!code)
        code = cz__schema_parse(answer, &s, err);
    if (!code)
        code = copy_schema(c, s, to, ret, err);
    json_decref(answer);
    cz__schema_free(s);
    return code;
}

/* The target has lost what we registered: it came back empty, or somebody deleted the subject.  Our ids
 * mean nothing there, or something else: all is registered anew, the oldest version first. */
static void forget_all(struct cz_schema_copier *c, const char *lost)
{
    cz_log(CZ_LOG_INFO, "registry", "%s has lost subject %s: all is registered again", c->target.url, lost);
    struct cz_map *const maps[] = {&c->ids, &c->done, &c->references, &c->configured, &c->known};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        cz_map_clear(maps[i]);
    cz__flights_forget(c->flights);
    atomic_fetch_add(&c->losses, 1);
}

/* Any subject tells whether the registry came back empty; @to is looked at anyway. */
static enum cz_err look_for_loss(struct cz_schema_copier *c, const char *to, struct cz_error *err)
{
    size_t first = 0;
    const struct cz_map_entry *e = cz_map_next(&c->known, &first);
    enum cz_err code = e ? look_at_target(c, e->key, err) : CZ_OK;
    if (!code && e && c->fresh)
        forget_all(c, e->key);
    if (!code)
        code = look_at_target(c, to, err);
    if (!code && c->fresh && cz_map_get(&c->known, to))
        forget_all(c, to);
    return code;
}

/* Lanes may look at an answer of before while it is given anew, so none is freed as long as there is a copier. */
static struct target *kept(struct cz_schema_copier *c, const char *flight, const struct target *t)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%u\n%s", atomic_load(&c->losses), flight);
    struct target *answer = cz_memdup(t, sizeof *t);
    cz_map_put(&c->answers, key, answer);
    return answer;
}

/* The answer of a flight: a schema and a subject of the target → a target. */
static enum cz_err copy(void *arg, const char *flight, void **ret, struct cz_error *err)
{
    struct cz_schema_copier *c = arg;
    CZ_CLEANUP(cz_freep) char *text = cz_strdup(flight);
    char *rest = text;
    const char *key = strsep(&rest, "\n"), *from = strsep(&rest, "\n"), *to = rest;
    struct target there = {0};
    c->depth = 0;
    enum cz_err code = look_for_loss(c, to, err);
    if (!code)
        code = copy_versions(c, from, to, err);
    CZ_CLEANUP(cz_freep) char *at = cz_strf("%s\n%s", key, to);
    const struct target *known = cz_map_get(&c->ids, at);
    if (!code && known)
        there = *known;
    else if (!code)
        code = copy_alone(c, key, to, &there, err);
    if (!code)
        code = look_at_target(c, to, err);
    if (!code) {
        if (!c->fresh) /* a registry that does not list what it has just taken cannot tell a loss */
            remember(&c->known, to);
        *ret = kept(c, flight, &there);
    }
    return code;
}

/* ---- the copier ------------------------------------------------------------------------------------- */

enum cz_err cz_schema_copier_new(const struct cz_registry_conf *source,
                                 const struct cz_registry_conf *target,
                                 struct cz_schema_copier **ret,
                                 struct cz_error *err)
{
    struct cz_schema_copier *c = cz_alloc(sizeof *c);
    enum cz_err code = cz__calls_init(&c->source, source, err);
    if (!code)
        code = cz__calls_init(&c->target, target, err);
    if (code) {
        cz__calls_done(&c->source);
        cz__calls_done(&c->target);
        cz_free(c);
        return code;
    }
    atomic_init(&c->refs, 1);
    atomic_init(&c->losses, 0);
    cz_map_init(&c->ids, cz_free);
    cz_map_init(&c->done, cz_free);
    cz_map_init(&c->references, cz_free);
    cz_map_init(&c->configured, cz_free);
    cz_map_init(&c->known, cz_free);
    cz_map_init(&c->answers, cz_free);
    c->flights = cz__flights_new(copy, NULL, c);
    *ret = c;
    return CZ_OK;
}

struct cz_schema_copier *cz_schema_copier_ref(struct cz_schema_copier *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void cz_schema_copier_unref(struct cz_schema_copier *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    atomic_store(&c->source.cancel, true);
    atomic_store(&c->target.cancel, true);
    cz__flights_free(c->flights);
    cz__calls_done(&c->source);
    cz__calls_done(&c->target);
    cz_map_done(&c->ids);
    cz_map_done(&c->done);
    cz_map_done(&c->references);
    cz_map_done(&c->configured);
    cz_map_done(&c->known);
    cz_map_done(&c->answers);
    cz_free(c);
}

unsigned cz_schema_copier_losses(const struct cz_schema_copier *c)
{
    return atomic_load(&c->losses);
}

enum cz_lookup cz_schema_copier_name(struct cz_schema_copier *c,
                                     const struct cz_schema_name *name,
                                     const char *source_subject,
                                     const char *target_subject,
                                     struct cz_schema_name *ret,
                                     struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cz__schema_key(name);
    CZ_CLEANUP(cz_freep) char *flight = cz_strf("%s\n%s\n%s", key, source_subject, target_subject);
    void *found = NULL;
    enum cz_lookup l = cz__flights_get(c->flights, flight, &found, err);
    if (l != CZ_LOOKUP_FOUND)
        return l;
    const struct target *there = found;
    if (!name->is_guid)
        *ret = (struct cz_schema_name){.id = there->id};
    else
        *ret = there->guid.is_guid ? there->guid : *name;
    return l;
}
