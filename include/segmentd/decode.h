/*
 * decode.h - Avro bytes to the fields an input needs, by a compiled plan.
 *
 * A set of schemas is filled at start. Each input has a reader: its own schema
 * (how we want to see a record) and the paths that features and filters bind.
 * For each writer schema that turns up, the reader compiles a plan: a flat
 * program of read and skip steps that touches only what is bound. Avro's
 * resolution rules hold: promotions, aliases, defaults of the reader.
 *
 * Avro to struct value:
 *   null                         VALUE_NULL
 *   boolean                      VALUE_BOOL
 *   int long                     VALUE_INT
 *   float double                 VALUE_DOUBLE
 *   string enum (uuid)           VALUE_STRING
 *   bytes fixed                  VALUE_BYTES
 *   decimal                      VALUE_DOUBLE, correctly rounded
 *   date timestamp-*             VALUE_TIMESTAMP (a date: its midnight, UTC)
 *   local-timestamp-*            VALUE_TIMESTAMP (read as UTC)
 *   time-*                       VALUE_DURATION since midnight
 *   array, map, record           VALUE_LIST, VALUE_MAP, VALUE_RECORD
 *   union [null, T]              T nullable
 *   other unions                 TYPE_DYN; a record in it is a VALUE_MAP
 * A record that contains itself is TYPE_DYN from there on.
 *
 * Thread: schemas and readers are filled before the workers start; what a
 * source adds later is added under a lock, at first sight of it. A plan is
 * compiled at first sight of a writer: decode_reader_clone() gives each worker
 * its own reader, so that nothing is locked on the way of an event.
 */
#ifndef SEGMENTD_DECODE_H
#define SEGMENTD_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/err.h"
#include "segmentd/record.h"
#include "segmentd/schema_key.h"
#include "segmentd/type.h"
#include "segmentd/value.h"

#define DECODE_RECORD_MAX (16 << 20) /* bytes of a record's value */
#define DECODE_DEPTH_MAX 64	     /* records, arrays, maps within another */

/* --- schemas ------------------------------------------------------------ */

struct decode_schemas;

SG_MUSTCHECK enum sg_err
decode_schemas_create(struct decode_schemas **ret_schemas);
void
decode_schemas_destroy(struct decode_schemas *schemas);

/*
 * Add a schema given as JSON text. `id` is its id under Confluent framing, -1
 * for none. `name` is for messages (a file name). The same text again, with
 * another id, is fine. *ret_number (may be NULL) is the schema's number.
 *
 * Errors: SG_BAD_SCHEMA with what is wrong; SG_NOMEM.
 */
SG_MUSTCHECK enum sg_err
decode_schemas_add(struct decode_schemas *schemas, const char *name,
	const char *json, size_t len, int32_t id, int32_t *ret_number,
	struct sg_fault *why);

/* Add a file, or every *.avsc of a folder (no ids). A name "17.avsc" or
 * "17-what.avsc" carries Confluent id 17. Errors: SG_IO, SG_BAD_SCHEMA. */
SG_MUSTCHECK enum sg_err
decode_schemas_add_path(struct decode_schemas *schemas, const char *path,
	int32_t id, int32_t *ret_number, struct sg_fault *why);

/*
 * Where schemas come from that are not in the set: a registry. find() must not
 * wait for long. It gives the text (valid for ever), SG_UNKNOWN_SCHEMA when
 * there is none, or SG_REGISTRY_DOWN when it is not known yet: decode_record()
 * returns that, and the record is to be tried again.
 *
 * Thread: find() is called from any. Set it before the first record.
 */
struct decode_source {
	enum sg_err (*find)(void *ctx, const struct schema_key *key,
		const char **ret_text, size_t *ret_len, struct sg_fault *why);
	void *ctx;
};

void
decode_schemas_set_source(
	struct decode_schemas *schemas, const struct decode_source *source);

/* The first id under which a schema was added; -1: it has none. */
int32_t
decode_schemas_id(struct decode_schemas *schemas, int32_t number);

