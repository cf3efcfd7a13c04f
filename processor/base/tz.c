/*
 * tz.c - time zones: the offset at an instant, and when it changes.
 *
 * GLib reads tzdata. Its zone is asked once, when a zone is opened, for every
 * change of the offset from 1900 to 2100; what remains is a sorted array that
 * never changes, so a lookup is a binary search without a lock or a library.
 *
 *      offset[0] | at[0] offset[1] | at[1] offset[2] | ...
 *
 * A zone is opened once and kept for the life of the process: programs hold
 * pointers to it, and there are only as many as the system has names (and
 * minutes of a fixed offset). The list of them stands under a lock; it is the
 * one exception to "no mutable globals" beside the stop flag and the log.
 *
 * The data of Debian ends in 2037; later changes follow the zone's rule. GLib
 * 2.74 gets that right but for Europe/Dublin, whose standard time is the
 * summer's: its offset after 2037 is wrong in winter or summer.
 *
 * GLib also takes POSIX rules ("FOO5BAR") and the zones of leap-second clocks
 * ("right/..."), which are not IANA names: only the name of a file in the
 * system's zone folder is handed to it.
 */
#include "segmentd/civil.h"

#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_BYTES 64
#define FROM_SECONDS INT64_C(-2208988800) /* 1900-01-01 */
#define TO_SECONDS INT64_C(4102444800)	  /* 2100-01-01 */
#define CHANGES_MAX 2048
#define HORIZON_SECONDS (INT64_C(400) * 86400)
#define OFFSET_MAX (26 * 3600) /* more than any offset, either way */

struct tz_change {
	int64_t at; /* the first second of ... */
	int32_t offset;
};

struct tz {
	struct tz *next;
	char name[NAME_BYTES];
	int32_t first_offset;
	size_t nchanges;
	struct tz_change changes[];
};

/* shared, under mtx; what the list holds is never changed or freed */
static pthread_mutex_t tz_mtx = PTHREAD_MUTEX_INITIALIZER;
static struct tz *tz_list;

/* A zone with room for its changes, which the caller fills in. */
static struct tz *
tz_create(const char *name, int32_t first_offset, size_t nchanges)
{
	struct tz *tz;

	tz = calloc(1, sizeof(*tz) + nchanges * sizeof(tz->changes[0]));
	if (tz == NULL)
		return NULL;
	(void)snprintf(tz->name, sizeof(tz->name), "%s", name);
	tz->first_offset = first_offset;
	tz->nchanges = nchanges;
	return tz;
}

/* "+02:00", "-05:30", and "02:00" as CEL also writes it. */
static bool
parse_fixed(const char *name, int32_t *ret_offset)
{
	const char *at = name;
	int sign = *at == '-' ? -1 : 1;

	if (*at == '+' || *at == '-')
		at++;
	if (strlen(at) != 5 || at[2] != ':')
		return false;
	for (int i = 0; i < 5; i++) {
		if (i != 2 && (at[i] < '0' || at[i] > '9'))
			return false;
	}

	int hours = (at[0] - '0') * 10 + (at[1] - '0');
	int minutes = (at[3] - '0') * 10 + (at[4] - '0');

	if (hours > 23 || minutes > 59)
		return false;
	*ret_offset = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* May it be the name of a zone? This keeps paths, rules and tables out. */
static bool
name_is_plain(const char *name)
{
	if (*name == '/' || *name == '-' || *name == '+')
		return false;
	if (strncmp(name, "right/", 6) == 0)
		return false;
	for (const char *at = name; *at != '\0'; at++) {
		bool is_letter = (*at >= 'a' && *at <= 'z') ||
				 (*at >= 'A' && *at <= 'Z');
		bool is_digit = *at >= '0' && *at <= '9';

		if (!is_letter && !is_digit && strchr("/_+-", *at) == NULL)
			return false;
	}
	return true;
}

/* Is it the name of a file of zone data? */
static bool
name_is_file(const char *name)
{
	const char *dir = getenv("TZDIR"); /* as GLib looks for it */
	char path[512];
	char magic[4] = {0};
	int len;

	len = snprintf(path, sizeof(path), "%s/%s",
		dir == NULL ? "/usr/share/zoneinfo" : dir, name);
	if (len < 0 || (size_t)len >= sizeof(path))
		return false;

	struct stat st;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return false;

	FILE *file = fopen(path, "rbe");

	if (file == NULL)
		return false;

	size_t got = fread(magic, 1, sizeof(magic), file);

	(void)fclose(file);
	return got == sizeof(magic) && memcmp(magic, "TZif", 4) == 0;
}

static int
interval_at(GTimeZone *zone, int64_t seconds)
{
	return g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, seconds);
}

/* The first second after `from` that is in another of GLib's intervals, or
 * TO_SECONDS. Intervals are numbered in the order of time. */
