/* position.c - positions of a partition group as texts. */
#include "position.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
position_write_w(const struct program *prog, const int64_t *offsets,
	int64_t clock_ms, struct buf *out)
{
	for (size_t i = 0; i < prog->ninputs; i++)
		buf_printf(out, "%s%s=%" PRId64, i == 0 ? "" : ",",
			prog->inputs[i].topic, offsets[i]);
	if (clock_ms != INT64_MIN)
		buf_printf(out, ";now=%" PRId64, clock_ms);
}

static bool
read_int(const char *text, size_t len, int base, int64_t *ret_n)
{
	char copy[32];
	char *end;

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	errno = 0;
	*ret_n = strtoll(copy, &end, base);
	return errno == 0 && *end == '\0';
}

/* One "name=value" up to any of `ends`; moves *at behind it. */
static bool
read_pair(const char **at, const char *ends, const char **ret_name,
	size_t *ret_name_len, const char **ret_value, size_t *ret_value_len)
{
	size_t len = strcspn(*at, ends);
	const char *eq = memchr(*at, '=', len);

	if (eq == NULL)
		return false;
	*ret_name = *at;
	*ret_name_len = (size_t)(eq - *at);
	*ret_value = eq + 1;
	*ret_value_len = len - *ret_name_len - 1;
	*at += len;
	return true;
}

static bool
is_name(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && memcmp(name, text, len) == 0;
}

bool
position_read_w(const struct program *prog, const char *text,
	int64_t *ret_offsets, int64_t *ret_clock_ms)
{
	const char *at = text;
	bool is_behind = false; /* behind the topics: a topic may be "now" */

	*ret_clock_ms = INT64_MIN;
	for (size_t i = 0; i < prog->ninputs; i++)
		ret_offsets[i] = -1;
	while (*at != '\0') {
		const char *name, *value;
		size_t name_len, value_len;
		int64_t n;

		if (!read_pair(
			    &at, ",;", &name, &name_len, &value, &value_len) ||
			!read_int(value, value_len, 10, &n))
			return false;
		for (size_t i = 0; i < prog->ninputs && !is_behind; i++) {
			if (is_name(prog->inputs[i].topic, name, name_len))
				ret_offsets[i] = n;
		}
		if (is_behind && is_name("now", name, name_len))
			*ret_clock_ms = n;
		is_behind = is_behind || *at == ';';
		at += *at != '\0';
	}
	return true;
}

void
position_write_decided(const struct program *prog,
	const struct position_decided *decided, struct buf *out)
{
	position_write_w(prog, decided->offsets, decided->clock_ms, out);
	buf_printf(out, ";cno=%" PRIu64 "%s", decided->cno,
		decided->is_in_txn ? ";txn=1" : "");
}

bool
position_read_decided(const struct program *prog, const char *text,
	struct position_decided *ret_decided)
{
	const char *at = strstr(text, ";cno=");
	int64_t cno;
	size_t len;

	if (at == NULL)
		return false;
	at += strlen(";cno=");
	len = strcspn(at, ";");
	if (!read_int(at, len, 10, &cno) || cno < 0)
		return false;
	ret_decided->cno = (uint64_t)cno;
	ret_decided->is_in_txn = strcmp(at + len, ";txn=1") == 0;
	return (ret_decided->is_in_txn || at[len] == '\0') &&
	       position_read_w(prog, text, ret_decided->offsets,
		       &ret_decided->clock_ms);
}

void
position_write_meta(const struct position_meta *meta, struct buf *out)
{
	buf_printf(out, "v=1;lin=%s;cno=%" PRIu64 ";rules=%" PRIx64,
		meta->lineage, meta->cno, meta->rules);
	if (meta->clock_ms != INT64_MIN)
		buf_printf(out, ";now=%" PRId64, meta->clock_ms);
	if (meta->start >= 0)
		buf_printf(out, ";start=%" PRId64, meta->start);
	/* One with a separator in it is not worth a form of its own. */
	if (meta->by[0] != '\0' && strchr(meta->by, ';') == NULL)
		buf_printf(out, ";by=%s", meta->by);
}

static bool
take_pair(struct position_meta *meta, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	int64_t n;

	if (is_name("v", name, name_len))
		return value_len == 1 && value[0] == '1';
	if (is_name("lin", name, name_len)) {
		if (value_len >= sizeof(meta->lineage))
			return false;
		memcpy(meta->lineage, value, value_len);
		meta->lineage[value_len] = '\0';
		return true;
	}
	if (is_name("cno", name, name_len)) {
		if (!read_int(value, value_len, 10, &n))
			return false;
		meta->cno = (uint64_t)n;
	} else if (is_name("rules", name, name_len)) {
		if (!read_int(value, value_len, 16, &n))
			return false;
		meta->rules = (uint64_t)n;
	} else if (is_name("now", name, name_len)) {
		return read_int(value, value_len, 10, &meta->clock_ms);
	} else if (is_name("start", name, name_len)) {
		return read_int(value, value_len, 10, &meta->start) &&
		       meta->start >= 0;
	} else if (is_name("by", name, name_len) &&
		   value_len < sizeof(meta->by)) {
		memcpy(meta->by, value, value_len);
	}
	return true;
}

bool
position_read_meta(const char *text, struct position_meta *ret_meta)
{
	const char *at = text;

	memset(ret_meta, 0, sizeof(*ret_meta));
	ret_meta->clock_ms = INT64_MIN;
	ret_meta->start = -1;
	while (*at != '\0') {
		const char *name, *value;
		size_t name_len, value_len;

		if (!read_pair(
			    &at, ";", &name, &name_len, &value, &value_len) ||
			!take_pair(ret_meta, name, name_len, value, value_len))
			return false;
		at += *at != '\0';
	}
	return ret_meta->lineage[0] != '\0';
}

int64_t
position_start(const char *text)
{
	struct position_meta meta;

	return text != NULL && position_read_meta(text, &meta) ? meta.start
							       : -1;
}
