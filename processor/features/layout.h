/*
 * layout.h - private to features/: how a stored form is to be read.
 */
#ifndef FEATURES_LAYOUT_H
#define FEATURES_LAYOUT_H

#include "segmentd/err.h"
#include "state.h"

/* What is needed to walk over a stored unit, and where it goes today. */
struct layout_unit {
	uint8_t class;
	uint8_t width;
	uint8_t type;
	uint8_t ncols;
	uint8_t nkeep;
	uint8_t ntargets;
	/* For each kept field the one it is today, or -1. */
	int8_t keep[FEATURE_KEEP_MAX];
	uint8_t keep_type[FEATURE_KEEP_MAX];
	uint16_t targets[4]; /* units of today's set */
};

struct features_layout {
	uint32_t nunits;
	struct layout_unit units[];
};

#define LAYOUT_TARGETS_MAX SG_COUNTOF(((struct layout_unit *)0)->targets)

/* Fill set->layout. */
SG_MUSTCHECK enum sg_err
layout_fill(struct feature_set *set);

#endif
