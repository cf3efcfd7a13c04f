/*
 * encode.c - a JSON value, or the cells of a row, to bare Avro bytes.
 *
 * A union takes the first branch that fits the value by its own kind (an
 * integer is a long before it is a double), then the first that fits at all.
 * A branch that does not fit is undone by cutting the buffer back, so a value
 * can be tried many times; ENCODE_WORK_MAX bounds that for a row.
 */
#include "encode.h"

#include <string.h>

#include "segmentd/files.h"

void
encode_init(struct encode *e, struct buf *out)
{
	*e = (struct encode){.out = out, .left = ENCODE_WORK_MAX};
}

bool
encode_fail(struct encode *e, enum sg_err err, const char *why)
{
	/* Where the work or the depth has run out, that is the reason. */
	if (e->err != SG_TOO_LARGE) {
		e->err = err;
		e->why = why;
		e->field = NULL;
	}
	return false;
}

static bool
bad(struct encode *e, const char *why)
{
	return encode_fail(e, SG_BAD_RECORD, why);
}

enum sg_err
encode_fault(const struct encode *e, const char *place, struct sg_fault *why)
{
	if (e->field == NULL)
		return sg_fault_set(why, e->err, "%s%s", place, e->why);
	return sg_fault_set(
		why, e->err, "%sfield '%s': %s", place, e->field, e->why);
}

/* --- fields --------------------------------------------------------------- */

static int
null_branch(const struct schema *schema)
{
	for (size_t i = 0; i < schema->nbranches; i++)
		if (schema->branches[i]->kind == SCHEMA_NULL)
			return (int)i;
	return -1;
}

static bool
can_null(const struct schema *schema)
{
	return schema->kind == SCHEMA_NULL || null_branch(schema) >= 0;
}

static void
put_null(struct encode *e, const struct schema *schema)
{
	if (schema->kind == SCHEMA_UNION)
		buf_put_zigzag(e->out, null_branch(schema));
}

bool
encode_can_miss(const struct schema_field *field)
{
	return field->def != NULL || can_null(field->schema);
}

bool
encode_missing(struct encode *e, const struct schema_field *field)
{
	if (field->def != NULL)
		buf_put(e->out, field->def, field->def_len);
	else if (can_null(field->schema))
		put_null(e, field->schema);
	else
		return bad(e, "it is missing, and has no default");
	return true;
}

/* The value of a field by its name or an alias; NULL: not there. */
static const json_t *
field_value(const json_t *json, const struct schema_field *field)
{
	const json_t *value = json_object_get(json, field->name);

	for (size_t i = 0; value == NULL && i < field->naliases; i++)
		value = json_object_get(json, field->aliases[i]);
	return value;
}

static bool
encode_field(
	struct encode *e, const struct schema_field *field, const json_t *json)
{
	const json_t *value = field_value(json, field);
	bool fits;

	if (value == NULL || (json_is_null(value) && !can_null(field->schema) &&
				     field->def != NULL))
		fits = encode_missing(e, field);
	else
		fits = encode_json(e, field->schema, value);
	if (!fits && e->field == NULL)
		e->field = field->name;
	return fits;
}

/* --- containers ----------------------------------------------------------- */

static bool
encode_record(struct encode *e, const struct schema *schema, const json_t *json)
{
	if (!json_is_object(json))
		return bad(e, "an object was expected");
	for (size_t i = 0; i < schema->nfields; i++)
		if (!encode_field(e, &schema->fields[i], json))
			return false;
	return true;
}

