/*
 * eval.c - the machine that runs a program.
 *
 * One function per instruction, inlined into one switch. A frame holds all it
 * needs; nothing is allocated.
 *
 * valid_until is gathered in frame->until_ms: whatever is evaluated lowers it
 * to the instant at which its own outcome could differ. && and || and the
 * comprehensions keep what their operands gather apart, so that an operand
 * that did not decide does not count:
 *
 *   logic_begin   outer = until, until = never
 *   after each operand that does not decide: least = min(least, until),
 *                 until = never
 *   one decides:  until = min(outer, until)       the others do not matter
 *   none decides: until = min(outer, least)       all of them matter
 *
 * INVARIANT: as long as time is before until_ms, running the same program
 * takes the same way to the same result: every step that depends on time has
 * lowered it.
 */
#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "machine.h"
#include "segmentd/cel.h"

#define ERR_FIELD "no such field"
#define ERR_KEY "no such key"

void *
frame_alloc(struct cel_frame *frame, size_t size)
{
	size_t at = frame->used;

	size = (size + 15) & ~(size_t)15;
	if (size > SCRATCH_BYTES - at)
		return NULL;
	frame->used = at + size;
	return frame->scratch + at;
}

struct value *
frame_values(struct cel_frame *frame, size_t n)
{
	if (n > SCRATCH_BYTES / sizeof(struct value))
		return NULL;
	return frame_alloc(frame, n * sizeof(struct value));
}

/* --- values ------------------------------------------------------------- */

static inline void
op_konst(struct cel_frame *fr, const struct insn *in)
{
	push(fr, fr->prog->consts[in->a]);
}

static inline void
op_now(struct cel_frame *fr, const struct insn *in)
{
	struct value v = moving_make(
		fr, VALUE_TIMESTAMP, (nanos_t)fr->now_ms * 1000000, 1);

	(void)in;
	push(fr, v);
}

static inline struct value
load_first(struct cel_frame *fr, uint32_t slot)
{
	struct value v = value_absent();
	int64_t until_ms = AT_NEVER;

	fr->host->load(fr->host->ctx, slot, fr->now_ms, &v, &until_ms);
	frame_until(fr, until_ms);
	return v;
}

static struct value
load_again(struct cel_frame *fr, uint32_t index)
{
	struct remembered *seen = &fr->remembered[index];

	if (seen->epoch != fr->epoch) {
		int64_t outer_ms = fr->until_ms;

		fr->until_ms = AT_NEVER;
		seen->value = load_first(fr, fr->prog->slots[index]);
		seen->until_ms = fr->until_ms;
		seen->epoch = fr->epoch;
		fr->until_ms = outer_ms;
	}
	frame_until(fr, seen->until_ms);
	return seen->value;
}

static inline struct value
load(struct cel_frame *fr, const struct insn *in)
{
	if ((in->x & X_REMEMBER) != 0 && in->a < CEL_REMEMBER_MAX)
		return load_again(fr, in->a);
	return load_first(fr, fr->prog->slots[in->a]);
}

static inline struct value
load_present(struct cel_frame *fr, const struct insn *in)
{
	struct value v = load(fr, in);

	return v.kind == VALUE_ABSENT ? value_error(ERR_ABSENT) : v;
}

static inline void
op_slot(struct cel_frame *fr, const struct insn *in)
{
	push(fr, load_present(fr, in));
}

static inline struct value
is_there(struct value v)
{
	if (v.kind == VALUE_ERROR)
		return v;
	return value_bool(v.kind != VALUE_ABSENT && v.kind != VALUE_NULL);
}

static inline void
op_slot_has(struct cel_frame *fr, const struct insn *in)
{
	push(fr, is_there(load(fr, in)));
}

static inline void
op_local(struct cel_frame *fr, const struct insn *in)
{
	push(fr, fr->locals[in->a]);
}

static inline void
op_set_local(struct cel_frame *fr, const struct insn *in)
{
	fr->locals[in->a] = pop(fr);
}

/* --- members ------------------------------------------------------------ */

static struct value
field_of(struct value v, uint32_t index)
{
	if (v.kind == VALUE_ERROR)
		return v;
	if (v.kind == VALUE_NULL)
		return value_error(ERR_NULL);
	if (v.kind != VALUE_RECORD || index >= v.len)
		return value_error(ERR_FIELD);
	return v.as.items[index];
}

