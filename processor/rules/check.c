/*
 * check.c - names, types and mistakes.
 *
 * Walks the tree once, bottom up, gives every node a type and resolves names.
 * A mistake is reported where it stands, the node becomes dyn, and the walk
 * goes on, so that one compilation reports all of them; dyn keeps a mistake
 * from causing others.
 *
 * A dotted path is looked up whole, then without its last member, and so on:
 * the longest declared prefix wins, the rest is field selection. Variables of
 * comprehensions hide declared names.
 *
 * In lenient mode (conformance cases that switch the checker off) nothing is
 * reported: what has no meaning becomes an error when it is evaluated.
 */
#include "check.h"

#include <string.h>

static const struct {
	const char *name;
	const char *type_name;
} type_names[] = {{"bool", "bool"}, {"int", "int"}, {"uint", "uint"},
	{"double", "double"}, {"string", "string"}, {"bytes", "bytes"},
	{"list", "list"}, {"map", "map"}, {"null_type", "null_type"},
	{"type", "type"},
	{"google.protobuf.Timestamp", "google.protobuf.Timestamp"},
	{"google.protobuf.Duration", "google.protobuf.Duration"}};

const struct type *
check_set(struct node *node, const struct type *type)
{
	node->type = type;
	return type;
}

const struct type *
check_child(struct compiler *cc, struct node *node, uint32_t i)
{
	struct node *arg = node->args[i];
	const struct type *type = check_node(cc, arg);

	node->is_state |= arg->is_state;
	if (arg->min_local < node->min_local)
		node->min_local = arg->min_local;
	return type;
}

/* --- names -------------------------------------------------------------- */

static int
find_local(const struct compiler *cc, const struct node *node)
{
	if (node->is_rooted)
		return -1;
	for (uint32_t i = cc->nlocals; i-- > 0;) {
		if (cc->locals[i].len == node->name_len &&
			memcmp(cc->locals[i].name, node->name,
				node->name_len) == 0)
			return (int)i;
	}
	return -1;
}

/* The root of a path of plain names, NULL when it is none. */
static struct node *
path_root(struct node *node)
{
	while (node->kind == NODE_SELECT && !node->is_quoted &&
		node->ref == REF_NONE)
		node = node->args[0];
	return node->kind == NODE_IDENT ? node : NULL;
}

/* Write the dotted path that `node` ends; 0 when it is too long. */
static size_t
path_text(const struct node *node, char *text, size_t cap)
{
	size_t at = 0;

	if (node->kind == NODE_SELECT) {
		at = path_text(node->args[0], text, cap);
		if (at == 0 || at + 1 >= cap)
			return 0;
		text[at++] = '.';
	}
	if (at + node->name_len >= cap)
		return 0;
	memcpy(text + at, node->name, node->name_len);
	return at + node->name_len;
}

static void
become_slot(struct compiler *cc, struct node *node, const struct env_name *name)
{
	node->kind = NODE_IDENT;
	node->ref = REF_SLOT;
	node->index = (uint32_t)(name - cc->env->names);
	node->is_state = true;
	node->type = name->type;
	node->nargs = 0;
}

static bool
become_type(struct node *node, const char *path, size_t len)
{
	for (size_t i = 0; i < SG_COUNTOF(type_names); i++) {
		if (strlen(type_names[i].name) == len &&
			memcmp(type_names[i].name, path, len) == 0) {
			const char *name = type_names[i].type_name;

			node->kind = NODE_CONST;
			node->nargs = 0;
			node->type = &type_type;
			node->value = (struct value){.kind = VALUE_TYPE,
				.len = (uint32_t)strlen(name),
				.as = {.s = name}};
			return true;
		}
	}
	return false;
}

