/*
 * fold.c - one event into the state of its account.
 *
 * Two passes over the units of the event's input. The first one plans: it finds
 * places and takes all memory, but changes nothing that can be seen. The second
 * one applies and cannot fail. So an event is in all features or in none.
 *
 *      plan:   event id seen? -> filter -> field -> find the tile, make room
 *      apply:  write, note which features may have changed
 */
#include "cell.h"
#include "collect.h"
#include "days.h"
#include "distinct.h"
#include "number.h"
#include "ring.h"
#include "segmentd/hash.h"

/* The event's time in the forms units want; -1 until asked for. */
struct when {
	int64_t at_ms;
	int64_t head_ms; /* see LATE in features.h */
	int32_t tiles[TILE_WIDTHS];
	int32_t heads[TILE_WIDTHS];
};

struct days_put {
	int32_t day;
	int32_t head;
};

/* A unit the event changes, and how. */
struct step {
	const struct unit *unit;
	union {
		struct ring_put ring;
		struct cell_put cell;
		struct distinct_put distinct;
		struct collect_put collect;
		struct days_put days;
	};
};

/* What an event does, until it is done. */
struct plan {
	struct features *features;
	const struct event *ev;
	uint64_t filters;
	struct when when;
	struct fold_result result;
	uint32_t npokes;
	uint32_t nsteps;
	struct ring_poke pokes[2 * FEATURES_MAX];
	struct step steps[FEATURES_MAX];
};

/* --- planning ----------------------------------------------------------- */

static int64_t
clamp(int64_t n, int64_t low, int64_t high)
{
	return n < low ? low : n > high ? high : n;
}

static void
when_init(struct when *when, const struct event *ev)
{
	int64_t at_ms = clamp(ev->at_ms, 0, TIME_MAX_MS);
	int64_t low_ms = at_ms < CIVIL_DAY_MS ? 0 : at_ms - CIVIL_DAY_MS;

	when->at_ms = at_ms;
	when->head_ms = at_ms;
	if (ev->kafka_ms >= 0)
		when->head_ms = clamp(ev->kafka_ms, low_ms, at_ms);
	for (unsigned i = 0; i < TILE_WIDTHS; i++)
		when->tiles[i] = -1;
}

static void
when_tile(struct when *when, unsigned width)
{
	if (when->tiles[width] >= 0)
		return;
	when->tiles[width] = (int32_t)tile_of(width, when->at_ms);
	when->heads[width] = when->head_ms == when->at_ms
				     ? when->tiles[width]
				     : (int32_t)tile_of(width, when->head_ms);
}

/* The field's value; false: the event is nothing to this unit. */
static bool
unit_field(const struct unit *unit, const struct event *ev,
	struct value *ret_value)
{
	struct value v = value_absent();

	*ret_value = v;
	if (unit->slot < 0)
		return true;
	if ((size_t)unit->slot < ev->nslots)
		v = ev->slots[unit->slot];
	*ret_value = v;
	if (unit->class == UNIT_COUNT || unit->class == UNIT_DAYS)
		return v.kind != VALUE_NULL && v.kind != VALUE_ABSENT &&
		       v.kind != VALUE_ERROR;
	if (number_is_of(v, unit->type))
		return true;
	*ret_value = value_null();
	return unit->class == UNIT_LAST;
}

static void
note_changed(const struct feature_set *set, const struct unit *unit,
	struct fold_result *result)
{
	if (set->nfeatures <= 64) {
		result->changed[0] |= unit->mask;
		return;
	}
	for (uint32_t i = 0; i < unit->nreaders; i++) {
		uint32_t index = set->readers[unit->reader + i];

		result->changed[index / 64] |= UINT64_C(1) << (index % 64);
	}
}

static enum sg_err
plan_ring(struct plan *plan, const struct unit *unit, struct value v)
{
	struct ring *ring = &features_place(plan->features, unit)->ring;
	struct step *step = &plan->steps[plan->nsteps];
	int32_t tile;
	int32_t head;
	enum sg_err err;
	unsigned npokes;
	bool is_same;
	i128 n = 0;

	if (unit->class == UNIT_SUM) {
		if (!number_for_sum(v, unit->type, &n))
			return SG_OK;
	} else if (unit->class != UNIT_COUNT) {
		if (!number_for_order(v, unit->type, &n))
			return SG_OK;
	}
	when_tile(&plan->when, unit->width);
	tile = plan->when.tiles[unit->width];
	head = plan->when.heads[unit->width];
	npokes = n == (int64_t)n ? ring_quick(plan->features, unit, ring, tile,
					   head, (int64_t)n,
					   &plan->pokes[plan->npokes], &is_same)
				 : 0;
	if (npokes > 0) {
		plan->npokes += npokes;
		if (!is_same)
			note_changed(plan->features->set, unit, &plan->result);
		return SG_OK;
	}
	step->unit = unit;
	err = ring_plan(plan->features, unit, ring, tile, head, n, &step->ring);
	plan->nsteps += err == SG_OK;
	return err;
}

static enum sg_err
plan_distinct(struct plan *plan, const struct unit *unit, struct value v)
{
	struct step *step = &plan->steps[plan->nsteps];
	enum sg_err err;
	uint64_t hash;

	if (!distinct_hash(v, unit->type, &hash))
		return SG_OK;
	when_tile(&plan->when, unit->width);
	step->unit = unit;
	err = distinct_plan(plan->features, unit,
		&features_place(plan->features, unit)->distinct, hash,
		plan->when.tiles[unit->width], plan->when.heads[unit->width],
		&step->distinct);
	plan->nsteps += err == SG_OK;
	return err;
}

