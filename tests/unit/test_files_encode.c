/*
 * test_files_encode.c - JSON becomes Avro as the header says: what is written
 * is read back by decode.
 */
#include "decode_support.h"

#include <stdio.h>

#include "segmentd/files.h"

#define LOGICAL(type, logical)                                                 \
	"{\"type\":\"" type "\",\"logicalType\":\"" logical "\"}"
#define DECIMAL(type, rest)                                                    \
	"{\"type\":\"" type "\",\"logicalType\":\"decimal\"," rest "}"
#define ENUM "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}"
#define ENUM_DEFAULT                                                           \
	"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"],"         \
	"\"default\":\"B\"}"
#define POINT                                                                  \
	"{\"type\":\"record\",\"name\":\"P\",\"fields\":["                     \
	"{\"name\":\"x\",\"type\":\"int\",\"aliases\":[\"left\"]},"            \
	"{\"name\":\"y\",\"type\":[\"null\",\"int\"]},"                        \
	"{\"name\":\"z\",\"type\":\"int\",\"default\":9}]}"

static const struct {
	const char *type;
	const char *json; /* of the field */
	enum sg_err err;
	const char *want; /* what is read back, as JSON; part of the reason */
} rows[] = {
	{"\"null\"", "null", SG_OK, "null"},
	{"\"null\"", "0", SG_BAD_RECORD, "a number does not fit here"},
	{"\"boolean\"", "true", SG_OK, "true"},
	{"\"boolean\"", "\"False\"", SG_OK, "false"},
	{"\"boolean\"", "1", SG_OK, "true"},
	{"\"boolean\"", "2", SG_BAD_RECORD, "not a boolean"},
	{"\"int\"", "2147483647", SG_OK, "2147483647"},
	{"\"int\"", "2147483648", SG_BAD_RECORD, "does not fit an int"},
	{"\"int\"", "1.0", SG_OK, "1"},
	{"\"int\"", "1.5", SG_BAD_RECORD, "not a whole number"},
	{"\"int\"", "\"1\"", SG_BAD_RECORD, "not text"},
	{"\"long\"", "-9223372036854775808", SG_OK, "-9223372036854775808"},
	{"\"long\"", "9223372036854775808", SG_BAD_RECORD, "not valid JSON"},
	{"\"long\"", "1e3", SG_OK, "1000"},
	{"\"double\"", "1.5", SG_OK, "1.5"},
	{"\"double\"", "3", SG_OK, "3"},
	{"\"double\"", "\"NaN\"", SG_OK, "\"NaN\""},
	{"\"double\"", "\"-Infinity\"", SG_OK, "\"-Infinity\""},
	{"\"double\"", "\"x\"", SG_BAD_RECORD, "not a number"},
	{"\"float\"", "0.1", SG_OK, "0.10000000149011612"},
	{"\"float\"", "1e300", SG_BAD_RECORD, "does not fit a float"},
	{"\"string\"", "\"a\\u00fc\"", SG_OK, "\"a\xc3\xbc\""},
	{"\"string\"", "42", SG_OK, "\"42\""},
	{"\"string\"", "4.2", SG_BAD_RECORD, "does not fit"},
	{"\"string\"", "null", SG_BAD_RECORD, "it is null"},
	{"\"bytes\"", "\"\\u00ff\\u0000a\"", SG_OK, "\"/wBh\""},
	{"\"bytes\"", "\"\\u0100\"", SG_BAD_RECORD, "above U+00FF"},
	{"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"\\u0080a\"",
		SG_OK, "\"gGE=\""},
	{"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"abc\"",
		SG_BAD_RECORD, "not as many bytes"},
	{ENUM, "\"B\"", SG_OK, "\"B\""},
	{ENUM, "\"C\"", SG_BAD_RECORD, "not a symbol"},
	{ENUM_DEFAULT, "\"C\"", SG_OK, "\"B\""},
	{DECIMAL("bytes", "\"precision\":6,\"scale\":2"), "\"-1234.50\"", SG_OK,
		"-1234.5"},
	{DECIMAL("bytes", "\"precision\":6,\"scale\":2"), "1234.56", SG_OK,
		"1234.56"},
	{DECIMAL("bytes", "\"precision\":6,\"scale\":2"), "7", SG_OK, "7"},
	{DECIMAL("bytes", "\"precision\":6,\"scale\":2"), "0", SG_OK, "0"},
	{DECIMAL("bytes", "\"precision\":6,\"scale\":2"), "\"1.005\"",
		SG_BAD_RECORD, "more decimals than the scale"},
	{DECIMAL("bytes", "\"precision\":6,\"scale\":2"), "\"12345.67\"",
		SG_BAD_RECORD, "more digits than the precision"},
	{DECIMAL("bytes", "\"precision\":6,\"scale\":2"), "\"12,50\"",
		SG_BAD_RECORD, "not a number"},
	{DECIMAL("fixed", "\"name\":\"D\",\"size\":3,\"precision\":6"), "-1",
		SG_OK, "-1"},
	{DECIMAL("fixed", "\"name\":\"D\",\"size\":1,\"precision\":6"), "-128",
		SG_OK, "-128"},
	{DECIMAL("fixed", "\"name\":\"D\",\"size\":1,\"precision\":6"), "128",
		SG_BAD_RECORD, "does not fit its fixed size"},
	{LOGICAL("int", "date"), "\"2024-02-29\"", SG_OK,
		"\"2024-02-29T00:00:00Z\""},
	{LOGICAL("int", "date"), "\"1969-12-31T23:59:59Z\"", SG_OK,
		"\"1969-12-31T00:00:00Z\""},
	{LOGICAL("int", "date"), "1", SG_OK, "\"1970-01-02T00:00:00Z\""},
	{LOGICAL("int", "date"), "\"2024-02-30\"", SG_BAD_RECORD, "not a time"},
	{LOGICAL("long", "timestamp-millis"),
		"\"2024-02-29T01:02:03.456+01:00\"", SG_OK,
		"\"2024-02-29T00:02:03.456Z\""},
	{LOGICAL("long", "timestamp-millis"), "\"1969-12-31T23:59:59.999Z\"",
		SG_OK, "\"1969-12-31T23:59:59.999Z\""},
	{LOGICAL("long", "timestamp-millis"), "1500", SG_OK,
		"\"1970-01-01T00:00:01.500Z\""},
	{LOGICAL("long", "timestamp-micros"), "\"2024-02-29 01:02:03\"", SG_OK,
		"\"2024-02-29T01:02:03Z\""},
	{LOGICAL("long", "timestamp-nanos"),
		"\"1970-01-01T00:00:00.000000001Z\"", SG_OK,
		"\"1970-01-01T00:00:00.000000001Z\""},
	{LOGICAL("long", "timestamp-nanos"), "\"2300-01-01\"", SG_BAD_RECORD,
		"out of range"},
	{LOGICAL("int", "time-millis"), "\"00:01\"", SG_OK, "\"60s\""},
	{LOGICAL("long", "time-micros"), "\"01:00:00.5\"", SG_OK,
		"\"3600.5s\""},
	{LOGICAL("int", "time-millis"), "\"24:00\"", SG_BAD_RECORD,
		"not a time of day"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "[]", SG_OK, "[]"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "[1,2]", SG_OK, "[1,2]"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "{}", SG_BAD_RECORD,
		"a list was expected"},
	{"{\"type\":\"map\",\"values\":\"int\"}", "{}", SG_OK, "{}"},
	{"{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":1,\"b\":2}", SG_OK,
		"{\"a\":1,\"b\":2}"},
	{"{\"type\":\"map\",\"values\":\"int\"}", "[]", SG_BAD_RECORD,
		"an object was expected"},
	{POINT, "{\"x\":1,\"y\":2,\"z\":3}", SG_OK, "[1,2,3]"},
	{POINT, "{\"left\":1,\"more\":[]}", SG_OK, "[1,null,9]"},
	{POINT, "{\"x\":1,\"z\":null}", SG_OK, "[1,null,9]"},
	{POINT, "{\"y\":1}", SG_BAD_RECORD, "field 'x': it is missing"},
	{POINT, "{\"x\":1,\"y\":\"a\"}", SG_BAD_RECORD, "field 'y'"},
	{"[\"null\",\"int\"]", "null", SG_OK, "null"},
	{"[\"int\",\"null\"]", "7", SG_OK, "7"},
	{"[\"null\",\"int\"]", "\"7\"", SG_BAD_RECORD, "not text"},
	{"[\"int\",\"string\"]", "null", SG_BAD_RECORD, "no branch"},
	/* An integer is a long before it is a double or a text. */
	{"[\"string\",\"double\",\"long\"]", "7", SG_OK, "7"},
	{"[\"string\",\"long\",\"double\"]", "7.5", SG_OK, "7.5"},
	{"[\"double\",\"string\"]", "7", SG_OK, "7"},
	{"[\"long\",\"string\"]", "\"7\"", SG_OK, "\"7\""},
	{"[\"string\",\"long\"]", "{\"long\":7}", SG_OK, "7"},
	{"[\"null\"," POINT "]", "{\"P\":{\"x\":1}}", SG_OK, "[1,null,9]"},
	{"[\"null\"," POINT "]", "{\"x\":1}", SG_OK, "[1,null,9]"},
	{"[" ENUM ",\"string\"]", "\"A\"", SG_OK, "\"A\""},
	{"[" ENUM ",\"string\"]", "\"Z\"", SG_OK, "\"Z\""},
	{"[" LOGICAL("long", "timestamp-millis") ",\"string\"]",
		"\"1970-01-01\"", SG_OK, "\"1970-01-01T00:00:00Z\""},
};

