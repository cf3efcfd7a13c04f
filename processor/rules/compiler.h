/*
 * compiler.h - the state of one compilation, and the environment.
 *
 *   source --lex--> tokens --parse--> nodes --check--> typed nodes
 *          --emit--> instructions --seal--> struct cel_prog, one block
 */
#ifndef RULES_COMPILER_H
#define RULES_COMPILER_H

#include <stdarg.h>
#include <stdio.h>

#include "ast.h"
#include "segmentd/err.h"

#define COMPILE_BYTES_MAX ((size_t)48 << 20)
#define NAME_LEN_MAX 512 /* a dotted name */

struct insn;
struct zone;

struct env_name {
	const char *name;
	uint32_t len;
	uint32_t slot;
	const struct type *type;
};

struct cel_env {
	unsigned flags;
	struct arena arena; /* names */
	struct env_name *names;
	uint32_t nnames;
	uint32_t cap;
	uint32_t *table; /* open addressing: index + 1 into names */
	uint32_t table_size;
	const struct tz *tz;
	const char *zone_name; /* of what names the zone instead; NULL */
	char container[64];
	struct cel_frame *fold_frame; /* for constants; made when needed */
};

struct local {
	const char *name;
	uint32_t len;
	const struct type *type;
};

struct compiler {
	struct cel_env *env;
	const char *source;
	uint32_t len;
	struct cel_diags *diags;
	struct arena arena;
	enum sg_err err; /* SG_NOMEM or SG_LIMIT: everything is off */
	bool has_mistake;
	bool prints_now;
	bool is_lenient; /* conformance: type mistakes wait for run time */
	/* check */
	struct local locals[LOCALS_MAX];
	uint32_t nlocals;
	uint32_t nloops;
	/* emit */
	struct insn *code;
	uint32_t ncode;
	uint32_t code_cap;
	struct value *consts;
	uint32_t nconsts;
	uint32_t consts_cap;
	uint32_t *slot_of; /* env name to its place in slots + 1; 0: none */
	uint32_t *slots;   /* indices into env->names, in order of first use */
	uint32_t nslots;
	uint32_t slots_cap;
	struct zone *zones;
	uint32_t nzones;
	uint32_t zones_cap;
	int stack;
	int stack_max;
	uint64_t fold_work;
	const char *text; /* the source, NUL-terminated */
	bool is_folding;
};

/* Report a mistake. `hint` may be NULL. */
SG_PRINTF(5, 6)
void
diag_add(struct compiler *cc, uint32_t offset, uint32_t len, const char *hint,
	const char *fmt, ...);

/* Memory of the compilation; NULL sets cc->err. */
void *
cc_alloc(struct compiler *cc, size_t size);

/* Double a growable array of the arena; false sets cc->err. */
bool
cc_grow(struct compiler *cc, void **items, uint32_t *cap, size_t size);

const struct env_name *
env_find(const struct cel_env *env, const char *name, size_t len);

/* Where unqualified names are looked for first (cel-spec's container). */
void
env_container(struct cel_env *env, const char *name);

/* lex + parse: NULL when there was a mistake. */
struct node *
parse(struct compiler *cc);

/* Types of all nodes; false when there was a mistake. */
bool
check(struct compiler *cc, struct node *root);

/* For a word that other languages have ("and", "True"); NULL: it is none. */
const char *
hint_foreign(const char *word, size_t len);
/* For a number with a unit behind it ("100k", "14d"); "" when it is none. */
void
hint_unit(const char *number, size_t len, const char *unit, size_t unit_len,
	char *text, size_t cap);

/* The name nearest to `name` among those declared; "" when none is near. */
void
hint_name(const struct cel_env *env, const char *name, size_t len, char *text,
	size_t cap);
void
hint_function(
	const char *name, size_t len, bool is_method, char *text, size_t cap);
void
hint_field(const struct type *record, const char *name, size_t len, char *text,
	size_t cap);

#endif
