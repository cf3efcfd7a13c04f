/*
 * Membership: stored and read back, over layouts that changed, adopted from
 * what was published, and read from bytes that somebody else made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/segments.h"

static const char *const touch[] = {"high", "mid", "low"};
static const char *const in[] = {"in"};
static const char *const windows[] = {"T-90", "T-30", "due", "overdue"};

#define EXCLUSIVE(n, list)                                                     \
	{                                                                      \
		.name = (n), .kind = SEGMENTATION_EXCLUSIVE,                   \
		.segments = (list), .nsegments = SG_COUNTOF(list)              \
	}
#define TAG(n)                                                                 \
	{                                                                      \
		.name = (n), .kind = SEGMENTATION_TAG, .segments = in,         \
		.nsegments = 1                                                 \
	}

static const struct segmentation_def defs[] = {
	EXCLUSIVE("touch", touch),
	TAG("hot"),
	TAG("beta"),
	EXCLUSIVE("renewal", windows),
};

#define NDEFS SG_COUNTOF(defs)

static struct membership *
new_membership(size_t n)
{
	struct membership *ms = NULL;

	assert_int_equal(membership_create(n, &ms), SG_OK);
	return ms;
}

static void
assert_same(const struct membership *a, const struct membership *b, size_t n)
{
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->updated_ms, b->updated_ms);
	assert_int_equal(a->has_renewal, b->has_renewal);
	if (a->has_renewal)
		assert_int_equal(a->renewal_date_ms, b->renewal_date_ms);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(a->seats[i].segment, b->seats[i].segment);
		assert_int_equal(a->seats[i].since_ms, b->seats[i].since_ms);
		assert_int_equal(a->seats[i].is_pinned, b->seats[i].is_pinned);
		assert_int_equal(a->seats[i].ruled_ms, b->seats[i].ruled_ms);
		if (a->seats[i].is_pinned)
			assert_int_equal(a->seats[i].ruled, b->seats[i].ruled);
	}
}

/* In touch.mid, hot was left, beta never taken, renewal T-30. */
static struct membership *
sample(void)
{
	struct membership *ms = new_membership(NDEFS);

	ms->version = 300;
	ms->updated_ms = INT64_C(1772000000000);
	ms->has_renewal = true;
	ms->renewal_date_ms = INT64_C(1790000000001);
	ms->seats[0] =
		(struct seat){.since_ms = INT64_C(1771000000000), .segment = 1};
	ms->seats[1] = (struct seat){
		.since_ms = INT64_C(1772000000000), .segment = SEAT_NONE};
	ms->seats[3] =
		(struct seat){.since_ms = INT64_C(1770000000000), .segment = 1};
	return ms;
}

/* --- stored with today's layout ----------------------------------------- */

static void
assert_round_trip(
	const struct membership *ms, const struct segmentation_def *d, size_t n)
{
	struct membership *back = new_membership(n);
	struct buf_reader rd;
	struct buf buf;

	buf_init(&buf, 1 << 20);
	membership_encode(ms, d, n, &buf);
	assert_false(buf.is_failed);
	buf_reader_init(&rd, buf.bytes, buf.len);
	assert_int_equal(membership_decode(&rd, NULL, d, n, back), SG_OK);
	assert_ptr_equal(rd.at, rd.end);
	assert_same(ms, back, n);
	/* Whatever is cut off, it is told. */
	for (size_t len = 0; len < buf.len; len++) {
		buf_reader_init(&rd, buf.bytes, len);
		assert_int_equal(
			membership_decode(&rd, NULL, d, n, back), SG_BAD_BLOB);
	}
	membership_destroy(back);
	buf_fini(&buf);
}

