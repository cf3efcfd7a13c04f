/*
 * test_decode_path.c - paths are bound to any part of a record, have the type
 * of what is there, and are refused with the names there are.
 */
#include "decode_support.h"

#include "segmentd/type.h"

static const char event_schema[] =
	"{\"type\":\"record\",\"name\":\"Event\",\"namespace\":\"shop\","
	"\"fields\":["
	"{\"name\":\"id\",\"type\":\"string\"},"
	"{\"name\":\"props\",\"type\":{\"type\":\"record\",\"name\":\"Props\","
	"\"fields\":[{\"name\":\"plan\",\"type\":[\"null\",\"string\"]},"
	"{\"name\":\"seats\",\"type\":\"int\"}]}},"
	"{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":"
	"{\"type\":\"record\",\"name\":\"Item\",\"fields\":["
	"{\"name\":\"sku\",\"type\":\"string\"},"
	"{\"name\":\"n\",\"type\":\"int\"}]}}},"
	"{\"name\":\"traits\",\"type\":{\"type\":\"map\",\"values\":\"long\"}},"
	"{\"name\":\"who\",\"type\":[\"null\","
	"{\"type\":\"record\",\"name\":\"User\",\"fields\":["
	"{\"name\":\"key\",\"type\":\"long\"},"
	"{\"name\":\"mail\",\"type\":\"string\"},"
	"{\"name\":\"tag\",\"type\":\"int\"}]},"
	"{\"type\":\"record\",\"name\":\"Bot\",\"fields\":["
	"{\"name\":\"key\",\"type\":\"long\"},"
	"{\"name\":\"tag\",\"type\":\"string\"}]}]},"
	"{\"name\":\"node\",\"type\":{\"type\":\"record\",\"name\":\"Node\","
	"\"fields\":[{\"name\":\"v\",\"type\":\"int\"},"
	"{\"name\":\"next\",\"type\":[\"null\",\"Node\"]}]}},"
	"{\"name\":\"grid\",\"type\":{\"type\":\"array\",\"items\":"
	"{\"type\":\"array\",\"items\":\"int\"}}},"
	"{\"name\":\"nil\",\"type\":[\"null\"]}]}";

/* branch: 0 nobody, 1 a user, 2 a bot */
static void
put_event(struct buf *buf, int branch)
{
	buf_reset(buf);
	put_text(buf, "e1");
	buf_put(buf, "\x02\x06pro\x0a", 6); /* plan pro, 5 seats */
	buf_put_zigzag(buf, 2); /* items, in two blocks, one with its size */
	put_text(buf, "a");
	buf_put_zigzag(buf, 1);
	put_text(buf, "b");
	buf_put_zigzag(buf, 2);
	buf_put_zigzag(buf, -1);
	buf_put_zigzag(buf, 3);
	put_text(buf, "c");
	buf_put_zigzag(buf, 3);
	buf_put_zigzag(buf, 0);
	buf_put_zigzag(buf, 2); /* traits */
	put_text(buf, "tier");
	buf_put_zigzag(buf, 3);
	put_text(buf, "x.y");
	buf_put_zigzag(buf, 4);
	buf_put_zigzag(buf, 0);
	buf_put_zigzag(buf, branch);
	if (branch != 0)
		buf_put_zigzag(buf, 70 + branch);
	if (branch == 1) {
		put_text(buf, "u@x");
		buf_put_zigzag(buf, 9);
	} else if (branch == 2) {
		put_text(buf, "bot");
	}
	buf_put(buf, "\x02\x02\x04\x02\x06\x00", 6);	 /* 1 -> 2 -> 3 */
	buf_put(buf, "\x04\x00\x04\x02\x04\x00\x00", 7); /* [[], [1, 2]] */
	buf_put_zigzag(buf, 0);
}

struct path_row {
	const char *path;
	const char *type;
	const char *want[3]; /* by branch; NULL: as the one before */
};

static const struct path_row path_rows[] = {
	{"id", "string", {"\"e1\""}},
	{"props.plan", "string?", {"\"pro\""}},
	{"props[\"seats\"]", "int", {"5"}},
	{"props", "record{plan: string?, seats: int}", {"[\"pro\",5]"}},
	{"items[0].sku", "string?", {"\"a\""}},
	{"items[2].n", "int?", {"3"}},
	{"items[3].n", "int?", {"null"}},
	{"items[4294967294]", "record{sku: string, n: int}?", {"null"}},
	{"items", "list(record{sku: string, n: int})",
		{"[[\"a\",1],[\"b\",2],[\"c\",3]]"}},
	{"traits[\"tier\"]", "int?", {"3"}},
	{"traits.tier", "int?", {"3"}},
	{"traits['x.y']", "int?", {"4"}},
	{"traits.none", "int?", {"null"}},
	{"traits", "map(string, int)", {"{\"tier\":3,\"x.y\":4}"}},
	{"who", "dyn",
		{"null", "{\"key\":71,\"mail\":\"u@x\",\"tag\":9}",
			"{\"key\":72,\"tag\":\"bot\"}"}},
	{"who.key", "int?", {"null", "71", "72"}},
	{"who.mail", "string?", {"null", "\"u@x\"", "null"}},
	{"who.tag", "dyn", {"null", "9", "\"bot\""}},
	{"node.v", "int", {"1"}},
	{"node.next.next.v", "int?", {"3"}},
	{"node.next.next.next.v", "int?", {"null"}},
	{"node", "record{v: int, next: dyn}",
		{"[1,{\"v\":2,\"next\":{\"v\":3,\"next\":null}}]"}},
	/* Within a Node a Node is dyn, whichever way one gets there. */
	{"node.next", "dyn", {"{\"v\":2,\"next\":{\"v\":3,\"next\":null}}"}},
	{"grid[1][1]", "int?", {"2"}},
	{"grid[0][0]", "int?", {"null"}},
	{"grid[1]", "list(int)?", {"[1,2]"}},
};

