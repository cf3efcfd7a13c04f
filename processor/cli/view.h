/*
 * view.h - fields of an account's public view, as text and as JSON.
 */
#ifndef CLI_VIEW_H
#define CLI_VIEW_H

#include <jansson.h>

#include "segmentd/buf.h"
#include "segmentd/look.h"

/* The field of that name; NULL: it is not there. */
const struct store_field *
view_find(const struct store_field *fields, size_t n, const char *name);

/* Its value as JSON of its type: numbers, booleans, lists and maps as such, all
 * else as text; NULL (the field is not there) as null. */
json_t *
view_json(const struct program *program, const struct store_field *field);

/* One view as text for people, and as JSON, for `segmentd get`. */
void
view_print(const char *account, const struct store_field *fields, size_t n,
	bool is_coloured, struct buf *out);
json_t *
view_all_json(const struct program *program, const char *account,
	const struct store_field *fields, size_t n);

/* A cell of CSV, in quotes where it needs them; what a spreadsheet would take
 * for a formula gets a quote before it. */
void
csv_put(struct buf *out, const char *text);

/* Print a JSON document and give it back. Returns an exit status. */
int
json_print(json_t *json);

#endif
