/*
 * decode.c - bytes as the state of an account; encode.c draws the form.
 *
 * Nothing is trusted: what does not fit is SG_BAD_BLOB, and memory is taken
 * only as the bytes that fill it are read. A state of another layout is read
 * unit by unit, each into the units that its features have today.
 *
 * INVARIANT: a unit is read the same way wherever it goes, so that one that
 * has no place any more can be read over.
 */
#include "codec.h"

#include <math.h>

#include "cell.h"
#include "collect.h"
#include "days.h"
#include "layout.h"
#include "number.h"
#include "ring.h"
#include "wire.h"

#define TILE_REACH 32000 /* tiles below a head that 16 bits can tell */

/* Where a stored unit goes; `unit` NULL: nowhere, it is read over. */
struct target {
	struct features *features;
	const struct layout_unit *stored;
	const struct unit *unit;
	union place *place;
};

static int32_t
head_read(const struct layout_unit *stored, struct buf_reader *rd,
	struct wire_near *near)
{
	int64_t head = wire_get_diff(rd, tile_of(stored->width, near->ms));

	if (head < 0 || head > TIME_MAX_MS / tile_ms(stored->width)) {
		rd->is_bad = true;
		return 0;
	}
	if (head * tile_ms(stored->width) > near->ms)
		near->ms = head * tile_ms(stored->width);
	return (int32_t)head;
}

static void
stamp_read(struct buf_reader *rd, struct wire_near *near)
{
	near->ms = wire_get_diff(rd, near->ms);
	near->offset = wire_get_diff(rd, near->offset);
	if (near->ms < 0 || near->ms > TIME_MAX_MS) {
		rd->is_bad = true;
		near->ms = 0;
	}
}

static enum sg_err
cell_load(
	const struct target *to, struct buf_reader *rd, struct wire_near *near)
{
	bool is_latest = to->stored->class == UNIT_LATEST;
	struct cell_put put;
	struct value v;
	enum sg_err err;
	i128 n;

	if (!is_latest)
		stamp_read(rd, near);
	v = wire_get_value(rd, to->stored->type, near);
	if (is_latest && !number_for_order(v, to->stored->type, &n))
		rd->is_bad = true;
	if (rd->is_bad || to->unit == NULL)
		return SG_OK;
	err = cell_plan(to->features, to->unit, &to->place->cell, v,
		is_latest ? 0 : near->ms, is_latest ? 0 : near->offset, &put);
	if (err == SG_OK)
		cell_apply(to->features, &to->place->cell,
			is_latest ? 0 : near->ms, is_latest ? 0 : near->offset,
			&put);
	return err;
}

static bool
has_counts(const struct layout_unit *stored)
{
	return stored->class == UNIT_COUNT || stored->class == UNIT_SUM;
}

/* Not `is_counted`: the count of the tile is 1. */
static void
ring_cells_read(const struct layout_unit *stored, struct buf_reader *rd,
	bool is_counted, i128 ret_cells[2])
{
	double d;

	ret_cells[1] = 0;
	if ((stored->class == UNIT_MIN || stored->class == UNIT_MAX) &&
		stored->type == TYPE_DOUBLE) {
		d = wire_get_double(rd);
		if (isnan(d))
			rd->is_bad = true;
		ret_cells[0] = number_from_double(d);
	} else if (has_counts(stored) && !is_counted) {
		ret_cells[0] = 1;
	} else {
		ret_cells[0] = wire_get_i128(rd);
	}
	if (stored->class == UNIT_SUM)
		ret_cells[1] = wire_get_sum(rd, stored->type);
	/* Fewer than 2^63 events, whatever is added to it. */
	if (has_counts(stored) &&
		(ret_cells[0] < 1 || ret_cells[0] > INT64_MAX / 65536))
		rd->is_bad = true;
}

/* The next tile of a ring or a step: within reach of the head. */
static bool
tile_fits(const struct layout_unit *stored, int32_t head, int64_t tile)
{
	return tile >= (int64_t)head - TILE_REACH &&
	       tile <= (int64_t)head + tiles_ahead(stored->width);
}

/* One walk over the tiles of a ring. Those that have a place are counted with
 * the widest cells, or, with `is_adding`, added. */
