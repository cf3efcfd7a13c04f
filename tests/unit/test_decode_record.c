/*
 * test_decode_record.c - every Avro type becomes its value; frames are told
 * apart; what is hostile is refused with its reason.
 */
#include "decode_support.h"

#include <math.h>
#include <stdio.h>

#define RECORD(fields)                                                         \
	"{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define LOGICAL(type, logical)                                                 \
	"{\"type\":\"" type "\",\"logicalType\":\"" logical "\"}"

/* One field `f` before an `end` that must be met: a length that was misread
 * shows there. */
static const struct {
	const char *type;
	const char *bytes;
	size_t len;
	const char *want; /* JSON */
	enum value_kind kind;
} type_rows[] = {
	{"\"null\"", "", 0, "null", VALUE_NULL},
	{"\"boolean\"", "\x00", 1, "false", VALUE_BOOL},
	{"\"boolean\"", "\x01", 1, "true", VALUE_BOOL},
	{"\"int\"", "\x01", 1, "-1", VALUE_INT},
	{"\"int\"", "\xfe\xff\xff\xff\x0f", 5, "2147483647", VALUE_INT},
	{"\"int\"", "\xff\xff\xff\xff\x0f", 5, "-2147483648", VALUE_INT},
	{"\"long\"", "\x80\x01", 2, "64", VALUE_INT},
	{"\"long\"", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10,
		"9223372036854775807", VALUE_INT},
	{"\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10,
		"-9223372036854775808", VALUE_INT},
	{"\"float\"", "\x00\x00\xc0\x3f", 4, "1.5", VALUE_DOUBLE},
	{"\"double\"", "\x00\x00\x00\x00\x00\x00\xf8\xbf", 8, "-1.5",
		VALUE_DOUBLE},
	{"\"string\"", "\x00", 1, "\"\"", VALUE_STRING},
	{"\"string\"", "\x06\x61\xc3\xbc", 4, "\"a\xc3\xbc\"", VALUE_STRING},
	{LOGICAL("string", "uuid"), "\x04\x61\x62", 3, "\"ab\"", VALUE_STRING},
	{"\"bytes\"", "\x04\xff\x00", 3, "\"/wA=\"", VALUE_BYTES},
	{"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\xff\x00", 2,
		"\"/wA=\"", VALUE_BYTES},
	{"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\","
	 "\"B\"]}",
		"\x02", 1, "\"B\"", VALUE_STRING},
	{"{\"type\":\"bytes\",\"logicalType\":\"decimal\","
	 "\"precision\":9,\"scale\":2}",
		"\x04\xff\x85", 3, "-1.23", VALUE_DOUBLE},
	{"{\"type\":\"fixed\",\"size\":3,\"name\":\"D\","
	 "\"logicalType\":\"decimal\",\"precision\":6,\"scale\":0}",
		"\x00\x01\x00", 3, "256", VALUE_DOUBLE},
	{LOGICAL("int", "date"), "\x01", 1, "\"1969-12-31T00:00:00Z\"",
		VALUE_TIMESTAMP},
	{LOGICAL("long", "timestamp-millis"), "\x01", 1,
		"\"1969-12-31T23:59:59.999Z\"", VALUE_TIMESTAMP},
	{LOGICAL("long", "timestamp-micros"), "\x02", 1,
		"\"1970-01-01T00:00:00.000001Z\"", VALUE_TIMESTAMP},
	{LOGICAL("long", "timestamp-nanos"), "\x01", 1,
		"\"1969-12-31T23:59:59.999999999Z\"", VALUE_TIMESTAMP},
	{LOGICAL("long", "local-timestamp-millis"), "\xd0\x0f", 2,
		"\"1970-01-01T00:00:01Z\"", VALUE_TIMESTAMP},
	{LOGICAL("int", "time-millis"), "\xd0\x0f", 2, "\"1s\"",
		VALUE_DURATION},
	{LOGICAL("long", "time-micros"), "\x02", 1, "\"0.000001s\"",
		VALUE_DURATION},
	{LOGICAL("int", "no-such-type"), "\x02", 1, "1", VALUE_INT},
	{LOGICAL("string", "date"), "\x02\x61", 2, "\"a\"", VALUE_STRING},
	{"{\"type\":\"array\",\"items\":\"int\"}",
		"\x04\x02\x04\x01\x02\x06\x00", 7, "[1,2,3]", VALUE_LIST},
	{"{\"type\":\"array\",\"items\":\"null\"}", "\x06\x00", 2,
		"[null,null,null]", VALUE_LIST},
	{"{\"type\":\"map\",\"values\":\"int\"}",
		"\x04\x02\x61\x02\x02\x62\x04\x00", 8, "{\"a\":1,\"b\":2}",
		VALUE_MAP},
	{"{\"type\":\"map\",\"values\":\"int\"}",
		"\x06\x02\x61\x02\x02\x62\x04\x02\x61\x06\x00", 11,
		"{\"a\":3,\"b\":2}", VALUE_MAP},
	{"[\"null\",\"int\"]", "\x02\x04", 2, "2", VALUE_INT},
	{"[\"null\",\"int\"]", "\x00", 1, "null", VALUE_NULL},
	{"[\"int\",\"string\"]", "\x02\x02\x61", 3, "\"a\"", VALUE_STRING},
	{"[\"int\",{\"type\":\"record\",\"name\":\"S\",\"fields\":["
	 "{\"name\":\"x\",\"type\":\"int\"}]}]",
		"\x02\x04", 2, "{\"x\":2}", VALUE_MAP},
	{"{\"type\":\"record\",\"name\":\"S\",\"fields\":["
	 "{\"name\":\"x\",\"type\":\"int\"},"
	 "{\"name\":\"y\",\"type\":\"null\"}]}",
		"\x04", 1, "[2,null]", VALUE_RECORD},
};

static void
each_type_becomes_its_value(void **state)
{
	char json[512];

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(type_rows); i++) {
		struct fixture fx;
		uint32_t f, end;

		(void)snprintf(json, sizeof(json),
			RECORD(FIELD("f", "%s") "," FIELD("end", "\"int\"")),
			type_rows[i].type);
		fixture_init(&fx, json, DECODE_BARE);
		f = fixture_bind(&fx, "f");
		end = fixture_bind(&fx, "end");
		buf_put(&fx.bytes, type_rows[i].bytes, type_rows[i].len);
		buf_put_zigzag(&fx.bytes, 77);
		if (fixture_decode(&fx, -1, fx.bytes.bytes, fx.bytes.len) !=
			SG_OK)
			fail_msg("row %zu: %s", i, fx.why.text);
		if (strcmp(value_text(&fx, fx.slots[f]), type_rows[i].want) !=
			0)
			fail_msg("row %zu: %s", i, buf_cstr(&fx.text));
		if (fx.slots[f].kind != type_rows[i].kind)
			fail_msg("row %zu: kind %d", i, fx.slots[f].kind);
		assert_int_equal(fx.slots[end].as.i, 77);
		fixture_fini(&fx);

		/* And skipped, it takes the same bytes. */
		fixture_init(&fx, json, DECODE_BARE);
		end = fixture_bind(&fx, "end");
		buf_put(&fx.bytes, type_rows[i].bytes, type_rows[i].len);
		buf_put_zigzag(&fx.bytes, 77);
		if (fixture_decode(&fx, -1, fx.bytes.bytes, fx.bytes.len) !=
			SG_OK)
			fail_msg("row %zu, skipped: %s", i, fx.why.text);
		assert_int_equal(fx.slots[end].as.i, 77);
		fixture_fini(&fx);
	}
}

