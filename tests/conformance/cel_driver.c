/*
 * cel_driver.c - runs the official CEL cases.
 *
 * Reads one case a line, as extract.mjs prints them; values are in the JSON
 * form of cel.expr.Value ({"int64Value": "1"}). Prints a line for every case
 * that fails and a summary. A case without disableCheck is compiled with the
 * checker on, as rules are; one with it in conformance mode, where mistakes
 * show when they are evaluated.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/cel.h"
#include "segmentd/change.h"
#include "segmentd/civil.h"

#define VARS_MAX 16
#define NOW_MS INT64_C(1700000000000)

/* Private to processor/rules, but part of the specification's cases. */
void
env_container(struct cel_env *env, const char *name);

struct run {
	struct arena arena;
	struct cel_frame *frame;
	struct value vars[VARS_MAX];
	size_t nvars;
	unsigned passed, failed, left_out;
};

static void
load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	const struct run *run = ctx;

	(void)now_ms;
	*ret_value = slot < run->nvars ? run->vars[slot] : value_absent();
	*ret_valid_until_ms = AT_NEVER;
}

/* --- JSON to values ----------------------------------------------------- */

static int
base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static struct value
bytes_of(struct run *run, const char *text)
{
	uint8_t *out = arena_alloc(&run->arena, strlen(text) + 1);
	uint32_t n = 0, bits = 0, have = 0;

	for (; out != NULL && base64_digit(*text) >= 0; text++) {
		bits = bits << 6 | (uint32_t)base64_digit(*text);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return value_bytes(out, n);
}

static struct value
string_of(struct run *run, json_t *json, uint8_t kind)
{
	size_t len = json_string_length(json);
	char *copy = arena_copy(&run->arena, json_string_value(json), len);
	struct value v = value_string(copy, (uint32_t)len);

	v.kind = kind;
	return v;
}

static struct value
double_of(json_t *json)
{
	const char *text = json_string_value(json);

	if (text == NULL)
		return value_double(json_number_value(json));
	if (strcmp(text, "NaN") == 0)
		return value_double((double)NAN);
	return value_double(text[0] == '-' ? -HUGE_VAL : HUGE_VAL);
}

/* "123.321456789s" */
static struct value
duration_of(const char *text)
{
	char *end;
	long long seconds = strtoll(text, &end, 10);
	uint32_t nanos = 0, scale = 100000000;

	if (*end == '.') {
		for (end++; *end >= '0' && *end <= '9'; end++, scale /= 10)
			nanos += (uint32_t)(*end - '0') * scale;
	}
	if (text[0] == '-' && nanos != 0) {
		seconds--;
		nanos = 1000000000 - nanos;
	}
	return value_duration(seconds, nanos);
}

static struct value
value_of(struct run *run, json_t *json);

static struct value
list_of(struct run *run, json_t *json)
{
	json_t *values = json_object_get(json, "values");
	size_t n = json_array_size(values);
	struct value *items = arena_array(&run->arena, n + 1, sizeof(*items));

	for (size_t i = 0; i < n && items != NULL; i++)
		items[i] = value_of(run, json_array_get(values, i));
	return (struct value){
		.kind = VALUE_LIST, .len = (uint32_t)n, .as = {.items = items}};
}

static struct value
map_of(struct run *run, json_t *json)
{
	json_t *entries = json_object_get(json, "entries");
	size_t n = json_array_size(entries);
	struct value *items =
		arena_array(&run->arena, 2 * n + 1, sizeof(*items));

	for (size_t i = 0; i < n && items != NULL; i++) {
		json_t *entry = json_array_get(entries, i);

		items[2 * i] = value_of(run, json_object_get(entry, "key"));
		items[2 * i + 1] =
			value_of(run, json_object_get(entry, "value"));
	}
	return (struct value){
		.kind = VALUE_MAP, .len = (uint32_t)n, .as = {.items = items}};
}

static struct value
object_of(json_t *json)
{
	const char *type = json_string_value(json_object_get(json, "@type"));
	const char *text = json_string_value(json_object_get(json, "value"));
	int64_t seconds;
	int32_t nanos;

	if (type != NULL && strstr(type, "Timestamp") != NULL &&
		civil_parse(text, strlen(text), true, &seconds, &nanos))
		return value_timestamp(seconds, (uint32_t)nanos);
	if (type != NULL && strstr(type, "Duration") != NULL)
		return duration_of(text);
	return value_error("message");
}

static struct value
value_of(struct run *run, json_t *json)
{
	const char *kind;
	json_t *v;

	json_object_foreach(json, kind, v)
	{
		const char *text = json_string_value(v);

		if (strcmp(kind, "boolValue") == 0)
			return value_bool(json_is_true(v));
		if (strcmp(kind, "int64Value") == 0)
			return value_int(strtoll(text, NULL, 10));
		if (strcmp(kind, "uint64Value") == 0)
			return value_uint(strtoull(text, NULL, 10));
		if (strcmp(kind, "doubleValue") == 0)
			return double_of(v);
		if (strcmp(kind, "stringValue") == 0)
			return string_of(run, v, VALUE_STRING);
		if (strcmp(kind, "typeValue") == 0)
			return string_of(run, v, VALUE_TYPE);
		if (strcmp(kind, "bytesValue") == 0)
			return bytes_of(run, text);
		if (strcmp(kind, "listValue") == 0)
			return list_of(run, v);
		if (strcmp(kind, "mapValue") == 0)
			return map_of(run, v);
		if (strcmp(kind, "objectValue") == 0)
			return object_of(v);
	}
	return value_null();
}

/* --- JSON to types ------------------------------------------------------ */

static const struct type *
scalar_of(const char *name)
{
	static const struct {
		const char *name;
		const struct type *type;
	} names[] = {{"BOOL", &type_bool}, {"INT64", &type_int},
		{"UINT64", &type_uint}, {"DOUBLE", &type_double},
		{"STRING", &type_string}, {"BYTES", &type_bytes},
		{"TIMESTAMP", &type_timestamp}, {"DURATION", &type_duration},
		{"google.protobuf.Timestamp", &type_timestamp},
		{"google.protobuf.Duration", &type_duration}};

	for (size_t i = 0; i < SG_COUNTOF(names); i++) {
		if (name != NULL && strcmp(names[i].name, name) == 0)
			return names[i].type;
	}
	return &type_dyn;
}

static const struct type *
type_of(struct run *run, json_t *json)
{
	json_t *list = json_object_get(json, "listType");
	json_t *map = json_object_get(json, "mapType");
	static const char *const kinds[] = {
		"primitive", "wellKnown", "messageType"};

	if (list != NULL)
		return type_list(&run->arena,
			type_of(run, json_object_get(list, "elemType")));
	if (map != NULL)
		return type_map(&run->arena,
			type_of(run, json_object_get(map, "keyType")),
			type_of(run, json_object_get(map, "valueType")));
	if (json_object_get(json, "null") != NULL)
		return &type_null;
	for (size_t i = 0; i < SG_COUNTOF(kinds); i++) {
		json_t *name = json_object_get(json, kinds[i]);

		if (name != NULL)
			return scalar_of(json_string_value(name));
	}
	return &type_dyn;
}

/* --- comparing ---------------------------------------------------------- */

static bool
same(struct value a, struct value b);

static bool
same_map(struct value a, struct value b)
{
	for (uint32_t i = 0; i < a.len; i++) {
		bool is_found = false;

		for (uint32_t j = 0; j < b.len && !is_found; j++)
			is_found = same(a.as.items[2 * i], b.as.items[2 * j]) &&
				   same(a.as.items[2 * i + 1],
					   b.as.items[2 * j + 1]);
		if (!is_found)
			return false;
	}
	return true;
}

static bool
same(struct value a, struct value b)
{
	if (a.kind != b.kind)
		return false;
	switch (a.kind) {
	case VALUE_NULL:
		return true;
	case VALUE_DOUBLE:
		return a.as.d == b.as.d || (isnan(a.as.d) && isnan(b.as.d));
	case VALUE_BOOL:
		return a.as.b == b.as.b;
	case VALUE_INT:
	case VALUE_UINT:
		return a.as.u == b.as.u;
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
		return a.as.i == b.as.i && a.nanos == b.nanos;
	default:
		break;
	}
	if (a.len != b.len)
		return false;
	if (a.kind == VALUE_MAP)
		return same_map(a, b);
	if (a.kind != VALUE_LIST)
		return a.len == 0 || memcmp(a.as.s, b.as.s, a.len) == 0;
	for (uint32_t i = 0; i < a.len; i++) {
		if (!same(a.as.items[i], b.as.items[i]))
			return false;
	}
	return true;
}

/* --- one case ----------------------------------------------------------- */

static void
fail(struct run *run, json_t *test, const char *why, const char *detail)
{
	run->failed++;
	printf("FAIL %s: %s: %s\n     %s\n",
		json_string_value(json_object_get(test, "name")), why, detail,
		json_string_value(json_object_get(test, "expr")));
}

static void
declare(struct run *run, json_t *test, struct cel_env *env)
{
	json_t *decls = json_object_get(test, "typeEnv");
	json_t *bindings = json_object_get(test, "bindings");
	json_t *decl, *binding;
	const char *name;
	size_t i;

	run->nvars = 0;
	json_array_foreach(decls, i, decl)
	{
		json_t *ident = json_object_get(decl, "ident");
		const struct type *type =
			type_of(run, json_object_get(ident, "type"));

		name = json_string_value(json_object_get(decl, "name"));
		if (run->nvars == VARS_MAX ||
			cel_env_declare(
				env, name, type, (uint32_t)run->nvars) != SG_OK)
			continue;
		binding = json_object_get(
			json_object_get(bindings, name), "value");
		run->vars[run->nvars++] = binding == NULL
						  ? value_absent()
						  : value_of(run, binding);
	}
	json_object_foreach(bindings, name, binding)
	{
		if (run->nvars == VARS_MAX ||
			cel_env_declare(env, name, &type_dyn,
				(uint32_t)run->nvars) != SG_OK)
			continue;
		run->vars[run->nvars++] =
			value_of(run, json_object_get(binding, "value"));
	}
}

static void
judge(struct run *run, json_t *test, const struct cel_prog *prog)
{
	struct cel_host host = {.load = load, .ctx = run};
	json_t *typed = json_object_get(test, "typedResult");
	json_t *want = json_object_get(test, "value");
	struct cel_result result = cel_eval(prog, run->frame, &host, NOW_MS);
	struct buf buf;

	buf_init(&buf, 65536);
	if (typed != NULL) {
		want = json_object_get(typed, "result");
		type_print(cel_prog_type(prog), &buf);
		if (!type_same(cel_prog_type(prog),
			    type_of(run,
				    json_object_get(typed, "deducedType")))) {
			fail(run, test, "another type", buf_cstr(&buf));
			buf_fini(&buf);
			return;
		}
	}
	buf_reset(&buf);
	if (result.value.kind == VALUE_ERROR)
		buf_printf(&buf, "error: %s", result.value.as.s);
	else
		value_to_json(result.value, NULL, &buf);
	if (json_object_get(test, "evalError") != NULL) {
		if (result.value.kind == VALUE_ERROR)
			run->passed++;
		else
			fail(run, test, "no error", buf_cstr(&buf));
	} else if ((typed != NULL && want == NULL) ||
		   json_is_true(json_object_get(test, "checkOnly"))) {
		run->passed++;
	} else if (same(result.value, want == NULL ? value_bool(true)
						   : value_of(run, want))) {
		run->passed++;
	} else {
		fail(run, test, "another value", buf_cstr(&buf));
	}
	buf_fini(&buf);
}

/* Compile and judge in one mode; false when it does not compile. */
static bool
run_in_mode(
	struct run *run, json_t *test, unsigned flags, struct cel_diags *diags)
{
	json_t *expr = json_object_get(test, "expr");
	json_t *container = json_object_get(test, "container");
	struct cel_env *env = NULL;
	struct cel_prog *prog = NULL;
	bool is_compiled = false;

	arena_reset(&run->arena);
	if (cel_env_create(flags, &env) != SG_OK)
		return false;
	if (container != NULL)
		env_container(env, json_string_value(container));
	declare(run, test, env);
	if (cel_compile(env, json_string_value(expr), json_string_length(expr),
		    NULL, diags, &prog) == SG_OK) {
		is_compiled = true;
		judge(run, test, prog);
	}
	cel_prog_destroy(prog);
	cel_env_destroy(env);
	return is_compiled;
}

static void
run_case(struct run *run, json_t *test)
{
	bool is_checked = !json_is_true(json_object_get(test, "disableCheck"));
	static struct cel_diags diags;

	if (!json_is_null(json_object_get(test, "left_out"))) {
		run->left_out++;
		return;
	}
	if (run_in_mode(
		    run, test, is_checked ? 0 : CEL_ENV_CONFORMANCE, &diags))
		return;
	/* Our checker refuses literals that can only fail, such as
	 * timestamp('0000-...'): that error must come when evaluated too. */
	if (is_checked && json_object_get(test, "evalError") != NULL &&
		run_in_mode(run, test, CEL_ENV_CONFORMANCE, &diags))
		return;
	fail(run, test, "does not compile",
		diags.n == 0 ? "?" : diags.items[0].text);
}

int
main(void)
{
	static struct run run;
	char *line = NULL;
	size_t cap = 0;

	arena_init(&run.arena, (size_t)64 << 20);
	if (cel_frame_create(&run.frame) != SG_OK)
		return SG_EXIT_INTERNAL;
	while (getline(&line, &cap, stdin) > 0) {
		json_error_t error;
		json_t *test = json_loads(
			line, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);

		if (test == NULL) {
			fprintf(stderr, "not JSON: %s\n", error.text);
			return SG_EXIT_DATA;
		}
		run_case(&run, test);
		json_decref(test);
	}
	printf("conformance: %u passed, %u failed, %u left out\n", run.passed,
		run.failed, run.left_out);
	free(line);
	cel_frame_destroy(run.frame);
	arena_fini(&run.arena);
	return run.failed == 0 ? SG_EXIT_OK : SG_EXIT_FAILED;
}
