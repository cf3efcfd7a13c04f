/*
 * decode_random.h - random schemas, as JSON, and random values of them, made
 * by Avro C.
 */
#ifndef TESTS_DECODE_RANDOM_H
#define TESTS_DECODE_RANDOM_H

#include "decode_support.h"

#include <avro.h>
#include <stdio.h>

#define FIELDS_MAX 8
/* Four digits, so that no damage makes a key of another: Avro C reads a second
 * value of a key into the first, which then has the elements of both. */
#define KEY "k%u%u%u%u"

static inline uint64_t
next(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint32_t
below(uint64_t *seed, uint32_t n)
{
	return (uint32_t)(next(seed) % n);
}

/* --- schemas -------------------------------------------------------------- */

struct maker {
	struct buf *out;
	uint64_t *seed;
	uint32_t names;	  /* given out */
	uint32_t open[8]; /* records begun, by number */
	uint32_t nopen;
};

static inline void
make_type(struct maker *m, uint32_t depth);

static inline void
make_scalar(struct maker *m)
{
	static const char *const texts[] = {"\"null\"", "\"boolean\"",
		"\"int\"", "\"long\"", "\"float\"", "\"double\"", "\"bytes\"",
		"\"string\"", "{\"type\":\"int\",\"logicalType\":\"date\"}",
		"{\"type\":\"int\",\"logicalType\":\"time-millis\"}",
		"{\"type\":\"long\",\"logicalType\":\"time-micros\"}",
		"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}",
		"{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}",
		"{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"}",
		("{\"type\":\"bytes\",\"logicalType\":\"decimal\","
		 "\"precision\":14,\"scale\":3}")};

	buf_put_str(m->out, texts[below(m->seed, SG_COUNTOF(texts))]);
}

static inline void
make_record(struct maker *m, uint32_t depth)
{
	uint32_t n = below(m->seed, FIELDS_MAX);
	uint32_t number = m->names++;

	buf_printf(m->out, "{\"type\":\"record\",\"name\":\"R%u\",\"fields\":[",
		number);
	m->open[m->nopen++] = number;
	if (n == 0) /* Avro C cannot append a record of no fields */
		n++;
	for (uint32_t i = 0; i < n; i++) {
		buf_printf(m->out,
			"%s{\"name\":\"f%u\",\"type\":", i == 0 ? "" : ",", i);
		make_type(m, depth + 1);
		buf_put_u8(m->out, '}');
	}
	m->nopen--;
	buf_put_str(m->out, "]}");
}

static inline void
make_named(struct maker *m)
{
	uint32_t n = 1 + below(m->seed, 5);

	if (below(m->seed, 2) == 0) {
		buf_printf(m->out,
			"{\"type\":\"enum\",\"name\":\"E%u\",\"symbols\":[",
			m->names++);
		for (uint32_t i = 0; i < n; i++)
			buf_printf(m->out, "%s\"S%u\"", i == 0 ? "" : ",", i);
		buf_put_str(m->out, "]}");
		return;
	}
	buf_printf(m->out,
		"{\"type\":\"fixed\",\"name\":\"F%u\",\"size\":%u%s}",
		m->names++, n,
		below(m->seed, 2) == 0 ? ""
				       : ",\"logicalType\":\"decimal\","
					 "\"precision\":9,\"scale\":2");
}

/* No two branches of a kind but for records. */
static inline void
make_union(struct maker *m, uint32_t depth)
{
	static const char *const kinds[] = {"\"null\"", "\"int\"", "\"string\"",
		"\"boolean\"", "\"double\"", "\"long\"", "\"bytes\""};
	uint32_t first = below(m->seed, SG_COUNTOF(kinds));
	uint32_t n = 1 + below(m->seed, 4);

	buf_put_u8(m->out, '[');
	for (uint32_t i = 0; i < n; i++)
		buf_printf(m->out, "%s%s", i == 0 ? "" : ",",
			kinds[(first + i) % SG_COUNTOF(kinds)]);
	if (below(m->seed, 2) == 0 && depth < 4) {
		buf_put_u8(m->out, ',');
		make_record(m, depth + 1);
	}
	if (below(m->seed, 3) == 0 && depth < 4) {
		buf_put_u8(m->out, ',');
		make_record(m, depth + 1);
	}
	if (below(m->seed, 4) == 0)
		buf_put_str(m->out, ",{\"type\":\"map\",\"values\":\"int\"}");
	if (below(m->seed, 4) == 0)
		buf_put_str(m->out, ",{\"type\":\"array\",\"items\":\"long\"}");
	if (below(m->seed, 4) == 0)
		buf_printf(
			m->out, ",\"R%u\"", m->open[below(m->seed, m->nopen)]);
	buf_put_u8(m->out, ']');
}

static inline void
make_type(struct maker *m, uint32_t depth)
{
	uint32_t pick = below(m->seed, depth < 4 ? 20 : 10);

	if (pick < 9) {
		make_scalar(m);
	} else if (pick == 9) {
		make_named(m);
	} else if (pick < 12) {
		make_record(m, depth);
	} else if (pick < 14) {
		buf_put_str(m->out, "{\"type\":\"map\",\"values\":");
		make_type(m, depth + 1);
		buf_put_u8(m->out, '}');
	} else if (pick < 16) {
		buf_put_str(m->out, "{\"type\":\"array\",\"items\":");
		make_type(m, depth + 1);
		buf_put_u8(m->out, '}');
	} else if (pick == 16) {
		buf_printf(m->out, "{\"type\":\"array\",\"items\":\"R%u\"}",
			m->open[below(m->seed, m->nopen)]);
	} else {
		make_union(m, depth);
	}
}

