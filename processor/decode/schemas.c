/*
 * schemas.c - the set of schemas: texts, trees, ids and fingerprints.
 *
 * Numbers are handed out in the order of adding and never change. The same
 * text added again is the same schema under one id more, so ids have a table
 * of their own. Lookups walk: a reader remembers what it has looked up.
 */
#include "schemas.h"

#include <dirent.h>
#include <errno.h>
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

struct id_entry {
	int32_t id;
	int32_t number;
};

struct decode_schemas {
	struct arena arena;
	struct entry entries[SCHEMAS_MAX];
	int32_t n;
	struct id_entry ids[SCHEMAS_MAX];
	size_t nids;
};

enum sg_err
decode_schemas_create(struct decode_schemas **ret_schemas)
{
	struct decode_schemas *schemas = calloc(1, sizeof(*schemas));

	if (schemas == NULL)
		return SG_NOMEM;
	arena_init(&schemas->arena, SCHEMAS_BYTES_MAX);
	*ret_schemas = schemas;
	return SG_OK;
}

void
decode_schemas_destroy(struct decode_schemas *schemas)
{
	if (schemas == NULL)
		return;
	arena_fini(&schemas->arena);
	free(schemas);
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

enum sg_err
decode_schemas_add(struct decode_schemas *schemas, const char *name,
	const char *json, size_t len, int32_t id, int32_t *ret_number,
	struct sg_fault *why)
{
	int32_t known = id >= 0 ? schemas_by_id(schemas, id) : -1;
	int32_t number = find_text(schemas, json, len);
	enum sg_err err;

	if (known >= 0 && known != number)
		return sg_fault_set(why, SG_BAD_SCHEMA,
			"%s: id %d is that of %s, which differs", name, id,
			schemas->entries[known].name);
	if (known < 0 && id >= 0 && schemas->nids == SCHEMAS_MAX)
		return sg_fault_set(why, SG_BAD_SCHEMA,
			"%s: more than %d schema ids", name, SCHEMAS_MAX);
	if (number < 0) {
		err = add_text(schemas, name, json, len, &number, why);
		if (err != SG_OK)
			return err;
	}
	if (known < 0 && id >= 0)
		schemas->ids[schemas->nids++] =
			(struct id_entry){.id = id, .number = number};
	if (ret_number != NULL)
		*ret_number = number;
	return SG_OK;
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
schemas_by_id(const struct decode_schemas *schemas, int32_t id)
{
	for (size_t i = 0; i < schemas->nids; i++)
		if (schemas->ids[i].id == id)
			return schemas->ids[i].number;
	return -1;
}

int32_t
schemas_by_fingerprint(const struct decode_schemas *schemas, uint64_t fp)
{
	for (int32_t i = 0; i < schemas->n; i++)
		if (schemas->entries[i].fingerprint == fp)
			return i;
	return -1;
}
