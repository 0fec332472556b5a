/* SPDX-License-Identifier: Apache-2.0 */
/** Looking into a cluster: its topics and groups, and some records of one.  Nothing is committed, no group
 *  takes part, and every look has an end: a number of records, bytes, a deadline. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cz/consumer.h"
#include "cz/file_record.h"
#include "service_priv.h"

#define MAX_BYTES (16 * 1024 * 1024) /* of all lines that are held */
#define PREFETCH_KIB 4096
#define POLL_MAX 256
#define POLL_MS 100
#define AGAIN_MS 100
#define MAX_LOOKS 8 /* at once: each is a client with threads of its own */

static enum cz_err cluster_of(struct cz_service *s,
                              const char *team,
                              const char *name,
                              struct cz_cluster **ret,
                              struct cz_error *err)
{
    enum cz_err code = cz__name_possible(team, CZ_KIND_CLUSTER, name, err);
    return code ? code : cz__stored_cluster(s, team, name, ret, err);
}

/* ---- topics -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct cz_topic_info *x = a, *y = b;
    return strcmp(x->name, y->name);
}

enum cz_err cz_service_cluster_topics(struct cz_service *s,
                                      const char *team,
                                      const char *cluster,
                                      json_t **ret,
                                      struct cz_error *err)
{
    struct cz_cluster *c = NULL;
    struct cz__admin_use use = {0};
    struct cz_topic_info *infos = NULL;
    size_t n = 0;
    enum cz_err code = cluster_of(s, team, cluster, &c, err);
    if (code == CZ_OK)
        code = cz__admin_take(s, c, &use, err);
    if (code == CZ_OK) {
        code = cz_admin_all_topics(use.admin, cz_deadline_ms(s->timeout_ms), &infos, &n, NULL, err);
        cz__admin_give(s, &use);
    }
    if (code == CZ_OK) {
        if (n > 0)
            qsort(infos, n, sizeof *infos, by_name);
        *ret = json_array();
        for (size_t i = 0; i < n; i++)
            if (strncmp(infos[i].name, "__", 2) != 0)
                (void)json_array_append_new(*ret, json_string(infos[i].name));
    }
    cz_topic_infos_free(infos, n);
    cz_cluster_unref(c);
    return code;
}

static int by_group(const void *a, const void *b)
{
    const struct cz_group *x = a, *y = b;
    return strcmp(x->name, y->name);
}

enum cz_err cz_service_cluster_groups(struct cz_service *s,
                                      const char *team,
                                      const char *cluster,
                                      json_t **ret,
                                      struct cz_error *err)
{
    struct cz_cluster *c = NULL;
    struct cz__admin_use use = {0};
    struct cz_group *groups = NULL;
    size_t n = 0;
    enum cz_err code = cluster_of(s, team, cluster, &c, err);
    if (code == CZ_OK)
        code = cz__admin_take(s, c, &use, err);
    if (code == CZ_OK) {
        code = cz_admin_groups(use.admin, cz_deadline_ms(s->timeout_ms), &groups, &n, err);
        cz__admin_give(s, &use);
    }
    if (code == CZ_OK) {
        if (n > 0)
            qsort(groups, n, sizeof *groups, by_group);
        *ret = json_array();
        for (size_t i = 0; i < n; i++)
            (void)json_array_append_new(*ret, json_string(groups[i].name));
        cz_groups_free(groups, n);
    }
    cz_cluster_unref(c);
    return code;
}

/* ---- records ------------------------------------------------------------------------------- */

struct part {
    int32_t partition;
    int64_t start, end;
    int64_t left; /* records that are still wanted */
    bool done;
};
struct line {
    int64_t timestamp, offset;
    int32_t partition;
    char *text;
};
struct look {
    const struct cz_consume *q;
    cz_time deadline;
    struct part *parts;
    size_t len;
    struct line *lines;
    size_t lines_len, lines_cap, bytes;
    bool full;
    struct cz_file_codec *codec;
};

static bool chosen(const struct cz_consume *q, int32_t partition)
{
    for (size_t i = 0; i < q->partitions_len; i++)
        if (q->partitions[i] == partition)
            return true;
    return q->partitions_len == 0;
}

