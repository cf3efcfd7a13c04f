/*
 * bench_state.c - the bytes of a quiet account in Redis, part by part.
 *
 * Twenty features of three inputs, three segmentations and a renewal window:
 * an account that pays, has a contract, and is seen every other week. What
 * Redis itself adds to a key (some 60 bytes) is not in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../processor/pipeline/group.h"
#include "segmentd/hash.h"

#define DAY CIVIL_DAY_MS
#define START_MS INT64_C(1767225600000) /* 2026-01-01 */

static const char schema[] =
	"{\"type\":\"record\",\"name\":\"E\",\"fields\":["
	"{\"name\":\"id\",\"type\":\"string\"},"
	"{\"name\":\"account\",\"type\":\"string\"},"
	"{\"name\":\"at\",\"type\":{\"type\":\"long\","
	"\"logicalType\":\"timestamp-millis\"}},"
	"{\"name\":\"ends_at\",\"type\":{\"type\":\"long\","
	"\"logicalType\":\"timestamp-millis\"}},"
	"{\"name\":\"n\",\"type\":\"long\"},"
	"{\"name\":\"arr\",\"type\":\"double\"},"
	"{\"name\":\"s\",\"type\":\"string\"}]}";

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
die(const char *what)
{
	(void)fprintf(stderr, "bench_state: %s\n", what);
	exit(1);
}

static void
must(enum sg_err err)
{
	if (err != SG_OK)
		die(sg_err_text(err));
}

static struct program *
make(struct conf **ret_conf, struct conf_diags **ret_diags)
{
	const char *schemas[INPUTS_MAX];
	struct program *prog = NULL;
	struct buf text;

	for (size_t i = 0; i < INPUTS_MAX; i++)
		schemas[i] = schema;
	must(conf_diags_create(ret_diags));
	if (conf_parse("state.yaml", ".", yaml, strlen(yaml), *ret_diags,
		    ret_conf) == SG_OK &&
		program_create_with(*ret_conf, schemas, *ret_diags, &prog) ==
			SG_OK)
		return prog;
	buf_init(&text, 1 << 16);
	conf_diags_print(*ret_diags, false, &text);
	die(buf_cstr(&text));
	return NULL;
}

static struct account *
event(struct toolbox *box, struct group *group, uint32_t input, int64_t offset,
	int64_t at_ms, int64_t n)
{
	struct sg_fault why = {.err = SG_OK};
	struct group_event ge;
	struct record rec = {.input = input,
		.offset = offset,
		.kafka_ms = at_ms,
		.writer = box->prog->inputs[input].schema};
	struct account *acct;
	struct buf bytes;
	char json[300];

	(void)snprintf(json, sizeof(json),
		"{\"id\":\"e%lld\",\"account\":\"0014x00001aBcDe\",\"at\":%lld,"
		"\"ends_at\":%lld,\"n\":%lld,\"arr\":%lld.5,\"s\":\"growth\"}",
		(long long)offset, (long long)at_ms,
		(long long)(START_MS + 365 * DAY), (long long)n,
		(long long)(n * 1700));
	buf_init(&bytes, 1 << 16);
	must(program_encode(
		box->prog, input, json, strlen(json), &bytes, &why));
	rec.value = bytes.bytes;
	rec.value_len = bytes.len;
	arena_reset(&box->batch);
	must(group_advance(group, at_ms, 0));
	must(group_read(box, &rec, &ge, &why));
	acct = group_account(group, &ge.ev);
	if (acct == NULL)
		die("out of memory");
	must(group_fold(group, acct, &ge, group->clock_ms, 0));
	must(group_decide_touched(group, group->clock_ms, 0));
	buf_fini(&bytes);
	return acct;
}

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
	struct program *prog = make(&conf, &diags);

	measure(prog, 1);
	measure(prog, 2);
	measure(prog, 7);
	program_destroy(prog);
	conf_destroy(conf);
	conf_diags_destroy(diags);
	return 0;
}
