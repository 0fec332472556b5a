/* SPDX-License-Identifier: Apache-2.0 */
/* LIBS: cz_transforms */
/** Input: an expression, a NUL byte, a JSON document.  The fast program over slots and the
 *  evaluation of the parsed tree over the whole document give the same result or both an error;
 *  over a record as well. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/jmespath.h"
#include "cz/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool same_error(enum cz_err a, enum cz_err b)
{
    return a == CZ_E_LIMIT || b == CZ_E_LIMIT || (a == CZ_OK) == (b == CZ_OK);
}

static void
over_document(const struct cz_jmespath *x, struct cz_eval *e, const char *json, size_t len)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf fast = CZ_BUF_INIT(CZ_MAX_EVAL_OUTPUT);
    CZ_CLEANUP(cz_buf_done) struct cz_buf tree = CZ_BUF_INIT(CZ_MAX_EVAL_OUTPUT);
    cz_eval_force_tree(e, false);
    enum cz_err a = cz_jmespath_search(x, e, json, len, &fast, NULL);
    cz_eval_force_tree(e, true);
    enum cz_err b = cz_jmespath_search(x, e, json, len, &tree, NULL);
    require(same_error(a, b));
    if (a == CZ_OK && b == CZ_OK)
        require(fast.len == tree.len && memcmp(fast.data, tree.data, fast.len) == 0);
}

static void
over_record(const struct cz_jmespath *x, struct cz_eval *e, const char *json, size_t len)
{
    struct cz_record r = {.topic = "orders",
                          .partition = 3,
                          .offset = 42,
                          .key = {json, len / 2},
                          .value = {json, len}};
    struct cz_eval_options options = {.validate_full = true};
    bool pass[2] = {false, false};
    enum cz_err rc[2];
    for (int i = 0; i < 2; i++) {
        cz_eval_force_tree(e, i);
        cz_eval_begin(e, &r, &options);
        rc[i] = cz_jmespath_match(x, e, &pass[i], NULL);
    }
    /* The tree decodes sides that the program does not read. */
    if (rc[0] == CZ_OK && rc[1] == CZ_OK)
        require(pass[0] == pass[1]);
    options.validate_full = false;
    cz_eval_force_tree(e, false);
    cz_eval_begin(e, &r, &options);
    enum cz_err loose = cz_jmespath_match(x, e, &pass[1], NULL);
    if (rc[0] == CZ_OK)
        require(loose == CZ_OK && pass[0] == pass[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    if (!nul)
        return 0;
    struct cz_jmespath *x = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    size_t expr_len = (size_t)(nul - data);
    enum cz_err rc = cz_jmespath_compile((const char *)data, expr_len, &x, &err);
    require((rc == CZ_OK) == (err.code == CZ_OK) && (rc == CZ_OK) == (x != NULL));
    if (rc != CZ_OK) {
        require(err.detail >= CZ_JMESPATH_SYNTAX && err.detail <= CZ_JMESPATH_LIMIT);
        return 0;
    }
    size_t len = size - expr_len - 1;
    char *json = cz_memdup(nul + 1, len); /* exactly as long as it is, for ASan */
    struct cz_eval *e = cz_eval_new();
    over_document(x, e, json, len);
    over_record(x, e, json, len);
    cz_eval_free(e);
    cz_free(json);
    cz_jmespath_free(x);
    return 0;
}
