/* SPDX-License-Identifier: Apache-2.0 */
/** Records must not go round for ever: a mapping is refused when what it writes comes back to what it
 *  reads through the enabled mappings of all teams, unless each of them has headers.provenance, by which
 *  a record that comes home is recognised (connectors/transforms).  Looked at at the end of a write, so
 *  that the order of the puts does not matter.  Clusters are compared by their connection settings; of
 *  other teams neither mappings nor topics are named.  A mapping with a pattern is followed from the
 *  topics that it has found so far. */
#include <stdio.h>
#include <string.h>

#include "cz/topic_pattern.h"
#include "service_priv.h"

enum { MAX_PLACES = 2000, MAX_TEXT = 400, ONE_BY_ONE = 8 };

struct place { /* a topic that records get to, and by which mapping */
    uint64_t cluster;
    char *topic, *by; /* by NULL: one of another team */
    size_t from; /* index + 1 of the place before; 0: the first mapping's source */
    bool marked; /* every mapping up to here has provenance */
};
struct clusters { /* of all teams */
    struct cz_resource_list all;
    uint64_t *hashes;    /* per cluster; 0: it is not understood any more */
    struct cz_map by_key; /* "<team>/<name>" → its hash in `hashes` */
};
struct walk {
    struct cz__attempt *a;
    const struct cz__group_use *start;
    struct cz_mapping_spec *first; /* of the mapping that was put */
    uint64_t source;               /* its source cluster */
    const struct clusters *clusters;
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

static enum cz_err load_clusters(struct cz__attempt *a, struct clusters *ret, struct cz_error *err)
{
    const struct cz_list_filter f = {.kind = CZ_KIND_CLUSTER};
    enum cz_err code = cz_tx_list(a->tx, &f, &ret->all, err);
    ret->hashes = cz_alloc_array(ret->all.len + 1, sizeof *ret->hashes);
    for (size_t i = 0; !code && i < ret->all.len; i++) {
        const struct cz_resource *r = &ret->all.items[i];
        CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%s", r->team, r->name);
        struct cz_report rep = CZ_REPORT_INIT;
        struct cz_cluster *c = NULL;
        if (cz_cluster_parse(json_object_get(r->doc, "spec"), "", &c, &rep) == CZ_OK)
            ret->hashes[i] = cz_cluster_hash(c);
        cz_map_put(&ret->by_key, key, &ret->hashes[i]);
        cz_cluster_unref(c);
        cz_report_done(&rep);
    }
    return code;
}

static void clusters_done(struct clusters *c)
{
    cz_map_done(&c->by_key);
    cz_free(c->hashes);
    cz_resource_list_done(&c->all);
}

/* 0: there is none of that name, or @name NULL: the end is a file. */
static uint64_t hash_of(const struct walk *w, const char *team, const char *name)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%s", team, name ? name : "");
    const uint64_t *hash = cz_map_get(&w->clusters->by_key, key);
    return hash ? *hash : 0;
}

static bool matches(const struct cz_mapping_spec *spec, const char *topic)
{
    struct cz_topic_pattern *p = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (!spec->source_pattern || cz_topic_pattern_new(spec->source_pattern, spec->source_exclude, &p, &err))
        return false;
    bool yes = cz_topic_pattern_match(p, topic);
    cz_topic_pattern_free(p);
    return yes;
}

