/*
 * Formats of segmentd tail: every placeholder, what is refused, and what
 * becomes of null. And cells of CSV, of which a spreadsheet makes no formula.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../processor/cli/tail_format.h"
#include "../../processor/cli/view.h"

static const struct type_field renewal_fields[] = {
	{"date", &type_timestamp}, {"window", &type_string}};
static const struct type renewal = {
	.kind = TYPE_RECORD, .fields = renewal_fields, .nfields = 2};
static const struct type values = {
	.kind = TYPE_MAP, .key = &type_string, .item = &type_string};
static const struct type_field fields[] = {{"account_id", &type_string},
	{"to", &type_string}, {"arr", &type_double}, {"renewal", &renewal},
	{"values", &values}};
static const struct type type = {
	.kind = TYPE_RECORD, .fields = fields, .nfields = 5};

static struct tail_record
a_record(struct value items[5])
{
	static const struct record_header headers[] = {{"ce_id", "7", 1},
		{"why", "old", 3}, {"why", "new", 3}, {"none", NULL, 0}};
	static const struct record rec = {.partition = 2,
		.offset = 40,
		.kafka_ms = 1500,
		.key = "acme",
		.key_len = 4,
		.value = "xyz",
		.value_len = 3,
		.headers = headers,
		.nheaders = 4};
	static struct value within[2], entries[2];

	within[0] = value_timestamp(0, 0);
	within[1] = value_null();
	entries[0] = value_string("a", 1);
	entries[1] = value_string("b c", 3);
	items[0] = value_string("acme", 4);
	items[1] = value_null();
	items[2] = value_double(2.5);
	items[3] = (struct value){
		.kind = VALUE_RECORD, .len = 2, .as = {.items = within}};
	items[4] = (struct value){
		.kind = VALUE_MAP, .len = 1, .as = {.items = entries}};
	return (struct tail_record){"t.changes", &rec,
		{.kind = VALUE_RECORD, .len = 5, .as = {.items = items}},
		&type};
}

static void
every_placeholder_has_its_text(void **state)
{
	static const struct {
		const char *format;
		const char *want;
	} rows[] = {
		{"", "\n"},
		{"%t %p %o %k %K %S %T", "t.changes 2 40 acme 4 3 1500\n"},
		{"%h", "ce_id=7,why=old,why=new,none=\n"},
		{"100%%\\t\\\\\\n", "100%\t\\\n"},
		{"{account_id}|{arr}", "acme|2.5\n"},
		{"{to}.", ".\n"},
		{"{to|none} {account_id|none}", "none acme\n"},
		{"{renewal.date}", "1970-01-01T00:00:00Z\n"},
		{"{renewal.window|-} {renewal.no|?}", "- ?\n"},
		{"{values.a} {values.z|?} {account_id.x|?}", "b c ? ?\n"},
		{"{@timestamp}", "1970-01-01T00:00:01.500Z\n"},
		{"{@headers.ce_id} {@headers.why}", "7 new\n"},
		{"{@headers.none|-} {@headers.absent|-}", "- -\n"},
		{"{{to}", "{to}\n"},
		{"%s", "{\"account_id\":\"acme\",\"to\":null,\"arr\":2.5,"
		       "\"renewal\":{\"date\":\"1970-01-01T00:00:00Z\","
		       "\"window\":null},\"values\":{\"a\":\"b c\"}}\n"},
	};
	struct value items[5];
	struct tail_record rec = a_record(items);
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct sg_fault why;

		assert_int_equal(
			tail_format_check(rows[i].format, &type, &why), SG_OK);
		buf_reset(&out);
		tail_format(rows[i].format, &rec, &out);
		assert_string_equal(buf_cstr(&out), rows[i].want);
	}
	buf_reset(&out);
	tail_json(&rec, &out);
	assert_string_equal(buf_cstr(&out),
		"{\"topic\": \"t.changes\", \"partition\": 2, \"offset\": 40, "
		"\"timestamp\": \"1970-01-01T00:00:01.500Z\", \"key\": "
		"\"acme\", \"headers\": {\"ce_id\": \"7\", \"why\": \"old\", "
		"\"why\": \"new\", \"none\": null}, \"value\": "
		"{\"account_id\":\"acme\",\"to\":null,\"arr\":2.5,\"renewal\":"
		"{\"date\":\"1970-01-01T00:00:00Z\",\"window\":null},"
		"\"values\":{\"a\":\"b c\"}}}\n");
	buf_fini(&out);
}

static void
what_is_no_format_is_refused(void **state)
{
	static const struct {
		const char *format;
		const char *want;
	} rows[] = {
		{"%", "not %"},
		{"%k %z", "not %z"},
		{"\\", "not \\"},
		{"\\x", "not \\x"},
		{"{to", "never closed"},
		{"{", "never closed"},
		{"{acount_id}", "did you mean `account_id`?"},
		{"{renwal.date}", "did you mean `renewal`?"},
		{"{}", "no field"},
		{"{@time}", "no field"},
		{"{@headers.}", "no field"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct sg_fault why;

		assert_int_equal(tail_format_check(rows[i].format, &type, &why),
			SG_BAD_OPTION);
		if (strstr(why.text, rows[i].want) == NULL)
			fail_msg("`%s`: %s", rows[i].format, why.text);
	}
}

/* Rejects have no schema, a tombstone no value. */
static void
records_without_a_value_or_schema_have_no_fields(void **state)
{
	struct value items[5];
	struct tail_record rec = a_record(items);
	struct record empty = *rec.rec;
	struct sg_fault why;
	struct buf out;

	(void)state;
	assert_int_equal(tail_format_check("{to}", NULL, &why), SG_BAD_OPTION);
	assert_int_equal(tail_format_check("%k", NULL, &why), SG_OK);
	empty.value = NULL;
	empty.key = NULL;
	empty.kafka_ms = -1;
	rec.rec = &empty;
	rec.value = value_null();
	buf_init(&out, 4096);
	tail_format("[%k] [%s] {to|gone} [{@timestamp}]", &rec, &out);
	assert_string_equal(buf_cstr(&out), "[] [] gone []\n");
	buf_fini(&out);
}

static void
a_cell_is_quoted_where_it_needs_it(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} rows[] = {
		{"", ""},
		{"acme", "acme"},
		{"a,b", "\"a,b\""},
		{"say \"x\"", "\"say \"\"x\"\"\""},
		{"two\nlines", "\"two\nlines\""},
		{"-12.5", "-12.5"},
		{"-.5", "-.5"},
		{"-cmd", "\"'-cmd\""},
		{"=1+1", "\"'=1+1\""},
		{"+1", "\"'+1\""},
		{"@x", "\"'@x\""},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		buf_reset(&out);
		csv_put(&out, rows[i].text);
		assert_string_equal(buf_cstr(&out), rows[i].want);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_placeholder_has_its_text),
		cmocka_unit_test(what_is_no_format_is_refused),
		cmocka_unit_test(
			records_without_a_value_or_schema_have_no_fields),
		cmocka_unit_test(a_cell_is_quoted_where_it_needs_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
