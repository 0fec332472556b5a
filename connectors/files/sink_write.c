/* SPDX-License-Identifier: Apache-2.0 */
/* A batch on its way to the disk, and the turn from one file to the next. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "files_priv.h"

/* Wall clock at which the file was made; 0: the file system does not tell. */
static int64_t born_ms(int fd)
{
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) || !(st.stx_mask & STATX_BTIME))
        return 0;
    return (int64_t)st.stx_btime.tv_sec * 1000 + st.stx_btime.tv_nsec / 1000000;
}

enum cz_err files__open_active(struct cz_file_out *o, struct cz_error *err)
{
    const struct cz_file_sink_options *so = &o->sink->o;
    int fd = files__open(so->folder, o->file, O_RDWR | O_APPEND | O_CREAT, err);
    struct stat st;
    if (fd < 0)
        return err ? err->code : CZ_E_IO;
    if (fstat(fd, &st)) {
        enum cz_err code = files__errno(err, o->file, "look at");
        (void)close(fd);
        return code;
    }
    (void)fsync(so->folder->fd); /* its name must last, too */
    o->fd = fd;
    o->length = st.st_size;
    o->state_at = o->length;
    int64_t born = born_ms(fd), now = cz_wall_ms();
    int64_t age = born > 0 && born < now ? now - born : 0;
    o->rotate_at = so->rotate_ms > 0 ? cz_deadline_ms(age < so->rotate_ms ? so->rotate_ms - age : 0) : CZ_TIME_NEVER;
    return CZ_OK;
}

enum cz_err files__rotate(struct cz_file_out *o, struct cz_error *err)
{
    const struct cz_file_sink_options *so = &o->sink->o;
    CZ_CLEANUP(cz_freep) char *to = files__rotated(o->name, o->segment, so->packing);
    if (renameat(so->folder->fd, o->file, so->folder->fd, to))
        return files__errno(err, o->file, "rename");
    (void)close(o->fd);
    o->fd = -1;
    o->segment++;
    enum cz_err code = files__open_active(o, err);
    if (!code && so->exact)
        code = files__state_save(o, err);
    return code;
}

static bool rotation_due(const struct cz_file_out *o)
{
    const struct cz_file_sink_options *so = &o->sink->o;
    return o->length > 0 &&
           ((so->rotate_bytes > 0 && o->length >= so->rotate_bytes) || cz_now() >= o->rotate_at);
}

/* What a failed write has left. Should that fail as well, the next opening does it. */
static void cut_off(struct cz_file_out *o)
{
    if (ftruncate(o->fd, o->length) == 0)
        (void)fdatasync(o->fd);
}

enum cz_err files__write_batch(struct cz_file_out *o, struct files__batch *b, struct cz_error *err)
{
    struct cz_file_sink *s = o->sink;
    struct cz_slice data = {b->lines.data, b->lines.len};
    enum cz_err code = CZ_OK;
    if (data.len == 0)
        return CZ_OK; /* the file has them all */
    if (rotation_due(o))
        code = files__rotate(o, err);
    if (code)
        return code;
    if (s->o.packing != CZ_FILE_PLAIN) {
        cz_buf_clear(&s->packed);
        code = files__pack(s->o.packing, data, &s->packed, err);
        data = (struct cz_slice){s->packed.data, s->packed.len};
    }
    if (!code)
        code = files__write_all(o->fd, o->file, data.data, data.len, err);
    cz_fault("file-before-sync");
    if (!code && fdatasync(o->fd))
        code = files__errno(err, o->file, "sync");
    if (code) {
        cut_off(o);
        return code;
    }
    o->length += (int64_t)data.len;
    return CZ_OK;
}
