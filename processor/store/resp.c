#include "resp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SLACK ((size_t)16)

/* "$" or "*", up to 20 digits, CR LF */
#define COUNT_MAX ((size_t)24)

/* Redis takes a million; shorter commands let it answer others sooner. */
#define ARGS_MAX 4096

void
resp_init(struct resp_stream *stream, size_t max_bytes)
{
	*stream = (struct resp_stream){0};
	buf_init(&stream->buf, max_bytes);
	resp_reset(stream);
}

void
resp_fini(struct resp_stream *stream)
{
	buf_fini(&stream->buf);
}

void
resp_reset(struct resp_stream *stream)
{
	struct buf buf = stream->buf;

	buf_reset(&buf);
	*stream = (struct resp_stream){.buf = buf, .start = SLACK};
	if (buf_reserve(&stream->buf, SLACK) != NULL)
		stream->buf.len = SLACK;
}

/* The digits of a number; returns how many. snprintf() takes longer than all
 * the rest of an argument. */
static size_t
put_digits(uint8_t *at, uint64_t n)
{
	uint8_t digits[COUNT_MAX];
	size_t len = 0, i = 0;

	do {
		digits[len++] = (uint8_t)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	while (len > 0)
		at[i++] = digits[--len];
	return i;
}

/* `mark`, the number, CR LF; returns the number of bytes. */
static size_t
put_count(uint8_t *at, char mark, size_t n)
{
	size_t i = 0;

	at[i++] = (uint8_t)mark;
	i += put_digits(at + i, n);
	at[i++] = '\r';
	at[i++] = '\n';
	return i;
}

void
resp_arg2(struct resp_stream *stream, const void *a, size_t alen, const void *b,
	size_t blen)
{
	struct buf *buf = &stream->buf;
	uint8_t *at = buf_reserve(buf, COUNT_MAX + alen + blen + 2);

	stream->nargs++;
	if (at == NULL)
		return;
	at += put_count(at, '$', alen + blen);
	if (alen > 0)
		memcpy(at, a, alen);
	if (blen > 0)
		memcpy(at + alen, b, blen);
	at += alen + blen;
	*at++ = '\r';
	*at++ = '\n';
	buf->len = (size_t)(at - buf->bytes);
}

void
resp_arg(struct resp_stream *stream, const void *bytes, size_t len)
{
	resp_arg2(stream, bytes, len, NULL, 0);
}

void
resp_arg_text(struct resp_stream *stream, const char *text)
{
	resp_arg2(stream, text, strlen(text), NULL, 0);
}

void
resp_arg_uint(struct resp_stream *stream, uint64_t n)
{
	uint8_t text[COUNT_MAX];

	resp_arg(stream, text, put_digits(text, n));
}

void
resp_arg_double(struct resp_stream *stream, double n)
{
	char text[40];
	char *comma;

	/* Whole numbers are most of them: due times, and short ones. */
	if (n >= -1e15 && n <= 1e15 && n == (double)(int64_t)n) {
		uint8_t digits[COUNT_MAX] = "-";
		size_t sign = n < 0 ? 1 : 0;
		uint64_t whole = (uint64_t)(n < 0 ? -n : n);

		resp_arg(stream, digits,
			sign + put_digits(digits + sign, whole));
		return;
	}
	(void)snprintf(text, sizeof(text), "%.17g", n);
	/* Whatever the locale says, Redis wants a point. */
	comma = strchr(text, ',');
	if (comma != NULL)
		*comma = '.';
	resp_arg_text(stream, text);
}

void
resp_begin(struct resp_stream *stream, int kind, const char *name)
{
	uint8_t *at;

	resp_close(stream);
	at = buf_reserve(&stream->buf, COUNT_MAX);
	stream->open_at = stream->buf.len;
	stream->kind = kind;
	stream->ncommands++;
	stream->key_len = 0;
	if (at != NULL)
		stream->buf.len += put_count(at, '*', 0);
	resp_arg_text(stream, name);
}

void
resp_mark_key(struct resp_stream *stream, size_t len)
{
	stream->key_len = len;
	stream->key_at = stream->buf.len - len - 2;
}

bool
resp_is_open(const struct resp_stream *stream, int kind, const void *a,
	size_t alen, const void *b, size_t blen)
{
	const uint8_t *key;

	if (stream->buf.is_failed || stream->nargs == 0 ||
		stream->nargs > ARGS_MAX || stream->kind != kind ||
		stream->key_len != alen + blen)
		return false;
	key = stream->buf.bytes + stream->key_at;
	return (alen == 0 || memcmp(key, a, alen) == 0) &&
	       (blen == 0 || memcmp(key + alen, b, blen) == 0);
}

/* `more` bytes of room behind open_at; open_at may move. */
static bool
make_room(struct resp_stream *stream, size_t more)
{
	struct buf *buf = &stream->buf;
	size_t head = stream->open_at - stream->start;
	size_t tail = buf->len - stream->open_at;

	if (more <= stream->start && head < tail) {
		memmove(buf->bytes + stream->start - more,
			buf->bytes + stream->start, head);
		stream->start -= more;
		stream->open_at -= more;
		return true;
	}
	if (buf_reserve(buf, more) == NULL)
		return false;
	memmove(buf->bytes + stream->open_at + more,
		buf->bytes + stream->open_at, tail);
	buf->len += more;
	return true;
}

void
resp_close(struct resp_stream *stream)
{
	uint8_t header[COUNT_MAX];
	size_t len;

	if (stream->nargs == 0)
		return;
	len = put_count(header, '*', stream->nargs);
	stream->nargs = 0;
	if (stream->buf.is_failed)
		return;
	/* "*0" CR LF holds the place: 4 bytes. */
	if (len > 4 && !make_room(stream, len - 4))
		return;
	memcpy(stream->buf.bytes + stream->open_at, header, len);
}

void
resp_append(struct resp_stream *stream, const struct resp_stream *other)
{
	size_t len;
	const uint8_t *bytes = resp_bytes(other, &len);

	assert(other->nargs == 0);
	resp_close(stream);
	buf_put(&stream->buf, bytes, len);
	stream->ncommands += other->ncommands;
	if (other->buf.is_failed)
		stream->buf.is_failed = true;
}

const uint8_t *
resp_bytes(const struct resp_stream *stream, size_t *ret_len)
{
	if (stream->buf.is_failed) {
		*ret_len = 0;
		return NULL;
	}
	*ret_len = stream->buf.len - stream->start;
	return stream->buf.bytes + stream->start;
}
