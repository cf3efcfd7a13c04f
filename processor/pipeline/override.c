/* override.c - segments pinned by a person: read, folded, stored. */
#include "override.h"

#include <stdlib.h>
#include <string.h>

#include "segmentd/hash.h"

const char override_schema[] =
	"{\"type\":\"record\",\"name\":\"Override\",\"namespace\":\"segme"
	"ntd.v1\",\"doc\":\"A person pins an account's segment, or takes "
	"that back. Key: the account id. The newest by `at` counts.\",\"f"
	"ields\":[{\"name\":\"account_id\",\"type\":\"string\",\"doc\":\""
	"The account; the record's key, too.\"},{\"name\":\"segmentation"
	"\",\"type\":\"string\",\"doc\":\"Which segmentation; the renewal"
	" window cannot be pinned.\"},{\"name\":\"segment\",\"type\":[\"n"
	"ull\",\"string\"],\"default\":null,\"doc\":\"Where the account i"
	"s pinned (of a tag: in or out); null takes the pin away.\"},{\"n"
	"ame\":\"author\",\"type\":\"string\",\"doc\":\"Who decided it; n"
	"ot empty.\"},{\"name\":\"reason\",\"type\":\"string\",\"default"
	"\":\"\",\"doc\":\"Why; appears in the reasons of the change.\"},"
	"{\"name\":\"expires_at\",\"type\":[\"null\",{\"type\":\"long\","
	"\"logicalType\":\"timestamp-millis\"}],\"default\":null,\"doc\":"
	"\"When the pin ends by itself; null: never. After `at`.\"},{\"na"
	"me\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timest"
	"amp-millis\"},\"doc\":\"Event time: when it was decided.\"},{\"n"
	"ame\":\"event_id\",\"type\":[\"null\",\"string\"],\"default\":nu"
	"ll,\"doc\":\"For de-duplication; optional.\"}]}";

static const char *const slot_names[OVERRIDE_SLOT_COUNT] = {
	"segmentation", "segment", "author", "reason", "expires_at"};

static enum sg_err
bind_all(struct program_input *in, struct sg_fault *why)
{
	static const char *const fixed[] = {"account_id", "at", "event_id"};
	int32_t *const dest[] = {&in->key_slot, &in->time_slot, &in->id_slot};
	const struct type *type;
	enum sg_err err = SG_OK;
	uint32_t slot;

	for (size_t i = 0; i < SG_COUNTOF(fixed) && err == SG_OK; i++) {
		err = decode_reader_bind(in->reader, fixed[i], strlen(fixed[i]),
			&slot, &type, why);
		*dest[i] = (int32_t)slot;
	}
	for (size_t i = 0; i < OVERRIDE_SLOT_COUNT && err == SG_OK; i++)
		err = decode_reader_bind(in->reader, slot_names[i],
			strlen(slot_names[i]), &in->override_slots[i], &type,
			why);
	return err;
}

enum sg_err
build_overrides(struct build *b)
{
	struct program *prog = b->prog;
	const struct conf_text *topic = &prog->conf->opt.topic_overrides;
	struct program_input *in = &prog->inputs[prog->conf->ninputs];
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err;

	prog->overrides = -1;
	if (topic->len == 0)
		return SG_OK;
	if (prog->conf->ninputs == INPUTS_MAX) {
		conf_diag_at(b->diags, topic, 0, 0, false,
			"set topics.overrides to \"\"",
			"no room for the input of overrides beside %d others",
			INPUTS_MAX);
		return SG_OK;
	}
	for (size_t i = 0; i < prog->conf->ninputs; i++) {
		if (strcmp(prog->inputs[i].topic, topic->s) == 0 ||
			strcmp(prog->inputs[i].name, "overrides") == 0)
			conf_diag_at(b->diags, &prog->conf->inputs[i].name, 0,
				0, false, "or set topics.overrides to \"\"",
				"the name or topic is that of the input of "
				"overrides");
	}
	/* From here on it goes with the program, also half-built. */
	prog->overrides = (int32_t)prog->ninputs++;
	in->name = "overrides";
	in->topic = topic->s;
	err = decode_schemas_add(prog->schemas, "override.v1.avsc",
		override_schema, strlen(override_schema), -1, &in->schema,
		&why);
	if (err == SG_OK)
		err = decode_reader_create(prog->schemas, in->schema,
			DECODE_AUTO, &in->reader, &why);
	if (err == SG_OK)
		err = bind_all(in, &why);
	return err;
}

/* --- events ------------------------------------------------------------- */

static bool
is_text(struct value v, const char *text)
{
	return v.kind == VALUE_STRING && strlen(text) == v.len &&
	       memcmp(text, v.as.s, v.len) == 0;
}

