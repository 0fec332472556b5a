/* SPDX-License-Identifier: Apache-2.0 */
/** A schema of its own for each test, in the server of CITIZENK_TEST_POSTGRES. */
#include <stdlib.h>

#include "cz/log.h"
#include "pg_env.h"

/* Of fixture.h, which has short names that the store's tests have, too. */
bool fixture_can(void);
struct cz_store *fixture_store(void);
void fixture_store_done(struct cz_store *s);

static void *env;

bool fixture_can(void)
{
    const char *conninfo = getenv("CITIZENK_TEST_POSTGRES");
    cz_log_init(CZ_LOG_ERROR, false);
    if (conninfo && *conninfo)
        return true;
    print_message("# skipped: set CITIZENK_TEST_POSTGRES to the conninfo of a superuser\n");
    return false;
}

struct cz_store *fixture_store(void)
{
    assert_int_equal(pg_env_up(&env), 0);
    return ((struct pg_env *)env)->stores.a;
}

void fixture_store_done(struct cz_store *s)
{
    (void)s; /* is the environment's */
    assert_int_equal(pg_env_down(&env), 0);
}
