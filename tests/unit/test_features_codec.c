/*
 * test_features_codec.c - the stored form: its size, other layouts, damage.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/change.h"
#include "segmentd/features.h"

#define DAY CIVIL_DAY_MS
#define BASE INT64_C(1709251200000)
#define BLOB_MAX ((size_t)1 << 20)

static const struct feature_keep keep[] = {{"status", 2, &type_string},
	{"arr", 1, &type_double}, {"ends_at", 3, &type_timestamp}};

#define WINDOWED(name_, kind_, days_, slot_, type_)                            \
	{                                                                      \
		.name = (name_), .identity = (name_), .kind = FEATURE_##kind_, \
		.window_ms = (days_)*DAY, .slot = (slot_), .type = (type_),    \
		.filter = -1                                                   \
	}
#define PLAIN(name_, kind_, slot_, type_)                                      \
	{                                                                      \
		.name = (name_), .identity = (name_), .kind = FEATURE_##kind_, \
		.slot = (slot_), .type = (type_), .filter = -1                 \
	}
#define COLLECT(name_, max_, nkeep_)                                           \
	{                                                                      \
		.name = (name_), .identity = (name_), .kind = FEATURE_collect, \
		.slot = 2, .type = &type_string, .filter = -1,                 \
		.key_name = "id", .keep = keep, .nkeep = (nkeep_),             \
		.max = (max_), .closed_filter = -1, .remove_filter = -1        \
	}

/* Slots: 0 int, 1 double, 2 text, 3 time. One of each kind and more. */
static const struct feature_def twenty[] = {
	WINDOWED("logins_14d", count, 14, -1, NULL),
	WINDOWED("logins_1d", count, 1, -1, NULL),
	WINDOWED("minutes_30d", sum, 30, 1, &type_double),
	WINDOWED("minutes_7d", mean, 7, 1, &type_double),
	WINDOWED("seats_90d", max, 90, 0, &type_int),
	WINDOWED("seats_low", min, 90, 0, &type_int),
	WINDOWED("rate_7d", rate, 7, -1, NULL),
	WINDOWED("trend_14d", trend, 14, -1, NULL),
	WINDOWED("users_30d", distinct, 30, 2, &type_string),
	WINDOWED("users_7d", distinct, 7, 2, &type_string),
	WINDOWED("spent_30d", sum, 30, 0, &type_int),
	WINDOWED("spent_90d", sum, 90, 0, &type_int),
	PLAIN("arr", last, 1, &type_double),
	PLAIN("plan", last, 2, &type_string),
	PLAIN("seats", last, 0, &type_int),
	PLAIN("first_seen", first, 3, &type_timestamp),
	PLAIN("last_seen", latest, 3, &type_timestamp),
	PLAIN("streak", streak, -1, NULL),
	PLAIN("silent", days_since, -1, NULL),
	COLLECT("subs", 16, 3),
};

static struct feature_set *
set_of(const struct feature_def *defs, size_t n)
{
	struct feature_set *set = NULL;
	struct sg_fault why = {0};

	if (feature_set_create(defs, n, &set, &why) != SG_OK)
		fail_msg("%s", why.text);
	return set;
}

static enum sg_err
fold(const struct feature_set *set, struct features *features, uint32_t input,
	int64_t i)
{
	static const char *const texts[] = {
		"growth", "enterprise plan", "free"};
	const char *text = texts[i % 3];
	struct value slots[4] = {value_int(10 + i), value_double(12.5),
		value_string(text, (uint32_t)strlen(text)),
		value_timestamp_ms(BASE + i * DAY)};
	struct event ev = {.input = input,
		.at_ms = BASE + i * DAY + 12345,
		.kafka_ms = BASE + i * DAY + 12400,
		.offset = 1000000 + i * 37,
		.id_hash = (uint64_t)i * 7919 + 1,
		.slots = slots,
		.nslots = 4};
	struct fold_result result;

	return features_fold(set, features, &ev, 0, &result);
}

