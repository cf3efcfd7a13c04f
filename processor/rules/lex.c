/*
 * lex.c - the expression's text, token by token.
 *
 * Follows the CEL grammar: whitespace and // comments separate, identifiers
 * are ASCII, strings come raw or cooked, in one or three quotes, as text or
 * bytes. The source was checked to be UTF-8 before.
 */
#include "lex.h"

#include <string.h>

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool
is_ident_start(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int
peek(const struct lexer *lx, uint32_t ahead)
{
	uint32_t at = lx->at + ahead;

	return at < lx->cc->len ? (unsigned char)lx->cc->source[at] : -1;
}

static struct token
token_make(enum token_kind kind, uint32_t offset, uint32_t len)
{
	return (struct token){
		.kind = (uint8_t)kind, .offset = offset, .len = len};
}

static void
skip_space(struct lexer *lx)
{
	for (;;) {
		int c = peek(lx, 0);

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r' ||
			c == '\f') {
			lx->at++;
		} else if (c == '/' && peek(lx, 1) == '/') {
			while (peek(lx, 0) != -1 && peek(lx, 0) != '\n')
				lx->at++;
		} else {
			return;
		}
	}
}

static bool
word_is(const char *word, uint32_t len, const char *text)
{
	return strlen(text) == len && memcmp(word, text, len) == 0;
}

static struct token
word_token(const char *word, uint32_t offset, uint32_t len)
{
	static const char *const reserved[] = {"as", "break", "const",
		"continue", "else", "for", "function", "if", "import", "let",
		"loop", "package", "namespace", "return", "var", "void",
		"while"};
	struct token tok = token_make(TOK_IDENT, offset, len);

	if (word_is(word, len, "true") || word_is(word, len, "false")) {
		tok.kind = TOK_CONST;
		tok.value = value_bool(word[0] == 't');
	} else if (word_is(word, len, "null")) {
		tok.kind = TOK_CONST;
		tok.value = value_null();
	} else if (word_is(word, len, "in")) {
		tok.kind = TOK_IN;
	}
	for (size_t i = 0; i < SG_COUNTOF(reserved); i++) {
		if (word_is(word, len, reserved[i]))
			tok.kind = TOK_RESERVED;
	}
	return tok;
}

static struct token
lex_word(struct lexer *lx)
{
	uint32_t start = lx->at;

	while (is_ident_start(peek(lx, 0)) || is_digit(peek(lx, 0)))
		lx->at++;
	return word_token(lx->cc->source + start, start, lx->at - start);
}

static struct token
number_with_unit(struct lexer *lx, uint32_t start)
{
	const char *source = lx->cc->source;
	uint32_t n = 1;
	char hint[64];

	while (is_ident_start(peek(lx, n)) || is_digit(peek(lx, n)))
		n++;
	hint_unit(source + start, lx->at - start, source + lx->at, n, hint,
		sizeof(hint));
	diag_add(lx->cc, start, lx->at + 1 - start, hint,
		"a number cannot be followed by '%c'", source[lx->at]);
	return token_make(TOK_BAD, start, lx->at + 1 - start);
}

static struct token
lex_number(struct lexer *lx)
{
	uint32_t start = lx->at;

	if (peek(lx, 0) == '0' && (peek(lx, 1) | 32) == 'x') {
		lx->at += 2;
		while (is_digit(peek(lx, 0)) ||
			((peek(lx, 0) | 32) >= 'a' &&
				(peek(lx, 0) | 32) <= 'f'))
			lx->at++;
	} else {
		while (is_digit(peek(lx, 0)))
			lx->at++;
		if (peek(lx, 0) == '.' && is_digit(peek(lx, 1))) {
			lx->at++;
			while (is_digit(peek(lx, 0)))
				lx->at++;
		}
		if ((peek(lx, 0) | 32) == 'e') {
			uint32_t sign =
				peek(lx, 1) == '+' || peek(lx, 1) == '-';

			if (is_digit(peek(lx, 1 + sign))) {
				lx->at += 1 + sign;
				while (is_digit(peek(lx, 0)))
					lx->at++;
			}
		}
	}
	if ((peek(lx, 0) | 32) == 'u' && peek(lx, 0) != -1)
		lx->at++;
	if (is_ident_start(peek(lx, 0)))
		return number_with_unit(lx, start);
	return literal_number(lx->cc, start, lx->at - start);
}

/* Find the end of a literal that starts with `quotes` quotes at lx->at; the
 * body's length, or UINT32_MAX when it does not end. */
static uint32_t
body_len(struct lexer *lx, int quote, uint32_t quotes, bool is_raw)
{
	uint32_t n = 0;

	for (;; n++) {
		int c = peek(lx, n);

		if (c == -1 || (quotes == 1 && (c == '\n' || c == '\r')))
			return UINT32_MAX;
		if (c == '\\' && !is_raw && peek(lx, n + 1) != -1) {
			n++;
			continue;
		}
		if (c != quote)
			continue;
		if (quotes == 1)
			return n;
		if (peek(lx, n + 1) == quote && peek(lx, n + 2) == quote)
			return n;
	}
}

