#include "source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum sg_err
source_open(struct source *src, const char *path, struct sg_fault *why)
{
	struct stat st;

	memset(src, 0, sizeof(*src));
	src->file = fopen(path, "rb");
	if (src->file == NULL)
		return sg_fault_set(
			why, SG_IO, "%s: %s", path, strerror(errno));
	if (fstat(fileno(src->file), &st) == 0 && S_ISREG(st.st_mode))
		src->total = (uint64_t)st.st_size;
	return SG_OK;
}

void
source_close(struct source *src)
{
	if (src->file != NULL)
		(void)fclose(src->file);
	src->file = NULL;
}

bool
source_fill(struct source *src)
{
	src->done += src->end;
	src->at = 0;
	src->end = fread(src->bytes, 1, sizeof(src->bytes), src->file);
	if (src->end == 0 && ferror(src->file))
		src->failed = errno != 0 ? errno : EIO;
	return src->end > 0;
}

bool
source_read(struct source *src, void *bytes, size_t len)
{
	uint8_t *to = bytes;

	while (len > 0) {
		size_t n = src->end - src->at;

		if (n == 0) {
			if (!source_fill(src))
				return false;
			continue;
		}
		n = n < len ? n : len;
		memcpy(to, src->bytes + src->at, n);
		src->at += n;
		to += n;
		len -= n;
	}
	return true;
}
