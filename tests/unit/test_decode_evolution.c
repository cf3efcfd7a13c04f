/*
 * test_decode_evolution.c - records of old and new writers, mixed on one
 * topic, are read as the reader's schema by Avro's resolution rules.
 */
#include "decode_support.h"

#include <stdio.h>

#define R(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define FD(name, type, def)                                                    \
	"{\"name\":\"" name "\",\"type\":" type ",\"default\":" def "}"
#define FA(name, type, alias)                                                  \
	"{\"name\":\"" name "\",\"type\":" type ",\"aliases\":[\"" alias "\"]" \
	"}"
#define ENUM(symbols, rest)                                                    \
	"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[" symbols "]" rest "}"
#define BYTES(text) text, sizeof(text) - 1

struct written {
	const char *schema;
	const char *bytes;
	size_t len;
	enum sg_err err;
	const char *want; /* the bound path as JSON, or part of the reason */
};

struct row {
	const char *name;
	const char *reader;
	const char *path;
	struct written old, new;
};

static const struct row rows[] = {
	{"field added, old writers get the default",
		R(F("id", "\"int\"") "," FD("plan", "\"string\"", "\"free\"")),
		"plan",
		{R(F("id", "\"int\"")), BYTES("\x02"), SG_OK, "\"free\""},
		{R(F("id", "\"int\"") "," F("plan", "\"string\"")),
			BYTES("\x02\x06pro"), SG_OK, "\"pro\""}},
	{"field added first, and nullable",
		R(FD("plan", "[\"null\",\"string\"]", "null") "," F(
			"id", "\"int\"")),
		"id", {R(F("id", "\"int\"")), BYTES("\x02"), SG_OK, "1"},
		{R(F("plan", "[\"null\",\"string\"]") "," F("id", "\"int\"")),
			BYTES("\x02\x06pro\x04"), SG_OK, "2"}},
	{"field added without default",
		R(F("id", "\"int\"") "," F("plan", "\"string\"")), "plan",
		{R(F("id", "\"int\"")), BYTES("\x02"), SG_INCOMPATIBLE_SCHEMA,
			"field 'plan'"},
		{R(F("id", "\"int\"") "," F("plan", "\"string\"")),
			BYTES("\x02\x06pro"), SG_OK, "\"pro\""}},
	{"what nobody asked for may be missing",
		R(F("id", "\"int\"") "," F("plan", "\"string\"")), "id",
		{R(F("id", "\"int\"")), BYTES("\x02"), SG_OK, "1"},
		{R(F("id", "\"int\"") "," F("plan", "\"string\"")),
			BYTES("\x02\x06pro"), SG_OK, "1"}},
	{"field dropped by the new writer, with a default",
		R(FD("a", "\"long\"", "-7") "," F("b", "\"int\"")), "a",
		{R(F("a", "\"long\"") "," F("b", "\"int\"")), BYTES("\x04\x02"),
			SG_OK, "2"},
		{R(F("b", "\"int\"")), BYTES("\x02"), SG_OK, "-7"}},
	{"field the reader no longer knows", R(F("b", "\"int\"")), "b",
		{R(F("a", "{\"type\":\"map\",\"values\":\"string\"}") "," F(
			 "b", "\"int\"")),
			BYTES("\x02\x02k\x02v\x00\x06"), SG_OK, "3"},
		{R(F("b", "\"int\"")), BYTES("\x08"), SG_OK, "4"}},
	{"int to long", R(F("n", "\"long\"")), "n",
		{R(F("n", "\"int\"")), BYTES("\x01"), SG_OK, "-1"},
		{R(F("n", "\"long\"")), BYTES("\xfe\xff\xff\xff\xff\x3f"),
			SG_OK, "1099511627775"}},
	{"int to double", R(F("n", "\"double\"")), "n",
		{R(F("n", "\"int\"")), BYTES("\x01"), SG_OK, "-1"},
		{R(F("n", "\"double\"")),
			BYTES("\x00\x00\x00\x00\x00\x00\xf8\x3f"), SG_OK,
			"1.5"}},
	{"long to float loses what a float cannot hold", R(F("n", "\"float\"")),
		"n",
		{R(F("n", "\"long\"")), BYTES("\x82\x80\x80\x10"), SG_OK,
			"16777216"},
		{R(F("n", "\"float\"")), BYTES("\x00\x00\xc0\x3f"), SG_OK,
			"1.5"}},
	{"float to double", R(F("n", "\"double\"")), "n",
		{R(F("n", "\"float\"")), BYTES("\x00\x00\xc0\x3f"), SG_OK,
			"1.5"},
		{R(F("n", "\"int\"")), BYTES("\x02"), SG_OK, "1"}},
	{"long is no int", R(F("n", "\"int\"")), "n",
		{R(F("n", "\"int\"")), BYTES("\x02"), SG_OK, "1"},
		{R(F("n", "\"long\"")), BYTES("\x02"), SG_INCOMPATIBLE_SCHEMA,
			"field 'n': long cannot be read as int"}},
	{"bytes to string", R(F("s", "\"string\"")), "s",
		{R(F("s", "\"bytes\"")), BYTES("\x04\xc3\xbc"), SG_OK,
			"\"\xc3\xbc\""},
		{R(F("s", "\"bytes\"")), BYTES("\x04\xc3\xff"), SG_BAD_UTF8,
			"UTF-8"}},
	{"string to bytes", R(F("s", "\"bytes\"")), "s",
		{R(F("s", "\"string\"")), BYTES("\x04\xc3\xbc"), SG_OK,
			"\"w7w=\""},
		{R(F("s", "\"bytes\"")), BYTES("\x02\xff"), SG_OK, "\"/w==\""}},
	{"wrong type", R(F("s", "\"string\"")), "s",
		{R(F("s", "\"string\"")), BYTES("\x02s"), SG_OK, "\"s\""},
		{R(F("s", "\"int\"")), BYTES("\x02"), SG_INCOMPATIBLE_SCHEMA,
			"int cannot be read as string"}},
	{"renamed, by alias", R(FA("plan", "\"string\"", "tier")), "plan",
		{R(F("tier", "\"string\"")), BYTES("\x06old"), SG_OK,
			"\"old\""},
		{R(F("plan", "\"string\"")), BYTES("\x06new"), SG_OK,
			"\"new\""}},
	{"a name goes before an alias",
		R(FA("plan", "\"string\"", "tier") "," FD(
			"tier", "\"string\"", "\"none\"")),
		"tier",
		{R(F("tier", "\"string\"") "," F("plan", "\"string\"")),
			BYTES("\x02t\x02p"), SG_OK, "\"t\""},
		{R(F("plan", "\"string\"")), BYTES("\x02p"), SG_OK,
			"\"none\""}},
	{"made nullable", R(F("n", "[\"null\",\"long\"]")), "n",
		{R(F("n", "\"int\"")), BYTES("\x04"), SG_OK, "2"},
		{R(F("n", "[\"null\",\"int\"]")), BYTES("\x00"), SG_OK,
			"null"}},
	{"no longer nullable", R(F("n", "\"long\"")), "n",
		{R(F("n", "[\"null\",\"long\"]")), BYTES("\x02\x04"), SG_OK,
			"2"},
		{R(F("n", "[\"null\",\"long\"]")), BYTES("\x00"),
			SG_INCOMPATIBLE_SCHEMA, "null cannot be read as long"}},
	{"branches in another order", R(F("n", "[\"string\",\"null\"]")), "n",
		{R(F("n", "[\"null\",\"string\"]")), BYTES("\x02\x02s"), SG_OK,
			"\"s\""},
		{R(F("n", "[\"string\",\"null\"]")), BYTES("\x02"), SG_OK,
			"null"}},
	{"union branch nobody can read is no matter until it comes",
		R(F("n", "[\"null\",\"int\"]")), "n",
		{R(F("n", "[\"int\",\"string\"]")), BYTES("\x00\x04"), SG_OK,
			"2"},
		{R(F("n", "[\"int\",\"string\"]")), BYTES("\x02\x02s"),
			SG_INCOMPATIBLE_SCHEMA,
			"string cannot be read as union"}},
	{"symbol added, with a default",
		R(F("e", ENUM("\"A\",\"OTHER\"", ",\"default\":\"OTHER\""))),
		"e",
		{R(F("e", ENUM("\"A\",\"OTHER\"", ""))), BYTES("\x00"), SG_OK,
			"\"A\""},
		{R(F("e", ENUM("\"NEW\",\"A\"", ""))), BYTES("\x00"), SG_OK,
			"\"OTHER\""}},
	{"symbols in another order", R(F("e", ENUM("\"A\",\"B\"", ""))), "e",
		{R(F("e", ENUM("\"A\",\"B\"", ""))), BYTES("\x02"), SG_OK,
			"\"B\""},
		{R(F("e", ENUM("\"B\",\"A\"", ""))), BYTES("\x02"), SG_OK,
			"\"A\""}},
	{"symbol added, without a default", R(F("e", ENUM("\"A\"", ""))), "e",
		{R(F("e", ENUM("\"A\",\"NEW\"", ""))), BYTES("\x00"), SG_OK,
			"\"A\""},
		{R(F("e", ENUM("\"A\",\"NEW\"", ""))), BYTES("\x02"),
			SG_INCOMPATIBLE_SCHEMA, "it has no default"}},
	{"fixed of another size",
		R(F("x", "{\"type\":\"fixed\",\"name\":\"X\",\"size\":1}")),
		"x",
		{R(F("x", "{\"type\":\"fixed\",\"name\":\"X\",\"size\":1}")),
			BYTES("\xff"), SG_OK, "\"/w==\""},
		{R(F("x", "{\"type\":\"fixed\",\"name\":\"X\",\"size\":2}")),
			BYTES("\xff\xff"), SG_INCOMPATIBLE_SCHEMA,
			"fixed X cannot be read as fixed X"}},
	{"fixed renamed, by alias",
		R(F("x", "{\"type\":\"fixed\",\"name\":\"X\",\"size\":1,"
			 "\"aliases\":[\"old.Y\"]}")),
		"x",
		{R(F("x", "{\"type\":\"fixed\",\"name\":\"old.Y\","
			  "\"size\":1}")),
			BYTES("\xff"), SG_OK, "\"/w==\""},
		{R(F("x", "{\"type\":\"fixed\",\"name\":\"Z\",\"size\":1}")),
			BYTES("\xff"), SG_INCOMPATIBLE_SCHEMA,
			"fixed Z cannot be read as fixed X"}},
	{"unit of time is the writer's",
		R(F("t", "{\"type\":\"long\",\"logicalType\":"
			 "\"timestamp-millis\"}")),
		"t",
		{R(F("t", "{\"type\":\"long\",\"logicalType\":"
			  "\"timestamp-millis\"}")),
			BYTES("\xd0\x0f"), SG_OK, "\"1970-01-01T00:00:01Z\""},
		{R(F("t", "{\"type\":\"long\",\"logicalType\":"
			  "\"timestamp-micros\"}")),
			BYTES("\x80\x89\x7a"), SG_OK,
			"\"1970-01-01T00:00:01Z\""}},
	{"date became a timestamp",
		R(F("t", "{\"type\":\"long\",\"logicalType\":"
			 "\"timestamp-millis\"}")),
		"t",
		{R(F("t", "{\"type\":\"int\",\"logicalType\":\"date\"}")),
			BYTES("\x02"), SG_OK, "\"1970-01-02T00:00:00Z\""},
		{R(F("t", "\"long\"")), BYTES("\xd0\x0f"), SG_OK,
			"\"1970-01-01T00:00:01Z\""}},
	{"scale of a decimal is the writer's",
		R(F("d", "{\"type\":\"bytes\",\"logicalType\":\"decimal\","
			 "\"precision\":9,\"scale\":2}")),
		"d",
		{R(F("d", "{\"type\":\"bytes\",\"logicalType\":\"decimal\","
			  "\"precision\":9,\"scale\":1}")),
			BYTES("\x02\x0f"), SG_OK, "1.5"},
		{R(F("d", "\"bytes\"")), BYTES("\x02\x0f"), SG_OK, "0.15"}},
	{"within a nested record",
		R(F("p", "{\"type\":\"record\",\"name\":\"P\",\"fields\":["
			 "{\"name\":\"a\",\"type\":\"long\",\"default\":5},"
			 "{\"name\":\"b\",\"type\":\"double\"}]}")),
		"p",
		{R(F("p", "{\"type\":\"record\",\"name\":\"P\",\"fields\":["
			  "{\"name\":\"b\",\"type\":\"int\"}]}")),
			BYTES("\x02"), SG_OK, "[5,1]"},
		{R(F("p", "{\"type\":\"record\",\"name\":\"P\",\"fields\":["
			  "{\"name\":\"c\",\"type\":\"string\"},"
			  "{\"name\":\"b\",\"type\":\"int\"},"
			  "{\"name\":\"a\",\"type\":\"int\"}]}")),
			BYTES("\x02s\x04\x06"), SG_OK, "[3,2]"}},
	{"a path into a default",
		R(FD("p",
			"{\"type\":\"record\",\"name\":\"P\",\"fields\":["
			"{\"name\":\"a\",\"type\":{\"type\":\"array\","
			"\"items\":\"int\"}},{\"name\":\"b\",\"type\":"
			"\"int\",\"default\":9}]}",
			"{\"a\":[4,5]}")),
		"p.a[1]", {R(""), BYTES(""), SG_OK, "5"},
		{R(F("p", "{\"type\":\"record\",\"name\":\"P\",\"fields\":["
			  "{\"name\":\"a\",\"type\":{\"type\":\"array\","
			  "\"items\":\"int\"}}]}")),
			BYTES("\x02\x02\x00"), SG_OK, "null"}},
	{"a path to a default within a default, in a branch",
		R(F("u", "[\"null\",{\"type\":\"record\",\"name\":\"P\","
			 "\"fields\":[{\"name\":\"b\",\"type\":\"int\","
			 "\"default\":9}]}]")),
		"u.b",
		{R(F("u", "[\"null\",{\"type\":\"record\",\"name\":\"P\","
			  "\"fields\":[]}]")),
			BYTES("\x02"), SG_OK, "9"},
		{R(F("u", "[\"null\",{\"type\":\"record\",\"name\":\"P\","
			  "\"fields\":[]}]")),
			BYTES("\x00"), SG_OK, "null"}},
	{"defaults of every sort",
		R(FD("d",
			"{\"type\":\"record\",\"name\":\"D\",\"fields\":["
			"{\"name\":\"a\",\"type\":\"boolean\"},"
			"{\"name\":\"b\",\"type\":\"bytes\"},"
			"{\"name\":\"c\",\"type\":\"double\"},"
			"{\"name\":\"e\",\"type\":{\"type\":\"enum\","
			"\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}},"
			"{\"name\":\"f\",\"type\":{\"type\":\"fixed\","
			"\"name\":\"F\",\"size\":2}},"
			"{\"name\":\"m\",\"type\":{\"type\":\"map\","
			"\"values\":\"int\"}},"
			"{\"name\":\"u\",\"type\":[\"int\",\"null\"]},"
			"{\"name\":\"v\",\"type\":[\"int\",\"null\"]},"
			"{\"name\":\"g\",\"type\":\"float\"}]}",
			"{\"a\":true,\"b\":\"\\u00ff\\u0000\",\"c\":1,"
			"\"e\":\"B\",\"f\":\"a\\u0080\",\"m\":{\"k\":1},"
			"\"u\":null,\"v\":3,\"g\":0.5}")),
		"d",
		{R(""), BYTES(""), SG_OK,
			"[true,\"/wA=\",1,\"B\",\"YYA=\",{\"k\":1},null,3,"
			"0.5]"},
		{R(""), BYTES(""), SG_OK,
			"[true,\"/wA=\",1,\"B\",\"YYA=\",{\"k\":1},null,3,"
			"0.5]"}},
	{"record moved and renamed, in a union, by alias",
		R(F("u", "[\"null\",{\"type\":\"record\",\"name\":\"n.P\","
			 "\"aliases\":[\"o.Q\"],\"fields\":[{\"name\":\"b\","
			 "\"type\":\"int\"}]}]")),
		"u.b",
		{R(F("u", "[\"null\",{\"type\":\"record\",\"name\":\"o.Q\","
			  "\"fields\":[{\"name\":\"b\",\"type\":\"int\"}]}]")),
			BYTES("\x02\x04"), SG_OK, "2"},
		{R(F("u", "[\"null\",{\"type\":\"record\",\"name\":\"o.Z\","
			  "\"fields\":[{\"name\":\"b\",\"type\":\"int\"}]}]")),
			BYTES("\x02\x04"), SG_INCOMPATIBLE_SCHEMA,
			"record cannot be read as union"}},
};

