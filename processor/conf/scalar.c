/*
 * scalar.c - from a byte of a scalar's value back to its bytes in the file.
 *
 * YAML writes one text in five ways. The source is read once more, beside the
 * value that came of it, in units: a character, an escape, a fold of lines. At
 * each unit both must agree; where they do not, the place cannot be told, and
 * the caller falls back on the whole scalar. So nothing here has to be right
 * for every YAML there is, only honest.
 *
 *     source   '  i  t  '  '  s  \n        o  k  '
 *     value       i  t  '     s  _         o  k          _ is one space
 */
#include "diag.h"

#include <string.h>
#include <yaml.h>

#include "segmentd/utf8.h"

struct scalar_walk {
	const char *src;
	uint32_t at;
	uint32_t end; /* of what the value is made of */
	const char *value;
	uint32_t v;
	uint32_t vlen;
	uint32_t indent; /* block scalars */
	int style;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_break(char c)
{
	return c == '\n' || c == '\r';
}

/* --- flow scalars: plain, 'single', "double" ---------------------------- */

/* Blanks around line breaks became one space, or a newline for each empty
 * line between. False when there is no line break ahead. */
static bool
step_fold(struct scalar_walk *walk)
{
	uint32_t at = walk->at;
	uint32_t breaks = 0;

	while (at < walk->end &&
		(is_blank(walk->src[at]) || is_break(walk->src[at]))) {
		breaks += walk->src[at] == '\n';
		at++;
	}
	if (breaks == 0)
		return false;
	walk->at = at;
	if (breaks == 1) {
		if (walk->v < walk->vlen && walk->value[walk->v] == ' ')
			walk->v++;
		return true;
	}
	for (; breaks > 1 && walk->v < walk->vlen; breaks--) {
		if (walk->value[walk->v] != '\n')
			break;
		walk->v++;
	}
	return true;
}

/* Hex digits of an escape, and the length of the UTF-8 they came to. */
static uint32_t
escape_hex(const struct scalar_walk *walk, uint32_t digits)
{
	uint32_t c = 0;

	if (walk->at + 2 + digits > walk->end)
		return 0;
	for (uint32_t i = 0; i < digits; i++) {
		char d = walk->src[walk->at + 2 + i];

		c <<= 4;
		if (d >= '0' && d <= '9')
			c |= (uint32_t)(d - '0');
		else
			c |= (uint32_t)((d | 32) - 'a' + 10) & 15u;
	}
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

/* An escape in double quotes; an escaped line break leaves nothing. */
static bool
step_escape(struct scalar_walk *walk)
{
	char c = walk->at + 1 < walk->end ? walk->src[walk->at + 1] : '\0';
	uint32_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	uint32_t bytes = 1;

	if (is_break(c)) {
		walk->at++;
		while (walk->at < walk->end &&
			(is_blank(walk->src[walk->at]) ||
				is_break(walk->src[walk->at])))
			walk->at++;
		return true;
	}
	if (c == '\0')
		return false;
	if (digits > 0)
		bytes = escape_hex(walk, digits);
	else if (c == 'N' || c == '_')
		bytes = 2;
	else if (c == 'L' || c == 'P')
		bytes = 3;
	if (bytes == 0 || walk->v + bytes > walk->vlen)
		return false;
	walk->at += 2 + digits;
	walk->v += bytes;
	return true;
}

/* One character that stands for itself. */
static bool
step_char(struct scalar_walk *walk)
{
	size_t n = utf8_char_len(walk->src + walk->at, walk->end - walk->at);

	if (n == 0 || walk->v + n > walk->vlen ||
		memcmp(walk->src + walk->at, walk->value + walk->v, n) != 0)
		return false;
	walk->at += (uint32_t)n;
	walk->v += (uint32_t)n;
	return true;
}

static bool
step_flow(struct scalar_walk *walk)
{
	char c = walk->src[walk->at];

	if ((is_blank(c) || is_break(c)) && step_fold(walk))
		return true;
	if (walk->style == YAML_DOUBLE_QUOTED_SCALAR_STYLE && c == '\\')
		return step_escape(walk);
	if (walk->style == YAML_SINGLE_QUOTED_SCALAR_STYLE && c == '\'') {
		if (walk->v >= walk->vlen || walk->value[walk->v] != '\'')
			return false;
		walk->at += 2;
		walk->v++;
		return true;
	}
	return step_char(walk);
}

/* --- block scalars: | and > --------------------------------------------- */

static uint32_t
skip_indent(const struct scalar_walk *walk, uint32_t at)
{
	for (uint32_t i = 0; i < walk->indent; i++) {
		if (at >= walk->end || walk->src[at] != ' ')
			break;
		at++;
	}
	return at;
}

static bool
step_block(struct scalar_walk *walk)
{
	uint32_t breaks = 0;
	bool is_folded = walk->style == YAML_FOLDED_SCALAR_STYLE;

	if (!is_break(walk->src[walk->at]))
		return step_char(walk);
	while (walk->at < walk->end && is_break(walk->src[walk->at])) {
		breaks += walk->src[walk->at] == '\n';
		walk->at++;
		if (walk->src[walk->at - 1] == '\n')
			walk->at = skip_indent(walk, walk->at);
	}
	if (is_folded && breaks == 1 && walk->v < walk->vlen &&
		walk->value[walk->v] == ' ') {
		walk->v++;
		return true;
	}
	for (; breaks > 0 && walk->v < walk->vlen; breaks--) {
		if (walk->value[walk->v] != '\n')
			break;
		walk->v++;
	}
	return true;
}

/* Past the header ("|-", "> # comment"), to the first line with anything in
 * it. How far that is indented in the value tells the indentation. */
static bool
block_begin(struct scalar_walk *walk)
{
	uint32_t at = walk->at, spaces = 0, kept = 0;

	while (at < walk->end && walk->src[at] != '\n')
		at++;
	at++;
	while (walk->v < walk->vlen && walk->value[walk->v] == '\n')
		walk->v++;
	while (walk->v + kept < walk->vlen &&
		walk->value[walk->v + kept] == ' ')
		kept++;
	for (;; at++) {
		spaces = 0;
		while (at < walk->end && walk->src[at] == ' ') {
			at++;
			spaces++;
		}
		if (at >= walk->end)
			return false;
		if (!is_break(walk->src[at]))
			break;
	}
	if (spaces < kept)
		return false;
	walk->indent = spaces - kept;
	walk->at = at - kept;
	return true;
}

static bool
walk_begin(struct scalar_walk *walk)
{
	switch (walk->style) {
	case YAML_PLAIN_SCALAR_STYLE:
		return true;
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		if (walk->end - walk->at < 2)
			return false;
		walk->at++;
		walk->end--;
		return true;
	case YAML_LITERAL_SCALAR_STYLE:
	case YAML_FOLDED_SCALAR_STYLE:
		return block_begin(walk);
	default: /* STYLE_CHANGED */
		return false;
	}
}

bool
scalar_locate(const struct diag_source *source, const struct conf_text *text,
	uint32_t offset, uint32_t len, struct diag_span *ret_span)
{
	struct scalar_walk walk = {.src = source->text,
		.at = text->start - source->base,
		.end = text->end - source->base,
		.value = text->s,
		.vlen = (uint32_t)text->len,
		.style = text->style};
	uint32_t first = UINT32_MAX, last = 0;

	if (text->s == NULL || offset > text->len || walk.end > source->len ||
		!walk_begin(&walk))
		return false;
	last = walk.at;
	while (walk.at < walk.end && walk.v < walk.vlen) {
		uint32_t at = walk.at;

		if (walk.style >= YAML_LITERAL_SCALAR_STYLE ? !step_block(&walk)
							    : !step_flow(&walk))
			return false;
		if (walk.at == at)
			return false;
		if (first == UINT32_MAX && walk.v > offset)
			first = at;
		last = walk.at;
		if (first != UINT32_MAX && walk.v >= offset + len)
			break;
	}
	if (first == UINT32_MAX)
		first = last; /* just after the end */
	if (last < first || len == 0)
		last = first;
	*ret_span = (struct diag_span){
		.start = source->base + first, .end = source->base + last};
	return true;
}