static struct features *
folded(const struct feature_set *set, int64_t n)
{
	struct features *features = NULL;

	assert_int_equal(features_create(set, &features), SG_OK);
	for (int64_t i = 0; i < n; i++)
		assert_int_equal(fold(set, features, 0, i), SG_OK);
	return features;
}

static struct buf
encoded(const struct feature_set *set, const struct features *features)
{
	struct buf blob;

	buf_init(&blob, BLOB_MAX);
	features_encode(set, features, &blob);
	assert_false(blob.is_failed);
	return blob;
}

/* An account that was set up, has a subscription and was used on two days;
 * profile, subscription and usage are inputs of their own. */
static void
a_quiet_account_of_20_features_is_small(void **state)
{
	struct feature_def defs[SG_COUNTOF(twenty)];
	struct feature_set *set;
	struct features *features = NULL;
	struct buf blob;

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(twenty); i++) {
		defs[i] = twenty[i];
		if (defs[i].kind == FEATURE_last ||
			defs[i].kind == FEATURE_first)
			defs[i].input = 1;
		if (defs[i].kind == FEATURE_collect)
			defs[i].input = 2;
	}
	set = set_of(defs, SG_COUNTOF(twenty));
	assert_int_equal(features_create(set, &features), SG_OK);
	assert_int_equal(fold(set, features, 1, 0), SG_OK);
	assert_int_equal(fold(set, features, 2, 1), SG_OK);
	for (int64_t day = 7; day < 21; day += 7)
		assert_int_equal(fold(set, features, 0, day), SG_OK);
	blob = encoded(set, features);
	print_message("quiet: %zu bytes stored, %zu held\n", blob.len,
		features_size(features));
	assert_true(blob.len < 200);
	assert_true(features_size(features) < 1024);
	buf_fini(&blob);
	features_destroy(features);
	feature_set_destroy(set);
}

static void
the_size_is_what_malloc_gives(void **state)
{
	struct feature_set *set = set_of(twenty, SG_COUNTOF(twenty));
	struct features *features = NULL;
	struct features *copy = NULL;
	size_t before = 0;

	(void)state;
	assert_int_equal(features_create(set, &features), SG_OK);
	before = features_size(features);
	for (int64_t i = 0; i < 1000; i++)
		assert_int_equal(fold(set, features, 0, i), SG_OK);
	assert_true(features_size(features) > before);
	/* A year of days later all windows are empty but for a tile or two. */
	assert_int_equal(fold(set, features, 0, 5000), SG_OK);

	struct buf blob = encoded(set, features);
	struct buf_reader rd;

	buf_reader_init(&rd, blob.bytes, blob.len);
	assert_int_equal(features_decode(set, NULL, &rd, &copy), SG_OK);
	assert_true(features_size(copy) <= features_size(features));
	features_destroy(copy);
	buf_fini(&blob);
	features_destroy(features);
	feature_set_destroy(set);
}

/* --- layouts ------------------------------------------------------------ */

static struct features_layout *
layout_between(const struct feature_set *old, const struct feature_set *today)
{
	struct features_layout *layout = NULL;
	struct sg_fault why = {0};
	struct buf text;

	buf_init(&text, BLOB_MAX);
	assert_int_equal(features_layout_write(old, &text), SG_OK);
	if (features_layout_read(today, text.bytes, text.len, &layout, &why) !=
		SG_OK)
		fail_msg("%s", why.text);
	buf_fini(&text);
	return layout;
}

/* What a state of `old` becomes under `today`. */
static struct features *
moved(const struct feature_set *old, const struct features *features,
	const struct feature_set *today)
{
	struct features_layout *layout = layout_between(old, today);
	struct buf blob = encoded(old, features);
	struct features *copy = NULL;
	struct buf_reader rd;

	buf_reader_init(&rd, blob.bytes, blob.len);
	assert_int_equal(features_decode(today, layout, &rd, &copy), SG_OK);
	assert_true(rd.at == rd.end);
	buf_fini(&blob);
	features_layout_destroy(layout);
	return copy;
}

