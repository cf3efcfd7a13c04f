/*
 * warn.c - what compiles and is hardly meant.
 *
 * Five looks at a program: rules that never or always hold (fate.c), rules
 * that repeat an earlier one (same.c), more segments than anybody acts on,
 * what nothing reads (graph.c), and what time changes every millisecond. A
 * warning is worth its line only if it is right: what is not certain is not
 * said. How long a topic keeps its records is known to the broker alone:
 * windows are held against what the input says of it.
 */
#include <string.h>

#include "fate.h"
#include "same.h"
#include "segmentd/arena.h"

#define SEGMENTS_TO_ACT_ON 7
#define LISTED_MAX 5

struct warn {
	const struct program *prog;
	struct conf_diags *diags;
	struct fates *fates;
};

static void
warn_time(struct warn *w, const struct conf_text *text,
	const struct cel_prog *prog)
{
	if (prog != NULL && cel_prog_prints_now(prog))
		conf_diag_at(w->diags, text, 0, 0, true,
			"compare times, or make texts of now.getHours() and "
			"the like",
			"worked out anew every millisecond: string() of a time "
			"that moves with `now`");
}

/* --- segments ----------------------------------------------------------- */

/* Where to point: at the rule, or at the name of what has none. */
static const struct conf_text *
place_of(const struct conf_segment *segment)
{
	return segment->when.s == NULL ? &segment->name : &segment->when;
}

/* A rule above `k` that leaves nothing for it; `k` when there is none. */
static size_t
find_shadow(const struct conf_segmentation *cs, size_t k, bool *ret_is_same)
{
	const struct conf_text *when = &cs->segments[k].when;

	for (size_t i = 0; i < k && when->s != NULL; i++) {
		const struct conf_text *above = &cs->segments[i].when;

		*ret_is_same = same_rule(above, when);
		if (*ret_is_same || same_threshold(above, when))
			return i;
	}
	return k;
}

static void
warn_segment(struct warn *w, const struct conf_segmentation *cs, size_t k,
	enum fate fate)
{
	const struct conf_segment *segment = &cs->segments[k];
	bool is_same = false;
	size_t shadow;

	if (fate == FATE_NEVER) {
		conf_diag_at(w->diags, &segment->when, 0, 0, true, NULL,
			"nothing enters `%s.%s`: its rule never holds",
			cs->name.s, segment->name.s);
		return;
	}
	shadow = find_shadow(cs, k, &is_same);
	if (shadow == k)
		return;
	if (is_same)
		conf_diag_at(w->diags, &segment->when, 0, 0, true, NULL,
			"nothing enters `%s.%s`: `%s` above it has the same "
			"rule",
			cs->name.s, segment->name.s,
			cs->segments[shadow].name.s);
	else
		conf_diag_at(w->diags, &segment->when, 0, 0, true,
			"the first rule that holds wins: put the narrower one "
			"first",
			"nothing enters `%s.%s`: where its rule holds, that of "
			"`%s` above it does, too",
			cs->name.s, segment->name.s,
			cs->segments[shadow].name.s);
}

static void
warn_exclusive(struct warn *w, size_t i)
{
	const struct conf_segmentation *cs = &w->prog->conf->segmentations[i];
	const struct program_segmentation *seg = &w->prog->segmentations[i];
	const char *always = NULL; /* the segment that takes everything */

	for (size_t k = 0; k < cs->nsegments; k++) {
		enum fate fate = FATE_OPEN;

		warn_time(w, &cs->segments[k].when, seg->when[k]);
		if (always != NULL) {
			conf_diag_at(w->diags, place_of(&cs->segments[k]), 0, 0,
				true, NULL,
				"nothing enters `%s.%s`: the rule of `%s` "
				"above it always holds",
				cs->name.s, cs->segments[k].name.s, always);
			continue;
		}
		if (seg->when[k] != NULL)
			fate = fate_of_rule(w->fates, seg->when[k]);
		if (fate == FATE_ALWAYS)
			always = cs->segments[k].name.s;
		else
			warn_segment(w, cs, k, fate);
	}
	if (cs->nsegments > SEGMENTS_TO_ACT_ON)
		conf_diag_at(w->diags, &cs->name, 0, 0, true,
			"two segmentations of few segments say more than one "
			"of many",
			"%zu segments: more than about %d are too many to act "
			"on",
			cs->nsegments, SEGMENTS_TO_ACT_ON);
}

