/*
 * segments.h - who is where: membership, hysteresis, renewal windows.
 *
 * Membership is a fold of the changes we publish. This module knows nothing of
 * expressions: it is told which segment the rules ask for (the target), and
 * answers whether the account moves now, later, or stays.
 *
 * A seat is an account's place in one segmentation:
 *
 *   exclusive   segment 0..n-1, or SEAT_NONE before the first decision
 *   tag         segment 0 ("in"), or SEAT_NONE ("out")
 *   renewal     segment = window, see renewal_windows()
 *
 * Thread: pure functions; the data belongs to the account's worker.
 */
#ifndef SEGMENTD_SEGMENTS_H
#define SEGMENTD_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/buf.h"
#include "segmentd/change.h"
#include "segmentd/civil.h"
#include "segmentd/err.h"

#define SEGMENTATIONS_MAX 256 /* of a configuration, renewal included */
#define SEGMENTS_MAX 1024     /* of a segmentation */
#define RENEWAL_WINDOWS_MAX 32
#define SEAT_NONE (-1)
#define TARGET_HOLD (-2) /* the rules failed: stay where you are */

enum segmentation_kind { SEGMENTATION_EXCLUSIVE, SEGMENTATION_TAG };

struct segmentation_def {
	const char *name;
	enum segmentation_kind kind;
	const char *const *segments; /* a tag has one: "in" */
	size_t nsegments;
	int64_t min_stay_ms; /* 0: none */
	int64_t cooldown_ms; /* tag: after leaving, 0: none */
};

/*
 * A person may pin an account somewhere. That is no stay: when the pin ends,
 * the rules go on from the seat they had given it.
 */
struct seat {
	int64_t since_ms; /* when it took its present place */
	int16_t segment;  /* or SEAT_NONE */
	bool is_pinned;	  /* a person put it there, and not the rules yet */
	int16_t ruled;	  /* is_pinned: where the rules had put it */
	int64_t ruled_ms; /* and since when; else from when its stay counts,
			     0: since_ms */
};

/* "in", "out", a segment's name, or NULL where an exclusive has none yet. */
const char *
seat_name(const struct segmentation_def *def, int16_t segment);

struct seat_step {
	bool is_move;	    /* take `to` now */
	bool is_suppressed; /* would move, but min_stay or cooldown holds */
	bool is_cooldown;   /* is_suppressed: it is cooldown */
	int16_t to;	    /* where it is from now on */
	int64_t wake_ms;    /* when to ask again; AT_NEVER */
};

/* What becomes of a target (a segment, SEAT_NONE or TARGET_HOLD) at now. */
struct seat_step
seat_step(const struct segmentation_def *def, const struct seat *seat,
	int16_t target, int64_t now_ms);

/* Where the rules have it: its segment, unless a person pinned it. */
int16_t
seat_ruled(const struct seat *seat);

/* Take a seat (or keep it), because the rules say so. */
void
seat_take(struct seat *seat, int16_t segment, int64_t now_ms);
/* Because a person does. */
void
seat_pin(struct seat *seat, int16_t segment, int64_t now_ms);

/* --- renewal windows ---------------------------------------------------- */

struct renewal_def {
	int32_t days[RENEWAL_WINDOWS_MAX]; /* descending: 120, 90, 60, 30 */
	size_t ndays;
};

/*
 * The segmentation "renewal" of a definition: segments "T-120", "T-90", ...,
 * "due", "overdue". SEAT_NONE is "none". Fills *ret_def and the names.
 */
struct renewal_names {
	char text[RENEWAL_WINDOWS_MAX + 2][12];
	const char *list[RENEWAL_WINDOWS_MAX + 2];
};
void
renewal_segmentation(const struct renewal_def *renewal,
	struct renewal_names *names, struct segmentation_def *ret_def);

struct renewal_state {
	int16_t window;		 /* segment of the renewal segmentation */
	int64_t days_left;	 /* calendar days; negative when overdue */
	int64_t window_until_ms; /* when the window changes by itself */
	int64_t days_until_ms;	 /* when days_left changes by itself */
};

/*
 * The window of a renewal date at now. T-N begins at local midnight, N
 * calendar days before the date's local day, and lasts until the next one
 * begins; "due" is the local day of the date itself, "overdue" what follows.
 */
