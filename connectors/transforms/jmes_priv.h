/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the expression language share: tokens, the nodes of a program, the lane's
 * context.  Everything of a program lives in its arena. */
#ifndef CZ_JMES_PRIV_H
#define CZ_JMES_PRIV_H

#include "cz/jmespath.h"
#include "cz/limits.h"

/* ---- lexer ---------------------------------------------------------------------------------
 */

enum cz__token {
    CZ__T_END,
    CZ__T_IDENT,
    CZ__T_QUOTED,
    CZ__T_LITERAL, /* `json` and 'raw' */
    CZ__T_NUMBER,
    CZ__T_DOT,
    CZ__T_STAR,
    CZ__T_COMMA,
    CZ__T_COLON,
    CZ__T_CURRENT,
    CZ__T_EXPREF,
    CZ__T_PIPE,
    CZ__T_OR,
    CZ__T_AND,
    CZ__T_NOT,
    CZ__T_EQ,
    CZ__T_NE,
    CZ__T_LT,
    CZ__T_LE,
    CZ__T_GT,
    CZ__T_GE,
    CZ__T_LBRACKET,
    CZ__T_RBRACKET,
    CZ__T_FILTER,  /* [? */
    CZ__T_FLATTEN, /* [] */
    CZ__T_LPAREN,
    CZ__T_RPAREN,
    CZ__T_LBRACE,
    CZ__T_RBRACE,
    CZ__T_COUNT,
};

struct cz__lexeme {
    enum cz__token type;
    uint32_t pos;
    int64_t number;     /* NUMBER */
    struct cz_jval val; /* IDENT, QUOTED: the name as a string; LITERAL */
};

struct cz__lexer {
    const char *s; /* in the program's arena, NUL behind it */
    uint32_t len, at;
    struct cz_arena *a;
    struct cz_error *err;
};
enum cz_err cz__lex(struct cz__lexer *l, struct cz__lexeme *ret);
enum cz_err cz__jmes_fail(struct cz_error *err,
                          enum cz_jmespath_category category,
                          uint32_t pos,
                          const char *fmt,
                          ...) CZ_PRINTF(4, 5);

/* ---- programs ------------------------------------------------------------------------------
 */

enum cz__op {
    CZ__CURRENT,
    CZ__FIELD,
    CZ__INDEX,
    CZ__SLICE,
    CZ__LITERAL,
    CZ__CHAIN, /* kids one after the other, each over the result of the one before */
    CZ__OR,
    CZ__AND,
    CZ__NOT,
    CZ__EQ,
    CZ__NE,
    CZ__LT,
    CZ__LE,
    CZ__GT,
    CZ__GE,
    CZ__LIST,
    CZ__HASH,
    CZ__FLATTEN,        /* kid 0 */
    CZ__PROJECT,        /* kid 0: the array; kid 1: over each element */
    CZ__PROJECT_VALUES, /* kid 0: the object */
    CZ__PROJECT_FILTER, /* as PROJECT; kid 2: the condition */
    CZ__FUNCTION,
    CZ__EXPREF,
    CZ__SLOT,  /* the value at a path from the root, found by the trie */
    CZ__GUARD, /* null when the value at the path is null, else kid 0 */
};

struct cz__slice_args {
    int64_t start, stop, step;
    bool has_start, has_stop;
};

struct cz__node {
    uint8_t op; /* enum cz__op */
    uint8_t function;
    uint16_t depth; /* of the tree below, for the bound */
    uint32_t n;
    uint32_t pos;
    uint32_t pos_begin, pos_end; /* of a whole expression in the text; both 0: not one */
    struct cz__node **kids;
    union {
        struct cz_jval val; /* FIELD: the name; LITERAL */
        int64_t index;      /* INDEX */
        struct cz__slice_args *slice;
        const struct cz_jval *names; /* HASH */
        struct cz_json_trie *path;   /* SLOT, GUARD */
    } u;
};

#define CZ__MAX_TREE_DEPTH 512

enum cz__member {
    CZ__M_KEY,
    CZ__M_VALUE,
    CZ__M_HEADERS,
    CZ__M_TOPIC,
    CZ__M_PARTITION,
    CZ__M_OFFSET,
    CZ__M_TIMESTAMP,
    CZ__M_COUNT,
    CZ__M_OTHER = CZ__M_COUNT, /* a name that no record has */
    CZ__M_ROOT,
};
extern const struct cz_slice cz__member_names[CZ__M_COUNT];

