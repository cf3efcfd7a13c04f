/*
 * run.c - run a plan over the bytes of one record.
 *
 * All input is hostile. Every read is checked against the end; a count of
 * elements must fit the bytes that are left, unless elements take none, and
 * those are counted against values_left; values take their memory from the
 * arena within bytes_left; nesting is bounded by DECODE_DEPTH_MAX. So the work
 * for a record is bounded by its length, whatever its schema.
 *
 * Functions on the way of every event take `at` and return where they came to,
 * NULL when they failed; cur->why then says why.
 */
#include <string.h>

#include "plan.h"

#include "segmentd/decode.h"
#include "segmentd/hash.h"

#define VARINT_MAX 10
#define ENDS_EARLY "the record ends early"

static const uint8_t *
failed(struct cursor *cur, const uint8_t *at, enum sg_err err, const char *why)
{
	cur->at = at;
	cur->err = err;
	cur->why = why;
	return NULL;
}

static const uint8_t *
bad(struct cursor *cur, const uint8_t *at, const char *why)
{
	return failed(cur, at, SG_BAD_RECORD, why);
}

/* --- numbers and spans ---------------------------------------------------- */

static const uint8_t *
varint_long(struct cursor *cur, const uint8_t *at, uint64_t *ret_n)
{
	uint64_t n = 0;
	const uint8_t *start = at;

	for (unsigned i = 0; i < VARINT_MAX; i++) {
		if (at == cur->end)
			return bad(cur, start, ENDS_EARLY);
		n |= (uint64_t)(*at & 0x7f) << (7 * i);
		if (*at++ < 0x80) {
			if (i == VARINT_MAX - 1 && at[-1] > 1)
				break;
			*ret_n = n;
			return at;
		}
	}
	return bad(cur, start, "a number is longer than 64 bits");
}

static inline const uint8_t *
take_long(struct cursor *cur, const uint8_t *at, int64_t *ret_n)
{
	uint64_t n;

	if (at < cur->end && *at < 0x80)
		n = *at++;
	else if (cur->end - at >= 2 && at[1] < 0x80) {
		n = (at[0] & 0x7f) | (uint64_t)at[1] << 7;
		at += 2;
	} else {
		at = varint_long(cur, at, &n);
		if (at == NULL)
			return NULL;
	}
	*ret_n = (int64_t)(n >> 1 ^ (0 - (n & 1)));
	return at;
}

static inline const uint8_t *
skip_long(struct cursor *cur, const uint8_t *at)
{
	uint64_t n;

	if (at < cur->end && *at < 0x80)
		return at + 1;
	return varint_long(cur, at, &n);
}

/* The length of a string or bytes: what follows is there. */
static inline const uint8_t *
take_length(struct cursor *cur, const uint8_t *at, size_t *ret_len)
{
	const uint8_t *start = at;
	int64_t n = 0;

	at = take_long(cur, at, &n);
	if (at == NULL)
		return NULL;
	if (n < 0)
		return bad(cur, start, "a length is negative");
	if (n > cur->end - at)
		return bad(cur, start, "a length is beyond the end");
	*ret_len = (size_t)n;
	return at;
}

static inline const uint8_t *
skip_span(struct cursor *cur, const uint8_t *at)
{
	size_t len = 0;

	at = take_length(cur, at, &len);
	return at == NULL ? NULL : at + len;
}

static inline const uint8_t *
skip_bytes(struct cursor *cur, const uint8_t *at, size_t n)
{
	if (n > (size_t)(cur->end - at))
		return bad(cur, at, ENDS_EARLY);
	return at + n;
}

static inline const uint8_t *
take_branch(struct cursor *cur, const uint8_t *at, uint32_t n, uint32_t *ret_i)
{
	const uint8_t *start = at;
	int64_t i = 0;

	at = take_long(cur, at, &i);
	if (at == NULL)
		return NULL;
	if (i < 0 || i >= (int64_t)n)
		return bad(cur, start, "there is no such branch or symbol");
	*ret_i = (uint32_t)i;
	return at;
}

/* --- blocks of arrays and maps -------------------------------------------- */

/*
 * The head of a block: how many elements, 0 at the end. *ret_end is where the
 * block ends, if it says so, else NULL.
 */
