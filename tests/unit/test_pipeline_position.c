/* Positions as texts: written and read, and texts that somebody else wrote. */
#include "test_pipeline_support.h"

#include "../../processor/pipeline/position.h"

static const char two_inputs[] = "topics: {overrides: \"\"}\n"
				 "inputs:\n"
				 "  a: {topic: customer.accounts, time: at}\n"
				 "  b: {topic: now, time: at}\n";

static void
offsets_and_clock_are_read_back(void **state)
{
	static const struct {
		int64_t offsets[2];
		int64_t clock_ms;
		const char *text;
	} rows[] = {
		{{0, 0}, INT64_MIN, "customer.accounts=0,now=0"},
		{{120, INT64_MAX}, INT64_MIN,
			"customer.accounts=120,now=9223372036854775807"},
		{{1, 2}, 1714521600000,
			"customer.accounts=1,now=2;now=1714521600000"},
		{{1, 2}, -1, "customer.accounts=1,now=2;now=-1"},
	};
	struct made made;

	(void)state;
	must_make(two_inputs, &made);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		int64_t offsets[2] = {7, 7}, clock_ms = 7;
		struct buf text;

		buf_init(&text, 1024);
		position_write_w(
			made.program, rows[i].offsets, rows[i].clock_ms, &text);
		assert_string_equal(buf_cstr(&text), rows[i].text);
		assert_true(position_read_w(
			made.program, buf_cstr(&text), offsets, &clock_ms));
		assert_int_equal(offsets[0], rows[i].offsets[0]);
		assert_int_equal(offsets[1], rows[i].offsets[1]);
		assert_int_equal(clock_ms, rows[i].clock_ms);
		buf_fini(&text);
	}
	unmake_program(&made);
}

static void
topics_that_came_or_went_are_left_out(void **state)
{
	int64_t offsets[2], clock_ms;
	struct made made;

	(void)state;
	must_make(two_inputs, &made);
	assert_true(position_read_w(made.program, "gone=5,customer.accounts=6",
		offsets, &clock_ms));
	assert_int_equal(offsets[0], 6);
	assert_int_equal(offsets[1], -1);
	assert_true(position_read_w(made.program, "", offsets, &clock_ms));
	assert_int_equal(offsets[0], -1);
	assert_int_equal(clock_ms, INT64_MIN);
	/* Only a whole name is the name. */
	assert_true(position_read_w(made.program,
		"customer.account=1,customer.accountss=2,nowhere=3", offsets,
		&clock_ms));
	assert_int_equal(offsets[0], -1);
	assert_int_equal(offsets[1], -1);
	unmake_program(&made);
}

static void
texts_of_another_form_are_refused(void **state)
{
	static const char *const texts[] = {"x", "=", "a", "a=", "a=1,",
		"a=1,,b=2", "a=x", "a=1x", "a=9223372036854775808", "a=1;now",
		"a=1;now=", "a=99999999999999999999999999999999999999999",
		"a=0x10"};
	int64_t offsets[2], clock_ms;
	struct made made;

	(void)state;
	must_make(two_inputs, &made);
	for (size_t i = 0; i < SG_COUNTOF(texts); i++) {
		bool is_read = position_read_w(
			made.program, texts[i], offsets, &clock_ms);

		/* A comma at the end names nothing more. */
		if (is_read != (strcmp(texts[i], "a=1,") == 0))
			fail_msg("`%s`", texts[i]);
	}
	unmake_program(&made);
}

