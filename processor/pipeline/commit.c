/*
 * commit.c - K and R: one Kafka transaction, then the store.
 *
 * K carries the changes of all groups of the worker, the whole membership of
 * each account that changed, rejects, and the fold position of every group.
 * What went into it stays in memory until it is committed: a transaction that
 * has to be aborted is written again as it was. When its outcome is not known
 * nothing here is worth anything any more; the worker is doubtful and takes
 * over from what Kafka and Redis hold.
 *
 * R follows K and never goes ahead of it: the store only receives what Kafka
 * has committed. That is everything at a K boundary, and, while a group catches
 * up, what is below G: this goes to the store when the cache is full.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "flush.h"
#include "position.h"
#include "segmentd/clock.h"
#include "segmentd/fault.h"
#include "segmentd/log.h"
#include "worker.h"

#define TXN_TIMEOUT_MS 10000
#define TXN_TRIES_MAX 8
#define RETRY_MS 60000
#define UNHEALTHY_MS 5000
#define REJECT_BYTES_MAX (64 << 20)

enum sg_err
commit_note(struct worker *w, struct group *group)
{
	size_t noted = w->nparts == 0 ? 0 : w->parts[w->nparts - 1].to;

	if (w->box.changes.n == noted)
		return SG_OK;
	if (w->nparts > 0 && w->parts[w->nparts - 1].group == group) {
		w->parts[w->nparts - 1].to = w->box.changes.n;
		return SG_OK;
	}
	if (w->nparts == w->parts_cap) {
		size_t cap = w->parts_cap * 2 + 64;
		struct change_part *parts =
			realloc(w->parts, cap * sizeof(*parts));

		if (parts == NULL)
			return SG_NOMEM;
		w->parts = parts;
		w->parts_cap = cap;
	}
	w->parts[w->nparts++] =
		(struct change_part){group, noted, w->box.changes.n};
	return SG_OK;
}

/* --- K ------------------------------------------------------------------ */

/* Asked for: what new rules change is not told. Versions go on all the same,
 * so a reader of changes sees a gap where that was done. */
static bool
is_kept_quiet(const struct worker *w, const struct change *change)
{
	return w->engine->opts->is_quiet_on_rule_change &&
	       change->origin == ORIGIN_rule_change;
}

static enum sg_err
write_changes(struct worker *w, struct sg_fault *why)
{
	for (size_t p = 0; p < w->nparts; p++) {
		const struct change_part *part = &w->parts[p];
		struct group *group = part->group;

		for (size_t i = part->from; i < part->to; i++) {
			enum sg_err err;

			if (is_kept_quiet(w, &w->box.changes.items[i]))
				continue;
			err = publish_change(w->pub, group->number,
				&w->box.changes.items[i], ++group->cno_next,
				why);

			if (err != SG_OK)
				return err;
		}
	}
	return SG_OK;
}

static enum sg_err
write_image(struct worker *w, struct group *group, struct account *acct,
	const char *decided, struct sg_fault *why)
{
	struct membership_entry entries[SEGMENTATIONS_MAX];
	struct membership_image image = {
		.account = acct->id,
		.is_deleted = acct->is_gone,
		.rules_version = w->prog->rules_hash,
	};
	struct buf state;
	enum sg_err err;

	buf_init(&state, 1 << 16);
	membership_image(acct->ms, w->prog->defs, w->prog->nsegmentations,
		entries, &state, &image);
	err = state.is_failed ? SG_NOMEM
			      : publish_image(w->pub, group->number, &image,
					decided, why);
	buf_fini(&state);
	return err;
}

/*
 * A membership says up to where it was decided. At least once, offsets come
 * after it: should they never come, what is before is not decided again, with
 * the membership that it led to and under new versions. In a transaction they
 * come with it: a broker that answers with less is not to be believed.
 */
