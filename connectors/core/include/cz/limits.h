/* SPDX-License-Identifier: Apache-2.0 */
/** Every maximum of the project, in one list.  Sizes in bytes unless the name says otherwise. */
#ifndef CZ_LIMITS_H
#define CZ_LIMITS_H

#define CZ_MAX_NAME 200              /* resource and team names, bytes of UTF-8 */
#define CZ_MAX_BODY (1024 * 1024)    /* an HTTP request body */
#define CZ_MAX_JSON_DEPTH 64         /* documents over REST, channel, config */
#define CZ_MAX_DOCUMENT (512 * 1024) /* a stored resource document */
#define CZ_MAX_CHANNEL_RECORD (1024 * 1024)
#define CZ_MAX_EXPRESSION 4096       /* a JMESPath expression */
#define CZ_MAX_EXPRESSION_DEPTH 64   /* nesting of an expression */
#define CZ_MAX_RECORD_JSON_DEPTH 512 /* nesting of a record's JSON; deeper is a decode error */
#define CZ_MAX_EVAL_STEPS 1000000    /* evaluation steps for one record */
#define CZ_MAX_EVAL_OUTPUT (16 * 1024 * 1024) /* arena bytes for one record */
#define CZ_MAX_AVRO_SCHEMA (1024 * 1024) /* text of one schema */
#define CZ_MAX_AVRO_DEPTH 64         /* nesting of a schema, and of a datum */
#define CZ_MAX_AVRO_FREE_VALUES 65536 /* values of a datum beyond 16 per byte */
#define CZ_MAX_AVRO_DECIMAL 64       /* bytes of a decimal that is read as a number */
#define CZ_MAX_REGISTRY_ANSWER (4 * CZ_MAX_AVRO_SCHEMA)
#define CZ_MAX_REGISTRY_MISSING 10000 /* ids that a registry does not have, remembered */
#define CZ_MAX_FILE_RECORD (256 * 1024 * 1024) /* a line of a topic file */
#define CZ_MAX_TOPIC_PAIRS 256       /* pairs in mapping.spec.topics */
#define CZ_MAX_TASKS 256             /* tasks of one mapping */
#define CZ_MAX_PAGE 1000             /* items of one list page */
#define CZ_DEFAULT_PAGE 100
#define CZ_MAX_PROBLEMS 100          /* entries of one problem report */
#define CZ_MAX_VALUE_MAP_ENTRIES 10000
#define CZ_MAX_MAPPING_TESTS 100     /* entries of mapping.spec.tests */
#define CZ_MAX_MASKS 1000            /* entries of mapping.spec.mask */
#define CZ_MAX_CLI_FILE (16 * 1024 * 1024)   /* a file of documents that the CLI reads */
#define CZ_MAX_CLI_ANSWER (64 * 1024 * 1024) /* an answer of the REST API that the CLI reads */

#endif
