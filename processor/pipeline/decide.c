/*
 * decide.c - rules evaluated for one account at one instant.
 *
 * A decision is a small computation graph evaluated lazily: an expression asks
 * for slots; a slot that is a variable or score evaluates further expressions.
 * Each slot is evaluated at most once a decision and kept with the instant
 * until which it holds (memo). Segmentations are visited in the order that the
 * program found: what is read comes before its reader, and a move marks the
 * readers as in need of evaluation.
 *
 * INVARIANTS
 *  - nothing is moved by an expression that failed: the seat is held;
 *  - at most one move a segmentation and decision;
 *  - until_ms[i] is never later than the first instant at which segmentation i
 *    could move with no event.
 */
#include "decide.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decide_private.h"
#include "override.h"
#include "segmentd/clock.h"

#define DEPTH_MAX 64 /* variables within variables */
#define SCRATCH_BYTES_MAX (16 << 20)
/* A look at the clock costs as much as a rule. A prime: every segmentation has
 * its turn. */
#define MEASURED_EVERY 61

enum sg_err
decider_create(const struct program *prog, struct decider **ret_decider)
{
	struct decider *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return SG_NOMEM;
	d->prog = prog;
	arena_init(&d->scratch, SCRATCH_BYTES_MAX);
	d->host.memo = calloc(prog->nslots + 1, sizeof(*d->host.memo));
	d->rule_errors = calloc(prog->nrules + 1, sizeof(*d->rule_errors));
	d->holds = calloc(prog->nsegmentations * DECIDE_HOLD_COUNT + 1,
		sizeof(*d->holds));
	d->measured = calloc(prog->nsegmentations + 1, sizeof(*d->measured));
	d->needs = calloc(prog->nsegmentations + 1, sizeof(*d->needs));
	d->frames = calloc(DEPTH_MAX, sizeof(struct cel_frame *));
	d->host.load = decide_load;
	d->host.ctx = d;
	if (d->host.memo == NULL || d->rule_errors == NULL ||
		d->holds == NULL || d->measured == NULL || d->needs == NULL ||
		d->frames == NULL) {
		decider_destroy(d);
		return SG_NOMEM;
	}
	*ret_decider = d;
	return SG_OK;
}

void
decider_destroy(struct decider *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; d->frames != NULL && i < DEPTH_MAX; i++)
		cel_frame_destroy(d->frames[i]);
	free(d->frames);
	free(d->host.memo);
	free(d->rule_errors);
	free(d->holds);
	free(d->measured);
	free(d->needs);
	arena_fini(&d->scratch);
	free(d);
}

/* What was loaded may have changed: it is loaded afresh, and so is what was
 * computed from it. */
static void
forget_memo(struct decider *d)
{
	d->host.epoch++;
	if (d->host.epoch == 0) {
		memset(d->host.memo, 0,
			d->prog->nslots * sizeof(*d->host.memo));
		d->host.epoch = 1;
	}
}

void
decide_begin(struct decider *d, const struct account *acct, int64_t now_ms)
{
	arena_reset(&d->scratch);
	d->acct = acct;
	d->now_ms = now_ms;
	d->depth = 0;
	d->is_short = false;
	forget_memo(d);
}

struct cel_frame *
decide_frame_enter(struct decider *d)
{
	if (d->depth == DEPTH_MAX)
		return NULL;
	if (d->frames[d->depth] == NULL &&
		cel_frame_create(&d->frames[d->depth]) != SG_OK) {
		d->is_short = true;
		return NULL;
	}
	return d->frames[d->depth++];
}

void
decide_frame_leave(struct decider *d)
{
	d->depth--;
}

struct cel_result
decide_eval(struct decider *d, const struct cel_prog *prog)
{
	struct cel_frame *frame = decide_frame_enter(d);
	struct cel_result res;

	if (frame == NULL)
		return (struct cel_result){
			value_error("nested too deep"), AT_NEVER};
	res = cel_eval(prog, frame, &d->host, d->now_ms);
	d->evaluated++;
	decide_frame_leave(d);
	return res;
}

/* --- slots -------------------------------------------------------------- */

