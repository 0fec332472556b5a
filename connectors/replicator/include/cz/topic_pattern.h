/* SPDX-License-Identifier: Apache-2.0 */
/** `source.pattern` and `source.exclude`: which topics of a cluster a mapping reads.
 *
 *  POSIX extended regular expressions of libc, found anywhere in the name unless anchored.  Without
 *  back references, whose matching takes exponential time, and with repetitions that multiply to 1000
 *  at most, whose compiling takes the memory: so a tenant's expression costs time in proportion to the
 *  name only.  Topics whose name begins with two underscores never match.  @thread any, immutable */
#ifndef CZ_TOPIC_PATTERN_H
#define CZ_TOPIC_PATTERN_H

#include <jansson.h>
#include <stdbool.h>

#include "cz/error.h"

struct cz_topic_pattern;
/** @exclude a list of expressions; NULL: none */
CZ_MUST_USE enum cz_err cz_topic_pattern_new(const char *pattern, const json_t *exclude,
                                             struct cz_topic_pattern **ret, struct cz_error *err);
void cz_topic_pattern_free(struct cz_topic_pattern *p);
bool cz_topic_pattern_match(const struct cz_topic_pattern *p, const char *topic);

/** The target's name: the source's (@template NULL), or the template with every {{topic}} replaced.
 *  cz_free. */
char *cz_topic_template(const char *template, const char *topic);

#endif
