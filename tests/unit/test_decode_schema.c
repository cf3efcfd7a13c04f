/*
 * test_decode_schema.c - schemas are parsed, fingerprinted, looked up, and
 * refused with a reason.
 */
#include "decode_support.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "segmentd/schema.h"

/* The fingerprints are those of Apache Avro's share/test/data/schema-tests.txt,
 * which the other implementations are tested with. */
static void
fingerprint_is_that_of_other_implementations(void **state)
{
	static const struct {
		const char *json;
		int64_t want;
	} rows[] = {
		{"\"null\"", INT64_C(7195948357588979594)},
		{"{\"type\":\"null\"}", INT64_C(7195948357588979594)},
		{"\"boolean\"", INT64_C(-6970731678124411036)},
		{"\"int\"", INT64_C(8247732601305521295)},
		{"\"long\"", INT64_C(-3434872931120570953)},
		{"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}",
			INT64_C(-3434872931120570953)},
		{"\"float\"", INT64_C(5583340709985441680)},
		{"\"double\"", INT64_C(-8181574048448539266)},
		{"\"bytes\"", INT64_C(5746618253357095269)},
		{"\"string\"", INT64_C(-8142146995180207161)},
		{"[ \"int\"  ]", INT64_C(-5232228896498058493)},
		{"[ \"int\" , {\"type\":\"boolean\"} ]",
			INT64_C(5392556393470105090)},
		{"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\"}",
			INT64_C(-4824392279771201922)},
		{"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\", "
		 "\"namespace\":\"x.y\"}",
			INT64_C(5916914534497305771)},
		{"{\"fields\":[], \"type\":\"record\", \"name\":\"a.b.foo\", "
		 "\"namespace\":\"x.y\"}",
			INT64_C(-4616218487480524110)},
		{"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\", "
		 "\"doc\":\"Useful info\", \"aliases\":[\"foo\",\"bar\"]}",
			INT64_C(-4824392279771201922)},
		{"{\"fields\":[{\"type\":\"boolean\", \"aliases\":[], "
		 "\"name\":\"f1\", \"default\":\"true\"}, "
		 "{\"order\":\"descending\",\"name\":\"f2\",\"doc\":\"Hello\","
		 "\"type\":\"int\"}], \"type\":\"record\", \"name\":\"foo\"}",
			INT64_C(-4860222112080293046)},
		{"{\"namespace\":\"x.y.z\", \"type\":\"enum\", "
		 "\"name\":\"foo\", \"doc\":\"foo bar\", "
		 "\"symbols\":[\"A1\", \"A2\"]}",
			INT64_C(-4448647247586288245)},
		{"{\"namespace\":\"x.y.z\", \"type\":\"fixed\", "
		 "\"name\":\"foo\", \"doc\":\"foo bar\", \"size\":32}",
			INT64_C(-3064184465700546786)},
		{"{ \"items\":{\"type\":\"null\"}, \"type\":\"array\"}",
			INT64_C(-589620603366471059)},
		{"{ \"values\":\"string\", \"type\":\"map\"}",
			INT64_C(-8732877298790414990)},
		{"{\"name\":\"PigValue\",\"type\":\"record\", \"fields\":"
		 "[{\"name\":\"value\", \"type\":[\"null\", \"int\", "
		 "\"long\", \"PigValue\"]}]}",
			INT64_C(-1759257747318642341)},
	};
	struct decode_schemas *schemas = NULL;
	struct sg_fault why = {0};

	(void)state;
	assert_int_equal(decode_schemas_create(&schemas), SG_OK);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		int32_t number = -1;

		if (decode_schemas_add(schemas, "t", rows[i].json,
			    strlen(rows[i].json), -1, &number, &why) != SG_OK)
			fail_msg("%s: %s", rows[i].json, why.text);
		if ((int64_t)decode_schemas_fingerprint(schemas, number) !=
			rows[i].want)
			fail_msg("fingerprint of %s", rows[i].json);
		assert_string_equal(
			decode_schemas_text(schemas, number), rows[i].json);
	}
	decode_schemas_destroy(schemas);
}

