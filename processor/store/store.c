#include "segmentd/store.h"

#include <math.h>

#include "store_impl.h"

void
store_close(struct store *store)
{
	if (store != NULL)
		store->ops->close(store);
}

enum sg_err
store_ping(struct store *store, struct sg_fault *why)
{
	return store->ops->ping(store, why);
}

uint64_t
store_unreplicated(const struct store *store)
{
	return store->nunreplicated;
}

enum sg_err
store_group_open(struct store *store, int32_t number,
	struct store_group **ret_group, struct sg_fault *why)
{
	return store->ops->group_open(store, number, ret_group, why);
}

enum sg_err
store_group_takeover(struct store_group *group, struct arena *arena,
	struct store_meta *ret_meta, struct sg_fault *why)
{
	return group->ops->takeover(group, arena, ret_meta, why);
}

void
store_group_close(struct store_group *group)
{
	if (group != NULL)
		group->ops->group_close(group);
}

enum sg_err
store_group_load(struct store_group *group, const char *const *accounts,
	size_t n, struct arena *arena, struct store_blob *ret_blobs,
	struct sg_fault *why)
{
	return group->ops->load(group, accounts, n, arena, ret_blobs, why);
}

enum sg_err
store_group_due(struct store_group *group, int64_t before_ms, size_t max,
	struct arena *arena, struct store_due **ret_due, size_t *ret_n,
	struct sg_fault *why)
{
	return group->ops->due(
		group, before_ms, max, arena, ret_due, ret_n, why);
}

enum sg_err
store_group_check(struct store_group *group, struct sg_fault *why)
{
	return group->ops->check(group, why);
}

void
store_group_clear(struct store_group *group)
{
	group->ops->clear(group);
}

static void
put(struct store_group *group, const struct store_write *write)
{
	group->ops->write(group, write);
}

void
store_add_state(struct store_group *group, const char *account,
	const void *bytes, size_t len)
{
	put(group, &(struct store_write){.kind = STORE_SET_STATE,
			   .account = account,
			   .bytes = bytes,
			   .len = len});
}

void
store_del_state(struct store_group *group, const char *account)
{
	put(group, &(struct store_write){
			   .kind = STORE_DEL_STATE, .account = account});
}

void
store_add_view(struct store_group *group, const char *account,
	const char *field, const char *value, size_t len)
{
	put(group,
		&(struct store_write){.kind = value != NULL ? STORE_SET_FIELD
							    : STORE_DEL_FIELD,
			.account = account,
			.name = field,
			.bytes = value,
			.len = len});
}

void
store_del_view(struct store_group *group, const char *account)
{
	put(group, &(struct store_write){
			   .kind = STORE_DEL_VIEW, .account = account});
}

void
store_add_member(struct store_group *group, const char *segmentation,
	const char *segment, const char *account)
{
	put(group, &(struct store_write){.kind = STORE_ADD_MEMBER,
			   .account = account,
			   .name = segmentation,
			   .name2 = segment});
}

void
store_del_member(struct store_group *group, const char *segmentation,
	const char *segment, const char *account)
{
	put(group, &(struct store_write){.kind = STORE_DEL_MEMBER,
			   .account = account,
			   .name = segmentation,
			   .name2 = segment});
}

void
store_add_renewal(struct store_group *group, const char *account,
	const char *window, double score)
{
	/* Redis refuses NaN, and would do so in the middle of an EXEC. */
	put(group, &(struct store_write){.kind = STORE_SET_RENEWAL,
			   .account = account,
			   .name = window,
			   .score = isnan(score) ? (double)-INFINITY : score});
}

void
store_del_renewal(
	struct store_group *group, const char *account, const char *window)
{
	put(group, &(struct store_write){.kind = STORE_DEL_RENEWAL,
			   .account = account,
			   .name = window});
}

