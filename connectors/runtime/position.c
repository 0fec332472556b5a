/* SPDX-License-Identifier: Apache-2.0 */
#include "cz/position.h"

#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/buf.h"
#include "cz/util.h"

enum { TEXT_MAX = 256 };

char *cz_position_text(const struct cz_position *p)
{
    struct cz_buf b = CZ_BUF_INIT(TEXT_MAX);
    cz_buf_addf(&b, "%c%" PRId64, p->kind, p->generation);
    if (p->end >= 0)
        cz_buf_addf(&b, " r%" PRId64 " b%" PRId64 " e%" PRId64, p->run, p->begin, p->end);
    if (p->end >= 0 && p->end_ms > 0)
        cz_buf_addf(&b, " u%" PRId64, p->end_ms);
    if (p->topic_id[0])
        cz_buf_addf(&b, " t%s", p->topic_id);
    return cz_buf_steal(&b);
}

static void take_word(const char *word, struct cz_position *p)
{
    int64_t n;
    if (word[0] == 't') {
        size_t len = strlen(word + 1);
        if (len < sizeof p->topic_id)
            memcpy(p->topic_id, word + 1, len + 1);
        return;
    }
    if (!cz_parse_i64(word + 1, &n) || n < 0)
        return;
    if (word[0] == 'r')
        p->run = n;
    else if (word[0] == 'b')
        p->begin = n;
    else if (word[0] == 'e')
        p->end = n;
    else if (word[0] == 'u')
        p->end_ms = n;
}

bool cz_position_parse(const char *text, struct cz_position *ret)
{
    *ret = (struct cz_position)CZ_POSITION_INIT;
    if (!text || (text[0] != 'g' && text[0] != 'x'))
        return false;
    CZ_CLEANUP(cz_freep) char *copy = cz_strdup(text);
    char *rest = NULL;
    const char *word = strtok_r(copy, " ", &rest);
    if (!word || !cz_parse_i64(word + 1, &ret->generation) || ret->generation < 0) {
        ret->generation = 0;
        return false;
    }
    ret->kind = text[0];
    while ((word = strtok_r(NULL, " ", &rest)))
        take_word(word, ret);
    return true;
}
