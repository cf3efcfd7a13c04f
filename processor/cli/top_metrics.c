/* top_metrics.c - what /metrics says. */
#include "top_metrics.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDGES_MAX 64
#define NAME_MAX_LEN 128

/* As JSON has numbers: what is none (NaN, +Inf) is NaN. */
static double
number_of(const char *text, size_t len)
{
	json_t *json = json_loadb(text, len, JSON_DECODE_ANY, NULL);
	double value = json_is_number(json) ? json_number_value(json) : NAN;

	json_decref(json);
	return value;
}

bool
top_next(const char **at, const char *name, struct top_sample *ret_sample)
{
	size_t len = strlen(name);

	while (**at != '\0') {
		const char *line = *at;
		const char *end = line + strcspn(line, "\n");
		const char *space = end;
		const char *rest = line + len;

		*at = *end == '\0' ? end : end + 1;
		if (strncmp(line, name, len) != 0 ||
			(*rest != ' ' && *rest != '{'))
			continue;
		while (space > rest && *space != ' ')
			space--;
		*ret_sample = (struct top_sample){.labels = rest};
		if (*rest == '{' && space - rest >= 2) {
			ret_sample->labels = rest + 1;
			ret_sample->labels_len = (size_t)(space - rest) - 2;
		}
		ret_sample->value =
			number_of(space + 1, (size_t)(end - space) - 1);
		return true;
	}
	return false;
}

/* From behind the opening quote to the closing one; its escapes undone. */
static const char *
read_text(const char *at, const char *end, char *value, size_t cap,
	bool *ret_fits)
{
	size_t n = 0;

	for (; at < end && *at != '"'; at++) {
		char c = *at;

		if (c == '\\' && at + 1 < end) {
			at++;
			c = *at == 'n' ? '\n' : *at;
		}
		if (n + 1 < cap)
			value[n] = c;
		n++;
	}
	*ret_fits = n < cap;
	value[*ret_fits ? n : 0] = '\0';
	return at;
}

bool
top_label(const struct top_sample *sample, const char *label, char *value,
	size_t cap)
{
	const char *at = sample->labels;
	const char *end = at + sample->labels_len;
	size_t len = strlen(label);

	while (at < end) {
		const char *eq = memchr(at, '=', (size_t)(end - at));
		bool is_it, fits = false;

		if (eq == NULL || end - eq < 2)
			return false;
		is_it = (size_t)(eq - at) == len && memcmp(at, label, len) == 0;
		at = read_text(eq + 2, end, value, cap, &fits);
		if (is_it)
			return fits;
		at += 2; /* the quote and the comma */
	}
	return false;
}

static bool
is_of(const struct top_sample *sample, const char *label, const char *value)
{
	char text[TOP_VALUE_MAX];

	return label == NULL || (top_label(sample, label, text, sizeof(text)) &&
					strcmp(text, value) == 0);
}

double
top_sum(const char *text, const char *name, const char *label,
	const char *value)
{
	struct top_sample sample;
	double sum = 0;

	while (top_next(&text, name, &sample)) {
		if (!isnan(sample.value) && is_of(&sample, label, value))
			sum += sample.value;
	}
	return sum;
}

double
top_max(const char *text, const char *name)
{
	struct top_sample sample;
	double max = NAN;

	while (top_next(&text, name, &sample))
		max = fmax(max, sample.value);
	return max;
}

double
top_grown(const char *before, const char *after, const char *name,
	const char *label, const char *value)
{
	double was = top_sum(before, name, label, value);
	double is = top_sum(after, name, label, value);

	return is < was ? is : is - was;
}

double
top_quantile(const char *before, const char *after, const char *name, double q)
{
	char bucket[NAME_MAX_LEN], edges[EDGES_MAX][TOP_VALUE_MAX];
	double counts[EDGES_MAX], below = 0, lower = 0;
	size_t n;

	(void)snprintf(bucket, sizeof(bucket), "%s_bucket", name);
	/* In the order of the text, which is theirs. */
	n = top_values(after, bucket, "le", edges, EDGES_MAX);
	for (size_t i = 0; i < n; i++)
		counts[i] = top_grown(before, after, bucket, "le", edges[i]);
	if (n == 0 || counts[n - 1] <= 0)
		return NAN;
	for (size_t i = 0; i < n; i++) {
		double upper = number_of(edges[i], strlen(edges[i]));

		if (isnan(upper)) /* beyond the last edge */
			return lower;
		if (counts[i] >= q * counts[n - 1])
			return counts[i] <= below
				       ? upper
				       : lower + (upper - lower) *
							 (q * counts[n - 1] -
								 below) /
							 (counts[i] - below);
		below = counts[i];
		lower = upper;
	}
	return lower;
}

size_t
top_values(const char *text, const char *name, const char *label,
	char (*ret_values)[TOP_VALUE_MAX], size_t max)
{
	struct top_sample sample;
	size_t n = 0;

	while (n < max && top_next(&text, name, &sample)) {
		bool is_new =
			top_label(&sample, label, ret_values[n], TOP_VALUE_MAX);

		for (size_t i = 0; i < n && is_new; i++)
			is_new = strcmp(ret_values[i], ret_values[n]) != 0;
		n += is_new;
	}
	return n;
}
