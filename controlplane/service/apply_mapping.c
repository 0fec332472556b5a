/* SPDX-License-Identifier: Apache-2.0 */
/** A mapping: its spec, the clusters, topics and value map that it names, and its record on the
 *  config topic. */
#include <string.h>

#include "access_priv.h"
#include "cz/mapping_tests.h"
#include "cz/scheduler.h"

/* Room for v, revision, epoch and the key beside the value. */
#define MAX_VALUE (CZ_MAX_CHANNEL_RECORD - 16 * 1024)
enum { LOOK_AT_PAIRS = 100 }; /* of a long list: each is looked for among all mappings */

enum cz_err cz__tx_cluster(struct cz__attempt *a,
                           const char *team,
                           const char *name,
                           struct cz_cluster **ret,
                           struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%s", team, name);
    struct cz_resource r = {0};
    bool found;
    *ret = cz_map_get(&a->clusters, key);
    if (*ret)
        return CZ_OK;
    enum cz_err code = cz__tx_find(a, team, CZ_KIND_CLUSTER, name, &r, &found, err);
    if (code || !found)
        return code;
    struct cz_report rep = CZ_REPORT_INIT;
    if (cz_cluster_parse(json_object_get(r.doc, "spec"), "", ret, &rep) == CZ_OK)
        cz_map_put(&a->clusters, key, *ret);
    else
        code = cz_fail(err, CZ_E_CONFLICT, "the stored cluster '%s' is not valid any more: %s",
                       name, rep.len ? rep.items[0].message : "unknown");
    cz_report_done(&rep);
    cz_resource_done(&r);
    return code;
}

/* ---- what the spec names -------------------------------------------------------------------
 */

struct checking {
    struct cz__attempt *a;
    const struct cz__put *p;
    struct cz_cluster *source, *target; /* borrowed from the attempt; NULL: there is none */
    json_t *value_map;                  /* of value_map_ref; owned */
    bool problems, denied;
    bool create_topics; /* on the target, when missing */
    const struct cz_team_rules *rules; /* borrowed from the attempt */
};

static void problem(struct checking *c, const char *below, const char *code, const char *text)
{
    c->problems = true;
    cz__origin_problem(c->a, &c->p->origin, below, code, "%s", text);
}

static enum cz_err check_cluster(struct checking *c,
                                 const char *end,
                                 struct cz_cluster **ret,
                                 struct cz_error *err)
{
    const json_t *spec = json_object_get(c->p->doc, "spec");
    const char *name = cz_json_str(json_object_get(spec, end), "cluster", NULL);
    if (!name || !*name)
        return CZ_OK; /* the spec's own check says so */
    enum cz_err code = cz__tx_cluster(c->a, c->p->team, name, ret, err);
    if (code || *ret)
        return code;
    CZ_CLEANUP(cz_freep) char *below = cz_strf("/spec/%s/cluster", end);
    CZ_CLEANUP(cz_freep)
    char *text = cz_strf("there is no cluster \"%s\" in team \"%s\"", name, c->p->team);
    problem(c, below, "not-found", text);
    return CZ_OK;
}

static void check_topic(struct checking *c, bool target, const char *topic, const char *below)
{
    struct cz_cluster *cluster = target ? c->target : c->source;
    struct cz__fact f;
    if (!cluster)
        return;
    const json_t *end =
        json_object_get(json_object_get(c->p->doc, "spec"), target ? "target" : "source");
    const char *name = cz_json_str(end, "cluster", "");
    if (!cz__fact(c->a->s, cluster, topic, c->a->since, &f)) {
        cz__want(&c->a->wants, cluster, topic);
        return;
    }
    CZ_CLEANUP(cz_freep) char *text = NULL;
    switch (f.state) {
    case CZ__FACT_EXISTS:
        return;
    case CZ__FACT_MISSING:
        if (target && c->create_topics)
            return; /* by the leader, once the mapping is there */
        text = cz_strf("topic \"%s\" does not exist on cluster \"%s\"", topic, name);
        problem(c, below, "topic-missing", text);
        return;
    case CZ__FACT_FORBIDDEN:
        text = cz_strf("cluster \"%s\" does not let us see topic \"%s\"", name, topic);
        problem(c, below, "topic-forbidden", text);
        return;
    case CZ__FACT_UNREACHABLE:
        cz__warn(c->a, target ? "/spec/target/cluster" : "/spec/source/cluster",
                 "cluster-unreachable",
                 "cluster \"%s\" cannot be reached now, its topics were not checked: %s", name,
                 f.text);
        return;
    }
}

