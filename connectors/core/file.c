/* SPDX-License-Identifier: Apache-2.0 */
/** Whole files: read with a maximum, write so that a reader or a crash sees the old content or
 *  the new one and never half of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/buf.h"
#include "cz/util.h"

static enum cz_err fail_errno(struct cz_error *err, const char *path, const char *what)
{
    int e = errno;
    enum cz_err code = e == ENOENT ? CZ_E_NOT_FOUND : CZ_E_IO;
    return cz_fail_flags(err, code, 0, e, "%s: cannot %s: %s", path, what, strerrordesc_np(e));
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static enum cz_err read_fd(int fd, const char *path, struct cz_buf *b, struct cz_error *err)
{
    struct stat st;
    size_t step = 4096;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0 &&
        (uintmax_t)st.st_size < b->max)
        step = (size_t)st.st_size + 1; /* one more, so that the end is seen without growing */
    for (;;) {
        size_t room = b->max - b->len < step ? b->max - b->len : step;
        char *to = cz_buf_reserve(b, room);
        if (!to)
            return cz_fail(err, CZ_E_TOO_LARGE, "%s: no memory to read it", path);
        ssize_t got = read(fd, to, room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(err, path, "read");
        if (got == 0)
            return CZ_OK;
        b->len += (size_t)got;
        if (b->len == b->max)
            return cz_fail(err, CZ_E_TOO_LARGE, "%s: larger than %zu bytes", path, b->max - 1);
    }
}

enum cz_err
cz_read_file(const char *path, size_t max, char **ret, size_t *ret_len, struct cz_error *err)
{
    CZ_CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail_errno(err, path, "open");
    struct cz_buf b = CZ_BUF_INIT(max + 1);
    enum cz_err rc = read_fd(fd, path, &b, err);
    if (rc) {
        if (b.data)
            explicit_bzero(b.data, b.cap); /* may be half of a secret */
        cz_buf_done(&b);
        return rc;
    }
    if (ret_len)
        *ret_len = b.len;
    *ret = cz_buf_steal(&b);
    return CZ_OK;
}

static enum cz_err
write_fd(int fd, const char *path, const void *p, size_t n, struct cz_error *err)
{
    const char *from = p;
    while (n > 0) {
        ssize_t done = write(fd, from, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail_errno(err, path, "write");
        from += done;
        n -= (size_t)done;
    }
    return fsync(fd) == 0 ? CZ_OK : fail_errno(err, path, "fsync");
}

/* Makes the rename itself last.  Some file systems refuse it; then there is nothing to do. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    CZ_CLEANUP(cz_freep)
    char *folder =
        !slash ? cz_strdup(".") : cz_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    CZ_CLEANUP(close_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd);
}

enum cz_err
cz_write_file(const char *path, const void *p, size_t n, unsigned mode, struct cz_error *err)
{
    char uid[CZ_UID_SIZE];
    CZ_CLEANUP(cz_freep) char *tmp = cz_strf("%s.%s.tmp", path, cz_uid(uid));
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return fail_errno(err, path, "create");
    enum cz_err rc = write_fd(fd, path, p, n, err);
    if (close(fd) != 0 && !rc)
        rc = fail_errno(err, path, "close");
    if (!rc && rename(tmp, path) != 0)
        rc = fail_errno(err, path, "replace");
    if (rc)
        (void)unlink(tmp);
    else
        sync_folder(path);
    return rc;
}
