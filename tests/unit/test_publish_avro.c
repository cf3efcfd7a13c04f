/*
 * What publish/avro.c writes, read back by libavro's generic reader with the
 * schemas of schemas/. (python3-avro reads it too: test_broker_clients.py.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <avro.h>
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/decode.h"
#include "segmentd/publish.h"

#define HEAD 10 /* C3 01 and the fingerprint */

static char *
read_schema(const char *name, size_t *ret_len)
{
	char path[64];
	char *text = malloc(1 << 16);
	FILE *file;

	(void)snprintf(path, sizeof(path), "schemas/%s.v1.avsc", name);
	file = fopen(path, "r");
	assert_non_null(text);
	assert_non_null(file);
	*ret_len = fread(text, 1, 1 << 16, file);
	assert_in_range(*ret_len, 2, (1 << 16) - 1);
	(void)fclose(file);
	return text;
}

/* The framing names the schema, and the rest is exactly one value of it. */
static void
assert_reads_as(const struct buf *bytes, const char *name, const char *want)
{
	avro_schema_t schema;
	avro_value_iface_t *iface;
	avro_value_t value;
	avro_reader_t reader;
	json_t *found_json;
	json_t *want_json;
	json_error_t error;
	char *text;
	char *found;
	size_t len;

	assert_false(bytes->is_failed);
	assert_true(bytes->len > HEAD);
	assert_memory_equal(bytes->bytes, "\xc3\x01", 2);
	text = read_schema(name, &len);
	assert_int_equal(avro_schema_from_json_length(text, len, &schema), 0);
	iface = avro_generic_class_from_schema(schema);
	assert_int_equal(avro_generic_value_new(iface, &value), 0);
	reader = avro_reader_memory((const char *)bytes->bytes + HEAD,
		(int64_t)(bytes->len - HEAD));
	if (avro_value_read(reader, &value) != 0)
		fail_msg("%s: %s", name, avro_strerror());
	assert_int_equal(avro_value_sizeof(&value, &len), 0);
	assert_int_equal(len, bytes->len - HEAD);
	assert_int_equal(avro_value_to_json(&value, 1, &found), 0);
	found_json = json_loads(found, 0, &error);
	want_json = json_loads(want, 0, &error);
	if (want_json == NULL)
		fail_msg("the test's JSON: %s", error.text);
	if (!json_equal(found_json, want_json))
		fail_msg("found %s", found);
	json_decref(found_json);
	json_decref(want_json);
	free(found);
	avro_reader_free(reader);
	avro_value_decref(&value);
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
	free(text);
}

static struct change
least_change(void)
{
	return (struct change){
		.change_id = "00000000000000000000000000000001",
		.account = "a",
		.account_version = 1,
		.segmentation = "s",
		.valid_until_ms = AT_NEVER,
		.priority = NAN,
	};
}

static void
a_change_with_everything(void **state)
{
	static const struct change_value values[] = {
		{"x", "1"}, {"y", ""}, {"z", NULL}};
	static const struct change_reason reasons[] = {
		{"s.a", "x > 0", true, values, 3},
		{"s.b", "", false, NULL, 0},
	};
	struct change change = least_change();
	struct sg_fault why;
	struct buf out;

	(void)state;
	change.account_version = INT64_MAX;
	change.from = "";
	change.to = "b";
	change.action = ACTION_delete;
	change.origin = ORIGIN_correction;
	change.event_time_ms = INT64_MIN;
	change.evaluated_at_ms = 0;
	change.valid_until_ms = INT64_MAX - 1;
	change.rules_version = UINT64_MAX;
	change.trigger.topic = "t";
	change.trigger.partition = INT32_MAX;
	change.trigger.offset = INT64_MAX;
	change.trigger.event_id = "e";
	change.reasons = reasons;
	change.nreasons = 2;
	change.renewal.is_set = true;
	change.renewal.date_ms = -1;
	change.renewal.days_left = -400;
	change.renewal.window = "overdue";
	change.priority = 0.1;
	buf_init(&out, 1 << 16);
	assert_int_equal(publish_change_avro(&change, &out, &why), SG_OK);
	assert_reads_as(&out, "change",
		"{\"change_id\": \"00000000000000000000000000000001\","
		"\"account_id\": \"a\","
		"\"account_version\": 9223372036854775807,"
		"\"segmentation\": \"s\", \"from\": {\"string\": \"\"},"
		"\"to\": {\"string\": \"b\"}, \"action\": \"delete\","
		"\"origin\": \"correction\","
		"\"event_time\": -9223372036854775808, \"evaluated_at\": 0,"
		"\"valid_until\": {\"long\": 9223372036854775806},"
		"\"rules_version\": \"ffffffffffffffff\","
		"\"trigger\": {\"Trigger\": {\"topic\": \"t\","
		"\"partition\": 2147483647,"
		"\"offset\": 9223372036854775807,"
		"\"event_id\": {\"string\": \"e\"}}},"
		"\"reasons\": [{\"rule\": \"s.a\", \"clause\": \"x > 0\","
		"\"result\": true,"
		"\"values\": {\"x\": \"1\", \"y\": \"\", \"z\": \"\"}},"
		"{\"rule\": \"s.b\", \"clause\": \"\", \"result\": false,"
		"\"values\": {}}],"
		"\"renewal\": {\"Renewal\": {\"date\": -1,"
		"\"days_left\": -400, \"window\": {\"string\": \"overdue\"}}},"
		"\"priority\": {\"double\": 0.1}}");
	buf_fini(&out);
}

