#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/change.h"
#include "segmentd/err.h"

/* The names and their order are those of the published schema's enums. */
static void
names_are_those_of_the_schema(void **state)
{
	static const char *const origins[] = {"live", "timer", "backfill",
		"rule_change", "override", "merge", "correction"};
	static const char *const actions[] = {
		"enter", "exit", "move", "delete"};

	(void)state;
	assert_int_equal(SG_COUNTOF(origins), ORIGIN_COUNT);
	assert_int_equal(SG_COUNTOF(actions), ACTION_COUNT);
	for (size_t i = 0; i < SG_COUNTOF(origins); i++)
		assert_string_equal(
			change_origin_name((enum change_origin)i), origins[i]);
	for (size_t i = 0; i < SG_COUNTOF(actions); i++)
		assert_string_equal(
			change_action_name((enum change_action)i), actions[i]);
}

static void
what_is_no_code_has_a_name_all_the_same(void **state)
{
	(void)state;
	assert_string_equal(change_origin_name(ORIGIN_COUNT), "unknown");
	assert_string_equal(
		change_action_name((enum change_action) - 1), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_the_schema),
		cmocka_unit_test(what_is_no_code_has_a_name_all_the_same),
	};

	return cmocka_run_group_tests_name("model_change", tests, NULL, NULL);
}
