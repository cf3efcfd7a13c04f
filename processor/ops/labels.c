#include "series.h"

#include <string.h>

#include "segmentd/utf8.h"

#define LABELS_MAX 16

struct label {
	const char *name;
	size_t name_len;
	size_t len; /* of the whole name="value" */
};

void
metrics_label(struct buf *labels, const char *name, const char *value)
{
	size_t left = strlen(value);

	if (labels->len > 0)
		buf_put_u8(labels, ',');
	buf_put_str(labels, name);
	buf_put_str(labels, "=\"");
	while (left > 0) {
		size_t len = utf8_char_len(value, left);

		if (len == 0) { /* Prometheus refuses a whole scrape for it */
			buf_put_u8(labels, '?');
			len = 1;
		} else if (*value == '\n') {
			buf_put_str(labels, "\\n");
		} else {
			if (*value == '\\' || *value == '"')
				buf_put_u8(labels, '\\');
			buf_put(labels, value, len);
		}
		value += len;
		left -= len;
	}
	buf_put_u8(labels, '"');
}

static bool
is_name_char(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!is_first && c >= '0' && c <= '9');
}

/* The end of the name="value" at `at`; NULL when there is none. */
static const char *
label_scan(const char *at, struct label *ret_label)
{
	struct label label = {.name = at};

	while (is_name_char(*at, at == label.name))
		at++;
	label.name_len = (size_t)(at - label.name);
	if (label.name_len == 0 || at[0] != '=' || at[1] != '"')
		return NULL;
	for (at += 2; *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if (*at == '\0' || *at == '\n')
			return NULL;
	}
	at++;
	label.len = (size_t)(at - label.name);
	*ret_label = label;
	return at;
}

static int
label_compare(const struct label *a, const struct label *b)
{
	size_t len = a->name_len < b->name_len ? a->name_len : b->name_len;
	int order = memcmp(a->name, b->name, len);

	if (order != 0 || a->name_len == b->name_len)
		return order;
	return a->name_len < b->name_len ? -1 : 1;
}

/* Put `label` at its place among the `n` before it; false when its name is
 * there already. */
static bool
label_insert(struct label *sorted, size_t n, const struct label *label)
{
	size_t i = n;

	while (i > 0) {
		int order = label_compare(&sorted[i - 1], label);

		if (order == 0)
			return false;
		if (order < 0)
			break;
		sorted[i] = sorted[i - 1];
		i--;
	}
	sorted[i] = *label;
	return true;
}

bool
labels_sort(const char *labels, struct buf *out)
{
	struct label sorted[LABELS_MAX];
	const char *at = labels;
	size_t n = 0;

	while (*at != '\0') {
		struct label label;

		if (n > 0 && *at++ != ',')
			return false;
		at = label_scan(at, &label);
		if (at == NULL || n == LABELS_MAX ||
			!label_insert(sorted, n, &label))
			return false;
		n++;
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		buf_put(out, sorted[i].name, sorted[i].len);
	}
	return true;
}
