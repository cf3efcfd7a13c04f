/*
 * membership.c - an account's places in all segmentations, stored and adopted.
 *
 * STORED FORM (varints; zigzag where a sign is possible)
 *
 *     version | updated_ms | 2 n, 1 more with a renewal | its date_ms | n seats
 *     seat = 0, or place, updated_ms - since_ms: place 1 is none, 2.. segments;
 *            with EXTRA: ruled place or 0, updated_ms - ruled_ms
 *
 * Seats are numbered by the layout the state was stored with: the names of
 * the segmentations and of their segments, kept once a partition group.
 */
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/segments.h"

#define NAME_BYTES_MAX 256
#define EXTRA 2048 /* more than any place */

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
	buf_put_varint(out, ndefs << 1 | ms->has_renewal);
	if (ms->has_renewal)
		buf_put_zigzag(out, ms->renewal_date_ms);
	for (size_t i = 0; i < ndefs; i++) {
		const struct seat *seat = &ms->seats[i];
		bool is_extra = seat->is_pinned || seat->ruled_ms != 0;
		uint64_t place = (uint64_t)(seat->segment + 2);

		if (seat->segment == SEAT_NONE && seat->since_ms == 0 &&
			!is_extra) {
			buf_put_u8(out, 0);
			continue;
		}
		buf_put_varint(out, place | (is_extra ? EXTRA : 0));
		buf_put_zigzag(out, minus(ms->updated_ms, seat->since_ms));
		if (!is_extra)
			continue;
		buf_put_varint(
			out, seat->is_pinned ? (uint64_t)(seat->ruled + 2) : 0);
		buf_put_zigzag(out, minus(ms->updated_ms, seat->ruled_ms));
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

/* A seat as it is stored; segments by the layout it was stored with. */
struct stored_seat {
	bool is_there;
	bool is_pinned;
	int16_t segment;
	int16_t ruled;
	int64_t since_ms;
	int64_t ruled_ms;
};

static bool
read_seat(struct buf_reader *rd, const struct membership *ms,
	struct stored_seat *ret)
{
	uint64_t place = buf_get_varint(rd);
	uint64_t ruled;

	*ret = (struct stored_seat){.is_there = place != 0};
	if (place == 0)
		return !rd->is_bad;
	ret->since_ms = minus(ms->updated_ms, buf_get_zigzag(rd));
	if ((place & EXTRA) != 0) {
		ruled = buf_get_varint(rd);
		ret->ruled_ms = minus(ms->updated_ms, buf_get_zigzag(rd));
		ret->is_pinned = ruled != 0;
		if (ruled > SEGMENTS_MAX + 1)
			return false;
		ret->ruled = (int16_t)(ret->is_pinned ? ruled - 2 : 0);
		place &= ~(uint64_t)EXTRA;
	}
	if (rd->is_bad || place == 0 || place > SEGMENTS_MAX + 1)
		return false;
	ret->segment = (int16_t)(place - 2);
	return true;
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
	n = buf_get_varint(rd);
	ms->has_renewal = (n & 1) != 0;
	if (ms->has_renewal)
		ms->renewal_date_ms = buf_get_zigzag(rd);
	n >>= 1;
	if (rd->is_bad || n != (layout == NULL ? ndefs : layout->n))
		return SG_BAD_BLOB;
	for (size_t i = 0; i < n; i++) {
		struct stored_seat stored;
		struct seat seat = {.segment = SEAT_NONE};
		size_t index;

		if (!read_seat(rd, ms, &stored))
			return SG_BAD_BLOB;
		if (!stored.is_there)
			continue;
		seat.since_ms = stored.since_ms;
		if (!seat_today(layout, defs, ndefs, i, stored.segment, &index,
			    &seat.segment)) {
			if (note_former(layout, i, stored.segment, ms) != SG_OK)
				return SG_NOMEM;
			continue;
		}
		seat.is_pinned = stored.is_pinned;
		seat.ruled_ms = stored.ruled_ms;
		/* Where the rules had put it may be gone: then nowhere. */
		if (stored.is_pinned &&
			!seat_today(layout, defs, ndefs, i, stored.ruled,
				&index, &seat.ruled)) {
			seat.ruled = SEAT_NONE;
			seat.ruled_ms = 0;
		}
		ms->seats[index] = seat;
	}
	return rd->is_bad ? SG_BAD_BLOB : SG_OK;
}

/* Behind an empty name: a seat that its segment and since when do not tell. */
static void
put_ruled(const struct segmentation_def *def, const struct seat *seat,
	struct buf *state)
{
	const char *ruled = !seat->is_pinned || seat->ruled == SEAT_NONE
				    ? ""
				    : def->segments[seat->ruled];

	buf_put_varint(state, 0);
	buf_put_varint(state, strlen(def->name));
	buf_put_str(state, def->name);
	buf_put_u8(state, seat->is_pinned ? 1 : 0);
	buf_put_varint(state, strlen(ruled));
	buf_put_str(state, ruled);
	buf_put_zigzag(state, seat->ruled_ms);
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
		if (seat->is_pinned || seat->ruled_ms != 0)
			put_ruled(&defs[i], seat, state);
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

static bool
adopt_ruled(struct buf_reader *rd, struct membership *ms,
	const struct segmentation_def *defs, size_t ndefs)
{
	const uint8_t *name, *ruled;
	size_t len, ruled_len;
	struct seat *seat;
	bool is_pinned;
	int64_t ruled_ms;
	int32_t i;

	if (!read_name(rd, &name, &len))
		return false;
	is_pinned = buf_get_u8(rd) == 1;
	if (!read_name(rd, &ruled, &ruled_len))
		return false;
	ruled_ms = buf_get_zigzag(rd);
	if (rd->is_bad)
		return false;
	i = find_segmentation(defs, ndefs, name, len);
	if (i < 0)
		return true;
	seat = &ms->seats[i];
	seat->is_pinned = is_pinned;
	seat->ruled_ms = ruled_ms;
	if (!is_pinned)
		return true;
	seat->ruled = find_segment(&defs[i], ruled, ruled_len);
	if (seat->ruled == SEAT_NONE && ruled_len > 0)
		seat->ruled_ms = 0; /* it is gone */
	return true;
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
		if (len == 0) {
			if (!adopt_ruled(&rd, ms, defs, ndefs))
				return;
			continue;
		}
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
