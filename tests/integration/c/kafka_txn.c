/* Publishing on a real broker: commits, aborts, fences, reading back. */
#include "rig.h"

#include <math.h>

#define N 300

struct walked {
	uint64_t nrecords;
	uint64_t version; /* of the newest image */
	char account[64];
	bool is_deleted;
};

static enum sg_err
note(void *ctx, const struct record *rec, struct sg_fault *why)
{
	struct walked *seen = ctx;
	struct membership_image image;
	struct arena arena;
	enum sg_err err;

	arena_init(&arena, 1 << 20);
	err = publish_image_read(rec, &arena, &image, why);
	if (err == SG_OK) {
		seen->nrecords++;
		seen->version = image.account_version;
		seen->is_deleted = image.is_deleted;
		(void)snprintf(seen->account, sizeof(seen->account), "%s",
			image.account);
	}
	arena_fini(&arena);
	return err;
}

/* Call again while the broker asks for it. */
#define RETRIED(call, why)                                                     \
	({                                                                     \
		int64_t until_ = clock_mono_us() + RIG_WAIT_MS * 1000LL;       \
		enum sg_err e_ = SG_BROKER_RETRY;                              \
		while (e_ == SG_BROKER_RETRY && clock_mono_us() < until_)      \
			e_ = (call);                                           \
		e_;                                                            \
	})

static struct publish *
open_publisher(const struct rig_outputs *out)
{
	struct publish *pub = NULL;
	struct sg_fault why;

	assert_ok(publish_open(&out->opts, RIG_WAIT_MS, &pub, &why), why);
	return pub;
}

/* A worker that owns all groups, and its outputs. */
static void
open_all(struct rig_worker *w, struct rig_outputs *out, const char *name)
{
	struct sg_fault why;

	w->is_from_committed = true;
	assert_ok(rig_worker_open(w, "in", name, name, &why), why);
	RIG_UNTIL(w, w->is_owned[0] && w->is_owned[1] && w->is_owned[2]);
	rig_outputs_init(out, "out", name);
	assert_ok(publish_check_topics(&out->opts, RIG_PARTITIONS, 1, true,
			  RIG_WAIT_MS, &why),
		why);
}

static enum sg_err
send_position(struct publish *pub, struct rig_worker *w, int32_t group,
	const struct buf *metadata, const char *text, struct sg_fault *why)
{
	const struct publish_offset offsets[] = {
		{w->names[0], group, w->next[0][group], text},
		{w->names[1], group, w->next[1][group], text},
	};

	return publish_offsets(pub, offsets, 2, metadata->bytes, metadata->len,
		RIG_WAIT_MS, why);
}

static void
send_image(struct publish *pub, const char *account, uint64_t version)
{
	struct membership_image image = rig_image(account, version);
	struct sg_fault why;

	assert_ok(publish_image(pub, 0, &image, NULL, &why), why);
}

static void
outputs_are_created_once_and_compared(void **state)
{
	struct rig_outputs out;
	struct sg_fault why;

	(void)state;
	rig_outputs_init(&out, "made", "made");
	assert_int_equal(
		publish_check_topics(&out.opts, 3, 1, false, RIG_WAIT_MS, &why),
		SG_BAD_CONFIG);
	assert_non_null(strstr(why.text, "made-rejects is missing"));
	for (int i = 0; i < 2; i++)
		assert_ok(publish_check_topics(
				  &out.opts, 3, 1, true, RIG_WAIT_MS, &why),
			why);
	assert_int_equal(
		publish_check_topics(&out.opts, 5, 1, true, RIG_WAIT_MS, &why),
		SG_BAD_CONFIG);
	assert_non_null(strstr(why.text, "need 5 partitions"));
	assert_non_null(strstr(why.text, "made-changes has 3"));
	/* The compacted one in the place of another, and the reverse. */
	out.opts.topics[PUBLISH_CHANGES] = out.names[PUBLISH_CURRENT].text;
	out.opts.topics[PUBLISH_CURRENT] = out.names[PUBLISH_CHANGES].text;
	assert_int_equal(
		publish_check_topics(&out.opts, 3, 1, true, RIG_WAIT_MS, &why),
		SG_BAD_CONFIG);
	assert_non_null(strstr(why.text, "cleanup.policy"));
}

