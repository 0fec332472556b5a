/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory: reading, teams and the life of the store.  For tests: it keeps the rules
 * of the PostgreSQL store (one conformance suite runs on both) and is fast, but searches its
 * arrays one by one and forgets everything at its end. */
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "memory_priv.h"

void mem__lock(struct mem_store *m)
{
    cz__hold_enter();
    cz_mutex_lock(&m->lock);
}

void mem__unlock(struct mem_store *m)
{
    cz_mutex_unlock(&m->lock);
    cz__hold_leave();
}

bool mem__has_team(const struct mem_store *m, const char *team)
{
    for (size_t i = 0; i < m->n_teams; i++)
        if (strcmp(m->teams[i], team) == 0)
            return true;
    return false;
}

static bool
bears(const struct cz_resource *r, const char *team, enum cz_kind kind, const char *name)
{
    return r->kind == kind && strcmp(r->name, name) == 0 && strcmp(r->team, team) == 0;
}

struct cz_resource *
mem__find(struct mem_store *m, const char *team, enum cz_kind kind, const char *name, bool dead)
{
    /* From the end: the newest bearer first, and only that one can be alive. */
    for (size_t i = cz__scope_sees(team) ? m->resources.len : 0; i-- > 0;) {
        struct cz_resource *r = &m->resources.items[i];
        if (bears(r, team, kind, name))
            return dead || r->deleted_seq == 0 ? r : NULL;
    }
    return NULL;
}

/* ---- reading --------------------------------------------------------------------------------
 */

static enum cz_err mem_get(struct cz_store *s,
                           const char *team,
                           enum cz_kind kind,
                           const char *name,
                           struct cz_resource *ret,
                           struct cz_error *err)
{
    struct mem_store *m = mem_of(s);
    mem__lock(m);
    const struct cz_resource *r = mem__find(m, team, kind, name, false);
    if (r)
        cz__resource_copy(r, ret);
    mem__unlock(m);
    return r ? CZ_OK
             : cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%s'", cz_kind_name(kind), name);
}

static enum cz_err
mem_get_uid(struct cz_store *s, const char *uid, struct cz_resource *ret, struct cz_error *err)
{
    struct mem_store *m = mem_of(s);
    bool found = false;
    mem__lock(m);
    for (size_t i = 0; i < m->resources.len && !found; i++) {
        found = strcmp(m->resources.items[i].uid, uid) == 0 &&
                cz__scope_sees(m->resources.items[i].team);
        if (found)
            cz__resource_copy(&m->resources.items[i], ret);
    }
    mem__unlock(m);
    return found ? CZ_OK : cz_fail(err, CZ_E_NOT_FOUND, "there is no resource of uid %s", uid);
}

static int by_name(const void *pa, const void *pb)
{
    const struct cz_resource *a = *(const struct cz_resource *const *)pa;
    const struct cz_resource *b = *(const struct cz_resource *const *)pb;
    int c = strcmp(a->team, b->team);
    if (c == 0)
        c = strcmp(cz_kind_name(a->kind), cz_kind_name(b->kind));
    return c ? c : strcmp(a->name, b->name);
}

static bool doc_matches(const struct cz_list_filter *f, const json_t *doc)
{
    if (f->group && !cz_streq(json_string_value(json_object_get(doc, "group")), f->group))
        return false;
    if (!f->label_key)
        return true;
    const json_t *label = json_object_get(json_object_get(doc, "labels"), f->label_key);
    return f->label_value ? cz_streq(json_string_value(label), f->label_value) : label != NULL;
}

static bool group_matches(const struct cz_list_filter *f, const json_t *doc)
{
    const json_t *group = json_object_get(json_object_get(doc, "spec"), "consumer_group");
    return !f->consumer_group || cz_streq(json_string_value(group), f->consumer_group);
}

static bool source_matches(const struct cz_list_filter *f, const json_t *doc)
{
    const json_t *source = json_object_get(json_object_get(doc, "spec"), "source");
    const char *topic = json_string_value(json_object_get(source, "topic"));
    return !f->source_cluster ||
           (cz_streq(json_string_value(json_object_get(source, "cluster")), f->source_cluster) &&
            (!f->source_topic || !topic || strcmp(topic, f->source_topic) == 0));
}

