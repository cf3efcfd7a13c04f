/*
 * codec.h - private to features/: what writing and reading the stored form
 * have in common.
 */
#ifndef FEATURES_CODEC_H
#define FEATURES_CODEC_H

#include "distinct.h"
#include "state.h"

#define CODEC_VERSION 2
#define COUNTS_BASE (DISTINCT_STEPS_MAX + 1u) /* members and steps in one */

/* Nothing is stored of it. */
bool
codec_is_empty(const struct unit *unit, const union place *place);

#endif
