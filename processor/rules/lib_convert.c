/*
 * lib_convert.c - from one type to another.
 *
 * A conversion that would lose the number is an error; a double loses its
 * fraction. Moving timestamps and durations stand still once they are numbers
 * or texts, and say until when.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "lib.h"

#define NS_PER_MS ((nanos_t)1000000)
#define NS_PER_S ((nanos_t)1000000000)
#define ERR_RANGE "the number is out of range"

static struct value
text_copy(struct cel_frame *frame, const char *text, size_t len)
{
	char *copy = frame_alloc(frame, len);

	if (copy == NULL)
		return value_error(ERR_SPACE);
	memcpy(copy, text, len);
	return value_string(copy, (uint32_t)len);
}

CEL_FN(fn_dyn)
{
	(void)frame;
	(void)nargs;
	return args[0];
}

CEL_FN(fn_type)
{
	static const char *const names[] = {[VALUE_NULL] = "null_type",
		[VALUE_BOOL] = "bool",
		[VALUE_INT] = "int",
		[VALUE_UINT] = "uint",
		[VALUE_DOUBLE] = "double",
		[VALUE_STRING] = "string",
		[VALUE_BYTES] = "bytes",
		[VALUE_TIMESTAMP] = "google.protobuf.Timestamp",
		[VALUE_DURATION] = "google.protobuf.Duration",
		[VALUE_LIST] = "list",
		[VALUE_MAP] = "map",
		[VALUE_RECORD] = "record",
		[VALUE_TYPE] = "type"};
	const char *name =
		args[0].kind <= VALUE_TYPE ? names[args[0].kind] : "dyn";

	(void)frame;
	(void)nargs;
	return (struct value){.kind = VALUE_TYPE,
		.len = (uint32_t)strlen(name),
		.as = {.s = name}};
}

CEL_FN(fn_bool)
{
	static const char *const yes[] = {"1", "t", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "false", "FALSE", "False"};
	struct value v = args[0];

	(void)frame;
	(void)nargs;
	if (v.kind == VALUE_BOOL)
		return v;
	if (v.kind != VALUE_STRING)
		return cel_no_overload(v, v);
	for (size_t i = 0; i < SG_COUNTOF(yes); i++) {
		if (v.len == strlen(yes[i]) &&
			memcmp(v.as.s, yes[i], v.len) == 0)
			return value_bool(true);
		if (v.len == strlen(no[i]) && memcmp(v.as.s, no[i], v.len) == 0)
			return value_bool(false);
	}
	return value_error("the text is no bool");
}

CEL_FN(fn_bytes)
{
	struct value v = args[0];

	(void)frame;
	(void)nargs;
	if (v.kind != VALUE_STRING && v.kind != VALUE_BYTES)
		return cel_no_overload(v, v);
	v.kind = VALUE_BYTES;
	return v;
}

CEL_FN(fn_double)
{
	struct value v = args[0];
	double d;

	(void)frame;
	(void)nargs;
	switch (v.kind) {
	case VALUE_DOUBLE:
		return v;
	case VALUE_INT:
		return value_double((double)v.as.i);
	case VALUE_UINT:
		return value_double((double)v.as.u);
	case VALUE_STRING:
		if (!decimal_parse(v.as.s, v.len, false, &d))
			return value_error("the text is no number");
		return value_double(d);
	default:
		return cel_no_overload(v, v);
	}
}

/* Whole seconds, rounded down; a moving value leaves them some time. */
static struct value
seconds_of(struct cel_frame *frame, struct value v)
{
	nanos_t low = v.as.i * NS_PER_S;

	if (v.slope != 0)
		moving_leaves(frame, value_nanos(v), v.slope, low,
			low + NS_PER_S - 1);
	return value_int(v.as.i);
}

CEL_FN(fn_int)
{
	struct value v = args[0];
	int64_t i;

	switch (v.kind) {
	case VALUE_INT:
		return v;
	case VALUE_UINT:
		if (v.as.u > (uint64_t)INT64_MAX)
			return value_error(ERR_RANGE);
		return value_int((int64_t)v.as.u);
	case VALUE_DOUBLE:
		if (!(v.as.d > -9223372036854775808.0 &&
			    v.as.d < 9223372036854775808.0))
			return value_error(ERR_RANGE);
		return value_int((int64_t)v.as.d);
	case VALUE_STRING:
		if (!decimal_parse_int(v.as.s, v.len, &i))
			return value_error("the text is no int");
		return value_int(i);
	case VALUE_TIMESTAMP:
		return seconds_of(frame, v);
	case VALUE_DURATION:
		return fn_get_seconds(frame, args, nargs);
	default:
		return cel_no_overload(v, v);
	}
}

CEL_FN(fn_uint)
{
	struct value v = args[0];
	uint64_t u;

	(void)frame;
	(void)nargs;
	switch (v.kind) {
	case VALUE_UINT:
		return v;
	case VALUE_INT:
		if (v.as.i < 0)
			return value_error(ERR_RANGE);
		return value_uint((uint64_t)v.as.i);
	case VALUE_DOUBLE:
		if (!(v.as.d > -1.0 && v.as.d < 18446744073709551616.0) ||
			v.as.d < 0)
			return value_error(ERR_RANGE);
		return value_uint((uint64_t)v.as.d);
	case VALUE_STRING:
		if (!decimal_parse_uint(v.as.s, v.len, &u))
			return value_error("the text is no uint");
		return value_uint(u);
	default:
		return cel_no_overload(v, v);
	}
}

