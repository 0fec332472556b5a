/* SPDX-License-Identifier: Apache-2.0 */
/** Logging to stderr.  A line is made on the stack and leaves in one write(2), so that lines of
 *  several threads never mix, and logging works when memory is out. */
#include "cz/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core_priv.h"
#include "cz/buf.h"
#include "cz/time.h"

enum format { FORMAT_UNSET, FORMAT_JSON, FORMAT_LOGFMT };
enum { MAX_MESSAGE = 4096, MAX_LINE = MAX_MESSAGE * 6 + 512 };

static _Atomic int level_now = CZ_LOG_INFO;
static _Atomic int format_now = FORMAT_UNSET;
static _Thread_local unsigned long long held_back; /* from the gate, for the line after it */

static const char *const level_names[] = {[CZ_LOG_ERROR] = "error",
                                          [CZ_LOG_WARN] = "warn",
                                          [CZ_LOG_INFO] = "info",
                                          [CZ_LOG_DEBUG] = "debug"};

void cz_log_init(enum cz_log_level level, bool json)
{
    cz_log_set_level(level);
    atomic_store(&format_now, json ? FORMAT_JSON : FORMAT_LOGFMT);
}

void cz_log_set_level(enum cz_log_level level)
{
    atomic_store(&level_now, (int)level);
}

enum cz_log_level cz_log_level(void)
{
    return (enum cz_log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

bool cz_log_level_parse(const char *s, enum cz_log_level *ret)
{
    if (!s)
        return false;
    if (strcasecmp(s, "warning") == 0)
        s = "warn";
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcasecmp(s, level_names[i]) == 0) {
            *ret = (enum cz_log_level)i;
            return true;
        }
    }
    return false;
}

const char *cz_log_level_name(enum cz_log_level level)
{
    return (unsigned)level < sizeof level_names / sizeof *level_names ? level_names[level]
                                                                      : "?";
}

static bool json_lines(void)
{
    int format = atomic_load_explicit(&format_now, memory_order_relaxed);
    if (format == FORMAT_UNSET) {
        format = isatty(STDERR_FILENO) ? FORMAT_LOGFMT : FORMAT_JSON;
        atomic_store(&format_now, format);
    }
    return format == FORMAT_JSON;
}

/* A bare word of logfmt, or a JSON string, which logfmt readers take too. */
static void add_word(struct cz_buf *b, const char *s)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t n = strlen(s);
    if (n > 0 && strspn(s, plain) == n)
        cz_buf_add(b, s, n);
    else
        cz_buf_add_json_string(b, s, n);
}

static void add_line(struct cz_buf *b,
                     enum cz_log_level level,
                     const char *component,
                     const char *msg,
                     unsigned long long held)
{
    char ts[CZ_RFC3339_SIZE];
    cz_rfc3339(cz_wall_ms(), ts);
    if (json_lines()) {
        cz_buf_addf(b, "{\"ts\":\"%s\",\"level\":\"%s\",\"component\":", ts,
                    cz_log_level_name(level));
        cz_buf_add_json_string(b, component, strnlen(component, 64));
        cz_buf_adds(b, ",\"msg\":");
        cz_buf_add_json_string(b, msg, strlen(msg));
        if (held)
            cz_buf_addf(b, ",\"held_back\":%llu", held);
        cz_buf_adds(b, "}\n");
        return;
    }
    cz_buf_addf(b, "ts=%s level=%s component=", ts, cz_log_level_name(level));
    add_word(b, component);
    cz_buf_adds(b, " msg=");
    cz_buf_add_json_string(b, msg, strlen(msg));
    if (held)
        cz_buf_addf(b, " held_back=%llu", held);
    cz_buf_addc(b, '\n');
}

static void write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* nowhere left to complain to */
        p += done;
        n -= (size_t)done;
    }
}

void cz_log(enum cz_log_level level, const char *component, const char *fmt, ...)
{
    unsigned long long held = held_back;
    held_back = 0;
    if (level > cz_log_level())
        return;
    int saved_errno = errno;
    char msg[MAX_MESSAGE];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (n < 0)
        msg[0] = '\0';
    else if ((size_t)n >= sizeof msg)
        msg[cz__utf8_cut(msg, sizeof msg - 1)] = '\0';
    /* A buffer that is as large as it may grow never asks for memory. */
    char line[MAX_LINE];
    struct cz_buf b = {.data = line, .cap = sizeof line, .max = sizeof line - 1};
    add_line(&b, level, component, msg, held);
    write_all(b.data, b.len);
    errno = saved_errno;
}

bool cz_log_gate(struct cz_log_gate *g, long long interval_ms)
{
    long long now = cz_now();
    long long next = atomic_load(&g->next_ns);
    if (now < next ||
        !atomic_compare_exchange_strong(&g->next_ns, &next, now + interval_ms * CZ_MS)) {
        atomic_fetch_add(&g->held, 1);
        return false;
    }
    held_back = atomic_exchange(&g->held, 0);
    return true;
}
