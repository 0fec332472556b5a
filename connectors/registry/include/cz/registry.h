/* SPDX-License-Identifier: Apache-2.0 */
/** Schema registries (Confluent's REST API, which others speak too): schemas by id, and copying
 *  subjects from one registry to another.
 *
 *  Nothing here blocks: what is not known yet is asked for on the object's own thread, once for all
 *  who want it, again and again while the registry does not answer.  Answers are kept for good,
 *  since an id never changes its meaning; only "there is no such id" is forgotten after a while.
 *  @thread any */
#ifndef CZ_REGISTRY_H
#define CZ_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "cz/avro.h"
#include "cz/avro_wire.h"
#include "cz/error.h"
#include "cz/registry_conf.h"

enum cz_lookup {
    CZ_LOOKUP_FOUND,
    CZ_LOOKUP_WAIT,   /* not known yet; the error says why when the registry was asked in vain */
    CZ_LOOKUP_FAILED, /* there is none */
};

struct cz_schema_reference {
    char *name, *subject;
    int64_t version;
};
/** What a registry has under an id.  Lives as long as the registry object. */
struct cz_schema {
    struct cz_schema_name name;
    char *type; /* "AVRO", "PROTOBUF", "JSON" */
    char *text; /* as registered */
    struct cz_schema_reference *references;
    size_t references_len;
    struct cz_avro_schema *avro; /* NULL: see `why` */
    struct cz_error why;         /* why data of this schema cannot be read */
};

struct cz_registry; /* reference counted */
CZ_MUST_USE enum cz_err
cz_registry_new(const struct cz_registry_conf *conf, struct cz_registry **ret, struct cz_error *err);
struct cz_registry *cz_registry_ref(struct cz_registry *r);
void cz_registry_unref(struct cz_registry *r); /* NULL allowed */
enum cz_lookup cz_registry_schema(struct cz_registry *r,
                                  const struct cz_schema_name *name,
                                  const struct cz_schema **ret,
                                  struct cz_error *err);

/* ---- subjects ------------------------------------------------------------------------------- */

/** Confluent's three strategies: what a schema is filed under. */
enum cz_subjects {
    CZ_SUBJECTS_TOPIC,        /* <topic>-key, <topic>-value */
    CZ_SUBJECTS_RECORD,       /* <full name of the record> */
    CZ_SUBJECTS_TOPIC_RECORD, /* <topic>-<full name of the record> */
};
/** cz_free.  NULL: the schema has no name, which the last two need. */
char *cz_subject_name(enum cz_subjects by, const char *topic, bool is_key, const struct cz_schema *s);

/* ---- from registry to registry ---------------------------------------------------------------- */

/** Copies subjects with their versions, references and compatibility.  Registering is idempotent:
 *  a copier that forgot everything comes to the same ids again. */
struct cz_schema_copier; /* reference counted */
CZ_MUST_USE enum cz_err cz_schema_copier_new(const struct cz_registry_conf *source,
                                             const struct cz_registry_conf *target,
                                             struct cz_schema_copier **ret,
                                             struct cz_error *err);
struct cz_schema_copier *cz_schema_copier_ref(struct cz_schema_copier *c);
void cz_schema_copier_unref(struct cz_schema_copier *c); /* NULL allowed */
/** What names a schema of the source in the target: an id for an id, a GUID for a GUID; with it all other
 *  versions of the source's subject come there, in their order.  While the target refuses it, the answer
 *  is WAIT with the reason: no record is to be lost for it.
 *  A GUID is made of the schema and of what it refers to, versions of subjects among it, so it may be
 *  another one there; a target that tells none has the same one, or knows none at all. */
enum cz_lookup cz_schema_copier_name(struct cz_schema_copier *c,
                                     const struct cz_schema_name *name,
                                     const char *source_subject,
                                     const char *target_subject,
                                     struct cz_schema_name *ret,
                                     struct cz_error *err);
/** How often the target was found to have lost its subjects.  A name that was told at another count is to be
 *  asked for again; take the count before the name. */
unsigned cz_schema_copier_losses(const struct cz_schema_copier *c);

#endif
