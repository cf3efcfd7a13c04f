/*
 * What is wrong with the meaning of a configuration, said at its place: unknown
 * names with what was perhaps meant, circles with their path, types, limits.
 */
#include "test_pipeline_support.h"

#define INPUTS                                                                 \
	"inputs:\n"                                                            \
	"  a:\n"                                                               \
	"    topic: a\n"                                                       \
	"    time: at\n"                                                       \
	"    features: {n: {last: n}, s: {last: s}, c: {count: 3d}}\n"

struct row {
	const char *name;
	const char *yaml;
	const char *want[4]; /* all must be in the text */
	size_t errors;
};

static const struct row rows[] = {
	{"an unknown name, and what was meant",
		INPUTS "segmentations: {t: {enter: a.m > 1}}\n",
		{"t.yaml:6:28: error: unknown name 'a.m'", "did you mean a.n?"},
		1},
	{"an unknown field, and what there is",
		"inputs:\n"
		"  a: {topic: a, time: at, features: {n: {last: nn}}}\n"
		"segmentations: {t: {enter: a.n > 1}}\n",
		{"t.yaml:2:48: error: ", "nn", "n"}, 1},
	{"a rule that is no condition",
		INPUTS "segmentations: {t: {enter: a.c + 1}}\n",
		{"t.yaml:6:28: error: ", "bool", "int"}, 1},
	{"types that do not meet",
		INPUTS "segmentations: {t: {enter: a.s > 1}}\n",
		{"t.yaml:6:32: error: "}, 1},
	{"a circle of variables, with its path",
		INPUTS "variables: {x: variables.y, y: variables.z + 1, z: "
		       "variables.x, w: 1}\n"
		       "segmentations: {t: {enter: variables.w > 1}}\n",
		{"variables read each other in a circle: variables.x -> "
		 "variables.y -> variables.z -> variables.x"},
		1},
	{"a variable that reads itself",
		INPUTS "variables: {x: variables.x + 1}\n"
		       "segmentations: {t: {enter: a.c > 1}}\n",
		{"circle: variables.x -> variables.x"}, 1},
	{"a circle of segmentations, with its path",
		INPUTS "segmentations:\n"
		       "  t: {enter: segment.u == \"in\"}\n"
		       "  u: {enter: segment.v == \"in\"}\n"
		       "  v: {enter: segment.t == \"in\"}\n",
		{"t.yaml:7:3: error: rules read each other in a circle: t -> u "
		 "-> v -> t"},
		1},
	{"a segmentation that reads itself",
		INPUTS "segmentations: {t: {enter: segment.t == \"out\"}}\n",
		{"circle: t -> t"}, 1},
	{"a circle over a variable, a score and the renewal",
		INPUTS "variables: {x: score.s}\n"
		       "scores:\n"
		       "  s: [{name: k, when: 'segment.t == \"in\"', points: "
		       "1}]\n"
		       "segmentations: {t: {enter: renewal.days_left < 5}}\n"
		       "renewal: {date: 'variables.x > 0.0 ? a.n : a.n'}\n",
		{"variables.x", "score.s", "renewal", "circle"}, 2},
	{"an unknown segment to read",
		INPUTS "segmentations: {touch: {enter: segment.tuch == "
		       "\"in\"}}\n",
		{"unknown name 'segment.tuch'", "segment.touch"}, 1},
	{"a renewal to read where there is none",
		INPUTS "segmentations: {t: {enter: renewal.days_left < 5}}\n",
		{"unknown name 'renewal.days_left'"}, 1},
	{"a renewal date that is none",
		INPUTS "segmentations: {t: {enter: a.c > 1}}\n"
		       "renewal: {date: a.s}\n",
		{"t.yaml:7:17: error: the renewal date must be a timestamp",
			"timestamp(x)"},
		1},
	{"a priority that is no number",
		INPUTS "segmentations: {t: {enter: a.c > 1}}\n"
		       "renewal: {date: now, priority: a.s}\n",
		{"t.yaml:7:32: error: ", "number"}, 1},
	{"a zone that is none",
		"timezone: Mars/Olympus\n" INPUTS
		"segmentations: {t: {enter: a.c > 1}}\n",
		{"t.yaml:1:11: error: ", "zone"}, 1},
	{"a zone of the renewal that is none",
		INPUTS "segmentations: {t: {enter: a.c > 1}}\n"
		       "renewal: {date: 'null', timezone: Mars/Olympus}\n",
		{"t.yaml:7:35: error: ", "zone"}, 1},
	{"a zone of the renewal that is no text",
		INPUTS "segmentations: {t: {enter: a.c > 1}}\n"
		       "renewal: {date: 'null', timezone: 'has(a.s) ? "
		       "\"Europe/Berlin\" : a.n'}\n",
		{"t.yaml:7:"}, 1},
	{"now in a filter",
		"inputs:\n"
		"  a: {topic: a, time: at, features: {n: {count: 3d, where: "
		"now > at}}}\n"
		"segmentations: {t: {enter: a.n > 1}}\n",
		{"t.yaml:2:60: error: ", "now"}, 1},
	{"a filter that is no condition",
		"inputs:\n"
		"  a: {topic: a, time: at, features: {n: {count: 3d, where: "
		"n}}}\n"
		"segmentations: {t: {enter: a.n > 1}}\n",
		{"t.yaml:2:60: error: ", "bool"}, 1},
	{"a key that is no id",
		"inputs:\n"
		"  a: {topic: a, key: at, time: at, features: {n: {last: "
		"n}}}\n"
		"segmentations: {t: {enter: a.n > 1}}\n",
		{"t.yaml:2:22: error: the account id must be a string or an "
		 "integer"},
		1},
	{"a feature that does not suit its field, at its own place",
		"inputs:\n"
		"  a: {topic: a, time: at, features: {k: {sum: s}, s: {last: "
		"s}}}\n"
		"segmentations: {t: {enter: a.s == \"\"}}\n",
		{"t.yaml:2:38: error: a.k: the field of sum is string"}, 1},
	{"a field that is never of the type it is taken as",
		"inputs:\n"
		"  a: {topic: a, time: at, features: {s: {last: s, as: "
		"double}}}\n"
		"segmentations: {t: {enter: a.s > 1.0}}\n",
		{"t.yaml:2:55: error: the field is string",
			"can be taken as double"},
		1},
	{"several in one go",
		INPUTS "variables: {x: a.q, y: variables.x + 1}\n"
		       "segmentations:\n"
		       "  t: {enter: a.q > 1}\n"
		       "  u: {segments: [{name: x, when: b.n}, {name: y}]}\n"
		       "  v: {enter: variables.x > 1, exit: 'a.c <'}\n",
		{"t.yaml:6:16: ", "t.yaml:8:14: ", "t.yaml:9:34: ",
			"t.yaml:10:"},
		4},
};

