/*
 * state.h - private to features/: the compiled set, and how the state of one
 * account lies in memory.
 *
 * Features that need the same state share a unit. A unit has a place of its
 * own in every account; its class says what lies there.
 *
 *     struct features
 *     +-----------------------+--------+--------+--------+----
 *     | set, bytes, event ids | unit 0 | unit 1 | unit 2 | ...   32 bytes each
 *     +-----------------------+--------+--------+--------+----   (days: 64)
 *                                  |
 *                                  +-> what does not fit, a piece of the heap
 *
 * Units are ordered by input, so that an event walks over neighbours. A quiet
 * account has its tiles and short texts inside the places and nothing outside.
 */
#ifndef FEATURES_STATE_H
#define FEATURES_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/features.h"

/* Times are held between 1970 and the year 5138, so that minutes fit int32. */
#define TIME_MAX_MS INT64_C(100000000000000)

/* Order is that of the stored form, append only. */
enum unit_class {
	UNIT_LAST,
	UNIT_FIRST,
	UNIT_LATEST,
	UNIT_COUNT,
	UNIT_SUM, /* count and sum: a mean that is added later finds both */
	UNIT_MIN,
	UNIT_MAX,
	UNIT_DISTINCT,
	UNIT_COLLECT,
	UNIT_DAYS,
	UNIT_CLASS_COUNT
};

enum tile_width {
	TILE_MINUTE,
	TILE_5_MINUTES,
	TILE_HOUR,
	TILE_DAY,
	TILE_EVER, /* no window: one tile that never leaves */
	TILE_WIDTHS
};

struct keep {
	const char *name;
	uint32_t slot;
	uint8_t type; /* enum type_kind */
};

struct unit {
	uint8_t class; /* enum unit_class */
	uint8_t width; /* enum tile_width */
	uint8_t type;  /* enum type_kind of the field; TYPE_NULL: none */
	uint8_t ncols; /* of a ring */
	int8_t filter;
	int8_t closed_filter;
	int8_t remove_filter;
	int32_t slot;
	int32_t span;	 /* tiles before the head that are held */
	uint32_t at;	 /* its place, in units of union place */
	uint32_t input;	 /* */
	uint32_t reader; /* the first of its features in set->readers */
	uint32_t nreaders;
	uint64_t mask; /* the same as bits, where the set has 64 at most */
	uint32_t max;  /* collect */
	uint32_t nkeep;
	const struct keep *keep;
	const struct tz *tz;
};

struct feature {
	const char *name;
	enum feature_kind kind;
	uint32_t unit;
	int64_t window_ms;
	double days;   /* the window in days */
	uint64_t sign; /* hash of what gives the state its meaning */
	const struct type *type;
};

struct feature_set {
	struct arena arena; /* of all that follows */
	struct feature *features;
	uint32_t nfeatures;
	struct unit *units; /* ordered by input */
	uint32_t nunits;
	uint32_t *readers;
	uint32_t nplaces;
	struct {
		uint32_t first, n;
	} inputs[INPUTS_MAX];		  /* their units */
	const struct layout_unit *layout; /* of units, each onto itself */
};

/* --- what lies in a place ----------------------------------------------- */

typedef __int128 i128;

/* last, first, latest. Texts of up to 8 bytes lie in `v.as` itself; for longer
 * ones `v.flags` is the heap piece's size in CELL_TEXT_STEPs. */
struct cell {
	struct value v; /* VALUE_ABSENT: empty */
	int64_t at_ms;
	int64_t offset;
};

/* See ring.c. */
struct ring {
	union {
		uint8_t here[16];
		uint32_t start; /* in the account's pool */
	};
	int32_t head;
	uint16_t n;
	uint16_t cap;
	uint8_t code[2]; /* a cell of column i has 1 << code[i] bytes */
	bool is_pooled;
};

/* See distinct.c. */
struct distinct {
	uint64_t *members; /* NULL: empty */
	int32_t head;
	uint16_t n;
	uint16_t cap;
	uint16_t nsteps;
};

/* See collect.c. */
struct collect {
	struct value *live; /* records, by key; each inside a struct entry */
	struct value *gone;
	uint16_t nlive, live_cap;
	uint16_t ngone, gone_cap;
	uint32_t dropped;
};

#define DAYS_WORDS 7
#define DAYS_AHEAD 3

/* See days.c. Bit i stands for the day head + DAYS_AHEAD - i. */
struct days {
	uint64_t bits[DAYS_WORDS];
	int32_t head;
	bool is_set;
};

union place {
	struct cell cell;
	struct ring ring;
	struct distinct distinct;
	struct collect collect;
	uint64_t words[4];
};

_Static_assert(sizeof(union place) == 32, "a place is half a cache line");
_Static_assert(sizeof(struct days) == 64, "days take two places");

struct features {
	const struct feature_set *set;
	size_t bytes;  /* held on the heap, this struct included */
	uint32_t *ids; /* low halves, then high halves, of event id hashes */
	uint8_t nids, ids_cap;
	uint8_t ids_at; /* the oldest, once the ring is full */
	uint32_t pool_cap;
	uint32_t pool_used;
	uint8_t *pool; /* rings that are too large for their place */
	union place places[];
};

static inline union place *
features_place(struct features *features, const struct unit *unit)
{
	return &features->places[unit->at];
}

static inline const union place *
features_look(const struct features *features, const struct unit *unit)
{
	return &features->places[unit->at];
}

static inline struct days *
place_days(union place *place)
{
	return (struct days *)(void *)place;
}

/* Heap of an account, counted in features->bytes as malloc() would round it. */
void *
features_alloc(struct features *features, size_t size);
void
features_free(struct features *features, void *piece, size_t size);
/* Count a piece that was replaced by another; 0: there was none. */
void
features_count(struct features *features, size_t old_size, size_t new_size);

/* Of an account that is not in the CPU's cache, ask for all there is to touch
 * at once, instead of waiting for one line after the other. */
void
features_fetch(const struct features *features);

/* The ring of event ids: one of them? Room for one more, and one more. */
bool
features_ids_have(const struct features *features, uint64_t id);
SG_MUSTCHECK enum sg_err
features_ids_reserve(struct features *features);
void
features_ids_push(struct features *features, uint64_t id);

/* --- tiles -------------------------------------------------------------- */

static inline int64_t
tile_ms(unsigned width)
{
	static const int64_t ms[TILE_WIDTHS] = {
		60000, 300000, 3600000, 86400000, INT64_C(1) << 62};

	return ms[width];
}

/* Constants, so that no division is left. `ms` must not be negative. */
static inline int64_t
tile_of(unsigned width, int64_t ms)
{
	switch (width) {
	case TILE_MINUTE:
		return ms / 60000;
	case TILE_5_MINUTES:
		return ms / 300000;
	case TILE_HOUR:
		return ms / 3600000;
	case TILE_DAY:
		return ms / 86400000;
	default:
		return 0;
	}
}

/* The most tiles an event can lie above the head. */
static inline int32_t
tiles_ahead(unsigned width)
{
	return (int32_t)(CIVIL_DAY_MS / tile_ms(width));
}

#endif
