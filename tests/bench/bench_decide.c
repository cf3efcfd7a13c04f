/*
 * bench_decide.c - what a decision costs: 32 rules of 64 comparisons.
 *
 * A mix as configurations have it: ordered segmentations and tags, three rules
 * of silence, two of the days to a renewal, lists of texts. The account lies in
 * the cache, and nothing moves. Rules are timed with the values they read in
 * the decision's memo, then whole decisions, in which features are read out of
 * their windows: of all segmentations, and of those whose inputs an event
 * changed. The numbers are CPU time, the best of several runs.
 */
#include <malloc.h>
#include <time.h>

#include "../../processor/pipeline/decide_private.h"
#include "bench_program.h"

#define ROUNDS 9
#define TIMES 20000

static const char yaml[] =
	"topics: {overrides: \"\"}\n"
	"inputs:\n"
	"  account:\n"
	"    {topic: account, key: account, time: at, features: {\n"
	"      arr: {last: arr}, plan: {last: s}, seats: {last: n},\n"
	"      created: {first: at}, renews: {last: ends_at}}}\n"
	"  usage:\n"
	"    {topic: usage, key: account, time: at, features: {\n"
	"      c1: {count: 1d}, c7: {count: 7d}, c30: {count: 30d},\n"
	"      m30: {sum: arr, window: 30d}, most: {max: n, window: 90d},\n"
	"      seen: {latest: at}, streak: {streak: true}}}\n"
	"  ticket:\n"
	"    {topic: ticket, key: account, time: at, features: {\n"
	"      c7: {count: 7d}, c30: {count: 30d}, worst: {max: n, window: "
	"30d},\n"
	"      seen: {latest: at}, kind: {last: s}}}\n"
	"segmentations:\n"
	"  touch: {segments: [\n"
	"    {name: a, when: account.arr >= 900000.0 && account.seats > "
	"1000},\n"
	"    {name: b, when: account.arr >= 800000.0 && account.seats > "
	"500},\n"
	"    {name: c, when: 'account.arr >= 700000.0 || account.seats > "
	"400'},\n"
	"    {name: d, when: account.arr >= 600000.0 && account.plan == "
	"\"x\"},\n"
	"    {name: e}]}\n"
	"  activity: {segments: [\n"
	"    {name: a, when: usage.c1 > 100 && usage.c7 > 700},\n"
	"    {name: b, when: usage.c7 > 500 && usage.m30 > 1000000.0},\n"
	"    {name: c, when: usage.c30 > 900 && usage.most >= 50},\n"
	"    {name: d, when: usage.c30 > 800 && usage.streak > 30},\n"
	"    {name: e, when: 'usage.c7 > 300 || usage.m30 < 0.0'},\n"
	"    {name: f}]}\n"
	"  support: {segments: [\n"
	"    {name: a, when: ticket.c7 > 20 && ticket.worst > 8},\n"
	"    {name: b, when: ticket.c30 > 50 && ticket.kind == \"bug\"},\n"
	"    {name: c, when: ticket.c30 > 30 && ticket.worst >= 90},\n"
	"    {name: d}]}\n"
	"  fit: {segments: [\n"
	"    {name: a, when: 'account.plan in [\"pro\", \"max\"] && "
	"account.seats > 50'},\n"
	"    {name: b, when: 'account.plan in [\"team\", \"plus\"] || "
	"account.arr < 10.0'},\n"
	"    {name: c}]}\n"
	"  silent: {enter: 'now - usage.seen > days(30) && account.arr > "
	"0.0'}\n"
	"  gone: {enter: 'now - usage.seen > days(90) && usage.c30 == 0'}\n"
	"  calm: {enter: 'now - ticket.seen > days(60) && ticket.c30 == 0'}\n"
	"  renew_risk: {enter: 'renewal.days_left <= 30 && usage.c7 < 1'}\n"
	"  renew_soon: {enter: 'renewal.days_left <= 60 && ticket.worst > "
	"90'}\n"
	"  t1: {enter: usage.c1 > 50 && ticket.c7 == 0}\n"
	"  t2: {enter: usage.c7 > 80 && account.seats < 10}\n"
	"  t3: {enter: 'usage.c30 > 400 || ticket.c30 > 40'}\n"
	"  t4: {enter: usage.most > 5000 && usage.streak > 3}\n"
	"  t5: {enter: usage.m30 > 5000000.0 && account.plan == \"pro\"}\n"
	"  t6: {enter: ticket.worst > 95 && account.arr > 100.0}\n"
	"  t7: {enter: ticket.kind == \"outage\" && ticket.c7 > 1}\n"
	"  t8: {enter: account.seats > 900 && usage.c7 > 2}\n"
	"  t9: {enter: account.arr > 990000.0 && usage.streak > 2}\n"
	"  t10: {enter: usage.c30 > 990 && usage.c1 > 2}\n"
	"  t11: {enter: usage.streak > 300 && account.arr > 5.0}\n"
	"  t12: {enter: ticket.c30 > 99 && ticket.c7 > 9}\n"
	"  t13: {enter: account.seats > 99999 && account.arr > 5.0}\n"
	"renewal: {date: account.renews, windows: [120, 90, 60, 30], "
	"timezone: UTC}\n";

