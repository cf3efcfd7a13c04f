/*
 * test_rules_until.c - valid_until is never late.
 *
 * Random expressions over now, timestamps, durations, calendar getters,
 * conditions and lists are evaluated at every millisecond of a short range.
 * Whatever an evaluation said of a later instant before its valid_until must
 * be what the evaluation at that instant finds: the same value, moved along
 * its slope. So stepping from valid_until to valid_until misses no change.
 * A second test takes the steps over days, looking at random instants between.
 *
 * SEGMENTD_PROPERTY_RUNS multiplies the number of expressions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/arena.h"
#include "segmentd/cel.h"
#include "segmentd/change.h"
#include "segmentd/civil.h"

#define TEXT_MAX 2000
#define RANGE_MS 1200

struct world {
	uint64_t random;
	int64_t start_ms; /* everything of interest is near it */
	char text[TEXT_MAX + 1];
	size_t len;
	bool is_full;
	int vars; /* comprehension variables in scope: x0, x1, ... */
	struct value times[3];
	struct value records[3][2];
	struct value rows[3];
};

static uint64_t
draw(struct world *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 11) % below;
}

SG_PRINTF(2, 3)
static void
say(struct world *w, const char *fmt, ...)
{
	va_list args;
	int n;

	if (w->is_full)
		return;
	va_start(args, fmt);
	n = vsnprintf(w->text + w->len, TEXT_MAX - w->len, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= TEXT_MAX - w->len)
		w->is_full = true;
	else
		w->len += (size_t)n;
}

/* --- random expressions ------------------------------------------------- */

static void
gen_bool(struct world *w, int depth);
static void
gen_int(struct world *w, int depth);
static void
gen_time(struct world *w, int depth);
static void
gen_span(struct world *w, int depth);
static void
gen_times(struct world *w, int depth);

static void
say_compare(struct world *w)
{
	static const char *const ops[] = {"<", "<=", ">", ">=", "==", "!="};

	say(w, " %s ", ops[draw(w, 6)]);
}

static void
gen_quantifier(struct world *w, int depth)
{
	static const char *const names[] = {"all", "exists", "exists_one"};

	gen_times(w, depth - 1);
	say(w, ".%s(x%d, ", names[draw(w, 3)], w->vars);
	w->vars++;
	gen_bool(w, depth - 1);
	w->vars--;
	say(w, ")");
}

static void
gen_bool_pair(struct world *w, int depth)
{
	switch (draw(w, 6)) {
	case 0:
		gen_span(w, depth - 1);
		say_compare(w);
		gen_span(w, depth - 1);
		break;
	case 1:
		gen_int(w, depth - 1);
		say_compare(w);
		gen_int(w, depth - 1);
		break;
	case 2:
		gen_time(w, depth - 1);
		say(w, " in ");
		gen_times(w, depth - 1);
		break;
	case 3:
		gen_times(w, depth - 1);
		say(w, draw(w, 2) ? " == " : " != ");
		gen_times(w, depth - 1);
		break;
	default:
		gen_time(w, depth - 1);
		say_compare(w);
		gen_time(w, depth - 1);
	}
}

static void
gen_bool(struct world *w, int depth)
{
	say(w, "(");
	switch (depth <= 0 ? 9 : draw(w, 12)) {
	case 0:
	case 1:
		gen_bool(w, depth - 1);
		say(w, " && ");
		gen_bool(w, depth - 1);
		break;
	case 2:
	case 3:
		gen_bool(w, depth - 1);
		say(w, " || ");
		gen_bool(w, depth - 1);
		break;
	case 4:
		say(w, "!");
		gen_bool(w, depth - 1);
		break;
	case 5:
		gen_bool(w, depth - 1);
		say(w, " ? ");
		gen_bool(w, depth - 1);
		say(w, " : ");
		gen_bool(w, depth - 1);
		break;
	case 6:
		gen_quantifier(w, depth);
		break;
	case 7:
		gen_times(w, depth - 1);
		say(w, ".isSorted()");
		break;
	case 8:
		say(w, "rows.exists(r%d, r%d.at ", w->vars, w->vars);
		say_compare(w);
		gen_time(w, depth - 1);
		say(w, ")");
		break;
	default:
		gen_bool_pair(w, depth);
	}
	say(w, ")");
}

