/* look_topic.c - records of our topics and of the inputs, as values. */
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "schemas.h"
#include "segmentd/clock.h"
#include "segmentd/look.h"
#include "segmentd/publish.h"

#define TIMEOUT_MS 10000
#define REGISTRY_WAIT_US INT64_C(10000000)

struct look_topic {
	const struct program *prog;
	const char *name;
	enum look_topic_kind kind;
	struct registry *registry;    /* NULL: none */
	struct decode_reader *reader; /* NULL: its values have no schema */
	struct arena arena;	      /* of the type */
	const struct type *type;
	uint32_t *slots; /* by field of the type */
};

/* A topic that has a name of ours. */
struct candidate {
	const char *ours;
	const char *topic;
	enum look_topic_kind kind;
	uint32_t input;
};

static size_t
list_candidates(const struct program *prog, struct candidate *list)
{
	const struct conf_options *opt = &prog->conf->opt;
	size_t n = 0;

	list[n++] = (struct candidate){
		"changes", opt->topic_changes.s, LOOK_CHANGES, 0};
	list[n++] = (struct candidate){
		"current", opt->topic_current.s, LOOK_CURRENT, 0};
	list[n++] = (struct candidate){
		"renewals", opt->topic_renewals.s, LOOK_RENEWALS, 0};
	list[n++] = (struct candidate){
		"rejects", opt->topic_rejects.s, LOOK_REJECTS, 0};
	/* The last input is that of overrides, where there is one. */
	for (uint32_t i = 0; i < prog->ninputs; i++)
		list[n++] = (struct candidate){prog->inputs[i].name,
			prog->inputs[i].topic, LOOK_INPUT, i};
	return n;
}

static enum sg_err
find(const struct program *prog, const char *name, struct candidate *ret,
	struct sg_fault *why)
{
	struct candidate list[INPUTS_MAX + 8];
	const char *words[2 * INPUTS_MAX + 17];
	size_t n = list_candidates(prog, list);

	for (size_t i = 0; i < n; i++) {
		words[i] = list[i].ours;
		words[n + i] = list[i].topic;
		if (strcmp(list[i].topic, name) == 0) {
			*ret = list[i];
			return SG_OK;
		}
	}
	words[2 * n] = NULL;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].ours, name) == 0) {
			*ret = list[i];
			return SG_OK;
		}
	}
	return look_unknown(why, "the configuration has no topic", name, words);
}

/* The type without what is private to segmentd. */
static enum sg_err
bind_fields(struct look_topic *topic, struct sg_fault *why)
{
	const struct type *all = decode_reader_type(topic->reader);
	struct type_field *fields =
		arena_array(&topic->arena, all->nfields + 1, sizeof(*fields));
	enum sg_err err = SG_OK;
	size_t n = 0;

	topic->slots = arena_array(
		&topic->arena, all->nfields + 1, sizeof(*topic->slots));
	if (fields == NULL || topic->slots == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < all->nfields && err == SG_OK; i++) {
		const char *name = all->fields[i].name;

		if (topic->kind == LOOK_CURRENT && strcmp(name, "state") == 0)
			continue;
		fields[n].name = name;
		err = decode_reader_bind(topic->reader, name, strlen(name),
			&topic->slots[n], &fields[n].type, why);
		n++;
	}
	if (err != SG_OK)
		return err;
	topic->type = type_record(&topic->arena, fields, n);
	return topic->type == NULL ? SG_NOMEM : SG_OK;
}

static enum sg_err
open_reader(struct look_topic *topic, const struct candidate *found,
	struct sg_fault *why)
{
	static const enum publish_topic outputs[] = {
		[LOOK_CHANGES] = PUBLISH_CHANGES,
		[LOOK_CURRENT] = PUBLISH_CURRENT,
		[LOOK_RENEWALS] = PUBLISH_RENEWALS,
	};
	const struct program *prog = topic->prog;
	enum decode_framing framing = DECODE_AUTO;
	const char *text;
	int32_t schema = -1;
	enum sg_err err = SG_OK;

