/*
 * program_input.c - an input, compiled: reader, paths, filters, features.
 *
 * Expressions over an event (where, delete_when, closed_when, remove_when) may
 * name any field of the reader schema by its path through nested records. All
 * these paths are declared, and `headers` where no field is called that; those
 * that an expression really reads are bound in the decode reader, so that the
 * plan touches nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "cast.h"
#include "program_build.h"

static bool
paths_add(struct build *b, struct program_input *in, const char *prefix,
	const struct type *type, int depth)
{
	if (type->kind != TYPE_RECORD || depth > 8)
		return true;
	for (size_t i = 0; i < type->nfields; i++) {
		const struct type_field *field = &type->fields[i];
		char *name;

		if (in->npaths >= CEL_NAMES_MAX)
			return true;
		name = build_printf(b, "%s%s%s", prefix,
			prefix[0] == '\0' ? "" : ".", field->name);
		if (name == NULL)
			return false;
		in->paths[in->npaths++] = name;
		if (!paths_add(b, in, name, field->type, depth + 1))
			return false;
	}
	return true;
}

/* What bind_slots() knows as the headers of the record. */
static const char headers_path[] = "@headers";
static const char headers_name[] = "headers";

static const struct type *
headers_type(struct build *b)
{
	struct arena *arena = &b->prog->arena;
	const struct type *text = type_nullable(arena, &type_string);

	return text == NULL ? NULL : type_map(arena, &type_string, text);
}

/* The type at a path: that of the field, nullable where a record on the way
 * is. */
static const struct type *
path_type(struct build *b, const struct type *type, const char *path)
{
	bool is_nullable = false;

	while (type != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");
		int at = type_field_index(type, path, len);

		if (at < 0)
			return NULL;
		is_nullable = is_nullable || type->is_nullable;
		type = type->fields[at].type;
		path += len + (path[len] == '.');
	}
	if (type != NULL && is_nullable && !type->is_nullable)
		type = type_nullable(&b->prog->arena, type);
	return type;
}

static enum sg_err
declare_paths(struct build *b, struct program_input *in)
{
	const struct type *record = decode_reader_type(in->reader);
	struct arena *arena = &b->prog->arena;
	enum sg_err err;

	in->paths = arena_array(arena, CEL_NAMES_MAX, sizeof(*in->paths));
	if (in->paths == NULL || !paths_add(b, in, "", record, 0))
		return SG_NOMEM;
	if (in->npaths < CEL_NAMES_MAX && type_field_index(record, headers_name,
						  strlen(headers_name)) < 0)
		in->paths[in->npaths++] = headers_path;
	in->path_types =
		arena_array(arena, in->npaths + 1, sizeof(*in->path_types));
	in->event_slot =
		arena_array(arena, in->npaths + 1, sizeof(*in->event_slot));
	if (in->path_types == NULL || in->event_slot == NULL)
		return SG_NOMEM;
	err = cel_env_create(CEL_ENV_NO_NOW, &in->env);
	if (err != SG_OK)
		return err;
	cel_env_timezone(in->env, b->prog->timezone);
	for (size_t i = 0; i < in->npaths; i++) {
		in->event_slot[i] = -1;
		in->path_types[i] =
			in->paths[i] == headers_path
				? headers_type(b)
				: path_type(b, record, in->paths[i]);
		if (in->path_types[i] == NULL)
			return SG_NOMEM;
		err = cel_env_declare(in->env,
			in->paths[i] == headers_path ? headers_name
						     : in->paths[i],
			in->path_types[i], (uint32_t)i);
		if (err != SG_OK && err != SG_BAD_OPTION)
			return err;
	}
	return SG_OK;
}

/* Bind the paths that `prog` reads. */
static enum sg_err
bind_slots(struct build *b, struct program_input *in,
	const struct cel_prog *prog, const struct conf_text *text)
{
	size_t n;
	const uint32_t *slots = cel_prog_slots(prog, &n);

	for (size_t i = 0; i < n; i++) {
		const char *path = in->paths[slots[i]];
		struct sg_fault why = {.err = SG_OK};
		const struct type *type;
		enum sg_err err;
		uint32_t slot;

		if (in->event_slot[slots[i]] >= 0)
			continue;
		err = decode_reader_bind(
			in->reader, path, strlen(path), &slot, &type, &why);
		if (err != SG_OK) {
			build_fault(b, text, err, &why);
			return SG_BAD_CONFIG;
		}
		in->event_slot[slots[i]] = (int32_t)slot;
	}
	return SG_OK;
}

