/* SPDX-License-Identifier: Apache-2.0 */
/* Which schema a payload names: in front of it, or in a header. */
#include <string.h>

#include "cz/avro_wire.h"

enum { MAGIC_ID = 0, MAGIC_GUID = 1, ID_SIZE = 5, GUID_SIZE = 17 };

static bool take(const unsigned char *b, size_t len, struct cz_schema_name *ret, size_t *ret_size)
{
    if (len >= ID_SIZE && b[0] == MAGIC_ID) {
        *ret = (struct cz_schema_name){
            .id = (uint32_t)b[1] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 8 | b[4]};
        *ret_size = ID_SIZE;
        return true;
    }
    if (len >= GUID_SIZE && b[0] == MAGIC_GUID) {
        *ret = (struct cz_schema_name){.is_guid = true};
        memcpy(ret->guid, b + 1, sizeof ret->guid);
        *ret_size = GUID_SIZE;
        return true;
    }
    return false;
}

enum cz_err cz_avro_wire(struct cz_slice payload, struct cz_slice header, struct cz_avro_wire *ret,
                         struct cz_error *err)
{
    size_t size = 0;
    struct cz_avro_wire w = {.datum = payload};
    if (header.data) {
        if (!take((const unsigned char *)header.data, header.len, &w.name, &size) || size != header.len)
            return cz_fail(err, CZ_E_PARSE, "the header that names the schema holds neither an id nor a GUID");
        w.in_header = true;
        *ret = w;
        return CZ_OK;
    }
    if (!take((const unsigned char *)payload.data, payload.len, &w.name, &size))
        return cz_fail(err, CZ_E_PARSE,
                       "no schema is named: the bytes begin neither with 0 and an id of four bytes, nor "
                       "with 1 and a GUID");
    w.datum = (struct cz_slice){payload.data + size, payload.len - size};
    w.prefix = size;
    *ret = w;
    return CZ_OK;
}

size_t cz_avro_wire_put(unsigned char *out, const struct cz_schema_name *name)
{
    out[0] = name->is_guid ? MAGIC_GUID : MAGIC_ID;
    if (name->is_guid) {
        memcpy(out + 1, name->guid, sizeof name->guid);
        return GUID_SIZE;
    }
    out[1] = (unsigned char)(name->id >> 24);
    out[2] = (unsigned char)(name->id >> 16);
    out[3] = (unsigned char)(name->id >> 8);
    out[4] = (unsigned char)name->id;
    return ID_SIZE;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool cz_schema_guid_parse(const char *text, struct cz_schema_name *ret)
{
    struct cz_schema_name n = {.is_guid = true};
    for (size_t i = 0; text && i < sizeof n.guid; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return false;
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return false;
        n.guid[i] = (unsigned char)(high << 4 | low);
        text += 2;
    }
    if (!text || *text)
        return false;
    *ret = n;
    return true;
}

char *cz_schema_name_text(const struct cz_schema_name *n, char *out)
{
    static const char hex[] = "0123456789abcdef";
    char *p = out;
    if (!n->is_guid) {
        uint32_t id = n->id;
        char digits[10], *d = digits + sizeof digits;
        do
            *--d = (char)('0' + id % 10);
        while (id /= 10);
        memcpy(out, d, (size_t)(digits + sizeof digits - d));
        out[digits + sizeof digits - d] = '\0';
        return out;
    }
    for (size_t i = 0; i < sizeof n->guid; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[n->guid[i] >> 4];
        *p++ = hex[n->guid[i] & 15];
    }
    *p = '\0';
    return out;
}
