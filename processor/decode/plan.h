/*
 * plan.h - from a writer schema and what a reader binds to a program, and how
 * it is run. Private to decode.
 *
 *     reader's schema --> types --> paths, a trie of binds --.
 *     writer's schema --------------------------------------+--> plan: steps
 *                                                            \-> res: values
 *
 * A plan is a flat list of steps. Steps skip what nobody asked for, run
 * through records and unions by jumps, and hand a whole value to a `res`: the
 * tree of how a writer's type becomes the reader's value. Both are made once
 * per writer schema, in the reader's arena.
 */
#ifndef DECODE_PLAN_H
#define DECODE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/err.h"
#include "segmentd/schema.h"
#include "segmentd/type.h"
#include "segmentd/value.h"

#define SLOTS_MAX 4096
#define PATH_STEPS_MAX 32
#define PLAN_STEPS_MAX 65536
#define PLAN_RES_MAX 65536
#define VALUES_PER_RECORD_MAX (1 << 20) /* elements and fields made */
#define VALUE_BYTES_PER_RECORD_MAX ((size_t)32 << 20)

/* --- binds: what a reader wants, as a trie of paths --------------------- */

/* A key of a map may be written as a field, and the other way round. */
enum bind_kind { BIND_NAME, BIND_INDEX };

struct bind {
	enum bind_kind kind;
	const char *name; /* of a field, or a key */
	uint32_t name_len;
	uint32_t index;
	int32_t slot; /* the whole value goes here; -1: nowhere */
	const struct type *type;
	struct bind *child;
	struct bind *next; /* sibling */
};

/* --- res: how one value is read ------------------------------------------ */

enum res_op {
	RES_NULL,
	RES_BOOLEAN,
	RES_INTEGER,
	RES_INTEGER_AS_DOUBLE,
	RES_FLOAT,
	RES_DOUBLE,
	RES_TEXT,
	RES_BYTES,
	RES_FIXED,
	RES_SYMBOL,
	RES_DECIMAL,
	RES_DECIMAL_FIXED,
	RES_DATE,
	RES_TIMESTAMP,
	RES_TIME,
	RES_LIST,
	RES_MAP,
	RES_RECORD,
	RES_UNION,
	RES_FAIL,
};

struct res_field {	       /* in the writer's order */
	const struct res *res; /* NULL: skip */
	const struct schema *schema;
	uint32_t at; /* index into the values of the record */
};

struct res {
	enum res_op op;
	bool is_int;	/* the writer's integer is an int: 32 bits */
	bool is_float;	/* the reader's real is a float */
	bool is_as_map; /* RES_RECORD makes a VALUE_MAP */
	uint32_t size;	/* fixed */
	int32_t scale;
	uint32_t per_second; /* RES_TIMESTAMP, RES_TIME */
	uint32_t n;	     /* symbols, fields of the writer, branches */
	uint32_t nvalues;    /* RES_RECORD: values to make */
	const char *why;     /* RES_FAIL */
	const struct res *item;
	bool is_item_empty; /* the writer's elements take no bytes */
	const struct res *const *branches;
	const struct value *values; /* of symbols, or a record's defaults */
	const struct res_field *fields;
};

/* --- the program --------------------------------------------------------- */

enum step_op {
	STEP_END,
	STEP_BYTES,   /* skip `arg` bytes */
	STEP_VARINTS, /* skip `arg` varints */
	STEP_SPANS,   /* skip `arg` strings or bytes */
	STEP_CHOICE,  /* skip a union of scalars: `arg` packs what to skip */
	STEP_SKIP,    /* skip a value of `schema` */
	STEP_READ,    /* read `res` to slot `arg` */
	STEP_PEEK,    /* the same, and stay where it began */
	STEP_UNION,   /* jump by branch: `targets`, `arg` of them */
	STEP_JUMP,    /* to `arg` */
	STEP_CONST,   /* slot `arg` is `value` */
	STEP_ITEMS,   /* an array some elements of which are wanted */
	STEP_ENTRIES, /* a map some entries of which are wanted */
	STEP_FAIL,    /* the record cannot be read: `why` */
};

/*
 * What a branch of STEP_CHOICE holds, a byte for each of up to four: so many
 * bytes, or one of these. A union of null and something is in nearly every
 * record; this spares it the way over five pointers.
 */
