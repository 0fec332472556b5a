/* SPDX-License-Identifier: Apache-2.0 */
/** A proxy between the store and the server that misbehaves on demand, to cut the wire at the
 * very moment that matters.  One thread; the mode may be set from any thread. */
#ifndef PG_PROXY_H
#define PG_PROXY_H

enum pg_proxy_mode {
    PROXY_PASS,
    PROXY_REFUSE,            /* ends all connections, and every new one at once */
    PROXY_STALL,             /* takes connections and says nothing, as a stopped process does */
    PROXY_CUT_BEFORE_COMMIT, /* the server never sees the COMMIT; then PASS */
    PROXY_CUT_AFTER_COMMIT,  /* the client never sees the answer; then PASS */
    PROXY_CUT_DURING_COMMIT, /* the client is cut off while the server still works; then PASS */
    PROXY_REFUSE_FROM_COMMIT, /* as CUT_BEFORE_COMMIT; then REFUSE */
};
struct pg_proxy;
struct pg_proxy *pg_proxy_new(const char *host, const char *port); /* of the server */
void pg_proxy_free(struct pg_proxy *p);
const char *pg_proxy_port(const struct pg_proxy *p); /* on 127.0.0.1 */
void pg_proxy_set(struct pg_proxy *p, enum pg_proxy_mode mode);
enum pg_proxy_mode pg_proxy_get(struct pg_proxy *p);

#endif
