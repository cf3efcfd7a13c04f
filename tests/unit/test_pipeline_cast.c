/*
 * A value taken as another type: itself, its exact counterpart, or nothing.
 */
#include "test_pipeline_support.h"

#include <math.h>

#include "../../processor/pipeline/cast.h"

static void
value_is_taken_exactly_or_not_at_all(void **state)
{
	static const char time[] = "2026-03-05T12:00:00.25+02:00";
	const struct value text = value_string("12", 2);
	const struct value null = value_null();
	const struct value at = value_timestamp(1772704800, 250000000);
	const struct {
		const char *name;
		struct value from;
		enum type_kind to;
		struct value want;
	} rows[] = {
		{"an int is an int", value_int(-7), TYPE_INT, value_int(-7)},
		{"an int as a double", value_int(3), TYPE_DOUBLE,
			value_double(3.0)},
		{"a whole double as an int", value_double(-3.0), TYPE_INT,
			value_int(-3)},
		{"a broken double is no int", value_double(3.5), TYPE_INT,
			null},
		{"2^63 is no int", value_double(0x1p63), TYPE_INT, null},
		{"-2^63 is one", value_double(-0x1p63), TYPE_INT,
			value_int(INT64_MIN)},
		{"NaN is no int", value_double((double)NAN), TYPE_INT, null},
		{"infinity is no int", value_double((double)INFINITY), TYPE_INT,
			null},
		{"a large uint is no int", value_uint(UINT64_MAX), TYPE_INT,
			null},
		{"a uint as an int", value_uint(7), TYPE_INT, value_int(7)},
		{"a uint as a double", value_uint(7), TYPE_DOUBLE,
			value_double(7.0)},
		{"a text is no number", text, TYPE_INT, null},
		{"a text is no double", text, TYPE_DOUBLE, null},
		{"a number is no text", value_int(12), TYPE_STRING, null},
		{"a text", text, TYPE_STRING, text},
		{"a bool", value_bool(true), TYPE_BOOL, value_bool(true)},
		{"a number is no bool", value_int(1), TYPE_BOOL, null},
		{"a bool is no number", value_bool(true), TYPE_INT, null},
		{"a text with a time",
			value_string(time, (uint32_t)strlen(time)),
			TYPE_TIMESTAMP, at},
		{"a text without one", text, TYPE_TIMESTAMP, null},
		{"milliseconds", value_int(1772704800250), TYPE_TIMESTAMP, at},
		{"a time", at, TYPE_TIMESTAMP, at},
		{"null", null, TYPE_STRING, null},
		{"nothing", value_absent(), TYPE_DOUBLE, null},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct value got = cast_value(rows[i].from, rows[i].to);

		if (!value_same(got, rows[i].want))
			fail_msg("%s: kind %u", rows[i].name, got.kind);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value_is_taken_exactly_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