/* A value that outlives the frame it was made in. */
static struct value
keep(struct decider *d, struct value v)
{
	switch (v.kind) {
	case VALUE_STRING:
	case VALUE_BYTES:
	case VALUE_LIST:
	case VALUE_MAP:
	case VALUE_RECORD:
		return value_copy(&d->scratch, v);
	default:
		return v;
	}
}

static void
load_score(struct decider *d, const struct program_score *score,
	struct value *ret_value, int64_t *ret_until)
{
	double sum = 0;

	*ret_until = AT_NEVER;
	for (size_t i = 0; i < score->nclauses; i++) {
		struct cel_result res = decide_eval(d, score->clauses[i]);

		if (res.valid_until_ms < *ret_until)
			*ret_until = res.valid_until_ms;
		if (res.value.kind != VALUE_BOOL) {
			*ret_value = res.value.kind == VALUE_ERROR
					     ? res.value
					     : value_error("not a boolean");
			return;
		}
		if (res.value.as.b)
			sum += score->points[i];
	}
	*ret_value = value_double(sum);
}

static void
load_segment(struct decider *d, uint32_t i, struct value *ret_value)
{
	const char *name =
		seat_name(&d->prog->defs[i], d->acct->ms->seats[i].segment);

	*ret_value = name == NULL ? value_absent()
				  : value_string(name, (uint32_t)strlen(name));
}

static void
load_renewal(struct decider *d, enum slot_kind kind, struct value *ret_value,
	int64_t *ret_until)
{
	const struct membership *ms = d->acct->ms;
	struct renewal_state state;
	const struct tz *tz;
	const char *name;

	if (kind == SLOT_RENEWAL_WINDOW) {
		name = seat_name(&d->prog->defs[d->prog->renewal],
			ms->seats[d->prog->renewal].segment);
		name = name == NULL ? "none" : name;
		*ret_value = value_string(name, (uint32_t)strlen(name));
		return;
	}
	if (!ms->has_renewal) {
		*ret_value = value_absent();
		return;
	}
	if (kind == SLOT_RENEWAL_DATE) {
		*ret_value = value_timestamp_ms(ms->renewal_date_ms);
		return;
	}
	tz = decide_zone(d, ret_until);
	if (tz == NULL) {
		*ret_value = value_error("time zone not known");
		return;
	}
	renewal_at(&d->prog->renewal_def, tz, ms->renewal_date_ms, d->now_ms,
		&state);
	if (state.days_until_ms < *ret_until)
		*ret_until = state.days_until_ms;
	*ret_value = value_int(state.days_left);
}

static void
load_slot(struct decider *d, uint32_t slot, struct value *ret_value,
	int64_t *ret_until)
{
	const struct program_slot *ps = &d->prog->slots[slot];
	struct cel_result res;

	*ret_until = AT_NEVER;
	switch (ps->kind) {
	case SLOT_ACCOUNT:
		*ret_value = value_string(d->acct->id, d->acct->id_len);
		return;
	case SLOT_FEATURE:
		features_value(d->prog->features, d->acct->features, ps->index,
			d->now_ms, &d->scratch, ret_value, ret_until);
		return;
	case SLOT_ZONE:
		decide_load_zone(d, ret_value, ret_until);
		return;
	case SLOT_VARIABLE:
		res = decide_eval(d, d->prog->variables[ps->index].prog);
		*ret_value = keep(d, res.value);
		*ret_until = res.valid_until_ms;
		return;
	case SLOT_SCORE:
		load_score(
			d, &d->prog->scores[ps->index], ret_value, ret_until);
		return;
	case SLOT_SEGMENT:
		load_segment(d, ps->index, ret_value);
		return;
	case SLOT_RENEWAL_DATE:
	case SLOT_RENEWAL_DAYS:
	case SLOT_RENEWAL_WINDOW:
		load_renewal(d, ps->kind, ret_value, ret_until);
		return;
	}
}

void
decide_load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	struct decider *d = ctx;
	struct cel_memo *memo = &d->host.memo[slot];

	(void)now_ms; /* one decision is at one instant: d->now_ms */
	if (memo->epoch != d->host.epoch) {
		load_slot(d, slot, &memo->value, &memo->until_ms);
		memo->epoch = d->host.epoch;
	}
	*ret_value = memo->value;
	*ret_valid_until_ms = memo->until_ms;
}

