/*
 * compare_text.c - old rules and new, as matrices for people.
 *
 * Rows are where accounts are, columns where they would be; those that hold no
 * account are left out, and so is the matrix of a segmentation nobody moves in.
 * A cell is the number of accounts, with (+n) of those that would come later,
 * and beneath it the sum of their values:
 *
 *     touch: 3 of 20 accounts move, with 120,000 of 900,000 in variables.arr
 *       from \ to      high      mid
 *       high              5        3
 *                   500,000  120,000
 */
#include <math.h>
#include <string.h>

#include "compare.h"
#include "segmentd/arena.h"
#include "segmentd/civil.h"

#define CELL_MAX 96

struct matrix {
	const struct comparison_segmentation *seg;
	bool has_value;
	bool *is_row; /* by segment: some account is there */
	bool *is_column;
	int *width; /* by column */
	int label;  /* width of the first column */
	struct buf *out;
};

static const char *
name_of(const char *segment)
{
	return segment == NULL ? "-" : segment;
}

static bool
is_empty(const struct comparison_cell *cell)
{
	return cell->naccounts == 0 && cell->nlater == 0;
}

static const char *
count_text(const struct comparison_cell *cell, char text[CELL_MAX])
{
	char n[COMPARE_NUMBER_MAX], later[COMPARE_NUMBER_MAX];

	(void)compare_number((double)cell->naccounts, true, n);
	(void)compare_number((double)cell->nlater, true, later);
	if (is_empty(cell))
		(void)snprintf(text, CELL_MAX, ".");
	else if (cell->nlater == 0)
		(void)snprintf(text, CELL_MAX, "%.40s", n);
	else
		(void)snprintf(text, CELL_MAX, "%.40s (+%.40s)", n, later);
	return text;
}

static const char *
value_text(const struct comparison_cell *cell, char text[CELL_MAX])
{
	char n[COMPARE_NUMBER_MAX], later[COMPARE_NUMBER_MAX];

	(void)compare_number(cell->value, true, n);
	(void)compare_number(cell->later_value, true, later);
	if (is_empty(cell))
		text[0] = '\0';
	else if (cell->nlater == 0)
		(void)snprintf(text, CELL_MAX, "%.40s", n);
	else
		(void)snprintf(text, CELL_MAX, "%.40s (+%.40s)", n, later);
	return text;
}

static void
widen(int *width, const char *text)
{
	int len = (int)strlen(text);

	if (len > *width)
		*width = len;
}

static void
measure(struct matrix *m)
{
	size_t n = m->seg->nsegments;
	char text[CELL_MAX];

	m->label = (int)strlen("from \\ to");
	for (size_t i = 0; i < n * n; i++) {
		const struct comparison_cell *cell = &m->seg->cells[i];
		int *width = &m->width[i % n];

		if (is_empty(cell))
			continue;
		m->is_row[i / n] = true;
		m->is_column[i % n] = true;
		widen(width, count_text(cell, text));
		if (m->has_value)
			widen(width, value_text(cell, text));
	}
	for (size_t i = 0; i < n; i++) {
		widen(&m->width[i], name_of(m->seg->segments[i]));
		if (m->is_row[i])
			widen(&m->label, name_of(m->seg->segments[i]));
	}
}

/* The line ends; blanks before its end are taken back. */
static void
end_line(struct buf *out)
{
	while (out->len > 0 && out->bytes[out->len - 1] == ' ')
		out->len--;
	buf_put_u8(out, '\n');
}

static void
put_row(struct matrix *m, size_t row)
{
	size_t n = m->seg->nsegments;
	const struct comparison_cell *cells = &m->seg->cells[row * n];
	char text[CELL_MAX];

	buf_printf(m->out, "  %-*s", m->label, name_of(m->seg->segments[row]));
	for (size_t i = 0; i < n; i++) {
		if (m->is_column[i])
			buf_printf(m->out, "  %*s", m->width[i],
				count_text(&cells[i], text));
	}
	end_line(m->out);
	if (!m->has_value)
		return;
	buf_printf(m->out, "  %-*s", m->label, "");
	for (size_t i = 0; i < n; i++) {
		if (m->is_column[i])
			buf_printf(m->out, "  %*s", m->width[i],
				value_text(&cells[i], text));
	}
	end_line(m->out);
}

