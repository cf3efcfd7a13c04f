/*
 * run.c - the daemon: checks before the start, workers, the end.
 *
 * Nothing is consumed before everything it needs is there: brokers and Redis
 * answer (asked again, with a line in the log and in /readyz, for as long as it
 * takes), input topics exist with one number of partitions, output topics fit.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schemas.h"
#include "segmentd/clock.h"
#include "segmentd/log.h"
#include "worker.h"

#define CHECK_TIMEOUT_MS 3000
#define RETRY_MS 1000

static bool
is_stopped(const struct engine *engine)
{
	return engine->opts->stop != NULL && atomic_load(engine->opts->stop);
}

static const char *
text_or_null(const struct conf_text *text)
{
	return text->s == NULL || text->len == 0 ? NULL : text->s;
}

/* --- before the start --------------------------------------------------- */

enum await { AWAIT_REDIS, AWAIT_INPUTS, AWAIT_OUTPUTS, AWAIT_REGISTRY };

static void
note_schema(void *ctx, const char *subject, int32_t id, bool is_new)
{
	(void)ctx;
	SG_LOG(LOG_INFO, "schema", LOG_STR("subject", subject),
		LOG_INT("id", id), LOG_BOOL("registered", is_new));
}

static enum sg_err
check_once(struct engine *engine, enum await what, struct store *store,
	struct sg_fault *why)
{
	const struct conf_options *opt = &engine->prog->conf->opt;

	switch (what) {
	case AWAIT_REDIS:
		return store_ping(store, why);
	case AWAIT_INPUTS:
		return ingest_check_topics(&engine->ingest, CHECK_TIMEOUT_MS,
			&engine->npartitions, why);
	case AWAIT_REGISTRY:
		return schemas_output_ids(engine->prog, engine->registry,
			opt->registry_register, engine->publish.schema_ids,
			note_schema, NULL, why);
	default:
		return publish_check_topics(&engine->publish,
			engine->npartitions, (int32_t)opt->topics_replication,
			opt->topics_create, CHECK_TIMEOUT_MS, why);
	}
}

/* Until it is there, or it is clear that waiting will not help. */
static enum sg_err
await_server(struct engine *engine, enum await what, struct store *store,
	struct sg_fault *why)
{
	static const char *const events[] = {[AWAIT_REDIS] = "redis_down",
		[AWAIT_INPUTS] = "kafka_down",
		[AWAIT_OUTPUTS] = "kafka_down",
		[AWAIT_REGISTRY] = "registry_down"};
	int health = what == AWAIT_REDIS      ? engine->health_redis
		     : what == AWAIT_REGISTRY ? engine->health_registry
					      : engine->health_kafka;
	enum sg_err err;

	for (;;) {
		err = check_once(engine, what, store, why);
		if (err == SG_OK) {
			health_set(engine->health, health, true, "");
			return SG_OK;
		}
		health_set(engine->health, health, false, why->text);
		if (sg_err_class(err) != SG_CLASS_RETRY)
			return err;
		SG_LOG(LOG_WARN, events[what], LOG_STR("why", why->text),
			LOG_INT("retry_ms", RETRY_MS));
		for (int i = 0; i < RETRY_MS / 20; i++) {
			if (is_stopped(engine))
				return SG_INTERRUPTED;
			clock_sleep_ms(20);
		}
	}
}

static bool
is_framed_with_ids(const struct engine *engine)
{
	switch (engine->prog->conf->opt.topics_framing) {
	case CONF_FRAMING_AUTO:
		return engine->registry != NULL;
	case CONF_FRAMING_CONFLUENT:
		return true;
	default:
		return false;
	}
}

static enum sg_err
await_all(struct engine *engine, struct sg_fault *why)
{
	struct store *store = NULL;
	enum sg_err err;

	err = store_open_redis(&engine->store, &store, why);
	if (err == SG_OK)
		err = await_server(engine, AWAIT_REDIS, store, why);
	store_close(store);
	if (err == SG_OK)
		err = await_server(engine, AWAIT_INPUTS, NULL, why);
	if (err == SG_OK)
		err = await_server(engine, AWAIT_OUTPUTS, NULL, why);
	if (err == SG_OK && is_framed_with_ids(engine)) {
		err = await_server(engine, AWAIT_REGISTRY, NULL, why);
		engine->publish.has_schema_ids = err == SG_OK;
	}
	/* The topic of overrides is made with the outputs, and read. */
	engine->ingest.ntopics = engine->prog->ninputs;
	return err;
}

/* --- options ------------------------------------------------------------ */

