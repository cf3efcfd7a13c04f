/*
 * encode.h - JSON values and texts of cells to Avro. Private to files.
 */
#ifndef FILES_ENCODE_H
#define FILES_ENCODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/buf.h"
#include "segmentd/err.h"
#include "segmentd/schema.h"

#define ENCODE_DEPTH_MAX 64
#define ENCODE_WORK_MAX 4000000 /* values tried for one row */

/*
 * One row being encoded. `why` and `err` are of the last failure; in a union
 * a failure is only a branch that does not fit.
 */
struct encode {
	struct buf *out;
	uint32_t depth;
	uint32_t left; /* of ENCODE_WORK_MAX */
	/* Values must be of the schema's own kind: no number for a text. */
	bool is_strict;
	enum sg_err err;
	const char *why;   /* a constant text */
	const char *field; /* the innermost field of the failure; NULL: none */
};

void
encode_init(struct encode *e, struct buf *out);

bool
encode_json(struct encode *e, const struct schema *schema, const json_t *json);

/* A cell of CSV. */
struct cell {
	const char *text;
	size_t len;
	bool is_quoted;
};

bool
encode_cell(
	struct encode *e, const struct schema *schema, const struct cell *cell);

/* A field that has no column or key: its default, else null. False when it
 * has neither. */
bool
encode_missing(struct encode *e, const struct schema_field *field);
bool
encode_can_miss(const struct schema_field *field);

bool
encode_fail(struct encode *e, enum sg_err err, const char *why);

/* The fault of a failed row. `place` is "FILE:LINE: " or "". */
enum sg_err
encode_fault(const struct encode *e, const char *place, struct sg_fault *why);

/* --- scalar.c: one value from its text ---------------------------------- */

bool
scalar_from_text(struct encode *e, const struct schema *schema,
	const char *text, size_t len);
bool
scalar_from_integer(struct encode *e, const struct schema *schema, int64_t n);
bool
scalar_from_double(struct encode *e, const struct schema *schema, double d);

#endif
