/*
 * format_block.c - a block scalar, moved as one.
 *
 *     key: |2 # comment        the header; a digit counts from the key's column
 *         text                 all lines lose the same blanks, and get those
 *                              of the level below the key
 */
#include "format.h"

#include <string.h>

#define STEP 2

struct block {
	uint32_t at;
	uint32_t end;
	uint32_t from; /* indentation in the source */
	uint32_t to;   /* and in the output */
	bool keeps;    /* `+`: empty lines at the end belong to it */
};

static uint32_t
line_stop(const struct formatter *fm, uint32_t at, uint32_t end)
{
	while (at < end && fm->text[at] != '\n')
		at++;
	return at;
}

/* Without the carriage return, and blanks if asked for. */
static uint32_t
trimmed(const struct formatter *fm, uint32_t at, uint32_t stop, bool blanks)
{
	if (stop > at && fm->text[stop - 1] == '\r')
		stop--;
	while (blanks && stop > at &&
		(fm->text[stop - 1] == ' ' || fm->text[stop - 1] == '\t'))
		stop--;
	return stop;
}

static uint32_t
leading(const struct formatter *fm, uint32_t at, uint32_t end)
{
	uint32_t n = 0;

	while (at + n < end && fm->text[at + n] == ' ')
		n++;
	return n;
}

static bool
is_empty(const struct formatter *fm, uint32_t at, uint32_t end)
{
	uint32_t stop = line_stop(fm, at, end);

	return leading(fm, at, stop) == trimmed(fm, at, stop, false) - at;
}

/* The header line: "|2-  # comment". */
static void
header_put(struct formatter *fm, struct block *block)
{
	uint32_t stop = line_stop(fm, block->at, block->end);
	uint32_t end = trimmed(fm, block->at, stop, true);
	uint32_t digit = 0;

	for (uint32_t i = block->at + 1;
		i < end && fm->text[i] != '#' && fm->text[i] != ' '; i++) {
		if (fm->text[i] >= '1' && fm->text[i] <= '9')
			digit = (uint32_t)(fm->text[i] - '0');
		if (fm->text[i] == '+')
			block->keeps = true;
	}
	format_put(fm, fm->text + block->at, end - block->at);
	format_put(fm, "\n", 1);
	block->at = stop < block->end ? stop + 1 : stop;
	if (digit > 0) {
		block->from = format_block_column(fm, true) + digit;
		block->to = format_block_column(fm, false) + digit;
		if (fm->nlevels == 0)
			block->from = block->to = digit;
		return;
	}
	block->to =
		format_block_column(fm, false) + (fm->nlevels > 0 ? STEP : 0);
	/* The first line with anything in it says how far it is indented. Is
	 * there none, blanks are nothing. */
	block->from = UINT32_MAX;
	for (uint32_t at = block->at; at < block->end;) {
		stop = line_stop(fm, at, block->end);
		if (!is_empty(fm, at, block->end)) {
			block->from = leading(fm, at, stop);
			return;
		}
		at = stop + 1;
	}
}

void
format_block_scalar(struct formatter *fm, uint32_t start, uint32_t end)
{
	struct block block = {.at = start, .end = end};
	uint32_t nempty = 0;

	header_put(fm, &block);
	fm->keeps_end = block.keeps;
	while (block.at < block.end) {
		uint32_t stop = line_stop(fm, block.at, block.end);
		uint32_t n = leading(fm, block.at, stop);

		n = n < block.from ? n : block.from;
		if (trimmed(fm, block.at, stop, false) == block.at + n) {
			nempty++;
		} else {
			for (; nempty > 0; nempty--)
				format_put(fm, "\n", 1);
			format_put_spaces(fm, block.to);
			format_put(fm, fm->text + block.at + n,
				trimmed(fm, block.at, stop, false) -
					(block.at + n));
			format_put(fm, "\n", 1);
		}
		block.at = stop < block.end ? stop + 1 : stop;
	}
	/* Empty lines at the end: part of the text, or one to look nice. */
	if (!block.keeps && nempty > 1)
		nempty = 1;
	for (; nempty > 0; nempty--)
		format_put(fm, "\n", 1);
}
