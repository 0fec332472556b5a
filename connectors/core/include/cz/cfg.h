/* SPDX-License-Identifier: Apache-2.0 */
/** Config tables: one row per setting feeds JSON parsing, command line, environment, config file,
 *  validation, defaults, `--help`, JSON Schema (OpenAPI, forms) and the docs.  The target is a
 *  plain struct; each row names the field's offset.
 *
 *  Field types in the struct: BOOL bool · INT int64_t · DOUBLE double · STRING char * (owned,
 *  NULL = absent) · ENUM int (index into the row's `values`) · JSON json_t * (owned, as given) ·
 *  OBJECT a nested struct described by `sub` · STRINGS struct cz_cfg_strings ·
 *  CUSTOM whatever the row's parse/done functions say. */
#ifndef CZ_CFG_H
#define CZ_CFG_H

#include <jansson.h>
#include <stddef.h>

#include "cz/buf.h"
#include "cz/report.h"

enum cz_cfg_type {
    CZ_CFG_BOOL,
    CZ_CFG_INT,
    CZ_CFG_DOUBLE,
    CZ_CFG_STRING,
    CZ_CFG_ENUM,
    CZ_CFG_STRINGS,
    CZ_CFG_JSON,
    CZ_CFG_OBJECT,
    CZ_CFG_CUSTOM,
};
enum cz_cfg_flags {
    CZ_CFG_REQUIRED = 1 << 0,
    CZ_CFG_SECRET = 1 << 1,   /* never printed; in documents only as a reference */
    CZ_CFG_RELOAD = 1 << 2,   /* may change while running */
    CZ_CFG_LATER = 1 << 3,    /* known, but "not available yet": any value but the default is refused */
    CZ_CFG_NULLABLE = 1 << 4, /* JSON null = absent */
};
struct cz_cfg_strings {
    char **items;
    size_t len;
};
/** A further variable of the environment for a setting: one that another program made known. */
struct cz_cfg_alias {
    const char *variable; /* ends in '_' and the row is JSON: every variable that begins with it is a
                           * member of the object; the rest of its name in lower case, '_' as '.' */
    /** The option's text for the variable's; NULL: not possible. NULL function: as it is. */
    const char *(*text)(const char *given);
    const char *want;  /* "0 or 1", for the error */
    bool even_empty;   /* an empty variable counts too */
};
struct cz_cfg_key {
    const char *name; /* field name in JSON; --name-with-dashes; <PREFIX>NAME in the environment */
    enum cz_cfg_type type;
    unsigned flags;
    size_t offset;
    const char *def;           /* default as JSON text ("5", "true", "\"lz4\""), NULL = none */
    const char *const *values; /* ENUM: NULL-terminated names */
    int64_t min, max;          /* INT, DOUBLE: inclusive, both 0 = any; STRING: length in bytes */
    const struct cz_cfg_key *sub; /* OBJECT: table of the nested struct, ended by {0} */
    /** CUSTOM (required) or an extra check after the type's own parse (optional; may be NULL).
     *  @field address of the struct's field. Problems go to @rep at @pointer. */
    void (*parse)(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
    void (*done)(void *field);  /* CUSTOM: free what parse made */
    const char *schema;         /* CUSTOM, JSON: its JSON Schema as text, for OpenAPI */
    const char *group;          /* heading in --help, docs and forms */
    const char *doc;            /* one or two sentences, with the unit */
    const struct cz_cfg_alias *aliases; /* ended by {0}; the row's own variable wins; NULL: none */
};

/** LOG_LEVEL (names of Python's logging too) and JSON_LOGGING (0, 1), for rows log_level and
 *  log_format. */
extern const struct cz_cfg_alias cz_log_level_aliases[], cz_log_format_aliases[];

/** Parse a JSON object into @target (zeroed by the caller). Unknown fields, wrong types, ranges,
 *  LATER fields that differ from their default → @rep. Absent → default. @pointer "" or the place
 *  of @obj in the whole document. The target must be released with cz_cfg_done() either way. */
enum cz_err cz_cfg_parse_json(const struct cz_cfg_key *table,
                              const json_t *obj,
                              void *target,
                              const char *pointer,
                              struct cz_report *rep);
/** defaults < JSON file named by --config < environment (@env_prefix "CITIZENK_") < arguments
 *  ("--name value" or "--name=value"; BOOL also bare). `--help` and `--version` print and set
 *  *ret_exit. Errors name the option. A nested field is --outer-inner; STRINGS are "a,b" or JSON;
 *  an empty variable is an absent one; below a row's own variable lie its aliases; <PREFIX>CONFIG stands for --config. Unlike in a document a
 *  SECRET may be the value itself here. On failure the target is released already. */
CZ_MUST_USE enum cz_err cz_cfg_parse_main(const struct cz_cfg_key *table,
                                          const char *program,
                                          const char *env_prefix,
                                          int argc,
                                          char **argv,
                                          void *target,
                                          bool *ret_exit,
                                          struct cz_error *err);
void cz_cfg_done(const struct cz_cfg_key *table, void *target);
void cz_cfg_help(const struct cz_cfg_key *table, const char *program, const char *env_prefix, struct cz_buf *out);
/** JSON Schema (2020-12) of the object that the table describes. New reference. */
json_t *cz_cfg_schema(const struct cz_cfg_key *table);
/** The object with every default filled in, unknown fields kept. New reference. */
json_t *cz_cfg_with_defaults(const struct cz_cfg_key *table, const json_t *obj);

#endif
