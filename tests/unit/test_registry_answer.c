#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../processor/registry/answer.h"

static void
a_schema_is_read_with_its_kind_and_references(void **state)
{
	static const char text[] =
		"{\"schema\":\"\\\"long\\\"\",\"references\":[{\"name\":\"a."
		"B\","
		"\"subject\":\"b-value\",\"version\":3}],\"more\":1}";
	struct answer_schema schema;

	(void)state;
	assert_int_equal(
		answer_schema_read(text, strlen(text), &schema, NULL), SG_OK);
	assert_string_equal(schema.text, "\"long\"");
	assert_string_equal(schema.kind, "AVRO");
	assert_int_equal(schema.nreferences, 1);
	assert_string_equal(schema.references[0].name, "a.B");
	assert_string_equal(schema.references[0].subject, "b-value");
	assert_int_equal(schema.references[0].version, 3);
	answer_schema_fini(&schema);
}

static void
what_is_no_schema_is_refused(void **state)
{
	static const char *const rows[] = {"", "null", "[]", "{", "{}",
		"<html>not found</html>", "{\"schema\":1}",
		"{\"schema\":\"1\",\"schema\":\"2\"}",
		"{\"schema\":\"x\",\"references\":[{}]}",
		"{\"schema\":\"x\",\"references\":[{\"name\":\"a\","
		"\"subject\":\"s\",\"version\":0}]}",
		"{\"schema\":\"x\",\"references\":[{\"name\":\"a\","
		"\"subject\":\"\",\"version\":1}]}",
		"{\"schema\":\"x\",\"references\":[{\"name\":\"a\","
		"\"subject\":\"s\",\"version\":\"1\"}]}"};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct answer_schema schema = {.text = NULL};

		if (answer_schema_read(rows[i], strlen(rows[i]), &schema,
			    NULL) != SG_BAD_RECORD)
			fail_msg("row %zu: %s", i, rows[i]);
	}
}

static void
an_error_has_a_code_and_one_line(void **state)
{
	static const char text[] =
		"{\"error_code\":40403,\"message\":\"not\\nthere\"}";
	char message[16];

	(void)state;
	assert_int_equal(
		answer_error(text, strlen(text), message, sizeof(message)),
		40403);
	assert_string_equal(message, "not there");
	assert_int_equal(answer_error("<p>", 3, message, sizeof(message)), 0);
	assert_string_equal(message, "");
}

static void
ids_and_verdicts_are_read(void **state)
{
	static const char verdict[] =
		"{\"is_compatible\":false,\"messages\":[\"no default\"]}";
	char message[32];
	bool is = true;
	int32_t id = -1;

	(void)state;
	assert_true(answer_id("{\"id\":17}", strlen("{\"id\":17}"), &id));
	assert_int_equal(id, 17);
	assert_false(answer_id("{\"id\":-1}", 9, &id));
	assert_false(answer_id("{\"id\":4294967296}", 17, &id));
	assert_false(answer_id("17", 2, &id));
	assert_true(answer_is_compatible(
		verdict, strlen(verdict), &is, message, sizeof(message)));
	assert_false(is);
	assert_string_equal(message, "no default");
	assert_false(answer_is_compatible(
		"{\"is_compatible\":1}", 19, &is, message, sizeof(message)));
}

static void
a_definition_goes_where_its_name_is_first_used(void **state)
{
	static const struct {
		const char *name;
		const char *schema, *ref, *definition, *want;
	} rows[] = {
		{"in a field, and again",
			"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
			"{\"name\":\"a\",\"type\":\"x.E\"},"
			"{\"name\":\"b\",\"type\":\"x.E\"}]}",
			"x.E",
			"{\"type\":\"fixed\",\"name\":\"x.E\",\"size\":1}",
			"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
			"{\"name\":\"a\",\"type\":{\"type\":\"fixed\",\"name\":"
			"\"x.E\",\"size\":1}},"
			"{\"name\":\"b\",\"type\":\"x.E\"}]}"},
		{"short, within its namespace, in a union of items",
			"{\"type\":\"record\",\"name\":\"x.R\",\"fields\":["
			"{\"name\":\"a\",\"type\":{\"type\":\"array\","
			"\"items\":[\"null\",\"E\"]}}]}",
			"x.E",
			"{\"type\":\"fixed\",\"name\":\"x.E\",\"size\":1}",
			"{\"type\":\"record\",\"name\":\"x.R\",\"fields\":["
			"{\"name\":\"a\",\"type\":{\"type\":\"array\","
			"\"items\":[\"null\",{\"type\":\"fixed\",\"name\":"
			"\"x.E\",\"size\":1}]}}]}"},
		{"without a namespace it keeps none",
			"{\"type\":\"record\",\"name\":\"x.R\",\"fields\":["
			"{\"name\":\"a\",\"type\":{\"type\":\"map\","
			"\"values\":\"E\"}}]}",
			"E", "{\"type\":\"fixed\",\"name\":\"E\",\"size\":1}",
			"{\"type\":\"record\",\"name\":\"x.R\",\"fields\":["
			"{\"name\":\"a\",\"type\":{\"type\":\"map\","
			"\"values\":{\"type\":\"fixed\",\"name\":\"E\","
			"\"size\":1,\"namespace\":\"\"}}}]}"},
		{"the whole schema is the name", "\"x.E\"", "x.E",
			"{\"type\":\"fixed\",\"name\":\"x.E\",\"size\":1}",
			"{\"type\":\"fixed\",\"name\":\"x.E\",\"size\":1}"},
		{"not used", "\"long\"", "x.E", "\"int\"", "\"long\""},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		char *text = NULL;

		if (answer_resolve(rows[i].schema, rows[i].ref,
			    rows[i].definition, &text, NULL) != SG_OK ||
			strcmp(text, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, text);
		free(text);
	}
}

static void
a_request_carries_the_text_as_a_string(void **state)
{
	char *body = answer_request("\"long\"");

	(void)state;
	assert_string_equal(body, "{\"schema\":\"\\\"long\\\"\"}");
	free(body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_schema_is_read_with_its_kind_and_references),
		cmocka_unit_test(what_is_no_schema_is_refused),
		cmocka_unit_test(an_error_has_a_code_and_one_line),
		cmocka_unit_test(ids_and_verdicts_are_read),
		cmocka_unit_test(
			a_definition_goes_where_its_name_is_first_used),
		cmocka_unit_test(a_request_carries_the_text_as_a_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
