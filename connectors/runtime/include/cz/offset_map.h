/* SPDX-License-Identifier: Apache-2.0 */
/** Which offset of the target a source's record has, exactly, also through filters: runs of records
 *  that were delivered one after the other (source, target, length), so that a plain copy is one run
 *  however long, and a filter costs a run per stretch that it lets pass.
 *
 *  Kept as records of the compacted topic `<group id>.offset-map` on the target cluster; all of a
 *  mapping in one partition, by a hash of its uid (cz_offsets_partition).
 *  Key: "<uid>/<source topic>/<partition>/<first>".  Value, a *block*:
 *  {"v":1,"first":F,"end":E,"topic":"<of the target>","partition":P,
 *   "runs":[source gap, target gap, length, …]}
 *  It speaks of the source offsets [first, end); what is in no run was not delivered (dropped, or never
 *  there).  Gaps are counted from the end of the run before, at first from `first` and from 0.  P is -1
 *  when the records went to several partitions: then no offset can be translated.
 *  A block replaces all that was said before of source offsets from `first` on: so the copy of a range
 *  that was copied twice (at least once, after a crash) counts last, as who reads on from there sees it.
 *  A task writes an empty block when it begins. The newest block is written again as it grows; when it is full, the next one begins at its end.
 *  @thread one at a time */
#ifndef CZ_OFFSET_MAP_H
#define CZ_OFFSET_MAP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cz/buf.h"
#include "cz/error.h"
#include "cz/time.h"

#define CZ_OFFSET_MAP_TOPIC "%s.offset-map" /* of the group id */
#define CZ_OFFSET_MAP_PARTITIONS 50
#define CZ_OFFSET_MAP_RUNS 1000      /* of a block: some KiB */
#define CZ_OFFSET_MAP_RUNS_MAX 32000 /* while it cannot be written */

struct cz_map_run {
    int64_t source, target, len;
};

/* ---- writing: the newest block of one source partition --------------------------------------- */

struct cz_map_block {
    int64_t first, end;
    int32_t partition; /* of the target; -1: several; -2: none yet */
    struct cz_map_run *runs;
    size_t len, cap;
    int64_t written; /* its end when it was written last; -1: it was not */
};
void cz_map_block_init(struct cz_map_block *b, int64_t first);
void cz_map_block_done(struct cz_map_block *b);
/** A delivered record; @source grows.  A block that could not be written for very long forgets its
 *  runs: a hole in the map. */
void cz_map_block_add(struct cz_map_block *b, int64_t source, int32_t partition, int64_t target);
/** Everything before @position is settled. */
void cz_map_block_reach(struct cz_map_block *b, int64_t position);
/** Go back to what it was at @position (a transaction was aborted). */
void cz_map_block_cut(struct cz_map_block *b, int64_t position);
/** It was written as far as `written`: when it is full, go on as the next block. */
void cz_map_block_next(struct cz_map_block *b);
static inline bool cz_map_block_full(const struct cz_map_block *b)
{
    return b->len >= CZ_OFFSET_MAP_RUNS;
}
char *cz_map_block_key(const struct cz_map_block *b, const char *uid, const char *topic, int32_t partition);
/** The value as text. cz_free */
char *cz_map_block_text(const struct cz_map_block *b, const char *target_topic);

/* ---- reading: all of one source partition ----------------------------------------------------- */

struct cz_map_span {
    int64_t first, end;
};
struct cz_offset_map {
    char *target_topic;
    int32_t target_partition; /* -1: scattered; -2: nothing known */
    struct cz_map_run *runs;  /* by source, and by target */
    size_t runs_len, runs_cap;
    struct cz_map_span *spans; /* what is known; between two of them lies a hole */
    size_t spans_len, spans_cap;
};
void cz_offset_map_done(struct cz_offset_map *m);
/** Take a block of the topic, in its order. CZ_E_PARSE: not one of ours. CZ_E_LIMIT: too many runs. */
CZ_MUST_USE enum cz_err cz_offset_map_take(struct cz_offset_map *m, const json_t *block, struct cz_error *err);

enum cz_translation {
    CZ_TRANSLATED,  /* exact */
    CZ_MAP_HOLE,    /* in a hole: *ret is the last offset before it from which nothing is missed */
    CZ_MAP_BEFORE,  /* older than what the map knows */
    CZ_MAP_AHEAD,   /* not copied yet: *ret is where it will begin, at the earliest */
    CZ_MAP_NONE,    /* nothing is known, or the records are scattered */
};
/** Who has read the source up to @source (the next to read) goes on at *ret of the target and sees
 *  exactly the records that were copied from there on. */
enum cz_translation cz_offset_map_forward(const struct cz_offset_map *m, int64_t source, int64_t *ret);
/** And back: who goes on at @target of the target goes on at *ret of the source. */
enum cz_translation cz_offset_map_back(const struct cz_offset_map *m, int64_t target, int64_t *ret);

/** The maps of a mapping, as the topic says now: "<source topic>/<partition>" → struct cz_offset_map.
 *  Reads its partition from the beginning. @param ret initialised here; cz_map_done() */
struct cz_admin;
struct cz_cluster;
struct cz_map;
CZ_MUST_USE enum cz_err cz_offset_maps_read(struct cz_cluster *target, struct cz_admin *admin,
                                            const char *group_id, const char *uid, cz_time deadline,
                                            struct cz_map *ret, struct cz_error *err);

#endif
