/*
 * test_files_reader.c - CSV, NDJSON and Avro containers come out as rows;
 * what is damaged costs its row, or its block, and no more.
 */
#include "decode_support.h"

#include <avro.h>
#include <stdio.h>
#include <unistd.h>

#include "segmentd/files.h"

static const char account_schema[] =
	"{\"type\":\"record\",\"name\":\"Account\",\"fields\":["
	"{\"name\":\"id\",\"type\":\"string\",\"aliases\":[\"account_id\"]},"
	"{\"name\":\"seats\",\"type\":[\"null\",\"int\"],\"default\":null},"
	"{\"name\":\"at\",\"type\":[\"null\",{\"type\":\"long\","
	"\"logicalType\":\"timestamp-millis\"}],\"default\":null},"
	"{\"name\":\"trial\",\"type\":\"boolean\",\"default\":false},"
	"{\"name\":\"note\",\"type\":[\"null\",\"string\"],\"default\":null},"
	"{\"name\":\"mrr\",\"type\":[\"null\",{\"type\":\"bytes\","
	"\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}],"
	"\"default\":null},"
	"{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":"
	"\"string\"},\"default\":[]}]}";

static const char *const fields[] = {
	"id", "seats", "at", "trial", "note", "mrr", "tags"};

struct temp {
	char path[64];
};

