/*
 * load.c - rows of files to the input topics, encoded as Avro.
 *
 * Rows go out in event-time order over all files, keyed by account id, in
 * single-object framing: the schema is found by its fingerprint, no registry
 * is needed.
 */
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "segmentd/clock.h"
#include "segmentd/publish.h"

static enum sg_err
send_row(struct toolbox *box, struct producer *prod, const struct row *row,
	struct buf *value, struct sg_fault *why)
{
	const struct program *prog = box->prog;
	uint64_t print = decode_schemas_fingerprint(prog->schemas, row->writer);

	buf_reset(value);
	if (prog->inputs[row->input].is_bare) {
		if (row->writer != prog->inputs[row->input].schema)
			return sg_fault_set(why, SG_BAD_OPTION,
				"input %s has framing: bare; a container with "
				"another schema cannot be loaded into it",
				prog->inputs[row->input].name);
	} else {
		buf_put_u8(value, 0xc3);
		buf_put_u8(value, 0x01);
		buf_put_u64(value, print);
	}
	buf_put(value, row->bytes, row->len);
	if (value->is_failed)
		return SG_NOMEM;
	return producer_send(prod, prog->inputs[row->input].topic, row->account,
		row->account_len, value->bytes, value->len, clock_now_ms(),
		why);
}

enum sg_err
pipeline_load(const struct program *program, const struct replay_opts *opts,
	struct load_summary *ret_summary, struct sg_fault *why)
{
	struct producer *prod = NULL;
	struct rows rows = {.n = 0};
	struct toolbox box;
	struct buf value;
	enum sg_err err;

	memset(ret_summary, 0, sizeof(*ret_summary));
	err = toolbox_init(&box, program);
	if (err != SG_OK)
		return err;
	buf_init(&value, DECODE_RECORD_MAX + 64);
	err = rows_read(&box, opts, &rows, why);
	ret_summary->bad_rows = rows.bad;
	if (err == SG_OK)
		err = producer_open(program->conf->kafka, program->conf->nkafka,
			&prod, why);
	for (size_t i = 0; i < rows.n && err == SG_OK; i++) {
		if (opts->stop != NULL && atomic_load(opts->stop))
			err = SG_INTERRUPTED;
		else
			err = send_row(&box, prod, &rows.items[i], &value, why);
		if (opts->on_progress != NULL && (i & 255) == 0)
			opts->on_progress(opts->ctx, i, rows.n);
	}
	if (err == SG_OK)
		err = producer_flush(prod, 60000, why);
	if (prod != NULL)
		ret_summary->produced = producer_delivered(prod);
	producer_close(prod);
	rows_fini(&rows);
	buf_fini(&value);
	toolbox_fini(&box);
	return err;
}
