/*
 * test_features_collect.c - keyed entries: setting, removing, leaving.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/change.h"
#include "segmentd/features.h"

#define BASE INT64_C(1709251200000)
#define CLOSED 1u /* bits of the filters */
#define REMOVED 2u

static const struct feature_keep keep[] = {
	{"status", 1, &type_string}, {"arr", 2, &type_int}};

struct held {
	struct feature_set *set;
	struct features *features;
	const struct type *type;
};

struct step {
	const char *key;
	int64_t at;
	int64_t offset;
	unsigned filters;
	const char *status; /* NULL: null */
	int64_t arr;
};

static struct held
hold(uint32_t max)
{
	struct feature_def def = {.name = "subs",
		.kind = FEATURE_collect,
		.slot = 0,
		.type = &type_string,
		.key_name = "id",
		.filter = -1,
		.keep = keep,
		.nkeep = SG_COUNTOF(keep),
		.max = max,
		.closed_filter = 0,
		.remove_filter = 1};
	struct held held = {0};
	struct sg_fault why = {0};

	if (feature_set_create(&def, 1, &held.set, &why) != SG_OK)
		fail_msg("%s", why.text);
	held.type = feature_type(held.set, 0);
	assert_int_equal(features_create(held.set, &held.features), SG_OK);
	return held;
}

static void
let_go(struct held *held)
{
	features_destroy(held->features);
	feature_set_destroy(held->set);
}

static struct value
text(const char *s)
{
	return s == NULL ? value_null() : value_string(s, (uint32_t)strlen(s));
}

static struct fold_result
take(struct held *held, struct step step)
{
	struct value slots[3] = {
		text(step.key), text(step.status), value_int(step.arr)};
	struct event ev = {.at_ms = BASE + step.at,
		.offset = step.offset,
		.kafka_ms = -1,
		.slots = slots,
		.nslots = 3};
	struct fold_result result;

	assert_int_equal(features_fold(held->set, held->features, &ev,
				 step.filters, &result),
		SG_OK);
	return result;
}

/* The list as "key status arr, ..."; after a way through the stored form. */
static const char *
list(struct held *held)
{
	static char line[16384];
	struct features *copy = NULL;
	struct buf blob;
	struct buf again;
	struct buf_reader rd;
	struct value v;
	int64_t until;
	size_t n = 0;

	buf_init(&blob, 1 << 20);
	buf_init(&again, 1 << 20);
	features_encode(held->set, held->features, &blob);
	buf_reader_init(&rd, blob.bytes, blob.len);
	assert_int_equal(features_decode(held->set, NULL, &rd, &copy), SG_OK);
	features_encode(held->set, copy, &again);
	assert_int_equal(blob.len, again.len);
	assert_memory_equal(blob.bytes, again.bytes, blob.len);
	buf_fini(&blob);
	buf_fini(&again);
	features_destroy(held->features);
	held->features = copy;

	features_value(held->set, copy, 0, BASE, NULL, &v, &until);
	assert_int_equal(v.kind, VALUE_LIST);
	assert_int_equal(until, AT_NEVER);
	line[0] = '\0';
	for (uint32_t i = 0; i < v.len; i++) {
		const struct value *f = v.as.items[i].as.items;

		assert_int_equal(v.as.items[i].len, 3);
		n += (size_t)snprintf(line + n, sizeof(line) - n,
			"%s%.*s %.*s %lld", i == 0 ? "" : ", ", (int)f[0].len,
			f[0].as.s, f[1].kind == VALUE_NULL ? 1 : (int)f[1].len,
			f[1].kind == VALUE_NULL ? "-" : f[1].as.s,
			(long long)f[2].as.i);
	}
	return line;
}

static void
entries_are_ordered_by_key(void **state)
{
	struct held held = hold(10);

	(void)state;
	assert_string_equal(list(&held), "");
	take(&held, (struct step){"b", 1, 1, 0, "open", 5});
	take(&held, (struct step){"", 1, 2, 0, NULL, 6});
	take(&held, (struct step){"ab", 1, 3, 0, "open", 7});
	take(&held, (struct step){"a", 1, 4, 0, "open", 8});
	assert_string_equal(list(&held), " - 6, a open 8, ab open 7, b open 5");
	let_go(&held);
}

static void
the_newest_of_a_key_wins(void **state)
{
	struct held held = hold(10);

	(void)state;
	take(&held, (struct step){"a", 5, 1, 0, "new", 1});
	take(&held, (struct step){"a", 4, 2, 0, "late", 2});
	assert_string_equal(list(&held), "a new 1");
	take(&held, (struct step){"a", 5, 3, 0, "same time, next offset", 3});
	assert_string_equal(list(&held), "a same time, next offset 3");
	take(&held, (struct step){"a", 5, 2, 0, "offset before", 4});
	assert_string_equal(list(&held), "a same time, next offset 3");
	let_go(&held);
}

static void
a_removed_entry_does_not_come_back(void **state)
{
	struct held held = hold(10);
	struct fold_result result;

	(void)state;
	take(&held, (struct step){"a", 5, 1, 0, "x", 1});
	result = take(&held, (struct step){"a", 6, 2, REMOVED, "x", 1});
	assert_int_equal(result.changed[0], 1);
	assert_string_equal(list(&held), "");
	take(&held, (struct step){"a", 5, 3, 0, "late", 1});
	assert_string_equal(list(&held), "");
	/* A removal that comes before what it removes. */
	result = take(&held, (struct step){"b", 6, 4, REMOVED, "x", 1});
	assert_int_equal(result.changed[0], 0);
	take(&held, (struct step){"b", 5, 5, 0, "late", 1});
	assert_string_equal(list(&held), "");
	/* But a newer one is a new one. */
	take(&held, (struct step){"a", 7, 6, 0, "again", 1});
	assert_string_equal(list(&held), "a again 1");
	/* And a removal of long ago removes nothing. */
	take(&held, (struct step){"a", 6, 7, REMOVED, "x", 1});
	assert_string_equal(list(&held), "a again 1");
	let_go(&held);
}

