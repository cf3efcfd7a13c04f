/*
 * What is evaluated when: rules whose inputs changed, rules whose time has
 * come, readers of what moved, and nothing else. The decider's counter of
 * evaluated expressions tells.
 */
#include "test_pipeline_support.h"

#include "../../processor/pipeline/explain.h"
#include "segmentd/hash.h"

#define HOUR_MS INT64_C(3600000)
#define START_MS INT64_C(1772359200000) /* 2026-03-01T10:00:00Z */

#define INPUTS                                                                 \
	"topics: {overrides: \"\"}\n"                                          \
	"inputs:\n"                                                            \
	"  a: {topic: a, key: account, time: at, features: {n: {last: n}, "    \
	"c: {count: 2h}, seen: {latest: at}}}\n"                               \
	"  b: {topic: b, key: account, time: at, id: s, features: {n: {last: " \
	"n}}}\n"

static void
event(struct driven *d, uint32_t input, const char *account, int64_t at_ms,
	int n, const char *s)
{
	char json[256];

	(void)snprintf(json, sizeof(json),
		"{\"account\":\"%s\",\"at\":%lld,\"n\":%d,\"s\":\"%s\"}",
		account, (long long)at_ms, n, s);
	assert_int_equal(group_advance(d->group, at_ms, 0), SG_OK);
	drive_fold(d, input, json);
}

static uint64_t
evaluated(struct driven *d)
{
	return decider_take_evaluated(d->box.decider);
}

static void
only_rules_whose_inputs_changed_are_evaluated(void **state)
{
	static const char yaml[] = INPUTS "segmentations:\n"
					  "  t: {enter: a.n > 100}\n"
					  "  u: {enter: b.n > 100}\n"
					  "  both: {enter: a.n + b.n > 1000}\n"
					  "  quiet: {enter: has(b.n)}\n";
	struct driven d;
	struct made made;

	(void)state;
	must_make(yaml, &made);
	drive_begin(made.program, &d);
	event(&d, 0, "7", START_MS, 1, "x");
	/* A new account: everything, once. */
	assert_int_equal(evaluated(&d), 4);
	event(&d, 0, "7", START_MS + 1, 2, "x");
	assert_int_equal(evaluated(&d), 2); /* t, both */
	event(&d, 1, "7", START_MS + 2, 1, "e1");
	assert_int_equal(d.box.changes.n, 1); /* quiet */
	assert_true(evaluated(&d) >= 3);      /* u, both, quiet */
	event(&d, 1, "7", START_MS + 3, 2, "e2");
	/* quiet is in: whether to leave is asked of enter, as no exit is
	 * given. */
	assert_int_equal(evaluated(&d), 3);
	/* A repeat changes nothing, and asks nothing. */
	event(&d, 1, "7", START_MS + 4, 3, "e2");
	assert_int_equal(evaluated(&d), 0);
	/* An event that is older than what is known changes no feature. */
	event(&d, 1, "7", START_MS + 1, 9, "e3");
	assert_int_equal(evaluated(&d), 0);
	/* Another account has rules of its own to answer. */
	event(&d, 1, "8", START_MS + 5, 1, "e1");
	assert_true(evaluated(&d) >= 4);
	assert_int_equal(d.box.changes.n, 2);
	drive_end(&d);
	unmake_program(&made);
}

static void
a_variable_is_evaluated_once_a_decision(void **state)
{
	static const char yaml[] =
		INPUTS "variables: {x: a.n * 2, y: variables.x + variables.x}\n"
		       "segmentations:\n"
		       "  t: {enter: variables.x > 100 && variables.x > 200}\n"
		       "  u: {enter: variables.y + variables.x > 1000}\n"
		       "  v: {enter: variables.y > 1000}\n";
	struct driven d;
	struct made made;

	(void)state;
	must_make(yaml, &made);
	drive_begin(made.program, &d);
	for (int i = 0; i < 3; i++) {
		event(&d, 0, "7", START_MS + i, i, "x");
		assert_int_equal(evaluated(&d), 5); /* x, y, t, u, v */
	}
	drive_end(&d);
	unmake_program(&made);
}

