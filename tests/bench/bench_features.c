/*
 * bench_features.c - what the fold, a read and the stored form cost.
 *
 * Ten windowed features over a usage event, as a configuration would have
 * them. An account that is hot lies in the CPU's cache; the cold ones are
 * visited in random order and pay for memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/features.h"
#include "segmentd/hash.h"

#define BASE INT64_C(1709251200000)
#define DAY CIVIL_DAY_MS
#define HOT_EVENTS 2000000
#define COLD_ACCOUNTS 100000
#define COLD_EVENTS 2000000
#define COLD_SLICES 2000
#define COLD_DAYS 90
#define AHEAD 16 /* events from a prefetch to its fold */

static const struct feature_keep keeps[] = {{"status", 2, &type_string},
	{"arr", 1, &type_double}, {"ends_at", 3, &type_timestamp}};

#define FEATURE(name_, kind_, window_, slot_, type_, filter_)                  \
	{                                                                      \
		.name = (name_), .identity = (name_), .kind = FEATURE_##kind_, \
		.window_ms = (window_), .slot = (slot_), .type = (type_),      \
		.filter = (filter_), .closed_filter = -1, .remove_filter = -1, \
		.key_name = "id", .keep = keeps, .nkeep = 3, .max = 256        \
	}

/* The first ten are windowed; slot 0 int, 1 double, 2 text, 3 time. */
static const struct feature_def defs[] = {
	FEATURE("logins_14d", count, 14 * DAY, -1, NULL, 0),
	FEATURE("logins_1d", count, DAY, -1, NULL, 0),
	FEATURE("events_30d", count, 30 * DAY, -1, NULL, -1),
	FEATURE("minutes_30d", sum, 30 * DAY, 1, &type_double, -1),
	FEATURE("minutes_7d", mean, 7 * DAY, 1, &type_double, -1),
	FEATURE("seats_90d", max, 90 * DAY, 0, &type_int, -1),
	FEATURE("seats_low", min, 90 * DAY, 0, &type_int, -1),
	FEATURE("rate_7d", rate, 7 * DAY, -1, NULL, -1),
	FEATURE("trend_14d", trend, 14 * DAY, -1, NULL, -1),
	FEATURE("exports_30d", count, 30 * DAY, -1, NULL, 1),
	/* and ten more make the quiet account of 20 features */
	FEATURE("arr", last, 0, 1, &type_double, -1),
	FEATURE("plan", last, 0, 2, &type_string, -1),
	FEATURE("seats", last, 0, 0, &type_int, -1),
	FEATURE("first_seen", first, 0, 3, &type_timestamp, -1),
	FEATURE("last_seen", latest, 0, 3, &type_timestamp, -1),
	FEATURE("users_30d", distinct, 30 * DAY, 2, &type_string, -1),
	FEATURE("streak", streak, 0, -1, NULL, -1),
	FEATURE("silent", days_since, 0, -1, NULL, -1),
	FEATURE("subs", collect, 0, 2, &type_string, -1),
	FEATURE("spent_30d", sum, 30 * DAY, 0, &type_int, 1),
};

static uint64_t seed = 88172645463325252u;

static uint64_t
next_random(void)
{
	seed = hash_u64(seed);
	return seed;
}

static void
fill_event(struct event *ev, struct value *slots, int64_t offset, int64_t at_ms,
	uint64_t id)
{
	static const char *const texts[] = {"starter", "growth", "enterprise"};
	const char *text = texts[offset % 3];

	slots[0] = value_int(offset % 977);
	slots[1] = value_double((double)(offset % 500) + 0.25);
	slots[2] = value_string(text, (uint32_t)strlen(text));
	slots[3] = value_timestamp_ms(at_ms);
	*ev = (struct event){.offset = offset,
		.at_ms = at_ms,
		.kafka_ms = at_ms,
		.id_hash = id,
		.slots = slots,
		.nslots = 4};
}

static void
must(enum sg_err err)
{
	if (err == SG_OK)
		return;
	(void)fprintf(stderr, "bench_features: %s\n", sg_err_text(err));
	exit(1);
}

