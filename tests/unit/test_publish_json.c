#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "segmentd/publish.h"

static struct change
a_change(void)
{
	return (struct change){
		.change_id = "0123456789abcdef0123456789abcdef",
		.account = "a",
		.account_version = 1,
		.segmentation = "touch",
		.valid_until_ms = AT_NEVER,
		.priority = NAN,
	};
}

static json_t *
to_json(const struct change *change)
{
	json_error_t error;
	struct buf out;
	json_t *json;

	buf_init(&out, 1 << 16);
	publish_change_json(change, &out);
	assert_false(out.is_failed);
	assert_null(memchr(out.bytes, '\n', out.len));
	json = json_loadb((const char *)out.bytes, out.len,
		JSON_REJECT_DUPLICATES, &error);
	if (json == NULL)
		fail_msg("%s in %s", error.text, buf_cstr(&out));
	buf_fini(&out);
	return json;
}

static void
assert_json(const struct change *change, const char *want)
{
	json_t *found = to_json(change);
	json_t *wanted = json_loads(want, 0, NULL);

	assert_non_null(wanted);
	if (!json_equal(found, wanted))
		fail_msg("%s", json_dumps(found, JSON_INDENT(1)));
	json_decref(found);
	json_decref(wanted);
}

static void
all_fields_are_there(void **state)
{
	static const struct change_value values[] = {
		{"account.arr", "5"}, {"b", NULL}};
	static const struct change_reason reasons[] = {
		{"touch.high", "arr >= \"x\"", true, values, 2},
		{"touch.low", "", false, NULL, 0},
	};
	struct change change = a_change();

	(void)state;
	assert_json(&change,
		"{\"change_id\": \"0123456789abcdef0123456789abcdef\","
		"\"account_id\": \"a\", \"account_version\": 1,"
		"\"segmentation\": \"touch\", \"from\": null, \"to\": null,"
		"\"action\": \"enter\", \"origin\": \"live\","
		"\"event_time\": \"1970-01-01T00:00:00Z\","
		"\"evaluated_at\": \"1970-01-01T00:00:00Z\","
		"\"valid_until\": null,"
		"\"rules_version\": \"0000000000000000\", \"trigger\": null,"
		"\"reasons\": [], \"renewal\": null, \"priority\": null}");
	change.from = "low";
	change.to = "high";
	change.action = ACTION_move;
	change.origin = ORIGIN_rule_change;
	change.event_time_ms = 1700000000000;
	change.evaluated_at_ms = 1700000000123;
	change.valid_until_ms = 1700000000500;
	change.rules_version = UINT64_MAX;
	change.trigger.topic = "t";
	change.trigger.partition = 3;
	change.trigger.offset = 1LL << 52;
	change.reasons = reasons;
	change.nreasons = 2;
	change.renewal.is_set = true;
	change.renewal.date_ms = -1;
	change.renewal.days_left = -7;
	change.renewal.window = "overdue";
	change.priority = 0.1;
	assert_json(&change,
		"{\"change_id\": \"0123456789abcdef0123456789abcdef\","
		"\"account_id\": \"a\", \"account_version\": 1,"
		"\"segmentation\": \"touch\", \"from\": \"low\","
		"\"to\": \"high\", \"action\": \"move\","
		"\"origin\": \"rule_change\","
		"\"event_time\": \"2023-11-14T22:13:20Z\","
		"\"evaluated_at\": \"2023-11-14T22:13:20.123Z\","
		"\"valid_until\": \"2023-11-14T22:13:20.500Z\","
		"\"rules_version\": \"ffffffffffffffff\","
		"\"trigger\": {\"topic\": \"t\", \"partition\": 3,"
		"\"offset\": 4503599627370496, \"event_id\": null},"
		"\"reasons\": [{\"rule\": \"touch.high\","
		"\"clause\": \"arr >= \\\"x\\\"\", \"result\": true,"
		"\"values\": {\"account.arr\": \"5\", \"b\": \"\"}},"
		"{\"rule\": \"touch.low\", \"clause\": \"\","
		"\"result\": false, \"values\": {}}],"
		"\"renewal\": {\"date\": \"1969-12-31T23:59:59.999Z\","
		"\"days_left\": -7, \"window\": \"overdue\"},"
		"\"priority\": 0.10000000000000001}");
}

static void
any_text_is_well_formed(void **state)
{
	static const struct {
		const char *in;
		const char *want;
	} rows[] = {
		{"", ""},
		{"\"\\/", "\"\\/"},
		{"\x01\n\t\x1f", "\x01\n\t\x1f"},
		{"\x7f\xc3\xa4\xf0\x9f\x98\x80",
			"\x7f\xc3\xa4\xf0\x9f\x98\x80"},
		{"\xff", "\xef\xbf\xbd"},
		{"a\xc3", "a\xef\xbf\xbd"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct change change = a_change();
		json_t *json;

		change.account = rows[i].in;
		json = to_json(&change);
		assert_string_equal(
			json_string_value(json_object_get(json, "account_id")),
			rows[i].want);
		json_decref(json);
	}
}

static void
priorities_are_numbers_or_null(void **state)
{
	static const struct {
		double in;
		bool is_null;
	} rows[] = {{0, false}, {-1e308, false}, {5e-324, false}, {NAN, true},
		{INFINITY, true}, {-INFINITY, true}};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct change change = a_change();
		const json_t *found;
		json_t *json;

		change.priority = rows[i].in;
		json = to_json(&change);
		found = json_object_get(json, "priority");
		assert_int_equal(json_is_null(found), rows[i].is_null);
		if (!rows[i].is_null)
			assert_true(json_number_value(found) == rows[i].in);
		json_decref(json);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_fields_are_there),
		cmocka_unit_test(any_text_is_well_formed),
		cmocka_unit_test(priorities_are_numbers_or_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
