/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a file for appending: alone, and behind the last whole record.  Only what we wrote
 * ourselves, and had not yet told anybody of, is cut off; anything else that does not end as it
 * should is somebody's data and an error. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "files_priv.h"

enum { LOOK_BACK = 8 * 1024 * 1024, TORN_MAX = 64 * 1024 * 1024, CHUNK = 256 * 1024 };

#define OURS "{\"topic\":" /* how every line that we write begins */

static enum cz_err take_lock(struct cz_file_out *o, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *file = cz_strf(".%s.lock", o->name);
    o->lock = files__open(o->sink->o.folder, file, O_RDWR | O_CREAT, err);
    if (o->lock < 0)
        return err ? err->code : CZ_E_IO;
    if (flock(o->lock, LOCK_EX | LOCK_NB) == 0)
        return CZ_OK;
    return cz_fail_flags(err, CZ_E_CONFLICT, CZ_ERR_RETRIABLE, errno,
                         "%s is being written by another task: a file has one writer", o->file);
}

/* Active files of another packing are ended: what comes now is behind them. */
static enum cz_err settle_segments(struct cz_file_out *o, struct cz_error *err)
{
    const struct cz_file_folder *f = o->sink->o.folder;
    struct files__segments s = {0};
    enum cz_err code = files__list(f, o->name, &s, err);
    o->segment = s.last + 1;
    for (size_t i = 0; !code && i < s.len; i++) {
        const struct files__segment *g = &s.items[i];
        if (g->number != INT64_MAX || g->packing == o->sink->o.packing)
            continue;
        CZ_CLEANUP(cz_freep) char *to = files__rotated(o->name, o->segment, g->packing);
        if (renameat(f->fd, g->file, f->fd, to))
            code = files__errno(err, g->file, "rename");
        o->segment++;
    }
    files__segments_done(&s);
    return code;
}

/* ---- the end of a plain file ---------------------------------------------------------------- */

static enum cz_err cut(struct cz_file_out *o, int64_t to, struct cz_error *err)
{
    if (ftruncate(o->fd, to) || fdatasync(o->fd))
        return files__errno(err, o->file, "cut its torn end off");
    o->length = to;
    return CZ_OK;
}

static enum cz_err read_at(struct cz_file_out *o, int64_t at, struct cz_buf *b, size_t n, struct cz_error *err)
{
    char *to = cz_buf_reserve(b, n);
    size_t got = 0;
    if (!to)
        return cz_fail(err, CZ_E_LIMIT, "%s: no memory to look at its end", o->file);
    while (got < n) {
        ssize_t k = pread(o->fd, to + got, n - got, at + (int64_t)got);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return files__errno(err, o->file, "read");
        if (k == 0)
            break;
        got += (size_t)k;
    }
    b->len += got;
    return CZ_OK;
}

static enum cz_err not_ours(struct cz_file_out *o, const char *what, struct cz_error *err)
{
    return cz_fail(err, CZ_E_INVALID, "%s: %s; nothing is appended to it", o->file, what);
}

/* Is this the beginning of a line of ours, or what a crash makes of one? */
static bool torn(struct cz_slice tail)
{
    size_t n = tail.len < strlen(OURS) ? tail.len : strlen(OURS);
    return memcmp(tail.data, OURS, n) == 0 || *tail.data == '\0';
}

/* @tail the bytes behind the last newline, from @at on. */
static enum cz_err settle_tail(struct cz_file_out *o, struct cz_slice tail, int64_t at, struct cz_error *err)
{
    struct cz_record r;
    if (tail.len == 0)
        return CZ_OK;
    if (!cz_file_decode(o->sink->codec, tail.data, tail.len, &r, NULL)) { /* only its newline is missing */
        enum cz_err code = files__write_all(o->fd, o->file, "\n", 1, err);
        o->length += !code;
        return code;
    }
    return torn(tail) ? cut(o, at, err) : not_ours(o, "its last line is no record", err);
}

