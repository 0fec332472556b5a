/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of the CLI share.  A command is one row of the table in commands.c and one
 * file cmd_<name>.c; its exec function reads the parsed arguments, calls the REST API through
 * rest.h and writes data to cli->out, which main() sends to stdout at the end.  Whatever is
 * said to people goes to stderr by cz_cli_say().  One thread. */
#ifndef CZ_CLI_H
#define CZ_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/alloc.h"
#include "cz/buf.h"
#include "cz/error.h"

/** Exit codes (guide: control-plane, 3f). */
enum cz_exit {
    CZ_EXIT_OK = 0,
    CZ_EXIT_ERROR = 1,    /* network, server, not found, unknown */
    CZ_EXIT_CHANGES = 2,  /* --detailed-exitcode: there is something to change */
    CZ_EXIT_CONFLICT = 3, /* version, ownership */
    CZ_EXIT_DENIED = 4,   /* not authenticated, not allowed */
    CZ_EXIT_INVALID = 5,  /* bad input, found here or by the server */
    CZ_EXIT_WAIT = 6,     /* done, but --wait timed out */
    CZ_EXIT_USAGE = 64,
};

struct cz_cli;

/* ---- the table of commands ------------------------------------------------------------------
 */

enum cz_cli_opt_type {
    CZ_OPT_FLAG,  /* --yes */
    CZ_OPT_VALUE, /* --name VALUE or --name=VALUE; the last one counts */
    CZ_OPT_LIST,  /* as VALUE, may be repeated */
    CZ_OPT_MAYBE, /* --wait or --wait=60s */
};
enum cz_cli_value {
    CZ_VAL_ANY,
    CZ_VAL_NUMBER,   /* a decimal number >= 0 */
    CZ_VAL_DURATION, /* 90, 90s, 500ms, 2m, 1h, 7d */
    CZ_VAL_TIME,     /* RFC 3339 */
    CZ_VAL_FILE,     /* for completion */
};
struct cz_cli_opt {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum cz_cli_opt_type type;
    enum cz_cli_value value;
    const char *arg;            /* how the value is called in --help */
    const char *const *choices; /* the only values, NULL-terminated; NULL: any */
    const char *doc;
};

/** What a positional argument may be; for completion. */
enum cz_cli_words {
    CZ_WORDS_NONE,
    CZ_WORDS_KIND,    /* a kind, then names of that kind */
    CZ_WORDS_MAPPING, /* names of mappings */
    CZ_WORDS_FIXED,   /* one of `words` */
};
struct cz_cli_cmd {
    const char *name;
    const char *alias; /* NULL: none */
    const char *args;  /* "KIND [NAME…]" */
    const char *summary;
    const char *help;              /* further lines for --help; NULL: none */
    const struct cz_cli_opt *opts; /* ended by {0}; NULL: none */
    bool output_file;              /* -o may also be the file that it saves to */
    int min_args, max_args;        /* max -1: any number */
    enum cz_cli_words words_type;
    const char *const *words;
    int (*exec)(struct cz_cli *cli);
};
extern const struct cz_cli_cmd *const cz_cli_commands[];   /* ended by NULL */
extern const struct cz_cli_opt cz_cli_globals[];           /* ended by {0} */
const struct cz_cli_cmd *cz_cli_command(const char *name); /* by name or alias; NULL: none */
/** Add the help of @cmd; NULL: the overview. */
void cz_cli_help(const struct cz_cli_cmd *cmd, struct cz_buf *out);

/* ---- parsed arguments -----------------------------------------------------------------------
 */

struct cz_cli_given {
    const struct cz_cli_opt *opt;
    const char *value; /* NULL: a flag, or MAYBE without a value */
};
struct cz_cli_args {
    const struct cz_cli_cmd *cmd; /* NULL: none was given */
    struct cz_cli_given *given;
    size_t given_len, given_cap;
    const char **pos;
    size_t pos_len, pos_cap;
    bool help, version;
};
/** Parse argv[1..]. @return CZ_OK or CZ_E_INVALID with a text that says what to do instead. */
CZ_MUST_USE enum cz_err
cz_cli_parse(int argc, char **argv, struct cz_cli_args *ret, struct cz_error *err);
void cz_cli_args_done(struct cz_cli_args *a);
/** Of an option that the command or the globals have; another name is our bug (abort). */
bool cz_cli_has(const struct cz_cli *cli, const char *opt);
const char *cz_cli_value(const struct cz_cli *cli, const char *opt); /* NULL: not given */
int64_t cz_cli_number(const struct cz_cli *cli, const char *opt, int64_t def);
int64_t cz_cli_duration(const struct cz_cli *cli, const char *opt, int64_t def_ms);
/** The @i-th value of a LIST; NULL: no more. */
const char *cz_cli_item(const struct cz_cli *cli, const char *opt, size_t i);
bool cz_cli_parse_duration(const char *s, int64_t *ret_ms);
/** The name nearest to @given, if it is near enough to be meant. @names NULL-terminated. */
const char *cz_cli_nearest(const char *given, const char *const *names);

