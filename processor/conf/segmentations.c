#include "walk.h"

#include <stdio.h>
#include <string.h>

#include "segmentd/civil.h"

#define STAY_MAX_MS (3650 * CIVIL_DAY_MS)

enum segmentation_key {
	KEY_SEGMENTS,
	KEY_ENTER,
	KEY_EXIT,
	KEY_MIN_STAY,
	KEY_COOLDOWN,
	KEY_ON_ERROR,
	KEY_RANK_BY,
	KEY_SIZES,
};

static const char *const segmentation_keys[] = {
	[KEY_SEGMENTS] = "segments",
	[KEY_ENTER] = "enter",
	[KEY_EXIT] = "exit",
	[KEY_MIN_STAY] = "min_stay",
	[KEY_COOLDOWN] = "cooldown",
	[KEY_ON_ERROR] = "on_error",
	[KEY_RANK_BY] = "rank_by",
	[KEY_SIZES] = "sizes",
	NULL,
};

/* --- exclusive: a list of segments -------------------------------------- */

static void
segment_read(struct walk *walk, const struct doc_node *node,
	struct conf_segment *segment)
{
	static const char *const keys[] = {"name", "when", NULL};
	const struct doc_node *name = doc_get(node, "name");
	const struct doc_node *when = doc_get(node, "when");
	size_t nunknown = walk->nunknown;

	if (!walk_is(walk, node, DOC_MAP, "a map such as {name: NAME}"))
		return;
	for (const struct doc_node *c = node->first; c != NULL; c = c->next)
		(void)walk_find(walk, c, keys, "a segment");
	if (name == NULL && walk->nunknown == nunknown)
		walk_key_fault(walk, node, NULL, "a segment without a `name`");
	else if (name != NULL && walk_text(walk, name, false, &segment->name))
		(void)name_check(walk, &segment->name, NAME_SEGMENT);
	if (when != NULL)
		(void)walk_expr(walk, when, &segment->when);
	/* The last one is the default; only the others have a condition. */
	if (when == NULL && node->next != NULL && node->first != NULL &&
		walk->nunknown == nunknown)
		walk_key_fault(walk, node->first,
			"only the last segment, the default, has none",
			"a segment without a `when`");
	if (when != NULL && node->next == NULL)
		walk_key_fault(walk, when,
			"add a last segment that has only a `name`",
			"the last segment is the default and has no `when`");
}

static void
segments_read(struct walk *walk, const struct doc_node *node,
	struct conf_segmentation *seg)
{
	struct conf_segment *segments;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_LIST, "a list of segments"))
		return;
	if (node->n == 0 || node->n > CONF_SEGMENTS_MAX) {
		walk_key_fault(walk, node, NULL,
			"`segments` must have 1 to %d entries",
			CONF_SEGMENTS_MAX);
		return;
	}
	segments = walk_array(walk, node->n, sizeof(*segments));
	for (const struct doc_node *c = node->first;
		c != NULL && segments != NULL; c = c->next) {
		const struct conf_text *name = &segments[n].name;

		segment_read(walk, c, &segments[n]);
		for (size_t i = 0; i < n && name->s != NULL; i++) {
			if (segments[i].name.s == NULL ||
				strcmp(segments[i].name.s, name->s) != 0)
				continue;
			conf_diag_at(walk->diags, name, 0, 0, false, NULL,
				"segment `%s` is already given at line %u",
				name->s, segments[i].name.line);
			break;
		}
		n++;
	}
	seg->segments = segments;
	seg->nsegments = n;
}

/* --- one segmentation --------------------------------------------------- */

static void
on_error_read(struct walk *walk, const struct doc_node *node,
	struct conf_segmentation *seg)
{
	struct conf_text text;

	if (!walk_env_text(walk, node, false, &text))
		return;
	if (strcmp(text.s, "exit") == 0)
		seg->on_error = CONF_ON_ERROR_EXIT;
	else if (strcmp(text.s, "hold") != 0)
		walk_fault(walk, node, "one of `hold`, `exit`",
			"`%.40s` is no value of `on_error`", text.s);
}

static void
segmentation_key_read(struct walk *walk, const struct doc_node *node, int key,
	struct conf_segmentation *seg)
{
	switch (key) {
	case KEY_SEGMENTS:
		segments_read(walk, node, seg);
		break;
	case KEY_ENTER:
		(void)walk_expr(walk, node, &seg->enter);
		break;
	case KEY_EXIT:
		(void)walk_expr(walk, node, &seg->exit);
		break;
	case KEY_MIN_STAY:
		(void)walk_span(walk, node, 0, STAY_MAX_MS, &seg->min_stay_ms);
		break;
	case KEY_COOLDOWN:
		(void)walk_span(walk, node, 0, STAY_MAX_MS, &seg->cooldown_ms);
		break;
	case KEY_ON_ERROR:
		on_error_read(walk, node, seg);
		break;
	case KEY_RANK_BY:
	case KEY_SIZES:
		walk_key_fault(walk, node, NULL,
			"`%s` is not supported in this version", node->key.s);
		break;
	default:
		break;
	}
}

/* Exclusive or tag: one of the two, and not half of each. */
static void
check_kind(struct walk *walk, const struct doc_node *node, const char *where)
{
	const struct doc_node *segments = doc_get(node, "segments");
	const struct doc_node *enter = doc_get(node, "enter");
	const struct doc_node *leave = doc_get(node, "exit");

	if (doc_get(node, "rank_by") != NULL)
		return; /* was refused as a whole */
	if (segments == NULL && enter == NULL)
		walk_key_fault(walk, node, NULL,
			"%s has neither `segments` nor `enter`", where);
	else if (segments != NULL && (enter != NULL || leave != NULL))
		walk_key_fault(walk, enter != NULL ? enter : leave,
			"make it two segmentations",
			"%s has `segments` already", where);
}

static void
segmentation_read(struct walk *walk, const struct doc_node *node,
	struct conf_segmentation *seg)
{
	size_t nunknown = walk->nunknown;
	char where[CONF_NAME_MAX + 24];

	if (!walk_is(walk, node, DOC_MAP, "a map with `segments` or `enter`"))
		return;
	(void)snprintf(where, sizeof(where), "segmentation `%s`", seg->name.s);
	for (const struct doc_node *c = node->first; c != NULL; c = c->next) {
		int key = walk_find(walk, c, segmentation_keys, where);

		segmentation_key_read(walk, c, key, seg);
	}
	if (walk->nunknown == nunknown)
		check_kind(walk, node, where);
	seg->kind =
		doc_get(node, "segments") != NULL ? CONF_EXCLUSIVE : CONF_TAG;
}

void
segmentations_read(
	struct walk *walk, const struct doc_node *node, struct conf *conf)
{
	struct conf_segmentation *segs;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_MAP, "a map of segmentations by name"))
		return;
	if (node->n > CONF_SEGMENTATIONS_MAX) {
		walk_key_fault(walk, node, NULL, "at most %d segmentations",
			CONF_SEGMENTATIONS_MAX);
		return;
	}
	segs = walk_array(walk, node->n, sizeof(*segs));
	for (const struct doc_node *c = node->first; c != NULL && segs != NULL;
		c = c->next) {
		if (!walk_key(walk, c, &segs[n].name))
			return;
		if (!name_check(walk, &segs[n].name, NAME_SEGMENTATION))
			continue;
		segmentation_read(walk, c, &segs[n]);
		n++;
	}
	conf->segmentations = segs;
	conf->nsegmentations = n;
}
