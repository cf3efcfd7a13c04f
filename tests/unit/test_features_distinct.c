/*
 * test_features_distinct.c - distinct values: exact, then estimated.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/change.h"
#include "segmentd/features.h"

#define DAY CIVIL_DAY_MS
#define BASE INT64_C(1709251200000)

static struct feature_set *
set_of(int64_t window_ms)
{
	struct feature_def def = {.name = "users",
		.kind = FEATURE_distinct,
		.window_ms = window_ms,
		.slot = 0,
		.type = &type_int,
		.filter = -1};
	struct feature_set *set = NULL;

	assert_int_equal(feature_set_create(&def, 1, &set, NULL), SG_OK);
	return set;
}

static void
see(const struct feature_set *set, struct features *features, int64_t user,
	int64_t at_ms)
{
	struct value slot = value_int(user);
	struct event ev = {.at_ms = BASE + at_ms,
		.kafka_ms = BASE + at_ms,
		.slots = &slot,
		.nslots = 1};
	struct fold_result result;

	assert_int_equal(features_fold(set, features, &ev, 0, &result), SG_OK);
}

static int64_t
count(const struct feature_set *set, const struct features *features,
	int64_t now_ms, int64_t *ret_until_ms)
{
	struct value v;

	features_value(set, features, 0, BASE + now_ms, NULL, &v, ret_until_ms);
	assert_int_equal(v.kind, VALUE_INT);
	return v.as.i;
}

static void
it_is_exact_up_to_1024(void **state)
{
	struct feature_set *set = set_of(30 * DAY);
	struct features *features = NULL;
	int64_t until;

	(void)state;
	assert_int_equal(features_create(set, &features), SG_OK);
	for (int64_t user = 0; user < FEATURE_DISTINCT_EXACT; user++) {
		see(set, features, user, 0);
		see(set, features, user / 2, 1);
		assert_int_equal(count(set, features, 1, &until), user + 1);
	}
	see(set, features, FEATURE_DISTINCT_EXACT, 0);
	assert_int_not_equal(count(set, features, 1, &until), 0);
	features_destroy(features);
	feature_set_destroy(set);
}

/* Many sets of one size: no bias, and the spread that theory gives. */
static void
the_error_beyond_is_as_documented(void **state)
{
	static const int64_t sizes[] = {2500, 5000, 10000, 50000};
	enum { SETS = 60 };

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(sizes); i++) {
		double sum = 0;
		double squares = 0;
		double worst = 0;

		for (int64_t j = 0; j < SETS; j++) {
			struct feature_set *set = set_of(30 * DAY);
			struct features *features = NULL;
			int64_t until;
			double error;

			assert_int_equal(
				features_create(set, &features), SG_OK);
			for (int64_t user = 0; user < sizes[i]; user++)
				see(set, features, j * 1000000 + user, user);
			error = (double)count(set, features, sizes[i], &until) /
					(double)sizes[i] -
				1.0;
			sum += error;
			squares += error * error;
			worst = fabs(error) > worst ? fabs(error) : worst;
			assert_true(features_size(features) < 24000);
			features_destroy(features);
			feature_set_destroy(set);
		}
		print_message("%6lld values: bias %+.2f%%, error %.2f%%, "
			      "worst %.2f%%\n",
			(long long)sizes[i], 100 * sum / SETS,
			100 * sqrt(squares / SETS), 100 * worst);
		/* 1 / sqrt(1024) is 3.1%; of the mean of 60, 0.4%. */
		assert_true(fabs(sum / SETS) < 0.016);
		assert_true(sqrt(squares / SETS) < 0.04);
		assert_true(worst < 0.13);
	}
}

