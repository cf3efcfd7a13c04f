/*
 * test_schema.c - inputs of a scenario that stands for itself.
 *
 * A scenario may leave out what it is not about: the topic (the input's name),
 * and the schema's file. Its schema is a map of fields, `account` and `at`
 * are there without being written, and are the key and the event time where no
 * others are named:
 *
 *     inputs:
 *       orders:
 *         schema: {amount: double, note: string?, sizes: [long]}
 *         features: {n_3d: {count: 3d}}
 *
 *     boolean int long float double bytes string   as in Avro
 *     timestamp, timestamp-micros, date, time, uuid  logical types
 *     decimal(12,2)  enum(a,b)  array(T)  map(T)
 *     T?             or null, which is the default
 *     [T]            array(T);  {a: T, b: T}  a record
 *
 * The configuration proper knows nothing of this: the tree it reads is a copy
 * with these parts put in or taken out, and the schema goes to the program as
 * the Avro text it stands for.
 */
#include <ctype.h>
#include <string.h>

#include "test_file.h"

#define DEPTH_MAX 16
#define SCHEMA_BYTES_MAX (1 << 20)

struct writer {
	struct test_file *file;
	const struct doc_node *node; /* the field, for mistakes */
	struct buf *out;
	const char *record; /* name that nested types begin with */
	unsigned number;    /* of the next nested type */
	bool is_bad;
};

static void
bad_type(struct writer *wr, const char *what)
{
	if (!wr->is_bad)
		test_mistake(wr->file, wr->node,
			"such as string, long, double?, timestamp, "
			"decimal(12,2), enum(a,b), [string]",
			"%s", what);
	wr->is_bad = true;
}

/* --- a type as text ----------------------------------------------------- */

static const struct {
	const char *name;
	const char *json;
} plain_types[] = {
	{"boolean", "\"boolean\""},
	{"int", "\"int\""},
	{"long", "\"long\""},
	{"float", "\"float\""},
	{"double", "\"double\""},
	{"bytes", "\"bytes\""},
	{"string", "\"string\""},
	{"timestamp", "{\"type\":\"long\",\"logicalType\":"
		      "\"timestamp-millis\"}"},
	{"timestamp-micros", "{\"type\":\"long\",\"logicalType\":"
			     "\"timestamp-micros\"}"},
	{"date", "{\"type\":\"int\",\"logicalType\":\"date\"}"},
	{"time", "{\"type\":\"int\",\"logicalType\":\"time-millis\"}"},
	{"uuid", "{\"type\":\"string\",\"logicalType\":\"uuid\"}"},
};

static bool
is_name(const char *text, size_t len)
{
	if (len == 0 || isdigit((unsigned char)text[0]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '_')
			return false;
	}
	return true;
}

/* "12,2" */
static void
put_decimal(struct writer *wr, const char *text, size_t len)
{
	unsigned n[2] = {0, 0};
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == ',' && at == 0)
			at = 1;
		else if (text[i] >= '0' && text[i] <= '9' && n[at] < 1000)
			n[at] = n[at] * 10 + (unsigned)(text[i] - '0');
		else if (text[i] != ' ')
			at = 2;
		if (at == 2)
			break;
	}
	if (at == 2 || n[0] == 0)
		bad_type(wr, "a decimal is decimal(PRECISION,SCALE)");
	buf_printf(wr->out,
		"{\"type\":\"bytes\",\"logicalType\":\"decimal\","
		"\"precision\":%u,\"scale\":%u}",
		n[0], n[1]);
}

/* "a,b" */
static void
put_enum(struct writer *wr, const char *text, size_t len)
{
	const char *end = text + len;

	buf_printf(wr->out,
		"{\"type\":\"enum\",\"name\":\"%s_%u\",\"symbols\":[",
		wr->record, wr->number++);
	for (const char *at = text; at <= end;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma == NULL ? end : comma;

		while (at < stop && *at == ' ')
			at++;
		if (!is_name(at, (size_t)(stop - at))) {
			bad_type(wr, "an enum is enum(NAME,NAME)");
			return;
		}
		buf_put_u8(wr->out, '"');
		buf_put(wr->out, at, (size_t)(stop - at));
		buf_put_str(wr->out, comma == NULL ? "\"" : "\",");
		at = stop + 1;
	}
	buf_put_str(wr->out, "]}");
}

static void
put_type(struct writer *wr, const char *text, size_t len, int depth);

