/* SPDX-License-Identifier: Apache-2.0 */
/** What a mapping touches in Kafka, and whether its team has a grant for each of it. */
#include <stdio.h>
#include <string.h>

#include "access_priv.h"
#include "service_priv.h"

struct uses {
    const struct cz_mapping_spec *spec;
    const struct cz_team_rules *rules;
    cz__missing_fn missing;
    void *arg;
};

static void need(const struct uses *u, const struct cz_access_use *use, const char *pointer)
{
    bool needed;
    if (!use->cluster || !*use->cluster || !use->name || cz_access_grant(u->rules, use, &needed) || !needed)
        return;
    u->missing(u->arg, use, pointer);
}

static void need_topic(const struct uses *u, bool target, const char *name, bool prefix, const char *pointer)
{
    const struct cz_access_use use = {.cluster = target ? u->spec->target_cluster : u->spec->source_cluster,
                                      .type = CZ_GRANT_TOPIC,
                                      .name = name,
                                      .prefix = prefix,
                                      .mode = target ? CZ_MODE_WRITE : CZ_MODE_READ};
    need(u, &use, pointer);
}

static void need_group(const struct uses *u,
                       const char *cluster,
                       const char *name,
                       bool prefix,
                       unsigned mode,
                       const char *pointer)
{
    const struct cz_access_use use = {
        .cluster = cluster, .type = CZ_GRANT_GROUP, .name = name, .prefix = prefix, .mode = mode};
    need(u, &use, pointer);
}

char *cz__literal_prefix(const char *expression)
{
    struct cz_buf b = CZ_BUF_INIT(CZ_MAX_NAME * 8);
    const char *p = expression + 1;
    if (*expression != '^' || strchr(expression, '|')) /* found anywhere, or one of several */
        return cz_strdup("");
    for (; *p; p++) {
        bool escaped = *p == '\\' && p[1] && strchr(".-_", p[1]);
        if (!escaped && !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *p))
            break;
        p += escaped;
        if (p[1] && strchr("?*{", p[1])) /* it may be missing */
            break;
        cz_buf_addc(&b, *p);
    }
    return cz_buf_steal(&b);
}

static void pattern_uses(const struct uses *u)
{
    const char *template = u->spec->target_template;
    CZ_CLEANUP(cz_freep) char *from = cz__literal_prefix(u->spec->source_pattern);
    need_topic(u, false, from, true, "/spec/source/pattern");
    if (u->spec->target_file)
        return;
    if (!template) {
        need_topic(u, true, from, true, "/spec/target/topic");
        return;
    }
    const char *mark = strstr(template, "{{");
    CZ_CLEANUP(cz_freep)
    char *to = mark ? cz_strf("%.*s%s", (int)(mark - template), template, from) : cz_strdup(template);
    need_topic(u, true, to, mark != NULL, "/spec/target/topic");
}

static void pair_uses(const struct uses *u, bool listed)
{
    for (size_t i = 0; i < u->spec->pairs_len; i++) {
        CZ_CLEANUP(cz_freep)
        char *from = listed ? cz_strf("/spec/topics/%zu/source", i) : cz_strdup("/spec/source/topic");
        CZ_CLEANUP(cz_freep)
        char *to = listed ? cz_strf("/spec/topics/%zu/target", i) : cz_strdup("/spec/target/topic");
        if (!u->spec->source_file)
            need_topic(u, false, u->spec->pairs[i].source, false, from);
        if (!u->spec->target_file)
            need_topic(u, true, u->spec->pairs[i].target, false, to);
    }
}

/* Groups whose positions on the target are written: names with * and ?. */
static void synced_groups(const struct uses *u, const json_t *spec)
{
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get(json_object_get(spec, "group_sync"), "groups"), i, one) {
        const char *glob = json_string_value(one);
        if (!glob)
            continue;
        size_t n = strcspn(glob, "*?[\\");
        CZ_CLEANUP(cz_freep) char *name = cz_strndup(glob, n);
        CZ_CLEANUP(cz_freep) char *at = cz_strf("/spec/group_sync/groups/%zu", i);
        need_group(u, u->spec->target_cluster, name, glob[n] != '\0', CZ_MODE_WRITE, at);
    }
}

const char *cz__letters_cluster(const struct cz_mapping_spec *spec)
{
    return spec->target_file ? spec->source_cluster : spec->target_cluster;
}

void cz__spec_missing(const struct cz_mapping_spec *spec,
                      const json_t *doc_spec,
                      const struct cz_team_rules *rules,
                      cz__missing_fn missing,
                      void *arg)
{
    const struct uses u = {.spec = spec, .rules = rules, .missing = missing, .arg = arg};
    if (!rules->restricted)
        return;
    if (spec->source_pattern)
        pattern_uses(&u);
    else
        pair_uses(&u, json_array_size(json_object_get(doc_spec, "topics")) > 0);
    if (spec->dead_letter_topic) {
        const struct cz_access_use letters = {.cluster = cz__letters_cluster(spec),
                                              .type = CZ_GRANT_TOPIC,
                                              .name = spec->dead_letter_topic,
                                              .mode = CZ_MODE_WRITE};
        need(&u, &letters, "/spec/on_error/dead_letter");
    }
    if (spec->service_group)
        need_group(&u, spec->target_cluster, spec->service_group, false, CZ_MODE_DELETE,
                   "/spec/target_service_consumer_group");
    if (spec->consumer_group && *spec->consumer_group) /* its positions are written */
        need_group(&u, spec->source_cluster, spec->consumer_group, false, CZ_MODE_WRITE,
                   "/spec/consumer_group");
    synced_groups(&u, doc_spec);
}

void cz__missing_text(const struct cz_team_rules *rules, const struct cz_access_use *use, char *out, size_t size)
{
    (void)snprintf(out, size, "team \"%.60s\" has no grant: %s for %s \"%.100s%s\" on cluster \"%.60s\"",
                   rules->team, cz_mode_name(use->mode), use->type == CZ_GRANT_TOPIC ? "topic" : "group",
                   use->name, use->prefix ? "*" : "", use->cluster);
    size_t n = strlen(out);
    while (n > 0 && !cz_utf8_valid(out, n)) /* cut in the middle of a character */
        out[--n] = '\0';
}

struct first {
    const struct cz_team_rules *rules;
    char *out;
    size_t size;
};

static void keep_first(void *arg, const struct cz_access_use *use, const char *pointer)
{
    struct first *f = arg;
    (void)pointer;
    if (!*f->out)
        cz__missing_text(f->rules, use, f->out, f->size);
}

bool cz__spec_denied(const struct cz_team_rules *rules, const json_t *doc_spec, char *out, size_t size)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_mapping_spec *spec = NULL;
    *out = '\0';
    if (!rules || !rules->restricted)
        return false;
    if (cz_mapping_spec_parse(doc_spec, "", &spec, &rep) == CZ_OK) {
        struct first f = {.rules = rules, .out = out, .size = size};
        cz__spec_missing(spec, doc_spec, rules, keep_first, &f);
    }
    cz_mapping_spec_free(spec);
    cz_report_done(&rep);
    return *out != '\0';
}
