/*
 * test_features_fold.c - what a fold tells: late, changed, cut, repeated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/features.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define BASE INT64_C(1709251200000) /* 2024-03-01T00:00:00Z */

struct fed {
	int64_t at_ms; /* after BASE */
	struct value v;
	uint64_t filters;
	int64_t ahead_ms; /* Kafka's clock is behind by this */
};

#define INT(n)                                                                 \
	{                                                                      \
		.kind = VALUE_INT, .as = {.i = (n) }                           \
	}
#define TEXT(t)                                                                \
	{                                                                      \
		.kind = VALUE_STRING, .len = sizeof(t) - 1, .as = {.s = (t) }  \
	}

static void
feed(const struct feature_set *set, struct features *features,
	const struct fed *fed, int64_t offset, struct fold_result *ret_result)
{
	struct event ev = {.offset = offset,
		.at_ms = BASE + fed->at_ms,
		.kafka_ms = BASE + fed->at_ms - fed->ahead_ms,
		.slots = &fed->v,
		.nslots = 1};

	assert_int_equal(
		features_fold(set, features, &ev, fed->filters, ret_result),
		SG_OK);
}

static void
the_fold_tells_late_changed_and_cut(void **state)
{
	static char text[FEATURE_TEXT_MAX + 2];
	struct feature_def defs[3] = {
		{.name = "count",
			.kind = FEATURE_count,
			.window_ms = HOUR,
			.slot = -1,
			.filter = 0},
		{.name = "last",
			.kind = FEATURE_last,
			.slot = 0,
			.type = &type_string,
			.filter = -1},
		{.name = "other input",
			.input = 1,
			.kind = FEATURE_last,
			.slot = 0,
			.type = &type_string,
			.filter = -1},
	};
	struct fed fed = {2 * HOUR, TEXT("a"), 1, 0};
	struct feature_set *set = NULL;
	struct features *features = NULL;
	struct fold_result result;
	struct value v;
	int64_t until;

	(void)state;
	assert_int_equal(feature_set_create(defs, 3, &set, NULL), SG_OK);
	assert_int_equal(features_create(set, &features), SG_OK);

	feed(set, features, &fed, 0, &result);
	assert_int_equal(result.changed[0], 3);
	assert_false(result.is_late);

	/* The same value again changes the count alone. */
	feed(set, features, &fed, 1, &result);
	assert_int_equal(result.changed[0], 1);

	/* Late for the window, and no news for the value. */
	fed.at_ms = HOUR - MINUTE;
	feed(set, features, &fed, 2, &result);
	assert_true(result.is_late);
	assert_int_equal(result.changed[0], 0);

	/* One byte and then characters of two: the cut is between them. */
	memset(text, 'x', sizeof(text));
	for (size_t i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(&text[i], "\xc3\xa9", 2);
	fed = (struct fed){3 * HOUR, TEXT(""), 0, 0};
	fed.v.as.s = text;
	fed.v.len = FEATURE_TEXT_MAX + 1;
	feed(set, features, &fed, 3, &result);
	assert_true(result.is_overflow);
	assert_int_equal(result.changed[0], 2);
	features_value(set, features, 1, BASE, NULL, &v, &until);
	assert_int_equal(v.len, FEATURE_TEXT_MAX - 1);
	assert_true(utf8_is_valid(v.as.s, v.len));
	features_value(set, features, 2, BASE, NULL, &v, &until);
	assert_int_equal(v.kind, VALUE_ABSENT);
	features_destroy(features);
	feature_set_destroy(set);
}

static void
no_new_extreme_is_no_change(void **state)
{
	struct feature_def defs[2] = {
		{.name = "min",
			.kind = FEATURE_min,
			.window_ms = HOUR,
			.slot = 0,
			.type = &type_int,
			.filter = -1},
		{.name = "max",
			.kind = FEATURE_max,
			.window_ms = HOUR,
			.slot = 0,
			.type = &type_int,
			.filter = -1},
	};
	static const struct {
		int64_t n;
		uint64_t changed;
	} rows[] = {{5, 3}, {5, 0}, {6, 2}, {4, 1}, {4, 0}, {6, 0}, {5, 0}};
	struct feature_set *set = NULL;
	struct features *features = NULL;
	struct fold_result result;

	(void)state;
	assert_int_equal(feature_set_create(defs, 2, &set, NULL), SG_OK);
	assert_int_equal(features_create(set, &features), SG_OK);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct fed fed = {0, INT(rows[i].n), 0, 0};

		feed(set, features, &fed, (int64_t)i, &result);
		assert_int_equal(result.changed[0], rows[i].changed);
	}
	features_destroy(features);
	feature_set_destroy(set);
}

static void
the_newest_64_event_ids_are_known(void **state)
{
	struct feature_def defs[2] = {
		{.name = "a",
			.kind = FEATURE_count,
			.window_ms = HOUR,
			.slot = -1,
			.filter = -1},
		{.name = "b",
			.input = 1,
			.kind = FEATURE_count,
			.window_ms = HOUR,
			.slot = -1,
			.filter = -1},
	};
	struct feature_set *set = NULL;
	struct features *features = NULL;
	struct fold_result result;
	struct event ev = {.at_ms = BASE, .kafka_ms = BASE};

	(void)state;
	assert_int_equal(feature_set_create(defs, 2, &set, NULL), SG_OK);
	assert_int_equal(features_create(set, &features), SG_OK);
	for (uint64_t id = 1; id <= 65; id++) {
		ev.id_hash = id;
		assert_int_equal(
			features_fold(set, features, &ev, 0, &result), SG_OK);
		assert_false(result.is_repeat);
		assert_int_equal(
			features_fold(set, features, &ev, 0, &result), SG_OK);
		assert_true(result.is_repeat);
		assert_int_equal(result.changed[0], 0);
	}
	/* 2 is the oldest of 64; 1 is forgotten, and pushes 2 out. */
	for (uint64_t id = 2; id >= 1; id--) {
		ev.id_hash = id;
		assert_int_equal(
			features_fold(set, features, &ev, 0, &result), SG_OK);
		assert_int_equal(result.is_repeat, id == 2);
	}
	ev.id_hash = 2;
	assert_int_equal(features_fold(set, features, &ev, 0, &result), SG_OK);
	assert_false(result.is_repeat);
	/* Another input has its own ids; 0 is none. */
	ev.input = 1;
	assert_int_equal(features_fold(set, features, &ev, 0, &result), SG_OK);
	assert_false(result.is_repeat);
	ev.id_hash = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			features_fold(set, features, &ev, 0, &result), SG_OK);
		assert_false(result.is_repeat);
	}
	features_destroy(features);
	feature_set_destroy(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fold_tells_late_changed_and_cut),
		cmocka_unit_test(no_new_extreme_is_no_change),
		cmocka_unit_test(the_newest_64_event_ids_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
