/*
 * plan.c - compile a writer schema and a trie of binds to a flat program.
 *
 * The writer's schema is walked once, in the order of its bytes. Where the
 * trie has nothing below a field, its bytes are skipped, and neighbouring
 * skips of one sort become one step. A union on the way to a bound field is a
 * jump table; its branches are laid out one after the other. Elements of an
 * array and entries of a map get small programs of their own.
 *
 *     record {id: string, a: long, b: int, props: [null, {plan: string}]}
 *     binds id, props.plan
 *
 *     0 READ  id       3 JUMP 5
 *     1 VARINTS 2      4 READ props.plan
 *     2 UNION 3, 4     5 END
 *
 * What the writer does not have comes from the reader's default: decoded now,
 * by the same code, to a constant. Where it is sure to be needed it is in the
 * slots before the first step; within a branch a step sets it.
 *
 * compile_*() return false when no bytes could ever be read there. A branch of
 * a union may be like that as long as another is not; it then fails at run
 * time, when a record takes it.
 */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct compile {
	struct arena *arena;
	struct resolve *rs;
	struct step *steps;
	const char **where;
	uint32_t nsteps;
	uint32_t cap;
	uint32_t label;	 /* a jump leads here: do not merge across it */
	uint32_t nested; /* within so many branches and elements */
	uint32_t level;
	const char *field; /* the path at hand, for messages */
	const char *fault; /* the first */
	struct value *slots;
	size_t nslots;
	bool is_failed; /* out of memory */
	bool is_too_long;
};

static const struct value null_value = {.kind = VALUE_NULL};

static bool
compile_value(struct compile *c, const struct schema *writer,
	const struct schema *reader, const struct bind *bind);

/* --- emitting ------------------------------------------------------------- */

static bool
steps_grow(struct compile *c)
{
	uint32_t cap = c->cap == 0 ? 64 : c->cap * 2;
	struct step *steps = realloc(c->steps, cap * sizeof(*steps));
	const char **where;

	if (steps == NULL)
		return false;
	c->steps = steps;
	where = realloc(c->where, cap * sizeof(*where));
	if (where == NULL)
		return false;
	c->where = where;
	c->cap = cap;
	return true;
}

/* Add a step; its place, or NULL when that failed. */
static struct step *
emit(struct compile *c, enum step_op op, uint32_t arg)
{
	struct step *step;

	if (c->nsteps >= PLAN_STEPS_MAX) {
		c->is_too_long = true;
		return NULL;
	}
	if (c->is_failed || (c->nsteps == c->cap && !steps_grow(c))) {
		c->is_failed = true;
		return NULL;
	}
	c->where[c->nsteps] = c->field;
	step = &c->steps[c->nsteps++];
	*step = (struct step){.op = op, .arg = arg};
	return step;
}

static void
label_here(struct compile *c)
{
	c->label = c->nsteps;
}

static void
emit_skips(struct compile *c, enum step_op op, uint32_t n)
{
	struct step *last =
		c->nsteps > c->label ? &c->steps[c->nsteps - 1] : NULL;

	if (n == 0)
		return;
	if (last != NULL && last->op == op && last->arg < 1 << 24)
		last->arg += n;
	else
		(void)emit(c, op, n);
}

/* One branch of STEP_CHOICE; CHOICE_NONE when it does not fit there. */
static uint32_t
choice_of(const struct schema *branch)
{
	if (branch->encoded_bytes >= 0)
		return branch->encoded_bytes <= CHOICE_BYTES_MAX
			       ? (uint32_t)branch->encoded_bytes
			       : CHOICE_NONE;
	if (branch->kind == SCHEMA_INT || branch->kind == SCHEMA_LONG)
		return CHOICE_VARINT;
	if (branch->kind == SCHEMA_STRING || branch->kind == SCHEMA_BYTES)
		return CHOICE_SPAN;
	return CHOICE_NONE;
}

static bool
emit_choice(struct compile *c, const struct schema *writer)
{
	uint32_t arg = UINT32_MAX;

	if (writer->kind != SCHEMA_UNION || writer->nbranches > 4)
		return false;
	for (size_t i = 0; i < writer->nbranches; i++) {
		uint32_t choice = choice_of(writer->branches[i]);

		if (choice == CHOICE_NONE)
			return false;
		arg ^= (CHOICE_NONE ^ choice) << (8 * i);
	}
	(void)emit(c, STEP_CHOICE, arg);
	return true;
}

