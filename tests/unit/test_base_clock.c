#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "segmentd/clock.h"

static void
now_is_that_of_the_system_in_milliseconds(void **state)
{
	int64_t before = (int64_t)time(NULL);
	int64_t now_ms = clock_now_ms();
	int64_t after = (int64_t)time(NULL);

	(void)state;
	/* time() may lag by a tick of the kernel. */
	assert_true(now_ms >= before * 1000);
	assert_true(now_ms <= (after + 2) * 1000);
}

static void
a_sleep_lasts_as_long_as_the_monotonic_clock_says(void **state)
{
	int64_t before = clock_mono_us();

	(void)state;
	clock_sleep_ms(20);
	assert_true(clock_mono_us() - before >= 20000);
	/* These return at once, or the test never ends. */
	clock_sleep_ms(0);
	clock_sleep_ms(INT64_MIN);
}

static void
random_bytes_fill_the_whole_and_nothing_beyond(void **state)
{
	uint8_t zeros[1000] = {0};
	uint8_t bytes[1002] = {0};
	uint8_t other[32];

	(void)state;
	clock_random(bytes + 1, 1000);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[1001], 0);
	for (size_t i = 1; i + 20 <= 1001; i += 20)
		assert_memory_not_equal(bytes + i, zeros, 20);
	clock_random(other, sizeof(other));
	assert_memory_not_equal(other, bytes + 1, sizeof(other));
	clock_random(NULL, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(now_is_that_of_the_system_in_milliseconds),
		cmocka_unit_test(
			a_sleep_lasts_as_long_as_the_monotonic_clock_says),
		cmocka_unit_test(
			random_bytes_fill_the_whole_and_nothing_beyond),
	};

	return cmocka_run_group_tests_name("base_clock", tests, NULL, NULL);
}
