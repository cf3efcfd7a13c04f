/*
 * parse.c - the CEL grammar, by recursive descent.
 *
 *   expr    = binary ["?" binary ":" expr]
 *   binary  = unary {operator unary}           by precedence
 *   unary   = "!"... member | "-"... member
 *   member  = primary {"." name ["(" args ")"] | "[" expr "]"}
 *   primary = literal | name | "." name | call | "(" expr ")" | list | map
 *
 * Chains of && and of || become one node with many arguments, so that a rule
 * of a hundred clauses is no deeper than one of two. Depth is bounded twice:
 * CEL_DEPTH_MAX for the parser's own recursion, NODE_DEPTH_MAX for the tree,
 * which later passes walk recursively.
 *
 * A syntax mistake ends the parse: what follows it would be guesswork.
 */
#include "parse.h"

#include <string.h>
#include <strings.h>

static void
advance(struct parser *ps)
{
	ps->prev_end = ps->tok.offset + ps->tok.len;
	ps->tok = lex_next(&ps->lexer);
	if (ps->tok.kind == TOK_BAD)
		ps->is_failed = true;
}

static bool
accept(struct parser *ps, enum token_kind kind)
{
	if (ps->tok.kind != kind)
		return false;
	advance(ps);
	return true;
}

struct node *
parse_fail(struct parser *ps, uint32_t offset, uint32_t len, const char *hint,
	const char *what)
{
	if (!ps->is_failed)
		diag_add(ps->cc, offset, len, hint, "%s", what);
	ps->is_failed = true;
	return NULL;
}

/* "a and b", "not a", "a <> b" */
static const char *
foreign(const struct parser *ps)
{
	const char *source = ps->cc->source;
	const char *at = source + ps->tok.offset;
	size_t end = ps->prev_end;

	if (ps->tok.kind == TOK_GT && at > source && at[-1] == '<')
		return "did you mean != ?";
	if (end >= 3 && strncasecmp(source + end - 3, "not", 3) == 0 &&
		(end == 3 || strchr(" (!&|?:", source[end - 4]) != NULL))
		return hint_foreign("not", 3);
	if (ps->tok.kind != TOK_IDENT && ps->tok.kind != TOK_RESERVED)
		return NULL;
	return hint_foreign(at, ps->tok.len);
}

static struct node *
unexpected(struct parser *ps, const char *wanted)
{
	char text[160];
	size_t len = ps->tok.len < 40 ? ps->tok.len : 40;

	if (ps->tok.kind == TOK_END)
		(void)snprintf(text, sizeof(text),
			"the expression ends where %s should be", wanted);
	else
		(void)snprintf(text, sizeof(text),
			"'%.*s' stands where %s should be", (int)len,
			ps->cc->source + ps->tok.offset, wanted);
	return parse_fail(ps, ps->tok.offset, ps->tok.len, foreign(ps), text);
}

static bool
expect(struct parser *ps, enum token_kind kind, const char *wanted)
{
	if (accept(ps, kind))
		return true;
	(void)unexpected(ps, wanted);
	return false;
}

struct node *
parse_node(struct parser *ps, enum node_kind kind, uint32_t offset)
{
	struct node *node = cc_alloc(ps->cc, sizeof(*node));

	if (node == NULL) {
		ps->is_failed = true;
		return NULL;
	}
	memset(node, 0, sizeof(*node));
	node->kind = (uint8_t)kind;
	node->offset = offset;
	node->depth = 1;
	node->min_local = UINT16_MAX;
	return node;
}

/* Give `node` its arguments and its depth, and let it end where the last
 * token ended. */
struct node *
parse_finish(
	struct parser *ps, struct node *node, struct node **args, uint32_t n)
{
	node->args = args;
	node->nargs = n;
	for (uint32_t i = 0; i < n; i++) {
		if (args[i]->depth >= node->depth)
			node->depth = (uint16_t)(args[i]->depth + 1);
	}
	node->len = ps->prev_end - node->offset;
	if (node->depth > NODE_DEPTH_MAX)
		return parse_fail(ps, node->offset, node->len,
			"split it into variables",
			"this expression has too many levels");
	return node;
}

