/*
 * fuzz_decode.c - any bytes as a record, under any schema.
 *
 * The input is a schema as JSON text, a NUL, and the record. Every field of
 * the schema is bound, and some paths; what is decoded is written out, so that
 * every byte it points at is touched. What all fields accept, skipping them
 * accepts, too, and ends at the same byte.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/decode.h"

#define PATHS_MAX 64

/* A macro, so that the trace names the line. */
#define MUST(holds)                                                            \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
bind(struct decode_reader *reader, const char *path)
{
	const struct type *type = NULL;
	struct sg_fault why;
	uint32_t slot = 0;

	(void)decode_reader_bind(
		reader, path, strlen(path), &slot, &type, &why);
}

static void
bind_all(struct decode_reader *reader)
{
	static const char *const ends[] = {
		"", "[0]", "[1].a", ".a", "[\"k\"]", ".next.next", ".k.a[2]"};
	const struct type *type = decode_reader_type(reader);
	struct buf path;

	buf_init(&path, 4096);
	for (size_t i = 0; i < type->nfields && i < PATHS_MAX; i++)
		for (size_t j = 0; j < SG_COUNTOF(ends); j++) {
			buf_reset(&path);
			buf_printf(
				&path, "%s%s", type->fields[i].name, ends[j]);
			bind(reader, buf_cstr(&path));
		}
	buf_fini(&path);
}

static void
decode(struct decode_schemas *schemas, struct decode_reader *reader,
	const uint8_t *bytes, size_t len)
{
	struct record rec = {
		.kafka_ms = -1, .value = bytes, .value_len = len, .writer = -1};
	const struct value *slots = NULL;
	struct sg_fault why;
	struct arena arena;
	struct buf text;
	size_t measured = 0;

	arena_init(&arena, (size_t)64 << 20);
	buf_init(&text, 1 << 20);
	if (decode_record(reader, &rec, &arena, &slots, &why) == SG_OK) {
		for (size_t i = 0; i < decode_reader_nslots(reader); i++) {
			buf_reset(&text);
			value_to_json(slots[i], NULL, &text);
		}
		MUST(decode_measure(schemas, 0, bytes, len, &measured, &why) ==
			SG_OK);
		MUST(measured == len);
	}
	buf_fini(&text);
	arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size);
	size_t len = nul != NULL ? (size_t)(nul - data) : size;
	struct decode_schemas *schemas = NULL;
	struct decode_reader *reader = NULL;
	struct sg_fault why;
	int32_t number = -1;

	if (decode_schemas_create(&schemas) != SG_OK)
		return 0;
	if (decode_schemas_add(schemas, "fuzz", (const char *)data, len, -1,
		    &number, &why) == SG_OK &&
		decode_reader_create(
			schemas, number, DECODE_BARE, &reader, &why) == SG_OK) {
		bind_all(reader);
		if (nul != NULL)
			decode(schemas, reader, nul + 1, size - len - 1);
	}
	decode_reader_destroy(reader);
	decode_schemas_destroy(schemas);
	return 0;
}
