/* What becomes of a target: moves, stays, and when to ask again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/segments.h"

#define NONE SEAT_NONE
#define HOLD TARGET_HOLD

static const char *const three[] = {"high", "mid", "low"};
static const char *const in[] = {"in"};

static struct segmentation_def
exclusive(int64_t min_stay_ms, int64_t cooldown_ms)
{
	return (struct segmentation_def){.name = "touch",
		.kind = SEGMENTATION_EXCLUSIVE,
		.segments = three,
		.nsegments = 3,
		.min_stay_ms = min_stay_ms,
		.cooldown_ms = cooldown_ms};
}

static struct segmentation_def
tag(int64_t min_stay_ms, int64_t cooldown_ms)
{
	return (struct segmentation_def){.name = "hot",
		.kind = SEGMENTATION_TAG,
		.segments = in,
		.nsegments = 1,
		.min_stay_ms = min_stay_ms,
		.cooldown_ms = cooldown_ms};
}

struct row {
	const char *name;
	int64_t min_stay_ms, cooldown_ms;
	int16_t segment;
	int64_t since_ms;
	int16_t target;
	int64_t now_ms;
	bool is_move, is_suppressed;
	int64_t wake_ms;
};

static void
check_rows(struct segmentation_def (*make)(int64_t, int64_t),
	const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct row *row = &rows[i];
		struct segmentation_def def =
			make(row->min_stay_ms, row->cooldown_ms);
		struct seat seat = {
			.since_ms = row->since_ms, .segment = row->segment};
		struct seat_step step =
			seat_step(&def, &seat, row->target, row->now_ms);

		if (step.is_move != row->is_move ||
			step.is_suppressed != row->is_suppressed ||
			step.wake_ms != row->wake_ms)
			fail_msg("row %zu: %s: move %d, suppressed %d, wake "
				 "%lld",
				i, row->name, step.is_move, step.is_suppressed,
				(long long)step.wake_ms);
	}
}

static void
an_exclusive_seat_moves_unless_a_stay_holds_it(void **state)
{
	static const struct row rows[] = {
		{"first place", 100, 100, NONE, 0, 2, 5, true, false, AT_NEVER},
		{"same place", 100, 0, 1, 50, 1, 60, false, false, AT_NEVER},
		{"the rules failed", 100, 0, 1, 50, HOLD, 60, false, false,
			AT_NEVER},
		{"no stay", 0, 0, 1, 50, 0, 50, true, false, AT_NEVER},
		{"a millisecond before its end", 100, 0, 1, 50, 0, 149, false,
			true, 150},
		{"at its end", 100, 0, 1, 50, 0, 150, true, false, AT_NEVER},
		{"the longer of the two holds", 10, 100, 1, 50, 0, 149, false,
			true, 150},
		{"the longer of the two, the other way", 100, 10, 1, 50, 0, 149,
			false, true, 150},
		{"to nowhere, it is held too", 100, 0, 1, 50, NONE, 60, false,
			true, 150},
		{"the clock is behind its stay", 100, 0, 1, 50, 0, 10, false,
			true, 150},
		{"a stay that would not fit holds for ever", INT64_MAX, 0, 1,
			50, 0, 60, false, true, AT_NEVER},
		{"before 1970", 100, 0, 1, -200, 0, -101, false, true, -100},
	};

	(void)state;
	check_rows(exclusive, rows, SG_COUNTOF(rows));
}

static void
a_tag_is_held_in_by_min_stay_and_out_by_cooldown(void **state)
{
	static const struct row rows[] = {
		{"never in: free", 100, 100, NONE, 0, 0, 5, true, false,
			AT_NEVER},
		{"out stays out", 0, 100, NONE, 50, NONE, 60, false, false,
			AT_NEVER},
		{"out of cooldown", 0, 100, NONE, 50, 0, 150, true, false,
			AT_NEVER},
		{"in cooldown", 0, 100, NONE, 50, 0, 149, false, true, 150},
		{"cooldown does not hold in", 0, 100, 0, 50, NONE, 50, true,
			false, AT_NEVER},
		{"min_stay does", 100, 0, 0, 50, NONE, 149, false, true, 150},
		{"min_stay does not hold out", 100, 0, NONE, 50, 0, 50, true,
			false, AT_NEVER},
		{"the rules failed", 100, 100, 0, 50, HOLD, 200, false, false,
			AT_NEVER},
	};

	(void)state;
	check_rows(tag, rows, SG_COUNTOF(rows));
}

/* Whatever the numbers: a held seat can move at the instant it names, and not a
 * millisecond before. */