static void
emit_skip(struct compile *c, const struct schema *writer)
{
	struct step *step;

	if (writer->encoded_bytes >= 0) {
		emit_skips(c, STEP_BYTES, (uint32_t)writer->encoded_bytes);
		return;
	}
	switch (writer->kind) {
	case SCHEMA_INT:
	case SCHEMA_LONG:
		emit_skips(c, STEP_VARINTS, 1);
		break;
	case SCHEMA_BYTES:
	case SCHEMA_STRING:
		emit_skips(c, STEP_SPANS, 1);
		break;
	default:
		if (emit_choice(c, writer))
			break;
		step = emit(c, STEP_SKIP, 0);
		if (step != NULL)
			step->as.schema = writer;
		break;
	}
}

/* --- failing -------------------------------------------------------------- */

/* This value cannot be read. */
static bool
emit_fail(struct compile *c, const char *why)
{
	char text[512];
	struct step *step;
	int n = snprintf(text, sizeof(text), "%s%s%s%s",
		c->field[0] != '\0' ? "field '" : "", c->field,
		c->field[0] != '\0' ? "': " : "", why);
	const char *kept =
		n < 0 ? NULL : arena_copy(c->arena, text, strlen(text));

	step = emit(c, STEP_FAIL, 0);
	if (kept == NULL || step == NULL) {
		c->is_failed = c->is_failed || kept == NULL;
		return false;
	}
	step->as.why = kept;
	if (c->fault == NULL)
		c->fault = kept;
	return false;
}

static bool
emit_fail_kinds(struct compile *c, const struct schema *writer,
	const struct schema *reader)
{
	char text[80];
	int n = snprintf(text, sizeof(text), "%s cannot be read as %s",
		schema_kind_name(writer->kind), schema_kind_name(reader->kind));

	return emit_fail(c, n < 0 ? "" : text);
}

/* --- whole values --------------------------------------------------------- */

static bool
emit_read(struct compile *c, const struct schema *writer,
	const struct schema *reader, const struct bind *bind)
{
	const struct res *res = resolve(c->rs, writer, reader, bind->type);
	struct step *step;

	if (res == NULL) {
		c->is_failed = true;
		return false;
	}
	if (res->op == RES_FAIL)
		return emit_fail(c, res->why);
	step = emit(c, bind->child == NULL ? STEP_READ : STEP_PEEK,
		(uint32_t)bind->slot);
	if (step != NULL)
		step->as.res = res;
	return step != NULL;
}

/* --- defaults ------------------------------------------------------------- */

/* Every slot at or below a bind takes its value from `from`. */
static void
emit_consts(
	struct compile *c, const struct bind *bind, const struct value *from)
{
	struct step *step;

	if (bind->slot >= 0 && c->nested == 0) {
		c->slots[bind->slot] = from[bind->slot];
	} else if (bind->slot >= 0) {
		struct value *kept = arena_alloc(c->arena, sizeof(*kept));

		step = emit(c, STEP_CONST, (uint32_t)bind->slot);
		if (kept == NULL || step == NULL) {
			c->is_failed = c->is_failed || kept == NULL;
			return;
		}
		*kept = from[bind->slot];
		step->as.value = kept;
	}
	for (const struct bind *b = bind->child; b != NULL; b = b->next)
		emit_consts(c, b, from);
}

/* Run the program of a default over its bytes. */
static bool
default_run(struct compile *c, const struct schema_field *field,
	const struct bind *bind, struct value *slots)
{
	struct compile inner = {.arena = c->arena,
		.rs = c->rs,
		.field = c->field,
		.slots = slots,
		.nslots = c->nslots,
		.level = c->level};
	struct cursor cur;
	bool is_read = false;

	if (compile_value(&inner, field->schema, field->schema, bind) &&
		emit(&inner, STEP_END, 0) != NULL) {
		struct plan plan = {.steps = inner.steps};

		cursor_init(&cur, field->def, field->def_len, c->arena);
		is_read = plan_run(&plan, 0, &cur, slots);
	}
	c->is_failed = c->is_failed || inner.is_failed;
	free(inner.steps);
	free(inner.where);
	return is_read;
}

static bool
compile_default(struct compile *c, const struct schema_field *field,
	const struct bind *bind)
{
	struct value *slots;
	bool is_read;

	if (field->def == NULL)
		return emit_fail(c, "the writer does not have it, and our "
				    "schema has no default");
	slots = calloc(c->nslots + 1, sizeof(*slots));
	if (slots == NULL) {
		c->is_failed = true;
		return false;
	}
	is_read = default_run(c, field, bind, slots);
	if (is_read)
		emit_consts(c, bind, slots);
	free(slots);
	return is_read || emit_fail(c, "its default cannot be read");
}

/* --- ways through --------------------------------------------------------- */

