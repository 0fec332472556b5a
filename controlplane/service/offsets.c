/* SPDX-License-Identifier: Apache-2.0 */
/** Positions of a mapping: what its group has committed, beside the log's ends, and moving them.
 *
 *  They are moved by a commit to the mapping's group, while no task runs: a running one would commit
 *  over it.  So the mapping must be paused or disabled, every worker must have taken that up, and every
 *  task must have stopped.  The commit's metadata is CZ_POSITION_MOVED, which a start of an exactly-once
 *  task takes for newer than its own record in the offsets topic (connectors/worker/start_txn.c), and
 *  which counts as the answer to `on_change`. */
#include <stdio.h>
#include <string.h>

#include "offsets_priv.h"

enum { ASK_MS = 10000, APPLIED_MS = 5000 };

struct positions {
    struct cz_service *s;
    struct cz_resource r;
    struct cz_mapping_spec *spec;
    struct cz_cluster *source;
    struct cz__admin_use use;
    char *group; /* NULL: none */
    struct cz__position *items;
    size_t len, cap;
};

static void done(struct positions *p)
{
    if (p->use.admin)
        cz__admin_give(p->s, &p->use);
    cz_resource_done(&p->r);
    cz_mapping_spec_free(p->spec);
    cz_cluster_unref(p->source);
    cz_free(p->group);
    cz_free(p->items);
}

/* ---- what is stored -------------------------------------------------------------------------- */

enum cz_err cz__stored_mapping(struct cz_service *s,
                               const char *team,
                               const char *name,
                               struct cz_resource *ret,
                               struct cz_mapping_spec **ret_spec,
                               struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    enum cz_err code = cz__name_possible(team, CZ_KIND_MAPPING, name, err);
    if (!code)
        code = cz_store_get(s->store, team, CZ_KIND_MAPPING, name, ret, err);
    if (!code && cz_mapping_spec_parse(json_object_get(ret->doc, "spec"), "/spec", ret_spec, &rep))
        code = cz_fail(err, CZ_E_CONFLICT, "the stored mapping is not valid any more: %s",
                       rep.len ? rep.items[0].message : "unknown");
    cz_report_done(&rep);
    return code;
}

enum cz_err cz__stored_cluster(struct cz_service *s,
                               const char *team,
                               const char *name,
                               struct cz_cluster **ret,
                               struct cz_error *err)
{
    struct cz_resource r = {0};
    struct cz_report rep = CZ_REPORT_INIT;
    enum cz_err code = cz_store_get(s->store, team, CZ_KIND_CLUSTER, name, &r, err);
    if (!code && cz_cluster_parse(json_object_get(r.doc, "spec"), "", ret, &rep))
        code = cz_fail(err, CZ_E_CONFLICT, "the stored cluster '%s' is not valid any more: %s", name,
                       rep.len ? rep.items[0].message : "unknown");
    cz_report_done(&rep);
    cz_resource_done(&r);
    return code;
}

enum cz_err cz__registry_of(const struct cz_cluster *c, const char *name, struct cz_registry **ret,
                            struct cz_error *err)
{
    const struct cz_registry_conf *conf = c ? cz_cluster_registry(c) : NULL;
    if (!conf)
        return cz_fail(err, CZ_E_CONFLICT, "cluster \"%s\" has no schema registry", name ? name : "");
    return cz_registry_new(conf, ret, err);
}

char *cz__group_of(const struct cz_mapping_spec *spec, const char *team, const char *name)
{
    if (!spec->consumer_group)
        return cz_mapping_default_group(team, name);
    return *spec->consumer_group ? cz_strdup(spec->consumer_group) : NULL;
}

static enum cz_err load(struct cz_service *s,
                        const char *team,
                        const char *name,
                        struct positions *ret,
                        struct cz_error *err)
{
    *ret = (struct positions){.s = s};
    enum cz_err code = cz__stored_mapping(s, team, name, &ret->r, &ret->spec, err);
    if (!code)
        cz__set_found_topics(s, ret->r.uid, ret->spec);
    if (!code && !ret->spec->source_cluster)
        code = cz_fail(err, CZ_E_CONFLICT, "mapping '%s' reads a file: it has no offsets", name);
    if (!code)
        code = cz__stored_cluster(s, team, ret->spec->source_cluster, &ret->source, err);
    if (!code)
        ret->group = cz__group_of(ret->spec, team, name);
    if (!code)
        code = cz__admin_take(s, ret->source, &ret->use, err);
    return code;
}

