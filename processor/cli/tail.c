/* tail.c - segmentd tail: records of a topic, decoded, as they come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "segmentd/clock.h"
#include "segmentd/log.h"
#include "segmentd/look.h"
#include "tail_format.h"

#define RECORD_BYTES_MAX ((size_t)64 << 20)

static const char usage[] =
	"usage: segmentd tail TOPIC -c FILE [-f FORMAT] [--account ID]\n"
	"                     [--since TIME] [-e] [-n N] [--output json]\n"
	"                     [--set PATH=VALUE]...\n"
	"\n"
	"The records of a topic, decoded: what comes from now on, until "
	"Ctrl-C.\n"
	"TOPIC is changes, current, renewals, rejects, overrides, an input of "
	"the\n"
	"configuration, or a topic's full name. Only what is committed is "
	"shown.\n"
	"\n"
	"  --since TIME   begin at 2026-10-01T00:00:00Z, 1h (ago), start, or "
	"an\n"
	"                 offset (of every partition)\n"
	"  -e, --end      end where the topic ends now\n"
	"  -n, --limit N  end after N records\n"
	"  --account ID   only records with this key\n"
	"  -f FORMAT      as kcat has it: %t topic, %p partition, %o offset, "
	"%k key,\n"
	"                 %s value, %T timestamp (ms), %h headers, \\n, \\t; "
	"and\n"
	"                 {field}, {field.within}, {field|otherwise},\n"
	"                 {@timestamp}, {@headers.NAME}\n"
	"  --output json  an object a line\n"
	"\n"
	"    segmentd tail changes -c FILE --since 1h "
	"-f '{account_id} {to|none}'\n"
	"\n"
	"The status is 65 when there were records that cannot be decoded; each "
	"is\n"
	"told on standard error.\n";

/* For people; by enum look_topic_kind. */
static const char *const formats[] = {
	[LOOK_CHANGES] = "{event_time}  {account_id}  {segmentation}: "
			 "{from|none} -> {to|none}  ({origin}, version "
			 "{account_version})",
	[LOOK_CURRENT] = "{updated_at}  {account_id}  version "
			 "{account_version}  {segments}",
	[LOOK_RENEWALS] = "{event_time}  {account_id}  {from|none} -> "
			  "{to|none}",
	[LOOK_REJECTS] = "{@timestamp}  %k  {@headers.segmentd_reason}  "
			 "{@headers.segmentd_topic} "
			 "[{@headers.segmentd_partition}] at "
			 "{@headers.segmentd_offset}  "
			 "{@headers.segmentd_detail}",
	[LOOK_INPUT] = "{@timestamp}  %k  %s",
};
static const char without_value[] = "{@timestamp}  %k  (no value)";

struct tail {
	const struct cli_args *args;
	struct look_topic *topic;
	const char *format;
	bool is_default;
	bool is_done; /* enough was told, or nobody listens any more */
	uint64_t ntold;
	uint64_t nbad;
	struct arena arena; /* of a record */
	struct buf line;
};

static void
print_one(struct tail *tail, const struct tail_record *one)
{
	bool is_empty = one->rec->value == NULL;

	buf_reset(&tail->line);
	if (tail->args->output == CLI_JSON)
		tail_json(one, &tail->line);
	else if (tail->is_default && is_empty)
		tail_format(without_value, one, &tail->line);
	else
		tail_format(tail->format, one, &tail->line);
	(void)fwrite(tail->line.bytes, 1, tail->line.len, stdout);
	if (!tail->args->is_ended)
		(void)fflush(stdout);
	tail->ntold++;
}