/* CRC-64-AVRO of the canonical form: the single-object fingerprint. */
uint64_t
decode_schemas_fingerprint(
	const struct decode_schemas *schemas, int32_t number);

/* The JSON text as it was given. */
const char *
decode_schemas_text(const struct decode_schemas *schemas, int32_t number);

/* --- a reader ----------------------------------------------------------- */

enum decode_framing {
	DECODE_AUTO, /* confluent or single-object, by the first byte */
	/* 00, 4-byte id, or 01, 16-byte GUID; or the same in the header
	 * __value_schema_id, and the value is bare */
	DECODE_CONFLUENT,
	DECODE_SINGLE_OBJECT, /* C3 01, CRC-64-AVRO */
	DECODE_BARE,	      /* Avro alone, written with the reader's schema */
};

struct decode_reader;

/* A reader for records seen as schema `number`, which must be a record.
 * `schemas` must outlive it. */
SG_MUSTCHECK enum sg_err
decode_reader_create(struct decode_schemas *schemas, int32_t number,
	enum decode_framing framing, struct decode_reader **ret_reader,
	struct sg_fault *why);
void
decode_reader_destroy(struct decode_reader *reader);

/* The type of the whole record: TYPE_RECORD. Valid until: the reader goes. */
const struct type *
decode_reader_type(const struct decode_reader *reader);

/*
 * Ask for a path. The same path again gives the same slot.
 *
 *     plan             a field             properties.plan   nested records
 *     items[0].sku     array element       traits["tier"]    map entry
 *     @timestamp       the Kafka record's  @headers["type"]  a header, text
 *     @headers         map(string, string?) of all headers that are text
 *
 * Where the way leads through a null, a missing entry or element, or a union
 * branch without the field, the slot is null and *ret_type is nullable.
 *
 * Errors: SG_BAD_OPTION when there is no such path (the fault names the fields
 * there are, nearest first); SG_LIMIT.
 */
SG_MUSTCHECK enum sg_err
decode_reader_bind(struct decode_reader *reader, const char *path, size_t len,
	uint32_t *ret_slot, const struct type **ret_type, struct sg_fault *why);

size_t
decode_reader_nslots(const struct decode_reader *reader);

/* A copy with plans of its own. Bind before, not after. */
SG_MUSTCHECK enum sg_err
decode_reader_clone(
	const struct decode_reader *reader, struct decode_reader **ret_reader);

/*
 * Decode one record: decode_reader_nslots() values at *ret_slots.
 *
 * Valid until: (the values) the arena is reset or the record's bytes go.
 * A record's values take at most 32 MiB of the arena (beyond: SG_TOO_LARGE);
 * SG_NOMEM means that the arena is full or the machine is out of memory, so
 * give a batch's arena more than that.
 *
 * Errors: SG_NO_VALUE, SG_BAD_FRAMING, SG_UNKNOWN_SCHEMA, SG_REGISTRY_DOWN,
 *         SG_INCOMPATIBLE_SCHEMA, SG_BAD_RECORD, SG_BAD_UTF8, SG_TOO_LARGE,
 *         SG_NOMEM. The fault says at which byte and field; never the data.
 */
SG_MUSTCHECK enum sg_err
decode_record(struct decode_reader *reader, const struct record *rec,
	struct arena *arena, const struct value **ret_slots,
	struct sg_fault *why);

/* What a record names its writer schema by, as text: an id (decimal), a GUID or
 * a fingerprint (hexadecimal). False when it names none. */
#define DECODE_SCHEMA_NAME_MAX 40
bool
decode_record_schema(const struct decode_reader *reader,
	const struct record *rec, char ret_name[DECODE_SCHEMA_NAME_MAX]);

/*
 * How many bytes the value of schema `number` takes that begins at `bytes`.
 * Errors: SG_BAD_RECORD, SG_TOO_LARGE.
 */
SG_MUSTCHECK enum sg_err
decode_measure(const struct decode_schemas *schemas, int32_t number,
	const void *bytes, size_t len, size_t *ret_len, struct sg_fault *why);

#endif
