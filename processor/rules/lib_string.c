/*
 * lib_string.c - texts: looking into them. Positions count code points.
 */
#include <string.h>

#include "lib.h"

uint32_t
text_find(struct value text, struct value part, uint32_t from)
{
	const char *at;

	if (from > text.len || part.len > text.len - from)
		return UINT32_MAX;
	if (part.len == 0)
		return from;
	at = memmem(text_at(text, from), text.len - from, part.as.s, part.len);
	return at == NULL ? UINT32_MAX : (uint32_t)(at - text.as.s);
}

uint32_t
text_offset(struct value text, int64_t index)
{
	uint32_t at = 0;

	for (; index > 0 && at < text.len; index--)
		at += code_point_len(text_at(text, at), text.len - at);
	return index == 0 ? at : UINT32_MAX;
}

int64_t
text_count(const char *text, uint32_t len)
{
	int64_t n = 0;

	for (uint32_t at = 0; at < len; n++)
		at += code_point_len(text + at, len - at);
	return n;
}

/* args[i] are strings and args[n..] ints, as `kinds` says ("ssi"); a value
 * of kind error when not, and when they are long and cost too much. */
static struct value
expect(struct cel_frame *frame, const struct value *args, uint32_t nargs,
	const char *kinds)
{
	uint64_t len = 0;

	for (uint32_t i = 0; i < nargs; i++) {
		uint8_t kind = kinds[i] == 's' ? VALUE_STRING : VALUE_INT;

		if (args[i].kind != kind)
			return cel_no_overload(args[i], args[i]);
		if (kind == VALUE_STRING)
			len += args[i].len;
	}
	if (!frame_spend(frame, len / 16))
		return value_error(ERR_COST);
	return value_null();
}

CEL_FN(fn_size)
{
	struct value v = args[0];

	(void)nargs;
	switch (v.kind) {
	case VALUE_STRING:
		if (!frame_spend(frame, v.len / 8))
			return value_error(ERR_COST);
		return value_int(text_count(v.as.s, v.len));
	case VALUE_BYTES:
	case VALUE_LIST:
	case VALUE_MAP:
		return value_int(v.len);
	default:
		return cel_no_overload(v, v);
	}
}

CEL_FN(fn_contains)
{
	struct value v = expect(frame, args, nargs, "ss");

	if (v.kind == VALUE_ERROR)
		return v;
	return value_bool(text_find(args[0], args[1], 0) != UINT32_MAX);
}

CEL_FN(fn_starts_with)
{
	struct value v = expect(frame, args, nargs, "ss");
	struct value text = args[0], part = args[1];

	if (v.kind == VALUE_ERROR)
		return v;
	return value_bool(part.len == 0 ||
			  (part.len <= text.len &&
				  memcmp(text.as.s, part.as.s, part.len) == 0));
}

CEL_FN(fn_ends_with)
{
	struct value v = expect(frame, args, nargs, "ss");
	struct value text = args[0], part = args[1];

	if (v.kind == VALUE_ERROR)
		return v;
	return value_bool(part.len == 0 ||
			  (part.len <= text.len &&
				  memcmp(text_at(text, text.len - part.len),
					  part.as.s, part.len) == 0));
}

CEL_FN(fn_char_at)
{
	struct value v = expect(frame, args, nargs, "si");
	struct value text = args[0];
	uint32_t at;

	if (v.kind == VALUE_ERROR)
		return v;
	at = text_offset(text, args[1].as.i);
	if (at == UINT32_MAX)
		return value_error("index out of range");
	if (at == text.len)
		return value_string("", 0);
	return value_string(text_at(text, at),
		code_point_len(text_at(text, at), text.len - at));
}

CEL_FN(fn_index_of)
{
	struct value v;
	uint32_t from = 0, at;

	if (args[0].kind == VALUE_LIST)
		return fn_list_index_of(frame, args, nargs);
	v = expect(frame, args, nargs, "ssi");
	if (v.kind == VALUE_ERROR)
		return v;
	if (nargs == 3)
		from = text_offset(args[0], args[2].as.i);
	if (from == UINT32_MAX)
		return value_error("index out of range");
	at = text_find(args[0], args[1], from);
	if (at == UINT32_MAX)
		return value_int(-1);
	return value_int(text_count(args[0].as.s, at));
}

