/*
 * top_frame.c - what `segmentd top` shows, worked out from two scrapes.
 *
 * The frame is a JSON object, which is what --output json prints; the text for
 * people is made from it. So the two cannot differ.
 */
#include "top_frame.h"

#include <math.h>
#include <string.h>

#include "top_metrics.h"

#define NAMES_MAX 300

struct span {
	const char *before;
	const char *after;
	double seconds;
};

static json_t *
number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *
rate(const struct span *span, const char *name, const char *label,
	const char *value)
{
	return number(top_grown(span->before, span->after, name, label, value) /
		      span->seconds);
}

static json_t *
sum(const struct span *span, const char *name)
{
	return number(top_sum(span->after, name, NULL, NULL));
}

/* --- the parts of a frame ----------------------------------------------- */

/* Conditions of /readyz by name: "ok", or what is wrong with the first daemon
 * that says so. */
static json_t *
state_of(const char *text)
{
	json_t *state = json_object();

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		size_t name_len = len > 3 ? strcspn(line + 3, ":\n ") : 0;
		char name[64];
		const char *detail = line + 3 + name_len;
		size_t detail_len = len > 3 ? len - 3 - name_len : 0;
		const char *was;

		if (line[0] == '[' && name_len > 0 && name_len < sizeof(name)) {
			memcpy(name, line + 3, name_len);
			name[name_len] = '\0';
			while (detail_len > 0 &&
				(*detail == ':' || *detail == ' ')) {
				detail++;
				detail_len--;
			}
			was = json_string_value(json_object_get(state, name));
			if (line[1] == '+' && was == NULL)
				(void)json_object_set_new(
					state, name, json_string("ok"));
			else if (line[1] == '-' &&
				 (was == NULL || strcmp(was, "ok") == 0))
				(void)json_object_set_new(state, name,
					detail_len == 0 ? json_string("not ok")
							: json_stringn(detail,
								  detail_len));
		}
		line += len + (line[len] == '\n');
	}
	return state;
}

static json_t *
inputs_of(const struct span *span)
{
	char names[NAMES_MAX][TOP_VALUE_MAX];
	size_t n = top_values(span->after, "segmentd_consumed_total", "input",
		names, NAMES_MAX);
	json_t *inputs = json_object();

	for (size_t i = 0; i < n; i++)
		(void)json_object_set_new(inputs, names[i],
			json_pack("{s:o, s:o, s:o, s:o}", "records_per_s",
				rate(span, "segmentd_consumed_total", "input",
					names[i]),
				"bytes_per_s",
				rate(span, "segmentd_consumed_bytes_total",
					"input", names[i]),
				"rejected_per_s",
				rate(span, "segmentd_rejected_total", "input",
					names[i]),
				"lag",
				number(top_sum(span->after,
					"segmentd_lag_records", "input",
					names[i]))));
	return inputs;
}

/* What the rules of a segmentation take for an account, lately or, when nothing
 * was measured lately, ever. */
static double
rules_us(const struct span *span, const char *name)
{
	static const char n[] = "segmentd_rules_measured_total";
	static const char ns[] = "segmentd_rules_measured_work_total";
	double count =
		top_grown(span->before, span->after, n, "segmentation", name);
	double took =
		top_grown(span->before, span->after, ns, "segmentation", name);

	if (count <= 0) {
		count = top_sum(span->after, n, "segmentation", name);
		took = top_sum(span->after, ns, "segmentation", name);
	}
	return count <= 0 ? NAN : took / count / 1000;
}

static json_t *
segmentations_of(const struct span *span)
{
	char names[NAMES_MAX][TOP_VALUE_MAX];
	size_t n = top_values(span->after, "segmentd_changes_total",
		"segmentation", names, NAMES_MAX);
	json_t *list = json_object();

	for (size_t i = 0; i < n; i++)
		(void)json_object_set_new(list, names[i],
			json_pack("{s:o, s:o}", "moves_per_minute",
				number(top_grown(span->before, span->after,
					       "segmentd_changes_total",
					       "segmentation", names[i]) *
					60 / span->seconds),
				"rules_us", number(rules_us(span, names[i]))));
	return list;
}

