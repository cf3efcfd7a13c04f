/*
 * event.h - one input record after decoding.
 */
#ifndef SEGMENTD_EVENT_H
#define SEGMENTD_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "segmentd/value.h"

#define INPUTS_MAX 16
#define ACCOUNT_ID_MAX 512		/* bytes of an account id */
#define AT_MS_MIN INT64_C(946684800000) /* 2000-01-01T00:00:00Z */

/*
 * `slots` holds the fields some feature or filter of the input needs, by the
 * number the input's decode reader gave them.
 *
 * Valid until: the batch ends.
 */
struct event {
	uint32_t input; /* index of the input in the configuration */
	int32_t partition;
	int64_t offset;
	int64_t kafka_ms; /* the record's timestamp */
	int64_t at_ms;	  /* event time */
	uint64_t account_hash;
	uint64_t id_hash; /* 0: the input names no event id, or it is empty */
	const char *account; /* NUL-terminated */
	uint32_t account_len;
	uint32_t id_len;
	const char *id; /* event id, for the trigger of a change; may be NULL */
	const struct value *slots;
	size_t nslots;
};

#endif
