#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "segmentd/buf.h"
#include "segmentd/err.h"
#include "segmentd/hash.h"
#include "segmentd/type.h"
#include "segmentd/value.h"

#define LIST(items_)                                                           \
	((struct value){.kind = VALUE_LIST,                                    \
		.len = SG_COUNTOF(items_),                                     \
		.as = {.items = (items_)}})

static int
setup(void **state)
{
	static struct buf buf;

	buf_init(&buf, 1024 * 1024);
	*state = &buf;
	return 0;
}

static int
teardown(void **state)
{
	buf_fini(*state);
	return 0;
}

static const char *
json(struct buf *buf, struct value v)
{
	buf_reset(buf);
	value_to_json(v, NULL, buf);
	return buf_cstr(buf);
}

static const char *
text(struct buf *buf, struct value v)
{
	buf_reset(buf);
	value_to_text(v, NULL, buf);
	return buf_cstr(buf);
}

static void
scalars_as_json_and_as_text(void **state)
{
	static const uint8_t bytes[] = {0, 0xff, 0x10, 0x80};
	const struct {
		struct value v;
		const char *json, *text;
	} rows[] = {
		{value_null(), "null", ""},
		{value_absent(), "null", ""},
		{value_bool(true), "true", "true"},
		{value_bool(false), "false", "false"},
		{value_int(INT64_MIN), "-9223372036854775808",
			"-9223372036854775808"},
		{value_uint(UINT64_MAX), "18446744073709551615",
			"18446744073709551615"},
		{value_string("a \"b\"\n", 6), "\"a \\\"b\\\"\\n\"",
			"a \"b\"\n"},
		{value_string(NULL, 0), "\"\"", ""},
		{value_bytes(bytes, 0), "\"\"", ""},
		{value_bytes(bytes, 1), "\"AA==\"", "AA=="},
		{value_bytes(bytes, 2), "\"AP8=\"", "AP8="},
		{value_bytes(bytes, 3), "\"AP8Q\"", "AP8Q"},
		{value_bytes(bytes, 4), "\"AP8QgA==\"", "AP8QgA=="},
		{value_timestamp(1709204400, 500000000),
			"\"2024-02-29T11:00:00.500Z\"",
			"2024-02-29T11:00:00.500Z"},
		{value_duration(3600, 0), "\"3600s\"", "3600s"},
		{value_duration(0, 0), "\"0s\"", "0s"},
		{value_duration(1, 500000000), "\"1.5s\"", "1.5s"},
		{value_duration(-1, 999999999), "\"-0.000000001s\"",
			"-0.000000001s"},
		{value_duration(-2, 500000000), "\"-1.5s\"", "-1.5s"},
		{value_duration(-2, 0), "\"-2s\"", "-2s"},
		{value_duration(INT64_MIN, 0), "\"-9223372036854775808s\"",
			"-9223372036854775808s"},
		{value_error("no such key"), "\"no such key\"",
			"error: no such key"},
	};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		assert_string_equal(json(*state, rows[i].v), rows[i].json);
		assert_string_equal(text(*state, rows[i].v), rows[i].text);
	}
}

static void
doubles_have_as_few_digits_as_will_do(void **state)
{
	static const struct {
		double d;
		const char *json;
	} rows[] = {
		{0.0, "0"},
		{-0.0, "-0"},
		{1.0, "1"},
		{-1.0, "-1"},
		{100000.0, "100000"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1.0 / 3.0, "0.3333333333333333"},
		{2.5, "2.5"},
		{123456.789, "123456.789"},
		{999999999999999.0, "999999999999999"},
		{1e15, "1e+15"},
		{9007199254740993.0, "9007199254740992"},
		{1e21, "1e+21"},
		{1e-7, "1e-07"},
		{DBL_MAX, "1.7976931348623157e+308"},
		{DBL_MIN, "2.2250738585072014e-308"},
		{5e-324, "5e-324"},
		{(double)NAN, "\"NaN\""},
		{(double)INFINITY, "\"Infinity\""},
		{(double)-INFINITY, "\"-Infinity\""},
	};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++)
		assert_string_equal(
			json(*state, value_double(rows[i].d)), rows[i].json);
}

static void
every_double_is_read_back_as_itself(void **state)
{
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t bits = hash_u64(i);
		double d, back;

		/* Every third one subnormal, as random bits never are. */
		if (i % 3 == 0)
			bits &= UINT64_C(0x800fffffffffffff);
		memcpy(&d, &bits, sizeof(d));
		if (!isfinite(d))
			continue;
		/* lint: the independent reader of the test */
		back = strtod(text(*state, value_double(d)), NULL);
		if (memcmp(&back, &d, sizeof(d)) != 0)
			fail_msg("%a", d);
	}
}

static const struct type_field line_fields[] = {
	{"id", &type_string},
	{"arr\"usd", &type_double},
	{"note", &type_string},
};
static const struct type line_type = {
	.kind = TYPE_RECORD, .fields = line_fields, .nfields = 3};
static const struct type short_type = {
	.kind = TYPE_RECORD, .fields = line_fields, .nfields = 2};
static const struct type lines_type = {.kind = TYPE_LIST, .item = &line_type};

