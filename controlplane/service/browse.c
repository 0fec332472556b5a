/* SPDX-License-Identifier: Apache-2.0 */
/** Looking into a cluster: its topics and groups, and some records of one.  Nothing is committed, no group
 *  takes part, and every look has an end: a number of records, bytes, a deadline. */
#include <stdlib.h>
#include <string.h>

#include "cz/file_record.h"
#include "access_priv.h"
#include "peek.h"

#define MAX_BYTES (16 * 1024 * 1024) /* of an answer */
#define MAX_LOOKS 8 /* at once: each is a client with threads of its own */

static enum cz_err cluster_of(struct cz_service *s,
                              const char *team,
                              const char *name,
                              struct cz_cluster **ret,
                              struct cz_error *err)
{
    enum cz_err code = cz__name_possible(team, CZ_KIND_CLUSTER, name, err);
    return code ? code : cz__stored_cluster(s, team, name, ret, err);
}

/* ---- topics -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct cz_topic_info *x = a, *y = b;
    return strcmp(x->name, y->name);
}

enum cz_err cz_service_cluster_topics(struct cz_service *s,
                                      const char *team,
                                      const char *cluster,
                                      json_t **ret,
                                      struct cz_error *err)
{
    struct cz_cluster *c = NULL;
    struct cz__admin_use use = {0};
    struct cz_topic_info *infos = NULL;
    struct cz_access_rules *rules = NULL;
    size_t n = 0;
    enum cz_err code = cluster_of(s, team, cluster, &c, err);
    if (code == CZ_OK)
        code = cz__rules_take(s, &rules, err);
    if (code == CZ_OK)
        code = cz__admin_take(s, c, &use, err);
    if (code == CZ_OK) {
        code = cz_admin_all_topics(use.admin, cz_deadline_ms(s->timeout_ms), &infos, &n, NULL, err);
        cz__admin_give(s, &use);
    }
    if (code == CZ_OK) {
        if (n > 0)
            qsort(infos, n, sizeof *infos, by_name);
        *ret = json_array();
        for (size_t i = 0; i < n; i++)
            if (strncmp(infos[i].name, "__", 2) != 0 &&
                cz__may_list(cz_access_team(rules, team), cluster, CZ_GRANT_TOPIC, infos[i].name))
                (void)json_array_append_new(*ret, json_string(infos[i].name));
    }
    cz_access_rules_give(s, rules);
    cz_topic_infos_free(infos, n);
    cz_cluster_unref(c);
    return code;
}

static int by_group(const void *a, const void *b)
{
    const struct cz_group *x = a, *y = b;
    return strcmp(x->name, y->name);
}

enum cz_err cz_service_cluster_groups(struct cz_service *s,
                                      const char *team,
                                      const char *cluster,
                                      json_t **ret,
                                      struct cz_error *err)
{
    struct cz_cluster *c = NULL;
    struct cz__admin_use use = {0};
    struct cz_group *groups = NULL;
    struct cz_access_rules *rules = NULL;
    size_t n = 0;
    enum cz_err code = cluster_of(s, team, cluster, &c, err);
    if (code == CZ_OK)
        code = cz__rules_take(s, &rules, err);
    if (code == CZ_OK)
        code = cz__admin_take(s, c, &use, err);
    if (code == CZ_OK) {
        code = cz_admin_groups(use.admin, cz_deadline_ms(s->timeout_ms), &groups, &n, err);
        cz__admin_give(s, &use);
    }
    if (code == CZ_OK) {
        if (n > 0)
            qsort(groups, n, sizeof *groups, by_group);
        *ret = json_array();
        for (size_t i = 0; i < n; i++)
            if (cz__may_list(cz_access_team(rules, team), cluster, CZ_GRANT_GROUP, groups[i].name))
                (void)json_array_append_new(*ret, json_string(groups[i].name));
        cz_groups_free(groups, n);
    }
    cz_access_rules_give(s, rules);
    cz_cluster_unref(c);
    return code;
}

/* ---- records ------------------------------------------------------------------------------- */