static void
op_field(struct cel_frame *fr, const struct insn *in)
{
	struct value v = field_of(pop(fr), in->a);

	push(fr, v.kind == VALUE_ABSENT ? value_error(ERR_FIELD) : v);
}

static void
op_field_has(struct cel_frame *fr, const struct insn *in)
{
	push(fr, is_there(field_of(pop(fr), in->a)));
}

/* An entry of a map by name, or an error. */
static struct value
member_of(struct cel_frame *fr, struct value v, struct value name,
	bool *ret_is_found)
{
	const struct value *found;

	*ret_is_found = false;
	if (v.kind == VALUE_ERROR)
		return v;
	if (v.kind == VALUE_NULL)
		return value_error(ERR_NULL);
	if (v.kind != VALUE_MAP)
		return value_error("it has no fields");
	if (!frame_spend(fr, v.len))
		return value_error(ERR_COST);
	found = cel_lookup(fr, v, name);
	*ret_is_found = true;
	return found == NULL ? value_absent() : *found;
}

static void
op_member(struct cel_frame *fr, const struct insn *in)
{
	bool is_found;
	struct value v =
		member_of(fr, pop(fr), fr->prog->consts[in->a], &is_found);

	push(fr, v.kind == VALUE_ABSENT ? value_error(ERR_KEY) : v);
}

static void
op_member_has(struct cel_frame *fr, const struct insn *in)
{
	bool is_found;
	struct value v =
		member_of(fr, pop(fr), fr->prog->consts[in->a], &is_found);

	push(fr, is_found ? value_bool(v.kind != VALUE_ABSENT) : v);
}

/* --- decisions ---------------------------------------------------------- */

static inline void
op_jump(struct cel_frame *fr, const struct insn *in)
{
	jump(fr, in->a);
}

static inline void
op_cond(struct cel_frame *fr, const struct insn *in)
{
	struct value v = pop(fr);

	if (v.kind != VALUE_BOOL) {
		push(fr, not_bool(v));
		jump(fr, in->b);
	} else if (!v.as.b) {
		jump(fr, in->a);
	}
}

static inline void
op_logic_begin(struct cel_frame *fr, const struct insn *in)
{
	struct logic *lg = fr->logic++;

	(void)in;
	lg->outer_ms = fr->until_ms;
	lg->least_ms = AT_NEVER;
	lg->error.kind = VALUE_NULL;
	fr->until_ms = AT_NEVER;
}

/* An operand is on the stack: take it; true when it decides (it is back on
 * the stack, and the logic is over). */
static inline bool
logic_take(struct cel_frame *fr, bool decides)
{
	struct logic *lg = fr->logic - 1;
	struct value v = pop(fr);

	if (v.kind == VALUE_BOOL && v.as.b == decides) {
		frame_until(fr, lg->outer_ms);
		fr->logic--;
		push(fr, v);
		return true;
	}
	if (v.kind != VALUE_BOOL && lg->error.kind == VALUE_NULL)
		lg->error = not_bool(v);
	if (fr->until_ms < lg->least_ms)
		lg->least_ms = fr->until_ms;
	fr->until_ms = AT_NEVER;
	return false;
}

/*
 * A comparison came to `b`. Most of them are operands of && or ||: then the
 * instruction behind is done here as well, without a way over the stack.
 */
static inline void
push_bool(struct cel_frame *fr, bool b)
{
	const struct insn *next = fr->pc;
	struct logic *lg = fr->logic - 1;

	if (next->op != OP_logic_next) {
		push(fr, value_bool(b));
		return;
	}
	if (b == (next->x != 0)) {
		frame_until(fr, lg->outer_ms);
		fr->logic--;
		push(fr, value_bool(b));
		jump(fr, next->a);
		return;
	}
	if (fr->until_ms < lg->least_ms)
		lg->least_ms = fr->until_ms;
	fr->until_ms = AT_NEVER;
	fr->pc = next + 1;
}

static inline void
op_logic_next(struct cel_frame *fr, const struct insn *in)
{
	if (logic_take(fr, in->x != 0))
		jump(fr, in->a);
}

