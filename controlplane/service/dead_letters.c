/* SPDX-License-Identifier: Apache-2.0 */
/** Dead letters of a mapping: finds out what it is made of, as it is now, lets cz_redrive() work, and
 * writes down what was done.  One at a time in a control plane: it reads as fast as the brokers give. */
#include "access_priv.h"
#include "cz/redrive.h"
#include "mapping_now.h"

static enum cz_err can_be_read(const struct cz_mapping_spec *spec, const char *name, struct cz_error *err)
{
    if (!spec->dead_letter_topic)
        return cz_fail(err, CZ_E_CONFLICT, "mapping '%s' writes no dead letters: its on_error is no {dead_letter: topic}",
                       name);
    return CZ_OK;
}

/* A job of the control plane must not put schemas into registries: ids would stay the source's. */
static enum cz_err can_be_sent(const struct cz_mapping_spec *spec, struct cz_error *err)
{
    if (spec->target_file)
        return cz_fail(err, CZ_E_CONFLICT,
                       "the target is a file, which only its worker can append to: its dead letters can be listed and "
                       "discarded, not re-driven");
    if (spec->copy_key_schemas || spec->copy_value_schemas)
        return cz_fail(err, CZ_E_CONFLICT,
                       "dead letters of a mapping with schemas.copy cannot be re-driven; recopy their places in the source");
    return CZ_OK;
}

static enum cz_err run(struct cz_service *s, const struct cz__mapping_now *m, const struct cz_dead_letters_request *q,
                       json_t **ret, struct cz_error *err)
{
    static const enum cz_redrive_action actions[] = {
        [CZ_DEAD_LETTERS_LIST] = CZ_REDRIVE_LIST,
        [CZ_DEAD_LETTERS_REDRIVE] = CZ_REDRIVE_AGAIN,
        [CZ_DEAD_LETTERS_DISCARD] = CZ_REDRIVE_DISCARD,
    };
    const struct cz_redrive_conf conf = {
        .source = m->source,
        .letters = m->target ? m->target : m->source,
        .letters_admin = m->target ? m->target_admin : m->source_admin,
        .client_id = "citizenk-dead-letters",
        .group_id = s->group_id,
        .team = m->mapping.team,
        .mapping = m->mapping.name,
        .first_name = cz__group_bearer(&m->mapping),
        .spec = m->spec,
        .stages = m->stages,
        .action = actions[q->action],
        .dry_run = q->dry_run,
        .filter = {.stage = q->stage,
                   .error = q->error,
                   .topic = q->topic,
                   .partition = q->partition,
                   .from_offset = q->from_offset,
                   .to_offset = q->to_offset,
                   .since_ms = q->since_ms,
                   .until_ms = q->until_ms},
        .max_records = q->max_records,
        .samples = q->samples,
        .deadline = q->deadline,
        .stop = &s->verify_stop,
    };
    return cz_redrive(&conf, ret, err);
}

/* What was written stays written when its note fails, or when the rest of the job did. */
static enum cz_err note(struct cz_service *s, const struct cz__mapping_now *m, const struct cz_caller *who,
                        const struct cz_dead_letters_request *q, const json_t *report, enum cz_err outcome,
                        struct cz_error *err)
{
    bool again = q->action == CZ_DEAD_LETTERS_REDRIVE;
    struct cz_error own = CZ_ERROR_INIT;
    struct cz_change_meta meta =
        cz__meta(who, m->mapping.team, again ? "mapping.dead_letters.redrive" : "mapping.dead_letters.discard", q->comment);
    json_t *detail = json_deep_copy(report);
    cz_json_set_str(detail, "mapping", m->mapping.name);
    enum cz_err code = cz_store_audit(s->store, &meta, outcome ? "error" : "ok", detail, &own);
    json_decref(detail);
    if (!code || outcome)
        return outcome;
    return cz_fail_flags(err, code, own.flags, own.detail, "the letters were %s, but the audit was not written: %s",
                         again ? "re-driven" : "discarded", own.text);
}

static enum cz_err prepare(struct cz_service *s, const char *team, const char *name,
                           const struct cz_dead_letters_request *q, struct cz__mapping_now *m, struct cz_error *err)
{
    enum cz_err code = cz__mapping_now(s, team, name, m, err);
    if (!code)
        code = can_be_read(m->spec, name, err);
    if (!code)
        code = cz__may_run(s, &m->mapping, err);
    if (!code && q->action == CZ_DEAD_LETTERS_LIST && q->samples > 0) {
        const struct cz_access_use use = {.cluster = cz__letters_cluster(m->spec),
                                          .type = CZ_GRANT_TOPIC,
                                          .name = m->spec->dead_letter_topic,
                                          .mode = CZ_MODE_PEEK};
        code = cz__may_use(s, team, &use, err);
    }
    if (!code && q->action == CZ_DEAD_LETTERS_REDRIVE)
        code = can_be_sent(m->spec, err);
    if (!code && !s->group_id)
        code = cz_fail(err, CZ_E_CONFLICT, "this control plane has no group_id, under which what is done is kept");
    return code ? code : cz__mapping_now_open(s, m, err);
}

enum cz_err cz_service_dead_letters(struct cz_service *s, const struct cz_caller *who, const char *team,
                                    const char *name, const struct cz_dead_letters_request *q, json_t **ret,
                                    struct cz_error *err)
{
    struct cz__mapping_now m = {0};
    json_t *report = NULL;
    bool writes = q->action != CZ_DEAD_LETTERS_LIST && !q->dry_run;
    if (!cz__turn_take(s, &s->redriving, q->deadline))
        return cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, 0,
                             "other jobs with dead letters run in this control plane: try again later");
    enum cz_err code = prepare(s, team, name, q, &m, err);
    if (!code)
        code = run(s, &m, q, &report, err);
    if (report && writes)
        code = note(s, &m, who, q, report, code, err);
    if (!code) {
        cz_json_set_str(report, "mapping", m.mapping.name);
        cz_json_set_i64(report, "generation", m.mapping.generation);
        (void)json_object_set_new(report, "dry_run", json_boolean(q->dry_run));
        *ret = json_incref(report);
    }
    json_decref(report);
    cz__mapping_now_done(s, &m);
    cz__turn_give(s, &s->redriving);
    return code;
}
