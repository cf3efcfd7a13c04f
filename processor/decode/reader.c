/*
 * reader.c - an input's reader: its paths, and a plan for each writer it met.
 *
 * On the way of an event: look at the frame, find the plan, copy the plan's
 * initial slots, run it. The plan is found in a small direct-mapped cache by
 * what the frame says (an id, a fingerprint, a schema number); behind it is a
 * table by schema number, where a writer that cannot be read has its plan, too,
 * so that a flood of such records is refused at the price of a lookup.
 *
 * All of a reader lies in one arena. A bind after the first record makes the
 * plans anew; the old ones stay in the arena until the reader goes, which is
 * why one binds first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "schema_parse.h"
#include "schemas.h"

#include "segmentd/buf.h"

#define READER_BYTES_MAX ((size_t)256 << 20)
#define CACHE_SLOTS 64
#define CONFLUENT_BYTES 5
#define GUID_FRAME_BYTES (1 + SCHEMA_GUID_BYTES)
#define SINGLE_OBJECT_BYTES 10

enum slot_kind { SLOT_FIELD, SLOT_TIMESTAMP, SLOT_HEADER, SLOT_HEADERS };

struct slot {
	enum slot_kind kind;
	const char *path; /* as it was asked for */
	size_t len;
	const char *header;
	size_t header_len;
	const struct type *type;
};

enum frame_kind { FRAME_NUMBER, FRAME_ID, FRAME_GUID, FRAME_FINGERPRINT };

struct frame {
	enum frame_kind kind;
	uint64_t key;
	uint64_t rest; /* of a GUID: its second half */
	size_t bytes;  /* before the Avro */
};

struct cache_entry {
	enum frame_kind kind;
	uint64_t key;
	uint64_t rest;
	const struct plan *plan; /* NULL: free */
};

struct decode_reader {
	struct arena arena;
	struct decode_schemas *schemas;
	const struct schema *schema;
	const struct type *type;
	int32_t number;
	enum decode_framing framing;
	struct bind root;
	struct slot *slots;
	size_t nslots;
	size_t cap;
	bool has_special;	   /* some slot is a timestamp or header */
	const struct plan **plans; /* SCHEMAS_MAX, by schema number */
	struct cache_entry cache[CACHE_SLOTS];
};

/* --- create, destroy ------------------------------------------------------ */

/* The reader's own defaults will be used, so they have to be right. */
static const struct schema_field *
bad_default(const struct schema *schema, bool *seen)
{
	const struct schema_field *found = NULL;

	if (schema->kind == SCHEMA_RECORD) {
		if (seen[schema->number])
			return NULL;
		seen[schema->number] = true;
	}
	for (size_t i = 0; found == NULL && i < schema->nfields; i++) {
		if (schema->fields[i].is_def_bad)
			return &schema->fields[i];
		found = bad_default(schema->fields[i].schema, seen);
	}
	for (size_t i = 0; found == NULL && i < schema->nbranches; i++)
		found = bad_default(schema->branches[i], seen);
	if (found == NULL && schema->item != NULL)
		found = bad_default(schema->item, seen);
	return found;
}

static enum sg_err
check_defaults(const struct decode_schemas *schemas, int32_t number,
	struct sg_fault *why)
{
	bool *seen = calloc(SCHEMA_NODES_MAX, sizeof(*seen));
	const struct schema_field *field;

	if (seen == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	field = bad_default(decode_schemas_tree(schemas, number), seen);
	free(seen);
	if (field == NULL)
		return SG_OK;
	return sg_fault_set(why, SG_BAD_SCHEMA,
		"%s: at '%s': the default does not fit its type %s",
		schemas_name(schemas, number), field->name,
		schema_kind_name(field->schema->kind));
}

static enum sg_err
reader_fill(
	struct decode_reader *reader, const char *name, struct sg_fault *why)
{
	if (reader->schema->kind != SCHEMA_RECORD)
		return sg_fault_set(why, SG_BAD_SCHEMA,
			"%s: an input's schema is a record, this is %s", name,
			schema_kind_name(reader->schema->kind));
	reader->plans = calloc(SCHEMAS_MAX, sizeof(void *));
	if (reader->plans == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	reader->type = types_of(&reader->arena, reader->schema, NULL, 0);
	if (reader->type == NULL)
		return sg_fault_set(why, SG_NOMEM,
			"%s: no memory, or the schema is too large", name);
	return SG_OK;
}

enum sg_err
decode_reader_create(struct decode_schemas *schemas, int32_t number,
	enum decode_framing framing, struct decode_reader **ret_reader,
	struct sg_fault *why)
{
	struct decode_reader *reader;
	enum sg_err err;

