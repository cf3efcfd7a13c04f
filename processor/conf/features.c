/*
 * features.c - a feature as it is written: {KIND: WHAT, window:, where:, ...}.
 *
 *     last first latest          a field
 *     count                      a window, or `all`
 *     sum min max                a field; `window`, else since ever
 *     mean distinct              a field and `window`
 *     rate trend                 a window (of events), or a field and `window`
 *     streak days_since          `true` or nothing
 *     collect                    the key field; keep, max, closed_when,
 *                                remove_when
 *
 * `as` beside a field says which type its values are taken as.
 * `max` is a kind, and beside `collect` it is the number of entries.
 */
#include "walk.h"

#include <stdio.h>
#include <string.h>

#include "segmentd/civil.h"
#include "segmentd/features.h"

#define WINDOW_MIN_MS 60000 /* a tile is no narrower */

enum feature_key {
	KEY_WINDOW = FEATURE_KIND_COUNT,
	KEY_WHERE,
	KEY_AS,
	KEY_KEEP,
	KEY_CLOSED_WHEN,
	KEY_REMOVE_WHEN,
};

/* The kinds come first, so that the index of a kind's key is the kind. */
static const char *const feature_keys[] = {
#define FEATURE(name) #name,
	FEATURE_KINDS(FEATURE)
#undef FEATURE
		[KEY_WINDOW] = "window",
	[KEY_WHERE] = "where",
	[KEY_AS] = "as",
	[KEY_KEEP] = "keep",
	[KEY_CLOSED_WHEN] = "closed_when",
	[KEY_REMOVE_WHEN] = "remove_when",
	NULL,
};

static const char *const kind_names[] = {
#define FEATURE(name) #name,
	FEATURE_KINDS(FEATURE)
#undef FEATURE
		NULL,
};

static const char *const as_names[] = {
	"bool", "int", "double", "string", "timestamp", NULL};

/* What a kind takes. */
enum takes {
	TAKES_FIELD,
	TAKES_WINDOW,	    /* or `all` */
	TAKES_SUM,	    /* a field, perhaps a window */
	TAKES_FIELD_WINDOW, /* a field and a window */
	TAKES_RATE,	    /* a window, perhaps of a field */
	TAKES_NOTHING,
	TAKES_KEY,
};

static const enum takes kind_takes[] = {
	[FEATURE_last] = TAKES_FIELD,
	[FEATURE_first] = TAKES_FIELD,
	[FEATURE_latest] = TAKES_FIELD,
	[FEATURE_count] = TAKES_WINDOW,
	[FEATURE_sum] = TAKES_SUM,
	[FEATURE_min] = TAKES_SUM,
	[FEATURE_max] = TAKES_SUM,
	[FEATURE_mean] = TAKES_FIELD_WINDOW,
	[FEATURE_distinct] = TAKES_FIELD_WINDOW,
	[FEATURE_collect] = TAKES_KEY,
	[FEATURE_rate] = TAKES_RATE,
	[FEATURE_trend] = TAKES_RATE,
	[FEATURE_streak] = TAKES_NOTHING,
	[FEATURE_days_since] = TAKES_NOTHING,
};

_Static_assert(SG_COUNTOF(kind_takes) == FEATURE_KIND_COUNT,
	"every kind says what it takes");

/* One feature while it is read. */
struct reading {
	struct walk *walk;
	const struct doc_node *node;
	const struct doc_node *kind;   /* the child under the kind's key */
	const struct doc_node *window; /* the child `window`, or NULL */
	struct conf_feature *feature;
};

/* --- windows ------------------------------------------------------------ */

/* A trend looks at two windows, the second one behind the first. */
static int64_t
window_max_ms(enum feature_kind kind)
{
	return kind == FEATURE_trend ? FEATURE_WINDOW_MAX_MS / 2
				     : FEATURE_WINDOW_MAX_MS;
}

static void
window_read(struct reading *rd, const struct doc_node *node)
{
	struct conf_feature *feature = rd->feature;

	if (walk_span(rd->walk, node, WINDOW_MIN_MS,
		    window_max_ms(feature->kind), &feature->window_ms))
		(void)walk_text(rd->walk, node, false, &feature->window);
}

static void
no_window(struct reading *rd, const char *hint)
{
	if (rd->window != NULL)
		walk_key_fault(rd->walk, rd->window, hint,
			"`%s` takes no `window`", rd->kind->key.s);
}

static void
needs_window(struct reading *rd)
{
	if (rd->window == NULL)
		walk_key_fault(rd->walk, rd->kind, "such as `window: 30d`",
			"`%s` needs a `window`", rd->kind->key.s);
	else
		window_read(rd, rd->window);
}

/* --- what a kind takes -------------------------------------------------- */