static void
what_is_stored_is_read_back(void **state)
{
	struct membership *ms = new_membership(NDEFS);

	(void)state;
	assert_round_trip(ms, defs, NDEFS);
	membership_destroy(ms);

	ms = sample();
	assert_round_trip(ms, defs, NDEFS);

	/* Edges of the numbers. */
	ms->version = UINT64_MAX;
	ms->updated_ms = INT64_MAX;
	ms->renewal_date_ms = INT64_MIN;
	ms->seats[0] = (struct seat){.since_ms = 1, .segment = 2};
	ms->seats[1] = (struct seat){.since_ms = INT64_MAX, .segment = 0};
	ms->seats[2] =
		(struct seat){.since_ms = INT64_MIN, .segment = SEAT_NONE};
	assert_round_trip(ms, defs, NDEFS);
	/* Pinned: from somewhere, from nowhere; and an old stay. */
	ms->seats[0] = (struct seat){.since_ms = 5,
		.segment = 2,
		.is_pinned = true,
		.ruled = 1,
		.ruled_ms = INT64_MIN};
	ms->seats[1] = (struct seat){.since_ms = 5,
		.segment = 0,
		.is_pinned = true,
		.ruled = SEAT_NONE,
		.ruled_ms = 0};
	ms->seats[2] = (struct seat){
		.since_ms = 5, .segment = SEAT_NONE, .ruled_ms = INT64_MAX};
	assert_round_trip(ms, defs, NDEFS);
	membership_destroy(ms);

	ms = new_membership(0);
	assert_round_trip(ms, NULL, 0);
	membership_destroy(ms);
}

static void
the_last_segment_of_the_largest_segmentation_fits(void **state)
{
	static char texts[SEGMENTS_MAX][8];
	static const char *names[SEGMENTS_MAX];
	struct segmentation_def big = {.name = "big",
		.kind = SEGMENTATION_EXCLUSIVE,
		.segments = names,
		.nsegments = SEGMENTS_MAX};
	struct membership *ms = new_membership(1);

	(void)state;
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "s%zu", i);
		names[i] = texts[i];
	}
	ms->seats[0] =
		(struct seat){.since_ms = 5, .segment = SEGMENTS_MAX - 1};
	ms->updated_ms = 7;
	assert_round_trip(ms, &big, 1);
	membership_destroy(ms);
}

static void
a_cleared_membership_keeps_its_version(void **state)
{
	struct membership *ms = sample();

	(void)state;
	membership_clear(ms, NDEFS);
	assert_int_equal(ms->version, 300);
	assert_false(ms->has_renewal);
	for (size_t i = 0; i < NDEFS; i++) {
		assert_int_equal(ms->seats[i].segment, SEAT_NONE);
		assert_int_equal(ms->seats[i].since_ms, 0);
	}
	membership_destroy(ms);
}

/* --- over a change of the layout ---------------------------------------- */

static struct membership_layout *
layout_of(const struct segmentation_def *stored, size_t nstored,
	const struct segmentation_def *today, size_t ntoday)
{
	struct membership_layout *layout = NULL;
	struct buf_reader rd;
	struct buf buf;

	buf_init(&buf, 1 << 20);
	membership_layout_write(stored, nstored, &buf);
	for (size_t len = 0; len < buf.len; len++) {
		buf_reader_init(&rd, buf.bytes, len);
		assert_int_equal(
			membership_layout_read(&rd, today, ntoday, &layout),
			SG_BAD_BLOB);
	}
	buf_reader_init(&rd, buf.bytes, buf.len);
	assert_int_equal(
		membership_layout_read(&rd, today, ntoday, &layout), SG_OK);
	assert_ptr_equal(rd.at, rd.end);
	buf_fini(&buf);
	return layout;
}

/* `ms`, stored with the layout of `defs`, read with another configuration. */
static struct membership *
migrate(const struct membership *ms, const struct segmentation_def *today,
	size_t ntoday)
{
	struct membership_layout *layout =
		layout_of(defs, NDEFS, today, ntoday);
	struct membership *back = new_membership(ntoday);
	struct buf_reader rd;
	struct buf buf;

	buf_init(&buf, 1 << 20);
	membership_encode(ms, defs, NDEFS, &buf);
	buf_reader_init(&rd, buf.bytes, buf.len);
	assert_int_equal(
		membership_decode(&rd, layout, today, ntoday, back), SG_OK);
	assert_ptr_equal(rd.at, rd.end);
	buf_fini(&buf);
	membership_layout_destroy(layout);
	return back;
}