/* --- values, by Avro C ---------------------------------------------------- */

static inline void
fill(uint64_t *seed, avro_value_t *value, uint32_t depth);

static inline int64_t
some_long(uint64_t *seed)
{
	return (int64_t)(next(seed) >> below(seed, 64)) *
	       (below(seed, 2) == 0 ? 1 : -1);
}

static inline void
fill_text(uint64_t *seed, avro_value_t *value)
{
	static const char *const letters[] = {"a", "Z", "0", " ", "\"",
		"\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	char text[128] = "";
	size_t len = 0;

	for (uint32_t n = below(seed, 20); n > 0; n--) {
		const char *letter = letters[below(seed, SG_COUNTOF(letters))];

		memcpy(text + len, letter, strlen(letter));
		len += strlen(letter);
	}
	assert_int_equal(avro_value_set_string_len(value, text, len + 1), 0);
}

static inline void
fill_bytes(uint64_t *seed, avro_value_t *value, avro_type_t kind)
{
	uint8_t bytes[16];
	size_t size = 1 + below(seed, 6); /* a decimal has at least one */

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)next(seed);
	if (kind == AVRO_BYTES) {
		assert_int_equal(avro_value_set_bytes(value, bytes, size), 0);
		return;
	}
	size = (size_t)avro_schema_fixed_size(avro_value_get_schema(value));
	assert_int_equal(avro_value_set_fixed(value, bytes, size), 0);
}

static inline void
fill_many(uint64_t *seed, avro_value_t *value, avro_type_t kind, uint32_t depth)
{
	uint32_t n = depth < 3	  ? below(seed, 4)
		     : depth < 12 ? below(seed, 2)
				  : 0;
	avro_value_t child;
	char key[64];

	for (uint32_t i = 0; i < n; i++) {
		if (kind == AVRO_ARRAY) {
			assert_int_equal(
				avro_value_append(value, &child, NULL), 0);
		} else {
			(void)snprintf(key, sizeof(key), KEY, i, i, i, i);
			assert_int_equal(
				avro_value_add(value, key, &child, NULL, NULL),
				0);
		}
		fill(seed, &child, depth + 1);
	}
}

static inline void
fill_record(uint64_t *seed, avro_value_t *value, uint32_t depth)
{
	avro_value_t child;
	size_t n = 0;

	assert_int_equal(avro_value_get_size(value, &n), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(
			avro_value_get_by_index(value, i, &child, NULL), 0);
		fill(seed, &child, depth + 1);
	}
}

static inline void
fill_union(uint64_t *seed, avro_value_t *value, uint32_t depth)
{
	avro_schema_t schema = avro_value_get_schema(value);
	uint32_t n = (uint32_t)avro_schema_union_size(schema);
	avro_value_t child;

	/* The first branch is never a record, so deep down it ends. */
	assert_int_equal(avro_value_set_branch(value,
				 depth < 12 ? (int)below(seed, n) : 0, &child),
		0);
	fill(seed, &child, depth + 1);
}

static inline void
fill(uint64_t *seed, avro_value_t *value, uint32_t depth)
{
	avro_schema_t schema;
	avro_type_t kind = avro_value_get_type(value);

	switch (kind) {
	case AVRO_NULL:
		assert_int_equal(avro_value_set_null(value), 0);
		break;
	case AVRO_BOOLEAN:
		assert_int_equal(
			avro_value_set_boolean(value, (int)below(seed, 2)), 0);
		break;
	case AVRO_INT32:
		assert_int_equal(avro_value_set_int(value,
					 (int32_t)(uint32_t)some_long(seed)),
			0);
		break;
	case AVRO_INT64:
		assert_int_equal(
			avro_value_set_long(value, some_long(seed)), 0);
		break;
	case AVRO_FLOAT:
		assert_int_equal(avro_value_set_float(
					 value, (float)some_long(seed) / 16),
			0);
		break;
	case AVRO_DOUBLE:
		assert_int_equal(avro_value_set_double(
					 value, (double)some_long(seed) / 1024),
			0);
		break;
	case AVRO_STRING:
		fill_text(seed, value);
		break;
	case AVRO_BYTES:
	case AVRO_FIXED:
		fill_bytes(seed, value, kind);
		break;
	case AVRO_ENUM:
		schema = avro_value_get_schema(value);
		assert_int_equal(
			avro_value_set_enum(value,
				(int)below(seed,
					(uint32_t)
						avro_schema_enum_number_of_symbols(
							schema))),
			0);
		break;
	case AVRO_ARRAY:
	case AVRO_MAP:
		fill_many(seed, value, kind, depth);
		break;
	case AVRO_RECORD:
		fill_record(seed, value, depth);
		break;
	case AVRO_UNION:
		fill_union(seed, value, depth);
		break;
	default:
		fail_msg("kind %d", kind);
	}
}

#endif