/* --- targets ------------------------------------------------------------ */

static bool
is_true(struct decider *d, const struct cel_prog *prog, size_t rule,
	bool *ret_is_error, int64_t *until_ms)
{
	struct cel_result res = decide_eval(d, prog);

	if (res.valid_until_ms < *until_ms)
		*until_ms = res.valid_until_ms;
	*ret_is_error = res.value.kind != VALUE_BOOL;
	if (*ret_is_error)
		d->rule_errors[rule]++;
	return !*ret_is_error && res.value.as.b;
}

/* The first rule that is true. A rule that fails stops the search. */
static int16_t
target_exclusive(struct decider *d, const struct program_segmentation *seg,
	int64_t *until_ms)
{
	size_t n = seg->nrules, at;
	struct cel_frame *frame;
	struct cel_result res;

	while (n > 0 && seg->when[n - 1] == NULL)
		n--; /* the default */
	frame = decide_frame_enter(d);
	if (frame == NULL)
		return TARGET_HOLD;
	at = cel_first(seg->when, n, frame, &d->host, d->now_ms, &res);
	decide_frame_leave(d);
	d->evaluated += at < n ? at + 1 : n;
	if (res.valid_until_ms < *until_ms)
		*until_ms = res.valid_until_ms;
	if (at == n)
		return n < seg->nrules ? (int16_t)n : TARGET_HOLD;
	if (res.value.kind == VALUE_BOOL)
		return (int16_t)at;
	d->rule_errors[seg->first_rule + at]++;
	return seg->exits_on_error ? (int16_t)(seg->nrules - 1) : TARGET_HOLD;
}

/*
 * In: stays while not exit (and enter wins over exit, so that a pair of rules
 * that hold at once cannot swing to and fro). Out: comes in when enter holds.
 */
static int16_t
target_tag(struct decider *d, const struct program_segmentation *seg,
	int16_t present, int64_t *until_ms)
{
	bool is_error = false;
	bool is_exit;

	if (present != SEAT_NONE && seg->exit != NULL) {
		is_exit = is_true(
			d, seg->exit, seg->first_rule + 1, &is_error, until_ms);
		if (is_error && !seg->exits_on_error)
			return TARGET_HOLD;
		if (!is_error && !is_exit)
			return present;
	}
	if (is_true(d, seg->enter, seg->first_rule, &is_error, until_ms))
		return 0;
	if (is_error && !seg->exits_on_error)
		return TARGET_HOLD;
	return SEAT_NONE;
}

/* What the renewal date comes to. */
struct renewal_look {
	int16_t window; /* or TARGET_HOLD: it failed */
	bool has_date;
	int64_t date_ms;
};

static struct renewal_look
look_renewal(struct decider *d, const struct program_segmentation *seg,
	int64_t *until_ms)
{
	struct cel_result res = decide_eval(d, d->prog->renewal_date);
	struct renewal_look look = {.window = SEAT_NONE};
	struct renewal_state state;
	const struct tz *tz;
	int64_t zone_until;

	if (res.valid_until_ms < *until_ms)
		*until_ms = res.valid_until_ms;
	/* A date that moves with time would be another one every millisecond:
	 * that is a mistake in the rule, and moves nobody. */
	look.has_date =
		res.value.kind == VALUE_TIMESTAMP && res.value.slope == 0;
	if (!look.has_date) {
		if (res.value.kind != VALUE_NULL &&
			res.value.kind != VALUE_ABSENT) {
			d->rule_errors[seg->first_rule]++;
			look.window = TARGET_HOLD;
		}
		return look;
	}
	look.date_ms = value_to_ms(res.value);
	tz = decide_zone(d, &zone_until);
	if (zone_until < *until_ms)
		*until_ms = zone_until;
	if (tz == NULL) {
		/* Midnight is nowhere. */
		d->rule_errors[seg->first_rule]++;
		look.window = TARGET_HOLD;
		return look;
	}
	renewal_at(&d->prog->renewal_def, tz, look.date_ms, d->now_ms, &state);
	if (state.window_until_ms < *until_ms)
		*until_ms = state.window_until_ms;
	look.window = state.window;
	return look;
}

