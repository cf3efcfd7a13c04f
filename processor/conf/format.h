/* format.h - what the two parts of the formatter share. */
#ifndef CONF_FORMAT_H
#define CONF_FORMAT_H

#include <stdbool.h>
#include <stdint.h>
#include <yaml.h>

#include "segmentd/buf.h"
#include "segmentd/conf.h"
#include "segmentd/doc.h"

#define LEVELS_MAX (2 * DOC_DEPTH_MAX + 2)

enum level_kind {
	LEVEL_NONE,
	LEVEL_MAP,
	LEVEL_LIST,
	LEVEL_LIST_AT_KEY, /* `- ` at the column of the key it belongs to */
};

struct level {
	enum level_kind kind;
	uint32_t from; /* column in the source */
	uint32_t to;   /* column in the output */
};

struct formatter {
	const char *text;
	uint32_t len;
	struct buf *out;
	uint32_t at;	    /* behind the last token */
	uint32_t at_column; /* of that, in the source */
	uint32_t column;    /* of the output, in characters */
	size_t cursor_chars;
	uint32_t cursor;
	struct level levels[LEVELS_MAX];
	size_t nlevels;
	/* The levels behind the last token, for comments; SIZE_MAX: not yet
	 * taken. */
	struct level before[LEVELS_MAX];
	size_t nbefore;
	uint32_t flow; /* brackets that are open */
	int64_t shift; /* how far the line moved that is being continued */
	yaml_token_type_t last;
	bool is_key;	    /* the next token begins a key */
	bool has_new_level; /* a block begins with it */
	bool is_in_scalar;
	bool is_behind_block; /* the last token was a block scalar */
	bool keeps_end;	      /* whose empty lines at the end are text */
	bool is_failed;
};

/* --- format.c ----------------------------------------------------------- */

void
format_put(struct formatter *fm, const char *bytes, size_t len);
void
format_put_spaces(struct formatter *fm, uint32_t n);
/* The end of a line, without blanks before it. */
void
format_newline(struct formatter *fm);

/* The innermost block. */
const struct level *
format_top(const struct formatter *fm);
/* The column of the innermost block, in the source or in the output. */
uint32_t
format_block_column(const struct formatter *fm, bool is_source);

/* --- format_gap.c ------------------------------------------------------- */

/* Blanks and comments from the last token up to the next one, which begins at
 * byte `end`. Returns true when that begins a line. */
bool
format_gap(struct formatter *fm, uint32_t end);

/* --- format_block.c ----------------------------------------------------- */

/* A scalar that begins with `|` or `>`. */
void
format_block_scalar(struct formatter *fm, uint32_t start, uint32_t end);

#endif
