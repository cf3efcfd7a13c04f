#include "kind.h"

#include <string.h>

#include "segmentd/buf.h"

/* What a kind needs. */
enum field_need {
	FIELD_NONE_OR_ANY, /* counts events, or those with the field */
	FIELD_SCALAR,
	FIELD_ORDERED, /* numbers, timestamp, duration */
	FIELD_SUMMED,  /* int, uint, double, duration */
	FIELD_NUMBER,  /* int, uint, double */
	FIELD_NONE_OR_NUMBER,
	FIELD_KEY /* a scalar of which two are equal or not: no double */
};

static const struct {
	const char *name;
	enum field_need field;
	enum window_need window;
} kinds[FEATURE_KIND_COUNT] = {
	[FEATURE_last] = {"last", FIELD_SCALAR, WINDOW_NONE},
	[FEATURE_first] = {"first", FIELD_SCALAR, WINDOW_NONE},
	[FEATURE_latest] = {"latest", FIELD_ORDERED, WINDOW_NONE},
	[FEATURE_count] = {"count", FIELD_NONE_OR_ANY, WINDOW_OR_EVER},
	[FEATURE_sum] = {"sum", FIELD_SUMMED, WINDOW_OR_EVER},
	[FEATURE_min] = {"min", FIELD_ORDERED, WINDOW_OR_EVER},
	[FEATURE_max] = {"max", FIELD_ORDERED, WINDOW_OR_EVER},
	[FEATURE_mean] = {"mean", FIELD_NUMBER, WINDOW_OR_EVER},
	[FEATURE_distinct] = {"distinct", FIELD_SCALAR, WINDOW_NEEDED},
	[FEATURE_collect] = {"collect", FIELD_KEY, WINDOW_NONE},
	[FEATURE_rate] = {"rate", FIELD_NONE_OR_NUMBER, WINDOW_NEEDED},
	[FEATURE_trend] = {"trend", FIELD_NONE_OR_NUMBER, WINDOW_NEEDED},
	[FEATURE_streak] = {"streak", FIELD_NONE_OR_ANY, WINDOW_NONE},
	[FEATURE_days_since] = {"days_since", FIELD_NONE_OR_ANY, WINDOW_NONE},
};

const char *
feature_kind_name(enum feature_kind kind)
{
	return kind < FEATURE_KIND_COUNT ? kinds[kind].name : "";
}

enum window_need
kind_window(enum feature_kind kind)
{
	return kinds[kind].window;
}

/* --- checks ------------------------------------------------------------- */

