/* SPDX-License-Identifier: Apache-2.0 */
/* Registries and copiers that tasks share: one per address and credentials, for the life of the
 * process, so that a schema is asked for once however many mappings read it. */
#include "cz/alloc.h"
#include "cz/json.h"
#include "worker_priv.h"

static void registry_unref(void *r)
{
    cz_registry_unref(r);
}

static void copier_unref(void *c)
{
    cz_schema_copier_unref(c);
}

void w_registries_init(struct w_clients *c)
{
    cz_map_init(&c->registries, registry_unref);
    cz_map_init(&c->copiers, copier_unref);
}

void w_registries_done(struct w_clients *c)
{
    cz_map_done(&c->copiers);
    cz_map_done(&c->registries);
}

/* Two documents that say the same share. cz_free. */
static char *key_of(const struct cz_registry_conf *r)
{
    const char *const parts[] = {r->url,     r->username,         r->password, r->ssl_ca, r->ssl_certificate,
                                 r->ssl_key, r->ssl_key_password, r->ssl_verify_hostname ? "" : NULL};
    json_t *all = json_array();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        json_array_append_new(all, parts[i] ? json_string(parts[i]) : json_null());
    char *text = cz_json_text(all, true);
    json_decref(all);
    return text;
}

static enum cz_err registry_of(struct w_clients *c, const struct cz_registry_conf *conf,
                               struct cz_registry **ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = key_of(conf);
    CZ_LOCKED(&c->lock);
    struct cz_registry *r = cz_map_get(&c->registries, key);
    if (!r) {
        enum cz_err code = cz_registry_new(conf, &r, err);
        if (code)
            return code;
        cz_map_put(&c->registries, key, r);
    }
    *ret = cz_registry_ref(r);
    return CZ_OK;
}

static enum cz_err copier_of(struct w_clients *c, const struct cz_registry_conf *from,
                             const struct cz_registry_conf *to, struct cz_schema_copier **ret,
                             struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *a = key_of(from);
    CZ_CLEANUP(cz_freep) char *b = key_of(to);
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s %s", a, b);
    CZ_LOCKED(&c->lock);
    struct cz_schema_copier *copier = cz_map_get(&c->copiers, key);
    if (!copier) {
        enum cz_err code = cz_schema_copier_new(from, to, &copier, err);
        if (code)
            return code;
        cz_map_put(&c->copiers, key, copier);
    }
    *ret = cz_schema_copier_ref(copier);
    return CZ_OK;
}

enum cz_err w_schemas(struct worker *w, const struct cz_mapping_spec *spec, const struct cz_cluster *source,
                      const struct cz_cluster *target, struct cz_stages_schemas *ret, struct cz_error *err)
{
    const struct cz_registry_conf *from = source ? cz_cluster_registry(source) : NULL;
    const struct cz_registry_conf *to = target ? cz_cluster_registry(target) : NULL;
    bool copies = spec->copy_key_schemas || spec->copy_value_schemas;
    struct cz_stages_schemas s = {.copy_key = spec->copy_key_schemas,
                                  .copy_value = spec->copy_value_schemas,
                                  .subjects = spec->subjects};
    enum cz_err code = CZ_OK;
    if (copies && !to)
        code = cz_fail(err, CZ_E_INVALID, "schemas.copy: the target cluster names no schema_registry");
    if (!code && from)
        code = registry_of(&w->clients, from, &s.registry, err);
    if (!code && copies && from)
        code = copier_of(&w->clients, from, to, &s.copier, err);
    if (code) {
        w_schemas_done(&s);
        return code;
    }
    struct cz_stages_pair *pairs = cz_alloc_array(spec->pairs_len + 1, sizeof *pairs);
    for (size_t i = 0; i < spec->pairs_len; i++)
        pairs[i] = (struct cz_stages_pair){spec->pairs[i].source, spec->pairs[i].target};
    s.pairs = pairs;
    s.pairs_len = spec->pairs_len;
    *ret = s;
    return CZ_OK;
}

void w_schemas_done(struct cz_stages_schemas *s)
{
    cz_registry_unref(s->registry);
    cz_schema_copier_unref(s->copier);
    cz_free((void *)CZ_UNCONST(s->pairs));
    *s = (struct cz_stages_schemas){0};
}
