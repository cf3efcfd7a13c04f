/*
 * cell.h - private to features/: one value and when it was, for last, first
 * and latest; and the cutting of texts.
 */
#ifndef FEATURES_CELL_H
#define FEATURES_CELL_H

#include "segmentd/err.h"
#include "state.h"

#define CELL_TEXT_STEP 16 /* heap pieces of texts: 24, 40, 56, ... bytes */

/* What cell_plan() found out for cell_apply(). */
struct cell_put {
	struct value v; /* texts still those of the event */
	char *text;	/* a new heap piece for it; NULL: none is needed */
	uint16_t text_steps;
	bool is_taken; /* the event's value wins */
	bool is_changed;
	bool is_cut;
};

/* `v` with a text no longer than FEATURE_TEXT_MAX, cut at a character. */
struct value
cell_cut(struct value v, bool *ret_is_cut);

struct value
cell_read(const struct cell *cell);

void
cell_fini(struct features *features, struct cell *cell);

/* Prepare to offer `v` (of the unit's type, or null) to the cell. All memory is
 * taken here: cell_apply() or cell_drop() must follow. */
SG_MUSTCHECK enum sg_err
cell_plan(struct features *features, const struct unit *unit,
	const struct cell *cell, struct value v, int64_t at_ms, int64_t offset,
	struct cell_put *put);
void
cell_apply(struct features *features, struct cell *cell, int64_t at_ms,
	int64_t offset, const struct cell_put *put);
void
cell_drop(struct features *features, const struct cell_put *put);

#endif
