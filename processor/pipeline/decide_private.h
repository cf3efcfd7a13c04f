/* decide_private.h - shared by decide.c and reasons.c. */
#ifndef PIPELINE_DECIDE_PRIVATE_H
#define PIPELINE_DECIDE_PRIVATE_H

#include "decide.h"

struct account_override;

struct decider {
	const struct program *prog;
	struct arena scratch;	   /* of one decision */
	struct cel_frame **frames; /* by nesting */
	size_t depth;
	struct cel_host host; /* its memo is of one decision */
	uint8_t *needs;	      /* by segmentation: evaluate in this decision */
	const struct account *acct;
	int64_t now_ms;
	bool is_short; /* memory was, for a frame: nothing that was found counts
			*/
	uint64_t evaluated;
	uint64_t suppressed;
	uint64_t *rule_errors;
	uint64_t nruled; /* evaluations of a segmentation's rules */
	struct decide_measure *measured; /* by segmentation */
	uint64_t *holds; /* by segmentation and enum decide_hold */
};

struct decide_out {
	const struct decide_cause *cause;
	struct arena *arena;
	struct change_list *changes;
};

/* A move of one seat, on its way to become a change. */
struct change_move {
	size_t segmentation;
	int16_t from;
	int16_t to;
	bool is_deletion;
	const struct account_override *pin; /* it was pinned there */
	const struct former_seat *former;   /* it sat there; `from` is none */
	int64_t valid_until_ms;
	const struct change_reason *reasons;
	size_t nreasons;
};

void
decide_begin(struct decider *d, const struct account *acct, int64_t now_ms);
struct cel_frame *
decide_frame_enter(struct decider *d);
void
decide_frame_leave(struct decider *d);
struct cel_result
decide_eval(struct decider *d, const struct cel_prog *prog);
void
decide_load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms);

/* The zone of the renewal windows; NULL: nobody knows it. */
const struct tz *
decide_zone(struct decider *d, int64_t *ret_until);
/* The slot `timezone`: the name of the account's zone, or an error. */
void
decide_load_zone(
	struct decider *d, struct value *ret_value, int64_t *ret_until);

/* Find the clauses that force a move, with what they read. */
SG_MUSTCHECK enum sg_err
decide_reasons(
	struct decider *d, struct change_move *move, struct decide_out *out);

/* What the rules have no longer and the account did not leave yet, it leaves:
 * a change each, with origin rule_change. */
SG_MUSTCHECK enum sg_err
decide_formers(struct decider *d, struct account *acct, struct decide_out *out);

/* Append the change of a move: next version, id, trigger, renewal. */
SG_MUSTCHECK enum sg_err
decide_change(struct decider *d, struct account *acct,
	const struct change_move *move, struct decide_out *out);

#endif
