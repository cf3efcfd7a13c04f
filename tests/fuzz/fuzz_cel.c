/*
 * fuzz_cel.c - any bytes as an expression: compile, evaluate, explain.
 *
 * The environment has a name of every type, nullable ones, absent ones, a list
 * of records, and dyn values, so that what compiles also reaches the library.
 * Beside memory errors it looks for an evaluation that differs from itself a
 * little later although valid_until says it may not.
 *
 * The first byte chooses the environment's flags, whether the host lies about
 * its types, and the clock.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/cel.h"
#include "segmentd/change.h"
#include "segmentd/civil.h"

#define NOW_MS INT64_C(1709164799500)
#define SLOTS 19

struct fuzz {
	struct arena arena;
	struct cel_env *envs[3];
	struct cel_frame *frame;
	uint64_t seen;
	unsigned lie;
	struct cel_memo memo[SLOTS];
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct value ints[] = {{.kind = VALUE_INT, .as = {.i = 3}},
	{.kind = VALUE_INT, .as = {.i = -1}}, {.kind = VALUE_INT}};
static const struct value mixed[] = {{.kind = VALUE_INT, .as = {.i = 3}},
	{.kind = VALUE_STRING, .len = 2, .as = {.s = "ab"}},
	{.kind = VALUE_NULL}, {.kind = VALUE_DOUBLE, .as = {.d = 1.5}},
	{.kind = VALUE_TIMESTAMP, .slope = 1, .as = {.i = 1709164799}}};
static const struct value record1[] = {
	{.kind = VALUE_STRING, .len = 1, .as = {.s = "a"}},
	{.kind = VALUE_TIMESTAMP, .as = {.i = 1709164800}},
	{.kind = VALUE_DOUBLE, .as = {.d = 12.5}}};
static const struct value record2[] = {
	{.kind = VALUE_STRING, .len = 5, .as = {.s = "\xc3\xa4-\xe2\x82"}},
	{.kind = VALUE_ABSENT}, {.kind = VALUE_NULL}};
static const struct value records[] = {
	{.kind = VALUE_RECORD, .len = 3, .as = {.items = record1}},
	{.kind = VALUE_RECORD, .len = 3, .as = {.items = record2}}};
static const struct value entries[] = {
	{.kind = VALUE_STRING, .len = 1, .as = {.s = "a"}},
	{.kind = VALUE_INT, .as = {.i = 1}},
	{.kind = VALUE_STRING, .len = 1, .as = {.s = "b"}},
	{.kind = VALUE_INT, .as = {.i = 2}}};

static const struct value values[] = {{.kind = VALUE_BOOL, .as = {.u = 1}},
	{.kind = VALUE_INT, .as = {.i = 42}},
	{.kind = VALUE_UINT, .as = {.u = 7}},
	{.kind = VALUE_DOUBLE, .as = {.d = 0.5}},
	{.kind = VALUE_STRING, .len = 7, .as = {.s = "h\xc3\xa4llo!"}},
	{.kind = VALUE_BYTES, .len = 3, .as = {.bytes = (uint8_t *)"\xff\0a"}},
	{.kind = VALUE_TIMESTAMP, .nanos = 1, .as = {.i = 1709164800}},
	{.kind = VALUE_DURATION, .nanos = 500000000, .as = {.i = -2}},
	{.kind = VALUE_LIST, .len = 3, .as = {.items = ints}},
	{.kind = VALUE_MAP, .len = 2, .as = {.items = entries}},
	{.kind = VALUE_LIST, .len = 2, .as = {.items = records}},
	{.kind = VALUE_LIST, .len = 5, .as = {.items = mixed}},
	{.kind = VALUE_NULL}, {.kind = VALUE_ABSENT},
	{.kind = VALUE_ERROR, .as = {.s = "gone"}},
	{.kind = VALUE_TIMESTAMP, .slope = -1, .as = {.i = 1709164800}},
	/* empty ones may point nowhere */
	{.kind = VALUE_STRING}, {.kind = VALUE_LIST}, {.kind = VALUE_MAP}};

static void
load(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	struct fuzz *fz = ctx;
	struct value v = values[(slot + fz->lie) % SG_COUNTOF(values)];

	*ret_valid_until_ms = AT_NEVER;
	if (v.slope != 0) {
		int64_t past_ms = now_ms - NOW_MS;

		v = value_timestamp_ms(NOW_MS + 300 - past_ms);
		v.slope = -1;
	}
	*ret_value = v;
	fz->memo[slot] = (struct cel_memo){
		.epoch = 1, .value = v, .until_ms = *ret_valid_until_ms};
}

