/*
 * test_rules_quick.c - the direct form of a rule says what its code says.
 *
 * Random trees of comparisons over values of every kind, absent ones, nulls,
 * errors and edges among them, are run both ways: value, error and valid_until
 * must be equal whenever the direct form gives a result, and it must give one
 * for most. A table says for which expressions there is a direct form.
 *
 * SEGMENTD_PROPERTY_RUNS multiplies the number of expressions.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../processor/rules/frame.h"
#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/civil.h"

#define NOW_MS INT64_C(1709208000500)
#define PER_KIND 3
#define SLOTS (7 * PER_KIND)

enum { INTS, DOUBLES, TEXTS, BOOLS, TIMES, SPANS, ANYS };

struct world {
	struct arena arena;
	struct cel_env *env;
	struct cel_frame *frame;
	struct cel_diags diags;
	struct cel_memo memo[SLOTS]; /* what load() gives */
	struct cel_memo kept[SLOTS]; /* the host's memo */
	struct cel_host host;
	uint64_t random;
	int64_t now_ms;
	struct buf text;
};

static uint32_t
draw(struct world *w, uint32_t below)
{
	w->random = w->random * UINT64_C(6364136223846793005) +
		    UINT64_C(1442695040888963407);
	return (uint32_t)((w->random >> 33) % below);
}

static void
load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	struct world *w = ctx;

	(void)now_ms;
	w->kept[slot] = w->memo[slot];
	w->kept[slot].epoch = w->host.epoch;
	*ret_value = w->memo[slot].value;
	*ret_valid_until_ms = w->memo[slot].until_ms;
}

static int
world_open(void **state)
{
	static const struct type *const types[] = {&type_int, &type_double,
		&type_string, &type_bool, &type_timestamp, &type_duration,
		&type_dyn};
	struct world *w = calloc(1, sizeof(*w));
	const struct type *type;

	if (w == NULL)
		return -1;
	arena_init(&w->arena, 1 << 20);
	buf_init(&w->text, 1 << 20);
	w->random = 17;
	w->host = (struct cel_host){
		.load = load, .ctx = w, .memo = w->kept, .epoch = 1};
	assert_int_equal(cel_env_create(0, &w->env), SG_OK);
	assert_int_equal(cel_frame_create(&w->frame), SG_OK);
	for (uint32_t i = 0; i < SLOTS; i++) {
		const char name[] = {"idsbtva"[i / PER_KIND], '.',
			(char)('x' + i % PER_KIND), 0};

		type = types[i / PER_KIND];
		/* The last one of each may be null. */
		if (i % PER_KIND == 2 && type != &type_dyn)
			type = type_nullable(&w->arena, type);
		assert_int_equal(cel_env_declare(w->env, name, type, i), SG_OK);
	}
	*state = w;
	return 0;
}

static int
world_close(void **state)
{
	struct world *w = *state;

	cel_frame_destroy(w->frame);
	cel_env_destroy(w->env);
	buf_fini(&w->text);
	arena_fini(&w->arena);
	free(w);
	return 0;
}

/* --- values ------------------------------------------------------------- */

static int64_t
near(struct world *w)
{
	static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1,
		INT64_MAX - 1, INT64_MAX, INT64_C(1) << 53};

	return draw(w, 4) != 0 ? (int64_t)draw(w, 4) : edges[draw(w, 8)];
}

static struct value
some_time(struct world *w)
{
	/* The ends of time, and ages that no duration holds. */
	static const int64_t far[] = {INT64_C(-62135596800),
		INT64_C(253402300799), INT64_C(-8000000000),
		INT64_C(12000000000)};
	int64_t ms = w->now_ms - (int64_t)draw(w, 6) * CIVIL_DAY_MS +
		     (int64_t)draw(w, 5) - 2;
	struct value v = value_timestamp_ms(ms);

	if (draw(w, 3) == 0)
		v.nanos += draw(w, 1000000);
	if (draw(w, 12) == 0)
		v.as.i = far[draw(w, 4)];
	if (draw(w, 12) == 0)
		v.slope = draw(w, 2) ? 1 : -1;
	return v;
}

