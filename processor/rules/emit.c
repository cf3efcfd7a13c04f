/*
 * emit.c - typed nodes to instructions.
 *
 * Every node leaves one value on the stack. What depends on nothing is
 * computed here (fold.c) and becomes a constant. A comparison of a declared
 * name with a constant, the bulk of all rules, is one instruction, chosen by
 * the constant's type.
 *
 *   a && b && c                 e.filter(v, p)
 *     logic_begin                 <e>
 *     <a>  logic_next -> out      comp_begin  (error -> out)
 *     <b>  logic_next -> out    top:
 *     <c>  logic_end              comp_next   (done -> out)
 *   out:                          <p>
 *                                 comp_take   (-> top, error -> out)
 *                               out:
 */
#include "emit.h"

#include <string.h>

#include "library.h"

uint32_t
emit_op(struct compiler *cc, enum cel_op op, uint32_t x, uint32_t a, uint32_t b)
{
	if (cc->ncode == cc->code_cap &&
		!cc_grow(cc, (void **)&cc->code, &cc->code_cap,
			sizeof(*cc->code)))
		return 0;
	cc->code[cc->ncode] = (struct insn){
		.op = (uint8_t)op, .x = (uint8_t)x, .a = a, .b = b};
	return cc->ncode++;
}

uint32_t
emit_const(struct compiler *cc, struct value v)
{
	if (cc->nconsts == cc->consts_cap &&
		!cc_grow(cc, (void **)&cc->consts, &cc->consts_cap,
			sizeof(*cc->consts)))
		return 0;
	cc->consts[cc->nconsts] = v;
	return cc->nconsts++;
}

static struct insn *
insn_at(struct compiler *cc, uint32_t at)
{
	static struct insn nowhere;

	/* After a failed allocation there may be no code at all. */
	return cc->err == SG_OK ? &cc->code[at] : &nowhere;
}

/* The program's number of a name. */
static uint32_t
slot_index(struct compiler *cc, uint32_t name)
{
	uint32_t i = cc->slot_of[name];

	if (i != 0)
		return i - 1;
	if (cc->nslots == cc->slots_cap &&
		!cc_grow(cc, (void **)&cc->slots, &cc->slots_cap,
			sizeof(*cc->slots)))
		return 0;
	cc->slots[cc->nslots] = name;
	cc->slot_of[name] = ++cc->nslots;
	return cc->nslots - 1;
}

static void
emit_error(struct compiler *cc, const char *why)
{
	(void)emit_op(cc, OP_konst, 0, emit_const(cc, value_error(why)), 0);
}

static void
emit_ident(struct compiler *cc, const struct node *node)
{
	switch (node->ref) {
	case REF_SLOT:
		(void)emit_op(cc, node->is_test ? OP_slot_has : OP_slot, 0,
			slot_index(cc, node->index), 0);
		break;
	case REF_LOCAL:
		(void)emit_op(cc, OP_local, 0, node->index, 0);
		break;
	case REF_NOW:
		(void)emit_op(cc, OP_now, 0, 0, 0);
		break;
	default:
		emit_error(cc, "unknown name");
	}
}

static void
emit_select(struct compiler *cc, const struct node *node)
{
	struct value name = value_string(node->name, node->name_len);

	emit_node(cc, node->args[0]);
	if (node->is_field)
		(void)emit_op(cc, node->is_test ? OP_field_has : OP_field, 0,
			node->index, 0);
	else
		(void)emit_op(cc, node->is_test ? OP_member_has : OP_member, 0,
			emit_const(cc, name), 0);
}

static bool
is_comparison(const struct node *node)
{
	return node->op >= NODE_OP_LT && node->op <= NODE_OP_NE;
}

static enum cel_op
fused_op(struct value v, enum node_op op)
{
	switch (v.kind) {
	case VALUE_INT:
		return OP_slot_int;
	case VALUE_DOUBLE:
		return OP_slot_double;
	case VALUE_STRING:
		if (op == NODE_OP_EQ || op == NODE_OP_NE)
			return OP_slot_string;
		return OP_slot_const;
	default:
		return OP_slot_const;
	}
}