static void
seats_follow_their_names_into_another_configuration(void **state)
{
	static const char *const shuffled[] = {"new", "mid", "high"};
	static const char *const fewer[] = {"due", "overdue"};
	const struct segmentation_def today[] = {
		EXCLUSIVE("renewal", windows),
		TAG("fresh"),
		TAG("hot"),
		EXCLUSIVE("touch", shuffled),
	};
	const struct segmentation_def without[] = {
		EXCLUSIVE("renewal", fewer),
	};
	struct membership *ms = sample();
	struct membership *back = migrate(ms, today, SG_COUNTOF(today));

	(void)state;
	assert_int_equal(back->version, 300);
	assert_int_equal(back->renewal_date_ms, ms->renewal_date_ms);
	assert_int_equal(back->seats[0].segment, 1);
	assert_int_equal(back->seats[0].since_ms, ms->seats[3].since_ms);
	assert_int_equal(back->seats[1].segment, SEAT_NONE);
	assert_int_equal(back->seats[1].since_ms, 0);
	/* hot was left: its cooldown still counts. */
	assert_int_equal(back->seats[2].segment, SEAT_NONE);
	assert_int_equal(back->seats[2].since_ms, ms->seats[1].since_ms);
	assert_int_equal(back->seats[3].segment, 1);
	assert_false(back->seats[3].is_pinned);
	membership_destroy(back);

	/* Where the rules had put one that is pinned goes by its name as well,
	 * and is nowhere when that is gone. */
	ms->seats[0] = (struct seat){.since_ms = 5,
		.segment = 1,
		.is_pinned = true,
		.ruled = 0,
		.ruled_ms = 4};
	back = migrate(ms, today, SG_COUNTOF(today));
	assert_int_equal(back->seats[3].segment, 1);
	assert_true(back->seats[3].is_pinned);
	assert_int_equal(back->seats[3].ruled, 2);
	assert_int_equal(back->seats[3].ruled_ms, 4);
	membership_destroy(back);
	ms->seats[0] = (struct seat){.since_ms = 5,
		.segment = 1,
		.is_pinned = true,
		.ruled = 2,
		.ruled_ms = 4};
	back = migrate(ms, today, SG_COUNTOF(today));
	assert_true(back->seats[3].is_pinned);
	assert_int_equal(back->seats[3].ruled, SEAT_NONE);
	assert_int_equal(back->seats[3].ruled_ms, 0);
	assert_null(former_find(back, NULL));
	membership_destroy(back);

	/* A segment that is gone leaves the seat as if it was never taken, and
	 * a former seat; so does a segmentation. One that was left does not. */
	back = migrate(ms, without, SG_COUNTOF(without));
	assert_int_equal(back->seats[0].segment, SEAT_NONE);
	assert_int_equal(back->seats[0].since_ms, 0);
	assert_int_equal(back->version, 300);
	assert_int_equal(back->nformers, 2);
	assert_string_equal(former_find(back, "touch")->segment, "mid");
	assert_string_equal(former_find(back, "renewal")->segment, "T-30");
	assert_null(former_find(back, "hot"));
	/* Read again, they are not there twice. */
	membership_clear(back, SG_COUNTOF(without));
	assert_int_equal(back->nformers, 0);
	membership_destroy(back);

	back = migrate(ms, NULL, 0);
	assert_int_equal(back->version, 300);
	membership_destroy(back);

	back = migrate(ms, defs, NDEFS);
	assert_same(ms, back, NDEFS);
	membership_destroy(back);
	membership_destroy(ms);
}

/* A segmentation that became a tag, and the other way. */
static void
a_segmentation_of_another_kind_begins_anew(void **state)
{
	static const char *const levels[] = {"in", "deep"};
	const struct segmentation_def today[] = {
		TAG("touch"),
		EXCLUSIVE("hot", levels),
	};
	struct membership *ms = sample();
	struct membership *back;

	(void)state;
	ms->seats[1].segment = 0;
	back = migrate(ms, today, SG_COUNTOF(today));
	assert_int_equal(back->seats[0].segment, SEAT_NONE);
	/* By name: what was "in" is "in". */
	assert_int_equal(back->seats[1].segment, 0);
	membership_destroy(back);
	membership_destroy(ms);
}

/* --- published and adopted ---------------------------------------------- */

static void
adopt_round_trip(const struct membership *ms, struct membership *dest)
{
	struct membership_entry entries[NDEFS];
	struct membership_image image = {.account = "7"};
	struct buf state;

	buf_init(&state, 1 << 16);
	membership_image(ms, defs, NDEFS, entries, &state, &image);
	assert_true(image.nentries <= NDEFS);
	assert_int_equal(membership_adopt(dest, defs, NDEFS, &image), SG_OK);
	buf_fini(&state);
}

