/*
 * look.c - accounts and segments as Redis has them, and pins.
 *
 * Under `redis.layout: partitioned` an account's keys are in its partition
 * group, which the keys alone do not tell: all are asked, by their records from
 * 0 on. So Kafka may be away, and whichever partitioner wrote the inputs is of
 * no matter.
 */
#include <stdlib.h>
#include <string.h>

#include "override.h"
#include "segmentd/clock.h"
#include "segmentd/hash.h"
#include "segmentd/look.h"
#include "segmentd/publish.h"
#include "stored.h"

#define PAGE_BYTES_MAX ((size_t)1 << 30)
#define TIMEOUT_MS 10000
#define FLUSH_MS 30000

struct look {
	const struct program *prog;
	struct store *store;
	enum store_layout layout;
	int32_t ngroups; /* 0: not asked yet */
};

enum sg_err
look_open(const struct program *prog, struct look **ret_look,
	struct sg_fault *why)
{
	struct store_opts opts = program_store_opts(prog);
	struct look *look = calloc(1, sizeof(*look));
	enum sg_err err;

	if (look == NULL)
		return SG_NOMEM;
	look->prog = prog;
	look->layout = opts.layout;
	err = store_open_redis(&opts, &look->store, why);
	if (err != SG_OK) {
		free(look);
		return err;
	}
	*ret_look = look;
	return SG_OK;
}

void
look_close(struct look *look)
{
	if (look == NULL)
		return;
	store_close(look->store);
	free(look);
}

static enum sg_err
need_groups(struct look *look, struct sg_fault *why)
{
	if (look->ngroups > 0)
		return SG_OK;
	return stored_groups(look->store, look->layout, &look->ngroups, why);
}

enum sg_err
look_view(struct look *look, const char *account, struct arena *arena,
	struct store_field **ret_fields, size_t *ret_n, struct sg_fault *why)
{
	enum sg_err err = need_groups(look, why);

	*ret_n = 0;
	for (int32_t i = 0; i < look->ngroups && err == SG_OK && *ret_n == 0;
		i++)
		err = store_view(
			look->store, i, account, arena, ret_fields, ret_n, why);
	if (err == SG_OK && *ret_n == 0)
		return sg_fault_set(
			why, SG_NO_ACCOUNT, "Redis has no account of that id");
	return err;
}

/* --- members ------------------------------------------------------------ */

struct members {
	struct look_member *items;
	size_t n;
	size_t cap;
	uint64_t max; /* 0: all */
};

static int
by_account(const void *a, const void *b)
{
	const struct look_member *one = a, *other = b;

	return strcmp(one->account, other->account);
}

/* In order, each once: a page may tell again what another told. */
static void
settle(struct members *list)
{
	size_t n = 0;

	if (list->n > 0)
		qsort(list->items, list->n, sizeof(list->items[0]), by_account);
	for (size_t i = 0; i < list->n; i++) {
		if (n == 0 ||
			by_account(&list->items[n - 1], &list->items[i]) != 0)
			list->items[n++] = list->items[i];
	}
	list->n = n;
}

static bool
is_full(struct members *list)
{
	if (list->max == 0 || list->n < list->max)
		return false;
	settle(list);
	return list->n >= list->max;
}

static bool
add_page(struct members *list, const char **accounts, size_t n, int32_t number)
{
	if (list->n + n > list->cap) {
		size_t cap = (list->n + n) * 2;
		struct look_member *grown =
			realloc(list->items, cap * sizeof(*grown));

		if (grown == NULL)
			return false;
		list->items = grown;
		list->cap = cap;
	}
	for (size_t i = 0; i < n; i++)
		list->items[list->n++] =
			(struct look_member){accounts[i], number};
	return true;
}

static enum sg_err
read_group(struct look *look, const struct store_segment *segment,
	struct arena *arena, struct members *list, struct sg_fault *why)
{
	uint64_t cursor = 0;
	enum sg_err err = SG_OK;

	do {
		const char **accounts = NULL;
		size_t n = 0;

		err = store_members(look->store, segment, &cursor, arena,
			&accounts, &n, why);
		if (err == SG_OK &&
			!add_page(list, accounts, n, segment->number))
			err = SG_NOMEM;
	} while (err == SG_OK && cursor != 0 && !is_full(list));
	return err;
}

enum sg_err
look_members(struct look *look, const struct look_place *place, uint64_t max,
	struct arena *arena, struct look_member **ret_members, size_t *ret_n,
	uint64_t *ret_total, struct sg_fault *why)
{
	struct members list = {.max = max};
	struct look_member *copy = NULL;
	enum sg_err err = need_groups(look, why);
	uint64_t total = 0;

	for (int32_t i = 0; i < look->ngroups && err == SG_OK; i++) {
		const struct store_segment segment = {
			i, place->segmentation, place->segment};
		uint64_t n = 0;

		err = store_member_count(look->store, &segment, &n, why);
		total += n;
		if (err == SG_OK && n > 0 && !is_full(&list))
			err = read_group(look, &segment, arena, &list, why);
	}
	settle(&list);
	if (max > 0 && list.n > max)
		list.n = (size_t)max;
	if (err == SG_OK)
		copy = arena_array(arena, list.n + 1, sizeof(*copy));
	if (err == SG_OK && copy == NULL)
		err = SG_NOMEM;
	if (err == SG_OK) {
		if (list.n > 0)
			memcpy(copy, list.items, list.n * sizeof(*copy));
		*ret_members = copy;
		*ret_n = list.n;
		*ret_total = total;
	}
	free(list.items);
	return err;
}

