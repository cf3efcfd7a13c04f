/* value_of.h - a number of an account, by its name in expressions. */
#ifndef PIPELINE_VALUE_OF_H
#define PIPELINE_VALUE_OF_H

#include "decide.h"

#define VALUE_NO_SLOT UINT32_MAX

/* VALUE_NO_SLOT when there is no such name, or `name` is NULL. */
uint32_t
value_slot(const struct program *prog, const char *name);

/* NaN when the account has none, or it is no number. */
double
value_of(struct decider *decider, const struct account *acct, int64_t now_ms,
	uint32_t slot);

#endif
