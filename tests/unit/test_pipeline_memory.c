/*
 * Every allocation fails once: compiling a configuration, folding and deciding,
 * storing and loading, and a file of scenarios are SG_NOMEM or right, and
 * nothing leaks. (Under AddressSanitizer, which has an allocator of its own,
 * none fails.)
 */
#include "../support/failing_alloc.h"
#include "test_pipeline_rules.h"

#include <unistd.h>

#include "../../processor/cli/test_file.h"
#include "segmentd/hash.h"

/* --- what is done ------------------------------------------------------- */

struct tools {
	struct buf yaml;
	struct made made;
	struct buf events[40]; /* bare Avro */
	size_t nchanges;       /* that they make */
	struct buf state;      /* of an account */
	char path[32];	       /* of a file of scenarios */
	bool is_short;	       /* allocations fail now */
};

/* A configuration, compiled. */
static enum sg_err
compile(struct tools *tools)
{
	const char *schemas[INPUTS_MAX];
	struct conf_diags *diags = NULL;
	struct program *program = NULL;
	struct conf *conf = NULL;
	enum sg_err err = conf_diags_create(&diags);

	for (size_t i = 0; i < INPUTS_MAX; i++)
		schemas[i] = SUPPORT_SCHEMA;
	if (err == SG_OK)
		err = conf_parse("t.yaml", ".", (const char *)tools->yaml.bytes,
			tools->yaml.len, diags, &conf);
	if (err == SG_OK)
		err = program_create_with(conf, schemas, diags, &program);
	if (err == SG_OK)
		assert_int_equal(
			program->rules_hash, tools->made.program->rules_hash);
	program_destroy(program);
	conf_destroy(conf);
	conf_diags_destroy(diags);
	return err;
}

static void
count_change(void *ctx, const struct change *change)
{
	(void)change;
	(*(size_t *)ctx)++;
}

/* Events and days, and a look at an account. */
static enum sg_err
play(struct tools *tools)
{
	size_t n = 0;
	const struct replay_opts opts = {.on_change = count_change, .ctx = &n};
	struct replay *replay = NULL;
	struct sg_fault why;
	struct explanation ex;
	struct value value;
	struct arena arena;
	enum sg_err err = replay_open(tools->made.program, &opts, &replay);

	arena_init(&arena, 1 << 24);
	for (size_t i = 0; i < SG_COUNTOF(tools->events) && err == SG_OK; i++) {
		struct replay_event event = {.input = i % 2,
			.bytes = tools->events[i].bytes,
			.len = tools->events[i].len,
			.kafka_ms = -1,
			.clock_ms = INT64_MIN};

		err = replay_event(replay, &event, &why);
	}
	if (err == SG_OK)
		err = replay_advance(replay, START_MS + 10 * CIVIL_DAY_MS);
	if (err == SG_OK)
		(void)replay_value(replay, "1", 5, &value, NULL);
	if (err == SG_OK)
		err = replay_explain(replay, "1", &arena, &ex, &why);
	if (err == SG_OK && tools->nchanges == 0)
		tools->nchanges = n;
	if (err == SG_OK)
		assert_int_equal(n, tools->nchanges);
	arena_fini(&arena);
	replay_destroy(replay);
	return err;
}

/* A state, stored, read, and stored again. */
static enum sg_err
store_and_load(struct tools *tools)
{
	struct sg_fault why = {.err = SG_OK};
	struct accounts accounts;
	struct account *acct;
	struct buf again;
	enum sg_err err = accounts_init(&accounts, tools->made.program);

	if (err != SG_OK)
		return err;
	buf_init(&again, 1 << 20);
	acct = accounts_add(&accounts, "1", 1, hash_bytes("1", 1));
	err = acct == NULL ? SG_NOMEM
			   : snapshot_read(tools->made.program, NULL, 0,
				     tools->state.bytes, tools->state.len, acct,
				     &why);
	if (err == SG_OK) {
		snapshot_write(tools->made.program, acct, 0, &again);
		err = again.is_failed ? SG_NOMEM : SG_OK;
	}
	if (err == SG_OK) {
		assert_int_equal(again.len, tools->state.len);
		assert_memory_equal(again.bytes, tools->state.bytes, again.len);
	}
	accounts_fini(&accounts);
	buf_fini(&again);
	return err;
}

/* A file of scenarios, with tests that fail. */
static enum sg_err
run_scenarios(struct tools *tools)
{
	struct test_result result = {.is_passed = true};
	struct test_file file;
	enum sg_err err = test_file_open(tools->path, &file);
	struct buf *parts[] = {
		&result.message, &result.expected, &result.got, &result.why};

	for (size_t i = 0; i < SG_COUNTOF(parts); i++)
		buf_init(parts[i], 1 << 20);
	for (size_t i = 0; i < file.ncases && err == SG_OK; i++) {
		err = test_run(&file, &file.cases[i], i == 1, &result);
		/* Without memory a test may fail; it does not pass for that. */
		if (err == SG_OK && (i > 0 || !tools->is_short))
			assert_int_equal(result.is_passed, i == 0);
	}
	for (size_t i = 0; i < SG_COUNTOF(parts); i++)
		buf_fini(parts[i]);
	test_file_close(&file);
	return err;
}

