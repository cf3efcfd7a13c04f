#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/arena.h"
#include "segmentd/err.h"
#include "segmentd/value.h"

static struct value
make_list(const struct value *items, uint32_t len)
{
	return (struct value){
		.kind = VALUE_LIST, .len = len, .as = {.items = items}};
}

static struct value
make_map(const struct value *items, uint32_t len)
{
	return (struct value){
		.kind = VALUE_MAP, .len = len, .as = {.items = items}};
}

static void
milliseconds_are_rounded_down(void **state)
{
	static const struct {
		int64_t ms, seconds;
		uint32_t nanos;
	} rows[] = {
		{0, 0, 0},
		{1, 0, 1000000},
		{999, 0, 999000000},
		{1000, 1, 0},
		{-1, -1, 999000000},
		{-1000, -1, 0},
		{-1001, -2, 999000000},
		{INT64_MAX, INT64_MAX / 1000, 807000000},
		{INT64_MIN, INT64_MIN / 1000 - 1, 192000000},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct value at = value_timestamp_ms(rows[i].ms);
		struct value span = value_duration_ms(rows[i].ms);

		assert_int_equal(at.kind, VALUE_TIMESTAMP);
		assert_int_equal(span.kind, VALUE_DURATION);
		assert_true(at.as.i == rows[i].seconds);
		assert_int_equal(at.nanos, rows[i].nanos);
		assert_true(span.as.i == rows[i].seconds);
		assert_int_equal(span.nanos, rows[i].nanos);
		assert_true(value_to_ms(at) == rows[i].ms);
		assert_true(value_to_ms(span) == rows[i].ms);
	}
}

static void
to_milliseconds_floors_and_holds_at_the_ends(void **state)
{
	(void)state;
	assert_int_equal(value_to_ms(value_duration(-1, 999999999)), -1);
	assert_int_equal(value_to_ms(value_duration(0, 999999)), 0);
	assert_int_equal(value_to_ms(value_timestamp(-1, 0)), -1000);
	assert_true(value_to_ms(value_timestamp(INT64_MAX, 0)) == INT64_MAX);
	assert_true(value_to_ms(value_timestamp(INT64_MAX / 1000, 808000000)) ==
		    INT64_MAX);
	assert_true(value_to_ms(value_timestamp(INT64_MIN, 0)) == INT64_MIN);
	assert_true(value_to_ms(value_timestamp(
			    INT64_MIN / 1000 - 1, 191000000)) == INT64_MIN);
	assert_int_equal(value_to_ms(value_int(5000)), 0);
}

static void
identity_tells_all_of_these_apart(void **state)
{
	const struct value one[] = {value_int(1)};
	const struct value one_uint[] = {value_uint(1)};
	const struct value two[] = {value_int(1), value_int(2)};
	const struct value swapped[] = {value_int(2), value_int(1)};
	const struct value ab[] = {value_string("a", 1), value_int(1),
		value_string("b", 1), value_int(2)};
	const struct value ac[] = {value_string("a", 1), value_int(1),
		value_string("b", 1), value_int(3)};
	const struct value ba[] = {value_string("b", 1), value_int(2),
		value_string("a", 1), value_int(1)};
	struct value record = make_list(two, 2);
	struct value type = value_error("int");

	record.kind = VALUE_RECORD;
	type.kind = VALUE_TYPE;

	const struct value all[] = {
		value_null(),
		value_absent(),
		value_bool(false),
		value_bool(true),
		value_int(0),
		value_int(1),
		value_int(-1),
		value_uint(0),
		value_uint(1),
		value_uint(UINT64_MAX),
		value_double(0.0),
		value_double(-0.0),
		value_double(1.0),
		value_double((double)NAN),
		value_double((double)INFINITY),
		value_string("", 0),
		value_string("a", 1),
		value_string("b", 1),
		value_string("a\0", 2),
		value_bytes((const uint8_t *)"", 0),
		value_bytes((const uint8_t *)"a", 1),
		value_timestamp(1, 0),
		value_timestamp(1, 1),
		value_duration(1, 0),
		value_duration(1, 1),
		make_list(NULL, 0),
		make_list(one, 1),
		make_list(one_uint, 1),
		make_list(two, 2),
		make_list(swapped, 2),
		make_map(NULL, 0),
		make_map(ab, 1),
		make_map(ab, 2),
		make_map(ac, 2),
		make_map(ba, 2),
		record,
		type,
		value_error("int"),
		value_error("overflow"),
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(all); i++) {
		for (size_t j = 0; j < SG_COUNTOF(all); j++) {
			if (value_same(all[i], all[j]) != (i == j))
				fail_msg("%zu and %zu", i, j);
		}
	}
}

