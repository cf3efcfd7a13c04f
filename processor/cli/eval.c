/*
 * eval.c - segmentd eval: one expression, without a configuration.
 *
 * Variables come from a JSON file: its top-level members are the names, and
 * their types are those of the values (a fraction makes a double, an object a
 * map). Printed are the value, its type, until when it holds with no event,
 * and for a bool which parts decided it.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/cel.h"
#include "segmentd/change.h"
#include "segmentd/civil.h"
#include "segmentd/clock.h"

#define VARS_MAX 1024
#define VARS_DEPTH_MAX 64
#define EVAL_BYTES_MAX ((size_t)256 << 20)
#define ATOMS_MAX 32

static const char usage[] =
	"usage: segmentd eval EXPR [--vars FILE.json] [--now TIME]\n"
	"                     [--output text|json]\n"
	"\n"
	"Evaluate one expression and print its value, its type, and until "
	"when\n"
	"it holds if nothing happens but time.\n"
	"\n"
	"  --vars FILE   names and their values: the members of a JSON object\n"
	"  --now TIME    what `now` is, as 2024-10-01T00:00:00Z (default: the\n"
	"                clock)\n"
	"  --output      text (default) or json\n"
	"\n"
	"The status is 0 for a value, 1 when it comes to an error, 78 when "
	"the\n"
	"expression has mistakes, 65 when FILE cannot be used, 64 for a wrong\n"
	"command line.\n";

struct eval {
	const char *source;
	const char *vars_path;
	int64_t now_ms;
	bool is_json;
	struct arena arena;
	struct cel_env *env;
	struct cel_frame *frame;
	struct cel_prog *prog;
	struct cel_diags diags;
	struct value vars[VARS_MAX];
	uint32_t nvars;
	struct cel_atom atoms[ATOMS_MAX];
	size_t natoms;
	struct cel_result result;
};

static void
load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	const struct eval *ev = ctx;

	(void)now_ms;
	*ret_value = slot < ev->nvars ? ev->vars[slot] : value_absent();
	*ret_valid_until_ms = AT_NEVER;
}

/* --- variables ---------------------------------------------------------- */

/* VALUE_ERROR when out of memory or nested too deep. */
static struct value
value_of(struct eval *ev, json_t *json, int depth);

static struct value
string_of(struct eval *ev, const char *text, size_t len)
{
	char *copy = arena_copy(&ev->arena, text, len);

	return copy == NULL ? value_error("out of memory")
			    : value_string(copy, (uint32_t)len);
}

static struct value
list_of(struct eval *ev, json_t *json, int depth)
{
	size_t n = json_array_size(json);
	struct value *items = arena_array(&ev->arena, n + 1, sizeof(*items));

	if (items == NULL || n > UINT32_MAX)
		return value_error("out of memory");
	for (size_t i = 0; i < n; i++) {
		items[i] = value_of(ev, json_array_get(json, i), depth + 1);
		if (items[i].kind == VALUE_ERROR)
			return items[i];
	}
	return (struct value){
		.kind = VALUE_LIST, .len = (uint32_t)n, .as = {.items = items}};
}

static struct value
map_of(struct eval *ev, json_t *json, int depth)
{
	size_t n = json_object_size(json), i = 0;
	struct value *items =
		arena_array(&ev->arena, 2 * n + 1, sizeof(*items));
	const char *key;
	json_t *member;

	if (items == NULL || n > UINT32_MAX)
		return value_error("out of memory");
	json_object_foreach(json, key, member)
	{
		items[2 * i] = string_of(ev, key, strlen(key));
		items[2 * i + 1] = value_of(ev, member, depth + 1);
		if (items[2 * i].kind == VALUE_ERROR)
			return items[2 * i];
		if (items[2 * i + 1].kind == VALUE_ERROR)
			return items[2 * i + 1];
		i++;
	}
	return (struct value){
		.kind = VALUE_MAP, .len = (uint32_t)n, .as = {.items = items}};
}

