/*
 * test_rules_explain.c - the smallest set of parts that forced a result.
 */
#include "test_rules_env.h"

/* In the fixture: arr 150000, seats 30, industry retail, logins 3. */
static void
the_parts_that_decided_are_named(void **state)
{
	struct fixture *fx = *state;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	static const struct {
		const char *source;
		const char *want; /* result: part | part */
	} rows[] = {
		{"account.arr > 1.0", "true: account.arr > 1.0"},
		{"account.arr > 1.0 && account.seats > 5",
			"true: account.arr > 1.0 | account.seats > 5"},
		{"account.arr > 1.0 && account.seats > 99",
			"false: account.seats > 99"},
		{"account.arr < 1.0 && account.seats > 99",
			"false: account.arr < 1.0"},
		{"account.arr < 1.0 || account.seats > 5",
			"true: account.seats > 5"},
		{"account.arr < 1.0 || account.seats > 99",
			"false: account.arr < 1.0 | account.seats > 99"},
		{"!(account.arr > 1.0 && account.seats > 99)",
			"true: account.seats > 99"},
		/* One atom explains as well as two. */
		{"(account.arr > 1.0 && account.seats > 5) || trial",
			"true: trial"},
		{"(account.arr < 1.0 || account.seats > 99) && "
		 "account.industry == 'x'",
			"false: account.industry == 'x'"},
		{"trial ? account.seats > 5 : account.arr < 1.0",
			"true: trial | account.seats > 5"},
		{"(account.seats > 99 ? trial : account.arr < 1.0) || trial",
			"true: trial"},
		{"account.bad > 1 && account.seats > 5",
			"error: account.bad > 1 | account.seats > 5"},
		{"account.bad > 1 && account.seats > 99",
			"false: account.seats > 99"},
		{"account.bad > 1 ? true : false", "error: account.bad > 1"},
		{"contracts.exists(c, c.id == 'a' || c.id == 'b')",
			"true: contracts.exists(c, c.id == 'a' || c.id == "
			"'b')"},
		{"account.seats + 1", "31: account.seats + 1"},
		{"true && (account.seats > 5)",
			"true: true | (account.seats > 5)"},
	};
	struct buf buf;

	buf_init(&buf, 10000);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct cel_prog *prog = fixture_compile(fx, rows[i].source);
		struct cel_atom atoms[8];
		struct cel_result result;
		size_t n = cel_explain(prog, fx->frame, &host, NOW_MS, atoms,
			SG_COUNTOF(atoms), &result);

		buf_reset(&buf);
		if (result.value.kind == VALUE_ERROR)
			buf_put_str(&buf, "error");
		else
			value_to_json(result.value, cel_prog_type(prog), &buf);
		for (size_t j = 0; j < n; j++)
			buf_printf(&buf, "%s%.*s", j == 0 ? ": " : " | ",
				(int)atoms[j].len,
				rows[i].source + atoms[j].offset);
		if (strcmp(buf_cstr(&buf), rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].source, buf_cstr(&buf));
		cel_prog_destroy(prog);
	}
	buf_fini(&buf);
}

static void
a_part_tells_its_value_slots_and_instant(void **state)
{
	struct fixture *fx = *state;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	struct cel_prog *prog = fixture_compile(fx,
		"account.arr > 1.0 && usage.logins_14d + account.seats > 10 && "
		"now - account.created < days(14)");
	struct cel_atom atoms[3];
	struct cel_result result;

	assert_int_equal(
		cel_explain(prog, fx->frame, &host, NOW_MS, atoms, 3, &result),
		3);
	assert_true(result.value.as.b);
	assert_int_equal(result.valid_until_ms, NOW_MS + 3600000);
	assert_int_equal(atoms[0].nslots, 1);
	assert_int_equal(atoms[0].slots[0], SLOT_ARR);
	assert_true(atoms[0].valid_until_ms == AT_NEVER);
	assert_int_equal(atoms[1].nslots, 2);
	assert_int_equal(atoms[1].slots[0], SLOT_SEATS);
	assert_int_equal(atoms[1].slots[1], SLOT_LOGINS);
	assert_true(atoms[1].value.as.b);
	assert_int_equal(atoms[1].valid_until_ms, NOW_MS + 3600000);
	assert_int_equal(atoms[2].valid_until_ms, NOW_MS + 4 * CIVIL_DAY_MS);
	/* No more than asked for are written. */
	assert_int_equal(
		cel_explain(prog, fx->frame, &host, NOW_MS, atoms, 1, &result),
		1);
	cel_prog_destroy(prog);
}

#define RULES_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RULES_TEST(the_parts_that_decided_are_named),
		RULES_TEST(a_part_tells_its_value_slots_and_instant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
