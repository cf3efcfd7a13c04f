/*
 * test_run.c - one test, run: the replay is driven step by step, its changes
 * are kept until the next `expect`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/civil.h"
#include "test_file.h"

#define CHANGES_BYTES_MAX ((size_t)512 << 20)
#define MASK(key) (UINT32_C(1) << TEST_##key)
/* What is shown of a change whatever was asked. */
#define MASK_BASE                                                              \
	(MASK(account) | MASK(segmentation) | MASK(from) | MASK(to) |          \
		MASK(origin) | MASK(at))

struct run {
	const struct test_file *file;
	struct replay *replay;
	struct arena arena; /* of the changes kept */
	struct test_change *changes;
	size_t n;
	size_t cap;
	bool is_json;
	enum sg_err err;
};

static void
on_change(void *ctx, const struct change *change)
{
	struct run *run = ctx;

	if (run->err != SG_OK)
		return;
	if (run->n == run->cap) {
		size_t cap = run->cap * 2 + 64;
		struct test_change *more =
			realloc(run->changes, cap * sizeof(*more));

		if (more == NULL) {
			run->err = SG_NOMEM;
			return;
		}
		run->changes = more;
		run->cap = cap;
	}
	if (!test_change_copy(run->file->conf, change, &run->arena,
		    &run->changes[run->n]))
		run->err = SG_NOMEM;
	else
		run->n++;
}

/* --- events and time ---------------------------------------------------- */

static enum sg_err
take_event(struct run *run, const struct test_step *step,
	struct test_result *result)
{
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err = replay_event(run->replay, &step->event, &why);

	if (err != SG_OK && sg_err_class(err) != SG_CLASS_SKIP)
		return err;
	if (err == step->refusal)
		return SG_OK;
	result->is_passed = false;
	if (err == SG_OK) {
		buf_printf(&result->message,
			"the event was taken, though it should be refused");
		buf_put_str(&result->expected, sg_err_name(step->refusal));
		return SG_OK;
	}
	buf_printf(&result->message, "the event was refused: %s",
		why.text[0] == '\0' ? sg_err_text(err) : why.text);
	if (step->refusal != SG_OK)
		buf_put_str(&result->expected, sg_err_name(step->refusal));
	buf_put_str(&result->got, sg_err_name(err));
	return SG_OK;
}

/* --- changes ------------------------------------------------------------ */

static bool
meets_all(const struct run *run, const struct test_step *step)
{
	if (run->n != step->nchanges)
		return false;
	for (size_t i = 0; i < run->n; i++) {
		if (!test_change_meets(&run->changes[i], &step->changes[i]))
			return false;
	}
	return true;
}

/* The first change that has no partner: its account is the one to look at. */
static const struct test_change *
first_odd(const struct run *run, const struct test_step *step)
{
	for (size_t i = 0; i < step->nchanges; i++) {
		const struct test_change *want = &step->changes[i];

		if (i >= run->n || !test_change_meets(&run->changes[i], want))
			return want->text[TEST_account] != NULL || i >= run->n
				       ? want
				       : &run->changes[i];
	}
	return run->n > step->nchanges ? &run->changes[step->nchanges] : NULL;
}

/*
 * Both lists, a change a line; of people's, lines are marked where one has no
 * partner in the other list.
 */
static void
put_lists(const struct run *run, const struct test_step *step,
	struct test_result *result)
{
	uint32_t mask = MASK_BASE;
	size_t at = 0; /* next decided change that may be a partner */

