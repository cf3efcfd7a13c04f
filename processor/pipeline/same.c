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
	char op;	/* '<' or '>' */
	bool is_closed; /* <= or >= */
	size_t left;	/* bytes of what is compared */
	int64_t number; /* millionths */
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
