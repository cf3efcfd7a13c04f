/*
 * test_rules_diag.c - mistakes: where they are, what is said, what is advised.
 */
#include "test_rules_env.h"

struct row {
	const char *source;
	const char *at;	  /* the text the mistake points to */
	const char *text; /* what is said */
	const char *hint;
};

static void
check_rows(struct fixture *fx, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct cel_diag *diag = &fx->diags.items[0];
		struct cel_prog *prog = NULL;
		const char *source = rows[i].source;
		enum sg_err err = cel_compile(fx->env, source, strlen(source),
			NULL, &fx->diags, &prog);

		if (err != SG_BAD_CONFIG || fx->diags.n == 0)
			fail_msg("%s: it compiles", source);
		if (strcmp(diag->text, rows[i].text) != 0 ||
			strcmp(diag->hint, rows[i].hint) != 0)
			fail_msg("%s: \"%s\" (%s)", source, diag->text,
				diag->hint);
		if (diag->len != strlen(rows[i].at) ||
			strncmp(source + diag->offset, rows[i].at, diag->len) !=
				0)
			fail_msg("%s: points to '%.*s'", source, (int)diag->len,
				source + diag->offset);
	}
}

static void
syntax_mistakes_point_to_the_token(void **state)
{
	static const struct row rows[] = {
		{"", "", "the expression is empty", ""},
		{"1 +", "", "the expression ends where a value should be", ""},
		{"(1 + 2", "", "the expression ends where ')' should be", ""},
		{"1 2", "2",
			"'2' stands where an operator or the end should be",
			""},
		{"account.arr = 5", "=", "'=' does not belong here",
			"did you mean == ?"},
		{"true & false", "&", "'&' does not belong here",
			"did you mean && ?"},
		{"'abc", "'", "this text does not end",
			"add the closing quote"},
		{"'a\\qb'", "\\q", "this escape is not valid",
			"use \\\\ for a backslash, or a raw text r'...'"},
		{"'\\ud800'", "\\u", "this escape is not valid",
			"use \\\\ for a backslash, or a raw text r'...'"},
		{"12ab", "12a", "a number cannot be followed by 'a'", ""},
		{"account.arr > 100k", "100k",
			"a number cannot be followed by 'k'",
			"did you mean 100000?"},
		{"account.arr > 2M", "2M", "a number cannot be followed by 'M'",
			"did you mean 2000000?"},
		{"now > 14d", "14d", "a number cannot be followed by 'd'",
			"did you mean days(14)?"},
		{"2.5k", "2.5k", "a number cannot be followed by 'k'", ""},
		{"100kg", "100k", "a number cannot be followed by 'k'", ""},
		{"true and false", "and",
			"'and' stands where an operator or the end should be",
			"did you mean && ?"},
		{"true OR false", "OR",
			"'OR' stands where an operator or the end should be",
			"did you mean || ?"},
		{"not true", "true",
			"'true' stands where an operator or the end should be",
			"did you mean ! ?"},
		{"not account.seats", "account",
			"'account' stands where an operator or the end should "
			"be",
			"did you mean ! ?"},
		{"knot account", "account",
			"'account' stands where an operator or the end should "
			"be",
			""},
		{"1 is 1", "is",
			"'is' stands where an operator or the end should be",
			"did you mean == ?"},
		{"1 <> 2", ">", "'>' stands where a value should be",
			"did you mean != ?"},
		{"if true", "if", "this word is reserved and cannot be a name",
			"CEL writes condition ? value : other"},
		{"9223372036854775808", "9223372036854775808",
			"the number is too large for an int", ""},
		{"99999999999999999999", "99999999999999999999",
			"the number '99999999999999999999' is malformed or too "
			"large",
			""},
		{"[1, 2", "", "the expression ends where ',' or ']' should be",
			""},
		{"{'a' 1}", "1", "'1' stands where ':' and a value should be",
			""},
		{"for + 1", "for", "this word is reserved and cannot be a name",
			""},
		{"account.", "",
			"the expression ends where a member's name should be",
			""},
		{"has(1)", "1", "has() takes a field, as in has(account.arr)",
			""},
		{"[1].all(1, true)", "1", "a variable's name must stand here",
			""},
		{"[1].all(i, i, true)", "i",
			"the two variables need different names", ""},
		{"x{a: 1}", "{", "messages cannot be built here", ""},
		{"\x01", "\x01", "character 0x01 does not belong here", ""},
		{"1 + \xc3\xa4", "\xc3\xa4", "'\xc3\xa4' does not belong here",
			""},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
unknown_names_come_with_the_nearest(void **state)
{
	static const struct row rows[] = {
		{"acount.arr > 1.0", "acount.arr", "unknown name 'acount.arr'",
			"did you mean account.arr?"},
		{"usage.logins_14 > 1", "usage.logins_14",
			"unknown name 'usage.logins_14'",
			"did you mean usage.logins_14d?"},
		{"logins_14d > 1", "logins_14d", "unknown name 'logins_14d'",
			"did you mean usage.logins_14d?"},
		{"1 + zebra", "zebra", "unknown name 'zebra'", ""},
		{"1 == 1 && True", "True", "unknown name 'True'",
			"did you mean true?"},
		{"None", "None", "unknown name 'None'", "did you mean null?"},
		{"not(true)", "not", "unknown function 'not'",
			"did you mean ! ?"},
		{"contracts[0].ar", "ar", "there is no field 'ar'",
			"did you mean arr?"},
		{"contracts.exists(c, c.price > 1.0)", "price",
			"there is no field 'price'", "it has id, ends_at, arr"},
		{"account.seats.x", "x", "int has no fields", ""},
		{"siz('a')", "siz", "unknown function 'siz'",
			"did you mean size()?"},
		{"'a'.startswith('a')", "startswith",
			"unknown function 'startswith'",
			"did you mean startsWith()?"},
		{"contracts.filer(c, true)", "filer",
			"unknown function 'filer'", "did you mean filter()?"},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
type_mistakes_say_what_to_write(void **state)
{
	static const struct row rows[] = {
		{"account.seats + 1.5", "+", "+ does not take int and double",
			"write double(account.seats)"},
		{"1u - account.seats", "-", "- does not take uint and int",
			"write int(1u)"},
		{"account.arr > 'x'", ">", "> does not take double and string",
			""},
		{"account.industry == 5",
			"==", "string and int are never equal", ""},
		{"5 in ['a']", "in", "in does not take int and list(string)",
			""},
		{"account.seats && true", "account.seats",
			"&& needs a bool here, not int", ""},
		{"!account.seats", "account.seats",
			"! needs a bool here, not int", ""},
		{"account.seats ? 1 : 2", "account.seats",
			"?: needs a bool here, not int", ""},
		{"trial ? 1 : 2.0", "2.0",
			"?: gives int on one side and double on the other",
			"write both as doubles, as in 0.0"},
		{"-account.industry", "-", "- does not take string", ""},
		{"contracts.filter(c, c.id)", "c.id",
			"a condition needs a bool here, not string", ""},
		{"account.seats.filter(x, true)", "account.seats",
			"filter() goes over a list or a map, not int", ""},
		{"contracts['a']", "'a'",
			"an index into a list is an int, not string", ""},
		{"labels[1]", "1", "the keys are string, this is int", ""},
		{"account.seats[0]", "[0]", "int cannot be indexed", ""},
		{"contracts[0]['id']", "['id']",
			"record{id: string, ends_at: timestamp?, arr: double} "
			"cannot be indexed",
			"fields are written with a dot: x.name"},
		{"{1.5: 1}", "1.5",
			"a key is bool, int, uint or string, not double", ""},
		{"size(5)", "size", "size(int) does not exist",
			"it is used as size(string), size(bytes), size(list), "
			"size(map), string.size(), bytes.size(), list.size(), "
			"map.size()"},
		{"startsWith('a', 'b')", "startsWith",
			"startsWith(string, string) does not exist",
			"it is used as string.startsWith(string)"},
		{"'a'.startsWith(1)", "startsWith",
			"startsWith(int) does not exist for string",
			"it is used as string.startsWith(string)"},
		{"['a'].sum()", "sum", "sum() does not exist for list(string)",
			"it is used as list of numbers or durations.sum()"},
		{"timestamp('2024-13-01')", "'2024-13-01'",
			"the text is no timestamp",
			"use a form like 2024-02-29T12:00:00Z"},
		{"duration('5 days')", "'5 days'", "the text is no duration",
			"use a form like 90m, 1h30m or 45s"},
		{"now.getHours('Europe/Berln')", "'Europe/Berln'",
			"this time zone is not known",
			"use a name like Europe/Berlin, or +02:00"},
		{"has(now)", "has(now)",
			"has() takes a declared name or a field", ""},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
all_mistakes_come_in_one_go(void **state)
{
	struct fixture *fx = *state;
	static const char source[] =
		"acount.arr > 1.0 && account.seats > 'x' || "
		"contracts.exists(c, c.nme == foo(1)) || account.arr + 1";
	struct cel_prog *prog = NULL;

	assert_int_equal(cel_compile(fx->env, source, strlen(source), NULL,
				 &fx->diags, &prog),
		SG_BAD_CONFIG);
	assert_int_equal(fx->diags.n, 5);
	assert_int_equal(fx->diags.items[0].offset, 0);
	assert_string_equal(
		fx->diags.items[1].text, "> does not take int and string");
	assert_string_equal(fx->diags.items[2].text, "there is no field 'nme'");
	assert_string_equal(fx->diags.items[3].text, "unknown function 'foo'");
	assert_string_equal(
		fx->diags.items[4].text, "+ does not take double and int");
}

static void
more_mistakes_than_fit_are_dropped(void **state)
{
	struct fixture *fx = *state;
	char source[512] = "";
	struct cel_prog *prog = NULL;

	for (int i = 0; i < 30; i++)
		(void)snprintf(source + strlen(source),
			sizeof(source) - strlen(source), "nope%d || ", i);
	(void)snprintf(source + strlen(source), sizeof(source) - strlen(source),
		"true");
	assert_int_equal(cel_compile(fx->env, source, strlen(source), NULL,
				 &fx->diags, &prog),
		SG_BAD_CONFIG);
	assert_int_equal(fx->diags.n, SG_COUNTOF(fx->diags.items));
}

static void
the_wanted_type_is_asked_for(void **state)
{
	struct fixture *fx = *state;
	struct cel_prog *prog = NULL;

	assert_int_equal(cel_compile(fx->env, "account.seats", 13, &type_double,
				 &fx->diags, &prog),
		SG_BAD_CONFIG);
	assert_string_equal(
		fx->diags.items[0].text, "this is int, double is needed");
	assert_string_equal(fx->diags.items[0].hint, "convert it: double(...)");
	assert_int_equal(
		cel_compile(fx->env, "1", 1, &type_bool, &fx->diags, &prog),
		SG_BAD_CONFIG);
	assert_int_equal(
		cel_compile(fx->env, "any", 3, &type_bool, &fx->diags, &prog),
		SG_OK);
	cel_prog_destroy(prog);
}

static void
now_is_refused_where_state_is_kept(void **state)
{
	struct fixture *fx = *state;
	struct cel_env *env = NULL;
	struct cel_prog *prog = NULL;

	assert_int_equal(cel_env_create(CEL_ENV_NO_NOW, &env), SG_OK);
	assert_int_equal(cel_compile(env, "true || now > timestamp(0)", 26,
				 NULL, &fx->diags, &prog),
		SG_BAD_CONFIG);
	assert_int_equal(fx->diags.items[0].offset, 8);
	assert_int_equal(fx->diags.items[0].len, 3);
	cel_env_destroy(env);
}

static void
names_are_declared_once(void **state)
{
	struct fixture *fx = *state;
	char name[600];

	assert_int_equal(
		cel_env_declare(fx->env, "any", &type_int, 1), SG_BAD_OPTION);
	assert_int_equal(cel_env_declare(fx->env, "", &type_int, 1), SG_LIMIT);
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(
		cel_env_declare(fx->env, name, &type_int, 1), SG_LIMIT);
}

#define RULES_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RULES_TEST(syntax_mistakes_point_to_the_token),
		RULES_TEST(unknown_names_come_with_the_nearest),
		RULES_TEST(type_mistakes_say_what_to_write),
		RULES_TEST(all_mistakes_come_in_one_go),
		RULES_TEST(more_mistakes_than_fit_are_dropped),
		RULES_TEST(the_wanted_type_is_asked_for),
		RULES_TEST(now_is_refused_where_state_is_kept),
		RULES_TEST(names_are_declared_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
