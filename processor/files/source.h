/*
 * source.h - bytes of a file, one after the other. Private to files.
 */
#ifndef FILES_SOURCE_H
#define FILES_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "segmentd/err.h"

#define SOURCE_BYTES (64 * 1024)

struct source {
	FILE *file;
	size_t at;
	size_t end;
	uint64_t done;	/* bytes handed out of full buffers before this one */
	uint64_t total; /* 0: not known */
	int failed;	/* errno of a failed read */
	uint8_t bytes[SOURCE_BYTES];
};

SG_MUSTCHECK enum sg_err
source_open(struct source *src, const char *path, struct sg_fault *why);
void
source_close(struct source *src);

/* Read on; false at the end, or when reading failed. */
bool
source_fill(struct source *src);

/* The next byte; -1 at the end. */
static inline int
source_byte(struct source *src)
{
	if (src->at == src->end && !source_fill(src))
		return -1;
	return src->bytes[src->at++];
}

/* The next byte, left where it is; -1 at the end. */
static inline int
source_peek(struct source *src)
{
	if (src->at == src->end && !source_fill(src))
		return -1;
	return src->bytes[src->at];
}

/* `len` bytes; false when there are fewer. */
bool
source_read(struct source *src, void *bytes, size_t len);

static inline uint64_t
source_offset(const struct source *src)
{
	return src->done + src->at;
}

#endif