static struct value
some_value(struct world *w, unsigned kind)
{
	static const double doubles[] = {0.0, -0.0, 0.5, 1.0, 1.5, 2.0,
		INFINITY, -INFINITY, NAN, 5e-324, -5e-324, 1e300};
	static const char *const texts[] = {"", "a", "b", "ab", "retail"};
	const char *text = texts[draw(w, 5)];
	struct value v;

	switch (kind) {
	case INTS:
		return value_int(near(w));
	case DOUBLES:
		return value_double(doubles[draw(w, 12)]);
	case TEXTS:
		return value_string(text, (uint32_t)strlen(text));
	case BOOLS:
		return value_bool(draw(w, 2));
	case TIMES:
		return some_time(w);
	case SPANS:
		v = value_duration_ms((int64_t)draw(w, 6) * CIVIL_DAY_MS);
		v.slope = (int8_t)((int)draw(w, 3) - 1);
		return v;
	default:
		return some_value(w, draw(w, ANYS));
	}
}

static void
fill(struct world *w)
{
	w->now_ms = NOW_MS;
	if (draw(w, 40) == 0)
		w->now_ms = draw(w, 2) ? INT64_C(-62135596790000)
				       : INT64_C(253402300799999);
	w->host.epoch++;
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct cel_memo *memo = &w->memo[i];
		uint32_t dice = draw(w, 40);

		memo->value = dice == 0	  ? value_absent()
			      : dice == 1 ? value_error("bad")
			      : dice < 4 && i % PER_KIND == 2
				      ? value_null()
				      : some_value(w, i / PER_KIND);
		memo->until_ms =
			draw(w, 2) ? AT_NEVER
				   : w->now_ms + 1 + (int64_t)draw(w, 900);
	}
}

/* --- expressions -------------------------------------------------------- */

static const char *
some_op(struct world *w)
{
	static const char *const ops[] = {"<", "<=", ">", ">=", "==", "!="};

	return ops[draw(w, 6)];
}

static const char *
some_order(struct world *w)
{
	static const char *const ops[] = {"<", "<=", ">", ">="};

	return ops[draw(w, 4)];
}

static void
put_constant(struct world *w, unsigned kind)
{
	static const char *const doubles[] = {"0.0", "0.5", "1.0", "-1.5",
		"1.0/0.0", "-1.0/0.0", "0.0/0.0", "1e300"};
	static const char *const ints[] = {"0", "1", "2", "3",
		"9223372036854775807", "-9223372036854775808"};
	static const char *const texts[] = {"''", "'a'", "'ab'", "'retail'"};
	static const char *const spans[] = {"days(2)", "days(3)", "days(0)",
		"days(2) + duration('1500us')", "-days(1)", "days(40000)"};

	buf_put_str(&w->text, kind == INTS	? ints[draw(w, 6)]
			      : kind == DOUBLES ? doubles[draw(w, 8)]
			      : kind == TEXTS	? texts[draw(w, 4)]
			      : kind == BOOLS	? draw(w, 2) ? "true" : "false"
						: spans[draw(w, 6)]);
}

static void
put_age(struct world *w)
{
	char name = (char)('x' + draw(w, 3));

	switch (draw(w, 6)) {
	case 0:
		buf_printf(&w->text, "now - t.%c %s ", name, some_op(w));
		put_constant(w, SPANS);
		break;
	case 1:
		buf_printf(&w->text, "t.%c - now %s ", name, some_op(w));
		put_constant(w, SPANS);
		break;
	case 2:
		buf_printf(&w->text, "t.%c + ", name);
		put_constant(w, SPANS);
		buf_printf(&w->text, " %s now", some_order(w));
		break;
	case 3:
		buf_printf(&w->text, "t.%c %s now - ", name, some_order(w));
		put_constant(w, SPANS);
		break;
	case 4:
		buf_printf(&w->text, "now - t.%c + ", name);
		put_constant(w, SPANS);
		buf_printf(&w->text, " %s ", some_order(w));
		put_constant(w, SPANS);
		break;
	default:
		buf_printf(&w->text, "now %s t.%c", some_op(w), name);
	}
}

