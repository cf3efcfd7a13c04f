/*
 * demo.c - segmentd demo: a company, a broker, a Redis, in one process.
 *
 *   company ──> broker (librdkafka's mock cluster) ──> pipeline ──> Redis
 *                                                        │  (of its own, on a
 *                                                        v   unix socket)
 *                                            changes, progress, summary
 *
 * All two years are in the broker before the pipeline reads the first of them.
 * Were they written while it reads, it would now and then come to the end of
 * one input before another, and what it decides would depend on how fast either
 * is. So the same seed gives the same changes, whatever the machine. It is
 * played in half a minute by holding the worker back in on_clock().
 *
 * Every profile is told once more after the last day, at an instant of its own:
 * the group whose clock shows the last of these has taken everything.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "demo_broker.h"
#include "demo_http.h"
#include "demo_place.h"
#include "demo_records.h"
#include "demo_show.h"
#include "demo_summary.h"
#include "segmentd/civil.h"
#include "segmentd/clock.h"
#include "segmentd/log.h"

#define PLAY_US INT64_C(27000000)
#define DEADLINE_US INT64_C(50000000) /* all of it, the summary apart */
#define FRAME_MS 40
#define SETTLE_US INT64_C(1500000) /* --keep: until Redis has it all */
#define ACCOUNTS_DEFAULT 500
#define SEED_DEFAULT 7

static const char usage[] =
	"usage: segmentd demo [--keep] [--fast] [--accounts N] [--seed N]\n"
	"\n"
	"Play two years of a software company that does not exist, in about\n"
	"half a minute: its accounts, contracts, use and support tickets go\n"
	"through a broker inside this process, the changes of segments are\n"
	"shown as they happen. Needs redis-server, which is started for it\n"
	"alone. Leaves nothing behind.\n"
	"\n"
	"  --keep        stay at the end, to look around with redis-cli and\n"
	"                kcat; says how\n"
	"  --fast        as fast as it goes\n"
	"  --accounts N  20 to 2000 accounts, 500 without this\n"
	"  --seed N      another company\n";

struct demo {
	struct cli_args args;
	struct demo_place place;
	struct demo_company *company;
	struct demo_broker *broker;
	struct demo_records records;
	struct demo_show show;
	struct cli_program cp;
	uint16_t port;
	uint64_t nevents;
	int64_t began_us;
	int64_t end_ms[DEMO_PARTITIONS_MAX]; /* last event, by partition */
	pthread_t thread;
	bool is_started;
	struct pipeline_run_opts opts;
	atomic_bool is_stopping;   /* the pipeline shall stop */
	atomic_bool is_over;	   /* it has */
	_Atomic int64_t played_us; /* when the first batch came; 0: not yet */
	enum sg_err err;	   /* of the pipeline, once it is over */
	struct sg_fault why;
};

/* --- the pipeline ------------------------------------------------------- */

static bool
is_stopping(const struct demo *demo)
{
	return atomic_load(&cli_stop) || atomic_load(&demo->is_stopping);
}

static void
on_change(void *ctx, const struct change *change)
{
	struct demo *demo = ctx;

	demo_show_change(&demo->show, change);
}

/* The instant that is played now. The month before the first day that is shown
 * takes no time. */
static int64_t
instant_played(const struct demo *demo)
{
	int64_t from_ms = demo_company_shown_day() * CIVIL_DAY_MS;
	int64_t span_ms = demo_company_end_day() * CIVIL_DAY_MS - from_ms;
	int64_t since_us = clock_mono_us() - atomic_load(&demo->played_us);

	return from_ms +
	       span_ms / 1000 * (since_us / 1000) / (PLAY_US / 1000000);
}

/* Holds the worker back until it is time for what it does next. */
static void
on_clock(void *ctx, int32_t group, int64_t now_ms)
{
	struct demo *demo = ctx;

	demo_show_clock(&demo->show, group, now_ms);
	if (atomic_load(&demo->played_us) == 0 && now_ms != INT64_MIN)
		atomic_store(&demo->played_us, clock_mono_us());
	while (!demo->args.is_fast && !is_stopping(demo) &&
		now_ms > instant_played(demo) &&
		now_ms < demo_company_end_day() * CIVIL_DAY_MS)
		clock_sleep_ms(4);
}

