/*
 * Every allocation fails once: warnings, graphs and comparisons are SG_NOMEM
 * or right, and nothing leaks. (Under AddressSanitizer, which has an allocator
 * of its own, none fails.)
 */
#include "../support/failing_alloc.h"
#include "test_pipeline_support.h"

#include "segmentd/arena.h"
#include "segmentd/pipeline.h"

/* --- what is done ------------------------------------------------------- */

static const char rules[] =
	"version: 1\n"
	"inputs:\n"
	"  e: {topic: e, schema: x.avsc, key: account, time: at,\n"
	"      features: {n: {last: n}, m: {last: n}, seen: {count: 7d}}}\n"
	"variables: {a: e.n + 1, b: e.n + 1, c: 'segment.busy == \"in\"'}\n"
	"scores: {s: [{name: x, when: e.n > 1, points: 1},\n"
	"  {name: y, when: e.n > 1, points: 1}]}\n"
	"segmentations:\n"
	"  touch: {segments: [{name: high, when: e.n >= 100},\n"
	"    {name: mid, when: e.n >= 200}, {name: low}]}\n"
	"  busy: {enter: e.seen >= 2, exit: e.seen >= 2}\n"
	"  also: {enter: variables.c && segment.touch == 'hgih'}\n";

struct tools {
	struct made made;
	struct replay *replays[2];
};

static enum sg_err
warn(struct tools *tools)
{
	struct conf_diags *diags = NULL;
	enum sg_err err = conf_diags_create(&diags);

	if (err == SG_OK)
		err = program_warn(tools->made.program, diags);
	/* A warning may be missing when memory is short; none is made up. */
	if (diags != NULL)
		assert_true(conf_diags_warnings(diags) <= 9);
	conf_diags_destroy(diags);
	return err;
}

static enum sg_err
draw(struct tools *tools)
{
	struct graph graph;
	struct arena arena;
	enum sg_err err;

	arena_init(&arena, 1 << 20);
	err = program_graph(tools->made.program, &arena, &graph);
	if (err == SG_OK)
		assert_int_equal(graph.n, 1 + 3 + 3 + 1 + 3 + 6);
	arena_fini(&arena);
	return err;
}

static enum sg_err
compare(struct tools *tools)
{
	struct comparison *cmp = NULL;
	enum sg_err err = replay_compare(
		tools->replays[0], tools->replays[1], "e.n", &cmp);

	if (err == SG_OK) {
		assert_int_equal(cmp->naccounts, 1);
		assert_int_equal(cmp->nmoves, 2);
		comparison_destroy(cmp);
	}
	return err;
}

static void
begin(struct tools *tools)
{
	static const char *const events[] = {
		"{\"account\":\"a\",\"at\":1704067200000,\"n\":10}",
		"{\"account\":\"a\",\"at\":1704067200001,\"n\":110}",
	};
	const struct replay_opts opts = {.until_ms = 0};

	must_make(rules, &tools->made);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(replay_open(tools->made.program, &opts,
					 &tools->replays[i]),
			SG_OK);
		for (size_t k = 0; k <= i; k++) {
			struct replay_event event = {
				.kafka_ms = -1, .clock_ms = INT64_MIN};
			struct sg_fault why;
			struct buf bytes;

			buf_init(&bytes, 1 << 16);
			assert_int_equal(program_encode(tools->made.program, 0,
						 events[k], strlen(events[k]),
						 &bytes, &why),
				SG_OK);
			event.bytes = bytes.bytes;
			event.len = bytes.len;
			assert_int_equal(
				replay_event(tools->replays[i], &event, &why),
				SG_OK);
			buf_fini(&bytes);
		}
	}
}

static void
end(struct tools *tools)
{
	replay_destroy(tools->replays[0]);
	replay_destroy(tools->replays[1]);
	unmake_program(&tools->made);
}

static void
nothing_leaks_and_nothing_is_half_done(void **state)
{
	static enum sg_err (*const acts[])(struct tools *) = {
		warn, draw, compare};
	struct tools tools;

	(void)state;
	begin(&tools);
	for (size_t i = 0; i < SG_COUNTOF(acts); i++) {
		/* What is kept for ever is made before it is counted. */
		assert_int_equal(acts[i](&tools), SG_OK);
#ifdef CAN_FAIL
		for (long nth = 1;; nth++) {
			long before = pieces;
			enum sg_err err;
			bool has_failed;

			fail_at = nth;
			err = acts[i](&tools);
			has_failed = fail_at == 0;
			fail_at = 0;
			assert_true(err == SG_OK || err == SG_NOMEM);
			assert_int_equal(pieces, before);
			if (!has_failed)
				break;
			assert_true(nth < 10000);
		}
#endif
	}
	end(&tools);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_leaks_and_nothing_is_half_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
