/* SPDX-License-Identifier: Apache-2.0 */
/* The plain data of the store: names of kinds and operations, releasing, copying and comparing.
 * Both implementations and their callers use it; nothing here knows where data is kept. */
#include <assert.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "storage_priv.h"

static const char *const kind_names[] = {
#define X(e, name, coll) [e] = name,
    CZ_KIND_MAP(X)
#undef X
};
static const char *const kind_collections[] = {
#define X(e, name, coll) [e] = coll,
    CZ_KIND_MAP(X)
#undef X
};
static const char *const op_names[] = {
#define X(e, name) [e] = name,
    CZ_OP_MAP(X)
#undef X
};

const char *cz_kind_name(enum cz_kind k)
{
    return k < CZ_KIND_COUNT_ ? kind_names[k] : "unknown";
}

const char *cz_kind_collection(enum cz_kind k)
{
    return k < CZ_KIND_COUNT_ ? kind_collections[k] : "unknown";
}

bool cz_kind_parse(const char *name_or_collection, enum cz_kind *ret)
{
    for (int k = 0; k < CZ_KIND_COUNT_; k++) {
        if (cz_streq(name_or_collection, kind_names[k]) ||
            cz_streq(name_or_collection, kind_collections[k])) {
            *ret = (enum cz_kind)k;
            return true;
        }
    }
    return false;
}

const char *cz_op_name(enum cz_op op)
{
    return op < CZ_OP_COUNT_ ? op_names[op] : "unknown";
}

bool cz__op_parse(const char *name, enum cz_op *ret)
{
    for (int op = 0; op < CZ_OP_COUNT_; op++) {
        if (cz_streq(name, op_names[op])) {
            *ret = (enum cz_op)op;
            return true;
        }
    }
    return false;
}

/* ---- release --------------------------------------------------------------------------------
 */

void cz_resource_done(struct cz_resource *r)
{
    cz_free(r->team);
    cz_free(r->name);
    cz_free(r->uid);
    cz_free(r->managed_by);
    json_decref(r->doc);
    json_decref(r->override);
    *r = (struct cz_resource){0};
}

void cz_change_done(struct cz_change *c)
{
    cz_free(c->team);
    cz_free(c->actor);
    cz_free(c->via);
    cz_free(c->comment);
    cz_free(c->request_id);
    cz_free(c->set_name);
    cz_free(c->git_commit);
    cz_free(c->plan_hash);
    cz_free(c->actor_id);
    cz_free(c->token_id);
    cz_free(c->trace_id);
    cz_free(c->ip);
    *c = (struct cz_change){0};
}

void cz_set_state_done(struct cz_set_state *s)
{
    cz_free(s->team);
    cz_free(s->name);
    cz_free(s->repo);
    cz_free(s->commit);
    cz_free(s->applied_by);
    cz_free(s->suspended_by);
    cz_free(s->suspended_reason);
    cz_free(s->blocked_commit);
    *s = (struct cz_set_state){0};
}

static void set_member_done(struct cz_set_member *m)
{
    cz_free(m->name);
    cz_free(m->uid);
    *m = (struct cz_set_member){0};
}

static void set_moved_done(struct cz_set_moved *m)
{
    set_member_done(&m->was);
    json_decref(m->doc);
    cz_resource_done(&m->now);
    cz_free(m->actor);
    cz_free(m->comment);
    *m = (struct cz_set_moved){0};
}

void cz_revision_done(struct cz_revision *r)
{
    cz_free(r->team);
    cz_free(r->name);
    cz_free(r->uid);
    cz_free(r->actor);
    cz_free(r->via);
    cz_free(r->comment);
    cz_free(r->managed_by);
    json_decref(r->doc);
    json_decref(r->override);
    *r = (struct cz_revision){0};
}

void cz__config_record_done(struct cz_config_record *r)
{
    cz_free(r->key);
    cz_free(r->trace_id);
    json_decref(r->value);
    *r = (struct cz_config_record){0};
}