static struct feature_set *
set_of(size_t n)
{
	struct feature_set *set = NULL;
	struct sg_fault why = {0};

	if (feature_set_create(defs, n, &set, &why) != SG_OK) {
		(void)fprintf(stderr, "bench_features: %s\n", why.text);
		exit(1);
	}
	return set;
}

/* The machine is shared: the fastest of some slices is what it costs. */
#define SLICES 1000

struct hot {
	struct feature_set *set;
	struct features *features;
	uint32_t ndefs;
	int64_t days;
	int64_t sink;
	bool has_ids;
};

static int64_t
hot_fold(struct hot *hot, int slice)
{
	const int64_t n = HOT_EVENTS / SLICES;
	int64_t start = clock_mono_us();
	struct fold_result result;
	struct value slots[4];
	struct event ev;

	for (int64_t i = slice * n; i < (slice + 1) * n; i++) {
		int64_t at_ms = BASE + i * (hot->days * DAY / HOT_EVENTS);

		fill_event(&ev, slots, i, at_ms,
			hot->has_ids ? hash_u64((uint64_t)i) : 0);
		must(features_fold(hot->set, hot->features, &ev,
			(uint64_t)i & 3, &result));
	}
	return clock_mono_us() - start;
}

static int64_t
hot_read(struct hot *hot, struct arena *arena)
{
	int64_t start = clock_mono_us();
	struct value v;
	int64_t until;

	for (uint32_t i = 0; i < HOT_EVENTS / SLICES; i++) {
		features_value(hot->set, hot->features, i % hot->ndefs,
			BASE + hot->days * DAY, arena, &v, &until);
		hot->sink += until + v.as.i;
	}
	return clock_mono_us() - start;
}

/* One account, `days` between the first and the last event. */
static void
bench_hot(const char *what, uint32_t ndefs, int64_t days, bool has_ids)
{
	struct hot hot = {.set = set_of(ndefs),
		.ndefs = ndefs,
		.days = days,
		.has_ids = has_ids};
	int64_t fold_us = INT64_MAX;
	int64_t read_us = INT64_MAX;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	must(features_create(hot.set, &hot.features));
	for (int i = 0; i < SLICES; i++) {
		int64_t us = hot_fold(&hot, i);

		fold_us = us < fold_us ? us : fold_us;
	}
	for (int i = 0; i < SLICES; i++) {
		int64_t us = hot_read(&hot, &arena);

		read_us = us < read_us ? us : read_us;
	}
	(void)printf("hot   %-34s fold %5.1f ns  read %5.1f ns a value  "
		     "%zu bytes%s\n",
		what, (double)fold_us * 1000.0 * SLICES / HOT_EVENTS,
		(double)read_us * 1000.0 * SLICES / HOT_EVENTS,
		features_size(hot.features), hot.sink == 42 ? "!" : "");
	features_destroy(hot.features);
	feature_set_destroy(hot.set);
	arena_fini(&arena);
}

/* Few accounts get most events: the square of a uniform number. */
static size_t
pick_account(void)
{
	double u = (double)(next_random() >> 11) / 9007199254740992.0;

	return (size_t)(u * u * u * COLD_ACCOUNTS);
}

#define STORED_SLICE 100

static void
bench_stored(const struct feature_set *set, struct features **accounts)
{
	struct features *copies[STORED_SLICE];
	struct buf blobs[STORED_SLICE];
	size_t bytes = 0;
	int64_t encode_us = INT64_MAX;
	int64_t decode_us = INT64_MAX;

	for (size_t i = 0; i < STORED_SLICE; i++)
		buf_init(&blobs[i], 1 << 20);
	for (size_t i = 0; i < COLD_ACCOUNTS; i++) {
		struct buf *blob = &blobs[i % STORED_SLICE];

		buf_reset(blob);
		features_encode(set, accounts[i], blob);
		bytes += blob->len;
	}
	for (size_t i = 0; i < COLD_ACCOUNTS; i += STORED_SLICE) {
		int64_t start = clock_mono_us();
		int64_t middle;
		int64_t end;

		for (size_t j = 0; j < STORED_SLICE; j++) {
			buf_reset(&blobs[j]);
			features_encode(set, accounts[i + j], &blobs[j]);
		}
		middle = clock_mono_us();
		for (size_t j = 0; j < STORED_SLICE; j++) {
			struct buf_reader rd;

			buf_reader_init(&rd, blobs[j].bytes, blobs[j].len);
			must(features_decode(set, NULL, &rd, &copies[j]));
		}
		end = clock_mono_us();
		for (size_t j = 0; j < STORED_SLICE; j++)
			features_destroy(copies[j]);
		/* Accounts are sorted by how busy they are: the middle. */
		if (i < COLD_ACCOUNTS / 4 || i > COLD_ACCOUNTS / 2)
			continue;
		encode_us =
			middle - start < encode_us ? middle - start : encode_us;
		decode_us = end - middle < decode_us ? end - middle : decode_us;
	}
	for (size_t i = 0; i < STORED_SLICE; i++)
		buf_fini(&blobs[i]);
	(void)printf("store %zu bytes an account, encode %.0f ns, "
		     "decode %.0f ns at best\n",
		bytes / COLD_ACCOUNTS,
		(double)encode_us * 1000.0 / STORED_SLICE,
		(double)decode_us * 1000.0 / STORED_SLICE);
}

