#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/arena.h"

#define KIB ((size_t)1024)

static void
pieces_are_aligned_and_do_not_overlap(void **state)
{
	struct arena arena;
	uint8_t *pieces[500];

	(void)state;
	arena_init(&arena, 64 * KIB * KIB);
	for (size_t i = 0; i < 500; i++) {
		/* 0, 1, ... and now and then a large one. */
		size_t size = i % 50 == 49 ? 100 * KIB : i;

		pieces[i] = arena_alloc(&arena, size);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)(i % 251), size);
	}
	for (size_t i = 0; i < 500; i++) {
		size_t size = i % 50 == 49 ? 100 * KIB : i;

		for (size_t j = 0; j < size; j++)
			assert_int_equal(pieces[i][j], i % 251);
	}
	arena_fini(&arena);
}

static void
the_maximum_is_exact_and_holds_again_after_a_reset(void **state)
{
	static const size_t sizes[] = {16, 4 * KIB, 300 * KIB};
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		arena_init(&arena, 4 * sizes[i]);
		for (int round = 0; round < 3; round++) {
			for (int n = 0; n < 4; n++)
				assert_non_null(arena_alloc(&arena, sizes[i]));
			assert_null(arena_alloc(&arena, 1));
			arena_reset(&arena);
			assert_int_equal(arena.used_bytes, 0);
		}
		arena_fini(&arena);
	}
}

static void
what_does_not_fit_leaves_the_arena_usable(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 100);
	assert_null(arena_alloc(&arena, 101));
	assert_non_null(arena_alloc(&arena, 100));
	assert_null(arena_alloc(&arena, 1));
	arena_fini(&arena);
}

static void
sizes_that_overflow_are_refused(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, SIZE_MAX);
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc(&arena, SIZE_MAX - 15));
	assert_null(arena_array(&arena, SIZE_MAX / 2, 4));
	assert_null(arena_array(&arena, (SIZE_MAX >> 4) + 1, 16));
	assert_null(arena_copy(&arena, "", SIZE_MAX));
	assert_non_null(arena_array(&arena, 0, 16));
	arena_fini(&arena);
}

/* More than any machine has, so that it is malloc() that says no. (By itself
 * AddressSanitizer would end the process there.) */
const char *
__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void
out_of_memory_is_null_and_leaves_the_rest_alone(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, SIZE_MAX);

	char *text = arena_copy(&arena, "abc", 3);

	assert_null(arena_alloc(&arena, SIZE_MAX / 4));
	assert_string_equal(text, "abc");
	assert_non_null(arena_alloc(&arena, 10));
	arena_reset(&arena);
	assert_null(arena_alloc(&arena, SIZE_MAX / 4));
	assert_non_null(arena_alloc(&arena, 10));
	arena_fini(&arena);
}

/* The whole point of it: a steady state does not call malloc(). The address
 * of the only block is the witness. */
static void
a_reset_keeps_the_memory(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 1024 * KIB);

	void *small = arena_alloc(&arena, 10);

	arena_reset(&arena);
	assert_ptr_equal(arena_alloc(&arena, 10), small);
	arena_reset(&arena);

	void *large = arena_alloc(&arena, 200 * KIB);

	arena_reset(&arena);
	assert_ptr_equal(arena_alloc(&arena, 200 * KIB), large);
	arena_fini(&arena);
}

/* Growing pieces, batch after batch: each needs a new block, and the old ones
 * must go. Without the trade-in this holds 500 blocks at the end. */
static void
growing_batches_do_not_pile_up_blocks(void **state)
{
	struct arena arena;
	void *at;
	size_t nspare = 0;

	(void)state;
	arena_init(&arena, 1024 * KIB);
	for (size_t i = 0; i < 500; i++) {
		uint8_t *piece = arena_alloc(&arena, (100 + i) * KIB);

		assert_non_null(piece);
		memset(piece, 1, (100 + i) * KIB);
		arena_reset(&arena);
	}
	/* The first word of a block is the next one. */
	for (at = arena.spare; at != NULL; nspare++)
		memcpy(&at, at, sizeof(void *));
	assert_int_equal(nspare, 1);
	arena_fini(&arena);
}

static void
a_copy_is_its_own_and_ends_with_a_nul(void **state)
{
	char text[] = "abc";
	struct arena arena;

	(void)state;
	arena_init(&arena, KIB);

	char *copy = arena_copy(&arena, text, 2);
	char *empty = arena_copy(&arena, NULL, 0);

	text[0] = 'x';
	assert_string_equal(copy, "ab");
	assert_string_equal(empty, "");
	arena_fini(&arena);
}

static void
fini_takes_what_was_never_used_and_twice(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, KIB);
	arena_fini(&arena);
	assert_non_null(arena_alloc(&arena, 1));
	arena_fini(&arena);
	arena_fini(&arena);
	arena_fini(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
		cmocka_unit_test(
			the_maximum_is_exact_and_holds_again_after_a_reset),
		cmocka_unit_test(what_does_not_fit_leaves_the_arena_usable),
		cmocka_unit_test(sizes_that_overflow_are_refused),
		cmocka_unit_test(
			out_of_memory_is_null_and_leaves_the_rest_alone),
		cmocka_unit_test(a_reset_keeps_the_memory),
		cmocka_unit_test(growing_batches_do_not_pile_up_blocks),
		cmocka_unit_test(a_copy_is_its_own_and_ends_with_a_nul),
		cmocka_unit_test(fini_takes_what_was_never_used_and_twice),
	};

	return cmocka_run_group_tests_name("base_arena", tests, NULL, NULL);
}
