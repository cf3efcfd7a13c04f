/*
 * folder.c - "17.avsc", "<guid>.avsc", and "17.unknown" with the time when the
 * registry had no such schema.
 *
 * A file is written beside its place and renamed, so that a crash leaves the
 * old one or the new one. A folder belongs to one registry: ids of two would
 * be mixed up.
 */
#include "folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"

#include "segmentd/log.h"

#define PATH_BYTES_MAX 4096

static bool
path_of(const char *folder, const struct schema_key *key, const char *ending,
	char path[PATH_BYTES_MAX])
{
	static const char digits[] = "0123456789abcdef";
	char name[2 * SCHEMA_GUID_BYTES + 1] = "";
	int len;

	for (size_t i = 0; key->is_guid && i < SCHEMA_GUID_BYTES; i++) {
		name[2 * i] = digits[key->guid[i] >> 4];
		name[2 * i + 1] = digits[key->guid[i] & 15];
	}
	name[2 * SCHEMA_GUID_BYTES] = '\0';
	if (!key->is_guid)
		(void)snprintf(name, sizeof(name), "%d", (int)key->id);
	len = snprintf(path, PATH_BYTES_MAX, "%s/%s.%s", folder, name, ending);
	return len > 0 && len < PATH_BYTES_MAX;
}

enum sg_err
folder_check(const char *folder, struct sg_fault *why)
{
	if (mkdir(folder, 0777) != 0 && errno != EEXIST)
		return sg_fault_set(why, SG_IO,
			"%s: %s: make it, or set "
			"registry.cache to a folder "
			"that can be written",
			folder, strerror(errno));
	if (access(folder, R_OK | W_OK | X_OK) != 0)
		return sg_fault_set(
			why, SG_IO, "%s: %s", folder, strerror(errno));
	return SG_OK;
}

static bool
read_file(const char *path, struct buf *text)
{
	FILE *file = fopen(path, "rbe");
	char bytes[4096];
	size_t n;
	bool is_ok;

	if (file == NULL)
		return false;
	buf_reset(text);
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0 &&
		!text->is_failed)
		buf_put(text, bytes, n);
	is_ok = ferror(file) == 0 && !text->is_failed && text->len > 0;
	(void)fclose(file);
	return is_ok;
}

enum folder_found
folder_read(const char *folder, const struct schema_key *key,
	struct buf *ret_text, int64_t *ret_at_ms)
{
	char path[PATH_BYTES_MAX];

	if (path_of(folder, key, "avsc", path) && read_file(path, ret_text))
		return FOLDER_SCHEMA;
	if (path_of(folder, key, "unknown", path) &&
		read_file(path, ret_text)) {
		*ret_at_ms = strtoll(buf_cstr(ret_text), NULL, 10);
		return FOLDER_UNKNOWN;
	}
	return FOLDER_NOTHING;
}

static bool
write_file(const char *path, const char *text)
{
	char fresh[PATH_BYTES_MAX];
	int len =
		snprintf(fresh, sizeof(fresh), "%s.%ld", path, (long)getpid());
	FILE *file;
	bool is_ok;

	if (len < 0 || (size_t)len >= sizeof(fresh))
		return false;
	file = fopen(fresh, "wbe");
	if (file == NULL)
		return false;
	is_ok = fputs(text, file) >= 0 && fflush(file) == 0 &&
		fsync(fileno(file)) == 0;
	is_ok = fclose(file) == 0 && is_ok;
	if (is_ok && rename(fresh, path) == 0)
		return true;
	(void)unlink(fresh);
	return false;
}

void
folder_write(const char *folder, const struct schema_key *key, const char *text,
	int64_t now_ms)
{
	char path[PATH_BYTES_MAX];
	char when[32];

	(void)snprintf(when, sizeof(when), "%lld\n", (long long)now_ms);
	if (!path_of(folder, key, text == NULL ? "unknown" : "avsc", path))
		return;
	if (!write_file(path, text == NULL ? when : text)) {
		SG_LOG(LOG_WARN, "registry_cache", LOG_STR("path", path),
			LOG_STR("why", strerror(errno)));
		return;
	}
	if (text != NULL && path_of(folder, key, "unknown", path))
		(void)unlink(path);
}
