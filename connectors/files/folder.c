/* SPDX-License-Identifier: Apache-2.0 */
/* The folder and the names in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "files_priv.h"

static const char *const SUFFIX[FILE_PACKINGS] = {".json", ".json.gz", ".json.zst"};

enum cz_err files__errno(struct cz_error *err, const char *file, const char *doing)
{
    int e = errno;
    enum cz_err code = e == ENOENT                              ? CZ_E_NOT_FOUND
                       : e == EACCES || e == EPERM || e == ELOOP ? CZ_E_FORBIDDEN
                                                                : CZ_E_IO;
    char text[128];
    const char *why = e == ELOOP ? "it is a symbolic link" : strerror_r(e, text, sizeof text);
    return cz_fail_flags(err, code, CZ_ERR_RETRIABLE, e, "%s: cannot %s: %s", file, doing, why);
}

enum cz_err cz_file_folder_open(const char *path, struct cz_file_folder **ret, struct cz_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return files__errno(err, path, "open the folder");
    struct cz_file_folder *f = cz_alloc(sizeof *f);
    f->fd = fd;
    f->path = cz_strdup(path);
    *ret = f;
    return CZ_OK;
}

void cz_file_folder_free(struct cz_file_folder *f)
{
    if (!f)
        return;
    (void)close(f->fd);
    cz_free(f->path);
    cz_free(f);
}

char *files__active(const char *name, enum cz_file_packing p)
{
    return cz_strf("%s%s", name, SUFFIX[p]);
}

char *files__rotated(const char *name, int64_t number, enum cz_file_packing p)
{
    return cz_strf("%s@%08" PRId64 "%s", name, number, SUFFIX[p]);
}

int files__open(const struct cz_file_folder *f, const char *file, int flags, struct cz_error *err)
{
    /* NONBLOCK: a pipe of that name must not hold us for ever; regular files do not know it. */
    int fd = openat(f->fd, file, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    struct stat st;
    if (fd < 0) {
        (void)files__errno(err, file, "open");
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    (void)cz_fail(err, CZ_E_INVALID, "%s: is not a regular file", file);
    (void)close(fd);
    return -1;
}

enum cz_err files__write_all(int fd, const char *file, const void *p, size_t n, struct cz_error *err)
{
    const char *from = p;
    while (n > 0) {
        ssize_t done = write(fd, from, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return files__errno(err, file, "write");
        from += done;
        n -= (size_t)done;
    }
    return CZ_OK;
}

/* ---- segments ------------------------------------------------------------------------------- */

/* Is @file one of topic @name? */
static bool segment_of(const char *file, const char *name, struct files__segment *ret)
{
    size_t n = strlen(name);
    char digits[20];
    if (strncmp(file, name, n) != 0)
        return false;
    file += n;
    ret->number = INT64_MAX;
    if (*file == '@') {
        size_t k = strspn(++file, "0123456789");
        if (k < 8 || k >= sizeof digits)
            return false;
        memcpy(digits, file, k);
        digits[k] = '\0';
        file += k;
        if (!cz_parse_i64(digits, &ret->number) || ret->number <= 0)
            return false;
    }
    for (int p = 0; p < FILE_PACKINGS; p++) {
        ret->packing = (enum cz_file_packing)p;
        if (strcmp(file, SUFFIX[p]) == 0)
            return true;
    }
    return false;
}

static int by_number(const void *a, const void *b)
{
    const struct files__segment *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return strcmp(x->file, y->file);
}

enum cz_err files__list(const struct cz_file_folder *f, const char *name, struct files__segments *ret,
                        struct cz_error *err)
{
    int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        enum cz_err code = files__errno(err, f->path, "list the folder");
        if (fd >= 0)
            (void)close(fd);
        return code;
    }
    struct files__segments s = {0};
    const struct dirent *e;
    while ((e = readdir(d))) {
        struct files__segment one = {0};
        if (!segment_of(e->d_name, name, &one))
            continue;
        one.file = cz_strdup(e->d_name);
        cz_grow(&s.items, &s.cap, s.len, sizeof *s.items);
        s.items[s.len++] = one;
        if (one.number != INT64_MAX && one.number > s.last)
            s.last = one.number;
    }
    (void)closedir(d);
    if (s.len > 1)
        qsort(s.items, s.len, sizeof *s.items, by_number);
    *ret = s;
    return CZ_OK;
}

void files__segments_done(struct files__segments *s)
{
    for (size_t i = 0; i < s->len; i++)
        cz_free(s->items[i].file);
    cz_free(s->items);
    *s = (struct files__segments){0};
}