static enum cz_err choose_partitions(struct look *l, struct cz_admin *a, struct cz_error *err)
{
    const struct cz_consume *q = l->q;
    struct cz_topic_info *t = NULL;
    enum cz_err code = cz_admin_topics(a, &q->topic, 1, l->deadline, &t, err);
    if (code)
        return code;
    int32_t n = t[0].partitions;
    if (n == 0)
        code = cz_fail(err, t[0].code ? t[0].code : CZ_E_NOT_FOUND,
                       "there is no topic \"%s\" on this cluster", q->topic);
    for (size_t i = 0; code == CZ_OK && i < q->partitions_len; i++)
        if (q->partitions[i] >= n)
            code = cz_fail(err, CZ_E_NOT_FOUND, "topic \"%s\" has no partition %d", q->topic,
                           (int)q->partitions[i]);
    l->parts = cz_alloc_array((size_t)n + 1, sizeof *l->parts);
    for (int32_t p = 0; code == CZ_OK && p < n; p++)
        if (chosen(q, p))
            l->parts[l->len++] = (struct part){.partition = p, .left = q->count};
    cz_topic_infos_free(t, 1);
    return code;
}

static enum cz_err ask_offsets_once(struct look *l,
                                    struct cz_admin *a,
                                    int64_t what,
                                    struct cz_tp_list *ret,
                                    struct cz_error *err)
{
    for (size_t i = 0; i < l->len; i++)
        (void)cz_tp_list_add(ret, l->q->topic, l->parts[i].partition, what);
    enum cz_err code = cz_admin_list_offsets(a, ret, true, l->deadline, err);
    for (size_t i = 0; code == CZ_OK && i < ret->len; i++)
        if (ret->items[i].code)
            code = cz_fail(err, ret->items[i].code, "the offsets of \"%s\" [%d] cannot be read",
                           l->q->topic, (int)ret->items[i].partition);
    return code;
}

/* Offsets of all chosen partitions: CZ_OFFSET_… or a time.  A topic that has just been made may
 * have no leader yet. */
