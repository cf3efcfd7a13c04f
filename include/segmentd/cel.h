/*
 * cel.h - expressions: a subset of CEL, compiled once, evaluated without
 * allocation, each value with the instant until which it holds.
 *
 * Source: the CEL language definition (cel-spec); lists as Kubernetes has
 * them; strings, math, base64, cel.bind and comprehensions with two variables
 * as cel-go has them. No protobuf messages, enums, optionals or matches().
 * tests/conformance runs the official cases.
 *
 * Beyond CEL:
 *  - `now` is a timestamp; days(n), hours(n), minutes(n) and seconds(n) are
 *    durations, -d is allowed for them;
 *  - a name that was declared but has no value (VALUE_ABSENT) is an error to
 *    read, false to has(), as a missing field is;
 *  - a value that may be null is usable where its type is wanted; reading
 *    null there is an error at run time, `x == null` asks;
 *  - every evaluation yields valid_until: the first millisecond at which the
 *    result could differ if nothing happens but time. It is found from the
 *    slope of values derived from `now`, from calendar boundaries, and from
 *    what cel_host.load says of the values it hands out. It may be early (then
 *    the evaluation is repeated and nothing has changed), never late.
 */
#ifndef SEGMENTD_CEL_H
#define SEGMENTD_CEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/err.h"
#include "segmentd/type.h"
#include "segmentd/value.h"

#define CEL_SOURCE_MAX 65536 /* bytes of one expression */
#define CEL_DEPTH_MAX 128    /* nesting */
#define CEL_NAMES_MAX 4096   /* declared names of one environment */

/* --- what an expression may speak of ------------------------------------ */

struct cel_env;

enum cel_env_flags {
	CEL_ENV_NO_NOW = 1,	 /* `now` is a mistake here: the value is folded
				    into state and must not depend on the clock */
	CEL_ENV_CONFORMANCE = 2, /* standard CEL only: unknown names are
			       unbound at run time, no extensions of ours
			       to the checker */
};

SG_MUSTCHECK enum sg_err
cel_env_create(unsigned flags, struct cel_env **ret_env);
void
cel_env_destroy(struct cel_env *env);

/*
 * Declare a dotted name ("usage.logins_14d") with its type and the slot number
 * under which cel_host.load() is asked for it. In an expression the longest
 * declared prefix wins, what follows is field selection.
 *
 * Owner: names are copied; `type` must outlive the env and its programs.
 * Errors: SG_NOMEM, SG_LIMIT, SG_BAD_OPTION (declared twice).
 */
SG_MUSTCHECK enum sg_err
cel_env_declare(struct cel_env *env, const char *name, const struct type *type,
	uint32_t slot);

/* The zone for calendar getters without an argument; default UTC. */
struct tz;
void
cel_env_timezone(struct cel_env *env, const struct tz *tz);

/*
 * The zone is what a declared name holds when the getter is evaluated; then a
 * getter without an argument reads that name as if it had been written there.
 * A zone that is not known is an error of the getter.
 * Errors: SG_BAD_OPTION: the name was not declared.
 */
SG_MUSTCHECK enum sg_err
cel_env_timezone_name(struct cel_env *env, const char *name);

/* --- compiling ---------------------------------------------------------- */

/* A mistake: where in the source (byte offset and length), what, and a hint
 * ("did you mean account.arr?"), "" when there is none. */
struct cel_diag {
	uint32_t offset;
	uint32_t len;
	char text[240];
	char hint[160];
};

struct cel_diags {
	struct cel_diag items[16];
	size_t n; /* never above the array; the first ones are kept */
};

struct cel_prog;

/*
 * Compile `source`. `want` (may be NULL) is the type the result must have
 * (TYPE_DYN results are accepted and checked when evaluated).
 *
 * Owner:  the caller, who gives it to cel_prog_destroy() before the env.
 * Errors: SG_BAD_CONFIG with the mistakes in *diags; SG_NOMEM; SG_LIMIT.
 */
SG_MUSTCHECK enum sg_err
cel_compile(struct cel_env *env, const char *source, size_t len,
	const struct type *want, struct cel_diags *diags,
	struct cel_prog **ret_prog);