enum sg_err
look_member_view(struct look *look, const struct look_member *member,
	struct arena *arena, struct store_field **ret_fields, size_t *ret_n,
	struct sg_fault *why)
{
	return store_view(look->store, member->number, member->account, arena,
		ret_fields, ret_n, why);
}

/* --- pins --------------------------------------------------------------- */

struct pins {
	struct look *look;
	struct accounts accounts; /* one at a time */
	struct arena page;
	struct arena record; /* of the group at hand */
	struct store_meta meta;
	int32_t group; /* whose record it is; -1: none */
	int64_t now_ms;
	const atomic_bool *stop;
	void (*each)(void *ctx, const struct look_pin *pin);
	void *ctx;
};

static void
tell_pins(struct pins *p, const struct account *acct)
{
	const struct program *prog = p->look->prog;

	for (size_t i = 0; i < prog->nsegmentations && !acct->is_gone; i++) {
		const struct segmentation_def *def = &prog->defs[i];
		const struct account_override *item =
			override_at(acct, i, p->now_ms);
		struct look_pin pin;

		if (item == NULL)
			continue;
		pin = (struct look_pin){.account = acct->id,
			.segmentation = def->name,
			.segment = seat_name(def, item->segment),
			.author = item->author,
			.reason = item->reason,
			.at_ms = item->at_ms,
			.expires_ms = item->expires_ms};
		p->each(p->ctx, &pin);
	}
}

static enum sg_err
read_account(struct pins *p, const char *id, const struct store_blob *blob,
	const struct store_meta *meta, struct sg_fault *why)
{
	size_t len = strlen(id), size;
	struct account *acct =
		accounts_add(&p->accounts, id, len, hash_bytes(id, len));
	enum sg_err err;

	if (acct == NULL)
		return SG_NOMEM;
	size = features_size(acct->features);
	err = stored_read(p->look->prog, blob, meta, acct, why);
	accounts_resized(&p->accounts, size, features_size(acct->features));
	if (err == SG_OK)
		tell_pins(p, acct);
	accounts_remove(&p->accounts, acct);
	return err;
}

static enum sg_err
read_record(struct pins *p, int32_t group, struct sg_fault *why)
{
	struct store_blob none;
	enum sg_err err;

	arena_reset(&p->record);
	p->group = -1;
	err = store_peek(
		p->look->store, group, "", &p->record, &none, &p->meta, why);
	if (err == SG_OK)
		p->group = group;
	return err;
}

/* A layout may have come after the group's record was read. */
static enum sg_err
read_found(
	struct pins *p, const struct store_found *found, struct sg_fault *why)
{
	int32_t group = snapshot_group(found->state.bytes, found->state.len);
	enum sg_err err = SG_OK;

	if (group < 0)
		return sg_fault_set(why, SG_BAD_BLOB,
			"a stored state is of another codec version");
	if (group != p->group)
		err = read_record(p, group, why);
	if (err == SG_OK)
		err = read_account(
			p, found->account, &found->state, &p->meta, why);
	if (err != SG_BAD_BLOB)
		return err;
	err = read_record(p, group, why);
	return err != SG_OK ? err
			    : read_account(p, found->account, &found->state,
				      &p->meta, why);
}

static enum sg_err
walk_group(struct pins *p, int32_t number, struct sg_fault *why)
{
	uint64_t cursor = 0;
	enum sg_err err = SG_OK;

	do {
		struct store_found *found = NULL;
		size_t n = 0;

		if (p->stop != NULL && atomic_load(p->stop))
			return SG_INTERRUPTED;
		arena_reset(&p->page);
		err = store_scan(p->look->store, number, &cursor, &p->page,
			&found, &n, why);
		for (size_t i = 0; i < n && err == SG_OK; i++) {
			if (found[i].state.bytes != NULL)
				err = read_found(p, &found[i], why);
		}
	} while (err == SG_OK && cursor != 0);
	return err;
}

static enum sg_err
pins_of_one(struct pins *p, const char *account, struct sg_fault *why)
{
	struct store_meta meta = {.nlayouts = 0};
	struct store_blob blob = {NULL, 0};
	enum sg_err err = stored_find(p->look->store, p->look->ngroups, account,
		&p->page, &blob, &meta, why);

	return err != SG_OK ? err : read_account(p, account, &blob, &meta, why);
}