static inline void
op_logic_end(struct cel_frame *fr, const struct insn *in)
{
	struct logic *lg = fr->logic - 1;

	if (logic_take(fr, in->x != 0))
		return;
	fr->until_ms = lg->least_ms;
	frame_until(fr, lg->outer_ms);
	fr->logic--;
	if (lg->error.kind != VALUE_NULL)
		push(fr, lg->error);
	else
		push(fr, value_bool(in->x == 0));
}

/* --- operators ---------------------------------------------------------- */

#define BINARY(name, call)                                                     \
	static inline void op_##name(                                          \
		struct cel_frame *fr, const struct insn *in)                   \
	{                                                                      \
		struct value w = pop(fr), v = pop(fr);                         \
                                                                               \
		(void)in;                                                      \
		push(fr, call);                                                \
	}

BINARY(add, cel_add(fr, v, w))
BINARY(sub, cel_sub(fr, v, w))
BINARY(mul, cel_mul(v, w))
BINARY(div, cel_div(v, w))
BINARY(mod, cel_mod(v, w))
BINARY(index, cel_index(fr, v, w))
BINARY(in, cel_in(fr, v, w))
BINARY(compare, cel_compare(fr, (enum node_op)in->x, v, w))

static inline void
op_neg(struct cel_frame *fr, const struct insn *in)
{
	(void)in;
	push(fr, cel_neg(fr, pop(fr)));
}

static inline void
op_not(struct cel_frame *fr, const struct insn *in)
{
	struct value v = pop(fr);

	(void)in;
	push(fr, v.kind == VALUE_BOOL ? value_bool(!v.as.b) : not_bool(v));
}

static inline void
op_compare_const(struct cel_frame *fr, const struct insn *in)
{
	struct value v = pop(fr);

	push(fr, cel_compare(
			 fr, (enum node_op)in->x, v, fr->prog->consts[in->a]));
}

#define COMPARE_AS(op, a, b, ret)                                              \
	switch (op) {                                                          \
	case NODE_OP_LT:                                                       \
		(ret) = (a) < (b);                                             \
		break;                                                         \
	case NODE_OP_LE:                                                       \
		(ret) = (a) <= (b);                                            \
		break;                                                         \
	case NODE_OP_GT:                                                       \
		(ret) = (a) > (b);                                             \
		break;                                                         \
	case NODE_OP_GE:                                                       \
		(ret) = (a) >= (b);                                            \
		break;                                                         \
	case NODE_OP_EQ:                                                       \
		(ret) = (a) == (b);                                            \
		break;                                                         \
	default:                                                               \
		(ret) = (a) != (b);                                            \
	}

static inline void
op_slot_const(struct cel_frame *fr, const struct insn *in)
{
	struct value v = load_present(fr, in);

	push(fr, cel_compare(fr, (enum node_op)(in->x & ~X_REMEMBER), v,
			 fr->prog->consts[in->b]));
}

static inline void
op_slot_int(struct cel_frame *fr, const struct insn *in)
{
	struct value v = load(fr, in);
	const struct value *k = &fr->prog->consts[in->b];
	int op = in->x & ~X_REMEMBER;
	bool is_true;

	if (v.kind == VALUE_INT) {
		COMPARE_AS(op, v.as.i, k->as.i, is_true)
		push_bool(fr, is_true);
		return;
	}
	if (v.kind == VALUE_ABSENT)
		v = value_error(ERR_ABSENT);
	push(fr, cel_compare(fr, (enum node_op)op, v, *k));
}

static inline void
op_slot_double(struct cel_frame *fr, const struct insn *in)
{
	struct value v = load(fr, in);
	const struct value *k = &fr->prog->consts[in->b];
	int op = in->x & ~X_REMEMBER;
	bool is_true;

	if (v.kind == VALUE_DOUBLE) {
		COMPARE_AS(op, v.as.d, k->as.d, is_true)
		push_bool(fr, is_true);
		return;
	}
	if (v.kind == VALUE_ABSENT)
		v = value_error(ERR_ABSENT);
	push(fr, cel_compare(fr, (enum node_op)op, v, *k));
}

