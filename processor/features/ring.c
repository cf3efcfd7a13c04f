/*
 * ring.c - tiles of one or two columns of integers, in a few bytes each.
 *
 * A tile is there only if an event fell into it. Tiles ascend, so that a
 * window is a range of them, and its sum a plain loop over a column:
 *
 *      +----+----+----+----+------+-----------+------------------+------+
 *      | t0 | t1 | t2 | t3 | free | c c c c   | cell cell cell.. | free |
 *      +----+----+----+----+------+-----------+------------------+------+
 *        16 bits each               column 0     column 1
 *
 * A tile is stored as its low 16 bits: all of them lie within 2^15 of the
 * head. The cells of a column are signed integers of 1, 2, 4, 8 or 16 bytes,
 * as wide as its widest one needs; a column never becomes narrower. A ring of
 * up to 16 bytes lies in the account's place itself: 5 tiles of small counts.
 *
 * INVARIANTS
 *  - the head never moves back, and every tile is at least head - span;
 *  - a tile above the head is there only through events of the future;
 *  - so which tiles there are depends on the set of events, not their order.
 */
#include "ring.h"

#include <string.h>

#include "number.h"

#define HERE_BYTES sizeof(((struct ring *)0)->here)
#define TILE_BYTES 2

static inline const uint8_t *
ring_bytes(const struct ring *ring)
{
	return ring->is_heap ? ring->heap : ring->here;
}

