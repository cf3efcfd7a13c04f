/*
 * Any bytes as a configuration: read, told about, formatted. What can be
 * formatted means the same afterwards, and is formatted for good.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/conf.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
must(int holds)
{
	if (!holds)
		abort();
}

/* Every text is pointed at, at every byte. */
static void
point_everywhere(struct conf_diags *diags, const struct conf *conf)
{
	for (size_t i = 0; i < conf->nvariables; i++) {
		const struct conf_text *text = &conf->variables[i].expr;

		for (uint32_t at = 0; text->s != NULL && at < text->len; at++)
			conf_diag_at(diags, text, at, 2, true, NULL, "here");
	}
}

static void
format_twice(const char *yaml, size_t len)
{
	struct conf_diags *diags = NULL;
	struct buf once, twice;

	buf_init(&once, 1 << 22);
	buf_init(&twice, 1 << 22);
	must(conf_diags_create(&diags) == SG_OK);
	if (conf_format("f", yaml, len, diags, &once) == SG_OK) {
		must(conf_format("f", buf_cstr(&once), once.len, diags,
			     &twice) == SG_OK);
		must(once.len == twice.len &&
			memcmp(once.bytes, twice.bytes, once.len) == 0);
	}
	conf_diags_destroy(diags);
	buf_fini(&once);
	buf_fini(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct conf_diags *diags = NULL;
	struct conf *conf = NULL;
	struct buf out;

	if (len > 65536)
		return 0;
	buf_init(&out, 1 << 22);
	must(conf_diags_create(&diags) == SG_OK);
	if (conf_parse("f", ".", (const char *)bytes, len, diags, &conf) ==
		SG_OK)
		point_everywhere(diags, conf);
	else
		must(conf_diags_errors(diags) > 0);
	conf_diags_print(diags, true, &out);
	must(!out.is_failed);
	conf_destroy(conf);
	conf_diags_destroy(diags);
	buf_fini(&out);
	format_twice((const char *)bytes, len);
	return 0;
}
