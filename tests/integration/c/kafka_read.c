/* Reading from a real broker: positions, seeks, pauses, rebalances. */
#include "rig.h"

#define N 4000 /* records of each input topic "in" */
#define FEW 60 /* of topics "re", twice */

static int64_t
total(const struct rig_worker *w)
{
	int64_t sum = 0;

	for (int i = 0; i < 2; i++)
		for (int j = 0; j < RIG_PARTITIONS; j++)
			sum += w->next[i][j];
	return sum;
}

static void
topics_are_compared(void **state)
{
	struct rig_name in0 = rig_name("in0");
	struct rig_name in1 = rig_name("in1");
	struct rig_name other = rig_name("two"); /* 2 partitions */
	struct rig_name absent = rig_name("absent");
	const char *good[] = {in0.text, in1.text};
	const char *bad[] = {in0.text, other.text, absent.text};
	struct ingest_opts opts = {.group = "g",
		.instance = "i",
		.topics = good,
		.ntopics = 2,
		.batch_max = 1};
	struct sg_fault why;
	int32_t n = 0;

	(void)state;
	opts.props = rig_props(&opts.nprops);
	assert_ok(ingest_check_topics(&opts, RIG_WAIT_MS, &n, &why), why);
	assert_int_equal(n, RIG_PARTITIONS);
	opts.topics = bad;
	opts.ntopics = 3;
	assert_int_equal(ingest_check_topics(&opts, RIG_WAIT_MS, &n, &why),
		SG_BAD_CONFIG);
	assert_non_null(strstr(why.text, "in0 has 3"));
	assert_non_null(strstr(why.text, "two has 2"));
	assert_non_null(strstr(why.text, "absent is missing"));
	/* Asking must not have created it. */
	assert_int_equal(ingest_check_topics(&opts, RIG_WAIT_MS, &n, &why),
		SG_BAD_CONFIG);
	assert_non_null(strstr(why.text, "absent is missing"));
}

static void
everything_is_read_once_and_in_order(void **state)
{
	struct rig_worker w = {.start = {0}};
	struct sg_fault why;
	int64_t low[INPUTS_MAX] = {-1, -1};
	int64_t high[INPUTS_MAX] = {-1, -1};
	int nends = 0;

	(void)state;
	assert_ok(rig_worker_open(&w, "in", "once", "a", &why), why);
	RIG_UNTIL(&w, w.nassigned == 1);
	for (int64_t until = clock_mono_us() + RIG_WAIT_MS * 1000LL;
		nends < 2 * RIG_PARTITIONS && clock_mono_us() < until;) {
		struct ingest_batch batch;

		rig_poll(&w, &batch);
		nends += (int)batch.nends;
		for (size_t i = 0; i < batch.nends; i++)
			assert_int_equal(batch.ends[i].offset,
				w.next[batch.ends[i].input]
				      [batch.ends[i].partition]);
	}
	assert_int_equal(nends, 2 * RIG_PARTITIONS);
	assert_int_equal(w.nrecords, 2 * N);
	for (int32_t i = 0; i < RIG_PARTITIONS; i++) {
		assert_true(w.is_owned[i]);
		assert_ok(ingest_watermarks(
				  w.in, i, RIG_WAIT_MS, low, high, &why),
			why);
		assert_int_equal(low[0], 0);
		assert_int_equal(high[0], w.next[0][i]);
		assert_int_equal(high[1], w.next[1][i]);
		assert_int_equal(ingest_lag(w.in, 0, i), 0);
	}
	assert_true(ingest_is_connected(w.in));
	ingest_close(w.in, 10000);
	assert_int_equal(w.nrevoked, 1);
}

static void
seeks_and_pauses_lose_and_repeat_nothing(void **state)
{
	struct rig_worker w = {.start = {0}};
	struct sg_fault why;
	uint64_t random = 42;
	int nturns = 0;

	(void)state;
	assert_ok(rig_worker_open(&w, "in", "seek", "a", &why), why);
	RIG_UNTIL(&w, w.nassigned == 1);
	while (total(&w) < 2 * N || nturns < 60) {
		struct ingest_batch batch;
		int32_t part;
		uint32_t input;

		assert_true(nturns < 3000);
		random = random * 6364136223846793005U + 1442695040888963407U;
		part = (int32_t)(random >> 33) % RIG_PARTITIONS;
		input = (uint32_t)(random >> 40) % 2;
		if (nturns < 60 && random >> 60 < 3) {
			int64_t at[INPUTS_MAX];

			/* Back by up to 200 records. */
			for (int i = 0; i < 2; i++) {
				at[i] = w.next[i][part] -
					(int64_t)(random >> 50) % 200;
				at[i] = at[i] < 0 ? 0 : at[i];
				w.next[i][part] = at[i];
			}
			assert_ok(ingest_start(w.in, part, at, &why), why);
		} else if (nturns < 60) {
			ingest_pause(w.in, input, part, random >> 61 < 4);
		} else if (nturns == 60) {
			for (uint32_t i = 0; i < 2; i++)
				for (part = 0; part < RIG_PARTITIONS; part++)
					ingest_pause(w.in, i, part, false);
		}
		rig_poll(&w, &batch); /* fails on a gap or repeat */
		nturns++;
	}
	assert_int_equal(total(&w), 2 * N);
	ingest_close(w.in, 10000);
}