static void
put_atom(struct world *w)
{
	unsigned kind = draw(w, TIMES);
	char letter = "idsbtva"[kind], name = (char)('x' + draw(w, 3));

	switch (draw(w, 12)) {
	case 0:
		buf_printf(&w->text, "has(%c.%c)", letter, name);
		break;
	case 1:
		buf_printf(&w->text, "b.%c", name);
		break;
	case 2:
		buf_printf(&w->text, "s.%c in ['', 'b', 'retail']", name);
		break;
	case 3:
		buf_printf(&w->text, "a.%c in [1, 'a', 0.5]", name);
		break;
	case 4:
	case 5:
		put_age(w);
		break;
	case 6:
		buf_printf(&w->text, "v.%c %s ", name, some_op(w));
		put_constant(w, SPANS);
		break;
	case 7:
		buf_printf(&w->text, "a.%c %s ", name, some_op(w));
		put_constant(w, kind);
		break;
	case 8:
		buf_printf(&w->text, "%c.z %s null", letter,
			draw(w, 2) ? "==" : "!=");
		break;
	case 9:
		put_constant(w, kind);
		buf_printf(&w->text, " %s %c.%c", some_op(w), letter, name);
		break;
	default:
		buf_printf(&w->text, "%c.%c %s ", letter, name, some_op(w));
		put_constant(w, kind);
	}
}

static void
put_tree(struct world *w, int depth)
{
	uint32_t n = 2 + draw(w, 3);
	const char *op = draw(w, 2) ? " && " : " || ";

	buf_put_str(&w->text, draw(w, 6) == 0 ? "!(" : "(");
	if (depth == 0 || draw(w, 4) == 0) {
		put_atom(w);
		n = 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		buf_put_str(&w->text, i == 0 ? "" : op);
		put_tree(w, depth - 1);
	}
	buf_put_u8(&w->text, ')');
}

static struct cel_prog *
compile(struct world *w, const char *source)
{
	struct cel_prog *prog = NULL;

	if (cel_compile(w->env, source, strlen(source), NULL, &w->diags,
		    &prog) != SG_OK)
		return NULL;
	return prog;
}

/* --- judging ------------------------------------------------------------ */

static void
must_be_same(struct world *w, const char *source, struct cel_result direct,
	struct cel_result code)
{
	bool is_same = direct.valid_until_ms == code.valid_until_ms &&
		       direct.value.kind == code.value.kind;

	if (is_same && code.value.kind == VALUE_ERROR)
		is_same = strcmp(direct.value.as.s, code.value.as.s) == 0;
	else if (is_same)
		is_same = value_same(direct.value, code.value);
	if (!is_same)
		fail_msg("%s\ndirect: kind %d, %d until %lld\n"
			 "code:   kind %d, %d until %lld (now %lld)",
			source, direct.value.kind, direct.value.as.b,
			(long long)direct.valid_until_ms, code.value.kind,
			code.value.as.b, (long long)code.valid_until_ms,
			(long long)w->now_ms);
}

static unsigned
runs(void)
{
	const char *text = getenv("SEGMENTD_PROPERTY_RUNS");
	unsigned long times = text == NULL ? 1 : strtoul(text, NULL, 10);

	return (unsigned)(times == 0 ? 1 : times) * 4000;
}

