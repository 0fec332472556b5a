/* SPDX-License-Identifier: Apache-2.0 */
/** A plan in words.  What comes from documents may hold anything: on a terminal it is cleaned, in
 *  Markdown it stands in code or is escaped, so that no name can add a row, a link or markup. */
#include "plan_text.h"

#include <string.h>

#include "cz/json.h"
#include "cz/util.h"
#include "table.h"

enum { MAX_VALUE = 160, MAX_MARKDOWN_ROWS = 200, MAX_MARKDOWN_DIFF = 40000 };

static const struct {
    const char *op, *sign;
} OPS[] = {{"create", "+"}, {"update", "~"}, {"delete", "-"}, {"adopt", ">"}};

static const char *sign_of(const char *op)
{
    for (size_t i = 0; i < sizeof OPS / sizeof *OPS; i++)
        if (strcmp(OPS[i].op, op) == 0)
            return OPS[i].sign;
    return "?";
}

size_t cz_plan_changes(const json_t *plan)
{
    return json_array_size(json_object_get(plan, "changes"));
}

size_t cz_plan_blocked(const json_t *plan)
{
    return json_array_size(json_object_get(plan, "blocked"));
}

static int64_t summary(const json_t *plan, const char *key)
{
    return cz_json_int(json_object_get(plan, "summary"), key, 0);
}

static void add_value(struct cz_buf *out, const json_t *v)
{
    if (!v) {
        cz_buf_adds(out, "(nothing)");
        return;
    }
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(v, false);
    size_t n = strlen(text);
    if (n > MAX_VALUE) {
        n = MAX_VALUE;
        while (n > 0 && !cz_utf8_valid(text, n))
            n--;
        text[n] = '\0';
        cz_buf_adds(out, text);
        cz_buf_adds(out, "…");
    } else {
        cz_buf_adds(out, text);
    }
}

static void add_patch(struct cz_buf *out, const json_t *patch, const char *indent)
{
    json_t *d;
    size_t i;
    json_array_foreach (patch, i, d) {
        struct cz_buf line CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
        cz_buf_addf(&line, "%s: ", cz_json_str(d, "pointer", ""));
        add_value(&line, json_object_get(d, "from"));
        cz_buf_adds(&line, " → ");
        add_value(&line, json_object_get(d, "to"));
        cz_buf_adds(out, indent);
        cz_text_clean(out, cz_buf_str(&line), false);
        cz_buf_addc(out, '\n');
    }
}

/* "renamed from x, of instance:eu" */
static void add_origin(struct cz_buf *out, const json_t *c)
{
    static const struct {
        const char *key, *text;
    } facts[] = {{"renamed_from", "renamed from "}, {"adopted_from", "from "}, {"derived_from", "follows from "}};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const char *v = cz_json_str(c, facts[i].key, NULL);
        if (v)
            cz_buf_addf(out, "  (%s%s)", facts[i].text, v);
    }
}

static void add_change(struct cz_buf *out, const json_t *c)
{
    struct cz_buf line CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
    json_t *one;
    size_t i;
    const char *op = cz_json_str(c, "op", "");
    cz_buf_addf(&line, "%s %s/%s", sign_of(op), cz_json_str(c, "kind", "?"), cz_json_str(c, "name", "?"));
    add_origin(&line, c);
    cz_text_clean(out, cz_buf_str(&line), false);
    cz_buf_addc(out, '\n');
    add_patch(out, json_object_get(c, "patch"), "    ");
    json_array_foreach (json_object_get(c, "impact"), i, one) {
        cz_buf_adds(out, "    ! ");
        cz_text_clean(out, cz_json_str(one, "message", ""), false);
        cz_buf_addc(out, '\n');
    }
}

