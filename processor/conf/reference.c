/*
 * reference.c - the options as a commented piece of YAML: what
 * config/segmentd.yaml holds and `segmentd check --options` prints.
 */
#include "walk.h"

#include <string.h>

#include "segmentd/buf.h"

#define LINE_MAX_CHARS 78

/* Words of a text, wrapped, behind `indent` spaces and a #. */
static void
put_comment(struct buf *out, size_t indent, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + 1 + len > LINE_MAX_CHARS) {
			buf_put_u8(out, '\n');
			column = 0;
		}
		if (column == 0) {
			for (size_t i = 0; i < indent; i++)
				buf_put_u8(out, ' ');
			buf_put_u8(out, '#');
			column = indent + 1;
		}
		buf_put_u8(out, ' ');
		buf_put(out, text, len);
		column += 1 + len;
		text += len;
		while (*text == ' ')
			text++;
	}
	buf_put_u8(out, '\n');
}

/* What may stand there, in words. */
static void
range_words(const struct conf_option *row, struct buf *out)
{
	char low[UNIT_TEXT_MAX], high[UNIT_TEXT_MAX];

	switch (row->kind) {
	case CONF_INT:
		if (row->min != row->max)
			buf_printf(out, " From %lld to %lld.",
				(long long)row->min, (long long)row->max);
		break;
	case CONF_SPAN:
		buf_printf(out, " From %s to %s.", span_text(row->min, low),
			span_text(row->max, high));
		break;
	case CONF_SIZE:
		buf_printf(out, " From %s to %s.", size_text(row->min, low),
			size_text(row->max, high));
		break;
	case CONF_BOOL:
		buf_put_str(out, " true or false.");
		break;
	case CONF_ENUM:
		buf_put_str(out, " One of: ");
		for (const char *at = row->choices; *at != '\0'; at++) {
			buf_put_u8(out, (uint8_t)*at);
			if (*at == ',')
				buf_put_u8(out, ' ');
		}
		buf_put_u8(out, '.');
		break;
	case CONF_TEXT:
	default:
		break;
	}
}

static void
put_row(struct buf *out, const struct conf_option *row, size_t indent,
	const char *key)
{
	bool needs_quotes =
		row->fallback[0] == '\0' || strchr(row->fallback, ':') != NULL;
	const char *quote = needs_quotes ? "\"" : "";
	struct buf help;

	buf_init(&help, 4096);
	buf_put_str(&help, row->help);
	range_words(row, &help);
	put_comment(out, indent, buf_cstr(&help));
	buf_fini(&help);
	for (size_t i = 0; i < indent; i++)
		buf_put_u8(out, ' ');
	buf_printf(out, "#%s: %s%s%s\n", key, quote, row->fallback, quote);
}

void
conf_reference(struct buf *out)
{
	size_t n;
	const struct conf_option *rows = conf_option_rows(&n);
	char section[64] = "";

	for (size_t i = 0; i < n; i++) {
		const char *dot = strchr(rows[i].path, '.');
		size_t len = dot != NULL ? (size_t)(dot - rows[i].path) : 0;

		buf_put_u8(out, '\n');
		if (len > 0 && len < sizeof(section) &&
			(strlen(section) != len ||
				memcmp(section, rows[i].path, len) != 0)) {
			memcpy(section, rows[i].path, len);
			section[len] = '\0';
			buf_printf(out, "#%s:\n", section);
		}
		put_row(out, &rows[i], len > 0 ? 2 : 0,
			len > 0 ? dot + 1 : rows[i].path);
	}
}
