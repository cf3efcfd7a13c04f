/*
 * What is said of a configuration that is too much of something: texts too
 * long for a golden file.
 */
#include "test_pipeline_support.h"

#define TEXT_MAX_BYTES ((size_t)8 << 20)
#define HEAD "topics: {overrides: \"\"}\n"
#define INPUT "inputs: {a: {topic: a}}\n"
#define INPUT_N "inputs: {a: {topic: a, features: {n: {last: n}}}}\n"

static void
many(struct buf *out, int n, const char *fmt)
	__attribute__((format(printf, 3, 0)));

/* n times, with the number put in as often as the format asks for it. */
static void
many(struct buf *out, int n, const char *fmt)
{
	for (int i = 0; i < n; i++)
		buf_printf(out, fmt, i, i + 1, i + 1);
}

static void
put_features(struct buf *out)
{
	buf_put_str(out, HEAD "inputs:\n");
	for (int i = 0; i < 2; i++) {
		buf_printf(
			out, "  i%d:\n    topic: t%d\n    features:\n", i, i);
		many(out, FEATURES_MAX / 2 + 1, "      f%d: {last: n}\n");
	}
}

static void
put_properties(struct buf *out)
{
	buf_put_str(out, HEAD INPUT "kafka:\n");
	many(out, 257, "  p%d: x\n");
}

static void
put_schema_ids(struct buf *out)
{
	buf_put_str(out, HEAD INPUT "schemas:\n  ids:\n");
	many(out, CONF_SCHEMA_IDS_MAX + 1, "    %d: a.avsc\n");
}

static void
put_expression(struct buf *out)
{
	buf_put_str(out, HEAD INPUT "segmentations:\n  s: {enter: \"1 > 2");
	many(out, 9000, " || 1>%d");
	buf_put_str(out, "\"}\n");
}

static void
put_environment(struct buf *out)
{
	buf_put_str(out, HEAD INPUT "group: \"${CONF_TEST_LONG}");
	many(out, 9000, "-%d-%d");
	buf_put_str(out, "\"\n");
}

static void
put_filters(struct buf *out)
{
	buf_put_str(out, HEAD "inputs:\n  a:\n    topic: a\n    features:\n");
	many(out, FEATURE_FILTERS_MAX + 1,
		"      f%d: {count: 7d, where: n > %d}\n");
}

static void
put_inputs(struct buf *out)
{
	buf_put_str(out, "inputs:\n");
	many(out, INPUTS_MAX, "  i%d: {topic: t%d}\n");
}

static void
put_variables(struct buf *out)
{
	buf_put_str(out, HEAD INPUT_N "variables:\n");
	many(out, 49, "  v%d: variables.v%d + 1\n");
	buf_put_str(out, "  v49: a.n\n");
}

/* s0 reads v0, which reads s1, and so on. */
static void
put_rules(struct buf *out)
{
	buf_put_str(out, HEAD INPUT_N "variables:\n");
	many(out, 254, "  v%d: 'segment.s%d == \"in\"'\n");
	buf_put_str(out, "  v254: variables.w0 > 1\n");
	many(out, 20, "  w%d: variables.w%d + 1\n");
	buf_put_str(out, "  w20: a.n\nsegmentations:\n");
	for (int i = 0; i < 255; i++)
		buf_printf(out, "  s%d: {enter: variables.v%d}\n", i, i);
}

static void
put_locals(struct buf *out)
{
	buf_put_str(out, HEAD INPUT_N "variables:\n  v: \"");
	many(out, 65, "cel.bind(x%d, 1, ");
	buf_put_str(out, "1");
	many(out, 65, ")");
	buf_put_str(out, "\"\n");
}

static void
put_loops(struct buf *out)
{
	buf_put_str(out, HEAD INPUT_N "variables:\n  v: \"");
	many(out, 33, "[1].all(x%d, ");
	buf_put_str(out, "true");
	many(out, 33, ")");
	buf_put_str(out, "\"\n");
}

static void
what_is_too_much_is_said(void **state)
{
	static const struct {
		void (*put)(struct buf *out);
		const char *said;
	} rows[] = {
		{put_features, "at most 512 features in all"},
		{put_properties, "at most 256 properties"},
		{put_schema_ids, "at most 4096 schema ids"},
		{put_expression, "an expression has at most 65536 bytes"},
		{put_environment,
			"too long with what ${...} stands for put in"},
		{put_filters, "more than 64 different filters in one input"},
		{put_inputs, "no room for the input of overrides beside 16 "
			     "others"},
		{put_variables, "variables read each other more than 48 deep"},
		{put_rules, "rules read each other more than 512 deep"},
		{put_locals, "too many variables inside one another"},
		{put_loops, "too many comprehensions inside one another"},
	};
	struct buf text;

	(void)state;
	assert_int_equal(setenv("CONF_TEST_LONG", "x", 1), 0);
	buf_init(&text, TEXT_MAX_BYTES);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct made made;

		buf_reset(&text);
		rows[i].put(&text);
		assert_false(text.is_failed);
		assert_int_equal(
			make_program(buf_cstr(&text), &made), SG_BAD_CONFIG);
		if (strstr(buf_cstr(&made.text), rows[i].said) == NULL)
			fail_msg("%s: not said, but: %.2000s", rows[i].said,
				buf_cstr(&made.text));
		unmake_program(&made);
	}
	buf_fini(&text);
}

/* What a file cannot have, since conf/ looks first. */
static void
an_expression_by_itself_has_its_bounds(void **state)
{
	struct cel_diags diags;
	struct cel_env *env = NULL;
	struct cel_prog *prog = NULL;
	char *text = malloc(CEL_SOURCE_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', CEL_SOURCE_MAX + 1);
	assert_int_equal(cel_env_create(0, &env), SG_OK);
	assert_int_equal(
		cel_compile(env, text, CEL_SOURCE_MAX + 1, NULL, &diags, &prog),
		SG_BAD_CONFIG);
	assert_string_equal(diags.items[0].text,
		"the expression is longer than 65536 bytes");
	assert_int_equal(cel_compile(env, "'\xff'", 3, NULL, &diags, &prog),
		SG_BAD_CONFIG);
	assert_string_equal(
		diags.items[0].text, "the expression is not valid UTF-8");
	cel_env_destroy(env);
	free(text);
}

static void
who_needs_a_broker_is_told_of_its_want(void **state)
{
	struct made made;

	(void)state;
	must_make(HEAD INPUT, &made);
	conf_require_broker(made.conf, made.diags);
	buf_reset(&made.text);
	conf_diags_print(made.diags, false, &made.text);
	assert_non_null(strstr(
		buf_cstr(&made.text), "`kafka` names no `bootstrap.servers`"));
	unmake_program(&made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_too_much_is_said),
		cmocka_unit_test(an_expression_by_itself_has_its_bounds),
		cmocka_unit_test(who_needs_a_broker_is_told_of_its_want),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