static void
json_is_read_back_as_what_it_says(void **state)
{
	char json[512];

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct fixture fx;
		enum sg_err err;
		uint32_t f;

		(void)snprintf(json, sizeof(json),
			"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
			"{\"name\":\"f\",\"type\":%s}]}",
			rows[i].type);
		fixture_init(&fx, json, DECODE_BARE);
		f = fixture_bind(&fx, "f");
		(void)snprintf(json, sizeof(json), "{\"f\":%s}", rows[i].json);
		fx.why.text[0] = '\0';
		err = file_encode_json(
			fx.schemas, 0, json, strlen(json), &fx.bytes, &fx.why);
		if (err != rows[i].err)
			fail_msg("row %zu, %s: %s", i, rows[i].json,
				fx.why.text);
		if (err != SG_OK) {
			assert_int_equal(fx.bytes.len, 0);
			if (strstr(fx.why.text, rows[i].want) == NULL)
				fail_msg("row %zu: %s", i, fx.why.text);
			fixture_fini(&fx);
			continue;
		}
		if (fixture_decode(&fx, -1, fx.bytes.bytes, fx.bytes.len) !=
			SG_OK)
			fail_msg("row %zu: %s", i, fx.why.text);
		if (strcmp(value_text(&fx, fx.slots[f]), rows[i].want) != 0)
			fail_msg("row %zu: %s", i, buf_cstr(&fx.text));
		fixture_fini(&fx);
	}
}