static void
the_oldest_closed_entry_leaves_first(void **state)
{
	struct held held = hold(3);
	struct fold_result result;

	(void)state;
	take(&held, (struct step){"a", 1, 1, 0, "o", 0});
	take(&held, (struct step){"b", 2, 2, CLOSED, "c", 0});
	take(&held, (struct step){"c", 3, 3, CLOSED, "c", 0});
	assert_int_equal(features_dropped(held.set, held.features, 0), 0);
	result = take(&held, (struct step){"d", 4, 4, 0, "o", 0});
	assert_true(result.is_overflow);
	assert_string_equal(list(&held), "a o 0, c c 0, d o 0");
	/* A closed one that comes late is itself the oldest. */
	result = take(&held, (struct step){"e", 0, 5, CLOSED, "c", 0});
	assert_true(result.is_overflow);
	assert_string_equal(list(&held), "a o 0, c c 0, d o 0");
	take(&held, (struct step){"f", 6, 6, 0, "o", 0});
	assert_string_equal(list(&held), "a o 0, d o 0, f o 0");
	/* None is closed: the oldest of all. */
	take(&held, (struct step){"g", 7, 7, 0, "o", 0});
	assert_string_equal(list(&held), "d o 0, f o 0, g o 0");
	assert_int_equal(features_dropped(held.set, held.features, 0), 4);
	/* Setting an entry that is there needs no room. */
	result = take(&held, (struct step){"d", 8, 8, 0, "p", 0});
	assert_false(result.is_overflow);
	assert_string_equal(list(&held), "d p 0, f o 0, g o 0");
	let_go(&held);
}

static void
a_null_key_is_no_entry_and_a_long_one_is_cut(void **state)
{
	static char name[FEATURE_TEXT_MAX + 10];
	struct held held = hold(3);
	struct fold_result result;

	(void)state;
	result = take(&held, (struct step){NULL, 1, 1, 0, "o", 0});
	assert_int_equal(result.changed[0], 0);
	assert_string_equal(list(&held), "");
	memset(name, 'k', sizeof(name) - 1);
	result = take(&held, (struct step){name, 1, 1, 0, "o", 0});
	assert_true(result.is_overflow);
	assert_int_equal(strlen(list(&held)), FEATURE_TEXT_MAX + 4);
	let_go(&held);
}

static void
what_is_the_same_is_no_change(void **state)
{
	struct held held = hold(3);
	struct fold_result result;

	(void)state;
	result = take(&held, (struct step){"a", 1, 1, 0, "o", 0});
	assert_int_equal(result.changed[0], 1);
	result = take(&held, (struct step){"a", 2, 2, 0, "o", 0});
	assert_int_equal(result.changed[0], 0);
	result = take(&held, (struct step){"a", 1, 3, 0, "p", 0});
	assert_int_equal(result.changed[0], 0);
	result = take(&held, (struct step){"a", 3, 4, 0, "p", 0});
	assert_int_equal(result.changed[0], 1);
	let_go(&held);
}

static void
removals_are_remembered_up_to_a_bound(void **state)
{
	struct held held = hold(3);
	char name[16];

	(void)state;
	for (int i = 0; i <= FEATURE_GONE_MAX; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i);
		take(&held, (struct step){name, 100 + i, i, REMOVED, "x", 0});
	}
	take(&held, (struct step){"k0", 1, 1000, 0, "forgotten", 0});
	take(&held, (struct step){"k1", 1, 1001, 0, "known", 0});
	assert_string_equal(list(&held), "k0 forgotten 0");
	assert_int_equal(features_dropped(held.set, held.features, 0), 0);
	let_go(&held);
}

/* Of up to as many keys as there is room for, any order gives the same. */
static void
order_does_not_matter(void **state)
{
	enum { N = 60 };
	static const char *const keys[] = {"a", "b", "c", "d", "e"};
	struct step steps[N];
	char want[16384];
	uint64_t seed = 99;

	(void)state;
	for (int i = 0; i < N; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		steps[i] = (struct step){keys[(seed >> 33) % 5],
			(int64_t)(seed >> 40) % 20, i,
			(unsigned)(seed >> 50) % 4, keys[(seed >> 36) % 5], i};
	}
	for (int round = 0; round < 50; round++) {
		struct held held = hold(5);

		for (int i = 0; i < N; i++)
			take(&held, steps[i]);
		if (round == 0)
			(void)snprintf(want, sizeof(want), "%s", list(&held));
		assert_string_equal(list(&held), want);
		let_go(&held);
		for (int i = N - 1; i > 0; i--) {
			struct step step = steps[i];
			int j;

			seed = seed * 6364136223846793005u + 1;
			j = (int)((seed >> 33) % (uint64_t)(i + 1));
			steps[i] = steps[j];
			steps[j] = step;
		}
	}
	assert_true(strlen(want) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_ordered_by_key),
		cmocka_unit_test(the_newest_of_a_key_wins),
		cmocka_unit_test(a_removed_entry_does_not_come_back),
		cmocka_unit_test(the_oldest_closed_entry_leaves_first),
		cmocka_unit_test(a_null_key_is_no_entry_and_a_long_one_is_cut),
		cmocka_unit_test(what_is_the_same_is_no_change),
		cmocka_unit_test(removals_are_remembered_up_to_a_bound),
		cmocka_unit_test(order_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
