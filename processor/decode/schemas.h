/*
 * schemas.h - the set of schemas, for the readers. Private to decode.
 */
#ifndef DECODE_SCHEMAS_H
#define DECODE_SCHEMAS_H

#include <stdint.h>

#include "segmentd/decode.h"
#include "segmentd/schema.h"

#define SCHEMAS_MAX 4096

int32_t
schemas_count(const struct decode_schemas *schemas);
const char *
schemas_name(const struct decode_schemas *schemas, int32_t number);

/* The number of the schema with this Confluent id or fingerprint; -1: none. */
int32_t
schemas_by_id(const struct decode_schemas *schemas, int32_t id);
int32_t
schemas_by_fingerprint(
	const struct decode_schemas *schemas, uint64_t fingerprint);

#endif
