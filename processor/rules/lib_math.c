/*
 * lib_math.c - math.greatest() and its kin, and base64.
 *
 * math.greatest(a, b, c) reaches here as math.greatest([a, b, c]): the checker
 * makes the list.
 */
#include <math.h>
#include <string.h>

#include "lib.h"

static bool
is_number(struct value v)
{
	return v.kind == VALUE_INT || v.kind == VALUE_UINT ||
	       v.kind == VALUE_DOUBLE;
}

/* The first of the largest (sign 1) or smallest (-1) numbers. */
static struct value
extreme(struct cel_frame *frame, struct value v, int sign)
{
	struct value best;

	if (is_number(v))
		return v;
	if (v.kind != VALUE_LIST)
		return cel_no_overload(v, v);
	if (v.len == 0)
		return value_error("the list is empty");
	if (!frame_spend(frame, v.len))
		return value_error(ERR_COST);
	best = v.as.items[0];
	for (uint32_t i = 0; i < v.len; i++) {
		struct value item = v.as.items[i];
		int order;

		if (!is_number(item))
			return cel_no_overload(item, item);
		order = cel_order(frame, item, best, NODE_OP_GT);
		if (order != 2 && order * sign > 0)
			best = item;
	}
	return best;
}

CEL_FN(fn_greatest)
{
	(void)nargs;
	return extreme(frame, args[0], 1);
}

CEL_FN(fn_least)
{
	(void)nargs;
	return extreme(frame, args[0], -1);
}

/* A function of one double. */
#define OF_DOUBLE(name, expr)                                                  \
	CEL_FN(name)                                                           \
	{                                                                      \
		double d = args[0].as.d;                                       \
                                                                               \
		(void)frame;                                                   \
		(void)nargs;                                                   \
		if (args[0].kind != VALUE_DOUBLE)                              \
			return cel_no_overload(args[0], args[0]);              \
		return expr;                                                   \
	}

OF_DOUBLE(fn_ceil, value_double(ceil(d)))
OF_DOUBLE(fn_floor, value_double(floor(d)))
OF_DOUBLE(fn_round, value_double(round(d)))
OF_DOUBLE(fn_trunc, value_double(trunc(d)))
OF_DOUBLE(fn_is_nan, value_bool(isnan(d)))
OF_DOUBLE(fn_is_inf, value_bool(isinf(d)))
OF_DOUBLE(fn_is_finite, value_bool(isfinite(d)))

CEL_FN(fn_abs)
{
	struct value v = args[0];

	(void)nargs;
	switch (v.kind) {
	case VALUE_UINT:
		return v;
	case VALUE_INT:
		return v.as.i < 0 ? cel_neg(frame, v) : v;
	case VALUE_DOUBLE:
		return value_double(fabs(v.as.d));
	default:
		return cel_no_overload(v, v);
	}
}

CEL_FN(fn_sign)
{
	struct value v = args[0];

	(void)frame;
	(void)nargs;
	switch (v.kind) {
	case VALUE_UINT:
		return value_uint(v.as.u != 0);
	case VALUE_INT:
		return value_int((v.as.i > 0) - (v.as.i < 0));
	case VALUE_DOUBLE:
		if (isnan(v.as.d))
			return v;
		return value_double((v.as.d > 0) - (v.as.d < 0));
	default:
		return cel_no_overload(v, v);
	}
}

CEL_FN(fn_sqrt)
{
	struct value v = args[0];

	(void)frame;
	(void)nargs;
	switch (v.kind) {
	case VALUE_UINT:
		return value_double(sqrt((double)v.as.u));
	case VALUE_INT:
		return value_double(sqrt((double)v.as.i));
	case VALUE_DOUBLE:
		return value_double(sqrt(v.as.d));
	default:
		return cel_no_overload(v, v);
	}
}

/* --- bits --------------------------------------------------------------- */

static bool
has_bits(struct value v)
{
	return v.kind == VALUE_INT || v.kind == VALUE_UINT;
}

/* An int and a uint have the same bits in the same place. */
#define OF_BITS(name, expr)                                                    \
	CEL_FN(name)                                                           \
	{                                                                      \
		struct value v = args[0], w = args[nargs - 1];                 \
                                                                               \
		(void)frame;                                                   \
		if (!has_bits(v) || v.kind != w.kind)                          \
			return cel_no_overload(v, w);                          \
		v.as.u = (expr);                                               \
		return v;                                                      \
	}

OF_BITS(fn_bit_and, v.as.u &w.as.u)
OF_BITS(fn_bit_or, v.as.u | w.as.u)
OF_BITS(fn_bit_xor, v.as.u ^ w.as.u)
OF_BITS(fn_bit_not, ~v.as.u)

static struct value
shift(struct value v, struct value by, bool is_left)
{
	if (!has_bits(v) || by.kind != VALUE_INT)
		return cel_no_overload(v, by);
	if (by.as.i < 0)
		return value_error("a shift cannot be negative");
	if (by.as.i > 63)
		v.as.u = 0;
	else
		v.as.u = is_left ? v.as.u << by.as.i : v.as.u >> by.as.i;
	return v;
}

CEL_FN(fn_bit_shift_left)
{
	(void)frame;
	(void)nargs;
	return shift(args[0], args[1], true);
}

CEL_FN(fn_bit_shift_right)
{
	(void)frame;
	(void)nargs;
	return shift(args[0], args[1], false);
}

/* --- base64 ------------------------------------------------------------- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

CEL_FN(fn_base64_encode)
{
	struct value v = args[0];
	char *text;
	uint32_t at = 0;

	(void)nargs;
	if (v.kind != VALUE_BYTES)
		return cel_no_overload(v, v);
	text = frame_alloc(frame, ((size_t)v.len + 2) / 3 * 4);
	if (text == NULL || !frame_spend(frame, v.len / 8))
		return value_error(ERR_SPACE);
	for (uint32_t i = 0; i < v.len; i += 3) {
		uint32_t left = v.len - i;
		uint32_t bits = (uint32_t)v.as.bytes[i] << 16;

		bits |= left > 1 ? (uint32_t)v.as.bytes[i + 1] << 8 : 0;
		bits |= left > 2 ? v.as.bytes[i + 2] : 0;
		text[at++] = digits[bits >> 18];
		text[at++] = digits[bits >> 12 & 63];
		text[at++] = (char)(left > 1 ? digits[bits >> 6 & 63] : '=');
		text[at++] = (char)(left > 2 ? digits[bits & 63] : '=');
	}
	return value_string(text, at);
}

CEL_FN(fn_base64_decode)
{
	struct value v = args[0];
	uint32_t bits = 0, have = 0, n = 0, len = v.len;
	uint8_t *bytes;

	(void)nargs;
	if (v.kind != VALUE_STRING)
		return cel_no_overload(v, v);
	while (len > 0 && v.len - len < 2 && v.as.s[len - 1] == '=')
		len--;
	if ((v.len % 4 != 0 && len != v.len) || len % 4 == 1)
		return value_error("the text is no base64");
	bytes = frame_alloc(frame, len);
	if (bytes == NULL || !frame_spend(frame, len / 8))
		return value_error(ERR_SPACE);
	for (uint32_t i = 0; i < len; i++) {
		const char *at = memchr(digits, v.as.s[i], sizeof(digits) - 1);

		if (at == NULL)
			return value_error("the text is no base64");
		bits = bits << 6 | (uint32_t)(at - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			bytes[n++] = (uint8_t)(bits >> have);
		}
	}
	return value_bytes(bytes, n);
}
