/*
 * lib_text.c - texts: making new ones.
 */
#include <string.h>

#include "lib.h"

/* A text being put together in the frame's scratch memory. */
struct writer {
	char *text;
	size_t len, cap;
};

static bool
writer_open(struct writer *wr, struct cel_frame *frame, size_t cap)
{
	wr->len = 0;
	wr->cap = cap;
	wr->text = frame_alloc(frame, cap);
	return wr->text != NULL && frame_spend(frame, cap / 16);
}

static void
put(struct writer *wr, const char *text, size_t len)
{
	if (len != 0)
		memcpy(wr->text + wr->len, text, len);
	wr->len += len;
}

static struct value
writer_value(const struct writer *wr)
{
	return value_string(wr->text, (uint32_t)wr->len);
}

CEL_FN(fn_join)
{
	struct value list = args[0];
	struct value between = nargs == 2 ? args[1] : value_string("", 0);
	struct writer wr;
	size_t cap = 0;

	if (list.kind != VALUE_LIST || between.kind != VALUE_STRING)
		return cel_no_overload(list, between);
	for (uint32_t i = 0; i < list.len; i++) {
		if (list.as.items[i].kind != VALUE_STRING)
			return cel_no_overload(
				list.as.items[i], list.as.items[i]);
		cap += (size_t)list.as.items[i].len + between.len;
	}
	if (!frame_spend(frame, list.len) || !writer_open(&wr, frame, cap))
		return value_error(ERR_SPACE);
	for (uint32_t i = 0; i < list.len; i++) {
		if (i != 0)
			put(&wr, between.as.s, between.len);
		put(&wr, list.as.items[i].as.s, list.as.items[i].len);
	}
	return writer_value(&wr);
}

/* How often `part` stands in `text`, at most `limit` times. An empty part
 * stands before every code point and at the end. */
static uint64_t
count_parts(struct value text, struct value part, uint64_t limit)
{
	uint64_t n = 0;

	if (part.len == 0) {
		n = (uint64_t)text_count(text.as.s, text.len) + 1;
		return n < limit ? n : limit;
	}
	for (uint32_t at = 0; n < limit; n++) {
		at = text_find(text, part, at);
		if (at == UINT32_MAX)
			break;
		at += part.len;
	}
	return n;
}

static void
replace_empty(struct writer *wr, struct value text, struct value to, uint64_t n)
{
	uint32_t at = 0;

	for (; n > 0; n--) {
		uint32_t step = at == text.len
					? 0
					: code_point_len(text_at(text, at),
						  text.len - at);

		put(wr, to.as.s, to.len);
		put(wr, text_at(text, at), step);
		at += step;
	}
	put(wr, text_at(text, at), text.len - at);
}

CEL_FN(fn_replace)
{
	struct value text = args[0], part = args[1], to = args[2];
	uint64_t limit = UINT64_MAX, n;
	struct writer wr;
	uint32_t at = 0;

	if (text.kind != VALUE_STRING || part.kind != VALUE_STRING ||
		to.kind != VALUE_STRING)
		return cel_no_overload(text, part);
	if (nargs == 4 && args[3].kind != VALUE_INT)
		return cel_no_overload(args[3], args[3]);
	if (nargs == 4 && args[3].as.i >= 0)
		limit = (uint64_t)args[3].as.i;
	if (!frame_spend(frame, text.len / 8))
		return value_error(ERR_COST);
	n = count_parts(text, part, limit);
	if (n != 0 && to.len > SCRATCH_BYTES / n)
		return value_error(ERR_SPACE);
	if (!writer_open(&wr, frame,
		    text.len + (size_t)n * to.len - (size_t)n * part.len))
		return value_error(ERR_SPACE);
	if (part.len == 0) {
		replace_empty(&wr, text, to, n);
		return writer_value(&wr);
	}
	for (; n > 0; n--) {
		uint32_t found = text_find(text, part, at);

		put(&wr, text_at(text, at), found - at);
		put(&wr, to.as.s, to.len);
		at = found + part.len;
	}
	put(&wr, text_at(text, at), text.len - at);
	return writer_value(&wr);
}

/* Between every two code points. */
static uint32_t
split_all(struct value text, struct value *items, uint64_t n)
{
	uint32_t at = 0, made = 0;

	while (at < text.len && made < n) {
		uint32_t step =
			code_point_len(text_at(text, at), text.len - at);

		if (made + 1 == n)
			step = text.len - at;
		items[made++] = value_string(text_at(text, at), step);
		at += step;
	}
	return made;
}

static uint32_t
split_at(struct value text, struct value part, struct value *items, uint64_t n)
{
	uint32_t at = 0, made = 0;

	while (made < n) {
		uint32_t found =
			made + 1 == n ? UINT32_MAX : text_find(text, part, at);

		if (found == UINT32_MAX) {
			items[made++] =
				value_string(text_at(text, at), text.len - at);
			break;
		}
		items[made++] = value_string(text_at(text, at), found - at);
		at = found + part.len;
	}
	return made;
}

CEL_FN(fn_split)
{
	struct value text = args[0], part = args[1];
	struct value *items;
	uint64_t n;

	if (text.kind != VALUE_STRING || part.kind != VALUE_STRING)
		return cel_no_overload(text, part);
	if (nargs == 3 && args[2].kind != VALUE_INT)
		return cel_no_overload(args[2], args[2]);
	if (!frame_spend(frame, text.len / 8))
		return value_error(ERR_COST);
	n = count_parts(text, part, UINT64_MAX - 1);
	if (part.len != 0)
		n++;
	if (nargs == 3 && args[2].as.i >= 0 && (uint64_t)args[2].as.i < n)
		n = (uint64_t)args[2].as.i;
	items = frame_values(frame, n);
	if (items == NULL || !frame_spend(frame, n))
		return value_error(ERR_SPACE);
	return (struct value){.kind = VALUE_LIST,
		.len = part.len == 0 ? split_all(text, items, n)
				     : split_at(text, part, items, n),
		.as = {.items = items}};
}

CEL_FN(fn_quote)
{
	static const char from[] = "\a\b\f\n\r\t\v\\\"";
	static const char to[] = "abfnrtv\\\"";
	struct value text = args[0];
	struct writer wr;

	(void)nargs;
	if (text.kind != VALUE_STRING)
		return cel_no_overload(text, text);
	if (!writer_open(&wr, frame, (size_t)text.len * 2 + 2))
		return value_error(ERR_SPACE);
	put(&wr, "\"", 1);
	for (uint32_t i = 0; i < text.len; i++) {
		char c = text.as.s[i];
		const char *at = c == '\0' ? NULL : strchr(from, c);

		if (at != NULL) {
			put(&wr, "\\", 1);
			c = to[at - from];
		}
		put(&wr, &c, 1);
	}
	put(&wr, "\"", 1);
	return writer_value(&wr);
}
