/*
 * ast.h - what the parser makes and the checker annotates.
 *
 * Nodes live in the compiler's arena and die with it. Macros are expanded
 * here: has() is a SELECT or IDENT with is_test, comprehensions are COMP.
 */
#ifndef RULES_AST_H
#define RULES_AST_H

#include <stdbool.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/cel.h"

#define NODE_DEPTH_MAX 1024 /* levels of the tree; a + b + c is two */
#define LOCALS_MAX 64	    /* comprehension variables in scope at once */
#define LOOPS_MAX 32	    /* comprehensions in one another */

enum node_kind {
	NODE_CONST,  /* value */
	NODE_IDENT,  /* name */
	NODE_SELECT, /* args[0] . name */
	NODE_OP,     /* op; one or two args */
	NODE_CALL,   /* name(args); is_method: args[0].name(args[1..]) */
	NODE_LOGIC,  /* op is OP_AND or OP_OR; two or more args */
	NODE_COND,   /* args[0] ? args[1] : args[2] */
	NODE_LIST,   /* args */
	NODE_MAP,    /* args: key, value, key, value */
	NODE_COMP,   /* macro; args[0] is the range, then the bodies */
	NODE_BIND,   /* cel.bind(vars[0], args[0], args[1]) */
};

enum node_op {
	NODE_OP_OR,
	NODE_OP_AND,
	NODE_OP_LT,
	NODE_OP_LE,
	NODE_OP_GT,
	NODE_OP_GE,
	NODE_OP_EQ,
	NODE_OP_NE,
	NODE_OP_IN,
	NODE_OP_ADD,
	NODE_OP_SUB,
	NODE_OP_MUL,
	NODE_OP_DIV,
	NODE_OP_MOD,
	NODE_OP_NOT,
	NODE_OP_NEG,
	NODE_OP_INDEX,
};

enum node_macro {
	MACRO_ALL,
	MACRO_EXISTS,
	MACRO_EXISTS_ONE,
	MACRO_FILTER,
	MACRO_MAP,	   /* also transformList */
	MACRO_MAP_ENTRIES, /* transformMap */
};

/* What a name turned out to be. */
enum node_ref {
	REF_NONE,
	REF_SLOT,  /* index: into the environment's names */
	REF_LOCAL, /* index: the local */
	REF_NOW,
	REF_UNBOUND, /* conformance only: an error when evaluated */
};

struct node_var {
	const char *name;
	uint32_t len;
	uint32_t offset;
};

struct node {
	uint8_t kind;  /* enum node_kind */
	uint8_t op;    /* enum node_op */
	uint8_t macro; /* enum node_macro */
	uint8_t ref;   /* enum node_ref */
	uint8_t nvars; /* COMP: 1 or 2 */
	bool is_method;
	bool is_test;	 /* has() */
	bool is_rooted;	 /* .name */
	bool is_quoted;	 /* .`name` */
	bool is_closed;	 /* stands in parentheses */
	bool has_filter; /* MAP with a condition: args[1] condition */
	bool is_state;	 /* reads a slot or now */
	bool is_bad;	 /* unknown function: an error when evaluated */
	bool is_field;	 /* SELECT of a record: index */
	bool is_local;	 /* a getter in the environment's own zone */
	uint16_t depth;
	uint16_t min_local; /* smallest local it reads; UINT16_MAX: none */
	uint32_t offset;    /* its text in the source */
	uint32_t len;
	uint32_t name_offset; /* of the member name or operator */
	uint32_t name_len;
	const char *name; /* not NUL-terminated */
	uint32_t nargs;
	uint32_t index; /* of ref, of a record's field, or the first local */
	const struct cel_fn_row *fn;
	struct node **args;
	struct node_var vars[2];
	struct value value;
	const struct type *type;
};

/* a < b is b > a. */
static inline enum node_op
node_op_mirrored(enum node_op op)
{
	switch (op) {
	case NODE_OP_LT:
		return NODE_OP_GT;
	case NODE_OP_LE:
		return NODE_OP_GE;
	case NODE_OP_GT:
		return NODE_OP_LT;
	case NODE_OP_GE:
		return NODE_OP_LE;
	default:
		return op;
	}
}

#endif
