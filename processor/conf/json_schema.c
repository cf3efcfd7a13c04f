/*
 * json_schema.c - the form of the file as a JSON Schema, for editors.
 *
 * The options come from the rows of tbl/options.def. The rest is written down
 * here, beside the readers it describes; a test lets both judge the same
 * files. A schema cannot say everything (duplicate topics, zones, what
 * expressions mean): `segmentd check` has the last word.
 */
#include "walk.h"

#include <string.h>

#include "segmentd/buf.h"

#define ENV "\\\\$\\\\{([A-Za-z_][A-Za-z0-9_]*|file:[^}]+)\\\\}"

static const char definitions[] =
	"\"name\": {\"type\": \"string\", \"maxLength\": 64,\n"
	"  \"pattern\": \"^[a-z][a-z0-9_]*$\"},\n"
	"\"segmentName\": {\"type\": [\"string\", \"number\"],\n"
	"  \"maxLength\": 64, \"pattern\": \"^[A-Za-z0-9_.-]+$\"},\n"
	"\"path\": {\"type\": \"string\", \"description\":\n"
	"  \"A field of the schema: a.b, items[0], traits[\\\"tier\\\"], "
	"@timestamp, @headers[\\\"type\\\"].\",\n"
	"  \"pattern\": \"^(@?[A-Za-z_][A-Za-z0-9_]*"
	"(\\\\.[A-Za-z_][A-Za-z0-9_]*|\\\\[[0-9]+\\\\]"
	"|\\\\[\\\"[^\\\"]*\\\"\\\\]|\\\\['[^']*'\\\\])*|.*" ENV ".*)$\"},\n"
	"\"topic\": {\"type\": \"string\",\n"
	"  \"pattern\": \"^([A-Za-z0-9._-]{1,249}|.*" ENV ".*)$\"},\n"
	"\"text\": {\"type\": [\"string\", \"number\", \"boolean\"]},\n"
	"\"environment\": {\"type\": \"string\", \"pattern\": \"" ENV "\"},\n"
	"\"span\": {\"type\": \"string\", \"description\":\n"
	"  \"A span of time: 30d, 12h, 90m, 1h30m, 500ms.\",\n"
	"  \"pattern\": \"^([0-9]+(ms|[wdhms]))+$\"},\n"
	"\"expression\": {\"type\": [\"string\", \"number\", \"boolean\"],\n"
	"  \"minLength\": 1, \"maxLength\": 65536,\n"
	"  \"description\": \"An expression (CEL).\"},\n";

