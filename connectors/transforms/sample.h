/* SPDX-License-Identifier: Apache-2.0 */
/** The sample stage (private to libcz_transforms): which entities of the source pass.
 *
 *  The circle of CZ_SAMPLE_UNITS places is a public promise, since two mappings, two versions and
 *  two machines must agree on who is in: place = (h >> 32) * CZ_SAMPLE_UNITS >> 32, where h is
 *  FNV-1a 64 over the salt, a zero byte and the entity, then mixed by MurmurHash3's 64-bit
 *  finalizer.  A record is in when its place is in [from, to). */
#ifndef CZ_SAMPLE_H
#define CZ_SAMPLE_H

#include "cz/stages.h"

struct cz_sample;
enum cz_err
cz_sample_new(const struct cz_sample_conf *conf, struct cz_sample **ret, struct cz_error *err);
void cz_sample_free(struct cz_sample *s); /* NULL allowed */
/** The expression that it evaluates; NULL: none. */
const struct cz_jmespath *cz_sample_expression(const struct cz_sample *s);
/** Is the record in?  @e has begun with it. */
CZ_MUST_USE enum cz_err cz_sample_match(const struct cz_sample *s,
                                        struct cz_eval *e,
                                        const struct cz_record *r,
                                        bool *ret,
                                        struct cz_error *err);

#endif
