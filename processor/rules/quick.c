/*
 * quick.c - rules made of comparisons with constants, without the machine.
 *
 * Most rules are a tree of && || ! over comparisons of a name with a constant,
 * `in` a constant list, has(), and ages: now - x > days(30). Such a tree has,
 * beside its code, a direct form: its comparisons in order, each with two ways
 * on, for false and for true. ! exchanges the ways and costs nothing; an && or
 * || that is decided is jumped out of.
 *
 *   (a || b) && !c          step   false            true
 *                           0: a   keep 1, to 1     keep 0, to 2
 *                           1: b   merge 1, FALSE   keep 0, to 2
 *                           2: c   merge 0, TRUE    FALSE
 *
 * valid_until is what eval.c describes: the operand that decides counts alone;
 * when none does, all count. While a level (an && or ||) is undecided, the
 * least of its operands is kept in until[level]; the outcome that ends it with
 * all operands merges that into its own. Who decides drops it.
 *
 * What is not as it mostly is (an error, a null or another type where a value
 * is compared, an instant centuries away) is left to the code, which starts
 * from the beginning: there is one place that knows about errors. So the direct
 * form is right when it gives the code's result or none.
 *
 * INVARIANTS
 *  - steps read slots and have no effect but filling the host's memo;
 *  - until[level] is written (KEEP_FIRST) before it is read;
 *  - every way leads ahead, so that a run ends.
 */
#include <math.h>
#include <string.h>

#include "emit.h"
#include "frame.h"

/* The loop is one function; what is seldom is kept out of it, since calls in it
 * would cost it its registers. */
#define IN_LINE inline __attribute__((always_inline))
#define OUT_OF_LINE __attribute__((noinline))

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Within these, neither an instant nor a length comes near an end of its range
 * or within moving.c's horizon of it, and nanoseconds fit 64 bits. */
#define SHIFT_MAX_S INT64_C(1000000000)	    /* a constant: 31 years */
#define AGE_MAX_MS INT64_C(4000000000000)   /* now - x: 126 years */
#define INSTANT_MIN_S INT64_C(-50000000000) /* x: the year 385 */
#define INSTANT_MAX_S INT64_C(200000000000) /* x: the year 8307 */

/* --- compiling ---------------------------------------------------------- */

/* The && or || that an operand stands in. */
struct around {
	const struct around *outer;
	bool is_or; /* after every ! outside of it */
	bool is_first, is_last;
	uint8_t level;
	uint32_t next; /* the step behind the operand */
};

struct builder {
	struct compiler *cc;
	struct quick_step *steps;
	uint32_t n, cap;
};

static bool
is_not(const struct node *node)
{
	return node->kind == NODE_OP && node->op == NODE_OP_NOT;
}

/* Comparisons in a tree; more than the maximum is as good as none. */
static uint32_t
count_steps(const struct node *node)
{
	uint32_t n = 0;

	if (node->kind != NODE_LOGIC && !is_not(node))
		return 1;
	for (uint32_t i = 0; i < node->nargs && n <= QUICK_STEPS_MAX; i++)
		n += count_steps(node->args[i]);
	return n;
}

/* Where an outcome leads: out of every && and || that it decides or ends. */
static struct quick_way
find_way(const struct around *around, bool outcome)
{
	struct quick_way way = {.keep = QUICK_KEEP_NONE};

	for (; around != NULL; around = around->outer) {
		if (outcome == around->is_or)
			continue;
		if (!around->is_last) {
			way.next = (uint16_t)around->next;
			way.keep =
				(uint8_t)(around->level |
					  (around->is_first ? QUICK_KEEP_FIRST
							    : 0));
			return way;
		}
		way.merge |= (uint8_t)(1U << around->level);
	}
	way.next = outcome ? QUICK_TRUE : QUICK_FALSE;
	return way;
}

static bool
is_slot(const struct node *node)
{
	return node->kind == NODE_IDENT && node->ref == REF_SLOT &&
	       !node->is_test;
}