static void check_topics(struct checking *c, const struct cz_mapping_spec *spec)
{
    bool listed =
        json_array_size(json_object_get(json_object_get(c->p->doc, "spec"), "topics")) > 0;
    c->create_topics = spec->create_topics;
    for (size_t i = 0; i < spec->pairs_len; i++) {
        CZ_CLEANUP(cz_freep)
        char *from =
            listed ? cz_strf("/spec/topics/%zu/source", i) : cz_strdup("/spec/source/topic");
        CZ_CLEANUP(cz_freep)
        char *to =
            listed ? cz_strf("/spec/topics/%zu/target", i) : cz_strdup("/spec/target/topic");
        check_topic(c, false, spec->pairs[i].source, from);
        check_topic(c, true, spec->pairs[i].target, to);
    }
    if (spec->dead_letter_topic)
        check_topic(c, !spec->target_file, spec->dead_letter_topic, "/spec/on_error/dead_letter");
}

static void check_registries(struct checking *c, const struct cz_mapping_spec *spec)
{
    static const char from[] = "the source cluster names no schema_registry",
                      to[] = "the target cluster names no schema_registry";
    bool copies = spec->copy_key_schemas || spec->copy_value_schemas;
    bool here = !c->source || cz_cluster_registry(c->source);
    if (!here && spec->key_format == CZ_FORMAT_AVRO)
        problem(c, "/spec/key_format", "no-registry", from);
    if (!here && spec->value_format == CZ_FORMAT_AVRO)
        problem(c, "/spec/value_format", "no-registry", from);
    if (!here && copies)
        problem(c, "/spec/schemas/copy", "no-registry", from);
    if (copies && (c->target ? !cz_cluster_registry(c->target) : !spec->target_cluster))
        problem(c, "/spec/schemas/copy", "no-registry", to);
}

/* The name of a value map has a map per topic in mind. */
static bool by_topic(const char *ref)
{
    return ref && strstr(ref, "{{topic}}");
}

bool cz__uses_value_map(const json_t *spec, const char *name)
{
    const char *ref = cz_json_str(spec, "value_map", NULL);
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_mapping_spec *s = NULL;
    if (!by_topic(ref))
        return cz_streq(ref, name);
    bool uses = false;
    if (cz_mapping_spec_parse(spec, "", &s, &rep) == CZ_OK)
        for (size_t i = 0; i < s->pairs_len && !uses; i++) {
            CZ_CLEANUP(cz_freep) char *own = cz_mapping_topic_map(s, s->pairs[i].source);
            uses = cz_streq(own, name);
        }
    cz_mapping_spec_free(s);
    cz_report_done(&rep);
    return uses;
}

/** A map for each source topic that has one. */
static enum cz_err topic_value_maps(struct checking *c,
                                    const struct cz_mapping_spec *spec,
                                    struct cz_error *err)
{
    json_t *topics = json_object();
    enum cz_err code = CZ_OK;
    for (size_t i = 0; code == CZ_OK && i < spec->pairs_len; i++) {
        struct cz_resource r = {0};
        bool found = false;
        CZ_CLEANUP(cz_freep) char *name = cz_mapping_topic_map(spec, spec->pairs[i].source);
        code = cz__tx_find(c->a, c->p->team, CZ_KIND_VALUE_MAP, name, &r, &found, err);
        if (found)
            (void)json_object_set(topics, spec->pairs[i].source,
                                  json_object_get(r.doc, "spec"));
        cz_resource_done(&r);
    }
    c->value_map = json_pack("{s:o}", "topics", topics);
    return code;
}

