/*
 * diag.c - mistakes of the configuration, collected and shown at their place.
 *
 * A mistake is kept with the bytes it is about; line, column and the source
 * line are found when it is printed. The sources are copied, since what they
 * were read from may be gone by then. What is shown was written by somebody
 * else: control characters are replaced, secrets are hidden, and there is a
 * bound on how many mistakes are kept and printed.
 */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/utf8.h"

#define SOURCES_MAX 128
#define ARENA_MAX ((size_t)64 << 20)
#define MESSAGE_MAX 512

struct conf_diags {
	struct arena arena;
	struct diag items[DIAG_KEEP_MAX];
	size_t n;
	size_t errors;
	size_t warnings;
	struct diag_source sources[SOURCES_MAX];
	size_t nsources;
	struct diag_span *secrets;
	size_t nsecrets;
	size_t secrets_cap;
	bool is_all_secret; /* a secret could not be noted: show no line */
};

enum sg_err
conf_diags_create(struct conf_diags **ret_diags)
{
	struct conf_diags *diags = calloc(1, sizeof(*diags));

	if (diags == NULL)
		return SG_NOMEM;
	arena_init(&diags->arena, ARENA_MAX);
	*ret_diags = diags;
	return SG_OK;
}

void
conf_diags_destroy(struct conf_diags *diags)
{
	if (diags == NULL)
		return;
	arena_fini(&diags->arena);
	free(diags->secrets);
	free(diags);
}

size_t
conf_diags_errors(const struct conf_diags *diags)
{
	return diags->errors;
}

size_t
conf_diags_warnings(const struct conf_diags *diags)
{
	return diags->warnings;
}

bool
diags_is_full(const struct conf_diags *diags)
{
	return diags->n == DIAG_KEEP_MAX;
}

/* Where each line begins. */
static bool
source_lines(struct arena *arena, struct diag_source *source)
{
	uint32_t n = 1;
	uint32_t *lines;

	for (uint32_t i = 0; i < source->len; i++)
		n += source->text[i] == '\n';
	lines = arena_array(arena, n, sizeof(*lines));
	if (lines == NULL)
		return false;
	source->lines = lines;
	source->nlines = n;
	*lines++ = 0;
	for (uint32_t i = 0; i < source->len; i++) {
		if (source->text[i] == '\n')
			*lines++ = i + 1;
	}
	return true;
}

enum sg_err
diags_source_add(struct conf_diags *diags, const char *name, const char *text,
	size_t len, const struct diag_source **ret_source)
{
	struct diag_source source = {.base = 0};

	if (diags->nsources == SOURCES_MAX || len > DOC_SIZE_MAX)
		return SG_LIMIT;
	if (diags->nsources > 0) {
		const struct diag_source *last =
			&diags->sources[diags->nsources - 1];

		source.base = last->base + last->len + 1;
	}
	source.len = (uint32_t)len;
	source.name = arena_copy(&diags->arena, name, strlen(name));
	source.text = arena_copy(&diags->arena, text, len);
	if (source.name == NULL || source.text == NULL ||
		!source_lines(&diags->arena, &source))
		return SG_NOMEM;
	diags->sources[diags->nsources] = source;
	*ret_source = &diags->sources[diags->nsources++];
	return SG_OK;
}

void
diags_source_parsed(struct conf_diags *diags, const struct diag_source *source)
{
	diags->sources[source - diags->sources].is_parsed = true;
}

void
diags_secret(struct conf_diags *diags, uint32_t start, uint32_t end)
{
	if (diags->nsecrets == diags->secrets_cap) {
		size_t cap = diags->secrets_cap * 2 + 16;
		struct diag_span *grown =
			realloc(diags->secrets, cap * sizeof(*grown));

		if (grown == NULL) {
			diags->is_all_secret = true;
			return;
		}
		diags->secrets = grown;
		diags->secrets_cap = cap;
	}
	diags->secrets[diags->nsecrets++] =
		(struct diag_span){.start = start, .end = end};
}

const struct diag_span *
diags_secrets(const struct conf_diags *diags, size_t *ret_n, bool *ret_is_all)
{
	*ret_n = diags->nsecrets;
	*ret_is_all = diags->is_all_secret;
	return diags->secrets;
}

const struct diag_source *
diags_source_at(const struct conf_diags *diags, uint32_t at)
{
	for (size_t i = diags->nsources; i > 0; i--) {
		const struct diag_source *source = &diags->sources[i - 1];

		if (at >= source->base && at <= source->base + source->len)
			return source;
	}
	return NULL;
}

/* A copy of a message without what a terminal would act upon. */
static const char *
message_copy(struct arena *arena, const char *text)
{
	size_t len = strlen(text);
	char *copy = arena_copy(arena, text, len);
	size_t to = 0;

	if (copy == NULL)
		return NULL;
	for (size_t at = 0; at < len;) {
		size_t step = utf8_char_len(text + at, len - at);
		unsigned char first = (unsigned char)text[at];
		bool is_c1 = step == 2 && first == 0xc2 &&
			     (unsigned char)text[at + 1] < 0xa0;

		if (step == 0 && at + 4 > len)
			break; /* cut short by the bound on messages */
		if (step == 0 || is_c1 || first < 0x20 || first == 0x7f) {
			copy[to++] = '?';
			at += step == 0 ? 1 : step;
			continue;
		}
		memmove(copy + to, text + at, step);
		to += step;
		at += step;
	}
	copy[to] = '\0';
	return copy;
}

