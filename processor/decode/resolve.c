/*
 * resolve.c - how a value of the writer's type becomes one of the reader's:
 * Avro's resolution rules, worked out once per pair of schemas.
 *
 * A pair that is met again is the same res, and so recursive types close into
 * cycles. What cannot be resolved is RES_FAIL with a reason; a container of it
 * is one, too, but a union of the writer is not as long as one branch can be
 * read, since a record may only ever use that one.
 *
 * Beyond the specification, and as Java does: a record outside a union is not
 * matched by name, only by its fields.
 *
 * The unit of a time and the scale of a decimal are the writer's, if it says
 * so, since it is the writer's number; else the reader's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#include "segmentd/hash.h"

#define BUCKETS 256
#define RESOLVE_DEPTH_MAX 1024

struct pair {
	const struct schema *writer;
	const struct schema *reader;
	const struct type *type;
	struct res *res;
	struct pair *next;
};

struct resolve {
	struct arena *arena;
	struct pair *bucket[BUCKETS];
	uint32_t nres;
	uint32_t depth;
	bool is_failed; /* out of memory */
};

static const struct res *
resolve_pair(struct resolve *rs, const struct schema *writer,
	const struct schema *reader, const struct type *type);

/* --- names ---------------------------------------------------------------- */

static bool
same_short(const char *a, const char *b)
{
	return strcmp(schema_short_name(a), schema_short_name(b)) == 0;
}

/* May a value of the named type `writer` be one of `reader`? */
static bool
names_match(const struct schema *writer, const struct schema *reader)
{
	if (same_short(writer->name, reader->name))
		return true;
	for (size_t i = 0; i < reader->naliases; i++)
		if (strcmp(reader->aliases[i], writer->name) == 0 ||
			same_short(reader->aliases[i], writer->name))
			return true;
	return false;
}

/* Numbers and text that the specification promotes. */
static bool
promotes(enum schema_kind writer, enum schema_kind reader)
{
	switch (reader) {
	case SCHEMA_LONG:
		return writer == SCHEMA_INT;
	case SCHEMA_FLOAT:
		return writer == SCHEMA_INT || writer == SCHEMA_LONG;
	case SCHEMA_DOUBLE:
		return writer == SCHEMA_INT || writer == SCHEMA_LONG ||
		       writer == SCHEMA_FLOAT;
	case SCHEMA_BYTES:
		return writer == SCHEMA_STRING;
	case SCHEMA_STRING:
		return writer == SCHEMA_BYTES;
	default:
		return false;
	}
}

static bool
same_kind(const struct schema *writer, const struct schema *reader)
{
	return writer->kind == reader->kind &&
	       (writer->name == NULL || names_match(writer, reader)) &&
	       (writer->kind != SCHEMA_FIXED || writer->size == reader->size);
}

int
resolve_branch(const struct schema *reader, const struct schema *writer)
{
	for (size_t i = 0; i < reader->nbranches; i++)
		if (same_kind(writer, reader->branches[i]) &&
			(writer->name == NULL ||
				strcmp(writer->name,
					reader->branches[i]->name) == 0))
			return (int)i;
	for (size_t i = 0; i < reader->nbranches; i++)
		if (same_kind(writer, reader->branches[i]))
			return (int)i;
	for (size_t i = 0; i < reader->nbranches; i++)
		if (promotes(writer->kind, reader->branches[i]->kind))
			return (int)i;
	return -1;
}

int
resolve_field(
	const struct schema *writer, const struct schema *reader, size_t index)
{
	const struct schema_field *field = &reader->fields[index];
	int at = schema_field_index(writer, field->name, strlen(field->name));

	if (at >= 0)
		return at;
	for (size_t i = 0; at < 0 && i < field->naliases; i++) {
		const char *alias = field->aliases[i];

		if (schema_field_index(reader, alias, strlen(alias)) < 0)
			at = schema_field_index(writer, alias, strlen(alias));
	}
	for (size_t i = 0; at >= 0 && i < index; i++)
		if (reader->fields[i].naliases > 0 &&
			resolve_field(writer, reader, i) == at)
			return -1;
	return at;
}

/* --- making them ---------------------------------------------------------- */

static const struct res *
fail(struct resolve *rs, struct res *res, const char *why)
{
	(void)rs;
	res->op = RES_FAIL;
	res->why = why;
	return res;
}

