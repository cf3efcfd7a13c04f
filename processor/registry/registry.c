/*
 * registry.c - what is known, what is wanted, and the thread that asks.
 *
 *     find() -> entry: WANTED ---- 200 ----> KNOWN            for ever
 *                        ^  \----- 404 ----> UNKNOWN          for a while
 *                        |  \----- other --> WANTED, later
 *                        \---------------------/ when the while is over
 *
 * An entry that is asked for again after its while stays UNKNOWN until the
 * registry has answered: nobody waits for a schema that is known not to be.
 * After a failure everything that is wanted waits, twice as long each time;
 * there is one registry, and it is asked one thing at a time.
 *
 * The table has a fixed size: numbers come from records, and a flood of bad
 * ones must not eat the memory. When it is full, unknown ones make room.
 */
#include "segmentd/registry.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "folder.h"
#include "http.h"

#include "segmentd/clock.h"
#include "segmentd/log.h"

#define ENTRIES_MAX 8192
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 10000
#define REFERENCES_MAX 256 /* of one schema, all levels together */
#define DEPTH_MAX 16
#define DETAIL_BYTES 200

enum state { WANTED, KNOWN, UNKNOWN };

struct entry {
	struct schema_key key;
	enum state state;
	char *text; /* KNOWN */
	size_t len;
	char *detail;	    /* UNKNOWN: why; NULL: there is no such schema */
	int64_t expires_ms; /* UNKNOWN: when to ask again, wall clock */
	bool is_asked;	    /* the thread has something to do for it */
};

struct registry {
	char *folder; /* NULL: none */
	int64_t unknown_for_ms;
	struct http *http;   /* the thread's */
	struct http *caller; /* of registry_subject_id() */
	pthread_t thread;
	bool has_thread;
	atomic_bool is_stopping;

	pthread_mutex_t mtx;
	pthread_cond_t wanted;
	pthread_cond_t answered;
	/* shared, under mtx */
	struct entry entries[ENTRIES_MAX];
	size_t n;
	char fault[512]; /* of the last request; "": it was answered */
};

/* --- a schema and what it refers to --------------------------------------- */

/* Definitions that a schema needs, those that need others after them. */
struct parts {
	char *names[REFERENCES_MAX];
	char *texts[REFERENCES_MAX];
	size_t n;
	size_t nasked;
};

static void
parts_fini(struct parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		free(parts->names[i]);
		free(parts->texts[i]);
	}
}

static bool
parts_have(const struct parts *parts, const char *name)
{
	for (size_t i = 0; i < parts->n; i++)
		if (strcmp(parts->names[i], name) == 0)
			return true;
	return false;
}

/* SG_UNKNOWN_SCHEMA when the registry has none; what else it may say is
 * SG_REGISTRY_DOWN. */
static enum sg_err
ask_schema(struct http *http, const char *path,
	struct answer_schema *ret_schema, struct sg_fault *why)
{
	char message[DETAIL_BYTES];
	struct buf body;
	long status = 0;
	enum sg_err err;

	buf_init(&body, ANSWER_BYTES_MAX);
	err = http_ask(http, path, NULL, &status, &body, why);
	if (err != SG_OK)
		goto out;
	if (status == 200) {
		err = answer_schema_read(
			(const char *)body.bytes, body.len, ret_schema, why);
		if (err == SG_BAD_RECORD)
			err = SG_REGISTRY_DOWN;
		goto out;
	}
	/* A proxy's own 404 is no answer of a registry. */
	if (answer_error((const char *)body.bytes, body.len, message,
		    sizeof(message)) != 0 &&
		(status == 404 || status == 422))
		err = sg_fault_set(why, SG_UNKNOWN_SCHEMA, "%s", message);
	else
		err = sg_fault_set(why, SG_REGISTRY_DOWN,
			"HTTP status %ld to GET %s: is the URL's prefix right?",
			status, path);
out:
	buf_fini(&body);
	return err;
}

static enum sg_err
collect(struct http *http, const struct answer_schema *schema,
	struct parts *parts, size_t depth, struct sg_fault *why);

static enum sg_err
collect_one(struct http *http, const struct answer_reference *ref,
	struct parts *parts, size_t depth, struct sg_fault *why)
{
	struct answer_schema schema = {.text = NULL};
	struct buf path;
	enum sg_err err = SG_NOMEM;

