/* SPDX-License-Identifier: Apache-2.0 */
/** What a plain scalar means: the core schema of YAML 1.2, minus what JSON cannot say and minus
 *  the forms on which YAML 1.1 and 1.2 disagree silently (010 is 8 in one and 10 in the other).
 */
#include <string.h>

#include "yaml_doc.h"

static bool among(const char *s, size_t n, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == n && memcmp(*words, s, n) == 0)
            return true;
    return false;
}

static size_t digits(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && s[i] >= '0' && s[i] <= '9')
        i++;
    return i;
}

/* 0o17, 0x1F */
static bool is_prefixed(const char *s, size_t n)
{
    if (n < 3 || s[0] != '0' || (s[1] != 'o' && s[1] != 'x'))
        return false;
    const char *set = s[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF";
    for (size_t i = 2; i < n; i++)
        if (!s[i] || !strchr(set, s[i]))
            return false;
    return true;
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ([eE][-+]?[0-9]+)? */
static enum cz_yaml_scalar number(const char *s, size_t n)
{
    size_t i = n > 0 && (s[0] == '-' || s[0] == '+') ? 1 : 0;
    size_t whole = digits(s + i, n - i), fraction = 0;
    bool zero_first = whole > 1 && s[i] == '0', dot = false;
    i += whole;
    if (i < n && s[i] == '.') {
        dot = true;
        fraction = digits(s + i + 1, n - i - 1);
        i += 1 + fraction;
    }
    if (whole == 0 && fraction == 0)
        return CZ_YAML_STRING;
    bool exponent = i < n && (s[i] == 'e' || s[i] == 'E');
    if (exponent) {
        i += i + 1 < n && (s[i + 1] == '-' || s[i + 1] == '+') ? 2 : 1;
        size_t power = digits(s + i, n - i);
        if (power == 0)
            return CZ_YAML_STRING;
        i += power;
    }
    if (i != n)
        return CZ_YAML_STRING;
    if (zero_first)
        return CZ_YAML_REFUSED;
    return dot || exponent ? CZ_YAML_FLOAT : CZ_YAML_INT;
}

enum cz_yaml_scalar cz_yaml_resolve(const char *s, size_t n)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const no_json[] = {
        ".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
        "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL,
    };
    if (among(s, n, nulls))
        return CZ_YAML_NULL;
    if (among(s, n, trues))
        return CZ_YAML_TRUE;
    if (among(s, n, falses))
        return CZ_YAML_FALSE;
    if (among(s, n, no_json))
        return CZ_YAML_REFUSED;
    return is_prefixed(s, n) ? CZ_YAML_INT : number(s, n);
}
