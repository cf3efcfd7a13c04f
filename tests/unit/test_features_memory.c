/*
 * test_features_memory.c - every allocation fails once.
 *
 * malloc() and calloc() of this program can be told to fail. Whatever fails,
 * a fold leaves the state as it was, and nothing leaks or is counted wrongly.
 */
#include <malloc.h>
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

/* --- an allocator that fails -------------------------------------------- */

static long fail_at; /* the nth allocation from now fails; 0: none */
static long held;    /* bytes by malloc_usable_size() */

/* AddressSanitizer has an allocator of its own. */
#if !defined(__SANITIZE_ADDRESS__) && defined(__GLIBC__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define CAN_FAIL 1
#endif
#endif

#ifdef CAN_FAIL
extern void *
__libc_malloc(size_t size);
extern void *
__libc_calloc(size_t n, size_t size);
extern void *
__libc_realloc(void *piece, size_t size);
extern void
__libc_free(void *piece);

static void *
counted(void *piece)
{
	if (piece != NULL)
		held += (long)malloc_usable_size(piece);
	return piece;
}

void *
malloc(size_t size)
{
	if (fail_at > 0 && --fail_at == 0)
		return NULL;
	return counted(__libc_malloc(size));
}

void *
calloc(size_t n, size_t size)
{
	if (fail_at > 0 && --fail_at == 0)
		return NULL;
	return counted(__libc_calloc(n, size));
}

void *
realloc(void *piece, size_t size)
{
	long before = piece == NULL ? 0 : (long)malloc_usable_size(piece);
	void *grown;

	if (fail_at > 0 && --fail_at == 0)
		return NULL;
	grown = counted(__libc_realloc(piece, size));
	held -= grown == NULL ? 0 : before;
	return grown;
}

void
free(void *piece)
{
	if (piece != NULL)
		held -= (long)malloc_usable_size(piece);
	__libc_free(piece);
}
#endif

/* --- a set of everything ------------------------------------------------ */

static const struct feature_keep keep[] = {{"status", 2, &type_string}};

static const struct feature_def defs[] = {
	{.name = "count",
		.kind = FEATURE_count,
		.window_ms = 14 * DAY,
		.slot = -1,
		.filter = -1},
	{.name = "sum",
		.kind = FEATURE_sum,
		.window_ms = 90 * DAY,
		.slot = 1,
		.type = &type_double,
		.filter = -1},
	{.name = "min",
		.kind = FEATURE_min,
		.window_ms = DAY,
		.slot = 0,
		.type = &type_int,
		.filter = -1},
	{.name = "last",
		.kind = FEATURE_last,
		.slot = 2,
		.type = &type_string,
		.filter = -1},
	{.name = "subs",
		.kind = FEATURE_collect,
		.slot = 2,
		.type = &type_string,
		.key_name = "id",
		.keep = keep,
		.nkeep = 1,
		.max = 5,
		.filter = -1,
		.closed_filter = 0,
		.remove_filter = 1},
	{.name = "users",
		.kind = FEATURE_distinct,
		.window_ms = 90 * DAY,
		.slot = 0,
		.type = &type_int,
		.filter = -1},
	{.name = "streak", .kind = FEATURE_streak, .slot = -1, .filter = -1},
};

static enum sg_err
fold(const struct feature_set *set, struct features *features, int64_t i,
	struct fold_result *result)
{
	char text[64];
	struct value slots[3];
	struct event ev = {.at_ms = BASE + i * i * 3600000,
		.kafka_ms = -1,
		.offset = i,
		.id_hash = (uint64_t)i + 1,
		.slots = slots,
		.nslots = 3};
	int len = snprintf(text, sizeof(text), "%.*s%d", (int)(i * 7 % 50),
		"a text that becomes longer and then shorter again, so",
		(int)(i % 9));

	slots[0] = value_int(i * i * i * i);
	slots[1] = value_double((double)(i * i * i) * 0.125);
	slots[2] = value_string(text, (uint32_t)len);
	return features_fold(
		set, features, &ev, (uint64_t)(i % 5 == 4 ? 2 : i & 1), result);
}