static bool matches(const struct cz_list_filter *f, const struct cz_resource *r)
{
    if (r->deleted_seq || (f->team && strcmp(f->team, r->team) != 0) || !cz__scope_sees(r->team))
        return false;
    if (f->kind < CZ_KIND_COUNT_ && r->kind != f->kind)
        return false;
    if (f->managed_by && !cz_streq(f->managed_by, r->managed_by))
        return false;
    if (f->managed_prefix && (!r->managed_by || strncmp(r->managed_by, f->managed_prefix,
                                                        strlen(f->managed_prefix)) != 0))
        return false;
    if (f->group_bearer &&
        !cz_streq(json_string_value(json_object_get(r->override, "group_name")), f->group_bearer))
        return false;
    if (!group_matches(f, r->doc) || !source_matches(f, r->doc))
        return false;
    if (f->name_contains && !strcasestr(r->name, f->name_contains))
        return false;
    if (f->after_name) {
        const char *team = f->after_team ? f->after_team : f->team ? f->team : "";
        int c = strcmp(r->team, team);
        if (c < 0 || (c == 0 && strcmp(r->name, f->after_name) <= 0))
            return false;
    }
    return doc_matches(f, r->doc);
}

void mem__list(struct mem_store *m,
               const struct cz_list_filter *f,
               struct cz_resource_list *ret)
{
    const struct cz_resource **hits = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < m->resources.len; i++) {
        if (!matches(f, &m->resources.items[i]))
            continue;
        cz_grow(&hits, &cap, n, sizeof(*hits));
        hits[n++] = &m->resources.items[i];
    }
    if (n)
        qsort(hits, n, sizeof(*hits), by_name);
    if (f->limit > 0 && n > (size_t)f->limit)
        n = (size_t)f->limit;
    *ret = (struct cz_resource_list){0};
    for (size_t i = 0; i < n; i++)
        cz__resource_copy(hits[i], cz__resource_push(ret));
    cz_free(hits);
}

static enum cz_err mem_list(struct cz_store *s,
                            const struct cz_list_filter *f,
                            struct cz_resource_list *ret,
                            int64_t *ret_seq,
                            struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    mem__lock(m);
    mem__list(m, f, ret);
    if (ret_seq)
        *ret_seq = m->seq;
    mem__unlock(m);
    return CZ_OK;
}

static bool
change_touches(const struct mem_store *m, int64_t seq, const struct cz_change_filter *f)
{
    for (size_t i = 0; i < m->revisions.len; i++) {
        const struct cz_revision *r = &m->revisions.items[i];
        if (r->seq == seq && (f->kind >= CZ_KIND_COUNT_ || r->kind == f->kind) &&
            (!f->name || strcmp(r->name, f->name) == 0))
            return true;
    }
    return false;
}

static bool listed(const struct cz_change_filter *f, const char *team)
{
    bool yes = false;
    for (size_t i = 0; i < f->teams_len; i++)
        yes |= cz_streq(f->teams[i], team);
    return yes;
}

static bool change_matches(const struct mem_store *m,
                           const struct cz_change *c,
                           const struct cz_change_filter *f)
{
    if (!cz__scope_sees(c->team) || (f->teams && !listed(f, c->team)))
        return false;
    if ((f->team && !cz_streq(c->team, f->team)) ||
        (f->actor && !cz_streq(c->actor, f->actor)) || (f->via && !cz_streq(c->via, f->via)) ||
        (f->set_name && !cz_streq(c->set_name, f->set_name)) ||
        (f->actor_id && !cz_streq(c->actor_id, f->actor_id)) ||
        (f->commit && (!c->git_commit ||
                       strncmp(c->git_commit, f->commit, strlen(f->commit)) != 0)))
        return false;
    if (f->after > 0 ? c->seq <= f->after : f->before > 0 && c->seq >= f->before)
        return false;
    return (f->kind >= CZ_KIND_COUNT_ && !f->name) || change_touches(m, c->seq, f);
}

static enum cz_err mem_changes(struct cz_store *s,
                               const struct cz_change_filter *f,
                               struct cz_change_list *ret,
                               struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    struct cz_change_list out = {0};
    size_t limit = f->limit > 0 ? (size_t)f->limit : SIZE_MAX;
    mem__lock(m);
    size_t n = m->changes.len;
    for (size_t i = 0; i < n && out.len < limit; i++) {
        const struct cz_change *c = &m->changes.items[f->after > 0 ? i : n - 1 - i];
        if (change_matches(m, c, f))
            cz__change_copy(c, cz__change_push(&out));
    }
    mem__unlock(m);
    *ret = out;
    return CZ_OK;
}

