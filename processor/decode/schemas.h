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

/* The number of the schema with this id or GUID; the source is asked when it is
 * not in the set. Errors: SG_UNKNOWN_SCHEMA; what the source returns. */
SG_MUSTCHECK enum sg_err
schemas_find(struct decode_schemas *schemas, const struct schema_key *key,
	int32_t *ret_number, struct sg_fault *why);

/* -1: none. */
int32_t
schemas_by_fingerprint(struct decode_schemas *schemas, uint64_t fingerprint);

#endif
