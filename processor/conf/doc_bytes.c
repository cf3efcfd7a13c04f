#include "doc_bytes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "segmentd/utf8.h"

#define READ_BYTES 65536

enum sg_err
doc_file_read(const char *path, struct buf *bytes)
{
	enum sg_err err = SG_IO;
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		return errno == ENOMEM ? SG_NOMEM : SG_IO;
	while (bytes->len <= DOC_SIZE_MAX) {
		uint8_t *room = buf_reserve(bytes, READ_BYTES);
		size_t n;

		if (room == NULL) {
			err = SG_NOMEM;
			goto out;
		}
		n = fread(room, 1, READ_BYTES, file);
		bytes->len += n;
		if (n == 0)
			break;
	}
	if (ferror(file) == 0)
		err = SG_OK;
out:;
	int kept = errno;

	(void)fclose(file);
	errno = kept;
	return err;
}

/* Why a character may not stand in a file; NULL when it may. */
static const char *
char_fault(const char *text, size_t n)
{
	unsigned char first = (unsigned char)text[0];

	if (n == 0)
		return "a byte that is not UTF-8";
	if (first == '\r')
		return text[1] == '\n' ? NULL : "a lone carriage return";
	if (first < 0x20 && first != '\t' && first != '\n')
		return "a control character";
	if (first == 0x7f)
		return "a control character";
	if (n == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0)
		return "a control character";
	if (n == 3 && (memcmp(text, "\xe2\x80\xa8", 3) == 0 ||
			      memcmp(text, "\xe2\x80\xa9", 3) == 0))
		return "a Unicode line separator";
	if (n == 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return "a byte order mark inside the text";
	if (n == 3 && memcmp(text, "\xef\xbf\xbe", 3) >= 0 && first == 0xef)
		return "a character that is none (U+FFFE, U+FFFF)";
	return NULL;
}

enum sg_err
doc_check_bytes(struct conf_diags *diags, const struct diag_source *source)
{
	uint32_t line = 1;

	for (uint32_t at = 0; at < source->len;) {
		const char *text = source->text + at;
		size_t n = utf8_char_len(text, source->len - at);
		const char *fault = char_fault(text, n);

		if (fault != NULL) {
			struct conf_text place = {.line = line,
				.start = source->base + at,
				.end = source->base + at + 1};

			conf_diag_at(diags, &place, 0, 0, false,
				n == 0 ? "save the file as UTF-8" : NULL,
				"%s is not allowed", fault);
			return SG_BAD_CONFIG;
		}
		line += *text == '\n';
		at += (uint32_t)n;
	}
	return SG_OK;
}
