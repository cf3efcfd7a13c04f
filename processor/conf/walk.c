#include "walk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doc_bytes.h"
#include "segmentd/buf.h"
#include "segmentd/civil.h"
#include "segmentd/utf8.h"

#define MESSAGE_MAX 512
#define ENV_TEXT_MAX 65536 /* bytes of a text after replacing */
#define ENV_NAME_MAX 256
#define FILE_MARK "file:"
/* Above ENV_TEXT_MAX and one more value, hence never reached: a buffer that
 * failed had no memory. */
#define ENV_BUF_MAX ((size_t)1 << 30)

void
walk_fault(struct walk *walk, const struct doc_node *node, const char *hint,
	const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	va_list args;

	if (node->kind == DOC_BAD)
		return; /* was reported */
	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	conf_diag_at(
		walk->diags, &node->text, 0, 0, false, hint, "%s", message);
}

void
walk_key_fault(struct walk *walk, const struct doc_node *node, const char *hint,
	const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	struct conf_text place = node->key;
	va_list args;

	if (node->kind == DOC_BAD)
		return;
	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	if (place.s == NULL) {
		/* An element of a list, or the root: its first byte. */
		place = node->text;
		place.end = place.start + 1;
	}
	conf_diag_at(walk->diags, &place, 0, 0, false, hint, "%s", message);
}

void *
walk_array(struct walk *walk, size_t n, size_t size)
{
	void *array;

	if (n == 0)
		return NULL;
	array = arena_array(walk->arena, n, size);
	if (array == NULL)
		walk->err = SG_NOMEM;
	else
		memset(array, 0, n * size);
	return array;
}

bool
walk_is(struct walk *walk, const struct doc_node *node, enum doc_kind kind,
	const char *what)
{
	bool has_key = node->key.s != NULL;

	if (node->kind == kind && !node->is_null)
		return true;
	if (node->is_null && has_key)
		walk_key_fault(walk, node, "give it one, or remove the key",
			"`%.80s` has no value: it must be %s", node->key.s,
			what);
	else if (node->kind == DOC_TEXT || !has_key)
		walk_fault(walk, node, NULL, "must be %s", what);
	else
		walk_key_fault(walk, node, NULL, "`%.80s` must be %s",
			node->key.s, what);
	return false;
}

static bool
text_keep(struct walk *walk, const struct conf_text *text,
	struct conf_text *ret_text)
{
	*ret_text = *text;
	ret_text->s = arena_copy(walk->arena, text->s, text->len);
	if (ret_text->s == NULL) {
		walk->err = SG_NOMEM;
		return false;
	}
	return true;
}

bool
walk_text(struct walk *walk, const struct doc_node *node, bool may_be_empty,
	struct conf_text *ret_text)
{
	if (!walk_is(walk, node, DOC_TEXT, "a text"))
		return false;
	if (node->text.len == 0 && !may_be_empty) {
		walk_fault(walk, node, NULL, "must not be empty");
		return false;
	}
	return text_keep(walk, &node->text, ret_text);
}

bool
walk_expr(struct walk *walk, const struct doc_node *node,
	struct conf_text *ret_text)
{
	if (!walk_is(walk, node, DOC_TEXT, "an expression"))
		return false;
	if (node->text.len == 0) {
		walk_fault(walk, node, NULL, "an expression cannot be empty");
		return false;
	}
	if (node->text.len > CONF_EXPR_MAX) {
		walk_fault(walk, node, NULL,
			"an expression has at most %d bytes", CONF_EXPR_MAX);
		return false;
	}
	return text_keep(walk, &node->text, ret_text);
}

bool
walk_key(struct walk *walk, const struct doc_node *node,
	struct conf_text *ret_text)
{
	return text_keep(walk, &node->key, ret_text);
}

/* --- ${NAME}, ${file:PATH} ---------------------------------------------- */

/* A mistake about the reference whose inside stands at text[at, at + len). */
__attribute__((format(printf, 6, 7))) static void
reference_fault(struct walk *walk, const struct conf_text *text, size_t at,
	size_t len, const char *hint, const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	conf_diag_at(walk->diags, text, (uint32_t)at - 2, (uint32_t)len + 3,
		false, hint, "%s", message);
}

static bool
is_env_name(const char *name, size_t len)
{
	if (len == 0 || len >= ENV_NAME_MAX ||
		(name[0] >= '0' && name[0] <= '9'))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
			!(c >= '0' && c <= '9') && c != '_')
			return false;
	}
	return true;
}

