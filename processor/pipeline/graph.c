/*
 * graph.c - which input feeds which feature, variable and rule.
 *
 * The nodes are numbered by kind: inputs, features, variables, scores,
 * segmentations, rules; so a slot of the program is a node by arithmetic. An
 * edge leads from a reader to what it reads. A program has no circles, thus
 * two walks are enough: one up from every node for the inputs that feed it,
 * one from the segmentations for what is used at all. The input of overrides is
 * not in it: it feeds no rule.
 */
#include <string.h>

#include "program.h"
#include "segmentd/arena.h"
#include "segmentd/buf.h"

#define DETAIL_MAX 65536

_Static_assert(INPUTS_MAX <= 64, "a set of inputs is one word");

struct draft {
	const struct program *prog;
	struct arena *arena;
	struct graph_node *nodes;
	size_t n;
	uint32_t feature, variable, score, segmentation; /* first of each */
	uint64_t *inputs;  /* by node: bit set of those that feed it */
	uint8_t *is_known; /* inputs[] is filled */
	bool is_failed;
};

static size_t
count_nodes(const struct program *prog)
{
	/* The last one: renewal.priority. */
	return prog->conf->ninputs + prog->nfeatures + prog->nvariables +
	       prog->nscores + prog->nsegmentations + prog->nrules + 1;
}

static uint32_t
node_of(const struct draft *dr, uint32_t slot)
{
	const struct program_slot *ps = &dr->prog->slots[slot];

	switch (ps->kind) {
	case SLOT_FEATURE:
		return dr->feature + ps->index;
	case SLOT_VARIABLE:
		return dr->variable + ps->index;
	case SLOT_SCORE:
		return dr->score + ps->index;
	case SLOT_SEGMENT:
		return dr->segmentation + ps->index;
	case SLOT_RENEWAL_DATE:
	case SLOT_RENEWAL_DAYS:
	case SLOT_RENEWAL_WINDOW:
		return dr->segmentation + (uint32_t)dr->prog->renewal;
	case SLOT_ACCOUNT:
	case SLOT_ZONE:
		break;
	}
	return UINT32_MAX; /* the account's id is no input's */
}

static void
reads_add(uint32_t *reads, size_t *n, uint32_t node)
{
	for (size_t i = 0; i < *n; i++) {
		if (reads[i] == node)
			return;
	}
	reads[(*n)++] = node;
}

/* What a slot leads to; the zone is no node: who asks for it reads what names
 * it. */
static void
reads_add_slot(
	const struct draft *dr, uint32_t *reads, size_t *n, uint32_t slot)
{
	const struct program *prog = dr->prog;
	uint32_t node = node_of(dr, slot);
	const uint32_t *slots;
	size_t nslots;

	if (node != UINT32_MAX)
		reads_add(reads, n, node);
	if (prog->slots[slot].kind != SLOT_ZONE)
		return;
	slots = cel_prog_slots(prog->zone_prog, &nslots);
	for (size_t i = 0; i < nslots; i++) {
		node = node_of(dr, slots[i]);
		if (node != UINT32_MAX)
			reads_add(reads, n, node);
	}
}

/* How many nodes an expression may lead to, at most. */
static size_t
count_reads(const struct program *prog, const struct cel_prog *reader)
{
	const uint32_t *slots;
	size_t n, nzone = 0;

	slots = cel_prog_slots(reader, &n);
	for (size_t i = 0; i < n; i++) {
		if (prog->slots[slots[i]].kind == SLOT_ZONE)
			(void)cel_prog_slots(prog->zone_prog, &nzone);
	}
	return n + nzone;
}

/* Append a node that reads the slots of some expressions (NULL: left out). */
static void
add_reader(struct draft *dr, enum graph_kind kind, const char *name,
	struct cel_prog *const *progs, size_t nprogs)
{
	struct graph_node *node = &dr->nodes[dr->n++];
	size_t total = 0;
	uint32_t *reads;

