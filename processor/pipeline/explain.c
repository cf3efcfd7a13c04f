/*
 * explain.c - why an account is where it is.
 *
 * Every clause of every segmentation is evaluated, also those that a decision
 * would not look at, against the account as it stands. Seats are read, never
 * moved: what segments say of each other is what they are, not what they would
 * become.
 */
#include "explain.h"

#include <string.h>

#include "decide_private.h"
#include "override.h"
#include "segmentd/clock.h"
#include "segmentd/hash.h"
#include "segmentd/store.h"
#include "stored.h"

#define STEPS_MAX 5000
#define TEXT_BYTES_MAX 65536

struct explainer {
	const struct program *prog;
	struct decider *d;
	const struct account *acct;
	struct arena *arena;
	bool is_failed;
};

/* NULL when out of memory. */
static const char *
value_text(struct explainer *ex, struct value v, const struct type *type)
{
	struct buf text;
	char *copy;

	buf_init(&text, TEXT_BYTES_MAX);
	if (v.kind == VALUE_ERROR)
		buf_printf(&text, "error: %s", v.as.s);
	else if (v.kind == VALUE_ABSENT)
		buf_put_str(&text, "(none)");
	else
		value_to_text(v, type, &text);
	copy = text.is_failed ? arena_copy(ex->arena, "(long)", 6)
			      : arena_copy(ex->arena, text.bytes, text.len);
	buf_fini(&text);
	if (copy == NULL)
		ex->is_failed = true;
	return copy;
}

/* The score that a slot is; NULL: it is none. */
static const struct program_score *
score_of(const struct explainer *ex, uint32_t slot)
{
	const struct program_slot *ps = &ex->prog->slots[slot];

	return ps->kind == SLOT_SCORE ? &ex->prog->scores[ps->index] : NULL;
}

/* What makes a score: the points of each clause, or how it failed. */
static size_t
points_of(struct explainer *ex, const struct program_score *score,
	struct explain_value *values)
{
	for (size_t i = 0; i < score->nclauses; i++) {
		struct value v = decide_eval(ex->d, score->clauses[i]).value;
		struct buf name;

		buf_init(&name, TEXT_BYTES_MAX);
		buf_printf(&name, "%s.%s", score->name, score->clause_names[i]);
		values[i].name = arena_copy(ex->arena, name.bytes, name.len);
		buf_fini(&name);
		if (v.kind == VALUE_BOOL)
			v = value_double(v.as.b ? score->points[i] : 0);
		values[i].text = value_text(ex, v, NULL);
		if (values[i].name == NULL)
			ex->is_failed = true;
	}
	return score->nclauses;
}

static const struct explain_value *
values_of(struct explainer *ex, const uint32_t *slots, size_t n, size_t *ret_n)
{
	struct explain_value *values;
	size_t room = n, at = 0;

	for (size_t i = 0; i < n; i++)
		room += score_of(ex, slots[i]) == NULL
				? 0
				: score_of(ex, slots[i])->nclauses;
	values = arena_array(ex->arena, room + 1, sizeof(*values));
	*ret_n = 0;
	if (values == NULL) {
		ex->is_failed = true;
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		const struct program_score *score = score_of(ex, slots[i]);

		values[at].name = ex->prog->slots[slots[i]].name;
		values[at++].text = value_text(ex, decide_view(ex->d, slots[i]),
			ex->prog->slots[slots[i]].type);
		if (score != NULL)
			at += points_of(ex, score, &values[at]);
	}
	*ret_n = at;
	return values;
}

static void
explain_clause(struct explainer *ex, const char *rule,
	const struct cel_prog *prog, struct explain_clause *ret)
{
	const uint32_t *slots;
	struct cel_result res;
	size_t nslots;

	*ret = (struct explain_clause){.rule = rule,
		.source = "",
		.result = EXPLAIN_TRUE,
		.valid_until_ms = AT_NEVER};
	if (prog == NULL)
		return; /* a default always holds */
	ret->source = cel_prog_source(prog);
	res = decide_eval(ex->d, prog);
	ret->valid_until_ms = res.valid_until_ms;
	if (res.value.kind == VALUE_BOOL) {
		ret->result = res.value.as.b ? EXPLAIN_TRUE : EXPLAIN_FALSE;
	} else {
		ret->result = EXPLAIN_ERROR;
		ret->error = res.value.kind == VALUE_ERROR ? res.value.as.s
							   : "not a boolean";
		ret->error =
			arena_copy(ex->arena, ret->error, strlen(ret->error));
		ex->is_failed = ex->is_failed || ret->error == NULL;
	}
	slots = cel_prog_slots(prog, &nslots);
	ret->values = values_of(ex, slots, nslots, &ret->nvalues);
}

