/*
 * program.c - a configuration, compiled, or all its mistakes.
 *
 * Every part is compiled even when another one is wrong, so that one run shows
 * every mistake; what depends on something broken is left out rather than
 * reported a second time.
 */
#include "program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "override.h"
#include "program_build.h"
#include "segmentd/files.h"
#include "segmentd/hash.h"

#define PROGRAM_BYTES_MAX (256 << 20)
#define LAYOUT_VERSION 1

char *
build_printf(struct build *b, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len >= 0 && (size_t)len < sizeof(text))
		return arena_copy(&b->prog->arena, text, (size_t)len);
	if (len > 0) {
		char *dest = arena_alloc(&b->prog->arena, (size_t)len + 1);

		if (dest == NULL)
			return NULL;
		va_start(ap, fmt);
		(void)vsnprintf(dest, (size_t)len + 1, fmt, ap);
		va_end(ap);
		return dest;
	}
	return NULL;
}

void
build_fault(struct build *b, const struct conf_text *text, enum sg_err err,
	const struct sg_fault *why)
{
	if (err == SG_NOMEM)
		b->err = SG_NOMEM;
	else
		conf_diag_at(b->diags, text, 0, 0, false, NULL, "%s",
			why->text[0] == '\0' ? sg_err_text(err) : why->text);
}

struct cel_prog *
build_compile(struct build *b, struct cel_env *env,
	const struct conf_text *text, const struct type *want)
{
	struct cel_diags diags = {.n = 0};
	struct cel_prog *prog = NULL;
	enum sg_err err;

	if (text->s == NULL)
		return NULL;
	err = cel_compile(env, text->s, text->len, want, &diags, &prog);
	if (err == SG_OK)
		return prog;
	if (err == SG_NOMEM) {
		b->err = SG_NOMEM;
		return NULL;
	}
	for (size_t i = 0; i < diags.n; i++) {
		const struct cel_diag *diag = &diags.items[i];

		conf_diag_at(b->diags, text, diag->offset, diag->len, false,
			diag->hint[0] == '\0' ? NULL : diag->hint, "%s",
			diag->text);
	}
	if (diags.n == 0)
		conf_diag_at(b->diags, text, 0, 0, false, NULL, "%s",
			sg_err_text(err));
	return NULL;
}

static size_t
count_features(const struct conf *conf)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->ninputs; i++)
		n += conf->inputs[i].nfeatures;
	return n;
}

static enum sg_err
build_schemas(struct build *b)
{
	const struct conf *conf = b->prog->conf;
	const struct conf_text *folder = &conf->opt.schemas_folder;
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err = decode_schemas_create(&b->prog->schemas);

	if (err != SG_OK)
		return err;
	if (folder->s != NULL && folder->len > 0) {
		err = decode_schemas_add_path(
			b->prog->schemas, folder->s, -1, NULL, &why);
		if (err != SG_OK)
			build_fault(b, folder, err, &why);
	}
	for (size_t i = 0; i < conf->nschema_ids; i++) {
		err = decode_schemas_add_path(b->prog->schemas,
			conf->schema_ids[i].path.s, conf->schema_ids[i].id,
			NULL, &why);
		if (err != SG_OK)
			build_fault(b, &conf->schema_ids[i].path, err, &why);
	}
	return SG_OK;
}

/* The name of the feature that a fault begins with: "INPUT.FEATURE: ...". */
static const struct conf_text *
fault_place(const struct conf *conf, const char *fault)
{
	const struct conf_text *place =
		conf->ninputs > 0 ? &conf->inputs[0].name : &conf->opt.group;

	for (size_t i = 0; i < conf->ninputs; i++) {
		const struct conf_input *ci = &conf->inputs[i];

		if (strncmp(fault, ci->name.s, ci->name.len) != 0 ||
			fault[ci->name.len] != '.')
			continue;
		for (size_t k = 0; k < ci->nfeatures; k++) {
			const struct conf_text *name = &ci->features[k].name;
			const char *at = fault + ci->name.len + 1;

			if (strncmp(at, name->s, name->len) == 0 &&
				at[name->len] == ':')
				place = name;
		}
	}
	return place;
}