static void
a_transaction_commits_changes_and_positions(void **state)
{
	struct rig_worker w = {.start = {0}};
	struct rig_worker again = {.start = {0}};
	struct rig_outputs out;
	struct publish *pub;
	struct buf meta;
	struct sg_fault why;
	struct walked seen = {.nrecords = 0};
	struct change change = rig_change("acc-1", 1);
	struct membership_image gone = rig_image("acc-2", 2);
	int64_t next = -1;
	int64_t wanted;

	(void)state;
	buf_init(&meta, 4096);
	open_all(&w, &out, "commit");
	RIG_UNTIL(&w, w.next[0][0] > 0 && w.next[1][0] > 0);
	pub = open_publisher(&out);
	assert_ok(ingest_group_metadata(w.in, &meta, &why), why);

	assert_ok(publish_begin(pub, &why), why);
	assert_int_equal(publish_first_offset(pub, PUBLISH_CHANGES, 0), -1);
	assert_ok(publish_change(pub, 0, &change, 7, &why), why);
	send_image(pub, "acc-1", 1);
	gone.is_deleted = true;
	assert_ok(publish_image(pub, 0, &gone, NULL, &why), why);
	assert_ok(send_position(pub, &w, 0, &meta, "v=1;cno=7", &why), why);
	assert_ok(RETRIED(publish_commit(pub, RIG_WAIT_MS, &why), why), why);
	assert_int_equal(publish_first_offset(pub, PUBLISH_CHANGES, 0), 0);
	assert_int_equal(publish_next_offset(pub, PUBLISH_CHANGES, 0), 1);
	assert_int_equal(publish_first_offset(pub, PUBLISH_CURRENT, 0), 0);
	assert_int_equal(publish_next_offset(pub, PUBLISH_CURRENT, 0), 2);
	assert_int_equal(publish_first_offset(pub, PUBLISH_CURRENT, 1), -1);
	assert_int_equal(publish_first_offset(pub, PUBLISH_RENEWALS, 0), -1);

	assert_ok(ingest_walk(w.in, out.names[PUBLISH_CURRENT].text, 0, 0,
			  RIG_WAIT_MS, note, &seen, &next, &why),
		why);
	assert_int_equal(seen.nrecords, 2);
	assert_string_equal(seen.account, "acc-2");
	assert_int_equal(seen.version, 2);
	assert_true(seen.is_deleted);
	/* The commit is answered before its marker is in the log. */
	assert_in_range(next, 2, 3);
	/* From its end there is nothing, and that is no failure. */
	assert_ok(ingest_walk(w.in, out.names[PUBLISH_CURRENT].text, 0, next,
			  RIG_WAIT_MS, note, &seen, &next, &why),
		why);
	assert_int_equal(seen.nrecords, 2);
	assert_int_equal(ingest_walk(w.in, out.names[PUBLISH_CURRENT].text, 0,
				 100, RIG_WAIT_MS, note, &seen, &next, &why),
		SG_OPERATOR);

	wanted = w.next[1][0];
	ingest_close(w.in, 10000);
	again.is_from_committed = true;
	assert_ok(rig_worker_open(&again, "in", "commit", "commit", &why), why);
	RIG_UNTIL(&again, again.nassigned == 1);
	assert_string_equal(again.metadata, "v=1;cno=7");
	assert_true(again.next[1][0] >= wanted);
	ingest_close(again.in, 10000);
	publish_close(pub);
	buf_fini(&meta);
}