/* The one whose rules take longest. */
static json_t *
slowest_of(const json_t *segmentations)
{
	const char *slowest = NULL, *name;
	double most = 0;
	json_t *one;

	json_object_foreach((json_t *)segmentations, name, one)
	{
		double us = json_number_value(json_object_get(one, "rules_us"));

		if (us > most) {
			most = us;
			slowest = name;
		}
	}
	return slowest == NULL ? json_null() : json_string(slowest);
}

static json_t *
latencies_of(const struct span *span)
{
	static const struct {
		const char *name;
		const char *metric;
	} rows[] = {
		{"event_to_change", "segmentd_event_to_change_seconds"},
		{"batch", "segmentd_batch_seconds"},
		{"commit", "segmentd_commit_seconds"},
		{"flush", "segmentd_flush_seconds"},
		{"timer_lateness", "segmentd_timer_lateness_seconds"},
	};
	json_t *list = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)json_object_set_new(list, rows[i].name,
			json_pack("{s:o, s:o}", "p50",
				number(top_quantile(span->before, span->after,
					rows[i].metric, 0.5)),
				"p99",
				number(top_quantile(span->before, span->after,
					rows[i].metric, 0.99))));
	return list;
}

json_t *
top_frame(struct top_scrape *before, struct top_scrape *after)
{
	const struct span span = {buf_cstr(&before->metrics),
		buf_cstr(&after->metrics),
		fmax((double)(after->at_us - before->at_us) / 1e6, 1e-3)};
	json_t *segmentations = segmentations_of(&span);
	json_t *slowest = slowest_of(segmentations);

	return json_pack(
		"{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"daemons", (json_int_t)after->ndaemons, "answering",
		(json_int_t)after->nthere, "ready", (json_int_t)after->nready,
		"seconds", number(span.seconds), "state",
		state_of(buf_cstr(&after->ready)), "inputs", inputs_of(&span),
		"changes_per_s",
		rate(&span, "segmentd_changes_total", NULL, NULL),
		"evaluations_per_s",
		rate(&span, "segmentd_evaluations_total", NULL, NULL),
		"expressions_per_s",
		rate(&span, "segmentd_rules_evaluated_total", NULL, NULL),
		"transactions_per_s",
		rate(&span, "segmentd_transactions_total", NULL, NULL),
		"segmentations", segmentations, "slowest_rules", slowest,
		"latency_s", latencies_of(&span), "freshness_s",
		number(top_max(span.after, "segmentd_freshness_seconds")),
		"redis_behind_s",
		number(top_max(
			span.after, "segmentd_low_watermark_age_seconds")),
		"accounts_cached", sum(&span, "segmentd_accounts_cached"),
		"cache_bytes", sum(&span, "segmentd_cache_bytes"),
		"accounts_dirty", sum(&span, "segmentd_dirty_accounts"),
		"loads_per_s",
		rate(&span, "segmentd_cache_misses_total", NULL, NULL),
		"redis_retries", sum(&span, "segmentd_redis_retries_total"),
		"takeovers", sum(&span, "segmentd_takeovers_total"),
		"memory_bytes", sum(&span, "process_resident_memory_bytes"),
		"cpus", rate(&span, "process_cpu_seconds_total", NULL, NULL));
}

/* --- text --------------------------------------------------------------- */

#define BOLD "\033[1m"
#define RED "\033[31m"
#define PLAIN "\033[0m"

