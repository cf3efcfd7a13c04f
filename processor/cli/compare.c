/*
 * compare.c - old rules and new: what is summed, and CSV and JSON.
 *
 * The output is made whole before any of it is printed, so that what a
 * spreadsheet reads is all or nothing. Cells that hold no account are left out
 * of it: a matrix is mostly empty.
 */
#include "compare.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/civil.h"

#define OUTPUT_MAX ((size_t)1 << 30)

/* --- what is summed ----------------------------------------------------- */

static bool
is_number(const struct type *type)
{
	return type->kind == TYPE_INT || type->kind == TYPE_UINT ||
	       type->kind == TYPE_DOUBLE || type->kind == TYPE_DYN;
}

/* 1: a number, 0: something else, -1: there is none. */
static int
look_up(const struct program *program, const char *name)
{
	const struct type *type;
	const char *known;

	for (size_t i = 0; (known = program_name(program, i, &type)) != NULL;
		i++) {
		if (strcmp(known, name) == 0)
			return is_number(type);
	}
	return -1;
}

bool
compare_value(const char *verb, const struct cli_args *args,
	const struct program *program, const char **ret_name)
{
	static const char *const usual[] = {"variables.arr", "account.arr"};
	int found;

	*ret_name = args->value;
	if (args->value == NULL) {
		for (size_t i = SG_COUNTOF(usual); i-- > 0;) {
			if (look_up(program, usual[i]) == 1)
				*ret_name = usual[i];
		}
		return true;
	}
	found = look_up(program, args->value);
	if (found == 1)
		return true;
	(void)fprintf(stderr, "segmentd %s: --value %s: %s\n", verb,
		args->value,
		found == 0 ? "it is no number"
			   : "the configuration has no such name");
	return false;
}

const char *
compare_number(double n, bool has_commas, char text[COMPARE_NUMBER_MAX])
{
	char plain[COMPARE_NUMBER_MAX];
	size_t digits, used = 0, at = 0;

	/* Beyond that no unit matters; in the text there is room for it. */
	if (!(fabs(n) < 1e18)) {
		(void)snprintf(text, COMPARE_NUMBER_MAX, "%.6g", n);
		return text;
	}
	(void)snprintf(plain, sizeof(plain), "%.6f", n);
	for (digits = strlen(plain); plain[digits - 1] == '0'; digits--)
		plain[digits - 1] = '\0';
	if (plain[digits - 1] == '.')
		plain[digits - 1] = '\0';
	if (strcmp(plain, "-0") == 0)
		at = 1;
	if (plain[at] == '-')
		text[used++] = plain[at++];
	digits = strcspn(plain + at, ".");
	for (; plain[at] != '\0'; at++) {
		text[used++] = plain[at];
		if (digits > 0 && --digits > 0 && digits % 3 == 0 && has_commas)
			text[used++] = ',';
	}
	text[used] = '\0';
	return text;
}

/* --- CSV ---------------------------------------------------------------- */

/*
 * A text as a field (RFC 4180). What a spreadsheet would take for a formula
 * gets a quote before it: ids of accounts are written by others.
 */
static void
put_field(struct buf *out, const char *text)
{
	if (text == NULL)
		return;
	buf_put_u8(out, '"');
	if (strchr("=+-@\t\r", text[0]) != NULL && text[0] != '\0')
		buf_put_u8(out, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			buf_put_u8(out, '"');
		buf_put_u8(out, (uint8_t)*text);
	}
	buf_put_u8(out, '"');
}

static void
csv_cells(const struct comparison_segmentation *seg, struct buf *out)
{
	char value[COMPARE_NUMBER_MAX], later[COMPARE_NUMBER_MAX];

	for (size_t i = 0; i < seg->nsegments * seg->nsegments; i++) {
		const struct comparison_cell *cell = &seg->cells[i];

		if (cell->naccounts == 0 && cell->nlater == 0)
			continue;
		put_field(out, seg->name);
		buf_put_u8(out, ',');
		put_field(out, seg->segments[i / seg->nsegments]);
		buf_put_u8(out, ',');
		put_field(out, seg->segments[i % seg->nsegments]);
		buf_printf(out, ",%llu,%s,%llu,%s\n",
			(unsigned long long)cell->naccounts,
			compare_number(cell->value, false, value),
			(unsigned long long)cell->nlater,
			compare_number(cell->later_value, false, later));
	}
}

static void
csv_move(const struct comparison *cmp, const struct comparison_move *move,
	struct buf *out)
{
	char text[COMPARE_NUMBER_MAX], at[CIVIL_RFC3339_MAX];

	put_field(out, cmp->segmentations[move->segmentation].name);
	buf_put_u8(out, ',');
	put_field(out, move->account);
	buf_put_u8(out, ',');
	put_field(out, move->from);
	buf_put_u8(out, ',');
	put_field(out, move->to);
	buf_put_u8(out, ',');
	if (move->is_later) {
		put_field(out, move->later);
		(void)civil_format_ms(move->later_ms, at, sizeof(at));
	}
	buf_printf(out, ",%s,%s\n", move->is_later ? at : "",
		isnan(move->value) ? ""
				   : compare_number(move->value, false, text));
}

