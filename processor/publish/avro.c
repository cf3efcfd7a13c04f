/*
 * avro.c - changes, renewals and memberships as Avro, and memberships back.
 *
 * The schemas are those of schemas/, known when this was written; so their
 * values are written field by field, which is ten times cheaper than going
 * through a generic value and allocates nothing. Tests read the bytes back
 * with two independent implementations, using the files.
 *
 *      C3 01 | CRC-64-AVRO of the schema, little-endian | fields in order
 *
 * A nullable field is a union [null, T]: the branch's number, then the value.
 * Arrays and maps are written as one block, and read back as one.
 */
#include <math.h>
#include <string.h>

#include "segmentd/utf8.h"

#include "form.h"

#define MARK_0 0xc3
#define MARK_1 0x01
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ENTRY_BYTES_MIN 3	   /* of a membership in segments */

/* --- text --------------------------------------------------------------- */

void
form_hash_text(uint64_t hash, char text[FORM_HASH_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < 16; i++)
		text[i] = digits[(hash >> (60 - 4 * i)) & 0xf];
	text[16] = '\0';
}

size_t
form_utf8_len(const char *text)
{
	size_t left = strlen(text);
	size_t len = 0;

	while (left > 0) {
		size_t n = utf8_char_len(text, left);

		len += n > 0 ? n : sizeof(REPLACEMENT) - 1;
		n += n == 0;
		text += n;
		left -= n;
	}
	return len;
}

void
form_put_utf8(struct buf *out, const char *text)
{
	size_t left = strlen(text);

	if (utf8_is_valid(text, left)) {
		buf_put(out, text, left);
		return;
	}
	while (left > 0) {
		size_t n = utf8_char_len(text, left);

		if (n > 0)
			buf_put(out, text, n);
		else
			buf_put_str(out, REPLACEMENT);
		n += n == 0;
		text += n;
		left -= n;
	}
}

/* --- writing ------------------------------------------------------------ */

static void
put_head(struct buf *out, uint64_t fingerprint)
{
	buf_put_u8(out, MARK_0);
	buf_put_u8(out, MARK_1);
	buf_put_u64(out, fingerprint);
}

static void
put_string(struct buf *out, const char *text)
{
	if (text == NULL)
		text = "";
	buf_put_zigzag(out, (int64_t)form_utf8_len(text));
	form_put_utf8(out, text);
}

/* The number of the branch of [null, T]. */
static bool
put_branch(struct buf *out, bool is_there)
{
	buf_put_zigzag(out, is_there ? 1 : 0);
	return is_there;
}

static void
put_opt_string(struct buf *out, const char *text)
{
	if (put_branch(out, text != NULL))
		put_string(out, text);
}

static void
put_opt_time(struct buf *out, bool is_there, int64_t ms)
{
	if (put_branch(out, is_there))
		buf_put_zigzag(out, ms);
}

static void
put_priority(struct buf *out, double priority)
{
	uint64_t bits;

	if (!put_branch(out, !isnan(priority)))
		return;
	memcpy(&bits, &priority, sizeof(bits));
	buf_put_u64(out, bits);
}

static void
put_hash(struct buf *out, uint64_t hash)
{
	char text[FORM_HASH_TEXT];

	form_hash_text(hash, text);
	put_string(out, text);
}

static void
put_reasons(struct buf *out, const struct change_reason *reasons, size_t n)
{
	if (n > 0)
		buf_put_zigzag(out, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		const struct change_reason *reason = &reasons[i];

		put_string(out, reason->rule);
		put_string(out, reason->clause);
		buf_put_u8(out, reason->result ? 1 : 0);
		if (reason->nvalues > 0)
			buf_put_zigzag(out, (int64_t)reason->nvalues);
		for (size_t j = 0; j < reason->nvalues; j++) {
			put_string(out, reason->values[j].name);
			put_string(out, reason->values[j].value);
		}
		buf_put_zigzag(out, 0); /* end of the map */
	}
	buf_put_zigzag(out, 0); /* end of the array */
}