static void
what_is_not_needed_is_not_evaluated(void **state)
{
	static const char yaml[] = INPUTS
		"variables: {x: a.n * 2}\n"
		"segmentations:\n"
		"  lazy: {enter: a.n > 100 && variables.x > 5}\n"
		"  first: {segments: [{name: p, when: a.n >= 0}, {name: q, "
		"when: variables.x > 5}, {name: r}]}\n";
	struct driven d;
	struct made made;

	(void)state;
	must_make(yaml, &made);
	drive_begin(made.program, &d);
	event(&d, 0, "7", START_MS, 1, "x");
	(void)evaluated(&d);
	event(&d, 0, "7", START_MS + 1, 2, "x");
	assert_int_equal(evaluated(&d), 2); /* lazy, first.p */
	drive_end(&d);
	unmake_program(&made);
}

static void
readers_of_a_segment_are_evaluated_when_it_moves(void **state)
{
	static const char yaml[] =
		INPUTS "segmentations:\n"
		       "  t: {enter: a.n > 10}\n"
		       "  reader: {enter: segment.t == \"in\" && b.n > 5}\n"
		       "  other: {enter: b.n > 100}\n";
	struct driven d;
	struct made made;

	(void)state;
	must_make(yaml, &made);
	drive_begin(made.program, &d);
	event(&d, 0, "7", START_MS, 1, "x");
	event(&d, 1, "7", START_MS, 9, "x");
	(void)evaluated(&d);
	event(&d, 0, "7", START_MS + 1, 2, "x");
	assert_int_equal(evaluated(&d), 1); /* t stays: nobody else is asked */
	event(&d, 0, "7", START_MS + 2, 11, "x");
	assert_int_equal(d.box.changes.n, 2);
	assert_string_equal(d.box.changes.items[0].segmentation, "t");
	assert_string_equal(d.box.changes.items[1].segmentation, "reader");
	drive_end(&d);
	unmake_program(&made);
}

static void
a_timer_evaluates_the_rule_it_is_for(void **state)
{
	static const char yaml[] =
		INPUTS "segmentations:\n"
		       "  counted: {enter: a.c >= 2}\n"
		       "  silent: {enter: now - a.seen >= hours(5)}\n"
		       "  still: {enter: a.n > 10}\n";
	struct driven d;
	struct made made;

	(void)state;
	must_make(yaml, &made);
	drive_begin(made.program, &d);
	event(&d, 0, "7", START_MS, 1, "x");
	event(&d, 0, "8", START_MS, 1, "x");
	(void)evaluated(&d);
	/* The tile leaves both windows: one rule each, and no change. */
	assert_int_equal(
		group_advance(d.group, START_MS + 3 * HOUR_MS, 0), SG_OK);
	assert_int_equal(evaluated(&d), 2);
	assert_int_equal(d.box.changes.n, 0);
	/* Nothing is due, nothing is asked. */
	assert_int_equal(
		group_advance(d.group, START_MS + 5 * HOUR_MS - 1, 0), SG_OK);
	assert_int_equal(evaluated(&d), 0);
	assert_int_equal(
		group_advance(d.group, START_MS + 5 * HOUR_MS, 0), SG_OK);
	assert_int_equal(d.box.changes.n, 2);
	/* An account that cannot change by itself has no timer. */
	assert_null(accounts_first_due(&d.group->accounts));
	drive_end(&d);
	unmake_program(&made);
}

/* The clause of a segmentation in what explain tells at `at_ms`. */
static const struct explain_clause *
explained(struct driven *d, const char *account, int64_t at_ms, size_t i,
	struct arena *arena, struct explanation *ret)
{
	struct account *acct = accounts_find(&d->group->accounts, account,
		strlen(account), hash_bytes(account, strlen(account)));

	assert_non_null(acct);
	assert_int_equal(
		explain_account(d->group->box->prog, acct, at_ms, arena, ret),
		SG_OK);
	return ret->segmentations[i].clauses;
}

