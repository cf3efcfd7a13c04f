/*
 * demo_show.c - changes as they happen, a few of them, and how far it is.
 *
 * Far more changes happen than anybody can read. They wait here until the
 * clock of every group has passed them, so that they come in order of time;
 * then the one most worth seeing is printed, at most so many a second, and
 * the others are counted. What was shown a moment ago is worth less, so that
 * no kind drowns the others.
 */
#include "demo_show.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "segmentd/civil.h"
#include "segmentd/clock.h"

#define LINE_EVERY_US 130000
#define LINES_AT_ONCE 3
#define BAR_WIDTH 24
#define WIDTH_MIN 72
#define WIDE 108 /* columns from which on there is room for ARR */
#define WIDE_BEFORE (10 + 1 + 24 + 1 + 8 + 15 + 1 + 7 + 3 + 7 + 1)
#define NARROW_MOVE 22 /* "expansion_ready out->in" is one more */
#define NARROW_BEFORE (8 + 1 + 20 + 1 + NARROW_MOVE + 1)
#define RESET "\033[0m"

static bool
speaks_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < SG_COUNTOF(names); i++) {
		const char *value = getenv(names[i]);

		if (value != NULL && value[0] != '\0')
			return strcasestr(value, "utf-8") != NULL ||
			       strcasestr(value, "utf8") != NULL;
	}
	return false;
}

/* Columns of the terminal; a file has as many as a line wants. */
static int
width_of(FILE *stream)
{
	struct winsize size = {.ws_col = 0};

	if (isatty(fileno(stream)) != 1)
		return INT32_MAX;
	if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 ||
		size.ws_col < WIDTH_MIN)
		return WIDTH_MIN;
	return size.ws_col;
}

enum sg_err
demo_show_init(struct demo_show *show, const struct demo_company *company,
	const struct conf *conf, int32_t ngroups)
{
	memset(show, 0, sizeof(*show));
	show->moves = calloc(conf->nsegmentations + 1, sizeof(*show->moves));
	if (show->moves == NULL)
		return SG_NOMEM;
	if (pthread_mutex_init(&show->mtx, NULL) != 0) {
		free(show->moves);
		show->moves = NULL;
		return SG_NOMEM;
	}
	show->company = company;
	show->conf = conf;
	show->ngroups = ngroups;
	for (int32_t g = 0; g < DEMO_PARTITIONS_MAX; g++)
		show->clock_ms[g] = INT64_MIN;
	show->has_colours = cli_has_colours(stdout);
	show->has_status = isatty(STDERR_FILENO) == 1;
	show->is_utf8 = speaks_utf8();
	show->width = width_of(stdout);
	show->last_us = clock_mono_us();
	return SG_OK;
}

void
demo_show_fini(struct demo_show *show)
{
	if (show->moves == NULL)
		return;
	(void)pthread_mutex_destroy(&show->mtx);
	free(show->moves);
	show->moves = NULL;
}

/* --- from the workers --------------------------------------------------- */

static size_t
segmentation_of(const struct demo_show *show, const char *name)
{
	size_t i = 0;

	while (i < show->conf->nsegmentations &&
		strcmp(show->conf->segmentations[i].name.s, name) != 0)
		i++;
	return i;
}

/* Where none is free, the one least worth it goes. */
static void
keep_line(struct demo_show *show, const struct demo_line *line)
{
	size_t least = 0;

	if (show->nlines < DEMO_LINES_MAX) {
		show->lines[show->nlines++] = *line;
		return;
	}
	for (size_t i = 1; i < show->nlines; i++) {
		if (show->lines[i].worth < show->lines[least].worth)
			least = i;
	}
	if (show->lines[least].worth < line->worth)
		show->lines[least] = *line;
}

void
demo_show_change(struct demo_show *show, const struct change *change)
{
	int64_t shown_ms = demo_company_shown_day() * CIVIL_DAY_MS;
	struct demo_line line = {.worth = 0};
	bool is_line = false;

	if (change->event_time_ms >= shown_ms + CIVIL_DAY_MS &&
		demo_company_find(
			show->company, change->account, &line.account))
		is_line = demo_why(change,
			demo_company_arr(show->company, line.account,
				change->event_time_ms - 1),
			&line);
	(void)pthread_mutex_lock(&show->mtx);
	show->nchanges++;
	show->nplaced += change->account_version == 1;
	show->moves[segmentation_of(show, change->segmentation)]
		   [change->origin]++;
	if (is_line)
		keep_line(show, &line);
	(void)pthread_mutex_unlock(&show->mtx);
}

