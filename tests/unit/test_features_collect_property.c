/*
 * test_features_collect_property.c - collections against a model that keeps
 * every event.
 *
 * The model knows one thing beside the events: of each key, from which arrival
 * on it is remembered, since an entry that had to leave is forgotten as if it
 * had never been. An entry is then the event of its key with the greatest
 * (time, offset) since. Events come in any order, late, repeated, with nulls,
 * with texts too long; there are more keys than room.
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
#define NEVENTS 500
#define NKEYS_MAX 160
#define CLOSED 1 /* filters */
#define REMOVED 2
#define LONG_TEXT (FEATURE_TEXT_MAX + 40)

enum { SLOT_KEY, SLOT_TEXT, SLOT_INT, SLOT_DOUBLE, SLOT_TIME, NSLOTS };

static const struct feature_keep keep[] = {{"text", SLOT_TEXT, &type_string},
	{"n", SLOT_INT, &type_int}, {"x", SLOT_DOUBLE, &type_double},
	{"due", SLOT_TIME, &type_timestamp}};

static char long_text[LONG_TEXT + 1];

struct key {
	struct value value;
	size_t since; /* arrivals before this one are forgotten */
};

struct subject {
	struct feature_def def;
	struct feature_set *set;
	struct features *features;
	struct model model;
	struct key keys[NKEYS_MAX];
	char names[NKEYS_MAX][32];
	size_t nkeys;
	uint64_t dropped;
	uint64_t seed;
	int64_t clock;
};

/* --- the model ---------------------------------------------------------- */

static bool
is_newer(const struct model_event *a, const struct model_event *b)
{
	return a->ev.at_ms != b->ev.at_ms ? a->ev.at_ms > b->ev.at_ms
					  : a->ev.offset > b->ev.offset;
}

/* What is remembered of a key; NULL: nothing. */
static const struct model_event *
best_of(const struct subject *subject, const struct key *key)
{
	const struct model_event *best = NULL;

	for (size_t i = key->since; i < subject->model.nevents; i++) {
		const struct model_event *me = &subject->model.events[i];

		if (model_counts(&subject->def, me) &&
			value_same(me->slots[SLOT_KEY], key->value) &&
			(best == NULL || is_newer(me, best)))
			best = me;
	}
	return best;
}

static bool
is_removal(const struct model_event *me)
{
	return (me->filters >> REMOVED & 1) != 0;
}

static bool
is_closed(const struct model_event *me)
{
	return (me->filters >> CLOSED & 1) != 0;
}

/* The first to leave: of the entries a closed one before an open one, then the
 * oldest; of the removals the oldest. Counts them. */
static struct key *
first_to_leave(struct subject *subject, bool is_of_removals, size_t *ret_n)
{
	const struct model_event *first = NULL;
	struct key *leaver = NULL;

	*ret_n = 0;
	for (size_t k = 0; k < subject->nkeys; k++) {
		const struct model_event *me =
			best_of(subject, &subject->keys[k]);
		bool is_before;

		if (me == NULL || is_removal(me) != is_of_removals)
			continue;
		(*ret_n)++;
		is_before = first == NULL || is_newer(first, me);
		if (first != NULL && !is_of_removals &&
			is_closed(first) != is_closed(me))
			is_before = is_closed(me);
		if (is_before) {
			first = me;
			leaver = &subject->keys[k];
		}
	}
	return leaver;
}

static void
model_trim(struct subject *subject)
{
	struct key *leaver;
	size_t n;

	leaver = first_to_leave(subject, false, &n);
	if (n > subject->def.max) {
		leaver->since = subject->model.nevents;
		subject->dropped++;
	}
	leaver = first_to_leave(subject, true, &n);
	if (n > FEATURE_GONE_MAX)
		leaver->since = subject->model.nevents;
}

/* --- what happens ------------------------------------------------------- */

/* Key number k of the type, unlike all others. */
static struct value
key_value(struct subject *subject, const struct type *type, size_t k)
{
	switch (type->kind) {
	case TYPE_STRING:
		(void)snprintf(subject->names[k], sizeof(subject->names[k]),
			"%s%zu", k % 3 == 0 ? "" : "k\xc3\xa9y", k);
		return value_string(
			subject->names[k], (uint32_t)strlen(subject->names[k]));
	case TYPE_INT:
		return value_int(((int64_t)k - 20) * 1000000007);
	case TYPE_UINT:
		return value_uint(UINT64_MAX - k);
	case TYPE_BOOL:
		return value_bool(k == 1);
	default:
		return value_timestamp(
			(int64_t)(k / 2) - 10, (uint32_t)(k % 2) * 500);
	}
}