static bool
list_push(struct parser *ps, struct node_list *list, struct node *node)
{
	if (node == NULL)
		return false;
	if (list->n == list->cap && !cc_grow(ps->cc, (void **)&list->items,
					    &list->cap, sizeof(*list->items))) {
		ps->is_failed = true;
		return false;
	}
	list->items[list->n++] = node;
	return true;
}

static struct node *
make_binary(struct parser *ps, enum node_op op, const struct token *tok,
	struct node *left, struct node *right)
{
	struct node_list args = {0};
	struct node *node = parse_node(ps, NODE_OP, left->offset);

	if (node == NULL || !list_push(ps, &args, left) ||
		!list_push(ps, &args, right))
		return NULL;
	node->op = (uint8_t)op;
	node->name_offset = tok->offset;
	node->name_len = tok->len;
	return parse_finish(ps, node, args.items, args.n);
}

static struct node *
parse_expr(struct parser *ps);

/* Comma-separated expressions up to `close`; a trailing comma is allowed for
 * lists, as the grammar has it. */
static bool
parse_list(struct parser *ps, enum token_kind close, bool may_trail,
	struct node_list *list)
{
	if (accept(ps, close))
		return true;
	for (;;) {
		if (!list_push(ps, list, parse_expr(ps)))
			return false;
		if (!accept(ps, TOK_COMMA))
			break;
		if (may_trail && ps->tok.kind == close)
			break;
	}
	return expect(
		ps, close, close == TOK_RPAREN ? "',' or ')'" : "',' or ']'");
}

static struct node *
parse_map(struct parser *ps)
{
	struct node *node = parse_node(ps, NODE_MAP, ps->tok.offset);
	struct node_list list = {0};

	advance(ps);
	while (node != NULL && ps->tok.kind != TOK_RBRACE) {
		if (!list_push(ps, &list, parse_expr(ps)) ||
			!expect(ps, TOK_COLON, "':' and a value") ||
			!list_push(ps, &list, parse_expr(ps)))
			return NULL;
		if (!accept(ps, TOK_COMMA))
			break;
	}
	if (node == NULL || !expect(ps, TOK_RBRACE, "',' or '}'"))
		return NULL;
	return parse_finish(ps, node, list.items, list.n);
}

static struct node *
parse_list_literal(struct parser *ps)
{
	struct node *node = parse_node(ps, NODE_LIST, ps->tok.offset);
	struct node_list list = {0};

	advance(ps);
	if (node == NULL || !parse_list(ps, TOK_RBRACKET, true, &list))
		return NULL;
	return parse_finish(ps, node, list.items, list.n);
}

static struct node *
parse_call(struct parser *ps, struct node *node, struct node *receiver)
{
	struct node_list list = {0};

	node->kind = NODE_CALL;
	node->is_method = receiver != NULL;
	if (receiver != NULL && !list_push(ps, &list, receiver))
		return NULL;
	advance(ps);
	if (!parse_list(ps, TOK_RPAREN, false, &list))
		return NULL;
	if (parse_finish(ps, node, list.items, list.n) == NULL)
		return NULL;
	return parse_macro(ps, node);
}

static void
take_name(struct parser *ps, struct node *node)
{
	node->name = ps->cc->source + ps->tok.offset;
	node->name_len = ps->tok.len;
	node->name_offset = ps->tok.offset;
	if (ps->tok.kind == TOK_QUOTED) {
		node->is_quoted = true;
		node->name++;
		node->name_len -= 2;
	}
	advance(ps);
}

static struct node *
parse_name(struct parser *ps)
{
	struct node *node = parse_node(ps, NODE_IDENT, ps->tok.offset);

	if (node == NULL)
		return NULL;
	node->is_rooted = accept(ps, TOK_DOT);
	if (ps->tok.kind == TOK_RESERVED)
		return parse_fail(ps, ps->tok.offset, ps->tok.len, foreign(ps),
			"this word is reserved and cannot be a name");
	if (ps->tok.kind != TOK_IDENT)
		return unexpected(ps, "a name");
	take_name(ps, node);
	if (ps->tok.kind == TOK_LPAREN)
		return parse_call(ps, node, NULL);
	return parse_finish(ps, node, NULL, 0);
}

static struct node *
parse_const(struct parser *ps)
{
	struct node *node = parse_node(ps, NODE_CONST, ps->tok.offset);

	if (node == NULL)
		return NULL;
	node->value = ps->tok.value;
	advance(ps);
	return parse_finish(ps, node, NULL, 0);
}

