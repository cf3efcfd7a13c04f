/*
 * cli.h - verbs of the command line, and what they share.
 *
 * Every verb is `int cli_NAME(int argc, char **argv)`: argv[0] is the verb,
 * the result an exit status of err.h. Results go to standard output, messages
 * to standard error.
 */
#ifndef CLI_PRIVATE_H
#define CLI_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "segmentd/conf.h"
#include "segmentd/err.h"
#include "segmentd/pipeline.h"

/* VERB(name, what it does); one row a verb, in the order of --help. */
#ifdef SEGMENTD_FAULTS
#define CLI_TEST_VERBS(VERB) VERB(faults, "List the kill points of this build")
#else
#define CLI_TEST_VERBS(VERB)
#endif

#define CLI_VERBS(VERB)                                                        \
	VERB(demo, "Play a simulated company, everything embedded")            \
	VERB(run, "Run the daemon")                                            \
	VERB(check, "Check a configuration, without a broker")                 \
	VERB(test, "Run scenarios: events given, changes expected")            \
	VERB(fmt, "Write configurations in the house format")                  \
	VERB(schema, "Print the JSON Schema of a configuration")               \
	VERB(graph, "Show which input feeds which feature and rule")           \
	VERB(backtest, "Replay files: which changes would there be")           \
	VERB(plan, "Say who would move under new rules, nothing is written")   \
	VERB(get, "Show an account as Redis has it")                           \
	VERB(list, "List the accounts of a segment")                           \
	VERB(tail, "Show the records of a topic, decoded")                     \
	VERB(top, "Watch running daemons: rates, lag, latency, moves")         \
	VERB(explain, "Say why an account is where it is")                     \
	VERB(override, "Pin an account's segment, or take that back")          \
	VERB(verify, "Compare Redis with a fresh fold of the inputs")          \
	VERB(rebuild,                                                          \
		"Build Redis anew from the inputs, nothing is told again")     \
	VERB(renewals, "Claim accounts of the renewal queue, give them back")  \
	VERB(load, "Produce files to the input topics")                        \
	VERB(register, "Register the schemas of what is published")            \
	VERB(eval, "Evaluate one expression")                                  \
	CLI_TEST_VERBS(VERB)

#define VERB(name, help) int cli_##name(int argc, char **argv);
CLI_VERBS(VERB)
#undef VERB

/* --- options ------------------------------------------------------------ */

#define CLI_INPUTS_MAX 256
#define CLI_SETS_MAX 64
#define CLI_OPERANDS_MAX 3
#define CLI_URLS_MAX 64

enum cli_output { CLI_TEXT, CLI_JSON, CLI_CSV, CLI_DOT };

/* Options that several verbs have. */
struct cli_args {
	const char *config; /* -c, or the first operand where a verb says so */
	const char *sets[CLI_SETS_MAX]; /* --set path=value */
	size_t nsets;
	const char *inputs[CLI_INPUTS_MAX]; /* --input NAME=FILE */
	size_t ninputs;
	int64_t until_ms;    /* --until TIME; 0: none */
	int64_t at_ms;	     /* --at TIME; 0: none */
	const char *operand; /* a verb's own operand: an account */
	enum cli_output output;
	bool has_output;
	bool is_loss_accepted; /* --accept-loss */
	bool is_quiet;	       /* --quiet-changes */
	bool is_kept;	       /* --keep (demo) */
	bool is_fast;	       /* --fast (demo) */
	uint64_t naccounts;    /* --accounts (demo); 0: not given */
	uint64_t seed;	       /* --seed (demo); 0: not given */
	const char *compare;   /* --compare OLD (backtest); NULL: not given */
	const char *value;     /* --value NAME; NULL: not given */
	bool is_listed;	       /* --list */
	const char *operands[CLI_OPERANDS_MAX]; /* of CLI_OPERANDS */
	size_t noperands;
	uint64_t limit;	     /* --limit; 0: not given */
	const char *fields;  /* --fields A,B (list); these NULL: not given */
	const char *format;  /* -f (tail) */
	const char *account; /* --account (tail) */
	const char *since;   /* --since (tail) */
	const char *author;  /* --author, --reason, --expires (override) */
	const char *reason;
	const char *expires;
	const char *urls[CLI_URLS_MAX]; /* --url (top) */
	size_t nurls;
	uint64_t interval_s; /* --interval (top); 0: not given */
	bool is_ended;	     /* --end (tail) */
	bool is_once;	     /* --once (top) */
	const char *worker;  /* --worker (renewals) */
	const char *token;   /* --token (renewals) */
	const char *window;  /* --window (renewals) */
	int64_t lease_ms;    /* --lease (renewals); 0: not given */
	bool is_warned;	     /* cli_program_open(): warnings as well */
};