static void
what_is_published_is_adopted_whole(void **state)
{
	struct membership *ms = sample();
	struct membership *dest = new_membership(NDEFS);

	(void)state;
	/* Something else was there. */
	dest->seats[2] = (struct seat){.since_ms = 77, .segment = 0};
	dest->seats[0] = (struct seat){.since_ms = 77, .segment = 0};
	adopt_round_trip(ms, dest);
	assert_same(ms, dest, NDEFS);

	ms->seats[0] = (struct seat){.since_ms = 5,
		.segment = 2,
		.is_pinned = true,
		.ruled = 1,
		.ruled_ms = 4};
	ms->seats[1] = (struct seat){.since_ms = 5,
		.segment = 0,
		.is_pinned = true,
		.ruled = SEAT_NONE,
		.ruled_ms = 0};
	ms->seats[2] = (struct seat){
		.since_ms = 5, .segment = SEAT_NONE, .ruled_ms = 3};
	ms->seats[3] =
		(struct seat){.since_ms = 5, .segment = 1, .ruled_ms = 3};
	adopt_round_trip(ms, dest);
	assert_same(ms, dest, NDEFS);

	membership_clear(ms, NDEFS);
	adopt_round_trip(ms, dest);
	assert_same(ms, dest, NDEFS);
	membership_destroy(dest);
	membership_destroy(ms);
}

static void
the_image_names_what_people_read(void **state)
{
	struct membership_entry entries[NDEFS];
	struct membership_image image = {.account = "7"};
	struct membership *ms = sample();
	struct buf left;

	(void)state;
	buf_init(&left, 1 << 16);
	membership_image(ms, defs, NDEFS, entries, &left, &image);
	assert_int_equal(image.account_version, 300);
	assert_int_equal(image.nentries, 2);
	assert_string_equal(image.entries[0].segmentation, "touch");
	assert_string_equal(image.entries[0].segment, "mid");
	assert_string_equal(image.entries[1].segmentation, "renewal");
	assert_string_equal(image.entries[1].segment, "T-30");
	assert_true(image.has_renewal);
	assert_string_equal(image.renewal_window, "T-30");
	assert_true(image.state_len > 0);
	buf_fini(&left);
	membership_destroy(ms);
}

static void
names_that_are_not_configured_are_not_adopted(void **state)
{
	const struct membership_entry entries[] = {
		{"gone", "x", 5}, {"touch", "gone", 6}, {"hot", "in", 7}};
	struct membership_image image = {.account = "7",
		.account_version = 4,
		.entries = entries,
		.nentries = SG_COUNTOF(entries)};
	struct membership *ms = new_membership(NDEFS);

	(void)state;
	assert_int_equal(membership_adopt(ms, defs, NDEFS, &image), SG_OK);
	assert_int_equal(ms->version, 4);
	assert_int_equal(ms->seats[0].segment, SEAT_NONE);
	assert_int_equal(ms->seats[0].since_ms, 0);
	assert_int_equal(ms->seats[1].segment, 0);
	assert_int_equal(ms->seats[1].since_ms, 7);
	membership_destroy(ms);
}

static void
former_seats_are_those_of_the_newest_image(void **state)
{
	const struct membership_entry entries[] = {
		{"gone", "x", 5}, {"touch", "gone", 6}};
	struct membership_image image = {.account = "7",
		.account_version = 4,
		.entries = entries,
		.nentries = SG_COUNTOF(entries)};
	struct membership *ms = new_membership(NDEFS);

	(void)state;
	/* As the stored state has it, which is older. */
	assert_int_equal(former_add(ms, "gone", 4, "x", 1), SG_OK);
	assert_int_equal(former_add(ms, "gone", 4, "y", 1), SG_OK);
	assert_int_equal(membership_adopt(ms, defs, NDEFS, &image), SG_OK);
	assert_int_equal(ms->nformers, 3);
	assert_string_equal(former_find(ms, "gone")->segment, "x");
	assert_string_equal(former_find(ms, "touch")->segment, "gone");
	/* One that was told of is in its members' set until that is written. */
	assert_string_equal(ms->formers[1].segment, "y");
	assert_false(ms->formers[1].is_seated);
	image.nentries = 0;
	assert_int_equal(membership_adopt(ms, defs, NDEFS, &image), SG_OK);
	assert_int_equal(ms->nformers, 3);
	assert_null(former_find(ms, NULL));
	formers_forget(ms);
	assert_int_equal(ms->nformers, 0);
	membership_destroy(ms);
}

/* --- bytes of somebody else --------------------------------------------- */

static uint64_t
next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *seed >> 16;
}