void
renewal_at(const struct renewal_def *renewal, const struct tz *tz,
	int64_t date_ms, int64_t now_ms, struct renewal_state *ret_state);

/*
 * Where a date stands in the queue, the highest number first: by priority, and
 * among equals the sooner day first. Priorities that differ by less than one
 * part in 3e10 are equal, and so are those nearer to 0 than 1e-9. Without one
 * (NaN): after the others, by date alone.
 */
double
renewal_score(double priority, int64_t date_ms);

/* --- membership --------------------------------------------------------- */

/* A seat in a segmentation or segment that the rules have no longer. */
struct former_seat {
	char *segmentation; /* its memory; `segment` lies behind it */
	const char *segment;
	bool is_seated; /* nobody was told yet that it is left */
};

struct membership {
	uint64_t version; /* of the account: +1 per change */
	int64_t updated_ms;
	bool has_renewal;
	int64_t renewal_date_ms;
	struct former_seat *formers;
	size_t nformers;
	struct seat seats[]; /* one a segmentation */
};

SG_MUSTCHECK enum sg_err
membership_create(size_t nsegmentations, struct membership **ret_membership);
void
membership_destroy(struct membership *ms);
size_t
membership_size(size_t nsegmentations);

/* All seats empty, version kept: what a deleted account is left with. */
void
membership_clear(struct membership *ms, size_t nsegmentations);

/*
 * Former seats: found when a membership is read that older rules made. They
 * are not stored: what is stored is written when they have been left.
 *
 *   read          seated: a change has to tell that the account leaves
 *   told          kept, not seated: the members' set has the account yet
 *   written       forgotten
 */
SG_MUSTCHECK enum sg_err
former_add(struct membership *ms, const void *segmentation,
	size_t segmentation_len, const void *segment, size_t segment_len);
/* One that is seated, in that segmentation (NULL: in any); NULL: none. */
struct former_seat *
former_find(const struct membership *ms, const char *segmentation);
void
formers_leave(struct membership *ms);
void
formers_forget(struct membership *ms);

/*
 * The stored form: varints; seats by the numbers of the layout it was stored
 * with. The layout lists segmentations and their segments by name, so that a
 * state of an older configuration can be read: what is still there by name is
 * kept, what is gone is a former seat.
 */
void
membership_encode(const struct membership *ms,
	const struct segmentation_def *defs, size_t ndefs, struct buf *out);
void
membership_layout_write(
	const struct segmentation_def *defs, size_t ndefs, struct buf *out);

struct membership_layout;
SG_MUSTCHECK enum sg_err
membership_layout_read(struct buf_reader *rd,
	const struct segmentation_def *defs, size_t ndefs,
	struct membership_layout **ret_layout);
void
membership_layout_destroy(struct membership_layout *layout);

/* What a layout speaks of, as definitions (names and kinds; no times), in
 * `arena`. Errors: SG_BAD_BLOB, SG_NOMEM. */
struct arena;
SG_MUSTCHECK enum sg_err
membership_layout_defs(struct buf_reader *rd, struct arena *arena,
	struct segmentation_def **ret_defs, size_t *ret_n);

/* `layout` NULL: stored with today's. Errors: SG_BAD_BLOB, SG_NOMEM. */
SG_MUSTCHECK enum sg_err
membership_decode(struct buf_reader *rd, const struct membership_layout *layout,
	const struct segmentation_def *defs, size_t ndefs,
	struct membership *ms);

/*
 * To and from what segmentd.current holds. membership_image() writes at most
 * ndefs entries to `entries`; seats that are SEAT_NONE but were left at some
 * time go into `state`, since cooldown depends on them.
 */
void
membership_image(const struct membership *ms,
	const struct segmentation_def *defs, size_t ndefs,
	struct membership_entry *entries, struct buf *state,
	struct membership_image *ret_image);
/* Former seats that the image does not have were left. Errors: SG_NOMEM. */
SG_MUSTCHECK enum sg_err
membership_adopt(struct membership *ms, const struct segmentation_def *defs,
	size_t ndefs, const struct membership_image *image);

#endif
