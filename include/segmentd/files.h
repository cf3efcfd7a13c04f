/*
 * files.h - events from files: NDJSON, CSV with a header, Avro container.
 *
 * Each row comes out as Avro bytes, so that a file takes the same way through
 * decode as a Kafka record does: bare, in the reader's schema for NDJSON and
 * CSV, in the file's own writer schema for Avro containers.
 *
 * A column or key is bound to the field of that name or alias. In CSV an empty
 * cell is null where the field allows it, else the field's default, else a bad
 * row. Booleans: true/false, any case, 1/0. Times: RFC 3339, a date, or a
 * number in the field's unit. Columns and keys that no field wants are
 * ignored.
 */
#ifndef SEGMENTD_FILES_H
#define SEGMENTD_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/decode.h"
#include "segmentd/err.h"

struct file_reader;

struct file_row {
	const void *bytes; /* bare Avro. Valid until: the next row */
	size_t len;
	int32_t writer; /* schema number the bytes were written with */
	uint64_t line;	/* 1 is the first; of a container: the record */
};

/*
 * Open by extension: .ndjson .jsonl .json, .csv, .avro; a further .xz or .gz is
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
