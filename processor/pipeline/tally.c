/*
 * tally.c - from where to where, counted.
 *
 * Accounts come in any order, one at a time; kept are the cells of each
 * segmentation, and the accounts that move. Values are summed as 128-bit
 * millionths, so that the order does not matter.
 */
#include "tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TALLY_BYTES_MAX ((size_t)8 << 30)
#define MILLION 1000000.0

typedef __int128 millionths_t;

struct cell {
	uint64_t naccounts;
	uint64_t nlater;
	millionths_t value;
	millionths_t later_value;
};

struct segmentation {
	const char *name;
	bool is_old;
	bool is_new;
	const char **names;
	uint32_t n;
	uint32_t cap;
	struct cell *cells; /* cap * cap; freed */
};

struct tally {
	struct comparison comparison; /* what is handed out, in the end */
	struct arena arena;
	struct segmentation *segs[TALLY_SEGMENTATIONS_MAX];
	size_t nsegs;
	struct comparison_move *moves;
	size_t nmoves, moves_cap;
};

enum sg_err
tally_create(const char *value, struct tally **ret_tally)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return SG_NOMEM;
	arena_init(&t->arena, TALLY_BYTES_MAX);
	if (value != NULL) {
		t->comparison.value =
			arena_copy(&t->arena, value, strlen(value));
		if (t->comparison.value == NULL) {
			tally_destroy(t);
			return SG_NOMEM;
		}
	}
	*ret_tally = t;
	return SG_OK;
}

void
tally_destroy(struct tally *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->nsegs; i++)
		free(t->segs[i]->cells);
	free(t->moves);
	arena_fini(&t->arena);
	free(t);
}

struct arena *
tally_arena(struct tally *t)
{
	return &t->arena;
}

/* --- numbers ------------------------------------------------------------ */

static bool
segmentation_grow(struct tally *t, struct segmentation *seg)
{
	uint32_t cap = seg->cap == 0 ? 8 : seg->cap * 2;
	const char **names = arena_array(&t->arena, cap, sizeof(*seg->names));
	struct cell *cells = calloc((size_t)cap * cap, sizeof(*cells));

	if (names == NULL || cells == NULL) {
		free(cells);
		return false;
	}
	for (uint32_t i = 0; i < seg->n; i++) {
		names[i] = seg->names[i];
		memcpy(&cells[(size_t)i * cap],
			&seg->cells[(size_t)i * seg->cap],
			seg->n * sizeof(*cells));
	}
	free(seg->cells);
	seg->cells = cells;
	seg->names = names;
	seg->cap = cap;
	return true;
}

/* The number of a segment, a new one if need be; UINT32_MAX: no memory. */
static uint32_t
segment_number(struct tally *t, struct segmentation *seg, const char *name)
{
	for (uint32_t i = 1; i < seg->n; i++) {
		if (strcmp(seg->names[i], name) == 0)
			return i;
	}
	if (seg->n == seg->cap && !segmentation_grow(t, seg))
		return UINT32_MAX;
	seg->names[seg->n] = arena_copy(&t->arena, name, strlen(name));
	return seg->names[seg->n] == NULL ? UINT32_MAX : seg->n++;
}

static struct segmentation *
segmentation_add(struct tally *t, const char *name)
{
	struct segmentation *seg = arena_alloc(&t->arena, sizeof(*seg));

	if (seg == NULL || t->nsegs == TALLY_SEGMENTATIONS_MAX)
		return NULL;
	*seg = (struct segmentation){
		.name = arena_copy(&t->arena, name, strlen(name))};
	if (seg->name == NULL || !segmentation_grow(t, seg))
		return NULL;
	seg->names[0] = NULL;
	seg->n = 1;
	t->segs[t->nsegs++] = seg;
	return seg;
}

/* One segmentation of a side. */
static enum sg_err
side_def(struct tally *t, const struct segmentation_def *def, bool is_new,
	struct tally_side *side, size_t i)
{
	struct segmentation *seg = NULL;
	size_t at = 0;

