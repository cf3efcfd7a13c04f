/* Old rules and new: the matrix, who moves, and what of a state tells where an
 * account is. */
#include "test_pipeline_support.h"

#include <math.h>

#include "../../processor/pipeline/same.h"
#include "../../processor/pipeline/tally.h"
#include "segmentd/pipeline.h"

#define INPUTS                                                                 \
	"version: 1\n"                                                         \
	"inputs:\n"                                                            \
	"  e: {topic: e, schema: x.avsc, key: account, time: at,\n"            \
	"      features: {n: {last: n}, seen: {count: 7d}}}\n"

static const char old_rules[] =
	INPUTS "segmentations:\n"
	       "  touch: {segments: [{name: high, when: e.n >= 100},\n"
	       "    {name: mid, when: e.n >= 20}, {name: low}]}\n"
	       "  busy: {enter: e.seen >= 2}\n"
	       "  odd: {enter: e.n % 2 == 1}\n";

static const char new_rules[] =
	INPUTS "segmentations:\n"
	       "  touch: {segments: [{name: top, when: e.n >= 140},\n"
	       "    {name: mid, when: e.n >= 20}, {name: low}]}\n"
	       "  odd: {enter: e.n % 2 == 1}\n"
	       "  idle: {enter: e.seen < 2}\n";

/* A replay of `rows`: account, hours after the year 2024 began, number. */
struct row {
	const char *account;
	int64_t hour;
	int64_t n;
};

#define YEAR_2024_MS INT64_C(1704067200000)

static struct replay *
replay_of(const struct program *prog, const struct row *rows, size_t nrows)
{
	const struct replay_opts opts = {.until_ms = 0};
	struct replay *replay = NULL;

	assert_int_equal(replay_open(prog, &opts, &replay), SG_OK);
	for (size_t i = 0; i < nrows; i++) {
		struct sg_fault why = {.err = SG_OK};
		struct replay_event event = {
			.kafka_ms = -1, .clock_ms = INT64_MIN};
		struct buf bytes, json;

		buf_init(&bytes, 1 << 16);
		buf_init(&json, 1 << 16);
		buf_printf(&json, "{\"account\":\"%s\",\"at\":%lld,\"n\":%lld}",
			rows[i].account,
			(long long)(YEAR_2024_MS + rows[i].hour * 3600000),
			(long long)rows[i].n);
		assert_int_equal(program_encode(prog, 0, buf_cstr(&json),
					 json.len, &bytes, &why),
			SG_OK);
		event.bytes = bytes.bytes;
		event.len = bytes.len;
		assert_int_equal(replay_event(replay, &event, &why), SG_OK);
		buf_fini(&bytes);
		buf_fini(&json);
	}
	return replay;
}

static const struct row rows[] = {
	{"a", 0, 151},
	{"b", 0, 120},
	{"c", 1, 30},
	{"d", 2, 10},
	{"d", 3, 10},
};

static bool
is_name(const char *name, const char *want)
{
	return want == NULL ? name == NULL
			    : name != NULL && strcmp(name, want) == 0;
}

static const struct comparison_segmentation *
segmentation_named(const struct comparison *cmp, const char *name)
{
	for (size_t i = 0; i < cmp->nsegmentations; i++) {
		if (strcmp(cmp->segmentations[i].name, name) == 0)
			return &cmp->segmentations[i];
	}
	fail_msg("no segmentation %s", name);
	return NULL;
}

static struct comparison_cell
cell_of(const struct comparison_segmentation *seg, const char *from,
	const char *to)
{
	for (size_t i = 0; i < seg->nsegments * seg->nsegments; i++) {
		if (is_name(seg->segments[i / seg->nsegments], from) &&
			is_name(seg->segments[i % seg->nsegments], to))
			return seg->cells[i];
	}
	fail_msg("no cell %s -> %s", from, to);
	return (struct comparison_cell){.naccounts = 0};
}

