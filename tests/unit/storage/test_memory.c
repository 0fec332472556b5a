/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory passes the conformance suite. */
#include "cz/json.h"
#include "store_test.h"

static int set_up(void **state)
{
    static struct store_env env;
    env.a = env.b = cz_store_memory_new();
    *state = &env;
    return 0;
}

static int tear_down(void **state)
{
    cz_store_free(((struct store_env *)*state)->a);
    cz_store_free(NULL);
    return 0;
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {STORE_SUITE};
    return cmocka_run_group_tests_name("store in memory", tests, set_up, tear_down);
}
