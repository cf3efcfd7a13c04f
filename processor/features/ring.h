/*
 * ring.h - private to features/: tiles of one or two columns of integers.
 */
#ifndef FEATURES_RING_H
#define FEATURES_RING_H

#include "segmentd/err.h"
#include "state.h"

/* What ring_plan() found out for ring_apply(). */
struct ring_put {
	i128 cells[2];
	int32_t tile;
	int32_t head;
	uint16_t drop; /* tiles in front that have left */
	uint16_t at;
	bool is_new;
	bool is_late;
	bool is_changed;
};

void
ring_fini(struct features *features, struct ring *ring, unsigned ncols);

/*
 * Prepare to add `n` at `tile`, with an event whose head would be `head`. All
 * memory is taken here; what the ring holds is not changed.
 */
SG_MUSTCHECK enum sg_err
ring_plan(struct features *features, const struct unit *unit, struct ring *ring,
	int32_t tile, int32_t head, i128 n, struct ring_put *put);
void
ring_apply(
	const struct unit *unit, struct ring *ring, const struct ring_put *put);

/* Append a tile above all others, as the stored form lists them. */
SG_MUSTCHECK enum sg_err
ring_append(struct features *features, const struct unit *unit,
	struct ring *ring, int32_t tile, const i128 cells[2]);

int32_t
ring_tile(const struct ring *ring, uint32_t i);
i128
ring_cell(const struct ring *ring, unsigned col, uint32_t i);

/* The index of the first tile that is not below `tile`; ring->n if none. */
uint32_t
ring_find(const struct ring *ring, int64_t tile);

/* Over the tiles [from, to). The extremes want at least one. */
i128
ring_sum(const struct ring *ring, unsigned col, uint32_t from, uint32_t to);
i128
ring_min(const struct ring *ring, uint32_t from, uint32_t to);
i128
ring_max(const struct ring *ring, uint32_t from, uint32_t to);

#endif
