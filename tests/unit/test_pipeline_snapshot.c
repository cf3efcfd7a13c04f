/*
 * An account's state, stored and read back: it goes on as if nothing had been,
 * also under a configuration that has grown; and bytes that somebody else made
 * up are refused or harmless.
 */
#include "test_pipeline_rules.h"

#define ROUNDS 60

struct stored {
	char id[16];
	uint64_t hash;
	int64_t due_ms;
	struct buf bytes;
};

static size_t
store_all(struct driven *d, struct stored *list, size_t max)
{
	struct accounts *accounts = &d->group->accounts;
	size_t n = 0;

	for (size_t i = 0; i < accounts->nbuckets; i++) {
		struct account *acct = accounts->buckets[i];

		for (; acct != NULL; acct = acct->chain) {
			struct stored *st = &list[n++];

			assert_true(n <= max);
			(void)snprintf(st->id, sizeof(st->id), "%s", acct->id);
			st->hash = acct->hash;
			st->due_ms = acct->due_ms;
			buf_init(&st->bytes, 1 << 20);
			snapshot_write(d->box.prog, acct, d->group->number,
				&st->bytes);
			assert_false(st->bytes.is_failed);
			assert_int_equal(
				snapshot_group(st->bytes.bytes, st->bytes.len),
				d->group->number);
		}
	}
	return n;
}

static void
load_one(struct driven *d, const struct stored *st,
	const struct snapshot_layout *layout)
{
	struct sg_fault why = {.err = SG_OK};
	struct account *acct = accounts_add(
		&d->group->accounts, st->id, strlen(st->id), st->hash);
	size_t before = features_size(acct->features);
	enum sg_err err =
		snapshot_read(d->box.prog, layout, layout == NULL ? 0 : 1,
			st->bytes.bytes, st->bytes.len, acct, &why);

	if (err != SG_OK)
		fail_msg("%s: %s", sg_err_name(err), why.text);
	accounts_resized(
		&d->group->accounts, before, features_size(acct->features));
	acct->is_loaded = true;
	assert_int_equal(
		accounts_arm(&d->group->accounts, acct, st->due_ms), SG_OK);
}

/* Everything is forgotten but what was stored, and read by `next`. */
static void
restart(struct driven *d, const struct program *next)
{
	const struct program *prog = d->box.prog;
	struct stored list[NACCOUNTS];
	struct snapshot_layout layout = {.hash = 0};
	struct sg_fault why = {.err = SG_OK};
	size_t n = store_all(d, list, NACCOUNTS);
	int64_t clock_ms = d->group->clock_ms;
	int64_t offsets[INPUTS_MAX];

	memcpy(offsets, d->offsets, sizeof(offsets));
	assert_int_equal(
		snapshot_layout_read(next, prog->layout_hash,
			prog->layout.bytes, prog->layout.len, &layout, &why),
		SG_OK);
	drive_end(d);
	drive_begin(next, d);
	memcpy(d->offsets, offsets, sizeof(offsets));
	d->group->clock_ms = clock_ms;
	for (size_t i = 0; i < n; i++) {
		load_one(d, &list[i], next == prog ? NULL : &layout);
		buf_fini(&list[i].bytes);
	}
	snapshot_layout_fini(&layout);
}

/* The same configuration with a feature and a tag in front of all others. */
static void
put_grown(const char *yaml, struct buf *out)
{
	static const char features[] = "features: {";
	static const char segmentations[] = "segmentations:\n";

	while (*yaml != '\0') {
		if (strncmp(yaml, features, strlen(features)) == 0) {
			buf_put_str(out, features);
			buf_put_str(out, "grown: {sum: n, window: 2h}, ");
			yaml += strlen(features);
		} else if (strncmp(yaml, segmentations,
				   strlen(segmentations)) == 0) {
			buf_put_str(out, segmentations);
			buf_put_str(out, "  grown: {enter: a.c2h > 1000}\n");
			yaml += strlen(segmentations);
		} else {
			buf_put_u8(out, (uint8_t)*yaml++);
		}
	}
}

