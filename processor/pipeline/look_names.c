/* look_names.c - segments, fields and topics as people name them. */
#include "segmentd/look.h"

#include <stdio.h>
#include <string.h>

#include "program.h"
#include "segmentd/doc.h"

#define WORDS_MAX (SLOTS_MAX + 8)
#define LISTED_BYTES 256

/* The fields of every view, beside those that rules can read. */
static const char *const fixed_fields[] = {
	"version", "updated_at", "renewal.priority"};

enum sg_err
look_unknown(struct sg_fault *why, const char *what, const char *name,
	const char *const *words)
{
	const char *nearest = name_nearest(name, words);
	struct buf list;
	enum sg_err err;

	if (nearest != NULL)
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s `%.80s`; did you mean `%s`?", what, name, nearest);
	buf_init(&list, LISTED_BYTES);
	for (size_t i = 0; words[i] != NULL; i++) {
		size_t len = strlen(words[i]) + 4;

		if (list.len + len + 4 > LISTED_BYTES) {
			buf_put_str(&list, ", ...");
			break;
		}
		buf_printf(&list, "%s`%s`", i == 0 ? "" : ", ", words[i]);
	}
	err = sg_fault_set(why, SG_BAD_OPTION, "%s `%.80s`; there is %s", what,
		name, list.len == 0 ? "none" : buf_cstr(&list));
	buf_fini(&list);
	return err;
}

static const struct segmentation_def *
find_def(const struct program *prog, const char *text, size_t len)
{
	for (size_t i = 0; i < prog->nsegmentations; i++) {
		const char *name = prog->defs[i].name;

		if (strlen(name) == len && memcmp(name, text, len) == 0)
			return &prog->defs[i];
	}
	return NULL;
}

static enum sg_err
no_segmentation(const struct program *prog, const char *text, size_t len,
	struct sg_fault *why)
{
	const char *words[SEGMENTATIONS_MAX + 1];
	char name[128];

	for (size_t i = 0; i < prog->nsegmentations; i++)
		words[i] = prog->defs[i].name;
	words[prog->nsegmentations] = NULL;
	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	memcpy(name, text, len);
	name[len] = '\0';
	return look_unknown(why, "there is no segmentation", name, words);
}

static enum sg_err
find_segment(const struct segmentation_def *def, const char *text,
	const char **ret_segment, struct sg_fault *why)
{
	const char *words[SEGMENTS_MAX + 2];
	char what[128];
	size_t n = 0;

	for (; n < def->nsegments; n++)
		words[n] = def->segments[n];
	if (def->kind == SEGMENTATION_TAG)
		words[n++] = "out";
	words[n] = NULL;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret_segment = words[i];
			return SG_OK;
		}
	}
	(void)snprintf(what, sizeof(what), "%s has no segment", def->name);
	return look_unknown(why, what, text, words);
}

enum sg_err
look_place(const struct program *prog, const char *text,
	struct look_place *ret_place, struct sg_fault *why)
{
	size_t len = strcspn(text, ".=");
	const struct segmentation_def *def = find_def(prog, text, len);
	struct look_place place = {.segment = NULL};
	enum sg_err err = SG_OK;

	if (def == NULL)
		return no_segmentation(prog, text, len, why);
	place.segmentation = def->name;
	place.is_tag = def->kind == SEGMENTATION_TAG;
	place.is_renewal =
		prog->renewal >= 0 && def == &prog->defs[prog->renewal];
	if (text[len] != '\0')
		err = find_segment(def, text + len + 1, &place.segment, why);
	if (err == SG_OK)
		*ret_place = place;
	return err;
}

enum sg_err
look_field(const struct program *prog, const char *name, struct sg_fault *why)
{
	const char *words[WORDS_MAX + 1];
	size_t n = 0;

	for (; n < SG_COUNTOF(fixed_fields); n++)
		words[n] = fixed_fields[n];
	for (size_t i = 0; i < prog->nslots && n < WORDS_MAX; i++)
		words[n++] = prog->slots[i].name;
	words[n] = NULL;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], name) == 0)
			return SG_OK;
	}
	return look_unknown(why, "the view has no field", name, words);
}

const struct type *
look_field_type(const struct program *prog, const char *name)
{
	if (strcmp(name, "version") == 0)
		return &type_int;
	if (strcmp(name, "renewal.priority") == 0)
		return &type_double;
	for (size_t i = 0; i < prog->nslots; i++) {
		if (strcmp(prog->slots[i].name, name) == 0)
			return prog->slots[i].type;
	}
	return NULL;
}
