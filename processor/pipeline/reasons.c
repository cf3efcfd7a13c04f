/*
 * reasons.c - a move becomes a change: who, from where to where, and why.
 *
 * The reasons are the deciding parts of the rules that forced the move (the
 * smallest set whose values alone do), each with its source text and what it
 * read:
 *
 *   exclusive, up      the rule of the new segment, true
 *   exclusive, down    the rule of the new segment, true (if it has one), and
 *                      that of the old one, false
 *   exclusive, first   the rule of the segment; for the default: the rules
 *                      before it, false
 *   tag                enter or exit, true (exit may be "not enter")
 *   renewal            the date
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decide_private.h"
#include "override.h"
#include "segmentd/hash.h"

#define REASONS_MAX 16
#define TEXT_BYTES_MAX 4096 /* of one value in a reason */

struct reason_list {
	struct change_reason items[REASONS_MAX];
	size_t n;
};

static char *
value_text(struct decider *d, uint32_t slot, struct arena *arena)
{
	struct value v;
	int64_t until_ms;
	struct buf text;
	char *copy;

	decide_load(d, slot, d->now_ms, &v, &until_ms);
	buf_init(&text, TEXT_BYTES_MAX);
	if (v.kind == VALUE_ERROR) {
		buf_put_str(&text, "error: ");
		buf_put_str(&text, v.as.s);
	} else {
		value_to_text(v, d->prog->slots[slot].type, &text);
	}
	if (text.is_failed)
		copy = arena_copy(arena, "(long)", 6);
	else
		copy = arena_copy(arena, text.bytes, text.len);
	buf_fini(&text);
	return copy;
}

/* How many clauses the scores have that a part read. */
static size_t
score_clauses(const struct decider *d, const struct cel_atom *atom)
{
	size_t n = 0;

	for (size_t i = 0; i < atom->nslots; i++) {
		const struct program_slot *slot =
			&d->prog->slots[atom->slots[i]];

		if (slot->kind == SLOT_SCORE)
			n += d->prog->scores[slot->index].nclauses;
	}
	return n;
}

/* What made the score: "score.health.logs_in" = "40", for each clause. */
static bool
add_points(struct decider *d, const struct program_score *score,
	struct arena *arena, struct change_value *values, size_t *n)
{
	for (size_t i = 0; i < score->nclauses; i++) {
		struct cel_result res = decide_eval(d, score->clauses[i]);
		bool holds = res.value.kind == VALUE_BOOL && res.value.as.b;
		struct buf text;

		buf_init(&text, 1024);
		buf_printf(&text, "%s.%s", score->name, score->clause_names[i]);
		values[*n].name = arena_copy(arena, text.bytes, text.len);
		buf_reset(&text);
		value_to_text(value_double(holds ? score->points[i] : 0), NULL,
			&text);
		values[*n].value = arena_copy(arena, text.bytes, text.len);
		buf_fini(&text);
		if (values[*n].name == NULL || values[*n].value == NULL)
			return false;
		(*n)++;
	}
	return true;
}

static enum sg_err
add_atom(struct decider *d, const char *rule, const struct cel_prog *prog,
	const struct cel_atom *atom, struct arena *arena,
	struct reason_list *list)
{
	struct change_reason *reason = &list->items[list->n];
	struct change_value *values = arena_array(arena,
		atom->nslots + score_clauses(d, atom) + 1, sizeof(*values));
	size_t n = 0;

	reason->rule = rule;
	reason->clause = arena_copy(
		arena, cel_prog_source(prog) + atom->offset, atom->len);
	reason->result = atom->value.kind == VALUE_BOOL && atom->value.as.b;
	if (values == NULL || reason->clause == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < atom->nslots; i++) {
		const struct program_slot *slot =
			&d->prog->slots[atom->slots[i]];

		values[n].name = slot->name;
		values[n].value = value_text(d, atom->slots[i], arena);
		if (values[n++].value == NULL)
			return SG_NOMEM;
		if (slot->kind == SLOT_SCORE &&
			!add_points(d, &d->prog->scores[slot->index], arena,
				values, &n))
			return SG_NOMEM;
	}
	reason->values = values;
	reason->nvalues = n;
	list->n++;
	return SG_OK;
}

