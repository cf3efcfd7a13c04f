/*
 * doc.c - libyaml's events as a tree with byte positions.
 *
 * libyaml counts characters, and takes U+0085, U+2028 and U+2029 for line
 * breaks as YAML 1.1 had it. So the bytes are looked through first: those
 * characters, control characters and broken UTF-8 are refused, which makes
 * libyaml's lines those of every editor; and a cursor turns its character
 * indexes into byte offsets. Events come in the order of the file, so the
 * cursor hardly ever goes back.
 *
 * The events are read in a loop with a stack of open maps and lists, bounded
 * in depth; nodes are bounded in number.
 */
#include "segmentd/doc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/hash.h"
#include "segmentd/utf8.h"

#include "doc_bytes.h"

#define DOC_ARENA_MAX ((size_t)64 << 20)

struct doc {
	struct arena arena;
	struct doc_node *root;
};

struct frame {
	struct doc_node *node;
	struct doc_node *last; /* child */
	struct conf_text key;  /* of a map: read, its value not yet */
	bool has_key;
	bool is_secret; /* so is everything below */
};

struct reader {
	struct doc *doc;
	struct conf_diags *diags;
	const struct diag_source *source;
	yaml_parser_t parser;
	struct frame stack[DOC_DEPTH_MAX];
	size_t depth;
	size_t nevents;
	size_t cursor_chars; /* the cursor stands at this character, */
	uint32_t cursor;     /* which is this byte */
	bool is_done;
};

/* --- places ------------------------------------------------------------- */

static uint32_t
reader_offset(struct reader *rd, size_t index)
{
	const char *text = rd->source->text;

	while (rd->cursor_chars < index && rd->cursor < rd->source->len) {
		size_t n = utf8_char_len(
			text + rd->cursor, rd->source->len - rd->cursor);

		rd->cursor += n > 0 ? (uint32_t)n : 1;
		rd->cursor_chars++;
	}
	while (rd->cursor_chars > index && rd->cursor > 0) {
		rd->cursor--;
		if (((unsigned char)text[rd->cursor] & 0xc0) != 0x80)
			rd->cursor_chars--;
	}
	return rd->cursor;
}

static struct conf_text
reader_place(
	struct reader *rd, const yaml_mark_t *start, const yaml_mark_t *end)
{
	uint32_t base = rd->source->base;
	uint32_t from = reader_offset(rd, start->index);

	return (struct conf_text){.line = (uint32_t)start->line + 1,
		.column = (uint32_t)start->column + 1,
		.start = base + from,
		.end = base + reader_offset(rd, end->index)};
}

static struct conf_text
event_place(struct reader *rd, const yaml_event_t *event)
{
	return reader_place(rd, &event->start_mark, &event->end_mark);
}

/* --- what libyaml says -------------------------------------------------- */

static const char *
syntax_hint(const struct reader *rd, uint32_t at, const char *problem)
{
	char c = at < rd->source->len ? rd->source->text[at] : '\0';

	if (c == '\t')
		return "a tab cannot indent: use spaces";
	if (strstr(problem, "mapping values are not allowed") != NULL)
		return "a text with `: ` in it needs quotes: '...'";
	if (strstr(problem, "cannot start any token") != NULL)
		return "a text that begins with this needs quotes: '...'";
	if (strstr(problem, "expected ',' or '}'") != NULL)
		return "is a `,` or `}` missing, or quotes around a text?";
	if (strstr(problem, "expected ',' or ']'") != NULL)
		return "is a `,` or `]` missing, or quotes around a text?";
	if (strstr(problem, "unexpected end of stream") != NULL)
		return "is a closing quote missing?";
	if (strstr(problem, "did not find expected key") != NULL)
		return "is the line indented as its neighbours, or a text "
		       "not quoted?";
	if (strstr(problem, "could not find expected ':'") != NULL)
		return "a key is followed by `: `";
	return NULL;
}

