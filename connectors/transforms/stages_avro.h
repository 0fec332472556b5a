/* SPDX-License-Identifier: Apache-2.0 */
/** Avro around the stages (private to libcz_transforms): in front of them a datum becomes JSON, as
 *  much of it as they read; behind them what they changed becomes a datum again, and schema ids
 *  become those of the target's registry. */
#ifndef CZ_STAGES_AVRO_H
#define CZ_STAGES_AVRO_H

#include "cz/stages.h"
#include "sample.h"

struct cz_avro_stage; /* immutable */
struct cz_avro_ctx;   /* a lane's memory */

/** How a side's format looks to expressions. */
enum cz_side_format cz_avro_stage_shown(enum cz_side_format f);
/** *ret NULL: nothing to do. @param shapes a stage behind filter and sample reads the value */
enum cz_err cz_avro_stage_new(const struct cz_stages_conf *conf,
                              const struct cz_jmespath *filter,
                              const struct cz_sample *sample,
                              bool shapes,
                              struct cz_avro_stage **ret,
                              struct cz_error *err);
void cz_avro_stage_free(struct cz_avro_stage *a); /* NULL allowed */
struct cz_avro_ctx *cz_avro_ctx_new(void);
void cz_avro_ctx_free(struct cz_avro_ctx *c);

/** Make @seen's Avro sides JSON, of the value what filter and sample read; key and value of @ret are
 *  @seen's then.  false: the verdict is in @ret. */
bool cz_avro_stage_open(struct cz_avro_stage *a,
                        struct cz_avro_ctx *c,
                        const struct cz_record *r,
                        struct cz_record *seen,
                        struct cz_stage_result *ret,
                        struct cz_error *err);
/** The record whose key bytes are the entity: of a key that is an Avro string its content. */
const struct cz_record *
cz_avro_stage_entity(const struct cz_avro_stage *a, struct cz_avro_ctx *c, const struct cz_record *seen);
/** Make @seen's value whole. */
bool cz_avro_stage_whole(struct cz_avro_stage *a,
                         struct cz_avro_ctx *c,
                         struct cz_record *seen,
                         struct cz_stage_result *ret,
                         struct cz_error *err);
/** What is sent: @r's own bytes where @ret still has @seen's, else a new datum; then the ids. */
void cz_avro_stage_close(struct cz_avro_stage *a,
                         struct cz_avro_ctx *c,
                         const struct cz_record *r,
                         const struct cz_record *seen,
                         struct cz_stage_result *ret,
                         struct cz_error *err);
enum { CZ_AVRO_SIDES = 2 };
/** After closing: does a header name another schema now?  Its value as it was, and as it is to be. */
bool cz_avro_stage_header(const struct cz_avro_ctx *c, int side, struct cz_slice *ret_was, struct cz_slice *ret_now);

#endif
