#include "kafka_ledger.h"

#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "segmentd/clock.h"

#define RECORDS_MAX 65536 /* of an output */
#define OPEN_MAX 64	  /* records of one transaction */
#define ID_MAX 40

typedef void (*delivered_fn)(rd_kafka_t *, const rd_kafka_message_t *, void *);

/* A record of ours that a broker has. */
struct sent {
	bool is_image;
	int64_t offset;
	size_t number; /* cno, or the account's version */
	char id[ID_MAX];
};

static struct ledger {
	pthread_mutex_t mtx;
	bool is_transactional;
	bool is_lying;
	struct ledger_state state;
	struct sent open[OPEN_MAX]; /* of the open transaction */
	size_t nopen;
	rd_kafka_topic_partition_list_t *open_offsets;
	rd_kafka_topic_partition_list_t *offsets; /* committed */
	char ids[RECORDS_MAX][ID_MAX];		  /* of changes, by number */
	bool is_visible[RECORDS_MAX];		  /* images, by offset */
	delivered_fn delivered;
	atomic_bool is_held;
} ledger = {.mtx = PTHREAD_MUTEX_INITIALIZER};

/* The function that stands behind ours. */
#define REAL(name) ((__typeof__(&(name)))real(#name))

static void *
real(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (symbol == NULL)
		abort();
	return symbol;
}

static void
drop_offsets(rd_kafka_topic_partition_list_t **list)
{
	if (*list != NULL)
		rd_kafka_topic_partition_list_destroy(*list);
	*list = NULL;
}

void
ledger_reset(bool is_transactional)
{
	(void)pthread_mutex_lock(&ledger.mtx);
	ledger.is_transactional = is_transactional;
	ledger.is_lying = false;
	ledger.state = (struct ledger_state){.nchanges = 0};
	ledger.nopen = 0;
	drop_offsets(&ledger.open_offsets);
	drop_offsets(&ledger.offsets);
	memset(ledger.ids, 0, sizeof(ledger.ids));
	memset(ledger.is_visible, 0, sizeof(ledger.is_visible));
	(void)pthread_mutex_unlock(&ledger.mtx);
}

void
ledger_answers_lie(bool is_lying)
{
	(void)pthread_mutex_lock(&ledger.mtx);
	ledger.is_lying = is_lying;
	(void)pthread_mutex_unlock(&ledger.mtx);
}

void
ledger_hold(bool is_held)
{
	atomic_store(&ledger.is_held, is_held);
}

struct ledger_state
ledger_state(void)
{
	struct ledger_state state;

	(void)pthread_mutex_lock(&ledger.mtx);
	state = ledger.state;
	(void)pthread_mutex_unlock(&ledger.mtx);
	return state;
}

static void
complain(const char *what, const struct sent *rec)
{
	if (ledger.state.wrong[0] == '\0')
		(void)snprintf(ledger.state.wrong, LEDGER_TEXT,
			"%s: %s %zu (%s), at offset %lld", what,
			rec->is_image ? "image" : "change", rec->number,
			rec->id, (long long)rec->offset);
}

/* --- what is committed --------------------------------------------------- */

/* Numbers of changes go on from the last committed ones: without transactions
 * some are used again, and it is the id that tells a repeat. */
static bool
is_repeat(const struct sent *rec)
{
	if (rec->is_image)
		return rec->number <= ledger.state.nimages;
	if (ledger.is_transactional)
		return rec->number <= ledger.state.nchanges;
	for (size_t i = 1; i <= ledger.state.nchanges; i++)
		if (strcmp(ledger.ids[i], rec->id) == 0)
			return true;
	return false;
}

static void
count(const struct sent *rec)
{
	size_t *n =
		rec->is_image ? &ledger.state.nimages : &ledger.state.nchanges;

	if (rec->number == 0 || *n + 1 >= RECORDS_MAX)
		return complain("no number", rec);
	if (is_repeat(rec)) {
		ledger.state.nrepeats++;
		if (ledger.is_transactional)
			complain("committed twice", rec);
		return;
	}
	if (rec->number > *n + 1)
		return complain("something is missing before", rec);
	++*n;
	if (!rec->is_image)
		memcpy(ledger.ids[*n], rec->id, ID_MAX);
}

