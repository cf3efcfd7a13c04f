/*
 * check_call.c - calls: which overloads fit, and what they give.
 */
#include <string.h>

#include "check.h"
#include "library.h"
#include "segmentd/civil.h"

static bool
item_fits(const struct type *item, const char *kinds)
{
	if (type_is_dyn(item))
		return true;
	switch (item->kind) {
	case TYPE_STRING:
		return kinds[0] == 'S' || kinds[0] == 'C';
	case TYPE_INT:
	case TYPE_UINT:
	case TYPE_DOUBLE:
		return kinds[0] == 'Q' || kinds[0] == 'C' || kinds[0] == 'N';
	case TYPE_DURATION:
		return kinds[0] == 'Q' || kinds[0] == 'C';
	default:
		return kinds[0] == 'C' && type_is_ordered(item);
	}
}

static bool
param_fits(char param, const struct type *type)
{
	static const char letters[] = "biudsytrTM";
	static const uint8_t kinds[] = {TYPE_BOOL, TYPE_INT, TYPE_UINT,
		TYPE_DOUBLE, TYPE_STRING, TYPE_BYTES, TYPE_TIMESTAMP,
		TYPE_DURATION, TYPE_TYPE, TYPE_MAP};
	const char *at;

	if (type_is_dyn(type) || param == '*')
		return true;
	if (strchr("LSQCN", param) != NULL)
		return type->kind == TYPE_LIST &&
		       (param == 'L' || item_fits(type->item, &param));
	at = strchr(letters, param);
	return at != NULL && kinds[at - letters] == type->kind;
}

static const struct type *
result_type(struct compiler *cc, const struct node *node, char result)
{
	const struct type *first =
		node->nargs == 0 ? &type_dyn : node->args[0]->type;

	switch (result) {
	case 'b':
		return &type_bool;
	case 'i':
		return &type_int;
	case 'u':
		return &type_uint;
	case 'd':
		return &type_double;
	case 's':
		return &type_string;
	case 'y':
		return &type_bytes;
	case 't':
		return &type_timestamp;
	case 'r':
		return &type_duration;
	case 'T':
		return &type_type;
	case 'e':
		return first->kind == TYPE_LIST ? first->item : &type_dyn;
	case 'l':
		return first;
	case 'S':
		return check_type(cc, type_list(&cc->arena, &type_string));
	default:
		return &type_dyn;
	}
}

static bool
name_is(const struct node *node, const char *name)
{
	return strlen(name) == node->name_len &&
	       memcmp(name, node->name, node->name_len) == 0;
}

static bool
row_is_visible(const struct compiler *cc, const struct cel_fn_row *row)
{
	return !row->is_ours || (cc->env->flags & CEL_ENV_CONFORMANCE) == 0;
}

static bool
is_known(const struct compiler *cc, const struct node *node)
{
	for (size_t i = 0; i < cel_fn_count; i++) {
		if (name_is(node, cel_fns[i].name) &&
			row_is_visible(cc, &cel_fns[i]))
			return true;
	}
	return false;
}

/* The rows that fit; *ret_named tells whether the name exists at all. */
static const struct cel_fn_row *
find_row(struct compiler *cc, const struct node *node,
	const struct type **ret_type, bool *ret_named)
{
	const struct cel_fn_row *found = NULL;

	*ret_named = false;
	for (size_t i = 0; i < cel_fn_count; i++) {
		const struct cel_fn_row *row = &cel_fns[i];
		bool fits = strlen(row->params) == node->nargs &&
			    row->is_method == node->is_method;

		if (!name_is(node, row->name) || !row_is_visible(cc, row))
			continue;
		*ret_named = true;
		for (uint32_t j = 0; fits && j < node->nargs; j++)
			fits = param_fits(row->params[j], node->args[j]->type);
		if (!fits)
			continue;
		if (found != NULL && row->result != found->result)
			*ret_type = &type_dyn;
		else
			*ret_type = result_type(cc, node, row->result);
		if (found == NULL)
			found = row;
	}
	return found;
}

