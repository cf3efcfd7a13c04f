/*
 * scalar.c - one Avro value from its text or from a JSON number.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "encode.h"
#include "number.h"

#include "segmentd/civil.h"
#include "segmentd/value.h"

#define SECONDS_PER_DAY 86400

static bool
bad(struct encode *e, const char *why)
{
	return encode_fail(e, SG_BAD_RECORD, why);
}

static bool
is_word(const char *text, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (word[i] == '\0' || c != word[i])
			return false;
	}
	return word[len] == '\0';
}

/* --- putting -------------------------------------------------------------- */

static bool
put_integer(struct encode *e, const struct schema *schema, int64_t n)
{
	if (schema->kind == SCHEMA_INT && (n < INT32_MIN || n > INT32_MAX))
		return bad(e, "the number does not fit an int");
	buf_put_zigzag(e->out, n);
	return true;
}

static bool
put_real(struct encode *e, const struct schema *schema, double d)
{
	uint64_t bits64;
	uint32_t bits32;
	float f;

	if (schema->kind == SCHEMA_DOUBLE) {
		memcpy(&bits64, &d, sizeof(bits64));
		buf_put_u64(e->out, bits64);
		return true;
	}
	if (isfinite(d) && fabs(d) > (double)FLT_MAX)
		return bad(e, "the number does not fit a float");
	f = (float)d;
	memcpy(&bits32, &f, sizeof(bits32));
	buf_put_u32(e->out, bits32);
	return true;
}

static bool
put_decimal(
	struct encode *e, const struct schema *schema, const struct number *num)
{
	uint8_t bytes[NUMBER_BYTES_MAX];
	size_t len = 0;
	const char *why = number_to_decimal(
		num, schema->scale, schema->precision, bytes, &len);

	if (why != NULL)
		return bad(e, why);
	if (schema->kind == SCHEMA_BYTES) {
		buf_put_zigzag(e->out, (int64_t)len);
	} else if (len > schema->size) {
		return bad(e, "the decimal does not fit its fixed size");
	} else {
		for (size_t i = len; i < schema->size; i++)
			buf_put_u8(e->out, (bytes[0] & 0x80) ? 0xff : 0);
	}
	buf_put(e->out, bytes, len);
	return true;
}

static bool
put_bytes(struct encode *e, const struct schema *schema, const char *text,
	size_t len)
{
	if (schema->kind == SCHEMA_FIXED && len != schema->size)
		return bad(e, "not as many bytes as the fixed has");
	if (schema->kind != SCHEMA_FIXED)
		buf_put_zigzag(e->out, (int64_t)len);
	buf_put(e->out, text, len);
	return true;
}

static bool
put_symbol(struct encode *e, const struct schema *schema, const char *text,
	size_t len)
{
	for (size_t i = 0; i < schema->nsymbols; i++)
		if (strlen(schema->symbols[i]) == len &&
			memcmp(schema->symbols[i], text, len) == 0) {
			buf_put_zigzag(e->out, (int64_t)i);
			return true;
		}
	if (e->is_strict || schema->symbol_default < 0)
		return bad(e, "not a symbol of the enum");
	buf_put_zigzag(e->out, schema->symbol_default);
	return true;
}

/* --- times ---------------------------------------------------------------- */

static int64_t
units_per_second(enum schema_logical logical)
{
	switch (logical) {
	case LOGICAL_TIME_MS:
	case LOGICAL_TIMESTAMP_MS:
		return 1000;
	case LOGICAL_TIME_US:
	case LOGICAL_TIMESTAMP_US:
		return 1000000;
	case LOGICAL_TIMESTAMP_NS:
		return 1000000000;
	default:
		return 1;
	}
}