/* The deciding parts of one rule. */
static enum sg_err
add_rule(struct decider *d, const char *rule, const struct cel_prog *prog,
	struct arena *arena, struct reason_list *list)
{
	struct cel_atom atoms[REASONS_MAX];
	struct cel_frame *frame;
	struct cel_result res;
	enum sg_err err = SG_OK;
	size_t n;

	if (prog == NULL || list->n == REASONS_MAX)
		return SG_OK;
	frame = decide_frame_enter(d);
	if (frame == NULL)
		return SG_NOMEM;
	n = cel_explain(prog, frame, &d->host, d->now_ms, atoms,
		REASONS_MAX - list->n, &res);
	for (size_t i = 0; i < n && err == SG_OK; i++)
		err = add_atom(d, rule, prog, &atoms[i], arena, list);
	decide_frame_leave(d);
	return err;
}

static enum sg_err
reasons_exclusive(struct decider *d, const struct program_segmentation *seg,
	const struct change_move *move, struct arena *arena,
	struct reason_list *list)
{
	enum sg_err err = SG_OK;

	if (move->to >= 0)
		err = add_rule(d, seg->rule_names[move->to],
			seg->when[move->to], arena, list);
	if (move->from >= 0 && move->from < move->to && err == SG_OK)
		return add_rule(d, seg->rule_names[move->from],
			seg->when[move->from], arena, list);
	if (list->n > 0)
		return err;
	for (int16_t i = 0; i < move->to && err == SG_OK; i++)
		err = add_rule(
			d, seg->rule_names[i], seg->when[i], arena, list);
	return err;
}

static enum sg_err
reasons_tag(struct decider *d, const struct program_segmentation *seg,
	const struct change_move *move, struct arena *arena,
	struct reason_list *list)
{
	if (move->to == SEAT_NONE && seg->exit != NULL)
		return add_rule(d, seg->rule_names[1], seg->exit, arena, list);
	return add_rule(d, seg->rule_names[0], seg->enter, arena, list);
}

static enum sg_err
reasons_renewal(struct decider *d, const struct program_segmentation *seg,
	struct arena *arena, struct reason_list *list)
{
	const struct cel_prog *prog = d->prog->renewal_date;
	struct cel_atom atom = {.offset = 0};

	atom.len = (uint32_t)strlen(cel_prog_source(prog));
	atom.slots = cel_prog_slots(prog, &atom.nslots);
	atom.value = value_bool(d->acct->ms->has_renewal);
	return add_atom(d, seg->rule_names[0], prog, &atom, arena, list);
}

/* Who pinned it, why, and until when. */
static enum sg_err
reasons_override(const struct account_override *pin, struct arena *arena,
	struct reason_list *list)
{
	struct change_value *values = arena_array(arena, 2, sizeof(*values));
	char until[CIVIL_RFC3339_MAX] = "";

	if (values == NULL)
		return SG_NOMEM;
	if (pin->expires_ms != AT_NEVER)
		(void)civil_format_ms(pin->expires_ms, until, sizeof(until));
	values[0].name = "author";
	values[0].value = arena_copy(arena, pin->author, strlen(pin->author));
	values[1].name = "expires_at";
	values[1].value = arena_copy(arena, until, strlen(until));
	list->items[0] = (struct change_reason){.rule = "override",
		.clause = arena_copy(arena, pin->reason, strlen(pin->reason)),
		.result = true,
		.values = values,
		.nvalues = 2};
	list->n = 1;
	return values[0].value == NULL || values[1].value == NULL ||
			       list->items[0].clause == NULL
		       ? SG_NOMEM
		       : SG_OK;
}

/* "touch.mid": the rules have no such segment. */
static enum sg_err
reason_former(const struct former_seat *former, struct arena *arena,
	struct change_reason *ret)
{
	size_t len = strlen(former->segmentation);
	size_t segment_len = strlen(former->segment);
	char *rule = arena_alloc(arena, len + segment_len + 2);

