/* SPDX-License-Identifier: Apache-2.0 */
/** What stands beside a committed position, in the commit's metadata and in the offsets topic: by it
 *  a later start knows what was already answered.  As text: "g7 r0 b100 e2000 u1767225600000 tAbC…", of which only
 *  the first word is always there; words that are not known are passed over. */
#ifndef CZ_POSITION_H
#define CZ_POSITION_H

#include <stdbool.h>
#include <stdint.h>

struct cz_position {
    char kind;          /* 'g'; 'x': the offsets topic knows better; 0: not written by us */
    int64_t generation; /* of the mapping, whose `on_change` is answered */
    int64_t run;        /* of a bounded copy: which one, as in the mapping's record */
    int64_t begin, end; /* of a bounded copy: from where, and the first offset not copied; -1: none */
    int64_t end_ms;     /* the time that `end` was asked for; 0: now */
    char topic_id[24];  /* of the source topic that the offset belongs to; "" unknown */
};
#define CZ_POSITION_INIT {.begin = -1, .end = -1}

char *cz_position_text(const struct cz_position *p); /* cz_free */
/** false: not written by us; *ret is as CZ_POSITION_INIT then. */
bool cz_position_parse(const char *text, struct cz_position *ret);

#endif
