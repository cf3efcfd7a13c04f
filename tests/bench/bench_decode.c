/*
 * bench_decode.c - ns per record: the plan against Avro C's generic reader.
 *
 * A usage event of some 150 bytes and 15 fields, of which five are bound; the
 * same with every field bound, and with none (framing and skipping alone).
 */
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/clock.h"
#include "segmentd/decode.h"

#define RECORDS 1000
#define ROUNDS 1000
#define FRAME_BYTES 5

static const char schema_json[] =
	"{\"type\":\"record\",\"name\":\"UsageEvent\",\"fields\":["
	"{\"name\":\"event_id\",\"type\":\"string\"},"
	"{\"name\":\"account_id\",\"type\":\"string\"},"
	"{\"name\":\"user_id\",\"type\":[\"null\",\"string\"]},"
	"{\"name\":\"event_type\",\"type\":\"string\"},"
	"{\"name\":\"occurred_at\",\"type\":{\"type\":\"long\","
	"\"logicalType\":\"timestamp-millis\"}},"
	"{\"name\":\"duration_s\",\"type\":[\"null\",\"double\"]},"
	"{\"name\":\"feature\",\"type\":\"string\"},"
	"{\"name\":\"n\",\"type\":\"int\"},"
	"{\"name\":\"plan\",\"type\":{\"type\":\"enum\",\"name\":\"Plan\","
	"\"symbols\":[\"FREE\",\"PRO\",\"ENTERPRISE\"]}},"
	"{\"name\":\"ip\",\"type\":[\"null\",\"string\"]},"
	"{\"name\":\"session\",\"type\":\"string\"},"
	"{\"name\":\"seq\",\"type\":\"long\"},"
	"{\"name\":\"is_api\",\"type\":\"boolean\"},"
	"{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":"
	"\"string\"}},"
	"{\"name\":\"geo\",\"type\":[\"null\",{\"type\":\"record\","
	"\"name\":\"Geo\",\"fields\":[{\"name\":\"country\",\"type\":"
	"\"string\"},{\"name\":\"lat\",\"type\":\"float\"}]}]}]}";

static const char *const some[] = {
	"account_id", "user_id", "event_type", "occurred_at", "duration_s"};
static const char *const all[] = {"event_id", "account_id", "user_id",
	"event_type", "occurred_at", "duration_s", "feature", "n", "plan", "ip",
	"session", "seq", "is_api", "tags", "geo"};

struct bench {
	struct decode_schemas *schemas;
	struct buf bytes;
	size_t at[RECORDS + 1];
	struct arena arena;
};

static void
must(int holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "bench_decode: %s\n", what);
	exit(1);
}

static void
put_text(struct buf *buf, const char *text)
{
	buf_put_zigzag(buf, (int64_t)strlen(text));
	buf_put_str(buf, text);
}

static void
put_record(struct buf *buf, unsigned i)
{
	char text[64];

	buf_put(buf, "\0\0\0\0\1", FRAME_BYTES);
	(void)snprintf(
		text, sizeof(text), "0b4f%04u-77aa-4c1e-9b1c-a1b2c3d4e5f6", i);
	put_text(buf, text);
	(void)snprintf(text, sizeof(text), "acct-%06u", i * 7919 % 1000000);
	put_text(buf, text);
	buf_put_zigzag(buf, 1);
	(void)snprintf(text, sizeof(text), "user-%04u", i);
	put_text(buf, text);
	put_text(buf, "login");
	buf_put_zigzag(buf, INT64_C(1709251200000) + i);
	buf_put_zigzag(buf, 1);
	buf_put(buf, "\0\0\0\0\0\0\x28\x40", 8);
	put_text(buf, "export");
	buf_put_zigzag(buf, i);
	buf_put_zigzag(buf, 1);
	buf_put_zigzag(buf, 0);
	put_text(buf, "session-0123456789");
	buf_put_zigzag(buf, i);
	buf_put_u8(buf, 1);
	buf_put_zigzag(buf, 2);
	put_text(buf, "beta");
	put_text(buf, "web");
	buf_put_zigzag(buf, 0);
	buf_put_zigzag(buf, 1);
	put_text(buf, "DE");
	buf_put(buf, "\0\0\0\0", 4);
}

