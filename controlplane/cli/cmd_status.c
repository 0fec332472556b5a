/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk status: the health of the deployment on one screen, or all about one mapping that
 * runs: why not, where, how far behind. */
#include "status.h"

#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/time.h"
#include "output.h"
#include "rest.h"
#include "table.h"

enum { WIDTH = 12, SHOWN_MAPPINGS = 20 };

/* "12.3", "4 200", "-" */
static char *rate_text(const json_t *v)
{
    struct cz_buf b = CZ_BUF_INIT(64);
    double n = json_number_value(v);
    if (!json_is_number(v))
        cz_buf_addc(&b, '-');
    else if (n < 10)
        cz_buf_addf(&b, "%.1f", n);
    else
        cz_text_number(&b, (int64_t)(n + 0.5));
    return cz_buf_steal(&b);
}

static char *count_text(const json_t *o, const char *key)
{
    struct cz_buf b = CZ_BUF_INIT(64);
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v))
        cz_buf_addc(&b, '-');
    else
        cz_text_number(&b, cz_json_int(o, key, 0));
    return cz_buf_steal(&b);
}

static void add_count(struct cz_table *t, const json_t *o, const char *key)
{
    CZ_CLEANUP(cz_freep) char *text = count_text(o, key);
    cz_table_add(t, text);
}

static void add_decimal(struct cz_table *t, const json_t *v)
{
    CZ_CLEANUP(cz_freep) char *text = rate_text(v);
    cz_table_add(t, text);
}

/* "filter 1 200, error 3" of the reasons that occurred; the caller frees. */
static char *dropped_text(const json_t *dropped)
{
    struct cz_buf b = CZ_BUF_INIT(4096);
    const char *reason;
    json_t *v;
    json_object_foreach ((json_t *)CZ_UNCONST(dropped), reason, v) {
        int64_t n = cz_json_int(dropped, reason, 0);
        if (n == 0)
            continue;
        cz_buf_addf(&b, "%s%s ", b.len ? ", " : "", reason);
        cz_text_number(&b, n);
    }
    if (b.len == 0)
        cz_buf_adds(&b, "none");
    return cz_buf_steal(&b);
}

static char *delay_text(const json_t *delay)
{
    const json_t *p50 = json_object_get(delay, "p50"), *p99 = json_object_get(delay, "p99");
    if (!json_is_number(p50) || !json_is_number(p99))
        return cz_strdup("-");
    double a = json_number_value(p50), b = json_number_value(p99);
    double c = json_number_value(json_object_get(delay, "p999"));
    if (c < 10000)
        return cz_strf("p50 %.0f ms, p99 %.0f ms, p99.9 %.0f ms", a, b, c);
    return cz_strf("p50 %.1f s, p99 %.1f s, p99.9 %.1f s", a / 1000, b / 1000, c / 1000);
}

/* ", 4.2 s" behind a count of records; "" when there is no age. The caller frees. */
static char *age_text(const json_t *of)
{
    double seconds = json_number_value(json_object_get(of, "lag_seconds"));
    return seconds > 0 ? cz_strf(", %.1f s", seconds) : cz_strdup("");
}

static void line(struct cz_cli *cli, int indent, const char *name, const char *text)
{
    cz_buf_addf(&cli->out, "%*s", indent, "");
    cz_out_field(cli, WIDTH, name, text);
}

static void print_table(struct cz_cli *cli, struct cz_table *t, int indent)
{
    cz_buf_addc(&cli->out, '\n');
    if (t->cells_len > 0)
        cz_table_print(t, &cli->out, indent, cli->color);
    else
        cli->out.len--; /* nothing: no gap either */
    cz_table_done(t);
}

/* ---- one mapping
 * ------------------------------------------------------------------------------ */

static void add_progress(struct cz_cli *cli, const json_t *progress, int indent)
{
    if (!json_is_object(progress))
        return;
    CZ_CLEANUP(cz_freep) char *done = count_text(progress, "done");
    CZ_CLEANUP(cz_freep) char *total = count_text(progress, "total");
    CZ_CLEANUP(cz_freep)
    char *text = cz_strf("%.1f %% (%s of %s offsets)",
                         json_number_value(json_object_get(progress, "percent")), done, total);
    line(cli, indent, "progress", text);
}