static enum cz_err
check_value_map(struct checking *c, const struct cz_mapping_spec *spec, struct cz_error *err)
{

    const char *name = cz_json_str(json_object_get(c->p->doc, "spec"), "value_map", NULL);
    struct cz_resource r = {0};
    bool found;
    if (!name)
        return CZ_OK;
    if (by_topic(name))
        return spec ? topic_value_maps(c, spec, err) : CZ_OK;
    enum cz_err code = cz__tx_find(c->a, c->p->team, CZ_KIND_VALUE_MAP, name, &r, &found, err);
    if (code)
        return code;
    if (found)
        c->value_map = json_incref(json_object_get(r.doc, "spec"));
    else {
        CZ_CLEANUP(cz_freep)
        char *text = cz_strf("there is no value map \"%s\" in team \"%s\"", name, c->p->team);
        problem(c, "/spec/value_map", "not-found", text);
    }
    cz_resource_done(&r);
    return CZ_OK;
}

/** The mapping's own tests, with the value map that it would have. */
static void run_tests(struct checking *c, const struct cz_mapping_spec *spec)
{
    const struct cz_mapping_stages_env env = {
        .team = c->p->team, .name = c->p->name, .value_map = c->value_map};
    struct cz_report rep = CZ_REPORT_INIT;
    cz_mapping_tests_run(spec, &env, "/spec", &rep);
    c->problems |= !cz_report_ok(&rep);
    cz__move_problems(c->a, &c->p->origin, &rep);
}

static void not_granted(void *arg, const struct cz_access_use *use, const char *pointer)
{
    struct checking *c = arg;
    char text[400];
    c->denied = true;
    cz__missing_text(c->rules, use, text, sizeof text);
    problem(c, pointer, CZ__NOT_GRANTED, text);
}

/** May the team use what the mapping names? */
static enum cz_err
check_grants(struct checking *c, const struct cz_mapping_spec *spec, struct cz_error *err)
{
    enum cz_err code = cz__tx_rules(c->a, c->p->team, &c->rules, err);
    if (code == CZ_OK)
        cz__spec_missing(spec, json_object_get(c->p->doc, "spec"), c->rules, not_granted, c);
    return code;
}

/** Everything that can be said about the document; *ret NULL when there were problems. */
static enum cz_err
check_mapping(struct checking *c, struct cz_mapping_spec **ret, struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_mapping_spec *spec = NULL;
    const json_t *doc_spec = json_object_get(c->p->doc, "spec");
    if (!json_is_object(doc_spec))
        return CZ_OK; /* reported by the document's check */
    c->problems |= cz_mapping_spec_parse(doc_spec, "/spec", &spec, &rep) != CZ_OK;
    cz__move_problems(c->a, &c->p->origin, &rep);
    enum cz_err code = check_cluster(c, "source", &c->source, err);
    if (code == CZ_OK)
        code = check_cluster(c, "target", &c->target, err);
    if (code == CZ_OK)
        code = check_value_map(c, spec, err);
    if (code == CZ_OK && spec)
        code = check_grants(c, spec, err);
    /* Of what is not the team's to use it is not told either whether it is there. */
    if (code == CZ_OK && spec) {
        check_registries(c, spec);
        if (!c->denied)
            check_topics(c, spec);
    }
    if (code == CZ_OK && spec && !c->problems && !cz__wants_any(&c->a->wants))
        run_tests(c, spec); /* else the attempt is made again, when all is known */
    if (code || c->problems) {
        cz_mapping_spec_free(spec);
        spec = NULL;
    }
    *ret = spec;
    return code;
}

/* ---- the record ----------------------------------------------------------------------------
 */

bool cz__paused(const json_t *override)
{
    return cz_json_bool(override, "paused", false);
}

const char *cz__group_bearer(const struct cz_resource *r)
{
    return cz_json_str(r->override, "group_name", r->name);
}

