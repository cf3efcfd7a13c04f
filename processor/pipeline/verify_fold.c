/*
 * verify_fold.c - states against the inputs and against what was published.
 *
 * Features are compared as values, at the instant of the account's last event
 * and now: how they are stored may depend on the order of events of different
 * inputs, what they say may not. One thing does: a deletion forgets what came
 * before it, of all inputs, and a daemon that is behind may read an input ahead
 * of the one that deletes. So where an account that was deleted differs it is
 * counted as uncertain.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "override.h"
#include "segmentd/clock.h"
#include "verify.h"

#define READ_TIMEOUT_MS 60000
#define TEXT_MAX ((size_t)1 << 20)
#define PROGRESS_EVERY 1024
#define SEAT_TEXT_MAX 512

/* --- the inputs --------------------------------------------------------- */

static void
note_position(struct verify_group *g, struct verify_account *a,
	const struct event *ev)
{
	char redis[64], expected[64];

	if (a->is_position_told)
		return;
	a->is_position_told = true;
	(void)snprintf(
		expected, sizeof(expected), "offset %" PRId64, ev->offset);
	if (a->stored == NULL)
		(void)snprintf(redis, sizeof(redis), "no state");
	else
		(void)snprintf(redis, sizeof(redis), "up to %" PRId64,
			a->stored->applied[ev->input] - 1);
	verify_differ(g->v, a, g->number, "event missing",
		g->v->prog->inputs[ev->input].name, redis, expected);
}

static enum sg_err
fold(struct verify_group *g, struct verify_account *a,
	const struct group_event *ge)
{
	struct account *acct;
	enum sg_err err;

	if (a->fresh == NULL)
		a->fresh = group_account(g->fresh, &ge->ev);
	acct = a->fresh;
	if (acct == NULL)
		return SG_NOMEM;
	err = group_fold(g->fresh, acct, ge, ge->ev.kafka_ms, 0);
	a->is_order_open = a->is_order_open || acct->is_gone;
	/* Nothing is decided about it. */
	g->fresh->ntouched = 0;
	acct->is_touched = false;
	acct->last = NULL;
	return err;
}

/* A registry that is asked for the first time may need a while. */
static enum sg_err
read_event(struct verify *v, const struct record *rec,
	struct group_event *ret_ge, struct sg_fault *why)
{
	int64_t end_us = clock_mono_us() + INT64_C(1000) * READ_TIMEOUT_MS;
	enum sg_err err;

	do {
		arena_reset(&v->box.batch);
		err = group_read(&v->box, rec, ret_ge, why);
	} while (err == SG_REGISTRY_DOWN && clock_mono_us() < end_us &&
		 (v->opts->stop == NULL || !atomic_load(v->opts->stop)));
	return err;
}

static enum sg_err
each_event(void *ctx, const struct record *rec, struct sg_fault *why)
{
	struct verify_group *g = ctx;
	struct verify *v = g->v;
	struct verify_account *a;
	struct group_event ge;
	enum sg_err err;

	if (v->sum.nrecords++ % PROGRESS_EVERY == 0) {
		if (v->opts->stop != NULL && atomic_load(v->opts->stop))
			return SG_INTERRUPTED;
		if (v->opts->on_progress != NULL)
			v->opts->on_progress(
				v->opts->ctx, v->sum.nrecords, v->total);
	}
	err = read_event(v, rec, &ge, why);
	if (err != SG_OK) /* a reject is nobody's event */
		return sg_err_class(err) == SG_CLASS_SKIP ? SG_OK : err;
	a = verify_account(v, ge.ev.account, ge.ev.account_len);
	if (a == NULL)
		return SG_NOMEM;
	if (a->stored != NULL && rec->offset < a->stored->applied[rec->input])
		return fold(g, a, &ge);
	if (a->group >= 0 && a->group != g->number) {
		if (!a->is_position_told && rec->offset < g->w[rec->input])
			verify_differ(v, a, a->group, "partition", "",
				"its state is of another partition group",
				"events and state in one");
		a->is_position_told = true;
		return SG_OK;
	}
	if (rec->offset < g->w[rec->input] &&
		(a->stored != NULL || a->group < 0))
		note_position(g, a, &ge.ev);
	return SG_OK;
}

enum sg_err
verify_inputs(struct verify_group *g, struct sg_fault *why)
{
	if (g->v->is_partial)
		return SG_OK;
	return ingest_read_all(g->v->ingest, g->number, g->from, g->to,
		READ_TIMEOUT_MS, each_event, g, why);
}

