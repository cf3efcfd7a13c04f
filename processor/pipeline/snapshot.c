/*
 * snapshot.c - an account's state as it is remembered in the store.
 *
 * The blob is the two folds and how far they have come: membership (a fold of
 * what we published), features (a fold of the input), and per input the next
 * offset to fold. It holds no names; those are in the layout, kept once a
 * partition group under the hash that each blob begins with. A blob of an older
 * configuration is read through its layout: what is still configured is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "override.h"
#include "segmentd/ingest.h"

#define CODEC_VERSION 2
#define LAYOUT_VERSION 1 /* as program.c writes it */
#define FLAG_GONE 1
#define FLAG_OVERRIDES 2

/* Modulo 2^64: any two times have a difference. */
static int64_t
minus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

void
snapshot_write(const struct program *prog, const struct account *acct,
	int32_t group, struct buf *out)
{
	bool has_overrides = acct->overrides != NULL && acct->overrides->n > 0;

	buf_put_u8(out, CODEC_VERSION);
	buf_put_u32(out, (uint32_t)prog->layout_hash);
	buf_put_varint(out, (uint64_t)group);
	buf_put_u8(out, (acct->is_gone ? FLAG_GONE : 0) |
				(has_overrides ? FLAG_OVERRIDES : 0));
	if (acct->is_gone) {
		buf_put_varint(out, acct->gone_input);
		buf_put_zigzag(out, acct->gone_ms);
	}
	/* Mostly it was a change that touched it last. */
	buf_put_zigzag(out, minus(acct->touched_ms, acct->ms->updated_ms));
	buf_put_varint(out, prog->ninputs);
	for (size_t i = 0; i < prog->ninputs; i++)
		buf_put_varint(out, (uint64_t)acct->applied[i]);
	membership_encode(acct->ms, prog->defs, prog->nsegmentations, out);
	if (has_overrides)
		overrides_write(prog, acct->overrides, out);
	features_encode(prog->features, acct->features, out);
}

static enum sg_err
layout_inputs(const struct program *prog, struct buf_reader *rd,
	struct snapshot_layout *layout)
{
	uint64_t n = buf_get_varint(rd);

	if (rd->is_bad || n > INPUTS_MAX)
		return SG_BAD_BLOB;
	layout->inputs = calloc((size_t)n + 1, sizeof(*layout->inputs));
	if (layout->inputs == NULL)
		return SG_NOMEM;
	layout->ninputs = (size_t)n;
	for (size_t i = 0; i < n; i++) {
		uint64_t len = buf_get_varint(rd);
		const uint8_t *topic =
			len > 1024 ? NULL : buf_get_bytes(rd, (size_t)len);

		if (topic == NULL)
			return SG_BAD_BLOB;
		layout->inputs[i] = -1;
		for (size_t k = 0; k < prog->ninputs; k++) {
			const char *name = prog->inputs[k].topic;

			if (strlen(name) == len &&
				memcmp(name, topic, (size_t)len) == 0)
				layout->inputs[i] = (int32_t)k;
		}
	}
	return SG_OK;
}

enum sg_err
snapshot_layout_read(const struct program *prog, uint64_t hash,
	const void *bytes, size_t len, struct snapshot_layout *ret_layout,
	struct sg_fault *why)
{
	struct snapshot_layout layout = {.hash = hash};
	const uint8_t *features;
	struct buf_reader rd;
	enum sg_err err;
	uint64_t n;

	buf_reader_init(&rd, bytes, len);
	if (buf_get_u8(&rd) != LAYOUT_VERSION)
		return sg_fault_set(why, SG_BAD_BLOB,
			"a stored layout is of a newer version: this "
			"segmentd is too old for the data in Redis");
	err = layout_inputs(prog, &rd, &layout);
	n = buf_get_varint(&rd);
	features = err != SG_OK || rd.is_bad || n > len
			   ? NULL
			   : buf_get_bytes(&rd, (size_t)n);
	if (err == SG_OK && features == NULL)
		err = SG_BAD_BLOB;
	if (err == SG_OK)
		err = features_layout_read(prog->features, features, (size_t)n,
			&layout.features, why);
	if (err == SG_OK)
		err = membership_layout_read(&rd, prog->defs,
			prog->nsegmentations, &layout.membership);
	if (err != SG_OK) {
		snapshot_layout_fini(&layout);
		return sg_fault_set(why, err, "a stored layout cannot be read");
	}
	*ret_layout = layout;
	return SG_OK;
}

