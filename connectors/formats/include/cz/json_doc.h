/* SPDX-License-Identifier: Apache-2.0 */
/** JSON of the data path: a reader over borrowed bytes that touches only what is asked for.
 *
 *  A `struct cz_json_doc` belongs to a lane and is used for record after record.
 *  cz_json_doc_index() finds where the tokens begin (SIMD, chosen at run time);
 *  cz_json_doc_walk() checks the structure of the *whole* document and collects, by a trie of
 *  paths, where the wanted values are.  Values are then read one by one: a scalar as a
 *  `struct cz_jval` that points into the record, a subtree as a tree in an arena.
 *
 *  What is always seen: brackets balanced and of the right kind, strings closed, commas and
 * colons in place, one document, nothing behind it, nesting up to CZ_MAX_RECORD_JSON_DEPTH.
 *  What is seen only for values that are read, or by cz_json_doc_check_full(): literals, number
 *  grammar, escapes, UTF-8, control characters.  Of duplicate keys the last one wins.
 *  Numbers keep their text.  The bytes need no padding and no terminator, and must stay in
 * place as long as the doc and its values are used. Errors are CZ_E_PARSE with "position N:
 * reason" (N counts bytes from 0) or CZ_E_LIMIT.
 *  @thread one at a time per doc, arena; tries and path sets are immutable and may be shared */
#ifndef CZ_JSON_DOC_H
#define CZ_JSON_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/arena.h"
#include "cz/buf.h"
#include "cz/error.h"
#include "cz/record.h"

/* ---- values ---------------------------------------------------------------------------- */

enum cz_jtype {
    CZ_J_NULL,
    CZ_J_FALSE,
    CZ_J_TRUE,
    CZ_J_NUMBER,
    CZ_J_STRING,
    CZ_J_ARRAY,
    CZ_J_OBJECT,
    CZ_J_EXPREF, /* only inside the expression language */
};
enum cz_jflags {
    CZ_J_RAW = 1, /* string: the bytes still carry JSON escapes (at least one backslash) */
    CZ_J_INT = 2, /* number: computed, in u.i */
    CZ_J_DBL = 4, /* number: computed, in u.d; without INT and DBL it is text in u.s */
};

/** A value: 16 bytes, passed by value, pointing into a record, an arena or a program. */
struct cz_jval {
    uint8_t type;  /* enum cz_jtype */
    uint8_t flags; /* enum cz_jflags */
    uint32_t len;  /* bytes of text; elements; members */
    union {
        const char *s;
        const struct cz_jval *items;
        const struct cz_jmember *members;
        const void *expr;
        int64_t i;
        double d;
    } u;
};
struct cz_jmember {
    struct cz_jval key; /* a CZ_J_STRING, never RAW */
    struct cz_jval val;
};

#define CZ_JNULL ((struct cz_jval){.type = CZ_J_NULL})

struct cz_jval cz_jval_bool(bool b);
struct cz_jval cz_jval_int(int64_t i);
struct cz_jval cz_jval_str(const char *s, size_t n); /* borrowed, plain (not RAW) */
/** The string without escapes, from the arena when it had any; false when the arena is full. */
bool cz_jval_plain(struct cz_arena *a, struct cz_jval *v);
/** Member by name (last one wins), or a null value. @o may be of any type. */
struct cz_jval cz_jval_get(struct cz_jval o, const char *key, size_t len);
/** Deep equality; numbers by value (1 == 1.0), exactly, whatever their size. */
bool cz_jval_equal(struct cz_jval a, struct cz_jval b);
/** As above, false when *@budget (reduced by the work done) ran out on the way. */
bool cz_jval_equal_within(struct cz_jval a, struct cz_jval b, uint64_t *budget);
/** Order of two numbers, exact: <0, 0, >0. */
int cz_jnum_compare(struct cz_jval a, struct cz_jval b);
double cz_jnum_double(struct cz_jval n);
/** True and the value when the number is an integer that fits. 1.0 and 1e2 count. */
bool cz_jnum_int(struct cz_jval n, int64_t *ret);
/** Is the text a number by RFC 8259? */
bool cz_jnum_valid(const char *s, size_t n);
/** Append compact JSON text. Untouched strings and numbers come out with their own bytes. */
void cz_jval_write(struct cz_buf *out, struct cz_jval v);

/* ---- documents ------------------------------------------------------------------------- */

struct cz_json_doc {
    const char *data;
    uint32_t len;
    uint32_t n;      /* tokens; token[n] and token[n + 1] are sentinels */
    uint32_t *token; /* where each token begins: { } [ ] : , opening quotes, scalars */
    uint32_t cap;
    bool has_escape;  /* a backslash occurs somewhere */
    bool open_string; /* a string is not closed */
};

#define CZ_JSON_DOC_INIT                                                                       \
    {                                                                                          \
        0                                                                                      \
    }