/* The bytes a mistake is about. */
static void
diag_place(const struct conf_diags *diags, struct diag *diag,
	const struct conf_text *text, uint32_t offset, uint32_t len)
{
	const struct diag_source *source;
	struct diag_span span;

	if (text == NULL && diags->nsources > 0)
		diag->start = diags->sources[diags->nsources - 1].base;
	else if (text != NULL)
		diag->start = text->start;
	if (text == NULL || text->line == 0)
		return;
	source = diags_source_at(diags, text->start);
	if (source == NULL)
		return;
	diag->is_placed = true;
	diag->start = text->start;
	diag->end = text->end;
	if (len == 0 && offset == 0)
		return;
	if (scalar_locate(source, text, offset, len, &span)) {
		diag->start = span.start;
		diag->end = span.end;
	}
}

void
conf_diag_at(struct conf_diags *diags, const struct conf_text *text,
	uint32_t offset, uint32_t len, bool is_warning, const char *hint,
	const char *fmt, ...)
{
	struct diag diag = {.is_warning = is_warning};
	char message[MESSAGE_MAX];
	va_list args;

	if (is_warning)
		diags->warnings++;
	else
		diags->errors++;
	if (diags_is_full(diags))
		return;

	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	diag.text = message_copy(&diags->arena, message);
	if (hint != NULL && hint[0] != '\0')
		diag.hint = message_copy(&diags->arena, hint);
	if (diag.text == NULL)
		return;
	diag_place(diags, &diag, text, offset, len);
	diag.order = (uint32_t)diags->n;
	diags->items[diags->n++] = diag;
}

/* By place; what has none comes last. */
static int
diag_compare(const void *left, const void *right)
{
	const struct diag *a = left, *b = right;

	if (a->is_placed != b->is_placed)
		return a->is_placed ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* The line of a byte of the source. */
static uint32_t
source_line(const struct diag_source *source, uint32_t at)
{
	uint32_t low = 0, high = source->nlines;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (source->lines[mid] <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static uint32_t
count_chars(const char *text, uint32_t len)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

struct style {
	const char *bold, *error, *warning, *caret, *hint, *off;
};

static const struct style plain_style = {"", "", "", "", "", ""};
static const struct style colour_style = {"\033[1m", "\033[1;31m", "\033[1;35m",
	"\033[1;32m", "\033[32m", "\033[0m"};

static void
diag_head_print(
	const struct diag *diag, const struct style *style, struct buf *out)
{
	const char *colour = diag->is_warning ? style->warning : style->error;

	buf_put_str(out, ": ");
	buf_put_str(out, style->off);
	buf_put_str(out, colour);
	buf_put_str(out, diag->is_warning ? "warning" : "error");
	buf_put_str(out, ": ");
	buf_put_str(out, style->off);
	buf_put_str(out, style->bold);
	buf_put_str(out, diag->text);
	buf_put_str(out, style->off);
	buf_put_u8(out, '\n');
}

static void
diag_source_print(const struct conf_diags *diags, const struct diag *diag,
	const struct style *style, struct buf *out)
{
	const struct diag_source *source = diags_source_at(diags, diag->start);
	uint32_t from = diag->start - source->base;
	uint32_t to = diag->end - source->base;
	uint32_t number = source_line(source, from);
	uint32_t begin = source->lines[number];
	size_t column, width;
	struct diag_line line;

	buf_put_str(out, style->bold);
	buf_printf(out, "%s:%u:%u", source->name, number + 1,
		count_chars(source->text + begin, from - begin) + 1);
	diag_head_print(diag, style, out);

	diag_line_init(&line, diags, source, number);
	buf_printf(out, "%5u | ", number + 1);
	diag_line_print(&line, from, to, out, &column, &width);
	buf_put_str(out, "\n      | ");
	for (size_t i = 0; i < column; i++)
		buf_put_u8(out, ' ');
	buf_put_str(out, style->caret);
	buf_put_u8(out, '^');
	for (size_t i = 1; i < width; i++)
		buf_put_u8(out, '~');
	buf_put_str(out, style->off);
	if (diag->hint != NULL) {
		buf_put_u8(out, ' ');
		buf_put_str(out, style->hint);
		buf_put_str(out, diag->hint);
		buf_put_str(out, style->off);
	}
	buf_put_u8(out, '\n');
}

/* A mistake of a source as a whole: something is missing. */
static void
diag_placeless_print(const struct conf_diags *diags, const struct diag *diag,
	const struct style *style, struct buf *out)
{
	const struct diag_source *source = diags_source_at(diags, diag->start);

	buf_put_str(out, style->bold);
	buf_put_str(out, source != NULL ? source->name : "segmentd");
	diag_head_print(diag, style, out);
	if (diag->hint != NULL) {
		buf_put_str(out, "      | ");
		buf_put_str(out, style->hint);
		buf_put_str(out, diag->hint);
		buf_put_str(out, style->off);
		buf_put_u8(out, '\n');
	}
}

void
conf_diags_print(
	const struct conf_diags *diags, bool is_coloured, struct buf *out)
{
	const struct style *style = is_coloured ? &colour_style : &plain_style;
	struct diag sorted[DIAG_KEEP_MAX];
	size_t all = diags->errors + diags->warnings;
	size_t shown = 0;

	memcpy(sorted, diags->items, diags->n * sizeof(sorted[0]));
	qsort(sorted, diags->n, sizeof(sorted[0]), diag_compare);
	for (; shown < diags->n && shown < DIAG_PRINT_MAX; shown++) {
		if (sorted[shown].is_placed)
			diag_source_print(diags, &sorted[shown], style, out);
		else
			diag_placeless_print(diags, &sorted[shown], style, out);
	}
	if (all > shown)
		buf_printf(out, "and %zu more\n", all - shown);
}
