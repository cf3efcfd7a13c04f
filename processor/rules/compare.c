/*
 * compare.c - equality, order, membership.
 *
 * Numbers of different types are compared by value: int with uint exactly, an
 * integer with a double as doubles, as the specification's cases have it (so
 * above 2^53 neighbours are equal). Everything else is equal only to its own
 * kind. NaN equals nothing and has no order.
 */
#include <math.h>
#include <string.h>

#include "frame.h"

#define UNORDERED 2
#define NO_OVERLOAD 3

static bool
is_number(struct value v)
{
	return v.kind == VALUE_INT || v.kind == VALUE_UINT ||
	       v.kind == VALUE_DOUBLE;
}

static int
order_int(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int
order_uint(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
order_double(double a, double b)
{
	if (isnan(a) || isnan(b))
		return UNORDERED;
	return a < b ? -1 : a > b;
}

static int
order_int_double(int64_t i, double d)
{
	if (d < -9223372036854775808.0)
		return 1;
	if (d > 9223372036854775808.0)
		return -1;
	return order_double((double)i, d);
}

static int
order_uint_double(uint64_t u, double d)
{
	if (d < 0)
		return 1;
	if (d > 18446744073709551616.0)
		return -1;
	return order_double((double)u, d);
}

static int
reversed(int order)
{
	return order == UNORDERED ? order : -order;
}

static int
order_numbers(struct value a, struct value b)
{
	if (a.kind == b.kind) {
		if (a.kind == VALUE_INT)
			return order_int(a.as.i, b.as.i);
		if (a.kind == VALUE_UINT)
			return order_uint(a.as.u, b.as.u);
		return order_double(a.as.d, b.as.d);
	}
	if (a.kind == VALUE_DOUBLE)
		return reversed(order_numbers(b, a));
	if (b.kind == VALUE_DOUBLE)
		return a.kind == VALUE_INT ? order_int_double(a.as.i, b.as.d)
					   : order_uint_double(a.as.u, b.as.d);
	if (a.kind == VALUE_UINT)
		return -order_numbers(b, a);
	return a.as.i < 0 ? -1 : order_uint((uint64_t)a.as.i, b.as.u);
}

static int
order_bytes(struct value a, struct value b)
{
	uint32_t len = a.len < b.len ? a.len : b.len;
	int order = len == 0 ? 0 : memcmp(a.as.bytes, b.as.bytes, len);

	if (order != 0)
		return order < 0 ? -1 : 1;
	return order_uint(a.len, b.len);
}

int
cel_order(struct cel_frame *frame, struct value a, struct value b,
	enum node_op op)
{
	if (is_number(a) && is_number(b))
		return order_numbers(a, b);
	if (a.kind != b.kind)
		return NO_OVERLOAD;
	switch (a.kind) {
	case VALUE_BOOL:
		return (int)a.as.b - (int)b.as.b;
	case VALUE_STRING:
	case VALUE_BYTES:
		(void)frame_spend(frame, (a.len + b.len) / 128);
		return order_bytes(a, b);
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
		return moving_compare(frame, a, b, op);
	default:
		return NO_OVERLOAD;
	}
}

static int
equal_at(struct cel_frame *frame, struct value a, struct value b, int depth);

static int
equal_items(struct cel_frame *frame, struct value a, struct value b, int depth)
{
	if (a.len != b.len)
		return 0;
	for (uint32_t i = 0; i < a.len; i++) {
		int is_equal =
			equal_at(frame, a.as.items[i], b.as.items[i], depth);

		if (is_equal != 1)
			return is_equal;
	}
	return 1;
}

static int
equal_maps(struct cel_frame *frame, struct value a, struct value b, int depth)
{
	if (a.len != b.len)
		return 0;
	for (uint32_t i = 0; i < a.len; i++) {
		const struct value *entry = a.as.items + (size_t)i * 2;
		const struct value *other;
		int is_equal;

		if (!frame_spend(frame, b.len))
			return -1;
		other = cel_lookup(frame, b, entry[0]);
		if (other == NULL)
			return 0;
		is_equal = equal_at(frame, entry[1], *other, depth);
		if (is_equal != 1)
			return is_equal;
	}
	return 1;
}

static int
equal_at(struct cel_frame *frame, struct value a, struct value b, int depth)
{
	if (!frame_spend(frame, 1) || depth == COMPARE_DEPTH_MAX)
		return -1;
	if (is_number(a) && is_number(b))
		return order_numbers(a, b) == 0;
	if (a.kind != b.kind)
		return 0;
	switch (a.kind) {
	case VALUE_BOOL:
		return a.as.b == b.as.b;
	case VALUE_STRING:
	case VALUE_BYTES:
		(void)frame_spend(frame, a.len / 64);
		return a.len == b.len && order_bytes(a, b) == 0;
	case VALUE_TYPE:
		return strcmp(a.as.s, b.as.s) == 0;
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
		return moving_compare(frame, a, b, NODE_OP_EQ) == 0;
	case VALUE_LIST:
	case VALUE_RECORD:
		return equal_items(frame, a, b, depth + 1);
	case VALUE_MAP:
		return equal_maps(frame, a, b, depth + 1);
	default:
		return 1; /* null, and an absent field of a record */
	}
}

int
cel_equal(struct cel_frame *frame, struct value a, struct value b)
{
	return equal_at(frame, a, b, 0);
}

struct value
cel_compare(struct cel_frame *frame, enum node_op op, struct value v,
	struct value w)
{
	int order;

	if (v.kind == VALUE_ERROR)
		return v;
	if (w.kind == VALUE_ERROR)
		return w;
	if (op == NODE_OP_EQ || op == NODE_OP_NE) {
		int is_equal = cel_equal(frame, v, w);

		if (is_equal < 0)
			return value_error(ERR_COST);
		return value_bool((is_equal == 1) == (op == NODE_OP_EQ));
	}
	order = cel_order(frame, v, w, op);
	if (order == NO_OVERLOAD)
		return cel_no_overload(v, w);
	if (order == UNORDERED)
		return value_bool(false);
	switch (op) {
	case NODE_OP_LT:
		return value_bool(order < 0);
	case NODE_OP_LE:
		return value_bool(order <= 0);
	case NODE_OP_GT:
		return value_bool(order > 0);
	default:
		return value_bool(order >= 0);
	}
}

const struct value *
cel_lookup(struct cel_frame *frame, struct value map, struct value key)
{
	const struct value *items = map.as.items;

	(void)frame;
	if (key.kind == VALUE_STRING) {
		for (uint32_t i = 0; i < map.len; i++, items += 2) {
			if (items->kind == VALUE_STRING &&
				items->len == key.len &&
				order_bytes(*items, key) == 0)
				return items + 1;
		}
		return NULL;
	}
	for (uint32_t i = 0; i < map.len; i++, items += 2) {
		if (is_number(key) && is_number(*items) &&
			order_numbers(key, *items) == 0)
			return items + 1;
		if (key.kind == VALUE_BOOL && items->kind == VALUE_BOOL &&
			key.as.b == items->as.b)
			return items + 1;
	}
	return NULL;
}

/* A text among texts, the common case: nothing here moves or nests. */
static bool
text_in_list(struct value v, struct value list)
{
	const struct value *items = list.as.items;

	for (uint32_t i = 0; i < list.len; i++) {
		if (items[i].kind == VALUE_STRING && items[i].len == v.len &&
			order_bytes(items[i], v) == 0)
			return true;
	}
	return false;
}

/* Found at once: only that element matters. Not found: all of them do. */
static struct value
in_list(struct cel_frame *frame, struct value v, struct value list)
{
	int64_t outer_ms = frame->until_ms, least_ms = AT_NEVER;

	for (uint32_t i = 0; i < list.len; i++) {
		int is_equal;

		frame->until_ms = AT_NEVER;
		is_equal = cel_equal(frame, v, list.as.items[i]);
		if (is_equal == 1) {
			frame_until(frame, outer_ms);
			return value_bool(true);
		}
		if (frame->until_ms < least_ms)
			least_ms = frame->until_ms;
		if (is_equal < 0) {
			/* The cost is the same until something read differs. */
			frame->until_ms = outer_ms;
			frame_until(frame, least_ms);
			return value_error(ERR_COST);
		}
	}
	frame->until_ms = outer_ms;
	frame_until(frame, least_ms);
	return value_bool(false);
}

struct value
cel_in(struct cel_frame *frame, struct value v, struct value list)
{
	if (v.kind == VALUE_ERROR)
		return v;
	if (list.kind == VALUE_ERROR)
		return list;
	if (list.kind == VALUE_LIST && v.kind == VALUE_STRING)
		return frame_spend(frame, list.len)
			       ? value_bool(text_in_list(v, list))
			       : value_error(ERR_COST);
	if (list.kind == VALUE_LIST)
		return in_list(frame, v, list);
	if (list.kind != VALUE_MAP)
		return cel_no_overload(v, list);
	if (!frame_spend(frame, list.len))
		return value_error(ERR_COST);
	return value_bool(cel_lookup(frame, list, v) != NULL);
}