static enum sg_err
finish(const struct buf *out, struct sg_fault *why)
{
	if (!out->is_failed)
		return SG_OK;
	return sg_fault_set(why, SG_LIMIT,
		"a value to be published is above %zu bytes, or memory is out",
		out->max);
}

enum sg_err
publish_change_avro(
	const struct change *change, struct buf *out, struct sg_fault *why)
{
	put_head(out, FORM_CHANGE);
	put_string(out, change->change_id);
	put_string(out, change->account);
	buf_put_zigzag(out, (int64_t)change->account_version);
	put_string(out, change->segmentation);
	put_opt_string(out, change->from);
	put_opt_string(out, change->to);
	/* The schema's first symbol is "unknown", for its readers' use. */
	buf_put_zigzag(out, (int64_t)change->action + 1);
	buf_put_zigzag(out, (int64_t)change->origin + 1);
	buf_put_zigzag(out, change->event_time_ms);
	buf_put_zigzag(out, change->evaluated_at_ms);
	put_opt_time(out, change->valid_until_ms != AT_NEVER,
		change->valid_until_ms);
	put_hash(out, change->rules_version);
	if (put_branch(out, change->trigger.topic != NULL)) {
		put_string(out, change->trigger.topic);
		buf_put_zigzag(out, change->trigger.partition);
		buf_put_zigzag(out, change->trigger.offset);
		put_opt_string(out, change->trigger.event_id);
	}
	put_reasons(out, change->reasons, change->nreasons);
	if (put_branch(out, change->renewal.is_set)) {
		buf_put_zigzag(out, change->renewal.date_ms);
		buf_put_zigzag(out, change->renewal.days_left);
		put_opt_string(out, change->renewal.window);
	}
	put_priority(out, change->priority);
	return finish(out, why);
}

enum sg_err
form_renewal_avro(
	const struct change *change, struct buf *out, struct sg_fault *why)
{
	put_head(out, FORM_RENEWAL);
	put_string(out, change->change_id);
	put_string(out, change->account);
	buf_put_zigzag(out, (int64_t)change->account_version);
	put_opt_string(out, change->from);
	put_opt_string(out, change->to);
	put_opt_time(out, change->renewal.is_set, change->renewal.date_ms);
	if (put_branch(out, change->renewal.is_set))
		buf_put_zigzag(out, change->renewal.days_left);
	put_priority(out, change->priority);
	buf_put_zigzag(out, change->event_time_ms);
	buf_put_zigzag(out, change->evaluated_at_ms);
	put_opt_time(out, change->valid_until_ms != AT_NEVER,
		change->valid_until_ms);
	put_hash(out, change->rules_version);
	return finish(out, why);
}

enum sg_err
publish_image_avro(const struct membership_image *image, struct buf *out,
	struct sg_fault *why)
{
	put_head(out, FORM_CURRENT);
	put_string(out, image->account);
	buf_put_zigzag(out, (int64_t)image->account_version);
	buf_put_zigzag(out, image->updated_at_ms);
	put_hash(out, image->rules_version);
	if (image->nentries > 0)
		buf_put_zigzag(out, (int64_t)image->nentries);
	for (size_t i = 0; i < image->nentries; i++) {
		put_string(out, image->entries[i].segmentation);
		put_string(out, image->entries[i].segment);
		buf_put_zigzag(out, image->entries[i].since_ms);
	}
	buf_put_zigzag(out, 0); /* end of the array */
	if (put_branch(out, image->has_renewal)) {
		buf_put_zigzag(out, image->renewal_date_ms);
		put_opt_string(out, image->renewal_window);
	}
	buf_put_zigzag(out, (int64_t)image->state_len);
	buf_put(out, image->state, image->state_len);
	return finish(out, why);
}

/* --- reading back ------------------------------------------------------- */

