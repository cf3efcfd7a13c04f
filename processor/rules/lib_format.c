/*
 * lib_format.c - "%s has %d seats".format([name, seats])
 *
 * Clauses: %s anything, %d integers, %f %e doubles (%.3f with decimals), %b
 * binary, %o octal, %x %X hexadecimal, %% a percent sign. A clause that does
 * not take its argument is an error, as is one without an argument.
 *
 * The text grows in one piece of the frame's scratch memory, of which what is
 * not needed is given back.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "lib.h"

#define FORMAT_BYTES_MAX ((size_t)64 << 10)
#define PRECISION_MAX 100
#define DEPTH_MAX 32

struct printer {
	struct cel_frame *frame;
	char *text;
	size_t len, cap;
	const char *error; /* NULL: none */
};

static void
put(struct printer *pr, const char *text, size_t len)
{
	if (pr->error != NULL)
		return;
	if (len > pr->cap - pr->len)
		pr->error = ERR_SPACE;
	else if (!frame_spend(pr->frame, 1 + len / 16))
		pr->error = ERR_COST;
	else if (len != 0) {
		memcpy(pr->text + pr->len, text, len);
		pr->len += len;
	}
}

static void
put_text(struct printer *pr, const char *text)
{
	put(pr, text, strlen(text));
}

static void
put_any(struct printer *pr, struct value v, int depth);

static void
put_list(struct printer *pr, struct value v, int depth)
{
	put_text(pr, "[");
	for (uint32_t i = 0; i < v.len && pr->error == NULL; i++) {
		put_text(pr, i == 0 ? "" : ", ");
		put_any(pr, v.as.items[i], depth + 1);
	}
	put_text(pr, "]");
}

/* Which entry of the map comes after the key `last` in the order of their
 * texts; UINT32_MAX: none. */
static uint32_t
next_entry(const struct value *keys, uint32_t n, const struct value *last,
	struct cel_frame *frame)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < n; i++) {
		if (last != NULL &&
			(&keys[i] == last || cel_order(frame, keys[i], *last,
						     NODE_OP_LT) <= 0))
			continue;
		if (best == UINT32_MAX ||
			cel_order(frame, keys[i], keys[best], NODE_OP_LT) < 0)
			best = i;
	}
	return best;
}

/* Entries in the order of their keys' texts; keys whose texts are alike (1
 * and "1") show as one. */
static void
put_map(struct printer *pr, struct value v, int depth)
{
	struct value *keys = frame_values(pr->frame, v.len);
	const struct value *last = NULL;

	if (keys == NULL) {
		pr->error = ERR_SPACE;
		return;
	}
	for (uint32_t i = 0; i < v.len; i++) {
		keys[i] = fn_string(pr->frame, v.as.items + (size_t)i * 2, 1);
		if (keys[i].kind != VALUE_STRING)
			pr->error = ERR_SPACE;
	}
	put_text(pr, "{");
	while (pr->error == NULL) {
		uint32_t at = next_entry(keys, v.len, last, pr->frame);

		if (at == UINT32_MAX)
			break;
		if (!frame_spend(pr->frame, v.len))
			pr->error = ERR_COST;
		put_text(pr, last == NULL ? "" : ", ");
		put(pr, keys[at].as.s, keys[at].len);
		put_text(pr, ": ");
		put_any(pr, v.as.items[(size_t)at * 2 + 1], depth + 1);
		last = &keys[at];
	}
	put_text(pr, "}");
}

/* %s */
static void
put_any(struct printer *pr, struct value v, int depth)
{
	size_t used;
	struct value text;

	if (pr->error != NULL)
		return;
	switch (depth > DEPTH_MAX ? VALUE_ERROR : (enum value_kind)v.kind) {
	case VALUE_NULL:
		put_text(pr, "null");
		return;
	case VALUE_TYPE:
		put_text(pr, v.as.s);
		return;
	case VALUE_LIST:
		put_list(pr, v, depth);
		return;
	case VALUE_MAP:
		put_map(pr, v, depth);
		return;
	case VALUE_STRING:
	case VALUE_BYTES:
		put(pr, v.as.s, v.len);
		return;
	case VALUE_ERROR:
	case VALUE_ABSENT:
	case VALUE_RECORD:
		pr->error = "%s does not take this";
		return;
	default:
		break;
	}
	used = pr->frame->used;
	text = fn_string(pr->frame, &v, 1);
	if (text.kind != VALUE_STRING)
		pr->error = ERR_SPACE;
	else
		put(pr, text.as.s, text.len);
	pr->frame->used = used;
}