static enum sg_err
syntax_fault(struct reader *rd)
{
	yaml_parser_t *parser = &rd->parser;
	struct conf_text place;
	const char *problem = parser->problem;
	const yaml_mark_t *mark;
	char begun[48] = "";

	if (parser->error == YAML_MEMORY_ERROR || problem == NULL)
		return SG_NOMEM;
	mark = &parser->problem_mark;
	if (strstr(problem, "unexpected end of stream") != NULL &&
		parser->context != NULL)
		mark = &parser->context_mark; /* where it began says more */
	else if (parser->context != NULL &&
		 parser->context_mark.line != mark->line)
		(void)snprintf(begun, sizeof(begun), " (begun at line %zu)",
			parser->context_mark.line + 1);
	place = reader_place(rd, mark, mark);
	conf_diag_at(rd->diags, &place, 0, 0, false,
		syntax_hint(rd, place.start - rd->source->base, problem),
		"not YAML: %s%s%s%s",
		parser->context != NULL ? parser->context : "",
		parser->context != NULL ? ", " : "", problem, begun);
	return SG_BAD_CONFIG;
}

static enum sg_err
refuse(struct reader *rd, const yaml_event_t *event, const char *hint,
	const char *what)
{
	struct conf_text place = event_place(rd, event);

	conf_diag_at(rd->diags, &place, 0, 0, false, hint, "%s", what);
	return SG_BAD_CONFIG;
}

/* --- building ----------------------------------------------------------- */

static bool
is_null_text(const yaml_event_t *event)
{
	const char *s = (const char *)event->data.scalar.value;

	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return s[0] == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 ||
	       strcmp(s, "Null") == 0 || strcmp(s, "NULL") == 0;
}

/* An anchor or a tag: say so, and go on without it. */
static bool
has_property(struct reader *rd, const yaml_event_t *event)
{
	const yaml_char_t *anchor, *tag;

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (tag != NULL)
		(void)refuse(rd, event,
			"quote an expression that begins with `!`: '!...'",
			"YAML tags are not supported");
	else if (anchor != NULL)
		(void)refuse(rd, event,
			"write the value out, or quote a text that begins "
			"with `&`",
			"YAML anchors are not supported");
	return tag != NULL || anchor != NULL;
}

static enum sg_err
refuse_alias(struct reader *rd, const yaml_event_t *event)
{
	return refuse(rd, event,
		"write the value out, or quote a text that begins with `*`",
		"YAML aliases are not supported");
}

/* Link a new node under the innermost open one. */
static struct doc_node *
node_add(struct reader *rd, const yaml_event_t *event, enum doc_kind kind)
{
	struct doc_node *node;
	struct frame *top;

	node = arena_alloc(&rd->doc->arena, sizeof(*node));
	if (node == NULL)
		return NULL;
	*node = (struct doc_node){.kind = kind, .text = event_place(rd, event)};
	if (rd->depth == 0) {
		rd->doc->root = node;
		return node;
	}
	top = &rd->stack[rd->depth - 1];
	if (top->last == NULL)
		top->node->first = node;
	else
		top->last->next = node;
	top->last = node;
	top->node->n++;
	if (top->node->kind == DOC_MAP) {
		node->key = top->key;
		top->has_key = false;
	}
	return node;
}

static enum sg_err
text_fill(struct reader *rd, const yaml_event_t *event, struct conf_text *text)
{
	const yaml_char_t *value = event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (memchr(value, '\0', len) != NULL)
		return refuse(rd, event, NULL,
			"a text with a NUL character is not allowed");
	text->s = arena_copy(&rd->doc->arena, value, len);
	if (text->s == NULL)
		return SG_NOMEM;
	text->len = len;
	text->style = (uint8_t)event->data.scalar.style;
	return SG_OK;
}

/* Does the key of this node, or one above it, sound secret? */
static bool
is_secret(const struct reader *rd, const struct doc_node *node)
{
	const struct doc_node *part = rd->depth > 1 ? rd->stack[1].node : node;

	if (part->key.s != NULL &&
		diag_part_is_public(part->key.s, part->key.len))
		return false;
	if (node->key.s != NULL &&
		diag_key_is_secret(node->key.s, node->key.len))
		return true;
	return rd->depth > 0 && rd->stack[rd->depth - 1].is_secret;
}

static bool
wants_key(const struct reader *rd)
{
	const struct frame *top;

	if (rd->depth == 0)
		return false;
	top = &rd->stack[rd->depth - 1];
	return top->node->kind == DOC_MAP && !top->has_key;
}

static enum sg_err
key_add(struct reader *rd, const yaml_event_t *event)
{
	struct frame *top = &rd->stack[rd->depth - 1];

	top->key = event_place(rd, event);
	top->has_key = true;
	(void)has_property(rd, event);
	return text_fill(rd, event, &top->key);
}

