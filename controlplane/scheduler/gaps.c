/* SPDX-License-Identifier: Apache-2.0 */
/* An audit event for each gap that the workers report: what a source has lost must not be something
 * that only a log knows.  A mark per partition says up to which gap that was done, so that the next
 * leader does not do it again. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "scheduler_priv.h"

#define LOOK_EVERY CZ_SEC

static enum cz_err write_down(struct cz_lead *L, const struct cz_gap_info *g, struct cz_error *err)
{
    const struct cz_model_entry *e = cz_model_get_uid(&L->led, CZ_CH_MAPPING, g->uid);
    if (!e || !e->mapping)
        return CZ_OK; /* deleted meanwhile */
    CZ_CLEANUP(cz_freep) char *mark = cz_strf("gap/%s/%d", g->topic, (int)g->partition);
    int64_t done = 0;
    enum cz_err rc = cz_store_mark(L->s->store, g->uid, mark, &done, err);
    if (rc != CZ_OK || done >= g->at_ms)
        return rc;
    const struct cz_change_meta meta = {
        .team = e->mapping->team, .actor = "system", .via = "system", .action = "mapping.gap"};
    json_t *detail = cz_gap_json(g);
    cz_json_set_str(detail, "mapping", e->mapping->name);
    rc = cz_store_set_mark(L->s->store, g->uid, mark, g->at_ms, &meta, detail, err);
    json_decref(detail);
    return rc;
}

void cz__lead_look_at_gaps(struct cz_lead *L)
{
    struct cz_gap_infos gaps = {0};
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_now() < L->gaps_at || !L->healed)
        return;
    L->gaps_at = cz_now() + LOOK_EVERY;
    cz_status_new_gaps(L->s->status, L->gaps_seen, &gaps);
    uint64_t seen = L->gaps_seen;
    enum cz_err rc = CZ_OK;
    for (size_t i = 0; i < gaps.len && rc == CZ_OK; i++) {
        rc = write_down(L, &gaps.items[i], &err);
        if (rc == CZ_E_NOT_FOUND)
            rc = CZ_OK; /* deleted in this moment */
        if (gaps.items[i].seen > seen)
            seen = gaps.items[i].seen;
    }
    if (rc == CZ_OK)
        L->gaps_seen = seen;
    else
        CZ_LOG_EVERY(30000, CZ_LOG_WARN, "scheduler", "cannot write down a gap: %s", err.text);
    cz_gap_infos_done(&gaps);
}
