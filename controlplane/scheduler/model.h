/* SPDX-License-Identifier: Apache-2.0 */
/** What a config topic holds, as far as the scheduler needs it: a hash of every value (to see
 *  whether a write would change anything) and the few fields of clusters, mappings and
 * assignments that planning and watching want.  The follower keeps one of what the topic says,
 * the leader one of what it has published.  Not thread safe; one owner. */
#ifndef CZ_SCHED_MODEL_H
#define CZ_SCHED_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "assign.h"
#include "cz/channel.h"
#include "cz/kafka.h"
#include "cz/map.h"

struct cz_sched_pair {
    char *source, *target;
};
struct cz_sched_mapping {
    char *uid, *team, *name;
    char *source, *target; /* "<team>/<cluster>": the rest of a cluster's key; "<team>/": a file's end */
    bool source_file, target_file;
    struct cz_sched_pair *pairs;
    size_t pairs_len;
    char *pattern;     /* instead of pairs: the watch finds them; NULL: none */
    json_t *exclude;
    char *template;    /* of their targets; NULL: the same name */
    char *avoid;       /* its dead letters, which it does not read */
    int tasks;         /* 0: auto */
    bool enabled;
    bool create;       /* its topics on the target are created when missing */
    bool sync;         /* and go on following the source's */
    bool acls;         /* in who may read them, too */
    char *dead_letter; /* only with create */
    char *service_group; /* of the target's service; only when enabled; NULL: none */
    json_t *sync_groups; /* patterns of groups that follow to the target; only when enabled; NULL: none */
    int sync_groups_ms;
    char *own_group; /* "" none */
    int64_t switched_on; /* revision that switched replication on; 0: its deletion is not asked for */
};
struct cz_model_entry {
    enum cz_channel_kind kind;
    uint64_t hash;
    int64_t revision;
    struct cz_sched_mapping *mapping; /* CZ_CH_MAPPING; NULL: not understood */
    struct cz_cluster *cluster;       /* CZ_CH_CLUSTER; NULL: not understood */
    struct cz_assignment *assignment; /* CZ_CH_ASSIGNMENT; NULL: not understood */
};
struct cz_model {
    struct cz_map entries; /* key → struct cz_model_entry */
};

void cz_model_init(struct cz_model *m);
void cz_model_done(struct cz_model *m);
/** Of the value without v, revision and epoch, whatever the order of its keys. */
uint64_t cz_model_hash(const json_t *value,
                       size_t *ret_len); /* ret_len: bytes of its text; may be NULL */
/** NULL value: remove. Returns the entry, NULL after a removal. */
struct cz_model_entry *cz_model_put(
    struct cz_model *m, const char *key, const json_t *value, int64_t revision, uint64_t hash);
struct cz_model_entry *cz_model_get(const struct cz_model *m, const char *key);
/** "<prefix>/<uid>": mapping and assignment. */
struct cz_model_entry *
cz_model_get_uid(const struct cz_model *m, enum cz_channel_kind kind, const char *uid);

#endif
