/*
 * test_rules_env.h - an environment and a host for the tests of rules/.
 */
#ifndef TEST_RULES_ENV_H
#define TEST_RULES_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/cel.h"
#include "segmentd/change.h"
#include "segmentd/civil.h"

/* 2024-02-29T12:00:00.500Z */
#define NOW_MS INT64_C(1709208000500)

struct fixture {
	struct arena arena;
	struct cel_env *env;
	struct cel_frame *frame;
	struct cel_diags diags;
	unsigned loads; /* calls of load() */
};

/* The names and what they are; see fixture_load(). */
enum {
	SLOT_ARR,	/* account.arr       double 150000.0 */
	SLOT_SEATS,	/* account.seats     int 30 */
	SLOT_INDUSTRY,	/* account.industry  string "retail" */
	SLOT_PARENT,	/* account.parent    string?, null */
	SLOT_GONE,	/* account.gone      int, absent */
	SLOT_BAD,	/* account.bad       int, an error until now + 1 s */
	SLOT_CREATED,	/* account.created   timestamp, now - 10 d */
	SLOT_LOGINS,	/* usage.logins_14d  int 3, until now + 1 h */
	SLOT_AGE,	/* variables.age     duration now - created, moving */
	SLOT_CONTRACTS, /* contracts         list of records */
	SLOT_LABELS,	/* labels            map of string to dyn */
	SLOT_ANY,	/* any               dyn, int 7 */
	SLOT_TRIAL,	/* trial             bool? true */
	SLOT_COUNT
};

static const struct value fixture_contracts[] = {
	{.kind = VALUE_STRING, .len = 1, .as = {.s = "a"}},
	{.kind = VALUE_TIMESTAMP, .as = {.i = NOW_MS / 1000 + 86400}},
	{.kind = VALUE_DOUBLE, .as = {.d = 1000}},
	{.kind = VALUE_STRING, .len = 1, .as = {.s = "b"}},
	{.kind = VALUE_NULL}, {.kind = VALUE_ABSENT},
	{.kind = VALUE_STRING, .len = 1, .as = {.s = "c"}},
	{.kind = VALUE_TIMESTAMP, .as = {.i = NOW_MS / 1000 - 86400}},
	{.kind = VALUE_DOUBLE, .as = {.d = 2500.5}}};
static const struct value fixture_rows[] = {
	{.kind = VALUE_RECORD, .len = 3, .as = {.items = fixture_contracts}},
	{.kind = VALUE_RECORD,
		.len = 3,
		.as = {.items = fixture_contracts + 3}},
	{.kind = VALUE_RECORD,
		.len = 3,
		.as = {.items = fixture_contracts + 6}}};
static const struct value fixture_labels[] = {
	{.kind = VALUE_STRING, .len = 4, .as = {.s = "tier"}},
	{.kind = VALUE_STRING, .len = 4, .as = {.s = "gold"}},
	{.kind = VALUE_STRING, .len = 4, .as = {.s = "rank"}},
	{.kind = VALUE_INT, .as = {.i = 5}}};

static inline void
fixture_load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	struct fixture *fx = ctx;

	fx->loads++;
	*ret_valid_until_ms = AT_NEVER;
	switch (slot) {
	case SLOT_ARR:
		*ret_value = value_double(150000);
		break;
	case SLOT_SEATS:
		*ret_value = value_int(30);
		break;
	case SLOT_INDUSTRY:
		*ret_value = value_string("retail", 6);
		break;
	case SLOT_PARENT:
		*ret_value = value_null();
		break;
	case SLOT_BAD:
		*ret_value = value_error("bad");
		*ret_valid_until_ms = NOW_MS + 1000;
		break;
	case SLOT_CREATED:
		*ret_value = value_timestamp_ms(NOW_MS - 10 * CIVIL_DAY_MS);
		break;
	case SLOT_LOGINS:
		*ret_value = value_int(3);
		*ret_valid_until_ms = NOW_MS + 3600000;
		break;
	case SLOT_AGE:
		*ret_value =
			value_duration_ms(now_ms - NOW_MS + 10 * CIVIL_DAY_MS);
		ret_value->slope = 1;
		break;
	case SLOT_CONTRACTS:
		*ret_value = (struct value){.kind = VALUE_LIST,
			.len = 3,
			.as = {.items = fixture_rows}};
		break;
	case SLOT_LABELS:
		*ret_value = (struct value){.kind = VALUE_MAP,
			.len = 2,
			.as = {.items = fixture_labels}};
		break;
	case SLOT_ANY:
		*ret_value = value_int(7);
		break;
	case SLOT_TRIAL:
		*ret_value = value_bool(true);
		break;
	default:
		*ret_value = value_absent();
	}
}

static inline void
fixture_declare(struct fixture *fx)
{
	const struct type_field fields[] = {{"id", &type_string},
		{"ends_at", type_nullable(&fx->arena, &type_timestamp)},
		{"arr", &type_double}};
	const struct type *row = type_record(&fx->arena, fields, 3);
	const struct {
		const char *name;
		const struct type *type;
	} names[SLOT_COUNT] = {[SLOT_ARR] = {"account.arr", &type_double},
		[SLOT_SEATS] = {"account.seats", &type_int},
		[SLOT_INDUSTRY] = {"account.industry", &type_string},
		[SLOT_PARENT] = {"account.parent",
			type_nullable(&fx->arena, &type_string)},
		[SLOT_GONE] = {"account.gone", &type_int},
		[SLOT_BAD] = {"account.bad", &type_int},
		[SLOT_CREATED] = {"account.created", &type_timestamp},
		[SLOT_LOGINS] = {"usage.logins_14d", &type_int},
		[SLOT_AGE] = {"variables.age", &type_duration},
		[SLOT_CONTRACTS] = {"contracts", type_list(&fx->arena, row)},
		[SLOT_LABELS] = {"labels",
			type_map(&fx->arena, &type_string, &type_dyn)},
		[SLOT_ANY] = {"any", &type_dyn},
		[SLOT_TRIAL] = {
			"trial", type_nullable(&fx->arena, &type_bool)}};

	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		assert_int_equal(cel_env_declare(fx->env, names[i].name,
					 names[i].type, i),
			SG_OK);
}

static inline int
fixture_open(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));

	if (fx == NULL)
		return -1;
	arena_init(&fx->arena, 1 << 20);
	assert_int_equal(cel_env_create(0, &fx->env), SG_OK);
	assert_int_equal(cel_frame_create(&fx->frame), SG_OK);
	fixture_declare(fx);
	*state = fx;
	return 0;
}

static inline int
fixture_close(void **state)
{
	struct fixture *fx = *state;

	cel_frame_destroy(fx->frame);
	cel_env_destroy(fx->env);
	arena_fini(&fx->arena);
	free(fx);
	return 0;
}

/* Compile what must compile. */
static inline struct cel_prog *
fixture_compile(struct fixture *fx, const char *source)
{
	struct cel_prog *prog = NULL;

	if (cel_compile(fx->env, source, strlen(source), NULL, &fx->diags,
		    &prog) != SG_OK)
		fail_msg("%s: %s", source,
			fx->diags.n == 0 ? "?" : fx->diags.items[0].text);
	return prog;
}

/* The result as JSON, or "error: why". */
static inline void
fixture_text(const struct cel_prog *prog, struct value v, struct buf *buf)
{
	buf_reset(buf);
	if (v.kind == VALUE_ERROR)
		buf_printf(buf, "error: %s", v.as.s);
	else
		value_to_json(v, cel_prog_type(prog), buf);
}

#endif