static int
by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* One slice of events for accounts at random. */
static int64_t
cold_fold(const struct feature_set *set, struct features **accounts,
	int64_t slice, bool has_ids)
{
	const int64_t n = COLD_EVENTS / COLD_SLICES;
	struct features *picked[COLD_EVENTS / COLD_SLICES];
	struct value slots[4];
	struct fold_result result;
	struct event ev;
	int64_t start;

	for (int64_t i = 0; i < n; i++)
		picked[i] = accounts[pick_account()];
	start = clock_mono_us();
	for (int64_t i = 0; i < n; i++) {
		int64_t at = slice * n + i;

		if (i + AHEAD < n)
			features_prefetch(picked[i + AHEAD]);
		fill_event(&ev, slots, at,
			BASE + at * (COLD_DAYS * DAY / COLD_EVENTS),
			has_ids ? hash_u64((uint64_t)at) : 0);
		must(features_fold(
			set, picked[i], &ev, (uint64_t)at & 3, &result));
	}
	return clock_mono_us() - start;
}

static void
bench_cold(const char *what, size_t ndefs, bool has_ids)
{
	struct feature_set *set = set_of(ndefs);
	struct features **accounts = calloc(COLD_ACCOUNTS, sizeof(*accounts));
	static int64_t us[COLD_SLICES / 2];
	size_t bytes = 0;
	size_t most = 0;

	if (accounts == NULL)
		must(SG_NOMEM);
	for (size_t i = 0; i < COLD_ACCOUNTS; i++)
		must(features_create(set, &accounts[i]));
	/* The first half fills the windows. */
	for (int64_t i = 0; i < COLD_SLICES; i++) {
		int64_t slice_us = cold_fold(set, accounts, i, has_ids);

		if (i >= COLD_SLICES / 2)
			us[i - COLD_SLICES / 2] = slice_us;
	}
	qsort(us, COLD_SLICES / 2, sizeof(us[0]), by_number);
	for (size_t i = 0; i < COLD_ACCOUNTS; i++) {
		size_t size = features_size(accounts[i]);

		bytes += size;
		most = size > most ? size : most;
	}
	(void)printf("cold  %-34s fold %5.1f ns at best, %5.1f median  "
		     "memory: mean %zu, most %zu bytes\n",
		what, (double)us[0] * 1000.0 * COLD_SLICES / COLD_EVENTS,
		(double)us[SG_COUNTOF(us) / 2] * 1000.0 * COLD_SLICES /
			COLD_EVENTS,
		bytes / COLD_ACCOUNTS, most);
	bench_stored(set, accounts);
	for (size_t i = 0; i < COLD_ACCOUNTS; i++)
		features_destroy(accounts[i]);
	free(accounts);
	feature_set_destroy(set);
}

int
main(void)
{
	bench_hot("10 windowed, one day", 10, 1, false);
	bench_hot("10 windowed, 400 days", 10, 400, false);
	bench_hot("10 windowed, 400 days, event ids", 10, 400, true);
	bench_hot("20 features, 400 days", 20, 400, false);
	bench_cold("10 windowed", 10, false);
	bench_cold("10 windowed, event ids", 10, true);
	bench_cold("20 features, event ids", 20, true);
	return 0;
}
