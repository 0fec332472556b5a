/* SPDX-License-Identifier: Apache-2.0 */
/* Topic files as a source: each record when it is due.
 *
 * Time.  All files of a source share one base: the earliest recorded time of their first records, and
 * the moment at which that one is sent.  A record is due at (its time − base) / speed behind that
 * moment, so errors do not add up, and files keep their places beside each other.  A file that begins
 * anew in a loop gets a base of its own; a task that was behind (assigned again) keeps it, and so
 * catches up.
 *
 * Numbers.  Offset n is record n of the file; in turn k of a loop it is k × length + n. */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/thread.h"
#include "lane_source.h"

enum { BATCH_BYTES = 4 * 1024 * 1024, EMPTY_TURN_MS = 1000 };
#define CENTURY_MS (100.0 * 365 * 86400 * 1000)

struct part {
    char *name;
    void *opaque;
    bool assigned, ended, told; /* told: the end, as an event */
    struct cz_file_reader *reader;
    int64_t turn_base;   /* offset of record 0 in this turn of the loop */
    int64_t length;      /* of a whole turn; -1: not known yet */
    bool some;           /* this turn had a record for us */
    cz_time not_before;  /* of a turn that had none */
    bool timed;          /* some record had a time */
    int64_t time_ms;     /* the last one */
    bool based, turned;  /* turned: not the first turn */
    int64_t base_ms;     /* recorded time */
    cz_time base_at;     /* when that is */
    bool ready;          /* `record` is the next */
    bool bad;
    struct cz_record record;
    struct cz_error error;
    struct part *next;
};
struct file_source {
    struct cz_replay o;
    struct part *parts;
    bool based; /* the common base of the first turns */
    int64_t base_ms;
    cz_time base_at;
    struct cz_mutex lock;
    struct cz_cond cond;
    bool woken;
};

static struct part *find(struct file_source *s, const char *name)
{
    struct part *p = s->parts;
    while (p && strcmp(p->name, name) != 0)
        p = p->next;
    return p;
}

/* ---- assignment ----------------------------------------------------------------------------- */

/* To record @offset; over whole turns of the loop, which are known only once one was read. */
static enum cz_err go_to(struct file_source *s, struct part *p, int64_t offset, struct cz_error *err)
{
    if (offset < p->turn_base)
        p->turn_base = p->length > 0 ? offset / p->length * p->length : 0;
    for (;;) {
        enum cz_err code = cz_file_reader_seek(p->reader, offset - p->turn_base, err);
        int64_t at = cz_file_reader_number(p->reader);
        if (code || at == offset - p->turn_base || !s->o.loop || at == 0)
            return code;
        p->length = at;
        p->turn_base = offset / p->length * p->length;
    }
}

static enum cz_err assign(void *self, const char *topic, int32_t partition, int64_t offset, void *opaque,
                          struct cz_error *err)
{
    struct file_source *s = self;
    struct part *p = find(s, topic);
    (void)partition;
    if (!p) {
        p = cz_alloc(sizeof *p);
        p->name = cz_strdup(topic);
        p->length = -1;
        p->next = s->parts;
        s->parts = p;
    }
    p->opaque = opaque;
    p->ready = p->ended = p->told = p->timed = false;
    enum cz_err code = CZ_OK;
    if (!p->reader)
        code = cz_file_reader_open(s->o.folder, topic, &p->reader, err);
    if (!code)
        code = go_to(s, p, offset, err);
    p->assigned = !code;
    return code;
}

static enum cz_err unassign(void *self, const char *topic, int32_t partition, struct cz_error *err)
{
    struct part *p = find(self, topic);
    (void)partition;
    (void)err;
    if (p)
        p->assigned = p->ready = false;
    return CZ_OK;
}

/* ---- the next record of a file -------------------------------------------------------------- */

static bool in_window(const struct file_source *s, const struct part *p)
{
    if (!p->timed)
        return s->o.from_ms == INT64_MIN;
    return p->time_ms >= s->o.from_ms && p->time_ms < s->o.to_ms;
}