void
snapshot_layout_fini(struct snapshot_layout *layout)
{
	features_layout_destroy(layout->features);
	membership_layout_destroy(layout->membership);
	free(layout->inputs);
	memset(layout, 0, sizeof(*layout));
}

static enum sg_err
read_applied(const struct program *prog, const struct snapshot_layout *layout,
	struct buf_reader *rd, struct account *acct)
{
	uint64_t n = buf_get_varint(rd);

	if (rd->is_bad || n > INPUTS_MAX ||
		n != (layout == NULL ? prog->ninputs : layout->ninputs))
		return SG_BAD_BLOB;
	for (size_t i = 0; i < n; i++) {
		uint64_t offset = buf_get_varint(rd);
		int32_t at = layout == NULL ? (int32_t)i : layout->inputs[i];

		if (offset > INT64_MAX)
			return SG_BAD_BLOB;
		if (at >= 0)
			acct->applied[at] = (int64_t)offset;
	}
	return rd->is_bad ? SG_BAD_BLOB : SG_OK;
}

/* What stands between the layout's hash and the applied offsets. */
struct head {
	bool is_gone;
	uint64_t gone_input; /* by the layout it is stored in */
	int64_t gone_ms;
	int64_t touched_after_ms; /* the membership's updated_ms */
	bool has_overrides;
};

static void
read_head(struct buf_reader *rd, struct head *ret_head)
{
	uint8_t flags;

	(void)buf_get_varint(rd); /* group */
	flags = buf_get_u8(rd);
	if (flags > (FLAG_GONE | FLAG_OVERRIDES))
		rd->is_bad = true;
	*ret_head = (struct head){.is_gone = (flags & FLAG_GONE) != 0,
		.has_overrides = (flags & FLAG_OVERRIDES) != 0};
	if (ret_head->is_gone) {
		ret_head->gone_input = buf_get_varint(rd);
		ret_head->gone_ms = buf_get_zigzag(rd);
	}
	ret_head->touched_after_ms = buf_get_zigzag(rd);
}

int32_t
snapshot_group(const void *bytes, size_t len)
{
	struct buf_reader rd;
	uint64_t group;

	buf_reader_init(&rd, bytes, len);
	if (buf_get_u8(&rd) != CODEC_VERSION)
		return -1;
	(void)buf_get_u32(&rd);
	group = buf_get_varint(&rd);
	return rd.is_bad || group > INT32_MAX ? -1 : (int32_t)group;
}

uint32_t
snapshot_hash(const void *bytes, size_t len)
{
	struct buf_reader rd;

	buf_reader_init(&rd, bytes, len);
	(void)buf_get_u8(&rd);
	return buf_get_u32(&rd);
}

enum sg_err
snapshot_layout_defs(const void *bytes, size_t len, struct arena *arena,
	struct segmentation_def **ret_defs, size_t *ret_n,
	struct membership_layout **ret_layout)
{
	struct buf_reader rd, again;
	enum sg_err err;
	uint64_t n;

	buf_reader_init(&rd, bytes, len);
	if (buf_get_u8(&rd) != LAYOUT_VERSION)
		return SG_BAD_BLOB;
	n = buf_get_varint(&rd);
	for (uint64_t i = 0; i < n && !rd.is_bad; i++)
		(void)buf_get_bytes(&rd, (size_t)buf_get_varint(&rd));
	(void)buf_get_bytes(&rd, (size_t)buf_get_varint(&rd));
	if (rd.is_bad)
		return SG_BAD_BLOB;
	again = rd;
	err = membership_layout_defs(&rd, arena, ret_defs, ret_n);
	if (err == SG_OK)
		err = membership_layout_read(
			&again, *ret_defs, *ret_n, ret_layout);
	return err;
}

