/* decimal.h - doubles to text and back, exactly and free of any locale. */
#ifndef RULES_DECIMAL_H
#define RULES_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECIMAL_TEXT_MAX 40

/*
 * "12.5", "-1e9", ".5", and when is_strict is false also "NaN", "inf",
 * "Infinity" with a sign. Rounded to nearest, ties to even; too large is an
 * infinity. False when the text is no number.
 */
bool
decimal_parse(const char *text, size_t len, bool is_strict, double *ret_number);

/* The shortest text that decimal_parse() reads back as `number`; its length.
 * `text` has DECIMAL_TEXT_MAX bytes. */
size_t
decimal_print(double number, char *text);

/* An integer with optional sign; false when it is none or does not fit. */
bool
decimal_parse_int(const char *text, size_t len, int64_t *ret_number);
bool
decimal_parse_uint(const char *text, size_t len, uint64_t *ret_number);

#endif