/* The same, with the date remembered. */
static int16_t
target_renewal(struct decider *d, const struct program_segmentation *seg,
	struct account *acct, int64_t *until_ms, bool *ret_is_date_moved)
{
	struct renewal_look look = look_renewal(d, seg, until_ms);
	struct membership *ms = acct->ms;

	*ret_is_date_moved = false;
	if (look.window == TARGET_HOLD)
		return TARGET_HOLD;
	*ret_is_date_moved =
		look.has_date != ms->has_renewal ||
		(look.has_date && look.date_ms != ms->renewal_date_ms);
	ms->has_renewal = look.has_date;
	ms->renewal_date_ms = look.date_ms;
	return look.window;
}

/* --- one segmentation --------------------------------------------------- */

static void
mark_readers(struct decider *d, size_t i)
{
	const struct program *prog = d->prog;

	forget_memo(d);
	for (size_t k = 0; k < prog->nsegmentations; k++) {
		if (prog->segmentations[k].deps.segments[i / 64] >> (i % 64) &
			1)
			d->needs[k] = 1;
	}
}

static int16_t
target_unmeasured(struct decider *d, size_t i, const struct account *acct,
	int64_t *until_ms)
{
	const struct program_segmentation *seg = &d->prog->segmentations[i];

	if (seg->when != NULL)
		return target_exclusive(d, seg, until_ms);
	return target_tag(d, seg, seat_ruled(&acct->ms->seats[i]), until_ms);
}

/* Of any but the renewal window: what the rules say, whoever pinned it. */
static int16_t
target_ruled(struct decider *d, size_t i, const struct account *acct,
	int64_t *until_ms)
{
	int64_t since_ns;
	int16_t target;

	if (d->nruled++ % MEASURED_EVERY != 0)
		return target_unmeasured(d, i, acct, until_ms);
	since_ns = clock_mono_ns();
	target = target_unmeasured(d, i, acct, until_ms);
	d->measured[i].ns += (uint64_t)(clock_mono_ns() - since_ns);
	d->measured[i].n++;
	return target;
}

static int16_t
target_of(struct decider *d, size_t i, struct account *acct, int64_t *until_ms,
	bool *ret_is_date_moved)
{
	const struct program_segmentation *seg = &d->prog->segmentations[i];
	const struct account_override *pin = override_at(acct, i, d->now_ms);

	*ret_is_date_moved = false;
	if (pin != NULL) {
		*until_ms = pin->expires_ms;
		return pin->segment;
	}
	if (seg->is_renewal)
		return target_renewal(
			d, seg, acct, until_ms, ret_is_date_moved);
	return target_ruled(d, i, acct, until_ms);
}

/* A person's word is not held back by min_stay or cooldown. */
static struct seat_step
step_of(const struct decider *d, size_t i, const struct seat *seat,
	int16_t target, const struct account_override *pin)
{
	if (pin != NULL)
		return (struct seat_step){.wake_ms = AT_NEVER,
			.to = target,
			.is_move = target != seat->segment};
	return seat_step(&d->prog->defs[i], seat, target, d->now_ms);
}

/* What holds the account, if anything does; `ruled` is what the rules want. */
static enum decide_hold
hold_of(int16_t target, int16_t ruled, const struct seat_step *step,
	const struct account_override *pin)
{
	if (pin != NULL)
		return ruled != TARGET_HOLD && ruled != target
			       ? DECIDE_HOLD_override
			       : DECIDE_HOLD_COUNT;
	if (target == TARGET_HOLD)
		return DECIDE_HOLD_error;
	if (!step->is_suppressed)
		return DECIDE_HOLD_COUNT;
	return step->is_cooldown ? DECIDE_HOLD_cooldown : DECIDE_HOLD_min_stay;
}

static void
count_hold(struct decider *d, size_t i, const struct account *acct,
	int16_t target, const struct seat_step *step,
	const struct account_override *pin)
{
	int64_t until_ms = AT_NEVER; /* nothing moves while it is pinned */
	int16_t ruled =
		pin == NULL ? target : target_ruled(d, i, acct, &until_ms);
	enum decide_hold hold = hold_of(target, ruled, step, pin);

	if (hold == DECIDE_HOLD_COUNT)
		return;
	d->holds[i * DECIDE_HOLD_COUNT + hold]++;
	d->suppressed += hold != DECIDE_HOLD_error;
}