static void
gen_getter(struct world *w, int depth)
{
	static const char *const names[] = {"getFullYear", "getMonth",
		"getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
		"getHours", "getMinutes", "getSeconds", "getMilliseconds"};
	static const char *const zones[] = {"", "'UTC'", "'Europe/Berlin'",
		"'America/New_York'", "'Asia/Kathmandu'", "'-02:30'",
		"'Australia/Lord_Howe'"};

	if (draw(w, 3) == 0) {
		gen_span(w, depth - 1);
		say(w, ".%s()", names[6 + draw(w, 4)]);
		return;
	}
	gen_time(w, depth - 1);
	say(w, ".%s(%s)", names[draw(w, 10)], zones[draw(w, 7)]);
}

static void
gen_int(struct world *w, int depth)
{
	static const char ops[] = "+-*/%";

	say(w, "(");
	switch (depth <= 0 ? draw(w, 2) : draw(w, 8)) {
	case 0:
		say(w, "%d", (int)draw(w, 5) - 1);
		break;
	case 1:
		say(w, "steps");
		break;
	case 2:
		say(w, "int(");
		gen_time(w, depth - 1);
		say(w, ")");
		break;
	case 3:
		gen_times(w, depth - 1);
		say(w, ".size()");
		break;
	case 4:
		gen_int(w, depth - 1);
		say(w, " %c ", ops[draw(w, 5)]);
		gen_int(w, depth - 1);
		break;
	case 5:
		gen_times(w, depth - 1);
		say(w, draw(w, 2) ? ".indexOf(" : ".lastIndexOf(");
		gen_time(w, depth - 1);
		say(w, ")");
		break;
	default:
		gen_getter(w, depth);
	}
	say(w, ")");
}

/* An instant near the start, to the nanosecond now and then. */
static void
say_instant(struct world *w)
{
	char text[CIVIL_RFC3339_MAX];
	int64_t at_ms = w->start_ms + (int64_t)draw(w, RANGE_MS);
	int32_t nanos = (int32_t)(at_ms % 1000) * 1000000;

	if (draw(w, 4) == 0)
		nanos += (int32_t)draw(w, 1000000);
	(void)civil_format(at_ms / 1000, nanos, text, sizeof(text));
	say(w, "timestamp('%s')", text);
}

static void
gen_time_leaf(struct world *w)
{
	if (w->vars > 0 && draw(w, 2) == 0) {
		say(w, "x%d", (int)draw(w, (uint64_t)w->vars));
		return;
	}
	switch (draw(w, 5)) {
	case 0:
		say_instant(w);
		break;
	case 1:
		say(w, "t%d", (int)draw(w, 3));
		break;
	case 2:
		say(w, "moving");
		break;
	default:
		say(w, "now");
	}
}

static void
gen_time(struct world *w, int depth)
{
	if (depth <= 0) {
		gen_time_leaf(w);
		return;
	}
	say(w, "(");
	switch (draw(w, 9)) {
	case 0:
		gen_time(w, depth - 1);
		say(w, draw(w, 2) ? " + " : " - ");
		gen_span(w, depth - 1);
		break;
	case 1:
		gen_bool(w, depth - 1);
		say(w, " ? ");
		gen_time(w, depth - 1);
		say(w, " : ");
		gen_time(w, depth - 1);
		break;
	case 2:
		gen_times(w, depth - 1);
		say(w, draw(w, 2) ? ".min()" : ".max()");
		break;
	case 3:
		gen_times(w, depth - 1);
		say(w, "[");
		gen_int(w, depth - 1);
		say(w, "]");
		break;
	case 4:
		say(w, "cel.bind(x%d, ", w->vars);
		gen_time(w, depth - 1);
		say(w, ", ");
		w->vars++;
		gen_time(w, depth - 1);
		w->vars--;
		say(w, ")");
		break;
	default:
		gen_time_leaf(w);
	}
	say(w, ")");
}

