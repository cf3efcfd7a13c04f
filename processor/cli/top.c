/* top.c - segmentd top: a screen of what daemons do. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "http_get.h"
#include "segmentd/clock.h"
#include "top_frame.h"
#include "view.h"

#define INTERVAL_S 2
#define INTERVAL_MAX_S 3600
#define STEP_MS 50
#define SCRAPE_BYTES_MAX ((size_t)256 << 20)
#define ADDRESS_MAX 256
#define FRAME_BYTES_MAX ((size_t)4 << 20)

/* The screen of its own that a terminal has for such programs. */
#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H\033[J"

static const char usage[] =
	"usage: segmentd top -c FILE [--interval SECONDS] [--once] [--output "
	"json]\n"
	"       segmentd top --url HOST:PORT... \n"
	"\n"
	"A screen of what running daemons do, from their /metrics and "
	"/readyz:\n"
	"rates, lag, latency, moves a minute by segmentation, whose rules are\n"
	"slowest, the state of Kafka and Redis. It ends at Ctrl-C; where the\n"
	"output is no terminal, after one frame.\n"
	"\n"
	"  -c FILE             the daemon at http.listen of the configuration\n"
	"  --url HOST:PORT     a daemon; several are added up\n"
	"  --interval SECONDS  how long a frame is (2)\n"
	"  --once              one frame\n"
	"  --output json       the frame as JSON, for machines\n"
	"\n"
	"The status is 69 when no daemon answers.\n";

struct address {
	char host[ADDRESS_MAX];
	char port[16];
};

struct top {
	struct address daemons[CLI_URLS_MAX];
	size_t n;
	struct top_scrape scrapes[2];
	int64_t interval_ms;
	bool is_once;
	bool is_json;
	bool is_screen;
};

/* --- whom to ask -------------------------------------------------------- */

/* "host:port", "[::1]:port", with http:// before it or a slash behind. */
static bool
read_address(const char *url, struct address *ret)
{
	const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : url;
	size_t len = strcspn(host, "/");
	const char *colon = memrchr(host, ':', len);
	size_t host_len, port_len;

	if (colon == NULL)
		return false;
	host_len = (size_t)(colon - host);
	port_len = len - host_len - 1;
	if (host_len >= 2 && host[0] == '[' && colon[-1] == ']') {
		host++;
		host_len -= 2;
	}
	if (host_len >= sizeof(ret->host) || port_len >= sizeof(ret->port) ||
		port_len == 0)
		return false;
	memcpy(ret->host, host, host_len);
	ret->host[host_len] = '\0';
	memcpy(ret->port, colon + 1, port_len);
	ret->port[port_len] = '\0';
	/* Where it listens everywhere, it does so here. */
	if (host_len == 0 || strcmp(ret->host, "0.0.0.0") == 0)
		(void)snprintf(ret->host, sizeof(ret->host), "127.0.0.1");
	else if (strcmp(ret->host, "::") == 0)
		(void)snprintf(ret->host, sizeof(ret->host), "::1");
	return true;
}

static int
add_daemon(struct top *top, const char *url)
{
	if (read_address(url, &top->daemons[top->n])) {
		top->n++;
		return SG_EXIT_OK;
	}
	(void)fprintf(stderr, "segmentd top: `%s` is not HOST:PORT\n", url);
	return SG_EXIT_USAGE;
}