static void
field_read(struct reading *rd)
{
	if (walk_env_text(rd->walk, rd->kind, false, &rd->feature->field))
		(void)path_check(rd->walk, &rd->feature->field);
}

static bool
text_is(const struct doc_node *node, const char *text)
{
	return node->kind == DOC_TEXT && !node->is_null &&
	       strcmp(node->text.s, text) == 0;
}

static bool
is_span(const struct doc_node *node)
{
	int64_t ms;

	return node->kind == DOC_TEXT && !node->is_null &&
	       civil_parse_span(node->text.s, node->text.len, &ms);
}

static void
count_read(struct reading *rd)
{
	no_window(rd, "write the window itself: `count: 30d`");
	if (text_is(rd->kind, "all"))
		return;
	if (rd->kind->kind == DOC_TEXT && !is_span(rd->kind)) {
		walk_fault(rd->walk, rd->kind,
			"such as `count: 30d`; `count: all` counts since ever",
			"`count` takes a window");
		return;
	}
	window_read(rd, rd->kind);
}

/* `rate: 7d`, or `rate: FIELD, window: 7d` */
static void
rate_read(struct reading *rd)
{
	if (rd->window != NULL) {
		field_read(rd);
		window_read(rd, rd->window);
	} else if (rd->kind->kind == DOC_TEXT && !rd->kind->is_null &&
		   !is_span(rd->kind)) {
		walk_fault(rd->walk, rd->kind,
			"such as `7d`, or a field and `window: 7d`",
			"`%s` needs a window", rd->kind->key.s);
	} else {
		window_read(rd, rd->kind);
	}
}

static void
nothing_read(struct reading *rd)
{
	no_window(rd, NULL);
	if (rd->kind->is_null || text_is(rd->kind, "true"))
		return;
	walk_fault(rd->walk, rd->kind, "write `true`; `where` picks the events",
		"`%s` takes no value", rd->kind->key.s);
}

/* --- collect ------------------------------------------------------------ */

static void
keep_read(struct reading *rd, const struct doc_node *node)
{
	struct walk *walk = rd->walk;
	struct conf_text *keep;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_LIST, "a list of fields"))
		return;
	if (node->n > FEATURE_KEEP_MAX) {
		walk_key_fault(walk, node, NULL, "at most %d kept fields",
			FEATURE_KEEP_MAX);
		return;
	}
	keep = walk_array(walk, node->n, sizeof(*keep));
	for (const struct doc_node *c = node->first; c != NULL && keep != NULL;
		c = c->next) {
		if (!walk_env_text(walk, c, false, &keep[n]) ||
			!path_check(walk, &keep[n]))
			continue;
		for (size_t i = 0; i < n; i++) {
			if (strcmp(keep[i].s, keep[n].s) == 0)
				walk_fault(walk, c, NULL,
					"`%.64s` is already kept", keep[n].s);
		}
		n++;
	}
	rd->feature->keep = keep;
	rd->feature->nkeep = n;
}

static void
collect_read(struct reading *rd)
{
	struct conf_feature *feature = rd->feature;
	const struct doc_node *keep = doc_get(rd->node, "keep");
	const struct doc_node *max = doc_get(rd->node, "max");
	const struct doc_node *closed = doc_get(rd->node, "closed_when");
	const struct doc_node *removed = doc_get(rd->node, "remove_when");
	int64_t n = FEATURE_COLLECT_DEFAULT;

	no_window(rd, "`remove_when` lets entries go");
	field_read(rd);
	if (keep != NULL)
		keep_read(rd, keep);
	if (max != NULL)
		(void)walk_int(rd->walk, max, 1, FEATURE_COLLECT_MAX, &n);
	feature->max = (uint32_t)n;
	if (closed != NULL)
		(void)walk_expr(rd->walk, closed, &feature->closed_when);
	if (removed != NULL)
		(void)walk_expr(rd->walk, removed, &feature->remove_when);
}

/* --- one feature -------------------------------------------------------- */

static void
kind_read(struct reading *rd)
{
	switch (kind_takes[rd->feature->kind]) {
	case TAKES_FIELD:
		no_window(rd, NULL);
		field_read(rd);
		break;
	case TAKES_WINDOW:
		count_read(rd);
		break;
	case TAKES_SUM:
		field_read(rd);
		if (rd->window != NULL)
			window_read(rd, rd->window);
		break;
	case TAKES_FIELD_WINDOW:
		field_read(rd);
		needs_window(rd);
		break;
	case TAKES_RATE:
		rate_read(rd);
		break;
	case TAKES_NOTHING:
		nothing_read(rd);
		break;
	case TAKES_KEY:
		collect_read(rd);
		break;
	default:
		break;
	}
}

