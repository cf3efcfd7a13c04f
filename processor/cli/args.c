/* args.c - options that several verbs share, and the configuration. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "segmentd/civil.h"

static const struct option longs[] = {
	{"config", required_argument, NULL, 'c'},
	{"set", required_argument, NULL, 's'},
	{"input", required_argument, NULL, 'i'},
	{"until", required_argument, NULL, 'u'},
	{"at", required_argument, NULL, 't'},
	{"output", required_argument, NULL, 'o'},
	{"accept-loss", no_argument, NULL, 'L'},
	{"quiet-changes", no_argument, NULL, 'Q'},
	{"keep", no_argument, NULL, 'k'},
	{"fast", no_argument, NULL, 'F'},
	{"accounts", required_argument, NULL, 'a'},
	{"seed", required_argument, NULL, 'r'},
	{"compare", required_argument, NULL, 'C'},
	{"value", required_argument, NULL, 'v'},
	{"list", no_argument, NULL, 'l'},
	{"limit", required_argument, NULL, 'n'},
	{"fields", required_argument, NULL, 'G'},
	{"format", required_argument, NULL, 'f'},
	{"account", required_argument, NULL, 'A'},
	{"since", required_argument, NULL, 'S'},
	{"end", no_argument, NULL, 'e'},
	{"author", required_argument, NULL, 'w'},
	{"reason", required_argument, NULL, 'y'},
	{"expires", required_argument, NULL, 'x'},
	{"url", required_argument, NULL, 'U'},
	{"interval", required_argument, NULL, 'I'},
	{"once", no_argument, NULL, '1'},
	{"worker", required_argument, NULL, 'R'},
	{"token", required_argument, NULL, 'T'},
	{"lease", required_argument, NULL, 'E'},
	{"window", required_argument, NULL, 'W'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* The bit a verb must have for an option to be its own; 0: every verb. */
static unsigned
bit_of(int c)
{
	switch (c) {
	case 'c':
	case 's':
		return CLI_CONFIG;
	case 'i':
		return CLI_INPUT;
	case 'u':
		return CLI_UNTIL;
	case 't':
		return CLI_AT;
	case 'o':
		return CLI_OUTPUT;
	case 'L':
	case 'Q':
		return CLI_ACCEPT_LOSS;
	case 'k':
	case 'F':
	case 'a':
	case 'r':
		return CLI_DEMO;
	case 'C':
		return CLI_COMPARE;
	case 'v':
	case 'l':
		return CLI_MATRIX;
	case 'n':
		return CLI_LIMIT;
	case 'G':
		return CLI_FIELDS;
	case 'f':
	case 'A':
	case 'S':
	case 'e':
		return CLI_TAIL;
	case 'w':
	case 'y':
	case 'x':
		return CLI_OVERRIDE;
	case 'U':
	case 'I':
	case '1':
		return CLI_TOP;
	case 'R':
	case 'T':
		return CLI_WORKER;
	case 'E':
		return CLI_LEASE;
	case 'W':
		return CLI_WINDOW;
	default:
		return 0;
	}
}

/* Where an option goes that is a text as it stands; NULL: it is none. */
static const char **
text_of(int c, struct cli_args *args)
{
	switch (c) {
	case 'c':
		return &args->config;
	case 'C':
		return &args->compare;
	case 'v':
		return &args->value;
	case 'G':
		return &args->fields;
	case 'f':
		return &args->format;
	case 'A':
		return &args->account;
	case 'S':
		return &args->since;
	case 'w':
		return &args->author;
	case 'y':
		return &args->reason;
	case 'x':
		return &args->expires;
	case 'R':
		return &args->worker;
	case 'T':
		return &args->token;
	case 'W':
		return &args->window;
	default:
		return NULL;
	}
}

static bool
take_time(const char *verb, const char *text, int64_t *ret_ms)
{
	int64_t seconds;
	int32_t nanos;

	if (!civil_parse(text, strlen(text), false, &seconds, &nanos)) {
		(void)fprintf(stderr,
			"segmentd %s: `%s` is not a time: write "
			"2024-10-01T00:00:00Z or 2024-10-01\n",
			verb, text);
		return false;
	}
	*ret_ms = seconds * 1000 + nanos / 1000000;
	return true;
}