static void
check_type(struct fixture *fx, const struct path_row *row)
{
	const struct type *type = NULL;
	uint32_t slot;

	if (decode_reader_bind(fx->reader, row->path, strlen(row->path), &slot,
		    &type, &fx->why) != SG_OK)
		fail_msg("%s: %s", row->path, fx->why.text);
	buf_reset(&fx->text);
	type_print(type, &fx->text);
	if (strcmp(buf_cstr(&fx->text), row->type) != 0)
		fail_msg("%s: type %s", row->path, buf_cstr(&fx->text));
}

static void
check_values(struct fixture *fx, size_t first, size_t n)
{
	for (int branch = 0; branch < 3; branch++) {
		put_event(&fx->bytes, branch);
		if (fixture_decode(fx, -1, fx->bytes.bytes, fx->bytes.len) !=
			SG_OK)
			fail_msg("branch %d: %s", branch, fx->why.text);
		for (size_t i = 0; i < n; i++) {
			const struct path_row *row = &path_rows[first + i];
			uint32_t slot = fixture_bind(fx, row->path);
			const char *want = row->want[branch] != NULL
						   ? row->want[branch]
						   : row->want[0];

			if (strcmp(value_text(fx, fx->slots[slot]), want) != 0)
				fail_msg("%s: %s", row->path,
					buf_cstr(&fx->text));
		}
	}
}

static void
path_alone_gives_the_type_and_value_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(path_rows); i++) {
		struct fixture fx;

		fixture_init(&fx, event_schema, DECODE_BARE);
		check_type(&fx, &path_rows[i]);
		check_values(&fx, i, 1);
		fixture_fini(&fx);
	}
}

static void
paths_together_give_what_they_give_alone(void **state)
{
	struct decode_reader *clone = NULL;
	struct fixture fx;

	(void)state;
	fixture_init(&fx, event_schema, DECODE_BARE);
	for (size_t i = 0; i < SG_COUNTOF(path_rows); i++)
		check_type(&fx, &path_rows[i]);
	check_values(&fx, 0, SG_COUNTOF(path_rows));

	/* A clone decodes alike, and outlives the original. */
	assert_int_equal(decode_reader_clone(fx.reader, &clone), SG_OK);
	decode_reader_destroy(fx.reader);
	fx.reader = clone;
	check_values(&fx, 0, SG_COUNTOF(path_rows));
	fixture_fini(&fx);
}

static void
the_same_path_again_is_the_same_slot(void **state)
{
	struct fixture fx;
	uint32_t slot;

	(void)state;
	fixture_init(&fx, event_schema, DECODE_BARE);
	slot = fixture_bind(&fx, "props.plan");
	(void)fixture_bind(&fx, "id");
	assert_int_equal(fixture_bind(&fx, "props.plan"), slot);
	assert_int_equal(fixture_bind(&fx, "props[\"plan\"]"), slot);
	assert_int_equal(decode_reader_nslots(fx.reader), 2);
	fixture_fini(&fx);
}

static void
a_bind_after_the_first_record_is_heeded(void **state)
{
	struct fixture fx;
	uint32_t slot;

	(void)state;
	fixture_init(&fx, event_schema, DECODE_BARE);
	put_event(&fx.bytes, 0);
	assert_int_equal(
		fixture_decode(&fx, -1, fx.bytes.bytes, fx.bytes.len), SG_OK);
	slot = fixture_bind(&fx, "props.seats");
	assert_int_equal(
		fixture_decode(&fx, -1, fx.bytes.bytes, fx.bytes.len), SG_OK);
	assert_int_equal(fx.slots[slot].as.i, 5);
	fixture_fini(&fx);
}

