/*
 * moving.c - timestamps and durations that move with the clock.
 *
 * A value has a slope: it changes by `slope` nanoseconds a nanosecond. `now`
 * has slope 1, a date has 0, `date - now` has -1. Nothing but comparing,
 * taking apart and printing can turn a moving value into one that stands
 * still, and each of these knows the exact millisecond at which its outcome
 * changes:
 *
 *      D = a - b, in ns             D(t) = D + (slope a - slope b) * t
 *
 *          a < b                                  a >= b
 *      ----------------------------+--------------------------->  t, in ms
 *      now                         first ms with D >= 0
 *
 * All in 128-bit integers: no rounding but the one up to a whole millisecond.
 */
#include "frame.h"

#define NS_PER_MS ((nanos_t)1000000)
#define NS_PER_S ((nanos_t)1000000000)
#define TIMESTAMP_MIN ((nanos_t)-62135596800 * NS_PER_S)
#define TIMESTAMP_MAX ((nanos_t)253402300800 * NS_PER_S - 1)
#define DURATION_MIN ((nanos_t)INT64_MIN)
#define DURATION_MAX ((nanos_t)INT64_MAX)
#define HORIZON ((nanos_t)100 * 366 * 86400 * NS_PER_S)

/* The outcome changes `ms` from now. */
static void
changes_in(struct cel_frame *frame, nanos_t ms)
{
	nanos_t at = (nanos_t)frame->now_ms + ms;

	if (at < (nanos_t)AT_NEVER)
		frame_until(frame, (int64_t)at);
}

static nanos_t
ceil_div(nanos_t n, nanos_t by)
{
	return (n + by - 1) / by;
}

/* The sign of `distance`, which grows by `step` a millisecond, is asked about
 * with `op`: when does the answer change? */
static void
note_flip(struct cel_frame *frame, nanos_t distance, nanos_t step,
	enum node_op op)
{
	switch (op) {
	case NODE_OP_LT:
	case NODE_OP_GE:
		if (distance < 0)
			changes_in(frame, ceil_div(-distance, step));
		break;
	case NODE_OP_LE:
	case NODE_OP_GT:
		if (distance <= 0)
			changes_in(frame, -distance / step + 1);
		break;
	default: /* == and != */
		if (distance == 0)
			changes_in(frame, 1);
		else if (distance < 0 && -distance % step == 0)
			changes_in(frame, -distance / step);
	}
}

int
moving_compare(struct cel_frame *frame, struct value a, struct value b,
	enum node_op op)
{
	nanos_t distance = value_nanos(a) - value_nanos(b);
	int slope = a.slope - b.slope;

	if (slope > 0)
		note_flip(frame, distance, slope * NS_PER_MS, op);
	else if (slope < 0)
		note_flip(frame, -distance, -slope * NS_PER_MS,
			node_op_mirrored(op));
	return distance < 0 ? -1 : distance > 0;
}

void
moving_leaves(struct cel_frame *frame, nanos_t at, int slope, nanos_t low,
	nanos_t high)
{
	if (slope > 0)
		changes_in(frame, (high - at) / (slope * NS_PER_MS) + 1);
	else if (slope < 0)
		changes_in(frame, (at - low) / (-slope * NS_PER_MS) + 1);
}

/* Out of [low, high] now: when does it come in? */
static void
note_entry(struct cel_frame *frame, nanos_t at, int slope, nanos_t low,
	nanos_t high)
{
	if (at < low && slope > 0)
		changes_in(frame, ceil_div(low - at, slope * NS_PER_MS));
	else if (at > high && slope < 0)
		changes_in(frame, ceil_div(at - high, -slope * NS_PER_MS));
}

/* In range now; it will leave it. Centuries from now (the year 9999, or when
 * a duration no longer fits) that is not worth a timer for every account. */
static void
note_end(struct cel_frame *frame, nanos_t at, int slope, nanos_t low,
	nanos_t high)
{
	nanos_t room = slope > 0 ? high - at : at - low;

	if (room < HORIZON * (slope > 0 ? slope : -slope))
		moving_leaves(frame, at, slope, low, high);
}

struct value
moving_make(
	struct cel_frame *frame, enum value_kind kind, nanos_t nanos, int slope)
{
	bool is_time = kind == VALUE_TIMESTAMP;
	nanos_t low = is_time ? TIMESTAMP_MIN : DURATION_MIN;
	nanos_t high = is_time ? TIMESTAMP_MAX : DURATION_MAX;
	nanos_t seconds = nanos / NS_PER_S;
	nanos_t rest = nanos % NS_PER_S;

	if (nanos < low || nanos > high) {
		if (slope != 0)
			note_entry(frame, nanos, slope, low, high);
		return value_error(is_time ? "timestamp out of range"
					   : "duration out of range");
	}
	if (slope != 0)
		note_end(frame, nanos, slope, low, high);
	if (slope < INT8_MIN || slope > INT8_MAX) {
		/* Nobody can follow it from here on. */
		changes_in(frame, 1);
		slope = 0;
	}
	if (rest < 0) {
		rest += NS_PER_S;
		seconds--;
	}
	return (struct value){.kind = (uint8_t)kind,
		.slope = (int8_t)slope,
		.nanos = (uint32_t)rest,
		.as = {.i = (int64_t)seconds}};
}
