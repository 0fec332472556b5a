/* SPDX-License-Identifier: Apache-2.0 */
/* The lexer of the expression language, after the grammar of the JMESPath specification. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cz/util.h"
#include "jmes_priv.h"

enum cz_err cz__jmes_fail(struct cz_error *err,
                          enum cz_jmespath_category category,
                          uint32_t pos,
                          const char *fmt,
                          ...)
{
    char reason[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    enum cz_err code = category == CZ_JMESPATH_LIMIT ? CZ_E_LIMIT : CZ_E_INVALID;
    return cz_fail_flags(err, code, 0, category, "position %u: %s", pos, reason);
}

static enum cz_err syntax(struct cz__lexer *l, uint32_t pos, const char *reason)
{
    return cz__jmes_fail(l->err, CZ_JMESPATH_SYNTAX, pos, "%s", reason);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static enum cz_err identifier(struct cz__lexer *l, struct cz__lexeme *ret)
{
    uint32_t start = l->at;
    while (is_letter(l->s[l->at]) || is_digit(l->s[l->at]))
        l->at++;
    ret->type = CZ__T_IDENT;
    ret->val = cz_jval_str(l->s + start, l->at - start);
    return CZ_OK;
}

static enum cz_err number(struct cz__lexer *l, struct cz__lexeme *ret)
{
    uint32_t start = l->at;
    bool negative = l->s[l->at] == '-';
    int64_t value = 0;
    l->at += negative;
    if (!is_digit(l->s[l->at]))
        return syntax(l, start, "a digit was expected after '-'");
    for (; is_digit(l->s[l->at]); l->at++) {
        value = value * 10 + (l->s[l->at] - '0');
        if (value > INT32_MAX)
            return syntax(l, start, "the number is too large");
    }
    ret->type = CZ__T_NUMBER;
    ret->number = negative ? -value : value;
    return CZ_OK;
}

/* The JSON text [start, start + len) as a value in the program's arena. */
static enum cz_err parse_json(struct cz__lexer *l,
                              uint32_t pos,
                              const char *text,
                              size_t len,
                              struct cz_jval *ret,
                              const char *what)
{
    struct cz_json_doc doc = CZ_JSON_DOC_INIT;
    struct cz_error inner = CZ_ERROR_INIT;
    enum cz_err rc = cz_json_read(&doc, l->a, text, len, ret, &inner);
    cz_json_doc_done(&doc);
    if (rc == CZ_OK && ret->type == CZ_J_STRING && !cz_jval_plain(l->a, ret))
        rc = CZ_E_LIMIT;
    if (rc == CZ_OK)
        return CZ_OK;
    return cz__jmes_fail(l->err, CZ_JMESPATH_SYNTAX, pos, "%s (%s)", what, inner.text);
}

/* To the end of a delimited text that begins at l->at; a backslash hides the next byte. */
static bool find_end(struct cz__lexer *l, char delimiter, uint32_t *ret_end)
{
    for (uint32_t i = l->at + 1; i < l->len; i++) {
        if (l->s[i] == delimiter) {
            *ret_end = i;
            return true;
        }
        if (l->s[i] == '\\')
            i++;
    }
    return false;
}

static enum cz_err quoted(struct cz__lexer *l, struct cz__lexeme *ret)
{
    uint32_t start = l->at, end;
    if (!find_end(l, '"', &end))
        return syntax(l, start, "the quoted name is not closed");
    l->at = end + 1;
    ret->type = CZ__T_QUOTED;
    return parse_json(l, start, l->s + start, end + 1 - start, &ret->val, "a bad quoted name");
}