static int64_t
next_interval(GTimeZone *zone, int64_t from)
{
	int here = interval_at(zone, from);
	int64_t same = from;
	int64_t other = TO_SECONDS;

	if (interval_at(zone, other) == here)
		return TO_SECONDS;
	while (other - same > 1) {
		int64_t middle = same + (other - same) / 2;

		if (interval_at(zone, middle) == here)
			same = middle;
		else
			other = middle;
	}
	return other;
}

static struct tz *
create_named(const char *name)
{
	struct tz_change *changes;
	size_t nchanges = 0;
	struct tz *tz = NULL;
	GTimeZone *zone;

	if (!name_is_plain(name) || !name_is_file(name))
		return NULL;
	zone = g_time_zone_new_identifier(name);
	if (zone == NULL)
		return NULL;
	changes = calloc(CHANGES_MAX, sizeof(*changes));
	if (changes == NULL)
		goto out;

	int32_t first =
		g_time_zone_get_offset(zone, interval_at(zone, FROM_SECONDS));
	int32_t last = first;

	for (int64_t at = next_interval(zone, FROM_SECONDS);
		at < TO_SECONDS && nchanges < CHANGES_MAX;
		at = next_interval(zone, at)) {
		int32_t offset =
			g_time_zone_get_offset(zone, interval_at(zone, at));

		/* Some intervals differ in their abbreviation only. */
		if (offset != last)
			changes[nchanges++] = (struct tz_change){at, offset};
		last = offset;
	}
	tz = tz_create(name, first, nchanges);
	if (tz != NULL)
		memcpy(tz->changes, changes, nchanges * sizeof(changes[0]));
out:
	free(changes);
	g_time_zone_unref(zone);
	return tz;
}

static const struct tz *
list_find(const char *name)
{
	for (const struct tz *tz = tz_list; tz != NULL; tz = tz->next) {
		if (strcmp(tz->name, name) == 0)
			return tz;
	}
	return NULL;
}

const struct tz *
tz_open(const char *name, size_t len)
{
	static const struct tz utc = {.name = "UTC"};
	char text[NAME_BYTES];
	int32_t offset = 0;
	const struct tz *found;
	bool is_fixed;

	if (len == 0)
		return &utc;
	if (len >= NAME_BYTES - 1 || memchr(name, '\0', len) != NULL)
		return NULL;
	memcpy(text, name, len);
	text[len] = '\0';
	if (strcmp(text, "UTC") == 0)
		return &utc;
	/* One name for "02:00" and "+02:00", so that the list stays short. */
	is_fixed = parse_fixed(text, &offset);
	if (is_fixed && text[0] != '+' && text[0] != '-') {
		memmove(text + 1, text, len + 1);
		text[0] = '+';
	}

	(void)pthread_mutex_lock(&tz_mtx);
	found = list_find(text);
	if (found == NULL) {
		struct tz *tz = is_fixed ? tz_create(text, offset, 0)
					 : create_named(text);

		if (tz != NULL) {
			tz->next = tz_list;
			tz_list = tz;
		}
		found = tz;
	}
	(void)pthread_mutex_unlock(&tz_mtx);
	return found;
}

const char *
tz_name(const struct tz *tz)
{
	return tz->name;
}

/* How many changes are at or before an instant. */
static size_t
changes_until(const struct tz *tz, int64_t seconds)
{
	size_t lo = 0;
	size_t hi = tz->nchanges;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (tz->changes[middle].at <= seconds)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static int32_t
offset_after(const struct tz *tz, size_t nchanges)
{
	return nchanges == 0 ? tz->first_offset
			     : tz->changes[nchanges - 1].offset;
}

int32_t
tz_offset(const struct tz *tz, int64_t seconds)
{
	return offset_after(tz, changes_until(tz, seconds));
}

void
tz_civil(const struct tz *tz, int64_t seconds, struct civil *ret_civil)
{
	int64_t local;

	if (__builtin_add_overflow(seconds, tz_offset(tz, seconds), &local))
		local = seconds;
	civil_from_seconds(local, ret_civil);
}

int64_t
tz_midnight(const struct tz *tz, int64_t days)
{
	/* Held where no int64 overflows below. */
	const int64_t limit = INT64_MAX / 86400 - 2;
	int64_t local;
	size_t i;

	days = days > limit ? limit : days < -limit ? -limit : days;
	local = days * 86400;

	/* Walk the stretches of one offset from well before; the first that
	 * has an instant whose local time is not before midnight has it. */
	i = changes_until(tz, local - OFFSET_MAX);
	for (;; i++) {
		int64_t at = local - offset_after(tz, i);

		if (i > 0 && at < tz->changes[i - 1].at)
			at = tz->changes[i - 1].at;
		if (i == tz->nchanges || at < tz->changes[i].at)
			return at;
	}
}

int64_t
tz_next_change(const struct tz *tz, int64_t seconds)
{
	size_t i = changes_until(tz, seconds);

	/* A change lies within two centuries of 1970, so this does not
	 * overflow where the difference would. */
	if (i == tz->nchanges || tz->changes[i].at - HORIZON_SECONDS > seconds)
		return INT64_MAX;
	return tz->changes[i].at;
}
