/*
 * csv.c - CSV with a header line, by RFC 4180.
 *
 * Cells are separated by commas, rows by LF or CRLF. A quoted cell may hold
 * commas, line ends and, doubled, quotes. A byte order mark, blank lines and
 * the missing end of the last line are no matter. A row has as many cells as
 * the header; one that has not, or has text after a closing quote, is bad, and
 * reading goes on after its line.
 *
 * The bytes of a row's cells lie one after the other in one buffer, unquoted.
 * The header is bound once: `columns` says for each field of the schema which
 * cell it takes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

#define COLUMNS_MAX 4096

struct span {
	size_t at;
	size_t len;
	bool is_quoted;
};

struct csv {
	struct buf text;
	struct span cells[COLUMNS_MAX];
	size_t ncells;
	size_t ncolumns; /* of the header */
	uint64_t line;	 /* where the row at hand begins */
	int *columns;	 /* by field: the cell; -1: there is none */
};

/* --- rows ----------------------------------------------------------------- */

enum row { ROW_END, ROW_READ, ROW_BLANK, ROW_BAD };

static void
cell_begin(struct csv *csv)
{
	struct span *cell = &csv->cells[csv->ncells];

	*cell = (struct span){.at = csv->text.len};
}

/* False when there are too many. */
static bool
cell_end(struct csv *csv)
{
	struct span *cell = &csv->cells[csv->ncells];

	cell->len = csv->text.len - cell->at;
	if (csv->ncells == COLUMNS_MAX - 1)
		return false;
	csv->ncells++;
	return true;
}

/* After the opening quote, up to the closing one. False at the end of the
 * file. */
static bool
quoted_read(struct file_reader *reader, struct csv *csv)
{
	int c;

	csv->cells[csv->ncells].is_quoted = true;
	while ((c = source_byte(&reader->src)) >= 0) {
		if (c == '"') {
			if (source_peek(&reader->src) != '"')
				return true;
			(void)source_byte(&reader->src);
		}
		if (c == '\n')
			reader->line++;
		buf_put_u8(&csv->text, (uint8_t)c);
	}
	return false;
}

static void
line_skip(struct file_reader *reader)
{
	int c;

	while ((c = source_byte(&reader->src)) >= 0)
		if (c == '\n')
			return;
}

/* A byte that ends a cell: ',', '\n', or the end of the file; else 0. The CR
 * of a CRLF is swallowed. */
static int
delimiter(struct file_reader *reader, int c)
{
	if (c == '\r' && source_peek(&reader->src) == '\n')
		return source_byte(&reader->src);
	return c == ',' || c == '\n' || c < 0 ? c : 0;
}

/* One cell; *ret_end is what ended it. NULL, or what is wrong. */
static const char *
cell_read(struct file_reader *reader, struct csv *csv, int *ret_end)
{
	int c;

	cell_begin(csv);
	c = source_byte(&reader->src);
	if (c == '"') {
		if (!quoted_read(reader, csv))
			return "a quote is never closed";
		c = source_byte(&reader->src);
		*ret_end = delimiter(reader, c);
		if (*ret_end == 0) {
			line_skip(reader);
			return "there is text after a closing quote";
		}
	} else {
		for (; (*ret_end = delimiter(reader, c)) == 0;
			c = source_byte(&reader->src))
			buf_put_u8(&csv->text, (uint8_t)c);
	}
	if (!cell_end(csv)) {
		if (*ret_end != '\n')
			line_skip(reader);
		return "it has too many cells";
	}
	return NULL;
}

static enum row
row_read(struct file_reader *reader, struct csv *csv, const char **ret_why)
{
	int end = ',';

	buf_reset(&csv->text);
	csv->ncells = 0;
	if (source_peek(&reader->src) < 0)
		return ROW_END;
	csv->line = ++reader->line;
	while (end == ',') {
		const char *why = cell_read(reader, csv, &end);

		if (why != NULL) {
			*ret_why = why;
			return ROW_BAD;
		}
	}
	if (csv->ncells == 1 && csv->cells[0].len == 0 &&
		!csv->cells[0].is_quoted)
		return ROW_BLANK;
	return ROW_READ;
}

/* --- the header ----------------------------------------------------------- */

/* The field that a column is, by name or alias, spaces around it aside. */
static int
field_of(const struct schema *schema, const char *text, size_t len)
{
	int at;

	for (; len > 0 && *text == ' '; len--)
		text++;
	while (len > 0 && text[len - 1] == ' ')
		len--;
	at = schema_field_index(schema, text, len);
	for (size_t i = 0; at < 0 && i < schema->nfields; i++) {
		const struct schema_field *field = &schema->fields[i];

		for (size_t j = 0; j < field->naliases; j++)
			if (strlen(field->aliases[j]) == len &&
				memcmp(field->aliases[j], text, len) == 0)
				at = (int)i;
	}
	return at;
}

static const char *
cell_text(const struct csv *csv, size_t i)
{
	return csv->text.bytes == NULL
		       ? ""
		       : (const char *)csv->text.bytes + csv->cells[i].at;
}

static enum sg_err
missing_check(struct file_reader *reader, struct csv *csv, struct sg_fault *why)
{
	enum sg_err err = SG_OK;
	struct buf names;
	size_t n = 0;

	buf_init(&names, 4096);
	for (size_t i = 0; i < reader->schema->nfields; i++)
		if (csv->columns[i] < 0 &&
			!encode_can_miss(&reader->schema->fields[i]))
			buf_printf(&names, "%s%s", n++ == 0 ? "" : ", ",
				reader->schema->fields[i].name);
	if (n > 0)
		err = reader_fault(reader, csv->line, why, SG_BAD_RECORD,
			"no column for: %s", buf_cstr(&names));
	buf_fini(&names);
	return err;
}

