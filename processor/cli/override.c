/*
 * override.c - segmentd override: a person pins an account's segment.
 *
 * All it does is to produce the event; the daemon folds it as any other. So
 * everything is checked before: the daemon would only reject the record, and
 * nobody would be told.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "segmentd/change.h"
#include "segmentd/civil.h"
#include "segmentd/clock.h"
#include "segmentd/log.h"
#include "segmentd/utf8.h"
#include "view.h"

#define TEXT_MAX                                                               \
	512 /* bytes of author and reason; the daemon cuts longer ones */
#define VIEW_BYTES_MAX ((size_t)64 << 20)
#define LINE_BYTES_MAX ((size_t)1 << 20)

static const char usage[] =
	"usage: segmentd override set ACCOUNT SEGMENT --author NAME -c FILE\n"
	"                         [--reason TEXT] [--expires TIME]\n"
	"       segmentd override clear ACCOUNT SEGMENTATION --author NAME -c "
	"FILE\n"
	"                         [--reason TEXT]\n"
	"       segmentd override list [ACCOUNT] -c FILE [--output csv|json]\n"
	"\n"
	"set pins an account: whatever the rules say, it is in SEGMENT "
	"(touch.high,\n"
	"busy.in, busy.out) until the pin expires or is taken back by clear. "
	"All\n"
	"that is done is to produce an event to the topic topics.overrides; "
	"the\n"
	"daemon publishes the change, with the reason. list shows the pins in\n"
	"force, as Redis has them.\n"
	"\n"
	"  --author NAME   who decides it\n"
	"  --reason TEXT   why; it is published with the change\n"
	"  --expires TIME  when the pin ends by itself: 2026-10-01T00:00:00Z, "
	"or\n"
	"                  30d from now; else it does not\n"
	"\n"
	"Nothing is produced when anything is wrong. The status is 1 when "
	"there\n"
	"is no such account, 64 when the segment, author or time will not "
	"do.\n";

/* --- set and clear ------------------------------------------------------ */

static int
refuse(const char *text)
{
	(void)fprintf(stderr, "segmentd override: %s\n", text);
	return SG_EXIT_USAGE;
}

static int
read_texts(const struct cli_args *args, struct look_pin *pin)
{
	pin->author = args->author;
	pin->reason = args->reason == NULL ? "" : args->reason;
	if (pin->author == NULL ||
		pin->author[strspn(pin->author, " ")] == '\0')
		return refuse("who decides it? (--author NAME)");
	if (strlen(pin->author) > TEXT_MAX || strlen(pin->reason) > TEXT_MAX)
		return refuse("author and reason have at most 512 bytes");
	if (!utf8_is_valid(pin->author, strlen(pin->author)) ||
		!utf8_is_valid(pin->reason, strlen(pin->reason)))
		return refuse("author and reason must be UTF-8");
	return SG_EXIT_OK;
}

static int
read_expiry(const struct cli_args *args, struct look_pin *pin)
{
	pin->expires_ms = AT_NEVER;
	if (args->expires == NULL)
		return SG_EXIT_OK;
	if (!cli_when(args->expires, pin->at_ms, true, &pin->expires_ms))
		return refuse("--expires is a time (2026-10-01T00:00:00Z, "
			      "2026-10-01) or a span from now (30d, 12h)");
	if (pin->expires_ms <= pin->at_ms)
		return refuse("--expires has passed: the pin would end before "
			      "it begins");
	return SG_EXIT_OK;
}

static int
read_segment(const struct program *program, const char *text, bool is_clear,
	struct look_pin *pin)
{
	struct look_place place;
	struct sg_fault why;

	if (look_place(program, text, &place, &why) != SG_OK)
		return refuse(why.text);
	if (place.is_renewal)
		return refuse("the renewal window follows its date: it cannot "
			      "be pinned");
	if (is_clear && place.segment != NULL)
		return refuse("clear takes the name of a segmentation alone");
	if (!is_clear && place.segment == NULL && !place.is_tag)
		return refuse("which segment? write SEGMENTATION.SEGMENT");
	pin->segmentation = place.segmentation;
	pin->segment = place.segment;
	if (!is_clear && place.segment == NULL)
		pin->segment = "in";
	return SG_EXIT_OK;
}

/* The account must be there: a mistyped id would make one out of nothing. */
static enum sg_err
send_pin(const struct cli_program *cp, const struct look_pin *pin,
	struct sg_fault *why)
{
	struct store_field *fields = NULL;
	struct look *look = NULL;
	struct arena arena;
	enum sg_err err;
	size_t n = 0;

	arena_init(&arena, VIEW_BYTES_MAX);
	err = look_open(cp->program, &look, why);
	if (err == SG_OK)
		err = look_view(look, pin->account, &arena, &fields, &n, why);
	if (err == SG_OK)
		err = look_pin_send(look, pin, &cli_stop, why);
	look_close(look);
	arena_fini(&arena);
	return err;
}

