/* register.c - segmentd register: our schemas into a schema registry. */
#include "cli.h"
#include "segmentd/log.h"

static const char usage[] =
	"usage: segmentd register -c FILE [--set PATH=VALUE]...\n"
	"\n"
	"Register the schemas of segmentd.changes, .current and .renewals with "
	"the\n"
	"registry of FILE (registry.url), under TOPIC-value. The registry is "
	"asked\n"
	"first whether each is compatible with what is there; one that is not "
	"is\n"
	"not registered, and the status is 78. Doing it again changes "
	"nothing.\n";

static void
show(void *ctx, const char *subject, int32_t id, bool is_new)
{
	(void)ctx;
	(void)printf("%-32s id %d  %s\n", subject, (int)id,
		is_new ? "registered" : "was there");
}

int
cli_register(int argc, char **argv)
{
	struct sg_fault why = {.err = SG_OK};
	struct cli_program cp;
	struct cli_args args;
	enum sg_err err;
	int status;

	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_CONFIG_OPERAND, usage,
		    &args, &status))
		return status;
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	err = pipeline_register(cp.program, show, NULL, &why);
	if (err != SG_OK)
		status = cli_fail("register", err, &why);
	cli_program_close(&cp);
	return status;
}