static void
records_have_names_where_their_type_is_known(void **state)
{
	struct buf *buf = *state;
	const struct value fields[] = {
		value_string("s1", 2), value_double(2.5), value_absent()};
	struct value record = LIST(fields);
	const struct value lines[] = {
		(record.kind = VALUE_RECORD, record), value_null()};
	struct value list = LIST(lines);

	value_to_json(list, &lines_type, buf);
	assert_string_equal(
		buf_cstr(buf), "[{\"id\":\"s1\",\"arr\\\"usd\":2.5},null]");
	/* Lists and records read the same as text. */
	buf_reset(buf);
	value_to_text(list, &lines_type, buf);
	assert_string_equal(
		buf_cstr(buf), "[{\"id\":\"s1\",\"arr\\\"usd\":2.5},null]");

	/* No names, or too few of them. */
	assert_string_equal(json(buf, record), "[\"s1\",2.5,null]");
	buf_reset(buf);
	value_to_json(record, &short_type, buf);
	assert_string_equal(buf_cstr(buf), "[\"s1\",2.5,null]");
	buf_reset(buf);
	value_to_json(record, &type_string, buf);
	assert_string_equal(buf_cstr(buf), "[\"s1\",2.5,null]");
}

static void
keys_of_maps_are_strings(void **state)
{
	const struct value inner[] = {value_int(1)};
	const struct value items[] = {value_string("a\"", 2), value_int(1),
		value_int(-7), value_null(), value_bool(true), LIST(inner),
		value_double((double)NAN), value_int(2), value_timestamp(0, 0),
		value_int(3)};
	struct value map = LIST(items);

	map.kind = VALUE_MAP;
	map.len = 5;
	assert_string_equal(json(*state, map),
		"{\"a\\\"\":1,\"-7\":null,\"true\":[1],\"NaN\":2,"
		"\"1970-01-01T00:00:00Z\":3}");
	map.len = 0;
	assert_string_equal(json(*state, map), "{}");
}

/* A value made of the bits of a hash, not deeper than `depth`. */
static struct value
random_value(uint64_t *seed, struct value *pool, size_t *used, int depth)
{
	static const char chars[] = "a\"\\\n\x01\x7f\xc3\xa4\xff\xed\xa0\x80";
	uint64_t r = hash_u64((*seed)++);
	struct value v = value_int((int64_t)r);
	uint32_t len = (uint32_t)(r >> 8) % 4;

	v.kind = (uint8_t)(r % (VALUE_ERROR + 1));
	switch ((enum value_kind)v.kind) {
	case VALUE_STRING:
	case VALUE_BYTES:
		return (struct value){.kind = v.kind,
			.len = (uint32_t)(r >> 8) % 5,
			.as = {.s = chars + (r >> 16) % 8}};
	case VALUE_BOOL:
		return value_bool((r >> 8 & 1) != 0);
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
		v.nanos = (uint32_t)(r >> 8) % 1000000000;
		return v;
	case VALUE_TYPE:
	case VALUE_ERROR:
		v.as.s = chars;
		return v;
	case VALUE_LIST:
	case VALUE_MAP:
	case VALUE_RECORD:
		break;
	default:
		return v;
	}
	if (depth == 0 || *used + 8 > 400)
		return value_null();

	struct value *items = pool + *used;
	size_t n = v.kind == VALUE_MAP ? 2 * len : len;

	*used += n;
	for (size_t i = 0; i < n; i++)
		items[i] = random_value(seed, pool, used, depth - 1);
	v.len = len;
	v.as.items = items;
	return v;
}

static void
whatever_comes_is_valid_json(void **state)
{
	uint64_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		struct value pool[400];
		size_t used = 0;
		struct value v = random_value(&seed, pool, &used, 4);
		const char *line = json(*state, v);
		json_t *read = json_loads(
			line, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);

		if (read == NULL)
			fail_msg("%s", line);
		json_decref(read);
	}
}

static void
invalid_utf8_becomes_the_replacement_character(void **state)
{
	assert_string_equal(json(*state, value_string("a\xff\xc3", 3)),
		"\"a\\ufffd\\ufffd\"");
	assert_string_equal(json(*state, value_string("\xed\xa0\x80", 3)),
		"\"\\ufffd\\ufffd\\ufffd\"");
	assert_string_equal(
		json(*state, value_string("\0\x1f", 2)), "\"\\u0000\\u001f\"");
}

static void
too_deep_becomes_null(void **state)
{
	static struct value chain[100000];
	size_t depth = 0;

	chain[0] = value_int(1);
	for (size_t i = 1; i < SG_COUNTOF(chain); i++)
		chain[i] = (struct value){.kind = VALUE_LIST,
			.len = 1,
			.as = {.items = &chain[i - 1]}};

	const char *line = json(*state, chain[VALUE_DEPTH_MAX]);

	assert_non_null(strstr(line, "[1]"));
	line = json(*state, chain[SG_COUNTOF(chain) - 1]);
	while (line[depth] == '[')
		depth++;
	assert_int_equal(depth, VALUE_DEPTH_MAX + 1);
	assert_memory_equal(line + depth, "null]", 5);
}

static void
a_full_buffer_ends_the_writing(void **state)
{
	const struct value items[] = {
		value_string("0123456789", 10), value_int(1)};
	struct buf small;

	(void)state;
	for (size_t max = 0; max < 16; max++) {
		buf_init(&small, max);
		value_to_json(LIST(items), NULL, &small);
		assert_true(small.is_failed);
		buf_fini(&small);
	}
	buf_init(&small, 16);
	value_to_json(LIST(items), NULL, &small);
	assert_string_equal(buf_cstr(&small), "[\"0123456789\",1]");
	buf_fini(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scalars_as_json_and_as_text),
		TEST(doubles_have_as_few_digits_as_will_do),
		TEST(every_double_is_read_back_as_itself),
		TEST(records_have_names_where_their_type_is_known),
		TEST(keys_of_maps_are_strings),
		TEST(whatever_comes_is_valid_json),
		TEST(invalid_utf8_becomes_the_replacement_character),
		TEST(too_deep_becomes_null),
		TEST(a_full_buffer_ends_the_writing),
	};

	return cmocka_run_group_tests_name("model_json", tests, NULL, NULL);
}