/* Which of them a verb takes. */
enum cli_option {
	CLI_CONFIG = 1 << 0,
	CLI_CONFIG_OPERAND = 1 << 1, /* the config may stand alone */
	CLI_INPUT = 1 << 2,
	CLI_UNTIL = 1 << 3,
	CLI_OUTPUT = 1 << 4,
	CLI_ACCEPT_LOSS = 1 << 5, /* and --quiet-changes */
	CLI_AT = 1 << 7,
	CLI_OPERAND = 1 << 8,  /* one operand, needed */
	CLI_DEMO = 1 << 6,     /* --keep, --fast, --accounts, --seed */
	CLI_HAS_CSV = 1 << 9,  /* --output csv */
	CLI_HAS_DOT = 1 << 10, /* --output dot */
	CLI_COMPARE = 1 << 11,
	CLI_MATRIX = 1 << 12,	/* --value, --list */
	CLI_LIMIT = 1 << 13,	/* --limit */
	CLI_FIELDS = 1 << 14,	/* --fields */
	CLI_TAIL = 1 << 15,	/* -f, --account, --since, --end */
	CLI_OVERRIDE = 1 << 16, /* --author, --reason, --expires */
	CLI_TOP = 1 << 17,	/* --url (in place of -c), --interval, --once */
	CLI_OPERANDS = 1 << 18, /* up to CLI_OPERANDS_MAX; the verb counts */
	CLI_WORKER = 1 << 19,	/* --worker, --token */
	CLI_LEASE = 1 << 20,	/* --lease */
	CLI_WINDOW = 1 << 21,	/* --window */
};

/*
 * Parse argv. `usage` is printed for --help (then *ret_status is 0) and after
 * a mistake (64). Returns false when the verb is to return *ret_status.
 */
bool
cli_parse(int argc, char **argv, unsigned options, const char *usage,
	struct cli_args *ret_args, int *ret_status);

/* --- configuration ------------------------------------------------------ */

struct cli_program {
	struct conf_diags *diags;
	struct conf *conf;
	struct program *program;
};

/* Read and compile; mistakes are printed. Returns an exit status. With
 * `needs_broker`, a configuration without bootstrap.servers is a mistake. */
int
cli_program_open(const struct cli_args *args, bool needs_broker,
	struct cli_program *ret_cp);
void
cli_program_close(struct cli_program *cp);

/* A time as a person gives it: an instant, or a span ("1h") before `now_ms`
 * (after it, with `is_ahead`). False when it is neither. */
bool
cli_when(const char *text, int64_t now_ms, bool is_ahead, int64_t *ret_ms);

/* --input NAME=FILE to struct replay_file; false with a message. */
bool
cli_files(const struct cli_args *args, const struct conf *conf,
	struct replay_file *ret_files, size_t *ret_n);

/* --- stopping, the terminal --------------------------------------------- */

/* Set by SIGINT, SIGTERM and SIGHUP once cli_catch_signals() was called. */
extern atomic_bool cli_stop;
void
cli_catch_signals(void);

/* SIGHUP sets this instead, once cli_catch_hangup() was called. */
extern atomic_bool cli_hangup;
void
cli_catch_hangup(void);

/* Print "segmentd VERB: message" and return the exit status of a failure. */
int
cli_fail(const char *verb, enum sg_err err, const struct sg_fault *why);

/* A progress bar on standard error; nothing when that is no terminal. */
struct cli_bar {
	const char *what;
	bool is_on;
	int last_percent;
};
void
cli_bar_begin(struct cli_bar *bar, const char *what);
void
cli_bar_show(struct cli_bar *bar, uint64_t done, uint64_t total);
void
cli_bar_end(struct cli_bar *bar);

/* Are colours wanted on this stream (a terminal, NO_COLOR not set)? */
bool
cli_has_colours(FILE *stream);

#endif
