/* SPDX-License-Identifier: Apache-2.0 */
/** What commands write to cli->out: documents in the wanted format, and small texts. */
#ifndef CZ_CLI_OUTPUT_H
#define CZ_CLI_OUTPUT_H

#include <jansson.h>

#include "cli.h"

/** Pretty JSON and a line break. */
void cz_out_json(struct cz_cli *cli, const json_t *j);
/** As -o json, yaml; false for the other formats: nothing was written. */
bool cz_out_document(struct cz_cli *cli, const json_t *j);
/** Objects of one kind: table, {"items":[…]}, YAML documents, or "kind/name" lines. */
void cz_out_list(struct cz_cli *cli, const struct cz_cli_kind *kind, const json_t *items);
/** One object (as table: a list of one). */
void cz_out_one(struct cz_cli *cli, const struct cz_cli_kind *kind, const json_t *item);
/** The line of a write: "mapping/orders configured". @said "created", "paused", … */
void cz_out_done(struct cz_cli *cli, const char *kind, const char *name, const char *said);
/** A line "~ /spec/x: "a" -> "b"" of {"op","pointer","from","to"}. */
void cz_out_difference(struct cz_cli *cli, int indent, const json_t *d);
/** Say the warnings of a write's answer on stderr. */
void cz_out_warnings(const char *what, const json_t *answer);
/** "name   text" with the name padded to @width. */
void cz_out_field(struct cz_cli *cli, int width, const char *name, const char *text);

#endif