/* What the last comparison of both sides found (citizenk verify, verify_seconds). */
static void add_verified(struct cz_cli *cli, const json_t *v, int indent)
{
    static const char *const kinds[] = {"missing", "doubled", "altered", "misplaced", "extra", NULL};
    struct cz_buf b CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(4096);
    const json_t *error = json_object_get(v, "error");
    if (json_object_get(v, "at")) {
        CZ_CLEANUP(cz_freep) char *expected = count_text(v, "expected");
        cz_buf_addf(&b, "%s, %s records expected", cz_json_bool(v, "equal", false) ? "equal" : "DIFFERENT", expected);
        for (const char *const *k = kinds; *k; k++) {
            if (cz_json_int(v, *k, 0) > 0)
                cz_buf_addf(&b, ", %lld %s", (long long)cz_json_int(v, *k, 0), *k);
        }
        cz_buf_addf(&b, ", at %s", cz_json_str(v, "at", "?"));
    }
    if (json_is_object(error))
        cz_buf_addf(&b, "%snot at %s: %s", b.len ? "; " : "", cz_json_str(error, "at", "?"),
                    cz_json_str(error, "message", "?"));
    if (b.len > 0)
        line(cli, indent, "verified", cz_buf_str(&b));
}

static void add_head(struct cz_cli *cli, const json_t *s, int indent)
{
    const char *state = cz_json_str(s, "state", "?");
    const char *generation = cz_json_str(s, "generation", "?");
    const char *observed = cz_json_str(s, "observed_generation", "?");
    const json_t *rates = json_object_get(s, "rates"), *totals = json_object_get(s, "totals");
    int64_t unknown = cz_json_int(s, "lag_partitions_unknown", 0);
    CZ_CLEANUP(cz_freep)
    char *applied = strcmp(generation, observed) == 0
                        ? cz_strf("%s, running everywhere", generation)
                        : cz_strf("%s, but the tasks run %s", generation, observed);
    CZ_CLEANUP(cz_freep) char *lag = count_text(s, "lag");
    CZ_CLEANUP(cz_freep) char *age = age_text(s);
    CZ_CLEANUP(cz_freep)
    char *lag_line =
        unknown ? cz_strf("%s records%s, and %lld partitions unknown", lag, age, (long long)unknown)
                : cz_strf("%s records%s", lag, age);
    CZ_CLEANUP(cz_freep) char *in = rate_text(json_object_get(rates, "in_per_second"));
    CZ_CLEANUP(cz_freep) char *out = rate_text(json_object_get(rates, "out_per_second"));
    CZ_CLEANUP(cz_freep) char *all_in = count_text(totals, "in");
    CZ_CLEANUP(cz_freep) char *all_out = count_text(totals, "out");
    CZ_CLEANUP(cz_freep)
    char *rate = cz_strf("in %s/s, out %s/s (all in %s, out %s)", in, out, all_in, all_out);
    CZ_CLEANUP(cz_freep) char *dropped = dropped_text(json_object_get(totals, "dropped"));
    CZ_CLEANUP(cz_freep) char *delay = delay_text(json_object_get(s, "delay_ms"));
    const char *color = cli->color ? cz_text_color(state) : "";
    cz_buf_addf(&cli->out, "%*s%-*s%s%s%s\n", indent, "", WIDTH, "state", color, state,
                *color ? "\x1b[0m" : "");
    line(cli, indent, "generation", applied);
    line(cli, indent, "lag", lag_line);
    add_progress(cli, json_object_get(s, "progress"), indent);
    line(cli, indent, "rates", rate);
    if (cz_json_int(s, "held_ms", 0) > 0) {
        CZ_CLEANUP(cz_freep)
        char *held = cz_strf("%s, waited %.1f s in all", cz_json_bool(s, "held", false) ? "yes" : "no",
                             (double)cz_json_int(s, "held_ms", 0) / 1000);
        line(cli, indent, "held by rate", held);
    }
    line(cli, indent, "dropped", dropped);
    line(cli, indent, "delay", delay);
    add_verified(cli, json_object_get(s, "verified"), indent);
}