static void
emit_comparison(struct compiler *cc, const struct node *node)
{
	struct node *left = node->args[0];
	enum node_op op = (enum node_op)node->op;
	struct value v;

	if (fold(cc, node->args[0], &v)) {
		left = node->args[1];
		op = node_op_mirrored(op);
	} else if (!fold(cc, node->args[1], &v)) {
		emit_node(cc, left);
		emit_node(cc, node->args[1]);
		(void)emit_op(cc, OP_compare, op, 0, 0);
		return;
	}
	if (left->kind == NODE_IDENT && left->ref == REF_SLOT &&
		!left->is_test) {
		(void)emit_op(cc, fused_op(v, op), op,
			slot_index(cc, left->index), emit_const(cc, v));
		return;
	}
	emit_node(cc, left);
	(void)emit_op(cc, OP_compare_const, op, emit_const(cc, v), 0);
}

static void
emit_operator(struct compiler *cc, const struct node *node)
{
	static const uint8_t ops[] = {[NODE_OP_IN] = OP_in,
		[NODE_OP_ADD] = OP_add,
		[NODE_OP_SUB] = OP_sub,
		[NODE_OP_MUL] = OP_mul,
		[NODE_OP_DIV] = OP_div,
		[NODE_OP_MOD] = OP_mod,
		[NODE_OP_NOT] = OP_not,
		[NODE_OP_NEG] = OP_neg,
		[NODE_OP_INDEX] = OP_index};

	if (is_comparison(node)) {
		emit_comparison(cc, node);
		return;
	}
	for (uint32_t i = 0; i < node->nargs; i++)
		emit_node(cc, node->args[i]);
	(void)emit_op(cc, (enum cel_op)ops[node->op], 0, 0, 0);
}

static void
emit_logic(struct compiler *cc, const struct node *node)
{
	uint32_t decides = node->op == NODE_OP_OR ? 1 : 0;
	uint32_t first = emit_op(cc, OP_logic_begin, decides, 0, 0);

	for (uint32_t i = 0; i < node->nargs; i++) {
		bool is_last = i + 1 == node->nargs;

		emit_node(cc, node->args[i]);
		(void)emit_op(cc, is_last ? OP_logic_end : OP_logic_next,
			decides, UINT32_MAX, 0);
		insn_at(cc, cc->ncode - 1)->b = first;
	}
	if (cc->err != SG_OK)
		return;
	for (uint32_t i = first; i < cc->ncode; i++) {
		if (cc->code[i].op == OP_logic_next && cc->code[i].b == first &&
			cc->code[i].a == UINT32_MAX)
			cc->code[i].a = cc->ncode;
	}
}

static void
emit_cond(struct compiler *cc, const struct node *node)
{
	uint32_t cond, jump;

	emit_node(cc, node->args[0]);
	cond = emit_op(cc, OP_cond, 0, 0, 0);
	emit_node(cc, node->args[1]);
	jump = emit_op(cc, OP_jump, 0, 0, 0);
	insn_at(cc, cond)->a = cc->ncode;
	emit_node(cc, node->args[2]);
	insn_at(cc, cond)->b = cc->ncode;
	insn_at(cc, jump)->a = cc->ncode;
}

static void
emit_list(struct compiler *cc, const struct node *node)
{
	(void)emit_op(cc, OP_list_new, 0, node->nargs, 0);
	for (uint32_t i = 0; i < node->nargs; i++) {
		emit_node(cc, node->args[i]);
		(void)emit_op(cc, OP_list_put, 0, 0, 0);
	}
}

static void
emit_map(struct compiler *cc, const struct node *node)
{
	(void)emit_op(cc, OP_map_new, 0, node->nargs / 2, 0);
	for (uint32_t i = 0; i < node->nargs; i += 2) {
		emit_node(cc, node->args[i]);
		emit_node(cc, node->args[i + 1]);
		(void)emit_op(cc, OP_map_put, 0, 0, 0);
	}
}

