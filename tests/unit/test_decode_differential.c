/*
 * test_decode_differential.c - for any schema and bytes, decode and Avro C's
 * generic reader agree.
 *
 * Random schemas of all types, some recursive; random values, written by Avro
 * C; every top-level field and some random paths are bound, and compared with
 * what Avro C reads. Then the bytes are damaged: what we accept Avro C has to
 * accept with the same values, and where it accepts what we refuse, the reason
 * must be one of those we have on purpose:
 *
 *  - Avro C takes the lowest bit of any byte for a boolean;
 *  - it does not look at UTF-8, at a block's size, at a decimal's length, nor
 *    at the bits of a varint beyond the 64th;
 *  - it sets no bound to nesting or to what a record may take.
 *
 * It is asked about damaged bytes only where their lengths are sound: it would
 * loop over a count of 10^12, or ask malloc() for it.
 */
#include "decode_random.h"
#include "decode_support.h"

#include <avro.h>
#include <stdio.h>

#include "segmentd/schema.h"

#define PATHS_MAX 24
#define SCHEMAS 400
#define VALUES 5
#define DAMAGED 12

/* --- comparing ------------------------------------------------------------ */

static bool
same(struct value v, avro_value_t *want, const struct schema *schema);

static int64_t
floor_div(int64_t n, int64_t by)
{
	return n / by - (n % by < 0 ? 1 : 0);
}

static bool
same_time(struct value v, int64_t n, const struct schema *schema)
{
	static const int64_t per_second[] = {
		[LOGICAL_TIME_MS] = 1000,
		[LOGICAL_TIME_US] = 1000000,
		[LOGICAL_TIMESTAMP_MS] = 1000,
		[LOGICAL_TIMESTAMP_US] = 1000000,
		[LOGICAL_TIMESTAMP_NS] = 1000000000,
	};
	bool is_of_day = schema->logical == LOGICAL_TIME_MS ||
			 schema->logical == LOGICAL_TIME_US;
	int64_t per, seconds;

	if (schema->logical == LOGICAL_NONE)
		return v.kind == VALUE_INT && v.as.i == n;
	if (v.kind != (is_of_day ? VALUE_DURATION : VALUE_TIMESTAMP))
		return false;
	if (schema->logical == LOGICAL_DATE)
		return v.as.i == n * 86400 && v.nanos == 0;
	per = per_second[schema->logical];
	seconds = floor_div(n, per);
	return v.as.i == seconds &&
	       v.nanos == (n - seconds * per) * (1000000000 / per);
}

static bool
same_bytes(struct value v, const void *bytes, size_t len,
	const struct schema *schema)
{
	int64_t n = ((const uint8_t *)bytes)[0] & 0x80 ? -1 : 0;
	double by = 1;

	if (schema->logical != LOGICAL_DECIMAL)
		return v.kind == VALUE_BYTES && v.len == len &&
		       memcmp(v.as.bytes, bytes, len) == 0;
	for (size_t i = 0; i < len && i < 8; i++)
		n = (int64_t)((uint64_t)n << 8 | ((const uint8_t *)bytes)[i]);
	for (int32_t i = 0; i < schema->scale; i++)
		by *= 10;
	return v.kind == VALUE_DOUBLE && (len > 6 || v.as.d == (double)n / by);
}

