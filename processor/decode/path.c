/*
 * path.c - the text of a path to its steps, and the type at its end.
 *
 *     plan   properties.plan   items[0].sku   traits["tier"]   @timestamp
 *
 * A way through a union goes through every branch that has the field; where
 * they agree on the type it is that type, else TYPE_DYN. A path that does not
 * exist is an error that names the fields there are, the most similar first.
 */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#include "segmentd/buf.h"

#define WALK_MAX 10000 /* branches looked at for one path */
#define NAMES_SHOWN 8

/* --- text ----------------------------------------------------------------- */

static bool
is_name_char(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!is_first && c >= '0' && c <= '9');
}

static enum sg_err
path_bad(const char *text, size_t len, const char *what, struct sg_fault *why)
{
	return sg_fault_set(why, SG_BAD_OPTION, "not a path: '%.*s': %s",
		(int)(len > 200 ? 200 : len), text, what);
}

/* A name at *at. */
static bool
take_name(const char **at, const char *end, struct path_step *step)
{
	const char *start = *at;

	while (*at < end && is_name_char(**at, *at == start))
		(*at)++;
	step->kind = BIND_NAME;
	step->name = start;
	step->len = (uint32_t)(*at - start);
	return step->len > 0;
}

/* ["key"] or [7], after the bracket. */
static bool
take_bracket(const char **at, const char *end, struct path_step *step)
{
	const char *p = *at;
	uint64_t index = 0;

	if (p < end && (*p == '"' || *p == '\'')) {
		const char *close = memchr(p + 1, *p, (size_t)(end - p - 1));

		if (close == NULL || close + 1 == end || close[1] != ']')
			return false;
		step->kind = BIND_NAME;
		step->name = p + 1;
		step->len = (uint32_t)(close - p - 1);
		*at = close + 2;
		return true;
	}
	for (; p < end && *p >= '0' && *p <= '9' && index <= UINT32_MAX; p++)
		index = index * 10 + (uint64_t)(*p - '0');
	if (p == *at || p == end || *p != ']' || index >= UINT32_MAX)
		return false;
	step->kind = BIND_INDEX;
	step->index = (uint32_t)index;
	*at = p + 1;
	return true;
}

static enum sg_err
parse_special(
	const char *text, size_t len, struct path *path, struct sg_fault *why)
{
	static const char timestamp[] = "@timestamp", headers[] = "@headers[";
	const size_t all_len = sizeof(headers) - 2; /* without the bracket */
	const char *at = text + sizeof(headers) - 1;
	const char *end = text + len;

	if (len == sizeof(timestamp) - 1 && memcmp(text, timestamp, len) == 0) {
		path->kind = PATH_TIMESTAMP;
		return SG_OK;
	}
	if (len == all_len && memcmp(text, headers, len) == 0) {
		path->kind = PATH_HEADERS;
		return SG_OK;
	}
	if (len > sizeof(headers) - 1 &&
		memcmp(text, headers, sizeof(headers) - 1) == 0 &&
		take_bracket(&at, end, &path->steps[0]) && at == end &&
		path->steps[0].kind == BIND_NAME) {
		path->kind = PATH_HEADER;
		path->nsteps = 1;
		return SG_OK;
	}
	return path_bad(text, len,
		"there are @timestamp, @headers and @headers[\"name\"]", why);
}

enum sg_err
path_parse(const char *text, size_t len, struct path *ret_path,
	struct sg_fault *why)
{
	const char *at = text;
	const char *end = text + len;

	memset(ret_path, 0, sizeof(*ret_path));
	if (len > 0 && text[0] == '@')
		return parse_special(text, len, ret_path, why);
	do {
		struct path_step *step = &ret_path->steps[ret_path->nsteps];
		bool is_first = at == text;

		if (ret_path->nsteps == PATH_STEPS_MAX)
			return path_bad(text, len, "too long", why);
		if (!is_first && at < end && *at == '[') {
			at++;
			if (!take_bracket(&at, end, step))
				return path_bad(text, len,
					"in brackets stands a number or a "
					"quoted key",
					why);
		} else {
			if (!is_first && *at++ != '.')
				return path_bad(text, len,
					"a '.' or '[' was expected", why);
			if (!take_name(&at, end, step))
				return path_bad(
					text, len, "a name was expected", why);
		}
		ret_path->nsteps++;
	} while (at < end);
	return SG_OK;
}

/* --- the type at its end -------------------------------------------------- */

struct walk {
	struct arena *arena;
	const struct path *path;
	uint32_t left;
	bool is_full; /* out of memory, or out of work */
	bool is_nullable;
	/* The records the way leads through. */
	const struct schema *open[PATH_STEPS_MAX];
	size_t nopen;
	/* The deepest place where the way ended, for the message. */
	size_t stuck_step;
	const struct schema *stuck;
};

static const struct type *
walk_type(struct walk *w, const struct schema *schema, size_t i);

/* The way ends here. */
static void
walk_stuck(struct walk *w, const struct schema *schema, size_t i)
{
	if (w->stuck == NULL || i > w->stuck_step ||
		(i == w->stuck_step && w->stuck->kind != SCHEMA_RECORD)) {
		w->stuck = schema;
		w->stuck_step = i;
	}
}