	if (number < 0 || number >= schemas_count(schemas))
		return sg_fault_set(
			why, SG_UNKNOWN_SCHEMA, "no schema number %d", number);
	err = check_defaults(schemas, number, why);
	if (err != SG_OK)
		return err;
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	arena_init(&reader->arena, READER_BYTES_MAX);
	reader->schemas = schemas;
	reader->schema = decode_schemas_tree(schemas, number);
	reader->number = number;
	reader->framing = framing;
	reader->root.slot = -1;
	err = reader_fill(reader, schemas_name(schemas, number), why);
	if (err == SG_OK)
		*ret_reader = reader;
	else
		decode_reader_destroy(reader);
	return err;
}

void
decode_reader_destroy(struct decode_reader *reader)
{
	if (reader == NULL)
		return;
	free(reader->slots);
	free(reader->plans);
	arena_fini(&reader->arena);
	free(reader);
}

const struct type *
decode_reader_type(const struct decode_reader *reader)
{
	return reader->type;
}

size_t
decode_reader_nslots(const struct decode_reader *reader)
{
	return reader->nslots;
}

enum sg_err
decode_reader_clone(
	const struct decode_reader *reader, struct decode_reader **ret_reader)
{
	struct decode_reader *copy = NULL;
	const struct type *type;
	enum sg_err err;
	uint32_t at;

	err = decode_reader_create(
		reader->schemas, reader->number, reader->framing, &copy, NULL);
	for (size_t i = 0; err == SG_OK && i < reader->nslots; i++)
		err = decode_reader_bind(copy, reader->slots[i].path,
			reader->slots[i].len, &at, &type, NULL);
	if (err == SG_OK)
		*ret_reader = copy;
	else
		decode_reader_destroy(copy);
	return err;
}

/* --- bind ----------------------------------------------------------------- */

static struct bind *
bind_child(struct decode_reader *reader, struct bind *parent,
	const struct path_step *step)
{
	struct bind **at = &parent->child;
	struct bind *bind;

	for (; *at != NULL; at = &(*at)->next) {
		bind = *at;
		if (bind->kind != step->kind)
			continue;
		if (step->kind == BIND_INDEX
				? bind->index == step->index
				: bind->name_len == step->len &&
					  memcmp(bind->name, step->name,
						  step->len) == 0)
			return bind;
	}
	bind = arena_alloc(&reader->arena, sizeof(*bind));
	if (bind == NULL)
		return NULL;
	*bind = (struct bind){.kind = step->kind,
		.name_len = step->len,
		.index = step->index,
		.slot = -1};
	if (step->kind == BIND_NAME)
		bind->name = arena_copy(&reader->arena, step->name, step->len);
	if (step->kind == BIND_NAME && bind->name == NULL)
		return NULL;
	*at = bind;
	return bind;
}

/* *ret_slot is the slot that has this path already, spelled otherwise
 * (a.b, a["b"]); else it is left alone. */
static enum sg_err
bind_field(struct decode_reader *reader, const struct path *path,
	struct slot *slot, uint32_t *ret_slot, struct sg_fault *why)
{
	struct bind *bind = &reader->root;
	enum sg_err err;