static void
play(uint64_t seed)
{
	struct random rnd = {seed};
	struct history restarted, straight;
	struct driven a, b;
	struct made made, grown;
	struct buf yaml, more;

	buf_init(&yaml, 1 << 20);
	buf_init(&more, 1 << 20);
	for (int i = 0; i < NACCOUNTS; i++) {
		buf_init(&restarted.lines[i], 64 << 20);
		buf_init(&straight.lines[i], 64 << 20);
	}
	put_config(&rnd, &yaml);
	put_grown(buf_cstr(&yaml), &more);
	must_make(buf_cstr(&yaml), &made);
	must_make(buf_cstr(&more), &grown);
	drive_begin(made.program, &a);
	drive_begin(made.program, &b);
	for (int step = 0; step < 12 * 24 * 2; step++) {
		int64_t now_ms = START_MS + step * STEP_MS;
		char json[256];

		assert_int_equal(group_advance(a.group, now_ms, 0), SG_OK);
		assert_int_equal(group_advance(b.group, now_ms, 0), SG_OK);
		if (step < 12 * 36 && pick(&rnd, 8) == 0) {
			uint32_t input = (uint32_t)pick(&rnd, 2);

			make_event(&rnd, now_ms, json, sizeof(json));
			drive_fold(&a, input, json);
			drive_fold(&b, input, json);
		}
		take_changes(&a, &restarted);
		take_changes(&b, &straight);
		if (step == 12 * 24)
			restart(&a, grown.program);
		else if (pick(&rnd, 10) == 0)
			restart(&a, a.box.prog);
	}
	for (int i = 0; i < NACCOUNTS; i++) {
		if (strcmp(buf_cstr(&restarted.lines[i]),
			    buf_cstr(&straight.lines[i])) != 0)
			fail_msg("seed %" PRIu64 ", account %d\n%s\nwith "
				 "restarts:\n%s\nwithout:\n%s",
				seed, i, buf_cstr(&yaml),
				buf_cstr(&restarted.lines[i]),
				buf_cstr(&straight.lines[i]));
		buf_fini(&restarted.lines[i]);
		buf_fini(&straight.lines[i]);
	}
	drive_end(&a);
	drive_end(&b);
	unmake_program(&made);
	unmake_program(&grown);
	buf_fini(&yaml);
	buf_fini(&more);
}

static void
a_restart_changes_nothing(void **state)
{
	const char *more = getenv("SNAPSHOT_ROUNDS");
	long rounds = more == NULL ? ROUNDS : strtol(more, NULL, 10);

	(void)state;
	for (long seed = 1; seed <= rounds; seed++)
		play((uint64_t)seed);
}

/* --- bytes of somebody else --------------------------------------------- */

/* Some accounts with a past, and one that is deleted. */
static void
make_past(struct driven *d)
{
	struct random rnd = {5};
	char json[256];

	for (int step = 0; step < 300; step++) {
		int64_t now_ms = START_MS + step * STEP_MS;

		assert_int_equal(group_advance(d->group, now_ms, 0), SG_OK);
		make_event(&rnd, now_ms, json, sizeof(json));
		drive_fold(d, (uint32_t)pick(&rnd, 2), json);
	}
	(void)snprintf(json, sizeof(json),
		"{\"account\":\"0\",\"at\":%" PRId64 ",\"s\":\"gone\"}",
		START_MS + 400 * STEP_MS);
	drive_fold(d, 0, json);
}

static void
mutate(struct random *rnd, const struct buf *from, struct buf *to)
{
	size_t len =
		from->len -
		(pick(rnd, 4) == 0 ? (size_t)pick(rnd, 20) % from->len : 0);

	buf_reset(to);
	buf_put(to, from->bytes, len);
	for (int k = pick(rnd, 5); k >= 0 && len > 5; k--) {
		/* Behind codec version and layout hash. */
		size_t at = 5 + (size_t)random_below(rnd, (int64_t)len - 5);

		to->bytes[at] = (uint8_t)random_below(rnd, 256);
	}
}

