/* SPDX-License-Identifier: Apache-2.0 */
/** The flat form of CitizenK Replicator's mappings, to and from the native document. Private. */
#ifndef CZ_API_SEED_FORM_H
#define CZ_API_SEED_FORM_H

#include <jansson.h>
#include <stdbool.h>

#include "cz/report.h"

/** What only the flat form knows: its members, and what it needs. */
void cz__seed_check(const json_t *flat, const char *name, struct cz_report *rep);
/** A checked flat document as a native one.  @group see cz_api_options.source_group; flat.name is
 *  then needed.  New reference. */
json_t *cz__seed_native(const json_t *flat, const char *group);
/** The same as a merge patch of an envelope, in which null stands for each field that @flat leaves
 *  out.  @current NULL: not known.  New reference. */
json_t *cz__seed_patch(const json_t *flat, const json_t *current);
/** A mapping's envelope in flat form.  New reference. */
json_t *cz__seed_flat(const json_t *envelope);
/** Where a problem of the native document, at this pointer, lies in the flat one. cz_free. */
char *cz__seed_place(const char *native);
/** Problems of a native document as problems of the flat one that it was made of. */
void cz__seed_report(const struct cz_report *native, struct cz_report *rep);
/** The same for the warnings of a write, in place. */
void cz__seed_warnings(json_t *warnings);

#endif
