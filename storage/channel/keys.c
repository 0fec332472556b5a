/* SPDX-License-Identifier: Apache-2.0 */
/** Keys of channel records: a kind, a slash and one or two names.  Names of teams, resources and
 *  mappings hold no slash (cz_name_check); where a worker's id is not checked by us, the slash that
 *  counts is the one beside the uid. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/channel.h"

/* Where the two names of a key meet. */
enum split { ONE_NAME, FIRST_SLASH, LAST_SLASH };

static const struct kind_row {
    enum cz_channel_kind kind;
    const char *prefix;
    enum split split;
} kinds[] = {
    {CZ_CH_CLUSTER, "cluster/", FIRST_SLASH},
    {CZ_CH_MAPPING, "mapping/", ONE_NAME},
    {CZ_CH_ASSIGNMENT, "assignment/", ONE_NAME},
    {CZ_CH_WORKER, "worker/", ONE_NAME},
    {CZ_CH_TASK, "task/", LAST_SLASH},
    {CZ_CH_STATS, "stats/", LAST_SLASH},
    {CZ_CH_GAP, "gap/", FIRST_SLASH},
};
static const char settings_key[] = "settings";

static const struct kind_row *find_kind(const char *key)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strncmp(key, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
            return &kinds[i];
    return NULL;
}

enum cz_channel_kind cz_channel_key(const char *key, char **ret_copy, const char **ret_a, const char **ret_b)
{
    *ret_copy = NULL;
    *ret_a = *ret_b = NULL;
    if (strcmp(key, settings_key) == 0)
        return CZ_CH_SETTINGS;
    const struct kind_row *row = find_kind(key);
    if (!row)
        return CZ_CH_UNKNOWN;
    char *copy = cz_strdup(key + strlen(row->prefix));
    char *slash = row->split == LAST_SLASH ? strrchr(copy, '/') : strchr(copy, '/');
    bool two = row->split != ONE_NAME;
    if (two && slash)
        *slash++ = '\0';
    if (!*copy || (two && (!slash || !*slash))) {
        cz_free(copy);
        return CZ_CH_UNKNOWN;
    }
    *ret_copy = copy;
    *ret_a = copy;
    *ret_b = two ? slash : NULL;
    return row->kind;
}

char *cz_channel_make_key(enum cz_channel_kind kind, const char *a, const char *b)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (kinds[i].kind == kind)
            return b ? cz_strf("%s%s/%s", kinds[i].prefix, a, b) : cz_strf("%s%s", kinds[i].prefix, a);
    return cz_strdup(settings_key);
}