static void
check(struct fixture *fx, const struct row *row, const struct written *w,
	int id)
{
	uint8_t bytes[256] = {0, 0, 0, 0, (uint8_t)id};
	enum sg_err err;

	memcpy(bytes + 5, w->bytes, w->len);
	err = fixture_decode(fx, -1, bytes, 5 + w->len);
	if (err != w->err)
		fail_msg("%s, writer %d: %s, %s", row->name, id,
			sg_err_name(err), fx->why.text);
	if (err == SG_OK && strcmp(value_text(fx, fx->slots[0]), w->want) != 0)
		fail_msg("%s, writer %d: %s", row->name, id,
			buf_cstr(&fx->text));
	if (err != SG_OK && strstr(fx->why.text, w->want) == NULL)
		fail_msg("%s, writer %d: %s", row->name, id, fx->why.text);
}

static void
old_and_new_writers_are_read_as_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct fixture fx;

		fixture_init(&fx, rows[i].reader, DECODE_CONFLUENT);
		(void)fixture_schema(&fx, rows[i].old.schema, 1);
		(void)fixture_schema(&fx, rows[i].new.schema, 2);
		(void)fixture_bind(&fx, rows[i].path);
		for (int turn = 0; turn < 2; turn++) {
			check(&fx, &rows[i], &rows[i].old, 1);
			if (strcmp(rows[i].old.schema, rows[i].new.schema) != 0)
				check(&fx, &rows[i], &rows[i].new, 2);
			else
				check(&fx, &rows[i], &rows[i].new, 1);
		}
		fixture_fini(&fx);
	}
}

