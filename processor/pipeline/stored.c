/* stored.c - one account's state as Redis has it. */
#include "stored.h"

#define META_BYTES_MAX ((size_t)64 << 20)

enum sg_err
stored_groups(struct store *store, enum store_layout layout, int32_t *ret_n,
	struct sg_fault *why)
{
	enum sg_err err = SG_OK;
	struct arena arena;
	int32_t n = 0;

	*ret_n = 1;
	if (layout == STORE_PLAIN)
		return SG_OK;
	arena_init(&arena, META_BYTES_MAX);
	for (; err == SG_OK && n < INGEST_PARTITIONS_MAX; n++) {
		struct store_blob blob;
		struct store_meta meta;

		arena_reset(&arena);
		err = store_peek(store, n, "", &arena, &blob, &meta, why);
		if (err == SG_OK && !meta.is_present)
			break;
	}
	arena_fini(&arena);
	*ret_n = n;
	return err;
}

enum sg_err
stored_find(struct store *store, int32_t ngroups, const char *account,
	struct arena *arena, struct store_blob *ret_blob,
	struct store_meta *ret_meta, struct sg_fault *why)
{
	struct store_blob blob = {NULL, 0};
	enum sg_err err = SG_OK;

	for (int32_t i = 0; i < ngroups && err == SG_OK && blob.bytes == NULL;
		i++)
		err = store_peek(store, i, account, arena, &blob, NULL, why);
	if (err != SG_OK)
		return err;
	if (blob.bytes == NULL)
		return sg_fault_set(
			why, SG_NO_ACCOUNT, "Redis has no account of that id");
	err = store_peek(store, snapshot_group(blob.bytes, blob.len), account,
		arena, &blob, ret_meta, why);
	if (err == SG_OK && blob.bytes == NULL)
		return sg_fault_set(why, SG_NO_ACCOUNT,
			"Redis has no account of that id any more");
	*ret_blob = blob;
	return err;
}

enum sg_err
stored_read(const struct program *prog, const struct store_blob *blob,
	const struct store_meta *meta, struct account *acct,
	struct sg_fault *why)
{
	uint32_t hash = snapshot_hash(blob->bytes, blob->len);
	struct snapshot_layout layout;
	enum sg_err err = SG_OK;
	size_t n = 0;

	for (size_t i = 0; i < meta->nlayouts && n == 0 && err == SG_OK; i++) {
		const struct store_layout_entry *entry = &meta->layouts[i];

		if ((uint32_t)entry->hash != hash ||
			entry->hash == prog->layout_hash)
			continue;
		err = snapshot_layout_read(prog, entry->hash, entry->bytes,
			entry->len, &layout, why);
		n += err == SG_OK;
	}
	if (err == SG_OK)
		err = snapshot_read(
			prog, &layout, n, blob->bytes, blob->len, acct, why);
	if (n > 0)
		snapshot_layout_fini(&layout);
	return err;
}
