/* SPDX-License-Identifier: Apache-2.0 */
/* A sink: records in, lines in memory, a thread that has them written.  A batch is either whole on
 * the disk and told so, or cut off again and told so; in between, a crash leaves at most a torn end,
 * which the next opening cuts off. */
#include <string.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "files_priv.h"

enum {
    FULL_BYTES = 8 * 1024 * 1024, /* more is not taken until some is written */
    BATCH_BYTES = 1024 * 1024,    /* reason enough to write at once */
    STATE_BYTES = 64 * 1024 * 1024, /* no more is read at a start */
};

struct files__position *files__position(struct cz_file_out *o, const char *topic, int32_t partition, bool make)
{
    struct files__position *p = o->last;
    if (p && p->partition == partition && strcmp(p->topic, topic) == 0)
        return p;
    for (p = o->positions; p; p = p->next_position) {
        if (p->partition == partition && strcmp(p->topic, topic) == 0)
            break;
    }
    if (!p && make) {
        p = cz_alloc(sizeof *p);
        *p = (struct files__position){.topic = cz_strdup(topic),
                                      .partition = partition,
                                      .next = -1,
                                      .appended = -1,
                                      .next_position = o->positions};
        o->positions = p;
    }
    o->last = p;
    return p;
}

int64_t cz_file_out_position(struct cz_file_out *out, const char *topic, int32_t partition, const char **ret_note)
{
    const struct files__position *p = files__position(out, topic, partition, false);
    *ret_note = p ? p->note : NULL;
    return p ? p->next : -1;
}

void cz_file_out_claim(struct cz_file_out *out, const char *topic, int32_t partition, int64_t offset,
                       const char *note)
{
    struct files__position *p = files__position(out, topic, partition, true);
    p->next = p->appended = offset;
    cz_free(p->note);
    p->note = cz_strdup(note);
}

enum cz_err cz_file_out_claimed(struct cz_file_out *out, struct cz_error *err)
{
    return files__state_save(out, err);
}

/* ---- appending ------------------------------------------------------------------------------ */

static enum cz_err repeat(const struct cz_error *e, struct cz_error *err)
{
    return cz_fail_flags(err, e->code, e->flags, e->detail, "%s", e->text);
}

/* With the sink's lock. */
static enum cz_err take(struct cz_file_out *out, const struct cz_record *r, void *opaque, struct cz_error *err)
{
    struct files__batch *b = &out->pending;
    struct files__position *p = NULL;
    if (out->broken.code)
        return repeat(&out->broken, err);
    if (b->lines.len >= FULL_BYTES)
        return cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, 0, "%s: the disk does not keep up", out->file);
    if (out->sink->o.exact) {
        p = files__position(out, r->topic, r->partition, true);
        if (r->offset < p->appended) { /* the file has it: an entry without a line */
            cz_grow(&b->entries, &b->cap, b->len, sizeof *b->entries);
            b->entries[b->len++] = (struct files__entry){.opaque = opaque};
            return CZ_OK;
        }
    }
    struct cz_error own = CZ_ERROR_INIT;
    if (cz_file_encode(out->sink->codec, r, &b->lines, &own))
        return cz_fail(err, CZ_E_TOO_LARGE, "%s", own.text);
    cz_grow(&b->entries, &b->cap, b->len, sizeof *b->entries);
    b->entries[b->len++] = (struct files__entry){.opaque = opaque, .position = p, .offset = r->offset};
    if (p)
        p->appended = r->offset + 1;
    return CZ_OK;
}

enum cz_err cz_file_append(struct cz_file_out *out, const struct cz_record *r, void *opaque, struct cz_error *err)
{
    struct cz_file_sink *s = out->sink;
    CZ_LOCKED(&s->lock);
    bool first = out->pending.len == 0;
    bool small = out->pending.lines.len < BATCH_BYTES;
    enum cz_err code = take(out, r, opaque, err);
    if (code)
        return code;
    if (first)
        out->flush_at = cz_deadline_ms(s->o.flush_ms);
    if (first || (small && out->pending.lines.len >= BATCH_BYTES))
        cz_cond_signal(&s->cond);
    return CZ_OK;
}

void cz_file_out_error(struct cz_file_out *out, struct cz_error *ret)
{
    CZ_LOCKED(&out->sink->lock);
    if (out->broken.code)
        (void)repeat(&out->broken, ret);
    else
        (void)cz_fail_flags(ret, CZ_E_IO, CZ_ERR_RETRIABLE, 0, "%s: cannot be written", out->file);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void clear(struct files__batch *b)
{
    cz_buf_clear(&b->lines);
    b->len = 0;
}

static void report(struct cz_file_sink *s, const struct files__batch *b, const struct cz_error *err)
{
    for (size_t i = 0; i < b->len; i++)
        s->o.written(b->entries[i].opaque, err);
}

/* To be quicker at the next start; the lines say it as well. */
static void keep_state(struct cz_file_out *out)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (files__state_save(out, &err))
        cz_log(CZ_LOG_DEBUG, "file", "%s", err.text);
}

