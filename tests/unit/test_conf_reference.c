/*
 * The reference file, the options and the JSON Schema say the same: what one
 * of them is changed in has to be changed in all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segmentd/conf.h"

#define REFERENCE "config/segmentd.yaml"
#define BUF_MAX (4 << 20)

static void
file_load(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	int c;

	assert_non_null(file);
	while ((c = getc(file)) != EOF)
		buf_put_u8(out, (uint8_t)c);
	assert_int_equal(fclose(file), 0);
}

static void
the_reference_file_ends_with_every_option(void **state)
{
	struct buf file, options;

	(void)state;
	buf_init(&file, BUF_MAX);
	buf_init(&options, BUF_MAX);
	file_load(REFERENCE, &file);
	conf_reference(&options);
	assert_true(file.len > options.len);
	/* To mend a difference, put the output of `segmentd check --options`
	 * behind the last heading of the file. */
	assert_string_equal(
		buf_cstr(&file) + (file.len - options.len), buf_cstr(&options));
	buf_fini(&file);
	buf_fini(&options);
}

/* Take the # away before every key: "#redis:", "  #url: ...". */
static void
uncomment(const char *text, struct buf *out)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		size_t blanks = strspn(text, " ");

		if (text[blanks] == '#' && text[blanks + 1] != ' ') {
			buf_put(out, text, blanks);
			buf_put(out, text + blanks + 1, len - blanks - 1);
		} else {
			buf_put(out, text, len);
		}
		buf_put_u8(out, '\n');
		text += len + (text[len] == '\n');
	}
}

static struct conf *
parse(const char *text, struct conf_diags *diags)
{
	struct conf *conf = NULL;
	struct buf out;

	assert_int_equal(
		conf_parse("test", ".", text, strlen(text), diags, &conf),
		SG_OK);
	if (conf_diags_errors(diags) > 0) {
		buf_init(&out, BUF_MAX);
		conf_diags_print(diags, false, &out);
		fail_msg("%s", buf_cstr(&out));
	}
	return conf;
}

static void
options_taken_out_of_their_comments_are_the_defaults(void **state)
{
	struct conf_diags *diags = NULL;
	struct conf *set, *unset;
	struct buf options, text;
	size_t n;
	const struct conf_option *rows = conf_option_rows(&n);

	(void)state;
	buf_init(&options, BUF_MAX);
	buf_init(&text, BUF_MAX);
	conf_reference(&options);
	uncomment(buf_cstr(&options), &text);
	buf_put_str(&text, "inputs: {a: {topic: a}}\n");
	assert_int_equal(conf_diags_create(&diags), SG_OK);
	set = parse(buf_cstr(&text), diags);
	unset = parse("inputs: {a: {topic: a}}\n", diags);

	assert_true(n > 20);
	for (size_t i = 0; i < n; i++) {
		const char *a = (const char *)&set->opt + rows[i].offset;
		const char *b = (const char *)&unset->opt + rows[i].offset;

		if (rows[i].kind == CONF_TEXT) {
			const struct conf_text *at = (const void *)a;
			const struct conf_text *bt = (const void *)b;

			/* That it was read, and not left at the default. */
			if (at->line == 0)
				fail_msg("%s was not read", rows[i].path);
			assert_string_equal(at->s, bt->s);
			continue;
		}
		if (memcmp(a, b,
			    rows[i].kind == CONF_BOOL	? sizeof(bool)
			    : rows[i].kind == CONF_ENUM ? sizeof(int)
							: sizeof(int64_t)) != 0)
			fail_msg("%s differs", rows[i].path);
	}
	conf_destroy(set);
	conf_destroy(unset);
	conf_diags_destroy(diags);
	buf_fini(&options);
	buf_fini(&text);
}

static void
every_file_of_ours_has_no_mistakes(void **state)
{
	static const char *const wanted[] = {"SEGMENTD_GROUP", "HOSTNAME",
		"KAFKA_BROKERS", "KAFKA_USER", "KAFKA_PASSWORD", "REDIS_HOST",
		"REDIS_PASSWORD"};
	glob_t found;

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(wanted); i++)
		(void)setenv(wanted[i], "x", 1);
	assert_int_equal(glob(REFERENCE, 0, NULL, &found), 0);
	(void)glob("config/presets/*.yaml", GLOB_APPEND, NULL, &found);
	(void)glob("config/examples/*.yaml", GLOB_APPEND, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct conf_diags *diags = NULL;
		struct conf *conf = NULL;
		struct buf out;

		if (strstr(found.gl_pathv[i], ".test.yaml") != NULL)
			continue; /* scenarios beside a configuration */
		assert_int_equal(conf_diags_create(&diags), SG_OK);
		assert_int_equal(
			conf_read(found.gl_pathv[i], NULL, 0, diags, &conf),
			SG_OK);
		buf_init(&out, BUF_MAX);
		conf_require_broker(conf, diags);
		conf_diags_print(diags, false, &out);
		assert_string_equal(buf_cstr(&out), "");
		for (size_t j = 0; j < conf->ninputs; j++)
			assert_int_equal(
				access(conf->inputs[j].schema.s, R_OK), 0);
		buf_fini(&out);
		conf_destroy(conf);
		conf_diags_destroy(diags);
	}
	globfree(&found);
}

