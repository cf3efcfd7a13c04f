/*
 * test_change.c - changes: as a file expects them, and as they were decided.
 *
 * Both sides become the same texts in the same form (times as RFC 3339,
 * numbers without zeros that do not count), so that comparing is comparing
 * texts. Only the keys that the file gives are compared.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "segmentd/civil.h"
#include "test_file.h"

#define NAMES                                                                  \
	"account, segmentation, from, to, action, origin, version, at, "       \
	"event_time, valid_until, input, event_id, renewal.date, "             \
	"renewal.days_left, renewal.window, priority, because, values"

static const char *const key_names[] = {
#define KEY(name, text) text,
	TEST_KEYS(KEY)
#undef KEY
		NULL,
};

/* --- as expected -------------------------------------------------------- */

static const struct conf_segmentation *
find_segmentation(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->nsegmentations; i++) {
		if (strcmp(conf->segmentations[i].name.s, name) == 0)
			return &conf->segmentations[i];
	}
	return NULL;
}

static bool
is_segment(const struct conf_segmentation *seg, const char *name)
{
	if (seg->kind == CONF_TAG)
		return strcmp(name, "in") == 0 || strcmp(name, "out") == 0;
	for (size_t i = 0; i < seg->nsegments; i++) {
		if (strcmp(seg->segments[i].name.s, name) == 0)
			return true;
	}
	return false;
}

static const char *
hint_segmentation(
	struct test_file *file, const char *text, char hint[TEST_HINT_MAX])
{
	size_t n = file->conf->nsegmentations;
	const char **names = test_room(file, n + 1, sizeof(*names));

	if (names == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		names[i] = file->conf->segmentations[i].name.s;
	return test_hint(hint, text, names, NULL);
}

/* A name that is not there would be expected in vain. */
static bool
check_names(struct test_file *file, const struct doc_node *map)
{
	const struct doc_node *name = doc_get(map, "segmentation");
	static const char *const sides[] = {"from", "to"};
	const struct conf_segmentation *seg;
	char hint[TEST_HINT_MAX];
	bool is_ok = true;

	if (name == NULL || name->kind != DOC_TEXT || name->is_null)
		return true;
	seg = find_segmentation(file->conf, name->text.s);
	if (seg == NULL) {
		if (file->conf->renewal.is_set &&
			strcmp(name->text.s, "renewal") == 0)
			return true;
		test_mistake(file, name,
			hint_segmentation(file, name->text.s, hint),
			"there is no segmentation `%.60s`", name->text.s);
		return false;
	}
	for (size_t i = 0; i < SG_COUNTOF(sides); i++) {
		const struct doc_node *side = doc_get(map, sides[i]);

		if (side == NULL || side->kind != DOC_TEXT || side->is_null ||
			is_segment(seg, side->text.s))
			continue;
		test_mistake(file, side,
			seg->kind == CONF_TAG ? "in, or out" : NULL,
			"`%s` has no segment `%.60s`", seg->name.s,
			side->text.s);
		is_ok = false;
	}
	return is_ok;
}

static bool
read_time(struct test_file *file, const struct doc_node *node,
	const char **ret_text)
{
	char text[CIVIL_RFC3339_MAX];
	int64_t ms;

	if (!test_time(file, node, &ms))
		return false;
	*ret_text =
		test_copy(file, text, civil_format_ms(ms, text, sizeof(text)));
	return *ret_text != NULL;
}

/* A text, or a list of them: a line each. */
static bool
read_lines(struct test_file *file, const struct doc_node *node,
	const char **ret_text)
{
	struct buf lines;

	if (node->kind == DOC_TEXT) {
		*ret_text = test_text(file, node);
		return *ret_text != NULL;
	}
	buf_init(&lines, TEST_TEXT_MAX * 16);
	for (const struct doc_node *c = node->first; c != NULL; c = c->next) {
		const char *text = test_text(file, c);

		if (text == NULL)
			break;
		if (lines.len > 0)
			buf_put_u8(&lines, '\n');
		buf_put_str(&lines, text);
	}
	*ret_text = test_copy(file, buf_cstr(&lines), lines.len);
	buf_fini(&lines);
	return *ret_text != NULL;
}

static bool
read_values(struct test_file *file, const struct doc_node *node,
	struct test_change *change)
{
	struct test_pair *pairs;
	size_t n = 0;

	if (node->kind != DOC_MAP) {
		test_key_mistake(file, node, NULL,
			"`values` must be a map such as {usage.logins: 3}");
		return false;
	}
	pairs = test_room(file, node->n, sizeof(*pairs));
	for (const struct doc_node *c = node->first; c != NULL && pairs != NULL;
		c = c->next) {
		pairs[n].name = c->key.s;
		pairs[n].text = c->is_null ? "" : test_text(file, c);
		if (pairs[n++].text == NULL)
			return false;
	}
	change->values = pairs;
	change->nvalues = n;
	return pairs != NULL;
}

static bool
read_key(struct test_file *file, const struct doc_node *node, int key,
	struct test_change *change)
{
	const char **text = &change->text[key];

