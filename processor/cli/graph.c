/*
 * graph.c - segmentd graph: which input feeds which feature and rule.
 *
 * Three forms of the same nodes: lines for people, DOT for Graphviz (an arrow
 * leads from what is read to its reader, as events flow), JSON for scripts.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "segmentd/arena.h"

static const char usage[] =
	"usage: segmentd graph -c FILE [--output text|dot|json]\n"
	"                      [--set PATH=VALUE]...\n"
	"\n"
	"Which input feeds which feature, variable and rule. In text, a line\n"
	"says what something reads, and in brackets the inputs that feed it\n"
	"by way of that. `--output dot` is for Graphviz:\n"
	"\n"
	"  segmentd graph -c segmentd.yaml --output dot | dot -Tsvg "
	">rules.svg\n";

static const char *const kinds[] = {
	"input", "feature", "variable", "score", "segmentation", "rule"};

/* --- text --------------------------------------------------------------- */

static void
print_line(const struct graph *graph, const struct graph_node *node, int width)
{
	(void)printf("  %-*s", width, node->name);
	if (node->kind == GRAPH_INPUT)
		(void)printf("  topic %s", node->detail);
	else if (node->nreads > 0)
		(void)printf("  <-");
	else
		(void)printf("  reads nothing");
	for (size_t i = 0; i < node->nreads; i++)
		(void)printf("%s %s", i == 0 ? "" : ",",
			graph->nodes[node->reads[i]].name);
	if (node->kind == GRAPH_FEATURE)
		(void)printf(": %s", node->detail);
	else if (node->kind != GRAPH_INPUT)
		for (size_t i = 0; i < node->ninputs; i++)
			(void)printf("%s%s%s", i == 0 ? "  [" : ", ",
				graph->nodes[node->inputs[i]].name,
				i + 1 == node->ninputs ? "]" : "");
	(void)printf("%s\n", node->is_used ? "" : "  (no rule reads it)");
}

static void
print_text(const struct graph *graph)
{
	int width = 0;

	for (size_t i = 0; i < graph->n; i++) {
		int len = (int)strlen(graph->nodes[i].name);

		if (len > width)
			width = len;
	}
	for (size_t i = 0; i < graph->n; i++) {
		const struct graph_node *node = &graph->nodes[i];

		if (i == 0 || node->kind != node[-1].kind)
			(void)printf("%s%ss\n", i == 0 ? "" : "\n",
				kinds[node->kind]);
		print_line(graph, node, width);
	}
}

/* --- dot ---------------------------------------------------------------- */

/* A quoted text of the DOT language; line ends become blanks. */
static void
print_quoted(const char *text)
{
	(void)putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			(void)putchar('\\');
		(void)putchar(*text == '\n' ? ' ' : *text);
	}
	(void)putchar('"');
}

static void
print_dot(const struct graph *graph)
{
	static const char *const looks[] = {
		"cylinder", "box", "ellipse", "ellipse", "box3d", "note"};

	(void)printf("digraph segmentd {\n"
		     "  rankdir=LR;\n"
		     "  node [fontname=\"sans-serif\", fontsize=10];\n");
	for (size_t i = 0; i < graph->n; i++) {
		const struct graph_node *node = &graph->nodes[i];

		(void)printf("  n%zu [shape=%s%s, label=", i, looks[node->kind],
			node->is_used ? "" : ", style=dashed");
		print_quoted(node->name);
		(void)printf(", tooltip=");
		print_quoted(node->detail);
		(void)printf("];\n");
	}
	for (size_t i = 0; i < graph->n; i++) {
		const struct graph_node *node = &graph->nodes[i];

		for (size_t k = 0; k < node->nreads; k++)
			(void)printf("  n%u -> n%zu;\n", node->reads[k], i);
	}
	(void)printf("}\n");
}

/* --- JSON --------------------------------------------------------------- */

static json_t *
json_names(const struct graph *graph, const uint32_t *nodes, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(
			list, json_string(graph->nodes[nodes[i]].name));
	return list;
}

static int
print_json(const struct graph *graph)
{
	json_t *list = json_array();
	json_t *all;
	char *text;

	for (size_t i = 0; i < graph->n; i++) {
		const struct graph_node *node = &graph->nodes[i];

		(void)json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:o, s:o, s:b}", "kind",
				kinds[node->kind], "name", node->name, "detail",
				node->detail, "reads",
				json_names(graph, node->reads, node->nreads),
				"inputs",
				json_names(graph, node->inputs, node->ninputs),
				"used", node->is_used));
	}
	all = json_pack("{s:o}", "nodes", list);
	text = all == NULL ? NULL : json_dumps(all, JSON_INDENT(2));
	json_decref(all);
	if (text == NULL)
		return SG_EXIT_INTERNAL;
	(void)puts(text);
	free(text);
	return SG_EXIT_OK;
}

/* --- the verb ----------------------------------------------------------- */

int
cli_graph(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	struct arena arena;
	struct graph graph;
	enum sg_err err;
	int status;

	if (!cli_parse(argc, argv,
		    CLI_CONFIG | CLI_CONFIG_OPERAND | CLI_OUTPUT | CLI_HAS_DOT,
		    usage, &args, &status))
		return status;
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	arena_init(&arena, (size_t)64 << 20);
	err = program_graph(cp.program, &arena, &graph);
	if (err != SG_OK)
		status = cli_fail("graph", err, NULL);
	else if (args.output == CLI_JSON)
		status = print_json(&graph);
	else if (args.output == CLI_DOT)
		print_dot(&graph);
	else
		print_text(&graph);
	if (status == SG_EXIT_OK && fflush(stdout) != 0)
		status = SG_EXIT_IO;
	arena_fini(&arena);
	cli_program_close(&cp);
	return status;
}
