/*
 * run.c - run a plan over the bytes of one record.
 *
 * `at` is handed from step to step and not kept in the cursor, so that it can
 * stay in a register; NULL says that a step failed (take.h).
 */
#include <string.h>

#include "take.h"

/* --- elements by index, entries by key ------------------------------------ */

static const uint8_t *
run(const struct plan *plan, uint32_t start, struct cursor *cur,
	const uint8_t *at, struct value *slots);

static const struct body *
body_find(const struct bodies *bodies, const uint8_t *key, size_t len,
	uint64_t index, bool is_map)
{
	for (uint32_t i = 0; i < bodies->n; i++) {
		const struct bind *bind = bodies->bodies[i].bind;

		if (is_map ? bind->name_len == len &&
					memcmp(bind->name, key, len) == 0
			   : bind->index == index)
			return &bodies->bodies[i];
	}
	return NULL;
}

static const uint8_t *
run_item(const struct plan *plan, const struct bodies *bodies, bool is_map,
	uint64_t index, struct cursor *cur, const uint8_t *at,
	struct value *slots)
{
	const struct body *body;
	const uint8_t *key = NULL;
	size_t len = 0;

	if (is_map) {
		at = take_length(cur, at, &len);
		if (at == NULL)
			return NULL;
		key = at;
		at += len;
	}
	body = body_find(bodies, key, len, index, is_map);
	if (body == NULL)
		return take_skip(cur, at, bodies->item);
	return run(plan, body->start, cur, at, slots);
}

static const uint8_t *
run_items(const struct plan *plan, const struct step *step, struct cursor *cur,
	const uint8_t *at, struct value *slots)
{
	const struct bodies *bodies = step->as.bodies;
	bool is_map = step->op == STEP_ENTRIES;
	bool is_empty = !is_map && bodies->item->encoded_bytes == 0;
	const uint8_t *end = NULL;
	uint64_t index = 0;
	uint64_t n = 0;

	for (;;) {
		at = take_block(cur, at, is_empty, &n, &end);
		if (at == NULL || n == 0)
			return at;
		if (is_empty && take_charge(cur, at, n) == NULL)
			return NULL;
		for (; n > 0 && at != NULL; n--)
			at = run_item(
				plan, bodies, is_map, index++, cur, at, slots);
		if (at == NULL || take_block_end(cur, at, end) == NULL)
			return NULL;
	}
}

/* --- the program ---------------------------------------------------------- */

static inline const uint8_t *
skip_choice(struct cursor *cur, const uint8_t *at, uint32_t arg)
{
	uint32_t i = 0;
	uint32_t choice;

	at = take_branch(cur, at, 4, &i);
	if (at == NULL)
		return NULL;
	choice = arg >> (8 * i) & 0xff;
	if (choice == CHOICE_SPAN)
		return skip_span(cur, at);
	if (choice == CHOICE_VARINT)
		return skip_long(cur, at);
	if (choice == CHOICE_NONE)
		return take_bad(
			cur, at - 1, "there is no such branch or symbol");
	return skip_bytes(cur, at, choice);
}

/* The step failed. The innermost program's step says most. */
static const uint8_t *
run_failed(const struct plan *plan, const struct step *step, struct cursor *cur)
{
	if (cur->step == UINT32_MAX)
		cur->step = (uint32_t)(step - plan->steps);
	return NULL;
}

static const uint8_t *
run(const struct plan *plan, uint32_t start, struct cursor *cur,
	const uint8_t *at, struct value *slots)
{
	const struct step *step = &plan->steps[start];
	const uint8_t *before;
	uint32_t n = 0;

	for (;; step++) {
		switch (step->op) {
		case STEP_END:
			return at;
		case STEP_BYTES:
			at = skip_bytes(cur, at, step->arg);
			break;
		case STEP_VARINTS:
			for (n = step->arg; n > 0 && at != NULL; n--)
				at = skip_long(cur, at);
			break;
		case STEP_SPANS:
			for (n = step->arg; n > 0 && at != NULL; n--)
				at = skip_span(cur, at);
			break;
		case STEP_CHOICE:
			at = skip_choice(cur, at, step->arg);
			break;
		case STEP_SKIP:
			at = take_skip(cur, at, step->as.schema);
			break;
		case STEP_READ:
			at = take_value(
				cur, at, step->as.res, &slots[step->arg]);
			break;
		case STEP_PEEK:
			before = at;
			at = take_value(
				cur, at, step->as.res, &slots[step->arg]);
			at = at == NULL ? NULL : before;
			break;
		case STEP_UNION:
			at = take_branch(cur, at, step->arg, &n);
			if (at == NULL)
				break;
			step = &plan->steps[step->as.targets[n]] - 1;
			continue;
		case STEP_JUMP:
			step = &plan->steps[step->arg] - 1;
			continue;
		case STEP_CONST:
			slots[step->arg] = *step->as.value;
			break;
		case STEP_ITEMS:
		case STEP_ENTRIES:
			at = run_items(plan, step, cur, at, slots);
			break;
		case STEP_FAIL:
			at = take_failed(
				cur, at, SG_INCOMPATIBLE_SCHEMA, step->as.why);
			break;
		}
		if (at == NULL)
			return run_failed(plan, step, cur);
	}
}

void
cursor_init(
	struct cursor *cur, const void *bytes, size_t len, struct arena *arena)
{
	*cur = (struct cursor){.at = bytes,
		.end = (const uint8_t *)bytes + len,
		.arena = arena,
		.bytes_left = VALUE_BYTES_PER_RECORD_MAX,
		.values_left = VALUES_PER_RECORD_MAX,
		.step = UINT32_MAX};
}

bool
plan_run(const struct plan *plan, uint32_t start, struct cursor *cur,
	struct value *slots)
{
	const uint8_t *at = run(plan, start, cur, cur->at, slots);

	if (at == NULL)
		return false;
	cur->at = at;
	return true;
}

bool
run_read(struct cursor *cur, const struct res *res, struct value *ret_value)
{
	const uint8_t *at = take_value(cur, cur->at, res, ret_value);

	if (at == NULL)
		return false;
	cur->at = at;
	return true;
}

bool
run_skip(struct cursor *cur, const struct schema *schema)
{
	const uint8_t *at = take_skip(cur, cur->at, schema);

	if (at == NULL)
		return false;
	cur->at = at;
	return true;
}
