/*
 * hash.h - 64-bit hashes of bytes (XXH3 of libxxhash) and of numbers.
 */
#ifndef SEGMENTD_HASH_H
#define SEGMENTD_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Stable across versions and machines: it may be stored. */
uint64_t
hash_bytes(const void *bytes, size_t len);
uint64_t
hash_u64(uint64_t n);
/* Combine, order matters. */
uint64_t
hash_mix(uint64_t a, uint64_t b);

#endif