static void
a_change_with_nothing(void **state)
{
	struct change change = least_change();
	struct sg_fault why;
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	assert_int_equal(publish_change_avro(&change, &out, &why), SG_OK);
	assert_reads_as(&out, "change",
		"{\"change_id\": \"00000000000000000000000000000001\","
		"\"account_id\": \"a\", \"account_version\": 1,"
		"\"segmentation\": \"s\", \"from\": null, \"to\": null,"
		"\"action\": \"enter\", \"origin\": \"live\","
		"\"event_time\": 0, \"evaluated_at\": 0,"
		"\"valid_until\": null,"
		"\"rules_version\": \"0000000000000000\","
		"\"trigger\": null, \"reasons\": [], \"renewal\": null,"
		"\"priority\": null}");
	buf_fini(&out);
}

static json_t *
field_of_change(const struct change *change, const char *field)
{
	avro_schema_t schema;
	avro_value_iface_t *iface;
	avro_value_t value;
	avro_reader_t reader;
	struct sg_fault why;
	struct buf out;
	json_t *json;
	json_t *found;
	char *text;
	size_t len;

	buf_init(&out, 1 << 16);
	assert_int_equal(publish_change_avro(change, &out, &why), SG_OK);
	text = read_schema("change", &len);
	assert_int_equal(avro_schema_from_json_length(text, len, &schema), 0);
	free(text);
	iface = avro_generic_class_from_schema(schema);
	assert_int_equal(avro_generic_value_new(iface, &value), 0);
	reader = avro_reader_memory(
		(const char *)out.bytes + HEAD, (int64_t)(out.len - HEAD));
	assert_int_equal(avro_value_read(reader, &value), 0);
	assert_int_equal(avro_value_to_json(&value, 1, &text), 0);
	json = json_loads(text, 0, NULL);
	found = json_incref(json_object_get(json, field));
	json_decref(json);
	free(text);
	avro_reader_free(reader);
	avro_value_decref(&value);
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
	buf_fini(&out);
	return found;
}

static void
every_action_and_origin_has_its_symbol(void **state)
{
	(void)state;
	for (int i = 0; i < ACTION_COUNT; i++) {
		struct change change = least_change();
		json_t *found;

		change.action = (enum change_action)i;
		found = field_of_change(&change, "action");
		assert_string_equal(json_string_value(found),
			change_action_name(change.action));
		json_decref(found);
	}
	for (int i = 0; i < ORIGIN_COUNT; i++) {
		struct change change = least_change();
		json_t *found;

		change.origin = (enum change_origin)i;
		found = field_of_change(&change, "origin");
		assert_string_equal(json_string_value(found),
			change_origin_name(change.origin));
		json_decref(found);
	}
}