	if (parts->nasked++ == REFERENCES_MAX)
		return sg_fault_set(why, SG_UNKNOWN_SCHEMA,
			"it refers to more than %d schemas", REFERENCES_MAX);
	buf_init(&path, 8192);
	buf_put_str(&path, "/subjects/");
	http_put_segment(&path, ref->subject);
	buf_printf(&path, "/versions/%d", (int)ref->version);
	if (!path.is_failed)
		err = ask_schema(http, buf_cstr(&path), &schema, why);
	buf_fini(&path);
	if (err == SG_OK)
		err = collect(http, &schema, parts, depth + 1, why);
	if (err == SG_OK && !parts_have(parts, ref->name)) {
		parts->names[parts->n] = strdup(ref->name);
		parts->texts[parts->n] = schema.text;
		schema.text = NULL;
		if (parts->names[parts->n++] == NULL)
			err = SG_NOMEM;
	}
	answer_schema_fini(&schema);
	return err;
}

static enum sg_err
collect(struct http *http, const struct answer_schema *schema,
	struct parts *parts, size_t depth, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	if (depth > DEPTH_MAX)
		return sg_fault_set(why, SG_UNKNOWN_SCHEMA,
			"its references are nested too deeply");
	for (size_t i = 0; i < schema->nreferences && err == SG_OK; i++)
		if (!parts_have(parts, schema->references[i].name))
			err = collect_one(http, &schema->references[i], parts,
				depth, why);
	return err;
}

/* What needs others was noted after them; so from the end, each definition
 * comes before the places that use it. */
static enum sg_err
join(const char *text, const struct parts *parts, char **ret_text,
	struct sg_fault *why)
{
	char *joined = strdup(text);
	enum sg_err err = joined == NULL ? SG_NOMEM : SG_OK;

	for (size_t i = parts->n; i-- > 0 && err == SG_OK;) {
		char *more = NULL;

		err = answer_resolve(
			joined, parts->names[i], parts->texts[i], &more, why);
		if (err == SG_OK) {
			free(joined);
			joined = more;
		}
	}
	if (err == SG_OK)
		*ret_text = joined;
	else
		free(joined);
	/* Asking again gives the same. */
	return err == SG_BAD_RECORD ? SG_UNKNOWN_SCHEMA : err;
}

static enum sg_err
fetch(struct http *http, const struct schema_key *key, char **ret_text,
	struct sg_fault *why)
{
	struct parts *parts = calloc(1, sizeof(*parts));
	struct answer_schema schema = {.text = NULL};
	const uint8_t *g = key->guid;
	char path[96];
	enum sg_err err = SG_NOMEM;

	if (parts == NULL)
		return SG_NOMEM;
	if (key->is_guid)
		(void)snprintf(path, sizeof(path),
			"/schemas/guids/%02x%02x%02x%02x-%02x%02x-%02x%02x-"
			"%02x%02x-%02x%02x%02x%02x%02x%02x",
			g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8],
			g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
	else
		(void)snprintf(
			path, sizeof(path), "/schemas/ids/%d", (int)key->id);
	err = ask_schema(http, path, &schema, why);
	if (err == SG_OK && strcmp(schema.kind, "AVRO") != 0)
		err = sg_fault_set(why, SG_UNKNOWN_SCHEMA,
			"it is %.40s, not Avro", schema.kind);
	if (err == SG_OK)
		err = collect(http, &schema, parts, 0, why);
	if (err == SG_OK)
		err = join(schema.text, parts, ret_text, why);
	answer_schema_fini(&schema);
	parts_fini(parts);
	free(parts);
	return err;
}

/* --- the table (under mtx) ------------------------------------------------ */

static bool
is_same(const struct schema_key *a, const struct schema_key *b)
{
	if (a->is_guid != b->is_guid)
		return false;
	return a->is_guid ? memcmp(a->guid, b->guid, sizeof(a->guid)) == 0
			  : a->id == b->id;
}

static struct entry *
entry_find(struct registry *reg, const struct schema_key *key)
{
	for (size_t i = 0; i < reg->n; i++)
		if (is_same(&reg->entries[i].key, key))
			return &reg->entries[i];
	return NULL;
}

static void
entry_fini(struct entry *entry)
{
	free(entry->text);
	free(entry->detail);
}

/* Every unknown one goes that nobody has to answer. */
static void
entries_tidy(struct registry *reg)
{
	size_t kept = 0;

	for (size_t i = 0; i < reg->n; i++) {
		struct entry *entry = &reg->entries[i];

		if (entry->state == UNKNOWN && !entry->is_asked)
			entry_fini(entry);
		else
			reg->entries[kept++] = *entry;
	}
	reg->n = kept;
}