static void
an_aborted_transaction_leaves_nothing(void **state)
{
	struct rig_worker w = {.start = {0}};
	struct rig_outputs out;
	struct publish *pub;
	struct buf meta;
	struct arena arena;
	struct ingest_position pos;
	struct sg_fault why;
	struct walked seen = {.nrecords = 0};
	int64_t next = -1;

	(void)state;
	buf_init(&meta, 4096);
	arena_init(&arena, 1 << 16);
	open_all(&w, &out, "abort");
	rig_outputs_init(&out, "aborted", "abort");
	assert_ok(publish_check_topics(&out.opts, RIG_PARTITIONS, 1, true,
			  RIG_WAIT_MS, &why),
		why);
	RIG_UNTIL(&w, w.next[0][0] > 0 && w.next[1][0] > 0);
	pub = open_publisher(&out);
	assert_ok(ingest_group_metadata(w.in, &meta, &why), why);
	assert_ok(publish_begin(pub, &why), why);
	send_image(pub, "acc-1", 1);
	assert_ok(send_position(pub, &w, 0, &meta, "aborted", &why), why);
	assert_ok(RETRIED(publish_abort(pub, RIG_WAIT_MS, &why), why), why);

	assert_ok(ingest_committed(w.in, 0, RIG_WAIT_MS, &arena, &pos, &why),
		why);
	assert_int_equal(pos.offset[0], INGEST_OFFSET_NONE);
	assert_null(pos.metadata);
	assert_ok(ingest_walk(w.in, out.names[PUBLISH_CURRENT].text, 0, 0,
			  RIG_WAIT_MS, note, &seen, &next, &why),
		why);
	assert_int_equal(seen.nrecords, 0);

	/* The same producer goes on. */
	assert_ok(publish_begin(pub, &why), why);
	send_image(pub, "acc-1", 2);
	assert_ok(RETRIED(publish_commit(pub, RIG_WAIT_MS, &why), why), why);
	assert_ok(ingest_walk(w.in, out.names[PUBLISH_CURRENT].text, 0, 0,
			  RIG_WAIT_MS, note, &seen, &next, &why),
		why);
	assert_int_equal(seen.nrecords, 1);
	assert_int_equal(seen.version, 2);
	publish_close(pub);
	ingest_close(w.in, 10000);
	arena_fini(&arena);
	buf_fini(&meta);
}

/* While another producer's transaction is open, what a walk has to reach is
 * hidden, and a committed position of it not known. */
static void
open_transactions_are_waited_for(void **state)
{
	struct rig_worker w = {.start = {0}};
	struct rig_outputs out;
	struct rig_outputs other;
	struct publish *ours;
	struct publish *theirs;
	struct buf meta;
	struct arena arena;
	struct ingest_position pos;
	struct sg_fault why;
	struct walked seen = {.nrecords = 0};
	int64_t next = -1;

	(void)state;
	buf_init(&meta, 4096);
	arena_init(&arena, 1 << 16);
	open_all(&w, &out, "wait");
	rig_outputs_init(&out, "waited", "wait");
	rig_outputs_init(&other, "waited", "wait-other");
	assert_ok(publish_check_topics(&out.opts, RIG_PARTITIONS, 1, true,
			  RIG_WAIT_MS, &why),
		why);
	RIG_UNTIL(&w, w.next[0][0] > 0 && w.next[1][0] > 0);
	ours = open_publisher(&out);
	theirs = open_publisher(&other);
	assert_ok(ingest_group_metadata(w.in, &meta, &why), why);

	/* Theirs begins first, ours is committed behind it. */
	assert_ok(publish_begin(theirs, &why), why);
	send_image(theirs, "theirs", 1);
	assert_ok(send_position(theirs, &w, 0, &meta, "theirs", &why), why);
	while (publish_first_offset(theirs, PUBLISH_CURRENT, 0) < 0)
		send_image(theirs, "theirs", 2); /* serves deliveries */
	assert_ok(publish_begin(ours, &why), why);
	send_image(ours, "ours", 1);
	assert_ok(RETRIED(publish_commit(ours, RIG_WAIT_MS, &why), why), why);

	assert_int_equal(ingest_walk(w.in, out.names[PUBLISH_CURRENT].text, 0,
				 0, 1000, note, &seen, &next, &why),
		SG_TIMEOUT);
	assert_int_equal(seen.nrecords, 0);
	assert_int_equal(ingest_committed(w.in, 0, 1000, &arena, &pos, &why),
		SG_TIMEOUT);

	assert_ok(RETRIED(publish_commit(theirs, RIG_WAIT_MS, &why), why), why);
	assert_ok(ingest_walk(w.in, out.names[PUBLISH_CURRENT].text, 0, 0,
			  RIG_WAIT_MS, note, &seen, &next, &why),
		why);
	assert_true(seen.nrecords >= 3);
	assert_ok(ingest_committed(w.in, 0, RIG_WAIT_MS, &arena, &pos, &why),
		why);
	assert_string_equal(pos.metadata, "theirs");
	publish_close(ours);
	publish_close(theirs);
	ingest_close(w.in, 10000);
	arena_fini(&arena);
	buf_fini(&meta);
}