static void
writer_that_cannot_be_read_disturbs_no_other(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx, R(F("n", "\"int\"")), DECODE_CONFLUENT);
	(void)fixture_schema(&fx, R(F("n", "\"int\"")), 1);
	(void)fixture_schema(&fx, R(F("n", "\"string\"")), 2);
	(void)fixture_schema(&fx, "\"int\"", 3);
	(void)fixture_bind(&fx, "n");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			fixture_decode(&fx, -1, "\0\0\0\0\1\x02", 6), SG_OK);
		assert_int_equal(fx.slots[0].as.i, 1);
		assert_int_equal(fixture_decode(&fx, -1, "\0\0\0\0\2\x02s", 7),
			SG_INCOMPATIBLE_SCHEMA);
		assert_int_equal(fixture_decode(&fx, -1, "\0\0\0\0\3\x02", 6),
			SG_INCOMPATIBLE_SCHEMA);
		assert_int_equal(
			fixture_decode(&fx, -1, "\0\0\0\0\1\x02\x02", 7),
			SG_BAD_RECORD);
	}
	fixture_fini(&fx);
}

static void
default_that_does_not_fit_is_refused_in_a_reader(void **state)
{
	static const char *const fields[] = {
		FD("f", "[\"string\",\"int\"]", "null"),
		FD("f", "\"int\"", "2147483648"),
		FD("f", "\"int\"", "1.0"),
		FD("f", "\"boolean\"", "\"true\""),
		FD("f", "\"string\"", "7"),
		FD("f", "\"bytes\"", "\"\\u0100\""),
		FD("f", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}",
			"\"abc\""),
		FD("f", ENUM("\"A\"", ""), "\"B\""),
		FD("f", "{\"type\":\"array\",\"items\":\"int\"}", "[null]"),
		FD("f", "{\"type\":\"map\",\"values\":\"int\"}", "[]"),
		FD("f",
			"{\"type\":\"record\",\"name\":\"S\",\"fields\":["
			"{\"name\":\"x\",\"type\":\"int\"}]}",
			"{}"),
	};
	char json[512];

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(fields); i++) {
		struct decode_schemas *schemas = NULL;
		struct decode_reader *reader = NULL;
		struct sg_fault why = {0};
		int32_t number = -1;
		int len = snprintf(json, sizeof(json), R("%s"), fields[i]);

		assert_int_equal(decode_schemas_create(&schemas), SG_OK);
		/* A writer's default is no matter. */
		assert_int_equal(decode_schemas_add(schemas, "t", json,
					 (size_t)len, -1, &number, &why),
			SG_OK);
		if (decode_reader_create(schemas, number, DECODE_AUTO, &reader,
			    &why) != SG_BAD_SCHEMA)
			fail_msg("row %zu was accepted", i);
		assert_non_null(strstr(why.text, "at 'f': the default"));
		decode_schemas_destroy(schemas);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_and_new_writers_are_read_as_one),
		cmocka_unit_test(writer_that_cannot_be_read_disturbs_no_other),
		cmocka_unit_test(
			default_that_does_not_fit_is_refused_in_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
