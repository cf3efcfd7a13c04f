/*
 * days.c - the calendar days on which an account had an event, as bits.
 *
 * Bit i is the day head + DAYS_AHEAD - i: a day's bit rises as the head moves
 * on, and falls out at FEATURE_STREAK_MAX days behind it. The days above the
 * head are for events of the future.
 */
#include "days.h"

#include <string.h>

#define BITS_USED (DAYS_AHEAD + FEATURE_STREAK_MAX + 1)

_Static_assert(BITS_USED <= DAYS_WORDS * 64, "all days have a bit");

int64_t
days_local(const struct tz *tz, int64_t ms)
{
	int64_t seconds = ms / 1000 - (ms % 1000 < 0);

	if (tz != NULL)
		seconds += tz_offset(tz, seconds);
	return seconds / 86400 - (seconds % 86400 < 0);
}

int64_t
days_begin_ms(const struct tz *tz, int64_t day)
{
	return tz == NULL ? day * CIVIL_DAY_MS : tz_midnight(tz, day) * 1000;
}

/* All days `by` bits further from the head. */
static void
days_age(struct days *days, int64_t by)
{
	uint64_t old[DAYS_WORDS];
	size_t words = (size_t)(by / 64);
	unsigned bits = (unsigned)(by % 64);

	memcpy(old, days->bits, sizeof(old));
	memset(days->bits, 0, sizeof(days->bits));
	if (by >= BITS_USED)
		return;
	for (size_t i = words; i < DAYS_WORDS; i++) {
		days->bits[i] = old[i - words] << bits;
		if (bits > 0 && i > words)
			days->bits[i] |= old[i - words - 1] >> (64 - bits);
	}
	days->bits[DAYS_WORDS - 1] &=
		(UINT64_C(1) << (BITS_USED - (DAYS_WORDS - 1) * 64)) - 1;
}

bool
days_add(struct days *days, int32_t day, int32_t head, bool *ret_is_changed)
{
	uint64_t mask;
	int64_t at;

	*ret_is_changed = false;
	if (!days->is_set) {
		*days = (struct days){.head = head, .is_set = true};
	} else if (head > days->head) {
		days_age(days, (int64_t)head - days->head);
		days->head = head;
	}
	at = (int64_t)days->head + DAYS_AHEAD - day;
	if (at < 0 || at >= BITS_USED)
		return false;
	mask = UINT64_C(1) << (at % 64);
	*ret_is_changed = (days->bits[at / 64] & mask) == 0;
	days->bits[at / 64] |= mask;
	return true;
}

/* The first bit from `at` on that is set or clear; BITS_USED if none. */
static int64_t
next_bit(const struct days *days, int64_t at, bool is_set)
{
	while (at < BITS_USED) {
		uint64_t word = days->bits[at / 64];

		word = (is_set ? word : ~word) >> (at % 64);
		if (word != 0) {
			at += __builtin_ctzll(word);
			break;
		}
		at += 64 - at % 64;
	}
	return at < BITS_USED ? at : BITS_USED;
}

bool
days_run(const struct days *days, int64_t day, int64_t *ret_newest,
	int64_t *ret_oldest)
{
	int64_t top = (int64_t)days->head + DAYS_AHEAD;
	int64_t at = day > top ? 0 : top - day;

	if (!days->is_set || at >= BITS_USED)
		return false;
	at = next_bit(days, at, true);
	if (at == BITS_USED)
		return false;
	*ret_newest = top - at;
	*ret_oldest = top - next_bit(days, at, false) + 1;
	return true;
}

int64_t
days_streak(const struct days *days, int64_t today)
{
	int64_t newest;
	int64_t oldest;
	int64_t n;

	if (!days_run(days, today, &newest, &oldest) || newest < today - 1)
		return 0;
	n = newest - oldest + 1;
	return n < FEATURE_STREAK_MAX ? n : FEATURE_STREAK_MAX;
}

int64_t
days_newest(const struct days *days, int64_t today)
{
	int64_t newest;
	int64_t oldest;

	return days_run(days, today, &newest, &oldest) ? newest : INT64_MIN;
}
