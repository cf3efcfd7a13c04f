/*
 * decide.h - which segments hold now: rules evaluated, moves decided.
 *
 * One struct decider a worker. A decision looks at one account at one instant;
 * it evaluates only segmentations whose inputs changed or whose time has come,
 * moves seats, and appends a change for each move.
 */
#ifndef PIPELINE_DECIDE_H
#define PIPELINE_DECIDE_H

#include "account.h"
#include "program.h"
#include "segmentd/change.h"

struct decider;

SG_MUSTCHECK enum sg_err
decider_create(const struct program *prog, struct decider **ret_decider);
void
decider_destroy(struct decider *decider);

/* Why a decision is taken. */
struct decide_cause {
	enum change_origin origin;
	int64_t event_time_ms;	/* event time, or the instant of the timer */
	const struct event *ev; /* NULL: a timer */
};

/* Changes in the order in which they were decided. */
struct change_list {
	struct change *items;
	size_t n;
	size_t cap;
};

/*
 * Decide about an account at now. Changes are appended to `changes`; what they
 * point at lies in `arena`. The account's until_ms and membership are updated;
 * *ret_due_ms is the next instant at which it may change by itself.
 * `is_forced`: evaluate everything.
 *
 * Errors: SG_NOMEM; the account may be half decided then, and has to be
 * dropped.
 */
SG_MUSTCHECK enum sg_err
decide_account(struct decider *decider, struct account *acct, int64_t now_ms,
	bool is_forced, const struct decide_cause *cause, struct arena *arena,
	struct change_list *changes, int64_t *ret_due_ms);

/*
 * What an expression could read of an account at an instant, for views: begin,
 * then slot by slot (see struct program_slot).
 * Valid until: the next call of another function of the decider.
 */
void
decide_view_begin(
	struct decider *decider, const struct account *acct, int64_t now_ms);
struct value
decide_view(struct decider *decider, uint32_t slot);

/* What keeps an account from where the rules want it. */
#define DECIDE_HOLDS(HOLD)                                                     \
	HOLD(min_stay)                                                         \
	HOLD(cooldown)                                                         \
	HOLD(override)                                                         \
	HOLD(error) /* a rule failed: nobody knows where they want it */

enum decide_hold {
#define HOLD(name) DECIDE_HOLD_##name,
	DECIDE_HOLDS(HOLD)
#undef HOLD
		DECIDE_HOLD_COUNT
};

const char *
decide_hold_name(enum decide_hold hold);

/* What the rules want of one segmentation now, without moving anything: after
 * decide_view_begin(). */
struct decide_outlook {
	enum decide_hold hold; /* DECIDE_HOLD_COUNT: nothing holds it */
	int16_t ruled;	/* as target, where it would be without an override */
	int16_t target; /* a segment, SEAT_NONE or TARGET_HOLD */
	struct seat_step step;
	int64_t until_ms; /* it may differ then */
};
struct decide_outlook
decide_outlook(struct decider *decider, const struct account *acct,
	size_t segmentation);

/* The renewal priority; NaN when there is none. */
double
decide_priority(
	struct decider *decider, const struct account *acct, int64_t now_ms);
/* Days left to the renewal; false when there is no date. */
bool
decide_days_left(struct decider *decider, const struct account *acct,
	int64_t now_ms, int64_t *ret_days);

/* Counters since the last call: expressions evaluated, moves suppressed, and
 * by rule those that failed. */
uint64_t
decider_take_evaluated(struct decider *decider);
uint64_t
decider_take_suppressed(struct decider *decider);
uint64_t *
decider_rule_errors(struct decider *decider);
/* Evaluations of a segmentation's rules that were measured since it was made;
 * the caller may set them to 0. */
struct decide_measure {
	uint64_t n;
	uint64_t ns;
};
struct decide_measure *
decider_measured(struct decider *decider);
/* Decisions that were held back since it was made, by segmentation and enum
 * decide_hold; the caller may set them to 0. */
uint64_t *
decider_holds(struct decider *decider);

#endif
