/* types.h - what the checker asks about static types. */
#ifndef RULES_TYPES_H
#define RULES_TYPES_H

#include "compiler.h"

/* The element type of an empty list or map: it becomes whatever it meets. */
extern const struct type cel_type_free;

bool
type_is_dyn(const struct type *type);
bool
type_is_number(const struct type *type);
bool
type_is_ordered(const struct type *type);

/* The type that holds both; dyn when there is none closer. */
const struct type *
type_join(struct compiler *cc, const struct type *a, const struct type *b);

/* False when no value of one can equal a value of the other. */
bool
type_can_equal(const struct type *a, const struct type *b);

/* A value of `from` can be used where `want` is asked for, at least maybe. */
bool
type_fits(const struct type *from, const struct type *want);

/* "list(int)" for a message. Valid until: `text` is. */
const char *
type_text(const struct type *type, char *text, size_t cap);

#define TYPE_TEXT_MAX 96

#endif
