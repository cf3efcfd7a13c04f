/*
 * store_mem.c - the store in memory: for backtest, the demo and tests.
 *
 * It keeps the contract of store.h with Redis's own rules: a group has a token
 * and a commit number, and whoever takes over puts an end to the reign of the
 * other handles on the same store. Writes are recorded as they are added and
 * replayed at the commit, so nothing is seen before it.
 *
 * What only a network can do (a lost answer, a server that is busy) tests ask
 * for with store_mem_fail().
 */
#include <stdlib.h>
#include <string.h>

#include "mem_store.h"
#include "segmentd/clock.h"

struct mem_store {
	struct store base;
	struct mem_data data;
	/* What store_mem_fail() asked for. */
	enum sg_err fail_err;
	uint32_t fail_calls;
	bool is_fail_applied;
};

struct mem_group {
	struct store_group base;
	struct mem_store *store;
	struct buf log; /* recorded writes */
	uint64_t token;
	uint64_t cid;
	bool is_reigning;
	bool is_in_doubt; /* a commit's answer was lost */
	bool is_applied;  /* ... and it had been applied */
};

static const struct store_ops mem_ops;

static struct mem_group *
group_of(struct store_group *group)
{
	return (struct mem_group *)group;
}

static struct mem_store *
store_of(struct store *store)
{
	return (struct mem_store *)store;
}

static enum sg_err
fail_if_asked(struct mem_store *store, struct sg_fault *why)
{
	if (store->fail_calls == 0)
		return SG_OK;
	store->fail_calls--;
	return sg_fault_set(why, store->fail_err, "memory store: as asked");
}

/* The group's record while the reign lasts. */
static enum sg_err
reign(struct mem_group *group, struct mem_meta **ret_meta, struct sg_fault *why)
{
	struct mem_meta *meta =
		mem_data_meta(&group->store->data, group->base.number);

	if (!group->is_reigning || meta == NULL ||
		meta->token != group->token || meta->cid != group->cid) {
		group->is_reigning = false;
		return sg_fault_set(why, SG_STORE_LOST, "group %d: %s",
			(int)group->base.number,
			meta == NULL ? "the commit record is gone"
				     : "another owner has taken over");
	}
	*ret_meta = meta;
	return SG_OK;
}

static enum sg_err
reign_or_fail(struct mem_group *group, struct mem_meta **ret_meta,
	struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	if (group->is_reigning)
		err = fail_if_asked(group->store, why);
	return err != SG_OK ? err : reign(group, ret_meta, why);
}

static enum sg_err
copy_text(struct arena *arena, const char *text, const char **ret_text)
{
	*ret_text = NULL;
	if (text == NULL)
		return SG_OK;
	*ret_text = arena_copy(arena, text, strlen(text));
	return *ret_text == NULL ? SG_NOMEM : SG_OK;
}

static enum sg_err
copy_layouts(const struct mem_meta *meta, struct arena *arena,
	struct store_meta *ret_meta)
{
	const struct mem_entry *entry;
	size_t at = 0;

	ret_meta->layouts = arena_array(
		arena, meta->layouts.n + 1, sizeof(*ret_meta->layouts));
	if (ret_meta->layouts == NULL)
		return SG_NOMEM;
	while ((entry = mem_map_next(&meta->layouts, &at)) != NULL) {
		const struct mem_blob *blob = entry->value;
		struct store_layout_entry *layout =
			&ret_meta->layouts[ret_meta->nlayouts++];

		memcpy(&layout->hash, entry->key, sizeof(layout->hash));
		layout->len = blob->len;
		layout->bytes = arena_copy(arena, blob->bytes, blob->len);
		if (layout->bytes == NULL)
			return SG_NOMEM;
	}
	return SG_OK;
}

static enum sg_err
copy_meta(const struct mem_meta *meta, struct arena *arena,
	struct store_meta *ret_meta)
{
	struct store_meta copy = {0};
	enum sg_err err = SG_OK;

