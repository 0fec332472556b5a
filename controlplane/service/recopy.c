/* SPDX-License-Identifier: Apache-2.0 */
/** A part of a mapping's source copied again, beside the mapping: by a mapping of its own, "<name> (recopy)",
 * made of the mapping's spec as it is now, with begin, end and position of its own.  It is managed by its mapping,
 * which goes on meanwhile; FINISHED it is kept for a while, so that its progress can be read, then taken away
 * by the leader, by the next recopy or with its mapping. */
#include <inttypes.h>
#include <string.h>

#include "mapping_now.h"

#define OWNER "mapping:"
#define SUFFIX " (recopy)"
#define GROUP "citizenk.recopy."
enum { ASK_MS = 10000 };

struct recopy {
    const char *team, *name;
    const json_t *from, *to; /* as given */
    int64_t from_ms, to_ms;  /* of times; -1: none */
    char *copy;              /* name of the copy */
    json_t *doc;             /* its document */
};

bool cz__owned_by_mapping(const char *managed_by)
{
    return managed_by && strncmp(managed_by, OWNER, strlen(OWNER)) == 0;
}

char *cz__recopy_owner(const char *mapping)
{
    return cz_strf(OWNER "%s", mapping);
}

/* ---- the request ---------------------------------------------------------------------------- */

static bool is_time(const json_t *v, int64_t *ret)
{
    if (json_is_integer(v))
        *ret = json_integer_value(v);
    else if (!json_is_string(v) || !cz_rfc3339_parse(json_string_value(v), ret))
        return false;
    return *ret >= 0;
}

static bool is_offsets(const json_t *v)
{
    return json_is_object(v) && json_object_size(v) == 1 && json_is_object(json_object_get(v, "offsets"));
}

static void parse(const json_t *body, struct recopy *r, struct cz_report *rep)
{
    const char *key;
    json_t *v;
    r->from = json_object_get(body, "from");
    r->to = json_object_get(body, "to");
    r->from_ms = r->to_ms = -1;
    json_object_foreach ((json_t *)(uintptr_t)body, key, v) {
        char at[CZ_POINTER_SIZE] = "";
        cz_pointer_push(at, key);
        if (!cz_streq(key, "from") && !cz_streq(key, "to"))
            (void)cz_report_add(rep, at, "unknown-field", "unknown field");
    }
    if (!cz_streq(json_string_value(r->from), "earliest") && !is_offsets(r->from) && !is_time(r->from, &r->from_ms))
        (void)cz_report_add(rep, "/from", r->from ? "value" : "required",
                            "must be a time as 2026-11-22T18:00:00Z, earliest, or {\"offsets\": {\"0\": \"42\"}}");
    bool now = !r->to || json_is_null(r->to) || cz_streq(json_string_value(r->to), "now");
    if (!now && !is_offsets(r->to) && !is_time(r->to, &r->to_ms))
        (void)cz_report_add(rep, "/to", "value",
                            "must be a time as 2026-11-22T18:00:00Z, now, or {\"offsets\": {\"0\": \"42\"}}");
    if (r->to_ms > cz_wall_ms())
        (void)cz_report_add(rep, "/to", "range", "must not be in the future: the mapping itself copies what comes");
    if (r->from_ms >= 0 && r->to_ms >= 0 && r->from_ms >= r->to_ms)
        (void)cz_report_add(rep, "/to", "range", "must be after from");
    if (now)
        r->to = NULL;
}

/* ---- the copy's document -------------------------------------------------------------------- */

static json_t *place(const json_t *given, int64_t ms)
{
    return ms >= 0 ? json_pack("{s:o}", "timestamp", cz_json_i64(ms)) : json_deep_copy(given);
}

/* Without what belongs to the mapping alone: what follows its group, its tests, its groups on the target.  The
 * group is new each time: the one of a copy before would say that all is done. */
static json_t *document(const struct recopy *r, const struct cz_resource *m)
{
    static const char *const own[] = {"offset_map", "group_sync", "verify_seconds",
                                      "target_service_consumer_group", "on_change", "tests", "topic_policy", NULL};
    json_t *doc = json_object(), *spec = json_deep_copy(json_object_get(m->doc, "spec"));
    CZ_CLEANUP(cz_freep) char *what = cz_strf("a part of mapping \"%s\", copied again", m->name);
    char uid[CZ_UID_SIZE];
    CZ_CLEANUP(cz_freep) char *group = cz_strf(GROUP "%s", cz_uid(uid));
    for (const char *const *k = own; *k; k++)
        (void)json_object_del(spec, *k);
    cz_json_set_str(spec, "consumer_group", group);
    (void)json_object_set_new(spec, "enabled", json_true());
    (void)json_object_set_new(spec, "start", place(r->from, r->from_ms));
    (void)json_object_set_new(spec, "end", r->to ? place(r->to, r->to_ms) : json_string("now"));
    cz_json_set_str(doc, "group", cz_json_str(m->doc, "group", NULL));
    cz_json_set_str(doc, "description", what);
    (void)json_object_set_new(doc, "spec", spec);
    return doc;
}