static struct value
value_of(struct eval *ev, json_t *json, int depth)
{
	if (depth > VARS_DEPTH_MAX)
		return value_error("it is nested too deep");
	switch (json_typeof(json)) {
	case JSON_TRUE:
	case JSON_FALSE:
		return value_bool(json_is_true(json));
	case JSON_INTEGER:
		return value_int(json_integer_value(json));
	case JSON_REAL:
		return value_double(json_real_value(json));
	case JSON_STRING:
		return string_of(
			ev, json_string_value(json), json_string_length(json));
	case JSON_ARRAY:
		return list_of(ev, json, depth);
	case JSON_OBJECT:
		return map_of(ev, json, depth);
	default:
		return value_null();
	}
}

static const struct type *
type_of(struct eval *ev, struct value v)
{
	switch (v.kind) {
	case VALUE_BOOL:
		return &type_bool;
	case VALUE_INT:
		return &type_int;
	case VALUE_DOUBLE:
		return &type_double;
	case VALUE_STRING:
		return &type_string;
	case VALUE_LIST:
		return type_list(&ev->arena, &type_dyn);
	case VALUE_MAP:
		return type_map(&ev->arena, &type_string, &type_dyn);
	default:
		return &type_dyn;
	}
}

static int
vars_bad(const struct eval *ev, const char *name, const char *why)
{
	(void)fprintf(stderr, "segmentd eval: %s: %s%s%s\n", ev->vars_path,
		name, name[0] == '\0' ? "" : ": ", why);
	return SG_EXIT_DATA;
}

static int
declare_all(struct eval *ev, json_t *root)
{
	const char *name;
	json_t *member;

	if (!json_is_object(root))
		return vars_bad(ev, "", "it must hold a JSON object");
	json_object_foreach(root, name, member)
	{
		struct value v = value_of(ev, member, 0);
		const struct type *type = type_of(ev, v);

		if (v.kind == VALUE_ERROR)
			return vars_bad(ev, name, v.as.s);
		if (ev->nvars == VARS_MAX || type == NULL ||
			cel_env_declare(ev->env, name, type, ev->nvars) !=
				SG_OK)
			return vars_bad(ev, name, "it cannot be declared");
		ev->vars[ev->nvars++] = v;
	}
	return SG_EXIT_OK;
}

