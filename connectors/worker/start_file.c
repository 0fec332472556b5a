/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a task.  As targets: opened by a starter, because repairing and scanning take their time.
 * Exactly once: the file itself says how far it goes, as the offsets topic does for topics. */
#include "cz/alloc.h"
#include "cz/util.h"
#include "worker_priv.h"

enum { FLUSH_MS = 50, FLUSH_PACKED_MS = 500 };

enum cz_err w_folder(struct worker *w, struct cz_error *err)
{
    if (w->files)
        return CZ_OK;
    return cz_fail(err, CZ_E_INVALID, "worker %s has no folder of files: start it with --file-data-path", w->o.id);
}

struct cz_replay w_replay(const struct worker *w, const struct cz_mapping_spec *spec)
{
    return (struct cz_replay){
        .folder = w->files,
        .speed = spec->replay_speed,
        .loop = spec->replay_loop,
        .shift = (enum cz_shift)spec->replay_shift,
        .shift_ms = spec->replay_shift_ms,
        .from_ms = spec->replay_from_ms,
        .to_ms = spec->replay_to_ms,
    };
}

enum cz_err w_sink_open(struct worker *w, struct w_start *s, struct cz_error *err)
{
    const struct cz_mapping_spec *spec = s->spec;
    enum cz_err code = w_folder(w, err);
    if (code)
        return code;
    bool packed = spec->target_packing != CZ_FILE_PLAIN;
    int flush = packed ? FLUSH_PACKED_MS : FLUSH_MS;
    const struct cz_file_sink_options o = {
        .folder = w->files,
        .packing = (enum cz_file_packing)spec->target_packing,
        .rotate_bytes = spec->rotate_bytes,
        .rotate_ms = spec->rotate_ms,
        .flush_ms = spec->exactly_once && spec->commit_interval_ms > flush ? (int)spec->commit_interval_ms : flush,
        .exact = spec->exactly_once,
        .written = cz_inflight_written,
    };
    s->sink = cz_file_sink_new(&o);
    s->outs = cz_alloc_array(s->parts_len + 1, sizeof *s->outs);
    for (size_t i = 0; !code && i < s->parts_len; i++) {
        const char *target = w_target_of(spec, s->parts[i].topic);
        if (target)
            code = cz_file_sink_open(s->sink, target, &s->outs[i], err);
    }
    return code;
}

/* Of a commit or claim of ours, whichever delivery it was made by; -1: none. */
static int64_t generation_of(const char *text)
{
    struct cz_position p;
    return cz_position_parse(text, &p) ? p.generation : -1;
}

static void put(struct cz_tp *tp, int64_t at, const char *note, int64_t generation)
{
    struct cz_position p = {.generation = generation, .begin = -1, .end = -1};
    (void)cz_position_parse(note, &p);
    p.kind = 'g'; /* it is answered, as by a commit */
    tp->offset = at;
    cz_free((char *)CZ_UNCONST(tp->metadata));
    tp->metadata = cz_position_text(&p);
}

/* The file counts: what it has must not come twice.  Only a claim that is newer than what the group
 * has may lie before it (a policy chose that place, and the group was not told any more), or what an
 * operator moved the group to. */
void w_sink_positions(struct w_start *s, struct cz_tp_list *l)
{
    for (size_t i = 0; i < s->parts_len && s->spec->exactly_once; i++) {
        struct cz_tp *tp = &l->items[i];
        const char *claim = NULL;
        int64_t at = s->outs[i] ? cz_file_out_position(s->outs[i], tp->topic, tp->partition, &claim) : -1;
        s->places[i].fresh = true;
        bool moved = tp->offset >= 0 && cz_streq(tp->metadata, CZ_POSITION_MOVED);
        if (tp->code || at < 0 || moved)
            continue;
        bool known = tp->offset >= 0 && generation_of(tp->metadata) >= 0;
        bool newer = !known || generation_of(claim) > generation_of(tp->metadata);
        CZ_CLEANUP(cz_freep) char *note = cz_strdup(newer ? claim : tp->metadata);
        put(tp, newer || at > tp->offset ? at : tp->offset, note, s->generation);
    }
}

enum cz_err w_sink_claim(struct w_start *s, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; i < s->parts_len; i++) {
        CZ_CLEANUP(cz_freep) char *note = cz_position_text(&s->places[i].position);
        if (s->outs[i])
            cz_file_out_claim(s->outs[i], s->parts[i].topic, s->parts[i].partition, s->places[i].at, note);
    }
    for (size_t i = 0; !code && i < s->parts_len; i++) {
        bool seen = !s->outs[i];
        for (size_t k = 0; k < i && !seen; k++)
            seen = s->outs[k] == s->outs[i];
        if (!seen)
            code = cz_file_out_claimed(s->outs[i], err);
    }
    return code;
}
