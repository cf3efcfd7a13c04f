/*
 * schema_parse.c - the JSON of an Avro schema to a tree of struct schema.
 *
 * Jansson reads the text, and this file walks it once. Avro C has a parser of
 * its own, but it drops defaults, aliases and logical types, which schema
 * evolution is made of; two parsers that can disagree are worse than one, so
 * this is the only one, and the tests compare it with Avro C's.
 *
 * Every named type is one node. A name is known from the moment its
 * definition begins, so that a record can contain itself. Defaults are encoded
 * when the whole tree stands, since they may need types defined later.
 *
 * A default that does not fit its field is noted, not refused: a writer's
 * default is never used, and sloppy ones are common. Who uses it complains.
 *
 * INVARIANTS
 *  - `depth` and `encoded_bytes` of a node are final when its definition ends;
 *    a reference to a type whose definition is not finished counts as depth 0
 *    and as "varies".
 *  - so no walk along definitions is deeper than SCHEMA_DEPTH_MAX; only a walk
 *    round a cycle is, and that walk has its own bound.
 */
#include "schema_parse.h"

#include <stdlib.h>
#include <string.h>

struct pending { /* a default waiting for the tree to be whole */
	struct schema_field *field;
	const json_t *json;
	struct pending *next;
};

struct parse {
	struct arena *arena;
	const char *file;
	const char *where; /* the field or type at hand, for messages */
	json_t *names;	   /* full name to index in `named` */
	struct schema **named;
	size_t nnodes;
	struct pending *pending; /* in the order of the text */
	struct pending **pending_end;
	struct sg_fault *why;
};

static const char *const kind_names[] = {"null", "boolean", "int", "long",
	"float", "double", "bytes", "string", "fixed", "enum", "record",
	"array", "map", "union"};

/* The scalar types are named in every schema, so these are shared. */
#define SCALAR(k, bytes)                                                       \
	{                                                                      \
		.kind = (k), .depth = 1, .encoded_bytes = (bytes),             \
		.symbol_default = -1                                           \
	}
static const struct schema scalars[] = {SCALAR(SCHEMA_NULL, 0),
	SCALAR(SCHEMA_BOOLEAN, 1), SCALAR(SCHEMA_INT, -1),
	SCALAR(SCHEMA_LONG, -1), SCALAR(SCHEMA_FLOAT, 4),
	SCALAR(SCHEMA_DOUBLE, 8), SCALAR(SCHEMA_BYTES, -1),
	SCALAR(SCHEMA_STRING, -1)};

static enum sg_err
parse_node(struct parse *p, const json_t *json, const char *space,
	uint32_t level, const struct schema **ret_schema);

static enum sg_err
bad(struct parse *p, const char *what, const char *detail)
{
	(void)sg_fault_set(p->why, SG_BAD_SCHEMA, "%s: %s%s%s%s%s", p->file,
		p->where[0] != '\0' ? "at '" : "", p->where,
		p->where[0] != '\0' ? "': " : "", what, detail);
	return SG_BAD_SCHEMA;
}

static enum sg_err
nomem(struct parse *p)
{
	(void)sg_fault_set(p->why, SG_NOMEM, "%s: no memory", p->file);
	return SG_NOMEM;
}

static struct schema *
node_new(struct parse *p, enum schema_kind kind)
{
	struct schema *node = NULL;

	if (p->nnodes < SCHEMA_NODES_MAX)
		node = arena_alloc(p->arena, sizeof(*node));
	if (node == NULL)
		return NULL;
	p->nnodes++;
	*node = scalars[SCHEMA_NULL];
	node->kind = kind;
	node->encoded_bytes = -1;
	return node;
}

static enum sg_err
node_failed(struct parse *p)
{
	if (p->nnodes >= SCHEMA_NODES_MAX)
		return bad(p, "the schema has too many parts", "");
	return nomem(p);
}

/* --- names ---------------------------------------------------------------- */

static bool
name_is_valid(const char *name, size_t len, bool may_have_dots)
{
	bool is_start = true;

	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool is_alpha = (c >= 'a' && c <= 'z') ||
				(c >= 'A' && c <= 'Z') || c == '_';

		if (c == '.' && may_have_dots && !is_start)
			is_start = true;
		else if (is_alpha || (!is_start && c >= '0' && c <= '9'))
			is_start = false;
		else
			return false;
	}
	return !is_start;
}

