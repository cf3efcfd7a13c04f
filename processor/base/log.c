/*
 * log.c - one line an entry, in one write(2), to standard error.
 *
 * The line is made in a buffer on the stack: logging never allocates, so it
 * works when memory is out. A field that does not fit is left out whole and
 * the line says truncated=true, so it stays well-formed whatever comes.
 *
 * Text is made safe for its reader: control characters are escaped, and what
 * is not UTF-8 becomes U+FFFD. A hostile value can thus not start a line.
 *
 * The level and the format are atomics: of the few mutable globals segmentd
 * allows itself.
 */
#include "segmentd/log.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "segmentd/civil.h"
#include "segmentd/clock.h"
#include "segmentd/utf8.h"

#define LINE_BYTES 8192
#define TAIL_BYTES 32 /* room for the mark of truncation and the end */

static _Atomic int log_level = LOG_INFO;
static _Atomic int log_format = LOG_LOGFMT;

struct line {
	enum log_format format;
	size_t len;
	bool is_full;
	char text[LINE_BYTES];
};

static void
line_put(struct line *line, const char *text, size_t len)
{
	if (line->is_full || len > LINE_BYTES - TAIL_BYTES - line->len) {
		line->is_full = true;
		return;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void
line_put_str(struct line *line, const char *text)
{
	line_put(line, text, strlen(text));
}

/* May logfmt write the text without quotes? */
static bool
text_is_bare(const char *text)
{
	if (*text == '\0')
		return false;
	for (const char *at = text; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;

		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
			return false;
	}
	return true;
}

static void
line_put_quoted(struct line *line, const char *text)
{
	size_t left = strlen(text);

	line_put(line, "\"", 1);
	while (left > 0 && !line->is_full) {
		unsigned char c = (unsigned char)*text;
		size_t len = utf8_char_len(text, left);
		char code[8];

		if (len == 0) {
			line_put_str(line, "\\ufffd");
			len = 1;
		} else if (c == '"' || c == '\\') {
			line_put(line, "\\", 1);
			line_put(line, text, 1);
		} else if (c == '\n') {
			line_put_str(line, "\\n");
		} else if (c < ' ' || c == 0x7f) {
			(void)snprintf(
				code, sizeof(code), "\\u%04x", (unsigned int)c);
			line_put_str(line, code);
		} else {
			line_put(line, text, len);
		}
		text += len;
		left -= len;
	}
	line_put(line, "\"", 1);
}

static void
line_put_text(struct line *line, const char *text)
{
	if (line->format == LOG_LOGFMT && text_is_bare(text))
		line_put_str(line, text);
	else
		line_put_quoted(line, text);
}

static void
line_put_name(struct line *line, const char *name)
{
	if (line->format == LOG_JSON) {
		line_put_str(line, line->len == 0 ? "{" : ",");
		line_put_quoted(line, name);
		line_put_str(line, ":");
		return;
	}
	if (line->len > 0)
		line_put_str(line, " ");
	line_put_str(line, name);
	line_put_str(line, "=");
}

static void
line_put_double(struct line *line, double d)
{
	char text[32];

	if (!isfinite(d)) {
		line_put_text(line, isnan(d) ? "NaN" : d > 0 ? "Inf" : "-Inf");
		return;
	}
	(void)snprintf(text, sizeof(text), "%.6g", d);
	line_put_str(line, text);
}

static void
line_put_field(struct line *line, const struct log_field *field)
{
	size_t before = line->len;
	char text[24];

	line_put_name(line, field->name);
	switch (field->type) {
	case LOG_F_STR:
		line_put_text(line, field->as.s == NULL ? "" : field->as.s);
		break;
	case LOG_F_INT:
		(void)snprintf(
			text, sizeof(text), "%lld", (long long)field->as.i);
		line_put_str(line, text);
		break;
	case LOG_F_DOUBLE:
		line_put_double(line, field->as.d);
		break;
	case LOG_F_BOOL:
		line_put_str(line, field->as.i != 0 ? "true" : "false");
		break;
	}
	if (line->is_full)
		line->len = before;
}

/* Uses the room that line_put() keeps free. */
static void
line_end(struct line *line)
{
	static const char *const ends[2][2] = {
		[LOG_LOGFMT] = {"\n", " truncated=true\n"},
		[LOG_JSON] = {"}\n", ",\"truncated\":true}\n"},
	};
	const char *end = ends[line->format][line->is_full];
	size_t len = strlen(end);

	memcpy(line->text + line->len, end, len);
	line->len += len;
}

static void
line_write(const struct line *line)
{
	size_t done = 0;

	while (done < line->len) {
		ssize_t n = write(
			STDERR_FILENO, line->text + done, line->len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			return; /* nowhere to complain to */
	}
}

/* Always three decimals, so that lines align and sort as text. */
static void
time_now(char *text, size_t cap)
{
	int64_t now_ms = clock_now_ms();
	size_t len = civil_format(now_ms / 1000, 0, text, cap);

	(void)snprintf(
		text + len - 1, cap - len + 1, ".%03dZ", (int)(now_ms % 1000));
}

static const char *
level_name(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG:
		return "debug";
	case LOG_INFO:
		return "info";
	case LOG_WARN:
		return "warn";
	case LOG_ERROR:
		break;
	}
	return "error";
}

void
log_setup(enum log_level level, enum log_format format)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
	atomic_store_explicit(
		&log_format, format == LOG_JSON ? 1 : 0, memory_order_relaxed);
}

bool
log_is_on(enum log_level level)
{
	return (int)level >=
	       atomic_load_explicit(&log_level, memory_order_relaxed);
}

void
log_write(enum log_level level, const char *event,
	const struct log_field *fields, size_t nfields)
{
	int saved_errno = errno;
	char now[CIVIL_RFC3339_MAX];
	struct line line;

	if (!log_is_on(level))
		return;
	line.format = (enum log_format)atomic_load_explicit(
		&log_format, memory_order_relaxed);
	line.len = 0;
	line.is_full = false;
	time_now(now, sizeof(now));

	line_put_field(&line, &LOG_STR("time", now));
	line_put_field(&line, &LOG_STR("level", level_name(level)));
	line_put_field(&line, &LOG_STR("event", event));
	for (size_t i = 0; i < nfields && !line.is_full; i++)
		line_put_field(&line, &fields[i]);
	line_end(&line);
	line_write(&line);
	errno = saved_errno;
}

bool
log_limit_pass(struct log_limit *limit, uint64_t *ret_skipped)
{
	int64_t mono_ms = clock_mono_us() / 1000;

	if (limit->last_mono_ms != 0 && mono_ms - limit->last_mono_ms < 1000) {
		limit->skipped++;
		return false;
	}
	*ret_skipped = limit->skipped;
	limit->skipped = 0;
	limit->last_mono_ms = mono_ms == 0 ? 1 : mono_ms;
	return true;
}
