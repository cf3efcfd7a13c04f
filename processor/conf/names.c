/*
 * names.c - what things may be called, and what was perhaps meant.
 */
#include "walk.h"

#include <stdio.h>
#include <string.h>

#define NEAR_MAX 48 /* longer words are not compared */
#define TOPIC_MAX 249
#define PATH_MAX_LEN 512
#define LISTED_MAX 14 /* words that are listed in a hint */

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool
is_among(const char *text, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

/* Words that cannot be a name in an expression. */
static const char *const reserved[] = {"as", "break", "const", "continue",
	"else", "false", "for", "function", "if", "import", "in", "let", "loop",
	"namespace", "null", "package", "return", "true", "var", "void",
	"while", "now", NULL};

/* Names that mean something else at the beginning of a dotted name. */
static const char *const roots[] = {"account_id", "renewal", "segment",
	"variables", "score", "bool", "bytes", "double", "duration", "dyn",
	"int", "list", "map", "null_type", "string", "timestamp", "type",
	"uint", NULL};

static const struct {
	const char *what;
	const char *form; /* for the hint */
} kinds[] = {
	[NAME_INPUT] = {"an input", NULL},
	[NAME_FEATURE] = {"a feature", NULL},
	[NAME_VARIABLE] = {"a variable", NULL},
	[NAME_SCORE] = {"a score", NULL},
	[NAME_CLAUSE] = {"a clause", NULL},
	[NAME_SEGMENTATION] = {"a segmentation", NULL},
	[NAME_SEGMENT] = {"a segment", "letters, digits, `_`, `-` and `.`"},
};

static bool
is_segment_name(const struct conf_text *text)
{
	for (size_t i = 0; i < text->len; i++) {
		char c = text->s[i];

		if (!is_letter(c) && !is_digit(c) && c != '_' && c != '.' &&
			c != '-')
			return false;
	}
	return true;
}

static bool
is_plain_name(const struct conf_text *text)
{
	if (!is_lower(text->s[0]))
		return false;
	for (size_t i = 1; i < text->len; i++) {
		char c = text->s[i];

		if (!is_lower(c) && !is_digit(c) && c != '_')
			return false;
	}
	return true;
}

bool
name_check(struct walk *walk, const struct conf_text *text, enum name_kind kind)
{
	const char *what = kinds[kind].what;
	bool is_free = kind == NAME_SEGMENT || kind == NAME_CLAUSE;
	bool is_formed = false;

	if (text->len > CONF_NAME_MAX) {
		conf_diag_at(walk->diags, text, 0, 0, false, NULL,
			"the name of %s has at most %d characters", what,
			CONF_NAME_MAX);
		return false;
	}
	if (text->len > 0)
		is_formed =
			is_free ? is_segment_name(text) : is_plain_name(text);
	if (!is_formed) {
		conf_diag_at(walk->diags, text, 0, 0, false,
			is_free ? kinds[NAME_SEGMENT].form
				: "a lower-case letter, then lower-case "
				  "letters, digits and `_`",
			"`%s` cannot be the name of %s", text->s, what);
		return false;
	}
	if ((!is_free && is_among(text->s, reserved)) ||
		(kind == NAME_INPUT && is_among(text->s, roots)) ||
		(kind == NAME_SEGMENTATION &&
			strcmp(text->s, "renewal") == 0)) {
		conf_diag_at(walk->diags, text, 0, 0, false,
			"the word has a meaning of its own",
			"`%s` cannot be the name of %s", text->s, what);
		return false;
	}
	return true;
}

/* Bytes of a name at `at`; 0: none. */
static size_t
path_name(const char *at, size_t len)
{
	size_t n = 0;

	while (n < len && (is_letter(at[n]) || at[n] == '_' ||
				  (n > 0 && is_digit(at[n]))))
		n++;
	return n;
}

/* Bytes of `[7]`, `["key"]` or `['key']`; 0: it is neither. */
static size_t
path_bracket(const char *at, size_t len)
{
	size_t n = 1;

	if (len < 3 || at[0] != '[')
		return 0;
	if (at[1] == '"' || at[1] == '\'') {
		const char *close = memchr(at + 2, at[1], len - 2);

		n = close == NULL ? len : (size_t)(close - at) + 1;
	} else {
		while (n < len && is_digit(at[n]))
			n++;
		if (n == 1)
			return 0;
	}
	return n < len && at[n] == ']' ? n + 1 : 0;
}

/* The form alone; whether there is such a field, decode/ knows. */
static bool
is_path(const char *at, size_t len)
{
	size_t n;

	if (len > PATH_MAX_LEN)
		return false;
	if (len > 0 && at[0] == '@') {
		at++;
		len--;
	}
	n = path_name(at, len);
	while (n > 0 && n < len) {
		at += n;
		len -= n;
		n = at[0] == '.' ? path_name(at + 1, len - 1)
				 : path_bracket(at, len);
		n += at[0] == '.' && n > 0;
	}
	return n > 0;
}

bool
path_check(struct walk *walk, const struct conf_text *text)
{
	if (is_path(text->s, text->len))
		return true;
	conf_diag_at(walk->diags, text, 0, 0, false,
		"names of the schema with dots between, such as "
		"`plan.seats`; also `items[0]`, `traits[\"tier\"]`",
		"not the path of a field");
	return false;
}

bool
topic_check(struct walk *walk, const struct conf_text *text)
{
	if (text->len <= TOPIC_MAX && is_segment_name(text) &&
		strcmp(text->s, ".") != 0 && strcmp(text->s, "..") != 0)
		return true;
	conf_diag_at(walk->diags, text, 0, 0, false,
		"at most 249 letters, digits, `.`, `_` and `-`",
		"not the name of a Kafka topic");
	return false;
}

/* Edits (insert, delete, replace, swap neighbours) from one to the other;
 * above `limit` it is only known that it is above. */
static size_t
distance(const char *a, size_t na, const char *b, size_t nb, size_t limit)
{
	size_t rows[3][NEAR_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	if (na > NEAR_MAX || nb > NEAR_MAX || na > nb + limit ||
		nb > na + limit)
		return limit + 1;
	for (size_t j = 0; j <= nb; j++)
		last[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *old = before;

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t n = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < n)
				n = last[j] + 1;
			if (row[j - 1] + 1 < n)
				n = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
				a[i - 2] == b[j - 1] && before[j - 2] + 1 < n)
				n = before[j - 2] + 1;
			row[j] = n;
		}
		before = last;
		last = row;
		row = old;
	}
	return last[nb];
}