void
demo_show_clock(struct demo_show *show, int32_t group, int64_t now_ms)
{
	if (group < 0 || group >= DEMO_PARTITIONS_MAX)
		return;
	(void)pthread_mutex_lock(&show->mtx);
	show->clock_ms[group] = now_ms;
	(void)pthread_mutex_unlock(&show->mtx);
}

int64_t
demo_show_now(struct demo_show *show)
{
	int64_t now_ms = INT64_MAX;

	(void)pthread_mutex_lock(&show->mtx);
	for (int32_t g = 0; g < show->ngroups; g++) {
		if (show->clock_ms[g] < now_ms)
			now_ms = show->clock_ms[g];
	}
	(void)pthread_mutex_unlock(&show->mtx);
	return now_ms;
}

/* --- lines -------------------------------------------------------------- */

static const char *
colour(const struct demo_show *show, enum demo_colour colour)
{
	static const char *const codes[] = {[DEMO_PLAIN] = "",
		[DEMO_GOOD] = "\033[32m",
		[DEMO_WARN] = "\033[33m",
		[DEMO_BAD] = "\033[1;31m",
		[DEMO_NEWS] = "\033[36m"};

	return show->has_colours ? codes[colour] : "";
}

static const char *
code(const struct demo_show *show, const char *escape)
{
	return show->has_colours ? escape : "";
}

static void
clear_status(const struct demo_show *show)
{
	if (!show->has_status)
		return;
	(void)fputs("\r\033[K", stderr);
	(void)fflush(stderr);
}

/* A tag says "-" where it means out. */
static const char *
seat(const struct demo_line *line, const char *name)
{
	bool is_tag =
		strcmp(line->from, "in") == 0 || strcmp(line->to, "in") == 0;

	return is_tag && strcmp(name, "-") == 0 ? "out" : name;
}

/* What has colours or an arrow is aligned by hand: it has more bytes than
 * columns. */
static void
print_move(const struct demo_show *show, const struct demo_line *line)
{
	const char *from = seat(line, line->from);
	const char *to = seat(line, line->to);
	const char *arrow = show->is_utf8 ? "\u2192" : "->";
	int pad = 0;

	if (show->width < WIDE) {
		pad = NARROW_MOVE -
		      (int)(strlen(line->what) + strlen(from) + strlen(to) +
			      (show->is_utf8 ? 2 : 3));
		(void)printf("%s%s%s %s%s%s%s%s%*s ", code(show, "\033[36m"),
			line->what, code(show, RESET), from, arrow,
			colour(show, line->colour), to, code(show, RESET),
			pad > 0 ? pad : 0, "");
		return;
	}
	(void)printf("%s%-15s%s %s%7s%s %s %s%-7s%s ", code(show, "\033[36m"),
		line->what, code(show, RESET), code(show, "\033[2m"), from,
		code(show, RESET), arrow, colour(show, line->colour), to,
		code(show, RESET));
}

static void
print_line(struct demo_show *show, const struct demo_line *line)
{
	bool is_wide = show->width >= WIDE;
	int left = show->width - (is_wide ? WIDE_BEFORE : NARROW_BEFORE);
	struct demo_account_info info;
	char date[32], money[32];

	demo_company_info(show->company, line->account, &info);
	demo_date(line->at_ms, date);
	demo_money(demo_company_arr(show->company, line->account, line->at_ms),
		money);
	(void)printf("%s%s%s %s%-*.*s%s ", code(show, "\033[2m"),
		is_wide ? date : date + 2, code(show, RESET),
		code(show, "\033[1m"), is_wide ? 24 : 20, is_wide ? 24 : 20,
		info.name, code(show, RESET));
	if (is_wide)
		(void)printf("%6s  ", money);
	print_move(show, line);
	(void)printf("%.*s\n", left, line->why);
	(void)snprintf(show->recent[show->nrecent++ % SG_COUNTOF(show->recent)],
		sizeof(show->recent[0]), "%s%s", line->what, line->to);
	show->nshown++;
}