static void
made_up_states_are_refused_or_harmless(void **state)
{
	struct random rnd = {9};
	struct stored list[NACCOUNTS];
	struct made made;
	struct driven d;
	struct buf yaml, bytes;
	size_t n;

	(void)state;
	buf_init(&yaml, 1 << 20);
	buf_init(&bytes, 1 << 20);
	put_config(&rnd, &yaml);
	must_make(buf_cstr(&yaml), &made);
	drive_begin(made.program, &d);
	make_past(&d);
	n = store_all(&d, list, NACCOUNTS);
	assert_int_equal(n, NACCOUNTS);
	for (int i = 0; i < 20000; i++) {
		struct sg_fault why = {.err = SG_OK};
		struct account *acct =
			accounts_add(&d.group->accounts, "x", 1, 1);
		size_t before = features_size(acct->features);
		enum sg_err err;

		mutate(&rnd, &list[i % NACCOUNTS].bytes, &bytes);
		err = snapshot_read(made.program, NULL, 0, bytes.bytes,
			bytes.len, acct, &why);
		assert_true(err == SG_OK || err == SG_BAD_BLOB);
		accounts_resized(&d.group->accounts, before,
			features_size(acct->features));
		accounts_remove(&d.group->accounts, acct);
	}
	for (size_t i = 0; i < n; i++)
		buf_fini(&list[i].bytes);
	drive_end(&d);
	unmake_program(&made);
	buf_fini(&yaml);
	buf_fini(&bytes);
}

static void
made_up_layouts_are_refused_or_harmless(void **state)
{
	struct random rnd = {9};
	struct made made;
	struct buf yaml, bytes;

	(void)state;
	buf_init(&yaml, 1 << 20);
	buf_init(&bytes, 1 << 20);
	put_config(&rnd, &yaml);
	must_make(buf_cstr(&yaml), &made);
	for (int i = 0; i < 20000; i++) {
		struct sg_fault why = {.err = SG_OK};
		struct snapshot_layout layout = {.hash = 0};

		mutate(&rnd, &made.program->layout, &bytes);
		if (snapshot_layout_read(made.program, 1, bytes.bytes,
			    bytes.len, &layout, &why) == SG_OK)
			snapshot_layout_fini(&layout);
	}
	unmake_program(&made);
	buf_fini(&yaml);
	buf_fini(&bytes);
}

static void
a_state_of_an_unknown_layout_is_refused(void **state)
{
	struct random rnd = {9};
	struct sg_fault why = {.err = SG_OK};
	struct stored list[NACCOUNTS];
	struct account *acct;
	struct made made;
	struct driven d;
	struct buf yaml;

	(void)state;
	buf_init(&yaml, 1 << 20);
	put_config(&rnd, &yaml);
	must_make(buf_cstr(&yaml), &made);
	drive_begin(made.program, &d);
	drive_fold(&d, 0, "{\"account\":\"1\",\"at\":1772359200000}");
	assert_int_equal(store_all(&d, list, NACCOUNTS), 1);
	acct = accounts_add(&d.group->accounts, "x", 1, 1);
	list[0].bytes.bytes[1] ^= 1;
	assert_int_equal(
		snapshot_read(made.program, NULL, 0, list[0].bytes.bytes,
			list[0].bytes.len, acct, &why),
		SG_BAD_BLOB);
	assert_non_null(strstr(why.text, "layout"));
	list[0].bytes.bytes[0] = 99;
	assert_int_equal(
		snapshot_read(made.program, NULL, 0, list[0].bytes.bytes,
			list[0].bytes.len, acct, &why),
		SG_BAD_BLOB);
	assert_non_null(strstr(why.text, "codec version"));
	buf_fini(&list[0].bytes);
	drive_end(&d);
	unmake_program(&made);
	buf_fini(&yaml);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restart_changes_nothing),
		cmocka_unit_test(made_up_states_are_refused_or_harmless),
		cmocka_unit_test(made_up_layouts_are_refused_or_harmless),
		cmocka_unit_test(a_state_of_an_unknown_layout_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
