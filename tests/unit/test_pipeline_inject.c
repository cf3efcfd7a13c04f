/*
 * Every error code that a broker can answer with, to every request that
 * delivery depends on: a whole worker on librdkafka's mock cluster, with what
 * that leaves out of transactions (tests/support/kafka_ledger.h).
 *
 * After each the worker must have published every change, once, with numbers
 * and versions 1, 2, 3, ..., or have stopped with an error that tells an
 * operator what to do; and what it did must be what docs/kafka.md says.
 *
 * A sample of the cases is played; INJECT=all plays all (make inject), each
 * once and several times in a row, INJECT="EndTxn, to abort" those of one
 * request, and INJECT=write prints the table for docs/kafka.md.
 */
#include "kafka_mock.h"
#include "test_pipeline_support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../processor/pipeline/worker.h"
#include "../support/kafka_ledger.c"

#define CASE_WAIT_US (INT64_C(120) * 1000 * 1000)
#define STEP_US INT64_C(500000)
#define SHARDS 12
#define MANY 4
/* With 2.8.0 no record comes through the ledger; why is not known. */
#define LEDGER_UNTRIED 0x02080000

#define CONFIG                                                                 \
	"version: 1\n"                                                         \
	"kafka: {bootstrap.servers: \"%s\", session.timeout.ms: \"6000\", "    \
	"heartbeat.interval.ms: \"200\", fetch.wait.max.ms: \"10\", "          \
	"log_level: \"0\"}\n"                                                  \
	"redis: {url: \"redis://127.0.0.1:1/0\"}\n"                            \
	"group: inject\n"                                                      \
	"flush: {age: 50ms}\n"                                                 \
	"%s"                                                                   \
	"inputs:\n"                                                            \
	"  a: {topic: in, schema: x, framing: bare, key: account, time: at, "  \
	"features: {n: {last: n}}}\n"                                          \
	"segmentations:\n"                                                     \
	"  odd: {enter: a.n %% 2 == 1}\n"

/* How a case is brought about. */
enum way {
	WAY_EVENT,     /* a transaction is enough */
	WAY_TAKEOVER,  /* the producer before is lost */
	WAY_ABORT,     /* the transaction before is aborted */
	WAY_COMMITTED, /* the broker did it, and answers with an error */
	WAY_PLAIN,     /* delivery: at_least_once */
	WAY_PLAIN_TAKEOVER,
};

static const struct request {
	const char *name; /* in docs/kafka.md */
	int16_t key;
	enum way way;
} requests[] = {
	{"Produce", KEY_PRODUCE, WAY_EVENT},
	{"AddPartitionsToTxn", KEY_ADD_PARTITIONS, WAY_EVENT},
	{"AddOffsetsToTxn", KEY_ADD_OFFSETS, WAY_EVENT},
	{"TxnOffsetCommit", KEY_TXN_OFFSET_COMMIT, WAY_EVENT},
	{"EndTxn, to commit", KEY_END_TXN, WAY_EVENT},
	{"EndTxn, committed all the same", KEY_END_TXN, WAY_COMMITTED},
	{"EndTxn, to abort", KEY_END_TXN, WAY_ABORT},
	{"InitProducerId", KEY_INIT_PRODUCER_ID, WAY_TAKEOVER},
	{"FindCoordinator", KEY_FIND_COORDINATOR, WAY_TAKEOVER},
	{"OffsetFetch", KEY_OFFSET_FETCH, WAY_TAKEOVER},
	{"ListOffsets", KEY_LIST_OFFSETS, WAY_TAKEOVER},
	{"Fetch", KEY_FETCH, WAY_EVENT},
	{"Produce, at_least_once", KEY_PRODUCE, WAY_PLAIN},
	{"InitProducerId, at_least_once", KEY_INIT_PRODUCER_ID,
		WAY_PLAIN_TAKEOVER},
	{"OffsetCommit, at_least_once", KEY_OFFSET_COMMIT, WAY_PLAIN},
};

/* What segmentd does, as docs/kafka.md tells it. */
enum effect {
	EFFECT_AGAIN, /* the request is made again */
	EFFECT_ABORT, /* the transaction is aborted and written again */
	EFFECT_ANEW,  /* new producer, take-over */
	EFFECT_STOP,
	EFFECT_COUNT
};

static const char *const effect_names[] = {
	"again", "aborts", "takes over", "stops"};