void cz_json_doc_init(struct cz_json_doc *d);
void cz_json_doc_done(struct cz_json_doc *d);
/** Find the tokens of @data (borrowed). Must be followed by a walk before values are read. */
CZ_MUST_USE enum cz_err
cz_json_doc_index(struct cz_json_doc *d, const char *data, size_t len, struct cz_error *err);

/** Which way to find tokens; the default is the best one of this CPU, or what the environment
 *  variable CZ_JSON_INDEX (avx2 | sse2 | portable) says at the first use. For tests. */
enum cz_json_engine { CZ_JSON_BEST, CZ_JSON_AVX2, CZ_JSON_SSE2, CZ_JSON_PORTABLE };
bool cz_json_use_engine(enum cz_json_engine e); /* false: this CPU does not have it */

/* ---- a trie of wanted paths ------------------------------------------------------------ */

/** Lives in an arena (of a program). `slot` >= 0: the value at this node is wanted. Children
 * are numbered after their parent, so that [slot_first, slot_end) are the slots below and at
 * it. */
struct cz_json_trie {
    struct cz_json_trie *child, *next; /* first child; next sibling */
    const char *key;                   /* NULL: an array element */
    uint32_t key_len;
    uint32_t index;
    int32_t slot;
    int32_t slot_first, slot_end;
};
/** Child of @node by key (or by element when key is NULL), made when it is not there. NULL when
 *  the arena is full. The key is borrowed. */
struct cz_json_trie *cz_json_trie_child(struct cz_arena *a,
                                        struct cz_json_trie *node,
                                        const char *key,
                                        size_t key_len,
                                        uint32_t index);
/** Number the wanted slots (those with slot >= 0 before) from @first on; returns the next free
 *  number. To be called once, when the trie is complete. */
int32_t cz_json_trie_number(struct cz_json_trie *node, int32_t first);

/** Where a wanted value is: tokens [tok - 1, end - 1) of the doc; tok 0 = not there. */
struct cz_json_hit {
    uint32_t tok, end;
};
/** Check the structure of the whole document and fill hits[slot] for every slot of @trie (which
 *  may be NULL; hits of its slots must be zeroed before). */
CZ_MUST_USE enum cz_err cz_json_doc_walk(const struct cz_json_doc *d,
                                         const struct cz_json_trie *trie,
                                         struct cz_json_hit *hits,
                                         struct cz_error *err);
/** `validate: full`: every literal, number, string and the UTF-8 by RFC 8259. After the walk.
 */
CZ_MUST_USE enum cz_err cz_json_doc_check_full(const struct cz_json_doc *d,
                                               struct cz_error *err);
/** The value at a hit: a scalar is checked and points into the record; an array or object is
 *  built in the arena. An absent hit is null. */
CZ_MUST_USE enum cz_err cz_json_doc_value(const struct cz_json_doc *d,
                                          struct cz_json_hit hit,
                                          struct cz_arena *a,
                                          struct cz_jval *ret,
                                          struct cz_error *err);
/** Bytes of a hit as they stand in the record, outer blanks left off. */
struct cz_slice cz_json_doc_text(const struct cz_json_doc *d, struct cz_json_hit hit);

/** All in one: index, walk, full check and tree of @data; for tools and tests. */
CZ_MUST_USE enum cz_err cz_json_read(struct cz_json_doc *d,
                                     struct cz_arena *a,
                                     const char *data,
                                     size_t len,
                                     struct cz_jval *ret,
                                     struct cz_error *err);

/* ---- replacing values at paths (value maps, masks) -------------------------------------- */

/** A set of dotted paths, compiled once, immutable: "a.b", "a.\"odd.name\".c", "" = the whole
 *  document. A path through an array means each of its elements. */
struct cz_json_paths;
struct cz_json_paths *cz_json_paths_new(void);
void cz_json_paths_free(struct cz_json_paths *p);
/** Add a path, which gets the number of paths added before it. CZ_E_INVALID: bad path. */
CZ_MUST_USE enum cz_err
cz_json_paths_add(struct cz_json_paths *p, const char *path, struct cz_error *err);

/** Called for each value at a path (of any type; an array at the end of a path is handed out
 *  element by element), in document order. Append the replacement as JSON text to @out, or
 * append nothing to keep the value. @v is a checked scalar (or, for objects, only its type:
 * u.s/len are then its text). Not CZ_OK stops the rewrite with that error. */
typedef enum cz_err (*cz_json_replace_fn)(
    void *arg, size_t path, struct cz_jval v, struct cz_buf *out, struct cz_error *err);
/** Copy the indexed document into @out (cleared first) with the values at the paths replaced;
 * all other bytes are kept exactly. With nothing replaced, *ret_changed is false and @out is
 * empty: go on with the record's own bytes. Does not need a walk before; checks the structure
 * itself. Of duplicate keys every one is handed out. */
CZ_MUST_USE enum cz_err cz_json_doc_replace(const struct cz_json_doc *d,
                                            const struct cz_json_paths *paths,
                                            cz_json_replace_fn fn,
                                            void *arg,
                                            struct cz_buf *out,
                                            bool *ret_changed,
                                            struct cz_error *err);

#endif
