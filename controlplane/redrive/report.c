/* SPDX-License-Identifier: Apache-2.0 */
/* What a job tells: counts by reason, and some letters. */
#include <string.h>

#include "cz/json.h"
#include "cz/record_json.h"
#include "cz/util.h"
#include "redrive_priv.h"

enum { MAX_REASONS = 200, SHOWN_BYTES = 2000 };

static char *text(struct cz_slice s)
{
    if (!s.data || !cz_utf8_valid(s.data, s.len))
        return cz_strdup("unknown");
    return cz_strndup(s.data, s.len);
}

/* Reasons differ by stage and error; messages often name an offset. */
void redrive_count_reason(struct redrive_job *j, struct cz_slice stage, struct cz_slice error, struct cz_slice message)
{
    char *s = text(stage), *e = text(error);
    size_t i = 0;
    while (i < j->reasons_len && (strcmp(j->reasons[i].stage, s) != 0 || strcmp(j->reasons[i].error, e) != 0))
        i++;
    if (i == j->reasons_len && i == MAX_REASONS) {
        i--; /* somebody else's letters: count them at the last */
    } else if (i == j->reasons_len) {
        cz_grow(&j->reasons, &j->reasons_cap, j->reasons_len, sizeof *j->reasons);
        j->reasons[j->reasons_len++] = (struct redrive_reason){.stage = s, .error = e, .message = text(message)};
        s = e = NULL;
    }
    j->reasons[i].n++;
    cz_free(s);
    cz_free(e);
}

static void set_text(json_t *o, const char *name, struct cz_slice s)
{
    CZ_CLEANUP(cz_freep) char *t = text(s);
    cz_json_set_str(o, name, t);
}

static void set_bytes(json_t *o, const char *name, struct cz_slice bytes)
{
    const char *encoding = NULL;
    (void)json_object_set_new(o, name, cz_bytes_json(bytes, SHOWN_BYTES, &encoding));
    if (encoding) {
        CZ_CLEANUP(cz_freep) char *member = cz_strf("%s_encoding", name);
        cz_json_set_str(o, member, encoding);
    }
}

/* What the mapping masks now may be unmasked in a letter of earlier days. */
static void set_content(const struct redrive_job *j, json_t *o, const struct cz_letter *l)
{
    bool hidden = l->withheld || cz_stages_masks(j->conf->stages);
    (void)json_object_set_new(o, "withheld", json_boolean(hidden));
    if (hidden)
        return;
    set_bytes(o, "key", l->record.key);
    set_bytes(o, "value", l->record.value);
    (void)json_object_set_new(o, "headers", cz_headers_json(l->headers, l->headers_len, SHOWN_BYTES));
}

void redrive_sample(struct redrive_job *j, const struct cz_record *place, const struct cz_letter *l)
{
    char at[CZ_RFC3339_SIZE];
    if (json_array_size(j->samples) >= (size_t)j->conf->samples)
        return;
    json_t *o = json_object(), *letter = json_object();
    cz_json_set_str(o, "topic", l->topic);
    (void)json_object_set_new(o, "partition", json_integer(l->record.partition));
    cz_json_set_i64(o, "offset", l->record.offset);
    if (l->record.ts_type != CZ_TS_NONE)
        cz_json_set_str(o, "timestamp", cz_rfc3339(l->record.timestamp_ms, at));
    set_text(o, "stage", l->stage);
    set_text(o, "error", l->error);
    set_text(o, "message", l->message);
    (void)json_object_set_new(letter, "partition", json_integer(place->partition));
    cz_json_set_i64(letter, "offset", place->offset);
    (void)json_object_set_new(o, "letter", letter);
    set_content(j, o, l);
    (void)json_array_append_new(j->samples, o);
}

static json_t *reasons(const struct redrive_job *j)
{
    json_t *list = json_array();
    for (size_t i = 0; i < j->reasons_len; i++) {
        const struct redrive_reason *r = &j->reasons[i];
        json_t *o = json_object();
        cz_json_set_str(o, "stage", r->stage);
        cz_json_set_str(o, "error", r->error);
        cz_json_set_i64(o, "records", r->n);
        cz_json_set_str(o, "message", r->message);
        (void)json_array_append_new(list, o);
    }
    return list;
}

static json_t *dropped(const struct redrive_job *j)
{
    json_t *o = json_object();
    for (int i = 0; i < CZ_DROP_COUNT_; i++) {
        if (j->dropped[i] > 0)
            cz_json_set_i64(o, cz_drop_name((enum cz_drop)i), j->dropped[i]);
    }
    return o;
}

json_t *redrive_report(const struct redrive_job *j, bool complete)
{
    json_t *o = json_object();
    cz_json_set_str(o, "topic", j->conf->spec->dead_letter_topic);
    cz_json_set_str(o, "cluster", cz_mapping_letters_cluster(j->conf->spec));
    cz_json_set_i64(o, "letters", j->matched);
    cz_json_set_i64(o, "others", j->others);
    (void)json_object_set_new(o, "complete", json_boolean(complete));
    switch (j->conf->action) {
    case CZ_REDRIVE_LIST:
        (void)json_object_set_new(o, "reasons", reasons(j));
        (void)json_object_set(o, "samples", j->samples);
        break;
    case CZ_REDRIVE_AGAIN:
        cz_json_set_i64(o, "redriven", j->sent);
        (void)json_object_set_new(o, "dropped", dropped(j));
        cz_json_set_i64(o, "gone", j->gone);
        cz_json_set_i64(o, "failed", j->failed);
        (void)json_object_set_new(o, "reasons", reasons(j));
        break;
    case CZ_REDRIVE_DISCARD:
        cz_json_set_i64(o, "discarded", j->discarded);
        break;
    }
    return o;
}