bool
cli_when(const char *text, int64_t now_ms, bool is_ahead, int64_t *ret_ms)
{
	int64_t seconds, span_ms;
	int32_t nanos;

	if (civil_parse_span(text, strlen(text), &span_ms)) {
		if (span_ms > INT64_MAX - now_ms)
			return false;
		*ret_ms = is_ahead ? now_ms + span_ms : now_ms - span_ms;
		return true;
	}
	if (!civil_parse(text, strlen(text), false, &seconds, &nanos))
		return false;
	*ret_ms = seconds * 1000 + nanos / 1000000;
	return true;
}

static bool
take_output(const char *verb, const char *text, unsigned options,
	struct cli_args *args)
{
	static const struct {
		const char *name;
		enum cli_output output;
		unsigned bit; /* the verb must have it; 0: every verb */
	} rows[] = {
		{"text", CLI_TEXT, 0},
		{"json", CLI_JSON, 0},
		{"csv", CLI_CSV, CLI_HAS_CSV},
		{"dot", CLI_DOT, CLI_HAS_DOT},
	};

	args->has_output = true;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		if (strcmp(text, rows[i].name) == 0 &&
			(rows[i].bit & ~options) == 0) {
			args->output = rows[i].output;
			return true;
		}
	}
	(void)fprintf(stderr,
		"segmentd %s: --output is text, json%s%s, not `%s`\n", verb,
		(options & CLI_HAS_CSV) != 0 ? ", csv" : "",
		(options & CLI_HAS_DOT) != 0 ? ", dot" : "", text);
	return false;
}

/* A whole number from 1. */
static bool
take_number(const char *verb, const char *text, uint64_t *ret_n)
{
	char *end;

	errno = 0;
	*ret_n = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 &&
		*ret_n > 0)
		return true;
	(void)fprintf(stderr,
		"segmentd %s: `%s` is not a whole number from 1\n", verb, text);
	return false;
}

static bool
take_span(const char *verb, const char *text, int64_t *ret_ms)
{
	if (civil_parse_span(text, strlen(text), ret_ms) && *ret_ms > 0)
		return true;
	(void)fprintf(stderr,
		"segmentd %s: `%s` is not a span of time: write 30m, 8h or "
		"2d\n",
		verb, text);
	return false;
}

static bool
take_one(const char *verb, int c, unsigned options, struct cli_args *args)
{
	const char **text = text_of(c, args);

	if (text != NULL) {
		*text = optarg;
		return true;
	}
	switch (c) {
	case 's':
		if (args->nsets == CLI_SETS_MAX)
			return false;
		args->sets[args->nsets++] = optarg;
		return true;
	case 'i':
		if (args->ninputs == CLI_INPUTS_MAX)
			return false;
		args->inputs[args->ninputs++] = optarg;
		return true;
	case 'u':
		return take_time(verb, optarg, &args->until_ms);
	case 't':
		return take_time(verb, optarg, &args->at_ms);
	case 'o':
		return take_output(verb, optarg, options, args);
	case 'L':
		args->is_loss_accepted = true;
		return true;
	case 'Q':
		args->is_quiet = true;
		return true;
	case 'k':
		args->is_kept = true;
		return true;
	case 'F':
		args->is_fast = true;
		return true;
	case 'a':
		return take_number(verb, optarg, &args->naccounts);
	case 'r':
		return take_number(verb, optarg, &args->seed);
	case 'l':
		args->is_listed = true;
		return true;
	case 'n':
		return take_number(verb, optarg, &args->limit);
	case 'e':
		args->is_ended = true;
		return true;
	case 'U':
		if (args->nurls == CLI_URLS_MAX)
			return false;
		args->urls[args->nurls++] = optarg;
		return true;
	case 'I':
		return take_number(verb, optarg, &args->interval_s);
	case '1':
		args->is_once = true;
		return true;
	case 'E':
		return take_span(verb, optarg, &args->lease_ms);
	default:
		return false;
	}
}

bool
cli_parse(int argc, char **argv, unsigned options, const char *usage,
	struct cli_args *ret_args, int *ret_status)
{
	const char *verb = argv[0];
	int c;

