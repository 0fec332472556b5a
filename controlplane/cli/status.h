/* SPDX-License-Identifier: Apache-2.0 */
/** A mapping's status as text, for status and describe. */
#ifndef CZ_CLI_STATUS_H
#define CZ_CLI_STATUS_H

#include "cli.h"

/** Get and print it with @indent blanks before each line. */
int cz_status_mapping(struct cz_cli *cli, const char *name, int indent);

#endif
