/* SPDX-License-Identifier: Apache-2.0 */
/* LIBS: cz_cli */
/** Files of the CLI: any bytes are read or refused with a place; what was read is written and
 * reads back the same; every pointer can be looked for; the checks of documents cope with all
 * of it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "docs.h"
#include "yaml_doc.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is said about bad documents is not wanted here. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    cz_json_init();
    return 0;
}

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stdout, "fuzz_yaml: %s\n", what);
    abort();
}

static void round_trip(const json_t *value)
{
    struct cz_buf b = CZ_BUF_INIT(64 * 1024 * 1024);
    struct cz_yaml_docs docs = {0};
    struct cz_error err = CZ_ERROR_INIT;
    cz_yaml_write(&b, value);
    check(!b.failed, "cannot be written");
    enum cz_err rc = cz_yaml_read(cz_buf_str(&b), b.len, &docs, &err);
    check(rc == CZ_OK, err.text);
    check(docs.len == 1 && json_equal(docs.items[0].value, value),
          "does not read back the same");
    cz_yaml_docs_done(&docs);
    cz_buf_done(&b);
}

static void read_documents(const char *text, size_t len)
{
    struct cz_yaml_docs docs = {0};
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_yaml_read(text, len, &docs, &err)) {
        check(err.text[0] >= '1' && err.text[0] <= '9' && strchr(err.text, ':'), "no place");
        check(docs.len == 0, "documents beside an error");
        return;
    }
    for (size_t i = 0; i < docs.len; i++) {
        struct cz_yaml_place p =
            cz_yaml_find(text, len, docs.items[i].index, "/spec/source/topic");
        check(p.line > 0 && p.column > 0, "a document without a place");
        round_trip(docs.items[i].value);
    }
    cz_yaml_docs_done(&docs);
}

static void check_documents(const char *text, size_t len)
{
    struct cz_docs d = {0};
    FILE *nowhere = fopen("/dev/null", "w");
    FILE *before = stderr;
    if (!nowhere)
        return;
    stderr = nowhere;
    cz_docs_add_text(&d, len > 0 && (text[0] & 1) ? "a.json" : "a.yaml", text, len);
    cz_docs_finish(&d);
    stderr = before;
    (void)fclose(nowhere);
    cz_docs_done(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = cz_alloc(size + 1);
    memcpy(text, data, size);
    read_documents(text, size);
    check_documents(text, size);
    cz_free(text);
    return 0;
}