static enum cz_err ask_offsets(struct look *l,
                               struct cz_admin *a,
                               int64_t what,
                               struct cz_tp_list *ret,
                               struct cz_error *err)
{
    for (;;) {
        struct cz_error why = CZ_ERROR_INIT;
        enum cz_err code = ask_offsets_once(l, a, what, ret, &why);
        if (code == CZ_OK)
            return CZ_OK;
        if (code != CZ_E_UNAVAILABLE || cz_remaining_ms(l->deadline) <= AGAIN_MS)
            return cz_fail(err, code, "%s", why.text);
        cz_tp_list_done(ret);
        struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
}

static int64_t start_of(const struct cz_consume *q, int64_t low, int64_t high, int64_t at_time)
{
    int64_t start = low;
    if (q->epoch_ms > 0)
        start = at_time;
    else if (q->from == CZ_CONSUME_LATEST)
        start = high - q->count;
    else if (q->from == CZ_CONSUME_OFFSET)
        start = q->offset;
    return start < low ? low : start > high ? high : start;
}

static enum cz_err find_range(struct look *l, struct cz_admin *a, struct cz_error *err)
{
    struct cz_tp_list low = {0}, high = {0}, time = {0};
    enum cz_err code = ask_offsets(l, a, CZ_OFFSET_EARLIEST, &low, err);
    if (code == CZ_OK)
        code = ask_offsets(l, a, CZ_OFFSET_LATEST, &high, err);
    if (code == CZ_OK && l->q->epoch_ms > 0)
        code = ask_offsets(l, a, l->q->epoch_ms, &time, err);
    for (size_t i = 0; code == CZ_OK && i < l->len; i++) {
        struct part *p = &l->parts[i];
        p->end = high.items[i].offset;
        p->start = start_of(l->q, low.items[i].offset, p->end, time.len ? time.items[i].offset : 0);
        p->done = p->start >= p->end;
    }
    cz_tp_list_done(&low);
    cz_tp_list_done(&high);
    cz_tp_list_done(&time);
    return code;
}

/* A record that cannot be written as a line is left out; any bytes can. */
static void keep(struct look *l, const struct cz_record *r)
{
    struct cz_buf b = CZ_BUF_INIT(MAX_BYTES);
    if (cz_file_encode(l->codec, r, &b, NULL) == CZ_OK && b.len > 0 && l->bytes + b.len <= MAX_BYTES) {
        l->bytes += b.len;
        b.data[b.len - 1] = '\0'; /* the newline */
        cz_grow(&l->lines, &l->lines_cap, l->lines_len, sizeof *l->lines);
        l->lines[l->lines_len++] = (struct line){.timestamp = r->timestamp_ms,
                                                 .offset = r->offset,
                                                 .partition = r->partition,
                                                 .text = cz_buf_steal(&b)};
    } else {
        l->full = true;
    }
    cz_buf_done(&b);
}

static void take_event(struct look *l, const struct cz_event *e)
{
    struct part *p = e->opaque;
    bool record = e->kind == CZ_EVENT_RECORD;
    if (p && record && !p->done && e->record.offset < p->end && p->left > 0) {
        keep(l, &e->record);
        p->left--;
    }
    if (p && (e->kind == CZ_EVENT_END || e->kind == CZ_EVENT_RESET || p->left == 0 ||
              (record && e->record.offset + 1 >= p->end)))
        p->done = true;
    if (record)
        cz_message_release(e->record.msg);
}

static bool all_done(const struct look *l)
{
    bool done = true;
    for (size_t i = 0; i < l->len; i++)
        done &= l->parts[i].done;
    return done || l->full;
}

static enum cz_err read_records(struct look *l, struct cz_cluster *c, struct cz_error *err)
{
    const struct cz_consumer_options o = {.cluster = c,
                                          .client_id = "citizenk-controlplane",
                                          .group_id = "citizenk.consume",
                                          .read_committed = true,
                                          .prefetch_kib = PREFETCH_KIB,
                                          .fetch_wait_ms = POLL_MS};
    struct cz_consumer *k = NULL;
    struct cz_error last = CZ_ERROR_INIT;
    if (all_done(l))
        return CZ_OK;
    enum cz_err code = cz_consumer_new(&o, &k, err);
    for (size_t i = 0; code == CZ_OK && i < l->len; i++)
        if (!l->parts[i].done)
            code = cz_consumer_assign(k, l->q->topic, l->parts[i].partition, l->parts[i].start,
                                      &l->parts[i], err);
    while (code == CZ_OK && !all_done(l) && cz_remaining_ms(l->deadline) > 0) {
        struct cz_event events[POLL_MAX];
        size_t n = cz_consumer_poll(k, events, POLL_MAX, POLL_MS);
        for (size_t i = 0; i < n; i++) {
            if (events[i].kind == CZ_EVENT_ERROR)
                (void)cz_fail(&last, events[i].code, "%s", events[i].text);
            take_event(l, &events[i]);
        }
    }
    cz_consumer_free(k);
    if (code == CZ_OK && l->lines_len == 0 && !all_done(l))
        code = cz_fail(err, last.code ? last.code : CZ_E_TIMEOUT, "nothing could be read in time%s%s",
                       last.code ? ": " : "", last.text);
    return code;
}

static int by_time(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->timestamp != y->timestamp)
        return x->timestamp < y->timestamp ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void write_lines(struct look *l, struct cz_buf *out)
{
    size_t count = (size_t)l->q->count, from = 0, to = l->lines_len;
    if (l->lines_len > 0)
        qsort(l->lines, l->lines_len, sizeof *l->lines, by_time);
    bool last = l->q->from == CZ_CONSUME_LATEST && l->q->epoch_ms <= 0;
    if (to > count && last)
        from = to - count;
    else if (to > count)
        to = count;
    cz_buf_addc(out, '[');
    for (size_t i = from; i < to; i++)
        cz_buf_addf(out, "%s%s", i > from ? ",\n" : "", l->lines[i].text);
    cz_buf_addc(out, ']');
}

static bool begin_look(struct cz_service *s)
{
    CZ_LOCKED(&s->lock);
    bool room = s->looks < MAX_LOOKS;
    s->looks += room;
    return room;
}

static void end_look(struct cz_service *s)
{
    CZ_LOCKED(&s->lock);
    s->looks--;
}

static enum cz_err consume(struct cz_service *s,
                           const struct cz_consume *q,
                           struct cz_buf *out,
                           struct cz_error *err)
{
    struct look l = {.q = q, .deadline = cz_deadline_ms(q->timeout_ms)};
    struct cz_cluster *c = NULL;
    struct cz__admin_use use = {0};
    enum cz_err code = cluster_of(s, q->team, q->cluster, &c, err);
    if (code == CZ_OK)
        code = cz__admin_take(s, c, &use, err);
    if (code == CZ_OK) {
        code = choose_partitions(&l, use.admin, err);
        if (code == CZ_OK)
            code = find_range(&l, use.admin, err);
        cz__admin_give(s, &use);
    }
    l.codec = cz_file_codec_new();
    if (code == CZ_OK)
        code = read_records(&l, c, err);
    if (code == CZ_OK)
        write_lines(&l, out);
    for (size_t i = 0; i < l.lines_len; i++)
        cz_free(l.lines[i].text);
    cz_free(l.lines);
    cz_free(l.parts);
    cz_file_codec_free(l.codec);
    cz_cluster_unref(c);
    return code;
}

enum cz_err cz_service_consume(struct cz_service *s,
                               const struct cz_consume *q,
                               struct cz_buf *out,
                               struct cz_error *err)
{
    if (!begin_look(s))
        return cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, 0,
                             "%d others read records now; try again", MAX_LOOKS);
    enum cz_err code = consume(s, q, out, err);
    end_look(s);
    return code;
}