static enum sg_err
decide_segmentation(struct decider *d, size_t i, struct account *acct,
	struct decide_out *out)
{
	const struct segmentation_def *def = &d->prog->defs[i];
	struct seat *seat = &acct->ms->seats[i];
	int64_t until_ms = AT_NEVER;
	bool is_date_moved;
	int16_t target = target_of(d, i, acct, &until_ms, &is_date_moved);
	const struct account_override *pin = override_at(acct, i, d->now_ms);
	struct seat_step step = step_of(d, i, seat, target, pin);
	struct former_seat *former;
	struct change_move move;
	enum sg_err err;

	if (is_date_moved)
		mark_readers(d, i);
	count_hold(d, i, acct, target, &step, pin);
	if (step.wake_ms < until_ms)
		until_ms = step.wake_ms;
	acct->until_ms[i] = until_ms;
	if (!step.is_move) {
		if (pin == NULL && target != TARGET_HOLD)
			seat_take(seat, step.to, d->now_ms);
		return SG_OK;
	}
	former = seat->segment == SEAT_NONE ? former_find(acct->ms, def->name)
					    : NULL;
	move = (struct change_move){.segmentation = i,
		.from = seat->segment,
		.to = step.to,
		.pin = pin,
		.former = former};
	/* Reasons are found before the seat moves: as the rules saw it. */
	err = decide_reasons(d, &move, out);
	if (err != SG_OK)
		return err;
	if (pin != NULL)
		seat_pin(seat, step.to, d->now_ms);
	else
		seat_take(seat, step.to, d->now_ms);
	mark_readers(d, i);
	if (def->kind == SEGMENTATION_TAG) {
		/* From here on the other rule counts. */
		until_ms = AT_NEVER;
		target = target_of(d, i, acct, &until_ms, &is_date_moved);
		step = step_of(d, i, seat, target, pin);
		if (step.wake_ms < until_ms)
			until_ms = step.wake_ms;
	}
	acct->until_ms[i] = until_ms;
	move.valid_until_ms = until_ms;
	err = decide_change(d, acct, &move, out);
	if (err == SG_OK && former != NULL)
		former->is_seated = false;
	return err;
}

/* A deleted account leaves every segment it is in. */
static enum sg_err
decide_gone(struct decider *d, struct account *acct, struct decide_out *out)
{
	for (size_t i = 0; i < d->prog->nsegmentations; i++) {
		struct seat *seat = &acct->ms->seats[i];
		struct change_move move = {.segmentation = i,
			.from = seat->segment,
			.to = SEAT_NONE,
			.is_deletion = true,
			.valid_until_ms = AT_NEVER};
		enum sg_err err;

		acct->until_ms[i] = AT_NEVER;
		if (seat->segment == SEAT_NONE) {
			seat->since_ms = 0;
			continue;
		}
		*seat = (struct seat){.segment = SEAT_NONE};
		err = decide_change(d, acct, &move, out);
		if (err != SG_OK)
			return err;
	}
	acct->ms->has_renewal = false;
	return SG_OK;
}

static bool
is_in_need(const struct decider *d, const struct account *acct, size_t i)
{
	const struct program_deps *deps = &d->prog->segmentations[i].deps;
	size_t words = (d->prog->nfeatures + 63) / 64;

	if (d->needs[i] || acct->until_ms[i] <= d->now_ms)
		return true;
	for (size_t w = 0; w < words; w++) {
		if (deps->features[w] & acct->changed[w])
			return true;
	}
	return false;
}

enum sg_err
decide_account(struct decider *d, struct account *acct, int64_t now_ms,
	bool is_forced, const struct decide_cause *cause, struct arena *arena,
	struct change_list *changes, int64_t *ret_due_ms)
{
	const struct program *prog = d->prog;
	struct decide_out out = {cause, arena, changes};
	int64_t due_ms = AT_NEVER;
	enum sg_err err = SG_OK;