const char *
name_nearest(const char *text, const char *const *words)
{
	size_t len = strlen(text);
	size_t limit = len < 5 ? 1 : len < 9 ? 2 : 3;
	const char *nearest = NULL;

	for (; *words != NULL; words++) {
		size_t wlen = strlen(*words);

		/* "warning" for "warn" */
		if (len > 2 && wlen > 2 &&
			strncmp(text, *words, len < wlen ? len : wlen) == 0)
			return *words;

		size_t n = distance(text, len, *words, wlen, limit);

		/* A word that would be changed whole is not near. */
		if (n > limit || n >= wlen || n >= len)
			continue;
		nearest = *words;
		if (n == 0)
			break;
		limit = n - 1;
	}
	return nearest;
}

const char *
name_hint(const char *text, const char *const *words, char *hint, size_t cap)
{
	const char *nearest = name_nearest(text, words);
	size_t n = 0, len;

	hint[0] = '\0';
	if (nearest != NULL) {
		(void)snprintf(hint, cap, "did you mean `%s`?", nearest);
		return hint;
	}
	while (words[n] != NULL)
		n++;
	if (n == 0 || n > LISTED_MAX)
		return hint;
	len = (size_t)snprintf(hint, cap, n == 1 ? "only" : "one of");
	for (size_t i = 0; i < n && len < cap; i++)
		len += (size_t)snprintf(hint + len, cap - len, "%s`%s`",
			i == 0 ? " " : ", ", words[i]);
	return hint;
}