static enum sg_err
write_images(struct worker *w, struct sg_fault *why)
{
	enum sg_err err = SG_OK;
	struct buf text;

	buf_init(&text, 1 << 20);
	for (size_t g = 0; g < w->ngroups; g++) {
		struct group *group = w->groups[g];
		struct position_decided decided = {
			.clock_ms =
				w->is_event_clock ? group->clock_ms : INT64_MIN,
			.cno = group->cno_next,
			.is_in_txn = !w->engine->publish.is_at_least_once,
		};

		memcpy(decided.offsets, group->fold, sizeof(decided.offsets));
		buf_reset(&text);
		position_write_decided(w->prog, &decided, &text);
		if (text.is_failed)
			err = SG_NOMEM;
		for (size_t i = 0; i < group->nchanged && err == SG_OK; i++)
			err = write_image(w, group, group->changed[i],
				buf_cstr(&text), why);
	}
	buf_fini(&text);
	return err;
}

static enum sg_err
write_rejects(struct worker *w, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < w->nrejects && err == SG_OK; i++) {
		const struct reject *reject = &w->rejects[i];
		const struct publish_reason reason = {.err = reject->reason,
			.topic = w->prog->inputs[reject->rec.input].topic,
			.detail = reject->detail,
			.schema = reject->schema};

		err = publish_reject(w->pub, reject->rec.partition,
			&reject->rec, &reason, why);
	}
	return err;
}

/* Texts for each input, in the transaction's arena; NULL: no memory. */
static const char *const *
group_metadata(struct worker *w, const struct group *group, int64_t clock_ms)
{
	struct position_meta meta = {
		.cno = group->cno_next,
		.rules = group->rules,
		.clock_ms = w->is_event_clock ? clock_ms : INT64_MIN,
	};
	const char **texts =
		arena_array(&w->box.txn, INPUTS_MAX, sizeof(*texts));
	bool is_failed = texts == NULL;
	struct buf text;

	_Static_assert(sizeof(meta.by) == sizeof(w->transactional_id),
		"they hold the same");
	memcpy(meta.lineage, group->lineage, sizeof(meta.lineage));
	if (!w->engine->publish.is_at_least_once)
		memcpy(meta.by, w->transactional_id, sizeof(meta.by));
	buf_init(&text, 4096);
	for (size_t i = 0; i < w->prog->ninputs && !is_failed; i++) {
		meta.start = group->start[i];
		buf_reset(&text);
		position_write_meta(&meta, &text);
		texts[i] = arena_copy(&w->box.txn, buf_cstr(&text), text.len);
		is_failed = text.is_failed || texts[i] == NULL;
	}
	buf_fini(&text);
	return is_failed ? NULL : texts;
}

/* Call `again` while the broker asks to. Nothing else is heard of the brokers
 * meanwhile, so it is told here that they don't answer; the next round that
 * gets through tells otherwise. */
static enum sg_err
repeat(struct worker *w,
	enum sg_err (*again)(struct worker *w, struct sg_fault *why),
	struct sg_fault *why)
{
	int64_t began_us = clock_mono_us(), took_ms;
	enum sg_err err;

	for (;;) {
		err = again(w, why);
		if (err != SG_BROKER_RETRY)
			return err;
		took_ms = (clock_mono_us() - began_us) / 1000;
		if (took_ms > RETRY_MS)
			return SG_TXN_UNKNOWN;
		if (took_ms > UNHEALTHY_MS)
			health_set(w->engine->health, w->engine->health_kafka,
				false, "a transaction is not answered");
		clock_sleep_ms(20);
	}
}

static enum sg_err
send_offsets(struct worker *w, struct sg_fault *why)
{
	size_t max = w->ngroups * w->prog->ninputs, n = 0;
	struct publish_offset *offsets = calloc(max + 1, sizeof(*offsets));
	struct buf member;
	enum sg_err err = SG_NOMEM;

	buf_init(&member, 1 << 20);
	if (offsets == NULL)
		goto out;
	for (size_t g = 0; g < w->ngroups; g++) {
		const struct group *group = w->groups[g];
		const char *const *texts =
			group_metadata(w, group, group->clock_ms);

		if (texts == NULL)
			goto out;
		for (size_t i = 0; i < w->prog->ninputs; i++)
			offsets[n++] = (struct publish_offset){
				.topic = w->prog->inputs[i].topic,
				.partition = group->number,
				.offset = group->fold[i],
				.metadata = texts[i]};
	}
	err = ingest_group_metadata(w->ingest, &member, why);
	if (err == SG_OK)
		err = publish_offsets(w->pub, offsets, n, member.bytes,
			member.len, TXN_TIMEOUT_MS, why);
out:
	free(offsets);
	buf_fini(&member);
	return err;
}

