#include "segmentd/utf8.h"

#include <stdint.h>
#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool
is_tail(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The range of the second byte is what excludes overlong forms (E0, F0),
 * surrogates (ED) and what is above U+10FFFF (F4). */
static bool
is_second(uint8_t first, uint8_t byte)
{
	switch (first) {
	case 0xe0:
		return byte >= 0xa0 && byte <= 0xbf;
	case 0xed:
		return byte >= 0x80 && byte <= 0x9f;
	case 0xf0:
		return byte >= 0x90 && byte <= 0xbf;
	case 0xf4:
		return byte >= 0x80 && byte <= 0x8f;
	default:
		return is_tail(byte);
	}
}

size_t
utf8_char_len(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t want;

	if (len == 0)
		return 0;
	if (at[0] < 0x80)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	want = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	if (len < want || !is_second(at[0], at[1]))
		return 0;
	for (size_t i = 2; i < want; i++) {
		if (!is_tail(at[i]))
			return 0;
	}
	return want;
}

bool
utf8_is_valid(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		uint64_t word;

		/* Most text is ASCII: eight bytes at a time. */
		while (len >= sizeof(word)) {
			memcpy(&word, at, sizeof(word));
			if ((word & HIGH_BITS) != 0)
				break;
			at += sizeof(word);
			len -= sizeof(word);
		}
		if (len == 0)
			break;

		size_t step = utf8_char_len(at, len);

		if (step == 0)
			return false;
		at += step;
		len -= step;
	}
	return true;
}
