/*
 * lib_time.c - spans, and taking timestamps and durations apart.
 *
 * A getter of a moving value lowers valid_until to the instant at which the
 * value leaves the period the getter names: the hour, the day, the year. The
 * period is found under the offset that holds now; a change of the zone's
 * offset ends it too, which may be early and is never late.
 */
#include "lib.h"

#define NS_PER_MS ((nanos_t)1000000)
#define NS_PER_S ((nanos_t)1000000000)

enum period {
	PERIOD_MS,
	PERIOD_SECOND,
	PERIOD_MINUTE,
	PERIOD_HOUR,
	PERIOD_DAY,
	PERIOD_MONTH,
	PERIOD_YEAR,
};

/* --- spans -------------------------------------------------------------- */

static struct value
span(struct cel_frame *frame, struct value n, int64_t seconds)
{
	if (n.kind != VALUE_INT)
		return cel_no_overload(n, n);
	return moving_make(
		frame, VALUE_DURATION, (nanos_t)n.as.i * seconds * NS_PER_S, 0);
}

#define SPAN(name, seconds)                                                    \
	CEL_FN(name)                                                           \
	{                                                                      \
		(void)nargs;                                                   \
		return span(frame, args[0], seconds);                          \
	}

SPAN(fn_days, 86400)
SPAN(fn_hours, 3600)
SPAN(fn_minutes, 60)
SPAN(fn_seconds, 1)

/* --- zones -------------------------------------------------------------- */

const struct tz *
cel_zone(struct value name)
{
	char text[8];

	if (name.kind != VALUE_STRING || name.len > 64)
		return NULL;
	/* CEL also takes "02:00" for "+02:00". */
	if (name.len == 5 && name.as.s[0] >= '0' && name.as.s[0] <= '9') {
		text[0] = '+';
		for (uint32_t i = 0; i < 5; i++)
			text[i + 1] = name.as.s[i];
		return tz_open(text, 6);
	}
	return tz_open(name.as.s, name.len);
}

/* --- timestamps --------------------------------------------------------- */

/* The local period around `civil`: its first second and the one after its
 * last, as local seconds. */
static void
local_period(const struct civil *c, enum period period, int64_t *ret_low,
	int64_t *ret_high)
{
	int64_t days = civil_days(c->year, c->month, c->day);
	int64_t second =
		days * 86400 + c->hour * 3600 + c->minute * 60 + c->second;

	switch (period) {
	case PERIOD_YEAR:
		*ret_low = civil_days(c->year, 1, 1) * 86400;
		*ret_high = civil_days(c->year + 1, 1, 1) * 86400;
		return;
	case PERIOD_MONTH:
		*ret_low = civil_days(c->year, c->month, 1) * 86400;
		*ret_high =
			c->month == 12
				? civil_days(c->year + 1, 1, 1) * 86400
				: civil_days(c->year, c->month + 1, 1) * 86400;
		return;
	case PERIOD_DAY:
		*ret_low = days * 86400;
		*ret_high = *ret_low + 86400;
		return;
	case PERIOD_HOUR:
		*ret_low = second - c->minute * 60 - c->second;
		*ret_high = *ret_low + 3600;
		return;
	case PERIOD_MINUTE:
		*ret_low = second - c->second;
		*ret_high = *ret_low + 60;
		return;
	default:
		*ret_low = second;
		*ret_high = second + 1;
	}
}

/* Narrow [low, high) so that the zone's offset is constant in it. */
static void
same_offset(const struct tz *tz, int64_t at, int64_t *low, int64_t *high)
{
	int64_t change = tz_next_change(tz, at);

	if (change < *high)
		*high = change;
	change = *low;
	for (int i = 0; i < 16; i++) {
		change = tz_next_change(tz, change);
		if (change > at)
			return;
		*low = change;
	}
	*low = at;
}