static enum sg_err
ring_walk(const struct target *to, struct buf_reader *rd, int32_t head,
	uint64_t n, bool is_adding, struct ring_need *need)
{
	enum sg_err err = SG_OK;
	int64_t tile = 0;

	for (uint64_t i = 0; i < n && !rd->is_bad && err == SG_OK; i++) {
		i128 cells[2];
		uint64_t gap = buf_get_varint(rd);
		bool is_counted = has_counts(to->stored) && (gap & 1) != 0;

		gap >>= has_counts(to->stored);
		if (gap > TILE_REACH * 4)
			gap = TILE_REACH * 4;
		tile = i == 0 ? head + wire_unfolded(gap)
			      : tile + (int64_t)gap + 1;
		if (!tile_fits(to->stored, head, tile))
			rd->is_bad = true;
		ring_cells_read(to->stored, rd, is_counted, cells);
		if (rd->is_bad || to->unit == NULL ||
			tile < head - to->unit->span)
			continue;
		if (is_adding)
			err = ring_append(to->features, to->unit,
				&to->place->ring, (int32_t)tile, cells);
		else
			ring_need_note(need, cells);
	}
	return err;
}

/* Twice over the bytes, so that the ring is made in its final size at once. */
static enum sg_err
ring_load(
	const struct target *to, struct buf_reader *rd, struct wire_near *near)
{
	int32_t head = head_read(to->stored, rd, near);
	uint64_t n = buf_get_varint(rd);
	struct buf_reader start = *rd;
	struct ring_need need = {0};
	enum sg_err err = ring_walk(to, rd, head, n, false, &need);

	if (err != SG_OK || rd->is_bad || to->unit == NULL || need.n == 0)
		return err;
	to->place->ring.head = head;
	err = ring_make(to->features, to->unit, &to->place->ring, &need);
	return err == SG_OK ? ring_walk(to, &start, head, n, true, &need) : err;
}

static enum sg_err
steps_load(const struct target *to, struct buf_reader *rd, uint64_t n,
	int32_t head)
{
	struct distinct_step last = {0, INT32_MIN};
	enum sg_err err = SG_OK;

	for (uint64_t i = 0; i < n && !rd->is_bad && err == SG_OK; i++) {
		uint64_t bound = wire_get_u48(rd);
		int64_t upto = wire_get_diff(rd, head);

		if (bound <= last.bound || upto <= last.upto ||
			!tile_fits(to->stored, head, upto)) {
			rd->is_bad = true;
			break;
		}
		last = (struct distinct_step){bound, (int32_t)upto};
		if (to->unit != NULL)
			err = distinct_append_step(
				to->features, &to->place->distinct, last);
	}
	return err;
}

/* Ascending by hash, then tile; up to the head one tile of a hash only. */
static bool
member_fits(uint64_t hash, int64_t tile, uint64_t last_hash, int64_t last_tile,
	int32_t head)
{
	if (hash != last_hash)
		return hash > last_hash;
	return tile > last_tile && tile > head;
}

static enum sg_err
distinct_load(
	const struct target *to, struct buf_reader *rd, struct wire_near *near)
{
	int32_t head = head_read(to->stored, rd, near);
	uint64_t counts = buf_get_varint(rd);
	uint64_t n = counts / COUNTS_BASE;
	uint64_t last_hash = 0;
	int64_t last_tile = INT64_MIN;
	enum sg_err err;

	if (to->unit != NULL)
		to->place->distinct.head = head;
	err = steps_load(to, rd, counts % COUNTS_BASE, head);
	if (n >= DISTINCT_CAP)
		rd->is_bad = true;
	for (uint64_t i = 0; i < n && !rd->is_bad && err == SG_OK; i++) {
		uint64_t hash = wire_get_u48(rd);
		int64_t tile = wire_get_diff(rd, 0);

		tile = tile > TILE_REACH * 2 || tile < -TILE_REACH * 2
			       ? INT64_MAX
			       : head - tile;
		if (!tile_fits(to->stored, head, tile) ||
			(i > 0 && !member_fits(hash, tile, last_hash, last_tile,
					  head)))
			rd->is_bad = true;
		last_hash = hash;
		last_tile = tile;
		if (!rd->is_bad && to->unit != NULL)
			err = distinct_append(to->features,
				&to->place->distinct, hash, (int32_t)tile);
	}
	if (!rd->is_bad && to->unit != NULL && err == SG_OK)
		distinct_compact(to->unit, &to->place->distinct, head);
	return err;
}

