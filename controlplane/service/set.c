/* SPDX-License-Identifier: Apache-2.0 */
/** Many objects of one team in one change: put, and what is no longer wanted deleted.  All that is
 *  wrong with any of them is told at once, and then nothing is stored.
 *
 *  Order: what goes is deleted first, so that its name is free; then templates, whose instances are
 *  rendered only when the new values are there as well; then instances, then mappings. */
#include <string.h>

#include "service_priv.h"

struct set_run {
    struct cz__attempt *a;
    const char *team;
    const struct cz_set *set;
    bool *used; /* per switch */
};

static bool names(const struct cz_set *set, enum cz_kind kind, const char *name)
{
    for (size_t i = 0; i < set->len; i++)
        if (set->items[i].kind == kind && cz_streq(set->items[i].name, name))
            return true;
    return false;
}

static bool bears_label(const struct cz_set *set, const struct cz_resource *r)
{
    const json_t *labels = json_object_get(r->doc, "labels");
    return !set->label || cz_streq(cz_json_str(labels, set->label, NULL), set->label_value);
}

static enum cz_err prune(struct set_run *r, enum cz_kind kind, struct cz_error *err)
{
    struct cz_list_filter f = {.team = r->team, .kind = kind};
    struct cz_resource_list l = {0};
    if (!(r->set->prune & (1U << kind)))
        return CZ_OK;
    enum cz_err code = cz_tx_list(r->a->tx, &f, &l, err);
    for (size_t i = 0; code == CZ_OK && i < l.len; i++) {
        const struct cz_resource *one = &l.items[i];
        if (!one->managed_by && bears_label(r->set, one) && !names(r->set, kind, one->name))
            code = cz__remove(r->a, one, err);
    }
    cz_resource_list_done(&l);
    return code;
}

/* ---- switches: names whose mapping is to be on or off -------------------------------------- */

static const struct cz_set_switch *switch_of(struct set_run *r, const char *name)
{
    for (size_t i = 0; i < r->set->switches_len; i++) {
        if (cz_streq(r->set->switches[i].name, name)) {
            r->used[i] = true;
            return &r->set->switches[i];
        }
    }
    return NULL;
}

static void switch_mapping(struct set_run *r, const char *name, json_t *body)
{
    const struct cz_set_switch *s = switch_of(r, name);
    json_t *spec = json_object_get(body, "spec");
    if (s && json_is_object(spec))
        (void)json_object_set_new(spec, "enabled", json_boolean(s->enabled));
}

/** The template's mappings are switched by the instance's overrides. */
static enum cz_err
switch_instance(struct set_run *r, json_t *body, struct cz_error *err)
{
    json_t *spec = json_object_get(body, "spec");
    const char *template = cz_json_str(spec, "template", "");
    struct cz_resource t = {0};
    bool found = false;
    enum cz_err code = cz__tx_find(r->a, r->team, CZ_KIND_TEMPLATE, template, &t, &found, err);
    if (code || !found)
        return code;
    struct cz__rendered_list l = {0};
    struct cz_report said_later = CZ_REPORT_INIT;
    json_t *overrides = json_object();
    cz__render(json_object_get(t.doc, "spec"), spec, false, &l, &said_later);
    for (size_t i = 0; i < l.len; i++) {
        const struct cz_set_switch *s = switch_of(r, l.items[i].name);
        if (s)
            (void)json_object_set_new(overrides, s->name,
                                      json_pack("{s:b}", "enabled", s->enabled));
    }
    if (json_object_size(overrides) > 0)
        (void)json_object_set(spec, "overrides", overrides);
    json_decref(overrides);
    cz_report_done(&said_later);
    cz__rendered_done(&l);
    cz_resource_done(&t);
    return CZ_OK;
}

static void unused_switches(struct set_run *r)
{
    for (size_t i = 0; i < r->set->switches_len; i++) {
        const struct cz_set_switch *s = &r->set->switches[i];
        struct cz__origin o = {.base = s->pointer};
        if (!r->used[i])
            cz__origin_problem(r->a, &o, "", "not-found", "there is no mapping \"%s\" here",
                               s->name);
    }
}

/* ---- puts ---------------------------------------------------------------------------------- */

/** May this item be written, as far as its name goes? */
static bool check_name(struct set_run *r, const struct cz_set_item *it, const struct cz_resource *cur)
{
    struct cz__origin o = {.base = it->pointer};
    struct cz_error why = CZ_ERROR_INIT;
    bool twice = false;
    for (const struct cz_set_item *other = r->set->items; other < it; other++)
        twice |= other->kind == it->kind && cz_streq(other->name, it->name);
    if (cz_name_check(it->name, &why) != CZ_OK)
        cz__origin_problem(r->a, &o, "/name", "name", "%s", why.text);
    else if (twice)
        cz__origin_problem(r->a, &o, "/name", "duplicate", "the %s \"%s\" is here twice",
                           cz_kind_name(it->kind), it->name);
    else if (cur && cur->managed_by)
        cz__origin_problem(r->a, &o, "/name", "name-taken",
                           "the mapping \"%s\" belongs to %s: change that instead", it->name,
                           cur->managed_by);
    else
        return true;
    return false;
}

