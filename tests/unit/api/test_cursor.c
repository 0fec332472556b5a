/* SPDX-License-Identifier: Apache-2.0 */
/** Cursors: what was made is read back by any instance with the same token, and nothing else
 * is. */
#include <string.h>

#include "api_priv.h"
#include "fixture.h"

static struct cz_api *with_token(const char *token)
{
    return cz_api_new(&(struct cz_api_options){.token = token, .token_len = strlen(token)});
}

static bool reads(const struct cz_api *a, const char *scope, const char *cursor)
{
    char *team = NULL, *name = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    bool ok = cz__cursor_read(a, scope, cursor, &team, &name, &err) == CZ_OK;
    if (ok) {
        assert_string_equal(team, "default");
        assert_string_equal(name, "a name é");
    } else {
        assert_null(team);
        assert_int_equal(err.code, CZ_E_PARSE);
    }
    cz_free(team);
    cz_free(name);
    return ok;
}

static void test_cursor(void **state)
{
    struct cz_api *a = with_token("one-token-of-some-length"),
                  *b = with_token("one-token-of-some-length");
    struct cz_api *other = with_token("another-token-of-some-length");
    char *c = cz__cursor_make(a, "scope", "default", "a name é");
    (void)state;
    assert_true(reads(a, "scope", c));
    assert_true(reads(b, "scope", c));
    assert_false(reads(other, "scope", c));
    assert_false(reads(a, "scope2", c));
    assert_false(reads(a, "scope", ""));
    assert_false(reads(a, "scope", "zz"));
    for (size_t i = 0; c[i]; i++) { /* no character may be changed, none cut off */
        char *bad = cz_strdup(c);
        bad[i] = bad[i] == '0' ? '1' : '0';
        assert_false(reads(a, "scope", bad));
        bad[i] = 0;
        assert_false(reads(a, "scope", bad));
        cz_free(bad);
    }
    cz_free(c);
    cz_api_free(a);
    cz_api_free(b);
    cz_api_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cursor)};
    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
