/*
 * schemas.c - the schema registry between decode, publish and a configuration.
 *
 * decode asks for a writer's schema when it first meets its id; what we publish
 * has ids of its own, asked for once before the start.
 */
#include <stdio.h>
#include <string.h>

#include "schemas.h"
#include "segmentd/log.h"
#include "segmentd/publish.h"

/* A registry at hand answers within this; else the record waits, not we. */
#define ANSWER_WAIT_MS 50
#define SUBJECT_MAX 300

static enum sg_err
find(void *ctx, const struct schema_key *key, const char **ret_text,
	size_t *ret_len, struct sg_fault *why)
{
	return registry_await(ctx, key, ANSWER_WAIT_MS, ret_text, ret_len, why);
}

enum sg_err
schemas_open(const struct program *prog, struct registry **ret_registry,
	struct sg_fault *why)
{
	const struct conf_options *opt = &prog->conf->opt;
	struct registry_opts opts = {
		.urls = opt->registry_url.s,
		.user = opt->registry_user.s,
		.password = opt->registry_password.s,
		.ca_file = opt->registry_ca_file.s,
		.folder = opt->registry_cache.s,
		.timeout_ms = opt->registry_timeout_ms,
		.unknown_for_ms = opt->registry_unknown_for_ms,
	};
	struct decode_source source = {find, NULL};
	enum sg_err err;

	if (opt->registry_url.len == 0) {
		*ret_registry = NULL;
		return SG_OK;
	}
	err = registry_open(&opts, ret_registry, why);
	if (err != SG_OK)
		return err;
	source.ctx = *ret_registry;
	decode_schemas_set_source(prog->schemas, &source);
	return SG_OK;
}

void
schemas_close(const struct program *prog, struct registry *registry)
{
	static const struct decode_source none = {NULL, NULL};

	if (registry == NULL)
		return;
	decode_schemas_set_source(prog->schemas, &none);
	registry_close(registry);
}

/* Confluent's clients name the subject of a topic's values so. */
static const char *
subject_of(const char *topic, char subject[SUBJECT_MAX])
{
	(void)snprintf(subject, SUBJECT_MAX, "%s-value", topic);
	return subject;
}

enum sg_err
schemas_input_id(const struct program *prog, struct registry *registry,
	uint32_t input, const char *text, int32_t *ret_id, struct sg_fault *why)
{
	char subject[SUBJECT_MAX];
	bool is_new = false;

	return registry_subject_id(registry,
		subject_of(prog->inputs[input].topic, subject), text,
		prog->conf->opt.registry_register, ret_id, &is_new, why);
}

enum sg_err
schemas_output_ids(const struct program *prog, struct registry *registry,
	bool may_register, int32_t ret_ids[PUBLISH_TOPIC_COUNT],
	void (*each)(void *ctx, const char *subject, int32_t id, bool is_new),
	void *ctx, struct sg_fault *why)
{
	const struct conf_options *opt = &prog->conf->opt;
	const struct conf_text *topics[PUBLISH_TOPIC_COUNT] = {
		[PUBLISH_CHANGES] = &opt->topic_changes,
		[PUBLISH_CURRENT] = &opt->topic_current,
		[PUBLISH_RENEWALS] = &opt->topic_renewals,
	};
	char subject[SUBJECT_MAX];

	for (size_t i = 0; i < PUBLISH_TOPIC_COUNT; i++) {
		const char *text = publish_schema_text((enum publish_topic)i);
		bool is_new = false;
		enum sg_err err;

		ret_ids[i] = -1;
		if (text == NULL || topics[i] == NULL)
			continue;
		err = registry_subject_id(registry,
			subject_of(topics[i]->s, subject), text, may_register,
			&ret_ids[i], &is_new, why);
		if (err != SG_OK)
			return err;
		if (each != NULL)
			each(ctx, subject, ret_ids[i], is_new);
	}
	return SG_OK;
}

enum sg_err
pipeline_register(const struct program *prog,
	void (*each)(void *ctx, const char *subject, int32_t id, bool is_new),
	void *ctx, struct sg_fault *why)
{
	int32_t ids[PUBLISH_TOPIC_COUNT];
	struct registry *registry = NULL;
	enum sg_err err = schemas_open(prog, &registry, why);

	if (err == SG_OK && registry == NULL)
		err = sg_fault_set(why, SG_BAD_CONFIG,
			"the configuration names no registry: set "
			"registry.url");
	if (err == SG_OK)
		err = schemas_output_ids(
			prog, registry, true, ids, each, ctx, why);
	schemas_close(prog, registry);
	return err;
}
