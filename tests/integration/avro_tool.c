/* SPDX-License-Identifier: Apache-2.0 */
/** Avro by our reader and writer, for the property tests against fastavro.  Requests on stdin, three
 *  lines each: a schema; "read", "write" or "rewrite"; hex, JSON, or both with a blank between.
 *  Answers on stdout, a line each: "ok " and JSON or hex, or "error " and the reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/avro.h"
#include "cz/json.h"

static char *line(void)
{
    static char buffer[1 << 20];
    if (!fgets(buffer, sizeof buffer, stdin))
        return NULL;
    buffer[strcspn(buffer, "\n")] = '\0';
    return cz_strdup(buffer);
}

static struct cz_slice unhex(const char *hex, size_t len)
{
    char *out = cz_alloc(len / 2 + 1);
    for (size_t i = 0; i + 1 < len; i += 2) {
        char two[3] = {hex[i], hex[i + 1], 0};
        out[i / 2] = (char)strtol(two, NULL, 16);
    }
    return (struct cz_slice){out, len / 2};
}

static void answer(bool ok, bool hex, const struct cz_buf *out, const struct cz_error *err)
{
    printf("%s ", ok ? "ok" : "error");
    if (!ok)
        printf("%s", err->text);
    for (size_t i = 0; ok && hex && i < out->len; i++)
        printf("%02x", (unsigned char)out->data[i]);
    if (ok && !hex)
        printf("%s", cz_buf_str(out));
    printf("\n");
    (void)fflush(stdout);
}

static void serve(const char *schema_text, const char *what, const char *arg)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_avro_schema *s = NULL;
    struct cz_buf out = CZ_BUF_INIT(1 << 24);
    const struct cz_slice text = {schema_text, strlen(schema_text)};
    bool read = strcmp(what, "read") == 0;
    size_t n = strcmp(what, "write") == 0 ? 0 : strcspn(arg, " ");
    struct cz_slice datum = unhex(arg, n);
    const char *json = arg[n] == ' ' ? arg + n + 1 : arg + n;
    enum cz_err code = cz_avro_schema_new(&text, 1, &s, &err);
    if (!code && read) {
        code = cz_avro_to_json(s, NULL, datum.data, datum.len, &out, &err);
    } else if (!code) {
        struct cz_avro_writer *w = cz_avro_writer_new();
        code = cz_avro_from_json(w, s, (struct cz_slice){json, strlen(json)},
                                 n ? datum : (struct cz_slice){0}, &out, &err);
        cz_avro_writer_free(w);
    }
    answer(!code, !read, &out, &err);
    cz_avro_schema_free(s);
    cz_buf_done(&out);
    cz_free((void *)CZ_UNCONST(datum.data));
}

int main(void)
{
    cz_json_init();
    char *schema;
    while ((schema = line())) {
        char *what = line(), *arg = line();
        if (what && arg)
            serve(schema, what, arg);
        cz_free(schema);
        cz_free(what);
        cz_free(arg);
    }
    return 0;
}