static enum cz_err can_be_copied(const struct cz_mapping_spec *spec, const char *managed_by, const char *name,
                                 struct cz_error *err)
{
    if (cz__owned_by_mapping(managed_by))
        return cz_fail(err, CZ_E_CONFLICT, "'%s' is a recopy itself", name);
    if (spec->source_file)
        return cz_fail(err, CZ_E_CONFLICT, "mapping '%s' reads a file: restart it to replay it again", name);
    if (spec->target_file)
        return cz_fail(err, CZ_E_CONFLICT, "mapping '%s' appends to a file, and nobody else may meanwhile", name);
    return CZ_OK;
}

/* ---- how much it would be ------------------------------------------------------------------- */

struct count {
    struct cz_tp_list begin, end;
};

static enum cz_err list_partitions(struct cz_admin *a, const struct cz_mapping_spec *spec, struct count *c,
                                   struct cz_error *err)
{
    size_t n = spec->pairs_len;
    CZ_CLEANUP(cz_freep) const char **names = cz_alloc_array(n + 1, sizeof *names);
    struct cz_topic_info *infos = NULL;
    for (size_t i = 0; i < n; i++)
        names[i] = spec->pairs[i].source;
    enum cz_err code = cz_admin_topics(a, names, n, cz_deadline_ms(ASK_MS), &infos, err);
    for (size_t i = 0; !code && i < n; i++) {
        for (int32_t p = 0; p < infos[i].partitions; p++) {
            (void)cz_tp_list_add(&c->begin, names[i], p, CZ_OFFSET_EARLIEST);
            (void)cz_tp_list_add(&c->end, names[i], p, CZ_OFFSET_LATEST);
        }
    }
    if (!code)
        cz_topic_infos_free(infos, n);
    return code;
}

static enum cz_err ask(struct cz_admin *a, struct cz_tp_list *l, bool read_committed, struct cz_error *err)
{
    enum cz_err code = l->len > 0 ? cz_admin_list_offsets(a, l, read_committed, cz_deadline_ms(ASK_MS), err) : CZ_OK;
    for (size_t i = 0; !code && i < l->len; i++) {
        if (l->items[i].code || l->items[i].offset < 0)
            code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "the offsets of %s [%d] cannot be read now",
                                 l->items[i].topic, (int)l->items[i].partition);
    }
    return code;
}

/* Replace what the log has by what was given, where that lies within. */
static enum cz_err narrow(struct cz_admin *a, const struct cz_mapping_spec *spec, const json_t *given, int64_t ms,
                          struct cz_tp_list *l, int64_t otherwise, struct cz_error *err)
{
    struct cz_tp_list times = {0};
    enum cz_err code = CZ_OK;
    for (size_t i = 0; ms >= 0 && i < l->len; i++)
        (void)cz_tp_list_add(&times, l->items[i].topic, l->items[i].partition, ms);
    if (ms >= 0)
        code = ask(a, &times, spec->read_committed, err);
    for (size_t i = 0; !code && i < l->len; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%d", (int)l->items[i].partition);
        if (ms >= 0)
            l->items[i].offset = times.items[i].offset;
        else if (is_offsets(given))
            l->items[i].offset = cz_json_int(json_object_get(given, "offsets"), number, otherwise);
    }
    cz_tp_list_done(&times);
    return code;
}

/* {"records","partitions":[{"topic","partition","from","to"}]}: offsets, of which a filter may take some. */
static json_t *count_json(const struct count *log, const struct count *asked)
{
    json_t *o = json_object(), *list = json_array();
    int64_t total = 0;
    for (size_t i = 0; i < log->begin.len; i++) {
        int64_t low = log->begin.items[i].offset, high = log->end.items[i].offset;
        int64_t from = asked->begin.items[i].offset, to = asked->end.items[i].offset;
        from = from < low ? low : from;
        to = to > high ? high : to;
        if (to <= from)
            continue;
        json_t *p = json_object();
        cz_json_set_str(p, "topic", log->begin.items[i].topic);
        (void)json_object_set_new(p, "partition", json_integer(log->begin.items[i].partition));
        cz_json_set_i64(p, "from", from);
        cz_json_set_i64(p, "to", to);
        (void)json_array_append_new(list, p);
        total += to - from;
    }
    cz_json_set_i64(o, "records", total);
    (void)json_object_set_new(o, "partitions", list);
    return o;
}

