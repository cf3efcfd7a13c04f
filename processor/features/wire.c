#include "wire.h"

#include <math.h>
#include <string.h>

#include "number.h"

#define NANO INT64_C(1000000000)
#define NANOS_PER_MS 1000000
#define VARINT_BITS 7
#define I128_BITS 128
#define SUM_DECIMALS 9
#define WHOLE_MAX 1e15 /* below it every whole double has its neighbours */
#define SUM_WHOLE 10   /* beyond 64 bits: all of it */

/* Stored: append only. */
enum wire_tag {
	TAG_NULL,
	TAG_FALSE,
	TAG_TRUE,
	TAG_INT,
	TAG_UINT,
	TAG_DOUBLE,
	TAG_STRING,
	TAG_BYTES,
	TAG_TIME_MS, /* as a difference */
	TAG_TIME,    /* seconds, nanoseconds */
	TAG_DURATION,
	TAG_TIME_NEAR, /* as a difference to the time value before */
	TAG_WHOLE,     /* and the next two: a double of 0, 1, 2 decimals, */
	TAG_TENTHS,    /* without the point */
	TAG_CENTS,
	TAG_SHORT = 16, /* and above: a string of tag - TAG_SHORT bytes */
};

#define SHORT_MAX (UINT8_MAX - TAG_SHORT)

uint8_t *
wire_i128(uint8_t *at, i128 n)
{
	unsigned __int128 rest = ((unsigned __int128)n << 1) ^
				 (n < 0 ? ~(unsigned __int128)0 : 0);

	while (rest > UINT64_MAX) {
		*at++ = (uint8_t)(rest | 0x80);
		rest >>= VARINT_BITS;
	}
	return wire_varint(at, (uint64_t)rest);
}

i128
wire_get_i128(struct buf_reader *rd)
{
	unsigned __int128 n = 0;
	uint8_t byte = 0x80;

	for (unsigned shift = 0; shift < I128_BITS && byte >= 0x80;
		shift += VARINT_BITS) {
		byte = buf_get_u8(rd);
		n |= (unsigned __int128)(byte & 0x7f) << shift;
	}
	if (byte >= 0x80)
		rd->is_bad = true;
	return (i128)((n >> 1) ^ ((n & 1) != 0 ? ~(unsigned __int128)0 : 0));
}

/* The fraction's zeros come to the front, where a varint leaves them out. */
uint8_t *
wire_double(uint8_t *at, double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return wire_varint(at, __builtin_bswap64(bits));
}

