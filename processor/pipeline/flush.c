/*
 * flush.c - dirty accounts to the store: state blob, public view, members.
 *
 * The public view shows an account as of touched_ms, the instant of its last
 * event or change: what a reader sees does not depend on when it was written.
 * Only what differs from what the store has is written: fields by their hash,
 * members and queue entries by the place last written.
 *
 * W, written with each chunk, is the fold position from before the oldest
 * account that is dirty and not in the chunk (or the present one), but never
 * beyond G: whatever is below it is in the blobs.
 *
 * While a group catches up, an account may be written whose events are all
 * below G. It was not evaluated since: so that it is, whoever comes to G, its
 * timer in the store is one that has passed (DUE_OWED).
 */
#include "flush.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "position.h"
#include "segmentd/fault.h"
#include "segmentd/hash.h"

#define BLOB_BYTES_MAX (64 << 20)
#define VIEW_TEXT_MAX (1 << 20)

struct view_writer {
	struct group *group;
	struct account *acct;
	size_t field; /* number of the next field */
	struct buf text;
};

/* Write the next field if its text is not what is stored. Empty removes. */
static void
view_field(struct view_writer *vw, const char *prefix, const char *name)
{
	struct account *acct = vw->acct;
	const char *text = buf_cstr(&vw->text);
	uint32_t hash = 0;
	char field[256];
	size_t at = vw->field++;
	struct buf full;

	if (vw->text.len > 0) {
		hash = (uint32_t)hash_bytes(vw->text.bytes, vw->text.len);
		hash += hash == 0;
	}
	if (acct->is_view_known && acct->view_hash[at] == hash)
		return;
	/* Nothing is stored of an account that was never written. */
	if (hash == 0 && !acct->is_stored)
		return;
	acct->view_hash[at] = hash;
	buf_init(&full, sizeof(field));
	buf_put_str(&full, prefix);
	buf_put_str(&full, name);
	if (hash == 0)
		store_add_view(
			vw->group->store, acct->id, buf_cstr(&full), NULL, 0);
	else
		store_add_view(vw->group->store, acct->id, buf_cstr(&full),
			text, vw->text.len);
	buf_fini(&full);
}

static void
view_time(struct view_writer *vw, const char *name, bool is_set, int64_t ms)
{
	char text[CIVIL_RFC3339_MAX];

	buf_reset(&vw->text);
	if (is_set)
		buf_put(&vw->text, text,
			civil_format_ms(ms, text, sizeof(text)));
	view_field(vw, "", name);
}

static void
view_renewal(struct view_writer *vw)
{
	const struct program *prog = vw->group->box->prog;
	struct decider *decider = vw->group->box->decider;
	struct account *acct = vw->acct;
	bool has_date = prog->renewal >= 0 && acct->ms->has_renewal;
	double priority = NAN;
	int64_t days;

	view_time(vw, "renewal.date", has_date, acct->ms->renewal_date_ms);
	buf_reset(&vw->text);
	if (has_date &&
		decide_days_left(decider, acct, acct->touched_ms, &days))
		buf_printf(&vw->text, "%" PRId64, days);
	view_field(vw, "", "renewal.days_left");
	buf_reset(&vw->text);
	if (has_date) {
		const char *name = seat_name(&prog->defs[prog->renewal],
			acct->ms->seats[prog->renewal].segment);

		buf_put_str(&vw->text, name == NULL ? "none" : name);
		priority = decide_priority(decider, acct, acct->touched_ms);
	}
	view_field(vw, "", "renewal.window");
	buf_reset(&vw->text);
	if (!isnan(priority))
		value_to_text(value_double(priority), NULL, &vw->text);
	view_field(vw, "", "renewal.priority");
}

/* Features, scores, and variables that are one value: lists and maps in
 * between are for the rules. */
static bool
is_shown(const struct program_slot *slot)
{
	if (slot->kind == SLOT_FEATURE || slot->kind == SLOT_SCORE)
		return true;
	if (slot->kind != SLOT_VARIABLE)
		return false;
	return slot->type->kind != TYPE_LIST && slot->type->kind != TYPE_MAP &&
	       slot->type->kind != TYPE_RECORD;
}

static void
view_slots(struct view_writer *vw)
{
	const struct program *prog = vw->group->box->prog;
	struct decider *decider = vw->group->box->decider;

	decide_view_begin(decider, vw->acct, vw->acct->touched_ms);
	for (uint32_t i = 0; i < prog->nslots; i++) {
		const struct program_slot *slot = &prog->slots[i];
		struct value v = value_absent();

		buf_reset(&vw->text);
		if (is_shown(slot))
			v = decide_view(decider, i);
		if (v.kind != VALUE_ERROR)
			value_to_text(v, slot->type, &vw->text);
		view_field(vw, "", slot->name);
	}
}

