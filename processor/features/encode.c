/*
 * encode.c - the state of an account as bytes.
 *
 *      version
 *      n, n * 8 bytes        hashes of recent event ids, oldest first
 *      1 bit a unit          is there anything?
 *      per unit that has something:
 *        cell      [time, offset], value          (latest: the value)
 *        ring      head, n, { tile, cells }       ascending; a bit of the
 *                                                tile: counted once, no count
 *        distinct  head, n and nsteps, { bound, upto }, { hash, tile }
 *        collect   dropped, n { closed, time, offset, fields },
 *                  n { time, offset, key }
 *        days      head, n { gap, run }           a bit of the gap: one day,
 *                                                no run
 *
 * Times and offsets are differences to the one before, tiles to their head;
 * doubles of few decimals are whole numbers:
 * one event's marks in twenty units cost a byte or two each.
 */
#include "codec.h"

#include <string.h>

#include "cell.h"
#include "collect.h"
#include "days.h"
#include "number.h"
#include "ring.h"
#include "wire.h"

#define ROW_BYTES_MAX (3 * WIRE_NUMBER_MAX) /* of a tile and two cells */

static void
head_write(const struct unit *unit, int32_t head, struct buf *out,
	struct wire_near *near)
{
	int64_t ms = head * tile_ms(unit->width);

	buf_put_zigzag(out, head - tile_of(unit->width, near->ms));
	near->ms = ms > near->ms ? ms : near->ms;
}

static void
stamp_write(
	int64_t at_ms, int64_t offset, struct buf *out, struct wire_near *near)
{
	wire_put_diff(out, at_ms, near->ms);
	wire_put_diff(out, offset, near->offset);
	near->ms = at_ms;
	near->offset = offset;
}

static void
cell_write(const struct unit *unit, const struct cell *cell, struct buf *out,
	struct wire_near *near)
{
	if (unit->class != UNIT_LATEST)
		stamp_write(cell->at_ms, cell->offset, out, near);
	wire_put_value(out, cell_read(cell), near);
}

/* One tile: how far it is from the one before, then what is in it. */
static uint8_t *
ring_row_write(const struct features *features, const struct unit *unit,
	const struct ring *ring, uint32_t i, uint64_t gap, uint8_t *at)
{
	i128 n = ring_cell(features, ring, 0, i);

	if (unit->class == UNIT_MIN || unit->class == UNIT_MAX) {
		at = wire_varint(at, gap);
		if (unit->type == TYPE_DOUBLE)
			return wire_double(at, number_to_double((int64_t)n));
		return wire_i128(at, n);
	}
	/* Mostly it is a single event. */
	at = wire_varint(at, gap << 1 | (n != 1));
	if (n != 1)
		at = wire_i128(at, n);
	if (unit->class == UNIT_SUM)
		at = wire_sum(at, unit->type, ring_cell(features, ring, 1, i));
	return at;
}

static void
ring_write(const struct features *features, const struct unit *unit,
	const struct ring *ring, struct buf *out, struct wire_near *near)
{
	int32_t before = 0;

	head_write(unit, ring->head, out, near);
	buf_put_varint(out, ring->n);
	for (uint32_t i = 0; i < ring->n; i++) {
		int32_t tile = ring_tile(features, ring, i);
		uint8_t *at = buf_reserve(out, ROW_BYTES_MAX);

		if (at == NULL)
			return;
		at = ring_row_write(features, unit, ring, i,
			i == 0 ? wire_folded(tile - ring->head)
			       : (uint64_t)(tile - before - 1),
			at);
		before = tile;
		out->len = (size_t)(at - out->bytes);
	}
}

static void
distinct_write(const struct unit *unit, const struct distinct *distinct,
	struct buf *out, struct wire_near *near)
{
	head_write(unit, distinct->head, out, near);
	buf_put_varint(out, distinct->n * COUNTS_BASE + distinct->nsteps);
	for (uint32_t i = 0; i < distinct->nsteps; i++) {
		const struct distinct_step *step = &distinct_steps(distinct)[i];

		wire_put_u48(out, step->bound);
		buf_put_zigzag(out, step->upto - distinct->head);
	}
	for (uint32_t i = 0; i < distinct->n; i++) {
		wire_put_u48(out, distinct_member(distinct, i));
		buf_put_zigzag(
			out, distinct->head - distinct_tile(distinct, i));
	}
}

