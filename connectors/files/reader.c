/* SPDX-License-Identifier: Apache-2.0 */
/* Reading topic files back as one row of records.  Records are counted, so that a position means
 * the same in a packed file and in a plain one; to get to a position is to count again, from the
 * nearest place that is known. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "files_priv.h"

enum { CHUNK = 256 * 1024, BAD_TEXT = 1024 * 1024, MARK_EVERY = 65536 };

/* ---- lines of one file ---------------------------------------------------------------------- */

enum cz_err files__lines_open(const struct cz_file_folder *f, const struct files__segment *s, int64_t from,
                              struct files__lines *ret, struct cz_error *err)
{
    int fd = files__open(f, s->file, O_RDONLY, err);
    if (fd < 0)
        return err ? err->code : CZ_E_IO;
    *ret = (struct files__lines){.fd = fd, .split = CZ_FILE_SPLIT_INIT};
    if (from > 0)
        ret->split.form = CZ_FILE_LINES;
    cz_buf_init(&ret->buf, CZ_MAX_FILE_RECORD + CHUNK);
    ret->unpacker = files__unpacker_new(fd, s->file, s->packing, from);
    return CZ_OK;
}

void files__lines_done(struct files__lines *l)
{
    if (!l->unpacker)
        return;
    files__unpacker_free(l->unpacker);
    (void)close(l->fd);
    cz_buf_done(&l->buf);
    *l = (struct files__lines){0};
}

/* More bytes behind what is left. */
static enum cz_err more(struct files__lines *l, struct cz_error *err)
{
    size_t left = l->buf.len - l->used;
    if (l->used > 0)
        memmove(l->buf.data, l->buf.data + l->used, left);
    l->buf.len = left;
    l->used = 0;
    char *to = cz_buf_reserve(&l->buf, CHUNK);
    size_t n = 0;
    if (!to)
        return cz_fail(err, CZ_E_LIMIT, "a line is longer than %d bytes", CZ_MAX_FILE_RECORD);
    enum cz_err code = files__unpack(l->unpacker, to, CHUNK, &n, err);
    l->buf.len += n;
    l->eof = !code && n == 0;
    return code;
}

static int64_t newlines(const char *p, size_t n)
{
    int64_t count = 0;
    const char *end = p + n;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        count++;
        p++;
    }
    return count;
}

static void count_lines(struct files__lines *l, const char *data, size_t used, const struct cz_slice *found)
{
    if (found)
        l->line = l->newlines + newlines(data, (size_t)(found->data - data)) + 1;
    if (found && found->data == data && used == found->len + 1)
        l->newlines += data[used - 1] == '\n'; /* the usual line */
    else
        l->newlines += newlines(data, used);
}

enum cz_err files__lines_next(struct files__lines *l, struct cz_slice *ret, struct cz_error *err)
{
    for (;;) {
        size_t used = 0;
        const char *data = l->buf.data ? l->buf.data + l->used : "";
        bool found = cz_file_split_next(&l->split, data, l->buf.len - l->used, l->eof, ret, &used);
        l->used += used;
        count_lines(l, data, used, found ? ret : NULL);
        if (found)
            return CZ_OK;
        if (l->eof) {
            *ret = (struct cz_slice){NULL, 0};
            return CZ_OK;
        }
        enum cz_err code = more(l, err);
        if (code)
            return code;
    }
}

/* ---- all files of a topic ------------------------------------------------------------------- */

struct mark { /* a place that is known */
    int64_t number, newlines;
    size_t segment;
    int64_t at; /* byte; plain files */
};
struct cz_file_reader {
    struct cz_file_folder *folder;
    char *name;
    struct files__segments segments;
    size_t segment;
    bool open;
    struct files__lines lines;
    struct cz_file_codec *codec;
    int64_t number; /* of the next record */
    struct mark *marks;
    size_t marks_len, marks_cap;
    struct cz_buf bad;
};

enum cz_err cz_file_reader_open(struct cz_file_folder *f, const char *name, struct cz_file_reader **ret,
                                struct cz_error *err)
{
    struct files__segments s = {0};
    enum cz_err code = cz_file_name_check(name, err);
    if (!code)
        code = files__list(f, name, &s, err);
    if (code)
        return code;
    if (s.len == 0)
        return cz_fail_flags(err, CZ_E_NOT_FOUND, CZ_ERR_RETRIABLE, 0, "there is no %s.json in %s", name, f->path);
    struct cz_file_reader *r = cz_alloc(sizeof *r);
    r->folder = f;
    r->name = cz_strdup(name);
    r->segments = s;
    r->codec = cz_file_codec_new();
    cz_buf_init(&r->bad, BAD_TEXT + 1);
    *ret = r;
    return CZ_OK;
}

static void leave(struct cz_file_reader *r)
{
    files__lines_done(&r->lines);
    r->open = false;
}