void
store_add_due(struct store_group *group, const char *account, int64_t due_ms)
{
	struct store_write write = {.kind = STORE_SET_DUE, .account = account};

	if (due_ms == INT64_MAX)
		write.kind = STORE_DEL_DUE;
	else if (due_ms > STORE_SCORE_MAX)
		write.score = (double)STORE_SCORE_MAX;
	else if (due_ms < -STORE_SCORE_MAX)
		write.score = -(double)STORE_SCORE_MAX;
	else
		write.score = (double)due_ms;
	put(group, &write);
}

void
store_add_layout(
	struct store_group *group, uint64_t hash, const void *bytes, size_t len)
{
	put(group, &(struct store_write){.kind = STORE_SET_LAYOUT,
			   .hash = hash,
			   .bytes = bytes,
			   .len = len});
}

size_t
store_group_pending_bytes(const struct store_group *group)
{
	return group->ops->pending_bytes(group);
}

enum sg_err
store_group_commit(struct store_group *group, const char *lineage,
	const char *w, const char *out, struct sg_fault *why)
{
	const struct store_texts texts = {
		.lineage = lineage, .w = w, .out = out};

	return group->ops->commit(group, &texts, why);
}

enum sg_err
store_peek(struct store *store, int32_t number, const char *account,
	struct arena *arena, struct store_blob *ret_state,
	struct store_meta *ret_meta, struct sg_fault *why)
{
	return store->ops->peek(
		store, number, account, arena, ret_state, ret_meta, why);
}

enum sg_err
store_view(struct store *store, int32_t number, const char *account,
	struct arena *arena, struct store_field **ret_fields, size_t *ret_n,
	struct sg_fault *why)
{
	return store->ops->view(
		store, number, account, arena, ret_fields, ret_n, why);
}

enum sg_err
store_members(struct store *store, const struct store_segment *segment,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why)
{
	return store->ops->members(
		store, segment, cursor, arena, ret_accounts, ret_n, why);
}

enum sg_err
store_member_count(struct store *store, const struct store_segment *segment,
	uint64_t *ret_count, struct sg_fault *why)
{
	return store->ops->member_count(store, segment, ret_count, why);
}

enum sg_err
store_scan(struct store *store, int32_t number, uint64_t *cursor,
	struct arena *arena, struct store_found **ret_found, size_t *ret_n,
	struct sg_fault *why)
{
	return store->ops->scan(
		store, number, cursor, arena, ret_found, ret_n, why);
}

enum sg_err
store_renewals(struct store *store, int32_t number, size_t max,
	struct arena *arena, struct store_renewal **ret_renewals, size_t *ret_n,
	struct sg_fault *why)
{
	return store->ops->renewals(
		store, number, max, arena, ret_renewals, ret_n, why);
}

enum sg_err
store_script(struct store *store, int32_t number, enum store_script script,
	const char *const *args, size_t nargs, struct arena *arena,
	struct store_answer *ret_answer, struct sg_fault *why)
{
	if (store->ops->script == NULL)
		return sg_fault_set(
			why, SG_NO_LIBRARY, "scripts are run by a Redis only");
	return store->ops->script(
		store, number, script, args, nargs, arena, ret_answer, why);
}

enum sg_err
store_index_find(struct store *store, const struct store_index *index,
	const char *account, bool *ret_is_there, double *ret_score,
	struct sg_fault *why)
{
	return store->ops->index_find(
		store, index, account, ret_is_there, ret_score, why);
}

enum sg_err
store_index_scan(struct store *store, const struct store_index *index,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why)
{
	return store->ops->index_scan(
		store, index, cursor, arena, ret_accounts, ret_n, why);
}

enum sg_err
store_erase_record(struct store *store, int32_t number, struct sg_fault *why)
{
	return store->ops->erase_record(store, number, why);
}

enum sg_err
store_erase(struct store *store, int32_t number, uint64_t *cursor,
	uint64_t *ret_n, struct sg_fault *why)
{
	return store->ops->erase(store, number, cursor, ret_n, why);
}
