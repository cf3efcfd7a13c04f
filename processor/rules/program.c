/*
 * program.c - from the compiler's state to a program in one block.
 *
 * Two passes of the same code: the first counts bytes, the second copies.
 */
#include <stdlib.h>
#include <string.h>

#include "emit.h"
#include "segmentd/civil.h"

/* A block being filled; while `base` is NULL, being measured. */
struct block {
	uint8_t *base;
	size_t used;
};

static void *
block_put(struct block *block, const void *from, size_t size)
{
	size_t at = block->used;

	block->used += (size + 15) & ~(size_t)15;
	if (block->base == NULL)
		return NULL;
	if (size != 0)
		memcpy(block->base + at, from, size);
	return block->base + at;
}

static struct value
block_value(struct block *block, struct value v);

static const struct value *
block_values(struct block *block, const struct value *from, size_t n)
{
	struct value *to = block_put(block, from, n * sizeof(*from));

	for (size_t i = 0; i < n; i++) {
		struct value v = block_value(block, from[i]);

		if (to != NULL)
			to[i] = v;
	}
	return to;
}

static struct value
block_value(struct block *block, struct value v)
{
	switch (v.kind) {
	case VALUE_STRING:
	case VALUE_BYTES:
		v.as.bytes = block_put(block, v.as.bytes, v.len);
		break;
	case VALUE_TYPE:
		v.as.s = block_put(block, v.as.s, strlen(v.as.s) + 1);
		break;
	case VALUE_LIST:
	case VALUE_RECORD:
		v.as.items = block_values(block, v.as.items, v.len);
		break;
	case VALUE_MAP:
		v.as.items = block_values(block, v.as.items, (size_t)v.len * 2);
		break;
	default:
		break;
	}
	return v;
}

