/*
 * civil.c - dates of the proleptic Gregorian calendar, RFC 3339, and spans.
 *
 * Days are counted with H. Hinnant's algorithms: years begin in March, so the
 * leap day is the last day of a year, and 400 years are one era of a fixed
 * length. No loops, no tables, right for negative years.
 *
 * Parsing is by hand: strptime() depends on the locale and knows neither
 * fractions nor offsets, and accepts what RFC 3339 does not.
 */
#include "segmentd/civil.h"

#include <string.h>

#define DAY_SECONDS INT64_C(86400)
#define ERA_DAYS INT64_C(146097)   /* 400 years */
#define EPOCH_DAYS INT64_C(719468) /* from 0000-03-01 to 1970-01-01 */

/* Far beyond what an int64 of seconds can name, far from overflow. */
#define YEAR_LIMIT INT64_C(1000000000000)
#define DAYS_LIMIT (YEAR_LIMIT * 366)

static int64_t
clamp(int64_t n, int64_t limit)
{
	return n > limit ? limit : n < -limit ? -limit : n;
}

static int64_t
div_floor(int64_t n, int64_t by)
{
	return n / by - (n % by < 0);
}

/* What div_floor() leaves, 0 .. by - 1. (n - quotient * by would overflow
 * near INT64_MIN.) */
static int64_t
mod_floor(int64_t n, int64_t by)
{
	return n % by + (n % by < 0 ? by : 0);
}