static void
bad_path_is_refused_and_says_what_there_is(void **state)
{
	static const struct {
		const char *path;
		const char *want;
	} bad[] = {
		{"", "a name was expected"},
		{".", "a name was expected"},
		{"props.", "a name was expected"},
		{"props..plan", "a name was expected"},
		{"props plan", "a '.' or '[' was expected"},
		{"7up", "a name was expected"},
		{"items[]", "a number or a quoted key"},
		{"items[-1]", "a number or a quoted key"},
		{"items[1", "a number or a quoted key"},
		{"items[4294967295]", "a number or a quoted key"},
		{"traits[\"a]", "a number or a quoted key"},
		{"prop", "there is no field 'prop' in shop.Event, a record of: "
			 "props, "},
		{"props.sets", "shop.Props, a record of: seats, plan"},
		{"id.x", "there is no field 'x' in string"},
		{"id[0]", "there is no element [0] in string"},
		{"items.sku", "there is no field 'sku' in array"},
		{"who.none", "there is no field 'none'"},
		{"nil.x", "there is no field 'x' in union"},
		{"@time", "there are @timestamp, @headers and"},
		{"@header", "there are @timestamp, @headers and"},
		{"@headers[0]", "there are @timestamp, @headers and"},
		{"@headers[\"a\"].b", "there are @timestamp, @headers and"},
	};
	struct fixture fx;

	(void)state;
	fixture_init(&fx, event_schema, DECODE_BARE);
	for (size_t i = 0; i < SG_COUNTOF(bad); i++) {
		const struct type *type;
		uint32_t slot;

		if (decode_reader_bind(fx.reader, bad[i].path,
			    strlen(bad[i].path), &slot, &type,
			    &fx.why) != SG_BAD_OPTION)
			fail_msg("'%s' was accepted", bad[i].path);
		if (strstr(fx.why.text, bad[i].want) == NULL)
			fail_msg("'%s': %s", bad[i].path, fx.why.text);
	}
	assert_int_equal(decode_reader_nslots(fx.reader), 0);
	fixture_fini(&fx);
}

static void
headers_and_the_timestamp_are_slots(void **state)
{
	static const struct record_header headers[] = {
		{"type", "old", 3},
		{"none", NULL, 0},
		{"type", "new", 3},
		{"bad", "\xff", 1},
	};
	struct record rec = {.kafka_ms = 1500,
		.value = "\x02",
		.value_len = 1,
		.headers = headers,
		.nheaders = SG_COUNTOF(headers),
		.writer = -1};
	struct fixture fx;
	uint32_t at, type, none, absent, all;

	(void)state;
	fixture_init(&fx,
		"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":"
		"\"f\",\"type\":\"int\"}]}",
		DECODE_BARE);
	at = fixture_bind(&fx, "@timestamp");
	type = fixture_bind(&fx, "@headers[\"type\"]");
	none = fixture_bind(&fx, "@headers[\"none\"]");
	absent = fixture_bind(&fx, "@headers['absent']");
	assert_int_equal(
		decode_record(fx.reader, &rec, &fx.arena, &fx.slots, &fx.why),
		SG_OK);
	assert_string_equal(
		value_text(&fx, fx.slots[at]), "\"1970-01-01T00:00:01.500Z\"");
	assert_string_equal(value_text(&fx, fx.slots[type]), "\"new\"");
	assert_string_equal(value_text(&fx, fx.slots[none]), "null");
	assert_string_equal(value_text(&fx, fx.slots[absent]), "null");

	/* The newest of a name comes first; what is no text is left out. */
	all = fixture_bind(&fx, "@headers");
	assert_int_equal(
		decode_record(fx.reader, &rec, &fx.arena, &fx.slots, &fx.why),
		SG_OK);
	assert_string_equal(value_text(&fx, fx.slots[all]),
		"{\"type\":\"new\",\"none\":null,\"type\":\"old\"}");

	rec.kafka_ms = -1;
	assert_int_equal(
		decode_record(fx.reader, &rec, &fx.arena, &fx.slots, &fx.why),
		SG_OK);
	assert_string_equal(value_text(&fx, fx.slots[at]), "null");

	(void)fixture_bind(&fx, "@headers[\"bad\"]");
	assert_int_equal(
		decode_record(fx.reader, &rec, &fx.arena, &fx.slots, &fx.why),
		SG_BAD_UTF8);
	fixture_fini(&fx);
}

static void
the_whole_type_is_that_of_the_schema(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_init(&fx, event_schema, DECODE_BARE);
	type_print(decode_reader_type(fx.reader), &fx.text);
	assert_string_equal(buf_cstr(&fx.text),
		"record{id: string, props: record{plan: string?, seats: int}, "
		"items: list(record{sku: string, n: int}), traits: "
		"map(string, int), who: dyn, node: record{v: int, next: dyn}, "
		"grid: list(list(int)), nil: null}");
	fixture_fini(&fx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_alone_gives_the_type_and_value_there),
		cmocka_unit_test(paths_together_give_what_they_give_alone),
		cmocka_unit_test(the_same_path_again_is_the_same_slot),
		cmocka_unit_test(a_bind_after_the_first_record_is_heeded),
		cmocka_unit_test(bad_path_is_refused_and_says_what_there_is),
		cmocka_unit_test(headers_and_the_timestamp_are_slots),
		cmocka_unit_test(the_whole_type_is_that_of_the_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