static enum sg_err
scalar_add(struct reader *rd, const yaml_event_t *event)
{
	struct doc_node *node;

	if (wants_key(rd))
		return key_add(rd, event);
	node = node_add(rd, event, DOC_TEXT);
	if (node == NULL)
		return SG_NOMEM;
	if (has_property(rd, event)) {
		node->kind = DOC_BAD;
		return SG_OK;
	}
	node->is_null = is_null_text(event);
	if (is_secret(rd, node))
		diags_secret(rd->diags, node->text.start, node->text.end);
	return text_fill(rd, event, &node->text);
}

static enum sg_err
alias_add(struct reader *rd, const yaml_event_t *event)
{
	enum sg_err err = refuse_alias(rd, event);

	if (wants_key(rd))
		return err;
	return node_add(rd, event, DOC_BAD) == NULL ? SG_NOMEM : SG_OK;
}

static enum sg_err
group_open(struct reader *rd, const yaml_event_t *event, enum doc_kind kind)
{
	struct doc_node *node;

	if (wants_key(rd))
		return refuse(rd, event,
			"a text that begins with `{` or `[` needs quotes",
			"a key must be a text");
	if (rd->depth == DOC_DEPTH_MAX)
		return refuse(rd, event, NULL, "nested too deeply");
	node = node_add(rd, event, kind);
	if (node == NULL)
		return SG_NOMEM;
	(void)has_property(rd, event);
	rd->stack[rd->depth] =
		(struct frame){.node = node, .is_secret = is_secret(rd, node)};
	rd->depth++;
	return SG_OK;
}

/* --- duplicate keys ----------------------------------------------------- */

struct key_entry {
	uint64_t hash;
	uint32_t order;
	struct doc_node *node;
};