/* The string at `key`; NULL when there is none. */
static const char *
text_at(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

/* `name` in namespace `space`, unless it brings its own. */
static const char *
full_name(struct parse *p, const char *space, const char *name)
{
	size_t space_len = strlen(space);
	size_t len = strlen(name);
	char *full;

	if (space_len == 0 || strchr(name, '.') != NULL)
		return arena_copy(p->arena, name, len);
	full = arena_alloc(p->arena, space_len + len + 2);
	if (full == NULL)
		return NULL;
	memcpy(full, space, space_len);
	full[space_len] = '.';
	memcpy(full + space_len + 1, name, len);
	full[space_len + 1 + len] = '\0';
	return full;
}

/* The namespace of a full name, "" for none. */
static const char *
space_of(struct parse *p, const char *full)
{
	const char *dot = strrchr(full, '.');

	if (dot == NULL)
		return "";
	return arena_copy(p->arena, full, (size_t)(dot - full));
}

static enum sg_err
parse_aliases(struct parse *p, const json_t *json, const char *space,
	bool is_type, const char *const **ret_aliases, size_t *ret_n)
{
	const json_t *list = json_object_get(json, "aliases");
	size_t n = json_array_size(list);
	const char **aliases = NULL;

	if (list == NULL) {
		*ret_aliases = NULL;
		*ret_n = 0;
		return SG_OK;
	}
	if (!json_is_array(list))
		return bad(p, "aliases are not a list", "");
	if (n > 0)
		aliases = arena_array(p->arena, n, sizeof(*aliases));
	if (n > 0 && aliases == NULL)
		return nomem(p);
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);
		const char *alias = json_string_value(item);

		if (alias == NULL || !name_is_valid(alias,
					     json_string_length(item), is_type))
			return bad(p, "an alias is not a name", "");
		aliases[i] = full_name(p, space, alias);
		if (aliases[i] == NULL)
			return nomem(p);
	}
	*ret_aliases = aliases;
	*ret_n = n;
	return SG_OK;
}

/* Begin a record, enum or fixed: its name, aliases, and its place in `names`.
 */
static enum sg_err
named_begin(struct parse *p, const json_t *json, const char *space,
	enum schema_kind kind, struct schema **ret_node)
{
	const json_t *jname = json_object_get(json, "name");
	const char *name = json_string_value(jname);
	const char *own = text_at(json, "namespace");
	struct schema *node;
	size_t index = json_object_size(p->names);
	enum sg_err err;

	if (name == NULL ||
		!name_is_valid(name, json_string_length(jname), true))
		return bad(p, kind_names[kind], " without a valid name");
	if (own != NULL && own[0] != '\0' &&
		!name_is_valid(own, strlen(own), true))
		return bad(p, "not a namespace: ", own);

	node = node_new(p, kind);
	if (node == NULL)
		return node_failed(p);
	node->name = full_name(p, own != NULL ? own : space, name);
	if (node->name == NULL)
		return nomem(p);
	for (int k = 0; k <= SCHEMA_STRING; k++)
		if (strcmp(node->name, kind_names[k]) == 0)
			return bad(p, "a type may not be called ", node->name);
	if (json_object_get(p->names, node->name) != NULL)
		return bad(p, "defined twice: ", node->name);
	p->where = node->name;

	space = space_of(p, node->name);
	if (space == NULL)
		return nomem(p);
	err = parse_aliases(
		p, json, space, true, &node->aliases, &node->naliases);
	if (err != SG_OK)
		return err;
	node->number = (uint32_t)index;
	p->named[index] = node;
	if (json_object_set_new(
		    p->names, node->name, json_integer((json_int_t)index)) != 0)
		return nomem(p);
	*ret_node = node;
	return SG_OK;
}

static enum sg_err
parse_reference(struct parse *p, const char *name, const char *space,
	const struct schema **ret_schema)
{
	const json_t *index;
	const char *full;

	for (size_t k = 0; k < SG_COUNTOF(scalars); k++)
		if (strcmp(name, kind_names[k]) == 0) {
			*ret_schema = &scalars[k];
			return SG_OK;
		}
	full = full_name(p, space, name);
	if (full == NULL)
		return nomem(p);
	index = json_object_get(p->names, full);
	if (index == NULL)
		index = json_object_get(p->names, name);
	if (index == NULL)
		return bad(p, "unknown type ", name);
	*ret_schema = p->named[json_integer_value(index)];
	return SG_OK;
}