static void
bad_schema_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *json;
		const char *want; /* part of the reason */
	} rows[] = {
		{"", "t:1:"},
		{"{", "t:1:"},
		{"{\"type\":\"int\",\"type\":\"int\"}", "duplicate"},
		{"7", "a type is a name"},
		{"\"integer\"", "unknown type integer"},
		{"[]", "without branches"},
		{"[\"int\",\"int\"]", "twice the type int"},
		{"[\"int\",[\"null\"]]", "a union within a union"},
		{"{\"name\":\"x\"}", "no \"type\""},
		{"{\"type\":\"array\"}", "without items"},
		{"{\"type\":\"map\"}", "without items or values"},
		{"{\"type\":\"record\",\"name\":\"r\"}", "list of fields"},
		{"{\"type\":\"record\",\"fields\":[]}", "valid name"},
		{"{\"type\":\"record\",\"name\":\"int\",\"fields\":[]}",
			"may not be called int"},
		{"{\"type\":\"record\",\"name\":\"a..b\",\"fields\":[]}",
			"valid name"},
		{"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":"
		 "\"f\"}]}",
			"at 'f': the field has no type"},
		{"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":"
		 "\"f\",\"type\":\"Later\"}]}",
			"at 'f': unknown type Later"},
		{"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":"
		 "\"f\",\"type\":\"int\"},{\"name\":\"f\",\"type\":\"int\"}]}",
			"there twice: f"},
		{"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":"
		 "\"f.g\",\"type\":\"int\"}]}",
			"a field without a valid name"},
		{"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[]}",
			"without symbols"},
		{"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\","
		 "\"A\"]}",
			"there twice: A"},
		{"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A B\"]}",
			"a symbol is not a name"},
		{"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"],"
		 "\"default\":\"B\"}",
			"not one of the symbols"},
		{"{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}",
			"valid size"},
		{"{\"type\":\"fixed\",\"name\":\"f\",\"size\":1e3}",
			"valid size"},
		{"[{\"type\":\"fixed\",\"name\":\"f\",\"size\":1},"
		 "{\"type\":\"fixed\",\"name\":\"f\",\"size\":2}]",
			"defined twice: f"},
	};
	struct decode_schemas *schemas = NULL;

	(void)state;
	assert_int_equal(decode_schemas_create(&schemas), SG_OK);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct sg_fault why = {0};

		if (decode_schemas_add(schemas, "t", rows[i].json,
			    strlen(rows[i].json), -1, NULL,
			    &why) != SG_BAD_SCHEMA)
			fail_msg("accepted: %s", rows[i].json);
		if (strstr(why.text, rows[i].want) == NULL)
			fail_msg("%s: %s", rows[i].json, why.text);
	}
	decode_schemas_destroy(schemas);
}

static void
deeply_nested_schema_is_refused(void **state)
{
	static const size_t depths[] = {64, 65, 1000, 100000};
	static const char open[] = "{\"type\":\"array\",\"items\":";
	struct decode_schemas *schemas = NULL;
	struct sg_fault why;
	struct buf buf;

	(void)state;
	assert_int_equal(decode_schemas_create(&schemas), SG_OK);
	for (size_t i = 0; i < SG_COUNTOF(depths); i++) {
		enum sg_err err;

		buf_init(&buf, 16 << 20);
		for (size_t d = 1; d < depths[i]; d++)
			buf_put_str(&buf, open);
		buf_put_str(&buf, "\"int\"");
		for (size_t d = 1; d < depths[i]; d++)
			buf_put_u8(&buf, '}');
		err = decode_schemas_add(schemas, "deep", buf_cstr(&buf),
			buf.len, -1, NULL, &why);
		assert_int_equal(err, depths[i] <= 64 ? SG_OK : SG_BAD_SCHEMA);
		buf_fini(&buf);
	}
	decode_schemas_destroy(schemas);
}