	err = path_type(&reader->arena, reader->schema, path, &slot->type, why);
	if (err != SG_OK)
		return err;
	for (size_t i = 0; i < path->nsteps; i++) {
		bind = bind_child(reader, bind, &path->steps[i]);
		if (bind == NULL)
			return sg_fault_set(why, SG_NOMEM, "no memory");
	}
	if (bind->slot >= 0) {
		*ret_slot = (uint32_t)bind->slot;
		return SG_OK;
	}
	bind->slot = (int32_t)reader->nslots;
	bind->type = slot->type;
	return SG_OK;
}

static enum sg_err
bind_special(struct decode_reader *reader, const struct path *path,
	struct slot *slot, struct sg_fault *why)
{
	reader->has_special = true;
	if (path->kind == PATH_TIMESTAMP) {
		slot->kind = SLOT_TIMESTAMP;
		slot->type = type_nullable(&reader->arena, &type_timestamp);
		return SG_OK;
	}
	if (path->kind == PATH_HEADERS) {
		slot->kind = SLOT_HEADERS;
		slot->type = type_nullable(&reader->arena, &type_string);
		if (slot->type != NULL)
			slot->type = type_map(
				&reader->arena, &type_string, slot->type);
		return slot->type == NULL
			       ? sg_fault_set(why, SG_NOMEM, "no memory")
			       : SG_OK;
	}
	slot->kind = SLOT_HEADER;
	slot->type = type_nullable(&reader->arena, &type_string);
	slot->header = arena_copy(
		&reader->arena, path->steps[0].name, path->steps[0].len);
	slot->header_len = path->steps[0].len;
	if (slot->header == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	return SG_OK;
}

/* Does this path have a slot already? */
static bool
bind_known(const struct decode_reader *reader, const char *path, size_t len,
	uint32_t *ret_slot)
{
	for (size_t i = 0; i < reader->nslots; i++)
		if (reader->slots[i].len == len &&
			memcmp(reader->slots[i].path, path, len) == 0) {
			*ret_slot = (uint32_t)i;
			return true;
		}
	return false;
}

static bool
slots_grow(struct decode_reader *reader)
{
	size_t cap = reader->cap == 0 ? 16 : 2 * reader->cap;
	struct slot *slots = realloc(reader->slots, cap * sizeof(*slots));

	if (slots == NULL)
		return false;
	reader->slots = slots;
	reader->cap = cap;
	return true;
}

static enum sg_err
bind_new(struct decode_reader *reader, const char *text, size_t len,
	uint32_t *ret_slot, struct sg_fault *why)
{
	struct slot slot = {.len = len};
	uint32_t at = (uint32_t)reader->nslots;
	struct path path;
	enum sg_err err;

	if (reader->nslots == SLOTS_MAX)
		return sg_fault_set(why, SG_LIMIT,
			"more than %d paths of one input", SLOTS_MAX);
	err = path_parse(text, len, &path, why);
	if (err != SG_OK)
		return err;
	slot.path = arena_copy(&reader->arena, text, len);
	if (slot.path == NULL || (at == reader->cap && !slots_grow(reader)))
		return sg_fault_set(why, SG_NOMEM, "no memory");
	err = path.kind == PATH_FIELD
		      ? bind_field(reader, &path, &slot, &at, why)
		      : bind_special(reader, &path, &slot, why);
	if (err != SG_OK)
		return err;
	if (at == reader->nslots)
		reader->slots[reader->nslots++] = slot;
	*ret_slot = at;
	return SG_OK;
}

enum sg_err
decode_reader_bind(struct decode_reader *reader, const char *path, size_t len,
	uint32_t *ret_slot, const struct type **ret_type, struct sg_fault *why)
{
	uint32_t slot = 0;
	enum sg_err err;

	if (!bind_known(reader, path, len, &slot)) {
		err = bind_new(reader, path, len, &slot, why);
		if (err != SG_OK)
			return err;
		memset(reader->plans, 0, SCHEMAS_MAX * sizeof(void *));
		memset(reader->cache, 0, sizeof(reader->cache));
	}
	*ret_slot = slot;
	*ret_type = reader->slots[slot].type;
	return SG_OK;
}

/* --- frames --------------------------------------------------------------- */

static enum sg_err
frame_bad(const char *what, struct sg_fault *why)
{
	return sg_fault_set(why, SG_BAD_FRAMING, "%s", what);
}

static uint64_t
big_endian(const uint8_t *bytes, size_t n)
{
	uint64_t number = 0;

	for (size_t i = 0; i < n; i++)
		number = number << 8 | bytes[i];
	return number;
}

static enum sg_err
frame_confluent(const uint8_t *bytes, size_t len, struct frame *ret_frame,
	struct sg_fault *why)
{
	if (len >= CONFLUENT_BYTES && bytes[0] == 0) {
		ret_frame->kind = FRAME_ID;
		ret_frame->key = big_endian(bytes + 1, 4);
		ret_frame->bytes = CONFLUENT_BYTES;
		return SG_OK;
	}
	if (len >= GUID_FRAME_BYTES && bytes[0] == 1) {
		ret_frame->kind = FRAME_GUID;
		ret_frame->key = big_endian(bytes + 1, 8);
		ret_frame->rest = big_endian(bytes + 9, 8);
		ret_frame->bytes = GUID_FRAME_BYTES;
		return SG_OK;
	}
	return frame_bad("no Confluent frame: 00 and 4 bytes of id, or 01 and "
			 "16 bytes of GUID, were expected",
		why);
}

static enum sg_err
frame_single_object(const uint8_t *bytes, size_t len, struct frame *ret_frame,
	struct sg_fault *why)
{
	uint64_t key = 0;