static void
a_matrix_says_who_is_where(void **state)
{
	static const struct {
		const char *segmentation, *from, *to;
		uint64_t naccounts;
		double value;
	} cells[] = {
		{"touch", "high", "top", 1, 151},
		{"touch", "high", "mid", 1, 120},
		{"touch", "mid", "mid", 1, 30},
		{"touch", "low", "low", 1, 10},
		{"touch", "mid", "low", 0, 0},
		{"odd", "in", "in", 1, 151},
		{"odd", "out", "out", 3, 160},
		{"busy", "in", "out", 1, 10}, /* it is no more */
		{"idle", "out", "in", 3, 301},
	};
	struct made before, after;
	struct replay *replays[2];
	struct comparison *cmp = NULL;

	(void)state;
	must_make(old_rules, &before);
	must_make(new_rules, &after);
	replays[0] = replay_of(before.program, rows, SG_COUNTOF(rows));
	replays[1] = replay_of(after.program, rows, SG_COUNTOF(rows));
	assert_int_equal(
		replay_compare(replays[0], replays[1], "e.n", &cmp), SG_OK);
	assert_int_equal(cmp->naccounts, 4);
	assert_int_equal(cmp->nsegmentations, 4);
	for (size_t i = 0; i < SG_COUNTOF(cells); i++) {
		struct comparison_cell cell =
			cell_of(segmentation_named(cmp, cells[i].segmentation),
				cells[i].from, cells[i].to);

		if (cell.naccounts != cells[i].naccounts ||
			fabs(cell.value - cells[i].value) > 0)
			fail_msg("row %zu: %llu, %f", i,
				(unsigned long long)cell.naccounts, cell.value);
	}
	assert_false(segmentation_named(cmp, "busy")->is_new);
	assert_false(segmentation_named(cmp, "idle")->is_old);
	assert_int_equal(segmentation_named(cmp, "touch")->moved.naccounts, 2);
	/* By segmentation, then by account. */
	assert_int_equal(cmp->nmoves, 6);
	assert_string_equal(cmp->moves[0].account, "a");
	assert_string_equal(cmp->moves[0].to, "top");
	assert_string_equal(cmp->moves[1].account, "b");
	comparison_destroy(cmp);
	replay_destroy(replays[0]);
	replay_destroy(replays[1]);
	unmake_program(&before);
	unmake_program(&after);
}

static void
an_account_of_one_side_comes_from_nowhere(void **state)
{
	struct made before, after;
	struct replay *replays[2];
	struct comparison *cmp = NULL;
	const struct comparison_segmentation *touch;

	(void)state;
	must_make(old_rules, &before);
	must_make(new_rules, &after);
	/* b is known to the old rules only, a to the new ones. */
	replays[0] = replay_of(before.program, rows + 1, 1);
	replays[1] = replay_of(after.program, rows, 1);
	assert_int_equal(
		replay_compare(replays[0], replays[1], NULL, &cmp), SG_OK);
	assert_int_equal(cmp->naccounts, 2);
	assert_null(cmp->value);
	touch = segmentation_named(cmp, "touch");
	assert_int_equal(cell_of(touch, NULL, "top").naccounts, 1);
	assert_int_equal(cell_of(touch, "high", NULL).naccounts, 1);
	assert_int_equal(touch->all.naccounts, 2);
	comparison_destroy(cmp);
	replay_destroy(replays[0]);
	replay_destroy(replays[1]);
	unmake_program(&before);
	unmake_program(&after);
}

