#include "segmentd/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN ((size_t)64)
#define VARINT_MAX_BYTES 10

void
buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void
buf_fini(struct buf *buf)
{
	if (buf == NULL)
		return;
	free(buf->bytes);
	*buf = (struct buf){.max = buf->max};
}

void
buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->is_failed = false;
}

/* Make room for `need` bytes in all. The NUL of buf_cstr() may lie beyond the
 * maximum, hence no comparison with it here. */
static bool
buf_grow(struct buf *buf, size_t need)
{
	size_t cap = buf->cap > CAP_MIN ? buf->cap : CAP_MIN;

	if (need <= buf->cap)
		return true;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;

	uint8_t *bytes = realloc(buf->bytes, cap);

	if (bytes == NULL)
		return false;
	buf->bytes = bytes;
	buf->cap = cap;
	return true;
}

uint8_t *
buf_reserve(struct buf *buf, size_t len)
{
	if (buf->is_failed)
		return NULL;
	if (buf->len > buf->max || len > buf->max - buf->len ||
		!buf_grow(buf, buf->len + len + (len == 0))) {
		buf->is_failed = true;
		return NULL;
	}
	return buf->bytes + buf->len;
}

void
buf_put(struct buf *buf, const void *bytes, size_t len)
{
	if (len == 0)
		return;

	uint8_t *at = buf_reserve(buf, len);

	if (at == NULL)
		return;
	memcpy(at, bytes, len);
	buf->len += len;
}

void
buf_put_u8(struct buf *buf, uint8_t byte)
{
	if (!buf->is_failed && buf->len < buf->cap && buf->len < buf->max)
		buf->bytes[buf->len++] = byte;
	else
		buf_put(buf, &byte, 1);
}

void
buf_put_str(struct buf *buf, const char *text)
{
	buf_put(buf, text, strlen(text));
}

void
buf_put_u32(struct buf *buf, uint32_t n)
{
	uint8_t bytes[4];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(n >> (8 * i));
	buf_put(buf, bytes, sizeof(bytes));
}

void
buf_put_u64(struct buf *buf, uint64_t n)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(n >> (8 * i));
	buf_put(buf, bytes, sizeof(bytes));
}

void
buf_put_varint(struct buf *buf, uint64_t n)
{
	uint8_t bytes[VARINT_MAX_BYTES];
	size_t len = 0;

	while (n >= 0x80) {
		bytes[len++] = (uint8_t)(n | 0x80);
		n >>= 7;
	}
	bytes[len++] = (uint8_t)n;
	buf_put(buf, bytes, len);
}

void
buf_put_zigzag(struct buf *buf, int64_t n)
{
	uint64_t sign = n < 0 ? UINT64_MAX : 0;

	buf_put_varint(buf, ((uint64_t)n << 1) ^ sign);
}

void
buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0) {
		buf->is_failed = true;
		return;
	}
	/* vsnprintf() writes its NUL too: that byte may pass the maximum. */
	if (buf_reserve(buf, (size_t)len) == NULL)
		return;
	if (!buf_grow(buf, buf->len + (size_t)len + 1)) {
		buf->is_failed = true;
		return;
	}
	va_start(args, fmt);
	len = vsnprintf(
		(char *)buf->bytes + buf->len, (size_t)len + 1, fmt, args);
	va_end(args);
	if (len < 0)
		buf->is_failed = true;
	else
		buf->len += (size_t)len;
}

const char *
buf_cstr(struct buf *buf)
{
	if (buf->is_failed || buf->len == 0 || !buf_grow(buf, buf->len + 1))
		return "";
	buf->bytes[buf->len] = '\0';
	return (const char *)buf->bytes;
}

void
buf_reader_init(struct buf_reader *rd, const void *bytes, size_t len)
{
	/* NULL + 0 is not defined in C; an empty input may well be NULL. */
	rd->at = bytes;
	rd->end = len == 0 ? rd->at : rd->at + len;
	rd->is_bad = false;
}

static void
reader_fail(struct buf_reader *rd)
{
	rd->is_bad = true;
	rd->at = rd->end;
}

const uint8_t *
buf_get_bytes(struct buf_reader *rd, size_t len)
{
	const uint8_t *at = rd->at;

	if (rd->is_bad || len > (size_t)(rd->end - rd->at)) {
		reader_fail(rd);
		return NULL;
	}
	if (len > 0)
		rd->at += len;
	return at;
}

uint8_t
buf_get_u8(struct buf_reader *rd)
{
	const uint8_t *at = buf_get_bytes(rd, 1);

	return at == NULL ? 0 : at[0];
}

uint32_t
buf_get_u32(struct buf_reader *rd)
{
	const uint8_t *at = buf_get_bytes(rd, 4);
	uint32_t n = 0;

	for (int i = 3; at != NULL && i >= 0; i--)
		n = n << 8 | at[i];
	return n;
}

uint64_t
buf_get_u64(struct buf_reader *rd)
{
	const uint8_t *at = buf_get_bytes(rd, 8);
	uint64_t n = 0;

	for (int i = 7; at != NULL && i >= 0; i--)
		n = n << 8 | at[i];
	return n;
}

uint64_t
buf_get_varint(struct buf_reader *rd)
{
	const uint8_t *at = rd->at;
	uint64_t n = 0;

	for (unsigned int i = 0; i < VARINT_MAX_BYTES && at != rd->end; i++) {
		uint8_t byte = *at++;

		/* The tenth byte has one bit of the 64 left. */
		if (i == VARINT_MAX_BYTES - 1 && byte > 1)
			break;
		n |= (uint64_t)(byte & 0x7f) << (7 * i);
		if ((byte & 0x80) == 0) {
			rd->at = at;
			return n;
		}
	}
	reader_fail(rd);
	return 0;
}

int64_t
buf_get_zigzag(struct buf_reader *rd)
{
	uint64_t n = buf_get_varint(rd);

	return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}
