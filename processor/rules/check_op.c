/*
 * check_op.c - operators: which types they take and give.
 */
#include <string.h>

#include "check.h"

static const char *const op_texts[] = {"||", "&&", "<", "<=", ">",
	">=", "==", "!=", "in", "+", "-", "*", "/", "%", "!", "-", "[]"};

/* ARITH(op, left, right, result) */
static const struct {
	uint8_t op, left, right;
	const struct type *result;
} arith[] = {
	{NODE_OP_ADD, TYPE_INT, TYPE_INT, &type_int},
	{NODE_OP_ADD, TYPE_UINT, TYPE_UINT, &type_uint},
	{NODE_OP_ADD, TYPE_DOUBLE, TYPE_DOUBLE, &type_double},
	{NODE_OP_ADD, TYPE_STRING, TYPE_STRING, &type_string},
	{NODE_OP_ADD, TYPE_BYTES, TYPE_BYTES, &type_bytes},
	{NODE_OP_ADD, TYPE_TIMESTAMP, TYPE_DURATION, &type_timestamp},
	{NODE_OP_ADD, TYPE_DURATION, TYPE_TIMESTAMP, &type_timestamp},
	{NODE_OP_ADD, TYPE_DURATION, TYPE_DURATION, &type_duration},
	{NODE_OP_SUB, TYPE_INT, TYPE_INT, &type_int},
	{NODE_OP_SUB, TYPE_UINT, TYPE_UINT, &type_uint},
	{NODE_OP_SUB, TYPE_DOUBLE, TYPE_DOUBLE, &type_double},
	{NODE_OP_SUB, TYPE_TIMESTAMP, TYPE_TIMESTAMP, &type_duration},
	{NODE_OP_SUB, TYPE_TIMESTAMP, TYPE_DURATION, &type_timestamp},
	{NODE_OP_SUB, TYPE_DURATION, TYPE_DURATION, &type_duration},
	{NODE_OP_MUL, TYPE_INT, TYPE_INT, &type_int},
	{NODE_OP_MUL, TYPE_UINT, TYPE_UINT, &type_uint},
	{NODE_OP_MUL, TYPE_DOUBLE, TYPE_DOUBLE, &type_double},
	{NODE_OP_DIV, TYPE_INT, TYPE_INT, &type_int},
	{NODE_OP_DIV, TYPE_UINT, TYPE_UINT, &type_uint},
	{NODE_OP_DIV, TYPE_DOUBLE, TYPE_DOUBLE, &type_double},
	{NODE_OP_MOD, TYPE_INT, TYPE_INT, &type_int},
	{NODE_OP_MOD, TYPE_UINT, TYPE_UINT, &type_uint},
};

/* "double(account.seats)" for an operand that should be converted. */
static void
hint_convert(const struct compiler *cc, const struct node *node, const char *to,
	char *text, size_t cap)
{
	bool is_short = node->len <= 60;

	(void)snprintf(text, cap, "write %s(%.*s)", to,
		is_short ? (int)node->len : 1,
		is_short ? cc->source + node->offset : "x");
}

static void
report_pair(struct compiler *cc, struct node *node)
{
	const struct node *left = node->args[0], *right = node->args[1];
	char ltext[TYPE_TEXT_MAX], rtext[TYPE_TEXT_MAX], hint[120] = "";
	bool are_numbers =
		type_is_number(left->type) && type_is_number(right->type);

	if (cc->is_lenient)
		return;
	if (are_numbers && left->type->kind != right->type->kind) {
		bool has_double = left->type->kind == TYPE_DOUBLE ||
				  right->type->kind == TYPE_DOUBLE;
		const char *to = has_double ? "double" : "int";
		bool is_left = left->type->kind !=
			       (has_double ? TYPE_DOUBLE : TYPE_INT);

		hint_convert(
			cc, is_left ? left : right, to, hint, sizeof(hint));
	}
	diag_add(cc, node->name_offset, node->name_len, hint,
		"%s does not take %s and %s", op_texts[node->op],
		type_text(left->type, ltext, sizeof(ltext)),
		type_text(right->type, rtext, sizeof(rtext)));
}

static bool
kind_fits(const struct type *type, uint8_t kind)
{
	return type_is_dyn(type) || type->kind == kind;
}

static const struct type *
check_arith(struct compiler *cc, struct node *node)
{
	const struct type *left = check_child(cc, node, 0);
	const struct type *right = check_child(cc, node, 1);
	const struct type *result = NULL;

	if (node->op == NODE_OP_ADD && kind_fits(left, TYPE_LIST) &&
		kind_fits(right, TYPE_LIST))
		result = type_join(cc, left, right);
	for (size_t i = 0; i < SG_COUNTOF(arith); i++) {
		if (arith[i].op != node->op ||
			!kind_fits(left, arith[i].left) ||
			!kind_fits(right, arith[i].right))
			continue;
		if (result != NULL && result->kind != arith[i].result->kind)
			return &type_dyn;
		result = arith[i].result;
	}
	if (result != NULL)
		return result;
	report_pair(cc, node);
	return &type_dyn;
}

static const struct type *
check_order(struct compiler *cc, struct node *node)
{
	const struct type *left = check_child(cc, node, 0);
	const struct type *right = check_child(cc, node, 1);
	bool is_ok = type_is_dyn(left) || type_is_dyn(right) ||
		     left->kind == right->kind ||
		     (type_is_number(left) && type_is_number(right));

	if (!is_ok || !type_is_ordered(left) || !type_is_ordered(right))
		report_pair(cc, node);
	return &type_bool;
}