static void
view_write(struct view_writer *vw)
{
	struct group *group = vw->group;
	const struct program *prog = group->box->prog;
	struct account *acct = vw->acct;

	view_slots(vw);
	buf_reset(&vw->text);
	buf_printf(&vw->text, "%" PRIu64, acct->ms->version);
	view_field(vw, "", "version");
	view_time(vw, "updated_at", true, acct->touched_ms);
	view_renewal(vw);
	for (size_t i = 0; i < prog->nsegmentations; i++) {
		const char *name =
			(int32_t)i == prog->renewal
				? NULL
				: seat_name(&prog->defs[i],
					  acct->ms->seats[i].segment);

		buf_reset(&vw->text);
		if (name != NULL)
			buf_put_str(&vw->text, name);
		view_field(vw, "segment.", prog->defs[i].name);
	}
	acct->is_view_known = true;
	acct->is_stored = true;
}

static void
members_write(struct group *group, struct account *acct)
{
	const struct program *prog = group->box->prog;

	for (size_t i = 0; i < prog->nsegmentations; i++) {
		const struct segmentation_def *def = &prog->defs[i];
		int16_t now = acct->ms->seats[i].segment;
		int16_t was = acct->seats_stored[i];

		if (now == was)
			continue;
		if (was != SEAT_NONE)
			store_del_member(group->store, def->name,
				def->segments[was], acct->id);
		if (now != SEAT_NONE)
			store_add_member(group->store, def->name,
				def->segments[now], acct->id);
		acct->seats_stored[i] = now;
	}
}

/* In the queue while in a window, and open to be claimed in each of them. */
static void
queue_write(struct group *group, struct account *acct, int16_t window_was)
{
	const struct program *prog = group->box->prog;
	const char *const *windows;
	double score = NAN;
	int16_t window;

	if (prog->renewal < 0)
		return;
	windows = prog->defs[prog->renewal].segments;
	window = acct->ms->seats[prog->renewal].segment;
	if (window_was != SEAT_NONE && window_was != window)
		store_del_renewal(group->store, acct->id, windows[window_was]);
	if (window != SEAT_NONE) {
		score = renewal_score(decide_priority(group->box->decider, acct,
					      acct->touched_ms),
			acct->ms->renewal_date_ms);
		if (window != window_was || score != acct->stored_score)
			store_add_renewal(
				group->store, acct->id, windows[window], score);
	}
	acct->stored_score = score;
}

/*
 * The index may be early (a timer that finds nothing to do is harmless), never
 * late: so it is written when the timer comes sooner, or when what is there
 * has passed. An account that was loaded and not evaluated, because what came
 * was a repeat, has no timer of its own to tell: what is there stays.
 */
static void
due_write(struct group *group, struct account *acct)
{
	bool is_stale;

	if (group->is_catching_up && acct->is_touched) {
		/* See the head of this file. */
		if (acct->stored_due_ms != DUE_OWED)
			store_add_due(group->store, acct->id, DUE_OWED);
		acct->stored_due_ms = DUE_OWED;
		acct->is_touched = false;
		return;
	}
	is_stale = acct->stored_due_ms == DUE_UNKNOWN ||
		   acct->due_ms < acct->stored_due_ms ||
		   acct->stored_due_ms <= acct->touched_ms ||
		   acct->is_due_fired;

	acct->is_due_fired = false;
	if (acct->due_ms == AT_NEVER && !acct->is_due_known)
		return;
	if (!is_stale || acct->due_ms == acct->stored_due_ms)
		return;
	store_add_due(group->store, acct->id, acct->due_ms);
	acct->stored_due_ms = acct->due_ms;
}

/* Seats that the rules have no longer: left, and nobody's from here on. */
static void
formers_write(struct group *group, struct account *acct)
{
	struct membership *ms = acct->ms;

	for (size_t i = 0; i < ms->nformers; i++) {
		const struct former_seat *former = &ms->formers[i];

		store_del_member(group->store, former->segmentation,
			former->segment, acct->id);
		if (strcmp(former->segmentation, "renewal") == 0) {
			store_del_renewal(
				group->store, acct->id, former->segment);
			acct->stored_score = NAN;
		}
	}
	formers_forget(ms);
}

static void
account_write(struct group *group, struct account *acct, struct buf *blob)
{
	const struct program *prog = group->box->prog;
	int16_t window_was = prog->renewal < 0
				     ? SEAT_NONE
				     : acct->seats_stored[prog->renewal];
	struct view_writer vw = {.group = group, .acct = acct};

	buf_reset(blob);
	snapshot_write(prog, acct, group->number, blob);
	/* A failed buffer fails the commit: better than a torn state. */
	store_add_state(group->store, acct->id, blob->bytes,
		blob->is_failed ? SIZE_MAX : blob->len);
	formers_write(group, acct);
	members_write(group, acct);
	queue_write(group, acct, window_was);
	due_write(group, acct);
	if (acct->is_gone) {
		if (acct->is_stored)
			store_del_view(group->store, acct->id);
		acct->is_stored = false;
		acct->is_view_known = true;
		memset(acct->view_hash, 0, account_nviews(prog) * 4);
		return;
	}
	/* Fields of features that are gone go with it. */
	if (acct->is_view_old && !acct->is_view_known)
		store_del_view(group->store, acct->id);
	acct->is_view_old = false;
	buf_init(&vw.text, VIEW_TEXT_MAX);
	view_write(&vw);
	buf_fini(&vw.text);
}

