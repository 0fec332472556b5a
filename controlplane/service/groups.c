/* SPDX-License-Identifier: Apache-2.0 */
/** Two mappings must not commit the same partitions for one group: each would move the other's
 *  position.  Compared at the end of a write, so that the order of the puts within one change
 * does not matter.  Clusters are compared by their connection settings: two names for one
 * cluster are one cluster. */
#include <string.h>

#include "service_priv.h"

#define ASK_ONE_BY_ONE 8 /* more than these in one change: ask for all at once */

struct use {
    struct cz_cluster *source;
    char *group;
    const json_t *spec;
};

static void use_done(struct use *u)
{
    cz_free(u->group);
}

static bool differs(const json_t *before, const json_t *after, const char *const *members)
{
    for (; *members; members++) {
        const json_t *x = json_object_get(before, *members), *y = json_object_get(after, *members);
        if (x != y && !(x && y && json_equal(x, y)))
            return true;
    }
    return false;
}

/** A new mapping, or another route or group; for cycles also one that is enabled, or loses its mark. */
enum cz_err cz__group_concerned(struct cz__attempt *a,
                                const struct cz__put *p,
                                bool *ret_group,
                                bool *ret_route,
                                struct cz_error *err)
{
    static const char *const group[] = {"source", "topics", "consumer_group", NULL};
    static const char *const route[] = {"source", "target", "topics", "enabled", "headers", NULL};
    struct cz_resource old = {0};
    bool found;
    enum cz_err code = cz__tx_find(a, p->team, p->kind, p->name, &old, &found, err);
    if (code)
        return code;
    const json_t *before = json_object_get(old.doc, "spec"),
                 *after = json_object_get(p->doc, "spec");
    *ret_group = !found || differs(before, after, group);
    *ret_route = !found || differs(before, after, route);
    cz_resource_done(&old);
    return CZ_OK;
}

static struct cz__group_use use_at(const struct cz__put *p)
{
    return (struct cz__group_use){.team = cz_strdup(p->team),
                                  .name = cz_strdup(p->name),
                                  .base = cz_strdup(p->origin.base),
                                  .fixed = cz_strdup(p->origin.fixed),
                                  .what = cz_strdup(p->origin.what)};
}

void cz__group_note(struct cz__attempt *a, const struct cz__put *p)
{
    cz_grow(&a->uses, &a->uses_cap, a->uses_len, sizeof *a->uses);
    a->uses[a->uses_len++] = use_at(p);
}

void cz__route_note(struct cz__attempt *a, const struct cz__put *p)
{
    cz_grow(&a->routes, &a->routes_cap, a->routes_len, sizeof *a->routes);
    a->routes[a->routes_len++] = use_at(p);
}

/** Read from the document itself: parsing every spec of the team would be far too slow. */
static enum cz_err use_of(struct cz__attempt *a,
                          const struct cz_resource *r,
                          struct use *ret,
                          struct cz_error *err)
{
    const json_t *spec = json_object_get(r->doc, "spec");
    const char *group = cz_json_str(spec, "consumer_group", "default");
    const char *cluster = cz_json_str(json_object_get(spec, "source"), "cluster", "");
    *ret = (struct use){.spec = spec};
    enum cz_err code = cz__tx_cluster(a, r->team, cluster, &ret->source, err);
    if (code == CZ_OK)
        ret->group = cz_streq(group, "default") ? cz_mapping_default_group(r->team, cz__group_bearer(r))
                                                : cz_strdup(group);
    return code;
}

static bool reads(const json_t *spec, const char *topic)
{
    const json_t *pairs = json_object_get(spec, "topics"), *pair;
    size_t i;
    if (cz_streq(cz_json_str(json_object_get(spec, "source"), "topic", NULL), topic))
        return true;
    json_array_foreach (pairs, i, pair) {
        if (cz_streq(cz_json_str(pair, "source", NULL), topic))
            return true;
    }
    return false;
}

/** A topic that both read, or NULL. */
static const char *shared_topic(const json_t *a, const json_t *b)
{
    const json_t *pairs = json_object_get(a, "topics"), *pair;
    const char *topic = cz_json_str(json_object_get(a, "source"), "topic", NULL);
    size_t i;
    if (topic && reads(b, topic))
        return topic;
    json_array_foreach (pairs, i, pair) {
        topic = cz_json_str(pair, "source", NULL);
        if (topic && reads(b, topic))
            return topic;
    }
    return NULL;
}

static bool same_cluster(const struct use *a, const struct use *b)
{
    return a->source && b->source && cz_cluster_hash(a->source) == cz_cluster_hash(b->source);
}

