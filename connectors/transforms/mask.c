/* SPDX-License-Identifier: Apache-2.0 */
/* Masks compiled: see cz/mask.h.  Where a mask cannot be applied the record is an error, never a
 * record that passes unmasked. */
#include "cz/mask.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/hmac.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/util.h"
#include "value_map.h"

#define REDACTED "***"
#define TOKEN_BYTES 16
#define TEAM_LABEL "citizenk.mask."

const char *const cz_mask_hows[] = {"hash", "redact", "truncate", "null", NULL};

struct one {
    enum cz_mask_how how;
    size_t length;
};
struct side { /* the value, or the key */
    struct cz_json_paths *paths;
    struct one *by_path;
    size_t len;
    int whole; /* number of the path "", or -1 */
};
struct cz_mask {
    struct side value, key;
    struct cz_hmac *hmac; /* NULL: nothing is hashed */
    bool key_json;
};

static bool how_of(const json_t *entry, enum cz_mask_how *ret)
{
    const char *how = cz_json_str(entry, "how", NULL);
    for (int i = 0; how && cz_mask_hows[i]; i++) {
        if (cz_streq(how, cz_mask_hows[i])) {
            *ret = (enum cz_mask_how)i;
            return true;
        }
    }
    return false;
}

bool cz_mask_needs_secret(const json_t *masks)
{
    size_t i;
    json_t *entry;
    enum cz_mask_how how;
    json_array_foreach(masks, i, entry)
    {
        if (how_of(entry, &how) && how == CZ_MASK_HASH)
            return true;
    }
    return false;
}

static enum cz_err add(struct side *s, const char *path, struct one one, struct cz_error *err)
{
    if (!s->paths)
        s->paths = cz_json_paths_new();
    enum cz_err code = cz_json_paths_add(s->paths, path, err);
    if (code)
        return code;
    if (!*path)
        s->whole = (int)s->len;
    s->by_path = cz_realloc(s->by_path, (s->len + 1) * sizeof *s->by_path);
    s->by_path[s->len++] = one;
    return CZ_OK;
}

static enum cz_err add_entry(struct cz_mask *m, const json_t *entry, struct cz_error *err)
{
    struct one one = {.length = (size_t)cz_json_int(entry, "length", CZ_MASK_LENGTH)};
    const char *path = cz_json_str(entry, "path", "");
    if (!how_of(entry, &one.how))
        return cz_fail(err, CZ_E_INVALID, "mask of '%.200s': unknown way to mask", path);
    if (strcmp(path, "value") == 0)
        return add(&m->value, "", one, err);
    if (strcmp(path, "key") == 0)
        return add(&m->key, "", one, err);
    if (strncmp(path, "value.", 6) == 0)
        return add(&m->value, path + 6, one, err);
    if (strncmp(path, "key.", 4) == 0)
        return add(&m->key, path + 4, one, err);
    return cz_fail(err, CZ_E_INVALID, "mask of '%.200s': the path must begin with value or key", path);
}

/* The team's key, from the deployment's. */
static enum cz_err
prepare(struct cz_mask *m, const struct cz_mask_conf *conf, struct cz_error *err)
{
    if (conf->secret.len < CZ_MASK_KEY_MIN)
        return cz_fail(err, CZ_E_INVALID, "the secret for hash masks must have at least %d bytes",
                       CZ_MASK_KEY_MIN);
    unsigned char derived[CZ_HMAC_SIZE];
    CZ_CLEANUP(cz_freep) char *label = cz_strf("%s%s", TEAM_LABEL, conf->team ? conf->team : "");
    struct cz_hmac *master = cz_hmac_new(conf->secret.data, conf->secret.len);
    cz_hmac_sum(master, label, strlen(label), derived);
    cz_hmac_free(master);
    m->hmac = cz_hmac_new(derived, sizeof derived);
    explicit_bzero(derived, sizeof derived);
    return CZ_OK;
}

enum cz_err
cz_mask_new(const struct cz_mask_conf *conf, struct cz_mask **ret, struct cz_error *err)
{
    struct cz_mask *m = cz_alloc(sizeof *m);
    m->value.whole = m->key.whole = -1;
    m->key_json = conf->key_json;
    enum cz_err code = CZ_OK;
    size_t i;
    json_t *entry;
    json_array_foreach(conf->masks, i, entry)
    {
        code = add_entry(m, entry, err);
        if (code)
            break;
    }
    if (!code && cz_mask_needs_secret(conf->masks))
        code = prepare(m, conf, err);
    if (code) {
        cz_mask_free(m);
        return code;
    }
    *ret = m;
    return CZ_OK;
}

void cz_mask_free(struct cz_mask *m)
{
    if (!m)
        return;
    cz_json_paths_free(m->value.paths);
    cz_json_paths_free(m->key.paths);
    cz_free(m->value.by_path);
    cz_free(m->key.by_path);
    cz_hmac_free(m->hmac);
    cz_free(m);
}

/* ---- one value ------------------------------------------------------------------------------ */

