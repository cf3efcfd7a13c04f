/* test_file.c - a file of scenarios: its configuration and its tests. */
#include "test_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/civil.h"

#define FILE_BYTES_MAX ((size_t)256 << 20)

static const char *const own_keys[] = {
	"name", "config", "steps", "tests", NULL};

void *
test_room(struct test_file *file, size_t n, size_t size)
{
	void *room = arena_array(&file->arena, n == 0 ? 1 : n, size);

	if (room == NULL)
		file->err = SG_NOMEM;
	else
		memset(room, 0, n * size);
	return room;
}

char *
test_copy(struct test_file *file, const char *text, size_t len)
{
	char *copy = arena_copy(&file->arena, text, len);

	if (copy == NULL)
		file->err = SG_NOMEM;
	return copy;
}

const char *
test_hint(char hint[TEST_HINT_MAX], const char *text, const char *const *words,
	const char *otherwise)
{
	const char *nearest = name_nearest(text, words);

	if (nearest == NULL)
		return otherwise;
	(void)snprintf(hint, TEST_HINT_MAX, "did you mean `%.200s`?", nearest);
	return hint;
}

void
test_mistake(struct test_file *file, const struct doc_node *node,
	const char *hint, const char *fmt, ...)
{
	char message[512];
	va_list args;

	if (node->kind == DOC_BAD)
		return; /* was reported */
	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	conf_diag_at(
		file->diags, &node->text, 0, 0, false, hint, "%s", message);
}

void
test_key_mistake(struct test_file *file, const struct doc_node *node,
	const char *hint, const char *fmt, ...)
{
	struct conf_text place = node->key;
	char message[512];
	va_list args;

	if (node->kind == DOC_BAD)
		return;
	if (place.s == NULL) {
		place = node->text;
		place.end = place.start + 1;
	}
	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	conf_diag_at(file->diags, &place, 0, 0, false, hint, "%s", message);
}

const char *
test_text(struct test_file *file, const struct doc_node *node)
{
	if (node->kind == DOC_TEXT && !node->is_null)
		return node->text.s;
	test_key_mistake(file, node, NULL, "`%s` must have a text",
		node->key.s == NULL ? "-" : node->key.s);
	return NULL;
}

bool
test_time(struct test_file *file, const struct doc_node *node, int64_t *ret_ms)
{
	const char *text = test_text(file, node);
	int64_t seconds;
	int32_t nanos;

	if (text == NULL)
		return false;
	if (!civil_parse(text, node->text.len, false, &seconds, &nanos)) {
		test_mistake(file, node, "such as 2026-03-01T10:00:00Z",
			"`%.40s` is not a time", text);
		return false;
	}
	*ret_ms = seconds * 1000 + nanos / 1000000;
	return true;
}

/* --- the configuration -------------------------------------------------- */

static bool
is_own(const char *key)
{
	for (size_t i = 0; own_keys[i] != NULL; i++) {
		if (strcmp(own_keys[i], key) == 0)
			return true;
	}
	return false;
}

/* `config: PATH`: the tests are about a configuration of its own. */
static enum sg_err
read_config(struct test_file *file, const struct doc_node *root,
	const struct doc_node *config)
{
	const char *path = test_text(file, config);
	struct buf full;
	enum sg_err err;

	for (const struct doc_node *c = root->first; c != NULL; c = c->next) {
		if (!is_own(c->key.s))
			test_key_mistake(file, c,
				"one or the other: the tests are of that file",
				"`%.60s` beside `config`", c->key.s);
	}
	if (path == NULL)
		return SG_BAD_CONFIG;
	buf_init(&full, TEST_TEXT_MAX);
	if (path[0] != '/')
		buf_printf(&full, "%s/", file->dir);
	buf_put_str(&full, path);
	if (full.is_failed)
		err = SG_NOMEM;
	else
		err = conf_read(
			buf_cstr(&full), NULL, 0, file->diags, &file->conf);
	buf_fini(&full);
	return err;
}

static enum sg_err
read_program(struct test_file *file, const struct doc_node *root)
{
	const struct doc_node *config = doc_get(root, "config");
	const char *const *schemas = NULL;
	enum sg_err err;

	if (config != NULL) {
		err = read_config(file, root, config);
	} else {
		root = test_inputs(file, root, &schemas);
		if (root == NULL)
			return file->err == SG_OK ? SG_BAD_CONFIG : file->err;
		err = conf_from_doc(file->path, file->dir, root, own_keys,
			file->diags, &file->conf);
	}
	if (err != SG_OK)
		return err;
	return program_create_with(
		file->conf, schemas, file->diags, &file->program);
}

/* --- the tests ---------------------------------------------------------- */