static bool
put_call(struct writer *wr, const char *text, size_t len, int depth)
{
	const char *open = memchr(text, '(', len);
	size_t name = open == NULL ? 0 : (size_t)(open - text);
	const char *inner = text + name + 1;

	if (open == NULL || text[len - 1] != ')')
		return false;
	len -= name + 2;
	if (name == 7 && memcmp(text, "decimal", 7) == 0) {
		put_decimal(wr, inner, len);
	} else if (name == 4 && memcmp(text, "enum", 4) == 0) {
		put_enum(wr, inner, len);
	} else if (name == 5 && memcmp(text, "array", 5) == 0) {
		buf_put_str(wr->out, "{\"type\":\"array\",\"items\":");
		put_type(wr, inner, len, depth + 1);
		buf_put_u8(wr->out, '}');
	} else if (name == 3 && memcmp(text, "map", 3) == 0) {
		buf_put_str(wr->out, "{\"type\":\"map\",\"values\":");
		put_type(wr, inner, len, depth + 1);
		buf_put_u8(wr->out, '}');
	} else {
		return false;
	}
	return true;
}

static void
put_type(struct writer *wr, const char *text, size_t len, int depth)
{
	if (len > 1 && text[len - 1] == '?' && depth < DEPTH_MAX) {
		buf_put_str(wr->out, "[\"null\",");
		put_type(wr, text, len - 1, DEPTH_MAX);
		buf_put_u8(wr->out, ']');
		return;
	}
	for (size_t i = 0; i < SG_COUNTOF(plain_types); i++) {
		if (strlen(plain_types[i].name) == len &&
			memcmp(plain_types[i].name, text, len) == 0) {
			buf_put_str(wr->out, plain_types[i].json);
			return;
		}
	}
	if (len == 0 || depth > DEPTH_MAX || !put_call(wr, text, len, depth))
		bad_type(wr, "not a type");
}

/* --- a type as a tree --------------------------------------------------- */

static void
put_record(struct writer *wr, const struct doc_node *map, int depth);

static void
put_node(struct writer *wr, const struct doc_node *node, int depth)
{
	const struct doc_node *outer = wr->node;

	wr->node = node;
	if (depth > DEPTH_MAX) {
		bad_type(wr, "nested too deep");
	} else if (node->kind == DOC_MAP) {
		put_record(wr, node, depth);
	} else if (node->kind == DOC_LIST && node->n == 1) {
		buf_put_str(wr->out, "{\"type\":\"array\",\"items\":");
		put_node(wr, node->first, depth + 1);
		buf_put_u8(wr->out, '}');
	} else if (node->kind == DOC_TEXT && !node->is_null) {
		put_type(wr, node->text.s, node->text.len, 0);
	} else {
		bad_type(wr, "not a type");
	}
	wr->node = outer;
}

static void
put_field(struct writer *wr, const struct doc_node *node, int depth)
{
	bool is_nullable = node->kind == DOC_TEXT && node->text.len > 0 &&
			   node->text.s[node->text.len - 1] == '?';

	if (!is_name(node->key.s, node->key.len)) {
		test_key_mistake(wr->file, node, NULL,
			"`%.60s` cannot be the name of a field", node->key.s);
		wr->is_bad = true;
		return;
	}
	buf_printf(wr->out, "{\"name\":\"%s\",\"type\":", node->key.s);
	put_node(wr, node, depth + 1);
	buf_put_str(wr->out, is_nullable ? ",\"default\":null}" : "}");
}

/* Between the fields of a record. */
static void
put_comma(struct writer *wr)
{
	if (wr->out->len > 0 && wr->out->bytes[wr->out->len - 1] != '[')
		buf_put_u8(wr->out, ',');
}

static void
put_fields(struct writer *wr, const struct doc_node *map, int depth)
{
	for (const struct doc_node *c = map->first; c != NULL; c = c->next) {
		put_comma(wr);
		put_field(wr, c, depth);
	}
}

static void
put_record(struct writer *wr, const struct doc_node *map, int depth)
{
	buf_printf(wr->out,
		"{\"type\":\"record\",\"name\":\"%s_%u\",\"fields\":[",
		wr->record, wr->number++);
	put_fields(wr, map, depth);
	buf_put_str(wr->out, "]}");
}

