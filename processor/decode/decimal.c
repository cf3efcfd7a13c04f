/*
 * decimal.c - Avro's decimal to the nearest double, exactly rounded.
 *
 * value = m / 10^scale, m an integer of any length. Where m and 10^scale are
 * both exact doubles one division rounds once, which is right; most amounts
 * are there. Else m is shifted left until the quotient has at least 64 bits,
 * divided by 10^9 as often as needed, and the top 64 bits, with a sticky bit
 * for all that was lost below them, are rounded once.
 */
#include <math.h>
#include <string.h>

#include "plan.h"

/* 1024 bits of number, and a shift of up to 64 + 400 * log2(10) bits. */
#define WORDS 80

struct big {
	uint32_t word[WORDS]; /* least first */
	size_t n;
};

static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
	1e22};

static void
big_trim(struct big *big)
{
	while (big->n > 0 && big->word[big->n - 1] == 0)
		big->n--;
}

/* |number| shifted left by 32 * nwords bits. */
static void
big_load(struct big *big, const uint8_t *bytes, size_t len, bool is_negative,
	size_t nwords)
{
	uint32_t carry = is_negative ? 1 : 0;
	uint32_t flip = is_negative ? 0xff : 0;

	memset(big, 0, sizeof(*big));
	for (size_t i = 0; i < len; i++) {
		uint32_t byte = (bytes[len - 1 - i] ^ flip) + carry;

		carry = byte >> 8;
		big->word[nwords + i / 4] |= (byte & 0xff) << (i % 4 * 8);
	}
	big->n = nwords + (len + 3) / 4;
	big_trim(big);
}

static uint32_t
big_divide(struct big *big, uint32_t divisor)
{
	uint64_t rest = 0;

	for (size_t i = big->n; i-- > 0;) {
		rest = rest << 32 | big->word[i];
		big->word[i] = (uint32_t)(rest / divisor);
		rest %= divisor;
	}
	big_trim(big);
	return (uint32_t)rest;
}

/* The top 64 bits; *ret_shift is how many bits lie below them. */
static uint64_t
big_top(const struct big *big, int *ret_shift, bool *ret_sticky)
{
	size_t n = big->n;
	uint64_t top = (uint64_t)big->word[n - 1] << 32 | big->word[n - 2];
	int spare = __builtin_clzll(top);
	uint32_t low = n > 2 ? big->word[n - 3] : 0;

	if (spare > 0)
		top = top << spare | low >> (32 - spare);
	if (spare < 32 && (uint32_t)(low << spare) != 0)
		*ret_sticky = true;
	for (size_t i = 0; i + 3 < n; i++)
		*ret_sticky = *ret_sticky || big->word[i] != 0;
	*ret_shift = (int)(n - 2) * 32 - spare;
	return top;
}

/* top * 2^exp, rounded to even once, also where the result is subnormal. */
static double
round_once(uint64_t top, int exp, bool is_sticky)
{
	int drop = 11; /* 64 - 53 */
	uint64_t half, rest;

	if (exp + 64 < -1021) /* fewer bits are left for a subnormal */
		drop += -1021 - (exp + 64);
	if (drop > 64)
		return 0.0;
	half = UINT64_C(1) << (drop - 1);
	rest = drop == 64 ? top : top & ((UINT64_C(1) << drop) - 1);
	top = drop == 64 ? 0 : top >> drop;
	if (rest > half || (rest == half && (is_sticky || (top & 1))))
		top++;
	return ldexp((double)top, exp + drop);
}

static double
decimal_slow(const uint8_t *bytes, size_t len, int32_t scale, bool is_negative)
{
	static const uint32_t small[] = {
		1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
	/* 10^scale has less than 10 bits for 3 digits. */
	size_t nwords = (size_t)(scale * 10 / 3 + 64 + 31) / 32 + 1;
	struct big big;
	bool is_sticky = false;
	int shift = 0;
	uint64_t top;
	double d;

	big_load(&big, bytes, len, is_negative, nwords);
	if (big.n == 0)
		return 0.0;
	for (; scale >= 9; scale -= 9)
		is_sticky = big_divide(&big, 1000000000) != 0 || is_sticky;
	is_sticky = big_divide(&big, small[scale]) != 0 || is_sticky;
	top = big_top(&big, &shift, &is_sticky);
	d = round_once(top, shift - (int)nwords * 32, is_sticky);
	return is_negative ? -d : d;
}

double
decimal_to_double(const uint8_t *bytes, size_t len, int32_t scale)
{
	bool is_negative = (bytes[0] & 0x80) != 0;
	uint64_t m = is_negative ? UINT64_MAX : 0;
	int64_t n;

	if (len > 8 || scale >= (int32_t)SG_COUNTOF(tens))
		return decimal_slow(bytes, len, scale, is_negative);
	for (size_t i = 0; i < len; i++)
		m = m << 8 | bytes[i];
	n = (int64_t)m;
	if (n > INT64_C(1) << 53 || n < -(INT64_C(1) << 53))
		return decimal_slow(bytes, len, scale, is_negative);
	return (double)n / tens[scale];
}
