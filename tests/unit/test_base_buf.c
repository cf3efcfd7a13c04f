#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/buf.h"

static void
what_is_put_is_there_in_order(void **state)
{
	static const uint8_t want[] = {
		'a', 'b', 'c', '7', 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1};
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	buf_put_str(&buf, "ab");
	buf_put(&buf, "cd", 1);
	buf_put(&buf, NULL, 0);
	buf_printf(&buf, "%d", 7);
	buf_put_u8(&buf, 1);
	buf_put_u32(&buf, 0x01020304);
	buf_put_u64(&buf, UINT64_C(0x0102030405060708));
	assert_false(buf.is_failed);
	assert_int_equal(buf.len, sizeof(want));
	assert_memory_equal(buf.bytes, want, sizeof(want));
	buf_fini(&buf);
}

static void
it_grows_to_the_maximum_and_not_a_byte_more(void **state)
{
	static const size_t maxima[] = {0, 1, 63, 64, 65, 1000, 4096};
	struct buf buf;

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(maxima); i++) {
		buf_init(&buf, maxima[i]);
		for (size_t n = 0; n < maxima[i]; n++)
			buf_put_u8(&buf, 'x');
		assert_false(buf.is_failed);
		assert_int_equal(strlen(buf_cstr(&buf)), maxima[i]);
		buf_put_u8(&buf, 'y');
		assert_true(buf.is_failed);
		assert_int_equal(buf.len, maxima[i]);
		buf_fini(&buf);
	}
}

static void
printf_fits_the_maximum_exactly_though_its_nul_does_not(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 64);
	buf_printf(&buf, "%64s", "x");
	assert_false(buf.is_failed);
	assert_int_equal(buf.len, 64);
	buf_reset(&buf);
	buf_printf(&buf, "%65s", "x");
	assert_true(buf.is_failed);
	assert_int_equal(buf.len, 0);
	buf_fini(&buf);
}

/* A message with a hole in its middle would be worse than none. */
static void
after_a_failure_nothing_is_appended_until_the_reset(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	buf_put_str(&buf, "abc");
	buf_put_str(&buf, "de");
	assert_true(buf.is_failed);
	buf_put_u8(&buf, 'f');
	buf_put_varint(&buf, 1);
	buf_printf(&buf, "g");
	assert_null(buf_reserve(&buf, 1));
	assert_int_equal(buf.len, 3);
	assert_string_equal(buf_cstr(&buf), "");
	buf_reset(&buf);
	buf_put_str(&buf, "wxyz");
	assert_string_equal(buf_cstr(&buf), "wxyz");
	buf_fini(&buf);
}

static void
a_length_that_overflows_fails(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	buf_put_u8(&buf, 'x');
	assert_null(buf_reserve(&buf, SIZE_MAX));
	assert_true(buf.is_failed);
	buf_fini(&buf);
}

static void
cstr_of_nothing_is_an_empty_text(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 10);
	assert_string_equal(buf_cstr(&buf), "");
	assert_non_null(buf_reserve(&buf, 0));
	buf_fini(&buf);
	buf_fini(&buf);
	buf_fini(NULL);
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
out_of_memory_fails_and_keeps_what_was_there(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, SIZE_MAX);
	assert_null(buf_reserve(&buf, SIZE_MAX / 4));
	assert_true(buf.is_failed);
	buf_reset(&buf);
	buf_put_str(&buf, "abc");
	assert_null(buf_reserve(&buf, SIZE_MAX / 4));
	assert_int_equal(buf.len, 3);
	assert_memory_equal(buf.bytes, "abc", 3);
	buf_fini(&buf);
}

static const int64_t numbers[] = {0, 1, -1, 63, 64, -64, -65, 127, 128, 16383,
	16384, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};