enum cz_err cz__rename_mapping(struct cz__attempt *a,
                               const struct cz_resource *cur,
                               const char *new_name,
                               struct cz_error *err)
{
    json_t *override = cur->override ? json_deep_copy(cur->override) : json_object();
    cz_json_set_str(override, "group_name", cz__group_bearer(cur));
    enum cz_err code = cz_tx_rename(a->tx, cur->team, cur->kind, cur->name, new_name, err);
    if (code == CZ_OK)
        code = cz_tx_put(a->tx, cur->team, cur->kind, new_name, cur->doc, override, cur->managed_by,
                         CZ_OP_UPDATE, NULL, err);
    json_decref(override);
    return code;
}

static json_t *mapping_record(const struct cz_resource *r,
                              const struct cz_mapping_spec *spec,
                              const json_t *value_map,
                              bool denied)
{
    const char *state = !spec->enabled || denied  ? "STOPPED"
                        : cz__paused(r->override) ? "PAUSED"
                                                  : "RUNNING";
    json_t *value = json_pack("{s:s,s:s,s:s,s:s}", "uid", r->uid, "team", r->team, "name",
                              r->name, "state", state);
    cz_json_set_i64(value, "generation", r->generation);
    cz_json_set_str(value, "restart", cz_json_str(r->override, "restart", NULL));
    if (spec->enabled && spec->service_group && !denied)
        cz_json_set_str(value, "switched_on", cz_json_str(r->override, "switched_on", NULL));
    cz_json_set_str(value, "run", cz_json_str(r->override, "run", NULL));
    (void)json_object_set_new(value, "spec",
                              cz_mapping_spec_resolve(spec, json_object_get(r->doc, "spec"),
                                                      r->team, cz__group_bearer(r), value_map));
    return value;
}

static enum cz_err publish_mapping(struct cz__attempt *a,
                                   const struct cz_resource *r,
                                   const struct cz_mapping_spec *spec,
                                   const json_t *value_map,
                                   const struct cz__origin *o,
                                   struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_MAPPING, r->uid, NULL);
    const struct cz_team_rules *rules = NULL;
    char missing[400];
    enum cz_err code = cz__tx_rules(a, r->team, &rules, err);
    if (code)
        return code;
    bool denied = cz__spec_denied(rules, json_object_get(r->doc, "spec"), missing, sizeof missing);
    json_t *value = mapping_record(r, spec, value_map, denied);
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(value, false);
    if (strlen(text) > MAX_VALUE) /* would block the outbox for ever */
        cz__origin_problem(a, o, "/spec/value_map", "range",
                           "with its value map the mapping has more than %d bytes", MAX_VALUE);
    else
        code = cz_tx_publish(a->tx, key, value, err);
    json_decref(value);
    return code;
}

enum cz_err cz__publish_tombstone(struct cz__attempt *a, const char *uid, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_MAPPING, uid, NULL);
    return cz_tx_publish(a->tx, key, NULL, err);
}

bool cz__switches_on(const json_t *spec, const json_t *was)
{
    static const char key[] = "target_service_consumer_group";
    const char *group = cz_json_str(spec, key, "");
    if (!cz_json_bool(spec, "enabled", true) || !*group)
        return false;
    bool on = was && cz_json_bool(was, "enabled", true) && cz_streq(cz_json_str(was, key, NULL), group) &&
              cz_streq(cz_json_str(json_object_get(was, "target"), "cluster", NULL),
                       cz_json_str(json_object_get(spec, "target"), "cluster", NULL));
    return !on;
}

/** The override that goes with the new document.  Where the mapping names a group of the target's
 *  service, the number of the write that switched replication on stays in it, so that whoever leads
 *  knows whether the group's deletion is still to be done.  The number of a change of a copy that
 *  was FINISHED tells workers that it has another end now. */
