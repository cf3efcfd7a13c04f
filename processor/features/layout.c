/*
 * layout.c - what a stored form looks like, and how it maps onto today's set.
 *
 *      version
 *      nfeatures  { length name, 8 bytes sign, unit }
 *      nunits     { class, width, type, nkeep { length name, type } }
 *
 * A feature that has the same name and sign in both is still there; its old
 * unit is then read into its new one. What has no place any more is read over.
 */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

#define LAYOUT_VERSION 1
#define NAME_MAX_BYTES 4096

/* These numbers are stored. */
_Static_assert(TYPE_NULL == 1 && TYPE_BOOL == 2 && TYPE_INT == 3 &&
		       TYPE_UINT == 4 && TYPE_DOUBLE == 5 && TYPE_STRING == 6 &&
		       TYPE_BYTES == 7 && TYPE_TIMESTAMP == 8 &&
		       TYPE_DURATION == 9,
	"type kinds are part of the stored form");
_Static_assert(UNIT_DAYS == 9 && TILE_EVER == 4,
	"classes and widths are part of the stored form");

static void
name_write(const char *name, struct buf *out)
{
	size_t len = strlen(name);

	buf_put_varint(out, len);
	buf_put(out, name, len);
}

enum sg_err
features_layout_write(const struct feature_set *set, struct buf *out)
{
	buf_put_u8(out, LAYOUT_VERSION);
	buf_put_varint(out, set->nfeatures);
	for (uint32_t i = 0; i < set->nfeatures; i++) {
		name_write(set->features[i].name, out);
		buf_put_u64(out, set->features[i].sign);
		buf_put_varint(out, set->features[i].unit);
	}
	buf_put_varint(out, set->nunits);
	for (uint32_t i = 0; i < set->nunits; i++) {
		const struct unit *unit = &set->units[i];

		buf_put_u8(out, unit->class);
		buf_put_u8(out, unit->width);
		buf_put_u8(out, unit->type);
		buf_put_varint(out, unit->nkeep);
		for (uint32_t j = 0; j < unit->nkeep; j++) {
			name_write(unit->keep[j].name, out);
			buf_put_u8(out, unit->keep[j].type);
		}
	}
	return out->is_failed ? SG_NOMEM : SG_OK;
}

static unsigned
class_ncols(unsigned class)
{
	if (class == UNIT_SUM)
		return 2;
	return class >= UNIT_COUNT && class <= UNIT_MAX ? 1 : 0;
}

static struct layout_unit
layout_of_unit(const struct unit *unit, uint32_t index)
{
	struct layout_unit made = {.class = unit->class,
		.width = unit->width,
		.type = unit->type,
		.ncols = unit->ncols,
		.nkeep = (uint8_t)unit->nkeep,
		.ntargets = 1,
		.targets = {(uint16_t)index}};

	for (uint32_t i = 0; i < unit->nkeep; i++) {
		made.keep[i] = (int8_t)i;
		made.keep_type[i] = unit->keep[i].type;
	}
	return made;
}

enum sg_err
layout_fill(struct feature_set *set)
{
	struct layout_unit *layout =
		arena_array(&set->arena, set->nunits + 1, sizeof(*layout));

	if (layout == NULL)
		return SG_NOMEM;
	for (uint32_t i = 0; i < set->nunits; i++)
		layout[i] = layout_of_unit(&set->units[i], i);
	set->layout = layout;
	return SG_OK;
}

/* --- reading ------------------------------------------------------------ */

/* A feature of the stored layout: today's unit, or -1; and its own. */
struct layout_link {
	int32_t today;
	uint32_t unit;
};

static const char *
name_read(struct buf_reader *rd, size_t *ret_len)
{
	uint64_t len = buf_get_varint(rd);

	*ret_len = (size_t)len;
	if (len > NAME_MAX_BYTES) {
		rd->is_bad = true;
		return NULL;
	}
	return (const char *)buf_get_bytes(rd, *ret_len);
}

static bool
name_is(const char *name, const char *bytes, size_t len)
{
	return strlen(name) == len && memcmp(name, bytes, len) == 0;
}

static int32_t
feature_find(const struct feature_set *set, const char *name, size_t len,
	uint64_t sign)
{
	for (uint32_t i = 0; i < set->nfeatures; i++) {
		if (set->features[i].sign == sign &&
			name_is(set->features[i].name, name, len))
			return (int32_t)set->features[i].unit;
	}
	return -1;
}

static uint32_t
links_read(const struct feature_set *set, struct buf_reader *rd,
	struct layout_link *links)
{
	uint64_t n = buf_get_varint(rd);

