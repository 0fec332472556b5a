/* SPDX-License-Identifier: Apache-2.0 */
/** Records read for a preview (preview_read.c), shared with preview.c only. */
#ifndef CZ_PREVIEW_H
#define CZ_PREVIEW_H

#include "cz/consumer.h"
#include "service_priv.h"

struct cz__peek_ask {
    struct cz_cluster *cluster;
    const char *topic;
    struct cz_preview what;
    bool read_committed;
    cz_time deadline;
};
struct cz__peek {
    struct cz_consumer *consumer;
    struct cz_record *records; /* oldest first; their messages belong to the consumer */
    size_t len, cap;
    int64_t bytes;
    bool complete; /* else time or the bound of bytes ended it */
};
/** Read what is asked for; nothing is committed, no group is joined. cz__peek_done() in any case. */
CZ_MUST_USE enum cz_err cz__peek(struct cz_service *s,
                                 const struct cz__peek_ask *ask,
                                 struct cz__peek *ret,
                                 struct cz_error *err);
void cz__peek_done(struct cz__peek *p);

#endif
