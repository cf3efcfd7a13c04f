/*
 * fuzz_files.c - any bytes as a CSV, NDJSON or Avro container file.
 *
 * The first byte chooses the format. Every row that comes out is decoded, and
 * the file ends in time: there are no more rows and faults than bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segmentd/arena.h"
#include "segmentd/files.h"

#define ROWS_MAX 2000000 /* a container may hold records of no bytes */

#define MUST(holds)                                                            \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char schema[] =
	"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
	"{\"name\":\"id\",\"type\":\"string\",\"default\":\"\"},"
	"{\"name\":\"n\",\"type\":[\"null\",\"double\",\"string\"],"
	"\"default\":null},"
	"{\"name\":\"t\",\"type\":[\"null\",{\"type\":\"long\","
	"\"logicalType\":\"timestamp-micros\"}],\"default\":null},"
	"{\"name\":\"d\",\"type\":[\"null\",{\"type\":\"bytes\","
	"\"logicalType\":\"decimal\",\"precision\":30,\"scale\":4}],"
	"\"default\":null},"
	"{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":"
	"[\"long\",\"string\",{\"type\":\"map\",\"values\":\"boolean\"}]},"
	"\"default\":[]}]}";

static void
decode(struct decode_reader *reader, const struct file_row *row)
{
	struct record rec = {.kafka_ms = -1,
		.value = row->bytes != NULL ? row->bytes : "",
		.value_len = row->len,
		.writer = row->writer};
	const struct value *slots = NULL;
	struct arena arena;
	struct sg_fault why;
	enum sg_err err;

	arena_init(&arena, (size_t)64 << 20);
	err = decode_record(reader, &rec, &arena, &slots, &why);
	/* What we encoded ourselves we can read. */
	MUST(err == SG_OK || row->writer != 0);
	arena_fini(&arena);
}

static void
read_all(struct file_reader *file, struct decode_reader *reader)
{
	struct sg_fault why;
	bool is_end = false;
	size_t n = 0;

	for (;;) {
		struct file_row row = {0};

		MUST(n++ < ROWS_MAX);
		if (file_reader_next(file, &row, &is_end, &why) != SG_OK) {
			MUST(why.err != SG_IO);
			continue;
		}
		if (is_end)
			return;
		if (n < 1000)
			decode(reader, &row);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ends[] = {"csv", "ndjson", "avro"};
	struct decode_schemas *schemas = NULL;
	struct decode_reader *reader = NULL;
	struct file_reader *file = NULL;
	struct sg_fault why;
	char path[64];
	FILE *out;

	if (size == 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/tmp/segmentd-fuzz-%ld.%s",
		(long)getpid(), ends[data[0] % SG_COUNTOF(ends)]);
	out = fopen(path, "wb");
	MUST(out != NULL);
	MUST(fwrite(data + 1, 1, size - 1, out) == size - 1);
	MUST(fclose(out) == 0);

	MUST(decode_schemas_create(&schemas) == SG_OK);
	MUST(decode_schemas_add(schemas, "fuzz", schema, sizeof(schema) - 1, -1,
		     NULL, NULL) == SG_OK);
	MUST(decode_reader_create(schemas, 0, DECODE_BARE, &reader, NULL) ==
		SG_OK);
	for (size_t i = 0; i < 5; i++) {
		static const char *const names[] = {"id", "n", "t", "d", "l"};
		const struct type *type = NULL;
		uint32_t slot = 0;

		MUST(decode_reader_bind(reader, names[i], strlen(names[i]),
			     &slot, &type, NULL) == SG_OK);
	}
	if (file_reader_open(path, schemas, 0, &file, &why) == SG_OK)
		read_all(file, reader);
	file_reader_close(file);
	decode_reader_destroy(reader);
	decode_schemas_destroy(schemas);
	(void)unlink(path);
	return 0;
}