/* A worker that dies in a transaction: its successor ends it at once. */
static void
a_successor_does_not_wait_for_a_dead_transaction(void **state)
{
	struct rig_worker w = {.start = {0}};
	struct rig_outputs out;
	struct publish *dead;
	struct publish *pub;
	struct sg_fault why;
	struct walked seen = {.nrecords = 0};
	int64_t next = -1;
	int64_t began_us;

	(void)state;
	open_all(&w, &out, "dead");
	rig_outputs_init(&out, "died", "dead");
	assert_ok(publish_check_topics(&out.opts, RIG_PARTITIONS, 1, true,
			  RIG_WAIT_MS, &why),
		why);
	dead = open_publisher(&out);
	assert_ok(publish_begin(dead, &why), why);
	send_image(dead, "dead", 1);
	while (publish_first_offset(dead, PUBLISH_CURRENT, 0) < 0)
		send_image(dead, "dead", 2);
	began_us = clock_mono_us();
	pub = open_publisher(&out);
	assert_ok(ingest_walk(w.in, out.names[PUBLISH_CURRENT].text, 0, 0,
			  RIG_WAIT_MS, note, &seen, &next, &why),
		why);
	/* transaction.timeout.ms is 10 s. */
	assert_true(clock_mono_us() - began_us < 8000000);
	assert_int_equal(seen.nrecords, 0);
	/* And the dead one, should it only have slept, is fenced. */
	assert_int_equal(RETRIED(publish_commit(dead, RIG_WAIT_MS, &why), why),
		SG_FENCED);
	assert_int_equal(publish_begin(dead, &why), SG_FENCED);
	publish_close(dead);
	publish_close(pub);
	ingest_close(w.in, 10000);
}

/* A worker whose group went to another must not commit positions. */
static void
a_stale_generation_cannot_commit_positions(void **state)
{
	struct rig_worker a = {.start = {0}};
	struct rig_worker b = {.is_from_committed = true};
	struct rig_outputs out;
	struct publish *pub;
	struct buf meta;
	struct ingest_batch batch;
	struct sg_fault why;
	enum sg_err err;

	(void)state;
	buf_init(&meta, 4096);
	open_all(&a, &out, "stale");
	pub = open_publisher(&out);
	assert_ok(ingest_group_metadata(a.in, &meta, &why), why);
	assert_ok(publish_begin(pub, &why), why);
	send_image(pub, "stale", 1);

	assert_ok(rig_worker_open(&b, "in", "stale", "stale-b", &why), why);
	for (int64_t until = clock_mono_us() + RIG_WAIT_MS * 1000LL;
		b.nassigned == 0 || a.nassigned < 2;) {
		assert_true(clock_mono_us() < until);
		rig_poll(&a, &batch);
		rig_poll(&b, &batch);
	}
	err = RETRIED(send_position(pub, &a, 0, &meta, "stale", &why), why);
	assert_int_equal(err, SG_TXN_ABORTABLE);
	assert_ok(RETRIED(publish_abort(pub, RIG_WAIT_MS, &why), why), why);
	/* With what it knows now it can. */
	buf_reset(&meta);
	assert_ok(ingest_group_metadata(a.in, &meta, &why), why);
	assert_ok(publish_begin(pub, &why), why);
	send_image(pub, "stale", 1);
	assert_ok(RETRIED(send_position(pub, &a, 0, &meta, "new", &why), why),
		why);
	assert_ok(RETRIED(publish_commit(pub, RIG_WAIT_MS, &why), why), why);
	publish_close(pub);
	ingest_close(b.in, 10000);
	ingest_close(a.in, 10000);
	buf_fini(&meta);
}