static void
show(const struct sent *rec)
{
	count(rec);
	if (rec->is_image && rec->offset >= 0 && rec->offset < RECORDS_MAX)
		ledger.is_visible[rec->offset] = true;
}

static void
end_open(bool is_committed)
{
	const rd_kafka_topic_partition_list_t *was = ledger.offsets;
	const rd_kafka_topic_partition_list_t *now = ledger.open_offsets;

	for (size_t i = 0; is_committed && i < ledger.nopen; i++)
		show(&ledger.open[i]);
	ledger.nopen = 0;
	if (!is_committed || now == NULL) {
		drop_offsets(&ledger.open_offsets);
		return;
	}
	for (int i = 0; was != NULL && i < was->cnt; i++)
		if (now->elems[i].offset < was->elems[i].offset)
			(void)snprintf(ledger.state.wrong, LEDGER_TEXT,
				"committed offset %lld after %lld",
				(long long)now->elems[i].offset,
				(long long)was->elems[i].offset);
	drop_offsets(&ledger.offsets);
	ledger.offsets = ledger.open_offsets;
	ledger.open_offsets = NULL;
}

static size_t
header_number(const rd_kafka_headers_t *headers, const char *name)
{
	const void *value;
	size_t len;

	if (rd_kafka_header_get_last(headers, name, &value, &len) !=
		RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	return strtoul(value, NULL, 10); /* ends with NUL, librdkafka says */
}

static void
note(const rd_kafka_message_t *message)
{
	struct sent rec = {.offset = message->offset};
	const char *topic = rd_kafka_topic_name(message->rkt);
	rd_kafka_headers_t *headers = NULL;
	const void *id;
	size_t len;

	rec.is_image = strcmp(topic, "segmentd.current") == 0;
	if ((!rec.is_image && strcmp(topic, "segmentd.changes") != 0) ||
		rd_kafka_message_headers(message, &headers) !=
			RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	rec.number = header_number(
		headers, rec.is_image ? "account_version" : "cno");
	if (rd_kafka_header_get_last(headers, "ce_id", &id, &len) ==
		RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)snprintf(rec.id, sizeof(rec.id), "%s", (const char *)id);
	if (!ledger.is_transactional)
		show(&rec);
	else if (ledger.nopen < OPEN_MAX)
		ledger.open[ledger.nopen++] = rec;
	else
		complain("too many in one transaction", &rec);
}

static void
on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	delivered_fn next;

	(void)pthread_mutex_lock(&ledger.mtx);
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		note(message);
	next = ledger.delivered;
	(void)pthread_mutex_unlock(&ledger.mtx);
	next(rk, message, opaque);
}

/* --- in front of librdkafka's ----------------------------------------------
 */

void
rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *conf, delivered_fn delivered)
{
	(void)pthread_mutex_lock(&ledger.mtx);
	ledger.delivered = delivered;
	ledger.state.nopens++;
	(void)pthread_mutex_unlock(&ledger.mtx);
	REAL(rd_kafka_conf_set_dr_msg_cb)(conf, on_delivered);
}

/* What the producer before it had open is aborted by this. */
rd_kafka_error_t *
rd_kafka_init_transactions(rd_kafka_t *rk, int timeout_ms)
{
	rd_kafka_error_t *error =
		REAL(rd_kafka_init_transactions)(rk, timeout_ms);

	(void)pthread_mutex_lock(&ledger.mtx);
	if (error == NULL)
		end_open(false);
	(void)pthread_mutex_unlock(&ledger.mtx);
	return error;
}