static void
a_zone_nobody_knows_is_an_error_of_the_rules_that_ask(void **state)
{
	static const char yaml[] =
		"timezone: a.zone\n"
		"topics: {overrides: \"\"}\n"
		"inputs: {a: {topic: a, key: account, time: at, features: "
		"{zone: {last: s}, n: {last: n}}}}\n"
		"segmentations:\n"
		"  night: {enter: now.getHours() < 6}\n"
		"  big: {enter: a.n > 10}\n"
		"renewal: {date: 'timestamp(\"2026-03-20T00:00:00Z\")', "
		"windows: [30]}\n";
	const struct explain_clause *clause;
	struct explanation explanation;
	const uint64_t *errors;
	struct arena arena;
	struct driven d;
	struct made made;

	(void)state;
	arena_init(&arena, 1 << 20);
	must_make(yaml, &made);
	drive_begin(made.program, &d);
	event(&d, 0, "7", START_MS, 11, "Mars/Olympus");
	assert_int_equal(d.box.changes.n, 1);
	assert_string_equal(d.box.changes.items[0].segmentation, "big");
	errors = decider_rule_errors(d.box.decider);
	assert_int_equal(errors[0], 1); /* night.enter */
	assert_int_equal(errors[2], 0);
	assert_int_equal(errors[4], 1); /* renewal.date */
	clause = explained(&d, "7", START_MS, 0, &arena, &explanation);
	assert_int_equal(clause->result, EXPLAIN_ERROR);
	assert_string_equal(clause->error, "time zone not known");
	assert_string_equal(explanation.segmentations[0].held_by, "error");
	clause = explained(&d, "7", START_MS, 2, &arena, &explanation);
	assert_int_equal(clause->result, EXPLAIN_ERROR);
	assert_string_equal(clause->error, "time zone not known");
	assert_string_equal(explanation.segmentations[2].held_by, "error");
	/* 19:00 in Tokyo, in a window; what was known comes too late. */
	event(&d, 0, "7", START_MS + 1, 11, "Asia/Tokyo");
	assert_int_equal(d.box.changes.n, 2);
	assert_string_equal(d.box.changes.items[1].segmentation, "renewal");
	clause = explained(&d, "7", START_MS + 1, 0, &arena, &explanation);
	assert_int_equal(clause->result, EXPLAIN_FALSE);
	assert_null(explanation.segmentations[0].held_by);
	/* An unknown zone again: where it was, it stays. */
	event(&d, 0, "7", START_MS + 2, 11, "Nowhere");
	assert_int_equal(d.box.changes.n, 2);
	drive_end(&d);
	unmake_program(&made);
	arena_fini(&arena);
}

