/* SPDX-License-Identifier: Apache-2.0 */
/* gzip and zstd.  What is written together is one member or frame, complete in itself: a file that
 * was cut short is whole up to the last of them, and that place can be found by reading. */
#include <errno.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "cz/alloc.h"
#include "files_priv.h"

enum { GZIP_WINDOW = 15 + 16, GZIP_LEVEL = 6, GZIP_MEMORY = 8, ZSTD_LEVEL = 3, READ_CHUNK = 128 * 1024 };

/* ---- packing -------------------------------------------------------------------------------- */

static enum cz_err too_large(struct cz_error *err)
{
    return cz_fail(err, CZ_E_LIMIT, "no memory to compress a batch");
}

static enum cz_err gzip(struct cz_slice in, struct cz_buf *out, struct cz_error *err)
{
    z_stream z = {0};
    if (in.len > UINT32_MAX ||
        deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return too_large(err);
    size_t bound = deflateBound(&z, in.len);
    char *to = cz_buf_reserve(out, bound);
    enum cz_err code = CZ_OK;
    if (to) {
        z.next_in = (Bytef *)CZ_UNCONST(in.data);
        z.avail_in = (uInt)in.len;
        z.next_out = (Bytef *)to;
        z.avail_out = (uInt)bound;
    }
    if (to && deflate(&z, Z_FINISH) == Z_STREAM_END)
        out->len += z.total_out;
    else
        code = too_large(err);
    (void)deflateEnd(&z);
    return code;
}

static enum cz_err zstd(struct cz_slice in, struct cz_buf *out, struct cz_error *err)
{
    size_t bound = ZSTD_compressBound(in.len);
    char *to = cz_buf_reserve(out, bound);
    size_t n = to ? ZSTD_compress(to, bound, in.data, in.len, ZSTD_LEVEL) : 0;
    if (!to || ZSTD_isError(n))
        return too_large(err);
    out->len += n;
    return CZ_OK;
}

enum cz_err files__pack(enum cz_file_packing p, struct cz_slice in, struct cz_buf *out, struct cz_error *err)
{
    return p == CZ_FILE_GZIP ? gzip(in, out, err) : zstd(in, out, err);
}

/* ---- unpacking ------------------------------------------------------------------------------ */

struct files__unpacker {
    int fd;
    const char *file; /* borrowed */
    enum cz_file_packing packing;
    char *in;
    size_t in_len, in_at;
    int64_t read; /* file offset behind `in` */
    int64_t whole;
    bool inside; /* a member or frame has begun and not ended */
    bool eof;
    bool none; /* there was no memory for it: said at the first read */
    z_stream z;
    ZSTD_DStream *d;
};

struct files__unpacker *files__unpacker_new(int fd, const char *file, enum cz_file_packing p, int64_t from)
{
    struct files__unpacker *u = cz_alloc(sizeof *u);
    u->fd = fd;
    u->file = file;
    u->packing = p;
    u->read = u->whole = from;
    u->in = cz_alloc(READ_CHUNK);
    if (p == CZ_FILE_ZSTD)
        u->d = ZSTD_createDStream();
    u->none = (p == CZ_FILE_GZIP && inflateInit2(&u->z, GZIP_WINDOW) != Z_OK) || (p == CZ_FILE_ZSTD && !u->d);
    return u;
}

void files__unpacker_free(struct files__unpacker *u)
{
    if (!u)
        return;
    if (u->packing == CZ_FILE_GZIP && !u->none)
        (void)inflateEnd(&u->z);
    (void)ZSTD_freeDStream(u->d);
    cz_free(u->in);
    cz_free(u);
}

int64_t files__unpacker_whole(const struct files__unpacker *u)
{
    return u->whole;
}

static enum cz_err fill(struct files__unpacker *u, char *to, size_t n, size_t *ret, struct cz_error *err)
{
    for (;;) {
        ssize_t got = pread(u->fd, to, n, u->read);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return files__errno(err, u->file, "read");
        u->read += got;
        u->eof = got == 0;
        *ret = (size_t)got;
        return CZ_OK;
    }
}

static enum cz_err damaged(const struct files__unpacker *u, const char *how, struct cz_error *err)
{
    return cz_fail(err, CZ_E_PARSE, "%s: its %s data %s behind byte %lld", u->file,
                   u->packing == CZ_FILE_GZIP ? "gzip" : "zstd", how, (long long)u->whole);
}

static enum cz_err step_gzip(struct files__unpacker *u, char *to, size_t n, size_t *ret_n, struct cz_error *err)
{
    u->z.next_in = (Bytef *)u->in + u->in_at;
    u->z.avail_in = (uInt)(u->in_len - u->in_at);
    u->z.next_out = (Bytef *)to;
    u->z.avail_out = (uInt)(n > UINT32_MAX ? UINT32_MAX : n);
    size_t room = u->z.avail_out;
    u->inside = true;
    int rc = inflate(&u->z, Z_NO_FLUSH);
    u->in_at = u->in_len - u->z.avail_in;
    *ret_n = room - u->z.avail_out;
    if (rc == Z_STREAM_END) {
        u->inside = false;
        (void)inflateReset(&u->z);
    } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
        return damaged(u, "are damaged", err);
    }
    return CZ_OK;
}

static enum cz_err step_zstd(struct files__unpacker *u, char *to, size_t n, size_t *ret_n, struct cz_error *err)
{
    ZSTD_inBuffer in = {u->in, u->in_len, u->in_at};
    ZSTD_outBuffer out = {to, n, 0};
    size_t rc = ZSTD_decompressStream(u->d, &out, &in);
    u->in_at = in.pos;
    *ret_n = out.pos;
    if (ZSTD_isError(rc))
        return damaged(u, "are damaged", err);
    u->inside = rc != 0;
    return CZ_OK;
}

enum cz_err files__unpack(struct files__unpacker *u, char *to, size_t n, size_t *ret_n, struct cz_error *err)
{
    *ret_n = 0;
    if (u->packing == CZ_FILE_PLAIN) {
        enum cz_err code = fill(u, to, n, ret_n, err);
        u->whole = u->read;
        return code;
    }
    if (u->none)
        return cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, 0, "%s: no memory to unpack it", u->file);
    while (*ret_n == 0) {
        enum cz_err code = CZ_OK;
        if (u->in_at == u->in_len && !u->eof) {
            u->in_at = u->in_len = 0;
            code = fill(u, u->in, READ_CHUNK, &u->in_len, err);
        }
        /* With all input taken there may still be output inside. */
        if (!code && u->in_at == u->in_len && u->eof && !u->inside)
            return CZ_OK;
        size_t before = u->in_at;
        if (!code)
            code = u->packing == CZ_FILE_GZIP ? step_gzip(u, to, n, ret_n, err) : step_zstd(u, to, n, ret_n, err);
        if (code)
            return code;
        if (!u->inside)
            u->whole = u->read - (int64_t)(u->in_len - u->in_at);
        else if (u->eof && *ret_n == 0 && before == u->in_at)
            return damaged(u, "end too early", err);
    }
    return CZ_OK;
}
