/*
 * group_read.c - a record becomes an event, or a reject with its reason.
 *
 * Everything an input's configuration says about a single record happens here:
 * decode, account id, event time, event id, filters, deletion. What is checked
 * is checked against the record alone (a time in the future against the
 * record's own Kafka timestamp), so that reading it again gives the same.
 */
#include <string.h>

#include "cast.h"
#include "group.h"
#include "override.h"
#include "segmentd/hash.h"

struct filter_ctx {
	const struct program_input *in;
	const struct value *slots;
};

static void
load_field(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	const struct filter_ctx *fc = ctx;
	int32_t at = fc->in->event_slot[slot];

	(void)now_ms;
	*ret_valid_until_ms = AT_NEVER;
	*ret_value = at < 0 ? value_absent() : fc->slots[at];
}

/* A filter that fails does not hold: the event just does not count there. */
static bool
holds(struct toolbox *box, const struct cel_prog *prog,
	const struct cel_host *host, int64_t at_ms)
{
	struct cel_result res = cel_eval(prog, box->filter_frame, host, at_ms);

	return res.value.kind == VALUE_BOOL && res.value.as.b;
}

static void
apply_filters(struct toolbox *box, const struct program_input *in,
	struct group_event *ge)
{
	struct filter_ctx ctx = {in, ge->ev.slots};
	struct cel_host host = {.load = load_field, .ctx = &ctx};

	ge->filters = 0;
	for (size_t i = 0; i < in->nfilters; i++) {
		if (holds(box, in->filters[i].prog, &host, ge->ev.at_ms))
			ge->filters |= UINT64_C(1) << i;
	}
	ge->is_deletion = in->delete_when != NULL &&
			  holds(box, in->delete_when, &host, ge->ev.at_ms);
}

/* An integer id as text; enough for any int64. */
static enum sg_err
int_text(struct arena *arena, int64_t n, const char **ret_s, uint32_t *ret_len)
{
	struct buf text;
	char *copy;

	buf_init(&text, 32);
	buf_printf(&text, "%lld", (long long)n);
	copy = text.is_failed ? NULL : arena_copy(arena, text.bytes, text.len);
	*ret_len = (uint32_t)text.len;
	buf_fini(&text);
	if (copy == NULL)
		return SG_NOMEM;
	*ret_s = copy;
	return SG_OK;
}

/* A row of a file: it has no key of its own. */
static bool
is_of_file(const struct record *rec)
{
	return rec->writer >= 0;
}

static enum sg_err
read_account(struct toolbox *box, const struct program_input *in,
	const struct record *rec, struct event *ev, struct sg_fault *why)
{
	const char *id = rec->key;
	uint32_t len = (uint32_t)rec->key_len;
	enum sg_err err;

	if (in->key_slot >= 0) {
		struct value v = ev->slots[in->key_slot];

		if (v.kind == VALUE_INT) {
			err = int_text(&box->batch, v.as.i, &id, &len);
			if (err != SG_OK)
				return err;
		} else if (v.kind == VALUE_STRING && v.len > 0) {
			id = v.as.s;
			len = v.len;
		} else {
			return sg_fault_set(why, SG_NO_ACCOUNT,
				"the account id is null or empty");
		}
		/* Its partition was chosen by the key: another id would be in
		 * the hands of two workers. */
		if (!is_of_file(rec) &&
			(rec->key_len != len || memcmp(rec->key, id, len) != 0))
			return sg_fault_set(why, SG_KEY_MISMATCH,
				"the record's key is not its account id: "
				"produce with the account id as key");
	}
	if (len == 0)
		return sg_fault_set(why, SG_NO_ACCOUNT,
			"the input has no `key`: a file needs one");
	if (len > ACCOUNT_ID_MAX || memchr(id, '\0', len) != NULL ||
		!utf8_is_valid(id, len))
		return sg_fault_set(why, SG_BAD_ACCOUNT,
			"account id of %u bytes: at most %d bytes of UTF-8 "
			"without NUL",
			(unsigned)len, ACCOUNT_ID_MAX);
	ev->account = arena_copy(&box->batch, id, len);
	if (ev->account == NULL)
		return SG_NOMEM;
	ev->account_len = len;
	ev->account_hash = hash_bytes(id, len);
	return SG_OK;
}

