/* SPDX-License-Identifier: Apache-2.0 */
/** The OpenAPI 3.1 document, made from the route table and the named schemas (schemas.c); so a
 *  route that exists is documented and the other way round. */
#include <ctype.h>
#include <string.h>

#include "api_priv.h"

static const struct {
    const char *name, *doc;
} VARS[] = {
    {"team", "Name of a team."},
    {"name", "Name of the object, percent-encoded."},
    {"topic", "Name of a source topic."},
    {"seq", "Number of a change."},
    {"generation", "A generation."},
    {"other", "The generation to compare with."},
    {"id", "Id of the object, as lists show it."},
};

static json_t *ref(const char *kind, const char *name)
{
    char *s = cz_strf("#/components/%s/%s", kind, name);
    json_t *j = json_pack("{s:s}", "$ref", s);
    cz_free(s);
    return j;
}

static const char *var_doc(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof(VARS) / sizeof(VARS[0]); i++)
        if (strlen(VARS[i].name) == n && strncmp(VARS[i].name, name, n) == 0)
            return VARS[i].doc;
    return "A part of the path.";
}

/* ---- parameters ---------------------------------------------------------------------------
 */

static void add_path_vars(json_t *params, const char *path)
{
    for (const char *p = path; (p = strchr(p, '{'));) {
        size_t n = strcspn(++p, "}");
        json_array_append_new(params, json_pack("{s:s%, s:s, s:b, s:s, s:{s:s, s:i}}", "name",
                                                p, n, "in", "path", "required", 1,
                                                "description", var_doc(p, n), "schema", "type",
                                                "string", "minLength", 1));
    }
}

static json_t *param_schema(const struct cz_http_param *q)
{
    json_t *s = NULL;
    switch (q->type) {
    case CZ_HTTP_BOOLEAN:
        return json_pack("{s:s}", "type", "boolean");
    case CZ_HTTP_INTEGER:
        s = json_pack("{s:s, s:I}", "type", "integer", "minimum", (json_int_t)q->min);
        if (q->max != INT64_MAX)
            json_object_set_new(s, "maximum", json_integer(q->max));
        return s;
    case CZ_HTTP_STRING:
        s = json_pack("{s:s}", "type", "string");
        if (q->max)
            json_object_set_new(s, "maxLength", json_integer(q->max));
        if (q->min)
            json_object_set_new(s, "minLength", json_integer(q->min));
        break;
    }
    if (q->values) {
        json_t *values = json_array();
        for (size_t i = 0; q->values[i]; i++)
            json_array_append_new(values, json_string(q->values[i]));
        json_object_set_new(s, "enum", values);
    }
    return s;
}

static json_t *parameters(const struct cz_http_route *r)
{
    json_t *params = json_array();
    add_path_vars(params, r->path);
    for (const struct cz_http_param *q = r->query; q && q->name; q++)
        json_array_append_new(params,
                              json_pack("{s:s, s:s, s:s, s:o}", "name", q->name, "in", "query",
                                        "description", q->doc, "schema", param_schema(q)));
    if (r->flags & CZ_HTTP_IF_MATCH) {
        json_array_append_new(params, ref("parameters", "IfMatch"));
        json_array_append_new(params, ref("parameters", "IfNoneMatch"));
    }
    if (r->flags & CZ_HTTP_CACHED)
        json_array_append_new(params, ref("parameters", "Cached"));
    json_array_append_new(params, ref("parameters", "RequestId"));
    json_array_append_new(params, ref("parameters", "TraceParent"));
    return params;
}

/* ---- answers ------------------------------------------------------------------------------
 */

static json_t *json_content(const char *schema)
{
    return json_pack("{s:{s:o}}", "application/json", "schema", ref("schemas", schema));
}

/* "application/x-ndjson,text/csv" */
static json_t *text_content(const char *types)
{
    json_t *o = json_object();
    for (const char *p = types; *p; p += strspn(p, ",")) {
        size_t n = strcspn(p, ",");
        CZ_CLEANUP(cz_freep) char *type = cz_strndup(p, n);
        json_object_set_new(o, type, json_pack("{s:{s:s}}", "schema", "type", "string"));
        p += n;
    }
    return o;
}