static const char array[] = "{\"type\":\"array\",\"items\":\"int\"}";
static const char map[] = "{\"type\":\"map\",\"values\":\"int\"}";
static const char nulls[] = "{\"type\":\"array\",\"items\":\"null\"}";
static const struct {
	const char *type;
	const char *bytes;
	size_t len;
	enum sg_err want;
	const char *why;
	bool is_fine_unread; /* accepted where nobody asked for it */
} broken_rows[] = {
	{"\"int\"", "", 0, SG_BAD_RECORD, "ends early", false},
	{"\"int\"", "\x80", 1, SG_BAD_RECORD, "ends early", false},
	{"\"int\"", "\x80\x80\x80\x80\x10", 5, SG_BAD_RECORD,
		"longer than 32 bits", true},
	{"\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10,
		SG_BAD_RECORD, "longer than 64 bits", false},
	{"\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11,
		SG_BAD_RECORD, "longer than 64 bits", false},
	{"\"boolean\"", "\x02", 1, SG_BAD_RECORD, "neither 0 nor 1", true},
	{"\"double\"", "\0\0\0\0\0\0\0", 7, SG_BAD_RECORD, "ends early", false},
	{"\"float\"", "\0\0\0", 3, SG_BAD_RECORD, "ends early", false},
	{"\"string\"", "\x01", 1, SG_BAD_RECORD, "length is negative", false},
	{"\"string\"", "\x04\x61", 2, SG_BAD_RECORD, "beyond the end", false},
	{"\"string\"", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10,
		SG_BAD_RECORD, "beyond the end", false},
	{"\"bytes\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10,
		SG_BAD_RECORD, "length is negative", false},
	{"\"string\"", "\x04\xc0\x80", 3, SG_BAD_UTF8, "UTF-8", true},
	{"\"string\"", "\x06\xed\xa0\x80", 4, SG_BAD_UTF8, "UTF-8", true},
	{"{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "ab", 2,
		SG_BAD_RECORD, "ends early", false},
	{"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\x02", 1,
		SG_BAD_RECORD, "no such branch or symbol", false},
	{"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\x01", 1,
		SG_BAD_RECORD, "no such branch or symbol", false},
	{"[\"null\",\"int\"]", "\x04", 1, SG_BAD_RECORD, "no such branch",
		false},
	{"[\"null\",\"int\"]", "\x01", 1, SG_BAD_RECORD, "no such branch",
		false},
	{"{\"type\":\"bytes\",\"logicalType\":\"decimal\","
	 "\"precision\":4,\"scale\":2}",
		"\x00", 1, SG_BAD_RECORD, "no digits", true},
	{array, "\x02", 1, SG_BAD_RECORD, "beyond the end", false},
	{array, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, SG_BAD_RECORD,
		"count is beyond the end", false},
	{array, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, SG_BAD_RECORD,
		"count is out of range", false},
	{array, "\x01\x01", 2, SG_BAD_RECORD, "block's size", false},
	{array, "\x01\x7e\x00", 3, SG_BAD_RECORD, "block's size", false},
	{array, "\x03\x02\x00\x00", 4, SG_BAD_RECORD, "too small for its count",
		false},
	{array, "\x01\x04\x00\x00\x00", 5, SG_BAD_RECORD,
		"not as long as it says", true},
	{map, "\x02\x01\x00", 3, SG_BAD_RECORD, "length is negative", false},
	{map, "\x02\x02\xff\x02\x00", 5, SG_BAD_UTF8, "UTF-8", true},
	/* 10^12 nulls in 7 bytes. */
	{nulls, "\x80\xc0\xa8\xca\x9a\x3a\x00", 7, SG_TOO_LARGE,
		"more values than a record may", true},
};

