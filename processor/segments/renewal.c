/*
 * renewal.c - which renewal window a date is in, and until when.
 *
 * Windows are counted in calendar days of the account's zone, not in multiples
 * of 24 hours: T-90 begins at the midnight that starts the day 90 days before
 * the renewal day, whatever daylight-saving changes lie between.
 *
 *     none | T-120     | T-90      | T-60 ... | due  | overdue
 *          ^ D-120     ^ D-90      ^ D-60     ^ D    ^ D+1      midnights
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "segmentd/segments.h"

/* Far outside any calendar: such a date is treated as never coming. */
#define DATE_MS_MAX INT64_C(253402300800000) /* 10000-01-01 */

void
renewal_segmentation(const struct renewal_def *renewal,
	struct renewal_names *names, struct segmentation_def *ret_def)
{
	size_t n = renewal->ndays;

	for (size_t i = 0; i < n; i++)
		(void)snprintf(names->text[i], sizeof(names->text[i]), "T-%d",
			(int)renewal->days[i]);
	(void)snprintf(names->text[n], sizeof(names->text[n]), "due");
	(void)snprintf(names->text[n + 1], sizeof(names->text[n]), "overdue");
	for (size_t i = 0; i < n + 2; i++)
		names->list[i] = names->text[i];
	*ret_def = (struct segmentation_def){
		.name = "renewal",
		.kind = SEGMENTATION_EXCLUSIVE,
		.segments = names->list,
		.nsegments = n + 2,
	};
}

static int64_t
local_day(const struct tz *tz, int64_t ms)
{
	struct civil civil;
	int64_t seconds = ms / 1000 - (ms % 1000 < 0);

	tz_civil(tz, seconds, &civil);
	return civil_days(civil.year, civil.month, civil.day);
}

static int64_t
midnight_ms(const struct tz *tz, int64_t day)
{
	return tz_midnight(tz, day) * 1000;
}

/*
 * The day that has begun last. Clocks that are put back from just after
 * midnight (at 00:01, in Newfoundland until 2011) bring the day before back for
 * an hour; windows that have begun do not end for that.
 */
static int64_t
day_of_now(const struct tz *tz, int64_t now_ms)
{
	int64_t day = local_day(tz, now_ms);

	while (midnight_ms(tz, day + 1) <= now_ms)
		day++;
	return day;
}

void
renewal_at(const struct renewal_def *renewal, const struct tz *tz,
	int64_t date_ms, int64_t now_ms, struct renewal_state *ret_state)
{
	size_t n = renewal->ndays;
	size_t i = 0;
	int64_t day, today, left;

	if (date_ms > DATE_MS_MAX)
		date_ms = DATE_MS_MAX;
	if (date_ms < -DATE_MS_MAX)
		date_ms = -DATE_MS_MAX;
	day = local_day(tz, date_ms);
	today = day_of_now(tz, now_ms);
	left = day - today;
	ret_state->days_left = left;
	ret_state->days_until_ms = midnight_ms(tz, today + 1);
	if (left < 0) {
		ret_state->window = (int16_t)(n + 1);
		ret_state->window_until_ms = AT_NEVER;
		return;
	}
	if (left == 0) {
		ret_state->window = (int16_t)n;
		ret_state->window_until_ms = midnight_ms(tz, day + 1);
		return;
	}
	while (i < n && left <= renewal->days[i])
		i++;
	/* i windows have begun; the next one is i, or the day itself. */
	ret_state->window = (int16_t)(i == 0 ? SEAT_NONE : (int)i - 1);
	ret_state->window_until_ms =
		midnight_ms(tz, i < n ? day - renewal->days[i] : day);
}

/*
 * A double has 52 bits of fraction; the last 17 become the day, from 1970 to
 * 2328. The number stays what a person takes for the priority, and orders as
 * the pair does: a negative one is the lower the greater its bits are.
 */
#define DAY_BITS ((UINT64_C(1) << 17) - 1)
#define PRIORITY_MIN 1e-9

double
renewal_score(double priority, int64_t date_ms)
{
	int64_t day = date_ms / CIVIL_DAY_MS - (date_ms % CIVIL_DAY_MS < 0);
	uint64_t bits, soon;

	if (isnan(priority))
		return -(double)date_ms;
	if (isinf(priority))
		priority = copysign(DBL_MAX, priority);
	if (day < 0)
		day = 0;
	if (day > (int64_t)DAY_BITS)
		day = (int64_t)DAY_BITS;
	soon = DAY_BITS - (uint64_t)day;
	if (fabs(priority) < PRIORITY_MIN)
		return (double)soon * 0x1p-80;
	memcpy(&bits, &priority, sizeof(bits));
	bits = (bits & ~DAY_BITS) | (priority > 0 ? soon : (uint64_t)day);
	memcpy(&priority, &bits, sizeof(priority));
	return priority;
}
