/*
 * schemas.h - a configuration's schema registry.
 */
#ifndef PIPELINE_SCHEMAS_H
#define PIPELINE_SCHEMAS_H

#include "program.h"
#include "segmentd/publish.h"
#include "segmentd/registry.h"

/* Open the registry and let the program's schemas ask it. *ret_registry is NULL
 * when none is configured. Owner: the caller, schemas_close(). */
SG_MUSTCHECK enum sg_err
schemas_open(const struct program *prog, struct registry **ret_registry,
	struct sg_fault *why);
void
schemas_close(const struct program *prog, struct registry *registry);

/* Ids of what is published, asked for or made. `each` may be NULL. Errors:
 * those of registry_subject_id(). */
SG_MUSTCHECK enum sg_err
schemas_output_ids(const struct program *prog, struct registry *registry,
	bool may_register, int32_t ret_ids[PUBLISH_TOPIC_COUNT],
	void (*each)(void *ctx, const char *subject, int32_t id, bool is_new),
	void *ctx, struct sg_fault *why);

/* The id of `text` in an input's topic; registered if the options allow it. */
SG_MUSTCHECK enum sg_err
schemas_input_id(const struct program *prog, struct registry *registry,
	uint32_t input, const char *text, int32_t *ret_id,
	struct sg_fault *why);

#endif
