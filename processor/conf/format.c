/*
 * format.c - the file in the house format, comments kept.
 *
 * libyaml's scanner gives tokens with their places; what lies between two of
 * them is blanks, line breaks and comments. The lines stay the lines the
 * author chose; only three things change:
 *
 *     indentation   2 for each level of the block structure; a list under a
 *                   key is a level of its own
 *     spacing       one space after `:`, `,` and `-`, none inside brackets and
 *                   at the end of a line
 *     empty lines   one at most, none at the beginning and end
 *
 * What continues a text or a bracket on further lines moves as far as its
 * first line did. A block scalar's lines move together, below their key.
 * Comments keep to the level they stood at.
 *
 * Formatting must not change what the file means. That is not argued but
 * checked: the result is parsed and compared, and where it differs the text
 * is returned as it was.
 *
 * LEVELS. A stack of the open block maps and lists, each with its column in
 * the source and in the output. `- ` under a key at the key's own column has
 * no token that opens it: such a level is made here, and ends with the map's
 * next key.
 */
#include "format.h"

#include <stdlib.h>
#include <string.h>

#include "diag.h"

#define STEP 2

/* --- levels ------------------------------------------------------------- */

const struct level *
format_top(const struct formatter *fm)
{
	static const struct level none = {.from = 0, .to = 0};

	return fm->nlevels > 0 ? &fm->levels[fm->nlevels - 1] : &none;
}

static void
level_push(struct formatter *fm, enum level_kind kind, uint32_t from)
{
	uint32_t to = fm->nlevels > 0 ? format_top(fm)->to + STEP : 0;

	if (fm->nlevels == LEVELS_MAX) {
		fm->is_failed = true;
		return;
	}
	fm->levels[fm->nlevels++] =
		(struct level){.kind = kind, .from = from, .to = to};
}

/* The end of a block: with a list that had no token of its own. */
static void
level_pop(struct formatter *fm)
{
	if (fm->nlevels > 0 && format_top(fm)->kind == LEVEL_LIST_AT_KEY)
		fm->nlevels--;
	if (fm->nlevels > 0)
		fm->nlevels--;
}

/* Tokens that are seen in the structure only. True when it was one. */
static bool
structure_take(struct formatter *fm, const yaml_token_t *token)
{
	uint32_t column = (uint32_t)token->start_mark.column;

	switch (token->type) {
	case YAML_BLOCK_MAPPING_START_TOKEN:
		level_push(fm, LEVEL_MAP, column);
		return true;
	case YAML_BLOCK_SEQUENCE_START_TOKEN:
		level_push(fm, LEVEL_LIST, column);
		return true;
	case YAML_BLOCK_END_TOKEN:
		level_pop(fm);
		return true;
	case YAML_STREAM_START_TOKEN:
	case YAML_STREAM_END_TOKEN:
		return true;
	case YAML_KEY_TOKEN:
		if (fm->flow == 0 && format_top(fm)->kind == LEVEL_LIST_AT_KEY)
			fm->nlevels--;
		/* One that is not written `?` has no bytes. */
		return token->start_mark.index == token->end_mark.index;
	case YAML_BLOCK_ENTRY_TOKEN:
		if (format_top(fm)->kind == LEVEL_MAP)
			level_push(fm, LEVEL_LIST_AT_KEY, column);
		return false;
	default:
		return false;
	}
}

/* --- output ------------------------------------------------------------- */

void
format_put(struct formatter *fm, const char *bytes, size_t len)
{
	buf_put(fm->out, bytes, len);
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			fm->column = 0;
		else if (((unsigned char)bytes[i] & 0xc0) != 0x80)
			fm->column++;
	}
}

void
format_newline(struct formatter *fm)
{
	while (fm->out->len > 0 && !fm->is_in_scalar &&
		(fm->out->bytes[fm->out->len - 1] == ' ' ||
			fm->out->bytes[fm->out->len - 1] == '\t'))
		fm->out->len--;
	format_put(fm, "\n", 1);
}

void
format_put_spaces(struct formatter *fm, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		format_put(fm, " ", 1);
}

/* --- tokens ------------------------------------------------------------- */

static bool
is_opening(yaml_token_type_t type)
{
	return type == YAML_FLOW_SEQUENCE_START_TOKEN ||
	       type == YAML_FLOW_MAPPING_START_TOKEN;
}

static bool
is_closing(yaml_token_type_t type)
{
	return type == YAML_FLOW_SEQUENCE_END_TOKEN ||
	       type == YAML_FLOW_MAPPING_END_TOKEN;
}

/* Is a space wanted between two tokens of one line? */
static bool
wants_space(yaml_token_type_t last, yaml_token_type_t next)
{
	if (next == YAML_VALUE_TOKEN)
		return last == YAML_KEY_TOKEN;
	if (last == YAML_VALUE_TOKEN)
		return true; /* also in {a: } */
	if (next == YAML_FLOW_ENTRY_TOKEN || is_closing(next))
		return false;
	return !is_opening(last);
}