/* "b001_count" of "tests/scenarios/b001_count.yaml" */
static const char *
name_of_path(struct test_file *file)
{
	const char *slash = strrchr(file->path, '/');
	const char *base = slash == NULL ? file->path : slash + 1;
	const char *dot = strstr(base, ".test.");

	if (dot == NULL)
		dot = strrchr(base, '.');
	return test_copy(file, base,
		dot == NULL || dot == base ? strlen(base)
					   : (size_t)(dot - base));
}

static bool
read_case(struct test_file *file, const struct doc_node *map,
	const char *fallback, struct test_case *tc)
{
	const struct doc_node *name = doc_get(map, "name");
	const struct doc_node *steps = doc_get(map, "steps");

	tc->name = fallback;
	if (name != NULL)
		tc->name = test_text(file, name);
	if (steps == NULL) {
		test_key_mistake(file, map->first == NULL ? map : map->first,
			NULL, "a test without `steps`");
		return false;
	}
	return test_steps(file, steps, tc) && tc->name != NULL;
}

static void
check_case_keys(struct test_file *file, const struct doc_node *map)
{
	static const char *const keys[] = {"name", "steps", NULL};
	char hint[TEST_HINT_MAX];

	for (const struct doc_node *c = map->first; c != NULL; c = c->next) {
		if (strcmp(c->key.s, "name") != 0 &&
			strcmp(c->key.s, "steps") != 0)
			test_key_mistake(file, c,
				test_hint(hint, c->key.s, keys,
					"one of `name`, `steps`"),
				"unknown key `%.60s` of a test", c->key.s);
	}
}

static bool
read_tests(struct test_file *file, const struct doc_node *list)
{
	struct test_case *cases;
	bool is_ok = true;
	size_t n = 0;

	if (list->kind != DOC_LIST || list->n == 0) {
		test_key_mistake(file, list, "a list of {name:, steps:}",
			"`tests` has no tests");
		return false;
	}
	cases = test_room(file, list->n, sizeof(*cases));
	for (const struct doc_node *c = list->first; c != NULL && cases != NULL;
		c = c->next) {
		if (c->kind != DOC_MAP) {
			test_mistake(file, c, NULL,
				"a test is a map with `name` and `steps`");
			is_ok = false;
			continue;
		}
		check_case_keys(file, c);
		is_ok = read_case(file, c, name_of_path(file), &cases[n++]) &&
			is_ok;
	}
	file->cases = cases;
	file->ncases = n;
	return is_ok && cases != NULL;
}

static bool
read_cases(struct test_file *file, const struct doc_node *root)
{
	const struct doc_node *tests = doc_get(root, "tests");
	const struct doc_node *steps = doc_get(root, "steps");
	struct test_case *only;

	if (tests != NULL && steps != NULL) {
		test_key_mistake(file, steps, "make it one of the `tests`",
			"`steps` beside `tests`");
		return false;
	}
	if (tests != NULL)
		return read_tests(file, tests);
	if (steps == NULL) {
		struct conf_text place = root->text;

		place.line = 0;
		conf_diag_at(file->diags, &place, 0, 0, false, NULL,
			"neither `steps` nor `tests`: nothing to test");
		return false;
	}
	only = test_room(file, 1, sizeof(*only));
	if (only == NULL)
		return false;
	file->cases = only;
	file->ncases = 1;
	return read_case(file, root, name_of_path(file), only);
}

enum sg_err
test_file_open(const char *path, struct test_file *file)
{
	const char *slash = strrchr(path, '/');
	enum sg_err err;

	memset(file, 0, sizeof(*file));
	file->path = path;
	arena_init(&file->arena, FILE_BYTES_MAX);
	err = conf_diags_create(&file->diags);
	if (err != SG_OK)
		return err;
	if (slash == NULL)
		file->dir = ".";
	else
		file->dir = test_copy(
			file, path, slash == path ? 1 : (size_t)(slash - path));
	if (file->dir == NULL)
		return SG_NOMEM;
	err = doc_read(path, file->diags, &file->doc);
	if (err == SG_OK)
		err = read_program(file, doc_root(file->doc));
	/* Steps speak of the program: without it their mistakes are noise. */
	if (err == SG_OK && !read_cases(file, doc_root(file->doc)))
		err = file->err == SG_OK ? SG_BAD_CONFIG : file->err;
	if (err == SG_OK && conf_diags_errors(file->diags) > 0)
		err = SG_BAD_CONFIG;
	return err;
}

void
test_file_close(struct test_file *file)
{
	program_destroy(file->program);
	conf_destroy(file->conf);
	doc_destroy(file->doc);
	conf_diags_destroy(file->diags);
	arena_fini(&file->arena);
}
