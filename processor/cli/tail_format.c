/* tail_format.c - a record as a line, by a format of kcat's kind. */
#include "tail_format.h"

#include <inttypes.h>
#include <string.h>

#include "segmentd/civil.h"
#include "segmentd/look.h"
#include "segmentd/utf8.h"

#define FIELDS_MAX 1024
#define HEADERS "@headers."
#define TIMESTAMP "@timestamp"

/* --- the parts of a format ---------------------------------------------- */

/* A placeholder {path|otherwise}; the texts are not ended by a NUL. */
struct place {
	const char *path;
	size_t path_len;
	const char *otherwise;
	size_t otherwise_len;
};

/* `at` is behind the brace. NULL when it is never closed. */
static const char *
read_place(const char *at, struct place *ret_place)
{
	size_t len = strcspn(at, "}");
	const char *bar = memchr(at, '|', len);
	size_t path_len = bar == NULL ? len : (size_t)(bar - at);

	if (at[len] == '\0')
		return NULL;
	*ret_place = (struct place){at, path_len, bar == NULL ? "" : bar + 1,
		bar == NULL ? 0 : len - path_len - 1};
	return at + len + 1;
}

static char
escape_of(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case '\\':
		return '\\';
	default:
		return '\0';
	}
}

/* --- is it one? --------------------------------------------------------- */

static enum sg_err
check_place(const struct place *place, const struct type *type,
	struct sg_fault *why)
{
	const char *words[FIELDS_MAX + 1];
	size_t len = 0, n = 0;
	char name[128];

	if (place->path_len > strlen(HEADERS) &&
		memcmp(place->path, HEADERS, strlen(HEADERS)) == 0)
		return SG_OK;
	if (place->path_len == strlen(TIMESTAMP) &&
		memcmp(place->path, TIMESTAMP, place->path_len) == 0)
		return SG_OK;
	while (len < place->path_len && place->path[len] != '.')
		len++;
	if (type != NULL && type_field_index(type, place->path, len) >= 0)
		return SG_OK;
	for (; type != NULL && n < type->nfields && n < FIELDS_MAX; n++)
		words[n] = type->fields[n].name;
	words[n] = NULL;
	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	memcpy(name, place->path, len);
	name[len] = '\0';
	return look_unknown(why, "the records have no field", name, words);
}

enum sg_err
tail_format_check(
	const char *format, const struct type *type, struct sg_fault *why)
{
	for (const char *at = format; *at != '\0';) {
		struct place place;
		enum sg_err err;

		if (*at == '%' &&
			(at[1] == '\0' || strchr("tpokKsSTh%", at[1]) == NULL))
			return sg_fault_set(why, SG_BAD_OPTION,
				"a format has %%t %%p %%o %%k %%K %%s %%S %%T "
				"%%h %%%%, not %%%.1s",
				at + 1);
		if (*at == '\\' && escape_of(at[1]) == '\0')
			return sg_fault_set(why, SG_BAD_OPTION,
				"a format has \\n \\t \\r \\\\, not \\%.1s",
				at + 1);
		if (*at != '{' || at[1] == '{') {
			at += strchr("%\\{", *at) != NULL ? 2 : 1;
			continue;
		}
		at = read_place(at + 1, &place);
		if (at == NULL)
			return sg_fault_set(why, SG_BAD_OPTION,
				"a format's { is never closed (a brace alone "
				"is written {{)");
		err = check_place(&place, type, why);
		if (err != SG_OK)
			return err;
	}
	return SG_OK;
}

/* --- one record --------------------------------------------------------- */

static void
put_headers(const struct record *rec, struct buf *out)
{
	for (size_t i = 0; i < rec->nheaders; i++) {
		const struct record_header *header = &rec->headers[i];

		buf_printf(out, "%s%s=", i == 0 ? "" : ",", header->name);
		if (header->value != NULL)
			buf_put(out, header->value, header->len);
	}
}

/* One step of a path within a value; absent where it leads nowhere. */
static struct value
step_into(
	struct value v, const struct type **type, const char *name, size_t len)
{
	const struct type *in = *type;
	int at;

	*type = NULL;
	if (v.kind == VALUE_RECORD && in != NULL) {
		at = type_field_index(in, name, len);
		if (at < 0)
			return value_absent();
		*type = in->fields[at].type;
		return v.as.items[at];
	}
	for (uint32_t i = 0; v.kind == VALUE_MAP && i < v.len; i++) {
		struct value key = v.as.items[2 * i];

		if (key.kind == VALUE_STRING && key.len == len &&
			memcmp(key.as.s, name, len) == 0) {
			*type = in == NULL ? NULL : in->item;
			return v.as.items[2 * i + 1];
		}
	}
	return value_absent();
}

static void
put_field(const struct tail_record *tail, const struct place *place,
	struct buf *out)
{
	const struct type *type = tail->type;
	struct value v = tail->value;
	const char *at = place->path, *end = at + place->path_len;

