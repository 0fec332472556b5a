/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

const struct cz_caller caller = {.actor = "alice", .via = "api", .request_id = "req-1"};

static enum cz_err topics(void *arg,
                          struct cz_cluster *c,
                          const char *const *names,
                          size_t n,
                          cz_time deadline,
                          struct cz_topic_info **ret,
                          struct cz_error *err)
{
    struct fixture *f = arg;
    (void)deadline;
    __atomic_add_fetch(&f->asked, 1, __ATOMIC_RELAXED);
    if (strncmp(cz_cluster_bootstrap(c), "dead", 4) == 0)
        return cz_fail(err, CZ_E_UNAVAILABLE, "connection refused");
    struct cz_topic_info *t = cz_alloc_array(n, sizeof *t);
    for (size_t i = 0; i < n; i++) {
        t[i].name = cz_strdup(names[i]);
        t[i].code = strncmp(names[i], "missing", 7) == 0 ? CZ_E_NOT_FOUND
                    : strcmp(names[i], "secret") == 0    ? CZ_E_FORBIDDEN
                                                         : CZ_OK;
        t[i].partitions = t[i].code == CZ_OK ? 4 : 0;
    }
    *ret = t;
    return CZ_OK;
}

int setup(void **state)
{
    struct fixture *f = cz_alloc(sizeof *f);
    f->store = fixture_store();
    if (cz_status_view_new(NULL, "test", &f->view, &f->err) != CZ_OK)
        fail_msg("%s", f->err.text);
    struct cz_service_options o = {
        .store = f->store, .status = f->view, .topics = topics, .topics_arg = f};
    f->s = cz_service_new(&o);
    *state = f;
    must(f, put(f, CZ_KIND_CLUSTER, "source", CLUSTER("h:1")));
    must(f, put(f, CZ_KIND_CLUSTER, "target", CLUSTER("h:2")));
    return 0;
}

int teardown(void **state)
{
    struct fixture *f = *state;
    cz_write_result_done(&f->r);
    cz_report_done(&f->rep);
    cz_service_free(f->s);
    cz_status_view_free(f->view);
    fixture_store_done(f->store);
    cz_free(f);
    return 0;
}

json_t *js(const char *text)
{
    CZ_CLEANUP(cz_freep) char *copy = cz_strdup(text);
    struct cz_error err = CZ_ERROR_INIT;
    json_t *j = NULL;
    for (char *p = copy; *p; p++) {
        if (*p == '\'')
            *p = '"';
        else if (*p == '`')
            *p = '\'';
    }
    if (cz_json_parse(copy, strlen(copy), &j, &err) != CZ_OK)
        fail_msg("%s: %s", copy, err.text);
    return j;
}

enum cz_err put_with(
    struct fixture *f, enum cz_kind kind, const char *name, const char *doc, struct cz_write w)
{
    json_t *j = js(doc);
    cz_write_result_done(&f->r);
    cz_report_done(&f->rep);
    cz_error_reset(&f->err);
    enum cz_err code =
        cz_service_put(f->s, &caller, &w, "default", kind, name, j, &f->r, &f->rep, &f->err);
    json_decref(j);
    assert_int_equal(code, f->err.code);
    return code;
}

enum cz_err put(struct fixture *f, enum cz_kind kind, const char *name, const char *doc)
{
    json_t *old = get(f, kind, name);
    struct cz_write w = {.if_match = old ? CZ_IF_MATCH_ANY : CZ_IF_MATCH_NONE};
    json_decref(old);
    return put_with(f, kind, name, doc, w);
}

void must(struct fixture *f, enum cz_err code)
{
    for (size_t i = 0; code && i < f->rep.len; i++)
        print_error("%s [%s] %s\n", f->rep.items[i].pointer, f->rep.items[i].code,
                    f->rep.items[i].message);
    if (code)
        fail_msg("%s: %s", cz_err_name(code), f->err.text);
}

void problem(struct fixture *f, enum cz_err code, const char *pointer, const char *slug)
{
    bool found = false;
    assert_int_equal(code, CZ_E_INVALID);
    for (size_t i = 0; i < f->rep.len; i++)
        found |=
            cz_streq(f->rep.items[i].pointer, pointer) && cz_streq(f->rep.items[i].code, slug);
    if (!found)
        fail_msg("want %s [%s]; first of %zu is %s [%s] %s", pointer, slug, f->rep.len,
                 f->rep.len ? f->rep.items[0].pointer : "-",
                 f->rep.len ? f->rep.items[0].code : "-",
                 f->rep.len ? f->rep.items[0].message : f->err.text);
}

json_t *get(struct fixture *f, enum cz_kind kind, const char *name)
{
    json_t *e = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    enum cz_err code = cz_service_get(f->s, "default", kind, name, &e, NULL, &err);
    assert_true(code == CZ_OK || code == CZ_E_NOT_FOUND);
    return e;
}

int64_t version_of(struct fixture *f, enum cz_kind kind, const char *name)
{
    json_t *e = get(f, kind, name);
    int64_t v = cz_json_int(e, "version", 0);
    json_decref(e);
    return v;
}

int64_t seq_of(struct fixture *f)
{
    int64_t seq = 0;
    assert_int_equal(cz_store_seq(f->store, &seq, NULL), CZ_OK);
    return seq;
}

json_t *published(struct fixture *f, const char *key)
{
    struct cz_config_record_list l = {0};
    int64_t seq;
    json_t *found = NULL;
    assert_int_equal(cz_store_config(f->store, &l, &seq, NULL), CZ_OK);
    for (size_t i = 0; i < l.len; i++) {
        if (cz_streq(l.items[i].key, key))
            found = json_incref(l.items[i].value);
    }
    cz_config_record_list_done(&l);
    return found;
}

json_t *published_mapping(struct fixture *f, const char *name)
{
    json_t *e = get(f, CZ_KIND_MAPPING, name);
    assert_non_null(e);
    CZ_CLEANUP(cz_freep) char *key = cz_strf("mapping/%s", cz_json_str(e, "uid", ""));
    json_decref(e);
    return published(f, key);
}

size_t published_count(struct fixture *f)
{
    struct cz_config_record_list l = {0};
    int64_t seq;
    assert_int_equal(cz_store_config(f->store, &l, &seq, NULL), CZ_OK);
    size_t n = l.len;
    cz_config_record_list_done(&l);
    return n;
}

bool has_warning(struct fixture *f, const char *code)
{
    size_t i;
    json_t *w;
    json_array_foreach (f->r.warnings, i, w) {
        if (cz_streq(cz_json_str(w, "code", NULL), code))
            return true;
    }
    return false;
}