static uint32_t
slot_of(const struct builder *b, const struct node *node)
{
	return b->cc->env->names[node->index].slot;
}

/* `x op k` as a range; false when no x is in it. */
static bool
int_range(enum node_op op, int64_t k, struct quick_step *st)
{
	int64_t low = INT64_MIN, high = INT64_MAX;

	if ((op == NODE_OP_LT && k == INT64_MIN) ||
		(op == NODE_OP_GT && k == INT64_MAX))
		return false;
	if (op == NODE_OP_LT || op == NODE_OP_LE)
		high = op == NODE_OP_LT ? k - 1 : k;
	else if (op == NODE_OP_GT || op == NODE_OP_GE)
		low = op == NODE_OP_GT ? k + 1 : k;
	else
		low = high = k;
	st->op = QUICK_INT;
	st->as.i.low = low;
	st->as.i.span = (uint64_t)high - (uint64_t)low;
	return true;
}

/* NaN is in no range, as it should be. */
static bool
double_range(enum node_op op, double k, struct quick_step *st)
{
	double low = -INFINITY, high = INFINITY;

	if (isnan(k) || (op == NODE_OP_LT && k == -INFINITY) ||
		(op == NODE_OP_GT && k == INFINITY))
		return false;
	if (op == NODE_OP_LT || op == NODE_OP_LE)
		high = op == NODE_OP_LT ? nextafter(k, -INFINITY) : k;
	else if (op == NODE_OP_GT || op == NODE_OP_GE)
		low = op == NODE_OP_GT ? nextafter(k, INFINITY) : k;
	else
		low = high = k;
	st->op = QUICK_DOUBLE;
	st->as.d.low = low;
	st->as.d.high = high;
	return true;
}

/* `x op k`. True in *ret_is_inverted: the step asks for the contrary. */
static bool
with_constant(enum node_op op, struct value k, struct quick_step *st,
	bool *ret_is_inverted)
{
	bool is_made = false;

	*ret_is_inverted = op == NODE_OP_NE;
	if (k.kind == VALUE_INT)
		is_made = int_range(op, k.as.i, st);
	else if (k.kind == VALUE_DOUBLE)
		is_made = double_range(op, k.as.d, st);
	if (is_made)
		return true;
	st->as.k = k;
	if (k.kind == VALUE_STRING && (op == NODE_OP_EQ || op == NODE_OP_NE)) {
		st->op = QUICK_TEXT;
		return true;
	}
	*ret_is_inverted = false;
	st->op = QUICK_COMPARE;
	st->compare = (uint8_t)op;
	return k.kind <= VALUE_DURATION;
}

/* now * a + x * b + ns, of timestamps and at most two durations. */
struct line {
	const struct node *slot;
	int now, x;
	int64_t ns;
	int nodes;
};

static bool
line_add(const struct node *node, int sign, struct line *line)
{
	if (++line->nodes > 6)
		return false;
	if (node->kind == NODE_IDENT && node->ref == REF_NOW &&
		!node->is_test) {
		line->now += sign;
		return true;
	}
	if (is_slot(node)) {
		line->x += sign;
		if (line->slot != NULL)
			return false;
		line->slot = node;
		return node->type->kind == TYPE_TIMESTAMP;
	}
	if (node->kind == NODE_CONST && node->value.kind == VALUE_DURATION) {
		int64_t s = node->value.as.i;

		if (s < -SHIFT_MAX_S || s > SHIFT_MAX_S ||
			node->value.slope != 0)
			return false;
		line->ns += sign * (s * NS_PER_S + node->value.nanos);
		return true;
	}
	if (node->kind != NODE_OP ||
		(node->op != NODE_OP_ADD && node->op != NODE_OP_SUB))
		return false;
	return line_add(node->args[0], sign, line) &&
	       line_add(node->args[1], node->op == NODE_OP_ADD ? sign : -sign,
		       line);
}

