/*
 * reader.h - a file being read, and its three formats. Private to files.
 */
#ifndef FILES_READER_H
#define FILES_READER_H

#include "encode.h"
#include "source.h"

#include "segmentd/files.h"

struct file_reader;

/* A format. `next` gives one row; what it fails with concerns that row. */
struct format {
	enum sg_err (*open)(struct file_reader *reader, struct sg_fault *why);
	void (*close)(struct file_reader *reader);
	enum sg_err (*next)(struct file_reader *reader,
		struct file_row *ret_row, bool *ret_is_end,
		struct sg_fault *why);
};

struct file_reader {
	char *path;
	struct decode_schemas *schemas;
	int32_t number; /* the input's schema */
	const struct schema *schema;
	const struct format *format;
	void *state;	/* the format's own */
	uint64_t line;	/* lines begun so far */
	struct buf out; /* the row at hand, as Avro */
	struct source src;
};

extern const struct format format_csv, format_ndjson, format_container;

/* "FILE:LINE: what". */
SG_PRINTF(5, 6)
enum sg_err
reader_fault(const struct file_reader *reader, uint64_t line,
	struct sg_fault *why, enum sg_err err, const char *fmt, ...);

/* The fault of an encoder that failed at `line`. */
enum sg_err
reader_encode_fault(const struct file_reader *reader, uint64_t line,
	const struct encode *e, struct sg_fault *why);

/* Skip a UTF-8 byte order mark at the beginning. */
void
reader_skip_bom(struct file_reader *reader);

/* Did the end come because reading failed? */
SG_MUSTCHECK enum sg_err
reader_check(const struct file_reader *reader, struct sg_fault *why);

#endif
