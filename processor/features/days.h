/*
 * days.h - private to features/: calendar days with an event.
 */
#ifndef FEATURES_DAYS_H
#define FEATURES_DAYS_H

#include "state.h"

/* The local day of an instant. NULL: UTC. */
int64_t
days_local(const struct tz *tz, int64_t ms);
/* The instant a local day begins. */
int64_t
days_begin_ms(const struct tz *tz, int64_t day);

/* Returns false when the day is late. */
bool
days_add(struct days *days, int32_t day, int32_t head, bool *ret_is_changed);

/* Walk over the runs of days, newest first: the next one from `day` down, as
 * its newest and oldest day. False: there is none. */
bool
days_run(const struct days *days, int64_t day, int64_t *ret_newest,
	int64_t *ret_oldest);

/* Consecutive days up to `today` or the day before. */
int64_t
days_streak(const struct days *days, int64_t today);

/* The newest day up to `today`; INT64_MIN when there is none. */
int64_t
days_newest(const struct days *days, int64_t today);

#endif