/* --- features ----------------------------------------------------------- */

/* Was the feature there when the state was stored? */
static bool
is_known(const struct verify_group *g, const struct verify_account *a,
	uint32_t feature)
{
	uint32_t hash = snapshot_hash(a->state, a->state_len);

	for (size_t i = 0; i < g->stored->nlayouts; i++) {
		const struct snapshot_layout *layout = &g->stored->layouts[i];

		if ((uint32_t)layout->hash == hash)
			return features_layout_keeps(g->v->prog->features,
				layout->features, feature);
	}
	return true;
}

static void
feature_text(struct verify *v, const struct account *acct, uint32_t slot,
	int64_t at_ms, struct buf *out)
{
	struct value value;

	buf_reset(out);
	if (acct == NULL)
		return;
	decide_view_begin(v->box.decider, acct, at_ms);
	value = decide_view(v->box.decider, slot);
	if (value.kind == VALUE_ERROR)
		buf_put_str(out, "error");
	else
		value_to_text(value, v->prog->slots[slot].type, out);
}

static void
compare_features_at(struct verify_group *g, struct verify_account *a,
	int64_t at_ms, bool *ret_differ)
{
	struct verify *v = g->v;
	struct buf redis, expected;

	buf_init(&redis, TEXT_MAX);
	buf_init(&expected, TEXT_MAX);
	for (uint32_t i = 0; i < v->prog->nslots; i++) {
		const struct program_slot *slot = &v->prog->slots[i];

		if (slot->kind != SLOT_FEATURE || !is_known(g, a, slot->index))
			continue;
		feature_text(v, a->stored, i, at_ms, &redis);
		feature_text(v, a->fresh, i, at_ms, &expected);
		if (strcmp(buf_cstr(&redis), buf_cstr(&expected)) == 0)
			continue;
		*ret_differ = true;
		if (!a->is_order_open)
			verify_differ(v, a, g->number, "feature", slot->name,
				buf_cstr(&redis), buf_cstr(&expected));
	}
	buf_fini(&redis);
	buf_fini(&expected);
}