struct outcome {
	uint8_t request;
	uint8_t effect;
	uint8_t is_many;
	int16_t code;
	int32_t took_ms;
	enum sg_err err; /* of EFFECT_STOP */
	struct sg_fault fault;
};

/* --- a worker ------------------------------------------------------------ */

struct rig {
	struct mock mock;
	struct made made;
	struct engine engine;
	struct pipeline_run_opts opts;
	const char *topics[1];
	struct worker *worker;
	pthread_t thread;
	size_t nsent;	       /* events */
	_Atomic size_t told;   /* the last one that on_change() was about */
	atomic_bool is_misled; /* a change that is not what it must be */
	bool is_plain;
	bool is_joined; /* its thread has ended */
};

static const char *current; /* the case, for messages */

static _Noreturn void
die(const struct rig *rig, const char *what)
{
	struct ledger_state state = ledger_state();
	const struct worker *w = rig == NULL ? NULL : rig->worker;

	(void)fprintf(stderr,
		"%s: %s\n  sent %zu, told %llu, changes %zu, images %zu, "
		"repeats %zu, producers %zu, %s%s%s\n",
		current, what, rig == NULL ? 0 : rig->nsent,
		rig == NULL ? 0ULL : (unsigned long long)rig->told,
		state.nchanges, state.nimages, state.nrepeats, state.nopens,
		state.wrong,
		w != NULL && atomic_load(&w->is_done) ? sg_err_name(w->err)
						      : "",
		w != NULL && atomic_load(&w->is_done) ? w->fault.text : "");
	_exit(1);
}

/*
 * Event number n moves the account in when n is odd, and out when it is even.
 * With transactions that is its change number n. What is decided at the end of
 * a take-over names no event.
 */
static void
on_change(void *ctx, const struct change *change)
{
	struct rig *rig = ctx;
	size_t event = (size_t)change->trigger.offset + 1;

	if (!rig->is_plain) {
		event = change->account_version;
		if (event <= atomic_load(&rig->told))
			atomic_store(&rig->is_misled, true);
	} else if (change->trigger.topic == NULL) {
		return;
	}
	if (strcmp(change->to, event % 2 == 1 ? "in" : "out") != 0)
		atomic_store(&rig->is_misled, true);
	atomic_store(&rig->told, event);
}

static void *
work(void *arg)
{
	worker_run(arg);
	return NULL;
}

static void
must(struct rig *rig, enum sg_err err, const struct sg_fault *why)
{
	if (err != SG_OK)
		die(rig, why->text);
}

static void
make_engine(struct rig *rig)
{
	const struct conf *conf = rig->made.conf;
	struct engine *engine = &rig->engine;

	*engine = (struct engine){
		.prog = rig->made.program,
		.opts = &rig->opts,
		.ingest = {.props = conf->kafka,
			.nprops = conf->nkafka,
			.group = "inject",
			.topics = rig->topics,
			.ntopics = 1,
			.batch_max = 100},
		.publish = {.props = conf->kafka,
			.nprops = conf->nkafka,
			.is_at_least_once = rig->is_plain,
			.topics = {"segmentd.changes", "segmentd.current",
				"segmentd.renewals", "segmentd.rejects"},
			.source = "segmentd/inject"},
		.instance = "one",
		.npartitions = 1,
		.nworkers = 1,
	};
	engine->store = program_store_opts(rig->made.program);
	if (metrics_create(&engine->metrics) != SG_OK ||
		health_create(&engine->health) != SG_OK)
		die(rig, "no memory");
	engine->health_kafka = health_add(engine->health, "kafka");
	engine->health_redis = health_add(engine->health, "redis");
}

static struct rig *
rig_open(bool is_plain)
{
	static const char *const topics[] = {"in", "segmentd.changes",
		"segmentd.current", "segmentd.renewals", "segmentd.rejects",
		"sink"};
	struct rig *rig = calloc(1, sizeof(*rig));
	struct sg_fault why = {.err = SG_OK};
	char yaml[2048];

	if (rig == NULL)
		die(NULL, "no memory");
	rig->is_plain = is_plain;
	ledger_reset(!is_plain);
	mock_open(&rig->mock);
	for (size_t i = 0; i < SG_COUNTOF(topics); i++)
		mock_topic(&rig->mock, topics[i], 1);
	(void)snprintf(yaml, sizeof(yaml), CONFIG, rig->mock.props[0].value,
		is_plain ? "delivery: at_least_once\n" : "");
	if (make_program(yaml, &rig->made) != SG_OK)
		die(rig, buf_cstr(&rig->made.text));
	rig->topics[0] = "in";
	rig->opts =
		(struct pipeline_run_opts){.on_change = on_change, .ctx = rig};
	make_engine(rig);
	must(rig, worker_create(&rig->engine, 0, &rig->worker, &why), &why);
	store_close(rig->worker->store);
	must(rig, store_open_mem(&rig->worker->store), &why);
	if (pthread_create(&rig->thread, NULL, work, rig->worker) != 0)
		die(rig, "no thread");
	return rig;
}

