#include "redis_keys.h"

#include <stdio.h>
#include <string.h>

enum sg_err
redis_prefix_check(const char *prefix, struct sg_fault *why)
{
	size_t len = strlen(prefix);

	if (len == 0 || len > STORE_PREFIX_MAX)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.prefix has 1 to %d characters",
			STORE_PREFIX_MAX);
	for (size_t i = 0; i < len; i++)
		if (prefix[i] <= ' ' || prefix[i] > '~' || prefix[i] == '{' ||
			prefix[i] == '}')
			return sg_fault_set(why, SG_BAD_OPTION,
				"redis.prefix: letters, digits and signs, but "
				"no spaces or braces");
	return SG_OK;
}

void
redis_keys_init(struct redis_keys *keys, const char *prefix,
	enum store_layout layout, int32_t number)
{
	static const char *const formats[REDIS_KEY_COUNT] = {
		[REDIS_KEY_STATE] = "state:",
		[REDIS_KEY_VIEW] = "acct:",
		[REDIS_KEY_SEGMENT] = "seg:",
		[REDIS_KEY_RENEWALS] = "renewals",
		[REDIS_KEY_OPEN] = "renewals:open",
		[REDIS_KEY_WINDOW] = "renewals:open:",
		[REDIS_KEY_DONE] = "renewals:done",
		[REDIS_KEY_META] = "m",
		[REDIS_KEY_DUE] = "due",
	};
	char tag[16] = "", group[16];

	if (layout == STORE_PARTITIONED)
		(void)snprintf(tag, sizeof(tag), "{%d}:", (int)number);
	(void)snprintf(group, sizeof(group), "p%d:", (int)number);
	for (size_t i = 0; i < REDIS_KEY_COUNT; i++) {
		struct redis_key_text *key = &keys->key[i];
		bool is_group = i == REDIS_KEY_META || i == REDIS_KEY_DUE;

		key->len =
			(size_t)snprintf(key->at, sizeof(key->at), "%s:%s%s%s",
				prefix, tag, is_group ? group : "", formats[i]);
	}
}