	if (meta != NULL) {
		copy.is_present = meta->w != NULL;
		copy.codec = meta->w != NULL ? "1" : NULL;
		err = copy_text(arena, meta->lineage, &copy.lineage);
		if (err == SG_OK)
			err = copy_text(arena, meta->w, &copy.w);
		if (err == SG_OK)
			err = copy_text(arena, meta->out, &copy.out);
		if (err == SG_OK)
			err = copy_layouts(meta, arena, &copy);
	}
	if (err == SG_OK)
		*ret_meta = copy;
	return err;
}

static enum sg_err
copy_blob(const struct mem_entry *entry, struct arena *arena,
	struct store_blob *ret_blob)
{
	const struct mem_blob *blob = entry == NULL ? NULL : entry->value;

	*ret_blob = (struct store_blob){0};
	if (blob == NULL)
		return SG_OK;
	ret_blob->len = blob->len;
	ret_blob->bytes = arena_copy(arena, blob->bytes, blob->len);
	return ret_blob->bytes == NULL ? SG_NOMEM : SG_OK;
}

/* --- the contract --------------------------------------------------------- */

static void
mem_close(struct store *base)
{
	mem_data_fini(&store_of(base)->data);
	free(base);
}

static enum sg_err
mem_ping(struct store *base, struct sg_fault *why)
{
	return fail_if_asked(store_of(base), why);
}

static enum sg_err
mem_group_open(struct store *base, int32_t number,
	struct store_group **ret_group, struct sg_fault *why)
{
	struct mem_group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory for a group");
	group->base = (struct store_group){
		.ops = &mem_ops, .store = base, .number = number};
	group->store = store_of(base);
	buf_init(&group->log, STORE_COMMIT_MAX);
	*ret_group = &group->base;
	return SG_OK;
}

static void
mem_group_close(struct store_group *base)
{
	buf_fini(&group_of(base)->log);
	free(base);
}

static enum sg_err
mem_takeover(struct store_group *base, struct arena *arena,
	struct store_meta *ret_meta, struct sg_fault *why)
{
	struct mem_group *group = group_of(base);
	struct mem_meta *meta;
	enum sg_err err;

	group->is_reigning = false;
	group->is_in_doubt = false;
	group->is_applied = false;
	buf_reset(&group->log);
	err = fail_if_asked(group->store, why);
	if (err != SG_OK)
		return err;
	meta = mem_data_meta_add(&group->store->data, base->number);
	if (meta == NULL || copy_meta(meta, arena, ret_meta) != SG_OK)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	clock_random(&group->token, sizeof(group->token));
	group->cid = 0;
	group->is_reigning = true;
	meta->token = group->token;
	meta->cid = 0;
	return SG_OK;
}

static enum sg_err
mem_load(struct store_group *base, const char *const *accounts, size_t n,
	struct arena *arena, struct store_blob *ret_blobs, struct sg_fault *why)
{
	struct mem_group *group = group_of(base);
	struct mem_map *states = &group->store->data.states;
	struct mem_meta *meta;
	enum sg_err err = reign_or_fail(group, &meta, why);

	for (size_t i = 0; err == SG_OK && i < n; i++)
		err = copy_blob(
			mem_map_get(states, accounts[i], strlen(accounts[i])),
			arena, &ret_blobs[i]);
	return err;
}

static enum sg_err
mem_due(struct store_group *base, int64_t before_ms, size_t max,
	struct arena *arena, struct store_due **ret_due, size_t *ret_n,
	struct sg_fault *why)
{
	const struct mem_node *node;
	struct store_due *due;
	struct mem_meta *meta;
	enum sg_err err = reign_or_fail(group_of(base), &meta, why);
	size_t n = 0;

	if (err != SG_OK)
		return err;
	node = mem_zset_first(&meta->due);
	for (const struct mem_node *at = node;
		at != NULL && n < max && at->score < (double)before_ms;
		at = at->next[0])
		n++;
	due = arena_array(arena, n + 1, sizeof(*due));
	if (due == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < n; i++, node = node->next[0]) {
		due[i].due_ms = (int64_t)node->score;
		due[i].account = arena_copy(arena, node->member, node->len);
		if (due[i].account == NULL)
			return SG_NOMEM;
	}
	*ret_due = due;
	*ret_n = n;
	return SG_OK;
}

static enum sg_err
mem_check(struct store_group *base, struct sg_fault *why)
{
	struct mem_meta *meta;

	return reign_or_fail(group_of(base), &meta, why);
}

