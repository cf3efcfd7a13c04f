/*
 * conf.c - the file as a whole.
 *
 *     text --doc.c--> tree --options, inputs, ...--> struct conf
 *
 * The conf owns an arena with copies of all it needs; the tree is gone when
 * the caller gets the conf. Parts are read in the order of the table below,
 * whatever the order of the file; mistakes are sorted when they are printed.
 */
#include "segmentd/conf.h"

#include <stdlib.h>
#include <string.h>

#include "walk.h"

#define CONF_ARENA_MAX ((size_t)128 << 20)
#define OTHERS_MAX 16

/* What is allocated; the caller sees the first member. */
struct conf_owner {
	struct conf conf;
	struct arena arena;
};

/* The parts that are no scalar options. */
static const struct part {
	const char *key;
	void (*read)(struct walk *walk, const struct doc_node *node,
		struct conf *conf);
} parts[] = {
	{"kafka", kafka_read},
	{"inputs", inputs_read},
	{"variables", variables_read},
	{"scores", scores_read},
	{"segmentations", segmentations_read},
	{"renewal", renewal_read},
	{"alerts", NULL},
};

static enum sg_err
conf_create(const char *name, const char *dir, struct conf_owner **ret_owner)
{
	struct conf_owner *owner = calloc(1, sizeof(*owner));

	if (owner == NULL)
		return SG_NOMEM;
	arena_init(&owner->arena, CONF_ARENA_MAX);
	owner->conf.path = arena_copy(&owner->arena, name, strlen(name));
	owner->conf.dir = arena_copy(&owner->arena, dir, strlen(dir));
	if (owner->conf.path == NULL || owner->conf.dir == NULL) {
		conf_destroy(&owner->conf);
		return SG_NOMEM;
	}
	*ret_owner = owner;
	return SG_OK;
}

void
conf_destroy(struct conf *conf)
{
	struct conf_owner *owner = (struct conf_owner *)conf;

	if (owner == NULL)
		return;
	arena_fini(&owner->arena);
	free(owner);
}

/* --- the tree ----------------------------------------------------------- */

static void
parts_read(struct walk *walk, const struct doc_node *root, struct conf *conf)
{
	const struct doc_node *schemas = doc_get(root, "schemas");

	for (size_t i = 0; i < SG_COUNTOF(parts); i++) {
		const struct doc_node *node = doc_get(root, parts[i].key);

		if (node == NULL)
			continue;
		if (parts[i].read != NULL)
			parts[i].read(walk, node, conf);
		else
			walk_key_fault(walk, node, NULL,
				"`%s` is not supported in this version",
				parts[i].key);
	}
	if (doc_get(schemas, "ids") != NULL)
		schema_ids_read(walk, doc_get(schemas, "ids"), conf);
	if (doc_get(root, "inputs") == NULL) {
		struct conf_text place = root->text;

		place.line = 0;
		conf_diag_at(walk->diags, &place, 0, 0, false, NULL,
			"`inputs` is missing: nothing to read");
	}
}

static void
root_read(struct walk *walk, const struct doc_node *root,
	const char *const *others, struct conf *conf)
{
	const char *known[SG_COUNTOF(parts) + OTHERS_MAX + 1] = {NULL};
	size_t n = 0;

	for (; n < SG_COUNTOF(parts); n++)
		known[n] = parts[n].key;
	for (size_t i = 0; others != NULL && others[i] != NULL; i++) {
		if (i < OTHERS_MAX)
			known[n++] = others[i];
	}
	if (!options_defaults(walk, &conf->opt)) {
		walk->err = SG_INTERNAL;
		return;
	}
	options_read(walk, root, known, &conf->opt);
	(void)walk_resolve(walk, &conf->opt.schemas_folder);
	(void)walk_resolve(walk, &conf->opt.registry_cache);
	(void)walk_resolve(walk, &conf->opt.registry_ca_file);
	parts_read(walk, root, conf);
}

/* --- --set path=value --------------------------------------------------- */

static void
unknown_set(struct walk *walk, const struct conf_text *path)
{
	const char *words[128];
	const struct conf_option *rows;
	size_t n, used = 0;
	char hint[160];

	rows = conf_option_rows(&n);
	for (; used < n && used + 1 < SG_COUNTOF(words); used++)
		words[used] = rows[used].path;
	words[used] = NULL;
	conf_diag_at(walk->diags, path, 0, 0, false,
		name_hint(path->s, words, hint, sizeof(hint)),
		"unknown option `%.80s`", path->s);
}

/* Add a property, or replace the one of that name. */
static void
kafka_set(struct walk *walk, const struct conf_text *path,
	const struct conf_text *value, struct conf *conf)
{
	struct conf_text name = *path;
	struct kafka_prop *props;
	size_t n = 0;

	name.s += strlen("kafka.");
	name.len -= strlen("kafka.");
	name.start += (uint32_t)strlen("kafka.");
	if (!kafka_prop_check(walk, &name, value))
		return;
	props = walk_array(walk, conf->nkafka + 1, sizeof(*props));
	if (props == NULL)
		return;
	for (size_t i = 0; i < conf->nkafka; i++) {
		if (strcmp(conf->kafka[i].name, name.s) != 0)
			props[n++] = conf->kafka[i];
	}
	props[n++] = (struct kafka_prop){.name = name.s, .value = value->s};
	conf->kafka = props;
	conf->nkafka = n;
}