static enum sg_err
header_bind(struct file_reader *reader, struct csv *csv, struct sg_fault *why)
{
	const struct schema *schema = reader->schema;

	for (size_t i = 0; i < schema->nfields; i++)
		csv->columns[i] = -1;
	csv->ncolumns = csv->ncells;
	for (size_t i = 0; i < csv->ncells; i++) {
		int field =
			field_of(schema, cell_text(csv, i), csv->cells[i].len);

		if (field < 0)
			continue;
		if (csv->columns[field] >= 0)
			return reader_fault(reader, csv->line, why,
				SG_BAD_RECORD, "two columns are the field '%s'",
				schema->fields[field].name);
		csv->columns[field] = (int)i;
	}
	return missing_check(reader, csv, why);
}

static enum sg_err
csv_open(struct file_reader *reader, struct sg_fault *why)
{
	const char *what = "there is no header";
	struct csv *csv;
	enum row row;

	if (reader->schema->kind != SCHEMA_RECORD)
		return sg_fault_set(why, SG_BAD_SCHEMA,
			"%s: a row of CSV is a record, the schema is not",
			reader->path);
	csv = calloc(1, sizeof(*csv));
	if (csv == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	reader->state = csv;
	buf_init(&csv->text, DECODE_RECORD_MAX);
	csv->columns =
		calloc(reader->schema->nfields + 1, sizeof(*csv->columns));
	if (csv->columns == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	reader_skip_bom(reader);
	do
		row = row_read(reader, csv, &what);
	while (row == ROW_BLANK);
	if (reader_check(reader, why) != SG_OK)
		return SG_IO;
	if (row != ROW_READ || csv->text.is_failed)
		return reader_fault(
			reader, reader->line, why, SG_BAD_RECORD, "%s", what);
	return header_bind(reader, csv, why);
}

static void
csv_close(struct file_reader *reader)
{
	struct csv *csv = reader->state;

	if (csv != NULL) {
		buf_fini(&csv->text);
		free(csv->columns);
	}
	free(csv);
}

/* --- encoding ------------------------------------------------------------- */

static bool
may_be_null(const struct schema *schema)
{
	if (schema->kind == SCHEMA_NULL)
		return true;
	for (size_t i = 0; i < schema->nbranches; i++)
		if (schema->branches[i]->kind == SCHEMA_NULL)
			return true;
	return false;
}

static bool
may_be_text(const struct schema *schema)
{
	if (schema->kind == SCHEMA_STRING)
		return true;
	for (size_t i = 0; i < schema->nbranches; i++)
		if (schema->branches[i]->kind == SCHEMA_STRING)
			return true;
	return false;
}

static bool
empty_encode(struct encode *e, const struct schema_field *field,
	const struct cell *cell)
{
	struct schema_field bare = *field;

	if (may_be_text(field->schema) &&
		(cell->is_quoted || !encode_can_miss(field)))
		return encode_cell(e, field->schema, cell);
	if (may_be_null(field->schema))
		bare.def = NULL; /* null goes before the default here */
	if (!encode_can_miss(&bare))
		return encode_fail(e, SG_BAD_RECORD, "the cell is empty");
	return encode_missing(e, &bare);
}

static enum sg_err
row_encode(struct file_reader *reader, struct csv *csv, struct sg_fault *why)
{
	struct encode e;

	encode_init(&e, &reader->out);
	for (size_t i = 0; i < reader->schema->nfields; i++) {
		const struct schema_field *field = &reader->schema->fields[i];
		int column = csv->columns[i];
		struct cell cell = {0};
		bool fits;

		if (column >= 0)
			cell = (struct cell){
				.text = cell_text(csv, (size_t)column),
				.len = csv->cells[column].len,
				.is_quoted = csv->cells[column].is_quoted};
		if (column < 0)
			fits = encode_missing(&e, field);
		else if (cell.len == 0)
			fits = empty_encode(&e, field, &cell);
		else
			fits = encode_cell(&e, field->schema, &cell);
		if (fits && reader->out.is_failed)
			fits = encode_fail(
				&e, SG_TOO_LARGE, "the row is too large");
		if (!fits) {
			e.field = e.field != NULL ? e.field : field->name;
			return reader_encode_fault(reader, csv->line, &e, why);
		}
	}
	return SG_OK;
}

static enum sg_err
csv_next(struct file_reader *reader, struct file_row *ret_row, bool *ret_is_end,
	struct sg_fault *why)
{
	struct csv *csv = reader->state;
	const char *what = NULL;
	enum sg_err err;
	enum row row;

	do
		row = row_read(reader, csv, &what);
	while (row == ROW_BLANK);
	if (row == ROW_END) {
		*ret_is_end = true;
		return reader_check(reader, why);
	}
	if (row == ROW_BAD)
		return reader_fault(
			reader, csv->line, why, SG_BAD_RECORD, "%s", what);
	if (csv->text.is_failed)
		return reader_fault(reader, csv->line, why, SG_TOO_LARGE,
			"the row is longer than %d bytes", DECODE_RECORD_MAX);
	if (csv->ncells != csv->ncolumns)
		return reader_fault(reader, csv->line, why, SG_BAD_RECORD,
			"%zu cells, but the header has %zu", csv->ncells,
			csv->ncolumns);
	err = row_encode(reader, csv, why);
	if (err == SG_OK)
		*ret_row = (struct file_row){.bytes = reader->out.bytes,
			.len = reader->out.len,
			.writer = reader->number,
			.line = csv->line};
	return err;
}

const struct format format_csv = {csv_open, csv_close, csv_next};
