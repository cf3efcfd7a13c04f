/*
 * read.c - the value of a feature at an instant, and until when it holds.
 *
 * A window at `now` is the tiles [floor((now - window) / w), floor(now / w)].
 * Tiles ascend, so the first one that is in it is the first to leave, and the
 * first one above it the next to enter: valid_until is the earlier of the two.
 */
#include "cell.h"
#include "days.h"
#include "distinct.h"
#include "number.h"
#include "ring.h"
#include "segmentd/change.h"

/* What a window of a ring holds at an instant. */
struct view {
	const struct features *features;
	const struct unit *unit;
	const struct ring *ring;
	uint32_t from;
	uint32_t to;
	int64_t until_ms;
};

static int64_t
floor_tile(unsigned width, int64_t ms)
{
	return ms >= 0 ? tile_of(width, ms)
		       : -tile_of(width, -ms + tile_ms(width) - 1);
}

static int64_t
leave_ms(const struct unit *unit, int64_t tile, int64_t window_ms)
{
	return (tile + 1) * tile_ms(unit->width) + window_ms;
}

static void
view_move(struct view *view, int64_t window_ms, int64_t now_ms)
{
	const struct features *features = view->features;
	const struct ring *ring = view->ring;
	unsigned width = view->unit->width;
	int64_t at_ms;

	view->until_ms = AT_NEVER;
	if (width == TILE_EVER) {
		view->to = ring->n;
		return;
	}
	view->from = ring_find(
		features, ring, floor_tile(width, now_ms - window_ms));
	view->to = ring_find(features, ring, floor_tile(width, now_ms) + 1);
	if (view->from < view->to)
		view->until_ms = leave_ms(view->unit,
			ring_tile(features, ring, view->from), window_ms);
	if (view->to < ring->n) {
		at_ms = ring_tile(features, ring, view->to) * tile_ms(width);
		if (at_ms < view->until_ms)
			view->until_ms = at_ms;
	}
}

/* The count of a view, or the sum of its field. */
static i128
view_sum(const struct view *view)
{
	unsigned col = view->unit->class == UNIT_SUM ? 1 : 0;

	if (view->from >= view->to)
		return 0;
	return ring_sum(view->features, view->ring, col, view->from, view->to);
}

static struct value
sum_error(void)
{
	return value_error("the sum does not fit its type");
}

static struct value
read_mean(const struct view *view)
{
	i128 sum = view_sum(view);

	if (view->from >= view->to)
		return value_absent();
	if (sum == SUM_ERROR)
		return sum_error();
	return value_double(number_sum_double(view->unit->type, sum) /
			    (double)ring_sum(view->features, view->ring, 0,
				    view->from, view->to));
}

static double
ratio_double(const struct unit *unit, i128 sum)
{
	return number_sum_double(
		unit->class == UNIT_SUM ? unit->type : TYPE_INT, sum);
}

static struct value
read_rate(const struct view *view, double days)
{
	i128 sum = view_sum(view);

	if (sum == SUM_ERROR)
		return sum_error();
	return value_double(ratio_double(view->unit, sum) / days);
}

static struct value
read_trend(struct view *view, int64_t window_ms, int64_t now_ms)
{
	struct view before = *view;
	i128 sum = view_sum(view);
	i128 sum_before;

	view_move(&before, window_ms, now_ms - window_ms);
	sum_before = view_sum(&before);
	if (before.until_ms != AT_NEVER &&
		before.until_ms + window_ms < view->until_ms)
		view->until_ms = before.until_ms + window_ms;
	if (sum == SUM_ERROR || sum_before == SUM_ERROR)
		return sum_error();
	if (sum_before == 0)
		return value_absent();
	return value_double(ratio_double(view->unit, sum) /
			    ratio_double(view->unit, sum_before));
}

static struct value
read_extreme(const struct view *view)
{
	i128 n;

	if (view->from >= view->to)
		return value_absent();
	n = view->unit->class == UNIT_MIN
		    ? ring_min(view->features, view->ring, view->from, view->to)
		    : ring_max(
			      view->features, view->ring, view->from, view->to);
	return number_order_value(view->unit->type, n);
}

