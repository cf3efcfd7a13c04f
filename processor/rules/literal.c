/*
 * literal.c - the values of literals: escapes in texts, numbers.
 */
#include <string.h>

#include "decimal.h"
#include "lex.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static size_t
put_utf8(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | (code >> 6));
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | (code >> 12));
		out[1] = (char)(0x80 | ((code >> 6) & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | (code >> 18));
	out[1] = (char)(0x80 | ((code >> 12) & 0x3f));
	out[2] = (char)(0x80 | ((code >> 6) & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* \x41 \u0041 \U00000041 \101: digits after the letter, to a code. -1 when
 * malformed. */
static int64_t
escape_number(const char *text, uint32_t len, uint32_t ndigits, uint32_t base)
{
	int64_t code = 0;

	if (len < ndigits)
		return -1;
	for (uint32_t i = 0; i < ndigits; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0 || (uint32_t)digit >= base)
			return -1;
		code = code * base + digit;
	}
	return code;
}

static int
escape_letter(char c)
{
	static const char from[] = "abfnrtv\\?\"'`";
	static const char to[] = "\a\b\f\n\r\t\v\\?\"'`";
	const char *at = c == '\0' ? NULL : strchr(from, c);

	return at == NULL ? -1 : to[at - from];
}

/* The escape at text[0] == '\\': bytes consumed, 0 when malformed. */
static uint32_t
escape(const char *text, uint32_t len, bool is_bytes, char *out,
	size_t *ret_out)
{
	uint32_t ndigits = 0, used = 2;
	int64_t code;

	*ret_out = 1;
	if (len < 2)
		return 0;
	if (escape_letter(text[1]) >= 0) {
		out[0] = (char)escape_letter(text[1]);
		return 2;
	}
	if (text[1] == 'x' || text[1] == 'X')
		ndigits = 2;
	else if (text[1] == 'u' && !is_bytes)
		ndigits = 4;
	else if (text[1] == 'U' && !is_bytes)
		ndigits = 8;
	if (ndigits != 0) {
		code = escape_number(text + 2, len - 2, ndigits, 16);
		used += ndigits;
	} else {
		code = escape_number(text + 1, len - 1, 3, 8);
		used = 4;
		if (code > 255)
			return 0;
	}
	if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	if (is_bytes)
		out[0] = (char)code;
	else
		*ret_out = put_utf8((uint32_t)code, out);
	return used;
}

bool
literal_text(struct compiler *cc, uint32_t offset, uint32_t len, bool is_bytes,
	bool is_raw, struct value *ret_value)
{
	const char *text = cc->source + offset;
	/* No escape is longer than what it stands for. */
	char *out = cc_alloc(cc, len + 1);
	size_t n = 0;

	if (out == NULL)
		return false;
	for (uint32_t i = 0; i < len;) {
		size_t made;
		uint32_t used;

		if (is_raw || text[i] != '\\') {
			out[n++] = text[i++];
			continue;
		}
		used = escape(text + i, len - i, is_bytes, out + n, &made);
		if (used == 0) {
			diag_add(cc, offset + i, len - i < 2 ? 1 : 2,
				"use \\\\ for a backslash, or a raw text "
				"r'...'",
				"this escape is not valid");
			return false;
		}
		i += used;
		n += made;
	}
	*ret_value = is_bytes ? value_bytes((const uint8_t *)out, (uint32_t)n)
			      : value_string(out, (uint32_t)n);
	return true;
}

static bool
parse_hex(const char *text, size_t len, uint64_t *ret_number)
{
	uint64_t n = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (n >> 60 != 0)
			return false;
		n = n << 4 | (uint64_t)hex_digit(text[i]);
	}
	*ret_number = n;
	return true;
}

static struct token
number_bad(struct compiler *cc, struct token tok)
{
	diag_add(cc, tok.offset, tok.len, NULL,
		"the number '%.*s' is malformed or too large",
		(int)(tok.len > 40 ? 40 : tok.len), cc->source + tok.offset);
	tok.kind = TOK_BAD;
	return tok;
}

struct token
literal_number(struct compiler *cc, uint32_t offset, uint32_t len)
{
	const char *text = cc->source + offset;
	struct token tok = {.kind = TOK_CONST,
		.is_number = true,
		.offset = offset,
		.len = len};
	bool is_uint = (text[len - 1] | 32) == 'u';
	bool is_hex = len > 1 && (text[1] | 32) == 'x';
	uint64_t n;
	double d;

	if (!is_hex && !is_uint && memchr(text, '.', len) == NULL &&
		memchr(text, 'e', len) == NULL &&
		memchr(text, 'E', len) == NULL) {
		if (!decimal_parse_uint(text, len, &n))
			return number_bad(cc, tok);
	} else if (is_hex) {
		if (!parse_hex(text + 2, len - 2 - is_uint, &n))
			return number_bad(cc, tok);
	} else if (is_uint) {
		if (!decimal_parse_uint(text, len - 1, &n))
			return number_bad(cc, tok);
	} else {
		if (!decimal_parse(text, len, true, &d))
			return number_bad(cc, tok);
		tok.value = value_double(d);
		return tok;
	}
	if (is_uint) {
		tok.value = value_uint(n);
	} else {
		tok.value = value_int((int64_t)n);
		if (n == UINT64_C(1) << 63)
			tok.kind = TOK_INT_MIN;
		else if (n > (uint64_t)INT64_MAX)
			return number_bad(cc, tok);
	}
	return tok;
}
