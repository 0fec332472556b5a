/* SPDX-License-Identifier: Apache-2.0 */
/** What CitizenK Replicator's settings ask of a running control plane: clusters from the
 *  environment, and a mapping file that is watched. */
#ifndef CZ_CONTROLPLANE_REPLICATOR_H
#define CZ_CONTROLPLANE_REPLICATOR_H

#include "cz/api.h"
#include "options.h"

struct replicator;
/** Are the settings possible? The error names the variable. */
CZ_MUST_USE enum cz_err replicator_check(const struct options *o, struct cz_error *err);
/** A thread of its own, that waits for the database; NULL when there is nothing to do.
 *  @o, @s, @api are borrowed and outlive it. */
struct replicator *replicator_start(const struct options *o, struct cz_service *s, struct cz_api *api);
void replicator_stop(struct replicator *r); /* NULL allowed */

#endif