static void
gen_span(struct world *w, int depth)
{
	static const char *const units[] = {"ms", "us", "ns", "s", "m"};
	static const unsigned sizes[] = {1500, 1500000, 1500000000, 3, 2};
	uint64_t unit = draw(w, 5);

	say(w, "(");
	switch (depth <= 0 ? 9 : draw(w, 10)) {
	case 0:
	case 1:
	case 2:
		gen_time(w, depth - 1);
		say(w, " - ");
		gen_time(w, depth - 1);
		break;
	case 3:
		gen_span(w, depth - 1);
		say(w, draw(w, 2) ? " + " : " - ");
		gen_span(w, depth - 1);
		break;
	case 4:
		say(w, "-");
		gen_span(w, depth - 1);
		break;
	case 5:
		say(w, "[");
		gen_span(w, depth - 1);
		say(w, ", ");
		gen_span(w, depth - 1);
		say(w, draw(w, 2) ? "].sum()" : "].max()");
		break;
	default:
		say(w, "duration('%d%s')", (int)draw(w, sizes[unit]),
			units[unit]);
	}
	say(w, ")");
}

static void
gen_times(struct world *w, int depth)
{
	static const char *const wholes[] = {"sort", "distinct", "reverse"};
	uint64_t n = draw(w, 4);

	switch (depth <= 0 ? draw(w, 2) : draw(w, 7)) {
	case 0:
		say(w, "times");
		break;
	case 2:
		gen_times(w, depth - 1);
		say(w, ".filter(x%d, ", w->vars);
		w->vars++;
		gen_bool(w, depth - 1);
		w->vars--;
		say(w, ")");
		break;
	case 3:
		gen_times(w, depth - 1);
		say(w, ".map(x%d, ", w->vars);
		w->vars++;
		gen_time(w, depth - 1);
		w->vars--;
		say(w, ")");
		break;
	case 4:
		gen_times(w, depth - 1);
		say(w, ".%s()", wholes[draw(w, 3)]);
		break;
	case 5:
		say(w, "(");
		gen_times(w, depth - 1);
		say(w, " + ");
		gen_times(w, depth - 1);
		say(w, ")");
		break;
	default:
		say(w, "[");
		for (uint64_t i = 0; i < n; i++) {
			say(w, i == 0 ? "" : ", ");
			gen_time(w, depth - 1);
		}
		say(w, "]");
	}
}

static void
gen(struct world *w)
{
	w->len = 0;
	w->is_full = false;
	w->vars = 0;
	switch (draw(w, 8)) {
	case 0:
		gen_int(w, 3);
		break;
	case 1:
		gen_time(w, 3);
		break;
	case 2:
		gen_span(w, 3);
		break;
	case 3:
		gen_times(w, 3);
		break;
	case 4:
		say(w, "string(");
		gen_time(w, 2);
		say(w, ")");
		break;
	default:
		gen_bool(w, 4);
	}
}

/* --- the world ---------------------------------------------------------- */

enum {
	SLOT_T0,
	SLOT_T1,
	SLOT_T2,
	SLOT_MOVING,
	SLOT_STEPS,
	SLOT_TIMES,
	SLOT_ROWS
};

/* `moving` runs backwards and turns into an error after a while; `steps`
 * changes every 250 ms. */
static void
load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	const struct world *w = ctx;
	int64_t past_ms = now_ms - w->start_ms;
	int64_t step = past_ms / 250 - (past_ms % 250 < 0);

	*ret_valid_until_ms = AT_NEVER;
	switch (slot) {
	case SLOT_MOVING:
		if (past_ms >= 700) {
			*ret_value = value_error("gone");
			return;
		}
		*ret_value = value_timestamp_ms(w->start_ms + 800 - past_ms);
		ret_value->slope = -1;
		*ret_valid_until_ms = w->start_ms + 700;
		return;
	case SLOT_STEPS:
		*ret_value = value_int(step);
		*ret_valid_until_ms = w->start_ms + (step + 1) * 250;
		return;
	case SLOT_TIMES:
		*ret_value = (struct value){.kind = VALUE_LIST,
			.len = 3,
			.as = {.items = w->times}};
		return;
	case SLOT_ROWS:
		*ret_value = (struct value){
			.kind = VALUE_LIST, .len = 3, .as = {.items = w->rows}};
		return;
	default:
		*ret_value = w->times[slot];
	}
}