static bool
same_scalar(struct value v, avro_value_t *want, const struct schema *schema)
{
	const void *bytes = NULL;
	const char *text = NULL;
	size_t len = 0;
	int64_t n64 = 0;
	int32_t n32 = 0;
	double d = 0;
	float f = 0;
	int i = 0;

	switch (schema->kind) {
	case SCHEMA_NULL:
		return v.kind == VALUE_NULL;
	case SCHEMA_BOOLEAN:
		return avro_value_get_boolean(want, &i) == 0 &&
		       v.kind == VALUE_BOOL && v.as.b == (i != 0);
	case SCHEMA_INT:
		return avro_value_get_int(want, &n32) == 0 &&
		       same_time(v, n32, schema);
	case SCHEMA_LONG:
		return avro_value_get_long(want, &n64) == 0 &&
		       same_time(v, n64, schema);
	case SCHEMA_FLOAT:
		return avro_value_get_float(want, &f) == 0 &&
		       value_same(v, value_double((double)f));
	case SCHEMA_DOUBLE:
		return avro_value_get_double(want, &d) == 0 &&
		       value_same(v, value_double(d));
	case SCHEMA_STRING:
		return avro_value_get_string(want, &text, &len) == 0 &&
		       v.kind == VALUE_STRING && v.len == len - 1 &&
		       memcmp(v.as.s, text, v.len) == 0;
	case SCHEMA_BYTES:
		return avro_value_get_bytes(want, &bytes, &len) == 0 &&
		       same_bytes(v, bytes, len, schema);
	case SCHEMA_FIXED:
		return avro_value_get_fixed(want, &bytes, &len) == 0 &&
		       same_bytes(v, bytes, len, schema);
	case SCHEMA_ENUM:
		return avro_value_get_enum(want, &i) == 0 &&
		       v.kind == VALUE_STRING &&
		       v.len == strlen(schema->symbols[i]) &&
		       memcmp(v.as.s, schema->symbols[i], v.len) == 0;
	default:
		return false;
	}
}

static bool
same_key(struct value v, const char *key)
{
	return v.kind == VALUE_STRING && v.len == strlen(key) &&
	       memcmp(v.as.s, key, v.len) == 0;
}

static bool
same_many(struct value v, avro_value_t *want, const struct schema *schema)
{
	bool is_map = schema->kind == SCHEMA_MAP;
	const char *key = NULL;
	avro_value_t child = {0};
	size_t n = 0;

	if (v.kind != (is_map ? VALUE_MAP : VALUE_LIST) ||
		avro_value_get_size(want, &n) != 0 || v.len != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct value *at = &v.as.items[is_map ? 2 * i : i];

		if (avro_value_get_by_index(want, i, &child, &key) != 0)
			return false;
		if (is_map && !same_key(*at, key))
			return false;
		if (!same(at[is_map ? 1 : 0], &child, schema->item))
			return false;
	}
	return true;
}

static bool
same_record(struct value v, avro_value_t *want, const struct schema *schema)
{
	size_t stride = v.kind == VALUE_MAP ? 2 : 1;
	avro_value_t child = {0};

	if ((v.kind != VALUE_RECORD && v.kind != VALUE_MAP) ||
		v.len != schema->nfields)
		return false;
	for (size_t i = 0; i < v.len; i++)
		if (avro_value_get_by_index(want, i, &child, NULL) != 0 ||
			!same(v.as.items[i * stride + stride - 1], &child,
				schema->fields[i].schema))
			return false;
	return true;
}

static bool
same(struct value v, avro_value_t *want, const struct schema *schema)
{
	avro_value_t child = {0};
	int branch = -1;

	switch (schema->kind) {
	case SCHEMA_UNION:
		return avro_value_get_discriminant(want, &branch) == 0 &&
		       avro_value_get_current_branch(want, &child) == 0 &&
		       same(v, &child, schema->branches[branch]);
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		return same_many(v, want, schema);
	case SCHEMA_RECORD:
		return same_record(v, want, schema);
	default:
		return same_scalar(v, want, schema);
	}
}

