/* worker_metrics.c - the series a worker adds to. */
#include <stdio.h>
#include <stdlib.h>

#include "worker.h"

#define LABELS_MAX 1024

/* A series with up to two labels. */
static struct metric *
series(struct worker *w, enum metric_id id, const char *name1,
	const char *value1, const char *name2, const char *value2)
{
	struct metric *metric;
	struct buf labels;

	buf_init(&labels, LABELS_MAX);
	if (name1 != NULL)
		metrics_label(&labels, name1, value1);
	if (name2 != NULL)
		metrics_label(&labels, name2, value2);
	metric = metrics_get(w->engine->metrics, id, buf_cstr(&labels));
	buf_fini(&labels);
	return metric;
}

static void
input_series(struct worker *w, size_t i, const char *number)
{
	struct worker_metrics *m = &w->metrics;
	const char *name = w->prog->inputs[i].name;

	m->consumed[i] = series(w, METRIC_CONSUMED, "input", name, NULL, NULL);
	m->consumed_bytes[i] =
		series(w, METRIC_CONSUMED_BYTES, "input", name, NULL, NULL);
	m->repeated[i] = series(w, METRIC_REPEATED, "input", name, NULL, NULL);
	m->late[i] = series(w, METRIC_LATE, "input", name, NULL, NULL);
	m->overflow[i] = series(w, METRIC_OVERFLOW, "input", name, NULL, NULL);
	m->lag[i] = series(w, METRIC_LAG, "input", name, "worker", number);
	for (enum sg_err err = 0; err < SG_ERR_COUNT; err++) {
		if (sg_err_class(err) == SG_CLASS_SKIP)
			m->rejected[i][err] = series(w, METRIC_REJECTED,
				"input", name, "reason", sg_err_name(err));
	}
}

static enum sg_err
rule_series(struct worker *w)
{
	const struct program *prog = w->prog;
	struct worker_metrics *m = &w->metrics;

	m->changes = calloc(prog->nsegmentations * ORIGIN_COUNT + 1,
		sizeof(struct metric *));
	m->measured = calloc(prog->nsegmentations + 1, sizeof(struct metric *));
	m->measured_ns =
		calloc(prog->nsegmentations + 1, sizeof(struct metric *));
	m->rule_errors = calloc(prog->nrules + 1, sizeof(struct metric *));
	m->holds = calloc(prog->nsegmentations * DECIDE_HOLD_COUNT + 1,
		sizeof(struct metric *));
	if (m->measured == NULL || m->measured_ns == NULL)
		return SG_NOMEM;
	if (m->changes == NULL || m->rule_errors == NULL || m->holds == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < prog->nsegmentations; i++) {
		const struct program_segmentation *seg =
			&prog->segmentations[i];

		m->measured[i] = series(w, METRIC_RULES_MEASURED,
			"segmentation", prog->defs[i].name, NULL, NULL);
		m->measured_ns[i] = series(w, METRIC_RULES_NS, "segmentation",
			prog->defs[i].name, NULL, NULL);
		for (enum change_origin o = 0; o < ORIGIN_COUNT; o++)
			m->changes[i * ORIGIN_COUNT + o] =
				series(w, METRIC_CHANGES, "segmentation",
					prog->defs[i].name, "origin",
					change_origin_name(o));
		for (enum decide_hold h = 0; h < DECIDE_HOLD_COUNT; h++)
			m->holds[i * DECIDE_HOLD_COUNT + h] = series(w,
				METRIC_SUPPRESSED, "segmentation",
				prog->defs[i].name, "by", decide_hold_name(h));
		for (size_t k = 0; k < seg->nrules; k++)
			m->rule_errors[seg->first_rule + k] =
				series(w, METRIC_RULE_ERRORS, "rule",
					seg->rule_names[k], NULL, NULL);
	}
	return SG_OK;
}

enum sg_err
worker_metrics_init(struct worker *w)
{
	struct worker_metrics *m = &w->metrics;
	char n[24];

	(void)snprintf(n, sizeof(n), "%zu", w->number);
	for (size_t i = 0; i < w->prog->ninputs; i++)
		input_series(w, i, n);
	m->deleted = series(w, METRIC_DELETED, NULL, NULL, NULL, NULL);
	m->decided_events =
		series(w, METRIC_EVALUATIONS, "cause", "event", NULL, NULL);
	m->decided_timers =
		series(w, METRIC_EVALUATIONS, "cause", "timer", NULL, NULL);
	m->rules = series(w, METRIC_RULES, NULL, NULL, NULL, NULL);
	m->batch = series(w, METRIC_BATCH_SECONDS, NULL, NULL, NULL, NULL);
	m->commit = series(w, METRIC_COMMIT_SECONDS, NULL, NULL, NULL, NULL);
	m->flush = series(w, METRIC_FLUSH_SECONDS, NULL, NULL, NULL, NULL);
	m->latency = series(w, METRIC_LATENCY_SECONDS, NULL, NULL, NULL, NULL);
	m->lateness = series(w, METRIC_TIMER_LATENESS, NULL, NULL, NULL, NULL);
	m->committed = series(
		w, METRIC_TRANSACTIONS, "outcome", "committed", NULL, NULL);
	m->aborted = series(
		w, METRIC_TRANSACTIONS, "outcome", "aborted", NULL, NULL);
	m->unknown = series(
		w, METRIC_TRANSACTIONS, "outcome", "unknown", NULL, NULL);
	m->store_retries =
		series(w, METRIC_STORE_RETRIES, NULL, NULL, NULL, NULL);
	m->takeovers = series(w, METRIC_TAKEOVERS, NULL, NULL, NULL, NULL);
	m->unreplicated =
		series(w, METRIC_REDIS_UNREPLICATED, NULL, NULL, NULL, NULL);
	m->groups = series(w, METRIC_GROUPS, "worker", n, NULL, NULL);
	m->cached = series(w, METRIC_ACCOUNTS_CACHED, "worker", n, NULL, NULL);
	m->cache_bytes = series(w, METRIC_CACHE_BYTES, "worker", n, NULL, NULL);
	m->misses = series(w, METRIC_CACHE_MISSES, NULL, NULL, NULL, NULL);
	m->transaction_age =
		series(w, METRIC_TRANSACTION_AGE, "worker", n, NULL, NULL);
	m->dirty = series(w, METRIC_DIRTY, "worker", n, NULL, NULL);
	return rule_series(w);
}

void
worker_metrics_fini(struct worker *w)
{
	free(w->metrics.changes);
	free(w->metrics.measured);
	free(w->metrics.measured_ns);
	free(w->metrics.rule_errors);
	free(w->metrics.holds);
}