/* Copy without the backslash in front of @delimiter; other backslashes stay. */
static char *without_escapes(
    struct cz__lexer *l, uint32_t from, uint32_t to, char delimiter, uint32_t *ret_len)
{
    char *out = cz_arena_alloc(l->a, (size_t)(to - from) + 1);
    if (!out)
        return NULL;
    uint32_t n = 0;
    for (uint32_t i = from; i < to; i++) {
        if (l->s[i] == '\\' && i + 1 < to && l->s[i + 1] == delimiter)
            i++;
        else if (l->s[i] == '\\' && i + 1 < to && delimiter == '`')
            out[n++] = l->s[i++]; /* the pair stays together: \\` ends the literal */
        out[n++] = l->s[i];
    }
    *ret_len = n;
    return out;
}

static enum cz_err literal(struct cz__lexer *l, struct cz__lexeme *ret)
{
    uint32_t start = l->at, end, n;
    if (!find_end(l, '`', &end))
        return syntax(l, start, "the literal is not closed");
    l->at = end + 1;
    char *text = without_escapes(l, start + 1, end, '`', &n);
    if (!text)
        return syntax(l, start, "the expression is too large");
    ret->type = CZ__T_LITERAL;
    return parse_json(l, start, text, n, &ret->val,
                      "a literal must be JSON; a string is 'text'");
}

static enum cz_err raw_string(struct cz__lexer *l, struct cz__lexeme *ret)
{
    uint32_t start = l->at, end, n;
    if (!find_end(l, '\'', &end))
        return syntax(l, start, "the string is not closed");
    l->at = end + 1;
    char *text = without_escapes(l, start + 1, end, '\'', &n);
    if (!text)
        return syntax(l, start, "the expression is too large");
    ret->type = CZ__T_LITERAL;
    ret->val = cz_jval_str(text, n);
    return CZ_OK;
}

struct operator
{
    char text[3];
    enum cz__token type;
};

static enum cz_err operator_token(struct cz__lexer *l, struct cz__lexeme *ret)
{
    /* Two characters before one. */
    static const struct operator operators[] = {
        {"[?", CZ__T_FILTER}, {"[]", CZ__T_FLATTEN}, {"||", CZ__T_OR},
        {"&&", CZ__T_AND},    {"==", CZ__T_EQ},      {"!=", CZ__T_NE},
        {"<=", CZ__T_LE},     {">=", CZ__T_GE},      {"<", CZ__T_LT},
        {">", CZ__T_GT},      {"[", CZ__T_LBRACKET}, {"]", CZ__T_RBRACKET},
        {"|", CZ__T_PIPE},    {"&", CZ__T_EXPREF},   {"!", CZ__T_NOT},
        {".", CZ__T_DOT},     {"*", CZ__T_STAR},     {",", CZ__T_COMMA},
        {":", CZ__T_COLON},   {"@", CZ__T_CURRENT},  {"(", CZ__T_LPAREN},
        {")", CZ__T_RPAREN},  {"{", CZ__T_LBRACE},   {"}", CZ__T_RBRACE},
    };
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        size_t n = strlen(operators[i].text);
        if (l->len - l->at >= n && memcmp(l->s + l->at, operators[i].text, n) == 0) {
            l->at += (uint32_t)n;
            ret->type = operators[i].type;
            return CZ_OK;
        }
    }
    if (l->s[l->at] == '=')
        return syntax(l, l->at, "a single '='; equality is '=='");
    return syntax(l, l->at, "an unknown character");
}

enum cz_err cz__lex(struct cz__lexer *l, struct cz__lexeme *ret)
{
    while (l->at < l->len && strchr(" \t\r\n", l->s[l->at]) && l->s[l->at])
        l->at++;
    ret->pos = l->at;
    if (l->at >= l->len) {
        ret->type = CZ__T_END;
        return CZ_OK;
    }
    char c = l->s[l->at];
    if (is_letter(c))
        return identifier(l, ret);
    if (is_digit(c) || c == '-')
        return number(l, ret);
    if (c == '"')
        return quoted(l, ret);
    if (c == '`')
        return literal(l, ret);
    if (c == '\'')
        return raw_string(l, ret);
    return operator_token(l, ret);
}