/* Is a value what its type says? Within TYPE_DYN there are no records. */
static bool
conforms(struct value v, const struct type *type)
{
	bool is_dyn = type->kind == TYPE_DYN;
	static const uint8_t kinds[] = {
		[TYPE_NULL] = VALUE_NULL,
		[TYPE_BOOL] = VALUE_BOOL,
		[TYPE_INT] = VALUE_INT,
		[TYPE_DOUBLE] = VALUE_DOUBLE,
		[TYPE_STRING] = VALUE_STRING,
		[TYPE_BYTES] = VALUE_BYTES,
		[TYPE_TIMESTAMP] = VALUE_TIMESTAMP,
		[TYPE_DURATION] = VALUE_DURATION,
		[TYPE_LIST] = VALUE_LIST,
		[TYPE_MAP] = VALUE_MAP,
		[TYPE_RECORD] = VALUE_RECORD,
	};

	if (v.kind == VALUE_NULL)
		return is_dyn || type->is_nullable;
	if (!is_dyn && kinds[type->kind] != v.kind)
		return false;
	if (v.kind == VALUE_RECORD && (is_dyn || v.len != type->nfields))
		return false;
	if (v.kind != VALUE_LIST && v.kind != VALUE_MAP &&
		v.kind != VALUE_RECORD)
		return true;
	for (size_t i = 0; i < v.len; i++) {
		size_t at = v.kind == VALUE_MAP ? 2 * i + 1 : i;
		const struct type *inner = is_dyn ? type
					   : v.kind == VALUE_RECORD
						   ? type->fields[i].type
						   : type->item;

		if (!conforms(v.as.items[at], inner))
			return false;
	}
	return true;
}

/* --- paths ---------------------------------------------------------------- */

struct way {
	char text[512];
	size_t len;
	const struct schema *schema;
	avro_value_t value;
	bool is_there;
};

static void
way_put(struct way *way, const char *fmt, unsigned n)
{
	int len = snprintf(way->text + way->len, sizeof(way->text) - way->len,
		fmt, n, n, n, n);

	assert_true(len > 0);
	way->len += (size_t)len;
}

static void
way_union(struct way *way, uint64_t *seed)
{
	int branch = (int)below(seed, (uint32_t)way->schema->nbranches);
	avro_value_t child = {0};

	if (way->is_there) {
		assert_int_equal(
			avro_value_get_discriminant(&way->value, &branch), 0);
		assert_int_equal(
			avro_value_get_current_branch(&way->value, &child), 0);
		way->value = child;
	}
	way->schema = way->schema->branches[branch];
}

/* One step further; false where the way cannot go on. */
static bool
way_step(struct way *way, uint64_t *seed)
{
	const struct schema *schema = way->schema;
	avro_value_t child = {0};
	size_t n = 0;
	uint32_t i;

	if (schema->kind == SCHEMA_RECORD && schema->nfields > 0) {
		i = below(seed, (uint32_t)schema->nfields);
		way_put(way, way->len == 0 ? "f%u" : ".f%u", i);
		way->schema = schema->fields[i].schema;
		n = schema->nfields;
	} else if (schema->kind == SCHEMA_ARRAY || schema->kind == SCHEMA_MAP) {
		if (way->is_there)
			assert_int_equal(
				avro_value_get_size(&way->value, &n), 0);
		i = below(seed, (uint32_t)n + 2);
		way_put(way,
			schema->kind == SCHEMA_ARRAY ? "[%u]"
			: below(seed, 2) == 0	     ? "[\"" KEY "\"]"
						     : "." KEY,
			i);
		way->schema = schema->item;
	} else {
		return false;
	}
	way->is_there = way->is_there && i < n;
	if (way->is_there) {
		assert_int_equal(
			avro_value_get_by_index(&way->value, i, &child, NULL),
			0);
		way->value = child;
	}
	return true;
}

static void
way_make(struct way *way, uint64_t *seed, const struct schema *schema,
	const avro_value_t *value, uint32_t steps)
{
	*way = (struct way){
		.schema = schema, .value = *value, .is_there = true};
	for (uint32_t i = 0; i < steps; i++) {
		struct way before;

		while (i > 0 && way->schema->kind == SCHEMA_UNION) {
			before = *way;
			way_union(way, seed);
			if (way->schema->kind != SCHEMA_RECORD &&
				way->schema->kind != SCHEMA_MAP &&
				way->schema->kind != SCHEMA_ARRAY) {
				*way = before;
				return;
			}
			if (way->schema->kind == SCHEMA_RECORD &&
				way->schema->nfields == 0) {
				*way = before;
				return;
			}
		}
		if (!way_step(way, seed))
			return;
	}
}

