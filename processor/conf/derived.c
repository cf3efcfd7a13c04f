/*
 * derived.c - what is computed from features: variables, scores, renewal.
 */
#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/civil.h"

void
variables_read(
	struct walk *walk, const struct doc_node *node, struct conf *conf)
{
	struct conf_variable *vars;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_MAP, "a map of expressions by name"))
		return;
	if (node->n > CONF_VARIABLES_MAX) {
		walk_key_fault(walk, node, NULL, "at most %d variables",
			CONF_VARIABLES_MAX);
		return;
	}
	vars = walk_array(walk, node->n, sizeof(*vars));
	for (const struct doc_node *c = node->first; c != NULL && vars != NULL;
		c = c->next) {
		if (!walk_key(walk, c, &vars[n].name))
			return;
		if (!name_check(walk, &vars[n].name, NAME_VARIABLE))
			continue;
		/* Kept even when it has no expression, so that rules which
		 * name it are not reported as well. */
		(void)walk_expr(walk, c, &vars[n].expr);
		n++;
	}
	conf->variables = vars;
	conf->nvariables = n;
}

/* --- scores ------------------------------------------------------------- */

static void
clause_read(struct walk *walk, const struct doc_node *node,
	struct conf_clause *clause)
{
	static const char *const keys[] = {"name", "when", "points", NULL};
	const struct doc_node *parts[3];
	size_t nunknown = walk->nunknown;

	if (!walk_is(walk, node, DOC_MAP,
		    "a map such as {name: NAME, when: EXPR, points: 10}"))
		return;
	for (const struct doc_node *c = node->first; c != NULL; c = c->next)
		(void)walk_find(walk, c, keys, "a clause");
	for (size_t i = 0; i < SG_COUNTOF(parts); i++) {
		parts[i] = doc_get(node, keys[i]);
		if (parts[i] == NULL && walk->nunknown == nunknown)
			walk_key_fault(walk,
				node->first != NULL ? node->first : node, NULL,
				"a clause without `%s`", keys[i]);
	}
	if (parts[0] != NULL && walk_text(walk, parts[0], false, &clause->name))
		(void)name_check(walk, &clause->name, NAME_CLAUSE);
	if (parts[1] != NULL)
		(void)walk_expr(walk, parts[1], &clause->when);
	if (parts[2] != NULL)
		(void)walk_number(walk, parts[2], &clause->points);
}

static void
score_read(struct walk *walk, const struct doc_node *node,
	struct conf_score *score)
{
	struct conf_clause *clauses;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_LIST, "a list of clauses"))
		return;
	if (node->n == 0 || node->n > CONF_CLAUSES_MAX) {
		walk_key_fault(walk, node, NULL,
			"`%s` must have 1 to %d clauses", node->key.s,
			CONF_CLAUSES_MAX);
		return;
	}
	clauses = walk_array(walk, node->n, sizeof(*clauses));
	for (const struct doc_node *c = node->first;
		c != NULL && clauses != NULL; c = c->next) {
		const struct conf_text *name = &clauses[n].name;

		clause_read(walk, c, &clauses[n]);
		for (size_t i = 0; i < n && name->s != NULL; i++) {
			if (clauses[i].name.s == NULL ||
				strcmp(clauses[i].name.s, name->s) != 0)
				continue;
			conf_diag_at(walk->diags, name, 0, 0, false, NULL,
				"clause `%s` is already given at line %u",
				name->s, clauses[i].name.line);
			break;
		}
		n++;
	}
	score->clauses = clauses;
	score->nclauses = n;
}

void
scores_read(struct walk *walk, const struct doc_node *node, struct conf *conf)
{
	struct conf_score *scores;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_MAP, "a map of lists of clauses by name"))
		return;
	if (node->n > CONF_SCORES_MAX) {
		walk_key_fault(
			walk, node, NULL, "at most %d scores", CONF_SCORES_MAX);
		return;
	}
	scores = walk_array(walk, node->n, sizeof(*scores));
	for (const struct doc_node *c = node->first;
		c != NULL && scores != NULL; c = c->next) {
		if (!walk_key(walk, c, &scores[n].name))
			return;
		if (!name_check(walk, &scores[n].name, NAME_SCORE))
			continue;
		score_read(walk, c, &scores[n]);
		n++;
	}
	conf->scores = scores;
	conf->nscores = n;
}

/* --- renewal ------------------------------------------------------------ */

static const int32_t default_windows[] = {120, 90, 60, 30};

static int
descending(const void *left, const void *right)
{
	int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;

	return a < b ? 1 : a > b ? -1 : 0;
}

static void
windows_read(struct walk *walk, const struct doc_node *node,
	struct conf_renewal *renewal)
{
	int32_t *windows;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_LIST, "a list of days"))
		return;
	if (node->n == 0 || node->n > CONF_RENEWAL_WINDOWS_MAX) {
		walk_key_fault(walk, node, NULL,
			"`windows` must have 1 to %d entries",
			CONF_RENEWAL_WINDOWS_MAX);
		return;
	}
	windows = walk_array(walk, node->n, sizeof(*windows));
	for (const struct doc_node *c = node->first;
		c != NULL && windows != NULL; c = c->next) {
		int64_t days;

		if (!walk_int(walk, c, 1, CONF_RENEWAL_DAYS_MAX, &days))
			continue;
		for (size_t i = 0; i < n; i++) {
			if (windows[i] == days)
				walk_fault(walk, c, NULL, "%lld is given twice",
					(long long)days);
		}
		windows[n++] = (int32_t)days;
	}
	if (n == 0)
		return;
	qsort(windows, n, sizeof(*windows), descending);
	renewal->windows = windows;
	renewal->nwindows = n;
}

/* The name of a zone, or an expression that gives one. */
static void
timezone_read(struct walk *walk, const struct doc_node *node,
	struct conf_text *ret_timezone)
{
	if (!walk_env_text(walk, node, false, ret_timezone) ||
		conf_zone_is_expr(ret_timezone))
		return;
	if (tz_open(ret_timezone->s, ret_timezone->len) == NULL)
		walk_fault(walk, node,
			"such as Europe/Berlin, or a field: account.timezone",
			"not a time zone this system knows");
}

void
renewal_read(struct walk *walk, const struct doc_node *node, struct conf *conf)
{
	static const char *const keys[] = {
		"date", "windows", "timezone", "priority", NULL};
	struct conf_renewal *renewal = &conf->renewal;
	size_t nunknown = walk->nunknown;

	if (!walk_is(walk, node, DOC_MAP, "a map with at least a `date`"))
		return;
	renewal->is_set = true;
	renewal->windows = default_windows;
	renewal->nwindows = SG_COUNTOF(default_windows);
	for (const struct doc_node *c = node->first; c != NULL; c = c->next) {
		switch (walk_find(walk, c, keys, "`renewal`")) {
		case 0:
			(void)walk_expr(walk, c, &renewal->date);
			break;
		case 1:
			windows_read(walk, c, renewal);
			break;
		case 2:
			timezone_read(walk, c, &renewal->timezone);
			break;
		case 3:
			(void)walk_expr(walk, c, &renewal->priority);
			break;
		default:
			break;
		}
	}
	if (doc_get(node, "date") == NULL && walk->nunknown == nunknown)
		walk_key_fault(walk, node, "such as `date: variables.renewal`",
			"`renewal` has no `date`");
}
