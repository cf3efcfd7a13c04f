/*
 * wire.h - private to features/: numbers and values of the stored form.
 */
#ifndef FEATURES_WIRE_H
#define FEATURES_WIRE_H

#include "segmentd/buf.h"
#include "state.h"

/* What is stored next is told as a difference to what was stored last: most
 * units were touched by the same event. */
struct wire_near {
	int64_t ms;
	int64_t offset;
	int64_t value_ms; /* a time among the values */
};

/*
 * Writing to memory that the caller has made room for: each returns where the
 * next one goes. At most WIRE_NUMBER_MAX bytes each.
 */
#define WIRE_NUMBER_MAX 20

static inline uint8_t *
wire_varint(uint8_t *at, uint64_t n)
{
	while (n >= 0x80) {
		*at++ = (uint8_t)(n | 0x80);
		n >>= 7;
	}
	*at++ = (uint8_t)n;
	return at;
}

/* Small numbers of either sign as small ones without, and back. */
static inline uint64_t
wire_folded(int64_t n)
{
	return ((uint64_t)n << 1) ^ (n < 0 ? UINT64_MAX : 0);
}

static inline int64_t
wire_unfolded(uint64_t n)
{
	return (int64_t)((n >> 1) ^ ((n & 1) != 0 ? UINT64_MAX : 0));
}

static inline uint8_t *
wire_zigzag(uint8_t *at, int64_t n)
{
	return wire_varint(at, wire_folded(n));
}

uint8_t *
wire_i128(uint8_t *at, i128 n);
/* A double in as few bytes as its fraction needs. */
uint8_t *
wire_double(uint8_t *at, double d);
/* A sum: of doubles, the zeros at the end of the decimals are left out. */
uint8_t *
wire_sum(uint8_t *at, unsigned type, i128 n);

i128
wire_get_i128(struct buf_reader *rd);
double
wire_get_double(struct buf_reader *rd);
i128
wire_get_sum(struct buf_reader *rd, unsigned type);

/* The low 48 bits. */
void
wire_put_u48(struct buf *out, uint64_t n);
uint64_t
wire_get_u48(struct buf_reader *rd);

/* Differences wrap around, so that no number is out of reach. */
void
wire_put_diff(struct buf *out, int64_t n, int64_t base);
int64_t
wire_get_diff(struct buf_reader *rd, int64_t base);

void
wire_put_value(struct buf *out, struct value v, struct wire_near *near);
/* A value of `type`, or null; anything else is bad. Texts lie in the reader's
 * bytes. */
struct value
wire_get_value(struct buf_reader *rd, unsigned type, struct wire_near *near);

#endif
