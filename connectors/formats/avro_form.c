/* SPDX-License-Identifier: Apache-2.0 */
/* What a schema means, whatever way it is written: see cz_avro_schema_form(). */
#include <string.h>

#include "avro_priv.h"
#include "cz/alloc.h"
#include "cz/map.h"

struct form {
    struct cz_buf out;
    struct cz_map named; /* types that were written in full */
};

static void add_name(struct form *f, const char *name)
{
    cz_buf_add_json_string(&f->out, name, strlen(name));
}

static void add_type(struct form *f, const struct cz__avro_type *t)
{
    static const char kinds[] = "nbilfdBSREAMUF"; /* as in enum cz__avro_kind */
    cz_buf_addc(&f->out, kinds[t->kind]);
    if (t->name) {
        add_name(f, t->name);
        if (cz_map_get(&f->named, t->name))
            return; /* a type may contain itself */
        cz_map_put(&f->named, t->name, f);
    }
    if (t->logical == CZ__AVRO_DECIMAL)
        cz_buf_addf(&f->out, "d%u.%u", t->precision, t->scale);
    else if (t->logical == CZ__AVRO_UUID)
        cz_buf_addc(&f->out, 'u');
    if (t->kind == CZ__AVRO_FIXED)
        cz_buf_addf(&f->out, "%zu", t->size);
    cz_buf_addc(&f->out, '(');
    for (size_t i = 0; i < t->n; i++) {
        if (t->fields)
            add_name(f, t->fields[i].name);
        if (t->symbols)
            add_name(f, t->symbols[i]);
        else
            add_type(f, t->fields ? t->fields[i].type : t->of[i]);
    }
    cz_buf_addc(&f->out, ')');
}

char *cz_avro_schema_form(const struct cz_avro_schema *s)
{
    struct form f = {.out = CZ_BUF_INIT((size_t)CZ_MAX_AVRO_SCHEMA * 8), .named = CZ_MAP_INIT(NULL)};
    add_type(&f, s->root);
    cz_map_done(&f.named);
    if (!f.out.failed)
        return cz_buf_steal(&f.out);
    cz_buf_done(&f.out);
    return NULL;
}