static void
declare(struct fuzz *fz, struct cel_env *env)
{
	const struct type_field fields[] = {{"id", &type_string},
		{"at", type_nullable(&fz->arena, &type_timestamp)},
		{"arr", type_nullable(&fz->arena, &type_double)}};
	const struct type *row = type_record(&fz->arena, fields, 3);
	const struct {
		const char *name;
		const struct type *type;
	} names[] = {{"b", &type_bool}, {"i", &type_int}, {"u", &type_uint},
		{"d", &type_double}, {"s", &type_string}, {"y", &type_bytes},
		{"t", &type_timestamp}, {"r", &type_duration},
		{"li", type_list(&fz->arena, &type_int)},
		{"m", type_map(&fz->arena, &type_string, &type_int)},
		{"rows", type_list(&fz->arena, row)}, {"x", &type_dyn},
		{"acct.null", type_nullable(&fz->arena, &type_int)},
		{"acct.gone", type_nullable(&fz->arena, &type_string)},
		{"acct.bad", &type_int}, {"moving", &type_timestamp},
		{"empty.s", &type_string},
		{"empty.l", type_list(&fz->arena, &type_string)},
		{"empty.m", type_map(&fz->arena, &type_string, &type_int)}};

	_Static_assert(SG_COUNTOF(names) == SLOTS, "a memo each");
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (cel_env_declare(env, names[i].name, names[i].type, i) !=
			SG_OK)
			abort();
	}
	cel_env_timezone(env, tz_open("America/New_York", 16));
}

static struct fuzz *
fuzz_get(void)
{
	static struct fuzz fz;
	static const unsigned flags[] = {
		0, CEL_ENV_CONFORMANCE, CEL_ENV_NO_NOW};

	if (fz.frame != NULL)
		return &fz;
	arena_init(&fz.arena, 1 << 20);
	for (int i = 0; i < 3; i++) {
		if (cel_env_create(flags[i], &fz.envs[i]) != SG_OK)
			abort();
		declare(&fz, fz.envs[i]);
	}
	if (cel_frame_create(&fz.frame) != SG_OK)
		abort();
	return &fz;
}

/* Read all of a value. */
static uint64_t
touch(struct value v)
{
	uint64_t sum = v.kind;
	size_t n = v.kind == VALUE_MAP ? (size_t)v.len * 2 : v.len;

	switch (v.kind) {
	case VALUE_STRING:
	case VALUE_BYTES:
		for (size_t i = 0; i < n; i++)
			sum += v.as.bytes[i];
		return sum;
	case VALUE_TYPE:
	case VALUE_ERROR:
		return sum + strlen(v.as.s);
	case VALUE_LIST:
	case VALUE_MAP:
	case VALUE_RECORD:
		for (size_t i = 0; i < n; i++)
			sum += touch(v.as.items[i]);
		return sum;
	default:
		return sum;
	}
}

/* A bool, an int or an error must stand until valid_until. */
static void
check_promise(struct fuzz *fz, const struct cel_prog *prog,
	struct cel_result first, int64_t at_ms)
{
	struct cel_host host = {.load = load, .ctx = fz};
	int64_t span = first.valid_until_ms - at_ms;

	if (first.value.kind > VALUE_DOUBLE && first.value.kind != VALUE_ERROR)
		return;
	if (span <= 0)
		abort();
	for (int i = 0; i < 3 && span > 1; i++) {
		int64_t ahead = i == 0 ? 1 : i == 1 ? span / 2 : span - 1;
		struct cel_result then;

		if (ahead > INT64_C(1) << 44)
			ahead = INT64_C(1) << 44;
		then = cel_eval(prog, fz->frame, &host, at_ms + ahead);
		if (then.value.kind != first.value.kind)
			abort();
		if (then.value.kind != VALUE_ERROR &&
			!value_same(then.value, first.value))
			abort();
	}
}

/* With a memo there is a direct form of many rules: the same comes of it. */
static void
check_direct(struct fuzz *fz, struct cel_prog *prog, struct cel_result code,
	int64_t at_ms)
{
	struct cel_host host = {
		.load = load, .ctx = fz, .memo = fz->memo, .epoch = 1};
	struct cel_result direct;
	size_t at;

	if (code.value.kind != VALUE_BOOL && code.value.kind != VALUE_ERROR)
		return;
	memset(fz->memo, 0, sizeof(fz->memo));
	at = cel_first(&prog, 1, fz->frame, &host, at_ms, &direct);
	if (direct.value.kind != code.value.kind ||
		direct.valid_until_ms != code.valid_until_ms)
		abort();
	if (code.value.kind == VALUE_ERROR
			? at != 0 || strcmp(direct.value.as.s,
					     code.value.as.s) != 0
			: (at == 0) != code.value.as.b)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cel_diags diags;
	struct fuzz *fz = fuzz_get();
	struct cel_host host = {.load = load, .ctx = fz};
	struct cel_prog *prog = NULL;
	struct cel_atom atoms[8];
	struct cel_result result;
	int64_t at_ms;
	char *source;

	if (size == 0)
		return 0;
	fz->lie = data[0] & 0x80 ? (unsigned)(data[0] >> 2 & 15) : 0;
	at_ms = NOW_MS + (data[0] & 0x40 ? 30 * CIVIL_DAY_MS : 0);
	/* An exact copy, so that reading past the end shows. */
	source = malloc(size);
	if (source == NULL)
		return 0;
	memcpy(source, data + 1, size - 1);
	if (cel_compile(fz->envs[(data[0] & 3) % 3], source, size - 1, NULL,
		    &diags, &prog) == SG_OK) {
		result = cel_eval(prog, fz->frame, &host, at_ms);
		/* Everything a result points to must be there. */
		fz->seen += touch(result.value);
		check_direct(fz, prog, result, at_ms);
		check_promise(fz, prog, result, at_ms);
		(void)cel_explain(
			prog, fz->frame, &host, at_ms, atoms, 8, &result);
	}
	cel_prog_destroy(prog);
	free(source);
	return 0;
}
