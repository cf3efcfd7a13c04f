/*
 * type.h - the static type of a field, a feature or an expression.
 *
 * Types are immutable and compared by structure. The scalar ones are
 * constants; the others are made in an arena and live as long as it does.
 */
#ifndef SEGMENTD_TYPE_H
#define SEGMENTD_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum type_kind {
	TYPE_DYN, /* anything: checked when it is evaluated */
	TYPE_NULL,
	TYPE_BOOL,
	TYPE_INT,
	TYPE_UINT,
	TYPE_DOUBLE,
	TYPE_STRING,
	TYPE_BYTES,
	TYPE_TIMESTAMP,
	TYPE_DURATION,
	TYPE_LIST,   /* of item */
	TYPE_MAP,    /* key to item */
	TYPE_RECORD, /* fields: values of VALUE_RECORD, by position */
	TYPE_TYPE,   /* the type of a type */
};

struct type;

struct type_field {
	const char *name; /* NUL-terminated */
	const struct type *type;
};

struct type {
	enum type_kind kind;
	bool is_nullable; /* may also be null (or absent) */
	const struct type *key;
	const struct type *item;
	const struct type_field *fields;
	size_t nfields;
};

extern const struct type type_dyn, type_null, type_bool, type_int, type_uint,
	type_double, type_string, type_bytes, type_timestamp, type_duration,
	type_type;

/* The nullable form of a scalar constant or of a type made in `arena`; NULL
 * when the arena is full. */
struct arena;
const struct type *
type_nullable(struct arena *arena, const struct type *type);
const struct type *
type_list(struct arena *arena, const struct type *item);
const struct type *
type_map(struct arena *arena, const struct type *key, const struct type *item);
/* Copies the field table and the names. */
const struct type *
type_record(
	struct arena *arena, const struct type_field *fields, size_t nfields);

bool
type_same(const struct type *a, const struct type *b);

/* The index of a record's field, -1 when there is none. */
int
type_field_index(const struct type *type, const char *name, size_t len);

/* "list(record{id: string, arr: double?})": for messages. */
struct buf;
void
type_print(const struct type *type, struct buf *buf);

#endif