/* Is all that was folded into it below G? */
static bool
is_committed(const struct group *group, const struct account *acct)
{
	for (size_t i = 0; i < group->box->prog->ninputs; i++) {
		if (acct->applied[i] > group->committed[i])
			return false;
	}
	return true;
}

/* One that is to be evaluated waits until it was, unless it is below G. One
 * that sits where the rules have nothing any more does so in any case: its
 * stored state alone knows of that. */
static bool
is_ripe(const struct group *group, const struct account *acct,
	int64_t before_mono_ms)
{
	if (!acct->is_ripe && acct->dirty_mono_ms >= before_mono_ms)
		return false;
	if (group->is_catching_up ? !is_committed(group, acct)
				  : acct->is_touched)
		return false;
	return former_find(acct->ms, NULL) == NULL;
}

/* The next dirty account that is to be written, from `acct` on. */
static struct account *
next_ripe(
	const struct group *group, struct account *acct, int64_t before_mono_ms)
{
	while (acct != NULL && !is_ripe(group, acct, before_mono_ms))
		acct = acct->next;
	return acct;
}

/* W, and the event clock there. Beyond G may be records that are no account's,
 * as they cannot be read, and which still have to be rejected. */
static int64_t
low_mark(const struct group *group, int64_t ret_w[INPUTS_MAX])
{
	const struct account *oldest = group->accounts.dirty_head;
	const int64_t *pos = oldest == NULL ? group->fold : oldest->dirty_pos;
	int64_t clock_ms =
		oldest == NULL ? group->clock_ms : oldest->dirty_clock_ms;

	for (size_t i = 0; i < group->box->prog->ninputs; i++)
		ret_w[i] = pos[i] < group->committed[i] ? pos[i]
							: group->committed[i];
	if (group->is_catching_up && clock_ms > group->committed_clock_ms)
		clock_ms = group->committed_clock_ms;
	return clock_ms;
}

static enum sg_err
commit(struct group *group, struct sg_fault *why)
{
	const struct program *prog = group->box->prog;
	const struct account *oldest = group->accounts.dirty_head;
	int64_t low[INPUTS_MAX];
	int64_t clock_ms = low_mark(group, low);
	char out[32];
	struct buf text;
	struct buf w;
	enum sg_err err;

	buf_init(&w, 1 << 20);
	buf_init(&text, sizeof(out));
	position_write_w(prog, low, clock_ms, &w);
	buf_printf(&text, "%" PRId64,
		oldest == NULL ? group->out_next : oldest->dirty_out);
	err = store_group_commit(group->store, group->lineage, buf_cstr(&w),
		buf_cstr(&text), why);
	if (err == SG_OK)
		memcpy(group->stored_w, low, prog->ninputs * sizeof(int64_t));
	buf_fini(&w);
	buf_fini(&text);
	return err;
}

enum sg_err
flush_retry(struct group *group, struct sg_fault *why)
{
	return commit(group, why);
}

enum sg_err
flush_group(struct group *group, int64_t before_mono_ms, size_t *ret_n,
	bool *ret_is_more, struct sg_fault *why)
{
	const struct program *prog = group->box->prog;
	struct account *acct = group->accounts.dirty_head;
	struct buf blob;
	size_t n = 0, n_gone = 0;

	*ret_n = 0;
	*ret_is_more = false;
	acct = next_ripe(group, acct, before_mono_ms);
	if (acct == NULL && (!group->is_w_moved || group->is_catching_up))
		return SG_OK;
	if (!group->is_layout_stored) {
		store_add_layout(group->store, prog->layout_hash,
			prog->layout.bytes, prog->layout.len);
		group->is_layout_stored = true;
	}
	buf_init(&blob, BLOB_BYTES_MAX);
	while (acct != NULL && n < STORE_CHUNK_MAX &&
		store_group_pending_bytes(group->store) < STORE_CHUNK_BYTES) {
		struct account *next = acct->next;

		account_write(group, acct, &blob);
		n_gone += acct->is_gone;
		acct->is_ripe = false;
		accounts_mark_clean(&group->accounts, acct);
		acct = next_ripe(group, next, before_mono_ms);
		n++;
	}
	buf_fini(&blob);
	if (n_gone > 0)
		FAULT_POINT(D1);
	if (n > 0)
		FAULT_POINT(Z2);
	/* To G, once it is there. */
	group->is_w_moved = group->is_catching_up;
	*ret_n = n;
	*ret_is_more = acct != NULL;
	return commit(group, why);
}