static const char feature[] =
	"\"feature\": {\"type\": \"object\",\n"
	"  \"additionalProperties\": false,\n"
	"  \"properties\": {\n"
	"    \"last\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"first\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"latest\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"count\": {\"anyOf\": [{\"$ref\": \"#/$defs/span\"},\n"
	"      {\"const\": \"all\"}]},\n"
	"    \"sum\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"min\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"max\": {\"anyOf\": [{\"$ref\": \"#/$defs/path\"},\n"
	"      {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 4096}]},\n"
	"    \"mean\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"distinct\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"rate\": {\"anyOf\": [{\"$ref\": \"#/$defs/span\"},\n"
	"      {\"$ref\": \"#/$defs/path\"}]},\n"
	"    \"trend\": {\"anyOf\": [{\"$ref\": \"#/$defs/span\"},\n"
	"      {\"$ref\": \"#/$defs/path\"}]},\n"
	"    \"streak\": {\"enum\": [true, null]},\n"
	"    \"days_since\": {\"enum\": [true, null]},\n"
	"    \"collect\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"window\": {\"$ref\": \"#/$defs/span\"},\n"
	"    \"where\": {\"$ref\": \"#/$defs/expression\"},\n"
	"    \"as\": {\"enum\": [\"bool\", \"int\", \"double\",\n"
	"      \"string\", \"timestamp\"], \"description\":\n"
	"      \"The type that the field's values are taken as.\"},\n"
	"    \"keep\": {\"type\": \"array\", \"maxItems\": 32,\n"
	"      \"uniqueItems\": true,\n"
	"      \"items\": {\"$ref\": \"#/$defs/path\"}},\n"
	"    \"closed_when\": {\"$ref\": \"#/$defs/expression\"},\n"
	"    \"remove_when\": {\"$ref\": \"#/$defs/expression\"}},\n"
	"  \"oneOf\": [\n"
	"    {\"required\": [\"last\"], \"not\": {\"required\": "
	"[\"window\"]}},\n"
	"    {\"required\": [\"first\"], \"not\": {\"required\": "
	"[\"window\"]}},\n"
	"    {\"required\": [\"latest\"], \"not\": {\"required\": "
	"[\"window\"]}},\n"
	"    {\"required\": [\"count\"], \"not\": {\"required\": "
	"[\"window\"]}},\n"
	"    {\"required\": [\"sum\"]},\n"
	"    {\"required\": [\"min\"]},\n"
	"    {\"required\": [\"max\"], \"not\": {\"required\": "
	"[\"collect\"]},\n"
	"      \"properties\": {\"max\": {\"type\": \"string\"}}},\n"
	"    {\"required\": [\"mean\", \"window\"]},\n"
	"    {\"required\": [\"distinct\", \"window\"]},\n"
	"    {\"required\": [\"rate\"], \"anyOf\": [\n"
	"      {\"required\": [\"window\"]},\n"
	"      {\"properties\": {\"rate\": {\"$ref\": "
	"\"#/$defs/span\"}}}]},\n"
	"    {\"required\": [\"trend\"], \"anyOf\": [\n"
	"      {\"required\": [\"window\"]},\n"
	"      {\"properties\": {\"trend\": {\"$ref\": "
	"\"#/$defs/span\"}}}]},\n"
	"    {\"required\": [\"streak\"], \"not\": {\"required\": "
	"[\"window\"]}},\n"
	"    {\"required\": [\"days_since\"], \"not\": {\"required\": "
	"[\"window\"]}},\n"
	"    {\"required\": [\"collect\"], \"not\": {\"required\": "
	"[\"window\"]}}],\n"
	"  \"dependentRequired\": {\"keep\": [\"collect\"],\n"
	"    \"closed_when\": [\"collect\"],\n"
	"    \"remove_when\": [\"collect\"]},\n"
	"  \"dependentSchemas\": {\"as\": {\"not\": {\"anyOf\": [\n"
	"    {\"required\": [\"count\"]}, {\"required\": [\"streak\"]},\n"
	"    {\"required\": [\"days_since\"]}]}}}},\n";

static const char parts_defs[] =
	"\"input\": {\"type\": \"object\",\n"
	"  \"additionalProperties\": false, \"required\": [\"topic\"],\n"
	"  \"properties\": {\n"
	"    \"topic\": {\"$ref\": \"#/$defs/topic\"},\n"
	"    \"schema\": {\"type\": \"string\", \"minLength\": 1,\n"
	"      \"description\": \"File of the schema we read with.\"},\n"
	"    \"framing\": {\"enum\": [\"auto\", \"confluent\",\n"
	"      \"single_object\", \"bare\"]},\n"
	"    \"key\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"time\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"id\": {\"$ref\": \"#/$defs/path\"},\n"
	"    \"delete_when\": {\"$ref\": \"#/$defs/expression\"},\n"
	"    \"retention\": {\"$ref\": \"#/$defs/span\"},\n"
	"    \"features\": {\"type\": \"object\", \"maxProperties\": 512,\n"
	"      \"propertyNames\": {\"$ref\": \"#/$defs/name\"},\n"
	"      \"additionalProperties\": {\"$ref\": \"#/$defs/feature\"}}},\n"
	"  \"if\": {\"properties\": {\"framing\": {\"const\": \"bare\"}},\n"
	"    \"required\": [\"framing\"]},\n"
	"  \"then\": {\"required\": [\"schema\"]}},\n"
	"\"segmentation\": {\"type\": \"object\",\n"
	"  \"additionalProperties\": false,\n"
	"  \"oneOf\": [{\"required\": [\"segments\"],\n"
	"      \"not\": {\"required\": [\"exit\"]}},\n"
	"    {\"required\": [\"enter\"]}],\n"
	"  \"properties\": {\n"
	"    \"segments\": {\"type\": \"array\", \"minItems\": 1,\n"
	"      \"maxItems\": 256, \"description\":\n"
	"      \"The first that holds wins; the last is the default.\",\n"
	"      \"items\": {\"type\": \"object\", \"required\": [\"name\"],\n"
	"        \"additionalProperties\": false, \"properties\": {\n"
	"          \"name\": {\"$ref\": \"#/$defs/segmentName\"},\n"
	"          \"when\": {\"$ref\": \"#/$defs/expression\"}}}},\n"
	"    \"enter\": {\"$ref\": \"#/$defs/expression\"},\n"
	"    \"exit\": {\"$ref\": \"#/$defs/expression\"},\n"
	"    \"min_stay\": {\"$ref\": \"#/$defs/span\"},\n"
	"    \"cooldown\": {\"$ref\": \"#/$defs/span\"},\n"
	"    \"on_error\": {\"enum\": [\"hold\", \"exit\"]}}},\n"
	"\"clause\": {\"type\": \"object\",\n"
	"  \"additionalProperties\": false,\n"
	"  \"required\": [\"name\", \"when\", \"points\"], \"properties\": {\n"
	"    \"name\": {\"$ref\": \"#/$defs/segmentName\"},\n"
	"    \"when\": {\"$ref\": \"#/$defs/expression\"},\n"
	"    \"points\": {\"type\": \"number\"}}}\n";