size_t
duration_print(struct value v, char *text)
{
	nanos_t nanos = value_nanos(v);
	bool is_negative = nanos < 0;
	uint64_t whole, rest;
	int n;

	if (is_negative)
		nanos = -nanos;
	whole = (uint64_t)(nanos / NS_PER_S);
	rest = (uint64_t)(nanos % NS_PER_S);
	n = snprintf(text, DURATION_TEXT_MAX, "%s%llu.%09llu",
		is_negative ? "-" : "", (unsigned long long)whole,
		(unsigned long long)rest);
	while (n > 0 && text[n - 1] == '0')
		n--;
	if (n > 0 && text[n - 1] == '.')
		n--;
	text[n++] = 's';
	text[n] = '\0';
	return (size_t)n;
}

static struct value
string_of_time(struct cel_frame *frame, struct value v)
{
	char text[CIVIL_RFC3339_MAX + DURATION_TEXT_MAX];
	size_t len;

	if (v.slope != 0)
		frame_until(frame, frame->now_ms + 1);
	if (v.kind == VALUE_TIMESTAMP)
		len = civil_format(
			v.as.i, (int32_t)v.nanos, text, sizeof(text));
	else
		len = duration_print(v, text);
	return text_copy(frame, text, len);
}

CEL_FN(fn_string)
{
	struct value v = args[0];
	char text[DECIMAL_TEXT_MAX];
	int n;

	(void)nargs;
	switch (v.kind) {
	case VALUE_STRING:
		return v;
	case VALUE_BYTES:
		if (!utf8_is_valid(v.as.bytes, v.len))
			return value_error("the bytes are not valid UTF-8");
		v.kind = VALUE_STRING;
		return v;
	case VALUE_BOOL:
		return v.as.b ? value_string("true", 4)
			      : value_string("false", 5);
	case VALUE_INT:
		n = snprintf(text, sizeof(text), "%lld", (long long)v.as.i);
		return text_copy(frame, text, (size_t)n);
	case VALUE_UINT:
		n = snprintf(
			text, sizeof(text), "%llu", (unsigned long long)v.as.u);
		return text_copy(frame, text, (size_t)n);
	case VALUE_DOUBLE:
		return text_copy(frame, text, decimal_print(v.as.d, text));
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
		return string_of_time(frame, v);
	default:
		return cel_no_overload(v, v);
	}
}

CEL_FN(fn_timestamp)
{
	struct value v = args[0];
	int64_t seconds;
	int32_t nanos;

	(void)nargs;
	if (v.kind == VALUE_TIMESTAMP)
		return v;
	if (v.kind == VALUE_INT)
		return moving_make(
			frame, VALUE_TIMESTAMP, v.as.i * NS_PER_S, 0);
	if (v.kind != VALUE_STRING)
		return cel_no_overload(v, v);
	if (!civil_parse(v.as.s, v.len, true, &seconds, &nanos))
		return value_error("the text is no timestamp");
	return moving_make(
		frame, VALUE_TIMESTAMP, seconds * NS_PER_S + nanos, 0);
}

/* --- duration("1h30m") -------------------------------------------------- */

/* The unit at text[0]: its length in nanoseconds, 0 when there is none. */
static nanos_t
duration_unit(const char *text, uint32_t len, uint32_t *ret_used)
{
	static const struct {
		const char *name;
		int64_t nanos;
	} names[] = {{"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000},
		{"\xce\xbcs", 1000}, {"ms", 1000000}, {"s", 1000000000},
		{"m", INT64_C(60000000000)}, {"h", INT64_C(3600000000000)}};

	for (size_t i = 0; i < SG_COUNTOF(names); i++) {
		uint32_t n = (uint32_t)strlen(names[i].name);

		if (n <= len && memcmp(text, names[i].name, n) == 0) {
			*ret_used = n;
			return names[i].nanos;
		}
	}
	return 0;
}

/* One "1.5h" at text[*at]; false when malformed or far too large. */
static bool
duration_part(const char *text, uint32_t len, uint32_t *at, nanos_t *total)
{
	nanos_t whole = 0, fraction = 0, scale = 1, unit;
	uint32_t digits = 0, used = 0;

	for (; *at < len && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
		whole = whole * 10 + (text[*at] - '0');
		digits++;
		if (whole > (nanos_t)INT64_MAX)
			return false;
	}
	if (*at < len && text[*at] == '.') {
		++*at;
		for (; *at < len && text[*at] >= '0' && text[*at] <= '9';
			++*at) {
			digits++;
			if (scale < NS_PER_S * NS_PER_S) {
				fraction = fraction * 10 + (text[*at] - '0');
				scale *= 10;
			}
		}
	}
	unit = duration_unit(text + *at, len - *at, &used);
	if (digits == 0 || unit == 0)
		return false;
	*at += used;
	*total += whole * unit + fraction * unit / scale;
	return *total <= (nanos_t)INT64_MAX + 1;
}

CEL_FN(fn_duration)
{
	struct value v = args[0];
	bool is_negative = false;
	nanos_t total = 0;
	uint32_t at = 0;

	(void)nargs;
	if (v.kind == VALUE_DURATION)
		return v;
	if (v.kind != VALUE_STRING)
		return cel_no_overload(v, v);
	if (at < v.len && (v.as.s[at] == '-' || v.as.s[at] == '+'))
		is_negative = v.as.s[at++] == '-';
	if (at == v.len)
		return value_error("the text is no duration");
	if (v.len - at == 1 && v.as.s[at] == '0')
		return moving_make(frame, VALUE_DURATION, 0, 0);
	while (at < v.len) {
		if (!duration_part(v.as.s, v.len, &at, &total))
			return value_error("the text is no duration");
	}
	return moving_make(
		frame, VALUE_DURATION, is_negative ? -total : total, 0);
}