static bool
become_now(struct compiler *cc, struct node *node)
{
	if (node->kind != NODE_IDENT || node->name_len != 3 ||
		memcmp(node->name, "now", 3) != 0 ||
		(cc->env->flags & CEL_ENV_CONFORMANCE) != 0)
		return false;
	node->ref = REF_NOW;
	node->is_state = true;
	node->type = &type_timestamp;
	if ((cc->env->flags & CEL_ENV_NO_NOW) != 0)
		diag_add(cc, node->offset, node->len,
			"move the condition into a rule",
			"`now` cannot be used here: the value is kept, and "
			"must "
			"not depend on the clock");
	return true;
}

/* Resolve the path that `node` ends, as a whole. */
static bool
resolve_path(struct compiler *cc, struct node *node, bool is_rooted)
{
	char text[NAME_LEN_MAX + 80];
	const struct env_name *found;
	size_t prefix = strlen(cc->env->container);
	size_t len = path_text(node, text + prefix + 1, NAME_LEN_MAX);

	if (len == 0)
		return false;
	if (prefix != 0 && !is_rooted) {
		memcpy(text, cc->env->container, prefix);
		text[prefix] = '.';
		found = env_find(cc->env, text, prefix + 1 + len);
		if (found != NULL) {
			become_slot(cc, node, found);
			return true;
		}
	}
	found = env_find(cc->env, text + prefix + 1, len);
	if (found != NULL) {
		become_slot(cc, node, found);
		return true;
	}
	return become_type(node, text + prefix + 1, len) ||
	       become_now(cc, node);
}

static void
unknown_path(struct compiler *cc, struct node *node, struct node *root)
{
	char text[NAME_LEN_MAX], hint[160];
	size_t len = path_text(node, text, sizeof(text));

	root->ref = REF_UNBOUND;
	root->type = &type_dyn;
	root->is_state = true;
	if (cc->is_lenient)
		return;
	hint_name(cc->env, text, len, hint, sizeof(hint));
	if (hint[0] == '\0' && root != node)
		hint_name(cc->env, root->name, root->name_len, hint,
			sizeof(hint));
	diag_add(cc, root->offset,
		node->name_offset + node->name_len - root->offset, hint,
		"unknown name '%.*s'", (int)(len > 120 ? 120 : len), text);
}

/* Resolve as much as possible of the path that `node` ends. */
static void
resolve(struct compiler *cc, struct node *node)
{
	struct node *root = path_root(node);
	int local;

	if (root == NULL || root->ref != REF_NONE)
		return;
	local = find_local(cc, root);
	if (local >= 0) {
		root->ref = REF_LOCAL;
		root->index = (uint32_t)local;
		root->type = cc->locals[local].type;
		root->min_local = (uint16_t)local;
		return;
	}
	for (struct node *at = node;; at = at->args[0]) {
		if (resolve_path(cc, at, root->is_rooted))
			return;
		if (at == root)
			break;
	}
	unknown_path(cc, node, root);
}

static const struct type *
check_ident(struct compiler *cc, struct node *node)
{
	if (node->ref == REF_NONE)
		resolve(cc, node);
	if (!node->is_test)
		return node->type;
	if (node->ref != REF_SLOT && !cc->is_lenient &&
		node->ref != REF_UNBOUND)
		diag_add(cc, node->offset, node->len, NULL,
			"has() takes a declared name or a field");
	return check_set(node, &type_bool);
}

/* --- members ------------------------------------------------------------ */

static const struct type *
select_record(struct compiler *cc, struct node *node, const struct type *record)
{
	char hint[160], text[TYPE_TEXT_MAX];

	for (size_t i = 0; i < record->nfields; i++) {
		const char *name = record->fields[i].name;

		if (strlen(name) == node->name_len &&
			memcmp(name, node->name, node->name_len) == 0) {
			node->index = (uint32_t)i;
			node->is_field = true;
			return record->fields[i].type;
		}
	}
	hint_field(record, node->name, node->name_len, hint, sizeof(hint));
	(void)text;
	diag_add(cc, node->name_offset, node->name_len, hint,
		"there is no field '%.*s'",
		(int)(node->name_len > 80 ? 80 : node->name_len), node->name);
	return &type_dyn;
}