static enum cz_err mem_change(struct cz_store *s,
                              int64_t seq,
                              struct cz_change *ret,
                              struct cz_revision_list *ret_revisions,
                              struct cz_error *err)
{
    struct mem_store *m = mem_of(s);
    struct cz_revision_list revs = {0};
    mem__lock(m);
    bool found = seq >= 1 && (uint64_t)seq <= m->changes.len &&
                 cz__scope_sees(m->changes.items[seq - 1].team);
    if (found)
        cz__change_copy(&m->changes.items[seq - 1], ret);
    for (size_t i = 0; found && ret_revisions && i < m->revisions.len; i++)
        if (m->revisions.items[i].seq == seq)
            cz__revision_copy(&m->revisions.items[i], cz__revision_push(&revs));
    mem__unlock(m);
    if (!found)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no change %lld", (long long)seq);
    if (ret_revisions)
        *ret_revisions = revs;
    return CZ_OK;
}

static enum cz_err mem_revisions(struct cz_store *s,
                                 const char *team,
                                 enum cz_kind kind,
                                 const char *name,
                                 int64_t before,
                                 int limit,
                                 struct cz_revision_list *ret,
                                 struct cz_error *err)
{
    struct mem_store *m = mem_of(s);
    struct cz_revision_list out = {0};
    size_t max = limit > 0 ? (size_t)limit : SIZE_MAX;
    mem__lock(m);
    const struct cz_resource *r = mem__find(m, team, kind, name, true);
    for (size_t i = m->revisions.len; r && i-- > 0 && out.len < max;) {
        const struct cz_revision *v = &m->revisions.items[i];
        if (strcmp(v->uid, r->uid) == 0 && (before <= 0 || v->seq < before))
            cz__revision_copy(v, cz__revision_push(&out));
    }
    mem__unlock(m);
    if (!r)
        return cz_fail(err, CZ_E_NOT_FOUND, "there never was a %s '%s'", cz_kind_name(kind),
                       name);
    *ret = out;
    return CZ_OK;
}

static enum cz_err mem_before(struct cz_store *s,
                              int64_t seq,
                              struct cz_revision_list *ret,
                              struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    struct cz_revision_list out = {0};
    mem__lock(m);
    for (size_t i = 0; i < m->revisions.len; i++) {
        const struct cz_revision *of = &m->revisions.items[i], *found = NULL;
        bool again = i > 0 && m->revisions.items[i - 1].seq == seq &&
                     strcmp(m->revisions.items[i - 1].uid, of->uid) == 0;
        if (of->seq != seq || again)
            continue;
        for (size_t k = 0; k < i; k++)
            if (m->revisions.items[k].seq < seq && strcmp(m->revisions.items[k].uid, of->uid) == 0)
                found = &m->revisions.items[k];
        if (found)
            cz__revision_copy(found, cz__revision_push(&out));
    }
    mem__unlock(m);
    *ret = out;
    return CZ_OK;
}

static enum cz_err mem_seq(struct cz_store *s, int64_t *ret_seq, struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    mem__lock(m);
    *ret_seq = m->seq;
    mem__unlock(m);
    return CZ_OK;
}

static enum cz_err mem_wait(
    struct cz_store *s, int64_t after, cz_time deadline, int64_t *ret_seq, struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    mem__lock(m);
    while (m->seq <= after && cz_cond_wait(&m->changed, &m->lock, deadline))
        ;
    *ret_seq = m->seq;
    mem__unlock(m);
    return CZ_OK;
}

static enum cz_err mem_access_version(struct cz_store *s, int64_t *ret, struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    int64_t newest = 0;
    mem__lock(m);
    for (size_t i = 0; i < m->resources.len; i++)
        if (cz__is_access_kind(m->resources.items[i].kind) &&
            m->resources.items[i].version > newest)
            newest = m->resources.items[i].version;
    mem__unlock(m);
    *ret = newest;
    return CZ_OK;
}

/* ---- teams ----------------------------------------------------------------------------------
 */

static enum cz_err
mem_teams(struct cz_store *s, char ***ret, size_t *ret_len, struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    mem__lock(m);
    char **out = cz_alloc_array(m->n_teams, sizeof(*out));
    for (size_t i = 0; i < m->n_teams; i++)
        out[i] = cz_strdup(m->teams[i]);
    *ret_len = m->n_teams;
    mem__unlock(m);
    *ret = out;
    return CZ_OK;
}

