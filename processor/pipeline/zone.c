/* zone.c - the time zone of an account, and that of its renewal windows. */
#include "decide_private.h"
#include "segmentd/civil.h"

/* An account that names no zone has that of all others; one that names a zone
 * nobody knows has none, and what asks for it fails. */
static bool
names_no_zone(struct value v)
{
	return v.kind == VALUE_NULL || cel_is_absent(v) ||
	       (v.kind == VALUE_STRING && v.len == 0);
}

void
decide_load_zone(struct decider *d, struct value *ret_value, int64_t *ret_until)
{
	struct cel_result res = decide_eval(d, d->prog->zone_prog);

	*ret_until = res.valid_until_ms;
	if (names_no_zone(res.value))
		*ret_value = value_string("UTC", 3);
	else if (res.value.kind == VALUE_STRING &&
		 tz_open(res.value.as.s, res.value.len) == NULL)
		*ret_value = value_error("time zone not known");
	else
		*ret_value = value_copy(&d->scratch, res.value);
}

/* The zone of an account, as getters without one take it; NULL: it failed. */
static const struct tz *
account_zone(struct decider *d, int64_t *until_ms)
{
	struct value name;
	int64_t name_until;

	if (d->prog->zone_prog == NULL)
		return d->prog->timezone;
	decide_load(d, d->prog->zone_slot, d->now_ms, &name, &name_until);
	if (name_until < *until_ms)
		*until_ms = name_until;
	return name.kind == VALUE_STRING ? tz_open(name.as.s, name.len) : NULL;
}

const struct tz *
decide_zone(struct decider *d, int64_t *ret_until)
{
	struct cel_result res;

	*ret_until = AT_NEVER;
	if (d->prog->renewal_tz != NULL)
		return d->prog->renewal_tz;
	if (d->prog->renewal_tz_prog == NULL)
		return account_zone(d, ret_until);
	res = decide_eval(d, d->prog->renewal_tz_prog);
	*ret_until = res.valid_until_ms;
	if (names_no_zone(res.value))
		return account_zone(d, ret_until);
	return res.value.kind == VALUE_STRING
		       ? tz_open(res.value.as.s, res.value.len)
		       : NULL;
}
