/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory: leadership among those who share one store object. */
#include "cz/alloc.h"
#include "memory_priv.h"

struct mem_leadership {
    struct cz_leadership base;
    struct mem_store *store;
    int64_t epoch;
    int64_t seen; /* the seq at the last return of wait */
    bool woken;
};

static struct mem_leadership *lead_of(struct cz_leadership *l)
{
    return (struct mem_leadership *)l;
}

static enum cz_err fenced(const struct mem_leadership *l, struct cz_error *err)
{
    return cz_fail(err, CZ_E_FENCED, "epoch %lld leads, not %lld", (long long)l->store->epoch,
                   (long long)l->epoch);
}

static enum cz_err mem_lead_renew(struct cz_leadership *base, struct cz_error *err)
{
    struct mem_leadership *l = lead_of(base);
    struct mem_store *m = l->store;
    enum cz_err rc = CZ_OK;
    mem__lock(m);
    if (m->lead == l)
        m->renewed_at = cz_now();
    else
        rc = fenced(l, err);
    mem__unlock(m);
    return rc;
}

static enum cz_err
mem_lead_wait(struct cz_leadership *base, cz_time deadline, struct cz_error *err)
{
    struct mem_leadership *l = lead_of(base);
    struct mem_store *m = l->store;
    enum cz_err rc = CZ_OK;
    mem__lock(m);
    while (m->lead == l && !l->woken && m->seq == l->seen &&
           cz_cond_wait(&m->changed, &m->lock, deadline))
        ;
    if (m->lead != l)
        rc = fenced(l, err);
    l->woken = false;
    l->seen = m->seq;
    mem__unlock(m);
    return rc;
}

static void mem_lead_wake(struct cz_leadership *base)
{
    struct mem_leadership *l = lead_of(base);
    mem__lock(l->store);
    l->woken = true;
    cz_cond_broadcast(&l->store->changed);
    mem__unlock(l->store);
}

static void mem_lead_free(struct cz_leadership *base)
{
    struct mem_leadership *l = lead_of(base);
    mem__lock(l->store);
    if (l->store->lead == l)
        l->store->lead = NULL;
    mem__unlock(l->store);
    cz_free(l);
}

static const struct cz_leadership_vt mem_lead_vt = {
    .renew = mem_lead_renew,
    .wait = mem_lead_wait,
    .wake = mem_lead_wake,
    .free = mem_lead_free,
};

enum cz_err mem__lead(struct cz_store *s,
                      const char *instance,
                      int64_t lease_ms,
                      cz_time deadline,
                      struct cz_leadership **ret,
                      int64_t *ret_epoch,
                      char **ret_leader,
                      struct cz_error *err)
{
    (void)deadline, (void)err;
    struct mem_store *m = mem_of(s);
    struct mem_leadership *l = NULL;
    mem__lock(m);
    if (!m->lead || cz_now() - m->renewed_at > lease_ms * CZ_MS) {
        l = cz_alloc(sizeof(*l));
        l->base.vt = &mem_lead_vt;
        l->store = m;
        l->epoch = ++m->epoch;
        l->seen = m->seq;
        cz_free(m->leader);
        m->leader = cz_strdup(instance);
        m->lead = l;
        m->renewed_at = cz_now();
        cz_cond_broadcast(&m->changed); /* wakes the one who was put aside */
        if (ret_epoch)
            *ret_epoch = l->epoch;
    }
    if (ret_leader)
        *ret_leader = l ? NULL : cz_strdup(m->leader);
    mem__unlock(m);
    *ret = l ? &l->base : NULL;
    return CZ_OK;
}
