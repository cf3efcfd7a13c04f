/*
 * answer.h - what a registry's answers say. Bytes from outside: anything may
 * be in them.
 */
#ifndef REGISTRY_ANSWER_H
#define REGISTRY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/err.h"

#define ANSWER_BYTES_MAX ((size_t)8 << 20)
#define ANSWER_REFERENCES_MAX 64

struct answer_reference {
	char *name;
	char *subject;
	int32_t version;
};

/* GET /schemas/ids/{id}, /subjects/{subject}/versions/{version}. */
struct answer_schema {
	char *text;
	char *kind; /* "AVRO" where the answer names none */
	struct answer_reference *references;
	size_t nreferences;
};

/* Errors: SG_BAD_RECORD, SG_NOMEM. Owner: the caller, answer_schema_fini(). */
SG_MUSTCHECK enum sg_err
answer_schema_read(const char *bytes, size_t len,
	struct answer_schema *ret_schema, struct sg_fault *why);
void
answer_schema_fini(struct answer_schema *schema);

/* {"error_code": N, "message": "..."}; 0 and "" where it is something else.
 * The message is made fit for a log line. */
int32_t
answer_error(const char *bytes, size_t len, char *ret_message, size_t cap);

/* {"id": N}. */
bool
answer_id(const char *bytes, size_t len, int32_t *ret_id);

/* {"is_compatible": B, "messages": [...]}; the first message, or "". */
bool
answer_is_compatible(const char *bytes, size_t len, bool *ret_is,
	char *ret_message, size_t cap);

/*
 * Put the definition of `name` (JSON text) into a schema in the place where it
 * is first used. A schema that does not use it stays as it is.
 * *ret_text is the caller's, from malloc.
 */
SG_MUSTCHECK enum sg_err
answer_resolve(const char *text, const char *name, const char *definition,
	char **ret_text, struct sg_fault *why);

/* The body of a request: {"schema": text}. From malloc; NULL: no memory. */
char *
answer_request(const char *schema);

#endif
