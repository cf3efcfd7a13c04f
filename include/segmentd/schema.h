/*
 * schema.h - an Avro schema as plain data, as decode parses it.
 *
 * What Avro C's parser ignores is kept: defaults, aliases, logical types, the
 * default symbol of an enum. References by name point at the one node of that
 * name, so the tree of a recursive schema has cycles: whoever walks it counts
 * his depth.
 *
 * Valid until: (all nodes) their struct decode_schemas goes.
 */
#ifndef SEGMENTD_SCHEMA_H
#define SEGMENTD_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_kind {
	SCHEMA_NULL,
	SCHEMA_BOOLEAN,
	SCHEMA_INT,
	SCHEMA_LONG,
	SCHEMA_FLOAT,
	SCHEMA_DOUBLE,
	SCHEMA_BYTES,
	SCHEMA_STRING,
	SCHEMA_FIXED,
	SCHEMA_ENUM,
	SCHEMA_RECORD,
	SCHEMA_ARRAY,
	SCHEMA_MAP,
	SCHEMA_UNION,
};

/* local-timestamp-* is read as UTC, so it is a timestamp here. A logical type
 * that is unknown, or does not fit what it stands on, is none. */
enum schema_logical {
	LOGICAL_NONE,
	LOGICAL_DECIMAL, /* bytes, fixed */
	LOGICAL_DATE,	 /* int: days since 1970 */
	LOGICAL_TIME_MS, /* int */
	LOGICAL_TIME_US, /* long */
	LOGICAL_TIMESTAMP_MS,
	LOGICAL_TIMESTAMP_US,
	LOGICAL_TIMESTAMP_NS,
	LOGICAL_UUID, /* string */
};

#define SCHEMA_SCALE_MAX 400 /* of a decimal */

struct schema {
	enum schema_kind kind;
	enum schema_logical logical;
	int32_t precision; /* of a decimal */
	int32_t scale;
	uint32_t depth;	 /* nodes on the longest way down, cycles cut */
	uint32_t number; /* of a named type: 0, 1, ... in order of the text */
	int64_t encoded_bytes; /* where every value takes as many, else -1 */

	const char *name; /* full name of a record, enum, fixed; else NULL */
	const char *const *aliases; /* full names */
	size_t naliases;

	const struct schema_field *fields; /* record */
	size_t nfields;
	const char *const *symbols; /* enum */
	size_t nsymbols;
	int32_t symbol_default;		      /* enum; -1: none */
	uint32_t size;			      /* fixed */
	const struct schema *item;	      /* array, map */
	const struct schema *const *branches; /* union */
	size_t nbranches;
};

struct schema_field {
	const char *name;
	const struct schema *schema;
	const char *const *aliases;
	size_t naliases;
	/* The default as Avro bytes of this field's schema; NULL: none. */
	const uint8_t *def;
	size_t def_len;
	bool is_def_bad; /* there is one, but it does not fit the schema */
};

/* "int", "record", ... */
const char *
schema_kind_name(enum schema_kind kind);

/* The part of a full name after the last dot. */
const char *
schema_short_name(const char *name);

/* The index of a record's field by name; -1: none. */
int
schema_field_index(const struct schema *schema, const char *name, size_t len);

struct decode_schemas;

/* The tree of schema `number`, which must be one that was given out. */
const struct schema *
decode_schemas_tree(const struct decode_schemas *schemas, int32_t number);

#endif
