/*
 * fold.c - what depends on nothing is computed once, when compiling.
 *
 * The code for the node is emitted behind what is there, run, and taken back.
 * A node that fails is left as it is, since && or ?: around it may never need
 * it; its parts are tried instead, within a budget for the whole expression.
 */
#include "emit.h"
#include "frame.h"
#include "segmentd/value.h"

#define FOLD_BUDGET UINT64_C(2000000)
#define FOLD_VALUES_MAX 20000

/* Constants read no slots; lies of ours would end here. */
static void
load_nothing(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	(void)ctx;
	(void)slot;
	*ret_value = value_absent();
	*ret_valid_until_ms = now_ms + 1;
}

static struct value
fold_run(struct compiler *cc, uint32_t start)
{
	static const struct cel_host no_host = {.load = load_nothing};
	struct cel_env *env = cc->env;
	struct cel_prog prog = {.code = cc->code,
		.consts = cc->consts,
		.zones = cc->zones,
		.tz = env->tz,
		.source = ""};
	struct value v;

	if (env->fold_frame == NULL &&
		cel_frame_create(&env->fold_frame) != SG_OK) {
		cc->err = SG_NOMEM;
		return value_error("");
	}
	frame_begin(env->fold_frame, &prog, &no_host, 0);
	v = frame_run(env->fold_frame, start);
	cc->fold_work += 1 + env->fold_frame->work + (cc->ncode - start);
	return v;
}

bool
fold(struct compiler *cc, struct node *node, struct value *ret_value)
{
	uint32_t ncode = cc->ncode, nconsts = cc->nconsts;
	uint32_t nzones = cc->nzones;
	struct value v;

	if (node->kind == NODE_CONST) {
		*ret_value = node->value;
		return true;
	}
	if (node->is_state || node->min_local != UINT16_MAX || cc->is_folding ||
		cc->err != SG_OK || cc->fold_work > FOLD_BUDGET)
		return false;
	cc->is_folding = true;
	emit_node(cc, node);
	(void)emit_op(cc, OP_halt, 0, 0, 0);
	cc->is_folding = false;
	v = cc->err == SG_OK ? fold_run(cc, ncode) : value_error("");
	cc->ncode = ncode;
	cc->nconsts = nconsts;
	cc->nzones = nzones;
	if (v.kind == VALUE_ERROR || cc->err != SG_OK ||
		cc->env->fold_frame->used >
			FOLD_VALUES_MAX * sizeof(struct value))
		return false;
	v = value_copy(&cc->arena, v);
	if (v.kind == VALUE_ERROR)
		return false;
	/* Later calls for the same node find it done. */
	node->kind = NODE_CONST;
	node->value = v;
	*ret_value = v;
	return true;
}