static void
emit_comp(struct compiler *cc, const struct node *node)
{
	uint32_t begin, top, test = 0, take;
	uint32_t how = (uint32_t)(node->macro | (node->nvars - 1) << 4);

	emit_node(cc, node->args[0]);
	begin = emit_op(cc, OP_comp_begin, how, node->index, 0);
	top = emit_op(cc, OP_comp_next, how, 0, 0);
	if (node->has_filter) {
		emit_node(cc, node->args[1]);
		test = emit_op(cc, OP_comp_test, 0, top, 0);
	}
	emit_node(cc, node->args[node->nargs - 1]);
	take = emit_op(cc, OP_comp_take, how, top, 0);
	insn_at(cc, begin)->b = cc->ncode;
	insn_at(cc, top)->b = cc->ncode;
	insn_at(cc, top)->a = take + 1 - top;
	insn_at(cc, take)->b = cc->ncode;
	if (node->has_filter)
		insn_at(cc, test)->b = cc->ncode;
}

static bool
emit_zone_call(struct compiler *cc, const struct node *node, uint32_t fn)
{
	const struct node *last = node->args[node->nargs - 1];
	const struct tz *tz;

	if (node->nargs != 2 || !node->is_method || last->kind != NODE_CONST ||
		last->value.kind != VALUE_STRING ||
		strncmp(node->fn->name, "get", 3) != 0)
		return false;
	tz = cel_zone(last->value);
	if (tz == NULL)
		return false;
	if (cc->nzones == cc->zones_cap &&
		!cc_grow(cc, (void **)&cc->zones, &cc->zones_cap,
			sizeof(*cc->zones)))
		return false;
	cc->zones[cc->nzones++].tz = tz;
	emit_node(cc, node->args[0]);
	(void)emit_op(cc, OP_call_zone, 1, fn, cc->nzones - 1);
	return true;
}

/* The zone is read like any name: it may differ by account. */
static void
emit_local_call(struct compiler *cc, const struct node *node, uint32_t fn)
{
	const char *name = cc->env->zone_name;
	const struct env_name *zone = env_find(cc->env, name, strlen(name));

	emit_node(cc, node->args[0]);
	(void)emit_op(cc, OP_slot, 0,
		slot_index(cc, (uint32_t)(zone - cc->env->names)), 0);
	(void)emit_op(cc, OP_call_local, 1, fn, 0);
}

static void
emit_call(struct compiler *cc, const struct node *node)
{
	uint32_t fn;

	if (node->is_bad) {
		emit_error(cc, ERR_OVERLOAD);
		return;
	}
	fn = (uint32_t)(node->fn - cel_fns);
	if (node->is_local) {
		emit_local_call(cc, node, fn);
		return;
	}
	if (node->nargs != 0 && emit_zone_call(cc, node, fn))
		return;
	for (uint32_t i = 0; i < node->nargs; i++)
		emit_node(cc, node->args[i]);
	(void)emit_op(cc, OP_call, node->nargs, fn, 0);
}

static void
emit_bind(struct compiler *cc, const struct node *node)
{
	emit_node(cc, node->args[0]);
	(void)emit_op(cc, OP_set_local, 0, node->index, 0);
	emit_node(cc, node->args[1]);
}

void
emit_node(struct compiler *cc, struct node *node)
{
	struct value v;

	if (cc->err != SG_OK)
		return;
	if (fold(cc, node, &v)) {
		(void)emit_op(cc, OP_konst, 0, emit_const(cc, v), 0);
		return;
	}
	switch (node->kind) {
	case NODE_IDENT:
		emit_ident(cc, node);
		break;
	case NODE_SELECT:
		emit_select(cc, node);
		break;
	case NODE_OP:
		emit_operator(cc, node);
		break;
	case NODE_CALL:
		emit_call(cc, node);
		break;
	case NODE_LOGIC:
		emit_logic(cc, node);
		break;
	case NODE_COND:
		emit_cond(cc, node);
		break;
	case NODE_LIST:
		emit_list(cc, node);
		break;
	case NODE_MAP:
		emit_map(cc, node);
		break;
	case NODE_COMP:
		emit_comp(cc, node);
		break;
	default:
		emit_bind(cc, node);
	}
}
