/*
 * number.h - private to features/: fields as 128-bit integers.
 *
 * Rings hold integers only, so that sums are exact and the order of events
 * cannot matter. For a sum an int is itself, a double its nearest multiple of
 * 1e-9, a duration its nanoseconds. For a minimum or maximum any value is
 * mapped such that the order is kept.
 */
#ifndef FEATURES_NUMBER_H
#define FEATURES_NUMBER_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "segmentd/type.h"
#include "segmentd/value.h"
#include "state.h"

#define NUMBER_NANO INT64_C(1000000000)
#define SUM_DOUBLE_MAX 1e18

/* A sum that no longer is one: infinite, or too large. It absorbs. */
#define SUM_ERROR ((i128)((unsigned __int128)1 << 127))

/* Does the value have the field's type? Null and absent have none. */
static inline bool
number_is_of(struct value v, unsigned type)
{
	static const uint8_t types[] = {[VALUE_NULL] = UINT8_MAX,
		[VALUE_BOOL] = TYPE_BOOL,
		[VALUE_INT] = TYPE_INT,
		[VALUE_UINT] = TYPE_UINT,
		[VALUE_DOUBLE] = TYPE_DOUBLE,
		[VALUE_STRING] = TYPE_STRING,
		[VALUE_BYTES] = TYPE_BYTES,
		[VALUE_TIMESTAMP] = TYPE_TIMESTAMP,
		[VALUE_DURATION] = TYPE_DURATION};

	return v.kind < sizeof(types) && types[v.kind] == type;
}

/* The bits of a double as an integer of the same order, and back. A double with
 * the sign bit makes the larger number the smaller one: turn the order of those
 * around. */
static inline int64_t
number_from_double(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return (int64_t)(bits >> 63 != 0 ? bits ^ INT64_MAX : bits);
}

double
number_to_double(int64_t n);

static inline i128
number_nanos(struct value v)
{
	return (i128)v.as.i * NUMBER_NANO + v.nanos;
}

/* Whole and broken part apart: all steps are exact but for one product, which
 * is rounded the same way on any machine. */
static inline i128
number_billionths(double d)
{
	int64_t whole;
	int64_t billionths;
	double part;

	if (!(fabs(d) <= SUM_DOUBLE_MAX))
		return SUM_ERROR;
	whole = (int64_t)d;
	part = (d - (double)whole) * (double)NUMBER_NANO;
	billionths = (int64_t)part;
	part -= (double)billionths;
	billionths += (part >= 0.5) - (part <= -0.5);
	return (i128)whole * NUMBER_NANO + billionths;
}

/* Both return false for a value that is to be skipped. */
static inline bool
number_for_sum(struct value v, unsigned type, i128 *ret_n)
{
	if (!number_is_of(v, type))
		return false;
	switch ((enum value_kind)v.kind) {
	case VALUE_INT:
		*ret_n = v.as.i;
		return true;
	case VALUE_UINT:
		*ret_n = v.as.u;
		return true;
	case VALUE_DOUBLE:
		if (isnan(v.as.d))
			return false;
		*ret_n = number_billionths(v.as.d);
		return true;
	case VALUE_DURATION:
		*ret_n = number_nanos(v);
		return true;
	default:
		return false;
	}
}

static inline bool
number_for_order(struct value v, unsigned type, i128 *ret_n)
{
	if (!number_is_of(v, type))
		return false;
	switch ((enum value_kind)v.kind) {
	case VALUE_INT:
		*ret_n = v.as.i;
		return true;
	case VALUE_UINT:
		*ret_n = v.as.u;
		return true;
	case VALUE_DOUBLE:
		if (isnan(v.as.d))
			return false;
		*ret_n = number_from_double(v.as.d);
		return true;
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
		*ret_n = number_nanos(v);
		return true;
	default:
		return false;
	}
}

static inline i128
number_add(i128 a, i128 b)
{
	i128 sum;

	if (a == SUM_ERROR || b == SUM_ERROR ||
		__builtin_add_overflow(a, b, &sum))
		return SUM_ERROR;
	return sum;
}

/* And back. VALUE_ERROR where a sum does not fit its type. */
struct value
number_sum_value(unsigned type, i128 sum);
double
number_sum_double(unsigned type, i128 sum);
struct value
number_order_value(unsigned type, i128 n);

#endif
