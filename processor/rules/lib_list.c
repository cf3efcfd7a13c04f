/*
 * lib_list.c - lists as a whole.
 *
 * Nothing here needs to know about moving values: every decision is made by
 * cel_equal() or cel_order(), and these note until when it holds. While all
 * of them hold, the same elements stand in the same places.
 */
#include <string.h>

#include "lib.h"

static struct value
list_of(struct value *items, size_t n)
{
	return (struct value){
		.kind = VALUE_LIST, .len = (uint32_t)n, .as = {.items = items}};
}

CEL_FN(fn_list_index_of)
{
	struct value list = args[0];

	if (nargs != 2)
		return value_error(ERR_OVERLOAD);
	for (uint32_t i = 0; i < list.len; i++) {
		int is_equal = cel_equal(frame, list.as.items[i], args[1]);

		if (is_equal < 0)
			return value_error(ERR_COST);
		if (is_equal == 1)
			return value_int(i);
	}
	return value_int(-1);
}

CEL_FN(fn_list_last_index_of)
{
	struct value list = args[0];

	if (nargs != 2)
		return value_error(ERR_OVERLOAD);
	for (uint32_t i = list.len; i-- > 0;) {
		int is_equal = cel_equal(frame, list.as.items[i], args[1]);

		if (is_equal < 0)
			return value_error(ERR_COST);
		if (is_equal == 1)
			return value_int(i);
	}
	return value_int(-1);
}

/* The order of two elements, of which `op` is what matters; an error in
 * *ret_error when there is none. */
static int
order(struct cel_frame *frame, struct value a, struct value b, enum node_op op,
	struct value *ret_error)
{
	int result = 3;

	if (!frame_spend(frame, 1)) {
		*ret_error = value_error(ERR_COST);
		return 0;
	}
	result = cel_order(frame, a, b, op);
	if (result == 2)
		*ret_error = value_error("NaN has no order");
	else if (result == 3)
		*ret_error = cel_no_overload(a, b);
	return result;
}

static struct value
extreme(struct cel_frame *frame, struct value list, int sign)
{
	struct value best, error = value_null();

	if (list.kind != VALUE_LIST)
		return cel_no_overload(list, list);
	if (list.len == 0)
		return value_error("the list is empty");
	best = list.as.items[0];
	/* One element has an order too, or it is no element for this. */
	(void)order(frame, best, best, NODE_OP_EQ, &error);
	for (uint32_t i = 1; i < list.len && error.kind == VALUE_NULL; i++) {
		int result = order(frame, list.as.items[i], best,
			sign > 0 ? NODE_OP_GT : NODE_OP_LT, &error);

		if (result * sign > 0)
			best = list.as.items[i];
	}
	return error.kind == VALUE_ERROR ? error : best;
}

CEL_FN(fn_max)
{
	(void)nargs;
	return extreme(frame, args[0], 1);
}

CEL_FN(fn_min)
{
	(void)nargs;
	return extreme(frame, args[0], -1);
}

CEL_FN(fn_is_sorted)
{
	struct value list = args[0], error = value_null();
	bool is_sorted = true;

	(void)nargs;
	if (list.kind != VALUE_LIST)
		return cel_no_overload(list, list);
	for (uint32_t i = 1; i < list.len && error.kind == VALUE_NULL; i++) {
		if (order(frame, list.as.items[i - 1], list.as.items[i],
			    NODE_OP_LE, &error) > 0)
			is_sorted = false;
	}
	return error.kind == VALUE_ERROR ? error : value_bool(is_sorted);
}

