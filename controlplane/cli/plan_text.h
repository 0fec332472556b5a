/* SPDX-License-Identifier: Apache-2.0 */
/** A plan as people read it: on a terminal, and as Markdown under a pull request. */
#ifndef CZ_CLI_PLAN_TEXT_H
#define CZ_CLI_PLAN_TEXT_H

#include <jansson.h>

#include "set_file.h"

/** @j for the places of blocked objects in the files; NULL: none. */
void cz_plan_text(const json_t *plan, const struct cz_set_job *j, struct cz_buf *out);
void cz_plan_markdown(const json_t *plan, struct cz_buf *out);
/** Of "drift" lists. */
void cz_drift_text(const json_t *drift, struct cz_buf *out);
size_t cz_plan_changes(const json_t *plan); /* that an apply would make */
size_t cz_plan_blocked(const json_t *plan);

/* cmd_plan.c */
int cz_plan_set(struct cz_cli *cli, struct cz_set_job *j, const char *file); /* @file NULL: not saved */
int cz_apply_set(struct cz_cli *cli, struct cz_set_job *j);
int cz_apply_plan(struct cz_cli *cli, const char *path); /* of a saved plan */

#endif
