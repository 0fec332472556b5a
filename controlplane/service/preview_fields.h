/* SPDX-License-Identifier: Apache-2.0 */
/** The report of a preview: which fields leave the source that no mask covers. */
#ifndef CZ_PREVIEW_FIELDS_H
#define CZ_PREVIEW_FIELDS_H

#include "cz/mapping_spec.h"
#include "cz/record.h"

struct cz__fields;
struct cz__fields *cz__fields_new(const struct cz_mapping_spec *spec); /* borrowed */
void cz__fields_free(struct cz__fields *f);                            /* NULL allowed */
/** Of a record that passes, as the source has it. */
void cz__fields_add(struct cz__fields *f, const struct cz_record *r);
/** [{"path","types":[…],"records"}] in the order in which they were met. New reference. */
json_t *cz__fields_json(const struct cz__fields *f, bool *ret_truncated);

#endif
