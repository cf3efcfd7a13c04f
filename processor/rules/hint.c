/*
 * hint.c - "did you mean ...?"
 *
 * The nearest of the declared names by edit distance (with neighbours
 * swapped), where the distance is small for the name's length, or where only
 * the front part of a dotted name is missing. What other languages write has
 * a table of its own.
 */
#include <string.h>
#include <strings.h>

#include "compiler.h"
#include "library.h"

#define HINT_LEN_MAX 64

const char *
hint_foreign(const char *word, size_t len)
{
	static const struct {
		const char *word, *hint;
	} table[] = {{"and", "did you mean && ?"}, {"or", "did you mean || ?"},
		{"not", "did you mean ! ?"}, {"is", "did you mean == ?"},
		{"true", "did you mean true?"},
		{"false", "did you mean false?"},
		{"null", "did you mean null?"}, {"none", "did you mean null?"},
		{"nil", "did you mean null?"},
		{"if", "CEL writes condition ? value : other"}};

	for (size_t i = 0; i < SG_COUNTOF(table); i++) {
		if (strlen(table[i].word) == len &&
			strncasecmp(table[i].word, word, len) == 0)
			return table[i].hint;
	}
	return NULL;
}

void
hint_unit(const char *number, size_t len, const char *unit, size_t unit_len,
	char *text, size_t cap)
{
	static const struct {
		char unit;
		const char *before, *after;
	} table[] = {{'k', "", "000"}, {'K', "", "000"}, {'M', "", "000000"},
		{'d', "days(", ")"}, {'h', "hours(", ")"},
		{'m', "minutes(", ")"}};

	text[0] = '\0';
	if (unit_len != 1 || len > 12 || strspn(number, "0123456789") != len)
		return;
	for (size_t i = 0; i < SG_COUNTOF(table); i++) {
		if (table[i].unit == unit[0])
			(void)snprintf(text, cap, "did you mean %s%.*s%s?",
				table[i].before, (int)len, number,
				table[i].after);
	}
}

struct best {
	const char *name;
	size_t len;
	size_t distance;
};

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static char
lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Optimal string alignment distance; SIZE_MAX when a text is too long. */
static size_t
edit_distance(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t rows[3][HINT_LEN_MAX + 1];

	if (alen > HINT_LEN_MAX || blen > HINT_LEN_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= blen; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= alen; i++) {
		size_t *row = rows[i % 3];
		const size_t *last = rows[(i + 2) % 3];
		const size_t *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			size_t differs = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = min3(last[j] + 1, row[j - 1] + 1,
				last[j - 1] + differs);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
				a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return rows[alen % 3][blen];
}

static void
consider(struct best *best, const char *name, size_t len, const char *candidate,
	size_t clen)
{
	size_t distance = edit_distance(name, len, candidate, clen);
	size_t limit = len < 4 ? 1 : len / 3;

	/* "logins_14d" for "usage.logins_14d" */
	if (clen > len && candidate[clen - len - 1] == '.' &&
		memcmp(candidate + clen - len, name, len) == 0)
		distance = 1;
	if (distance <= limit && distance < best->distance)
		*best = (struct best){candidate, clen, distance};
}

static void
say(const struct best *best, const char *suffix, char *text, size_t cap)
{
	text[0] = '\0';
	if (best->name != NULL)
		(void)snprintf(text, cap, "did you mean %.*s%s?",
			(int)(best->len > 120 ? 120 : best->len), best->name,
			suffix);
}

void
hint_name(const struct cel_env *env, const char *name, size_t len, char *text,
	size_t cap)
{
	struct best best = {.distance = SIZE_MAX};
	const char *foreign = hint_foreign(name, len);

	if (foreign != NULL) {
		(void)snprintf(text, cap, "%s", foreign);
		return;
	}
	for (uint32_t i = 0; i < env->nnames; i++)
		consider(&best, name, len, env->names[i].name,
			env->names[i].len);
	say(&best, "", text, cap);
}

void
hint_function(
	const char *name, size_t len, bool is_method, char *text, size_t cap)
{
	static const char *const macros[] = {"has", "all", "exists",
		"exists_one", "filter", "map", "transformList", "transformMap"};
	struct best best = {.distance = SIZE_MAX};
	const char *foreign = is_method ? NULL : hint_foreign(name, len);

	if (foreign != NULL) {
		(void)snprintf(text, cap, "%s", foreign);
		return;
	}
	for (size_t i = 0; i < cel_fn_count; i++)
		consider(&best, name, len, cel_fns[i].name,
			strlen(cel_fns[i].name));
	for (size_t i = 0; i < SG_COUNTOF(macros); i++)
		consider(&best, name, len, macros[i], strlen(macros[i]));
	say(&best, "()", text, cap);
}

void
hint_field(const struct type *record, const char *name, size_t len, char *text,
	size_t cap)
{
	struct best best = {.distance = SIZE_MAX};
	size_t at = 0;

	for (size_t i = 0; i < record->nfields; i++)
		consider(&best, name, len, record->fields[i].name,
			strlen(record->fields[i].name));
	say(&best, "", text, cap);
	if (best.name != NULL || record->nfields == 0)
		return;
	at = (size_t)snprintf(text, cap, "it has");
	for (size_t i = 0; i < record->nfields && at + 40 < cap; i++)
		at += (size_t)snprintf(text + at, cap - at, "%s %.32s",
			i == 0 ? "" : ",", record->fields[i].name);
}
