#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/err.h"

static void
names_are_the_lower_case_of_the_table(void **state)
{
	(void)state;
	assert_string_equal(sg_err_name(SG_OK), "ok");
	assert_string_equal(sg_err_name(SG_NOMEM), "nomem");
	assert_string_equal(sg_err_name(SG_BAD_RECORD), "bad_record");
	assert_string_equal(
		sg_err_name(SG_INCOMPATIBLE_SCHEMA), "incompatible_schema");
	assert_string_equal(sg_err_name(SG_INTERRUPTED), "interrupted");
}

/* They are metric labels: two codes with one name would be added up. */
static void
names_are_labels_and_differ(void **state)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	(void)state;
	for (int i = 0; i < SG_ERR_COUNT; i++) {
		const char *name = sg_err_name((enum sg_err)i);

		assert_int_not_equal(strlen(name), 0);
		assert_int_equal(strspn(name, allowed), strlen(name));
		assert_int_not_equal(strlen(sg_err_text((enum sg_err)i)), 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				name, sg_err_name((enum sg_err)j));
	}
}

static void
classes_are_those_of_the_table(void **state)
{
	(void)state;
	assert_int_equal(sg_err_class(SG_OK), SG_CLASS_OK);
	assert_int_equal(sg_err_class(SG_NOMEM), SG_CLASS_FATAL);
	assert_int_equal(sg_err_class(SG_BAD_RECORD), SG_CLASS_SKIP);
	assert_int_equal(sg_err_class(SG_STORE_DOWN), SG_CLASS_RETRY);
	for (int i = 1; i < SG_ERR_COUNT; i++)
		assert_int_not_equal(sg_err_class((enum sg_err)i), SG_CLASS_OK);
}

static void
a_code_that_is_none_is_an_internal_error(void **state)
{
	(void)state;
	assert_string_equal(sg_err_name(SG_ERR_COUNT), "internal");
	assert_string_equal(sg_err_name((enum sg_err)9999), "internal");
	assert_int_equal(sg_err_class((enum sg_err)9999), SG_CLASS_FATAL);
	assert_string_equal(sg_err_name((enum sg_err) - 1), "internal");
}

static void
a_fault_keeps_code_and_text_and_is_cut_not_lost(void **state)
{
	struct sg_fault why;
	char big[2000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';

	assert_int_equal(
		sg_fault_set(&why, SG_IO, "file %s: line %d", "a.yaml", 7),
		SG_IO);
	assert_int_equal(why.err, SG_IO);
	assert_string_equal(why.text, "file a.yaml: line 7");

	assert_int_equal(sg_fault_set(&why, SG_LIMIT, "%s", big), SG_LIMIT);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);

	assert_int_equal(sg_fault_set(NULL, SG_IO, "nobody asks"), SG_IO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_the_lower_case_of_the_table),
		cmocka_unit_test(names_are_labels_and_differ),
		cmocka_unit_test(classes_are_those_of_the_table),
		cmocka_unit_test(a_code_that_is_none_is_an_internal_error),
		cmocka_unit_test(
			a_fault_keeps_code_and_text_and_is_cut_not_lost),
	};

	return cmocka_run_group_tests_name("base_err", tests, NULL, NULL);
}