static void add_blocked(struct cz_buf *out, const json_t *plan, const struct cz_set_job *j)
{
    json_t *b;
    size_t i;
    json_array_foreach (json_object_get(plan, "blocked"), i, b) {
        struct cz_buf line CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(16384);
        const char *pointer = cz_json_str(b, "pointer", NULL);
        cz_buf_addf(&line, "x %s: %s", cz_json_str(b, "reason", "?"), cz_json_str(b, "message", ""));
        if (pointer && j) {
            cz_buf_adds(&line, "  (");
            cz_set_job_where(j, pointer, &line);
            cz_buf_addc(&line, ')');
        }
        cz_text_clean(out, cz_buf_str(&line), false);
        cz_buf_addc(out, '\n');
    }
}

void cz_drift_text(const json_t *drift, struct cz_buf *out)
{
    json_t *d;
    size_t i;
    json_array_foreach (drift, i, d) {
        struct cz_buf line CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
        const char *why = cz_json_str(d, "comment", NULL);
        cz_buf_addf(&line, "* %s/%s %s since the last apply, by %s at %s%s%s", cz_json_str(d, "kind", "?"),
                    cz_json_str(d, "name", "?"), cz_json_str(d, "what", "?"),
                    cz_json_str(d, "by", "an unknown actor"), cz_json_str(d, "at", "?"), why ? ": " : "",
                    why ? why : "");
        cz_text_clean(out, cz_buf_str(&line), false);
        cz_buf_addc(out, '\n');
        add_patch(out, json_object_get(d, "changes"), "    ");
    }
}

static void add_totals(struct cz_buf *out, const json_t *plan)
{
    cz_buf_addf(out, "%lld to create, %lld to update, %lld to delete, %lld to adopt",
                (long long)summary(plan, "create"), (long long)summary(plan, "update"),
                (long long)summary(plan, "delete"), (long long)summary(plan, "adopt"));
    if (summary(plan, "rendered") > 0)
        cz_buf_addf(out, ", %lld mappings of instances follow", (long long)summary(plan, "rendered"));
    cz_buf_addf(out, "; %lld unchanged", (long long)summary(plan, "unchanged"));
    if (summary(plan, "blocked") > 0)
        cz_buf_addf(out, "; blocked by %lld", (long long)summary(plan, "blocked"));
}

void cz_plan_text(const json_t *plan, const struct cz_set_job *j, struct cz_buf *out)
{
    const json_t *drift = json_object_get(plan, "drift");
    json_t *c;
    size_t i, left = json_array_size(json_object_get(plan, "notes"));
    json_array_foreach (json_object_get(plan, "changes"), i, c)
        add_change(out, c);
    add_blocked(out, plan, j);
    if (json_array_size(drift) > 0) {
        cz_buf_adds(out, "Drift, which this would overwrite where it changes the same objects:\n");
        cz_drift_text(drift, out);
    }
    if (left > 0)
        cz_buf_addf(out, "%zu member%s of the set %s not in the files; --prune would delete %s.\n", left,
                    left == 1 ? "" : "s", left == 1 ? "is" : "are", left == 1 ? "it" : "them");
    cz_buf_adds(out, "Plan: ");
    add_totals(out, plan);
    cz_buf_adds(out, ".\n");
}

/* ---- Markdown ------------------------------------------------------------------------------- */

/* Text outside of code. */
static void add_escaped(struct cz_buf *out, const char *s)
{
    struct cz_buf clean CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    cz_text_clean(&clean, s, false);
    for (const char *p = cz_buf_str(&clean); *p; p++) {
        if (*p == '<')
            cz_buf_adds(out, "&lt;");
        else if (*p == '&')
            cz_buf_adds(out, "&amp;");
        else if (*p == '@') /* calls nobody */
            cz_buf_adds(out, "&#64;");
        else {
            if (strchr("\\`*_{}[]()#+!|~>", *p))
                cz_buf_addc(out, '\\');
            cz_buf_addc(out, *p);
        }
    }
}

/* Text in a fence of ten: what looks like its end is broken. */
static void add_fenced(struct cz_buf *out, const char *s)
{
    int ticks = 0;
    for (const char *p = s; *p; p++) {
        ticks = *p == '`' ? ticks + 1 : 0;
        cz_buf_addc(out, *p);
        if (ticks == 3) {
            cz_buf_adds(out, "\xe2\x80\x8b"); /* a space without width */
            ticks = 0;
        }
    }
}

