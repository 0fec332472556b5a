/* SPDX-License-Identifier: Apache-2.0 */
/** CitizenK Replicator's documents of many mappings, as sets of objects and back.  Private. */
#ifndef CZ_API_SEED_SET_H
#define CZ_API_SEED_SET_H

#include "cz/service.h"

struct cz__seed_set {
    struct cz_set set; /* pointers start at the document that was read */
    struct cz_set_item *items;
    size_t items_cap;
    struct cz_set_switch *switches;
    size_t switches_cap;
    json_t *owned; /* what items and switches point into */
    char *comment; /* of the document; NULL: none */
    const char *group; /* see cz_api_options.source_group */
    json_t *current;   /* envelopes of the mappings there are, by name */
};
/** @current is taken. */
void cz__seed_set_init(struct cz__seed_set *s, const char *group, json_t *current);
void cz__seed_set_done(struct cz__seed_set *s);
/** Add what a mapping file says: {templates, enabled, disabled, mappings, comment}, or a list of
 *  mappings.  Problems go to @rep. */
void cz__seed_set_add(struct cz__seed_set *s, const json_t *doc, struct cz_report *rep);
/** Add {name: [mappings with {{VAR}}]}. @pointer of @templates. */
void cz__seed_set_add_templates(struct cz__seed_set *s,
                                const json_t *templates,
                                const char *pointer,
                                struct cz_report *rep);
/** Problems and warnings of the objects as those of the documents that they were made of. */
void cz__seed_set_report(const struct cz_report *native, struct cz_report *rep);
void cz__seed_set_warnings(json_t *warnings);
/** A template's envelope as its list of mappings. New reference. */
json_t *cz__seed_template(const json_t *envelope);
/** What GET /mappings shows of an instance: an entry of templates; its overrides as names in
 *  @enabled and @disabled. New reference. */
json_t *cz__seed_instance(const json_t *envelope, json_t *enabled, json_t *disabled);

#endif