static enum sg_err
on_record(void *ctx, const struct record *rec, struct sg_fault *why)
{
	struct tail *tail = ctx;
	const char *account = tail->args->account;
	struct tail_record one = {.topic = look_topic_name(tail->topic),
		.rec = rec,
		.type = look_topic_type(tail->topic)};
	struct sg_fault bad = {.err = SG_OK};
	enum sg_err err;

	if (account != NULL &&
		(rec->key == NULL || rec->key_len != strlen(account) ||
			memcmp(rec->key, account, rec->key_len) != 0))
		return SG_OK;
	arena_reset(&tail->arena);
	err = look_topic_decode(
		tail->topic, rec, &tail->arena, &one.value, &bad);
	if (err == SG_NOMEM)
		return err;
	if (err != SG_OK) {
		(void)fprintf(stderr, "segmentd tail: %s [%d] at %lld: %s\n",
			one.topic, (int)rec->partition, (long long)rec->offset,
			bad.text[0] == '\0' ? sg_err_text(err) : bad.text);
		tail->nbad++;
		return SG_OK;
	}
	print_one(tail, &one);
	if (tail->line.is_failed)
		return sg_fault_set(why, SG_NOMEM, "a record is too long");
	tail->is_done =
		ferror(stdout) != 0 ||
		(tail->args->limit > 0 && tail->ntold >= tail->args->limit);
	return tail->is_done ? SG_INTERRUPTED : SG_OK;
}

static bool
read_since(const char *text, struct look_follow *follow)
{
	char *end;

	if (text == NULL)
		return true; /* what comes */
	if (strcmp(text, "start") == 0) {
		follow->since_ms = INT64_MIN;
		return true;
	}
	if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
		errno = 0;
		follow->from_offset = strtoll(text, &end, 10);
		return errno == 0;
	}
	return cli_when(text, clock_now_ms(), false, &follow->since_ms) &&
	       follow->since_ms >= 0;
}

static int
read_topic(struct tail *tail, struct look_follow *follow)
{
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err =
		look_topic_read(tail->topic, follow, on_record, tail, &why);

	/* Ctrl-C is how it ends. */
	if (err != SG_OK && err != SG_INTERRUPTED)
		return cli_fail("tail", err, &why);
	if (fflush(stdout) != 0 && !tail->is_done)
		return SG_EXIT_IO;
	return tail->nbad > 0 ? SG_EXIT_DATA : SG_EXIT_OK;
}

static int
tail_topic(const struct cli_args *args, const struct cli_program *cp)
{
	struct look_follow follow = {.since_ms = INT64_MAX,
		.from_offset = -1,
		.is_ended = args->is_ended,
		.stop = &cli_stop};
	struct tail tail = {.args = args};
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err;
	int status;

	if (!read_since(args->since, &follow)) {
		(void)fprintf(stderr,
			"segmentd tail: --since is a time "
			"(2026-10-01T00:00:00Z), a span back from now (1h), "
			"start, or an offset\n");
		return SG_EXIT_USAGE;
	}
	err = look_topic_open(cp->program, args->operand, &tail.topic, &why);
	if (err == SG_OK) {
		tail.is_default = args->format == NULL;
		tail.format = args->format;
		if (tail.is_default)
			tail.format = formats[look_topic_kind(tail.topic)];
		err = tail_format_check(
			tail.format, look_topic_type(tail.topic), &why);
	}
	arena_init(&tail.arena, RECORD_BYTES_MAX);
	buf_init(&tail.line, RECORD_BYTES_MAX);
	status = err == SG_OK ? read_topic(&tail, &follow)
			      : cli_fail("tail", err, &why);
	if (err == SG_BAD_OPTION)
		status = SG_EXIT_USAGE;
	buf_fini(&tail.line);
	arena_fini(&tail.arena);
	look_topic_close(tail.topic);
	return status;
}

int
cli_tail(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	int status;

	if (!cli_parse(argc, argv,
		    CLI_CONFIG | CLI_OUTPUT | CLI_OPERAND | CLI_LIMIT |
			    CLI_TAIL,
		    usage, &args, &status))
		return status;
	status = cli_program_open(&args, true, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	cli_catch_signals();
	status = tail_topic(&args, &cp);
	cli_program_close(&cp);
	return status;
}