	if (n > FEATURES_MAX) {
		rd->is_bad = true;
		return 0;
	}
	for (uint64_t i = 0; i < n && !rd->is_bad; i++) {
		size_t len;
		const char *name = name_read(rd, &len);
		uint64_t sign = buf_get_u64(rd);

		links[i].unit = (uint32_t)buf_get_varint(rd);
		links[i].today =
			rd->is_bad ? -1 : feature_find(set, name, len, sign);
	}
	return (uint32_t)n;
}

/* Which kept field of today's collect an old one is. */
static int8_t
keep_find(const struct unit *unit, const char *name, size_t len, uint8_t type)
{
	for (uint32_t i = 0; i < unit->nkeep; i++) {
		if (unit->keep[i].type == type &&
			name_is(unit->keep[i].name, name, len))
			return (int8_t)i;
	}
	return -1;
}

/* The kept fields, in the order of the first unit it goes to. */
static void
keep_read(const struct feature_set *set, struct buf_reader *rd,
	struct layout_unit *old)
{
	uint64_t n = buf_get_varint(rd);

	if (n > FEATURE_KEEP_MAX) {
		rd->is_bad = true;
		return;
	}
	old->nkeep = (uint8_t)n;
	for (uint64_t i = 0; i < n && !rd->is_bad; i++) {
		size_t len;
		const char *name = name_read(rd, &len);

		old->keep_type[i] = buf_get_u8(rd);
		old->keep[i] = -1;
		if (!rd->is_bad && old->ntargets > 0)
			old->keep[i] = keep_find(&set->units[old->targets[0]],
				name, len, old->keep_type[i]);
	}
}

static void
target_add(
	const struct feature_set *set, struct layout_unit *old, int32_t today)
{
	if (today < 0 || set->units[today].class != old->class ||
		set->units[today].width != old->width ||
		set->units[today].type != old->type)
		return;
	for (unsigned i = 0; i < old->ntargets; i++) {
		if (old->targets[i] == today)
			return;
	}
	if (old->ntargets < LAYOUT_TARGETS_MAX)
		old->targets[old->ntargets++] = (uint16_t)today;
}

static void
unit_read(const struct feature_set *set, struct buf_reader *rd, uint32_t index,
	const struct layout_link *links, uint32_t nlinks,
	struct layout_unit *old)
{
	*old = (struct layout_unit){.class = buf_get_u8(rd)};
	old->width = buf_get_u8(rd);
	old->type = buf_get_u8(rd);
	old->ncols = (uint8_t)class_ncols(old->class);
	if (old->class >= UNIT_CLASS_COUNT || old->width >= TILE_WIDTHS)
		rd->is_bad = true;
	for (uint32_t i = 0; i < nlinks; i++) {
		if (links[i].unit == index)
			target_add(set, old, links[i].today);
	}
	keep_read(set, rd, old);
}

enum sg_err
features_layout_read(const struct feature_set *set, const void *bytes,
	size_t len, struct features_layout **ret_layout, struct sg_fault *why)
{
	struct layout_link links[FEATURES_MAX] = {{0, 0}};
	struct features_layout *layout = NULL;
	struct buf_reader rd;
	uint32_t nlinks;
	uint64_t nunits;

	buf_reader_init(&rd, bytes, len);
	if (buf_get_u8(&rd) != LAYOUT_VERSION)
		return sg_fault_set(why, SG_BAD_BLOB,
			"the layout of stored features has another version");
	nlinks = links_read(set, &rd, links);
	nunits = buf_get_varint(&rd);
	if (rd.is_bad || nunits > FEATURES_MAX)
		return sg_fault_set(why, SG_BAD_BLOB,
			"the layout of stored features is damaged");
	layout = calloc(1, sizeof(*layout) + nunits * sizeof(layout->units[0]));
	if (layout == NULL)
		return sg_fault_set(why, SG_NOMEM, "layout: no memory");
	layout->nunits = (uint32_t)nunits;
	for (uint32_t i = 0; i < layout->nunits && !rd.is_bad; i++)
		unit_read(set, &rd, i, links, nlinks, &layout->units[i]);
	if (rd.is_bad || rd.at != rd.end) {
		features_layout_destroy(layout);
		return sg_fault_set(why, SG_BAD_BLOB,
			"the layout of stored features is damaged");
	}
	*ret_layout = layout;
	return SG_OK;
}

void
features_layout_destroy(struct features_layout *layout)
{
	free(layout);
}

bool
features_layout_keeps(const struct feature_set *set,
	const struct features_layout *layout, uint32_t index)
{
	uint32_t unit = set->features[index].unit;

	for (uint32_t i = 0; i < layout->nunits; i++) {
		for (unsigned k = 0; k < layout->units[i].ntargets; k++) {
			if (layout->units[i].targets[k] == unit)
				return true;
		}
	}
	return false;
}