/* Append the variable whose name stands at text[at, at + len). */
static bool
put_variable(struct walk *walk, const struct conf_text *text, size_t at,
	size_t len, struct buf *out)
{
	char name[ENV_NAME_MAX];
	const char *value;

	if (!is_env_name(text->s + at, len)) {
		reference_fault(walk, text, at, len, "write $${ for a plain ${",
			"not the name of an environment variable");
		return false;
	}
	memcpy(name, text->s + at, len);
	name[len] = '\0';
	value = getenv(name);
	if (value == NULL) {
		reference_fault(walk, text, at, len, NULL,
			"the environment variable %s is not set", name);
		return false;
	}
	if (!utf8_is_valid(value, strlen(value))) {
		reference_fault(walk, text, at, len, NULL,
			"the environment variable %s is not UTF-8", name);
		return false;
	}
	buf_put_str(out, value);
	return true;
}

/* A file holds a line: its end is no part of the value. */
static size_t
value_len(const struct buf *file)
{
	size_t len = file->len;

	if (len > 0 && file->bytes[len - 1] == '\n')
		len--;
	if (len > 0 && file->bytes[len - 1] == '\r')
		len--;
	return len;
}

/* Read the file that the reference at text[at, at + len) names. */
static bool
load_file(struct walk *walk, const struct conf_text *text, size_t at,
	size_t len, const char *path, struct buf *file)
{
	enum sg_err err = doc_file_read(path, file);
	int number = errno;
	const char *bytes = buf_cstr(file);

	if (err == SG_NOMEM || file->is_failed)
		walk->err = SG_NOMEM;
	else if (err != SG_OK)
		reference_fault(walk, text, at, len, NULL,
			"the file %.200s cannot be read: %s", path,
			strerror(number));
	else if (file->len > ENV_TEXT_MAX)
		reference_fault(walk, text, at, len, NULL,
			"the file %.200s is larger than 64 KiB", path);
	else if (strlen(bytes) != file->len || !utf8_is_valid(bytes, file->len))
		reference_fault(walk, text, at, len, NULL,
			"the file %.200s is not UTF-8 text", path);
	else
		return true;
	return false;
}

/* Append the content of the file whose path stands at text[at, at + len). */
static bool
put_file(struct walk *walk, const struct conf_text *text, size_t at, size_t len,
	struct buf *out)
{
	size_t skip = strlen(FILE_MARK);
	struct conf_text path = {.len = len - skip};
	struct buf file;
	bool is_good;

	if (path.len == 0) {
		reference_fault(walk, text, at, len, NULL,
			"a path comes after `${file:`");
		return false;
	}
	path.s = arena_copy(walk->arena, text->s + at + skip, path.len);
	if (path.s == NULL)
		walk->err = SG_NOMEM;
	if (path.s == NULL || !walk_resolve(walk, &path))
		return false;
	buf_init(&file, DOC_FILE_MAX);
	is_good = load_file(walk, text, at, len, path.s, &file);
	if (is_good)
		buf_put(out, file.bytes, value_len(&file));
	if (file.bytes != NULL)
		explicit_bzero(file.bytes, file.cap);
	buf_fini(&file);
	return is_good;
}

/* Goes no further than what makes `out` too long, which the caller reports. */
static bool
env_replace(struct walk *walk, const struct conf_text *text, struct buf *out)
{
	size_t at = 0;
	bool is_good = true;

	while (at < text->len && out->len <= ENV_TEXT_MAX) {
		const char *s = text->s + at;
		const char *close;
		size_t len;

		if (strncmp(s, "$${", 3) == 0) {
			buf_put_str(out, "${");
			at += 3;
			continue;
		}
		if (strncmp(s, "${", 2) != 0) {
			buf_put_u8(out, (uint8_t)*s);
			at++;
			continue;
		}
		close = strchr(s, '}');
		if (close == NULL) {
			conf_diag_at(walk->diags, text, (uint32_t)at, 2, false,
				"write $${ for a plain ${", "`${` without `}`");
			return false;
		}
		len = (size_t)(close - s) - 2;
		if (strncmp(s + 2, FILE_MARK, strlen(FILE_MARK)) == 0)
			is_good &= put_file(walk, text, at + 2, len, out);
		else
			is_good &= put_variable(walk, text, at + 2, len, out);
		at += len + 3;
	}
	return is_good;
}

bool
walk_env_text(struct walk *walk, const struct doc_node *node, bool may_be_empty,
	struct conf_text *ret_text)
{
	struct buf out;
	struct conf_text text = node->text;
	bool is_good;

