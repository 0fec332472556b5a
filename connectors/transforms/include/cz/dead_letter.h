/* SPDX-License-Identifier: Apache-2.0 */
/** Dead letters: records that could not be copied, parked on a topic.  A letter is the record itself (key, value,
 *  timestamp, headers) and, behind its own headers, what became of it, by Kafka Connect's names.  A mapping
 *  that masks withholds key, value and headers: then the letter only tells where the record is.
 *  Written by the worker (connectors/runtime/lane_records.c), read by the control plane.  @thread any */
#ifndef CZ_DEAD_LETTER_H
#define CZ_DEAD_LETTER_H

#include <stdbool.h>

#include "cz/record.h"

#define CZ_LETTER_TOPIC "__connect.errors.topic" /* the first of them */
#define CZ_LETTER_PARTITION "__connect.errors.partition"
#define CZ_LETTER_OFFSET "__connect.errors.offset"
#define CZ_LETTER_LABEL "__connect.errors.connector.name" /* "<team>/<mapping>/<task>" */
#define CZ_LETTER_STAGE "__connect.errors.stage"
#define CZ_LETTER_ERROR "__connect.errors.class.name" /* cz_err_slug() */
#define CZ_LETTER_MESSAGE "__connect.errors.exception.message"
#define CZ_LETTER_WITHHELD "citizenk.errors.withheld" /* "mask" */
enum { CZ_LETTER_HEADERS = 8 }; /* as many as there are above */

struct cz_letter {
    /** The record as the source had it: topic, partition and offset are the source's. Its bytes are
     *  those of the record that was read, and it must stay where it is, since its headers are found by it. */
    struct cz_record record;
    char *topic;               /* of the record; owned */
    struct cz_header *headers; /* its own; the array is owned */
    size_t headers_len;
    bool withheld;                              /* record has no key, value and headers */
    struct cz_slice label, stage, error, message; /* data NULL: not told */
};
/** Read @r as a letter. false: it is none. cz_letter_done() in any case */
bool cz_letter_read(const struct cz_record *r, struct cz_letter *ret);
void cz_letter_done(struct cz_letter *l);
/** Is it from this mapping? Names hold no slash. */
bool cz_letter_is_of(const struct cz_letter *l, const char *team, const char *mapping);

#endif
