/*
 * frame.h - one evaluation in progress, and what the library may do with it.
 */
#ifndef RULES_FRAME_H
#define RULES_FRAME_H

#include "code.h"
#include "segmentd/change.h"
#include "segmentd/civil.h"

#define SCRATCH_BYTES ((size_t)1 << 20)
#define WORK_MAX UINT64_C(4000000) /* steps; a step is a few ns */
#define COMPARE_DEPTH_MAX 64

/* An && or || being evaluated. */
struct logic {
	int64_t outer_ms;   /* valid_until of what surrounds it */
	int64_t least_ms;   /* of its operands so far */
	struct value error; /* the first one; kind VALUE_NULL: none */
};

/* A comprehension being evaluated. */
struct loop {
	struct value range;
	struct value *items; /* result of map and filter */
	uint32_t nitems;
	uint32_t at;
	uint32_t local;
	uint8_t macro;
	uint8_t nvars;
	bool is_found;	/* exists_one: exactly one so far */
	uint32_t count; /* exists_one: how many so far */
	int64_t outer_ms;
	int64_t least_ms;
	struct value error;
};

struct remembered {
	uint64_t epoch;
	struct value value;
	int64_t until_ms;
};

struct cel_frame {
	const struct insn *pc;
	struct value *sp; /* the next free place */
	const struct cel_prog *prog;
	const struct cel_host *host;
	int64_t now_ms;
	int64_t until_ms; /* of what was evaluated so far */
	uint64_t work;
	const struct tz *zone; /* of the getter being called */
	struct logic *logic;   /* the next free */
	struct loop *loop;     /* the next free */
	uint64_t epoch;
	size_t used;
	uint8_t *scratch;
	struct remembered remembered[CEL_REMEMBER_MAX];
	struct value stack[STACK_MAX];
	struct value locals[LOCALS_MAX];
	struct logic logics[LOGIC_MAX];
	struct loop loops[LOOPS_MAX];
};

/* Memory until the next evaluation; NULL when the bound is reached. */
void *
frame_alloc(struct cel_frame *frame, size_t size);
struct value *
frame_values(struct cel_frame *frame, size_t n);

/* Count `n` steps; false when the evaluation has cost too much. */
static inline bool
frame_spend(struct cel_frame *frame, uint64_t n)
{
	frame->work += n;
	return frame->work <= WORK_MAX;
}

#define ERR_ABSENT "the name has no value"
#define ERR_COST "the expression costs too much"
#define ERR_SPACE "the expression needs too much memory"
#define ERR_OVERLOAD "no such overload"
#define ERR_ZONE "time zone not known"
#define ERR_NULL "null where a value is needed"

/* The result holds only until `at_ms`. */
static inline void
frame_until(struct cel_frame *frame, int64_t at_ms)
{
	if (at_ms < frame->until_ms)
		frame->until_ms = at_ms;
}

/* --- time.c: values that move ------------------------------------------ */

/* Instants and lengths in nanoseconds. */
typedef __int128 nanos_t;

static inline nanos_t
value_nanos(struct value v)
{
	return (nanos_t)v.as.i * 1000000000 + v.nanos;
}

/* -1, 0, 1 of two timestamps or two durations; notes when `op` flips. */
int
moving_compare(struct cel_frame *frame, struct value a, struct value b,
	enum node_op op);

/* Note the instant at which nanoseconds `at` that move with `slope` leave
 * [low, high]. */
void
moving_leaves(struct cel_frame *frame, nanos_t at, int slope, nanos_t low,
	nanos_t high);

/* A timestamp or duration in range, else an error. */
struct value
moving_make(struct cel_frame *frame, enum value_kind kind, nanos_t nanos,
	int slope);

/* The zone a string value names; NULL when there is none. */
const struct tz *
cel_zone(struct value name);

/* --- compare.c ---------------------------------------------------------- */

/* CEL's ==: 1, 0; -1 when it cannot be told (too deep, too costly). */
int
cel_equal(struct cel_frame *frame, struct value a, struct value b);

/* -1, 0, 1; 2: unordered (NaN); 3: no such overload. */
int
cel_order(struct cel_frame *frame, struct value a, struct value b,
	enum node_op op);

/* v op w as a bool or an error. */
struct value
cel_compare(struct cel_frame *frame, enum node_op op, struct value v,
	struct value w);
struct value
cel_in(struct cel_frame *frame, struct value v, struct value list);

/* The entry of a map; NULL when there is none. */
const struct value *
cel_lookup(struct cel_frame *frame, struct value map, struct value key);

/* --- arith.c ------------------------------------------------------------ */

struct value
cel_add(struct cel_frame *frame, struct value v, struct value w);
struct value
cel_sub(struct cel_frame *frame, struct value v, struct value w);
struct value
cel_mul(struct value v, struct value w);
struct value
cel_div(struct value v, struct value w);
struct value
cel_mod(struct value v, struct value w);
struct value
cel_neg(struct cel_frame *frame, struct value v);
struct value
cel_index(struct cel_frame *frame, struct value v, struct value key);

/* Which error an operator gives for operands it does not take. */
struct value
cel_no_overload(struct value v, struct value w);

/* Run code from `start` to its halt. */
struct value
frame_run(struct cel_frame *frame, uint32_t start);
void
frame_begin(struct cel_frame *frame, const struct cel_prog *prog,
	const struct cel_host *host, int64_t now_ms);

/* cel_eval() by the code, whatever other form the program has. */
struct cel_result
cel_run(const struct cel_prog *prog, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms);

/* --- quick.c ------------------------------------------------------------ */

/* Evaluate the direct form of a program. False: something is not as it mostly
 * is (an error, a null, another type), and the code has to run. */
bool
quick_run(const struct cel_prog *prog, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms,
	struct cel_result *ret_result);

#endif