static void
broken_bytes_are_refused_with_the_reason(void **state)
{
	char json[512];

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(broken_rows); i++) {
		for (int is_read = 0; is_read < 2; is_read++) {
			struct fixture fx;
			enum sg_err err, want = broken_rows[i].want;

			if (!is_read && broken_rows[i].is_fine_unread)
				want = SG_OK;
			(void)snprintf(json, sizeof(json),
				RECORD(FIELD("f", "%s")), broken_rows[i].type);
			fixture_init(&fx, json, DECODE_BARE);
			if (is_read)
				(void)fixture_bind(&fx, "f");
			err = fixture_decode(&fx, -1, broken_rows[i].bytes,
				broken_rows[i].len);
			if (err != want)
				fail_msg("row %zu, %d: %s, %s", i, is_read,
					sg_err_name(err), fx.why.text);
			if (is_read &&
				(strstr(fx.why.text, broken_rows[i].why) ==
						NULL ||
					strstr(fx.why.text, "'f'") == NULL))
				fail_msg("row %zu: %s", i, fx.why.text);
			fixture_fini(&fx);
		}
	}
}

static void
trailing_bytes_are_refused(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx, RECORD(FIELD("f", "\"int\"")), DECODE_BARE);
	(void)fixture_bind(&fx, "f");
	assert_int_equal(fixture_decode(&fx, -1, "\x02", 1), SG_OK);
	assert_int_equal(fixture_decode(&fx, -1, "\x02\x00", 2), SG_BAD_RECORD);
	assert_non_null(strstr(fx.why.text, "byte 1"));
	assert_non_null(strstr(fx.why.text, "left after"));
	fixture_fini(&fx);
}