void
cel_prog_destroy(struct cel_prog *prog);

const char *
cel_prog_source(const struct cel_prog *prog);
const struct type *
cel_prog_type(const struct cel_prog *prog);

/* The slots it reads, ascending, without repeats. */
const uint32_t *
cel_prog_slots(const struct cel_prog *prog, size_t *ret_n);

/* Does it make a text of a time that moves with `now`? That one is another
 * every millisecond, so its outcome is valid for no longer. */
bool
cel_prog_prints_now(const struct cel_prog *prog);

/* --- evaluating --------------------------------------------------------- */

/*
 * What the evaluator asks its caller. load() fills in the value of a slot at
 * `now_ms` and the first instant at which it could differ with no event
 * (AT_NEVER of change.h when it cannot); a value may carry a slope, see
 * cel_result. It may itself evaluate another
 * program with another frame. VALUE_ABSENT and VALUE_ERROR are legal values.
 */
struct cel_host {
	void (*load)(void *ctx, uint32_t slot, int64_t now_ms,
		struct value *ret_value, int64_t *ret_valid_until_ms);
	void *ctx;
	struct cel_memo *memo; /* NULL: none */
	uint32_t epoch;
};

/*
 * What load() has handed out already, by slot. A host that keeps it lets
 * programs read values without a call: those whose epoch is the host's. load()
 * writes the memo of the slot. Programs made of comparisons with constants then
 * run in their direct form (rules/quick.c), with the same result.
 */
struct cel_memo {
	uint32_t epoch; /* of the host when it was loaded */
	struct value value;
	int64_t until_ms;
};

/*
 * A result may move: value.slope (of an element, in a list or map) is not 0
 * when it changes with every instant, as `now - account.created` does. Then
 * valid_until_ms is when it leaves the line that the slope describes, so that
 * a program which reads it through cel_host.load() still knows exactly when
 * its own result flips. Who takes the value as it stands asks
 * cel_fixed_until().
 */
struct cel_result {
	struct value value; /* VALUE_ERROR when it failed */
	int64_t valid_until_ms;
};

/* valid_until_ms for a reader who does not follow slopes: now_ms + 1 when the
 * value or any part of it moves. */
int64_t
cel_fixed_until(const struct cel_result *result, int64_t now_ms);

/*
 * Scratch for one evaluation at a time: stack, temporaries, work counter.
 * Bounded; what goes beyond the bound is a VALUE_ERROR.
 * Owner: the caller. Thread: one at a time.
 */
struct cel_frame;
SG_MUSTCHECK enum sg_err
cel_frame_create(struct cel_frame **ret_frame);
void
cel_frame_destroy(struct cel_frame *frame);

/* Valid until: (the result's contents) the next evaluation with `frame`, and
 * as long as what load() handed out. */
struct cel_result
cel_eval(const struct cel_prog *prog, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms);

/*
 * Evaluate programs one after the other until one is true or fails. Returns
 * its place, or n when all are false. *ret_result is its value, and the first
 * instant at which anything of that could differ.
 * Valid until: as cel_eval().
 */
size_t
cel_first(struct cel_prog *const *progs, size_t n, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms,
	struct cel_result *ret_result);

/* Is it the error of a name that was declared but has no value? */
bool
cel_is_absent(struct value v);

/* --- explaining --------------------------------------------------------- */

/*
 * One deciding part of a boolean expression: the smallest set of sub-
 * expressions (split at &&, ||, ! and ?:) whose values alone force the
 * result. "a && b && c" that is false because of b is explained by b.
 */
struct cel_atom {
	uint32_t offset; /* of its text in the source */
	uint32_t len;
	struct value value;
	int64_t valid_until_ms;
	const uint32_t *slots; /* the slots it read, ascending */
	size_t nslots;
};

/*
 * Evaluate and explain. At most `max` atoms are written to `atoms`.
 * Returns the number of atoms. *ret_result is as of cel_eval().
 *
 * Valid until: as cel_eval().
 */
size_t
cel_explain(const struct cel_prog *prog, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms, struct cel_atom *atoms,
	size_t max, struct cel_result *ret_result);

#endif
