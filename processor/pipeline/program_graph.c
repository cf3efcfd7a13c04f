/*
 * program_graph.c - what each segmentation reads, and in which order to
 * evaluate them.
 *
 * Nodes are variables, scores and segmentations; an edge leads from a reader to
 * what it reads. Walked once from every segmentation: the features found on the
 * way (through variables and scores, not through segmentations) are those
 * whose change makes it worth evaluating again; the segmentations found come
 * before it in the order. A way back to a node that is still open is a circle.
 */
#include <stdio.h>
#include <string.h>

#include "program_build.h"

enum node_kind { NODE_VARIABLE, NODE_SCORE, NODE_SEGMENTATION };

struct node {
	enum node_kind kind;
	uint32_t index;
};

#define DEPTH_MAX 512

struct walk {
	struct build *b;
	struct node path[DEPTH_MAX];
	size_t depth;
	uint8_t *is_ordered; /* by segmentation */
	/* By variable, then score: the segmentation (plus one) whose walk has
	 * been there. Without it, variables that each read two others would be
	 * walked once for every way to them. */
	uint32_t *seen;
	uint32_t reader; /* segmentation being walked, plus one */
	size_t nordered;
	bool is_circle; /* or too deep: was reported */
};

static const char *
node_name(const struct program *prog, struct node node)
{
	switch (node.kind) {
	case NODE_VARIABLE:
		return prog->variables[node.index].name;
	case NODE_SCORE:
		return prog->scores[node.index].name;
	default:
		return prog->defs[node.index].name;
	}
}

static const struct conf_text *
node_text(const struct program *prog, struct node node)
{
	const struct conf *conf = prog->conf;

	switch (node.kind) {
	case NODE_VARIABLE:
		return &conf->variables[node.index].expr;
	case NODE_SCORE:
		return &conf->scores[node.index].name;
	default:
		return (int32_t)node.index == prog->renewal
			       ? &conf->renewal.date
			       : &conf->segmentations[node.index].name;
	}
}

static bool
is_same(struct node a, struct node b)
{
	return a.kind == b.kind && a.index == b.index;
}

static void
note_circle(struct walk *w, size_t from, struct node again)
{
	const struct program *prog = w->b->prog;
	char text[320];
	size_t used = 0;

	for (size_t i = from; i < w->depth && used < sizeof(text) - 1; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
			"%s -> ", node_name(prog, w->path[i]));
	conf_diag_at(w->b->diags, node_text(prog, again), 0, 0, false, NULL,
		"rules read each other in a circle: %s%s",
		used == 0 ? "" : text, node_name(prog, again));
	w->is_circle = true;
}

static void
walk_node(struct walk *w, struct node node, struct program_deps *deps);

static void
walk_prog(
	struct walk *w, const struct cel_prog *prog, struct program_deps *deps);

/* The zone of renewal windows. */
static void
walk_zone(struct walk *w, struct program_deps *deps)
{
	const struct program *prog = w->b->prog;

	if (prog->renewal_tz != NULL)
		return;
	walk_prog(w, prog->renewal_tz_prog, deps);
	/* An account for which that has no answer has the one of all else. */
	walk_prog(w, prog->zone_prog, deps);
}

static void
walk_prog(
	struct walk *w, const struct cel_prog *prog, struct program_deps *deps)
{
	const struct program *program = w->b->prog;
	const uint32_t *slots;
	size_t n;

	if (prog == NULL)
		return;
	slots = cel_prog_slots(prog, &n);
	for (size_t i = 0; i < n; i++) {
		const struct program_slot *slot = &program->slots[slots[i]];
		struct node node = {.index = slot->index};

		switch (slot->kind) {
		case SLOT_ACCOUNT:
			continue;
		case SLOT_FEATURE:
			deps->features[slot->index / 64] |=
				UINT64_C(1) << (slot->index % 64);
			continue;
		case SLOT_ZONE:
			walk_prog(w, program->zone_prog, deps);
			continue;
		case SLOT_VARIABLE:
			node.kind = NODE_VARIABLE;
			break;
		case SLOT_SCORE:
			node.kind = NODE_SCORE;
			break;
		case SLOT_SEGMENT:
			node.kind = NODE_SEGMENTATION;
			break;
		case SLOT_RENEWAL_DAYS:
			/* Another zone is another today, whether or not the
			 * window moves. */
			walk_zone(w, deps);
			node.kind = NODE_SEGMENTATION;
			node.index = (uint32_t)program->renewal;
			break;
		case SLOT_RENEWAL_DATE:
		case SLOT_RENEWAL_WINDOW:
			node.kind = NODE_SEGMENTATION;
			node.index = (uint32_t)program->renewal;
			break;
		}
		walk_node(w, node, deps);
	}
}

