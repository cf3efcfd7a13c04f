/*
 * reader.c - open a file by its extension and hand out its rows.
 */
#include "reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
ends_with(const char *path, const char *end)
{
	size_t len = strlen(path);
	size_t n = strlen(end);

	return len > n && strcmp(path + len - n, end) == 0;
}

static const struct format *
format_of(const char *path, struct sg_fault *why)
{
	static const struct {
		const char *end;
		const struct format *format;
		const char *unpack;
	} rows[] = {
		{".csv", &format_csv, NULL},
		{".ndjson", &format_ndjson, NULL},
		{".jsonl", &format_ndjson, NULL},
		{".json", &format_ndjson, NULL},
		{".avro", &format_container, NULL},
		{".gz", NULL, "gzip -dk"},
		{".xz", NULL, "xz -dk"},
		{".zst", NULL, "zstd -d"},
		{".bz2", NULL, "bzip2 -dk"},
	};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		if (!ends_with(path, rows[i].end))
			continue;
		if (rows[i].format == NULL)
			(void)sg_fault_set(why, SG_BAD_OPTION,
				"%s: packed; unpack it first: %s %s", path,
				rows[i].unpack, path);
		return rows[i].format;
	}
	(void)sg_fault_set(why, SG_BAD_OPTION,
		"%s: which format? The name ends in none of .csv, .ndjson, "
		".jsonl, .json, .avro",
		path);
	return NULL;
}

enum sg_err
reader_fault(const struct file_reader *reader, uint64_t line,
	struct sg_fault *why, enum sg_err err, const char *fmt, ...)
{
	char text[384];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return sg_fault_set(
		why, err, "%s:%" PRIu64 ": %s", reader->path, line, text);
}

enum sg_err
reader_encode_fault(const struct file_reader *reader, uint64_t line,
	const struct encode *e, struct sg_fault *why)
{
	char place[256];

	(void)snprintf(
		place, sizeof(place), "%s:%" PRIu64 ": ", reader->path, line);
	return encode_fault(e, place, why);
}

void
reader_skip_bom(struct file_reader *reader)
{
	struct source *src = &reader->src;

	if (source_peek(src) == 0xef && src->end >= 3 &&
		memcmp(src->bytes, "\xef\xbb\xbf", 3) == 0)
		src->at = 3;
}

enum sg_err
reader_check(const struct file_reader *reader, struct sg_fault *why)
{
	if (reader->src.failed == 0)
		return SG_OK;
	return sg_fault_set(why, SG_IO, "%s: %s", reader->path,
		strerror(reader->src.failed));
}

enum sg_err
file_reader_open(const char *path, struct decode_schemas *schemas,
	int32_t schema, struct file_reader **ret_reader, struct sg_fault *why)
{
	const struct format *format = format_of(path, why);
	struct file_reader *reader;
	enum sg_err err;

	if (format == NULL)
		return SG_BAD_OPTION;
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	buf_init(&reader->out, DECODE_RECORD_MAX);
	reader->schemas = schemas;
	reader->number = schema;
	reader->schema = decode_schemas_tree(schemas, schema);
	reader->path = strdup(path);
	err = reader->path == NULL ? sg_fault_set(why, SG_NOMEM, "no memory")
				   : source_open(&reader->src, path, why);
	if (err == SG_OK) {
		reader->format = format;
		err = format->open(reader, why);
	}
	if (err == SG_OK)
		*ret_reader = reader;
	else
		file_reader_close(reader);
	return err;
}

void
file_reader_close(struct file_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->format != NULL)
		reader->format->close(reader);
	source_close(&reader->src);
	buf_fini(&reader->out);
	free(reader->path);
	free(reader);
}

enum sg_err
file_reader_next(struct file_reader *reader, struct file_row *ret_row,
	bool *ret_is_end, struct sg_fault *why)
{
	*ret_is_end = false;
	buf_reset(&reader->out);
	return reader->format->next(reader, ret_row, ret_is_end, why);
}

void
file_reader_progress(const struct file_reader *reader, uint64_t *ret_done,
	uint64_t *ret_total)
{
	*ret_done = source_offset(&reader->src);
	*ret_total = reader->src.total;
}