/* Note the path of the field entered, for messages. */
static void
field_enter(struct compile *c, const char *outer, const char *name)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s%s%s", outer,
		outer[0] != '\0' ? "." : "", name);
	const char *kept =
		n < 0 ? NULL : arena_copy(c->arena, text, strlen(text));

	c->is_failed = c->is_failed || kept == NULL;
	c->field = kept != NULL ? kept : "";
}

/* Which bind, and which field of the reader, each field of the writer is. */
struct field_use {
	const struct bind *bind;
	const struct schema_field *reader;
};

static bool
compile_missing(struct compile *c, const struct schema *writer,
	const struct schema *reader, const struct bind *bind,
	struct field_use *uses)
{
	const char *outer = c->field;
	bool is_readable = true;

	for (const struct bind *b = bind->child; b != NULL; b = b->next) {
		int at = b->kind != BIND_NAME ? -1
					      : schema_field_index(reader,
							b->name, b->name_len);
		int from;

		if (at < 0) /* another branch has it */
			continue;
		from = resolve_field(writer, reader, (size_t)at);
		if (from >= 0) {
			uses[from].bind = b;
			uses[from].reader = &reader->fields[at];
			continue;
		}
		field_enter(c, outer, reader->fields[at].name);
		if (!compile_default(c, &reader->fields[at], b))
			is_readable = false;
		c->field = outer;
	}
	return is_readable;
}

static bool
compile_record(struct compile *c, const struct schema *writer,
	const struct schema *reader, const struct bind *bind)
{
	struct field_use *uses = calloc(writer->nfields + 1, sizeof(*uses));
	const char *outer = c->field;
	bool is_readable;

	if (uses == NULL) {
		c->is_failed = true;
		return false;
	}
	is_readable = compile_missing(c, writer, reader, bind, uses);
	for (size_t i = 0; i < writer->nfields; i++) {
		const struct schema_field *field = &writer->fields[i];

		field_enter(c, outer, field->name);
		if (uses[i].bind == NULL)
			emit_skip(c, field->schema);
		else if (!compile_value(c, field->schema,
				 uses[i].reader->schema, uses[i].bind))
			is_readable = false;
	}
	c->field = outer;
	free(uses);
	return is_readable;
}

static bool
compile_union(struct compile *c, const struct schema *writer,
	const struct schema *reader, const struct bind *bind)
{
	uint32_t n = (uint32_t)writer->nbranches;
	uint32_t *targets = arena_array(c->arena, n, sizeof(*targets));
	uint32_t *jumps = calloc(n, sizeof(*jumps));
	struct step *step = emit(c, STEP_UNION, n);
	bool is_readable = false;

	if (targets == NULL || jumps == NULL || step == NULL) {
		c->is_failed = c->is_failed || targets == NULL || jumps == NULL;
		free(jumps);
		return false;
	}
	step->as.targets = targets;
	c->nested++;
	for (uint32_t i = 0; i < n; i++) {
		label_here(c);
		targets[i] = c->nsteps;
		if (compile_value(c, writer->branches[i], reader, bind))
			is_readable = true;
		jumps[i] = c->nsteps;
		(void)emit(c, STEP_JUMP, 0);
	}
	c->nested--;
	label_here(c);
	for (uint32_t i = 0; i < n && !c->is_failed && !c->is_too_long; i++)
		c->steps[jumps[i]].arg = c->nsteps;
	free(jumps);
	return is_readable;
}

/* Null every slot at or below a bind: a key may come twice. */
static void
emit_nulls(struct compile *c, const struct bind *bind)
{
	struct step *step;

	if (bind->slot >= 0) {
		step = emit(c, STEP_CONST, (uint32_t)bind->slot);
		if (step != NULL)
			step->as.value = &null_value;
	}
	for (const struct bind *b = bind->child; b != NULL; b = b->next)
		emit_nulls(c, b);
}

static bool
compile_bodies(struct compile *c, const struct schema *writer,
	const struct schema *reader, const struct bind *bind,
	struct bodies *bodies, struct body *body)
{
	bool is_map = writer->kind == SCHEMA_MAP;
	bool is_readable = true;

	for (const struct bind *b = bind->child; b != NULL; b = b->next) {
		if (is_map != (b->kind == BIND_NAME))
			continue;
		label_here(c);
		body[bodies->n++] =
			(struct body){.bind = b, .start = c->nsteps};
		if (is_map)
			emit_nulls(c, b);
		if (!compile_value(c, writer->item, reader->item, b))
			is_readable = false;
		(void)emit(c, STEP_END, 0);
	}
	label_here(c);
	return is_readable;
}

