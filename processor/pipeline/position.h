/*
 * position.h - positions of a partition group as texts.
 *
 * Low watermark W, in the group's commit record in Redis:
 *     customer.accounts=120,customer.usage=88;now=1714521600000
 * Metadata of the committed offsets in Kafka:
 *     v=1;lin=<lineage>;cno=<changes so far>;rules=<hash>;now=<event clock>;
 *     start=<offset>;by=<transactional id>
 * Up to where a membership was decided:
 *     customer.accounts=120,customer.usage=88;now=1714521600000;cno=17;txn=1
 * `txn` when these offsets were committed with it.
 * `now` is there under the event clock only, `by` with transactions. `start`
 * is where reading that input began, once: what a state without a W is folded
 * from. The rest is the same for each input of a group.
 */
#ifndef PIPELINE_POSITION_H
#define PIPELINE_POSITION_H

#include "program.h"

#define POSITION_BY_MAX 600

struct position_meta {
	char lineage[33]; /* "" none */
	uint64_t cno;
	uint64_t rules;
	int64_t clock_ms;	  /* INT64_MIN: none */
	int64_t start;		  /* -1: not known */
	char by[POSITION_BY_MAX]; /* whose transaction it was; "" unknown */
};

void
position_write_w(const struct program *prog, const int64_t *offsets,
	int64_t clock_ms, struct buf *out);

/* Offsets by input, -1 where the text does not name the topic. False when the
 * text is not of this form. */
bool
position_read_w(const struct program *prog, const char *text,
	int64_t *ret_offsets, int64_t *ret_clock_ms);

struct position_decided {
	int64_t offsets[INPUTS_MAX]; /* -1: not named */
	int64_t clock_ms;	     /* INT64_MIN: none */
	uint64_t cno;
	bool is_in_txn;
};

void
position_write_decided(const struct program *prog,
	const struct position_decided *decided, struct buf *out);
bool
position_read_decided(const struct program *prog, const char *text,
	struct position_decided *ret_decided);

void
position_write_meta(const struct position_meta *meta, struct buf *out);
bool
position_read_meta(const char *text, struct position_meta *ret_meta);
/* `start` alone; -1 where there is none, or no text (NULL). */
int64_t
position_start(const char *text);

#endif