static void
nothing_or_too_much_is_refused(void **state)
{
	struct record rec = {.kafka_ms = -1, .writer = -1};
	struct fixture fx;
	size_t len = DECODE_RECORD_MAX + 1;
	void *big = calloc(1, len);

	(void)state;
	assert_non_null(big);
	fixture_init(&fx, RECORD(FIELD("f", "\"bytes\"")), DECODE_BARE);
	assert_int_equal(
		decode_record(fx.reader, &rec, &fx.arena, &fx.slots, &fx.why),
		SG_NO_VALUE);
	rec.value = big;
	rec.value_len = len;
	assert_int_equal(
		decode_record(fx.reader, &rec, &fx.arena, &fx.slots, &fx.why),
		SG_TOO_LARGE);
	rec.value_len = 1;
	assert_int_equal(
		decode_record(fx.reader, &rec, &fx.arena, &fx.slots, &fx.why),
		SG_OK);
	free(big);
	fixture_fini(&fx);
}

/* A list in a list, in a list: nothing bounds it but the decoder. */
static void
nested_without_end_is_refused(void **state)
{
	static const char node[] =
		RECORD(FIELD("kids", "{\"type\":\"array\",\"items\":\"R\"}"));
	static const size_t depths[] = {10, 30, 33, 1000, 4000000};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(depths); i++) {
		for (int is_read = 0; is_read < 2; is_read++) {
			struct fixture fx;
			enum sg_err err;

			fixture_init(&fx, node, DECODE_BARE);
			if (is_read)
				(void)fixture_bind(&fx, "kids");
			for (size_t d = 0; d < depths[i]; d++)
				buf_put_u8(&fx.bytes, 2);
			for (size_t d = 0; d <= depths[i]; d++)
				buf_put_u8(&fx.bytes, 0);
			err = fixture_decode(
				&fx, -1, fx.bytes.bytes, fx.bytes.len);
			assert_int_equal(
				err, depths[i] <= 30 ? SG_OK : SG_TOO_LARGE);
			if (err != SG_OK)
				assert_non_null(strstr(
					fx.why.text, "nested too deeply"));
			fixture_fini(&fx);
		}
	}
}

/* 15 MB of one-byte elements would be 240 MB of values. */
static void
values_of_a_record_are_bounded(void **state)
{
	struct fixture fx;
	enum sg_err err;

	(void)state;
	fixture_init(&fx,
		RECORD(FIELD("f", "{\"type\":\"array\",\"items\":\"int\"}")),
		DECODE_BARE);
	(void)fixture_bind(&fx, "f[0]");
	buf_put_zigzag(&fx.bytes, 15 << 20);
	assert_non_null(buf_reserve(&fx.bytes, 15 << 20));
	memset(fx.bytes.bytes + fx.bytes.len, 2, 15 << 20);
	fx.bytes.len += 15 << 20;
	buf_put_u8(&fx.bytes, 0);
	err = fixture_decode(&fx, -1, fx.bytes.bytes, fx.bytes.len);
	assert_int_equal(err, SG_OK);
	assert_int_equal(fx.slots[0].as.i, 1);
	(void)fixture_bind(&fx, "f");
	err = fixture_decode(&fx, -1, fx.bytes.bytes, fx.bytes.len);
	assert_int_equal(err, SG_TOO_LARGE);
	fixture_fini(&fx);
}

/* --- frames --------------------------------------------------------------- */

/* The schema and message of Apache Avro's share/test/data/messageV1. */
static const char message_schema[] =
	"{\"type\":\"record\",\"namespace\":\"org.apache.avro\","
	"\"name\":\"TestMessage\",\"fields\":["
	"{\"name\":\"id\",\"type\":\"long\"},"
	"{\"name\":\"name\",\"type\":\"string\"},"
	"{\"name\":\"tags\",\"type\":{\"type\":\"array\","
	"\"items\":\"string\"}}]}";
#define BODY "\x54\x04\x61\x62\x02\x02\x74\x00" /* 42, "ab", ["t"] */
#define BODY_LEN 8