static void
entry_settle(struct registry *reg, struct entry *entry, char *text,
	const char *detail, int64_t expires_ms)
{
	free(entry->detail);
	entry->detail = detail == NULL ? NULL : strdup(detail);
	entry->text = text;
	entry->len = text == NULL ? 0 : strlen(text);
	entry->state = text == NULL ? UNKNOWN : KNOWN;
	entry->expires_ms = expires_ms;
	entry->is_asked = false;
	(void)pthread_cond_broadcast(&reg->answered);
}

/* A new entry, as the folder knows it; NULL: no room. */
static struct entry *
entry_new(struct registry *reg, const struct schema_key *key)
{
	struct entry *entry;
	struct buf text;
	int64_t at_ms = 0;

	if (reg->n == ENTRIES_MAX)
		entries_tidy(reg);
	if (reg->n == ENTRIES_MAX)
		return NULL;
	entry = &reg->entries[reg->n++];
	*entry = (struct entry){.key = *key, .state = WANTED, .is_asked = true};
	if (reg->folder == NULL)
		return entry;
	buf_init(&text, ANSWER_BYTES_MAX + 1);
	switch (folder_read(reg->folder, key, &text, &at_ms)) {
	case FOLDER_SCHEMA:
		entry->text = strdup(buf_cstr(&text));
		if (entry->text != NULL) {
			entry->len = strlen(entry->text);
			entry->state = KNOWN;
			entry->is_asked = false;
		}
		break;
	case FOLDER_UNKNOWN:
		entry->state = UNKNOWN;
		entry->is_asked = false;
		entry->expires_ms = at_ms + reg->unknown_for_ms;
		break;
	case FOLDER_NOTHING:
		break;
	}
	buf_fini(&text);
	return entry;
}

static enum sg_err
look(struct registry *reg, const struct schema_key *key, const char **ret_text,
	size_t *ret_len, struct sg_fault *why)
{
	struct entry *entry = entry_find(reg, key);

	if (entry == NULL)
		entry = entry_new(reg, key);
	if (entry == NULL)
		return sg_fault_set(why, SG_UNKNOWN_SCHEMA,
			"%d schemas of the registry are in use, which is the "
			"limit",
			ENTRIES_MAX);
	if (entry->state == UNKNOWN && !entry->is_asked &&
		clock_now_ms() >= entry->expires_ms)
		entry->is_asked = true;
	if (entry->is_asked)
		(void)pthread_cond_signal(&reg->wanted);
	switch (entry->state) {
	case KNOWN:
		*ret_text = entry->text;
		*ret_len = entry->len;
		return SG_OK;
	case UNKNOWN:
		return sg_fault_set(why, SG_UNKNOWN_SCHEMA,
			"the registry has no such schema%s%s",
			entry->detail != NULL ? ": " : "",
			entry->detail != NULL ? entry->detail : "");
	default:
		return sg_fault_set(why, SG_REGISTRY_DOWN,
			"the schema is not here yet%s%s",
			reg->fault[0] != '\0' ? ": " : "", reg->fault);
	}
}

/* --- the thread ----------------------------------------------------------- */

static void
wait_until(pthread_cond_t *cond, pthread_mutex_t *mtx, int64_t ms)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += ms % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(cond, mtx, &at);
}

/* Ask for one entry; without the lock meanwhile, so it is found again. */
static enum sg_err
answer_one(struct registry *reg, const struct schema_key *key)
{
	struct sg_fault why = {.err = SG_OK};
	char *text = NULL;
	int64_t now_ms;
	struct entry *entry;
	enum sg_err err;

	(void)pthread_mutex_unlock(&reg->mtx);
	err = fetch(reg->http, key, &text, &why);
	now_ms = clock_now_ms();
	if (reg->folder != NULL && (err == SG_OK || err == SG_UNKNOWN_SCHEMA))
		folder_write(reg->folder, key, text, now_ms);
	(void)pthread_mutex_lock(&reg->mtx);
	entry = entry_find(reg, key);
	if (err == SG_OK || err == SG_UNKNOWN_SCHEMA) {
		reg->fault[0] = '\0';
		if (entry != NULL)
			entry_settle(reg, entry, text,
				text == NULL ? why.text : NULL,
				now_ms + reg->unknown_for_ms);
		else
			free(text);
		return SG_OK;
	}
	if (strcmp(reg->fault, why.text) != 0)
		SG_LOG(LOG_WARN, "registry_down", LOG_STR("why", why.text));
	(void)snprintf(reg->fault, sizeof(reg->fault), "%s", why.text);
	return err;
}

