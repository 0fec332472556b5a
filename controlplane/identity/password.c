/* SPDX-License-Identifier: Apache-2.0 */
/** Passwords of local accounts: what may be one, and argon2id (19 MiB, 2 passes).  A hash is dear on
 *  purpose, so only a few run at a time; the others wait, and not for long: otherwise the page that
 *  everybody may open would be the way to take all memory. */
#include <argon2.h>
#include <ctype.h>
#include <string.h>

#include "identity_priv.h"

enum { MEMORY_KIB = 19 * 1024, PASSES = 2, LANES = 1, SALT_LEN = 16, HASH_LEN = 32 };
enum { AT_ONCE = 4, MAX_WAITING = 200, PATIENCE_MS = 5000 };
enum { MIN_CHARS = 8, MAX_BYTES = 1024 };

/* The 3000 most frequent ones of eight and more characters, in lower case, one a line: from the list of
 * 20,000 that Royce Williams made of leaked passwords and Django ships. */
extern const char cz__common_passwords[];
extern const size_t cz__common_passwords_len;

/* ---- hashing -------------------------------------------------------------------------------- */

static bool hash(const char *password, char out[CZ__PASSWORD_HASH_SIZE])
{
    unsigned char salt[SALT_LEN];
    cz_random(salt, sizeof(salt));
    return argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password, strlen(password), salt,
                                 sizeof(salt), HASH_LEN, out, CZ__PASSWORD_HASH_SIZE) == ARGON2_OK;
}

void cz__hasher_init(struct cz__hasher *h)
{
    cz_mutex_init(&h->lock);
    cz_cond_init(&h->freed);
}

void cz__hasher_done(struct cz__hasher *h)
{
    cz_cond_done(&h->freed);
    cz_mutex_done(&h->lock);
}

enum cz_err cz__hasher_enter(struct cz__hasher *h, struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(PATIENCE_MS);
    CZ_LOCKED(&h->lock);
    bool room = h->running < AT_ONCE || h->waiting < MAX_WAITING;
    h->waiting++;
    while (room && h->running >= AT_ONCE && cz_now() < deadline)
        (void)cz_cond_wait(&h->freed, &h->lock, deadline);
    h->waiting--;
    if (h->running >= AT_ONCE)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "too many sign-ins at once: try again");
    h->running++;
    return CZ_OK;
}

void cz__hasher_leave(struct cz__hasher *h)
{
    CZ_LOCKED(&h->lock);
    h->running--;
    cz_cond_signal(&h->freed);
}

enum cz_err cz__password_hash(struct cz__hasher *h, const char *password,
                              char out[CZ__PASSWORD_HASH_SIZE], struct cz_error *err)
{
    enum cz_err rc = cz__hasher_enter(h, err);
    if (rc != CZ_OK)
        return rc;
    bool ok = hash(password, out);
    cz__hasher_leave(h);
    return ok ? CZ_OK : cz_fail(err, CZ_E_INTERNAL, "the password could not be hashed");
}

/* Made at the first need, of random bytes that nobody knows. */
static void dummy(struct cz__hasher *h, char out[CZ__PASSWORD_HASH_SIZE])
{
    char nobody[CZ_UID_SIZE];
    cz_mutex_lock(&h->lock);
    memcpy(out, h->dummy, CZ__PASSWORD_HASH_SIZE);
    cz_mutex_unlock(&h->lock);
    if (out[0] || !hash(cz_uid(nobody), out))
        return;
    CZ_LOCKED(&h->lock);
    memcpy(h->dummy, out, CZ__PASSWORD_HASH_SIZE);
}

bool cz__password_verify(struct cz__hasher *h, const char *password, const char *stored)
{
    char nobody[CZ__PASSWORD_HASH_SIZE];
    if (!stored)
        dummy(h, nobody);
    bool same = argon2id_verify(stored ? stored : nobody, password, strlen(password)) == ARGON2_OK;
    return stored && same;
}

/* ---- rules ---------------------------------------------------------------------------------- */

static size_t chars(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static bool is_common(const char *lower, size_t len)
{
    const char *end = cz__common_passwords + cz__common_passwords_len;
    for (const char *p = cz__common_passwords; p < end;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            eol = end;
        if ((size_t)(eol - p) == len && memcmp(p, lower, len) == 0)
            return true;
        p = eol + 1;
    }
    return false;
}

static char *lower_of(const char *s)
{
    char *out = cz_strdup(s);
    for (char *p = out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return out;
}

/* No rules of composition: they make passwords worse.  Long, and not the one that everybody has. */
void cz__password_check(const char *password, size_t len, const char *name, const char *pointer,
                        struct cz_report *rep)
{
    if (strlen(password) != len) {
        (void)cz_report_add(rep, pointer, "value", "must not hold a NUL character");
        return;
    }
    CZ_CLEANUP(cz_freep) char *lower = lower_of(password);
    CZ_CLEANUP(cz_freep) char *lower_name = lower_of(name ? name : "");
    if (chars(password) < MIN_CHARS)
        (void)cz_report_add(rep, pointer, "length",
                            "must have %d characters at least; 15 and more are recommended",
                            MIN_CHARS);
    else if (len > MAX_BYTES)
        (void)cz_report_add(rep, pointer, "length", "must have %d bytes at most", MAX_BYTES);
    else if (is_common(lower, len))
        (void)cz_report_add(rep, pointer, "common",
                            "is one of the most common passwords: it would be tried first");
    else if (cz_streq(lower, lower_name))
        (void)cz_report_add(rep, pointer, "common", "must not be the name of the account");
    explicit_bzero(lower, strlen(lower));
}