static void
commit_last(struct rig_worker *w)
{
	struct publish *pub = w->last_ctx;
	struct sg_fault why;
	struct buf meta;

	buf_init(&meta, 4096);
	assert_ok(ingest_group_metadata(w->in, &meta, &why), why);
	assert_ok(publish_begin(pub, &why), why);
	send_image(pub, "last", 1);
	assert_ok(RETRIED(send_position(pub, w, 0, &meta, "last", &why), why),
		why);
	assert_ok(RETRIED(publish_commit(pub, RIG_WAIT_MS, &why), why), why);
	buf_fini(&meta);
}

/* A worker that is asked to stop, or to give groups away, still commits. */
static void
what_is_left_is_committed_when_letting_go(void **state)
{
	struct rig_worker w = {.last = commit_last};
	struct rig_worker b = {.is_from_committed = true};
	struct rig_outputs out;
	struct ingest_batch batch;
	struct sg_fault why;

	(void)state;
	open_all(&w, &out, "last");
	w.last_ctx = open_publisher(&out);
	RIG_UNTIL(&w, w.next[0][0] > 0 && w.next[1][0] > 0);
	assert_ok(rig_worker_open(&b, "in", "last", "last-b", &why), why);
	for (int64_t until = clock_mono_us() + RIG_WAIT_MS * 1000LL;
		b.nassigned == 0 || w.nassigned < 2;) {
		assert_true(clock_mono_us() < until);
		rig_poll(&w, &batch);
		rig_poll(&b, &batch);
	}
	assert_int_equal(w.nrevoked, 1);
	assert_true(w.is_owned[0]); /* "last" sorts before "last-b" */
	assert_string_equal(w.metadata, "last");
	ingest_close(b.in, 10000);

	w.metadata[0] = '\0';
	ingest_close(w.in, 10000);
	assert_int_equal(w.nrevoked, 2);
	publish_close(w.last_ctx);
}

/* What tests/integration/test_broker_clients.py reads. */

static void
sample_changes(struct publish *pub)
{
	static const struct change_value values[] = {
		{"account.arr", "120000.5"}, {"now", "2023-11-14T22:13:20Z"}};
	static const struct change_reason reasons[] = {
		{"touch.high", "account.arr >= 100000.0", true, values, 2},
		{"touch.mid", "true", false, NULL, 0},
	};
	struct change change = rig_change("konto-\xc3\xa4", 1);
	struct change window = rig_change("konto-\xc3\xa4", 2);
	struct sg_fault why;

	change.from = "low";
	change.valid_until_ms = 1700086400000;
	change.trigger.topic = "customer.accounts";
	change.trigger.partition = 1;
	change.trigger.offset = 1LL << 40;
	change.trigger.event_id = "e-1";
	change.reasons = reasons;
	change.nreasons = 2;
	change.renewal.is_set = true;
	change.renewal.date_ms = 1707776000000;
	change.renewal.days_left = 90;
	change.renewal.window = "T-90";
	change.priority = -0.5;
	assert_ok(publish_change(pub, 1, &change, 41, &why), why);

	window.segmentation = "renewal";
	window.action = ACTION_enter;
	window.origin = ORIGIN_timer;
	window.to = "T-90";
	window.renewal = change.renewal;
	window.priority = NAN;
	assert_ok(publish_change(pub, 1, &window, 42, &why), why);
}

static void
sample_images(struct publish *pub)
{
	struct membership_image image = rig_image("konto-\xc3\xa4", 2);
	struct membership_image gone = rig_image("gone", 9);
	struct sg_fault why;

	image.has_renewal = true;
	image.renewal_date_ms = 1707776000000;
	image.renewal_window = "T-90";
	assert_ok(publish_image(pub, 1, &image, NULL, &why), why);
	gone.is_deleted = true;
	assert_ok(publish_image(pub, 2, &gone, NULL, &why), why);
}