static void *
run_pipeline(void *arg)
{
	struct demo *demo = arg;

	demo->err = pipeline_run(demo->cp.program, &demo->opts, &demo->why);
	atomic_store(&demo->is_over, true);
	return NULL;
}

static enum sg_err
start_pipeline(struct demo *demo)
{
	demo->opts = (struct pipeline_run_opts){.stop = &demo->is_stopping,
		.on_change = on_change,
		.on_clock = on_clock,
		.ctx = demo};
	if (pthread_create(&demo->thread, NULL, run_pipeline, demo) != 0)
		return SG_NOMEM;
	demo->is_started = true;
	return SG_OK;
}

/* Everything read is committed and in Redis then. */
static enum sg_err
stop_pipeline(struct demo *demo)
{
	atomic_store(&demo->is_stopping, true);
	if (!demo->is_started)
		return SG_OK;
	(void)pthread_join(demo->thread, NULL);
	demo->is_started = false;
	return demo->err;
}

/* --- before it ---------------------------------------------------------- */

static int
open_program(struct demo *demo)
{
	struct cli_args args = {.config = demo->place.config};
	char sets[5][DEMO_URL_MAX + 32];

	demo->port = demo_free_port();
	(void)snprintf(sets[0], sizeof(sets[0]), "kafka.bootstrap.servers=%s",
		demo_broker_address(demo->broker));
	(void)snprintf(sets[1], sizeof(sets[1]), "redis.url=%s",
		demo->place.redis_url);
	(void)snprintf(sets[2], sizeof(sets[2]), "http.listen=127.0.0.1:%u",
		(unsigned)demo->port);
	/* The mock cluster does not know how to be asked for that. */
	(void)snprintf(sets[3], sizeof(sets[3]), "topics.create=false");
	(void)snprintf(sets[4], sizeof(sets[4]), "ingest.batch_max=2000");
	for (size_t i = 0; i < SG_COUNTOF(sets) - !demo->args.is_fast; i++)
		args.sets[args.nsets++] = sets[i];
	return cli_program_open(&args, true, &demo->cp);
}

static enum sg_err
send_day(struct demo *demo, int64_t day, struct sg_fault *why)
{
	const struct demo_event *events = NULL;
	size_t n = 0;
	enum sg_err err;

	err = demo_company_live(demo->company, day, &events, &n);
	for (size_t i = 0; i < n && err == SG_OK; i++) {
		struct demo_account_info info;
		int32_t partition = 0;

		demo_company_info(demo->company, events[i].account, &info);
		err = demo_records_encode(
			&demo->records, demo->company, &events[i]);
		if (err == SG_OK)
			err = demo_broker_send(demo->broker, events[i].input,
				info.id, &demo->records.value, &partition, why);
		demo->end_ms[partition] = events[i].at_ms;
	}
	demo->nevents += n;
	return err;
}

static enum sg_err
send_all(struct demo *demo, struct sg_fault *why)
{
	int64_t from = demo_company_first_day();
	int64_t to = demo_company_end_day();
	struct cli_bar bar;
	enum sg_err err = SG_OK;

	cli_bar_begin(&bar, "two years of events");
	for (int64_t day = from; day <= to && err == SG_OK; day++) {
		if (atomic_load(&cli_stop))
			err = SG_INTERRUPTED;
		else
			err = send_day(demo, day, why);
		cli_bar_show(
			&bar, (uint64_t)(day - from), (uint64_t)(to - from));
	}
	if (err == SG_OK)
		err = demo_broker_flush(demo->broker, why);
	cli_bar_end(&bar);
	return err;
}

static void
greet(const struct demo *demo)
{
	(void)printf(
		"A software company that does not exist: %u accounts, two "
		"years in half a minute.\n\n"
		"  touch            who looks after an account: high, mid "
		"or low, by ARR\n"
		"  health           green, amber or red, by use and urgent "
		"tickets\n"
		"  silent           no login for 14 days\n"
		"  expansion_ready  more than 85%% of the seats are in "
		"use\n"
		"  renewal          the contract ends in 120, 90, 60, 30 "
		"days\n"
		"  renewal_at_risk  it ends in 90 days, and health is "
		"red\n\n",
		(unsigned)demo->args.naccounts);
	(void)fflush(stdout);
}