/* A number in base 2, 8, 10 or 16. */
static void
put_integer(struct printer *pr, struct value v, unsigned base, bool is_upper)
{
	const char *letters =
		is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
	bool is_negative = v.kind == VALUE_INT && v.as.i < 0;
	uint64_t n = is_negative ? 0 - v.as.u : v.as.u;
	char text[65];
	size_t at = sizeof(text);

	do {
		text[--at] = letters[n % base];
		n /= base;
	} while (n != 0);
	put_text(pr, is_negative ? "-" : "");
	put(pr, text + at, sizeof(text) - at);
}

static void
put_hex_bytes(struct printer *pr, struct value v, bool is_upper)
{
	const char *letters =
		is_upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (uint32_t i = 0; i < v.len && pr->error == NULL; i++) {
		char pair[2] = {letters[v.as.bytes[i] >> 4],
			letters[v.as.bytes[i] & 15]};

		put(pr, pair, 2);
	}
}

static void
put_double(struct printer *pr, double d, char how, int precision)
{
	/* 309 digits, a sign, a point, PRECISION_MAX decimals */
	char text[320 + PRECISION_MAX];
	int n;

	if (!isfinite(d)) {
		n = (int)decimal_print(d, text);
	} else if (how == 'e') {
		n = snprintf(text, sizeof(text), "%.*e", precision, d);
	} else {
		n = snprintf(text, sizeof(text), "%.*f", precision, d);
	}
	put(pr, text, (size_t)n);
}

/* One clause with its argument. */
static void
put_clause(struct printer *pr, char how, int precision, struct value v)
{
	bool is_integer = v.kind == VALUE_INT || v.kind == VALUE_UINT;
	bool is_double = v.kind == VALUE_DOUBLE;

	if (how == 's')
		put_any(pr, v, 0);
	else if (how == 'd' && is_integer)
		put_integer(pr, v, 10, false);
	else if (how == 'd' && is_double && !isfinite(v.as.d))
		put_double(pr, v.as.d, 'f', 0);
	else if ((how == 'f' || how == 'e') && is_double)
		put_double(pr, v.as.d, how, precision);
	else if (how == 'b' && is_integer)
		put_integer(pr, v, 2, false);
	else if (how == 'b' && v.kind == VALUE_BOOL)
		put_text(pr, v.as.b ? "1" : "0");
	else if (how == 'o' && is_integer)
		put_integer(pr, v, 8, false);
	else if ((how == 'x' || how == 'X') && is_integer)
		put_integer(pr, v, 16, how == 'X');
	else if ((how == 'x' || how == 'X') &&
		 (v.kind == VALUE_STRING || v.kind == VALUE_BYTES))
		put_hex_bytes(pr, v, how == 'X');
	else if (pr->error == NULL)
		pr->error = "a format clause does not take its argument";
}

/* ".3" behind a percent sign; false when it is malformed. */
static bool
take_precision(const char *text, uint32_t len, uint32_t *at, int *ret_precision)
{
	*ret_precision = 6;
	if (*at >= len || text[*at] != '.')
		return true;
	*ret_precision = 0;
	for (++*at; *at < len && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
		*ret_precision = *ret_precision * 10 + (text[*at] - '0');
		if (*ret_precision > PRECISION_MAX)
			return false;
	}
	return true;
}

static bool
is_clause(char c)
{
	return c != '\0' && strchr("sdfeboxX", c) != NULL;
}

static void
format(struct printer *pr, struct value text, struct value list)
{
	uint32_t used = 0;

	for (uint32_t at = 0; at < text.len && pr->error == NULL;) {
		int precision;

		if (text.as.s[at] != '%') {
			put(pr, text.as.s + at++, 1);
			continue;
		}
		if (++at < text.len && text.as.s[at] == '%') {
			put(pr, text.as.s + at++, 1);
			continue;
		}
		if (!take_precision(text.as.s, text.len, &at, &precision) ||
			at >= text.len || !is_clause(text.as.s[at]))
			pr->error = "a format clause is malformed";
		else if (used == list.len)
			pr->error = "a format clause has no argument";
		else
			put_clause(pr, text.as.s[at++], precision,
				list.as.items[used++]);
	}
}

CEL_FN(fn_format)
{
	struct printer pr = {.frame = frame, .cap = FORMAT_BYTES_MAX};
	size_t end;

	(void)nargs;
	if (args[0].kind != VALUE_STRING || args[1].kind != VALUE_LIST)
		return cel_no_overload(args[0], args[1]);
	pr.text = frame_alloc(frame, pr.cap);
	if (pr.text == NULL)
		return value_error(ERR_SPACE);
	end = frame->used;
	format(&pr, args[0], args[1]);
	if (pr.error != NULL)
		return value_error(pr.error);
	/* Nothing was taken behind the text: give back what it left. */
	if (frame->used == end)
		frame->used = end - pr.cap + ((pr.len + 15) & ~(size_t)15);
	return value_string(pr.text, (uint32_t)pr.len);
}