static void
world_move(struct world *w)
{
	/* Instants at which calendars change: midnight, years, clocks. */
	static const char *const instants[] = {"2024-12-31T23:59:59.5Z",
		"2024-02-28T23:59:59.7Z", "2024-03-31T00:59:59.2Z",
		"2024-10-27T00:59:59.4Z", "2024-11-03T05:59:59.9Z",
		"2024-06-15T12:29:59.1Z", "2024-04-06T14:59:59.3Z",
		"1970-01-01T00:00:00Z", "1969-12-31T23:59:59.001Z"};
	const char *text = instants[draw(w, SG_COUNTOF(instants))];
	int64_t seconds;
	int32_t nanos;

	assert_true(civil_parse(text, strlen(text), true, &seconds, &nanos));
	w->start_ms = seconds * 1000 + nanos / 1000000;
	for (int i = 0; i < 3; i++) {
		int64_t ns = (int64_t)draw(w, RANGE_MS * UINT64_C(1000000));

		w->times[i] = value_timestamp_ms(w->start_ms + ns / 1000000);
		if (i == 2)
			w->times[i].nanos += (uint32_t)(ns % 1000000);
		w->records[i][0] = w->times[i];
		w->records[i][1] = value_int(i);
		w->rows[i] = (struct value){.kind = VALUE_RECORD,
			.len = 2,
			.as = {.items = w->records[i]}};
	}
}

static struct cel_env *
make_env(struct arena *arena)
{
	const struct type_field fields[] = {
		{"at", &type_timestamp}, {"n", &type_int}};
	const struct type *row = type_record(arena, fields, 2);
	struct cel_env *env = NULL;
	static const char *const times[] = {"t0", "t1", "t2"};

	assert_int_equal(cel_env_create(0, &env), SG_OK);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(
			cel_env_declare(env, times[i], &type_timestamp, i),
			SG_OK);
	assert_int_equal(
		cel_env_declare(env, "moving", &type_timestamp, SLOT_MOVING),
		SG_OK);
	assert_int_equal(
		cel_env_declare(env, "steps", &type_int, SLOT_STEPS), SG_OK);
	assert_int_equal(cel_env_declare(env, "times",
				 type_list(arena, &type_timestamp), SLOT_TIMES),
		SG_OK);
	assert_int_equal(
		cel_env_declare(env, "rows", type_list(arena, row), SLOT_ROWS),
		SG_OK);
	return env;
}

/* --- judging ------------------------------------------------------------ */

/* Is `b` what `a` has become `ms` later? Errors are alike. */
static bool
has_become(struct value a, struct value b, int64_t ms)
{
	if (a.kind != b.kind || a.slope != b.slope)
		return false;
	switch (a.kind) {
	case VALUE_ERROR:
		return true;
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
		return (__int128)(b.as.i - a.as.i) * 1000000000 + b.nanos -
			       a.nanos ==
		       (__int128)ms * a.slope * 1000000;
	case VALUE_LIST:
		if (a.len != b.len)
			return false;
		for (uint32_t i = 0; i < a.len; i++) {
			if (!has_become(a.as.items[i], b.as.items[i], ms))
				return false;
		}
		return true;
	default:
		return value_same(a, b);
	}
}

struct bench {
	struct world world;
	struct arena types, kept;
	struct cel_env *env;
	struct cel_frame *frame;
	struct cel_prog *prog;
	unsigned long evaluations, changes, early;
};

static struct cel_result
eval_at(struct bench *b, int64_t at_ms)
{
	struct cel_host host = {.load = load, .ctx = &b->world};

	b->evaluations++;
	return cel_eval(b->prog, b->frame, &host, at_ms);
}

/* The next random expression that compiles. */
static void
next_program(struct bench *b)
{
	static struct cel_diags diags;

	for (;;) {
		enum sg_err err;

		world_move(&b->world);
		gen(&b->world);
		if (b->world.is_full)
			continue;
		err = cel_compile(b->env, b->world.text, b->world.len, NULL,
			&diags, &b->prog);
		if (err == SG_OK)
			return;
		fail_msg("%s: %s", b->world.text, diags.items[0].text);
	}
}