	if (rule == NULL)
		return SG_NOMEM;
	memcpy(rule, former->segmentation, len);
	rule[len] = '.';
	memcpy(rule + len + 1, former->segment, segment_len + 1);
	*ret = (struct change_reason){
		.rule = rule, .clause = "the rules no longer have it"};
	return SG_OK;
}

enum sg_err
decide_reasons(
	struct decider *d, struct change_move *move, struct decide_out *out)
{
	const struct program_segmentation *seg =
		&d->prog->segmentations[move->segmentation];
	struct reason_list list = {.n = 0};
	struct change_reason *copy;
	enum sg_err err;

	if (move->pin != NULL)
		err = reasons_override(move->pin, out->arena, &list);
	else if (seg->is_renewal)
		err = reasons_renewal(d, seg, out->arena, &list);
	else if (seg->when != NULL)
		err = reasons_exclusive(d, seg, move, out->arena, &list);
	else
		err = reasons_tag(d, seg, move, out->arena, &list);
	if (err == SG_OK && move->former != NULL && list.n < REASONS_MAX)
		err = reason_former(
			move->former, out->arena, &list.items[list.n++]);
	if (err != SG_OK)
		return err;
	copy = arena_array(out->arena, list.n + 1, sizeof(*copy));
	if (copy == NULL)
		return SG_NOMEM;
	memcpy(copy, list.items, list.n * sizeof(*copy));
	move->reasons = copy;
	move->nreasons = list.n;
	return SG_OK;
}

/* --- the change --------------------------------------------------------- */

/* The same account and version: the same id, whoever decides it. */
static void
make_id(const struct program *prog, const struct account *acct,
	uint64_t version, char *ret_id)
{
	const struct conf_text *group = &prog->conf->opt.group;
	uint64_t high = hash_mix(
		hash_bytes(group->s == NULL ? "" : group->s, group->len),
		hash_mix(acct->hash, hash_u64(version)));
	uint64_t low = hash_mix(hash_u64(version ^ UINT64_C(0x5e6d)),
		hash_bytes(acct->id, acct->id_len));

	(void)snprintf(ret_id, 33, "%016llx%016llx", (unsigned long long)high,
		(unsigned long long)low);
}

static void
fill_trigger(struct decider *d, const struct decide_cause *cause,
	struct arena *arena, struct change *change)
{
	const struct event *ev = cause->ev;

	if (ev == NULL)
		return;
	change->trigger.topic = d->prog->inputs[ev->input].topic;
	change->trigger.partition = ev->partition;
	change->trigger.offset = ev->offset;
	change->kafka_ms = ev->kafka_ms;
	if (ev->id != NULL)
		change->trigger.event_id =
			arena_copy(arena, ev->id, ev->id_len);
}

static void
fill_renewal(struct decider *d, struct account *acct, struct change *change)
{
	const struct membership *ms = acct->ms;
	struct renewal_state state;
	const struct tz *tz;
	int64_t until_ms;
	const char *name;

	if (d->prog->renewal < 0 || !ms->has_renewal)
		return;
	tz = decide_zone(d, &until_ms);
	if (tz == NULL)
		return; /* days left cannot be told */
	renewal_at(&d->prog->renewal_def, tz, ms->renewal_date_ms, d->now_ms,
		&state);
	name = seat_name(&d->prog->defs[d->prog->renewal],
		ms->seats[d->prog->renewal].segment);
	change->renewal.is_set = true;
	change->renewal.date_ms = ms->renewal_date_ms;
	change->renewal.days_left = state.days_left;
	change->renewal.window = name == NULL ? "none" : name;
}

static double
priority_now(struct decider *d)
{
	struct cel_result res;

	if (d->prog->renewal_priority == NULL)
		return NAN;
	res = decide_eval(d, d->prog->renewal_priority);
	if (res.value.kind == VALUE_DOUBLE)
		return res.value.as.d;
	return res.value.kind == VALUE_INT ? (double)res.value.as.i : NAN;
}

static enum change_action
action_of(const struct change_move *move)
{
	if (move->is_deletion)
		return ACTION_delete;
	if (move->former != NULL)
		return ACTION_move;
	if (move->from == SEAT_NONE)
		return ACTION_enter;
	return move->to == SEAT_NONE ? ACTION_exit : ACTION_move;
}