	while (at < t->nsegs && strcmp(t->segs[at]->name, def->name) != 0)
		at++;
	seg = at < t->nsegs ? t->segs[at] : segmentation_add(t, def->name);
	side->segment[i] = arena_array(
		&t->arena, def->nsegments + 1, sizeof(*side->segment[i]));
	if (seg == NULL || side->segment[i] == NULL)
		return SG_NOMEM;
	if (is_new)
		seg->is_new = true;
	else
		seg->is_old = true;
	/* The new side is made first: its word counts. */
	if (def->kind == SEGMENTATION_TAG && (is_new || !seg->is_new))
		seg->names[0] = "out";
	side->segmentation[i] = (uint32_t)at;
	side->def_of[at] = (int32_t)i;
	side->segment[i][0] = 0;
	for (size_t k = 0; k < def->nsegments; k++) {
		side->segment[i][k + 1] =
			segment_number(t, seg, def->segments[k]);
		if (side->segment[i][k + 1] == UINT32_MAX)
			return SG_NOMEM;
	}
	return SG_OK;
}

enum sg_err
tally_side_make(struct tally *t, const struct segmentation_def *defs,
	size_t ndefs, bool is_new, struct tally_side *side)
{
	enum sg_err err = SG_OK;

	side->ndefs = ndefs;
	side->segmentation =
		arena_array(&t->arena, ndefs + 1, sizeof(*side->segmentation));
	side->segment =
		arena_array(&t->arena, ndefs + 1, sizeof(*side->segment));
	if (side->segmentation == NULL || side->segment == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < TALLY_SEGMENTATIONS_MAX; i++)
		side->def_of[i] = -1;
	for (size_t i = 0; i < ndefs && err == SG_OK; i++)
		err = side_def(t, &defs[i], is_new, side, i);
	return err;
}

/* --- counting ----------------------------------------------------------- */

static millionths_t
millionths(double value)
{
	double whole;

	/* Beyond that, millionths do not matter, and NaN is none. */
	if (!(fabs(value) < 1e18))
		return 0;
	whole = trunc(value);
	return (millionths_t)whole * 1000000 +
	       (millionths_t)rint((value - whole) * MILLION);
}

static double
amount(millionths_t n)
{
	return (double)(int64_t)(n / 1000000) +
	       (double)(int64_t)(n % 1000000) / MILLION;
}

static uint32_t
place_in(const struct tally_place *place, size_t s)
{
	int32_t def = place->side->def_of[s];

	if (place->ms == NULL || def < 0)
		return 0;
	return place->side->segment[def][place->ms->seats[def].segment + 1];
}

static enum sg_err
move_add(struct tally *t, const struct comparison_move *move, const char *id)
{
	struct comparison_move *at;

	if (t->nmoves == t->moves_cap) {
		size_t cap = t->moves_cap * 2 + 64;
		struct comparison_move *grown =
			realloc(t->moves, cap * sizeof(*grown));

		if (grown == NULL)
			return SG_NOMEM;
		t->moves = grown;
		t->moves_cap = cap;
	}
	at = &t->moves[t->nmoves];
	*at = *move;
	at->account = arena_copy(&t->arena, id, strlen(id));
	if (at->account == NULL)
		return SG_NOMEM;
	t->nmoves++;
	return SG_OK;
}

/* Where it will be later: a number, or `to` when nothing is held back. */
static uint32_t
later_in(const struct tally_place *after, const struct tally_later *later,
	size_t s, uint32_t to)
{
	int32_t def = after->side->def_of[s];

	if (later == NULL || def < 0 || !later[def].is_later)
		return to;
	return after->side->segment[def][later[def].target + 1];
}