static const uint8_t *
take_block(struct cursor *cur, const uint8_t *at, bool is_item_empty,
	uint64_t *ret_n, const uint8_t **ret_end)
{
	const uint8_t *start = at;
	int64_t n = 0;
	size_t len = 0;

	*ret_end = NULL;
	at = take_long(cur, at, &n);
	if (at == NULL)
		return NULL;
	if (n == INT64_MIN)
		return bad(cur, start, "a count is out of range");
	if (n < 0) {
		at = take_length(cur, at, &len);
		if (at == NULL)
			return NULL;
		*ret_end = at + len;
		n = -n;
	}
	if (!is_item_empty && n > (*ret_end != NULL ? *ret_end : cur->end) - at)
		return bad(cur, start, "a count is beyond the end");
	*ret_n = (uint64_t)n;
	return at;
}

static const uint8_t *
block_ends(struct cursor *cur, const uint8_t *at, const uint8_t *end)
{
	if (end != NULL && at != end)
		return bad(cur, at, "a block is not as long as it says");
	return at;
}

/* --- skipping ------------------------------------------------------------- */

static const uint8_t *
skip(struct cursor *cur, const uint8_t *at, const struct schema *schema);

static const uint8_t *
skip_items(struct cursor *cur, const uint8_t *at, const struct schema *schema)
{
	const struct schema *item = schema->item;
	bool is_map = schema->kind == SCHEMA_MAP;
	int64_t each = is_map ? -1 : item->encoded_bytes;
	const uint8_t *end = NULL;
	uint64_t n = 0;

	for (;;) {
		at = take_block(cur, at, each == 0, &n, &end);
		if (at == NULL || n == 0)
			return at;
		if (end != NULL) {
			at = end;
			continue;
		}
		if (each >= 0) {
			/* take_block() has bounded n, unless each is 0. */
			if (each > 0 &&
				n > (size_t)(cur->end - at) / (size_t)each)
				return bad(cur, at, ENDS_EARLY);
			at += each > 0 ? n * (uint64_t)each : 0;
			continue;
		}
		for (; n > 0 && at != NULL; n--) {
			if (is_map)
				at = skip_span(cur, at);
			if (at != NULL)
				at = skip(cur, at, item);
		}
		if (at == NULL)
			return NULL;
	}
}

static const uint8_t *
skip_deep(struct cursor *cur, const uint8_t *at, const struct schema *schema)
{
	if (cur->depth == DECODE_DEPTH_MAX)
		return failed(cur, at, SG_TOO_LARGE, "nested too deeply");
	cur->depth++;
	if (schema->kind == SCHEMA_RECORD)
		for (size_t i = 0; i < schema->nfields && at != NULL; i++)
			at = skip(cur, at, schema->fields[i].schema);
	else
		at = skip_items(cur, at, schema);
	cur->depth--;
	return at;
}

static const uint8_t *
skip(struct cursor *cur, const uint8_t *at, const struct schema *schema)
{
	uint32_t i = 0;

	if (schema->kind == SCHEMA_UNION) {
		at = take_branch(cur, at, (uint32_t)schema->nbranches, &i);
		if (at == NULL)
			return NULL;
		schema = schema->branches[i];
	}
	if (schema->encoded_bytes >= 0)
		return skip_bytes(cur, at, (size_t)schema->encoded_bytes);
	switch (schema->kind) {
	case SCHEMA_INT:
	case SCHEMA_LONG:
		return skip_long(cur, at);
	case SCHEMA_ENUM:
		return take_branch(cur, at, (uint32_t)schema->nsymbols, &i);
	case SCHEMA_BYTES:
	case SCHEMA_STRING:
		return skip_span(cur, at);
	default:
		return skip_deep(cur, at, schema);
	}
}

/* --- memory --------------------------------------------------------------- */

static struct value *
values_alloc(struct cursor *cur, const uint8_t *at, size_t n)
{
	struct value *values = NULL;

	if (n > cur->bytes_left / sizeof(*values)) {
		(void)failed(cur, at, SG_TOO_LARGE,
			"its values take more memory than a record may");
		return NULL;
	}
	cur->bytes_left -= n * sizeof(*values);
	values = arena_array(cur->arena, n, sizeof(*values));
	if (values == NULL)
		(void)failed(cur, at, SG_NOMEM, "no memory for its values");
	return values;
}

