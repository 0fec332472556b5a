/* SPDX-License-Identifier: Apache-2.0 */
/** The named schemas of the OpenAPI document.  What a config table describes comes from the table
 *  (ClusterSpec, MappingSpec); the shapes of answers stand here as text. */
#include <string.h>

#include "api_priv.h"
#include "cz/mapping_spec.h"

/* One quote less to type: ' stands for " in the texts below. */
struct schema {
    const char *name, *text;
};

#define REF(n) "{'$ref':'#/components/schemas/" n "'}"
#define LIST_OF(n)                                                                             \
    "{'type':'object','required':['items'],'properties':{'items':{'type':'array','items':"    \
    REF(n) "},'next':{'type':['string','null'],'description':'What to ask the next page "      \
    "with; null: this is the last one.'},'seq':" REF("Int64") "}}"
#define LABELS "{'type':'object','additionalProperties':{'type':'string'}}"

static const struct schema TEXTS[] = {
    {"Int64", "{'type':'string','pattern':'^-?[0-9]+$','description':'A 64-bit number as a string.'}"},
    {"Count", "{'type':['string','integer','null'],'description':'A number; a string when it may need 64 bits; "
              "null: unknown.'}"},
    {"Time", "{'type':'string','format':'date-time'}"},
    {"Problem",
     "{'type':'object','required':['type','title','status','instance'],'properties':{'type':{'type':'string',"
     "'description':'/problems/<slug>'},'title':{'type':'string'},'status':{'type':'integer'},'detail':{'type':"
     "'string'},'instance':{'type':'string','description':'/requests/<request id>'},'errors':{'type':'array','items':"
     REF("ProblemItem") "},'errors_truncated':{'type':'boolean'}}}"},
    {"ProblemItem", "{'type':'object','required':['pointer','code','message'],'properties':{'pointer':{'type':"
                    "'string','description':'JSON pointer into the body that was sent.'},'code':{'type':'string'},"
                    "'message':{'type':'string'}}}"},
    {"Health", "{'type':'object','required':['status'],'properties':{'status':{'enum':['ok','unavailable']},'checks':"
               "{'type':'array','items':{'type':'object','required':['name','ok'],'properties':{'name':{'type':"
               "'string'},'ok':{'type':'boolean'},'message':{'type':'string'}}}}}}"},
    {"Version", "{'type':'object','properties':{'version':{'type':'string'},'api':{'type':'string'},'librdkafka':"
                "{'type':'string'}}}"},
    {"OpenApi", "{'type':'object'}"},
    {"Empty", "{'type':'object','additionalProperties':false}"},
    {"MergePatch", "{'type':'object','description':'RFC 7396: members replace, null removes. Of group, labels, "
                   "description and spec.'}"},
    {"Team", "{'type':'object','required':['name'],'properties':{'name':{'type':'string'}}}"},
    {"TeamDocument", "{'type':'object','additionalProperties':false,'properties':{'name':{'type':'string'}}}"},
    {"TeamList", LIST_OF("Team")},
    {"Pause", "{'type':'object','additionalProperties':false,'properties':{'reason':{'type':['string','null'],"
              "'maxLength':1000},'until':{'type':['string','null'],'format':'date-time','description':'Resume by "
              "itself then; absent: until resumed.'}}}"},
    {"Restore", "{'type':'object','additionalProperties':false,'required':['generation'],'properties':{'generation':"
                "{'type':['string','integer']}}}"},
    {"Eval", "{'type':'object','additionalProperties':false,'required':['expression','document'],'properties':"
             "{'expression':{'type':'string','maxLength':4096},'document':{'description':'Any JSON value.'}}}"},
    {"EvalResult", "{'type':'object','required':['result'],'properties':{'result':{}}}"},
    {"TemplateSpec",
     "{'type':'object','additionalProperties':false,'properties':{'variables':{'type':'object','additionalProperties':"
     "{'type':'object','additionalProperties':false,'properties':{'default':{'type':'string'},'description':{'type':"
     "'string'}}}},'mappings':{'type':'array','items':{'type':'object','required':['name'],'additionalProperties':"
     "false,'properties':{'name':{'type':'string'},'group':{'type':'string'},'labels':" LABELS ",'description':"
     "{'type':'string'},'spec':{'type':'object','description':'A mapping spec with {{VARIABLES}} in its strings.'}}}}}}"},
    {"InstanceSpec",
     "{'type':'object','additionalProperties':false,'required':['template'],'properties':{'template':{'type':'string'},"
     "'vars':{'type':'object','additionalProperties':{'type':'string'}},'overrides':{'type':'object',"
     "'additionalProperties':{'type':'object','properties':{'enabled':{'type':'boolean'}}}}}}"},
    {"ValueMapSpec", "{'type':'object','description':'By place (key, value.a.b, key:partition): old value to new.',"
                     "'additionalProperties':{'type':'object'}}"},
    {"Override", "{'type':['object','null'],'properties':{'paused':{'type':'boolean'},'reason':{'type':['string',"
                 "'null']},'until':{'type':['string','null']},'restart':{'type':['string','null']}}}"},
    {"Condition", "{'type':'object','required':['type','status'],'properties':{'type':{'type':'string'},'status':"
                  "{'enum':['True','False','Unknown']},'reason':{'type':'string'},'message':{'type':'string'},"
                  "'observed_generation':" REF("Int64") ",'last_transition':{'type':['string','null']}}}"},
    {"Warning", REF("ProblemItem")},
    {"Touched", "{'type':'object','properties':{'op':{'type':'string'},'kind':{'type':'string'},'name':{'type':"
                "'string'}}}"},
    {"Skipped", "{'type':'object','properties':{'kind':{'type':'string'},'name':{'type':'string'},'reason':{'type':"
                "'string'}}}"},
    {"Written",
     "{'type':'object','required':['seq','warnings','changes','unchanged','dry_run'],'properties':{'seq':" REF("Int64")
     ",'warnings':{'type':'array','items':" REF("Warning") "},'changes':{'type':'array','items':" REF("Touched")
     "},'skipped':{'type':'array','items':" REF("Skipped") "},'unchanged':{'type':'boolean'},'dry_run':{'type':"
     "'boolean'},'applied':{'type':'boolean','description':'With wait=applied: every live worker has it.'}}}"},
    {"ShortStatus", "{'type':'object','properties':{'state':{'type':'string'},'observed_generation':" REF("Int64")
                    ",'lag':" REF("Count") ",'in_per_second':{'type':'number'},'out_per_second':{'type':'number'},"
                    "'conditions':{'type':'array','items':" REF("Condition") "}}}"},
    {"TaskStatus", "{'type':'object','properties':{'task':{'type':'integer'},'state':{'type':'string'},'worker':"
                   "{'type':['string','null']},'generation':" REF("Int64") ",'since':{'type':['string','null']},"
                   "'error':{'type':['object','null']}}}"},
    {"PartitionStatus", "{'type':'object','properties':{'topic':{'type':'string'},'partition':{'type':'integer'},"
                        "'worker':{'type':['string','null']},'position':" REF("Count") ",'end':" REF("Count")
                        ",'lag':" REF("Count") ",'in':" REF("Count") ",'out':" REF("Count") ",'dropped':{}}}"},
    {"MappingStatus",
     "{'type':'object','required':['state'],'properties':{'state':{'type':'string'},'generation':" REF("Int64")
     ",'observed_generation':" REF("Int64") ",'conditions':{'type':'array','items':" REF("Condition")
     "},'tasks':{'type':'array','items':" REF("TaskStatus") "},'partitions':{'type':'array','items':"
     REF("PartitionStatus") "},'lag':" REF("Count") ",'rates':{'type':'object'},'delay_ms':{'type':['object','null']},"
     "'totals':{'type':'object'}}}"},
    {"Worker", "{'type':'object','required':['id','state'],'properties':{'id':{'type':'string'},'host':{'type':"
               "['string','null']},'version':{'type':['string','null']},'rest':{'type':['string','null']},'state':"
               "{'enum':['alive','suspect','gone']},'age_ms':" REF("Count") ",'started':{'type':['string','null']},"
               "'applied':" REF("Int64") ",'epoch':" REF("Int64") ",'tasks':{'type':'integer'},'capacity':{'type':"
               "'integer'},'lease_ms':" REF("Count") "}}"},
    {"WorkerList", LIST_OF("Worker")},
    {"MappingStats", "{'type':'object','properties':{'team':{'type':'string'},'name':{'type':'string'},'uid':{'type':"
                     "'string'},'group':{'type':['string','null']},'state':{'type':'string'},'generation':"
                     REF("Int64") ",'in':" REF("Count") ",'out':" REF("Count") ",'bytes_in':" REF("Count")
                     ",'bytes_out':" REF("Count") ",'dropped':{'type':'object'},'lag':" REF("Count")
                     ",'in_per_second':{'type':'number'},'out_per_second':{'type':'number'},'bytes_per_second':"
                     "{'type':'number'},'delay_ms':{'type':['object','null']}}}"},
    {"Stats", "{'type':'object','required':['items'],'properties':{'at':" REF("Time") ",'seq':" REF("Int64")
              ",'items':{'type':'array','items':" REF("MappingStats") "},'totals':{'type':'object'}}}"},
    {"Change", "{'type':'object','required':['seq','at'],'properties':{'seq':" REF("Int64") ",'at':" REF("Time")
               ",'team':{'type':['string','null']},'actor':{'type':['string','null']},'via':{'type':['string',"
               "'null']},'comment':{'type':['string','null']},'request_id':{'type':['string','null']},'reverts':"
               REF("Count") ",'created':" REF("Count") ",'updated':" REF("Count") ",'deleted':" REF("Count") "}}"},
    {"ChangeList", LIST_OF("Change")},
    {"Revision", "{'type':'object','required':['seq','generation','op'],'properties':{'seq':" REF("Int64")
                 ",'generation':" REF("Int64") ",'op':{'type':'string'},'kind':{'type':'string'},'name':{'type':"
                 "'string'},'at':" REF("Time") ",'actor':{'type':['string','null']},'via':{'type':['string','null']},"
                 "'comment':{'type':['string','null']},'uid':{'type':'string'},'document':{'type':['object','null']},"
                 "'before':{'type':['object','null']},'override':" REF("Override") "}}"},
    {"Revisions", LIST_OF("Revision")},
    {"ChangeDetail", "{'allOf':[" REF("Change") ",{'type':'object','properties':{'objects':{'type':'array','items':"
                     REF("Revision") "}}}]}"},
    {"Diff", "{'type':'object','properties':{'from':" REF("Int64") ",'to':" REF("Int64")
             ",'changes':{'type':'array','items':{'type':'object','properties':{'op':{'enum':['add','remove',"
             "'replace']},'pointer':{'type':'string'},'from':{},'to':{}}}}}}"},
};

