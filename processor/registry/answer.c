/*
 * answer.c - a registry's JSON, read with suspicion.
 *
 * References: Avro has no way to name a schema in another file, so a registry
 * lists them beside the text: name N is version V of subject S. Avro's own rule
 * is that a name is defined where it is first met, depth first; so that is
 * where the definition is put, and every later use of the name finds it.
 */
#include "answer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64
#define NAME_BYTES_MAX 1024

static json_t *
load(const char *bytes, size_t len)
{
	return json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
}

/* One line, no control characters, whatever the server sent. */
static void
copy_line(const char *text, char *ret_line, size_t cap)
{
	size_t n = 0;

	for (; text != NULL && *text != '\0' && n + 1 < cap; text++)
		ret_line[n++] = (unsigned char)*text < ' ' || *text == 0x7f
					? ' '
					: *text;
	ret_line[n] = '\0';
}

/* --- a schema ------------------------------------------------------------- */

void
answer_schema_fini(struct answer_schema *schema)
{
	for (size_t i = 0; i < schema->nreferences; i++) {
		free(schema->references[i].name);
		free(schema->references[i].subject);
	}
	free(schema->references);
	free(schema->text);
	free(schema->kind);
	*schema = (struct answer_schema){.text = NULL};
}

static enum sg_err
read_reference(const json_t *item, struct answer_reference *ret_reference,
	struct sg_fault *why)
{
	const char *name = json_string_value(json_object_get(item, "name"));
	const char *subject =
		json_string_value(json_object_get(item, "subject"));
	const json_t *version = json_object_get(item, "version");

	if (name == NULL || subject == NULL || name[0] == '\0' ||
		subject[0] == '\0' || strlen(name) > NAME_BYTES_MAX ||
		strlen(subject) > NAME_BYTES_MAX || !json_is_integer(version) ||
		json_integer_value(version) < 1 ||
		json_integer_value(version) > INT32_MAX)
		return sg_fault_set(why, SG_BAD_RECORD,
			"a reference without name, subject and version");
	ret_reference->name = strdup(name);
	ret_reference->subject = strdup(subject);
	ret_reference->version = (int32_t)json_integer_value(version);
	return ret_reference->name == NULL || ret_reference->subject == NULL
		       ? SG_NOMEM
		       : SG_OK;
}

static enum sg_err
read_references(
	const json_t *list, struct answer_schema *schema, struct sg_fault *why)
{
	size_t n = json_array_size(list);
	enum sg_err err = SG_OK;

	if (list == NULL || json_is_null(list) || n == 0)
		return SG_OK;
	if (n > ANSWER_REFERENCES_MAX)
		return sg_fault_set(why, SG_BAD_RECORD,
			"more than %d references", ANSWER_REFERENCES_MAX);
	schema->references = calloc(n, sizeof(*schema->references));
	if (schema->references == NULL)
		return SG_NOMEM;
	schema->nreferences = n;
	for (size_t i = 0; i < n && err == SG_OK; i++)
		err = read_reference(
			json_array_get(list, i), &schema->references[i], why);
	return err;
}

enum sg_err
answer_schema_read(const char *bytes, size_t len,
	struct answer_schema *ret_schema, struct sg_fault *why)
{
	struct answer_schema schema = {.text = NULL};
	json_t *root = load(bytes, len);
	const char *text = json_string_value(json_object_get(root, "schema"));
	const json_t *kind = json_object_get(root, "schemaType");
	enum sg_err err;

	if (text == NULL) {
		err = sg_fault_set(why, SG_BAD_RECORD,
			"the answer is not JSON with a `schema`");
		goto out;
	}
	schema.text = strdup(text);
	schema.kind =
		strdup(json_is_string(kind) ? json_string_value(kind) : "AVRO");
	err = schema.text == NULL || schema.kind == NULL ? SG_NOMEM : SG_OK;
	if (err == SG_OK)
		err = read_references(
			json_object_get(root, "references"), &schema, why);
out:
	json_decref(root);
	if (err == SG_OK)
		*ret_schema = schema;
	else
		answer_schema_fini(&schema);
	return err;
}

/* --- small answers -------------------------------------------------------- */

int32_t
answer_error(const char *bytes, size_t len, char *ret_message, size_t cap)
{
	json_t *root = load(bytes, len);
	json_int_t code =
		json_integer_value(json_object_get(root, "error_code"));

	copy_line(json_string_value(json_object_get(root, "message")),
		ret_message, cap);
	json_decref(root);
	return code > 0 && code <= INT32_MAX ? (int32_t)code : 0;
}

bool
answer_id(const char *bytes, size_t len, int32_t *ret_id)
{
	json_t *root = load(bytes, len);
	const json_t *id = json_object_get(root, "id");
	bool is_found = json_is_integer(id) && json_integer_value(id) >= 0 &&
			json_integer_value(id) <= INT32_MAX;

	if (is_found)
		*ret_id = (int32_t)json_integer_value(id);
	json_decref(root);
	return is_found;
}

bool
answer_is_compatible(const char *bytes, size_t len, bool *ret_is,
	char *ret_message, size_t cap)
{
	json_t *root = load(bytes, len);
	const json_t *is = json_object_get(root, "is_compatible");
	bool is_found = json_is_boolean(is);

	if (is_found) {
		*ret_is = json_is_true(is);
		copy_line(json_string_value(json_array_get(
				  json_object_get(root, "messages"), 0)),
			ret_message, cap);
	}
	json_decref(root);
	return is_found;
}

