/*
 * tail_format.h - a record as a line, by a format of kcat's kind.
 *
 *     %t topic    %p partition    %o offset    %k key       %K its bytes
 *     %s value    %S its bytes    %T Kafka's timestamp, ms  %h headers
 *     %% a per cent sign          \n \t \r \\
 *     {field}     a field of the value, {renewal.date} one within it
 *     {field|x}   the same, x where it is null or not there
 *     {@timestamp}, {@headers.NAME}, {{
 */
#ifndef CLI_TAIL_FORMAT_H
#define CLI_TAIL_FORMAT_H

#include "segmentd/buf.h"
#include "segmentd/err.h"
#include "segmentd/record.h"
#include "segmentd/type.h"
#include "segmentd/value.h"

struct tail_record {
	const char *topic;
	const struct record *rec;
	struct value value;
	const struct type *type; /* NULL: of no schema */
};

/* Is it a format for values of that type? Errors: SG_BAD_OPTION. */
SG_MUSTCHECK enum sg_err
tail_format_check(
	const char *format, const struct type *type, struct sg_fault *why);

/* A checked format; a newline follows unless the format ends with one. */
void
tail_format(
	const char *format, const struct tail_record *tail, struct buf *out);

/* The whole record as one line of JSON. */
void
tail_json(const struct tail_record *tail, struct buf *out);

#endif
