#include "segmentd/type.h"

#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"

#define SCALAR(name, kind_)                                                    \
	const struct type type_##name = {.kind = (kind_)};                     \
	static const struct type type_##name##_or_null = {                     \
		.kind = (kind_), .is_nullable = true}

SCALAR(dyn, TYPE_DYN);
SCALAR(bool, TYPE_BOOL);
SCALAR(int, TYPE_INT);
SCALAR(uint, TYPE_UINT);
SCALAR(double, TYPE_DOUBLE);
SCALAR(string, TYPE_STRING);
SCALAR(bytes, TYPE_BYTES);
SCALAR(timestamp, TYPE_TIMESTAMP);
SCALAR(duration, TYPE_DURATION);
SCALAR(type, TYPE_TYPE);

/* Null is nullable as it is. */
const struct type type_null = {.kind = TYPE_NULL, .is_nullable = true};

static const struct type *
scalar_nullable(enum type_kind kind)
{
	switch (kind) {
	case TYPE_DYN:
		return &type_dyn_or_null;
	case TYPE_NULL:
		return &type_null;
	case TYPE_BOOL:
		return &type_bool_or_null;
	case TYPE_INT:
		return &type_int_or_null;
	case TYPE_UINT:
		return &type_uint_or_null;
	case TYPE_DOUBLE:
		return &type_double_or_null;
	case TYPE_STRING:
		return &type_string_or_null;
	case TYPE_BYTES:
		return &type_bytes_or_null;
	case TYPE_TIMESTAMP:
		return &type_timestamp_or_null;
	case TYPE_DURATION:
		return &type_duration_or_null;
	case TYPE_TYPE:
		return &type_type_or_null;
	case TYPE_LIST:
	case TYPE_MAP:
	case TYPE_RECORD:
		break;
	}
	return NULL;
}

static const struct type *
type_make(struct arena *arena, struct type made)
{
	struct type *type = arena_alloc(arena, sizeof(*type));

	if (type != NULL)
		*type = made;
	return type;
}

const struct type *
type_nullable(struct arena *arena, const struct type *type)
{
	const struct type *scalar = scalar_nullable(type->kind);
	struct type made = *type;

	if (type->is_nullable)
		return type;
	if (scalar != NULL)
		return scalar;
	made.is_nullable = true;
	return type_make(arena, made);
}

const struct type *
type_list(struct arena *arena, const struct type *item)
{
	return type_make(arena, (struct type){.kind = TYPE_LIST, .item = item});
}

const struct type *
type_map(struct arena *arena, const struct type *key, const struct type *item)
{
	return type_make(arena,
		(struct type){.kind = TYPE_MAP, .key = key, .item = item});
}

const struct type *
type_record(
	struct arena *arena, const struct type_field *fields, size_t nfields)
{
	struct type_field *copy = arena_array(arena, nfields, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < nfields; i++) {
		copy[i].type = fields[i].type;
		copy[i].name = arena_copy(
			arena, fields[i].name, strlen(fields[i].name));
		if (copy[i].name == NULL)
			return NULL;
	}
	return type_make(arena, (struct type){.kind = TYPE_RECORD,
					.fields = copy,
					.nfields = nfields});
}

static bool
fields_same(const struct type *a, const struct type *b)
{
	if (a->nfields != b->nfields)
		return false;
	for (size_t i = 0; i < a->nfields; i++) {
		if (strcmp(a->fields[i].name, b->fields[i].name) != 0 ||
			!type_same(a->fields[i].type, b->fields[i].type))
			return false;
	}
	return true;
}

bool
type_same(const struct type *a, const struct type *b)
{
	if (a == b)
		return true;
	if (a->kind != b->kind || a->is_nullable != b->is_nullable)
		return false;
	switch (a->kind) {
	case TYPE_LIST:
		return type_same(a->item, b->item);
	case TYPE_MAP:
		return type_same(a->key, b->key) && type_same(a->item, b->item);
	case TYPE_RECORD:
		return fields_same(a, b);
	default:
		return true;
	}
}

int
type_field_index(const struct type *type, const char *name, size_t len)
{
	if (type->kind != TYPE_RECORD)
		return -1;
	for (size_t i = 0; i < type->nfields; i++) {
		const char *field = type->fields[i].name;

		if (strlen(field) == len && memcmp(field, name, len) == 0)
			return (int)i;
	}
	return -1;
}

static const char *
kind_name(enum type_kind kind)
{
	static const char *const names[] = {
		[TYPE_DYN] = "dyn",
		[TYPE_NULL] = "null",
		[TYPE_BOOL] = "bool",
		[TYPE_INT] = "int",
		[TYPE_UINT] = "uint",
		[TYPE_DOUBLE] = "double",
		[TYPE_STRING] = "string",
		[TYPE_BYTES] = "bytes",
		[TYPE_TIMESTAMP] = "timestamp",
		[TYPE_DURATION] = "duration",
		[TYPE_LIST] = "list",
		[TYPE_MAP] = "map",
		[TYPE_RECORD] = "record",
		[TYPE_TYPE] = "type",
	};

	return names[kind];
}

void
type_print(const struct type *type, struct buf *buf)
{
	buf_put_str(buf, kind_name(type->kind));
	switch (type->kind) {
	case TYPE_LIST:
		buf_put_str(buf, "(");
		type_print(type->item, buf);
		buf_put_str(buf, ")");
		break;
	case TYPE_MAP:
		buf_put_str(buf, "(");
		type_print(type->key, buf);
		buf_put_str(buf, ", ");
		type_print(type->item, buf);
		buf_put_str(buf, ")");
		break;
	case TYPE_RECORD:
		buf_put_str(buf, "{");
		for (size_t i = 0; i < type->nfields; i++) {
			buf_put_str(buf, i == 0 ? "" : ", ");
			buf_put_str(buf, type->fields[i].name);
			buf_put_str(buf, ": ");
			type_print(type->fields[i].type, buf);
		}
		buf_put_str(buf, "}");
		break;
	default:
		break;
	}
	if (type->is_nullable && type->kind != TYPE_NULL)
		buf_put_str(buf, "?");
}
