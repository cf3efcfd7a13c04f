#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/ops.h"

#define S INT64_C(1000000)

static struct health *
fresh(void)
{
	struct health *health = NULL;

	assert_int_equal(health_create(&health), SG_OK);
	return health;
}

static void
assert_written(const struct health *health, const char *want)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	health_write(health, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

static void
ready_when_every_condition_holds(void **state)
{
	struct health *health = fresh();

	(void)state;
	assert_true(health_is_ready(health));

	int redis = health_add(health, "redis");
	int kafka = health_add(health, "kafka");

	assert_int_equal(redis, 0);
	assert_int_equal(kafka, 1);
	assert_false(health_is_ready(health));
	health_set(health, kafka, true, NULL);
	assert_false(health_is_ready(health));
	health_set(health, redis, true, NULL);
	assert_true(health_is_ready(health));
	health_set(health, kafka, false, "no broker answers");
	assert_false(health_is_ready(health));
	health_destroy(health);
	health_destroy(NULL);
}

static void
conditions_are_written_a_line_each(void **state)
{
	struct health *health = fresh();
	int redis = health_add(health, "redis");
	int kafka = health_add(health, "kafka");
	int worker = health_add(health, "worker-0");

	(void)state;
	assert_written(health, "[-]redis not yet\n[-]kafka not yet\n"
			       "[-]worker-0 not yet\n");
	health_set(health, redis, true, "");
	health_set(health, kafka, false, "no broker\nof a:9092\tanswers");
	health_set(health, worker, true, "4 groups");
	assert_written(health, "[+]redis ok\n"
			       "[-]kafka: no broker of a:9092 answers\n"
			       "[+]worker-0: 4 groups\n");
	health_set(health, kafka, true, NULL);
	assert_written(health, "[+]redis ok\n[+]kafka ok\n"
			       "[+]worker-0: 4 groups\n");
	health_destroy(health);
}

static void
long_texts_are_cut(void **state)
{
	struct health *health = fresh();
	char name[64];
	char detail[512];
	char want[512];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(detail, 'd', sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	health_set(health, health_add(health, name), true, detail);
	(void)snprintf(want, sizeof(want), "[+]%.31s: %.255s\n", name, detail);
	assert_written(health, want);
	health_destroy(health);
}

static void
conditions_have_a_maximum_and_unknown_numbers_do_nothing(void **state)
{
	struct health *health = fresh();

	(void)state;
	for (int i = 0; i < HEALTH_MAX; i++) {
		assert_int_equal(health_add(health, "x"), i);
		health_set(health, i, true, NULL);
	}
	assert_int_equal(health_add(health, "y"), -1);
	health_set(health, -1, false, "no");
	health_set(health, HEALTH_MAX, false, "no");
	health_beat(health, -1, 1);
	health_beat(health, HEALTH_MAX, 1);
	assert_true(health_is_ready(health));
	assert_true(health_is_live(health, 100 * S, NULL));
	health_destroy(health);
}

static void
live_while_no_watched_beat_is_older_than_30_s(void **state)
{
	static const struct {
		const char *name;
		int64_t beat_us[2];
		int64_t mono_us;
		const char *want; /* NULL: live */
	} rows[] = {
		{"nobody is watched", {0, 0}, 1000 * S, NULL},
		{"just now", {5 * S, 5 * S}, 5 * S, NULL},
		{"30 s are still alive", {5 * S, 0}, 35 * S, NULL},
		{"more are not", {5 * S, 0}, 35 * S + 1,
			"w0: no sign of life for 30 s\n"},
		{"one of two", {90 * S, 5 * S}, 100 * S,
			"w1: no sign of life for 95 s\n"},
		{"both", {40 * S, 5 * S}, 100 * S,
			"w0: no sign of life for 60 s\n"
			"w1: no sign of life for 95 s\n"},
		{"a beat newer than the question", {9 * S, 0}, 8 * S, NULL},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct health *health = fresh();
		struct buf out;

		buf_init(&out, 1024);
		for (int j = 0; j < 2; j++)
			health_beat(health,
				health_add(health, j == 0 ? "w0" : "w1"),
				rows[i].beat_us[j]);

		bool is_live = health_is_live(health, rows[i].mono_us, &out);
		const char *want = rows[i].want != NULL ? rows[i].want : "";

		if (is_live != (rows[i].want == NULL) ||
			strcmp(buf_cstr(&out), want) != 0)
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
		buf_fini(&out);
		health_destroy(health);
	}
}

static void
who_left_is_not_watched_any_more(void **state)
{
	struct health *health = fresh();
	int worker = health_add(health, "worker-0");

	(void)state;
	health_beat(health, worker, 1 * S);
	assert_false(health_is_live(health, 60 * S, NULL));
	health_beat(health, worker, 0);
	assert_true(health_is_live(health, 60 * S, NULL));
	health_destroy(health);
}

static void
a_lease_ends_unless_progress_is_shown(void **state)
{
	static const struct {
		const char *name;
		bool is_ok;
		int64_t since_s; /* ago; 0: no lease */
		int64_t bound_s;
		bool want;
	} rows[] = {
		{"no lease", true, 0, 1, true},
		{"within", true, 60, 120, true},
		{"over", true, 180, 120, false},
		{"not ok, within", false, 60, 120, false},
		{"not ok, over", false, 180, 120, false},
		{"before the machine was started", true, 1000000000, 120,
			false},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct health *health = fresh();
		int worker = health_add(health, "worker-0");
		int64_t since_us = clock_mono_us() - rows[i].since_s * S;

		health_set(health, worker, rows[i].is_ok, "fine");
		health_lease(health, worker,
			rows[i].since_s == 0 ? 0 : since_us,
			rows[i].bound_s * S);
		if (health_is_ready(health) != rows[i].want)
			fail_msg("%s", rows[i].name);
		/* It ends with a new sign, or when it is taken away. */
		health_lease(health, worker, clock_mono_us(), 600 * S);
		assert_true(health_is_ready(health) == rows[i].is_ok);
		health_lease(health, worker, 0, 0);
		assert_true(health_is_ready(health) == rows[i].is_ok);
		health_destroy(health);
	}
}

static void
a_lease_that_is_over_is_told(void **state)
{
	struct health *health = fresh();
	int worker = health_add(health, "worker-0");
	struct buf out;

	(void)state;
	health_set(health, worker, true, "standing by");
	health_lease(health, worker, clock_mono_us() - 200 * S, 9 * S);
	buf_init(&out, 1 << 20);
	health_write(health, &out);
	assert_non_null(strstr(buf_cstr(&out), "[-]worker-0: what came in"));
	assert_null(strstr(buf_cstr(&out), "standing by"));
	buf_fini(&out);
	health_lease(health, -1, 1, 1);
	health_lease(health, 7, 1, 1);
	health_destroy(health);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_when_every_condition_holds),
		cmocka_unit_test(conditions_are_written_a_line_each),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(
			conditions_have_a_maximum_and_unknown_numbers_do_nothing),
		cmocka_unit_test(live_while_no_watched_beat_is_older_than_30_s),
		cmocka_unit_test(who_left_is_not_watched_any_more),
		cmocka_unit_test(a_lease_ends_unless_progress_is_shown),
		cmocka_unit_test(a_lease_that_is_over_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