static enum sg_err
end_txn(struct worker *w, struct sg_fault *why)
{
	return publish_commit(w->pub, TXN_TIMEOUT_MS, why);
}

static enum sg_err
abort_txn(struct worker *w, struct sg_fault *why)
{
	return publish_abort(w->pub, TXN_TIMEOUT_MS, why);
}

static enum sg_err
begin_txn(struct worker *w, struct sg_fault *why)
{
	return publish_begin(w->pub, why);
}

static enum sg_err
write_txn(struct worker *w, struct sg_fault *why)
{
	enum sg_err err;

	for (size_t g = 0; g < w->ngroups; g++)
		w->groups[g]->cno_next = w->groups[g]->cno;
	err = repeat(w, begin_txn, why);
	if (err == SG_OK)
		err = write_changes(w, why);
	if (err == SG_OK)
		err = write_images(w, why);
	if (err == SG_OK)
		err = write_rejects(w, why);
	if (err == SG_OK && FAULT_DROPS(K1))
		err = sg_fault_set(why, SG_TXN_ABORTABLE, "dropped at K1");
	if (err == SG_OK)
		err = repeat(w, send_offsets, why);
	if (err == SG_OK && FAULT_DROPS(K2))
		err = sg_fault_set(why, SG_TXN_UNKNOWN, "dropped at K2");
	if (err == SG_OK)
		err = repeat(w, end_txn, why);
	if (err == SG_OK && FAULT_DROPS(K3))
		err = sg_fault_set(why, SG_TXN_UNKNOWN, "dropped at K3");
	return err;
}

enum sg_err
commit_position(struct worker *w, const struct group *group,
	const int64_t *offsets, int64_t clock_ms, struct sg_fault *why)
{
	const char *const *texts = group_metadata(w, group, clock_ms);

	return texts == NULL ? SG_NOMEM
			     : ingest_commit(w->ingest, group->number, offsets,
				       texts, why);
}

/* At least once: before anything is published there is a G. Without one, a
 * take-over that finds changes would have to refuse. */
static enum sg_err
commit_starts(struct worker *w, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++) {
		const struct group *group = w->groups[g];

		if (!group->is_in_kafka)
			err = commit_position(
				w, group, group->committed, INT64_MIN, why);
	}
	return err;
}

/* At least once: what is published is acknowledged, then the offsets go. The
 * changes are acknowledged before the memberships are written: a take-over
 * adopts a membership and does not decide it again, so the change that led to
 * it has to be there.
 */
static enum sg_err
commit_positions(struct worker *w, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++)
		err = commit_position(w, w->groups[g], w->groups[g]->fold,
			w->groups[g]->clock_ms, why);
	return err;
}

static enum sg_err
write_plain(struct worker *w, struct sg_fault *why)
{
	enum sg_err err;

	for (size_t g = 0; g < w->ngroups; g++)
		w->groups[g]->cno_next = w->groups[g]->cno;
	err = repeat(w, commit_starts, why);
	if (err == SG_OK)
		err = repeat(w, begin_txn, why);
	if (err == SG_OK)
		err = write_changes(w, why);
	if (err == SG_OK)
		err = write_rejects(w, why);
	if (err == SG_OK && FAULT_DROPS(K1))
		err = sg_fault_set(why, SG_TXN_UNKNOWN, "dropped at K1");
	if (err == SG_OK && (w->box.changes.n > 0 || w->nrejects > 0))
		err = repeat(w, end_txn, why);
	if (err == SG_OK)
		err = write_images(w, why);
	if (err == SG_OK)
		err = repeat(w, end_txn, why);
	if (err == SG_OK && FAULT_DROPS(K2))
		err = sg_fault_set(why, SG_TXN_UNKNOWN, "dropped at K2");
	if (err == SG_OK)
		err = repeat(w, commit_positions, why);
	if (err == SG_OK && FAULT_DROPS(K3))
		err = sg_fault_set(why, SG_TXN_UNKNOWN, "dropped at K3");
	return err;
}

