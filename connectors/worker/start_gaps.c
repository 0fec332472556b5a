/* SPDX-License-Identifier: Apache-2.0 */
/* Is what we would read still there?  Retention and DeleteRecords take records away below us; a topic
 * that was deleted and created again has other records under the same offsets.  The latter is known
 * by the topic's id, which stands beside each committed position, or by a log that ends below us.
 * What follows is the mapping's `on_gap`; whatever it is, the gap is reported. */
#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/util.h"
#include "worker_priv.h"

enum { ADMIN_MS = 5000 };

static const char *const kind_names[] = {
    [W_GAP_NONE] = "", [W_GAP_TRUNCATED] = "truncated", [W_GAP_RECREATED] = "recreated",
    [W_GAP_BEYOND] = "beyond_end"};
static const char *const action_names[] = {
    [CZ_ON_GAP_STOP] = "stop", [CZ_ON_GAP_SKIP] = "skip", [CZ_ON_GAP_RESTART] = "restart"};

const char *w_gap_kind_name(enum w_gap_kind k)
{
    return kind_names[k];
}

const char *w_gap_action_name(enum cz_on_gap a)
{
    return action_names[a];
}

void w_gaps_free(struct w_gap *g)
{
    while (g) {
        struct w_gap *next = g->next;
        cz_free(g->topic);
        cz_free(g);
        g = next;
    }
}

/* ---- topic ids ------------------------------------------------------------------------------ */

/* The distinct topics of the parts; a task's parts come topic by topic or in turn. */
static const char **topics_of(const struct w_start *s, size_t *ret_n)
{
    const char **names = cz_alloc_array(s->parts_len + 1, sizeof *names);
    struct cz_map seen = CZ_MAP_INIT(NULL);
    *ret_n = 0;
    for (size_t i = 0; i < s->parts_len; i++) {
        const char *topic = s->parts[i].topic;
        if (!cz_map_get(&seen, topic))
            names[(*ret_n)++] = topic;
        cz_map_put(&seen, topic, s->parts[i].topic);
    }
    cz_map_done(&seen);
    return names;
}

static void put_id(struct w_start *s, const struct cz_topic_info *info)
{
    for (size_t i = 0; i < s->parts_len; i++) {
        struct w_place *p = &s->places[i];
        if (strcmp(s->parts[i].topic, info->name) == 0)
            memcpy(p->position.topic_id, info->topic_id[0] ? info->topic_id : p->was.topic_id,
                   sizeof p->position.topic_id);
    }
}

static enum cz_err ask_ids(struct w_start *s, struct cz_error *err)
{
    size_t n = 0;
    const char **names = topics_of(s, &n);
    struct cz_topic_info *infos = NULL;
    enum cz_err code = cz_admin_topics(s->source_admin, names, n, cz_deadline_ms(ADMIN_MS), &infos, err);
    for (size_t i = 0; !code && i < n; i++) {
        if (infos[i].code == CZ_E_NOT_FOUND)
            code = cz_fail_flags(err, CZ_E_NOT_FOUND, CZ_ERR_RETRIABLE, 0,
                                 "source topic %s does not exist", infos[i].name);
        else
            put_id(s, &infos[i]); /* one that may not be described has no id for us */
    }
    if (infos)
        cz_topic_infos_free(infos, n);
    cz_free(names);
    return code;
}

/* ---- looking -------------------------------------------------------------------------------- */

static bool is_recreated(const struct w_place *p)
{
    return p->was.topic_id[0] && p->position.topic_id[0] &&
           strcmp(p->was.topic_id, p->position.topic_id) != 0;
}

/* A new leader may not show the end of its log for a moment, so an offset past it is believed to be
 * one only where a reader was refused, or where the mapping's author wrote it. */
static bool doubts_end(const struct w_start *s, const struct w_place *p)
{
    return p->named || s->gap || is_recreated(p);
}

static enum w_gap_kind judge(const struct w_start *s, const struct w_place *p, int64_t low, int64_t high)
{
    if (is_recreated(p))
        return W_GAP_RECREATED;
    if (p->at < low)
        return W_GAP_TRUNCATED;
    if (!doubts_end(s, p) || p->at <= high)
        return W_GAP_NONE;
    bool same = p->was.topic_id[0] || p->named;
    return same ? W_GAP_BEYOND : W_GAP_RECREATED;
}

