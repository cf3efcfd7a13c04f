/*
 * mem_map.h - bytes to a value, and a set ordered by score: what the memory
 * store is made of. Both grow as they need; the caller bounds what goes in.
 */
#ifndef SEGMENTD_MEM_MAP_H
#define SEGMENTD_MEM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mem_entry {
	uint64_t hash;
	void *value;
	size_t key_len;
	char key[]; /* a NUL follows */
};

struct mem_map {
	struct mem_entry **slots; /* linear probing, at most half full */
	size_t nslots;		  /* 0 or a power of two */
	size_t n;
	void (*free_value)(void *value); /* NULL: not owned */
};

void
mem_map_init(struct mem_map *map, void (*free_value)(void *value));
void
mem_map_fini(struct mem_map *map);

/* NULL: not there. Valid until: the map is changed. */
struct mem_entry *
mem_map_get(const struct mem_map *map, const char *key, size_t len);

/* The entry of the key, added with value NULL if need be; NULL: no memory. */
struct mem_entry *
mem_map_add(struct mem_map *map, const char *key, size_t len);
void
mem_map_del(struct mem_map *map, const char *key, size_t len);

/* Walk: *at = 0 first; NULL at the end. */
struct mem_entry *
mem_map_next(const struct mem_map *map, size_t *at);

/* --- ordered by (score, member), lowest first ---------------------------- */

#define MEM_ZSET_LEVELS 16

struct mem_node {
	double score;
	size_t len;
	char *member; /* behind next[] */
	struct mem_node *next[];
};

struct mem_zset {
	struct mem_map nodes;  /* member -> its node */
	struct mem_node *head; /* no member; MEM_ZSET_LEVELS high */
};

bool
mem_zset_init(struct mem_zset *set);
void
mem_zset_fini(struct mem_zset *set);
bool
mem_zset_set(
	struct mem_zset *set, const char *member, size_t len, double score);
void
mem_zset_del(struct mem_zset *set, const char *member, size_t len);

/* NULL: empty. The next is next[0]. */
struct mem_node *
mem_zset_first(const struct mem_zset *set);

#endif
