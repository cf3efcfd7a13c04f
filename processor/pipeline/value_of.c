/* value_of.c - a number of an account, by its name in expressions. */
#include "value_of.h"

#include <math.h>
#include <string.h>

uint32_t
value_slot(const struct program *prog, const char *name)
{
	for (uint32_t i = 0; name != NULL && i < prog->nslots; i++) {
		if (strcmp(prog->slots[i].name, name) == 0)
			return i;
	}
	return VALUE_NO_SLOT;
}

double
value_of(struct decider *decider, const struct account *acct, int64_t now_ms,
	uint32_t slot)
{
	struct value v;

	if (slot == VALUE_NO_SLOT)
		return NAN;
	decide_view_begin(decider, acct, now_ms);
	v = decide_view(decider, slot);
	switch (v.kind) {
	case VALUE_DOUBLE:
		return v.as.d;
	case VALUE_INT:
		return (double)v.as.i;
	case VALUE_UINT:
		return (double)v.as.u;
	default:
		return NAN;
	}
}
