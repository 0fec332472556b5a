/* SPDX-License-Identifier: Apache-2.0 */
/** The channel between control plane and workers: two compacted topics on the control cluster.
 *
 *  `<id>.config` (1 partition, written by the leader only, in transactions):
 *    settings               {"snapshot":true,"count":n}        last record of every full (healing) publish
 *    cluster/<team>/<name>  {"team","name","spec":{…}}         see cz/kafka.h; secrets as references
 *    mapping/<uid>          {"uid","team","name","generation":"3","state":"RUNNING|PAUSED|STOPPED",
 *                            "restart":"<seq of the last restart request>","switched_on":"<seq; when
 *                            a group of the target's service is to be deleted>"?,"run":"<seq of the last
 *                            restart or change of a FINISHED mapping>"?,"spec":{resolved spec}}
 *    assignment/<uid>       {"uid","generation":"<assignment generation>","tasks":[{"task":0,"worker":"w1",
 *                            "partitions":[{"topic":"orders","partition":0,"from_start":true?}]}]}
 *  `<id>.status` (1 partition, written by the workers):
 *    worker/<id>            {"id","incarnation","host","version","started_ms","rest","capacity","files",
 *                            "lease_ms","applied":"<revision>","epoch":"<of that record>","tasks":n,"queue":n,"at_ms"}
 *    task/<uid>/<n>         {"uid","task":n,"state":"RUNNING","worker","incarnation","generation":"<assignment>",
 *                            "mapping_generation":"3","error":{"code","text"}|absent,"since_ms","at_ms"}
 *    stats/<worker>/<uid>   {"worker","uid","at_ms","partitions":[{"topic","partition","in","out",
 *                            "bytes_in","bytes_out","dropped":{"filter":n,…},"position","end","lag",
 *                            "begin"?,"stop"?}],
 *                            "delay":{"counts":[17],"sum_ms","total"},"held":<by its rate>,"held_ms"}
 *    gap/<uid>/<topic>/<p>  {"uid","topic","partition","kind":"truncated|recreated|beyond_end",
 *                            "action":"stop|skip|restart","from","to","missing","worker","at_ms"}, the last
 *                            one of the partition
 *  Every value also carries `v` (format version, 1), and on the config topic `revision` (seq) and
 *  `epoch`.  Readers keep unknown fields and skip a record whose `v` they do not know (and count
 *  it); they ignore an epoch lower than the highest seen.  Each record is understood alone.
 *  64-bit numbers may be strings; read them with cz_json_int(). */
#ifndef CZ_CHANNEL_H
#define CZ_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/error.h"
#include "cz/kafka.h"
#include "cz/time.h"

#define CZ_CHANNEL_VERSION 1

/* ---- keys and values ---------------------------------------------------------------------- */

enum cz_channel_kind {
    CZ_CH_SETTINGS, CZ_CH_CLUSTER, CZ_CH_MAPPING, CZ_CH_ASSIGNMENT, /* config */
    CZ_CH_WORKER, CZ_CH_TASK, CZ_CH_STATS, CZ_CH_GAP,               /* status */
    CZ_CH_UNKNOWN,
};
/** Split a key; @ret_a and @ret_b point into @key's copy (cz_free(*ret_copy)):
 *  cluster → team, name; mapping, assignment → uid; worker → id; task → uid, n; stats → worker, uid;
 *  gap → uid, "<topic>/<partition>". */
enum cz_channel_kind cz_channel_key(const char *key, char **ret_copy, const char **ret_a, const char **ret_b);
/** Build a key. cz_free. @b may be NULL. */
char *cz_channel_make_key(enum cz_channel_kind kind, const char *a, const char *b);

struct cz_channel_record {
    char *key;
    json_t *value;     /* NULL: tombstone */
    int64_t revision;  /* 0 when absent */
    int64_t epoch;
    int64_t offset;
    int64_t timestamp_ms;
};
void cz_channel_record_done(struct cz_channel_record *r);
/** Bytes → record; bounded (CZ_MAX_CHANNEL_RECORD, depth). Bad bytes: CZ_E_PARSE; newer format: CZ_E_INVALID.
 *  This is a fuzz target. */
CZ_MUST_USE enum cz_err cz_channel_decode(const void *key, size_t key_len, const void *value,
                                          size_t value_len, struct cz_channel_record *ret, struct cz_error *err);
