/* term.c - signals, the progress bar, colours, and how a failure is told. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define BAR_WIDTH 30

atomic_bool cli_stop;
atomic_bool cli_hangup;

static void
on_signal(int signal)
{
	(void)signal;
	atomic_store(&cli_stop, true);
}

static void
on_hangup(int signal)
{
	(void)signal;
	atomic_store(&cli_hangup, true);
}

void
cli_catch_hangup(void)
{
	struct sigaction action = {.sa_handler = on_hangup};

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGHUP, &action, NULL);
}

void
cli_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
}

static int
exit_of(enum sg_err err)
{
	switch (err) {
	case SG_OK:
		return SG_EXIT_OK;
	case SG_BAD_CONFIG:
	case SG_BAD_SCHEMA:
	case SG_BAD_OPTION:
	case SG_NO_LIBRARY:
		return SG_EXIT_CONFIG;
	case SG_IO:
		return SG_EXIT_IO;
	case SG_OPERATOR:
		return SG_EXIT_UNAVAILABLE;
	case SG_INTERRUPTED:
		return 130;
	default:
		break;
	}
	switch (sg_err_class(err)) {
	case SG_CLASS_SKIP:
		return SG_EXIT_DATA;
	case SG_CLASS_RETRY:
		return SG_EXIT_UNAVAILABLE;
	default:
		return SG_EXIT_INTERNAL;
	}
}

int
cli_fail(const char *verb, enum sg_err err, const struct sg_fault *why)
{
	const char *detail =
		why == NULL || why->text[0] == '\0' ? NULL : why->text;

	if (err == SG_INTERRUPTED)
		(void)fprintf(stderr, "segmentd %s: stopped\n", verb);
	else
		(void)fprintf(stderr, "segmentd %s: %s\n", verb,
			detail == NULL ? sg_err_text(err) : detail);
	return exit_of(err);
}

void
cli_bar_begin(struct cli_bar *bar, const char *what)
{
	*bar = (struct cli_bar){.what = what, .last_percent = -1};
	bar->is_on = isatty(STDERR_FILENO) == 1;
}

void
cli_bar_show(struct cli_bar *bar, uint64_t done, uint64_t total)
{
	int percent = total == 0 ? 0 : (int)(done * 100 / total);
	int filled;

	if (!bar->is_on)
		return;
	if (total == 0) {
		(void)fprintf(stderr, "\r%s %llu", bar->what,
			(unsigned long long)done);
		return;
	}
	if (percent > 100)
		percent = 100;
	if (percent == bar->last_percent)
		return;
	bar->last_percent = percent;
	filled = percent * BAR_WIDTH / 100;
	(void)fprintf(stderr, "\r%s [%.*s%*s] %3d%%", bar->what, filled,
		"##############################", BAR_WIDTH - filled, "",
		percent);
	(void)fflush(stderr);
}

void
cli_bar_end(struct cli_bar *bar)
{
	if (bar->is_on)
		(void)fprintf(stderr, "\r\033[K");
}

bool
cli_has_colours(FILE *stream)
{
	const char *no = getenv("NO_COLOR");
	int fd = fileno(stream);

	return (no == NULL || no[0] == '\0') && fd >= 0 && isatty(fd) == 1;
}