static int
set_or_clear(const struct cli_args *args, const struct cli_program *cp,
	bool is_clear)
{
	struct look_pin pin = {
		.account = args->operands[1], .at_ms = clock_now_ms()};
	struct sg_fault why = {.err = SG_OK};
	int status =
		read_segment(cp->program, args->operands[2], is_clear, &pin);
	char until[CIVIL_RFC3339_MAX] = "it is cleared";
	enum sg_err err;

	if (status == SG_EXIT_OK)
		status = read_texts(args, &pin);
	if (status == SG_EXIT_OK && is_clear && args->expires != NULL)
		status = refuse("--expires is of set");
	if (status == SG_EXIT_OK)
		status = read_expiry(args, &pin);
	if (status != SG_EXIT_OK)
		return status;
	err = send_pin(cp, &pin, &why);
	if (err != SG_OK) {
		status = cli_fail("override", err, &why);
		return err == SG_NO_ACCOUNT ? SG_EXIT_FAILED : status;
	}
	if (pin.expires_ms != AT_NEVER)
		(void)civil_format_ms(pin.expires_ms, until, sizeof(until));
	if (is_clear)
		(void)printf("%s: the pin in %s is taken back\n", pin.account,
			pin.segmentation);
	else
		(void)printf("%s: pinned to %s.%s until %s\n", pin.account,
			pin.segmentation, pin.segment, until);
	return SG_EXIT_OK;
}

/* --- list --------------------------------------------------------------- */

struct listing {
	enum cli_output output;
	json_t *json;
	struct buf line;
	bool is_headed;
};

static const char *
time_text(int64_t ms, const char *never, char text[CIVIL_RFC3339_MAX])
{
	if (ms == AT_NEVER)
		return never;
	(void)civil_format_ms(ms, text, CIVIL_RFC3339_MAX);
	return text;
}

static void
list_json(struct listing *list, const struct look_pin *pin)
{
	char at[CIVIL_RFC3339_MAX], expires[CIVIL_RFC3339_MAX];

	(void)json_array_append_new(list->json,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?}", "account_id",
			pin->account, "segmentation", pin->segmentation,
			"segment", pin->segment, "author", pin->author,
			"reason", pin->reason, "at",
			time_text(pin->at_ms, "", at), "expires_at",
			time_text(pin->expires_ms, NULL, expires)));
}

static void
list_csv(struct listing *list, const struct look_pin *pin)
{
	char at[CIVIL_RFC3339_MAX], expires[CIVIL_RFC3339_MAX];
	const char *const cells[] = {pin->account, pin->segmentation,
		pin->segment, pin->author, pin->reason,
		time_text(pin->at_ms, "", at),
		time_text(pin->expires_ms, "", expires)};

	buf_reset(&list->line);
	for (size_t i = 0; i < SG_COUNTOF(cells); i++) {
		if (i > 0)
			buf_put_u8(&list->line, ',');
		csv_put(&list->line, cells[i]);
	}
	(void)puts(buf_cstr(&list->line));
}

static void
on_pin(void *ctx, const struct look_pin *pin)
{
	struct listing *list = ctx;
	char expires[CIVIL_RFC3339_MAX];
	char place[256];

	if (list->output == CLI_JSON) {
		list_json(list, pin);
		return;
	}
	if (list->output == CLI_CSV) {
		list_csv(list, pin);
		return;
	}
	if (!list->is_headed)
		(void)printf("%-20s  %-20s  %-24s  %-12s  %s\n", "account",
			"pinned to", "until", "author", "reason");
	list->is_headed = true;
	(void)snprintf(
		place, sizeof(place), "%s.%s", pin->segmentation, pin->segment);
	(void)printf("%-20s  %-20s  %-24s  %-12s  %s\n", pin->account, place,
		time_text(pin->expires_ms, "cleared", expires), pin->author,
		pin->reason);
}

static int
list_pins(const struct cli_args *args, const struct cli_program *cp)
{
	struct listing list = {.output = args->output, .json = json_array()};
	struct sg_fault why = {.err = SG_OK};
	struct look *look = NULL;
	enum sg_err err = look_open(cp->program, &look, &why);
	int status = SG_EXIT_OK;

	buf_init(&list.line, LINE_BYTES_MAX);
	if (err == SG_OK && list.output == CLI_CSV)
		(void)printf("account_id,segmentation,segment,author,reason,"
			     "at,expires_at\n");
	if (err == SG_OK)
		err = look_pins(look, args->operands[1], clock_now_ms(),
			&cli_stop, on_pin, &list, &why);
	if (err != SG_OK)
		status = cli_fail("override", err, &why);
	else if (list.output == CLI_JSON)
		status = json_print(json_incref(list.json));
	if (err == SG_NO_ACCOUNT)
		status = SG_EXIT_FAILED;
	json_decref(list.json);
	buf_fini(&list.line);
	look_close(look);
	return status;
}

/* --- the verb ----------------------------------------------------------- */

int
cli_override(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	bool is_list, is_clear;
	int status;

	if (!cli_parse(argc, argv,
		    CLI_CONFIG | CLI_OUTPUT | CLI_HAS_CSV | CLI_OPERANDS |
			    CLI_OVERRIDE,
		    usage, &args, &status))
		return status;
	is_list = args.noperands > 0 && strcmp(args.operands[0], "list") == 0;
	is_clear = args.noperands > 0 && strcmp(args.operands[0], "clear") == 0;
	if ((is_list && args.noperands > 2) ||
		(!is_list && args.noperands != 3) ||
		(!is_list && !is_clear &&
			strcmp(args.operands[0], "set") != 0)) {
		(void)fputs(usage, stderr);
		return SG_EXIT_USAGE;
	}
	status = cli_program_open(&args, !is_list, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	cli_catch_signals();
	status = is_list ? list_pins(&args, &cp)
			 : set_or_clear(&args, &cp, is_clear);
	cli_program_close(&cp);
	return status;
}
