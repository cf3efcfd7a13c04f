/*
 * options.c - the scalar options, all from the rows of tbl/options.def.
 *
 * A row becomes a field of struct conf_options, an entry of the table below,
 * a default, a check, a line of the reference file. The path of an option is
 * its place in the file: "redis.url" is `url` under `redis`.
 */
#include "walk.h"

#include <stdio.h>
#include <string.h>

#include "segmentd/civil.h"

#define SECTION_KEYS_MAX 48
#define CHOICES_MAX 128
#define CHOICE_WORDS_MAX 9
#define ID_MAX 200

static const struct conf_option rows[] = {
#define ROW(path, kind, min, max, choices, fallback, help, field)              \
	{path, kind, min, max, choices, fallback, help,                        \
		offsetof(struct conf_options, field)},
#define OPT_TEXT(path, ident, fallback, help)                                  \
	ROW(path, CONF_TEXT, 0, 0, "", fallback, help, ident)
#define OPT_INT(path, ident, min, max, fallback, help)                         \
	ROW(path, CONF_INT, min, max, "", fallback, help, ident)
#define OPT_SPAN(path, ident, min, max, fallback, help)                        \
	ROW(path, CONF_SPAN, min, max, "", fallback, help, ident##_ms)
#define OPT_SIZE(path, ident, min, max, fallback, help)                        \
	ROW(path, CONF_SIZE, min, max, "", fallback, help, ident##_bytes)
#define OPT_BOOL(path, ident, fallback, help)                                  \
	ROW(path, CONF_BOOL, 0, 0, "", fallback, help, ident)
#define OPT_ENUM(path, ident, choices, fallback, help)                         \
	ROW(path, CONF_ENUM, 0, 0, choices, fallback, help, ident)
#include "segmentd/tbl/options.def"
};

const struct conf_option *
conf_option_rows(size_t *ret_n)
{
	*ret_n = SG_COUNTOF(rows);
	return rows;
}

const struct conf_option *
options_find(const char *path, size_t len)
{
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		if (strlen(rows[i].path) == len &&
			memcmp(rows[i].path, path, len) == 0)
			return &rows[i];
	}
	return NULL;
}

/* --- one value ---------------------------------------------------------- */

static void
fault_at(struct walk *walk, const struct conf_text *text, const char *hint,
	const char *what)
{
	conf_diag_at(walk->diags, text, 0, 0, false, hint, "%s", what);
}

/* "a,b,c" as words, NULL behind the last. */
static void
choices_split(const char *choices, char text[CHOICES_MAX],
	const char *words[CHOICE_WORDS_MAX])
{
	size_t len = strlen(choices);
	size_t n = 0;
	char *word = text;

	if (len >= CHOICES_MAX)
		len = CHOICES_MAX - 1;
	memcpy(text, choices, len);
	text[len] = '\0';
	while (word != NULL && n + 1 < CHOICE_WORDS_MAX) {
		words[n++] = word;
		word = strchr(word, ',');
		if (word != NULL)
			*word++ = '\0';
	}
	words[n] = NULL;
}

static void
range_fault(struct walk *walk, const struct conf_option *row,
	const struct conf_text *text)
{
	char low[UNIT_TEXT_MAX], high[UNIT_TEXT_MAX], message[128];

	if (row->kind == CONF_INT) {
		(void)snprintf(low, sizeof(low), "%lld", (long long)row->min);
		(void)snprintf(high, sizeof(high), "%lld", (long long)row->max);
	} else if (row->kind == CONF_SPAN) {
		(void)span_text(row->min, low);
		(void)span_text(row->max, high);
	} else {
		(void)size_text(row->min, low);
		(void)size_text(row->max, high);
	}
	if (row->min == row->max)
		(void)snprintf(message, sizeof(message), "`%s` must be %s",
			row->path, low);
	else
		(void)snprintf(message, sizeof(message),
			"`%s` must be from %s to %s", row->path, low, high);
	fault_at(walk, text, NULL, message);
}

static bool
set_number(struct walk *walk, const struct conf_option *row,
	const struct conf_text *text, void *field)
{
	const char *what = "not a whole number", *hint = NULL;
	bool is_good = false;
	int64_t n = 0;

	if (row->kind == CONF_INT) {
		is_good = parse_int(text->s, text->len, &n);
	} else if (row->kind == CONF_SPAN) {
		is_good = civil_parse_span(text->s, text->len, &n);
		what = "not a span of time";
		hint = "such as 500ms, 2s, 5m or 1h";
	} else {
		is_good = parse_size(text->s, text->len, &n);
		what = "not a size";
		hint = "such as 64KiB, 512MiB or 4GiB";
	}
	if (!is_good) {
		fault_at(walk, text, hint, what);
		return false;
	}
	if (n < row->min || n > row->max) {
		range_fault(walk, row, text);
		return false;
	}
	memcpy(field, &n, sizeof(n));
	return true;
}

static bool
set_choice(struct walk *walk, const struct conf_option *row,
	const struct conf_text *text, void *field)
{
	char choices[CHOICES_MAX], hint[160];
	const char *words[CHOICE_WORDS_MAX];

	choices_split(row->choices, choices, words);
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text->s) == 0) {
			memcpy(field, &i, sizeof(i));
			return true;
		}
	}
	conf_diag_at(walk->diags, text, 0, 0, false,
		name_hint(text->s, words, hint, sizeof(hint)),
		"`%.40s` is no value of `%s`", text->s, row->path);
	return false;
}

