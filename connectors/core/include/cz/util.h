/* SPDX-License-Identifier: Apache-2.0 */
/** Small things that have no room of their own.  @thread any */
#ifndef CZ_UTIL_H
#define CZ_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/error.h"

/** Strict decimal: the whole string, no blanks, no overflow. */
bool cz_parse_i64(const char *s, int64_t *ret);
bool cz_streq(const char *a, const char *b); /* NULL equals only NULL */
bool cz_utf8_valid(const char *s, size_t n);
/** Resource name: 1..CZ_MAX_NAME bytes UTF-8, no control, bidi or '/' characters, no blank at the ends. */
CZ_MUST_USE enum cz_err cz_name_check(const char *name, struct cz_error *err);

/** Edit distance (insert, delete, replace, swap of neighbours) for "did you mean"; over 2: 3. */
unsigned cz_edit_distance(const char *a, const char *b);

/** Random lower-case uid of 26 base-32 characters (128 bit, getrandom). @out CZ_UID_SIZE bytes. */
#define CZ_UID_SIZE 27
char *cz_uid(char *out);
void cz_random(void *p, size_t n);

/** The Java client's murmur2 (org.apache.kafka.common.utils.Utils.murmur2, seed 0x9747b28c). */
uint32_t cz_murmur2(const void *key, size_t len);
/** Java's default partition of a key: (murmur2 & 0x7fffffff) % partitions. */
int32_t cz_java_partition(const void *key, size_t len, int32_t partitions);

/** SHA-256 as 64 hex characters. @out 65 bytes. */
char *cz_sha256_hex(const void *p, size_t n, char *out);

/** Read a whole file of at most @max bytes. cz_free(*ret). */
CZ_MUST_USE enum cz_err cz_read_file(const char *path, size_t max, char **ret, size_t *ret_len, struct cz_error *err);
/** Write by temporary file, fsync and rename. */
CZ_MUST_USE enum cz_err cz_write_file(const char *path, const void *p, size_t n, unsigned mode, struct cz_error *err);

extern const char *const cz_version; /* "0.1.0" */

/** For tests: die by SIGKILL here when the environment says CITIZENK_FAULT=<@point>. Not for the
 *  per-record path. */
void cz_fault(const char *point);

#endif