enum sg_err
tally_add(struct tally *t, const char *account,
	const struct tally_place *before, const struct tally_place *after,
	const struct tally_later *later, double value)
{
	millionths_t worth = millionths(value);
	enum sg_err err = SG_OK;

	t->comparison.naccounts++;
	for (size_t s = 0; s < t->nsegs && err == SG_OK; s++) {
		struct segmentation *seg = t->segs[s];
		bool is_known = before->side->def_of[s] >= 0 ||
				after->side->def_of[s] >= 0;
		uint32_t from = place_in(before, s), to = place_in(after, s);
		uint32_t target = later_in(after, later, s, to);
		struct cell *row = &seg->cells[(size_t)from * seg->cap];
		struct comparison_move move = {.segmentation = (uint32_t)s,
			.from = seg->names[from],
			.to = seg->names[to],
			.is_later = target != to,
			.later = seg->names[target],
			.value = value};

		if (!is_known)
			continue;
		row[to].naccounts++;
		row[to].value += worth;
		if (move.is_later) {
			row[target].nlater++;
			row[target].later_value += worth;
			move.later_ms = later[after->side->def_of[s]].at_ms;
		}
		if (from != to || move.is_later)
			err = move_add(t, &move, account);
	}
	return err;
}

void
tally_fresh(struct tally *t, const char *const *names, size_t n)
{
	t->comparison.fresh = names;
	t->comparison.nfresh = n;
}

/* --- the comparison ----------------------------------------------------- */

static int
by_place(const void *a, const void *b)
{
	const struct comparison_move *x = a, *y = b;

	if (x->segmentation != y->segmentation)
		return x->segmentation < y->segmentation ? -1 : 1;
	return strcmp(x->account, y->account);
}

static void
cell_add(struct cell *to, const struct cell *cell)
{
	to->naccounts += cell->naccounts;
	to->nlater += cell->nlater;
	to->value += cell->value;
	to->later_value += cell->later_value;
}

static struct comparison_cell
cell_made(const struct cell *cell)
{
	return (struct comparison_cell){cell->naccounts, amount(cell->value),
		cell->nlater, amount(cell->later_value)};
}

static enum sg_err
finish_one(struct tally *t, const struct segmentation *seg,
	struct comparison_segmentation *ret)
{
	struct cell all = {.naccounts = 0}, moved = {.naccounts = 0};
	struct comparison_cell *cells =
		arena_array(&t->arena, (size_t)seg->n * seg->n, sizeof(*cells));

	if (cells == NULL)
		return SG_NOMEM;
	for (uint32_t from = 0; from < seg->n; from++) {
		for (uint32_t to = 0; to < seg->n; to++) {
			const struct cell *cell =
				&seg->cells[(size_t)from * seg->cap + to];

			cells[(size_t)from * seg->n + to] = cell_made(cell);
			cell_add(&all, cell);
			if (from != to)
				cell_add(&moved, cell);
		}
	}
	*ret = (struct comparison_segmentation){.name = seg->name,
		.is_old = seg->is_old,
		.is_new = seg->is_new,
		.segments = seg->names,
		.nsegments = seg->n,
		.cells = cells,
		.all = cell_made(&all),
		.moved = cell_made(&moved)};
	/* What is held back counts where it will be, whatever lies between. */
	ret->moved.nlater = all.nlater;
	ret->moved.later_value = amount(all.later_value);
	return SG_OK;
}

enum sg_err
tally_finish(struct tally *t, struct comparison **ret_comparison)
{
	struct comparison_segmentation *segs =
		arena_array(&t->arena, t->nsegs + 1, sizeof(*segs));
	enum sg_err err = segs == NULL ? SG_NOMEM : SG_OK;

	for (size_t s = 0; s < t->nsegs && err == SG_OK; s++)
		err = finish_one(t, t->segs[s], &segs[s]);
	if (err != SG_OK)
		return err;
	if (t->nmoves > 0)
		qsort(t->moves, t->nmoves, sizeof(*t->moves), by_place);
	t->comparison.segmentations = segs;
	t->comparison.nsegmentations = t->nsegs;
	t->comparison.moves = t->moves;
	t->comparison.nmoves = t->nmoves;
	*ret_comparison = &t->comparison;
	return SG_OK;
}

/* The comparison is the first member of its tally. */
void
comparison_destroy(struct comparison *comparison)
{
	tally_destroy((struct tally *)comparison);
}