static void
note_period(struct cel_frame *frame, const struct tz *tz, struct value v,
	const struct civil *c, enum period period)
{
	int64_t low, high, offset;
	nanos_t at = value_nanos(v);

	if (v.slope == 0)
		return;
	if (period == PERIOD_MS) {
		nanos_t ms = at - v.nanos % NS_PER_MS;

		moving_leaves(frame, at, v.slope, ms, ms + NS_PER_MS - 1);
		return;
	}
	local_period(c, period, &low, &high);
	offset = tz == NULL ? 0 : tz_offset(tz, v.as.i);
	low -= offset;
	high -= offset;
	if (tz != NULL)
		same_offset(tz, v.as.i, &low, &high);
	moving_leaves(frame, at, v.slope, low * NS_PER_S, high * NS_PER_S - 1);
}

/* The local fields of args[0] in the zone asked for; false: an error. */
static bool
take_apart(struct cel_frame *frame, const struct value *args, uint32_t nargs,
	enum period period, struct civil *ret_civil, struct value *ret_error)
{
	const struct tz *tz = frame->zone;

	if (args[0].kind != VALUE_TIMESTAMP) {
		*ret_error = cel_no_overload(args[0], args[0]);
		return false;
	}
	if (nargs == 2) {
		if (args[1].kind != VALUE_STRING) {
			*ret_error = cel_no_overload(args[1], args[1]);
			return false;
		}
		tz = cel_zone(args[1]);
		if (tz == NULL) {
			*ret_error = value_error(ERR_ZONE);
			return false;
		}
	}
	if (tz == NULL)
		civil_from_seconds(args[0].as.i, ret_civil);
	else
		tz_civil(tz, args[0].as.i, ret_civil);
	note_period(frame, tz, args[0], ret_civil, period);
	return true;
}

#define GETTER(name, period, expr)                                             \
	CEL_FN(name)                                                           \
	{                                                                      \
		struct civil c;                                                \
		struct value error;                                            \
                                                                               \
		if (!take_apart(frame, args, nargs, period, &c, &error))       \
			return error;                                          \
		return value_int(expr);                                        \
	}

GETTER(fn_get_date, PERIOD_DAY, c.day)
GETTER(fn_get_day_of_month, PERIOD_DAY, c.day - 1)
GETTER(fn_get_day_of_week, PERIOD_DAY, c.weekday)
GETTER(fn_get_day_of_year, PERIOD_DAY, c.year_day)
GETTER(fn_get_full_year, PERIOD_YEAR, c.year)
GETTER(fn_get_month, PERIOD_MONTH, c.month - 1)

/* --- durations too ------------------------------------------------------ */

/* Whole units of a duration, towards zero. */
static int64_t
units(struct cel_frame *frame, struct value v, nanos_t unit)
{
	nanos_t at = value_nanos(v);
	nanos_t n = at / unit;

	if (v.slope != 0) {
		nanos_t low = n > 0 ? n * unit : (n - 1) * unit + 1;
		nanos_t high = n < 0 ? n * unit : (n + 1) * unit - 1;

		moving_leaves(frame, at, v.slope, low, high);
	}
	return (int64_t)n;
}

#define GETTER2(name, period, expr, unit, rest)                                \
	CEL_FN(name)                                                           \
	{                                                                      \
		struct civil c;                                                \
		struct value error;                                            \
                                                                               \
		if (args[0].kind == VALUE_DURATION && nargs == 1)              \
			return value_int(units(frame, args[0], unit) rest);    \
		if (!take_apart(frame, args, nargs, period, &c, &error))       \
			return error;                                          \
		return value_int(expr);                                        \
	}

GETTER2(fn_get_hours, PERIOD_HOUR, c.hour, 3600 * NS_PER_S, )
GETTER2(fn_get_minutes, PERIOD_MINUTE, c.minute, 60 * NS_PER_S, )
GETTER2(fn_get_seconds, PERIOD_SECOND, c.second, NS_PER_S, )
GETTER2(fn_get_milliseconds, PERIOD_MS, args[0].nanos / 1000000, NS_PER_MS,
	% 1000)
