/*
 * number.c - the text of a decimal number, exactly.
 */
#include "number.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define EXP_MAX 100000
#define EXACT_DIGITS 15 /* 10^15 < 2^53 */
#define EXACT_POWER 22	/* 10^22 is a double */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* e+12 at *at; no exponent is 0. */
static bool
parse_exponent(const char **at, const char *end, int64_t *ret_exp)
{
	const char *p = *at;
	bool is_negative = false;
	int64_t exp = 0;

	*ret_exp = 0;
	if (p == end)
		return true;
	if (*p != 'e' && *p != 'E')
		return false;
	p++;
	if (p < end && (*p == '+' || *p == '-'))
		is_negative = *p++ == '-';
	if (p == end)
		return false;
	for (; p < end && is_digit(*p); p++)
		if (exp < EXP_MAX)
			exp = exp * 10 + (*p - '0');
	*ret_exp = is_negative ? -exp : exp;
	*at = p;
	return true;
}

static bool
digit_add(struct number *num, char c, bool is_fraction)
{
	if (num->n > 0 || c != '0') {
		if (num->n == NUMBER_DIGITS_MAX)
			return false;
		num->digits[num->n++] = (uint8_t)(c - '0');
	}
	num->exp -= is_fraction ? 1 : 0;
	return true;
}

bool
number_parse(const char *text, size_t len, struct number *ret_number)
{
	const char *at = text;
	const char *end = text + len;
	bool is_fraction = false;
	size_t ndigits = 0;
	int64_t exp;

	ret_number->n = 0;
	ret_number->exp = 0;
	ret_number->is_negative = at < end && *at == '-';
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	for (; at < end && (is_digit(*at) || (*at == '.' && !is_fraction));
		at++) {
		if (*at == '.') {
			is_fraction = true;
			continue;
		}
		ndigits++;
		if (!digit_add(ret_number, *at, is_fraction))
			return false;
	}
	if (ndigits == 0 || !parse_exponent(&at, end, &exp) || at != end)
		return false;
	ret_number->exp += exp;
	while (ret_number->n > 0 &&
		ret_number->digits[ret_number->n - 1] == 0) {
		ret_number->n--;
		ret_number->exp++;
	}
	if (ret_number->n == 0)
		ret_number->exp = 0;
	return true;
}

bool
number_to_integer(const struct number *num, int64_t *ret_n)
{
	int64_t n = 0;

	if (num->exp < 0 || num->exp > 18)
		return false;
	for (int64_t i = 0; i < (int64_t)num->n + num->exp; i++) {
		int64_t digit = i < num->n ? num->digits[i] : 0;

		/* Downwards, since the least number has no opposite. */
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_sub_overflow(n, digit, &n))
			return false;
	}
	if (!num->is_negative && n == INT64_MIN)
		return false;
	*ret_n = num->is_negative ? n : -n;
	return true;
}

/* Jansson reads numbers whatever the locale, and rounds right. */
static bool
double_slow(const struct number *num, double *ret_d)
{
	char text[NUMBER_DIGITS_MAX + 32];
	size_t len = 0;
	json_t *json;
	int n;

	text[len++] = num->is_negative ? '-' : '0';
	if (!num->is_negative)
		len = 0;
	for (uint32_t i = 0; i < num->n; i++)
		text[len++] = (char)('0' + num->digits[i]);
	n = snprintf(
		text + len, sizeof(text) - len, ".0e%lld", (long long)num->exp);
	if (n < 0)
		return false;
	json = json_loadb(text, len + (size_t)n, JSON_DECODE_ANY, NULL);
	if (json == NULL)
		return false; /* beyond the range of a double */
	*ret_d = json_real_value(json);
	json_decref(json);
	return true;
}

bool
number_as_double(const struct number *num, double *ret_d)
{
	static const double tens[EXACT_POWER + 1] = {1e0, 1e1, 1e2, 1e3, 1e4,
		1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
		1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	int64_t m = 0;
	double d;

	if (num->n > EXACT_DIGITS || num->exp > EXACT_POWER ||
		num->exp < -EXACT_POWER)
		return double_slow(num, ret_d);
	for (uint32_t i = 0; i < num->n; i++)
		m = m * 10 + num->digits[i];
	d = num->exp < 0 ? (double)m / tens[-num->exp]
			 : (double)m * tens[num->exp];
	*ret_d = num->is_negative ? -d : d;
	return true;
}

/* big = big * 10 + digit; big is least byte first. */
static bool
big_push(uint8_t *big, size_t *n, uint32_t digit)
{
	uint32_t carry = digit;

	for (size_t i = 0; i < *n; i++) {
		carry += (uint32_t)big[i] * 10;
		big[i] = (uint8_t)carry;
		carry >>= 8;
	}
	if (carry == 0)
		return true;
	if (*n == NUMBER_BYTES_MAX - 1) /* one is for the sign */
		return false;
	big[(*n)++] = (uint8_t)carry;
	return true;
}

const char *
number_to_decimal(const struct number *num, int32_t scale, int32_t precision,
	uint8_t *bytes, size_t *ret_len)
{
	uint8_t big[NUMBER_BYTES_MAX] = {0};
	int64_t zeros = num->exp + scale;
	uint32_t carry = 1;
	size_t n = 0;

	if (num->n > 0 && zeros < 0)
		return "it has more decimals than the scale";
	if ((int64_t)num->n + (num->n > 0 ? zeros : 0) > precision)
		return "it has more digits than the precision";
	for (int64_t i = 0; num->n > 0 && i < num->n + zeros; i++)
		if (!big_push(big, &n, i < num->n ? num->digits[i] : 0))
			return "it has too many digits";
	if (num->is_negative)
		for (size_t i = 0; i < NUMBER_BYTES_MAX; i++) {
			carry += (uint8_t)~big[i];
			big[i] = (uint8_t)carry;
			carry >>= 8;
		}
	/* One more byte where the top bit is not the sign. */
	if (n == 0 || (big[n - 1] >> 7) != (num->is_negative && num->n > 0))
		n++;
	for (size_t i = 0; i < n; i++)
		bytes[i] = big[n - 1 - i];
	*ret_len = n;
	return NULL;
}