/* The fields as stored become those of today's unit. */
static enum sg_err
record_load(const struct target *to, const struct value *stored, bool is_gone,
	bool is_closed, const struct wire_near *near)
{
	struct value fields[1 + FEATURE_KEEP_MAX];
	size_t n = is_gone ? 1 : 1 + (size_t)to->unit->nkeep;
	bool is_cut = false;
	struct entry *entry;

	fields[0] = stored[0];
	for (size_t i = 1; i < n; i++)
		fields[i] = value_null();
	for (uint32_t i = 0; i < to->stored->nkeep && !is_gone; i++) {
		int8_t today = to->stored->keep[i];

		if (today >= 0 && (uint32_t)today < to->unit->nkeep)
			fields[1 + today] = stored[1 + i];
	}
	entry = collect_make(to->features, fields, n, &is_cut);
	if (entry == NULL)
		return SG_NOMEM;
	entry->at_ms = near->ms;
	entry->offset = near->offset;
	entry->is_closed = is_closed;
	return collect_append(
		to->features, &to->place->collect, entry, n, is_gone);
}

static enum sg_err
records_load(const struct target *to, bool is_gone, struct buf_reader *rd,
	struct wire_near *near)
{
	struct value fields[1 + FEATURE_KEEP_MAX];
	struct value last = value_null();
	uint64_t n = buf_get_varint(rd);
	enum sg_err err = SG_OK;

	if (n > (is_gone ? FEATURE_GONE_MAX : FEATURE_COLLECT_MAX))
		rd->is_bad = true;
	for (uint64_t i = 0; i < n && !rd->is_bad && err == SG_OK; i++) {
		uint8_t is_closed = is_gone ? 0 : buf_get_u8(rd);

		stamp_read(rd, near);
		fields[0] = wire_get_value(rd, to->stored->type, near);
		for (uint32_t j = 0; j < to->stored->nkeep && !is_gone; j++)
			fields[1 + j] = wire_get_value(
				rd, to->stored->keep_type[j], near);
		if (fields[0].kind == VALUE_NULL || is_closed > 1 ||
			(i > 0 && collect_key_order(fields[0], last) <= 0))
			rd->is_bad = true;
		last = fields[0];
		if (!rd->is_bad && to->unit != NULL)
			err = record_load(
				to, fields, is_gone, is_closed != 0, near);
	}
	return err;
}

static enum sg_err
collect_load(
	const struct target *to, struct buf_reader *rd, struct wire_near *near)
{
	uint64_t dropped = buf_get_varint(rd);
	enum sg_err err;

	if (dropped > UINT32_MAX)
		rd->is_bad = true;
	err = records_load(to, false, rd, near);
	if (err == SG_OK)
		err = records_load(to, true, rd, near);
	if (err == SG_OK && !rd->is_bad && to->unit != NULL) {
		to->place->collect.dropped = (uint32_t)dropped;
		collect_trim(to->features, to->unit, &to->place->collect);
	}
	return err;
}

static void
days_load(const struct target *to, struct buf_reader *rd,
	const struct wire_near *near)
{
	int64_t head = wire_get_diff(rd, near->ms / CIVIL_DAY_MS);
	uint64_t nruns = buf_get_varint(rd);
	int64_t day = head + DAYS_AHEAD;
	int64_t end = head - FEATURE_STREAK_MAX;
	bool is_changed;

	if (head < -1 || head > TIME_MAX_MS / CIVIL_DAY_MS + 1) {
		rd->is_bad = true;
		return;
	}
	for (uint64_t i = 0; i < nruns && !rd->is_bad; i++) {
		uint64_t gap = buf_get_varint(rd);
		uint64_t run = (gap & 1) != 0 ? buf_get_varint(rd) : 0;

		gap >>= 1;
		if (gap > (uint64_t)(day - end) ||
			run > (uint64_t)(day - end) - gap) {
			rd->is_bad = true;
			return;
		}
		day -= (int64_t)gap;
		for (uint64_t j = 0; j <= run; j++, day--) {
			if (to->unit != NULL)
				(void)days_add(place_days(to->place),
					(int32_t)day, (int32_t)head,
					&is_changed);
		}
		/* Where the last run ends at the last day, none may follow. */
		if (day < end && i + 1 < nruns)
			rd->is_bad = true;
	}
}