enum choice { CHOICE_BYTES_MAX = 252, CHOICE_VARINT, CHOICE_SPAN, CHOICE_NONE };

struct step {
	enum step_op op;
	uint32_t arg;
	union {
		const struct schema *schema;
		const struct res *res;
		const uint32_t *targets;
		const struct value *value;
		const struct bodies *bodies;
		const char *why;
	} as;
};

/* The programs for single elements of an array or entries of a map. Each ends
 * with STEP_END. */
struct body {
	const struct bind *bind;
	uint32_t start; /* step */
};

struct bodies {
	const struct schema *item; /* the writer's, to skip the others */
	uint32_t n;
	const struct body *bodies;
};

struct plan {
	int32_t writer;	   /* schema number */
	enum sg_err err;   /* not SG_OK: no record of this writer can be read */
	const char *fault; /* and why */
	const struct step *steps;
	const char *const *where;  /* of each step, its field: for messages */
	const struct value *slots; /* before the first step: nulls, defaults */
};

/* --- types.c: the reader's types; path.c: paths ------------------------- */

/* The type of a schema's values, within `nopen` records: these are TYPE_DYN in
 * it. NULL when out of memory or too large. */
const struct type *
types_of(struct arena *arena, const struct schema *schema,
	const struct schema *const *open, size_t nopen);

struct path_step {
	enum bind_kind kind;
	const char *name; /* points into the path */
	uint32_t len;
	uint32_t index;
};

struct path {
	enum { PATH_FIELD, PATH_TIMESTAMP, PATH_HEADER, PATH_HEADERS } kind;
	struct path_step steps[PATH_STEPS_MAX]; /* PATH_HEADER: one */
	size_t nsteps;
};

SG_MUSTCHECK enum sg_err
path_parse(const char *text, size_t len, struct path *ret_path,
	struct sg_fault *why);

/* The type at the end of a path. Errors: SG_BAD_OPTION, SG_NOMEM. */
SG_MUSTCHECK enum sg_err
path_type(struct arena *arena, const struct schema *schema,
	const struct path *path, const struct type **ret_type,
	struct sg_fault *why);

/* --- resolve.c ------------------------------------------------------------ */

struct resolve; /* remembers pairs, for cycles */

struct resolve *
resolve_create(struct arena *arena);
void
resolve_destroy(struct resolve *rs);

/* How `writer` is read as `reader`, whose type is `type`. NULL: no memory. */
const struct res *
resolve(struct resolve *rs, const struct schema *writer,
	const struct schema *reader, const struct type *type);

/* The branch of a reader's union that takes `writer`; -1: none. */
int
resolve_branch(const struct schema *reader, const struct schema *writer);

/* The writer's field that is field `index` of the reader; -1: none. No two
 * fields of the reader get the same one; a name goes before an alias. */
int
resolve_field(
	const struct schema *writer, const struct schema *reader, size_t index);

/* --- plan.c --------------------------------------------------------------- */

/* Compile. A writer that cannot be read gives a plan with `err`. NULL: no
 * memory. */
const struct plan *
plan_compile(struct arena *arena, int32_t number, const struct schema *writer,
	const struct schema *reader, const struct bind *root, size_t nslots);

/* --- run.c ---------------------------------------------------------------- */

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	struct arena *arena;
	size_t bytes_left; /* of what this record's values may take */
	uint32_t values_left;
	uint32_t depth;
	enum sg_err err;
	const char *why; /* a constant text, or one of the plan */
	uint32_t step;	 /* the step that failed */
};

void
cursor_init(
	struct cursor *cur, const void *bytes, size_t len, struct arena *arena);

/* Run from step `start` to STEP_END. False: cur->err, why and step say what
 * happened. */
bool
plan_run(const struct plan *plan, uint32_t start, struct cursor *cur,
	struct value *slots);

/* Read one value; skip one. False: cur->err and cur->why. */
bool
run_read(struct cursor *cur, const struct res *res, struct value *ret_value);
bool
run_skip(struct cursor *cur, const struct schema *schema);

/* --- decimal.c ------------------------------------------------------------ */

#define DECIMAL_BYTES_MAX 128

/* The double nearest to a two's complement big-endian number / 10^scale.
 * 0 < len <= DECIMAL_BYTES_MAX, 0 <= scale <= SCHEMA_SCALE_MAX. */
double
decimal_to_double(const uint8_t *bytes, size_t len, int32_t scale);

#endif