static void
identity_is_blind_to_slope_place_and_payload(void **state)
{
	struct value a = value_timestamp(1, 2);
	struct value b = value_timestamp(1, 2);
	char text[] = "abc";

	(void)state;
	b.slope = 1;
	b.flags = 7;
	assert_true(value_same(a, b));
	assert_true(value_same(value_string("abc", 3), value_string(text, 3)));
	assert_true(value_same(value_double((double)NAN),
		value_double(copysign((double)NAN, -1.0))));
	assert_true(value_same(value_string(NULL, 0), value_string("", 0)));
}

static void
a_copy_is_the_same_and_shares_nothing(void **state)
{
	char text[] = "abc";
	char key[] = "k";
	struct value inner[] = {value_string(text, 3),
		value_bytes((uint8_t *)text, 2), value_int(7)};
	struct value entry[] = {value_string(key, 1), make_list(inner, 3)};
	struct value whole = make_map(entry, 1);
	struct arena arena;

	(void)state;
	whole.flags = 3;
	arena_init(&arena, 100000);

	struct value copy = value_copy(&arena, whole);

	assert_true(value_same(copy, whole));
	assert_int_equal(copy.flags, 3);

	/* Whatever becomes of the original ... */
	text[0] = 'X';
	key[0] = 'X';
	inner[2] = value_int(8);
	entry[1] = value_null();

	/* ... the copy is what it was. */
	struct value want_inner[] = {value_string("abc", 3),
		value_bytes((const uint8_t *)"ab", 2), value_int(7)};
	struct value want[] = {value_string("k", 1), make_list(want_inner, 3)};

	assert_true(value_same(copy, make_map(want, 1)));
	arena_fini(&arena);
}

static void
an_error_inside_is_copied_not_returned(void **state)
{
	const struct value items[] = {value_error("overflow"), value_int(1)};
	struct arena arena;

	(void)state;
	arena_init(&arena, 1000);

	struct value copy = value_copy(&arena, make_list(items, 2));

	assert_true(value_same(copy, make_list(items, 2)));
	arena_fini(&arena);
}

static void
a_full_arena_makes_an_error_of_a_copy(void **state)
{
	const struct value items[] = {
		value_string("0123456789abcdef", 16), value_string("x", 1)};
	struct value list = make_list(items, 2);
	struct arena arena;

	(void)state;
	/* 32 bytes of elements, 32 of the first text, 16 of the second. */
	for (size_t max = 0; max <= 96; max += 16) {
		arena_init(&arena, max);

		struct value copy = value_copy(&arena, list);

		assert_int_equal(
			copy.kind, max >= 80 ? VALUE_LIST : VALUE_ERROR);
		arena_fini(&arena);
	}
}

static void
too_deep_is_an_error_not_a_full_stack(void **state)
{
	static struct value chain[100000];
	struct arena arena;

	(void)state;
	arena_init(&arena, 100000);
	chain[0] = value_int(1);
	for (size_t i = 1; i < SG_COUNTOF(chain); i++)
		chain[i] = make_list(&chain[i - 1], 1);

	struct value deepest = chain[VALUE_DEPTH_MAX];
	struct value endless = chain[SG_COUNTOF(chain) - 1];

	assert_int_equal(value_copy(&arena, deepest).kind, VALUE_LIST);
	assert_true(value_same(deepest, deepest));
	assert_int_equal(value_copy(&arena, chain[VALUE_DEPTH_MAX + 1]).kind,
		VALUE_ERROR);
	assert_int_equal(value_copy(&arena, endless).kind, VALUE_ERROR);
	assert_false(value_same(endless, endless));
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(milliseconds_are_rounded_down),
		cmocka_unit_test(to_milliseconds_floors_and_holds_at_the_ends),
		cmocka_unit_test(identity_tells_all_of_these_apart),
		cmocka_unit_test(identity_is_blind_to_slope_place_and_payload),
		cmocka_unit_test(a_copy_is_the_same_and_shares_nothing),
		cmocka_unit_test(an_error_inside_is_copied_not_returned),
		cmocka_unit_test(a_full_arena_makes_an_error_of_a_copy),
		cmocka_unit_test(too_deep_is_an_error_not_a_full_stack),
	};

	return cmocka_run_group_tests_name("model_value", tests, NULL, NULL);
}
