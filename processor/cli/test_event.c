/*
 * test_event.c - an event of a scenario, as Avro bytes.
 *
 *     - {event: orders, at: 2026-03-01T10:00:00Z, account: "7", amount: 3.5}
 *
 * `account` and `at` fill the fields that the input names as its key and time,
 * or the headers; what is no key of the step itself is a field, or stands under
 * `fields`. `headers` is a map of the record's headers, unless a field is
 * called that. From the fields JSON is made, by the types of the schema, since
 * a text of YAML does not tell whether 7 is a number; files/ makes Avro of it
 * by the rules it has for all files. The input of overrides is one of the
 * program's own:
 *
 *     - {event: overrides, at: TIME, account: "7", segmentation: touch,
 *        segment: high, author: ann, expires_at: TIME}
 */
#include <stdio.h>
#include <string.h>

#include "segmentd/civil.h"
#include "test_file.h"

#define JSON_BYTES_MAX (1 << 20)
#define DEPTH_MAX 32

#define HEADERS "headers"
#define HEADERS_PATH "@headers["

/* The last one may be a field. */
static const char *const event_keys[] = {"event", "at", "account", "fields",
	"arrives", "kafka", "refused", HEADERS, NULL};
static const char *const event_keys_only[] = {"event", "at", "account",
	"fields", "arrives", "kafka", "refused", NULL};

/* --- JSON --------------------------------------------------------------- */