/* At the end: again from the beginning, or the end of all. */
static void turn(struct file_source *s, struct part *p)
{
    struct cz_error err = CZ_ERROR_INIT;
    p->length = cz_file_reader_number(p->reader);
    if (!s->o.loop || p->length == 0) {
        p->ended = true;
        return;
    }
    p->turn_base += p->length;
    p->not_before = p->some ? 0 : cz_deadline_ms(EMPTY_TURN_MS);
    p->some = p->based = p->timed = false;
    p->turned = true;
    if (cz_file_reader_seek(p->reader, 0, &err)) {
        p->ready = p->bad = true;
        p->error = err;
        p->record = (struct cz_record){.topic = p->name};
    }
}

static void fetch(struct file_source *s, struct part *p)
{
    while (!p->ready && !p->ended && cz_now() >= p->not_before) {
        cz_error_reset(&p->error);
        switch (cz_file_read_next(p->reader, &p->record, &p->error)) {
        case CZ_FILE_RECORD:
            p->bad = false;
            if (p->record.ts_type != CZ_TS_NONE) {
                p->time_ms = p->record.timestamp_ms;
                p->timed = true;
            }
            p->ready = in_window(s, p);
            break;
        case CZ_FILE_BAD:
        case CZ_FILE_FAILED:
            p->ready = p->bad = true;
            break;
        case CZ_FILE_END:
            turn(s, p);
            break;
        }
        p->some |= p->ready;
    }
}

static cz_time due_at(const struct file_source *s, struct part *p)
{
    if (s->o.speed <= 0 || p->bad || !p->timed)
        return 0;
    if (!p->based) {
        p->based = true;
        p->base_ms = p->turned ? p->time_ms : s->base_ms;
        p->base_at = p->turned ? cz_now() : s->base_at;
    }
    double ms = (double)(p->time_ms - p->base_ms) / s->o.speed;
    return ms > CENTURY_MS ? CZ_TIME_NEVER : p->base_at + (cz_time)(ms * (double)CZ_MS);
}

static void choose_base(struct file_source *s)
{
    for (struct part *p = s->parts; p; p = p->next) {
        if (!p->assigned || !p->ready || !p->timed || (s->based && p->time_ms >= s->base_ms))
            continue;
        s->based = true;
        s->base_ms = p->time_ms;
        s->base_at = cz_now();
    }
}

/* The part whose record is due first. */
static struct part *first(struct file_source *s, cz_time *ret_due)
{
    struct part *best = NULL;
    *ret_due = CZ_TIME_NEVER;
    for (struct part *p = s->parts; p; p = p->next) {
        if (p->assigned)
            fetch(s, p);
    }
    if (!s->based)
        choose_base(s);
    for (struct part *p = s->parts; p; p = p->next) {
        cz_time due = p->assigned && p->ready ? due_at(s, p) : CZ_TIME_NEVER;
        if (due < *ret_due) {
            *ret_due = due;
            best = p;
        }
    }
    return best;
}

/* ---- events --------------------------------------------------------------------------------- */

static void shift(const struct file_source *s, struct cz_record *r)
{
    if (s->o.shift == CZ_SHIFT_NOW) {
        r->timestamp_ms = cz_wall_ms();
        r->ts_type = CZ_TS_CREATE;
    } else if (s->o.shift == CZ_SHIFT_BY && r->ts_type != CZ_TS_NONE) {
        int64_t sum;
        if (!__builtin_add_overflow(r->timestamp_ms, s->o.shift_ms, &sum))
            r->timestamp_ms = sum > 0 ? sum : 0;
    }
}

