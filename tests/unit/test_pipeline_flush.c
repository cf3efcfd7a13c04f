/*
 * What of a group goes to the store, and what is said of it there: at a K
 * boundary, and while the group catches up.
 */
#include "test_pipeline_support.h"

#include <inttypes.h>

#include "../../processor/pipeline/flush.h"

#define AT_MS (AT_MS_MIN + 1000)

static const char config[] =
	"topics: {overrides: \"\"}\n"
	"clock: event\n"
	"inputs:\n"
	"  a: {topic: a, key: account, time: at, features: {n: {last: n}}}\n"
	"  b: {topic: b, key: account, time: at, features: {n: {last: n}}}\n"
	"segmentations: {t: {enter: a.n > 0}}\n";

struct world {
	struct made made;
	struct driven d;
	struct store *store;
	struct arena arena;
};

static void
setup(struct world *w)
{
	struct sg_fault why = {.err = SG_OK};
	struct store_meta meta;

	must_make(config, &w->made);
	drive_begin(w->made.program, &w->d);
	arena_init(&w->arena, 1 << 24);
	assert_int_equal(store_open_mem(&w->store), SG_OK);
	assert_int_equal(
		store_group_open(w->store, 0, &w->d.group->store, &why), SG_OK);
	assert_int_equal(
		store_group_takeover(w->d.group->store, &w->arena, &meta, &why),
		SG_OK);
	(void)snprintf(w->d.group->lineage, sizeof(w->d.group->lineage), "l");
	w->d.group->is_in_kafka = true;
	w->d.group->is_catching_up = true;
	w->d.group->is_w_moved = true;
}

static void
teardown(struct world *w)
{
	drive_end(&w->d);
	store_close(w->store);
	arena_fini(&w->arena);
	unmake_program(&w->made);
}

/* An event of `account`: the next of its input. */
static struct account *
fold(struct world *w, uint32_t input, const char *account)
{
	const struct program *prog = w->made.program;
	struct group *group = w->d.group;
	struct sg_fault why = {.err = SG_OK};
	struct record rec = {.input = input,
		.offset = group->fold[input],
		.kafka_ms = -1,
		.writer = prog->inputs[input].schema};
	struct group_event ge;
	struct account *acct;
	struct buf bytes;
	char json[128];
	int len = snprintf(json, sizeof(json),
		"{\"account\": \"%s\", \"at\": %" PRId64 ", \"n\": 1}", account,
		AT_MS + rec.offset);

	buf_init(&bytes, 1 << 16);
	assert_int_equal(
		program_encode(prog, input, json, (size_t)len, &bytes, &why),
		SG_OK);
	rec.value = bytes.bytes;
	rec.value_len = bytes.len;
	assert_int_equal(group_read(&w->d.box, &rec, &ge, &why), SG_OK);
	acct = group_account(group, &ge.ev);
	assert_non_null(acct);
	acct->is_loaded = true;
	group->nfresh = 0;
	group->clock_ms = ge.ev.at_ms;
	assert_int_equal(
		group_fold(group, acct, &ge, group->clock_ms, 0), SG_OK);
	group->fold[input]++;
	buf_fini(&bytes);
	return acct;
}

static size_t
flush(struct world *w)
{
	struct sg_fault why = {.err = SG_OK};
	bool is_more;
	size_t n;

	if (flush_group(w->d.group, INT64_MAX, &n, &is_more, &why) != SG_OK)
		fail_msg("%s", why.text);
	group_untouch(w->d.group);
	assert_false(is_more);
	return n;
}

/* W, "" where nothing was ever written. */
static const char *
low_mark(struct world *w)
{
	struct sg_fault why = {.err = SG_OK};
	struct store_blob blob;
	struct store_meta meta;

	assert_int_equal(
		store_peek(w->store, 0, "", &w->arena, &blob, &meta, &why),
		SG_OK);
	return meta.w == NULL ? "" : meta.w;
}

/* The account's entry in the index of timers; AT_NEVER: none. */
static int64_t
stored_due(struct world *w, const char *account)
{
	struct store_index index = {.kind = STORE_INDEX_DUE};
	struct sg_fault why = {.err = SG_OK};
	bool is_there;
	double score = 0;

	assert_int_equal(store_index_find(w->store, &index, account, &is_there,
				 &score, &why),
		SG_OK);
	return is_there ? (int64_t)score : AT_NEVER;
}

