/*
 * ring.h - private to features/: tiles of one or two columns of integers.
 */
#ifndef FEATURES_RING_H
#define FEATURES_RING_H

#include <string.h>

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

/* A number to be written once nothing can fail any more. */
struct ring_poke {
	struct ring *ring; /* whose bytes may still move */
	uint32_t at;
	uint8_t code;
	int64_t n;
};

/*
 * The shortest way, for most events: they fall into the last tile, and what
 * they add fits into its cells. Notes what is to be written and returns how
 * many numbers these are, 1 or 2; 0 when ring_plan() has to see to it.
 */
unsigned
ring_quick(struct features *features, const struct unit *unit,
	struct ring *ring, int32_t tile, int32_t head, int64_t n,
	struct ring_poke pokes[2], bool *ret_is_same);

static inline void
ring_poke(struct features *features, const struct ring_poke *poke)
{
	struct ring *ring = poke->ring;
	uint8_t *at =
		ring->is_pooled ? features->pool + ring->start : ring->here;
	int16_t n16 = (int16_t)poke->n;
	int32_t n32 = (int32_t)poke->n;

	at += poke->at;
	switch (poke->code) {
	case 0:
		*at = (uint8_t)poke->n;
		return;
	case 1:
		memcpy(at, &n16, sizeof(n16));
		return;
	case 2:
		memcpy(at, &n32, sizeof(n32));
		return;
	default:
		memcpy(at, &poke->n, sizeof(poke->n));
		return;
	}
}

/*
 * Prepare to add `n` at `tile`, with an event whose head would be `head`. All
 * memory is taken here; what the ring holds is not changed.
 */
SG_MUSTCHECK enum sg_err
ring_plan(struct features *features, const struct unit *unit, struct ring *ring,
	int32_t tile, int32_t head, i128 n, struct ring_put *put);
void
ring_apply(struct features *features, const struct unit *unit,
	struct ring *ring, const struct ring_put *put);

/* What a ring has to have room for, noted tile by tile. */
struct ring_need {
	uint32_t n;
	uint8_t code[2];
};

void
ring_need_note(struct ring_need *need, const i128 cells[2]);
/* Make an empty ring that has it. */
SG_MUSTCHECK enum sg_err
ring_make(struct features *features, const struct unit *unit, struct ring *ring,
	const struct ring_need *need);

/* Room for rings of so many bytes; and give back most of what is free. */
SG_MUSTCHECK enum sg_err
ring_pool_reserve(struct features *features, size_t bytes);
SG_MUSTCHECK enum sg_err
ring_pool_trim(struct features *features);

/* Append a tile above all others, as the stored form lists them. */
SG_MUSTCHECK enum sg_err
ring_append(struct features *features, const struct unit *unit,
	struct ring *ring, int32_t tile, const i128 cells[2]);

int32_t
ring_tile(const struct features *features, const struct ring *ring, uint32_t i);
i128
ring_cell(const struct features *features, const struct ring *ring,
	unsigned col, uint32_t i);

/* The index of the first tile that is not below `tile`; ring->n if none. */
uint32_t
ring_find(
	const struct features *features, const struct ring *ring, int64_t tile);

/* Over the tiles [from, to). The extremes want at least one. */
i128
ring_sum(const struct features *features, const struct ring *ring, unsigned col,
	uint32_t from, uint32_t to);
i128
ring_min(const struct features *features, const struct ring *ring,
	uint32_t from, uint32_t to);
i128
ring_max(const struct features *features, const struct ring *ring,
	uint32_t from, uint32_t to);

#endif
