/*
 * conf.h - the YAML file as plain data, and mistakes shown at their place.
 *
 * Reading checks the form: keys, kinds of values, ranges, names, references
 * that need no compiler. What expressions mean is checked by pipeline/program,
 * which reports into the same struct conf_diags, so that all mistakes of a
 * file come out in one go.
 */
#ifndef SEGMENTD_CONF_H
#define SEGMENTD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/buf.h"
#include "segmentd/doc.h"
#include "segmentd/err.h"
#include "segmentd/features.h"
#include "segmentd/ingest.h"
#include "segmentd/store.h"

/* Bounds of a configuration, beside INPUTS_MAX and FEATURES_MAX. */
#define CONF_VARIABLES_MAX 1024
#define CONF_SCORES_MAX 64
#define CONF_CLAUSES_MAX 256	   /* of a score */
#define CONF_SEGMENTATIONS_MAX 255 /* the renewal window is one more */
#define CONF_SEGMENTS_MAX 256	   /* of a segmentation */
#define CONF_RENEWAL_WINDOWS_MAX 32
#define CONF_RENEWAL_DAYS_MAX 3650
#define CONF_SCHEMA_IDS_MAX 4096

struct conf_feature {
	struct conf_text name; /* without the input: "logins_14d" */
	enum feature_kind kind;
	struct conf_text field; /* path; collect: the key's */
	int64_t window_ms;	/* 0: none, or since ever */
	struct conf_text window;
	struct conf_text where;
	struct conf_text as;	      /* bool int double string timestamp */
	const struct conf_text *keep; /* collect: paths */
	size_t nkeep;
	uint32_t max;
	struct conf_text closed_when; /* collect */
	struct conf_text remove_when; /* collect */
};

struct conf_input {
	struct conf_text name;
	struct conf_text topic;
	struct conf_text schema;  /* path of the reader schema; conf->dir is in
				     front of it if it is relative */
	struct conf_text framing; /* auto confluent single_object bare */
	struct conf_text key;	  /* path of the account id; absent: the key */
	struct conf_text time;	  /* path of the event time; absent: record's */
	struct conf_text id;	  /* path of the event id; absent: none */
	struct conf_text delete_when;
	struct conf_text retention; /* absent: not said */
	int64_t retention_ms;	    /* of the topic; 0: not said */
	const struct conf_feature *features;
	size_t nfeatures;
};

struct conf_variable {
	struct conf_text name;
	struct conf_text expr;
};

/* A clause of a score: points when it holds. */
struct conf_clause {
	struct conf_text name;
	struct conf_text when;
	double points;
};

struct conf_segment {
	struct conf_text name;
	struct conf_text when; /* absent: the default, which is the last */
};

enum conf_segmentation_kind { CONF_EXCLUSIVE, CONF_TAG };
enum conf_on_error { CONF_ON_ERROR_HOLD, CONF_ON_ERROR_EXIT };

struct conf_segmentation {
	struct conf_text name;
	enum conf_segmentation_kind kind;
	const struct conf_segment *segments; /* exclusive */
	size_t nsegments;
	struct conf_text enter; /* tag */
	struct conf_text exit;	/* tag; absent: not enter */
	int64_t min_stay_ms;
	int64_t cooldown_ms;
	enum conf_on_error on_error;
};

/* Scores: `score.NAME` is the sum of the points of the clauses that hold. */
struct conf_score {
	struct conf_text name;
	const struct conf_clause *clauses;
	size_t nclauses;
};

struct conf_renewal {
	bool is_set;
	struct conf_text date;
	const int32_t *windows; /* days, descending */
	size_t nwindows;
	struct conf_text timezone; /* IANA name, or an expression that gives
				      one per account (account.timezone) */
	struct conf_text priority;
};

struct conf_schema_id {
	int32_t id;
	struct conf_text path; /* as that of an input's schema */
};

enum conf_clock { CONF_CLOCK_WALL, CONF_CLOCK_EVENT };
enum conf_delivery { CONF_EXACTLY_ONCE, CONF_AT_LEAST_ONCE };
enum conf_framing {
	CONF_FRAMING_AUTO,
	CONF_FRAMING_CONFLUENT,
	CONF_FRAMING_SINGLE_OBJECT
};

/* Scalar options: one row each in tbl/options.def. */
struct conf_options {
#define OPT_TEXT(path, ident, fallback, help) struct conf_text ident;
#define OPT_INT(path, ident, min, max, fallback, help) int64_t ident;
#define OPT_SPAN(path, ident, min, max, fallback, help) int64_t ident##_ms;
#define OPT_SIZE(path, ident, min, max, fallback, help) int64_t ident##_bytes;
#define OPT_BOOL(path, ident, fallback, help) bool ident;
#define OPT_ENUM(path, ident, choices, fallback, help) int ident;
#include "segmentd/tbl/options.def"
#undef OPT_TEXT
#undef OPT_INT
#undef OPT_SPAN
#undef OPT_SIZE
#undef OPT_BOOL
#undef OPT_ENUM
};

