/* schema.c - segmentd schema: the form of a configuration, for editors. */
#include "cli.h"

static const char usage[] =
	"usage: segmentd schema\n"
	"\n"
	"Print the JSON Schema (draft 2020-12) of a configuration, so that an\n"
	"editor completes its keys and marks mistakes while you write. With\n"
	"yaml-language-server (VS Code, Vim, Emacs):\n"
	"\n"
	"  segmentd schema >segmentd.schema.json\n"
	"  # yaml-language-server: $schema=segmentd.schema.json    (first "
	"line)\n";

int
cli_schema(int argc, char **argv)
{
	struct cli_args args;
	struct buf text;
	int status;
	bool is_written;

	if (!cli_parse(argc, argv, 0, usage, &args, &status))
		return status;
	buf_init(&text, 4 << 20);
	conf_json_schema(&text);
	if (text.is_failed) {
		buf_fini(&text);
		return cli_fail("schema", SG_NOMEM, NULL);
	}
	is_written = fwrite(text.bytes, 1, text.len, stdout) == text.len &&
		     fflush(stdout) == 0;
	buf_fini(&text);
	if (is_written)
		return SG_EXIT_OK;
	(void)fprintf(stderr, "segmentd schema: standard output is closed\n");
	return SG_EXIT_IO;
}