static void
put(char *text, size_t cap, const char *more)
{
	size_t at = strlen(text);

	(void)snprintf(text + at, cap - at, "%s", more);
}

/* "(string), (list)": what a function takes. */
static void
hint_overloads(const struct node *node, char *text, size_t cap)
{
	static const char letters[] = "biudsytrT*LMSQCN";
	static const char *const names[] = {"bool", "int", "uint", "double",
		"string", "bytes", "timestamp", "duration", "type", "any",
		"list", "map", "list of string", "list of numbers or durations",
		"list of comparable values", "list of numbers"};
	bool is_first = true;

	text[0] = '\0';
	for (size_t i = 0; i < cel_fn_count; i++) {
		const struct cel_fn_row *row = &cel_fns[i];
		const char *at = row->params;

		if (!name_is(node, row->name))
			continue;
		put(text, cap, is_first ? "it is used as " : ", ");
		is_first = false;
		if (row->is_method) {
			put(text, cap, names[strchr(letters, *at++) - letters]);
			put(text, cap, ".");
		}
		put(text, cap, row->name);
		put(text, cap, "(");
		for (const char *p = at; *p != '\0'; p++) {
			put(text, cap, p == at ? "" : ", ");
			put(text, cap, names[strchr(letters, *p) - letters]);
		}
		put(text, cap, ")");
	}
}

static void
report_call(struct compiler *cc, struct node *node, bool is_named)
{
	char hint[160] = "", args[160] = "", text[TYPE_TEXT_MAX];
	int len = (int)(node->name_len > 80 ? 80 : node->name_len);
	uint32_t first = node->is_method ? 1 : 0;

	if (!is_named) {
		hint_function(node->name, node->name_len, node->is_method, hint,
			sizeof(hint));
		diag_add(cc, node->name_offset, node->name_len, hint,
			"unknown function '%.*s'", len, node->name);
		return;
	}
	for (uint32_t i = first; i < node->nargs; i++) {
		put(args, sizeof(args), i == first ? "" : ", ");
		put(args, sizeof(args),
			type_text(node->args[i]->type, text, sizeof(text)));
	}
	hint_overloads(node, hint, sizeof(hint));
	if (node->is_method)
		diag_add(cc, node->name_offset, node->name_len, hint,
			"%.*s(%s) does not exist for %s", len, node->name, args,
			type_text(node->args[0]->type, text, sizeof(text)));
	else
		diag_add(cc, node->name_offset, node->name_len, hint,
			"%.*s(%s) does not exist", len, node->name, args);
}

/* math.greatest(a, b, c) is math.greatest([a, b, c]). */
static void
gather_arguments(struct compiler *cc, struct node *node)
{
	struct node *list;

	if (node->nargs < 2 || (!name_is(node, "math.greatest") &&
				       !name_is(node, "math.least")))
		return;
	list = cc_alloc(cc, sizeof(*list) + sizeof(struct node *));
	if (list == NULL)
		return;
	*list = *node;
	list->kind = NODE_LIST;
	list->depth = node->depth;
	node->args = (struct node **)(list + 1);
	node->args[0] = list;
	node->nargs = 1;
}

/* Is there a function `left`.`right`? */
static bool
is_namespaced(const struct node *left, const struct node *right)
{
	for (size_t i = 0; i < cel_fn_count; i++) {
		const char *name = cel_fns[i].name;

		if (strlen(name) == left->name_len + 1 + right->name_len &&
			memcmp(name, left->name, left->name_len) == 0 &&
			name[left->name_len] == '.' &&
			memcmp(name + left->name_len + 1, right->name,
				right->name_len) == 0)
			return true;
	}
	return false;
}

/* strings.quote(x), math.abs(x): a function whose name has a dot. A variable
 * of that name is no hindrance: no text or number has such methods. */