static void
metadata_is_read_back(void **state)
{
	static const struct position_meta rows[] = {
		{"0123456789abcdef0123456789abcdef", 0, 0, INT64_MIN, -1, ""},
		{"x", INT64_MAX, INT64_MAX, 0, 0, "group-one-0"},
		{"x", 1, 0xabcdef, INT64_MAX, INT64_MAX, "a=b, c-1"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct position_meta back;
		struct buf text;

		buf_init(&text, 1024);
		position_write_meta(&rows[i], &text);
		assert_true(position_read_meta(buf_cstr(&text), &back));
		assert_string_equal(back.lineage, rows[i].lineage);
		assert_int_equal(back.cno, rows[i].cno);
		assert_int_equal(back.rules, rows[i].rules);
		assert_int_equal(back.clock_ms, rows[i].clock_ms);
		assert_int_equal(back.start, rows[i].start);
		assert_int_equal(
			position_start(buf_cstr(&text)), rows[i].start);
		assert_string_equal(back.by, rows[i].by);
		buf_fini(&text);
	}
	assert_int_equal(position_start(NULL), -1);
	assert_int_equal(position_start("start=5"), -1);
}

/* It is an id of the user's making: what it is taken for must not depend on
 * what is in it. */
static void
an_id_with_a_separator_is_left_out(void **state)
{
	struct position_meta meta = {
		.lineage = "x", .clock_ms = INT64_MIN, .by = "a;lin=y"};
	struct position_meta back;
	struct buf text;

	(void)state;
	buf_init(&text, 1024);
	position_write_meta(&meta, &text);
	assert_true(position_read_meta(buf_cstr(&text), &back));
	assert_string_equal(back.lineage, "x");
	assert_string_equal(back.by, "");
	buf_fini(&text);
}

static void
how_far_was_decided_is_read_back(void **state)
{
	static const char *const others[] = {"", "cno=1", "a=1",
		"a=1;cno=", "a=1;cno=-1", "a=1;cno=1;now=2", "a=x;cno=1"};
	static const int64_t clocks[] = {INT64_MIN, -1, 1714521600000};
	struct position_decided given = {{7, INT64_MAX}, 0, 17, false}, back;
	struct made made;
	struct buf text;

	(void)state;
	must_make(two_inputs, &made);
	buf_init(&text, 1024);
	for (size_t i = 0; i < 2 * SG_COUNTOF(clocks); i++) {
		given.clock_ms = clocks[i / 2];
		given.is_in_txn = i % 2 == 1;
		buf_reset(&text);
		position_write_decided(made.program, &given, &text);
		assert_true(position_read_decided(
			made.program, buf_cstr(&text), &back));
		assert_memory_equal(
			back.offsets, given.offsets, 2 * sizeof(int64_t));
		assert_int_equal(back.clock_ms, given.clock_ms);
		assert_int_equal(back.cno, 17);
		assert_int_equal(back.is_in_txn, given.is_in_txn);
	}
	for (size_t i = 0; i < SG_COUNTOF(others); i++)
		if (position_read_decided(made.program, others[i], &back))
			fail_msg("`%s`", others[i]);
	buf_fini(&text);
	unmake_program(&made);
}

/* Metadata stands in Kafka, where other tools may write it too. */
static void
metadata_of_others_is_refused(void **state)
{
	static const struct {
		const char *text;
		bool is_ours;
	} rows[] = {
		{"v=1;lin=x;cno=5;rules=ff", true},
		{"v=1;lin=x;cno=5;rules=ff;later=thing", true},
		{"v=1;lin=x;cno=5;rules=ff;by=", true},
		{"lin=x", true},
		{"", false},
		{"v=1", false},
		{"v=1;lin=", false},
		{"v=2;lin=x;cno=5;rules=ff", false},
		{"v=11;lin=x", false},
		{"v=1;lin=x;cno=", false},
		{"v=1;lin=x;cno=5x", false},
		{"v=1;lin=x;rules=xyz", false},
		{"v=1;lin=x;rules=8000000000000000", false},
		{"v=1;lin=x;now=soon", false},
		{"v=1;lin=x;start=-1", false},
		{"v=1;lin=x;start=0", true},
		{"v=1;lin=0123456789abcdef0123456789abcdef0", false},
		{"{\"offset\":5}", false},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct position_meta meta;

		if (position_read_meta(rows[i].text, &meta) != rows[i].is_ours)
			fail_msg("`%s`", rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_and_clock_are_read_back),
		cmocka_unit_test(topics_that_came_or_went_are_left_out),
		cmocka_unit_test(texts_of_another_form_are_refused),
		cmocka_unit_test(how_far_was_decided_is_read_back),
		cmocka_unit_test(metadata_is_read_back),
		cmocka_unit_test(an_id_with_a_separator_is_left_out),
		cmocka_unit_test(metadata_of_others_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