static void
encode(const struct feature_set *set, const struct features *features,
	struct buf *blob)
{
	buf_reset(blob);
	features_encode(set, features, blob);
	assert_false(blob->is_failed);
}

static void
a_fold_that_fails_changes_nothing(void **state)
{
	struct feature_set *set = NULL;
	struct features *features = NULL;
	struct fold_result result;
	struct buf before;
	struct buf after;
	long before_all = held;
	long failures = 0;

	(void)state;
	buf_init(&before, 1 << 20);
	buf_init(&after, 1 << 20);
	assert_int_equal(
		feature_set_create(defs, SG_COUNTOF(defs), &set, NULL), SG_OK);
	assert_int_equal(features_create(set, &features), SG_OK);
	for (int64_t i = 0; i < 120; i++) {
		enum sg_err err = SG_NOMEM;

		for (long nth = 1; err != SG_OK; nth++) {
			encode(set, features, &before);
#ifdef CAN_FAIL
			fail_at = nth;
#endif
			err = fold(set, features, i, &result);
			fail_at = 0;
			if (err == SG_OK)
				break;
			failures++;
			assert_int_equal(err, SG_NOMEM);
			encode(set, features, &after);
			assert_int_equal(before.len, after.len);
			assert_memory_equal(
				before.bytes, after.bytes, before.len);
		}
		assert_false(result.is_repeat);
		encode(set, features, &after);
		assert_true(before.len != after.len ||
			    memcmp(before.bytes, after.bytes, before.len) != 0);
	}
#ifdef CAN_FAIL
	assert_true(failures > 100);
#endif
	buf_fini(&before);
	buf_fini(&after);
	features_destroy(features);
	feature_set_destroy(set);
	assert_int_equal(held, before_all);
}

static void
making_and_loading_may_fail(void **state)
{
	struct feature_set *set = NULL;
	struct features *features = NULL;
	struct features *copy = NULL;
	struct fold_result result;
	struct buf blob;
	enum sg_err err = SG_NOMEM;

	(void)state;
#ifndef CAN_FAIL
	skip();
#endif
	for (long nth = 1; err != SG_OK; nth++) {
		fail_at = nth;
		err = feature_set_create(defs, SG_COUNTOF(defs), &set, NULL);
		fail_at = 0;
		assert_true(err == SG_OK || (err == SG_NOMEM && set == NULL));
	}
	assert_int_equal(features_create(set, &features), SG_OK);
	for (int64_t i = 0; i < 120; i++)
		assert_int_equal(fold(set, features, i, &result), SG_OK);
	buf_init(&blob, 1 << 20);
	encode(set, features, &blob);
	err = SG_NOMEM;
	for (long nth = 1; err != SG_OK; nth++) {
		struct buf_reader rd;

		buf_reader_init(&rd, blob.bytes, blob.len);
		fail_at = nth;
		err = features_decode(set, NULL, &rd, &copy);
		fail_at = 0;
		assert_true(err == SG_OK || (err == SG_NOMEM && copy == NULL));
	}
	features_destroy(copy);
	buf_fini(&blob);
	features_destroy(features);
	feature_set_destroy(set);
}

/* malloc_usable_size() leaves out the 8 bytes of a piece's head. */
static void
what_is_held_is_counted(void **state)
{
	struct feature_set *set = NULL;
	struct features *features = NULL;
	struct fold_result result;
	long before;

	(void)state;
#ifndef CAN_FAIL
	skip();
#endif
	assert_int_equal(
		feature_set_create(defs, SG_COUNTOF(defs), &set, NULL), SG_OK);
	before = held;
	assert_int_equal(features_create(set, &features), SG_OK);
	for (int64_t i = 0; i < 500; i++) {
		long size;

		assert_int_equal(fold(set, features, i, &result), SG_OK);
		size = (long)features_size(features);
		assert_true(held - before <= size);
		assert_true(held - before >= size - size / 5);
	}
	features_destroy(features);
	assert_int_equal(held, before);
	feature_set_destroy(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fold_that_fails_changes_nothing),
		cmocka_unit_test(making_and_loading_may_fail),
		cmocka_unit_test(what_is_held_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
