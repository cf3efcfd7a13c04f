/*
 * value_json.c - values as people and JSON readers want them.
 *
 * Whatever comes in, what goes out is valid JSON: bytes that are not UTF-8
 * become U+FFFD, numbers JSON has no word for become strings, and what is
 * nested deeper than VALUE_DEPTH_MAX becomes null.
 *
 * A double is written with the fewest digits that read back as the same
 * double. Integers up to 10^15 (the usual case: amounts, counts) are written
 * as such. Of the rest, 15 digits always survive the way from decimal to
 * double and back, so a normal double that needs 15 or less is found by the
 * first try; only subnormal ones have fewer true digits and are tried from 1.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/buf.h"
#include "segmentd/civil.h"
#include "segmentd/type.h"
#include "segmentd/value.h"

#define EXACT_INTEGERS 1e15
#define DIGITS_SURVIVE 15
#define DIGITS_MAX 17

static void
put_double(struct buf *buf, double d)
{
	char text[48];
	int digits = isnormal(d) ? DIGITS_SURVIVE : 1;

	if (d == trunc(d) && fabs(d) < EXACT_INTEGERS) {
		buf_printf(buf, "%s%" PRId64, d == 0 && signbit(d) ? "-" : "",
			(int64_t)d);
		return;
	}
	/* segmentd never calls setlocale(), so the decimal sign is a point. */
	for (; digits <= DIGITS_MAX; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d) /* lint: reads our own digits */
			break;
	}
	buf_put_str(buf, text);
}

/* NULL when the double is a number. */
static const char *
double_word(double d)
{
	if (isnan(d))
		return "NaN";
	if (isinf(d))
		return d > 0 ? "Infinity" : "-Infinity";
	return NULL;
}

static void
put_quoted(struct buf *buf, const char *text, size_t len)
{
	size_t clean = 0; /* bytes before text[i] that need no escape */
	size_t i = 0;

	buf_put_u8(buf, '"');
	while (i < len) {
		uint8_t c = (uint8_t)text[i];
		size_t step = utf8_char_len(text + i, len - i);

		if (step != 0 && c >= ' ' && c != '"' && c != '\\') {
			i += step;
			continue;
		}
		buf_put(buf, text + clean, i - clean);
		if (step == 0)
			buf_put_str(buf, "\\ufffd");
		else if (c == '"' || c == '\\')
			buf_printf(buf, "\\%c", c);
		else if (c == '\n')
			buf_put_str(buf, "\\n");
		else
			buf_printf(buf, "\\u%04x", c);
		clean = ++i;
	}
	/* Of an empty text there may be no address to add to. */
	if (clean < len)
		buf_put(buf, text + clean, len - clean);
	buf_put_u8(buf, '"');
}

static void
put_base64(struct buf *buf, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len && !buf->is_failed; i += 3) {
		size_t left = len - i;
		uint32_t word = (uint32_t)bytes[i] << 16;

		if (left > 1)
			word |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			word |= bytes[i + 2];
		buf_put_u8(buf, (uint8_t)digits[word >> 18]);
		buf_put_u8(buf, (uint8_t)digits[word >> 12 & 63]);
		buf_put_u8(
			buf, left > 1 ? (uint8_t)digits[word >> 6 & 63] : '=');
		buf_put_u8(buf, left > 2 ? (uint8_t)digits[word & 63] : '=');
	}
}

/* "3600s", "-1.5s". The parts are floor: -0.5 s is (-1, 500000000). */
static void
put_duration(struct buf *buf, struct value v)
{
	uint64_t whole = (uint64_t)v.as.i;
	uint32_t nanos = v.nanos;
	int width = 9;

	if (v.as.i < 0) {
		buf_put_u8(buf, '-');
		whole = 0 - whole;
		if (nanos > 0) {
			whole--;
			nanos = 1000000000 - nanos;
		}
	}
	buf_printf(buf, "%" PRIu64, whole);
	if (nanos > 0) {
		for (; nanos % 10 == 0; width--)
			nanos /= 10;
		buf_printf(buf, ".%0*" PRIu32, width, nanos);
	}
	buf_put_u8(buf, 's');
}

static void
put_timestamp(struct buf *buf, struct value v)
{
	char text[CIVIL_RFC3339_MAX];

	(void)civil_format(v.as.i, (int32_t)v.nanos, text, sizeof(text));
	buf_put_str(buf, text);
}

/* Everything that has no parts, as plain text. */
static void
put_scalar(struct buf *buf, struct value v)
{
	const char *word;

	switch ((enum value_kind)v.kind) {
	case VALUE_BOOL:
		buf_put_str(buf, v.as.b ? "true" : "false");
		break;
	case VALUE_INT:
		buf_printf(buf, "%" PRId64, v.as.i);
		break;
	case VALUE_UINT:
		buf_printf(buf, "%" PRIu64, v.as.u);
		break;
	case VALUE_DOUBLE:
		word = double_word(v.as.d);
		if (word != NULL)
			buf_put_str(buf, word);
		else
			put_double(buf, v.as.d);
		break;
	case VALUE_STRING:
		buf_put(buf, v.as.s, v.len);
		break;
	case VALUE_BYTES:
		put_base64(buf, v.as.bytes, v.len);
		break;
	case VALUE_TIMESTAMP:
		put_timestamp(buf, v);
		break;
	case VALUE_DURATION:
		put_duration(buf, v);
		break;
	case VALUE_TYPE:
		buf_put_str(buf, v.as.s);
		break;
	case VALUE_ERROR:
		buf_put_str(buf, "error: ");
		buf_put_str(buf, v.as.s);
		break;
	case VALUE_NULL:
	case VALUE_ABSENT:
	case VALUE_LIST:
	case VALUE_MAP:
	case VALUE_RECORD:
		break;
	}
}

