/* view.c - an account's public view for people and for machines. */
#include "view.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define SEGMENT "segment."
#define RENEWAL "renewal."

static bool
begins_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

const struct store_field *
view_find(const struct store_field *fields, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	}
	return NULL;
}

static bool
is_text(const struct type *type)
{
	return type == NULL || type->kind == TYPE_STRING ||
	       type->kind == TYPE_BYTES || type->kind == TYPE_TIMESTAMP ||
	       type->kind == TYPE_DURATION;
}

json_t *
view_json(const struct program *program, const struct store_field *field)
{
	json_t *json = NULL;

	if (field == NULL)
		return json_null();
	if (!is_text(look_field_type(program, field->name)))
		json = json_loadb(
			field->value, field->len, JSON_DECODE_ANY, NULL);
	return json != NULL ? json : json_stringn(field->value, field->len);
}

/* --- text --------------------------------------------------------------- */

enum section { SEGMENTS, RENEWALS, VALUES, HEAD };

static enum section
section_of(const char *name)
{
	if (begins_with(name, SEGMENT))
		return SEGMENTS;
	if (begins_with(name, RENEWAL))
		return RENEWALS;
	if (strcmp(name, "version") == 0 || strcmp(name, "updated_at") == 0)
		return HEAD;
	return VALUES;
}

/* Its name within the section, where that says the rest. */
static const char *
short_name(const char *name)
{
	enum section section = section_of(name);

	if (section == SEGMENTS)
		return name + strlen(SEGMENT);
	return section == RENEWALS ? name + strlen(RENEWAL) : name;
}

static void
print_section(enum section section, const struct store_field *fields, size_t n,
	bool is_coloured, struct buf *out)
{
	static const char *const titles[] = {"segments", "renewal", "values"};
	int width = 0;

	for (size_t i = 0; i < n; i++) {
		int len = (int)strlen(short_name(fields[i].name));

		if (section_of(fields[i].name) == section && len > width)
			width = len;
	}
	if (width == 0)
		return;
	buf_printf(out, "\n  %s%s%s\n", is_coloured ? "\033[1m" : "",
		titles[section], is_coloured ? "\033[0m" : "");
	for (size_t i = 0; i < n; i++) {
		if (section_of(fields[i].name) == section)
			buf_printf(out, "    %-*s  %s\n", width,
				short_name(fields[i].name), fields[i].value);
	}
}

void
view_print(const char *account, const struct store_field *fields, size_t n,
	bool is_coloured, struct buf *out)
{
	const struct store_field *version = view_find(fields, n, "version");
	const struct store_field *updated = view_find(fields, n, "updated_at");

	buf_printf(out, "%s, version %s, last event or change %s\n", account,
		version == NULL ? "-" : version->value,
		updated == NULL ? "-" : updated->value);
	for (enum section s = SEGMENTS; s <= VALUES; s++)
		print_section(s, fields, n, is_coloured, out);
}

/* --- JSON --------------------------------------------------------------- */

json_t *
view_all_json(const struct program *program, const char *account,
	const struct store_field *fields, size_t n)
{
	json_t *sections[3] = {json_object(), json_object(), json_object()};

	for (size_t i = 0; i < n; i++) {
		enum section section = section_of(fields[i].name);

		if (section != HEAD)
			(void)json_object_set_new(sections[section],
				short_name(fields[i].name),
				view_json(program, &fields[i]));
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "account_id",
		account, "version",
		view_json(program, view_find(fields, n, "version")),
		"updated_at",
		view_json(program, view_find(fields, n, "updated_at")),
		"segments", sections[SEGMENTS], "renewal", sections[RENEWALS],
		"values", sections[VALUES]);
}

int
json_print(json_t *json)
{
	char *text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(2));

	json_decref(json);
	if (text == NULL)
		return SG_EXIT_INTERNAL;
	(void)puts(text);
	free(text);
	return SG_EXIT_OK;
}

/* What a spreadsheet would take for a formula; a negative number is none. */
static bool
is_formula(const char *text)
{
	if (text[0] == '-')
		return (text[1] < '0' || text[1] > '9') && text[1] != '.';
	return text[0] != '\0' && strchr("=+@\t\r", text[0]) != NULL;
}

void
csv_put(struct buf *out, const char *text)
{
	bool is_quoted = strpbrk(text, ",\"\r\n") != NULL || is_formula(text);

	if (is_quoted)
		buf_put_u8(out, '"');
	if (is_formula(text))
		buf_put_u8(out, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			buf_put_u8(out, '"');
		buf_put_u8(out, (uint8_t)*text);
	}
	if (is_quoted)
		buf_put_u8(out, '"');
}