/* Count `n` values against what a record may make. */
static const uint8_t *
charge(struct cursor *cur, const uint8_t *at, uint64_t n)
{
	if (n > cur->values_left)
		return failed(cur, at, SG_TOO_LARGE,
			"it has more values than a record may");
	cur->values_left -= (uint32_t)n;
	return at;
}

/* --- leaves --------------------------------------------------------------- */

static const uint8_t *
read_integer(struct cursor *cur, const uint8_t *at, const struct res *res,
	int64_t *ret_n)
{
	const uint8_t *start = at;

	at = take_long(cur, at, ret_n);
	if (at != NULL && res->is_int &&
		(*ret_n < INT32_MIN || *ret_n > INT32_MAX))
		return bad(cur, start, "an int is longer than 32 bits");
	return at;
}

static inline struct value
split(int64_t n, int64_t per_second, uint8_t kind)
{
	int64_t seconds = n / per_second;
	int64_t rest = n % per_second;

	if (rest < 0) {
		rest += per_second;
		seconds--;
	}
	return (struct value){.kind = kind,
		.nanos = (uint32_t)(rest * (1000000000 / per_second)),
		.as = {.i = seconds}};
}

/* Dividing by a constant is a multiplication; hence the three calls. */
static struct value
time_value(int64_t n, const struct res *res)
{
	uint8_t kind = res->op == RES_TIME ? VALUE_DURATION : VALUE_TIMESTAMP;

	if (res->op == RES_DATE)
		return value_timestamp(n * 86400, 0);
	if (res->per_second == 1000)
		return split(n, 1000, kind);
	if (res->per_second == 1000000)
		return split(n, 1000000, kind);
	return split(n, 1000000000, kind);
}

static const uint8_t *
read_time(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value)
{
	const uint8_t *start = at;
	int64_t n = 0;

	at = read_integer(cur, at, res, &n);
	if (at == NULL)
		return NULL;
	if (res->op == RES_DATE && (n < INT32_MIN || n > INT32_MAX))
		return bad(cur, start, "a date is out of range");
	*ret_value = time_value(n, res);
	return at;
}

static const uint8_t *
read_number(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value)
{
	int64_t n = 0;

	at = read_integer(cur, at, res, &n);
	if (at == NULL)
		return NULL;
	if (res->op == RES_INTEGER)
		*ret_value = value_int(n);
	else if (res->is_float)
		*ret_value = value_double((double)(float)n);
	else
		*ret_value = value_double((double)n);
	return at;
}

static const uint8_t *
read_real(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value)
{
	size_t size = res->op == RES_FLOAT ? 4 : 8;
	uint64_t bits = 0;
	uint32_t bits32;
	float f;
	double d;

	if ((size_t)(cur->end - at) < size)
		return bad(cur, at, ENDS_EARLY);
	for (size_t i = 0; i < size; i++)
		bits |= (uint64_t)at[i] << (8 * i);
	if (res->op == RES_FLOAT) {
		bits32 = (uint32_t)bits;
		memcpy(&f, &bits32, sizeof(f));
		d = (double)f;
	} else {
		memcpy(&d, &bits, sizeof(d));
	}
	*ret_value = value_double(d);
	return at + size;
}

static const uint8_t *
read_text(struct cursor *cur, const uint8_t *at, struct value *ret_value)
{
	size_t len = 0;

	at = take_length(cur, at, &len);
	if (at == NULL)
		return NULL;
	if (!utf8_is_valid(at, len))
		return failed(
			cur, at, SG_BAD_UTF8, "a text is not valid UTF-8");
	*ret_value = value_string((const char *)at, (uint32_t)len);
	return at + len;
}

static const uint8_t *
read_bytes(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value)
{
	bool is_fixed = res->op == RES_FIXED || res->op == RES_DECIMAL_FIXED;
	size_t len = res->size;

	if (!is_fixed)
		at = take_length(cur, at, &len);
	else if (len > (size_t)(cur->end - at))
		return bad(cur, at, ENDS_EARLY);
	if (at == NULL)
		return NULL;
	if (res->op == RES_FIXED || res->op == RES_BYTES) {
		*ret_value = value_bytes(at, (uint32_t)len);
		return at + len;
	}
	if (len == 0 || len > DECIMAL_BYTES_MAX)
		return bad(cur, at, "a decimal has no digits, or too many");
	*ret_value = value_double(decimal_to_double(at, len, res->scale));
	return at + len;
}

