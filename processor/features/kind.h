/*
 * kind.h - private to features/: what a kind of feature takes.
 */
#ifndef FEATURES_KIND_H
#define FEATURES_KIND_H

#include "segmentd/features.h"

enum window_need {
	WINDOW_NONE,
	WINDOW_NEEDED,
	WINDOW_OR_EVER /* without one, all events there ever were */
};

enum window_need
kind_window(enum feature_kind kind);

#endif
