#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/err.h"
#include "segmentd/utf8.h"

/* Encode a code point the plain way, also those that may not be encoded. */
static size_t
encode(uint32_t code, uint8_t bytes[4])
{
	if (code < 0x80) {
		bytes[0] = (uint8_t)code;
		return 1;
	}
	if (code < 0x800) {
		bytes[0] = (uint8_t)(0xc0 | code >> 6);
		bytes[1] = (uint8_t)(0x80 | (code & 63));
		return 2;
	}
	if (code < 0x10000) {
		bytes[0] = (uint8_t)(0xe0 | code >> 12);
		bytes[1] = (uint8_t)(0x80 | (code >> 6 & 63));
		bytes[2] = (uint8_t)(0x80 | (code & 63));
		return 3;
	}
	bytes[0] = (uint8_t)(0xf0 | code >> 18);
	bytes[1] = (uint8_t)(0x80 | (code >> 12 & 63));
	bytes[2] = (uint8_t)(0x80 | (code >> 6 & 63));
	bytes[3] = (uint8_t)(0x80 | (code & 63));
	return 4;
}

static void
every_code_point_is_valid_but_surrogates_and_beyond(void **state)
{
	uint8_t bytes[4];

	(void)state;
	for (uint32_t code = 0; code < 0x1fffff; code++) {
		size_t len = encode(code, bytes);
		bool want =
			code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);

		if (utf8_is_valid(bytes, len) != want)
			fail_msg("U+%04X", code);
		if (utf8_char_len(bytes, len) != (want ? len : 0))
			fail_msg("length of U+%04X", code);
		/* Cut short it is never valid. */
		if (utf8_is_valid(bytes, len - 1) != (len == 1))
			fail_msg("U+%04X cut short", code);
	}
}

/* All pairs of bytes, against the definition. */
static void
two_bytes_are_valid_as_rfc_3629_says(void **state)
{
	(void)state;
	for (unsigned int a = 0; a < 256; a++) {
		for (unsigned int b = 0; b < 256; b++) {
			uint8_t bytes[2] = {(uint8_t)a, (uint8_t)b};
			bool want = (a < 0x80 && b < 0x80) ||
				    (a >= 0xc2 && a <= 0xdf && b >= 0x80 &&
					    b <= 0xbf);

			if (utf8_is_valid(bytes, 2) != want)
				fail_msg("%02x %02x", a, b);
		}
	}
}

static void
edges_are_told_apart(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
		bool want;
	} rows[] = {
		{"nothing", "", 0, true},
		{"a NUL", "\0", 1, true},
		{"overlong NUL", "\xc0\x80", 2, false},
		{"overlong slash", "\xc1\xaf", 2, false},
		{"overlong, three bytes", "\xe0\x9f\xbf", 3, false},
		{"overlong, four bytes", "\xf0\x8f\xbf\xbf", 4, false},
		{"first surrogate", "\xed\xa0\x80", 3, false},
		{"before the surrogates", "\xed\x9f\xbf", 3, true},
		{"U+10FFFF", "\xf4\x8f\xbf\xbf", 4, true},
		{"U+110000", "\xf4\x90\x80\x80", 4, false},
		{"five bytes", "\xf8\x88\x80\x80\x80", 5, false},
		{"a tail alone", "\x80", 1, false},
		{"bad after eight good", "12345678\xff", 9, false},
		{"bad as the eighth", "1234567\xff", 8, false},
		{"a character across the eighth byte", "1234567\xc3\xa4", 9,
			true},
		{"cut short across the eighth byte", "1234567\xc3", 8, false},
		{"good after a wide one", "\xf0\x9f\x98\x80 12345678 \xc3\xa4",
			16, true},
		{"third byte is no tail", "\xe2\x82\x41", 3, false},
		{"fourth byte is no tail", "\xf0\x9f\x98\x41", 4, false},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		if (utf8_is_valid(rows[i].bytes, rows[i].len) != rows[i].want)
			fail_msg("row %zu: %s", i, rows[i].name);
	}
	assert_true(utf8_is_valid(NULL, 0));
	assert_int_equal(utf8_char_len(NULL, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_code_point_is_valid_but_surrogates_and_beyond),
		cmocka_unit_test(two_bytes_are_valid_as_rfc_3629_says),
		cmocka_unit_test(edges_are_told_apart),
	};

	return cmocka_run_group_tests_name("base_utf8", tests, NULL, NULL);
}