/*
 * now - x > days(30), x + days(30) < now, x <= now, ...: all of them are
 * "now - x + ns > 0", ">= 0", or the contrary, and turn once:
 *
 *   >= 0   at the first ms that is not before x - ns:  round up
 *   > 0    at the first ms that is after it:           round down, and 1 more
 */
static bool
since(struct builder *b, const struct node *node, struct quick_step *st,
	bool *ret_is_inverted)
{
	struct line line = {0};
	enum node_op op = (enum node_op)node->op;
	int64_t rest;

	if (op > NODE_OP_GE || !line_add(node->args[0], 1, &line) ||
		!line_add(node->args[1], -1, &line) || line.now * line.x != -1)
		return false;
	if (line.now == -1)
		op = node_op_mirrored(op);
	line.ns *= line.now;
	rest = -line.ns % NS_PER_MS;
	if (rest < 0)
		rest += NS_PER_MS;
	st->op = QUICK_SINCE;
	st->slot = slot_of(b, line.slot);
	st->as.since.ms = (-line.ns - rest) / NS_PER_MS;
	st->as.since.ns = (uint32_t)rest;
	if (op == NODE_OP_GT || op == NODE_OP_LE)
		st->as.since.ms++;
	else
		st->as.since.ns += NS_PER_MS - 1;
	*ret_is_inverted = op == NODE_OP_LT || op == NODE_OP_LE;
	return true;
}

static bool
comparison(struct builder *b, const struct node *node, struct quick_step *st,
	bool *ret_is_inverted)
{
	const struct node *left = node->args[0], *right = node->args[1];
	enum node_op op = (enum node_op)node->op;

	*ret_is_inverted = false;
	if (op == NODE_OP_IN) {
		if (!is_slot(left) || right->kind != NODE_CONST ||
			right->value.kind != VALUE_LIST)
			return false;
		st->op = left->type->kind == TYPE_STRING ? QUICK_IN_TEXT
							 : QUICK_IN;
		st->slot = slot_of(b, left);
		st->as.k = right->value;
		return true;
	}
	if (op < NODE_OP_LT || op > NODE_OP_NE)
		return false;
	if (left->kind == NODE_CONST) {
		left = node->args[1];
		right = node->args[0];
		op = node_op_mirrored(op);
	}
	if (!is_slot(left) || right->kind != NODE_CONST)
		return since(b, node, st, ret_is_inverted);
	st->slot = slot_of(b, left);
	return with_constant(op, right->value, st, ret_is_inverted);
}

static bool
put_step(struct builder *b, const struct node *node, bool is_inverted,
	const struct around *around)
{
	struct quick_step st = {0};
	bool is_contrary = false, is_made;

	if (node->kind == NODE_IDENT && node->ref == REF_SLOT &&
		node->type->kind == TYPE_BOOL) {
		st.op = node->is_test ? QUICK_HAS : QUICK_BOOL;
		st.slot = slot_of(b, node);
		is_made = true;
	} else {
		is_made = node->kind == NODE_OP &&
			  comparison(b, node, &st, &is_contrary);
	}
	if (!is_made)
		return false;
	if (b->n == b->cap &&
		!cc_grow(b->cc, (void **)&b->steps, &b->cap, sizeof(*b->steps)))
		return false;
	is_inverted ^= is_contrary;
	st.ways[0] = find_way(around, is_inverted);
	st.ways[1] = find_way(around, !is_inverted);
	b->steps[b->n++] = st;
	return true;
}

static bool
put_tree(struct builder *b, const struct node *node, bool is_inverted,
	const struct around *around)
{
	struct around in = {.outer = around,
		.is_or = (node->op == NODE_OP_OR) != is_inverted,
		.level = around == NULL ? 0 : (uint8_t)(around->level + 1),
		.next = b->n};

	if (is_not(node))
		return put_tree(b, node->args[0], !is_inverted, around);
	if (node->kind != NODE_LOGIC)
		return put_step(b, node, is_inverted, around);
	if (in.level == QUICK_LEVELS || node->nargs < 2)
		return false;
	for (uint32_t i = 0; i < node->nargs; i++) {
		in.is_first = i == 0;
		in.is_last = i + 1 == node->nargs;
		in.next += count_steps(node->args[i]);
		if (!put_tree(b, node->args[i], is_inverted, &in))
			return false;
	}
	return true;
}