/* The rows as a table, for --help and for what is made from it. */
enum conf_option_kind {
	CONF_TEXT,
	CONF_INT,
	CONF_SPAN,
	CONF_SIZE,
	CONF_BOOL,
	CONF_ENUM
};

struct conf_option {
	const char *path; /* "redis.url" */
	enum conf_option_kind kind;
	int64_t min; /* of INT, SPAN (ms) and SIZE (bytes) */
	int64_t max;
	const char *choices; /* of ENUM, with commas between */
	const char *fallback;
	const char *help;
	size_t offset; /* in struct conf_options */
};

const struct conf_option *
conf_option_rows(size_t *ret_n);

struct conf {
	const char *path; /* of the file, as given */
	const char *dir;  /* its folder: relative paths begin there */
	struct conf_options opt;
	const struct kafka_prop *kafka;
	size_t nkafka;
	const struct conf_input *inputs;
	size_t ninputs;
	const struct conf_variable *variables;
	size_t nvariables;
	const struct conf_score *scores;
	size_t nscores;
	const struct conf_segmentation *segmentations;
	size_t nsegmentations;
	struct conf_renewal renewal;
	const struct conf_schema_id *schema_ids;
	size_t nschema_ids;
};

struct conf_diags;

/* --- mistakes ----------------------------------------------------------- */

SG_MUSTCHECK enum sg_err
conf_diags_create(struct conf_diags **ret_diags);
void
conf_diags_destroy(struct conf_diags *diags);
size_t
conf_diags_errors(const struct conf_diags *diags);
size_t
conf_diags_warnings(const struct conf_diags *diags);

/*
 * A mistake at byte `offset` of the scalar's value, `len` bytes of it (both 0:
 * the whole scalar). The caret stands at the very character, however the
 * scalar is quoted, escaped or folded. A `text` that stands nowhere (absent, a
 * default) is fine: then the file alone is named. `hint` may be NULL.
 *
 * Nothing of `text` is kept. Values are not secret in a message: do not put
 * the value of a password or URL into one.
 */
void
conf_diag_at(struct conf_diags *diags, const struct conf_text *text,
	uint32_t offset, uint32_t len, bool is_warning, const char *hint,
	const char *fmt, ...) __attribute__((format(printf, 7, 8)));

/*
 * All of them, in the order of the file:
 *
 *   segmentd.yaml:12:14: error: unknown field `arr_us`
 *      12 |       arr: {last: arr_us}
 *         |                   ^~~~~~ did you mean `arr_usd`?
 */
void
conf_diags_print(
	const struct conf_diags *diags, bool is_coloured, struct buf *out);

/* --- reading ------------------------------------------------------------ */

/*
 * Read a file (or, conf_parse(), a text under that name).
 *
 * ${NAME} in a scalar outside expressions is replaced by the environment
 * variable, ${file:PATH} by the content of a file without the end of its last
 * line; a missing one is a mistake; $${ stands for ${. `--set path=value`
 * of the command line comes as `sets`: the options of tbl/options.def and
 * kafka.PROPERTY can be set.
 *
 * Returns SG_BAD_CONFIG when the file cannot be used at all (not YAML, not a
 * map, no such file); then *ret_conf is not written. Other mistakes: SG_OK,
 * with conf_diags_errors() > 0, so that the caller can go on to find more.
 *
 * Owner: the caller, who gives it to conf_destroy().
 */
SG_MUSTCHECK enum sg_err
conf_read(const char *path, const char *const *sets, size_t nsets,
	struct conf_diags *diags, struct conf **ret_conf);
SG_MUSTCHECK enum sg_err
conf_parse(const char *name, const char *dir, const char *yaml, size_t len,
	struct conf_diags *diags, struct conf **ret_conf);

/*
 * The same from a map of a larger document (a file of scenarios). Keys among
 * `others` (NULL ends them; may be NULL) are left to the caller.
 * `name` and `dir` become conf->path and conf->dir.
 */
SG_MUSTCHECK enum sg_err
conf_from_doc(const char *name, const char *dir, const struct doc_node *map,
	const char *const *others, struct conf_diags *diags,
	struct conf **ret_conf);
void
conf_destroy(struct conf *conf);

/* What needs a broker calls this as well: no bootstrap.servers is a mistake. */
void
conf_require_broker(const struct conf *conf, struct conf_diags *diags);

/* Is it an expression that gives a zone for each account, not a zone's name? */
bool
conf_zone_is_expr(const struct conf_text *zone);

/* --- the form of the file ------------------------------------------------ */

/* Every option with its help and default, commented out, as YAML. */
void
conf_reference(struct buf *out);

/* The JSON Schema (draft 2020-12) of the file, for editors. */
void
conf_json_schema(struct buf *out);

/*
 * The same file in the house format: indented by 2, one space after `:`, `,`
 * and `-`, comments kept. What it means does not change: the result is parsed
 * again and compared. Formatting twice changes nothing more.
 *
 * Errors: SG_BAD_CONFIG, with the diags, when it is no such YAML; SG_NOMEM.
 */
SG_MUSTCHECK enum sg_err
conf_format(const char *name, const char *yaml, size_t len,
	struct conf_diags *diags, struct buf *out);

#endif
