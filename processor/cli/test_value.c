/*
 * test_value.c - is a value what a file says it is?
 *
 * A text of YAML has no type, so the value's own kind says how to read it: a
 * number by its digits, a time as RFC 3339, a duration as `14d` or `3600s`.
 * `null` stands for null and for a value that is not there. Of a record or map
 * only the keys given are compared.
 */
#include <string.h>

#include "segmentd/civil.h"
#include "test_file.h"

#define DIGITS_MAX 400
#define DEPTH_MAX 32

/* A decimal number as its significant digits and their exponent. */
struct number {
	bool is_negative;
	size_t n;
	int exponent; /* of the last digit */
	char digits[DIGITS_MAX];
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
read_exponent(const char *text, int *ret_exponent)
{
	bool is_negative = *text == '-';
	int n = 0;

	text += *text == '-' || *text == '+';
	if (!is_digit(*text))
		return false;
	for (; is_digit(*text) && n < 10000; text++)
		n = n * 10 + (*text - '0');
	*ret_exponent = is_negative ? -n : n;
	return *text == '\0';
}

static bool
read_number(const char *text, struct number *number)
{
	bool has_point = false;
	bool has_digit = false;
	int exponent = 0;

	number->n = 0;
	number->exponent = 0;
	number->is_negative = *text == '-';
	text += *text == '-';
	for (; is_digit(*text) || (*text == '.' && !has_point); text++) {
		if (*text == '.') {
			has_point = true;
			continue;
		}
		has_digit = true;
		number->exponent -= has_point;
		if (number->n == 0 && *text == '0')
			continue;
		if (number->n == DIGITS_MAX)
			return false;
		number->digits[number->n++] = *text;
	}
	if (!has_digit)
		return false;
	if ((*text == 'e' || *text == 'E') &&
		!read_exponent(text + 1, &exponent))
		return false;
	if (*text != '\0' && *text != 'e' && *text != 'E')
		return false;
	number->exponent += exponent;
	while (number->n > 0 && number->digits[number->n - 1] == '0') {
		number->n--;
		number->exponent++;
	}
	if (number->n == 0) {
		number->exponent = 0;
		number->is_negative = false;
	}
	return true;
}

bool
test_same_number(const char *a, const char *b)
{
	struct number x, y;

	return read_number(a, &x) && read_number(b, &y) &&
	       x.is_negative == y.is_negative && x.n == y.n &&
	       x.exponent == y.exponent && memcmp(x.digits, y.digits, x.n) == 0;
}

static bool
is_time(struct value value, const struct doc_node *node)
{
	int64_t seconds;
	int32_t nanos;

	return civil_parse(
		       node->text.s, node->text.len, false, &seconds, &nanos) &&
	       seconds == value.as.i && (uint32_t)nanos == value.nanos;
}

static bool
is_span(struct value value, const struct doc_node *node)
{
	const char *text = node->text.s;
	bool is_negative = *text == '-';
	int64_t ms;

	if (!civil_parse_span(text + is_negative,
		    node->text.len - (is_negative ? 1 : 0), &ms))
		return false;
	return value_to_ms(value) == (is_negative ? -ms : ms);
}

static bool
is_text(struct value value, const struct type *type,
	const struct doc_node *node)
{
	struct buf text;
	bool is_same;

	buf_init(&text, 1 << 20);
	value_to_text(value, type, &text);
	is_same = !text.is_failed &&
		  (strcmp(buf_cstr(&text), node->text.s) == 0 ||
			  (value.kind != VALUE_STRING &&
				  test_same_number(
					  buf_cstr(&text), node->text.s)));
	buf_fini(&text);
	return is_same;
}

static bool
value_is(struct value value, const struct type *type,
	const struct doc_node *node, int depth);

static bool
is_list(struct value value, const struct type *type,
	const struct doc_node *node, int depth)
{
	const struct doc_node *c = node->first;

	if (value.kind != VALUE_LIST || value.len != node->n)
		return false;
	for (uint32_t i = 0; i < value.len; i++, c = c->next) {
		if (!value_is(value.as.items[i],
			    type == NULL ? NULL : type->item, c, depth + 1))
			return false;
	}
	return true;
}

static bool
find_entry(struct value value, const struct type *type,
	const struct doc_node *node, struct value *ret_value,
	const struct type **ret_type)
{
	if (value.kind == VALUE_RECORD && type != NULL) {
		int at = type_field_index(type, node->key.s, node->key.len);

		if (at < 0 || (uint32_t)at >= value.len)
			return false;
		*ret_value = value.as.items[at];
		*ret_type = type->fields[at].type;
		return true;
	}
	for (uint32_t i = 0; value.kind == VALUE_MAP && i < value.len; i++) {
		struct value key = value.as.items[2 * (size_t)i];

		if (key.kind != VALUE_STRING || key.len != node->key.len ||
			memcmp(key.as.s, node->key.s, key.len) != 0)
			continue;
		*ret_value = value.as.items[2 * (size_t)i + 1];
		*ret_type = type == NULL ? NULL : type->item;
		return true;
	}
	return false;
}

static bool
value_is(struct value value, const struct type *type,
	const struct doc_node *node, int depth)
{
	if (depth > DEPTH_MAX)
		return false;
	if (node->is_null)
		return value.kind == VALUE_NULL || value.kind == VALUE_ABSENT;
	if (node->kind == DOC_LIST)
		return is_list(value, type, node, depth);
	for (const struct doc_node *c = node->first;
		node->kind == DOC_MAP && c != NULL; c = c->next) {
		const struct type *inner;
		struct value entry;

		if (!find_entry(value, type, c, &entry, &inner) ||
			!value_is(entry, inner, c, depth + 1))
			return false;
	}
	if (node->kind == DOC_MAP)
		return value.kind == VALUE_RECORD || value.kind == VALUE_MAP;
	switch (value.kind) {
	case VALUE_TIMESTAMP:
		return is_time(value, node);
	case VALUE_DURATION:
		return is_span(value, node);
	case VALUE_NULL:
	case VALUE_ABSENT:
		return false;
	case VALUE_ERROR:
		return strcmp(node->text.s, "error") == 0;
	default:
		return is_text(value, type, node);
	}
}

bool
test_value_is(struct value value, const struct type *type,
	const struct doc_node *node)
{
	return value_is(value, type, node, 0);
}
