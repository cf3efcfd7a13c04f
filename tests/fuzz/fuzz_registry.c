/*
 * fuzz_registry.c - any bytes as a registry's answer.
 *
 * The first byte chooses which; two texts of a reference are split at the first
 * newline. A schema that is resolved is JSON still.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../processor/registry/answer.h"

#define MUST(holds)                                                            \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_schema(const char *bytes, size_t len)
{
	struct answer_schema schema;
	struct sg_fault why = {.err = SG_OK};

	if (answer_schema_read(bytes, len, &schema, &why) != SG_OK) {
		MUST(why.text[0] != '\0');
		return;
	}
	MUST(schema.text != NULL && schema.kind != NULL);
	for (size_t i = 0; i < schema.nreferences; i++)
		MUST(schema.references[i].version >= 1);
	answer_schema_fini(&schema);
}

static void
resolve(const char *bytes, size_t len)
{
	char *copy = strndup(bytes, len);
	char *line = copy == NULL ? NULL : strchr(copy, '\n');
	char *text = NULL;

	if (line != NULL) {
		*line = '\0';
		if (answer_resolve(copy, "a.B", line + 1, &text, NULL) ==
			SG_OK) {
			json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

			MUST(json != NULL);
			json_decref(json);
			free(text);
		}
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data + 1;
	char message[64];
	bool is = false;
	int32_t id = -1;

	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		read_schema(bytes, size - 1);
		break;
	case 1:
		resolve(bytes, size - 1);
		break;
	default:
		(void)answer_error(bytes, size - 1, message, sizeof(message));
		MUST(strchr(message, '\n') == NULL);
		MUST(!answer_id(bytes, size - 1, &id) || id >= 0);
		(void)answer_is_compatible(
			bytes, size - 1, &is, message, sizeof(message));
	}
	return 0;
}