/* The segmentation and segment an event names; false when there is none. */
static bool
find_place(const struct program *prog, const struct event *ev,
	uint32_t *ret_segmentation, int16_t *ret_segment)
{
	const uint32_t *slots = prog->inputs[prog->overrides].override_slots;
	struct value name = ev->slots[slots[OVERRIDE_SEGMENTATION]];
	struct value segment = ev->slots[slots[OVERRIDE_SEGMENT]];

	for (uint32_t i = 0; i < prog->conf->nsegmentations; i++) {
		const struct segmentation_def *def = &prog->defs[i];

		if (!is_text(name, def->name))
			continue;
		*ret_segmentation = i;
		*ret_segment = SEAT_NONE;
		if (segment.kind == VALUE_NULL)
			return true;
		if (def->kind == SEGMENTATION_TAG && is_text(segment, "out"))
			return true;
		for (size_t k = 0; k < def->nsegments; k++) {
			if (is_text(segment, def->segments[k])) {
				*ret_segment = (int16_t)k;
				return true;
			}
		}
		return false;
	}
	return false;
}

enum sg_err
override_check(const struct program *prog, const struct event *ev,
	struct sg_fault *why)
{
	const uint32_t *slots = prog->inputs[prog->overrides].override_slots;
	struct value author = ev->slots[slots[OVERRIDE_AUTHOR]];
	struct value expires = ev->slots[slots[OVERRIDE_EXPIRES]];
	uint32_t segmentation;
	int16_t segment;

	if (author.kind != VALUE_STRING || author.len == 0)
		return sg_fault_set(
			why, SG_BAD_OVERRIDE, "the override has no author");
	if (expires.kind == VALUE_TIMESTAMP &&
		value_to_ms(expires) <= ev->at_ms)
		return sg_fault_set(why, SG_BAD_OVERRIDE,
			"the override expires before it begins");
	if (!find_place(prog, ev, &segmentation, &segment))
		return sg_fault_set(why, SG_BAD_OVERRIDE,
			"the override names a segmentation or segment that "
			"is not configured");
	return SG_OK;
}

static char *
copy_text(struct value v)
{
	size_t len = v.kind == VALUE_STRING ? v.len : 0;
	char *text;

	if (len > OVERRIDE_TEXT_MAX) {
		len = OVERRIDE_TEXT_MAX;
		/* At a character's beginning. */
		while (len > 0 && ((uint8_t)v.as.s[len] & 0xc0) == 0x80)
			len--;
	}
	text = malloc(len + 1);
	if (text == NULL)
		return NULL;
	if (len > 0)
		memcpy(text, v.as.s, len);
	text[len] = '\0';
	return text;
}

static void
item_fini(struct account_override *item)
{
	free(item->author);
	free(item->reason);
}

/* The entry of a segmentation, new if there is none; NULL without memory. */
static struct account_override *
entry_of(struct account *acct, uint32_t segmentation)
{
	struct account_overrides *list = acct->overrides;
	size_t n = list == NULL ? 0 : list->n;

	for (size_t i = 0; i < n; i++) {
		if (list->items[i].segmentation == segmentation)
			return &list->items[i];
	}
	list = realloc(list, sizeof(*list) + (n + 1) * sizeof(list->items[0]));
	if (list == NULL)
		return NULL;
	acct->overrides = list;
	list->n = n + 1;
	list->items[n] = (struct account_override){.segmentation = segmentation,
		.is_cleared = true,
		.at_ms = INT64_MIN};
	return &list->items[n];
}

enum sg_err
override_fold(const struct program *prog, struct account *acct,
	const struct event *ev)
{
	const uint32_t *slots = prog->inputs[prog->overrides].override_slots;
	struct value expires = ev->slots[slots[OVERRIDE_EXPIRES]];
	struct account_override *entry;
	struct account_override item = {.at_ms = ev->at_ms};

	if (!find_place(prog, ev, &item.segmentation, &item.segment))
		return SG_OK; /* it was checked */
	entry = entry_of(acct, item.segmentation);
	if (entry == NULL)
		return SG_NOMEM;
	if (entry->at_ms > item.at_ms)
		return SG_OK;
	item.is_cleared = ev->slots[slots[OVERRIDE_SEGMENT]].kind == VALUE_NULL;
	item.expires_ms = expires.kind == VALUE_TIMESTAMP ? value_to_ms(expires)
							  : AT_NEVER;
	item.author = copy_text(ev->slots[slots[OVERRIDE_AUTHOR]]);
	item.reason = copy_text(ev->slots[slots[OVERRIDE_REASON]]);
	if (item.author == NULL || item.reason == NULL) {
		item_fini(&item);
		return SG_NOMEM;
	}
	item_fini(entry);
	*entry = item;
	acct->until_ms[item.segmentation] = INT64_MIN;
	return SG_OK;
}

