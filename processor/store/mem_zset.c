/*
 * A skip list. The height of a node comes from the hash of its member: no
 * random numbers, so a run of the memory store can be repeated exactly.
 */
#include <stdlib.h>
#include <string.h>

#include "mem_map.h"
#include "segmentd/hash.h"

static struct mem_node *
node_create(unsigned levels, const char *member, size_t len, double score)
{
	size_t next = sizeof(struct mem_node *) * levels;
	struct mem_node *node = calloc(1, sizeof(*node) + next + len + 1);

	if (node == NULL)
		return NULL;
	node->score = score;
	node->len = len;
	node->member = (char *)node + sizeof(*node) + next;
	if (len > 0)
		memcpy(node->member, member, len);
	return node;
}

static unsigned
levels_of(const char *member, size_t len)
{
	uint64_t bits = hash_u64(hash_bytes(member, len));
	unsigned levels = 1;

	while (levels < MEM_ZSET_LEVELS && (bits & 3) == 0) {
		levels++;
		bits >>= 2;
	}
	return levels;
}

bool
mem_zset_init(struct mem_zset *set)
{
	mem_map_init(&set->nodes, NULL);
	set->head = node_create(MEM_ZSET_LEVELS, NULL, 0, 0);
	return set->head != NULL;
}

void
mem_zset_fini(struct mem_zset *set)
{
	struct mem_node *node = set->head;

	while (node != NULL) {
		struct mem_node *next = node->next[0];

		free(node);
		node = next;
	}
	set->head = NULL;
	mem_map_fini(&set->nodes);
}

static bool
is_before(const struct mem_node *node, const struct mem_node *other)
{
	size_t len = node->len < other->len ? node->len : other->len;
	int order;

	if (node->score < other->score)
		return true;
	if (node->score > other->score)
		return false;
	order = memcmp(node->member, other->member, len);
	return order != 0 ? order < 0 : node->len < other->len;
}

/* The last node before `node`, on each level. */
static void
find(const struct mem_zset *set, const struct mem_node *node,
	struct mem_node **ret_before)
{
	struct mem_node *at = set->head;

	for (unsigned level = MEM_ZSET_LEVELS; level-- > 0;) {
		while (at->next[level] != NULL &&
			is_before(at->next[level], node))
			at = at->next[level];
		ret_before[level] = at;
	}
}

static void
unlink_node(struct mem_zset *set, struct mem_node *node)
{
	struct mem_node *before[MEM_ZSET_LEVELS];
	unsigned levels = levels_of(node->member, node->len);

	find(set, node, before);
	for (unsigned i = 0; i < levels; i++)
		before[i]->next[i] = node->next[i];
}

static void
link_node(struct mem_zset *set, struct mem_node *node)
{
	struct mem_node *before[MEM_ZSET_LEVELS];
	unsigned levels = levels_of(node->member, node->len);

	find(set, node, before);
	for (unsigned i = 0; i < levels; i++) {
		node->next[i] = before[i]->next[i];
		before[i]->next[i] = node;
	}
}

bool
mem_zset_set(struct mem_zset *set, const char *member, size_t len, double score)
{
	struct mem_entry *entry = mem_map_get(&set->nodes, member, len);
	struct mem_node *node;

	if (entry != NULL) {
		node = entry->value;
		unlink_node(set, node);
		node->score = score;
		link_node(set, node);
		return true;
	}
	node = node_create(levels_of(member, len), member, len, score);
	if (node == NULL)
		return false;
	entry = mem_map_add(&set->nodes, member, len);
	if (entry == NULL) {
		free(node);
		return false;
	}
	entry->value = node;
	link_node(set, node);
	return true;
}

void
mem_zset_del(struct mem_zset *set, const char *member, size_t len)
{
	struct mem_entry *entry = mem_map_get(&set->nodes, member, len);

	if (entry == NULL)
		return;

	struct mem_node *node = entry->value;

	unlink_node(set, node);
	mem_map_del(&set->nodes, member, len);
	free(node);
}

struct mem_node *
mem_zset_first(const struct mem_zset *set)
{
	return set->head->next[0];
}
