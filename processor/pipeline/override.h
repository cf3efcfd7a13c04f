/*
 * override.h - a person pins an account's segment: wins over the rules.
 *
 * Overrides are events of an input of their own (topics.overrides), folded
 * into the account's state as features are: per segmentation the newest by
 * event time counts. While one holds, its segment is the target, and neither
 * min_stay nor cooldown stand in the way; at its expiry the rules count again.
 */
#ifndef PIPELINE_OVERRIDE_H
#define PIPELINE_OVERRIDE_H

#include "account.h"
#include "program_build.h"

#define OVERRIDE_TEXT_MAX 512 /* bytes of author and reason; longer is cut */

struct account_override {
	uint32_t segmentation;
	int16_t segment; /* where it is pinned; SEAT_NONE: a tag's "out" */
	bool is_cleared; /* taken back: kept, so that an older one that
			    comes late does not pin it again */
	int64_t at_ms;
	int64_t expires_ms; /* AT_NEVER */
	char *author;	    /* NUL-terminated; freed with it */
	char *reason;
};

struct account_overrides {
	size_t n;
	struct account_override items[];
};

/* The schema of an override, as in schemas/override.v1.avsc. */
extern const char override_schema[];

/* Slots of an override event, in this order; bound by build_overrides(). */
enum override_slot {
	OVERRIDE_SEGMENTATION,
	OVERRIDE_SEGMENT,
	OVERRIDE_AUTHOR,
	OVERRIDE_REASON,
	OVERRIDE_EXPIRES,
	OVERRIDE_SLOT_COUNT
};

/* Add the input of overrides to a program, if the configuration wants it. */
SG_MUSTCHECK enum sg_err
build_overrides(struct build *b);

/* Is an event of that input usable? Errors: SG_BAD_OVERRIDE. */
SG_MUSTCHECK enum sg_err
override_check(const struct program *prog, const struct event *ev,
	struct sg_fault *why);

/* Fold a checked one. The segmentation is evaluated again. */
SG_MUSTCHECK enum sg_err
override_fold(const struct program *prog, struct account *acct,
	const struct event *ev);

/* The override that holds at now; NULL when there is none. */
const struct account_override *
override_at(const struct account *acct, size_t segmentation, int64_t now_ms);

void
overrides_destroy(struct account_overrides *list);

/* Stored by name: few accounts have one. What is gone is left out. */
void
overrides_write(const struct program *prog,
	const struct account_overrides *list, struct buf *out);
SG_MUSTCHECK enum sg_err
overrides_read(const struct program *prog, struct buf_reader *rd,
	struct account_overrides **ret_list);

#endif
