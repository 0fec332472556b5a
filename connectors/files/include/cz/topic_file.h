/* SPDX-License-Identifier: Apache-2.0 */
/** Topic files: the records of a topic as lines (cz/file_record.h) in a folder of the worker's.
 *
 *  Topic "orders" is the *active* file `orders.json` (`.gz`, `.zst` behind it when compressed) and,
 *  before it, the rotated ones `orders@00000001.json`, …, each with a suffix of its own.  Compressed
 *  files are a row of complete gzip members or zstd frames, so usual tools read them.  Beside them
 *  lie `.orders.lock` (who appends holds it) and `.orders.state` (positions, exactly once only).
 *
 *  Names are checked by cz_file_name_check(); nothing outside the folder is ever opened, symbolic
 *  links are not followed. */
#ifndef CZ_TOPIC_FILE_H
#define CZ_TOPIC_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "cz/error.h"
#include "cz/record.h"
#include "cz/time.h"

/* ---- the folder ---------------------------------------------------------------------------- */

struct cz_file_folder;
/** @return CZ_OK · CZ_E_NOT_FOUND · CZ_E_FORBIDDEN · CZ_E_IO.  @thread any, once it is open */
CZ_MUST_USE enum cz_err cz_file_folder_open(const char *path, struct cz_file_folder **ret,
                                            struct cz_error *err);
void cz_file_folder_free(struct cz_file_folder *f);

enum cz_file_packing { CZ_FILE_PLAIN, CZ_FILE_GZIP, CZ_FILE_ZSTD };

/* ---- appending ----------------------------------------------------------------------------- */

/** A sink is a thread that appends to one file or several.  What was appended is first in memory;
 *  `written` is called when it is on the disk (fdatasync) or lost for this sink.
 *  @thread append: one at a time; `written` comes on the sink's thread */
struct cz_file_sink;
struct cz_file_out; /* one file of a sink */

struct cz_file_sink_options {
    struct cz_file_folder *folder; /* borrowed, outlives the sink */
    enum cz_file_packing packing;
    int64_t rotate_bytes; /* of the file as it lies on the disk; 0: never */
    int64_t rotate_ms;    /* age of the file; 0: never */
    int flush_ms;         /* how long a record waits for company */
    bool exact;           /* keep positions: a record that the file has is not appended again */
    /** @err NULL: on the disk. Must be quick. */
    void (*written)(void *opaque, const struct cz_error *err);
};
struct cz_file_sink *cz_file_sink_new(const struct cz_file_sink_options *o);
/** Write what is left, end, close. Everything appended is reported before it returns. */
void cz_file_sink_free(struct cz_file_sink *s);

/** Open (or make) the file of topic @name for appending: takes its lock, cuts a torn end off, and
 *  with `exact` finds out how far it goes.  The same name twice gives the same file.
 *  @return CZ_OK · CZ_E_INVALID (name) · CZ_E_CONFLICT (somebody else appends; retriable) · CZ_E_IO */
CZ_MUST_USE enum cz_err cz_file_sink_open(struct cz_file_sink *s, const char *name,
                                          struct cz_file_out **ret, struct cz_error *err);
/** Append @r as a line.
 *  @return CZ_OK: `written` will tell · CZ_E_LIMIT: full, nothing happened, try again ·
 *  CZ_E_TOO_LARGE: this record for good · CZ_E_IO: a write failed; all later ones fail too */
CZ_MUST_USE enum cz_err cz_file_append(struct cz_file_out *out, const struct cz_record *r,
                                       void *opaque, struct cz_error *err);

/** Why writing failed; CZ_E_IO in any case. */
void cz_file_out_error(struct cz_file_out *out, struct cz_error *ret);

/** exact: the source offset behind the last record of @topic [@partition] that the file has, or that
 *  was claimed; -1: none. Before the first append. @ret_note of the claim (borrowed), NULL: none */
int64_t cz_file_out_position(struct cz_file_out *out, const char *topic, int32_t partition,
                             const char **ret_note);
/** exact: from here on @topic [@partition] goes on at @offset, whatever the file has; on the disk
 *  after cz_file_out_claimed(). Before the first append. @note kept with it; copied */
void cz_file_out_claim(struct cz_file_out *out, const char *topic, int32_t partition, int64_t offset,
                       const char *note);
CZ_MUST_USE enum cz_err cz_file_out_claimed(struct cz_file_out *out, struct cz_error *err);

/* ---- reading ------------------------------------------------------------------------------- */

/** Reads all files of a topic, rotated ones first, as one row of records, counted from 0.
 *  @thread one at a time */
struct cz_file_reader;
/** @return CZ_OK · CZ_E_NOT_FOUND: no file of that name · CZ_E_INVALID (name) · CZ_E_IO */
CZ_MUST_USE enum cz_err cz_file_reader_open(struct cz_file_folder *f, const char *name,
                                            struct cz_file_reader **ret, struct cz_error *err);
void cz_file_reader_free(struct cz_file_reader *r);

enum cz_file_read {
    CZ_FILE_RECORD, /* *ret borrows from the reader until its next use */
    CZ_FILE_BAD,    /* a line that is no record: err names file and line, ret->value is its text */
    CZ_FILE_END,
    CZ_FILE_FAILED, /* I/O: err */
};
/** ret->offset is the number of the record in the row, whatever the line says, ret->partition what
 *  the line says. A bad line has a number, too. */
enum cz_file_read cz_file_read_next(struct cz_file_reader *r, struct cz_record *ret, struct cz_error *err);
/** Go on with record @number; behind the end: at the end. */
CZ_MUST_USE enum cz_err cz_file_reader_seek(struct cz_file_reader *r, int64_t number, struct cz_error *err);
int64_t cz_file_reader_number(const struct cz_file_reader *r); /* of the next record */
/** How many files there were when it was opened: more later, and some were rotated meanwhile. */
size_t cz_file_reader_files(const struct cz_file_reader *r);

#endif