static bool
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int32_t
month_days(int64_t year, int32_t month)
{
	static const int8_t days[12] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

int64_t
civil_days(int64_t year, int32_t month, int32_t day)
{
	year = clamp(year, YEAR_LIMIT) - (month <= 2);

	int64_t era = div_floor(year, 400);
	int64_t year_of_era = year - era * 400;
	int64_t march_month = month > 2 ? month - 3 : month + 9;
	int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 -
			     year_of_era / 100 + day_of_year;

	return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

void
civil_from_days(int64_t days, struct civil *ret_civil)
{
	days = clamp(days, DAYS_LIMIT);

	int64_t z = days + EPOCH_DAYS;
	int64_t era = div_floor(z, ERA_DAYS);
	int64_t day_of_era = z - era * ERA_DAYS;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 -
			day_of_era / 146096) /
		365;
	int64_t day_of_year =
		day_of_era -
		(365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;
	struct civil civil = {0};

	civil.day = (int32_t)(day_of_year - (153 * march_month + 2) / 5 + 1);
	civil.month =
		(int32_t)(march_month < 10 ? march_month + 3 : march_month - 9);
	civil.year = year_of_era + era * 400 + (civil.month <= 2);
	/* 1970-01-01 was a Thursday. */
	civil.weekday = (int32_t)mod_floor(days + 4, 7);
	civil.year_day = (int32_t)(days - civil_days(civil.year, 1, 1));
	*ret_civil = civil;
}

void
civil_from_seconds(int64_t seconds, struct civil *ret_civil)
{
	int64_t days = div_floor(seconds, DAY_SECONDS);
	int32_t of_day = (int32_t)mod_floor(seconds, DAY_SECONDS);

	civil_from_days(days, ret_civil);
	ret_civil->hour = of_day / 3600;
	ret_civil->minute = of_day / 60 % 60;
	ret_civil->second = of_day % 60;
}

/* What is left of a text being parsed. */
struct scan {
	const char *at;
	const char *end;
};

/* Exactly `n` digits with a value of lo..hi. */
static bool
scan_number(struct scan *scan, int n, int32_t lo, int32_t hi, int32_t *ret)
{
	int32_t number = 0;

	if (scan->end - scan->at < n)
		return false;
	for (int i = 0; i < n; i++) {
		char c = scan->at[i];

		if (c < '0' || c > '9')
			return false;
		number = number * 10 + (c - '0');
	}
	if (number < lo || number > hi)
		return false;
	scan->at += n;
	*ret = number;
	return true;
}

static bool
scan_char(struct scan *scan, char c)
{
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

static bool
scan_date(struct scan *scan, struct civil *civil)
{
	int32_t year;

	if (!scan_number(scan, 4, 0, 9999, &year) || !scan_char(scan, '-') ||
		!scan_number(scan, 2, 1, 12, &civil->month) ||
		!scan_char(scan, '-') ||
		!scan_number(scan, 2, 1, 31, &civil->day))
		return false;
	civil->year = year;
	return civil->day <= month_days(civil->year, civil->month);
}

/* The decimals after the point; those beyond nanoseconds are cut off. */
static bool
scan_nanos(struct scan *scan, int32_t *ret_nanos)
{
	int32_t unit = 100000000;
	int32_t nanos = 0;
	const char *start = scan->at;

	for (; scan->at != scan->end; scan->at++) {
		if (*scan->at < '0' || *scan->at > '9')
			break;
		nanos += unit * (*scan->at - '0');
		unit /= 10;
	}
	*ret_nanos = nanos;
	return scan->at != start;
}

static bool
scan_time(struct scan *scan, struct civil *civil)
{
	if (!scan_number(scan, 2, 0, 23, &civil->hour) ||
		!scan_char(scan, ':') ||
		!scan_number(scan, 2, 0, 59, &civil->minute) ||
		!scan_char(scan, ':') ||
		!scan_number(scan, 2, 0, 60, &civil->second))
		return false;
	return !scan_char(scan, '.') || scan_nanos(scan, &civil->nanos);
}

/* "Z" or "+01:00", in seconds east of UTC. */
static bool
scan_zone(struct scan *scan, int32_t *ret_offset)
{
	int32_t hours, minutes, sign = 1;

	*ret_offset = 0;
	if (scan_char(scan, 'Z') || scan_char(scan, 'z'))
		return true;
	if (scan_char(scan, '-'))
		sign = -1;
	else if (!scan_char(scan, '+'))
		return false;
	if (!scan_number(scan, 2, 0, 23, &hours) || !scan_char(scan, ':') ||
		!scan_number(scan, 2, 0, 59, &minutes))
		return false;
	*ret_offset = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool
civil_parse(const char *text, size_t len, bool is_strict, int64_t *ret_seconds,
	int32_t *ret_nanos)
{
	struct scan scan = {text, len == 0 ? text : text + len};
	struct civil civil = {0};
	int32_t offset = 0;
	int64_t seconds;

	if (!scan_date(&scan, &civil))
		return false;
	if (is_strict || scan.at != scan.end) {
		if (!scan_char(&scan, 'T') && !scan_char(&scan, 't') &&
			(is_strict || !scan_char(&scan, ' ')))
			return false;
		if (!scan_time(&scan, &civil))
			return false;
		if ((is_strict || scan.at != scan.end) &&
			!scan_zone(&scan, &offset))
			return false;
	}
	if (scan.at != scan.end)
		return false;

	seconds = civil_days(civil.year, civil.month, civil.day) * DAY_SECONDS +
		  civil.hour * 3600 + civil.minute * 60 + civil.second - offset;
	/* A leap second is the last of a UTC day; it is read as the second
	 * after it, as POSIX time has no number of its own for it. */
	if (civil.second == 60 && seconds % DAY_SECONDS != 0)
		return false;
	*ret_seconds = seconds;
	*ret_nanos = civil.nanos;
	return true;
}

/* `n` in at least `width` digits, at text[len]. Returns the new length. */
static size_t
put_number(char *text, size_t len, uint64_t n, size_t width)
{
	char digits[20];
	size_t ndigits = 0;

	while (n > 0 || ndigits < width) {
		digits[ndigits++] = (char)('0' + n % 10);
		n /= 10;
	}
	while (ndigits > 0)
		text[len++] = digits[--ndigits];
	return len;
}

static size_t
put_field(char *text, size_t len, char before, int32_t n)
{
	text[len++] = before;
	return put_number(text, len, (uint64_t)n, 2);
}

size_t
civil_format(int64_t seconds, int32_t nanos, char *text, size_t cap)
{
	char line[CIVIL_RFC3339_MAX];
	size_t len = 0;
	struct civil civil;

	civil_from_seconds(seconds, &civil);
	/* Years RFC 3339 cannot write take the sign ISO 8601 asks for. */
	if (civil.year < 0 || civil.year > 9999)
		line[len++] = civil.year < 0 ? '-' : '+';
	len = put_number(line, len,
		(uint64_t)(civil.year < 0 ? -civil.year : civil.year), 4);
	len = put_field(line, len, '-', civil.month);
	len = put_field(line, len, '-', civil.day);
	len = put_field(line, len, 'T', civil.hour);
	len = put_field(line, len, ':', civil.minute);
	len = put_field(line, len, ':', civil.second);
	if (nanos > 0 && nanos < 1000000000) {
		size_t width = 9;

		while (nanos % 1000 == 0) {
			nanos /= 1000;
			width -= 3;
		}
		line[len++] = '.';
		len = put_number(line, len, (uint64_t)nanos, width);
	}
	line[len++] = 'Z';
	if (cap <= len) {
		if (cap > 0)
			text[0] = '\0';
		return 0;
	}
	memcpy(text, line, len);
	text[len] = '\0';
	return len;
}

size_t
civil_format_ms(int64_t ms, char *text, size_t cap)
{
	return civil_format(div_floor(ms, 1000),
		(int32_t)mod_floor(ms, 1000) * 1000000, text, cap);
}

static const struct span_unit {
	const char *name;
	int64_t ms;
} span_units[] = {
	{"w", 7 * CIVIL_DAY_MS},
	{"d", CIVIL_DAY_MS},
	{"h", 3600000},
	{"m", 60000},
	{"s", 1000},
	{"ms", 1},
};

/* The unit at the scan, which must come after `*unit` in the table. */
static bool
scan_unit(struct scan *scan, size_t *unit)
{
	size_t len = 0;

	while (scan->at + len != scan->end && scan->at[len] >= 'a' &&
		scan->at[len] <= 'z')
		len++;
	for (size_t i = *unit; i < SG_COUNTOF(span_units); i++) {
		const char *name = span_units[i].name;

		if (strlen(name) == len && memcmp(name, scan->at, len) == 0) {
			scan->at += len;
			*unit = i;
			return true;
		}
	}
	return false;
}

bool
civil_parse_span(const char *text, size_t len, int64_t *ret_ms)
{
	struct scan scan = {text, len == 0 ? text : text + len};
	int64_t total = 0;
	size_t unit = 0;

	if (len == 0)
		return false;
	for (; scan.at != scan.end; unit++) {
		const char *start = scan.at;
		int64_t n = 0;

		for (; scan.at != scan.end && *scan.at >= '0' &&
			*scan.at <= '9';
			scan.at++) {
			if (__builtin_mul_overflow(n, 10, &n) ||
				__builtin_add_overflow(n, *scan.at - '0', &n))
				return false;
		}
		if (scan.at == start || !scan_unit(&scan, &unit) ||
			__builtin_mul_overflow(n, span_units[unit].ms, &n) ||
			__builtin_add_overflow(total, n, &total))
			return false;
	}
	*ret_ms = total;
	return true;
}
