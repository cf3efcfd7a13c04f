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

#include <stdbool.h>
#include <stdint.h>

#include "segmentd/type.h"
#include "segmentd/value.h"
#include "state.h"

/* A sum that no longer is one: infinite, or too large. It absorbs. */
#define SUM_ERROR ((i128)((unsigned __int128)1 << 127))

/* Does the value have the field's type? Null and absent have none. */
bool
number_is_of(struct value v, unsigned type);

/* Both return false for a value that is to be skipped. */
bool
number_for_sum(struct value v, unsigned type, i128 *ret_n);
bool
number_for_order(struct value v, unsigned type, i128 *ret_n);

i128
number_add(i128 a, i128 b);

/* And back. VALUE_ERROR where a sum does not fit its type. */
struct value
number_sum_value(unsigned type, i128 sum);
double
number_sum_double(unsigned type, i128 sum);
struct value
number_order_value(unsigned type, i128 n);

/* The bits of a double as an integer of the same order, and back. */
int64_t
number_from_double(double d);
double
number_to_double(int64_t n);

#endif
