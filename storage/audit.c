/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions of cz/audit_store.h: to the implementation's table, when it has one. */
#include <assert.h>

#include "cz/alloc.h"
#include "storage_priv.h"

static enum cz_err none(struct cz_error *err)
{
    return cz_fail(err, CZ_E_UNAVAILABLE, "this store keeps no audit log");
}

void cz_audit_list_done(struct cz_audit_list *l)
{
    for (size_t i = 0; i < l->len; i++) {
        struct cz_audit_event *e = &l->items[i];
        char *texts[] = {e->team,    e->actor,      e->actor_id, e->token_id, e->via, e->action,
                         e->outcome, e->request_id, e->trace_id, e->ip};
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            cz_free(texts[t]);
        json_decref(e->detail);
    }
    cz_free(l->items);
    *l = (struct cz_audit_list){0};
}

void cz_seal_list_done(struct cz_seal_list *l)
{
    cz_free(l->items);
    *l = (struct cz_seal_list){0};
}

enum cz_err cz_store_audit_list(struct cz_store *s,
                                const struct cz_audit_filter *f,
                                struct cz_audit_list *ret,
                                struct cz_error *err)
{
    return s->audit ? s->audit->list(s, f, ret, err) : none(err);
}

enum cz_err cz_store_audit_decided(struct cz_store *s, int64_t *ret_id, struct cz_error *err)
{
    return s->audit ? s->audit->decided(s, ret_id, err) : none(err);
}

enum cz_err cz_store_audit_next(struct cz_store *s,
                                int64_t after,
                                int64_t upto,
                                int limit,
                                struct cz_audit_list *ret,
                                struct cz_error *err)
{
    assert(limit > 0);
    return s->audit ? s->audit->next(s, after, upto, limit, ret, err) : none(err);
}

enum cz_err cz_store_seals(struct cz_store *s,
                           int64_t before,
                           int64_t after,
                           int limit,
                           struct cz_seal_list *ret,
                           struct cz_error *err)
{
    return s->audit ? s->audit->seals(s, before, after, limit, ret, err) : none(err);
}

enum cz_err
cz_store_seal(struct cz_store *s, struct cz_seal *ret, bool *ret_more, struct cz_error *err)
{
    return s->audit ? s->audit->seal(s, ret, ret_more, err) : none(err);
}

enum cz_err cz_store_audit_verify(struct cz_store *s,
                                  int64_t after,
                                  const struct cz_seal_anchor *anchors,
                                  size_t n,
                                  cz_time deadline,
                                  struct cz_audit_check *ret,
                                  struct cz_error *err)
{
    return s->audit ? s->audit->verify(s, after, anchors, n, deadline, ret, err) : none(err);
}

enum cz_err
cz_store_audit_keep(struct cz_store *s, struct cz_audit_kept_list *ret, struct cz_error *err)
{
    return s->audit ? s->audit->keep(s, ret, err) : none(err);
}

enum cz_err cz_store_audit_position(struct cz_store *s,
                                    const char *topic,
                                    struct cz_audit_position *ret,
                                    struct cz_error *err)
{
    assert(topic);
    return s->audit ? s->audit->position(s, topic, ret, err) : none(err);
}

enum cz_err cz_store_audit_set_position(struct cz_store *s,
                                        const char *topic,
                                        const struct cz_audit_position *p,
                                        struct cz_error *err)
{
    assert(topic);
    return s->audit ? s->audit->set_position(s, topic, p, err) : none(err);
}