/* Properties of the root that are no options. */
static const char parts[] =
	"\"kafka\": {\"type\": \"object\", \"description\":\n"
	"  \"Properties of librdkafka, handed through.\",\n"
	"  \"additionalProperties\": {\"$ref\": \"#/$defs/text\"}},\n"
	"\"inputs\": {\"type\": \"object\", \"minProperties\": 1,\n"
	"  \"maxProperties\": 16,\n"
	"  \"propertyNames\": {\"$ref\": \"#/$defs/name\"},\n"
	"  \"additionalProperties\": {\"$ref\": \"#/$defs/input\"}},\n"
	"\"variables\": {\"type\": \"object\", \"maxProperties\": 1024,\n"
	"  \"propertyNames\": {\"$ref\": \"#/$defs/name\"},\n"
	"  \"additionalProperties\": {\"$ref\": \"#/$defs/expression\"}},\n"
	"\"scores\": {\"type\": \"object\", \"maxProperties\": 64,\n"
	"  \"propertyNames\": {\"$ref\": \"#/$defs/name\"},\n"
	"  \"additionalProperties\": {\"type\": \"array\", \"minItems\": 1,\n"
	"    \"maxItems\": 256,\n"
	"    \"items\": {\"$ref\": \"#/$defs/clause\"}}},\n"
	"\"segmentations\": {\"type\": \"object\", \"maxProperties\": 255,\n"
	"  \"propertyNames\": {\"$ref\": \"#/$defs/name\",\n"
	"    \"not\": {\"const\": \"renewal\"}},\n"
	"  \"additionalProperties\": {\"$ref\": \"#/$defs/segmentation\"}},\n"
	"\"renewal\": {\"type\": \"object\", \"required\": [\"date\"],\n"
	"  \"additionalProperties\": false, \"properties\": {\n"
	"    \"date\": {\"$ref\": \"#/$defs/expression\"},\n"
	"    \"windows\": {\"type\": \"array\", \"minItems\": 1,\n"
	"      \"maxItems\": 32, \"uniqueItems\": true,\n"
	"      \"items\": {\"type\": \"integer\", \"minimum\": 1,\n"
	"        \"maximum\": 3650}},\n"
	"    \"timezone\": {\"type\": \"string\"},\n"
	"    \"priority\": {\"$ref\": \"#/$defs/expression\"}}}";

static const char schema_ids[] =
	",\n\"ids\": {\"type\": \"object\", \"description\":\n"
	"  \"Files of writer schemas by Confluent id.\",\n"
	"  \"propertyNames\": {\"pattern\": \"^[0-9]+$\"},\n"
	"  \"additionalProperties\": {\"type\": \"string\"}}";

/* --- the options -------------------------------------------------------- */

static void
put_string(struct buf *out, const char *text)
{
	buf_put_u8(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_put_u8(out, '\\');
		buf_put_u8(out, (uint8_t)*text);
	}
	buf_put_u8(out, '"');
}

