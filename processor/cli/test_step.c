/*
 * test_step.c - the steps of a test, checked.
 *
 *     - {event: INPUT, at: TIME, account: ID, ...}   see test_event.c
 *     - clock: TIME                  time comes to there; timers fire
 *     - expect: [{...}, ...]         exactly these changes since the last one
 *     - expect_account: {account: ID, NAME: VALUE, ...}
 *     - expect_counts: {late: 1, ...}  so far, since the test began
 */
#include <string.h>

#include "test_file.h"

#define HINT_KEYS "event, clock, expect, expect_account, expect_counts"

static const char *const step_keys[] = {
	[TEST_EVENT] = "event",
	[TEST_CLOCK] = "clock",
	[TEST_EXPECT] = "expect",
	[TEST_ACCOUNT] = "expect_account",
	[TEST_COUNTS] = "expect_counts",
	NULL,
};

/* In the order of count_of() in test_run.c. */
static const char *const counters[] = {"events", "repeats", "late", "overflows",
	"suppressed", "rule_errors", "changes", NULL};

static bool
read_expect(struct test_file *file, const struct doc_node *node,
	struct test_step *step)
{
	struct test_change *changes;
	bool is_ok = true;
	size_t n = 0;

	if (node->kind != DOC_LIST) {
		test_key_mistake(file, node, "[] when there are none",
			"`expect` must be a list of changes");
		return false;
	}
	changes = test_room(file, node->n, sizeof(*changes));
	for (const struct doc_node *c = node->first;
		c != NULL && changes != NULL; c = c->next)
		is_ok = test_change_read(file, c, &changes[n++]) && is_ok;
	step->changes = changes;
	step->nchanges = n;
	return is_ok && changes != NULL;
}

/* `version` and `exists` are told by the account, not by a rule's name. */
static bool
find_name(struct test_file *file, const struct doc_node *node,
	struct test_want *want)
{
	char hint[TEST_HINT_MAX];
	const struct type *type;
	const char **names;
	const char *name;
	size_t n = 0;

	want->name = node->key.s;
	want->node = node;
	want->number = SIZE_MAX;
	if (strcmp(node->key.s, "version") == 0 ||
		strcmp(node->key.s, "exists") == 0)
		return test_text(file, node) != NULL;
	for (size_t i = 0;
		(name = program_name(file->program, i, &type)) != NULL; i++) {
		if (strcmp(name, node->key.s) == 0) {
			want->number = i;
			want->type = type;
			return true;
		}
	}
	while (program_name(file->program, n, &type) != NULL)
		n++;
	names = test_room(file, n + 1, sizeof(*names));
	if (names == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		names[i] = program_name(file->program, i, &type);
	names[n] = NULL;
	test_key_mistake(file, node,
		test_hint(hint, node->key.s, names,
			"a feature as usage.logins_14d, variables.NAME, "
			"score.NAME, segment.NAME, renewal.window, version, "
			"exists"),
		"rules cannot read `%.60s`", node->key.s);
	return false;
}

static bool
read_account(struct test_file *file, const struct doc_node *node,
	struct test_step *step)
{
	const struct doc_node *account = NULL;
	struct test_want *wants;
	bool is_ok = true;

	if (node->kind == DOC_MAP)
		account = doc_get(node, "account");
	if (account == NULL) {
		test_key_mistake(file, node, "{account: ID, NAME: VALUE}",
			"`expect_account` must name the account");
		return false;
	}
	step->account = test_text(file, account);
	wants = test_room(file, node->n, sizeof(*wants));
	for (const struct doc_node *c = node->first; c != NULL && wants != NULL;
		c = c->next) {
		if (c == account)
			continue;
		is_ok = find_name(file, c, &wants[step->nwants++]) && is_ok;
	}
	step->wants = wants;
	return is_ok && step->account != NULL && wants != NULL;
}

static bool
read_counts(struct test_file *file, const struct doc_node *node,
	struct test_step *step)
{
	struct test_want *wants;
	char hint[TEST_HINT_MAX];
	bool is_ok = true;

