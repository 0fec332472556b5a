/* SPDX-License-Identifier: Apache-2.0 */
/* Where an exactly-once file goes on.  The lines themselves say it: each holds topic, partition and
 * offset of its source.  The state file says it for all lines before a place, so that not all of
 * them must be read, and holds claims: positions that were chosen and have no line.
 *
 *  {"v":1,"segment":<number of a file>,"length":<bytes of it>,"positions":[{"topic","partition",
 *   "offset":"<next>","note"}]} */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "files_priv.h"

enum { STATE_MAX = 16 * 1024 * 1024 };

static json_t *render(struct cz_file_out *o)
{
    json_t *list = json_array();
    CZ_LOCKED(&o->sink->lock); /* the list grows with the first record of a partition */
    for (const struct files__position *p = o->positions; p; p = p->next_position) {
        if (p->next < 0)
            continue;
        json_t *one = json_pack("{s:s,s:i}", "topic", p->topic, "partition", (int)p->partition);
        cz_json_set_i64(one, "offset", p->next);
        cz_json_set_str(one, "note", p->note);
        json_array_append_new(list, one);
    }
    json_t *doc = json_pack("{s:i,s:o}", "v", 1, "positions", list);
    cz_json_set_i64(doc, "segment", o->segment);
    cz_json_set_i64(doc, "length", o->length);
    return doc;
}

enum cz_err files__state_save(struct cz_file_out *o, struct cz_error *err)
{
    const struct cz_file_folder *f = o->sink->o.folder;
    CZ_CLEANUP(cz_freep) char *file = cz_strf(".%s.state", o->name);
    CZ_CLEANUP(cz_freep) char *tmp = cz_strf(".%s.state.tmp", o->name);
    json_t *doc = render(o);
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(doc, false);
    json_decref(doc);
    int fd = files__open(f, tmp, O_WRONLY | O_CREAT | O_TRUNC, err);
    if (fd < 0)
        return err ? err->code : CZ_E_IO;
    enum cz_err code = files__write_all(fd, tmp, text, strlen(text), err);
    if (!code && fsync(fd))
        code = files__errno(err, tmp, "sync");
    (void)close(fd);
    if (!code && renameat(f->fd, tmp, f->fd, file))
        code = files__errno(err, file, "replace");
    (void)fsync(f->fd);
    if (!code)
        o->state_at = o->length;
    return code;
}

/* *ret NULL: there is none. */
static enum cz_err read_state(struct cz_file_out *o, json_t **ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *file = cz_strf(".%s.state", o->name);
    struct cz_error own = CZ_ERROR_INIT;
    int fd = files__open(o->sink->o.folder, file, O_RDONLY, &own);
    *ret = NULL;
    if (fd < 0 && own.code == CZ_E_NOT_FOUND)
        return CZ_OK;
    if (fd < 0)
        return cz_fail_flags(err, own.code, own.flags, own.detail, "%s", own.text);
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(STATE_MAX);
    enum cz_err code = CZ_OK;
    ssize_t n = 1;
    while (!code && n > 0) {
        char *to = cz_buf_reserve(&b, 65536);
        n = to ? read(fd, to, 65536) : -1;
        if (n < 0)
            code = files__errno(err, file, "read");
        else
            b.len += (size_t)n;
    }
    (void)close(fd);
    if (code)
        return code;
    code = cz_json_parse(cz_buf_str(&b), b.len, ret, err);
    if (!code && cz_json_int(*ret, "v", 0) != 1) {
        json_decref(*ret);
        *ret = NULL;
        code = cz_fail(err, CZ_E_PARSE, "not the positions of a file (written by a newer version?)");
    }
    return code ? cz_fail_prefix(err, "%s", file) : CZ_OK;
}

static void take_record(struct cz_file_out *o, const struct cz_record *r)
{
    if (r->offset < 0 || r->partition < 0 || !*r->topic)
        return; /* not of our writing */
    struct files__position *p = files__position(o, r->topic, r->partition, true);
    if (r->offset + 1 > p->next)
        p->next = p->appended = r->offset + 1;
}

static enum cz_err scan(struct cz_file_out *o, const struct files__segment *g, int64_t from, struct cz_error *err)
{
    struct files__lines l = {0};
    struct cz_slice text;
    struct cz_record r;
    enum cz_err code = files__lines_open(o->sink->o.folder, g, from, &l, err);
    while (!code) {
        code = files__lines_next(&l, &text, err);
        if (code || !text.data)
            break;
        if (!cz_file_decode(o->sink->codec, text.data, text.len, &r, NULL))
            take_record(o, &r);
    }
    files__lines_done(&l);
    return code;
}

static void take_claims(struct cz_file_out *o, const json_t *state)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(state, "positions"), i, one)
    {
        struct files__position *p =
            files__position(o, cz_json_str(one, "topic", ""), (int32_t)cz_json_int(one, "partition", 0), true);
        p->next = p->appended = cz_json_int(one, "offset", -1);
        cz_free(p->note);
        p->note = cz_strdup(cz_json_str(one, "note", NULL));
    }
}

enum cz_err files__state_load(struct cz_file_out *o, struct cz_error *err)
{
    json_t *state = NULL;
    struct files__segments s = {0};
    enum cz_err code = read_state(o, &state, err);
    if (!code)
        code = files__list(o->sink->o.folder, o->name, &s, err);
    int64_t segment = cz_json_int(state, "segment", 0), length = cz_json_int(state, "length", 0);
    if (!code)
        take_claims(o, state);
    for (size_t i = 0; !code && i < s.len; i++) {
        int64_t number = s.items[i].number == INT64_MAX ? o->segment : s.items[i].number;
        if (number >= segment)
            code = scan(o, &s.items[i], number == segment ? length : 0, err);
    }
    files__segments_done(&s);
    json_decref(state);
    return code;
}
