/* A membership written and read back, and everything that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/publish.h"

static const struct membership_entry entries[] = {
	{"touch", "high", 1700000000000},
	{"expansion_ready", "in", -5},
	{"\xc3\xa4", "", 0},
};

static struct membership_image
an_image(void)
{
	return (struct membership_image){
		.account = "acc-\xc3\xa4",
		.account_version = 1ULL << 40,
		.updated_at_ms = 1700000000123,
		.rules_version = 0x8000000000000001,
		.entries = entries,
		.nentries = SG_COUNTOF(entries),
		.has_renewal = true,
		.renewal_date_ms = 1800000000000,
		.renewal_window = "T-120",
		.state = "\x00\x01\xff",
		.state_len = 3,
	};
}

static void
encode(const struct membership_image *image, struct buf *out)
{
	struct sg_fault why;

	buf_init(out, 1 << 16);
	assert_int_equal(publish_image_avro(image, out, &why), SG_OK);
}

static enum sg_err
decode(const void *bytes, size_t len, struct arena *arena,
	struct membership_image *ret_image)
{
	/* On the heap and no longer than it is: a read beyond is seen. */
	void *copy = malloc(len == 0 ? 1 : len);
	const struct record rec = {
		.value = copy, .value_len = len, .key = "k", .key_len = 1};
	struct sg_fault why;
	enum sg_err err;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	err = publish_image_read(&rec, arena, ret_image, &why);
	free(copy);
	return err;
}

static void
an_image_comes_back(void **state)
{
	struct membership_image image = an_image();
	struct membership_image found;
	struct arena arena;
	struct buf out;

	(void)state;
	arena_init(&arena, 1 << 20);
	encode(&image, &out);
	assert_int_equal(decode(out.bytes, out.len, &arena, &found), SG_OK);
	assert_string_equal(found.account, image.account);
	assert_int_equal(found.account_version, image.account_version);
	assert_false(found.is_deleted);
	assert_int_equal(found.updated_at_ms, image.updated_at_ms);
	assert_int_equal(found.rules_version, image.rules_version);
	assert_int_equal(found.nentries, SG_COUNTOF(entries));
	for (size_t i = 0; i < SG_COUNTOF(entries); i++) {
		assert_string_equal(
			found.entries[i].segmentation, entries[i].segmentation);
		assert_string_equal(
			found.entries[i].segment, entries[i].segment);
		assert_int_equal(
			found.entries[i].since_ms, entries[i].since_ms);
	}
	assert_true(found.has_renewal);
	assert_int_equal(found.renewal_date_ms, image.renewal_date_ms);
	assert_string_equal(found.renewal_window, "T-120");
	assert_int_equal(found.state_len, 3);
	assert_memory_equal(found.state, image.state, 3);
	buf_fini(&out);

	image = (struct membership_image){.account = ""};
	encode(&image, &out);
	assert_int_equal(decode(out.bytes, out.len, &arena, &found), SG_OK);
	assert_string_equal(found.account, "");
	assert_int_equal(found.nentries, 0);
	assert_false(found.has_renewal);
	assert_null(found.renewal_window);
	assert_int_equal(found.state_len, 0);
	buf_fini(&out);
	arena_fini(&arena);
}

static void
what_is_cut_short_or_longer_is_refused(void **state)
{
	struct membership_image image = an_image();
	struct membership_image found;
	struct arena arena;
	struct buf out;

	(void)state;
	arena_init(&arena, 1 << 20);
	encode(&image, &out);
	for (size_t len = 0; len < out.len; len++) {
		enum sg_err err = decode(out.bytes, len, &arena, &found);

		if (err != SG_BAD_RECORD && err != SG_UNKNOWN_SCHEMA)
			fail_msg("%zu bytes: %s", len, sg_err_name(err));
	}
	buf_put_u8(&out, 0);
	assert_int_equal(
		decode(out.bytes, out.len, &arena, &found), SG_BAD_RECORD);
	buf_fini(&out);
	arena_fini(&arena);
}

