/*
 * account.c - the state of one account: its memory, and its event ids.
 *
 * Event ids are a ring of hashes, low and high halves apart: comparing 64 low
 * halves is a few vector instructions.
 */
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "collect.h"
#include "distinct.h"

#define CACHE_LINE 64
#define FETCH_MAX ((size_t)16 * CACHE_LINE)

/* --- memory ------------------------------------------------------------- */

/* What malloc() of glibc takes for a piece. */
static size_t
piece_bytes(size_t size)
{
	return size <= 24 ? 32 : (size + 8 + 15) / 16 * 16;
}

void *
features_alloc(struct features *features, size_t size)
{
	void *piece = malloc(size);

	if (piece != NULL)
		features->bytes += piece_bytes(size);
	return piece;
}

void
features_free(struct features *features, void *piece, size_t size)
{
	if (piece == NULL)
		return;
	features->bytes -= piece_bytes(size);
	free(piece);
}

void
features_count(struct features *features, size_t old_size, size_t new_size)
{
	features->bytes += piece_bytes(new_size);
	if (old_size > 0)
		features->bytes -= piece_bytes(old_size);
}

enum sg_err
features_create(const struct feature_set *set, struct features **ret_features)
{
	size_t size =
		sizeof(struct features) + set->nplaces * sizeof(union place);
	struct features *features = calloc(1, size);

	if (features == NULL)
		return SG_NOMEM;
	features->set = set;
	features->bytes = piece_bytes(size);
	for (uint32_t i = 0; i < set->nunits; i++) {
		if (set->units[i].class <= UNIT_LATEST)
			features_place(features, &set->units[i])->cell.v =
				value_absent();
	}
	*ret_features = features;
	return SG_OK;
}

static void
unit_fini(struct features *features, const struct unit *unit)
{
	union place *place = features_place(features, unit);

	switch ((enum unit_class)unit->class) {
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		cell_fini(features, &place->cell);
		break;
	case UNIT_DISTINCT:
		distinct_fini(features, &place->distinct);
		break;
	case UNIT_COLLECT:
		collect_fini(features, &place->collect);
		break;
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		break;
	}
}

void
features_destroy(struct features *features)
{
	if (features == NULL)
		return;
	for (uint32_t i = 0; i < features->set->nunits; i++)
		unit_fini(features, &features->set->units[i]);
	free(features->ids);
	free(features->pool);
	free(features);
}

size_t
features_size(const struct features *features)
{
	return features->bytes;
}

/* --- event ids ---------------------------------------------------------- */

enum sg_err
features_ids_reserve(struct features *features)
{
	size_t cap = features->ids_cap == 0 ? 4 : features->ids_cap * 2u;
	uint32_t *ids;

	if (features->nids < features->ids_cap ||
		features->ids_cap == FEATURE_IDS)
		return SG_OK;
	ids = features_alloc(features, cap * sizeof(uint64_t));
	if (ids == NULL)
		return SG_NOMEM;
	if (features->nids > 0) {
		memcpy(ids, features->ids, features->nids * sizeof(*ids));
		memcpy(ids + cap, features->ids + features->ids_cap,
			features->nids * sizeof(*ids));
	}
	features_free(
		features, features->ids, features->ids_cap * sizeof(uint64_t));
	features->ids = ids;
	features->ids_cap = (uint8_t)cap;
	return SG_OK;
}

bool
features_ids_have(const struct features *features, uint64_t id)
{
	const uint32_t *low = features->ids;
	uint32_t hits = 0;

	/* A full ring is the rule: a loop that the compiler can unroll. */
	if (features->nids == FEATURE_IDS) {
		for (uint32_t i = 0; i < FEATURE_IDS; i++)
			hits |= low[i] == (uint32_t)id;
		if (hits == 0)
			return false;
	}
	for (uint32_t i = 0; i < features->nids; i++) {
		if (low[i] == (uint32_t)id &&
			low[features->ids_cap + i] == (uint32_t)(id >> 32))
			return true;
	}
	return false;
}

void
features_ids_push(struct features *features, uint64_t id)
{
	uint32_t at = features->nids;

	if (at == FEATURE_IDS) {
		at = features->ids_at;
		features->ids_at = (uint8_t)((at + 1) % FEATURE_IDS);
	} else {
		features->nids++;
	}
	features->ids[at] = (uint32_t)id;
	features->ids[features->ids_cap + at] = (uint32_t)(id >> 32);
}

/* --- the CPU's cache ---------------------------------------------------- */

static void
fetch(const void *from, size_t len)
{
	const uint8_t *at = from;

	for (size_t i = 0; i < len && i < FETCH_MAX; i += CACHE_LINE)
		__builtin_prefetch(at + i, 1);
}

void
features_prefetch(const struct features *features)
{
	fetch(features, FETCH_MAX);
}

void
features_fetch(const struct features *features)
{
	fetch(features->places, features->set->nplaces * sizeof(union place));
	if (features->pool_used > 0)
		fetch(features->pool, features->pool_used);
}