static void
numbers_are_read_back_as_they_were_put(void **state)
{
	struct buf_reader rd;
	struct buf buf;

	(void)state;
	buf_init(&buf, 10000);
	for (size_t i = 0; i < SG_COUNTOF(numbers); i++) {
		buf_put_zigzag(&buf, numbers[i]);
		buf_put_varint(&buf, (uint64_t)numbers[i]);
		buf_put_u32(&buf, (uint32_t)numbers[i]);
		buf_put_u64(&buf, (uint64_t)numbers[i]);
		buf_put_u8(&buf, (uint8_t)numbers[i]);
	}
	buf_reader_init(&rd, buf.bytes, buf.len);
	for (size_t i = 0; i < SG_COUNTOF(numbers); i++) {
		assert_true(buf_get_zigzag(&rd) == numbers[i]);
		assert_true(buf_get_varint(&rd) == (uint64_t)numbers[i]);
		assert_true(buf_get_u32(&rd) == (uint32_t)numbers[i]);
		assert_true(buf_get_u64(&rd) == (uint64_t)numbers[i]);
		assert_true(buf_get_u8(&rd) == (uint8_t)numbers[i]);
	}
	assert_false(rd.is_bad);
	assert_ptr_equal(rd.at, rd.end);
	(void)buf_get_u8(&rd);
	assert_true(rd.is_bad);
	buf_fini(&buf);
}

/* The forms that Avro's specification prints. */
static void
zigzag_is_that_of_avro(void **state)
{
	static const struct {
		int64_t n;
		uint8_t bytes[2];
		size_t len;
	} rows[] = {
		{0, {0x00}, 1},
		{-1, {0x01}, 1},
		{1, {0x02}, 1},
		{-2, {0x03}, 1},
		{2, {0x04}, 1},
		{-64, {0x7f}, 1},
		{64, {0x80, 0x01}, 2},
	};
	struct buf buf;

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		buf_init(&buf, 10);
		buf_put_zigzag(&buf, rows[i].n);
		assert_int_equal(buf.len, rows[i].len);
		assert_memory_equal(buf.bytes, rows[i].bytes, rows[i].len);
		buf_fini(&buf);
	}
}

static void
malformed_numbers_are_bad_and_read_as_zero(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
		bool is_bad;
		uint64_t want;
	} rows[] = {
		{"nothing", "", 0, true, 0},
		{"cut short", "\x80", 1, true, 0},
		{"cut short after nine", "\xff\xff\xff\xff\xff\xff\xff\xff\xff",
			9, true, 0},
		{"ten bytes, the greatest",
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, false,
			UINT64_MAX},
		{"the tenth byte holds two bits",
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, true,
			0},
		{"an eleventh byte",
			"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11,
			true, 0},
		{"longer than need be", "\x81\x00", 2, false, 1},
	};
	struct buf_reader rd;

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		buf_reader_init(&rd, rows[i].bytes, rows[i].len);
		if (buf_get_varint(&rd) != rows[i].want ||
			rd.is_bad != rows[i].is_bad)
			fail_msg("row %zu: %s", i, rows[i].name);
	}
}

static void
a_read_past_the_end_ends_all_reading(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct buf_reader rd;

	(void)state;
	buf_reader_init(&rd, bytes, sizeof(bytes));
	assert_int_equal(buf_get_u32(&rd), 0);
	assert_true(rd.is_bad);
	/* Three bytes are left, but what they mean is no longer known. */
	assert_int_equal(buf_get_u8(&rd), 0);
	assert_null(buf_get_bytes(&rd, 0));

	buf_reader_init(&rd, bytes, sizeof(bytes));
	assert_null(buf_get_bytes(&rd, SIZE_MAX));
	assert_true(rd.is_bad);

	buf_reader_init(&rd, bytes, sizeof(bytes));
	assert_ptr_equal(buf_get_bytes(&rd, 3), bytes);
	assert_false(rd.is_bad);

	buf_reader_init(&rd, NULL, 0);
	assert_int_equal(buf_get_u64(&rd), 0);
	assert_true(rd.is_bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_there_in_order),
		cmocka_unit_test(it_grows_to_the_maximum_and_not_a_byte_more),
		cmocka_unit_test(
			printf_fits_the_maximum_exactly_though_its_nul_does_not),
		cmocka_unit_test(
			after_a_failure_nothing_is_appended_until_the_reset),
		cmocka_unit_test(a_length_that_overflows_fails),
		cmocka_unit_test(out_of_memory_fails_and_keeps_what_was_there),
		cmocka_unit_test(cstr_of_nothing_is_an_empty_text),
		cmocka_unit_test(numbers_are_read_back_as_they_were_put),
		cmocka_unit_test(zigzag_is_that_of_avro),
		cmocka_unit_test(malformed_numbers_are_bad_and_read_as_zero),
		cmocka_unit_test(a_read_past_the_end_ends_all_reading),
	};

	return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}
