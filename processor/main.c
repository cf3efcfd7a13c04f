/* main.c - everything there is begins here. */
#include "segmentd/cli.h"

int
main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
