/*
 * test_file.h - a file of scenarios, read; private to the verb `test`.
 *
 *     test.c         the verb: files, output, exit status
 *     test_file.c    a file: its configuration, its tests
 *     test_schema.c  inputs of a scenario that stands for itself
 *     test_step.c    steps, checked; nothing runs before all of them are
 *     test_event.c   an event's fields, encoded
 *     test_change.c  changes: as expected, as decided, compared, printed
 *     test_value.c   a value against what the file says it is
 *     test_run.c     a test, run
 *     test_why.c     why an account is where it is, when a test fails
 */
#ifndef CLI_TEST_FILE_H
#define CLI_TEST_FILE_H

#include "segmentd/arena.h"
#include "segmentd/conf.h"
#include "segmentd/pipeline.h"

/* --- a change ----------------------------------------------------------- */

/* KEY(name, how it is written): what of a change can be compared. */
#define TEST_KEYS(KEY)                                                         \
	KEY(account, "account")                                                \
	KEY(segmentation, "segmentation")                                      \
	KEY(from, "from")                                                      \
	KEY(to, "to")                                                          \
	KEY(action, "action")                                                  \
	KEY(origin, "origin")                                                  \
	KEY(version, "version")                                                \
	KEY(at, "at") /* when it was decided */                                \
	KEY(event_time, "event_time")                                          \
	KEY(valid_until, "valid_until") /* a time, or `never` */               \
	KEY(input, "input")		/* whose event made it; null: none */  \
	KEY(event_id, "event_id")                                              \
	KEY(renewal_date, "renewal.date")                                      \
	KEY(days_left, "renewal.days_left")                                    \
	KEY(window, "renewal.window")                                          \
	KEY(priority, "priority")                                              \
	KEY(because, "because") /* deciding clauses, a line each */            \
	KEY(values, "values")	/* what they read */

enum test_key {
#define KEY(name, text) TEST_##name,
	TEST_KEYS(KEY)
#undef KEY
		TEST_KEY_COUNT
};

struct test_pair {
	const char *name;
	const char *text;
};

/* Expected or decided; of an expected one, `given` says which keys count. */
struct test_change {
	uint32_t given;
	const char *text[TEST_KEY_COUNT]; /* NULL: null */
	const struct test_pair *values;
	size_t nvalues;
};

/* --- the file ----------------------------------------------------------- */

enum test_kind {
	TEST_EVENT,
	TEST_CLOCK,
	TEST_EXPECT,
	TEST_ACCOUNT,
	TEST_COUNTS,
};

/* A name of an account, or a counter, and what it should be. */
struct test_want {
	const char *name;
	size_t number; /* of program_name(); of the counter */
	const struct type *type;
	const struct doc_node *node;
};

struct test_step {
	enum test_kind kind;
	uint32_t line;
	int64_t at_ms; /* clock */
	struct replay_event event;
	enum sg_err refusal; /* event: why it is to be refused; SG_OK */
	const struct test_change *changes; /* expect */
	size_t nchanges;
	const char *account;
	const struct test_want *wants;
	size_t nwants;
};

struct test_case {
	const char *name;
	const struct test_step *steps;
	size_t nsteps;
};

struct test_file {
	const char *path;
	const char *dir;
	struct arena arena;
	struct conf_diags *diags;
	struct doc *doc;
	struct conf *conf;
	struct program *program;
	const struct test_case *cases;
	size_t ncases;
	enum sg_err err; /* SG_OK, or SG_NOMEM */
};

/*
 * Read and check everything. Mistakes are in file->diags.
 * Errors: SG_BAD_CONFIG, SG_NOMEM. In any case test_file_close() follows.
 */
SG_MUSTCHECK enum sg_err
test_file_open(const char *path, struct test_file *file);
void
test_file_close(struct test_file *file);

/* Room in the file's arena, cleared; NULL sets file->err. */
void *
test_room(struct test_file *file, size_t n, size_t size);
char *
test_copy(struct test_file *file, const char *text, size_t len);

/* --- what the parts share ----------------------------------------------- */

#define TEST_TEXT_MAX 4096
#define TEST_OVERRIDES "overrides" /* the input after those configured */

#define TEST_HINT_MAX 240
/* "did you mean `x`?" of the nearest of `words` (NULL ends them), else what is
 * said otherwise. */
const char *
test_hint(char hint[TEST_HINT_MAX], const char *text, const char *const *words,
	const char *otherwise);

/* A mistake about a node's value, or about its key. */
__attribute__((format(printf, 4, 5))) void
test_mistake(struct test_file *file, const struct doc_node *node,
	const char *hint, const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void
test_key_mistake(struct test_file *file, const struct doc_node *node,
	const char *hint, const char *fmt, ...);

/* The node's text; NULL and a mistake when it has none. */
const char *
test_text(struct test_file *file, const struct doc_node *node);
/* The node's time; false and a mistake when it is none. */
bool
test_time(struct test_file *file, const struct doc_node *node, int64_t *ret_ms);

/* test_schema.c: the root with what a scenario may leave out put in, and the
 * schemas that its inputs give in place: by input, NULL where it is a path. */
const struct doc_node *
test_inputs(struct test_file *file, const struct doc_node *root,
	const char *const **ret_schemas);

/* test_step.c. The clock of the steps before, INT64_MIN: not known. */
bool
test_steps(struct test_file *file, const struct doc_node *list,
	struct test_case *ret_case);

/* test_event.c: `node` is the step; the clock moves. */
bool
test_event(struct test_file *file, const struct doc_node *node,
	int64_t *clock_ms, struct test_step *step);

/* test_change.c */
bool
test_change_read(struct test_file *file, const struct doc_node *node,
	struct test_change *ret_change);
bool
test_change_copy(const struct conf *conf, const struct change *change,
	struct arena *arena, struct test_change *ret_change);
bool
test_change_meets(
	const struct test_change *change, const struct test_change *want);
/* The keys of `mask` as a flow map of YAML, or as JSON. */
void
test_change_put(const struct test_change *change, uint32_t mask, bool is_json,
	struct buf *out);
/* Quoted where it has to be. */
void
test_text_put(const char *text, bool is_json, struct buf *out);

/* test_value.c */
bool
test_value_is(struct value value, const struct type *type,
	const struct doc_node *node);
/* Is it the same number, however it is written? */
bool
test_same_number(const char *a, const char *b);

/* test_why.c: the rules of an account with their values, as lines; of all its
 * segmentations when `segmentation` is NULL. */
void
test_why(const struct replay *replay, const char *account,
	const char *segmentation, struct buf *out);

/* --- running ------------------------------------------------------------ */

/* What came of a test. The texts are for people; `expected` and `got` are
 * lines, of JSON when that is wanted. */
struct test_result {
	bool is_passed;
	uint32_t line; /* of the step that failed */
	struct buf message;
	struct buf expected;
	struct buf got;
	struct buf why;
};

/* Errors: SG_NOMEM, or an internal failure; else *result says how it went. */
SG_MUSTCHECK enum sg_err
test_run(const struct test_file *file, const struct test_case *tc, bool is_json,
	struct test_result *result);

#endif