/* --- one schema ----------------------------------------------------------- */

struct trial {
	struct fixture fx;
	uint64_t seed;
	const struct schema *schema;
	avro_value_iface_t *iface;
	avro_schema_t avro;
	avro_value_t value;
	avro_value_t back;
	uint32_t slots[FIELDS_MAX];
	const char *json;
	struct decode_reader *sparse; /* binds the last field only */
};

static void
trial_fail(struct trial *t, const char *what, const char *path)
{
	char *back = NULL;

	(void)avro_value_to_json(&t->back, 1, &back);
	for (size_t i = 0; i < t->schema->nfields && t->fx.slots != NULL; i++)
		print_error("f%zu: %s\n", i,
			value_text(&t->fx, t->fx.slots[t->slots[i]]));
	fail_msg("%s: %s\nschema: %s\nfault: %s\nAvro C: %s\n", what, path,
		t->json, t->fx.why.text, back != NULL ? back : "");
}

static void
check_fields(struct trial *t)
{
	for (size_t i = 0; i < t->schema->nfields; i++) {
		struct value v = t->fx.slots[t->slots[i]];
		avro_value_t field;

		assert_int_equal(
			avro_value_get_by_index(&t->back, i, &field, NULL), 0);
		if (!same(v, &field, t->schema->fields[i].schema))
			trial_fail(t, "differs", t->schema->fields[i].name);
		if (!conforms(v,
			    decode_reader_type(t->fx.reader)->fields[i].type))
			trial_fail(t, "not of its type",
				t->schema->fields[i].name);
	}
}

static void
check_path(struct trial *t, const void *bytes, size_t len)
{
	const struct type *type = NULL;
	struct way way;
	uint32_t slot = 0;
	struct value v;

	way_make(&way, &t->seed, t->schema, &t->back, 1 + below(&t->seed, 6));
	if (decode_reader_bind(t->fx.reader, way.text, way.len, &slot, &type,
		    &t->fx.why) != SG_OK)
		trial_fail(t, "no such path", way.text);
	if (fixture_decode(&t->fx, -1, bytes, len) != SG_OK)
		trial_fail(t, "refused", way.text);
	v = t->fx.slots[slot];
	if (way.is_there ? !same(v, &way.value, way.schema)
			 : v.kind != VALUE_NULL)
		trial_fail(t, "differs", way.text);
	if (!conforms(v, type))
		trial_fail(t, "not of its type", way.text);
	check_fields(t);
}

/* Does a map have a key that Avro C would take for another, or cut? To it a
 * key ends at a NUL. */
static bool
has_odd_key(struct value v)
{
	size_t stride = v.kind == VALUE_MAP ? 2 : 1;

	if (v.kind != VALUE_LIST && v.kind != VALUE_MAP &&
		v.kind != VALUE_RECORD)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		struct value key = v.as.items[i * stride];

		if (v.kind == VALUE_MAP && memchr(key.as.s, 0, key.len) != NULL)
			return true;
		if (has_odd_key(v.as.items[i * stride + stride - 1]))
			return true;
	}
	return false;
}

/* Are all lengths and counts small, as Avro C goes through the bytes? */
static bool
is_sound(struct buf_reader *rd, const struct schema *schema, int depth);

static bool
are_items_sound(struct buf_reader *rd, const struct schema *schema, int depth)
{
	static const struct schema key = {
		.kind = SCHEMA_STRING, .encoded_bytes = -1};
	int64_t n;

	do {
		n = buf_get_zigzag(rd);
		if (n < -10000 || n > 10000)
			return false;
		if (n < 0)
			(void)buf_get_zigzag(rd); /* ignored by Avro C */
		n = n < 0 ? -n : n;
		for (int64_t i = 0; i < n; i++)
			if ((schema->kind == SCHEMA_MAP &&
				    !is_sound(rd, &key, depth - 1)) ||
				!is_sound(rd, schema->item, depth - 1))
				return false;
	} while (n != 0 && !rd->is_bad);
	return !rd->is_bad;
}

