/* compare.h - old rules and new, shown: of backtest --compare and plan. */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include "cli.h"

/*
 * The name whose values are summed: that of --value, or variables.arr or
 * account.arr when there is one (else NULL). False with a message when it is
 * no number of the program.
 */
bool
compare_value(const char *verb, const struct cli_args *args,
	const struct program *program, const char **ret_name);

/* segmentd backtest --compare: the same files by the rules of args->compare,
 * too. */
int
compare_backtest(const struct cli_args *args, const struct cli_program *cp);

/* Print in the form of --output. The status is 1 when an account moves. */
int
compare_print(const char *verb, const struct cli_args *args,
	const struct comparison *cmp);

/* The forms. */
void
compare_text(const struct comparison *cmp, bool is_listed, struct buf *out);
void
compare_csv(const struct comparison *cmp, bool is_listed, struct buf *out);
/* False when out of memory. */
bool
compare_json(const struct comparison *cmp, bool is_listed, struct buf *out);

/* A number with as many decimals as it needs, 6 at most; `has_commas` between
 * thousands. */
#define COMPARE_NUMBER_MAX 64
const char *
compare_number(double n, bool has_commas, char text[COMPARE_NUMBER_MAX]);

#endif
