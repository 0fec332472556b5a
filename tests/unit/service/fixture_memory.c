/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

bool fixture_can(void)
{
    return true;
}

struct cz_store *fixture_store(void)
{
    return cz_store_memory_new();
}

void fixture_store_done(struct cz_store *s)
{
    cz_store_free(s);
}