	*node = (struct graph_node){.kind = kind, .name = name, .detail = ""};
	for (size_t i = 0; i < nprogs; i++) {
		if (progs[i] != NULL)
			total += count_reads(dr->prog, progs[i]);
	}
	reads = arena_array(dr->arena, total + 1, sizeof(*reads));
	if (reads == NULL) {
		dr->is_failed = true;
		return;
	}
	for (size_t i = 0; i < nprogs; i++) {
		const uint32_t *slots = NULL;
		size_t n = 0;

		if (progs[i] != NULL)
			slots = cel_prog_slots(progs[i], &n);
		for (size_t k = 0; k < n; k++)
			reads_add_slot(dr, reads, &node->nreads, slots[k]);
	}
	node->reads = reads;
	if (nprogs > 0 && progs[0] != NULL)
		node->detail = cel_prog_source(progs[0]);
}

/* "sum of minutes over 30d where action == "login"" */
static const char *
feature_detail(struct draft *dr, const struct conf_feature *cf)
{
	const char *copy;
	struct buf text;

	buf_init(&text, DETAIL_MAX);
	buf_put_str(&text, feature_kind_name(cf->kind));
	if (cf->field.s != NULL)
		buf_printf(&text, " of %s", cf->field.s);
	if (cf->window_ms > 0)
		buf_printf(&text, " over %s", cf->window.s);
	if (cf->where.s != NULL)
		buf_printf(&text, " where %s", cf->where.s);
	copy = text.is_failed ? feature_kind_name(cf->kind)
			      : arena_copy(dr->arena, text.bytes, text.len);
	buf_fini(&text);
	if (copy == NULL)
		dr->is_failed = true;
	return copy;
}

static void
add_inputs(struct draft *dr)
{
	const struct program *prog = dr->prog;
	const struct conf *conf = prog->conf;
	uint32_t at = 0;

	for (size_t i = 0; i < conf->ninputs; i++)
		dr->nodes[dr->n++] = (struct graph_node){.kind = GRAPH_INPUT,
			.name = prog->inputs[i].name,
			.detail = prog->inputs[i].topic};
	dr->feature = (uint32_t)dr->n;
	for (size_t i = 0; i < conf->ninputs; i++) {
		for (size_t k = 0; k < conf->inputs[i].nfeatures; k++) {
			uint32_t *reads =
				arena_alloc(dr->arena, sizeof(*reads));

			if (reads == NULL) {
				dr->is_failed = true;
				return;
			}
			*reads = (uint32_t)i;
			dr->nodes[dr->n++] =
				(struct graph_node){.kind = GRAPH_FEATURE,
					.name = prog->feature_defs[at++].name,
					.detail = feature_detail(dr,
						&conf->inputs[i].features[k]),
					.reads = reads,
					.nreads = 1};
		}
	}
}

static void
add_rules(struct draft *dr, uint32_t i)
{
	const struct program *prog = dr->prog;
	const struct program_segmentation *seg = &prog->segmentations[i];
	struct cel_prog *const renewal[] = {prog->renewal_date,
		prog->renewal_tz_prog,
		prog->renewal_tz == NULL ? prog->zone_prog : NULL};

	if (seg->is_renewal) {
		add_reader(dr, GRAPH_RULE, seg->rule_names[0], renewal, 3);
		return;
	}
	for (size_t k = 0; seg->when != NULL && k < seg->nrules; k++)
		add_reader(
			dr, GRAPH_RULE, seg->rule_names[k], &seg->when[k], 1);
	if (seg->enter != NULL)
		add_reader(dr, GRAPH_RULE, seg->rule_names[0], &seg->enter, 1);
	if (seg->exit != NULL)
		add_reader(dr, GRAPH_RULE, seg->rule_names[1], &seg->exit, 1);
}

/* As expressions call it. */
static const char *
segmentation_name(struct draft *dr, uint32_t i)
{
	const struct program *prog = dr->prog;
	const char *copy;
	struct buf text;

	if (prog->segmentations[i].is_renewal)
		return prog->defs[i].name;
	buf_init(&text, DETAIL_MAX);
	buf_printf(&text, "segment.%s", prog->defs[i].name);
	copy = arena_copy(dr->arena, text.bytes, text.len);
	buf_fini(&text);
	if (copy == NULL)
		dr->is_failed = true;
	return copy;
}

