/* SPDX-License-Identifier: Apache-2.0 */
/** The named schemas of the OpenAPI document.  The shapes of answers stand in schemas.json,
 * which is built into the program.  What a config table describes comes from the table
 * (ClusterSpec, MappingSpec).  Document, envelope, list and answer of the five kinds are put
 * together here. */
#include "api_priv.h"
#include "cz/mapping_spec.h"

extern const char cz__schemas_json[];
extern const size_t cz__schemas_json_len;

static json_t *ref_to(const char *base, const char *suffix)
{
    char *s = cz_strf("#/components/schemas/%s%s", base, suffix);
    json_t *j = json_pack("{s:s}", "$ref", s);
    cz_free(s);
    return j;
}

static void put(json_t *all, const char *base, const char *suffix, json_t *schema)
{
    char *name = cz_strf("%s%s", base, suffix);
    (void)json_object_set_new(all, name, schema);
    cz_free(name);
}

/* An object of the members that every kind has, and the spec of this one.  What GET gives may
 * be sent back, so a document has the read-only members too: they are compared and not written.
 */
static json_t *object_of(const char *kind, const json_t *members, json_t *required)
{
    json_t *j = json_deep_copy(members);
    (void)json_object_set_new(json_object_get(j, "properties"), "spec", ref_to(kind, "Spec"));
    (void)json_object_set_new(j, "required", required);
    return j;
}

static void add_kind(json_t *all, const json_t *members, const char *kind)
{
    put(all, kind, "Document", object_of(kind, members, json_pack("[s]", "spec")));
    put(all, kind, "",
        object_of(kind, members,
                  json_pack("[s, s, s, s, s, s, s]", "kind", "name", "team", "uid",
                            "generation", "version", "spec")));
    put(all, kind, "List",
        json_pack("{s:s, s:[s, s, s], s:{s:{s:s, s:o}, s:{s:[s, s]}, s:o}}", "type", "object",
                  "required", "items", "next", "seq", "properties", "items", "type", "array",
                  "items", ref_to(kind, ""), "next", "type", "string", "null", "seq",
                  ref_to("Int64", "")));
    put(all, kind, "Written",
        json_pack("{s:[o, o]}", "allOf", ref_to(kind, ""), ref_to("Written", "")));
}

json_t *cz__api_schemas(void)
{
    static const char *const kinds[] = {"Cluster", "Mapping", "Template", "Instance",
                                        "ValueMap", "Binding", "Grant"};
    json_t *all =
        json_loadb(cz__schemas_json, cz__schemas_json_len, JSON_REJECT_DUPLICATES, NULL);
    json_t *members = json_incref(json_object_get(all, "EnvelopeMembers"));
    (void)json_object_del(all, "EnvelopeMembers");
    (void)json_object_set_new(all, "ClusterSpec", cz_cfg_schema(cz_cluster_table));
    (void)json_object_set_new(all, "MappingSpec", cz_cfg_schema(cz_mapping_table));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        add_kind(all, members, kinds[i]);
    json_decref(members);
    return all;
}