static json_t *body_of(const struct set_run *r, const struct cz_set_item *it,
                       const struct cz_resource *cur)
{
    json_t *body = cur && it->patch ? cz_json_merge_patch(cur->doc, it->patch)
                                    : json_deep_copy(it->doc);
    if (!r->set->label)
        return body;
    json_t *labels = json_object_get(body, "labels");
    if (!json_is_object(labels)) {
        labels = json_object();
        (void)json_object_set_new(body, "labels", labels);
    }
    (void)json_object_set_new(labels, r->set->label, json_string(r->set->label_value));
    return body;
}

static enum cz_err put_item(struct set_run *r, const struct cz_set_item *it, struct cz_error *err)
{
    struct cz_resource cur = {0};
    bool found = false;
    enum cz_err code = cz__name_possible(r->team, it->kind, it->name, NULL)
                           ? CZ_OK
                           : cz__tx_find(r->a, r->team, it->kind, it->name, &cur, &found, err);
    if (code)
        return code;
    const struct cz_resource *old = found ? &cur : NULL;
    if (check_name(r, it, old)) {
        json_t *body = body_of(r, it, old);
        struct cz__put p = {.team = r->team,
                            .name = it->name,
                            .kind = it->kind,
                            .op = found ? CZ_OP_UPDATE : CZ_OP_CREATE,
                            .origin = {.base = it->pointer},
                            .alone = it->kind == CZ_KIND_TEMPLATE};
        if (it->kind == CZ_KIND_MAPPING)
            switch_mapping(r, it->name, body);
        else if (it->kind == CZ_KIND_INSTANCE)
            code = switch_instance(r, body, err);
        if (code == CZ_OK)
            code = cz__put_document(r->a, &p, body, old, NULL, NULL, err);
        json_decref(body);
    }
    cz_resource_done(&cur);
    return code;
}

static enum cz_err put_kind(struct set_run *r, enum cz_kind kind, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; code == CZ_OK && i < r->set->len; i++)
        if (r->set->items[i].kind == kind)
            code = put_item(r, &r->set->items[i], err);
    return code;
}

/** Instances that the set does not name follow their templates now. */
static enum cz_err render_again(struct set_run *r, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; code == CZ_OK && i < r->set->len && cz_report_ok(&r->a->rep); i++)
        if (r->set->items[i].kind == CZ_KIND_TEMPLATE)
            code = cz__rerender_template(r->a, r->team, r->set->items[i].name, r->set->items[i].pointer, err);
    return code;
}

static enum cz_err check_version(struct cz__attempt *a, struct cz_error *err)
{
    int64_t now = cz_tx_seq(a->tx) - 1, want = a->w->if_match;
    if (want <= 0 || want == now)
        return CZ_OK;
    a->stale_version = now;
    return cz_fail(err, CZ_E_STALE, "the newest change is %lld now, not %lld", (long long)now,
                   (long long)want);
}

static enum cz_err set_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    struct set_run r = *(struct set_run *)arg;
    CZ_CLEANUP(cz_freep)
    bool *used = cz_alloc_array(r.set->switches_len + 1, sizeof *used);
    r.a = a;
    r.used = used;
    enum cz_err code = check_version(a, err);
    if (code == CZ_OK)
        code = prune(&r, CZ_KIND_MAPPING, err);
    if (code == CZ_OK)
        code = prune(&r, CZ_KIND_INSTANCE, err);
    if (code == CZ_OK)
        code = put_kind(&r, CZ_KIND_TEMPLATE, err);
    if (code == CZ_OK)
        code = put_kind(&r, CZ_KIND_INSTANCE, err);
    if (code == CZ_OK)
        code = render_again(&r, err);
    if (code == CZ_OK)
        code = put_kind(&r, CZ_KIND_MAPPING, err);
    if (code == CZ_OK)
        code = prune(&r, CZ_KIND_TEMPLATE, err);
    if (code == CZ_OK)
        unused_switches(&r);
    return code;
}

enum cz_err cz_service_put_set(struct cz_service *s,
                               const struct cz_caller *who,
                               const struct cz_write *w,
                               const char *team,
                               const struct cz_set *set,
                               struct cz_write_result *ret,
                               struct cz_report *rep,
                               struct cz_error *err)
{
    struct set_run r = {.team = team, .set = set};
    struct cz__job j = {.s = s,
                        .who = who,
                        .w = w,
                        .team = team,
                        .action = "set.put",
                        .body = set_body,
                        .arg = &r};
    return cz__run(&j, ret, rep, err);
}
