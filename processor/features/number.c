#include "number.h"

#include <math.h>
#include <string.h>

#define NANO INT64_C(1000000000)
#define SUM_DOUBLE_MAX 1e18

bool
number_is_of(struct value v, unsigned type)
{
	switch ((enum value_kind)v.kind) {
	case VALUE_BOOL:
		return type == TYPE_BOOL || type == TYPE_DYN;
	case VALUE_INT:
		return type == TYPE_INT || type == TYPE_DYN;
	case VALUE_UINT:
		return type == TYPE_UINT || type == TYPE_DYN;
	case VALUE_DOUBLE:
		return type == TYPE_DOUBLE || type == TYPE_DYN;
	case VALUE_STRING:
		return type == TYPE_STRING || type == TYPE_DYN;
	case VALUE_BYTES:
		return type == TYPE_BYTES || type == TYPE_DYN;
	case VALUE_TIMESTAMP:
		return type == TYPE_TIMESTAMP || type == TYPE_DYN;
	case VALUE_DURATION:
		return type == TYPE_DURATION || type == TYPE_DYN;
	default:
		return false;
	}
}

/* A double with the sign bit makes the larger number the smaller one: turn
 * the order of those around. */
int64_t
number_from_double(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return (int64_t)(bits >> 63 != 0 ? bits ^ INT64_MAX : bits);
}

double
number_to_double(int64_t n)
{
	uint64_t bits = n < 0 ? (uint64_t)n ^ INT64_MAX : (uint64_t)n;
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

static i128
number_nanos(struct value v)
{
	return (i128)v.as.i * NANO + v.nanos;
}

/* Whole and broken part apart: both conversions are exact but for the last
 * rounding, on any machine. */
static i128
number_billionths(double d)
{
	double whole;
	double part;

	if (!(fabs(d) <= SUM_DOUBLE_MAX))
		return SUM_ERROR;
	part = modf(d, &whole);
	return (i128)(int64_t)whole * NANO + llround(part * (double)NANO);
}

bool
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

bool
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

i128
number_add(i128 a, i128 b)
{
	i128 sum;

	if (a == SUM_ERROR || b == SUM_ERROR ||
		__builtin_add_overflow(a, b, &sum))
		return SUM_ERROR;
	return sum;
}

double
number_sum_double(unsigned type, i128 sum)
{
	/* The whole part is exact below 2^53, whatever the broken part. */
	if (type == TYPE_DOUBLE)
		return (double)(sum / NANO) +
		       (double)(int64_t)(sum % NANO) / (double)NANO;
	return (double)sum;
}

/* Floor division: a second more for what is left. */
static struct value
number_from_nanos(enum value_kind kind, i128 n)
{
	i128 seconds = n / NANO - (n % NANO < 0);
	uint32_t nanos = (uint32_t)(n - seconds * NANO);

	return (struct value){.kind = (uint8_t)kind,
		.nanos = nanos,
		.as = {.i = (int64_t)seconds}};
}

struct value
number_sum_value(unsigned type, i128 sum)
{
	static const char *const why = "the sum does not fit its type";

	if (sum == SUM_ERROR)
		return value_error(why);
	switch (type) {
	case TYPE_INT:
		if (sum < INT64_MIN || sum > INT64_MAX)
			return value_error(why);
		return value_int((int64_t)sum);
	case TYPE_UINT:
		if (sum < 0 || sum > (i128)UINT64_MAX)
			return value_error(why);
		return value_uint((uint64_t)sum);
	case TYPE_DURATION:
		if (sum / NANO <= INT64_MIN || sum / NANO >= INT64_MAX)
			return value_error(why);
		return number_from_nanos(VALUE_DURATION, sum);
	default:
		return value_double(number_sum_double(type, sum));
	}
}

struct value
number_order_value(unsigned type, i128 n)
{
	switch (type) {
	case TYPE_INT:
		return value_int((int64_t)n);
	case TYPE_UINT:
		return value_uint((uint64_t)n);
	case TYPE_DOUBLE:
		return value_double(number_to_double((int64_t)n));
	case TYPE_TIMESTAMP:
		return number_from_nanos(VALUE_TIMESTAMP, n);
	default:
		return number_from_nanos(VALUE_DURATION, n);
	}
}