	if (!walk_is(walk, node, DOC_TEXT, "a text"))
		return false;
	if (strstr(text.s, "${") == NULL)
		return walk_text(walk, node, may_be_empty, ret_text);

	buf_init(&out, ENV_BUF_MAX);
	is_good = env_replace(walk, &node->text, &out);
	text.s = buf_cstr(&out);
	if (out.is_failed) {
		walk->err = SG_NOMEM;
		is_good = false;
	}
	if (is_good && out.len > ENV_TEXT_MAX) {
		walk_fault(walk, node, NULL,
			"too long with what ${...} stands for put in");
		is_good = false;
	}
	if (is_good && out.len == 0 && !may_be_empty) {
		walk_fault(walk, node, NULL,
			"empty with what ${...} stands for put in");
		is_good = false;
	}
	if (is_good) {
		text.len = out.len;
		text.style |= STYLE_CHANGED;
		is_good = text_keep(walk, &text, ret_text);
	}
	buf_fini(&out);
	return is_good;
}

bool
walk_resolve(struct walk *walk, struct conf_text *path)
{
	size_t dir_len = strlen(walk->dir);
	char *joined;

	if (path->len == 0 || path->s[0] == '/' || strcmp(walk->dir, ".") == 0)
		return true;
	joined = arena_array(walk->arena, dir_len + 1 + path->len + 1, 1);
	if (joined == NULL) {
		walk->err = SG_NOMEM;
		return false;
	}
	memcpy(joined, walk->dir, dir_len);
	joined[dir_len] = '/';
	memcpy(joined + dir_len + 1, path->s, path->len + 1);
	path->s = joined;
	path->len += dir_len + 1;
	path->style |= STYLE_CHANGED;
	return true;
}

bool
walk_file(struct walk *walk, const struct doc_node *node,
	struct conf_text *ret_path)
{
	return walk_env_text(walk, node, false, ret_path) &&
	       walk_resolve(walk, ret_path);
}

/* --- numbers ------------------------------------------------------------ */

bool
walk_span(struct walk *walk, const struct doc_node *node, int64_t min_ms,
	int64_t max_ms, int64_t *ret_ms)
{
	int64_t ms;

	if (!walk_is(walk, node, DOC_TEXT, "a span of time, such as 30d"))
		return false;
	if (!civil_parse_span(node->text.s, node->text.len, &ms)) {
		walk_fault(walk, node, "such as 30d, 12h, 90m, 1h30m or 500ms",
			"not a span of time");
		return false;
	}
	if (ms < min_ms || ms > max_ms) {
		char low[UNIT_TEXT_MAX], high[UNIT_TEXT_MAX];

		walk_fault(walk, node, NULL, "must be from %s to %s",
			span_text(min_ms, low), span_text(max_ms, high));
		return false;
	}
	*ret_ms = ms;
	return true;
}

bool
walk_int(struct walk *walk, const struct doc_node *node, int64_t min,
	int64_t max, int64_t *ret_int)
{
	int64_t n;

	if (!walk_is(walk, node, DOC_TEXT, "a whole number"))
		return false;
	if (!parse_int(node->text.s, node->text.len, &n)) {
		walk_fault(walk, node, NULL, "not a whole number");
		return false;
	}
	if (n < min || n > max) {
		walk_fault(walk, node, NULL, "must be from %lld to %lld",
			(long long)min, (long long)max);
		return false;
	}
	*ret_int = n;
	return true;
}

bool
walk_number(struct walk *walk, const struct doc_node *node, double *ret_number)
{
	if (!walk_is(walk, node, DOC_TEXT, "a number"))
		return false;
	if (parse_decimal(node->text.s, node->text.len, ret_number))
		return true;
	walk_fault(walk, node, "such as 10 or -2.5, at most 15 digits",
		"not a number");
	return false;
}

int
walk_find(struct walk *walk, const struct doc_node *child,
	const char *const *keys, const char *where)
{
	char hint[256] = "";

	for (int i = 0; keys[i] != NULL; i++) {
		if (strcmp(child->key.s, keys[i]) == 0)
			return i;
	}
	walk->nunknown++;
	if (strcmp(child->key.s, "<<") == 0) {
		walk_key_fault(walk, child, "write the keys out",
			"YAML merge keys are not supported");
		return -1;
	}
	if (!diags_is_full(walk->diags))
		(void)name_hint(child->key.s, keys, hint, sizeof(hint));
	walk_key_fault(walk, child, hint, "unknown key `%.80s` in %s",
		child->key.s, where);
	return -1;
}