static const uint8_t *
read_symbol(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value)
{
	const uint8_t *start = at;
	uint32_t i = 0;

	at = take_branch(cur, at, res->n, &i);
	if (at == NULL)
		return NULL;
	if (res->values[i].kind == VALUE_ERROR)
		return failed(cur, start, SG_INCOMPATIBLE_SCHEMA,
			res->values[i].as.s);
	*ret_value = res->values[i];
	return at;
}

/* --- containers ----------------------------------------------------------- */

static const uint8_t *
read(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value);

/* Elements or entries read so far, in an array that grows by doubling. */
struct items {
	struct value *values;
	size_t n;
	size_t cap;
};

static bool
items_reserve(
	struct cursor *cur, const uint8_t *at, struct items *items, size_t n)
{
	size_t cap = items->n + n;
	struct value *values;

	if (cap <= items->cap)
		return true;
	if (items->n > 0 && cap < 2 * items->cap)
		cap = 2 * items->cap;
	values = values_alloc(cur, at, cap);
	if (values == NULL)
		return false;
	if (items->n > 0)
		memcpy(values, items->values, items->n * sizeof(*values));
	items->values = values;
	items->cap = cap;
	return true;
}

static const uint8_t *
read_block(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct items *items, uint64_t n)
{
	bool is_map = res->op == RES_MAP;

	if (charge(cur, at, n) == NULL ||
		!items_reserve(cur, at, items, (size_t)n * (is_map ? 2 : 1)))
		return NULL;
	for (; n > 0; n--) {
		if (is_map) {
			at = read_text(cur, at, &items->values[items->n++]);
			if (at == NULL)
				return NULL;
		}
		at = read(cur, at, res->item, &items->values[items->n++]);
		if (at == NULL)
			return NULL;
	}
	return at;
}

/*
 * Where a key comes twice, the last entry wins. Keys are remembered in a table
 * of entry numbers with room for twice as many, so that the work is linear.
 */
static bool
entries_unique(struct cursor *cur, const uint8_t *at, struct items *items)
{
	size_t n = items->n / 2;
	size_t kept = 0;
	size_t mask = 1;
	struct value *v = items->values;
	struct value *table; /* as.u: entry number + 1 */

	if (n < 2)
		return true;
	while (mask < 2 * n)
		mask *= 2;
	table = values_alloc(cur, at, mask);
	if (table == NULL)
		return false;
	memset(table, 0, mask * sizeof(*table));
	mask--;
	for (size_t i = 0; i < n; i++) {
		uint64_t h = hash_bytes(v[2 * i].as.s, v[2 * i].len);
		size_t to;

		while (table[h & mask].as.u != 0) {
			to = 2 * (size_t)(table[h & mask].as.u - 1);
			if (v[to].len == v[2 * i].len &&
				memcmp(v[to].as.s, v[2 * i].as.s, v[to].len) ==
					0)
				break;
			h++;
		}
		if (table[h & mask].as.u == 0)
			table[h & mask].as.u = ++kept;
		to = 2 * (size_t)(table[h & mask].as.u - 1);
		v[to] = v[2 * i];
		v[to + 1] = v[2 * i + 1];
	}
	items->n = 2 * kept;
	return true;
}

static const uint8_t *
read_items(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value)
{
	bool is_map = res->op == RES_MAP;
	struct items items = {0};
	const uint8_t *end = NULL;
	uint64_t n = 0;

	for (;;) {
		at = take_block(
			cur, at, res->is_item_empty && !is_map, &n, &end);
		if (at == NULL)
			return NULL;
		if (n == 0)
			break;
		at = read_block(cur, at, res, &items, n);
		if (at == NULL || block_ends(cur, at, end) == NULL)
			return NULL;
	}
	if (is_map && !entries_unique(cur, at, &items))
		return NULL;
	*ret_value = (struct value){.kind = is_map ? VALUE_MAP : VALUE_LIST,
		.len = (uint32_t)(is_map ? items.n / 2 : items.n),
		.as = {.items = items.values}};
	return at;
}