static json_t *parse(const char *text)
{
    char *s = cz_strdup(text);
    for (char *p = s; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *j = json_loads(s, JSON_REJECT_DUPLICATES, NULL);
    cz_free(s);
    return j;
}

static void put(json_t *all, const char *base, const char *suffix, json_t *schema)
{
    char *name = cz_strf("%s%s", base, suffix);
    (void)json_object_set_new(all, name, schema);
    cz_free(name);
}

static json_t *ref_to(const char *base, const char *suffix)
{
    char *s = cz_strf("#/components/schemas/%s%s", base, suffix);
    json_t *j = json_pack("{s:s}", "$ref", s);
    cz_free(s);
    return j;
}

#define META "'group':{'type':['string','null']},'labels':" LABELS ",'description':{'type':['string','null']}"
/* What GET gives may be sent back: these members are then compared and not written. */
#define READ_ONLY                                                                              \
    "'api':{'type':'string','readOnly':true},'kind':{'type':'string','readOnly':true},'name':" \
    "{'type':'string','readOnly':true},'team':{'type':'string','readOnly':true},'uid':{'type':" \
    "'string','readOnly':true},'generation':" REF("Int64") ",'version':" REF("Int64")          \
    ",'managed_by':{'type':['string','null']},'override':" REF("Override") ",'created':"       \
    REF("Time") ",'updated':" REF("Time") ",'status':" REF("ShortStatus")

static json_t *with_spec(const char *k, json_t *schema)
{
    (void)json_object_set_new(json_object_get(schema, "properties"), "spec", ref_to(k, "Spec"));
    return schema;
}

/* Document, envelope, list and answer of one kind; the spec is <K>Spec. */
static void add_kind(json_t *all, const char *k)
{
    static const char document[] =
        "{'type':'object','required':['spec'],'properties':{" META "," READ_ONLY "}}";
    static const char envelope[] =
        "{'type':'object','required':['kind','name','team','uid','generation','version','spec'],"
        "'properties':{" META "," READ_ONLY "}}";
    static const char list[] = "{'type':'object','required':['items','next','seq'],'properties':{"
                               "'next':{'type':['string','null']},'seq':" REF("Int64") "}}";
    json_t *page = parse(list);
    put(all, k, "Document", with_spec(k, parse(document)));
    put(all, k, "", with_spec(k, parse(envelope)));
    (void)json_object_set_new(json_object_get(page, "properties"), "items",
                              json_pack("{s:s, s:o}", "type", "array", "items", ref_to(k, "")));
    put(all, k, "List", page);
    put(all, k, "Written", json_pack("{s:[o, o]}", "allOf", ref_to(k, ""), ref_to("Written", "")));
}

json_t *cz__api_schemas(void)
{
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        (void)json_object_set_new(all, TEXTS[i].name, parse(TEXTS[i].text));
    (void)json_object_set_new(all, "ClusterSpec", cz_cfg_schema(cz_cluster_table));
    (void)json_object_set_new(all, "MappingSpec", cz_cfg_schema(cz_mapping_table));
    add_kind(all, "Cluster");
    add_kind(all, "Mapping");
    add_kind(all, "Template");
    add_kind(all, "Instance");
    add_kind(all, "ValueMap");
    return all;
}