static void
names_follow_their_namespace(void **state)
{
	static const char json[] =
		"{\"type\":\"record\",\"name\":\"a.b.R\",\"aliases\":[\"Old\","
		"\"x.Y\"],\"fields\":["
		"{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\","
		"\"symbols\":[\"A\"]}},"
		"{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\","
		"\"namespace\":\"c\",\"size\":1}},"
		"{\"name\":\"g\",\"type\":\"c.F\"},"
		"{\"name\":\"h\",\"type\":\"E\"},"
		"{\"name\":\"i\",\"type\":[\"null\",\"R\"]}]}";
	struct decode_schemas *schemas = NULL;
	const struct schema *s;
	int32_t number = -1;

	(void)state;
	assert_int_equal(decode_schemas_create(&schemas), SG_OK);
	assert_int_equal(decode_schemas_add(schemas, "t", json, strlen(json),
				 -1, &number, NULL),
		SG_OK);
	s = decode_schemas_tree(schemas, number);
	assert_string_equal(s->name, "a.b.R");
	assert_int_equal(s->naliases, 2);
	assert_string_equal(s->aliases[0], "a.b.Old");
	assert_string_equal(s->aliases[1], "x.Y");
	assert_string_equal(s->fields[0].schema->name, "a.b.E");
	assert_string_equal(s->fields[1].schema->name, "c.F");
	assert_ptr_equal(s->fields[2].schema, s->fields[1].schema);
	assert_ptr_equal(s->fields[3].schema, s->fields[0].schema);
	assert_ptr_equal(s->fields[4].schema->branches[1], s);
	decode_schemas_destroy(schemas);
}

static void
same_text_is_the_same_schema_under_another_id(void **state)
{
	struct decode_schemas *schemas = NULL;
	struct sg_fault why = {0};
	int32_t a = -1, b = -1, c = -1;

	(void)state;
	assert_int_equal(decode_schemas_create(&schemas), SG_OK);
	assert_int_equal(
		decode_schemas_add(schemas, "t", "\"int\"", 5, 7, &a, &why),
		SG_OK);
	assert_int_equal(
		decode_schemas_add(schemas, "t", "\"int\"", 5, 8, &b, &why),
		SG_OK);
	assert_int_equal(
		decode_schemas_add(schemas, "t", "\"long\"", 6, 9, &c, &why),
		SG_OK);
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
	/* An id means one schema for ever. */
	assert_int_equal(
		decode_schemas_add(schemas, "t", "\"long\"", 6, 7, NULL, &why),
		SG_BAD_SCHEMA);
	assert_non_null(strstr(why.text, "id 7"));
	decode_schemas_destroy(schemas);
}

static void
write_file(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
remove_file(const char *folder, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(unlink(path), 0);
}

static void
folder_gives_ids_by_file_name(void **state)
{
	char folder[] = "/tmp/segmentd-schemas-XXXXXX";
	struct decode_schemas *schemas = NULL;
	struct sg_fault why = {0};
	int32_t number = -1;

	(void)state;
	assert_non_null(mkdtemp(folder));
	write_file(folder, "17.avsc", "\"int\"");
	write_file(folder, "18-orders.avsc", "\"long\"");
	write_file(folder, "plain.avsc", "\"string\"");
	write_file(folder, "notes.txt", "not a schema");
	assert_int_equal(decode_schemas_create(&schemas), SG_OK);
	if (decode_schemas_add_path(schemas, folder, -1, NULL, &why) != SG_OK)
		fail_msg("%s", why.text);

	/* An id is taken: another text for it is refused. */
	assert_int_equal(decode_schemas_add(
				 schemas, "t", "\"int\"", 5, 17, &number, &why),
		SG_OK);
	assert_int_equal(number, 0);
	assert_int_equal(decode_schemas_add(
				 schemas, "t", "\"bytes\"", 7, 18, NULL, &why),
		SG_BAD_SCHEMA);
	assert_int_equal(
		decode_schemas_add_path(schemas, "/nowhere", -1, NULL, &why),
		SG_IO);
	assert_non_null(strstr(why.text, "/nowhere"));

	decode_schemas_destroy(schemas);
	remove_file(folder, "17.avsc");
	remove_file(folder, "18-orders.avsc");
	remove_file(folder, "plain.avsc");
	remove_file(folder, "notes.txt");
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fingerprint_is_that_of_other_implementations),
		cmocka_unit_test(bad_schema_is_refused_with_its_reason),
		cmocka_unit_test(deeply_nested_schema_is_refused),
		cmocka_unit_test(names_follow_their_namespace),
		cmocka_unit_test(same_text_is_the_same_schema_under_another_id),
		cmocka_unit_test(folder_gives_ids_by_file_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