/* --- the tools ---------------------------------------------------------- */

static const char scenarios[] =
	"inputs:\n"
	"  o:\n"
	"    schema: {n: long, s: string?, place: {x: double}, tags: [string], "
	"kind: 'enum(a,b)', price: 'decimal(5,2)'}\n"
	"    features: {c: {count: 3d}, n: {last: n}, x: {last: place.x}}\n"
	"segmentations: {t: {enter: o.c >= 2}, u: {segments: [{name: x, when: "
	"o.n > 5}, {name: y}]}}\n"
	"renewal: {date: 'null'}\n"
	"tests:\n"
	"  - name: one\n"
	"    steps:\n"
	"      - {event: o, at: 2026-03-01, account: a, n: 1, place: {x: 2}, "
	"tags: [b, c], kind: a, price: 1.5}\n"
	"      - expect: [{segmentation: u, to: y, because: ['u.x: o.n > 5 is "
	"false'], values: {o.n: 1}}]\n"
	"      - expect_account: {account: a, o.c: 1, o.x: 2.0, segment.t: "
	"out}\n"
	"      - expect_counts: {events: 1}\n"
	"      - clock: 2026-04-01\n"
	"  - name: two\n"
	"    steps:\n"
	"      - {event: overrides, at: 2026-03-01, account: a, segmentation: "
	"u, segment: x, author: me}\n"
	"      - expect: [{to: y}]\n"
	"  - name: three\n"
	"    steps:\n"
	"      - expect_account: {account: a, o.c: 1}\n";

static void
write_scenarios(struct tools *tools)
{
	FILE *file;
	int fd;

	(void)snprintf(
		tools->path, sizeof(tools->path), "/tmp/segmentd-nomem-XXXXXX");
	fd = mkstemp(tools->path);
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_non_null(file);
	assert_true(fputs(scenarios, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
begin(struct tools *tools)
{
	struct random rnd = {21};
	struct account *acct;
	struct driven d;

	memset(tools, 0, sizeof(*tools));
	buf_init(&tools->yaml, 1 << 20);
	put_config(&rnd, &tools->yaml);
	must_make(buf_cstr(&tools->yaml), &tools->made);
	drive_begin(tools->made.program, &d);
	for (size_t i = 0; i < SG_COUNTOF(tools->events); i++) {
		struct sg_fault why = {.err = SG_OK};
		int64_t now_ms = START_MS + (int64_t)i * 12 * STEP_MS;
		char json[256];

		make_event(&rnd, now_ms, json, sizeof(json));
		buf_init(&tools->events[i], 1 << 16);
		assert_int_equal(
			program_encode(tools->made.program, i % 2, json,
				strlen(json), &tools->events[i], &why),
			SG_OK);
		drive_fold(&d, i % 2, json);
	}
	acct = accounts_find(&d.group->accounts, "1", 1, hash_bytes("1", 1));
	assert_non_null(acct);
	buf_init(&tools->state, 1 << 20);
	snapshot_write(tools->made.program, acct, 0, &tools->state);
	drive_end(&d);
	write_scenarios(tools);
}

static void
end(struct tools *tools)
{
	assert_int_equal(unlink(tools->path), 0);
	for (size_t i = 0; i < SG_COUNTOF(tools->events); i++)
		buf_fini(&tools->events[i]);
	buf_fini(&tools->state);
	buf_fini(&tools->yaml);
	unmake_program(&tools->made);
}

#ifdef CAN_FAIL
static void
fail_each(const char *name, enum sg_err (*act)(struct tools *),
	struct tools *tools)
{
	bool has_failed = true;

	tools->is_short = true;
	for (long nth = 1; has_failed; nth++) {
		long before = pieces;
		enum sg_err err;

		fail_at = nth;
		err = act(tools);
		has_failed = fail_at == 0;
		fail_at = 0;
		/* Where jansson runs out of memory it does not always say that
		 * it is not the text that is wrong. */
		if (err != SG_OK && err != SG_NOMEM && err != SG_BAD_CONFIG &&
			err != SG_BAD_SCHEMA)
			fail_msg("%s, allocation %ld: %s", name, nth,
				sg_err_name(err));
		if (pieces != before)
			fail_msg("%s, allocation %ld: %ld leaked", name, nth,
				pieces - before);
		assert_true(nth < 100000);
	}
	tools->is_short = false;
}
#endif

static void
nothing_leaks_and_nothing_is_half_done(void **state)
{
	static const struct {
		const char *name;
		enum sg_err (*act)(struct tools *);
	} acts[] = {
		{"compile", compile},
		{"play", play},
		{"store and load", store_and_load},
		{"run scenarios", run_scenarios},
	};
	struct tools tools;

	(void)state;
	begin(&tools);
	for (size_t i = 0; i < SG_COUNTOF(acts); i++) {
		/* What is kept for ever is made before it is counted. */
		assert_int_equal(acts[i].act(&tools), SG_OK);
#ifdef CAN_FAIL
		fail_each(acts[i].name, acts[i].act, &tools);
#endif
	}
	end(&tools);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_leaks_and_nothing_is_half_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
