/*
 * membership.c - an account's places in all segmentations, stored and adopted.
 *
 * STORED FORM (varints; zigzag where a sign is possible)
 *
 *     version | updated_ms | renewal+1 or 0, date_ms | n | n seats
 *     seat = segment + 1, since_ms - updated_ms when there was ever one
 *
 * Seats are numbered by the layout the state was stored with: the names of
 * the segmentations and of their segments, kept once a partition group.
 */
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/segments.h"

#define NAME_BYTES_MAX 256

size_t
membership_size(size_t nsegmentations)
{
	return sizeof(struct membership) + nsegmentations * sizeof(struct seat);
}

enum sg_err
membership_create(size_t nsegmentations, struct membership **ret_membership)
{
	struct membership *ms = calloc(1, membership_size(nsegmentations));

	if (ms == NULL)
		return SG_NOMEM;
	membership_clear(ms, nsegmentations);
	*ret_membership = ms;
	return SG_OK;
}

void
membership_destroy(struct membership *ms)
{
	if (ms != NULL)
		formers_forget(ms);
	free(ms);
}

static void
clear_seats(struct membership *ms, size_t nsegmentations)
{
	ms->has_renewal = false;
	ms->renewal_date_ms = 0;
	for (size_t i = 0; i < nsegmentations; i++)
		ms->seats[i] = (struct seat){.segment = SEAT_NONE};
}

void
membership_clear(struct membership *ms, size_t nsegmentations)
{
	clear_seats(ms, nsegmentations);
	formers_forget(ms);
}

/* Modulo 2^64: times that somebody made up come back as they were, too. */
static int64_t
minus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

void
membership_encode(const struct membership *ms,
	const struct segmentation_def *defs, size_t ndefs, struct buf *out)
{
	(void)defs;
	buf_put_varint(out, ms->version);
	buf_put_zigzag(out, ms->updated_ms);
	buf_put_u8(out, ms->has_renewal ? 1 : 0);
	if (ms->has_renewal)
		buf_put_zigzag(out, ms->renewal_date_ms);
	buf_put_varint(out, ndefs);
	for (size_t i = 0; i < ndefs; i++) {
		const struct seat *seat = &ms->seats[i];
		bool was_taken =
			seat->segment != SEAT_NONE || seat->since_ms != 0;

		/* 0: never taken; 1: empty; 2..: a segment */
		buf_put_varint(
			out, was_taken ? (uint64_t)(seat->segment + 2) : 0);
		if (was_taken)
			buf_put_zigzag(
				out, minus(ms->updated_ms, seat->since_ms));
	}
}

void
membership_layout_write(
	const struct segmentation_def *defs, size_t ndefs, struct buf *out)
{
	buf_put_varint(out, ndefs);
	for (size_t i = 0; i < ndefs; i++) {
		buf_put_varint(out, strlen(defs[i].name));
		buf_put_str(out, defs[i].name);
		buf_put_varint(out, defs[i].nsegments);
		for (size_t j = 0; j < defs[i].nsegments; j++) {
			buf_put_varint(out, strlen(defs[i].segments[j]));
			buf_put_str(out, defs[i].segments[j]);
		}
	}
}

struct layout_entry {
	int32_t index; /* of today's segmentation; -1: gone */
	char *name;
	size_t nsegments;
	int16_t *segments; /* stored number -> today's; SEAT_NONE: gone */
	char **gone;	   /* stored number -> its name, where it is gone */
};

struct membership_layout {
	size_t n;
	struct layout_entry entries[];
};

void
membership_layout_destroy(struct membership_layout *layout)
{
	if (layout == NULL)
		return;
	for (size_t i = 0; i < layout->n; i++) {
		struct layout_entry *entry = &layout->entries[i];

		for (size_t k = 0; entry->gone != NULL && k < entry->nsegments;
			k++)
			free(entry->gone[k]);
		free(entry->gone);
		free(entry->name);
		free(entry->segments);
	}
	free(layout);
}

