/*
 * test_pipeline_support.h - programs made of texts, for the tests of pipeline/.
 */
#ifndef TEST_PIPELINE_SUPPORT_H
#define TEST_PIPELINE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../processor/pipeline/group.h"

/* An account's number, text and time; the inputs of most tests. */
#define SUPPORT_SCHEMA                                                         \
	"{\"type\":\"record\",\"name\":\"E\",\"fields\":["                     \
	"{\"name\":\"account\",\"type\":\"string\"},"                          \
	"{\"name\":\"at\",\"type\":{\"type\":\"long\","                        \
	"\"logicalType\":\"timestamp-millis\"}},"                              \
	"{\"name\":\"n\",\"type\":[\"null\",\"long\"],\"default\":null},"      \
	"{\"name\":\"s\",\"type\":[\"null\",\"string\"],\"default\":null}]}"

struct made {
	struct conf_diags *diags;
	struct conf *conf;
	struct program *program;
	struct buf text; /* of the mistakes */
};

/* Compile; every input is read as SUPPORT_SCHEMA. */
static inline enum sg_err
make_program(const char *yaml, struct made *made)
{
	const char *schemas[INPUTS_MAX];
	enum sg_err err;

	memset(made, 0, sizeof(*made));
	buf_init(&made->text, 1 << 20);
	assert_int_equal(conf_diags_create(&made->diags), SG_OK);
	err = conf_parse(
		"t.yaml", ".", yaml, strlen(yaml), made->diags, &made->conf);
	if (err == SG_OK) {
		for (size_t i = 0; i < INPUTS_MAX; i++)
			schemas[i] = SUPPORT_SCHEMA;
		err = program_create_with(
			made->conf, schemas, made->diags, &made->program);
	}
	conf_diags_print(made->diags, false, &made->text);
	return err;
}

static inline void
unmake_program(struct made *made)
{
	program_destroy(made->program);
	conf_destroy(made->conf);
	conf_diags_destroy(made->diags);
	buf_fini(&made->text);
}

/* One that has no mistakes. */
static inline void
must_make(const char *yaml, struct made *made)
{
	if (make_program(yaml, made) != SG_OK)
		fail_msg("%s", buf_cstr(&made->text));
}

/* A group without a store, driven by hand. */
struct driven {
	struct toolbox box;
	struct group *group;
	int64_t offsets[INPUTS_MAX];
};

static inline void
drive_begin(const struct program *prog, struct driven *d)
{
	memset(d, 0, sizeof(*d));
	assert_int_equal(toolbox_init(&d->box, prog), SG_OK);
	assert_int_equal(group_create(&d->box, 0, &d->group), SG_OK);
}

static inline void
drive_end(struct driven *d)
{
	group_destroy(d->group);
	toolbox_fini(&d->box);
}

/* Fold one event, given as JSON, at the group's clock. */
static inline void
drive_fold(struct driven *d, uint32_t input, const char *json)
{
	const struct program *prog = d->box.prog;
	struct sg_fault why = {.err = SG_OK};
	struct record rec = {.input = input,
		.offset = d->offsets[input]++,
		.kafka_ms = -1,
		.writer = prog->inputs[input].schema};
	struct group_event ge;
	struct account *acct;
	struct buf bytes;
	enum sg_err err;

	buf_init(&bytes, 1 << 16);
	err = program_encode(prog, input, json, strlen(json), &bytes, &why);
	if (err != SG_OK)
		fail_msg("%s: %s", json, why.text);
	rec.value = bytes.bytes;
	rec.value_len = bytes.len;
	arena_reset(&d->box.batch);
	err = group_read(&d->box, &rec, &ge, &why);
	if (err != SG_OK)
		fail_msg("%s: %s", json, why.text);
	acct = group_account(d->group, &ge.ev);
	assert_non_null(acct);
	err = group_fold(d->group, acct, &ge, d->group->clock_ms, 0);
	assert_int_equal(err, SG_OK);
	err = group_decide_touched(d->group, d->group->clock_ms, 0);
	assert_int_equal(err, SG_OK);
	buf_fini(&bytes);
}

struct random {
	uint64_t seed;
};

static inline int64_t
random_below(struct random *rnd, int64_t n)
{
	rnd->seed = rnd->seed * UINT64_C(6364136223846793005) +
		    UINT64_C(1442695040888963407);
	return (int64_t)((rnd->seed >> 16) % (uint64_t)n);
}

#endif
