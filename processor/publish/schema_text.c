/*
 * schema_text.c - the schemas of what is published, as they are in schemas/.
 *
 * They are part of this program, so that it can register them wherever it is
 * installed. The Makefile knows that this file needs them.
 */
#include "segmentd/publish.h"

/* FILE_IN(symbol, path): the bytes of a file of the source tree. */
#define SCHEMA_FILES(FILE_IN)                                                  \
	FILE_IN(schema_text_change, "schemas/change.v1.avsc")                  \
	FILE_IN(schema_text_current, "schemas/current.v1.avsc")                \
	FILE_IN(schema_text_renewal, "schemas/renewal.v1.avsc")

/* NOLINTBEGIN(bugprone-macro-parentheses): declarations have none. */
#define FILE_IN(symbol, path)                                                  \
	__asm__(".pushsection .rodata\n"                                       \
		".type " #symbol ", @object\n" #symbol ":\n"                   \
		".incbin \"" path "\"\n"                                       \
		".byte 0\n"                                                    \
		".popsection\n");                                              \
	extern const char symbol[];
SCHEMA_FILES(FILE_IN)
#undef FILE_IN
/* NOLINTEND(bugprone-macro-parentheses) */

const char *
publish_schema_text(enum publish_topic topic)
{
	switch (topic) {
	case PUBLISH_CHANGES:
		return schema_text_change;
	case PUBLISH_CURRENT:
		return schema_text_current;
	case PUBLISH_RENEWALS:
		return schema_text_renewal;
	default:
		return NULL;
	}
}
