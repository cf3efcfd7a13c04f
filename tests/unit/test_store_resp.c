/*
 * Commands as bytes: the headers that are written last are right, whatever side
 * was moved to make room for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hiredis/hiredis.h>

#include "../../processor/store/resp.h"

static void
assert_bytes(struct resp_stream *stream, const char *want)
{
	size_t len;
	const uint8_t *bytes = resp_bytes(stream, &len);

	assert_int_equal(len, strlen(want));
	assert_memory_equal(bytes, want, len);
}

static void
commands_are_written_one_after_the_other(void **state)
{
	struct resp_stream stream;

	(void)state;
	resp_init(&stream, 4096);
	assert_bytes(&stream, "");
	resp_begin(&stream, RESP_LONE, "MULTI");
	resp_begin(&stream, 1, "SET");
	resp_arg2(&stream, "key:", 4, "7", 1);
	resp_arg(&stream, "", 0);
	resp_close(&stream);
	resp_close(&stream);
	assert_int_equal(stream.ncommands, 2);
	assert_bytes(&stream, "*1\r\n$5\r\nMULTI\r\n"
			      "*3\r\n$3\r\nSET\r\n$5\r\nkey:7\r\n$0\r\n\r\n");
	resp_reset(&stream);
	assert_bytes(&stream, "");
	assert_int_equal(stream.ncommands, 0);
	resp_fini(&stream);
}

static void
numbers_are_written_so_that_redis_reads_them_back(void **state)
{
	static const struct {
		double n;
		const char *want;
	} rows[] = {
		{0, "0"},
		{-0.0, "0"},
		{-5, "-5"},
		{1e15, "1000000000000000"},
		{1e16, "10000000000000000"},
		{0.1, "0.10000000000000001"},
		{1e300, "1.0000000000000001e+300"},
		{-1e308 * 10, "-inf"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct resp_stream stream;
		char want[64];

		resp_init(&stream, 4096);
		resp_begin(&stream, 0, "X");
		resp_arg_double(&stream, rows[i].n);
		resp_close(&stream);
		(void)snprintf(want, sizeof(want),
			"*2\r\n$1\r\nX\r\n$%zu\r\n%s\r\n", strlen(rows[i].want),
			rows[i].want);
		assert_bytes(&stream, want);
		resp_fini(&stream);
	}
}

static void
a_command_goes_on_while_kind_and_key_are_the_same(void **state)
{
	struct resp_stream stream;

	(void)state;
	resp_init(&stream, 4096);
	assert_false(resp_is_open(&stream, 1, NULL, 0, NULL, 0));
	resp_begin(&stream, 1, "HSET");
	assert_true(resp_is_open(&stream, 1, NULL, 0, NULL, 0));
	resp_arg2(&stream, "acct:", 5, "ab", 2);
	resp_mark_key(&stream, 7);
	assert_true(resp_is_open(&stream, 1, "acct:", 5, "ab", 2));
	assert_true(resp_is_open(&stream, 1, "acct:ab", 7, NULL, 0));
	assert_false(resp_is_open(&stream, 2, "acct:", 5, "ab", 2));
	assert_false(resp_is_open(&stream, 1, "acct:", 5, "ac", 2));
	assert_false(resp_is_open(&stream, 1, "acct:", 5, "a", 1));
	assert_false(resp_is_open(&stream, 1, NULL, 0, NULL, 0));
	resp_arg_text(&stream, "field");
	assert_true(resp_is_open(&stream, 1, "acct:", 5, "ab", 2));
	resp_close(&stream);
	assert_false(resp_is_open(&stream, 1, "acct:", 5, "ab", 2));
	resp_fini(&stream);
}

/* Commands of 1 to 1200 arguments in changing order, read back by hiredis's
 * own parser (a command has the form of a reply). */
static void
any_number_of_arguments_gets_its_header(void **state)
{
	static const int sizes[] = {
		1, 9, 10, 2, 99, 100, 1200, 3, 999, 1000, 8, 12, 11, 10, 1};
	struct resp_stream stream, other;
	redisReader *reader = redisReaderCreate();
	const uint8_t *bytes;
	size_t len;

	(void)state;
	resp_init(&stream, 1 << 20);
	resp_init(&other, 1 << 20);
	for (size_t i = 0; i < SG_COUNTOF(sizes); i++) {
		struct resp_stream *to = i < 8 ? &stream : &other;

		resp_begin(to, RESP_LONE, "C");
		for (int arg = 1; arg < sizes[i]; arg++)
			resp_arg_uint(to, (uint64_t)arg * 7919);
	}
	resp_close(&other);
	resp_append(&stream, &other);
	assert_int_equal(stream.ncommands, SG_COUNTOF(sizes));
	bytes = resp_bytes(&stream, &len);
	redisReaderFeed(reader, (const char *)bytes, len);
	for (size_t i = 0; i < SG_COUNTOF(sizes); i++) {
		redisReply *reply = NULL;

		assert_int_equal(
			redisReaderGetReply(reader, (void **)&reply), REDIS_OK);
		assert_non_null(reply);
		assert_int_equal(reply->elements, sizes[i]);
		assert_string_equal(reply->element[0]->str, "C");
		for (int arg = 1; arg < sizes[i]; arg++) {
			char want[24];

			(void)snprintf(want, sizeof(want), "%d", arg * 7919);
			assert_string_equal(reply->element[arg]->str, want);
		}
		freeReplyObject(reply);
	}
	redisReaderFree(reader);
	resp_fini(&stream);
	resp_fini(&other);
}

static void
too_much_fails_once_and_for_all(void **state)
{
	for (size_t max = 0; max < 200; max++) {
		struct resp_stream stream, other;
		size_t len = 1;

		(void)state;
		resp_init(&stream, max);
		resp_init(&other, 4096);
		for (int i = 0; i < 20; i++) {
			if (!resp_is_open(&stream, 1, NULL, 0, NULL, 0))
				resp_begin(&stream, 1, "MSET");
			resp_arg_text(&stream, "12345678");
		}
		resp_append(&stream, &other);
		resp_close(&stream);
		assert_true(stream.buf.is_failed);
		assert_null(resp_bytes(&stream, &len));
		assert_int_equal(len, 0);
		resp_append(&other, &stream);
		assert_true(other.buf.is_failed);
		resp_fini(&stream);
		resp_fini(&other);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_written_one_after_the_other),
		cmocka_unit_test(
			numbers_are_written_so_that_redis_reads_them_back),
		cmocka_unit_test(
			a_command_goes_on_while_kind_and_key_are_the_same),
		cmocka_unit_test(any_number_of_arguments_gets_its_header),
		cmocka_unit_test(too_much_fails_once_and_for_all),
	};

	return cmocka_run_group_tests_name("store_resp", tests, NULL, NULL);
}
