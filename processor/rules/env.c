/*
 * env.c - the names an expression may use, and reporting mistakes.
 *
 * Names are whole dotted paths in one hash table; the checker tries the
 * longest prefix of a path first, so there is no tree of packages.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "frame.h"

#define ENV_BYTES_MAX ((size_t)4 << 20)

static uint32_t
name_hash(const char *name, size_t len)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return hash;
}

enum sg_err
cel_env_create(unsigned flags, struct cel_env **ret_env)
{
	struct cel_env *env = calloc(1, sizeof(*env));

	if (env == NULL)
		return SG_NOMEM;
	env->flags = flags;
	arena_init(&env->arena, ENV_BYTES_MAX);
	*ret_env = env;
	return SG_OK;
}

void
cel_env_destroy(struct cel_env *env)
{
	if (env == NULL)
		return;
	cel_frame_destroy(env->fold_frame);
	arena_fini(&env->arena);
	free(env->names);
	free(env->table);
	free(env);
}

void
cel_env_timezone(struct cel_env *env, const struct tz *tz)
{
	env->tz = tz;
}

enum sg_err
cel_env_timezone_name(struct cel_env *env, const char *name)
{
	const struct env_name *found = env_find(env, name, strlen(name));

	if (found == NULL)
		return SG_BAD_OPTION;
	env->zone_name = found->name;
	return SG_OK;
}

void
env_container(struct cel_env *env, const char *name)
{
	size_t len = strlen(name);

	if (len < sizeof(env->container))
		memcpy(env->container, name, len + 1);
}

static void
table_put(struct cel_env *env, uint32_t index)
{
	const struct env_name *name = &env->names[index];
	uint32_t at = name_hash(name->name, name->len);

	while (env->table[at & (env->table_size - 1)] != 0)
		at++;
	env->table[at & (env->table_size - 1)] = index + 1;
}

static enum sg_err
env_grow(struct cel_env *env)
{
	uint32_t cap = env->cap == 0 ? 32 : env->cap * 2;
	struct env_name *names;
	uint32_t *table;

	if (env->nnames < env->cap)
		return SG_OK;
	names = realloc(env->names, cap * sizeof(*names));
	if (names == NULL)
		return SG_NOMEM;
	env->names = names;
	table = calloc((size_t)cap * 2, sizeof(*table));
	if (table == NULL)
		return SG_NOMEM;
	free(env->table);
	env->table = table;
	env->table_size = cap * 2;
	env->cap = cap;
	for (uint32_t i = 0; i < env->nnames; i++)
		table_put(env, i);
	return SG_OK;
}

enum sg_err
cel_env_declare(struct cel_env *env, const char *name, const struct type *type,
	uint32_t slot)
{
	size_t len = strlen(name);
	enum sg_err err;
	char *copy;

	if (env->nnames == CEL_NAMES_MAX || len == 0 || len > NAME_LEN_MAX)
		return SG_LIMIT;
	if (env_find(env, name, len) != NULL)
		return SG_BAD_OPTION;
	err = env_grow(env);
	if (err != SG_OK)
		return err;
	copy = arena_copy(&env->arena, name, len);
	if (copy == NULL)
		return SG_NOMEM;
	env->names[env->nnames++] = (struct env_name){
		.name = copy, .len = (uint32_t)len, .slot = slot, .type = type};
	table_put(env, env->nnames - 1);
	return SG_OK;
}

const struct env_name *
env_find(const struct cel_env *env, const char *name, size_t len)
{
	uint32_t at = name_hash(name, len);

	if (env->table_size == 0)
		return NULL;
	for (;; at++) {
		uint32_t index = env->table[at & (env->table_size - 1)];

		if (index == 0)
			return NULL;

		const struct env_name *found = &env->names[index - 1];

		if (found->len == len && memcmp(found->name, name, len) == 0)
			return found;
	}
}

void
diag_add(struct compiler *cc, uint32_t offset, uint32_t len, const char *hint,
	const char *fmt, ...)
{
	struct cel_diags *diags = cc->diags;
	struct cel_diag *diag;
	va_list args;

	cc->has_mistake = true;
	if (diags == NULL || diags->n == SG_COUNTOF(diags->items))
		return;
	diag = &diags->items[diags->n++];
	diag->offset = offset;
	diag->len = len;
	va_start(args, fmt);
	(void)vsnprintf(diag->text, sizeof(diag->text), fmt, args);
	va_end(args);
	(void)snprintf(
		diag->hint, sizeof(diag->hint), "%s", hint == NULL ? "" : hint);
}

void *
cc_alloc(struct compiler *cc, size_t size)
{
	void *at = arena_alloc(&cc->arena, size);

	if (at == NULL && cc->err == SG_OK)
		cc->err = SG_NOMEM;
	return at;
}

bool
cc_grow(struct compiler *cc, void **items, uint32_t *cap, size_t size)
{
	uint32_t more = *cap == 0 ? 8 : *cap * 2;
	void *at = cc_alloc(cc, (size_t)more * size);

	if (at == NULL)
		return false;
	if (*cap != 0)
		memcpy(at, *items, (size_t)*cap * size);
	*items = at;
	*cap = more;
	return true;
}