/* Marks the reader bad, and NULL, when it is none. */
static const char *
get_string(struct buf_reader *rd, struct arena *arena, bool *is_nomem)
{
	int64_t len = buf_get_zigzag(rd);
	const uint8_t *bytes;
	const char *text;

	if (len < 0)
		rd->is_bad = true;
	bytes = buf_get_bytes(rd, len < 0 ? 0 : (size_t)len);
	if (rd->is_bad || memchr(bytes, '\0', (size_t)len) != NULL ||
		!utf8_is_valid(bytes, (size_t)len)) {
		rd->is_bad = true;
		return NULL;
	}
	text = arena_copy(arena, bytes, (size_t)len);
	*is_nomem = *is_nomem || text == NULL;
	return text;
}

static bool
get_branch(struct buf_reader *rd)
{
	int64_t branch = buf_get_zigzag(rd);

	if (branch != 0 && branch != 1)
		rd->is_bad = true;
	return branch == 1 && !rd->is_bad;
}

static uint64_t
get_hash(struct buf_reader *rd)
{
	const uint8_t *digits;
	uint64_t hash = 0;

	if (buf_get_zigzag(rd) != FORM_HASH_TEXT - 1)
		rd->is_bad = true;
	digits = buf_get_bytes(rd, FORM_HASH_TEXT - 1);
	for (size_t i = 0; digits != NULL && i < FORM_HASH_TEXT - 1; i++) {
		uint8_t c = digits[i];

		if (c >= '0' && c <= '9')
			hash = hash << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			hash = hash << 4 | (uint64_t)(c - 'a' + 10);
		else
			rd->is_bad = true;
	}
	return hash;
}

/* Items of the array's one block, which is how we write it. */
static size_t
get_count(struct buf_reader *rd, size_t item_bytes_min)
{
	int64_t n = buf_get_zigzag(rd);

	/* Also bounds what is allocated: a count costs bytes to be true. */
	if (rd->is_bad || n < 0 ||
		(uint64_t)n > (size_t)(rd->end - rd->at) / item_bytes_min) {
		rd->is_bad = true;
		return 0;
	}
	return (size_t)n;
}

static bool
get_entries(struct buf_reader *rd, struct arena *arena,
	struct membership_image *image)
{
	bool is_nomem = false;
	size_t n = get_count(rd, ENTRY_BYTES_MIN);
	struct membership_entry *entries;

	if (n == 0)
		return true;
	entries = arena_array(arena, n, sizeof(*entries));
	if (entries == NULL)
		return false;
	for (size_t i = 0; i < n && !rd->is_bad; i++) {
		entries[i].segmentation = get_string(rd, arena, &is_nomem);
		entries[i].segment = get_string(rd, arena, &is_nomem);
		entries[i].since_ms = buf_get_zigzag(rd);
	}
	if (buf_get_zigzag(rd) != 0)
		rd->is_bad = true;
	image->entries = entries;
	image->nentries = n;
	return !is_nomem;
}

static bool
get_image(struct buf_reader *rd, struct arena *arena,
	struct membership_image *image)
{
	bool is_nomem = false;
	int64_t len;
	const uint8_t *state;

	image->account = get_string(rd, arena, &is_nomem);
	image->account_version = (uint64_t)buf_get_zigzag(rd);
	image->updated_at_ms = buf_get_zigzag(rd);
	image->rules_version = get_hash(rd);
	if (is_nomem || !get_entries(rd, arena, image))
		return false;
	image->has_renewal = get_branch(rd);
	if (image->has_renewal) {
		image->renewal_date_ms = buf_get_zigzag(rd);
		if (get_branch(rd))
			image->renewal_window =
				get_string(rd, arena, &is_nomem);
	}
	len = buf_get_zigzag(rd);
	if (len < 0)
		rd->is_bad = true;
	state = buf_get_bytes(rd, len < 0 ? 0 : (size_t)len);
	if (rd->is_bad)
		return true;
	image->state_len = (size_t)len;
	if (len > 0) {
		image->state = arena_copy(arena, state, (size_t)len);
		is_nomem = is_nomem || image->state == NULL;
	}
	return !is_nomem;
}