/* An expression over events, or NULL with the mistake noted. */
static struct cel_prog *
compile_event(
	struct build *b, struct program_input *in, const struct conf_text *text)
{
	struct cel_prog *prog = build_compile(b, in->env, text, &type_bool);

	if (prog != NULL && bind_slots(b, in, prog, text) != SG_OK) {
		cel_prog_destroy(prog);
		return NULL;
	}
	return prog;
}

/* The number of the input's filter with this source; -1 when there is none
 * (absent) or it is wrong (noted). */
static int32_t
filter_number(
	struct build *b, struct program_input *in, const struct conf_text *text)
{
	struct program_filter *filter;

	if (text->s == NULL)
		return -1;
	for (size_t i = 0; i < in->nfilters; i++) {
		if (strcmp(in->filters[i].source, text->s) == 0)
			return (int32_t)i;
	}
	if (in->nfilters == FEATURE_FILTERS_MAX) {
		conf_diag_at(b->diags, text, 0, 0, false,
			"combine some of them",
			"more than %d different filters in one input",
			FEATURE_FILTERS_MAX);
		return -1;
	}
	filter = &in->filters[in->nfilters];
	filter->prog = compile_event(b, in, text);
	if (filter->prog == NULL)
		return -1;
	filter->source = text->s;
	return (int32_t)in->nfilters++;
}

static bool
bind_path(struct build *b, struct program_input *in,
	const struct conf_text *text, int32_t *ret_slot,
	const struct type **ret_type)
{
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err;
	uint32_t slot;

	*ret_slot = -1;
	*ret_type = NULL;
	if (text->s == NULL)
		return true;
	err = decode_reader_bind(
		in->reader, text->s, text->len, &slot, ret_type, &why);
	if (err != SG_OK) {
		build_fault(b, text, err, &why);
		return false;
	}
	*ret_slot = (int32_t)slot;
	return true;
}

