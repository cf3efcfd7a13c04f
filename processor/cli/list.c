/* list.c - segmentd list: the accounts of a segment. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "segmentd/log.h"
#include "view.h"

#define FIELDS_MAX 64
#define LIST_BYTES_MAX ((size_t)1 << 32)
#define VIEW_BYTES_MAX ((size_t)64 << 20)
#define LINE_BYTES_MAX ((size_t)64 << 20)

static const char usage[] =
	"usage: segmentd list SEGMENT -c FILE [-n N] [--fields NAME,...]\n"
	"                     [--output csv|json] [--set PATH=VALUE]...\n"
	"\n"
	"The accounts of a segment, as Redis has them, by account id. SEGMENT\n"
	"is touch.high or touch=high; of a tag its name alone (busy); of the\n"
	"renewal window renewal.T-90.\n"
	"\n"
	"  -n, --limit N      no more than N of them, whichever come first\n"
	"  --fields NAME,...  with these of each account: features, scores,\n"
	"                     variables (account.arr), segment.busy, version,\n"
	"                     updated_at, renewal.date, renewal.priority ...\n"
	"\n"
	"How many there are in all is told on standard error when they are "
	"not\n"
	"all listed.\n";

struct list {
	const struct program *program;
	struct look *look;
	enum cli_output output;
	char *names; /* of the fields, each ended by a NUL */
	const char *fields[FIELDS_MAX];
	size_t nfields;
	struct look_member *members;
	size_t n;
	uint64_t total;
	struct arena arena; /* of all members, and of their cells in text */
	struct arena view;  /* of one account */
	struct buf line;
	const char **cells; /* text: nfields an account */
	json_t *json;
};

static int
read_fields(struct list *list, const char *text)
{
	struct sg_fault why;

	if (text == NULL)
		return SG_EXIT_OK;
	list->names = strdup(text);
	if (list->names == NULL)
		return SG_EXIT_INTERNAL;
	for (char *at = list->names; at != NULL;) {
		char *name = strsep(&at, ",");

		if (list->nfields == FIELDS_MAX) {
			(void)fprintf(stderr,
				"segmentd list: at most %d fields\n",
				FIELDS_MAX);
			return SG_EXIT_USAGE;
		}
		if (look_field(list->program, name, &why) != SG_OK) {
			(void)fprintf(stderr, "segmentd list: %s\n", why.text);
			return SG_EXIT_USAGE;
		}
		list->fields[list->nfields++] = name;
	}
	return SG_EXIT_OK;
}

static int
read_place(const struct cli_args *args, const struct cli_program *cp,
	struct look_place *ret_place)
{
	struct sg_fault why;

	if (look_place(cp->program, args->operand, ret_place, &why) != SG_OK) {
		(void)fprintf(stderr, "segmentd list: %s\n", why.text);
		return SG_EXIT_USAGE;
	}
	if (ret_place->segment == NULL && ret_place->is_tag)
		ret_place->segment = "in";
	if (ret_place->segment == NULL) {
		(void)fprintf(stderr,
			"segmentd list: which segment of %s? (%s.NAME)\n",
			ret_place->segmentation, ret_place->segmentation);
		return SG_EXIT_USAGE;
	}
	if (ret_place->is_tag && strcmp(ret_place->segment, "out") == 0) {
		(void)fprintf(stderr,
			"segmentd list: nobody keeps a list of those that are "
			"out of %s\n",
			ret_place->segmentation);
		return SG_EXIT_USAGE;
	}
	return SG_EXIT_OK;
}

/* --- one account -------------------------------------------------------- */

static enum sg_err
add_text(
	struct list *list, size_t i, const struct store_field *fields, size_t n)
{
	for (size_t k = 0; k < list->nfields; k++) {
		const struct store_field *field =
			view_find(fields, n, list->fields[k]);
		const char *text = field == NULL ? "" : field->value;
		char *copy = arena_copy(&list->arena, text, strlen(text));

		if (copy == NULL)
			return SG_NOMEM;
		list->cells[i * list->nfields + k] = copy;
	}
	return SG_OK;
}

static enum sg_err
add_csv(struct list *list, size_t i, const struct store_field *fields, size_t n)
{
	buf_reset(&list->line);
	csv_put(&list->line, list->members[i].account);
	for (size_t k = 0; k < list->nfields; k++) {
		const struct store_field *field =
			view_find(fields, n, list->fields[k]);

		buf_put_u8(&list->line, ',');
		csv_put(&list->line, field == NULL ? "" : field->value);
	}
	(void)puts(buf_cstr(&list->line));
	return list->line.is_failed ? SG_NOMEM : SG_OK;
}

static enum sg_err
add_json(
	struct list *list, size_t i, const struct store_field *fields, size_t n)
{
	json_t *account =
		json_pack("{s:s}", "account_id", list->members[i].account);