static void
decimal_of_many_digits_is_exact(void **state)
{
	static const char schema[] =
		"{\"type\":\"bytes\",\"logicalType\":\"decimal\","
		"\"precision\":40,\"scale\":2}";
	static const uint8_t want[] = {0x22, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff};
	static const char json[] =
		"\"3402823669209384634633746074317682114.55\"";
	struct fixture fx;
	int32_t number;

	(void)state;
	fixture_init(&fx, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}",
		DECODE_BARE);
	number = fixture_schema(&fx, schema, -1);
	assert_int_equal(file_encode_json(fx.schemas, number, json,
				 sizeof(json) - 1, &fx.bytes, &fx.why),
		SG_OK);
	assert_int_equal(fx.bytes.len, sizeof(want));
	assert_memory_equal(fx.bytes.bytes, want, sizeof(want));
	fixture_fini(&fx);
}

/* Each level offers two branches that fail at the bottom only. */
static void
work_for_one_row_is_bounded(void **state)
{
	static const char schema[] =
		"[{\"type\":\"record\",\"name\":\"A\",\"fields\":["
		"{\"name\":\"n\",\"type\":[\"A\",{\"type\":\"record\","
		"\"name\":\"B\",\"fields\":[{\"name\":\"n\",\"type\":"
		"[\"A\",\"B\",\"int\"]}]},\"int\"]}]},\"B\"]";
	struct fixture fx;
	int32_t number;
	enum sg_err err;

	(void)state;
	fixture_init(&fx, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}",
		DECODE_BARE);
	number = fixture_schema(&fx, schema, -1);
	for (int i = 0; i < 50; i++)
		buf_put_str(&fx.text, "{\"n\":");
	buf_put_str(&fx.text, "\"x\"");
	for (int i = 0; i < 50; i++)
		buf_put_u8(&fx.text, '}');
	err = file_encode_json(fx.schemas, number, buf_cstr(&fx.text),
		fx.text.len, &fx.bytes, &fx.why);
	assert_int_equal(err, SG_TOO_LARGE);
	fixture_fini(&fx);
}

static void
broken_json_is_refused(void **state)
{
	static const char *const texts[] = {"", "{", "{}x", "{\"f\":1,\"f\":2}",
		"{\"f\":\"\xff\"}", "[", "nul"};
	struct fixture fx;

	(void)state;
	fixture_init(&fx,
		"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":"
		"\"f\",\"type\":[\"null\",\"string\"]}]}",
		DECODE_BARE);
	for (size_t i = 0; i < SG_COUNTOF(texts); i++)
		if (file_encode_json(fx.schemas, 0, texts[i], strlen(texts[i]),
			    &fx.bytes, &fx.why) != SG_BAD_RECORD)
			fail_msg("'%s' was accepted", texts[i]);
	fixture_fini(&fx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_read_back_as_what_it_says),
		cmocka_unit_test(decimal_of_many_digits_is_exact),
		cmocka_unit_test(work_for_one_row_is_bounded),
		cmocka_unit_test(broken_json_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
