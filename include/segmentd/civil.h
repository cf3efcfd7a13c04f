/*
 * civil.h - calendar dates, RFC 3339 texts, durations and time zones.
 *
 * Dates are of the proleptic Gregorian calendar. Zones are the system's
 * tzdata, by IANA name, or a fixed offset ("+02:00").
 */
#ifndef SEGMENTD_CIVIL_H
#define SEGMENTD_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/err.h"

#define CIVIL_DAY_MS INT64_C(86400000)
#define CIVIL_RFC3339_MAX 40 /* bytes for civil_format(), NUL included */

struct civil {
	int64_t year;
	int32_t month; /* 1..12 */
	int32_t day;   /* 1..31 */
	int32_t hour;  /* 0..23 */
	int32_t minute;
	int32_t second;
	int32_t nanos;
	int32_t weekday;  /* 0 = Sunday */
	int32_t year_day; /* 0 = 1 January */
};

/* Days since 1970-01-01 of a date, and back. Source: H. Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms". */
int64_t
civil_days(int64_t year, int32_t month, int32_t day);
void
civil_from_days(int64_t days, struct civil *ret_civil);

/* The UTC fields of an instant. */
void
civil_from_seconds(int64_t seconds, struct civil *ret_civil);

/*
 * Parse RFC 3339 ("2024-02-29T12:00:00.5+01:00"). Also accepted, as UTC: a
 * date alone, a space for the T, no zone. Returns false when it is none of
 * these. `is_strict` accepts RFC 3339 only.
 */
bool
civil_parse(const char *text, size_t len, bool is_strict, int64_t *ret_seconds,
	int32_t *ret_nanos);

/* "2024-02-29T12:00:00Z", with as many of 3, 6 or 9 decimals as needed. */
size_t
civil_format(int64_t seconds, int32_t nanos, char *text, size_t cap);
size_t
civil_format_ms(int64_t ms, char *text, size_t cap);

/* "14d", "90m", "1h30m", "2w", "500ms": d is 24 h, w is 7 d. False when it is
 * none, is negative, or does not fit. */
bool
civil_parse_span(const char *text, size_t len, int64_t *ret_ms);

/*
 * A time zone. Opened zones are kept for the life of the process and shared.
 * Thread: any; tz_open() takes a lock, the others take none.
 */
struct tz;

/* NULL when the name is not known to the system. "" and "UTC" are UTC. */
const struct tz *
tz_open(const char *name, size_t len);
const char *
tz_name(const struct tz *tz);

/* Seconds east of UTC at an instant. */
int32_t
tz_offset(const struct tz *tz, int64_t seconds);

/* Local fields of an instant. */
void
tz_civil(const struct tz *tz, int64_t seconds, struct civil *ret_civil);

/* The instant of a local midnight of a day (days since 1970-01-01). Where
 * that midnight does not exist, the first instant of that day; where it
 * happens twice, the first. */
int64_t
tz_midnight(const struct tz *tz, int64_t days);

/* The first instant after `seconds` at which the offset changes; INT64_MAX
 * when there is none in the next 400 days. */
int64_t
tz_next_change(const struct tz *tz, int64_t seconds);

#endif
