/*
 * fold.c - one event into the state of its account.
 *
 * Two passes over the units of the event's input. The first one plans: it finds
 * places and takes all memory, but changes nothing that can be seen. The second
 * one applies and cannot fail. So an event is in all features or in none.
 *
 *      plan:   event id seen? -> filter -> field -> find the tile, make room
 *      apply:  write, note which features may have changed
 *
 * Event ids are a ring of hashes, low and high halves apart: comparing 64 low
 * halves is a few vector instructions.
 */
#include <stdlib.h>
#include <string.h>

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

/* --- memory ------------------------------------------------------------- */

/* What malloc() of glibc takes for a piece. */
static size_t
piece_bytes(size_t size)
{
	return size <= 24 ? 32 : (size + 8 + 15) / 16 * 16;
}

void *
features_alloc(struct features *features, size_t size)
{
	void *piece = malloc(size);

	if (piece != NULL)
		features->bytes += piece_bytes(size);
	return piece;
}

void
features_free(struct features *features, void *piece, size_t size)
{
	if (piece == NULL)
		return;
	features->bytes -= piece_bytes(size);
	free(piece);
}

enum sg_err
features_create(const struct feature_set *set, struct features **ret_features)
{
	size_t size =
		sizeof(struct features) + set->nplaces * sizeof(union place);
	struct features *features = calloc(1, size);

	if (features == NULL)
		return SG_NOMEM;
	features->set = set;
	features->bytes = piece_bytes(size);
	for (uint32_t i = 0; i < set->nunits; i++) {
		if (set->units[i].class <= UNIT_LATEST)
			features_place(features, &set->units[i])->cell.v =
				value_absent();
	}
	*ret_features = features;
	return SG_OK;
}

static void
unit_fini(struct features *features, const struct unit *unit)
{
	union place *place = features_place(features, unit);

	switch ((enum unit_class)unit->class) {
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		cell_fini(features, &place->cell);
		break;
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
		ring_fini(features, &place->ring, unit->ncols);
		break;
	case UNIT_DISTINCT:
		distinct_fini(features, &place->distinct);
		break;
	case UNIT_COLLECT:
		collect_fini(features, &place->collect);
		break;
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		break;
	}
}

void
features_destroy(struct features *features)
{
	if (features == NULL)
		return;
	for (uint32_t i = 0; i < features->set->nunits; i++)
		unit_fini(features, &features->set->units[i]);
	free(features->ids);
	free(features);
}

size_t
features_size(const struct features *features)
{
	return features->bytes;
}

/* --- event ids ---------------------------------------------------------- */

enum sg_err
features_ids_reserve(struct features *features)
{
	size_t cap = features->ids_cap == 0 ? 4 : features->ids_cap * 2u;
	uint32_t *ids;

	if (features->nids < features->ids_cap ||
		features->ids_cap == FEATURE_IDS)
		return SG_OK;
	ids = features_alloc(features, cap * sizeof(uint64_t));
	if (ids == NULL)
		return SG_NOMEM;
	if (features->nids > 0) {
		memcpy(ids, features->ids, features->nids * sizeof(*ids));
		memcpy(ids + cap, features->ids + features->ids_cap,
			features->nids * sizeof(*ids));
	}
	features_free(
		features, features->ids, features->ids_cap * sizeof(uint64_t));
	features->ids = ids;
	features->ids_cap = (uint8_t)cap;
	return SG_OK;
}

static bool
ids_have(const struct features *features, uint64_t id)
{
	const uint32_t *low = features->ids;
	uint32_t hits = 0;

	for (uint32_t i = 0; i < features->nids; i++)
		hits += low[i] == (uint32_t)id;
	if (hits == 0)
		return false;
	for (uint32_t i = 0; i < features->nids; i++) {
		if (low[i] == (uint32_t)id &&
			low[features->ids_cap + i] == (uint32_t)(id >> 32))
			return true;
	}
	return false;
}

void
features_ids_push(struct features *features, uint64_t id)
{
	uint32_t at = features->nids;

	if (at == FEATURE_IDS) {
		at = features->ids_at;
		features->ids_at = (uint8_t)((at + 1) % FEATURE_IDS);
	} else {
		features->nids++;
	}
	features->ids[at] = (uint32_t)id;
	features->ids[features->ids_cap + at] = (uint32_t)(id >> 32);
}

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

static enum sg_err
plan_ring(struct features *features, struct step *step, struct value v,
	struct when *when, bool *ret_is_used)
{
	const struct unit *unit = step->unit;
	i128 n = 0;

	*ret_is_used =
		unit->class == UNIT_COUNT ||
		(unit->class == UNIT_SUM ? number_for_sum(v, unit->type, &n)
					 : number_for_order(v, unit->type, &n));
	if (!*ret_is_used)
		return SG_OK;
	when_tile(when, unit->width);
	return ring_plan(features, unit, &features_place(features, unit)->ring,
		when->tiles[unit->width], when->heads[unit->width], n,
		&step->ring);
}

static enum sg_err
plan_distinct(struct features *features, struct step *step, struct value v,
	struct when *when, bool *ret_is_used)
{
	const struct unit *unit = step->unit;
	uint64_t hash;

