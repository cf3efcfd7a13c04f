/*
 * library.h - the functions, and how the checker sees them.
 *
 * One row per overload; all rows of a name share the implementation, which
 * looks at the kinds it is given. Parameters and results are letters:
 *
 *   b bool  i int  u uint  d double  s string  y bytes  t timestamp
 *   r duration  T type  * anything  L list  M map
 *   S list of string  Q list that has a sum  C list that has an order
 *   N list of numbers
 *   e (result) the element of the first argument   l (result) its type
 */
#ifndef RULES_LIBRARY_H
#define RULES_LIBRARY_H

#include "frame.h"

typedef struct value (*cel_fn)(
	struct cel_frame *frame, const struct value *args, uint32_t nargs);

struct cel_fn_row {
	const char *name;
	const char *params; /* the receiver is the first */
	char result;
	bool is_method;
	bool is_ours; /* not standard CEL */
	cel_fn fn;
};

extern const struct cel_fn_row cel_fns[];
extern const size_t cel_fn_count;

#endif
