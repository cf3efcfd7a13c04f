/*
 * fmt.c - segmentd fmt: configurations in the house format.
 *
 * A file is replaced at once or not at all: the new text is written beside it,
 * with its mode, and renamed over it. A symbolic link stays one; what it names
 * is replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "segmentd/buf.h"

static const char usage[] =
	"usage: segmentd fmt [--check] FILE...\n"
	"\n"
	"Write configurations in the house format: indented by 2, one space\n"
	"after `:`, `,` and `-`, comments kept. What they mean does not "
	"change.\n"
	"`-` reads standard input and writes standard output.\n"
	"\n"
	"  --check   write nothing; name the files that would change, and\n"
	"            return 1 if there are any\n"
	"\n"
	"The status is 78 when a file is no such YAML, 74 when it cannot be "
	"read\n"
	"or written.\n";

struct fmt {
	bool is_check;
	bool is_different; /* some file would change */
	int status;	   /* of the worst file so far */
};

static void
note(struct fmt *fmt, int status)
{
	if (status > fmt->status)
		fmt->status = status;
}

static void
complain(struct fmt *fmt, const char *path)
{
	(void)fprintf(stderr, "segmentd fmt: %s: %s\n", path, strerror(errno));
	note(fmt, SG_EXIT_IO);
}

static bool
read_all(FILE *file, struct buf *out)
{
	uint8_t chunk[16384];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_put(out, chunk, n);
	if (ferror(file) != 0)
		return false;
	if (out->is_failed)
		errno = EFBIG;
	return !out->is_failed;
}

static bool
write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* Put `text` in the place of a file. False with errno. */
static bool
replace(const char *path, const struct buf *text)
{
	char *real = realpath(path, NULL);
	struct buf name;
	struct stat st;
	char *beside;
	int fd = -1;
	bool is_done = false;

	buf_init(&name, 1 << 16);
	buf_printf(&name, "%s.XXXXXX", real == NULL ? path : real);
	buf_put_u8(&name, '\0');
	beside = (char *)name.bytes;
	if (real != NULL && !name.is_failed && stat(real, &st) == 0)
		fd = mkstemp(beside);
	if (fd >= 0) {
		is_done = write_all(fd, text->bytes, text->len) &&
			  fchmod(fd, st.st_mode & 07777) == 0 && fsync(fd) == 0;
		is_done = close(fd) == 0 && is_done;
		is_done = is_done && rename(beside, real) == 0;
		if (!is_done) {
			int saved = errno;

			(void)unlink(beside);
			errno = saved;
		}
	}
	buf_fini(&name);
	free(real);
	return is_done;
}

/* The house format of a text; false with what is wrong printed. */
static bool
format(struct fmt *fmt, const char *path, struct buf *yaml, struct buf *out)
{
	struct conf_diags *diags = NULL;
	enum sg_err err = conf_diags_create(&diags);

	if (err == SG_OK)
		err = conf_format(path, buf_cstr(yaml), yaml->len, diags, out);
	if (diags != NULL && conf_diags_errors(diags) > 0) {
		struct buf text;

		buf_init(&text, 1 << 20);
		conf_diags_print(diags, cli_has_colours(stderr), &text);
		(void)fputs(buf_cstr(&text), stderr);
		buf_fini(&text);
	} else if (err != SG_OK) {
		(void)fprintf(stderr, "segmentd fmt: %s: %s\n", path,
			sg_err_text(err));
	}
	conf_diags_destroy(diags);
	if (err != SG_OK)
		note(fmt, err == SG_NOMEM ? SG_EXIT_INTERNAL : SG_EXIT_CONFIG);
	return err == SG_OK;
}

/* What becomes of a file, or of standard input (path "-"). */
static void
settle(struct fmt *fmt, const char *path, const struct buf *yaml,
	const struct buf *text)
{
	bool is_stdin = strcmp(path, "-") == 0;
	bool is_same = yaml->len == text->len && yaml->len > 0 &&
		       memcmp(yaml->bytes, text->bytes, text->len) == 0;

	if (!is_same)
		fmt->is_different = true;
	if (fmt->is_check) {
		if (!is_same)
			(void)printf("%s\n", path);
	} else if (is_stdin) {
		if (fwrite(text->bytes, 1, text->len, stdout) != text->len)
			complain(fmt, "standard output");
	} else if (!is_same && !replace(path, text)) {
		complain(fmt, path);
	}
}

static void
one_file(struct fmt *fmt, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "rb");
	struct buf yaml, text;

	if (file == NULL) {
		complain(fmt, path);
		return;
	}
	buf_init(&yaml, DOC_SIZE_MAX + 1);
	buf_init(&text, (size_t)4 * DOC_SIZE_MAX);
	if (!read_all(file, &yaml))
		complain(fmt, path);
	else if (format(fmt, is_stdin ? "standard input" : path, &yaml, &text))
		settle(fmt, path, &yaml, &text);
	buf_fini(&yaml);
	buf_fini(&text);
	if (!is_stdin)
		(void)fclose(file);
}

int
cli_fmt(int argc, char **argv)
{
	static const struct option longs[] = {
		{"check", no_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct fmt fmt = {.status = SG_EXIT_OK};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'h') {
			(void)fputs(usage, stdout);
			return SG_EXIT_OK;
		}
		if (c != 'k') {
			(void)fputs(usage, stderr);
			return SG_EXIT_USAGE;
		}
		fmt.is_check = true;
	}
	if (optind == argc) {
		(void)fprintf(stderr,
			"segmentd fmt: which file? - is standard input\n%s",
			usage);
		return SG_EXIT_USAGE;
	}
	for (; optind < argc; optind++)
		one_file(&fmt, argv[optind]);
	if (fflush(stdout) != 0)
		complain(&fmt, "standard output");
	if (fmt.status == SG_EXIT_OK && fmt.is_check && fmt.is_different)
		return SG_EXIT_FAILED;
	return fmt.status;
}