char *
answer_request(const char *schema)
{
	json_t *root = json_pack("{s:s}", "schema", schema);
	char *body = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);

	json_decref(root);
	return body;
}

/* --- references ----------------------------------------------------------- */

struct resolving {
	const char *name; /* full */
	const json_t *definition;
	bool is_done;
};

/* Is `used`, met inside `space`, the full name we look for? */
static bool
is_name(const struct resolving *r, const char *space, const char *used)
{
	char full[2 * NAME_BYTES_MAX];

	if (strcmp(used, r->name) == 0)
		return true;
	if (strchr(used, '.') != NULL || space[0] == '\0')
		return false;
	(void)snprintf(full, sizeof(full), "%s.%s", space, used);
	return strcmp(full, r->name) == 0;
}

/* The namespace inside a named type. */
static void
space_within(const json_t *type, const char *outer, char *ret_space, size_t cap)
{
	const char *name = json_string_value(json_object_get(type, "name"));
	const char *space =
		json_string_value(json_object_get(type, "namespace"));
	const char *dot = name == NULL ? NULL : strrchr(name, '.');

	if (dot != NULL)
		(void)snprintf(ret_space, cap, "%.*s", (int)(dot - name), name);
	else
		(void)snprintf(
			ret_space, cap, "%s", space != NULL ? space : outer);
}

/* A definition without a namespace must not get that of its new place. */
static json_t *
transplant(const struct resolving *r)
{
	json_t *copy = json_deep_copy(r->definition);
	const char *name = json_string_value(json_object_get(copy, "name"));

	if (json_is_object(copy) && name != NULL && strchr(name, '.') == NULL &&
		json_object_get(copy, "namespace") == NULL)
		(void)json_object_set_new(copy, "namespace", json_string(""));
	return copy;
}

/* What is to stand in the place of `type`; NULL: it stays. Owner: the caller.
 */
static json_t *
resolve_type(
	struct resolving *r, json_t *type, const char *space, uint32_t depth);

static void
resolve_member(struct resolving *r, json_t *object, const char *key,
	const char *space, uint32_t depth)
{
	json_t *member = json_object_get(object, key);
	json_t *fresh = member == NULL
				? NULL
				: resolve_type(r, member, space, depth + 1);

	if (fresh != NULL)
		(void)json_object_set_new(object, key, fresh);
}

static void
resolve_object(
	struct resolving *r, json_t *object, const char *outer, uint32_t depth)
{
	char space[NAME_BYTES_MAX];
	json_t *fields = json_object_get(object, "fields");

	space_within(object, outer, space, sizeof(space));
	for (size_t i = 0; i < json_array_size(fields); i++) {
		json_t *field = json_array_get(fields, i);

		if (json_is_object(field))
			resolve_member(r, field, "type", space, depth);
	}
	resolve_member(r, object, "items", space, depth);
	resolve_member(r, object, "values", space, depth);
	/* {"type": {"type": ...}} and {"type": "name of ours"} */
	if (fields == NULL)
		resolve_member(r, object, "type", space, depth);
}

static json_t *
resolve_type(
	struct resolving *r, json_t *type, const char *space, uint32_t depth)
{
	if (r->is_done || depth > DEPTH_MAX)
		return NULL;
	if (json_is_string(type) &&
		is_name(r, space, json_string_value(type))) {
		r->is_done = true;
		return transplant(r);
	}
	for (size_t i = 0; json_is_array(type) && i < json_array_size(type);
		i++) {
		json_t *fresh = resolve_type(
			r, json_array_get(type, i), space, depth + 1);

		if (fresh != NULL)
			(void)json_array_set_new(type, i, fresh);
	}
	if (json_is_object(type))
		resolve_object(r, type, space, depth);
	return NULL;
}

enum sg_err
answer_resolve(const char *text, const char *name, const char *definition,
	char **ret_text, struct sg_fault *why)
{
	json_t *schema = json_loads(text, JSON_DECODE_ANY, NULL);
	json_t *part = json_loads(definition, JSON_DECODE_ANY, NULL);
	struct resolving r = {name, part, false};
	json_t *fresh;
	char *resolved = NULL;
	enum sg_err err = SG_OK;

	if (schema == NULL || part == NULL) {
		err = sg_fault_set(
			why, SG_BAD_RECORD, "a schema that is not JSON");
		goto out;
	}
	fresh = resolve_type(&r, schema, "", 0);
	if (fresh != NULL) {
		json_decref(schema);
		schema = fresh;
	}
	resolved = json_dumps(schema, JSON_COMPACT | JSON_ENCODE_ANY);
	if (resolved == NULL)
		err = sg_fault_set(why, SG_NOMEM, "no memory for a schema");
	else if (strlen(resolved) > ANSWER_BYTES_MAX) {
		free(resolved);
		err = sg_fault_set(
			why, SG_BAD_RECORD, "its references make it too large");
	} else {
		*ret_text = resolved;
	}
out:
	json_decref(schema);
	json_decref(part);
	return err;
}