/* librdkafka asks for one offset too many when it is resumed at the end. */
static void
an_input_that_is_resumed_at_its_end_goes_on(void **state)
{
	struct rig_worker w = {.start = {0}};
	struct ingest_batch batch;
	struct sg_fault why;

	(void)state;
	for (int i = 0; i < 2; i++)
		rig_produce("re", i, FEW);
	assert_ok(rig_worker_open(&w, "re", "resume", "a", &why), why);
	RIG_UNTIL(&w, total(&w) == 2 * FEW);
	for (int turn = 0; turn < 60; turn++) {
		for (int i = 0; i < 2 * RIG_PARTITIONS; i++)
			ingest_pause(w.in, (uint32_t)i % 2, i / 2, true);
		for (int i = 0; i < 2 * RIG_PARTITIONS; i++)
			ingest_pause(w.in, (uint32_t)i % 2, i / 2, false);
		rig_poll(&w, &batch);
	}
	for (int i = 0; i < 2; i++)
		rig_produce("re", i, FEW);
	RIG_UNTIL(&w, total(&w) == 4 * FEW);
	ingest_close(w.in, 10000);
}

/* A take-over may begin again before the first record has come. */
static void
a_seek_right_after_the_assignment_counts(void **state)
{
	struct rig_worker w = {.start = {0}};
	int64_t at[INPUTS_MAX] = {7, 0};
	struct sg_fault why;

	(void)state;
	assert_ok(rig_worker_open(&w, "in", "early", "a", &why), why);
	while (w.nassigned == 0) {
		struct ingest_batch batch;

		assert_ok(ingest_poll(w.in, 0, &batch, &why), why);
		assert_int_equal(batch.nrecords, 0);
	}
	for (int32_t i = 0; i < RIG_PARTITIONS; i++) {
		w.next[0][i] = 7;
		assert_ok(ingest_start(w.in, i, at, &why), why);
	}
	RIG_UNTIL(&w, total(&w) == 2 * N);
	assert_int_equal(w.nrecords, 2 * N - 7 * RIG_PARTITIONS);
	ingest_close(w.in, 10000);
}

static void
a_paused_input_stays_silent(void **state)
{
	struct rig_worker w = {.start = {0}};
	struct sg_fault why;

	(void)state;
	assert_ok(rig_worker_open(&w, "in", "paused", "a", &why), why);
	RIG_UNTIL(&w, w.nassigned == 1);
	for (int32_t i = 0; i < RIG_PARTITIONS; i++)
		ingest_pause(w.in, 0, i, true);
	/* What was on its way counts as read; nothing more of it comes. */
	RIG_UNTIL(&w, w.next[1][0] + w.next[1][1] + w.next[1][2] == N);
	assert_true(w.next[0][0] + w.next[0][1] + w.next[0][2] < N);
	for (int32_t i = 0; i < RIG_PARTITIONS; i++)
		ingest_pause(w.in, 0, i, false);
	RIG_UNTIL(&w, total(&w) == 2 * N);
	ingest_close(w.in, 10000);
}

static void
an_offset_that_is_gone_needs_the_operator(void **state)
{
	struct rig_worker w = {.start = {123456789, 0}};
	struct sg_fault why = {.err = SG_OK};
	struct ingest_batch batch;
	enum sg_err err = SG_OK;
	int64_t until = clock_mono_us() + RIG_WAIT_MS * 1000LL;

	(void)state;
	assert_ok(rig_worker_open(&w, "in", "gone", "a", &why), why);
	while (err == SG_OK && clock_mono_us() < until)
		err = ingest_poll(w.in, 100, &batch, &why);
	assert_int_equal(err, SG_OPERATOR);
	assert_non_null(strstr(why.text, "123456789"));
	assert_non_null(strstr(why.text, "in0"));
	assert_non_null(strstr(why.text, "it has 0 to "));
	ingest_close(w.in, 10000);
}

static void
what_assigned_returns_comes_out_of_poll(void **state)
{
	struct rig_worker w = {.assigned_err = SG_STORE_DOWN};
	struct sg_fault why = {.err = SG_OK};
	struct ingest_batch batch;
	enum sg_err err = SG_OK;
	int64_t until = clock_mono_us() + RIG_WAIT_MS * 1000LL;

	(void)state;
	assert_ok(rig_worker_open(&w, "in", "refuse", "a", &why), why);
	while (err == SG_OK && clock_mono_us() < until)
		err = ingest_poll(w.in, 100, &batch, &why);
	assert_int_equal(err, SG_STORE_DOWN);
	/* Nothing is assigned: no records, and nothing to revoke. */
	for (int i = 0; i < 5; i++) {
		assert_ok(ingest_poll(w.in, 50, &batch, &why), why);
		assert_int_equal(batch.nrecords, 0);
	}
	ingest_close(w.in, 10000);
	assert_int_equal(w.nrevoked, 0);
}

