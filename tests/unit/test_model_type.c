#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/type.h"

struct fixture {
	struct arena arena;
	struct buf buf;
};

static int
setup(void **state)
{
	static struct fixture fixture;

	arena_init(&fixture.arena, 1024 * 1024);
	buf_init(&fixture.buf, 10000);
	*state = &fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;

	arena_fini(&fix->arena);
	buf_fini(&fix->buf);
	return 0;
}

static const char *
printed(struct fixture *fix, const struct type *type)
{
	buf_reset(&fix->buf);
	type_print(type, &fix->buf);
	return buf_cstr(&fix->buf);
}

/* record{id: string, lines: list(record{arr: double?})?} */
static const struct type *
make_contract(struct arena *arena)
{
	const struct type_field line[] = {
		{"arr", type_nullable(arena, &type_double)},
	};
	const struct type *lines =
		type_list(arena, type_record(arena, line, 1));
	const struct type_field contract[] = {
		{"id", &type_string},
		{"lines", type_nullable(arena, lines)},
	};

	return type_record(arena, contract, 2);
}

static void
types_print_as_they_are_written(void **state)
{
	struct fixture *fix = *state;
	struct arena *arena = &fix->arena;

	assert_string_equal(printed(fix, &type_dyn), "dyn");
	assert_string_equal(printed(fix, &type_null), "null");
	assert_string_equal(printed(fix, &type_timestamp), "timestamp");
	assert_string_equal(
		printed(fix, type_nullable(arena, &type_int)), "int?");
	assert_string_equal(
		printed(fix, type_map(arena, &type_string, &type_duration)),
		"map(string, duration)");
	assert_string_equal(printed(fix, make_contract(arena)),
		"record{id: string, lines: list(record{arr: double?})?}");
	assert_string_equal(
		printed(fix, type_record(arena, NULL, 0)), "record{}");
}

static void
sameness_is_that_of_the_structure(void **state)
{
	struct fixture *fix = *state;
	struct arena *arena = &fix->arena;
	const struct type_field renamed[] = {{"a", &type_int}};
	const struct type_field names[] = {{"b", &type_int}};
	const struct type *kinds[] = {
		&type_dyn,
		&type_null,
		&type_bool,
		&type_int,
		&type_uint,
		&type_double,
		&type_string,
		&type_bytes,
		&type_timestamp,
		&type_duration,
		&type_type,
		type_nullable(arena, &type_int),
		type_list(arena, &type_int),
		type_list(arena, &type_uint),
		type_list(arena, type_nullable(arena, &type_int)),
		type_nullable(arena, type_list(arena, &type_int)),
		type_map(arena, &type_string, &type_int),
		type_map(arena, &type_int, &type_string),
		type_map(arena, &type_string, &type_string),
		type_record(arena, NULL, 0),
		type_record(arena, renamed, 1),
		type_record(arena, names, 1),
		make_contract(arena),
	};

	for (size_t i = 0; i < SG_COUNTOF(kinds); i++) {
		for (size_t j = 0; j < SG_COUNTOF(kinds); j++)
			assert_int_equal(type_same(kinds[i], kinds[j]), i == j);
	}
	assert_true(type_same(make_contract(arena), make_contract(arena)));
}

static void
nullable_changes_nothing_else_and_is_made_once(void **state)
{
	struct fixture *fix = *state;
	struct arena *arena = &fix->arena;
	const struct type *list = type_list(arena, &type_int);
	const struct type *nullable = type_nullable(arena, list);

	assert_false(list->is_nullable);
	assert_true(nullable->is_nullable);
	assert_ptr_equal(nullable->item, &type_int);
	assert_ptr_equal(type_nullable(arena, nullable), nullable);
	assert_ptr_equal(type_nullable(arena, &type_null), &type_null);
	/* The scalar ones are constants and need no arena. */
	assert_ptr_equal(type_nullable(NULL, &type_string),
		type_nullable(NULL, &type_string));
	assert_int_equal(type_nullable(NULL, &type_type)->kind, TYPE_TYPE);
}

static void
a_record_keeps_copies_of_its_names(void **state)
{
	struct fixture *fix = *state;
	char name[] = "seats";
	struct type_field fields[] = {{name, &type_int}};
	const struct type *type = type_record(&fix->arena, fields, 1);

	name[0] = 'x';
	fields[0].type = &type_string;
	assert_string_equal(printed(fix, type), "record{seats: int}");
}

static void
fields_are_found_by_their_whole_name(void **state)
{
	struct fixture *fix = *state;
	const struct type_field fields[] = {
		{"arr", &type_int},
		{"arr_usd", &type_int},
		{"", &type_int},
	};
	const struct type *type = type_record(&fix->arena, fields, 3);

	assert_int_equal(type_field_index(type, "arr", 3), 0);
	assert_int_equal(type_field_index(type, "arr_usd", 7), 1);
	assert_int_equal(type_field_index(type, "arr_usd", 6), -1);
	assert_int_equal(type_field_index(type, "ar", 2), -1);
	assert_int_equal(type_field_index(type, "", 0), 2);
	assert_int_equal(type_field_index(&type_string, "arr", 3), -1);
}

static void
a_full_arena_makes_no_type(void **state)
{
	const struct type_field fields[] = {{"arr", &type_int}};
	struct arena arena;

	(void)state;
	for (size_t max = 0; max < 112; max += 16) {
		arena_init(&arena, max);
		/* Fields 16, the name 16, the type itself 48. */
		assert_int_equal(type_record(&arena, fields, 1) != NULL,
			max >= 32 + sizeof(struct type));
		arena_fini(&arena);
	}
	arena_init(&arena, sizeof(struct type) - 1);
	assert_null(type_list(&arena, &type_int));
	assert_null(type_map(&arena, &type_int, &type_int));
	arena_fini(&arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(types_print_as_they_are_written),
		TEST(sameness_is_that_of_the_structure),
		TEST(nullable_changes_nothing_else_and_is_made_once),
		TEST(a_record_keeps_copies_of_its_names),
		TEST(fields_are_found_by_their_whole_name),
		TEST(a_full_arena_makes_no_type),
	};

	return cmocka_run_group_tests_name("model_type", tests, NULL, NULL);
}