static void
warn_tag(struct warn *w, size_t i)
{
	const struct conf_segmentation *cs = &w->prog->conf->segmentations[i];
	const struct program_segmentation *seg = &w->prog->segmentations[i];
	enum fate enter = fate_of_rule(w->fates, seg->enter);

	warn_time(w, &cs->enter, seg->enter);
	warn_time(w, &cs->exit, seg->exit);
	if (enter == FATE_NEVER)
		conf_diag_at(w->diags, &cs->enter, 0, 0, true, NULL,
			"nothing enters `%s`: the rule never holds",
			cs->name.s);
	else if (enter == FATE_ALWAYS)
		conf_diag_at(w->diags, &cs->enter, 0, 0, true, NULL,
			"every account is in `%s`: the rule always holds",
			cs->name.s);
	if (seg->exit == NULL)
		return;
	if (same_rule(&cs->enter, &cs->exit))
		conf_diag_at(w->diags, &cs->exit, 0, 0, true,
			"without `exit`, an account leaves when `enter` holds "
			"no more",
			"nothing leaves `%s`: it has the rule of `enter`, "
			"which "
			"wins",
			cs->name.s);
	else if (fate_of_rule(w->fates, seg->exit) == FATE_NEVER)
		conf_diag_at(w->diags, &cs->exit, 0, 0, true, NULL,
			"nothing leaves `%s`: the rule never holds",
			cs->name.s);
}

static bool
is_repeat(const struct conf_segmentation *a, const struct conf_segmentation *b)
{
	if (a->kind != b->kind || a->nsegments != b->nsegments ||
		a->min_stay_ms != b->min_stay_ms ||
		a->cooldown_ms != b->cooldown_ms)
		return false;
	if (!same_rule(&a->enter, &b->enter) || !same_rule(&a->exit, &b->exit))
		return false;
	for (size_t i = 0; i < a->nsegments; i++) {
		if (!same_rule(&a->segments[i].when, &b->segments[i].when))
			return false;
	}
	return true;
}

static void
warn_segmentations(struct warn *w)
{
	const struct conf *conf = w->prog->conf;

	for (size_t i = 0; i < conf->nsegmentations; i++) {
		const struct conf_segmentation *cs = &conf->segmentations[i];

		if (cs->kind == CONF_TAG)
			warn_tag(w, i);
		else
			warn_exclusive(w, i);
		for (size_t k = 0; k < i; k++) {
			if (!is_repeat(&conf->segmentations[k], cs))
				continue;
			conf_diag_at(w->diags, &cs->name, 0, 0, true, NULL,
				"`%s` has the rules of `%s`", cs->name.s,
				conf->segmentations[k].name.s);
			break;
		}
	}
}

/* --- scores, variables, features ---------------------------------------- */

static void
warn_score(struct warn *w, size_t i)
{
	const struct conf_score *cs = &w->prog->conf->scores[i];
	const struct program_score *score = &w->prog->scores[i];

	for (size_t k = 0; k < cs->nclauses; k++) {
		const struct conf_clause *clause = &cs->clauses[k];
		size_t same = 0;

		warn_time(w, &clause->when, score->clauses[k]);
		if (fate_of_rule(w->fates, score->clauses[k]) == FATE_NEVER)
			conf_diag_at(w->diags, &clause->when, 0, 0, true, NULL,
				"no points for `%s`: the rule never holds",
				clause->name.s);
		while (same < k &&
			!same_rule(&cs->clauses[same].when, &clause->when))
			same++;
		if (same < k)
			conf_diag_at(w->diags, &clause->when, 0, 0, true, NULL,
				"`%s` has the rule of `%s`: both give points",
				clause->name.s, cs->clauses[same].name.s);
	}
}

static void
warn_filter(struct warn *w, size_t input, const struct conf_text *text,
	const char *effect)
{
	const struct program_input *in = &w->prog->inputs[input];

	for (size_t i = 0; i < in->nfilters && text->s != NULL; i++) {
		if (strcmp(in->filters[i].source, text->s) == 0 &&
			fate_of_filter(w->fates, in->filters[i].prog) ==
				FATE_NEVER)
			conf_diag_at(w->diags, text, 0, 0, true, NULL,
				"%s: this never holds", effect);
	}
}

static bool
is_same_feature(const struct conf_feature *a, const struct conf_feature *b)
{
	if (a->kind != b->kind || a->window_ms != b->window_ms ||
		a->nkeep != b->nkeep || a->max != b->max ||
		!same_rule(&a->field, &b->field) ||
		!same_rule(&a->where, &b->where) ||
		!same_rule(&a->as, &b->as) ||
		!same_rule(&a->closed_when, &b->closed_when) ||
		!same_rule(&a->remove_when, &b->remove_when))
		return false;
	for (size_t i = 0; i < a->nkeep; i++) {
		if (!same_rule(&a->keep[i], &b->keep[i]))
			return false;
	}
	return true;
}

/* What is longer ago than the topic goes back cannot be folded again. */
static void
warn_window(struct warn *w, const struct conf_input *ci,
	const struct conf_feature *cf)
{
	/* A trend looks at two windows, one behind the other. */
	int64_t n = cf->kind == FEATURE_trend ? 2 : 1;

	if (ci->retention_ms == 0 || cf->window_ms == 0 ||
		cf->window_ms * n <= ci->retention_ms)
		return;
	conf_diag_at(w->diags, &cf->window, 0, 0, true,
		"keep records as long as the longest window looks back",
		"`%s.%s` looks back %s%s, its topic keeps %s: the rest would "
		"be lost with Redis",
		ci->name.s, cf->name.s, n == 2 ? "twice " : "", cf->window.s,
		ci->retention.s);
}