static double
get(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* A number in so many columns; "-" where there is none. */
static void
cell(struct buf *out, int width, int decimals, double value)
{
	if (isnan(value))
		buf_printf(out, "%*s", width, "-");
	else
		buf_printf(out, "%*.*f", width, decimals, value);
}

static void
print_state(const json_t *frame, bool is_coloured, struct buf *out)
{
	json_t *state = json_object_get(frame, "state");
	const char *name;
	json_t *value;

	buf_printf(out,
		"%ssegmentd%s  %.0f of %.0f daemons answer, %.0f ready\n",
		is_coloured ? BOLD : "", is_coloured ? PLAIN : "",
		get(frame, "answering"), get(frame, "daemons"),
		get(frame, "ready"));
	json_object_foreach(state, name, value)
	{
		bool is_ok = strcmp(json_string_value(value), "ok") == 0;

		if (is_ok && strcmp(name, "kafka") != 0 &&
			strcmp(name, "redis") != 0)
			continue;
		buf_printf(out, "  %s%s: %s%s\n",
			is_coloured && !is_ok ? RED : "", name,
			json_string_value(value),
			is_coloured && !is_ok ? PLAIN : "");
	}
}

static void
print_inputs(const json_t *frame, struct buf *out)
{
	const char *name;
	json_t *one;

	buf_printf(out, "\n%-20s%12s%10s%12s%12s\n", "input", "records/s",
		"MB/s", "rejected/s", "lag");
	json_object_foreach(json_object_get(frame, "inputs"), name, one)
	{
		buf_printf(out, "%-20s", name);
		cell(out, 12, 1, get(one, "records_per_s"));
		cell(out, 10, 2, get(one, "bytes_per_s") / 1e6);
		cell(out, 12, 1, get(one, "rejected_per_s"));
		cell(out, 12, 0, get(one, "lag"));
		buf_put_u8(out, '\n');
	}
}

static void
print_segmentations(const json_t *frame, bool is_coloured, struct buf *out)
{
	const char *slowest =
		json_string_value(json_object_get(frame, "slowest_rules"));
	const char *name;
	json_t *one;

	buf_printf(out, "\n%-20s%12s%16s\n", "segmentation", "moves/min",
		"its rules, us");
	json_object_foreach(json_object_get(frame, "segmentations"), name, one)
	{
		bool is_slowest = slowest != NULL && strcmp(name, slowest) == 0;

		buf_printf(out, "%s%-20s",
			is_coloured && is_slowest ? BOLD : "", name);
		cell(out, 12, 1, get(one, "moves_per_minute"));
		cell(out, 16, 2, get(one, "rules_us"));
		buf_printf(out, "%s%s\n", is_slowest ? "  slowest" : "",
			is_coloured && is_slowest ? PLAIN : "");
	}
}

static void
print_latencies(const json_t *frame, struct buf *out)
{
	const char *name;
	json_t *one;

	buf_printf(out, "\n%-20s%12s%12s\n", "ms", "median", "99 %");
	json_object_foreach(json_object_get(frame, "latency_s"), name, one)
	{
		buf_printf(out, "%-20s", name);
		cell(out, 12, 1, get(one, "p50") * 1000);
		cell(out, 12, 1, get(one, "p99") * 1000);
		buf_put_u8(out, '\n');
	}
}

void
top_print(const json_t *frame, bool is_coloured, struct buf *out)
{
	static const struct {
		const char *title;
		const char *name;
		double scale;
		int decimals;
	} rows[] = {
		{"changes/s", "changes_per_s", 1, 1},
		{"accounts evaluated/s", "evaluations_per_s", 1, 1},
		{"expressions/s", "expressions_per_s", 1, 1},
		{"transactions/s", "transactions_per_s", 1, 1},
		{"published is behind by, s", "freshness_s", 1, 1},
		{"Redis is behind by, s", "redis_behind_s", 1, 1},
		{"accounts in the cache", "accounts_cached", 1, 0},
		{"the cache, MB", "cache_bytes", 1e-6, 1},
		{"accounts to be written", "accounts_dirty", 1, 0},
		{"accounts loaded/s", "loads_per_s", 1, 1},
		{"repeated calls to Redis", "redis_retries", 1, 0},
		{"partitions taken over", "takeovers", 1, 0},
		{"memory, MB", "memory_bytes", 1e-6, 1},
		{"processors busy", "cpus", 1, 2},
	};
	const size_t half = sizeof(rows) / sizeof(rows[0]) / 2;

	print_state(frame, is_coloured, out);
	print_inputs(frame, out);
	print_segmentations(frame, is_coloured, out);
	print_latencies(frame, out);
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < half; i++) {
		buf_printf(out, "%-26s", rows[i].title);
		cell(out, 10, rows[i].decimals,
			get(frame, rows[i].name) * rows[i].scale);
		buf_printf(out, "    %-26s", rows[i + half].title);
		cell(out, 10, rows[i + half].decimals,
			get(frame, rows[i + half].name) * rows[i + half].scale);
		buf_put_u8(out, '\n');
	}
}
