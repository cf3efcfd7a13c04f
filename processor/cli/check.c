/* check.c - segmentd check: a configuration's mistakes, without a broker. */
#include <string.h>

#include "cli.h"

static const char usage[] =
	"usage: segmentd check FILE [--set PATH=VALUE]...\n"
	"       segmentd check --options\n"
	"\n"
	"Print every mistake of a configuration with its place, and compile\n"
	"all of its rules. Warned of is what compiles and is hardly meant:\n"
	"segments that nothing enters, rules that repeat another one, more\n"
	"segments than anybody acts on, and what no rule reads. What only the\n"
	"broker knows is not looked at: whether the topics are there and keep\n"
	"records for as long as the windows are.\n"
	"\n"
	"The status is 0 when there is no mistake (warnings are none), else "
	"78.\n"
	"\n"
	"  --options   print every option with its default, as YAML\n";

static int
print_options(void)
{
	struct buf text;
	bool is_written;

	buf_init(&text, 4 << 20);
	conf_reference(&text);
	is_written = !text.is_failed &&
		     fwrite(text.bytes, 1, text.len, stdout) == text.len &&
		     fflush(stdout) == 0;
	buf_fini(&text);
	return is_written ? SG_EXIT_OK : SG_EXIT_IO;
}

static void
print_count(size_t n, const char *what, const char *end)
{
	(void)printf("%zu %s%s%s", n, what, n == 1 ? "" : "s", end);
}

int
cli_check(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	int status;

	if (argc == 2 && strcmp(argv[1], "--options") == 0)
		return print_options();
	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_CONFIG_OPERAND, usage,
		    &args, &status))
		return status;
	args.is_warned = true;
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	(void)printf("%s: ", args.config);
	print_count(cp.conf->ninputs, "input", ", ");
	print_count(cp.conf->nvariables, "variable", ", ");
	print_count(cp.conf->nsegmentations, "segmentation", ", ");
	if (conf_diags_warnings(cp.diags) > 0)
		print_count(conf_diags_warnings(cp.diags), "warning", ", ");
	(void)printf("no mistakes\n");
	cli_program_close(&cp);
	return SG_EXIT_OK;
}
