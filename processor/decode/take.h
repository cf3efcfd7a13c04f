/*
 * take.h - read the pieces Avro is made of, bounds-checked. Private to decode.
 *
 * All input is hostile. Every read is checked against the end; a count of
 * elements must fit the bytes that are left, unless elements take none, and
 * those are counted against values_left; values take their memory from the
 * arena within bytes_left; nesting is bounded by DECODE_DEPTH_MAX. So the work
 * for a record is bounded by its length, whatever its schema.
 *
 * Functions take `at` and return where they came to, NULL when they failed;
 * cur->why then says why.
 */
#ifndef DECODE_TAKE_H
#define DECODE_TAKE_H

#include <string.h>

#include "plan.h"

#include "segmentd/decode.h"

#define ENDS_EARLY "the record ends early"

/* --- take.c --------------------------------------------------------------- */

const uint8_t *
take_failed(struct cursor *cur, const uint8_t *at, enum sg_err err,
	const char *why);
const uint8_t *
take_bad(struct cursor *cur, const uint8_t *at, const char *why);

/* A varint of any length; the others have a short way for one byte. */
const uint8_t *
take_varint(struct cursor *cur, const uint8_t *at, uint64_t *ret_n);

/*
 * The head of a block of an array or map: how many elements, 0 at the end.
 * *ret_end is where the block ends, if it says so, else NULL.
 */
const uint8_t *
take_block(struct cursor *cur, const uint8_t *at, bool is_item_empty,
	uint64_t *ret_n, const uint8_t **ret_end);

/* Does the block end at `end`, as it said? */
const uint8_t *
take_block_end(struct cursor *cur, const uint8_t *at, const uint8_t *end);

/* Count `n` values against what a record may make. */
const uint8_t *
take_charge(struct cursor *cur, const uint8_t *at, uint64_t n);

/* Skip a record, array or map: the slow part of take_skip() below. */
const uint8_t *
take_skip_deep(
	struct cursor *cur, const uint8_t *at, const struct schema *schema);

/* Read a value (read.c). */
const uint8_t *
take_value(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value);

static inline const uint8_t *
take_long(struct cursor *cur, const uint8_t *at, int64_t *ret_n)
{
	uint64_t n;

	if (at < cur->end && *at < 0x80)
		n = *at++;
	else if (cur->end - at >= 2 && at[1] < 0x80) {
		n = (at[0] & 0x7f) | (uint64_t)at[1] << 7;
		at += 2;
	} else {
		at = take_varint(cur, at, &n);
		if (at == NULL)
			return NULL;
	}
	*ret_n = (int64_t)(n >> 1 ^ (0 - (n & 1)));
	return at;
}

static inline const uint8_t *
skip_long(struct cursor *cur, const uint8_t *at)
{
	uint64_t n, ends;

	if (at < cur->end && *at < 0x80)
		return at + 1;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	/* The first byte without its top bit ends it: of the next eight at
	 * once. Nine and ten bytes take the long way. */
	if (cur->end - at >= 8) {
		memcpy(&n, at, sizeof(n));
		ends = ~n & UINT64_C(0x8080808080808080);
		if (ends != 0)
			return at + __builtin_ctzll(ends) / 8 + 1;
	}
#endif
	return take_varint(cur, at, &n);
}

/* The length of a string or bytes: what follows is there. */
static inline const uint8_t *
take_length(struct cursor *cur, const uint8_t *at, size_t *ret_len)
{
	const uint8_t *start = at;
	int64_t n = 0;

	/* Up to 63 bytes: one byte, and the bit of the sign is 0. */
	if (at < cur->end && (*at & 0x81) == 0 && *at / 2 < cur->end - at) {
		*ret_len = *at / 2;
		return at + 1;
	}
	at = take_long(cur, at, &n);
	if (at == NULL)
		return NULL;
	if (n < 0)
		return take_bad(cur, start, "a length is negative");
	if (n > cur->end - at)
		return take_bad(cur, start, "a length is beyond the end");
	*ret_len = (size_t)n;
	return at;
}

static inline const uint8_t *
skip_span(struct cursor *cur, const uint8_t *at)
{
	size_t len = 0;

	at = take_length(cur, at, &len);
	return at == NULL ? NULL : at + len;
}

static inline const uint8_t *
skip_bytes(struct cursor *cur, const uint8_t *at, size_t n)
{
	if (n > (size_t)(cur->end - at))
		return take_bad(cur, at, ENDS_EARLY);
	return at + n;
}

static inline const uint8_t *
take_branch(struct cursor *cur, const uint8_t *at, uint32_t n, uint32_t *ret_i)
{
	const uint8_t *start = at;
	int64_t i = 0;

	if (at < cur->end && (*at & 0x81) == 0 && *at / 2u < n) {
		*ret_i = *at / 2;
		return at + 1;
	}
	at = take_long(cur, at, &i);
	if (at == NULL)
		return NULL;
	if (i < 0 || i >= (int64_t)n)
		return take_bad(
			cur, start, "there is no such branch or symbol");
	*ret_i = (uint32_t)i;
	return at;
}

/* Skip a value. */
static inline const uint8_t *
take_skip(struct cursor *cur, const uint8_t *at, const struct schema *schema)
{
	uint32_t i = 0;

	if (schema->kind == SCHEMA_UNION) {
		at = take_branch(cur, at, (uint32_t)schema->nbranches, &i);
		if (at == NULL)
			return NULL;
		schema = schema->branches[i];
	}
	if (schema->encoded_bytes >= 0)
		return skip_bytes(cur, at, (size_t)schema->encoded_bytes);
	switch (schema->kind) {
	case SCHEMA_BYTES:
	case SCHEMA_STRING:
		return skip_span(cur, at);
	case SCHEMA_INT:
	case SCHEMA_LONG:
		return skip_long(cur, at);
	case SCHEMA_ENUM:
		return take_branch(cur, at, (uint32_t)schema->nsymbols, &i);
	default:
		return take_skip_deep(cur, at, schema);
	}
}

#endif
