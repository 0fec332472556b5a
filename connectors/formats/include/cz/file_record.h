/* SPDX-License-Identifier: Apache-2.0 */
/** Topic files: records as lines of JSON, one object per line.
 *
 *      {"topic":…,"key":…,"value":…,"partition":…,"offset":…,"timestamp":…,"headers":[…]}
 *
 *  What cz_file_encode() writes cz_file_decode() gives back byte for byte: a JSON string stands
 *  for its content, any other JSON but null for its own bytes, "…_encoding":"base64" for bytes
 *  that are no UTF-8.  null is null; "" is empty.
 *  Read, but not written: the lines of `kcat -J`, headers as an object, an array of records.
 *  @thread one at a time per codec and split */
#ifndef CZ_FILE_RECORD_H
#define CZ_FILE_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "cz/buf.h"
#include "cz/error.h"
#include "cz/record.h"

struct cz_file_codec;
struct cz_file_codec *cz_file_codec_new(void);
void cz_file_codec_free(struct cz_file_codec *c);

/** Append the record and its newline to @out. On failure @out is as it was before.
 *  @return CZ_OK · CZ_E_LIMIT (the buffer's maximum, or more than 2^32 bytes) */
CZ_MUST_USE enum cz_err cz_file_encode(struct cz_file_codec *c,
                                       const struct cz_record *r,
                                       struct cz_buf *out,
                                       struct cz_error *err);
/** Read one record. *ret borrows from @text and from the codec until its next use; its
 *  timestamp type is CZ_TS_NONE when the line has none, its topic "" when the line has none.
 *  @return CZ_OK · CZ_E_PARSE (no JSON) · CZ_E_INVALID (JSON, but no record) · CZ_E_LIMIT */
CZ_MUST_USE enum cz_err cz_file_decode(struct cz_file_codec *c,
                                       const char *text,
                                       size_t len,
                                       struct cz_record *ret,
                                       struct cz_error *err);

/** Finds the records in the bytes of a file that come piece by piece. */
struct cz_file_split {
    enum { CZ_FILE_UNKNOWN, CZ_FILE_LINES, CZ_FILE_ARRAY } form;
    size_t seen;     /* bytes of the unfinished record that were looked at */
    unsigned depth;  /* array form: brackets open within the record */
    bool string, escape;
};
#define CZ_FILE_SPLIT_INIT {.form = CZ_FILE_UNKNOWN}
/** Look for the next record in @data, which begins where the last call left off: *ret_used bytes
 *  are done with and must not be given again; those not used must be, with more behind them.
 *  @param eof nothing comes behind @data: a last line without newline is given too
 *  @return true and the record (blank lines are passed over); false: more bytes are needed */
bool cz_file_split_next(struct cz_file_split *s,
                        const char *data,
                        size_t len,
                        bool eof,
                        struct cz_slice *ret,
                        size_t *ret_used);

/** Base name of a topic file: 1..CZ_MAX_NAME of [A-Za-z0-9._-], no "..", no '.' in front. */
CZ_MUST_USE enum cz_err cz_file_name_check(const char *name, struct cz_error *err);

#endif
