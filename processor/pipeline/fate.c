/*
 * fate.c - does a rule hold always, never, or does it depend?
 *
 * The work is bounded: so many combinations of segments for one rule, so many
 * evaluations in all; what goes beyond stays open. Time is unknown as well: a
 * rule is evaluated at the year 2000, before which there are no events, and
 * what it comes to counts only if it holds from then on for ever.
 *
 * An account that is in no segment yet is a combination as well: reading its
 * segment fails. Where nobody asks has(), a failure in the place of a segment
 * cannot make a rule hold that holds for no segment; so it is no objection to
 * "never".
 *
 * Clauses that exclude each other (same.c) are the one case where what is
 * unknown is looked at.
 */
#include "fate.h"

#include <stdlib.h>
#include <string.h>

#include "same.h"
#include "segmentd/arena.h"
#include "segmentd/change.h"

#define DEPTH_MAX 64
#define VARIED_MAX 8
#define COMBINATIONS_MAX 4096
#define EVALUATIONS_MAX 2000000
#define SCRATCH_BYTES_MAX (16 << 20)
#define YEAR_2000_MS INT64_C(946684800000)

struct memo {
	uint32_t epoch;
	struct value value;
	int64_t until_ms;
};

struct fates {
	const struct program *prog;
	struct cel_frame *frames[DEPTH_MAX];
	size_t depth;
	struct cel_host host;
	struct arena scratch; /* of one combination */
	struct memo *memo;    /* by slot */
	uint8_t *is_seen;     /* by slot, while looking for what varies */
	uint32_t epoch;
	uint32_t varied[VARIED_MAX]; /* slots */
	uint32_t choice[VARIED_MAX];
	size_t nvaried;
	uint32_t ncombinations;
	bool asks_has; /* some expression may ask has() */
	uint64_t budget;
};

static struct value
unknown(void)
{
	return value_error("unknown");
}

/* The segmentation whose segments are the values of a slot; NULL: none. */
static const struct segmentation_def *
segments_of(const struct fates *f, const struct program_slot *slot)
{
	if (slot->kind == SLOT_SEGMENT)
		return &f->prog->defs[slot->index];
	if (slot->kind == SLOT_RENEWAL_WINDOW)
		return &f->prog->defs[f->prog->renewal];
	return NULL;
}

/* Segment `choice`; beyond the last one: no segment. */
static struct value
segment_value(const struct program_slot *slot,
	const struct segmentation_def *def, uint32_t choice)
{
	const char *name = seat_name(
		def, choice < def->nsegments ? (int16_t)choice : SEAT_NONE);

	if (name == NULL && slot->kind == SLOT_RENEWAL_WINDOW)
		name = "none";
	return name == NULL ? value_absent()
			    : value_string(name, (uint32_t)strlen(name));
}

static struct cel_result
evaluate(struct fates *f, const struct cel_prog *prog)
{
	struct cel_result res = {unknown(), AT_NEVER};
	struct cel_frame **frame = &f->frames[f->depth];

	if (f->depth == DEPTH_MAX || f->budget == 0)
		return res;
	if (*frame == NULL && cel_frame_create(frame) != SG_OK)
		return res;
	f->depth++;
	f->budget--;
	res = cel_eval(prog, *frame, &f->host, YEAR_2000_MS);
	f->depth--;
	return res;
}

static struct cel_result
evaluate_score(struct fates *f, const struct program_score *score)
{
	struct cel_result sum = {value_double(0), AT_NEVER};

	for (size_t i = 0; i < score->nclauses; i++) {
		struct cel_result res = evaluate(f, score->clauses[i]);

		if (res.valid_until_ms < sum.valid_until_ms)
			sum.valid_until_ms = res.valid_until_ms;
		if (res.value.kind != VALUE_BOOL)
			return (struct cel_result){unknown(), AT_NEVER};
		if (res.value.as.b)
			sum.value.as.d += score->points[i];
	}
	return sum;
}

static struct cel_result
load_slot(struct fates *f, uint32_t slot)
{
	const struct program_slot *ps = &f->prog->slots[slot];
	const struct segmentation_def *def = segments_of(f, ps);
	struct cel_result res = {unknown(), AT_NEVER};

	if (ps->kind == SLOT_VARIABLE)
		res = evaluate(f, f->prog->variables[ps->index].prog);
	else if (ps->kind == SLOT_SCORE)
		res = evaluate_score(f, &f->prog->scores[ps->index]);
	for (size_t i = 0; i < f->nvaried && def != NULL; i++) {
		if (f->varied[i] == slot)
			res.value = segment_value(ps, def, f->choice[i]);
	}
	return res;
}

static void
load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	struct fates *f = ctx;
	struct memo *memo = &f->memo[slot];

	(void)now_ms;
	if (memo->epoch != f->epoch) {
		struct cel_result res = load_slot(f, slot);

		memo->value = value_copy(&f->scratch, res.value);
		memo->until_ms = res.valid_until_ms;
		memo->epoch = f->epoch;
	}
	*ret_value = memo->value;
	*ret_valid_until_ms = memo->until_ms;
}