/* Every feature that is none is shown and left out: what rules say of the
 * others is looked at all the same. */
static void
drop_bad_features(struct build *b)
{
	struct program *prog = b->prog;
	size_t kept = 0;

	for (size_t i = 0; i < prog->nfeatures; i++) {
		struct sg_fault why = {.err = SG_OK};

		prog->feature_defs[kept] = prog->feature_defs[i];
		if (feature_check(prog->feature_defs, kept, &why) == SG_OK)
			kept++;
		else
			conf_diag_at(b->diags,
				fault_place(prog->conf, why.text), 0, 0, false,
				NULL, "%s", why.text);
	}
	prog->nfeatures = kept;
}

static enum sg_err
build_inputs(struct build *b)
{
	struct program *prog = b->prog;
	const struct conf *conf = prog->conf;
	struct sg_fault why = {.err = SG_OK};
	size_t n = count_features(conf);
	enum sg_err err;

	prog->inputs = arena_array(
		&prog->arena, conf->ninputs + 1, sizeof(*prog->inputs));
	prog->feature_defs =
		arena_array(&prog->arena, n + 1, sizeof(*prog->feature_defs));
	if (prog->inputs == NULL || prog->feature_defs == NULL)
		return SG_NOMEM;
	memset(prog->inputs, 0, (conf->ninputs + 1) * sizeof(*prog->inputs));
	for (uint32_t i = 0; i < conf->ninputs; i++) {
		prog->ninputs = i + 1;
		err = build_input(b, i);
		if (err != SG_OK && err != SG_BAD_CONFIG)
			return err;
	}
	err = build_overrides(b);
	if (err != SG_OK)
		return err;
	drop_bad_features(b);
	err = feature_set_create(
		prog->feature_defs, prog->nfeatures, &prog->features, &why);
	if (err == SG_NOMEM)
		return err;
	if (err != SG_OK) {
		conf_diag_at(b->diags, fault_place(conf, why.text), 0, 0, false,
			NULL, "%s", why.text);
		prog->nfeatures = 0;
	}
	return SG_OK;
}

static uint64_t
mix_text(uint64_t hash, const struct conf_text *text)
{
	return hash_mix(
		hash, text->s == NULL ? 0 : hash_bytes(text->s, text->len));
}

/* A number for "these rules": everything that a decision depends on. */
static uint64_t
rules_hash(const struct program *prog)
{
	const struct conf *conf = prog->conf;
	uint64_t h = hash_u64(1);

	for (size_t i = 0; i < prog->nfeatures; i++) {
		const char *s = prog->feature_defs[i].identity;

		h = hash_mix(h, hash_bytes(s, strlen(s)));
		s = prog->feature_defs[i].name;
		h = hash_mix(h, hash_bytes(s, strlen(s)));
	}
	for (size_t i = 0; i < conf->nvariables; i++)
		h = mix_text(mix_text(h, &conf->variables[i].name),
			&conf->variables[i].expr);
	for (size_t i = 0; i < conf->nscores; i++) {
		for (size_t k = 0; k < conf->scores[i].nclauses; k++) {
			const struct conf_clause *clause =
				&conf->scores[i].clauses[k];

			h = mix_text(mix_text(h, &clause->name), &clause->when);
			h = hash_mix(h, hash_bytes(&clause->points,
						sizeof(clause->points)));
		}
	}
	for (size_t i = 0; i < conf->nsegmentations; i++) {
		const struct conf_segmentation *cs = &conf->segmentations[i];

		h = mix_text(h, &cs->name);
		h = mix_text(mix_text(h, &cs->enter), &cs->exit);
		h = hash_mix(h, hash_u64((uint64_t)cs->min_stay_ms));
		h = hash_mix(h, hash_u64((uint64_t)cs->cooldown_ms));
		h = hash_mix(h, hash_u64((uint64_t)cs->on_error));
		for (size_t k = 0; k < cs->nsegments; k++)
			h = mix_text(mix_text(h, &cs->segments[k].name),
				&cs->segments[k].when);
	}
	h = mix_text(mix_text(h, &conf->renewal.date), &conf->renewal.timezone);
	for (size_t i = 0; i < conf->renewal.nwindows; i++)
		h = hash_mix(h, hash_u64((uint64_t)conf->renewal.windows[i]));
	h = mix_text(h, &conf->opt.timezone);
	/* The schema of a change holds it as a signed 64-bit number. */
	return h & INT64_MAX;
}

