/*
 * types.c - the type of a schema's values, for the expression checker.
 *
 * A record inside itself is TYPE_DYN there. So a record's type depends on the
 * records it stands in, but only when it reaches one of them; where it does
 * not, its type is made once and shared. `low` is the outermost record in
 * progress that was met: a type is shared when that is none outside itself.
 */
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "schema_parse.h"

#define TYPES_MAX 20000

struct typing {
	struct arena *arena;
	const struct type **done; /* by the record's number */
	uint16_t *level; /* by number: place on the stack, 0: not there */
	uint16_t stack;
	uint16_t low;
	uint32_t left;
};

static const struct type *
typing_of(struct typing *t, const struct schema *schema);

static const struct type *
typing_integer(const struct schema *schema)
{
	switch (schema->logical) {
	case LOGICAL_DATE:
	case LOGICAL_TIMESTAMP_MS:
	case LOGICAL_TIMESTAMP_US:
	case LOGICAL_TIMESTAMP_NS:
		return &type_timestamp;
	case LOGICAL_TIME_MS:
	case LOGICAL_TIME_US:
		return &type_duration;
	default:
		return &type_int;
	}
}

static const struct type *
typing_fields(struct typing *t, const struct schema *schema)
{
	size_t n = schema->nfields;
	struct type_field *fields = calloc(n + 1, sizeof(*fields));
	const struct type *type = NULL;
	size_t i;

	for (i = 0; fields != NULL && i < n; i++) {
		fields[i].name = schema->fields[i].name;
		fields[i].type = typing_of(t, schema->fields[i].schema);
		if (fields[i].type == NULL)
			break;
	}
	if (fields != NULL && i == n)
		type = type_record(t->arena, fields, n);
	free(fields);
	return type;
}

static const struct type *
typing_record(struct typing *t, const struct schema *schema)
{
	uint16_t *level = &t->level[schema->number];
	uint16_t outer = t->low;
	const struct type *type;

	if (t->done[schema->number] != NULL)
		return t->done[schema->number];
	if (*level != 0) {
		if (*level < t->low)
			t->low = *level;
		return &type_dyn;
	}
	*level = ++t->stack;
	t->low = UINT16_MAX;
	type = typing_fields(t, schema);
	if (t->low >= *level)
		t->done[schema->number] = type;
	if (t->low >= *level || outer < t->low)
		t->low = outer;
	t->stack--;
	*level = 0;
	return type;
}

static const struct type *
typing_union(struct typing *t, const struct schema *schema)
{
	const struct schema *only = NULL;
	size_t nnull = 0;
	const struct type *type;

	for (size_t i = 0; i < schema->nbranches; i++) {
		if (schema->branches[i]->kind == SCHEMA_NULL)
			nnull++;
		else
			only = schema->branches[i];
	}
	if (schema->nbranches - nnull > 1)
		return &type_dyn;
	if (only == NULL)
		return &type_null;
	type = typing_of(t, only);
	if (type == NULL || nnull == 0 || type->kind == TYPE_DYN)
		return type;
	return type_nullable(t->arena, type);
}

static const struct type *
typing_of(struct typing *t, const struct schema *schema)
{
	const struct type *item;

	if (t->left == 0)
		return NULL;
	t->left--;
	switch (schema->kind) {
	case SCHEMA_NULL:
		return &type_null;
	case SCHEMA_BOOLEAN:
		return &type_bool;
	case SCHEMA_INT:
	case SCHEMA_LONG:
		return typing_integer(schema);
	case SCHEMA_FLOAT:
	case SCHEMA_DOUBLE:
		return &type_double;
	case SCHEMA_BYTES:
	case SCHEMA_FIXED:
		return schema->logical == LOGICAL_DECIMAL ? &type_double
							  : &type_bytes;
	case SCHEMA_STRING:
	case SCHEMA_ENUM:
		return &type_string;
	case SCHEMA_RECORD:
		return typing_record(t, schema);
	case SCHEMA_ARRAY:
		item = typing_of(t, schema->item);
		return item == NULL ? NULL : type_list(t->arena, item);
	case SCHEMA_MAP:
		item = typing_of(t, schema->item);
		return item == NULL ? NULL
				    : type_map(t->arena, &type_string, item);
	case SCHEMA_UNION:
		return typing_union(t, schema);
	}
	return NULL;
}

const struct type *
types_of(struct arena *arena, const struct schema *schema,
	const struct schema *const *open, size_t nopen)
{
	struct typing t = {
		.arena = arena, .low = UINT16_MAX, .left = TYPES_MAX};
	const struct type *type = NULL;

	t.done = calloc(SCHEMA_NODES_MAX, sizeof(void *));
	t.level = calloc(SCHEMA_NODES_MAX, sizeof(*t.level));
	if (t.done != NULL && t.level != NULL) {
		for (size_t i = 0; i < nopen; i++)
			t.level[open[i]->number] = ++t.stack;
		type = typing_of(&t, schema);
	}
	free(t.done);
	free(t.level);
	return type;
}