static void
frame_tells_the_writer(void **state)
{
	static const struct {
		const char *name;
		enum decode_framing framing;
		const char *bytes;
		size_t len;
		enum sg_err want;
	} rows[] = {
		{"confluent", DECODE_CONFLUENT, "\0\0\x12\xd6\x87" BODY,
			5 + BODY_LEN, SG_OK},
		{"confluent, seen", DECODE_AUTO, "\0\0\x12\xd6\x87" BODY,
			5 + BODY_LEN, SG_OK},
		{"single object", DECODE_SINGLE_OBJECT,
			"\xc3\x01\xa9\x2d\xe1\xf8\xa2\x42\xf5\x3d" BODY,
			10 + BODY_LEN, SG_OK},
		{"single object, seen", DECODE_AUTO,
			"\xc3\x01\xa9\x2d\xe1\xf8\xa2\x42\xf5\x3d" BODY,
			10 + BODY_LEN, SG_OK},
		{"bare", DECODE_BARE, BODY, BODY_LEN, SG_OK},
		{"unknown id", DECODE_AUTO, "\0\0\x12\xd6\x88" BODY,
			5 + BODY_LEN, SG_UNKNOWN_SCHEMA},
		{"id above 2^31", DECODE_AUTO, "\0\xff\xff\xff\xff" BODY,
			5 + BODY_LEN, SG_UNKNOWN_SCHEMA},
		{"unknown fingerprint", DECODE_AUTO,
			"\xc3\x01\xa9\x2d\xe1\xf8\xa2\x42\xf5\x3e" BODY,
			10 + BODY_LEN, SG_UNKNOWN_SCHEMA},
		{"nothing", DECODE_AUTO, "", 0, SG_BAD_FRAMING},
		{"half an id", DECODE_AUTO, "\0\0\x12\xd6", 4, SG_BAD_FRAMING},
		{"id and no record", DECODE_AUTO, "\0\0\x12\xd6\x87", 5,
			SG_BAD_RECORD},
		{"half a fingerprint", DECODE_AUTO,
			"\xc3\x01\xa9\x2d\xe1\xf8\xa2\x42\xf5", 9,
			SG_BAD_FRAMING},
		{"marker, version 2", DECODE_AUTO,
			"\xc3\x02\xa9\x2d\xe1\xf8\xa2\x42\xf5\x3d" BODY,
			10 + BODY_LEN, SG_BAD_FRAMING},
		{"bare bytes", DECODE_AUTO, BODY, BODY_LEN, SG_BAD_FRAMING},
		{"single object for confluent", DECODE_CONFLUENT,
			"\xc3\x01\xa9\x2d\xe1\xf8\xa2\x42\xf5\x3d" BODY,
			10 + BODY_LEN, SG_BAD_FRAMING},
		{"confluent for single object", DECODE_SINGLE_OBJECT,
			"\0\0\x12\xd6\x87" BODY, 5 + BODY_LEN, SG_BAD_FRAMING},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		/* Twice: the second time the plan is there. */
		for (int pass = 0; pass < 2; pass++) {
			struct fixture fx;
			enum sg_err err;

			fixture_init(&fx, message_schema, rows[i].framing);
			(void)fixture_schema(&fx, message_schema, 1234567);
			(void)fixture_bind(&fx, "tags[0]");
			for (int j = 0; j <= pass; j++)
				err = fixture_decode(
					&fx, -1, rows[i].bytes, rows[i].len);
			if (err != rows[i].want)
				fail_msg("%s: %s, %s", rows[i].name,
					sg_err_name(err), fx.why.text);
			if (err == SG_OK)
				assert_string_equal(
					value_text(&fx, fx.slots[0]), "\"t\"");
			fixture_fini(&fx);
		}
	}
}

static void
writer_beside_the_bytes_goes_before_the_frame(void **state)
{
	struct fixture fx;
	int32_t writer;

	(void)state;
	fixture_init(&fx, RECORD(FIELD("f", "\"long\"")), DECODE_CONFLUENT);
	writer = fixture_schema(&fx, RECORD(FIELD("f", "\"int\"")), -1);
	(void)fixture_bind(&fx, "f");
	assert_int_equal(fixture_decode(&fx, writer, "\x54", 1), SG_OK);
	assert_int_equal(fx.slots[0].as.i, 42);
	assert_int_equal(
		fixture_decode(&fx, 1000, "\x54", 1), SG_UNKNOWN_SCHEMA);
	fixture_fini(&fx);
}

