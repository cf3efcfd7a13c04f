/*
 * container.c - Avro object container files, codecs null and deflate.
 *
 *     "Obj" 01 | map of metadata | sync (16)
 *     count | size | block: `count` records, packed | sync        repeated
 *
 * The header's schema is added to the set, and each row is the bytes of one
 * record as the writer wrote them. Where a record ends is found by skipping it
 * with the writer's schema.
 *
 * A record that cannot be skipped costs the rest of its block. Where the file
 * itself is damaged, reading goes on after the next sync marker.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "inflate.h"
#include "reader.h"

#define BLOCK_BYTES_MAX (64 << 20) /* packed */
#define UNPACKED_BYTES_MAX ((size_t)256 << 20)
#define META_BYTES_MAX (16 << 20)
#define META_ENTRIES_MAX 1000
#define SYNC_BYTES 16
#define EMPTY_RECORDS_MAX 1000000 /* of no bytes, in one block */

struct container {
	int32_t writer;
	bool is_deflated;
	bool is_lost; /* look for the next sync marker */
	uint8_t sync[SYNC_BYTES];
	struct buf packed;
	struct buf block;
	size_t at;     /* in the block */
	uint64_t left; /* records of it */
};

/* --- the header ----------------------------------------------------------- */

static bool
long_read(struct source *src, int64_t *ret_n)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < 10; i++) {
		int c = source_byte(src);

		if (c < 0)
			return false;
		n |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c < 0x80) {
			*ret_n = (int64_t)(n >> 1 ^ (0 - (n & 1)));
			return true;
		}
	}
	return false;
}

/* Length and bytes to `buf`. */
static bool
span_read(struct source *src, struct buf *buf)
{
	int64_t n = 0;
	uint8_t *to;

	buf_reset(buf);
	if (!long_read(src, &n) || n < 0 || n > META_BYTES_MAX)
		return false;
	to = buf_reserve(buf, (size_t)n);
	if (to == NULL || !source_read(src, to, (size_t)n))
		return false;
	buf->len = (size_t)n;
	return true;
}

static bool
is_text(const struct buf *buf, const char *text)
{
	return buf->len == strlen(text) &&
	       (buf->len == 0 || memcmp(buf->bytes, text, buf->len) == 0);
}

static enum sg_err
meta_entry(struct file_reader *reader, struct container *c,
	const struct buf *key, const struct buf *value, struct sg_fault *why)
{
	if (is_text(key, "avro.schema"))
		return decode_schemas_add(reader->schemas, reader->path,
			value->len > 0 ? (const char *)value->bytes : "",
			value->len, -1, &c->writer, why);
	if (!is_text(key, "avro.codec") || is_text(value, "null"))
		return SG_OK;
	c->is_deflated = is_text(value, "deflate");
	if (!c->is_deflated)
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s: codec '%.*s'; there are null and deflate: "
			"avro-tools recodec --codec deflate",
			reader->path, (int)(value->len > 32 ? 32 : value->len),
			value->len > 0 ? (const char *)value->bytes : "");
	return SG_OK;
}

static enum sg_err
header_bad(const struct file_reader *reader, struct sg_fault *why)
{
	return sg_fault_set(why, SG_BAD_RECORD,
		"%s: not an Avro container file, or its header is damaged",
		reader->path);
}

static enum sg_err
meta_read(struct file_reader *reader, struct container *c, struct sg_fault *why)
{
	struct source *src = &reader->src;
	struct buf key, value;
	int64_t n = 0, size = 0;
	uint32_t left = META_ENTRIES_MAX;
	enum sg_err err = SG_OK;

	buf_init(&key, META_BYTES_MAX);
	buf_init(&value, META_BYTES_MAX);
	while (err == SG_OK) {
		if (!long_read(src, &n) || (n < 0 && !long_read(src, &size)))
			err = header_bad(reader, why);
		if (err != SG_OK || n == 0)
			break;
		n = n < 0 ? -(n + 1) + 1 : n;
		for (; err == SG_OK && n > 0; n--) {
			if (left-- == 0 || !span_read(src, &key) ||
				!span_read(src, &value)) {
				err = header_bad(reader, why);
				break;
			}
			err = meta_entry(reader, c, &key, &value, why);
		}
	}
	buf_fini(&key);
	buf_fini(&value);
	return err;
}