/* --- logical types -------------------------------------------------------- */

static void
decimal_parse(const json_t *json, struct schema *node)
{
	const json_t *precision = json_object_get(json, "precision");
	const json_t *scale = json_object_get(json, "scale");
	json_int_t p = json_integer_value(precision);
	json_int_t s = json_integer_value(scale);

	if (p < 1 || p > INT32_MAX || s < 0 || s > p || s > SCHEMA_SCALE_MAX ||
		(scale != NULL && !json_is_integer(scale)))
		return;
	node->logical = LOGICAL_DECIMAL;
	node->precision = (int32_t)p;
	node->scale = (int32_t)s;
}

static void
logical_parse(const json_t *json, struct schema *node)
{
	static const struct {
		const char *name;
		enum schema_kind kind;
		enum schema_logical logical;
	} rows[] = {
		{"date", SCHEMA_INT, LOGICAL_DATE},
		{"time-millis", SCHEMA_INT, LOGICAL_TIME_MS},
		{"time-micros", SCHEMA_LONG, LOGICAL_TIME_US},
		{"timestamp-millis", SCHEMA_LONG, LOGICAL_TIMESTAMP_MS},
		{"timestamp-micros", SCHEMA_LONG, LOGICAL_TIMESTAMP_US},
		{"timestamp-nanos", SCHEMA_LONG, LOGICAL_TIMESTAMP_NS},
		{"local-timestamp-millis", SCHEMA_LONG, LOGICAL_TIMESTAMP_MS},
		{"local-timestamp-micros", SCHEMA_LONG, LOGICAL_TIMESTAMP_US},
		{"local-timestamp-nanos", SCHEMA_LONG, LOGICAL_TIMESTAMP_NS},
		{"uuid", SCHEMA_STRING, LOGICAL_UUID},
	};
	const char *name = text_at(json, "logicalType");

	if (name == NULL)
		return;
	if (strcmp(name, "decimal") == 0 &&
		(node->kind == SCHEMA_BYTES || node->kind == SCHEMA_FIXED)) {
		decimal_parse(json, node);
		return;
	}
	for (size_t i = 0; i < SG_COUNTOF(rows); i++)
		if (rows[i].kind == node->kind &&
			strcmp(rows[i].name, name) == 0)
			node->logical = rows[i].logical;
}

/* --- complex types -------------------------------------------------------- */

static void
child_add(struct schema *node, const struct schema *child)
{
	if (node->depth < child->depth + 1)
		node->depth = child->depth + 1;
}

static enum sg_err
depth_check(struct parse *p, const struct schema *node)
{
	if (node->depth > SCHEMA_DEPTH_MAX)
		return bad(p, "types are nested too deeply", "");
	return SG_OK;
}

static enum sg_err
parse_field(struct parse *p, const json_t *json, const char *space,
	uint32_t level, struct schema_field *field)
{
	const json_t *jname = json_object_get(json, "name");
	const char *name = json_string_value(jname);
	const json_t *type = json_object_get(json, "type");
	const json_t *def = json_object_get(json, "default");
	struct pending *pending;
	enum sg_err err;

	if (name == NULL ||
		!name_is_valid(name, json_string_length(jname), false))
		return bad(p, "a field without a valid name", "");
	field->name = arena_copy(p->arena, name, strlen(name));
	if (field->name == NULL)
		return nomem(p);
	p->where = field->name;
	if (type == NULL)
		return bad(p, "the field has no type", "");
	err = parse_aliases(
		p, json, "", false, &field->aliases, &field->naliases);
	if (err == SG_OK)
		err = parse_node(p, type, space, level + 1, &field->schema);
	if (err != SG_OK || def == NULL)
		return err;

	pending = arena_alloc(p->arena, sizeof(*pending));
	if (pending == NULL)
		return nomem(p);
	pending->field = field;
	pending->json = def;
	pending->next = NULL;
	*p->pending_end = pending;
	p->pending_end = &pending->next;
	return SG_OK;
}

