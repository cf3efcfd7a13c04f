#include "segmentd/err.h"

#include <stdarg.h>
#include <stdio.h>

#define NAME_MAX_BYTES 24

/* The lower case of the i-th byte of a literal, as a constant expression: the
 * table is the only place where a code's name is written. */
#define LOWER(c) ((char)((c) >= 'A' && (c) <= 'Z' ? (c) + ('a' - 'A') : (c)))
#define AT(s, i) ((i) < sizeof(s) ? LOWER((s)[(i) < sizeof(s) ? (i) : 0]) : 0)
#define AT4(s, i) AT(s, i), AT(s, (i) + 1), AT(s, (i) + 2), AT(s, (i) + 3)
#define AT24(s)                                                                \
	AT4(s, 0), AT4(s, 4), AT4(s, 8), AT4(s, 12), AT4(s, 16), AT4(s, 20)

struct err_row {
	char name[NAME_MAX_BYTES];
	enum sg_err_class class;
	const char *text;
};

static const struct err_row rows[SG_ERR_COUNT] = {
	{"ok", SG_CLASS_OK, "no error"},
#define ERR(name, class, text) {{AT24(#name)}, SG_CLASS_##class, text},
#include "segmentd/tbl/errors.def"
#undef ERR
};

#define ERR(name, class, text)                                                 \
	_Static_assert(sizeof(#name) <= NAME_MAX_BYTES, "the name is too "     \
							"long");
#include "segmentd/tbl/errors.def"
#undef ERR

static const struct err_row *
err_row(enum sg_err err)
{
	if ((unsigned int)err >= SG_ERR_COUNT)
		return &rows[SG_INTERNAL];
	return &rows[err];
}

const char *
sg_err_name(enum sg_err err)
{
	return err_row(err)->name;
}

const char *
sg_err_text(enum sg_err err)
{
	return err_row(err)->text;
}

enum sg_err_class
sg_err_class(enum sg_err err)
{
	return err_row(err)->class;
}

enum sg_err(sg_fault_set)(
	struct sg_fault *why, enum sg_err err, const char *fmt, ...)
{
	va_list args;

	if (why == NULL)
		return err;
	why->err = err;
	va_start(args, fmt);
	if (vsnprintf(why->text, sizeof(why->text), fmt, args) < 0)
		why->text[0] = '\0';
	va_end(args);
	return err;
}
