/* seat.c - one account's place in one segmentation, and when it may change. */
#include "segmentd/segments.h"

const char *
seat_name(const struct segmentation_def *def, int16_t segment)
{
	if (segment >= 0 && (size_t)segment < def->nsegments)
		return def->segments[segment];
	return def->kind == SEGMENTATION_TAG ? "out" : NULL;
}

static int64_t
add_capped(int64_t at_ms, int64_t span_ms)
{
	int64_t sum;

	return __builtin_add_overflow(at_ms, span_ms, &sum) ? AT_NEVER : sum;
}

/*
 * min_stay holds a seat that was taken. cooldown holds whatever the last move
 * led to: of a tag, being out; of an exclusive one, the segment. A seat that
 * was never taken (since_ms 0, SEAT_NONE) is free.
 */
static bool
is_cooldown(const struct segmentation_def *def, const struct seat *seat)
{
	return seat->segment == SEAT_NONE ||
	       (def->kind == SEGMENTATION_EXCLUSIVE &&
		       def->cooldown_ms > def->min_stay_ms);
}

static int64_t
seat_held_until(const struct segmentation_def *def, const struct seat *seat)
{
	int64_t hold_ms =
		is_cooldown(def, seat) ? def->cooldown_ms : def->min_stay_ms;

	if (seat->segment == SEAT_NONE && seat->since_ms == 0)
		hold_ms = 0;
	return hold_ms == 0 ? INT64_MIN : add_capped(seat->since_ms, hold_ms);
}

/* The seat that the rules gave the account. */
static struct seat
ruled_seat(const struct seat *seat)
{
	if (seat->is_pinned)
		return (struct seat){
			.segment = seat->ruled, .since_ms = seat->ruled_ms};
	return (struct seat){.segment = seat->segment,
		.since_ms =
			seat->ruled_ms != 0 ? seat->ruled_ms : seat->since_ms};
}

int16_t
seat_ruled(const struct seat *seat)
{
	return ruled_seat(seat).segment;
}

struct seat_step
seat_step(const struct segmentation_def *def, const struct seat *seat,
	int16_t target, int64_t now_ms)
{
	struct seat_step step = {.wake_ms = AT_NEVER, .to = seat->segment};
	struct seat ruled = ruled_seat(seat);
	int64_t held_until_ms;

	if (target == TARGET_HOLD)
		return step;
	step.to = target;
	if (target != ruled.segment) {
		held_until_ms = seat_held_until(def, &ruled);
		if (now_ms < held_until_ms) {
			step.is_suppressed = true;
			step.is_cooldown = is_cooldown(def, &ruled);
			step.wake_ms = held_until_ms;
			step.to = ruled.segment;
		}
	}
	step.is_move = step.to != seat->segment;
	return step;
}

void
seat_take(struct seat *seat, int16_t segment, int64_t now_ms)
{
	struct seat ruled = ruled_seat(seat);

	if (!seat->is_pinned && segment == seat->segment)
		return;
	if (segment != seat->segment)
		seat->since_ms = now_ms;
	/* Back where the rules had it: the stay goes on, however old. */
	seat->ruled_ms = 0;
	if (seat->is_pinned)
		seat->ruled_ms = segment != ruled.segment ? now_ms
				 : ruled.since_ms == 0	  ? 1
							  : ruled.since_ms;
	if (seat->ruled_ms == seat->since_ms)
		seat->ruled_ms = 0;
	seat->segment = segment;
	seat->is_pinned = false;
	seat->ruled = 0;
}

void
seat_pin(struct seat *seat, int16_t segment, int64_t now_ms)
{
	struct seat ruled = ruled_seat(seat);

	if (segment == seat->segment)
		return;
	seat->is_pinned = true;
	seat->ruled = ruled.segment;
	seat->ruled_ms = ruled.since_ms;
	seat->segment = segment;
	seat->since_ms = now_ms;
}