static enum sg_err
fill_engine(struct engine *engine, const char **topics, char *host,
	size_t host_cap, char *source, size_t source_cap)
{
	const struct conf *conf = engine->prog->conf;
	const struct conf_options *opt = &conf->opt;

	for (size_t i = 0; i < engine->prog->ninputs; i++)
		topics[i] = engine->prog->inputs[i].topic;
	engine->ingest = (struct ingest_opts){
		.props = conf->kafka,
		.nprops = conf->nkafka,
		.group = opt->group.s,
		.instance = "check",
		.topics = topics,
		.ntopics = engine->prog->conf->ninputs,
		.batch_max = (size_t)opt->batch_max,
		.is_from_latest = opt->start == 1,
	};
	(void)snprintf(source, source_cap, "segmentd/%s", opt->group.s);
	engine->publish = (struct publish_opts){
		.props = conf->kafka,
		.nprops = conf->nkafka,
		.is_at_least_once = opt->delivery == CONF_AT_LEAST_ONCE,
		.topics = {[PUBLISH_CHANGES] = opt->topic_changes.s,
			[PUBLISH_CURRENT] = opt->topic_current.s,
			[PUBLISH_RENEWALS] = opt->topic_renewals.s,
			[PUBLISH_REJECTS] = opt->topic_rejects.s},
		.overrides = text_or_null(&opt->topic_overrides),
		.source = source,
	};
	engine->store = program_store_opts(engine->prog);
	engine->instance = text_or_null(&opt->instance);
	if (engine->instance == NULL) {
		if (gethostname(host, host_cap) != 0)
			return SG_IO;
		host[host_cap - 1] = '\0';
		engine->instance = host;
	}
	return SG_OK;
}

static void
count_workers(struct engine *engine)
{
	int64_t n = engine->prog->conf->opt.workers;

	if (n == 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	if (n > engine->npartitions)
		n = engine->npartitions;
	engine->nworkers = n < 1 ? 1 : (size_t)n;
}

/* --- workers ------------------------------------------------------------ */

static void *
thread_main(void *arg)
{
	struct worker *worker = arg;
	char name[16];

	/* For top -H and debuggers. */
	(void)snprintf(name, sizeof(name), "worker-%zu", worker->number);
	(void)pthread_setname_np(pthread_self(), name);
	worker_run(worker);
	return NULL;
}

static bool
are_all_done(struct worker *const *workers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!atomic_load(&workers[i]->is_until_reached))
			return false;
	}
	return true;
}

/* The engine under a name of its own in the public header. */
struct pipeline_control {
	struct engine *engine;
	int health;
	struct worker *const *workers;
	size_t nworkers;
};

bool
pipeline_is_current(
	const struct pipeline_control *control, uint64_t *ret_nbehind)
{
	uint64_t nbehind = 0;
	int32_t ncurrent = 0;

	for (size_t i = 0; i < control->nworkers; i++) {
		nbehind += atomic_load(&control->workers[i]->nbehind);
		ncurrent += atomic_load(&control->workers[i]->ncurrent);
	}
	*ret_nbehind = nbehind;
	return ncurrent == control->engine->npartitions;
}

void
pipeline_note_reload(
	struct pipeline_control *control, bool is_ok, const char *detail)
{
	struct engine *engine = control->engine;

	/* The old rules go on working: not a reason to be unready. */
	health_set(engine->health, control->health, true, detail);
	metric_add(metrics_get(engine->metrics, METRIC_CONFIG_RELOADS,
			   is_ok ? "outcome=\"ok\"" : "outcome=\"refused\""),
		1);
	metric_set(metrics_get(engine->metrics, METRIC_CONFIG_STALE, ""),
		is_ok ? 0 : 1);
}

/* Somebody waits for a schema and the registry does not answer? */
static void
watch_registry(struct engine *engine)
{
	char text[256];

	if (engine->registry == NULL)
		return;
	registry_state(engine->registry, text, sizeof(text));
	health_set(
		engine->health, engine->health_registry, text[0] == '\0', text);
}

static bool
is_told_to_end(struct engine *engine, struct pipeline_control *control)
{
	return engine->opts->on_tick != NULL &&
	       engine->opts->on_tick(engine->opts->ctx, control);
}

static void
wait_for_end(struct engine *engine, struct worker *const *workers, size_t n)
{
	struct pipeline_control control = {
		engine, engine->health_config, workers, n};

	while (!is_stopped(engine) && !atomic_load(&engine->is_stopping)) {
		if (is_told_to_end(engine, &control))
			break;
		if (engine->opts->until_ms != 0 && are_all_done(workers, n))
			break;
		watch_registry(engine);
		clock_sleep_ms(20);
	}
	atomic_store(&engine->is_stopping, true);
}

/*
 * The workers commit what they have and close, which takes as long as servers
 * that are away are asked: librdkafka 2.0 does not give up offsets of a
 * transaction before its socket time-out, whatever it is told. Who was asked to
 * stop is gone after stop_ms all the same. Nothing is lost by that: memory is
 * worth nothing, and what is not committed is decided anew at the next start.
 */
static void
wait_for_workers(
	const struct engine *engine, struct worker *const *workers, size_t n)
{
	int64_t end_us = INT64_MAX;
	size_t ndone = 0;

	while (ndone < n && engine->opts->stop_ms > 0) {
		ndone = 0;
		for (size_t i = 0; i < n; i++)
			ndone += atomic_load(&workers[i]->is_done);
		/* A new configuration, or a failure, has the time it needs. */
		if (end_us == INT64_MAX && is_stopped(engine))
			end_us = clock_mono_us() +
				 engine->opts->stop_ms * INT64_C(1000);
		if (ndone < n && clock_mono_us() > end_us) {
			SG_LOG(LOG_WARN, "stop_forced",
				LOG_INT("workers", n - ndone),
				LOG_STR("why",
					"a server does not answer; what is "
					"not committed is done again"));
			_exit(EXIT_SUCCESS);
		}
		clock_sleep_ms(5);
	}
}

