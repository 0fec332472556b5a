/* SPDX-License-Identifier: Apache-2.0 */
/** Positions of a mapping, as a caller wants them and as Kafka has them (offsets.c), and where a
 *  request would move them (offsets_move.c: no Kafka in it). */
#ifndef CZ_SERVICE_OFFSETS_PRIV_H
#define CZ_SERVICE_OFFSETS_PRIV_H

#include "service_priv.h"

struct cz__position {
    const char *topic; /* borrowed from the spec */
    int32_t partition;
    int64_t committed; /* -1: never */
    int64_t start, end; /* of the log: what can be read; -1: not known */
    char why[80];       /* when not known */
    /* of a move */
    bool chosen;
    int64_t to;
};

enum cz__move_kind { CZ__MOVE_EARLIEST, CZ__MOVE_LATEST, CZ__MOVE_TIMESTAMP, CZ__MOVE_OFFSETS, CZ__MOVE_SHIFT };
struct cz__move {
    enum cz__move_kind kind;
    int64_t number;        /* TIMESTAMP: ms; SHIFT: records */
    const json_t *offsets; /* OFFSETS; borrowed from the body */
    const char *topic;     /* only this source topic; NULL: all */
    const json_t *partitions; /* only these; NULL: all */
};
/** {"to": "earliest" | "latest" | {"timestamp"} | {"offsets"} | {"shift"}, "topic"?, "partitions"?} */
void cz__move_parse(const json_t *body, struct cz__move *ret, struct cz_report *rep);
/** "earliest", "an offset each", "100 records back": for the history. cz_free. */
char *cz__move_text(const struct cz__move *m);
/** Mark the positions that it means and say where they go, but for TIMESTAMP, whose offsets Kafka
 *  says.  Shifts end at the ends of the log; given offsets outside of it are problems. */
void cz__move_apply(const struct cz__move *m, struct cz__position *p, size_t n, struct cz_report *rep);
/** The same write of history as a pause, under another name. @param ret_seq of the change */
enum cz_err cz__note_offsets_moved(struct cz_service *s,
                                   const struct cz_caller *who,
                                   const char *comment,
                                   const char *team,
                                   const char *name,
                                   int64_t *ret_seq,
                                   struct cz_error *err);

/** What is stored, parsed. */
CZ_MUST_USE enum cz_err cz__stored_mapping(struct cz_service *s,
                                           const char *team,
                                           const char *name,
                                           struct cz_resource *ret,
                                           struct cz_mapping_spec **ret_spec,
                                           struct cz_error *err);
/** The mapping's own group; NULL: none. cz_free */
char *cz__group_of(const struct cz_mapping_spec *spec, const char *team, const char *name);

#endif
