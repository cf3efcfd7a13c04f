/*
 * change.h - what is decided and published: plain data.
 *
 * Valid until: the batch ends (everything points into its arena).
 */
#ifndef SEGMENTD_CHANGE_H
#define SEGMENTD_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/value.h"

#define AT_NEVER INT64_MAX /* a valid_until that never comes */

/* ORIGIN(name): what made the change happen. Order is that of the schema. */
#define CHANGE_ORIGINS(ORIGIN)                                                 \
	ORIGIN(live)	    /* an event */                                     \
	ORIGIN(timer)	    /* nothing but time */                             \
	ORIGIN(backfill)    /* the past was read in */                         \
	ORIGIN(rule_change) /* new rules */                                    \
	ORIGIN(override)    /* a person pinned it */                           \
	ORIGIN(merge)	    /* two accounts became one */                      \
	ORIGIN(correction)  /* a repair */

enum change_origin {
#define ORIGIN(name) ORIGIN_##name,
	CHANGE_ORIGINS(ORIGIN)
#undef ORIGIN
		ORIGIN_COUNT
};

/* ACTION(name): what happened to the membership. */
#define CHANGE_ACTIONS(ACTION)                                                 \
	ACTION(enter)  /* a tag or renewal window was entered */               \
	ACTION(exit)   /* a tag or renewal window was left */                  \
	ACTION(move)   /* an exclusive segmentation's segment changed */       \
	ACTION(delete) /* the account is gone */

enum change_action {
#define ACTION(name) ACTION_##name,
	CHANGE_ACTIONS(ACTION)
#undef ACTION
		ACTION_COUNT
};

const char *
change_origin_name(enum change_origin origin);
const char *
change_action_name(enum change_action action);

/* One value a deciding clause read: `name` = `value`. */
struct change_value {
	const char *name;  /* "usage.logins_14d" */
	const char *value; /* as text */
};

/* One deciding clause. */
struct change_reason {
	const char *rule;   /* "touch.high" */
	const char *clause; /* source text of the deciding part */
	bool result;	    /* what the clause came to */
	const struct change_value *values;
	size_t nvalues;
};

struct change {
	char change_id[33]; /* 32 hex digits; same account + version: same id */
	const char *account;
	uint64_t account_version; /* 1, 2, 3, ... per account */
	const char *segmentation; /* "renewal" for the renewal window */
	const char *from;	  /* NULL: none (first assignment) */
	const char *to;		  /* NULL: none (deleted) */
	enum change_action action;
	enum change_origin origin;
	int64_t event_time_ms;	 /* of the trigger; for a timer its instant */
	int64_t evaluated_at_ms; /* when it was decided */
	int64_t kafka_ms;	/* timestamp of the trigger's record; 0: none */
	int64_t valid_until_ms; /* AT_NEVER: only an event can change it */
	uint64_t rules_version;
	struct {
		const char *topic; /* NULL: no event, a timer */
		int32_t partition;
		int64_t offset;
		const char *event_id; /* NULL: none */
	} trigger;
	const struct change_reason *reasons;
	size_t nreasons;
	struct {
		bool is_set;
		int64_t date_ms;
		int64_t days_left;
		const char *window;
	} renewal;
	double priority; /* of the renewal queue; NaN when not configured */
};

/* One entry of an account's membership as it is published in full. */
struct membership_entry {
	const char *segmentation;
	const char *segment;
	int64_t since_ms;
};

/* The whole membership of an account after a decision: what
 * segmentd.current holds. */
struct membership_image {
	const char *account;
	uint64_t account_version;
	bool is_deleted;
	int64_t updated_at_ms;
	uint64_t rules_version;
	const struct membership_entry *entries;
	size_t nentries;
	bool has_renewal;
	int64_t renewal_date_ms;
	const char *renewal_window;
	/* What else a decision leaves behind, private to segments/ (so that
	 * adopting the image is adopting everything). */
	const void *state;
	size_t state_len;
};

#endif