static bool
read_name(struct buf_reader *rd, const uint8_t **ret_name, size_t *ret_len)
{
	uint64_t len = buf_get_varint(rd);

	if (rd->is_bad || len > NAME_BYTES_MAX)
		return false;
	*ret_len = (size_t)len;
	*ret_name = buf_get_bytes(rd, (size_t)len);
	return *ret_name != NULL;
}

static bool
name_is(const char *name, const void *bytes, size_t len)
{
	return strlen(name) == len && memcmp(name, bytes, len) == 0;
}

static int32_t
find_segmentation(const struct segmentation_def *defs, size_t ndefs,
	const void *name, size_t len)
{
	for (size_t i = 0; i < ndefs; i++) {
		if (name_is(defs[i].name, name, len))
			return (int32_t)i;
	}
	return -1;
}

static int16_t
find_segment(const struct segmentation_def *def, const void *name, size_t len)
{
	for (size_t i = 0; i < def->nsegments; i++) {
		if (name_is(def->segments[i], name, len))
			return (int16_t)i;
	}
	return SEAT_NONE;
}

static char *
name_copy(const void *bytes, size_t len)
{
	char *copy = calloc(1, len + 1);

	if (copy != NULL)
		memcpy(copy, bytes, len);
	return copy;
}

static enum sg_err
layout_read_entry(struct buf_reader *rd, const struct segmentation_def *defs,
	size_t ndefs, struct layout_entry *entry)
{
	const uint8_t *name;
	size_t len;
	uint64_t nsegments;

	if (!read_name(rd, &name, &len))
		return SG_BAD_BLOB;
	entry->index = find_segmentation(defs, ndefs, name, len);
	entry->name = name_copy(name, len);
	nsegments = buf_get_varint(rd);
	if (rd->is_bad || nsegments > SEGMENTS_MAX)
		return SG_BAD_BLOB;
	entry->segments = calloc((size_t)nsegments + 1, sizeof(int16_t));
	entry->gone = calloc((size_t)nsegments + 1, sizeof(char *));
	if (entry->name == NULL || entry->segments == NULL ||
		entry->gone == NULL)
		return SG_NOMEM;
	entry->nsegments = (size_t)nsegments;
	for (size_t i = 0; i < nsegments; i++) {
		if (!read_name(rd, &name, &len))
			return SG_BAD_BLOB;
		entry->segments[i] = SEAT_NONE;
		if (entry->index >= 0)
			entry->segments[i] =
				find_segment(&defs[entry->index], name, len);
		if (entry->segments[i] != SEAT_NONE)
			continue;
		entry->gone[i] = name_copy(name, len);
		if (entry->gone[i] == NULL)
			return SG_NOMEM;
	}
	return SG_OK;
}

enum sg_err
membership_layout_read(struct buf_reader *rd,
	const struct segmentation_def *defs, size_t ndefs,
	struct membership_layout **ret_layout)
{
	struct membership_layout *layout;
	uint64_t n = buf_get_varint(rd);
	enum sg_err err = SG_OK;

	if (rd->is_bad || n > SEGMENTATIONS_MAX)
		return SG_BAD_BLOB;
	layout = calloc(
		1, sizeof(*layout) + (size_t)n * sizeof(layout->entries[0]));
	if (layout == NULL)
		return SG_NOMEM;
	layout->n = (size_t)n;
	for (size_t i = 0; i < n && err == SG_OK; i++)
		err = layout_read_entry(rd, defs, ndefs, &layout->entries[i]);
	if (err != SG_OK) {
		membership_layout_destroy(layout);
		return err;
	}
	*ret_layout = layout;
	return SG_OK;
}

static enum sg_err
def_read(struct buf_reader *rd, struct arena *arena,
	struct segmentation_def *def)
{
	const uint8_t *name;
	const char **names;
	size_t len;
	uint64_t n;

