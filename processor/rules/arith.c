/*
 * arith.c - operators on numbers, texts, lists and times.
 *
 * Integers do not wrap: what does not fit is an error. Doubles follow
 * IEEE 754. No operator mixes kinds of numbers.
 */
#include <math.h>
#include <string.h>

#include "frame.h"

#define ERR_OVERFLOW "integer overflow"
#define ERR_DIVIDE "division by zero"

struct value
cel_no_overload(struct value v, struct value w)
{
	if (v.kind == VALUE_ERROR)
		return v;
	if (w.kind == VALUE_ERROR)
		return w;
	if (v.kind == VALUE_NULL || w.kind == VALUE_NULL)
		return value_error(ERR_NULL);
	return value_error(ERR_OVERLOAD);
}

static struct value
join_texts(struct cel_frame *frame, struct value v, struct value w)
{
	size_t len = (size_t)v.len + w.len;
	uint8_t *text;

	if (len > UINT32_MAX || !frame_spend(frame, len / 16))
		return value_error(ERR_COST);
	text = frame_alloc(frame, len);
	if (text == NULL)
		return value_error(ERR_SPACE);
	if (v.len != 0)
		memcpy(text, v.as.bytes, v.len);
	if (w.len != 0)
		memcpy(text + v.len, w.as.bytes, w.len);
	v.len = (uint32_t)len;
	v.as.bytes = text;
	return v;
}

static struct value
join_lists(struct cel_frame *frame, struct value v, struct value w)
{
	size_t len = (size_t)v.len + w.len;
	struct value *items;

	if (v.len == 0)
		return w;
	if (w.len == 0)
		return v;
	if (len > UINT32_MAX || !frame_spend(frame, len / 4))
		return value_error(ERR_COST);
	items = frame_values(frame, len);
	if (items == NULL)
		return value_error(ERR_SPACE);
	memcpy(items, v.as.items, v.len * sizeof(*items));
	memcpy(items + v.len, w.as.items, w.len * sizeof(*items));
	v.len = (uint32_t)len;
	v.as.items = items;
	return v;
}

/* timestamp or duration, plus (sign 1) or minus (-1), the same */
static struct value
add_times(struct cel_frame *frame, struct value v, struct value w, int sign)
{
	bool has_time = v.kind == VALUE_TIMESTAMP || w.kind == VALUE_TIMESTAMP;

	/* The difference of two timestamps is a duration. */
	if (v.kind == VALUE_TIMESTAMP && w.kind == VALUE_TIMESTAMP)
		has_time = false;
	return moving_make(frame, has_time ? VALUE_TIMESTAMP : VALUE_DURATION,
		value_nanos(v) + sign * value_nanos(w),
		v.slope + sign * w.slope);
}

static bool
is_time(struct value v)
{
	return v.kind == VALUE_TIMESTAMP || v.kind == VALUE_DURATION;
}

struct value
cel_add(struct cel_frame *frame, struct value v, struct value w)
{
	if (v.kind != w.kind) {
		if (is_time(v) && is_time(w))
			return add_times(frame, v, w, 1);
		return cel_no_overload(v, w);
	}
	switch (v.kind) {
	case VALUE_INT:
		if (__builtin_add_overflow(v.as.i, w.as.i, &v.as.i))
			return value_error(ERR_OVERFLOW);
		return v;
	case VALUE_UINT:
		if (__builtin_add_overflow(v.as.u, w.as.u, &v.as.u))
			return value_error(ERR_OVERFLOW);
		return v;
	case VALUE_DOUBLE:
		return value_double(v.as.d + w.as.d);
	case VALUE_STRING:
	case VALUE_BYTES:
		return join_texts(frame, v, w);
	case VALUE_LIST:
		return join_lists(frame, v, w);
	case VALUE_DURATION:
		return add_times(frame, v, w, 1);
	default:
		return cel_no_overload(v, w);
	}
}

struct value
cel_sub(struct cel_frame *frame, struct value v, struct value w)
{
	if (is_time(w) &&
		(v.kind == VALUE_TIMESTAMP ||
			(v.kind == VALUE_DURATION && w.kind == v.kind)))
		return add_times(frame, v, w, -1);
	if (v.kind != w.kind)
		return cel_no_overload(v, w);
	switch (v.kind) {
	case VALUE_INT:
		if (__builtin_sub_overflow(v.as.i, w.as.i, &v.as.i))
			return value_error(ERR_OVERFLOW);
		return v;
	case VALUE_UINT:
		if (__builtin_sub_overflow(v.as.u, w.as.u, &v.as.u))
			return value_error(ERR_OVERFLOW);
		return v;
	case VALUE_DOUBLE:
		return value_double(v.as.d - w.as.d);
	default:
		return cel_no_overload(v, w);
	}
}

