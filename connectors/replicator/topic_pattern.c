/* SPDX-License-Identifier: Apache-2.0 */
#include "cz/topic_pattern.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/buf.h"
#include "cz/limits.h"

#define MARK "{{topic}}"

enum { MAX_LENGTH = 1000, MAX_EXCLUDES = 100, MAX_REPEAT = 1000 };

struct cz_topic_pattern {
    regex_t *all; /* the pattern, then the excludes */
    size_t len;
};

/* The largest number of a repetition that begins at @p, after its brace; 1: none. */
static long repeat_of(const char *p)
{
    long most = 1;
    while (isdigit((unsigned char)*p) || *p == ',') {
        long n = *p == ',' ? 1 : strtol(p, NULL, 10);
        most = n > most ? n : most;
        while (isdigit((unsigned char)*p))
            p++;
        p += *p == ',';
    }
    return most;
}

static enum cz_err check_cost(const char *text, struct cz_error *err)
{
    long product = 1;
    if (strlen(text) > MAX_LENGTH)
        return cz_fail(err, CZ_E_INVALID, "an expression has at most %d bytes", MAX_LENGTH);
    for (const char *p = text; *p; p++) {
        if (*p == '\\') {
            if (isdigit((unsigned char)p[1]))
                return cz_fail(err, CZ_E_INVALID, "back references are not supported");
            p += p[1] != '\0';
        } else if (*p == '{') {
            long n = repeat_of(p + 1);
            if (n > MAX_REPEAT || (product *= n) > MAX_REPEAT)
                return cz_fail(err, CZ_E_INVALID, "its repetitions multiply to more than %d", MAX_REPEAT);
        }
    }
    return CZ_OK;
}

static enum cz_err add(struct cz_topic_pattern *p, const char *text, struct cz_error *err)
{
    char why[128];
    if (!text || !*text)
        return cz_fail(err, CZ_E_INVALID, "must be a regular expression");
    enum cz_err code = check_cost(text, err);
    if (code)
        return code;
    int rc = regcomp(&p->all[p->len], text, REG_EXTENDED | REG_NOSUB);
    if (rc) {
        (void)regerror(rc, &p->all[p->len], why, sizeof why);
        return cz_fail(err, CZ_E_INVALID, "not a regular expression: %s", why);
    }
    p->len++;
    return CZ_OK;
}

enum cz_err cz_topic_pattern_new(const char *pattern, const json_t *exclude,
                                 struct cz_topic_pattern **ret, struct cz_error *err)
{
    size_t n = json_array_size(exclude);
    if (n > MAX_EXCLUDES)
        return cz_fail(err, CZ_E_INVALID, "at most %d expressions", MAX_EXCLUDES);
    struct cz_topic_pattern *p = cz_alloc(sizeof *p);
    p->all = cz_alloc_array(n + 1, sizeof *p->all);
    enum cz_err code = add(p, pattern, err);
    for (size_t i = 0; !code && i < n; i++)
        code = add(p, json_string_value(json_array_get(exclude, i)), err);
    if (code) {
        cz_topic_pattern_free(p);
        return code;
    }
    *ret = p;
    return CZ_OK;
}

void cz_topic_pattern_free(struct cz_topic_pattern *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->len; i++)
        regfree(&p->all[i]);
    cz_free(p->all);
    cz_free(p);
}

bool cz_topic_pattern_match(const struct cz_topic_pattern *p, const char *topic)
{
    if (strncmp(topic, "__", 2) == 0 || regexec(&p->all[0], topic, 0, NULL, 0) != 0)
        return false;
    for (size_t i = 1; i < p->len; i++) {
        if (regexec(&p->all[i], topic, 0, NULL, 0) == 0)
            return false;
    }
    return true;
}

char *cz_topic_template(const char *template, const char *topic)
{
    if (!template)
        return cz_strdup(topic);
    struct cz_buf b = CZ_BUF_INIT(CZ_MAX_DOCUMENT);
    const char *mark;
    while ((mark = strstr(template, MARK))) {
        cz_buf_add(&b, template, (size_t)(mark - template));
        cz_buf_adds(&b, topic);
        template = mark + strlen(MARK);
    }
    cz_buf_adds(&b, template);
    return cz_buf_steal(&b);
}