static void
explain_renewal(struct explainer *ex, struct explain_clause *ret)
{
	const struct cel_prog *prog = ex->prog->renewal_date;
	struct cel_result res = decide_eval(ex->d, prog);
	size_t nslots;
	const uint32_t *slots = cel_prog_slots(prog, &nslots);
	const char *error = NULL;
	int64_t zone_until;

	ret->rule = "renewal.date";
	ret->source = cel_prog_source(prog);
	ret->valid_until_ms = res.valid_until_ms;
	ret->result = res.value.kind == VALUE_TIMESTAMP ? EXPLAIN_TRUE
							: EXPLAIN_FALSE;
	if (res.value.kind == VALUE_ERROR)
		error = res.value.as.s;
	else if (res.value.kind == VALUE_TIMESTAMP &&
		 decide_zone(ex->d, &zone_until) == NULL)
		error = "time zone not known";
	if (error != NULL) {
		ret->result = EXPLAIN_ERROR;
		ret->error = arena_copy(ex->arena, error, strlen(error));
		ex->is_failed = ex->is_failed || ret->error == NULL;
	}
	ret->values = values_of(ex, slots, nslots, &ret->nvalues);
}

static void
explain_hold(const struct decide_outlook *look, const int64_t pin_until_ms,
	struct explain_segmentation *ret)
{
	ret->is_held = look->hold != DECIDE_HOLD_COUNT;
	if (!ret->is_held)
		return;
	ret->held_by = decide_hold_name(look->hold);
	ret->held_until_ms = look->step.wake_ms;
	if (look->hold == DECIDE_HOLD_error)
		ret->held_until_ms = AT_NEVER;
	else if (look->hold == DECIDE_HOLD_override)
		ret->held_until_ms = pin_until_ms;
}

static void
explain_override(
	struct explainer *ex, size_t i, struct explain_segmentation *ret)
{
	const struct account_override *pin =
		override_at(ex->acct, i, ex->d->now_ms);

	if (pin == NULL)
		return;
	ret->override_author =
		arena_copy(ex->arena, pin->author, strlen(pin->author));
	ret->override_reason =
		arena_copy(ex->arena, pin->reason, strlen(pin->reason));
	ret->override_until_ms = pin->expires_ms;
	if (ret->override_author == NULL || ret->override_reason == NULL)
		ex->is_failed = true;
}

static void
explain_segmentation(
	struct explainer *ex, size_t i, struct explain_segmentation *ret)
{
	const struct program_segmentation *seg = &ex->prog->segmentations[i];
	const struct segmentation_def *def = &ex->prog->defs[i];
	const struct seat *seat = &ex->acct->ms->seats[i];
	struct explain_clause *clauses =
		arena_array(ex->arena, seg->nrules + 1, sizeof(*clauses));
	struct decide_outlook look = decide_outlook(ex->d, ex->acct, i);
	size_t n = 0;

	*ret = (struct explain_segmentation){
		.name = def->name,
		.segment = seat_name(def, seat->segment),
		.since_ms = seat->since_ms,
		.target = look.ruled == TARGET_HOLD
				  ? NULL
				  : seat_name(def, look.ruled),
	};
	explain_override(ex, i, ret);
	explain_hold(&look, ret->override_until_ms, ret);
	if (clauses == NULL) {
		ex->is_failed = true;
		return;
	}
	memset(clauses, 0, (seg->nrules + 1) * sizeof(*clauses));
	if (seg->is_renewal) {
		explain_renewal(ex, &clauses[n++]);
	} else if (seg->when != NULL) {
		for (; n < seg->nrules; n++)
			explain_clause(ex, seg->rule_names[n], seg->when[n],
				&clauses[n]);
	} else {
		explain_clause(ex, seg->rule_names[0], seg->enter, clauses);
		n = 1;
		if (seg->exit != NULL)
			explain_clause(ex, seg->rule_names[1], seg->exit,
				&clauses[n++]);
	}
	ret->clauses = clauses;
	ret->nclauses = n;
}

