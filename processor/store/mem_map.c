#include "mem_map.h"

#include <stdlib.h>
#include <string.h>

#include "segmentd/hash.h"

#define SLOTS_MIN ((size_t)16)

void
mem_map_init(struct mem_map *map, void (*free_value)(void *value))
{
	*map = (struct mem_map){.free_value = free_value};
}

static void
entry_free(struct mem_map *map, struct mem_entry *entry)
{
	if (map->free_value != NULL && entry->value != NULL)
		map->free_value(entry->value);
	free(entry);
}

void
mem_map_fini(struct mem_map *map)
{
	for (size_t i = 0; i < map->nslots; i++)
		if (map->slots[i] != NULL)
			entry_free(map, map->slots[i]);
	free(map->slots);
	mem_map_init(map, map->free_value);
}

/* The slot of the key, or the empty one where it belongs. */
static size_t
slot_of(const struct mem_map *map, uint64_t hash, const char *key, size_t len)
{
	size_t mask = map->nslots - 1;
	size_t at = (size_t)hash & mask;

	while (map->slots[at] != NULL) {
		const struct mem_entry *entry = map->slots[at];

		if (entry->hash == hash && entry->key_len == len &&
			memcmp(entry->key, key, len) == 0)
			break;
		at = (at + 1) & mask;
	}
	return at;
}

struct mem_entry *
mem_map_get(const struct mem_map *map, const char *key, size_t len)
{
	if (map->n == 0)
		return NULL;
	return map->slots[slot_of(map, hash_bytes(key, len), key, len)];
}

static bool
map_grow(struct mem_map *map)
{
	struct mem_map wide = *map;

	wide.nslots = map->nslots == 0 ? SLOTS_MIN : map->nslots * 2;
	wide.slots = calloc(wide.nslots, sizeof(struct mem_entry *));
	if (wide.slots == NULL)
		return false;
	for (size_t i = 0; i < map->nslots; i++) {
		struct mem_entry *entry = map->slots[i];

		if (entry == NULL)
			continue;
		wide.slots[slot_of(&wide, entry->hash, entry->key,
			entry->key_len)] = entry;
	}
	free(map->slots);
	*map = wide;
	return true;
}

struct mem_entry *
mem_map_add(struct mem_map *map, const char *key, size_t len)
{
	struct mem_entry *entry;
	uint64_t hash = hash_bytes(key, len);

	if (map->n * 2 >= map->nslots && !map_grow(map))
		return NULL;

	size_t at = slot_of(map, hash, key, len);

	if (map->slots[at] != NULL)
		return map->slots[at];
	entry = malloc(sizeof(*entry) + len + 1);
	if (entry == NULL)
		return NULL;
	entry->hash = hash;
	entry->value = NULL;
	entry->key_len = len;
	memcpy(entry->key, key, len);
	entry->key[len] = '\0';
	map->slots[at] = entry;
	map->n++;
	return entry;
}

void
mem_map_del(struct mem_map *map, const char *key, size_t len)
{
	size_t mask = map->nslots - 1;
	size_t hole, at;

	if (map->n == 0)
		return;
	hole = slot_of(map, hash_bytes(key, len), key, len);
	if (map->slots[hole] == NULL)
		return;
	entry_free(map, map->slots[hole]);
	map->slots[hole] = NULL;
	map->n--;
	/* Close the hole: pull back whoever was pushed past it. */
	for (at = (hole + 1) & mask; map->slots[at] != NULL;
		at = (at + 1) & mask) {
		size_t home = (size_t)map->slots[at]->hash & mask;

		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		map->slots[hole] = map->slots[at];
		map->slots[at] = NULL;
		hole = at;
	}
}

struct mem_entry *
mem_map_next(const struct mem_map *map, size_t *at)
{
	while (*at < map->nslots) {
		struct mem_entry *entry = map->slots[(*at)++];

		if (entry != NULL)
			return entry;
	}
	return NULL;
}