/* Segmentations stand before the rules they read: they are filled in later. */
static void
add_segmentations(struct draft *dr)
{
	const struct program *prog = dr->prog;

	dr->n += prog->nsegmentations;
	for (uint32_t i = 0; i < prog->nsegmentations; i++) {
		const struct program_segmentation *seg =
			&prog->segmentations[i];
		uint32_t *reads =
			arena_array(dr->arena, seg->nrules + 1, sizeof(*reads));
		struct graph_node *node = &dr->nodes[dr->segmentation + i];
		uint32_t first = (uint32_t)dr->n;

		if (reads == NULL) {
			dr->is_failed = true;
			return;
		}
		add_rules(dr, i);
		*node = (struct graph_node){.kind = GRAPH_SEGMENTATION,
			.name = segmentation_name(dr, i),
			.detail = seg->is_renewal ? "renewal"
				  : prog->defs[i].kind == SEGMENTATION_TAG
					  ? "tag"
					  : "exclusive",
			.reads = reads,
			.nreads = dr->n - first};
		for (size_t k = 0; k < node->nreads; k++)
			reads[k] = first + (uint32_t)k;
	}
	if (prog->renewal_priority != NULL)
		add_reader(dr, GRAPH_RULE, "renewal.priority",
			&prog->renewal_priority, 1);
}

/* --- the two walks ------------------------------------------------------ */

static void
find_inputs(struct draft *dr, uint32_t at)
{
	const struct graph_node *node = &dr->nodes[at];

	if (dr->is_known[at])
		return;
	dr->is_known[at] = 1;
	if (node->kind == GRAPH_INPUT)
		dr->inputs[at] = UINT64_C(1) << at;
	for (size_t i = 0; i < node->nreads; i++) {
		find_inputs(dr, node->reads[i]);
		dr->inputs[at] |= dr->inputs[node->reads[i]];
	}
}

static void
list_inputs(struct draft *dr, uint32_t at)
{
	struct graph_node *node = &dr->nodes[at];
	uint32_t *list = arena_array(
		dr->arena, dr->prog->conf->ninputs + 1, sizeof(*list));

	find_inputs(dr, at);
	if (list == NULL) {
		dr->is_failed = true;
		return;
	}
	for (uint32_t i = 0; i < dr->prog->conf->ninputs; i++) {
		if ((dr->inputs[at] >> i & 1) != 0)
			list[node->ninputs++] = i;
	}
	node->inputs = list;
}

static void
mark_used(struct draft *dr, uint32_t at)
{
	struct graph_node *node = &dr->nodes[at];

	if (node->is_used)
		return;
	node->is_used = true;
	for (size_t i = 0; i < node->nreads; i++)
		mark_used(dr, node->reads[i]);
}

enum sg_err
program_graph(const struct program *prog, struct arena *arena,
	struct graph *ret_graph)
{
	struct draft dr = {.prog = prog, .arena = arena};
	size_t n = count_nodes(prog);

	dr.nodes = arena_array(arena, n, sizeof(*dr.nodes));
	dr.inputs = arena_array(arena, n, sizeof(*dr.inputs));
	dr.is_known = arena_alloc(arena, n);
	if (dr.nodes == NULL || dr.inputs == NULL || dr.is_known == NULL)
		return SG_NOMEM;
	memset(dr.inputs, 0, n * sizeof(*dr.inputs));
	memset(dr.is_known, 0, n);
	dr.variable = (uint32_t)(prog->conf->ninputs + prog->nfeatures);
	dr.score = dr.variable + (uint32_t)prog->nvariables;
	dr.segmentation = dr.score + (uint32_t)prog->nscores;
	add_inputs(&dr);
	for (size_t i = 0; i < prog->nvariables && !dr.is_failed; i++)
		add_reader(&dr, GRAPH_VARIABLE, prog->variables[i].name,
			&prog->variables[i].prog, 1);
	for (size_t i = 0; i < prog->nscores && !dr.is_failed; i++) {
		add_reader(&dr, GRAPH_SCORE, prog->scores[i].name,
			prog->scores[i].clauses, prog->scores[i].nclauses);
		dr.nodes[dr.n - 1].detail = "";
	}
	if (!dr.is_failed)
		add_segmentations(&dr);
	for (uint32_t i = 0; i < dr.n && !dr.is_failed; i++) {
		list_inputs(&dr, i);
		if (i >= dr.segmentation)
			mark_used(&dr, i);
	}
	if (dr.is_failed)
		return SG_NOMEM;
	*ret_graph = (struct graph){dr.nodes, dr.n};
	return SG_OK;
}