	if (!read_name(rd, &name, &len))
		return SG_BAD_BLOB;
	def->name = arena_copy(arena, name, len);
	n = buf_get_varint(rd);
	if (rd->is_bad || n > SEGMENTS_MAX)
		return SG_BAD_BLOB;
	names = arena_array(arena, (size_t)n + 1, sizeof(*names));
	if (def->name == NULL || names == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!read_name(rd, &name, &len))
			return SG_BAD_BLOB;
		names[i] = arena_copy(arena, name, len);
		if (names[i] == NULL)
			return SG_NOMEM;
	}
	def->segments = names;
	def->nsegments = (size_t)n;
	/* Kinds are not stored; nothing else has the one segment "in". */
	if (n == 1 && strcmp(names[0], "in") == 0)
		def->kind = SEGMENTATION_TAG;
	return SG_OK;
}

enum sg_err
membership_layout_defs(struct buf_reader *rd, struct arena *arena,
	struct segmentation_def **ret_defs, size_t *ret_n)
{
	uint64_t n = buf_get_varint(rd);
	struct segmentation_def *defs;
	enum sg_err err = SG_OK;

	if (rd->is_bad || n > SEGMENTATIONS_MAX)
		return SG_BAD_BLOB;
	defs = arena_array(arena, (size_t)n + 1, sizeof(*defs));
	if (defs == NULL)
		return SG_NOMEM;
	memset(defs, 0, ((size_t)n + 1) * sizeof(*defs));
	for (size_t i = 0; i < n && err == SG_OK; i++)
		err = def_read(rd, arena, &defs[i]);
	if (err != SG_OK)
		return err;
	*ret_defs = defs;
	*ret_n = (size_t)n;
	return SG_OK;
}

/* Where stored seat (i, number) is today; false when it is gone. */
static bool
seat_today(const struct membership_layout *layout,
	const struct segmentation_def *defs, size_t ndefs, size_t i,
	int16_t stored, size_t *ret_index, int16_t *ret_segment)
{
	*ret_index = i;
	*ret_segment = stored;
	if (layout != NULL) {
		const struct layout_entry *entry = &layout->entries[i];

		if (entry->index < 0 || stored >= (int16_t)entry->nsegments)
			return false;
		*ret_index = (size_t)entry->index;
		if (stored >= 0) {
			*ret_segment = entry->segments[stored];
			return *ret_segment != SEAT_NONE;
		}
		return true;
	}
	return i < ndefs && stored < (int16_t)defs[i].nsegments;
}

/* Stored seat (i, number) is not there today. */
static enum sg_err
note_former(const struct membership_layout *layout, size_t i, int16_t stored,
	struct membership *ms)
{
	const struct layout_entry *entry;

	if (layout == NULL || stored < 0)
		return SG_OK;
	entry = &layout->entries[i];
	if (stored >= (int16_t)entry->nsegments)
		return SG_OK;
	return former_add(ms, entry->name, strlen(entry->name),
		entry->gone[stored], strlen(entry->gone[stored]));
}

enum sg_err
membership_decode(struct buf_reader *rd, const struct membership_layout *layout,
	const struct segmentation_def *defs, size_t ndefs,
	struct membership *ms)
{
	uint64_t n;

	membership_clear(ms, ndefs);
	ms->version = buf_get_varint(rd);
	ms->updated_ms = buf_get_zigzag(rd);
	ms->has_renewal = buf_get_u8(rd) == 1;
	if (ms->has_renewal)
		ms->renewal_date_ms = buf_get_zigzag(rd);
	n = buf_get_varint(rd);
	if (rd->is_bad || n != (layout == NULL ? ndefs : layout->n))
		return SG_BAD_BLOB;
	for (size_t i = 0; i < n; i++) {
		uint64_t place = buf_get_varint(rd);
		int16_t stored, segment;
		int64_t age_ms;
		size_t index;

		if (place == 0)
			continue;
		age_ms = buf_get_zigzag(rd);
		if (rd->is_bad || place > SEGMENTS_MAX + 1)
			return SG_BAD_BLOB;
		stored = (int16_t)(place - 2);
		if (!seat_today(
			    layout, defs, ndefs, i, stored, &index, &segment)) {
			if (note_former(layout, i, stored, ms) != SG_OK)
				return SG_NOMEM;
			continue;
		}
		ms->seats[index] =
			(struct seat){.since_ms = minus(ms->updated_ms, age_ms),
				.segment = segment};
	}
	return rd->is_bad ? SG_BAD_BLOB : SG_OK;
}