/* A burst of one day; when it has left the window, the count is exact. */
static void
after_a_burst_it_becomes_exact_again(void **state)
{
	struct feature_set *set = set_of(7 * DAY);
	struct features *features = NULL;
	int64_t until;
	int64_t n;

	(void)state;
	assert_int_equal(features_create(set, &features), SG_OK);
	for (int64_t user = 0; user < 100000; user++)
		see(set, features, 1000 + user, 0);
	for (int64_t day = 1; day <= 20; day++) {
		for (int64_t user = 0; user < 100; user++)
			see(set, features, user, day * DAY);
		n = count(set, features, day * DAY, &until);
		if (day < 8)
			assert_true(llabs(n - 100100) < 13000);
		else
			assert_int_equal(n, 100);
	}
	features_destroy(features);
	feature_set_destroy(set);
}

/* What was let go bounds a window until its tile leaves, also when no member
 * is of that tile any more. */
static void
an_estimate_holds_until_its_tile_leaves(void **state)
{
	struct feature_set *set = set_of(7 * DAY);
	struct features *features = NULL;
	int64_t until;
	int64_t later;
	int64_t n;

	(void)state;
	assert_int_equal(features_create(set, &features), SG_OK);
	for (int64_t day = 0; day < 2; day++) {
		for (int64_t user = 0; user < 3000; user++)
			see(set, features, user, day * DAY);
	}
	n = count(set, features, DAY, &until);
	assert_int_equal(until, BASE + 8 * DAY);
	assert_int_equal(n, count(set, features, 8 * DAY - 1, &later));
	assert_int_equal(later, until);
	features_destroy(features);
	feature_set_destroy(set);
}

/* Crowds that come and go: estimates stay near, and valid_until is kept. */
static void
a_moving_crowd_is_followed(void **state)
{
	struct feature_set *set = set_of(7 * DAY);
	struct features *features = NULL;
	struct features *copy = NULL;
	struct buf blob;

	(void)state;
	buf_init(&blob, 1 << 20);
	assert_int_equal(features_create(set, &features), SG_OK);
	for (int64_t day = 0; day < 60; day++) {
		int64_t crowd = day % 9 < 4 ? 900 : 60;
		int64_t want = 0;
		int64_t until;
		int64_t n;
		struct buf_reader rd;

		/* Nobody comes twice; the oldest of eight days is cut. */
		for (int64_t user = 0; user < crowd; user++)
			see(set, features, day * 1000 + user, day * DAY);
		for (int64_t back = 0; back < 8 && back <= day; back++)
			want += (day - back) % 9 < 4 ? 900 : 60;
		n = count(set, features, day * DAY, &until);
		if (llabs(n - want) > want / 8)
			fail_msg("day %lld: %lld, not about %lld",
				(long long)day, (long long)n, (long long)want);
		assert_int_equal(until, BASE + (day + 1) * DAY -
						(day < 7 ? day : 7) * DAY +
						7 * DAY);
		/* Stored and loaded it says the same, also later. */
		buf_reset(&blob);
		features_encode(set, features, &blob);
		buf_reader_init(&rd, blob.bytes, blob.len);
		assert_int_equal(features_decode(set, NULL, &rd, &copy), SG_OK);
		for (int64_t later = 0; later < 9; later++) {
			int64_t until_copy;

			n = count(set, features, (day + later) * DAY, &until);
			assert_int_equal(
				n, count(set, copy, (day + later) * DAY,
					   &until_copy));
			assert_int_equal(until, until_copy);
			if (until == AT_NEVER)
				continue;
			assert_int_equal(
				n, count(set, features, until - 1 - BASE,
					   &until_copy));
		}
		features_destroy(copy);
		copy = NULL;
	}
	buf_fini(&blob);
	features_destroy(features);
	feature_set_destroy(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_exact_up_to_1024),
		cmocka_unit_test(the_error_beyond_is_as_documented),
		cmocka_unit_test(after_a_burst_it_becomes_exact_again),
		cmocka_unit_test(an_estimate_holds_until_its_tile_leaves),
		cmocka_unit_test(a_moving_crowd_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
