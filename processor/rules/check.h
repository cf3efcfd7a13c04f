/* check.h - between the files of the checker. */
#ifndef RULES_CHECK_H
#define RULES_CHECK_H

#include "types.h"

const struct type *
check_node(struct compiler *cc, struct node *node);

/* Check argument `i` and take over what it depends on. */
const struct type *
check_child(struct compiler *cc, struct node *node, uint32_t i);
const struct type *
check_set(struct node *node, const struct type *type);

/* dyn and SG_NOMEM for NULL. */
const struct type *
check_type(struct compiler *cc, const struct type *type);

/* Report when the checked `node` cannot be a bool. */
bool
check_bool(struct compiler *cc, const struct node *node, const char *who);

const struct type *
check_op(struct compiler *cc, struct node *node);
const struct type *
check_logic(struct compiler *cc, struct node *node);
const struct type *
check_cond(struct compiler *cc, struct node *node);
const struct type *
check_call(struct compiler *cc, struct node *node);

#endif
