/* format_gap.c - what lies between two tokens: blanks, lines, comments. */
#include "format.h"

/*
 * Where a comment goes that stood at this column on a line of its own: to the
 * level at whose column it stood, that of what follows first, else as far from
 * the nearest level to the left as before.
 */
static uint32_t
comment_level(const struct formatter *fm, uint32_t column)
{
	const struct level *next = format_top(fm);
	const struct level *before = fm->before;
	const struct level *near = NULL;

	if (fm->nlevels > 0 && next->from == column)
		return next->to;
	for (size_t i = fm->nbefore; i > 0; i--) {
		if (before[i - 1].from == column)
			return before[i - 1].to;
		if (near == NULL && before[i - 1].from < column)
			near = &before[i - 1];
	}
	if (fm->nlevels > 0 && next->from < column &&
		(near == NULL || next->from > near->from))
		near = next;
	if (near == NULL)
		return fm->nlevels > 0 ? next->to : column;
	return near->to + (column - near->from);
}

static uint32_t
comment_column(const struct formatter *fm, uint32_t column)
{
	uint32_t to = comment_level(fm, column);
	uint32_t key = fm->nbefore > 0 ? fm->before[fm->nbefore - 1].to : 0;

	/* Below a block scalar, deeper than its key, it would be text. */
	return fm->is_behind_block && to > key ? key : to;
}

struct gap {
	uint32_t at;
	uint32_t end;
	uint32_t column; /* in the source */
	uint32_t nbreaks;
};

static uint32_t
comment_end(const struct formatter *fm, const struct gap *gap)
{
	uint32_t end = gap->at;

	while (end < gap->end && fm->text[end] != '\n')
		end++;
	while (end > gap->at &&
		(fm->text[end - 1] == ' ' || fm->text[end - 1] == '\t' ||
			fm->text[end - 1] == '\r'))
		end--;
	return end;
}

/* The line breaks so far, as at most one empty line. */
static void
gap_breaks(struct formatter *fm, struct gap *gap)
{
	if (fm->out->len == 0)
		gap->nbreaks = 0; /* none before the first line */
	if (gap->nbreaks > 0 && fm->column > 0)
		format_newline(fm);
	else if (gap->nbreaks > 0)
		gap->nbreaks++; /* a block scalar has ended its line itself */
	if (gap->nbreaks > 1)
		format_newline(fm);
	gap->nbreaks = 0;
}

static void
gap_comment(struct formatter *fm, struct gap *gap)
{
	uint32_t end = comment_end(fm, gap);

	if (gap->nbreaks == 0 && fm->column > 0) {
		/* Behind something: where it stood, when there is room. */
		format_put_spaces(fm, fm->column < gap->column
					      ? gap->column - fm->column
					      : 2);
	} else {
		gap_breaks(fm, gap);
		format_put_spaces(fm, comment_column(fm, gap->column));
	}
	format_put(fm, fm->text + gap->at, end - gap->at);
	while (gap->at < gap->end && fm->text[gap->at] != '\n')
		gap->at++;
}

bool
format_gap(struct formatter *fm, uint32_t end)
{
	struct gap gap = {.at = fm->at, .end = end, .column = fm->at_column};
	bool is_new_line = false;

	while (gap.at < gap.end) {
		char c = fm->text[gap.at];

		if (c == '#') {
			gap_comment(fm, &gap);
			continue;
		}
		gap.at++;
		gap.column++;
		if (c == '\n') {
			gap.nbreaks++;
			gap.column = 0;
			is_new_line = true;
		}
	}
	if (is_new_line || fm->column == 0)
		gap_breaks(fm, &gap);
	return is_new_line || fm->out->len == 0 || fm->column == 0;
}