static struct value
value_of(const struct feature_set *set, const struct features *features,
	uint32_t i, int64_t now_ms)
{
	struct value v;
	int64_t until;

	features_value(set, features, i, now_ms, NULL, &v, &until);
	return v;
}

/* Whatever order the features come in, and whichever are left. */
static void
features_that_are_still_there_are_kept(void **state)
{
	enum { N = SG_COUNTOF(twenty) };
	struct feature_set *old = set_of(twenty, N);
	struct features *features = folded(old, 9);
	const int64_t now_ms = BASE + 9 * DAY;

	(void)state;
	for (uint32_t round = 0; round < 200; round++) {
		struct feature_def defs[N];
		uint32_t from[N];
		size_t n = 0;
		struct feature_set *today;
		struct features *copy;

		/* 7 and 20 have no common divisor. */
		for (uint32_t i = 0; i < N; i++) {
			uint32_t which = (i * 7 + round) % N;

			if ((round * 2654435761u >> (which % 16) & 3) == 0)
				continue;
			from[n] = which;
			defs[n] = twenty[which];
			defs[n++].input = (which + round) % 3;
		}
		today = set_of(defs, n);
		copy = moved(old, features, today);
		for (uint32_t i = 0; i < n; i++) {
			if (!value_same(
				    value_of(old, features, from[i], now_ms),
				    value_of(today, copy, i, now_ms)))
				fail_msg("round %u: %s", round, defs[i].name);
		}
		features_destroy(copy);
		feature_set_destroy(today);
	}
	features_destroy(features);
	feature_set_destroy(old);
}

static void
another_identity_is_another_feature(void **state)
{
	struct feature_def other[] = {
		WINDOWED("logins_14d", count, 14, -1, NULL),
		WINDOWED("seats_90d", max, 91, 0, &type_int),
		PLAIN("arr", last, 3, &type_timestamp),
		PLAIN("plan", first, 2, &type_string),
		PLAIN("new", last, 1, &type_double),
		PLAIN("seats", last, 0, &type_int),
	};
	struct feature_set *old = set_of(twenty, SG_COUNTOF(twenty));
	struct features *features = folded(old, 9);
	struct feature_set *today;
	struct features *copy;

	(void)state;
	other[0].identity = "another filter";
	today = set_of(other, SG_COUNTOF(other));
	copy = moved(old, features, today);
	assert_int_equal(value_of(today, copy, 0, BASE + 9 * DAY).as.i, 0);
	for (uint32_t i = 1; i < 5; i++)
		assert_int_equal(value_of(today, copy, i, BASE + 9 * DAY).kind,
			VALUE_ABSENT);
	assert_int_equal(value_of(today, copy, 5, BASE + 9 * DAY).as.i, 18);
	features_destroy(copy);
	features_destroy(features);
	feature_set_destroy(today);
	feature_set_destroy(old);
}

static void
kept_fields_may_come_and_go(void **state)
{
	static const struct feature_keep other[] = {
		{"ends_at", 3, &type_timestamp}, {"owner", 2, &type_string},
		{"status", 2, &type_string}};
	const struct feature_def before[] = {COLLECT("subs", 16, 3)};
	struct feature_def after[] = {COLLECT("subs", 2, 3)};
	struct feature_set *old = set_of(before, 1);
	struct features *features = folded(old, 3);
	struct feature_set *today;
	struct features *copy;
	struct value v;

	(void)state;
	after[0].keep = other;
	today = set_of(after, 1);
	copy = moved(old, features, today);
	v = value_of(today, copy, 0, BASE);
	/* Room for two: the oldest, "growth", had to go. */
	assert_int_equal(v.len, 2);
	assert_int_equal(features_dropped(today, copy, 0), 1);
	for (uint32_t i = 0; i < v.len; i++) {
		const struct value *f = v.as.items[i].as.items;

		assert_int_equal(v.as.items[i].len, 4);
		assert_int_equal(f[1].kind, VALUE_TIMESTAMP);
		assert_int_equal(f[2].kind, VALUE_NULL);
		assert_true(value_same(f[3], f[0]));
	}
	features_destroy(copy);
	features_destroy(features);
	feature_set_destroy(today);
	feature_set_destroy(old);
}