static int
read_vars(struct eval *ev)
{
	json_error_t error;
	json_t *root;
	int status;

	if (ev->vars_path == NULL)
		return SG_EXIT_OK;
	root = json_load_file(
		ev->vars_path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (root == NULL) {
		if (error.line > 0)
			(void)fprintf(stderr, "segmentd eval: %s:%d:%d: %s\n",
				ev->vars_path, error.line, error.column,
				error.text);
		else
			(void)fprintf(
				stderr, "segmentd eval: %s\n", error.text);
		return SG_EXIT_DATA;
	}
	status = declare_all(ev, root);
	json_decref(root);
	return status;
}

/* --- printing ----------------------------------------------------------- */

static void
print_until(const struct eval *ev, struct buf *buf, const char *never)
{
	char text[CIVIL_RFC3339_MAX];
	int64_t until_ms = cel_fixed_until(&ev->result, ev->now_ms);

	if (until_ms == AT_NEVER) {
		buf_put_str(buf, never);
		return;
	}
	(void)civil_format_ms(until_ms, text, sizeof(text));
	buf_printf(buf, ev->is_json ? "\"%s\"" : "%s", text);
}

static void
print_quoted(struct buf *buf, const char *text, size_t len)
{
	value_to_json(value_string(text, (uint32_t)len), &type_string, buf);
}

static void
print_json(const struct eval *ev, struct buf *buf)
{
	struct value v = ev->result.value;

	buf_put_str(buf, "{\"type\": \"");
	type_print(cel_prog_type(ev->prog), buf);
	buf_put_str(buf, "\", ");
	if (v.kind == VALUE_ERROR) {
		buf_put_str(buf, "\"error\": ");
		print_quoted(buf, v.as.s, strlen(v.as.s));
	} else {
		buf_put_str(buf, "\"value\": ");
		value_to_json(v, cel_prog_type(ev->prog), buf);
	}
	buf_put_str(buf, ", \"valid_until\": ");
	print_until(ev, buf, "null");
	buf_put_str(buf, ", \"because\": [");
	for (size_t i = 0; i < ev->natoms; i++) {
		buf_put_str(buf, i == 0 ? "" : ", ");
		print_quoted(buf, ev->source + ev->atoms[i].offset,
			ev->atoms[i].len);
	}
	buf_put_str(buf, "]}\n");
}

static void
print_text(const struct eval *ev, struct buf *buf)
{
	struct value v = ev->result.value;

	if (v.kind == VALUE_ERROR)
		buf_printf(buf, "error: %s\n", v.as.s);
	else {
		value_to_json(v, cel_prog_type(ev->prog), buf);
		buf_put_str(buf, "\n");
	}
	buf_put_str(buf, "type: ");
	type_print(cel_prog_type(ev->prog), buf);
	buf_put_str(buf, "\nvalid until: ");
	print_until(ev, buf, "an event changes it");
	buf_put_str(buf, "\n");
	for (size_t i = 0; i < ev->natoms && ev->natoms > 1; i++)
		buf_printf(buf, "because: %.*s\n", (int)ev->atoms[i].len,
			ev->source + ev->atoms[i].offset);
}

static void
print_mistake_json(const struct cel_diag *diag, struct buf *buf)
{
	buf_printf(buf,
		"{\"offset\": %u, \"length\": %u, \"text\": ", diag->offset,
		diag->len);
	print_quoted(buf, diag->text, strlen(diag->text));
	buf_put_str(buf, ", \"hint\": ");
	print_quoted(buf, diag->hint, strlen(diag->hint));
	buf_put_str(buf, "}");
}

/* The line of the source that holds the mistake, and a caret under it. */
static void
print_mistake_text(
	const char *source, const struct cel_diag *diag, struct buf *buf)
{
	uint32_t start = diag->offset;
	size_t len, width;

	while (start > 0 && source[start - 1] != '\n')
		start--;
	len = strcspn(source + start, "\n");
	buf_printf(buf, "mistake: %s\n  %.*s\n  ", diag->text, (int)len,
		source + start);
	for (uint32_t i = start; i < diag->offset; i++) {
		/* A code point is one column wide, give or take. */
		if (((unsigned char)source[i] & 0xc0) != 0x80)
			buf_put_u8(buf, source[i] == '\t' ? '\t' : ' ');
	}
	width = diag->len == 0 ? 1 : diag->len;
	for (size_t i = 0; i < width && i < len + 1; i++)
		buf_put_u8(buf, '^');
	buf_put_str(buf, "\n");
	if (diag->hint[0] != '\0')
		buf_printf(buf, "  hint: %s\n", diag->hint);
}

static void
print_mistakes(const struct eval *ev, struct buf *buf)
{
	buf_put_str(buf, ev->is_json ? "{\"mistakes\": [" : "");
	for (size_t i = 0; i < ev->diags.n; i++) {
		if (!ev->is_json) {
			print_mistake_text(
				ev->source, &ev->diags.items[i], buf);
			continue;
		}
		buf_put_str(buf, i == 0 ? "" : ", ");
		print_mistake_json(&ev->diags.items[i], buf);
	}
	buf_put_str(buf, ev->is_json ? "]}\n" : "");
}

/* --- the verb ----------------------------------------------------------- */

static int
evaluate(struct eval *ev, struct buf *buf)
{
	struct cel_host host = {.load = load, .ctx = ev};
	enum sg_err err = cel_compile(ev->env, ev->source, strlen(ev->source),
		NULL, &ev->diags, &ev->prog);

	if (err == SG_BAD_CONFIG) {
		print_mistakes(ev, buf);
		return SG_EXIT_CONFIG;
	}
	if (err != SG_OK) {
		(void)fprintf(stderr, "segmentd eval: %s\n", sg_err_text(err));
		return SG_EXIT_INTERNAL;
	}
	ev->natoms = cel_explain(ev->prog, ev->frame, &host, ev->now_ms,
		ev->atoms, ATOMS_MAX, &ev->result);
	if (ev->is_json)
		print_json(ev, buf);
	else
		print_text(ev, buf);
	return ev->result.value.kind == VALUE_ERROR ? SG_EXIT_FAILED
						    : SG_EXIT_OK;
}

static int
eval_run(struct eval *ev)
{
	int status = SG_EXIT_INTERNAL;
	struct buf buf;

	arena_init(&ev->arena, EVAL_BYTES_MAX);
	buf_init(&buf, EVAL_BYTES_MAX);
	if (cel_env_create(0, &ev->env) == SG_OK &&
		cel_frame_create(&ev->frame) == SG_OK)
		status = read_vars(ev);
	if (status == SG_EXIT_OK)
		status = evaluate(ev, &buf);
	(void)fputs(buf_cstr(&buf),
		status == SG_EXIT_CONFIG && !ev->is_json ? stderr : stdout);
	if (buf.is_failed || fflush(stdout) != 0)
		status = SG_EXIT_IO;
	buf_fini(&buf);
	cel_prog_destroy(ev->prog);
	cel_frame_destroy(ev->frame);
	cel_env_destroy(ev->env);
	arena_fini(&ev->arena);
	return status;
}

static bool
take_option(struct eval *ev, int c)
{
	int64_t seconds;
	int32_t nanos;

	switch (c) {
	case 'v':
		ev->vars_path = optarg;
		return true;
	case 'n':
		if (!civil_parse(
			    optarg, strlen(optarg), false, &seconds, &nanos)) {
			(void)fprintf(stderr,
				"segmentd eval: `%s` is not a time: write "
				"2024-10-01T00:00:00Z or 2024-10-01\n",
				optarg);
			return false;
		}
		ev->now_ms = seconds * 1000 + nanos / 1000000;
		return true;
	case 'o':
		ev->is_json = strcmp(optarg, "json") == 0;
		if (ev->is_json || strcmp(optarg, "text") == 0)
			return true;
		(void)fprintf(stderr,
			"segmentd eval: --output is text or json, not `%s`\n",
			optarg);
		return false;
	default:
		(void)fputs(usage, stderr);
		return false;
	}
}

static bool
is_option(const char *arg, const struct option *longs, bool *ret_takes_next)
{
	size_t len;

	*ret_takes_next = false;
	if (strcmp(arg, "-h") == 0 || strcmp(arg, "--") == 0)
		return true;
	if (strncmp(arg, "--", 2) != 0)
		return false;
	len = strcspn(arg + 2, "=");
	for (; longs->name != NULL; longs++) {
		if (len == 0 || strncmp(arg + 2, longs->name, len) != 0)
			continue;
		*ret_takes_next = longs->has_arg == required_argument &&
				  arg[2 + len] != '=';
		return true;
	}
	return false;
}

/* An expression may begin with a minus, which an option does, too. */
static void
take_negative(
	struct eval *ev, int *argc, char **argv, const struct option *longs)
{
	bool takes_next;

	for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		if (is_option(argv[i], longs, &takes_next)) {
			i += takes_next;
			continue;
		}
		if (argv[i][0] != '-')
			continue;
		ev->source = argv[i];
		for (int k = i + 1; k <= *argc; k++)
			argv[k - 1] = argv[k];
		(*argc)--;
		return;
	}
}

static bool
take_arguments(struct eval *ev, int argc, char **argv, int *ret_status)
{
	static const struct option longs[] = {
		{"vars", required_argument, NULL, 'v'},
		{"now", required_argument, NULL, 'n'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int c;

	take_negative(ev, &argc, argv, longs);
	optind = 1;
	*ret_status = SG_EXIT_USAGE;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'h') {
			(void)fputs(usage, stdout);
			*ret_status = SG_EXIT_OK;
			return false;
		}
		if (!take_option(ev, c))
			return false;
	}
	if (optind + (ev->source == NULL) != argc) {
		(void)fputs(usage, stderr);
		return false;
	}
	if (ev->source == NULL)
		ev->source = argv[optind];
	return true;
}

int
cli_eval(int argc, char **argv)
{
	struct eval *ev = calloc(1, sizeof(*ev));
	int status = SG_EXIT_INTERNAL;

	if (ev == NULL)
		return status;
	ev->now_ms = clock_now_ms();
	if (take_arguments(ev, argc, argv, &status))
		status = eval_run(ev);
	free(ev);
	return status;
}
