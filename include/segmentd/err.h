/*
 * err.h - error codes, their class, and the details a human wants.
 *
 * A fallible function returns enum sg_err and takes a struct sg_fault for the
 * details as its last parameter. Outputs are written on success only.
 */
#ifndef SEGMENTD_ERR_H
#define SEGMENTD_ERR_H

#include <stddef.h>

#define SG_MUSTCHECK __attribute__((warn_unused_result))
#define SG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SG_COUNTOF(array) (sizeof(array) / sizeof((array)[0]))

enum sg_err {
	SG_OK = 0,
#define ERR(name, class, text) SG_##name,
#include "segmentd/tbl/errors.def"
#undef ERR
	SG_ERR_COUNT
};

/* What the pipeline does about a failure. There is no fourth way. */
enum sg_err_class {
	SG_CLASS_OK,
	SG_CLASS_RETRY,
	SG_CLASS_SKIP,
	SG_CLASS_FATAL
};

/* Exit statuses, stable (those above 63 are of sysexits.h). */
enum sg_exit {
	SG_EXIT_OK = 0,
	SG_EXIT_FAILED = 1,	  /* a comparison or test found a difference */
	SG_EXIT_USAGE = 64,	  /* the command line is wrong */
	SG_EXIT_DATA = 65,	  /* an input file has errors */
	SG_EXIT_UNAVAILABLE = 69, /* a server is not there or refuses */
	SG_EXIT_INTERNAL = 70,	  /* a defect of segmentd */
	SG_EXIT_IO = 74,	  /* reading or writing a file failed */
	SG_EXIT_CONFIG = 78,	  /* the configuration is not valid */
};

/* Details of a failure: what, where, and what to do. Truncated, never lost. */
struct sg_fault {
	enum sg_err err;
	char text[512];
};

/* The lower-case name of a code, as in logs and metrics: "bad_record". */
const char *
sg_err_name(enum sg_err err);
const char *
sg_err_text(enum sg_err err);
enum sg_err_class
sg_err_class(enum sg_err err);

/*
 * Note a failure and return its code, for `return sg_fault_set(why, ...)`.
 * `why` may be NULL.
 */
SG_PRINTF(3, 4)
enum sg_err
sg_fault_set(struct sg_fault *why, enum sg_err err, const char *fmt, ...);

/* The static analyser does not see into err.c: it has to be told what comes
 * back, else it follows paths on which a failure was noted and SG_OK returned.
 */
#ifdef __clang_analyzer__
#define sg_fault_set(why, err, ...)                                            \
	((sg_fault_set)(why, err, __VA_ARGS__), (err))
#endif

#endif
