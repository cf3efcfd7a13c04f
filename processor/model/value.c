#include "segmentd/value.h"

#include <math.h>
#include <string.h>

#include "segmentd/arena.h"

#define NANOS_PER_MS 1000000

/* Seconds and nanoseconds of an instant or a span, floor in both. */
static struct value
from_ms(enum value_kind kind, int64_t ms)
{
	int64_t rest = ms % 1000;
	bool is_below = rest < 0;

	return (struct value){.kind = (uint8_t)kind,
		.nanos =
			(uint32_t)(rest + (is_below ? 1000 : 0)) * NANOS_PER_MS,
		.as = {.i = ms / 1000 - is_below}};
}

struct value
value_timestamp_ms(int64_t ms)
{
	return from_ms(VALUE_TIMESTAMP, ms);
}

struct value
value_duration_ms(int64_t ms)
{
	return from_ms(VALUE_DURATION, ms);
}

int64_t
value_to_ms(struct value v)
{
	int64_t rest = v.nanos / NANOS_PER_MS;
	int64_t ms;

	if (v.kind != VALUE_TIMESTAMP && v.kind != VALUE_DURATION)
		return 0;
	/* The last second before INT64_MIN overflows only half-way: its
	 * milliseconds are added to a second that is closer to zero. */
	if (v.as.i < 0) {
		if (__builtin_mul_overflow(v.as.i + 1, 1000, &ms) ||
			__builtin_add_overflow(ms, rest - 1000, &ms))
			return INT64_MIN;
		return ms;
	}
	if (__builtin_mul_overflow(v.as.i, 1000, &ms) ||
		__builtin_add_overflow(ms, rest, &ms))
		return INT64_MAX;
	return ms;
}

/* How many values a container's `items` points at. */
static size_t
items_count(struct value v)
{
	return v.kind == VALUE_MAP ? (size_t)v.len * 2 : v.len;
}

static bool
double_same(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b);
	return a == b && signbit(a) == signbit(b);
}

static bool
value_same_at(struct value a, struct value b, int depth);

static bool
items_same(struct value a, struct value b, int depth)
{
	if (a.len != b.len || depth >= VALUE_DEPTH_MAX)
		return false;
	for (size_t i = 0; i < items_count(a); i++) {
		if (!value_same_at(a.as.items[i], b.as.items[i], depth + 1))
			return false;
	}
	return true;
}

static bool
value_same_at(struct value a, struct value b, int depth)
{
	if (a.kind != b.kind)
		return false;
	switch ((enum value_kind)a.kind) {
	case VALUE_NULL:
	case VALUE_ABSENT:
		return true;
	case VALUE_BOOL:
		return a.as.b == b.as.b;
	case VALUE_INT:
		return a.as.i == b.as.i;
	case VALUE_UINT:
		return a.as.u == b.as.u;
	case VALUE_DOUBLE:
		return double_same(a.as.d, b.as.d);
	case VALUE_STRING:
	case VALUE_BYTES:
		return a.len == b.len &&
		       (a.len == 0 || memcmp(a.as.s, b.as.s, a.len) == 0);
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
		return a.as.i == b.as.i && a.nanos == b.nanos;
	case VALUE_TYPE:
	case VALUE_ERROR:
		return strcmp(a.as.s, b.as.s) == 0;
	case VALUE_LIST:
	case VALUE_MAP:
	case VALUE_RECORD:
		return items_same(a, b, depth);
	}
	return false;
}

bool
value_same(struct value a, struct value b)
{
	return value_same_at(a, b, 0);
}

static struct value
value_copy_at(struct arena *arena, struct value v, int depth);

static struct value
items_copy(struct arena *arena, struct value v, int depth)
{
	size_t count = items_count(v);
	struct value *items;

	if (depth >= VALUE_DEPTH_MAX)
		return value_error("value is nested too deep");
	items = arena_array(arena, count, sizeof(*items));
	if (items == NULL)
		return value_error("out of memory");
	for (size_t i = 0; i < count; i++) {
		bool was_error = v.as.items[i].kind == VALUE_ERROR;

		items[i] = value_copy_at(arena, v.as.items[i], depth + 1);
		if (items[i].kind == VALUE_ERROR && !was_error)
			return items[i];
	}
	v.as.items = items;
	return v;
}

static struct value
value_copy_at(struct arena *arena, struct value v, int depth)
{
	switch ((enum value_kind)v.kind) {
	case VALUE_STRING:
	case VALUE_BYTES:
		v.as.s = arena_copy(arena, v.as.s, v.len);
		return v.as.s == NULL ? value_error("out of memory") : v;
	case VALUE_TYPE:
		v.as.s = arena_copy(arena, v.as.s, strlen(v.as.s));
		return v.as.s == NULL ? value_error("out of memory") : v;
	case VALUE_LIST:
	case VALUE_MAP:
	case VALUE_RECORD:
		return items_copy(arena, v, depth);
	case VALUE_NULL:
	case VALUE_BOOL:
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_DOUBLE:
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
	case VALUE_ABSENT:
	case VALUE_ERROR:
		break;
	}
	return v;
}

struct value
value_copy(struct arena *arena, struct value v)
{
	return value_copy_at(arena, v, 0);
}
