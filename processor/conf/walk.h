/*
 * walk.h - reading parts of the tree, and saying what is wrong with them.
 *
 * A reader gets a node and fills a struct of conf.h. What is wrong is reported
 * and left out, so that all mistakes of a file come out in one go. Functions
 * returning bool return false when they reported something (or memory ran out:
 * walk->err).
 */
#ifndef CONF_WALK_H
#define CONF_WALK_H

#include "diag.h"
#include "segmentd/arena.h"

#define CONF_NAME_MAX 64
#define CONF_EXPR_MAX 65536 /* bytes, as CEL_SOURCE_MAX */

struct walk {
	struct conf_diags *diags;
	struct arena *arena; /* of the conf: what outlives the tree */
	const char *dir;     /* relative paths begin here */
	enum sg_err err;     /* SG_OK, or SG_NOMEM */
	size_t nunknown;     /* keys that nobody knows. One of them is
				probably what seems to be missing */
};

/* A mistake about a node's value, or about the key it stands under. */
__attribute__((format(printf, 4, 5))) void
walk_fault(struct walk *walk, const struct doc_node *node, const char *hint,
	const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void
walk_key_fault(struct walk *walk, const struct doc_node *node, const char *hint,
	const char *fmt, ...);

/* Room in the conf, cleared. NULL also sets walk->err, unless n is 0. */
void *
walk_array(struct walk *walk, size_t n, size_t size);

/* Is the node of that kind? `what` describes what is wanted. */
bool
walk_is(struct walk *walk, const struct doc_node *node, enum doc_kind kind,
	const char *what);

/* A text as it stands; "" is a mistake unless `may_be_empty`. */
bool
walk_text(struct walk *walk, const struct doc_node *node, bool may_be_empty,
	struct conf_text *ret_text);
/* The same with ${NAME} replaced by the environment, ${file:PATH} by the
 * content of a file. */
bool
walk_env_text(struct walk *walk, const struct doc_node *node, bool may_be_empty,
	struct conf_text *ret_text);
/* A path of a file: one that is relative gets walk->dir in front. */
bool
walk_file(struct walk *walk, const struct doc_node *node,
	struct conf_text *ret_path);
bool
walk_resolve(struct walk *walk, struct conf_text *path);
/* An expression: not empty, within CEL's bound, nothing replaced. */
bool
walk_expr(struct walk *walk, const struct doc_node *node,
	struct conf_text *ret_text);
/* A key, kept. */
bool
walk_key(struct walk *walk, const struct doc_node *node,
	struct conf_text *ret_text);

bool
walk_span(struct walk *walk, const struct doc_node *node, int64_t min_ms,
	int64_t max_ms, int64_t *ret_ms);
bool
walk_int(struct walk *walk, const struct doc_node *node, int64_t min,
	int64_t max, int64_t *ret_int);
/* A decimal number of at most 15 digits. */
bool
walk_number(struct walk *walk, const struct doc_node *node, double *ret_number);

/* The index of the child's key among `keys` (NULL ends them), -1 when it is
 * none: that is reported, with what was perhaps meant. */
int
walk_find(struct walk *walk, const struct doc_node *child,
	const char *const *keys, const char *where);

/* --- names.c ------------------------------------------------------------ */

enum name_kind {
	NAME_INPUT,
	NAME_FEATURE,
	NAME_VARIABLE,
	NAME_SCORE,
	NAME_CLAUSE,
	NAME_SEGMENTATION,
	NAME_SEGMENT,
};

/* Is it a name of that kind? `text` is the key or value it stands in. */
bool
name_check(
	struct walk *walk, const struct conf_text *text, enum name_kind kind);

/* A path of a field: names with dots between. */
bool
path_check(struct walk *walk, const struct conf_text *text);
bool
topic_check(struct walk *walk, const struct conf_text *text);

/* "did you mean `x`?", else the words themselves when they are few, else "".
 * Returns `hint`. */
const char *
name_hint(const char *text, const char *const *words, char *hint, size_t cap);

/* --- numbers.c ---------------------------------------------------------- */

bool
parse_int(const char *text, size_t len, int64_t *ret_int);
/* "512MiB", "64KiB", "1048576" */
bool
parse_size(const char *text, size_t len, int64_t *ret_bytes);
bool
parse_decimal(const char *text, size_t len, double *ret_number);
/* The way back, in the largest unit that fits: "7d", "512MiB". */
#define UNIT_TEXT_MAX 32
const char *
span_text(int64_t ms, char text[UNIT_TEXT_MAX]);
const char *
size_text(int64_t bytes, char text[UNIT_TEXT_MAX]);

/* --- the parts ---------------------------------------------------------- */

/* options.c */
bool
options_defaults(struct walk *walk, struct conf_options *opt);
/* The options among the children of the root. A key of the root that is
 * neither an option nor one of `others` (NULL ends them) is a mistake. */
void
options_read(struct walk *walk, const struct doc_node *root,
	const char *const *others, struct conf_options *opt);
/* path=value of the command line; `text` stands in a source of its own. */
void
options_set(struct walk *walk, const struct conf_option *row,
	const struct conf_text *text, struct conf_options *opt);
const struct conf_option *
options_find(const char *path, size_t len);
void
options_check(struct walk *walk, const struct conf_options *opt);

/* inputs.c, features.c */
void
inputs_read(struct walk *walk, const struct doc_node *node, struct conf *conf);
void
features_read(struct walk *walk, const struct doc_node *node,
	struct conf_input *input);

/* segmentations.c */
void
segmentations_read(
	struct walk *walk, const struct doc_node *node, struct conf *conf);

/* derived.c: variables, scores, renewal */
void
variables_read(
	struct walk *walk, const struct doc_node *node, struct conf *conf);
void
scores_read(struct walk *walk, const struct doc_node *node, struct conf *conf);
void
renewal_read(struct walk *walk, const struct doc_node *node, struct conf *conf);

/* kafka.c: properties, and ids of schemas */
void
kafka_read(struct walk *walk, const struct doc_node *node, struct conf *conf);
bool
kafka_prop_check(struct walk *walk, const struct conf_text *name,
	const struct conf_text *value);
void
schema_ids_read(
	struct walk *walk, const struct doc_node *node, struct conf *conf);

#endif
