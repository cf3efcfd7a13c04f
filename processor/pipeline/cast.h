/* cast.h - values of a field taken as another type (`as` of a feature). */
#ifndef PIPELINE_CAST_H
#define PIPELINE_CAST_H

#include "program_build.h"

/*
 * The event slot of the feature's field taken as `as`, and its type. False
 * with the mistake noted when values of `from` are never of that type.
 * Until casts_place() the slot is a provisional number.
 */
SG_MUSTCHECK bool
cast_add(struct build *b, struct program_input *in,
	const struct conf_feature *cf, int32_t *slot, const struct type **type);

/* Give the casts the slots behind those of the reader, now that all of these
 * are bound. `defs` are the input's features. */
void
casts_place(struct program_input *in, struct feature_def *defs, size_t ndefs);

/* The slots of an event, with the casts of it behind. SG_NOMEM. */
SG_MUSTCHECK enum sg_err
casts_fill(const struct program_input *in, struct arena *arena,
	const struct value **slots, size_t *nslots);

/* Null where `v` is not of the type and has no exact counterpart in it. */
struct value
cast_value(struct value v, enum type_kind to);

#endif
