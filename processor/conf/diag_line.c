/*
 * diag_line.c - one line of a source, as a person may see it.
 *
 * Columns are those of a terminal: tabs reach to the next multiple of eight,
 * East Asian wide characters take two columns, combining marks none. A long
 * line is cut to a window around the mistake.
 *
 * SECRETS. In a source that was parsed their places are known. In one that
 * could not be parsed they are guessed from the text: what follows a key that
 * sounds secret, and every line indented below such a key. The password of a
 * URL is always looked for in the text. Hiding too much is harmless, but in the
 * parts where people name things themselves (a feature `tokens_30d`) nothing is
 * secret, and a hidden line would only be a riddle.
 */
#include "walk.h"

#include <string.h>

#include "segmentd/buf.h"
#include "segmentd/utf8.h"

#define WINDOW 120     /* columns shown of a long line */
#define WINDOW_LEAD 50 /* of these, before the mistake */
#define TAB 8
#define SCAN_BACK 4096 /* bytes before the mistake that are looked at */
#define HIDDEN_TEXT "***"

/* --- which bytes are secret --------------------------------------------- */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Where `word` (lower case) begins in the text, ignoring case; len if not. */
static size_t
find_word(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= len; i++) {
		size_t k = 0;

		while (k < n && lower(text[i + k]) == word[k])
			k++;
		if (k == n)
			return i;
	}
	return len;
}

/* The end of a word that sounds secret; 0 when there is none. */
static size_t
find_secret_word(const char *text, size_t len)
{
	static const char *const words[] = {"pass", "secret", "token", "pwd",
		"pasw", "passwort", "jaas", "key.pem", "credential", "userinfo",
		"user.info", "private.key", "apikey", "api.key", "api_key"};

	for (size_t i = 0; i < SG_COUNTOF(words); i++) {
		size_t at = find_word(text, len, words[i]);

		if (at < len)
			return at + strlen(words[i]);
	}
	return 0;
}

/* A misspelt `pasword` is as secret as the right one. */
bool
diag_key_is_secret(const char *key, size_t len)
{
	static const char *const words[] = {
		"password", "passphrase", "secret", "credentials", NULL};
	char part[32];
	size_t n = 0;

	if (find_secret_word(key, len) != 0)
		return true;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && key[i] != '.' && n + 1 < sizeof(part)) {
			part[n++] = lower(key[i]);
			continue;
		}
		part[n] = '\0';
		if (n > 3 && name_nearest(part, words) != NULL)
			return true;
		n = 0;
	}
	return false;
}

bool
diag_part_is_public(const char *key, size_t len)
{
	static const char *const parts[] = {"inputs", "variables", "scores",
		"segmentations", "renewal", "alerts"};

	for (size_t i = 0; i < SG_COUNTOF(parts); i++) {
		if (strlen(parts[i]) == len && memcmp(parts[i], key, len) == 0)
			return true;
	}
	return false;
}

/* Keeps the spans ascending and apart; when there are too many, the last one
 * grows over the rest of the line. */
static void
hide(struct diag_line *line, uint32_t start, uint32_t end)
{
	size_t at = 0;

	if (start < line->start)
		start = line->start;
	if (end > line->end)
		end = line->end;
	if (start >= end)
		return;
	while (at < line->nhidden && line->hidden[at].end < start)
		at++;
	if (at < line->nhidden && line->hidden[at].start <= end) {
		struct diag_span *old = &line->hidden[at];

		old->start = old->start < start ? old->start : start;
		old->end = old->end > end ? old->end : end;
		return;
	}
	if (line->nhidden == SG_COUNTOF(line->hidden)) {
		size_t last = line->nhidden - 1;

		at = at < last ? at : last;
		if (start < line->hidden[at].start)
			line->hidden[at].start = start;
		line->hidden[at].end = line->end;
		line->nhidden = at + 1;
		return;
	}
	memmove(&line->hidden[at + 1], &line->hidden[at],
		(line->nhidden - at) * sizeof(line->hidden[0]));
	line->hidden[at] = (struct diag_span){.start = start, .end = end};
	line->nhidden++;
}

static bool
ends_url(char c)
{
	return c == ' ' || c == '\t' || c == '"' || c == '\'' || c == '}';
}

/* scheme://user:PASSWORD@host */
static void
hide_url_passwords(struct diag_line *line)
{
	const char *text = line->source->text;

	for (uint32_t at = line->start; at + 3 < line->end; at++) {
		uint32_t colon = 0, end, last = 0;

		if (memcmp(text + at, "://", 3) != 0)
			continue;
		for (end = at + 3; end < line->end; end++) {
			if (ends_url(text[end]))
				break;
			if (text[end] == ':' && colon == 0)
				colon = end;
			if (text[end] == '@')
				last = end;
		}
		if (colon != 0 && last > colon)
			hide(line, colon + 1, last);
		at = end;
	}
}

