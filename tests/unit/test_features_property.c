/*
 * test_features_property.c - features against a model that keeps every event.
 *
 * Random configurations meet random events: out of order, late, from the
 * future, repeated, with and without a Kafka time. Each value, each
 * valid_until and the stored form are compared with what the model says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test_features_model.h"

#define DAY CIVIL_DAY_MS
#define BASE INT64_C(1709251200000) /* 2024-03-01 */
#define NDEFS 40

enum {
	SLOT_INT,
	SLOT_DOUBLE,
	SLOT_TEXT,
	SLOT_TIME,
	SLOT_UINT,
	SLOT_SPAN,
	SLOT_BOOL,
	NSLOTS
};

static const struct type *const slot_types[NSLOTS] = {&type_int, &type_double,
	&type_string, &type_timestamp, &type_uint, &type_duration, &type_bool};

static const int64_t windows[] = {1000, 60000, 90000, 600000, 3600000, 3600001,
	7200000, 5 * 3600000, 6 * 3600000, 86400000, 60 * 3600000,
	60 * 3600000 + 1, 7 * DAY, 30 * DAY, 90 * DAY, 400 * DAY};

static char names[NDEFS][32];

static int
kind_slot(uint64_t *seed, enum feature_kind kind)
{
	static const int ordered[] = {
		SLOT_INT, SLOT_DOUBLE, SLOT_TIME, SLOT_UINT, SLOT_SPAN};
	static const int summed[] = {
		SLOT_INT, SLOT_DOUBLE, SLOT_UINT, SLOT_SPAN};

	switch (kind) {
	case FEATURE_latest:
	case FEATURE_min:
	case FEATURE_max:
		return ordered[model_below(seed, 5)];
	case FEATURE_sum:
		return summed[model_below(seed, 4)];
	case FEATURE_mean:
		return summed[model_below(seed, 3)];
	case FEATURE_rate:
	case FEATURE_trend:
		return model_below(seed, 2) == 0 ? -1
						 : summed[model_below(seed, 3)];
	case FEATURE_count:
	case FEATURE_streak:
	case FEATURE_days_since:
		return (int)model_below(seed, NSLOTS + 1) - 1;
	default:
		return (int)model_below(seed, NSLOTS);
	}
}

