/*
 * bench_cel.c - how long rules take to compile and to evaluate.
 *
 * The set is what BUDGET.md speaks of: 32 rules of 64 predicates, that is two
 * comparisons of a feature with a constant each, over 40 features held in an
 * array. Printed is CPU time, the best of several runs: the machine is
 * shared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "segmentd/cel.h"
#include "segmentd/change.h"

#define NAMES 40
#define RULES 1000
#define NOW_MS INT64_C(1709208000500)

struct bench {
	struct cel_env *env;
	struct cel_frame *frame;
	struct cel_host host;
	struct value values[NAMES];
	struct cel_memo memo[NAMES];
	struct cel_prog *progs[RULES];
	struct cel_diags diags;
};

static void
load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	const struct bench *b = ctx;

	(void)now_ms;
	*ret_value = b->values[slot];
	*ret_valid_until_ms = AT_NEVER;
}

static int64_t
cpu_us(void)
{
	return (int64_t)clock() * (1000000 / CLOCKS_PER_SEC);
}

static void
die(const char *what)
{
	(void)fprintf(stderr, "bench_cel: %s\n", what);
	exit(1);
}

/* Features by turns: int, double, string, timestamp. */
static void
bench_open(struct bench *b)
{
	static const struct type *const types[] = {
		&type_int, &type_double, &type_string, &type_timestamp};
	char name[32];

	if (cel_env_create(0, &b->env) != SG_OK ||
		cel_frame_create(&b->frame) != SG_OK)
		die("out of memory");
	b->host = (struct cel_host){
		.load = load, .ctx = b, .memo = b->memo, .epoch = 1};
	for (uint32_t i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof(name), "f.n%u", i);
		if (cel_env_declare(b->env, name, types[i % 4], i) != SG_OK)
			die("cannot declare");
		b->values[i] =
			i % 4 == 0   ? value_int(i)
			: i % 4 == 1 ? value_double(i)
			: i % 4 == 2 ? value_string("retail", 6)
				     : value_timestamp_ms(
					       NOW_MS - i * INT64_C(86400000));
		b->memo[i] = (struct cel_memo){.epoch = 1,
			.value = b->values[i],
			.until_ms = AT_NEVER};
	}
}

static struct cel_prog *
compile(struct bench *b, const char *source)
{
	struct cel_prog *prog = NULL;

	if (cel_compile(b->env, source, strlen(source), NULL, &b->diags,
		    &prog) != SG_OK)
		die(b->diags.items[0].text);
	return prog;
}

static void
bench_compile(struct bench *b)
{
	int64_t best = INT64_MAX;

	for (int round = 0; round < 5; round++) {
		int64_t start = cpu_us(), took;

		for (uint32_t i = 0; i < RULES; i++) {
			char source[240];

			(void)snprintf(source, sizeof(source),
				"f.n%u >= %u && (f.n%u < 100000.0 || f.n%u == "
				"'retail') && now - f.n%u > days(%u)",
				i % 10 * 4, i % 7, i % 10 * 4 + 1,
				i % 9 * 4 + 2, i % 8 * 4 + 3, i % 30);
			cel_prog_destroy(b->progs[i]);
			b->progs[i] = compile(b, source);
		}
		took = cpu_us() - start;
		if (took < best)
			best = took;
	}
	printf("compile            %8.2f us/rule  (%d rules: %.1f ms)\n",
		(double)best / RULES, RULES, (double)best / 1000);
}

/* ns per evaluation of each of `n` programs, the best of 7 rounds. */
static double
time_evals(struct bench *b, uint32_t n, uint32_t times)
{
	double best = 1e18;
	uint64_t trues = 0;

	for (int round = 0; round < 7; round++) {
		int64_t start = cpu_us();
		double ns;

		for (uint32_t t = 0; t < times; t++) {
			for (uint32_t i = 0; i < n; i++)
				trues += cel_eval(b->progs[i], b->frame,
					&b->host, NOW_MS + t)
						 .value.as.b;
		}
		ns = (double)(cpu_us() - start) * 1000 / times / n;
		if (ns < best)
			best = ns;
	}
	if (trues == 1)
		die("impossible");
	return best;
}

/* The same of `n` programs that are all false, in one call. */
static double
time_first(struct bench *b, uint32_t n, uint32_t times)
{
	double best = 1e18;
	uint64_t at = 0;

	for (int round = 0; round < 7; round++) {
		int64_t start = cpu_us();
		double ns;

		for (uint32_t t = 0; t < times; t++) {
			struct cel_result result;

			at += cel_first(b->progs, n, b->frame, &b->host,
				NOW_MS + t, &result);
		}
		ns = (double)(cpu_us() - start) * 1000 / times / n;
		if (ns < best)
			best = ns;
	}
	if (at != UINT64_C(7) * n * times)
		die("one of them is true");
	return best;
}

static void
bench_rules(struct bench *b, const char *what, const char *format)
{
	double ns;

	for (uint32_t i = 0; i < 32; i++) {
		char source[400];

		(void)snprintf(source, sizeof(source), format, i % 10 * 4,
			i % 10 * 4 + (i % 4 == 0), i % 9 * 4 + 1);
		cel_prog_destroy(b->progs[i]);
		b->progs[i] = compile(b, source);
	}
	ns = time_evals(b, 32, 20000);
	printf("%-18s %8.1f ns/rule, %7.0f ns for 32\n", what, ns, ns * 32);
}

static void
bench_first(struct bench *b, const char *what, const char *format)
{
	double ns;

	for (uint32_t i = 0; i < 32; i++) {
		char source[400];

		(void)snprintf(source, sizeof(source), format, i % 10 * 4,
			1000 + i, i % 9 * 4 + 1, i % 8 * 4 + 3);
		cel_prog_destroy(b->progs[i]);
		b->progs[i] = compile(b, source);
	}
	ns = time_first(b, 32, 20000);
	printf("%-18s %8.1f ns/rule, %7.0f ns for 32\n", what, ns, ns * 32);
}

int
main(void)
{
	static struct bench b;

	bench_open(&b);
	bench_compile(&b);
	bench_rules(&b, "1 predicate", "f.n%1$u >= %2$u");
	bench_rules(&b, "2 predicates", "f.n%1$u >= %2$u && f.n%3$u > 0.5");
	bench_rules(&b, "8 predicates",
		"f.n%1$u >= 0 && f.n%3$u > 0.5 && f.n%1$u < 1000 && "
		"f.n%3$u <= 5000.0 && f.n2 == 'retail' && f.n6 != 'x' && "
		"(f.n4 == 1 || f.n8 == 8)");
	bench_rules(&b, "silence", "now - f.n3 > days(%1$u)");
	bench_rules(&b, "in list", "f.n2 in ['a', 'b', 'c', 'retail', 'd']");
	bench_first(&b, "first: 64 run", "f.n%3$u >= 0.0 && f.n%1$u >= %2$u");
	bench_first(
		&b, "first: 64, 32 run", "f.n%1$u >= %2$u && f.n%3$u >= 0.0");
	bench_first(&b, "first: silence",
		"f.n%3$u >= 0.0 && now - f.n%4$u > days(%2$u)");
	bench_rules(&b, "ratio", "f.n1 / f.n5 >= 0.85 && f.n%1$u >= 0");
	for (uint32_t i = 0; i < RULES; i++)
		cel_prog_destroy(b.progs[i]);
	cel_frame_destroy(b.frame);
	cel_env_destroy(b.env);
	return 0;
}
