/*
 * library.c - the table of functions. See library.h for the letters.
 */
#include "library.h"

#include "lib.h"

/* F(name, parameters, result, implementation): name(a, b)
 * M(...): a.name(b)    X, Y: the same, not standard CEL */
#define F(name, params, result, fn) {name, params, result, false, false, fn},
#define M(name, params, result, fn) {name, params, result, true, false, fn},
#define X(name, params, result, fn) {name, params, result, false, true, fn},

/* A getter of a timestamp, in UTC (or the environment's zone) or in a zone. */
#define GETTER(name, fn) M(name, "t", 'i', fn) M(name, "ts", 'i', fn)

const struct cel_fn_row cel_fns[] = {
	/* conversions */
	F("bool", "b", 'b', fn_bool) F("bool", "s", 'b', fn_bool) F(
		"bytes", "y", 'y', fn_bytes) F("bytes", "s", 'y',
		fn_bytes) F("double", "d", 'd', fn_double) F("double", "i", 'd',
		fn_double) F("double", "u", 'd', fn_double) F("double", "s",
		'd', fn_double) F("duration", "s", 'r',
		fn_duration) F("duration", "r", 'r', fn_duration) F("dyn", "*",
		'*', fn_dyn) F("int", "i", 'i', fn_int) F("int", "u", 'i',
		fn_int) F("int", "d", 'i', fn_int) F("int", "s", 'i',
		fn_int) F("int", "t", 'i', fn_int) X("int", "r", 'i',
		fn_int) F("string", "s", 's', fn_string) F("string", "b", 's',
		fn_string) F("string", "i", 's', fn_string) F("string", "u",
		's', fn_string) F("string", "d", 's', fn_string) F("string",
		"y", 's', fn_string) F("string", "t", 's', fn_string)
		F("string", "r", 's', fn_string) F("timestamp", "s", 't',
			fn_timestamp) F("timestamp", "i", 't', fn_timestamp)
			F("timestamp", "t", 't', fn_timestamp) F("type", "*",
				'T', fn_type) F("uint", "u", 'u', fn_uint)
				F("uint", "i", 'u', fn_uint) F("uint", "d", 'u',
					fn_uint) F("uint", "s", 'u', fn_uint)
	/* time */
	X("days", "i", 'r', fn_days) X("hours", "i", 'r', fn_hours) X("minutes",
		"i", 'r',
		fn_minutes) X("seconds", "i", 'r', fn_seconds) GETTER("getDate",
		fn_get_date) GETTER("getDayOfMonth",
		fn_get_day_of_month) GETTER("getDayOfWeek", fn_get_day_of_week)
		GETTER("getDayOfYear", fn_get_day_of_year) GETTER(
			"getFullYear", fn_get_full_year) GETTER("getMonth",
			fn_get_month) GETTER("getHours", fn_get_hours)
			M("getHours", "r", 'i', fn_get_hours) GETTER(
				"getMinutes", fn_get_minutes) M("getMinutes",
				"r", 'i', fn_get_minutes) GETTER("getSeconds",
				fn_get_seconds) M("getSeconds", "r", 'i',
				fn_get_seconds) GETTER("getMilliseconds",
				fn_get_milliseconds) M("getMilliseconds", "r",
				'i', fn_get_milliseconds)
	/* texts, lists, maps */
	F("size", "s", 'i', fn_size) F("size", "y", 'i', fn_size) F("size", "L",
		'i', fn_size) F("size", "M", 'i', fn_size) M("size", "s", 'i',
		fn_size) M("size", "y", 'i', fn_size) M("size", "L", 'i',
		fn_size) M("size", "M", 'i', fn_size) M("charAt", "si", 's',
		fn_char_at) M("contains", "ss", 'b', fn_contains) M("endsWith",
		"ss", 'b', fn_ends_with) M("indexOf", "ss", 'i',
		fn_index_of) M("indexOf", "ssi", 'i', fn_index_of) M("indexOf",
		"L*", 'i', fn_index_of) M("join", "S", 's', fn_join) M("join",
		"Ss", 's', fn_join) M("lastIndexOf", "ss", 'i',
		fn_last_index_of) M("lastIndexOf", "ssi", 'i', fn_last_index_of)
		M("lastIndexOf", "L*", 'i', fn_last_index_of) M(
			"lowerAscii", "s", 's', fn_lower_ascii) M("replace",
			"sss", 's', fn_replace) M("replace", "sssi", 's',
			fn_replace) M("split", "ss", 'S', fn_split) M("split",
			"ssi", 'S', fn_split) M("startsWith", "ss", 'b',
			fn_starts_with) M("substring", "si", 's', fn_substring)
			M("substring", "sii", 's', fn_substring)
				M("trim", "s", 's', fn_trim) M(
					"upperAscii", "s", 's', fn_upper_ascii)
					F("strings.quote", "s", 's', fn_quote)
	/* lists */
	M("distinct", "L", 'l', fn_distinct) M(
		"isSorted", "C", 'b', fn_is_sorted) M("max", "C", 'e', fn_max)
		M("min", "C", 'e', fn_min) M("reverse", "L", 'l', fn_reverse)
			M("slice", "Lii", 'l', fn_slice) M("sort", "C", 'l',
				fn_sort) M("sum", "Q", 'e', fn_sum)};

const size_t cel_fn_count = sizeof(cel_fns) / sizeof(cel_fns[0]);