static void
a_smaller_window_reads_a_larger_ring(void **state)
{
	const struct feature_def before[] = {WINDOWED("a", count, 90, -1, NULL),
		WINDOWED("b", count, 7, -1, NULL)};
	struct feature_set *old = set_of(before, 2);
	struct feature_set *today = set_of(&before[1], 1);
	struct features *features = folded(old, 60);
	struct features *copy = moved(old, features, today);
	struct features *fresh = folded(today, 60);
	struct buf a = encoded(today, copy);
	struct buf b = encoded(today, fresh);

	(void)state;
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.bytes, b.bytes, a.len);
	buf_fini(&a);
	buf_fini(&b);
	features_destroy(fresh);
	features_destroy(copy);
	features_destroy(features);
	feature_set_destroy(today);
	feature_set_destroy(old);
}

/* --- damage ------------------------------------------------------------- */

/* Whatever happened to the bytes: an error, or a state that can be used. */
static void
use_or_refuse(const struct feature_set *set, uint32_t nfeatures,
	const struct features_layout *layout, const uint8_t *bytes, size_t len)
{
	uint8_t *exact = malloc(len + 1);
	struct features *features = NULL;
	struct buf_reader rd;
	enum sg_err err;

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	buf_reader_init(&rd, exact, len);
	err = features_decode(set, layout, &rd, &features);
	if (err == SG_OK) {
		struct buf blob;

		for (int64_t i = 9; i < 12; i++)
			assert_int_equal(fold(set, features, 0, i), SG_OK);
		for (uint32_t i = 0; i < nfeatures; i++)
			(void)value_of(set, features, i, BASE + 9 * DAY);
		blob = encoded(set, features);
		buf_fini(&blob);
		features_destroy(features);
	} else {
		assert_int_equal(err, SG_BAD_BLOB);
	}
	free(exact);
}

static void
damaged_bytes_are_refused_or_harmless(void **state)
{
	struct feature_set *set = set_of(twenty, SG_COUNTOF(twenty));
	struct feature_set *other = set_of(twenty + 3, 9);
	struct features_layout *layout = layout_between(set, other);
	struct features *features = folded(set, 9);
	struct buf blob = encoded(set, features);
	uint64_t seed = 7;

	(void)state;
	for (size_t len = 0; len < blob.len; len++) {
		struct features *cut = NULL;
		struct buf_reader rd;

		buf_reader_init(&rd, blob.bytes, len);
		assert_int_equal(
			features_decode(set, NULL, &rd, &cut), SG_BAD_BLOB);
	}
	for (int i = 0; i < 20000; i++) {
		size_t at;
		uint8_t was;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		at = (size_t)(seed >> 33) % blob.len;
		was = blob.bytes[at];
		blob.bytes[at] = (uint8_t)(seed >> 20);
		use_or_refuse(
			set, SG_COUNTOF(twenty), NULL, blob.bytes, blob.len);
		use_or_refuse(other, 9, layout, blob.bytes, blob.len);
		if (i % 3 != 0) /* some damage stays and adds up */
			blob.bytes[at] = was;
	}
	buf_fini(&blob);
	features_layout_destroy(layout);
	features_destroy(features);
	feature_set_destroy(other);
	feature_set_destroy(set);
}

