/*
 * takeover.c - become the owner of a partition group: the only recovery path.
 *
 *   1  a producer (fences the one that used the transactional.id before)
 *   2  store: a fresh token; what was remembered: W, out, lineage
 *   3  Kafka: G, the committed offsets, and their metadata
 *   4  the walk over what we published (segmentd.current from `out`): newer
 *      membership is adopted
 *   5  reading begins at W; below G events are folded and nothing is decided.
 *      What does not fit into the cache, here and in 4, goes to the store
 *
 * A normal restart, a crash between K and R, and the loss of all of Redis are
 * the same walk, of different length. The order of the steps is part of the
 * protocol: each is read after its own fence.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "position.h"
#include "segmentd/clock.h"
#include "segmentd/fault.h"
#include "segmentd/log.h"
#include "worker.h"

#define BROKER_TIMEOUT_MS 10000
#define WALK_TIMEOUT_MS 60000
#define WALK_CHUNK 500
#define PRODUCER_TIMEOUT_MS 30000
#define PATIENCE_MS 1000 /* with a transaction that is in the way */
#define FENCE_TIMEOUT_MS 5000
#define BEHIND_MS 10000

/* What the two memories say about a group. */
struct findings {
	struct store_meta store;
	struct ingest_position kafka;
	struct position_meta meta;
	int64_t start[INPUTS_MAX]; /* where reading began; -1 not known */
	bool has_g;
	bool has_w;
	int64_t w[INPUTS_MAX];
	int64_t w_clock_ms;
	int64_t low[INPUTS_MAX];
	int64_t high[INPUTS_MAX];
};

enum sg_err
takeover_producer(struct worker *w, struct sg_fault *why)
{
	struct publish_opts opts = w->engine->publish;

	if (w->pub != NULL)
		return SG_OK;
	opts.transactional_id = w->transactional_id;
	return publish_open(&opts, PRODUCER_TIMEOUT_MS, &w->pub, why);
}

static void
forget(struct group *group)
{
	accounts_clear(&group->accounts);
	group->ntouched = 0;
	group->nchanged = 0;
	group->nfresh = 0;
	for (size_t i = 0; i < group->nlayouts; i++)
		snapshot_layout_fini(&group->layouts[i]);
	free(group->layouts);
	group->layouts = NULL;
	group->nlayouts = 0;
	group->is_layout_stored = false;
	group->is_w_moved = true;
	group_forget_due(group);
	group->clock_ms = INT64_MIN;
}

static enum sg_err
read_layouts(struct worker *w, struct group *group,
	const struct store_meta *meta, struct sg_fault *why)
{
	group->layouts = calloc(meta->nlayouts + 1, sizeof(*group->layouts));
	if (group->layouts == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < meta->nlayouts; i++) {
		const struct store_layout_entry *entry = &meta->layouts[i];
		enum sg_err err;

		if (entry->hash == w->prog->layout_hash) {
			group->is_layout_stored = true;
			continue;
		}
		err = snapshot_layout_read(w->prog, entry->hash, entry->bytes,
			entry->len, &group->layouts[group->nlayouts], why);
		if (err != SG_OK)
			return err;
		group->nlayouts++;
	}
	return SG_OK;
}

/*
 * Who committed last for the group may have died in a transaction. Until the
 * brokers give it up, which takes 20 s with their defaults, nobody can read
 * beyond its beginning. So when one is in the way, end it as a successor of
 * the same name would do: by fencing its producer. One that lives published
 * nothing of this group since it had to let go of it; should it still have
 * others, it takes those over again, and no more.
 *
 * Failures are not told: the brokers' time-out remains.
 */
static void
fence_last(struct worker *w, const struct group *group, struct arena *arena)
{
	struct publish_opts opts = w->engine->publish;
	struct publish *pub = NULL;
	struct ingest_position last;
	struct position_meta meta;
	struct sg_fault why;

	/* A broker that is merely slow does not answer this in time, either. */
	if (ingest_committed_before(w->ingest, group->number, PATIENCE_MS,
		    arena, &last, &why) != SG_OK ||
		last.metadata == NULL ||
		!position_read_meta(last.metadata, &meta) ||
		meta.by[0] == '\0' || strcmp(meta.by, w->transactional_id) == 0)
		return;
	SG_LOG(LOG_INFO, "fencing", LOG_INT("worker", w->number),
		LOG_INT("partition", group->number),
		LOG_STR("producer", meta.by));
	opts.transactional_id = meta.by;
	opts.is_at_least_once = false;
	if (publish_open(&opts, FENCE_TIMEOUT_MS, &pub, &why) == SG_OK)
		publish_close(pub);
}

