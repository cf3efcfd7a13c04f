/* parse.h - between parse.c and macro.c. */
#ifndef RULES_PARSE_H
#define RULES_PARSE_H

#include <stdio.h>

#include "lex.h"

struct parser {
	struct compiler *cc;
	struct lexer lexer;
	struct token tok;
	uint32_t prev_end; /* where the last token ended */
	int depth;
	bool is_failed;
};

struct node_list {
	struct node **items;
	uint32_t n;
	uint32_t cap;
};

/* Report and fail: always NULL. */
struct node *
parse_fail(struct parser *ps, uint32_t offset, uint32_t len, const char *hint,
	const char *what);

struct node *
parse_node(struct parser *ps, enum node_kind kind, uint32_t offset);
struct node *
parse_finish(
	struct parser *ps, struct node *node, struct node **args, uint32_t n);

/* A call that is a macro, expanded; any other call as it is; NULL when it is
 * a macro used wrongly. */
struct node *
parse_macro(struct parser *ps, struct node *call);

#endif
