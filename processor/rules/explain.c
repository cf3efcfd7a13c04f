/*
 * explain.c - which parts of a boolean expression decided it.
 *
 * The program keeps a skeleton of its &&, ||, ! and ?:, with a piece of code
 * for each part between them (an atom). Explaining runs the atoms and goes
 * down the skeleton:
 *
 *   a && b   false: the false operand with the fewest atoms
 *            true:  all operands
 *            error: all operands (each had to be something other than false)
 *   a || b   the same with true and false exchanged
 *   !a       a
 *   a ? b : c   a, and the branch taken
 *
 * Two passes: the first computes every node's value and size, the second
 * writes the atoms of the chosen ones, in the order of the source.
 */
#include <string.h>

#include "frame.h"

struct verdict {
	struct value value;
	int64_t until_ms;
	uint32_t natoms; /* of its smallest explanation */
	uint32_t chosen; /* the operand that explains it; UINT32_MAX: all */
};

struct explainer {
	const struct cel_prog *prog;
	struct cel_frame *frame;
	struct verdict *verdicts;
	struct cel_atom *atoms;
	size_t natoms, max;
};

static bool
is_bool(struct value v, bool b)
{
	return v.kind == VALUE_BOOL && v.as.b == b;
}

static void
judge_atom(struct explainer *ex, const struct skeleton *sk, struct verdict *ret)
{
	ex->frame->until_ms = AT_NEVER;
	ret->value = frame_run(ex->frame, sk->start);
	ret->until_ms = ex->frame->until_ms;
	ret->natoms = 1;
}

static void
judge_logic(
	struct explainer *ex, const struct skeleton *sk, struct verdict *ret)
{
	bool decides = sk->op == NODE_OP_OR;
	uint32_t all = 0;

	ret->chosen = UINT32_MAX;
	ret->value = value_bool(!decides);
	for (uint32_t i = 0; i < sk->nargs; i++) {
		const struct verdict *arg = &ex->verdicts[sk->first + i];

		all += arg->natoms;
		if (is_bool(arg->value, decides) &&
			(ret->chosen == UINT32_MAX ||
				arg->natoms < ret->natoms)) {
			ret->chosen = i;
			ret->natoms = arg->natoms;
			ret->value = arg->value;
		} else if (ret->chosen == UINT32_MAX &&
			   arg->value.kind != VALUE_BOOL) {
			ret->value = arg->value.kind == VALUE_ERROR
					     ? arg->value
					     : value_error(ERR_OVERLOAD);
		}
	}
	if (ret->chosen == UINT32_MAX)
		ret->natoms = all;
}

static void
judge_cond(struct explainer *ex, const struct skeleton *sk, struct verdict *ret)
{
	const struct verdict *cond = &ex->verdicts[sk->first];
	const struct verdict *taken;

	if (cond->value.kind != VALUE_BOOL) {
		ret->chosen = 0;
		ret->natoms = cond->natoms;
		ret->value = cond->value.kind == VALUE_ERROR
				     ? cond->value
				     : value_error(ERR_OVERLOAD);
		return;
	}
	ret->chosen = cond->value.as.b ? 1 : 2;
	taken = &ex->verdicts[sk->first + ret->chosen];
	ret->value = taken->value;
	ret->natoms = cond->natoms + taken->natoms;
}

static void
judge(struct explainer *ex, uint32_t at)
{
	const struct skeleton *sk = &ex->prog->skeleton[at];
	struct verdict *ret = &ex->verdicts[at];

	if (sk->kind == NODE_CONST) {
		judge_atom(ex, sk, ret);
		return;
	}
	for (uint32_t i = 0; i < sk->nargs; i++)
		judge(ex, sk->first + i);
	if (sk->kind == NODE_LOGIC) {
		judge_logic(ex, sk, ret);
	} else if (sk->kind == NODE_COND) {
		judge_cond(ex, sk, ret);
	} else {
		*ret = ex->verdicts[sk->first];
		if (ret->value.kind == VALUE_BOOL)
			ret->value = value_bool(!ret->value.as.b);
	}
}

static void
write_atoms(struct explainer *ex, uint32_t at)
{
	const struct skeleton *sk = &ex->prog->skeleton[at];
	const struct verdict *verdict = &ex->verdicts[at];

	if (sk->kind == NODE_CONST) {
		if (ex->natoms < ex->max)
			ex->atoms[ex->natoms++] = (struct cel_atom){
				.offset = sk->offset,
				.len = sk->len,
				.value = verdict->value,
				.valid_until_ms = verdict->until_ms,
				.slots = ex->prog->atom_slots + sk->first_slot,
				.nslots = sk->nslots};
		return;
	}
	if (sk->kind == NODE_COND) {
		write_atoms(ex, sk->first);
		if (verdict->chosen != 0)
			write_atoms(ex, sk->first + verdict->chosen);
		return;
	}
	for (uint32_t i = 0; i < sk->nargs; i++) {
		if (sk->kind != NODE_LOGIC || verdict->chosen == UINT32_MAX ||
			verdict->chosen == i)
			write_atoms(ex, sk->first + i);
	}
}

size_t
cel_explain(const struct cel_prog *prog, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms, struct cel_atom *atoms,
	size_t max, struct cel_result *ret_result)
{
	struct explainer ex = {
		.prog = prog, .frame = frame, .atoms = atoms, .max = max};

	*ret_result = cel_run(prog, frame, host, now_ms);
	frame->work = 0;
	ex.verdicts =
		frame_alloc(frame, prog->nskeleton * sizeof(*ex.verdicts));
	if (ex.verdicts == NULL)
		return 0;
	memset(ex.verdicts, 0, prog->nskeleton * sizeof(*ex.verdicts));
	judge(&ex, 0);
	write_atoms(&ex, 0);
	return ex.natoms;
}
