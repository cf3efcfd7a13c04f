/* demo_records.c - fields in the order of schemas/demo/. */
#include "demo_records.h"

#include <stdio.h>
#include <string.h>

#include "segmentd/decode.h"

#define RECORD_BYTES_MAX 4096

enum sg_err
demo_records_init(struct demo_records *records, const struct conf *conf,
	struct sg_fault *why)
{
	struct decode_schemas *schemas = NULL;
	enum sg_err err = decode_schemas_create(&schemas);

	buf_init(&records->value, RECORD_BYTES_MAX);
	for (size_t i = 0; err == SG_OK && i < DEMO_INPUT_COUNT; i++) {
		int32_t number = 0;

		err = decode_schemas_add_path(
			schemas, conf->inputs[i].schema.s, -1, &number, why);
		if (err == SG_OK)
			records->prints[i] =
				decode_schemas_fingerprint(schemas, number);
	}
	decode_schemas_destroy(schemas);
	return err;
}

void
demo_records_fini(struct demo_records *records)
{
	buf_fini(&records->value);
}

static void
put_text(struct buf *out, const char *text)
{
	size_t len = strlen(text);

	buf_put_zigzag(out, (int64_t)len);
	buf_put(out, text, len);
}

static void
put_account(struct buf *out, const struct demo_account_info *info,
	const struct demo_event *ev)
{
	static const char *const statuses[] = {[DEMO_ACTIVE] = "active",
		[DEMO_ENDED] = "churned",
		[DEMO_DELETED] = "deleted"};

	put_text(out, statuses[ev->status]);
	put_text(out, info->name);
	put_text(out, info->industry);
	put_text(out, info->country);
	put_text(out, info->plan);
	buf_put_zigzag(out, ev->number);
	put_text(out, info->csm);
}

static void
put_subscription(struct buf *out, const struct demo_event *ev)
{
	put_text(out, "main");
	put_text(out, ev->status == DEMO_ACTIVE ? "active" : "ended");
	buf_put_zigzag(out, ev->starts_ms);
	buf_put_zigzag(out, ev->ends_ms);
	buf_put_zigzag(out, ev->arr);
}

static void
put_usage(struct buf *out, const struct demo_event *ev)
{
	static const char *const actions[] = {[DEMO_LOGIN] = "login",
		[DEMO_REPORT] = "report",
		[DEMO_EXPORT] = "export",
		[DEMO_INVITE] = "invite"};
	char user[16];

	(void)snprintf(user, sizeof(user), "u%d", (int)ev->number);
	put_text(out, user);
	put_text(out, actions[ev->action]);
	buf_put_zigzag(out, ev->minutes);
}

static void
put_ticket(struct buf *out, const struct demo_event *ev)
{
	char ticket[16];

	(void)snprintf(ticket, sizeof(ticket), "T-%d", (int)ev->number);
	put_text(out, ticket);
	put_text(out, ev->status == DEMO_ACTIVE ? "open" : "solved");
	put_text(out, ev->is_urgent ? "urgent" : "normal");
}

enum sg_err
demo_records_encode(struct demo_records *records,
	const struct demo_company *company, const struct demo_event *ev)
{
	struct buf *out = &records->value;
	struct demo_account_info info;

	demo_company_info(company, ev->account, &info);
	buf_reset(out);
	buf_put_u8(out, 0xc3);
	buf_put_u8(out, 0x01);
	buf_put_u64(out, records->prints[ev->input]);
	put_text(out, info.id);
	buf_put_zigzag(out, ev->at_ms);
	switch (ev->input) {
	case DEMO_ACCOUNT:
		put_account(out, &info, ev);
		break;
	case DEMO_SUBSCRIPTION:
		put_subscription(out, ev);
		break;
	case DEMO_USAGE:
		put_usage(out, ev);
		break;
	default:
		put_ticket(out, ev);
		break;
	}
	return out->is_failed ? SG_NOMEM : SG_OK;
}
