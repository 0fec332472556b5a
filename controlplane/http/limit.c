/* SPDX-License-Identifier: Apache-2.0 */
/** How many requests an address and a principal may send: a bucket each, that fills with the rate and
 *  holds what WINDOW_S fill.  The address is asked before the credential is looked up, the principal
 *  after it.  Memory is fixed: of too many askers the one that was quiet longest is forgotten, which
 *  only ever allows more. */
#include <arpa/inet.h>
#include <string.h>

#include "cz/alloc.h"
#include "http_priv.h"

enum { SLOTS = 8192, PROBES = 16, WINDOW_S = 10 };

void cz__limits_init(struct cz__limits *l)
{
    cz_mutex_init(&l->lock);
    l->slots = cz_alloc_array(SLOTS, sizeof(*l->slots));
}

void cz__limits_done(struct cz__limits *l)
{
    cz_free(l->slots);
    cz_mutex_done(&l->lock);
}

/* One customer has a whole /64 of IPv6. */
static void network_of(const char *peer, char out[64])
{
    struct in6_addr a;
    (void)snprintf(out, 64, "%s", peer);
    if (inet_pton(AF_INET6, peer, &a) != 1 || IN6_IS_ADDR_V4MAPPED(&a))
        return;
    memset(a.s6_addr + 8, 0, 8);
    (void)inet_ntop(AF_INET6, &a, out, 64);
}

static struct cz__limit_slot *slot_of(struct cz__limits *l, const char *key)
{
    uint64_t h = 0;
    memcpy(&h, key, sizeof(h));
    struct cz__limit_slot *best = NULL;
    for (size_t i = 0; i < PROBES; i++) {
        struct cz__limit_slot *s = &l->slots[(h * 0x9e3779b97f4a7c15u + i) % SLOTS];
        if (strcmp(s->key, key) == 0)
            return s;
        if (!best || s->full_at < best->full_at)
            best = s;
    }
    *best = (struct cz__limit_slot){0};
    memcpy(best->key, key, sizeof(best->key));
    return best;
}

/* One more request of @who at @per_second. @ret: how it stands then. */
static void take(struct cz__limits *l, const char *policy, const char *who, int per_second,
                 struct cz__limit *ret)
{
    CZ_CLEANUP(cz_freep) char *text = cz_strf("%s\n%s", policy, who);
    char key[65];
    cz_time now = cz_now(), each = CZ_SEC / per_second, window = WINDOW_S * CZ_SEC;
    (void)cz_sha256_hex(text, strlen(text), key);
    CZ_LOCKED(&l->lock);
    struct cz__limit_slot *s = slot_of(l, key);
    cz_time full = (s->full_at > now ? s->full_at : now) + each;
    bool over = full - now > window;
    if (!over)
        s->full_at = full;
    *ret = (struct cz__limit){.policy = policy,
                              .quota = (int64_t)per_second * WINDOW_S,
                              .left = over ? 0 : (now + window - full) / each,
                              .reset_s = (s->full_at - now + CZ_SEC - 1) / CZ_SEC,
                              .wait_s = over ? (full - now - window + CZ_SEC - 1) / CZ_SEC : 0};
}

static enum cz_err check(struct cz_http_request *rq, const char *policy, const char *who,
                         int per_second, struct cz_error *err)
{
    /* Probes and scrapes tell whether the server lives: they are never refused. */
    if (per_second <= 0 || !who || (rq->route->flags & CZ_HTTP_QUIET))
        return CZ_OK;
    take(&rq->server->limits, policy, who, per_second, &rq->limit);
    if (rq->limit.wait_s == 0)
        return CZ_OK;
    return cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, (int)rq->limit.wait_s,
                         "too many requests of this %s: more than %d a second", policy, per_second);
}

enum cz_err cz__limit_address(struct cz_http_request *rq, struct cz_error *err)
{
    char network[64] = "";
    if (rq->raw->peer)
        network_of(rq->raw->peer, network);
    return check(rq, "address", rq->raw->peer ? network : NULL,
                 rq->server->o.requests_per_second_per_ip, err);
}

enum cz_err cz__limit_principal(struct cz_http_request *rq, struct cz_error *err)
{
    return check(rq, "principal", rq->who.id ? rq->who.id : rq->who.actor,
                 rq->server->o.requests_per_second, err);
}