	if (node->kind != DOC_MAP) {
		test_key_mistake(file, node, NULL,
			"`expect_counts` must be a map of counters");
		return false;
	}
	wants = test_room(file, node->n, sizeof(*wants));
	for (const struct doc_node *c = node->first; c != NULL && wants != NULL;
		c = c->next) {
		struct test_want *want = &wants[step->nwants];
		size_t i = 0;

		while (counters[i] != NULL &&
			strcmp(counters[i], c->key.s) != 0)
			i++;
		*want = (struct test_want){
			.name = c->key.s, .number = i, .node = c};
		if (counters[i] == NULL) {
			test_key_mistake(file, c,
				test_hint(hint, c->key.s, counters,
					"events, repeats, late, overflows, "
					"suppressed, rule_errors, changes"),
				"there is no counter `%.60s`", c->key.s);
			is_ok = false;
		} else if (test_text(file, c) == NULL) {
			is_ok = false;
		}
		step->nwants++;
	}
	step->wants = wants;
	return is_ok && wants != NULL;
}

/* Which kind is it? Exactly one of the keys says so. */
static const struct doc_node *
find_kind(struct test_file *file, const struct doc_node *node,
	enum test_kind *ret_kind)
{
	char hint[TEST_HINT_MAX];

	if (node->kind != DOC_MAP) {
		test_mistake(file, node, "a step is one of " HINT_KEYS,
			"a step must be a map");
		return NULL;
	}
	for (size_t i = 0; step_keys[i] != NULL; i++) {
		const struct doc_node *c = doc_get(node, step_keys[i]);

		if (c == NULL)
			continue;
		*ret_kind = (enum test_kind)i;
		for (const struct doc_node *k = node->first;
			i != TEST_EVENT && k != NULL; k = k->next) {
			if (k == c)
				continue;
			test_key_mistake(file, k, "make it two steps",
				"`%.60s` beside `%s`", k->key.s, step_keys[i]);
			return NULL;
		}
		return c;
	}
	test_key_mistake(file, node->first == NULL ? node : node->first,
		test_hint(hint, node->first == NULL ? "" : node->first->key.s,
			step_keys, "a step is one of " HINT_KEYS),
		"not a step");
	return NULL;
}

static bool
read_step(struct test_file *file, const struct doc_node *node,
	int64_t *clock_ms, struct test_step *step)
{
	const struct doc_node *c = find_kind(file, node, &step->kind);

	if (c == NULL)
		return false;
	step->line = c->key.line;
	switch (step->kind) {
	case TEST_EVENT:
		return test_event(file, node, clock_ms, step);
	case TEST_CLOCK:
		if (!test_time(file, c, &step->at_ms))
			return false;
		if (step->at_ms < *clock_ms) {
			test_mistake(
				file, c, NULL, "the clock does not go back");
			return false;
		}
		*clock_ms = step->at_ms;
		return true;
	case TEST_EXPECT:
		return read_expect(file, c, step);
	case TEST_ACCOUNT:
		return read_account(file, c, step);
	case TEST_COUNTS:
		return read_counts(file, c, step);
	}
	return false;
}

bool
test_steps(struct test_file *file, const struct doc_node *list,
	struct test_case *ret_case)
{
	struct test_step *steps;
	int64_t clock_ms = INT64_MIN;
	bool is_ok = true;
	size_t n = 0;

	if (list->kind != DOC_LIST || list->n == 0) {
		test_key_mistake(file, list, "a step is one of " HINT_KEYS,
			"`steps` must be a list of steps");
		return false;
	}
	steps = test_room(file, list->n, sizeof(*steps));
	for (const struct doc_node *c = list->first; c != NULL && steps != NULL;
		c = c->next)
		is_ok = read_step(file, c, &clock_ms, &steps[n++]) && is_ok;
	ret_case->steps = steps;
	ret_case->nsteps = n;
	return is_ok && steps != NULL;
}
