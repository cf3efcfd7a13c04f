/*
 * macro.c - has(), all(), exists(), ... : calls that are syntax.
 *
 *   has(e.f)                            SELECT or IDENT with is_test
 *   e.all(v, p)       e.all(i, v, p)    COMP, body p
 *   e.exists(..)      e.exists_one(..) / existsOne(..)
 *   e.filter(v, p)                      COMP, body p
 *   e.map(v, t)       e.map(v, p, t)    COMP, body t, or p and t
 *   e.transformList(i, v, [p,] t)       the same with two variables
 *   e.transformMap(k, v, [p,] t)
 *   cel.bind(v, e, t)                   BIND
 *
 * A COMP keeps its range in args[0] and its bodies behind it; the variables'
 * names are in vars.
 */
#include <string.h>

#include "parse.h"

/* MACRO(name, macro, variables, fewest bodies, most bodies) */
static const struct macro_row {
	const char *name;
	uint8_t macro, nvars, min_bodies, max_bodies;
} macros[] = {
	{"all", MACRO_ALL, 1, 1, 1},
	{"all", MACRO_ALL, 2, 1, 1},
	{"exists", MACRO_EXISTS, 1, 1, 1},
	{"exists", MACRO_EXISTS, 2, 1, 1},
	{"exists_one", MACRO_EXISTS_ONE, 1, 1, 1},
	{"exists_one", MACRO_EXISTS_ONE, 2, 1, 1},
	{"existsOne", MACRO_EXISTS_ONE, 1, 1, 1},
	{"existsOne", MACRO_EXISTS_ONE, 2, 1, 1},
	{"filter", MACRO_FILTER, 1, 1, 1},
	{"map", MACRO_MAP, 1, 1, 2},
	{"transformList", MACRO_MAP, 2, 1, 2},
	{"transformMap", MACRO_MAP_ENTRIES, 2, 1, 2},
};

static bool
name_is(const struct node *node, const char *name)
{
	return strlen(name) == node->name_len &&
	       memcmp(node->name, name, node->name_len) == 0;
}

static bool
take_var(struct parser *ps, const struct node *arg, struct node_var *ret_var)
{
	if (arg->kind != NODE_IDENT || arg->is_rooted || arg->is_closed) {
		(void)parse_fail(ps, arg->offset, arg->len, NULL,
			"a variable's name must stand here");
		return false;
	}
	*ret_var = (struct node_var){.name = arg->name,
		.len = arg->name_len,
		.offset = arg->name_offset};
	return true;
}

static struct node *
expand_has(struct parser *ps, struct node *call)
{
	struct node *arg;

	if (call->nargs != 1)
		return parse_fail(ps, call->offset, call->len, NULL,
			"has() takes one field, as in has(account.arr)");
	arg = call->args[0];
	if (arg->is_test ||
		(arg->kind != NODE_SELECT &&
			(arg->kind != NODE_IDENT || ps->cc->is_lenient)))
		return parse_fail(ps, arg->offset, arg->len, NULL,
			"has() takes a field, as in has(account.arr)");
	arg->is_test = true;
	arg->offset = call->offset;
	arg->len = call->len;
	return arg;
}

static struct node *
expand_bind(struct parser *ps, struct node *call)
{
	if (call->nargs != 4)
		return parse_fail(ps, call->offset, call->len, NULL,
			"cel.bind() takes a name, its value and an expression");
	if (!take_var(ps, call->args[1], &call->vars[0]))
		return NULL;
	call->kind = NODE_BIND;
	call->nvars = 1;
	call->args += 2;
	call->nargs = 2;
	return call;
}

static struct node *
expand_comp(struct parser *ps, struct node *call, const struct macro_row *row)
{
	uint32_t bodies = call->nargs - 1 - row->nvars;

	for (uint32_t i = 0; i < row->nvars; i++) {
		if (!take_var(ps, call->args[1 + i], &call->vars[i]))
			return NULL;
	}
	if (row->nvars == 2 && call->vars[0].len == call->vars[1].len &&
		memcmp(call->vars[0].name, call->vars[1].name,
			call->vars[0].len) == 0)
		return parse_fail(ps, call->vars[1].offset, call->vars[1].len,
			NULL, "the two variables need different names");
	call->kind = NODE_COMP;
	call->macro = row->macro;
	call->nvars = row->nvars;
	call->has_filter = row->max_bodies == 2 && bodies == 2;
	call->args[row->nvars] = call->args[0];
	call->args += row->nvars;
	call->nargs = 1 + bodies;
	return call;
}

struct node *
parse_macro(struct parser *ps, struct node *call)
{
	if (!call->is_method)
		return name_is(call, "has") ? expand_has(ps, call) : call;
	if (name_is(call, "bind") && call->args[0]->kind == NODE_IDENT &&
		name_is(call->args[0], "cel"))
		return expand_bind(ps, call);
	for (size_t i = 0; i < SG_COUNTOF(macros); i++) {
		const struct macro_row *row = &macros[i];

		if (name_is(call, row->name) &&
			call->nargs >= 1u + row->nvars + row->min_bodies &&
			call->nargs <= 1u + row->nvars + row->max_bodies)
			return expand_comp(ps, call, row);
	}
	return call;
}
