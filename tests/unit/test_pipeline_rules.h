/*
 * test_pipeline_rules.h - made-up rules and events, for the tests that play
 * them in two ways and compare.
 *
 * Every number of the rules is a multiple of five minutes, so that nothing can
 * flip in between.
 */
#ifndef TEST_PIPELINE_RULES_H
#define TEST_PIPELINE_RULES_H

#include "test_pipeline_support.h"

#include <inttypes.h>

#define MINUTE_MS INT64_C(60000)
#define STEP_MS (5 * MINUTE_MS)
#define START_MS INT64_C(1772359200000) /* 2026-03-01T10:00:00Z */
#define NACCOUNTS 3

static const char made_up_features[] =
	"{ever: {count: all}, c2h: {count: 2h}, c5h: {count: 5h}, c20h: "
	"{count: 20h}, "
	"c3d: {count: 3d}, sum: {sum: n, window: 4h}, max: {max: n, window: "
	"3h}, min: {min: n, window: 2h}, mean: {mean: n, window: 5h}, zone: "
	"{last: "
	"s, where: 's.contains(\"/\")'}, users: {distinct: s, window: 3h}, "
	"last: {last: n}, seen: "
	"{latest: at}, first: {first: at}, silent: {days_since: true}, "
	"streak: {streak: true}, rate: {rate: 5h}, trend: {trend: 2h}, "
	"all: {collect: s, keep: [n, at], max: 3, remove_when: n == 3}}";

/* --- made-up rules ------------------------------------------------------ */

static inline int
pick(struct random *rnd, int n)
{
	return (int)random_below(rnd, n);
}

/* `nsegments` tags may be read; -1: a score's clause, which reads no score. */
static inline void
put_atom(struct random *rnd, int nsegments, struct buf *out)
{
	static const char *const counts[] = {"a.c2h", "b.c2h", "a.c5h",
		"b.c20h", "a.ever", "a.users", "a.c2h + b.c5h", "b.users"};
	static const char *const compare[] = {">=", "<", "==", ">", "!="};
	static const char *const getters[] = {"getHours", "getDayOfWeek",
		"getDate", "getDayOfYear", "getMinutes", "getMonth"};
	const char *in = pick(rnd, 2) == 0 ? "a" : "b";

	switch (pick(rnd, nsegments > 0 ? 23 : 21)) {
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
		buf_printf(out, "now.%s() >= %d", getters[pick(rnd, 6)],
			5 * pick(rnd, 5));
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
		buf_printf(out, "%s.min < %d", in, pick(rnd, 8));
		break;
	case 20:
		buf_printf(out, "has(%s.mean) && %s.mean %s %d.0", in, in,
			compare[pick(rnd, 5)], pick(rnd, 8));
		break;
	case 21:
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

static inline void
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

static inline void
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

static inline void
put_config(struct random *rnd, struct buf *out)
{
	static const char *const zones[] = {
		"UTC", "Asia/Kathmandu", "America/New_York", "a.zone"};
	static const char *const names[] = {"a", "b"};

	buf_printf(out, "timezone: %s\ntopics: {overrides: \"\"}\ninputs:\n",
		zones[pick(rnd, 4)]);
	for (size_t i = 0; i < SG_COUNTOF(names); i++)
		buf_printf(out,
			"  %s: {topic: %s, key: account, time: at, "
			"delete_when: s == \"gone\", features: %s}\n",
			names[i], names[i], made_up_features);
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

/* --- made-up events ----------------------------------------------------- */

static inline void
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
		: pick(rnd, 9) == 0 ? "Asia/Kolkata"
		: pick(rnd, 9) == 0 ? "America/St_Johns"
		: pick(rnd, 2) == 0 ? "u1"
		: pick(rnd, 2) == 0 ? "u2"
		: pick(rnd, 2) == 0 ? "u3"
				    : "u4");
}

/* --- what came of them -------------------------------------------------- */

/* A change as text, an account's a line each. */
struct history {
	struct buf lines[NACCOUNTS];
};

static inline void
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

#endif
