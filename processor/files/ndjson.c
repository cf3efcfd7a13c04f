/*
 * ndjson.c - one JSON object a line.
 */
#include <stdlib.h>
#include <string.h>

#include "reader.h"

static enum sg_err
ndjson_open(struct file_reader *reader, struct sg_fault *why)
{
	struct buf *line;

	reader_skip_bom(reader);
	if (source_peek(&reader->src) == '[')
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s: a JSON list; one object a line is wanted: "
			"jq -c '.[]' %s",
			reader->path, reader->path);
	line = calloc(1, sizeof(*line));
	if (line == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	buf_init(line, DECODE_RECORD_MAX);
	reader->state = line;
	return reader_check(reader, why);
}

static void
ndjson_close(struct file_reader *reader)
{
	if (reader->state != NULL)
		buf_fini(reader->state);
	free(reader->state);
}

/* The next line that is not blank. False at the end. A line above the maximum
 * leaves line->is_failed. */
static bool
line_read(struct file_reader *reader, struct buf *line)
{
	bool is_blank = true;
	int c;

	buf_reset(line);
	while ((c = source_byte(&reader->src)) >= 0) {
		if (c != '\n') {
			is_blank = is_blank && strchr(" \t\r", c) != NULL;
			buf_put_u8(line, (uint8_t)c);
			continue;
		}
		reader->line++;
		if (!is_blank)
			return true;
		buf_reset(line);
	}
	if (!is_blank)
		reader->line++;
	return !is_blank;
}

static enum sg_err
ndjson_next(struct file_reader *reader, struct file_row *ret_row,
	bool *ret_is_end, struct sg_fault *why)
{
	struct buf *line = reader->state;
	struct sg_fault inner = {0};
	enum sg_err err;

	if (!line_read(reader, line)) {
		*ret_is_end = true;
		return reader_check(reader, why);
	}
	if (line->is_failed)
		return reader_fault(reader, reader->line, why, SG_TOO_LARGE,
			"the line is longer than %d bytes", DECODE_RECORD_MAX);
	err = file_encode_json(reader->schemas, reader->number,
		(const char *)line->bytes, line->len, &reader->out, &inner);
	if (err != SG_OK)
		return reader_fault(
			reader, reader->line, why, err, "%s", inner.text);
	*ret_row = (struct file_row){.bytes = reader->out.bytes,
		.len = reader->out.len,
		.writer = reader->number,
		.line = reader->line};
	return SG_OK;
}

const struct format format_ndjson = {ndjson_open, ndjson_close, ndjson_next};