static bool
is_scalar(const struct type *type)
{
	switch (type->kind) {
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

static bool
is_number(const struct type *type)
{
	return type->kind == TYPE_INT || type->kind == TYPE_UINT ||
	       type->kind == TYPE_DOUBLE;
}

static bool
field_suits(enum field_need need, const struct type *type)
{
	switch (need) {
	case FIELD_NONE_OR_ANY:
		return true;
	case FIELD_SCALAR:
		return is_scalar(type);
	case FIELD_ORDERED:
		return is_number(type) || type->kind == TYPE_TIMESTAMP ||
		       type->kind == TYPE_DURATION;
	case FIELD_SUMMED:
		return is_number(type) || type->kind == TYPE_DURATION;
	case FIELD_NUMBER:
	case FIELD_NONE_OR_NUMBER:
		return is_number(type);
	case FIELD_KEY:
		return is_scalar(type) && type->kind != TYPE_DOUBLE;
	}
	return false;
}

static enum sg_err
type_refuse(const struct feature_def *def, const char *what,
	const struct type *type, const char *want, struct sg_fault *why)
{
	struct buf text;
	enum sg_err err;

	buf_init(&text, 256);
	type_print(type, &text);
	err = sg_fault_set(why, SG_BAD_OPTION, "%s: %s of %s is %s, not %s%s",
		def->name, what, feature_kind_name(def->kind), buf_cstr(&text),
		want,
		type->kind == TYPE_DYN ? ", and `as` does not say which one"
				       : "");
	buf_fini(&text);
	return err;
}

static enum sg_err
field_check(const struct feature_def *def, struct sg_fault *why)
{
	static const char *const wants[] = {
		[FIELD_NONE_OR_ANY] = "any field",
		[FIELD_SCALAR] = "a single value",
		[FIELD_ORDERED] = "a number, timestamp or duration",
		[FIELD_SUMMED] = "a number or duration",
		[FIELD_NUMBER] = "a number",
		[FIELD_NONE_OR_NUMBER] = "a number",
		[FIELD_KEY] = "a text, an integer or a timestamp",
	};
	enum field_need need = kinds[def->kind].field;

	if (def->slot < 0) {
		if (need == FIELD_NONE_OR_ANY || need == FIELD_NONE_OR_NUMBER)
			return SG_OK;
		return sg_fault_set(why, SG_BAD_OPTION, "%s: %s needs a field",
			def->name, feature_kind_name(def->kind));
	}
	if (def->type == NULL || !field_suits(need, def->type))
		return type_refuse(def, "the field",
			def->type == NULL ? &type_null : def->type, wants[need],
			why);
	return SG_OK;
}

static enum sg_err
window_check(const struct feature_def *def, struct sg_fault *why)
{
	enum window_need need = kinds[def->kind].window;

	if (def->window_ms == 0 && need != WINDOW_NEEDED)
		return SG_OK;
	if (need == WINDOW_NONE)
		return sg_fault_set(why, SG_BAD_OPTION, "%s: %s has no window",
			def->name, feature_kind_name(def->kind));
	if (def->window_ms >= 1000 && def->window_ms <= FEATURE_WINDOW_MAX_MS)
		return SG_OK;
	return sg_fault_set(why, SG_BAD_OPTION,
		"%s: the window must be from 1s to 400d", def->name);
}

static bool
filter_suits(int32_t filter)
{
	return filter >= -1 && filter < FEATURE_FILTERS_MAX;
}

static enum sg_err
collect_check(const struct feature_def *def, struct sg_fault *why)
{
	if (def->kind != FEATURE_collect)
		return SG_OK;
	if (def->key_name == NULL || def->nkeep > FEATURE_KEEP_MAX)
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s: collect keeps at most %d fields", def->name,
			FEATURE_KEEP_MAX);
	if (def->max < 1 || def->max > FEATURE_COLLECT_MAX)
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s: max must be from 1 to %d", def->name,
			FEATURE_COLLECT_MAX);
	for (size_t i = 0; i < def->nkeep; i++) {
		const struct feature_keep *keep = &def->keep[i];

		if (!is_scalar(keep->type))
			return type_refuse(def, keep->name, keep->type,
				"a single value", why);
		for (size_t j = 0; j <= i; j++) {
			const char *other =
				j == i ? def->key_name : def->keep[j].name;

			if (strcmp(keep->name, other) == 0)
				return sg_fault_set(why, SG_BAD_OPTION,
					"%s: %s is there twice", def->name,
					keep->name);
		}
	}
	return SG_OK;
}

enum sg_err
feature_check(const struct feature_def *defs, size_t i, struct sg_fault *why)
{
	const struct feature_def *def = &defs[i];
	enum sg_err err;

	if (def->kind >= FEATURE_KIND_COUNT || def->input >= INPUTS_MAX ||
		!filter_suits(def->filter) ||
		!filter_suits(def->closed_filter) ||
		!filter_suits(def->remove_filter))
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s: kind, input or filter out of range", def->name);
	for (size_t j = 0; j < i; j++) {
		if (strcmp(defs[j].name, def->name) == 0)
			return sg_fault_set(why, SG_BAD_OPTION,
				"%s: there are two features of this name",
				def->name);
	}
	err = window_check(def, why);
	if (err == SG_OK)
		err = field_check(def, why);
	return err == SG_OK ? collect_check(def, why) : err;
}
