/* SPDX-License-Identifier: Apache-2.0 */
/** Functions that nobody calls here, force-included before every file of ours (cz_flags).  Each
 *  is declared as deprecated: a use in our code is an error under -Werror, a use in a system header
 *  stays silent (which #pragma GCC poison would not allow).  The declarations come before those of
 *  libc, because clang takes no attribute after libc's fortified inline definition. */
#ifndef CZ_BANNED_H
#define CZ_BANNED_H

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

struct tm;

#define CZ_BANNED(instead) __attribute__((deprecated("banned: " instead)))

char *strcpy(char *, const char *) CZ_BANNED("use cz_strdup, snprintf or struct cz_buf");
char *strcat(char *, const char *) CZ_BANNED("use struct cz_buf");
char *strncpy(char *, const char *, size_t) CZ_BANNED("use snprintf or memcpy");
char *strncat(char *, const char *, size_t) CZ_BANNED("use struct cz_buf");
int sprintf(char *, const char *, ...) CZ_BANNED("use snprintf or cz_buf_addf");
int vsprintf(char *, const char *, va_list) CZ_BANNED("use vsnprintf or cz_buf_addvf");
char *strtok(char *, const char *) CZ_BANNED("use strcspn or strsep");
struct tm *gmtime(const time_t *) CZ_BANNED("use cz_rfc3339 or gmtime_r");
struct tm *localtime(const time_t *) CZ_BANNED("use cz_rfc3339 or localtime_r");
char *ctime(const time_t *) CZ_BANNED("use cz_rfc3339");
char *asctime(const struct tm *) CZ_BANNED("use cz_rfc3339");
int atoi(const char *) CZ_BANNED("use cz_parse_i64");
long atol(const char *) CZ_BANNED("use cz_parse_i64");
int rand(void) CZ_BANNED("use cz_random");
int system(const char *) CZ_BANNED("use posix_spawn");

#undef CZ_BANNED

#endif
