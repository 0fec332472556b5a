/* SPDX-License-Identifier: Apache-2.0 */
/** Instances: a template with values, rendered into mappings that only the instance may write
 *  (managed_by "instance:<name>").  Saving a template renders all its instances again in the
 * same change, so template and mappings can never tell different things. */
#include <string.h>

#include "service_priv.h"

char *cz__manager(const char *instance)
{
    return cz_strf("instance:%s", instance);
}

struct sync {
    struct cz__attempt *a;
    const char *team, *instance;
    char *manager;
    bool from_template; /* the request's body is the template, else the instance */
    struct cz__origin origin;
    struct cz__rendered_list want;
};

/** Problems found while rendering point into the template or into the instance; only one of the
 *  two is the body of this request. */
static void move_render_problems(struct sync *s, struct cz_report *rep)
{
    for (size_t i = 0; i < rep->len; i++) {
        const struct cz_problem *p = &rep->items[i];
        bool in_template =
            cz_streq(p->code, "undefined-variable") || cz_streq(p->code, "range");
        if (in_template == s->from_template) {
            cz__origin_problem(s->a, &s->origin, p->pointer, p->code, "%s", p->message);
            continue;
        }
        const char *at = in_template ? "/spec/vars" : "/spec/variables";
        cz__origin_problem(s->a, &s->origin, at, p->code, "%s, at %s of the %s", p->message,
                           p->pointer, in_template ? "template" : "instance");
    }
    cz_report_done(rep);
}

static struct cz__rendered *wanted(const struct sync *s, const char *name)
{
    for (size_t i = 0; i < s->want.len; i++) {
        if (cz_streq(s->want.items[i].name, name))
            return &s->want.items[i];
    }
    return NULL;
}

static enum cz_err remove_unwanted(struct sync *s, struct cz_error *err)
{
    struct cz_list_filter f = {
        .team = s->team, .kind = CZ_KIND_MAPPING, .managed_by = s->manager};
    struct cz_resource_list l = {0};
    enum cz_err code = cz_tx_list(s->a->tx, &f, &l, err);
    for (size_t i = 0; code == CZ_OK && i < l.len; i++) {
        if (!wanted(s, l.items[i].name))
            code = cz__remove(s->a, &l.items[i], err);
    }
    cz_resource_list_done(&l);
    return code;
}

/** Can the rendered mapping have its name? Problems are told at the name. */
static bool name_free(struct sync *s,
                      const struct cz__rendered *r,
                      const struct cz_resource *cur,
                      const struct cz__origin *o)
{
    struct cz_error why = CZ_ERROR_INIT;
    if (cz_name_check(r->name, &why) != CZ_OK)
        cz__origin_problem(s->a, o, "/name", "name", "%s", why.text);
    else if (wanted(s, r->name) != r)
        cz__origin_problem(s->a, o, "/name", "duplicate",
                           "two mappings of the template get this name");
    else if (cur && !cur->managed_by)
        cz__origin_problem(s->a, o, "/name", "name-taken",
                           "a mapping of this name exists already");
    else if (cur && !cz_streq(cur->managed_by, s->manager))
        cz__origin_problem(s->a, o, "/name", "name-taken", "this mapping belongs to %s",
                           cur->managed_by);
    else
        return true;
    return false;
}

static enum cz_err
put_rendered(struct sync *s, const struct cz__rendered *r, struct cz_error *err)
{
    struct cz_resource cur = {0};
    bool found;
    CZ_CLEANUP(cz_freep) char *base = cz_strf("%s/spec/mappings/%zu", s->origin.base, r->index);
    CZ_CLEANUP(cz_freep)
    char *fixed =
        s->origin.fixed ? cz_strdup(s->origin.fixed) : cz_strf("%s/spec/vars", s->origin.base);
    CZ_CLEANUP(cz_freep)
    char *what = s->origin.what ? cz_strf("%s, mapping \"%s\"", s->origin.what, r->name)
                                : cz_strf("mapping \"%s\"", r->name);
    struct cz__origin o = {.base = base, .what = what};
    if (!s->from_template || s->origin.fixed)
        o.fixed = fixed;
    enum cz_err code = cz__tx_find(s->a, s->team, CZ_KIND_MAPPING, r->name, &cur, &found, err);
    if (code)
        return code;
    struct cz__put p = {.team = s->team,
                        .name = r->name,
                        .kind = CZ_KIND_MAPPING,
                        .doc = r->doc,
                        .override = cur.override,
                        .managed_by = s->manager,
                        .op = found ? CZ_OP_UPDATE : CZ_OP_CREATE,
                        .origin = o};
    struct cz_report rep = CZ_REPORT_INIT;
    cz__check_meta(r->doc, "", &rep);
    cz__move_problems(s->a, &o, &rep);
    if (name_free(s, r, found ? &cur : NULL, &o))
        code = cz__apply(s->a, &p, NULL, NULL, err);
    cz_resource_done(&cur);
    return code;
}