static struct value
read_ring(const struct feature *feature, struct view *view, int64_t now_ms)
{
	view_move(view, feature->window_ms, now_ms);
	switch (feature->kind) {
	case FEATURE_count:
		return value_int((int64_t)view_sum(view));
	case FEATURE_sum:
		return number_sum_value(view->unit->type, view_sum(view));
	case FEATURE_mean:
		return read_mean(view);
	case FEATURE_rate:
		return read_rate(view, feature->days);
	case FEATURE_trend:
		return read_trend(view, feature->window_ms, now_ms);
	default:
		return read_extreme(view);
	}
}

static struct value
read_distinct(const struct feature *feature, const struct unit *unit,
	const struct distinct *distinct, int64_t now_ms, int64_t *ret_until_ms)
{
	struct distinct_count count = distinct_count(distinct,
		floor_tile(unit->width, now_ms - feature->window_ms),
		floor_tile(unit->width, now_ms));

	if (count.oldest != INT64_MAX)
		*ret_until_ms =
			leave_ms(unit, count.oldest, feature->window_ms);
	if (count.ahead != INT64_MAX &&
		count.ahead * tile_ms(unit->width) < *ret_until_ms)
		*ret_until_ms = count.ahead * tile_ms(unit->width);
	return value_int((int64_t)count.n);
}

static int64_t
days_value(const struct feature *feature, const struct days *days, int64_t day)
{
	int64_t newest;

	if (feature->kind == FEATURE_streak)
		return days_streak(days, day);
	newest = days_newest(days, day);
	return newest == INT64_MIN ? -1 : day - newest;
}

/* A day without any event to come changes a streak at most twice more. */
static struct value
read_days(const struct feature *feature, const struct unit *unit,
	const struct days *days, int64_t now_ms, int64_t *ret_until_ms)
{
	int64_t today = days_local(unit->tz, now_ms);
	int64_t n = days_value(feature, days, today);
	int64_t last = (int64_t)days->head + DAYS_AHEAD + 2;

	if (!days->is_set)
		return feature->kind == FEATURE_streak ? value_int(0)
						       : value_absent();
	if (feature->kind == FEATURE_days_since && n >= 0) {
		*ret_until_ms = days_begin_ms(unit->tz, today + 1);
		return value_int(n);
	}
	/* Before the first day with an event nothing changes until then. */
	for (int64_t day = today + 1 > last - 500 ? today + 1 : last - 500;
		day <= last; day++) {
		if (days_value(feature, days, day) != n) {
			*ret_until_ms = days_begin_ms(unit->tz, day);
			break;
		}
	}
	return n < 0 ? value_absent() : value_int(n);
}

void
features_value(const struct feature_set *set, const struct features *features,
	uint32_t index, int64_t now_ms, struct arena *arena,
	struct value *ret_value, int64_t *ret_valid_until_ms)
{
	const struct feature *feature = &set->features[index];
	const struct unit *unit = &set->units[feature->unit];
	const union place *place = features_look(features, unit);
	struct view view = {.features = features, .unit = unit};

	(void)arena;
	now_ms = now_ms < 0		    ? 0
		 : now_ms > 2 * TIME_MAX_MS ? 2 * TIME_MAX_MS
					    : now_ms;
	*ret_valid_until_ms = AT_NEVER;
	switch ((enum unit_class)unit->class) {
	case UNIT_LAST:
	case UNIT_FIRST:
	case UNIT_LATEST:
		*ret_value = cell_read(&place->cell);
		break;
	case UNIT_COUNT:
	case UNIT_SUM:
	case UNIT_MIN:
	case UNIT_MAX:
		view.ring = &place->ring;
		*ret_value = read_ring(feature, &view, now_ms);
		*ret_valid_until_ms = view.until_ms;
		break;
	case UNIT_DISTINCT:
		*ret_value = read_distinct(feature, unit, &place->distinct,
			now_ms, ret_valid_until_ms);
		break;
	case UNIT_COLLECT:
		*ret_value = (struct value){.kind = VALUE_LIST,
			.len = place->collect.nlive,
			.as = {.items = place->collect.live}};
		break;
	case UNIT_DAYS:
	case UNIT_CLASS_COUNT:
		*ret_value = read_days(feature, unit,
			(const struct days *)(const void *)place, now_ms,
			ret_valid_until_ms);
		break;
	}
}

uint64_t
features_dropped(const struct feature_set *set, const struct features *features,
	uint32_t index)
{
	const struct unit *unit = &set->units[set->features[index].unit];

	if (unit->class != UNIT_COLLECT)
		return 0;
	return features_look(features, unit)->collect.dropped;
}
