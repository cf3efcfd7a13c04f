/*
 * take.c - the pieces of Avro that take more than a line, and skipping.
 */
#include "take.h"

#define VARINT_MAX 10

const uint8_t *
take_failed(
	struct cursor *cur, const uint8_t *at, enum sg_err err, const char *why)
{
	cur->at = at;
	cur->err = err;
	cur->why = why;
	return NULL;
}

const uint8_t *
take_bad(struct cursor *cur, const uint8_t *at, const char *why)
{
	return take_failed(cur, at, SG_BAD_RECORD, why);
}

const uint8_t *
take_varint(struct cursor *cur, const uint8_t *at, uint64_t *ret_n)
{
	uint64_t n = 0;
	const uint8_t *start = at;

	for (unsigned i = 0; i < VARINT_MAX; i++) {
		if (at == cur->end)
			return take_bad(cur, start, ENDS_EARLY);
		n |= (uint64_t)(*at & 0x7f) << (7 * i);
		if (*at++ < 0x80) {
			if (i == VARINT_MAX - 1 && at[-1] > 1)
				break;
			*ret_n = n;
			return at;
		}
	}
	return take_bad(cur, start, "a number is longer than 64 bits");
}

/* --- blocks of arrays and maps -------------------------------------------- */

const uint8_t *
take_block(struct cursor *cur, const uint8_t *at, bool is_item_empty,
	uint64_t *ret_n, const uint8_t **ret_end)
{
	const uint8_t *start = at;
	int64_t n = 0;
	int64_t size = 0;

	*ret_end = NULL;
	at = take_long(cur, at, &n);
	if (at == NULL)
		return NULL;
	if (n == INT64_MIN)
		return take_bad(cur, start, "a count is out of range");
	if (n < 0) {
		at = take_long(cur, at, &size);
		if (at == NULL)
			return NULL;
		if (size < 0 || size > cur->end - at)
			return take_bad(
				cur, start, "a block's size is out of range");
		*ret_end = at + size;
		n = -n;
		if (!is_item_empty && n > size)
			return take_bad(cur, start,
				"a block is too small for its count");
	}
	if (!is_item_empty && n > cur->end - at)
		return take_bad(cur, start, "a count is beyond the end");
	*ret_n = (uint64_t)n;
	return at;
}

const uint8_t *
take_block_end(struct cursor *cur, const uint8_t *at, const uint8_t *end)
{
	if (end != NULL && at != end)
		return take_bad(cur, at, "a block is not as long as it says");
	return at;
}

const uint8_t *
take_charge(struct cursor *cur, const uint8_t *at, uint64_t n)
{
	if (n > cur->values_left)
		return take_failed(cur, at, SG_TOO_LARGE,
			"it has more values than a record may");
	cur->values_left -= (uint32_t)n;
	return at;
}

/* --- skipping ------------------------------------------------------------- */

static const uint8_t *
skip_items(struct cursor *cur, const uint8_t *at, const struct schema *schema)
{
	const struct schema *item = schema->item;
	bool is_map = schema->kind == SCHEMA_MAP;
	int64_t each = is_map ? -1 : item->encoded_bytes;
	const uint8_t *end = NULL;
	uint64_t n = 0;

	for (;;) {
		at = take_block(cur, at, each == 0, &n, &end);
		if (at == NULL || n == 0)
			return at;
		if (end != NULL) {
			at = end;
			continue;
		}
		if (each >= 0) {
			/* take_block() has bounded n, unless each is 0. */
			if (each > 0 &&
				n > (size_t)(cur->end - at) / (size_t)each)
				return take_bad(cur, at, ENDS_EARLY);
			at += each > 0 ? n * (uint64_t)each : 0;
			continue;
		}
		for (; n > 0 && at != NULL; n--) {
			if (is_map)
				at = skip_span(cur, at);
			if (at != NULL)
				at = take_skip(cur, at, item);
		}
		if (at == NULL)
			return NULL;
	}
}

const uint8_t *
take_skip_deep(
	struct cursor *cur, const uint8_t *at, const struct schema *schema)
{
	if (cur->depth == DECODE_DEPTH_MAX)
		return take_failed(cur, at, SG_TOO_LARGE, "nested too deeply");
	cur->depth++;
	if (schema->kind == SCHEMA_RECORD)
		for (size_t i = 0; i < schema->nfields && at != NULL; i++)
			at = take_skip(cur, at, schema->fields[i].schema);
	else
		at = skip_items(cur, at, schema);
	cur->depth--;
	return at;
}