static void
mistakes_are_said_at_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const struct row *row = &rows[i];
		struct made made;
		enum sg_err err = make_program(row->yaml, &made);
		const char *text = buf_cstr(&made.text);

		if (err != SG_BAD_CONFIG)
			fail_msg("%s: %s", row->name, sg_err_name(err));
		for (size_t k = 0; k < SG_COUNTOF(row->want); k++) {
			if (row->want[k] != NULL &&
				strstr(text, row->want[k]) == NULL)
				fail_msg("%s: no `%s` in\n%s", row->name,
					row->want[k], text);
		}
		if (conf_diags_errors(made.diags) != row->errors)
			fail_msg("%s: %zu mistakes\n%s", row->name,
				conf_diags_errors(made.diags), text);
		unmake_program(&made);
	}
}

static void
an_input_without_a_schema_is_one_mistake(void **state)
{
	static const char yaml[] =
		INPUTS "segmentations: {t: {enter: a.n > 1 && a.c > 1}}\n";
	struct conf_diags *diags = NULL;
	struct program *program = NULL;
	struct conf *conf = NULL;
	struct buf text;

	(void)state;
	buf_init(&text, 1 << 20);
	assert_int_equal(conf_diags_create(&diags), SG_OK);
	assert_int_equal(
		conf_parse("t.yaml", ".", yaml, strlen(yaml), diags, &conf),
		SG_OK);
	assert_int_equal(program_create(conf, diags, &program), SG_BAD_CONFIG);
	conf_diags_print(diags, false, &text);
	assert_int_equal(conf_diags_errors(diags), 1);
	assert_non_null(strstr(buf_cstr(&text),
		"t.yaml:2:3: error: input `a` has no `schema`"));
	buf_fini(&text);
	conf_destroy(conf);
	conf_diags_destroy(diags);
}

