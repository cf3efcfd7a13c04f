/*
 * set.c - the compiled set: units and types.
 *
 * Each feature is checked (kind.c), then given a unit: one that is there with
 * the same input, filter, field and tile width, or a new one. Units are made
 * input by input, so that those of one input are neighbours. Everything lies in
 * the set's arena and does not change any more.
 */
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "layout.h"
#include "segmentd/buf.h"
#include "segmentd/hash.h"
#include "state.h"

#define SET_BYTES_MAX ((size_t)64 << 20)

/* --- units -------------------------------------------------------------- */

static enum unit_class
unit_class_of(const struct feature_def *def)
{
	switch (def->kind) {
	case FEATURE_last:
		return UNIT_LAST;
	case FEATURE_first:
		return UNIT_FIRST;
	case FEATURE_latest:
		return UNIT_LATEST;
	case FEATURE_count:
		return UNIT_COUNT;
	case FEATURE_sum:
	case FEATURE_mean:
		return UNIT_SUM;
	case FEATURE_min:
		return UNIT_MIN;
	case FEATURE_max:
		return UNIT_MAX;
	case FEATURE_distinct:
		return UNIT_DISTINCT;
	case FEATURE_collect:
		return UNIT_COLLECT;
	case FEATURE_rate:
	case FEATURE_trend:
		return def->slot < 0 ? UNIT_COUNT : UNIT_SUM;
	default:
		return UNIT_DAYS;
	}
}

static enum tile_width
width_of(int64_t window_ms)
{
	if (window_ms == 0)
		return TILE_EVER;
	if (window_ms <= INT64_C(3600000))
		return TILE_MINUTE;
	if (window_ms <= 5 * INT64_C(3600000))
		return TILE_5_MINUTES;
	return window_ms <= 60 * INT64_C(3600000) ? TILE_HOUR : TILE_DAY;
}

/* Tiles before the head that a window reaches: the oldest one may be cut. */
static int32_t
span_of(const struct feature_def *def, enum tile_width width)
{
	int64_t ms = def->window_ms * (def->kind == FEATURE_trend ? 2 : 1);

	return (int32_t)((ms + tile_ms(width) - 1) / tile_ms(width));
}

static struct unit
unit_make(const struct feature_def *def)
{
	struct unit unit = {.class = (uint8_t)unit_class_of(def),
		.type = TYPE_NULL,
		.filter = (int8_t)def->filter,
		.closed_filter = -1,
		.remove_filter = -1,
		.slot = def->slot < 0 ? -1 : def->slot,
		.input = def->input,
		.tz = def->tz};

	if (def->slot >= 0 && def->type != NULL)
		unit.type = (uint8_t)def->type->kind;
	if (kind_window(def->kind) != WINDOW_NONE) {
		unit.width = (uint8_t)width_of(def->window_ms);
		unit.span = span_of(def, width_of(def->window_ms));
		unit.ncols = unit.class == UNIT_SUM ? 2 : 1;
	}
	if (unit.class == UNIT_COLLECT) {
		unit.closed_filter = (int8_t)def->closed_filter;
		unit.remove_filter = (int8_t)def->remove_filter;
		unit.max = def->max;
	}
	return unit;
}

/* A set of distinct values is exact for its own window only: it is shared by
 * features of the same window. */
static bool
units_share(const struct unit *a, const struct unit *b)
{
	return a->class == b->class && a->input == b->input &&
	       a->filter == b->filter && a->slot == b->slot &&
	       a->type == b->type && a->width == b->width && a->tz == b->tz &&
	       a->class != UNIT_COLLECT &&
	       (a->class != UNIT_DISTINCT || a->span == b->span);
}

static char *
text_copy(struct feature_set *set, const char *text)
{
	return arena_copy(&set->arena, text, strlen(text));
}

static enum sg_err
unit_keep(struct feature_set *set, const struct feature_def *def,
	struct unit *unit)
{
	struct keep *keep =
		arena_array(&set->arena, def->nkeep + 1, sizeof(*keep));

	if (keep == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < def->nkeep; i++) {
		keep[i].name = text_copy(set, def->keep[i].name);
		keep[i].slot = def->keep[i].slot;
		keep[i].type = (uint8_t)def->keep[i].type->kind;
		if (keep[i].name == NULL)
			return SG_NOMEM;
	}
	unit->keep = keep;
	unit->nkeep = (uint32_t)def->nkeep;
	return SG_OK;
}

static enum sg_err
unit_find(struct feature_set *set, const struct feature_def *def,
	uint32_t *ret_unit)
{
	struct unit made = unit_make(def);
	uint32_t i = set->inputs[def->input].first;

	while (i < set->nunits && !units_share(&set->units[i], &made))
		i++;
	if (i == set->nunits) {
		if (made.class == UNIT_COLLECT &&
			unit_keep(set, def, &made) != SG_OK)
			return SG_NOMEM;
		made.at = set->nplaces;
		set->nplaces += made.class == UNIT_DAYS ? 2 : 1;
		set->units[set->nunits++] = made;
		set->inputs[def->input].n++;
	}
	if (set->units[i].span < made.span)
		set->units[i].span = made.span;
	*ret_unit = i;
	return SG_OK;
}

/* --- features ----------------------------------------------------------- */