static void *
thread_main(void *ctx)
{
	struct registry *reg = ctx;
	int64_t pause_ms = 0;

	(void)pthread_mutex_lock(&reg->mtx);
	while (!atomic_load(&reg->is_stopping)) {
		size_t i = 0;
		struct schema_key key;

		while (i < reg->n && !reg->entries[i].is_asked)
			i++;
		if (i == reg->n) {
			wait_until(&reg->wanted, &reg->mtx, 1000);
			continue;
		}
		key = reg->entries[i].key;
		if (answer_one(reg, &key) == SG_OK) {
			pause_ms = 0;
			continue;
		}
		pause_ms = pause_ms == 0 ? PAUSE_MIN_MS : 2 * pause_ms;
		if (pause_ms > PAUSE_MAX_MS)
			pause_ms = PAUSE_MAX_MS;
		for (int64_t end_us = clock_mono_us() + pause_ms * 1000;
			clock_mono_us() < end_us &&
			!atomic_load(&reg->is_stopping);)
			wait_until(&reg->wanted, &reg->mtx, 20);
	}
	(void)pthread_mutex_unlock(&reg->mtx);
	return NULL;
}

/* --- open, close ---------------------------------------------------------- */

static enum sg_err
conds_init(struct registry *reg)
{
	pthread_condattr_t attr;

	/* Deadlines must not move with the wall clock. */
	if (pthread_condattr_init(&attr) != 0)
		return SG_NOMEM;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&reg->mtx, NULL);
	(void)pthread_cond_init(&reg->wanted, &attr);
	(void)pthread_cond_init(&reg->answered, &attr);
	(void)pthread_condattr_destroy(&attr);
	return SG_OK;
}

enum sg_err
registry_open(const struct registry_opts *opts, struct registry **ret_registry,
	struct sg_fault *why)
{
	struct registry *reg = calloc(1, sizeof(*reg));
	enum sg_err err;

	if (reg == NULL)
		return SG_NOMEM;
	reg->unknown_for_ms = opts->unknown_for_ms;
	err = conds_init(reg);
	if (err != SG_OK) {
		free(reg);
		return err;
	}
	if (opts->folder != NULL && opts->folder[0] != '\0') {
		reg->folder = strdup(opts->folder);
		err = reg->folder == NULL ? SG_NOMEM
					  : folder_check(reg->folder, why);
	}
	if (err == SG_OK)
		err = http_open(opts, &reg->is_stopping, &reg->http, why);
	if (err == SG_OK)
		err = http_open(opts, NULL, &reg->caller, why);
	if (err == SG_OK &&
		pthread_create(&reg->thread, NULL, thread_main, reg) != 0)
		err = sg_fault_set(why, SG_NOMEM, "cannot start a thread");
	reg->has_thread = err == SG_OK;
	if (err == SG_OK)
		*ret_registry = reg;
	else
		registry_close(reg);
	return err;
}

void
registry_close(struct registry *reg)
{
	if (reg == NULL)
		return;
	(void)pthread_mutex_lock(&reg->mtx);
	atomic_store(&reg->is_stopping, true);
	(void)pthread_cond_broadcast(&reg->wanted);
	(void)pthread_mutex_unlock(&reg->mtx);
	if (reg->has_thread)
		(void)pthread_join(reg->thread, NULL);
	http_close(reg->http);
	http_close(reg->caller);
	for (size_t i = 0; i < reg->n; i++)
		entry_fini(&reg->entries[i]);
	(void)pthread_cond_destroy(&reg->wanted);
	(void)pthread_cond_destroy(&reg->answered);
	(void)pthread_mutex_destroy(&reg->mtx);
	free(reg->folder);
	free(reg);
}

/* --- asking --------------------------------------------------------------- */

enum sg_err
registry_find(struct registry *reg, const struct schema_key *key,
	const char **ret_text, size_t *ret_len, struct sg_fault *why)
{
	return registry_await(reg, key, 0, ret_text, ret_len, why);
}

enum sg_err
registry_await(struct registry *reg, const struct schema_key *key,
	int32_t timeout_ms, const char **ret_text, size_t *ret_len,
	struct sg_fault *why)
{
	int64_t end_us = clock_mono_us() + timeout_ms * INT64_C(1000);
	int64_t left_ms;
	enum sg_err err;

	(void)pthread_mutex_lock(&reg->mtx);
	for (;;) {
		err = look(reg, key, ret_text, ret_len, why);
		left_ms = (end_us - clock_mono_us()) / 1000;
		/* While it is known to be away, waiting here only delays. */
		if (err != SG_REGISTRY_DOWN || left_ms <= 0 ||
			reg->fault[0] != '\0')
			break;
		wait_until(&reg->answered, &reg->mtx, left_ms);
	}
	(void)pthread_mutex_unlock(&reg->mtx);
	return err;
}

