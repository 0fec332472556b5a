/* SPDX-License-Identifier: Apache-2.0 */
/* LIBS: cz_channel */
/** Records of the config and status topics: the first byte is the length of the key, the rest is the
 *  value (nothing left: tombstone).  What is understood must survive encoding once more, and no record
 *  may disturb the status view. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/status_view.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cz_status_view *view;

static void need(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    cz_json_init();
    cz_log_init(CZ_LOG_ERROR, false);
    need(cz_status_view_new(NULL, "g", &view, NULL) == CZ_OK);
    return 0;
}

static void check_key(const char *key)
{
    char *copy;
    const char *a, *b;
    enum cz_channel_kind kind = cz_channel_key(key, &copy, &a, &b);
    if (kind == CZ_CH_UNKNOWN)
        return;
    char *again = cz_channel_make_key(kind, a, b);
    need(strcmp(again, key) == 0);
    cz_free(again);
    cz_free(copy);
}

static void check_value(const struct cz_channel_record *r)
{
    char *bytes = NULL;
    size_t len = 0;
    /* Escapes may make it longer than it was. */
    if (cz_channel_encode(r->value, r->revision, r->epoch, &bytes, &len, NULL))
        return;
    struct cz_channel_record twin;
    need(cz_channel_decode(r->key, strlen(r->key), bytes, len, &twin, NULL) == CZ_OK);
    need(twin.revision == r->revision && twin.epoch == r->epoch);
    need(json_object_size(twin.value) + 2 >= json_object_size(r->value)); /* zeros are left out */
    cz_channel_record_done(&twin);
    cz_free(bytes);
}

static void ask(const char *key)
{
    char *copy;
    const char *a, *b;
    enum cz_channel_kind kind = cz_channel_key(key, &copy, &a, &b);
    struct cz_mapping_stats s;
    struct cz_task_infos t;
    struct cz_worker_infos w;
    if (kind == CZ_CH_STATS && cz_status_stats(view, b, &s))
        cz_mapping_stats_done(&s);
    if (kind == CZ_CH_TASK) {
        cz_status_tasks(view, a, &t);
        cz_task_infos_done(&t);
    }
    cz_status_workers(view, &w);
    cz_worker_infos_done(&w);
    cz_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t key_len = data[0] < size ? data[0] : size - 1;
    const uint8_t *value = data + 1 + key_len;
    size_t value_len = size - 1 - key_len;
    struct cz_channel_record r;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_channel_decode(data + 1, key_len, value_len ? value : NULL, value_len, &r, &err)) {
        need(err.code != CZ_OK && err.text[0]);
        return 0;
    }
    check_key(r.key);
    if (r.value)
        check_value(&r);
    r.timestamp_ms = cz_wall_ms();
    cz_status_view_feed(view, &r);
    ask(r.key);
    /* One input must not change what the next one does. */
    json_decref(r.value);
    r.value = NULL;
    cz_status_view_feed(view, &r);
    cz_channel_record_done(&r);
    return 0;
}