	if (len < SINGLE_OBJECT_BYTES || bytes[0] != 0xc3 || bytes[1] != 1)
		return frame_bad("no single-object frame: C3 01 and 8 bytes of "
				 "fingerprint were expected",
			why);
	for (size_t i = 0; i < 8; i++)
		key |= (uint64_t)bytes[2 + i] << (8 * i);
	ret_frame->kind = FRAME_FINGERPRINT;
	ret_frame->key = key;
	ret_frame->bytes = SINGLE_OBJECT_BYTES;
	return SG_OK;
}

/*
 * Confluent's serializers may put the id into a header in place of the value:
 * the same bytes, and the value is bare. The last such header counts. False
 * when there is none.
 */
static bool
frame_header(const struct record *rec, struct frame *ret_frame,
	struct sg_fault *why, enum sg_err *ret_err)
{
	static const char name[] = "__value_schema_id";

	for (size_t i = rec->nheaders; i-- > 0;) {
		const struct record_header *header = &rec->headers[i];
		const uint8_t *bytes = header->value;

		if (strcmp(header->name, name) != 0)
			continue;
		*ret_err = bytes == NULL ? SG_BAD_FRAMING
					 : frame_confluent(bytes, header->len,
						   ret_frame, NULL);
		if (*ret_err != SG_OK || header->len != ret_frame->bytes)
			*ret_err = frame_bad("the header __value_schema_id is "
					     "neither 00 and 4 bytes of id nor "
					     "01 and 16 bytes of GUID",
				why);
		ret_frame->bytes = 0;
		return true;
	}
	return false;
}

static enum sg_err
frame_read(const struct decode_reader *reader, const struct record *rec,
	struct frame *ret_frame, struct sg_fault *why)
{
	const uint8_t *bytes = rec->value;
	size_t len = rec->value_len;
	enum sg_err err = SG_OK;

