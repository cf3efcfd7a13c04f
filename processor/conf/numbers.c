#include "walk.h"

#include <stdio.h>
#include <string.h>

#include "segmentd/civil.h"

bool
parse_int(const char *text, size_t len, int64_t *ret_int)
{
	bool is_negative = len > 0 && text[0] == '-';
	size_t at = is_negative ? 1 : 0;
	int64_t n = 0;

	if (at == len || len > 20)
		return false;
	for (; at < len; at++) {
		if (text[at] < '0' || text[at] > '9')
			return false;
		if (__builtin_mul_overflow(n, (int64_t)10, &n) ||
			__builtin_sub_overflow(
				n, (int64_t)(text[at] - '0'), &n))
			return false;
	}
	/* Summed below zero, where there is one number more. */
	if (!is_negative && n == INT64_MIN)
		return false;
	*ret_int = is_negative ? n : -n;
	return true;
}

static const struct unit {
	const char *name;
	int64_t size;
} sizes[] = {{"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20},
	{"KiB", 1 << 10}, {"B", 1}},
  spans[] = {{"d", CIVIL_DAY_MS}, {"h", 3600000}, {"m", 60000}, {"s", 1000},
	  {"ms", 1}};

bool
parse_size(const char *text, size_t len, int64_t *ret_bytes)
{
	size_t digits = 0;
	int64_t n;

	while (digits < len && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	if (!parse_int(text, digits, &n))
		return false;
	if (digits == len) {
		*ret_bytes = n;
		return true;
	}
	for (size_t i = 0; i < SG_COUNTOF(sizes); i++) {
		if (strlen(sizes[i].name) == len - digits &&
			memcmp(sizes[i].name, text + digits, len - digits) == 0)
			return !__builtin_mul_overflow(
				n, sizes[i].size, ret_bytes);
	}
	return false;
}

/*
 * At most 15 digits, so that digits and power of ten are both exact doubles
 * and one division rounds correctly.
 */
bool
parse_decimal(const char *text, size_t len, double *ret_number)
{
	bool is_negative = len > 0 && text[0] == '-';
	bool has_point = false;
	size_t digits = 0;
	double number = 0.0, scale = 1.0;

	for (size_t i = is_negative ? 1 : 0; i < len; i++) {
		if (text[i] == '.' && !has_point && digits > 0 && i + 1 < len) {
			has_point = true;
			continue;
		}
		if (text[i] < '0' || text[i] > '9' || ++digits > 15)
			return false;
		number = number * 10.0 + (double)(text[i] - '0');
		if (has_point)
			scale *= 10.0;
	}
	if (digits == 0)
		return false;
	*ret_number = (is_negative ? -number : number) / scale;
	return true;
}

static const char *
unit_text(const struct unit *units, size_t nunits, int64_t n,
	char text[UNIT_TEXT_MAX])
{
	size_t i = 0;

	while (i + 1 < nunits && (n == 0 || n % units[i].size != 0))
		i++;
	(void)snprintf(text, UNIT_TEXT_MAX, "%lld%s",
		(long long)(n / units[i].size), n == 0 ? "" : units[i].name);
	return text;
}

const char *
span_text(int64_t ms, char text[UNIT_TEXT_MAX])
{
	return unit_text(spans, SG_COUNTOF(spans), ms, text);
}

const char *
size_text(int64_t bytes, char text[UNIT_TEXT_MAX])
{
	return unit_text(sizes, SG_COUNTOF(sizes), bytes, text);
}