/* ---- what Kafka says -------------------------------------------------------------------------- */

static enum cz_err list_partitions(struct positions *p, cz_time deadline, struct cz_error *err)
{
    size_t n = p->spec->pairs_len;
    CZ_CLEANUP(cz_freep) const char **names = cz_alloc_array(n + 1, sizeof *names);
    struct cz_topic_info *infos = NULL;
    for (size_t i = 0; i < n; i++)
        names[i] = p->spec->pairs[i].source;
    enum cz_err code = cz_admin_topics(p->use.admin, names, n, deadline, &infos, err);
    if (code)
        return code;
    for (size_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < infos[i].partitions; k++) {
            cz_grow(&p->items, &p->cap, p->len, sizeof *p->items);
            p->items[p->len++] = (struct cz__position){
                .topic = names[i], .partition = k, .committed = -1, .start = -1, .end = -1, .to = -1};
        }
    }
    cz_topic_infos_free(infos, n);
    return CZ_OK;
}

static enum cz_err ask_committed(struct positions *p, cz_time deadline, struct cz_error *err)
{
    if (!p->group)
        return CZ_OK;
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list l = {0};
    for (size_t i = 0; i < p->len; i++)
        cz_tp_list_add(&l, p->items[i].topic, p->items[i].partition, -1);
    enum cz_err code = cz_admin_group_offsets(p->use.admin, p->group, &l, deadline, err);
    for (size_t i = 0; !code && i < p->len; i++)
        p->items[i].committed = l.items[i].offset;
    return code;
}

/* @what CZ_OFFSET_EARLIEST, CZ_OFFSET_LATEST or a timestamp; into the member at @offset. */
static enum cz_err ask_log(struct positions *p, int64_t what, size_t offset, cz_time deadline, struct cz_error *err)
{
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list l = {0};
    for (size_t i = 0; i < p->len; i++)
        cz_tp_list_add(&l, p->items[i].topic, p->items[i].partition, what);
    enum cz_err code = cz_admin_list_offsets(p->use.admin, &l, p->spec->read_committed, deadline, err);
    for (size_t i = 0; !code && i < p->len; i++) {
        struct cz__position *one = &p->items[i];
        if (l.items[i].code || l.items[i].offset < 0)
            snprintf(one->why, sizeof one->why, "its log cannot be asked: %.50s", cz_err_slug(l.items[i].code));
        else
            *(int64_t *)(void *)((char *)one + offset) = l.items[i].offset;
    }
    return code;
}
#define ASK_LOG(p, what, member, deadline, err)                                                \
    ask_log((p), (what), offsetof(struct cz__position, member), (deadline), (err))

static enum cz_err ask(struct positions *p, struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(ASK_MS);
    enum cz_err code = list_partitions(p, deadline, err);
    if (!code)
        code = ask_committed(p, deadline, err);
    if (!code)
        code = ASK_LOG(p, CZ_OFFSET_EARLIEST, start, deadline, err);
    if (!code)
        code = ASK_LOG(p, CZ_OFFSET_LATEST, end, deadline, err);
    return code;
}

/* ---- may they be moved? ----------------------------------------------------------------------- */