	change->given |= UINT32_C(1) << key;
	if (key == TEST_values)
		return read_values(file, node, change);
	if (node->is_null)
		return true;
	switch (key) {
	case TEST_because:
		return read_lines(file, node, text);
	case TEST_at:
	case TEST_event_time:
	case TEST_renewal_date:
		return read_time(file, node, text);
	case TEST_valid_until:
		if (node->kind == DOC_TEXT &&
			strcmp(node->text.s, "never") == 0) {
			*text = node->text.s;
			return true;
		}
		return read_time(file, node, text);
	default:
		*text = test_text(file, node);
		return *text != NULL;
	}
}

bool
test_change_read(struct test_file *file, const struct doc_node *node,
	struct test_change *ret_change)
{
	char hint[TEST_HINT_MAX];
	bool is_ok;

	if (node->kind != DOC_MAP) {
		test_mistake(file, node,
			"{account: ID, segmentation: NAME, "
			"to: SEGMENT}",
			"a change must be a map");
		return false;
	}
	is_ok = check_names(file, node);
	for (const struct doc_node *c = node->first; c != NULL; c = c->next) {
		int key = 0;

		while (key < TEST_KEY_COUNT &&
			strcmp(key_names[key], c->key.s) != 0)
			key++;
		if (key == TEST_KEY_COUNT) {
			test_key_mistake(file, c,
				test_hint(hint, c->key.s, key_names, NAMES),
				"`%.60s` is no part of a change", c->key.s);
			is_ok = false;
		} else {
			is_ok = read_key(file, c, key, ret_change) && is_ok;
		}
	}
	return is_ok;
}

/* --- as decided --------------------------------------------------------- */

static const char *
copy(struct arena *arena, const char *text, bool *is_full)
{
	char *dest;

	if (text == NULL)
		return NULL;
	dest = arena_copy(arena, text, strlen(text));
	*is_full = *is_full || dest == NULL;
	return dest;
}

__attribute__((format(printf, 3, 4))) static const char *
print(struct arena *arena, bool *is_full, const char *fmt, ...)
{
	char text[64];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return copy(arena, text, is_full);
}

static const char *
copy_time(struct arena *arena, int64_t ms, bool *is_full)
{
	char text[CIVIL_RFC3339_MAX];

	(void)civil_format_ms(ms, text, sizeof(text));
	return copy(arena, text, is_full);
}

static bool
has_name(const struct test_pair *pairs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (pairs[i].name != NULL && strcmp(pairs[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Clauses may read the same: one decision has one value of it. */
static void
copy_reasons(const struct change *change, struct arena *arena, bool *is_full,
	struct test_change *dest)
{
	struct test_pair *pairs;
	struct buf lines;
	size_t n = 0;

	buf_init(&lines, 16 << 20);
	for (size_t i = 0; i < change->nreasons; i++) {
		const struct change_reason *reason = &change->reasons[i];

		buf_printf(&lines, "%s%s: %s%s", i == 0 ? "" : "\n",
			reason->rule, reason->clause,
			reason->result ? "" : " is false");
		n += reason->nvalues;
	}
	dest->text[TEST_because] = copy(arena, buf_cstr(&lines), is_full);
	buf_fini(&lines);
	pairs = arena_array(arena, n + 1, sizeof(*pairs));
	*is_full = *is_full || pairs == NULL;
	for (size_t i = 0; i < change->nreasons && pairs != NULL; i++) {
		const struct change_reason *reason = &change->reasons[i];

		for (size_t k = 0; k < reason->nvalues; k++) {
			if (has_name(pairs, dest->nvalues,
				    reason->values[k].name))
				continue;
			pairs[dest->nvalues++] = (struct test_pair){
				copy(arena, reason->values[k].name, is_full),
				copy(arena, reason->values[k].value, is_full)};
		}
	}
	dest->values = pairs;
}

static const char *
input_name(const struct conf *conf, const char *topic)
{
	for (size_t i = 0; topic != NULL && i < conf->ninputs; i++) {
		if (strcmp(conf->inputs[i].topic.s, topic) == 0)
			return conf->inputs[i].name.s;
	}
	if (topic != NULL && strcmp(conf->opt.topic_overrides.s, topic) == 0)
		return TEST_OVERRIDES;
	return NULL;
}

bool
test_change_copy(const struct conf *conf, const struct change *change,
	struct arena *arena, struct test_change *ret_change)
{
	struct test_change dest = {
		.given = (UINT32_C(1) << TEST_KEY_COUNT) - 1};
	const char **text = dest.text;
	bool is_full = false;

	text[TEST_account] = copy(arena, change->account, &is_full);
	text[TEST_segmentation] = change->segmentation;
	text[TEST_from] = change->from;
	text[TEST_to] = change->to;
	text[TEST_action] = change_action_name(change->action);
	text[TEST_origin] = change_origin_name(change->origin);
	text[TEST_version] = print(arena, &is_full, "%llu",
		(unsigned long long)change->account_version);
	text[TEST_at] = copy_time(arena, change->evaluated_at_ms, &is_full);
	text[TEST_event_time] =
		copy_time(arena, change->event_time_ms, &is_full);
	text[TEST_valid_until] =
		change->valid_until_ms == AT_NEVER
			? "never"
			: copy_time(arena, change->valid_until_ms, &is_full);
	text[TEST_input] = input_name(conf, change->trigger.topic);
	text[TEST_event_id] = copy(arena, change->trigger.event_id, &is_full);
	if (change->renewal.is_set) {
		text[TEST_renewal_date] =
			copy_time(arena, change->renewal.date_ms, &is_full);
		text[TEST_days_left] = print(arena, &is_full, "%lld",
			(long long)change->renewal.days_left);
		text[TEST_window] =
			copy(arena, change->renewal.window, &is_full);
	}
	if (!isnan(change->priority))
		text[TEST_priority] =
			print(arena, &is_full, "%.17g", change->priority);
	copy_reasons(change, arena, &is_full, &dest);
	*ret_change = dest;
	return !is_full;
}

/* --- comparing and printing --------------------------------------------- */

static bool
is_same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0 || test_same_number(a, b);
}

static bool
has_value(const struct test_change *change, const struct test_pair *want)
{
	for (size_t i = 0; i < change->nvalues; i++) {
		if (strcmp(change->values[i].name, want->name) == 0 &&
			is_same(change->values[i].text, want->text))
			return true;
	}
	return false;
}

bool
test_change_meets(
	const struct test_change *change, const struct test_change *want)
{
	for (int key = 0; key < TEST_KEY_COUNT; key++) {
		bool is_exact = key == TEST_account || key == TEST_because;

		if ((want->given >> key & 1) == 0 || key == TEST_values)
			continue;
		if (is_exact && want->text[key] != NULL &&
			change->text[key] != NULL &&
			strcmp(change->text[key], want->text[key]) != 0)
			return false;
		if (!is_same(change->text[key], want->text[key]))
			return false;
	}
	for (size_t i = 0; i < want->nvalues; i++) {
		if (!has_value(change, &want->values[i]))
			return false;
	}
	return true;
}

static bool
is_plain(const char *text)
{
	static const char *const words[] = {
		"true", "false", "null", "yes", "no", "on", "off", "~"};
	bool is_time = text[0] >= '0' && text[0] <= '9' && text[1] != '\0' &&
		       strchr(text, 'T') != NULL;

	for (size_t i = 0; i < SG_COUNTOF(words); i++) {
		if (strcmp(text, words[i]) == 0)
			return false;
	}
	if (text[0] == '\0' || (!is_time && strchr(text, ':') != NULL))
		return false;
	return strpbrk(text, " \t\n\"'#&*!|>%@`,[]{}?\\=<") == NULL &&
	       (text[0] != '-' || (text[1] >= '0' && text[1] <= '9'));
}

void
test_text_put(const char *text, bool is_json, struct buf *out)
{
	if (!is_json && is_plain(text)) {
		buf_put_str(out, text);
		return;
	}
	value_to_json(value_string(text, (uint32_t)strlen(text)), NULL, out);
}

static void
put_key(const char *name, bool is_json, struct buf *out)
{
	if (is_json)
		test_text_put(name, true, out);
	else
		buf_put_str(out, name);
	buf_put_str(out, is_json ? ":" : ": ");
}

static void
put_values(const struct test_change *change, bool is_json, struct buf *out)
{
	buf_put_u8(out, '{');
	for (size_t i = 0; i < change->nvalues; i++) {
		if (i > 0)
			buf_put_str(out, is_json ? "," : ", ");
		put_key(change->values[i].name, is_json, out);
		test_text_put(change->values[i].text, is_json, out);
	}
	buf_put_u8(out, '}');
}

/* Lines of `because` as a list. */
static void
put_lines(const char *text, bool is_json, struct buf *out)
{
	char line[TEST_TEXT_MAX];

	buf_put_u8(out, '[');
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		size_t kept = len < sizeof(line) ? len : sizeof(line) - 1;

		memcpy(line, text, kept);
		line[kept] = '\0';
		test_text_put(line, is_json, out);
		text += len + (text[len] == '\n');
		if (*text != '\0')
			buf_put_str(out, is_json ? "," : ", ");
	}
	buf_put_u8(out, ']');
}

void
test_change_put(const struct test_change *change, uint32_t mask, bool is_json,
	struct buf *out)
{
	bool is_first = true;

	buf_put_u8(out, '{');
	for (int key = 0; key < TEST_KEY_COUNT; key++) {
		const char *text = change->text[key];

		if ((mask & change->given) >> key == 0)
			break;
		if (((mask & change->given) >> key & 1) == 0)
			continue;
		if (!is_first)
			buf_put_str(out, is_json ? "," : ", ");
		is_first = false;
		put_key(key_names[key], is_json, out);
		if (key == TEST_values)
			put_values(change, is_json, out);
		else if (text == NULL)
			buf_put_str(out, "null");
		else if (key == TEST_because)
			put_lines(text, is_json, out);
		else if (key == TEST_account && !is_json)
			value_to_json(
				value_string(text, (uint32_t)strlen(text)),
				NULL, out);
		else
			test_text_put(text, is_json, out);
	}
	buf_put_u8(out, '}');
}