static void
a_damaged_layout_is_refused_or_harmless(void **state)
{
	struct feature_set *set = set_of(twenty, SG_COUNTOF(twenty));
	struct features *features = folded(set, 9);
	struct buf blob = encoded(set, features);
	struct buf text;
	uint64_t seed = 5;

	(void)state;
	buf_init(&text, BLOB_MAX);
	assert_int_equal(features_layout_write(set, &text), SG_OK);
	for (size_t len = 0; len < text.len; len++) {
		struct features_layout *layout = NULL;

		assert_int_equal(features_layout_read(
					 set, text.bytes, len, &layout, NULL),
			SG_BAD_BLOB);
	}
	for (int i = 0; i < 5000; i++) {
		struct features_layout *layout = NULL;
		size_t at;
		uint8_t was;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		at = (size_t)(seed >> 33) % text.len;
		was = text.bytes[at];
		text.bytes[at] = (uint8_t)(seed >> 20);
		if (features_layout_read(
			    set, text.bytes, text.len, &layout, NULL) == SG_OK)
			use_or_refuse(set, SG_COUNTOF(twenty), layout,
				blob.bytes, blob.len);
		features_layout_destroy(layout);
		text.bytes[at] = was;
	}
	buf_fini(&text);
	buf_fini(&blob);
	features_destroy(features);
	feature_set_destroy(set);
}

/* Of few decimals they are stored as whole numbers: to the bit, all the same.
 */
static void
doubles_and_times_come_back_to_the_bit(void **state)
{
	static const struct feature_def defs[] = {
		PLAIN("d", last, 0, &type_double),
		PLAIN("t", last, 1, &type_timestamp),
		PLAIN("u", last, 2, &type_timestamp)};
	static const double rows[] = {0.0, -0.0, 1.0, -1.0, 0.1, -0.01, 0.07,
		0.001, 52700.5, 52700.55, 1e15, 999999999999999.0, 1e300,
		-1e300, 5e-324, 4503599627370497.5, 0.30000000000000004, NAN,
		INFINITY, -INFINITY};
	static const int64_t times[] = {0, 1, BASE, BASE + 365 * DAY,
		BASE - 20000 * DAY, INT64_C(100000000000999)};
	struct feature_set *set = set_of(defs, SG_COUNTOF(defs));

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows) * SG_COUNTOF(times); i++) {
		int64_t ms = times[i % SG_COUNTOF(times)];
		struct value slots[3] = {
			value_double(rows[i % SG_COUNTOF(rows)]),
			value_timestamp_ms(ms), value_timestamp_ms(ms + 7)};
		struct event ev = {.at_ms = BASE,
			.kafka_ms = BASE,
			.slots = slots,
			.nslots = 3};
		struct features *features = NULL, *copy = NULL;
		struct fold_result result;
		struct buf_reader rd;
		struct buf blob;

		assert_int_equal(features_create(set, &features), SG_OK);
		assert_int_equal(
			features_fold(set, features, &ev, 0, &result), SG_OK);
		blob = encoded(set, features);
		buf_reader_init(&rd, blob.bytes, blob.len);
		assert_int_equal(features_decode(set, NULL, &rd, &copy), SG_OK);
		for (uint32_t k = 0; k < 3; k++) {
			struct value v;
			int64_t until_ms;

			features_value(set, copy, k, BASE, NULL, &v, &until_ms);
			if (!value_same(v, slots[k]))
				fail_msg("row %zu, feature %u", i, k);
		}
		buf_fini(&blob);
		features_destroy(copy);
		features_destroy(features);
	}
	feature_set_destroy(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quiet_account_of_20_features_is_small),
		cmocka_unit_test(doubles_and_times_come_back_to_the_bit),
		cmocka_unit_test(the_size_is_what_malloc_gives),
		cmocka_unit_test(features_that_are_still_there_are_kept),
		cmocka_unit_test(another_identity_is_another_feature),
		cmocka_unit_test(kept_fields_may_come_and_go),
		cmocka_unit_test(a_smaller_window_reads_a_larger_ring),
		cmocka_unit_test(damaged_bytes_are_refused_or_harmless),
		cmocka_unit_test(a_damaged_layout_is_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