/* false: not now (no memory); it stays the next. */
static bool to_event(struct file_source *s, struct part *p, struct cz_event *e)
{
    struct cz_record r = p->record;
    r.offset += p->turn_base;
    r.topic = p->name;
    if (r.partition < 0)
        r.partition = 0;
    shift(s, &r);
    void *msg = cz_message_make(&r);
    if (!msg)
        return false;
    *e = (struct cz_event){.kind = CZ_EVENT_RECORD, .opaque = p->opaque, .bad = p->bad};
    cz_message_record(msg, p->name, &e->record);
    if (p->bad) {
        e->code = p->error.code;
        (void)snprintf(e->text, sizeof e->text, "%.*s", (int)sizeof e->text - 1, p->error.text);
    }
    p->ready = false;
    return true;
}

static bool failed(const struct part *p)
{
    return p->bad && p->error.code != CZ_E_PARSE && p->error.code != CZ_E_INVALID && p->error.code != CZ_E_LIMIT;
}

static void to_trouble(struct part *p, struct cz_event *e)
{
    *e = (struct cz_event){.kind = CZ_EVENT_ERROR, .opaque = p->opaque, .code = p->error.code};
    (void)snprintf(e->text, sizeof e->text, "%.*s", (int)sizeof e->text - 1, p->error.text);
    p->ready = false;
    p->assigned = false;
}

static size_t tell_ends(struct file_source *s, struct cz_event *out, size_t max)
{
    size_t n = 0;
    for (struct part *p = s->parts; p && n < max; p = p->next) {
        if (!p->assigned || !p->ended || p->told)
            continue;
        p->told = true;
        out[n] = (struct cz_event){.kind = CZ_EVENT_END, .opaque = p->opaque, .last = true};
        out[n++].record.offset = p->turn_base + p->length;
    }
    return n;
}

static size_t take_due(struct file_source *s, struct cz_event *out, size_t max, cz_time *ret_due)
{
    size_t n = 0, bytes = 0;
    while (n < max && bytes < BATCH_BYTES) {
        struct part *p = first(s, ret_due);
        if (!p || *ret_due > cz_now())
            break;
        if (failed(p)) {
            to_trouble(p, &out[n++]);
            continue;
        }
        bytes += p->record.key.len + p->record.value.len;
        if (!to_event(s, p, &out[n]))
            break;
        n++;
    }
    if (n < max)
        n += tell_ends(s, out + n, max - n);
    return n;
}

static size_t poll(void *self, struct cz_event *out, size_t max, int timeout_ms)
{
    struct file_source *s = self;
    cz_time until = cz_deadline_ms(timeout_ms), due = CZ_TIME_NEVER;
    for (;;) {
        size_t n = take_due(s, out, max, &due);
        if (n > 0 || cz_now() >= until)
            return n;
        CZ_LOCKED(&s->lock);
        cz_time at = due < until ? due : until;
        while (!s->woken && cz_cond_wait(&s->cond, &s->lock, at))
            continue;
        if (s->woken) {
            s->woken = false;
            return 0;
        }
    }
}

static void wake(void *self)
{
    struct file_source *s = self;
    CZ_LOCKED(&s->lock);
    s->woken = true;
    cz_cond_signal(&s->cond);
}

static int64_t end(void *self, const char *topic, int32_t partition)
{
    const struct part *p = find(self, topic);
    (void)partition;
    return p && p->ended ? p->turn_base + p->length : -1;
}

static void done(void *self)
{
    struct file_source *s = self;
    while (s->parts) {
        struct part *p = s->parts;
        s->parts = p->next;
        cz_file_reader_free(p->reader);
        cz_free(p->name);
        cz_free(p);
    }
    cz_mutex_done(&s->lock);
    cz_cond_done(&s->cond);
    cz_free(s);
}

void lane__source_files(const struct cz_replay *r, struct lane_source *ret)
{
    static const struct lane_source_ops ops = {assign, unassign, poll, wake, end, done};
    struct file_source *s = cz_alloc(sizeof *s);
    s->o = *r;
    cz_mutex_init(&s->lock);
    cz_cond_init(&s->cond);
    *ret = (struct lane_source){&ops, s};
}
