/*
 * Changes are made at the exact instants time makes them true, and none is
 * missed: random rules and events, decided by timers alone, against the same
 * rules evaluated whole every five minutes. Both sides have to make the same
 * changes of an account at the same instants, stays and cooldowns included.
 */
#include "test_pipeline_rules.h"

#define ROUNDS 200

/* Everything, for every account, now. */
static void
force_all(struct driven *d, int64_t now_ms)
{
	struct accounts *accounts = &d->group->accounts;

	d->group->clock_ms = now_ms;
	for (size_t i = 0; i < accounts->nbuckets; i++) {
		struct account *acct = accounts->buckets[i];

		for (; acct != NULL; acct = acct->chain) {
			struct decide_cause cause = {.origin = ORIGIN_timer,
				.event_time_ms = now_ms};

			assert_int_equal(group_decide(d->group, acct, now_ms,
						 true, &cause, 0),
				SG_OK);
		}
	}
}

static void
compare(struct history *timers, struct history *forced, const char *yaml,
	uint64_t seed)
{
	for (int i = 0; i < NACCOUNTS; i++) {
		const char *got = buf_cstr(&timers->lines[i]);
		const char *want = buf_cstr(&forced->lines[i]);

		if (strcmp(got, want) != 0)
			fail_msg("seed %" PRIu64 ", account %d\n%s\nby "
				 "timers:\n%s\nevery five minutes:\n%s",
				seed, i, yaml, got, want);
	}
}

static size_t
play(uint64_t seed)
{
	struct random rnd = {seed};
	struct history timers, forced;
	struct driven a, b;
	struct made made;
	struct buf yaml;
	size_t nbytes = 0;

	buf_init(&yaml, 1 << 20);
	for (int i = 0; i < NACCOUNTS; i++) {
		buf_init(&timers.lines[i], 64 << 20);
		buf_init(&forced.lines[i], 64 << 20);
	}
	put_config(&rnd, &yaml);
	must_make(buf_cstr(&yaml), &made);
	drive_begin(made.program, &a);
	drive_begin(made.program, &b);
	for (int step = 0; step < 12 * 24 * 3; step++) {
		int64_t now_ms = START_MS + step * STEP_MS;
		/* Busy for a day and a half, then silence. */
		int nevents = step > 12 * 36 ? 0 : pick(&rnd, 12) == 0;

		force_all(&b, now_ms);
		take_changes(&b, &forced);
		for (int k = 0; k < nevents; k++) {
			uint32_t input = (uint32_t)pick(&rnd, 2);
			char json[256];

			make_event(&rnd, now_ms, json, sizeof(json));
			assert_int_equal(
				group_advance(a.group, now_ms, 0), SG_OK);
			drive_fold(&a, input, json);
			drive_fold(&b, input, json);
		}
		take_changes(&b, &forced);
	}
	assert_int_equal(group_advance(a.group, b.group->clock_ms, 0), SG_OK);
	take_changes(&a, &timers);
	compare(&timers, &forced, buf_cstr(&yaml), seed);
	drive_end(&a);
	drive_end(&b);
	unmake_program(&made);
	for (int i = 0; i < NACCOUNTS; i++) {
		nbytes += timers.lines[i].len;
		buf_fini(&timers.lines[i]);
		buf_fini(&forced.lines[i]);
	}
	buf_fini(&yaml);
	return nbytes;
}

static void
timers_make_every_change_at_its_instant(void **state)
{
	const char *more = getenv("EXACT_ROUNDS");
	long rounds = more == NULL ? ROUNDS : strtol(more, NULL, 10);
	size_t nbytes = 0;

	(void)state;
	for (long seed = 1; seed <= rounds; seed++)
		nbytes += play((uint64_t)seed);
	/* The made-up rules do make changes. */
	assert_true(nbytes > 1000 * (size_t)rounds);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_make_every_change_at_its_instant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