static bool
is_same_form(struct verify *v, const struct account *one,
	const struct account *other)
{
	struct buf a, b;
	bool is_same;

	buf_init(&a, TEXT_MAX * 64);
	buf_init(&b, TEXT_MAX * 64);
	features_encode(v->prog->features, one->features, &a);
	features_encode(v->prog->features, other->features, &b);
	is_same = !a.is_failed && !b.is_failed && a.len == b.len &&
		  (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
	buf_fini(&a);
	buf_fini(&b);
	return is_same;
}

static void
compare_positions(struct verify_group *g, struct verify_account *a)
{
	struct verify *v = g->v;
	char redis[32], expected[48];

	for (size_t i = 0; i < v->prog->ninputs; i++) {
		int64_t applied = a->stored->applied[i];
		int64_t folded = a->fresh == NULL ? 0 : a->fresh->applied[i];
		int64_t committed = g->committed.offset[i];

		(void)snprintf(redis, sizeof(redis), "%" PRId64, applied);
		if (applied > 0 && applied > committed) {
			(void)snprintf(expected, sizeof(expected),
				"at most %" PRId64 " (committed)", committed);
			verify_differ(v, a, g->number, "position",
				v->prog->inputs[i].name, redis, expected);
		} else if (applied != folded && !v->is_partial) {
			(void)snprintf(
				expected, sizeof(expected), "%" PRId64, folded);
			verify_differ(v, a, g->number, "position",
				v->prog->inputs[i].name, redis, expected);
		}
	}
}

static void
compare_overrides(struct verify_group *g, struct verify_account *a)
{
	struct buf redis, expected;

	buf_init(&redis, TEXT_MAX);
	buf_init(&expected, TEXT_MAX);
	overrides_write(g->v->prog, a->stored->overrides, &redis);
	overrides_write(g->v->prog,
		a->fresh == NULL ? NULL : a->fresh->overrides, &expected);
	if (redis.len != expected.len ||
		memcmp(redis.bytes, expected.bytes, redis.len) != 0)
		verify_differ(g->v, a, g->number, "override", "",
			"others than were sent", "what was sent");
	buf_fini(&redis);
	buf_fini(&expected);
}

static void
compare_fold(struct verify_group *g, struct verify_account *a)
{
	const struct account *stored = a->stored, *fresh = a->fresh;
	bool is_gone = fresh != NULL && fresh->is_gone;
	bool differ = false;

	compare_positions(g, a);
	if (g->v->is_partial)
		return;
	compare_overrides(g, a);
	if (stored->is_gone != is_gone) {
		differ = true;
		if (!a->is_order_open)
			verify_differ(g->v, a, g->number, "deleted", "",
				stored->is_gone ? "true" : "false",
				is_gone ? "true" : "false");
	} else if (fresh != NULL && !is_same_form(g->v, stored, fresh)) {
		compare_features_at(g, a, stored->touched_ms, &differ);
		if (!differ && g->now_ms > stored->touched_ms)
			compare_features_at(g, a, g->now_ms, &differ);
	}
	g->v->sum.nuncertain += differ && a->is_order_open;
}

/* --- what was published ------------------------------------------------- */

static void
compare_seat(struct verify_group *g, struct verify_account *a, size_t at,
	const struct seat *published)
{
	const struct segmentation_def *def = &g->v->prog->defs[at];
	const struct seat *stored = &a->stored->ms->seats[at];
	char redis[SEAT_TEXT_MAX], expected[SEAT_TEXT_MAX];
	const char *name;

	if (stored->segment == published->segment &&
		stored->since_ms == published->since_ms)
		return;
	name = seat_name(def, stored->segment);
	(void)snprintf(redis, sizeof(redis), "%s since %" PRId64,
		name == NULL ? "none" : name, stored->since_ms);
	name = seat_name(def, published->segment);
	(void)snprintf(expected, sizeof(expected), "%s since %" PRId64,
		name == NULL ? "none" : name, published->since_ms);
	verify_differ(
		g->v, a, g->number, "membership", def->name, redis, expected);
}

static enum sg_err
compare_image(struct verify_group *g, struct verify_account *a,
	const struct membership_image *image)
{
	const struct program *prog = g->v->prog;
	struct membership *ms = NULL;
	enum sg_err err = membership_create(prog->nsegmentations, &ms);

	if (err != SG_OK)
		return err;
	a->is_image_found = true;
	err = membership_adopt(ms, prog->defs, prog->nsegmentations, image);
	/* A state of older rules may lack what is new, and the other way. */
	for (size_t i = 0;
		i < prog->nsegmentations && g->is_reviewed && err == SG_OK; i++)
		compare_seat(g, a, i, &ms->seats[i]);
	membership_destroy(ms);
	return err;
}

static enum sg_err
each_image(void *ctx, const struct record *rec, struct sg_fault *why)
{
	struct verify_group *g = ctx;
	struct verify *v = g->v;
	struct membership_image image;
	struct verify_account *a;
	enum sg_err err;

	v->sum.nimages++;
	arena_reset(&v->page);
	err = publish_image_read(rec, &v->page, &image, why);
	if (err != SG_OK)
		return err;
	a = verify_account(v, image.account, strlen(image.account));
	if (a == NULL)
		return SG_NOMEM;
	a->image_version = image.account_version;
	if (a->stored == NULL) {
		if (a->group < 0 && !image.is_deleted && rec->offset < g->out)
			verify_differ(v, a, g->number, "state", "", "none",
				"one: it was published");
		return SG_OK;
	}
	if (image.account_version == a->stored->ms->version)
		return compare_image(g, a, &image);
	if (image.account_version > a->stored->ms->version && a->newer_at < 0)
		a->newer_at = rec->offset;
	return SG_OK;
}

enum sg_err
verify_published(struct verify_group *g, struct sg_fault *why)
{
	int64_t next;

	return ingest_walk(g->v->ingest, g->v->prog->conf->opt.topic_current.s,
		g->number, INGEST_OFFSET_NONE, READ_TIMEOUT_MS, each_image, g,
		&next, why);
}

static void
compare_version(struct verify_group *g, struct verify_account *a)
{
	uint64_t version = a->stored->ms->version;
	char redis[32], expected[32];

	if (a->newer_at >= 0 && a->newer_at >= g->out) {
		g->v->sum.nlagging++;
		return;
	}
	if (a->is_image_found && a->newer_at < 0)
		return;
	/* A tombstone goes after a while, and with it all we know. */
	if (version == a->image_version ||
		(a->image_version == 0 && a->stored->is_gone))
		return;
	(void)snprintf(redis, sizeof(redis), "%" PRIu64, version);
	(void)snprintf(
		expected, sizeof(expected), "%" PRIu64, a->image_version);
	verify_differ(g->v, a, g->number, "version", "", redis, expected);
}

enum sg_err
verify_compare(struct verify_group *g, struct verify_account *a)
{
	compare_fold(g, a);
	compare_version(g, a);
	return SG_OK;
}