void
compare_csv(const struct comparison *cmp, bool is_listed, struct buf *out)
{
	if (is_listed) {
		buf_put_str(out, "segmentation,account_id,from,to,later,"
				 "later_at,value\n");
		for (size_t i = 0; i < cmp->nmoves; i++)
			csv_move(cmp, &cmp->moves[i], out);
		return;
	}
	buf_put_str(out, "segmentation,from,to,accounts,value,later_accounts,"
			 "later_value\n");
	for (size_t i = 0; i < cmp->nsegmentations; i++)
		csv_cells(&cmp->segmentations[i], out);
}

/* --- JSON --------------------------------------------------------------- */

static json_t *
json_text(const char *text)
{
	return text == NULL ? json_null() : json_string(text);
}

static json_t *
json_cells(const struct comparison_segmentation *seg)
{
	json_t *list = json_array();

	for (size_t i = 0; i < seg->nsegments * seg->nsegments; i++) {
		const struct comparison_cell *cell = &seg->cells[i];

		if (cell->naccounts == 0 && cell->nlater == 0)
			continue;
		(void)json_array_append_new(list,
			json_pack("{s:o, s:o, s:I, s:f, s:I, s:f}", "from",
				json_text(seg->segments[i / seg->nsegments]),
				"to",
				json_text(seg->segments[i % seg->nsegments]),
				"accounts", (json_int_t)cell->naccounts,
				"value", cell->value, "later_accounts",
				(json_int_t)cell->nlater, "later_value",
				cell->later_value));
	}
	return list;
}

static json_t *
json_moves(const struct comparison *cmp, size_t segmentation)
{
	json_t *list = json_array();
	char at[CIVIL_RFC3339_MAX];

	for (size_t i = 0; i < cmp->nmoves; i++) {
		const struct comparison_move *move = &cmp->moves[i];
		json_t *item;

		if (move->segmentation != segmentation)
			continue;
		item = json_pack("{s:s, s:o, s:o, s:o}", "account_id",
			move->account, "from", json_text(move->from), "to",
			json_text(move->to), "value",
			isnan(move->value) ? json_null()
					   : json_real(move->value));
		if (move->is_later) {
			(void)civil_format_ms(move->later_ms, at, sizeof(at));
			(void)json_object_set_new(
				item, "later", json_text(move->later));
			(void)json_object_set_new(
				item, "later_at", json_string(at));
		}
		(void)json_array_append_new(list, item);
	}
	return list;
}

static json_t *
json_segmentation(const struct comparison *cmp, size_t i, bool is_listed)
{
	const struct comparison_segmentation *seg = &cmp->segmentations[i];
	json_t *item =
		json_pack("{s:s, s:b, s:b, s:I, s:I, s:f, s:I, s:f, s:o}",
			"segmentation", seg->name, "old", seg->is_old, "new",
			seg->is_new, "accounts", (json_int_t)seg->all.naccounts,
			"moved", (json_int_t)seg->moved.naccounts,
			"moved_value", seg->moved.value, "later",
			(json_int_t)seg->moved.nlater, "later_value",
			seg->moved.later_value, "cells", json_cells(seg));

	if (is_listed)
		(void)json_object_set_new(item, "moves", json_moves(cmp, i));
	return item;
}

static int
put_json(const char *text, size_t len, void *ctx)
{
	struct buf *out = ctx;

	buf_put(out, text, len);
	return out->is_failed ? -1 : 0;
}

bool
compare_json(const struct comparison *cmp, bool is_listed, struct buf *out)
{
	json_t *segmentations = json_array(), *fresh = json_array();
	json_t *all;
	bool is_done;

	for (size_t i = 0; i < cmp->nsegmentations; i++)
		(void)json_array_append_new(
			segmentations, json_segmentation(cmp, i, is_listed));
	for (size_t i = 0; i < cmp->nfresh; i++)
		(void)json_array_append_new(fresh, json_string(cmp->fresh[i]));
	all = json_pack("{s:I, s:o, s:o, s:o}", "accounts",
		(json_int_t)cmp->naccounts, "value", json_text(cmp->value),
		"features_without_history", fresh, "segmentations",
		segmentations);
	is_done = all != NULL &&
		  json_dump_callback(all, put_json, out,
			  JSON_INDENT(2) | JSON_REAL_PRECISION(15)) == 0;
	json_decref(all);
	buf_put_u8(out, '\n');
	return is_done && !out->is_failed;
}

/* --- all forms ---------------------------------------------------------- */

static bool
has_moves(const struct comparison *cmp)
{
	return cmp->nmoves > 0;
}

int
compare_print(const char *verb, const struct cli_args *args,
	const struct comparison *cmp)
{
	bool is_done = true;
	struct buf out;

	buf_init(&out, OUTPUT_MAX);
	if (args->output == CLI_JSON)
		is_done = compare_json(cmp, args->is_listed, &out);
	else if (args->output == CLI_CSV)
		compare_csv(cmp, args->is_listed, &out);
	else
		compare_text(cmp, args->is_listed, &out);
	if (!is_done || out.is_failed) {
		buf_fini(&out);
		return cli_fail(verb, SG_NOMEM, NULL);
	}
	is_done = fwrite(out.bytes, 1, out.len, stdout) == out.len &&
		  fflush(stdout) == 0;
	buf_fini(&out);
	if (!is_done) {
		(void)fprintf(stderr,
			"segmentd %s: standard output is closed\n", verb);
		return SG_EXIT_IO;
	}
	return has_moves(cmp) ? SG_EXIT_FAILED : SG_EXIT_OK;
}
