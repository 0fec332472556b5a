/* SPDX-License-Identifier: Apache-2.0 */
/** The tests that a mapping's document holds: an input record, and what must become of it.
 *
 *    {"name": "keeps sales",
 *     "input":  {"key","value","headers","topic","partition","offset","timestamp"},   cz/record_json.h
 *     "expect": {"passed": true | "dropped": true or a reason | "error": true or a stage,
 *                "key","value","headers","partition"}}
 *
 *  They run by the worker's own stages.  A record that is given in `expect` must come out so: values
 *  are compared as JSON; headers given as an object must be there (others may), as a list they are
 *  all.  The default topic is the first one of the mapping.  @thread any */
#ifndef CZ_MAPPING_TESTS_H
#define CZ_MAPPING_TESTS_H

#include "cz/mapping_stages.h"

/** Run them; what differs is a problem "test-failed" at <pointer>/tests/<n>.  Stages that cannot be
 *  made (a secret that this process cannot have) are a problem as well. */
void cz_mapping_tests_run(const struct cz_mapping_spec *spec,
                          const struct cz_mapping_stages_env *env,
                          const char *pointer,
                          struct cz_report *rep);

#endif
