/*
 * value.h - a value of the expression language, and of a decoded field.
 *
 * 16 bytes, copied by value. What a value points at (text, bytes, elements) is
 * owned by somebody else: the batch's arena, the account, or the compiled
 * program; whoever hands out a value says how long it lives.
 */
#ifndef SEGMENTD_VALUE_H
#define SEGMENTD_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/utf8.h"

/* Lists, maps and records nest at most this deep; nobody makes deeper ones. */
#define VALUE_DEPTH_MAX 64

enum value_kind {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_UINT,
	VALUE_DOUBLE,
	VALUE_STRING,	 /* UTF-8, `len` bytes, no NUL */
	VALUE_BYTES,	 /* `len` bytes */
	VALUE_TIMESTAMP, /* as.i seconds since 1970 UTC + `nanos` 0..999999999
			  */
	VALUE_DURATION,	 /* as.i seconds + `nanos`, floor: -1 ns is (-1,
			    999999999) */
	VALUE_LIST,	 /* `len` elements */
	VALUE_MAP,	 /* `len` entries: 2 * len values, key then value */
	VALUE_RECORD, /* `len` fields, in the order of the static struct type */
	VALUE_TYPE,   /* a CEL type; as.s its name */
	VALUE_ABSENT, /* the field or feature has no value (never stored) */
	VALUE_ERROR,  /* as.s: why, a NUL-terminated constant text */
};

struct value {
	uint8_t kind; /* enum value_kind */
	/* How the value moves with `now`: 0, or +1 / -1 second a second. Only
	 * timestamps, durations and numbers derived from them have one. */
	int8_t slope;
	uint16_t flags; /* private to the module that made it; else 0 */
	union {
		uint32_t len;
		uint32_t nanos;
	};
	union {
		bool b;
		int64_t i;
		uint64_t u;
		double d;
		const char *s;
		const uint8_t *bytes;
		const struct value *items;
	} as;
};

_Static_assert(sizeof(struct value) == 16, "a value is two words");

static inline struct value
value_null(void)
{
	return (struct value){.kind = VALUE_NULL};
}

static inline struct value
value_absent(void)
{
	return (struct value){.kind = VALUE_ABSENT};
}

static inline struct value
value_bool(bool b)
{
	return (struct value){.kind = VALUE_BOOL, .as = {.u = b ? 1 : 0}};
}

static inline struct value
value_int(int64_t i)
{
	return (struct value){.kind = VALUE_INT, .as = {.i = i}};
}

static inline struct value
value_uint(uint64_t u)
{
	return (struct value){.kind = VALUE_UINT, .as = {.u = u}};
}

static inline struct value
value_double(double d)
{
	return (struct value){.kind = VALUE_DOUBLE, .as = {.d = d}};
}

static inline struct value
value_string(const char *s, uint32_t len)
{
	return (struct value){.kind = VALUE_STRING, .len = len, .as = {.s = s}};
}

static inline struct value
value_bytes(const uint8_t *bytes, uint32_t len)
{
	return (struct value){
		.kind = VALUE_BYTES, .len = len, .as = {.bytes = bytes}};
}

static inline struct value
value_timestamp(int64_t seconds, uint32_t nanos)
{
	return (struct value){
		.kind = VALUE_TIMESTAMP, .nanos = nanos, .as = {.i = seconds}};
}

static inline struct value
value_duration(int64_t seconds, uint32_t nanos)
{
	return (struct value){
		.kind = VALUE_DURATION, .nanos = nanos, .as = {.i = seconds}};
}

static inline struct value
value_error(const char *why)
{
	return (struct value){.kind = VALUE_ERROR, .as = {.s = why}};
}

/* Milliseconds as a timestamp or duration, and back (rounded down, and held
 * at INT64_MIN and INT64_MAX; 0 for the other kinds). */
struct value
value_timestamp_ms(int64_t ms);
struct value
value_duration_ms(int64_t ms);
int64_t
value_to_ms(struct value v);

/* The same kind and contents, deep; slopes are not compared. NaN equals
 * itself, 1 and 1.0 differ, 0.0 and -0.0 differ, the order of a map counts:
 * this is identity, not CEL's ==. */
bool
value_same(struct value a, struct value b);

/* A copy whose every part lies in `arena` (but for the constant text of an
 * error); VALUE_ERROR when it is full. */
struct arena;
struct value
value_copy(struct arena *arena, struct value v);

/*
 * Write a value for people and JSON readers: JSON, with timestamps as RFC 3339
 * strings, durations as CEL prints them ("3600s"), bytes as base64, records as
 * objects where `type` (may be NULL) names the fields. NaN and infinities are
 * strings.
 */
struct buf;
struct type;
void
value_to_json(struct value v, const struct type *type, struct buf *buf);

/* The same as one plain text for a Redis field or a terminal: a string as it
 * is, a timestamp as RFC 3339, numbers as in JSON, lists and maps as JSON,
 * null and absent as "". */
void
value_to_text(struct value v, const struct type *type, struct buf *buf);

#endif