/* Text of why not, "" when they may. */
static void not_idle(struct cz_service *s, const struct cz_resource *r, int wait_ms, char *text, size_t n)
{
    struct cz__subject m = cz__subject_of(s, r);
    struct cz_task_infos tasks = {0};
    text[0] = '\0';
    if (m.enabled && !m.paused) {
        snprintf(text, n, "the mapping runs: pause or disable it first");
        return;
    }
    if (!s->status)
        return;
    bool applied = cz_status_wait_applied(s->status, r->version, cz_deadline_ms(wait_ms));
    cz_status_tasks(s->status, r->uid, &tasks);
    for (size_t i = 0; i < tasks.len && !text[0]; i++) {
        const struct cz_task_info *t = &tasks.items[i];
        if (t->state == CZ_TASK_RUNNING || t->state == CZ_TASK_RESTARTING)
            snprintf(text, n, "task %d has not stopped yet on worker %.100s; try again", t->task, t->worker);
        else if (!applied && t->state != CZ_TASK_UNASSIGNED)
            snprintf(text, n, "not all workers have taken up that the mapping does not run; try again");
    }
    cz_task_infos_done(&tasks);
}

/* ---- shown ------------------------------------------------------------------------------------ */

static json_t *offset_json(int64_t v)
{
    return v >= 0 ? cz_json_i64(v) : json_null();
}

static json_t *position_json(const struct cz__position *p)
{
    json_t *o = json_object();
    cz_json_set_str(o, "topic", p->topic);
    (void)json_object_set_new(o, "partition", json_integer(p->partition));
    (void)json_object_set_new(o, "committed", offset_json(p->committed));
    (void)json_object_set_new(o, "start", offset_json(p->start));
    (void)json_object_set_new(o, "end", offset_json(p->end));
    int64_t lag = p->committed >= 0 && p->end >= 0 ? p->end - p->committed : -1;
    (void)json_object_set_new(o, "lag", offset_json(lag < 0 && p->committed >= 0 && p->end >= 0 ? 0 : lag));
    if (p->why[0])
        cz_json_set_str(o, "error", p->why);
    return o;
}

static json_t *head_json(const struct positions *p)
{
    json_t *o = json_object();
    cz_json_set_str_or_null(o, "group", p->group);
    cz_json_set_str(o, "cluster", p->spec->source_cluster);
    cz_json_set_str(o, "delivery", p->spec->exactly_once ? "exactly_once" : "at_least_once");
    return o;
}

enum cz_err cz_service_offsets(
    struct cz_service *s, const char *team, const char *name, json_t **ret, struct cz_error *err)
{
    struct positions p;
    char busy[200];
    enum cz_err code = load(s, team, name, &p, err);
    if (!code)
        code = ask(&p, err);
    if (!code) {
        json_t *list = json_array();
        for (size_t i = 0; i < p.len; i++)
            (void)json_array_append_new(list, position_json(&p.items[i]));
        not_idle(s, &p.r, 0, busy, sizeof busy);
        *ret = head_json(&p);
        (void)json_object_set_new(*ret, "can_be_moved", json_boolean(!busy[0] && p.group));
        (void)json_object_set_new(*ret, "partitions", list);
    }
    done(&p);
    return code;
}

/* ---- moved ------------------------------------------------------------------------------------ */

static enum cz_err check_movable(struct positions *p, const struct cz_write *w, struct cz_error *err)
{
    char busy[200];
    if (w->if_match > 0 && w->if_match != p->r.version)
        return cz_fail(err, CZ_E_STALE, "mapping '%s' is in version %lld now, not %lld", p->r.name,
                       (long long)p->r.version, (long long)w->if_match);
    if (!p->group)
        return cz_fail(err, CZ_E_CONFLICT, "the mapping has no consumer group: %s",
                       p->spec->exactly_once ? "give it one to move its positions"
                                             : "it begins where `start` says, each time");
    if (w->dry_run)
        return CZ_OK;
    not_idle(p->s, &p->r, APPLIED_MS, busy, sizeof busy);
    return busy[0] ? cz_fail(err, CZ_E_CONFLICT, "%s", busy) : CZ_OK;
}

static enum cz_err resolve(struct positions *p, const struct cz__move *m, struct cz_report *rep, struct cz_error *err)
{
    enum cz_err code = ask(p, err);
    if (code)
        return code;
    cz__move_apply(m, p->items, p->len, rep);
    if (!cz_report_ok(rep))
        return cz_report_error(rep, err);
    if (m->kind == CZ__MOVE_TIMESTAMP)
        code = ASK_LOG(p, m->number, to, cz_deadline_ms(ASK_MS), err);
    for (size_t i = 0; !code && i < p->len; i++) {
        const struct cz__position *one = &p->items[i];
        if (one->chosen && (one->why[0] || one->to < 0))
            code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "%s [%d]: %s", one->topic,
                                 (int)one->partition, one->why[0] ? one->why : "no offset is known");
    }
    return code;
}