/* Names met in one record or enum, to refuse the second. */
static enum sg_err
name_once(struct parse *p, json_t *seen, const char *name)
{
	if (json_object_get(seen, name) != NULL)
		return bad(p, "there twice: ", name);
	if (json_object_set_new(seen, name, json_null()) != 0)
		return nomem(p);
	return SG_OK;
}

static enum sg_err
parse_fields(struct parse *p, const json_t *list, const char *space,
	uint32_t level, struct schema *node)
{
	size_t n = json_array_size(list);
	struct schema_field *fields = NULL;
	json_t *seen = json_object();
	int64_t bytes = 0;
	enum sg_err err = seen == NULL ? nomem(p) : SG_OK;

	if (n > 0)
		fields = arena_array(p->arena, n, sizeof(*fields));
	if (n > 0 && fields == NULL)
		err = nomem(p);
	for (size_t i = 0; err == SG_OK && i < n; i++) {
		memset(&fields[i], 0, sizeof(fields[i]));
		err = parse_field(
			p, json_array_get(list, i), space, level, &fields[i]);
		if (err == SG_OK)
			err = name_once(p, seen, fields[i].name);
		if (err != SG_OK)
			break;
		child_add(node, fields[i].schema);
		if (fields[i].schema->encoded_bytes < 0 || bytes > 1 << 24)
			bytes = -1;
		else if (bytes >= 0)
			bytes += fields[i].schema->encoded_bytes;
	}
	json_decref(seen);
	if (err != SG_OK)
		return err;
	node->fields = fields;
	node->nfields = n;
	node->encoded_bytes = bytes;
	return SG_OK;
}

static enum sg_err
parse_record(struct parse *p, const json_t *json, const char *space,
	uint32_t level, const struct schema **ret_schema)
{
	const json_t *list = json_object_get(json, "fields");
	struct schema *node = NULL;
	const char *inner;
	enum sg_err err;

	err = named_begin(p, json, space, SCHEMA_RECORD, &node);
	if (err != SG_OK || node == NULL)
		return err;
	if (!json_is_array(list))
		return bad(p, "a record without a list of fields", "");
	inner = space_of(p, node->name);
	if (inner == NULL)
		return nomem(p);
	node->depth = 0; /* while a reference can only be a cycle */
	err = parse_fields(p, list, inner, level, node);
	if (node->depth == 0)
		node->depth = 1;
	p->where = node->name;
	if (err == SG_OK)
		err = depth_check(p, node);
	if (err == SG_OK)
		*ret_schema = node;
	return err;
}

static enum sg_err
parse_symbols(struct parse *p, const json_t *list, struct schema *node)
{
	size_t n = json_array_size(list);
	const char **symbols = arena_array(p->arena, n, sizeof(*symbols));
	json_t *seen = json_object();
	enum sg_err err = symbols == NULL || seen == NULL ? nomem(p) : SG_OK;

	for (size_t i = 0; err == SG_OK && i < n; i++) {
		const json_t *item = json_array_get(list, i);
		const char *symbol = json_string_value(item);

		if (symbol == NULL ||
			!name_is_valid(
				symbol, json_string_length(item), false)) {
			err = bad(p, "a symbol is not a name", "");
			break;
		}
		err = name_once(p, seen, symbol);
		symbols[i] = arena_copy(p->arena, symbol, strlen(symbol));
		if (err == SG_OK && symbols[i] == NULL)
			err = nomem(p);
	}
	json_decref(seen);
	node->symbols = symbols;
	node->nsymbols = n;
	return err;
}

static enum sg_err
parse_enum(struct parse *p, const json_t *json, const char *space,
	const struct schema **ret_schema)
{
	const json_t *list = json_object_get(json, "symbols");
	const json_t *def = json_object_get(json, "default");
	struct schema *node = NULL;
	enum sg_err err;

	err = named_begin(p, json, space, SCHEMA_ENUM, &node);
	if (err != SG_OK || node == NULL)
		return err;
	if (json_array_size(list) == 0)
		return bad(p, "an enum without symbols", "");
	err = parse_symbols(p, list, node);
	if (err != SG_OK)
		return err;
	for (size_t i = 0; def != NULL && i < node->nsymbols; i++)
		if (json_is_string(def) &&
			strcmp(json_string_value(def), node->symbols[i]) == 0)
			node->symbol_default = (int32_t)i;
	if (def != NULL && node->symbol_default < 0)
		return bad(p, "the default is not one of the symbols", "");
	*ret_schema = node;
	return SG_OK;
}

