/*
 * kafka.c - librdkafka's properties, handed through, and ids of schemas.
 */
#include "walk.h"

#include <string.h>

#include "segmentd/kafka.h"

#define PROPS_MAX 256
#define PROP_NAME_MAX 128

/* Properties that delivery depends on: segmentd sets them itself. */
static const struct {
	const char *name;
	const char *hint;
} own_props[] = {
	{"group.id", "use the option `group`"},
	{"group.instance.id", "use the option `instance`"},
	{"group.protocol", NULL},
	{"group.remote.assignor", NULL},
	{"partition.assignment.strategy", NULL},
	{"enable.auto.commit", NULL},
	{"enable.auto.offset.store", NULL},
	{"auto.offset.reset", "use the option `start`"},
	{"isolation.level", NULL},
	{"enable.partition.eof", NULL},
	{"transactional.id", "use the options `group` and `instance`"},
	{"enable.idempotence", "use the option `delivery`"},
	{"enable.gapless.guarantee", NULL},
	{"partitioner", NULL},
};

bool
kafka_prop_check(struct walk *walk, const struct conf_text *name,
	const struct conf_text *value)
{
	struct kafka_prop prop = {.name = name->s, .value = value->s};
	struct sg_fault why = {.err = SG_OK};
	size_t index;

	if (name->len == 0 || name->len > PROP_NAME_MAX) {
		conf_diag_at(walk->diags, name, 0, 0, false, NULL,
			"not the name of a librdkafka property");
		return false;
	}
	for (size_t i = 0; i < SG_COUNTOF(own_props); i++) {
		if (strcmp(name->s, own_props[i].name) != 0)
			continue;
		conf_diag_at(walk->diags, name, 0, 0, false, own_props[i].hint,
			"segmentd sets `%s` itself", name->s);
		return false;
	}
	/* librdkafka knows them, and what they may be. */
	if (kafka_props_check(&prop, 1, &index, &why) != SG_OK) {
		conf_diag_at(
			walk->diags, name, 0, 0, false, NULL, "%s", why.text);
		return false;
	}
	return true;
}

void
kafka_read(struct walk *walk, const struct doc_node *node, struct conf *conf)
{
	struct kafka_prop *props;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_MAP, "a map of librdkafka properties"))
		return;
	if (node->n > PROPS_MAX) {
		walk_key_fault(
			walk, node, NULL, "at most %d properties", PROPS_MAX);
		return;
	}
	props = walk_array(walk, node->n, sizeof(*props));
	for (const struct doc_node *c = node->first; c != NULL && props != NULL;
		c = c->next) {
		struct conf_text name, value;

		if (c->kind == DOC_MAP || c->kind == DOC_LIST) {
			walk_key_fault(walk, c,
				"names have dots and are one key: "
				"`sasl.mechanism: PLAIN`",
				"a Kafka property must be a text");
			continue;
		}
		if (!walk_key(walk, c, &name) ||
			!walk_env_text(walk, c, true, &value) ||
			!kafka_prop_check(walk, &name, &value))
			continue;
		props[n++] =
			(struct kafka_prop){.name = name.s, .value = value.s};
	}
	conf->kafka = props;
	conf->nkafka = n;
}

void
schema_ids_read(
	struct walk *walk, const struct doc_node *node, struct conf *conf)
{
	struct conf_schema_id *ids;
	size_t n = 0;

	if (!walk_is(walk, node, DOC_MAP, "a map of files by schema id"))
		return;
	if (node->n > CONF_SCHEMA_IDS_MAX) {
		walk_key_fault(walk, node, NULL, "at most %d schema ids",
			CONF_SCHEMA_IDS_MAX);
		return;
	}
	ids = walk_array(walk, node->n, sizeof(*ids));
	for (const struct doc_node *c = node->first; c != NULL && ids != NULL;
		c = c->next) {
		int64_t id;

		if (!parse_int(c->key.s, c->key.len, &id) || id < 0 ||
			id > INT32_MAX) {
			walk_key_fault(walk, c, "such as `17: orders.avsc`",
				"not the id of a schema");
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			if (ids[i].id == id)
				walk_key_fault(walk, c, NULL,
					"schema id %d is given twice",
					ids[i].id);
		}
		ids[n].id = (int32_t)id;
		if (walk_file(walk, c, &ids[n].path))
			n++;
	}
	conf->schema_ids = ids;
	conf->nschema_ids = n;
}
