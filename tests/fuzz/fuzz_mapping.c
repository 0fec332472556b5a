/* SPDX-License-Identifier: Apache-2.0 */
/* LIBS: cz_mapping */
/** Mapping documents: whatever parses must resolve, the resolved form must parse to itself, and its
 *  tests must run. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "cz/json.h"
#include "cz/mapping_spec.h"
#include "cz/mapping_tests.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct cz_mapping_spec *s, const json_t *spec)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_mapping_spec *again = NULL;
    json_t *map = json_object();
    json_t *r = cz_mapping_spec_resolve(s, spec, "team", "name", map);
    if (cz_mapping_spec_parse(r, "", &again, &rep) != CZ_OK)
        abort();
    json_t *r2 = cz_mapping_spec_resolve(again, r, "team", "name", NULL);
    if (!json_equal(r, r2))
        abort();
    cz_mapping_spec_free(again);
    json_decref(r);
    json_decref(r2);
    json_decref(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *spec = NULL;
    struct cz_mapping_spec *s = NULL;
    struct cz_report rep = CZ_REPORT_INIT;
    if (cz_json_parse((const char *)data, size, &spec, NULL) != CZ_OK)
        return 0;
    if (cz_mapping_spec_parse(spec, "/spec", &s, &rep) == CZ_OK) {
        if (!cz_report_ok(&rep))
            abort();
        round_trip(s, spec);
        cz_mapping_tests_run(s, &(struct cz_mapping_stages_env){.team = "team", .name = "name"}, "/spec", &rep);
    } else if (cz_report_ok(&rep)) {
        abort(); /* refused without a reason */
    }
    cz_mapping_spec_free(s);
    cz_report_done(&rep);
    json_decref(spec);
    return 0;
}
