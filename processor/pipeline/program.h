/*
 * program.h - a configuration, compiled: what the workers run.
 *
 * Immutable once made, shared by all workers; a worker clones the decode
 * readers. Numbers that appear everywhere:
 *
 *   input         index in conf->inputs
 *   feature       index in the feature set
 *   slot          a name an account's expressions can read (struct
 *                 program_slot): a feature, variable, score, segment, ...
 *   segmentation  index in defs[]; the renewal window is the last one, when
 *                 it is configured
 */
#ifndef PIPELINE_PROGRAM_H
#define PIPELINE_PROGRAM_H

#include "segmentd/cel.h"
#include "segmentd/conf.h"
#include "segmentd/decode.h"
#include "segmentd/features.h"
#include "segmentd/ingest.h"
#include "segmentd/pipeline.h"
#include "segmentd/segments.h"

#define SLOTS_MAX 2048

enum slot_kind {
	SLOT_ACCOUNT, /* account_id */
	SLOT_FEATURE,
	SLOT_ZONE, /* timezone, where it is an expression */
	SLOT_VARIABLE,
	SLOT_SCORE,
	SLOT_SEGMENT,
	SLOT_RENEWAL_DATE,
	SLOT_RENEWAL_DAYS,
	SLOT_RENEWAL_WINDOW,
};

struct program_slot {
	enum slot_kind kind;
	uint32_t index; /* of the feature, variable, score, segmentation */
	const char *name;
	const struct type *type;
};

/* A filter of an input; its CEL slots are mapped to event slots. */
struct program_filter {
	const char *source;
	struct cel_prog *prog;
};

/* A field's values taken as another type: cast.h. */
struct program_cast {
	uint32_t from; /* event slot */
	enum type_kind to;
};

struct program_input {
	const char *name;
	const char *topic;
	int32_t schema; /* number of the reader schema */
	struct decode_reader *reader;
	bool is_bare;		    /* framing: bare */
	uint32_t override_slots[8]; /* of the input of overrides: override.h */
	int32_t key_slot;	    /* -1: the record's key */
	int32_t time_slot;	    /* -1: the record's timestamp */
	int32_t id_slot;	    /* -1: none */
	struct cel_env *env;
	/* CEL slot of the input's expressions -> event slot, -1 not bound */
	int32_t *event_slot;
	const char **paths;
	const struct type **path_types;
	size_t npaths;
	/* The values of their slots follow those of the reader. */
	struct program_cast *casts;
	size_t ncasts;
	struct program_filter filters[FEATURE_FILTERS_MAX];
	size_t nfilters;
	struct cel_prog *delete_when;
};

/* Something that is evaluated for an account: what it reads, transitively. */
struct program_deps {
	uint64_t features[FEATURES_MAX / 64];
	uint64_t segments[SEGMENTATIONS_MAX / 64]; /* directly or through
						      variables and scores */
};

struct program_variable {
	const char *name; /* "variables.util" */
	struct cel_prog *prog;
};

struct program_score {
	const char *name; /* "score.health" */
	struct cel_prog **clauses;
	const char **clause_names;
	double *points;
	size_t nclauses;
};

struct program_segmentation {
	struct cel_prog **when; /* exclusive; the last is NULL: the default */
	struct cel_prog *enter; /* tag */
	struct cel_prog *exit;	/* NULL: not enter */
	bool exits_on_error;
	bool is_renewal;
	struct program_deps deps;
	/* "touch.high", one a segment; of a tag: enter, exit */
	const char **rule_names;
	size_t nrules;
	size_t first_rule; /* number of its first rule over all */
};

struct program {
	const struct conf *conf;
	struct arena arena; /* names, types, tables */
	struct decode_schemas *schemas;
	struct program_input *inputs;
	size_t ninputs;
	int32_t overrides; /* the input of overrides, -1: none */
	struct feature_set *features;
	struct feature_def *feature_defs;
	size_t nfeatures;
	struct cel_env *env;
	struct program_slot *slots;
	size_t nslots;
	struct program_variable *variables;
	size_t nvariables;
	struct program_score *scores;
	size_t nscores;
	struct segmentation_def *defs;
	struct program_segmentation *segmentations;
	size_t nsegmentations;
	uint32_t *order; /* segmentations, what is read before its readers */
	size_t nrules;
	int32_t renewal; /* segmentation of the renewal window, -1 */
	struct renewal_def renewal_def;
	struct renewal_names renewal_names;
	struct cel_prog *renewal_date;
	struct cel_prog *renewal_priority; /* NULL: none */
	/* The zone of an account: zone_prog says, else timezone. Where there is
	 * zone_prog, timezone (UTC) is that of streaks, filters and accounts
	 * that name none. */
	const struct tz *timezone;
	struct cel_prog *zone_prog; /* NULL: timezone is that of all */
	uint32_t zone_slot;	    /* valid with zone_prog */
	/* Of the renewal windows; both NULL: as everywhere. */
	const struct tz *renewal_tz;
	struct cel_prog *renewal_tz_prog;
	uint64_t rules_hash;
	uint64_t layout_hash; /* of the stored form of a state */
	struct buf layout;
};

/* How its Redis is reached. Valid until: the program goes. */
struct store_opts
program_store_opts(const struct program *prog);

/* A consumer of the inputs that is no member of the group. `topics` has room
 * for INPUTS_MAX and outlives the result. */
struct ingest_opts
program_onlooker(const struct program *prog, const char **topics);

#endif