static bool
encode_array(struct encode *e, const struct schema *schema, const json_t *json)
{
	size_t n = json_array_size(json);

	if (!json_is_array(json))
		return bad(e, "a list was expected");
	if (n > 0)
		buf_put_zigzag(e->out, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		if (!encode_json(e, schema->item, json_array_get(json, i)))
			return false;
	buf_put_zigzag(e->out, 0);
	return true;
}

static bool
encode_map(struct encode *e, const struct schema *schema, const json_t *json)
{
	size_t n = json_object_size(json);
	const char *key;
	json_t *value;

	if (!json_is_object(json))
		return bad(e, "an object was expected");
	if (n > 0)
		buf_put_zigzag(e->out, (int64_t)n);
	/* The macro wants a plain pointer; nothing is changed. */
	json_object_foreach((json_t *)json, key, value)
	{
		buf_put_zigzag(e->out, (int64_t)strlen(key));
		buf_put_str(e->out, key);
		if (!encode_json(e, schema->item, value))
			return false;
	}
	buf_put_zigzag(e->out, 0);
	return true;
}

/* --- unions --------------------------------------------------------------- */

static bool
branch_is_called(const struct schema *branch, const char *name)
{
	if (branch->name == NULL)
		return strcmp(schema_kind_name(branch->kind), name) == 0;
	return strcmp(branch->name, name) == 0 ||
	       strcmp(schema_short_name(branch->name), name) == 0;
}

/* {"string": "x"}: the branch that is named, and its value. */
static int
named_branch(
	const struct schema *schema, const json_t *json, const json_t **ret)
{
	void *iter;
	const char *key;

	if (json_object_size(json) != 1)
		return -1;
	iter = json_object_iter((json_t *)json);
	key = json_object_iter_key(iter);
	*ret = json_object_iter_value(iter);
	for (size_t i = 0; i < schema->nbranches; i++)
		if (branch_is_called(schema->branches[i], key))
			return (int)i;
	return -1;
}

static bool
try_branch(struct encode *e, const struct schema *schema, size_t i,
	const json_t *json)
{
	size_t start = e->out->len;

	buf_put_zigzag(e->out, (int64_t)i);
	if (encode_json(e, schema->branches[i], json))
		return true;
	e->out->len = start;
	return false;
}

static bool
encode_union(struct encode *e, const struct schema *schema, const json_t *json)
{
	const json_t *inner = NULL;
	int named = named_branch(schema, json, &inner);
	bool was_strict = e->is_strict;
	size_t only = 0, nothers = 0;

	if (named >= 0 && try_branch(e, schema, (size_t)named, inner))
		return true;
	for (size_t i = 0; i < schema->nbranches; i++)
		if ((schema->branches[i]->kind == SCHEMA_NULL) ==
			json_is_null(json)) {
			only = i;
			nothers++;
		}
	if (nothers == 1) /* no choice, so its reason is the reason */
		return try_branch(e, schema, only, json);
	for (int pass = was_strict ? 1 : 0; pass < 2; pass++) {
		e->is_strict = was_strict || pass == 0;
		for (size_t i = 0; i < schema->nbranches; i++)
			if (try_branch(e, schema, i, json)) {
				e->is_strict = was_strict;
				return true;
			}
	}
	e->is_strict = was_strict;
	return bad(e, "it fits no branch of the union");
}

/* --- scalars -------------------------------------------------------------- */

/* Text of bytes: U+0000..U+00FF, one a byte, in place of UTF-8. */
static bool
encode_latin(struct encode *e, const struct schema *schema, const json_t *json)
{
	const uint8_t *text = (const uint8_t *)json_string_value(json);
	size_t len = json_string_length(json);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] >= 0xc4)
			return bad(e, "a character above U+00FF is no byte");
		n += (text[i] & 0xc0) != 0x80;
	}
	if (schema->kind == SCHEMA_BYTES)
		buf_put_zigzag(e->out, (int64_t)n);
	else if (n != schema->size)
		return bad(e, "not as many bytes as the fixed has");
	for (size_t i = 0; i < len; i++) {
		unsigned c = text[i];

		if (c >= 0xc0 && i + 1 < len)
			c = (c & 3) << 6 | (text[++i] & 0x3f);
		buf_put_u8(e->out, (uint8_t)c);
	}
	return true;
}

static bool
encode_string(struct encode *e, const struct schema *schema, const json_t *json)
{
	bool is_number = schema->kind == SCHEMA_FLOAT ||
			 schema->kind == SCHEMA_DOUBLE ||
			 schema->kind == SCHEMA_BOOLEAN;
	bool is_plain =
		(schema->kind == SCHEMA_INT || schema->kind == SCHEMA_LONG) &&
		schema->logical == LOGICAL_NONE;

	if ((schema->kind == SCHEMA_BYTES || schema->kind == SCHEMA_FIXED) &&
		schema->logical != LOGICAL_DECIMAL)
		return encode_latin(e, schema, json);
	if (is_plain || (is_number && e->is_strict))
		return bad(e, "a number was expected, not text");
	return scalar_from_text(
		e, schema, json_string_value(json), json_string_length(json));
}