static const struct res *
fail_kinds(struct resolve *rs, struct res *res, const struct schema *writer,
	const struct schema *reader)
{
	char text[256];
	int n = snprintf(text, sizeof(text),
		"%s%s%.80s cannot be read as %s%s%.80s",
		schema_kind_name(writer->kind), writer->name != NULL ? " " : "",
		writer->name != NULL ? writer->name : "",
		schema_kind_name(reader->kind), reader->name != NULL ? " " : "",
		reader->name != NULL ? reader->name : "");
	const char *why =
		n < 0 ? NULL : arena_copy(rs->arena, text, strlen(text));

	if (why == NULL)
		rs->is_failed = true;
	return fail(rs, res, why);
}

static uint32_t
units_per_second(enum schema_logical logical)
{
	switch (logical) {
	case LOGICAL_TIME_MS:
	case LOGICAL_TIMESTAMP_MS:
		return 1000;
	case LOGICAL_TIME_US:
	case LOGICAL_TIMESTAMP_US:
		return 1000000;
	case LOGICAL_TIMESTAMP_NS:
		return 1000000000;
	default:
		return 0;
	}
}

static bool
is_time_of_day(enum schema_logical logical)
{
	return logical == LOGICAL_TIME_MS || logical == LOGICAL_TIME_US;
}

static bool
is_instant(enum schema_logical logical)
{
	return logical == LOGICAL_DATE ||
	       (units_per_second(logical) != 0 && !is_time_of_day(logical));
}

static void
make_integer(struct res *res, const struct schema *writer,
	const struct schema *reader)
{
	enum schema_logical logical = reader->logical;

	res->op = RES_INTEGER;
	res->is_int = writer->kind == SCHEMA_INT;
	if (!is_instant(logical) && !is_time_of_day(logical))
		return;
	if (is_instant(logical) == is_instant(writer->logical) &&
		is_time_of_day(logical) == is_time_of_day(writer->logical))
		logical = writer->logical;
	res->op = is_time_of_day(logical)   ? RES_TIME
		  : logical == LOGICAL_DATE ? RES_DATE
					    : RES_TIMESTAMP;
	res->per_second = units_per_second(logical);
}

static void
make_real(struct res *res, const struct schema *writer,
	const struct schema *reader)
{
	res->is_float = reader->kind == SCHEMA_FLOAT;
	res->is_int = writer->kind == SCHEMA_INT;
	res->op = writer->kind == SCHEMA_FLOAT	  ? RES_FLOAT
		  : writer->kind == SCHEMA_DOUBLE ? RES_DOUBLE
						  : RES_INTEGER_AS_DOUBLE;
}

static void
make_bytes(struct res *res, const struct schema *writer,
	const struct schema *reader)
{
	bool is_fixed = reader->kind == SCHEMA_FIXED;

	res->op = is_fixed ? RES_FIXED : RES_BYTES;
	res->size = writer->size;
	if (reader->logical != LOGICAL_DECIMAL)
		return;
	res->op = is_fixed ? RES_DECIMAL_FIXED : RES_DECIMAL;
	res->scale = writer->logical == LOGICAL_DECIMAL ? writer->scale
							: reader->scale;
}

static const struct res *
make_symbols(struct resolve *rs, struct res *res, const struct schema *writer,
	const struct schema *reader)
{
	struct value *values =
		arena_array(rs->arena, writer->nsymbols, sizeof(*values));

	if (values == NULL) {
		rs->is_failed = true;
		return res;
	}
	for (size_t i = 0; i < writer->nsymbols; i++) {
		const char *text = NULL;

		for (size_t j = 0; text == NULL && j < reader->nsymbols; j++)
			if (strcmp(writer->symbols[i], reader->symbols[j]) == 0)
				text = reader->symbols[j];
		if (text == NULL && reader->symbol_default >= 0)
			text = reader->symbols[reader->symbol_default];
		values[i] = text == NULL ? value_error("a symbol that our enum "
						       "does not have, "
						       "and it has no default")
					 : value_string(text,
						   (uint32_t)strlen(text));
	}
	res->op = RES_SYMBOL;
	res->n = (uint32_t)writer->nsymbols;
	res->values = values;
	return res;
}