static void
mem_clear(struct store_group *base)
{
	struct mem_group *group = group_of(base);

	buf_reset(&group->log);
	if (group->is_in_doubt)
		group->is_reigning = false;
}

static void
mem_write(struct store_group *base, const struct store_write *write)
{
	/* What is in doubt may not change under the doubt. */
	if (!group_of(base)->is_in_doubt)
		mem_write_record(&group_of(base)->log, write);
}

static size_t
mem_pending_bytes(const struct store_group *base)
{
	return ((const struct mem_group *)base)->log.len;
}

static enum sg_err
apply_commit(struct mem_group *group, const struct store_texts *texts,
	struct sg_fault *why)
{
	struct mem_meta *meta;
	enum sg_err err = reign(group, &meta, why);

	if (err != SG_OK)
		return err;
	err = mem_write_replay(&group->store->data, meta, &group->log);
	if (err == SG_OK)
		err = mem_meta_set_texts(meta, texts);
	if (err == SG_OK)
		group->cid = ++meta->cid;
	return err;
}

static enum sg_err
mem_commit(struct store_group *base, const struct store_texts *texts,
	struct sg_fault *why)
{
	struct mem_group *group = group_of(base);
	struct mem_meta *meta;
	enum sg_err err;

	if (group->log.is_failed)
		return sg_fault_set(why, SG_NOMEM, "the commit is too large");
	err = group->is_reigning ? fail_if_asked(group->store, why) : SG_OK;
	if (err != SG_OK && err != SG_STORE_DOWN)
		return err;
	if (err == SG_STORE_DOWN) {
		group->is_in_doubt = true;
		if (group->store->is_fail_applied && !group->is_applied) {
			enum sg_err lost = apply_commit(group, texts, why);

			if (lost != SG_OK)
				return lost;
			group->is_applied = true;
		}
		return err;
	}
	err = group->is_applied ? reign(group, &meta, why)
				: apply_commit(group, texts, why);
	if (err != SG_OK)
		return err;
	group->is_in_doubt = false;
	group->is_applied = false;
	buf_reset(&group->log);
	return SG_OK;
}

static enum sg_err
mem_peek(struct store *base, int32_t number, const char *account,
	struct arena *arena, struct store_blob *ret_state,
	struct store_meta *ret_meta, struct sg_fault *why)
{
	struct mem_data *data = &store_of(base)->data;
	enum sg_err err = fail_if_asked(store_of(base), why);

	if (err == SG_OK)
		err = copy_blob(
			mem_map_get(&data->states, account, strlen(account)),
			arena, ret_state);
	if (err == SG_OK && ret_meta != NULL)
		err = copy_meta(mem_data_meta(data, number), arena, ret_meta);
	return err;
}

