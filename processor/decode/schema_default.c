/*
 * schema_default.c - a field's default, from the schema's JSON to Avro bytes.
 *
 * As bytes, a default is decoded by the same code as any record, and an
 * encoder can copy it. Strict: it is written as the specification says, text of
 * bytes and fixed with one character of U+0000..U+00FF a byte. A default of a
 * union may be of any branch; the first that fits is taken.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "schema_parse.h"

struct encode {
	struct buf *buf;
	uint32_t depth;
	uint32_t left; /* of the work a hostile schema may cause */
};

static bool
encode(struct encode *e, const struct schema *schema, const json_t *json);

static bool
encode_integer(
	struct encode *e, const struct schema *schema, const json_t *json)
{
	json_int_t n = json_integer_value(json);

	if (!json_is_integer(json))
		return false;
	if (schema->kind == SCHEMA_INT && (n < INT32_MIN || n > INT32_MAX))
		return false;
	buf_put_zigzag(e->buf, n);
	return true;
}

static bool
encode_real(struct encode *e, const struct schema *schema, const json_t *json)
{
	double d = json_number_value(json);
	uint64_t bits64;
	uint32_t bits32;
	float f;

	if (!json_is_number(json))
		return false;
	if (schema->kind == SCHEMA_DOUBLE) {
		memcpy(&bits64, &d, sizeof(bits64));
		buf_put_u64(e->buf, bits64);
		return true;
	}
	if (fabs(d) > (double)FLT_MAX)
		return false;
	f = (float)d;
	memcpy(&bits32, &f, sizeof(bits32));
	buf_put_u32(e->buf, bits32);
	return true;
}

/* UTF-8 of characters up to U+00FF to one byte each. */
static bool
encode_latin(struct encode *e, const struct schema *schema, const json_t *json)
{
	const uint8_t *text = (const uint8_t *)json_string_value(json);
	size_t len = json_string_length(json);
	size_t n = 0;

	if (text == NULL)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] >= 0xc4)
			return false;
		n += (text[i] & 0xc0) != 0x80;
	}
	if (schema->kind == SCHEMA_BYTES)
		buf_put_zigzag(e->buf, (int64_t)n);
	else if (n != schema->size)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned c = text[i];

		if (c >= 0xc0 && i + 1 < len)
			c = (c & 3) << 6 | (text[++i] & 0x3f);
		buf_put_u8(e->buf, (uint8_t)c);
	}
	return true;
}

static bool
encode_symbol(struct encode *e, const struct schema *schema, const json_t *json)
{
	const char *text = json_string_value(json);

	for (size_t i = 0; text != NULL && i < schema->nsymbols; i++)
		if (strcmp(text, schema->symbols[i]) == 0) {
			buf_put_zigzag(e->buf, (int64_t)i);
			return true;
		}
	return false;
}

static bool
encode_record(struct encode *e, const struct schema *schema, const json_t *json)
{
	if (!json_is_object(json))
		return false;
	for (size_t i = 0; i < schema->nfields; i++) {
		const struct schema_field *field = &schema->fields[i];
		const json_t *value = json_object_get(json, field->name);

		if (value != NULL) {
			if (!encode(e, field->schema, value))
				return false;
		} else if (field->def != NULL) {
			buf_put(e->buf, field->def, field->def_len);
		} else {
			return false;
		}
	}
	return true;
}

static bool
encode_items(struct encode *e, const struct schema *schema, const json_t *json)
{
	size_t n = json_array_size(json);

	if (!json_is_array(json))
		return false;
	if (n > 0)
		buf_put_zigzag(e->buf, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		if (!encode(e, schema->item, json_array_get(json, i)))
			return false;
	buf_put_zigzag(e->buf, 0);
	return true;
}

static bool
encode_entries(
	struct encode *e, const struct schema *schema, const json_t *json)
{
	size_t n = json_object_size(json);
	const char *key;
	json_t *value;

	if (!json_is_object(json))
		return false;
	if (n > 0)
		buf_put_zigzag(e->buf, (int64_t)n);
	/* The macro wants a plain pointer; nothing is changed. */
	json_object_foreach((json_t *)json, key, value)
	{
		buf_put_zigzag(e->buf, (int64_t)strlen(key));
		buf_put_str(e->buf, key);
		if (!encode(e, schema->item, value))
			return false;
	}
	buf_put_zigzag(e->buf, 0);
	return true;
}

static bool
encode_branch(struct encode *e, const struct schema *schema, const json_t *json)
{
	size_t start = e->buf->len;

	for (size_t i = 0; i < schema->nbranches; i++) {
		buf_put_zigzag(e->buf, (int64_t)i);
		if (encode(e, schema->branches[i], json))
			return true;
		e->buf->len = start;
	}
	return false;
}

static bool
encode_kind(struct encode *e, const struct schema *schema, const json_t *json)
{
	switch (schema->kind) {
	case SCHEMA_NULL:
		return json_is_null(json);
	case SCHEMA_BOOLEAN:
		buf_put_u8(e->buf, json_is_true(json));
		return json_is_boolean(json);
	case SCHEMA_INT:
	case SCHEMA_LONG:
		return encode_integer(e, schema, json);
	case SCHEMA_FLOAT:
	case SCHEMA_DOUBLE:
		return encode_real(e, schema, json);
	case SCHEMA_BYTES:
	case SCHEMA_FIXED:
		return encode_latin(e, schema, json);
	case SCHEMA_STRING:
		buf_put_zigzag(e->buf, (int64_t)json_string_length(json));
		buf_put(e->buf, json_string_value(json),
			json_string_length(json));
		return json_is_string(json);
	case SCHEMA_ENUM:
		return encode_symbol(e, schema, json);
	case SCHEMA_RECORD:
		return encode_record(e, schema, json);
	case SCHEMA_ARRAY:
		return encode_items(e, schema, json);
	case SCHEMA_MAP:
		return encode_entries(e, schema, json);
	case SCHEMA_UNION:
		return encode_branch(e, schema, json);
	}
	return false;
}

static bool
encode(struct encode *e, const struct schema *schema, const json_t *json)
{
	bool fits;

	if (e->depth > 2 * SCHEMA_DEPTH_MAX || e->left == 0)
		return false;
	e->left--;
	e->depth++;
	fits = encode_kind(e, schema, json);
	e->depth--;
	return fits;
}

bool
schema_encode_default(
	const struct schema *schema, const json_t *json, struct buf *buf)
{
	struct encode e = {.buf = buf, .left = 100000};

	return encode(&e, schema, json) && !buf->is_failed;
}