static struct node *
parse_primary(struct parser *ps)
{
	struct node *node;
	uint32_t start = ps->tok.offset;

	switch (ps->tok.kind) {
	case TOK_CONST:
		return parse_const(ps);
	case TOK_INT_MIN:
		return parse_fail(ps, start, ps->tok.len, NULL,
			"the number is too large for an int");
	case TOK_LPAREN:
		advance(ps);
		node = parse_expr(ps);
		if (node == NULL || !expect(ps, TOK_RPAREN, "')'"))
			return NULL;
		/* Its text now includes the parentheses. */
		node->offset = start;
		node->len = ps->prev_end - start;
		node->is_closed = true;
		return node;
	case TOK_LBRACKET:
		return parse_list_literal(ps);
	case TOK_LBRACE:
		return parse_map(ps);
	case TOK_IDENT:
	case TOK_RESERVED:
	case TOK_DOT:
		return parse_name(ps);
	default:
		return unexpected(ps, "a value");
	}
}

static struct node *
parse_select(struct parser *ps, struct node *left)
{
	struct node *node = parse_node(ps, NODE_SELECT, left->offset);
	struct node_list args = {0};

	advance(ps);
	if (node == NULL)
		return NULL;
	if (ps->tok.kind != TOK_IDENT && ps->tok.kind != TOK_QUOTED &&
		ps->tok.kind != TOK_RESERVED)
		return unexpected(ps, "a member's name");
	take_name(ps, node);
	if (ps->tok.kind == TOK_LPAREN && !node->is_quoted)
		return parse_call(ps, node, left);
	if (!list_push(ps, &args, left))
		return NULL;
	return parse_finish(ps, node, args.items, args.n);
}

static struct node *
parse_index(struct parser *ps, struct node *left)
{
	struct token tok = ps->tok;
	struct node *right, *node;

	advance(ps);
	right = parse_expr(ps);
	if (right == NULL || !expect(ps, TOK_RBRACKET, "']'"))
		return NULL;
	node = make_binary(ps, NODE_OP_INDEX, &tok, left, right);
	if (node != NULL) {
		node->name_offset = tok.offset;
		node->name_len = ps->prev_end - tok.offset;
	}
	return node;
}

static struct node *
parse_member(struct parser *ps)
{
	struct node *node = parse_primary(ps);

	while (node != NULL && !ps->is_failed) {
		if (ps->tok.kind == TOK_DOT)
			node = parse_select(ps, node);
		else if (ps->tok.kind == TOK_LBRACKET)
			node = parse_index(ps, node);
		else if (ps->tok.kind == TOK_LBRACE &&
			 (node->kind == NODE_IDENT ||
				 node->kind == NODE_SELECT))
			return parse_fail(ps, ps->tok.offset, 1, NULL,
				"messages cannot be built here");
		else
			break;
	}
	return node;
}

static struct node *
negate_literal(struct parser *ps, uint32_t start)
{
	struct node *node = parse_node(ps, NODE_CONST, start);

	if (node == NULL)
		return NULL;
	node->value = ps->tok.value;
	if (node->value.kind == VALUE_DOUBLE)
		node->value.as.d = -node->value.as.d;
	else if (ps->tok.kind == TOK_CONST)
		node->value.as.i = -node->value.as.i;
	advance(ps);
	return parse_finish(ps, node, NULL, 0);
}

static struct node *
parse_unary(struct parser *ps)
{
	struct token tok = ps->tok;
	struct node_list args = {0};
	struct node *node;

	if (tok.kind != TOK_NOT && tok.kind != TOK_MINUS)
		return parse_member(ps);
	if (++ps->depth > CEL_DEPTH_MAX)
		return parse_fail(ps, tok.offset, tok.len, NULL,
			"this is nested too deep");
	advance(ps);
	if (tok.kind == TOK_MINUS && ps->tok.is_number &&
		ps->tok.value.kind != VALUE_UINT && !ps->is_failed) {
		ps->depth--;
		return negate_literal(ps, tok.offset);
	}
	node = parse_node(ps, NODE_OP, tok.offset);
	if (node == NULL || !list_push(ps, &args, parse_unary(ps)))
		return NULL;
	ps->depth--;
	node->op = tok.kind == TOK_NOT ? NODE_OP_NOT : NODE_OP_NEG;
	node->name_offset = tok.offset;
	node->name_len = tok.len;
	return parse_finish(ps, node, args.items, args.n);
}

