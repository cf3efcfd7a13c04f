/*
 * tally.h - from where to where, counted: what becomes a struct comparison.
 *
 * Two sides know segmentations and segments by their own numbers; in a tally
 * each has one. Number 0 of a segmentation is "in none of them".
 */
#ifndef PIPELINE_TALLY_H
#define PIPELINE_TALLY_H

#include "program.h"
#include "segmentd/arena.h"

#define TALLY_SEGMENTATIONS_MAX ((size_t)2 * SEGMENTATIONS_MAX)

struct tally;

SG_MUSTCHECK enum sg_err
tally_create(const char *value, struct tally **ret_tally);
void
tally_destroy(struct tally *tally);

/* What outlives the tally's making: names, accounts. */
struct arena *
tally_arena(struct tally *tally);

/* How one side's segmentations are numbered here. */
struct tally_side {
	size_t ndefs;
	uint32_t *segmentation;			 /* by def */
	uint32_t **segment;			 /* by def, by seat + 1 */
	int32_t def_of[TALLY_SEGMENTATIONS_MAX]; /* -1: it has none of it */
};

/* Make the numbers. Names are copied. */
SG_MUSTCHECK enum sg_err
tally_side_make(struct tally *tally, const struct segmentation_def *defs,
	size_t ndefs, bool is_new, struct tally_side *ret_side);

/* An account on one side; ms NULL: it is not there. */
struct tally_place {
	const struct tally_side *side;
	const struct membership *ms;
};

/* Where the new rules want a seat later; `later` NULL: nothing is held back. */
struct tally_later {
	int16_t target;
	bool is_later;
	int64_t at_ms;
};

/* Count an account in every segmentation. `later` (by def of the new side) may
 * be NULL. */
SG_MUSTCHECK enum sg_err
tally_add(struct tally *tally, const char *account,
	const struct tally_place *before, const struct tally_place *after,
	const struct tally_later *later, double value);

/* Names of features that begin empty. Valid until: the comparison goes. */
void
tally_fresh(struct tally *tally, const char *const *names, size_t n);

/* Done: the tally is in the comparison now. */
SG_MUSTCHECK enum sg_err
tally_finish(struct tally *tally, struct comparison **ret_comparison);

#endif