static void
below_g_all_is_written_and_owed_an_evaluation(void **state)
{
	struct world w;
	struct account *acct;

	(void)state;
	setup(&w);
	w.d.group->committed[0] = 10;
	w.d.group->committed_clock_ms = AT_MS + 9;
	acct = fold(&w, 0, "x");
	(void)fold(&w, 0, "y");
	assert_int_equal(flush(&w), 2);
	assert_int_equal(w.d.group->ntouched, 0);
	assert_false(acct->is_dirty || acct->is_touched);
	assert_string_equal(low_mark(&w), "a=2,b=0;now=946684801001");
	assert_int_equal(stored_due(&w, "x"), DUE_OWED);
	/* Once more is no news; nor is there any for an empty chunk. */
	(void)fold(&w, 0, "x");
	assert_int_equal(flush(&w), 1);
	assert_int_equal(stored_due(&w, "x"), DUE_OWED);
	w.d.group->fold[0] = 5;
	assert_int_equal(flush(&w), 0);
	assert_string_equal(low_mark(&w), "a=3,b=0;now=946684801002");
	teardown(&w);
}

static void
above_g_nothing_is_written_before_the_rest_is_there(void **state)
{
	struct world w;
	struct account *above;

	(void)state;
	setup(&w);
	w.d.group->committed[0] = 1;
	w.d.group->committed[1] = 10;
	w.d.group->committed_clock_ms = AT_MS;
	(void)fold(&w, 0, "x");
	above = fold(&w, 0, "y");
	(void)fold(&w, 1, "z");
	assert_int_equal(flush(&w), 2);
	assert_true(above->is_dirty && above->is_touched);
	assert_int_equal(w.d.group->ntouched, 1);
	assert_int_equal(stored_due(&w, "y"), AT_NEVER);
	/* From before `y`, and no later than G in time either. */
	assert_string_equal(low_mark(&w), "a=1,b=0;now=946684801000");
	teardown(&w);
}

/* Records that are no account's: what is beyond G is not done with. */
static void
w_is_never_beyond_g(void **state)
{
	struct world w;

	(void)state;
	setup(&w);
	w.d.group->committed[0] = 3;
	w.d.group->committed[1] = 10;
	w.d.group->committed_clock_ms = AT_MS;
	(void)fold(&w, 0, "x");
	w.d.group->fold[0] = 7;
	assert_int_equal(flush(&w), 1);
	assert_string_equal(low_mark(&w), "a=3,b=0;now=946684801000");
	assert_int_equal(w.d.group->stored_w[0], 3);
	/* At the next boundary it goes on, though nothing is dirty. */
	w.d.group->is_catching_up = false;
	memcpy(w.d.group->committed, w.d.group->fold,
		sizeof(w.d.group->committed));
	assert_int_equal(flush(&w), 0);
	assert_string_equal(low_mark(&w), "a=7,b=0;now=946684801000");
	teardown(&w);
}

static void
what_is_owed_is_replaced_by_the_evaluation(void **state)
{
	struct world w;
	struct account *acct;

	(void)state;
	setup(&w);
	w.d.group->committed[0] = 1;
	acct = fold(&w, 0, "x");
	assert_int_equal(flush(&w), 1);
	w.d.group->is_catching_up = false;
	/* Evaluated at last: it has no timer. At a boundary, not before. */
	group_mark_dirty(w.d.group, acct, 0);
	assert_int_equal(group_touch(w.d.group, acct), SG_OK);
	assert_int_equal(flush(&w), 0);
	assert_int_equal(stored_due(&w, "x"), DUE_OWED);
	assert_int_equal(
		group_decide_touched(w.d.group, w.d.group->clock_ms, 0), SG_OK);
	assert_int_equal(flush(&w), 1);
	assert_int_equal(stored_due(&w, "x"), AT_NEVER);
	teardown(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(below_g_all_is_written_and_owed_an_evaluation),
		cmocka_unit_test(
			above_g_nothing_is_written_before_the_rest_is_there),
		cmocka_unit_test(w_is_never_beyond_g),
		cmocka_unit_test(what_is_owed_is_replaced_by_the_evaluation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