static void describe(const struct w_start *s, size_t i, const struct w_gap *g, int64_t low, int64_t high,
                     struct cz_error *err)
{
    const char *topic = s->parts[i].topic;
    int32_t n = s->parts[i].partition;
    if (s->places[i].named)
        (void)cz_fail(err, CZ_E_CONFLICT,
                      "start offset %" PRId64 " is not in %s [%d], which holds %" PRId64 " up to %" PRId64,
                      g->from, topic, n, low, high);
    else if (g->kind == W_GAP_TRUNCATED)
        (void)cz_fail(err, CZ_E_CONFLICT,
                      "%s [%d]: the source has lost %" PRId64 " offsets before they were copied, from %" PRId64
                      " on: its log begins at %" PRId64,
                      topic, n, g->missing, g->from, low);
    else if (g->kind == W_GAP_RECREATED)
        (void)cz_fail(err, CZ_E_CONFLICT,
                      "%s [%d]: the topic was deleted and created again: where we were (%" PRId64
                      ") was in the one before",
                      topic, n, g->from);
    else
        (void)cz_fail(err, CZ_E_CONFLICT,
                      "%s [%d]: position %" PRId64 " is past the end, %" PRId64
                      ": the source has lost records that were copied",
                      topic, n, g->from, high);
}

static bool may_go_on(enum cz_on_gap policy, enum w_gap_kind kind)
{
    return policy == CZ_ON_GAP_SKIP || (policy == CZ_ON_GAP_RESTART && kind == W_GAP_RECREATED);
}

static enum cz_err answer(struct w_start *s, size_t i, enum w_gap_kind kind, int64_t low, int64_t high,
                          struct cz_error *err)
{
    struct w_place *p = &s->places[i];
    struct w_gap *g = cz_alloc(sizeof *g);
    *g = (struct w_gap){.topic = cz_strdup(s->parts[i].topic),
                        .partition = s->parts[i].partition,
                        .kind = kind,
                        .from = p->ask ? -1 : p->at,
                        .to = kind == W_GAP_BEYOND ? high : low,
                        .missing = kind == W_GAP_TRUNCATED ? low - p->at : 0,
                        .next = s->gaps};
    s->gaps = g;
    struct cz_error why = CZ_ERROR_INIT;
    describe(s, i, g, low, high, &why);
    g->action = may_go_on(s->spec->on_gap, kind) ? s->spec->on_gap : CZ_ON_GAP_STOP;
    if (g->action == CZ_ON_GAP_STOP)
        return cz_fail(err, CZ_E_CONFLICT, "%s (on_gap: %s)", why.text, action_names[s->spec->on_gap]);
    cz_log(CZ_LOG_WARN, "worker", "%s: %s; going on at %" PRId64, s->label, why.text, g->to);
    p->at = g->to;
    p->missing = g->missing;
    p->fresh = true;
    if (kind == W_GAP_RECREATED)
        p->was.end = -1; /* an end of the topic before */
    return CZ_OK;
}

/* Nothing of it is to be read any more. */
static bool is_done(const struct w_start *s, const struct w_place *p)
{
    return s->spec->end != CZ_END_NONE && w_end_known(s, p) && p->at >= p->was.end;
}

enum cz_err w_gaps(struct w_start *s, struct cz_error *err)
{
    enum cz_err code = ask_ids(s, err);
    if (code)
        return code;
    int64_t *low = cz_alloc_array(s->parts_len + 1, sizeof *low);
    int64_t *high = cz_alloc_array(s->parts_len + 1, sizeof *high);
    for (size_t i = 0; i < s->parts_len; i++) {
        const struct w_place *p = &s->places[i];
        bool look = (!p->ask || is_recreated(p)) && !is_done(s, p); /* what was asked for is there */
        low[i] = look ? CZ_OFFSET_EARLIEST : W_NOT_ASKED;
        high[i] = look && doubts_end(s, p) ? CZ_OFFSET_LATEST : W_NOT_ASKED;
    }
    code = w_ask_offsets(s, low, false, err);
    if (!code)
        code = w_ask_offsets(s, high, false, err);
    for (size_t i = 0; !code && i < s->parts_len; i++) {
        enum w_gap_kind kind =
            low[i] == W_NOT_ASKED ? W_GAP_NONE : judge(s, &s->places[i], low[i], high[i]);
        if (kind != W_GAP_NONE)
            code = answer(s, i, kind, low[i], high[i], err);
    }
    cz_free(low);
    cz_free(high);
    return code;
}