static bool
two_digits(const char **at, const char *end, int64_t max, int64_t *ret_n)
{
	const char *p = *at;

	if (end - p < 2 || p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*ret_n = (p[0] - '0') * 10 + (p[1] - '0');
	*at = p + 2;
	return *ret_n <= max;
}

/* "hh:mm", "hh:mm:ss", "hh:mm:ss.fff" to seconds and nanoseconds. */
static bool
time_of_day(
	const char *text, size_t len, int64_t *ret_seconds, int32_t *ret_nanos)
{
	const char *at = text;
	const char *end = text + len;
	int64_t hour = 0, minute = 0, second = 0, nanos = 0;

	if (!two_digits(&at, end, 23, &hour) || at == end || *at++ != ':' ||
		!two_digits(&at, end, 59, &minute))
		return false;
	if (at < end && (*at++ != ':' || !two_digits(&at, end, 59, &second)))
		return false;
	if (at < end) {
		if (*at++ != '.' || at == end || end - at > 9)
			return false;
		for (int i = 0; i < 9; i++) {
			if (at < end && (*at < '0' || *at > '9'))
				return false;
			nanos = nanos * 10 + (at < end ? *at++ - '0' : 0);
		}
	}
	*ret_seconds = (hour * 60 + minute) * 60 + second;
	*ret_nanos = (int32_t)nanos;
	return true;
}

static bool
put_time(struct encode *e, const struct schema *schema, const char *text,
	size_t len)
{
	int64_t per_second = units_per_second(schema->logical);
	bool is_of_day = schema->logical == LOGICAL_TIME_MS ||
			 schema->logical == LOGICAL_TIME_US;
	int64_t seconds = 0, n;
	int32_t nanos = 0;

	if (is_of_day ? !time_of_day(text, len, &seconds, &nanos)
		      : !civil_parse(text, len, false, &seconds, &nanos))
		return bad(e, is_of_day ? "not a time of day" : "not a time");
	if (schema->logical == LOGICAL_DATE) {
		n = seconds / SECONDS_PER_DAY;
		return put_integer(
			e, schema, n - (seconds % SECONDS_PER_DAY < 0 ? 1 : 0));
	}
	if (__builtin_mul_overflow(seconds, per_second, &n) ||
		__builtin_add_overflow(
			n, nanos / (1000000000 / per_second), &n))
		return bad(e, "the time is out of range");
	return put_integer(e, schema, n);
}

static bool
is_time(const struct schema *schema)
{
	return schema->logical != LOGICAL_NONE &&
	       (schema->kind == SCHEMA_INT || schema->kind == SCHEMA_LONG);
}

/* --- from text ------------------------------------------------------------ */

static bool
real_from_text(struct encode *e, const struct schema *schema, const char *text,
	size_t len)
{
	struct number num;
	double d = 0;

	if (number_parse(text, len, &num)) {
		if (!number_as_double(&num, &d))
			return bad(e, "the number does not fit a double");
		return put_real(e, schema, d);
	}
	if (is_word(text, len, "nan"))
		return put_real(e, schema, (double)NAN);
	if (is_word(text, len, "infinity") || is_word(text, len, "inf"))
		return put_real(e, schema, (double)INFINITY);
	if (is_word(text, len, "-infinity") || is_word(text, len, "-inf"))
		return put_real(e, schema, -(double)INFINITY);
	return bad(e, "not a number");
}

static bool
integer_from_text(struct encode *e, const struct schema *schema,
	const char *text, size_t len)
{
	struct number num;
	int64_t n = 0;

	if (!number_parse(text, len, &num)) {
		if (is_time(schema))
			return put_time(e, schema, text, len);
		return bad(e, "not a number");
	}
	if (!number_to_integer(&num, &n))
		return bad(e, "not a whole number of 64 bits");
	return put_integer(e, schema, n);
}

static bool
boolean_from_text(struct encode *e, const char *text, size_t len)
{
	bool is_true = is_word(text, len, "true") || is_word(text, len, "1");

	if (!is_true && !is_word(text, len, "false") &&
		!is_word(text, len, "0"))
		return bad(e, "not a boolean");
	buf_put_u8(e->out, is_true);
	return true;
}

static bool
decimal_from_text(struct encode *e, const struct schema *schema,
	const char *text, size_t len)
{
	struct number num;

	if (!number_parse(text, len, &num))
		return bad(e, "not a number");
	return put_decimal(e, schema, &num);
}

bool
scalar_from_text(struct encode *e, const struct schema *schema,
	const char *text, size_t len)
{
	bool is_raw = schema->kind == SCHEMA_STRING ||
		      ((schema->kind == SCHEMA_BYTES ||
			       schema->kind == SCHEMA_FIXED) &&
			      schema->logical != LOGICAL_DECIMAL);

	for (; !is_raw && len > 0 && text[0] == ' '; len--)
		text++;
	while (!is_raw && len > 0 && text[len - 1] == ' ')
		len--;
	switch (schema->kind) {
	case SCHEMA_BOOLEAN:
		return boolean_from_text(e, text, len);
	case SCHEMA_INT:
	case SCHEMA_LONG:
		return integer_from_text(e, schema, text, len);
	case SCHEMA_FLOAT:
	case SCHEMA_DOUBLE:
		return real_from_text(e, schema, text, len);
	case SCHEMA_BYTES:
	case SCHEMA_FIXED:
		return schema->logical == LOGICAL_DECIMAL
			       ? decimal_from_text(e, schema, text, len)
			       : put_bytes(e, schema, text, len);
	case SCHEMA_ENUM:
		return put_symbol(e, schema, text, len);
	case SCHEMA_STRING:
		if (!utf8_is_valid(text, len))
			return encode_fail(
				e, SG_BAD_UTF8, "the text is not valid UTF-8");
		return put_bytes(e, schema, text, len);
	case SCHEMA_NULL:
		return bad(e, "only null may stand here");
	default:
		return bad(e, "a record, list or map was expected");
	}
}

/* --- from numbers --------------------------------------------------------- */

bool
scalar_from_integer(struct encode *e, const struct schema *schema, int64_t n)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRId64, n);

	switch (schema->kind) {
	case SCHEMA_INT:
	case SCHEMA_LONG:
		return put_integer(e, schema, n);
	case SCHEMA_BYTES:
	case SCHEMA_FIXED:
		if (schema->logical == LOGICAL_DECIMAL && len > 0)
			return decimal_from_text(e, schema, text, (size_t)len);
		return bad(e, "text was expected, not a number");
	case SCHEMA_FLOAT:
	case SCHEMA_DOUBLE:
	case SCHEMA_STRING:
	case SCHEMA_BOOLEAN:
		if (!e->is_strict && len > 0)
			return scalar_from_text(e, schema, text, (size_t)len);
		return bad(e, "not of this kind");
	default:
		return bad(e, "a number does not fit here");
	}
}

