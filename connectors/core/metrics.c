/* SPDX-License-Identifier: Apache-2.0 */
/** Histograms and the Prometheus text format 0.0.4. */
#include "cz/metrics.h"

#include <math.h>
#include <stdarg.h>

static const int64_t bounds[] = CZ_HIST_BOUNDS_MS;
enum { BOUNDS = sizeof bounds / sizeof *bounds };
_Static_assert(BOUNDS + 1 == CZ_HIST_BUCKETS, "one bucket per bound, and +Inf");

void cz_histogram_add(struct cz_histogram *h, int64_t ms)
{
    if (ms < 0)
        ms = 0;
    size_t i = 0;
    while (i < BOUNDS && ms > bounds[i])
        i++;
    h->count[i]++;
    h->total++;
    if (__builtin_add_overflow(h->sum_ms, ms, &h->sum_ms))
        h->sum_ms = INT64_MAX;
}

void cz_histogram_merge(struct cz_histogram *into, const struct cz_histogram *from)
{
    for (size_t i = 0; i < CZ_HIST_BUCKETS; i++)
        into->count[i] += from->count[i];
    into->total += from->total;
    if (__builtin_add_overflow(into->sum_ms, from->sum_ms, &into->sum_ms))
        into->sum_ms = INT64_MAX;
}

double cz_histogram_quantile(const struct cz_histogram *h, double q)
{
    if (h->total == 0)
        return 0;
    double rank = (q < 0 ? 0 : q > 1 ? 1 : q) * (double)h->total;
    double below = 0;
    for (size_t i = 0; i < BOUNDS; i++) {
        double here = (double)h->count[i];
        if (here > 0 && below + here >= rank) {
            double low = i == 0 ? 0 : (double)bounds[i - 1];
            return low + ((double)bounds[i] - low) * (rank - below) / here;
        }
        below += here;
    }
    return (double)bounds[BOUNDS - 1]; /* in the +Inf bucket: at least this */
}

/* HELP escapes \ and newline, label values the quote as well. */
static void add_escaped(struct cz_buf *b, const char *s, bool quote)
{
    for (; s && *s; s++) {
        if (*s == '\n')
            cz_buf_adds(b, "\\n");
        else if (*s == '\\' || (*s == '"' && quote))
            cz_buf_add(b, (const char[]){'\\', *s}, 2);
        else
            cz_buf_addc(b, *s);
    }
}

static void add_number(struct cz_buf *b, double v)
{
    if (isnan(v))
        cz_buf_adds(b, "NaN");
    else if (isinf(v))
        cz_buf_adds(b, v > 0 ? "+Inf" : "-Inf");
    else if (fabs(v) < 9e15 && !(v < trunc(v)) && !(v > trunc(v)))
        cz_buf_addf(b, "%lld", (long long)v);
    else
        cz_buf_addf(b, "%.15g", v);
}

/* name=value pairs from @ap until NULL, then le="<le>" when given. */
static void add_labels(struct cz_buf *b, va_list ap, const char *le)
{
    size_t n = 0;
    for (;;) {
        const char *name = va_arg(ap, const char *);
        if (!name)
            break;
        const char *value = va_arg(ap, const char *);
        cz_buf_addf(b, "%c%s=\"", n++ ? ',' : '{', name);
        add_escaped(b, value, true);
        cz_buf_addc(b, '"');
    }
    if (le)
        cz_buf_addf(b, "%cle=\"%s\"", n++ ? ',' : '{', le);
    if (n)
        cz_buf_addc(b, '}');
}

static void add_sample(struct cz_buf *b,
                       const char *name,
                       const char *suffix,
                       double v,
                       const char *le,
                       va_list ap)
{
    va_list labels;
    va_copy(labels, ap);
    cz_buf_adds(b, name);
    cz_buf_adds(b, suffix);
    add_labels(b, labels, le);
    va_end(labels);
    cz_buf_addc(b, ' ');
    add_number(b, v);
    cz_buf_addc(b, '\n');
}

void cz_prom_family(struct cz_buf *b, const char *name, const char *type, const char *help)
{
    cz_buf_addf(b, "# HELP %s ", name);
    add_escaped(b, help, false);
    cz_buf_addf(b, "\n# TYPE %s %s\n", name, type);
}

void cz_prom_sample(struct cz_buf *b, const char *name, double v, ...)
{
    va_list ap;
    va_start(ap, v);
    add_sample(b, name, "", v, NULL, ap);
    va_end(ap);
}

void cz_prom_histogram(struct cz_buf *b, const char *name, const struct cz_histogram *h, ...)
{
    va_list ap;
    va_start(ap, h);
    uint64_t below = 0;
    for (size_t i = 0; i < BOUNDS; i++) {
        below += h->count[i];
        char le_text[32];
        struct cz_buf le = {.data = le_text, .cap = sizeof le_text, .max = sizeof le_text - 1};
        add_number(&le, (double)bounds[i] / 1000);
        add_sample(b, name, "_bucket", (double)below, cz_buf_str(&le), ap);
    }
    add_sample(b, name, "_bucket", (double)h->total, "+Inf", ap);
    add_sample(b, name, "_sum", (double)h->sum_ms / 1000, NULL, ap);
    add_sample(b, name, "_count", (double)h->total, NULL, ap);
    va_end(ap);
}