/* A record that cannot be written as a line is left out; any bytes can.  false: no more. */
static bool add_line(struct cz_file_codec *codec, const struct cz_record *r, bool first, struct cz_buf *out)
{
    struct cz_buf line CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(MAX_BYTES);
    if (cz_file_encode(codec, r, &line, NULL) || line.len == 0 || out->len + line.len + 4 > MAX_BYTES)
        return false;
    cz_buf_adds(out, first ? "" : ",\n");
    cz_buf_add(out, line.data, line.len - 1); /* without the newline */
    return true;
}

static void write_lines(const struct cz_consume *q, const struct cz__peek *found, struct cz_buf *out)
{
    size_t count = (size_t)q->count, from = 0, to = found->len;
    struct cz_file_codec *codec = cz_file_codec_new();
    bool last = q->from == CZ_CONSUME_LATEST && q->epoch_ms <= 0, first = true;
    if (to > count && last)
        from = to - count;
    else if (to > count)
        to = count;
    cz_buf_addc(out, '[');
    for (size_t i = from; i < to; i++)
        first &= !add_line(codec, &found->records[i], first, out);
    cz_buf_addc(out, ']');
    cz_file_codec_free(codec);
}

static bool begin_look(struct cz_service *s)
{
    CZ_LOCKED(&s->lock);
    bool room = s->looks < MAX_LOOKS;
    s->looks += room;
    return room;
}

static void end_look(struct cz_service *s)
{
    CZ_LOCKED(&s->lock);
    s->looks--;
}

static enum cz__peek_from from_of(const struct cz_consume *q)
{
    return q->epoch_ms > 0                     ? CZ__PEEK_TIME
           : q->from == CZ_CONSUME_LATEST ? CZ__PEEK_LAST
           : q->from == CZ_CONSUME_OFFSET ? CZ__PEEK_OFFSET
                                               : CZ__PEEK_FIRST;
}

static enum cz_err consume(struct cz_service *s,
                           const struct cz_consume *q,
                           struct cz_buf *out,
                           struct cz_error *err)
{
    struct cz__peek found = {0};
    struct cz__peek_ask ask = {.topic = q->topic,
                               .client_id = "citizenk-controlplane",
                               .read_committed = true,
                               .deadline = cz_deadline_ms(q->timeout_ms),
                               .from = from_of(q),
                               .at = q->epoch_ms > 0 ? q->epoch_ms : q->offset,
                               .count = q->count,
                               .partitions = q->partitions,
                               .partitions_len = q->partitions_len};
    enum cz_err code = cluster_of(s, q->team, q->cluster, &ask.cluster, err);
    if (code == CZ_OK)
        code = cz__peek(s, &ask, &found, err);
    if (code == CZ_OK && found.len == 0 && !found.complete)
        code = cz_fail(err, found.trouble.code ? found.trouble.code : CZ_E_TIMEOUT, "nothing could be read in time%s%s",
                       found.trouble.code ? ": " : "", found.trouble.text);
    if (code == CZ_OK)
        write_lines(q, &found, out);
    cz__peek_done(&found);
    cz_cluster_unref(ask.cluster);
    return code;
}

enum cz_err cz_service_consume(struct cz_service *s,
                               const struct cz_consume *q,
                               struct cz_buf *out,
                               struct cz_error *err)
{
    const struct cz_access_use use = {
        .cluster = q->cluster, .type = CZ_GRANT_TOPIC, .name = q->topic, .mode = CZ_MODE_PEEK};
    enum cz_err code = cz__may_use(s, q->team, &use, err);
    if (code)
        return code;
    if (!begin_look(s))
        return cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, 0,
                             "%d others read records now; try again", MAX_LOOKS);
    code = consume(s, q, out, err);
    end_look(s);
    return code;
}
