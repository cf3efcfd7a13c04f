/* lex.h - tokens of an expression. */
#ifndef RULES_LEX_H
#define RULES_LEX_H

#include "compiler.h"

enum token_kind {
	TOK_END,
	TOK_BAD, /* a mistake was reported */
	TOK_IDENT,
	TOK_QUOTED,   /* `name` */
	TOK_RESERVED, /* may only be a member's name */
	TOK_IN,
	TOK_CONST, /* a literal: its value is in `value` */
	/* an int literal above INT64_MAX: only right after a minus */
	TOK_INT_MIN,
	TOK_LPAREN,
	TOK_RPAREN,
	TOK_LBRACKET,
	TOK_RBRACKET,
	TOK_LBRACE,
	TOK_RBRACE,
	TOK_DOT,
	TOK_COMMA,
	TOK_COLON,
	TOK_QUESTION,
	TOK_PLUS,
	TOK_MINUS,
	TOK_STAR,
	TOK_SLASH,
	TOK_PERCENT,
	TOK_NOT,
	TOK_AND,
	TOK_OR,
	TOK_LT,
	TOK_LE,
	TOK_GT,
	TOK_GE,
	TOK_EQ,
	TOK_NE,
};

struct token {
	uint8_t kind; /* enum token_kind */
	bool is_number;
	uint32_t offset;
	uint32_t len;
	struct value value;
};

struct lexer {
	struct compiler *cc;
	uint32_t at;
};

struct token
lex_next(struct lexer *lx);

/* Decode the body of a string or bytes literal. `raw` keeps backslashes.
 * False when a mistake was reported. */
bool
literal_text(struct compiler *cc, uint32_t offset, uint32_t len, bool is_bytes,
	bool is_raw, struct value *ret_value);

/* A number's text to a token value. */
struct token
literal_number(struct compiler *cc, uint32_t offset, uint32_t len);

#endif