/* Decoded or refused: but every seat is one there is. */
static void
assert_sane(const struct membership *ms)
{
	for (size_t i = 0; i < NDEFS; i++) {
		assert_true(ms->seats[i].segment >= SEAT_NONE);
		assert_true(ms->seats[i].segment < (int16_t)defs[i].nsegments);
	}
}

static void
made_up_bytes_never_make_a_seat_that_is_not_there(void **state)
{
	struct membership *ms = sample();
	struct membership *back = new_membership(NDEFS);
	struct membership_layout *layout = layout_of(defs, NDEFS, defs, NDEFS);
	uint64_t seed = 3;
	struct buf good;

	(void)state;
	buf_init(&good, 1 << 16);
	membership_encode(ms, defs, NDEFS, &good);
	for (int i = 0; i < 100000; i++) {
		uint8_t bytes[128];
		size_t len = good.len;
		struct buf_reader rd;
		enum sg_err err;

		memcpy(bytes, good.bytes, len);
		for (uint64_t k = next(&seed) % 4 + 1; k > 0; k--)
			bytes[next(&seed) % len] = (uint8_t)next(&seed);
		len -= next(&seed) % 3;
		buf_reader_init(&rd, bytes, len);
		err = membership_decode(
			&rd, i % 2 == 0 ? NULL : layout, defs, NDEFS, back);
		assert_true(err == SG_OK || err == SG_BAD_BLOB);
		assert_sane(back);
	}
	buf_fini(&good);
	membership_layout_destroy(layout);
	membership_destroy(back);
	membership_destroy(ms);
}

static void
made_up_layouts_and_states_are_refused_or_harmless(void **state)
{
	struct membership *ms = new_membership(NDEFS);
	uint64_t seed = 5;
	struct buf good;

	(void)state;
	buf_init(&good, 1 << 16);
	membership_layout_write(defs, NDEFS, &good);
	for (int i = 0; i < 100000; i++) {
		struct membership_layout *layout = NULL;
		struct membership_image image = {.account = "7"};
		uint8_t bytes[256];
		struct buf_reader rd;

		memcpy(bytes, good.bytes, good.len);
		for (uint64_t k = next(&seed) % 4 + 1; k > 0; k--)
			bytes[next(&seed) % good.len] = (uint8_t)next(&seed);
		buf_reader_init(&rd, bytes, good.len);
		if (membership_layout_read(&rd, defs, NDEFS, &layout) == SG_OK)
			membership_layout_destroy(layout);
		image.state = bytes;
		image.state_len = next(&seed) % good.len;
		assert_int_equal(
			membership_adopt(ms, defs, NDEFS, &image), SG_OK);
		assert_sane(ms);
	}
	buf_fini(&good);
	membership_destroy(ms);
}

static void
a_layout_that_names_too_much_is_refused(void **state)
{
	struct membership_layout *layout = NULL;
	struct buf_reader rd;
	struct buf buf;

	(void)state;
	buf_init(&buf, 1 << 16);
	buf_put_varint(&buf, SEGMENTATIONS_MAX + 1);
	buf_reader_init(&rd, buf.bytes, buf.len);
	assert_int_equal(
		membership_layout_read(&rd, defs, NDEFS, &layout), SG_BAD_BLOB);
	buf_reset(&buf);
	buf_put_varint(&buf, 1);
	buf_put_varint(&buf, 5);
	buf_put_str(&buf, "touch");
	buf_put_varint(&buf, SEGMENTS_MAX + 1);
	buf_reader_init(&rd, buf.bytes, buf.len);
	assert_int_equal(
		membership_layout_read(&rd, defs, NDEFS, &layout), SG_BAD_BLOB);
	buf_fini(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stored_is_read_back),
		cmocka_unit_test(
			the_last_segment_of_the_largest_segmentation_fits),
		cmocka_unit_test(a_cleared_membership_keeps_its_version),
		cmocka_unit_test(
			seats_follow_their_names_into_another_configuration),
		cmocka_unit_test(a_segmentation_of_another_kind_begins_anew),
		cmocka_unit_test(what_is_published_is_adopted_whole),
		cmocka_unit_test(the_image_names_what_people_read),
		cmocka_unit_test(names_that_are_not_configured_are_not_adopted),
		cmocka_unit_test(former_seats_are_those_of_the_newest_image),
		cmocka_unit_test(
			made_up_bytes_never_make_a_seat_that_is_not_there),
		cmocka_unit_test(
			made_up_layouts_and_states_are_refused_or_harmless),
		cmocka_unit_test(a_layout_that_names_too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
