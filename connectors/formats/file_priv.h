/* SPDX-License-Identifier: Apache-2.0 */
/* What encoder and decoder of topic files share. */
#ifndef CZ_FILE_PRIV_H
#define CZ_FILE_PRIV_H

#include "cz/arena.h"
#include "cz/base64.h"
#include "cz/file_record.h"
#include "cz/json_doc.h"

struct cz_file_codec {
    struct cz_json_doc doc;
    struct cz_arena program; /* the trie */
    struct cz_arena arena;   /* of one record */
    struct cz_json_trie *trie;
    struct cz_header *headers; /* grows; holds those of one record */
    size_t headers_len, headers_cap;
};

/** All headers of @r into c->headers; how many. */
size_t cz__file_headers(struct cz_file_codec *c, const struct cz_record *r);
/** Strict: alphabet of RFC 4648 4, padded, no blanks. @out has room for n / 4 * 3. */
bool cz__base64_read(const char *s, size_t n, char *out, size_t *ret_len);

#endif
