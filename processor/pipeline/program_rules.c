/*
 * program_rules.c - variables, scores, segmentations and renewal, compiled.
 *
 * Names an account's expression can read are declared first: features,
 * segments, scores, renewal fields have types of their own. A variable has the
 * type of its expression, so variables are compiled in the order in which they
 * read each other. That order is found from the texts: a mention of
 * "variables.x" is taken as a read of x.
 */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "program_build.h"

#define NESTING_MAX 48 /* variables within variables */

static bool
declare(struct build *b, enum slot_kind kind, uint32_t index, const char *name,
	const struct type *type)
{
	struct program *prog = b->prog;
	struct program_slot *slot = &prog->slots[prog->nslots];
	enum sg_err err;

	if (name == NULL || type == NULL) {
		b->err = SG_NOMEM;
		return false;
	}
	if (prog->nslots == SLOTS_MAX)
		return false;
	*slot = (struct program_slot){
		.kind = kind, .index = index, .name = name, .type = type};
	err = cel_env_declare(prog->env, name, type, (uint32_t)prog->nslots);
	if (err == SG_NOMEM)
		b->err = SG_NOMEM;
	if (err != SG_OK)
		return false;
	prog->nslots++;
	return true;
}

/* Features that are wrong, or of an input that is, stand for anything: they
 * were reported, and the rules that read them shall not be as well. */
static bool
declare_broken(struct build *b)
{
	const struct conf *conf = b->prog->conf;

	for (size_t i = 0; i < conf->ninputs; i++) {
		const struct conf_input *ci = &conf->inputs[i];

		for (size_t k = 0; k < ci->nfeatures; k++) {
			const char *name = build_printf(
				b, "%s.%s", ci->name.s, ci->features[k].name.s);
			bool is_known = false;

			if (name == NULL)
				return false;
			for (size_t n = 0; n < b->prog->nslots; n++)
				is_known = is_known ||
					   strcmp(b->prog->slots[n].name,
						   name) == 0;
			if (!is_known &&
				!declare(b, SLOT_FEATURE, 0, name, &type_dyn))
				return false;
		}
	}
	return true;
}

/* The zone of each account. It may read features only: all else may ask for
 * the zone. It is compiled before getters know of it, so that its own, if it
 * has any, are in UTC. */
static bool
declare_zone(struct build *b)
{
	struct program *prog = b->prog;
	const struct conf_text *zone = &prog->conf->opt.timezone;
	uint32_t slot = (uint32_t)prog->nslots;
	const struct type *want = type_nullable(&prog->arena, &type_string);
	enum sg_err err;

	if (!conf_zone_is_expr(zone))
		return true;
	if (want == NULL) {
		b->err = SG_NOMEM;
		return false;
	}
	prog->zone_prog = build_compile(b, prog->env, zone, want);
	if (!declare(b, SLOT_ZONE, 0, "timezone", &type_string))
		return false;
	prog->zone_slot = slot;
	err = cel_env_timezone_name(prog->env, "timezone");
	assert(err == SG_OK); /* it was declared */
	(void)err;
	return true;
}

static bool
declare_fixed(struct build *b)
{
	struct program *prog = b->prog;
	const struct conf *conf = prog->conf;
	const struct type *date = type_nullable(&prog->arena, &type_timestamp);
	const struct type *days = type_nullable(&prog->arena, &type_int);
	const struct type *text = type_nullable(&prog->arena, &type_string);
	bool is_ok = declare(b, SLOT_ACCOUNT, 0, "account_id", &type_string);

	for (uint32_t i = 0; i < prog->nfeatures && is_ok; i++)
		is_ok = declare(b, SLOT_FEATURE, i, prog->feature_defs[i].name,
			feature_type(prog->features, i));
	if (is_ok && conf_diags_errors(b->diags) > 0)
		is_ok = declare_broken(b);
	is_ok = is_ok && declare_zone(b);
	for (uint32_t i = 0; i < conf->nscores && is_ok; i++)
		is_ok = declare(b, SLOT_SCORE, i,
			build_printf(b, "score.%s", conf->scores[i].name.s),
			&type_double);
	for (uint32_t i = 0; i < conf->nsegmentations && is_ok; i++)
		is_ok = declare(b, SLOT_SEGMENT, i,
			build_printf(
				b, "segment.%s", conf->segmentations[i].name.s),
			text);
	if (conf->renewal.is_set && is_ok)
		is_ok = declare(b, SLOT_RENEWAL_DATE, 0, "renewal.date",
				date) &&
			declare(b, SLOT_RENEWAL_DAYS, 0, "renewal.days_left",
				days) &&
			declare(b, SLOT_RENEWAL_WINDOW, 0, "renewal.window",
				&type_string);
	return is_ok;
}

