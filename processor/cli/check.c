/* check.c - segmentd check: a configuration's mistakes, without a broker. */
#include "cli.h"

static const char usage[] =
	"usage: segmentd check FILE [--set PATH=VALUE]...\n"
	"\n"
	"Print every mistake of a configuration with its place, and compile\n"
	"all of its rules. The status is 0 when there is none, else 78.\n";

int
cli_check(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	int status;

	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_CONFIG_OPERAND, usage,
		    &args, &status))
		return status;
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	(void)printf("%s: %zu inputs, %zu variables, %zu segmentations, no "
		     "mistakes\n",
		args.config, cp.conf->ninputs, cp.conf->nvariables,
		cp.conf->nsegmentations);
	cli_program_close(&cp);
	return SG_EXIT_OK;
}