	decide_begin(d, acct, now_ms);
	memset(d->needs, is_forced, prog->nsegmentations);
	if (acct->is_gone) {
		err = decide_gone(d, acct, &out);
	} else {
		for (size_t k = 0; k < prog->nsegmentations; k++) {
			size_t i = prog->order[k];

			if (!is_in_need(d, acct, i))
				continue;
			err = decide_segmentation(d, i, acct, &out);
			if (err != SG_OK)
				break;
		}
	}
	if (err == SG_OK)
		err = decide_formers(d, acct, &out);
	if (err == SG_OK && d->is_short)
		err = SG_NOMEM;
	if (err != SG_OK)
		return err;
	if (prog->renewal < 0)
		acct->ms->has_renewal = false;
	memset(acct->changed, 0, (prog->nfeatures + 63) / 64 * 8);
	for (size_t i = 0; i < prog->nsegmentations; i++) {
		if (acct->until_ms[i] < due_ms)
			due_ms = acct->until_ms[i];
	}
	*ret_due_ms = due_ms;
	return SG_OK;
}

/* --- for views ---------------------------------------------------------- */

void
decide_view_begin(struct decider *d, const struct account *acct, int64_t now_ms)
{
	decide_begin(d, acct, now_ms);
}

struct value
decide_view(struct decider *d, uint32_t slot)
{
	struct value v;
	int64_t until_ms;

	decide_load(d, slot, d->now_ms, &v, &until_ms);
	return v;
}

struct decide_outlook
decide_outlook(struct decider *d, const struct account *acct, size_t i)
{
	const struct program_segmentation *seg = &d->prog->segmentations[i];
	const struct seat *seat = &acct->ms->seats[i];
	const struct account_override *pin = override_at(acct, i, d->now_ms);
	struct decide_outlook look = {.until_ms = AT_NEVER};

	if (acct->is_gone)
		look.target = SEAT_NONE;
	else if (seg->is_renewal)
		look.target = look_renewal(d, seg, &look.until_ms).window;
	else
		look.target = target_ruled(d, i, acct, &look.until_ms);
	look.ruled = look.target;
	if (acct->is_gone)
		pin = NULL;
	if (pin != NULL) {
		look.target = pin->segment;
		look.until_ms = pin->expires_ms;
	}
	look.step = step_of(d, i, seat, look.target, pin);
	if (look.step.wake_ms < look.until_ms)
		look.until_ms = look.step.wake_ms;
	look.hold = hold_of(look.target, look.ruled, &look.step, pin);
	return look;
}

double
decide_priority(struct decider *d, const struct account *acct, int64_t now_ms)
{
	struct cel_result res;

	if (d->prog->renewal_priority == NULL)
		return NAN;
	decide_begin(d, acct, now_ms);
	res = decide_eval(d, d->prog->renewal_priority);
	switch (res.value.kind) {
	case VALUE_DOUBLE:
		return res.value.as.d;
	case VALUE_INT:
		return (double)res.value.as.i;
	case VALUE_UINT:
		return (double)res.value.as.u;
	default:
		return NAN;
	}
}

bool
decide_days_left(struct decider *d, const struct account *acct, int64_t now_ms,
	int64_t *ret_days)
{
	struct renewal_state state;
	const struct tz *tz;
	int64_t until_ms;

	if (d->prog->renewal < 0 || !acct->ms->has_renewal)
		return false;
	decide_begin(d, acct, now_ms);
	tz = decide_zone(d, &until_ms);
	if (tz == NULL)
		return false;
	renewal_at(&d->prog->renewal_def, tz, acct->ms->renewal_date_ms, now_ms,
		&state);
	*ret_days = state.days_left;
	return true;
}

uint64_t
decider_take_evaluated(struct decider *d)
{
	uint64_t n = d->evaluated;

	d->evaluated = 0;
	return n;
}

uint64_t
decider_take_suppressed(struct decider *d)
{
	uint64_t n = d->suppressed;

	d->suppressed = 0;
	return n;
}

uint64_t *
decider_rule_errors(struct decider *d)
{
	return d->rule_errors;
}

struct decide_measure *
decider_measured(struct decider *d)
{
	return d->measured;
}

uint64_t *
decider_holds(struct decider *d)
{
	return d->holds;
}

const char *
decide_hold_name(enum decide_hold hold)
{
	static const char *const names[] = {
#define HOLD(name) #name,
		DECIDE_HOLDS(HOLD)
#undef HOLD
	};

	return hold < DECIDE_HOLD_COUNT ? names[hold] : NULL;
}
