/*
 * buf.h - a growable byte buffer with a maximum.
 *
 * Appending never fails on the spot: the first failure (out of memory, above
 * the maximum) is kept in `is_failed` and further appends do nothing, so a
 * caller writes a whole message and checks once.
 */
#ifndef SEGMENTD_BUF_H
#define SEGMENTD_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/err.h"

struct buf {
	uint8_t *bytes; /* NULL while nothing was appended */
	size_t len;
	size_t cap;
	size_t max;
	bool is_failed;
};

void
buf_init(struct buf *buf, size_t max);
void
buf_fini(struct buf *buf);

/* Forget the contents, keep the memory. */
void
buf_reset(struct buf *buf);

void
buf_put(struct buf *buf, const void *bytes, size_t len);
void
buf_put_u8(struct buf *buf, uint8_t byte);
void
buf_put_str(struct buf *buf, const char *text);

/* Little-endian fixed width. */
void
buf_put_u32(struct buf *buf, uint32_t n);
void
buf_put_u64(struct buf *buf, uint64_t n);

/* LEB128, and zigzag LEB128 as Avro's long. */
void
buf_put_varint(struct buf *buf, uint64_t n);
void
buf_put_zigzag(struct buf *buf, int64_t n);

SG_PRINTF(2, 3) void buf_printf(struct buf *buf, const char *fmt, ...);

/* A NUL after the contents (not counted in len); "" when nothing is there or
 * the buffer failed. Valid until: the next append, reset or fini. */
const char *
buf_cstr(struct buf *buf);

/* Room for `len` more bytes at buf->bytes + buf->len, NULL on failure. */
uint8_t *
buf_reserve(struct buf *buf, size_t len);

/*
 * Reading the same forms back. `is_bad` is set at the first read past the end
 * or malformed number; further reads return 0.
 */
struct buf_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool is_bad;
};

void
buf_reader_init(struct buf_reader *rd, const void *bytes, size_t len);
uint8_t
buf_get_u8(struct buf_reader *rd);
uint32_t
buf_get_u32(struct buf_reader *rd);
uint64_t
buf_get_u64(struct buf_reader *rd);
uint64_t
buf_get_varint(struct buf_reader *rd);
int64_t
buf_get_zigzag(struct buf_reader *rd);
/* `len` bytes in place, NULL past the end. */
const uint8_t *
buf_get_bytes(struct buf_reader *rd, size_t len);

#endif