static void
add_success(json_t *all, const struct cz_http_route *r, const char *code, const char *text)
{
    json_t *a = json_pack("{s:s}", "description", text);
    if (r->response && strchr(r->response, '/'))
        json_object_set_new(a, "content", text_content(r->response));
    else if (r->response)
        json_object_set_new(a, "content", json_content(r->response));
    else if (r->status != 204 && r->status != 302)
        json_object_set_new(
            a, "content", json_pack("{s:{s:{s:s}}}", "text/plain", "schema", "type", "string"));
    json_t *headers = json_pack("{s:o}", "X-Request-Id", ref("headers", "RequestId"));
    if (!(r->flags & CZ_HTTP_QUIET)) {
        json_object_set_new(headers, "RateLimit", ref("headers", "RateLimit"));
        json_object_set_new(headers, "RateLimit-Policy", ref("headers", "RateLimitPolicy"));
    }
    if (r->flags & (CZ_HTTP_CACHED | CZ_HTTP_IF_MATCH))
        json_object_set_new(headers, "ETag", ref("headers", "ETag"));
    json_object_set_new(a, "headers", headers);
    json_object_set_new(all, code, a);
}

static json_t *responses(const struct cz_http_route *r)
{
    json_t *all = json_object();
    bool write = strcmp(r->method, "GET") != 0, named = strchr(r->path, '{') != NULL;
    char code[4];
    (void)snprintf(code, sizeof(code), "%d", r->status ? r->status : 200);
    add_success(all, r, code, "Done.");
    if (strcmp(r->method, "PUT") == 0 && (r->flags & CZ_HTTP_IF_MATCH))
        add_success(all, r, "201", "Created.");
    if (r->flags & CZ_HTTP_CACHED)
        json_object_set_new(all, "304", json_pack("{s:s}", "description", "Not modified."));
    json_object_set_new(all, "400", ref("responses", "Problem"));
    if (!(r->flags & CZ_HTTP_NOAUTH))
        json_object_set_new(all, "401", ref("responses", "Problem"));
    if (!(r->flags & CZ_HTTP_QUIET))
        json_object_set_new(all, "429", ref("responses", "TooMany"));
    if (named)
        json_object_set_new(all, "404", ref("responses", "Problem"));
    if (write && named)
        json_object_set_new(all, "409", ref("responses", "Problem"));
    if (r->flags & CZ_HTTP_IF_MATCH) {
        json_object_set_new(all, "412", ref("responses", "Problem"));
        json_object_set_new(all, "428", ref("responses", "Problem"));
    }
    if (r->flags & CZ_HTTP_BODY) {
        json_object_set_new(all, "413", ref("responses", "Problem"));
        json_object_set_new(all, "415", ref("responses", "Problem"));
        json_object_set_new(all, "422", ref("responses", "Problem"));
    }
    if ((r->flags & CZ_HTTP_NOAUTH) && (r->flags & CZ_HTTP_QUIET))
        add_success(all, r, "503", "Not ready.");
    else
        json_object_set_new(all, "503", ref("responses", "Problem"));
    json_object_set_new(all, "default", ref("responses", "Problem"));
    return all;
}

/* ---- operations ---------------------------------------------------------------------------
 */

static json_t *operation(const struct cz_http_route *r)
{
    json_t *o =
        json_pack("{s:s, s:s, s:[s], s:o, s:o}", "operationId", r->id, "summary", r->summary,
                  "tags", r->tag, "parameters", parameters(r), "responses", responses(r));
    if (r->verb)
        json_object_set_new(o, "x-verb", json_string(r->verb));
    if (r->flags & CZ_HTTP_NOAUTH)
        json_object_set_new(o, "security", json_array());
    if (r->flags & CZ_HTTP_BODY) {
        json_t *content = json_content(r->request);
        if (r->flags & CZ_HTTP_MERGE_PATCH)
            json_object_set_new(content, "application/merge-patch+json",
                                json_pack("{s:o}", "schema", ref("schemas", r->request)));
        json_object_set_new(o, "requestBody",
                            json_pack("{s:b, s:o}", "required",
                                      !(r->flags & CZ_HTTP_BODY_OPTIONAL), "content", content));
    }
    return o;
}

static json_t *paths(const struct cz_http_route *routes)
{
    json_t *all = json_object();
    for (const struct cz_http_route *r = routes; r->method; r++) {
        json_t *path = json_object_get(all, r->path);
        char method[8] = "";
        for (size_t i = 0; r->method[i] && i < sizeof(method) - 1; i++)
            method[i] = (char)tolower((unsigned char)r->method[i]);
        if (!path) {
            path = json_object();
            json_object_set_new(all, r->path, path);
        }
        json_object_set_new(path, method, operation(r));
    }
    return all;
}

