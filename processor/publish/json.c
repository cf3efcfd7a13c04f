/*
 * json.c - a change as one JSON object, for people and for --output json.
 *
 * The fields and names of change.v1.avsc. Times are RFC 3339 texts, since a
 * number would leave its unit to be guessed; the hash of the rules is text,
 * since JSON's numbers hold 53 bits of it; all other numbers are as they are.
 */
#include <math.h>
#include <string.h>

#include "segmentd/civil.h"
#include "segmentd/utf8.h"

#include "form.h"

/* Text in quotes; control characters escaped, what is not UTF-8 replaced. */
static void
put_text(struct buf *out, const char *text)
{
	size_t left = strlen(text);

	buf_put_u8(out, '"');
	while (left > 0) {
		unsigned char c = (unsigned char)*text;
		size_t n = utf8_char_len(text, left);

		if (n == 0)
			buf_put_str(out, "\\ufffd");
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ')
			buf_printf(out, "\\u%04x", (unsigned int)c);
		else
			buf_put(out, text, n);
		n += n == 0;
		text += n;
		left -= n;
	}
	buf_put_u8(out, '"');
}

static void
put_opt_text(struct buf *out, const char *text)
{
	if (text == NULL)
		buf_put_str(out, "null");
	else
		put_text(out, text);
}

static void
put_time(struct buf *out, int64_t ms)
{
	char text[CIVIL_RFC3339_MAX];

	(void)civil_format_ms(ms, text, sizeof(text));
	put_text(out, text);
}

static void
put_values(struct buf *out, const struct change_reason *reason)
{
	buf_put_str(out, ",\"values\":{");
	for (size_t i = 0; i < reason->nvalues; i++) {
		const struct change_value *value = &reason->values[i];

		buf_put_str(out, i == 0 ? "" : ",");
		put_text(out, value->name);
		buf_put_u8(out, ':');
		put_text(out, value->value == NULL ? "" : value->value);
	}
	buf_put_str(out, "}}");
}

static void
put_why(struct buf *out, const struct change *change)
{
	buf_put_str(out, ",\"trigger\":");
	if (change->trigger.topic == NULL) {
		buf_put_str(out, "null");
	} else {
		buf_put_str(out, "{\"topic\":");
		put_text(out, change->trigger.topic);
		buf_printf(out, ",\"partition\":%d,\"offset\":%lld",
			(int)change->trigger.partition,
			(long long)change->trigger.offset);
		buf_put_str(out, ",\"event_id\":");
		put_opt_text(out, change->trigger.event_id);
		buf_put_u8(out, '}');
	}
	buf_put_str(out, ",\"reasons\":[");
	for (size_t i = 0; i < change->nreasons; i++) {
		const struct change_reason *reason = &change->reasons[i];

		buf_put_str(out, i == 0 ? "{\"rule\":" : ",{\"rule\":");
		put_text(out, reason->rule);
		buf_put_str(out, ",\"clause\":");
		put_text(out, reason->clause);
		buf_printf(out, ",\"result\":%s",
			reason->result ? "true" : "false");
		put_values(out, reason);
	}
	buf_put_u8(out, ']');
}

static void
put_renewal(struct buf *out, const struct change *change)
{
	buf_put_str(out, ",\"renewal\":");
	if (change->renewal.is_set) {
		buf_put_str(out, "{\"date\":");
		put_time(out, change->renewal.date_ms);
		buf_printf(out, ",\"days_left\":%lld,\"window\":",
			(long long)change->renewal.days_left);
		put_opt_text(out, change->renewal.window);
		buf_put_u8(out, '}');
	} else {
		buf_put_str(out, "null");
	}
	buf_put_str(out, ",\"priority\":");
	/* JSON has no infinity. 17 digits read back as the same double. */
	if (isfinite(change->priority))
		buf_printf(out, "%.17g", change->priority);
	else
		buf_put_str(out, "null");
}

void
publish_change_json(const struct change *change, struct buf *out)
{
	char hash[FORM_HASH_TEXT];

	form_hash_text(change->rules_version, hash);
	buf_put_str(out, "{\"change_id\":");
	put_text(out, change->change_id);
	buf_put_str(out, ",\"account_id\":");
	put_text(out, change->account);
	buf_printf(out, ",\"account_version\":%llu,\"segmentation\":",
		(unsigned long long)change->account_version);
	put_text(out, change->segmentation);
	buf_put_str(out, ",\"from\":");
	put_opt_text(out, change->from);
	buf_put_str(out, ",\"to\":");
	put_opt_text(out, change->to);
	buf_printf(out, ",\"action\":\"%s\",\"origin\":\"%s\",\"event_time\":",
		change_action_name(change->action),
		change_origin_name(change->origin));
	put_time(out, change->event_time_ms);
	buf_put_str(out, ",\"evaluated_at\":");
	put_time(out, change->evaluated_at_ms);
	buf_put_str(out, ",\"valid_until\":");
	if (change->valid_until_ms == AT_NEVER)
		buf_put_str(out, "null");
	else
		put_time(out, change->valid_until_ms);
	buf_printf(out, ",\"rules_version\":\"%s\"", hash);
	put_why(out, change);
	put_renewal(out, change);
	buf_put_u8(out, '}');
}
