/*
 * schema_parse.h - JSON text to struct schema. Private to decode.
 */
#ifndef DECODE_SCHEMA_PARSE_H
#define DECODE_SCHEMA_PARSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/err.h"
#include "segmentd/schema.h"

#define SCHEMA_TEXT_MAX (4 << 20) /* bytes of a schema's JSON */
#define SCHEMA_NODES_MAX 16384
#define SCHEMA_DEPTH_MAX 64

/* Parse into `arena`. `name` is for messages. Errors: SG_BAD_SCHEMA,
 * SG_NOMEM. */
SG_MUSTCHECK enum sg_err
schema_parse(struct arena *arena, const char *name, const char *json,
	size_t len, const struct schema **ret_schema, struct sg_fault *why);

/* A field's default, as JSON, to Avro bytes of `schema`. False when it does
 * not fit. Defaults within `schema` must be encoded already. */
bool
schema_encode_default(
	const struct schema *schema, const json_t *json, struct buf *buf);

/* The Parsing Canonical Form. */
void
schema_canonical(const struct schema *schema, struct buf *buf);

/* CRC-64-AVRO. */
uint64_t
schema_crc64(const void *bytes, size_t len);

#endif