/* ---- the mappings of one team, by group ----------------------------------------------------
 */

struct team_uses {
    const char *team; /* NULL: not loaded */
    struct cz_resource_list all;
    struct use *uses;       /* one per mapping */
    size_t *next;           /* chain of one group: index + 1 of the next; 0 ends */
    struct cz_map by_group; /* → index + 1 of the chain's head */
    struct cz_map by_name;  /* → index + 1 */
};

static void team_done(struct team_uses *t)
{
    for (size_t i = 0; t->uses && i < t->all.len; i++)
        use_done(&t->uses[i]);
    cz_free(t->uses);
    cz_free(t->next);
    cz_map_done(&t->by_group);
    cz_map_done(&t->by_name);
    cz_resource_list_done(&t->all);
    *t = (struct team_uses){0};
}

/** Takes @r; twice the same mapping would look like a conflict with itself. */
static void add_missing(struct cz_resource_list *l, struct cz_resource *r)
{
    for (size_t i = 0; i < l->len; i++) {
        if (cz_streq(l->items[i].uid, r->uid)) {
            cz_resource_done(r);
            return;
        }
    }
    cz_grow(&l->items, &l->cap, l->len, sizeof *l->items);
    l->items[l->len++] = *r;
}

/** The name of the mapping whose default group @group would be; NULL: of none. */
static char *default_owner(const char *team, const char *group)
{
    static const size_t hash_len = 13; /* see cz_mapping_default_group() */
    CZ_CLEANUP(cz_freep) char *probe = cz_mapping_default_group(team, "");
    size_t tail = strchr(team, '.') ? hash_len : 0;
    size_t prefix = strlen(probe) - tail, len = strlen(group);
    if (len <= prefix + tail || strncmp(probe, group, prefix) != 0)
        return NULL;
    return cz_strndup(group + prefix, len - prefix - tail);
}

/** Mappings that had this name once keep its group. */
static enum cz_err renamed_owners(struct cz__attempt *a,
                                  const char *team,
                                  const char *bearer,
                                  struct cz_resource_list *ret,
                                  struct cz_error *err)
{
    const struct cz_list_filter f = {
        .team = team, .kind = CZ_KIND_MAPPING, .group_bearer = bearer};
    struct cz_resource_list l = {0};
    enum cz_err code = cz_tx_list(a->tx, &f, &l, err);
    for (size_t i = 0; i < l.len; i++) {
        add_missing(ret, &l.items[i]);
        l.items[i] = (struct cz_resource){0};
    }
    cz_resource_list_done(&l);
    return code;
}

static void *boxed(size_t index)
{
    return (void *)(uintptr_t)(index + 1);
}

/** Who might share a group with the mapping @name: itself first, those that name its group, and
 *  the one whose default it is.  Not all mappings of the team: a save must not cost more the
 * more there are. */
static enum cz_err candidates(struct cz__attempt *a,
                              const char *team,
                              const char *name,
                              struct cz_resource_list *ret,
                              struct cz_error *err)
{
    struct cz_resource mine = {0}, owner = {0};
    struct use u = {0};
    bool found, owned = false;
    enum cz_err code = cz__tx_find(a, team, CZ_KIND_MAPPING, name, &mine, &found, err);
    if (code || !found)
        return code;
    code = use_of(a, &mine, &u, err);
    if (code == CZ_OK && *u.group) {
        struct cz_list_filter f = {
            .team = team, .kind = CZ_KIND_MAPPING, .consumer_group = u.group};
        CZ_CLEANUP(cz_freep) char *default_of = default_owner(team, u.group);
        code = cz_tx_list(a->tx, &f, ret, err);
        if (code == CZ_OK && default_of && !cz_streq(default_of, name))
            code = cz__tx_find(a, team, CZ_KIND_MAPPING, default_of, &owner, &owned, err);
        if (code == CZ_OK && default_of)
            code = renamed_owners(a, team, default_of, ret, err);
    }
    use_done(&u);
    add_missing(ret, &mine);
    if (owned)
        add_missing(ret, &owner);
    return code;
}

/** Takes @r, once. */
static void
take_candidate(struct cz_resource_list *l, struct cz_map *seen, struct cz_resource *r)
{
    if (r->uid && !cz_map_get(seen, r->uid)) {
        cz_map_put(seen, r->uid, l);
        cz_grow(&l->items, &l->cap, l->len, sizeof *l->items);
        l->items[l->len++] = *r;
    } else {
        cz_resource_done(r);
    }
    *r = (struct cz_resource){0};
}