static void count_done(struct count *c)
{
    cz_tp_list_done(&c->begin);
    cz_tp_list_done(&c->end);
}

static enum cz_err count(struct cz_service *s, const struct cz__mapping_now *m, const struct recopy *r, json_t **ret,
                         struct cz_error *err)
{
    struct cz_cluster *source = NULL;
    struct cz__admin_use use = {0};
    struct count log = {0}, asked = {0};
    const struct cz_mapping_spec *spec = m->spec;
    enum cz_err code = cz__stored_cluster(s, r->team, spec->source_cluster, &source, err);
    if (!code)
        code = cz__admin_take(s, source, &use, err);
    for (int k = 0; !code && k < 2; k++) {
        struct count *c = k ? &asked : &log;
        code = list_partitions(use.admin, spec, c, err);
        if (!code)
            code = ask(use.admin, &c->begin, spec->read_committed, err);
        if (!code)
            code = ask(use.admin, &c->end, spec->read_committed, err);
    }
    if (!code && log.begin.len != asked.begin.len)
        code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "the source's partitions change just now");
    if (!code)
        code = narrow(use.admin, spec, r->from, r->from_ms, &asked.begin, 0, err);
    if (!code)
        code = narrow(use.admin, spec, r->to, r->to_ms, &asked.end, 0, err);
    if (!code)
        *ret = count_json(&log, &asked);
    count_done(&log);
    count_done(&asked);
    if (use.admin)
        cz__admin_give(s, &use);
    cz_cluster_unref(source);
    return code;
}

/* ---- made, and taken away ------------------------------------------------------------------- */

static enum cz_err make_room(struct cz__attempt *a, const struct recopy *r, const char *owner, struct cz_error *err)
{
    struct cz_resource old = {0};
    bool found;
    enum cz_err code = cz__tx_find(a, r->team, CZ_KIND_MAPPING, r->copy, &old, &found, err);
    if (!code && found && !cz_streq(old.managed_by, owner))
        code = cz_fail(err, CZ_E_CONFLICT, "there is a mapping '%s' that is no recopy of this one", r->copy);
    else if (!code && found && !cz__is_finished(a->s, &old))
        code = cz_fail(err, CZ_E_CONFLICT, "a recopy runs already: wait until '%s' is finished, or delete it", r->copy);
    else if (!code && found)
        code = cz__remove(a, &old, err);
    cz_resource_done(&old);
    return code;
}

static enum cz_err make_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct recopy *r = arg;
    CZ_CLEANUP(cz_freep) char *owner = cz__recopy_owner(r->name);
    const struct cz__put p = {.team = r->team,
                              .name = r->copy,
                              .kind = CZ_KIND_MAPPING,
                              .doc = r->doc,
                              .managed_by = owner,
                              .op = CZ_OP_CREATE,
                              .origin = {.base = "", .fixed = "", .what = "the recopy"}};
    enum cz_err code = make_room(a, r, owner, err);
    if (!code)
        code = cz__apply(a, &p, &a->result, &a->have_result, err);
    a->created = !code;
    return code;
}

static enum cz_err make(struct cz_service *s, const struct cz_caller *who, const struct cz_write *w, struct recopy *r,
                        json_t *report, struct cz_report *rep, struct cz_error *err)
{
    struct cz_write_result result = {0};
    struct cz__job j = {
        .s = s, .who = who, .w = w, .team = r->team, .action = "mapping.recopy", .body = make_body, .arg = r};
    enum cz_err code = cz__run(&j, &result, rep, err);
    if (!code) {
        cz_json_set_str(report, "mapping", r->copy);
        (void)json_object_set_new(report, "dry_run", json_boolean(w->dry_run));
        (void)json_object_set_new(report, "seq", w->dry_run ? json_null() : cz_json_i64(result.seq));
    }
    cz_write_result_done(&result);
    return code;
}

enum cz_err cz_service_recopy(struct cz_service *s, const struct cz_caller *who, const struct cz_write *w,
                              const char *team, const char *name, const json_t *body, json_t **ret,
                              struct cz_report *rep, struct cz_error *err)
{
    struct cz__mapping_now m = {0};
    struct recopy r = {.team = team, .name = name, .copy = cz_strf("%s" SUFFIX, name)};
    struct cz_error why = CZ_ERROR_INIT;
    json_t *report = NULL;
    parse(body, &r, rep);
    enum cz_err code = cz_report_ok(rep) ? CZ_OK : cz_report_error(rep, err);
    if (!code)
        code = cz__mapping_now(s, team, name, &m, err);
    if (!code)
        code = can_be_copied(m.spec, m.mapping.managed_by, name, err);
    if (!code && cz_name_check(r.copy, &why))
        code = cz_fail(err, CZ_E_CONFLICT, "its copy cannot be named '%.200s': %s", r.copy, why.text);
    if (!code)
        code = count(s, &m, &r, &report, err);
    if (!code) {
        r.doc = document(&r, &m.mapping);
        code = make(s, who, w, &r, report, rep, err);
    }
    if (!code)
        *ret = json_incref(report);
    json_decref(report);
    json_decref(r.doc);
    cz_free(r.copy);
    cz__mapping_now_done(s, &m);
    return code;
}