/* Any byte may be anything: refused or read, never read beyond. */
static void
a_changed_byte_does_no_harm(void **state)
{
	struct membership_image image = an_image();
	struct membership_image found;
	struct arena arena;
	struct buf out;

	(void)state;
	arena_init(&arena, 1 << 20);
	encode(&image, &out);
	for (size_t i = 0; i < out.len; i++) {
		uint8_t was = out.bytes[i];

		for (int byte = 0; byte < 256; byte++) {
			enum sg_err err;

			out.bytes[i] = (uint8_t)byte;
			err = decode(out.bytes, out.len, &arena, &found);
			if (err != SG_OK && err != SG_BAD_RECORD &&
				err != SG_UNKNOWN_SCHEMA)
				fail_msg("byte %zu = %d: %s", i, byte,
					sg_err_name(err));
			arena_reset(&arena);
		}
		out.bytes[i] = was;
	}
	buf_fini(&out);
	arena_fini(&arena);
}

static void
other_framings_are_told_apart(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
		enum sg_err want;
	} rows[] = {
		{"nothing", "", 0, SG_BAD_RECORD},
		{"Confluent's", "\x00\x00\x00\x00\x01zzzzzzzz", 13,
			SG_BAD_RECORD},
		{"another schema", "\xc3\x01zzzzzzzz", 10, SG_UNKNOWN_SCHEMA},
		{"another version", "\xc3\x02zzzzzzzz", 10, SG_BAD_RECORD},
	};
	struct membership_image found;
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++)
		if (decode(rows[i].bytes, rows[i].len, &arena, &found) !=
			rows[i].want)
			fail_msg("%s", rows[i].name);
	arena_fini(&arena);
}

static void
a_tombstone_needs_its_version(void **state)
{
	static const struct {
		const char *name;
		struct record_header headers[2];
		size_t nheaders;
		enum sg_err want;
		uint64_t version;
	} rows[] = {
		{"none", {{0}}, 0, SG_BAD_RECORD, 0},
		{"another", {{"ce_id", "9", 1}}, 1, SG_BAD_RECORD, 0},
		{"null", {{"account_version", NULL, 0}}, 1, SG_BAD_RECORD, 0},
		{"empty", {{"account_version", "", 0}}, 1, SG_BAD_RECORD, 0},
		{"no number", {{"account_version", "1x", 2}}, 1, SG_BAD_RECORD,
			0},
		{"too long", {{"account_version", "10000000000000000000", 20}},
			1, SG_BAD_RECORD, 0},
		{"greatest", {{"account_version", "9223372036854775807", 19}},
			1, SG_OK, INT64_MAX},
		{"with its time",
			{{"account_version", "12", 2}, {"updated_at", "5", 1}},
			2, SG_OK, 12},
		{"the last counts",
			{{"account_version", "1", 1},
				{"account_version", "2", 1}},
			2, SG_OK, 2},
	};
	struct membership_image found;
	struct sg_fault why;
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const struct record rec = {.key = "acc",
			.key_len = 3,
			.headers = rows[i].headers,
			.nheaders = rows[i].nheaders};

		if (publish_image_read(&rec, &arena, &found, &why) !=
			rows[i].want)
			fail_msg("%s", rows[i].name);
		if (rows[i].want != SG_OK)
			continue;
		assert_true(found.is_deleted);
		assert_string_equal(found.account, "acc");
		assert_int_equal(found.account_version, rows[i].version);
	}
	arena_fini(&arena);
}

static void
a_tombstone_needs_a_key(void **state)
{
	static const struct record_header version = {"account_version", "1", 1};
	static const struct {
		const char *key;
		size_t len;
	} rows[] = {{NULL, 0}, {"\xff", 1}, {"a\0b", 3}};
	struct membership_image found;
	struct sg_fault why;
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const struct record rec = {.key = rows[i].key,
			.key_len = rows[i].len,
			.headers = &version,
			.nheaders = 1};

		assert_int_equal(publish_image_read(&rec, &arena, &found, &why),
			SG_BAD_RECORD);
	}
	arena_fini(&arena);
}

static void
no_memory_is_said(void **state)
{
	struct membership_image image = an_image();
	struct membership_image found;
	struct arena arena;
	struct buf out;

	(void)state;
	encode(&image, &out);
	for (size_t max = 0; max < 160; max += 16) {
		arena_init(&arena, max);
		assert_int_equal(
			decode(out.bytes, out.len, &arena, &found), SG_NOMEM);
		arena_fini(&arena);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_comes_back),
		cmocka_unit_test(what_is_cut_short_or_longer_is_refused),
		cmocka_unit_test(a_changed_byte_does_no_harm),
		cmocka_unit_test(other_framings_are_told_apart),
		cmocka_unit_test(a_tombstone_needs_its_version),
		cmocka_unit_test(a_tombstone_needs_a_key),
		cmocka_unit_test(no_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