/** As candidates(), of all mappings that this change has put. */
static enum cz_err all_candidates(struct cz__attempt *a,
                                  const char *team,
                                  struct cz_resource_list *ret,
                                  struct cz_error *err)
{
    char **groups = cz_alloc_array(a->uses_len + 1, sizeof *groups);
    char **owners = cz_alloc_array(a->uses_len + 1, sizeof *owners);
    struct cz_map seen = CZ_MAP_INIT(NULL); /* uids */
    struct cz_resource_list l = {0};
    size_t n = 0, n_owners = 0;
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < a->uses_len; i++) {
        struct use u = {0};
        bool found = false;
        struct cz_resource r = {0};
        code = cz__tx_find(a, team, CZ_KIND_MAPPING, a->uses[i].name, &r, &found, err);
        if (code || !found)
            continue;
        code = use_of(a, &r, &u, err);
        char *owner = code || !*u.group ? NULL : default_owner(team, u.group);
        if (!code && *u.group)
            groups[n++] = cz_strdup(u.group);
        use_done(&u);
        take_candidate(ret, &seen, &r);
        if (!owner)
            continue;
        owners[n_owners++] = owner;
        if (code || strcmp(owner, a->uses[i].name) == 0)
            continue;
        code = cz__tx_find(a, team, CZ_KIND_MAPPING, owner, &r, &found, err);
        if (!code && found)
            take_candidate(ret, &seen, &r);
    }
    const struct cz_tx_groups of = {(const char *const *)groups, n, (const char *const *)owners, n_owners};
    if (!code)
        code = cz_tx_committers(a->tx, team, &of, &l, err);
    for (size_t i = 0; !code && i < l.len; i++)
        take_candidate(ret, &seen, &l.items[i]);
    for (size_t i = 0; i < n; i++)
        cz_free(groups[i]);
    for (size_t i = 0; i < n_owners; i++)
        cz_free(owners[i]);
    cz_free(groups);
    cz_free(owners);
    cz_map_done(&seen);
    cz_resource_list_done(&l);
    return code;
}

static enum cz_err load(struct cz__attempt *a,
                        const struct cz__group_use *g,
                        bool all,
                        struct team_uses *t,
                        struct cz_error *err)
{
    team_done(t);
    enum cz_err code = all ? all_candidates(a, g->team, &t->all, err)
                           : candidates(a, g->team, g->name, &t->all, err);
    t->team = g->team;
    t->uses = cz_alloc_array(t->all.len + 1, sizeof *t->uses);
    t->next = cz_alloc_array(t->all.len + 1, sizeof *t->next);
    for (size_t i = 0; code == CZ_OK && i < t->all.len; i++) {
        code = use_of(a, &t->all.items[i], &t->uses[i], err);
        if (code)
            return code;
        t->next[i] = (size_t)(uintptr_t)cz_map_get(&t->by_group, t->uses[i].group);
        cz_map_put(&t->by_group, t->uses[i].group, boxed(i));
        cz_map_put(&t->by_name, t->all.items[i].name, boxed(i));
    }
    return code;
}

static void
compare(struct cz__attempt *a, const struct cz__group_use *g, const struct team_uses *t)
{
    size_t mine = (size_t)(uintptr_t)cz_map_get(&t->by_name, g->name);
    if (mine == 0 || !*t->uses[mine - 1].group)
        return; /* deleted again within this change, or without a group */
    const struct use *u = &t->uses[mine - 1];
    struct cz__origin o = {.base = g->base, .fixed = g->fixed, .what = g->what};
    size_t i = (size_t)(uintptr_t)cz_map_get(&t->by_group, u->group);
    for (; i > 0; i = t->next[i - 1]) {
        const struct use *other = &t->uses[i - 1];
        const char *topic =
            i != mine && same_cluster(u, other) ? shared_topic(u->spec, other->spec) : NULL;
        if (topic)
            cz__origin_problem(
                a, &o, "/spec/consumer_group", "group-in-use",
                "mapping \"%s\" commits offsets of topic \"%s\" for group \"%s\" too",
                t->all.items[i - 1].name, topic, u->group);
    }
}

enum cz_err cz__groups_check(struct cz__attempt *a, struct cz_error *err)
{
    struct team_uses t = {0};
    enum cz_err code = CZ_OK;
    bool all = a->uses_len > ASK_ONE_BY_ONE;
    for (size_t i = 0; code == CZ_OK && i < a->uses_len; i++) {
        const struct cz__group_use *g = &a->uses[i];
        if (!all || !cz_streq(t.team, g->team))
            code = load(a, g, all, &t, err);
        if (code == CZ_OK)
            compare(a, g, &t);
    }
    team_done(&t);
    return code;
}