static void
subject_open(struct subject *subject, uint64_t seed)
{
	static const struct type *const types[] = {&type_string, &type_int,
		&type_uint, &type_timestamp, &type_bool};
	static const uint32_t rooms[] = {1, 2, 5, 16, 60, 256};
	struct sg_fault why = {0};
	const struct type *type;

	memset(subject, 0, sizeof(*subject));
	subject->seed = seed;
	type = types[model_below(&subject->seed, 5)];
	subject->clock = BASE;
	subject->def = (struct feature_def){.name = "a.all",
		.identity = "x",
		.kind = FEATURE_collect,
		.slot = SLOT_KEY,
		.type = type,
		.key_name = "id",
		.filter = (int32_t)model_below(&subject->seed, 2) - 1,
		.keep = keep,
		.nkeep = (size_t)model_below(
			&subject->seed, SG_COUNTOF(keep) + 1),
		.max = rooms[model_below(&subject->seed, 6)],
		.closed_filter = CLOSED,
		.remove_filter = REMOVED};
	subject->nkeys =
		type->kind == TYPE_BOOL
			? 2
			: 1 + (size_t)model_below(&subject->seed,
				      model_below(&subject->seed, 2) ? NKEYS_MAX
								     : 12);
	for (size_t k = 0; k < subject->nkeys; k++)
		subject->keys[k].value = key_value(subject, type, k);
	subject->model.defs = &subject->def;
	subject->model.ndefs = 1;
	subject->model.events = calloc(NEVENTS, sizeof(struct model_event));
	assert_non_null(subject->model.events);
	if (feature_set_create(&subject->def, 1, &subject->set, &why) != SG_OK)
		fail_msg("%s", why.text);
	assert_int_equal(
		features_create(subject->set, &subject->features), SG_OK);
}

static void
subject_close(struct subject *subject)
{
	features_destroy(subject->features);
	feature_set_destroy(subject->set);
	free(subject->model.events);
}

static void
random_event(struct subject *subject, int64_t offset, struct model_event *me)
{
	static const char *const texts[] = {"", "open", "won", "l\xc3\xb6st"};
	uint64_t *seed = &subject->seed;
	const char *text = texts[model_below(seed, 4)];

	if (model_below(seed, 12) == 0)
		text = long_text;
	subject->clock += model_below(seed, 2) * model_below(seed, DAY);
	*me = (struct model_event){.filters = (uint64_t)model_below(seed, 2)};
	me->filters |= (uint64_t)(model_below(seed, 3) == 0) << CLOSED;
	me->filters |= (uint64_t)(model_below(seed, 4) == 0) << REMOVED;
	me->ev.offset = offset;
	me->ev.kafka_ms = model_below(seed, 8) == 0 ? -1 : subject->clock;
	/* Late, or at one time with others. */
	me->ev.at_ms = subject->clock;
	if (model_below(seed, 2) == 0)
		me->ev.at_ms -= model_below(seed, 30 * DAY);
	if (model_below(seed, 3) == 0)
		me->ev.at_ms -= me->ev.at_ms % DAY;
	if (model_below(seed, 20) == 0)
		me->ev.at_ms += 400 * DAY; /* ahead of any clock */
	if (model_below(seed, 3) == 0)
		me->ev.id_hash = 1 + (uint64_t)model_below(seed, 60);
	me->slots[SLOT_KEY] =
		subject->keys[model_below(seed, (int64_t)subject->nkeys)].value;
	me->slots[SLOT_TEXT] = value_string(text, (uint32_t)strlen(text));
	me->slots[SLOT_INT] = value_int(model_below(seed, 3));
	me->slots[SLOT_DOUBLE] = value_double((double)model_below(seed, 4) / 3);
	me->slots[SLOT_TIME] = value_timestamp(
		BASE / 1000 + model_below(seed, 9), (uint32_t)offset);
	for (int i = 0; i < NSLOTS; i++) {
		if (model_below(seed, 12) == 0)
			me->slots[i] = model_below(seed, 2) ? value_null()
							    : value_absent();
	}
	me->ev.slots = me->slots;
	me->ev.nslots = NSLOTS;
}

/* --- the checks --------------------------------------------------------- */

static struct value
entries(const struct subject *subject, int64_t now)
{
	struct value list;
	int64_t until;

	features_value(
		subject->set, subject->features, 0, now, NULL, &list, &until);
	assert_int_equal(list.kind, VALUE_LIST);
	assert_true(until == AT_NEVER);
	return list;
}

