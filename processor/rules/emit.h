/* emit.h - between emit.c, fold.c and program.c. */
#ifndef RULES_EMIT_H
#define RULES_EMIT_H

#include "code.h"
#include "compiler.h"

uint32_t
emit_op(struct compiler *cc, enum cel_op op, uint32_t x, uint32_t a,
	uint32_t b);
uint32_t
emit_const(struct compiler *cc, struct value v);
void
emit_node(struct compiler *cc, struct node *node);

/* The value of a node that depends on nothing; false when it does, fails or
 * would be large. It lies in the compiler's arena. */
bool
fold(struct compiler *cc, struct node *node, struct value *ret_value);

/* The direct form of a tree whose constants are folded; *ret_n is 0 when it has
 * none. Its constants lie where those of the tree do. */
void
quick_build(struct compiler *cc, const struct node *root,
	struct quick_step **ret_steps, uint32_t *ret_n);

/* Emit code for `root` and seal the program. */
enum sg_err
emit_program(
	struct compiler *cc, struct node *root, struct cel_prog **ret_prog);

#endif