static void
temp_write(struct temp *temp, const char *end, const void *bytes, size_t len)
{
	FILE *file;
	int fd;

	(void)snprintf(temp->path, sizeof(temp->path),
		"/tmp/segmentd-file-XXXXXX%s", end);
	fd = mkstemps(temp->path, (int)strlen(end));
	assert_true(fd >= 0);
	file = fdopen(fd, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void
temp_remove(struct temp *temp)
{
	assert_int_equal(unlink(temp->path), 0);
}

/* All rows as one text: "LINE id|seats|...\n" or "LINE: reason\n". */
static const char *
read_all(struct fixture *fx, struct file_reader *reader, struct buf *all)
{
	struct file_row row;
	bool is_end = false;
	int guard = 0;

	for (size_t i = 0; i < SG_COUNTOF(fields); i++)
		(void)fixture_bind(fx, fields[i]);
	for (;;) {
		enum sg_err err =
			file_reader_next(reader, &row, &is_end, &fx->why);

		assert_true(++guard < 100000);
		if (err != SG_OK) {
			const char *colon = strrchr(fx->why.text, '/');

			colon = strchr(colon, ':');
			buf_printf(all, "!%s\n", colon + 1);
			continue;
		}
		if (is_end)
			break;
		if (fixture_decode(fx, row.writer, row.bytes, row.len) != SG_OK)
			fail_msg("%s", fx->why.text);
		buf_printf(all, "%d ", (int)row.line);
		for (size_t i = 0; i < SG_COUNTOF(fields); i++)
			buf_printf(all, "%s%s", i == 0 ? "" : "|",
				value_text(fx, fx->slots[i]));
		buf_put_u8(all, '\n');
	}
	return buf_cstr(all);
}

struct row {
	const char *name;
	const char *text;
	size_t len;
	const char *want;
};
#define TEXT(text) text, sizeof(text) - 1

static void
check_rows(const struct row *rows, size_t n, const char *end)
{
	for (size_t i = 0; i < n; i++) {
		struct file_reader *reader = NULL;
		uint64_t done, total;
		struct fixture fx;
		struct temp temp;
		struct buf all;

		buf_init(&all, 1 << 20);
		fixture_init(&fx, account_schema, DECODE_BARE);
		temp_write(&temp, end, rows[i].text, rows[i].len);
		if (file_reader_open(temp.path, fx.schemas, 0, &reader,
			    &fx.why) != SG_OK)
			fail_msg("%s: %s", rows[i].name, fx.why.text);
		if (strcmp(read_all(&fx, reader, &all), rows[i].want) != 0)
			fail_msg("%s:\n%s", rows[i].name, buf_cstr(&all));
		file_reader_progress(reader, &done, &total);
		assert_int_equal(done, rows[i].len);
		assert_int_equal(total, rows[i].len);
		file_reader_close(reader);
		temp_remove(&temp);
		fixture_fini(&fx);
		buf_fini(&all);
	}
}

static void
csv_rows_come_out(void **state)
{
	static const struct row rows[] = {
		{"header alone", TEXT("id\n"), ""},
		{"no end of line at the end", TEXT("id\na"),
			"2 \"a\"|null|null|false|null|null|[]\n"},
		{"CRLF", TEXT("id,seats\r\na,1\r\nb,2\r\n"),
			"2 \"a\"|1|null|false|null|null|[]\n"
			"3 \"b\"|2|null|false|null|null|[]\n"},
		{"byte order mark, blank lines, an alias",
			TEXT("\xef\xbb\xbf\naccount_id, seats \n\na,1\n\n"),
			"4 \"a\"|1|null|false|null|null|[]\n"},
		{"quotes",
			TEXT("id,note\n\"a,b\",\"say \"\"hi\"\"\nthere\"\nc,"
			     "d\"e\n"),
			"2 \"a,b\"|null|null|false|\"say "
			"\\\"hi\\\"\\nthere\"|null|[]\n"
			"4 \"c\"|null|null|false|\"d\\\"e\"|null|[]\n"},
		{"every type",
			TEXT("id,seats,at,trial,mrr,tags\n"
			     "a, 27.0 ,2024-02-29 03:00:00,True,-12.50,"
			     "\"[\"\"x\"\"]\"\n"),
			"2 \"a\"|27|\"2024-02-29T03:00:00Z\"|true|null|-12.5|"
			"[\"x\"]\n"},
		{"empty cells", TEXT("id,seats,at,trial,note,mrr\n,,,,,\n"),
			"2 \"\"|null|null|false|null|null|[]\n"},
		{"quoted and empty is a text", TEXT("id,note\na,\"\"\nb,\n"),
			"2 \"a\"|null|null|false|\"\"|null|[]\n"
			"3 \"b\"|null|null|false|null|null|[]\n"},
		{"a column with a NUL is another one",
			TEXT("id,id\0and more than its name\na,b\n"),
			"2 \"a\"|null|null|false|null|null|[]\n"},
		{"columns nobody wants", TEXT("x,id,y\n1,a,2\n"),
			"2 \"a\"|null|null|false|null|null|[]\n"},
		{"bad rows cost themselves",
			TEXT("id,seats\na,x\nb\nc,1,2\n\"d\"e,4\n\xff,5\nf,"
			     "6\n"),
			"!2: field 'seats': not a number\n"
			"!3: 1 cells, but the header has 2\n"
			"!4: 3 cells, but the header has 2\n"
			"!5: there is text after a closing quote\n"
			"!6: field 'id': the text is not valid UTF-8\n"
			"7 \"f\"|6|null|false|null|null|[]\n"},
		{"quote never closed", TEXT("id,seats\na,1\n\"b,2\nc,3\n"),
			"2 \"a\"|1|null|false|null|null|[]\n"
			"!3: a quote is never closed\n"},
		{"a lone CR is data", TEXT("id\na\rb\n"),
			"2 \"a\\u000db\"|null|null|false|null|null|[]\n"},
	};

	(void)state;
	check_rows(rows, SG_COUNTOF(rows), ".csv");
}

static void
ndjson_rows_come_out(void **state)
{
	static const struct row rows[] = {
		{"nothing", TEXT(""), ""},
		{"blank", TEXT("\n \n\r\n"), ""},
		{"rows",
			TEXT("\xef\xbb\xbf{\"id\":\"a\",\"seats\":3,\"x\":1}\n"
			     "\n{\"account_id\":\"b\",\"mrr\":0.1,\"tags\":"
			     "[\"t\"]}\r\n{\"id\":\"c\"}"),
			"1 \"a\"|3|null|false|null|null|[]\n"
			"3 \"b\"|null|null|false|null|0.1|[\"t\"]\n"
			"4 \"c\"|null|null|false|null|null|[]\n"},
		{"bad rows cost themselves",
			TEXT("{\"id\":\"a\"\n{\"seats\":1}\n7\n{\"id\":\"b\"}"
			     "\n"),
			"!1: not valid JSON at column 9\n"
			"!2: field 'id': it is missing, and has no default\n"
			"!3: an object was expected\n"
			"4 \"b\"|null|null|false|null|null|[]\n"},
	};

	(void)state;
	check_rows(rows, SG_COUNTOF(rows), ".ndjson");
}

static void
file_that_cannot_be_used_is_refused_at_once(void **state)
{
	static const struct {
		const char *end;
		const char *text;
		enum sg_err err;
		const char *want;
	} rows[] = {
		{".txt", "", SG_BAD_OPTION, "which format"},
		{".csv.gz", "", SG_BAD_OPTION, "gzip -dk"},
		{".csv.xz", "", SG_BAD_OPTION, "xz -dk"},
		{".csv", "", SG_BAD_RECORD, "there is no header"},
		{".csv", "\n\n", SG_BAD_RECORD, "there is no header"},
		{".csv", "\"id\n", SG_BAD_RECORD, "a quote is never closed"},
		{".csv", "seats,at\n", SG_BAD_RECORD, ":1: no column for: id"},
		{".csv", "id,id\n", SG_BAD_RECORD, "two columns are the field"},
		{".csv", "id,account_id\n", SG_BAD_RECORD,
			"two columns are the field"},
		{".json", "[{\"id\":\"a\"}]", SG_BAD_OPTION, "jq -c"},
		{".avro", "", SG_BAD_RECORD, "not an Avro container"},
		{".avro", "Obj\x02", SG_BAD_RECORD, "not an Avro container"},
		{".avro", "Obj\x01\x02\x01", SG_BAD_RECORD,
			"header is damaged"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct file_reader *reader = NULL;
		struct fixture fx;
		struct temp temp;

		fixture_init(&fx, account_schema, DECODE_BARE);
		temp_write(
			&temp, rows[i].end, rows[i].text, strlen(rows[i].text));
		if (file_reader_open(temp.path, fx.schemas, 0, &reader,
			    &fx.why) != rows[i].err)
			fail_msg("row %zu: %s", i, fx.why.text);
		if (strstr(fx.why.text, rows[i].want) == NULL)
			fail_msg("row %zu: %s", i, fx.why.text);
		temp_remove(&temp);
		fixture_fini(&fx);
	}
}

static void
file_that_is_not_there_is_an_io_error(void **state)
{
	struct file_reader *reader = NULL;
	struct fixture fx;

	(void)state;
	fixture_init(&fx, account_schema, DECODE_BARE);
	assert_int_equal(file_reader_open("/nowhere/a.csv", fx.schemas, 0,
				 &reader, &fx.why),
		SG_IO);
	/* A folder opens, and cannot be read. */
	assert_int_equal(file_reader_open("/nowhere.csv", fx.schemas, 0,
				 &reader, &fx.why),
		SG_IO);
	fixture_fini(&fx);
}

/* --- containers ----------------------------------------------------------- */

/* Another schema than the reader's: fields moved, a number promoted. */
static const char writer_schema[] =
	"{\"type\":\"record\",\"name\":\"Account\",\"fields\":["
	"{\"name\":\"note\",\"type\":\"string\"},"
	"{\"name\":\"seats\",\"type\":\"int\"},"
	"{\"name\":\"account_id\",\"type\":\"string\"}]}";

static void
container_row(avro_value_t *value, int i)
{
	avro_value_t field;
	char text[64];

	(void)snprintf(text, sizeof(text), "acct-%d", i % 100);
	assert_int_equal(
		avro_value_get_by_name(value, "account_id", &field, NULL), 0);
	assert_int_equal(avro_value_set_string(&field, text), 0);
	assert_int_equal(
		avro_value_get_by_name(value, "seats", &field, NULL), 0);
	assert_int_equal(avro_value_set_int(&field, i), 0);
	(void)snprintf(text, sizeof(text), "%d a note that repeats", i * 7919);
	assert_int_equal(
		avro_value_get_by_name(value, "note", &field, NULL), 0);
	assert_int_equal(avro_value_set_string(&field, text), 0);
}

/* `n` rows, written by Avro C in blocks of some 4 KB. */
static void
container_write(struct temp *temp, const char *codec, int n)
{
	avro_file_writer_t writer;
	avro_value_iface_t *iface;
	avro_schema_t schema;
	avro_value_t value;

	temp_write(temp, ".avro", "", 0);
	assert_int_equal(avro_schema_from_json_length(
				 writer_schema, strlen(writer_schema), &schema),
		0);
	assert_int_equal(avro_file_writer_create_with_codec(
				 temp->path, schema, &writer, codec, 4096),
		0);
	iface = avro_generic_class_from_schema(schema);
	assert_non_null(iface);
	assert_int_equal(avro_generic_value_new(iface, &value), 0);
	for (int i = 0; i < n; i++) {
		container_row(&value, i);
		assert_int_equal(
			avro_file_writer_append_value(writer, &value), 0);
	}
	assert_int_equal(avro_file_writer_close(writer), 0);
	avro_value_decref(&value);
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
}

/* Read rows from *at on as long as they are good; the sum of their seats. */
static enum sg_err
container_sum(
	struct fixture *fx, struct file_reader *reader, int64_t *sum, int *n)
{
	struct file_row row;
	bool is_end = false;
	enum sg_err err;

	for (;;) {
		err = file_reader_next(reader, &row, &is_end, &fx->why);
		if (err != SG_OK || is_end)
			return err;
		if (fixture_decode(fx, row.writer, row.bytes, row.len) != SG_OK)
			fail_msg("%s", fx->why.text);
		assert_int_equal(row.line, *n + 1);
		*sum += fx->slots[0].as.i;
		(*n)++;
		arena_reset(&fx->arena);
	}
}

static void
container_rows_come_out_of_every_codec(void **state)
{
	static const char *const codecs[] = {"null", "deflate"};
	static const int counts[] = {0, 1, 5000};

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct file_reader *reader = NULL;
		struct fixture fx;
		struct temp temp;
		int64_t sum = 0;
		int n = 0, want = counts[i / 2];

		container_write(&temp, codecs[i % 2], want);
		fixture_init(&fx, account_schema, DECODE_BARE);
		(void)fixture_bind(&fx, "seats");
		(void)fixture_bind(&fx, "id");
		if (file_reader_open(temp.path, fx.schemas, 0, &reader,
			    &fx.why) != SG_OK)
			fail_msg("%s", fx.why.text);
		if (container_sum(&fx, reader, &sum, &n) != SG_OK)
			fail_msg("%s: %s", codecs[i % 2], fx.why.text);
		assert_int_equal(n, want);
		assert_int_equal(sum, (int64_t)want * (want - 1) / 2);
		file_reader_close(reader);
		temp_remove(&temp);
		fixture_fini(&fx);
	}
}

/* One byte anywhere behind the header is flipped: most rows still come. */
static void
damage_costs_a_block(void **state)
{
	static const char *const codecs[] = {"null", "deflate"};
	struct buf whole;

	(void)state;
	buf_init(&whole, 1 << 20);
	for (size_t i = 0; i < 40; i++) {
		struct file_reader *reader = NULL;
		struct fixture fx;
		struct temp temp;
		int64_t sum = 0;
		int n = 0, nbad = 0;
		FILE *file;
		enum sg_err err;
		size_t at;

		container_write(&temp, codecs[i % 2], 2000);
		buf_reset(&whole);
		file = fopen(temp.path, "rb");
		assert_non_null(file);
		whole.len =
			fread(buf_reserve(&whole, 1 << 19), 1, 1 << 19, file);
		assert_int_equal(fclose(file), 0);
		temp_remove(&temp);
		at = 500 + (whole.len - 500) * i / 40;
		whole.bytes[at] ^= 0xff;
		temp_write(&temp, ".avro", whole.bytes, whole.len);

		fixture_init(&fx, account_schema, DECODE_BARE);
		/* Damaged text is not what this test is about. */
		(void)fixture_bind(&fx, "trial");
		if (file_reader_open(temp.path, fx.schemas, 0, &reader,
			    &fx.why) != SG_OK)
			fail_msg("%s", fx.why.text);
		while ((err = container_sum(&fx, reader, &sum, &n)) != SG_OK) {
			assert_int_equal(err, SG_BAD_RECORD);
			assert_true(++nbad < 5);
		}
		if (n < 1200 || n > 2000)
			fail_msg("byte %zu: %d rows", at, n);
		file_reader_close(reader);
		temp_remove(&temp);
		fixture_fini(&fx);
	}
	buf_fini(&whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_rows_come_out),
		cmocka_unit_test(ndjson_rows_come_out),
		cmocka_unit_test(file_that_cannot_be_used_is_refused_at_once),
		cmocka_unit_test(file_that_is_not_there_is_an_io_error),
		cmocka_unit_test(container_rows_come_out_of_every_codec),
		cmocka_unit_test(damage_costs_a_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