static enum sg_err
parse_fixed(struct parse *p, const json_t *json, const char *space,
	const struct schema **ret_schema)
{
	const json_t *size = json_object_get(json, "size");
	struct schema *node = NULL;
	enum sg_err err;

	err = named_begin(p, json, space, SCHEMA_FIXED, &node);
	if (err != SG_OK || node == NULL)
		return err;
	if (!json_is_integer(size) || json_integer_value(size) < 0 ||
		json_integer_value(size) > 1 << 24)
		return bad(p, "a fixed without a valid size", "");
	node->size = (uint32_t)json_integer_value(size);
	node->encoded_bytes = node->size;
	logical_parse(json, node);
	*ret_schema = node;
	return SG_OK;
}

static enum sg_err
parse_container(struct parse *p, const json_t *json, const char *space,
	uint32_t level, enum schema_kind kind, const struct schema **ret_schema)
{
	const char *key = kind == SCHEMA_ARRAY ? "items" : "values";
	const json_t *item = json_object_get(json, key);
	struct schema *node = node_new(p, kind);
	enum sg_err err;

	if (node == NULL)
		return node_failed(p);
	if (item == NULL)
		return bad(p, kind_names[kind], " without items or values");
	err = parse_node(p, item, space, level + 1, &node->item);
	if (err != SG_OK)
		return err;
	child_add(node, node->item);
	*ret_schema = node;
	return depth_check(p, node);
}

/* Two branches that a value could not be told apart by? */
static bool
branches_clash(const struct schema *a, const struct schema *b)
{
	if (a->kind != b->kind)
		return false;
	return a->name == NULL || b->name == NULL ||
	       strcmp(a->name, b->name) == 0;
}

static enum sg_err
parse_union(struct parse *p, const json_t *list, const char *space,
	uint32_t level, const struct schema **ret_schema)
{
	size_t n = json_array_size(list);
	struct schema *node = node_new(p, SCHEMA_UNION);
	const struct schema **branches;
	uint32_t kinds = 0;
	enum sg_err err;

	if (node == NULL)
		return node_failed(p);
	if (n == 0)
		return bad(p, "a union without branches", "");
	if (n > 256)
		return bad(p, "a union of more than 256 branches", "");
	branches = arena_array(p->arena, n, sizeof(void *));
	if (branches == NULL)
		return nomem(p);
	for (size_t i = 0; i < n; i++) {
		err = parse_node(p, json_array_get(list, i), space, level + 1,
			&branches[i]);
		if (err != SG_OK)
			return err;
		if (branches[i]->kind == SCHEMA_UNION)
			return bad(p, "a union within a union", "");
		for (size_t j = 0; (kinds >> branches[i]->kind & 1) && j < i;
			j++)
			if (branches_clash(branches[i], branches[j]))
				return bad(p, "a union with twice the type ",
					kind_names[branches[i]->kind]);
		kinds |= UINT32_C(1) << branches[i]->kind;
		child_add(node, branches[i]);
	}
	node->branches = branches;
	node->nbranches = n;
	*ret_schema = node;
	return depth_check(p, node);
}

/* {"type": "long", "logicalType": ...}: a scalar with properties. */
static enum sg_err
parse_annotated(struct parse *p, const json_t *json, const char *type,
	const char *space, const struct schema **ret_schema)
{
	const struct schema *base = NULL;
	struct schema *node;
	enum sg_err err;

	err = parse_reference(p, type, space, &base);
	if (err != SG_OK || base->name != NULL ||
		json_object_get(json, "logicalType") == NULL) {
		*ret_schema = base;
		return err;
	}
	node = node_new(p, base->kind);
	if (node == NULL)
		return node_failed(p);
	*node = *base;
	logical_parse(json, node);
	*ret_schema = node;
	return SG_OK;
}