static const struct type *
check_equal(struct compiler *cc, struct node *node)
{
	const struct type *left = check_child(cc, node, 0);
	const struct type *right = check_child(cc, node, 1);
	char ltext[TYPE_TEXT_MAX], rtext[TYPE_TEXT_MAX];

	if (!type_can_equal(left, right) && !cc->is_lenient)
		diag_add(cc, node->name_offset, node->name_len, NULL,
			"%s and %s are never equal",
			type_text(left, ltext, sizeof(ltext)),
			type_text(right, rtext, sizeof(rtext)));
	return &type_bool;
}

static const struct type *
check_in(struct compiler *cc, struct node *node)
{
	const struct type *left = check_child(cc, node, 0);
	const struct type *right = check_child(cc, node, 1);
	const struct type *item = right->kind == TYPE_LIST  ? right->item
				  : right->kind == TYPE_MAP ? right->key
							    : &type_dyn;

	if ((right->kind != TYPE_LIST && right->kind != TYPE_MAP &&
		    right->kind != TYPE_DYN) ||
		!type_can_equal(left, item))
		report_pair(cc, node);
	return &type_bool;
}

static const struct type *
check_index(struct compiler *cc, struct node *node)
{
	const struct type *left = check_child(cc, node, 0);
	const struct type *right = check_child(cc, node, 1);
	char text[TYPE_TEXT_MAX], ltext[TYPE_TEXT_MAX];

	if (left->kind == TYPE_DYN)
		return &type_dyn;
	if (left->kind == TYPE_LIST) {
		if (!type_is_number(right) && !type_is_dyn(right) &&
			!cc->is_lenient)
			diag_add(cc, node->args[1]->offset, node->args[1]->len,
				NULL, "an index into a list is an int, not %s",
				type_text(right, text, sizeof(text)));
		return left->item;
	}
	if (left->kind == TYPE_MAP) {
		if (!type_can_equal(left->key, right) && !cc->is_lenient)
			diag_add(cc, node->args[1]->offset, node->args[1]->len,
				NULL, "the keys are %s, this is %s",
				type_text(left->key, ltext, sizeof(ltext)),
				type_text(right, text, sizeof(text)));
		return left->item;
	}
	if (!cc->is_lenient)
		diag_add(cc, node->name_offset, node->name_len,
			left->kind == TYPE_RECORD
				? "fields are written with a dot: x.name"
				: NULL,
			"%s cannot be indexed",
			type_text(left, text, sizeof(text)));
	return &type_dyn;
}

static const struct type *
check_negate(struct compiler *cc, struct node *node)
{
	const struct type *type = check_child(cc, node, 0);
	char text[TYPE_TEXT_MAX];

	if (type->kind == TYPE_INT || type->kind == TYPE_DOUBLE ||
		type->kind == TYPE_DYN ||
		(type->kind == TYPE_DURATION && !cc->is_lenient))
		return type->is_nullable && type->kind == TYPE_INT ? &type_int
								   : type;
	if (!cc->is_lenient)
		diag_add(cc, node->name_offset, node->name_len, NULL,
			"- does not take %s",
			type_text(type, text, sizeof(text)));
	return &type_dyn;
}

const struct type *
check_op(struct compiler *cc, struct node *node)
{
	switch (node->op) {
	case NODE_OP_NOT:
		(void)check_child(cc, node, 0);
		(void)check_bool(cc, node->args[0], "!");
		return &type_bool;
	case NODE_OP_NEG:
		return check_negate(cc, node);
	case NODE_OP_INDEX:
		return check_index(cc, node);
	case NODE_OP_IN:
		return check_in(cc, node);
	case NODE_OP_EQ:
	case NODE_OP_NE:
		return check_equal(cc, node);
	case NODE_OP_LT:
	case NODE_OP_LE:
	case NODE_OP_GT:
	case NODE_OP_GE:
		return check_order(cc, node);
	default:
		return check_arith(cc, node);
	}
}

const struct type *
check_logic(struct compiler *cc, struct node *node)
{
	for (uint32_t i = 0; i < node->nargs; i++) {
		(void)check_child(cc, node, i);
		(void)check_bool(cc, node->args[i], op_texts[node->op]);
	}
	return &type_bool;
}

const struct type *
check_cond(struct compiler *cc, struct node *node)
{
	const struct type *yes, *no, *joined;
	char ytext[TYPE_TEXT_MAX], ntext[TYPE_TEXT_MAX];

	(void)check_child(cc, node, 0);
	(void)check_bool(cc, node->args[0], "?:");
	yes = check_child(cc, node, 1);
	no = check_child(cc, node, 2);
	joined = type_join(cc, yes, no);
	if (type_is_dyn(joined) && !type_is_dyn(yes) && !type_is_dyn(no) &&
		!cc->is_lenient)
		diag_add(cc, node->args[2]->offset, node->args[2]->len,
			type_is_number(yes) && type_is_number(no)
				? "write both as doubles, as in 0.0"
				: NULL,
			"?: gives %s on one side and %s on the other",
			type_text(yes, ytext, sizeof(ytext)),
			type_text(no, ntext, sizeof(ntext)));
	return joined;
}