static enum sg_err
container_open(struct file_reader *reader, struct sg_fault *why)
{
	struct container *c = calloc(1, sizeof(*c));
	uint8_t magic[4];
	enum sg_err err;

	if (c == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	reader->state = c;
	c->writer = -1;
	buf_init(&c->packed, BLOCK_BYTES_MAX);
	buf_init(&c->block, UNPACKED_BYTES_MAX);
	if (!source_read(&reader->src, magic, sizeof(magic)) ||
		memcmp(magic, "Obj\x01", sizeof(magic)) != 0)
		return header_bad(reader, why);
	err = meta_read(reader, c, why);
	if (err != SG_OK)
		return err;
	if (c->writer < 0 ||
		!source_read(&reader->src, c->sync, sizeof(c->sync)))
		return header_bad(reader, why);
	return SG_OK;
}

static void
container_close(struct file_reader *reader)
{
	struct container *c = reader->state;

	if (c != NULL) {
		buf_fini(&c->packed);
		buf_fini(&c->block);
	}
	free(c);
}

/* --- blocks --------------------------------------------------------------- */

static enum sg_err
block_bad(struct file_reader *reader, struct container *c, const char *what,
	struct sg_fault *why)
{
	c->left = 0;
	return reader_fault(reader, reader->line + 1, why, SG_BAD_RECORD,
		"the block from here on: %s", what);
}

/* On to behind the next sync marker; false at the end. */
static bool
sync_find(struct source *src, const struct container *c)
{
	uint8_t last[SYNC_BYTES] = {0};

	if (!source_read(src, last, sizeof(last)))
		return false;
	while (memcmp(last, c->sync, sizeof(last)) != 0) {
		int byte = source_byte(src);

		if (byte < 0)
			return false;
		memmove(last, last + 1, sizeof(last) - 1);
		last[sizeof(last) - 1] = (uint8_t)byte;
	}
	return true;
}

static const char *
block_bytes(struct file_reader *reader, struct container *c, size_t size)
{
	struct buf *to = c->is_deflated ? &c->packed : &c->block;
	uint8_t sync[SYNC_BYTES];
	uint8_t *bytes;

	buf_reset(&c->packed);
	buf_reset(&c->block);
	c->at = 0;
	bytes = buf_reserve(to, size);
	if (bytes == NULL)
		return "no memory";
	if (!source_read(&reader->src, bytes, size) ||
		!source_read(&reader->src, sync, sizeof(sync)))
		return "the file ends early";
	to->len = size;
	if (memcmp(sync, c->sync, sizeof(sync)) != 0) {
		c->is_lost = true;
		return "no sync marker follows it";
	}
	if (!c->is_deflated)
		return NULL;
	return inflate_all(c->packed.bytes, c->packed.len, &c->block);
}

/* The next block with records. */
static enum sg_err
block_read(struct file_reader *reader, struct container *c, bool *ret_is_end,
	struct sg_fault *why)
{
	struct source *src = &reader->src;
	int64_t n = 0, size = 0;
	const char *what;

	while (c->left == 0) {
		if (c->is_lost && !sync_find(src, c)) {
			*ret_is_end = true;
			return reader_check(reader, why);
		}
		c->is_lost = false;
		if (source_peek(src) < 0) {
			*ret_is_end = true;
			return reader_check(reader, why);
		}
		if (!long_read(src, &n) || !long_read(src, &size) || n < 0 ||
			size < 0 || size > BLOCK_BYTES_MAX) {
			c->is_lost = true;
			return block_bad(reader, c, "its head is damaged", why);
		}
		what = block_bytes(reader, c, (size_t)size);
		if (what != NULL)
			return block_bad(reader, c, what, why);
		if (c->block.len == 0 && n > EMPTY_RECORDS_MAX)
			return block_bad(reader, c, "too many records", why);
		c->left = (uint64_t)n;
	}
	return SG_OK;
}

static enum sg_err
container_next(struct file_reader *reader, struct file_row *ret_row,
	bool *ret_is_end, struct sg_fault *why)
{
	struct container *c = reader->state;
	struct sg_fault inner = {0};
	const uint8_t *bytes;
	size_t len = 0;
	enum sg_err err;

	if (c->left == 0) {
		err = block_read(reader, c, ret_is_end, why);
		if (err != SG_OK || *ret_is_end)
			return err;
	}
	bytes = c->block.bytes != NULL ? c->block.bytes + c->at
				       : (const uint8_t *)"";
	err = decode_measure(reader->schemas, c->writer, bytes,
		c->block.len - c->at, &len, &inner);
	if (err == SG_OK && len == 0 && c->left > EMPTY_RECORDS_MAX)
		err = sg_fault_set(&inner, SG_BAD_RECORD, "too many records");
	if (err != SG_OK)
		return block_bad(reader, c, inner.text, why);
	*ret_row = (struct file_row){.bytes = bytes,
		.len = len,
		.writer = c->writer,
		.line = ++reader->line};
	c->at += len;
	c->left--;
	return SG_OK;
}

const struct format format_container = {
	container_open, container_close, container_next};
