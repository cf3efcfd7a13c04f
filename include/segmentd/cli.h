/* cli.h - the command line: one verb, its options, an exit status. */
#ifndef SEGMENTD_CLI_H
#define SEGMENTD_CLI_H

/* Run the verb argv[1]. Returns the exit status of the process. */
int
cli_main(int argc, char **argv);

#endif