static const uint8_t *
read_record(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value)
{
	struct value *values;

	if (charge(cur, at, res->nvalues) == NULL)
		return NULL;
	values = values_alloc(cur, at, res->nvalues);
	if (values == NULL)
		return NULL;
	if (res->nvalues > 0)
		memcpy(values, res->values, res->nvalues * sizeof(*values));
	for (uint32_t i = 0; i < res->n && at != NULL; i++) {
		const struct res_field *field = &res->fields[i];

		at = field->res != NULL
			     ? read(cur, at, field->res, &values[field->at])
			     : skip(cur, at, field->schema);
	}
	*ret_value = (struct value){
		.kind = res->is_as_map ? VALUE_MAP : VALUE_RECORD,
		.len = res->is_as_map ? res->nvalues / 2 : res->nvalues,
		.as = {.items = values}};
	return at;
}

static const uint8_t *
read_deep(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value)
{
	if (cur->depth == DECODE_DEPTH_MAX)
		return failed(cur, at, SG_TOO_LARGE, "nested too deeply");
	cur->depth++;
	at = res->op == RES_RECORD ? read_record(cur, at, res, ret_value)
				   : read_items(cur, at, res, ret_value);
	cur->depth--;
	return at;
}

static const uint8_t *
read(struct cursor *cur, const uint8_t *at, const struct res *res,
	struct value *ret_value)
{
	uint32_t i = 0;

	if (res->op == RES_UNION) {
		at = take_branch(cur, at, res->n, &i);
		if (at == NULL)
			return NULL;
		res = res->branches[i];
	}
	switch (res->op) {
	case RES_NULL:
		*ret_value = value_null();
		return at;
	case RES_BOOLEAN:
		if (at == cur->end)
			return bad(cur, at, ENDS_EARLY);
		if (*at > 1)
			return bad(cur, at, "a boolean is neither 0 nor 1");
		*ret_value = value_bool(*at);
		return at + 1;
	case RES_INTEGER:
	case RES_INTEGER_AS_DOUBLE:
		return read_number(cur, at, res, ret_value);
	case RES_FLOAT:
	case RES_DOUBLE:
		return read_real(cur, at, res, ret_value);
	case RES_TEXT:
		return read_text(cur, at, ret_value);
	case RES_BYTES:
	case RES_FIXED:
	case RES_DECIMAL:
	case RES_DECIMAL_FIXED:
		return read_bytes(cur, at, res, ret_value);
	case RES_SYMBOL:
		return read_symbol(cur, at, res, ret_value);
	case RES_DATE:
	case RES_TIMESTAMP:
	case RES_TIME:
		return read_time(cur, at, res, ret_value);
	case RES_LIST:
	case RES_MAP:
	case RES_RECORD:
		return read_deep(cur, at, res, ret_value);
	case RES_UNION: /* the schema parser refuses a union in a union */
	case RES_FAIL:
		break;
	}
	return failed(cur, at, SG_INCOMPATIBLE_SCHEMA,
		res->why != NULL ? res->why : "a union in a union");
}

/* --- elements by index, entries by key ------------------------------------ */

static const uint8_t *
run(const struct plan *plan, uint32_t start, struct cursor *cur,
	const uint8_t *at, struct value *slots);

static const struct body *
body_find(const struct bodies *bodies, const uint8_t *key, size_t len,
	uint64_t index, bool is_map)
{
	for (uint32_t i = 0; i < bodies->n; i++) {
		const struct bind *bind = bodies->bodies[i].bind;

		if (is_map ? bind->name_len == len &&
					memcmp(bind->name, key, len) == 0
			   : bind->index == index)
			return &bodies->bodies[i];
	}
	return NULL;
}

static const uint8_t *
run_item(const struct plan *plan, const struct bodies *bodies, bool is_map,
	uint64_t index, struct cursor *cur, const uint8_t *at,
	struct value *slots)
{
	const struct body *body;
	const uint8_t *key = NULL;
	size_t len = 0;

	if (is_map) {
		at = take_length(cur, at, &len);
		if (at == NULL)
			return NULL;
		key = at;
		at += len;
	}
	body = body_find(bodies, key, len, index, is_map);
	if (body == NULL)
		return skip(cur, at, bodies->item);
	return run(plan, body->start, cur, at, slots);
}