rd_kafka_error_t *
rd_kafka_send_offsets_to_transaction(rd_kafka_t *rk,
	const rd_kafka_topic_partition_list_t *offsets,
	const rd_kafka_consumer_group_metadata_t *cgmd, int timeout_ms)
{
	rd_kafka_error_t *error = REAL(rd_kafka_send_offsets_to_transaction)(
		rk, offsets, cgmd, timeout_ms);

	(void)pthread_mutex_lock(&ledger.mtx);
	if (error == NULL) {
		drop_offsets(&ledger.open_offsets);
		ledger.open_offsets =
			rd_kafka_topic_partition_list_copy(offsets);
	}
	(void)pthread_mutex_unlock(&ledger.mtx);
	return error;
}

rd_kafka_error_t *
rd_kafka_commit_transaction(rd_kafka_t *rk, int timeout_ms)
{
	rd_kafka_error_t *error =
		REAL(rd_kafka_commit_transaction)(rk, timeout_ms);

	(void)pthread_mutex_lock(&ledger.mtx);
	if (error == NULL ||
		(ledger.is_lying && !rd_kafka_error_is_retriable(error)))
		end_open(true);
	(void)pthread_mutex_unlock(&ledger.mtx);
	return error;
}

rd_kafka_error_t *
rd_kafka_abort_transaction(rd_kafka_t *rk, int timeout_ms)
{
	rd_kafka_error_t *error =
		REAL(rd_kafka_abort_transaction)(rk, timeout_ms);

	(void)pthread_mutex_lock(&ledger.mtx);
	ledger.state.naborts++;
	if (error == NULL)
		end_open(false);
	(void)pthread_mutex_unlock(&ledger.mtx);
	return error;
}

static void
answer(rd_kafka_topic_partition_t *part)
{
	const rd_kafka_topic_partition_t *has =
		ledger.offsets == NULL
			? NULL
			: rd_kafka_topic_partition_list_find(
				  ledger.offsets, part->topic, part->partition);

	if (has == NULL)
		return;
	part->offset = has->offset;
	free(part->metadata);
	/* Bytes; nothing ends them. */
	part->metadata = strndup(has->metadata, has->metadata_size);
	part->metadata_size = has->metadata_size;
}

rd_kafka_resp_err_t
rd_kafka_committed(
	rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
	rd_kafka_resp_err_t code =
		REAL(rd_kafka_committed)(rk, list, timeout_ms);

	(void)pthread_mutex_lock(&ledger.mtx);
	ledger.state.nasked++;
	for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR &&
			ledger.is_transactional && i < list->cnt;
		i++)
		if (list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
			answer(&list->elems[i]);
	(void)pthread_mutex_unlock(&ledger.mtx);
	return code;
}

static bool
is_hidden(const rd_kafka_message_t *message)
{
	return ledger.is_transactional &&
	       message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
	       strcmp(rd_kafka_topic_name(message->rkt), "segmentd.current") ==
		       0 &&
	       (message->offset >= RECORDS_MAX ||
		       !ledger.is_visible[message->offset]);
}

ssize_t
rd_kafka_consume_batch_queue(rd_kafka_queue_t *queue, int timeout_ms,
	rd_kafka_message_t **messages, size_t max)
{
	ssize_t n = REAL(rd_kafka_consume_batch_queue)(
		queue, timeout_ms, messages, max);
	ssize_t nleft = 0;

	while (atomic_load(&ledger.is_held))
		clock_sleep_ms(1);
	(void)pthread_mutex_lock(&ledger.mtx);
	for (ssize_t i = 0; i < n; i++) {
		if (is_hidden(messages[i]))
			rd_kafka_message_destroy(messages[i]);
		else
			messages[nleft++] = messages[i];
	}
	(void)pthread_mutex_unlock(&ledger.mtx);
	return n < 0 ? n : nleft;
}

/* The mock leaves its connections to Nagle's algorithm, which costs 40 ms
 * whenever two answers follow each other. They inherit this. */
int
listen(int fd, int backlog)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return REAL(listen)(fd, backlog);
}
