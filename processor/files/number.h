/*
 * number.h - the text of a decimal number, exactly. Private to files.
 */
#ifndef FILES_NUMBER_H
#define FILES_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_DIGITS_MAX 400
#define NUMBER_BYTES_MAX 128

/* digits * 10^exp; without leading or trailing zeros, no digits for 0. */
struct number {
	bool is_negative;
	uint8_t digits[NUMBER_DIGITS_MAX];
	uint32_t n;
	int64_t exp;
};

/* "-12.50", "+7", ".5", "1e-3"; nothing else around it. */
bool
number_parse(const char *text, size_t len, struct number *ret_number);

/* False when it has a fraction or does not fit. */
bool
number_to_integer(const struct number *num, int64_t *ret_n);

/* The nearest double. */
bool
number_as_double(const struct number *num, double *ret_d);

/*
 * num * 10^scale as two's complement, big-endian, in as few bytes as possible.
 * NULL, or why there is none.
 */
const char *
number_to_decimal(const struct number *num, int32_t scale, int32_t precision,
	uint8_t *bytes, size_t *ret_len);

#endif