static size_t
count_digits(const char *text)
{
	size_t n = 0;

	while (text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

static bool
is_json_number(const char *text)
{
	size_t n;

	text += *text == '-';
	n = count_digits(text);
	if (n == 0 || (n > 1 && text[0] == '0'))
		return false;
	text += n;
	if (*text == '.') {
		n = count_digits(text + 1);
		if (n == 0)
			return false;
		text += n + 1;
	}
	if (*text == 'e' || *text == 'E') {
		text += 1 + (text[1] == '-' || text[1] == '+');
		n = count_digits(text);
		if (n == 0)
			return false;
		text += n;
	}
	return *text == '\0';
}

static void
put_scalar(
	const struct doc_node *node, const struct type *type, struct buf *out)
{
	const char *text = node->text.s;
	bool is_dyn = type == NULL || type->kind == TYPE_DYN;
	bool is_number =
		is_dyn || type->kind == TYPE_INT || type->kind == TYPE_DOUBLE ||
		type->kind == TYPE_TIMESTAMP || type->kind == TYPE_DURATION;
	bool is_bool = is_dyn || type->kind == TYPE_BOOL;

	if (node->is_null)
		buf_put_str(out, "null");
	else if (is_number && is_json_number(text))
		buf_put_str(out, text);
	else if (is_bool &&
		 (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
		buf_put_str(out, text);
	else
		test_text_put(text, true, out);
}

static void
put_json(const struct doc_node *node, const struct type *type, int depth,
	struct buf *out)
{
	const char *comma = "";

	if (node->kind == DOC_TEXT || depth > DEPTH_MAX) {
		put_scalar(node, type, out);
		return;
	}
	buf_put_u8(out, node->kind == DOC_LIST ? '[' : '{');
	for (const struct doc_node *c = node->first; c != NULL; c = c->next) {
		const struct type *inner = type == NULL ? NULL : type->item;

		buf_put_str(out, comma);
		comma = ",";
		if (node->kind != DOC_LIST) {
			test_text_put(c->key.s, true, out);
			buf_put_u8(out, ':');
		}
		if (type != NULL && type->kind == TYPE_RECORD) {
			int at = type_field_index(type, c->key.s, c->key.len);

			inner = at < 0 ? NULL : type->fields[at].type;
		}
		put_json(c, inner, depth + 1, out);
	}
	buf_put_u8(out, node->kind == DOC_LIST ? ']' : '}');
}

/* --- fields ------------------------------------------------------------- */

#define NEAR_MAX 256 /* names looked at for a hint */

/* "did you mean `x`?", else the names. NULL ends them. */
static const char *
hint_of(char hint[TEST_HINT_MAX], const char *text, const char *const *names)
{
	char list[TEST_HINT_MAX] = "";
	size_t used = 0;

	for (size_t i = 0; names[i] != NULL && used + 1 < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
			"%s`%s`", i == 0 ? "there are " : ", ", names[i]);
	if (test_hint(hint, text, names, NULL) == NULL)
		(void)snprintf(hint, TEST_HINT_MAX, "%s", list);
	return hint;
}

static const char *
hint_field(char hint[TEST_HINT_MAX], const char *text, const struct type *type)
{
	const char *names[NEAR_MAX + 1];
	size_t n = 0;

	for (; n < type->nfields && n < NEAR_MAX; n++)
		names[n] = type->fields[n].name;
	names[n] = NULL;
	return hint_of(hint, text, names);
}

static bool
check_fields(struct test_file *file, const struct doc_node *map,
	const struct type *type, const char *input)
{
	bool is_ok = true;
	char hint[TEST_HINT_MAX];

	for (const struct doc_node *c = map->first; c != NULL; c = c->next) {
		int at = type_field_index(type, c->key.s, c->key.len);

		if (at >= 0 && c->kind == DOC_MAP &&
			type->fields[at].type->kind == TYPE_RECORD)
			is_ok = check_fields(file, c, type->fields[at].type,
					input) &&
				is_ok;
		if (at >= 0)
			continue;
		test_key_mistake(file, c, hint_field(hint, c->key.s, type),
			"input `%s` has no field `%.60s`", input, c->key.s);
		is_ok = false;
	}
	return is_ok;
}

static struct doc_node *
add_node(struct test_file *file, struct doc_node *map, const char *key,
	size_t len)
{
	struct doc_node *node = test_room(file, 1, sizeof(*node));
	struct doc_node **at = &map->first;

	if (node == NULL)
		return NULL;
	node->key.s = test_copy(file, key, len);
	node->key.len = len;
	while (*at != NULL)
		at = &(*at)->next;
	*at = node;
	map->n++;
	return node->key.s == NULL ? NULL : node;
}

/* The first name of a path, what is behind it, and its length; 0: an element
 * of a list, which nobody fills. */
static size_t
path_name(const char **path, const char **ret_rest)
{
	const char *at = *path;
	size_t len;

	if (*at == '[' && (at[1] == '"' || at[1] == '\'')) {
		const char *close = strchr(at + 2, at[1]);

		*path = at + 2;
		*ret_rest = close == NULL ? "" : close + 2;
		return close == NULL ? 0 : (size_t)(close - *path);
	}
	*path = at + (*at == '.');
	len = strcspn(*path, ".[");
	*ret_rest = *path + len;
	return len;
}

/* The field at a path (`meta.account`, `attribute["id"]`), unless the file
 * gives one. */
static bool
fill_path(struct test_file *file, struct doc_node *map, const char *path,
	const char *text)
{
	const char *rest;
	size_t len = path_name(&path, &rest);
	char *key = test_copy(file, path, len);
	struct doc_node *node;

	if (key == NULL || len == 0)
		return key != NULL;
	if (*rest == '\0' && doc_get(map, key) != NULL)
		return true;
	node = (struct doc_node *)doc_get(map, key);
	if (node == NULL)
		node = add_node(file, map, path, len);
	if (node == NULL)
		return false;
	if (*rest != '\0') {
		node->kind = DOC_MAP;
		return fill_path(file, node, rest, text);
	}
	node->kind = DOC_TEXT;
	node->text.s = text;
	node->text.len = strlen(text);
	return true;
}

/* Copies of the children, which may be added to. */
static bool
take_fields(struct test_file *file, struct doc_node *map,
	const struct doc_node *from, const char *const *without)
{
	for (const struct doc_node *c = from->first; c != NULL; c = c->next) {
		struct doc_node *node, *next;
		size_t i = 0;

		while (without != NULL && without[i] != NULL &&
			strcmp(without[i], c->key.s) != 0)
			i++;
		if (without != NULL && without[i] != NULL)
			continue;
		node = add_node(file, map, c->key.s, c->key.len);
		if (node == NULL)
			return false;
		next = node->next;
		*node = *c;
		node->next = next;
		if (c->kind != DOC_MAP)
			continue;
		node->first = NULL;
		node->n = 0;
		if (!take_fields(file, node, c, NULL))
			return false;
	}
	return true;
}

/* --- the step ----------------------------------------------------------- */

/* Where an input keeps its account and event time; NULL: in the record. */
struct place {
	const char *name;
	const char *key;
	const char *time;
};

static struct place
place_of(const struct conf *conf, uint32_t input)
{
	if (input == conf->ninputs)
		return (struct place){TEST_OVERRIDES, "account_id", "at"};
	return (struct place){conf->inputs[input].name.s,
		conf->inputs[input].key.s, conf->inputs[input].time.s};
}

static int32_t
find_input(struct test_file *file, const struct doc_node *node)
{
	const struct conf *conf = file->conf;
	const char *name = test_text(file, node);
	size_t n = conf->ninputs + (conf->opt.topic_overrides.len > 0);
	const char *names[NEAR_MAX + 1];
	char hint[TEST_HINT_MAX];

	if (name == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(place_of(conf, (uint32_t)i).name, name) == 0)
			return (int32_t)i;
	}
	n = n < NEAR_MAX ? n : NEAR_MAX;
	for (size_t i = 0; i < n; i++)
		names[i] = place_of(conf, (uint32_t)i).name;
	names[n] = NULL;
	test_mistake(file, node, hint_of(hint, name, names),
		"there is no input `%.60s`", name);
	return -1;
}

static bool
read_refusal(struct test_file *file, const struct doc_node *node,
	enum sg_err *ret_err)
{
	const char *name = test_text(file, node);

	if (name == NULL)
		return false;
	for (int i = 1; i < SG_ERR_COUNT; i++) {
		if (sg_err_class((enum sg_err)i) == SG_CLASS_SKIP &&
			strcmp(sg_err_name((enum sg_err)i), name) == 0) {
			*ret_err = (enum sg_err)i;
			return true;
		}
	}
	test_mistake(file, node,
		"such as bad_time, no_account, time_past, time_future",
		"`%.60s` is no reason to refuse a record", name);
	return false;
}

/* The times of a step: of the event, of its arrival, of Kafka. */
struct times {
	int64_t at_ms;
	char at_text[CIVIL_RFC3339_MAX];
	bool has_at;
};

static bool
read_times(struct test_file *file, const struct doc_node *node,
	int64_t *clock_ms, struct test_step *step, struct times *times)
{
	const struct doc_node *at = doc_get(node, "at");
	const struct doc_node *arrives = doc_get(node, "arrives");
	const struct doc_node *kafka = doc_get(node, "kafka");

	times->at_ms = *clock_ms;
	times->has_at = at != NULL || *clock_ms != INT64_MIN;
	if ((at != NULL && !test_time(file, at, &times->at_ms)) ||
		(arrives != NULL &&
			!test_time(file, arrives, &step->event.clock_ms)) ||
		(kafka != NULL &&
			!test_time(file, kafka, &step->event.kafka_ms)))
		return false;
	if (times->has_at)
		(void)civil_format_ms(
			times->at_ms, times->at_text, sizeof(times->at_text));
	if (arrives != NULL)
		*clock_ms = step->event.clock_ms;
	else if (times->has_at && times->at_ms > *clock_ms)
		*clock_ms = times->at_ms;
	return true;
}

/* A path that is filled: of a field, or of a header. */
static bool
fill(struct test_file *file, struct doc_node *map, struct doc_node *headers,
	const char *path, const char *text)
{
	if (strncmp(path, HEADERS_PATH, strlen(HEADERS_PATH)) == 0)
		return fill_path(
			file, headers, path + strlen("@headers"), text);
	return fill_path(file, map, path, text);
}

/* What `account` and `at` of the step stand for in the record. */
static bool
fill_fields(struct test_file *file, const struct doc_node *node,
	const struct times *times, struct doc_node *map,
	struct doc_node *headers, struct test_step *step)
{
	struct place place = place_of(file->conf, step->event.input);
	const struct doc_node *account = doc_get(node, "account");
	bool is_ok = true;

	if (account != NULL) {
		step->event.key = test_text(file, account);
		if (step->event.key == NULL)
			return false;
		if (place.key != NULL)
			is_ok = fill(
				file, map, headers, place.key, step->event.key);
	}
	if (!times->has_at) {
		if (place.time == NULL) {
			test_key_mistake(file, node->first, NULL,
				"an event without `at`");
			return false;
		}
		return is_ok;
	}
	if (place.time == NULL) {
		step->event.kafka_ms = times->at_ms;
		return is_ok;
	}
	if (strcmp(place.time, "@timestamp") == 0)
		step->event.kafka_ms = times->at_ms;
	else
		is_ok = is_ok && fill(file, map, headers, place.time,
					 test_copy(file, times->at_text,
						 strlen(times->at_text)));
	return is_ok;
}

/* An event time that is kept as a number of milliseconds. */
static void
number_time(struct test_file *file, const struct times *times,
	struct doc_node *map, uint32_t input)
{
	const struct type *type = program_input_type(file->program, input);
	const char *path = place_of(file->conf, input).time;
	struct doc_node *node;
	char text[32];
	int at;

	if (path == NULL || !times->has_at)
		return;
	at = type_field_index(type, path, strlen(path));
	node = (struct doc_node *)doc_get(map, path);
	if (at < 0 || node == NULL || type->fields[at].type->kind != TYPE_INT ||
		node->text.line != 0)
		return;
	(void)snprintf(text, sizeof(text), "%lld", (long long)times->at_ms);
	node->text.s = test_copy(file, text, strlen(text));
	node->text.len = strlen(text);
}

/* The headers of the step as those of a record. */
static bool
set_headers(struct test_file *file, const struct doc_node *headers,
	struct test_step *step)
{
	struct record_header *made =
		test_room(file, headers->n + 1, sizeof(*made));
	size_t n = 0;

	if (made == NULL)
		return false;
	for (const struct doc_node *c = headers->first; c != NULL;
		c = c->next) {
		const char *text = test_text(file, c);

		if (text == NULL)
			return false;
		made[n++] = (struct record_header){
			.name = c->key.s, .value = text, .len = strlen(text)};
	}
	step->event.headers = made;
	step->event.nheaders = n;
	return true;
}

/* What the step says about the record, in two maps: fields and headers. */
static bool
take_record(struct test_file *file, const struct doc_node *node,
	const struct type *type, struct doc_node *map, struct doc_node *headers)
{
	bool has_headers = type_field_index(type, HEADERS, strlen(HEADERS)) < 0;
	const struct doc_node *given =
		has_headers ? doc_get(node, HEADERS) : NULL;
	const struct doc_node *fields = doc_get(node, "fields");

	map->kind = DOC_MAP;
	headers->kind = DOC_MAP;
	if (fields != NULL && fields->kind != DOC_MAP) {
		test_key_mistake(
			file, fields, NULL, "`fields` must be a map of fields");
		return false;
	}
	if (given != NULL && given->kind != DOC_MAP) {
		test_key_mistake(file, given, NULL,
			"`headers` must be a map of headers");
		return false;
	}
	return take_fields(file, map, node,
		       has_headers ? event_keys : event_keys_only) &&
	       (fields == NULL || take_fields(file, map, fields, NULL)) &&
	       (given == NULL || take_fields(file, headers, given, NULL));
}

/* The node of the field that a fault names first: field 'a.b' */
static const struct doc_node *
faulty_field(const struct doc_node *node, const char *why)
{
	const struct doc_node *fields = doc_get(node, "fields");
	const char *name = strstr(why, "field '");
	const struct doc_node *maps[2] = {fields, node};
	size_t len;

	if (name == NULL)
		return NULL;
	name += strlen("field '");
	len = strcspn(name, ".['");
	for (size_t i = 0; i < SG_COUNTOF(maps); i++) {
		const struct doc_node *c =
			maps[i] == NULL ? NULL : maps[i]->first;

		for (; c != NULL; c = c->next) {
			if (c->key.len == len &&
				memcmp(c->key.s, name, len) == 0)
				return c;
		}
	}
	return NULL;
}

static void
note_fault(struct test_file *file, const struct doc_node *node, enum sg_err err,
	const struct sg_fault *why)
{
	const char *text = why->text[0] == '\0' ? sg_err_text(err) : why->text;
	const struct doc_node *field = faulty_field(node, text);

	if (field != NULL)
		test_mistake(file, field, NULL, "%s", text);
	else
		test_key_mistake(file, node->first, NULL, "%s", text);
}

static bool
encode(struct test_file *file, const struct doc_node *node,
	const struct doc_node *map, struct test_step *step)
{
	const struct type *type =
		program_input_type(file->program, step->event.input);
	struct sg_fault why = {.err = SG_OK};
	struct buf json, avro;
	enum sg_err err;

	buf_init(&json, JSON_BYTES_MAX);
	buf_init(&avro, JSON_BYTES_MAX);
	put_json(map, type, 0, &json);
	err = json.is_failed ? SG_TOO_LARGE
			     : program_encode(file->program, step->event.input,
				       buf_cstr(&json), json.len, &avro, &why);
	if (err == SG_OK) {
		step->event.bytes =
			test_copy(file, (const char *)avro.bytes, avro.len);
		step->event.len = avro.len;
	} else {
		note_fault(file, node, err, &why);
	}
	buf_fini(&json);
	buf_fini(&avro);
	return err == SG_OK && step->event.bytes != NULL;
}

bool
test_event(struct test_file *file, const struct doc_node *node,
	int64_t *clock_ms, struct test_step *step)
{
	const struct doc_node *refused = doc_get(node, "refused");
	int32_t input = find_input(file, doc_get(node, "event"));
	struct doc_node *map = test_room(file, 1, sizeof(*map));
	struct doc_node *headers = test_room(file, 1, sizeof(*headers));
	const struct type *type;
	struct times times;

	if (input < 0 || map == NULL || headers == NULL)
		return false;
	type = program_input_type(file->program, (uint32_t)input);
	step->event = (struct replay_event){.input = (uint32_t)input,
		.kafka_ms = -1,
		.clock_ms = INT64_MIN};
	if (refused != NULL && !read_refusal(file, refused, &step->refusal))
		return false;
	if (!read_times(file, node, clock_ms, step, &times) ||
		!take_record(file, node, type, map, headers) ||
		!fill_fields(file, node, &times, map, headers, step) ||
		!set_headers(file, headers, step) ||
		!check_fields(file, map, type,
			place_of(file->conf, (uint32_t)input).name))
		return false;
	number_time(file, &times, map, (uint32_t)input);
	return encode(file, node, map, step);
}
