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
 * as wide as its widest one needs; a column never becomes narrower.
 *
 * A ring of up to 16 bytes lies in the account's place itself: 5 tiles of small
 * counts. The others lie side by side in the account's pool, one piece of the
 * heap, so that an account that is not in the CPU's cache is fetched in a few
 * strides (ring_pool.c).
 *
 * INVARIANTS
 *  - the head never moves back, and every tile is at least head - span;
 *  - a tile above the head is there only through events of the future;
 *  - so which tiles there are depends on the set of events, not their order.
 */
#include "number.h"
#include "ring_cells.h"

int32_t
ring_tile(const struct features *features, const struct ring *ring, uint32_t i)
{
	return ring->head + ring_rel(ring, ring_bytes(features, ring), i);
}

i128
ring_cell(const struct features *features, const struct ring *ring,
	unsigned col, uint32_t i)
{
	return cell_load(ring_bytes(features, ring) + col_start(ring, col),
		ring->code[col], i);
}

uint32_t
ring_find(
	const struct features *features, const struct ring *ring, int64_t tile)
{
	const uint8_t *bytes = ring_bytes(features, ring);
	int64_t rel = tile - ring->head;
	uint32_t low = 0;
	uint32_t n = ring->n;

	/* The two ends are by far the most frequent answers. */
	if (n == 0 || ring_rel(ring, bytes, n - 1) < rel)
		return n;
	if (ring_rel(ring, bytes, 0) >= rel)
		return 0;
	while (n > 1) {
		uint32_t half = n / 2;

		low += ring_rel(ring, bytes, low + half - 1) < rel ? half : 0;
		n -= half;
	}
	return low + (ring_rel(ring, bytes, low) < rel);
}

/* --- adding ------------------------------------------------------------- */