static const struct type *
check_select(struct compiler *cc, struct node *node)
{
	const struct type *type, *result = &type_dyn;
	char text[TYPE_TEXT_MAX];

	resolve(cc, node);
	if (node->kind == NODE_CONST)
		return node->type;
	if (node->kind == NODE_IDENT)
		return check_ident(cc, node);
	type = check_child(cc, node, 0);
	switch (type->kind) {
	case TYPE_RECORD:
		result = select_record(cc, node, type);
		break;
	case TYPE_MAP:
		result = type->item;
		break;
	case TYPE_DYN:
		break;
	default:
		if (cc->is_lenient)
			break;
		diag_add(cc, node->name_offset, node->name_len, NULL,
			"%s has no fields",
			type_text(type, text, sizeof(text)));
	}
	return check_set(node, node->is_test ? &type_bool : result);
}

/* --- literals ----------------------------------------------------------- */

static const struct type *
const_type(struct value v)
{
	switch (v.kind) {
	case VALUE_BOOL:
		return &type_bool;
	case VALUE_INT:
		return &type_int;
	case VALUE_UINT:
		return &type_uint;
	case VALUE_DOUBLE:
		return &type_double;
	case VALUE_STRING:
		return &type_string;
	case VALUE_BYTES:
		return &type_bytes;
	case VALUE_TYPE:
		return &type_type;
	default:
		return &type_null;
	}
}

const struct type *
check_type(struct compiler *cc, const struct type *type)
{
	if (type == NULL && cc->err == SG_OK)
		cc->err = SG_NOMEM;
	return type == NULL ? &type_dyn : type;
}

static const struct type *
check_list(struct compiler *cc, struct node *node)
{
	const struct type *item = &cel_type_free;

	for (uint32_t i = 0; i < node->nargs; i++)
		item = type_join(cc, item, check_child(cc, node, i));
	return check_type(cc, type_list(&cc->arena, item));
}

static bool
is_key(const struct type *type)
{
	return type->kind == TYPE_DYN || type->kind == TYPE_BOOL ||
	       type->kind == TYPE_INT || type->kind == TYPE_UINT ||
	       type->kind == TYPE_STRING;
}

static const struct type *
check_map(struct compiler *cc, struct node *node)
{
	const struct type *key = &cel_type_free, *item = &cel_type_free;
	char text[TYPE_TEXT_MAX];

	for (uint32_t i = 0; i < node->nargs; i += 2) {
		const struct type *type = check_child(cc, node, i);

		if (!is_key(type) && !cc->is_lenient)
			diag_add(cc, node->args[i]->offset, node->args[i]->len,
				NULL,
				"a key is bool, int, uint or string, not %s",
				type_text(type, text, sizeof(text)));
		key = type_join(cc, key, type);
		item = type_join(cc, item, check_child(cc, node, i + 1));
	}
	return check_type(cc, type_map(&cc->arena, key, item));
}

/* --- comprehensions ----------------------------------------------------- */

bool
check_bool(struct compiler *cc, const struct node *node, const char *who)
{
	char text[TYPE_TEXT_MAX];

	if (type_is_dyn(node->type) || node->type->kind == TYPE_BOOL ||
		cc->is_lenient)
		return true;
	diag_add(cc, node->offset, node->len, NULL,
		"%s needs a bool here, not %s", who,
		type_text(node->type, text, sizeof(text)));
	return false;
}

static bool
push_local(struct compiler *cc, struct node *node, const struct node_var *var,
	const struct type *type)
{
	if (cc->nlocals == LOCALS_MAX) {
		diag_add(cc, node->offset, node->len, NULL,
			"too many variables inside one another");
		return false;
	}
	cc->locals[cc->nlocals++] = (struct local){
		.name = var->name, .len = var->len, .type = type};
	return true;
}