/* ---- the program
 * ------------------------------------------------------------------------------ */

enum cz_cli_format { CZ_FORMAT_TABLE, CZ_FORMAT_JSON, CZ_FORMAT_YAML, CZ_FORMAT_NAME };

/** A named set of servers and a token; from the context file, the environment and the options.
 */
struct cz_cli_context {
    char *name; /* NULL: made of options and environment only */
    char **servers;
    size_t servers_len;
    char *team;
    char *ca_file; /* NULL: the system's */
    char *token;   /* NULL: none; wiped when freed */
};
struct cz_client;

struct cz_cli {
    struct cz_cli_args args;
    enum cz_cli_format format;
    bool color;   /* stdout is a terminal that wants it */
    bool can_ask; /* stdin and stderr are terminals */
    struct cz_buf out;
    const char *wanted_server, *wanted_team; /* of a citizenk.yaml or a plan; borrowed; NULL: none */
    const char *wanted_by;                   /* which file that was */
    bool has_context;
    struct cz_cli_context context; /* valid when has_context */
    struct cz_client *client;      /* NULL until the first call */
};
/** The whole program: parse, run, write. @return the exit code. */
int cz_cli_main(int argc, char **argv);
/** Write what is in cli->out now, for outputs that have no bound. false: it was said what is wrong. */
bool cz_cli_flush(struct cz_cli *cli);
/** One line (or several) to stderr as "citizenk: …", control characters made harmless. */
void cz_cli_say(const char *fmt, ...) CZ_PRINTF(1, 2);
/** The same without the program's name. */
void cz_cli_note(const char *fmt, ...) CZ_PRINTF(1, 2);
/** Say it and return CZ_EXIT_USAGE, for `return cz_cli_usage(…)`. */
int cz_cli_usage(const struct cz_cli *cli, const char *fmt, ...) CZ_PRINTF(2, 3);
/** Exit code for a failure on our side of the wire. Says the error. */
int cz_cli_fail(const struct cz_error *err);

/* ---- contexts (context.c)
 * --------------------------------------------------------------------- */

/** Path of the context file: --context-file, CITIZENK_CLI_CONFIG, or the user's own. cz_free. */
char *cz_cli_context_path(const struct cz_cli *cli);
/** The context file as it is: {"current","contexts":{…}}; an empty one when there is no file.
 */
CZ_MUST_USE enum cz_err
cz_cli_context_load(const char *path, json_t **ret, struct cz_error *err);
/** Write it with mode 0600, making the folder when needed. */
CZ_MUST_USE enum cz_err
cz_cli_context_save(const char *path, const json_t *file, struct cz_error *err);
/** Fill cli->context from file, environment and options, once.  A server that a file of the project
 *  wants (wanted_server) chooses the context that lists it: no token goes to a server that only a file
 *  names, but one that was given for this run (CITIZENK_TOKEN). Options win over all.
 *  CZ_E_NOT_FOUND: no server is known; CZ_E_FORBIDDEN: a file with a token can be read by
 * others. */
CZ_MUST_USE enum cz_err cz_cli_context_open(struct cz_cli *cli, struct cz_error *err);
void cz_cli_context_done(struct cz_cli_context *c);

/* ---- kinds (kinds.c)
 * --------------------------------------------------------------------------- */

struct cz_table;
struct cz_cli_kind {
    const char *name;       /* "value_map": in documents and -o name */
    const char *collection; /* "value-maps": in paths */
    const char *aliases[4]; /* further words for it */
    bool document;          /* can be applied, deleted, restored */
    int order;              /* of writing; clusters first */
    const char *path;       /* list, when it is not the team's collection */
    const char *columns; /* of the table: "NAME|GROUP|>LAG"; '>' aligns right, '*' is a state */
    void (*row)(struct cz_table *t, const json_t *item);
};
extern const struct cz_cli_kind cz_cli_kinds[];          /* ended by {0} */
const struct cz_cli_kind *cz_cli_kind(const char *word); /* NULL: no such kind */
const char *cz_cli_kind_names(void);                     /* "cluster, mapping, …" */

struct cz_cli_target {
    const struct cz_cli_kind *kind;
    const char *name; /* points into the arguments */
};
struct cz_cli_targets {
    const struct cz_cli_kind *kind; /* of the whole, when names may be left out */
    struct cz_cli_target *items;
    size_t len;
};
/** Positional arguments from @from on: "KIND NAME…" or "KIND/NAME…"; with @def also bare names.
 *  Says what is wrong. @return CZ_EXIT_OK or CZ_EXIT_USAGE */
int cz_cli_targets(const struct cz_cli *cli,
                   const struct cz_cli_kind *def,
                   struct cz_cli_targets *ret);
void cz_cli_targets_done(struct cz_cli_targets *t);

#endif