static enum sg_err
try_commit(struct worker *w, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	if (w->engine->publish.is_at_least_once)
		return write_plain(w, why);
	for (int i = 0; i < TXN_TRIES_MAX; i++) {
		err = write_txn(w, why);
		if (err != SG_TXN_ABORTABLE)
			return err;
		metric_add(w->metrics.aborted, 1);
		SG_LOG(LOG_WARN, "transaction_aborted",
			LOG_INT("worker", w->number),
			LOG_STR("why", why->text));
		err = repeat(w, abort_txn, why);
		if (err != SG_OK)
			return err;
		clock_sleep_ms(20 << i);
	}
	return SG_TXN_UNKNOWN;
}

/* --- after K ------------------------------------------------------------ */

static void
tell_changes(struct worker *w, int64_t now_ms)
{
	const struct pipeline_run_opts *opts = w->engine->opts;

	for (size_t i = 0; i < w->box.changes.n; i++) {
		const struct change *change = &w->box.changes.items[i];
		size_t at = 0;

		while (at < w->prog->nsegmentations &&
			strcmp(w->prog->defs[at].name, change->segmentation) !=
				0)
			at++;
		if (at < w->prog->nsegmentations)
			metric_add(w->metrics.changes[at * ORIGIN_COUNT +
						      change->origin],
				1);
		if (change->kafka_ms > 0 && now_ms >= change->kafka_ms)
			metric_observe(w->metrics.latency,
				(double)(now_ms - change->kafka_ms) / 1000.0);
		if (opts->on_change != NULL)
			opts->on_change(opts->ctx, change);
	}
}

static void
settle_group(struct worker *w, struct group *group)
{
	int64_t next =
		publish_next_offset(w->pub, PUBLISH_CURRENT, group->number);

	if (next >= 0)
		group->out_next = next;
	group->is_in_kafka = true;
	group->cno = group->cno_next;
	memcpy(group->committed, group->fold, sizeof(group->committed));
	for (size_t i = 0; i < group->nchanged; i++) {
		group->changed[i]->is_changed = false;
		group->changed[i]->is_ripe = true;
	}
	group->nchanged = 0;
}

static void
settle(struct worker *w, int64_t began_us)
{
	int64_t mono_us = clock_mono_us();

	metric_observe(w->metrics.commit, (double)(mono_us - began_us) / 1e6);
	metric_add(w->metrics.committed, 1);
	tell_changes(w, clock_now_ms());
	for (size_t g = 0; g < w->ngroups; g++)
		settle_group(w, w->groups[g]);
	w->box.changes.n = 0;
	w->nparts = 0;
	w->nrejects = 0;
	w->reject_bytes = 0;
	w->events_since_commit = 0;
	w->last_commit_ms = mono_us / 1000;
	arena_reset(&w->box.txn);
}

/* --- R ------------------------------------------------------------------ */

/* About `max` accounts at most. */
static enum sg_err
flush_chunks(struct worker *w, struct group *group, int64_t before_ms,
	size_t max, struct sg_fault *why)
{
	enum sg_err err = SG_OK;
	bool is_more = true;

	for (size_t done = 0; is_more && done < max && err == SG_OK;) {
		struct store_retry retry = {0};
		int64_t began_us = clock_mono_us();
		size_t n;

		err = flush_group(group, before_ms, &n, &is_more, why);
		done += n;
		while (worker_store_again(w, err, &retry, why))
			err = flush_retry(group, why);
		if (err == SG_OK)
			worker_store_is_back(w, &retry);
		if (err == SG_OK && n > 0)
			group->flushed_mono_ms = clock_mono_us() / 1000;
		if (n > 0)
			metric_observe(w->metrics.flush,
				(double)(clock_mono_us() - began_us) / 1e6);
		if (err == SG_OK && is_more)
			FAULT_POINT(R2);
	}
	return err;
}

