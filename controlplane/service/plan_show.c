/* SPDX-License-Identifier: Apache-2.0 */
/** What a write has touched, as the list of changes of a plan, and the hash that binds an apply to it:
 *  SHA-256 over every touched object's operation, version before and document after.  Objects of other
 *  teams and objects that the plan does not touch are not in it, so they make no plan stale.  Documents
 *  hold references to secrets, never secrets, so nothing is masked. */
#include <stdlib.h>
#include <string.h>

#include "service_priv.h"

struct touched {
    const struct cz_resource *before, *after;
};

static const struct cz_resource *one_of(const struct touched *t)
{
    return t->after ? t->after : t->before;
}

static int by_kind_and_name(const void *pa, const void *pb)
{
    static const int order[CZ_KIND_COUNT_] = {
        [CZ_KIND_CLUSTER] = 0, [CZ_KIND_VALUE_MAP] = 1, [CZ_KIND_TEMPLATE] = 2, [CZ_KIND_INSTANCE] = 3,
        [CZ_KIND_MAPPING] = 4, [CZ_KIND_TEAM] = 5,      [CZ_KIND_GRANT] = 6,    [CZ_KIND_BINDING] = 7};
    const struct cz_resource *a = one_of(pa), *b = one_of(pb);
    if (a->kind != b->kind)
        return order[a->kind] - order[b->kind];
    int c = strcmp(a->name, b->name);
    return c ? c : strcmp(a->uid, b->uid);
}

static const char *op_of(const struct touched *t, const char *owner)
{
    if (!t->before)
        return "create";
    if (!t->after)
        return "delete";
    if (cz_streq(t->after->managed_by, owner) && !cz_streq(t->before->managed_by, owner))
        return "adopt";
    return "update";
}

static json_t *version_of(const struct cz_resource *r)
{
    return r ? cz_json_i64(r->version) : json_null();
}

static json_t *document(const struct cz_resource *r)
{
    return r ? json_incref(r->doc) : json_null();
}

static json_t *
change_json(struct cz__attempt *a, const struct touched *t, const char *op)
{
    const struct cz_resource *one = one_of(t);
    json_t *c = json_object();
    cz_json_set_str(c, "op", op);
    cz_json_set_str(c, "kind", cz_kind_name(one->kind));
    cz_json_set_str(c, "name", one->name);
    if (cz__owned_by_instance(one->managed_by))
        cz_json_set_str(c, "derived_from", one->managed_by);
    if (t->before && t->after && !cz_streq(t->before->name, t->after->name))
        cz_json_set_str(c, "renamed_from", t->before->name);
    if (t->before && strcmp(op, "adopt") == 0 && t->before->managed_by)
        cz_json_set_str(c, "adopted_from", t->before->managed_by);
    (void)json_object_set_new(c, "version", version_of(t->before));
    (void)json_object_set_new(c, "before", document(t->before));
    (void)json_object_set_new(c, "after", document(t->after));
    (void)json_object_set_new(c, "patch",
                              t->before && t->after ? cz_json_diff(t->before->doc, t->after->doc)
                                                    : json_array());
    (void)json_object_set_new(c, "impact", cz__impact(a->s, t->before, t->after));
    return c;
}

static json_t *hashed(const struct touched *t, const char *op)
{
    const struct cz_resource *one = one_of(t);
    return json_pack("[s, s, s, o, o, s?]", op, cz_kind_name(one->kind), one->name,
                     version_of(t->before), document(t->after),
                     t->after ? t->after->managed_by : NULL);
}

static void count(json_t *summary, const char *op)
{
    json_t *n = json_object_get(summary, op);
    (void)json_object_set_new(summary, op, json_integer(json_integer_value(n) + 1));
}

static struct touched *collect(struct cz__attempt *a, size_t *ret_len)
{
    struct touched *all = NULL, one;
    size_t len = 0, cap = 0;
    while (cz_tx_touched(a->tx, len, &one.before, &one.after)) {
        cz_grow(&all, &cap, len, sizeof *all);
        all[len++] = one;
    }
    if (len > 1)
        qsort(all, len, sizeof *all, by_kind_and_name);
    *ret_len = len;
    return all;
}

json_t *cz__plan_changes(struct cz__attempt *a,
                         const char *owner,
                         json_t *ret_summary,
                         char **ret_hash)
{
    static const char *const ops[] = {"create", "update", "delete", "adopt", "rendered"};
    size_t len = 0;
    struct touched *all = collect(a, &len);
    json_t *changes = json_array(), *hash_of = json_array();
    char hash[65];
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        (void)json_object_set_new(ret_summary, ops[i], json_integer(0));
    for (size_t i = 0; i < len; i++) {
        const char *op = op_of(&all[i], owner);
        count(ret_summary, cz__owned_by_instance(one_of(&all[i])->managed_by) ? "rendered" : op);
        (void)json_array_append_new(changes, change_json(a, &all[i], op));
        (void)json_array_append_new(hash_of, hashed(&all[i], op));
    }
    (void)json_array_append_new(hash_of, json_string(owner));
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(hash_of, true);
    *ret_hash = cz_strdup(cz_sha256_hex(text, strlen(text), hash));
    json_decref(hash_of);
    cz_free(all);
    return changes;
}