	*ret_is_used = distinct_hash(v, unit->type, &hash);
	if (!*ret_is_used)
		return SG_OK;
	when_tile(when, unit->width);
	return distinct_plan(features, unit,
		&features_place(features, unit)->distinct, hash,
		when->tiles[unit->width], when->heads[unit->width],
		&step->distinct);
}

/* NaN is no greatest value. */
static bool
is_latest(const struct unit *unit, struct value v)
{
	i128 n;

	return unit->class != UNIT_LATEST ||
	       number_for_order(v, unit->type, &n);
}

static enum sg_err
step_plan(struct features *features, const struct event *ev, uint64_t filters,
	struct when *when, struct step *step, bool *ret_is_used)
{
	const struct unit *unit = step->unit;
	union place *place = features_place(features, unit);
	struct value v;

	*ret_is_used = unit_field(unit, ev, &v);
	if (!*ret_is_used)
		return SG_OK;
	switch ((enum unit_class)unit->class) {
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		*ret_is_used = is_latest(unit, v);
		if (!*ret_is_used)
			return SG_OK;
		return cell_plan(features, unit, &place->cell, v, when->at_ms,
			ev->offset, &step->cell);
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
		return plan_ring(features, step, v, when, ret_is_used);
	case UNIT_DISTINCT:
		return plan_distinct(features, step, v, when, ret_is_used);
	case UNIT_COLLECT:
		return collect_plan(features, unit, &place->collect, ev,
			when->at_ms, filters, &step->collect);
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		break;
	}
	step->days.day = (int32_t)days_local(unit->tz, when->at_ms);
	step->days.head = (int32_t)days_local(unit->tz, when->head_ms);
	return SG_OK;
}

static void
step_drop(struct features *features, const struct step *step)
{
	if (step->unit->class <= UNIT_LATEST)
		cell_drop(features, &step->cell);
	else if (step->unit->class == UNIT_COLLECT)
		collect_drop(features, &step->collect);
}

/* --- applying ----------------------------------------------------------- */

static void
note_changed(const struct feature_set *set, const struct unit *unit,
	struct fold_result *result)
{
	for (uint32_t i = 0; i < unit->nreaders; i++) {
		uint32_t index = set->readers[unit->reader + i];

		result->changed[index / 64] |= UINT64_C(1) << (index % 64);
	}
}

static void
step_apply(struct features *features, const struct when *when, int64_t offset,
	struct step *step, struct fold_result *result)
{
	const struct unit *unit = step->unit;
	union place *place = features_place(features, unit);
	bool is_changed = false;

	switch ((enum unit_class)unit->class) {
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		cell_apply(features, &place->cell, when->at_ms, offset,
			&step->cell);
		is_changed = step->cell.is_changed;
		result->is_overflow |= step->cell.is_cut;
		break;
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
		ring_apply(unit, &place->ring, &step->ring);
		is_changed = step->ring.is_changed;
		result->is_late |= step->ring.is_late;
		break;
	case UNIT_DISTINCT:
		is_changed =
			distinct_apply(unit, &place->distinct, &step->distinct);
		result->is_late |= step->distinct.is_late;
		break;
	case UNIT_COLLECT:
		collect_apply(features, unit, &place->collect, &step->collect);
		is_changed = step->collect.is_changed;
		result->is_overflow |= step->collect.is_overflow;
		break;
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		result->is_late |= !days_add(place_days(place), step->days.day,
			step->days.head, &is_changed);
		break;
	}
	if (is_changed)
		note_changed(features->set, unit, result);
}

enum sg_err
features_fold(const struct feature_set *set, struct features *features,
	const struct event *ev, uint64_t filters,
	struct fold_result *ret_result)
{
	struct step steps[FEATURES_MAX];
	uint64_t id = ev->id_hash == 0 ? 0 : hash_mix(ev->id_hash, ev->input);
	enum sg_err err = SG_OK;
	struct when when;
	uint32_t n = 0;

	*ret_result = (struct fold_result){0};
	if (ev->input >= INPUTS_MAX)
		return SG_OK;
	if (id != 0) {
		ret_result->is_repeat = ids_have(features, id);
		if (ret_result->is_repeat)
			return SG_OK;
		err = features_ids_reserve(features);
	}
	when_init(&when, ev);

	const struct unit *unit = &set->units[set->inputs[ev->input].first];
	const struct unit *end = unit + set->inputs[ev->input].n;

	for (; unit < end && err == SG_OK; unit++) {
		bool is_used;

		if (unit->filter >= 0 && (filters >> unit->filter & 1) == 0)
			continue;
		steps[n].unit = unit;
		err = step_plan(
			features, ev, filters, &when, &steps[n], &is_used);
		n += err == SG_OK && is_used;
	}
	if (err != SG_OK) {
		for (uint32_t i = 0; i < n; i++)
			step_drop(features, &steps[i]);
		return err;
	}
	for (uint32_t i = 0; i < n; i++)
		step_apply(features, &when, ev->offset, &steps[i], ret_result);
	if (id != 0)
		features_ids_push(features, id);
	return SG_OK;
}
