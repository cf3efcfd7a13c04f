/*
 * decode_support.h - what the tests of decode share: a set of schemas, one
 * reader, and values compared as JSON text.
 */
#ifndef TESTS_DECODE_SUPPORT_H
#define TESTS_DECODE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/decode.h"
#include "segmentd/type.h"
#include "segmentd/value.h"

struct fixture {
	struct decode_schemas *schemas;
	struct decode_reader *reader;
	struct arena arena;
	struct buf text;
	struct buf bytes; /* what a test encodes by hand */
	struct sg_fault why;
	const struct value *slots;
};

static inline int32_t
fixture_schema(struct fixture *fx, const char *json, int32_t id)
{
	int32_t number = -1;

	fx->why.text[0] = '\0';
	if (decode_schemas_add(fx->schemas, "test.avsc", json, strlen(json), id,
		    &number, &fx->why) != SG_OK)
		fail_msg("%s", fx->why.text);
	return number;
}

static inline void
fixture_init(struct fixture *fx, const char *json, enum decode_framing framing)
{
	memset(fx, 0, sizeof(*fx));
	arena_init(&fx->arena, (size_t)256 << 20);
	buf_init(&fx->text, 1 << 20);
	buf_init(&fx->bytes, 1 << 26);
	assert_int_equal(decode_schemas_create(&fx->schemas), SG_OK);
	if (decode_reader_create(fx->schemas, fixture_schema(fx, json, -1),
		    framing, &fx->reader, &fx->why) != SG_OK)
		fail_msg("%s", fx->why.text);
}

static inline void
fixture_fini(struct fixture *fx)
{
	decode_reader_destroy(fx->reader);
	decode_schemas_destroy(fx->schemas);
	arena_fini(&fx->arena);
	buf_fini(&fx->text);
	buf_fini(&fx->bytes);
}

static inline uint32_t
fixture_bind(struct fixture *fx, const char *path)
{
	const struct type *type = NULL;
	uint32_t slot = 0;

	if (decode_reader_bind(fx->reader, path, strlen(path), &slot, &type,
		    &fx->why) != SG_OK)
		fail_msg("%s: %s", path, fx->why.text);
	return slot;
}

/* Decode; `writer` is a schema number, or -1 where the frame says it. */
static inline enum sg_err
fixture_decode(
	struct fixture *fx, int32_t writer, const void *bytes, size_t len)
{
	/* A copy of the exact size, so that a sanitizer sees any overrun. */
	uint8_t *copy = arena_copy(&fx->arena, bytes, len) == NULL
				? NULL
				: arena_alloc(&fx->arena, len);
	struct record rec = {.kafka_ms = -1,
		.value = copy,
		.value_len = len,
		.writer = writer};

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	fx->why.text[0] = '\0';
	return decode_record(
		fx->reader, &rec, &fx->arena, &fx->slots, &fx->why);
}

static inline const char *
value_text(struct fixture *fx, struct value v)
{
	buf_reset(&fx->text);
	value_to_json(v, NULL, &fx->text);
	return buf_cstr(&fx->text);
}

static inline void
put_text(struct buf *buf, const char *text)
{
	buf_put_zigzag(buf, (int64_t)strlen(text));
	buf_put_str(buf, text);
}

static inline void
put_double(struct buf *buf, double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	buf_put_u64(buf, bits);
}

#endif
