/*
 * decimal.c - doubles to text and back, exactly and free of any locale.
 *
 * Reading: the digits make an integer M and an exponent E. Where M and 10^|E|
 * are exact doubles, one multiplication or division rounds correctly; that is
 * the way of nearly every number people write. Else M * 10^E is computed as a
 * quotient of big integers with 64 bits and a sticky bit, and rounded once.
 * Digits beyond DIGITS_MAX cannot decide a rounding but by being non-zero.
 *
 * Printing: 15, 16, then 17 digits, the first that reads back as the same.
 */
#include "decimal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 780
#define LIMBS_MAX 160 /* of 32 bits: 10^1150 */

struct big {
	uint32_t limb[LIMBS_MAX]; /* least first */
	int n;
};

struct digits {
	uint8_t digit[DIGITS_MAX + 1];
	int n;
	int64_t exponent; /* value = 0.d1d2d3... * 10^exponent */
	bool is_negative;
};

static void
big_mul_add(struct big *big, uint32_t factor, uint32_t add)
{
	uint64_t carry = add;

	for (int i = 0; i < big->n; i++) {
		carry += (uint64_t)big->limb[i] * factor;
		big->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry != 0 && big->n < LIMBS_MAX)
		big->limb[big->n++] = (uint32_t)carry;
}

static void
big_pow10(struct big *big, int64_t n)
{
	for (; n >= 9; n -= 9)
		big_mul_add(big, 1000000000, 0);
	for (; n > 0; n--)
		big_mul_add(big, 10, 0);
}

static int
big_bits(const struct big *big)
{
	if (big->n == 0)
		return 0;
	return big->n * 32 - __builtin_clz(big->limb[big->n - 1]);
}

static void
big_shift_left(struct big *big, int bits)
{
	int limbs = bits / 32;

	bits %= 32;
	if (big->n == 0)
		return;
	if (bits != 0)
		big_mul_add(big, UINT32_C(1) << bits, 0);
	if (limbs == 0 || big->n + limbs > LIMBS_MAX)
		return;
	memmove(big->limb + limbs, big->limb,
		(size_t)big->n * sizeof(big->limb[0]));
	memset(big->limb, 0, (size_t)limbs * sizeof(big->limb[0]));
	big->n += limbs;
}

static int
big_compare(const struct big *a, const struct big *b)
{
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (int i = a->n; i-- > 0;) {
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	}
	return 0;
}

static void
big_subtract(struct big *a, const struct big *b)
{
	int64_t borrow = 0;

	for (int i = 0; i < a->n; i++) {
		borrow += a->limb[i];
		borrow -= i < b->n ? b->limb[i] : 0;
		a->limb[i] = (uint32_t)borrow;
		borrow >>= 32;
	}
	while (a->n > 0 && a->limb[a->n - 1] == 0)
		a->n--;
}

/* num / den as a 64-bit quotient with its top bit set, times 2^*ret_exp;
 * *ret_is_inexact tells of a remainder. */
static uint64_t
big_quotient(
	struct big *num, struct big *den, int *ret_exp, bool *ret_is_inexact)
{
	int shift = big_bits(den) - big_bits(num);
	uint64_t quotient = 0;

	if (shift > 0)
		big_shift_left(num, shift);
	else
		big_shift_left(den, -shift);
	if (big_compare(num, den) < 0) {
		big_mul_add(num, 2, 0);
		shift++;
	}
	/* Now 1 <= num / den < 2: one bit per step. */
	for (int i = 0; i < 64; i++) {
		quotient <<= 1;
		if (big_compare(num, den) >= 0) {
			big_subtract(num, den);
			quotient |= 1;
		}
		big_mul_add(num, 2, 0);
	}
	*ret_exp = -shift - 63;
	*ret_is_inexact = num->n != 0;
	return quotient;
}

/* Round mantissa * 2^exp (64 bits, top bit set) to a double. */
static double
round_to_double(uint64_t mantissa, int exp, bool is_inexact)
{
	int drop = 11;

	/* Below 2^-1022 fewer bits are kept. */
	if (exp + 63 < -1022)
		drop += -1022 - (exp + 63);
	if (drop > 64)
		return 0.0;

	uint64_t kept = drop == 64 ? 0 : mantissa >> drop;
	uint64_t half = UINT64_C(1) << (drop - 1);
	uint64_t rest = drop == 64 ? mantissa : mantissa & ((half << 1) - 1);

	if (rest > half || (rest == half && (is_inexact || (kept & 1) != 0)))
		kept++;
	return ldexp((double)kept, exp + drop);
}