static void
walk_segmentation(struct walk *w, uint32_t i)
{
	struct program *prog = w->b->prog;
	struct program_segmentation *seg = &prog->segmentations[i];
	uint32_t reader = w->reader;

	if (w->is_ordered[i])
		return;
	w->reader = i + 1;
	if (seg->is_renewal) {
		walk_prog(w, prog->renewal_date, &seg->deps);
		walk_zone(w, &seg->deps);
	}
	for (size_t k = 0; seg->when != NULL && k < seg->nrules; k++)
		walk_prog(w, seg->when[k], &seg->deps);
	walk_prog(w, seg->enter, &seg->deps);
	walk_prog(w, seg->exit, &seg->deps);
	w->reader = reader;
	w->is_ordered[i] = 1;
	prog->order[w->nordered++] = i;
}

/* Was this variable or score walked for the present reader? */
static bool
is_seen(struct walk *w, struct node node)
{
	size_t at = node.index;

	if (node.kind == NODE_SEGMENTATION)
		return false;
	if (node.kind == NODE_SCORE)
		at += w->b->prog->nvariables;
	if (w->seen[at] == w->reader)
		return true;
	w->seen[at] = w->reader;
	return false;
}

static void
walk_node(struct walk *w, struct node node, struct program_deps *deps)
{
	struct program *prog = w->b->prog;

	if (w->is_circle)
		return;
	for (size_t i = 0; i < w->depth; i++) {
		if (is_same(w->path[i], node)) {
			note_circle(w, i, node);
			return;
		}
	}
	if (is_seen(w, node))
		return;
	if (w->depth == DEPTH_MAX) {
		conf_diag_at(w->b->diags, node_text(prog, node), 0, 0, false,
			NULL, "rules read each other more than %d deep",
			DEPTH_MAX);
		w->is_circle = true;
		return;
	}
	w->path[w->depth++] = node;
	if (node.kind == NODE_VARIABLE) {
		walk_prog(w, prog->variables[node.index].prog, deps);
	} else if (node.kind == NODE_SCORE) {
		const struct program_score *score = &prog->scores[node.index];

		for (size_t k = 0; k < score->nclauses; k++)
			walk_prog(w, score->clauses[k], deps);
	} else {
		if (deps != NULL)
			deps->segments[node.index / 64] |= UINT64_C(1)
							   << (node.index % 64);
		walk_segmentation(w, node.index);
	}
	w->depth--;
}

enum sg_err
build_graph(struct build *b)
{
	struct program *prog = b->prog;
	size_t n = prog->nsegmentations;
	size_t nseen;
	struct walk *w = arena_alloc(&prog->arena, sizeof(*w));

	if (w == NULL)
		return SG_NOMEM;
	memset(w, 0, sizeof(*w));
	w->b = b;
	prog->order = arena_array(&prog->arena, n + 1, sizeof(*prog->order));
	w->is_ordered = arena_alloc(&prog->arena, n + 1);
	nseen = prog->nvariables + prog->nscores;
	w->seen = arena_array(&prog->arena, nseen + 1, sizeof(*w->seen));
	if (prog->order == NULL || w->is_ordered == NULL || w->seen == NULL)
		return SG_NOMEM;
	memset(w->seen, 0, nseen * sizeof(*w->seen));
	memset(w->is_ordered, 0, n + 1);
	/* Every change tells the renewal as it is: it is decided first. */
	if (prog->renewal >= 0)
		walk_node(w,
			(struct node){
				NODE_SEGMENTATION, (uint32_t)prog->renewal},
			NULL);
	for (uint32_t i = 0; i < n && !w->is_circle; i++)
		walk_node(w, (struct node){NODE_SEGMENTATION, i}, NULL);
	return SG_OK;
}
