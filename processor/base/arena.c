/*
 * arena.c - memory that is given back all at once.
 *
 * Blocks form two lists. `head` holds those in use, the one being filled
 * first; `spare` those that a reset gave back.
 *
 *      head -> [ filling | free ] -> [ full ] -> [ one large piece ]
 *      spare -> [ free ] -> [ free ]
 *
 * A piece above BLOCK_BYTES / 4 gets a block of its own behind the head, so
 * that the rest of the head is not wasted. When no spare block fits, spare
 * blocks are traded in for the new one before malloc() is asked: what is held
 * never outgrows the peak of what was used, whatever sizes come by.
 *
 * Under AddressSanitizer free space is poisoned, so that the use of a pointer
 * after the reset is found as if each piece had been freed.
 */
#include "segmentd/arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_HAS_ASAN 1
#endif
#endif

#ifdef ARENA_HAS_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(at, len) ASAN_POISON_MEMORY_REGION(at, len)
#define UNPOISON(at, len) ASAN_UNPOISON_MEMORY_REGION(at, len)
#else
#define POISON(at, len) ((void)(at), (void)(len))
#define UNPOISON(at, len) ((void)(at), (void)(len))
#endif

#define ALIGN_BYTES ((size_t)16)
#define BLOCK_BYTES ((size_t)64 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t cap;
	size_t used;
	_Alignas(16) uint8_t bytes[];
};

static void
blocks_free(struct arena_block *block)
{
	while (block != NULL) {
		struct arena_block *next = block->next;

		UNPOISON(block->bytes, block->cap);
		free(block);
		block = next;
	}
}

/* Take a spare block of at least `size` bytes out of the list. */
static struct arena_block *
spare_take(struct arena *arena, size_t size)
{
	struct arena_block **at = &arena->spare;

	while (*at != NULL && (*at)->cap < size)
		at = &(*at)->next;
	if (*at == NULL)
		return NULL;

	struct arena_block *block = *at;

	*at = block->next;
	return block;
}

/* Free spare blocks until `size` bytes of them are gone, or all. */
static void
spare_trade_in(struct arena *arena, size_t size)
{
	size_t freed = 0;

	while (arena->spare != NULL && freed < size) {
		struct arena_block *block = arena->spare;

		arena->spare = block->next;
		freed += block->cap;
		block->next = NULL;
		blocks_free(block);
	}
}

static struct arena_block *
block_take(struct arena *arena, size_t size)
{
	size_t cap = size > BLOCK_BYTES ? size : BLOCK_BYTES;
	struct arena_block *block = spare_take(arena, cap);

	if (block == NULL) {
		spare_trade_in(arena, cap);
		block = malloc(sizeof(*block) + cap);
		if (block == NULL)
			return NULL;
		block->cap = cap;
		POISON(block->bytes, cap);
	}
	block->next = NULL;
	block->used = 0;
	return block;
}

/* A new block for `size` bytes, placed where it belongs in the list. */
static struct arena_block *
block_add(struct arena *arena, size_t size)
{
	struct arena_block *block = block_take(arena, size);

	if (block == NULL)
		return NULL;
	if (size > BLOCK_BYTES / 4 && arena->head != NULL) {
		block->next = arena->head->next;
		arena->head->next = block;
	} else {
		block->next = arena->head;
		arena->head = block;
	}
	return block;
}

void
arena_init(struct arena *arena, size_t max_bytes)
{
	*arena = (struct arena){.max_bytes = max_bytes};
}

void
arena_fini(struct arena *arena)
{
	if (arena == NULL)
		return;
	blocks_free(arena->head);
	blocks_free(arena->spare);
	*arena = (struct arena){.max_bytes = arena->max_bytes};
}

void
arena_reset(struct arena *arena)
{
	while (arena->head != NULL) {
		struct arena_block *block = arena->head;

		arena->head = block->next;
		POISON(block->bytes, block->cap);
		block->next = arena->spare;
		arena->spare = block;
	}
	arena->used_bytes = 0;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->head;
	size_t room = arena->max_bytes - arena->used_bytes;

	if (size > room || size > SIZE_MAX / 2)
		return NULL;
	/* A piece of no bytes still has an address of its own. */
	size = size == 0 ? 1 : size;
	size_t step = (size + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);

	if (block == NULL || block->cap - block->used < step) {
		block = block_add(arena, step);
		if (block == NULL)
			return NULL;
	}

	uint8_t *piece = block->bytes + block->used;

	UNPOISON(piece, size);
	block->used += step;
	arena->used_bytes += step < room ? step : room;
	return piece;
}

void *
arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return arena_alloc(arena, total);
}

char *
arena_copy(struct arena *arena, const void *bytes, size_t len)
{
	char *copy = len == SIZE_MAX ? NULL : arena_alloc(arena, len + 1);

	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}