	if (found->kind == LOOK_REJECTS)
		return SG_OK;
	if (found->kind == LOOK_INPUT) {
		schema = prog->inputs[found->input].schema;
		framing = prog->inputs[found->input].is_bare ? DECODE_BARE
							     : DECODE_AUTO;
	} else {
		text = publish_schema_text(outputs[found->kind]);
		err = decode_schemas_add(prog->schemas, found->ours, text,
			strlen(text), -1, &schema, why);
	}
	if (err == SG_OK)
		err = decode_reader_create(
			prog->schemas, schema, framing, &topic->reader, why);
	return err != SG_OK ? err : bind_fields(topic, why);
}

enum sg_err
look_topic_open(const struct program *prog, const char *name,
	struct look_topic **ret_topic, struct sg_fault *why)
{
	struct candidate found = {NULL, NULL, LOOK_CHANGES, 0};
	struct look_topic *topic;
	enum sg_err err = find(prog, name, &found, why);

	if (err != SG_OK)
		return err;
	topic = calloc(1, sizeof(*topic));
	if (topic == NULL)
		return SG_NOMEM;
	topic->prog = prog;
	topic->name = found.topic;
	topic->kind = found.kind;
	arena_init(&topic->arena, (size_t)64 << 20);
	err = open_reader(topic, &found, why);
	if (err == SG_OK)
		err = schemas_open(prog, &topic->registry, why);
	if (err != SG_OK) {
		look_topic_close(topic);
		return err;
	}
	*ret_topic = topic;
	return SG_OK;
}

void
look_topic_close(struct look_topic *topic)
{
	if (topic == NULL)
		return;
	schemas_close(topic->prog, topic->registry);
	decode_reader_destroy(topic->reader);
	arena_fini(&topic->arena);
	free(topic);
}

const char *
look_topic_name(const struct look_topic *topic)
{
	return topic->name;
}

enum look_topic_kind
look_topic_kind(const struct look_topic *topic)
{
	return topic->kind;
}

const struct type *
look_topic_type(const struct look_topic *topic)
{
	return topic->type;
}

enum sg_err
look_topic_decode(struct look_topic *topic, const struct record *rec,
	struct arena *arena, struct value *ret_value, struct sg_fault *why)
{
	int64_t since_us = clock_mono_us();
	const struct value *slots = NULL;
	struct value *items;
	enum sg_err err;

	if (rec->value == NULL || topic->reader == NULL) {
		*ret_value = rec->value == NULL
				     ? value_null()
				     : value_bytes(rec->value,
					       (uint32_t)rec->value_len);
		return SG_OK;
	}
	/* A registry that has not answered yet is asked again. */
	do {
		err = decode_record(topic->reader, rec, arena, &slots, why);
	} while (err == SG_REGISTRY_DOWN &&
		 clock_mono_us() - since_us < REGISTRY_WAIT_US);
	if (err != SG_OK)
		return err;
	items = arena_array(arena, topic->type->nfields + 1, sizeof(*items));
	if (items == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < topic->type->nfields; i++)
		items[i] = slots[topic->slots[i]];
	*ret_value = (struct value){.kind = VALUE_RECORD,
		.len = (uint32_t)topic->type->nfields,
		.as = {.items = items}};
	return SG_OK;
}

enum sg_err
look_topic_read(struct look_topic *topic, const struct look_follow *follow,
	enum sg_err (*each)(
		void *ctx, const struct record *rec, struct sg_fault *why),
	void *ctx, struct sg_fault *why)
{
	const struct program *prog = topic->prog;
	const char *topics[INPUTS_MAX];
	struct ingest_opts opts = program_onlooker(prog, topics);
	struct ingest_follow_opts read = {.topic = topic->name,
		.from_offset = follow->from_offset,
		.since_ms = follow->since_ms,
		.is_ended = follow->is_ended,
		.timeout_ms = TIMEOUT_MS,
		.stop = follow->stop};
	struct ingest *ingest = NULL;
	enum sg_err err =
		kafka_partition_counts(prog->conf->kafka, prog->conf->nkafka,
			&topic->name, 1, TIMEOUT_MS, &read.npartitions, why);

	if (err == SG_OK && read.npartitions == 0)
		return sg_fault_set(why, SG_BAD_CONFIG, "Kafka has no topic %s",
			topic->name);
	if (err == SG_OK)
		err = ingest_open_onlooker(&opts, &ingest, why);
	if (err != SG_OK)
		return err;
	err = ingest_follow(ingest, &read, each, ctx, why);
	ingest_close(ingest, TIMEOUT_MS);
	return err;
}