static void
ring_combine(const struct features *features, const struct unit *unit,
	const struct ring *ring, i128 n, struct ring_put *put)
{
	i128 old = put->is_new ? 0 : ring_cell(features, ring, 0, put->at);

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
			put->cells[1] = number_add(
				ring_cell(features, ring, 1, put->at), n);
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

/* Most events fall into the newest tile, which is the last one. */
static inline bool
is_last_tile(const struct features *features, const struct ring *ring,
	int32_t tile, int32_t head)
{
	return ring->n > 0 && head <= ring->head &&
	       ring_rel(ring, ring_bytes(features, ring), ring->n - 1u) ==
		       tile - ring->head;
}

static void
ring_locate(const struct features *features, const struct unit *unit,
	const struct ring *ring, int32_t tile, int32_t head,
	struct ring_put *put)
{
	if (ring->n > 0 && ring->head > head)
		head = ring->head;
	put->head = head;
	put->is_late = tile < head - unit->span;
	if (put->is_late)
		return;
	if (head != ring->head)
		put->drop =
			(uint16_t)ring_find(features, ring, head - unit->span);
	put->at = (uint16_t)ring_find(features, ring, tile);
	put->is_new = put->at == ring->n ||
		      ring_tile(features, ring, put->at) != tile;
}

enum sg_err
ring_plan(struct features *features, const struct unit *unit, struct ring *ring,
	int32_t tile, int32_t head, i128 n, struct ring_put *put)
{
	put->tile = tile;
	put->is_late = false;
	put->is_new = false;
	put->is_changed = false;
	put->drop = 0;
	if (is_last_tile(features, ring, tile, head)) {
		put->head = ring->head;
		put->at = (uint16_t)(ring->n - 1);
	} else {
		ring_locate(features, unit, ring, tile, head, put);
		if (put->is_late)
			return SG_OK;
	}
	ring_combine(features, unit, ring, n, put);
	return ring_reserve(features, unit, ring,
		(size_t)ring->n - put->drop + put->is_new, put->cells);
}

/* The cell of a column in the last tile. */
static inline int64_t
last_load(const struct features *features, const struct ring *ring,
	unsigned col, uint32_t *ret_at)
{
	unsigned code = ring->code[col];
	size_t start = col_start(ring, col) + ((size_t)(ring->n - 1u) << code);
	const uint8_t *at = ring_bytes(features, ring) + start;
	int16_t n16;
	int32_t n32;
	int64_t n64;

	*ret_at = (uint32_t)start;
	switch (code) {
	case 0:
		return (int8_t)*at;
	case 1:
		memcpy(&n16, at, sizeof(n16));
		return n16;
	case 2:
		memcpy(&n32, at, sizeof(n32));
		return n32;
	default:
		memcpy(&n64, at, sizeof(n64));
		return n64;
	}
}

static inline bool
poke_fits(const struct ring_poke *poke)
{
	unsigned unused = 64 - (8u << poke->code);

	return (int64_t)((uint64_t)poke->n << unused) >> unused == poke->n;
}

unsigned
ring_quick(struct features *features, const struct unit *unit,
	struct ring *ring, int32_t tile, int32_t head, int64_t n,
	struct ring_poke pokes[2], bool *ret_is_same)
{
	int64_t old;

	if (!is_last_tile(features, ring, tile, head) || ring->code[0] > 3 ||
		ring->code[1] > 3)
		return 0;
	*ret_is_same = false;
	pokes[0].ring = ring;
	pokes[0].code = ring->code[0];
	old = last_load(features, ring, 0, &pokes[0].at);
	if (unit->class == UNIT_MIN || unit->class == UNIT_MAX) {
		*ret_is_same = unit->class == UNIT_MIN ? n >= old : n <= old;
		pokes[0].n = *ret_is_same ? old : n;
		return poke_fits(&pokes[0]) ? 1 : 0;
	}
	pokes[0].n = old + 1;
	if (!poke_fits(&pokes[0]))
		return 0;
	if (unit->class == UNIT_COUNT)
		return 1;
	pokes[1].ring = ring;
	pokes[1].code = ring->code[1];
	old = last_load(features, ring, 1, &pokes[1].at);
	if (__builtin_add_overflow(old, n, &pokes[1].n))
		return 0;
	return poke_fits(&pokes[1]) ? 2 : 0;
}

/* Rows [from, n) to `to`: what a removal or an insertion needs. */
static void
ring_shift(struct features *features, struct ring *ring, unsigned ncols,
	size_t from, size_t to, size_t n)
{
	uint8_t *bytes = ring_bytes_mut(features, ring);

	memmove(bytes + to * TILE_BYTES, bytes + from * TILE_BYTES,
		(n - from) * TILE_BYTES);
	for (unsigned col = 0; col < ncols; col++) {
		uint8_t *cells = bytes + col_start(ring, col);
		unsigned code = ring->code[col];

		memmove(cells + (to << code), cells + (from << code),
			(n - from) << code);
	}
}

void
ring_apply(struct features *features, const struct unit *unit,
	struct ring *ring, const struct ring_put *put)
{
	size_t at = put->at;

	if (put->is_late)
		return;
	if (!put->is_new && put->drop == 0 && put->head == ring->head) {
		ring_write_cells(features, unit, ring, at, put->cells);
		return;
	}
	if (put->drop > 0) {
		ring_shift(features, ring, unit->ncols, put->drop, 0, ring->n);
		ring->n = (uint16_t)(ring->n - put->drop);
		at -= put->drop;
	}
	ring->head = put->head;
	if (put->is_new) {
		ring_shift(features, ring, unit->ncols, at, at + 1, ring->n);
		ring->n++;
	}
	ring_write(features, unit, ring, at, put->tile, put->cells);
}

/* --- reading ------------------------------------------------------------ */

/* One loop for each width, so that the compiler can make vectors of it.
 * Fewer than 2^16 cells cannot overflow a sum that is twice as wide. */
#define FOLD_CELLS(type, acc, expr)                                            \
	do {                                                                   \
		for (size_t i = from; i < to; i++) {                           \
			type cell;                                             \
			memcpy(&cell, at + i * sizeof(cell), sizeof(cell));    \
			(acc) = (expr);                                        \
		}                                                              \
	} while (0)

i128
ring_sum(const struct features *features, const struct ring *ring, unsigned col,
	uint32_t from, uint32_t to)
{
	const uint8_t *at = ring_bytes(features, ring) + col_start(ring, col);
	int64_t small = 0;
	i128 sum = 0;

	switch (ring->code[col]) {
	case 0:
		FOLD_CELLS(int8_t, small, small + cell);
		return small;
	case 1:
		FOLD_CELLS(int16_t, small, small + cell);
		return small;
	case 2:
		FOLD_CELLS(int32_t, small, small + cell);
		return small;
	case 3:
		FOLD_CELLS(int64_t, sum, sum + cell);
		return sum;
	default:
		FOLD_CELLS(i128, sum, number_add(sum, cell));
		return sum;
	}
}

#define LESS(a, b) ((a) < (b) ? (a) : (b))
#define MORE(a, b) ((a) > (b) ? (a) : (b))

i128
ring_min(const struct features *features, const struct ring *ring,
	uint32_t from, uint32_t to)
{
	const uint8_t *at = ring_bytes(features, ring) + col_start(ring, 0);
	int64_t small = INT64_MAX;
	i128 least = ring_cell(features, ring, 0, from);

	switch (ring->code[0]) {
	case 0:
		FOLD_CELLS(int8_t, small, LESS(cell, small));
		return small;
	case 1:
		FOLD_CELLS(int16_t, small, LESS(cell, small));
		return small;
	case 2:
		FOLD_CELLS(int32_t, small, LESS(cell, small));
		return small;
	case 3:
		FOLD_CELLS(int64_t, small, LESS(cell, small));
		return small;
	default:
		FOLD_CELLS(i128, least, LESS(cell, least));
		return least;
	}
}

i128
ring_max(const struct features *features, const struct ring *ring,
	uint32_t from, uint32_t to)
{
	const uint8_t *at = ring_bytes(features, ring) + col_start(ring, 0);
	int64_t small = INT64_MIN;
	i128 greatest = ring_cell(features, ring, 0, from);

	switch (ring->code[0]) {
	case 0:
		FOLD_CELLS(int8_t, small, MORE(cell, small));
		return small;
	case 1:
		FOLD_CELLS(int16_t, small, MORE(cell, small));
		return small;
	case 2:
		FOLD_CELLS(int32_t, small, MORE(cell, small));
		return small;
	case 3:
		FOLD_CELLS(int64_t, small, MORE(cell, small));
		return small;
	default:
		FOLD_CELLS(i128, greatest, MORE(cell, greatest));
		return greatest;
	}
}