/* --- variables ---------------------------------------------------------- */

enum visit { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

/* The next variable mentioned in `*at`, which moves on; -1 at the end. */
static int32_t
next_mention(const struct conf *conf, const char **at)
{
	static const char prefix[] = "variables.";

	while ((*at = strstr(*at, prefix)) != NULL) {
		const char *name = *at + sizeof(prefix) - 1;
		size_t len = 0;

		while (isalnum((unsigned char)name[len]) || name[len] == '_')
			len++;
		*at = name + len;
		for (uint32_t i = 0; i < conf->nvariables; i++) {
			const struct conf_text *t = &conf->variables[i].name;

			if (t->len == len && memcmp(t->s, name, len) == 0)
				return (int32_t)i;
		}
	}
	return -1;
}

static void
note_cycle(struct build *b, const uint32_t *path, size_t n, uint32_t again)
{
	const struct conf *conf = b->prog->conf;
	char text[256];
	size_t used = 0;
	size_t i = 0;

	while (i < n && path[i] != again)
		i++;
	for (; i < n && used < sizeof(text) - 1; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
			"variables.%s -> ", conf->variables[path[i]].name.s);
	conf_diag_at(b->diags, &conf->variables[again].expr, 0, 0, false, NULL,
		"variables read each other in a circle: %svariables.%s",
		used == 0 ? "" : text, conf->variables[again].name.s);
}

struct visitor {
	struct build *b;
	enum visit *seen;
	uint32_t *path;
	uint32_t *nesting; /* by variable: variables within, and itself */
	bool *is_declared; /* by variable: a stand-in, see break_cycle() */
	size_t depth;
};

/* A decision can look only so deep (DEPTH_MAX of decide.c); what is deeper
 * would fail every time. */
static void
check_nesting(struct visitor *v, uint32_t i)
{
	const struct program *prog = v->b->prog;
	size_t n = 0;
	const uint32_t *slots = NULL;

	if (prog->variables[i].prog != NULL)
		slots = cel_prog_slots(prog->variables[i].prog, &n);
	v->nesting[i] = 1;
	for (size_t k = 0; k < n; k++) {
		const struct program_slot *slot = &prog->slots[slots[k]];

		if (slot->kind == SLOT_VARIABLE &&
			v->nesting[slot->index] >= v->nesting[i])
			v->nesting[i] = v->nesting[slot->index] + 1;
	}
	if (v->nesting[i] == NESTING_MAX + 1)
		conf_diag_at(v->b->diags, &prog->conf->variables[i].expr, 0, 0,
			false, NULL,
			"variables read each other more than %d deep",
			NESTING_MAX);
}

static enum sg_err
compile_variable(struct visitor *v, uint32_t i)
{
	struct build *b = v->b;
	const struct conf_variable *cv = &b->prog->conf->variables[i];
	struct program_variable *var = &b->prog->variables[i];

	var->name = build_printf(b, "variables.%s", cv->name.s);
	if (var->name == NULL)
		return SG_NOMEM;
	var->prog = build_compile(b, b->prog->env, &cv->expr, NULL);
	/* A variable that is wrong is declared all the same, so that it is
	 * reported once and not again by each reader. */
	if (!v->is_declared[i] &&
		!declare(b, SLOT_VARIABLE, i, var->name,
			var->prog == NULL ? &type_dyn
					  : cel_prog_type(var->prog)))
		return SG_LIMIT;
	check_nesting(v, i);
	return SG_OK;
}

/* A circle is said once: from here on its name stands for anything, and leads
 * nowhere. */
static enum sg_err
break_cycle(struct visitor *v, uint32_t again)
{
	const struct conf *conf = v->b->prog->conf;

	note_cycle(v->b, v->path, v->depth, again);
	if (v->is_declared[again])
		return SG_OK;
	v->is_declared[again] = true;
	return declare(v->b, SLOT_ACCOUNT, 0,
		       build_printf(v->b, "variables.%s",
			       conf->variables[again].name.s),
		       &type_dyn)
		       ? SG_OK
		       : SG_LIMIT;
}

static enum sg_err
visit_variable(struct visitor *v, uint32_t i)
{
	const struct conf *conf = v->b->prog->conf;
	const char *at = conf->variables[i].expr.s;
	enum sg_err err;
	int32_t next;

	v->seen[i] = VISIT_OPEN;
	v->path[v->depth++] = i;
	while (at != NULL && (next = next_mention(conf, &at)) >= 0) {
		err = SG_OK;
		if (v->seen[next] == VISIT_OPEN)
			err = break_cycle(v, (uint32_t)next);
		else if (v->seen[next] == VISIT_NEW)
			err = visit_variable(v, (uint32_t)next);
		if (err != SG_OK)
			return err;
	}
	v->depth--;
	v->seen[i] = VISIT_DONE;
	return compile_variable(v, i);
}

static enum sg_err
build_variables(struct build *b)
{
	struct program *prog = b->prog;
	size_t n = prog->conf->nvariables;
	struct visitor v = {.b = b};
	enum sg_err err = SG_OK;

	prog->variables =
		arena_array(&prog->arena, n + 1, sizeof(*prog->variables));
	v.seen = arena_array(&prog->arena, n + 1, sizeof(*v.seen));
	v.path = arena_array(&prog->arena, n + 1, sizeof(*v.path));
	v.nesting = arena_array(&prog->arena, n + 1, sizeof(*v.nesting));
	v.is_declared = arena_array(&prog->arena, n + 1, sizeof(bool));
	if (prog->variables == NULL || v.seen == NULL || v.path == NULL ||
		v.nesting == NULL || v.is_declared == NULL)
		return SG_NOMEM;
	memset(v.nesting, 0, (n + 1) * sizeof(*v.nesting));
	memset(v.is_declared, 0, (n + 1) * sizeof(bool));
	memset(prog->variables, 0, (n + 1) * sizeof(*prog->variables));
	prog->nvariables = n;
	for (size_t i = 0; i < n; i++)
		v.seen[i] = VISIT_NEW;
	for (uint32_t i = 0; i < n && err == SG_OK; i++) {
		if (v.seen[i] == VISIT_NEW)
			err = visit_variable(&v, i);
	}
	return err;
}

/* --- scores, segmentations, renewal ------------------------------------- */

static enum sg_err
build_scores(struct build *b)
{
	struct program *prog = b->prog;
	const struct conf *conf = prog->conf;
	struct arena *arena = &prog->arena;

	prog->scores =
		arena_array(arena, conf->nscores + 1, sizeof(*prog->scores));
	if (prog->scores == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < conf->nscores; i++) {
		const struct conf_score *cs = &conf->scores[i];
		struct program_score *score = &prog->scores[i];
		size_t n = cs->nclauses;

		score->name = build_printf(b, "score.%s", cs->name.s);
		score->clauses = arena_array(arena, n + 1, sizeof(void *));
		score->clause_names = arena_array(arena, n + 1, sizeof(void *));
		score->points = arena_array(arena, n + 1, sizeof(double));
		if (score->name == NULL || score->clauses == NULL ||
			score->clause_names == NULL || score->points == NULL)
			return SG_NOMEM;
		score->nclauses = n;
		prog->nscores = i + 1;
		for (size_t j = 0; j < n; j++) {
			score->clause_names[j] = cs->clauses[j].name.s;
			score->points[j] = cs->clauses[j].points;
			score->clauses[j] = build_compile(
				b, prog->env, &cs->clauses[j].when, &type_bool);
		}
	}
	return SG_OK;
}

static struct cel_prog *
compile_rule(struct build *b, const struct conf_text *text)
{
	return text->s == NULL
		       ? NULL
		       : build_compile(b, b->prog->env, text, &type_bool);
}

static enum sg_err
build_exclusive(struct build *b, const struct conf_segmentation *cs,
	struct segmentation_def *def, struct program_segmentation *seg)
{
	struct arena *arena = &b->prog->arena;
	size_t n = cs->nsegments;
	const char **names = arena_array(arena, n + 1, sizeof(*names));