static const struct type *
block_type(struct block *block, const struct type *type)
{
	static const struct type *const plain[] = {&type_dyn, &type_null,
		&type_bool, &type_int, &type_uint, &type_double, &type_string,
		&type_bytes, &type_timestamp, &type_duration, NULL, NULL, NULL,
		&type_type};
	struct type copy = *type;

	if (plain[type->kind] != NULL && !type->is_nullable)
		return plain[type->kind];
	if (copy.key != NULL)
		copy.key = block_type(block, copy.key);
	if (copy.item != NULL)
		copy.item = block_type(block, copy.item);
	return block_put(block, &copy, sizeof(copy));
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sort and drop repeats; the new count. */
static uint32_t
sort_slots(uint32_t *slots, uint32_t n)
{
	uint32_t kept = 0;

	if (n > 1)
		qsort(slots, n, sizeof(*slots), by_number);
	for (uint32_t i = 0; i < n; i++) {
		if (kept == 0 || slots[kept - 1] != slots[i])
			slots[kept++] = slots[i];
	}
	return kept;
}

static bool
reads_slot(const struct insn *in)
{
	return in->op == OP_slot || in->op == OP_slot_has ||
	       in->op == OP_slot_int || in->op == OP_slot_double ||
	       in->op == OP_slot_string || in->op == OP_slot_const;
}

/* Slots that the main code reads more than once are loaded once. */
static void
mark_repeats(struct compiler *cc, uint32_t end)
{
	uint32_t *uses = cc_alloc(cc, (cc->nslots + 1) * sizeof(*uses));

	if (uses == NULL)
		return;
	memset(uses, 0, (cc->nslots + 1) * sizeof(*uses));
	for (uint32_t i = 0; i < end; i++) {
		if (reads_slot(&cc->code[i]))
			uses[cc->code[i].a]++;
	}
	for (uint32_t i = 0; i < cc->ncode; i++) {
		struct insn *in = &cc->code[i];

		if (reads_slot(in) && uses[in->a] > 1)
			in->x |= X_REMEMBER;
	}
}

struct skeletons {
	struct skeleton *items;
	uint32_t n, cap;
	uint32_t *slots;
	uint32_t nslots, slots_cap;
};

/* What a program has beside its code. */
struct parts {
	struct skeletons skeletons;
	struct quick_step *quick;
	uint32_t nquick;
};

static bool
is_split(const struct node *node)
{
	return node->kind == NODE_LOGIC ||
	       (node->kind == NODE_OP && node->op == NODE_OP_NOT) ||
	       (node->kind == NODE_COND && node->type->kind == TYPE_BOOL);
}

static void
collect_slots(struct compiler *cc, struct skeletons *sks, struct skeleton *sk)
{
	sk->first_slot = sks->nslots;
	for (uint32_t i = sk->start; i < cc->ncode; i++) {
		if (!reads_slot(&cc->code[i]))
			continue;
		if (sks->nslots == sks->slots_cap &&
			!cc_grow(cc, (void **)&sks->slots, &sks->slots_cap,
				sizeof(*sks->slots)))
			return;
		sks->slots[sks->nslots++] =
			cc->env->names[cc->slots[cc->code[i].a]].slot;
	}
	if (sks->nslots == sk->first_slot)
		return;
	sk->nslots = sort_slots(
		sks->slots + sk->first_slot, sks->nslots - sk->first_slot);
	sks->nslots = sk->first_slot + sk->nslots;
}

static void
make_atom(struct compiler *cc, struct skeletons *sks, uint32_t at,
	struct node *node)
{
	struct skeleton *sk = &sks->items[at];

	sk->kind = NODE_CONST;
	sk->start = cc->ncode;
	emit_node(cc, node);
	(void)emit_op(cc, OP_halt, 0, 0, 0);
	if (cc->err == SG_OK)
		collect_slots(cc, sks, sk);
}

static void
make_skeleton(struct compiler *cc, struct skeletons *sks, uint32_t at,
	struct node *node)
{
	uint32_t first = sks->n;

	if (cc->err != SG_OK)
		return;
	sks->items[at] = (struct skeleton){.kind = node->kind,
		.op = node->op,
		.offset = node->offset,
		.len = node->len,
		.nargs = node->nargs,
		.first = first};
	if (!is_split(node)) {
		make_atom(cc, sks, at, node);
		return;
	}
	for (uint32_t i = 0; i < node->nargs; i++) {
		if (sks->n == sks->cap &&
			!cc_grow(cc, (void **)&sks->items, &sks->cap,
				sizeof(*sks->items)))
			return;
		sks->n++;
	}
	for (uint32_t i = 0; i < node->nargs; i++)
		make_skeleton(cc, sks, first + i, node->args[i]);
}

static const struct quick_step *
fill_quick(const struct quick_step *from, uint32_t n, struct block *block)
{
	struct quick_step *to = block_put(block, from, n * sizeof(*from));

	for (uint32_t i = 0; i < n; i++) {
		struct value k;

		if (from[i].op != QUICK_TEXT && from[i].op < QUICK_IN_TEXT)
			continue;
		k = block_value(block, from[i].as.k);
		if (to != NULL)
			to[i].as.k = k;
	}
	return n == 0 ? NULL : to;
}

static void
fill(struct compiler *cc, const struct parts *parts, struct block *block,
	struct cel_prog *prog)
{
	const struct skeletons *sks = &parts->skeletons;
	uint32_t *slots =
		block_put(block, cc->slots, cc->nslots * sizeof(uint32_t));
	uint32_t *sorted =
		block_put(block, cc->slots, cc->nslots * sizeof(uint32_t));

	prog->code = block_put(block, cc->code, cc->ncode * sizeof(*cc->code));
	prog->consts = block_values(block, cc->consts, cc->nconsts);
	prog->zones =
		block_put(block, cc->zones, cc->nzones * sizeof(*cc->zones));
	prog->skeleton =
		block_put(block, sks->items, sks->n * sizeof(*sks->items));
	prog->atom_slots =
		block_put(block, sks->slots, sks->nslots * sizeof(uint32_t));
	prog->quick = fill_quick(parts->quick, parts->nquick, block);
	prog->source = block_put(block, cc->text, cc->len + 1);
	prog->type = block_type(block, prog->type);
	if (slots == NULL || sorted == NULL)
		return;
	for (uint32_t i = 0; i < cc->nslots; i++)
		slots[i] = sorted[i] = cc->env->names[cc->slots[i]].slot;
	prog->slots = slots;
	prog->sorted = sorted;
	prog->nsorted = sort_slots(sorted, cc->nslots);
}

static enum sg_err
seal(struct compiler *cc, const struct parts *parts,
	const struct cel_prog *head, struct cel_prog **ret_prog)
{
	struct block block = {.used = (sizeof(*head) + 15) & ~(size_t)15};
	struct cel_prog scratch = *head, *prog;

	fill(cc, parts, &block, &scratch);
	prog = malloc(block.used);
	if (prog == NULL)
		return SG_NOMEM;
	*prog = *head;
	block.base = (uint8_t *)prog;
	block.used = (sizeof(*head) + 15) & ~(size_t)15;
	fill(cc, parts, &block, prog);
	*ret_prog = prog;
	return SG_OK;
}

enum sg_err
emit_program(struct compiler *cc, struct node *root, struct cel_prog **ret_prog)
{
	struct parts parts = {.skeletons = {.n = 1}};
	struct skeletons *sks = &parts.skeletons;
	struct cel_prog head = {.tz = cc->env->tz,
		.type = root->type,
		.prints_now = cc->prints_now};
	uint32_t end;

	cc->slot_of = cc_alloc(cc, (cc->env->nnames + 1) * sizeof(uint32_t));
	if (cc->slot_of == NULL || !cc_grow(cc, (void **)&sks->items, &sks->cap,
					   sizeof(*sks->items)))
		return SG_NOMEM;
	memset(cc->slot_of, 0, (cc->env->nnames + 1) * sizeof(uint32_t));
	cc->text = arena_copy(&cc->arena, cc->source, cc->len);
	emit_node(cc, root);
	(void)emit_op(cc, OP_halt, 0, 0, 0);
	end = cc->ncode;
	make_skeleton(cc, sks, 0, root);
	quick_build(cc, root, &parts.quick, &parts.nquick);
	if (cc->err == SG_OK)
		mark_repeats(cc, end);
	if (cc->err != SG_OK || cc->text == NULL)
		return cc->err != SG_OK ? cc->err : SG_NOMEM;
	head.nslots = cc->nslots;
	head.nskeleton = sks->n;
	return seal(cc, &parts, &head, ret_prog);
}
