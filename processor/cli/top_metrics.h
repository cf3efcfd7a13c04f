/*
 * top_metrics.h - what /metrics says: sums, greatest values, quantiles.
 *
 * A text is one scrape of /metrics; those of several daemons one after another
 * are one text, of which a sum is over all of them.
 */
#ifndef CLI_TOP_METRICS_H
#define CLI_TOP_METRICS_H

#include <stdbool.h>
#include <stddef.h>

struct top_sample {
	const char *labels; /* between the braces; not ended by a NUL */
	size_t labels_len;
	double value;
};

/* The next series of that name, from *at on; false at the end. */
bool
top_next(const char **at, const char *name, struct top_sample *ret_sample);

/* The value of a label, without its escapes; false: not there, or too long. */
bool
top_label(const struct top_sample *sample, const char *label, char *value,
	size_t cap);

/* Over all series of the name, or those where `label` is `value`. What is not a
 * number is left out. */
double
top_sum(const char *text, const char *name, const char *label,
	const char *value);
/* NaN: there is none. */
double
top_max(const char *text, const char *name);

/* How much a counter grew; one that is less began anew. */
double
top_grown(const char *before, const char *after, const char *name,
	const char *label, const char *value);

/* Quantile q of what a histogram saw between two scrapes; NaN: nothing. */
double
top_quantile(const char *before, const char *after, const char *name, double q);

#define TOP_VALUE_MAX 128
/* The different values of a label of that name, up to `max`, in order. */
size_t
top_values(const char *text, const char *name, const char *label,
	char (*ret_values)[TOP_VALUE_MAX], size_t max);

#endif
