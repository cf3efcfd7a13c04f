/*
 * bench_program.h - a program made of a text, and events for it.
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../processor/pipeline/group.h"

#define DAY CIVIL_DAY_MS
#define START_MS INT64_C(1767225600000) /* 2026-01-01 */

static const char bench_schema[] =
	"{\"type\":\"record\",\"name\":\"E\",\"fields\":["
	"{\"name\":\"id\",\"type\":\"string\"},"
	"{\"name\":\"account\",\"type\":\"string\"},"
	"{\"name\":\"at\",\"type\":{\"type\":\"long\","
	"\"logicalType\":\"timestamp-millis\"}},"
	"{\"name\":\"ends_at\",\"type\":{\"type\":\"long\","
	"\"logicalType\":\"timestamp-millis\"}},"
	"{\"name\":\"n\",\"type\":\"long\"},"
	"{\"name\":\"arr\",\"type\":\"double\"},"
	"{\"name\":\"s\",\"type\":\"string\"}]}";

static inline void
die(const char *what)
{
	(void)fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static inline void
must(enum sg_err err)
{
	if (err != SG_OK)
		die(sg_err_text(err));
}

static inline struct program *
make(const char *yaml, struct conf **ret_conf, struct conf_diags **ret_diags)
{
	const char *schemas[INPUTS_MAX];
	struct program *prog = NULL;
	struct buf text;

	for (size_t i = 0; i < INPUTS_MAX; i++)
		schemas[i] = bench_schema;
	must(conf_diags_create(ret_diags));
	if (conf_parse("bench.yaml", ".", yaml, strlen(yaml), *ret_diags,
		    ret_conf) == SG_OK &&
		program_create_with(*ret_conf, schemas, *ret_diags, &prog) ==
			SG_OK)
		return prog;
	buf_init(&text, 1 << 16);
	conf_diags_print(*ret_diags, false, &text);
	die(buf_cstr(&text));
	return NULL;
}

static inline struct account *
event(struct toolbox *box, struct group *group, uint32_t input, int64_t offset,
	int64_t at_ms, int64_t n)
{
	struct sg_fault why = {.err = SG_OK};
	struct group_event ge;
	struct record rec = {.input = input,
		.offset = offset,
		.kafka_ms = at_ms,
		.writer = box->prog->inputs[input].schema};
	struct account *acct;
	struct buf bytes;
	char json[300];

	(void)snprintf(json, sizeof(json),
		"{\"id\":\"e%lld\",\"account\":\"0014x00001aBcDe\",\"at\":%lld,"
		"\"ends_at\":%lld,\"n\":%lld,\"arr\":%lld.5,\"s\":\"growth\"}",
		(long long)offset, (long long)at_ms,
		(long long)(START_MS + 365 * DAY), (long long)n,
		(long long)(n * 1700));
	buf_init(&bytes, 1 << 16);
	must(program_encode(
		box->prog, input, json, strlen(json), &bytes, &why));
	rec.value = bytes.bytes;
	rec.value_len = bytes.len;
	arena_reset(&box->batch);
	must(group_advance(group, at_ms, 0));
	must(group_read(box, &rec, &ge, &why));
	acct = group_account(group, &ge.ev);
	if (acct == NULL)
		die("out of memory");
	must(group_fold(group, acct, &ge, group->clock_ms, 0));
	must(group_decide_touched(group, group->clock_ms, 0));
	buf_fini(&bytes);
	return acct;
}

#endif