static enum sg_err
unit_load(
	const struct target *to, struct buf_reader *rd, struct wire_near *near)
{
	switch ((enum unit_class)to->stored->class) {
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		return cell_load(to, rd, near);
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
		return ring_load(to, rd, near);
	case UNIT_DISTINCT:
		return distinct_load(to, rd, near);
	case UNIT_COLLECT:
		return collect_load(to, rd, near);
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		break;
	}
	days_load(to, rd, near);
	return SG_OK;
}

/* Into each of its targets that has nothing yet, from the same bytes. */
static enum sg_err
unit_load_all(const struct feature_set *set, struct features *features,
	const struct layout_unit *stored, struct buf_reader *rd,
	struct wire_near *near)
{
	struct buf_reader start = *rd;
	struct wire_near start_near = *near;
	struct target to = {.features = features, .stored = stored};
	enum sg_err err = SG_OK;
	bool is_read = false;

	for (unsigned i = 0; i < stored->ntargets && err == SG_OK; i++) {
		to.unit = &set->units[stored->targets[i]];
		to.place = features_place(features, to.unit);
		if (!codec_is_empty(to.unit, to.place))
			continue;
		*rd = start;
		*near = start_near;
		err = unit_load(&to, rd, near);
		is_read = true;
	}
	if (is_read || err != SG_OK)
		return err;
	to.unit = NULL;
	to.place = NULL;
	return unit_load(&to, rd, near);
}

static enum sg_err
ids_load(struct features *features, struct buf_reader *rd)
{
	uint64_t n = buf_get_varint(rd);
	enum sg_err err = SG_OK;

	if (n > FEATURE_IDS)
		rd->is_bad = true;
	for (uint64_t i = 0; i < n && !rd->is_bad && err == SG_OK; i++) {
		uint64_t id = buf_get_u64(rd);

		err = features_ids_reserve(features);
		if (err == SG_OK && !rd->is_bad)
			features_ids_push(features, id);
	}
	return err;
}

static enum sg_err
state_load(const struct feature_set *set, const struct layout_unit *units,
	uint32_t nunits, struct buf_reader *rd, struct features *features)
{
	struct wire_near near = {0};
	const uint8_t *bitmap;
	enum sg_err err;

	if (buf_get_u8(rd) != CODEC_VERSION)
		return SG_BAD_BLOB;
	err = ids_load(features, rd);
	bitmap = buf_get_bytes(rd, (nunits + 7u) / 8);
	if (bitmap == NULL)
		return err == SG_OK ? SG_BAD_BLOB : err;
	/* In memory it takes about as much as here. */
	if (err == SG_OK && !rd->is_bad)
		err = ring_pool_reserve(features, (size_t)(rd->end - rd->at));
	for (uint32_t i = 0; i < nunits && err == SG_OK && !rd->is_bad; i++) {
		if ((bitmap[i / 8] >> (i % 8) & 1) != 0)
			err = unit_load_all(
				set, features, &units[i], rd, &near);
	}
	if (err == SG_OK && rd->is_bad)
		err = SG_BAD_BLOB;
	return err == SG_OK ? ring_pool_trim(features) : err;
}

enum sg_err
features_decode(const struct feature_set *set,
	const struct features_layout *layout, struct buf_reader *rd,
	struct features **ret_features)
{
	struct features *features = NULL;
	enum sg_err err = features_create(set, &features);

	if (err != SG_OK)
		return err;
	err = layout == NULL
		      ? state_load(set, set->layout, set->nunits, rd, features)
		      : state_load(set, layout->units, layout->nunits, rd,
				features);
	if (err != SG_OK) {
		features_destroy(features);
		return err;
	}
	*ret_features = features;
	return SG_OK;
}
