/* SPDX-License-Identifier: Apache-2.0 */
/** Why a record was not copied, on purpose.  Nothing is dropped without being counted under one of
 *  these; they are the label values of citizenk_mapping_records_dropped_total. */
#ifndef CZ_DROP_H
#define CZ_DROP_H

#include <stdbool.h>

/* X(enum, name) */
#define CZ_DROP_MAP(X)                                                                         \
    X(CZ_DROP_FILTER, "filter")           /* the filter said no */                             \
    X(CZ_DROP_PARTITION, "partition")     /* key:partition maps the key to -1000 */            \
    X(CZ_DROP_ERROR, "error")             /* on_error: skip */                                 \
    X(CZ_DROP_DEAD_LETTER, "dead_letter") /* on_error: dead_letter; it is in that topic */     \
    X(CZ_DROP_SAMPLE, "sample")                                                                \
    X(CZ_DROP_GAP, "gap") /* on_gap: offsets that the source lost before they were read */     \
    X(CZ_DROP_LOOP, "loop") /* by its provenance it has been here before */
enum cz_drop {
#define X(e, name) e,
    CZ_DROP_MAP(X)
#undef X
        CZ_DROP_COUNT_
};
const char *cz_drop_name(enum cz_drop d);
bool cz_drop_parse(const char *name, enum cz_drop *ret);

#endif
