/*
 * ring_cells.h - private to ring*.c: where the tiles and cells of a ring lie.
 */
#ifndef FEATURES_RING_CELLS_H
#define FEATURES_RING_CELLS_H

#include <string.h>

#include "ring.h"

#define HERE_BYTES sizeof(((struct ring *)0)->here)
#define TILE_BYTES 2

/* Move all rows into a block of `need` rows with cells of `code`. */
SG_MUSTCHECK enum sg_err
ring_grow(struct features *features, struct ring *ring, unsigned ncols,
	size_t need, const uint8_t code[2]);

static inline const uint8_t *
ring_bytes(const struct features *features, const struct ring *ring)
{
	return ring->is_pooled ? features->pool + ring->start : ring->here;
}

static inline uint8_t *
ring_bytes_mut(struct features *features, struct ring *ring)
{
	return ring->is_pooled ? features->pool + ring->start : ring->here;
}

/* Where a column begins: behind the tiles and the columns before it. */
static inline size_t
col_start(const struct ring *ring, unsigned col)
{
	size_t row = TILE_BYTES;

	if (col == 1)
		row += (size_t)1 << ring->code[0];
	return row * ring->cap;
}

static inline size_t
row_bytes(const uint8_t code[2], unsigned ncols)
{
	size_t row = TILE_BYTES + ((size_t)1 << code[0]);

	return ncols == 2 ? row + ((size_t)1 << code[1]) : row;
}

#define LOAD(type)                                                             \
	do {                                                                   \
		type cell;                                                     \
		memcpy(&cell, at + i * sizeof(cell), sizeof(cell));            \
		return cell;                                                   \
	} while (0)

static inline i128
cell_load(const uint8_t *at, unsigned code, size_t i)
{
	switch (code) {
	case 0:
		return (int8_t)at[i];
	case 1:
		LOAD(int16_t);
	case 2:
		LOAD(int32_t);
	case 3:
		LOAD(int64_t);
	default:
		LOAD(i128);
	}
}

#define STORE(type)                                                            \
	do {                                                                   \
		type cell = (type)n;                                           \
		memcpy(at + i * sizeof(cell), &cell, sizeof(cell));            \
		return;                                                        \
	} while (0)

static inline void
cell_store(uint8_t *at, unsigned code, size_t i, i128 n)
{
	switch (code) {
	case 0:
		at[i] = (uint8_t)n;
		return;
	case 1:
		STORE(int16_t);
	case 2:
		STORE(int32_t);
	case 3:
		STORE(int64_t);
	default:
		STORE(i128);
	}
}

static inline unsigned
code_of(i128 n)
{
	if (n == (int8_t)n)
		return 0;
	if (n == (int16_t)n)
		return 1;
	if (n == (int32_t)n)
		return 2;
	return n == (int64_t)n ? 3 : 4;
}

static inline int32_t
ring_rel(const struct ring *ring, const uint8_t *bytes, size_t i)
{
	uint16_t low;

	memcpy(&low, bytes + i * TILE_BYTES, TILE_BYTES);
	return (int16_t)(uint16_t)(low - (uint16_t)ring->head);
}

/* Does the number fit into a cell? */
static inline bool
code_fits(unsigned code, i128 n)
{
	switch (code) {
	case 0:
		return n == (int8_t)n;
	case 1:
		return n == (int16_t)n;
	case 2:
		return n == (int32_t)n;
	case 3:
		return n == (int64_t)n;
	default:
		return true;
	}
}

/* Room for `n` rows (all that are there included) with these cells. */
static inline enum sg_err
ring_reserve(struct features *features, const struct unit *unit,
	struct ring *ring, size_t n, const i128 cells[2])
{
	uint8_t code[2] = {ring->code[0], ring->code[1]};

	if (n <= ring->cap && code_fits(code[0], cells[0]) &&
		(unit->ncols == 1 || code_fits(code[1], cells[1])))
		return SG_OK;
	for (unsigned col = 0; col < SG_COUNTOF(code); col++) {
		unsigned need = code_of(cells[col]);

		if (col == unit->ncols)
			break;
		code[col] = (uint8_t)(need > code[col] ? need : code[col]);
	}
	return ring_grow(
		features, ring, unit->ncols, n > ring->n ? n : ring->n, code);
}

static inline void
ring_write_cells(struct features *features, const struct unit *unit,
	struct ring *ring, size_t i, const i128 cells[2])
{
	uint8_t *bytes = ring_bytes_mut(features, ring);

	cell_store(bytes + col_start(ring, 0), ring->code[0], i, cells[0]);
	if (unit->ncols == 2)
		cell_store(
			bytes + col_start(ring, 1), ring->code[1], i, cells[1]);
}

static inline void
ring_write(struct features *features, const struct unit *unit,
	struct ring *ring, size_t i, int32_t tile, const i128 cells[2])
{
	uint16_t low = (uint16_t)tile;

	memcpy(ring_bytes_mut(features, ring) + i * TILE_BYTES, &low,
		TILE_BYTES);
	ring_write_cells(features, unit, ring, i, cells);
}

#endif