static void add_conditions(struct cz_cli *cli, const json_t *s, int indent)
{
    struct cz_table t;
    size_t i;
    json_t *c;
    cz_table_init(&t, "CONDITION|*STATUS|REASON|MESSAGE");
    json_array_foreach (json_object_get(s, "conditions"), i, c) {
        cz_table_add(&t, cz_json_str(c, "type", ""));
        cz_table_add(&t, cz_json_str(c, "status", ""));
        cz_table_add(&t, cz_json_str(c, "reason", ""));
        cz_table_add(&t, cz_json_str(c, "message", ""));
    }
    print_table(cli, &t, indent);
}

static void add_tasks(struct cz_cli *cli, const json_t *s, int indent)
{
    struct cz_table t;
    size_t i;
    json_t *task;
    cz_table_init(&t, ">TASK|*STATE|WORKER|>SINCE|ERROR");
    json_array_foreach (json_object_get(s, "tasks"), i, task) {
        struct cz_buf age CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64);
        const char *since = cz_json_str(task, "since", NULL);
        if (since)
            cz_text_age(&age, since, cz_wall_ms());
        cz_table_addf(&t, "%lld", (long long)cz_json_int(task, "task", 0));
        cz_table_add(&t, cz_json_str(task, "state", ""));
        cz_table_add(&t, cz_json_str(task, "worker", ""));
        cz_table_add(&t, cz_buf_str(&age));
        cz_table_add(&t, cz_json_str(json_object_get(task, "error"), "message", ""));
    }
    print_table(cli, &t, indent);
}

static void add_partitions(struct cz_cli *cli, const json_t *s, int indent)
{
    struct cz_table t;
    size_t i;
    json_t *p;
    cz_table_init(&t, "TOPIC|>PARTITION|WORKER|>POSITION|>END|>LAG|>IN|>OUT|DROPPED");
    json_array_foreach (json_object_get(s, "partitions"), i, p) {
        CZ_CLEANUP(cz_freep) char *dropped = dropped_text(json_object_get(p, "dropped"));
        cz_table_add(&t, cz_json_str(p, "topic", ""));
        cz_table_addf(&t, "%lld", (long long)cz_json_int(p, "partition", 0));
        cz_table_add(&t, cz_json_str(p, "worker", ""));
        add_count(&t, p, "position");
        add_count(&t, p, "end");
        add_count(&t, p, "lag");
        add_count(&t, p, "in");
        add_count(&t, p, "out");
        cz_table_add(&t, dropped);
    }
    print_table(cli, &t, indent);
}

static void add_gaps(struct cz_cli *cli, const json_t *s, int indent)
{
    struct cz_table t;
    size_t i;
    json_t *g;
    if (json_array_size(json_object_get(s, "gaps")) == 0)
        return;
    cz_table_init(&t, "GAP IN|>PARTITION|KIND|ACTION|>FROM|>TO|>MISSING|>AGE");
    json_array_foreach (json_object_get(s, "gaps"), i, g) {
        struct cz_buf age CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64);
        cz_text_age(&age, cz_json_str(g, "at", ""), cz_wall_ms());
        cz_table_add(&t, cz_json_str(g, "topic", ""));
        cz_table_addf(&t, "%lld", (long long)cz_json_int(g, "partition", 0));
        cz_table_add(&t, cz_json_str(g, "kind", ""));
        cz_table_add(&t, cz_json_str(g, "action", ""));
        add_count(&t, g, "from");
        add_count(&t, g, "to");
        add_count(&t, g, "missing");
        cz_table_add(&t, cz_buf_str(&age));
    }
    print_table(cli, &t, indent);
}

int cz_status_mapping(struct cz_cli *cli, const char *name, int indent)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    CZ_CLEANUP(cz_freep) char *what = cz_strf("mapping/%s", name);
    CZ_REST_PATH(path, "teams", cli->context.team, "mappings", name, "status");
    json_t *s = NULL;
    int rc = cz_rest_get(cli, cz_buf_str(&path), what, &s);
    if (rc == CZ_EXIT_OK && cli->format == CZ_FORMAT_NAME) {
        cz_buf_addf(&cli->out, "%s\n", what);
    } else if (rc == CZ_EXIT_OK && !cz_out_document(cli, s)) {
        add_head(cli, s, indent);
        add_conditions(cli, s, indent);
        add_tasks(cli, s, indent);
        add_partitions(cli, s, indent);
        add_gaps(cli, s, indent);
    }
    json_decref(s);
    return rc;
}