struct value
cel_mul(struct value v, struct value w)
{
	if (v.kind != w.kind)
		return cel_no_overload(v, w);
	switch (v.kind) {
	case VALUE_INT:
		if (__builtin_mul_overflow(v.as.i, w.as.i, &v.as.i))
			return value_error(ERR_OVERFLOW);
		return v;
	case VALUE_UINT:
		if (__builtin_mul_overflow(v.as.u, w.as.u, &v.as.u))
			return value_error(ERR_OVERFLOW);
		return v;
	case VALUE_DOUBLE:
		return value_double(v.as.d * w.as.d);
	default:
		return cel_no_overload(v, w);
	}
}

struct value
cel_div(struct value v, struct value w)
{
	if (v.kind != w.kind)
		return cel_no_overload(v, w);
	switch (v.kind) {
	case VALUE_INT:
		if (w.as.i == 0)
			return value_error(ERR_DIVIDE);
		if (v.as.i == INT64_MIN && w.as.i == -1)
			return value_error(ERR_OVERFLOW);
		return value_int(v.as.i / w.as.i);
	case VALUE_UINT:
		if (w.as.u == 0)
			return value_error(ERR_DIVIDE);
		return value_uint(v.as.u / w.as.u);
	case VALUE_DOUBLE:
		/* Division by zero is an infinity or NaN (IEEE 754). */
		if (w.as.d == 0) {
			if (v.as.d == 0 || isnan(v.as.d))
				return value_double((double)NAN);
			return value_double(!signbit(v.as.d) == !signbit(w.as.d)
						    ? HUGE_VAL
						    : -HUGE_VAL);
		}
		return value_double(v.as.d / w.as.d);
	default:
		return cel_no_overload(v, w);
	}
}

struct value
cel_mod(struct value v, struct value w)
{
	if (v.kind != w.kind)
		return cel_no_overload(v, w);
	switch (v.kind) {
	case VALUE_INT:
		if (w.as.i == 0)
			return value_error("modulus by zero");
		return value_int(w.as.i == -1 ? 0 : v.as.i % w.as.i);
	case VALUE_UINT:
		if (w.as.u == 0)
			return value_error("modulus by zero");
		return value_uint(v.as.u % w.as.u);
	default:
		return cel_no_overload(v, w);
	}
}

struct value
cel_neg(struct cel_frame *frame, struct value v)
{
	switch (v.kind) {
	case VALUE_INT:
		if (v.as.i == INT64_MIN)
			return value_error(ERR_OVERFLOW);
		return value_int(-v.as.i);
	case VALUE_DOUBLE:
		return value_double(-v.as.d);
	case VALUE_DURATION:
		return moving_make(
			frame, VALUE_DURATION, -value_nanos(v), -v.slope);
	default:
		return cel_no_overload(v, v);
	}
}

/* A number as an index; false when it is none. */
static bool
index_number(struct value key, uint64_t *ret_index)
{
	switch (key.kind) {
	case VALUE_INT:
		*ret_index = key.as.i < 0 ? UINT64_MAX : (uint64_t)key.as.i;
		return true;
	case VALUE_UINT:
		*ret_index = key.as.u;
		return true;
	case VALUE_DOUBLE:
		if (!(key.as.d >= 0 && key.as.d < 4294967296.0) ||
			key.as.d != floor(key.as.d))
			return false;
		*ret_index = (uint64_t)key.as.d;
		return true;
	default:
		return false;
	}
}

struct value
cel_index(struct cel_frame *frame, struct value v, struct value key)
{
	const struct value *found;
	uint64_t index;

	if (v.kind == VALUE_ERROR || key.kind == VALUE_ERROR)
		return v.kind == VALUE_ERROR ? v : key;
	if (v.kind == VALUE_LIST) {
		if (!index_number(key, &index))
			return value_error("an index is an int");
		if (index >= v.len)
			return value_error("index out of range");
		return v.as.items[index];
	}
	if (v.kind != VALUE_MAP)
		return cel_no_overload(v, key);
	if (!frame_spend(frame, v.len))
		return value_error(ERR_COST);
	found = cel_lookup(frame, v, key);
	return found == NULL ? value_error("no such key") : *found;
}
