/* SPDX-License-Identifier: Apache-2.0 */
/** The stages of a mapping, from a record to what becomes of it:
 *  loop guard → decode → filter → sample → value map → mask → transform → headers → partition → encode.  Masks stand
 *  before the transform, so that it can copy nothing that is not masked; filter and sample see the source's
 *  record.  A mapping that needs no decoding never parses, and its bytes pass through without a copy.  Avro is
 *  shown to the stages as JSON (cz/avro.h says how), and what they changed becomes Avro again by the same
 *  schema.  `struct cz_stages` is compiled once per mapping generation,
 *  immutable and reference counted; the per-lane memory is in `struct cz_stage_ctx`.
 *  Used by the worker, and by anything that shows what the worker would do (preview, tests).
 *  @thread any for cz_stages; a ctx and its results belong to one thread */
#ifndef CZ_STAGES_H
#define CZ_STAGES_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "cz/drop.h"
#include "cz/error.h"
#include "cz/headers.h"
#include "cz/jmespath.h"
#include "cz/mask.h"
#include "cz/record.h"
#include "cz/registry.h"
#include "cz/time.h"

/** A share of the entities, by hash: those whose place of CZ_SAMPLE_UNITS is in [from, to). */
#define CZ_SAMPLE_UNITS 1000000U
struct cz_sample_conf {
    const char *by;   /* "key" (its bytes), "record" or a JMESPath; NULL: no sample stage */
    const char *salt; /* NULL is "" */
    uint32_t from, to;
};
struct cz_stages_pair {
    const char *source, *target; /* topics */
};
/** Schemas of Avro sides, and schema ids of another registry on the way to the target. */
struct cz_stages_schemas {
    struct cz_registry *registry;    /* of the source; NULL: none.  Avro needs it. */
    struct cz_schema_copier *copier; /* to the target's; NULL: ids stay as they are */
    bool copy_key, copy_value;       /* which sides' ids are the copier's */
    enum cz_subjects subjects;
    const struct cz_stages_pair *pairs; /* copied */
    size_t pairs_len;
};
struct cz_stages_conf {
    const char *filter;      /* JMESPath; NULL: all pass */
    struct cz_sample_conf sample;
    const json_t *value_map; /* {"key":{…},"value.a.b":{…},"key:partition":{…}}; NULL: none.
                              * {"topics":{"A":{…}}}: a map of their own for records of topic A */
    struct cz_mask_conf mask; /* key_json is the stages' to fill in */
    const char *transform;   /* JMESPath of the new value, over the masked record; NULL: none.  A
                              * tombstone passes as it is; a null result is an error. */
    struct cz_headers_conf headers;
    enum cz_side_format key_format, value_format;
    bool validate_full;
    struct cz_stages_schemas schemas; /* references are taken */
};
struct cz_stages;
CZ_MUST_USE enum cz_err cz_stages_new(const struct cz_stages_conf *conf,
                                      struct cz_stages **ret,
                                      struct cz_error *err);
struct cz_stages *cz_stages_ref(struct cz_stages *s);
void cz_stages_unref(struct cz_stages *s); /* NULL allowed */
/** Nothing to do: every record passes as it is. */
bool cz_stages_is_raw(const struct cz_stages *s);
/** Something is masked, so the source's record must not get to the target by another way either. */
bool cz_stages_masks(const struct cz_stages *s);

struct cz_stage_ctx;
struct cz_stage_ctx *cz_stage_ctx_new(void);
void cz_stage_ctx_free(struct cz_stage_ctx *c);

enum cz_verdict {
    CZ_VERDICT_PASS,
    CZ_VERDICT_DROP,
    CZ_VERDICT_ERROR,
    CZ_VERDICT_WAIT, /* a schema is not known yet: try the same record again a little later */
};

struct cz_stage_result {
    enum cz_verdict verdict;
    enum cz_drop drop;  /* DROP */
    const char *stage;  /* ERROR: "decode", "filter", "sample", "value_map", "mask",
                         * "transform", "encode" */
    struct cz_slice key, value; /* PASS: what to send; valid until the next run of this ctx */
    bool value_changed; /* value is not the record's own bytes */
    int32_t partition;  /* PASS: chosen by the key map, or -1 */
    bool headers_changed; /* PASS: to be sent with `headers`, else with the record's own */
    const struct cz_header *headers; /* valid as key and value are; may point into the record */
    size_t headers_len;
};
/** Run the stages over a record. ERROR, WAIT: the reason is in @err (filled; may not be NULL). */
void cz_stages_run(const struct cz_stages *s,
                   struct cz_stage_ctx *c,
                   const struct cz_record *r,
                   struct cz_stage_result *ret,
                   struct cz_error *err);

/** As cz_stages_run(), for those that may block: a schema that is not known yet is waited for, until
 *  @deadline or until *@stop (NULL: no such thing); WAIT is the verdict then. */
void cz_stages_run_until(const struct cz_stages *s,
                         struct cz_stage_ctx *c,
                         const struct cz_record *r,
                         cz_time deadline,
                         const atomic_bool *stop,
                         struct cz_stage_result *ret,
                         struct cz_error *err);

/** The headers of a record that goes elsewhere than to the target (a dead letter): its own without
 *  those that the mapping removes. false: all of them. Valid until the next run of this ctx. */
bool cz_stages_kept_headers(const struct cz_stages *s,
                            struct cz_stage_ctx *c,
                            const struct cz_record *r,
                            const struct cz_header **ret,
                            size_t *ret_len);
/** The record as the stages see it, Avro as its JSON, all of it; false: it cannot be read (now). Valid until the
 *  next use of this ctx. */
bool cz_stages_view(const struct cz_stages *s,
                    struct cz_stage_ctx *c,
                    const struct cz_record *r,
                    struct cz_record *ret);
/** Why the filter drops or passes the record, see cz_jmespath_explain(); NULL: there is no filter, or
 *  it fails. Ends the results of the run before. New reference. */
json_t *cz_stages_explain(const struct cz_stages *s, struct cz_stage_ctx *c, const struct cz_record *r);

#endif