static bool
is_sound(struct buf_reader *rd, const struct schema *schema, int depth)
{
	int64_t n;

	if (depth == 0 || rd->is_bad)
		return false;
	if (schema->kind == SCHEMA_UNION) {
		n = buf_get_zigzag(rd);
		return n >= 0 && n < (int64_t)schema->nbranches &&
		       is_sound(rd, schema->branches[n], depth - 1);
	}
	if (schema->kind == SCHEMA_RECORD) {
		for (size_t i = 0; i < schema->nfields; i++)
			if (!is_sound(rd, schema->fields[i].schema, depth - 1))
				return false;
		return !rd->is_bad;
	}
	if (schema->kind == SCHEMA_ARRAY || schema->kind == SCHEMA_MAP)
		return are_items_sound(rd, schema, depth);
	if (schema->encoded_bytes >= 0)
		return buf_get_bytes(rd, (size_t)schema->encoded_bytes) != NULL;
	n = buf_get_zigzag(rd);
	if (schema->kind == SCHEMA_ENUM)
		return n >= 0 && n < (int64_t)schema->nsymbols;
	if (schema->kind == SCHEMA_STRING || schema->kind == SCHEMA_BYTES)
		return n >= 0 && n < 100000 &&
		       buf_get_bytes(rd, (size_t)n) != NULL;
	return !rd->is_bad;
}

/* Whoever skips the other fields comes to the same bytes for the last. */
static void
check_sparse(struct trial *t, const uint8_t *bytes, size_t len)
{
	struct record rec = {.value = bytes, .value_len = len, .writer = -1};
	const struct value *slots = NULL;
	size_t last = t->schema->nfields - 1;
	size_t measured = 0;

	if (decode_record(t->sparse, &rec, &t->fx.arena, &slots, &t->fx.why) !=
		SG_OK)
		trial_fail(t, "refused where it skips", "");
	if (!value_same(slots[0], t->fx.slots[t->slots[last]]))
		trial_fail(t, "differs where it skips", "");
	if (decode_measure(t->fx.schemas, 0, bytes, len, &measured,
		    &t->fx.why) != SG_OK ||
		measured != len)
		trial_fail(t, "has another length", "");
}

/* What we refuse on purpose, and Avro C does not. */
static bool
is_our_own_reason(const struct trial *t, enum sg_err err)
{
	static const char *const reasons[] = {"neither 0 nor 1",
		"not as long as it says", "a block's size", "a block is too",
		"longer than 64 bits", "a decimal has no digits"};

	if (err == SG_BAD_UTF8 || err == SG_TOO_LARGE)
		return true;
	for (size_t i = 0; i < SG_COUNTOF(reasons); i++)
		if (strstr(t->fx.why.text, reasons[i]) != NULL)
			return true;
	return false;
}

static bool
avro_reads(struct trial *t, const uint8_t *bytes, size_t len)
{
	avro_reader_t reader =
		avro_reader_memory((const char *)bytes, (int64_t)len);
	bool is_read;

	assert_non_null(reader);
	assert_int_equal(avro_value_reset(&t->back), 0);
	is_read = avro_value_read(reader, &t->back) == 0;
	/* All of it? One byte more must not be there. */
	is_read = is_read && (len == 0 || avro_skip(reader, 1) != 0);
	avro_reader_free(reader);
	return is_read;
}

