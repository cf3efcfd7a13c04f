/*
 * load.c - rows of files to the input topics, encoded as Avro.
 *
 * Rows go out in event-time order over all files, keyed by account id, in the
 * framing of their input. With `auto` that is single-object: the schema is
 * found by its fingerprint, no registry is needed.
 */
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "schemas.h"
#include "segmentd/clock.h"
#include "segmentd/publish.h"

/* The last schema that was asked for: rows of a file have one. */
struct known {
	struct registry *registry; /* NULL: none */
	uint32_t input;
	int32_t writer; /* -1: none yet */
	int32_t id;
};

static bool
is_confluent(const struct program *prog, uint32_t input)
{
	return input < prog->conf->ninputs &&
	       strcmp(prog->conf->inputs[input].framing.s, "confluent") == 0;
}

/* The id of a row's schema: that of the folder of schemas, or the registry's.
 */
static enum sg_err
find_id(const struct program *prog, const struct row *row, struct known *known,
	struct sg_fault *why)
{
	int32_t id = decode_schemas_id(prog->schemas, row->writer);
	enum sg_err err = SG_OK;

	if (known->writer == row->writer && known->input == row->input)
		return SG_OK;
	if (id < 0 && known->registry == NULL)
		return sg_fault_set(why, SG_BAD_CONFIG,
			"input %s has framing: confluent, and its schema has "
			"no id: set registry.url, or give it one in "
			"schemas.ids",
			prog->inputs[row->input].name);
	if (id < 0)
		err = schemas_input_id(prog, known->registry, row->input,
			decode_schemas_text(prog->schemas, row->writer), &id,
			why);
	if (err != SG_OK)
		return err;
	*known = (struct known){known->registry, row->input, row->writer, id};
	return SG_OK;
}

static enum sg_err
put_frame(const struct program *prog, const struct row *row,
	struct known *known, struct buf *value, struct sg_fault *why)
{
	uint64_t print = decode_schemas_fingerprint(prog->schemas, row->writer);
	enum sg_err err;

	if (!is_confluent(prog, row->input)) {
		buf_put_u8(value, 0xc3);
		buf_put_u8(value, 0x01);
		buf_put_u64(value, print);
		return SG_OK;
	}
	err = find_id(prog, row, known, why);
	if (err != SG_OK)
		return err;
	buf_put_u8(value, 0);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_put_u8(value, (uint8_t)((uint32_t)known->id >> shift));
	return SG_OK;
}

static enum sg_err
send_row(struct toolbox *box, struct producer *prod, const struct row *row,
	struct known *known, struct buf *value, struct sg_fault *why)
{
	const struct program *prog = box->prog;
	enum sg_err err = SG_OK;

	buf_reset(value);
	if (prog->inputs[row->input].is_bare) {
		if (row->writer != prog->inputs[row->input].schema)
			return sg_fault_set(why, SG_BAD_OPTION,
				"input %s has framing: bare; a container with "
				"another schema cannot be loaded into it",
				prog->inputs[row->input].name);
	} else {
		err = put_frame(prog, row, known, value, why);
	}
	if (err != SG_OK)
		return err;
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
	struct known known = {.writer = -1};
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
		err = schemas_open(program, &known.registry, why);
	if (err == SG_OK)
		err = producer_open(program->conf->kafka, program->conf->nkafka,
			opts->stop, &prod, why);
	for (size_t i = 0; i < rows.n && err == SG_OK; i++) {
		if (opts->stop != NULL && atomic_load(opts->stop))
			err = SG_INTERRUPTED;
		else
			err = send_row(&box, prod, &rows.items[i], &known,
				&value, why);
		if (opts->on_progress != NULL && (i & 255) == 0)
			opts->on_progress(opts->ctx, i, rows.n);
	}
	if (err == SG_OK)
		err = producer_flush(prod, 60000, why);
	if (prod != NULL)
		ret_summary->produced = producer_delivered(prod);
	producer_close(prod);
	schemas_close(program, known.registry);
	rows_fini(&rows);
	buf_fini(&value);
	toolbox_fini(&box);
	return err;
}
