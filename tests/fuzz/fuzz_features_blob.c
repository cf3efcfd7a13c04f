/*
 * fuzz_features_blob.c - any bytes as the stored state of an account.
 *
 * The first byte says whether a layout comes first (its length in two bytes).
 * What is accepted must be usable: events are folded into it, values read,
 * and what it is stored as then must load, and be stored as the same again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/buf.h"
#include "segmentd/change.h"
#include "segmentd/features.h"

#define DAY CIVIL_DAY_MS
#define BASE INT64_C(1709251200000)
#define BLOB_MAX ((size_t)16 << 20)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct feature_keep keep[] = {
	{"status", 2, &type_string}, {"ends_at", 3, &type_timestamp}};

#define FEATURE(name_, kind_, window_, slot_, type_)                           \
	{                                                                      \
		.name = (name_), .kind = FEATURE_##kind_,                      \
		.window_ms = (window_), .slot = (slot_), .type = (type_),      \
		.filter = -1, .key_name = "id", .keep = keep, .nkeep = 2,      \
		.max = 8, .closed_filter = 0, .remove_filter = 1               \
	}

static const struct feature_def defs[] = {
	FEATURE("a", last, 0, 2, &type_string),
	FEATURE("b", first, 0, 0, &type_int),
	FEATURE("c", latest, 0, 3, &type_timestamp),
	FEATURE("d", count, 3600000, -1, NULL),
	FEATURE("e", sum, 5 * 3600000, 1, &type_double),
	FEATURE("f", mean, 30 * DAY, 0, &type_int),
	FEATURE("g", min, 400 * DAY, 1, &type_double),
	FEATURE("h", max, 60 * 3600000, 3, &type_timestamp),
	FEATURE("i", distinct, 7 * DAY, 2, &type_string),
	FEATURE("j", collect, 0, 2, &type_string),
	FEATURE("k", trend, 10 * DAY, -1, NULL),
	FEATURE("l", streak, 0, -1, NULL),
	FEATURE("m", days_since, 0, 0, &type_int),
	FEATURE("n", last, 0, 1, &type_double),
	FEATURE("o", distinct, 3600000, 0, &type_int),
	FEATURE("p", sum, DAY, 4, &type_duration),
	FEATURE("q", max, DAY, 5, &type_uint),
};

/* A macro, so that the trace names the line. */
#define MUST(holds)                                                            \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

static void
use(const struct feature_set *set, struct features *features)
{
	static const int64_t nows[] = {
		0, BASE, BASE + DAY, BASE + 500 * DAY, INT64_MAX, INT64_MIN};

	for (size_t i = 0; i < SG_COUNTOF(nows); i++) {
		for (uint32_t j = 0; j < SG_COUNTOF(defs); j++) {
			struct value v;
			struct buf text;
			int64_t until;

			features_value(
				set, features, j, nows[i], NULL, &v, &until);
			buf_init(&text, BLOB_MAX);
			value_to_json(v, NULL, &text);
			buf_fini(&text);
		}
	}
}

static void
fold_some(const struct feature_set *set, struct features *features)
{
	for (int64_t i = 0; i < 6; i++) {
		struct value slots[6] = {value_int(i - 3),
			value_double((double)i * -1.25),
			value_string("a text", (uint32_t)(i % 7)),
			value_timestamp_ms(BASE + i * DAY),
			value_duration(i, 5), value_uint((uint64_t)i)};
		struct event ev = {.at_ms = BASE + i % 4 * i * DAY,
			.kafka_ms = BASE + i * DAY,
			.offset = i,
			.id_hash = (uint64_t)i,
			.slots = slots,
			.nslots = 6};
		struct fold_result result;

		MUST(features_fold(set, features, &ev, (uint64_t)i % 4,
			     &result) == SG_OK);
	}
}

/* Stored, loaded and stored again it is the same. */
static void
round_trip(const struct feature_set *set, const struct features *features)
{
	struct features *copy = NULL;
	struct buf_reader rd;
	struct buf first;
	struct buf second;

	buf_init(&first, BLOB_MAX);
	buf_init(&second, BLOB_MAX);
	features_encode(set, features, &first);
	MUST(!first.is_failed);
	buf_reader_init(&rd, first.bytes, first.len);
	MUST(features_decode(set, NULL, &rd, &copy) == SG_OK);
	MUST(rd.at == rd.end);
	features_encode(set, copy, &second);
	MUST(first.len == second.len &&
		memcmp(first.bytes, second.bytes, first.len) == 0);
	MUST(features_size(copy) <= features_size(features) + 4096);
	features_destroy(copy);
	buf_fini(&first);
	buf_fini(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct feature_set *set;
	struct features_layout *layout = NULL;
	struct features *features = NULL;
	struct buf_reader rd;

	if (set == NULL)
		MUST(feature_set_create(defs, SG_COUNTOF(defs), &set, NULL) ==
			SG_OK);
	buf_reader_init(&rd, data, size);
	if (buf_get_u8(&rd) != 0) {
		size_t len = buf_get_u8(&rd);
		const uint8_t *bytes;

		len |= (size_t)buf_get_u8(&rd) << 8;
		bytes = buf_get_bytes(&rd, len);
		if (bytes == NULL || features_layout_read(set, bytes, len,
					     &layout, NULL) != SG_OK)
			return 0;
	}
	if (features_decode(set, layout, &rd, &features) == SG_OK) {
		use(set, features);
		round_trip(set, features);
		fold_some(set, features);
		use(set, features);
		round_trip(set, features);
		features_destroy(features);
	}
	features_layout_destroy(layout);
	return 0;
}
