/*
 * registry.h - schemas by number from a Confluent-compatible HTTP registry.
 *
 * One struct registry a process. A thread of its own asks; whoever needs a
 * schema looks whether the answer is there and never waits for the network:
 *
 *   registry_find()   known, unknown, or not answered yet
 *   registry_await()  the same, after a short wait for the answer
 *
 * What the registry answered is kept: in memory, and in a folder when one is
 * named, so that a restart does without the registry. Ids never change their
 * schema, so what is known stays known. That there is no such schema holds for
 * `unknown_for_ms`; then it is asked again, and while the registry is away the
 * old answer stands.
 *
 * Several base URLs are tried in turn, beginning with the one that answered
 * last. Requests are those of Confluent's API: GET /schemas/ids/{id} and
 * /schemas/guids/{guid}, /subjects/{subject}/versions, /compatibility.
 * Redirections are not followed.
 *
 * Thread: registry_find() and registry_await() any; the others one at a time.
 */
#ifndef SEGMENTD_REGISTRY_H
#define SEGMENTD_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/err.h"
#include "segmentd/schema_key.h"

struct registry_opts {
	/* One or more, separated by commas: http[s]://[user:password@]host
	 * [:port][/prefix]. */
	const char *urls;
	const char *user;     /* NULL or "": of the URL */
	const char *password; /* with `user` */
	const char *ca_file;  /* PEM; NULL or "": the system's */
	const char *folder;   /* where answers are kept; NULL or "": nowhere */
	int64_t timeout_ms;   /* of one request */
	int64_t unknown_for_ms;
};

struct registry;

/*
 * Checks the options, makes the folder, starts the thread; asks nothing yet.
 * Errors: SG_BAD_OPTION (a URL that is none; the message has no password),
 * SG_IO, SG_NOMEM. `opts` is copied.
 */
SG_MUSTCHECK enum sg_err
registry_open(const struct registry_opts *opts, struct registry **ret_registry,
	struct sg_fault *why);
void
registry_close(struct registry *registry);

/*
 * The schema's JSON text, references resolved.
 *
 * Valid until: the registry is closed.
 * Errors: SG_REGISTRY_DOWN: not answered yet, ask again; SG_UNKNOWN_SCHEMA:
 * the registry has none, or what it has is no Avro: the fault says which.
 */
SG_MUSTCHECK enum sg_err
registry_find(struct registry *registry, const struct schema_key *key,
	const char **ret_text, size_t *ret_len, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
registry_await(struct registry *registry, const struct schema_key *key,
	int32_t timeout_ms, const char **ret_text, size_t *ret_len,
	struct sg_fault *why);

/* Why the last request got no answer; "" when it got one. For health. */
void
registry_state(struct registry *registry, char *ret_text, size_t cap);

/*
 * The id of `text` under `subject`. With `may_register` it is made when it is
 * not there, after the registry has said that it is compatible. Waits for the
 * answer.
 *
 * Errors: SG_REGISTRY_DOWN; SG_BAD_CONFIG: not there and not to be made, not
 * compatible, or refused: what the registry said, and what to do.
 */
SG_MUSTCHECK enum sg_err
registry_subject_id(struct registry *registry, const char *subject,
	const char *text, bool may_register, int32_t *ret_id, bool *ret_is_new,
	struct sg_fault *why);

#endif