	seg->when = arena_array(arena, n + 1, sizeof(*seg->when));
	seg->rule_names = arena_array(arena, n + 1, sizeof(*seg->rule_names));
	if (names == NULL || seg->when == NULL || seg->rule_names == NULL)
		return SG_NOMEM;
	def->segments = names;
	def->nsegments = n;
	seg->nrules = n;
	for (size_t i = 0; i < n; i++) {
		names[i] = cs->segments[i].name.s;
		seg->when[i] = compile_rule(b, &cs->segments[i].when);
		seg->rule_names[i] =
			build_printf(b, "%s.%s", def->name, names[i]);
		if (seg->rule_names[i] == NULL)
			return SG_NOMEM;
	}
	return SG_OK;
}

static enum sg_err
build_tag(struct build *b, const struct conf_segmentation *cs,
	struct segmentation_def *def, struct program_segmentation *seg)
{
	static const char *const in[] = {"in"};
	struct arena *arena = &b->prog->arena;

	def->kind = SEGMENTATION_TAG;
	def->segments = in;
	def->nsegments = 1;
	seg->enter = compile_rule(b, &cs->enter);
	seg->exit = compile_rule(b, &cs->exit);
	seg->rule_names = arena_array(arena, 2, sizeof(*seg->rule_names));
	if (seg->rule_names == NULL)
		return SG_NOMEM;
	seg->rule_names[0] = build_printf(b, "%s.enter", def->name);
	seg->rule_names[1] = build_printf(b, "%s.exit", def->name);
	seg->nrules = 2;
	return seg->rule_names[0] == NULL || seg->rule_names[1] == NULL
		       ? SG_NOMEM
		       : SG_OK;
}

static enum sg_err
build_segmentation(struct build *b, size_t i)
{
	const struct conf_segmentation *cs = &b->prog->conf->segmentations[i];
	struct segmentation_def *def = &b->prog->defs[i];
	struct program_segmentation *seg = &b->prog->segmentations[i];

	*def = (struct segmentation_def){
		.name = cs->name.s,
		.kind = SEGMENTATION_EXCLUSIVE,
		.min_stay_ms = cs->min_stay_ms,
		.cooldown_ms = cs->cooldown_ms,
	};
	*seg = (struct program_segmentation){
		.exits_on_error = cs->on_error == CONF_ON_ERROR_EXIT};
	if (cs->kind == CONF_TAG)
		return build_tag(b, cs, def, seg);
	return build_exclusive(b, cs, def, seg);
}

static void
build_renewal_zone(struct build *b, const struct conf_text *zone)
{
	struct program *prog = b->prog;
	const struct type *want = type_nullable(&prog->arena, &type_string);

	if (zone->s == NULL)
		return;
	if (want == NULL) {
		b->err = SG_NOMEM;
		return;
	}
	if (conf_zone_is_expr(zone)) {
		prog->renewal_tz_prog = build_compile(b, prog->env, zone, want);
		return;
	}
	/* NULL: conf/ has said that there is no such zone. */
	prog->renewal_tz = tz_open(zone->s, zone->len);
}

static void
build_priority(struct build *b, const struct conf_text *text)
{
	struct cel_prog *prog = build_compile(b, b->prog->env, text, NULL);
	const struct type *type = prog == NULL ? NULL : cel_prog_type(prog);

	b->prog->renewal_priority = prog;
	if (type == NULL || type->kind == TYPE_DYN || type->kind == TYPE_INT ||
		type->kind == TYPE_UINT || type->kind == TYPE_DOUBLE)
		return;
	conf_diag_at(b->diags, text, 0, 0, false, NULL,
		"the renewal priority must be a number");
}

static enum sg_err
build_renewal(struct build *b)
{
	struct program *prog = b->prog;
	const struct conf_renewal *cr = &prog->conf->renewal;
	const struct type *type;
	size_t at = prog->conf->nsegmentations;
	struct program_segmentation *seg = &prog->segmentations[at];

	prog->renewal = -1;
	if (!cr->is_set)
		return SG_OK;
	prog->renewal = (int32_t)at;
	prog->renewal_def.ndays = cr->nwindows;
	for (size_t i = 0; i < cr->nwindows; i++)
		prog->renewal_def.days[i] = cr->windows[i];
	renewal_segmentation(
		&prog->renewal_def, &prog->renewal_names, &prog->defs[at]);
	*seg = (struct program_segmentation){.is_renewal = true, .nrules = 1};
	seg->rule_names = arena_array(&prog->arena, 1, sizeof(char *));
	if (seg->rule_names == NULL)
		return SG_NOMEM;
	seg->rule_names[0] = "renewal.date";
	prog->renewal_date = build_compile(b, prog->env, &cr->date, NULL);
	if (prog->renewal_date != NULL) {
		type = cel_prog_type(prog->renewal_date);
		if (type->kind != TYPE_TIMESTAMP && type->kind != TYPE_DYN &&
			type->kind != TYPE_NULL)
			conf_diag_at(b->diags, &cr->date, 0, 0, false,
				"timestamp(x) makes one of a string",
				"the renewal date must be a timestamp");
	}
	if (cr->priority.s != NULL)
		build_priority(b, &cr->priority);
	build_renewal_zone(b, &cr->timezone);
	return SG_OK;
}

enum sg_err
build_rules(struct build *b)
{
	struct program *prog = b->prog;
	const struct conf *conf = prog->conf;
	size_t n = conf->nsegmentations + (conf->renewal.is_set ? 1 : 0);
	enum sg_err err;

	prog->slots =
		arena_array(&prog->arena, SLOTS_MAX, sizeof(*prog->slots));
	prog->defs = arena_array(&prog->arena, n + 1, sizeof(*prog->defs));
	prog->segmentations =
		arena_array(&prog->arena, n + 1, sizeof(*prog->segmentations));
	if (prog->slots == NULL || prog->defs == NULL ||
		prog->segmentations == NULL)
		return SG_NOMEM;
	memset(prog->segmentations, 0, (n + 1) * sizeof(*prog->segmentations));
	err = cel_env_create(0, &prog->env);
	if (err != SG_OK)
		return err;
	cel_env_timezone(prog->env, prog->timezone);
	if (!declare_fixed(b))
		return SG_LIMIT;
	err = build_variables(b);
	if (err == SG_OK)
		err = build_scores(b);
	for (size_t i = 0; i < conf->nsegmentations && err == SG_OK; i++) {
		prog->nsegmentations = i + 1;
		err = build_segmentation(b, i);
	}
	if (err == SG_OK) {
		prog->nsegmentations = n;
		err = build_renewal(b);
	}
	for (size_t i = 0; i < prog->nsegmentations; i++) {
		prog->segmentations[i].first_rule = prog->nrules;
		prog->nrules += prog->segmentations[i].nrules;
	}
	return err;
}
