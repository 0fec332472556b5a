/* SPDX-License-Identifier: Apache-2.0 */
/* Header rules compiled: see cz/headers.h. */
#include "cz/headers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/util.h"

struct rename {
    char *from, *to;
};
struct cz_headers {
    struct cz_header *add; /* owned text */
    size_t add_len;
    char **remove;
    size_t remove_len;
    struct rename *rename;
    size_t rename_len;
    bool provenance;
    char *source_id, *target_id;
    struct cz_buf before, after; /* of a hop: what is the same for every record */
};

static struct cz_slice own(const json_t *text)
{
    if (!json_is_string(text))
        return (struct cz_slice){0};
    size_t n = json_string_length(text);
    return (struct cz_slice){cz_strndup(json_string_value(text), n), n};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct cz_header *)a)->name.data, ((const struct cz_header *)b)->name.data);
}

static void take_rules(struct cz_headers *h, const struct cz_headers_conf *conf)
{
    const char *name;
    json_t *v;
    size_t i;
    h->add = cz_alloc_array(json_object_size(conf->add) + 1, sizeof *h->add);
    h->remove = cz_alloc_array(json_array_size(conf->remove) + 1, sizeof *h->remove);
    h->rename = cz_alloc_array(json_object_size(conf->rename) + 1, sizeof *h->rename);
    json_object_foreach(CZ_UNCONST(conf->add), name, v)
    {
        h->add[h->add_len++] = (struct cz_header){{cz_strdup(name), strlen(name)}, own(v)};
    }
    qsort(h->add, h->add_len, sizeof *h->add, by_name); /* documents do not keep an order */
    json_array_foreach(conf->remove, i, v)
    {
        h->remove[h->remove_len++] = cz_strdup(json_string_value(v));
    }
    json_object_foreach(CZ_UNCONST(conf->rename), name, v)
    {
        h->rename[h->rename_len++] = (struct rename){cz_strdup(name), cz_strdup(json_string_value(v))};
    }
}

static void add_text(struct cz_buf *b, const char *label, const char *text)
{
    cz_buf_adds(b, label);
    cz_buf_add_json_string(b, text ? text : "", text ? strlen(text) : 0);
}

static void prepare_hop(struct cz_headers *h, const struct cz_headers_conf *conf)
{
    add_text(&h->before, "{\"cluster\":", conf->source_cluster);
    add_text(&h->before, ",\"cluster_id\":", conf->source_id);
    cz_buf_adds(&h->before, ",\"topic\":");
    add_text(&h->after, ",\"mapping\":", conf->mapping);
    cz_buf_addf(&h->after, ",\"generation\":\"%" PRId64 "\"}", conf->generation);
}

enum cz_err
cz_headers_new(const struct cz_headers_conf *conf, struct cz_headers **ret, struct cz_error *err)
{
    *ret = NULL;
    if (!conf->provenance && json_object_size(conf->add) == 0 && json_array_size(conf->remove) == 0 &&
        json_object_size(conf->rename) == 0)
        return CZ_OK;
    struct cz_headers *h = cz_alloc(sizeof *h);
    cz_buf_init(&h->before, CZ_MAX_BODY);
    cz_buf_init(&h->after, CZ_MAX_BODY);
    take_rules(h, conf);
    h->provenance = conf->provenance;
    h->source_id = cz_strdup(conf->source_id ? conf->source_id : "");
    h->target_id = cz_strdup(conf->target_id ? conf->target_id : "");
    prepare_hop(h, conf);
    if (h->before.failed || h->after.failed) {
        cz_headers_free(h);
        return cz_fail(err, CZ_E_LIMIT, "headers: a name is too long");
    }
    *ret = h;
    return CZ_OK;
}

void cz_headers_free(struct cz_headers *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->add_len; i++) {
        cz_free(CZ_UNCONST(h->add[i].name.data));
        cz_free(CZ_UNCONST(h->add[i].value.data));
    }
    for (size_t i = 0; i < h->remove_len; i++)
        cz_free(h->remove[i]);
    for (size_t i = 0; i < h->rename_len; i++) {
        cz_free(h->rename[i].from);
        cz_free(h->rename[i].to);
    }
    cz_free(h->add);
    cz_free(h->remove);
    cz_free(h->rename);
    cz_free(h->source_id);
    cz_free(h->target_id);
    cz_buf_done(&h->before);
    cz_buf_done(&h->after);
    cz_free(h);
}

/* ---- a record's ----------------------------------------------------------------------------- */

void cz_header_list_init(struct cz_header_list *l)
{
    *l = (struct cz_header_list){0};
    cz_buf_init(&l->hop, CZ_MAX_BODY);
}

void cz_header_list_done(struct cz_header_list *l)
{
    cz_free(l->in);
    cz_free(l->out);
    cz_buf_done(&l->hop);
}

static void read_headers(const struct cz_record *r, struct cz_header_list *l)
{
    l->in_len = 0;
    if (!r->headers)
        return;
    size_t n = r->headers(r, l->in, l->in_cap);
    if (n > l->in_cap) {
        l->in = cz_realloc(l->in, n * sizeof *l->in);
        l->in_cap = n;
        n = r->headers(r, l->in, l->in_cap);
    }
    l->in_len = n;
}

