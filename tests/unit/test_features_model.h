/*
 * test_features_model.h - features that keep every event.
 *
 * The model stores all events and computes each value from them, straight from
 * the definitions in segmentd/features.h. It is slow and knows nothing of
 * tiles that are merged, shared, packed or dropped.
 */
#ifndef TEST_FEATURES_MODEL_H
#define TEST_FEATURES_MODEL_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/change.h"
#include "segmentd/features.h"

#define MODEL_EVENTS_MAX 4096
#define MODEL_SLOTS 8

typedef __int128 model_int;

struct model_event {
	struct event ev;
	struct value slots[MODEL_SLOTS];
	uint64_t filters;
};

struct model {
	const struct feature_def *defs;
	size_t ndefs;
	struct model_event *events; /* not the repeats */
	size_t nevents;
	uint64_t ids[FEATURE_IDS]; /* the newest first */
	size_t nids;
};

/* A small generator of our own: the same numbers everywhere. */
static inline uint64_t
model_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

static inline int64_t
model_below(uint64_t *seed, int64_t n)
{
	return (int64_t)(model_random(seed) % (uint64_t)n);
}

static inline int64_t
model_floor(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static inline int64_t
model_width(int64_t window_ms)
{
	return window_ms == 0		     ? INT64_MAX / 2
	       : window_ms <= 3600000	     ? 60000
	       : window_ms <= 5 * 3600000    ? 300000
	       : window_ms <= 60 * 3600000LL ? 3600000
					     : 86400000;
}

/* False for a repeat. */
static inline bool
model_add(struct model *model, const struct model_event *added)
{
	uint64_t id = added->ev.id_hash == 0
			      ? 0
			      : added->ev.id_hash * 31 + added->ev.input;

	for (size_t i = 0; i < model->nids && id != 0; i++) {
		if (model->ids[i] == id)
			return false;
	}
	if (id != 0) {
		memmove(&model->ids[1], &model->ids[0],
			(FEATURE_IDS - 1) * sizeof(model->ids[0]));
		model->ids[0] = id;
		model->nids += model->nids < FEATURE_IDS;
	}
	model->events[model->nevents] = *added;
	model->events[model->nevents].ev.slots =
		model->events[model->nevents].slots;
	model->nevents++;
	return true;
}

/* --- what an event is to a feature -------------------------------------- */

static inline bool
model_is_null(struct value v)
{
	return v.kind == VALUE_NULL || v.kind == VALUE_ABSENT;
}

static inline bool
model_is_nan(struct value v)
{
	return v.kind == VALUE_DOUBLE && isnan(v.as.d);
}

static inline struct value
model_field(const struct feature_def *def, const struct model_event *me)
{
	return def->slot < 0 ? value_absent() : me->slots[def->slot];
}

static inline bool
model_counts(const struct feature_def *def, const struct model_event *me)
{
	struct value v = model_field(def, me);

	if (me->ev.input != def->input)
		return false;
	if (def->filter >= 0 && (me->filters >> def->filter & 1) == 0)
		return false;
	if (def->slot < 0 || def->kind == FEATURE_last)
		return true;
	if (model_is_null(v))
		return false;
	return def->kind == FEATURE_first || def->kind == FEATURE_count ||
	       def->kind == FEATURE_streak || def->kind == FEATURE_days_since ||
	       !model_is_nan(v);
}

/* Of an event's own, what counts as the time of its partition's clock. */
static inline int64_t
model_head_ms(const struct event *ev)
{
	int64_t ms = ev->kafka_ms < 0 || ev->kafka_ms > ev->at_ms
			     ? ev->at_ms
			     : ev->kafka_ms;

	return ms < ev->at_ms - CIVIL_DAY_MS ? ev->at_ms - CIVIL_DAY_MS : ms;
}

/* Do two features share a ring? By the words of features.h. */
static inline int
model_family(const struct feature_def *def)
{
	switch (def->kind) {
	case FEATURE_count:
		return 1;
	case FEATURE_rate:
	case FEATURE_trend:
		return def->slot < 0 ? 1 : 2;
	case FEATURE_sum:
	case FEATURE_mean:
		return 2;
	default:
		return 3 + (int)def->kind;
	}
}

static inline int64_t
model_span(const struct model *model, const struct feature_def *def)
{
	int64_t width = model_width(def->window_ms);
	int64_t span = 0;

	for (size_t i = 0; i < model->ndefs; i++) {
		const struct feature_def *other = &model->defs[i];
		int64_t ms = other->window_ms *
			     (other->kind == FEATURE_trend ? 2 : 1);

		if (model_family(other) != model_family(def) ||
			other->input != def->input ||
			other->filter != def->filter ||
			other->slot != def->slot ||
			model_width(other->window_ms) != width ||
			(def->kind == FEATURE_distinct &&
				other->window_ms != def->window_ms))
			continue;
		if ((ms + width - 1) / width > span)
			span = (ms + width - 1) / width;
	}
	return span;
}

/* Is the event among those a window at `now` covers? */
struct model_window {
	int64_t width;
	int64_t low; /* tiles */
	int64_t high;
	int64_t least; /* of the ring */
};

static inline struct model_window
model_window_at(
	const struct model *model, const struct feature_def *def, int64_t now)
{
	struct model_window w = {.width = model_width(def->window_ms)};
	int64_t head = INT64_MIN;

	for (size_t i = 0; i < model->nevents; i++) {
		const struct model_event *me = &model->events[i];
		int64_t tile = model_head_ms(&me->ev) / w.width;

		if (model_counts(def, me) && tile > head)
			head = tile;
	}
	w.low = model_floor(now - def->window_ms, w.width);
	w.high = model_floor(now, w.width);
	w.least = head == INT64_MIN ? 0 : head - model_span(model, def);
	return w;
}

static inline bool
model_covers(const struct model_window *w, const struct feature_def *def,
	const struct model_event *me)
{
	int64_t tile = me->ev.at_ms / w->width;

	if (def->window_ms == 0)
		return model_counts(def, me);
	return model_counts(def, me) && tile >= w->low && tile <= w->high &&
	       tile >= w->least;
}

/* --- values ------------------------------------------------------------- */

/* A field in units of the sum: billionths of a double. */
static inline model_int
model_units(struct value v)
{
	if (v.kind == VALUE_DOUBLE)
		return (model_int)llround(v.as.d * 1000) * 1000000;
	if (v.kind == VALUE_DURATION)
		return (model_int)v.as.i * 1000000000 + v.nanos;
	return v.kind == VALUE_UINT ? (model_int)v.as.u : (model_int)v.as.i;
}

static inline double
model_double(const struct feature_def *def, model_int sum)
{
	if (def->slot < 0 || def->type->kind != TYPE_DOUBLE)
		return (double)sum;
	return (double)(int64_t)(sum / 1000000000) +
	       (double)(int64_t)(sum % 1000000000) / 1e9;
}

static inline model_int
model_total(const struct model *model, const struct feature_def *def,
	int64_t now, int64_t *ret_n)
{
	struct model_window w = model_window_at(model, def, now);
	model_int sum = 0;

	*ret_n = 0;
	for (size_t i = 0; i < model->nevents; i++) {
		if (!model_covers(&w, def, &model->events[i]))
			continue;
		(*ret_n)++;
		sum += def->slot < 0 ? 1
				     : model_units(model_field(
					       def, &model->events[i]));
	}
	return sum;
}

static inline struct value
model_sum_value(const struct feature_def *def, model_int sum)
{
	switch (def->type->kind) {
	case TYPE_DOUBLE:
		return value_double(model_double(def, sum));
	case TYPE_UINT:
		return value_uint((uint64_t)sum);
	case TYPE_DURATION:
		return value_duration((int64_t)(sum / 1000000000),
			(uint32_t)(sum % 1000000000));
	default:
		if (sum > INT64_MAX || sum < INT64_MIN)
			return value_error("the sum does not fit its type");
		return value_int((int64_t)sum);
	}
}

/* The order of two fields of one type: positive when `a` is the greater. */
static inline int
model_order(struct value a, struct value b)
{
	if (a.kind == VALUE_DOUBLE) {
		if (a.as.d == b.as.d) /* -0 before 0 */
			return !signbit(a.as.d) - !signbit(b.as.d);
		return a.as.d < b.as.d ? -1 : 1;
	}
	if (a.kind == VALUE_UINT)
		return a.as.u < b.as.u ? -1 : a.as.u > b.as.u;
	if (a.as.i != b.as.i || a.kind == VALUE_INT)
		return a.as.i < b.as.i ? -1 : a.as.i > b.as.i;
	return a.nanos < b.nanos ? -1 : a.nanos > b.nanos;
}

static inline struct value
model_extreme(
	const struct model *model, const struct feature_def *def, int64_t now)
{
	struct model_window w = {0};
	struct value best = value_absent();

	if (def->kind != FEATURE_latest)
		w = model_window_at(model, def, now);
	for (size_t i = 0; i < model->nevents; i++) {
		const struct model_event *me = &model->events[i];
		struct value v = model_field(def, me);
		int order;

		if (def->kind == FEATURE_latest ? !model_counts(def, me)
						: !model_covers(&w, def, me))
			continue;
		order = best.kind == VALUE_ABSENT ? 0 : model_order(v, best);
		if (best.kind == VALUE_ABSENT ||
			(def->kind == FEATURE_min ? order < 0 : order > 0))
			best = v;
	}
	return best;
}

static inline bool
model_is_later(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms > b->at_ms
				    : a->offset > b->offset;
}

static inline struct value
model_end(const struct model *model, const struct feature_def *def)
{
	const struct model_event *best = NULL;

	for (size_t i = 0; i < model->nevents; i++) {
		const struct model_event *me = &model->events[i];

		if (!model_counts(def, me))
			continue;
		if (best == NULL || model_is_later(&me->ev, &best->ev) ==
					    (def->kind == FEATURE_last))
			best = me;
	}
	if (best == NULL)
		return value_absent();
	return model_is_null(best->slots[def->slot]) ? value_null()
						     : best->slots[def->slot];
}

static inline struct value
model_distinct(
	const struct model *model, const struct feature_def *def, int64_t now)
{
	struct model_window w = model_window_at(model, def, now);
	int64_t n = 0;

	for (size_t i = 0; i < model->nevents; i++) {
		struct value v = model_field(def, &model->events[i]);
		bool is_new = model_covers(&w, def, &model->events[i]);

		for (size_t j = 0; j < i && is_new; j++)
			is_new = !model_covers(&w, def, &model->events[j]) ||
				 !value_same(v,
					 model_field(def, &model->events[j]));
		n += is_new;
	}
	return value_int(n);
}

static inline struct value
model_trend(
	const struct model *model, const struct feature_def *def, int64_t now)
{
	int64_t n;
	model_int sum = model_total(model, def, now, &n);
	model_int before = model_total(model, def, now - def->window_ms, &n);

	if (before == 0)
		return value_absent();
	return value_double(model_double(def, sum) / model_double(def, before));
}

static inline int64_t
model_day(const struct tz *tz, int64_t ms)
{
	int64_t s = model_floor(ms, 1000);

	return model_floor(s + (tz == NULL ? 0 : tz_offset(tz, s)), 86400);
}

static inline bool
model_has_day(
	const struct model *model, const struct feature_def *def, int64_t day)
{
	int64_t head = INT64_MIN;
	bool is_there = false;

	for (size_t i = 0; i < model->nevents; i++) {
		const struct model_event *me = &model->events[i];
		int64_t clock = model_day(def->tz, model_head_ms(&me->ev));

		if (!model_counts(def, me))
			continue;
		head = clock > head ? clock : head;
		is_there |= model_day(def->tz, me->ev.at_ms) == day;
	}
	return is_there && day >= head - FEATURE_STREAK_MAX;
}

static inline struct value
model_days(
	const struct model *model, const struct feature_def *def, int64_t now)
{
	int64_t today = model_day(def->tz, now);
	int64_t day = today;
	int64_t n = 0;

	if (def->kind == FEATURE_streak) {
		if (!model_has_day(model, def, day))
			day--;
		while (n < FEATURE_STREAK_MAX &&
			model_has_day(model, def, day - n))
			n++;
		return value_int(n);
	}
	day = INT64_MIN;
	for (size_t i = 0; i < model->nevents; i++) {
		int64_t other = model_day(def->tz, model->events[i].ev.at_ms);

		if (model_counts(def, &model->events[i]) && other <= today &&
			other > day && model_has_day(model, def, other))
			day = other;
	}
	return day == INT64_MIN ? value_absent() : value_int(today - day);
}

/* The value of every kind but collect. */
static inline struct value
model_value(
	const struct model *model, const struct feature_def *def, int64_t now)
{
	model_int sum;
	int64_t n;

	switch (def->kind) {
	case FEATURE_last:
	case FEATURE_first:
		return model_end(model, def);
	case FEATURE_latest:
	case FEATURE_min:
	case FEATURE_max:
		return model_extreme(model, def, now);
	case FEATURE_distinct:
		return model_distinct(model, def, now);
	case FEATURE_trend:
		return model_trend(model, def, now);
	case FEATURE_streak:
	case FEATURE_days_since:
		return model_days(model, def, now);
	default:
		break;
	}
	sum = model_total(model, def, now, &n);
	switch (def->kind) {
	case FEATURE_count:
		return value_int(n);
	case FEATURE_sum:
		return model_sum_value(def, sum);
	case FEATURE_mean:
		return n == 0 ? value_absent()
			      : value_double(
					model_double(def, sum) / (double)n);
	default:
		return value_double(model_double(def, sum) /
				    ((double)def->window_ms / 86400000.0));
	}
}

#endif