/* How far a line that continues something is indented. */
static uint32_t
continued_column(const struct formatter *fm, uint32_t column)
{
	int64_t to = (int64_t)column + fm->shift;
	int64_t least =
		(int64_t)format_top(fm)->to + (fm->nlevels > 0 ? STEP : 0);

	return (uint32_t)(to < least ? least : to);
}

/* A token at the beginning of a line. */
static void
line_begin(struct formatter *fm, const yaml_token_t *token)
{
	uint32_t column = (uint32_t)token->start_mark.column;
	uint32_t to = format_top(fm)->to;

	if (fm->flow > 0) {
		format_put_spaces(fm, continued_column(fm, column));
		return;
	}
	/* The value of a key, on a line of its own. */
	if (fm->last == YAML_VALUE_TOKEN && !fm->has_new_level &&
		token->type != YAML_BLOCK_ENTRY_TOKEN &&
		token->type != YAML_KEY_TOKEN &&
		token->type != YAML_VALUE_TOKEN && !fm->is_key)
		to += STEP;
	fm->shift = (int64_t)to - (int64_t)column;
	format_put_spaces(fm, to);
}

/* A text over several lines: the first as it is, the others moved. */
static void
put_lines(struct formatter *fm, uint32_t at, uint32_t end)
{
	fm->is_in_scalar = true;
	while (at < end) {
		uint32_t stop = at, next, blanks = 0;

		while (stop < end && fm->text[stop] != '\n')
			stop++;
		next = stop < end ? stop + 1 : stop;
		if (stop < end && stop > at && fm->text[stop - 1] == '\r')
			stop--;
		format_put(fm, fm->text + at, stop - at);
		if (next >= end)
			break;
		format_newline(fm);
		while (next + blanks < end &&
			(fm->text[next + blanks] == ' ' ||
				fm->text[next + blanks] == '\t'))
			blanks++;
		at = next + blanks;
		if (at < end && fm->text[at] != '\n' && fm->text[at] != '\r')
			format_put_spaces(fm, continued_column(fm, blanks));
	}
	fm->is_in_scalar = false;
}

static void
token_put(struct formatter *fm, const yaml_token_t *token, uint32_t start,
	uint32_t end)
{
	fm->is_behind_block =
		token->type == YAML_SCALAR_TOKEN &&
		(token->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
			token->data.scalar.style == YAML_FOLDED_SCALAR_STYLE);
	fm->keeps_end = false;
	if (fm->is_behind_block)
		format_block_scalar(fm, start, end);
	else
		put_lines(fm, start, end);
	if (is_opening(token->type))
		fm->flow++;
	if (is_closing(token->type) && fm->flow > 0)
		fm->flow--;
	fm->last = token->type;
}

uint32_t
format_block_column(const struct formatter *fm, bool is_source)
{
	const struct level *level = format_top(fm);

	if (!is_source)
		return fm->nlevels > 0 ? level->to : 0;
	return fm->nlevels > 0 ? level->from : 0;
}

/* --- the token loop ----------------------------------------------------- */

/* Tokens come with character indexes; the cursor knows the byte. */
static uint32_t
byte_of(struct formatter *fm, size_t index)
{
	while (fm->cursor_chars < index && fm->cursor < fm->len) {
		fm->cursor++;
		while (fm->cursor < fm->len &&
			((unsigned char)fm->text[fm->cursor] & 0xc0) == 0x80)
			fm->cursor++;
		fm->cursor_chars++;
	}
	while (fm->cursor_chars > index && fm->cursor > 0) {
		fm->cursor--;
		if (((unsigned char)fm->text[fm->cursor] & 0xc0) != 0x80)
			fm->cursor_chars--;
	}
	return fm->cursor;
}

static void
token_take(struct formatter *fm, const yaml_token_t *token)
{
	uint32_t start, end;

	if (fm->nbefore == SIZE_MAX) {
		memcpy(fm->before, fm->levels, sizeof(fm->levels));
		fm->nbefore = fm->nlevels;
	}
	fm->is_key = fm->is_key || token->type == YAML_KEY_TOKEN;
	if (token->type == YAML_BLOCK_MAPPING_START_TOKEN ||
		token->type == YAML_BLOCK_SEQUENCE_START_TOKEN)
		fm->has_new_level = true;
	if (structure_take(fm, token))
		return;
	start = byte_of(fm, token->start_mark.index);
	end = byte_of(fm, token->end_mark.index);
	if (start < fm->at)
		start = fm->at;
	if (end < start)
		end = start;
	/* A scalar without a character: nothing stands there. */
	if (format_gap(fm, start))
		line_begin(fm, token);
	else if (wants_space(fm->last, token->type))
		format_put_spaces(fm, 1);
	token_put(fm, token, start, end);
	fm->at = end;
	fm->at_column = (uint32_t)token->end_mark.column;
	fm->nbefore = SIZE_MAX;
	fm->is_key = false;
	fm->has_new_level = false;
}