	while (at < end) {
		const char *dot = memchr(at, '.', (size_t)(end - at));
		const char *stop = dot == NULL ? end : dot;

		v = step_into(v, &type, at, (size_t)(stop - at));
		at = dot == NULL ? end : dot + 1;
	}
	if (v.kind == VALUE_NULL || v.kind == VALUE_ABSENT)
		buf_put(out, place->otherwise, place->otherwise_len);
	else
		value_to_text(v, type, out);
}

static void
put_time(int64_t ms, struct buf *out)
{
	char text[CIVIL_RFC3339_MAX];

	if (ms >= 0)
		buf_put(out, text, civil_format_ms(ms, text, sizeof(text)));
}

static void
put_header(const struct tail_record *tail, const struct place *place,
	struct buf *out)
{
	const char *name = place->path + strlen(HEADERS);
	size_t len = place->path_len - strlen(HEADERS);

	for (size_t i = tail->rec->nheaders; i > 0; i--) {
		const struct record_header *header = &tail->rec->headers[i - 1];

		if (strlen(header->name) == len &&
			memcmp(header->name, name, len) == 0 &&
			header->value != NULL) {
			buf_put(out, header->value, header->len);
			return;
		}
	}
	buf_put(out, place->otherwise, place->otherwise_len);
}

static void
put_place(const struct tail_record *tail, const struct place *place,
	struct buf *out)
{
	if (place->path[0] != '@')
		put_field(tail, place, out);
	else if (place->path[1] == 't')
		put_time(tail->rec->kafka_ms, out);
	else
		put_header(tail, place, out);
}

static void
put_letter(char letter, const struct tail_record *tail, struct buf *out)
{
	const struct record *rec = tail->rec;

	switch (letter) {
	case 't':
		buf_put_str(out, tail->topic);
		return;
	case 'p':
		buf_printf(out, "%" PRId32, rec->partition);
		return;
	case 'o':
		buf_printf(out, "%" PRId64, rec->offset);
		return;
	case 'k':
		if (rec->key != NULL)
			buf_put(out, rec->key, rec->key_len);
		return;
	case 'K':
		buf_printf(out, "%zu", rec->key_len);
		return;
	case 's':
		if (rec->value != NULL)
			value_to_json(tail->value, tail->type, out);
		return;
	case 'S':
		buf_printf(out, "%zu", rec->value_len);
		return;
	case 'T':
		buf_printf(out, "%" PRId64, rec->kafka_ms);
		return;
	case 'h':
		put_headers(rec, out);
		return;
	default:
		buf_put_u8(out, '%');
	}
}

void
tail_format(const char *format, const struct tail_record *tail, struct buf *out)
{
	const char *at = format;
	struct place place;

	while (*at != '\0') {
		if (*at == '%') {
			put_letter(at[1], tail, out);
			at += 2;
		} else if (*at == '\\') {
			buf_put_u8(out, (uint8_t)escape_of(at[1]));
			at += 2;
		} else if (*at == '{' && at[1] == '{') {
			buf_put_u8(out, '{');
			at += 2;
		} else if (*at == '{') {
			at = read_place(at + 1, &place);
			if (at == NULL)
				return; /* it was checked */
			put_place(tail, &place, out);
		} else {
			buf_put_u8(out, (uint8_t)*at++);
		}
	}
	if (out->len == 0 || out->bytes[out->len - 1] != '\n')
		buf_put_u8(out, '\n');
}

/* --- JSON --------------------------------------------------------------- */

static void
put_json_bytes(const void *bytes, size_t len, struct buf *out)
{
	struct value v = value_null();

	if (bytes != NULL && utf8_is_valid(bytes, len))
		v = value_string(bytes, (uint32_t)len);
	else if (bytes != NULL)
		v = value_bytes(bytes, (uint32_t)len);
	value_to_json(v, NULL, out);
}

void
tail_json(const struct tail_record *tail, struct buf *out)
{
	const struct record *rec = tail->rec;

	buf_put_str(out, "{\"topic\": ");
	put_json_bytes(tail->topic, strlen(tail->topic), out);
	buf_printf(out,
		", \"partition\": %" PRId32 ", \"offset\": %" PRId64
		", \"timestamp\": ",
		rec->partition, rec->offset);
	if (rec->kafka_ms < 0)
		value_to_json(value_null(), NULL, out);
	else
		value_to_json(value_timestamp_ms(rec->kafka_ms), NULL, out);
	buf_put_str(out, ", \"key\": ");
	put_json_bytes(rec->key, rec->key_len, out);
	buf_put_str(out, ", \"headers\": {");
	for (size_t i = 0; i < rec->nheaders; i++) {
		const struct record_header *header = &rec->headers[i];

		buf_put_str(out, i == 0 ? "" : ", ");
		put_json_bytes(header->name, strlen(header->name), out);
		buf_put_str(out, ": ");
		put_json_bytes(header->value, header->len, out);
	}
	buf_put_str(out, "}, \"value\": ");
	value_to_json(tail->value, tail->type, out);
	buf_put_str(out, "}\n");
}