/* Evaluate at every millisecond; `seen` is what the last one that promised
 * furthest said. */
static void
scan(struct bench *b)
{
	struct cel_result seen = {.valid_until_ms = INT64_MIN};
	int64_t seen_ms = 0;

	arena_reset(&b->kept);
	for (int64_t at = b->world.start_ms - 5;
		at < b->world.start_ms + RANGE_MS; at++) {
		struct cel_result now = eval_at(b, at);
		bool is_same = seen.valid_until_ms != INT64_MIN &&
			       has_become(seen.value, now.value, at - seen_ms);

		if (now.valid_until_ms <= at)
			fail_msg("%s: valid_until is not after %lld",
				b->world.text, (long long)at);
		if (at < seen.valid_until_ms && !is_same)
			fail_msg("%s: at %lld promised the same until %lld, "
				 "but at %lld it differs",
				b->world.text, (long long)seen_ms,
				(long long)seen.valid_until_ms, (long long)at);
		if (at == seen.valid_until_ms) {
			b->changes += !is_same;
			b->early += is_same;
		}
		if (at >= seen.valid_until_ms ||
			now.valid_until_ms > seen.valid_until_ms) {
			seen = now;
			seen.value = value_copy(&b->kept, now.value);
			if (now.value.kind == VALUE_ERROR)
				seen.value = now.value;
			seen_ms = at;
		}
	}
}

/* Steps of valid_until over three days, with looks in between. */
static void
stride(struct bench *b)
{
	int64_t at = b->world.start_ms - 3600000;
	int64_t end = at + 3 * CIVIL_DAY_MS;

	for (int i = 0; i < 300 && at < end; i++) {
		struct cel_result first = eval_at(b, at);
		int64_t until = first.valid_until_ms;

		arena_reset(&b->kept);
		if (first.value.kind != VALUE_ERROR)
			first.value = value_copy(&b->kept, first.value);
		if (until > end)
			until = end;
		for (int j = 0; j < 12 && until > at + 1; j++) {
			int64_t look =
				j == 0 ? until - 1
				       : at + 1 +
						 (int64_t)draw(&b->world,
							 (uint64_t)(until - at -
								    1));
			struct cel_result then = eval_at(b, look);

			if (!has_become(first.value, then.value, look - at))
				fail_msg("%s: at %lld promised the same until "
					 "%lld, but at %lld it differs",
					b->world.text, (long long)at,
					(long long)first.valid_until_ms,
					(long long)look);
		}
		at = until;
	}
}

static void
run(uint64_t seed, unsigned n, void (*look)(struct bench *))
{
	static struct bench b;
	const char *times = getenv("SEGMENTD_PROPERTY_RUNS");

	memset(&b, 0, sizeof(b));
	b.world.random = seed;
	if (times != NULL)
		n *= (unsigned)strtoul(times, NULL, 10);
	arena_init(&b.types, 1 << 20);
	arena_init(&b.kept, 8 << 20);
	b.env = make_env(&b.types);
	assert_int_equal(cel_frame_create(&b.frame), SG_OK);
	for (unsigned i = 0; i < n; i++) {
		next_program(&b);
		look(&b);
		cel_prog_destroy(b.prog);
	}
	print_message(
		"%u expressions, %lu evaluations, %lu changes, %lu early\n", n,
		b.evaluations, b.changes, b.early);
	cel_frame_destroy(b.frame);
	cel_env_destroy(b.env);
	arena_fini(&b.kept);
	arena_fini(&b.types);
}

static void
no_change_comes_before_valid_until(void **state)
{
	(void)state;
	run(UINT64_C(88172645463325252), 1000, scan);
}

static void
no_change_comes_before_valid_until_over_days(void **state)
{
	(void)state;
	run(UINT64_C(1234567890123457), 1000, stride);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_change_comes_before_valid_until),
		cmocka_unit_test(no_change_comes_before_valid_until_over_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