/* An array or a map. */
static bool
compile_container(struct compile *c, const struct schema *writer,
	const struct schema *reader, const struct bind *bind)
{
	bool is_map = writer->kind == SCHEMA_MAP;
	uint32_t at = c->nsteps;
	struct bodies *bodies = arena_alloc(c->arena, sizeof(*bodies));
	struct body *body;
	size_t n = 0;
	bool is_readable;

	for (const struct bind *b = bind->child; b != NULL; b = b->next)
		n++;
	body = arena_array(c->arena, n, sizeof(*body));
	if (bodies == NULL || body == NULL) {
		c->is_failed = true;
		return false;
	}
	*bodies = (struct bodies){.item = writer->item, .bodies = body};
	(void)emit(c, is_map ? STEP_ENTRIES : STEP_ITEMS, 0);
	(void)emit(c, STEP_JUMP, 0);
	c->nested++;
	is_readable = compile_bodies(c, writer, reader, bind, bodies, body);
	c->nested--;
	if (c->is_failed || c->is_too_long)
		return false;
	c->steps[at].as.bodies = bodies;
	c->steps[at + 1].arg = c->nsteps;
	return is_readable;
}

static bool
compile_kinds(struct compile *c, const struct schema *writer,
	const struct schema *reader, const struct bind *bind)
{
	int branch;

	if (writer->kind == SCHEMA_UNION)
		return compile_union(c, writer, reader, bind);
	if (reader->kind == SCHEMA_UNION) {
		branch = resolve_branch(reader, writer);
		if (branch < 0)
			return emit_fail_kinds(c, writer, reader);
		reader = reader->branches[branch];
	}
	if (writer->kind == SCHEMA_RECORD && reader->kind == SCHEMA_RECORD)
		return compile_record(c, writer, reader, bind);
	if (writer->kind == reader->kind &&
		(writer->kind == SCHEMA_ARRAY || writer->kind == SCHEMA_MAP))
		return compile_container(c, writer, reader, bind);
	/* The way ends in another branch: here it is null. */
	if (resolve(c->rs, writer, reader, &type_dyn) == NULL) {
		c->is_failed = true;
		return false;
	}
	if (resolve(c->rs, writer, reader, &type_dyn)->op == RES_FAIL)
		return emit_fail_kinds(c, writer, reader);
	emit_skip(c, writer);
	return true;
}

/* Code for one value of the writer, of which `bind` wants all or parts. */
static bool
compile_value(struct compile *c, const struct schema *writer,
	const struct schema *reader, const struct bind *bind)
{
	bool is_readable = true;

	if (c->is_failed || c->is_too_long)
		return false;
	if (bind->slot >= 0) {
		is_readable = emit_read(c, writer, reader, bind);
		if (bind->child == NULL || !is_readable)
			return is_readable;
	}
	return compile_kinds(c, writer, reader, bind);
}

/* --- the whole ------------------------------------------------------------ */

static bool
plan_keep(struct compile *c, struct plan *plan)
{
	size_t n = c->nsteps;
	struct step *steps = arena_array(c->arena, n + 1, sizeof(*steps));
	const char **where = arena_array(c->arena, n + 1, sizeof(*where));

	if (steps == NULL || where == NULL)
		return false;
	if (n > 0) {
		memcpy(steps, c->steps, n * sizeof(*steps));
		memcpy(where, c->where, n * sizeof(*where));
	}
	plan->steps = steps;
	plan->where = where;
	return true;
}

const struct plan *
plan_compile(struct arena *arena, int32_t number, const struct schema *writer,
	const struct schema *reader, const struct bind *root, size_t nslots)
{
	struct plan *plan = arena_alloc(arena, sizeof(*plan));
	struct compile c = {.arena = arena,
		.rs = resolve_create(arena),
		.field = "",
		.nslots = nslots};
	bool is_readable = false;

	c.slots = arena_array(arena, nslots, sizeof(*c.slots));
	if (plan == NULL || c.rs == NULL || c.slots == NULL) {
		resolve_destroy(c.rs);
		return NULL;
	}
	memset(c.slots, 0, nslots * sizeof(*c.slots)); /* nulls */
	is_readable = compile_value(&c, writer, reader, root);
	(void)emit(&c, STEP_END, 0);
	*plan = (struct plan){.writer = number, .slots = c.slots};
	if (c.is_too_long)
		plan->fault = "the schemas are too entangled";
	else if (!is_readable)
		plan->fault = c.fault != NULL ? c.fault : "it cannot be read";
	plan->err = plan->fault != NULL ? SG_INCOMPATIBLE_SCHEMA : SG_OK;
	if (!plan_keep(&c, plan))
		c.is_failed = true;
	resolve_destroy(c.rs);
	free(c.steps);
	free(c.where);
	return c.is_failed ? NULL : plan;
}