static const struct res *
make_container(struct resolve *rs, struct res *res, const struct schema *writer,
	const struct schema *reader, const struct type *type)
{
	const struct type *inner =
		type->kind == TYPE_DYN ? &type_dyn : type->item;

	res->op = writer->kind == SCHEMA_ARRAY ? RES_LIST : RES_MAP;
	res->is_item_empty = writer->item->encoded_bytes == 0;
	res->item = resolve_pair(rs, writer->item, reader->item, inner);
	if (res->item != NULL && res->item->op == RES_FAIL)
		return fail(rs, res, res->item->why);
	return res;
}

/* The value of a field the writer does not have. */
static bool
read_default(struct resolve *rs, struct res *res,
	const struct schema_field *field, const struct type *type,
	struct value *ret_value)
{
	const struct res *inner;
	struct cursor cur;
	char text[160];
	int n;

	if (field->def != NULL) {
		inner = resolve_pair(rs, field->schema, field->schema, type);
		if (inner == NULL)
			return false;
		cursor_init(&cur, field->def, field->def_len, rs->arena);
		if (run_read(&cur, inner, ret_value))
			return true;
	}
	n = snprintf(text, sizeof(text),
		"the writer has no field '%.80s', and it has no default",
		field->name);
	(void)fail(rs, res,
		n < 0 ? NULL : arena_copy(rs->arena, text, strlen(text)));
	rs->is_failed = rs->is_failed || res->why == NULL;
	return false;
}

/* Room for a record's fields: nulls, and the keys where it becomes a map. */
static struct value *
record_values(struct resolve *rs, struct res *res, const struct schema *reader)
{
	size_t stride = res->is_as_map ? 2 : 1;
	struct value *values;

	res->nvalues = (uint32_t)(reader->nfields * stride);
	values = arena_array(rs->arena, res->nvalues, sizeof(*values));
	if (values == NULL)
		return NULL;
	for (size_t i = 0; i < reader->nfields; i++) {
		const char *name = reader->fields[i].name;

		values[i * stride] = value_string(name, (uint32_t)strlen(name));
		values[i * stride + stride - 1] = value_null();
	}
	return values;
}

static bool
make_fields(struct resolve *rs, struct res *res, const struct schema *writer,
	const struct schema *reader, const struct type *type,
	struct res_field *fields, struct value *values)
{
	size_t stride = res->is_as_map ? 2 : 1;

	for (size_t i = 0; i < reader->nfields; i++) {
		const struct schema_field *field = &reader->fields[i];
		const struct type *inner =
			res->is_as_map ? &type_dyn : type->fields[i].type;
		size_t at = i * stride + stride - 1;
		int from = resolve_field(writer, reader, i);

		if (from < 0) {
			if (!read_default(rs, res, field, inner, &values[at]))
				return false;
			continue;
		}
		fields[from].at = (uint32_t)at;
		fields[from].res = resolve_pair(
			rs, fields[from].schema, field->schema, inner);
		if (fields[from].res == NULL)
			return false;
		if (fields[from].res->op == RES_FAIL) {
			(void)fail(rs, res, fields[from].res->why);
			return false;
		}
	}
	return true;
}

static const struct res *
make_record(struct resolve *rs, struct res *res, const struct schema *writer,
	const struct schema *reader, const struct type *type)
{
	struct res_field *fields =
		arena_array(rs->arena, writer->nfields, sizeof(*fields));
	struct value *values;

	res->op = RES_RECORD;
	res->is_as_map = type->kind == TYPE_DYN;
	res->n = (uint32_t)writer->nfields;
	values = record_values(rs, res, reader);
	if (fields == NULL || values == NULL) {
		rs->is_failed = true;
		return res;
	}
	for (size_t i = 0; i < writer->nfields; i++)
		fields[i] =
			(struct res_field){.schema = writer->fields[i].schema};
	res->fields = fields;
	res->values = values;
	(void)make_fields(rs, res, writer, reader, type, fields, values);
	return res;
}

static const struct res *
make_union(struct resolve *rs, struct res *res, const struct schema *writer,
	const struct schema *reader, const struct type *type)
{
	const struct res **branches =
		arena_array(rs->arena, writer->nbranches, sizeof(void *));
	bool can_any = false;

	if (branches == NULL) {
		rs->is_failed = true;
		return res;
	}
	res->op = RES_UNION;
	res->n = (uint32_t)writer->nbranches;
	for (size_t i = 0; i < writer->nbranches; i++) {
		branches[i] =
			resolve_pair(rs, writer->branches[i], reader, type);
		if (branches[i] == NULL)
			return res;
		can_any = can_any || branches[i]->op != RES_FAIL;
	}
	res->branches = branches;
	return can_any ? res : fail(rs, res, branches[0]->why);
}