/* SG_BAD_CONFIG: something in the text is beyond this formatter. */
static enum sg_err
tokens_run(struct formatter *fm)
{
	yaml_parser_t parser;
	bool is_done = false;
	enum sg_err err = SG_OK;

	if (yaml_parser_initialize(&parser) == 0)
		return SG_NOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&parser, (const unsigned char *)fm->text, fm->len);
	while (!is_done && err == SG_OK) {
		yaml_token_t token;

		if (yaml_parser_scan(&parser, &token) == 0) {
			err = parser.error == YAML_MEMORY_ERROR ? SG_NOMEM
								: SG_BAD_CONFIG;
			break;
		}
		is_done = token.type == YAML_STREAM_END_TOKEN ||
			  token.type == YAML_NO_TOKEN;
		token_take(fm, &token);
		yaml_token_delete(&token);
		if (fm->is_failed)
			err = SG_BAD_CONFIG;
	}
	yaml_parser_delete(&parser);
	return err;
}

/* Comments behind the last token, and one line break at the end. */
static void
finish(struct formatter *fm)
{
	if (fm->nbefore == SIZE_MAX)
		fm->nbefore = 0;
	fm->nlevels = 0;
	(void)format_gap(fm, fm->len);
	if (fm->keeps_end && fm->column == 0)
		return;
	while (fm->out->len > 0 &&
		(fm->out->bytes[fm->out->len - 1] == '\n' ||
			fm->out->bytes[fm->out->len - 1] == ' '))
		fm->out->len--;
	format_put(fm, "\n", 1);
}

/* --- is it the same? ---------------------------------------------------- */

static bool
text_same(const struct conf_text *a, const struct conf_text *b)
{
	if (a->s == NULL || b->s == NULL)
		return a->s == b->s;
	return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

static bool
node_same(const struct doc_node *a, const struct doc_node *b)
{
	const struct doc_node *ca = a->first, *cb = b->first;

	if (a->kind != b->kind || a->is_null != b->is_null || a->n != b->n ||
		!text_same(&a->key, &b->key) || !text_same(&a->text, &b->text))
		return false;
	for (; ca != NULL && cb != NULL; ca = ca->next, cb = cb->next) {
		if (!node_same(ca, cb))
			return false;
	}
	return ca == cb;
}

/* Does the text mean what the tree says? */
static enum sg_err
compare(struct buf *text, const struct doc_node *root, bool *ret_is_same)
{
	struct conf_diags *diags = NULL;
	struct doc *doc = NULL;
	enum sg_err err = conf_diags_create(&diags);

	if (err != SG_OK)
		return err;
	err = doc_parse("formatted", buf_cstr(text), text->len, diags, &doc);
	*ret_is_same = err == SG_OK && conf_diags_errors(diags) == 0 &&
		       node_same(root, doc_root(doc));
	doc_destroy(doc);
	conf_diags_destroy(diags);
	return err == SG_NOMEM ? SG_NOMEM : SG_OK;
}

static enum sg_err
format_text(const char *yaml, size_t len, const struct doc_node *root,
	struct buf *out)
{
	struct formatter *fm = calloc(1, sizeof(*fm));
	size_t mark = out->len;
	bool is_same = false;
	enum sg_err err = SG_OK;
	struct buf made;

	if (fm == NULL)
		return SG_NOMEM;
	buf_init(&made, 2 * (size_t)DOC_SIZE_MAX);
	fm->text = yaml;
	fm->len = (uint32_t)len;
	fm->out = &made;
	fm->nbefore = SIZE_MAX;
	err = tokens_run(fm);
	if (err == SG_OK) {
		finish(fm);
		err = made.is_failed ? SG_NOMEM
				     : compare(&made, root, &is_same);
	} else if (err == SG_BAD_CONFIG) {
		err = SG_OK; /* left as it is */
	}
	if (err == SG_OK && is_same)
		buf_put(out, made.bytes, made.len);
	else if (err == SG_OK)
		buf_put(out, yaml, len);
	if (err == SG_OK && out->is_failed) {
		out->len = mark;
		err = SG_NOMEM;
	}
	buf_fini(&made);
	free(fm);
	return err;
}

enum sg_err
conf_format(const char *name, const char *yaml, size_t len,
	struct conf_diags *diags, struct buf *out)
{
	struct doc *doc = NULL;
	enum sg_err err = doc_parse(name, yaml, len, diags, &doc);

	if (err == SG_OK && conf_diags_errors(diags) > 0)
		err = SG_BAD_CONFIG;
	if (err == SG_OK) {
		/* doc_parse() went over a byte order mark. */
		if (len >= 3 && memcmp(yaml, "\xef\xbb\xbf", 3) == 0) {
			yaml += 3;
			len -= 3;
		}
		err = format_text(yaml, len, doc_root(doc), out);
	}
	doc_destroy(doc);
	return err;
}
