/*
 * demo_records.h - events of the company as Avro records of schemas/demo/.
 */
#ifndef CLI_DEMO_RECORDS_H
#define CLI_DEMO_RECORDS_H

#include "demo_company.h"
#include "segmentd/buf.h"
#include "segmentd/conf.h"

struct demo_records {
	uint64_t prints[DEMO_INPUT_COUNT]; /* fingerprints of the schemas */
	struct buf value;
};

/* Reads the schemas of the inputs of `conf`. Errors: SG_IO, SG_BAD_SCHEMA,
 * SG_NOMEM. */
SG_MUSTCHECK enum sg_err
demo_records_init(struct demo_records *records, const struct conf *conf,
	struct sg_fault *why);
void
demo_records_fini(struct demo_records *records);

/* The event, in single-object encoding, is in records->value. */
SG_MUSTCHECK enum sg_err
demo_records_encode(struct demo_records *records,
	const struct demo_company *company, const struct demo_event *ev);

#endif