static enum cz_err mend_plain(struct cz_file_out *o, struct cz_error *err)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(CZ_MAX_FILE_RECORD + LOOK_BACK);
    char first = '{';
    if (o->length > 0 && pread(o->fd, &first, 1, 0) == 1 && first == '[')
        return not_ours(o, "it is a JSON array, not lines", err);
    size_t look = LOOK_BACK;
    for (;;) {
        if ((int64_t)look > o->length)
            look = (size_t)o->length;
        int64_t at = o->length - (int64_t)look;
        cz_buf_clear(&b);
        enum cz_err code = read_at(o, at, &b, look, err);
        if (code)
            return code;
        /* Power that failed may leave zeros where lines were to be. */
        const char *hole = b.len ? memchr(b.data, '\0', b.len) : NULL;
        size_t end = hole ? (size_t)(hole - b.data) : b.len;
        const char *newline = end ? memrchr(b.data, '\n', end) : NULL;
        if (newline || at == 0) {
            size_t from = newline ? (size_t)(newline - b.data) + 1 : 0;
            struct cz_slice tail = {b.len ? b.data + from : "", b.len - from};
            if (hole)
                return torn(tail) ? cut(o, at + (int64_t)from, err) : not_ours(o, "it holds zero bytes", err);
            return settle_tail(o, tail, at + (int64_t)from, err);
        }
        if (look >= CZ_MAX_FILE_RECORD)
            return not_ours(o, "its last line is too long", err);
        look = look < CZ_MAX_FILE_RECORD / 4 ? look * 4 : CZ_MAX_FILE_RECORD;
    }
}

/* ---- the end of a packed file --------------------------------------------------------------- */

static enum cz_err mend_packed(struct cz_file_out *o, struct cz_error *err)
{
    struct files__unpacker *u = files__unpacker_new(o->fd, o->file, o->sink->o.packing, 0);
    struct cz_error why = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *to = cz_alloc(CHUNK);
    char last = '\n';
    size_t n = 0;
    enum cz_err code = CZ_OK;
    do {
        if (n > 0)
            last = to[n - 1];
        code = files__unpack(u, to, CHUNK, &n, &why);
    } while (!code && n > 0);
    int64_t whole = files__unpacker_whole(u);
    files__unpacker_free(u);
    if (code == CZ_E_PARSE && o->length - whole <= TORN_MAX)
        return cut(o, whole, err);
    if (code)
        return cz_fail_flags(err, why.code, why.flags, why.detail, "%s; nothing is appended to it", why.text);
    if (last == '\n')
        return CZ_OK;
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(4096);
    code = files__pack(o->sink->o.packing, (struct cz_slice){"\n", 1}, &b, err);
    if (!code)
        code = files__write_all(o->fd, o->file, b.data, b.len, err);
    o->length += code ? 0 : (int64_t)b.len;
    return code;
}

enum cz_err files__out_open(struct cz_file_sink *s, const char *name, struct cz_file_out **ret, struct cz_error *err)
{
    enum cz_err code = cz_file_name_check(name, err);
    if (code)
        return code;
    struct cz_file_out *o = cz_alloc(sizeof *o);
    o->sink = s;
    o->name = cz_strdup(name);
    o->file = files__active(name, s->o.packing);
    o->fd = o->lock = -1;
    cz_buf_init(&o->pending.lines, 2 * (size_t)CZ_MAX_FILE_RECORD);
    cz_buf_init(&o->writing.lines, 2 * (size_t)CZ_MAX_FILE_RECORD);
    code = take_lock(o, err);
    if (!code)
        code = settle_segments(o, err);
    if (!code)
        code = files__open_active(o, err);
    if (!code)
        code = s->o.packing == CZ_FILE_PLAIN ? mend_plain(o, err) : mend_packed(o, err);
    if (!code && s->o.exact)
        code = files__state_load(o, err);
    if (code) {
        files__out_free(o);
        return code;
    }
    *ret = o;
    return CZ_OK;
}