static const uint8_t *
run_items(const struct plan *plan, const struct step *step, struct cursor *cur,
	const uint8_t *at, struct value *slots)
{
	const struct bodies *bodies = step->as.bodies;
	bool is_map = step->op == STEP_ENTRIES;
	bool is_empty = !is_map && bodies->item->encoded_bytes == 0;
	const uint8_t *end = NULL;
	uint64_t index = 0;
	uint64_t n = 0;

	for (;;) {
		at = take_block(cur, at, is_empty, &n, &end);
		if (at == NULL || n == 0)
			return at;
		if (is_empty && charge(cur, at, n) == NULL)
			return NULL;
		for (; n > 0 && at != NULL; n--)
			at = run_item(
				plan, bodies, is_map, index++, cur, at, slots);
		if (at == NULL || block_ends(cur, at, end) == NULL)
			return NULL;
	}
}

/* --- the program ---------------------------------------------------------- */

static const uint8_t *
run_step(const struct plan *plan, const struct step *step, struct cursor *cur,
	const uint8_t *at, struct value *slots)
{
	switch (step->op) {
	case STEP_BYTES:
		return skip_bytes(cur, at, step->arg);
	case STEP_VARINTS:
		for (uint32_t n = step->arg; n > 0 && at != NULL; n--)
			at = skip_long(cur, at);
		return at;
	case STEP_SPANS:
		for (uint32_t n = step->arg; n > 0 && at != NULL; n--)
			at = skip_span(cur, at);
		return at;
	case STEP_SKIP:
		return skip(cur, at, step->as.schema);
	case STEP_READ:
		return read(cur, at, step->as.res, &slots[step->arg]);
	case STEP_PEEK:
		return read(cur, at, step->as.res, &slots[step->arg]) == NULL
			       ? NULL
			       : at;
	case STEP_CONST:
		slots[step->arg] = *step->as.value;
		return at;
	case STEP_ITEMS:
	case STEP_ENTRIES:
		return run_items(plan, step, cur, at, slots);
	default:
		return failed(cur, at, SG_INCOMPATIBLE_SCHEMA, step->as.why);
	}
}

static const uint8_t *
run(const struct plan *plan, uint32_t start, struct cursor *cur,
	const uint8_t *at, struct value *slots)
{
	const struct step *step = &plan->steps[start];
	uint32_t i = 0;

	for (;;) {
		switch (step->op) {
		case STEP_END:
			return at;
		case STEP_JUMP:
			step = &plan->steps[step->arg];
			continue;
		case STEP_UNION:
			at = take_branch(cur, at, step->arg, &i);
			if (at == NULL)
				break;
			step = &plan->steps[step->as.targets[i]];
			continue;
		default:
			at = run_step(plan, step, cur, at, slots);
			break;
		}
		if (at == NULL) {
			/* The innermost program's step says most. */
			if (cur->step == UINT32_MAX)
				cur->step = (uint32_t)(step - plan->steps);
			return NULL;
		}
		step++;
	}
}

void
cursor_init(
	struct cursor *cur, const void *bytes, size_t len, struct arena *arena)
{
	*cur = (struct cursor){.at = bytes,
		.end = (const uint8_t *)bytes + len,
		.arena = arena,
		.bytes_left = VALUE_BYTES_PER_RECORD_MAX,
		.values_left = VALUES_PER_RECORD_MAX,
		.step = UINT32_MAX};
}

bool
plan_run(const struct plan *plan, uint32_t start, struct cursor *cur,
	struct value *slots)
{
	const uint8_t *at = run(plan, start, cur, cur->at, slots);

	if (at == NULL)
		return false;
	cur->at = at;
	return true;
}

bool
run_read(struct cursor *cur, const struct res *res, struct value *ret_value)
{
	const uint8_t *at = read(cur, cur->at, res, ret_value);

	if (at == NULL)
		return false;
	cur->at = at;
	return true;
}

bool
run_skip(struct cursor *cur, const struct schema *schema)
{
	const uint8_t *at = skip(cur, cur->at, schema);

	if (at == NULL)
		return false;
	cur->at = at;
	return true;
}