static enum cz_err commit(struct positions *p, struct cz_error *err)
{
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list l = {0};
    for (size_t i = 0; i < p->len; i++) {
        const struct cz__position *one = &p->items[i];
        if (one->chosen)
            cz_tp_list_add(&l, one->topic, one->partition, one->to)->metadata =
                cz_strdup(CZ_POSITION_MOVED);
    }
    return cz_admin_commit(p->use.admin, p->group, &l, cz_deadline_ms(ASK_MS), err);
}

static json_t *moved_json(const struct positions *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->len; i++) {
        const struct cz__position *one = &p->items[i];
        if (!one->chosen)
            continue;
        json_t *o = json_object();
        cz_json_set_str(o, "topic", one->topic);
        (void)json_object_set_new(o, "partition", json_integer(one->partition));
        (void)json_object_set_new(o, "from", offset_json(one->committed));
        (void)json_object_set_new(o, "to", offset_json(one->to));
        /* > 0: so many are left out; < 0: so many are copied again. */
        (void)json_object_set_new(o, "change", one->committed < 0 ? json_null()
                                                                  : cz_json_i64(one->to - one->committed));
        (void)json_array_append_new(list, o);
    }
    return list;
}

/* What was moved stays moved when its note fails; the answer then says so. */
static enum cz_err note(struct positions *p,
                        const struct cz_caller *who,
                        const struct cz_write *w,
                        const struct cz__move *m,
                        const json_t *moved,
                        int64_t *ret_seq,
                        struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *text = cz__move_text(m);
    CZ_CLEANUP(cz_freep)
    char *comment = cz_strf("offsets of %zu partitions moved to %s%s%s", json_array_size(moved), text,
                            w->comment ? ": " : "", w->comment ? w->comment : "");
    struct cz_change_meta meta = cz__meta(who, p->r.team, "mapping.offsets.move", comment);
    json_t *detail = json_pack("{s:s,s:s,s:s,s:O}", "mapping", p->r.name, "group", p->group, "to", text,
                               "partitions", moved);
    enum cz_err code = cz_store_audit(p->s->store, &meta, "ok", detail, err);
    json_decref(detail);
    if (!code)
        code = cz__note_offsets_moved(p->s, who, comment, p->r.team, p->r.name, ret_seq, err);
    return code ? cz_fail_prefix(err, "the offsets were moved, but the history was not written") : CZ_OK;
}

enum cz_err cz_service_move_offsets(struct cz_service *s,
                                    const struct cz_caller *who,
                                    const struct cz_write *w,
                                    const char *team,
                                    const char *name,
                                    const json_t *body,
                                    json_t **ret,
                                    struct cz_report *rep,
                                    struct cz_error *err)
{
    struct positions p;
    struct cz__move m;
    int64_t seq = 0;
    cz__move_parse(body, &m, rep);
    if (!cz_report_ok(rep))
        return cz_report_error(rep, err);
    enum cz_err code = load(s, team, name, &p, err);
    if (!code)
        code = check_movable(&p, w, err);
    if (!code)
        code = resolve(&p, &m, rep, err);
    if (!code && !w->dry_run)
        code = commit(&p, err);
    json_t *moved = code ? NULL : moved_json(&p);
    if (!code && !w->dry_run)
        code = note(&p, who, w, &m, moved, &seq, err);
    if (!code) {
        *ret = head_json(&p);
        (void)json_object_set_new(*ret, "dry_run", json_boolean(w->dry_run));
        (void)json_object_set(*ret, "moved", moved);
        (void)json_object_set_new(*ret, "seq", seq ? cz_json_i64(seq) : json_null());
    }
    json_decref(moved);
    done(&p);
    return code;
}