static enum sg_err
read_committed(struct worker *w, const struct group *group, struct arena *arena,
	struct findings *f, struct sg_fault *why)
{
	enum sg_err err = ingest_committed(
		w->ingest, group->number, PATIENCE_MS, arena, &f->kafka, why);

	if (err != SG_TIMEOUT)
		return err;
	fence_last(w, group, arena);
	return ingest_committed(w->ingest, group->number, BROKER_TIMEOUT_MS,
		arena, &f->kafka, why);
}

static enum sg_err
find_out(struct worker *w, struct group *group, struct arena *arena,
	struct findings *f, struct sg_fault *why)
{
	bool is_from_before;
	enum sg_err err;

	FAULT_POINT(T1);
	err = store_group_takeover(group->store, arena, &f->store, why);
	FAULT_POINT(T2);
	if (err == SG_OK)
		err = read_layouts(w, group, &f->store, why);
	if (err == SG_OK)
		err = read_committed(w, group, arena, f, why);
	if (err == SG_OK)
		err = ingest_watermarks(w->ingest, group->number,
			BROKER_TIMEOUT_MS, f->low, f->high, why);
	if (err != SG_OK)
		return err;
	is_from_before = FAULT_DROPS(T3);
	for (size_t i = 0; i < w->prog->ninputs; i++) {
		f->has_g = f->has_g || f->kafka.offset[i] != INGEST_OFFSET_NONE;
		if (is_from_before && f->has_g)
			f->kafka.offset[i] = f->low[i];
		f->start[i] = position_start(f->kafka.own[i]);
	}
	if (f->has_g &&
		(f->kafka.metadata == NULL ||
			!position_read_meta(f->kafka.metadata, &f->meta)))
		return sg_fault_set(why, SG_OPERATOR,
			"partition %d: the committed offsets of group %s carry "
			"no metadata of segmentd: another program commits "
			"under this group name",
			(int)group->number, w->prog->conf->opt.group.s);
	f->has_w = f->store.is_present && f->store.lineage != NULL &&
		   f->store.w != NULL &&
		   position_read_w(w->prog, f->store.w, f->w, &f->w_clock_ms);
	return SG_OK;
}

/*
 * Kafka says that less is committed than somebody has who only has what was.
 * Commits are lost, or offsets were reset: that is for an operator. But a
 * broker that has just come back was seen to answer so, from the midst of
 * reading its log, where all of it was. So it is asked again for a while.
 */
static enum sg_err
behind(struct worker *w, const struct group *group, size_t input,
	const char *who, int64_t at, int64_t committed, struct sg_fault *why)
{
	int64_t now_us = clock_mono_us();
	bool is_over;

	if (w->behind_since_us == 0)
		w->behind_since_us = now_us;
	is_over = now_us - w->behind_since_us > BEHIND_MS * INT64_C(1000);
	return sg_fault_set(why, is_over ? SG_OPERATOR : SG_BROKER_DOWN,
		"%s partition %d: %s is at offset %" PRId64
		", beyond the committed %" PRId64
		": Kafka lost commits, or offsets were reset",
		w->prog->inputs[input].topic, (int)group->number, who, at,
		committed);
}

/* Do the two memories speak of the same past? */
static enum sg_err
check_lineage(struct worker *w, struct group *group, const struct findings *f,
	struct sg_fault *why)
{
	if (f->has_w && !f->has_g)
		return sg_fault_set(why, SG_OPERATOR,
			"partition %d: Redis holds states (prefix %s) but "
			"group %s has no committed offsets: they expired, or "
			"the prefix belongs to another group. Set another "
			"redis.prefix, or remove the old keys",
			(int)group->number, w->prog->conf->opt.redis_prefix.s,
			w->prog->conf->opt.group.s);
	if (f->has_w && strcmp(f->store.lineage, f->meta.lineage) != 0)
		return sg_fault_set(why, SG_OPERATOR,
			"partition %d: Redis and Kafka are of different "
			"histories (lineage %s and %s): topics or offsets "
			"were recreated",
			(int)group->number, f->store.lineage, f->meta.lineage);
	for (size_t i = 0; i < w->prog->ninputs; i++) {
		int64_t g = f->kafka.offset[i];

		if (f->has_w && g != INGEST_OFFSET_NONE && f->w[i] > g)
			return behind(w, group, i, "Redis", f->w[i], g, why);
	}
	return SG_OK;
}