static void
join_namespace(struct compiler *cc, struct node *node)
{
	const struct node *left;
	char *name;

	if (!node->is_method || node->args[0]->kind != NODE_IDENT ||
		node->args[0]->is_test)
		return;
	left = node->args[0];
	if (!is_namespaced(left, node))
		return;
	name = cc_alloc(cc, left->name_len + 1 + node->name_len);
	if (name == NULL)
		return;
	memcpy(name, left->name, left->name_len);
	name[left->name_len] = '.';
	memcpy(name + left->name_len + 1, node->name, node->name_len);
	node->name_len += left->name_len + 1;
	node->name = name;
	node->name_offset = left->name_offset;
	node->is_method = false;
	node->args++;
	node->nargs--;
	gather_arguments(cc, node);
}

/* A literal that can be judged now: timestamp("..."), a zone's name. */
static void
check_literal(struct compiler *cc, struct node *node)
{
	const struct node *last;
	struct value v;

	if (node->nargs == 0 || cc->is_lenient ||
		(cc->env->flags & CEL_ENV_CONFORMANCE) != 0)
		return;
	last = node->args[node->nargs - 1];
	if (last->kind != NODE_CONST || last->value.kind != VALUE_STRING)
		return;
	v = last->value;
	if (node->nargs == 2 && node->args[0]->type->kind == TYPE_TIMESTAMP) {
		if (cel_zone(v) == NULL)
			diag_add(cc, last->offset, last->len,
				"use a name like Europe/Berlin, or +02:00",
				"this time zone is not known");
		return;
	}
	if (node->nargs != 1 || node->is_method ||
		(!name_is(node, "timestamp") && !name_is(node, "duration")))
		return;
	v = node->fn->fn(NULL, &v, 1);
	if (v.kind == VALUE_ERROR)
		diag_add(cc, last->offset, last->len,
			name_is(node, "duration")
				? "use a form like 90m, 1h30m or 45s"
				: "use a form like 2024-02-29T12:00:00Z",
			"%s", v.as.s);
}

/* A getter that names no zone, where the zone is read like a name. */
static void
note_local(struct compiler *cc, struct node *node)
{
	if (cc->env->zone_name == NULL || !node->is_method ||
		strcmp(node->fn->params, "t") != 0)
		return;
	node->is_local = true;
	node->is_state = true;
}

static bool
reads_now(const struct node *node)
{
	if (node->ref == REF_NOW)
		return true;
	for (uint32_t i = 0; i < node->nargs; i++) {
		if (node->args[i]->is_state && reads_now(node->args[i]))
			return true;
	}
	return false;
}

/* A time that moves, as a text: another one every millisecond. */
static void
note_print(struct compiler *cc, const struct node *node)
{
	const struct node *arg = node->args[0];

	if (node->nargs == 1 && !node->is_method && name_is(node, "string") &&
		(arg->type->kind == TYPE_TIMESTAMP ||
			arg->type->kind == TYPE_DURATION) &&
		reads_now(arg))
		cc->prints_now = true;
}

const struct type *
check_call(struct compiler *cc, struct node *node)
{
	const struct type *type = &type_dyn;
	uint32_t nchecked;
	bool is_named;

	join_namespace(cc, node);
	/* The arguments of a function nobody knows may be those of a mistyped
	 * macro, with variables of its own. */
	nchecked = is_known(cc, node) || cc->is_lenient ? node->nargs
		   : node->is_method			? 1
							: 0;
	for (uint32_t i = 0; i < nchecked; i++)
		(void)check_child(cc, node, i);
	for (uint32_t i = nchecked; i < node->nargs; i++)
		node->args[i]->type = &type_dyn;
	node->fn = find_row(cc, node, &type, &is_named);
	if (node->fn != NULL) {
		check_literal(cc, node);
		note_local(cc, node);
		note_print(cc, node);
		return type;
	}
	node->is_bad = true;
	node->is_state = true;
	if (!cc->is_lenient)
		report_call(cc, node, is_named);
	return &type_dyn;
}