static bool
set_bool(struct walk *walk, const struct conf_text *text, void *field)
{
	bool value = strcmp(text->s, "true") == 0;

	if (!value && strcmp(text->s, "false") != 0) {
		fault_at(walk, text,
			"in YAML 1.2 yes, no, on and off are texts",
			"must be true or false");
		return false;
	}
	memcpy(field, &value, sizeof(value));
	return true;
}

static bool
set_value(struct walk *walk, const struct conf_option *row,
	const struct conf_text *text, struct conf_options *opt)
{
	void *field = (char *)opt + row->offset;

	switch (row->kind) {
	case CONF_TEXT:
		memcpy(field, text, sizeof(*text));
		return true;
	case CONF_BOOL:
		return set_bool(walk, text, field);
	case CONF_ENUM:
		return set_choice(walk, row, text, field);
	default:
		return set_number(walk, row, text, field);
	}
}

bool
options_defaults(struct walk *walk, struct conf_options *opt)
{
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct conf_text text = {
			.s = rows[i].fallback, .len = strlen(rows[i].fallback)};

		if (!set_value(walk, &rows[i], &text, opt))
			return false; /* the table is wrong: a test finds it */
	}
	return true;
}

void
options_set(struct walk *walk, const struct conf_option *row,
	const struct conf_text *text, struct conf_options *opt)
{
	(void)set_value(walk, row, text, opt);
}

/* --- the tree ----------------------------------------------------------- */

/* The section of a path: "redis" of "redis.url", 0 bytes of "group". */
static size_t
section_len(const char *path)
{
	const char *dot = strchr(path, '.');

	return dot == NULL ? 0 : (size_t)(dot - path);
}

static bool
is_section(const char *name, size_t len)
{
	for (size_t i = 0; len > 0 && i < SG_COUNTOF(rows); i++) {
		if (section_len(rows[i].path) == len &&
			memcmp(rows[i].path, name, len) == 0)
			return true;
	}
	return false;
}

static void
option_read(struct walk *walk, const struct conf_option *row,
	const struct doc_node *node, struct conf_options *opt)
{
	struct conf_text text;

	if (walk_env_text(walk, node, row->kind == CONF_TEXT, &text))
		(void)set_value(walk, row, &text, opt);
}

/* What may stand in a section; names without the section. */
static void
section_keys(const char *section, const char *const *others,
	const char *keys[SECTION_KEYS_MAX])
{
	size_t len = strlen(section);
	size_t n = 0;

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		if (section_len(rows[i].path) == len &&
			memcmp(rows[i].path, section, len) == 0 &&
			n + 1 < SECTION_KEYS_MAX)
			keys[n++] = rows[i].path + (len > 0 ? len + 1 : 0);
	}
	for (; others != NULL && *others != NULL; others++) {
		if (n + 1 < SECTION_KEYS_MAX)
			keys[n++] = *others;
	}
	keys[n] = NULL;
}

/* Keys of sections that are not only options. */
static const char *const schemas_others[] = {"ids", NULL};

static void
section_read(struct walk *walk, const struct doc_node *node,
	struct conf_options *opt)
{
	const char *keys[SECTION_KEYS_MAX];
	char where[64];

	if (!walk_is(walk, node, DOC_MAP, "a map"))
		return;
	section_keys(node->key.s,
		strcmp(node->key.s, "schemas") == 0 ? schemas_others : NULL,
		keys);
	(void)snprintf(where, sizeof(where), "`%.40s`", node->key.s);
	for (const struct doc_node *c = node->first; c != NULL; c = c->next) {
		char path[96];
		const struct conf_option *row;
		int len;

		if (walk_find(walk, c, keys, where) < 0)
			continue;
		len = snprintf(path, sizeof(path), "%.40s.%.40s", node->key.s,
			c->key.s);
		row = options_find(path, (size_t)len);
		if (row != NULL)
			option_read(walk, row, c, opt);
	}
}

/* All that may stand at the root: options, sections, the other parts. */
static void
root_keys(const char *const *others, const char *keys[SECTION_KEYS_MAX],
	char names[SECTION_KEYS_MAX][24])
{
	size_t n = 0;

	section_keys("", others, keys);
	while (keys[n] != NULL)
		n++;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		size_t len = section_len(rows[i].path);

		if (len == 0 || len >= sizeof(names[0]) ||
			n + 1 >= SECTION_KEYS_MAX ||
			(i > 0 && section_len(rows[i - 1].path) == len &&
				memcmp(rows[i - 1].path, rows[i].path, len) ==
					0))
			continue;
		memcpy(names[n], rows[i].path, len);
		names[n][len] = '\0';
		keys[n] = names[n];
		n++;
	}
	keys[n] = NULL;
}

