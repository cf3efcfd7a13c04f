/*
 * machine.h - the stack of the machine, for the files its instructions are in.
 */
#ifndef RULES_MACHINE_H
#define RULES_MACHINE_H

#include "frame.h"

static inline void
push(struct cel_frame *fr, struct value v)
{
	*fr->sp++ = v;
}

static inline struct value
pop(struct cel_frame *fr)
{
	return *--fr->sp;
}

static inline void
jump(struct cel_frame *fr, uint32_t to)
{
	fr->pc = fr->prog->code + to;
}

static inline struct value
not_bool(struct value v)
{
	if (v.kind == VALUE_ERROR)
		return v;
	return value_error(v.kind == VALUE_NULL ? ERR_NULL : ERR_OVERLOAD);
}

/* comprehend.c: all(), exists(), filter(), map(), ... */
void
op_comp_begin(struct cel_frame *fr, const struct insn *in);
void
op_comp_next(struct cel_frame *fr, const struct insn *in);
void
op_comp_test(struct cel_frame *fr, const struct insn *in);
void
op_comp_take(struct cel_frame *fr, const struct insn *in);

#endif