/* Which kind is it? Exactly one of the keys says so. */
static bool
kind_find(struct reading *rd, const char *where)
{
	const struct doc_node *collect = doc_get(rd->node, "collect");
	const struct doc_node *second = NULL;

	for (const struct doc_node *c = rd->node->first; c != NULL;
		c = c->next) {
		int key = walk_find(rd->walk, c, feature_keys, where);
		bool is_max = key == (int)FEATURE_max && collect != NULL;

		if (key < 0 || key >= FEATURE_KIND_COUNT || is_max)
			continue;
		if (rd->kind != NULL && second == NULL)
			second = c;
		if (rd->kind != NULL)
			continue;
		rd->kind = c;
		rd->feature->kind = (enum feature_kind)key;
	}
	if (second != NULL) {
		walk_key_fault(rd->walk, second, "make it two features",
			"%s is `%s` already", where, rd->kind->key.s);
		return false;
	}
	return rd->kind != NULL;
}

static void
kind_missing(struct reading *rd, const char *where)
{
	/* An unknown key was reported, and is probably the kind. */
	for (const struct doc_node *c = rd->node->first; c != NULL;
		c = c->next) {
		if (strcmp(c->key.s, "window") != 0 &&
			strcmp(c->key.s, "where") != 0)
			return;
	}
	char hint[256];

	walk_key_fault(rd->walk, rd->node,
		name_hint("", kind_names, hint, sizeof(hint)),
		"%s does not say what it is", where);
}

/* What belongs to a collection has no meaning beside another kind. */
static void
check_collect_keys(struct reading *rd)
{
	static const char *const keys[] = {
		"keep", "closed_when", "remove_when"};

	for (size_t i = 0; i < SG_COUNTOF(keys); i++) {
		const struct doc_node *c = doc_get(rd->node, keys[i]);

		if (c != NULL && rd->feature->kind != FEATURE_collect)
			walk_key_fault(rd->walk, c, NULL,
				"`%s` belongs to `collect` only", keys[i]);
	}
}

static void
as_read(struct reading *rd, const struct doc_node *node)
{
	struct conf_text *as = &rd->feature->as;
	char hint[256];
	size_t i = 0;

	if (rd->feature->field.s == NULL) {
		walk_key_fault(rd->walk, node, NULL,
			"`as` says how a field is taken, and there is none");
		return;
	}
	if (!walk_text(rd->walk, node, false, as))
		return;
	while (as_names[i] != NULL && strcmp(as->s, as_names[i]) != 0)
		i++;
	if (as_names[i] == NULL)
		walk_fault(rd->walk, node,
			name_hint(as->s, as_names, hint, sizeof(hint)),
			"not a type that a field can be taken as");
}

static void
feature_read(struct walk *walk, const struct doc_node *node,
	const struct conf_input *input, struct conf_feature *feature)
{
	struct reading rd = {.walk = walk,
		.node = node,
		.feature = feature,
		.window = doc_get(node, "window")};
	const struct doc_node *filter = doc_get(node, "where");
	const struct doc_node *as = doc_get(node, "as");
	char where[2 * CONF_NAME_MAX + 24];

	feature->kind = FEATURE_KIND_COUNT;
	if (!walk_is(walk, node, DOC_MAP, "a map such as {last: FIELD}"))
		return;
	(void)snprintf(where, sizeof(where), "feature `%s.%s`", input->name.s,
		feature->name.s);
	if (!kind_find(&rd, where)) {
		if (rd.kind == NULL)
			kind_missing(&rd, where);
		feature->kind = FEATURE_KIND_COUNT;
		return;
	}
	kind_read(&rd);
	check_collect_keys(&rd);
	if (as != NULL)
		as_read(&rd, as);
	if (filter != NULL)
		(void)walk_expr(walk, filter, &feature->where);
}

void
features_read(struct walk *walk, const struct doc_node *node,
	struct conf_input *input)
{
	struct conf_feature *features;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_MAP, "a map of features by name"))
		return;
	if (node->n > FEATURES_MAX) {
		walk_key_fault(
			walk, node, NULL, "at most %d features", FEATURES_MAX);
		return;
	}
	features = walk_array(walk, node->n, sizeof(*features));
	for (const struct doc_node *c = node->first;
		c != NULL && features != NULL; c = c->next) {
		if (!walk_key(walk, c, &features[n].name))
			return;
		if (name_check(walk, &features[n].name, NAME_FEATURE))
			feature_read(walk, c, input, &features[n]);
		else
			features[n].kind = FEATURE_KIND_COUNT;
		/* What could not be read is left out: it was reported. */
		if (features[n].kind != FEATURE_KIND_COUNT)
			n++;
	}
	input->features = features;
	input->nfeatures = n;
}
