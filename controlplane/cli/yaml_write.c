/* SPDX-License-Identifier: Apache-2.0 */
/** Writer of the YAML subset, by libyaml's emitter.  A string is quoted when its plain form
 * would mean something else, here or to a reader of YAML 1.1 (yes, off, 1:30, 2024-01-01). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "yaml_doc.h"

static bool means_more_in_1_1(const char *s)
{
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "=", "<<", NULL};
    for (size_t i = 0; words[i]; i++)
        if (strcasecmp(words[i], s) == 0)
            return true;
    /* numbers with _, sexagesimals, dates: anything that starts like a number and is none */
    const char *rest = s + (*s == '-' || *s == '+');
    return (*rest >= '0' && *rest <= '9') &&
           strspn(rest, "0123456789_:.-+eExXobTZ") == strlen(rest);
}

static yaml_scalar_style_t style_of(const char *s, size_t n, bool key)
{
    if (!key && memchr(s, '\n', n) && s[0] != ' ' && s[0] != '\n')
        return YAML_LITERAL_SCALAR_STYLE; /* the emitter falls back to quotes where it must */
    return cz_yaml_resolve(s, n) == CZ_YAML_STRING && !means_more_in_1_1(s)
               ? YAML_ANY_SCALAR_STYLE
               : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
}

static bool emit(yaml_emitter_t *e, yaml_event_t *event)
{
    return yaml_emitter_emit(e, event) == 1;
}

static bool emit_text(yaml_emitter_t *e, const char *s, size_t n, yaml_scalar_style_t style)
{
    yaml_event_t event;
    const yaml_char_t *text = (const yaml_char_t *)s;
    return yaml_scalar_event_initialize(&event, NULL, NULL, text, (int)n, 1, 1, style) == 1 &&
           emit(e, &event);
}

static bool emit_value(yaml_emitter_t *e, const json_t *j);

static bool emit_object(yaml_emitter_t *e, const json_t *j)
{
    yaml_event_t event;
    const char *key;
    json_t *value;
    yaml_mapping_style_t style =
        json_object_size(j) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
    if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style) || !emit(e, &event))
        return false;
    json_object_foreach ((json_t *)CZ_UNCONST(j), key, value) {
        size_t n = strlen(key);
        if (!emit_text(e, key, n, style_of(key, n, true)) || !emit_value(e, value))
            return false;
    }
    return yaml_mapping_end_event_initialize(&event) == 1 && emit(e, &event);
}

static bool emit_array(yaml_emitter_t *e, const json_t *j)
{
    yaml_event_t event;
    yaml_sequence_style_t style =
        json_array_size(j) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
    if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style) || !emit(e, &event))
        return false;
    for (size_t i = 0; i < json_array_size(j); i++)
        if (!emit_value(e, json_array_get(j, i)))
            return false;
    return yaml_sequence_end_event_initialize(&event) == 1 && emit(e, &event);
}

static bool emit_value(yaml_emitter_t *e, const json_t *j)
{
    if (json_is_object(j))
        return emit_object(e, j);
    if (json_is_array(j))
        return emit_array(e, j);
    if (json_is_string(j)) {
        const char *s = json_string_value(j);
        size_t n = json_string_length(j);
        return emit_text(e, s, n, style_of(s, n, false));
    }
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(j, false);
    return emit_text(e, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

static int write_to_buf(void *arg, unsigned char *p, size_t n)
{
    struct cz_buf *b = arg;
    cz_buf_add(b, p, n);
    return !b->failed;
}

static bool emit_document(yaml_emitter_t *e, const json_t *j)
{
    yaml_event_t event;
    return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) == 1 &&
           emit(e, &event) &&
           yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) == 1 &&
           emit(e, &event) && emit_value(e, j) &&
           yaml_document_end_event_initialize(&event, 1) == 1 && emit(e, &event) &&
           yaml_stream_end_event_initialize(&event) == 1 && emit(e, &event);
}

void cz_yaml_write(struct cz_buf *out, const json_t *j)
{
    yaml_emitter_t e;
    struct cz_buf text = CZ_BUF_INIT(out->max);
    if (!yaml_emitter_initialize(&e))
        abort(); /* out of memory */
    yaml_emitter_set_output(&e, write_to_buf, &text);
    yaml_emitter_set_unicode(&e, 1);
    yaml_emitter_set_width(&e, -1);
    yaml_emitter_set_indent(&e, 2);
    bool ok = emit_document(&e, j);
    /* a bare scalar at the root is ended by "..." */
    if (text.len >= 5 && memcmp(text.data + text.len - 5, "\n...\n", 5) == 0)
        text.len -= 4;
    if (ok)
        cz_buf_add(out, cz_buf_str(&text), text.len);
    else
        out->failed = true;
    yaml_emitter_delete(&e);
    cz_buf_done(&text);
}