static enum cz_err sync_instance(struct sync *s,
                                 const json_t *template_spec,
                                 const json_t *instance_spec,
                                 struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    s->manager = cz__manager(s->instance);
    cz__render(template_spec, instance_spec, !s->from_template, &s->want, &rep);
    bool ok = cz_report_ok(&rep);
    move_render_problems(s, &rep);
    enum cz_err code = ok ? remove_unwanted(s, err) : CZ_OK;
    for (size_t i = 0; ok && code == CZ_OK && i < s->want.len; i++)
        code = put_rendered(s, &s->want.items[i], err);
    cz__rendered_done(&s->want);
    cz_free(s->manager);
    return code;
}

enum cz_err cz__apply_instance(struct cz__attempt *a,
                               const struct cz__put *p,
                               struct cz_resource *ret,
                               bool *ret_put,
                               struct cz_error *err)
{
    const json_t *spec = json_object_get(p->doc, "spec");
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_resource t = {0};
    bool found;
    cz__check_instance(spec, "/spec", &rep);
    bool ok = cz_report_ok(&rep) && json_is_object(spec);
    cz__move_problems(a, &p->origin, &rep);
    if (!ok)
        return CZ_OK;
    const char *template = cz_json_str(spec, "template", "");
    enum cz_err code = cz__tx_find(a, p->team, CZ_KIND_TEMPLATE, template, &t, &found, err);
    if (code == CZ_OK && !found)
        cz__origin_problem(a, &p->origin, "/spec/template", "not-found",
                           "there is no template \"%s\" in team \"%s\"", template, p->team);
    if (code || !found)
        return code;
    code = cz_tx_put(a->tx, p->team, p->kind, p->name, p->doc, p->override, p->managed_by,
                     p->op, ret, err);
    *ret_put = code == CZ_OK;
    struct sync s = {.a = a, .team = p->team, .instance = p->name, .origin = p->origin};
    if (*ret_put) {
        (void)cz__noted(a, ret, p->op);
        code = sync_instance(&s, json_object_get(t.doc, "spec"), spec, err);
    }
    cz_resource_done(&t);
    return code;
}

enum cz_err
cz__rerender_instances(struct cz__attempt *a, const struct cz__put *tmpl, struct cz_error *err)
{
    struct cz_list_filter f = {.team = tmpl->team, .kind = CZ_KIND_INSTANCE};
    struct cz_resource_list l = {0};
    enum cz_err code = cz_tx_list(a->tx, &f, &l, err);
    for (size_t i = 0; code == CZ_OK && i < l.len; i++) {
        const json_t *spec = json_object_get(l.items[i].doc, "spec");
        if (!cz_streq(cz_json_str(spec, "template", NULL), tmpl->name))
            continue;
        CZ_CLEANUP(cz_freep)
        char *what = tmpl->origin.what
                         ? cz_strf("%s, instance \"%s\"", tmpl->origin.what, l.items[i].name)
                         : cz_strf("instance \"%s\"", l.items[i].name);
        struct sync s = {.a = a,
                         .team = tmpl->team,
                         .instance = l.items[i].name,
                         .from_template = true,
                         .origin = tmpl->origin};
        s.origin.what = what;
        code = sync_instance(&s, json_object_get(tmpl->doc, "spec"), spec, err);
    }
    cz_resource_list_done(&l);
    return code;
}

enum cz_err cz__rerender_template(struct cz__attempt *a,
                                  const char *team,
                                  const char *name,
                                  const char *pointer,
                                  struct cz_error *err)
{
    struct cz_resource t = {0};
    bool found = false;
    enum cz_err code = cz__tx_find(a, team, CZ_KIND_TEMPLATE, name, &t, &found, err);
    struct cz__put p = {.team = team,
                        .name = name,
                        .kind = CZ_KIND_TEMPLATE,
                        .doc = t.doc,
                        .origin = {.base = pointer}};
    if (code == CZ_OK && found)
        code = cz__rerender_instances(a, &p, err);
    cz_resource_done(&t);
    return code;
}
