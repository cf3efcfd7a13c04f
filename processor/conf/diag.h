/*
 * diag.h - what conf/ adds to struct conf_diags: sources and secrets.
 */
#ifndef CONF_DIAG_H
#define CONF_DIAG_H

#include "segmentd/conf.h"

#define DIAG_PRINT_MAX 100 /* mistakes printed; the rest is counted */
#define DIAG_KEEP_MAX 1000 /* mistakes kept, of which those are the first */

/* Ored into conf_text.style: the value is not what stands in the file (an
 * environment variable was put in), so offsets in it have no place there. */
#define STYLE_CHANGED 0x80

struct diag {
	uint32_t start;
	uint32_t end;
	uint32_t order; /* of being reported: keeps the sort stable */
	bool is_placed;
	bool is_warning;
	const char *text;
	const char *hint; /* NULL: none */
};

/* A text mistakes may stand in. Offsets are counted over all sources: each
 * begins where the one before ended, plus one. */
struct diag_source {
	const char *name;
	const char *text;
	uint32_t base;
	uint32_t len;
	const uint32_t *lines; /* where each line begins */
	uint32_t nlines;
	bool is_parsed; /* its secrets are known by their place */
};

struct diag_span {
	uint32_t start;
	uint32_t end;
};

struct conf_diags;

/* Keep a copy of a text under a name. Errors: SG_NOMEM, SG_LIMIT. */
SG_MUSTCHECK enum sg_err
diags_source_add(struct conf_diags *diags, const char *name, const char *text,
	size_t len, const struct diag_source **ret_source);

/* The source was parsed whole: diags_secret() told all its secrets. */
void
diags_source_parsed(struct conf_diags *diags, const struct diag_source *source);

/* Never show these bytes. */
void
diags_secret(struct conf_diags *diags, uint32_t start, uint32_t end);

/* Is it worth looking for a hint? Not when nobody will see it. */
bool
diags_is_full(const struct conf_diags *diags);

const struct diag_source *
diags_source_at(const struct conf_diags *diags, uint32_t at);
const struct diag_span *
diags_secrets(const struct conf_diags *diags, size_t *ret_n, bool *ret_is_all);

/* --- diag_line.c -------------------------------------------------------- */

struct buf;

/* One source line as it is shown. */
struct diag_line {
	const struct diag_source *source;
	uint32_t start;		     /* of the line, in the source's text */
	uint32_t end;		     /* without its line break */
	struct diag_span hidden[16]; /* in the source's text, ascending */
	size_t nhidden;
};

/* Line `number` (0 is the first), with what is secret in it found out. */
void
diag_line_init(struct diag_line *line, const struct conf_diags *diags,
	const struct diag_source *source, uint32_t number);

/* Write the line, tabs expanded, secrets as ***, cut around [from, to) when
 * it is long. The caret's column and width are those on a terminal. */
void
diag_line_print(const struct diag_line *line, uint32_t from, uint32_t to,
	struct buf *out, size_t *ret_column, size_t *ret_width);

/* A name of a key whose value nobody may see. */
bool
diag_key_is_secret(const char *key, size_t len);
/* An outermost key under which nothing is secret, whatever it is called. */
bool
diag_part_is_public(const char *key, size_t len);

/* --- scalar.c ----------------------------------------------------------- */

/*
 * The bytes of the source that became bytes [offset, offset + len) of the
 * scalar's value. False when they cannot be told.
 */
bool
scalar_locate(const struct diag_source *source, const struct conf_text *text,
	uint32_t offset, uint32_t len, struct diag_span *ret_span);

#endif
