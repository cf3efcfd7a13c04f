/* program_build.h - what the parts of program_create() share. */
#ifndef PIPELINE_PROGRAM_BUILD_H
#define PIPELINE_PROGRAM_BUILD_H

#include "program.h"

struct build {
	struct program *prog;
	const char *const *schemas; /* texts by input; NULL: the files */
	struct conf_diags *diags;
	enum sg_err err; /* SG_OK, or SG_NOMEM: then what was noted may be
			    half of the truth */
};

/* A formatted text in the program's arena; NULL when out of memory. */
char *
build_printf(struct build *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Note that a function of another module failed, at `text`, unless it was for
 * want of memory. */
void
build_fault(struct build *b, const struct conf_text *text, enum sg_err err,
	const struct sg_fault *why);

/* Compile a scalar of the configuration; NULL with the mistakes noted. */
struct cel_prog *
build_compile(struct build *b, struct cel_env *env,
	const struct conf_text *text, const struct type *want);

/* One input: reader, filters, and its features appended to feature_defs. */
SG_MUSTCHECK enum sg_err
build_input(struct build *b, uint32_t input);

/* Variables, scores, segmentations, renewal; their order and what they read. */
SG_MUSTCHECK enum sg_err
build_rules(struct build *b);

/* Order and dependencies; cycles are noted. */
SG_MUSTCHECK enum sg_err
build_graph(struct build *b);

#endif