/* The lists differ only in their element. */
#define LIST(elem, done)                                                                       \
    void cz_##elem##_list_done(struct cz_##elem##_list *l)                                     \
    {                                                                                          \
        for (size_t i = 0; i < l->len; i++)                                                    \
            done(&l->items[i]);                                                                \
        cz_free(l->items);                                                                     \
        *l = (struct cz_##elem##_list){0};                                                     \
    }                                                                                          \
    struct cz_##elem *cz__##elem##_push(struct cz_##elem##_list *l)                            \
    {                                                                                          \
        cz_grow(&l->items, &l->cap, l->len, sizeof(*l->items));                                \
        struct cz_##elem *e = &l->items[l->len++];                                             \
        memset(e, 0, sizeof(*e));                                                              \
        return e;                                                                              \
    }
LIST(resource, cz_resource_done)
LIST(change, cz_change_done)
LIST(revision, cz_revision_done)
LIST(config_record, cz__config_record_done)
LIST(set_state, cz_set_state_done)
LIST(set_member, set_member_done)
LIST(set_moved, set_moved_done)

/* ---- copy and compare -----------------------------------------------------------------------
 */

json_t *cz__json_copy(const json_t *j)
{
    return j ? json_deep_copy(j) : NULL;
}

void cz__resource_copy(const struct cz_resource *from, struct cz_resource *to)
{
    *to = *from;
    to->team = cz_strdup(from->team);
    to->name = cz_strdup(from->name);
    to->uid = cz_strdup(from->uid);
    to->managed_by = cz_strdup(from->managed_by);
    to->doc = cz__json_copy(from->doc);
    to->override = cz__json_copy(from->override);
}

void cz__resource_share(const struct cz_resource *from, struct cz_resource *to)
{
    *to = *from;
    to->team = cz_strdup(from->team);
    to->name = cz_strdup(from->name);
    to->uid = cz_strdup(from->uid);
    to->managed_by = cz_strdup(from->managed_by);
    (void)json_incref(to->doc);
    (void)json_incref(to->override);
}

void cz__set_state_copy(const struct cz_set_state *from, struct cz_set_state *to)
{
    *to = *from;
    to->team = cz_strdup(from->team);
    to->name = cz_strdup(from->name);
    to->repo = cz_strdup(from->repo);
    to->commit = cz_strdup(from->commit);
    to->applied_by = cz_strdup(from->applied_by);
    to->suspended_by = cz_strdup(from->suspended_by);
    to->suspended_reason = cz_strdup(from->suspended_reason);
    to->blocked_commit = cz_strdup(from->blocked_commit);
}

bool cz__set_state_same(const struct cz_set_state *a, const struct cz_set_state *b)
{
    return cz_streq(a->repo, b->repo) && cz_streq(a->commit, b->commit) &&
           a->applied_seq == b->applied_seq && a->suspended == b->suspended &&
           a->suspended_seq == b->suspended_seq &&
           cz_streq(a->suspended_reason, b->suspended_reason) &&
           cz_streq(a->blocked_commit, b->blocked_commit);
}

void cz__change_copy(const struct cz_change *from, struct cz_change *to)
{
    *to = *from;
    to->team = cz_strdup(from->team);
    to->actor = cz_strdup(from->actor);
    to->via = cz_strdup(from->via);
    to->comment = cz_strdup(from->comment);
    to->request_id = cz_strdup(from->request_id);
    to->set_name = cz_strdup(from->set_name);
    to->git_commit = cz_strdup(from->git_commit);
    to->plan_hash = cz_strdup(from->plan_hash);
    to->actor_id = cz_strdup(from->actor_id);
    to->token_id = cz_strdup(from->token_id);
    to->trace_id = cz_strdup(from->trace_id);
    to->ip = cz_strdup(from->ip);
}

void cz__revision_copy(const struct cz_revision *from, struct cz_revision *to)
{
    *to = *from;
    to->team = cz_strdup(from->team);
    to->name = cz_strdup(from->name);
    to->uid = cz_strdup(from->uid);
    to->actor = cz_strdup(from->actor);
    to->via = cz_strdup(from->via);
    to->comment = cz_strdup(from->comment);
    to->managed_by = cz_strdup(from->managed_by);
    to->doc = cz__json_copy(from->doc);
    to->override = cz__json_copy(from->override);
}

bool cz__json_same(const json_t *a, const json_t *b)
{
    bool none_a = !a || json_is_null(a), none_b = !b || json_is_null(b);
    if (none_a || none_b)
        return none_a && none_b;
    return json_equal(a, b) != 0;
}

bool cz__put_is_noop(const struct cz_resource *cur,
                     const json_t *doc,
                     const json_t *override,
                     const char *managed_by)
{
    return cz__json_same(cur->doc, doc) && cz__json_same(cur->override, override) &&
           cz_streq(cur->managed_by, managed_by);
}

bool cz__spec_differs(const json_t *old_doc, const json_t *new_doc)
{
    return !cz__json_same(json_object_get(old_doc, "spec"), json_object_get(new_doc, "spec"));
}

/* ---- one at a time --------------------------------------------------------------------------
 */

static _Thread_local int held;

void cz__hold_enter(void)
{
    assert(held == 0 && "a store function was called from inside a write");
    held++;
}

void cz__hold_leave(void)
{
    assert(held == 1);
    held--;
}