static bool
is_name_byte(char c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/*
 * What an expression calls a kept field: the last name of its path, so that
 * `plan.seats` is seats, `traits["tier"]` tier, and `items[0]` items. NULL
 * when out of memory.
 */
static const char *
field_name(struct build *b, const struct conf_text *path)
{
	const char *best = path->s;
	size_t best_len = path->len, i = 0;
	char *copy;

	while (i < path->len) {
		const char *at = path->s + i;
		size_t n = 0;

		while (i + n < path->len && is_name_byte(at[n]))
			n++;
		if (n > 0 && (at[0] < '0' || at[0] > '9')) {
			best = at;
			best_len = n;
		}
		i += n > 0 ? n : 1;
	}
	copy = arena_copy(&b->prog->arena, best, best_len);
	if (copy == NULL)
		b->err = SG_NOMEM;
	return copy;
}

static bool
bind_keep(struct build *b, struct program_input *in,
	const struct conf_feature *cf, struct feature_def *def)
{
	struct feature_keep *keep;

	if (cf->nkeep == 0)
		return true;
	keep = arena_array(&b->prog->arena, cf->nkeep, sizeof(*keep));
	if (keep == NULL) {
		b->err = SG_NOMEM;
		return false;
	}
	for (size_t i = 0; i < cf->nkeep; i++) {
		int32_t slot;

		keep[i].name = field_name(b, &cf->keep[i]);
		if (keep[i].name == NULL)
			return false;
		if (!bind_path(b, in, &cf->keep[i], &slot, &keep[i].type))
			return false;
		keep[i].slot = (uint32_t)slot;
	}
	def->keep = keep;
	def->nkeep = cf->nkeep;
	return true;
}

static const char *
text_or(const struct conf_text *text, const char *fallback)
{
	return text->s == NULL ? fallback : text->s;
}

static bool
feature_fill(struct build *b, struct program_input *in, uint32_t input,
	const struct conf_feature *cf, struct feature_def *def)
{
	*def = (struct feature_def){
		.input = input,
		.kind = cf->kind,
		.window_ms = cf->window_ms,
		.tz = b->prog->timezone,
		.max = cf->max,
	};
	def->name = build_printf(b, "%s.%s", in->name, cf->name.s);
	def->identity = build_printf(b, "%s|%lld|%s|%s|%s|%s%s%s",
		feature_kind_name(cf->kind), (long long)cf->window_ms,
		text_or(&cf->field, ""), text_or(&cf->where, ""),
		text_or(&cf->closed_when, ""), text_or(&cf->remove_when, ""),
		cf->as.s == NULL ? "" : "|as=", text_or(&cf->as, ""));
	if (def->name == NULL || def->identity == NULL) {
		b->err = SG_NOMEM;
		return false;
	}
	if (!bind_path(b, in, &cf->field, &def->slot, &def->type))
		return false;
	if (cf->as.s != NULL && !cast_add(b, in, cf, &def->slot, &def->type))
		return false;
	if (cf->field.s != NULL) {
		def->key_name = field_name(b, &cf->field);
		if (def->key_name == NULL)
			return false;
	}
	def->filter = filter_number(b, in, &cf->where);
	def->closed_filter = filter_number(b, in, &cf->closed_when);
	def->remove_filter = filter_number(b, in, &cf->remove_when);
	return bind_keep(b, in, cf, def);
}

static enum sg_err
schema_open(struct build *b, struct program_input *in, uint32_t input,
	struct sg_fault *why)
{
	const struct conf_input *ci = &b->prog->conf->inputs[input];
	const char *text = b->schemas == NULL ? NULL : b->schemas[input];

	if (text != NULL)
		return decode_schemas_add(b->prog->schemas, ci->name.s, text,
			strlen(text), -1, &in->schema, why);
	if (ci->schema.s == NULL)
		return sg_fault_set(why, SG_BAD_SCHEMA,
			"input `%s` has no `schema`: how its records are to be "
			"read",
			ci->name.s);
	return decode_schemas_add_path(
		b->prog->schemas, ci->schema.s, -1, &in->schema, why);
}

static enum sg_err
reader_open(struct build *b, struct program_input *in, uint32_t input)
{
	const struct conf_input *ci = &b->prog->conf->inputs[input];
	static const char *const names[] = {
		"auto", "confluent", "single_object", "bare"};
	enum decode_framing framing = DECODE_AUTO;
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err;

	for (size_t i = 0; i < SG_COUNTOF(names); i++) {
		if (ci->framing.s != NULL &&
			strcmp(ci->framing.s, names[i]) == 0)
			framing = (enum decode_framing)i;
	}
	in->is_bare = framing == DECODE_BARE;
	/* conf/ has said so. */
	if (in->is_bare && ci->schema.s == NULL && b->schemas == NULL)
		return SG_BAD_CONFIG;
	err = schema_open(b, in, input, &why);
	if (err == SG_OK)
		err = decode_reader_create(b->prog->schemas, in->schema,
			framing, &in->reader, &why);
	if (err != SG_OK && err != SG_NOMEM) {
		conf_diag_at(b->diags,
			ci->schema.s == NULL ? &ci->name : &ci->schema, 0, 0,
			false, NULL, "%s", why.text);
		return SG_BAD_CONFIG;
	}
	return err;
}

enum sg_err
build_input(struct build *b, uint32_t input)
{
	const struct conf_input *ci = &b->prog->conf->inputs[input];
	struct program_input *in = &b->prog->inputs[input];
	struct feature_def *defs = &b->prog->feature_defs[b->prog->nfeatures];
	size_t ndefs = 0;
	const struct type *type;
	enum sg_err err;

	in->name = ci->name.s;
	in->topic = ci->topic.s;
	err = reader_open(b, in, input);
	if (err != SG_OK)
		return err;
	err = declare_paths(b, in);
	if (err != SG_OK)
		return err;
	(void)bind_path(b, in, &ci->key, &in->key_slot, &type);
	if (type != NULL && type->kind != TYPE_STRING &&
		type->kind != TYPE_INT && type->kind != TYPE_DYN)
		conf_diag_at(b->diags, &ci->key, 0, 0, false, NULL,
			"the account id must be a string or an integer");
	(void)bind_path(b, in, &ci->time, &in->time_slot, &type);
	if (type != NULL && type->kind != TYPE_TIMESTAMP &&
		type->kind != TYPE_INT && type->kind != TYPE_STRING &&
		type->kind != TYPE_DYN)
		conf_diag_at(b->diags, &ci->time, 0, 0, false, NULL,
			"the event time must be a timestamp, an integer "
			"(milliseconds) or an RFC 3339 string");
	(void)bind_path(b, in, &ci->id, &in->id_slot, &type);
	if (ci->delete_when.s != NULL)
		in->delete_when = compile_event(b, in, &ci->delete_when);
	for (size_t i = 0; i < ci->nfeatures; i++) {
		if (feature_fill(b, in, input, &ci->features[i], &defs[ndefs]))
			ndefs++;
	}
	b->prog->nfeatures += ndefs;
	casts_place(in, defs, ndefs);
	return SG_OK;
}
