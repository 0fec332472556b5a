/* SPDX-License-Identifier: Apache-2.0 */
/** Who has tried too often.  Three counts: an account at an address (whoever mistypes), an address
 *  (whoever tries many accounts), and an account from anywhere (whoever uses many addresses).  Each
 *  makes the next try wait, longer each time; nothing is locked.  Where an account has signed in
 *  before, the third count does not apply: a stranger cannot keep its owner out. */
#include <string.h>

#include "identity_priv.h"

enum { SLOTS = 8192, PROBES = 32, FORGET_MS = 15 * 60 * 1000 };
static const struct {
    char prefix;
    unsigned free;  /* failures that cost nothing */
    int64_t max_ms; /* of waiting */
} RULES[] = {
    {'p', 3, 5 * 60 * 1000}, /* the pair */
    {'i', 30, 60 * 1000},    /* the address */
    {'a', 20, 30 * 1000},    /* the account */
};
enum { PAIR, ADDRESS, ACCOUNT, KINDS, KNOWN = KINDS };

void cz__throttle_init(struct cz__throttle *t)
{
    cz_mutex_init(&t->lock);
    t->tries = cz_alloc_array(SLOTS, sizeof(*t->tries));
}

void cz__throttle_done(struct cz__throttle *t)
{
    cz_free(t->tries);
    cz_mutex_done(&t->lock);
}

/* Keys are hashes: a name may be long, and should not lie about in memory if it is a password. */
static void key_of(int kind, const char *name, const char *ip, char out[CZ__HASH_SIZE])
{
    char prefix = kind == KNOWN ? 'k' : RULES[kind].prefix;
    CZ_CLEANUP(cz_freep) char *text =
        cz_strf("%c\n%s\n%s", prefix, kind == ADDRESS ? "" : name,
                kind == ACCOUNT || !ip ? "" : ip);
    (void)cz_sha256_hex(text, strlen(text), out);
}

static bool is_old(const struct cz__try *s, cz_time now)
{
    return now - s->last > FORGET_MS * CZ_MS;
}

/* The slot of a key. @make: when there is none, the free or oldest one near by. */
static struct cz__try *slot(struct cz__throttle *t, const char *key, bool make, cz_time now)
{
    uint64_t h = 0;
    memcpy(&h, key, sizeof(h));
    struct cz__try *best = NULL;
    for (size_t i = 0; i < PROBES; i++) {
        struct cz__try *s = &t->tries[(h * 0x9e3779b97f4a7c15u + i) % SLOTS];
        if (strcmp(s->key, key) == 0 && !is_old(s, now))
            return s;
        if (!best || !s->key[0] || (best->key[0] && s->last < best->last))
            best = s;
    }
    if (!make)
        return NULL;
    *best = (struct cz__try){.last = now};
    memcpy(best->key, key, CZ__HASH_SIZE);
    return best;
}

static int64_t wait_of(const struct cz__try *s, int kind, cz_time now)
{
    if (!s || s->failures < RULES[kind].free)
        return 0;
    unsigned over = s->failures - RULES[kind].free;
    int64_t wait = over < 20 ? (int64_t)1000 << over : RULES[kind].max_ms;
    wait = wait < RULES[kind].max_ms ? wait : RULES[kind].max_ms;
    int64_t left = wait - (now - s->last) / CZ_MS;
    return left > 0 ? left : 0;
}

int64_t cz__throttle_wait_ms(struct cz__throttle *t, const char *name, const char *ip, cz_time now)
{
    char key[CZ__HASH_SIZE];
    int64_t most = 0;
    CZ_LOCKED(&t->lock);
    key_of(KNOWN, name, ip, key);
    bool known = slot(t, key, false, now) != NULL;
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind == ACCOUNT && known)
            continue;
        key_of(kind, name, ip, key);
        int64_t wait = wait_of(slot(t, key, false, now), kind, now);
        most = wait > most ? wait : most;
    }
    return most;
}

void cz__throttle_failed(struct cz__throttle *t, const char *name, const char *ip, cz_time now)
{
    char key[CZ__HASH_SIZE];
    CZ_LOCKED(&t->lock);
    for (int kind = 0; kind < KINDS; kind++) {
        key_of(kind, name, ip, key);
        struct cz__try *s = slot(t, key, true, now);
        s->failures++;
        s->last = now;
    }
}

/* The address's own count stays: else one good account would pay for tries at all others. */
void cz__throttle_passed(struct cz__throttle *t, const char *name, const char *ip, cz_time now)
{
    char key[CZ__HASH_SIZE];
    CZ_LOCKED(&t->lock);
    key_of(PAIR, name, ip, key);
    struct cz__try *s = slot(t, key, false, now);
    if (s)
        *s = (struct cz__try){0};
    key_of(KNOWN, name, ip, key);
    slot(t, key, true, now)->last = now;
}