/* The schema of an input; NULL when it is wrong. */
static const char *
schema_text(struct test_file *file, const struct doc_node *input,
	const struct doc_node *schema, bool has_key, bool has_time)
{
	struct writer wr = {.file = file, .node = schema};
	char *text = NULL;
	struct buf out;

	buf_init(&out, SCHEMA_BYTES_MAX);
	wr.out = &out;
	wr.record = input->key.s;
	buf_printf(&out, "{\"type\":\"record\",\"name\":\"%s\",\"fields\":[",
		wr.record);
	if (!has_key && (schema == NULL || doc_get(schema, "account") == NULL))
		buf_put_str(&out, "{\"name\":\"account\",\"type\":\"string\"}");
	if (!has_time && (schema == NULL || doc_get(schema, "at") == NULL)) {
		put_comma(&wr);
		buf_put_str(&out, "{\"name\":\"at\",\"type\":");
		put_type(&wr, "timestamp", strlen("timestamp"), 0);
		buf_put_u8(&out, '}');
	}
	if (schema != NULL)
		put_fields(&wr, schema, 0);
	buf_put_str(&out, "]}");
	if (out.is_failed)
		file->err = SG_NOMEM;
	else if (!wr.is_bad)
		text = test_copy(file, buf_cstr(&out), out.len);
	buf_fini(&out);
	return text;
}

/* --- the tree ----------------------------------------------------------- */

static struct doc_node *
new_text(struct test_file *file, const char *key, const char *text)
{
	struct doc_node *node = test_room(file, 1, sizeof(*node));

	if (node == NULL)
		return NULL;
	node->kind = DOC_TEXT;
	node->key.s = key;
	node->key.len = strlen(key);
	node->text.s = text;
	node->text.len = strlen(text);
	return node;
}

/* A copy of a map whose children may be taken out, replaced and added. */
static struct doc_node *
copy_map(
	struct test_file *file, const struct doc_node *map, const char *without)
{
	struct doc_node *copy = test_room(file, 1, sizeof(*copy));
	struct doc_node **at;

	if (copy == NULL)
		return NULL;
	*copy = *map;
	copy->n = 0;
	at = &copy->first;
	for (const struct doc_node *c = map->first; c != NULL; c = c->next) {
		struct doc_node *child;

		if (without != NULL && strcmp(c->key.s, without) == 0)
			continue;
		child = test_room(file, 1, sizeof(*child));
		if (child == NULL)
			return NULL;
		*child = *c;
		*at = child;
		at = &child->next;
		copy->n++;
	}
	*at = NULL;
	return copy;
}

static void
add_child(struct doc_node *map, struct doc_node *child)
{
	struct doc_node **at = &map->first;

	if (child == NULL)
		return;
	while (*at != NULL)
		at = &(*at)->next;
	*at = child;
	map->n++;
}

/* One input, complete; its schema's text, if it is given in place. */
static struct doc_node *
complete_input(struct test_file *file, const struct doc_node *input,
	const char **ret_schema)
{
	const struct doc_node *schema = doc_get(input, "schema");
	bool is_inline = schema == NULL || schema->kind == DOC_MAP;
	bool has_key = doc_get(input, "key") != NULL;
	bool has_time = doc_get(input, "time") != NULL;
	struct doc_node *copy =
		copy_map(file, input, is_inline ? "schema" : NULL);

	*ret_schema = NULL;
	if (copy == NULL)
		return NULL;
	if (doc_get(input, "topic") == NULL)
		add_child(copy, new_text(file, "topic", input->key.s));
	if (!is_inline)
		return copy;
	*ret_schema = schema_text(file, input, schema, has_key, has_time);
	if (!has_key)
		add_child(copy, new_text(file, "key", "account"));
	if (!has_time)
		add_child(copy, new_text(file, "time", "at"));
	return *ret_schema == NULL ? NULL : copy;
}

const struct doc_node *
test_inputs(struct test_file *file, const struct doc_node *root,
	const char *const **ret_schemas)
{
	struct doc_node *copy = copy_map(file, root, NULL);
	const char **schemas;
	struct doc_node *inputs, *mine;
	size_t n = 0;

	if (copy == NULL)
		return NULL;
	inputs = copy->first;
	while (inputs != NULL && strcmp(inputs->key.s, "inputs") != 0)
		inputs = inputs->next;
	if (inputs == NULL || inputs->kind != DOC_MAP)
		return copy; /* conf/ will say so */
	mine = copy_map(file, inputs, NULL);
	schemas = test_room(file, inputs->n, sizeof(*schemas));
	if (mine == NULL || schemas == NULL)
		return NULL;
	*inputs = *mine;
	for (struct doc_node **at = &inputs->first; *at != NULL;
		at = &(*at)->next) {
		struct doc_node *next = (*at)->next;
		struct doc_node *input = *at;

		if (input->kind == DOC_MAP)
			input = complete_input(file, input, &schemas[n]);
		if (input == NULL)
			return NULL;
		input->next = next;
		*at = input;
		n++;
	}
	*ret_schemas = schemas;
	return copy;
}
