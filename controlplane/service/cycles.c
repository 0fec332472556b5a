/* SPDX-License-Identifier: Apache-2.0 */
/** Records must not go round for ever: a mapping is refused when what it writes comes back to what it
 *  reads through the enabled mappings of its team, unless each of them has headers.provenance, by which
 *  a record that comes home is recognised (connectors/transforms).  Looked at at the end of a write, so
 *  that the order of the puts does not matter.  Clusters are compared by their connection settings. */
#include <stdio.h>
#include <string.h>

#include "service_priv.h"

enum { MAX_PLACES = 2000, MAX_TEXT = 400 };

struct place { /* a topic that records get to, and by which mapping */
    uint64_t cluster;
    char *topic, *by;
    size_t from; /* index + 1 of the place before; 0: the first mapping's source */
    bool marked; /* every mapping up to here has provenance */
};
struct walk {
    struct cz__attempt *a;
    const struct cz__group_use *start;
    struct cz_mapping_spec *first; /* of the mapping that was put */
    uint64_t source;               /* its source cluster */
    struct cz_resource_list clusters;
    struct place *places;
    size_t len, cap;
    struct cz_map seen;
    bool found, too_many;
};

static char *place_key(uint64_t cluster, const char *topic, bool marked)
{
    return cz_strf("%016llx/%d/%s", (unsigned long long)cluster, marked, topic);
}

static void add(struct walk *w, uint64_t cluster, const char *topic, const char *by, size_t from, bool marked)
{
    CZ_CLEANUP(cz_freep) char *key = place_key(cluster, topic, marked);
    if (cz_map_get(&w->seen, key))
        return;
    if (w->len == MAX_PLACES) {
        w->too_many = true;
        return;
    }
    cz_map_put(&w->seen, key, w);
    cz_grow(&w->places, &w->cap, w->len, sizeof *w->places);
    w->places[w->len++] = (struct place){cluster, cz_strdup(topic), cz_strdup(by), from, marked};
}

static enum cz_err hash_of(struct walk *w, const char *name, uint64_t *ret, struct cz_error *err)
{
    struct cz_cluster *c = NULL;
    enum cz_err code = name ? cz__tx_cluster(w->a, w->start->team, name, &c, err) : CZ_OK;
    *ret = c ? cz_cluster_hash(c) : 0;
    return code;
}

/* Where @spec takes the records of @topic (NULL: of all its topics). */
static enum cz_err follow(struct walk *w, const struct cz_mapping_spec *spec, const char *name, const char *topic,
                          size_t from, bool marked, struct cz_error *err)
{
    uint64_t target = 0;
    enum cz_err code = hash_of(w, spec->target_cluster, &target, err);
    for (size_t i = 0; !code && target && i < spec->pairs_len; i++) {
        if (!topic || cz_streq(spec->pairs[i].source, topic))
            add(w, target, spec->pairs[i].target, name, from, marked && spec->provenance);
    }
    return code;
}

static struct cz_mapping_spec *parse(const struct cz_resource *r)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_mapping_spec *spec = NULL;
    if (cz_mapping_spec_parse(json_object_get(r->doc, "spec"), "/spec", &spec, &rep))
        spec = NULL;
    cz_report_done(&rep);
    return spec;
}

static bool enabled(const struct cz_resource *r)
{
    return cz_json_bool(json_object_get(r->doc, "spec"), "enabled", true);
}

/* The mappings that read place @i, under every name that its cluster has in the team. */
static enum cz_err readers(struct walk *w, size_t i, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t k = 0; !code && k < w->clusters.len; k++) {
        const char *name = w->clusters.items[k].name;
        uint64_t cluster = 0;
        struct cz_resource_list l = {0};
        code = hash_of(w, name, &cluster, err);
        if (code || cluster != w->places[i].cluster)
            continue;
        const struct cz_list_filter f = {.team = w->start->team, .kind = CZ_KIND_MAPPING,
                                         .source_cluster = name, .source_topic = w->places[i].topic};
        code = cz_tx_list(w->a->tx, &f, &l, err);
        for (size_t n = 0; !code && n < l.len; n++) {
            struct cz_mapping_spec *spec = enabled(&l.items[n]) ? parse(&l.items[n]) : NULL;
            if (spec)
                code = follow(w, spec, l.items[n].name, w->places[i].topic, i + 1, w->places[i].marked, err);
            cz_mapping_spec_free(spec);
        }
        cz_resource_list_done(&l);
    }
    return code;
}

static bool home(const struct walk *w, const struct place *p)
{
    if (p->cluster != w->source)
        return false;
    for (size_t i = 0; i < w->first->pairs_len; i++)
        if (cz_streq(w->first->pairs[i].source, p->topic))
            return true;
    return false;
}

/* "a" → "b" → "a", from the end backwards. */
static void tell(struct walk *w, size_t i)
{
    struct cz__origin o = {.base = w->start->base, .fixed = w->start->fixed, .what = w->start->what};
    char path[MAX_TEXT] = "", longer[MAX_TEXT];
    for (size_t at = i + 1; at > 0; at = w->places[at - 1].from) {
        snprintf(longer, sizeof longer, "\"%.60s\" → %.330s", w->places[at - 1].by, path);
        memcpy(path, longer, sizeof path);
    }
    cz__origin_problem(w->a, &o, "/spec/target", "cycle",
                       "records would go round for ever: %s\"%s\" (topic \"%s\"); set headers.provenance on "
                       "each of these mappings, or let one of them not run",
                       path, w->start->name, w->places[i].topic);
    w->found = true;
}

static enum cz_err walk_all(struct walk *w, struct cz_error *err)
{
    const struct cz_list_filter f = {.team = w->start->team, .kind = CZ_KIND_CLUSTER};
    enum cz_err code = hash_of(w, w->first->source_cluster, &w->source, err);
    if (!code)
        code = cz_tx_list(w->a->tx, &f, &w->clusters, err);
    if (!code && w->source)
        code = follow(w, w->first, w->start->name, NULL, 0, true, err);
    for (size_t i = 0; !code && !w->found && i < w->len; i++) {
        bool at_home = home(w, &w->places[i]);
        if (at_home && !w->places[i].marked)
            tell(w, i);
        else if (!at_home)
            code = readers(w, i, err);
    }
    if (!code && w->too_many)
        cz__warn(w->a, "/spec/target", "cycle-not-checked",
                 "too many mappings follow on this one to see whether its records come back");
    return code;
}

static enum cz_err check(struct cz__attempt *a, const struct cz__group_use *u, struct cz_error *err)
{
    struct cz_resource r = {0};
    struct walk w = {.a = a, .start = u, .seen = CZ_MAP_INIT(NULL)};
    bool found;
    enum cz_err code = cz__tx_find(a, u->team, CZ_KIND_MAPPING, u->name, &r, &found, err);
    if (!code && found && enabled(&r))
        w.first = parse(&r);
    if (w.first)
        code = walk_all(&w, err);
    for (size_t i = 0; i < w.len; i++) {
        cz_free(w.places[i].topic);
        cz_free(w.places[i].by);
    }
    cz_free(w.places);
    cz_map_done(&w.seen);
    cz_resource_list_done(&w.clusters);
    cz_mapping_spec_free(w.first);
    cz_resource_done(&r);
    return code;
}

enum cz_err cz__cycles_check(struct cz__attempt *a, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < a->routes_len; i++)
        code = check(a, &a->routes[i], err);
    return code;
}
