/*
 * arena.h - memory that is given back all at once.
 *
 * A batch has one arena: what is decoded from the batch lives until the arena
 * is reset. Blocks are kept over a reset, so a steady state allocates nothing.
 */
#ifndef SEGMENTD_ARENA_H
#define SEGMENTD_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
	struct arena_block *head; /* the block being filled */
	struct arena_block *spare;
	size_t used_bytes; /* since the last reset */
	size_t max_bytes;  /* beyond it, arena_alloc() returns NULL */
};

/* An arena that may hold `max_bytes` at a time. Allocates nothing yet. */
void
arena_init(struct arena *arena, size_t max_bytes);
void
arena_fini(struct arena *arena);

/* Give everything back. Pointers from it are dead. */
void
arena_reset(struct arena *arena);

/* `size` bytes, aligned to 16, not cleared; NULL when out of memory or above
 * the maximum. Valid until: the next reset. */
void *
arena_alloc(struct arena *arena, size_t size);

/* The same for `n` elements; NULL also when n * size overflows. */
void *
arena_array(struct arena *arena, size_t n, size_t size);

/* A copy of `len` bytes with a NUL after them. */
char *
arena_copy(struct arena *arena, const void *bytes, size_t len);

#endif
