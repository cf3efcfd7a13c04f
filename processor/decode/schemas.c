/*
 * schemas.c - the set of schemas: texts, trees, ids and fingerprints.
 *
 * Numbers are handed out in the order of adding and never change. The same
 * text added again is the same schema under one id more, so ids have a table
 * of their own. Lookups walk: a reader remembers what it has looked up. An id
 * that is in no table is asked of the source, a registry, if there is one.
 */
#include "schemas.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "schema_parse.h"

#include "segmentd/arena.h"
#include "segmentd/hash.h"

#define SCHEMAS_BYTES_MAX ((size_t)256 << 20)
#define PATH_BYTES_MAX 4096

struct entry {
	const struct schema *schema;
	const char *name;
	const char *text;
	size_t text_len;
	uint64_t fingerprint;
};

struct key_entry {
	struct schema_key key;
	int32_t number;
};

struct decode_schemas {
	struct arena arena;
	struct entry entries[SCHEMAS_MAX];
	int32_t n;
	struct key_entry keys[SCHEMAS_MAX];
	size_t nkeys;
	struct decode_source source; /* .find NULL: none */
	/* Workers add what a source gives them. An entry is complete before
	 * its number is known, and never changes. */
	pthread_mutex_t mtx;
};

enum sg_err
decode_schemas_create(struct decode_schemas **ret_schemas)
{
	struct decode_schemas *schemas = calloc(1, sizeof(*schemas));

	if (schemas == NULL)
		return SG_NOMEM;
	arena_init(&schemas->arena, SCHEMAS_BYTES_MAX);
	(void)pthread_mutex_init(&schemas->mtx, NULL);
	*ret_schemas = schemas;
	return SG_OK;
}

void
decode_schemas_destroy(struct decode_schemas *schemas)
{
	if (schemas == NULL)
		return;
	arena_fini(&schemas->arena);
	(void)pthread_mutex_destroy(&schemas->mtx);
	free(schemas);
}

void
decode_schemas_set_source(
	struct decode_schemas *schemas, const struct decode_source *source)
{
	schemas->source = *source;
}

static int32_t
find_text(const struct decode_schemas *schemas, const char *json, size_t len)
{
	for (int32_t i = 0; i < schemas->n; i++)
		if (schemas->entries[i].text_len == len &&
			memcmp(schemas->entries[i].text, json, len) == 0)
			return i;
	return -1;
}

static enum sg_err
fingerprint(const struct schema *schema, uint64_t *ret_fingerprint)
{
	struct buf buf;
	enum sg_err err = SG_NOMEM;

	buf_init(&buf, (size_t)4 * SCHEMA_TEXT_MAX);
	schema_canonical(schema, &buf);
	if (!buf.is_failed) {
		*ret_fingerprint = schema_crc64(buf.bytes, buf.len);
		err = SG_OK;
	}
	buf_fini(&buf);
	return err;
}

static enum sg_err
add_text(struct decode_schemas *schemas, const char *name, const char *json,
	size_t len, int32_t *ret_number, struct sg_fault *why)
{
	struct entry *entry = &schemas->entries[schemas->n];
	struct entry fresh = {.text_len = len};
	enum sg_err err;

	if (schemas->n == SCHEMAS_MAX)
		return sg_fault_set(why, SG_BAD_SCHEMA,
			"%s: more than %d schemas", name, SCHEMAS_MAX);
	err = schema_parse(
		&schemas->arena, name, json, len, &fresh.schema, why);
	if (err != SG_OK)
		return err;
	fresh.name = arena_copy(&schemas->arena, name, strlen(name));
	fresh.text = arena_copy(&schemas->arena, json, len);
	if (fresh.name == NULL || fresh.text == NULL ||
		fingerprint(fresh.schema, &fresh.fingerprint) != SG_OK)
		return sg_fault_set(why, SG_NOMEM, "%s: no memory", name);
	*entry = fresh;
	*ret_number = schemas->n++;
	return SG_OK;
}

