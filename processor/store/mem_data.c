#include <stdlib.h>
#include <string.h>

#include "mem_store.h"

static struct mem_blob *
blob_create(const void *bytes, size_t len)
{
	struct mem_blob *blob = malloc(sizeof(*blob) + len + 1);

	if (blob == NULL)
		return NULL;
	blob->len = len;
	if (len > 0)
		memcpy(blob->bytes, bytes, len);
	blob->bytes[len] = '\0';
	return blob;
}

static void
map_free(void *value)
{
	mem_map_fini(value);
	free(value);
}

static void
meta_free(void *value)
{
	struct mem_meta *meta = value;

	free(meta->lineage);
	free(meta->w);
	free(meta->out);
	mem_map_fini(&meta->layouts);
	mem_zset_fini(&meta->due);
	free(meta);
}

enum sg_err
mem_data_init(struct mem_data *data)
{
	mem_map_init(&data->states, free);
	mem_map_init(&data->views, map_free);
	mem_map_init(&data->segments, map_free);
	mem_map_init(&data->groups, meta_free);
	return mem_zset_init(&data->renewals) ? SG_OK : SG_NOMEM;
}

void
mem_data_fini(struct mem_data *data)
{
	mem_map_fini(&data->states);
	mem_map_fini(&data->views);
	mem_map_fini(&data->segments);
	mem_map_fini(&data->groups);
	mem_zset_fini(&data->renewals);
}

struct mem_meta *
mem_data_meta(const struct mem_data *data, int32_t number)
{
	const struct mem_entry *entry = mem_map_get(
		&data->groups, (const char *)&number, sizeof(number));

	return entry == NULL ? NULL : entry->value;
}

struct mem_meta *
mem_data_meta_add(struct mem_data *data, int32_t number)
{
	struct mem_meta *meta = mem_data_meta(data, number);
	struct mem_entry *entry;

	if (meta != NULL)
		return meta;
	meta = calloc(1, sizeof(*meta));
	if (meta == NULL)
		return NULL;
	mem_map_init(&meta->layouts, free);
	entry = mem_zset_init(&meta->due)
			? mem_map_add(&data->groups, (const char *)&number,
				  sizeof(number))
			: NULL;
	if (entry == NULL) {
		meta_free(meta);
		return NULL;
	}
	entry->value = meta;
	return meta;
}

static enum sg_err
text_set(char **text, const char *to)
{
	char *copy;

	if (to == NULL)
		return SG_OK;
	copy = strdup(to);
	if (copy == NULL)
		return SG_NOMEM;
	free(*text);
	*text = copy;
	return SG_OK;
}

enum sg_err
mem_meta_set_texts(struct mem_meta *meta, const struct store_texts *texts)
{
	enum sg_err err = text_set(&meta->lineage, texts->lineage);

	if (err == SG_OK)
		err = text_set(&meta->w, texts->w);
	if (err == SG_OK)
		err = text_set(&meta->out, texts->out);
	return err;
}

size_t
mem_segment_key(struct buf *key, const char *segmentation, const char *segment)
{
	buf_reset(key);
	buf_put_str(key, segmentation);
	buf_put_u8(key, ':');
	buf_put_str(key, segment);
	return key->len;
}

/* --- recording ------------------------------------------------------------ */

static void
record_text(struct buf *log, const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);

	buf_put_varint(log, len);
	buf_put(log, text, len);
	buf_put_u8(log, 0);
}

void
mem_write_record(struct buf *log, const struct store_write *write)
{
	uint64_t score;

	memcpy(&score, &write->score, sizeof(score));
	buf_put_u8(log, (uint8_t)write->kind);
	record_text(log, write->account);
	record_text(log, write->name);
	record_text(log, write->name2);
	buf_put_varint(log, write->len);
	buf_put(log, write->bytes, write->len);
	buf_put_u64(log, score);
	buf_put_u64(log, write->hash);
}

static const char *
replay_text(struct buf_reader *rd)
{
	size_t len = (size_t)buf_get_varint(rd);

	return (const char *)buf_get_bytes(rd, len + 1);
}

static struct store_write
replay_one(struct buf_reader *rd)
{
	struct store_write write = {0};
	uint64_t score;

	write.kind = (enum store_write_kind)buf_get_u8(rd);
	write.account = replay_text(rd);
	write.name = replay_text(rd);
	write.name2 = replay_text(rd);
	write.len = (size_t)buf_get_varint(rd);
	write.bytes = buf_get_bytes(rd, write.len);
	score = buf_get_u64(rd);
	memcpy(&write.score, &score, sizeof(score));
	write.hash = buf_get_u64(rd);
	return write;
}

/* --- applying ------------------------------------------------------------- */