static void add_token(const struct cz_mask *m, struct cz_slice text, struct cz_buf *out)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char sum[CZ_HMAC_SIZE];
    char token[2 * TOKEN_BYTES];
    cz_hmac_sum(m->hmac, text.data, text.len, sum);
    for (size_t i = 0; i < TOKEN_BYTES; i++) {
        token[2 * i] = hex[sum[i] >> 4];
        token[2 * i + 1] = hex[sum[i] & 15];
    }
    cz_buf_add(out, token, sizeof token);
}

/* Bytes of the first @chars characters. */
static size_t cut(struct cz_slice text, size_t chars)
{
    size_t at = 0;
    while (at < text.len && chars-- > 0) {
        at++;
        while (at < text.len && ((unsigned char)text.data[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

/* @quoted: as a JSON string; else the bytes of a key or value that is no JSON. */
static void mask_text(const struct cz_mask *m, struct one one, struct cz_slice text, bool quoted,
                      struct cz_buf *out)
{
    if (one.how == CZ_MASK_TRUNCATE && quoted) {
        cz_buf_add_json_string(out, text.data, cut(text, one.length));
        return;
    }
    if (one.how == CZ_MASK_TRUNCATE) {
        cz_buf_add(out, text.data, cut(text, one.length));
        return;
    }
    if (quoted)
        cz_buf_addc(out, '"');
    if (one.how == CZ_MASK_HASH)
        add_token(m, text, out);
    else
        cz_buf_adds(out, REDACTED);
    if (quoted)
        cz_buf_addc(out, '"');
}

struct replace_arg {
    const struct cz_mask *m;
    const struct side *side;
    struct cz_arena *arena;
};

static enum cz_err
replace(void *arg, size_t path, struct cz_jval v, struct cz_buf *out, struct cz_error *err)
{
    const struct replace_arg *a = arg;
    struct one one = a->side->by_path[path];
    struct cz_slice text;
    if (v.type == CZ_J_NULL)
        return CZ_OK;
    if (one.how == CZ_MASK_NULL) {
        cz_buf_adds(out, "null");
        return CZ_OK;
    }
    if (v.type == CZ_J_OBJECT) /* its text, see cz_json_replace_fn */
        text = (struct cz_slice){v.u.s, v.len};
    else if (!cz_value_map_text(v, a->arena, &text))
        return cz_fail(err, CZ_E_LIMIT, "a value to be masked is too large");
    bool has_text = v.type == CZ_J_STRING || v.type == CZ_J_NUMBER;
    if (one.how == CZ_MASK_TRUNCATE && !has_text)
        one.how = CZ_MASK_REDACT;
    mask_text(a->m, one, text, true, out);
    return CZ_OK;
}

static enum cz_err apply(const struct cz_mask *m,
                         const struct side *s,
                         struct cz_eval *e,
                         const struct cz_json_doc *doc,
                         struct cz_buf *out,
                         struct cz_slice *ret,
                         struct cz_error *err)
{
    struct replace_arg a = {m, s, cz_eval_arena(e)};
    bool changed = false;
    enum cz_err code = cz_json_doc_replace(doc, s->paths, replace, &a, out, &changed, err);
    if (!code && changed)
        *ret = (struct cz_slice){out->data, out->len};
    return code;
}

/* Bytes that are not JSON: only a mask of the whole means something. */
static enum cz_err apply_raw(const struct cz_mask *m,
                             const struct side *s,
                             struct cz_buf *out,
                             struct cz_slice *ret,
                             struct cz_error *err)
{
    cz_buf_clear(out);
    if (s->whole < 0 || !ret->data)
        return CZ_OK;
    /* "null" ends as redacted here: a null value would delete the key. */
    mask_text(m, s->by_path[s->whole], *ret, false, out);
    if (out->failed)
        return cz_fail(err, CZ_E_LIMIT, "the masked record is longer than %zu bytes", out->max);
    *ret = (struct cz_slice){cz_buf_str(out), out->len};
    return CZ_OK;
}

enum cz_err cz_mask_value(const struct cz_mask *m,
                          struct cz_eval *e,
                          struct cz_buf *out,
                          struct cz_slice *ret_value,
                          struct cz_error *err)
{
    const struct cz_json_doc *doc = NULL;
    if (!m->value.paths)
        return CZ_OK;
    enum cz_err code = cz_eval_value_doc(e, &doc, err);
    if (code)
        return code;
    return doc ? apply(m, &m->value, e, doc, out, ret_value, err)
               : apply_raw(m, &m->value, out, ret_value, err);
}

enum cz_err cz_mask_key(const struct cz_mask *m,
                        struct cz_eval *e,
                        struct cz_buf *out,
                        struct cz_slice *ret_key,
                        struct cz_error *err)
{
    const struct cz_json_doc *doc = NULL;
    if (!m->key.paths || !ret_key->data)
        return CZ_OK;
    enum cz_err code = cz_eval_key_doc(e, &doc, err);
    if (code)
        return code;
    /* A key that is a JSON string stays one; any other is a token as it stands. */
    bool string = doc && (m->key_json || (doc->n == 1 && ret_key->data[doc->token[0]] == '"'));
    if (!doc || (m->key.whole >= 0 && !string))
        return apply_raw(m, &m->key, out, ret_key, err);
    return apply(m, &m->key, e, doc, out, ret_key, err);
}
