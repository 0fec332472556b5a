/* SPDX-License-Identifier: Apache-2.0 */
/* LIBS: cz_formats dep::jansson */
/** The JSON record reader against arbitrary bytes: all engines of the index agree; the full
 * check accepts what jansson accepts; the tree written out reads as the same value; the
 * replacer keeps a document valid. */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void same_index(const char *s, size_t n)
{
    static const enum cz_json_engine engines[] = {CZ_JSON_AVX2, CZ_JSON_SSE2};
    struct cz_json_doc want = CZ_JSON_DOC_INIT;
    require(cz_json_use_engine(CZ_JSON_PORTABLE));
    require(cz_json_doc_index(&want, s, n, NULL) == CZ_OK);
    for (size_t i = 0; i < 2; i++) {
        struct cz_json_doc got = CZ_JSON_DOC_INIT;
        if (!cz_json_use_engine(engines[i]))
            continue;
        require(cz_json_doc_index(&got, s, n, NULL) == CZ_OK);
        require(got.n == want.n && got.has_escape == want.has_escape &&
                got.open_string == want.open_string);
        require(memcmp(got.token, want.token, (size_t)want.n * sizeof(*want.token)) == 0);
        cz_json_doc_done(&got);
    }
    cz_json_doc_done(&want);
    require(cz_json_use_engine(CZ_JSON_BEST));
}

/* What jansson refuses although it is JSON: numbers that fit no C type, NUL in a key. */
static bool known_difference(const json_error_t *e)
{
    enum json_error_code code = json_error_code(e);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           code == json_error_stack_overflow;
}

static enum cz_err
upper(void *arg, size_t path, struct cz_jval v, struct cz_buf *out, struct cz_error *err)
{
    (void)err;
    ++*(size_t *)arg;
    if (v.type == CZ_J_STRING && path == 0)
        cz_buf_adds(out, "\"replaced\"");
    if (v.type == CZ_J_NUMBER)
        cz_buf_adds(out, "{\"n\":[]}");
    return CZ_OK;
}

static void check_replace(const struct cz_json_doc *d)
{
    struct cz_json_paths *p = cz_json_paths_new();
    size_t calls = 0;
    bool changed = false;
    CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(1024 * 1024);
    require(cz_json_paths_add(p, "a", NULL) == CZ_OK);
    require(cz_json_paths_add(p, "a.b", NULL) == CZ_OK);
    require(cz_json_paths_add(p, "c.\"\\u0061\"", NULL) == CZ_OK);
    require(cz_json_doc_replace(d, p, upper, &calls, &out, &changed, NULL) == CZ_OK);
    cz_json_paths_free(p);
    if (!changed)
        return;
    struct cz_json_doc again = CZ_JSON_DOC_INIT;
    require(cz_json_doc_index(&again, out.data, out.len, NULL) == CZ_OK);
    require(cz_json_doc_walk(&again, NULL, NULL, NULL) == CZ_OK);
    require(cz_json_doc_check_full(&again, NULL) == CZ_OK);
    cz_json_doc_done(&again);
}

static void check_tree(const struct cz_json_doc *d, const json_t *want)
{
    struct cz_arena a, b;
    struct cz_jval v, w;
    struct cz_json_doc again = CZ_JSON_DOC_INIT;
    CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(16 * 1024 * 1024);
    cz_arena_init(&a, (size_t)64 * 1024 * 1024);
    cz_arena_init(&b, (size_t)64 * 1024 * 1024);
    require(cz_json_doc_value(d, (struct cz_json_hit){1, d->n + 1}, &a, &v, NULL) == CZ_OK);
    cz_jval_write(&out, v);
    require(cz_json_read(&again, &b, out.data, out.len, &w, NULL) == CZ_OK);
    require(cz_jval_equal(v, w));
    if (want) {
        json_t *got = json_loadb(out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        require(got && json_equal(got, want));
        json_decref(got);
    }
    cz_json_doc_done(&again);
    cz_arena_done(&a);
    cz_arena_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *s = (const char *)data;
    struct cz_json_doc d = CZ_JSON_DOC_INIT;
    struct cz_error err = CZ_ERROR_INIT;
    json_error_t jerr;
    same_index(s, size);
    require(cz_json_doc_index(&d, s, size, NULL) == CZ_OK);
    enum cz_err rc = cz_json_doc_walk(&d, NULL, NULL, &err);
    bool structure = rc == CZ_OK;
    if (structure)
        rc = cz_json_doc_check_full(&d, &err);
    require((rc == CZ_OK) == (err.code == CZ_OK));
    json_t *want = json_loadb(s, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &jerr);
    bool too_deep = strstr(err.text, "nested too deeply") != NULL;
    /* jansson loses a NUL byte behind a number; no JSON holds one. */
    bool nul = size > 0 && memchr(s, 0, size) != NULL;
    if (want)
        require(rc == CZ_OK || too_deep || nul);
    else if (rc == CZ_OK)
        require(known_difference(&jerr));
    if (rc == CZ_OK) {
        check_tree(&d, want);
        check_replace(&d);
    }
    json_decref(want);
    cz_json_doc_done(&d);
    return 0;
}