void mem__add_team(struct mem_store *m, const char *team)
{
    cz_grow(&m->teams, &m->cap_teams, m->n_teams, sizeof(*m->teams));
    size_t at = m->n_teams++;
    for (; at > 0 && strcmp(m->teams[at - 1], team) > 0; at--)
        m->teams[at] = m->teams[at - 1];
    m->teams[at] = cz_strdup(team);
}

void mem__remove_team(struct mem_store *m, const char *team)
{
    size_t at = 0;
    while (at < m->n_teams && strcmp(m->teams[at], team) != 0)
        at++;
    if (at == m->n_teams)
        return;
    cz_free(m->teams[at]);
    for (m->n_teams--; at < m->n_teams; at++)
        m->teams[at] = m->teams[at + 1];
}

static enum cz_err mem_put_team(struct cz_store *s,
                                const char *team,
                                const struct cz_change_meta *meta,
                                struct cz_error *err)
{
    (void)meta;
    enum cz_err rc = cz_name_check(team, err);
    if (rc != CZ_OK)
        return rc;
    struct mem_store *m = mem_of(s);
    mem__lock(m);
    if (!mem__has_team(m, team))
        mem__add_team(m, team);
    mem__unlock(m);
    return CZ_OK;
}

/* ---- the leader's side ----------------------------------------------------------------------
 */

static void config_record_copy(const struct cz_config_record *from, struct cz_config_record *to)
{
    *to = (struct cz_config_record){.seq = from->seq,
                                    .key = cz_strdup(from->key),
                                    .value = cz__json_copy(from->value),
                                    .trace_id = cz_strdup(from->trace_id)};
}

static enum cz_err mem_outbox(struct cz_store *s,
                              int limit,
                              struct cz_config_record_list *ret,
                              struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    struct cz_config_record_list out = {0};
    mem__lock(m);
    for (size_t i = 0; i < m->outbox.len; i++) {
        const struct cz_config_record *r = &m->outbox.items[i];
        /* A change is never cut in two. */
        if (i >= (size_t)limit && r->seq != m->outbox.items[i - 1].seq)
            break;
        config_record_copy(r, cz__config_record_push(&out));
    }
    mem__unlock(m);
    *ret = out;
    return CZ_OK;
}

static enum cz_err
mem_outbox_done(struct cz_store *s, int64_t epoch, int64_t seq, struct cz_error *err)
{
    struct mem_store *m = mem_of(s);
    mem__lock(m);
    bool fenced = epoch != m->epoch;
    size_t gone = 0;
    while (!fenced && gone < m->outbox.len && m->outbox.items[gone].seq <= seq)
        cz__config_record_done(&m->outbox.items[gone++]);
    if (gone) {
        m->outbox.len -= gone;
        memmove(m->outbox.items, m->outbox.items + gone,
                m->outbox.len * sizeof(*m->outbox.items));
    }
    long long now = m->epoch;
    mem__unlock(m);
    if (fenced)
        return cz_fail(err, CZ_E_FENCED, "epoch %lld leads, not %lld", now, (long long)epoch);
    return CZ_OK;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct cz_config_record *)a)->key,
                  ((const struct cz_config_record *)b)->key);
}

static enum cz_err mem_config(struct cz_store *s,
                              struct cz_config_record_list *ret,
                              int64_t *ret_seq,
                              struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    struct cz_config_record_list out = {0};
    mem__lock(m);
    for (size_t i = 0; i < m->config.len; i++)
        config_record_copy(&m->config.items[i], cz__config_record_push(&out));
    if (ret_seq)
        *ret_seq = m->seq;
    mem__unlock(m);
    if (out.len)
        qsort(out.items, out.len, sizeof(*out.items), by_key);
    *ret = out;
    return CZ_OK;
}

/* ---- life -----------------------------------------------------------------------------------
 */

static enum cz_err mem_audit(struct cz_store *s,
                             const struct cz_change_meta *meta,
                             const char *outcome,
                             const json_t *detail,
                             struct cz_error *err)
{
    /* Nothing reads audit events through this interface, so there is nothing to keep. */
    (void)s, (void)meta, (void)outcome, (void)detail, (void)err;
    return CZ_OK;
}

static enum cz_err mem_mark(
    struct cz_store *s, const char *uid, const char *name, int64_t *ret, struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%s", uid, name);
    mem__lock(m);
    const int64_t *value = cz_map_get(&m->marks, key);
    *ret = value ? *value : 0;
    mem__unlock(m);
    return CZ_OK;
}