static enum sg_err
build_layout(struct program *prog)
{
	struct buf part;
	enum sg_err err;

	buf_init(&part, 1 << 20);
	buf_init(&prog->layout, 2 << 20);
	err = features_layout_write(prog->features, &part);
	if (err == SG_OK) {
		buf_put_u8(&prog->layout, LAYOUT_VERSION);
		buf_put_varint(&prog->layout, prog->ninputs);
		for (size_t i = 0; i < prog->ninputs; i++) {
			size_t len = strlen(prog->inputs[i].topic);

			buf_put_varint(&prog->layout, len);
			buf_put(&prog->layout, prog->inputs[i].topic, len);
		}
		buf_put_varint(&prog->layout, part.len);
		buf_put(&prog->layout, part.bytes, part.len);
		membership_layout_write(
			prog->defs, prog->nsegmentations, &prog->layout);
		err = prog->layout.is_failed ? SG_NOMEM : SG_OK;
	}
	buf_fini(&part);
	prog->layout_hash =
		hash_bytes(prog->layout.bytes, prog->layout.len) & UINT32_MAX;
	return err;
}

static enum sg_err
build_all(struct build *b)
{
	struct program *prog = b->prog;
	const struct conf_text *zone = &prog->conf->opt.timezone;
	enum sg_err err;

	prog->timezone = conf_zone_is_expr(zone) ? tz_open("UTC", 3)
						 : tz_open(zone->s, zone->len);
	/* Not known: conf/ has said so. */
	if (prog->timezone == NULL)
		prog->timezone = tz_open("UTC", 3);
	err = build_schemas(b);
	if (err == SG_OK)
		err = build_inputs(b);
	/* Without features the names in rules are unknown: their mistakes
	 * would be noise. */
	if (err == SG_OK)
		err = b->err;
	if (err != SG_OK || prog->features == NULL)
		return err == SG_OK ? SG_BAD_CONFIG : err;
	err = build_rules(b);
	if (err == SG_OK)
		err = build_graph(b);
	if (b->err != SG_OK)
		err = b->err;
	if (err == SG_OK && conf_diags_errors(b->diags) > 0)
		err = SG_BAD_CONFIG;
	if (err == SG_OK)
		err = build_layout(prog);
	if (err == SG_OK)
		prog->rules_hash = rules_hash(prog);
	return err;
}

enum sg_err
program_create_with(const struct conf *conf, const char *const *schemas,
	struct conf_diags *diags, struct program **ret_program)
{
	struct build b = {.schemas = schemas, .diags = diags};
	enum sg_err err;

	b.prog = calloc(1, sizeof(*b.prog));
	if (b.prog == NULL)
		return SG_NOMEM;
	b.prog->conf = conf;
	b.prog->renewal = -1;
	arena_init(&b.prog->arena, PROGRAM_BYTES_MAX);
	err = build_all(&b);
	if (err != SG_OK) {
		program_destroy(b.prog);
		return err;
	}
	*ret_program = b.prog;
	return SG_OK;
}

enum sg_err
program_create(const struct conf *conf, struct conf_diags *diags,
	struct program **ret_program)
{
	return program_create_with(conf, NULL, diags, ret_program);
}