void cz_file_reader_free(struct cz_file_reader *r)
{
    if (!r)
        return;
    leave(r);
    files__segments_done(&r->segments);
    cz_file_codec_free(r->codec);
    cz_buf_done(&r->bad);
    cz_free(r->marks);
    cz_free(r->name);
    cz_free(r);
}

int64_t cz_file_reader_number(const struct cz_file_reader *r)
{
    return r->number;
}

size_t cz_file_reader_files(const struct cz_file_reader *r)
{
    return r->segments.len;
}

static void mark(struct cz_file_reader *r, int64_t at)
{
    const struct mark *last = r->marks_len ? &r->marks[r->marks_len - 1] : NULL;
    if (last && last->number >= r->number)
        return;
    cz_grow(&r->marks, &r->marks_cap, r->marks_len, sizeof *r->marks);
    r->marks[r->marks_len++] =
        (struct mark){.number = r->number, 
                      .newlines = r->open ? r->lines.newlines : 0, .segment = r->segment, .at = at};
}

/* Where the next line begins, when that is a place to come back to. */
static void mark_sometimes(struct cz_file_reader *r)
{
    const struct files__segment *s = &r->segments.items[r->segment];
    if (s->packing != CZ_FILE_PLAIN || r->lines.split.form != CZ_FILE_LINES || r->number % MARK_EVERY != 0)
        return;
    mark(r, files__unpacker_whole(r->lines.unpacker) - (int64_t)(r->lines.buf.len - r->lines.used));
}

static enum cz_err enter(struct cz_file_reader *r, int64_t at, struct cz_error *err)
{
    enum cz_err code = files__lines_open(r->folder, &r->segments.items[r->segment], at, &r->lines, err);
    r->open = !code;
    return code;
}

/* The next line of the row; text->data NULL: the end of all. A damaged file ends where it is. */
static enum cz_err next_line(struct cz_file_reader *r, struct cz_slice *text, struct cz_error *err)
{
    *text = (struct cz_slice){NULL, 0};
    while (r->segment < r->segments.len) {
        enum cz_err code = CZ_OK;
        if (!r->open) {
            mark(r, 0);
            code = enter(r, 0, err);
        }
        if (!code)
            code = files__lines_next(&r->lines, text, err);
        if (code == CZ_E_PARSE || code == CZ_E_LIMIT) { /* nothing behind it can be found */
            leave(r);
            r->segment++;
        }
        if (code)
            return code;
        if (text->data)
            return CZ_OK;
        leave(r);
        r->segment++;
    }
    return CZ_OK;
}

static enum cz_file_read bad(struct cz_file_reader *r, struct cz_slice text, struct cz_record *ret)
{
    cz_buf_clear(&r->bad);
    cz_buf_add(&r->bad, text.data ? text.data : "", text.len < BAD_TEXT ? text.len : BAD_TEXT);
    *ret = (struct cz_record){.topic = r->name,
                              .offset = r->number++,
                              .value = {cz_buf_str(&r->bad), r->bad.len}};
    return CZ_FILE_BAD;
}

enum cz_file_read cz_file_read_next(struct cz_file_reader *r, struct cz_record *ret, struct cz_error *err)
{
    struct cz_slice text;
    enum cz_err code = next_line(r, &text, err);
    if (code == CZ_E_PARSE || code == CZ_E_LIMIT)
        return bad(r, text, ret);
    if (code)
        return CZ_FILE_FAILED;
    if (!text.data)
        return CZ_FILE_END;
    struct cz_error why = CZ_ERROR_INIT;
    if (cz_file_decode(r->codec, text.data, text.len, ret, &why)) {
        (void)cz_fail(err, why.code, "%s line %lld: %s", r->segments.items[r->segment].file,
                      (long long)r->lines.line, why.text);
        return bad(r, text, ret);
    }
    ret->offset = r->number++;
    mark_sometimes(r);
    return CZ_FILE_RECORD;
}

enum cz_err cz_file_reader_seek(struct cz_file_reader *r, int64_t number, struct cz_error *err)
{
    const struct mark *best = NULL;
    for (size_t i = 0; i < r->marks_len && r->marks[i].number <= number; i++)
        best = &r->marks[i];
    if (number < r->number || (best && best->number > r->number)) {
        leave(r);
        r->number = best ? best->number : 0;
        r->segment = best ? best->segment : 0;
        if (best && best->at > 0) {
            enum cz_err code = enter(r, best->at, err);
            if (code)
                return code;
            r->lines.newlines = best->newlines;
        }
    }
    while (r->number < number) {
        struct cz_slice text;
        struct cz_error own = CZ_ERROR_INIT;
        enum cz_err code = next_line(r, &text, &own);
        if (code && code != CZ_E_PARSE && code != CZ_E_LIMIT)
            return cz_fail_flags(err, own.code, own.flags, own.detail, "%s", own.text);
        if (!code && !text.data)
            return CZ_OK;
        r->number++;
        if (r->open)
            mark_sometimes(r);
    }
    return CZ_OK;
}
