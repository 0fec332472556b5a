/* SPDX-License-Identifier: Apache-2.0 */
/* Data whose schema ids are rewritten on the way.  An id is looked up in the registry of its side;
 * what counts is what the schema says about the datum (cz_avro_schema_form), and the datum. */
#include <string.h>
#include <time.h>

#include "cz/alloc.h"
#include "cz/avro_wire.h"
#include "cz/json.h"
#include "verify_priv.h"

enum { PAUSE_MS = 20 }; /* between two looks whether a schema has come */

struct verify_schemas {
    const struct cz_verify_conf *conf;
    struct cz_map known[2]; /* of source and target: name → uint64_t, 0: the registry has none */
};

struct verify_schemas *verify_schemas_new(const struct cz_verify_conf *conf)
{
    if (!conf->source_registry || !conf->target_registry)
        return NULL;
    struct verify_schemas *s = cz_alloc(sizeof *s);
    s->conf = conf;
    cz_map_init(&s->known[0], cz_free);
    cz_map_init(&s->known[1], cz_free);
    return s;
}

void verify_schemas_free(struct verify_schemas *s)
{
    if (!s)
        return;
    cz_map_done(&s->known[0]);
    cz_map_done(&s->known[1]);
    cz_free(s);
}

/* Of one that is not Avro its text counts, but for the layout when it is JSON. */
static char *text_of(const struct cz_schema *s)
{
    json_t *parsed = NULL;
    struct cz_error ignored = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *plain = NULL;
    if (!cz_json_parse(s->text, strlen(s->text), &parsed, &ignored))
        plain = cz_json_text(parsed, true);
    json_decref(parsed);
    return cz_strf("%s %s", s->type, plain ? plain : s->text);
}

static uint64_t meaning(const struct cz_schema *s)
{
    CZ_CLEANUP(cz_freep) char *form = s->avro ? cz_avro_schema_form(s->avro) : NULL;
    if (!form)
        form = text_of(s);
    return verify_hash_text(form);
}

/* *ret 0: the registry has no such schema. */
static enum cz_err look_up(struct verify_schemas *s, bool of_target, const struct cz_schema_name *name,
                           uint64_t *ret, struct cz_error *err)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    struct cz_registry *registry = of_target ? s->conf->target_registry : s->conf->source_registry;
    const uint64_t *known = cz_map_getn(&s->known[of_target], name, sizeof *name);
    if (known) {
        *ret = *known;
        return CZ_OK;
    }
    for (;;) {
        const struct cz_schema *schema = NULL;
        struct cz_error why = CZ_ERROR_INIT;
        enum cz_lookup l = cz_registry_schema(registry, name, &schema, &why);
        if (l != CZ_LOOKUP_WAIT) {
            *ret = l == CZ_LOOKUP_FOUND ? meaning(schema) : 0;
            cz_map_putn(&s->known[of_target], name, sizeof *name, cz_memdup(ret, sizeof *ret));
            return CZ_OK;
        }
        struct cz_error own = CZ_ERROR_INIT;
        if (verify_may_go_on(s->conf, of_target ? "the target's schemas" : "the source's schemas", &own)) {
            const struct cz_error *e = why.code ? &why : &own; /* the registry's words say more */
            return cz_fail_flags(err, e->code, e->flags, e->detail, "%s", e->text);
        }
        (void)nanosleep(&pause, NULL);
    }
}

/* The number of the header that names the schema; @n: none does. */
static size_t schema_header(bool of_key, const struct cz_header *headers, size_t n)
{
    const char *name = of_key ? CZ_KEY_SCHEMA_HEADER : CZ_VALUE_SCHEMA_HEADER;
    for (size_t i = n; i-- > 0;) { /* the last one wins, as for the workers */
        if (headers[i].name.len == strlen(name) && memcmp(headers[i].name.data, name, strlen(name)) == 0)
            return i;
    }
    return n;
}

/* A registry that knows no GUIDs was given the source's. */
static enum cz_err meaning_of(struct verify_schemas *s, bool of_target, const struct cz_schema_name *name,
                              uint64_t *ret, struct cz_error *err)
{
    enum cz_err code = look_up(s, of_target, name, ret, err);
    if (!code && *ret == 0 && of_target && name->is_guid)
        code = look_up(s, false, name, ret, err);
    return code;
}

enum cz_err verify_schemas_look(struct verify_schemas *s, bool of_target, bool of_key, struct cz_slice payload,
                                struct cz_header *headers, size_t *headers_len, struct verify_content *ret,
                                bool *ret_lost, struct cz_error *err)
{
    const struct cz_mapping_spec *spec = s->conf->spec;
    struct cz_avro_wire w;
    *ret = (struct verify_content){.bytes = payload};
    *ret_lost = false;
    if (!payload.data || !(of_key ? spec->copy_key_schemas : spec->copy_value_schemas))
        return CZ_OK;
    size_t at = schema_header(of_key, headers, *headers_len);
    if (cz_avro_wire(payload, at < *headers_len ? headers[at].value : (struct cz_slice){0}, &w, NULL))
        return CZ_OK;
    enum cz_err code = meaning_of(s, of_target, &w.name, &ret->schema, err);
    if (code)
        return code;
    *ret_lost = !of_target && ret->schema == 0;
    if (ret->schema == 0)
        return CZ_OK; /* nothing is equal to it, as it stands */
    ret->bytes = w.datum;
    if (w.in_header) {
        memmove(&headers[at], &headers[at + 1], (*headers_len - at - 1) * sizeof *headers);
        --*headers_len;
    }
    return CZ_OK;
}
