/*
 * collect.h - private to features/: keyed entries of an account.
 */
#ifndef FEATURES_COLLECT_H
#define FEATURES_COLLECT_H

#include "segmentd/err.h"
#include "state.h"

/*
 * One entry. The record's fields lie behind it, their texts behind those, in
 * one piece of the heap; a struct value of kind VALUE_RECORD points at
 * `fields`. An entry of the removed ones has the key only.
 */
struct entry {
	int64_t at_ms;
	int64_t offset;
	uint32_t bytes; /* of the piece */
	bool is_closed;
	struct value fields[];
};

/* What collect_plan() found out for collect_apply(). */
struct collect_put {
	struct entry *entry; /* to be put in; NULL: none */
	int64_t at_ms;
	int64_t offset;
	bool is_closed;
	bool is_stamp;	  /* the entry that is there is set to the same again */
	uint32_t live_at; /* where its key is or belongs */
	uint32_t gone_at;
	bool is_live; /* the key is there */
	bool is_gone;
	bool is_remove;
	bool is_changed;
	bool is_overflow;
};

const struct entry *
collect_entry(struct value record);

/* The greater key is positive. Keys of one type. */
int
collect_key_order(struct value a, struct value b);

/* An entry with copies of `n` fields (texts cut), NULL when out of memory. */
struct entry *
collect_make(struct features *features, const struct value *fields, size_t n,
	bool *ret_is_cut);
void
collect_entry_free(struct features *features, struct entry *entry);

void
collect_fini(struct features *features, struct collect *collect);

/*
 * Prepare to set or remove the entry of `ev`. All memory is taken here:
 * collect_apply() or collect_drop() must follow.
 */
SG_MUSTCHECK enum sg_err
collect_plan(struct features *features, const struct unit *unit,
	struct collect *collect, const struct event *ev, int64_t at_ms,
	uint64_t filters, struct collect_put *put);
void
collect_apply(struct features *features, const struct unit *unit,
	struct collect *collect, struct collect_put *put);
void
collect_drop(struct features *features, const struct collect_put *put);

/* Append an entry whose key is above all others, as the stored form lists
 * them. Takes the entry, frees it when it fails. */
SG_MUSTCHECK enum sg_err
collect_append(struct features *features, struct collect *collect,
	struct entry *entry, size_t nfields, bool is_gone);

/* Let entries leave until there are at most unit->max. */
void
collect_trim(struct features *features, const struct unit *unit,
	struct collect *collect);

#endif