static uint32_t
line_indent(const struct diag_source *source, uint32_t number)
{
	uint32_t at = source->lines[number];
	uint32_t n = 0;

	while (at + n < source->len &&
		(source->text[at + n] == ' ' || source->text[at + n] == '\t'))
		n++;
	return n;
}

static uint32_t
line_end(const struct diag_source *source, uint32_t number)
{
	uint32_t end = number + 1 < source->nlines
			       ? source->lines[number + 1] - 1
			       : source->len;

	if (end > source->lines[number] && source->text[end - 1] == '\r')
		end--;
	return end;
}

/* Hide what follows a key that sounds secret on this line. */
static void
hide_guessed(struct diag_line *line)
{
	const char *text = line->source->text + line->start;
	size_t len = line->end - line->start;
	size_t at = find_secret_word(text, len);

	if (at == 0)
		return;
	while (at < len && text[at] != ':' && text[at] != '=')
		at++;
	at++;
	while (at < len && text[at] == ' ')
		at++;
	if (at < len)
		hide(line, line->start + (uint32_t)at, line->end);
}

/* The key at the beginning of a line: its bytes, without what follows. */
static bool
line_is_public(const struct diag_source *source, uint32_t number)
{
	uint32_t begin = source->lines[number];
	size_t len = 0;

	while (begin + len < source->len && source->text[begin + len] != ':' &&
		source->text[begin + len] != '\n')
		len++;
	return diag_part_is_public(source->text + begin, len);
}

/* Is the line part of the value of a key that sounds secret, by indentation?
 * *ret_is_public: it belongs to a part that holds no secrets. */
static bool
is_below_secret(
	const struct diag_source *source, uint32_t number, bool *ret_is_public)
{
	uint32_t indent = line_indent(source, number);
	bool is_secret = false;

	*ret_is_public = indent == 0 && line_is_public(source, number);
	while (number > 0 && indent > 0) {
		uint32_t begin = source->lines[--number];
		uint32_t end = line_end(source, number);
		uint32_t less = line_indent(source, number);

		if (begin + less >= end || less >= indent ||
			source->text[begin + less] == '#')
			continue;
		indent = less;
		if (find_secret_word(source->text + begin, end - begin) != 0)
			is_secret = true;
		if (indent == 0)
			*ret_is_public = line_is_public(source, number);
	}
	return is_secret && !*ret_is_public;
}

void
diag_line_init(struct diag_line *line, const struct conf_diags *diags,
	const struct diag_source *source, uint32_t number)
{
	size_t n;
	bool is_all, is_below = false, is_public = false;
	const struct diag_span *secrets = diags_secrets(diags, &n, &is_all);

	*line = (struct diag_line){.source = source,
		.start = source->lines[number],
		.end = line_end(source, number)};
	if (!source->is_parsed)
		is_below = is_below_secret(source, number, &is_public);
	if (is_all || is_below) {
		hide(line, line->start + line_indent(source, number),
			line->end);
		return;
	}
	if (!source->is_parsed && !is_public)
		hide_guessed(line);
	for (size_t i = 0; i < n; i++) {
		if (secrets[i].start >= source->base &&
			secrets[i].end <= source->base + source->len)
			hide(line, secrets[i].start - source->base,
				secrets[i].end - source->base);
	}
	hide_url_passwords(line);
}

/* --- how it looks ------------------------------------------------------- */

struct range {
	uint32_t from, to;
};