static void
put_matrix(struct matrix *m)
{
	measure(m);
	buf_printf(m->out, "  %-*s", m->label, "from \\ to");
	for (size_t i = 0; i < m->seg->nsegments; i++) {
		if (m->is_column[i])
			buf_printf(m->out, "  %*s", m->width[i],
				name_of(m->seg->segments[i]));
	}
	buf_put_u8(m->out, '\n');
	for (size_t i = 0; i < m->seg->nsegments; i++) {
		if (m->is_row[i])
			put_row(m, i);
	}
}

static void
put_title(const struct comparison *cmp,
	const struct comparison_segmentation *seg, struct buf *out)
{
	char a[COMPARE_NUMBER_MAX], b[COMPARE_NUMBER_MAX];

	buf_printf(out, "%s%s: %s of %s accounts move", seg->name,
		!seg->is_old   ? " (new)"
		: !seg->is_new ? " (no more)"
			       : "",
		compare_number((double)seg->moved.naccounts, true, a),
		compare_number((double)seg->all.naccounts, true, b));
	if (cmp->value != NULL && seg->moved.naccounts > 0)
		buf_printf(out, ", with %s of %s in %s",
			compare_number(seg->moved.value, true, a),
			compare_number(seg->all.value, true, b), cmp->value);
	if (seg->moved.nlater > 0)
		buf_printf(out, "; (+%s) later, held by min_stay or cooldown",
			compare_number((double)seg->moved.nlater, true, a));
	buf_put_u8(out, '\n');
}

static void
put_move(const struct comparison_move *move, struct buf *out)
{
	char at[CIVIL_RFC3339_MAX], text[COMPARE_NUMBER_MAX];

	buf_printf(out, "    %-24s  %s", move->account, name_of(move->from));
	if (move->from != move->to)
		buf_printf(out, " -> %s", name_of(move->to));
	if (move->is_later) {
		(void)civil_format_ms(move->later_ms, at, sizeof(at));
		buf_printf(out, ", later %s (%s)", name_of(move->later), at);
	}
	if (!isnan(move->value))
		buf_printf(
			out, "  %s", compare_number(move->value, true, text));
	buf_put_u8(out, '\n');
}

static void
put_segmentation(const struct comparison *cmp, size_t i, bool is_listed,
	struct arena *arena, struct buf *out)
{
	const struct comparison_segmentation *seg = &cmp->segmentations[i];
	size_t n = seg->nsegments;
	struct matrix m = {
		.seg = seg, .has_value = cmp->value != NULL, .out = out};

	m.is_row = arena_array(arena, n, sizeof(*m.is_row));
	m.is_column = arena_array(arena, n, sizeof(*m.is_column));
	m.width = arena_array(arena, n, sizeof(*m.width));
	if (m.is_row == NULL || m.is_column == NULL || m.width == NULL) {
		out->is_failed = true;
		return;
	}
	memset(m.is_row, 0, n * sizeof(*m.is_row));
	memset(m.is_column, 0, n * sizeof(*m.is_column));
	memset(m.width, 0, n * sizeof(*m.width));
	put_title(cmp, seg, out);
	if (seg->moved.naccounts + seg->moved.nlater > 0)
		put_matrix(&m);
	for (size_t k = 0; k < cmp->nmoves && is_listed; k++) {
		if (cmp->moves[k].segmentation == i)
			put_move(&cmp->moves[k], out);
	}
}

void
compare_text(const struct comparison *cmp, bool is_listed, struct buf *out)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < cmp->nsegmentations; i++) {
		if (i > 0)
			buf_put_u8(out, '\n');
		put_segmentation(cmp, i, is_listed, &arena, out);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	for (size_t i = 0; i < cmp->nfresh; i++)
		buf_printf(out, "%s%s%s",
			i == 0 ? "\nwithout a history: " : ", ", cmp->fresh[i],
			i + 1 < cmp->nfresh
				? ""
				: " (they begin empty, and fill as events "
				  "come)\n");
}
