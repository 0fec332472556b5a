/* SPDX-License-Identifier: Apache-2.0 */
/** What cmocka wants included before it, and what the tests of core share. */
#ifndef CZ_CORE_TEST_H
#define CZ_CORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define CONTAINS(text, part)                                                                   \
    do {                                                                                       \
        if (!strstr((text), (part)))                                                           \
            fail_msg("\"%s\" does not contain \"%s\"", (text), (part));                        \
    } while (0)

/** Run @statement with stderr in a file and give what it wrote. @out has room for @size. */
#define CAPTURE_STDERR(out, size, statement)                                                   \
    do {                                                                                       \
        FILE *file_ = tmpfile();                                                               \
        assert_non_null(file_);                                                                \
        int saved_ = dup(STDERR_FILENO);                                                       \
        (void)dup2(fileno(file_), STDERR_FILENO);                                              \
        statement;                                                                             \
        (void)dup2(saved_, STDERR_FILENO);                                                     \
        (void)close(saved_);                                                                   \
        rewind(file_);                                                                         \
        (out)[fread((out), 1, (size)-1, file_)] = '\0';                                        \
        (void)fclose(file_);                                                                   \
    } while (0)

#endif