/* Combining marks and other characters without a width of their own. */
static const struct range zero_width[] = {{0x0300, 0x036f}, {0x0483, 0x0489},
	{0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0900, 0x0902},
	{0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d}, {0x0e31, 0x0e31},
	{0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
	{0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20ff},
	{0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
	{0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0100, 0xe01ef}};

/* East Asian wide and fullwidth characters, and emoji. */
static const struct range two_wide[] = {{0x1100, 0x115f}, {0x231a, 0x231b},
	{0x23e9, 0x23ec}, {0x2614, 0x2615}, {0x26a1, 0x26a1}, {0x2705, 0x2705},
	{0x274c, 0x274c}, {0x2753, 0x2755}, {0x2795, 0x2797}, {0x2b50, 0x2b50},
	{0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff},
	{0xa000, 0xa4cf}, {0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
	{0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6},
	{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
	{0x20000, 0x3fffd}};

static bool
in_ranges(const struct range *ranges, size_t n, uint32_t c)
{
	if (c < ranges[0].from) /* nearly always */
		return false;
	for (size_t i = 0; i < n; i++) {
		if (c >= ranges[i].from && c <= ranges[i].to)
			return true;
	}
	return false;
}

/* What one character, tab or hidden span comes to. */
struct cell {
	uint32_t next;	  /* the byte after it */
	size_t width;	  /* columns */
	const char *text; /* NULL: `width` spaces */
	size_t len;
};

static uint32_t
decode_char(const char *text, size_t step)
{
	const unsigned char *at = (const unsigned char *)text;

	switch (step) {
	case 2:
		return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
	case 3:
		return (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 |
		       (at[2] & 0x3fu);
	case 4:
		return (at[0] & 0x07u) << 18 | (at[1] & 0x3fu) << 12 |
		       (at[2] & 0x3fu) << 6 | (at[3] & 0x3fu);
	default:
		return at[0];
	}
}

static struct cell
cell_at(const struct diag_line *line, uint32_t at, size_t column)
{
	const char *text = line->source->text + at;
	size_t step;
	uint32_t c;

	for (size_t i = 0; i < line->nhidden; i++) {
		if (at >= line->hidden[i].start && at < line->hidden[i].end)
			return (struct cell){.next = line->hidden[i].end,
				.width = strlen(HIDDEN_TEXT),
				.text = HIDDEN_TEXT,
				.len = strlen(HIDDEN_TEXT)};
	}
	if (*text == '\t')
		return (struct cell){
			.next = at + 1, .width = TAB - column % TAB};
	step = utf8_char_len(text, line->end - at);
	if (step == 0)
		return (struct cell){
			.next = at + 1, .width = 1, .text = "?", .len = 1};
	c = decode_char(text, step);
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
		return (struct cell){.next = at + (uint32_t)step,
			.width = 1,
			.text = "?",
			.len = 1};
	/* Nothing may turn the direction of the line (bidi controls). */
	if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return (struct cell){.next = at + (uint32_t)step,
			.width = 1,
			.text = "?",
			.len = 1};
	return (struct cell){.next = at + (uint32_t)step,
		.width = in_ranges(zero_width, SG_COUNTOF(zero_width), c) ? 0
			 : in_ranges(two_wide, SG_COUNTOF(two_wide), c)	  ? 2
									  : 1,
		.text = text,
		.len = step};
}

/* Begin near the mistake: a line may be a megabyte long. */
static uint32_t
scan_start(const struct diag_line *line, uint32_t from)
{
	uint32_t at;

	if (from - line->start <= SCAN_BACK)
		return line->start;
	at = from - SCAN_BACK;
	while (at < from &&
		((unsigned char)line->source->text[at] & 0xc0) == 0x80)
		at++;
	return at;
}

static void
put_cells(const struct diag_line *line, uint32_t begin, size_t low,
	struct buf *out)
{
	size_t column = 0;
	uint32_t at = begin;

	while (at < line->end) {
		struct cell cell = cell_at(line, at, column);

		if (column >= low && column + cell.width > low + WINDOW) {
			buf_put_str(out, " ...");
			return;
		}
		if (column >= low && cell.text != NULL)
			buf_put(out, cell.text, cell.len);
		for (size_t i = 0;
			column >= low && cell.text == NULL && i < cell.width;
			i++)
			buf_put_u8(out, ' ');
		column += cell.width;
		at = cell.next;
	}
}

void
diag_line_print(const struct diag_line *line, uint32_t from, uint32_t to,
	struct buf *out, size_t *ret_column, size_t *ret_width)
{
	uint32_t begin, at;
	size_t column = 0, low = 0, left, right;
	size_t lead = 0;

	from = from > line->end ? line->end : from;
	to = to > line->end ? line->end : to;
	begin = scan_start(line, from);
	for (at = begin; at < from;) {
		struct cell cell = cell_at(line, at, column);

		if (cell.next > from)
			break;
		column += cell.width;
		at = cell.next;
	}
	left = column;
	while (at < to && column < left + WINDOW) {
		struct cell cell = cell_at(line, at, column);

		column += cell.width;
		at = cell.next;
	}
	right = column;

	/* The window begins between two characters. */
	if (begin > line->start || right > WINDOW) {
		size_t want = left > WINDOW_LEAD ? left - WINDOW_LEAD : 0;

		low = 0;
		for (at = begin; at < from && low < want;) {
			struct cell cell = cell_at(line, at, low);

			low += cell.width;
			at = cell.next;
		}
		low = low > left ? left : low;
		lead = strlen("... ");
		buf_put_str(out, "... ");
	}
	put_cells(line, begin, low, out);
	if (right > low + WINDOW)
		right = low + WINDOW;
	*ret_column = left - low + lead;
	*ret_width = right > left ? right - left : 1;
}