static int
find_daemons(struct top *top, const struct cli_args *args)
{
	struct cli_program cp;
	int status = SG_EXIT_OK;

	for (size_t i = 0; i < args->nurls && status == SG_EXIT_OK; i++)
		status = add_daemon(top, args->urls[i]);
	if (args->nurls > 0)
		return status;
	status = cli_program_open(args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	if (cp.conf->opt.http_listen.len == 0) {
		(void)fprintf(stderr, "segmentd top: the daemon has no "
				      "listener: set http.listen\n");
		status = SG_EXIT_CONFIG;
	} else {
		status = add_daemon(top, cp.conf->opt.http_listen.s);
	}
	cli_program_close(&cp);
	return status;
}

/* --- asking ------------------------------------------------------------- */

static void
scrape(const struct top *top, struct top_scrape *ret)
{
	buf_reset(&ret->metrics);
	buf_reset(&ret->ready);
	ret->ndaemons = top->n;
	ret->nthere = 0;
	ret->nready = 0;
	ret->at_us = clock_mono_us();
	for (size_t i = 0; i < top->n; i++) {
		const struct address *daemon = &top->daemons[i];
		size_t len = ret->metrics.len;
		int status = 0;

		if (!http_get(daemon->host, daemon->port, "/metrics", &status,
			    &ret->metrics) ||
			status != 200) {
			ret->metrics.len = len;
			continue;
		}
		ret->nthere++;
		len = ret->ready.len;
		if (!http_get(daemon->host, daemon->port, "/readyz?verbose",
			    &status, &ret->ready))
			ret->ready.len = len;
		else
			ret->nready += status == 200;
	}
}

/* False when it is to stop. */
static bool
pause_ms(int64_t ms)
{
	int64_t end_us = clock_mono_us() + ms * 1000;

	while (!atomic_load(&cli_stop) && clock_mono_us() < end_us)
		clock_sleep_ms(STEP_MS);
	return !atomic_load(&cli_stop);
}

/* --- showing ------------------------------------------------------------ */

static int
show(const struct top *top, struct top_scrape *before, struct top_scrape *after)
{
	json_t *frame = top_frame(before, after);
	struct buf text;

	if (frame == NULL)
		return SG_EXIT_INTERNAL;
	if (top->is_json)
		return json_print(frame);
	buf_init(&text, FRAME_BYTES_MAX);
	if (top->is_screen)
		buf_put_str(&text, SCREEN_HOME);
	top_print(frame, cli_has_colours(stdout), &text);
	(void)fputs(buf_cstr(&text), stdout);
	(void)fflush(stdout);
	buf_fini(&text);
	json_decref(frame);
	return SG_EXIT_OK;
}

static int
watch(struct top *top)
{
	int status = SG_EXIT_OK;

	for (size_t i = 0; status == SG_EXIT_OK; i++) {
		struct top_scrape *before = &top->scrapes[i % 2];
		struct top_scrape *after = &top->scrapes[(i + 1) % 2];

		if (i == 0)
			scrape(top, before);
		if (!pause_ms(top->interval_ms))
			break;
		scrape(top, after);
		if (top->is_once && after->nthere == 0) {
			(void)fprintf(stderr,
				"segmentd top: no daemon answers at %s:%s%s\n",
				top->daemons[0].host, top->daemons[0].port,
				top->n > 1 ? " and the others" : "");
			return SG_EXIT_UNAVAILABLE;
		}
		status = show(top, before, after);
		if (top->is_once || ferror(stdout) != 0)
			break;
	}
	return status;
}

int
cli_top(int argc, char **argv)
{
	struct top top = {.n = 0};
	struct cli_args args;
	int status;

	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_OUTPUT | CLI_TOP, usage,
		    &args, &status))
		return status;
	if (args.interval_s == 0)
		args.interval_s = INTERVAL_S;
	if (args.interval_s > INTERVAL_MAX_S) {
		(void)fprintf(stderr,
			"segmentd top: --interval is at most %d seconds\n",
			INTERVAL_MAX_S);
		return SG_EXIT_USAGE;
	}
	status = find_daemons(&top, &args);
	if (status != SG_EXIT_OK)
		return status;
	cli_catch_signals();
	top.is_json = args.output == CLI_JSON;
	top.is_once = args.is_once || top.is_json || isatty(STDOUT_FILENO) != 1;
	top.is_screen = !top.is_once;
	top.interval_ms = (int64_t)args.interval_s * 1000;
	for (size_t i = 0; i < SG_COUNTOF(top.scrapes); i++) {
		buf_init(&top.scrapes[i].metrics, SCRAPE_BYTES_MAX);
		buf_init(&top.scrapes[i].ready, SCRAPE_BYTES_MAX);
	}
	if (top.is_screen)
		(void)fputs(SCREEN_ENTER, stdout);
	status = watch(&top);
	if (top.is_screen)
		(void)fputs(SCREEN_LEAVE, stdout);
	for (size_t i = 0; i < SG_COUNTOF(top.scrapes); i++) {
		buf_fini(&top.scrapes[i].metrics);
		buf_fini(&top.scrapes[i].ready);
	}
	return status;
}
