/*
 * failing_alloc.h - malloc() and its kin, one of which can be made to fail.
 *
 * Included by a test program, once: it takes the place of the library's. Set
 * `fail_at` to n and the nth allocation from then on fails; `pieces` is how
 * many are held, so a leak shows. CAN_FAIL is defined where this works:
 * AddressSanitizer has an allocator of its own, and only glibc has the
 * functions beneath.
 */
#ifndef TESTS_FAILING_ALLOC_H
#define TESTS_FAILING_ALLOC_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#if !defined(__SANITIZE_ADDRESS__) && defined(__GLIBC__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define CAN_FAIL 1
#endif
#endif

#ifdef CAN_FAIL
static long fail_at; /* the nth allocation from now fails; 0: none */
static long pieces;  /* that are held */

extern void *
__libc_malloc(size_t size);
extern void *
__libc_calloc(size_t n, size_t size);
extern void *
__libc_realloc(void *piece, size_t size);
extern void
__libc_free(void *piece);

static int
fails(void)
{
	if (fail_at <= 0 || --fail_at > 0)
		return 0;
	errno = ENOMEM; /* as the real ones do */
	return 1;
}

void *
malloc(size_t size)
{
	void *piece = fails() ? NULL : __libc_malloc(size);

	pieces += piece != NULL;
	return piece;
}

void *
calloc(size_t n, size_t size)
{
	void *piece = fails() ? NULL : __libc_calloc(n, size);

	pieces += piece != NULL;
	return piece;
}

void *
realloc(void *old, size_t size)
{
	void *piece = fails() ? NULL : __libc_realloc(old, size);

	pieces += old == NULL && piece != NULL;
	return piece;
}

void
free(void *piece)
{
	pieces -= piece != NULL;
	__libc_free(piece);
}
#endif

#endif
