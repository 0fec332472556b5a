/* SPDX-License-Identifier: Apache-2.0 */
/** The document says what the table says, nothing more and nothing less, and it is whole: every
 *  reference leads somewhere, every schema is used, every route has what a reader needs. */
#include <ctype.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/map.h"
#include "cz/util.h"
#include "fixture.h"

static json_t *doc;

static const json_t *operation(const struct cz_http_route *r)
{
    char method[8] = "";
    for (size_t i = 0; r->method[i]; i++)
        method[i] = (char)tolower((unsigned char)r->method[i]);
    return json_object_get(json_object_get(json_object_get(doc, "paths"), r->path), method);
}

static bool has_param(const json_t *op, const char *in, const char *name)
{
    size_t i;
    json_t *p;
    json_array_foreach (json_object_get(op, "parameters"), i, p)
        if (cz_streq(json_string_value(json_object_get(p, "in")), in) &&
            cz_streq(json_string_value(json_object_get(p, "name")), name))
            return true;
    return false;
}

static size_t count_params(const json_t *op, const char *in)
{
    size_t i, n = 0;
    json_t *p;
    json_array_foreach (json_object_get(op, "parameters"), i, p)
        n += cz_streq(json_string_value(json_object_get(p, "in")), in);
    return n;
}

static void check_route(const struct cz_http_route *r)
{
    const json_t *op = operation(r);
    size_t vars = 0, queries = 0;
    if (!op)
        fail_msg("%s %s is not in the document", r->method, r->path);
    assert_string_equal(json_string_value(json_object_get(op, "operationId")), r->id);
    assert_true(r->tag && *r->tag && r->summary && *r->summary);
    for (const char *p = r->path; (p = strchr(p, '{')); vars++) {
        char name[32];
        size_t n = strcspn(++p, "}");
        (void)snprintf(name, sizeof(name), "%.*s", (int)n, p);
        assert_true(has_param(op, "path", name));
    }
    for (const struct cz_http_param *q = r->query; q && q->name; q++, queries++) {
        assert_true(has_param(op, "query", q->name));
        assert_true(q->doc && *q->doc);
    }
    assert_int_equal(count_params(op, "path"), vars);
    assert_int_equal(count_params(op, "query"), queries);
    assert_int_equal(json_object_get(op, "requestBody") != NULL,
                     (r->flags & CZ_HTTP_BODY) != 0);
    assert_int_equal((r->flags & CZ_HTTP_BODY) != 0, r->request != NULL);
    /* free for everybody: said in the document, and only health */
    assert_int_equal(json_object_get(op, "security") != NULL, (r->flags & CZ_HTTP_NOAUTH) != 0);
    if (r->flags & CZ_HTTP_NOAUTH)
        assert_true(cz_streq(r->path, "/livez") || cz_streq(r->path, "/readyz") ||
                    strncmp(r->path, "/api/v1/auth/", 13) == 0);
    else
        assert_string_equal(json_string_value(json_object_get(op, "x-verb")), r->verb);
}

static void test_table_is_document(void **state)
{
    size_t routes = 0, operations = 0;
    const char *path, *method;
    json_t *p, *op;
    struct cz_map ids = CZ_MAP_INIT(NULL);
    (void)state;
    for (const struct cz_http_route *r = cz_api_routes; r->method; r++, routes++) {
        check_route(r);
        assert_null(cz_map_get(&ids, r->id));
        cz_map_put(&ids, r->id, doc);
    }
    json_object_foreach (json_object_get(doc, "paths"), path, p)
        json_object_foreach (p, method, op)
            operations++;
    assert_int_equal(routes, operations);
    cz_map_done(&ids);
}

static void follow(const json_t *j, struct cz_map *used)
{
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_array(j))
        json_array_foreach ((json_t *)(uintptr_t)j, i, v)
            follow(v, used);
    if (!json_is_object(j))
        return;
    const char *ref = json_string_value(json_object_get(j, "$ref"));
    if (ref) {
        char kind[32], name[64];
        const json_t *components = json_object_get(doc, "components");
        assert_int_equal(sscanf(ref, "#/components/%31[^/]/%63s", kind, name), 2);
        if (!json_object_get(json_object_get(components, kind), name))
            fail_msg("%s leads nowhere", ref);
        cz_map_put(used, name, doc);
    }
    json_object_foreach ((json_t *)(uintptr_t)j, key, v)
        follow(v, used);
}

static void test_references(void **state)
{
    struct cz_map used = CZ_MAP_INIT(NULL);
    const char *name;
    json_t *s;
    (void)state;
    follow(doc, &used);
    json_object_foreach (json_object_get(json_object_get(doc, "components"), "schemas"), name,
                         s) {
        if (!json_is_object(s))
            fail_msg("schema %s is not JSON", name);
        if (!cz_map_get(&used, name))
            fail_msg("schema %s is not used", name);
    }
    cz_map_done(&used);
}

/* The forms and the validation come from the config tables. */
static void test_specs_come_from_tables(void **state)
{
    json_t *schemas = json_object_get(json_object_get(doc, "components"), "schemas");
    json_t *m =
        json_object_get(json_object_get(json_object_get(schemas, "MappingSpec"), "properties"),
                        "valid_jmespath");
    json_t *c =
        json_object_get(json_object_get(json_object_get(schemas, "ClusterSpec"), "properties"),
                        "sasl_password");
    (void)state;
    assert_true(strlen(json_string_value(json_object_get(m, "description"))) > 0);
    assert_string_equal(json_string_value(json_object_get(c, "format")), "secret-reference");
    assert_string_equal(
        json_string_value(json_object_get(
            json_object_get(
                json_object_get(json_object_get(schemas, "MappingDocument"), "properties"),
                "spec"),
            "$ref")),
        "#/components/schemas/MappingSpec");
}

static int set_up(void **state)
{
    (void)state;
    doc = cz_api_openapi(cz_api_routes);
    return doc ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(doc);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_document),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_specs_come_from_tables),
    };
    return cmocka_run_group_tests_name("OpenAPI", tests, set_up, tear_down);
}