static inline void
op_slot_string(struct cel_frame *fr, const struct insn *in)
{
	struct value v = load(fr, in);
	const struct value *k = &fr->prog->consts[in->b];
	int op = in->x & ~X_REMEMBER;

	if (v.kind == VALUE_STRING) {
		bool is_same =
			v.len == k->len &&
			(v.len == 0 || memcmp(v.as.s, k->as.s, v.len) == 0);

		push_bool(fr, is_same == (op == NODE_OP_EQ));
		return;
	}
	if (v.kind == VALUE_ABSENT)
		v = value_error(ERR_ABSENT);
	push(fr, cel_compare(fr, (enum node_op)op, v, *k));
}

/* --- literals ----------------------------------------------------------- */

static void
op_list_new(struct cel_frame *fr, const struct insn *in)
{
	struct value *items = frame_values(fr, in->a);

	if (items == NULL)
		push(fr, value_error(ERR_SPACE));
	else
		push(fr, (struct value){
				 .kind = VALUE_LIST, .as = {.items = items}});
}

/* The items of the literal that is on top of the stack: it points to scratch
 * memory of ours, which may be written. */
static struct value *
literal_items(struct cel_frame *fr, const struct value *literal)
{
	ptrdiff_t at = (const uint8_t *)literal->as.items - fr->scratch;

	return (struct value *)(void *)(fr->scratch + at);
}

static void
op_list_put(struct cel_frame *fr, const struct insn *in)
{
	struct value v = pop(fr);
	struct value *list = fr->sp - 1;

	(void)in;
	if (list->kind == VALUE_ERROR)
		return;
	if (v.kind == VALUE_ERROR)
		*list = v;
	else
		literal_items(fr, list)[list->len++] = v;
}

static void
op_map_new(struct cel_frame *fr, const struct insn *in)
{
	struct value *items = frame_values(fr, (size_t)in->a * 2);

	if (items == NULL)
		push(fr, value_error(ERR_SPACE));
	else
		push(fr, (struct value){
				 .kind = VALUE_MAP, .as = {.items = items}});
}

static bool
is_key(struct value v)
{
	return v.kind == VALUE_BOOL || v.kind == VALUE_INT ||
	       v.kind == VALUE_UINT || v.kind == VALUE_STRING;
}

static void
op_map_put(struct cel_frame *fr, const struct insn *in)
{
	struct value v = pop(fr), key = pop(fr);
	struct value *map = fr->sp - 1;

	(void)in;
	if (map->kind == VALUE_ERROR)
		return;
	if (key.kind == VALUE_ERROR)
		*map = key;
	else if (v.kind == VALUE_ERROR)
		*map = v;
	else if (!is_key(key))
		*map = value_error("unsupported key type");
	else if (!frame_spend(fr, map->len))
		*map = value_error(ERR_COST);
	else if (cel_lookup(fr, *map, key) != NULL)
		*map = value_error("a key is repeated");
	else {
		struct value *items = literal_items(fr, map);

		items[(size_t)map->len * 2] = key;
		items[(size_t)map->len * 2 + 1] = v;
		map->len++;
	}
}

/* --- calls -------------------------------------------------------------- */

static void
call(struct cel_frame *fr, const struct insn *in, const struct tz *zone)
{
	uint32_t n = in->x;
	struct value *args = fr->sp - n;
	struct value result = value_null();

	for (uint32_t i = 0; i < n; i++) {
		if (args[i].kind == VALUE_ERROR) {
			result = args[i];
			break;
		}
	}
	if (result.kind != VALUE_ERROR) {
		fr->zone = zone;
		if (frame_spend(fr, 4))
			result = cel_fns[in->a].fn(fr, args, n);
		else
			result = value_error(ERR_COST);
	}
	fr->sp = args;
	push(fr, result);
}

static void
op_call(struct cel_frame *fr, const struct insn *in)
{
	call(fr, in, fr->prog->tz);
}

static void
op_call_zone(struct cel_frame *fr, const struct insn *in)
{
	call(fr, in, fr->prog->zones[in->b].tz);
}

/* A duration, which has the same getters, asks for no zone. */
static void
op_call_local(struct cel_frame *fr, const struct insn *in)
{
	struct value zone = pop(fr);
	const struct tz *tz = NULL;

	if (fr->sp[-1].kind == VALUE_TIMESTAMP) {
		if (zone.kind != VALUE_ERROR)
			tz = cel_zone(zone);
		if (tz == NULL) {
			fr->sp[-1] = zone.kind == VALUE_ERROR
					     ? zone
					     : value_error(ERR_ZONE);
			return;
		}
	}
	call(fr, in, tz);
}