void
quick_build(struct compiler *cc, const struct node *root,
	struct quick_step **ret_steps, uint32_t *ret_n)
{
	struct builder b = {.cc = cc};

	*ret_n = 0;
	if (cc->err != SG_OK || cc->is_lenient ||
		count_steps(root) > QUICK_STEPS_MAX ||
		!put_tree(&b, root, false, NULL))
		return;
	*ret_steps = b.steps;
	*ret_n = b.n;
}

/* --- running ------------------------------------------------------------ */

static IN_LINE bool
is_text(struct value v, const struct value *k)
{
	return v.len == k->len &&
	       (v.len == 0 || memcmp(v.as.s, k->as.s, v.len) == 0);
}

static OUT_OF_LINE bool
is_text_in(struct value v, const struct value *list)
{
	for (uint32_t i = 0; i < list->len; i++) {
		if (list->as.items[i].kind == VALUE_STRING &&
			is_text(v, &list->as.items[i]))
			return true;
	}
	return false;
}

static IN_LINE int
run_since(const struct quick_step *st, const struct value *v, int64_t now_ms,
	int64_t *until_ms)
{
	int64_t at_ms;

	if (v->kind != VALUE_TIMESTAMP || v->slope != 0 ||
		v->as.i < INSTANT_MIN_S || v->as.i > INSTANT_MAX_S)
		return -1;
	at_ms = v->as.i * 1000;
	if ((uint64_t)now_ms - (uint64_t)(at_ms - AGE_MAX_MS) >
		2 * (uint64_t)AGE_MAX_MS)
		return -1;
	at_ms += st->as.since.ms +
		 (int64_t)((v->nanos + st->as.since.ns) / 1000000);
	if (now_ms >= at_ms)
		return 1;
	if (at_ms < *until_ms)
		*until_ms = at_ms;
	return 0;
}

/* What has no step of its own: by the functions of the machine. */
static OUT_OF_LINE int
run_any(const struct quick_step *st, struct value v, struct cel_frame *frame,
	int64_t now_ms, int64_t *until_ms)
{
	if (v.kind == VALUE_ABSENT || v.kind == VALUE_ERROR)
		return -1;
	frame->now_ms = now_ms;
	frame->until_ms = *until_ms;
	frame->work = 0;
	v = st->op == QUICK_COMPARE
		    ? cel_compare(frame, (enum node_op)st->compare, v, st->as.k)
		    : cel_in(frame, v, st->as.k);
	*until_ms = frame->until_ms;
	return v.kind == VALUE_BOOL ? v.as.b : -1;
}

static IN_LINE int
run_step(const struct quick_step *st, const struct value *v,
	struct cel_frame *frame, int64_t now_ms, int64_t *until_ms)
{
	switch ((enum quick_op)st->op) {
	case QUICK_INT:
		if (v->kind != VALUE_INT)
			return -1;
		return (uint64_t)v->as.i - (uint64_t)st->as.i.low <=
		       st->as.i.span;
	case QUICK_DOUBLE:
		if (v->kind != VALUE_DOUBLE)
			return -1;
		return v->as.d >= st->as.d.low && v->as.d <= st->as.d.high;
	case QUICK_BOOL:
		return v->kind == VALUE_BOOL ? v->as.b : -1;
	case QUICK_TEXT:
		return v->kind == VALUE_STRING ? is_text(*v, &st->as.k) : -1;
	case QUICK_HAS:
		if (v->kind == VALUE_ERROR)
			return -1;
		return v->kind != VALUE_ABSENT && v->kind != VALUE_NULL;
	case QUICK_SINCE:
		return run_since(st, v, now_ms, until_ms);
	case QUICK_IN_TEXT:
		return v->kind == VALUE_STRING ? is_text_in(*v, &st->as.k) : -1;
	default:
		return run_any(st, *v, frame, now_ms, until_ms);
	}
}