/* A decimal number in a header; false when there is none such. */
static bool
get_number_header(
	const struct record *rec, const char *name, uint64_t *ret_number)
{
	bool is_found = false;

	for (size_t i = 0; i < rec->nheaders; i++) {
		const struct record_header *header = &rec->headers[i];
		const char *digits = header->value;
		uint64_t n = 0;

		if (strcmp(header->name, name) != 0)
			continue;
		is_found =
			digits != NULL && header->len > 0 && header->len < 20;
		for (size_t j = 0; is_found && j < header->len; j++) {
			is_found = digits[j] >= '0' && digits[j] <= '9';
			n = n * 10 + (uint64_t)(digits[j] - '0');
		}
		*ret_number = n;
	}
	return is_found;
}

static enum sg_err
read_tombstone(const struct record *rec, struct arena *arena,
	struct membership_image *ret_image, struct sg_fault *why)
{
	struct membership_image image = {.is_deleted = true};
	uint64_t updated_at = 0;

	if (!get_number_header(rec, "account_version", &image.account_version))
		return sg_fault_set(why, SG_BAD_RECORD,
			"a tombstone without the header account_version: "
			"written by somebody else?");
	if (get_number_header(rec, "updated_at", &updated_at))
		image.updated_at_ms = (int64_t)updated_at;
	if (rec->key == NULL || !utf8_is_valid(rec->key, rec->key_len) ||
		memchr(rec->key, '\0', rec->key_len) != NULL)
		return sg_fault_set(
			why, SG_BAD_RECORD, "the key is not an account id");
	image.account = arena_copy(arena, rec->key, rec->key_len);
	if (image.account == NULL)
		return SG_NOMEM;
	*ret_image = image;
	return SG_OK;
}

const char *
publish_image_decided(const struct record *rec, struct arena *arena)
{
	for (size_t i = 0; i < rec->nheaders; i++) {
		const struct record_header *header = &rec->headers[i];

		if (strcmp(header->name, FORM_DECIDED_HEADER) == 0 &&
			header->value != NULL)
			return arena_copy(arena, header->value, header->len);
	}
	return NULL;
}

/* A registry's id may be of another registry by now: the header ce_type and
 * the form itself, which is checked, say what it is. */
static enum sg_err
read_frame(struct buf_reader *rd, struct sg_fault *why)
{
	uint8_t first = buf_get_u8(rd);

	if (first == 0) {
		(void)buf_get_u32(rd);
		return SG_OK;
	}
	if (first != MARK_0 || buf_get_u8(rd) != MARK_1)
		return sg_fault_set(why, SG_BAD_RECORD,
			"neither in Avro's single-object form nor in "
			"Confluent's");
	if (buf_get_u64(rd) != FORM_CURRENT)
		return sg_fault_set(why, SG_UNKNOWN_SCHEMA,
			"not written with current.v1.avsc of this version");
	return SG_OK;
}

enum sg_err
publish_image_read(const struct record *rec, struct arena *arena,
	struct membership_image *ret_image, struct sg_fault *why)
{
	struct membership_image image = {.account = NULL};
	struct buf_reader rd;
	enum sg_err err;

	if (rec->value == NULL)
		return read_tombstone(rec, arena, ret_image, why);
	buf_reader_init(&rd, rec->value, rec->value_len);
	err = read_frame(&rd, why);
	if (err != SG_OK)
		return err;
	if (!get_image(&rd, arena, &image))
		return SG_NOMEM;
	if (rd.is_bad || rd.at != rd.end)
		return sg_fault_set(
			why, SG_BAD_RECORD, "does not match current.v1.avsc");
	*ret_image = image;
	return SG_OK;
}
