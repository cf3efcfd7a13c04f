/*
 * types.c - joining and comparing static types.
 *
 * Gradual: TYPE_DYN fits everywhere, and what it hides is checked when it is
 * evaluated. Nullability is not checked here at all: a null where a value is
 * wanted is an error at run time, as with protobuf's wrapper types.
 */
#include "types.h"

#include <string.h>

#include "segmentd/buf.h"

const struct type cel_type_free = {.kind = TYPE_DYN};

bool
type_is_dyn(const struct type *type)
{
	return type->kind == TYPE_DYN;
}

bool
type_is_number(const struct type *type)
{
	return type->kind == TYPE_INT || type->kind == TYPE_UINT ||
	       type->kind == TYPE_DOUBLE;
}

bool
type_is_ordered(const struct type *type)
{
	switch (type->kind) {
	case TYPE_DYN:
	case TYPE_BOOL:
	case TYPE_INT:
	case TYPE_UINT:
	case TYPE_DOUBLE:
	case TYPE_STRING:
	case TYPE_BYTES:
	case TYPE_TIMESTAMP:
	case TYPE_DURATION:
		return true;
	default:
		return false;
	}
}

static const struct type *
or_dyn(struct compiler *cc, const struct type *type)
{
	if (type != NULL)
		return type;
	if (cc->err == SG_OK)
		cc->err = SG_NOMEM;
	return &type_dyn;
}

static const struct type *
join_nullable(struct compiler *cc, const struct type *type, bool is_nullable)
{
	if (!is_nullable || type->is_nullable || type->kind == TYPE_DYN ||
		type->kind == TYPE_NULL)
		return type;
	return or_dyn(cc, type_nullable(&cc->arena, type));
}

const struct type *
type_join(struct compiler *cc, const struct type *a, const struct type *b)
{
	bool is_nullable = a->is_nullable || b->is_nullable;

	if (a == &cel_type_free || a == b)
		return b;
	if (b == &cel_type_free)
		return a;
	if (type_is_dyn(a) || type_is_dyn(b))
		return &type_dyn;
	if (a->kind == TYPE_NULL)
		return join_nullable(cc, b, true);
	if (b->kind == TYPE_NULL)
		return join_nullable(cc, a, true);
	if (a->kind != b->kind)
		return &type_dyn;
	if (a->kind == TYPE_LIST)
		a = or_dyn(cc,
			type_list(&cc->arena, type_join(cc, a->item, b->item)));
	else if (a->kind == TYPE_MAP)
		a = or_dyn(
			cc, type_map(&cc->arena, type_join(cc, a->key, b->key),
				    type_join(cc, a->item, b->item)));
	else if (a->kind == TYPE_RECORD && a->fields != b->fields &&
		 !type_same(a, b))
		return &type_dyn;
	return join_nullable(cc, a, is_nullable);
}

bool
type_can_equal(const struct type *a, const struct type *b)
{
	if (type_is_dyn(a) || type_is_dyn(b) || a->kind == TYPE_NULL ||
		b->kind == TYPE_NULL)
		return true;
	if (type_is_number(a) && type_is_number(b))
		return true;
	if (a->kind != b->kind)
		return false;
	if (a->kind == TYPE_LIST)
		return type_can_equal(a->item, b->item);
	if (a->kind == TYPE_MAP)
		return type_can_equal(a->key, b->key) &&
		       type_can_equal(a->item, b->item);
	return true;
}

bool
type_fits(const struct type *from, const struct type *want)
{
	if (type_is_dyn(from) || type_is_dyn(want))
		return true;
	if (from->kind == TYPE_NULL)
		return want->is_nullable || want->kind == TYPE_NULL;
	if (from->kind != want->kind)
		return false;
	if (from->kind == TYPE_LIST)
		return type_fits(from->item, want->item);
	if (from->kind == TYPE_MAP)
		return type_fits(from->key, want->key) &&
		       type_fits(from->item, want->item);
	return true;
}

const char *
type_text(const struct type *type, char *text, size_t cap)
{
	struct buf buf;
	const char *from;
	size_t len;

	buf_init(&buf, 4096);
	type_print(type, &buf);
	from = buf_cstr(&buf);
	len = strlen(from);
	if (len < cap) {
		memcpy(text, from, len + 1);
	} else {
		memcpy(text, from, cap - 4);
		memcpy(text + cap - 4, "...", 4);
	}
	buf_fini(&buf);
	return text;
}