struct cz_jmespath {
    struct cz_arena arena;
    const char *text; /* in the arena */
    struct cz__node *tree; /* as parsed: the reference */
    struct cz__node *fast; /* paths from the root are slots */
    struct cz_json_trie root;
    int32_t slots;
    uint8_t *slot_member; /* enum cz__member of each slot */
    uint32_t reads;
    bool needs_tree;
};

struct cz__node *cz__node_new(struct cz_arena *a, enum cz__op op, uint32_t kids, uint32_t pos);
void cz__node_depth(struct cz__node *n);
enum cz_err
cz__parse(struct cz_jmespath *x, const char *text, uint32_t len, struct cz_error *err);
/* Make `fast` and the trie from `tree`. False: out of memory. */
bool cz__rewrite(struct cz_jmespath *x);

/* ---- evaluation ----------------------------------------------------------------------------
 */

enum cz__side_state { CZ__SIDE_NONE, CZ__SIDE_NULL, CZ__SIDE_TEXT, CZ__SIDE_DOC };
struct cz__side {
    enum cz__side_state state;
    bool checked; /* the structure has been walked */
    struct cz_json_doc doc;
    struct cz_jval text;
};

struct cz_eval {
    struct cz_arena arena;
    struct cz_error *err;
    struct cz_error own_err; /* when the caller passed none */
    uint64_t steps;
    bool force_tree;
    bool search; /* the root is one document (the value side), not a record */
    const struct cz_record *record;
    struct cz_eval_options options;
    struct cz__side key, value;
    /* per slot of the program at hand */
    struct cz_json_hit *hits;
    struct cz_jval *vals;
    uint8_t *ready;
    size_t slot_cap, hit_cap, ready_cap;
    const struct cz_jmespath *x;
    struct cz_buf scratch;
};

enum cz_err
cz__eval(struct cz_eval *e, const struct cz__node *n, struct cz_jval cur, struct cz_jval *ret);
enum cz_err cz__slot_value(struct cz_eval *e, int32_t slot, struct cz_jval *ret);
bool cz__truthy(struct cz_jval v);
enum cz_err cz__no_memory(struct cz_eval *e);
enum cz_err cz__charge(struct cz_eval *e, uint64_t steps);
enum cz_err cz__equal(struct cz_eval *e, struct cz_jval a, struct cz_jval b, bool *ret);
/* Both numbers or both strings (made plain): <0, 0, >0. */
int cz__order(struct cz_jval a, struct cz_jval b);
enum cz_err cz__plain(struct cz_eval *e, struct cz_jval *v);
const char *cz__type_name(struct cz_jval v);

/* ---- functions -----------------------------------------------------------------------------
 */

struct cz__call {
    struct cz_eval *e;
    const struct cz__node *node;
    struct cz_jval *args;
    uint32_t n;
};
typedef enum cz_err (*cz__function)(struct cz__call *c, struct cz_jval *ret);

enum cz__accepts {
    CZ__A_NUMBER = 1 << CZ_J_NUMBER,
    CZ__A_STRING = 1 << CZ_J_STRING,
    CZ__A_ARRAY = 1 << CZ_J_ARRAY,
    CZ__A_OBJECT = 1 << CZ_J_OBJECT,
    CZ__A_EXPREF = 1 << CZ_J_EXPREF,
    CZ__A_ANY = (1 << CZ_J_EXPREF) - 1,
};
struct cz__function_def {
    const char *name;
    cz__function fn;
    uint8_t min, max; /* arguments; max 255: any number of the last kind */
    uint16_t accepts[2];
};
extern const struct cz__function_def cz__functions[];
/* Number of the function, or -1. */
int cz__function_find(const char *name, size_t len);
enum cz_err cz__type_error(struct cz__call *c, const char *wanted, struct cz_jval got);

enum cz_err cz__fn_avg(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_join(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_keys(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_map(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_max(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_max_by(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_merge(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_min(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_min_by(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_sort(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_sort_by(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_sum(struct cz__call *c, struct cz_jval *ret);
enum cz_err cz__fn_values(struct cz__call *c, struct cz_jval *ret);

#endif