/* Asked once in a change: most teams have none, and a change may delete a thousand mappings. */
static enum cz_err any_recopies(struct cz__attempt *a, const char *team, struct cz_error *err)
{
    const struct cz_list_filter f = {
        .team = team, .kind = CZ_KIND_MAPPING, .managed_prefix = OWNER, .limit = 1};
    struct cz_resource_list l = {0};
    enum cz_err code = CZ_OK;
    if (a->recopies == CZ__NOT_ASKED) {
        code = cz_tx_list(a->tx, &f, &l, err);
        a->recopies = l.len > 0 ? CZ__SOME : CZ__NONE;
    }
    cz_resource_list_done(&l);
    return code;
}

enum cz_err cz__remove_recopies(struct cz__attempt *a, const struct cz_resource *mapping, struct cz_error *err)
{
    enum cz_err asked = any_recopies(a, mapping->team, err);
    if (asked || a->recopies == CZ__NONE)
        return asked;
    CZ_CLEANUP(cz_freep) char *owner = cz__recopy_owner(mapping->name);
    struct cz_list_filter f = {.team = mapping->team, .kind = CZ_KIND_MAPPING, .managed_by = owner};
    struct cz_resource_list l = {0};
    enum cz_err code = cz__owned_by_mapping(mapping->managed_by) ? CZ_OK : cz_tx_list(a->tx, &f, &l, err);
    for (size_t i = 0; !code && i < l.len; i++)
        code = cz__remove(a, &l.items[i], err);
    cz_resource_list_done(&l);
    return code;
}

/* Since when it is finished; 0: it is not. */
static int64_t finished_ms(struct cz_service *s, const struct cz__snapshot_item *it)
{
    struct cz__state st;
    int64_t since = 0;
    cz__state_of(s, &it->m, &st);
    for (size_t i = 0; i < st.reported.len; i++)
        since = st.reported.items[i].since_ms > since ? st.reported.items[i].since_ms : since;
    bool yes = st.state == CZ_TASK_FINISHED && st.observed >= it->m.generation;
    cz__state_done(&st);
    return yes ? since : 0;
}

/* Nobody else uses it; what cannot be deleted now is forgotten by Kafka after its own time. */
static void delete_group(struct cz_service *s, const struct cz__mapping_now *m)
{
    struct cz_cluster *source = NULL;
    struct cz__admin_use use = {0};
    struct cz_error err = CZ_ERROR_INIT;
    const char *group = m->spec->consumer_group;
    bool ours = group && strncmp(group, GROUP, strlen(GROUP)) == 0;
    if (ours && !cz__stored_cluster(s, m->mapping.team, m->spec->source_cluster, &source, &err) &&
        !cz__admin_take(s, source, &use, &err)) {
        (void)!cz_admin_delete_group(use.admin, group, cz_deadline_ms(ASK_MS), &err);
        cz__admin_give(s, &use);
    }
    cz_cluster_unref(source);
}

static void take_away(struct cz_service *s, const struct cz__subject *copy)
{
    const struct cz_caller who = {.actor = "system", .via = "system"};
    const struct cz_write w = {.if_match = CZ_IF_MATCH_ANY, .comment = "the recopy is finished"};
    struct cz_write_result result = {0};
    struct cz__mapping_now m = {0};
    struct cz_error err = CZ_ERROR_INIT, own = CZ_ERROR_INIT;
    bool known = !cz__mapping_now(s, copy->team, copy->name, &m, &own);
    if (!cz_service_delete(s, &who, &w, copy->team, CZ_KIND_MAPPING, copy->name, &result, &err)) {
        cz_write_result_done(&result);
        if (known)
            delete_group(s, &m);
    }
    cz__mapping_now_done(s, &m);
}

void cz_service_recopies_end(struct cz_service *s, int64_t kept_ms)
{
    struct cz__snapshot *sn = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz__snapshot_take(s, &sn, &err))
        return;
    for (size_t i = 0; i < sn->len; i++) {
        const struct cz__snapshot_item *it = &sn->items[i];
        int64_t since = it->recopy ? finished_ms(s, it) : 0;
        if (since > 0 && cz_wall_ms() - since >= kept_ms)
            take_away(s, &it->m);
    }
    cz__snapshot_give(s, sn);
}