static void
what_is_held_back_is_counted_and_told(void **state)
{
	static const char yaml[] =
		"inputs: {a: {topic: a, key: account, time: at, features: "
		"{n: {last: n}}}}\n"
		"segmentations:\n"
		"  stay: {segments: [{name: high, when: a.n > 100}, {name: "
		"low}], min_stay: 2d}\n"
		"  cool: {enter: a.n > 100, cooldown: 2d}\n"
		"  both: {segments: [{name: high, when: a.n > 100}, {name: "
		"low}], min_stay: 1d, cooldown: 3d}\n"
		"  pinned: {enter: a.n > 100}\n"
		"  failing: {enter: 1 / a.n > 0}\n"
		"  calm: {enter: a.n > 1000}\n";
	static const struct {
		const char *by; /* NULL: nothing */
		const char *target;
		int64_t until_ms; /* from the beginning; 0: not said */
		enum decide_hold hold;
	} want[] = {{"min_stay", "low", 48 * HOUR_MS, DECIDE_HOLD_min_stay},
		{"cooldown", "in", 49 * HOUR_MS, DECIDE_HOLD_cooldown},
		{"cooldown", "low", 72 * HOUR_MS, DECIDE_HOLD_cooldown},
		{"override", "out", 9 * HOUR_MS, DECIDE_HOLD_override},
		{"error", NULL, 0, DECIDE_HOLD_error},
		{NULL, "out", 0, DECIDE_HOLD_COUNT}};
	struct explanation explanation;
	struct arena arena;
	struct driven d;
	struct made made;
	char json[512];
	uint64_t *holds;

	(void)state;
	arena_init(&arena, 1 << 20);
	must_make(yaml, &made);
	drive_begin(made.program, &d);
	holds = decider_holds(d.box.decider);
	(void)snprintf(json, sizeof(json),
		"{\"account_id\":\"7\",\"segmentation\":\"pinned\","
		"\"segment\":\"in\",\"author\":\"ann\",\"at\":%lld,"
		"\"expires_at\":%lld}",
		(long long)START_MS, (long long)(START_MS + 9 * HOUR_MS));
	event(&d, 0, "7", START_MS, 101, "x");
	drive_fold(&d, 1, json);
	event(&d, 0, "7", START_MS + HOUR_MS, 5, "x");
	for (size_t i = 0; i < SG_COUNTOF(want) * DECIDE_HOLD_COUNT; i++)
		holds[i] = 0;
	/* Each wants to move now, but for the last. */
	event(&d, 0, "7", START_MS + 2 * HOUR_MS, 0, "x");
	for (size_t i = 0; i < SG_COUNTOF(want); i++) {
		const struct explain_segmentation *seg;

		(void)explained(&d, "7", START_MS + 2 * HOUR_MS, i, &arena,
			&explanation);
		seg = &explanation.segmentations[i];
		for (size_t h = 0; h < DECIDE_HOLD_COUNT; h++) {
			/* cool is out, and wants in no more. */
			bool is_counted = h == want[i].hold && i != 1;

			if (holds[i * DECIDE_HOLD_COUNT + h] != is_counted)
				fail_msg("%s: %s is %d", seg->name,
					decide_hold_name((enum decide_hold)h),
					(int)holds[i * DECIDE_HOLD_COUNT + h]);
		}
		if (i == 1)
			continue;
		assert_int_equal(seg->is_held, want[i].by != NULL);
		if (want[i].by != NULL)
			assert_string_equal(seg->held_by, want[i].by);
		if (want[i].target != NULL)
			assert_string_equal(seg->target, want[i].target);
		if (want[i].until_ms != 0)
			assert_int_equal(seg->held_until_ms,
				START_MS + want[i].until_ms);
	}
	/* It wants in again. */
	event(&d, 0, "7", START_MS + 3 * HOUR_MS, 101, "x");
	assert_int_equal(holds[DECIDE_HOLD_COUNT + DECIDE_HOLD_cooldown], 1);
	(void)explained(
		&d, "7", START_MS + 3 * HOUR_MS, 1, &arena, &explanation);
	assert_string_equal(explanation.segmentations[1].held_by, "cooldown");
	assert_int_equal(explanation.segmentations[1].held_until_ms,
		START_MS + 49 * HOUR_MS);
	drive_end(&d);
	unmake_program(&made);
	arena_fini(&arena);
}

static void
assert_change(const struct change *change, const char *segmentation,
	const char *from, const char *to, enum change_action action,
	enum change_origin origin)
{
	const char *const have[] = {
		change->segmentation, change->from, change->to};
	const char *const want[] = {segmentation, from, to};

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(have[i] == NULL, want[i] == NULL);
		if (want[i] != NULL)
			assert_string_equal(have[i], want[i]);
	}
	assert_int_equal(change->action, action);
	assert_int_equal(change->origin, origin);
}

