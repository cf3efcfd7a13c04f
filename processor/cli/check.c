/* check.c - segmentd check: a configuration's mistakes, without a broker. */
#include "cli.h"

static const char usage[] =
	"usage: segmentd check FILE [--set PATH=VALUE]...\n"
	"\n"
	"Print every mistake of a configuration with its place, and compile\n"
	"all of its rules. Warned of is what compiles and is hardly meant:\n"
	"segments that nothing enters, rules that repeat another one, more\n"
	"segments than anybody acts on, and what no rule reads. What only the\n"
	"broker knows is not looked at: whether the topics are there and keep\n"
	"records for as long as the windows are.\n"
	"\n"
	"The status is 0 when there is no mistake (warnings are none), else "
	"78.\n";

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
