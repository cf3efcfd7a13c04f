/*
 * rows.h - rows of files in event-time order, for replay and load.
 *
 * All rows are read first, checked as records of their input, and sorted by
 * event time; equal times keep the order of inputs and of the file.
 */
#ifndef PIPELINE_ROWS_H
#define PIPELINE_ROWS_H

#include "group.h"

struct row {
	int64_t at_ms;
	uint32_t input;
	int32_t writer; /* schema number of the bytes */
	uint64_t seq;	/* over all files of the input */
	uint32_t len;
	uint32_t account_len;
	const uint8_t *bytes; /* bare Avro */
	const char *account;
};

struct rows {
	struct arena arena;
	struct row *items;
	size_t n;
	size_t cap;
	uint64_t bad;
};

/* Errors: SG_IO, SG_BAD_OPTION, SG_BAD_RECORD (no header), SG_NOMEM. A bad row
 * is told to opts->on_bad_row and counted. */
SG_MUSTCHECK enum sg_err
rows_read(struct toolbox *box, const struct replay_opts *opts,
	struct rows *ret_rows, struct sg_fault *why);
void
rows_fini(struct rows *rows);

/* The record of a row; its offset is `seq`. */
struct record
rows_record(const struct row *row);

#endif
