#include "cell.h"

#include <string.h>

#include "number.h"

#define HERE_BYTES sizeof(((struct value *)0)->as)

static bool
is_text(struct value v)
{
	return v.kind == VALUE_STRING || v.kind == VALUE_BYTES;
}

struct value
cell_cut(struct value v, bool *ret_is_cut)
{
	*ret_is_cut = is_text(v) && v.len > FEATURE_TEXT_MAX;
	if (!*ret_is_cut)
		return v;
	v.len = FEATURE_TEXT_MAX;
	/* Not before a continuation byte. */
	if (v.kind == VALUE_STRING) {
		while (v.len > 0 && (v.as.bytes[v.len] & 0xc0) == 0x80)
			v.len--;
	}
	return v;
}

struct value
cell_read(const struct cell *cell)
{
	struct value v = cell->v;

	if (is_text(v) && v.flags == 0)
		v.as.s = (const char *)&cell->v.as;
	v.flags = 0;
	return v;
}

static size_t
text_bytes(uint16_t steps)
{
	return (size_t)steps * CELL_TEXT_STEP + 8;
}

static char *
cell_text(const struct cell *cell)
{
	return is_text(cell->v) && cell->v.flags != 0 ? (char *)cell->v.as.s
						      : NULL;
}

void
cell_fini(struct features *features, struct cell *cell)
{
	features_free(features, cell_text(cell), text_bytes(cell->v.flags));
	cell->v = value_absent();
}

/* Does an event's value replace the one that is there? */
static bool
cell_loses(const struct unit *unit, const struct cell *cell, struct value v,
	int64_t at_ms, int64_t offset)
{
	bool is_later = at_ms != cell->at_ms ? at_ms > cell->at_ms
					     : offset > cell->offset;
	i128 a;
	i128 b;

	if (cell->v.kind == VALUE_ABSENT)
		return true;
	if (unit->class != UNIT_LATEST)
		return is_later == (unit->class == UNIT_LAST);
	return number_for_order(v, unit->type, &a) &&
	       number_for_order(cell->v, unit->type, &b) && a > b;
}

enum sg_err
cell_plan(struct features *features, const struct unit *unit,
	const struct cell *cell, struct value v, int64_t at_ms, int64_t offset,
	struct cell_put *put)
{
	*put = (struct cell_put){0};
	put->is_taken = cell_loses(unit, cell, v, at_ms, offset);
	if (!put->is_taken)
		return SG_OK;
	put->v = cell_cut(v, &put->is_cut);
	put->v.slope = 0;
	put->v.flags = 0;
	put->is_changed = !value_same(cell_read(cell), put->v);
	if (!is_text(put->v) || put->v.len <= HERE_BYTES || !put->is_changed)
		return SG_OK;
	if (cell_text(cell) != NULL && text_bytes(cell->v.flags) >= put->v.len)
		return SG_OK;
	put->text_steps = (uint16_t)((put->v.len - 8 + CELL_TEXT_STEP - 1) /
				     CELL_TEXT_STEP);
	put->text = features_alloc(features, text_bytes(put->text_steps));
	return put->text == NULL ? SG_NOMEM : SG_OK;
}

void
cell_apply(struct features *features, struct cell *cell, int64_t at_ms,
	int64_t offset, const struct cell_put *put)
{
	struct value v = put->v;

	if (!put->is_taken)
		return;
	cell->at_ms = at_ms;
	cell->offset = offset;
	if (!put->is_changed)
		return;
	if (is_text(v) && v.len > HERE_BYTES) {
		char *text = put->text;

		v.flags = put->text_steps;
		if (text == NULL) { /* the old piece is large enough */
			text = cell_text(cell);
			v.flags = cell->v.flags;
		} else {
			cell_fini(features, cell);
		}
		memcpy(text, v.as.s, v.len);
		v.as.s = text;
	} else {
		cell_fini(features, cell);
		if (is_text(v)) {
			union {
				uint8_t bytes[HERE_BYTES];
				uint64_t word;
			} here = {.word = 0};

			if (v.len > 0)
				memcpy(here.bytes, v.as.s, v.len);
			v.as.u = here.word;
		}
	}
	cell->v = v;
}

void
cell_drop(struct features *features, const struct cell_put *put)
{
	features_free(features, put->text, text_bytes(put->text_steps));
}