static void
what_the_rules_no_longer_have_is_left_once(void **state)
{
	static const char yaml[] =
		INPUTS "segmentations:\n"
		       "  touch: {segments: [{name: high, when: a.n > 100}, "
		       "{name: low}]}\n"
		       "  failing: {segments: [{name: new, when: 1 / a.n > 0}, "
		       "{name: old}]}\n";
	const struct change_reason *reason;
	struct account *acct;
	struct change *items;
	struct driven d;
	struct made made;

	(void)state;
	must_make(yaml, &made);
	drive_begin(made.program, &d);
	acct = group_account_of(d.group, "7");
	acct->ms->version = 5;
	acct->ms->has_renewal = true;
	assert_int_equal(former_add(acct->ms, "touch", 5, "mid", 3), SG_OK);
	assert_int_equal(former_add(acct->ms, "failing", 7, "was", 3), SG_OK);
	assert_int_equal(former_add(acct->ms, "busy", 4, "in", 2), SG_OK);
	assert_int_equal(former_add(acct->ms, "renewal", 7, "T-30", 4), SG_OK);
	event(&d, 0, "7", START_MS, 0, "x");
	items = d.box.changes.items;
	assert_int_equal(d.box.changes.n, 4);
	/* What the rules say today takes its place, or, when they fail, and
	 * when they say nothing about it, nothing does. */
	assert_change(&items[0], "touch", "mid", "low", ACTION_move,
		ORIGIN_rule_change);
	assert_change(&items[1], "failing", "was", NULL, ACTION_exit,
		ORIGIN_rule_change);
	assert_change(&items[2], "busy", "in", "out", ACTION_exit,
		ORIGIN_rule_change);
	assert_change(&items[3], "renewal", "T-30", "none", ACTION_exit,
		ORIGIN_rule_change);
	for (size_t i = 0; i < 4; i++) {
		reason = &items[i].reasons[items[i].nreasons - 1];
		assert_int_equal(items[i].account_version, 6 + i);
		assert_string_equal(
			reason->clause, "the rules no longer have it");
		assert_false(reason->result);
	}
	reason = &items[0].reasons[items[0].nreasons - 1];
	assert_string_equal(reason->rule, "touch.mid");
	assert_true(items[0].nreasons > 1);
	assert_false(acct->ms->has_renewal);
	/* And not again. */
	event(&d, 0, "7", START_MS + 1, 0, "x");
	assert_int_equal(d.box.changes.n, 4);
	event(&d, 0, "7", START_MS + 2, 101, "x");
	assert_int_equal(d.box.changes.n, 6);
	assert_change(&d.box.changes.items[4], "touch", "low", "high",
		ACTION_move, ORIGIN_live);
	drive_end(&d);
	unmake_program(&made);
}

static void
change_ids_depend_on_account_and_version_alone(void **state)
{
	static const char yaml[] =
		INPUTS "segmentations: {t: {enter: a.n > 10}}\n";
	static const char other[] =
		INPUTS "segmentations: {u: {enter: b.n > 10}}\n";
	static const char group[] = "group: another\n" INPUTS
				    "segmentations: {t: {enter: a.n > 10}}\n";
	char ids[3][3][33];
	const char *const texts[] = {yaml, other, group};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct driven d;
		struct made made;

		must_make(texts[i], &made);
		drive_begin(made.program, &d);
		event(&d, i == 1, "7", START_MS + (int64_t)i, 11, "x");
		event(&d, i == 1, "8", START_MS + 10, 12, "x");
		event(&d, i == 1, "7", START_MS + 20, 1, "y");
		assert_int_equal(d.box.changes.n, 3);
		for (size_t k = 0; k < 3; k++)
			memcpy(ids[i][k], d.box.changes.items[k].change_id, 33);
		drive_end(&d);
		unmake_program(&made);
	}
	assert_string_equal(ids[0][0], ids[1][0]);
	assert_string_equal(ids[0][2], ids[1][2]);
	assert_string_not_equal(ids[0][0], ids[0][1]);
	assert_string_not_equal(ids[0][0], ids[0][2]);
	/* Another group is another publisher. */
	assert_string_not_equal(ids[0][0], ids[2][0]);
	for (size_t k = 0; k < 32; k++)
		assert_non_null(strchr("0123456789abcdef", ids[0][0][k]));
	assert_int_equal(ids[0][0][32], '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_rules_whose_inputs_changed_are_evaluated),
		cmocka_unit_test(a_variable_is_evaluated_once_a_decision),
		cmocka_unit_test(what_is_not_needed_is_not_evaluated),
		cmocka_unit_test(
			readers_of_a_segment_are_evaluated_when_it_moves),
		cmocka_unit_test(a_timer_evaluates_the_rule_it_is_for),
		cmocka_unit_test(
			a_zone_nobody_knows_is_an_error_of_the_rules_that_ask),
		cmocka_unit_test(what_is_held_back_is_counted_and_told),
		cmocka_unit_test(what_the_rules_no_longer_have_is_left_once),
		cmocka_unit_test(
			change_ids_depend_on_account_and_version_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
