/* SPDX-License-Identifier: Apache-2.0 */
/** The form of our random secrets: "czk_<kind>_<43 base62>_<6 base62>".  The prefix and the CRC let
 *  secret scanners find one that leaked, and refuse a mistyped one without asking the database. 43
 *  characters hold 256 bits, so that a plain SHA-256 is enough for storing it. */
#include <string.h>

#include "identity_priv.h"

enum { RANDOM_LEN = 43, CRC_LEN = 6 };

static const char ALPHABET[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 (IEEE), bit by bit: 60 bytes now and then. */
static uint32_t crc32_of(const char *s, size_t n)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)s[i];
        for (int k = 0; k < 8; k++)
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static void add_crc(char *token, size_t n)
{
    uint32_t crc = crc32_of(token, n);
    token[n] = '_';
    for (int i = CRC_LEN; i > 0; i--) {
        token[n + (size_t)i] = ALPHABET[crc % 62];
        crc /= 62;
    }
    token[n + 1 + CRC_LEN] = 0;
}

void cz__token_make(const char *kind, char out[CZ__TOKEN_SIZE])
{
    size_t n = (size_t)snprintf(out, CZ__TOKEN_SIZE - RANDOM_LEN - CRC_LEN - 2, "czk_%s_", kind);
    for (size_t end = n + RANDOM_LEN; n < end;) {
        unsigned char byte;
        cz_random(&byte, 1);
        if (byte < 248) /* 4 * 62: every character is equally likely */
            out[n++] = ALPHABET[byte % 62];
    }
    add_crc(out, n);
}

bool cz__token_check(const char *token, size_t len, const char *kind)
{
    char again[CZ__TOKEN_SIZE];
    char start[16];
    size_t k = kind ? (size_t)snprintf(start, sizeof(start), "czk_%s_", kind) : 0;
    if (len < 4 + RANDOM_LEN + 1 + CRC_LEN || len >= CZ__TOKEN_SIZE ||
        strncmp(token, "czk_", 4) != 0 || strlen(token) != len || (kind && strncmp(token, start, k)))
        return false;
    size_t n = len - 1 - CRC_LEN;
    memcpy(again, token, n);
    add_crc(again, n);
    return strcmp(again, token) == 0;
}