static void
a_suppressed_move_is_made_at_the_instant_it_names(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct segmentation_def def;
		struct seat seat = {.is_pinned = false};
		struct seat_step step;
		int64_t n[4];
		int16_t target;

		for (size_t k = 0; k < SG_COUNTOF(n); k++) {
			seed = seed * UINT64_C(6364136223846793005) + 1;
			n[k] = (int64_t)(seed >> 33) % 50;
		}
		def = i % 2 == 0 ? tag(n[0], n[1]) : exclusive(n[0], n[1]);
		seat.since_ms = n[2];
		seat.segment = (int16_t)(i % 3 == 0 ? NONE : 0);
		target = (int16_t)(i % 3 == 0 ? 0 : i % 2 == 0 ? NONE : 1);
		step = seat_step(&def, &seat, target, n[2] + n[3]);
		assert_true(step.is_move != step.is_suppressed);
		if (!step.is_suppressed)
			continue;
		assert_true(step.wake_ms > n[2] + n[3]);
		assert_true(
			seat_step(&def, &seat, target, step.wake_ms).is_move);
		assert_true(seat_step(&def, &seat, target, step.wake_ms - 1)
				    .is_suppressed);
	}
}

static void
a_pin_is_no_stay(void **state)
{
	struct segmentation_def def = exclusive(10, 0);
	struct seat seat = {.since_ms = 100, .segment = 1};
	struct seat_step step;

	(void)state;
	seat_pin(&seat, 1, 101);
	assert_false(seat.is_pinned); /* it is there anyway */
	seat_pin(&seat, 0, 102);
	seat_pin(&seat, 2, 103);
	assert_int_equal(seat.segment, 2);
	assert_int_equal(seat.since_ms, 103);
	/* The rules failed: it stays. */
	step = seat_step(&def, &seat, HOLD, 104);
	assert_false(step.is_move || step.is_suppressed);
	/* They want another one than they gave it, and that is held. */
	step = seat_step(&def, &seat, 0, 104);
	assert_true(step.is_move && step.is_suppressed);
	assert_int_equal(step.to, 1);
	assert_int_equal(step.wake_ms, 110);
	seat_take(&seat, step.to, 104);
	assert_false(seat.is_pinned);
	assert_int_equal(seat.since_ms, 104);
	step = seat_step(&def, &seat, 0, 109);
	assert_true(!step.is_move && step.is_suppressed);
	seat_take(&seat, step.to, 109);
	assert_int_equal(seat.since_ms, 104);
	step = seat_step(&def, &seat, 0, 110);
	assert_true(step.is_move && !step.is_suppressed);
	seat_take(&seat, step.to, 110);
	/* A move by rules has a stay of its own. */
	step = seat_step(&def, &seat, 1, 119);
	assert_int_equal(step.wake_ms, 120);
	/* They want where it was pinned: their stay begins. */
	seat_pin(&seat, 2, 130);
	step = seat_step(&def, &seat, 2, 140);
	assert_false(step.is_move);
	seat_take(&seat, step.to, 140);
	assert_int_equal(seat.since_ms, 130);
	step = seat_step(&def, &seat, 1, 149);
	assert_int_equal(step.wake_ms, 150);
	/* Pinned before the rules had a say. */
	seat = (struct seat){.segment = SEAT_NONE};
	seat_pin(&seat, 0, 5);
	step = seat_step(&def, &seat, 1, 6);
	assert_true(step.is_move && !step.is_suppressed);
}

static void
seats_have_names(void **state)
{
	struct segmentation_def touch = exclusive(0, 0);
	struct segmentation_def hot = tag(0, 0);

	(void)state;
	assert_string_equal(seat_name(&touch, 0), "high");
	assert_string_equal(seat_name(&touch, 2), "low");
	assert_null(seat_name(&touch, 3));
	assert_null(seat_name(&touch, SEAT_NONE));
	assert_string_equal(seat_name(&hot, 0), "in");
	assert_string_equal(seat_name(&hot, SEAT_NONE), "out");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_exclusive_seat_moves_unless_a_stay_holds_it),
		cmocka_unit_test(
			a_tag_is_held_in_by_min_stay_and_out_by_cooldown),
		cmocka_unit_test(
			a_suppressed_move_is_made_at_the_instant_it_names),
		cmocka_unit_test(a_pin_is_no_stay),
		cmocka_unit_test(seats_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