static struct token
lex_text(struct lexer *lx, uint32_t prefix, bool is_bytes, bool is_raw)
{
	uint32_t start = lx->at;
	int quote = peek(lx, prefix);
	uint32_t quotes = 1;
	struct token tok;

	if (peek(lx, prefix + 1) == quote && peek(lx, prefix + 2) == quote)
		quotes = 3;
	lx->at += prefix + quotes;

	uint32_t len = body_len(lx, quote, quotes, is_raw);

	if (len == UINT32_MAX) {
		diag_add(lx->cc, start, lx->at - start, "add the closing quote",
			"this text does not end");
		lx->at = lx->cc->len;
		return token_make(TOK_BAD, start, lx->at - start);
	}
	tok = token_make(TOK_CONST, start, prefix + quotes + len + quotes);
	if (!literal_text(lx->cc, lx->at, len, is_bytes, is_raw, &tok.value))
		tok.kind = TOK_BAD;
	lx->at += len + quotes;
	return tok;
}

/* A prefix of r, b, rb or br in any case, then a quote? */
static bool
lex_prefixed_text(struct lexer *lx, struct token *ret_tok)
{
	bool is_bytes = false, is_raw = false;
	uint32_t n = 0;

	for (; n < 3; n++) {
		int c = peek(lx, n);

		if (c == '"' || c == '\'') {
			*ret_tok = lex_text(lx, n, is_bytes, is_raw);
			return true;
		}
		if ((c | 32) == 'b' && !is_bytes && c != -1)
			is_bytes = true;
		else if ((c | 32) == 'r' && !is_raw && c != -1)
			is_raw = true;
		else
			return false;
	}
	return false;
}

static struct token
lex_quoted(struct lexer *lx)
{
	uint32_t start = lx->at++;

	for (;; lx->at++) {
		int c = peek(lx, 0);
		bool is_ok = is_ident_start(c) || is_digit(c) || c == '.' ||
			     c == '-' || c == '/' || c == ' ';

		if (c == '`' && lx->at > start + 1) {
			lx->at++;
			return token_make(TOK_QUOTED, start, lx->at - start);
		}
		if (!is_ok)
			break;
	}
	diag_add(lx->cc, start, lx->at - start, NULL,
		"a quoted name holds letters, digits, '_', '.', '-', '/' and "
		"spaces, and ends with '`'");
	return token_make(TOK_BAD, start, lx->at - start);
}

static struct token
lex_punctuation(struct lexer *lx)
{
	static const struct {
		char text[3];
		uint8_t kind;
	} table[] = {{"&&", TOK_AND}, {"||", TOK_OR}, {"<=", TOK_LE},
		{">=", TOK_GE}, {"==", TOK_EQ}, {"!=", TOK_NE}, {"<", TOK_LT},
		{">", TOK_GT}, {"!", TOK_NOT}, {"(", TOK_LPAREN},
		{")", TOK_RPAREN}, {"[", TOK_LBRACKET}, {"]", TOK_RBRACKET},
		{"{", TOK_LBRACE}, {"}", TOK_RBRACE}, {".", TOK_DOT},
		{",", TOK_COMMA}, {":", TOK_COLON}, {"?", TOK_QUESTION},
		{"+", TOK_PLUS}, {"-", TOK_MINUS}, {"*", TOK_STAR},
		{"/", TOK_SLASH}, {"%", TOK_PERCENT}};
	uint32_t start = lx->at;

	for (size_t i = 0; i < SG_COUNTOF(table); i++) {
		uint32_t len = (uint32_t)strlen(table[i].text);

		if (peek(lx, 0) == table[i].text[0] &&
			(len == 1 || peek(lx, 1) == table[i].text[1])) {
			lx->at += len;
			return token_make(
				(enum token_kind)table[i].kind, start, len);
		}
	}
	return token_make(TOK_BAD, start, 1);
}

static struct token
lex_bad(struct lexer *lx, struct token tok)
{
	int c = peek(lx, 0);
	const char *hint = NULL;

	while ((peek(lx, tok.len) & 0xc0) == 0x80 && peek(lx, tok.len) != -1)
		tok.len++;
	if (c == '=')
		hint = "did you mean == ?";
	else if (c == '&')
		hint = "did you mean && ?";
	else if (c == '|')
		hint = "did you mean || ?";
	if (c >= 0x20)
		diag_add(lx->cc, tok.offset, tok.len, hint,
			"'%.*s' does not belong here", (int)tok.len,
			lx->cc->source + tok.offset);
	else
		diag_add(lx->cc, tok.offset, tok.len, NULL,
			"character 0x%02x does not belong here", (unsigned)c);
	lx->at = lx->cc->len;
	return tok;
}

struct token
lex_next(struct lexer *lx)
{
	struct token tok;

	skip_space(lx);

	int c = peek(lx, 0);

	if (c == -1)
		return token_make(TOK_END, lx->at, 0);
	if (is_digit(c) || (c == '.' && is_digit(peek(lx, 1))))
		return lex_number(lx);
	if (lex_prefixed_text(lx, &tok))
		return tok;
	if (is_ident_start(c))
		return lex_word(lx);
	if (c == '`')
		return lex_quoted(lx);
	tok = lex_punctuation(lx);
	return tok.kind == TOK_BAD ? lex_bad(lx, tok) : tok;
}