/* Redis is not what we left there: nothing here is worth anything. */
static enum sg_err
note_lost(struct worker *w, enum sg_err err, const struct sg_fault *why)
{
	if (err != SG_STORE_LOST)
		return err;
	SG_LOG(LOG_WARN, "redis_lost", LOG_INT("worker", w->number),
		LOG_STR("why", why->text));
	w->is_doubtful = true;
	return SG_OK;
}

/* Memory is what Kafka has committed: all below G and nothing above it is
 * folded, here and in the other groups of the worker; no change
 * waits for K (which waits while another group of the worker catches up), and
 * there is a G (a store that knew more than Kafka would be refused at a
 * take-over). */
static bool
is_at_boundary(const struct worker *w, const struct group *group)
{
	return group->is_in_kafka && !group->is_catching_up &&
	       group->nchanged == 0 &&
	       memcmp(group->fold, group->committed,
		       w->prog->ninputs * sizeof(int64_t)) == 0;
}

enum sg_err
commit_flush(struct worker *w, bool is_all, struct sg_fault *why)
{
	int64_t age_ms = w->prog->conf->opt.flush_age_ms;
	int64_t before_ms =
		is_all ? INT64_MAX : clock_mono_us() / 1000 - age_ms;
	enum sg_err err = SG_OK;

	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++) {
		if (!is_at_boundary(w, w->groups[g]))
			continue;
		err = flush_chunks(w, w->groups[g], before_ms, SIZE_MAX, why);
	}
	return note_lost(w, err, why);
}

/* Half of what is dirty, the oldest: W moves on, and what comes often is not
 * written each time. */
enum sg_err
commit_make_room(struct worker *w, struct group *group, struct sg_fault *why)
{
	enum sg_err err;

	take_evict(w, group);
	if (take_has_room(w, group) || !group->is_catching_up ||
		!group->is_in_kafka)
		return SG_OK;
	err = flush_chunks(
		w, group, INT64_MAX, (group->accounts.ndirty + 1) / 2, why);
	group_untouch(group);
	if (err == SG_OK)
		take_evict(w, group);
	return err;
}

enum sg_err
commit_make_rooms(struct worker *w, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++) {
		err = commit_make_room(w, w->groups[g], why);
		if (err == SG_OK && w->groups[g]->is_catching_up &&
			!take_has_room(w, w->groups[g]))
			hold_at_g(w, w->groups[g]);
	}
	return note_lost(w, err, why);
}

/* --- both --------------------------------------------------------------- */

static bool
is_due(const struct worker *w, bool is_forced)
{
	const struct conf_options *opt = &w->prog->conf->opt;
	int64_t age_ms = clock_mono_us() / 1000 - w->last_commit_ms;

	if (w->ngroups == 0)
		return false;
	/* Below G there is nothing to commit that is not committed. */
	for (size_t g = 0; g < w->ngroups; g++) {
		if (w->groups[g]->is_catching_up)
			return false;
	}
	if (w->box.changes.n > 0 || w->nrejects > 0 || is_forced)
		return true;
	if (w->events_since_commit == 0)
		return false;
	return (int64_t)w->events_since_commit >= opt->commit_events ||
	       age_ms >= opt->commit_interval_ms;
}

enum sg_err
commit_if_due(struct worker *w, bool is_forced, struct sg_fault *why)
{
	int64_t began_us = clock_mono_us();
	enum sg_err err;

	if (!is_due(w, is_forced))
		return SG_OK;
	err = try_commit(w, why);
	if (err == SG_OK) {
		settle(w, began_us);
		FAULT_POINT(K4);
		return commit_flush(w, false, why);
	}
	if (sg_err_class(err) == SG_CLASS_FATAL)
		return err;
	metric_add(w->metrics.unknown, 1);
	SG_LOG(LOG_WARN, "transaction_unknown", LOG_INT("worker", w->number),
		LOG_STR("err", sg_err_name(err)), LOG_STR("why", why->text));
	w->is_doubtful = true;
	return SG_OK;
}
