/* SPDX-License-Identifier: Apache-2.0 */
/** Histograms and Prometheus text. */
#include "cz_test.h"

#include <math.h>

#include "cz/alloc.h"
#include "cz/metrics.h"

static void histogram(void **state)
{
    (void)state;
    struct cz_histogram h = {0}, other = {0};
    assert_true(cz_histogram_quantile(&h, 0.5) <= 0);
    for (int i = 0; i < 100; i++)
        cz_histogram_add(&h, 15); /* bucket (10, 20] */
    double median = cz_histogram_quantile(&h, 0.5);
    assert_true(median > 14.9 && median < 15.1);
    assert_true(cz_histogram_quantile(&h, 1) <= 20);
    cz_histogram_add(&other, -5);
    cz_histogram_add(&other, 1);
    cz_histogram_add(&other, 300000);
    cz_histogram_add(&other, 300001);
    assert_int_equal(other.count[0], 2);
    assert_int_equal(other.count[CZ_HIST_BUCKETS - 2], 1);
    assert_int_equal(other.count[CZ_HIST_BUCKETS - 1], 1);
    cz_histogram_merge(&h, &other);
    assert_int_equal(h.total, 104);
    assert_int_equal(h.sum_ms, 1500 + 600002);
    assert_true(cz_histogram_quantile(&other, 1) >= 300000);
    cz_histogram_add(&h, INT64_MAX);
    cz_histogram_add(&h, INT64_MAX);
    assert_true(h.sum_ms == INT64_MAX);
}

static void text(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(10000);
    cz_prom_family(&b, "x_total", "counter", "What \\ it\ncounts.");
    cz_prom_sample(&b, "x_total", 5, "team", "a\"b\\c\nd", "m", "é", NULL);
    cz_prom_sample(&b, "x_total", 0.25, NULL);
    cz_prom_sample(&b, "x_total", (double)NAN, NULL);
    cz_prom_sample(&b, "x_total", -(double)INFINITY, NULL);
    cz_prom_sample(&b, "x_total", 1234567890123.0, NULL);
    assert_string_equal(cz_buf_str(&b),
                        "# HELP x_total What \\\\ it\\ncounts.\n# TYPE x_total counter\n"
                        "x_total{team=\"a\\\"b\\\\c\\nd\",m=\"é\"} 5\n"
                        "x_total 0.25\nx_total NaN\nx_total -Inf\nx_total 1234567890123\n");
}

static void histogram_text(void **state)
{
    (void)state;
    struct cz_histogram h = {0};
    cz_histogram_add(&h, 1);
    cz_histogram_add(&h, 60);
    cz_histogram_add(&h, 400000);
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(10000);
    cz_prom_histogram(&b, "d_seconds", &h, "m", "x", NULL);
    const char *s = cz_buf_str(&b);
    CONTAINS(s, "d_seconds_bucket{m=\"x\",le=\"0.001\"} 1\n");
    CONTAINS(s, "d_seconds_bucket{m=\"x\",le=\"0.05\"} 1\n");
    CONTAINS(s, "d_seconds_bucket{m=\"x\",le=\"0.1\"} 2\n");
    CONTAINS(s, "d_seconds_bucket{m=\"x\",le=\"300\"} 2\n");
    CONTAINS(s, "d_seconds_bucket{m=\"x\",le=\"+Inf\"} 3\n");
    CONTAINS(s, "d_seconds_sum{m=\"x\"} 400.061\n");
    CONTAINS(s, "d_seconds_count{m=\"x\"} 3\n");
    cz_buf_clear(&b);
    cz_prom_histogram(&b, "d", &h, NULL);
    CONTAINS(cz_buf_str(&b), "d_bucket{le=\"+Inf\"} 3\nd_sum 400.061\nd_count 3\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(histogram), cmocka_unit_test(text),
                                       cmocka_unit_test(histogram_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