static void
text_is_utf8_whatever_came_in(void **state)
{
	static const struct {
		const char *name;
		const char *in;
		const char *want;
	} rows[] = {
		{"nothing", "", ""},
		{"two bytes", "\xc3\xa4", "\xc3\xa4"},
		{"four bytes", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"a byte that is none", "a\xff", "a\xef\xbf\xbd"},
		{"cut short", "a\xc3", "a\xef\xbf\xbd"},
		{"a surrogate", "\xed\xa0\x80",
			"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"goes on after it", "\xffz", "\xef\xbf\xbdz"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct change change = least_change();
		json_t *found;

		change.segmentation = rows[i].in;
		found = field_of_change(&change, "segmentation");
		if (strcmp(json_string_value(found), rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name,
				json_string_value(found));
		json_decref(found);
	}
}

static void
a_membership(void **state)
{
	static const struct membership_entry entries[] = {
		{"touch", "high", 1},
		{"renewal", "T-90", INT64_MAX},
	};
	struct membership_image image = {
		.account = "a",
		.account_version = 3,
		.updated_at_ms = 7,
		.rules_version = 0x0123456789abcdef,
		.entries = entries,
		.nentries = 2,
		.has_renewal = true,
		.renewal_date_ms = 9,
		.renewal_window = "T-90",
		.state = "\x01\x02",
		.state_len = 2,
	};
	struct sg_fault why;
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	assert_int_equal(publish_image_avro(&image, &out, &why), SG_OK);
	assert_reads_as(&out, "current",
		"{\"account_id\": \"a\", \"account_version\": 3,"
		"\"updated_at\": 7, \"rules_version\": \"0123456789abcdef\","
		"\"segments\": [{\"segmentation\": \"touch\","
		"\"segment\": \"high\", \"since\": 1},"
		"{\"segmentation\": \"renewal\", \"segment\": \"T-90\","
		"\"since\": 9223372036854775807}],"
		"\"renewal\": {\"CurrentRenewal\": {\"date\": 9,"
		"\"window\": {\"string\": \"T-90\"}}},"
		"\"state\": \"\\u0001\\u0002\"}");
	buf_reset(&out);
	image.nentries = 0;
	image.has_renewal = false;
	image.state_len = 0;
	assert_int_equal(publish_image_avro(&image, &out, &why), SG_OK);
	assert_reads_as(&out, "current",
		"{\"account_id\": \"a\", \"account_version\": 3,"
		"\"updated_at\": 7, \"rules_version\": \"0123456789abcdef\","
		"\"segments\": [], \"renewal\": null, \"state\": \"\"}");
	buf_fini(&out);
}

/* What stands in front of a value is what the file says today. */
static void
fingerprints_are_those_of_the_files(void **state)
{
	struct decode_schemas *schemas = NULL;
	struct change change = least_change();
	struct membership_image image = {.account = "a"};
	struct sg_fault why;

	(void)state;
	assert_int_equal(decode_schemas_create(&schemas), SG_OK);
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "change" : "current";
		uint8_t want[8];
		struct buf out;
		size_t len;
		int32_t number;
		char *text = read_schema(name, &len);

		if (decode_schemas_add(schemas, name, text, len, -1, &number,
			    &why) != SG_OK)
			fail_msg("%s", why.text);
		for (int j = 0; j < 8; j++)
			want[j] = (uint8_t)(decode_schemas_fingerprint(
						    schemas, number) >>
					    (8 * j));
		buf_init(&out, 1 << 16);
		assert_int_equal(
			i == 0 ? publish_change_avro(&change, &out, &why)
			       : publish_image_avro(&image, &out, &why),
			SG_OK);
		assert_memory_equal(out.bytes + 2, want, 8);
		buf_fini(&out);
		free(text);
	}
	decode_schemas_destroy(schemas);
}

static void
a_value_above_the_maximum_is_refused(void **state)
{
	struct change change = least_change();
	struct sg_fault why;
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	assert_int_equal(publish_change_avro(&change, &out, &why), SG_LIMIT);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_with_everything),
		cmocka_unit_test(a_change_with_nothing),
		cmocka_unit_test(every_action_and_origin_has_its_symbol),
		cmocka_unit_test(text_is_utf8_whatever_came_in),
		cmocka_unit_test(a_membership),
		cmocka_unit_test(fingerprints_are_those_of_the_files),
		cmocka_unit_test(a_value_above_the_maximum_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
