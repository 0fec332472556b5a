/* SPDX-License-Identifier: Apache-2.0 */
/* What the filter costs: ns per record for `value.event.type == 'sale'` and some others over
 * JSON records of 320 bytes and 1 KiB, with each engine of the structural index.  To be built
 * by the release preset; the best of many rounds is printed.  `bench_jmespath avx2` measures
 * one engine, `bench_jmespath avx2 first` only the first expression. */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/jmespath.h"
#include "cz/time.h"

#define ROUNDS 150
#define RECORDS 4000

/* As the quickstart's feed: an order, padded by items up to @size. Every tenth of another type.
 */
static void make_record(struct cz_buf *b, size_t size, unsigned i)
{
    cz_buf_clear(b);
    cz_buf_addf(
        b,
        "{\"id\":%u,\"event\":{\"type\":\"%s\",\"at\":\"2026-03-01T10:%02u:00Z\"},"
        "\"user\":{\"id\":\"u-%05u\",\"country\":\"DE\",\"email\":\"user%u@example.org\"},"
        "\"amount\":%u.%02u,\"currency\":\"EUR\",\"items\":[",
        900000 + i, i % 10 ? "sale" : "view", i % 60, i % 100000, i % 1000, i % 500, i % 100);
    const char *comma = "";
    while (b->len + 62 < size) {
        cz_buf_addf(b, "%s{\"sku\":\"A-%04u\",\"qty\":%u,\"price\":%u.5}", comma, i % 10000,
                    i % 9 + 1, i % 90);
        comma = ",";
    }
    cz_buf_adds(b, "],\"note\":\"");
    while (b->len + 2 < size)
        cz_buf_addc(b, (char)('a' + b->len % 26));
    cz_buf_adds(b, "\"}");
}

static double measure(const struct cz_jmespath *x,
                      struct cz_eval *e,
                      char *const *records,
                      const size_t *len,
                      unsigned n)
{
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned passed = 0;
        cz_time start = cz_now();
        for (unsigned i = 0; i < RECORDS; i++) {
            struct cz_record r = {.topic = "orders", .value = {records[i % n], len[i % n]}};
            bool pass = false;
            cz_eval_begin(e, &r, NULL);
            if (cz_jmespath_match(x, e, &pass, NULL) != CZ_OK)
                return -1;
            passed += pass;
        }
        double ns = (double)(cz_now() - start) / RECORDS;
        if (ns < best && passed <= RECORDS)
            best = ns;
    }
    return best;
}

int main(int argc, char **argv)
{
    static const char *const expressions[] = {
        "value.event.type == 'sale'",
        "value.event.type == 'sale' && value.amount > `100` && value.user.country != 'US'",
        "value.items[?qty > `3`]",
        "@",
    };
    static const size_t sizes[] = {320, 1024};
    static const struct {
        const char *name;
        enum cz_json_engine engine;
    } engines[] = {
        {"avx2", CZ_JSON_AVX2}, {"sse2", CZ_JSON_SSE2}, {"portable", CZ_JSON_PORTABLE}};
    enum { DISTINCT = 97 };
    CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
    for (size_t s = 0; s < 2; s++) {
        char *records[DISTINCT];
        size_t len[DISTINCT];
        struct cz_buf b = CZ_BUF_INIT(4096);
        for (unsigned i = 0; i < DISTINCT; i++) {
            make_record(&b, sizes[s], i * 7919);
            len[i] = b.len;
            records[i] = cz_memdup(b.data, b.len);
        }
        for (size_t k = 0; k < (argc > 2 ? 1 : sizeof(expressions) / sizeof(expressions[0]));
             k++) {
            struct cz_jmespath *x = NULL;
            if (cz_jmespath_compile(expressions[k], strlen(expressions[k]), &x, NULL) != CZ_OK)
                return 1;
            for (size_t g = 0; g < 3; g++) {
                if (argc > 1 && strcmp(argv[1], engines[g].name) != 0)
                    continue;
                if (cz_json_use_engine(engines[g].engine))
                    printf("%5zu bytes  %-9s %8.1f ns  %s\n", len[0], engines[g].name,
                           measure(x, e, records, len, DISTINCT), expressions[k]);
            }
            cz_jmespath_free(x);
        }
        for (unsigned i = 0; i < DISTINCT; i++)
            cz_free(records[i]);
        cz_buf_done(&b);
    }
    return 0;
}
