/*
 * fuzz_framing.c - any bytes as the value of a record, framed or not.
 *
 * Two writers are known, one under an id; the reader is a third schema with
 * defaults, aliases and promotions. The first byte of the input chooses the
 * framing. What comes out has the kinds its types say.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/decode.h"

#define MUST(holds)                                                            \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char reader_json[] =
	"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
	"{\"name\":\"id\",\"type\":\"string\",\"aliases\":[\"key\"]},"
	"{\"name\":\"n\",\"type\":\"double\",\"default\":1.5},"
	"{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\","
	"\"symbols\":[\"A\",\"Z\"],\"default\":\"Z\"}},"
	"{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":"
	"[\"null\",\"string\"]},\"default\":[]},"
	"{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"long\"},"
	"\"default\":{\"k\":1}}]}";
static const char old_json[] =
	"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
	"{\"name\":\"key\",\"type\":\"bytes\"},"
	"{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\","
	"\"symbols\":[\"A\",\"B\"]}}]}";
static const char new_json[] =
	"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
	"{\"name\":\"n\",\"type\":[\"int\",\"float\",\"string\"]},"
	"{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"int\"}},"
	"{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"}}"
	","
	"{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\","
	"\"symbols\":[\"Z\",\"A\",\"C\"]}},"
	"{\"name\":\"id\",\"type\":\"string\"}]}";

static const struct {
	const char *path;
	uint8_t kind;
	bool is_nullable;
} paths[] = {
	{"id", VALUE_STRING, false},
	{"n", VALUE_DOUBLE, false},
	{"e", VALUE_STRING, false},
	{"tags", VALUE_LIST, false},
	{"tags[1]", VALUE_STRING, true},
	{"m", VALUE_MAP, false},
	{"m.k", VALUE_INT, true},
};

static void
add(struct decode_schemas *schemas, const char *json, int32_t id)
{
	MUST(decode_schemas_add(schemas, "fuzz", json, strlen(json), id, NULL,
		     NULL) == SG_OK);
}

static void
decode(struct decode_reader *reader, const uint8_t *bytes, size_t len)
{
	struct record rec = {
		.kafka_ms = -1, .value = bytes, .value_len = len, .writer = -1};
	const struct value *slots = NULL;
	struct sg_fault why;
	struct arena arena;

	arena_init(&arena, (size_t)64 << 20);
	if (decode_record(reader, &rec, &arena, &slots, &why) == SG_OK) {
		for (size_t i = 0; i < SG_COUNTOF(paths); i++)
			MUST(slots[i].kind == paths[i].kind ||
				(paths[i].is_nullable &&
					slots[i].kind == VALUE_NULL));
		MUST(utf8_is_valid(slots[0].as.s, slots[0].len));
	} else {
		MUST(sg_err_class(why.err) == SG_CLASS_SKIP);
		MUST(why.text[0] != '\0');
	}
	arena_fini(&arena);
}

/* A reader of one framing. Made once: it is the records that are fuzzed. */
static struct decode_reader *
reader_make(enum decode_framing framing)
{
	static struct decode_schemas *schemas;
	struct decode_reader *reader = NULL;

	if (schemas == NULL) {
		MUST(decode_schemas_create(&schemas) == SG_OK);
		add(schemas, reader_json, 3);
		add(schemas, old_json, 1);
		add(schemas, new_json, 2);
	}
	MUST(decode_reader_create(schemas, 0, framing, &reader, NULL) == SG_OK);
	for (uint32_t i = 0; i < SG_COUNTOF(paths); i++) {
		const struct type *type = NULL;
		uint32_t slot = 0;

		MUST(decode_reader_bind(reader, paths[i].path,
			     strlen(paths[i].path), &slot, &type,
			     NULL) == SG_OK);
		MUST(slot == i);
	}
	return reader;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decode_reader *readers[DECODE_BARE + 1];
	enum decode_framing framing;

	if (size == 0)
		return 0;
	framing = (enum decode_framing)(data[0] % SG_COUNTOF(readers));
	if (readers[framing] == NULL)
		readers[framing] = reader_make(framing);
	decode(readers[framing], data + 1, size - 1);
	return 0;
}
