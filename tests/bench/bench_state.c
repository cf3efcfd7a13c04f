/*
 * bench_state.c - the bytes of a quiet account in Redis, part by part.
 *
 * Twenty features of three inputs, three segmentations and a renewal window:
 * an account that pays, has a contract, and is seen every other week. What
 * Redis itself adds to a key (some 60 bytes) is not in it.
 */
#include "bench_program.h"

static const char yaml[] =
	"topics: {overrides: \"\"}\n"
	"inputs:\n"
	"  account:\n"
	"    {topic: account, key: account, time: at, features: {\n"
	"      arr: {last: arr}, plan: {last: s}, seats: {last: n},\n"
	"      created: {first: at}, seen: {latest: at}, renews: {last: "
	"ends_at}}}\n"
	"  contract:\n"
	"    {topic: contract, key: account, time: at, features: {\n"
	"      subs: {collect: s, keep: [n, arr, ends_at], max: 100}}}\n"
	"  usage:\n"
	"    {topic: usage, key: account, time: at, id: id, features: {\n"
	"      logins_14d: {count: 14d, where: n >= 0}, events_30d: {count: "
	"30d},\n"
	"      logins_1d: {count: 1d, where: n >= 0}, exports_30d: {count: "
	"30d, where: n == 7},\n"
	"      minutes_30d: {sum: arr, window: 30d}, minutes_7d: {mean: arr, "
	"window: 7d},\n"
	"      most_90d: {max: n, window: 90d}, rate_7d: {rate: 7d}, "
	"trend_14d: {trend: 14d},\n"
	"      users_30d: {distinct: s, window: 30d}, streak: {streak: "
	"true},\n"
	"      quiet: {days_since: true}, last_seen: {latest: at}}}\n"
	"segmentations:\n"
	"  touch: {segments: [{name: high, when: account.arr >= 100000.0},\n"
	"    {name: mid, when: account.arr >= 20000.0}, {name: low}]}\n"
	"  active: {enter: usage.logins_14d >= 1, exit: usage.logins_14d == "
	"0}\n"
	"  silent: {enter: now - usage.last_seen > days(30)}\n"
	"renewal: {date: account.renews, windows: [120, 90, 60, 30], "
	"timezone: UTC}\n";

static void
measure(const struct program *prog, int nevents)
{
	struct group *group = NULL;
	struct toolbox box;
	struct account *acct = NULL;
	struct buf whole, features, membership;

	must(toolbox_init(&box, prog));
	must(group_create(&box, 11, &group));
	buf_init(&whole, 1 << 20);
	buf_init(&features, 1 << 20);
	buf_init(&membership, 1 << 20);
	(void)event(&box, group, 0, 812345, START_MS + 3723456, 31);
	(void)event(&box, group, 1, 90123, START_MS + 3824567, 31);
	for (int i = 0; i < nevents; i++)
		acct = event(&box, group, 2, 48123456 + i * 917345,
			START_MS + i * 13 * DAY + 34567891 + i * 1234567,
			12 + i * 7);
	if (acct == NULL)
		die("no account");
	snapshot_write(prog, acct, 11, &whole);
	features_encode(prog->features, acct->features, &features);
	membership_encode(
		acct->ms, prog->defs, prog->nsegmentations, &membership);
	printf("%zu features, used %2d times: %zu bytes in Redis, of that "
	       "features %zu, membership %zu\n",
		prog->nfeatures, nevents, whole.len, features.len,
		membership.len);
	buf_fini(&whole);
	buf_fini(&features);
	buf_fini(&membership);
	group_destroy(group);
	toolbox_fini(&box);
}

int
main(void)
{
	struct conf_diags *diags = NULL;
	struct conf *conf = NULL;
	struct program *prog = make(yaml, &conf, &diags);

	measure(prog, 1);
	measure(prog, 2);
	measure(prog, 7);
	program_destroy(prog);
	conf_destroy(conf);
	conf_diags_destroy(diags);
	return 0;
}
