/* SPDX-License-Identifier: Apache-2.0 */
/** Getting one object, for get and describe. */
#ifndef CZ_CLI_GET_H
#define CZ_CLI_GET_H

#include <jansson.h>

#include "cli.h"

/** What is wrong is said. @param ret new reference */
int cz_get_one(struct cz_cli *cli, const struct cz_cli_target *t, json_t **ret);

#endif