void
options_read(struct walk *walk, const struct doc_node *root,
	const char *const *others, struct conf_options *opt)
{
	char names[SECTION_KEYS_MAX][24];
	const char *keys[SECTION_KEYS_MAX];

	root_keys(others, keys, names);
	for (const struct doc_node *c = root->first; c != NULL; c = c->next) {
		const struct conf_option *row =
			options_find(c->key.s, c->key.len);

		if (row != NULL && section_len(row->path) == 0)
			option_read(walk, row, c, opt);
		else if (is_section(c->key.s, c->key.len))
			section_read(walk, c, opt);
		else
			(void)walk_find(walk, c, keys, "the file");
	}
}

/* --- what ranges cannot say --------------------------------------------- */

static void
check_redis(struct walk *walk, const struct conf_options *opt)
{
	static const char *const schemes[] = {"redis://", "rediss://",
		"unix://", "redis+sentinel://", "rediss+sentinel://"};
	bool is_known = false;

	for (size_t i = 0; i < SG_COUNTOF(schemes); i++)
		is_known = is_known || strncmp(opt->redis_url.s, schemes[i],
					       strlen(schemes[i])) == 0;
	if (!is_known)
		fault_at(walk, &opt->redis_url,
			"redis://[user:password@]host:port/db, rediss://, "
			"redis+sentinel://host:port/master or unix:///path",
			"not the URL of a Redis");
	if (opt->redis_prefix.len == 0 || opt->redis_prefix.len > 64 ||
		strpbrk(opt->redis_prefix.s, "{} \t\n*?[]\\") != NULL)
		fault_at(walk, &opt->redis_prefix,
			"1 to 64 bytes, none of { } * ? [ ] \\ or a space",
			"cannot be the first part of Redis keys");
}

/* librdkafka hands group metadata on in printable ASCII only, and refuses
 * anything else when the first transaction is committed. */
static void
check_id(struct walk *walk, const struct conf_text *id)
{
	bool is_fit = id->len <= ID_MAX;

	for (size_t i = 0; i < id->len; i++)
		is_fit = is_fit && id->s[i] > ' ' && id->s[i] < 0x7f;
	if (!is_fit)
		fault_at(walk, id,
			"at most 200 bytes of printable ASCII without a space",
			"cannot be part of the ids that Kafka knows us by");
}

static void
check_topics(struct walk *walk, const struct conf_options *opt)
{
	const struct conf_text *topics[] = {&opt->topic_changes,
		&opt->topic_current, &opt->topic_renewals, &opt->topic_rejects,
		&opt->topic_overrides};

	for (size_t i = 0; i < SG_COUNTOF(topics); i++) {
		/* Overrides may have none. */
		if (topics[i] == &opt->topic_overrides && topics[i]->len == 0)
			continue;
		if (!topic_check(walk, topics[i]))
			continue;
		for (size_t j = 0; j < i; j++) {
			if (strcmp(topics[i]->s, topics[j]->s) != 0)
				continue;
			/* Say it where the file says something. */
			fault_at(walk,
				topics[i]->line > 0 ? topics[i] : topics[j],
				"each is a topic of its own",
				"two of segmentd's topics are the same");
		}
	}
}

static void
check_listen(struct walk *walk, const struct conf_text *listen)
{
	const char *colon;
	int64_t port;

	if (listen->len == 0)
		return;
	colon = strrchr(listen->s, ':');
	if (colon != NULL && parse_int(colon + 1, strlen(colon + 1), &port) &&
		port >= 0 && port <= 65535)
		return;
	fault_at(walk, listen, "address:port, such as 127.0.0.1:9464",
		"not an address to listen on");
}

/* No zone has one of these in its name, no expression of ours lacks all. */
bool
conf_zone_is_expr(const struct conf_text *zone)
{
	return zone->s != NULL && strpbrk(zone->s, ".(?\"'") != NULL;
}

void
options_check(struct walk *walk, const struct conf_options *opt)
{
	if (opt->timezone.len == 0 ||
		(!conf_zone_is_expr(&opt->timezone) &&
			tz_open(opt->timezone.s, opt->timezone.len) == NULL))
		fault_at(walk, &opt->timezone,
			"such as Europe/Berlin, or a field: account.timezone",
			"not a time zone this system knows");
	if (opt->group.len == 0)
		fault_at(walk, &opt->group, NULL, "must not be empty");
	check_id(walk, &opt->group);
	check_id(walk, &opt->instance);
	check_redis(walk, opt);
	check_topics(walk, opt);
	check_listen(walk, &opt->http_listen);
}
