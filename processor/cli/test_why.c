/*
 * test_why.c - why an account is where it is, beside a test that failed.
 *
 * One line a segmentation, one a clause with what it read: enough to see
 * which value was not what the writer of the test thought.
 */
#include <string.h>

#include "segmentd/civil.h"
#include "test_file.h"

#define WHY_BYTES_MAX ((size_t)64 << 20)

static void
put_time(const char *before, int64_t ms, struct buf *out)
{
	char text[CIVIL_RFC3339_MAX];

	(void)civil_format_ms(ms, text, sizeof(text));
	buf_put_str(out, before);
	buf_put_str(out, text);
}

static void
put_clause(const struct explain_clause *clause, struct buf *out)
{
	static const char *const results[] = {"false", "true ", "ERROR"};

	buf_printf(out, "    %s  %s: %s\n", results[clause->result],
		clause->rule,
		clause->source[0] == '\0' ? "(the default)" : clause->source);
	if (clause->error != NULL)
		buf_printf(out, "             error: %s\n", clause->error);
	for (size_t i = 0; i < clause->nvalues; i++)
		buf_printf(out, "             %s = %s\n",
			clause->values[i].name, clause->values[i].text);
}

static void
put_segmentation(const struct explain_segmentation *seg, struct buf *out)
{
	buf_printf(out, "  %s: %s", seg->name,
		seg->segment == NULL ? "none" : seg->segment);
	if (seg->since_ms != 0)
		put_time(" since ", seg->since_ms, out);
	if (seg->is_held && seg->held_by != NULL)
		buf_printf(out, ", held by %s", seg->held_by);
	if (seg->next_ms != AT_NEVER && seg->next_ms != INT64_MIN)
		put_time(", may change at ", seg->next_ms, out);
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < seg->nclauses; i++)
		put_clause(&seg->clauses[i], out);
}

void
test_why(const struct replay *replay, const char *account,
	const char *segmentation, struct buf *out)
{
	struct sg_fault why = {.err = SG_OK};
	struct explanation ex;
	struct arena arena;

	if (account == NULL)
		return;
	arena_init(&arena, WHY_BYTES_MAX);
	if (replay_explain(replay, account, &arena, &ex, &why) == SG_OK) {
		for (size_t i = 0; i < ex.nsegmentations; i++) {
			const struct explain_segmentation *seg =
				&ex.segmentations[i];

			if (segmentation == NULL ||
				strcmp(segmentation, seg->name) == 0)
				put_segmentation(seg, out);
		}
	}
	arena_fini(&arena);
}
