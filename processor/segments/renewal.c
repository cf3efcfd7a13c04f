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
#include <stdio.h>

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