static OUT_OF_LINE void
load(const struct cel_host *host, uint32_t slot, int64_t now_ms)
{
	struct value v;
	int64_t until_ms;

	/* Into the memo, where it is read. */
	host->load(host->ctx, slot, now_ms, &v, &until_ms);
}

static IN_LINE int64_t
merged(const int64_t *until, unsigned levels, int64_t until_ms)
{
	for (; levels != 0; levels &= levels - 1) {
		int64_t level_ms = until[__builtin_ctz(levels)];

		if (level_ms < until_ms)
			until_ms = level_ms;
	}
	return until_ms;
}

static IN_LINE void
kept(int64_t *until, uint8_t keep, int64_t until_ms)
{
	int64_t *level_ms = &until[keep & ~QUICK_KEEP_FIRST];

	if ((keep & QUICK_KEEP_FIRST) != 0 || until_ms < *level_ms)
		*level_ms = until_ms;
}

/*
 * Both ways are written out: which one it is, is then a branch that the
 * processor foresees, and not an address that it has to wait for.
 */
#define FOLLOW(way)                                                            \
	do {                                                                   \
		if ((way).merge != 0)                                          \
			until_ms = merged(until, (way).merge, until_ms);       \
		if ((way).next >= QUICK_FALSE) {                               \
			*ret_until_ms = until_ms;                              \
			return (way).next == QUICK_TRUE;                       \
		}                                                              \
		kept(until, (way).keep, until_ms);                             \
		st = prog->quick + (way).next;                                 \
	} while (0)

/* 0, 1; -1: the code has to run. */
static IN_LINE int
run(const struct cel_prog *prog, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms, int64_t *ret_until_ms)
{
	const struct quick_step *st = prog->quick;
	int64_t until[QUICK_LEVELS];

	for (;;) {
		const struct cel_memo *memo = &host->memo[st->slot];
		int64_t until_ms;
		int outcome;

		if (memo->epoch != host->epoch)
			load(host, st->slot, now_ms);
		until_ms = memo->until_ms;
		outcome = run_step(st, &memo->value, frame, now_ms, &until_ms);
		if (outcome > 0)
			FOLLOW(st->ways[1]);
		else if (outcome == 0)
			FOLLOW(st->ways[0]);
		else
			return -1;
	}
}

bool
quick_run(const struct cel_prog *prog, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms,
	struct cel_result *ret_result)
{
	int outcome =
		run(prog, frame, host, now_ms, &ret_result->valid_until_ms);

	ret_result->value = value_bool(outcome > 0);
	return outcome >= 0;
}

size_t
cel_first(struct cel_prog *const *progs, size_t n, struct cel_frame *frame,
	const struct cel_host *host, int64_t now_ms,
	struct cel_result *ret_result)
{
	int64_t least_ms = AT_NEVER;
	bool has_memo = host->memo != NULL;
	struct value v = value_bool(false);
	size_t i;

	for (i = 0; i < n; i++) {
		int64_t until_ms = AT_NEVER;
		int outcome = -1;

		if (has_memo && progs[i]->quick != NULL)
			outcome = run(progs[i], frame, host, now_ms, &until_ms);
		if (outcome < 0) {
			struct cel_result res =
				cel_run(progs[i], frame, host, now_ms);

			v = res.value;
			until_ms = res.valid_until_ms;
			outcome = v.kind != VALUE_BOOL || v.as.b;
		} else if (outcome > 0) {
			v = value_bool(true);
		}
		if (until_ms < least_ms)
			least_ms = until_ms;
		if (outcome > 0)
			break;
	}
	ret_result->value = v;
	ret_result->valid_until_ms = least_ms;
	return i;
}