static void
records_write(const struct value *records, uint32_t n, bool is_gone,
	struct buf *out, struct wire_near *near)
{
	buf_put_varint(out, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct entry *entry = collect_entry(records[i]);

		if (!is_gone)
			buf_put_u8(out, entry->is_closed);
		stamp_write(entry->at_ms, entry->offset, out, near);
		for (uint32_t j = 0; j < records[i].len; j++)
			wire_put_value(out, entry->fields[j], near);
	}
}

static void
days_write(
	const struct days *days, struct buf *out, const struct wire_near *near)
{
	int64_t day = (int64_t)days->head + DAYS_AHEAD;
	int64_t newest;
	int64_t oldest;
	uint64_t nruns = 0;

	buf_put_zigzag(out, days->head - near->ms / CIVIL_DAY_MS);
	for (int64_t at = day; days_run(days, at, &newest, &oldest);
		at = oldest - 1)
		nruns++;
	buf_put_varint(out, nruns);
	while (days_run(days, day, &newest, &oldest)) {
		buf_put_varint(out,
			(uint64_t)(day - newest) << 1 | (newest != oldest));
		if (newest != oldest)
			buf_put_varint(out, (uint64_t)(newest - oldest));
		day = oldest - 1;
	}
}

bool
codec_is_empty(const struct unit *unit, const union place *place)
{
	switch ((enum unit_class)unit->class) {
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		return place->cell.v.kind == VALUE_ABSENT;
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
		return place->ring.n == 0;
	case UNIT_DISTINCT:
		return place->distinct.n == 0 && place->distinct.nsteps == 0;
	case UNIT_COLLECT:
		return place->collect.nlive == 0 && place->collect.ngone == 0 &&
		       place->collect.dropped == 0;
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		break;
	}
	return !((const struct days *)(const void *)place)->is_set;
}

static void
unit_write(const struct features *features, const struct unit *unit,
	struct buf *out, struct wire_near *near)
{
	const union place *place = features_look(features, unit);

	switch ((enum unit_class)unit->class) {
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		cell_write(unit, &place->cell, out, near);
		break;
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
		ring_write(features, unit, &place->ring, out, near);
		break;
	case UNIT_DISTINCT:
		distinct_write(unit, &place->distinct, out, near);
		break;
	case UNIT_COLLECT:
		buf_put_varint(out, place->collect.dropped);
		records_write(place->collect.live, place->collect.nlive, false,
			out, near);
		records_write(place->collect.gone, place->collect.ngone, true,
			out, near);
		break;
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		days_write((const struct days *)(const void *)place, out, near);
		break;
	}
}

/* As 64-bit numbers, little-endian. */
static void
ids_write(const struct features *features, struct buf *out)
{
	const uint32_t *low = features->ids;
	uint32_t n = features->nids;
	uint8_t *at;

	buf_put_varint(out, n);
	at = buf_reserve(out, n * sizeof(uint64_t));
	if (at == NULL)
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = (features->ids_at + i) % FEATURE_IDS;
		uint32_t half[2] = {low[from], low[features->ids_cap + from]};

		memcpy(at, half, sizeof(half));
		at += sizeof(half);
	}
	out->len += n * sizeof(uint64_t);
}

void
features_encode(const struct feature_set *set, const struct features *features,
	struct buf *out)
{
	struct wire_near near = {0};
	size_t nbytes = (set->nunits + 7u) / 8;
	size_t bitmap;

	features_fetch(features);
	buf_put_u8(out, CODEC_VERSION);
	ids_write(features, out);
	bitmap = out->len;
	for (size_t i = 0; i < nbytes; i++)
		buf_put_u8(out, 0);
	for (uint32_t i = 0; i < set->nunits && !out->is_failed; i++) {
		const struct unit *unit = &set->units[i];
		const union place *place = features_look(features, unit);

		if (codec_is_empty(unit, place))
			continue;
		out->bytes[bitmap + i / 8] |= (uint8_t)(1u << (i % 8));
		unit_write(features, unit, out, &near);
	}
}
