/*
 * utf8.h - what is UTF-8 and what is not (RFC 3629).
 */
#ifndef SEGMENTD_UTF8_H
#define SEGMENTD_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at `bytes`, 1..4; 0 when it is not valid UTF-8 (a
 * surrogate, an overlong form, above U+10FFFF, cut short) or len is 0. */
size_t
utf8_char_len(const void *bytes, size_t len);

/* Valid UTF-8 from end to end? No bytes at all are valid. */
bool
utf8_is_valid(const void *bytes, size_t len);

#endif