enum sg_err
snapshot_membership(const void *bytes, size_t len,
	const struct membership_layout *layout,
	const struct segmentation_def *defs, size_t ndefs,
	struct membership *ms, bool *ret_is_gone)
{
	struct buf_reader rd;
	struct head head;
	uint64_t n;

	buf_reader_init(&rd, bytes, len);
	if (buf_get_u8(&rd) != CODEC_VERSION)
		return SG_BAD_BLOB;
	(void)buf_get_u32(&rd);
	read_head(&rd, &head);
	*ret_is_gone = head.is_gone;
	n = buf_get_varint(&rd);
	for (uint64_t i = 0; i < n && !rd.is_bad; i++)
		(void)buf_get_varint(&rd);
	return rd.is_bad ? SG_BAD_BLOB
			 : membership_decode(&rd, layout, defs, ndefs, ms);
}

static const struct snapshot_layout *
find_layout(const struct snapshot_layout *layouts, size_t n, uint32_t hash)
{
	for (size_t i = 0; i < n; i++) {
		if ((uint32_t)layouts[i].hash == hash)
			return &layouts[i];
	}
	return NULL;
}

static void
take_head(const struct snapshot_layout *layout, const struct head *head,
	struct account *acct)
{
	uint64_t input = head->gone_input;

	acct->is_gone = head->is_gone;
	if (!acct->is_gone)
		return;
	acct->gone_ms = head->gone_ms;
	if (layout != NULL && input < layout->ninputs &&
		layout->inputs[input] >= 0)
		input = (uint64_t)layout->inputs[input];
	acct->gone_input = input < INPUTS_MAX ? (uint32_t)input : INPUTS_MAX;
}

static enum sg_err
read_parts(const struct program *prog, const struct snapshot_layout *layout,
	struct buf_reader *rd, struct account *acct)
{
	struct account_overrides *overrides = NULL;
	struct features *features = NULL;
	struct head head;
	enum sg_err err;

	read_head(rd, &head);
	take_head(layout, &head, acct);
	err = read_applied(prog, layout, rd, acct);
	if (err == SG_OK)
		err = membership_decode(rd,
			layout == NULL ? NULL : layout->membership, prog->defs,
			prog->nsegmentations, acct->ms);
	acct->touched_ms =
		minus(acct->ms->updated_ms, minus(0, head.touched_after_ms));
	if (err == SG_OK && head.has_overrides)
		err = overrides_read(prog, rd, &overrides);
	if (err == SG_OK)
		err = features_decode(prog->features,
			layout == NULL ? NULL : layout->features, rd,
			&features);
	if (err != SG_OK) {
		overrides_destroy(overrides);
		return err;
	}
	overrides_destroy(acct->overrides);
	acct->overrides = overrides;
	features_destroy(acct->features);
	acct->features = features;
	return SG_OK;
}

enum sg_err
snapshot_read(const struct program *prog, const struct snapshot_layout *layouts,
	size_t nlayouts, const void *bytes, size_t len, struct account *acct,
	struct sg_fault *why)
{
	const struct snapshot_layout *layout = NULL;
	struct buf_reader rd;
	enum sg_err err;
	uint32_t hash;

	buf_reader_init(&rd, bytes, len);
	if (buf_get_u8(&rd) != CODEC_VERSION)
		return sg_fault_set(why, SG_BAD_BLOB,
			"a stored state is of another codec version");
	hash = buf_get_u32(&rd);
	if (hash != (uint32_t)prog->layout_hash) {
		layout = find_layout(layouts, nlayouts, hash);
		if (layout == NULL)
			return sg_fault_set(why, SG_BAD_BLOB,
				"a stored state has layout %08x, which is not "
				"among those of its partition group",
				(unsigned)hash);
	}
	acct->is_view_old = layout != NULL;
	err = read_parts(prog, layout, &rd, acct);
	if (err != SG_OK)
		return sg_fault_set(why, err, "a stored state cannot be read");
	return SG_OK;
}
