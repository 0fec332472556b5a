/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of topic files, shared by the files of connectors/files only. */
#ifndef CZ_FILES_PRIV_H
#define CZ_FILES_PRIV_H

#include <stddef.h>

#include "cz/buf.h"
#include "cz/file_record.h"
#include "cz/limits.h"
#include "cz/thread.h"
#include "cz/topic_file.h"

enum { FILE_SUFFIX = 16, FILE_PACKINGS = 3 };

/* ---- folder.c ------------------------------------------------------------------------------- */

struct cz_file_folder {
    int fd;
    char *path;
};
enum cz_err files__errno(struct cz_error *err, const char *file, const char *doing);
/** cz_free */
char *files__active(const char *name, enum cz_file_packing p);
char *files__rotated(const char *name, int64_t number, enum cz_file_packing p);

/** A file of a topic. */
struct files__segment {
    char *file;
    int64_t number; /* INT64_MAX: the active one */
    enum cz_file_packing packing;
};
struct files__segments {
    struct files__segment *items; /* in the order of their records */
    size_t len, cap;
    int64_t last; /* number of the last rotated one; 0: none */
};
CZ_MUST_USE enum cz_err files__list(const struct cz_file_folder *f, const char *name,
                                    struct files__segments *ret, struct cz_error *err);
void files__segments_done(struct files__segments *s);
/** Open below the folder, never through a link. @return -1: err */
int files__open(const struct cz_file_folder *f, const char *file, int flags, struct cz_error *err);
CZ_MUST_USE enum cz_err files__write_all(int fd, const char *file, const void *p, size_t n, struct cz_error *err);

/* ---- pack.c --------------------------------------------------------------------------------- */

/** One whole member or frame of @p behind @out. */
CZ_MUST_USE enum cz_err files__pack(enum cz_file_packing p, struct cz_slice in, struct cz_buf *out,
                                    struct cz_error *err);

/** The bytes of a file, unpacked. */
struct files__unpacker;
struct files__unpacker *files__unpacker_new(int fd, const char *file, enum cz_file_packing p, int64_t from);
void files__unpacker_free(struct files__unpacker *u);
/** Up to @n bytes; *ret_n 0: the end. CZ_E_PARSE: the packed bytes are damaged or end too early. */
CZ_MUST_USE enum cz_err files__unpack(struct files__unpacker *u, char *to, size_t n, size_t *ret_n,
                                      struct cz_error *err);
/** End of the last whole member or frame that was read (plain: of all that was read). */
int64_t files__unpacker_whole(const struct files__unpacker *u);

/* ---- sink ----------------------------------------------------------------------------------- */

struct files__position {
    char *topic;
    int32_t partition;
    int64_t next;     /* on the disk */
    int64_t appended; /* in memory as well */
    char *note;       /* of the claim */
    struct files__position *next_position;
};
struct files__entry { /* a record on its way to the disk */
    void *opaque;
    struct files__position *position;
    int64_t offset;
};
struct files__batch {
    struct cz_buf lines;
    struct files__entry *entries;
    size_t len, cap;
};
struct cz_file_out {
    struct cz_file_sink *sink;
    char *name, *file;
    int fd, lock;
    int64_t length;   /* of what is whole on the disk */
    int64_t segment;  /* number that the active file will have */
    int64_t state_at; /* length at which the state was last written */
    cz_time rotate_at;
    struct files__position *positions, *last;
    struct files__batch pending, writing; /* pending: with the sink's lock */
    cz_time flush_at;                     /* of pending */
    struct cz_error broken;
    struct cz_file_out *next;
};
struct cz_file_sink {
    struct cz_file_sink_options o;
    struct cz_file_codec *codec;
    struct cz_file_out *outs;
    struct cz_thread thread;
    struct cz_mutex lock;
    struct cz_cond cond;
    struct cz_buf packed; /* the thread's */
    bool stop;
};
struct files__position *files__position(struct cz_file_out *o, const char *topic, int32_t partition, bool make);
void files__out_free(struct cz_file_out *o);
/* sink_write.c */
/** Write a batch and have it on the disk; else cut off what got there. */
CZ_MUST_USE enum cz_err files__write_batch(struct cz_file_out *o, struct files__batch *b, struct cz_error *err);
/** Name the active file for good and begin another. */
CZ_MUST_USE enum cz_err files__rotate(struct cz_file_out *o, struct cz_error *err);
CZ_MUST_USE enum cz_err files__open_active(struct cz_file_out *o, struct cz_error *err);
/* sink_open.c */
CZ_MUST_USE enum cz_err files__out_open(struct cz_file_sink *s, const char *name, struct cz_file_out **ret,
                                        struct cz_error *err);
/* sink_state.c */
/** What the state file says, then what the lines behind it say. */
CZ_MUST_USE enum cz_err files__state_load(struct cz_file_out *o, struct cz_error *err);
CZ_MUST_USE enum cz_err files__state_save(struct cz_file_out *o, struct cz_error *err);

/* ---- reader.c ------------------------------------------------------------------------------- */

/** Lines of one file from a place on. */
struct files__lines {
    struct files__unpacker *unpacker;
    struct cz_file_split split;
    struct cz_buf buf;
    size_t used;
    int64_t newlines; /* before `used` */
    int64_t line;     /* in which the record of the last call begins, from 1 */
    bool eof;
    int fd;
};
CZ_MUST_USE enum cz_err files__lines_open(const struct cz_file_folder *f, const struct files__segment *s,
                                          int64_t from, struct files__lines *ret, struct cz_error *err);
void files__lines_done(struct files__lines *l);
/** *ret.data NULL: the end. @ret valid until the next call. */
CZ_MUST_USE enum cz_err files__lines_next(struct files__lines *l, struct cz_slice *ret, struct cz_error *err);

#endif
