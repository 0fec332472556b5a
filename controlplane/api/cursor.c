/* SPDX-License-Identifier: Apache-2.0 */
/** Cursors of list pages: "scope\nteam\nname" as hex, and an HMAC-SHA-256 over it.  The scope
 * names the list and its filters, so that a cursor can neither be made up nor used with another
 * query. The key is a secret of the deployment: every control plane instance reads every
 * cursor. */
#include <string.h>

#include "api_priv.h"
#include "cz/secret.h"

#define MAC_HEX 64

static void to_hex(const unsigned char *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(const char *s, size_t n, unsigned char *out)
{
    for (size_t i = 0; i < n; i++) {
        int hi = nibble(s[2 * i]), lo = nibble(s[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (unsigned char)(hi * 16 + lo);
    }
    return true;
}

/* RFC 2104; the key is one block (64 bytes) long. */
static void hmac(const char key[65], const void *text, size_t n, char out[MAC_HEX + 1])
{
    struct cz_buf b = CZ_BUF_INIT(1 << 20);
    unsigned char inner[32];
    for (int i = 0; i < 64; i++)
        cz_buf_addc(&b, (char)(key[i] ^ 0x36));
    cz_buf_add(&b, text, n);
    (void)cz_sha256_hex(b.data, b.len, out);
    (void)from_hex(out, sizeof(inner), inner);
    cz_buf_clear(&b);
    for (int i = 0; i < 64; i++)
        cz_buf_addc(&b, (char)(key[i] ^ 0x5c));
    cz_buf_add(&b, inner, sizeof(inner));
    (void)cz_sha256_hex(b.data, b.len, out);
    cz_buf_done(&b);
}

static enum cz_err cursor_key(const struct cz_api *a, char ret[65], struct cz_error *err)
{
    return cz_identity_secret(a->identity, "citizenk cursor v1", ret, err);
}

enum cz_err cz__cursor_ready(const struct cz_api *a, struct cz_error *err)
{
    char key[65];
    return cursor_key(a, key, err);
}

char *
cz__cursor_make(const struct cz_api *a, const char *scope, const char *team, const char *name)
{
    char hash[65], key[65], mac[MAC_HEX + 1];
    if (cursor_key(a, key, NULL) != CZ_OK)
        return NULL;
    (void)cz_sha256_hex(scope, strlen(scope), hash);
    hash[16] = 0;
    char *text = cz_strf("%s\n%s\n%s", hash, team, name);
    size_t n = strlen(text);
    char *out = cz_alloc(2 * n + MAC_HEX + 1);
    hmac(key, text, n, mac);
    to_hex((const unsigned char *)text, n, out);
    memcpy(out + 2 * n, mac, MAC_HEX + 1);
    cz_free(text);
    return out;
}

/* "hash\nteam\nname" → its parts; false when it is for another list. */
static bool split(char *text, const char *scope, char **ret_team, char **ret_name)
{
    char hash[65];
    char *team = strchr(text, '\n');
    char *name = team ? strchr(team + 1, '\n') : NULL;
    if (!name)
        return false;
    *team++ = 0;
    *name++ = 0;
    (void)cz_sha256_hex(scope, strlen(scope), hash);
    hash[16] = 0;
    if (strcmp(hash, text) != 0)
        return false;
    *ret_team = cz_strdup(team);
    *ret_name = cz_strdup(name);
    return true;
}

enum cz_err cz__cursor_read(const struct cz_api *a,
                            const char *scope,
                            const char *cursor,
                            char **ret_team,
                            char **ret_name,
                            struct cz_error *err)
{
    size_t len = strlen(cursor);
    size_t n = len > MAC_HEX ? (len - MAC_HEX) / 2 : 0;
    char key[65], mac[MAC_HEX + 1];
    bool ok = false;
    enum cz_err rc = cursor_key(a, key, err);
    if (rc != CZ_OK)
        return rc;
    CZ_CLEANUP(cz_freep) char *text = cz_alloc(n + 1);
    if (n && len == 2 * n + MAC_HEX && from_hex(cursor, n, (unsigned char *)text)) {
        hmac(key, text, n, mac);
        ok = cz_secret_equal(mac, MAC_HEX, cursor + 2 * n, MAC_HEX) &&
             split(text, scope, ret_team, ret_name);
    }
    return ok ? CZ_OK
              : cz_fail(err, CZ_E_PARSE,
                        "this cursor does not belong to this list and these filters");
}