static enum sg_err
run_workers(struct engine *engine, struct sg_fault *why)
{
	struct worker **workers =
		calloc(engine->nworkers, sizeof(struct worker *));
	pthread_t *threads = calloc(engine->nworkers, sizeof(*threads));
	enum sg_err err = workers == NULL || threads == NULL ? SG_NOMEM : SG_OK;
	size_t n = 0, started = 0;

	while (err == SG_OK && n < engine->nworkers) {
		err = worker_create(engine, n, &workers[n], why);
		n += err == SG_OK;
	}
	/* Each of them tells from here on whether it is ready. */
	if (err == SG_OK)
		health_set(engine->health, engine->health_workers, true, "");
	while (err == SG_OK && started < n) {
		if (pthread_create(&threads[started], NULL, thread_main,
			    workers[started]) != 0)
			err = sg_fault_set(
				why, SG_NOMEM, "cannot start a thread");
		else
			started++;
	}
	if (err == SG_OK)
		wait_for_end(engine, workers, n);
	atomic_store(&engine->is_stopping, true);
	wait_for_workers(engine, workers, started);
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	for (size_t i = 0; i < n; i++) {
		if (err == SG_OK && workers[i]->err != SG_OK) {
			err = workers[i]->err;
			*why = workers[i]->fault;
		}
		worker_destroy(workers[i]);
	}
	free(workers);
	free(threads);
	return err;
}

/* --- all of it ---------------------------------------------------------- */

static enum sg_err
open_ops(
	struct engine *engine, struct ops_http **ret_http, struct sg_fault *why)
{
	const struct conf_text *listen = &engine->prog->conf->opt.http_listen;
	enum sg_err err = metrics_create(&engine->metrics);

	if (err == SG_OK)
		err = health_create(&engine->health);
	if (err != SG_OK)
		return err;
	metric_set(metrics_get(engine->metrics, METRIC_BUILD_INFO,
			   "version=\"" SEGMENTD_VERSION "\""),
		1);
	engine->health_kafka = health_add(engine->health, "kafka");
	engine->health_redis = health_add(engine->health, "redis");
	engine->health_config = health_add(engine->health, "config");
	health_set(engine->health, engine->health_config, true, "");
	metric_set(metrics_get(engine->metrics, METRIC_CONFIG_STALE, ""), 0);
	engine->health_workers = health_add(engine->health, "workers");
	if (engine->registry != NULL) {
		engine->health_registry =
			health_add(engine->health, "registry");
		health_set(engine->health, engine->health_registry, false,
			"not asked");
	}
	health_set(engine->health, engine->health_kafka, false, "not asked");
	health_set(engine->health, engine->health_redis, false, "not asked");
	health_set(engine->health, engine->health_workers, false,
		"they start when Redis and Kafka are there");
	if (listen->len == 0)
		return SG_OK;
	err = ops_http_open(
		listen->s, engine->metrics, engine->health, ret_http, why);
	if (err == SG_OK)
		SG_LOG(LOG_INFO, "http_listen", LOG_STR("address", listen->s),
			LOG_INT("port", ops_http_port(*ret_http)));
	return err;
}

enum sg_err
pipeline_run(const struct program *program,
	const struct pipeline_run_opts *opts, struct sg_fault *why)
{
	struct engine engine = {.prog = program, .opts = opts};
	const char *topics[INPUTS_MAX];
	char host[256], source[300];
	struct ops_http *http = NULL;
	enum sg_err err;

	err = fill_engine(
		&engine, topics, host, sizeof(host), source, sizeof(source));
	if (err == SG_OK)
		err = schemas_open(program, &engine.registry, why);
	if (err == SG_OK && engine.registry == NULL &&
		is_framed_with_ids(&engine))
		err = sg_fault_set(why, SG_BAD_CONFIG,
			"topics.framing is confluent, which takes ids of a "
			"registry: set registry.url");
	if (err == SG_OK)
		err = open_ops(&engine, &http, why);
	if (err == SG_OK)
		err = await_all(&engine, why);
	if (err == SG_OK) {
		count_workers(&engine);
		SG_LOG(LOG_INFO, "start", LOG_STR("version", SEGMENTD_VERSION),
			LOG_STR("group", program->conf->opt.group.s),
			LOG_STR("instance", engine.instance),
			LOG_INT("workers", engine.nworkers),
			LOG_INT("partitions", engine.npartitions));
		err = run_workers(&engine, why);
		SG_LOG(LOG_INFO, "stop", LOG_STR("err", sg_err_name(err)));
	}
	schemas_close(program, engine.registry);
	ops_http_close(http);
	health_destroy(engine.health);
	metrics_destroy(engine.metrics);
	return err == SG_INTERRUPTED ? SG_OK : err;
}
