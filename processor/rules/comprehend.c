/*
 * comprehend.c - the instructions of all(), exists(), filter(), map(), ...
 *
 *   comp_begin   the range is on the stack: open a loop, or give its error
 *   comp_next    the next element into the variables, or the result
 *   comp_test    the condition of map(v, condition, value)
 *   comp_take    what the body came to
 *
 * valid_until is kept as && and || keep it (eval.c): an all() that is false,
 * or an exists() that is true, holds as long as the element that decided it
 * does and the range stays; everything else needs all elements.
 */
#include "machine.h"

static bool
is_building(uint8_t macro)
{
	return macro >= MACRO_FILTER;
}

void
op_comp_begin(struct cel_frame *fr, const struct insn *in)
{
	struct value v = pop(fr);
	struct loop *lp = fr->loop;
	size_t per = (in->x & 15) == MACRO_MAP_ENTRIES ? 2 : 1;

	if (v.kind != VALUE_LIST && v.kind != VALUE_MAP) {
		push(fr, not_bool(v));
		jump(fr, in->b);
		return;
	}
	*lp = (struct loop){.range = v,
		.local = in->a,
		.macro = in->x & 15,
		.nvars = (uint8_t)((in->x >> 4) + 1),
		.outer_ms = fr->until_ms,
		.least_ms = AT_NEVER,
		.error = value_null()};
	if (is_building(lp->macro)) {
		lp->items = frame_values(fr, v.len * per);
		if (lp->items == NULL) {
			push(fr, value_error(ERR_SPACE));
			jump(fr, in->b);
			return;
		}
	}
	fr->loop++;
	fr->until_ms = AT_NEVER;
}

/* The comprehension is over: all of what it looked at matters, or only the
 * element that decided. */
static void
comp_end(struct cel_frame *fr, struct value v, bool is_decided, uint32_t to)
{
	struct loop *lp = --fr->loop;

	if (!is_decided)
		frame_until(fr, lp->least_ms);
	frame_until(fr, lp->outer_ms);
	push(fr, v);
	jump(fr, to);
}

static struct value
comp_result(const struct loop *lp)
{
	switch (lp->macro) {
	case MACRO_ALL:
	case MACRO_EXISTS:
		if (lp->error.kind != VALUE_NULL)
			return lp->error;
		return value_bool(lp->macro == MACRO_ALL);
	case MACRO_EXISTS_ONE:
		return value_bool(lp->is_found);
	case MACRO_MAP_ENTRIES:
		return (struct value){.kind = VALUE_MAP,
			.len = lp->nitems,
			.as = {.items = lp->items}};
	default:
		return (struct value){.kind = VALUE_LIST,
			.len = lp->nitems,
			.as = {.items = lp->items}};
	}
}

void
op_comp_next(struct cel_frame *fr, const struct insn *in)
{
	struct loop *lp = fr->loop - 1;
	const struct value *items = lp->range.as.items;
	struct value *locals = fr->locals + lp->local;

	if (lp->at == lp->range.len) {
		comp_end(fr, comp_result(lp), false, in->b);
		return;
	}
	if (!frame_spend(fr, in->a)) {
		comp_end(fr, value_error(ERR_COST), false, in->b);
		return;
	}
	if (lp->range.kind == VALUE_LIST) {
		locals[lp->nvars - 1] = items[lp->at];
		if (lp->nvars == 2)
			locals[0] = value_int((int64_t)lp->at);
	} else {
		locals[0] = items[(size_t)lp->at * 2];
		if (lp->nvars == 2)
			locals[1] = items[(size_t)lp->at * 2 + 1];
	}
	lp->at++;
}

/* What the last body gathered counts towards the whole. */
static void
comp_gather(struct cel_frame *fr, struct loop *lp)
{
	if (fr->until_ms < lp->least_ms)
		lp->least_ms = fr->until_ms;
	fr->until_ms = AT_NEVER;
}

void
op_comp_test(struct cel_frame *fr, const struct insn *in)
{
	struct value v = pop(fr);

	comp_gather(fr, fr->loop - 1);
	if (v.kind != VALUE_BOOL)
		comp_end(fr, not_bool(v), false, in->b);
	else if (!v.as.b)
		jump(fr, in->a);
}

/* all() and exists(): true when `v` decides. */
static bool
comp_quantify(struct cel_frame *fr, struct loop *lp, struct value v)
{
	if (v.kind == VALUE_BOOL && v.as.b == (lp->macro == MACRO_EXISTS))
		return true;
	if (v.kind != VALUE_BOOL && lp->error.kind == VALUE_NULL)
		lp->error = not_bool(v);
	comp_gather(fr, lp);
	return false;
}

static void
comp_keep(struct loop *lp, struct value v)
{
	size_t last = lp->at - 1;
	const struct value *from = lp->range.as.items;

	if (lp->macro == MACRO_MAP) {
		lp->items[lp->nitems++] = v;
	} else if (lp->macro == MACRO_FILTER) {
		if (v.as.b)
			lp->items[lp->nitems++] =
				from[lp->range.kind == VALUE_MAP ? last * 2
								 : last];
	} else {
		lp->items[(size_t)lp->nitems * 2] =
			lp->range.kind == VALUE_MAP ? from[last * 2]
						    : value_int((int64_t)last);
		lp->items[(size_t)lp->nitems * 2 + 1] = v;
		lp->nitems++;
	}
}

void
op_comp_take(struct cel_frame *fr, const struct insn *in)
{
	struct value v = pop(fr);
	struct loop *lp = fr->loop - 1;
	bool wants_bool =
		lp->macro == MACRO_FILTER || lp->macro == MACRO_EXISTS_ONE;

	if (lp->macro == MACRO_ALL || lp->macro == MACRO_EXISTS) {
		if (comp_quantify(fr, lp, v))
			comp_end(fr, v, true, in->b);
		else
			jump(fr, in->a);
		return;
	}
	comp_gather(fr, lp);
	if (v.kind == VALUE_ERROR || (wants_bool && v.kind != VALUE_BOOL)) {
		comp_end(fr, not_bool(v), false, in->b);
		return;
	}
	if (lp->macro == MACRO_EXISTS_ONE) {
		lp->count += v.as.b;
		lp->is_found = lp->count == 1;
	} else {
		comp_keep(lp, v);
	}
	jump(fr, in->a);
}