static int
key_compare(const void *left, const void *right)
{
	const struct key_entry *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void
drop_repeats(struct doc_node *map)
{
	struct doc_node **link = &map->first;

	while (*link != NULL) {
		if ((*link)->is_repeat) {
			*link = (*link)->next;
			map->n--;
		} else {
			link = &(*link)->next;
		}
	}
}

/* The first of several equal keys stays. */
static enum sg_err
check_duplicates(struct reader *rd, struct doc_node *map)
{
	struct key_entry *keys;
	size_t n = 0;

	if (map->n < 2)
		return SG_OK;
	keys = calloc(map->n, sizeof(*keys));
	if (keys == NULL)
		return SG_NOMEM;
	for (struct doc_node *c = map->first; c != NULL; c = c->next) {
		keys[n] = (struct key_entry){
			.hash = hash_bytes(c->key.s, c->key.len),
			.order = (uint32_t)n,
			.node = c};
		n++;
	}
	qsort(keys, n, sizeof(*keys), key_compare);
	for (size_t i = 1, first = 0; i < n; i++) {
		const struct conf_text *key = &keys[i].node->key;

		if (keys[i].hash != keys[first].hash) {
			first = i;
			continue;
		}
		conf_diag_at(rd->diags, key, 0, 0, false, NULL,
			"`%.64s` is already given at line %u", key->s,
			keys[first].node->key.line);
		keys[i].node->is_repeat = true;
	}
	free(keys);
	drop_repeats(map);
	return SG_OK;
}

static enum sg_err
group_close(struct reader *rd, const yaml_event_t *event)
{
	struct doc_node *node = rd->stack[--rd->depth].node;

	node->text.end =
		rd->source->base + reader_offset(rd, event->end_mark.index);
	if (node->kind == DOC_MAP)
		return check_duplicates(rd, node);
	return SG_OK;
}

/* --- the event loop ----------------------------------------------------- */

static enum sg_err
event_take(struct reader *rd, const yaml_event_t *event)
{
	if (++rd->nevents > 3 * DOC_NODES_MAX)
		return refuse(rd, event, NULL, "the file has too many parts");
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (rd->doc->root != NULL)
			return refuse(rd, event, "only one is allowed",
				"a second YAML document");
		return SG_OK;
	case YAML_SCALAR_EVENT:
		return scalar_add(rd, event);
	case YAML_ALIAS_EVENT:
		return alias_add(rd, event);
	case YAML_SEQUENCE_START_EVENT:
		return group_open(rd, event, DOC_LIST);
	case YAML_MAPPING_START_EVENT:
		return group_open(rd, event, DOC_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return group_close(rd, event);
	case YAML_STREAM_END_EVENT:
		rd->is_done = true;
		return SG_OK;
	default:
		return SG_OK;
	}
}

static enum sg_err
reader_run(struct reader *rd)
{
	enum sg_err err = SG_OK;

	if (yaml_parser_initialize(&rd->parser) == 0)
		return SG_NOMEM;
	yaml_parser_set_encoding(&rd->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&rd->parser,
		(const unsigned char *)rd->source->text, rd->source->len);
	while (err == SG_OK && !rd->is_done) {
		yaml_event_t event;

		if (yaml_parser_parse(&rd->parser, &event) == 0) {
			err = syntax_fault(rd);
			break;
		}
		err = event_take(rd, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&rd->parser);
	return err;
}

static enum sg_err
check_root(struct reader *rd)
{
	const struct doc_node *root = rd->doc->root;

	if (root == NULL || (root->kind == DOC_TEXT && root->is_null)) {
		conf_diag_at(rd->diags, NULL, 0, 0, false, NULL, "empty");
		return SG_BAD_CONFIG;
	}
	if (root->kind != DOC_MAP) {
		conf_diag_at(rd->diags, &root->text, 0, 0, false,
			"a file begins with keys, such as `version: 1`",
			"not a map");
		return SG_BAD_CONFIG;
	}
	return SG_OK;
}

/* A file that cannot be used at all. */
static enum sg_err
file_fault(struct conf_diags *diags, const char *name, const char *fault)
{
	const struct diag_source *source;
	enum sg_err err = diags_source_add(diags, name, "", 0, &source);

	if (err != SG_OK)
		return err;
	conf_diag_at(diags, NULL, 0, 0, false, NULL, "%s", fault);
	return SG_BAD_CONFIG;
}

enum sg_err
doc_parse(const char *name, const char *yaml, size_t len,
	struct conf_diags *diags, struct doc **ret_doc)
{
	struct reader *rd = calloc(1, sizeof(*rd));
	enum sg_err err = SG_NOMEM;

	if (rd == NULL)
		return SG_NOMEM;
	rd->diags = diags;
	rd->doc = calloc(1, sizeof(*rd->doc));
	if (rd->doc == NULL)
		goto out;
	arena_init(&rd->doc->arena, DOC_ARENA_MAX);

	if (len >= 3 && memcmp(yaml, "\xef\xbb\xbf", 3) == 0) {
		yaml += 3;
		len -= 3;
	}
	if (len > DOC_SIZE_MAX) {
		err = file_fault(diags, name, "larger than 4 MiB");
		goto out;
	}
	err = diags_source_add(diags, name, yaml, len, &rd->source);
	if (err == SG_OK)
		err = doc_check_bytes(diags, rd->source);
	if (err == SG_OK)
		err = reader_run(rd);
	if (err == SG_OK) {
		diags_source_parsed(diags, rd->source);
		err = check_root(rd);
	}
	if (err == SG_OK) {
		*ret_doc = rd->doc;
		rd->doc = NULL; /* the caller's now */
	}
out:
	doc_destroy(rd->doc);
	free(rd);
	return err;
}

enum sg_err
doc_read(const char *path, struct conf_diags *diags, struct doc **ret_doc)
{
	struct buf bytes;
	enum sg_err err;

	buf_init(&bytes, DOC_FILE_MAX);
	err = doc_file_read(path, &bytes);
	if (err == SG_IO)
		err = file_fault(diags, path, strerror(errno));
	else if (err == SG_OK)
		err = doc_parse(path,
			bytes.len > 0 ? (const char *)bytes.bytes : "",
			bytes.len, diags, ret_doc);
	buf_fini(&bytes);
	return err;
}

void
doc_destroy(struct doc *doc)
{
	if (doc == NULL)
		return;
	arena_fini(&doc->arena);
	free(doc);
}

const struct doc_node *
doc_root(const struct doc *doc)
{
	return doc->root;
}

const struct doc_node *
doc_get(const struct doc_node *map, const char *key)
{
	if (map == NULL || map->kind != DOC_MAP)
		return NULL;
	for (const struct doc_node *c = map->first; c != NULL; c = c->next) {
		if (strcmp(c->key.s, key) == 0)
			return c;
	}
	return NULL;
}
