/*
 * ring_pool.c - the memory of rings.
 *
 * Rings that do not fit into their place lie in the account's pool, one piece
 * of the heap. One that grows takes the free end and leaves a hole:
 *
 *      +--------+------+--------+----------+------+
 *      | ring 0 | hole | ring 2 | ring 1   | free |
 *      +--------+------+--------+----------+------+
 *
 * When the free end is too small, all rings move into a new pool, without
 * holes and with an eighth of it free.
 */
#include <stdlib.h>

#include "ring_cells.h"

#define POOL_GUESS_MAX 4096 /* larger ones grow as they need */

/* What a ring takes of the pool. */
static size_t
pooled_bytes(const struct ring *ring, unsigned ncols)
{
	return ring->is_pooled ? ring->cap * row_bytes(ring->code, ncols) : 0;
}

/* What all rings but `skip` take of the pool. */
static size_t
pool_live(struct features *features, const struct ring *skip)
{
	const struct feature_set *set = features->set;
	size_t bytes = 0;

	for (uint32_t i = 0; i < set->nunits; i++) {
		const struct unit *unit = &set->units[i];
		const struct ring *ring = &features_place(features, unit)->ring;

		if (unit->ncols > 0 && ring != skip)
			bytes += pooled_bytes(ring, unit->ncols);
	}
	return bytes;
}

/*
 * Move all rings but `skip` into a new pool, side by side, with room for `need`
 * bytes and some more. The old pool goes to the caller.
 */
static enum sg_err
pool_move(struct features *features, const struct ring *skip, size_t need,
	uint8_t **ret_old)
{
	const struct feature_set *set = features->set;
	size_t cap = need + pool_live(features, skip);
	uint32_t used = 0;
	uint8_t *pool;

	cap = (cap + cap / 8 + 8 + 15) / 16 * 16 - 8; /* all malloc() gives */
	pool = malloc(cap);
	if (pool == NULL)
		return SG_NOMEM;
	for (uint32_t i = 0; i < set->nunits; i++) {
		const struct unit *unit = &set->units[i];
		struct ring *ring = &features_place(features, unit)->ring;
		size_t bytes;

		if (unit->ncols == 0 || ring == skip || !ring->is_pooled)
			continue;
		bytes = pooled_bytes(ring, unit->ncols);
		memcpy(pool + used, features->pool + ring->start, bytes);
		ring->start = used;
		used += (uint32_t)bytes;
	}
	*ret_old = features->pool;
	features_count(features, features->pool_cap, cap);
	features->pool = pool;
	features->pool_cap = (uint32_t)cap;
	features->pool_used = used;
	return SG_OK;
}

/* How many rows to make room for; a little more than asked, once it is many. */
static size_t
cap_for(size_t need, size_t row)
{
	if (need * row <= HERE_BYTES)
		return HERE_BYTES / row;
	return need + need / 4;
}

static void
rows_copy(const struct ring *ring, const uint8_t *from, struct ring *grown,
	uint8_t *to, unsigned ncols)
{
	memcpy(to, from, (size_t)ring->n * TILE_BYTES);
	for (unsigned col = 0; col < ncols; col++) {
		const uint8_t *source = from + col_start(ring, col);
		uint8_t *target = to + col_start(grown, col);

		for (size_t i = 0; i < ring->n; i++)
			cell_store(target, grown->code[col], i,
				cell_load(source, ring->code[col], i));
	}
}

enum sg_err
ring_grow(struct features *features, struct ring *ring, unsigned ncols,
	size_t need, const uint8_t code[2])
{
	size_t row = row_bytes(code, ncols);
	struct ring grown = {.head = ring->head,
		.n = ring->n,
		.cap = (uint16_t)cap_for(need, row),
		.code = {code[0], code[1]}};
	size_t bytes = grown.cap * row;
	uint8_t *old = NULL;
	const uint8_t *from;

	grown.is_pooled = bytes > HERE_BYTES;
	if (grown.is_pooled &&
		bytes > features->pool_cap - features->pool_used &&
		pool_move(features, ring, bytes, &old) != SG_OK)
		return SG_NOMEM;
	from = old != NULL && ring->is_pooled ? old + ring->start
					      : ring_bytes(features, ring);
	if (grown.is_pooled) {
		grown.start = features->pool_used;
		features->pool_used += (uint32_t)bytes;
	}
	rows_copy(ring, from, &grown, ring_bytes_mut(features, &grown), ncols);
	*ring = grown;
	free(old);
	return SG_OK;
}

/* --- loading ------------------------------------------------------------ */

void
ring_need_note(struct ring_need *need, const i128 cells[2])
{
	need->n++;
	for (unsigned col = 0; col < SG_COUNTOF(need->code); col++) {
		unsigned code = code_of(cells[col]);

		if (code > need->code[col])
			need->code[col] = (uint8_t)code;
	}
}

enum sg_err
ring_make(struct features *features, const struct unit *unit, struct ring *ring,
	const struct ring_need *need)
{
	return ring_grow(features, ring, unit->ncols, need->n, need->code);
}

enum sg_err
ring_pool_reserve(struct features *features, size_t bytes)
{
	uint8_t *old = NULL;
	enum sg_err err = SG_OK;

	if (bytes <= POOL_GUESS_MAX)
		err = pool_move(features, NULL, bytes, &old);
	free(old);
	return err;
}

enum sg_err
ring_pool_trim(struct features *features)
{
	uint32_t unused = features->pool_cap - features->pool_used;
	uint8_t *old = NULL;
	enum sg_err err = SG_OK;

	if (features->pool_used == 0) {
		features_free(features, features->pool, features->pool_cap);
		features->pool = NULL;
		features->pool_cap = 0;
	} else if (unused > features->pool_cap / 4) {
		err = pool_move(features, NULL, 0, &old);
	}
	free(old);
	return err;
}

enum sg_err
ring_append(struct features *features, const struct unit *unit,
	struct ring *ring, int32_t tile, const i128 cells[2])
{
	enum sg_err err =
		ring_reserve(features, unit, ring, (size_t)ring->n + 1, cells);

	if (err != SG_OK)
		return err;
	ring_write(features, unit, ring, ring->n, tile, cells);
	ring->n++;
	return SG_OK;
}