static void
both_are_seen_at_the_later_clock(void **state)
{
	static const struct row early[] = {{"a", 0, 1}, {"a", 1, 1}};
	static const struct row late[] = {
		{"a", 0, 1}, {"a", 1, 1}, {"b", 24 * 30, 1}};
	struct made before, after;
	struct replay *replays[2];
	struct comparison *cmp = NULL;

	(void)state;
	must_make(old_rules, &before);
	must_make(old_rules, &after);
	replays[0] = replay_of(before.program, early, SG_COUNTOF(early));
	replays[1] = replay_of(after.program, late, SG_COUNTOF(late));
	assert_int_equal(
		replay_compare(replays[0], replays[1], NULL, &cmp), SG_OK);
	assert_int_equal(cell_of(segmentation_named(cmp, "busy"), "out", "out")
				 .naccounts,
		2);
	comparison_destroy(cmp);
	replay_destroy(replays[0]);
	replay_destroy(replays[1]);
	unmake_program(&before);
	unmake_program(&after);
}

/* --- the tally ---------------------------------------------------------- */

static const char *const letters[] = {"a", "b"};
static const struct segmentation_def one_def = {.name = "s",
	.kind = SEGMENTATION_EXCLUSIVE,
	.segments = letters,
	.nsegments = 2};

static void
sums_do_not_depend_on_the_order(void **state)
{
	static const double values[][4] = {
		{0.1, 0.2, 1e15, 0.3},
		{1e15, 0.3, 0.2, 0.1},
		{0.3, 1e15, 0.1, 0.2},
	};
	double sums[SG_COUNTOF(values)];

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(values); i++) {
		struct comparison *cmp = NULL;
		struct membership *ms = NULL;
		struct tally_side side;
		struct tally *t = NULL;

		assert_int_equal(tally_create("v", &t), SG_OK);
		assert_int_equal(
			tally_side_make(t, &one_def, 1, true, &side), SG_OK);
		assert_int_equal(membership_create(1, &ms), SG_OK);
		ms->seats[0].segment = 1;
		for (size_t k = 0; k < 4; k++) {
			const struct tally_place place = {&side, ms};

			assert_int_equal(tally_add(t, "x", &place, &place, NULL,
						 values[i][k]),
				SG_OK);
		}
		assert_int_equal(tally_finish(t, &cmp), SG_OK);
		assert_int_equal(cmp->nmoves, 0);
		sums[i] = cell_of(&cmp->segmentations[0], "b", "b").value;
		comparison_destroy(cmp);
		membership_destroy(ms);
	}
	assert_true(memcmp(&sums[0], &sums[1], sizeof(sums[0])) == 0);
	assert_true(memcmp(&sums[0], &sums[2], sizeof(sums[0])) == 0);
	assert_true(fabs(sums[0] - 1000000000000000.6) < 0.2);
}

static void
what_is_held_back_stays_and_comes_later(void **state)
{
	const struct tally_later later = {
		.target = 0, .is_later = true, .at_ms = 77};
	const struct comparison_segmentation *seg;
	struct comparison *cmp = NULL;
	struct membership *ms = NULL;
	struct tally_side side;
	struct tally_place place = {.side = &side};
	struct tally *t = NULL;

	(void)state;
	assert_int_equal(tally_create(NULL, &t), SG_OK);
	assert_int_equal(tally_side_make(t, &one_def, 1, true, &side), SG_OK);
	assert_int_equal(membership_create(1, &ms), SG_OK);
	ms->seats[0].segment = 1;
	place.ms = ms;
	assert_int_equal(tally_add(t, "x", &place, &place, &later, NAN), SG_OK);
	assert_int_equal(tally_finish(t, &cmp), SG_OK);
	seg = &cmp->segmentations[0];
	assert_int_equal(cell_of(seg, "b", "b").naccounts, 1);
	assert_int_equal(cell_of(seg, "b", "a").naccounts, 0);
	assert_int_equal(cell_of(seg, "b", "a").nlater, 1);
	assert_int_equal(seg->moved.naccounts, 0);
	assert_int_equal(seg->moved.nlater, 1);
	assert_int_equal(cmp->nmoves, 1);
	assert_string_equal(cmp->moves[0].to, "b");
	assert_string_equal(cmp->moves[0].later, "a");
	assert_int_equal(cmp->moves[0].later_ms, 77);
	comparison_destroy(cmp);
	membership_destroy(ms);
}

