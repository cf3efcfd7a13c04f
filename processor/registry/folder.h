/*
 * folder.h - answers kept on disk, a file each.
 */
#ifndef REGISTRY_FOLDER_H
#define REGISTRY_FOLDER_H

#include "segmentd/buf.h"
#include "segmentd/registry.h"

enum folder_found { FOLDER_NOTHING, FOLDER_SCHEMA, FOLDER_UNKNOWN };

/* Make it if need be, and see that it can be written. Errors: SG_IO. */
SG_MUSTCHECK enum sg_err
folder_check(const char *folder, struct sg_fault *why);

/* What is kept of `key`; the text in `ret_text`. For FOLDER_UNKNOWN, since when
 * (wall clock). What cannot be read is nothing. */
enum folder_found
folder_read(const char *folder, const struct schema_key *key,
	struct buf *ret_text, int64_t *ret_at_ms);

/* Keep a text; NULL: there is none. Failures are logged: it is a cache. */
void
folder_write(const char *folder, const struct schema_key *key, const char *text,
	int64_t now_ms);

#endif