static enum sg_err
set_apply(struct walk *walk, const char *set, struct conf *conf)
{
	const struct diag_source *source;
	const char *equals = strchr(set, '=');
	size_t len = strlen(set);
	size_t split = equals != NULL ? (size_t)(equals - set) : len;
	const struct conf_option *row = options_find(set, split);
	struct conf_text path = {.line = 1, .column = 1}, value;
	enum sg_err err;

	err = diags_source_add(walk->diags, "--set", set, len, &source);
	if (err != SG_OK)
		return err;
	path.start = source->base;
	path.end = source->base + (uint32_t)split;
	path.len = split;
	path.s = arena_copy(walk->arena, set, split);
	value = path;
	value.start = path.end + (equals != NULL);
	value.end = source->base + (uint32_t)len;
	value.column = (uint32_t)split + 2;
	value.len = equals != NULL ? len - split - 1 : 0;
	value.s = arena_copy(walk->arena, set + (len - value.len), value.len);
	if (path.s == NULL || value.s == NULL)
		return SG_NOMEM;
	if (diag_key_is_secret(path.s, path.len))
		diags_secret(walk->diags, value.start, value.end);
	diags_source_parsed(walk->diags, source);

	if (equals == NULL)
		conf_diag_at(walk->diags, &path, 0, 0, false, NULL,
			"not of the form path=value");
	else if (strncmp(path.s, "kafka.", strlen("kafka.")) == 0)
		kafka_set(walk, &path, &value, conf);
	else if (row == NULL)
		unknown_set(walk, &path);
	else
		options_set(walk, row, &value, &conf->opt);
	return walk->err;
}

/* --- all of it ---------------------------------------------------------- */

static enum sg_err
conf_build(const char *name, const char *dir, const struct doc_node *root,
	const char *const *others, const char *const *sets, size_t nsets,
	struct conf_diags *diags, struct conf **ret_conf)
{
	struct conf_owner *owner = NULL;
	enum sg_err err = conf_create(name, dir, &owner);
	struct walk walk = {.diags = diags};

	if (err != SG_OK)
		return err;
	walk.arena = &owner->arena;
	walk.dir = owner->conf.dir;
	root_read(&walk, root, others, &owner->conf);
	err = walk.err;
	for (size_t i = 0; i < nsets && err == SG_OK; i++)
		err = set_apply(&walk, sets[i], &owner->conf);
	if (err == SG_OK) {
		options_check(&walk, &owner->conf.opt);
		*ret_conf = &owner->conf;
		return SG_OK;
	}
	conf_destroy(&owner->conf);
	return err;
}

enum sg_err
conf_from_doc(const char *name, const char *dir, const struct doc_node *map,
	const char *const *others, struct conf_diags *diags,
	struct conf **ret_conf)
{
	return conf_build(name, dir, map, others, NULL, 0, diags, ret_conf);
}

enum sg_err
conf_parse(const char *name, const char *dir, const char *yaml, size_t len,
	struct conf_diags *diags, struct conf **ret_conf)
{
	struct doc *doc = NULL;
	enum sg_err err = doc_parse(name, yaml, len, diags, &doc);

	if (err == SG_OK)
		err = conf_build(name, dir, doc_root(doc), NULL, NULL, 0, diags,
			ret_conf);
	doc_destroy(doc);
	return err;
}

/* The folder of a path: "." when it names none, "/" for the root's files. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return strdup(".");
	if (slash == path)
		return strdup("/");
	return strndup(path, (size_t)(slash - path));
}

enum sg_err
conf_read(const char *path, const char *const *sets, size_t nsets,
	struct conf_diags *diags, struct conf **ret_conf)
{
	char *dir = folder_of(path);
	struct doc *doc = NULL;
	enum sg_err err = SG_NOMEM;

	if (dir != NULL)
		err = doc_read(path, diags, &doc);
	if (err == SG_OK)
		err = conf_build(path, dir, doc_root(doc), NULL, sets, nsets,
			diags, ret_conf);
	doc_destroy(doc);
	free(dir);
	return err;
}

void
conf_require_broker(const struct conf *conf, struct conf_diags *diags)
{
	static const struct conf_text place = {.s = NULL}; /* of the file */

	for (size_t i = 0; i < conf->nkafka; i++) {
		const char *name = conf->kafka[i].name;

		if ((strcmp(name, "bootstrap.servers") == 0 ||
			    strcmp(name, "metadata.broker.list") == 0) &&
			conf->kafka[i].value[0] != '\0')
			return;
	}
	conf_diag_at(diags, &place, 0, 0, false,
		"kafka: {bootstrap.servers: \"localhost:9092\"}",
		"`kafka` names no `bootstrap.servers`");
}
