/*
 * cast.c - values of a field taken as another type (`as` of a feature).
 *
 * A map of traits has values of every sort, a text may hold a time; a feature
 * needs one type. The values that are of it, or have an exact counterpart in
 * it, are taken; any other is null, as if the field were not there. Each pair
 * of field and type is a slot of its own behind those of the decode reader, so
 * that two features may take one field in two ways.
 */
#include "cast.h"

#include <math.h>
#include <string.h>

#include "segmentd/civil.h"

/* Of a cast's slot before the reader's slots are counted. */
#define CAST_BASE (INT32_C(1) << 24)

static const struct {
	const char *name;
	const struct type *type;
} targets[] = {
	{"bool", &type_bool},
	{"int", &type_int},
	{"double", &type_double},
	{"string", &type_string},
	{"timestamp", &type_timestamp},
};

/* The least int64, which a double holds exactly; its opposite is one more than
 * the greatest. */
#define INT_MIN_D ((double)INT64_MIN)

/* --- values ------------------------------------------------------------- */

static struct value
as_int(struct value v)
{
	if (v.kind == VALUE_INT)
		return v;
	if (v.kind == VALUE_UINT && v.as.u <= INT64_MAX)
		return value_int((int64_t)v.as.u);
	if (v.kind == VALUE_DOUBLE && v.as.d >= INT_MIN_D &&
		v.as.d < -INT_MIN_D && v.as.d == floor(v.as.d))
		return value_int((int64_t)v.as.d);
	return value_null();
}

static struct value
as_timestamp(struct value v)
{
	int64_t seconds;
	int32_t nanos;

	if (v.kind == VALUE_TIMESTAMP)
		return v;
	if (v.kind == VALUE_INT)
		return value_timestamp_ms(v.as.i);
	if (v.kind == VALUE_STRING &&
		civil_parse(v.as.s, v.len, false, &seconds, &nanos))
		return value_timestamp(seconds, (uint32_t)nanos);
	return value_null();
}

struct value
cast_value(struct value v, enum type_kind to)
{
	switch (to) {
	case TYPE_BOOL:
		return v.kind == VALUE_BOOL ? v : value_null();
	case TYPE_STRING:
		return v.kind == VALUE_STRING ? v : value_null();
	case TYPE_INT:
		return as_int(v);
	case TYPE_DOUBLE:
		if (v.kind == VALUE_INT)
			return value_double((double)v.as.i);
		if (v.kind == VALUE_UINT)
			return value_double((double)v.as.u);
		return v.kind == VALUE_DOUBLE ? v : value_null();
	case TYPE_TIMESTAMP:
		return as_timestamp(v);
	default:
		return value_null();
	}
}

enum sg_err
casts_fill(const struct program_input *in, struct arena *arena,
	const struct value **slots, size_t *nslots)
{
	struct value *all;

	if (in->ncasts == 0)
		return SG_OK;
	all = arena_array(arena, *nslots + in->ncasts, sizeof(*all));
	if (all == NULL)
		return SG_NOMEM;
	if (*nslots > 0)
		memcpy(all, *slots, *nslots * sizeof(*all));
	for (size_t i = 0; i < in->ncasts; i++)
		all[*nslots + i] =
			cast_value(all[in->casts[i].from], in->casts[i].to);
	*slots = all;
	*nslots += in->ncasts;
	return SG_OK;
}

/* --- the configuration -------------------------------------------------- */

static bool
has_counterparts(enum type_kind from, enum type_kind to)
{
	bool is_number =
		from == TYPE_INT || from == TYPE_UINT || from == TYPE_DOUBLE;

	if (from == to || from == TYPE_DYN)
		return true;
	if (to == TYPE_INT || to == TYPE_DOUBLE)
		return is_number;
	return to == TYPE_TIMESTAMP &&
	       (from == TYPE_INT || from == TYPE_STRING);
}

static bool
cast_refuse(
	struct build *b, const struct conf_text *as, const struct type *from)
{
	struct buf text;

	buf_init(&text, 256);
	type_print(from, &text);
	conf_diag_at(b->diags, as, 0, 0, false, NULL,
		"the field is %s: none of its values can be taken as %s",
		buf_cstr(&text), as->s);
	buf_fini(&text);
	return false;
}

bool
cast_add(struct build *b, struct program_input *in,
	const struct conf_feature *cf, int32_t *slot, const struct type **type)
{
	const size_t max =
		b->prog->conf->inputs[in - b->prog->inputs].nfeatures;
	const struct type *to = NULL;
	size_t i = 0;

	for (size_t t = 0; t < SG_COUNTOF(targets); t++) {
		if (strcmp(targets[t].name, cf->as.s) == 0)
			to = targets[t].type;
	}
	if (to == NULL || !has_counterparts((*type)->kind, to->kind))
		return cast_refuse(b, &cf->as, *type);
	if (in->casts == NULL)
		in->casts =
			arena_array(&b->prog->arena, max, sizeof(*in->casts));
	*type = type_nullable(&b->prog->arena, to);
	if (in->casts == NULL || *type == NULL) {
		b->err = SG_NOMEM;
		return false;
	}
	while (i < in->ncasts && (in->casts[i].from != (uint32_t)*slot ||
					 in->casts[i].to != to->kind))
		i++;
	if (i == in->ncasts)
		in->casts[in->ncasts++] = (struct program_cast){
			.from = (uint32_t)*slot, .to = to->kind};
	*slot = CAST_BASE + (int32_t)i;
	return true;
}

void
casts_place(struct program_input *in, struct feature_def *defs, size_t ndefs)
{
	int32_t first = (int32_t)decode_reader_nslots(in->reader);

	for (size_t i = 0; i < ndefs; i++) {
		if (defs[i].slot >= CAST_BASE)
			defs[i].slot += first - CAST_BASE;
	}
}