/* The operator of a token, and how tightly it binds; 0 when it is none. */
static int
binary_op(enum token_kind kind, enum node_op *ret_op)
{
	static const struct {
		uint8_t kind, op, level;
	} table[] = {{TOK_OR, NODE_OP_OR, 1}, {TOK_AND, NODE_OP_AND, 2},
		{TOK_LT, NODE_OP_LT, 3}, {TOK_LE, NODE_OP_LE, 3},
		{TOK_GT, NODE_OP_GT, 3}, {TOK_GE, NODE_OP_GE, 3},
		{TOK_EQ, NODE_OP_EQ, 3}, {TOK_NE, NODE_OP_NE, 3},
		{TOK_IN, NODE_OP_IN, 3}, {TOK_PLUS, NODE_OP_ADD, 4},
		{TOK_MINUS, NODE_OP_SUB, 4}, {TOK_STAR, NODE_OP_MUL, 5},
		{TOK_SLASH, NODE_OP_DIV, 5}, {TOK_PERCENT, NODE_OP_MOD, 5}};

	for (size_t i = 0; i < SG_COUNTOF(table); i++) {
		if (table[i].kind == kind) {
			*ret_op = (enum node_op)table[i].op;
			return table[i].level;
		}
	}
	return 0;
}

static struct node *
parse_binary(struct parser *ps, int level);

/* left && right && ...: one node. */
static struct node *
parse_chain(struct parser *ps, enum node_op op, int level, struct node *left)
{
	enum token_kind kind = (enum token_kind)ps->tok.kind;
	struct node *node = parse_node(ps, NODE_LOGIC, left->offset);
	struct node_list args = {0};

	if (node == NULL || !list_push(ps, &args, left))
		return NULL;
	node->op = (uint8_t)op;
	while (ps->tok.kind == kind && !ps->is_failed) {
		advance(ps);
		if (!list_push(ps, &args, parse_binary(ps, level + 1)))
			return NULL;
	}
	return parse_finish(ps, node, args.items, args.n);
}

static struct node *
parse_binary(struct parser *ps, int level)
{
	struct node *left = parse_unary(ps);

	while (left != NULL && !ps->is_failed) {
		struct token tok = ps->tok;
		enum node_op op;
		int found = binary_op((enum token_kind)tok.kind, &op);

		if (found == 0 || found < level)
			break;
		if (op == NODE_OP_AND || op == NODE_OP_OR) {
			left = parse_chain(ps, op, found, left);
			continue;
		}
		advance(ps);

		struct node *right = parse_binary(ps, found + 1);

		if (right == NULL)
			return NULL;
		left = make_binary(ps, op, &tok, left, right);
	}
	return ps->is_failed ? NULL : left;
}

static struct node *
parse_expr(struct parser *ps)
{
	struct node_list args = {0};
	struct node *node, *left;

	if (++ps->depth > CEL_DEPTH_MAX)
		return parse_fail(ps, ps->tok.offset, ps->tok.len, NULL,
			"this is nested too deep");
	left = parse_binary(ps, 1);
	if (left == NULL || ps->tok.kind != TOK_QUESTION) {
		ps->depth--;
		return left;
	}
	node = parse_node(ps, NODE_COND, left->offset);
	advance(ps);
	if (node == NULL || !list_push(ps, &args, left) ||
		!list_push(ps, &args, parse_binary(ps, 1)) ||
		!expect(ps, TOK_COLON, "':'") ||
		!list_push(ps, &args, parse_expr(ps)))
		return NULL;
	ps->depth--;
	return parse_finish(ps, node, args.items, args.n);
}

struct node *
parse(struct compiler *cc)
{
	struct parser ps = {.cc = cc, .lexer = {.cc = cc}};
	struct node *node;

	advance(&ps);
	if (ps.is_failed)
		return NULL;
	if (ps.tok.kind == TOK_END)
		return parse_fail(&ps, 0, 0, NULL, "the expression is empty");
	node = parse_expr(&ps);
	if (node != NULL && !ps.is_failed && ps.tok.kind != TOK_END)
		return unexpected(&ps, "an operator or the end");
	return ps.is_failed ? NULL : node;
}