static double
digits_to_double_slow(const struct digits *dg)
{
	struct big num = {.n = 0}, den = {.limb = {1}, .n = 1};
	int64_t exponent = dg->exponent - dg->n;
	int exp;
	bool is_inexact;

	for (int i = 0; i < dg->n; i++)
		big_mul_add(&num, 10, dg->digit[i]);
	if (exponent > 0)
		big_pow10(&num, exponent);
	else
		big_pow10(&den, -exponent);

	uint64_t quotient = big_quotient(&num, &den, &exp, &is_inexact);

	return round_to_double(quotient, exp, is_inexact);
}

static double
digits_to_double(const struct digits *dg)
{
	static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
		1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
		1e19, 1e20, 1e21, 1e22};
	int64_t exponent = dg->exponent - dg->n;

	if (dg->n == 0 || dg->exponent < -330)
		return 0.0;
	if (dg->exponent > 310)
		return INFINITY;
	if (dg->n <= 15 && exponent >= -22 && exponent <= 22) {
		double m = 0;

		for (int i = 0; i < dg->n; i++)
			m = m * 10 + dg->digit[i];
		return exponent < 0 ? m / powers[-exponent]
				    : m * powers[exponent];
	}
	return digits_to_double_slow(dg);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
digits_push(struct digits *dg, char c, bool is_fraction)
{
	if (dg->n == 0 && c == '0') {
		/* A leading zero counts only behind the point. */
		dg->exponent -= is_fraction;
		return;
	}
	dg->exponent += !is_fraction;
	if (dg->n < DIGITS_MAX)
		dg->digit[dg->n++] = (uint8_t)(c - '0');
	else if (c != '0')
		dg->digit[DIGITS_MAX - 1] |= 1; /* sticky: odd, so not a tie */
}

/* The exponent's number from text[*at] on; false when there is none. */
static bool
scan_exponent(const char *text, size_t len, size_t *at, int64_t *ret_exp)
{
	bool is_negative = false;
	int64_t exp = 0;

	if (*at < len && (text[*at] == '+' || text[*at] == '-'))
		is_negative = text[(*at)++] == '-';
	if (*at >= len || !is_digit(text[*at]))
		return false;
	for (; *at < len && is_digit(text[*at]); (*at)++) {
		if (exp < 100000000)
			exp = exp * 10 + (text[*at] - '0');
	}
	*ret_exp = is_negative ? -exp : exp;
	return true;
}

static bool
scan(const char *text, size_t len, struct digits *dg)
{
	size_t at = 0, seen = 0;
	int64_t exp = 0;

	dg->n = 0;
	dg->exponent = 0;
	dg->is_negative = false;
	if (len > 0 && (text[0] == '-' || text[0] == '+'))
		dg->is_negative = text[at++] == '-';
	for (; at < len && is_digit(text[at]); at++, seen++)
		digits_push(dg, text[at], false);
	if (at < len && text[at] == '.') {
		at++;
		for (; at < len && is_digit(text[at]); at++, seen++)
			digits_push(dg, text[at], true);
	}
	if (seen == 0)
		return false;
	if (at < len && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		if (!scan_exponent(text, len, &at, &exp))
			return false;
	}
	dg->exponent += exp;
	while (dg->n > 0 && dg->digit[dg->n - 1] == 0)
		dg->n--;
	return at == len;
}

static bool
parse_special(const char *text, size_t len, double *ret_number)
{
	static const struct {
		const char *text;
		double number;
	} names[] = {{"nan", NAN}, {"inf", INFINITY}, {"infinity", INFINITY}};
	bool is_negative = len > 0 && text[0] == '-';
	char lower[10];

	if (len > 0 && (text[0] == '-' || text[0] == '+')) {
		text++;
		len--;
	}
	if (len == 0 || len >= sizeof(lower))
		return false;
	for (size_t i = 0; i < len; i++)
		lower[i] =
			(char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32
								: text[i]);
	lower[len] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(lower, names[i].text) == 0) {
			*ret_number = is_negative ? -names[i].number
						  : names[i].number;
			return true;
		}
	}
	return false;
}