static bool is(struct cz_slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

static bool member_is(struct cz_jval hop, const char *member, struct cz_arena *arena, const char *text)
{
    struct cz_jval v = cz_jval_get(hop, member, strlen(member));
    return text && v.type == CZ_J_STRING && cz_jval_plain(arena, &v) &&
           is((struct cz_slice){v.u.s, v.len}, text);
}

/* A header of that name that somebody else wrote tells nothing. */
static bool came_from(const struct cz_headers *h,
                      struct cz_arena *arena,
                      const struct cz_record *r,
                      struct cz_slice hop)
{
    struct cz_json_doc doc = CZ_JSON_DOC_INIT;
    struct cz_jval v;
    bool found = false;
    if (hop.data && !cz_json_read(&doc, arena, hop.data, hop.len, &v, NULL)) {
        bool at_target = member_is(v, "cluster_id", arena, h->target_id) && member_is(v, "topic", arena, r->target);
        found = at_target || (member_is(v, "cluster_id", arena, h->source_id) && member_is(v, "topic", arena, r->topic));
    }
    cz_json_doc_done(&doc);
    return found;
}

bool cz_headers_loop(const struct cz_headers *h,
                     struct cz_eval *e,
                     const struct cz_record *r,
                     struct cz_header_list *l)
{
    read_headers(r, l);
    for (size_t i = 0; h->provenance && i < l->in_len; i++) {
        if (is(l->in[i].name, CZ_PROVENANCE) && came_from(h, cz_eval_arena(e), r, l->in[i].value))
            return true;
    }
    return false;
}

static bool matches(const char *pattern, const char *s, size_t n)
{
    const char *star = NULL; /* the last * and what it has swallowed up to */
    size_t at = 0, back = 0;
    while (at < n) {
        if (*pattern == '*') {
            star = pattern++;
            back = at;
        } else if (*pattern && (*pattern == '?' || *pattern == s[at])) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star + 1;
            at = ++back;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool removed(const struct cz_headers *h, struct cz_slice name)
{
    for (size_t i = 0; i < h->remove_len; i++) {
        if (matches(h->remove[i], name.data, name.len))
            return true;
    }
    return false;
}

static bool renamed(const struct cz_headers *h, struct cz_slice *name)
{
    for (size_t i = 0; i < h->rename_len; i++) {
        if (is(*name, h->rename[i].from)) {
            *name = (struct cz_slice){h->rename[i].to, strlen(h->rename[i].to)};
            return true;
        }
    }
    return false;
}

static void add_hop(const struct cz_headers *h, const struct cz_record *r, struct cz_header_list *l)
{
    cz_buf_clear(&l->hop);
    cz_buf_add(&l->hop, h->before.data, h->before.len);
    cz_buf_add_json_string(&l->hop, r->topic, strlen(r->topic));
    cz_buf_addf(&l->hop, ",\"partition\":%" PRId32 ",\"offset\":\"%" PRId64 "\"", r->partition, r->offset);
    cz_buf_add(&l->hop, h->after.data, h->after.len);
    l->out[l->out_len++] = (struct cz_header){{CZ_PROVENANCE, sizeof CZ_PROVENANCE - 1}, {l->hop.data, l->hop.len}};
}

static void make_room(struct cz_header_list *l, size_t most)
{
    if (most > l->out_cap) {
        l->out = cz_realloc(l->out, most * sizeof *l->out);
        l->out_cap = most;
    }
    l->out_len = 0;
}

/* Those that stay go to l->out; true: some do not. */
static bool keep(const struct cz_headers *h, struct cz_header_list *l)
{
    make_room(l, l->in_len + h->add_len + 1);
    for (size_t i = 0; i < l->in_len; i++) {
        if (!removed(h, l->in[i].name))
            l->out[l->out_len++] = l->in[i];
    }
    return l->out_len < l->in_len;
}

void cz_headers_keep(const struct cz_headers *h, const struct cz_record *r, struct cz_header_list *l)
{
    read_headers(r, l);
    (void)keep(h, l);
}

bool cz_headers_make(const struct cz_headers *h, const struct cz_record *r, struct cz_header_list *l)
{
    bool changed = keep(h, l) || h->add_len > 0 || h->provenance;
    for (size_t i = 0; i < l->out_len; i++)
        changed |= renamed(h, &l->out[i].name);
    for (size_t i = 0; i < h->add_len; i++)
        l->out[l->out_len++] = h->add[i];
    if (h->provenance)
        add_hop(h, r, l);
    return changed;
}

void cz_headers_replace(const struct cz_record *r, bool made, struct cz_slice was, struct cz_slice now,
                        struct cz_header_list *l)
{
    if (!made) {
        read_headers(r, l);
        make_room(l, l->in_len + 1);
        memcpy(l->out, l->in, l->in_len * sizeof *l->in);
        l->out_len = l->in_len;
    }
    for (size_t i = 0; i < l->out_len; i++) {
        if (l->out[i].value.data == was.data) /* it may bear another name by now */
            l->out[i].value = now;
    }
}
