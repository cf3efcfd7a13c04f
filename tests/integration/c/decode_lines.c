/*
 * decode_lines.c - decode what the lines of standard input say, for a test in
 * another language to compare.
 *
 *     WRITER's schema \t READER's schema \t hexadecimal record \n
 *
 * Each is answered by a line: the record as a JSON object of the reader's
 * fields, or '!' and the error's name and text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/decode.h"

struct job {
	struct decode_schemas *schemas;
	struct decode_reader *reader;
	int32_t writer;
	struct sg_fault why;
};

static enum sg_err
open_job(struct job *job, const char *writer, const char *reader)
{
	int32_t number = -1;
	enum sg_err err = decode_schemas_create(&job->schemas);

	if (err == SG_OK)
		err = decode_schemas_add(job->schemas, "writer", writer,
			strlen(writer), -1, &job->writer, &job->why);
	if (err == SG_OK)
		err = decode_schemas_add(job->schemas, "reader", reader,
			strlen(reader), -1, &number, &job->why);
	if (err == SG_OK)
		err = decode_reader_create(job->schemas, number, DECODE_BARE,
			&job->reader, &job->why);
	return err;
}

static void
from_hex(const char *hex, struct buf *bytes)
{
	for (; hex[0] != '\0' && hex[1] != '\0' && hex[0] != '\n'; hex += 2) {
		char digits[3] = {hex[0], hex[1], '\0'};

		buf_put_u8(bytes, (uint8_t)strtoul(digits, NULL, 16));
	}
}

static enum sg_err
decode(struct job *job, const struct buf *bytes, struct buf *out)
{
	const struct type *whole = decode_reader_type(job->reader);
	struct record rec = {.kafka_ms = -1,
		.value = bytes->len > 0 ? (const void *)bytes->bytes : "",
		.value_len = bytes->len,
		.writer = job->writer};
	const struct value *slots = NULL;
	const struct type *type = NULL;
	struct arena arena;
	uint32_t slot = 0;
	enum sg_err err = SG_OK;

	arena_init(&arena, (size_t)64 << 20);
	for (size_t i = 0; err == SG_OK && i < whole->nfields; i++)
		err = decode_reader_bind(job->reader, whole->fields[i].name,
			strlen(whole->fields[i].name), &slot, &type, &job->why);
	if (err == SG_OK)
		err = decode_record(
			job->reader, &rec, &arena, &slots, &job->why);
	for (size_t i = 0; err == SG_OK && i < whole->nfields; i++) {
		buf_printf(out, "%s\"%s\":", i == 0 ? "{" : ",",
			whole->fields[i].name);
		value_to_json(slots[i], whole->fields[i].type, out);
	}
	if (err == SG_OK)
		buf_put_str(out, whole->nfields == 0 ? "{}" : "}");
	arena_fini(&arena);
	return err;
}

static void
answer(char *line)
{
	struct job job = {.writer = -1};
	struct buf bytes, out;
	char *save = NULL;
	const char *writer = strtok_r(line, "\t", &save);
	const char *reader = strtok_r(NULL, "\t", &save);
	const char *hex = strtok_r(NULL, "\n", &save);
	enum sg_err err;

	buf_init(&bytes, 1 << 24);
	buf_init(&out, 1 << 24);
	err = open_job(&job, writer, reader);
	if (err == SG_OK) {
		from_hex(hex != NULL ? hex : "", &bytes);
		err = decode(&job, &bytes, &out);
	}
	if (err == SG_OK)
		(void)puts(buf_cstr(&out));
	else
		(void)printf("!%s: %s\n", sg_err_name(err), job.why.text);
	decode_reader_destroy(job.reader);
	decode_schemas_destroy(job.schemas);
	buf_fini(&bytes);
	buf_fini(&out);
}

int
main(void)
{
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) > 0)
		answer(line);
	free(line);
	return 0;
}