/* ---- everything
 * ------------------------------------------------------------------------------- */

static int count_workers(const json_t *workers, const char *state)
{
    int n = 0;
    size_t i;
    json_t *w;
    json_array_foreach (json_object_get(workers, "items"), i, w)
        n += strcmp(cz_json_str(w, "state", ""), state) == 0;
    return n;
}

static void add_states(struct cz_buf *b, const json_t *totals)
{
    const char *state;
    json_t *v;
    cz_text_number(b, cz_json_int(totals, "mappings", 0));
    const char *sep = ": ";
    json_object_foreach (json_object_get(totals, "states"), state, v) {
        if (json_integer_value(v) == 0)
            continue;
        cz_buf_addf(b, "%s%lld %s", sep, (long long)json_integer_value(v), state);
        sep = ", ";
    }
}

static void add_summary(struct cz_cli *cli, const json_t *stats, const json_t *workers)
{
    const json_t *totals = json_object_get(stats, "totals");
    struct cz_buf states CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(4096);
    int alive = count_workers(workers, "alive"), suspect = count_workers(workers, "suspect");
    int64_t unknown = cz_json_int(totals, "lag_mappings_unknown", 0);
    add_states(&states, totals);
    CZ_CLEANUP(cz_freep) char *lag = count_text(totals, "lag");
    CZ_CLEANUP(cz_freep) char *age = age_text(totals);
    CZ_CLEANUP(cz_freep)
    char *lag_line =
        unknown ? cz_strf("%s records%s, and %lld mappings unknown", lag, age, (long long)unknown)
                : cz_strf("%s records%s", lag, age);
    CZ_CLEANUP(cz_freep) char *in = rate_text(json_object_get(totals, "in_per_second"));
    CZ_CLEANUP(cz_freep) char *out = rate_text(json_object_get(totals, "out_per_second"));
    CZ_CLEANUP(cz_freep) char *rates = cz_strf("in %s/s, out %s/s", in, out);
    CZ_CLEANUP(cz_freep) char *dropped = dropped_text(json_object_get(totals, "dropped"));
    CZ_CLEANUP(cz_freep) char *delay = delay_text(json_object_get(totals, "delay_ms"));
    CZ_CLEANUP(cz_freep)
    char *who =
        suspect ? cz_strf("%d alive, %d suspect", alive, suspect) : cz_strf("%d alive", alive);
    line(cli, 0, "workers", who);
    line(cli, 0, "mappings", cz_buf_str(&states));
    line(cli, 0, "lag", lag_line);
    line(cli, 0, "rates", rates);
    line(cli, 0, "dropped", dropped);
    line(cli, 0, "delay", delay);
    line(cli, 0, "revision", cz_json_str(stats, "seq", "?"));
}

static void add_workers(struct cz_cli *cli, const json_t *workers)
{
    const struct cz_cli_kind *kind = cz_cli_kind("worker");
    struct cz_table t;
    size_t i;
    json_t *w;
    cz_table_init(&t, kind->columns);
    json_array_foreach (json_object_get(workers, "items"), i, w)
        if (strcmp(cz_json_str(w, "state", ""), "gone") != 0)
            kind->row(&t, w);
    print_table(cli, &t, 0);
}

/* What needs a look comes first: failing, then the farthest behind. */
static int urgency(const json_t *m)
{
    static const char *const order[] = {"FAILED",  "RESTARTING", "UNASSIGNED",
                                        "RUNNING", "PAUSED",     "STOPPED",
                                        "FINISHED"};
    const char *state = cz_json_str(m, "state", "");
    int n = (int)(sizeof order / sizeof *order);
    for (int i = 0; i < n; i++)
        if (strcmp(order[i], state) == 0)
            return i;
    return n;
}

static int by_urgency(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int ux = urgency(x), uy = urgency(y);
    int64_t lx = cz_json_int(x, "lag", 0), ly = cz_json_int(y, "lag", 0);
    if (ux != uy)
        return ux < uy ? -1 : 1;
    if (lx != ly)
        return lx > ly ? -1 : 1;
    return strcmp(cz_json_str(x, "name", ""), cz_json_str(y, "name", ""));
}

