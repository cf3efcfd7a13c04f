/*
 * hold.c - an input that waits: for a schema, or for the others to come to G.
 *
 * A record whose schema the registry has not told us yet is neither good nor
 * bad. It must not be passed over, since later records of its account may be
 * behind it; and the worker must not stand still for it, since others have
 * timers. So that one input of that one group is stopped in front of the
 * record, and read again from there after a pause. Everything else goes on.
 *
 * The event clock waits with it: an input that is held is not at its end. For
 * the same reason it cannot wait for the others to come to G: they may wait for
 * it.
 */
#include "segmentd/clock.h"
#include "segmentd/log.h"
#include "worker.h"

#define HOLD_MS 200

bool
hold_has(const struct group *group, uint32_t input, int64_t offset)
{
	const struct group_hold *hold = &group->hold[input];

	return hold->is_held && offset >= hold->offset;
}

void
hold_from(struct worker *w, struct group *group, const struct record *rec,
	const struct sg_fault *why)
{
	struct group_hold *hold = &group->hold[rec->input];

	/* Not with each try. */
	if (hold->offset != rec->offset || hold->until_ms == 0)
		SG_LOG(LOG_WARN, "input_waits",
			LOG_STR("topic", w->prog->inputs[rec->input].topic),
			LOG_INT("partition", rec->partition),
			LOG_INT("offset", rec->offset),
			LOG_STR("why", why->text));
	*hold = (struct group_hold){.is_held = true,
		.offset = rec->offset,
		.until_ms = clock_mono_us() / 1000 + HOLD_MS};
	ingest_hold(w->ingest, rec->input, group->number, rec->offset);
}

void
hold_at_g(struct worker *w, struct group *group)
{
	for (uint32_t i = 0; i < w->prog->ninputs && !w->is_event_clock; i++) {
		struct group_hold *hold = &group->hold[i];

		if (hold->is_held || group->fold[i] < group->committed[i])
			continue;
		*hold = (struct group_hold){.is_held = true,
			.is_at_g = true,
			.offset = group->fold[i]};
		ingest_hold(w->ingest, i, group->number, hold->offset);
	}
}

static void
release_group(struct worker *w, size_t g, int64_t mono_ms)
{
	struct group *group = w->groups[g];

	for (uint32_t i = 0; i < w->prog->ninputs; i++) {
		struct group_hold *hold = &group->hold[i];

		if (!hold->is_held || mono_ms < hold->until_ms ||
			(hold->is_at_g && group->is_catching_up))
			continue;
		hold->is_held = false;
		if (w->merges[g] == NULL || !merge_is_paused(w->merges[g], i))
			ingest_pause(w->ingest, i, group->number, false);
	}
}

void
hold_release(struct worker *w)
{
	int64_t mono_ms = clock_mono_us() / 1000;

	for (size_t g = 0; g < w->ngroups; g++)
		release_group(w, g, mono_ms);
}

void
hold_forget(struct worker *w, struct group *group)
{
	for (uint32_t i = 0; i < w->prog->ninputs; i++) {
		if (group->hold[i].is_held)
			ingest_pause(w->ingest, i, group->number, false);
		group->hold[i] = (struct group_hold){.until_ms = 0};
	}
}
