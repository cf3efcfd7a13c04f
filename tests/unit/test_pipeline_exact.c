/*
 * Changes are made at the exact instants time makes them true, and none is
 * missed: random rules and events, decided by timers alone, against the same
 * rules evaluated whole every five minutes.
 *
 * Every number of the made-up rules is a multiple of five minutes, so that
 * nothing can flip in between: both sides then have to make the same changes of
 * an account at the same instants, stays and cooldowns included.
 */
#include "test_pipeline_support.h"

#include <inttypes.h>

#define MINUTE_MS INT64_C(60000)
#define STEP_MS (5 * MINUTE_MS)
#define START_MS INT64_C(1772359200000) /* 2026-03-01T10:00:00Z */
#define NACCOUNTS 3
#define ROUNDS 200

static const char features[] =
	"{c2h: {count: 2h}, c5h: {count: 5h}, c20h: {count: 20h}, "
	"c3d: {count: 3d}, sum: {sum: n, window: 4h}, max: {max: n, window: "
	"3h}, users: {distinct: s, window: 3h}, last: {last: n}, seen: "
	"{latest: at}, first: {first: at}, silent: {days_since: true}, "
	"streak: {streak: true}, rate: {rate: 5h}, trend: {trend: 2h}, "
	"all: {collect: s, keep: [n, at], max: 3, remove_when: n == 3}}";

/* --- made-up rules ------------------------------------------------------ */

static int
pick(struct random *rnd, int n)
{
	return (int)random_below(rnd, n);
}

/* `nsegments` tags may be read; -1: a score's clause, which reads no score. */
static void
put_atom(struct random *rnd, int nsegments, struct buf *out)
{
	static const char *const counts[] = {"a.c2h", "b.c2h", "a.c5h",
		"b.c20h", "a.c3d", "a.users", "a.c2h + b.c5h", "b.users"};
	static const char *const compare[] = {">=", "<", "==", ">", "!="};
	const char *in = pick(rnd, 2) == 0 ? "a" : "b";

	switch (pick(rnd, nsegments > 0 ? 21 : 19)) {
	case 0:
	case 1:
	case 2:
		buf_printf(out, "%s %s %d", counts[pick(rnd, 8)],
			compare[pick(rnd, 5)], pick(rnd, 4));
		break;
	case 3:
		buf_printf(out, "now - %s.seen >= minutes(%d)", in,
			5 * pick(rnd, 100));
		break;
	case 4:
		buf_printf(out, "now < %s.seen + hours(%d)", in, pick(rnd, 9));
		break;
	case 5:
		buf_printf(out, "has(%s.sum) && %s.sum >= %d", in, in,
			pick(rnd, 20));
		break;
	case 6:
		buf_printf(out, "%s.max > %d", in, pick(rnd, 9));
		break;
	case 7:
		buf_printf(out, "%s.last == %d", in, pick(rnd, 3));
		break;
	case 8:
		buf_printf(out, "now.getHours() >= %d", pick(rnd, 24));
		break;
	case 9:
		buf_printf(out, "now.getHours(\"Asia/Kolkata\") < %d",
			pick(rnd, 24));
		break;
	case 10:
		buf_printf(out, "variables.age >= hours(%d)", pick(rnd, 30));
		break;
	case 11:
		if (nsegments < 0)
			buf_printf(out, "a.c2h >= %d", pick(rnd, 6));
		else
			buf_printf(out, "score.s >= %d.0", pick(rnd, 6));
		break;
	case 12:
		buf_printf(out, "%s.silent >= %d", in, pick(rnd, 3));
		break;
	case 13:
		buf_printf(out, "%s.streak >= %d", in, pick(rnd, 4));
		break;
	case 14:
		buf_printf(out, "%s.rate > %d.5", in, pick(rnd, 20));
		break;
	case 15:
		buf_printf(out, "has(%s.trend) && %s.trend >= %d.0", in, in,
			pick(rnd, 3));
		break;
	case 16:
		buf_printf(out, "%s.all.exists(e, e.at + hours(%d) > now)", in,
			pick(rnd, 30));
		break;
	case 17:
		buf_printf(out, "size(%s.all) >= %d", in, pick(rnd, 4));
		break;
	case 18:
		buf_printf(out,
			"%s.all.filter(e, now - e.at >= hours(%d))"
			".map(e, e.n).sum() > %d",
			in, pick(rnd, 9), pick(rnd, 9));
		break;
	case 19:
		buf_printf(out, "segment.s%d %s \"in\"", pick(rnd, nsegments),
			pick(rnd, 2) == 0 ? "==" : "!=");
		break;
	default:
		buf_printf(out,
			"has(renewal.days_left) && renewal.days_left "
			"<= %d",
			pick(rnd, 4));
		break;
	}
}