static void
load_nothing(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	(void)ctx;
	(void)slot;
	(void)now_ms;
	*ret_value = unknown();
	*ret_valid_until_ms = AT_NEVER;
}

enum sg_err
fates_create(const struct program *prog, struct fates **ret_fates)
{
	struct fates *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return SG_NOMEM;
	f->prog = prog;
	f->budget = EVALUATIONS_MAX;
	f->host = (struct cel_host){.load = load, .ctx = f};
	arena_init(&f->scratch, SCRATCH_BYTES_MAX);
	f->memo = calloc(prog->nslots + 1, sizeof(*f->memo));
	f->is_seen = calloc(prog->nslots + 1, 1);
	if (f->memo == NULL || f->is_seen == NULL) {
		fates_destroy(f);
		return SG_NOMEM;
	}
	*ret_fates = f;
	return SG_OK;
}

void
fates_destroy(struct fates *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < DEPTH_MAX; i++)
		cel_frame_destroy(f->frames[i]);
	arena_fini(&f->scratch);
	free(f->memo);
	free(f->is_seen);
	free(f);
}

/* --- what varies -------------------------------------------------------- */

static void
find_varied(struct fates *f, const struct cel_prog *prog)
{
	size_t n;
	const uint32_t *slots = cel_prog_slots(prog, &n);

	if (strstr(cel_prog_source(prog), "has") != NULL)
		f->asks_has = true;
	for (size_t i = 0; i < n; i++) {
		const struct program_slot *ps = &f->prog->slots[slots[i]];
		const struct segmentation_def *def = segments_of(f, ps);
		const struct program_score *score;

		if (f->is_seen[slots[i]])
			continue;
		f->is_seen[slots[i]] = 1;
		if (ps->kind == SLOT_VARIABLE) {
			find_varied(f, f->prog->variables[ps->index].prog);
		} else if (ps->kind == SLOT_SCORE) {
			score = &f->prog->scores[ps->index];
			for (size_t k = 0; k < score->nclauses; k++)
				find_varied(f, score->clauses[k]);
		} else if (def != NULL && f->nvaried < VARIED_MAX &&
			   f->ncombinations * (def->nsegments + 1) <=
				   COMBINATIONS_MAX) {
			f->ncombinations *= (uint32_t)def->nsegments + 1;
			f->varied[f->nvaried++] = slots[i];
		}
	}
}

/* The next combination; false when all were tried. */
static bool
next_choice(struct fates *f)
{
	for (size_t i = 0; i < f->nvaried; i++) {
		const struct program_slot *ps = &f->prog->slots[f->varied[i]];

		if (++f->choice[i] <= segments_of(f, ps)->nsegments)
			return true;
		f->choice[i] = 0;
	}
	return false;
}

/* Is an account in no segment yet, in this combination? */
static bool
is_absent(const struct fates *f)
{
	for (size_t i = 0; i < f->nvaried; i++) {
		const struct program_slot *ps = &f->prog->slots[f->varied[i]];
		const struct segmentation_def *def = segments_of(f, ps);

		if (segment_value(ps, def, f->choice[i]).kind == VALUE_ABSENT)
			return true;
	}
	return false;
}

static enum fate
fate_of(const struct cel_result *res)
{
	if (res->value.kind != VALUE_BOOL || res->valid_until_ms != AT_NEVER)
		return FATE_OPEN;
	return res->value.as.b ? FATE_ALWAYS : FATE_NEVER;
}

enum fate
fate_of_rule(struct fates *f, const struct cel_prog *rule)
{
	bool is_never = true, is_always = true;

	f->nvaried = 0;
	f->ncombinations = 1;
	f->asks_has = false;
	memset(f->is_seen, 0, f->prog->nslots);
	memset(f->choice, 0, sizeof(f->choice));
	find_varied(f, rule);
	do {
		struct cel_result res;
		enum fate fate;

		arena_reset(&f->scratch);
		f->epoch++;
		res = evaluate(f, rule);
		fate = fate_of(&res);
		if (fate != FATE_ALWAYS)
			is_always = false;
		if (fate == FATE_ALWAYS ||
			(fate == FATE_OPEN && (f->asks_has || !is_absent(f))))
			is_never = false;
	} while ((is_never || is_always) && next_choice(f));
	if (same_contradicts(cel_prog_source(rule)))
		return FATE_NEVER;
	if (f->budget == 0)
		return FATE_OPEN;
	return is_never ? FATE_NEVER : is_always ? FATE_ALWAYS : FATE_OPEN;
}

enum fate
fate_of_filter(struct fates *f, const struct cel_prog *filter)
{
	static const struct cel_host nothing = {.load = load_nothing};
	struct cel_result res;

	if (same_contradicts(cel_prog_source(filter)))
		return FATE_NEVER;
	if (f->frames[0] == NULL && cel_frame_create(&f->frames[0]) != SG_OK)
		return FATE_OPEN;
	res = cel_eval(filter, f->frames[0], &nothing, YEAR_2000_MS);
	return fate_of(&res);
}
