/* SPDX-License-Identifier: Apache-2.0 */
/** Histograms and Prometheus text (0.0.4).  A histogram belongs to one thread; merge to combine.
 *  Source of the format: prometheus.io, exposition formats. */
#ifndef CZ_METRICS_H
#define CZ_METRICS_H

#include <stdint.h>

#include "cz/buf.h"

/* Upper bounds in milliseconds; the last bucket is +Inf. */
#define CZ_HIST_BOUNDS_MS                                                                      \
    {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000}
#define CZ_HIST_BUCKETS 17
struct cz_histogram {
    uint64_t count[CZ_HIST_BUCKETS]; /* not cumulative */
    uint64_t total;
    int64_t sum_ms;
};
void cz_histogram_add(struct cz_histogram *h, int64_t ms); /* negative counts as 0 */
void cz_histogram_merge(struct cz_histogram *into, const struct cz_histogram *from);
/** Interpolated quantile in ms (q in 0..1); 0 when empty. */
double cz_histogram_quantile(const struct cz_histogram *h, double q);

/** Writer: one HELP and TYPE per family, then its samples.
 *  cz_prom_family(b, "citizenk_x_total", "counter", "What it counts."); then
 *  cz_prom_sample(b, "citizenk_x_total", 5, "team", "a", "mapping", "m", NULL). */
void cz_prom_family(struct cz_buf *b, const char *name, const char *type, const char *help);
void cz_prom_sample(struct cz_buf *b, const char *name, double v, ...) __attribute__((sentinel));
/** _bucket (in seconds, cumulative), _sum, _count with the given labels. */
void cz_prom_histogram(struct cz_buf *b, const char *name, const struct cz_histogram *h, ...)
    __attribute__((sentinel));

#endif