static size_t
random_defs(uint64_t *seed, struct feature_def *defs)
{
	static const char *const zones[] = {
		"", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"};
	size_t n = 1 + (size_t)model_below(seed, NDEFS);

	for (size_t i = 0; i < n; i++) {
		struct feature_def *def = &defs[i];
		enum feature_kind kind = FEATURE_collect;
		const char *zone = zones[model_below(seed, 4)];

		while (kind == FEATURE_collect)
			kind = (enum feature_kind)model_below(
				seed, FEATURE_KIND_COUNT);
		(void)snprintf(names[i], sizeof(names[i]), "f%zu", i);
		*def = (struct feature_def){.name = names[i],
			.identity = "x",
			.input = (uint32_t)model_below(seed, 3),
			.kind = kind,
			.slot = kind_slot(seed, kind),
			.filter = (int32_t)model_below(seed, 3) - 1,
			.closed_filter = -1,
			.remove_filter = -1};
		if (def->slot >= 0)
			def->type = slot_types[def->slot];
		if (kind == FEATURE_streak || kind == FEATURE_days_since)
			def->tz = tz_open(zone, strlen(zone));
		else if (kind != FEATURE_last && kind != FEATURE_first &&
			 kind != FEATURE_latest)
			def->window_ms = windows[model_below(
				seed, (int64_t)SG_COUNTOF(windows))];
		if (kind >= FEATURE_count && kind <= FEATURE_mean &&
			model_below(seed, 8) == 0)
			def->window_ms = 0;
	}
	return n;
}

static void
random_slots(uint64_t *seed, struct model_event *me)
{
	static const char *const texts[] = {"", "a", "12345678", "123456789",
		"a text of some length, more than a cell has room for",
		"gr\xc3\xbc\xc3\x9f"};
	const char *text = texts[model_below(seed, 6)];
	bool is_odd = model_below(seed, 10) == 0;

	me->slots[SLOT_INT] = value_int(model_below(seed, 2001) - 1000);
	if (is_odd)
		me->slots[SLOT_INT] =
			value_int(model_below(seed, 2) ? INT64_MAX : INT64_MIN);
	me->slots[SLOT_DOUBLE] = value_double(
		(double)(model_below(seed, 200001) - 100000) / 1000.0);
	if (model_below(seed, 30) == 0)
		me->slots[SLOT_DOUBLE] = value_double((double)NAN);
	me->slots[SLOT_TEXT] = value_string(text, (uint32_t)strlen(text));
	me->slots[SLOT_TIME] =
		value_timestamp(BASE / 1000 + model_below(seed, 100000) - 50000,
			(uint32_t)model_below(seed, 3) * 333000000u);
	me->slots[SLOT_UINT] = value_uint((uint64_t)model_below(seed, 1000));
	me->slots[SLOT_SPAN] = value_duration(model_below(seed, 10000),
		(uint32_t)model_below(seed, 1000000000));
	me->slots[SLOT_BOOL] = value_bool(model_below(seed, 2) == 0);
	for (int i = 0; i < NSLOTS; i++) {
		if (model_below(seed, 8) == 0)
			me->slots[i] = model_below(seed, 2) ? value_null()
							    : value_absent();
	}
}

/* `clock` walks on; an event is near it, late, long ago or ahead of it. */
static void
random_event(
	uint64_t *seed, int64_t *clock, int64_t offset, struct model_event *me)
{
	static const int64_t steps[] = {1, 1000, 60000, 3600000, DAY, 20 * DAY};
	static const int64_t reach[] = {
		1, 60000, 3600000, DAY, 40 * DAY, 500 * DAY};

	*clock += model_below(seed, steps[model_below(seed, 6)]);
	*me = (struct model_event){.filters = (uint64_t)model_below(seed, 4)};
	me->ev.input = (uint32_t)model_below(seed, 3);
	me->ev.offset = offset;
	me->ev.at_ms = *clock;
	me->ev.kafka_ms = *clock;
	switch (model_below(seed, 5)) {
	case 0:
		me->ev.at_ms -= model_below(seed, reach[model_below(seed, 6)]);
		break;
	case 1:
		me->ev.at_ms += model_below(seed, reach[model_below(seed, 4)]);
		break;
	case 2: /* times at edges */
		me->ev.at_ms -=
			me->ev.at_ms % (model_below(seed, 2) ? DAY : 60000);
		me->ev.at_ms -= model_below(seed, 2);
		break;
	default:
		break;
	}
	if (model_below(seed, 20) == 0)
		me->ev.at_ms += 3 * DAY; /* more than any clock may be ahead */
	if (model_below(seed, 10) == 0)
		me->ev.kafka_ms = -1;
	if (model_below(seed, 3) == 0)
		me->ev.id_hash = 1 + (uint64_t)model_below(seed, 100);
	random_slots(seed, me);
	me->ev.slots = me->slots;
	me->ev.nslots = NSLOTS;
}

/* --- the checks --------------------------------------------------------- */

struct subject {
	struct feature_def defs[NDEFS];
	struct model model;
	struct feature_set *set;
	struct features *features;
	struct arena arena;
	uint64_t seed;
	int64_t clock;
};

static void
subject_open(struct subject *subject, uint64_t seed)
{
	struct sg_fault why = {0};

	memset(subject, 0, sizeof(*subject));
	subject->seed = seed;
	subject->clock = BASE;
	subject->model.defs = subject->defs;
	subject->model.ndefs = random_defs(&subject->seed, subject->defs);
	subject->model.events =
		calloc(MODEL_EVENTS_MAX, sizeof(*subject->model.events));
	assert_non_null(subject->model.events);
	if (feature_set_create(subject->defs, subject->model.ndefs,
		    &subject->set, &why) != SG_OK)
		fail_msg("seed %llu: %s", (unsigned long long)seed, why.text);
	assert_int_equal(
		features_create(subject->set, &subject->features), SG_OK);
	arena_init(&subject->arena, 1 << 20);
}

static void
subject_close(struct subject *subject)
{
	features_destroy(subject->features);
	feature_set_destroy(subject->set);
	arena_fini(&subject->arena);
	free(subject->model.events);
}

static struct value
value_at(struct subject *subject, uint32_t i, int64_t now, int64_t *ret_until)
{
	struct value v;

	features_value(subject->set, subject->features, i, now, &subject->arena,
		&v, ret_until);
	return v;
}

static void
print_failed(const struct subject *subject, uint32_t i, int64_t now,
	struct value got, struct value want)
{
	char text[2][128];
	struct buf buf;

	for (int j = 0; j < 2; j++) {
		buf_init(&buf, 4096);
		value_to_json(j == 0 ? got : want, NULL, &buf);
		(void)snprintf(text[j], sizeof(text[j]), "%s", buf_cstr(&buf));
		buf_fini(&buf);
	}
	fail_msg(
		"feature %u (%s, slot %d, window %lld, filter %d) at %lld after"
		" %zu events: %s (%u), not %s (%u)",
		i, feature_kind_name(subject->defs[i].kind),
		subject->defs[i].slot, (long long)subject->defs[i].window_ms,
		subject->defs[i].filter, (long long)(now - BASE),
		subject->model.nevents, text[0], got.kind, text[1], want.kind);
}

/* Of a member only the newest tile up to the head is kept: distinct values are
 * exact from there on. */
static int64_t
from_head(const struct subject *subject, uint32_t i, int64_t now)
{
	const struct feature_def *def = &subject->defs[i];
	struct model_window w;
	int64_t head_ms;

	if (def->kind != FEATURE_distinct)
		return now;
	w = model_window_at(&subject->model, def, now);
	head_ms = (w.least + model_span(&subject->model, def)) * w.width;
	return now < head_ms ? head_ms : now;
}

static void
check_value(struct subject *subject, uint32_t i, int64_t now)
{
	int64_t until;
	struct value got = value_at(subject, i, now, &until);
	struct value want =
		model_value(&subject->model, &subject->defs[i], now);

	if (!value_same(got, want))
		print_failed(subject, i, now, got, want);
}

/* Nothing differs before valid_until: probed where anything could. */
static void
check_until(struct subject *subject, uint32_t i, int64_t now)
{
	const struct feature_def *def = &subject->defs[i];
	int64_t until;
	int64_t again;
	struct value v = value_at(subject, i, now, &until);

	assert_true(until > now);
	if (until == AT_NEVER)
		until = now + 2000 * DAY;
	check_value(subject, i, until - 1);
	if (!value_same(v, value_at(subject, i, until - 1, &again)))
		fail_msg("%s: differs before %lld",
			feature_kind_name(def->kind), (long long)until);
	for (int j = 0; j < 6; j++) {
		int64_t width = j < 5 ? model_width(windows[j * 3 + 2]) : DAY;
		int64_t at = now + model_below(&subject->seed, until - now);

		at -= at % width;
		if (at <= now || at >= until)
			continue;
		if (!value_same(v, value_at(subject, i, at, &again)))
			fail_msg("%s at %lld: differs at %lld, before %lld",
				feature_kind_name(def->kind), (long long)now,
				(long long)at, (long long)until);
	}
}

static void
check_stored(struct subject *subject)
{
	struct features *copy = NULL;
	struct buf_reader rd;
	struct buf first;
	struct buf second;

	buf_init(&first, 1 << 22);
	buf_init(&second, 1 << 22);
	features_encode(subject->set, subject->features, &first);
	assert_false(first.is_failed);
	buf_reader_init(&rd, first.bytes, first.len);
	assert_int_equal(
		features_decode(subject->set, NULL, &rd, &copy), SG_OK);
	assert_true(rd.at == rd.end);
	features_encode(subject->set, copy, &second);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.bytes, second.bytes, first.len);
	buf_fini(&first);
	buf_fini(&second);
	/* Go on with the copy: it must be as good. */
	features_destroy(subject->features);
	subject->features = copy;
}

