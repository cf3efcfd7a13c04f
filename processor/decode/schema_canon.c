/*
 * schema_canon.c - Parsing Canonical Form of a schema, and its fingerprint.
 */
#include <inttypes.h>

#include "schema_parse.h"

#define CRC64_EMPTY UINT64_C(0xc15d213aa4d7a795)

struct canon {
	struct buf *buf;
	uint32_t ndefined; /* named types written out so far, in text order */
};

static void
canon_node(struct canon *c, const struct schema *schema);

static void
canon_list(struct canon *c, const struct schema *schema)
{
	for (size_t i = 0; i < schema->nbranches; i++) {
		buf_put_str(c->buf, i == 0 ? "" : ",");
		canon_node(c, schema->branches[i]);
	}
	for (size_t i = 0; i < schema->nsymbols; i++)
		buf_printf(c->buf, "%s\"%s\"", i == 0 ? "" : ",",
			schema->symbols[i]);
	for (size_t i = 0; i < schema->nfields; i++) {
		buf_printf(c->buf,
			"%s{\"name\":\"%s\",\"type\":", i == 0 ? "" : ",",
			schema->fields[i].name);
		canon_node(c, schema->fields[i].schema);
		buf_put_u8(c->buf, '}');
	}
	buf_put_u8(c->buf, ']');
}

static void
canon_named(struct canon *c, const struct schema *schema)
{
	if (schema->number < c->ndefined) {
		buf_printf(c->buf, "\"%s\"", schema->name);
		return;
	}
	c->ndefined++;
	buf_printf(c->buf, "{\"name\":\"%s\",\"type\":\"%s\",", schema->name,
		schema_kind_name(schema->kind));
	if (schema->kind == SCHEMA_FIXED) {
		buf_printf(c->buf, "\"size\":%" PRIu32, schema->size);
	} else {
		buf_put_str(c->buf, schema->kind == SCHEMA_ENUM
					    ? "\"symbols\":["
					    : "\"fields\":[");
		canon_list(c, schema);
	}
	buf_put_u8(c->buf, '}');
}

static void
canon_node(struct canon *c, const struct schema *schema)
{
	switch (schema->kind) {
	case SCHEMA_FIXED:
	case SCHEMA_ENUM:
	case SCHEMA_RECORD:
		canon_named(c, schema);
		break;
	case SCHEMA_UNION:
		buf_put_u8(c->buf, '[');
		canon_list(c, schema);
		break;
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		buf_printf(c->buf, "{\"type\":\"%s\",\"%s\":",
			schema_kind_name(schema->kind),
			schema->kind == SCHEMA_ARRAY ? "items" : "values");
		canon_node(c, schema->item);
		buf_put_u8(c->buf, '}');
		break;
	default:
		buf_printf(c->buf, "\"%s\"", schema_kind_name(schema->kind));
		break;
	}
}

void
schema_canonical(const struct schema *schema, struct buf *buf)
{
	struct canon c = {.buf = buf};

	canon_node(&c, schema);
}

/* A bit at a time: schemas are few and short, and a table would be larger. */
uint64_t
schema_crc64(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t crc = CRC64_EMPTY;

	for (size_t i = 0; i < len; i++) {
		crc ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (CRC64_EMPTY & (0 - (crc & 1)));
	}
	return crc;
}