static enum cz_err next_override(struct cz__attempt *a,
                                 const struct cz__put *p,
                                 const struct cz_mapping_spec *spec,
                                 json_t **ret,
                                 struct cz_error *err)
{
    struct cz_resource old = {0};
    bool found = false;
    enum cz_err code = CZ_OK;
    if ((spec->enabled && spec->service_group) || spec->end != CZ_END_NONE)
        code = cz__tx_find(a, p->team, p->kind, p->name, &old, &found, err);
    if (code)
        return code;
    const json_t *was = found ? json_object_get(old.doc, "spec") : NULL;
    bool on = cz__switches_on(json_object_get(p->doc, "spec"), was);
    bool again = was && spec->end != CZ_END_NONE &&
                 !json_equal(was, json_object_get(p->doc, "spec")) && cz__is_finished(a->s, &old);
    *ret = !on && !again ? json_incref((json_t *)(uintptr_t)p->override)
           : p->override ? json_deep_copy(p->override)
                         : json_object();
    if (on)
        cz_json_set_i64(*ret, "switched_on", cz_tx_seq(a->tx));
    if (again)
        cz_json_set_i64(*ret, "run", cz_tx_seq(a->tx));
    cz_resource_done(&old);
    return CZ_OK;
}

/** Two mappings may well go to one topic; who did not mean it should know. */
static void warn_of_writers(struct checking *c, const struct cz_mapping_spec *spec, const char *uid)
{
    struct cz_service *s = c->a->s;
    char name[CZ_MAX_NAME + 1] = "";
    for (size_t i = 0; spec->enabled && c->target && i < spec->pairs_len && i < LOOK_AT_PAIRS; i++) {
        const struct cz_writer_query q = {cz_cluster_hash(c->target), spec->pairs[i].target, c->p->team, uid};
        CZ_LOCKED(&s->view_lock);
        if (s->writer && s->writer(s->view_arg, &q, name, sizeof name))
            cz__warn(c->a, "/spec/target", "target-shared", "%s%.200s%s writes topic \"%s\" there, too",
                     *name ? "mapping \"" : "a mapping of another team", name, *name ? "\"" : "", q.topic);
    }
}

enum cz_err cz__apply_mapping(struct cz__attempt *a,
                              const struct cz__put *p,
                              struct cz_resource *ret,
                              bool *ret_put,
                              struct cz_error *err)
{
    struct checking c = {.a = a, .p = p};
    struct cz_mapping_spec *spec = NULL;
    json_t *override = NULL;
    bool concerned = false, route = false;
    enum cz_err code = check_mapping(&c, &spec, err);
    if (code == CZ_OK && spec)
        code = cz__group_concerned(a, p, &concerned, &route, err);
    if (code == CZ_OK && spec)
        code = next_override(a, p, spec, &override, err);
    if (code == CZ_OK && spec) {
        code = cz_tx_put(a->tx, p->team, p->kind, p->name, p->doc, override, p->managed_by, p->op,
                         ret, err);
        *ret_put = code == CZ_OK;
    }
    json_decref(override);
    if (*ret_put && cz__noted(a, ret, p->op)) {
        if (concerned)
            cz__group_note(a, p);
        if (route) {
            cz__route_note(a, p);
            cz__set_found_topics(a->s, ret->uid, spec);
            warn_of_writers(&c, spec, ret->uid);
        }
        code = publish_mapping(a, ret, spec, c.value_map, &p->origin, err);
    }
    cz_mapping_spec_free(spec);
    json_decref(c.value_map);
    return code;
}

/** Nothing of the document changed, so topics are not looked at again: a mapping whose topic
 * has gone can still be paused.  @test its value map did change. */
enum cz_err cz__republish_mapping(struct cz__attempt *a,
                                  const struct cz_resource *r,
                                  const struct cz__origin *o,
                                  bool test,
                                  struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_mapping_spec *spec = NULL;
    struct cz__put p = {
        .team = r->team, .name = r->name, .kind = r->kind, .doc = r->doc, .origin = *o};
    struct checking c = {.a = a, .p = &p};
    bool ok =
        cz_mapping_spec_parse(json_object_get(r->doc, "spec"), "/spec", &spec, &rep) == CZ_OK;
    cz__move_problems(a, o, &rep);
    if (!ok)
        return CZ_OK;
    enum cz_err code = check_value_map(&c, spec, err);
    if (code == CZ_OK && !c.problems && test)
        run_tests(&c, spec);
    if (code == CZ_OK && !c.problems)
        code = publish_mapping(a, r, spec, c.value_map, o, err);
    cz_mapping_spec_free(spec);
    json_decref(c.value_map);
    return code;
}
