/* SPDX-License-Identifier: Apache-2.0 */
/** A Kafka record as the stages see it: borrowed bytes.  NULL data is a null key or value
 *  (tombstone); empty data has a non-NULL pointer and length 0. */
#ifndef CZ_RECORD_H
#define CZ_RECORD_H

#include <stddef.h>
#include <stdint.h>

struct cz_slice {
    const char *data; /* NULL: null, not empty */
    size_t len;
};
struct cz_header {
    struct cz_slice name, value;
};
enum cz_ts_type { CZ_TS_NONE, CZ_TS_CREATE, CZ_TS_APPEND };
struct cz_record {
    const char *topic; /* NUL-terminated */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    enum cz_ts_type ts_type;
    struct cz_slice key, value;
    const char *target; /* topic that it would go to; NULL: not known */
    /** Headers are read only when a stage asks (most never do): */
    size_t (*headers)(const struct cz_record *r, struct cz_header *out, size_t max); /* NULL: none */
    void *msg; /* the owner's handle, not for the stages */
};

#endif