/* The types of a comprehension's variables over `range`. */
static bool
range_types(struct compiler *cc, struct node *node, const struct type *range,
	const struct type *ret_types[2])
{
	char text[TYPE_TEXT_MAX];

	ret_types[0] = ret_types[1] = &type_dyn;
	if (range->kind == TYPE_LIST) {
		ret_types[0] = node->nvars == 2 ? &type_int : range->item;
		ret_types[1] = range->item;
	} else if (range->kind == TYPE_MAP) {
		ret_types[0] = range->key;
		ret_types[1] = range->item;
	} else if (range->kind != TYPE_DYN && !cc->is_lenient) {
		diag_add(cc, node->args[0]->offset, node->args[0]->len, NULL,
			"%.*s() goes over a list or a map, not %s",
			(int)node->name_len, node->name,
			type_text(range, text, sizeof(text)));
		return false;
	}
	return true;
}

static const struct type *
comp_type(struct compiler *cc, const struct node *node,
	const struct type *range, const struct type *vars[2])
{
	const struct type *last = node->args[node->nargs - 1]->type;

	switch (node->macro) {
	case MACRO_FILTER:
		if (range->kind == TYPE_LIST && !range->is_nullable)
			return range;
		if (range->kind == TYPE_DYN)
			return &type_dyn;
		return check_type(cc, type_list(&cc->arena, vars[0]));
	case MACRO_MAP:
		return check_type(cc, type_list(&cc->arena, last));
	case MACRO_MAP_ENTRIES:
		return check_type(cc, type_map(&cc->arena, vars[0], last));
	default:
		return &type_bool;
	}
}

static const struct type *
check_comp(struct compiler *cc, struct node *node)
{
	const struct type *range = check_child(cc, node, 0);
	const struct type *types[2];
	uint32_t base = cc->nlocals;

	(void)range_types(cc, node, range, types);
	node->index = base;
	if (++cc->nloops > LOOPS_MAX)
		diag_add(cc, node->offset, node->len, NULL,
			"too many comprehensions inside one another");
	for (uint32_t i = 0; i < 2 && i < node->nvars; i++) {
		if (!push_local(cc, node, &node->vars[i], types[i]))
			break;
	}
	uint16_t outer = node->min_local;

	for (uint32_t i = 1; i < node->nargs; i++) {
		bool is_condition = node->macro <= MACRO_FILTER ||
				    (node->has_filter && i == 1);

		(void)check_child(cc, node, i);
		if (is_condition)
			(void)check_bool(cc, node->args[i], "a condition");
	}
	/* Its own variables are no dependency on the outside. */
	if (node->min_local >= base)
		node->min_local = outer;
	cc->nlocals = base;
	cc->nloops--;
	return comp_type(cc, node, range, types);
}

static const struct type *
check_bind(struct compiler *cc, struct node *node)
{
	const struct type *type = check_child(cc, node, 0);
	uint32_t base = cc->nlocals;
	uint16_t outer = node->min_local;

	node->index = base;
	(void)push_local(cc, node, &node->vars[0], type);
	type = check_child(cc, node, 1);
	if (node->min_local >= base)
		node->min_local = outer;
	cc->nlocals = base;
	return type;
}

const struct type *
check_node(struct compiler *cc, struct node *node)
{
	switch (node->kind) {
	case NODE_CONST:
		return check_set(node, const_type(node->value));
	case NODE_IDENT:
		return check_ident(cc, node);
	case NODE_SELECT:
		return check_select(cc, node);
	case NODE_OP:
		return check_set(node, check_op(cc, node));
	case NODE_CALL:
		return check_set(node, check_call(cc, node));
	case NODE_LOGIC:
		return check_set(node, check_logic(cc, node));
	case NODE_COND:
		return check_set(node, check_cond(cc, node));
	case NODE_LIST:
		return check_set(node, check_list(cc, node));
	case NODE_MAP:
		return check_set(node, check_map(cc, node));
	case NODE_COMP:
		return check_set(node, check_comp(cc, node));
	default:
		return check_set(node, check_bind(cc, node));
	}
}

bool
check(struct compiler *cc, struct node *root)
{
	(void)check_node(cc, root);
	return !cc->has_mistake && cc->err == SG_OK;
}