/* Where to begin reading input i: at W. Without one, where it began once: all
 * is lost, or was never written. */
static enum sg_err
start_of(struct worker *w, struct group *group, const struct findings *f,
	size_t i, int64_t *ret_start, struct sg_fault *why)
{
	bool is_known = f->has_w && f->w[i] >= 0;
	bool is_new = f->kafka.offset[i] == INGEST_OFFSET_NONE;
	int64_t start =
		w->engine->ingest.is_from_latest ? f->high[i] : f->low[i];

	if (is_known)
		start = f->w[i];
	else if (!is_new && f->start[i] >= 0)
		start = f->start[i];
	else if (!is_new && !f->has_w)
		start = 0; /* committed by a version that did not note it */
	if (start < f->low[i]) {
		if (!w->engine->opts->is_loss_accepted)
			return sg_fault_set(why, SG_OPERATOR,
				"%s partition %d: offset %" PRId64
				" is needed and the topic begins at %" PRId64
				" (retention): features before that are lost. "
				"--accept-loss goes on without them",
				w->prog->inputs[i].topic, (int)group->number,
				start, f->low[i]);
		start = f->low[i];
	}
	if (start > f->high[i])
		return sg_fault_set(why, SG_OPERATOR,
			"%s partition %d: offset %" PRId64
			" is needed and the topic ends at %" PRId64
			": it was recreated",
			w->prog->inputs[i].topic, (int)group->number, start,
			f->high[i]);
	group->start[i] = is_known || !is_new ? f->start[i] : start;
	if (!is_known && f->start[i] >= 0)
		group->start[i] = start; /* with what is accepted as lost */
	*ret_start = start;
	return SG_OK;
}

static void
new_lineage(char *ret_lineage)
{
	uint8_t bytes[16];

	clock_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret_lineage + 2 * i, 3, "%02x", bytes[i]);
}

static enum sg_err
place(struct worker *w, struct group *group, const struct findings *f,
	struct sg_fault *why)
{
	enum sg_err err = check_lineage(w, group, f, why);

	for (size_t i = 0; i < w->prog->ninputs && err == SG_OK; i++) {
		err = start_of(w, group, f, i, &group->fold[i], why);
		group->committed[i] = f->kafka.offset[i] == INGEST_OFFSET_NONE
					      ? group->fold[i]
					      : f->kafka.offset[i];
	}
	if (err != SG_OK)
		return err;
	group->is_in_kafka = f->has_g;
	group->is_catching_up = true;
	/* From here on accounts are decided by these rules, one by one: until
	 * all are, none can be named. A restart with the rules from before
	 * would else take all for evaluated by them. */
	group->rules = w->prog->rules_hash;
	if (f->has_g && f->meta.rules != w->prog->rules_hash)
		group->rules = 0;
	w->review = (struct review){.cursor = 0};
	group->cno = f->meta.cno;
	group->committed_clock_ms = INT64_MIN;
	if (w->is_event_clock) {
		if (f->has_w)
			group->clock_ms = f->w_clock_ms;
		if (f->has_g)
			group->committed_clock_ms = f->meta.clock_ms;
	}
	if (f->has_g)
		memcpy(group->lineage, f->meta.lineage, sizeof(group->lineage));
	else
		new_lineage(group->lineage);
	return SG_OK;
}

/* --- the walk over what we published ------------------------------------ */

struct walk {
	struct worker *worker;
	struct group *group;
	struct arena arena;
	struct membership_image images[WALK_CHUNK];
	size_t n;
	int64_t next; /* to be read; INGEST_OFFSET_NONE: from what is there */
	uint64_t nimages;
	uint64_t nadopted;
	bool is_further; /* decided beyond the committed offsets */
};

/*
 * What was published says up to where it was decided. With transactions that
 * was committed with it: where Kafka says less, see behind(). At least
 * once, the offsets may never have come: to there nothing is decided again.
 */