const struct account_override *
override_at(const struct account *acct, size_t segmentation, int64_t now_ms)
{
	const struct account_overrides *list = acct->overrides;

	for (size_t i = 0; list != NULL && i < list->n; i++) {
		const struct account_override *item = &list->items[i];

		if (item->segmentation == segmentation && !item->is_cleared &&
			now_ms < item->expires_ms)
			return item;
	}
	return NULL;
}

void
overrides_destroy(struct account_overrides *list)
{
	for (size_t i = 0; list != NULL && i < list->n; i++)
		item_fini(&list->items[i]);
	free(list);
}

/* --- the stored form ---------------------------------------------------- */

static void
put_text(struct buf *out, const char *text)
{
	buf_put_varint(out, strlen(text));
	buf_put_str(out, text);
}

void
overrides_write(const struct program *prog,
	const struct account_overrides *list, struct buf *out)
{
	buf_put_varint(out, list == NULL ? 0 : list->n);
	for (size_t i = 0; list != NULL && i < list->n; i++) {
		const struct account_override *item = &list->items[i];
		const struct segmentation_def *def =
			&prog->defs[item->segmentation];
		const char *segment = seat_name(def, item->segment);

		put_text(out, def->name);
		put_text(out, segment == NULL ? "" : segment);
		buf_put_u8(out, item->is_cleared ? 1 : 0);
		buf_put_zigzag(out, item->at_ms);
		buf_put_zigzag(out, item->expires_ms);
		put_text(out, item->author);
		put_text(out, item->reason);
	}
}

/* A text in place, as a value. */
static struct value
get_text(struct buf_reader *rd)
{
	uint64_t len = buf_get_varint(rd);
	const uint8_t *bytes =
		len > OVERRIDE_TEXT_MAX ? NULL : buf_get_bytes(rd, (size_t)len);

	if (bytes == NULL) {
		rd->is_bad = true;
		return value_null();
	}
	return value_string((const char *)bytes, (uint32_t)len);
}

/* Index of today's segmentation and segment; false when one is gone. */
static bool
find_names(const struct program *prog, struct value name, struct value segment,
	struct account_override *item)
{
	for (uint32_t i = 0; i < prog->conf->nsegmentations; i++) {
		const struct segmentation_def *def = &prog->defs[i];

		if (!is_text(name, def->name))
			continue;
		item->segmentation = i;
		item->segment = SEAT_NONE;
		for (size_t k = 0; k < def->nsegments; k++) {
			if (is_text(segment, def->segments[k]))
				item->segment = (int16_t)k;
		}
		return item->is_cleared || item->segment != SEAT_NONE ||
		       def->kind == SEGMENTATION_TAG;
	}
	return false;
}

static enum sg_err
read_item(const struct program *prog, struct buf_reader *rd,
	struct account_overrides *list)
{
	struct account_override item = {.segment = SEAT_NONE};
	struct value name = get_text(rd), segment = get_text(rd);
	struct value author, reason;

	item.is_cleared = buf_get_u8(rd) == 1;
	item.at_ms = buf_get_zigzag(rd);
	item.expires_ms = buf_get_zigzag(rd);
	author = get_text(rd);
	reason = get_text(rd);
	if (rd->is_bad)
		return SG_BAD_BLOB;
	if (!find_names(prog, name, segment, &item))
		return SG_OK;
	item.author = copy_text(author);
	item.reason = copy_text(reason);
	list->items[list->n++] = item;
	return item.author == NULL || item.reason == NULL ? SG_NOMEM : SG_OK;
}

enum sg_err
overrides_read(const struct program *prog, struct buf_reader *rd,
	struct account_overrides **ret_list)
{
	struct account_overrides *list;
	uint64_t n = buf_get_varint(rd);
	enum sg_err err = SG_OK;

	*ret_list = NULL;
	if (rd->is_bad || n > SEGMENTATIONS_MAX)
		return SG_BAD_BLOB;
	if (n == 0)
		return SG_OK;
	list = calloc(1, sizeof(*list) + (size_t)n * sizeof(list->items[0]));
	if (list == NULL)
		return SG_NOMEM;
	for (uint64_t i = 0; i < n && err == SG_OK; i++)
		err = read_item(prog, rd, list);
	if (err != SG_OK) {
		overrides_destroy(list);
		return err;
	}
	*ret_list = list;
	return SG_OK;
}
