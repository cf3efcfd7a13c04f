/*
 * stored.h - one account's state as Redis has it, read without a reign.
 */
#ifndef PIPELINE_STORED_H
#define PIPELINE_STORED_H

#include "account.h"
#include "segmentd/store.h"

/* Partition groups that keys speak of: *ret_n is 1 under STORE_PLAIN, where
 * any number will do. Each owner leaves a record, from 0 on. */
SG_MUSTCHECK enum sg_err
stored_groups(struct store *store, enum store_layout layout, int32_t *ret_n,
	struct sg_fault *why);

/* The state of an account, whichever of `ngroups` it is in, and the commit
 * record of its group. Errors: SG_NO_ACCOUNT. */
SG_MUSTCHECK enum sg_err
stored_find(struct store *store, int32_t ngroups, const char *account,
	struct arena *arena, struct store_blob *ret_blob,
	struct store_meta *ret_meta, struct sg_fault *why);

/* Fill an account that is not loaded, by the layouts of its group. Errors:
 * SG_BAD_BLOB, SG_NOMEM. */
SG_MUSTCHECK enum sg_err
stored_read(const struct program *prog, const struct store_blob *blob,
	const struct store_meta *meta, struct account *acct,
	struct sg_fault *why);

#endif