static int
by_name(const void *a, const void *b)
{
	const struct store_field *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static enum sg_err
mem_view(struct store *base, int32_t number, const char *account,
	struct arena *arena, struct store_field **ret_fields, size_t *ret_n,
	struct sg_fault *why)
{
	const struct mem_entry *view = mem_map_get(
		&store_of(base)->data.views, account, strlen(account));
	const struct mem_map *map = view == NULL ? NULL : view->value;
	const struct mem_entry *entry;
	struct store_field *fields;
	struct store_blob blob;
	enum sg_err err = fail_if_asked(store_of(base), why);
	size_t n = 0, at = 0;

	(void)number;
	if (err != SG_OK)
		return err;
	fields = arena_array(
		arena, map == NULL ? 1 : map->n + 1, sizeof(*fields));
	if (fields == NULL)
		return SG_NOMEM;
	while (map != NULL && (entry = mem_map_next(map, &at)) != NULL) {
		fields[n].name = arena_copy(arena, entry->key, entry->key_len);
		if (fields[n].name == NULL ||
			copy_blob(entry, arena, &blob) != SG_OK)
			return SG_NOMEM;
		fields[n].value = blob.bytes;
		fields[n++].len = blob.len;
	}
	qsort(fields, n, sizeof(*fields), by_name);
	*ret_fields = fields;
	*ret_n = n;
	return SG_OK;
}

/* NULL: empty, or no memory for its name. */
static const struct mem_map *
segment_find(struct store *base, const struct store_segment *segment)
{
	const struct mem_entry *entry;
	struct buf key;

	buf_init(&key, STORE_COMMIT_MAX);
	(void)mem_segment_key(&key, segment->segmentation, segment->segment);
	entry = mem_map_get(&store_of(base)->data.segments,
		(const char *)key.bytes, key.len);
	buf_fini(&key);
	return entry == NULL ? NULL : entry->value;
}

/* All keys of a map, which may be NULL. */
static enum sg_err
keys_copy(const struct mem_map *map, struct arena *arena,
	const char ***ret_keys, size_t *ret_n)
{
	const char **keys =
		arena_array(arena, map == NULL ? 1 : map->n + 1, sizeof(*keys));
	const struct mem_entry *entry;
	size_t n = 0, at = 0;

	if (keys == NULL)
		return SG_NOMEM;
	while (map != NULL && (entry = mem_map_next(map, &at)) != NULL) {
		keys[n] = arena_copy(arena, entry->key, entry->key_len);
		if (keys[n++] == NULL)
			return SG_NOMEM;
	}
	*ret_keys = keys;
	*ret_n = n;
	return SG_OK;
}

static enum sg_err
mem_members(struct store *base, const struct store_segment *segment,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why)
{
	const struct mem_map *map = segment_find(base, segment);
	enum sg_err err = fail_if_asked(store_of(base), why);

	if (err != SG_OK)
		return err;
	*cursor = 0;
	return keys_copy(map, arena, ret_accounts, ret_n);
}

static enum sg_err
mem_scan(struct store *base, int32_t number, uint64_t *cursor,
	struct arena *arena, struct store_found **ret_found, size_t *ret_n,
	struct sg_fault *why)
{
	const struct mem_map *map = &store_of(base)->data.states;
	const struct mem_entry *entry;
	struct store_found *found;
	enum sg_err err = fail_if_asked(store_of(base), why);
	size_t n = 0, at = 0;

	(void)number;
	if (err != SG_OK)
		return err;
	found = arena_array(arena, map->n + 1, sizeof(*found));
	if (found == NULL)
		return SG_NOMEM;
	while ((entry = mem_map_next(map, &at)) != NULL) {
		found[n].account =
			arena_copy(arena, entry->key, entry->key_len);
		err = copy_blob(entry, arena, &found[n].state);
		if (found[n].account == NULL || err != SG_OK)
			return SG_NOMEM;
		n++;
	}
	*cursor = 0;
	*ret_found = found;
	*ret_n = n;
	return SG_OK;
}

static enum sg_err
mem_member_count(struct store *base, const struct store_segment *segment,
	uint64_t *ret_count, struct sg_fault *why)
{
	const struct mem_map *map = segment_find(base, segment);
	enum sg_err err = fail_if_asked(store_of(base), why);

	if (err == SG_OK)
		*ret_count = map == NULL ? 0 : map->n;
	return err;
}

static enum sg_err
mem_renewals(struct store *base, int32_t number, size_t max,
	struct arena *arena, struct store_renewal **ret_renewals, size_t *ret_n,
	struct sg_fault *why)
{
	const struct mem_zset *queue = &store_of(base)->data.renewals;
	const struct mem_node *node = mem_zset_first(queue);
	struct store_renewal *renewals;
	enum sg_err err = fail_if_asked(store_of(base), why);
	size_t n = max < queue->nodes.n ? max : queue->nodes.n;

	(void)number;
	if (err != SG_OK)
		return err;
	renewals = arena_array(arena, n + 1, sizeof(*renewals));
	if (renewals == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < n; i++, node = node->next[0]) {
		renewals[i].score = -node->score;
		renewals[i].account =
			arena_copy(arena, node->member, node->len);
		if (renewals[i].account == NULL)
			return SG_NOMEM;
	}
	*ret_renewals = renewals;
	*ret_n = n;
	return SG_OK;
}

static const struct mem_zset *
index_zset(struct store *base, const struct store_index *index)
{
	const struct mem_meta *meta;

	if (index->kind == STORE_INDEX_RENEWALS)
		return &store_of(base)->data.renewals;
	meta = mem_data_meta(&store_of(base)->data, index->number);
	return meta == NULL ? NULL : &meta->due;
}

static const struct mem_map *
index_map(struct store *base, const struct store_index *index)
{
	const struct store_segment segment = {
		.segmentation = index->segmentation, .segment = index->segment};
	const struct mem_zset *set;

	if (index->kind == STORE_INDEX_MEMBERS)
		return segment_find(base, &segment);
	set = index_zset(base, index);
	return set == NULL ? NULL : &set->nodes;
}

static enum sg_err
mem_index_find(struct store *base, const struct store_index *index,
	const char *account, bool *ret_is_there, double *ret_score,
	struct sg_fault *why)
{
	const struct mem_map *map = index_map(base, index);
	const struct mem_entry *entry =
		map == NULL ? NULL : mem_map_get(map, account, strlen(account));
	enum sg_err err = fail_if_asked(store_of(base), why);

	if (err != SG_OK)
		return err;
	*ret_is_there = entry != NULL;
	*ret_score = 0;
	if (entry != NULL && index->kind != STORE_INDEX_MEMBERS) {
		const struct mem_node *node = entry->value;

		*ret_score = index->kind == STORE_INDEX_RENEWALS ? -node->score
								 : node->score;
	}
	return SG_OK;
}

static enum sg_err
mem_index_scan(struct store *base, const struct store_index *index,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why)
{
	const struct mem_map *map = index_map(base, index);
	enum sg_err err = fail_if_asked(store_of(base), why);

	if (err != SG_OK)
		return err;
	*cursor = 0;
	return keys_copy(map, arena, ret_accounts, ret_n);
}

static enum sg_err
mem_erase_record(struct store *base, int32_t number, struct sg_fault *why)
{
	struct mem_meta *meta = mem_data_meta(&store_of(base)->data, number);
	enum sg_err err = fail_if_asked(store_of(base), why);

	if (err == SG_OK && meta != NULL)
		mem_map_del(&store_of(base)->data.groups, (const char *)&number,
			sizeof(number));
	return err;
}

static enum sg_err
mem_erase(struct store *base, int32_t number, uint64_t *cursor, uint64_t *ret_n,
	struct sg_fault *why)
{
	enum sg_err err = fail_if_asked(store_of(base), why);

	(void)number;
	if (err != SG_OK)
		return err;
	*ret_n += store_of(base)->data.states.n;
	*cursor = 0;
	store_mem_forget(base);
	return SG_OK;
}

static const struct store_ops mem_ops = {
	.close = mem_close,
	.ping = mem_ping,
	.group_open = mem_group_open,
	.group_close = mem_group_close,
	.takeover = mem_takeover,
	.load = mem_load,
	.due = mem_due,
	.check = mem_check,
	.clear = mem_clear,
	.write = mem_write,
	.pending_bytes = mem_pending_bytes,
	.commit = mem_commit,
	.peek = mem_peek,
	.view = mem_view,
	.members = mem_members,
	.scan = mem_scan,
	.member_count = mem_member_count,
	.index_find = mem_index_find,
	.index_scan = mem_index_scan,
	.erase_record = mem_erase_record,
	.erase = mem_erase,
	.renewals = mem_renewals,
};

enum sg_err
store_open_mem(struct store **ret_store)
{
	struct mem_store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return SG_NOMEM;
	store->base.ops = &mem_ops;
	if (mem_data_init(&store->data) != SG_OK) {
		mem_close(&store->base);
		return SG_NOMEM;
	}
	*ret_store = &store->base;
	return SG_OK;
}

void
store_mem_fail(
	struct store *base, enum sg_err err, uint32_t ncalls, bool is_applied)
{
	struct mem_store *store = store_of(base);

	store->fail_err = err;
	store->fail_calls = ncalls;
	store->is_fail_applied = is_applied;
}

void
store_mem_forget(struct store *base)
{
	struct mem_store *store = store_of(base);

	mem_map_fini(&store->data.states);
	mem_map_fini(&store->data.views);
	mem_map_fini(&store->data.segments);
	mem_map_fini(&store->data.groups);
	while (mem_zset_first(&store->data.renewals) != NULL) {
		const struct mem_node *node =
			mem_zset_first(&store->data.renewals);

		mem_zset_del(&store->data.renewals, node->member, node->len);
	}
}