	for (size_t i = 0; i < step->nchanges; i++)
		mask |= step->changes[i].given;
	if (!run->is_json)
		mask |= MASK(because);
	for (size_t i = 0; i < step->nchanges; i++) {
		const struct test_change *want = &step->changes[i];
		size_t k = at;

		while (k < run->n && !test_change_meets(&run->changes[k], want))
			k++;
		if (!run->is_json)
			buf_put_str(
				&result->expected, k < run->n ? "  " : "- ");
		test_change_put(
			want, want->given, run->is_json, &result->expected);
		buf_put_u8(&result->expected, '\n');
		for (; at < run->n && (at <= k && k < run->n); at++) {
			if (!run->is_json)
				buf_put_str(
					&result->got, at == k ? "  " : "+ ");
			test_change_put(&run->changes[at], mask, run->is_json,
				&result->got);
			buf_put_u8(&result->got, '\n');
		}
	}
	for (; at < run->n; at++) {
		if (!run->is_json)
			buf_put_str(&result->got, "+ ");
		test_change_put(
			&run->changes[at], mask, run->is_json, &result->got);
		buf_put_u8(&result->got, '\n');
	}
}

static void
put_clock(const struct run *run, struct buf *out)
{
	struct replay_summary sum;
	char text[CIVIL_RFC3339_MAX] = "the beginning";

	replay_sum(run->replay, &sum);
	if (sum.clock_ms != INT64_MIN)
		(void)civil_format_ms(sum.clock_ms, text, sizeof(text));
	buf_put_str(out, text);
}

static void
expect_changes(struct run *run, const struct test_step *step,
	struct test_result *result)
{
	const struct test_change *odd;

	if (!meets_all(run, step)) {
		result->is_passed = false;
		if (run->n == step->nchanges)
			buf_put_str(&result->message, "the changes differ at ");
		else
			buf_printf(&result->message,
				"%zu %s expected, not %zu, by ", step->nchanges,
				step->nchanges == 1 ? "change" : "changes",
				run->n);
		put_clock(run, &result->message);
		put_lists(run, step, result);
		odd = first_odd(run, step);
		if (odd != NULL)
			test_why(run->replay, odd->text[TEST_account],
				odd->text[TEST_segmentation], &result->why);
	}
	run->n = 0;
	arena_reset(&run->arena);
}

/* --- accounts and counters ---------------------------------------------- */

static void
put_value(struct value value, const struct type *type, struct buf *out)
{
	if (value.kind == VALUE_ERROR) {
		buf_put_str(out, "error: ");
		buf_put_str(out, value.as.s);
	} else if (value.kind == VALUE_ABSENT || value.kind == VALUE_NULL) {
		buf_put_str(out, "null");
	} else {
		value_to_json(value, type, out);
	}
}

static void
put_node(const struct doc_node *node, struct buf *out)
{
	const char *comma = "";

	if (node->kind == DOC_TEXT) {
		if (node->is_null)
			buf_put_str(out, "null");
		else
			test_text_put(node->text.s, false, out);
		return;
	}
	buf_put_u8(out, node->kind == DOC_LIST ? '[' : '{');
	for (const struct doc_node *c = node->first; c != NULL; c = c->next) {
		buf_put_str(out, comma);
		comma = ", ";
		if (node->kind == DOC_MAP)
			buf_printf(out, "%s: ", c->key.s);
		put_node(c, out);
	}
	buf_put_u8(out, node->kind == DOC_LIST ? ']' : '}');
}

/* One line of what was expected and of what is; is_json: members. */
static void
put_difference(struct run *run, const struct test_want *want,
	const struct buf *got, struct test_result *result)
{
	struct buf text;

	buf_init(&text, 1 << 20);
	put_node(want->node, &text);
	if (run->is_json) {
		buf_printf(&result->expected, "{\"%s\":", want->name);
		test_text_put(buf_cstr(&text), true, &result->expected);
		buf_put_str(&result->expected, "}\n");
		buf_printf(&result->got, "{\"%s\":", want->name);
		buf_put(&result->got, got->bytes, got->len);
		buf_put_str(&result->got, "}\n");
	} else {
		buf_printf(&result->expected, "  %s: %s\n", want->name,
			buf_cstr(&text));
		buf_printf(&result->got, "  %s: ", want->name);
		buf_put(&result->got, got->bytes, got->len);
		buf_put_u8(&result->got, '\n');
	}
	buf_fini(&text);
	result->is_passed = false;
}