/** Value → bytes with v, revision, epoch stamped (revision 0 / epoch 0: left out). cz_free(*ret). */
CZ_MUST_USE enum cz_err cz_channel_encode(const json_t *value, int64_t revision, int64_t epoch,
                                          char **ret, size_t *ret_len, struct cz_error *err);

/* ---- topics ------------------------------------------------------------------------------- */

/** Names: "<group_id>.config", "<group_id>.status". cz_free. */
char *cz_channel_config_topic(const char *group_id);
char *cz_channel_status_topic(const char *group_id);
/** Create both when missing: 1 partition, compact, min.cleanable.dirty.ratio 0.1, segment.ms and
 *  delete.retention.ms sensible, replication min(3, brokers). An existing topic with more than one
 *  partition, or without compaction, is CZ_E_CONFLICT with the cure in the text.
 *  @param ret_created true when the config topic was made now (so it is empty); may be NULL */
CZ_MUST_USE enum cz_err cz_channel_ensure(struct cz_admin *a, const char *group_id, cz_time deadline,
                                          bool *ret_created, struct cz_error *err);

/* ---- follow ------------------------------------------------------------------------------- */

/** Reads one compacted topic from its beginning to its end and on (read_committed), for ever, on a
 *  thread of its own; survives broker outages, a missing topic (waits) and a topic deleted and
 *  created again (detected by topic id, by a high watermark below the position, or by an unknown
 *  topic): then on_reset runs and reading starts over.  Callbacks run on the follower's thread. */
struct cz_follower;
struct cz_follower_ops {
    /** A record; @r is borrowed. Undecodable ones are counted and logged, not given. */
    void (*on_record)(void *arg, const struct cz_channel_record *r);
    /** The end, as it was when (re)reading began, is reached. Once per (re)read. */
    void (*on_end)(void *arg);
    /** The topic is another one now; reading starts over. State is kept by the user until on_end. */
    void (*on_reset)(void *arg);
};
CZ_MUST_USE enum cz_err cz_follower_new(struct cz_cluster *c, const char *topic, const char *client_id,
                                        const struct cz_follower_ops *ops, void *arg,
                                        struct cz_follower **ret, struct cz_error *err);
void cz_follower_free(struct cz_follower *f); /* stops and joins */
/** Wait until everything up to the high watermark of now has been given to on_record.
 *  CZ_E_TIMEOUT, CZ_E_UNAVAILABLE. Not from the follower's own thread. */
CZ_MUST_USE enum cz_err cz_follower_sync(struct cz_follower *f, cz_time deadline, struct cz_error *err);

/* ---- publish ------------------------------------------------------------------------------ */

struct cz_channel_write {
    const char *key;
    const json_t *value; /* NULL: tombstone */
    int64_t revision;
    const char *trace_id; /* → record header "traceparent"; NULL: none */
};
/** The leader's writer. transactional.id = "<group_id>.config": creating one fences the one before. */
struct cz_config_writer;
CZ_MUST_USE enum cz_err cz_config_writer_new(struct cz_cluster *c, const char *group_id, cz_time deadline,
                                             struct cz_config_writer **ret, struct cz_error *err);
/** All records in one transaction. CZ_E_FENCED|FATAL: a newer leader exists. Other errors: FATAL
 *  set → make a new writer (after proving the leadership), else retry. After an indefinite
 *  outcome the writer is FATAL, so nothing of it can show up later. */
CZ_MUST_USE enum cz_err cz_config_writer_publish(struct cz_config_writer *w,
                                                 const struct cz_channel_write *records, size_t n,
                                                 int64_t epoch, cz_time deadline, struct cz_error *err);
void cz_config_writer_free(struct cz_config_writer *w);

/** A worker's writer to the status topic: idempotent, never blocks. */
struct cz_status_writer;
CZ_MUST_USE enum cz_err cz_status_writer_new(struct cz_cluster *c, const char *group_id,
                                             struct cz_status_writer **ret, struct cz_error *err);
/** @acked (may be NULL) runs on the writer's thread once the broker has it (or it failed).
 *  A full queue drops the record and returns CZ_E_LIMIT. */
enum cz_err cz_status_writer_send(struct cz_status_writer *w, const char *key, const json_t *value,
                                  void (*acked)(void *arg, enum cz_err code), void *arg, struct cz_error *err);
void cz_status_writer_flush(struct cz_status_writer *w, cz_time deadline);
void cz_status_writer_free(struct cz_status_writer *w);

#endif
