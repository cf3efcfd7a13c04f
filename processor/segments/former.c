/* former.c - seats that the rules have no longer, until they are left. */
#include <stdlib.h>
#include <string.h>

#include "segmentd/segments.h"

static bool
text_is(const char *text, const void *bytes, size_t len)
{
	return strlen(text) == len && memcmp(text, bytes, len) == 0;
}

enum sg_err
former_add(struct membership *ms, const void *segmentation,
	size_t segmentation_len, const void *segment, size_t segment_len)
{
	struct former_seat *grown;
	char *text;

	for (size_t i = 0; i < ms->nformers; i++) {
		struct former_seat *former = &ms->formers[i];

		if (text_is(former->segmentation, segmentation,
			    segmentation_len) &&
			text_is(former->segment, segment, segment_len)) {
			former->is_seated = true;
			return SG_OK;
		}
	}
	grown = realloc(ms->formers, (ms->nformers + 1) * sizeof(*grown));
	if (grown == NULL)
		return SG_NOMEM;
	ms->formers = grown;
	text = calloc(1, segmentation_len + segment_len + 2);
	if (text == NULL)
		return SG_NOMEM;
	memcpy(text, segmentation, segmentation_len);
	memcpy(text + segmentation_len + 1, segment, segment_len);
	ms->formers[ms->nformers++] = (struct former_seat){.segmentation = text,
		.segment = text + segmentation_len + 1,
		.is_seated = true};
	return SG_OK;
}

struct former_seat *
former_find(const struct membership *ms, const char *segmentation)
{
	for (size_t i = 0; i < ms->nformers; i++) {
		struct former_seat *former = &ms->formers[i];

		if (former->is_seated &&
			(segmentation == NULL || strcmp(former->segmentation,
							 segmentation) == 0))
			return former;
	}
	return NULL;
}

void
formers_leave(struct membership *ms)
{
	for (size_t i = 0; i < ms->nformers; i++)
		ms->formers[i].is_seated = false;
}

void
formers_forget(struct membership *ms)
{
	for (size_t i = 0; i < ms->nformers; i++)
		free(ms->formers[i].segmentation);
	free(ms->formers);
	ms->formers = NULL;
	ms->nformers = 0;
}