/* Servers, company, program: in this order, since a process with threads had
 * better not fork. */
static int
prepare(struct demo *demo)
{
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err = demo_place_open(&demo->place, &why);
	int status;

	if (err == SG_OK)
		err = demo_place_start_redis(&demo->place, &why);
	if (err == SG_OK)
		err = demo_broker_open(
			(uint32_t)demo->args.naccounts, &demo->broker, &why);
	if (err == SG_OK)
		err = demo_company_create(demo->args.seed,
			(uint32_t)demo->args.naccounts, &demo->company);
	if (err != SG_OK)
		return cli_fail("demo", err, &why);
	status = open_program(demo);
	if (status != SG_EXIT_OK)
		return status;
	err = demo_broker_topics(demo->broker, demo->cp.conf, &why);
	if (err == SG_OK)
		err = demo_records_init(&demo->records, demo->cp.conf, &why);
	if (err == SG_OK)
		err = demo_show_init(&demo->show, demo->company, demo->cp.conf,
			demo_broker_partitions(demo->broker));
	return err == SG_OK ? SG_EXIT_OK : cli_fail("demo", err, &why);
}

/* --- playing ------------------------------------------------------------ */

static bool
is_played(struct demo *demo)
{
	bool is_done = true;

	(void)pthread_mutex_lock(&demo->show.mtx);
	for (int32_t g = 0; g < demo->show.ngroups; g++)
		is_done = is_done && demo->show.clock_ms[g] >= demo->end_ms[g];
	(void)pthread_mutex_unlock(&demo->show.mtx);
	return is_done;
}

static void
wait_frames(struct demo *demo, int64_t until_us)
{
	while (clock_mono_us() < until_us && !is_stopping(demo) &&
		!atomic_load(&demo->is_over)) {
		clock_sleep_ms(FRAME_MS);
		demo_show_frame(&demo->show);
	}
}

/* Until all is played, it is interrupted, it fails, or time is up. */
static void
play(struct demo *demo)
{
	demo_show_head(&demo->show);
	while (!is_stopping(demo) && !atomic_load(&demo->is_over) &&
		!is_played(demo) &&
		(demo->args.is_fast ||
			clock_mono_us() - demo->began_us < DEADLINE_US)) {
		clock_sleep_ms(FRAME_MS);
		demo_show_frame(&demo->show);
		/* Whoever read it has had enough. */
		if (ferror(stdout))
			atomic_store(&cli_stop, true);
	}
}

static void
ask_transactions(const struct demo *demo, struct demo_facts *facts)
{
	struct buf text;

	buf_init(&text, 1 << 20);
	if (demo_http_get(demo->port, "/metrics", &text))
		facts->ntransactions = demo_metric(buf_cstr(&text),
			"segmentd_transactions_total", "committed");
	buf_fini(&text);
}

static void
tell_how(const struct demo *demo, const struct demo_facts *facts)
{
	const char *broker = demo_broker_address(demo->broker);
	const char *socket = demo->place.socket;

	(void)printf("\nIt is all still there. Ctrl-C ends it and leaves "
		     "nothing behind.\n\n"
		     "the rules       %s\n"
		     "an account      redis-cli -s %s HGETALL segd:acct:%s\n"
		     "a segment       redis-cli -s %s SMEMBERS "
		     "segd:seg:health:red\n"
		     "the queue       redis-cli -s %s ZREVRANGE segd:renewals "
		     "0 9 WITHSCORES\n"
		     "the topics      kcat -b %s -L\n"
		     "the changes     kcat -b %s -C -t segmentd.changes -o -5 "
		     "-e -q -f '%%k %%h\\n'\n"
		     "what goes in    kcat -b %s -C -t customer.usage -o -5 -e "
		     "-q\n"
		     "metrics         curl http://127.0.0.1:%u/metrics\n",
		demo->place.config, socket, facts->top, socket, socket, broker,
		broker, broker, (unsigned)demo->port);
	(void)fflush(stdout);
}

static void
stay(struct demo *demo)
{
	while (!is_stopping(demo) && !atomic_load(&demo->is_over))
		clock_sleep_ms(50);
}

/*
 * Interrupted before the first event. The pipeline may be waiting for an answer
 * about its topics, which the mock cluster never gives, and does not listen for
 * some seconds. There is nothing in it yet that would be worth them.
 */
