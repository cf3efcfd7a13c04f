/*
 * look.h - what is there, for people: accounts and segments as Redis has them,
 * records of our topics, and the one thing a person may do: pin a segment.
 *
 * Nothing here takes a partition from anybody, or writes to Redis.
 *
 * Thread: one at a time.
 */
#ifndef SEGMENTD_LOOK_H
#define SEGMENTD_LOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/err.h"
#include "segmentd/pipeline.h"
#include "segmentd/record.h"
#include "segmentd/store.h"

/* --- names -------------------------------------------------------------- */

struct look_place {
	const char *segmentation;
	const char *segment; /* of a tag "in" or "out"; NULL: not named */
	bool is_tag;
	bool is_renewal;
};

/*
 * "touch.high", "touch=high" or "touch" alone as names of the configuration.
 * Errors: SG_BAD_OPTION, with what was perhaps meant.
 */
SG_MUSTCHECK enum sg_err
look_place(const struct program *program, const char *text,
	struct look_place *ret_place, struct sg_fault *why);

/* Is it a field of the public view? Errors: SG_BAD_OPTION, as above. */
SG_MUSTCHECK enum sg_err
look_field(
	const struct program *program, const char *name, struct sg_fault *why);

/* The type of a field of the view; NULL: not known, or text. */
const struct type *
look_field_type(const struct program *program, const char *name);

/* "WHAT `name`; did you mean `x`?", or which words there are (NULL ends them):
 * SG_BAD_OPTION. */
SG_MUSTCHECK enum sg_err
look_unknown(struct sg_fault *why, const char *what, const char *name,
	const char *const *words);

/* --- Redis -------------------------------------------------------------- */

struct look;

/* Does not connect. `program` must outlive it. Errors of all calls below: those
 * of the store. */
SG_MUSTCHECK enum sg_err
look_open(const struct program *program, struct look **ret_look,
	struct sg_fault *why);
void
look_close(struct look *look);

/* The public view of an account, sorted by name. Errors: SG_NO_ACCOUNT when
 * there is none, or none any more. */
SG_MUSTCHECK enum sg_err
look_view(struct look *look, const char *account, struct arena *arena,
	struct store_field **ret_fields, size_t *ret_n, struct sg_fault *why);

struct look_member {
	const char *account;
	int32_t number; /* of its partition group, under STORE_PARTITIONED */
};

/* Members of a segment by account id: all, or (max > 0) some of them.
 * *ret_total is how many there are. */
SG_MUSTCHECK enum sg_err
look_members(struct look *look, const struct look_place *place, uint64_t max,
	struct arena *arena, struct look_member **ret_members, size_t *ret_n,
	uint64_t *ret_total, struct sg_fault *why);

/* The view of a member; no fields when it has left meanwhile. */
SG_MUSTCHECK enum sg_err
look_member_view(struct look *look, const struct look_member *member,
	struct arena *arena, struct store_field **ret_fields, size_t *ret_n,
	struct sg_fault *why);

/* --- pins --------------------------------------------------------------- */

struct look_pin {
	const char *account;
	const char *segmentation;
	const char *segment; /* of a tag "in" or "out" */
	const char *author;
	const char *reason;
	int64_t at_ms;
	int64_t expires_ms; /* AT_NEVER */
};

/* Every pin that holds at `now_ms`, of one account or (NULL) of all.
 * Errors: SG_NO_ACCOUNT, SG_INTERRUPTED, SG_BAD_BLOB. */
SG_MUSTCHECK enum sg_err
look_pins(struct look *look, const char *account, int64_t now_ms,
	const atomic_bool *stop,
	void (*each)(void *ctx, const struct look_pin *pin), void *ctx,
	struct sg_fault *why);

/*
 * Produce the event that pins a segment, or (segment NULL) takes the pin away.
 * It goes to the partition that the account is in. The caller has checked the
 * rest. Errors: SG_NO_ACCOUNT; SG_BAD_CONFIG when there is no topic for it;
 * those of producing.
 */
SG_MUSTCHECK enum sg_err
look_pin_send(struct look *look, const struct look_pin *pin,
	const atomic_bool *stop, struct sg_fault *why);

/* --- topics ------------------------------------------------------------- */

struct look_topic;

enum look_topic_kind {
	LOOK_CHANGES,
	LOOK_CURRENT,
	LOOK_RENEWALS,
	LOOK_REJECTS, /* its values are whatever came: not decoded */
	LOOK_INPUT,
};

/* A topic by its own name, or by ours ("changes", an input's name). Errors:
 * SG_BAD_OPTION, with what was perhaps meant. */
SG_MUSTCHECK enum sg_err
look_topic_open(const struct program *program, const char *name,
	struct look_topic **ret_topic, struct sg_fault *why);
void
look_topic_close(struct look_topic *topic);
const char *
look_topic_name(const struct look_topic *topic);
enum look_topic_kind
look_topic_kind(const struct look_topic *topic);

/* What its values are seen as: TYPE_RECORD; NULL: they have no schema. */
const struct type *
look_topic_type(const struct look_topic *topic);

/* The whole value of a record; null where it has none, bytes where it has no
 * schema. Valid until: the arena is reset. Errors: those of decode_record(). */
SG_MUSTCHECK enum sg_err
look_topic_decode(struct look_topic *topic, const struct record *rec,
	struct arena *arena, struct value *ret_value, struct sg_fault *why);

struct look_follow {
	int64_t since_ms; /* INT64_MIN: all there is; INT64_MAX: what comes */
	int64_t from_offset; /* of each partition; -1: since_ms counts */
	bool is_ended;	     /* at the present end */
	const atomic_bool *stop;
};

/* The topic's committed records, of each partition in order. An error of each()
 * ends it. Errors: SG_BAD_CONFIG when there is no such topic; those of ingest.
 * Stopped is SG_INTERRUPTED. */
SG_MUSTCHECK enum sg_err
look_topic_read(struct look_topic *topic, const struct look_follow *follow,
	enum sg_err (*each)(
		void *ctx, const struct record *rec, struct sg_fault *why),
	void *ctx, struct sg_fault *why);

#endif
