/*
 * flush.h - what Kafka has committed goes to the store, lazily.
 */
#ifndef PIPELINE_FLUSH_H
#define PIPELINE_FLUSH_H

#include "group.h"

/*
 * Write one chunk of dirty accounts of a group in one guarded commit: those
 * with changes, and those dirty since before `before_mono_ms` (INT64_MAX:
 * all). Only at a K boundary (fold == committed), or while the group catches
 * up: then those below G, and what of them waits to be evaluated does so in the
 * store from now on (call group_untouch() then). *ret_n is how many there were;
 * 0 and no commit when there are none and W has not moved. *ret_is_more:
 * another chunk is left.
 *
 * Errors: as of store_group_commit(). After SG_STORE_DOWN or SG_STORE_BUSY call
 * flush_retry() until it is something else.
 */
SG_MUSTCHECK enum sg_err
flush_group(struct group *group, int64_t before_mono_ms, size_t *ret_n,
	bool *ret_is_more, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
flush_retry(struct group *group, struct sg_fault *why);

#endif