static bool
make_room(struct change_list *changes)
{
	size_t cap = changes->cap * 2 + 64;
	struct change *items;

	if (changes->n < changes->cap)
		return true;
	items = realloc(changes->items, cap * sizeof(*items));
	if (items == NULL)
		return false;
	changes->items = items;
	changes->cap = cap;
	return true;
}

static enum change_origin
origin_of(const struct change_move *move, const struct decide_out *out)
{
	if (move->pin != NULL)
		return ORIGIN_override;
	return move->former != NULL ? ORIGIN_rule_change : out->cause->origin;
}

/* The account's next change, with what does not depend on where it moves; the
 * caller counts it when it is whole. NULL: no memory. */
static struct change *
change_begin(struct decider *d, struct account *acct, struct decide_out *out)
{
	struct change *change;

	if (!make_room(out->changes))
		return NULL;
	change = &out->changes->items[out->changes->n];
	*change = (struct change){
		.account = arena_copy(out->arena, acct->id, acct->id_len),
		.account_version = ++acct->ms->version,
		.evaluated_at_ms = d->now_ms,
		.rules_version = d->prog->rules_hash,
		.priority = NAN,
	};
	acct->ms->updated_ms = d->now_ms;
	acct->touched_ms = d->now_ms;
	make_id(d->prog, acct, change->account_version, change->change_id);
	return change->account == NULL ? NULL : change;
}

enum sg_err
decide_change(struct decider *d, struct account *acct,
	const struct change_move *move, struct decide_out *out)
{
	const struct segmentation_def *def = &d->prog->defs[move->segmentation];
	bool is_renewal = (int32_t)move->segmentation == d->prog->renewal;
	struct change *change = change_begin(d, acct, out);

	if (change == NULL)
		return SG_NOMEM;
	change->segmentation = def->name;
	change->from = seat_name(def, move->from);
	change->to = move->is_deletion ? NULL : seat_name(def, move->to);
	change->action = action_of(move);
	change->origin = origin_of(move, out);
	change->event_time_ms = out->cause->event_time_ms;
	change->valid_until_ms = move->valid_until_ms;
	change->reasons = move->reasons;
	change->nreasons = move->nreasons;
	if (is_renewal) {
		change->from = change->from == NULL ? "none" : change->from;
		if (!move->is_deletion && change->to == NULL)
			change->to = "none";
	}
	if (move->former != NULL) {
		change->from = arena_copy(out->arena, move->former->segment,
			strlen(move->former->segment));
		if (change->from == NULL)
			return SG_NOMEM;
	}
	fill_trigger(d, out->cause, out->arena, change);
	fill_renewal(d, acct, change);
	if (is_renewal && !move->is_deletion)
		change->priority = priority_now(d);
	out->changes->n++;
	return SG_OK;
}

/* What being in nothing is called; what kind it was, its segment tells. */
static const char *
nowhere(const struct former_seat *former)
{
	if (strcmp(former->segmentation, "renewal") == 0)
		return "none";
	return strcmp(former->segment, "in") == 0 ? "out" : NULL;
}

enum sg_err
decide_formers(struct decider *d, struct account *acct, struct decide_out *out)
{
	struct former_seat *former;

	while ((former = former_find(acct->ms, NULL)) != NULL) {
		struct change_reason *reason =
			arena_alloc(out->arena, sizeof(*reason));
		struct change *change = change_begin(d, acct, out);
		size_t len = strlen(former->segmentation);
		enum sg_err err;

		if (reason == NULL || change == NULL)
			return SG_NOMEM;
		err = reason_former(former, out->arena, reason);
		if (err != SG_OK)
			return err;
		change->segmentation =
			arena_copy(out->arena, former->segmentation, len);
		change->from = reason->rule + len + 1;
		change->to = nowhere(former);
		change->action = ACTION_exit;
		change->origin = ORIGIN_rule_change;
		change->event_time_ms = d->now_ms;
		change->valid_until_ms = AT_NEVER;
		change->reasons = reason;
		change->nreasons = 1;
		if (change->segmentation == NULL)
			return SG_NOMEM;
		former->is_seated = false;
		out->changes->n++;
	}
	return SG_OK;
}
