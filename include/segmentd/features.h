/*
 * features.h - per-account features: a deterministic fold of the input.
 *
 * A feature set is compiled once from the configuration. Each account has one
 * struct features. Folding depends on the events alone, never on a clock;
 * reading a value takes `now_ms` and tells until when it holds.
 *
 * KINDS
 *   last first       value with the greatest / smallest event time; ties: the
 *                    later offset wins `last`, the earlier one `first`
 *   latest           the greatest value of a field (a time, a number)
 *   count sum min    over a window of tiles, see below; mean is sum / count
 *   max mean         (a double), absent when the window is empty, as min, max
 *   distinct         number of distinct values over a window: exact up to 1024
 *                    of them at least, beyond that an estimate with a standard
 *                    error of about 3% (a part of a window that was thinned
 *                    out as a whole: more)
 *   collect          keyed entries: a list of records {key field, kept fields}
 *   rate             count (or sum of the field) a day: over window / days
 *   trend            this window's count (or sum) over that of the window
 *                    before it (the value one window ago, as known today), a
 *                    double; absent when that is 0
 *   streak           consecutive calendar days with an event, up to today (or
 *                    yesterday, when today has none yet); 400 at most
 *   days_since       whole calendar days since the last event; absent if none
 *
 * FIELDS. last first distinct take bool, numbers, string, bytes, timestamp,
 * duration; latest min max numbers, timestamp, duration; sum int, uint, double,
 * duration; mean rate trend int, uint, double; count streak days_since any or
 * none. What is not of the field's type (null, nothing) is skipped, so that
 * count and streak of a field count the events that have it; but `last` of a
 * null is null. NaN is an event, but has no order, sum or identity: only last
 * first count streak days_since take it.
 *
 * TILES. Width: window <= 1 h: 1 min; <= 5 h: 5 min; <= 60 h: 1 h; else 1 day
 * (UTC), up to 400 d. The value at `now` covers the tiles that overlap (now -
 * window, now]: tile t counts from t * w on, and leaves at exactly
 * (t + 1) * w + window. Features over the same input, filter and field share
 * one ring where the width is the same; its span is that of the largest window
 * (of two windows for a trend). Rings are: count (also rate and trend without a
 * field), sum (also mean, rate and trend of one), min, max. A feature that is
 * new in a configuration begins with what the state it shares holds.
 * Without a window, count sum min max mean have one tile for ever: nothing is
 * late, nothing leaves, and the future counts at once.
 *
 * LATE. Each ring has a head: the tile of the greatest min(event time, Kafka
 * time) it was given. Future events count, but an account's clock that is ahead
 * does not make the others late: an event is late, counted and dropped, when
 * its tile is below head - span. So what a ring holds depends on which events
 * there were, not on their order, and never on now (distinct: as long as it is
 * exact). Values are exact for a now from the head's tile on. Calendar days
 * (streak, days_since) do the same with a span of 400 days. A time more than a
 * day after Kafka's counts as if Kafka's were a day before it. last, first,
 * latest and collect know no late: an event of the future is visible at once.
 *
 * Sums are exact: integers in 64 bits (an overflow makes the value an error),
 * doubles as 128-bit multiples of 1e-9, so order never matters. A double that
 * is infinite or beyond 1e18 makes the sum an error while it is in the window.
 *
 * COLLECT. An event sets the entry of its key, or removes it. The greatest
 * (event time, offset) of a key wins, so order does not matter; removals are
 * remembered for that, the newest FEATURE_GONE_MAX of them. When one entry more
 * than `max` comes, the oldest closed one leaves, the oldest of all if none is
 * closed: that is an overflow, told by the fold and by features_dropped().
 */
#ifndef SEGMENTD_FEATURES_H
#define SEGMENTD_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/civil.h"
#include "segmentd/err.h"
#include "segmentd/event.h"
#include "segmentd/type.h"
#include "segmentd/value.h"

#define FEATURES_MAX 512       /* of a configuration */
#define FEATURE_FILTERS_MAX 64 /* of an input */
#define FEATURE_WINDOW_MAX_MS (400 * CIVIL_DAY_MS)
#define FEATURE_KEEP_MAX 32	 /* kept fields of a collect */
#define FEATURE_COLLECT_MAX 4096 /* entries of a collect */
#define FEATURE_COLLECT_DEFAULT 256
#define FEATURE_GONE_MAX 64 /* remembered removals of a collect */
#define FEATURE_DISTINCT_EXACT 1024
#define FEATURE_STREAK_MAX 400
#define FEATURE_IDS 64 /* remembered event ids of an account */
#define FEATURE_TEXT_MAX                                                       \
	1024 /* bytes of a stored string; longer is cut at a                   \
		character and counted */

/* FEATURE(name): order is that of the stored form, append only. */
#define FEATURE_KINDS(FEATURE)                                                 \
	FEATURE(last)                                                          \
	FEATURE(first)                                                         \
	FEATURE(latest)                                                        \
	FEATURE(count)                                                         \
	FEATURE(sum)                                                           \
	FEATURE(min)                                                           \
	FEATURE(max)                                                           \
	FEATURE(mean)                                                          \
	FEATURE(distinct)                                                      \
	FEATURE(collect)                                                       \
	FEATURE(rate)                                                          \
	FEATURE(trend)                                                         \
	FEATURE(streak)                                                        \
	FEATURE(days_since)

enum feature_kind {
#define FEATURE(name) FEATURE_##name,
	FEATURE_KINDS(FEATURE)
#undef FEATURE
		FEATURE_KIND_COUNT
};