static void
a_segmentation_may_have_many_segments(void **state)
{
	enum { N = 300 };
	char texts[N][16];
	const char *names[N];
	struct segmentation_def def = {.name = "s", .nsegments = N};
	struct comparison *cmp = NULL;
	struct membership *ms = NULL;
	struct tally_side side, other;
	struct tally *t = NULL;

	(void)state;
	for (int i = 0; i < N; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "s%d", i);
		names[i] = texts[i];
	}
	def.segments = names;
	assert_int_equal(tally_create(NULL, &t), SG_OK);
	assert_int_equal(tally_side_make(t, &one_def, 1, true, &side), SG_OK);
	assert_int_equal(membership_create(1, &ms), SG_OK);
	ms->seats[0].segment = 1;
	{
		const struct tally_place place = {&side, ms};

		assert_int_equal(
			tally_add(t, "x", &place, &place, NULL, 1), SG_OK);
	}
	/* Cells that were counted stay where they are. */
	assert_int_equal(tally_side_make(t, &def, 1, false, &other), SG_OK);
	ms->seats[0].segment = N - 1;
	{
		const struct tally_place from = {&other, ms};
		const struct tally_place to = {&side, NULL};

		assert_int_equal(tally_add(t, "y", &from, &to, NULL, 1), SG_OK);
	}
	assert_int_equal(tally_finish(t, &cmp), SG_OK);
	assert_int_equal(
		cell_of(&cmp->segmentations[0], "b", "b").naccounts, 1);
	assert_int_equal(
		cell_of(&cmp->segmentations[0], "s299", NULL).naccounts, 1);
	comparison_destroy(cmp);
	membership_destroy(ms);
}

/* --- what a state alone tells ------------------------------------------- */

static void
a_state_tells_where_an_account_was(void **state)
{
	struct segmentation_def *defs = NULL;
	struct membership_layout *layout = NULL;
	struct membership *ms = NULL;
	struct arena arena;
	struct buf blob;
	struct driven d;
	struct made made;
	size_t ndefs = 0;
	bool is_gone = true;
	enum sg_err err;

	(void)state;
	must_make(old_rules, &made);
	drive_begin(made.program, &d);
	drive_fold(&d, 0, "{\"account\":\"a\",\"at\":1704067200000,\"n\":33}");
	arena_init(&arena, 1 << 20);
	buf_init(&blob, 1 << 20);
	snapshot_write(made.program, group_account_of(d.group, "a"), 5, &blob);
	assert_int_equal(snapshot_hash(blob.bytes, blob.len),
		(uint32_t)made.program->layout_hash);

	assert_int_equal(snapshot_layout_defs(made.program->layout.bytes,
				 made.program->layout.len, &arena, &defs,
				 &ndefs, &layout),
		SG_OK);
	assert_int_equal(ndefs, 3);
	assert_string_equal(defs[0].name, "touch");
	assert_int_equal(defs[0].kind, SEGMENTATION_EXCLUSIVE);
	assert_string_equal(defs[0].segments[2], "low");
	assert_int_equal(defs[1].kind, SEGMENTATION_TAG);
	assert_int_equal(membership_create(ndefs, &ms), SG_OK);
	assert_int_equal(snapshot_membership(blob.bytes, blob.len, layout, defs,
				 ndefs, ms, &is_gone),
		SG_OK);
	assert_false(is_gone);
	assert_int_equal(ms->seats[0].segment, 1);
	assert_int_equal(ms->seats[1].segment, SEAT_NONE);
	assert_int_equal(ms->seats[2].segment, 0);
	membership_layout_destroy(layout);

	/* What is cut off anywhere is refused, or never read that far. */
	for (size_t len = 0; len < made.program->layout.len; len++) {
		layout = NULL;
		assert_int_equal(
			snapshot_layout_defs(made.program->layout.bytes, len,
				&arena, &defs, &ndefs, &layout),
			SG_BAD_BLOB);
		assert_null(layout);
	}
	for (size_t len = 0; len < blob.len; len++) {
		err = snapshot_membership(blob.bytes, len, NULL,
			made.program->defs, 3, ms, &is_gone);
		assert_true(err == SG_BAD_BLOB || len > 20);
	}
	membership_destroy(ms);
	buf_fini(&blob);
	arena_fini(&arena);
	drive_end(&d);
	unmake_program(&made);
}