/* The second is too large with our headers, the third also without value. */
static void
sample_rejects(struct publish *pub)
{
	static const char header_value[] = {'\x00', '\xff'};
	static const struct record_header headers[] = {
		{"theirs", header_value, 2}, {"null", NULL, 0}};
	static char large[999990];
	struct record rec = {.partition = 2,
		.offset = 77,
		.kafka_ms = 1700000000000,
		.key = "k\xff",
		.key_len = 2,
		.value = "\x00junk",
		.value_len = 5,
		.headers = headers,
		.nheaders = 2,
		.writer = -1};
	const struct publish_reason bad = {
		SG_BAD_RECORD, "customer.usage", "at byte 3", "17"};
	const struct publish_reason large_one = {
		SG_TOO_LARGE, "customer.usage", NULL, NULL};
	struct sg_fault why;

	assert_ok(publish_reject(pub, 2, &rec, &bad, &why), why);
	memset(large, 'x', sizeof(large));
	rec.value = large;
	rec.value_len = sizeof(large);
	assert_ok(publish_reject(pub, 2, &rec, &large_one, &why), why);
	rec.key = large;
	rec.key_len = sizeof(large);
	assert_ok(publish_reject(pub, 2, &rec, &large_one, &why), why);
}

static void
samples_for_other_readers(void **state)
{
	struct rig_outputs out;
	struct publish *pub;
	struct sg_fault why;

	(void)state;
	rig_outputs_init(&out, "sample", "sample");
	assert_ok(publish_check_topics(&out.opts, RIG_PARTITIONS, 1, true,
			  RIG_WAIT_MS, &why),
		why);
	pub = open_publisher(&out);
	assert_ok(publish_begin(pub, &why), why);
	sample_changes(pub);
	sample_images(pub);
	sample_rejects(pub);
	assert_ok(RETRIED(publish_commit(pub, RIG_WAIT_MS, &why), why), why);
	assert_int_equal(publish_first_offset(pub, PUBLISH_RENEWALS, 1), 0);
	assert_int_equal(publish_next_offset(pub, PUBLISH_REJECTS, 2), 3);
	publish_close(pub);
}

static void
at_least_once_needs_no_transaction(void **state)
{
	struct rig_outputs out;
	struct publish *pub;
	struct sg_fault why;

	(void)state;
	rig_outputs_init(&out, "alo", "alo");
	out.opts.is_at_least_once = true;
	assert_ok(publish_check_topics(&out.opts, RIG_PARTITIONS, 1, true,
			  RIG_WAIT_MS, &why),
		why);
	pub = open_publisher(&out);
	for (int64_t i = 0; i < 3; i++) {
		assert_ok(publish_begin(pub, &why), why);
		send_image(pub, "alo", 1);
		assert_ok(publish_offsets(pub, NULL, 0, NULL, 0, 0, &why), why);
		assert_ok(RETRIED(publish_commit(pub, RIG_WAIT_MS, &why), why),
			why);
		/* No marker in between. */
		assert_int_equal(
			publish_first_offset(pub, PUBLISH_CURRENT, 0), i);
	}
	publish_close(pub);
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
		cmocka_unit_test(outputs_are_created_once_and_compared),
		cmocka_unit_test(a_transaction_commits_changes_and_positions),
		cmocka_unit_test(an_aborted_transaction_leaves_nothing),
		cmocka_unit_test(open_transactions_are_waited_for),
		cmocka_unit_test(
			a_successor_does_not_wait_for_a_dead_transaction),
		cmocka_unit_test(a_stale_generation_cannot_commit_positions),
		cmocka_unit_test(what_is_left_is_committed_when_letting_go),
		cmocka_unit_test(samples_for_other_readers),
		cmocka_unit_test(at_least_once_needs_no_transaction),
	};

	return cmocka_run_group_tests(tests, produce_inputs, NULL);
}
