/*
 * collect.c - keyed entries of an account: contracts, subscriptions, tickets.
 *
 * Two arrays of records, ordered by key: the live entries, which are at the
 * same time the list that an expression sees (nothing is copied to read it),
 * and the removed ones, of which only key, time and offset are kept.
 *
 *      live -> [ record | record | record ]
 *                  |
 *                  +-> struct entry { time, offset } fields[] texts
 *
 * The greatest (time, offset) of a key wins, whether it sets or removes; a key
 * is in one of the arrays only. Both are bounded, the oldest leaves. Looking
 * for it is a walk over all entries, paid only by an account that is full.
 */
#include "collect.h"

#include <string.h>

#include "cell.h"
#include "number.h"

const struct entry *
collect_entry(struct value record)
{
	const uint8_t *fields = (const uint8_t *)record.as.items;

	return (const void *)(fields - offsetof(struct entry, fields));
}

static struct entry *
entry_mut(struct value record)
{
	return (struct entry *)collect_entry(record);
}

static int
text_order(struct value a, struct value b)
{
	uint32_t len = a.len < b.len ? a.len : b.len;
	int order = len == 0 ? 0 : memcmp(a.as.s, b.as.s, len);

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

int
collect_key_order(struct value a, struct value b)
{
	switch ((enum value_kind)a.kind) {
	case VALUE_STRING:
	case VALUE_BYTES:
		return text_order(a, b);
	case VALUE_BOOL:
	case VALUE_UINT:
		return a.as.u < b.as.u ? -1 : a.as.u > b.as.u;
	default:
		break;
	}
	if (a.as.i != b.as.i)
		return a.as.i < b.as.i ? -1 : 1;
	if (a.kind == VALUE_INT)
		return 0;
	return a.nanos < b.nanos ? -1 : a.nanos > b.nanos;
}

/* The index of the first record whose key is not below `key`. */
static uint32_t
collect_find(const struct value *records, uint32_t n, struct value key)
{
	uint32_t low = 0;

	while (n > 0) {
		uint32_t half = n / 2;
		struct value at = records[low + half].as.items[0];

		if (collect_key_order(at, key) < 0) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static bool
collect_has(
	const struct value *records, uint32_t n, uint32_t at, struct value key)
{
	return at < n && collect_key_order(records[at].as.items[0], key) == 0;
}

/* --- entries ------------------------------------------------------------ */

static bool
is_text(struct value v)
{
	return v.kind == VALUE_STRING || v.kind == VALUE_BYTES;
}

struct entry *
collect_make(struct features *features, const struct value *fields, size_t n,
	bool *ret_is_cut)
{
	size_t bytes = sizeof(struct entry) + n * sizeof(struct value);
	bool is_cut = false;
	struct entry *entry;
	uint8_t *text;

	for (size_t i = 0; i < n; i++) {
		struct value v = cell_cut(fields[i], &is_cut);

		*ret_is_cut |= is_cut;
		bytes += is_text(v) ? v.len : 0;
	}
	entry = features_alloc(features, bytes);
	if (entry == NULL)
		return NULL;
	*entry = (struct entry){.bytes = (uint32_t)bytes};
	text = (uint8_t *)&entry->fields[n];
	for (size_t i = 0; i < n; i++) {
		struct value v = cell_cut(fields[i], &is_cut);

		v.slope = 0;
		v.flags = 0;
		if (is_text(v)) {
			if (v.len > 0)
				memcpy(text, v.as.s, v.len);
			v.as.bytes = text;
			text += v.len;
		}
		entry->fields[i] = v;
	}
	return entry;
}

void
collect_entry_free(struct features *features, struct entry *entry)
{
	if (entry != NULL)
		features_free(features, entry, entry->bytes);
}

static void
records_free(struct features *features, struct value *records, uint32_t n,
	size_t cap)
{
	for (uint32_t i = 0; i < n; i++)
		collect_entry_free(features, entry_mut(records[i]));
	features_free(features, records, cap * sizeof(*records));
}

void
collect_fini(struct features *features, struct collect *collect)
{
	records_free(
		features, collect->live, collect->nlive, collect->live_cap);
	records_free(
		features, collect->gone, collect->ngone, collect->gone_cap);
	*collect = (struct collect){0};
}

/* Room for one record more; changes nothing that can be seen. */
static enum sg_err
records_reserve(struct features *features, struct value **records, uint16_t n,
	uint16_t *cap)
{
	size_t want = n < 4 ? (size_t)n + 1 : (size_t)n + n / 2;
	struct value *grown;

	if (n < *cap)
		return SG_OK;
	grown = features_alloc(features, want * sizeof(*grown));
	if (grown == NULL)
		return SG_NOMEM;
	if (n > 0)
		memcpy(grown, *records, n * sizeof(*grown));
	features_free(features, *records, *cap * sizeof(*grown));
	*records = grown;
	*cap = (uint16_t)want;
	return SG_OK;
}

static void
records_insert(struct value *records, uint16_t *n, uint32_t at,
	struct entry *entry, size_t nfields)
{
	memmove(&records[at + 1], &records[at], (*n - at) * sizeof(*records));
	records[at] = (struct value){.kind = VALUE_RECORD,
		.len = (uint32_t)nfields,
		.as = {.items = entry->fields}};
	(*n)++;
}

static void
records_remove(struct features *features, struct value *records, uint16_t *n,
	uint32_t at)
{
	collect_entry_free(features, entry_mut(records[at]));
	(*n)--;
	memmove(&records[at], &records[at + 1], (*n - at) * sizeof(*records));
}

/* --- leaving ------------------------------------------------------------ */

/* Closed ones leave before open ones, then by time, then by offset. */
static bool
leaves_before(const struct entry *a, const struct entry *b)
{
	if (a->is_closed != b->is_closed)
		return a->is_closed;
	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms;
	return a->offset < b->offset;
}

static uint32_t
records_oldest(const struct value *records, uint32_t n)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < n; i++) {
		if (leaves_before(collect_entry(records[i]),
			    collect_entry(records[oldest])))
			oldest = i;
	}
	return oldest;
}

void
collect_trim(struct features *features, const struct unit *unit,
	struct collect *collect)
{
	while (collect->nlive > unit->max) {
		records_remove(features, collect->live, &collect->nlive,
			records_oldest(collect->live, collect->nlive));
		collect->dropped += collect->dropped < UINT32_MAX;
	}
	while (collect->ngone > FEATURE_GONE_MAX)
		records_remove(features, collect->gone, &collect->ngone,
			records_oldest(collect->gone, collect->ngone));
}

/* --- one event ---------------------------------------------------------- */

static bool
is_older(const struct entry *entry, int64_t at_ms, int64_t offset)
{
	return entry->at_ms != at_ms ? entry->at_ms < at_ms
				     : entry->offset < offset;
}

static bool
has_bit(uint64_t filters, int8_t bit)
{
	return bit >= 0 && (filters >> bit & 1) != 0;
}

/* The fields of the record the event makes, as they are in the event. */
static size_t
collect_fields(const struct unit *unit, const struct event *ev,
	struct value key, struct value *fields)
{
	size_t n = 1;

	fields[0] = key;
	for (uint32_t i = 0; i < unit->nkeep; i++) {
		struct value v = value_null();

		if (unit->keep[i].slot < ev->nslots)
			v = ev->slots[unit->keep[i].slot];
		if (!number_is_of(v, unit->keep[i].type))
			v = value_null();
		fields[n++] = v;
	}
	return n;
}

static bool
record_is(struct value record, const struct value *fields, size_t n)
{
	struct value made = {.kind = VALUE_RECORD,
		.len = (uint32_t)n,
		.as = {.items = fields}};

	return value_same(made, record);
}

/* Where the key is; false when what is there is newer than the event. */
static bool
collect_locate(const struct collect *collect, struct value key,
	struct collect_put *put, struct value *ret_old)
{
	put->live_at = collect_find(collect->live, collect->nlive, key);
	put->gone_at = collect_find(collect->gone, collect->ngone, key);
	put->is_live =
		collect_has(collect->live, collect->nlive, put->live_at, key);
	put->is_gone =
		collect_has(collect->gone, collect->ngone, put->gone_at, key);
	*ret_old = value_absent();
	if (put->is_live)
		*ret_old = collect->live[put->live_at];
	else if (put->is_gone)
		*ret_old = collect->gone[put->gone_at];
	return ret_old->kind == VALUE_ABSENT ||
	       is_older(collect_entry(*ret_old), put->at_ms, put->offset);
}

enum sg_err
collect_plan(struct features *features, const struct unit *unit,
	struct collect *collect, const struct event *ev, int64_t at_ms,
	uint64_t filters, struct collect_put *put)
{
	struct value fields[1 + FEATURE_KEEP_MAX];
	bool is_cut;
	struct value key = cell_cut(ev->slots[unit->slot], &is_cut);
	bool is_remove = has_bit(filters, unit->remove_filter);
	struct value old;
	enum sg_err err;
	size_t n = 1;

	*put = (struct collect_put){.is_overflow = is_cut,
		.at_ms = at_ms,
		.offset = ev->offset,
		.is_remove = is_remove,
		.is_closed =
			!is_remove && has_bit(filters, unit->closed_filter)};
	if (!collect_locate(collect, key, put, &old))
		return SG_OK;
	fields[0] = key;
	if (!is_remove)
		n = collect_fields(unit, ev, key, fields);
	put->is_stamp = !is_remove && put->is_live && record_is(old, fields, n);
	if (put->is_stamp)
		return SG_OK;
	put->is_changed = !is_remove || put->is_live;
	err = is_remove ? records_reserve(features, &collect->gone,
				  collect->ngone, &collect->gone_cap)
			: records_reserve(features, &collect->live,
				  collect->nlive, &collect->live_cap);
	if (err != SG_OK)
		return err;
	put->entry = collect_make(features, fields, n, &put->is_overflow);
	return put->entry == NULL ? SG_NOMEM : SG_OK;
}

static void
entry_stamp(struct entry *entry, const struct collect_put *put)
{
	entry->at_ms = put->at_ms;
	entry->offset = put->offset;
	entry->is_closed = put->is_closed;
}

void
collect_apply(struct features *features, const struct unit *unit,
	struct collect *collect, struct collect_put *put)
{
	uint32_t dropped = collect->dropped;

	if (put->is_stamp)
		entry_stamp(entry_mut(collect->live[put->live_at]), put);
	if (put->entry == NULL)
		return;
	entry_stamp(put->entry, put);
	if (put->is_live)
		records_remove(
			features, collect->live, &collect->nlive, put->live_at);
	if (put->is_gone)
		records_remove(
			features, collect->gone, &collect->ngone, put->gone_at);
	if (put->is_remove)
		records_insert(collect->gone, &collect->ngone, put->gone_at,
			put->entry, 1);
	else
		records_insert(collect->live, &collect->nlive, put->live_at,
			put->entry, 1 + (size_t)unit->nkeep);
	put->entry = NULL; /* the account owns it now */
	collect_trim(features, unit, collect);
	put->is_overflow |= collect->dropped != dropped;
}

void
collect_drop(struct features *features, const struct collect_put *put)
{
	collect_entry_free(features, put->entry);
}

enum sg_err
collect_append(struct features *features, struct collect *collect,
	struct entry *entry, size_t nfields, bool is_gone)
{
	enum sg_err err = is_gone ? records_reserve(features, &collect->gone,
					    collect->ngone, &collect->gone_cap)
				  : records_reserve(features, &collect->live,
					    collect->nlive, &collect->live_cap);

	if (err != SG_OK) {
		collect_entry_free(features, entry);
		return err;
	}
	if (is_gone)
		records_insert(collect->gone, &collect->ngone, collect->ngone,
			entry, nfields);
	else
		records_insert(collect->live, &collect->nlive, collect->nlive,
			entry, nfields);
	return SG_OK;
}