static void add_row(struct cz_buf *out, const json_t *c)
{
    json_t *one;
    size_t i;
    struct cz_buf what CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
    cz_buf_addf(&what, "%s/%s", cz_json_str(c, "kind", "?"), cz_json_str(c, "name", "?"));
    add_origin(&what, c);
    cz_buf_addf(out, "| %s | ", cz_json_str(c, "op", "?"));
    add_escaped(out, cz_buf_str(&what));
    cz_buf_adds(out, " | ");
    json_array_foreach (json_object_get(c, "impact"), i, one) {
        cz_buf_adds(out, i ? "<br>" : "");
        add_escaped(out, cz_json_str(one, "message", ""));
    }
    cz_buf_adds(out, " |\n");
}

static void add_rows(struct cz_buf *out, const json_t *changes)
{
    json_t *c;
    size_t i;
    if (json_array_size(changes) == 0)
        return;
    cz_buf_adds(out, "\n| | object | what it means |\n|---|---|---|\n");
    json_array_foreach (changes, i, c) {
        if (i == MAX_MARKDOWN_ROWS) {
            cz_buf_addf(out, "\n%zu more are in the plan file.\n", json_array_size(changes) - i);
            break;
        }
        add_row(out, c);
    }
}

static void add_details(struct cz_buf *out, const json_t *changes)
{
    struct cz_buf text CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024 * 1024);
    json_t *c;
    size_t i;
    bool cut = false;
    json_array_foreach (changes, i, c) {
        if (json_array_size(json_object_get(c, "patch")) == 0)
            continue;
        cut = text.len > MAX_MARKDOWN_DIFF;
        if (cut)
            break;
        cz_buf_addf(&text, "%s/%s\n", cz_json_str(c, "kind", "?"), cz_json_str(c, "name", "?"));
        add_patch(&text, json_object_get(c, "patch"), "  ");
    }
    if (text.len == 0)
        return;
    cz_buf_adds(out, "\n<details><summary>What differs</summary>\n\n``````````\n");
    add_fenced(out, cz_buf_str(&text));
    cz_buf_addf(out, "%s``````````\n\n</details>\n", cut ? "… more in the plan file\n" : "");
}

static void add_list(struct cz_buf *out, const char *title, const char *text)
{
    if (!*text)
        return;
    cz_buf_addf(out, "\n%s\n\n``````````\n", title);
    add_fenced(out, text);
    cz_buf_adds(out, "``````````\n");
}

void cz_plan_markdown(const json_t *plan, struct cz_buf *out)
{
    struct cz_buf blocked CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(1024 * 1024);
    struct cz_buf drift CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(16 * 1024 * 1024);
    struct cz_buf totals CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(1024);
    const char *commit = cz_json_str(plan, "commit", NULL);
    cz_buf_adds(out, "### Plan of set ");
    add_escaped(out, cz_json_str(plan, "set", "?"));
    cz_buf_adds(out, ", team ");
    add_escaped(out, cz_json_str(plan, "team", "?"));
    if (commit) {
        cz_buf_adds(out, ", commit ");
        add_escaped(out, commit);
    }
    add_totals(&totals, plan);
    cz_buf_addf(out, "\n\n**%s.**\n",
                cz_plan_changes(plan) + cz_plan_blocked(plan) == 0 ? "Nothing to change"
                                                                   : cz_buf_str(&totals));
    add_blocked(&blocked, plan, NULL);
    add_list(out, "**Blocked: an apply would do nothing.**", cz_buf_str(&blocked));
    add_rows(out, json_object_get(plan, "changes"));
    add_details(out, json_object_get(plan, "changes"));
    cz_drift_text(json_object_get(plan, "drift"), &drift);
    add_list(out, "**Drift**: edited past the set since its last apply.", cz_buf_str(&drift));
    cz_buf_addf(out, "\nPlan hash `%.12s`, made at change %s.\n", cz_json_str(plan, "plan_hash", "?"),
                cz_json_str(plan, "base_seq", "?"));
}