static enum sg_err
read_time(const struct program_input *in, const struct record *rec,
	struct event *ev, struct sg_fault *why)
{
	struct value v;
	int64_t seconds;
	int32_t nanos;

	ev->at_ms = rec->kafka_ms;
	if (in->time_slot >= 0) {
		v = ev->slots[in->time_slot];
		if (v.kind == VALUE_TIMESTAMP)
			ev->at_ms = value_to_ms(v);
		else if (v.kind == VALUE_INT)
			ev->at_ms = v.as.i;
		else if (v.kind == VALUE_STRING &&
			 civil_parse(v.as.s, v.len, false, &seconds, &nanos))
			ev->at_ms = seconds * 1000 + nanos / 1000000;
		else
			return sg_fault_set(why, SG_BAD_TIME,
				"the event time is null or not a time");
	} else if (rec->kafka_ms < 0) {
		return sg_fault_set(
			why, SG_BAD_TIME, "the record has no timestamp");
	}
	if (ev->at_ms < AT_MS_MIN)
		return sg_fault_set(why, SG_TIME_PAST,
			"the event time is before the year 2000");
	if (rec->kafka_ms >= 0 && ev->at_ms - CIVIL_DAY_MS > rec->kafka_ms)
		return sg_fault_set(why, SG_TIME_FUTURE,
			"the event time is more than a day ahead of the "
			"record's timestamp");
	if (ev->at_ms > INT64_C(253402300800000))
		return sg_fault_set(why, SG_TIME_FUTURE,
			"the event time is after the year 9999");
	return SG_OK;
}

static enum sg_err
read_id(struct toolbox *box, const struct program_input *in, struct event *ev)
{
	struct value v;
	enum sg_err err;

	if (in->id_slot < 0)
		return SG_OK;
	v = ev->slots[in->id_slot];
	if (v.kind == VALUE_INT) {
		err = int_text(&box->batch, v.as.i, &ev->id, &ev->id_len);
		if (err == SG_OK)
			ev->id_hash = hash_bytes(ev->id, ev->id_len);
		return err;
	}
	if ((v.kind != VALUE_STRING && v.kind != VALUE_BYTES) || v.len == 0)
		return SG_OK;
	ev->id_hash = hash_bytes(v.as.bytes, v.len);
	if (ev->id_hash == 0)
		ev->id_hash = 1;
	if (v.kind == VALUE_STRING) {
		ev->id = v.as.s;
		ev->id_len = v.len;
	}
	return SG_OK;
}

enum sg_err
group_read(struct toolbox *box, const struct record *rec,
	struct group_event *ret_ge, struct sg_fault *why)
{
	const struct program_input *in = &box->prog->inputs[rec->input];
	struct decode_reader *reader = box->readers[rec->input];
	struct event *ev = &ret_ge->ev;
	enum sg_err err;

	*ev = (struct event){
		.input = rec->input,
		.partition = rec->partition,
		.offset = rec->offset,
		.kafka_ms = rec->kafka_ms,
	};
	if (!is_of_file(rec) && (rec->key == NULL || rec->key_len == 0))
		return sg_fault_set(why, SG_NO_KEY,
			"the record has no key: produce with the account id "
			"as key");
	if (rec->key_len > UINT32_MAX / 2)
		return sg_fault_set(why, SG_BAD_ACCOUNT, "the key is too long");
	err = decode_record(reader, rec, &box->batch, &ev->slots, why);
	if (err != SG_OK)
		return err;
	ev->nslots = decode_reader_nslots(reader);
	err = casts_fill(in, &box->batch, &ev->slots, &ev->nslots);
	if (err != SG_OK)
		return err;
	err = read_account(box, in, rec, ev, why);
	if (err == SG_OK)
		err = read_time(in, rec, ev, why);
	if (err == SG_OK)
		err = read_id(box, in, ev);
	if (err == SG_OK && (int32_t)rec->input == box->prog->overrides)
		err = override_check(box->prog, ev, why);
	if (err == SG_OK)
		apply_filters(box, in, ret_ge);
	return err;
}
