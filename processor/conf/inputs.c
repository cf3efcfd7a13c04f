#include "walk.h"

#include <stdio.h>
#include <string.h>

#include "segmentd/event.h"

enum input_key {
	KEY_TOPIC,
	KEY_SCHEMA,
	KEY_FRAMING,
	KEY_KEY,
	KEY_TIME,
	KEY_ID,
	KEY_DELETE_WHEN,
	KEY_RETENTION,
	KEY_FEATURES,
};

#define RETENTION_MIN_MS 1000
#define RETENTION_MAX_MS (INT64_C(100) * 366 * 86400000)

static const char *const input_keys[] = {
	[KEY_TOPIC] = "topic",
	[KEY_SCHEMA] = "schema",
	[KEY_FRAMING] = "framing",
	[KEY_KEY] = "key",
	[KEY_TIME] = "time",
	[KEY_ID] = "id",
	[KEY_DELETE_WHEN] = "delete_when",
	[KEY_RETENTION] = "retention",
	[KEY_FEATURES] = "features",
	NULL,
};

static const char *const framings[] = {
	"auto", "confluent", "single_object", "bare", NULL};

static void
framing_read(struct walk *walk, const struct doc_node *node,
	struct conf_text *ret_framing)
{
	char hint[160];

	if (!walk_env_text(walk, node, false, ret_framing))
		return;
	for (size_t i = 0; framings[i] != NULL; i++) {
		if (strcmp(ret_framing->s, framings[i]) == 0)
			return;
	}
	walk_fault(walk, node,
		name_hint(ret_framing->s, framings, hint, sizeof(hint)),
		"not a framing");
}

static void
path_read(struct walk *walk, const struct doc_node *node,
	struct conf_text *ret_path)
{
	if (walk_env_text(walk, node, false, ret_path))
		(void)path_check(walk, ret_path);
}

static void
input_key_read(struct walk *walk, const struct doc_node *node, int key,
	struct conf_input *input)
{
	switch (key) {
	case KEY_TOPIC:
		if (walk_env_text(walk, node, false, &input->topic))
			(void)topic_check(walk, &input->topic);
		break;
	case KEY_SCHEMA:
		(void)walk_file(walk, node, &input->schema);
		break;
	case KEY_FRAMING:
		framing_read(walk, node, &input->framing);
		break;
	case KEY_KEY:
		path_read(walk, node, &input->key);
		break;
	case KEY_TIME:
		path_read(walk, node, &input->time);
		break;
	case KEY_ID:
		path_read(walk, node, &input->id);
		break;
	case KEY_DELETE_WHEN:
		(void)walk_expr(walk, node, &input->delete_when);
		break;
	case KEY_RETENTION:
		if (walk_span(walk, node, RETENTION_MIN_MS, RETENTION_MAX_MS,
			    &input->retention_ms))
			(void)walk_text(walk, node, false, &input->retention);
		break;
	case KEY_FEATURES:
		features_read(walk, node, input);
		break;
	default:
		break;
	}
}

static void
input_read(struct walk *walk, const struct doc_node *node,
	struct conf_input *input)
{
	size_t nunknown = walk->nunknown;
	char where[CONF_NAME_MAX + 16];

	if (!walk_is(walk, node, DOC_MAP, "a map with at least a `topic`"))
		return;
	(void)snprintf(where, sizeof(where), "input `%s`", input->name.s);
	for (const struct doc_node *c = node->first; c != NULL; c = c->next) {
		int key = walk_find(walk, c, input_keys, where);

		input_key_read(walk, c, key, input);
	}
	if (doc_get(node, "topic") == NULL && walk->nunknown == nunknown)
		walk_key_fault(walk, node, NULL, "%s has no `topic`", where);
	if (input->framing.s == NULL) {
		input->framing.s = "auto";
		input->framing.len = strlen("auto");
	}
	if (strcmp(input->framing.s, "bare") == 0 && input->schema.s == NULL)
		conf_diag_at(walk->diags, &input->framing, 0, 0, false, NULL,
			"bare records need the `schema` they were written "
			"with");
}

/* Topics are told apart by name when records come in. */
static void
check_topics(struct walk *walk, const struct conf_input *inputs, size_t n,
	const struct conf_options *opt)
{
	const char *outputs[] = {opt->topic_changes.s, opt->topic_current.s,
		opt->topic_renewals.s, opt->topic_rejects.s,
		opt->topic_overrides.s};

	for (size_t i = 0; i < n; i++) {
		const struct conf_text *topic = &inputs[i].topic;

		for (size_t j = 0; topic->s != NULL && j < i; j++) {
			if (inputs[j].topic.s == NULL ||
				strcmp(topic->s, inputs[j].topic.s) != 0)
				continue;
			conf_diag_at(walk->diags, topic, 0, 0, false,
				"put the features of both into one input",
				"the topic is already read by input `%s`",
				inputs[j].name.s);
			break;
		}
		for (size_t j = 0; topic->s != NULL && j < SG_COUNTOF(outputs);
			j++) {
			if (outputs[j] == NULL ||
				strcmp(topic->s, outputs[j]) != 0)
				continue;
			conf_diag_at(walk->diags, topic, 0, 0, false, NULL,
				"the topic is one of segmentd's own");
			break;
		}
	}
}

void
inputs_read(struct walk *walk, const struct doc_node *node, struct conf *conf)
{
	struct conf_input *inputs;
	size_t n = 0, nfeatures = 0;

	if (!walk_is(walk, node, DOC_MAP, "a map of inputs by name"))
		return;
	if (node->n == 0)
		walk_key_fault(walk, node, NULL, "no inputs");
	if (node->n > INPUTS_MAX) {
		walk_key_fault(
			walk, node, NULL, "at most %d inputs", INPUTS_MAX);
		return;
	}
	inputs = walk_array(walk, node->n, sizeof(*inputs));
	if (inputs == NULL)
		return;
	for (const struct doc_node *c = node->first; c != NULL; c = c->next) {
		struct conf_input *input = &inputs[n];

		if (!walk_key(walk, c, &input->name))
			return;
		(void)name_check(walk, &input->name, NAME_INPUT);
		input_read(walk, c, input);
		nfeatures += input->nfeatures;
		n++;
	}
	check_topics(walk, inputs, n, &conf->opt);
	if (nfeatures > FEATURES_MAX)
		walk_key_fault(walk, node, NULL, "at most %d features in all",
			FEATURES_MAX);
	conf->inputs = inputs;
	conf->ninputs = n;
}
