/* SPDX-License-Identifier: Apache-2.0 */
/* Where a task begins, and where a bounded copy ends.
 *
 * A position that could not be read is never "no position": every failure ends the start, and it is
 * tried again.  A start policy is used only where the group never committed, where `on_change` asks
 * for it, or where a copy that has FINISHED shall run again.  What a policy resolves to, an end too,
 * is committed *before* the first record, so that a crash right after cannot resolve it to something
 * else: a copy keeps its end over restarts and hand-overs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/util.h"
#include "worker_priv.h"

enum { ADMIN_MS = 5000 };

/* ---- the policy ----------------------------------------------------------------------------- */

/* Of a generation before ours; what is not ours (a tool reset the group) counts as answered. */
static bool change_unanswered(const struct w_start *s, const struct cz_position *was)
{
    return s->spec->on_change != CZ_ON_CHANGE_KEEP && was->kind && was->generation < s->generation;
}

/* A copy that FINISHED is to be run again: from its `start` when that names a place.  After a change
 * its position is `on_change`'s business. */
static bool run_again(const struct w_start *s, const struct cz_position *was)
{
    enum cz_start start = s->spec->start;
    if (s->spec->source_file)
        return was->run < s->run;
    return s->restarted && s->spec->end != CZ_END_NONE && was->end >= 0 && was->run < s->run &&
           start != CZ_START_COMMITTED && start != CZ_START_LATEST;
}

/* What to ask ListOffsets for, or (>= 0 with *ret_exact) an offset given by the user. */
static int64_t policy(const struct w_start *s, const struct w_part *p, bool changed, bool *ret_exact)
{
    const struct cz_mapping_spec *spec = s->spec;
    *ret_exact = false;
    if (changed)
        return spec->on_change == CZ_ON_CHANGE_LATEST ? CZ_OFFSET_LATEST : CZ_OFFSET_EARLIEST;
    /* A partition that came after the mapping began: all of it is new. */
    if (p->from_start)
        return CZ_OFFSET_EARLIEST;
    switch (spec->start) {
    case CZ_START_EARLIEST:
        return CZ_OFFSET_EARLIEST;
    case CZ_START_TIMESTAMP:
        return spec->start_ms;
    case CZ_START_OFFSETS: {
        char number[16];
        (void)snprintf(number, sizeof number, "%d", p->partition);
        int64_t at = cz_json_int(spec->start_offsets, number, -1);
        *ret_exact = at >= 0;
        return at >= 0 ? at : CZ_OFFSET_EARLIEST;
    }
    case CZ_START_COMMITTED:
    case CZ_START_LATEST:
        break;
    }
    return CZ_OFFSET_LATEST;
}

static void choose(const struct w_start *s, size_t i, bool changed)
{
    struct w_place *p = &s->places[i];
    bool exact;
    p->fresh = true;
    if (s->spec->source_file) {
        p->at = 0; /* a file has no other place to begin */
        return;
    }
    p->at = policy(s, &s->parts[i], changed, &exact);
    p->ask = !exact;
    p->named = exact;
    p->was.topic_id[0] = '\0';
}

/* ---- asking --------------------------------------------------------------------------------- */

/* ListOffsets answers one kind of question per partition. */
enum cz_err w_ask_offsets(struct w_start *s, int64_t *what, bool read_committed, struct cz_error *err)
{
    struct cz_tp_list list = {0};
    for (size_t i = 0; i < s->parts_len; i++) {
        if (what[i] != W_NOT_ASKED)
            cz_tp_list_add(&list, s->parts[i].topic, s->parts[i].partition, what[i]);
    }
    enum cz_err code = CZ_OK;
    if (list.len > 0)
        code = cz_admin_list_offsets(s->source_admin, &list, read_committed,
                                     cz_deadline_ms(ADMIN_MS), err);
    for (size_t i = 0, k = 0; !code && i < s->parts_len; i++) {
        if (what[i] == W_NOT_ASKED)
            continue;
        const struct cz_tp *tp = &list.items[k++];
        if (tp->code || tp->offset < 0)
            code = cz_fail_flags(err, tp->code ? tp->code : CZ_E_KAFKA, CZ_ERR_RETRIABLE, 0,
                                 "%s [%d]: its offsets cannot be read (%s)", tp->topic, tp->partition,
                                 cz_err_slug(tp->code));
        what[i] = tp->offset;
    }
    cz_tp_list_done(&list);
    return code;
}