CEL_FN(fn_last_index_of)
{
	struct value v, text = args[0], part = args[1];
	uint32_t last;

	if (text.kind == VALUE_LIST)
		return fn_list_last_index_of(frame, args, nargs);
	v = expect(frame, args, nargs, "ssi");
	if (v.kind == VALUE_ERROR)
		return v;
	last = nargs == 3 ? text_offset(text, args[2].as.i) : text.len;
	if (last == UINT32_MAX)
		return value_error("index out of range");
	if (part.len > text.len)
		return value_int(-1);
	if (last > text.len - part.len)
		last = text.len - part.len;
	if (!frame_spend(frame, (uint64_t)last * part.len / 16))
		return value_error(ERR_COST);
	for (uint32_t at = last + 1; at-- > 0;) {
		if (part.len == 0 ||
			memcmp(text_at(text, at), part.as.s, part.len) == 0)
			return value_int(text_count(text.as.s, at));
	}
	return value_int(-1);
}

CEL_FN(fn_substring)
{
	struct value v = expect(frame, args, nargs, "sii");
	uint32_t from, to;

	if (v.kind == VALUE_ERROR)
		return v;
	if (nargs == 3 && args[2].as.i < args[1].as.i)
		return value_error("invalid substring range");
	from = text_offset(args[0], args[1].as.i);
	to = nargs == 3 ? text_offset(args[0], args[2].as.i) : args[0].len;
	if (from == UINT32_MAX || to == UINT32_MAX)
		return value_error("index out of range");
	return value_string(text_at(args[0], from), to - from);
}

static struct value
map_ascii(struct cel_frame *frame, struct value text, char low, char high,
	int delta)
{
	char *copy;

	if (text.kind != VALUE_STRING)
		return cel_no_overload(text, text);
	copy = frame_alloc(frame, text.len);
	if (copy == NULL || !frame_spend(frame, text.len / 8))
		return value_error(ERR_SPACE);
	for (uint32_t i = 0; i < text.len; i++) {
		char c = text.as.s[i];

		copy[i] = (char)(c >= low && c <= high ? c + delta : c);
	}
	return value_string(copy, text.len);
}

CEL_FN(fn_lower_ascii)
{
	(void)nargs;
	return map_ascii(frame, args[0], 'A', 'Z', 'a' - 'A');
}

CEL_FN(fn_upper_ascii)
{
	(void)nargs;
	return map_ascii(frame, args[0], 'a', 'z', 'A' - 'a');
}

/* Unicode's White_Space, of a UTF-8 code point of `len` bytes. */
static bool
is_space(const char *text, uint32_t len)
{
	const unsigned char *b = (const unsigned char *)text;

	if (len == 1)
		return b[0] == ' ' || (b[0] >= '\t' && b[0] <= '\r');
	if (len == 2)
		return b[0] == 0xc2 && (b[1] == 0x85 || b[1] == 0xa0);
	if (len != 3)
		return false;
	if (b[0] == 0xe2 && b[1] == 0x80)
		return b[2] <= 0x8a || b[2] == 0xa8 || b[2] == 0xa9 ||
		       b[2] == 0xaf;
	return (b[0] == 0xe1 && b[1] == 0x9a && b[2] == 0x80) ||
	       (b[0] == 0xe2 && b[1] == 0x81 && b[2] == 0x9f) ||
	       (b[0] == 0xe3 && b[1] == 0x80 && b[2] == 0x80);
}

CEL_FN(fn_trim)
{
	struct value v = expect(frame, args, nargs, "s");
	struct value text = args[0];
	uint32_t start = 0, end = 0, at;

	if (v.kind == VALUE_ERROR)
		return v;
	for (at = 0; at < text.len;) {
		uint32_t n = code_point_len(text_at(text, at), text.len - at);
		bool is_blank = is_space(text_at(text, at), n);

		at += n;
		if (is_blank && end == 0)
			start = at;
		else if (!is_blank)
			end = at;
	}
	return end == 0 ? value_string("", 0)
			: value_string(text_at(text, start), end - start);
}