/* Where @spec takes the records of @topic (NULL: of all its topics). */
static void follow(struct walk *w, const struct cz_mapping_spec *spec, const char *team, const char *name,
                   const char *topic, size_t from, bool marked)
{
    uint64_t target = hash_of(w, team, spec->target_cluster);
    const char *by = cz_streq(team, w->start->team) ? name : NULL;
    for (size_t i = 0; target && i < spec->pairs_len; i++) {
        if (!topic || cz_streq(spec->pairs[i].source, topic))
            add(w, target, spec->pairs[i].target, by, from, marked && spec->provenance);
    }
    if (target && topic && spec->pairs_len == 0 && matches(spec, topic)) {
        CZ_CLEANUP(cz_freep) char *to = cz_topic_template(spec->target_template, topic);
        add(w, target, to, by, from, marked && spec->provenance);
    }
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

/* The mappings that read place @i, of whatever team, under every name that its cluster has there. */
static enum cz_err readers(struct walk *w, size_t i, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t k = 0; !code && k < w->clusters->all.len; k++) {
        const struct cz_resource *c = &w->clusters->all.items[k];
        struct cz_resource_list l = {0};
        if (w->clusters->hashes[k] != w->places[i].cluster)
            continue;
        const struct cz_list_filter f = {.team = c->team, .kind = CZ_KIND_MAPPING,
                                         .source_cluster = c->name, .source_topic = w->places[i].topic};
        code = cz_tx_list(w->a->tx, &f, &l, err);
        for (size_t n = 0; !code && n < l.len; n++) {
            struct cz_mapping_spec *spec = enabled(&l.items[n]) ? parse(&l.items[n]) : NULL;
            if (spec)
                follow(w, spec, c->team, l.items[n].name, w->places[i].topic, i + 1, w->places[i].marked);
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
    return matches(w->first, p->topic);
}

/* "a" → "b" → "a", from the end backwards. */
static void tell(struct walk *w, size_t i)
{
    struct cz__origin o = {.base = w->start->base, .fixed = w->start->fixed, .what = w->start->what};
    char path[MAX_TEXT] = "", longer[MAX_TEXT];
    for (size_t at = i + 1; at > 0; at = w->places[at - 1].from) {
        const char *by = w->places[at - 1].by;
        snprintf(longer, sizeof longer, by ? "\"%.60s\" → %.330s" : "%.60s → %.330s",
                 by ? by : "a mapping of another team", path);
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
    enum cz_err code = CZ_OK;
    w->source = hash_of(w, w->start->team, w->first->source_cluster);
    if (w->source)
        follow(w, w->first, w->start->team, w->start->name, NULL, 0, true);
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

static enum cz_err check(struct cz__attempt *a, const struct cz__group_use *u, const struct clusters *clusters,
                         struct cz_error *err)
{
    struct cz_resource r = {0};
    struct walk w = {.a = a, .start = u, .clusters = clusters, .seen = CZ_MAP_INIT(NULL)};
    bool found;
    enum cz_err code = cz__tx_find(a, u->team, CZ_KIND_MAPPING, u->name, &r, &found, err);
    if (!code && found && enabled(&r))
        w.first = parse(&r);
    if (w.first) {
        cz__set_found_topics(a->s, r.uid, w.first);
        code = walk_all(&w, err);
    }
    for (size_t i = 0; i < w.len; i++) {
        cz_free(w.places[i].topic);
        cz_free(w.places[i].by);
    }
    cz_free(w.places);
    cz_map_done(&w.seen);
    cz_mapping_spec_free(w.first);
    cz_resource_done(&r);
    return code;
}

/* ---- many mappings in one change -------------------------------------------------------------
 * Mostly nobody reads what they write, so one question for all of them leaves few to walk from. */

struct fronts { /* where the routes of a change write to */
    struct cz_map topics;    /* names */
    bool *clusters;          /* per cluster: it is a target */
    struct cz_map read;      /* places that somebody reads: place_key(…, false, topic) */
    bool *patterns;          /* per cluster: somebody reads by a pattern there */
};

/* The targets of a document that has no pattern. */
static void each_target(const json_t *spec, void (*fn)(void *arg, const char *topic), void *arg)
{
    const json_t *pairs = json_object_get(spec, "topics"), *pair;
    const char *source = cz_json_str(json_object_get(spec, "source"), "topic", NULL);
    const char *topic = cz_json_str(json_object_get(spec, "target"), "topic", source);
    size_t i;
    if (topic)
        fn(arg, topic);
    json_array_foreach (pairs, i, pair)
        fn(arg, cz_json_str(pair, "target", cz_json_str(pair, "source", "")));
}

/* Without a pattern or a template: its targets stand in the document. */
static bool plain(const json_t *spec)
{
    const json_t *target = json_object_get(spec, "target");
    return !json_object_get(json_object_get(spec, "source"), "pattern") &&
           !strstr(cz_json_str(target, "topic", ""), "{{");
}

static void add_topic(void *arg, const char *topic)
{
    struct fronts *f = arg;
    cz_map_put(&f->topics, topic, f);
}

static uint64_t target_of(const struct clusters *c, const struct cz_resource *r)
{
    const json_t *spec = json_object_get(r->doc, "spec");
    CZ_CLEANUP(cz_freep)
    char *key = cz_strf("%s/%s", r->team, cz_json_str(json_object_get(spec, "target"), "cluster", ""));
    const uint64_t *hash = cz_map_get(&c->by_key, key);
    return hash ? *hash : 0;
}

static enum cz_err collect(struct cz__attempt *a, const struct clusters *c, struct fronts *f,
                           struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < a->routes_len; i++) {
        struct cz_resource r = {0};
        bool found;
        code = cz__tx_find(a, a->routes[i].team, CZ_KIND_MAPPING, a->routes[i].name, &r, &found, err);
        uint64_t target = !code && found && enabled(&r) ? target_of(c, &r) : 0;
        for (size_t k = 0; target && k < c->all.len; k++)
            f->clusters[k] |= c->hashes[k] == target;
        if (target)
            each_target(json_object_get(r.doc, "spec"), add_topic, f);
        cz_resource_done(&r);
    }
    return code;
}

static void note_reader(const struct clusters *c, const struct cz_resource *r, struct fronts *f)
{
    const json_t *spec = json_object_get(r->doc, "spec"), *source = json_object_get(spec, "source"), *pair;
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%s", r->team, cz_json_str(source, "cluster", ""));
    const uint64_t *hash = cz_map_get(&c->by_key, key);
    size_t i;
    if (!hash || !enabled(r))
        return;
    for (i = 0; json_object_get(source, "pattern") && i < c->all.len; i++)
        f->patterns[i] |= c->hashes[i] == *hash;
    const char *topic = cz_json_str(source, "topic", NULL);
    CZ_CLEANUP(cz_freep) char *one = topic ? place_key(*hash, topic, false) : NULL;
    if (one)
        cz_map_put(&f->read, one, f);
    json_array_foreach (json_object_get(spec, "topics"), i, pair) {
        CZ_CLEANUP(cz_freep) char *place = place_key(*hash, cz_json_str(pair, "source", ""), false);
        cz_map_put(&f->read, place, f);
    }
}

static enum cz_err ask(struct cz__attempt *a, const struct clusters *c, struct fronts *f, struct cz_error *err)
{
    const char **names = cz_alloc_array(c->all.len + 1, sizeof *names);
    const char **topics = cz_alloc_array(f->topics.len + 1, sizeof *topics);
    struct cz_resource_list l = {0};
    size_t n = 0, n_topics = 0;
    for (size_t i = 0; i < c->all.len; i++)
        if (f->clusters[i])
            names[n++] = c->all.items[i].name;
    CZ_MAP_FOREACH(&f->topics, k, e)
    {
        topics[n_topics++] = e->key;
    }
    const struct cz_tx_places of = {names, n, topics, n_topics};
    enum cz_err code = n_topics > 0 ? cz_tx_readers(a->tx, &of, &l, err) : CZ_OK;
    for (size_t i = 0; !code && i < l.len; i++)
        note_reader(c, &l.items[i], f);
    cz_resource_list_done(&l);
    cz_free(names);
    cz_free(topics);
    return code;
}

struct is_read {
    const struct fronts *f;
    uint64_t target;
    bool yes;
};

static void look_up(void *arg, const char *topic)
{
    struct is_read *q = arg;
    CZ_CLEANUP(cz_freep) char *place = place_key(q->target, topic, false);
    q->yes |= cz_map_get(&q->f->read, place) != NULL;
}

/* May what this mapping writes be read by somebody? */
static enum cz_err may_return(struct cz__attempt *a, const struct cz__group_use *u, const struct clusters *c,
                              const struct fronts *f, bool *ret, struct cz_error *err)
{
    struct cz_resource r = {0};
    bool found;
    enum cz_err code = cz__tx_find(a, u->team, CZ_KIND_MAPPING, u->name, &r, &found, err);
    if (code)
        return code;
    const json_t *spec = found ? json_object_get(r.doc, "spec") : NULL;
    struct is_read q = {.f = f, .target = found ? target_of(c, &r) : 0};
    for (size_t i = 0; q.target && i < c->all.len; i++)
        q.yes |= f->patterns[i] && c->hashes[i] == q.target;
    if (q.target)
        each_target(spec, look_up, &q);
    *ret = q.target && (q.yes || !plain(spec));
    cz_resource_done(&r);
    return CZ_OK;
}

static enum cz_err check_many(struct cz__attempt *a, const struct clusters *c, struct cz_error *err)
{
    struct fronts f = {.topics = CZ_MAP_INIT(NULL),
                       .read = CZ_MAP_INIT(NULL),
                       .clusters = cz_alloc_array(c->all.len + 1, sizeof(bool)),
                       .patterns = cz_alloc_array(c->all.len + 1, sizeof(bool))};
    enum cz_err code = collect(a, c, &f, err);
    if (!code)
        code = ask(a, c, &f, err);
    for (size_t i = 0; !code && i < a->routes_len; i++) {
        bool walk = false;
        code = may_return(a, &a->routes[i], c, &f, &walk, err);
        if (!code && walk)
            code = check(a, &a->routes[i], c, err);
    }
    cz_map_done(&f.topics);
    cz_map_done(&f.read);
    cz_free(f.clusters);
    cz_free(f.patterns);
    return code;
}

enum cz_err cz__cycles_check(struct cz__attempt *a, struct cz_error *err)
{
    struct clusters c = {.by_key = CZ_MAP_INIT(NULL)};
    enum cz_err code = a->routes_len > 0 ? load_clusters(a, &c, err) : CZ_OK;
    if (!code && a->routes_len > ONE_BY_ONE)
        code = check_many(a, &c, err);
    for (size_t i = 0; !code && a->routes_len <= ONE_BY_ONE && i < a->routes_len; i++)
        code = check(a, &a->routes[i], &c, err);
    clusters_done(&c);
    return code;
}
