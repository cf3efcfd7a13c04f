#include "segmentd/hash.h"

/* Inlined for speed on short keys; the result is that of the library. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
hash_bytes(const void *bytes, size_t len)
{
	return XXH3_64bits(len == 0 ? "" : bytes, len);
}

/* The finaliser of splitmix64: a bijection, so numbers never collide. */
uint64_t
hash_u64(uint64_t n)
{
	n += UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
	return n ^ (n >> 31);
}

uint64_t
hash_mix(uint64_t a, uint64_t b)
{
	return hash_u64(hash_u64(a) * UINT64_C(0x9ddfea08eb382d69) + b);
}