static bool
is_kept(struct value got, struct value sent)
{
	if (model_is_null(sent))
		return got.kind == VALUE_NULL;
	if (sent.kind == VALUE_STRING && sent.len > FEATURE_TEXT_MAX)
		sent.len = FEATURE_TEXT_MAX;
	return value_same(got, sent);
}

static int
key_order(struct value a, struct value b)
{
	uint32_t len = a.len < b.len ? a.len : b.len;
	int order;

	if (a.kind == VALUE_BOOL)
		return (int)a.as.b - (int)b.as.b;
	if (a.kind != VALUE_STRING)
		return model_order(a, b);
	order = memcmp(a.as.s, b.as.s, len);
	return order != 0 ? order : (int)a.len - (int)b.len;
}

static void
check_entry(const struct subject *subject, struct value record)
{
	const struct model_event *best = NULL;

	for (size_t k = 0; k < subject->nkeys && best == NULL; k++) {
		if (value_same(subject->keys[k].value, record.as.items[0]))
			best = best_of(subject, &subject->keys[k]);
	}
	if (best == NULL || is_removal(best))
		fail_msg("after %zu events there is an entry too many",
			subject->model.nevents);
	assert_int_equal(record.len, 1 + subject->def.nkeep);
	for (size_t i = 0; i < subject->def.nkeep; i++) {
		if (!is_kept(record.as.items[1 + i], best->slots[keep[i].slot]))
			fail_msg("after %zu events `%s` is that of another "
				 "event",
				subject->model.nevents, keep[i].name);
	}
}

static void
check_entries(struct subject *subject)
{
	struct value list = entries(subject,
		subject->clock + model_below(&subject->seed, 3) * 500 * DAY);
	size_t n;

	(void)first_to_leave(subject, false, &n);
	if (list.len != n)
		fail_msg("%u entries after %zu events, not %zu", list.len,
			subject->model.nevents, n);
	for (uint32_t i = 0; i < list.len; i++) {
		check_entry(subject, list.as.items[i]);
		if (i > 0)
			assert_true(key_order(list.as.items[i - 1].as.items[0],
					    list.as.items[i].as.items[0]) < 0);
	}
	assert_int_equal(features_dropped(subject->set, subject->features, 0),
		subject->dropped);
}

/* Go on with what was stored. */
static void
store_and_load(struct subject *subject)
{
	struct features *copy = NULL;
	struct buf_reader rd;
	struct buf blob;

	buf_init(&blob, 1 << 22);
	features_encode(subject->set, subject->features, &blob);
	assert_false(blob.is_failed);
	buf_reader_init(&rd, blob.bytes, blob.len);
	assert_int_equal(
		features_decode(subject->set, NULL, &rd, &copy), SG_OK);
	buf_fini(&blob);
	features_destroy(subject->features);
	subject->features = copy;
}

static void
fold_checked(struct subject *subject, struct model_event *me)
{
	uint64_t dropped = subject->dropped;
	struct fold_result result;
	struct arena arena;
	struct value before;
	bool is_new;

	arena_init(&arena, 1 << 22);
	before = value_copy(&arena, entries(subject, subject->clock));
	assert_int_equal(before.kind, VALUE_LIST);
	is_new = model_add(&subject->model, me);
	if (is_new)
		model_trim(subject);
	me->ev.slots = me->slots;
	assert_int_equal(features_fold(subject->set, subject->features, &me->ev,
				 me->filters, &result),
		SG_OK);
	assert_int_equal(result.is_repeat, !is_new);
	assert_false(result.is_late);
	if (subject->dropped != dropped)
		assert_true(result.is_overflow);
	if ((result.changed[0] & 1) == 0)
		assert_true(
			value_same(before, entries(subject, subject->clock)));
	arena_fini(&arena);
}

static void
entries_are_those_of_a_model_that_keeps_every_event(void **state)
{
	uint64_t dropped = 0;

	(void)state;
	memset(long_text, 'x', LONG_TEXT);
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct subject subject;

		subject_open(&subject, seed * 7907);
		for (int i = 0; i < NEVENTS; i++) {
			struct model_event me;

			random_event(&subject, i, &me);
			fold_checked(&subject, &me);
			if (model_below(&subject.seed, 16) == 0)
				store_and_load(&subject);
			if (model_below(&subject.seed, 8) == 0)
				check_entries(&subject);
		}
		check_entries(&subject);
		dropped += subject.dropped;
		subject_close(&subject);
	}
	/* It was about what has to leave, too. */
	assert_true(dropped > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			entries_are_those_of_a_model_that_keeps_every_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