static void
direct_and_code_agree(void **state)
{
	struct world *w = *state;
	unsigned nrefused = 0, ndirect = 0, nresults = 0, nleft = 0;
	unsigned wanted = runs();

	for (unsigned i = 0; i < wanted; i++) {
		struct cel_prog *prog;

		buf_reset(&w->text);
		put_tree(w, (int)draw(w, 4));
		prog = compile(w, buf_cstr(&w->text));
		if (prog == NULL) {
			nrefused++; /* a comparison of unlike types */
			continue;
		}
		ndirect += prog->quick != NULL;
		for (int k = 0; k < 8; k++) {
			struct cel_result direct, code;

			fill(w);
			code = cel_run(prog, w->frame, &w->host, w->now_ms);
			w->host.epoch++;
			must_be_same(w, buf_cstr(&w->text),
				cel_eval(prog, w->frame, &w->host, w->now_ms),
				code);
			if (prog->quick == NULL)
				continue;
			if (quick_run(prog, w->frame, &w->host, w->now_ms,
				    &direct)) {
				nresults++;
				must_be_same(
					w, buf_cstr(&w->text), direct, code);
			} else {
				nleft++;
			}
		}
		cel_prog_destroy(prog);
	}
	/* It would also agree if it never had a result. */
	assert_true(nrefused < wanted / 2);
	assert_true(ndirect > (wanted - nrefused) / 2);
	assert_true(nresults > nleft);
}

static void
the_first_one_is_what_one_by_one_gives(void **state)
{
	struct world *w = *state;
	unsigned wanted = runs() / 8;
	bool is_seen[7] = {false};

	for (unsigned i = 0; i < wanted; i++) {
		struct cel_prog *progs[6];
		struct cel_result one, all;
		int64_t least_ms = AT_NEVER;
		size_t n = 0, at, want;

		while (n < 6) {
			buf_reset(&w->text);
			/* One that has no direct form, among them. */
			if (draw(w, 6) == 0)
				buf_put_str(&w->text, "i.x + i.y == 3 || !");
			put_tree(w, (int)draw(w, 2));
			progs[n] = compile(w, buf_cstr(&w->text));
			n += progs[n] != NULL;
		}
		fill(w);
		one = (struct cel_result){.value = value_bool(false)};
		for (want = 0; want < n; want++) {
			one = cel_run(
				progs[want], w->frame, &w->host, w->now_ms);
			if (one.valid_until_ms < least_ms)
				least_ms = one.valid_until_ms;
			if (one.value.kind != VALUE_BOOL || one.value.as.b)
				break;
		}
		one.valid_until_ms = least_ms;
		w->host.epoch++;
		at = cel_first(progs, n, w->frame, &w->host, w->now_ms, &all);
		assert_int_equal(at, want);
		must_be_same(w, "the first of six", all, one);
		is_seen[at] = true;
		while (n > 0)
			cel_prog_destroy(progs[--n]);
	}
	for (size_t i = 0; i < 4; i++)
		assert_true(is_seen[i]);
}

static void
what_has_a_direct_form(void **state)
{
	static const struct {
		const char *source;
		bool is_direct;
	} rows[] = {
		{"i.x >= 3", true},
		{"3 < i.x && d.x <= 0.5 || s.x == 'a'", true},
		{"!(i.x == 1 || !(b.x && has(d.y)))", true},
		{"s.x in ['a', 'b']", true},
		{"a.x in [1, 2.5]", true},
		{"s.z == null", true},
		{"now - t.x > days(14)", true},
		{"t.x + days(14) < now", true},
		{"now > t.x", true},
		{"t.x - now <= days(90) && i.x > 0", true},
		{"i.x + 1 > 3", false},
		{"i.x > i.y", false},
		{"size(s.x) > 3", false},
		{"now.getHours() > 3", false},
		{"t.x - t.y > days(1)", false},
		{"now - t.x == days(1)", false},
		{"now - t.x > days(20000)", false},
		{"i.x > 3 ? b.x : b.y", false},
		{"i.x", false},
		{"true", false},
	};
	struct world *w = *state;

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct cel_prog *prog = compile(w, rows[i].source);
		bool is_direct;

		if (prog == NULL)
			fail_msg("%s: %s", rows[i].source,
				w->diags.items[0].text);
		is_direct = prog->quick != NULL;
		if (is_direct != rows[i].is_direct)
			fail_msg("%s: %s a direct form", rows[i].source,
				is_direct ? "has" : "has not");
		cel_prog_destroy(prog);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_a_direct_form),
		cmocka_unit_test(direct_and_code_agree),
		cmocka_unit_test(the_first_one_is_what_one_by_one_gives),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