static void
warn_input(struct warn *w, size_t i)
{
	const struct conf_input *ci = &w->prog->conf->inputs[i];
	const struct cel_prog *gone = w->prog->inputs[i].delete_when;

	if (gone != NULL && fate_of_filter(w->fates, gone) == FATE_NEVER)
		conf_diag_at(w->diags, &ci->delete_when, 0, 0, true, NULL,
			"no account is ever deleted: this never holds");
	for (size_t k = 0; k < ci->nfeatures; k++) {
		const struct conf_feature *cf = &ci->features[k];
		size_t same = 0;

		warn_window(w, ci, cf);
		warn_filter(w, i, &cf->where, "no event counts");
		warn_filter(w, i, &cf->closed_when, "no entry is ever closed");
		warn_filter(w, i, &cf->remove_when, "no entry is ever removed");
		while (same < k && !is_same_feature(&ci->features[same], cf))
			same++;
		if (same < k)
			conf_diag_at(w->diags, &cf->name, 0, 0, true, NULL,
				"`%s.%s` is the same as `%s.%s`", ci->name.s,
				cf->name.s, ci->name.s,
				ci->features[same].name.s);
	}
}

static void
warn_variables(struct warn *w)
{
	const struct conf *conf = w->prog->conf;
	uint64_t hashes[CONF_VARIABLES_MAX];

	for (size_t i = 0; i < conf->nvariables; i++) {
		const struct conf_variable *cv = &conf->variables[i];
		size_t same = 0;

		warn_time(w, &cv->expr, w->prog->variables[i].prog);
		hashes[i] = same_hash(&cv->expr);
		while (same < i && hashes[same] != hashes[i])
			same++;
		if (same < i &&
			same_rule(&conf->variables[same].expr, &cv->expr))
			conf_diag_at(w->diags, &cv->name, 0, 0, true, NULL,
				"`variables.%s` is the same as `variables.%s`",
				cv->name.s, conf->variables[same].name.s);
	}
}

/* --- what nothing reads ------------------------------------------------- */

/* One warning for all of a kind (of features: of an input), at the first. */
struct unread {
	struct buf names;
	const struct conf_text *first;
	size_t n;
};

static void
unread_add(struct unread *un, const struct graph_node *node,
	const struct conf_text *place)
{
	if (node->is_used)
		return;
	if (un->n++ == 0)
		un->first = place;
	if (un->n <= LISTED_MAX)
		buf_printf(&un->names, "%s`%s`", un->n == 1 ? "" : ", ",
			node->name);
}

static void
unread_tell(struct warn *w, struct unread *un)
{
	if (un->n > LISTED_MAX)
		buf_printf(&un->names, " and %zu more", un->n - LISTED_MAX);
	if (un->n > 0)
		conf_diag_at(w->diags, un->first, 0, 0, true,
			"fine if somebody looks at them in Redis, else a cost",
			"no rule reads %s", buf_cstr(&un->names));
	buf_reset(&un->names);
	un->n = 0;
}

static enum sg_err
warn_unread(struct warn *w)
{
	const struct conf *conf = w->prog->conf;
	struct unread un = {.n = 0};
	const struct graph_node *node;
	struct graph graph;
	struct arena arena;
	enum sg_err err;

	arena_init(&arena, (size_t)64 << 20);
	err = program_graph(w->prog, &arena, &graph);
	if (err != SG_OK) {
		arena_fini(&arena);
		return err;
	}
	buf_init(&un.names, 1 << 16);
	node = graph.nodes + conf->ninputs;
	for (size_t i = 0; i < conf->ninputs; i++) {
		const struct conf_input *ci = &conf->inputs[i];

		for (size_t k = 0; k < ci->nfeatures; k++)
			unread_add(&un, node++, &ci->features[k].name);
		unread_tell(w, &un);
	}
	for (size_t i = 0; i < conf->nvariables; i++)
		unread_add(&un, node++, &conf->variables[i].name);
	unread_tell(w, &un);
	for (size_t i = 0; i < conf->nscores; i++)
		unread_add(&un, node++, &conf->scores[i].name);
	unread_tell(w, &un);
	buf_fini(&un.names);
	arena_fini(&arena);
	return SG_OK;
}

enum sg_err
program_warn(const struct program *prog, struct conf_diags *diags)
{
	struct warn w = {.prog = prog, .diags = diags};
	enum sg_err err = fates_create(prog, &w.fates);

	if (err != SG_OK)
		return err;
	for (size_t i = 0; i < prog->conf->ninputs; i++)
		warn_input(&w, i);
	warn_variables(&w);
	for (size_t i = 0; i < prog->nscores; i++)
		warn_score(&w, i);
	warn_segmentations(&w);
	err = warn_unread(&w);
	fates_destroy(w.fates);
	return err;
}