static enum cz_err mem_set_mark(struct cz_store *s,
                                const char *uid,
                                const char *name,
                                int64_t value,
                                const struct cz_change_meta *meta,
                                const json_t *detail,
                                struct cz_error *err)
{
    (void)meta, (void)detail; /* as in mem_audit() */
    struct mem_store *m = mem_of(s);
    struct cz_resource r = {0};
    enum cz_err rc = mem_get_uid(s, uid, &r, err);
    if (rc)
        return rc;
    cz_resource_done(&r);
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%s", uid, name);
    int64_t *box = cz_alloc(sizeof(*box));
    *box = value;
    mem__lock(m);
    cz_map_put(&m->marks, key, box);
    mem__unlock(m);
    return CZ_OK;
}

static enum cz_err mem_put_report(struct cz_store *s,
                                  const char *uid,
                                  const char *name,
                                  const json_t *value,
                                  struct cz_error *err)
{
    struct mem_store *m = mem_of(s);
    struct cz_resource r = {0};
    enum cz_err rc = mem_get_uid(s, uid, &r, err);
    if (rc)
        return rc;
    cz_resource_done(&r);
    mem__lock(m);
    json_t *all = json_object_get(m->reports, name);
    if (!all)
        (void)json_object_set_new(m->reports, name, all = json_object());
    (void)json_object_set_new(all, uid, json_deep_copy(value));
    mem__unlock(m);
    return CZ_OK;
}

static enum cz_err mem_reports(
    struct cz_store *s, const char *name, const char *uid, json_t **ret, struct cz_error *err)
{
    (void)err;
    struct mem_store *m = mem_of(s);
    json_t *all = json_object();
    mem__lock(m);
    for (size_t i = 0; i < m->resources.len; i++) {
        const struct cz_resource *r = &m->resources.items[i];
        const json_t *value = json_object_get(json_object_get(m->reports, name), r->uid);
        if (value && r->deleted_seq == 0 && (!uid || strcmp(uid, r->uid) == 0))
            (void)json_object_set_new(all, r->uid, json_deep_copy(value));
    }
    mem__unlock(m);
    *ret = all;
    return CZ_OK;
}

static enum cz_err mem_check(struct cz_store *s, cz_time deadline, struct cz_error *err)
{
    (void)s, (void)deadline, (void)err;
    return CZ_OK;
}

static void mem_stats(struct cz_store *s, struct cz_store_stats *ret)
{
    (void)s;
    *ret = (struct cz_store_stats){0};
}

static void mem_free(struct cz_store *s)
{
    struct mem_store *m = mem_of(s);
    for (size_t i = 0; i < m->n_teams; i++)
        cz_free(m->teams[i]);
    cz_free(m->teams);
    cz_resource_list_done(&m->resources);
    cz_change_list_done(&m->changes);
    cz_revision_list_done(&m->revisions);
    cz_config_record_list_done(&m->outbox);
    cz_config_record_list_done(&m->config);
    cz_map_done(&m->marks);
    json_decref(m->reports);
    mem__sets_done(m);
    cz_free(m->leader);
    cz_cond_done(&m->changed);
    cz_mutex_done(&m->lock);
    cz_free(m);
}

static const struct cz_store_vt mem_vt = {
    .get = mem_get,
    .get_uid = mem_get_uid,
    .list = mem_list,
    .changes = mem_changes,
    .change = mem_change,
    .revisions = mem_revisions,
    .before = mem_before,
    .seq = mem_seq,
    .wait = mem_wait,
    .teams = mem_teams,
    .access_version = mem_access_version,
    .put_team = mem_put_team,
    .write = mem__write,
    .sets = mem__sets,
    .set_members = mem__set_members,
    .set_moved = mem__set_moved,
    .audit = mem_audit,
    .mark = mem_mark,
    .set_mark = mem_set_mark,
    .put_report = mem_put_report,
    .reports = mem_reports,
    .outbox = mem_outbox,
    .outbox_done = mem_outbox_done,
    .config = mem_config,
    .lead = mem__lead,
    .check = mem_check,
    .stats = mem_stats,
    .free = mem_free,
};

struct cz_store *cz_store_memory_new(void)
{
    struct mem_store *m = cz_alloc(sizeof(*m));
    m->base.vt = &mem_vt;
    cz_mutex_init(&m->lock);
    cz_cond_init(&m->changed);
    cz_map_init(&m->marks, cz_free);
    m->reports = json_object();
    mem__add_team(m, "default");
    return &m->base;
}