static void
no_metadata_before_joining(void **state)
{
	struct rig_worker w = {.start = {0}};
	struct sg_fault why;
	struct buf bytes;

	(void)state;
	buf_init(&bytes, 4096);
	assert_ok(rig_worker_open(&w, "in", "join", "a", &why), why);
	assert_int_equal(ingest_group_metadata(w.in, &bytes, &why), SG_FENCED);
	assert_int_equal(bytes.len, 0);
	RIG_UNTIL(&w, w.nassigned == 1);
	assert_ok(ingest_group_metadata(w.in, &bytes, &why), why);
	assert_true(bytes.len > 0);
	buf_fini(&bytes);
	ingest_close(w.in, 10000);
}

static void
commit_all(struct rig_worker *w)
{
	static const char *const metadata[INPUTS_MAX] = {"v=1", "v=1"};

	for (int32_t i = 0; i < RIG_PARTITIONS; i++) {
		int64_t at[INPUTS_MAX] = {w->next[0][i], w->next[1][i]};
		struct sg_fault why;

		assert_true(w->is_owned[i]);
		assert_ok(ingest_commit(w->in, i, at, metadata, &why), why);
	}
}

/* A second member joins: each group has one owner, who goes on from what was
 * committed. */
static void
members_take_up_what_was_committed(void **state)
{
	struct rig_worker a = {.is_from_committed = true};
	struct rig_worker b = {.is_from_committed = true};
	struct ingest_batch batch;
	struct sg_fault why;
	int64_t until = clock_mono_us() + 2 * RIG_WAIT_MS * 1000LL;

	(void)state;
	assert_ok(rig_worker_open(&a, "in", "hand", "a", &why), why);
	RIG_UNTIL(&a, a.nassigned == 1);
	for (int i = 0; i < 3; i++)
		rig_poll(&a, &batch);
	commit_all(&a);
	assert_ok(rig_worker_open(&b, "in", "hand", "b", &why), why);
	while (b.nassigned == 0 || a.nassigned < 2) {
		assert_true(clock_mono_us() < until);
		rig_poll(&a, &batch);
		rig_poll(&b, &batch);
	}
	assert_string_equal(b.metadata, "v=1");
	/* Every group has one owner, and both have some. */
	for (int i = 0; i < RIG_PARTITIONS; i++)
		assert_int_equal(a.is_owned[i] + b.is_owned[i], 1);
	assert_int_not_equal(b.is_owned[0] + b.is_owned[1] + b.is_owned[2], 0);
	for (int64_t sum = 0; sum < 2 * N;) {
		assert_true(clock_mono_us() < until);
		rig_poll(&a, &batch);
		rig_poll(&b, &batch);
		sum = 0;
		for (int i = 0; i < RIG_PARTITIONS; i++)
			for (int j = 0; j < 2; j++)
				sum += a.is_owned[i] ? a.next[j][i]
						     : b.next[j][i];
	}
	ingest_close(b.in, 10000);
	ingest_close(a.in, 10000);
}

/* The second process with one instance name takes over, the first is told. */
static void
one_instance_name_has_one_owner(void **state)
{
	struct rig_worker a = {.start = {0}};
	struct rig_worker b = {.start = {0}};
	struct sg_fault why = {.err = SG_OK};
	struct ingest_batch batch;
	enum sg_err err = SG_OK;
	int64_t until = clock_mono_us() + RIG_WAIT_MS * 1000LL;

	(void)state;
	assert_ok(rig_worker_open(&a, "in", "twice", "same", &why), why);
	RIG_UNTIL(&a, a.nassigned == 1);
	assert_ok(rig_worker_open(&b, "in", "twice", "same", &why), why);
	RIG_UNTIL(&b, b.nassigned == 1);
	while (err == SG_OK && clock_mono_us() < until)
		err = ingest_poll(a.in, 100, &batch, &why);
	assert_int_equal(err, SG_OPERATOR);
	assert_non_null(strstr(why.text, "another process"));
	ingest_close(a.in, 10000);
	assert_int_equal(a.nlost, 1);
	ingest_close(b.in, 10000);
	assert_int_equal(b.nrevoked, 1);
	assert_int_equal(b.nlost, 0);
}

static int
produce_inputs(void **state)
{
	(void)state;
	rig_produce("in", 0, N);
	rig_produce("in", 1, N);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topics_are_compared),
		cmocka_unit_test(everything_is_read_once_and_in_order),
		cmocka_unit_test(seeks_and_pauses_lose_and_repeat_nothing),
		cmocka_unit_test(an_input_that_is_resumed_at_its_end_goes_on),
		cmocka_unit_test(a_seek_right_after_the_assignment_counts),
		cmocka_unit_test(a_paused_input_stays_silent),
		cmocka_unit_test(an_offset_that_is_gone_needs_the_operator),
		cmocka_unit_test(what_assigned_returns_comes_out_of_poll),
		cmocka_unit_test(no_metadata_before_joining),
		cmocka_unit_test(members_take_up_what_was_committed),
		cmocka_unit_test(one_instance_name_has_one_owner),
	};

	return cmocka_run_group_tests(tests, produce_inputs, NULL);
}