static void
leave_at_once(struct demo *demo)
{
	demo_show_end(&demo->show);
	demo_place_close(&demo->place);
	_exit(SG_EXIT_OK);
}

/* The pipeline asks around and joins its group while the company is made up. */
static enum sg_err
begin(struct demo *demo, struct sg_fault *why)
{
	enum sg_err err;

	demo_broker_hold_groups(demo->broker, true);
	err = start_pipeline(demo);
	if (err == SG_OK)
		err = send_all(demo, why);
	demo_broker_hold_groups(demo->broker, false);
	return err;
}

static enum sg_err
end(struct demo *demo, struct demo_facts *facts, struct sg_fault *why)
{
	bool is_kept = demo->args.is_kept && !is_stopping(demo);
	enum sg_err err = SG_OK;

	facts->clock_ms = demo_show_now(&demo->show);
	facts->played_us = clock_mono_us() - atomic_load(&demo->played_us);
	ask_transactions(demo, facts);
	if (is_kept)
		wait_frames(demo, clock_mono_us() + SETTLE_US);
	if (!is_kept || atomic_load(&demo->is_over)) {
		is_kept = false;
		err = stop_pipeline(demo);
	}
	demo_show_end(&demo->show);
	if (!is_played(demo) && !atomic_load(&cli_stop))
		(void)printf("\nTime is up: this machine is too busy for %u "
			     "accounts.\n",
			(unsigned)demo->args.naccounts);
	if (err != SG_OK) {
		*why = demo->why;
		return err;
	}
	if (atomic_load(&demo->played_us) == 0)
		return sg_fault_set(why, SG_TIMEOUT,
			"time is up, and no event has been read yet");
	err = demo_summary(&demo->show, &demo->place, facts, why);
	if (err != SG_OK || !is_kept)
		return err;
	tell_how(demo, facts);
	stay(demo);
	err = stop_pipeline(demo);
	*why = demo->why;
	return err;
}

static int
play_all(struct demo *demo)
{
	struct demo_facts facts = {.nevents = 0, .is_fast = demo->args.is_fast};
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err;

	greet(demo);
	err = begin(demo, &why);
	facts.nevents = demo->nevents;
	if (err == SG_OK)
		play(demo);
	if (atomic_load(&cli_stop) && atomic_load(&demo->played_us) == 0)
		leave_at_once(demo);
	if (err == SG_OK)
		err = end(demo, &facts, &why);
	if (err != SG_OK)
		return cli_fail("demo", err, &why);
	return ferror(stdout) ? SG_EXIT_IO : SG_EXIT_OK;
}

static void
close_all(struct demo *demo)
{
	(void)stop_pipeline(demo);
	demo_show_fini(&demo->show);
	demo_records_fini(&demo->records);
	cli_program_close(&demo->cp);
	demo_company_destroy(demo->company);
	demo_broker_close(demo->broker);
	demo_place_close(&demo->place);
}

static void
on_hang_up(int number)
{
	(void)number;
	atomic_store(&cli_stop, true);
}

int
cli_demo(int argc, char **argv)
{
	struct sigaction hang_up = {.sa_handler = on_hang_up};
	struct demo *demo = calloc(1, sizeof(*demo));
	int status;

	if (demo == NULL)
		return SG_EXIT_INTERNAL;
	if (!cli_parse(argc, argv, CLI_DEMO, usage, &demo->args, &status))
		goto out;
	if (demo->args.naccounts == 0)
		demo->args.naccounts = ACCOUNTS_DEFAULT;
	if (demo->args.seed == 0)
		demo->args.seed = SEED_DEFAULT;
	if (demo->args.naccounts < DEMO_ACCOUNTS_MIN ||
		demo->args.naccounts > DEMO_ACCOUNTS_MAX) {
		(void)fputs(usage, stderr);
		status = SG_EXIT_USAGE;
		goto out;
	}
	demo->began_us = clock_mono_us();
	log_setup(LOG_ERROR, LOG_LOGFMT);
	cli_catch_signals();
	(void)sigaction(SIGHUP, &hang_up, NULL);
	status = prepare(demo);
	if (status == SG_EXIT_OK && !atomic_load(&cli_stop))
		status = play_all(demo);
	close_all(demo);
out:
	free(demo);
	return status;
}
