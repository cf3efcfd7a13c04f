/* verbs.c - which verb, and its exit status. */
#include <stdio.h>
#include <string.h>

#include "segmentd/cli.h"

#include "cli.h"

static const struct verb {
	const char *name;
	const char *help;
	int (*run)(int argc, char **argv);
} verbs[] = {
#define VERB(name, help) {#name, help, cli_##name},
	CLI_VERBS(VERB)
#undef VERB
};

static void
print_help(FILE *stream)
{
	(void)fprintf(stream, "segmentd " SEGMENTD_VERSION
			      " keeps every customer account in the right "
			      "segment, all the time.\n\n"
			      "usage: segmentd VERB [OPTION...]\n\n");
	for (size_t i = 0; i < SG_COUNTOF(verbs); i++)
		(void)fprintf(
			stream, "  %-9s %s\n", verbs[i].name, verbs[i].help);
	(void)fprintf(stream,
		"\n`segmentd VERB --help` says more. Exit status: 0 done; 1 a "
		"difference\nwas found; 64 wrong command line; 65 bad input "
		"data; 69 a server refuses;\n70 a defect of segmentd; 74 input "
		"or output failed; 78 bad configuration.\n");
}

int
cli_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
		strcmp(name, "help") == 0) {
		print_help(stdout);
		return SG_EXIT_OK;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
		(void)printf("segmentd " SEGMENTD_VERSION "\n");
		return SG_EXIT_OK;
	}
	for (size_t i = 0; i < SG_COUNTOF(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	if (argc > 1)
		(void)fprintf(
			stderr, "segmentd: there is no verb `%s`\n\n", name);
	print_help(stderr);
	return SG_EXIT_USAGE;
}