static inline uint8_t *
ring_bytes_mut(struct ring *ring)
{
	return ring->is_heap ? ring->heap : ring->here;
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

static size_t
row_bytes(const uint8_t code[2], unsigned ncols)
{
	size_t row = TILE_BYTES + ((size_t)1 << code[0]);

	return ncols == 2 ? row + ((size_t)1 << code[1]) : row;
}

/* --- cells -------------------------------------------------------------- */

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

static inline void
cell_store(uint8_t *at, unsigned code, size_t i, i128 n)
{
	/* Little-endian: the low bytes of a narrower integer. */
	memcpy(at + (i << code), &n, (size_t)1 << code);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	"cell_store() takes the low bytes from the front");

static unsigned
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

int32_t
ring_tile(const struct ring *ring, uint32_t i)
{
	return ring->head + ring_rel(ring, ring_bytes(ring), i);
}

i128
ring_cell(const struct ring *ring, unsigned col, uint32_t i)
{
	return cell_load(
		ring_bytes(ring) + col_start(ring, col), ring->code[col], i);
}

uint32_t
ring_find(const struct ring *ring, int64_t tile)
{
	const uint8_t *bytes = ring_bytes(ring);
	int64_t rel = tile - ring->head;
	uint32_t low = 0;
	uint32_t n = ring->n;

	/* The two ends are by far the most frequent answers. */
	if (n == 0 || ring_rel(ring, bytes, 0) >= rel)
		return 0;
	if (ring_rel(ring, bytes, n - 1) < rel)
		return n;
	while (n > 1) {
		uint32_t half = n / 2;

		low += ring_rel(ring, bytes, low + half - 1) < rel ? half : 0;
		n -= half;
	}
	return low + (ring_rel(ring, bytes, low) < rel);
}

/* --- memory ------------------------------------------------------------- */

static size_t
ring_heap_bytes(const struct ring *ring, unsigned ncols)
{
	return ring->is_heap ? ring->cap * row_bytes(ring->code, ncols) : 0;
}

void
ring_fini(struct features *features, struct ring *ring, unsigned ncols)
{
	if (ring->is_heap)
		features_free(
			features, ring->heap, ring_heap_bytes(ring, ncols));
	*ring = (struct ring){0};
}

/* As many rows as malloc() gives for what `need` rows and some room cost. */
static size_t
cap_for(size_t need, size_t row)
{
	size_t bytes;

	if (need * row <= HERE_BYTES)
		return HERE_BYTES / row;
	bytes = (need + need / 4) * row + 8;
	return ((bytes + 15) / 16 * 16 - 8) / row;
}

/* Move all rows into a block of `need` rows with cells of `code`. */
static enum sg_err
ring_grow(struct features *features, struct ring *ring, unsigned ncols,
	size_t need, const uint8_t code[2])
{
	size_t row = row_bytes(code, ncols);
	struct ring grown = {.head = ring->head,
		.n = ring->n,
		.cap = (uint16_t)cap_for(need, row),
		.code = {code[0], code[1]}};

	grown.is_heap = grown.cap * row > HERE_BYTES;
	if (grown.is_heap) {
		grown.heap = features_alloc(features, grown.cap * row);
		if (grown.heap == NULL)
			return SG_NOMEM;
	}

	const uint8_t *from = ring_bytes(ring);
	uint8_t *to = ring_bytes_mut(&grown);

	memcpy(to, from, (size_t)ring->n * TILE_BYTES);
	for (unsigned col = 0; col < ncols; col++) {
		const uint8_t *source = from + col_start(ring, col);
		uint8_t *target = to + col_start(&grown, col);

		for (size_t i = 0; i < ring->n; i++)
			cell_store(target, code[col], i,
				cell_load(source, ring->code[col], i));
	}
	if (ring->is_heap)
		features_free(
			features, ring->heap, ring_heap_bytes(ring, ncols));
	*ring = grown;
	return SG_OK;
}

/* Room for `n` rows (all that are there included) with these cells. */
static enum sg_err
ring_reserve(struct features *features, const struct unit *unit,
	struct ring *ring, size_t n, const i128 cells[2])
{
	uint8_t code[2] = {ring->code[0], ring->code[1]};
	bool is_wider = false;

	for (unsigned col = 0; col < unit->ncols; col++) {
		unsigned need = code_of(cells[col]);

		if (need > code[col]) {
			code[col] = (uint8_t)need;
			is_wider = true;
		}
	}
	if (n <= ring->cap && !is_wider)
		return SG_OK;
	return ring_grow(
		features, ring, unit->ncols, n > ring->n ? n : ring->n, code);
}

/* --- adding ------------------------------------------------------------- */

static void
ring_combine(const struct unit *unit, const struct ring *ring, i128 n,
	struct ring_put *put)
{
	i128 old = put->is_new ? 0 : ring_cell(ring, 0, put->at);

	put->is_changed = true;
	put->cells[1] = 0;
	switch (unit->class) {
	case UNIT_COUNT:
		put->cells[0] = old + 1;
		return;
	case UNIT_SUM:
		put->cells[0] = old + 1;
		put->cells[1] = n;
		if (!put->is_new)
			put->cells[1] =
				number_add(ring_cell(ring, 1, put->at), n);
		return;
	default:
		break;
	}
	if (put->is_new || (unit->class == UNIT_MIN ? n < old : n > old)) {
		put->cells[0] = n;
	} else {
		put->cells[0] = old;
		put->is_changed = false;
	}
}

enum sg_err
ring_plan(struct features *features, const struct unit *unit, struct ring *ring,
	int32_t tile, int32_t head, i128 n, struct ring_put *put)
{
	if (ring->n > 0 && ring->head > head)
		head = ring->head;
	put->tile = tile;
	put->head = head;
	put->is_late = tile < head - unit->span;
	put->is_changed = false;
	if (put->is_late)
		return SG_OK;
	put->drop = 0;
	if (head != ring->head)
		put->drop = (uint16_t)ring_find(ring, head - unit->span);
	put->at = (uint16_t)ring_find(ring, tile);
	put->is_new = put->at == ring->n || ring_tile(ring, put->at) != tile;
	ring_combine(unit, ring, n, put);
	return ring_reserve(features, unit, ring,
		(size_t)ring->n - put->drop + put->is_new, put->cells);
}

/* Rows [from, n) to `to`: what a removal or an insertion needs. */
static void
ring_shift(struct ring *ring, unsigned ncols, size_t from, size_t to, size_t n)
{
	uint8_t *bytes = ring_bytes_mut(ring);

	memmove(bytes + to * TILE_BYTES, bytes + from * TILE_BYTES,
		(n - from) * TILE_BYTES);
	for (unsigned col = 0; col < ncols; col++) {
		uint8_t *cells = bytes + col_start(ring, col);
		unsigned code = ring->code[col];

		memmove(cells + (to << code), cells + (from << code),
			(n - from) << code);
	}
}

static void
ring_write(const struct unit *unit, struct ring *ring, size_t i, int32_t tile,
	const i128 cells[2])
{
	uint8_t *bytes = ring_bytes_mut(ring);
	uint16_t low = (uint16_t)tile;

	memcpy(bytes + i * TILE_BYTES, &low, TILE_BYTES);
	for (unsigned col = 0; col < unit->ncols; col++)
		cell_store(bytes + col_start(ring, col), ring->code[col], i,
			cells[col]);
}

void
ring_apply(
	const struct unit *unit, struct ring *ring, const struct ring_put *put)
{
	size_t at = put->at;

	if (put->is_late)
		return;
	if (put->drop > 0) {
		ring_shift(ring, unit->ncols, put->drop, 0, ring->n);
		ring->n = (uint16_t)(ring->n - put->drop);
		at -= put->drop;
	}
	ring->head = put->head;
	if (put->is_new) {
		ring_shift(ring, unit->ncols, at, at + 1, ring->n);
		ring->n++;
	}
	ring_write(unit, ring, at, put->tile, put->cells);
}

enum sg_err
ring_append(struct features *features, const struct unit *unit,
	struct ring *ring, int32_t tile, const i128 cells[2])
{
	enum sg_err err =
		ring_reserve(features, unit, ring, (size_t)ring->n + 1, cells);

	if (err != SG_OK)
		return err;
	ring_write(unit, ring, ring->n, tile, cells);
	ring->n++;
	return SG_OK;
}

/* --- reading ------------------------------------------------------------ */

/* One loop for each width, so that the compiler can make vectors of it. */
#define SUM(type)                                                              \
	do {                                                                   \
		for (size_t i = from; i < to; i++) {                           \
			type cell;                                             \
			memcpy(&cell, at + i * sizeof(cell), sizeof(cell));    \
			small += cell;                                         \
		}                                                              \
		return small;                                                  \
	} while (0)

i128
ring_sum(const struct ring *ring, unsigned col, uint32_t from, uint32_t to)
{
	const uint8_t *at = ring_bytes(ring) + col_start(ring, col);
	int64_t small = 0; /* fewer than 2^16 cells of 32 bits */
	i128 sum = 0;

	switch (ring->code[col]) {
	case 0:
		SUM(int8_t);
	case 1:
		SUM(int16_t);
	case 2:
		SUM(int32_t);
	default:
		break;
	}
	for (uint32_t i = from; i < to; i++)
		sum = number_add(sum, cell_load(at, ring->code[col], i));
	return sum;
}

i128
ring_min(const struct ring *ring, uint32_t from, uint32_t to)
{
	i128 least = ring_cell(ring, 0, from);

	for (uint32_t i = from + 1; i < to; i++) {
		i128 cell = ring_cell(ring, 0, i);

		least = cell < least ? cell : least;
	}
	return least;
}

i128
ring_max(const struct ring *ring, uint32_t from, uint32_t to)
{
	i128 greatest = ring_cell(ring, 0, from);

	for (uint32_t i = from + 1; i < to; i++) {
		i128 cell = ring_cell(ring, 0, i);

		greatest = cell > greatest ? cell : greatest;
	}
	return greatest;
}