static const char *
text_or_null(const struct conf_text *text)
{
	return text->s == NULL || text->len == 0 ? NULL : text->s;
}

struct ingest_opts
program_onlooker(const struct program *prog, const char **topics)
{
	const struct conf *conf = prog->conf;

	for (size_t i = 0; i < prog->ninputs; i++)
		topics[i] = prog->inputs[i].topic;
	return (struct ingest_opts){.props = conf->kafka,
		.nprops = conf->nkafka,
		.group = conf->opt.group.s,
		.instance = "onlooker",
		.topics = topics,
		.ntopics = prog->ninputs,
		.batch_max = 1};
}

struct store_opts
program_store_opts(const struct program *prog)
{
	const struct conf_options *opt = &prog->conf->opt;

	return (struct store_opts){
		.url = opt->redis_url.s,
		.user = text_or_null(&opt->redis_user),
		.password = text_or_null(&opt->redis_password),
		.sentinel_user = text_or_null(&opt->redis_sentinel_user),
		.sentinel_password =
			text_or_null(&opt->redis_sentinel_password),
		.prefix = opt->redis_prefix.s,
		.layout = (enum store_layout)opt->redis_layout,
		.connect_timeout_ms = (int32_t)opt->redis_connect_timeout_ms,
		.command_timeout_ms = (int32_t)opt->redis_command_timeout_ms,
		.wait_replicas = (int32_t)opt->redis_wait_replicas,
		.is_waiting_for_aof = opt->redis_wait_aof,
		.wait_timeout_ms = (int32_t)opt->redis_wait_timeout_ms,
	};
}

static void
input_fini(struct program_input *in)
{
	for (size_t i = 0; i < in->nfilters; i++)
		cel_prog_destroy(in->filters[i].prog);
	cel_prog_destroy(in->delete_when);
	cel_env_destroy(in->env);
	decode_reader_destroy(in->reader);
}

static void
segmentation_fini(struct program_segmentation *seg)
{
	for (size_t i = 0; seg->when != NULL && i < seg->nrules; i++)
		cel_prog_destroy(seg->when[i]);
	cel_prog_destroy(seg->enter);
	cel_prog_destroy(seg->exit);
}

void
program_destroy(struct program *prog)
{
	if (prog == NULL)
		return;
	for (size_t i = 0; i < prog->nsegmentations; i++)
		segmentation_fini(&prog->segmentations[i]);
	for (size_t i = 0; i < prog->nscores; i++) {
		for (size_t k = 0; k < prog->scores[i].nclauses; k++)
			cel_prog_destroy(prog->scores[i].clauses[k]);
	}
	for (size_t i = 0; i < prog->nvariables; i++)
		cel_prog_destroy(prog->variables[i].prog);
	cel_prog_destroy(prog->renewal_date);
	cel_prog_destroy(prog->renewal_priority);
	cel_prog_destroy(prog->renewal_tz_prog);
	cel_prog_destroy(prog->zone_prog);
	cel_env_destroy(prog->env);
	for (size_t i = 0; i < prog->ninputs; i++)
		input_fini(&prog->inputs[i]);
	feature_set_destroy(prog->features);
	decode_schemas_destroy(prog->schemas);
	buf_fini(&prog->layout);
	arena_fini(&prog->arena);
	free(prog);
}

const struct type *
program_input_type(const struct program *prog, uint32_t input)
{
	return decode_reader_type(prog->inputs[input].reader);
}

const char *
program_name(const struct program *prog, size_t i, const struct type **ret_type)
{
	if (i >= prog->nslots)
		return NULL;
	*ret_type = prog->slots[i].type;
	return prog->slots[i].name;
}

enum sg_err
program_encode(const struct program *prog, uint32_t input, const char *json,
	size_t len, struct buf *out, struct sg_fault *why)
{
	return file_encode_json(
		prog->schemas, prog->inputs[input].schema, json, len, out, why);
}