static bool
encode_scalar(struct encode *e, const struct schema *schema, const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_NULL:
		return schema->kind == SCHEMA_NULL || bad(e, "it is null");
	case JSON_TRUE:
	case JSON_FALSE:
		if (schema->kind != SCHEMA_BOOLEAN)
			return bad(e, "a boolean does not fit here");
		buf_put_u8(e->out, json_is_true(json));
		return true;
	case JSON_INTEGER:
		return scalar_from_integer(e, schema, json_integer_value(json));
	case JSON_REAL:
		return scalar_from_double(e, schema, json_real_value(json));
	case JSON_STRING:
		return encode_string(e, schema, json);
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return bad(e, "one value was expected, not a list or an object");
}

static bool
encode_kind(struct encode *e, const struct schema *schema, const json_t *json)
{
	switch (schema->kind) {
	case SCHEMA_RECORD:
		return encode_record(e, schema, json);
	case SCHEMA_ARRAY:
		return encode_array(e, schema, json);
	case SCHEMA_MAP:
		return encode_map(e, schema, json);
	case SCHEMA_UNION:
		return encode_union(e, schema, json);
	default:
		return encode_scalar(e, schema, json);
	}
}

bool
encode_json(struct encode *e, const struct schema *schema, const json_t *json)
{
	bool fits;

	if (e->left == 0 || e->out->is_failed)
		return encode_fail(e, SG_TOO_LARGE, "the row is too large");
	if (e->depth > 2 * ENCODE_DEPTH_MAX)
		return encode_fail(e, SG_TOO_LARGE, "nested too deeply");
	e->left--;
	e->depth++;
	fits = encode_kind(e, schema, json);
	e->depth--;
	return fits;
}

/* --- cells ---------------------------------------------------------------- */

static bool
is_container(const struct schema *schema)
{
	return schema->kind == SCHEMA_RECORD || schema->kind == SCHEMA_ARRAY ||
	       schema->kind == SCHEMA_MAP;
}

/* A cell that holds JSON. */
static bool
cell_json(
	struct encode *e, const struct schema *schema, const struct cell *cell)
{
	json_t *json = json_loadb(cell->text, cell->len,
		JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	bool fits;

	if (json == NULL)
		return bad(e, "not valid JSON");
	fits = encode_json(e, schema, json);
	json_decref(json);
	return fits;
}

static bool
cell_union(
	struct encode *e, const struct schema *schema, const struct cell *cell)
{
	size_t start = e->out->len;
	size_t ntried = 0;

	for (size_t i = 0; i < schema->nbranches; i++) {
		if (schema->branches[i]->kind == SCHEMA_NULL)
			continue;
		ntried++;
		buf_put_zigzag(e->out, (int64_t)i);
		if (encode_cell(e, schema->branches[i], cell))
			return true;
		e->out->len = start;
	}
	return ntried == 1 ? false : bad(e, "it fits no branch of the union");
}

bool
encode_cell(
	struct encode *e, const struct schema *schema, const struct cell *cell)
{
	if (e->out->is_failed)
		return encode_fail(e, SG_TOO_LARGE, "the row is too large");
	if (schema->kind == SCHEMA_UNION)
		return cell_union(e, schema, cell);
	if (is_container(schema))
		return cell_json(e, schema, cell);
	return scalar_from_text(e, schema, cell->text, cell->len);
}

/* --- one text ------------------------------------------------------------- */

enum sg_err
file_encode_json(const struct decode_schemas *schemas, int32_t number,
	const char *json, size_t len, struct buf *out, struct sg_fault *why)
{
	const struct schema *schema = decode_schemas_tree(schemas, number);
	size_t start = out->len;
	json_error_t fault;
	struct encode e;
	json_t *root;
	bool fits;

	root = json_loadb(json, len,
		JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
		&fault);
	if (root == NULL)
		return sg_fault_set(why, SG_BAD_RECORD,
			"not valid JSON at column %d", fault.column);
	encode_init(&e, out);
	fits = encode_json(&e, schema, root);
	json_decref(root);
	if (fits && !out->is_failed)
		return SG_OK;
	if (fits)
		(void)encode_fail(&e, SG_TOO_LARGE, "the row is too large");
	out->len = start;
	return encode_fault(&e, "", why);
}
