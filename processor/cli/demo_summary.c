/* demo_summary.c - segments, moves, the renewal queue, and how fast it was. */
#include "demo_summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/civil.h"
#include "segmentd/store.h"

#define QUEUE_SHOWN 10
#define QUEUE_MAX 10000
#define ARENA_MAX ((size_t)64 << 20)

struct summary {
	const struct demo_show *show;
	struct store *store;
	struct arena arena;
};

static void
title(const struct summary *sum, const char *text)
{
	bool has_colours = sum->show->has_colours;

	(void)printf("\n%s%s%s\n", has_colours ? "\033[1m" : "", text,
		has_colours ? "\033[0m" : "");
}

/* A field of the public view; "" when there is none. */
static enum sg_err
read_field(struct summary *sum, const char *account, const char *name,
	const char **ret_text, struct sg_fault *why)
{
	struct store_field *fields = NULL;
	size_t n = 0;
	enum sg_err err;

	err = store_view(sum->store, 0, account, &sum->arena, &fields, &n, why);
	if (err != SG_OK)
		return err;
	*ret_text = "";
	for (size_t i = 0; i < n; i++) {
		if (strcmp(fields[i].name, name) == 0)
			*ret_text = fields[i].value;
	}
	return SG_OK;
}

/* Nothing else writes meanwhile, so that no member is told twice unless the
 * set was rehashed: the count is asked for itself. */
static enum sg_err
print_segment(struct summary *sum, const struct store_segment *segment,
	const char *label, struct sg_fault *why)
{
	uint64_t cursor = 0, count = 0;
	int64_t arr = 0;
	char money[32], number[32];
	enum sg_err err;

	err = store_member_count(sum->store, segment, &count, why);
	if (err != SG_OK)
		return err;
	do {
		const char **accounts = NULL;
		size_t n = 0;

		arena_reset(&sum->arena);
		err = store_members(sum->store, segment, &cursor, &sum->arena,
			&accounts, &n, why);
		for (size_t i = 0; i < n && err == SG_OK; i++) {
			const char *text = "";

			err = read_field(
				sum, accounts[i], "variables.arr", &text, why);
			if (err == SG_OK)
				arr += strtoll(text, NULL, 10);
		}
	} while (err == SG_OK && cursor != 0);
	if (err != SG_OK)
		return err;
	demo_money(arr, money);
	demo_number(count, number);
	(void)printf("  %-16s %-10s %8s %9s\n", label, segment->segment, number,
		money);
	return SG_OK;
}

static enum sg_err
print_segments(struct summary *sum, struct sg_fault *why)
{
	const struct conf *conf = sum->show->conf;
	enum sg_err err = SG_OK;

	title(sum, "Segments at the end          accounts       ARR");
	for (size_t i = 0; i < conf->nsegmentations && err == SG_OK; i++) {
		const struct conf_segmentation *seg = &conf->segmentations[i];
		struct store_segment at = {0, seg->name.s, "in"};

		if (seg->kind == CONF_TAG)
			err = print_segment(sum, &at, seg->name.s, why);
		for (size_t s = 0; s < seg->nsegments && err == SG_OK; s++) {
			at.segment = seg->segments[s].name.s;
			err = print_segment(
				sum, &at, s == 0 ? seg->name.s : "", why);
		}
	}
	return err;
}

static void
print_moves(const struct summary *sum)
{
	const struct demo_show *show = sum->show;
	char live[32], timer[32];

	title(sum, "Changes                  by an event   by time");
	for (size_t i = 0; i <= show->conf->nsegmentations; i++) {
		const uint64_t *moves = show->moves[i];

		demo_number(moves[ORIGIN_live], live);
		demo_number(moves[ORIGIN_timer], timer);
		(void)printf("  %-22s %11s %9s\n",
			i == show->conf->nsegmentations
				? "renewal"
				: show->conf->segmentations[i].name.s,
			live, timer);
	}
}

static enum sg_err
print_renewal(struct summary *sum, size_t place,
	const struct store_renewal *renewal, struct sg_fault *why)
{
	static const char *const names[] = {"name", "variables.arr",
		"renewal.date", "renewal.days_left", "renewal.window",
		"segment.health", "account.csm"};
	const char *texts[SG_COUNTOF(names)];
	char money[32];

	for (size_t i = 0; i < SG_COUNTOF(names); i++) {
		enum sg_err err = read_field(sum, renewal->account,
			i == 0 ? "account.name" : names[i], &texts[i], why);

		if (err != SG_OK)
			return err;
	}
	demo_money(strtoll(texts[1], NULL, 10), money);
	(void)printf("  %2zu  %-24.24s %7s  %.10s %6s days  %-7s  %-6s  %s\n",
		place, texts[0], money, texts[2], texts[3], texts[4], texts[5],
		texts[6]);
	return SG_OK;
}

static enum sg_err
print_queue(struct summary *sum, struct demo_facts *facts, struct sg_fault *why)
{
	struct store_renewal *queue = NULL;
	enum sg_err err;
	char text[128];
	size_t n = 0;

	arena_reset(&sum->arena);
	err = store_renewals(
		sum->store, 0, QUEUE_MAX, &sum->arena, &queue, &n, why);
	if (err != SG_OK)
		return err;
	(void)snprintf(text, sizeof(text),
		"Renewal queue: the first %d of %zu, by ARR, and health",
		n < QUEUE_SHOWN ? (int)n : QUEUE_SHOWN, n);
	title(sum, text);
	(void)snprintf(facts->top, sizeof(facts->top), "%s",
		n == 0 ? "" : queue[0].account);
	for (size_t i = 0; i < n && i < QUEUE_SHOWN && err == SG_OK; i++)
		err = print_renewal(sum, i + 1, &queue[i], why);
	return err;
}

static void
print_speed(const struct summary *sum, const struct demo_facts *facts)
{
	char events[32], rate[32], changes[32], transactions[32];
	int64_t tenths = facts->played_us / 100000;

	demo_number(facts->nevents, events);
	demo_number(facts->played_us <= 0 ? 0
					  : facts->nevents * 1000000 /
						    (uint64_t)facts->played_us,
		rate);
	demo_number(sum->show->nchanges, changes);
	demo_number(facts->ntransactions, transactions);
	(void)printf("\n%s events in %" PRId64 ".%" PRId64 " s", events,
		tenths / 10, tenths % 10);
	if (facts->is_fast)
		(void)printf(" (%s a second)", rate);
	(void)printf(", %s changes", changes);
	if (facts->ntransactions > 0)
		(void)printf(" in %s Kafka transactions", transactions);
	(void)printf(".\n");
}

enum sg_err
demo_summary(const struct demo_show *show, const struct demo_place *place,
	struct demo_facts *facts, struct sg_fault *why)
{
	struct store_opts opts = {.url = place->redis_url,
		.prefix = show->conf->opt.redis_prefix.s,
		.connect_timeout_ms = 1000,
		.command_timeout_ms = 5000};
	struct summary sum = {.show = show};
	char text[64], date[32];
	enum sg_err err;

	err = store_open_redis(&opts, &sum.store, why);
	if (err != SG_OK)
		return err;
	arena_init(&sum.arena, ARENA_MAX);
	demo_date(facts->clock_ms, date);
	(void)snprintf(text, sizeof(text), "It is %s.", date);
	title(&sum, text);
	err = print_segments(&sum, why);
	if (err == SG_OK) {
		print_moves(&sum);
		err = print_queue(&sum, facts, why);
	}
	if (err == SG_OK)
		print_speed(&sum, facts);
	(void)fflush(stdout);
	arena_fini(&sum.arena);
	store_close(sum.store);
	return err;
}