static int32_t
find_key(const struct decode_schemas *schemas, const struct schema_key *key)
{
	for (size_t i = 0; i < schemas->nkeys; i++) {
		const struct schema_key *other = &schemas->keys[i].key;

		if (key->is_guid != other->is_guid)
			continue;
		if (key->is_guid ? memcmp(key->guid, other->guid,
					   SCHEMA_GUID_BYTES) == 0
				 : key->id == other->id)
			return schemas->keys[i].number;
	}
	return -1;
}

/* Under mtx. `key` may be NULL. */
static enum sg_err
add(struct decode_schemas *schemas, const char *name, const char *json,
	size_t len, const struct schema_key *key, int32_t *ret_number,
	struct sg_fault *why)
{
	int32_t known = key != NULL ? find_key(schemas, key) : -1;
	int32_t number = find_text(schemas, json, len);
	enum sg_err err;

	if (known >= 0 && known != number)
		return sg_fault_set(why, SG_BAD_SCHEMA,
			"%s: id %d is that of %s, which differs", name,
			(int)key->id, schemas->entries[known].name);
	if (known < 0 && key != NULL && schemas->nkeys == SCHEMAS_MAX)
		return sg_fault_set(why, SG_BAD_SCHEMA,
			"%s: more than %d schema ids", name, SCHEMAS_MAX);
	if (number < 0) {
		err = add_text(schemas, name, json, len, &number, why);
		if (err != SG_OK)
			return err;
	}
	if (known < 0 && key != NULL)
		schemas->keys[schemas->nkeys++] =
			(struct key_entry){.key = *key, .number = number};
	*ret_number = number;
	return SG_OK;
}

enum sg_err
decode_schemas_add(struct decode_schemas *schemas, const char *name,
	const char *json, size_t len, int32_t id, int32_t *ret_number,
	struct sg_fault *why)
{
	struct schema_key key = {.id = id};
	int32_t number = -1;
	enum sg_err err;

	(void)pthread_mutex_lock(&schemas->mtx);
	err = add(
		schemas, name, json, len, id >= 0 ? &key : NULL, &number, why);
	(void)pthread_mutex_unlock(&schemas->mtx);
	if (err == SG_OK && ret_number != NULL)
		*ret_number = number;
	return err;
}

/* The source has it, has none, or does not know yet. */
static enum sg_err
add_from_source(struct decode_schemas *schemas, const struct schema_key *key,
	int32_t *ret_number, struct sg_fault *why)
{
	char name[64];
	const char *text = NULL;
	size_t len = 0;
	enum sg_err err;

	err = schemas->source.find(schemas->source.ctx, key, &text, &len, why);
	if (err != SG_OK)
		return err;
	if (key->is_guid)
		(void)snprintf(name, sizeof(name),
			"GUID %02x%02x%02x%02x... of the registry",
			key->guid[0], key->guid[1], key->guid[2], key->guid[3]);
	else
		(void)snprintf(name, sizeof(name), "id %d of the registry",
			(int)key->id);
	(void)pthread_mutex_lock(&schemas->mtx);
	err = add(schemas, name, text, len, key, ret_number, why);
	(void)pthread_mutex_unlock(&schemas->mtx);
	/* It came with a record, not with the configuration. */
	return err == SG_BAD_SCHEMA ? SG_UNKNOWN_SCHEMA : err;
}

enum sg_err
schemas_find(struct decode_schemas *schemas, const struct schema_key *key,
	int32_t *ret_number, struct sg_fault *why)
{
	int32_t number;

	(void)pthread_mutex_lock(&schemas->mtx);
	number = find_key(schemas, key);
	(void)pthread_mutex_unlock(&schemas->mtx);
	if (number >= 0) {
		*ret_number = number;
		return SG_OK;
	}
	if (schemas->source.find != NULL)
		return add_from_source(schemas, key, ret_number, why);
	if (key->is_guid)
		return sg_fault_set(why, SG_UNKNOWN_SCHEMA,
			"a schema's GUID, and no registry is configured to ask "
			"for it");
	return sg_fault_set(why, SG_UNKNOWN_SCHEMA, "no schema has the id %d",
		(int)key->id);
}

/* --- files ---------------------------------------------------------------- */