static const char COMPONENTS[] =
    "{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\","
    "\"description\":\"Authorization: Bearer <token>; never in a URL.\"},"
    "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"__Host-citizenk\","
    "\"description\":\"Of a browser. What changes something also needs Sec-Fetch-Site: same-origin "
    "(or the own Origin) and X-CitizenK-CSRF: 1.\"}},"
    "\"parameters\":{"
    "\"IfMatch\":{\"name\":\"If-Match\",\"in\":\"header\",\"description\":"
    "\"The ETag that was read, or *. Without it an existing object is not replaced (428); "
    "another version is 412.\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"IfNoneMatch\":{\"name\":\"If-None-Match\",\"in\":\"header\",\"description\":"
    "\"*: only create, never replace.\",\"schema\":{\"type\":\"string\",\"const\":\"*\"}},"
    "\"Cached\":{\"name\":\"If-None-Match\",\"in\":\"header\",\"description\":"
    "\"An ETag: 304 when it is still the current one.\",\"schema\":{\"type\":\"string\"}},"
    "\"RequestId\":{\"name\":\"X-Request-Id\",\"in\":\"header\",\"description\":"
    "\"Taken over when it fits, else one is made; logs and problems name it.\","
    "\"schema\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9-]{8,64}$\"}},"
    "\"TraceParent\":{\"name\":\"traceparent\",\"in\":\"header\",\"description\":"
    "\"W3C Trace Context: the trace that this request is part of. Taken over when it is valid, else "
    "one is begun; the log, the change and the record that workers read carry it.\","
    "\"schema\":{\"type\":\"string\",\"pattern\":"
    "\"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$\"}}},"
    "\"headers\":{"
    "\"ETag\":{\"description\":\"Version of the object, in "
    "quotes.\",\"schema\":{\"type\":\"string\"}},"
    "\"RequestId\":{\"description\":\"Id of the request.\",\"schema\":{\"type\":\"string\"}},"
    "\"RateLimit\":{\"description\":\"Requests that are left (r), and in how many seconds all are "
    "there again (t).\",\"schema\":{\"type\":\"string\"}},"
    "\"RateLimitPolicy\":{\"description\":\"Whose requests are counted, and how many (q) in how many "
    "seconds (w).\",\"schema\":{\"type\":\"string\"}},"
    "\"RetryAfter\":{\"description\":\"Seconds to wait.\",\"schema\":{\"type\":\"integer\"}}},"
    "\"responses\":{\"TooMany\":{\"description\":\"Too many requests: again after Retry-After.\","
    "\"headers\":{\"Retry-After\":{\"$ref\":\"#/components/headers/RetryAfter\"}},\"content\":"
    "{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}},"
    "\"Problem\":{\"description\":\"What went wrong (RFC 9457).\",\"content\":"
    "{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/"
    "Problem\"}}}}}}";

json_t *cz_api_openapi(const struct cz_http_route *routes)
{
    json_t *components = json_loads(COMPONENTS, 0, NULL);
    json_object_set_new(components, "schemas", cz__api_schemas());
    return json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:[{s:[]}, {s:[]}], s:o, s:o}", "openapi",
        "3.1.0", "info", "title", "CitizenK", "version", cz_version, "description",
        "Mappings between Kafka topics: what is saved here the workers run. 64-bit numbers are "
        "strings; errors are "
        "problem documents; unknown fields and query parameters are refused.",
        "license", "name", "Apache-2.0", "identifier", "Apache-2.0", "servers", "url", "/",
        "security", "token", "session", "paths", paths(routes), "components", components);
}

HANDLER(cz__rest_openapi)
{
    (void)err;
    json_t *doc = cz_api_openapi(cz_api_routes);
    char *text = cz_json_text(doc, false);
    char hash[65], tag[8];
    /* A version from the content: it changes only with the program. */
    (void)cz_sha256_hex(text, strlen(text), hash);
    (void)snprintf(tag, sizeof(tag), "%.7s", hash);
    int64_t version = 0;
    for (const char *p = tag; *p; p++)
        version = version * 16 + (*p <= '9' ? *p - '0' : *p - 'a' + 10);
    cz_free(text);
    if (cz_http_not_modified(rq, rs, version))
        json_decref(doc);
    else
        cz_http_json(rs, 200, doc);
    return CZ_OK;
}