static const struct res *
make(struct resolve *rs, struct res *res, const struct schema *writer,
	const struct schema *reader, const struct type *type)
{
	if (writer->kind == SCHEMA_UNION)
		return make_union(rs, res, writer, reader, type);
	if (writer->kind != reader->kind &&
		!promotes(writer->kind, reader->kind))
		return fail_kinds(rs, res, writer, reader);
	if ((reader->kind == SCHEMA_ENUM || reader->kind == SCHEMA_FIXED) &&
		!same_kind(writer, reader))
		return fail_kinds(rs, res, writer, reader);
	switch (reader->kind) {
	case SCHEMA_NULL:
		res->op = RES_NULL;
		return res;
	case SCHEMA_BOOLEAN:
		res->op = RES_BOOLEAN;
		return res;
	case SCHEMA_INT:
	case SCHEMA_LONG:
		make_integer(res, writer, reader);
		return res;
	case SCHEMA_FLOAT:
	case SCHEMA_DOUBLE:
		make_real(res, writer, reader);
		return res;
	case SCHEMA_STRING:
		res->op = RES_TEXT;
		return res;
	case SCHEMA_BYTES:
	case SCHEMA_FIXED:
		make_bytes(res, writer, reader);
		return res;
	case SCHEMA_ENUM:
		return make_symbols(rs, res, writer, reader);
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		return make_container(rs, res, writer, reader, type);
	case SCHEMA_RECORD:
		return make_record(rs, res, writer, reader, type);
	case SCHEMA_UNION:
		break;
	}
	return fail_kinds(rs, res, writer, reader);
}

/* --- pairs ---------------------------------------------------------------- */

static struct pair **
pair_bucket(struct resolve *rs, const struct schema *writer,
	const struct schema *reader, const struct type *type)
{
	uint64_t hash = hash_mix((uintptr_t)writer, (uintptr_t)reader);

	return &rs->bucket[hash_mix(hash, (uintptr_t)type) % BUCKETS];
}

static struct res *
pair_new(struct resolve *rs, const struct schema *writer,
	const struct schema *reader, const struct type *type)
{
	struct pair **bucket = pair_bucket(rs, writer, reader, type);
	struct pair *pair = NULL;
	struct res *res = NULL;

	if (rs->nres < PLAN_RES_MAX) {
		pair = arena_alloc(rs->arena, sizeof(*pair));
		res = arena_alloc(rs->arena, sizeof(*res));
	}
	if (pair == NULL || res == NULL)
		return NULL;
	rs->nres++;
	memset(res, 0, sizeof(*res));
	*pair = (struct pair){.writer = writer,
		.reader = reader,
		.type = type,
		.res = res,
		.next = *bucket};
	*bucket = pair;
	return res;
}

static const struct res *
resolve_pair(struct resolve *rs, const struct schema *writer,
	const struct schema *reader, const struct type *type)
{
	struct res *res;
	int branch;

	for (struct pair *p = *pair_bucket(rs, writer, reader, type); p != NULL;
		p = p->next)
		if (p->writer == writer && p->reader == reader &&
			p->type == type)
			return p->res;
	res = pair_new(rs, writer, reader, type);
	if (res == NULL) {
		rs->is_failed = true;
		return NULL;
	}
	if (rs->depth == RESOLVE_DEPTH_MAX)
		return fail(rs, res, "the schemas are too entangled");
	rs->depth++;
	if (reader->kind == SCHEMA_UNION && writer->kind != SCHEMA_UNION) {
		branch = resolve_branch(reader, writer);
		if (branch < 0)
			(void)fail_kinds(rs, res, writer, reader);
		else
			(void)make(rs, res, writer, reader->branches[branch],
				type);
	} else {
		(void)make(rs, res, writer, reader, type);
	}
	rs->depth--;
	return rs->is_failed ? NULL : res;
}

struct resolve *
resolve_create(struct arena *arena)
{
	struct resolve *rs = calloc(1, sizeof(*rs));

	if (rs != NULL)
		rs->arena = arena;
	return rs;
}

void
resolve_destroy(struct resolve *rs)
{
	free(rs);
}

const struct res *
resolve(struct resolve *rs, const struct schema *writer,
	const struct schema *reader, const struct type *type)
{
	return resolve_pair(rs, writer, reader, type);
}