	memset(ret_args, 0, sizeof(*ret_args));
	*ret_status = SG_EXIT_USAGE;
	optind = 1;
	while ((c = getopt_long(argc, argv, "c:ef:hn:", longs, NULL)) != -1) {
		unsigned bit = bit_of(c);

		if (c == 'h') {
			(void)fputs(usage, stdout);
			*ret_status = SG_EXIT_OK;
			return false;
		}
		if (bit != 0 && (options & bit) == 0) {
			(void)fprintf(stderr,
				"segmentd %s: it has no such option\n", verb);
			c = '?';
		}
		if (c == '?' || !take_one(verb, c, options, ret_args)) {
			(void)fputs(usage, stderr);
			return false;
		}
	}
	if (optind < argc && (options & CLI_OPERAND) != 0)
		ret_args->operand = argv[optind++];
	while (optind < argc && (options & CLI_OPERANDS) != 0 &&
		ret_args->noperands < CLI_OPERANDS_MAX)
		ret_args->operands[ret_args->noperands++] = argv[optind++];
	if (optind < argc && (options & CLI_CONFIG_OPERAND) != 0 &&
		ret_args->config == NULL)
		ret_args->config = argv[optind++];
	if (optind < argc) {
		(void)fprintf(stderr, "segmentd %s: what is `%s`?\n%s", verb,
			argv[optind], usage);
		return false;
	}
	if ((options & CLI_OPERAND) != 0 && ret_args->operand == NULL) {
		(void)fputs(usage, stderr);
		return false;
	}
	if ((options & CLI_CONFIG) != 0 && ret_args->config == NULL &&
		ret_args->nurls == 0) {
		(void)fprintf(stderr,
			"segmentd %s: a configuration is needed: -c FILE\n%s",
			verb, usage);
		return false;
	}
	return true;
}

/* --- configuration ------------------------------------------------------ */

static void
print_diags(const struct conf_diags *diags)
{
	struct buf text;

	buf_init(&text, 64 << 20);
	conf_diags_print(diags, cli_has_colours(stderr), &text);
	(void)fputs(buf_cstr(&text), stderr);
	buf_fini(&text);
}

int
cli_program_open(const struct cli_args *args, bool needs_broker,
	struct cli_program *ret_cp)
{
	struct cli_program cp = {NULL, NULL, NULL};
	enum sg_err err = conf_diags_create(&cp.diags);

	if (err == SG_OK)
		err = conf_read(args->config, args->sets, args->nsets, cp.diags,
			&cp.conf);
	if (err == SG_OK && needs_broker)
		conf_require_broker(cp.conf, cp.diags);
	if (err == SG_OK)
		err = program_create(cp.conf, cp.diags, &cp.program);
	if (err == SG_OK && args->is_warned)
		err = program_warn(cp.program, cp.diags);
	if (cp.diags != NULL &&
		conf_diags_errors(cp.diags) + conf_diags_warnings(cp.diags) > 0)
		print_diags(cp.diags);
	if (err != SG_OK) {
		if (cp.diags == NULL || conf_diags_errors(cp.diags) == 0)
			(void)fprintf(stderr, "segmentd: %s: %s\n",
				args->config, sg_err_text(err));
		cli_program_close(&cp);
		return err == SG_NOMEM ? SG_EXIT_INTERNAL : SG_EXIT_CONFIG;
	}
	*ret_cp = cp;
	return SG_EXIT_OK;
}

void
cli_program_close(struct cli_program *cp)
{
	program_destroy(cp->program);
	conf_destroy(cp->conf);
	conf_diags_destroy(cp->diags);
}

bool
cli_files(const struct cli_args *args, const struct conf *conf,
	struct replay_file *ret_files, size_t *ret_n)
{
	for (size_t i = 0; i < args->ninputs; i++) {
		const char *eq = strchr(args->inputs[i], '=');
		size_t len = eq == NULL ? 0 : (size_t)(eq - args->inputs[i]);
		size_t at = 0;

		while (at < conf->ninputs &&
			(conf->inputs[at].name.len != len ||
				memcmp(conf->inputs[at].name.s, args->inputs[i],
					len) != 0))
			at++;
		/* The last input is that of overrides, where there is one. */
		if (at == conf->ninputs && len == strlen("overrides") &&
			memcmp(args->inputs[i], "overrides", len) == 0 &&
			conf->opt.topic_overrides.len > 0) {
			ret_files[i] =
				(struct replay_file){(uint32_t)at, eq + 1};
			continue;
		}
		if (eq == NULL || at == conf->ninputs) {
			(void)fprintf(stderr,
				"segmentd: --input %s: write NAME=FILE, where "
				"NAME is an input of the configuration:",
				args->inputs[i]);
			for (at = 0; at < conf->ninputs; at++)
				(void)fprintf(
					stderr, " %s", conf->inputs[at].name.s);
			(void)fprintf(stderr, "\n");
			return false;
		}
		ret_files[i] = (struct replay_file){(uint32_t)at, eq + 1};
	}
	*ret_n = args->ninputs;
	return true;
}