static const struct type *
scalar_type(enum type_kind kind)
{
	static const struct type *const types[] = {[TYPE_BOOL] = &type_bool,
		[TYPE_INT] = &type_int,
		[TYPE_UINT] = &type_uint,
		[TYPE_DOUBLE] = &type_double,
		[TYPE_STRING] = &type_string,
		[TYPE_BYTES] = &type_bytes,
		[TYPE_TIMESTAMP] = &type_timestamp,
		[TYPE_DURATION] = &type_duration};

	return types[kind];
}

static const struct type *
collect_type(struct feature_set *set, const struct feature_def *def)
{
	struct type_field fields[1 + FEATURE_KEEP_MAX];
	const struct type *record;

	fields[0].name = def->key_name;
	fields[0].type = scalar_type(def->type->kind);
	for (size_t i = 0; i < def->nkeep; i++) {
		fields[i + 1].name = def->keep[i].name;
		fields[i + 1].type = type_nullable(
			&set->arena, scalar_type(def->keep[i].type->kind));
	}
	record = type_record(&set->arena, fields, def->nkeep + 1);
	return record == NULL ? NULL : type_list(&set->arena, record);
}

static const struct type *
type_of(struct feature_set *set, const struct feature_def *def)
{
	struct arena *arena = &set->arena;

	switch (def->kind) {
	case FEATURE_last:
	case FEATURE_first:
	case FEATURE_latest:
	case FEATURE_min:
	case FEATURE_max:
		return type_nullable(arena, scalar_type(def->type->kind));
	case FEATURE_sum:
		return scalar_type(def->type->kind);
	case FEATURE_mean:
	case FEATURE_trend:
		return type_nullable(arena, &type_double);
	case FEATURE_rate:
		return &type_double;
	case FEATURE_collect:
		return collect_type(set, def);
	case FEATURE_days_since:
		return type_nullable(arena, &type_int);
	default:
		return &type_int;
	}
}

/* A hash of what gives a state its meaning. */
static uint64_t
sign_of(const struct feature_def *def)
{
	const char *zone = def->tz == NULL ? "UTC" : tz_name(def->tz);
	const char *identity = def->identity == NULL ? "" : def->identity;
	uint64_t sign = hash_bytes(identity, strlen(identity));

	sign = hash_mix(sign, def->kind);
	sign = hash_mix(sign, (uint64_t)def->window_ms);
	sign = hash_mix(sign, def->slot < 0 ? TYPE_NULL : def->type->kind);
	return hash_mix(sign, hash_bytes(zone, strlen(zone)));
}

static enum sg_err
feature_fill(struct feature_set *set, const struct feature_def *def,
	struct feature *feature)
{
	feature->name = text_copy(set, def->name);
	feature->kind = def->kind;
	feature->window_ms = def->window_ms;
	feature->days = (double)def->window_ms / (double)CIVIL_DAY_MS;
	feature->sign = sign_of(def);
	feature->type = type_of(set, def);
	if (feature->name == NULL || feature->type == NULL)
		return SG_NOMEM;
	return unit_find(set, def, &feature->unit);
}

/* Which features read a unit: what changes with it. */
static void
readers_fill(struct feature_set *set)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < set->nunits; i++) {
		set->units[i].reader = n;
		for (uint32_t j = 0; j < set->nfeatures; j++) {
			if (set->features[j].unit != i)
				continue;
			set->readers[n++] = j;
			set->units[i].mask |= UINT64_C(1) << (j % 64);
		}
		set->units[i].nreaders = n - set->units[i].reader;
	}
}

static enum sg_err
set_fill(struct feature_set *set, const struct feature_def *defs, size_t ndefs)
{
	set->nfeatures = (uint32_t)ndefs;
	set->features =
		arena_array(&set->arena, ndefs + 1, sizeof(*set->features));
	set->units = arena_array(&set->arena, ndefs + 1, sizeof(*set->units));
	set->readers =
		arena_array(&set->arena, ndefs + 1, sizeof(*set->readers));
	if (set->features == NULL || set->units == NULL || set->readers == NULL)
		return SG_NOMEM;
	for (uint32_t input = 0; input < INPUTS_MAX; input++) {
		set->inputs[input].first = set->nunits;
		for (size_t i = 0; i < ndefs; i++) {
			if (defs[i].input == input &&
				feature_fill(set, &defs[i],
					&set->features[i]) != SG_OK)
				return SG_NOMEM;
		}
	}
	readers_fill(set);
	return layout_fill(set);
}

enum sg_err
feature_set_create(const struct feature_def *defs, size_t ndefs,
	struct feature_set **ret_set, struct sg_fault *why)
{
	struct feature_set *set = NULL;
	enum sg_err err;

	if (ndefs > FEATURES_MAX)
		return sg_fault_set(why, SG_LIMIT,
			"%zu features, at most %d are possible", ndefs,
			FEATURES_MAX);
	for (size_t i = 0; i < ndefs; i++) {
		err = feature_check(defs, i, why);
		if (err != SG_OK)
			return err;
	}
	set = calloc(1, sizeof(*set));
	if (set == NULL)
		return sg_fault_set(why, SG_NOMEM, "features: no memory");
	arena_init(&set->arena, SET_BYTES_MAX);
	err = set_fill(set, defs, ndefs);
	if (err != SG_OK) {
		feature_set_destroy(set);
		return sg_fault_set(why, err, "features: no memory");
	}
	*ret_set = set;
	return SG_OK;
}

void
feature_set_destroy(struct feature_set *set)
{
	if (set == NULL)
		return;
	arena_fini(&set->arena);
	free(set);
}

const struct type *
feature_type(const struct feature_set *set, uint32_t index)
{
	return set->features[index].type;
}