bool
decimal_parse(const char *text, size_t len, bool is_strict, double *ret_number)
{
	struct digits dg;

	if (!scan(text, len, &dg))
		return !is_strict && parse_special(text, len, ret_number);

	double number = digits_to_double(&dg);

	*ret_number = dg.is_negative ? -number : number;
	return true;
}

/* "d.ddde+XX" with `precision` digits to plain digits; returns the decimal
 * exponent of the first digit. Trailing zeros are dropped. */
static int
significant(double number, int precision, char *digits, int *ret_n)
{
	char text[DECIMAL_TEXT_MAX];
	int n = 0, exp = 0, i = 1;
	bool is_negative;

	(void)snprintf(text, sizeof(text), "%.*e", precision - 1, number);
	digits[n++] = text[0];
	if (precision > 1)
		i++; /* the point, whatever the locale's is */
	for (; is_digit(text[i]); i++)
		digits[n++] = text[i];
	i++; /* e */
	is_negative = text[i++] == '-';
	for (; is_digit(text[i]); i++)
		exp = exp * 10 + (text[i] - '0');
	while (n > 1 && digits[n - 1] == '0')
		n--;
	*ret_n = n;
	return is_negative ? -exp : exp;
}

static size_t
layout(char *text, size_t at, const char *digits, int n, int exp)
{
	if (exp >= -5 && exp < 21) {
		if (exp < 0) {
			text[at++] = '0';
			text[at++] = '.';
			for (int i = -1; i > exp; i--)
				text[at++] = '0';
		}
		for (int i = 0; i < n || i <= exp; i++) {
			text[at++] = i < n ? digits[i] : '0';
			if (i == exp && i + 1 < n)
				text[at++] = '.';
		}
		text[at] = '\0';
		return at;
	}
	text[at++] = digits[0];
	if (n > 1) {
		text[at++] = '.';
		memcpy(text + at, digits + 1, (size_t)n - 1);
		at += (size_t)n - 1;
	}
	at += (size_t)snprintf(text + at, DECIMAL_TEXT_MAX - at, "e%+03d", exp);
	return at;
}

size_t
decimal_print(double number, char *text)
{
	char digits[DECIMAL_TEXT_MAX];
	double magnitude = fabs(number);
	size_t at = 0;
	int n = 0, exp = 0;

	if (isnan(number)) {
		memcpy(text, "NaN", 4);
		return 3;
	}
	if (signbit(number))
		text[at++] = '-';
	if (isinf(number)) {
		memcpy(text + at, "Infinity", 9);
		return at + 8;
	}
	if (magnitude == 0)
		return layout(text, at, "0", 1, 0);
	for (int precision = magnitude < 2.3e-308 ? 1 : 15; precision <= 17;
		precision++) {
		struct digits dg = {.n = 0};

		exp = significant(magnitude, precision, digits, &n);
		for (int i = 0; i < n; i++)
			dg.digit[dg.n++] = (uint8_t)(digits[i] - '0');
		dg.exponent = exp + 1;
		if (digits_to_double(&dg) == magnitude)
			break;
	}
	return layout(text, at, digits, n, exp);
}

bool
decimal_parse_uint(const char *text, size_t len, uint64_t *ret_number)
{
	uint64_t n = 0;

	if (len > 1 && text[0] == '+') {
		text++;
		len--;
	}
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]) || n > UINT64_MAX / 10)
			return false;
		n *= 10;
		if (n > UINT64_MAX - (uint64_t)(text[i] - '0'))
			return false;
		n += (uint64_t)(text[i] - '0');
	}
	*ret_number = n;
	return true;
}

bool
decimal_parse_int(const char *text, size_t len, int64_t *ret_number)
{
	bool is_negative = len > 1 && text[0] == '-';
	uint64_t n;

	if (is_negative) {
		text++;
		len--;
		if (text[0] == '+')
			return false;
	}
	if (!decimal_parse_uint(text, len, &n))
		return false;
	if (n > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
		return false;
	*ret_number = is_negative ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}