	for (size_t k = 0; k < list->nfields; k++)
		(void)json_object_set_new(account, list->fields[k],
			view_json(list->program,
				view_find(fields, n, list->fields[k])));
	return json_array_append_new(list->json, account) == 0 ? SG_OK
							       : SG_NOMEM;
}

static enum sg_err
add_one(struct list *list, size_t i, struct sg_fault *why)
{
	struct store_field *fields = NULL;
	enum sg_err err = SG_OK;
	size_t n = 0;

	if (atomic_load(&cli_stop))
		return SG_INTERRUPTED;
	arena_reset(&list->view);
	if (list->nfields > 0)
		err = look_member_view(list->look, &list->members[i],
			&list->view, &fields, &n, why);
	if (err != SG_OK)
		return err;
	if (list->output == CLI_CSV)
		return add_csv(list, i, fields, n);
	if (list->output == CLI_JSON)
		return add_json(list, i, fields, n);
	return add_text(list, i, fields, n);
}

/* --- all of them -------------------------------------------------------- */

/* Columns as wide as what is in them. */
static void
print_table(const struct list *list)
{
	int widths[FIELDS_MAX + 1] = {(int)strlen("account")};

	for (size_t k = 0; k < list->nfields; k++)
		widths[k + 1] = (int)strlen(list->fields[k]);
	for (size_t i = 0; i < list->n; i++) {
		for (size_t k = 0; k <= list->nfields; k++) {
			const char *text =
				k == 0 ? list->members[i].account
				       : list->cells[i * list->nfields + k - 1];

			if ((int)strlen(text) > widths[k])
				widths[k] = (int)strlen(text);
		}
	}
	if (list->nfields > 0)
		(void)printf("%-*s", widths[0], "account");
	for (size_t k = 0; k < list->nfields; k++)
		(void)printf("  %*s",
			k + 1 == list->nfields ? 0 : -widths[k + 1],
			list->fields[k]);
	if (list->nfields > 0)
		(void)printf("\n");
	for (size_t i = 0; i < list->n; i++) {
		(void)printf("%-*s", list->nfields == 0 ? 0 : widths[0],
			list->members[i].account);
		for (size_t k = 0; k < list->nfields; k++)
			(void)printf("  %*s",
				k + 1 == list->nfields ? 0 : -widths[k + 1],
				list->cells[i * list->nfields + k]);
		(void)printf("\n");
	}
}

static void
print_csv_head(struct list *list)
{
	(void)printf("account_id");
	for (size_t k = 0; k < list->nfields; k++)
		(void)printf(",%s", list->fields[k]);
	(void)printf("\n");
}

static enum sg_err
list_all(struct list *list, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	list->cells = arena_array(&list->arena, list->n * list->nfields + 1,
		sizeof(*list->cells));
	list->json = json_array();
	if (list->cells == NULL || list->json == NULL)
		return SG_NOMEM;
	if (list->output == CLI_CSV)
		print_csv_head(list);
	for (size_t i = 0; i < list->n && err == SG_OK; i++)
		err = add_one(list, i, why);
	if (err != SG_OK)
		return err;
	if (list->output == CLI_TEXT)
		print_table(list);
	if (list->output == CLI_JSON &&
		json_print(json_incref(list->json)) != SG_EXIT_OK)
		return SG_NOMEM;
	if (list->n < list->total)
		(void)fprintf(stderr, "%zu of %" PRIu64 " accounts\n", list->n,
			list->total);
	return SG_OK;
}

static int
list_segment(const struct cli_args *args, const struct cli_program *cp,
	const struct look_place *place, struct list *list)
{
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err = look_open(cp->program, &list->look, &why);

	if (err == SG_OK)
		err = look_members(list->look, place, args->limit, &list->arena,
			&list->members, &list->n, &list->total, &why);
	if (err == SG_OK)
		err = list_all(list, &why);
	look_close(list->look);
	return err == SG_OK ? SG_EXIT_OK : cli_fail("list", err, &why);
}

int
cli_list(int argc, char **argv)
{
	struct list list = {.look = NULL};
	struct look_place place;
	struct cli_program cp;
	struct cli_args args;
	int status;

	if (!cli_parse(argc, argv,
		    CLI_CONFIG | CLI_OUTPUT | CLI_HAS_CSV | CLI_OPERAND |
			    CLI_LIMIT | CLI_FIELDS,
		    usage, &args, &status))
		return status;
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	cli_catch_signals();
	list.program = cp.program;
	list.output = args.output;
	arena_init(&list.arena, LIST_BYTES_MAX);
	arena_init(&list.view, VIEW_BYTES_MAX);
	buf_init(&list.line, LINE_BYTES_MAX);
	status = read_place(&args, &cp, &place);
	if (status == SG_EXIT_OK)
		status = read_fields(&list, args.fields);
	if (status == SG_EXIT_OK)
		status = list_segment(&args, &cp, &place, &list);
	json_decref(list.json);
	buf_fini(&list.line);
	arena_fini(&list.view);
	arena_fini(&list.arena);
	free(list.names);
	cli_program_close(&cp);
	return status;
}