struct value
frame_run(struct cel_frame *fr, uint32_t start)
{
	fr->pc = fr->prog->code + start;
	fr->sp = fr->stack;
	fr->logic = fr->logics;
	fr->loop = fr->loops;
	for (;;) {
		const struct insn *in = fr->pc++;

		switch ((enum cel_op)in->op) {
		case OP_halt:
			return pop(fr);
#define OP(name)                                                               \
	case OP_##name:                                                        \
		op_##name(fr, in);                                             \
		break;
			CEL_RUN_OPS(OP)
#undef OP
		}
	}
}

void
frame_begin(struct cel_frame *fr, const struct cel_prog *prog,
	const struct cel_host *host, int64_t now_ms)
{
	fr->prog = prog;
	fr->host = host;
	fr->now_ms = now_ms;
	fr->until_ms = AT_NEVER;
	fr->work = 0;
	fr->used = 0;
	fr->epoch++;
}

enum sg_err
cel_frame_create(struct cel_frame **ret_frame)
{
	struct cel_frame *frame = calloc(1, sizeof(*frame));

	if (frame == NULL)
		return SG_NOMEM;
	frame->scratch = malloc(SCRATCH_BYTES);
	if (frame->scratch == NULL) {
		free(frame);
		return SG_NOMEM;
	}
	*ret_frame = frame;
	return SG_OK;
}

void
cel_frame_destroy(struct cel_frame *frame)
{
	if (frame == NULL)
		return;
	free(frame->scratch);
	free(frame);
}

/* The result must be what the program promised to its caller. */
static struct value
as_wanted(const struct cel_prog *prog, struct value v)
{
	static const uint8_t kinds[] = {[TYPE_NULL] = VALUE_NULL,
		[TYPE_BOOL] = VALUE_BOOL,
		[TYPE_INT] = VALUE_INT,
		[TYPE_UINT] = VALUE_UINT,
		[TYPE_DOUBLE] = VALUE_DOUBLE,
		[TYPE_STRING] = VALUE_STRING,
		[TYPE_BYTES] = VALUE_BYTES,
		[TYPE_TIMESTAMP] = VALUE_TIMESTAMP,
		[TYPE_DURATION] = VALUE_DURATION,
		[TYPE_LIST] = VALUE_LIST,
		[TYPE_MAP] = VALUE_MAP,
		[TYPE_RECORD] = VALUE_RECORD,
		[TYPE_TYPE] = VALUE_TYPE};

	if (prog->want == TYPE_DYN || v.kind == kinds[prog->want] ||
		v.kind == VALUE_ERROR ||
		(v.kind == VALUE_NULL && prog->want_nullable))
		return v;
	return value_error(v.kind == VALUE_NULL
				   ? "the result is null"
				   : "the result is of another type");
}

struct cel_result
cel_run(const struct cel_prog *prog, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms)
{
	struct cel_result result;

	frame_begin(frame, prog, host, now_ms);
	result.value = as_wanted(prog, frame_run(frame, 0));
	result.valid_until_ms = frame->until_ms;
	return result;
}

struct cel_result
cel_eval(const struct cel_prog *prog, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms)
{
	struct cel_result result;

	if (prog->quick != NULL && host->memo != NULL &&
		quick_run(prog, frame, host, now_ms, &result))
		return result;
	return cel_run(prog, frame, host, now_ms);
}

bool
cel_is_absent(struct value v)
{
	return v.kind == VALUE_ERROR && strcmp(v.as.s, ERR_ABSENT) == 0;
}

static bool
moves(struct value v, int depth)
{
	size_t n = v.kind == VALUE_MAP ? (size_t)v.len * 2 : v.len;

	if (v.kind == VALUE_TIMESTAMP || v.kind == VALUE_DURATION)
		return v.slope != 0;
	if (v.kind != VALUE_LIST && v.kind != VALUE_MAP &&
		v.kind != VALUE_RECORD)
		return false;
	if (depth == COMPARE_DEPTH_MAX)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (moves(v.as.items[i], depth + 1))
			return true;
	}
	return false;
}

int64_t
cel_fixed_until(const struct cel_result *result, int64_t now_ms)
{
	return moves(result->value, 0) ? now_ms + 1 : result->valid_until_ms;
}
