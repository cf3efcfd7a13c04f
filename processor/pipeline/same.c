/* same.c - are two rules the same, or one a weaker form of the other?
 *
 * No parse of CEL: a rule is copied with its blanks and comments left out, and
 * the copies are compared. Where that is deceived (by a raw or triple-quoted
 * text with a quote in it) it says "not the same", or a warning is one too
 * many; nothing but warnings depends on it.
 */
#include "same.h"

#include <ctype.h>
#include <string.h>

#include "segmentd/buf.h"
#include "segmentd/hash.h"

#define RULE_BYTES_MAX 65536
#define SCALE INT64_C(1000000)
#define CLAUSES_MAX 32

static bool
is_word(int c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The end of the quoted text that begins at `at`. */
static const char *
skip_quoted(const char *at, bool is_raw)
{
	char quote = *at++;

	while (*at != '\0' && *at != quote)
		at += (*at == '\\' && !is_raw && at[1] != '\0') ? 2 : 1;
	return at + (*at == quote);
}

/* The rule with a blank only where two words would become one. */
static void
squeeze(const char *at, struct buf *out)
{
	char last = '\0';
	bool is_gap = false;

	while (*at != '\0') {
		const char *end = at + 1;

		if (at[0] == '/' && at[1] == '/') {
			at += strcspn(at, "\n");
			is_gap = true;
			continue;
		}
		if (isspace((unsigned char)*at)) {
			at++;
			is_gap = true;
			continue;
		}
		if (*at == '"' || *at == '\'')
			end = skip_quoted(at, last == 'r' || last == 'R');
		if (is_gap && is_word(last) && is_word(*at))
			buf_put_u8(out, ' ');
		buf_put(out, at, (size_t)(end - at));
		last = end[-1];
		is_gap = false;
		at = end;
	}
}

bool
same_rule(const struct conf_text *a, const struct conf_text *b)
{
	struct buf x, y;
	bool is_same;

	if (a->s == NULL || b->s == NULL)
		return a->s == b->s;
	buf_init(&x, RULE_BYTES_MAX);
	buf_init(&y, RULE_BYTES_MAX);
	squeeze(a->s, &x);
	squeeze(b->s, &y);
	is_same = !x.is_failed && !y.is_failed &&
		  strcmp(buf_cstr(&x), buf_cstr(&y)) == 0;
	buf_fini(&x);
	buf_fini(&y);
	return is_same;
}

uint64_t
same_hash(const struct conf_text *rule)
{
	struct buf x;
	uint64_t hash;

	if (rule->s == NULL)
		return 0;
	buf_init(&x, RULE_BYTES_MAX);
	squeeze(rule->s, &x);
	hash = hash_bytes(buf_cstr(&x), x.len);
	buf_fini(&x);
	return hash;
}

/* --- thresholds --------------------------------------------------------- */

struct threshold {
	char op;	  /* '<' or '>'; '=' of clauses only */
	bool is_closed;	  /* <=, >= or == */
	size_t left;	  /* bytes of what is compared */
	int64_t number;	  /* millionths */
	const char *text; /* of ==: it is a text, and no number */
};

/* A decimal number of at most 12 digits before the point and 6 after it. */
static bool
read_number(const char *at, int64_t *ret_number)
{
	bool is_negative = *at == '-';
	int64_t n = 0, unit = SCALE;
	size_t digits;

	at += is_negative;
	digits = strspn(at, "0123456789");
	if (digits == 0 || digits > 12)
		return false;
	for (; digits > 0; digits--)
		n = n * 10 + (*at++ - '0');
	n *= SCALE;
	if (*at == '.') {
		at++;
		for (; isdigit((unsigned char)*at) && unit > 1; at++) {
			unit /= 10;
			n += (*at - '0') * unit;
		}
	}
	*ret_number = is_negative ? -n : n;
	return *at == '\0';
}

/* "x>=20", where x holds no operator that binds weaker. */
static bool
read_threshold(const char *rule, struct threshold *ret)
{
	size_t at = strcspn(rule, "<>=!&|?\"'");

	if (at == 0 || (rule[at] != '<' && rule[at] != '>'))
		return false;
	ret->op = rule[at];
	ret->left = at;
	ret->is_closed = rule[at + 1] == '=';
	return read_number(rule + at + 1 + ret->is_closed, &ret->number);
}

bool
same_threshold(const struct conf_text *weak, const struct conf_text *strong)
{
	struct threshold w, s;
	struct buf x, y;
	bool is_weaker = false;

	if (weak->s == NULL || strong->s == NULL)
		return false;
	buf_init(&x, RULE_BYTES_MAX);
	buf_init(&y, RULE_BYTES_MAX);
	squeeze(weak->s, &x);
	squeeze(strong->s, &y);
	if (read_threshold(buf_cstr(&x), &w) &&
		read_threshold(buf_cstr(&y), &s) && w.op == s.op &&
		w.left == s.left && memcmp(x.bytes, y.bytes, w.left) == 0) {
		if (w.number == s.number)
			is_weaker = w.is_closed || !s.is_closed;
		else
			is_weaker = (w.number < s.number) == (w.op == '>');
	}
	buf_fini(&x);
	buf_fini(&y);
	return is_weaker;
}

/* --- contradictions ----------------------------------------------------- */

/* "x>5", "x<=5", "x==5" or `x=="a"` */
static bool
read_clause(const char *clause, struct threshold *ret)
{
	size_t at = strcspn(clause, "<>=!&|?\"'");

	ret->text = NULL;
	if (at == 0 || strncmp(clause + at, "==", 2) != 0)
		return read_threshold(clause, ret);
	ret->op = '=';
	ret->is_closed = true;
	ret->left = at;
	at += 2;
	if (clause[at] != '"' && clause[at] != '\'')
		return read_number(clause + at, &ret->number);
	ret->text = clause + at;
	return strchr(clause, '\\') == NULL &&
	       *skip_quoted(clause + at, true) == '\0';
}

/* Is what one wants at least more than what the other wants at most? */
static bool
is_above(const struct threshold *low, const struct threshold *high)
{
	if (low->op == '<' || high->op == '>')
		return false;
	return low->number > high->number ||
	       (low->number == high->number &&
		       !(low->is_closed && high->is_closed));
}

/* Both clauses are of one thing. */
static bool
excludes(const struct threshold *a, const struct threshold *b)
{
	if (a->text != NULL && b->text != NULL)
		return strcmp(a->text + 1, b->text + 1) != 0 &&
		       a->text[0] == b->text[0];
	if (a->text != NULL || b->text != NULL)
		return false;
	return is_above(a, b) || is_above(b, a);
}

/* Ends each clause of "a&&b&&c" with a 0. Their number; 0 where the rule is
 * anything else. */
static size_t
split(char *rule, char *clauses[CLAUSES_MAX])
{
	size_t n = 1;
	int depth = 0;

	clauses[0] = rule;
	for (char *at = rule; *at != '\0'; at++) {
		if (*at == '"' || *at == '\'')
			at = rule + (skip_quoted(at, false) - rule) - 1;
		else if (strchr("([{", *at) != NULL)
			depth++;
		else if (strchr(")]}", *at) != NULL)
			depth--;
		else if (depth == 0 && strchr("|?", *at) != NULL)
			return 0;
		else if (depth == 0 && strncmp(at, "&&", 2) == 0 &&
			 n < CLAUSES_MAX) {
			at[0] = '\0';
			clauses[n++] = at + 2;
			at++;
		}
	}
	return n;
}

bool
same_contradicts(const char *rule)
{
	struct threshold found[CLAUSES_MAX];
	char *clauses[CLAUSES_MAX];
	bool is_found = false;
	struct buf x;
	size_t n = 0, nknown = 0;

	buf_init(&x, RULE_BYTES_MAX);
	squeeze(rule, &x);
	buf_put_u8(&x, '\0');
	if (!x.is_failed)
		n = split((char *)x.bytes, clauses);
	for (size_t i = 0; i < n && !is_found; i++) {
		struct threshold *own = &found[nknown];

		if (!read_clause(clauses[i], own))
			continue;
		clauses[nknown] = clauses[i];
		for (size_t k = 0; k < nknown && !is_found; k++)
			is_found = own->left == found[k].left &&
				   memcmp(clauses[nknown], clauses[k],
					   own->left) == 0 &&
				   excludes(own, &found[k]);
		nknown++;
	}
	buf_fini(&x);
	return is_found;
}