double
wire_get_double(struct buf_reader *rd)
{
	uint64_t bits = __builtin_bswap64(buf_get_varint(rd));
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

void
wire_put_u48(struct buf *out, uint64_t n)
{
	buf_put_u32(out, (uint32_t)n);
	buf_put_u8(out, (uint8_t)(n >> 32));
	buf_put_u8(out, (uint8_t)(n >> 40));
}

uint64_t
wire_get_u48(struct buf_reader *rd)
{
	uint64_t n = buf_get_u32(rd);

	n |= (uint64_t)buf_get_u8(rd) << 32;
	return n | (uint64_t)buf_get_u8(rd) << 40;
}

/* The number of its decimals, then the number without the point. */
uint8_t *
wire_sum(uint8_t *at, unsigned type, i128 n)
{
	int64_t small = (int64_t)n;
	unsigned decimals = SUM_DECIMALS;

	if (type != TYPE_DOUBLE)
		return wire_i128(at, n);
	if (n != small) {
		*at++ = SUM_WHOLE;
		return wire_i128(at, n);
	}
	while (decimals > 0 && small % 10 == 0) {
		small /= 10;
		decimals--;
	}
	*at++ = (uint8_t)decimals;
	return wire_zigzag(at, small);
}

i128
wire_get_sum(struct buf_reader *rd, unsigned type)
{
	uint8_t decimals;
	i128 n;

	if (type != TYPE_DOUBLE)
		return wire_get_i128(rd);
	decimals = buf_get_u8(rd);
	if (decimals == SUM_WHOLE)
		return wire_get_i128(rd);
	n = buf_get_zigzag(rd);
	if (decimals > SUM_DECIMALS)
		rd->is_bad = true;
	for (; decimals < SUM_DECIMALS; decimals++)
		n *= 10;
	return n;
}

void
wire_put_diff(struct buf *out, int64_t n, int64_t base)
{
	buf_put_zigzag(out, (int64_t)((uint64_t)n - (uint64_t)base));
}

int64_t
wire_get_diff(struct buf_reader *rd, int64_t base)
{
	return (int64_t)((uint64_t)base + (uint64_t)buf_get_zigzag(rd));
}

static const double powers[] = {1, 10, 100};

/* With the fewest decimals that give the very same double; of amounts that is
 * about half of its bytes. */
static void
put_double(struct buf *out, double d)
{
	uint8_t *start = buf_reserve(out, 1 + WIRE_NUMBER_MAX);
	uint8_t *at;

	if (start == NULL)
		return;
	*start = TAG_DOUBLE;
	at = wire_double(start + 1, d);
	for (unsigned i = 0; i < SG_COUNTOF(powers); i++) {
		uint8_t text[WIRE_NUMBER_MAX];
		double scaled = nearbyint(d * powers[i]);
		size_t len;

		if (!(fabs(scaled) < WHOLE_MAX) || scaled / powers[i] != d ||
			(d == 0 && signbit(d) != 0))
			continue;
		len = (size_t)(wire_zigzag(text, (int64_t)scaled) - text);
		if (len < (size_t)(at - start) - 1) {
			*start = (uint8_t)(TAG_WHOLE + i);
			memcpy(start + 1, text, len);
			at = start + 1 + len;
		}
		break;
	}
	out->len = (size_t)(at - out->bytes);
}

static void
put_text(struct buf *out, uint8_t tag, struct value v)
{
	buf_put_u8(out, tag);
	buf_put_varint(out, v.len);
	buf_put(out, v.as.s, v.len);
}

/* Whole milliseconds of this millennium or so: a difference is shorter. */
static bool
is_plain_time(struct value v)
{
	return v.nanos % NANOS_PER_MS == 0 && v.as.i >= 0 &&
	       v.as.i <= TIME_MAX_MS / 1000;
}

static void
put_seconds(struct buf *out, uint8_t tag, struct value v)
{
	buf_put_u8(out, tag);
	buf_put_zigzag(out, v.as.i);
	buf_put_varint(out, v.nanos);
}

/* Near the event, or near the time that was told before: of contracts that end
 * when others do. */
static void
put_time(struct buf *out, int64_t ms, struct wire_near *near)
{
	int64_t far = ms > near->ms ? ms - near->ms : near->ms - ms;
	int64_t far_value =
		ms > near->value_ms ? ms - near->value_ms : near->value_ms - ms;
	bool is_near = far_value < far;

	buf_put_u8(out, is_near ? TAG_TIME_NEAR : TAG_TIME_MS);
	wire_put_diff(out, ms, is_near ? near->value_ms : near->ms);
	near->value_ms = ms;
}

void
wire_put_value(struct buf *out, struct value v, struct wire_near *near)
{
	switch ((enum value_kind)v.kind) {
	case VALUE_BOOL:
		buf_put_u8(out, v.as.b ? TAG_TRUE : TAG_FALSE);
		break;
	case VALUE_INT:
		buf_put_u8(out, TAG_INT);
		buf_put_zigzag(out, v.as.i);
		break;
	case VALUE_UINT:
		buf_put_u8(out, TAG_UINT);
		buf_put_varint(out, v.as.u);
		break;
	case VALUE_DOUBLE:
		put_double(out, v.as.d);
		break;
	case VALUE_STRING:
		if (v.len > SHORT_MAX) {
			put_text(out, TAG_STRING, v);
			break;
		}
		buf_put_u8(out, (uint8_t)(TAG_SHORT + v.len));
		buf_put(out, v.as.s, v.len);
		break;
	case VALUE_BYTES:
		put_text(out, TAG_BYTES, v);
		break;
	case VALUE_TIMESTAMP:
		if (!is_plain_time(v)) {
			put_seconds(out, TAG_TIME, v);
			break;
		}
		put_time(out, value_to_ms(v), near);
		break;
	case VALUE_DURATION:
		put_seconds(out, TAG_DURATION, v);
		break;
	default:
		buf_put_u8(out, TAG_NULL);
		break;
	}
}

static struct value
get_text(struct buf_reader *rd, uint8_t tag)
{
	uint64_t len = tag >= TAG_SHORT ? (uint64_t)tag - TAG_SHORT
					: buf_get_varint(rd);
	const uint8_t *bytes;

	if (len > FEATURE_TEXT_MAX) {
		rd->is_bad = true;
		return value_null();
	}
	bytes = buf_get_bytes(rd, (size_t)len);
	if (bytes == NULL)
		return value_null();
	if (tag == TAG_BYTES)
		return value_bytes(bytes, (uint32_t)len);
	if (!utf8_is_valid(bytes, (size_t)len))
		rd->is_bad = true;
	return value_string((const char *)bytes, (uint32_t)len);
}

static struct value
get_seconds(struct buf_reader *rd, uint8_t tag)
{
	int64_t seconds = buf_get_zigzag(rd);
	uint64_t nanos = buf_get_varint(rd);

	if (nanos >= (uint64_t)NANO)
		rd->is_bad = true;
	return tag == TAG_TIME ? value_timestamp(seconds, (uint32_t)nanos)
			       : value_duration(seconds, (uint32_t)nanos);
}

/* What is far out is told in seconds: whoever says so here made it up. */
static struct value
get_time(struct buf_reader *rd, int64_t base, struct wire_near *near)
{
	int64_t ms = wire_get_diff(rd, base);

	if (ms < 0 || ms > TIME_MAX_MS + 999) {
		rd->is_bad = true;
		return value_null();
	}
	near->value_ms = ms;
	return value_timestamp_ms(ms);
}

static struct value
get_tagged(struct buf_reader *rd, uint8_t tag, struct wire_near *near)
{
	if (tag >= TAG_SHORT)
		return get_text(rd, tag);
	switch ((enum wire_tag)tag) {
	case TAG_FALSE:
	case TAG_TRUE:
		return value_bool(tag == TAG_TRUE);
	case TAG_INT:
		return value_int(buf_get_zigzag(rd));
	case TAG_UINT:
		return value_uint(buf_get_varint(rd));
	case TAG_DOUBLE:
		return value_double(wire_get_double(rd));
	case TAG_STRING:
	case TAG_BYTES:
		return get_text(rd, tag);
	case TAG_TIME_MS:
		return get_time(rd, near->ms, near);
	case TAG_TIME_NEAR:
		return get_time(rd, near->value_ms, near);
	case TAG_WHOLE:
	case TAG_TENTHS:
	case TAG_CENTS:
		return value_double(
			(double)buf_get_zigzag(rd) / powers[tag - TAG_WHOLE]);
	case TAG_TIME:
	case TAG_DURATION:
		return get_seconds(rd, tag);
	case TAG_NULL:
	case TAG_SHORT:
		break;
	}
	return value_null();
}

struct value
wire_get_value(struct buf_reader *rd, unsigned type, struct wire_near *near)
{
	uint8_t tag = buf_get_u8(rd);
	struct value v = get_tagged(rd, tag, near);

	if (tag != TAG_NULL && !number_is_of(v, type))
		rd->is_bad = true;
	return rd->is_bad ? value_null() : v;
}