void
registry_state(struct registry *reg, char *ret_text, size_t cap)
{
	(void)pthread_mutex_lock(&reg->mtx);
	(void)snprintf(ret_text, cap, "%s", reg->fault);
	(void)pthread_mutex_unlock(&reg->mtx);
}

/* --- subjects ------------------------------------------------------------- */

struct exchange {
	struct buf path;
	struct buf body; /* of the answer */
	char *request;
	long status;
	int32_t code; /* error_code */
	char message[DETAIL_BYTES];
};

static enum sg_err
post(struct registry *reg, struct exchange *ex, const char *before,
	const char *subject, const char *after, struct sg_fault *why)
{
	enum sg_err err;

	buf_reset(&ex->path);
	buf_put_str(&ex->path, before);
	http_put_segment(&ex->path, subject);
	buf_put_str(&ex->path, after);
	if (ex->path.is_failed)
		return SG_NOMEM;
	err = http_ask(reg->caller, buf_cstr(&ex->path), ex->request,
		&ex->status, &ex->body, why);
	if (err != SG_OK)
		return err;
	ex->code = answer_error((const char *)ex->body.bytes, ex->body.len,
		ex->message, sizeof(ex->message));
	return SG_OK;
}

static enum sg_err
no_sense(const struct exchange *ex, const char *subject, struct sg_fault *why)
{
	return sg_fault_set(why, SG_BAD_CONFIG,
		"subject %s: the registry answered with HTTP status %ld%s%s",
		subject, ex->status, ex->message[0] != '\0' ? ": " : "",
		ex->message);
}

/* There is no such subject, or no version of it: everything fits. */
static enum sg_err
check_fits(struct registry *reg, struct exchange *ex, const char *subject,
	struct sg_fault *why)
{
	bool is_compatible = false;
	enum sg_err err = post(reg, ex, "/compatibility/subjects/", subject,
		"/versions/latest?verbose=true", why);

	if (err != SG_OK || ex->status == 404)
		return err;
	if (ex->status != 200 ||
		!answer_is_compatible((const char *)ex->body.bytes,
			ex->body.len, &is_compatible, ex->message,
			sizeof(ex->message)))
		return no_sense(ex, subject, why);
	if (is_compatible)
		return SG_OK;
	return sg_fault_set(why, SG_BAD_CONFIG,
		"subject %s: the registry says that this version's schema is "
		"not compatible with the latest there%s%s: give the topic "
		"another name, or change the subject's compatibility",
		subject, ex->message[0] != '\0' ? ": " : "", ex->message);
}

static enum sg_err
subject_id(struct registry *reg, struct exchange *ex, const char *subject,
	bool may_register, int32_t *ret_id, bool *ret_is_new,
	struct sg_fault *why)
{
	const char *bytes;
	enum sg_err err = post(reg, ex, "/subjects/", subject, "", why);

	if (err != SG_OK)
		return err;
	bytes = (const char *)ex->body.bytes;
	*ret_is_new = false;
	if (ex->status == 200)
		return answer_id(bytes, ex->body.len, ret_id)
			       ? SG_OK
			       : no_sense(ex, subject, why);
	if (ex->status != 404)
		return no_sense(ex, subject, why);
	if (!may_register)
		return sg_fault_set(why, SG_BAD_CONFIG,
			"subject %s does not have this schema: set "
			"`registry.register: true`, or (for what segmentd "
			"publishes) run `segmentd register`",
			subject);
	err = check_fits(reg, ex, subject, why);
	if (err == SG_OK)
		err = post(reg, ex, "/subjects/", subject, "/versions", why);
	if (err != SG_OK)
		return err;
	if (ex->status != 200 ||
		!answer_id((const char *)ex->body.bytes, ex->body.len, ret_id))
		return no_sense(ex, subject, why);
	*ret_is_new = true;
	return SG_OK;
}

enum sg_err
registry_subject_id(struct registry *reg, const char *subject, const char *text,
	bool may_register, int32_t *ret_id, bool *ret_is_new,
	struct sg_fault *why)
{
	struct exchange ex = {.request = answer_request(text)};
	enum sg_err err = SG_NOMEM;

	buf_init(&ex.path, 8192);
	buf_init(&ex.body, ANSWER_BYTES_MAX);
	if (ex.request != NULL)
		err = subject_id(reg, &ex, subject, may_register, ret_id,
			ret_is_new, why);
	free(ex.request);
	buf_fini(&ex.path);
	buf_fini(&ex.body);
	return err;
}
