/*
 * read.c - bytes to a value, as a res says.
 *
 * Text and bytes are not copied: a value points into the record. Elements and
 * fields lie in the arena, and are charged to the record.
 */
#include <string.h>

#include "take.h"

#include "segmentd/hash.h"

/* --- memory --------------------------------------------------------------- */

static struct value *
values_alloc(struct cursor *cur, const uint8_t *at, size_t n)
{
	struct value *values = NULL;

	if (n > cur->bytes_left / sizeof(*values)) {
		(void)take_failed(cur, at, SG_TOO_LARGE,
			"its values take more memory than a record may");
		return NULL;
	}
	cur->bytes_left -= n * sizeof(*values);
	values = arena_array(cur->arena, n, sizeof(*values));
	if (values == NULL)
		(void)take_failed(
			cur, at, SG_NOMEM, "no memory for its values");
	return values;
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
		return take_bad(cur, start, "an int is longer than 32 bits");
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
		return take_bad(cur, start, "a date is out of range");
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
		return take_bad(cur, at, ENDS_EARLY);
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

/* Most text is: a look at it here is cheaper than a call. */
static inline bool
is_ascii(const uint8_t *at, size_t len)
{
	uint64_t word, bits = 0;
	size_t i = 0;

	for (; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		bits |= word;
	}
	for (; i < len; i++)
		bits |= at[i];
	return (bits & UINT64_C(0x8080808080808080)) == 0;
}

static const uint8_t *
read_text(struct cursor *cur, const uint8_t *at, struct value *ret_value)
{
	size_t len = 0;

	at = take_length(cur, at, &len);
	if (at == NULL)
		return NULL;
	if (!is_ascii(at, len) && !utf8_is_valid(at, len))
		return take_failed(
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
		return take_bad(cur, at, ENDS_EARLY);
	if (at == NULL)
		return NULL;
	if (res->op == RES_FIXED || res->op == RES_BYTES) {
		*ret_value = value_bytes(at, (uint32_t)len);
		return at + len;
	}
	if (len == 0 || len > DECIMAL_BYTES_MAX)
		return take_bad(
			cur, at, "a decimal has no digits, or too many");
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
		return take_failed(cur, start, SG_INCOMPATIBLE_SCHEMA,
			res->values[i].as.s);
	*ret_value = res->values[i];
	return at;
}

/* --- containers ----------------------------------------------------------- */

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

	if (take_charge(cur, at, n) == NULL ||
		!items_reserve(cur, at, items, (size_t)n * (is_map ? 2 : 1)))
		return NULL;
	for (; n > 0; n--) {
		if (is_map) {
			at = read_text(cur, at, &items->values[items->n++]);
			if (at == NULL)
				return NULL;
		}
		at = take_value(cur, at, res->item, &items->values[items->n++]);
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
		if (at == NULL || take_block_end(cur, at, end) == NULL)
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

	if (take_charge(cur, at, res->nvalues) == NULL)
		return NULL;
	values = values_alloc(cur, at, res->nvalues);
	if (values == NULL)
		return NULL;
	if (res->nvalues > 0)
		memcpy(values, res->values, res->nvalues * sizeof(*values));
	for (uint32_t i = 0; i < res->n && at != NULL; i++) {
		const struct res_field *field = &res->fields[i];

		at = field->res != NULL ? take_value(cur, at, field->res,
						  &values[field->at])
					: take_skip(cur, at, field->schema);
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
		return take_failed(cur, at, SG_TOO_LARGE, "nested too deeply");
	cur->depth++;
	at = res->op == RES_RECORD ? read_record(cur, at, res, ret_value)
				   : read_items(cur, at, res, ret_value);
	cur->depth--;
	return at;
}

const uint8_t *
take_value(struct cursor *cur, const uint8_t *at, const struct res *res,
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
			return take_bad(cur, at, ENDS_EARLY);
		if (*at > 1)
			return take_bad(
				cur, at, "a boolean is neither 0 nor 1");
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
	return take_failed(cur, at, SG_INCOMPATIBLE_SCHEMA,
		res->why != NULL ? res->why : "a union in a union");
}
