/*
 * schema_key.h - what a record's frame names its writer schema by, where a
 * schema registry hands out the names.
 */
#ifndef SEGMENTD_SCHEMA_KEY_H
#define SEGMENTD_SCHEMA_KEY_H

#include <stdbool.h>
#include <stdint.h>

#define SCHEMA_GUID_BYTES 16

struct schema_key {
	bool is_guid;
	int32_t id; /* unless is_guid */
	uint8_t guid[SCHEMA_GUID_BYTES];
};

#endif