/* --- rules that are the same -------------------------------------------- */

static struct conf_text
text_of(const char *s)
{
	return (struct conf_text){.s = s, .len = s == NULL ? 0 : strlen(s)};
}

static void
blanks_and_comments_do_not_make_another_rule(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} table[] = {
		{"a>1", "a > 1", true},
		{"a>1", "a > 1 // why", true},
		{"a\n>1", "a>1", true},
		{"a in b", "ain b", false},
		{"a in b", "a  in\tb", true},
		{"a == 'x y'", "a == 'x  y'", false},
		{"a == 'x//y'", "a == 'x//z'", false},
		{"a == 'it\\'s  1'", "a=='it\\'s 1'", false},
		{"a == r'\\' + b", "a == r'\\'+b", true},
		{"a == \"x\"", "a == 'x'", false},
		{"'", "'", true},
		{"'\\", "'\\", true},
		{"", "", true},
		{NULL, NULL, true},
		{NULL, "a", false},
		{"a > 1", "a > 2", false},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(table); i++) {
		struct conf_text a = text_of(table[i].a);
		struct conf_text b = text_of(table[i].b);

		if (same_rule(&a, &b) != table[i].is_same)
			fail_msg("row %zu", i);
		if (table[i].is_same && same_hash(&a) != same_hash(&b))
			fail_msg("row %zu: hashes", i);
	}
}

static void
a_lower_threshold_is_a_weaker_rule(void **state)
{
	static const struct {
		const char *weak, *strong;
		bool is_weaker;
	} table[] = {
		{"a >= 10", "a >= 20", true},
		{"a >= 20", "a >= 10", false},
		{"a >= 10", "a > 10", true},
		{"a > 10", "a >= 10", false},
		{"a > 10", "a > 10", true},
		{"a < 20", "a < 10", true},
		{"a < 10", "a < 20", false},
		{"a <= 10", "a < 10", true},
		{"a < 10", "a <= 10", false},
		{"a > -5", "a > 5", true},
		{"a > -5.5", "a > -5.25", true},
		{"a > 1.000001", "a > 1.0000005", false},
		{"a > 5", "b > 6", false},
		{"a > 5", "a < 6", false},
		{"a > 5", "a > b", false},
		{"a > 5 && c", "a > 6", false},
		{"!a > 5", "!a > 6", false},
		{"a > 5e3", "a > 6", false},
		{"a > 1234567890123", "a > 2234567890123", false},
		{"a.f() > 5.", "a.f() > 6", true},
		{"a >", "a >", false},
		{NULL, "a > 1", false},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(table); i++) {
		struct conf_text weak = text_of(table[i].weak);
		struct conf_text strong = text_of(table[i].strong);

		if (same_threshold(&weak, &strong) != table[i].is_weaker)
			fail_msg("row %zu", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_matrix_says_who_is_where),
		cmocka_unit_test(an_account_of_one_side_comes_from_nowhere),
		cmocka_unit_test(both_are_seen_at_the_later_clock),
		cmocka_unit_test(sums_do_not_depend_on_the_order),
		cmocka_unit_test(what_is_held_back_stays_and_comes_later),
		cmocka_unit_test(a_segmentation_may_have_many_segments),
		cmocka_unit_test(a_state_tells_where_an_account_was),
		cmocka_unit_test(blanks_and_comments_do_not_make_another_rule),
		cmocka_unit_test(a_lower_threshold_is_a_weaker_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