static void
put_choices(struct buf *out, const char *choices)
{
	for (;;) {
		size_t n = strcspn(choices, ",");

		buf_printf(out, "\"%.*s\"", (int)n, choices);
		if (choices[n] == '\0')
			return;
		buf_put_str(out, ", ");
		choices += n + 1;
	}
}

/* A value, or a ${NAME} or ${file:PATH} in its place. */
static void
put_form(struct buf *out, const struct conf_option *row)
{
	if (row->kind == CONF_TEXT) {
		buf_put_str(out, "\"$ref\": \"#/$defs/text\"");
		return;
	}
	buf_put_str(out, "\"anyOf\": [{");
	switch (row->kind) {
	case CONF_INT:
		buf_printf(out,
			"\"type\": \"integer\", \"minimum\": %lld, "
			"\"maximum\": %lld",
			(long long)row->min, (long long)row->max);
		break;
	case CONF_SPAN:
		buf_put_str(out, "\"$ref\": \"#/$defs/span\"");
		break;
	case CONF_SIZE:
		buf_put_str(out, "\"type\": [\"integer\", \"string\"], "
				 "\"pattern\": \"^[0-9]+([KMGT]i)?B?$\"");
		break;
	case CONF_BOOL:
		buf_put_str(out, "\"type\": \"boolean\"");
		break;
	default:
		buf_put_str(out, "\"enum\": [");
		put_choices(out, row->choices);
		buf_put_str(out, "]");
		break;
	}
	buf_put_str(out, "}, {\"$ref\": \"#/$defs/environment\"}]");
}

static void
put_option(struct buf *out, const struct conf_option *row, const char *key)
{
	bool is_quoted = row->kind != CONF_INT && row->kind != CONF_BOOL;

	buf_printf(out, "\"%s\": {", key);
	put_form(out, row);
	buf_put_str(out, ",\n  \"default\": ");
	if (is_quoted)
		put_string(out, row->fallback);
	else
		buf_put_str(out, row->fallback);
	buf_put_str(out, ",\n  \"description\": ");
	put_string(out, row->help);
	buf_put_str(out, "}");
}

static size_t
section_len(const char *path)
{
	const char *dot = strchr(path, '.');

	return dot == NULL ? 0 : (size_t)(dot - path);
}

/* Rows of a section follow one another in the table. */
static size_t
put_section(struct buf *out, const struct conf_option *rows, size_t n)
{
	size_t len = section_len(rows[0].path);
	size_t i = 0;

	buf_printf(out,
		"\"%.*s\": {\"type\": \"object\", "
		"\"additionalProperties\": false,\n\"properties\": {\n",
		(int)len, rows[0].path);
	for (; i < n && section_len(rows[i].path) == len &&
		memcmp(rows[i].path, rows[0].path, len) == 0;
		i++) {
		if (i > 0)
			buf_put_str(out, ",\n");
		put_option(out, &rows[i], rows[i].path + len + 1);
	}
	if (len == strlen("schemas") && memcmp(rows[0].path, "schemas", 7) == 0)
		buf_put_str(out, schema_ids);
	buf_put_str(out, "}},\n");
	return i;
}

void
conf_json_schema(struct buf *out)
{
	size_t n;
	const struct conf_option *rows = conf_option_rows(&n);

	buf_put_str(out, "{\n\"$schema\": "
			 "\"https://json-schema.org/draft/2020-12/schema\",\n"
			 "\"title\": \"Configuration of segmentd\",\n"
			 "\"type\": \"object\",\n"
			 "\"additionalProperties\": false,\n"
			 "\"required\": [\"inputs\"],\n"
			 "\"properties\": {\n");
	for (size_t i = 0; i < n;) {
		if (section_len(rows[i].path) > 0) {
			i += put_section(out, rows + i, n - i);
			continue;
		}
		put_option(out, &rows[i], rows[i].path);
		buf_put_str(out, ",\n");
		i++;
	}
	buf_put_str(out, parts);
	buf_put_str(out, "},\n\"$defs\": {\n");
	buf_put_str(out, definitions);
	buf_put_str(out, feature);
	buf_put_str(out, parts_defs);
	buf_put_str(out, "}\n}\n");
}
