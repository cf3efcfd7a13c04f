/*
 * record.h - one input record before decoding: bytes and where they are from.
 */
#ifndef SEGMENTD_RECORD_H
#define SEGMENTD_RECORD_H

#include <stddef.h>
#include <stdint.h>

struct record_header {
	const char *name;
	const void *value; /* NULL: null */
	size_t len;
};

/*
 * Valid until: the batch it came in is given back.
 */
struct record {
	uint32_t input; /* index of the input in the configuration */
	int32_t partition;
	int64_t offset;
	int64_t kafka_ms; /* timestamp; -1: the broker gave none */
	const void *key;  /* NULL: null */
	size_t key_len;
	const void *value; /* NULL: null */
	size_t value_len;
	const struct record_header *headers;
	size_t nheaders;
	/* Where the writer schema is known beside the bytes (an Avro container
	 * file): the schema's number, as decode_schemas_add() gave it, and
	 * `value` is bare. -1 otherwise. */
	int32_t writer;
};

#endif