static void write_out(struct cz_file_out *out)
{
    struct cz_file_sink *s = out->sink;
    struct files__batch *b = &out->writing;
    struct cz_error err = CZ_ERROR_INIT;
    if (out->broken.code)
        err = out->broken;
    else if (!files__write_batch(out, b, &err) && s->o.exact) {
        for (size_t i = 0; i < b->len; i++) {
            if (b->entries[i].position)
                b->entries[i].position->next = b->entries[i].offset + 1;
        }
    }
    if (!err.code && s->o.exact && out->length - out->state_at >= STATE_BYTES)
        keep_state(out);
    if (err.code) {
        CZ_LOCKED(&s->lock);
        out->broken = err;
    }
    report(s, b, err.code ? &err : NULL);
    clear(b);
}

/* With the lock. A file that has something to write now; else until when to wait. */
static struct cz_file_out *due(struct cz_file_sink *s, cz_time *ret_until)
{
    *ret_until = CZ_TIME_NEVER;
    cz_time now = cz_now();
    for (struct cz_file_out *o = s->outs; o; o = o->next) {
        bool some = o->pending.len > 0;
        if (some && (s->stop || now >= o->flush_at || o->pending.lines.len >= BATCH_BYTES || o->broken.code))
            return o;
        cz_time at = some ? o->flush_at : CZ_TIME_NEVER;
        *ret_until = at < *ret_until ? at : *ret_until;
    }
    return NULL;
}

static void *sink_main(void *arg)
{
    struct cz_file_sink *s = arg;
    cz_mutex_lock(&s->lock);
    for (;;) {
        cz_time until;
        struct cz_file_out *o = due(s, &until);
        if (o) {
            struct files__batch b = o->writing;
            o->writing = o->pending;
            o->pending = b;
            cz_mutex_unlock(&s->lock);
            write_out(o);
            cz_mutex_lock(&s->lock);
        } else if (s->stop) {
            break;
        } else {
            (void)cz_cond_wait(&s->cond, &s->lock, until);
        }
    }
    cz_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct cz_file_sink *cz_file_sink_new(const struct cz_file_sink_options *o)
{
    struct cz_file_sink *s = cz_alloc(sizeof *s);
    s->o = *o;
    s->codec = cz_file_codec_new();
    cz_buf_init(&s->packed, 2 * (size_t)CZ_MAX_FILE_RECORD);
    cz_mutex_init(&s->lock);
    cz_cond_init(&s->cond);
    cz_thread_start(&s->thread, "cz-file-sink", sink_main, s);
    return s;
}

enum cz_err cz_file_sink_open(struct cz_file_sink *s, const char *name, struct cz_file_out **ret, struct cz_error *err)
{
    struct cz_file_out *o = s->outs;
    while (o && strcmp(o->name, name) != 0)
        o = o->next;
    if (!o) {
        enum cz_err code = files__out_open(s, name, &o, err);
        if (code)
            return code;
        CZ_LOCKED(&s->lock);
        o->next = s->outs;
        s->outs = o;
    }
    *ret = o;
    return CZ_OK;
}

void files__out_free(struct cz_file_out *o)
{
    if (!o)
        return;
    while (o->positions) {
        struct files__position *p = o->positions;
        o->positions = p->next_position;
        cz_free(p->topic);
        cz_free(p->note);
        cz_free(p);
    }
    cz_buf_done(&o->pending.lines);
    cz_buf_done(&o->writing.lines);
    cz_free(o->pending.entries);
    cz_free(o->writing.entries);
    if (o->fd >= 0)
        (void)close(o->fd);
    if (o->lock >= 0)
        (void)close(o->lock); /* lets the next one in */
    cz_free(o->name);
    cz_free(o->file);
    cz_free(o);
}

void cz_file_sink_free(struct cz_file_sink *s)
{
    if (!s)
        return;
    cz_mutex_lock(&s->lock);
    s->stop = true;
    cz_cond_signal(&s->cond);
    cz_mutex_unlock(&s->lock);
    cz_thread_join(&s->thread);
    while (s->outs) {
        struct cz_file_out *o = s->outs;
        s->outs = o->next;
        if (s->o.exact && !o->broken.code && o->length != o->state_at)
            keep_state(o);
        files__out_free(o);
    }
    cz_file_codec_free(s->codec);
    cz_buf_done(&s->packed);
    cz_mutex_done(&s->lock);
    cz_cond_done(&s->cond);
    cz_free(s);
}