/* Fold, and see that every feature whose value differs was named. */
static void
fold_checked(struct subject *subject, const struct model_event *me,
	struct fold_result *result)
{
	int64_t now = subject->clock + model_below(&subject->seed, 2) * DAY;
	struct value before[NDEFS];
	int64_t until;

	arena_reset(&subject->arena);
	for (uint32_t i = 0; i < subject->model.ndefs; i++)
		before[i] = value_copy(
			&subject->arena, value_at(subject, i, now, &until));
	assert_int_equal(features_fold(subject->set, subject->features, &me->ev,
				 me->filters, result),
		SG_OK);
	for (uint32_t i = 0; i < subject->model.ndefs; i++) {
		struct value after = value_at(subject, i, now, &until);

		if ((result->changed[i / 64] >> (i % 64) & 1) == 0 &&
			!value_same(before[i], after) &&
			from_head(subject, i, now) == now)
			print_failed(subject, i, now, after, before[i]);
	}
}

static void
play(uint64_t seed, int nevents)
{
	struct subject subject;
	struct fold_result result;

	subject_open(&subject, seed);
	for (int i = 0; i < nevents; i++) {
		struct model_event me;
		bool is_new;

		random_event(&subject.seed, &subject.clock, i, &me);
		me.ev.slots = me.slots;
		is_new = model_add(&subject.model, &me);
		fold_checked(&subject, &me, &result);
		assert_int_equal(result.is_repeat, !is_new);
		if (model_below(&subject.seed, 16) == 0)
			check_stored(&subject);
		if (model_below(&subject.seed, 4) != 0 && i + 1 < nevents)
			continue;
		for (uint32_t j = 0; j < subject.model.ndefs; j++) {
			int64_t now =
				subject.clock +
				model_below(&subject.seed, 3) *
					model_below(&subject.seed,
						1 + subject.defs[j].window_ms);

			if (model_below(&subject.seed, 8) == 0)
				now -= model_below(&subject.seed, 2 * DAY);
			now = from_head(&subject, j, now);
			check_value(&subject, j, now);
			check_until(&subject, j, now);
		}
	}
	subject_close(&subject);
}

