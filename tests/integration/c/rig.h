/*
 * rig.h - what the broker tests in C share: an environment given by pytest, a
 * worker's consumer with its callbacks, and loops that wait for a condition.
 *
 * KAFKA_BOOTSTRAP  the broker
 * KAFKA_UNIQUE     prefix of topics, groups and instances of this run
 */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/ingest.h"
#include "segmentd/publish.h"

#define RIG_PARTITIONS 3
#define RIG_WAIT_MS 30000
#define RIG_NAME_MAX 160

#define assert_ok(err, why)                                                    \
	do {                                                                   \
		enum sg_err err_ = (err);                                      \
		if (err_ != SG_OK)                                             \
			fail_msg("%s: %s", sg_err_name(err_), (why).text);     \
	} while (0)

/* A name of this run. */
struct rig_name {
	char text[RIG_NAME_MAX];
};

static inline struct rig_name
rig_name(const char *what)
{
	struct rig_name name;
	const char *prefix = getenv("KAFKA_UNIQUE");

	(void)snprintf(name.text, sizeof(name.text), "%s-%s",
		prefix == NULL ? "none" : prefix, what);
	return name;
}

static inline const struct kafka_prop *
rig_props(size_t *ret_n)
{
	static struct kafka_prop props[] = {
		{"bootstrap.servers", NULL},
		{"session.timeout.ms", "6000"},
		{"heartbeat.interval.ms", "200"},
	};

	props[0].value = getenv("KAFKA_BOOTSTRAP");
	*ret_n = SG_COUNTOF(props);
	return props;
}

/* --- a worker's consumer ------------------------------------------------ */

struct rig_worker {
	struct ingest *in;
	struct rig_name group, instance, topics[2];
	const char *names[2];
	/* What the callbacks do and saw. */
	bool is_from_committed;
	int64_t start[INPUTS_MAX]; /* else */
	bool is_owned[RIG_PARTITIONS];
	int nassigned, nrevoked, nlost;
	enum sg_err assigned_err;
	char metadata[64]; /* of the newest committed position seen */
	/* Next offset wanted of (input, partition), as a reader would keep. */
	int64_t next[2][RIG_PARTITIONS];
	uint64_t nrecords;
	/* Called by revoked(), while the groups are still ours. */
	void (*last)(struct rig_worker *w);
	void *last_ctx;
};

static inline enum sg_err
rig_assigned(void *ctx, const int32_t *groups, size_t n, struct sg_fault *why)
{
	struct rig_worker *w = ctx;
	struct arena arena;
	enum sg_err err = w->assigned_err;

	w->nassigned++;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; err == SG_OK && i < n; i++) {
		struct ingest_position pos;

		for (int j = 0; j < INPUTS_MAX; j++)
			pos.offset[j] = w->start[j];
		pos.metadata = NULL;
		if (w->is_from_committed)
			err = ingest_committed(w->in, groups[i], RIG_WAIT_MS,
				&arena, &pos, why);
		if (err != SG_OK)
			break;
		if (pos.metadata != NULL)
			(void)snprintf(w->metadata, sizeof(w->metadata), "%s",
				pos.metadata);
		for (int j = 0; j < 2; j++)
			w->next[j][groups[i]] =
				pos.offset[j] < 0 ? 0 : pos.offset[j];
		w->is_owned[groups[i]] = true;
		err = ingest_start(w->in, groups[i], pos.offset, why);
	}
	arena_fini(&arena);
	return err;
}

static inline void
rig_revoked(void *ctx, const int32_t *groups, size_t n, bool is_lost)
{
	struct rig_worker *w = ctx;

	if (w->last != NULL && !is_lost)
		w->last(w);
	w->nrevoked++;
	w->nlost += is_lost;
	for (size_t i = 0; i < n; i++)
		w->is_owned[groups[i]] = false;
}

static inline enum sg_err
rig_worker_open(struct rig_worker *w, const char *topics, const char *group,
	const char *instance, struct sg_fault *why)
{
	const struct ingest_events events = {rig_assigned, rig_revoked, w};
	struct ingest_opts opts = {.batch_max = 500, .ntopics = 2};
	char text[64];

	w->group = rig_name(group);
	w->instance = rig_name(instance);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(text, sizeof(text), "%s%d", topics, i);
		w->topics[i] = rig_name(text);
		w->names[i] = w->topics[i].text;
	}
	opts.props = rig_props(&opts.nprops);
	opts.group = w->group.text;
	opts.instance = w->instance.text;
	opts.topics = w->names;
	return ingest_open(&opts, &events, &w->in, why);
}