void
demo_show_head(const struct demo_show *show)
{
	const char *gap = show->is_utf8 ? "" : " ";

	if (show->width < WIDE)
		(void)printf("%s%-8s %-20s %-*s why%s\n", code(show, "\033[4m"),
			"date", "account", NARROW_MOVE, "change",
			code(show, RESET));
	else
		(void)printf("%s%-10s %-24s %6s  %-15s %7s   %s%-7s why%s\n",
			code(show, "\033[4m"), "date", "account", "ARR",
			"segmentation", "from", gap, "to", code(show, RESET));
	(void)fflush(stdout);
}

static int
worth_now(const struct demo_show *show, const struct demo_line *line)
{
	char kind[sizeof(show->recent[0])];
	int worth = line->worth;

	(void)snprintf(kind, sizeof(kind), "%s%s", line->what, line->to);
	for (size_t i = 0; i < SG_COUNTOF(show->recent); i++)
		worth -= strcmp(show->recent[i], kind) == 0 ? 18 : 0;
	return worth;
}

/* Take out the best of those that are due; false when none is. */
static bool
take_best(struct demo_show *show, int64_t now_ms, struct demo_line *ret_line)
{
	size_t best = SIZE_MAX;
	int worth = 0;

	for (size_t i = 0; i < show->nlines; i++) {
		int w = worth_now(show, &show->lines[i]);

		if (show->lines[i].at_ms > now_ms ||
			(best != SIZE_MAX && w <= worth))
			continue;
		best = i;
		worth = w;
	}
	if (best == SIZE_MAX)
		return false;
	*ret_line = show->lines[best];
	show->lines[best] = show->lines[--show->nlines];
	return true;
}

/* What is due and was not taken is not shown any more. */
static void
drop_due(struct demo_show *show, int64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < show->nlines; i++) {
		if (show->lines[i].at_ms > now_ms)
			show->lines[kept++] = show->lines[i];
	}
	show->nlines = kept;
}

static int
compare_lines(const void *a, const void *b)
{
	const struct demo_line *x = a;
	const struct demo_line *y = b;

	return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

/* --- the status line ---------------------------------------------------- */

static void
print_status(struct demo_show *show, int64_t now_ms)
{
	int64_t from = demo_company_first_day() * CIVIL_DAY_MS;
	int64_t to = demo_company_end_day() * CIVIL_DAY_MS;
	int64_t at = now_ms < from ? from : now_ms > to ? to : now_ms;
	int filled = (int)((at - from) * BAR_WIDTH / (to - from));
	char date[32], changes[32], text[160];

	if (!show->has_status)
		return;
	if (now_ms == INT64_MIN) {
		(void)fputs(
			"\rthe consumer group is forming ...\033[K", stderr);
		(void)fflush(stderr);
		return;
	}
	demo_date(at, date);
	demo_number(show->nchanges, changes);
	(void)snprintf(text, sizeof(text),
		"%s [%.*s%*s] %3d%%  %s changes, %u of them shown", date,
		filled, "########################", BAR_WIDTH - filled, "",
		(int)((at - from) * 100 / (to - from)), changes,
		(unsigned)show->nshown);
	(void)fprintf(stderr, "\r%.*s\033[K",
		show->width > 1 ? show->width - 1 : 0, text);
	(void)fflush(stderr);
}

void
demo_show_frame(struct demo_show *show)
{
	struct demo_line lines[LINES_AT_ONCE];
	int64_t now_us = clock_mono_us();
	int64_t now_ms = demo_show_now(show);
	size_t n = 0;

	show->tokens_us += now_us - show->last_us;
	show->last_us = now_us;
	if (show->tokens_us > LINES_AT_ONCE * LINE_EVERY_US)
		show->tokens_us = LINES_AT_ONCE * LINE_EVERY_US;
	(void)pthread_mutex_lock(&show->mtx);
	while (n < LINES_AT_ONCE && show->tokens_us >= LINE_EVERY_US &&
		take_best(show, now_ms, &lines[n])) {
		show->tokens_us -= LINE_EVERY_US;
		n++;
	}
	if (n > 0)
		drop_due(show, now_ms);
	(void)pthread_mutex_unlock(&show->mtx);
	if (n > 0) {
		qsort(lines, n, sizeof(*lines), compare_lines);
		clear_status(show);
		for (size_t i = 0; i < n; i++)
			print_line(show, &lines[i]);
		(void)fflush(stdout);
	}
	print_status(show, now_ms);
}

void
demo_show_end(struct demo_show *show)
{
	clear_status(show);
}
