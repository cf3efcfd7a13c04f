/*
 * kafka_survive.c - a minimal worker that obeys the errors of publish.h, while
 * somebody kills the broker.
 *
 * Turn N is one transaction: change number N, the membership of version N, and
 * N as the position of group 0 with N in its metadata. After any doubt only
 * the committed metadata says which turn is next. The reader of the outputs
 * then has to find 1, 2, 3, ... to KAFKA_TURNS, each once and in order.
 */
#include "rig.h"

#define STEP_MS 2000
#define GIVE_UP_MS 240000

struct survivor {
	struct rig_worker w;
	struct rig_outputs out;
	struct publish *pub;
	uint64_t turn; /* the next */
	int nassigned_seen;
	int naborted, ntakeovers;
};

static int64_t deadline_us;

static void
say(const char *what, uint64_t turn)
{
	if (clock_mono_us() > deadline_us)
		fail_msg("gave up at turn %llu", (unsigned long long)turn);
	(void)printf("%s %llu\n", what, (unsigned long long)turn);
	(void)fflush(stdout);
}

/* New producer, which ends what the old one left open; then what Kafka has. */
static void
take_over(struct survivor *s)
{
	struct ingest_position pos;
	struct sg_fault why;
	struct arena arena;
	enum sg_err err;

	s->ntakeovers++;
	publish_close(s->pub);
	s->pub = NULL;
	arena_init(&arena, 1 << 16);
	do {
		say("takeover", s->turn);
		err = SG_OK;
		if (s->pub == NULL)
			err = publish_open(
				&s->out.opts, STEP_MS, &s->pub, &why);
		if (err == SG_OK)
			err = ingest_committed(
				s->w.in, 0, STEP_MS, &arena, &pos, &why);
		if (err != SG_OK && sg_err_class(err) != SG_CLASS_RETRY)
			fail_msg("%s: %s", sg_err_name(err), why.text);
	} while (err != SG_OK);
	s->turn =
		pos.metadata == NULL ? 1 : strtoull(pos.metadata, NULL, 10) + 1;
	arena_fini(&arena);
}

static enum sg_err
write_turn(struct survivor *s, struct sg_fault *why)
{
	struct change change = rig_change("a", s->turn);
	struct membership_image image = rig_image("a", s->turn);
	struct publish_offset offsets[2];
	enum sg_err err;
	struct buf meta;
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)s->turn);
	for (int i = 0; i < 2; i++)
		offsets[i] = (struct publish_offset){
			s->w.names[i], 0, (int64_t)s->turn, text};
	buf_init(&meta, 4096);
	err = publish_begin(s->pub, why);
	if (err == SG_OK)
		err = publish_change(s->pub, 0, &change, s->turn, why);
	if (err == SG_OK)
		err = publish_image(s->pub, 0, &image, NULL, why);
	if (err == SG_OK)
		err = ingest_group_metadata(s->w.in, &meta, why);
	if (err == SG_OK) {
		do
			err = publish_offsets(s->pub, offsets, 2, meta.bytes,
				meta.len, STEP_MS, why);
		while (err == SG_BROKER_RETRY && clock_mono_us() < deadline_us);
	} else if (err == SG_FENCED) {
		err = SG_TXN_ABORTABLE; /* no generation: nothing was sent */
	}
	buf_fini(&meta);
	while (err == SG_OK || err == SG_BROKER_RETRY) {
		err = publish_commit(s->pub, STEP_MS, why);
		if (err == SG_OK)
			break;
		say("waiting", s->turn);
	}
	return err;
}

static void
one_turn(struct survivor *s)
{
	struct sg_fault why = {.text = ""};
	struct ingest_batch batch;
	enum sg_err err;

	assert_ok(ingest_poll(s->w.in, 0, &batch, &why), why);
	if (s->w.nassigned != s->nassigned_seen) {
		s->nassigned_seen = s->w.nassigned;
		take_over(s);
	}
	if (!s->w.is_owned[0]) {
		say("idle", s->turn);
		clock_sleep_ms(50);
		return;
	}
	err = write_turn(s, &why);
	if (err == SG_OK) {
		say("turn", s->turn++);
		return;
	}
	say(why.text, s->turn);
	if (err == SG_TXN_ABORTABLE) {
		s->naborted++;
		do
			err = publish_abort(s->pub, STEP_MS, &why);
		while (err == SG_BROKER_RETRY && clock_mono_us() < deadline_us);
	}
	if (err == SG_OK)
		return;
	if (err != SG_TXN_UNKNOWN && err != SG_FENCED)
		fail_msg("%s: %s", sg_err_name(err), why.text);
	take_over(s);
}

static void
every_turn_is_committed_once(void **state)
{
	static struct survivor s;
	const char *turns = getenv("KAFKA_TURNS");
	uint64_t last = turns == NULL ? 100 : strtoull(turns, NULL, 10);
	struct sg_fault why;

	(void)state;
	deadline_us = clock_mono_us() + GIVE_UP_MS * INT64_C(1000);
	assert_ok(rig_worker_open(&s.w, "in", "survive", "one", &why), why);
	rig_outputs_init(&s.out, "out", "survive");
	assert_ok(publish_check_topics(&s.out.opts, RIG_PARTITIONS, 1, true,
			  RIG_WAIT_MS, &why),
		why);
	RIG_UNTIL(&s.w, s.w.nassigned > 0);
	s.turn = 1;
	while (s.turn == 0 || s.turn <= last)
		one_turn(&s);
	(void)printf("aborted %d takeovers %d\n", s.naborted, s.ntakeovers);
	publish_close(s.pub);
	ingest_close(s.w.in, 5000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_turn_is_committed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
