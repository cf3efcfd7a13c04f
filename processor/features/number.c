#include "number.h"

#include <string.h>

double
number_to_double(int64_t n)
{
	uint64_t bits = n < 0 ? (uint64_t)n ^ INT64_MAX : (uint64_t)n;
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

double
number_sum_double(unsigned type, i128 sum)
{
	int64_t small = (int64_t)sum;
	i128 whole;
	int64_t part;

	if (type != TYPE_DOUBLE)
		return (double)sum;
	/* A 64-bit division where that is enough: the other one is slow. */
	whole = sum == small ? small / NUMBER_NANO : sum / NUMBER_NANO;
	part = (int64_t)(sum - whole * NUMBER_NANO);
	/* The whole part is exact below 2^53, whatever the broken part. */
	return (double)whole + (double)part / (double)NUMBER_NANO;
}

/* Floor division: a second more for what is left. */
static struct value
number_from_nanos(enum value_kind kind, i128 n)
{
	i128 seconds = n / NUMBER_NANO - (n % NUMBER_NANO < 0);
	uint32_t nanos = (uint32_t)(n - seconds * NUMBER_NANO);

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
		if (sum / NUMBER_NANO <= INT64_MIN ||
			sum / NUMBER_NANO >= INT64_MAX)
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
