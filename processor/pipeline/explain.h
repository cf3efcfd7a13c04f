/*
 * explain.h - why an account is where it is: every clause with its value.
 */
#ifndef PIPELINE_EXPLAIN_H
#define PIPELINE_EXPLAIN_H

#include "decide.h"
#include "segmentd/pipeline.h"

/* Explain a loaded account at an instant. Nothing of it changes. The result
 * lies in `arena`. Errors: SG_NOMEM. */
SG_MUSTCHECK enum sg_err
explain_account(const struct program *prog, const struct account *acct,
	int64_t at_ms, struct arena *arena,
	struct explanation *ret_explanation);

#endif
