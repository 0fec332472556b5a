/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a registry and what their answers mean.  Only an answer in the registry's own words says
 * that something is not there: the 404 of a proxy, or of a wrong path, must not make records be
 * dropped. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/secret.h"
#include "cz/util.h"
#include "registry_priv.h"

enum { CALL_MS = 10000, CONNECT_MS = 3000 };

enum cz_err
cz__calls_init(struct cz__calls *c, const struct cz_registry_conf *conf, struct cz_error *err)
{
    enum cz_err code = cz_client_check_url(conf->url, true, err);
    if (code)
        return code;
    atomic_init(&c->cancel, false);
    c->url = cz_strdup(conf->url);
    c->username = cz_strdup(conf->username);
    c->password = cz_strdup(conf->password);
    c->ssl_ca = cz_strdup(conf->ssl_ca);
    c->ssl_certificate = cz_strdup(conf->ssl_certificate);
    c->ssl_key = cz_strdup(conf->ssl_key);
    c->ssl_key_password = cz_strdup(conf->ssl_key_password);
    c->ssl_verify_hostname = conf->ssl_verify_hostname;
    return CZ_OK;
}

void cz__calls_done(struct cz__calls *c)
{
    cz_client_free(c->client);
    cz_free(c->url);
    cz_free(c->username);
    cz_free(c->password);
    cz_free(c->ssl_ca);
    cz_free(c->ssl_certificate);
    cz_free(c->ssl_key);
    cz_free(c->ssl_key_password);
}

/* ---- a client with its secrets ---------------------------------------------------------------- */

struct resolved {
    struct cz_secret secret;
    const char *value; /* borrowed from the secret or the text */
};

static bool resolve(const char *text, struct resolved *r, struct cz_error *err)
{
    r->value = text;
    if (!text || !cz_secret_is_ref(text))
        return true;
    if (cz_secret_resolve(text, &r->secret, err))
        return false;
    r->value = r->secret.value;
    return true;
}

static enum cz_err connect_anew(struct cz__calls *c, struct cz_error *err)
{
    enum { USER, PASSWORD, CA, CERTIFICATE, KEY, KEY_PASSWORD, N };
    const char *const texts[N] = {c->username, c->password,        c->ssl_ca,
                                  c->ssl_certificate, c->ssl_key, c->ssl_key_password};
    struct resolved r[N] = {0};
    bool ok = true;
    for (int i = 0; ok && i < N; i++)
        ok = resolve(texts[i], &r[i], err);
    const struct cz_client_options o = {
        .servers = &c->url,
        .servers_len = 1,
        .with_path = true,
        .accept = "application/vnd.schemaregistry.v1+json, application/json",
        .max_answer = CZ_MAX_REGISTRY_ANSWER,
        .connect_ms = CONNECT_MS,
        .user = r[USER].value,
        .password = r[PASSWORD].value,
        .ca_pem = r[CA].value,
        .certificate_pem = r[CERTIFICATE].value,
        .key_pem = r[KEY].value,
        .key_password = r[KEY_PASSWORD].value,
        .any_hostname = !c->ssl_verify_hostname,
        .cancel = &c->cancel,
    };
    enum cz_err code = ok ? cz_client_new(&o, &c->client, err) : err->code;
    for (int i = 0; i < N; i++)
        cz_secret_done(&r[i].secret);
    return code;
}

/* ---- answers ---------------------------------------------------------------------------------- */

enum { NONE_FIRST = 40400, NONE_LAST = 40499 };

static enum cz_err refused(const struct cz__calls *c, int status, const char *method, const char *path,
                           const json_t *answer, struct cz_error *err)
{
    int64_t own = cz_json_int(answer, "error_code", 0);
    const char *message = cz_json_str(answer, "message", "no reason given");
    bool asked = strcmp(method, "GET") == 0;
    if (status == 404 && asked && own >= NONE_FIRST && own <= NONE_LAST)
        return cz_fail(err, CZ_E_NOT_FOUND, "schema registry %s has no %s: %.200s", c->url, path, message);
    if (status == 404)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "schema registry %s: %s is not found, and not in a registry's words: is the URL "
                             "that of its API?", c->url, path);
    if (status == 409 || status == 422)
        return cz_fail_flags(err, status == 409 ? CZ_E_CONFLICT : CZ_E_INVALID, CZ_ERR_RETRIABLE, 0,
                             "schema registry %s refuses %s: %.300s", c->url, path, message);
    if (status == 401 || status == 403)
        return cz_fail_flags(err, status == 401 ? CZ_E_UNAUTHENTICATED : CZ_E_FORBIDDEN, CZ_ERR_RETRIABLE, 0,
                             "schema registry %s does not let us in (status %d): %.200s", c->url, status,
                             message);
    return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "schema registry %s: status %d: %.200s",
                         c->url, status, message);
}

static enum cz_err take_answer(const struct cz__calls *c, const char *method, const char *path,
                               struct cz_client_reply *reply, json_t **ret, struct cz_error *err)
{
    json_t *answer = NULL;
    struct cz_error ignored = CZ_ERROR_INIT;
    if (cz_json_parse(cz_buf_str(&reply->body), reply->body.len, &answer, &ignored))
        answer = NULL;
    bool good = reply->status >= 200 && reply->status < 300;
    enum cz_err code = CZ_OK;
    if (!good)
        code = refused(c, reply->status, method, path, answer, err);
    else if (!answer)
        code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "schema registry %s: the answer to %s is not JSON: is the URL that of its API?",
                             c->url, path);
    if (code)
        json_decref(answer);
    else
        *ret = answer;
    return code;
}

enum cz_err cz__call(struct cz__calls *c, const char *method, const char *path, const json_t *body,
                     json_t **ret, struct cz_error *err)
{
    struct cz_error why = CZ_ERROR_INIT;
    struct cz_client_reply reply;
    CZ_CLEANUP(cz_freep) char *text = body ? cz_json_text(body, false) : NULL;
    const struct cz_client_request rq = {
        .method = method,
        .path = path,
        .body = text,
        .type = "application/vnd.schemaregistry.v1+json",
        .timeout_ms = CALL_MS,
    };
    if ((!c->client && connect_anew(c, &why)) || cz_client_send(c->client, &rq, &reply, &why)) {
        cz_client_free(c->client); /* a certificate, a password may be new by the next time */
        c->client = NULL;
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "schema registry %s: %s", c->url,
                             why.text);
    }
    enum cz_err code = take_answer(c, method, path, &reply, ret, err);
    cz_client_reply_done(&reply);
    if (code == CZ_E_UNAUTHENTICATED || code == CZ_E_FORBIDDEN) {
        cz_client_free(c->client);
        c->client = NULL;
    }
    return code;
}

char *cz__path(const char *format, const char *a, const char *b)
{
    struct cz_buf x CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    const char *args[] = {a, b};
    size_t next = 0;
    for (; *format; format++) {
        if (format[0] == '%' && format[1] == 's') {
            cz_client_encode(&x, args[next++]);
            format++;
        } else {
            cz_buf_addc(&x, *format);
        }
    }
    return cz_buf_steal(&x);
}
