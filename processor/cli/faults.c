/* faults.c - segmentd faults: the kill points of a test build. */
#include "cli.h"

#ifdef SEGMENTD_FAULTS

#include "segmentd/fault.h"

static const char usage[] =
	"usage: segmentd faults\n"
	"\n"
	"List the kill points of this build: name, what can happen there,\n"
	"where it is. SEGMENTD_FAULT=POINT:NUMBER:exit|stop|drop[,...] in the\n"
	"environment arms them.\n";

int
cli_faults(int argc, char **argv)
{
	struct cli_args args;
	int status;

	if (!cli_parse(argc, argv, 0, usage, &args, &status))
		return status;
	fault_list(stdout);
	return SG_EXIT_OK;
}

#endif
