/*
 * test_features_set.c - what makes a set, and what is refused.
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

#define HOUR INT64_C(3600000)

static struct feature_set *
set_of(const struct feature_def *def)
{
	struct feature_set *set = NULL;
	struct sg_fault why = {0};

	if (feature_set_create(def, 1, &set, &why) != SG_OK)
		fail_msg("%s", why.text);
	return set;
}

static const struct type list = {.kind = TYPE_LIST, .item = &type_int};
static const struct feature_keep twice[] = {
	{"a", 1, &type_int}, {"a", 2, &type_int}};
static const struct feature_keep key[] = {{"id", 1, &type_int}};
static const struct feature_keep deep[] = {{"a", 1, &list}};
static const struct {
	struct feature_def def;
	const char *says;
} refused[] = {
	{{.name = "x",
		 .kind = FEATURE_sum,
		 .slot = 0,
		 .type = &type_string,
		 .window_ms = HOUR},
		"x: the field of sum is string"},
	{{.name = "x", .kind = FEATURE_sum, .slot = -1, .window_ms = HOUR},
		"x: sum needs a field"},
	{{.name = "x", .kind = FEATURE_last, .slot = 0, .type = &list},
		"x: the field of last is list(int)"},
	{{.name = "x", .kind = FEATURE_rate, .slot = -1}, "window must be"},
	{{.name = "x",
		 .kind = FEATURE_count,
		 .slot = -1,
		 .window_ms = FEATURE_WINDOW_MAX_MS + 1},
		"window must be"},
	{{.name = "x",
		 .kind = FEATURE_last,
		 .slot = 0,
		 .type = &type_int,
		 .window_ms = HOUR},
		"x: last has no window"},
	{{.name = "x",
		 .kind = FEATURE_last,
		 .slot = 0,
		 .type = &type_int,
		 .input = INPUTS_MAX},
		"out of range"},
	{{.name = "x",
		 .kind = FEATURE_last,
		 .slot = 0,
		 .type = &type_int,
		 .filter = FEATURE_FILTERS_MAX},
		"out of range"},
	{{.name = "x",
		 .kind = FEATURE_collect,
		 .slot = 0,
		 .type = &type_double,
		 .key_name = "id",
		 .max = 1},
		"x: the field of collect is double"},
	{{.name = "x",
		 .kind = FEATURE_collect,
		 .slot = 0,
		 .type = &type_int,
		 .key_name = "id"},
		"max must be"},
	{{.name = "x",
		 .kind = FEATURE_collect,
		 .slot = 0,
		 .type = &type_int,
		 .key_name = "id",
		 .max = 1,
		 .keep = twice,
		 .nkeep = 2},
		"x: a is there twice"},
	{{.name = "x",
		 .kind = FEATURE_collect,
		 .slot = 0,
		 .type = &type_int,
		 .key_name = "id",
		 .max = 1,
		 .keep = key,
		 .nkeep = 1},
		"x: id is there twice"},
	{{.name = "x",
		 .kind = FEATURE_collect,
		 .slot = 0,
		 .type = &type_int,
		 .key_name = "id",
		 .max = 1,
		 .keep = deep,
		 .nkeep = 1},
		"x: a of collect is list(int)"},
};

static void
what_makes_no_sense_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(refused); i++) {
		struct feature_set *set = NULL;
		struct sg_fault why = {0};

		assert_int_equal(
			feature_set_create(&refused[i].def, 1, &set, &why),
			SG_BAD_OPTION);
		assert_null(set);
		if (strstr(why.text, refused[i].says) == NULL)
			fail_msg("row %zu: %s", i, why.text);
	}
}

static void
names_are_unique_and_features_bounded(void **state)
{
	static struct feature_def defs[FEATURES_MAX + 1];
	struct feature_set *set = NULL;
	struct sg_fault why = {0};

	(void)state;
	for (size_t i = 0; i <= FEATURES_MAX; i++)
		defs[i] = (struct feature_def){.name = "same",
			.kind = FEATURE_count,
			.slot = -1,
			.window_ms = HOUR,
			.filter = -1};
	assert_int_equal(feature_set_create(defs, FEATURES_MAX + 1, &set, &why),
		SG_LIMIT);
	assert_int_equal(
		feature_set_create(defs, 2, &set, &why), SG_BAD_OPTION);
	assert_non_null(strstr(why.text, "two features of this name"));
}

static void
kinds_have_names_and_types(void **state)
{
	static const char *const types[FEATURE_KIND_COUNT] = {
		[FEATURE_last] = "int?",
		[FEATURE_first] = "int?",
		[FEATURE_latest] = "int?",
		[FEATURE_count] = "int",
		[FEATURE_sum] = "int",
		[FEATURE_min] = "int?",
		[FEATURE_max] = "int?",
		[FEATURE_mean] = "double?",
		[FEATURE_distinct] = "int",
		[FEATURE_collect] = "list(record{id: int, a: string?})",
		[FEATURE_rate] = "double",
		[FEATURE_trend] = "double?",
		[FEATURE_streak] = "int",
		[FEATURE_days_since] = "int?",
	};
	static const struct feature_keep keep[] = {{"a", 1, &type_string}};

	(void)state;
	for (unsigned kind = 0; kind < FEATURE_KIND_COUNT; kind++) {
		struct feature_def def = {.name = "x",
			.kind = (enum feature_kind)kind,
			.slot = 0,
			.type = &type_int,
			.filter = -1,
			.key_name = "id",
			.keep = keep,
			.nkeep = 1,
			.max = 1};
		struct feature_set *set;
		struct buf text;

		if ((kind >= FEATURE_count && kind <= FEATURE_distinct) ||
			kind == FEATURE_rate || kind == FEATURE_trend)
			def.window_ms = HOUR;
		set = set_of(&def);
		buf_init(&text, 256);
		type_print(feature_type(set, 0), &text);
		assert_string_equal(buf_cstr(&text), types[kind]);
		buf_fini(&text);
		feature_set_destroy(set);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(names_are_unique_and_features_bounded),
		cmocka_unit_test(kinds_have_names_and_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