/* A decimal wants the digits a person wrote: the fewest that are this double,
 * tried from what always survives (15) to what always suffices (17). */
static bool
decimal_from_double(struct encode *e, const struct schema *schema, double d)
{
	char text[40];
	struct number num;
	double back = 0;

	for (int digits = 15; digits <= 17; digits++) {
		int len = snprintf(text, sizeof(text), "%.*e", digits - 1, d);

		if (len < 0 || !number_parse(text, (size_t)len, &num))
			return bad(e, "not a number");
		if (number_as_double(&num, &back) && back == d)
			break;
	}
	return put_decimal(e, schema, &num);
}

bool
scalar_from_double(struct encode *e, const struct schema *schema, double d)
{
	switch (schema->kind) {
	case SCHEMA_FLOAT:
	case SCHEMA_DOUBLE:
		return put_real(e, schema, d);
	case SCHEMA_BYTES:
	case SCHEMA_FIXED:
		if (schema->logical == LOGICAL_DECIMAL)
			return decimal_from_double(e, schema, d);
		break;
	case SCHEMA_INT:
	case SCHEMA_LONG:
		if (e->is_strict || d != trunc(d) ||
			fabs(d) > 9007199254740992.0)
			return bad(e, "not a whole number");
		return put_integer(e, schema, (int64_t)d);
	default:
		break;
	}
	return bad(e, "a number does not fit here");
}