/* The value of one name; false when it is another. */
static bool
check_want(struct run *run, const struct test_step *step,
	const struct test_want *want, struct buf *got)
{
	struct value value = value_absent();
	uint64_t version = 0;
	size_t at = want->number == SIZE_MAX ? 0 : want->number;
	bool is_there =
		replay_value(run->replay, step->account, at, &value, &version);

	if (strcmp(want->name, "version") == 0) {
		buf_printf(got, "%llu", (unsigned long long)version);
		return test_same_number(buf_cstr(got), want->node->text.s);
	}
	if (strcmp(want->name, "exists") == 0) {
		buf_put_str(got, is_there ? "true" : "false");
		return strcmp(buf_cstr(got), want->node->text.s) == 0;
	}
	if (!is_there) {
		buf_put_str(got, "null");
		return false;
	}
	put_value(value, want->type, got);
	return test_value_is(value, want->type, want->node);
}

static void
expect_account(struct run *run, const struct test_step *step,
	struct test_result *result)
{
	struct buf got;

	buf_init(&got, 1 << 20);
	for (size_t i = 0; i < step->nwants; i++) {
		buf_reset(&got);
		if (!check_want(run, step, &step->wants[i], &got))
			put_difference(run, &step->wants[i], &got, result);
	}
	if (!result->is_passed) {
		buf_printf(
			&result->message, "account \"%s\" at ", step->account);
		put_clock(run, &result->message);
		if (!replay_value(run->replay, step->account, 0,
			    &(struct value){.kind = VALUE_NULL}, NULL))
			buf_put_str(&result->message, ": there is none");
		test_why(run->replay, step->account, NULL, &result->why);
	}
	buf_fini(&got);
}

static uint64_t
count_of(const struct replay_summary *sum, size_t number)
{
	const uint64_t counts[] = {sum->events, sum->repeats, sum->late,
		sum->overflows, sum->suppressed, sum->rule_errors,
		sum->changes};

	return number < SG_COUNTOF(counts) ? counts[number] : 0;
}

static void
expect_counts(struct run *run, const struct test_step *step,
	struct test_result *result)
{
	struct replay_summary sum;
	struct buf got;

	replay_sum(run->replay, &sum);
	buf_init(&got, 64);
	for (size_t i = 0; i < step->nwants; i++) {
		const struct test_want *want = &step->wants[i];

		buf_reset(&got);
		buf_printf(&got, "%llu",
			(unsigned long long)count_of(&sum, want->number));
		if (!test_same_number(buf_cstr(&got), want->node->text.s))
			put_difference(run, want, &got, result);
	}
	if (!result->is_passed) {
		buf_put_str(&result->message, "counters at ");
		put_clock(run, &result->message);
	}
	buf_fini(&got);
}

/* --- the test ----------------------------------------------------------- */

static enum sg_err
run_step(struct run *run, const struct test_step *step,
	struct test_result *result)
{
	switch (step->kind) {
	case TEST_EVENT:
		return take_event(run, step, result);
	case TEST_CLOCK:
		return replay_advance(run->replay, step->at_ms);
	case TEST_EXPECT:
		expect_changes(run, step, result);
		return SG_OK;
	case TEST_ACCOUNT:
		expect_account(run, step, result);
		return SG_OK;
	case TEST_COUNTS:
		expect_counts(run, step, result);
		return SG_OK;
	}
	return SG_INTERNAL;
}

enum sg_err
test_run(const struct test_file *file, const struct test_case *tc, bool is_json,
	struct test_result *result)
{
	struct run run = {.file = file, .is_json = is_json};
	struct replay_opts opts = {.on_change = on_change, .ctx = &run};
	enum sg_err err;

	result->is_passed = true;
	result->line = 0;
	arena_init(&run.arena, CHANGES_BYTES_MAX);
	err = replay_open(file->program, &opts, &run.replay);
	for (size_t i = 0; i < tc->nsteps && err == SG_OK && result->is_passed;
		i++) {
		result->line = tc->steps[i].line;
		err = run_step(&run, &tc->steps[i], result);
		if (err == SG_OK)
			err = run.err;
	}
	replay_destroy(run.replay);
	free(run.changes);
	arena_fini(&run.arena);
	return err;
}