static void
values_are_those_of_a_model_that_keeps_every_event(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++)
		play(seed * 7919, 60);
	for (uint64_t seed = 1; seed <= 3; seed++)
		play(seed * 104729, 400);
}

/* Without repeats, any order gives the same state, byte for byte. */
static void
order_does_not_matter(void **state)
{
	enum { N = 80 };
	static struct model_event events[N];

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct subject subject;
		struct buf first;
		struct buf second;

		buf_init(&first, 1 << 22);
		buf_init(&second, 1 << 22);
		subject_open(&subject, seed * 6151);
		for (int i = 0; i < N; i++) {
			random_event(
				&subject.seed, &subject.clock, i, &events[i]);
			events[i].ev.id_hash = 0;
		}
		for (int round = 0; round < 4; round++) {
			struct buf *out = round == 0 ? &first : &second;

			for (int i = 0; i < N; i++) {
				struct fold_result result;

				events[i].ev.slots = events[i].slots;
				assert_int_equal(
					features_fold(subject.set,
						subject.features, &events[i].ev,
						events[i].filters, &result),
					SG_OK);
			}
			buf_reset(out);
			features_encode(subject.set, subject.features, out);
			if (round > 0 &&
				(first.len != second.len ||
					memcmp(first.bytes, second.bytes,
						first.len) != 0))
				fail_msg("seed %llu, order %d",
					(unsigned long long)seed, round);
			features_destroy(subject.features);
			assert_int_equal(
				features_create(subject.set, &subject.features),
				SG_OK);
			for (int i = N - 1; i > 0; i--) {
				int j = (int)model_below(&subject.seed, i + 1);
				struct model_event held = events[i];

				events[i] = events[j];
				events[j] = held;
			}
		}
		subject_close(&subject);
		buf_fini(&first);
		buf_fini(&second);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			values_are_those_of_a_model_that_keeps_every_event),
		cmocka_unit_test(order_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