static void
put_json(struct buf *buf, struct value v, const struct type *type, int depth);

static const struct type *
type_item(const struct type *type, enum type_kind kind)
{
	return type != NULL && type->kind == kind ? type->item : NULL;
}

static void
put_list(struct buf *buf, struct value v, const struct type *type, int depth)
{
	buf_put_u8(buf, '[');
	for (uint32_t i = 0; i < v.len && !buf->is_failed; i++) {
		if (i > 0)
			buf_put_u8(buf, ',');
		put_json(buf, v.as.items[i], type_item(type, TYPE_LIST),
			depth + 1);
	}
	buf_put_u8(buf, ']');
}

/* A JSON key is a string: other keys are quoted as they read. */
static void
put_key(struct buf *buf, struct value key, int depth)
{
	bool is_number = key.kind == VALUE_BOOL || key.kind == VALUE_INT ||
			 key.kind == VALUE_UINT ||
			 (key.kind == VALUE_DOUBLE && isfinite(key.as.d));
	bool is_bare =
		is_number || key.kind == VALUE_NULL || key.kind == VALUE_ABSENT;

	if (key.kind == VALUE_LIST || key.kind == VALUE_MAP ||
		key.kind == VALUE_RECORD) {
		buf_put_str(buf, "\"\"");
		return;
	}
	if (is_bare)
		buf_put_u8(buf, '"');
	put_json(buf, key, NULL, depth + 1);
	if (is_bare)
		buf_put_u8(buf, '"');
}

static void
put_map(struct buf *buf, struct value v, const struct type *type, int depth)
{
	buf_put_u8(buf, '{');
	for (uint32_t i = 0; i < v.len && !buf->is_failed; i++) {
		const struct value *entry = &v.as.items[(size_t)i * 2];

		if (i > 0)
			buf_put_u8(buf, ',');
		put_key(buf, entry[0], depth);
		buf_put_u8(buf, ':');
		put_json(buf, entry[1], type_item(type, TYPE_MAP), depth + 1);
	}
	buf_put_u8(buf, '}');
}

/* Without its type a record has no names: it is written as a list. */
static void
put_record(struct buf *buf, struct value v, const struct type *type, int depth)
{
	bool is_first = true;

	if (type == NULL || type->kind != TYPE_RECORD ||
		type->nfields < v.len) {
		put_list(buf, v, NULL, depth);
		return;
	}
	buf_put_u8(buf, '{');
	for (uint32_t i = 0; i < v.len && !buf->is_failed; i++) {
		const struct type_field *field = &type->fields[i];

		if (v.as.items[i].kind == VALUE_ABSENT)
			continue;
		if (!is_first)
			buf_put_u8(buf, ',');
		is_first = false;
		put_quoted(buf, field->name, strlen(field->name));
		buf_put_u8(buf, ':');
		put_json(buf, v.as.items[i], field->type, depth + 1);
	}
	buf_put_u8(buf, '}');
}

static void
put_json(struct buf *buf, struct value v, const struct type *type, int depth)
{
	if (depth > VALUE_DEPTH_MAX) {
		buf_put_str(buf, "null");
		return;
	}
	switch ((enum value_kind)v.kind) {
	case VALUE_NULL:
	case VALUE_ABSENT:
		buf_put_str(buf, "null");
		break;
	case VALUE_BOOL:
	case VALUE_INT:
	case VALUE_UINT:
		put_scalar(buf, v);
		break;
	case VALUE_STRING:
		put_quoted(buf, v.as.s, v.len);
		break;
	case VALUE_LIST:
		put_list(buf, v, type, depth);
		break;
	case VALUE_MAP:
		put_map(buf, v, type, depth);
		break;
	case VALUE_RECORD:
		put_record(buf, v, type, depth);
		break;
	case VALUE_DOUBLE:
		if (double_word(v.as.d) == NULL) {
			put_double(buf, v.as.d);
			break;
		}
		/* fall through */
	case VALUE_BYTES:
	case VALUE_TIMESTAMP:
	case VALUE_DURATION:
		/* Texts of ours: nothing in them needs an escape. */
		buf_put_u8(buf, '"');
		put_scalar(buf, v);
		buf_put_u8(buf, '"');
		break;
	case VALUE_TYPE:
	case VALUE_ERROR:
		put_quoted(buf, v.as.s, strlen(v.as.s));
		break;
	}
}

void
value_to_json(struct value v, const struct type *type, struct buf *buf)
{
	put_json(buf, v, type, 0);
}

void
value_to_text(struct value v, const struct type *type, struct buf *buf)
{
	if (v.kind == VALUE_LIST || v.kind == VALUE_MAP ||
		v.kind == VALUE_RECORD)
		put_json(buf, v, type, 0);
	else
		put_scalar(buf, v);
}