/* --- the JSON Schema, judged by somebody else's implementation ---------- */

static const char judge[] =
	"import glob, json, sys\n"
	"try:\n"
	"    import warnings; warnings.simplefilter('ignore')\n"
	"    import jsonschema, yaml\n"
	"    make = jsonschema.Draft202012Validator\n"
	"except Exception:\n"
	"    sys.exit(77)\n"
	"schema = json.load(sys.stdin)\n"
	"make.check_schema(schema)\n"
	"valid = make(schema)\n"
	"bad = 0\n"
	"good = ['config/segmentd.yaml', 'tests/golden/conf/good.yaml']\n"
	"good += glob.glob('config/presets/*.yaml')\n"
	"good += [path for path in glob.glob('config/examples/*.yaml')\n"
	"    if not path.endswith('.test.yaml')]\n"
	"for path in good:\n"
	"    for e in valid.iter_errors(yaml.safe_load(open(path))):\n"
	"        print(path, e.json_path, e.message); bad += 1\n"
	/* A mistake of form on every line of these: the schema has to see the
	 * mistake of each entry of its own. */
	"def entries(path, *keys):\n"
	"    part = yaml.safe_load(open('tests/golden/conf/' + path))\n"
	"    for key in keys: part = part[key]\n"
	"    return part.items()\n"
	"def refused(what, conf):\n"
	"    global bad\n"
	"    if valid.is_valid(conf): print('not refused:', what); bad += 1\n"
	"for name, value in entries('features.yaml', 'inputs', 'usage',\n"
	"        'features'):\n"
	"    if name in ('g', 'h', 'l'): continue # how long, it cannot say\n"
	"    refused(name, {'inputs': {'u': {'topic': 't', 'features':\n"
	"        {'f': value}}}})\n"
	"for name, value in entries('options_form.yaml'):\n"
	"    if name in ('inputs', 'topics'): continue # YAML 1.1: yes is "
	"true\n"
	"    refused(name, {'inputs': {'u': {'topic':\n"
	"        't'}}, name: value})\n"
	"for name, value in entries('segmentations.yaml', 'segmentations'):\n"
	"    if name in ('c', 'd', 'g'): continue\n"
	"    refused(name, {'inputs': {'u': {'topic': 't'}},\n"
	"        'segmentations': {'s': value}})\n"
	"for path in ('unknown_key', 'no_inputs', 'alerts', 'names', 'kafka',\n"
	"        'wrong_kind', 'no_value', 'scores', 'collect', 'renewal'):\n"
	"    refused(path, yaml.safe_load(open('tests/golden/conf/' + path +\n"
	"        '.yaml')))\n"
	"sys.exit(1 if bad else 0)\n";

static void
the_json_schema_takes_our_files_and_refuses_mistakes(void **state)
{
	char script[] = "/tmp/segmentd-judge-XXXXXX";
	char command[128];
	struct buf schema;
	FILE *pipe;
	int fd, status;

	(void)state;
	fd = mkstemp(script);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, judge, strlen(judge)), strlen(judge));
	assert_int_equal(close(fd), 0);

	buf_init(&schema, BUF_MAX);
	conf_json_schema(&schema);
	assert_false(schema.is_failed);
	(void)snprintf(command, sizeof(command), "/usr/bin/python3 %s", script);
	(void)fflush(NULL);
	pipe = popen(command, "w");
	assert_non_null(pipe);
	(void)fwrite(buf_cstr(&schema), 1, schema.len, pipe);
	status = pclose(pipe);
	(void)unlink(script);
	buf_fini(&schema);
	if (WIFEXITED(status) &&
		(WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127))
		skip();
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_file_ends_with_every_option),
		cmocka_unit_test(
			options_taken_out_of_their_comments_are_the_defaults),
		cmocka_unit_test(every_file_of_ours_has_no_mistakes),
		cmocka_unit_test(
			the_json_schema_takes_our_files_and_refuses_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
