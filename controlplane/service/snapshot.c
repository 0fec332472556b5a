/* SPDX-License-Identifier: Apache-2.0 */
/** The few facts of every mapping that polls need (statistics, metrics), read from the store
 * only when a change has happened since: a poll every two seconds must not read all documents.
 */
#include "access_priv.h"

static void fill(struct cz_service *s, struct cz__snapshot_item *it, const struct cz_resource *r)
{
    it->m = cz__subject_of(s, r);
    it->text[0] = cz_strdup(r->team);
    it->text[1] = cz_strdup(r->name);
    it->text[2] = cz_strdup(r->uid);
    it->text[3] = cz_strdup(it->m.reason);
    it->m.team = it->text[0];
    it->m.name = it->text[1];
    it->m.uid = it->text[2];
    it->m.reason = it->text[3];
    it->group = cz_strdup(cz_json_str(r->doc, "group", NULL));
    it->recopy = cz__owned_by_mapping(r->managed_by);
    it->verify_seconds = cz_json_int(json_object_get(r->doc, "spec"), "verify_seconds", 0);
}

void cz__snapshot_free(struct cz__snapshot *sn)
{
    if (!sn)
        return;
    for (size_t i = 0; i < sn->len; i++) {
        for (size_t k = 0; k < 4; k++)
            cz_free(sn->items[i].text[k]);
        cz_free(sn->items[i].group);
    }
    cz_free(sn->items);
    cz_free(sn);
}

void cz__snapshot_give(struct cz_service *s, struct cz__snapshot *sn)
{
    cz_mutex_lock(&s->lock);
    bool last = --sn->refs == 0;
    cz_mutex_unlock(&s->lock);
    if (last)
        cz__snapshot_free(sn);
}

static struct cz__snapshot *current(struct cz_service *s, int64_t seq)
{
    CZ_LOCKED(&s->lock);
    if (!s->snapshot || s->snapshot->seq != seq)
        return NULL;
    s->snapshot->refs++;
    return s->snapshot;
}

static enum cz_err take(struct cz_service *s, struct cz__snapshot **ret, struct cz_error *err)
{
    struct cz_list_filter f = {.kind = CZ_KIND_MAPPING};
    struct cz_resource_list l = {0};
    int64_t seq = 0;
    enum cz_err code = cz_store_seq(s->store, &seq, err);
    if (code)
        return code;
    *ret = current(s, seq);
    if (*ret)
        return CZ_OK;
    code = cz_store_list(s->store, &f, &l, &seq, err);
    if (code)
        return code;
    cz__rules_refresh(s);
    struct cz__snapshot *sn = cz_alloc(sizeof *sn);
    *sn = (struct cz__snapshot){
        .refs = 2, .seq = seq, .len = l.len}; /* the service's and the caller's */
    sn->items = cz_alloc_array(l.len + 1, sizeof *sn->items);
    for (size_t i = 0; i < l.len; i++)
        fill(s, &sn->items[i], &l.items[i]);
    cz_resource_list_done(&l);
    cz_mutex_lock(&s->lock);
    struct cz__snapshot *old = s->snapshot;
    s->snapshot = sn;
    bool last = old && --old->refs == 0;
    cz_mutex_unlock(&s->lock);
    if (last)
        cz__snapshot_free(old);
    *ret = sn;
    return CZ_OK;
}

enum cz_err
cz__snapshot_take(struct cz_service *s, struct cz__snapshot **ret, struct cz_error *err)
{
    cz_store_scope_suspend(); /* it is kept for all who ask; each is shown what he may see of it */
    enum cz_err code = take(s, ret, err);
    cz_store_scope_resume();
    return code;
}