CEL_FN(fn_sum)
{
	struct value list = args[0], sum;

	(void)nargs;
	if (list.kind != VALUE_LIST)
		return cel_no_overload(list, list);
	if (list.len == 0)
		return value_int(0);
	sum = list.as.items[0];
	if (sum.kind != VALUE_INT && sum.kind != VALUE_UINT &&
		sum.kind != VALUE_DOUBLE && sum.kind != VALUE_DURATION)
		return cel_no_overload(sum, sum);
	if (!frame_spend(frame, list.len))
		return value_error(ERR_COST);
	for (uint32_t i = 1; i < list.len && sum.kind != VALUE_ERROR; i++)
		sum = cel_add(frame, sum, list.as.items[i]);
	return sum;
}

CEL_FN(fn_distinct)
{
	struct value list = args[0];
	struct value *items;
	uint32_t n = 0;

	(void)nargs;
	if (list.kind != VALUE_LIST)
		return cel_no_overload(list, list);
	items = frame_values(frame, list.len);
	if (items == NULL)
		return value_error(ERR_SPACE);
	for (uint32_t i = 0; i < list.len; i++) {
		int is_equal = 0;

		for (uint32_t j = 0; j < n && is_equal == 0; j++)
			is_equal = cel_equal(frame, items[j], list.as.items[i]);
		if (is_equal < 0)
			return value_error(ERR_COST);
		if (is_equal == 0)
			items[n++] = list.as.items[i];
	}
	return list_of(items, n);
}

CEL_FN(fn_reverse)
{
	struct value list = args[0];
	struct value *items;

	(void)nargs;
	if (list.kind != VALUE_LIST)
		return cel_no_overload(list, list);
	items = frame_values(frame, list.len);
	if (items == NULL || !frame_spend(frame, list.len))
		return value_error(ERR_SPACE);
	for (uint32_t i = 0; i < list.len; i++)
		items[i] = list.as.items[list.len - 1 - i];
	return list_of(items, list.len);
}

CEL_FN(fn_slice)
{
	struct value list = args[0];

	(void)frame;
	(void)nargs;
	if (list.kind != VALUE_LIST || args[1].kind != VALUE_INT ||
		args[2].kind != VALUE_INT)
		return cel_no_overload(args[1], args[2]);
	if (args[1].as.i < 0 || args[1].as.i > args[2].as.i ||
		args[2].as.i > list.len)
		return value_error("index out of range");
	if (list.len != 0)
		list.as.items += args[1].as.i;
	list.len = (uint32_t)(args[2].as.i - args[1].as.i);
	return list;
}

/* Merge the sorted runs from[0..mid) and from[mid..n); equal elements keep
 * their places. */
static void
merge(struct cel_frame *frame, const struct value *from, uint32_t mid,
	uint32_t n, struct value *to, struct value *error)
{
	uint32_t left = 0, right = mid;

	for (uint32_t i = 0; i < n; i++) {
		bool is_left =
			right == n ||
			(left < mid && order(frame, from[left], from[right],
					       NODE_OP_LE, error) <= 0);

		to[i] = is_left ? from[left++] : from[right++];
	}
}

CEL_FN(fn_sort)
{
	struct value list = args[0], error = value_null();
	struct value *from, *to;
	uint32_t n = list.len;

	(void)nargs;
	if (list.kind != VALUE_LIST)
		return cel_no_overload(list, list);
	from = frame_values(frame, n);
	to = frame_values(frame, n);
	if (from == NULL || to == NULL)
		return value_error(ERR_SPACE);
	if (n != 0)
		memcpy(from, list.as.items, n * sizeof(*from));
	if (n == 1)
		(void)order(frame, from[0], from[0], NODE_OP_EQ, &error);
	for (uint32_t run = 1; run < n; run *= 2) {
		struct value *swap = from;

		for (uint32_t at = 0; at < n; at += 2 * run) {
			uint32_t len = n - at < 2 * run ? n - at : 2 * run;

			merge(frame, from + at, run < len ? run : len, len,
				to + at, &error);
		}
		from = to;
		to = swap;
		if (error.kind == VALUE_ERROR)
			return error;
	}
	return error.kind == VALUE_ERROR ? error : list_of(from, n);
}