void
membership_image(const struct membership *ms,
	const struct segmentation_def *defs, size_t ndefs,
	struct membership_entry *entries, struct buf *state,
	struct membership_image *ret_image)
{
	size_t n = 0;
	const char *window = NULL;

	for (size_t i = 0; i < ndefs; i++) {
		const struct seat *seat = &ms->seats[i];

		if (seat->segment != SEAT_NONE) {
			entries[n].segmentation = defs[i].name;
			entries[n].segment = seat_name(&defs[i], seat->segment);
			entries[n].since_ms = seat->since_ms;
			if (strcmp(defs[i].name, "renewal") == 0)
				window = entries[n].segment;
			n++;
		} else if (seat->since_ms != 0) {
			buf_put_varint(state, strlen(defs[i].name));
			buf_put_str(state, defs[i].name);
			buf_put_zigzag(state, seat->since_ms);
		}
	}
	ret_image->account_version = ms->version;
	ret_image->updated_at_ms = ms->updated_ms;
	ret_image->entries = entries;
	ret_image->nentries = n;
	ret_image->has_renewal = ms->has_renewal;
	ret_image->renewal_date_ms = ms->renewal_date_ms;
	ret_image->renewal_window = window;
	ret_image->state = state->bytes;
	ret_image->state_len = state->len;
}

/* Seats that were left: segmentation name and instant, until the end. */
static void
adopt_left_seats(struct membership *ms, const struct segmentation_def *defs,
	size_t ndefs, const struct membership_image *image)
{
	struct buf_reader rd;

	buf_reader_init(&rd, image->state, image->state_len);
	while (rd.at < rd.end) {
		const uint8_t *name;
		size_t len;
		int64_t since_ms;
		int32_t i;

		if (!read_name(&rd, &name, &len))
			return;
		since_ms = buf_get_zigzag(&rd);
		if (rd.is_bad)
			return;
		i = find_segmentation(defs, ndefs, name, len);
		if (i >= 0 && ms->seats[i].segment == SEAT_NONE)
			ms->seats[i].since_ms = since_ms;
	}
}

enum sg_err
membership_adopt(struct membership *ms, const struct segmentation_def *defs,
	size_t ndefs, const struct membership_image *image)
{
	clear_seats(ms, ndefs);
	formers_leave(ms);
	ms->version = image->account_version;
	ms->updated_ms = image->updated_at_ms;
	ms->has_renewal = image->has_renewal;
	ms->renewal_date_ms = image->renewal_date_ms;
	for (size_t i = 0; i < image->nentries; i++) {
		const struct membership_entry *entry = &image->entries[i];
		int32_t at = find_segmentation(defs, ndefs, entry->segmentation,
			strlen(entry->segmentation));
		size_t len = strlen(entry->segment);
		int16_t segment = SEAT_NONE;

		if (at >= 0)
			segment = find_segment(&defs[at], entry->segment, len);
		if (segment == SEAT_NONE) {
			if (former_add(ms, entry->segmentation,
				    strlen(entry->segmentation), entry->segment,
				    len) != SG_OK)
				return SG_NOMEM;
			continue;
		}
		ms->seats[at] = (struct seat){
			.since_ms = entry->since_ms, .segment = segment};
	}
	if (image->state_len > 0)
		adopt_left_seats(ms, defs, ndefs, image);
	return SG_OK;
}