/*
 * Poll once. Every record must be the next one of its partition: what is
 * produced here has no gaps.
 */
static inline void
rig_poll(struct rig_worker *w, struct ingest_batch *batch)
{
	struct sg_fault why = {.err = SG_OK};

	assert_ok(ingest_poll(w->in, 100, batch, &why), why);
	for (size_t i = 0; i < batch->nrecords; i++) {
		const struct record *rec = &batch->records[i];
		int64_t *next = &w->next[rec->input][rec->partition];

		if (!w->is_owned[rec->partition])
			fail_msg("a record of partition %d, not ours",
				(int)rec->partition);
		if (rec->offset != *next)
			fail_msg("input %u partition %d: offset %lld, not %lld",
				rec->input, (int)rec->partition,
				(long long)rec->offset, (long long)*next);
		*next = rec->offset + 1;
		w->nrecords++;
	}
}

/* Poll until the condition holds. */
#define RIG_UNTIL(worker, condition)                                           \
	do {                                                                   \
		int64_t until_ = clock_mono_us() + RIG_WAIT_MS * 1000LL;       \
		struct ingest_batch batch_;                                    \
		while (!(condition)) {                                         \
			if (clock_mono_us() > until_)                          \
				fail_msg("not within %d ms: %s", RIG_WAIT_MS,  \
					#condition);                           \
			rig_poll(worker, &batch_);                             \
		}                                                              \
	} while (0)

/* --- records to read ---------------------------------------------------- */

static inline void
rig_produce(const char *topics, int input, int n)
{
	struct producer *prod = NULL;
	struct sg_fault why;
	struct rig_name topic;
	char text[64];
	size_t nprops;
	const struct kafka_prop *props = rig_props(&nprops);

	(void)snprintf(text, sizeof(text), "%s%d", topics, input);
	topic = rig_name(text);
	assert_ok(producer_open(props, nprops, NULL, &prod, &why), why);
	for (int i = 0; i < n; i++) {
		int len = snprintf(text, sizeof(text), "account-%d", i);

		assert_ok(producer_send(prod, topic.text, text, (size_t)len,
				  text, (size_t)len, 1700000000000 + i, &why),
			why);
	}
	assert_ok(producer_flush(prod, RIG_WAIT_MS, &why), why);
	assert_int_equal(producer_delivered(prod), n);
	producer_close(prod);
}

/* --- outputs ------------------------------------------------------------ */

struct rig_outputs {
	struct rig_name names[PUBLISH_TOPIC_COUNT];
	struct rig_name id;
	struct publish_opts opts;
};

static inline void
rig_outputs_init(struct rig_outputs *out, const char *topics, const char *id)
{
	static const char *const kinds[] = {
		"changes", "current", "renewals", "rejects"};
	char text[64];

	memset(out, 0, sizeof(*out));
	for (int i = 0; i < PUBLISH_TOPIC_COUNT; i++) {
		(void)snprintf(text, sizeof(text), "%s-%s", topics, kinds[i]);
		out->names[i] = rig_name(text);
		out->opts.topics[i] = out->names[i].text;
	}
	out->id = rig_name(id);
	out->opts.transactional_id = out->id.text;
	out->opts.source = "segmentd/test";
	out->opts.props = rig_props(&out->opts.nprops);
}

static inline struct change
rig_change(const char *account, uint64_t version)
{
	struct change change = {
		.account = account,
		.account_version = version,
		.segmentation = "touch",
		.to = "high",
		.action = ACTION_move,
		.origin = ORIGIN_live,
		.event_time_ms = 1700000000000,
		.evaluated_at_ms = 1700000000123,
		.valid_until_ms = AT_NEVER,
		.rules_version = 0xfedcba9876543210,
	};

	(void)snprintf(change.change_id, sizeof(change.change_id), "%032llx",
		(unsigned long long)version);
	return change;
}

static inline struct membership_image
rig_image(const char *account, uint64_t version)
{
	static const struct membership_entry entries[] = {
		{"touch", "high", 1700000000123},
	};

	return (struct membership_image){
		.account = account,
		.account_version = version,
		.updated_at_ms = 1700000000123,
		.rules_version = 0xfedcba9876543210,
		.entries = entries,
		.nentries = 1,
		.state = "\x00\x01",
		.state_len = 2,
	};
}

#endif
