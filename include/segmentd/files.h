/*
 * files.h - events from files: NDJSON, CSV with a header, Avro container.
 *
 * Each row comes out as Avro bytes, so that a file takes the same way through
 * decode as a Kafka record does: bare, in the reader's schema for NDJSON and
 * CSV, in the file's own writer schema for Avro containers.
 *
 * A column or key is bound to the field of that name or alias. Columns and
 * keys that no field wants are ignored. A missing column or key is the field's
 * default, else null where the field allows it, else an error. An empty cell
 * and a JSON null are null where the field allows it, else the default, else a
 * bad row; but an empty cell of a string is an empty text where there is no
 * null and no default, or where it is quoted.
 *
 *   boolean       true, false, any case; 1, 0
 *   int, long     a number without fraction ("27", "27.0", "1e3")
 *   float, double a number, NaN, Infinity, -Infinity
 *   decimal       a number or the text of one, exact: digits beyond the scale
 *                 or the precision make a bad row
 *   date, timestamp-*   RFC 3339, a date, or a number in the field's unit
 *   time-*        "hh:mm", "hh:mm:ss.fff", or a number in the field's unit
 *   string        text; of JSON, an integer becomes its digits
 *   enum          a symbol; another one is the enum's default, if it has one
 *   bytes, fixed  JSON: a character U+0000..U+00FF a byte; CSV: as they are
 *   array, map, record  JSON, in CSV as the text of the cell
 *   union         the first branch the value fits, by its own kind before
 *                 another; JSON may name it: {"string": "..."}
 */
#ifndef SEGMENTD_FILES_H
#define SEGMENTD_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/decode.h"
#include "segmentd/err.h"

struct buf;

/*
 * Append the text of one JSON value to `out` as bare Avro of schema `number`,
 * by the rules above. Nothing is appended on failure.
 *
 * Errors: SG_BAD_RECORD, SG_BAD_UTF8, SG_TOO_LARGE, SG_NOMEM. The fault names
 * the field; never the data.
 */
SG_MUSTCHECK enum sg_err
file_encode_json(const struct decode_schemas *schemas, int32_t number,
	const char *json, size_t len, struct buf *out, struct sg_fault *why);

struct file_reader;

struct file_row {
	const void *bytes; /* bare Avro. Valid until: the next row */
	size_t len;
	int32_t writer; /* schema number the bytes were written with */
	uint64_t line;	/* 1 is the first; of a container: the record */
};

/*
 * Open by extension: .ndjson .jsonl .json (one object a line), .csv, .avro
 * (codecs null and deflate); a further .xz or .gz is
 * refused with what to do. `schema` is the number of the input's reader schema
 * in `schemas`; a container's writer schema is added to it.
 *
 * Errors: SG_IO; SG_BAD_OPTION (extension); SG_BAD_RECORD (no header, or a
 * required column is missing: all are named); SG_BAD_SCHEMA.
 */
SG_MUSTCHECK enum sg_err
file_reader_open(const char *path, struct decode_schemas *schemas,
	int32_t schema, struct file_reader **ret_reader, struct sg_fault *why);
void
file_reader_close(struct file_reader *reader);

/*
 * The next row. *ret_is_end is set instead at the end.
 * Errors: SG_BAD_RECORD, SG_BAD_UTF8, SG_TOO_LARGE: this row is not usable,
 * the fault says "FILE:LINE: ..." and the next call goes on after it. SG_IO: no
 * going on.
 */
SG_MUSTCHECK enum sg_err
file_reader_next(struct file_reader *reader, struct file_row *ret_row,
	bool *ret_is_end, struct sg_fault *why);

/* Bytes read so far and in all (0 when not known), for a progress bar. */
void
file_reader_progress(const struct file_reader *reader, uint64_t *ret_done,
	uint64_t *ret_total);

#endif