static void
put_rule(struct random *rnd, int nsegments, int depth, struct buf *out)
{
	int dice = depth > 2 ? 0 : pick(rnd, 8);

	if (dice < 4) {
		put_atom(rnd, nsegments, out);
		return;
	}
	buf_put_str(out, dice == 4 ? "!(" : "(");
	put_rule(rnd, nsegments, depth + 1, out);
	if (dice != 4) {
		buf_put_str(out, dice == 5   ? ") && ("
				 : dice == 6 ? ") || ("
					     : ") ? (a.c5h > 1) : (");
		put_rule(rnd, nsegments, depth + 1, out);
	}
	buf_put_u8(out, ')');
}

static void
put_segmentation(struct random *rnd, int i, struct buf *out)
{
	/* Those that are read come first: tags, "in" or "out". */
	bool is_tag = i < 2 || pick(rnd, 2) == 0;

	buf_printf(out, "  s%d:\n", i);
	if (is_tag) {
		buf_put_str(out, "    enter: '");
		put_rule(rnd, i < 2 ? 0 : 2, 0, out);
		buf_put_str(out, "'\n");
		if (pick(rnd, 2) == 0) {
			buf_put_str(out, "    exit: '");
			put_rule(rnd, i < 2 ? 0 : 2, 0, out);
			buf_put_str(out, "'\n");
		}
	} else {
		buf_put_str(out, "    segments:\n");
		for (int k = 0; k < 2; k++) {
			buf_printf(out, "      - {name: x%d, when: '", k);
			put_rule(rnd, 2, 0, out);
			buf_put_str(out, "'}\n");
		}
		buf_put_str(out, "      - {name: x2}\n");
	}
	if (pick(rnd, 3) == 0)
		buf_printf(out, "    min_stay: %dm\n", 5 * (1 + pick(rnd, 40)));
	if (pick(rnd, 3) == 0)
		buf_printf(out, "    cooldown: %dm\n", 5 * (1 + pick(rnd, 40)));
	if (pick(rnd, 4) == 0)
		buf_put_str(out, "    on_error: exit\n");
}

static void
put_config(struct random *rnd, struct buf *out)
{
	static const char *const zones[] = {
		"UTC", "Asia/Kathmandu", "America/New_York"};
	static const char *const names[] = {"a", "b"};

	buf_printf(out, "timezone: %s\ntopics: {overrides: \"\"}\ninputs:\n",
		zones[pick(rnd, 3)]);
	for (size_t i = 0; i < SG_COUNTOF(names); i++)
		buf_printf(out,
			"  %s: {topic: %s, key: account, time: at, "
			"delete_when: s == \"gone\", features: %s}\n",
			names[i], names[i], features);
	buf_put_str(out, "variables: {age: now - a.first}\nscores:\n  s:\n");
	for (int k = 0; k < 3; k++) {
		buf_printf(out, "    - {name: k%d, points: %d, when: '", k,
			1 + pick(rnd, 3));
		put_atom(rnd, -1, out);
		buf_put_str(out, "'}\n");
	}
	buf_put_str(out, "segmentations:\n");
	for (int i = 0; i < 5; i++)
		put_segmentation(rnd, i, out);
	buf_printf(out, "renewal:\n  date: a.%s + days(%d)\n  windows: [2]\n",
		pick(rnd, 2) == 0 ? "seen" : "first", 1 + pick(rnd, 5));
	if (pick(rnd, 2) == 0)
		buf_put_str(out, "  timezone: 'a.last == 1 ? "
				 "\"Asia/Kathmandu\" : \"Etc/GMT+9\"'\n");
}

/* --- two ways through time ---------------------------------------------- */

/* A change as text, an account's a line each. */
struct history {
	struct buf lines[NACCOUNTS];
};

static void
take_changes(struct driven *d, struct history *history)
{
	for (size_t i = 0; i < d->box.changes.n; i++) {
		const struct change *c = &d->box.changes.items[i];

		buf_printf(&history->lines[c->account[0] - '0'],
			"%" PRId64 " %s %s->%s %s\n", c->evaluated_at_ms,
			c->segmentation, c->from == NULL ? "-" : c->from,
			c->to == NULL ? "-" : c->to,
			change_origin_name(c->origin));
	}
	d->box.changes.n = 0;
	arena_reset(&d->box.txn);
}

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
make_event(struct random *rnd, int64_t now_ms, char *json, size_t cap)
{
	int64_t at_ms = now_ms;

	/* Some come late, some clocks are ahead; the inputs are not in step. */
	if (pick(rnd, 4) == 0)
		at_ms -= STEP_MS * pick(rnd, 60);
	else if (pick(rnd, 8) == 0)
		at_ms += STEP_MS * pick(rnd, 60);
	(void)snprintf(json, cap,
		"{\"account\":\"%d\",\"at\":%" PRId64 ",\"n\":%s,\"s\":\"%s\"}",
		pick(rnd, NACCOUNTS), at_ms,
		pick(rnd, 5) == 0   ? "null"
		: pick(rnd, 2) == 0 ? "1"
		: pick(rnd, 4) == 0 ? "3"
				    : "7",
		pick(rnd, 60) == 0  ? "gone"
		: pick(rnd, 2) == 0 ? "u1"
		: pick(rnd, 2) == 0 ? "u2"
		: pick(rnd, 2) == 0 ? "u3"
				    : "u4");
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