static enum sg_err
heed_decided(struct walk *walk, const struct record *rec, struct sg_fault *why)
{
	struct worker *w = walk->worker;
	struct group *group = walk->group;
	const char *text = publish_image_decided(rec, &walk->arena);
	struct position_decided decided;

	if (text == NULL || !position_read_decided(w->prog, text, &decided))
		return SG_OK;
	for (size_t i = 0; i < w->prog->ninputs; i++) {
		int64_t *committed = &group->committed[i];

		if (decided.offsets[i] <= *committed)
			continue;
		if (decided.is_in_txn)
			return behind(w, group, i, "what was published",
				decided.offsets[i], *committed, why);
		*committed = decided.offsets[i];
		walk->is_further = true;
	}
	if (w->is_event_clock && decided.clock_ms > group->committed_clock_ms)
		group->committed_clock_ms = decided.clock_ms;
	if (decided.cno > group->cno)
		group->cno = decided.cno;
	return SG_OK;
}

static enum sg_err
adopt(struct walk *walk, const struct membership_image *image)
{
	const struct program *prog = walk->worker->prog;
	struct group *group = walk->group;
	struct account *acct = group_account_of(group, image->account);
	enum sg_err err;

	if (acct == NULL)
		return SG_NOMEM;
	if (image->account_version <= acct->ms->version)
		return SG_OK;
	err = membership_adopt(
		acct->ms, prog->defs, prog->nsegmentations, image);
	if (err != SG_OK)
		return err;
	if (image->updated_at_ms > acct->touched_ms)
		acct->touched_ms = image->updated_at_ms;
	for (size_t i = 0; i < prog->nsegmentations; i++)
		acct->until_ms[i] = INT64_MIN;
	group_mark_dirty(group, acct, clock_mono_us() / 1000);
	acct->is_ripe = true;
	walk->nadopted++;
	return group_touch(group, acct);
}

static enum sg_err
adopt_chunk(struct walk *walk, struct sg_fault *why)
{
	struct group *group = walk->group;
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < walk->n && err == SG_OK; i++) {
		if (group_account_of(group, walk->images[i].account) == NULL)
			err = SG_NOMEM;
	}
	if (err == SG_OK)
		err = take_fresh(walk->worker, group, why);
	for (size_t i = 0; i < walk->n && err == SG_OK; i++)
		err = adopt(walk, &walk->images[i]);
	walk->n = 0;
	arena_reset(&walk->arena);
	if (err == SG_OK)
		err = commit_make_room(walk->worker, group, why);
	return err;
}

/* The record is valid during the call: what it says is copied. */
static enum sg_err
walk_record(void *ctx, const struct record *rec, struct sg_fault *why)
{
	struct walk *walk = ctx;
	struct membership_image *image = &walk->images[walk->n];
	struct record copy = *rec;
	enum sg_err err;

	copy.key = arena_copy(
		&walk->arena, rec->key == NULL ? "" : rec->key, rec->key_len);
	if (rec->value != NULL)
		copy.value =
			arena_copy(&walk->arena, rec->value, rec->value_len);
	if (copy.key == NULL || (rec->value != NULL && copy.value == NULL))
		return SG_NOMEM;
	err = publish_image_read(&copy, &walk->arena, image, why);
	if (err != SG_OK)
		return sg_fault_set(why, SG_OPERATOR,
			"%s partition %d offset %" PRId64
			" is not a record of ours: %s",
			walk->worker->prog->conf->opt.topic_current.s,
			(int)rec->partition, rec->offset, sg_err_text(err));
	err = heed_decided(walk, rec, why);
	if (err != SG_OK)
		return err;
	walk->next = rec->offset + 1;
	walk->nimages++;
	walk->n++;
	return walk->n == WALK_CHUNK ? adopt_chunk(walk, why) : SG_OK;
}

static enum sg_err
walk_on(struct walk *walk, int32_t timeout_ms, int64_t *ret_next,
	struct sg_fault *why)
{
	struct worker *w = walk->worker;

	return ingest_walk(w->ingest, w->prog->conf->opt.topic_current.s,
		walk->group->number, walk->next, timeout_ms, walk_record, walk,
		ret_next, why);
}