static void
rig_close(struct rig *rig)
{
	if (rig == NULL)
		return;
	atomic_store(&rig->engine.is_stopping, true);
	if (!rig->is_joined)
		(void)pthread_join(rig->thread, NULL);
	worker_destroy(rig->worker);
	health_destroy(rig->engine.health);
	metrics_destroy(rig->engine.metrics);
	unmake_program(&rig->made);
	mock_close(&rig->mock);
	free(rig);
}

static void
write_record(struct rig *rig, const char *topic, const struct buf *bytes)
{
	if (rd_kafka_producev(rig->mock.rk, RD_KAFKA_V_TOPIC(topic),
		    RD_KAFKA_V_PARTITION(0),
		    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		    RD_KAFKA_V_KEY("a", 1),
		    RD_KAFKA_V_VALUE(bytes->bytes, bytes->len),
		    RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR ||
		rd_kafka_flush(rig->mock.rk, MOCK_WAIT_MS) !=
			RD_KAFKA_RESP_ERR_NO_ERROR)
		die(rig, "a record was not written");
}

static void
send_event(struct rig *rig)
{
	struct sg_fault why = {.err = SG_OK};
	struct buf bytes;
	char json[128];

	rig->nsent++;
	(void)snprintf(json, sizeof(json),
		"{\"account\":\"a\",\"at\":%lld,\"n\":%zu}",
		(long long)clock_now_ms(), rig->nsent);
	buf_init(&bytes, 4096);
	must(rig,
		program_encode(
			rig->made.program, 0, json, strlen(json), &bytes, &why),
		&why);
	write_record(rig, "in", &bytes);
	buf_fini(&bytes);
}

/* --- a case -------------------------------------------------------------- */

static void
push(struct rig *rig, int16_t key, rd_kafka_resp_err_t code, int n)
{
	for (int i = 0; i < n; i++)
		(void)rd_kafka_mock_broker_push_request_error_rtts(
			rig->mock.cluster, 1, key, 1, code, 0);
}

static size_t
nwaiting(struct rig *rig, int16_t key)
{
	size_t n = 0;

	(void)rd_kafka_mock_broker_error_stack_cnt(
		rig->mock.cluster, 1, key, &n);
	return n;
}

static bool
is_done(const struct rig *rig)
{
	return atomic_load(&rig->worker->is_done);
}

/* Has what was sent come out? What was published when the offsets were refused
 * is adopted, and not told. */
static bool
is_settled(const struct rig *rig)
{
	return atomic_load(&rig->told) == rig->nsent ||
	       (!rig->is_plain && ledger_state().nimages == rig->nsent);
}

/* What a producer of its own meets is met. */
static void
spend(struct rig *rig, int16_t key)
{
	struct buf none = {.bytes = NULL};

	if (key == KEY_PRODUCE)
		write_record(rig, "sink", &none);
	else
		send_event(rig);
}

/*
 * Until the errors were met and what was sent has come out; false when the
 * worker has stopped.
 */
static bool
meet(struct rig *rig, const struct request *req)
{
	int64_t end_us = clock_mono_us() + CASE_WAIT_US;
	int64_t next_us = clock_mono_us() + STEP_US;

	while (nwaiting(rig, req->key) > 0 || !is_settled(rig)) {
		if (is_done(rig))
			return false;
		if (clock_mono_us() > end_us)
			die(rig, "it hangs, or did not ask");
		/* The request was not made again, and more is in store. */
		if (atomic_load(&rig->told) == rig->nsent)
			spend(rig, req->key);
		else if (rig->is_plain && clock_mono_us() > next_us)
			send_event(rig), next_us += STEP_US;
		clock_sleep_ms(1);
	}
	return true;
}

/* Does it go on? Until the worker has told of a new event. */
static bool
go_on(struct rig *rig)
{
	int64_t end_us = clock_mono_us() + CASE_WAIT_US;
	int64_t next_us = clock_mono_us() + STEP_US;

	send_event(rig);
	while (atomic_load(&rig->told) < rig->nsent) {
		if (is_done(rig))
			return false;
		if (clock_mono_us() > end_us)
			die(rig, "it hangs");
		if (rig->is_plain && clock_mono_us() > next_us)
			send_event(rig), next_us += STEP_US;
		clock_sleep_ms(1);
	}
	return true;
}

/* What comes before the errors of the case, for them to be met. */
static size_t
prepare(struct rig *rig, enum way way)
{
	switch (way) {
	case WAY_TAKEOVER:
		push(rig, KEY_END_TXN, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, 1);
		return 1;
	case WAY_PLAIN_TAKEOVER:
		push(rig, KEY_PRODUCE, RD_KAFKA_RESP_ERR_INVALID_RECORD, 1);
		return 1;
	case WAY_ABORT:
		push(rig, KEY_ADD_PARTITIONS,
			RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1);
		return 0;
	case WAY_COMMITTED:
		ledger_answers_lie(true);
		return 0;
	default:
		return 0;
	}
}

static void
check(struct rig *rig)
{
	struct ledger_state state = ledger_state();

	if (state.wrong[0] != '\0' || atomic_load(&rig->is_misled))
		die(rig, "wrong");
	if (!rig->is_plain &&
		(state.nchanges != rig->nsent || state.nimages != rig->nsent))
		die(rig, "not every change once");
	if (rig->is_plain && state.nchanges > rig->nsent)
		die(rig, "moves were made anew");
}

static void
play_case(struct rig *rig, const struct request *req, rd_kafka_resp_err_t code,
	int n, struct outcome *ret)
{
	struct ledger_state before = ledger_state(), after;
	double naborted = metric_read(rig->worker->metrics.aborted);
	int64_t began_us = clock_mono_us();
	size_t nopens;
	bool is_alive;

	ledger_hold(true);
	send_event(rig);
	nopens = prepare(rig, req->way);
	push(rig, req->key, code, n);
	ledger_hold(false);
	is_alive = meet(rig, req);
	ledger_answers_lie(false);
	if (is_alive) {
		is_alive = go_on(rig);
	}
	after = ledger_state();
	nopens = after.nopens - before.nopens - nopens;
	if (!is_alive)
		ret->effect = EFFECT_STOP;
	else if (nopens > 0)
		ret->effect = EFFECT_ANEW;
	else if (metric_read(rig->worker->metrics.aborted) - naborted >
		 (req->way == WAY_ABORT))
		ret->effect = EFFECT_ABORT;
	else
		ret->effect = EFFECT_AGAIN;
	ret->took_ms = (int32_t)((clock_mono_us() - began_us) / 1000);
	if (is_alive) {
		check(rig);
		return;
	}
	(void)pthread_join(rig->thread, NULL);
	rig->is_joined = true;
	if (after.wrong[0] != '\0' || atomic_load(&rig->is_misled))
		die(rig, "wrong");
	ret->err = rig->worker->err;
	ret->fault = rig->worker->fault;
}

struct plan {
	struct outcome cases[8192];
	size_t n;
};

static struct plan plan;

static const char *
code_name(int16_t code)
{
	return rd_kafka_err2name((rd_kafka_resp_err_t)code);
}

/* The answers that make a member join anew: the mock takes seconds for it. */
static bool
is_about_member(int16_t code)
{
	return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
	       code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
	       code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

/* --- what docs/kafka.md says ---------------------------------------------- */

#define DOCS "docs/kafka.md"
#define OTHERS "all others"

static char docs[1 << 17];

static void
read_docs(void)
{
	FILE *file = fopen(DOCS, "re");

	if (file == NULL)
		fail_msg("%s: tests run in the root of the repository", DOCS);
	docs[fread(docs, 1, sizeof(docs) - 1, file)] = '\0';
	(void)fclose(file);
}

/* Column `effect` of a request's row; its length, 0: there is none. */
static size_t
find_cell(size_t request, enum effect effect, const char **ret_cell)
{
	char head[64];
	const char *at;

	(void)snprintf(head, sizeof(head), "\n| %s |", requests[request].name);
	at = strstr(docs, head);
	if (at == NULL)
		return 0;
	at += strlen(head);
	for (int i = 0; i < (int)effect; i++) {
		at += strcspn(at, "|\n");
		at += *at == '|';
	}
	*ret_cell = at;
	return strcspn(at, "|\n");
}

/* Where is `name` in a cell? Names are between blanks. */
static const char *
find_name(const char *cell, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 1; i + n < len; i++)
		if (cell[i - 1] == ' ' && memcmp(cell + i, name, n) == 0 &&
			(cell[i + n] == ' ' || cell[i + n] == ','))
			return cell + i;
	return NULL;
}

/* Is it the first one named in a cell of the request's row? */
static bool
is_first_named(size_t request, const char *name)
{
	for (int e = 0; e < EFFECT_COUNT; e++) {
		const char *cell = NULL;
		size_t len = find_cell(request, (enum effect)e, &cell);

		if (len > 0 && find_name(cell, len, name) == cell + 1)
			return true;
	}
	return false;
}

static enum effect
expected(size_t request, const char *name)
{
	enum effect others = EFFECT_COUNT;

	for (int e = 0; e < EFFECT_COUNT; e++) {
		const char *cell = NULL;
		size_t len = find_cell(request, (enum effect)e, &cell);

		if (len > 0 && find_name(cell, len, name) != NULL)
			return (enum effect)e;
		if (len > 0 && find_name(cell, len, OTHERS) != NULL)
			others = (enum effect)e;
	}
	return others;
}

/* A row as it would be right. */
static void
print_row(size_t request)
{
	size_t count[EFFECT_COUNT] = {0};
	size_t most = 0;

	for (size_t i = 0; i < plan.n; i++)
		if (plan.cases[i].request == request && !plan.cases[i].is_many)
			count[plan.cases[i].effect]++;
	for (size_t e = 0; e < EFFECT_COUNT; e++)
		most = count[e] > count[most] ? e : most;
	(void)printf("| %s |", requests[request].name);
	for (size_t e = 0; e < EFFECT_COUNT; e++) {
		const char *comma = " ";

		if (e == most)
			(void)printf(" " OTHERS);
		for (size_t i = 0; e != most && i < plan.n; i++) {
			const struct outcome *c = &plan.cases[i];

			if (c->request != request || c->is_many ||
				c->effect != e)
				continue;
			(void)printf("%s%s", comma, code_name(c->code));
			comma = ", ";
		}
		(void)printf(" |");
	}
	(void)printf("\n");
}

/*
 * Other versions of librdkafka sort some codes differently. Which question for
 * offsets meets the answer is chance: that of a take-over or that once a
 * second, of which nothing follows. Who asks for a coordinator may be the old
 * producer. The mock has not stored what it says to be
 * a repeat. Whether an instance is fenced by itself depends on what was before.
 */
static bool
is_comparable(const struct outcome *c)
{
	return rd_kafka_version() >> 16 == 0x0200 && !c->is_many &&
	       c->effect != EFFECT_COUNT &&
	       !(requests[c->request].key == KEY_LIST_OFFSETS &&
		       c->effect == EFFECT_AGAIN) &&
	       !(requests[c->request].key == KEY_FIND_COORDINATOR &&
		       c->effect == EFFECT_ANEW) &&
	       c->code != RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER &&
	       !(requests[c->request].key == KEY_OFFSET_COMMIT &&
		       is_about_member(c->code));
}

static void
compare_docs(void)
{
	size_t nwrong = 0;

	for (size_t i = 0; i < plan.n; i++) {
		const struct outcome *c = &plan.cases[i];
		const char *name = code_name(c->code);
		enum effect want = expected(c->request, name);

		if (c->effect == EFFECT_STOP &&
			(c->err != SG_OPERATOR || c->fault.text[0] == '\0')) {
			print_error("%s: %s: stopped with %s: %s\n",
				requests[c->request].name, name,
				sg_err_name(c->err), c->fault.text);
			nwrong++;
		}
		if (!is_comparable(c) || c->effect == want)
			continue;
		print_error("%s: %s: %s, and in " DOCS ": %s\n",
			requests[c->request].name, name,
			effect_names[c->effect],
			want == EFFECT_COUNT ? "nothing" : effect_names[want]);
		nwrong++;
	}
	if (nwrong > 0)
		fail_msg("%zu are not as they should be "
			 "(INJECT=write prints the table)",
			nwrong);
}

/* --- all of them --------------------------------------------------------- */

static void
add_case(size_t request, int16_t code, bool is_many)
{
	plan.cases[plan.n++] = (struct outcome){
		.request = (uint8_t)request,
		.code = code,
		.is_many = is_many,
		.effect = EFFECT_COUNT,
	};
}

/* Of a sample: what docs/kafka.md names, and some of the others. */
static bool
is_in_sample(size_t request, size_t i, const char *name)
{
	return i % 12 == request % 12 || is_first_named(request, name);
}

static void
add_cases(size_t request, bool is_sample)
{
	const struct rd_kafka_err_desc *descs;
	bool has_members = requests[request].key == KEY_OFFSET_COMMIT;
	size_t n;

	rd_kafka_get_err_descs(&descs, &n);
	for (size_t i = 0; i < n; i++) {
		int16_t code = (int16_t)descs[i].code;

		if (descs[i].desc == NULL ||
			(code <= 0 && code != RD_KAFKA_RESP_ERR_UNKNOWN))
			continue;
		if (is_sample &&
			(!is_in_sample(request, i, descs[i].name) ||
				(has_members && is_about_member(code))))
			continue;
		add_case(request, code, false);
		if (!is_sample && requests[request].way < WAY_PLAIN)
			add_case(request, code, true);
	}
}

static bool
is_plain(const struct outcome *c)
{
	return requests[c->request].way >= WAY_PLAIN;
}

/* One process plays every SHARDS-th case and writes what came of it. */
static void
play_shard(size_t shard, int out)
{
	struct rig *rig = NULL;
	char name[128];

	for (size_t i = shard; i < plan.n; i += SHARDS) {
		struct outcome *c = &plan.cases[i];

		(void)snprintf(name, sizeof(name), "%s: %s%s",
			requests[c->request].name, code_name(c->code),
			c->is_many ? ", again and again" : "");
		current = name;
		if (rig != NULL && rig->is_plain != is_plain(c)) {
			rig_close(rig);
			rig = NULL;
		}
		if (rig == NULL) {
			rig = rig_open(is_plain(c));
			if (!go_on(rig))
				die(rig, "it does not begin");
		}
		play_case(rig, &requests[c->request],
			(rd_kafka_resp_err_t)c->code, c->is_many ? MANY : 1, c);
		if (write(out, &i, sizeof(i)) != (ssize_t)sizeof(i) ||
			write(out, c, sizeof(*c)) != (ssize_t)sizeof(*c))
			die(rig, "not written");
		if (c->effect == EFFECT_STOP) {
			rig_close(rig);
			rig = NULL;
		}
	}
	rig_close(rig);
}

static bool
collect(int in)
{
	struct outcome c;
	size_t i;

	if (lseek(in, 0, SEEK_SET) != 0)
		return false;
	while (read(in, &i, sizeof(i)) == (ssize_t)sizeof(i)) {
		if (i >= plan.n ||
			read(in, &c, sizeof(c)) != (ssize_t)sizeof(c))
			return false;
		plan.cases[i] = c;
	}
	return true;
}

static void
play_all(void)
{
	FILE *files[SHARDS];
	pid_t pids[SHARDS];
	bool is_good = true;

	for (size_t s = 0; s < SHARDS; s++) {
		files[s] = tmpfile();
		assert_non_null(files[s]);
		(void)fflush(stdout);
		pids[s] = fork();
		assert_true(pids[s] >= 0);
		if (pids[s] == 0) {
			play_shard(s, fileno(files[s]));
			exit(0);
		}
	}
	for (size_t s = 0; s < SHARDS; s++) {
		int status = -1;

		(void)waitpid(pids[s], &status, 0);
		if (status != 0)
			print_error("shard %zu: status %d\n", s, status);
		is_good = is_good && status == 0;
		is_good = collect(fileno(files[s])) && is_good;
		(void)fclose(files[s]);
	}
	assert_true(is_good);
}

static void
every_answer_is_survived_or_told(void **state)
{
	const char *what = getenv("INJECT");
	bool is_write = what != NULL && strcmp(what, "write") == 0;
	bool is_all = is_write || (what != NULL && strcmp(what, "all") == 0);

	(void)state;
	if (rd_kafka_version() >= LEDGER_UNTRIED) {
		print_message("skipped: what the mock cluster leaves out is "
			      "not made up for with librdkafka %s\n",
			rd_kafka_version_str());
		skip();
	}
	read_docs();
	for (size_t r = 0; r < SG_COUNTOF(requests); r++)
		if (what == NULL || is_all ||
			strcmp(what, requests[r].name) == 0)
			add_cases(r, what == NULL);
	assert_true(plan.n > 0);
	play_all();
	for (size_t r = 0; is_write && r < SG_COUNTOF(requests); r++)
		print_row(r);
	if (!is_write)
		compare_docs();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_is_survived_or_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
