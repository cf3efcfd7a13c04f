/*
 * What `segmentd check` warns of, whole: tests/golden/warn/NAME.yaml is
 * compiled, and the warnings have to be NAME.expected, byte for byte.
 * GOLDEN_UPDATE=1 writes the expected files, to be read before they are
 * committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/pipeline.h"

#define FOLDER "tests/golden/warn/"

static void
file_load(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	int c;

	if (file == NULL)
		return;
	while ((c = getc(file)) != EOF)
		buf_put_u8(out, (uint8_t)c);
	(void)fclose(file);
}

static void
file_store(const char *path, struct buf *bytes)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(
		fwrite(buf_cstr(bytes), 1, bytes->len, file), bytes->len);
	assert_int_equal(fclose(file), 0);
}

static void
report(const char *path, struct buf *out)
{
	struct conf_diags *diags = NULL;
	struct conf *conf = NULL;
	struct program *program = NULL;

	assert_int_equal(conf_diags_create(&diags), SG_OK);
	assert_int_equal(conf_read(path, NULL, 0, diags, &conf), SG_OK);
	if (program_create(conf, diags, &program) == SG_OK)
		assert_int_equal(program_warn(program, diags), SG_OK);
	conf_diags_print(diags, false, out);
	buf_printf(out, "=> %zu errors, %zu warnings\n",
		conf_diags_errors(diags), conf_diags_warnings(diags));
	program_destroy(program);
	conf_destroy(conf);
	conf_diags_destroy(diags);
}

static bool
is_as_expected(const char *path)
{
	struct buf got, want;
	char expected[512];
	bool is_same;

	assert_true(snprintf(expected, sizeof(expected), "%.*s.expected",
			    (int)(strlen(path) - strlen(".yaml")),
			    path) < (int)sizeof(expected));
	buf_init(&got, 1 << 20);
	buf_init(&want, 1 << 20);
	report(path, &got);
	file_load(expected, &want);
	is_same = strcmp(buf_cstr(&got), buf_cstr(&want)) == 0;
	if (!is_same && getenv("GOLDEN_UPDATE") != NULL) {
		file_store(expected, &got);
		is_same = true;
	}
	if (!is_same)
		print_error("%s says:\n%swhere this was expected:\n%s", path,
			buf_cstr(&got), buf_cstr(&want));
	buf_fini(&got);
	buf_fini(&want);
	return is_same;
}

static void
every_warning_is_told_as_expected(void **state)
{
	glob_t found;
	size_t nbad = 0;

	(void)state;
	assert_int_equal(glob(FOLDER "*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 5);
	for (size_t i = 0; i < found.gl_pathc; i++)
		nbad += !is_as_expected(found.gl_pathv[i]);
	globfree(&found);
	assert_int_equal(nbad, 0);
}

/* One of the golden files, compiled. */
struct made {
	struct conf_diags *diags;
	struct conf *conf;
	struct program *program;
	struct arena arena;
	struct graph graph;
};

static void
make(struct made *made, const char *path)
{
	memset(made, 0, sizeof(*made));
	arena_init(&made->arena, 1 << 20);
	assert_int_equal(conf_diags_create(&made->diags), SG_OK);
	assert_int_equal(
		conf_read(path, NULL, 0, made->diags, &made->conf), SG_OK);
	assert_int_equal(
		program_create(made->conf, made->diags, &made->program), SG_OK);
	assert_int_equal(
		program_graph(made->program, &made->arena, &made->graph),
		SG_OK);
}

static void
unmake(struct made *made)
{
	program_destroy(made->program);
	conf_destroy(made->conf);
	conf_diags_destroy(made->diags);
	arena_fini(&made->arena);
}

static const struct graph_node *
node_named(const struct graph *graph, const char *name)
{
	for (size_t i = 0; i < graph->n; i++) {
		if (strcmp(graph->nodes[i].name, name) == 0)
			return &graph->nodes[i];
	}
	fail_msg("no node %s", name);
	return NULL;
}

static void
a_graph_says_what_feeds_what(void **state)
{
	static const struct {
		const char *name;
		enum graph_kind kind;
		bool is_used;
		const char *reads[3];
	} rows[] = {
		{"account", GRAPH_INPUT, true, {NULL}},
		{"account.arr", GRAPH_FEATURE, true, {"account"}},
		{"account.plan", GRAPH_FEATURE, false, {"account"}},
		{"variables.used", GRAPH_VARIABLE, true, {"account.arr"}},
		{"variables.on_unused", GRAPH_VARIABLE, false,
			{"account.plan", "variables.unused"}},
		{"many.a", GRAPH_RULE, true, {"variables.used"}},
		{"many.h", GRAPH_RULE, true, {NULL}},
	};
	struct made made;

	(void)state;
	make(&made, FOLDER "unread.yaml");
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const struct graph_node *node =
			node_named(&made.graph, rows[i].name);
		size_t n = 0;

		assert_int_equal(node->kind, rows[i].kind);
		assert_int_equal(node->is_used, rows[i].is_used);
		for (; rows[i].reads[n] != NULL; n++)
			assert_string_equal(
				made.graph.nodes[node->reads[n]].name,
				rows[i].reads[n]);
		assert_int_equal(node->nreads, n);
	}
	assert_int_equal(node_named(&made.graph, "many.a")->ninputs, 1);
	assert_int_equal(node_named(&made.graph, "many.h")->ninputs, 0);
	assert_int_equal(node_named(&made.graph, "segment.many")->nreads, 8);
	unmake(&made);
}

static void
a_graph_without_memory_is_refused(void **state)
{
	struct arena small;
	struct made made;
	struct graph graph;

	(void)state;
	make(&made, FOLDER "segments.yaml");
	for (size_t max = 0; max < made.arena.used_bytes; max += 64) {
		arena_init(&small, max);
		assert_int_equal(
			program_graph(made.program, &small, &graph), SG_NOMEM);
		arena_fini(&small);
	}
	unmake(&made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_warning_is_told_as_expected),
		cmocka_unit_test(a_graph_says_what_feeds_what),
		cmocka_unit_test(a_graph_without_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