static enum cz_err resolve_begins(struct w_start *s, struct cz_error *err)
{
    int64_t *what = cz_alloc_array(s->parts_len + 1, sizeof *what);
    for (size_t i = 0; i < s->parts_len; i++)
        what[i] = s->places[i].ask ? s->places[i].at : W_NOT_ASKED;
    enum cz_err code = w_ask_offsets(s, what, s->spec->read_committed, err);
    for (size_t i = 0; !code && i < s->parts_len; i++) {
        if (what[i] != W_NOT_ASKED)
            s->places[i].at = what[i];
    }
    cz_free(what);
    return code;
}

/* ---- ends ----------------------------------------------------------------------------------- */

/* Was this very copy's end resolved before? */
bool w_end_known(const struct w_start *s, const struct w_place *p)
{
    int64_t end_ms = s->spec->end == CZ_END_TIMESTAMP ? s->spec->end_ms : 0;
    return p->was.end >= 0 && p->was.end_ms == end_ms && p->was.run >= s->run;
}

/* A time that is still to come cannot be asked for: the lane stops at the first record of it, and
 * the task is started again when it has come. */
static bool still_to_come(const struct cz_mapping_spec *spec)
{
    return spec->end == CZ_END_TIMESTAMP && spec->end_ms > cz_wall_ms();
}

/* Written by the mapping's author: nothing to ask for, and the same in every run. */
static void take_ends(struct w_start *s)
{
    for (size_t i = 0; i < s->parts_len; i++) {
        struct w_place *p = &s->places[i];
        char number[16];
        (void)snprintf(number, sizeof number, "%d", (int)s->parts[i].partition);
        int64_t end = cz_json_int(s->spec->end_offsets, number, -1);
        bool known = w_end_known(s, p);
        p->position.run = s->run;
        p->position.begin = known ? p->was.begin : p->at;
        p->position.end = end > p->at ? end : p->at;
        p->fresh |= !known || p->was.end != p->position.end;
    }
}

static enum cz_err resolve_ends(struct w_start *s, struct cz_error *err)
{
    const struct cz_mapping_spec *spec = s->spec;
    if (spec->end == CZ_END_OFFSETS) {
        s->until_ms = 0;
        take_ends(s);
        return CZ_OK;
    }
    s->until_ms = still_to_come(spec) ? spec->end_ms : 0;
    if (spec->end == CZ_END_NONE || s->until_ms > 0)
        return CZ_OK;
    int64_t *what = cz_alloc_array(s->parts_len + 1, sizeof *what);
    for (size_t i = 0; i < s->parts_len; i++) {
        int64_t end = spec->end == CZ_END_NOW ? CZ_OFFSET_LATEST : spec->end_ms;
        what[i] = w_end_known(s, &s->places[i]) ? W_NOT_ASKED : end;
    }
    enum cz_err code = w_ask_offsets(s, what, s->spec->read_committed, err);
    for (size_t i = 0; !code && i < s->parts_len; i++) {
        struct w_place *p = &s->places[i];
        p->position.run = s->run;
        p->position.begin = p->was.begin;
        p->position.end = p->was.end;
        p->position.end_ms = spec->end == CZ_END_TIMESTAMP ? spec->end_ms : 0;
        if (what[i] == W_NOT_ASKED)
            continue;
        p->position.begin = p->at;
        p->position.end = what[i] > p->at ? what[i] : p->at;
        p->fresh = true;
    }
    cz_free(what);
    return code;
}

/* ---- what is committed ---------------------------------------------------------------------- */

/* A group's offsets go with the topic that is deleted, so that none are there does not mean that we
 * never read a topic of this name. */
static void recall_topic(struct w_start *s, size_t i)
{
    const struct w_part *part = &s->parts[i];
    const char *id = part->ran_id[0] ? part->ran_id : part->was_id[0] ? part->was_id : part->topic_id;
    memcpy(s->places[i].was.topic_id, id, sizeof part->topic_id);
}

/* Which cluster it was that did not answer. */
static enum cz_err of_target(struct w_start *s, enum cz_err code)
{
    s->target_failed = code != CZ_OK;
    return code;
}