/* "17.avsc" and "17-what.avsc" carry id 17; -1: the name carries none. */
static int32_t
id_of_name(const char *base)
{
	int64_t id = 0;
	size_t n = 0;

	for (; base[n] >= '0' && base[n] <= '9' && id <= INT32_MAX; n++)
		id = id * 10 + (base[n] - '0');
	if (n == 0 || id > INT32_MAX || (base[n] != '.' && base[n] != '-'))
		return -1;
	return (int32_t)id;
}

static enum sg_err
add_file(struct decode_schemas *schemas, const char *path, int32_t id,
	int32_t *ret_number, struct sg_fault *why)
{
	const char *slash = strrchr(path, '/');
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	size_t len = 0;
	enum sg_err err = SG_IO;

	if (file == NULL)
		return sg_fault_set(
			why, SG_IO, "%s: %s", path, strerror(errno));
	if (id < 0)
		id = id_of_name(slash != NULL ? slash + 1 : path);
	text = malloc(SCHEMA_TEXT_MAX + 1);
	if (text == NULL) {
		err = sg_fault_set(why, SG_NOMEM, "%s: no memory", path);
		goto out;
	}
	len = fread(text, 1, SCHEMA_TEXT_MAX + 1, file);
	if (ferror(file))
		err = sg_fault_set(why, SG_IO, "%s: %s", path, strerror(errno));
	else
		err = decode_schemas_add(
			schemas, path, text, len, id, ret_number, why);
out:
	free(text);
	(void)fclose(file);
	return err;
}

static int
is_schema_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 &&
	       strcmp(entry->d_name + len - 5, ".avsc") == 0;
}

static enum sg_err
add_folder(
	struct decode_schemas *schemas, const char *path, struct sg_fault *why)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, is_schema_file, alphasort);
	enum sg_err err = SG_OK;
	char file[PATH_BYTES_MAX];

	if (n < 0)
		return sg_fault_set(
			why, SG_IO, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		int len = snprintf(
			file, sizeof(file), "%s/%s", path, names[i]->d_name);

		free(names[i]);
		if (err != SG_OK)
			continue;
		if (len < 0 || (size_t)len >= sizeof(file))
			err = sg_fault_set(
				why, SG_IO, "%s: path is too long", path);
		else
			err = add_file(schemas, file, -1, NULL, why);
	}
	free(names);
	return err;
}

enum sg_err
decode_schemas_add_path(struct decode_schemas *schemas, const char *path,
	int32_t id, int32_t *ret_number, struct sg_fault *why)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return sg_fault_set(
			why, SG_IO, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return add_folder(schemas, path, why);
	return add_file(schemas, path, id, ret_number, why);
}

/* --- lookups -------------------------------------------------------------- */

int32_t
decode_schemas_id(struct decode_schemas *schemas, int32_t number)
{
	int32_t id = -1;

	(void)pthread_mutex_lock(&schemas->mtx);
	for (size_t i = 0; i < schemas->nkeys && id < 0; i++)
		if (schemas->keys[i].number == number &&
			!schemas->keys[i].key.is_guid)
			id = schemas->keys[i].key.id;
	(void)pthread_mutex_unlock(&schemas->mtx);
	return id;
}

uint64_t
decode_schemas_fingerprint(const struct decode_schemas *schemas, int32_t number)
{
	return schemas->entries[number].fingerprint;
}

const char *
decode_schemas_text(const struct decode_schemas *schemas, int32_t number)
{
	return schemas->entries[number].text;
}

const struct schema *
decode_schemas_tree(const struct decode_schemas *schemas, int32_t number)
{
	return schemas->entries[number].schema;
}

int32_t
schemas_count(const struct decode_schemas *schemas)
{
	return schemas->n;
}

const char *
schemas_name(const struct decode_schemas *schemas, int32_t number)
{
	return schemas->entries[number].name;
}

int32_t
schemas_by_fingerprint(struct decode_schemas *schemas, uint64_t fp)
{
	int32_t found = -1;

	(void)pthread_mutex_lock(&schemas->mtx);
	for (int32_t i = 0; i < schemas->n && found < 0; i++)
		if (schemas->entries[i].fingerprint == fp)
			found = i;
	(void)pthread_mutex_unlock(&schemas->mtx);
	return found;
}
