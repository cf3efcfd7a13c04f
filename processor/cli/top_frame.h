/*
 * top_frame.h - what `segmentd top` shows, worked out from two scrapes.
 */
#ifndef CLI_TOP_FRAME_H
#define CLI_TOP_FRAME_H

#include <jansson.h>
#include <stddef.h>

#include "segmentd/buf.h"

struct top_scrape {
	struct buf metrics; /* of all daemons, one after another */
	struct buf ready;   /* the same of /readyz?verbose */
	size_t ndaemons;    /* asked */
	size_t nthere;
	size_t nready;
	int64_t at_us;
};

/* The frame as a JSON object; NULL: out of memory. Owner: the caller. */
json_t *
top_frame(struct top_scrape *before, struct top_scrape *after);

/* The same for a person. */
void
top_print(const json_t *frame, bool is_coloured, struct buf *out);

#endif