static enum sg_err
plan_cell(struct plan *plan, const struct unit *unit, struct value v)
{
	struct step *step = &plan->steps[plan->nsteps];
	enum sg_err err;
	i128 n;

	/* NaN is no greatest value. */
	if (unit->class == UNIT_LATEST && !number_for_order(v, unit->type, &n))
		return SG_OK;
	step->unit = unit;
	err = cell_plan(plan->features, unit,
		&features_place(plan->features, unit)->cell, v,
		plan->when.at_ms, plan->ev->offset, &step->cell);
	plan->nsteps += err == SG_OK;
	return err;
}

static enum sg_err
plan_collect(struct plan *plan, const struct unit *unit)
{
	struct step *step = &plan->steps[plan->nsteps];
	enum sg_err err;

	step->unit = unit;
	err = collect_plan(plan->features, unit,
		&features_place(plan->features, unit)->collect, plan->ev,
		plan->when.at_ms, plan->filters, &step->collect);
	plan->nsteps += err == SG_OK;
	return err;
}

static enum sg_err
plan_unit(struct plan *plan, const struct unit *unit)
{
	struct step *step;
	struct value v;

	if (!unit_field(unit, plan->ev, &v))
		return SG_OK;
	switch ((enum unit_class)unit->class) {
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
		return plan_ring(plan, unit, v);
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		return plan_cell(plan, unit, v);
	case UNIT_DISTINCT:
		return plan_distinct(plan, unit, v);
	case UNIT_COLLECT:
		return plan_collect(plan, unit);
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		break;
	}
	step = &plan->steps[plan->nsteps++];
	step->unit = unit;
	step->days.day = (int32_t)days_local(unit->tz, plan->when.at_ms);
	step->days.head = (int32_t)days_local(unit->tz, plan->when.head_ms);
	return SG_OK;
}

static enum sg_err
plan_units(struct plan *plan, const struct feature_set *set)
{
	const struct event *ev = plan->ev;
	const struct unit *unit = &set->units[set->inputs[ev->input].first];
	const struct unit *end = unit + set->inputs[ev->input].n;
	enum sg_err err = SG_OK;

	for (; unit < end && err == SG_OK; unit++) {
		if (unit->filter < 0 ||
			(plan->filters >> unit->filter & 1) != 0)
			err = plan_unit(plan, unit);
	}
	return err;
}

/* What was taken for steps that will not be made. */
static void
plan_drop(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->nsteps; i++) {
		const struct step *step = &plan->steps[i];

		if (step->unit->class <= UNIT_LATEST)
			cell_drop(plan->features, &step->cell);
		else if (step->unit->class == UNIT_COLLECT)
			collect_drop(plan->features, &step->collect);
	}
}

/* --- applying ----------------------------------------------------------- */

static bool
apply_step(struct plan *plan, struct step *step)
{
	const struct unit *unit = step->unit;
	union place *place = features_place(plan->features, unit);
	struct fold_result *result = &plan->result;
	bool is_changed = false;

	switch ((enum unit_class)unit->class) {
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		cell_apply(plan->features, &place->cell, plan->when.at_ms,
			plan->ev->offset, &step->cell);
		result->is_overflow |= step->cell.is_cut;
		return step->cell.is_changed;
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
		ring_apply(plan->features, unit, &place->ring, &step->ring);
		result->is_late |= step->ring.is_late;
		return step->ring.is_changed;
	case UNIT_DISTINCT:
		result->is_late |= step->distinct.is_late;
		return distinct_apply(unit, &place->distinct, &step->distinct);
	case UNIT_COLLECT:
		collect_apply(
			plan->features, unit, &place->collect, &step->collect);
		result->is_overflow |= step->collect.is_overflow;
		return step->collect.is_changed;
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		break;
	}
	result->is_late |= !days_add(place_days(place), step->days.day,
		step->days.head, &is_changed);
	return is_changed;
}

static void
plan_apply(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->npokes; i++)
		ring_poke(plan->features, &plan->pokes[i]);
	for (uint32_t i = 0; i < plan->nsteps; i++) {
		if (apply_step(plan, &plan->steps[i]))
			note_changed(plan->features->set, plan->steps[i].unit,
				&plan->result);
	}
}

enum sg_err
features_fold(const struct feature_set *set, struct features *features,
	const struct event *ev, uint64_t filters,
	struct fold_result *ret_result)
{
	uint64_t id = ev->id_hash == 0 ? 0 : hash_mix(ev->id_hash, ev->input);
	enum sg_err err = SG_OK;
	struct plan plan;

	features_fetch(features);
	plan.result = (struct fold_result){0};
	if (id != 0 && features_ids_have(features, id)) {
		plan.result.is_repeat = true;
		*ret_result = plan.result;
		return SG_OK;
	}
	plan.features = features;
	plan.ev = ev;
	plan.filters = filters;
	plan.npokes = 0;
	plan.nsteps = 0;
	when_init(&plan.when, ev);
	if (id != 0)
		err = features_ids_reserve(features);
	if (err == SG_OK && ev->input < INPUTS_MAX)
		err = plan_units(&plan, set);
	if (err != SG_OK) {
		plan_drop(&plan);
		return err;
	}
	plan_apply(&plan);
	if (id != 0)
		features_ids_push(features, id);
	*ret_result = plan.result;
	return SG_OK;
}