/*
 * When the account leaves its seat, if nothing happens. What a decision tells
 * is until when it surely stays (a day passes, a tile leaves its window); that
 * instant is looked at, and the one after it, as the timers would. Others'
 * seats are taken as they are now. After so many steps the last one is told:
 * it does not move before.
 */
static int64_t
next_move(struct explainer *ex, size_t i, int64_t at_ms)
{
	struct decide_outlook look = decide_outlook(ex->d, ex->acct, i);

	for (int step = 0; step < STEPS_MAX && look.until_ms != AT_NEVER &&
			   look.until_ms > at_ms;
		step++) {
		at_ms = look.until_ms;
		decide_view_begin(ex->d, ex->acct, at_ms);
		look = decide_outlook(ex->d, ex->acct, i);
		if (look.step.is_move)
			return at_ms;
	}
	return look.until_ms;
}

static void
explain_all(struct explainer *ex, struct explanation *ret)
{
	size_t n = ex->prog->nsegmentations;
	struct explain_segmentation *list =
		arena_array(ex->arena, n + 1, sizeof(*list));
	uint32_t *slots =
		arena_array(ex->arena, ex->prog->nslots + 1, sizeof(*slots));

	if (list == NULL || slots == NULL) {
		ex->is_failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		explain_segmentation(ex, i, &list[i]);
	for (size_t i = 0; i < n; i++) {
		list[i].next_ms = next_move(ex, i, ret->at_ms);
		decide_view_begin(ex->d, ex->acct, ret->at_ms);
	}
	ret->segmentations = list;
	ret->nsegmentations = n;
	for (uint32_t i = 0; i < ex->prog->nslots; i++)
		slots[i] = i;
	ret->values = values_of(ex, slots, ex->prog->nslots, &ret->nvalues);
}

enum sg_err
explain_account(const struct program *prog, const struct account *acct,
	int64_t at_ms, struct arena *arena, struct explanation *ret)
{
	struct explainer ex = {.prog = prog, .acct = acct, .arena = arena};
	enum sg_err err = decider_create(prog, &ex.d);

	if (err != SG_OK)
		return err;
	memset(ret, 0, sizeof(*ret));
	ret->account = arena_copy(arena, acct->id, acct->id_len);
	ret->account_version = acct->ms->version;
	ret->at_ms = at_ms;
	ret->updated_ms = acct->touched_ms;
	ret->is_deleted = acct->is_gone;
	ret->has_renewal = prog->renewal >= 0 && acct->ms->has_renewal;
	ret->renewal_date_ms = acct->ms->renewal_date_ms;
	(void)decide_days_left(ex.d, acct, at_ms, &ret->days_left);
	decide_view_begin(ex.d, acct, at_ms);
	explain_all(&ex, ret);
	decider_destroy(ex.d);
	return ex.is_failed || ret->account == NULL ? SG_NOMEM : SG_OK;
}

/* --- from Redis --------------------------------------------------------- */

enum sg_err
pipeline_explain(const struct program *prog, const char *account, int64_t at_ms,
	struct arena *arena, struct explanation *ret_explanation,
	struct sg_fault *why)
{
	struct store_opts opts = program_store_opts(prog);
	size_t len = strlen(account);
	struct store_blob blob = {NULL, 0};
	struct store_meta meta = {.nlayouts = 0};
	struct store *store = NULL;
	struct accounts accounts;
	struct account *acct;
	int32_t ngroups = 0;
	enum sg_err err;

	err = accounts_init(&accounts, prog);
	if (err != SG_OK)
		return err;
	acct = accounts_add(&accounts, account, len, hash_bytes(account, len));
	err = acct == NULL ? SG_NOMEM : store_open_redis(&opts, &store, why);
	if (err == SG_OK)
		err = stored_groups(store, opts.layout, &ngroups, why);
	if (err == SG_OK)
		err = stored_find(
			store, ngroups, account, arena, &blob, &meta, why);
	if (err == SG_OK)
		err = stored_read(prog, &blob, &meta, acct, why);
	if (err == SG_OK)
		err = explain_account(
			prog, acct, at_ms, arena, ret_explanation);
	store_close(store);
	/* Its features were replaced: the count of bytes does not matter now.
	 */
	accounts_clear(&accounts);
	accounts_fini(&accounts);
	return err;
}