struct feature_keep {
	const char *name;
	uint32_t slot;
	const struct type *type;
};

/* One feature as configured. Strings and types are copied. */
struct feature_def {
	const char *name; /* "usage.logins_14d": unique */
	/* Text of all that gives the state its meaning and that the other
	 * members do not tell: the field's path, the filter's source. Another
	 * identity is another feature. (Kind, window, type and zone are added
	 * to it here. Kept fields and `max` do not belong in it: a kept field
	 * that is new starts as null.) */
	const char *identity;
	uint32_t input;
	enum feature_kind kind;
	/* 0 for kinds without; of count, sum, min, max, mean: since ever */
	int64_t window_ms;
	int32_t slot;		 /* event slot of the field; -1: none (count) */
	const struct type *type; /* of the field; NULL: none */
	int32_t filter; /* bit that must be set in the event's filters, or -1 */
	const struct tz *tz; /* streak, days_since; NULL: UTC */
	/* collect: `slot` is the key, `key_name` its name in the records */
	const char *key_name;
	const struct feature_keep *keep;
	size_t nkeep;
	uint32_t max;
	int32_t closed_filter; /* entry is closed while this bit was set, -1 */
	int32_t remove_filter; /* entry is removed by this bit, -1 */
};

const char *
feature_kind_name(enum feature_kind kind);

/* --- the set ------------------------------------------------------------ */

struct feature_set;

/* Is feature `i` one, beside those before it? Errors: SG_BAD_OPTION (the fault
 * names the feature). */
SG_MUSTCHECK enum sg_err
feature_check(const struct feature_def *defs, size_t i, struct sg_fault *why);

/* Errors: SG_BAD_OPTION (as above, of the first bad one), SG_LIMIT, SG_NOMEM.
 */
SG_MUSTCHECK enum sg_err
feature_set_create(const struct feature_def *defs, size_t ndefs,
	struct feature_set **ret_set, struct sg_fault *why);
/* After the states that were made with it. */
void
feature_set_destroy(struct feature_set *set);

/* The type an expression sees; nullable where the value may be absent. */
const struct type *
feature_type(const struct feature_set *set, uint32_t index);

/* --- the state of one account ------------------------------------------- */

struct features;

struct fold_result {
	bool is_repeat;	  /* the event id was seen: nothing was folded */
	bool is_late;	  /* too old for at least one ring */
	bool is_overflow; /* a collection was full, or a text was cut */
	/* Bit i: feature i may have changed. */
	uint64_t changed[FEATURES_MAX / 64];
};

SG_MUSTCHECK enum sg_err
features_create(const struct feature_set *set, struct features **ret_features);
void
features_destroy(struct features *features);

/* Bytes of memory it holds, for the cache's bound. O(1). */
size_t
features_size(const struct features *features);

/* Tell the CPU that this account is folded into soon: worth its while some 10
 * to 30 events ahead, where accounts do not fit into the cache. */
void
features_prefetch(const struct features *features);

/*
 * Fold one event. `filters` has bit i set when filter i of the input held. An
 * event whose id (and input) is among the last 64 of the account is a repeat.
 * Errors: SG_NOMEM only; then the state is as before.
 */
SG_MUSTCHECK enum sg_err
features_fold(const struct feature_set *set, struct features *features,
	const struct event *ev, uint64_t filters,
	struct fold_result *ret_result);

/*
 * The value of a feature at `now_ms`: VALUE_ABSENT when there is none,
 * VALUE_ERROR when it cannot be told (overflow). *ret_valid_until_ms is the
 * first instant at which it differs with no event, AT_NEVER (change.h) when it
 * does not; it may be early, never late.
 *
 * Valid until: (texts and lists) the next fold of this account, or its
 *              features_destroy(). `arena` is for what has to be made.
 */
void
features_value(const struct feature_set *set, const struct features *features,
	uint32_t index, int64_t now_ms, struct arena *arena,
	struct value *ret_value, int64_t *ret_valid_until_ms);

/* Entries of a collect that had to leave since the account began; 0 for other
 * kinds. */
uint64_t
features_dropped(const struct feature_set *set, const struct features *features,
	uint32_t index);

/* --- the stored form ---------------------------------------------------- */

/*
 * What the stored form depends on: kinds, windows, types, order. A state is
 * stored with the hash of its layout, the layout itself once a partition
 * group; so a state of an older configuration can be read: features that are
 * still there (same name and `identity`) are kept, the others start empty.
 */
SG_MUSTCHECK enum sg_err
features_layout_write(const struct feature_set *set, struct buf *out);

struct features_layout; /* how a stored form maps onto today's set */
SG_MUSTCHECK enum sg_err
features_layout_read(const struct feature_set *set, const void *bytes,
	size_t len, struct features_layout **ret_layout, struct sg_fault *why);
void
features_layout_destroy(struct features_layout *layout);
/* False when a state read by way of the layout has nothing for a feature: it
 * begins empty. */
bool
features_layout_keeps(const struct feature_set *set,
	const struct features_layout *layout, uint32_t index);

void
features_encode(const struct feature_set *set, const struct features *features,
	struct buf *out);

/* `layout` NULL: stored with today's. Errors: SG_BAD_BLOB, SG_NOMEM. */
SG_MUSTCHECK enum sg_err
features_decode(const struct feature_set *set,
	const struct features_layout *layout, struct buf_reader *rd,
	struct features **ret_features);

#endif