static const struct type *
walk_union(struct walk *w, const struct schema *schema, size_t i)
{
	const struct type *found = NULL;

	for (size_t b = 0; b < schema->nbranches; b++) {
		const struct schema *branch = schema->branches[b];
		const struct type *type = NULL;

		if (branch->kind != SCHEMA_NULL)
			type = walk_type(w, branch, i);
		if (type == NULL)
			w->is_nullable = true;
		else if (found == NULL)
			found = type;
		else if (!type_same(found, type))
			found = &type_dyn;
	}
	if (found == NULL && w->stuck == NULL) /* a union of null alone */
		walk_stuck(w, schema, i);
	return found;
}

static const struct type *
walk_type(struct walk *w, const struct schema *schema, size_t i)
{
	const struct path_step *step = &w->path->steps[i];
	const struct type *type;
	int at;

	if (w->left == 0 || w->is_full) {
		w->is_full = true;
		return NULL;
	}
	w->left--;
	if (i == w->path->nsteps) {
		type = types_of(w->arena, schema, w->open, w->nopen);
		w->is_full = type == NULL;
		return type;
	}
	if (schema->kind == SCHEMA_UNION)
		return walk_union(w, schema, i);
	if (schema->kind == SCHEMA_ARRAY && step->kind == BIND_INDEX) {
		w->is_nullable = true;
		return walk_type(w, schema->item, i + 1);
	}
	if (schema->kind == SCHEMA_MAP && step->kind != BIND_INDEX) {
		w->is_nullable = true;
		return walk_type(w, schema->item, i + 1);
	}
	if (schema->kind == SCHEMA_RECORD && step->kind != BIND_INDEX) {
		at = schema_field_index(schema, step->name, step->len);
		if (at >= 0) {
			w->open[w->nopen++] = schema;
			type = walk_type(w, schema->fields[at].schema, i + 1);
			w->nopen--;
			return type;
		}
	}
	walk_stuck(w, schema, i);
	return NULL;
}

/* --- "no such field" ------------------------------------------------------ */

/* Edit distance, capped: names are short. */
static size_t
distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t row[64];

	if (na >= SG_COUNTOF(row) || nb >= SG_COUNTOF(row))
		return SG_COUNTOF(row);
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[nb];
}

/* The names of a record's fields, the nearest to `step` first. */
static void
put_names(struct buf *buf, const struct schema *schema,
	const struct path_step *step)
{
	size_t n =
		schema->nfields < NAMES_SHOWN ? schema->nfields : NAMES_SHOWN;
	size_t last_distance = 0, last = 0;

	for (size_t shown = 0; shown < n; shown++) {
		size_t best = SIZE_MAX, at = 0;

		for (size_t i = 0; i < schema->nfields; i++) {
			const char *name = schema->fields[i].name;
			size_t d = distance(
				step->name, step->len, name, strlen(name));
			bool is_new = shown == 0 || d > last_distance ||
				      (d == last_distance && i > last);

			if (is_new && d < best) {
				best = d;
				at = i;
			}
		}
		buf_printf(buf, "%s%s", shown == 0 ? "" : ", ",
			schema->fields[at].name);
		last_distance = best;
		last = at;
	}
	if (schema->nfields > n)
		buf_put_str(buf, ", ...");
}

static enum sg_err
no_such_path(const struct walk *w, struct sg_fault *why)
{
	const struct path_step *step = &w->path->steps[w->stuck_step];
	const struct schema *at = w->stuck;
	enum sg_err err;
	struct buf buf;

	buf_init(&buf, 4096);
	if (step->kind == BIND_INDEX)
		buf_printf(&buf, "there is no element [%u]", step->index);
	else
		buf_printf(&buf, "there is no field '%.*s'", (int)step->len,
			step->name);
	buf_printf(&buf, " in %s%s%s", at->name != NULL ? at->name : "",
		at->name != NULL ? ", " : "",
		at->kind == SCHEMA_RECORD ? "a record of: "
					  : schema_kind_name(at->kind));
	if (at->kind == SCHEMA_RECORD)
		put_names(&buf, at, step);
	err = sg_fault_set(why, SG_BAD_OPTION, "%s", buf_cstr(&buf));
	buf_fini(&buf);
	return err;
}

enum sg_err
path_type(struct arena *arena, const struct schema *schema,
	const struct path *path, const struct type **ret_type,
	struct sg_fault *why)
{
	struct walk w = {.arena = arena, .path = path, .left = WALK_MAX};
	const struct type *type = walk_type(&w, schema, 0);

	if (w.is_full)
		return sg_fault_set(
			why, SG_NOMEM, "the schema is too large for a path");
	if (type == NULL)
		return no_such_path(&w, why);
	if (w.is_nullable && type->kind != TYPE_DYN) {
		type = type_nullable(arena, type);
		if (type == NULL)
			return sg_fault_set(why, SG_NOMEM, "no memory");
	}
	*ret_type = type;
	return SG_OK;
}