static void
segmentations_are_decided_after_what_they_read(void **state)
{
	static const char yaml[] =
		INPUTS "variables: {x: segment.last == \"in\"}\n"
		       "segmentations:\n"
		       "  first: {enter: variables.x}\n"
		       "  second: {enter: segment.first == \"in\" && "
		       "renewal.days_left < 5}\n"
		       "  last: {enter: a.c > 1}\n"
		       "renewal: {date: 'segment.last == \"in\" ? "
		       "timestamp(\"2026-01-01T00:00:00Z\") : null'}\n";
	struct made made;
	const struct program *prog;
	size_t at[4];

	(void)state;
	must_make(yaml, &made);
	prog = made.program;
	assert_int_equal(prog->nsegmentations, 4);
	assert_int_equal(prog->renewal, 3);
	for (size_t i = 0; i < 4; i++)
		at[prog->order[i]] = i;
	/* last, then the renewal that reads it, then the rest */
	assert_int_equal(at[2], 0);
	assert_int_equal(at[3], 1);
	assert_true(at[0] < at[1]);
	/* Read directly or through a variable; features through neither. */
	assert_int_equal(
		prog->segmentations[0].deps.segments[0], UINT64_C(1) << 2);
	assert_int_equal(prog->segmentations[0].deps.features[0], 0);
	assert_int_equal(prog->segmentations[1].deps.segments[0],
		UINT64_C(1) << 0 | UINT64_C(1) << 3);
	assert_int_equal(
		prog->segmentations[2].deps.features[0], UINT64_C(1) << 2);
	unmake_program(&made);
}

/* The number that tells rules apart: the same for the same meaning. */
static void
rules_have_a_number_of_their_own(void **state)
{
	static const char base[] =
		INPUTS "segmentations: {t: {enter: a.c > 1}}\n";
	static const char *const same[] = {
		"# a comment\n" INPUTS "segmentations: {t: {enter: a.c > 1}}\n",
		INPUTS "segmentations:\n  t:\n    enter: 'a.c > 1'\n",
		"group: other\n" INPUTS
		"segmentations: {t: {enter: a.c > 1}}\n",
	};
	static const char *const others[] = {
		INPUTS "segmentations: {t: {enter: a.c > 2}}\n",
		INPUTS "segmentations: {u: {enter: a.c > 1}}\n",
		INPUTS "segmentations: {t: {enter: a.c > 1, exit: a.c < 1}}\n",
		INPUTS "segmentations: {t: {enter: a.c > 1, min_stay: 1d}}\n",
		INPUTS "segmentations: {t: {enter: a.c > 1, cooldown: 1d}}\n",
		INPUTS "segmentations: {t: {enter: a.c > 1, on_error: exit}}\n",
		INPUTS "segmentations: {t: {enter: a.c > 1}}\n"
		       "renewal: {date: 'null'}\n",
		"timezone: Europe/Berlin\n" INPUTS
		"segmentations: {t: {enter: a.c > 1}}\n",
	};
	struct made made;
	uint64_t hash;

	(void)state;
	must_make(base, &made);
	hash = made.program->rules_hash;
	assert_true(hash <= INT64_MAX);
	unmake_program(&made);
	for (size_t i = 0; i < SG_COUNTOF(same); i++) {
		must_make(same[i], &made);
		if (made.program->rules_hash != hash)
			fail_msg("same %zu", i);
		unmake_program(&made);
	}
	for (size_t i = 0; i < SG_COUNTOF(others); i++) {
		must_make(others[i], &made);
		if (made.program->rules_hash == hash)
			fail_msg("other %zu", i);
		unmake_program(&made);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_said_at_their_place),
		cmocka_unit_test(an_input_without_a_schema_is_one_mistake),
		cmocka_unit_test(
			segmentations_are_decided_after_what_they_read),
		cmocka_unit_test(rules_have_a_number_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