static enum sg_err
walk_current(struct worker *w, struct group *group, const struct findings *f,
	struct sg_fault *why)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	int64_t next = 0;
	int64_t seen;
	enum sg_err err;

	if (walk == NULL)
		return SG_NOMEM;
	walk->worker = w;
	walk->group = group;
	walk->next = INGEST_OFFSET_NONE;
	arena_init(&walk->arena, (size_t)1 << 30);
	if (f->has_w && f->store.out != NULL)
		walk->next = strtoll(f->store.out, NULL, 10);
	group->out_next = walk->next == INGEST_OFFSET_NONE ? 0 : walk->next;
	do {
		seen = walk->next;
		err = walk_on(walk, PATIENCE_MS, &next, why);
	} while (err == SG_TIMEOUT && walk->next != seen);
	if (err == SG_TIMEOUT) {
		fence_last(w, group, &walk->arena);
		err = walk_on(walk, WALK_TIMEOUT_MS, &next, why);
	}
	if (err == SG_OK)
		err = adopt_chunk(walk, why);
	if (err == SG_OK && walk->nimages > 0 && !f->has_g)
		err = sg_fault_set(why, SG_OPERATOR,
			"partition %d: %s has records but group %s has no "
			"committed offsets: they expired, or the topic belongs "
			"to another group",
			(int)group->number, w->prog->conf->opt.topic_current.s,
			w->prog->conf->opt.group.s);
	/* Redis may follow to where Kafka is, and not beyond. */
	if (err == SG_OK && walk->is_further)
		err = commit_position(w, group, group->committed,
			group->committed_clock_ms, why);
	if (err == SG_OK) {
		group->out_next = next;
		SG_LOG(LOG_INFO, "takeover", LOG_INT("worker", w->number),
			LOG_INT("partition", group->number),
			LOG_BOOL("redis", f->has_w),
			LOG_INT("published", walk->nimages),
			LOG_INT("adopted", walk->nadopted));
	}
	arena_fini(&walk->arena);
	free(walk);
	return err;
}

static void
log_distance(struct worker *w, const struct group *group)
{
	int64_t behind = 0;

	for (size_t i = 0; i < w->prog->ninputs; i++) {
		if (group->committed[i] > group->fold[i])
			behind += group->committed[i] - group->fold[i];
	}
	if (behind > 0)
		SG_LOG(LOG_INFO, "catching_up", LOG_INT("worker", w->number),
			LOG_INT("partition", group->number),
			LOG_INT("records", behind));
}

enum sg_err
takeover_group(struct worker *w, struct group *group, struct sg_fault *why)
{
	struct findings *f = calloc(1, sizeof(*f));
	struct arena arena;
	enum sg_err err = SG_NOMEM;

	if (f == NULL)
		return SG_NOMEM;
	arena_init(&arena, (size_t)256 << 20);
	forget(group);
	hold_forget(w, group);
	err = takeover_producer(w, why);
	if (err == SG_OK)
		err = find_out(w, group, &arena, f, why);
	if (err == SG_OK)
		err = place(w, group, f, why);
	if (err == SG_OK)
		err = walk_current(w, group, f, why);
	FAULT_POINT(T4);
	if (err == SG_OK)
		err = ingest_start(w->ingest, group->number, group->fold, why);
	if (err == SG_OK) {
		FAULT_POINT(T5);
		metric_add(w->metrics.takeovers, 1);
		log_distance(w, group);
	}
	arena_fini(&arena);
	free(f);
	return err;
}

enum sg_err
takeover_all(struct worker *w, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	publish_close(w->pub);
	w->pub = NULL;
	w->box.changes.n = 0;
	w->nparts = 0;
	w->nrejects = 0;
	w->reject_bytes = 0;
	arena_reset(&w->box.txn);
	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++) {
		struct merge *merge = NULL;

		if (w->is_event_clock) {
			err = merge_create(w->prog->ninputs, &merge);
			if (err != SG_OK)
				return err;
			merge_destroy(w->merges[g]);
			w->merges[g] = merge;
		}
		err = takeover_group(w, w->groups[g], why);
		/* Each has its own connection, which fails once when Redis was
		 * away. Not all of them again for each of them. */
		if (err == SG_STORE_DOWN)
			err = takeover_group(w, w->groups[g], why);
	}
	if (err == SG_OK)
		take_check_caught_up(w);
	return err;
}