static double
best_of(double best, int64_t start_us, size_t n)
{
	double ns = (double)(clock_mono_us() - start_us) * 1000 / (double)n;

	return best == 0 || ns < best ? ns : best;
}

static double
time_plan(struct bench *bench, const char *const *paths, size_t n)
{
	struct decode_reader *reader = NULL;
	const struct value *slots;
	const struct type *type;
	struct sg_fault why;
	uint32_t slot;
	double best = 0;

	must(decode_reader_create(bench->schemas, 0, DECODE_CONFLUENT, &reader,
		     &why) == SG_OK,
		"reader");
	for (size_t i = 0; i < n; i++)
		must(decode_reader_bind(reader, paths[i], strlen(paths[i]),
			     &slot, &type, &why) == SG_OK,
			paths[i]);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t start_us = clock_mono_us();

		for (size_t i = 0; i < RECORDS; i++) {
			struct record rec = {
				.value = bench->bytes.bytes + bench->at[i],
				.value_len = bench->at[i + 1] - bench->at[i],
				.writer = -1};

			must(decode_record(reader, &rec, &bench->arena, &slots,
				     &why) == SG_OK,
				why.text);
		}
		arena_reset(&bench->arena);
		best = best_of(best, start_us, RECORDS);
	}
	decode_reader_destroy(reader);
	return best;
}

static double
time_avro(struct bench *bench)
{
	avro_schema_t schema;
	avro_value_iface_t *iface;
	avro_value_t value;
	double best = 0;

	must(avro_schema_from_json_length(
		     schema_json, sizeof(schema_json) - 1, &schema) == 0,
		avro_strerror());
	iface = avro_generic_class_from_schema(schema);
	must(iface != NULL && avro_generic_value_new(iface, &value) == 0,
		"Avro C");
	for (int round = 0; round < ROUNDS / 10; round++) {
		int64_t start_us = clock_mono_us();

		for (size_t i = 0; i < RECORDS; i++) {
			avro_reader_t reader = avro_reader_memory(
				(const char *)bench->bytes.bytes +
					bench->at[i] + FRAME_BYTES,
				(int64_t)(bench->at[i + 1] - bench->at[i]) -
					FRAME_BYTES);

			must(avro_value_reset(&value) == 0 &&
					avro_value_read(reader, &value) == 0,
				avro_strerror());
			avro_reader_free(reader);
		}
		best = best_of(best, start_us, RECORDS);
	}
	avro_value_decref(&value);
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
	return best;
}

int
main(void)
{
	struct bench bench = {0};
	struct sg_fault why;
	double avro, five;

	buf_init(&bench.bytes, 1 << 24);
	arena_init(&bench.arena, (size_t)64 << 20);
	must(decode_schemas_create(&bench.schemas) == SG_OK, "no memory");
	must(decode_schemas_add(bench.schemas, "usage", schema_json,
		     sizeof(schema_json) - 1, 1, NULL, &why) == SG_OK,
		why.text);
	for (unsigned i = 0; i < RECORDS; i++) {
		bench.at[i] = bench.bytes.len;
		put_record(&bench.bytes, i);
	}
	bench.at[RECORDS] = bench.bytes.len;

	avro = time_avro(&bench);
	five = time_plan(&bench, some, SG_COUNTOF(some));
	(void)printf("decode: %zu bytes a record, best of %d rounds\n",
		bench.bytes.len / RECORDS, ROUNDS);
	(void)printf("decode: nothing bound    %6.1f ns\n",
		time_plan(&bench, NULL, 0));
	(void)printf("decode: 5 of 15 bound    %6.1f ns\n", five);
	(void)printf("decode: 15 of 15 bound   %6.1f ns\n",
		time_plan(&bench, all, SG_COUNTOF(all)));
	(void)printf("decode: Avro C, generic  %6.1f ns (%.1f times)\n", avro,
		avro / five);
	decode_schemas_destroy(bench.schemas);
	arena_fini(&bench.arena);
	buf_fini(&bench.bytes);
	return 0;
}
