#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/hash.h"

/* Hashes are stored in Redis: a change of these numbers is a change of what
 * is stored. The first is in the test vectors of xxHash. */
static void
hashes_are_what_was_stored(void **state)
{
	(void)state;
	assert_true(hash_bytes("", 0) == UINT64_C(0x2d06800538d394c2));
	assert_true(hash_bytes(NULL, 0) == hash_bytes("", 0));
	assert_true(hash_bytes("account-1", 9) == UINT64_C(0x601c6a204495de1a));
	assert_true(hash_u64(0) == UINT64_C(0xe220a8397b1dcdaf));
	assert_true(hash_u64(1) == UINT64_C(0x910a2dec89025cc1));
	assert_true(hash_mix(1, 2) == UINT64_C(0xe8cb990fd0653c8d));
}

static void
mixing_minds_the_order(void **state)
{
	(void)state;
	for (uint64_t a = 0; a < 50; a++) {
		for (uint64_t b = 0; b < a; b++)
			assert_true(hash_mix(a, b) != hash_mix(b, a));
	}
}

/* One bit of the input turns about half of the output's. */
static void
one_bit_turns_about_half_of_the_others(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t a = hash_u64(12345);
		uint64_t b = hash_u64(12345 ^ UINT64_C(1) << bit);

		assert_in_range(__builtin_popcountll(a ^ b), 12, 52);
		a = hash_mix(12345, 6);
		b = hash_mix(12345 ^ UINT64_C(1) << bit, 6);
		assert_in_range(__builtin_popcountll(a ^ b), 12, 52);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_what_was_stored),
		cmocka_unit_test(mixing_minds_the_order),
		cmocka_unit_test(one_bit_turns_about_half_of_the_others),
	};

	return cmocka_run_group_tests_name("base_hash", tests, NULL, NULL);
}
