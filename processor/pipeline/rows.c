/* rows.c - rows of files, checked and sorted by event time. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "segmentd/files.h"

#define ROWS_BYTES_MAX (INT64_C(16) << 30)

struct reading {
	struct toolbox *box;
	const struct replay_opts *opts;
	struct rows *rows;
	uint64_t seq[INPUTS_MAX];
	uint64_t bytes_before; /* of the files read so far */
};

struct record
rows_record(const struct row *row)
{
	return (struct record){
		.input = row->input,
		.offset = (int64_t)row->seq,
		.kafka_ms = -1,
		.value = row->bytes,
		.value_len = row->len,
		.writer = row->writer,
	};
}

static enum sg_err
keep_row(struct reading *rd, const struct row *row, const struct event *ev)
{
	struct rows *rows = rd->rows;
	struct row *dest;

	if (rows->n == rows->cap) {
		size_t cap = rows->cap * 2 + 1024;
		struct row *items = realloc(rows->items, cap * sizeof(*items));

		if (items == NULL)
			return SG_NOMEM;
		rows->items = items;
		rows->cap = cap;
	}
	dest = &rows->items[rows->n];
	*dest = *row;
	dest->bytes =
		(const uint8_t *)arena_copy(&rows->arena, row->bytes, row->len);
	dest->account = arena_copy(&rows->arena, ev->account, ev->account_len);
	dest->account_len = ev->account_len;
	dest->at_ms = ev->at_ms;
	if (dest->bytes == NULL || dest->account == NULL)
		return SG_NOMEM;
	rows->n++;
	return SG_OK;
}

static void
tell_bad(struct reading *rd, const struct sg_fault *why)
{
	rd->rows->bad++;
	if (rd->opts->on_bad_row != NULL)
		rd->opts->on_bad_row(rd->opts->ctx, why);
}

static enum sg_err
take_row(struct reading *rd, const struct replay_file *file,
	const struct file_row *fr)
{
	struct row row = {.input = file->input,
		.writer = fr->writer,
		.seq = rd->seq[file->input],
		.bytes = fr->bytes,
		.len = (uint32_t)fr->len};
	struct record rec = rows_record(&row);
	struct sg_fault why = {.err = SG_OK};
	struct sg_fault placed;
	struct group_event ge;
	enum sg_err err;

	arena_reset(&rd->box->batch);
	err = group_read(rd->box, &rec, &ge, &why);
	if (err == SG_OK) {
		rd->seq[file->input]++;
		return keep_row(rd, &row, &ge.ev);
	}
	if (sg_err_class(err) != SG_CLASS_SKIP)
		return err;
	(void)sg_fault_set(&placed, err, "%s:%llu: %s", file->path,
		(unsigned long long)fr->line,
		why.text[0] == '\0' ? sg_err_text(err) : why.text);
	tell_bad(rd, &placed);
	return SG_OK;
}

static bool
is_stopped(const struct replay_opts *opts)
{
	return opts->stop != NULL && atomic_load(opts->stop);
}

static enum sg_err
read_file(struct reading *rd, const struct replay_file *file,
	struct sg_fault *why)
{
	const struct program *prog = rd->box->prog;
	struct file_reader *reader;
	uint64_t done = 0, total = 0, n = 0;
	bool is_end = false;
	enum sg_err err;

	err = file_reader_open(file->path, prog->schemas,
		prog->inputs[file->input].schema, &reader, why);
	if (err != SG_OK)
		return err;
	while (err == SG_OK && !is_stopped(rd->opts)) {
		struct file_row fr;

		err = file_reader_next(reader, &fr, &is_end, why);
		if (err != SG_OK && sg_err_class(err) == SG_CLASS_SKIP) {
			tell_bad(rd, why);
			err = SG_OK;
			continue;
		}
		if (err != SG_OK || is_end)
			break;
		err = take_row(rd, file, &fr);
		if (rd->opts->on_progress != NULL && (++n & 1023) == 0) {
			file_reader_progress(reader, &done, &total);
			rd->opts->on_progress(
				rd->opts->ctx, rd->bytes_before + done, 0);
		}
	}
	file_reader_progress(reader, &done, &total);
	rd->bytes_before += done;
	file_reader_close(reader);
	return err;
}

static int
row_compare(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	if (x->input != y->input)
		return x->input < y->input ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

enum sg_err
rows_read(struct toolbox *box, const struct replay_opts *opts,
	struct rows *ret_rows, struct sg_fault *why)
{
	struct reading rd = {.box = box, .opts = opts, .rows = ret_rows};
	uint64_t next[INPUTS_MAX] = {0};
	enum sg_err err = SG_OK;

	memset(ret_rows, 0, sizeof(*ret_rows));
	arena_init(&ret_rows->arena, ROWS_BYTES_MAX);
	for (size_t i = 0; i < opts->nfiles && err == SG_OK; i++)
		err = read_file(&rd, &opts->files[i], why);
	if (err != SG_OK) {
		rows_fini(ret_rows);
		return err;
	}
	if (ret_rows->n > 0)
		qsort(ret_rows->items, ret_rows->n, sizeof(struct row),
			row_compare);
	/* Offsets are in the order in which the rows are taken. */
	for (size_t i = 0; i < ret_rows->n; i++)
		ret_rows->items[i].seq = next[ret_rows->items[i].input]++;
	return SG_OK;
}

void
rows_fini(struct rows *rows)
{
	arena_fini(&rows->arena);
	free(rows->items);
	memset(rows, 0, sizeof(*rows));
}
