/*
 * distinct.c - which values were seen, and in which tile last.
 *
 * Members are hashes, ascending, each with the newest tile at or below the
 * head in which it was seen; tiles above the head (events of the future) are
 * members beside it until the head reaches them.
 *
 *      +-------+-------+-------+------+----------------------+
 *      | h0 t0 | h1 t1 | h2 t2 | free | steps, if at its cap |
 *      +-------+-------+-------+------+----------------------+
 *        48 + 16 bits each
 *
 * 48 bits of a hash are enough: that two of 2048 are the same has a chance of
 * one in a hundred million. Of the tile these are the low bits.
 *
 * A window's count is the number of members whose tile is in it: exact, as
 * long as no member had to go. When there are DISTINCT_CAP of them, those with
 * the FEATURE_DISTINCT_EXACT smallest hashes stay (bottom-k), and of the others
 * the DISTINCT_NEWEST newest. A step notes what was let go: windows that begin
 * at or below its tile know hashes below its bound only, and `m` of them mean
 * m * 2^48 / bound, with a relative error of 1 / sqrt(m). The newest ones stay
 * for the windows to come: after a burst has left, the count is exact again.
 *
 * INVARIANTS
 *  - steps ascend in both tile and bound: what is known of a window that
 *    begins at a tile is known of all that begin later;
 *  - a bound may be lowered at any time (members beyond it are ignored), which
 *    is how two steps become one when there are too many.
 */
#include "distinct.h"

#include <math.h>
#include <string.h>

#include "number.h"
#include "segmentd/hash.h"

#define TILE_BITS 16
#define HASH_BITS 48
#define TILES_AHEAD_MAX 1440 /* of the narrowest, in a day */
#define TILES_MAX (TILES_AHEAD_MAX + 1 + 401)

bool
distinct_hash(struct value v, unsigned type, uint64_t *ret_hash)
{
	uint64_t hash;

	if (!number_is_of(v, type))
		return false;
	switch (type) {
	case TYPE_STRING:
	case TYPE_BYTES:
		hash = hash_bytes(v.as.s, v.len);
		break;
	case TYPE_DOUBLE:
		if (isnan(v.as.d))
			return false;
		/* 0 and -0 are one number. */
		hash = hash_u64((uint64_t)number_from_double(v.as.d + 0.0));
		break;
	case TYPE_TIMESTAMP:
	case TYPE_DURATION:
		hash = hash_mix(v.as.u, v.nanos);
		break;
	default:
		hash = hash_u64(v.as.u);
		break;
	}
	*ret_hash = hash >> (64 - HASH_BITS);
	return true;
}

/* --- memory ------------------------------------------------------------- */

static size_t
heap_bytes(uint16_t cap)
{
	size_t bytes = cap * sizeof(uint64_t);

	if (cap < DISTINCT_CAP)
		return bytes;
	return bytes + DISTINCT_STEPS_MAX * sizeof(struct distinct_step);
}

static struct distinct_step *
steps_mut(const struct distinct *distinct)
{
	return (struct distinct_step *)(void *)(distinct->members +
						DISTINCT_CAP);
}

const struct distinct_step *
distinct_steps(const struct distinct *distinct)
{
	return steps_mut(distinct);
}

static uint64_t
member_make(uint64_t hash, int32_t tile)
{
	return hash << TILE_BITS | (uint16_t)tile;
}

uint64_t
distinct_member(const struct distinct *distinct, uint32_t i)
{
	return distinct->members[i] >> TILE_BITS;
}

int32_t
distinct_tile(const struct distinct *distinct, uint32_t i)
{
	uint16_t low = (uint16_t)distinct->members[i];

	return distinct->head +
	       (int16_t)(uint16_t)(low - (uint16_t)distinct->head);
}

void
distinct_fini(struct features *features, struct distinct *distinct)
{
	features_free(features, distinct->members, heap_bytes(distinct->cap));
	*distinct = (struct distinct){0};
}

static enum sg_err
distinct_reserve(struct features *features, struct distinct *distinct, size_t n)
{
	struct distinct grown = *distinct;
	size_t cap = n + n / 2;

	if (n <= distinct->cap)
		return SG_OK;
	cap = cap < 3 ? 3 : cap > DISTINCT_CAP ? DISTINCT_CAP : cap;
	grown.cap = (uint16_t)cap;
	grown.members = features_alloc(features, heap_bytes(grown.cap));
	if (grown.members == NULL)
		return SG_NOMEM;
	if (distinct->n > 0) {
		memcpy(grown.members, distinct->members,
			distinct->n * sizeof(uint64_t));
	}
	features_free(features, distinct->members, heap_bytes(distinct->cap));
	*distinct = grown;
	return SG_OK;
}

/* --- steps -------------------------------------------------------------- */