static void add_mappings(struct cz_cli *cli, const json_t *stats)
{
    const json_t *items = json_object_get(stats, "items");
    size_t n = json_array_size(items);
    json_t **sorted = cz_alloc_array(n + 1, sizeof(json_t *));
    struct cz_table t;
    cz_table_init(&t, "TEAM|MAPPING|*STATE|>LAG|>SECONDS|>IN/S|>OUT/S|DROPPED|DELAY");
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_array_get(items, i);
    if (n > 1)
        qsort(sorted, n, sizeof(json_t *), by_urgency);
    for (size_t i = 0; i < n && i < SHOWN_MAPPINGS; i++) {
        const json_t *m = sorted[i];
        CZ_CLEANUP(cz_freep) char *dropped = dropped_text(json_object_get(m, "dropped"));
        CZ_CLEANUP(cz_freep) char *delay = delay_text(json_object_get(m, "delay_ms"));
        cz_table_add(&t, cz_json_str(m, "team", ""));
        cz_table_add(&t, cz_json_str(m, "name", ""));
        cz_table_add(&t, cz_json_str(m, "state", ""));
        add_count(&t, m, "lag");
        add_decimal(&t, json_object_get(m, "lag_seconds"));
        add_decimal(&t, json_object_get(m, "in_per_second"));
        add_decimal(&t, json_object_get(m, "out_per_second"));
        cz_table_add(&t, dropped);
        cz_table_add(&t, delay);
    }
    print_table(cli, &t, 0);
    if (n > SHOWN_MAPPINGS)
        cz_cli_note("%zu more; citizenk get mappings lists all", n - SHOWN_MAPPINGS);
    cz_free(sorted);
}

static int everything(struct cz_cli *cli)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    json_t *stats = NULL, *workers = NULL;
    struct cz_buf path CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    if (cz_cli_has(cli, "all-teams"))
        cz_rest_path(&path, (const char *const[]){"stats", NULL});
    else
        cz_rest_path(&path, (const char *const[]){"teams", cli->context.team, "stats", NULL});
    int rc = cz_rest_get(cli, cz_buf_str(&path), "status", &stats);
    if (rc == CZ_EXIT_OK)
        rc = cz_rest_get(cli, "/api/v1/workers", "workers", &workers);
    json_t *all =
        rc == CZ_EXIT_OK ? json_pack("{s:O,s:O}", "stats", stats, "workers", workers) : NULL;
    if (all && !cz_out_document(cli, all)) {
        add_summary(cli, stats, workers);
        add_workers(cli, workers);
        add_mappings(cli, stats);
    }
    json_decref(all);
    json_decref(stats);
    json_decref(workers);
    return rc;
}

static int status(struct cz_cli *cli)
{
    struct cz_cli_targets t = {0};
    int rc = cz_cli_targets(cli, cz_cli_kind("mapping"), &t);
    if (rc)
        return rc;
    for (size_t i = 0; rc == CZ_EXIT_OK && i < t.len; i++)
        if (strcmp(t.items[i].kind->name, "mapping") != 0)
            rc = cz_cli_usage(cli, "only mappings have a status; describe %s/%s says more",
                              t.items[i].kind->name, t.items[i].name);
    for (size_t i = 0; rc == CZ_EXIT_OK && i < t.len; i++) {
        if (t.len > 1 && cli->format == CZ_FORMAT_TABLE)
            cz_buf_addf(&cli->out, "%smapping/%s\n", i ? "\n" : "", t.items[i].name);
        rc = cz_status_mapping(cli, t.items[i].name, 0);
    }
    if (rc == CZ_EXIT_OK && t.len == 0)
        rc = everything(cli);
    cz_cli_targets_done(&t);
    return rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "all-teams", .letter = 'A', .type = CZ_OPT_FLAG, .doc = "mappings of all teams"},
    {0},
};
const struct cz_cli_cmd cz_cmd_status = {
    .name = "status",
    .args = "[MAPPING…]",
    .summary = "show the health of all, or of one mapping",
    .opts = options,
    .max_args = -1,
    .words_type = CZ_WORDS_MAPPING,
    .exec = status,
};
