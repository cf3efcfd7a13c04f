/*
 * Every allocation fails once: what is read, reported and formatted then is
 * SG_NOMEM or right, and nothing leaks. (Under AddressSanitizer, which has an
 * allocator of its own, none fails.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/failing_alloc.h"
#include "segmentd/conf.h"

/* --- what is done ------------------------------------------------------- */

/* A mistake of each sort of reader, secrets, and an environment variable. */
static const char faulty[] =
	"redis: {password: x, ulr: y, prefix: '${SEGD_TEST}',\n"
	"  user: '${file:/dev/null}'}\n"
	"kafka: {group.id: g}\n" /* librdkafka ends without memory */
	"inputs:\n"
	"  a:\n"
	"    topic: 'no spaces'\n"
	"    schema: s.avsc\n"
	"    features: {f: {collect: id, keep: [a, a]}, g: {lsat: x}}\n"
	"schemas: {ids: {17: a.avsc}}\n"
	"variables: {v: \"a\\u00e9\\n b\"}\n"
	"scores: {s: [{name: a, when: b, points: x}]}\n"
	"segmentations: {t: {segments: [{name: a}, {name: a}]}}\n"
	"renewal: {date: d, windows: [1, 1]}\n";

static enum sg_err
read_and_tell(const char *yaml, size_t *ret_errors)
{
	struct conf_diags *diags = NULL;
	struct conf *conf = NULL;
	enum sg_err err = conf_diags_create(&diags);
	struct buf out;

	if (err != SG_OK)
		return err;
	buf_init(&out, 1 << 20);
	err = conf_parse("t", "d", yaml, strlen(yaml), diags, &conf);
	if (err == SG_OK && conf->nvariables > 0)
		conf_diag_at(diags, &conf->variables[0].expr, 4, 1, true, "h",
			"here");
	conf_diags_print(diags, false, &out);
	*ret_errors = conf_diags_errors(diags);
	conf_destroy(conf);
	conf_diags_destroy(diags);
	buf_fini(&out);
	return err;
}

static enum sg_err
format(const char *yaml, size_t *ret_len)
{
	struct conf_diags *diags = NULL;
	enum sg_err err = conf_diags_create(&diags);
	struct buf out;

	if (err != SG_OK)
		return err;
	buf_init(&out, 1 << 20);
	err = conf_format("t", yaml, strlen(yaml), diags, &out);
	*ret_len = out.len;
	conf_diags_destroy(diags);
	buf_fini(&out);
	return err;
}

typedef enum sg_err (*job)(const char *yaml, size_t *ret_number);

/* Fail the first allocation, the second, ..., until none is left to fail. */
static void
fail_each(job run, const char *yaml)
{
	size_t want = 0;

	assert_int_equal(run(yaml, &want), SG_OK);
#ifdef CAN_FAIL
	size_t got = 0;
	long n;

	for (n = 1;; n++) {
		long before = pieces;
		enum sg_err err;

		fail_at = n;
		err = run(yaml, &got);
		if (pieces != before)
			fail_msg("%ld pieces leak at %ld", pieces - before, n);
		if (fail_at > 0)
			break; /* it was not reached */
		if (err == SG_OK)
			assert_int_equal(got, want);
		else
			assert_int_equal(err, SG_NOMEM);
	}
	fail_at = 0;
	assert_true(n > 20);
#endif
}

static void
reading_without_memory_is_told_as_such(void **state)
{
	(void)state;
	fail_each(read_and_tell, faulty);
}

static void
formatting_without_memory_is_told_as_such(void **state)
{
	(void)state;
	fail_each(format, "a:   [b,  'c' ] # d\n\n\ne: |\n     f\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_without_memory_is_told_as_such),
		cmocka_unit_test(formatting_without_memory_is_told_as_such),
	};

	if (setenv("SEGD_TEST", "segd", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