static void
check_damaged(struct trial *t, const uint8_t *bytes, size_t len)
{
	uint8_t copy[65536];
	struct buf_reader rd;
	enum sg_err err;

	if (len + 1 > sizeof(copy))
		return;
	memcpy(copy, bytes, len);
	for (uint32_t n = 1 + below(&t->seed, 3); n > 0 && len > 0; n--) {
		uint32_t at = below(&t->seed, (uint32_t)len);

		switch (below(&t->seed, 4)) {
		case 0:
			copy[at] = (uint8_t)next(&t->seed);
			break;
		case 1:
			copy[at] ^= (uint8_t)(1 << below(&t->seed, 8));
			break;
		case 2:
			len = at;
			break;
		default:
			memmove(copy + at, copy + at + 1, len - at - 1);
			len--;
			break;
		}
	}
	err = fixture_decode(&t->fx, -1, copy, len);
	if (err == SG_OK) {
		check_sparse(t, copy, len);
		for (size_t i = 0; i < t->schema->nfields; i++)
			if (has_odd_key(t->fx.slots[t->slots[i]]))
				return;
		if (!avro_reads(t, copy, len))
			trial_fail(t, "Avro C refuses", avro_strerror());
		check_fields(t);
		return;
	}
	buf_reader_init(&rd, copy, len);
	if (is_sound(&rd, t->schema, 200) && avro_reads(t, copy, len) &&
		!is_our_own_reason(t, err))
		trial_fail(t, "Avro C accepts", "damaged bytes");
}

static void
try_value(struct trial *t)
{
	static char bytes[65536];
	avro_writer_t writer = avro_writer_memory(bytes, sizeof(bytes));
	size_t len;

	assert_non_null(writer);
	assert_int_equal(avro_value_reset(&t->value), 0);
	fill(&t->seed, &t->value, 0);
	if (avro_value_write(writer, &t->value) != 0) { /* too long for us */
		avro_writer_free(writer);
		return;
	}
	len = (size_t)avro_writer_tell(writer);
	avro_writer_free(writer);

	if (!avro_reads(t, (const uint8_t *)bytes, len))
		trial_fail(
			t, "Avro C reads not what it wrote", avro_strerror());
	for (uint32_t i = 0; i < 4; i++)
		check_path(t, bytes, len);
	check_sparse(t, (const uint8_t *)bytes, len);
	for (uint32_t i = 0; i < DAMAGED; i++)
		check_damaged(t, (const uint8_t *)bytes, len);
	arena_reset(&t->fx.arena);
}

static void
try_schema(uint64_t seed)
{
	struct trial t = {.seed = seed};
	struct buf json;
	struct maker maker = {.out = &json, .seed = &t.seed};
	const struct type *type = NULL;
	const char *last;
	uint32_t slot = 0;

	buf_init(&json, 1 << 20);
	make_record(&maker, 0);
	t.json = buf_cstr(&json);
	if (avro_schema_from_json_length(t.json, json.len, &t.avro) != 0)
		fail_msg("Avro C: %s\n%s", avro_strerror(), t.json);
	fixture_init(&t.fx, t.json, DECODE_BARE);
	t.schema = decode_schemas_tree(t.fx.schemas, 0);
	for (size_t i = 0; i < t.schema->nfields; i++)
		t.slots[i] = fixture_bind(&t.fx, t.schema->fields[i].name);

	assert_int_equal(decode_reader_create(t.fx.schemas, 0, DECODE_BARE,
				 &t.sparse, &t.fx.why),
		SG_OK);
	last = t.schema->fields[t.schema->nfields - 1].name;
	assert_int_equal(decode_reader_bind(t.sparse, last, strlen(last), &slot,
				 &type, &t.fx.why),
		SG_OK);

	t.iface = avro_generic_class_from_schema(t.avro);
	assert_non_null(t.iface);
	assert_int_equal(avro_generic_value_new(t.iface, &t.value), 0);
	assert_int_equal(avro_generic_value_new(t.iface, &t.back), 0);
	for (int i = 0; i < VALUES; i++)
		try_value(&t);

	avro_value_decref(&t.value);
	avro_value_decref(&t.back);
	avro_value_iface_decref(t.iface);
	avro_schema_decref(t.avro);
	decode_reader_destroy(t.sparse);
	fixture_fini(&t.fx);
	buf_fini(&json);
}

static void
we_and_avro_c_agree(void **state)
{
	const char *env = getenv("DECODE_SCHEMAS");
	uint64_t n = env != NULL ? strtoull(env, NULL, 10) : SCHEMAS;

	(void)state;
	for (uint64_t seed = 1; seed <= n; seed++)
		try_schema(seed * UINT64_C(1000003));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(we_and_avro_c_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