static enum sg_err
map_set(struct mem_map *map, const char *key, size_t len, const void *bytes,
	size_t nbytes)
{
	struct mem_blob *blob = blob_create(bytes, nbytes);
	struct mem_entry *entry;

	/* The blob first: an entry without one would be there for ever. */
	if (blob == NULL)
		return SG_NOMEM;
	entry = mem_map_add(map, key, len);
	if (entry == NULL) {
		free(blob);
		return SG_NOMEM;
	}
	free(entry->value);
	entry->value = blob;
	return SG_OK;
}

/* The map under `key` of a map of maps; NULL: no memory. */
static struct mem_map *
inner_add(struct mem_map *outer, const char *key, size_t len)
{
	struct mem_entry *entry = mem_map_add(outer, key, len);

	if (entry == NULL || entry->value != NULL)
		return entry == NULL ? NULL : entry->value;
	entry->value = malloc(sizeof(struct mem_map));
	if (entry->value == NULL) {
		mem_map_del(outer, key, len);
		return NULL;
	}
	mem_map_init(entry->value, free);
	return entry->value;
}

/* An empty map is no map, as in Redis. */
static void
inner_del(struct mem_map *outer, const char *key, size_t len, const char *name)
{
	struct mem_entry *entry = mem_map_get(outer, key, len);

	if (entry == NULL)
		return;
	mem_map_del(entry->value, name, strlen(name));
	if (((struct mem_map *)entry->value)->n == 0)
		mem_map_del(outer, key, len);
}

static enum sg_err
apply_segment(struct mem_data *data, const struct store_write *write)
{
	enum sg_err err = SG_OK;
	struct mem_map *set;
	struct buf key;

	buf_init(&key, STORE_COMMIT_MAX);
	if (mem_segment_key(&key, write->name, write->name2) == 0 ||
		key.is_failed) {
		err = SG_NOMEM;
	} else if (write->kind == STORE_DEL_MEMBER) {
		inner_del(&data->segments, (const char *)key.bytes, key.len,
			write->account);
	} else {
		set = inner_add(
			&data->segments, (const char *)key.bytes, key.len);
		if (set == NULL || mem_map_add(set, write->account,
					   strlen(write->account)) == NULL)
			err = SG_NOMEM;
	}
	buf_fini(&key);
	return err;
}

static enum sg_err
apply_view(struct mem_data *data, const struct store_write *write, size_t len)
{
	struct mem_map *view;

	if (write->kind == STORE_DEL_VIEW) {
		mem_map_del(&data->views, write->account, len);
		return SG_OK;
	}
	if (write->kind == STORE_DEL_FIELD) {
		inner_del(&data->views, write->account, len, write->name);
		return SG_OK;
	}
	view = inner_add(&data->views, write->account, len);
	if (view == NULL)
		return SG_NOMEM;
	return map_set(view, write->name, strlen(write->name), write->bytes,
		write->len);
}

static enum sg_err
apply_score(struct mem_zset *set, const struct store_write *write, double score)
{
	size_t len = strlen(write->account);

	return mem_zset_set(set, write->account, len, score) ? SG_OK : SG_NOMEM;
}

static enum sg_err
apply(struct mem_data *data, struct mem_meta *meta,
	const struct store_write *write)
{
	const char *account = write->account;
	size_t len = strlen(account);

	switch (write->kind) {
	case STORE_SET_STATE:
		return map_set(
			&data->states, account, len, write->bytes, write->len);
	case STORE_DEL_STATE:
		mem_map_del(&data->states, account, len);
		return SG_OK;
	case STORE_SET_FIELD:
	case STORE_DEL_FIELD:
	case STORE_DEL_VIEW:
		return apply_view(data, write, len);
	case STORE_ADD_MEMBER:
	case STORE_DEL_MEMBER:
		return apply_segment(data, write);
	case STORE_SET_RENEWAL:
		return apply_score(&data->renewals, write, -write->score);
	case STORE_DEL_RENEWAL:
		mem_zset_del(&data->renewals, account, len);
		return SG_OK;
	case STORE_SET_DUE:
		return apply_score(&meta->due, write, write->score);
	case STORE_DEL_DUE:
		mem_zset_del(&meta->due, account, len);
		return SG_OK;
	case STORE_SET_LAYOUT:
		return map_set(&meta->layouts, (const char *)&write->hash,
			sizeof(write->hash), write->bytes, write->len);
	}
	return SG_INTERNAL;
}

enum sg_err
mem_write_replay(
	struct mem_data *data, struct mem_meta *meta, const struct buf *log)
{
	enum sg_err err = SG_OK;
	struct buf_reader rd;

	buf_reader_init(&rd, log->bytes, log->len);
	while (err == SG_OK && rd.at < rd.end) {
		const struct store_write write = replay_one(&rd);

		err = rd.is_bad ? SG_INTERNAL : apply(data, meta, &write);
	}
	return err;
}