static double
cpu_ns(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
	return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

struct timed {
	struct toolbox *box;
	struct account *acct;
	int64_t now_ms;
	uint64_t sink;
};

/* All rules, as a decision asks for them, with what they read at hand. */
static void
rules(struct timed *t)
{
	struct decider *d = t->box->decider;
	const struct program *prog = t->box->prog;

	for (size_t i = 0; i < prog->nsegmentations; i++) {
		const struct program_segmentation *seg =
			&prog->segmentations[i];
		struct cel_result result;

		if (seg->when != NULL)
			t->sink += cel_first(seg->when, seg->nrules - 1,
				d->frames[0], &d->host, t->now_ms, &result);
		else if (seg->enter != NULL)
			t->sink += cel_first(
				(struct cel_prog *const *)&seg->enter, 1,
				d->frames[0], &d->host, t->now_ms, &result);
	}
}

static void
decide(struct timed *t, bool is_forced)
{
	struct decide_cause cause = {.origin = ORIGIN_timer};
	int64_t due_ms;

	must(decide_account(t->box->decider, t->acct, t->now_ms, is_forced,
		&cause, &t->box->txn, &t->box->changes, &due_ms));
}

static void
everything(struct timed *t)
{
	decide(t, true);
}

/* As after an event of the last input. */
static void
tickets(struct timed *t)
{
	const struct program *prog = t->box->prog;

	for (uint32_t i = 0; i < prog->nfeatures; i++) {
		if (strncmp(prog->feature_defs[i].name, "ticket.", 7) == 0)
			t->acct->changed[i / 64] |= UINT64_C(1) << (i % 64);
	}
	decide(t, false);
}

static void
nothing(struct timed *t)
{
	decide(t, false);
}

static void
bench(const char *what, struct timed *t, void (*run)(struct timed *))
{
	double best = 1e18;
	uint64_t evaluated;
	size_t heap;

	run(t);
	heap = mallinfo2().uordblks;
	(void)decider_take_evaluated(t->box->decider);
	run(t);
	evaluated = decider_take_evaluated(t->box->decider);
	for (int round = 0; round < ROUNDS; round++) {
		double start = cpu_ns(), took;

		for (int i = 0; i < TIMES; i++)
			run(t);
		took = (cpu_ns() - start) / TIMES;
		best = took < best ? took : best;
	}
	printf("%-34s %7.0f ns, %2llu rules evaluated, %zu bytes allocated\n",
		what, best, (unsigned long long)evaluated,
		mallinfo2().uordblks - heap);
}

int
main(void)
{
	struct conf_diags *diags = NULL;
	struct conf *conf = NULL;
	struct program *prog = make(yaml, &conf, &diags);
	struct group *group = NULL;
	struct toolbox box;
	struct timed t = {.box = &box};

	must(toolbox_init(&box, prog));
	must(group_create(&box, 0, &group));
	(void)event(&box, group, 0, 1, START_MS, 31);
	for (int i = 0; i < 40; i++)
		(void)event(&box, group, 1, i, START_MS + i * DAY, 12);
	for (int i = 0; i < 6; i++)
		t.acct = event(
			&box, group, 2, i, START_MS + (39 + i / 6) * DAY, 5);
	t.now_ms = group->clock_ms + 1000;
	everything(&t);
	box.changes.n = 0;
	everything(&t);
	if (box.changes.n != 0)
		die("something moves");
	bench("rules, values at hand", &t, rules);
	bench("decision, everything", &t, everything);
	bench("decision, a ticket came", &t, tickets);
	bench("decision, nothing came", &t, nothing);
	if (t.sink == 0)
		die("impossible");
	group_destroy(group);
	toolbox_fini(&box);
	program_destroy(prog);
	conf_destroy(conf);
	conf_diags_destroy(diags);
	return 0;
}