static enum cz_err committed(struct worker *w, struct w_start *s, struct cz_error *err)
{
    struct cz_tp_list list = {0};
    for (size_t i = 0; i < s->parts_len; i++)
        cz_tp_list_add(&list, s->parts[i].topic, s->parts[i].partition, -1);
    enum cz_err code = CZ_OK;
    if (s->group)
        code = cz_admin_group_offsets(s->source_admin, s->group, &list, cz_deadline_ms(ADMIN_MS), err);
    if (!code && s->sink)
        w_sink_positions(s, &list);
    else if (!code)
        code = of_target(s, w_txn_positions(w, s, &list, err));
    for (size_t i = 0; !code && i < s->parts_len; i++) {
        const struct cz_tp *tp = &list.items[i];
        struct w_place *p = &s->places[i];
        if (tp->code) {
            code = cz_fail_flags(err, tp->code, CZ_ERR_RETRIABLE, 0,
                                 "%s [%d]: the committed offset cannot be read (%s)", tp->topic,
                                 tp->partition, cz_err_slug(tp->code));
            break;
        }
        bool known = tp->offset >= 0;
        if (known)
            (void)cz_position_parse(tp->metadata, &p->was);
        bool changed = known && change_unanswered(s, &p->was);
        if (known && !changed && !run_again(s, &p->was)) {
            p->at = tp->offset;
            continue;
        }
        choose(s, i, changed);
        if (!known && !s->parts[i].from_start) /* else all of it is read in any case */
            recall_topic(s, i);
    }
    cz_tp_list_done(&list);
    return code;
}

/* Commit what was chosen, before anything is read from there. */
static enum cz_err settle(struct w_start *s, struct cz_error *err)
{
    struct cz_tp_list list = {0};
    for (size_t i = 0; i < s->parts_len; i++) {
        const struct w_place *p = &s->places[i];
        if (p->fresh)
            cz_tp_list_add(&list, s->parts[i].topic, s->parts[i].partition, p->at)->metadata =
                cz_position_text(&p->position);
    }
    enum cz_err code = CZ_OK;
    if (list.len > 0)
        code = cz_admin_commit(s->source_admin, s->group, &list, cz_deadline_ms(ADMIN_MS), err);
    for (size_t i = 0; !code && i < list.len; i++) {
        if (list.items[i].code)
            code = cz_fail_flags(err, list.items[i].code, CZ_ERR_RETRIABLE, 0,
                                 "the start position cannot be committed to group %s (%s)", s->group,
                                 cz_err_slug(list.items[i].code));
    }
    cz_tp_list_done(&list);
    return code;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum cz_err known_or_chosen(struct worker *w, struct w_start *s, struct cz_error *err)
{
    if (s->group || s->spec->exactly_once || s->spec->source_file)
        return committed(w, s, err);
    for (size_t i = 0; i < s->parts_len; i++) {
        struct w_place *p = &s->places[i];
        if (s->resume[i] < 0) {
            choose(s, i, false);
            continue;
        }
        p->at = s->resume[i];
        memcpy(p->was.topic_id, s->parts[i].ran_id, sizeof p->was.topic_id);
    }
    return CZ_OK;
}

enum cz_err w_places(struct worker *w, struct w_start *s, struct cz_error *err)
{
    enum cz_err code = s->source ? w_admin(w, s->source, &s->source_admin, err) : CZ_OK;
    if (code)
        return code;
    s->places = cz_alloc_array(s->parts_len + 1, sizeof *s->places);
    for (size_t i = 0; i < s->parts_len; i++) {
        struct w_place *p = &s->places[i];
        p->was = p->position = (struct cz_position)CZ_POSITION_INIT;
        p->position.kind = s->spec->exactly_once ? 'x' : 'g';
        p->position.generation = s->generation;
        if (s->spec->source_file) { /* it ends where it ends; beside that end the run is kept */
            p->position.run = s->run;
            p->position.begin = 0;
            p->position.end = INT64_MAX;
        }
    }
    code = known_or_chosen(w, s, err);
    if (!code)
        code = resolve_begins(s, err);
    if (!code && s->source)
        code = w_gaps(s, err);
    if (!code)
        code = resolve_ends(s, err);
    if (!code && s->spec->exactly_once)
        code = s->sink ? w_sink_claim(s, err) : of_target(s, w_txn_begin(w, s, err));
    if (!code && s->group)
        code = settle(s, err);
    struct cz_cluster *silent = s->target_failed ? s->target : s->source;
    if (silent && (code == CZ_E_TIMEOUT || code == CZ_E_UNAVAILABLE))
        w_cluster_down(w, silent);
    return code;
}

void w_place_fill(const struct w_start *s, size_t i, struct cz_task_partition *out)
{
    const struct w_place *p = &s->places[i];
    out->start = p->at;
    out->bounded = p->position.end >= 0 && !s->spec->source_file;
    out->until_ms = s->until_ms;
    out->missing = p->missing;
    out->position = p->position;
}
