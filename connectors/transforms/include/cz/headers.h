/* SPDX-License-Identifier: Apache-2.0 */
/** Headers of a copied record: what is taken out, renamed and put in, and where it came from.
 *
 *  `remove` and `rename` act on the source's headers, which keep their order and their duplicates;
 *  `add` comes after them, by name, then the provenance.  Provenance is one header CZ_PROVENANCE per copy,
 *  so that a record that went through several mappings tells its whole way, oldest first:
 *
 *    {"cluster":"prod","cluster_id":"<Kafka's>","topic":"orders","partition":3,"offset":"17",
 *     "mapping":"team/name","generation":"4"}
 *
 *  The loop guard reads them: a record that was already read from the topic that it would now go
 *  to, or from the very topic that it is read from, is dropped.  Clusters are told apart by Kafka's
 *  own id, since names are a team's. */
#ifndef CZ_HEADERS_H
#define CZ_HEADERS_H

#include <jansson.h>
#include <stdbool.h>

#include "cz/buf.h"
#include "cz/error.h"
#include "cz/jmespath.h"
#include "cz/record.h"

#define CZ_PROVENANCE "citizenk.provenance"

struct cz_headers_conf {
    const json_t *add;    /* {name: text or null}; NULL: none */
    const json_t *remove; /* [name, where * is any text and ? any character] */
    const json_t *rename; /* {old: new} */
    bool provenance;
    /* of provenance; NULL is "" */
    const char *mapping, *source_cluster, *source_id, *target_id;
    int64_t generation;
};
struct cz_headers;
/** *ret NULL: nothing was asked for. */
CZ_MUST_USE enum cz_err
cz_headers_new(const struct cz_headers_conf *conf, struct cz_headers **ret, struct cz_error *err);
void cz_headers_free(struct cz_headers *h); /* NULL allowed */

/** A lane's memory for them. */
struct cz_header_list {
    struct cz_header *in, *out;
    size_t in_len, in_cap, out_len, out_cap;
    struct cz_buf hop;
};
void cz_header_list_init(struct cz_header_list *l);
void cz_header_list_done(struct cz_header_list *l);
/** Read the record's headers into @l; true: the record has come round. @e has begun with it. */
bool cz_headers_loop(const struct cz_headers *h,
                     struct cz_eval *e,
                     const struct cz_record *r,
                     struct cz_header_list *l);
/** The record's own headers without those that are to be removed, in l->out: for where a record goes
 *  that is not copied. */
void cz_headers_keep(const struct cz_headers *h, const struct cz_record *r, struct cz_header_list *l);
/** After cz_headers_loop(): what is to be sent is in l->out; false: just what the record has. */
bool cz_headers_make(const struct cz_headers *h, const struct cz_record *r, struct cz_header_list *l);
/** Another value in place of one of @r's; @made: l->out is there already, else it becomes @r's headers. */
void cz_headers_replace(const struct cz_record *r, bool made, struct cz_slice was, struct cz_slice now,
                        struct cz_header_list *l);

#endif
