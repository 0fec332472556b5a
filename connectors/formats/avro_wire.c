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

void cz_avro_wire_put_id(unsigned char *out, uint32_t id)
{
    out[0] = MAGIC_ID;
    out[1] = (unsigned char)(id >> 24);
    out[2] = (unsigned char)(id >> 16);
    out[3] = (unsigned char)(id >> 8);
    out[4] = (unsigned char)id;
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