/* What bounds windows that begin at `tile`; NULL: all members are known. */
static const struct distinct_step *
distinct_step_at(const struct distinct *distinct, int64_t tile)
{
	for (uint32_t i = 0; i < distinct->nsteps; i++) {
		if (tile <= distinct_steps(distinct)[i].upto)
			return &distinct_steps(distinct)[i];
	}
	return NULL;
}

/* A member is of use only below the bound of its own tile: the windows it
 * counts in begin no later. */
static bool
is_beyond(const struct distinct *distinct, uint64_t hash, int64_t tile)
{
	const struct distinct_step *step = distinct_step_at(distinct, tile);

	return step != NULL && hash >= step->bound;
}

/* From now on hashes from `bound` on are unknown up to tile `upto`. */
static void
steps_lower(struct distinct *distinct, int32_t upto, uint64_t bound)
{
	struct distinct_step *steps = steps_mut(distinct);
	struct distinct_step all[DISTINCT_STEPS_MAX + 1];
	uint32_t n = 0;
	uint32_t i = 0;

	/* Those below that know less stay, those that know more are lowered:
	 * they become part of the new one. */
	for (; i < distinct->nsteps && steps[i].upto < upto; i++) {
		if (steps[i].bound < bound)
			all[n++] = steps[i];
	}
	if (i == distinct->nsteps || steps[i].bound > bound)
		all[n++] = (struct distinct_step){bound, upto};
	if (i < distinct->nsteps && steps[i].upto == upto &&
		steps[i].bound > bound)
		i++;
	for (; i < distinct->nsteps; i++)
		all[n++] = steps[i];
	if (n > DISTINCT_STEPS_MAX) { /* the two oldest become one */
		all[1].bound = all[0].bound;
		memmove(&all[0], &all[1], (--n) * sizeof(all[0]));
	}
	memcpy(steps, all, n * sizeof(all[0]));
	distinct->nsteps = (uint16_t)n;
}

/* --- members ------------------------------------------------------------ */

