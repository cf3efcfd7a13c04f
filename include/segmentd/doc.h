/*
 * doc.h - a YAML text as a tree that knows where each part stands.
 *
 * What segmentd reads is a plain subset of YAML 1.2: maps with text keys,
 * lists, scalars. Anchors, aliases, merge keys, tags, several documents and
 * duplicate keys are mistakes. A scalar is always a text here; who reads it
 * says what it must look like.
 */
#ifndef SEGMENTD_DOC_H
#define SEGMENTD_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/err.h"

#define DOC_SIZE_MAX (4 << 20) /* bytes of a file */
#define DOC_NODES_MAX 65536
#define DOC_DEPTH_MAX 32

/* A scalar of a file. `s` is NULL where the key is absent, else NUL-
 * terminated. The rest says where it stands, for conf_diag_at(). */
struct conf_text {
	const char *s;
	size_t len;
	uint32_t line;	 /* 1 is the first; 0: it stands nowhere (a default) */
	uint32_t column; /* 1 is the first, in characters */
	uint32_t start;	 /* byte offsets of the node among the sources that */
	uint32_t end;	 /* the diags hold */
	uint8_t style;	 /* yaml_scalar_style_t, private to conf/ */
};

enum doc_kind {
	DOC_TEXT,
	DOC_LIST,
	DOC_MAP,
	DOC_BAD /* was reported: say nothing more about it */
};

/* Children are linked in the order of the file. */
struct doc_node {
	enum doc_kind kind;
	bool is_null;	/* a plain scalar that is empty, ~ or null */
	bool is_repeat; /* private: a second child under one key, taken out */
	struct conf_text key;  /* of a child of a map; else s is NULL */
	struct conf_text text; /* a text's value; else its place only */
	struct doc_node *first;
	struct doc_node *next;
	size_t n; /* children */
};

struct doc;
struct conf_diags;

/*
 * Parse `len` bytes; `name` is for messages. The text is copied.
 *
 * Errors: SG_BAD_CONFIG when it is no such YAML, or not a map; the diags say
 * why. SG_NOMEM. Other mistakes (a duplicate key) are in the diags only.
 * Owner: the caller, who gives it to doc_destroy().
 */
SG_MUSTCHECK enum sg_err
doc_parse(const char *name, const char *yaml, size_t len,
	struct conf_diags *diags, struct doc **ret_doc);
SG_MUSTCHECK enum sg_err
doc_read(const char *path, struct conf_diags *diags, struct doc **ret_doc);
void
doc_destroy(struct doc *doc);

/* The outermost map. Valid until: doc_destroy(). */
const struct doc_node *
doc_root(const struct doc *doc);

/* The child of a map under that key; NULL when there is none. */
const struct doc_node *
doc_get(const struct doc_node *map, const char *key);

/* The one of `words` (NULL ends them) that `text` perhaps was meant to be;
 * NULL when none is near. */
const char *
name_nearest(const char *text, const char *const *words);

#endif