enum sg_err
look_pins(struct look *look, const char *account, int64_t now_ms,
	const atomic_bool *stop,
	void (*each)(void *ctx, const struct look_pin *pin), void *ctx,
	struct sg_fault *why)
{
	struct pins p = {.look = look,
		.group = -1,
		.now_ms = now_ms,
		.stop = stop,
		.each = each,
		.ctx = ctx};
	enum sg_err err = accounts_init(&p.accounts, look->prog);

	if (err != SG_OK)
		return err;
	arena_init(&p.page, PAGE_BYTES_MAX);
	arena_init(&p.record, PAGE_BYTES_MAX);
	err = need_groups(look, why);
	if (err == SG_OK && account != NULL)
		err = pins_of_one(&p, account, why);
	for (int32_t i = 0;
		account == NULL && i < look->ngroups && err == SG_OK; i++)
		err = walk_group(&p, i, why);
	arena_fini(&p.page);
	arena_fini(&p.record);
	accounts_fini(&p.accounts);
	return err;
}

/* --- pinning ------------------------------------------------------------ */

static void
put_text(struct buf *out, const char *text)
{
	buf_put_zigzag(out, (int64_t)strlen(text));
	buf_put_str(out, text);
}

/* Avro of schemas/override.v1.avsc, its fields in order. */
static void
write_pin(
	const struct program *prog, const struct look_pin *pin, struct buf *out)
{
	const struct program_input *in = &prog->inputs[prog->overrides];

	buf_put_u8(out, 0xc3);
	buf_put_u8(out, 0x01);
	buf_put_u64(out, decode_schemas_fingerprint(prog->schemas, in->schema));
	put_text(out, pin->account);
	put_text(out, pin->segmentation);
	buf_put_zigzag(out, pin->segment != NULL);
	if (pin->segment != NULL)
		put_text(out, pin->segment);
	put_text(out, pin->author);
	put_text(out, pin->reason);
	buf_put_zigzag(out, pin->expires_ms != AT_NEVER);
	if (pin->expires_ms != AT_NEVER)
		buf_put_zigzag(out, pin->expires_ms);
	buf_put_zigzag(out, pin->at_ms);
	buf_put_zigzag(out, 0); /* no event id: nothing to repeat it by */
}

static enum sg_err
check_topic(const struct program *prog, const char *topic, int32_t partition,
	struct sg_fault *why)
{
	int32_t n = 0;
	enum sg_err err = kafka_partition_counts(prog->conf->kafka,
		prog->conf->nkafka, &topic, 1, TIMEOUT_MS, &n, why);

	if (err == SG_OK && n == 0)
		return sg_fault_set(why, SG_BAD_CONFIG,
			"there is no topic %s yet: segmentd run creates it",
			topic);
	if (err == SG_OK && partition >= n)
		return sg_fault_set(why, SG_BAD_CONFIG,
			"the account is in partition %d, and topic %s has %d",
			(int)partition, topic, (int)n);
	return err;
}

/* Where the account's events are, whichever partitioner put them there. */
static enum sg_err
find_partition(struct look *look, const char *account, int32_t *ret_partition,
	struct sg_fault *why)
{
	struct store_meta meta;
	struct store_blob blob = {NULL, 0};
	struct arena arena;
	enum sg_err err = need_groups(look, why);

	arena_init(&arena, PAGE_BYTES_MAX);
	if (err == SG_OK)
		err = stored_find(look->store, look->ngroups, account, &arena,
			&blob, &meta, why);
	if (err == SG_OK)
		*ret_partition = snapshot_group(blob.bytes, blob.len);
	arena_fini(&arena);
	return err;
}

enum sg_err
look_pin_send(struct look *look, const struct look_pin *pin,
	const atomic_bool *stop, struct sg_fault *why)
{
	const struct program *prog = look->prog;
	struct producer_record rec = {.key = pin->account,
		.key_len = strlen(pin->account),
		.kafka_ms = pin->at_ms};
	struct producer *prod = NULL;
	int32_t partition = -1;
	const char *topic;
	struct buf value;
	enum sg_err err;

	if (prog->overrides < 0)
		return sg_fault_set(why, SG_BAD_CONFIG,
			"topics.overrides is empty: nobody can pin a segment");
	topic = prog->inputs[prog->overrides].topic;
	err = find_partition(look, pin->account, &partition, why);
	if (err == SG_OK)
		err = check_topic(prog, topic, partition, why);
	if (err != SG_OK)
		return err;
	buf_init(&value, DECODE_RECORD_MAX);
	write_pin(prog, pin, &value);
	rec.value = value.bytes;
	rec.value_len = value.len;
	err = value.is_failed ? SG_NOMEM
			      : producer_open(prog->conf->kafka,
					prog->conf->nkafka, stop, &prod, why);
	if (err == SG_OK)
		err = producer_send_to(prod, topic, partition, &rec, why);
	if (err == SG_OK)
		err = producer_flush(prod, FLUSH_MS, why);
	producer_close(prod);
	buf_fini(&value);
	return err;
}