/* The first member whose hash is not below `hash`. */
static uint32_t
distinct_find(const struct distinct *distinct, uint64_t hash)
{
	uint64_t least = hash << TILE_BITS;
	uint32_t low = 0;
	uint32_t n = distinct->n;

	while (n > 0) {
		uint32_t half = n / 2;

		if (distinct->members[low + half] < least) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static void
distinct_insert(
	struct distinct *distinct, uint32_t at, uint64_t hash, int32_t tile)
{
	memmove(&distinct->members[at + 1], &distinct->members[at],
		(distinct->n - at) * sizeof(uint64_t));
	distinct->members[at] = member_make(hash, tile);
	distinct->n++;
}

void
distinct_compact(
	const struct unit *unit, struct distinct *distinct, int32_t head)
{
	struct distinct_step *steps =
		distinct->nsteps > 0 ? steps_mut(distinct) : NULL;
	int32_t least = head - unit->span;
	uint32_t nsteps = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < distinct->nsteps; i++) {
		if (steps[i].upto >= least)
			steps[nsteps++] = steps[i];
	}
	distinct->nsteps = (uint16_t)nsteps;
	for (uint32_t i = 0; i < distinct->n; i++) {
		uint64_t hash = distinct_member(distinct, i);
		int32_t tile = distinct_tile(distinct, i);

		/* Of one hash the tiles ascend: up to the head the last one
		 * replaces those before it. */
		if (n > 0 && distinct_member(distinct, n - 1) == hash &&
			tile <= head)
			n--;
		if (tile < least || is_beyond(distinct, hash, tile))
			continue;
		distinct->members[n++] = distinct->members[i];
	}
	distinct->n = (uint16_t)n;
	distinct->head = head;
}

/* The oldest tile whose members, with all newer ones, are at most `most` of
 * those at `from` and beyond; *ret_room is what is left for the tile below. */
static int32_t
newest_tiles(const struct distinct *distinct, uint32_t from, uint32_t most,
	uint32_t *ret_room)
{
	uint16_t counts[TILES_MAX] = {0};
	int32_t top = distinct->head + TILES_AHEAD_MAX;
	int32_t i = 0;

	for (uint32_t j = from; j < distinct->n; j++)
		counts[top - distinct_tile(distinct, j)]++;
	while (i < TILES_MAX && counts[i] <= most)
		most -= counts[i++];
	*ret_room = most;
	return top - i + 1;
}

/* See the top of the file. Members ascend by hash, so that of the tile that is
 * divided the smaller hashes stay. */
static void
distinct_shrink(const struct unit *unit, struct distinct *distinct)
{
	uint64_t bound_below = UINT64_MAX; /* of what goes, below `tile` - 1 */
	uint64_t bound_at = UINT64_MAX;	   /* and at it */
	uint32_t n = FEATURE_DISTINCT_EXACT;
	uint32_t room;
	int32_t tile = newest_tiles(distinct, n, DISTINCT_NEWEST, &room);

	for (uint32_t i = n; i < distinct->n; i++) {
		uint64_t hash = distinct_member(distinct, i);
		int32_t at = distinct_tile(distinct, i);

		if (at >= tile || (at == tile - 1 && room > 0)) {
			room -= at == tile - 1;
			distinct->members[n++] = distinct->members[i];
		} else if (at == tile - 1) {
			bound_at = hash < bound_at ? hash : bound_at;
		} else {
			bound_below = hash < bound_below ? hash : bound_below;
		}
	}
	distinct->n = (uint16_t)n;
	if (bound_at != UINT64_MAX)
		steps_lower(distinct, tile - 1, bound_at);
	if (bound_below != UINT64_MAX)
		steps_lower(distinct, tile - 2, bound_below);
	distinct_compact(unit, distinct, distinct->head);
}

/* --- adding ------------------------------------------------------------- */

/* Without members and steps the head means nothing. */
static bool
has_head(const struct distinct *distinct)
{
	return distinct->n > 0 || distinct->nsteps > 0;
}

enum sg_err
distinct_plan(struct features *features, const struct unit *unit,
	struct distinct *distinct, uint64_t hash, int32_t tile, int32_t head,
	struct distinct_put *put)
{
	if (has_head(distinct) && distinct->head > head)
		head = distinct->head;
	*put = (struct distinct_put){.hash = hash,
		.tile = tile,
		.head = head,
		.is_late = tile < head - unit->span};
	if (put->is_late)
		return SG_OK;
	return distinct_reserve(features, distinct, (size_t)distinct->n + 1);
}

/* True when the member is new or its tile moves. */
static bool
distinct_add(struct distinct *distinct, uint64_t hash, int32_t tile)
{
	uint32_t at = distinct_find(distinct, hash);

	for (; at < distinct->n && distinct_member(distinct, at) == hash;
		at++) {
		int32_t old = distinct_tile(distinct, at);

		if (old == tile)
			return false;
		if (old <= distinct->head && tile <= distinct->head) {
			if (old > tile)
				return false;
			distinct->members[at] = member_make(hash, tile);
			return true;
		}
		if (old > tile)
			break;
	}
	distinct_insert(distinct, at, hash, tile);
	return true;
}

bool
distinct_apply(const struct unit *unit, struct distinct *distinct,
	const struct distinct_put *put)
{
	bool is_changed = false;

	if (put->is_late)
		return false;
	if (!has_head(distinct))
		distinct->head = put->head;
	if (distinct->head != put->head)
		distinct_compact(unit, distinct, put->head);
	if (!is_beyond(distinct, put->hash, put->tile))
		is_changed = distinct_add(distinct, put->hash, put->tile);
	if (distinct->n >= DISTINCT_CAP)
		distinct_shrink(unit, distinct);
	return is_changed;
}

enum sg_err
distinct_append(struct features *features, struct distinct *distinct,
	uint64_t hash, int32_t tile)
{
	enum sg_err err =
		distinct_reserve(features, distinct, (size_t)distinct->n + 1);

	if (err != SG_OK)
		return err;
	distinct_insert(distinct, distinct->n, hash, tile);
	return SG_OK;
}

enum sg_err
distinct_append_step(struct features *features, struct distinct *distinct,
	struct distinct_step step)
{
	enum sg_err err = distinct_reserve(features, distinct, DISTINCT_CAP);

	if (err != SG_OK)
		return err;
	steps_mut(distinct)[distinct->nsteps++] = step;
	return SG_OK;
}

/* --- reading ------------------------------------------------------------ */

struct distinct_count
distinct_count(const struct distinct *distinct, int64_t low, int64_t high)
{
	struct distinct_count count = {.oldest = INT64_MAX, .ahead = INT64_MAX};
	const struct distinct_step *step = distinct_step_at(distinct, low);
	bool was_counted = false;
	uint64_t last = 0;

	count.is_estimate = step != NULL;
	for (uint32_t i = 0; i < distinct->n; i++) {
		uint64_t hash = distinct_member(distinct, i);
		int64_t tile = distinct_tile(distinct, i);

		if (step != NULL && hash >= step->bound)
			break;
		if (tile > high) {
			count.ahead = tile < count.ahead ? tile : count.ahead;
			continue;
		}
		if (tile < low)
			continue;
		count.oldest = tile < count.oldest ? tile : count.oldest;
		count.n += !was_counted || hash != last;
		was_counted = true;
		last = hash;
	}
	if (step != NULL) {
		uint64_t bound = step->bound == 0 ? 1 : step->bound;
		uint64_t n = count.n << HASH_BITS; /* 11 bits */

		count.n = (n + bound / 2) / bound;
		/* When its tile leaves, more is known. */
		if (step->upto < count.oldest)
			count.oldest = step->upto;
	}
	return count;
}