	if (rec->writer >= 0 || reader->framing == DECODE_BARE) {
		ret_frame->kind = FRAME_NUMBER;
		ret_frame->key = (uint64_t)(rec->writer >= 0 ? rec->writer
							     : reader->number);
		ret_frame->bytes = 0;
		return SG_OK;
	}
	if (rec->nheaders > 0 && reader->framing != DECODE_SINGLE_OBJECT &&
		frame_header(rec, ret_frame, why, &err))
		return err;
	switch (reader->framing) {
	case DECODE_CONFLUENT:
		return frame_confluent(bytes, len, ret_frame, why);
	case DECODE_SINGLE_OBJECT:
		return frame_single_object(bytes, len, ret_frame, why);
	default:
		break;
	}
	if (len > 0 && bytes[0] <= 1)
		return frame_confluent(bytes, len, ret_frame, why);
	if (len > 0 && bytes[0] == 0xc3)
		return frame_single_object(bytes, len, ret_frame, why);
	return frame_bad("neither a Confluent nor a single-object frame", why);
}

/* --- plans ---------------------------------------------------------------- */

static void
put_big_endian(uint8_t *bytes, uint64_t number)
{
	for (size_t i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(number >> (56 - 8 * i));
}

static enum sg_err
frame_writer(const struct decode_reader *reader, const struct frame *frame,
	int32_t *ret_writer, struct sg_fault *why)
{
	struct schema_key key = {.is_guid = frame->kind == FRAME_GUID};

	switch (frame->kind) {
	case FRAME_GUID:
		put_big_endian(key.guid, frame->key);
		put_big_endian(key.guid + 8, frame->rest);
		return schemas_find(reader->schemas, &key, ret_writer, why);
	case FRAME_ID:
		if (frame->key > INT32_MAX)
			return sg_fault_set(why, SG_UNKNOWN_SCHEMA,
				"no schema has the id %" PRIu64, frame->key);
		key.id = (int32_t)frame->key;
		return schemas_find(reader->schemas, &key, ret_writer, why);
	case FRAME_FINGERPRINT:
		*ret_writer =
			schemas_by_fingerprint(reader->schemas, frame->key);
		if (*ret_writer >= 0)
			return SG_OK;
		return sg_fault_set(why, SG_UNKNOWN_SCHEMA,
			"no schema has the fingerprint %016" PRIx64,
			frame->key);
	default:
		*ret_writer = (int32_t)frame->key;
		if (frame->key < (uint64_t)schemas_count(reader->schemas))
			return SG_OK;
		return sg_fault_set(why, SG_UNKNOWN_SCHEMA,
			"no schema has the number %" PRIu64, frame->key);
	}
}

static enum sg_err
plan_lookup(struct decode_reader *reader, const struct frame *frame,
	const struct plan **ret_plan, struct sg_fault *why)
{
	struct cache_entry *entry =
		&reader->cache[(frame->key ^ frame->key >> 32) % CACHE_SLOTS];
	int32_t writer = -1;
	enum sg_err err;

	if (entry->plan != NULL && entry->key == frame->key &&
		entry->rest == frame->rest && entry->kind == frame->kind) {
		*ret_plan = entry->plan;
		return SG_OK;
	}
	err = frame_writer(reader, frame, &writer, why);
	if (err != SG_OK)
		return err;
	if (reader->plans[writer] == NULL)
		reader->plans[writer] = plan_compile(&reader->arena, writer,
			decode_schemas_tree(reader->schemas, writer),
			reader->schema, &reader->root, reader->nslots);
	if (reader->plans[writer] == NULL)
		return sg_fault_set(
			why, SG_NOMEM, "no memory for a decode plan");
	*entry = (struct cache_entry){.kind = frame->kind,
		.key = frame->key,
		.rest = frame->rest,
		.plan = reader->plans[writer]};
	*ret_plan = entry->plan;
	return SG_OK;
}

/* --- one record ----------------------------------------------------------- */

static enum sg_err
fill_header(const struct slot *slot, const struct record *rec,
	struct value *ret_value, struct sg_fault *why)
{
	*ret_value = value_null();
	for (size_t i = rec->nheaders; i-- > 0;) {
		const struct record_header *header = &rec->headers[i];

		if (strlen(header->name) != slot->header_len ||
			memcmp(header->name, slot->header, slot->header_len) !=
				0)
			continue;
		if (header->value == NULL)
			return SG_OK;
		if (header->len > DECODE_RECORD_MAX ||
			!utf8_is_valid(header->value, header->len))
			return sg_fault_set(why, SG_BAD_UTF8,
				"header '%s' is not valid UTF-8", slot->header);
		*ret_value = value_string(header->value, (uint32_t)header->len);
		return SG_OK;
	}
	return SG_OK;
}

/*
 * All headers, the last one first: of two with one name it is the one that is
 * found. What is not UTF-8 is somebody else's and left out.
 */
static enum sg_err
fill_headers(const struct record *rec, struct arena *arena,
	struct value *ret_value, struct sg_fault *why)
{
	struct value *items =
		arena_array(arena, 2 * rec->nheaders + 1, sizeof(*items));
	uint32_t n = 0;

	if (items == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory for headers");
	for (size_t i = rec->nheaders; i-- > 0;) {
		const struct record_header *header = &rec->headers[i];
		size_t len = strlen(header->name);

		if (header->len > DECODE_RECORD_MAX ||
			!utf8_is_valid(header->name, len) ||
			(header->value != NULL &&
				!utf8_is_valid(header->value, header->len)))
			continue;
		items[2 * n] = value_string(header->name, (uint32_t)len);
		items[2 * n + 1] = header->value == NULL
					   ? value_null()
					   : value_string(header->value,
						     (uint32_t)header->len);
		n++;
	}
	*ret_value = (struct value){
		.kind = VALUE_MAP, .len = n, .as = {.items = items}};
	return SG_OK;
}

static enum sg_err
fill_special(const struct decode_reader *reader, const struct record *rec,
	struct arena *arena, struct value *values, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (size_t i = 0; err == SG_OK && i < reader->nslots; i++) {
		const struct slot *slot = &reader->slots[i];

		if (slot->kind == SLOT_TIMESTAMP)
			values[i] = rec->kafka_ms < 0
					    ? value_null()
					    : value_timestamp_ms(rec->kafka_ms);
		else if (slot->kind == SLOT_HEADER)
			err = fill_header(slot, rec, &values[i], why);
		else if (slot->kind == SLOT_HEADERS)
			err = fill_headers(rec, arena, &values[i], why);
	}
	return err;
}

static enum sg_err
record_failed(const struct decode_reader *reader, const struct plan *plan,
	const struct cursor *cur, const struct record *rec,
	struct sg_fault *why)
{
	size_t byte = (size_t)(cur->at - (const uint8_t *)rec->value);
	const char *field =
		cur->step != UINT32_MAX ? plan->where[cur->step] : "";

	return sg_fault_set(why, cur->err, "byte %zu%s%s%s, written as %s: %s",
		byte, field[0] != '\0' ? ", at or after field '" : "", field,
		field[0] != '\0' ? "'" : "",
		schemas_name(reader->schemas, plan->writer), cur->why);
}

static enum sg_err
record_run(const struct decode_reader *reader, const struct plan *plan,
	const struct record *rec, size_t skip, struct arena *arena,
	struct value *values, struct sg_fault *why)
{
	struct cursor cur;

	cursor_init(&cur, (const uint8_t *)rec->value + skip,
		rec->value_len - skip, arena);
	if (!plan_run(plan, 0, &cur, values))
		return record_failed(reader, plan, &cur, rec, why);
	if (cur.at != cur.end) {
		cur.err = SG_BAD_RECORD;
		cur.why = "bytes are left after the record";
		return record_failed(reader, plan, &cur, rec, why);
	}
	return SG_OK;
}

enum sg_err
decode_record(struct decode_reader *reader, const struct record *rec,
	struct arena *arena, const struct value **ret_slots,
	struct sg_fault *why)
{
	const struct plan *plan = NULL;
	struct frame frame = {.rest = 0};
	struct value *values;
	enum sg_err err;

	if (rec->value == NULL)
		return sg_fault_set(why, SG_NO_VALUE, "the value is null");
	if (rec->value_len > DECODE_RECORD_MAX)
		return sg_fault_set(why, SG_TOO_LARGE, "%zu bytes, at most %d",
			rec->value_len, DECODE_RECORD_MAX);
	err = frame_read(reader, rec, &frame, why);
	if (err == SG_OK)
		err = plan_lookup(reader, &frame, &plan, why);
	if (err != SG_OK)
		return err;
	if (plan->err != SG_OK)
		return sg_fault_set(why, plan->err, "written as %s: %s",
			schemas_name(reader->schemas, plan->writer),
			plan->fault);
	values = arena_array(arena, reader->nslots, sizeof(*values));
	if (values == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory for the fields");
	memcpy(values, plan->slots, reader->nslots * sizeof(*values));
	err = record_run(reader, plan, rec, frame.bytes, arena, values, why);
	if (err == SG_OK && reader->has_special)
		err = fill_special(reader, rec, arena, values, why);
	if (err == SG_OK)
		*ret_slots = values;
	return err;
}

bool
decode_record_schema(const struct decode_reader *reader,
	const struct record *rec, char ret_name[DECODE_SCHEMA_NAME_MAX])
{
	struct frame frame = {.rest = 0};

	if (rec->value == NULL ||
		frame_read(reader, rec, &frame, NULL) != SG_OK)
		return false;
	switch (frame.kind) {
	case FRAME_ID:
		(void)snprintf(ret_name, DECODE_SCHEMA_NAME_MAX, "%" PRIu64,
			frame.key);
		return true;
	case FRAME_GUID:
		(void)snprintf(ret_name, DECODE_SCHEMA_NAME_MAX,
			"%016" PRIx64 "%016" PRIx64, frame.key, frame.rest);
		return true;
	case FRAME_FINGERPRINT:
		(void)snprintf(ret_name, DECODE_SCHEMA_NAME_MAX, "%016" PRIx64,
			frame.key);
		return true;
	default:
		return false;
	}
}

enum sg_err
decode_measure(const struct decode_schemas *schemas, int32_t number,
	const void *bytes, size_t len, size_t *ret_len, struct sg_fault *why)
{
	struct cursor cur;

	cursor_init(&cur, bytes, len, NULL);
	if (!run_skip(&cur, decode_schemas_tree(schemas, number)))
		return sg_fault_set(why, cur.err, "byte %zu: %s",
			(size_t)(cur.at - (const uint8_t *)bytes), cur.why);
	*ret_len = (size_t)(cur.at - (const uint8_t *)bytes);
	return SG_OK;
}