static void
id_may_stand_in_a_header(void **state)
{
	static const struct {
		const char *value;
		size_t len;
		enum decode_framing framing;
		enum sg_err want;
	} rows[] = {
		{"\0\0\0\0\1", 5, DECODE_AUTO, SG_OK},
		{"\0\0\0\0\1", 5, DECODE_CONFLUENT, SG_OK},
		{"\0\0\0\0\1", 5, DECODE_SINGLE_OBJECT, SG_BAD_FRAMING},
		{"\0\0\0\0\2", 5, DECODE_AUTO, SG_UNKNOWN_SCHEMA},
		{"\0\0\0\1", 4, DECODE_AUTO, SG_BAD_FRAMING},
		{"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17, DECODE_AUTO,
			SG_UNKNOWN_SCHEMA},
		{"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, DECODE_AUTO,
			SG_BAD_FRAMING},
		{"\0\0\0\0\1\0", 6, DECODE_AUTO, SG_BAD_FRAMING},
		{NULL, 0, DECODE_AUTO, SG_BAD_FRAMING},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct record_header headers[] = {
			{"__value_schema_id", "\0\0\0\0\7", 5},
			{"__value_schema_id", rows[i].value, rows[i].len},
			{"other", "x", 1}};
		struct record rec = {.value = BODY,
			.value_len = BODY_LEN,
			.headers = headers,
			.nheaders = 3,
			.writer = -1};
		struct fixture fx;

		fixture_init(&fx, message_schema, rows[i].framing);
		(void)fixture_schema(&fx, message_schema, 1);
		(void)fixture_bind(&fx, "id");
		if (decode_record(fx.reader, &rec, &fx.arena, &fx.slots,
			    &fx.why) != rows[i].want)
			fail_msg("row %zu: %s", i, fx.why.text);
		if (rows[i].want == SG_OK)
			assert_int_equal(fx.slots[0].as.i, 42);
		fixture_fini(&fx);
	}
}

/* --- decimals ------------------------------------------------------------- */

static void
decimal_is_the_nearest_double(void **state)
{
	static const struct {
		const char *hex; /* big-endian */
		int scale;
		double want;
	} rows[] = {
		{"00", 0, 0.0},
		{"80", 0, -128.0},
		{"7f", 1, 12.7},
		{"00ff", 2, 2.55},
		{"ff00", 3, -0.256},
		{"0020000000000001", 0, 9007199254740993.0},
		{"002386f26fc10001", 16, 1.0000000000000001},
		{"7fffffffffffffff", 3, 9223372036854775.807},
		{"8000000000000000", 3, -9223372036854775.808},
		{"04ee2d6d415b85acef8100000000", 32, 1.0},
		{"00ffffffffffffffffffffffffffffffff", 0,
			340282366920938463463374607431768211455.0},
		{"01", 308, 1e-308},
		{"01", 323, 1e-323}, /* subnormal */
		{"01", 324, 0.0},
		{"03", 324, 5e-324}, /* the least double */
		{"01", 400, 0.0},
		{"ff", 400, -0.0},
	};
	char json[256];

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct fixture fx;
		size_t len = strlen(rows[i].hex) / 2;

		(void)snprintf(json, sizeof(json),
			RECORD(FIELD("f",
				"{\"type\":\"bytes\",\"logicalType\":"
				"\"decimal\",\"precision\":500,\"scale\":%d}")),
			rows[i].scale);
		fixture_init(&fx, json, DECODE_BARE);
		(void)fixture_bind(&fx, "f");
		buf_put_zigzag(&fx.bytes, (int64_t)len);
		for (size_t j = 0; j < len; j++) {
			char digits[3] = {rows[i].hex[2 * j],
				rows[i].hex[2 * j + 1], '\0'};

			buf_put_u8(
				&fx.bytes, (uint8_t)strtoul(digits, NULL, 16));
		}
		if (fixture_decode(&fx, -1, fx.bytes.bytes, fx.bytes.len) !=
			SG_OK)
			fail_msg("%s", fx.why.text);
		if (fx.slots[0].as.d != rows[i].want ||
			signbit(fx.slots[0].as.d) != signbit(rows[i].want))
			fail_msg("row %zu: %.17g", i, fx.slots[0].as.d);
		fixture_fini(&fx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_becomes_its_value),
		cmocka_unit_test(broken_bytes_are_refused_with_the_reason),
		cmocka_unit_test(trailing_bytes_are_refused),
		cmocka_unit_test(nothing_or_too_much_is_refused),
		cmocka_unit_test(nested_without_end_is_refused),
		cmocka_unit_test(values_of_a_record_are_bounded),
		cmocka_unit_test(frame_tells_the_writer),
		cmocka_unit_test(writer_beside_the_bytes_goes_before_the_frame),
		cmocka_unit_test(id_may_stand_in_a_header),
		cmocka_unit_test(decimal_is_the_nearest_double),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