static enum sg_err
parse_object(struct parse *p, const json_t *json, const char *space,
	uint32_t level, const struct schema **ret_schema)
{
	const json_t *jtype = json_object_get(json, "type");
	const char *type = json_string_value(jtype);

	if (jtype == NULL)
		return bad(p, "no \"type\"", "");
	if (type == NULL) /* {"type": {...}} says nothing more than {...} */
		return parse_node(p, jtype, space, level + 1, ret_schema);
	if (strcmp(type, "record") == 0 || strcmp(type, "error") == 0)
		return parse_record(p, json, space, level, ret_schema);
	if (strcmp(type, "enum") == 0)
		return parse_enum(p, json, space, ret_schema);
	if (strcmp(type, "fixed") == 0)
		return parse_fixed(p, json, space, ret_schema);
	if (strcmp(type, "array") == 0)
		return parse_container(
			p, json, space, level, SCHEMA_ARRAY, ret_schema);
	if (strcmp(type, "map") == 0)
		return parse_container(
			p, json, space, level, SCHEMA_MAP, ret_schema);
	return parse_annotated(p, json, type, space, ret_schema);
}

static enum sg_err
parse_node(struct parse *p, const json_t *json, const char *space,
	uint32_t level, const struct schema **ret_schema)
{
	const char *where = p->where;
	enum sg_err err;

	if (level > 2 * SCHEMA_DEPTH_MAX)
		return bad(p, "types are nested too deeply", "");
	if (json_is_string(json))
		err = parse_reference(
			p, json_string_value(json), space, ret_schema);
	else if (json_is_array(json))
		err = parse_union(p, json, space, level, ret_schema);
	else if (json_is_object(json))
		err = parse_object(p, json, space, level, ret_schema);
	else
		err = bad(p, "a type is a name, an object or a list", "");
	if (err == SG_OK)
		p->where = where;
	return err;
}

/* --- defaults ------------------------------------------------------------- */

static enum sg_err
encode_defaults(struct parse *p)
{
	struct buf buf;
	enum sg_err err = SG_OK;

	buf_init(&buf, SCHEMA_TEXT_MAX);
	for (struct pending *d = p->pending; d != NULL; d = d->next) {
		struct schema_field *field = d->field;

		buf_reset(&buf);
		if (!schema_encode_default(field->schema, d->json, &buf)) {
			field->is_def_bad = true;
			continue;
		}
		/* arena_copy() wants bytes; an empty default is one, too. */
		field->def = (const uint8_t *)arena_copy(p->arena,
			buf.len > 0 ? (const void *)buf.bytes : "", buf.len);
		field->def_len = buf.len;
		if (field->def == NULL || buf.is_failed) {
			err = nomem(p);
			break;
		}
	}
	buf_fini(&buf);
	return err;
}

/* --- the whole ------------------------------------------------------------ */

enum sg_err
schema_parse(struct arena *arena, const char *name, const char *json,
	size_t len, const struct schema **ret_schema, struct sg_fault *why)
{
	struct parse p = {
		.arena = arena, .file = name, .where = "", .why = why};
	const struct schema *schema = NULL;
	json_error_t fault;
	json_t *root;
	enum sg_err err;

	if (len > SCHEMA_TEXT_MAX)
		return bad(&p, "the text is too long", "");
	root = json_loadb(json, len,
		JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
		&fault);
	if (root == NULL)
		return sg_fault_set(why, SG_BAD_SCHEMA, "%s:%d:%d: %s", name,
			fault.line, fault.column, fault.text);
	p.pending_end = &p.pending;
	p.names = json_object();
	p.named = calloc(SCHEMA_NODES_MAX, sizeof(void *));
	err = p.names == NULL || p.named == NULL ? nomem(&p) : SG_OK;
	if (err == SG_OK)
		err = parse_node(&p, root, "", 0, &schema);
	if (err == SG_OK)
		err = encode_defaults(&p);
	free(p.named);
	json_decref(p.names);
	json_decref(root);
	if (err == SG_OK)
		*ret_schema = schema;
	return err;
}

const char *
schema_kind_name(enum schema_kind kind)
{
	return kind_names[kind];
}

const char *
schema_short_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot == NULL ? name : dot + 1;
}

int
schema_field_index(const struct schema *schema, const char *name, size_t len)
{
	for (size_t i = 0; i < schema->nfields; i++)
		/* `name` may be of a file, and hold a NUL. */
		if (strlen(schema->fields[i].name) == len &&
			memcmp(schema->fields[i].name, name, len) == 0)
			return (int)i;
	return -1;
}
