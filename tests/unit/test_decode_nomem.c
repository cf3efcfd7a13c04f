/*
 * test_decode_nomem.c - every allocation may fail: the call then says so, and
 * what was there before goes on working.
 *
 * malloc(), calloc() and realloc() of the C library are replaced for this
 * program. Where a sanitizer has replaced them already, none fails.
 */
#include "decode_support.h"

#include <stdio.h>
#include <unistd.h>

#include "segmentd/files.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_REPLACED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_REPLACED 0
#endif
#endif
#ifndef IS_REPLACED
#define IS_REPLACED 1
#endif

static long left = -1; /* allocations until one fails; -1: none does */
static long live;      /* pieces not freed yet */

#if IS_REPLACED
/* Of glibc, for those who replace the others. */
extern void *
__libc_malloc(size_t size);
extern void *
__libc_calloc(size_t n, size_t size);
extern void *
__libc_realloc(void *old, size_t size);
extern void
__libc_free(void *old);

void *
malloc(size_t size);
void *
calloc(size_t n, size_t size);
void *
realloc(void *old, size_t size);
void
free(void *old);

static bool
fails(void)
{
	return left >= 0 && left-- == 0;
}

void *
malloc(size_t size)
{
	live += left != 0;
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	live += left != 0;
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *old, size_t size)
{
	live += left != 0 && old == NULL;
	return fails() ? NULL : __libc_realloc(old, size);
}

void
free(void *old)
{
	live -= old != NULL;
	__libc_free(old);
}
#endif

static const char reader_json[] =
	"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
	"{\"name\":\"id\",\"type\":\"string\",\"aliases\":[\"key\"]},"
	"{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\","
	"\"symbols\":[\"A\",\"Z\"],\"default\":\"Z\"},\"default\":\"A\"},"
	"{\"name\":\"u\",\"type\":[\"null\",{\"type\":\"record\",\"name\":"
	"\"U\",\"fields\":[{\"name\":\"x\",\"type\":\"long\",\"default\":3}]}"
	",\"R\"],\"default\":null},"
	"{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":"
	"{\"type\":\"array\",\"items\":\"int\"}},\"default\":{\"k\":[1]}}]}";
static const char writer_json[] =
	"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
	"{\"name\":\"key\",\"type\":\"string\"},"
	"{\"name\":\"u\",\"type\":[\"null\",{\"type\":\"record\",\"name\":"
	"\"U\",\"fields\":[]}]},"
	"{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":"
	"{\"type\":\"array\",\"items\":\"int\"}}}]}";

static enum sg_err
bind_some(struct decode_reader *reader)
{
	static const char *const paths[] = {"id", "e", "u", "u.x", "m", "m.k",
		"m.k[1]", "@timestamp", "@headers[\"h\"]"};
	const struct type *type = NULL;
	enum sg_err err = SG_OK;
	uint32_t slot = 0;

	for (size_t i = 0; err == SG_OK && i < SG_COUNTOF(paths); i++)
		err = decode_reader_bind(
			reader, paths[i], strlen(paths[i]), &slot, &type, NULL);
	return err;
}

static enum sg_err
decode_one(struct decode_reader *reader, int32_t writer, struct arena *arena)
{
	struct record rec = {.kafka_ms = 1,
		.value = "\x02i\x02\x02\x02k\x04\x02\x04\x00\x00",
		.value_len = 11,
		.writer = writer};
	const struct value *slots = NULL;
	enum sg_err err = decode_record(reader, &rec, arena, &slots, NULL);

	if (err == SG_OK)
		assert_int_equal(slots[6].as.i, 2);
	return err;
}

/* From nothing to a record decoded, twice. */
static enum sg_err
whole_way(void)
{
	struct decode_schemas *schemas = NULL;
	struct decode_reader *reader = NULL, *clone = NULL;
	struct arena arena;
	int32_t number = -1, writer = -1;
	enum sg_err err;

	arena_init(&arena, 1 << 20);
	err = decode_schemas_create(&schemas);
	if (err == SG_OK)
		err = decode_schemas_add(schemas, "reader", reader_json,
			sizeof(reader_json) - 1, 1, &number, NULL);
	if (err == SG_OK)
		err = decode_schemas_add(schemas, "writer", writer_json,
			sizeof(writer_json) - 1, 2, &writer, NULL);
	if (err == SG_OK)
		err = decode_reader_create(
			schemas, number, DECODE_AUTO, &reader, NULL);
	if (err == SG_OK)
		err = bind_some(reader);
	if (err == SG_OK)
		err = decode_reader_clone(reader, &clone);
	if (err == SG_OK)
		err = decode_one(clone, writer, &arena);
	decode_reader_destroy(reader);
	decode_reader_destroy(clone);
	decode_schemas_destroy(schemas);
	arena_fini(&arena);
	return err;
}

static enum sg_err
file_way(const char *path)
{
	struct decode_schemas *schemas = NULL;
	struct file_reader *reader = NULL;
	struct file_row row;
	bool is_end = false;
	int32_t number = -1;
	enum sg_err err;

	err = decode_schemas_create(&schemas);
	if (err == SG_OK)
		err = decode_schemas_add(schemas, "reader", reader_json,
			sizeof(reader_json) - 1, 1, &number, NULL);
	if (err == SG_OK)
		err = file_reader_open(path, schemas, number, &reader, NULL);
	while (err == SG_OK && !is_end)
		err = file_reader_next(reader, &row, &is_end, NULL);
	file_reader_close(reader);
	decode_schemas_destroy(schemas);
	return err;
}

static void
every_allocation_of_decode_may_fail(void **state)
{
	long n = 0;
	enum sg_err err = SG_NOMEM;

	(void)state;
	for (; err != SG_OK && n < 100000; n++) {
		long before = live;

		left = n;
		err = whole_way();
		/* A failure in the JSON library may look like bad JSON. */
		if (err != SG_OK && err != SG_NOMEM && err != SG_BAD_SCHEMA)
			fail_msg("allocation %ld: %s", n, sg_err_name(err));
		left = -1;
		if (live != before)
			fail_msg("allocation %ld leaks %ld", n, live - before);
	}
	assert_int_equal(err, SG_OK);
	assert_true(n > 50 || !IS_REPLACED);
}

static void
try_file(const char *end, const char *text)
{
	char path[64];
	enum sg_err err = SG_NOMEM;
	long n = 0;
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/segmentd-nomem-XXXXXX%s", end);
	fd = mkstemps(path, (int)strlen(end));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
	for (; err != SG_OK && n < 100000; n++) {
		long before = live;

		left = n;
		err = file_way(path);
		left = -1;
		if (live != before)
			fail_msg("allocation %ld leaks %ld", n, live - before);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(err, SG_OK);
	assert_true(n > 20 || !IS_REPLACED);
}

static void
every_allocation_of_files_may_fail(void **state)
{
	(void)state;
	try_file(".csv", "id,m\na,\"{\"\"k\"\":[1]}\"\nb,{}\n");
	try_file(".ndjson", "{\"id\":\"a\",\"u\":{\"x\":1}}\n{\"id\":\"b\"}\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_of_decode_may_fail),
		cmocka_unit_test(every_allocation_of_files_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
