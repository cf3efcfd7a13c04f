/* lib.h - the functions of the library, by file. */
#ifndef RULES_LIB_H
#define RULES_LIB_H

#include "library.h"

#define CEL_FN(name)                                                           \
	struct value name(struct cel_frame *frame, const struct value *args,   \
		uint32_t nargs)

/* lib_convert.c */
CEL_FN(fn_bool);
CEL_FN(fn_bytes);
CEL_FN(fn_double);
CEL_FN(fn_duration);
CEL_FN(fn_dyn);
CEL_FN(fn_int);
CEL_FN(fn_string);
CEL_FN(fn_timestamp);
CEL_FN(fn_type);
CEL_FN(fn_uint);

/* lib_time.c */
CEL_FN(fn_days);
CEL_FN(fn_hours);
CEL_FN(fn_minutes);
CEL_FN(fn_seconds);
CEL_FN(fn_get_date);
CEL_FN(fn_get_day_of_month);
CEL_FN(fn_get_day_of_week);
CEL_FN(fn_get_day_of_year);
CEL_FN(fn_get_full_year);
CEL_FN(fn_get_hours);
CEL_FN(fn_get_milliseconds);
CEL_FN(fn_get_minutes);
CEL_FN(fn_get_month);
CEL_FN(fn_get_seconds);

/* lib_string.c */
CEL_FN(fn_char_at);
CEL_FN(fn_contains);
CEL_FN(fn_ends_with);
CEL_FN(fn_index_of);
CEL_FN(fn_last_index_of);
CEL_FN(fn_lower_ascii);
CEL_FN(fn_size);
CEL_FN(fn_starts_with);
CEL_FN(fn_substring);
CEL_FN(fn_trim);
CEL_FN(fn_upper_ascii);

/* lib_text.c */
CEL_FN(fn_join);
CEL_FN(fn_quote);
CEL_FN(fn_replace);
CEL_FN(fn_split);

/* lib_list.c */
CEL_FN(fn_distinct);
CEL_FN(fn_is_sorted);
CEL_FN(fn_list_index_of);
CEL_FN(fn_list_last_index_of);
CEL_FN(fn_max);
CEL_FN(fn_min);
CEL_FN(fn_reverse);
CEL_FN(fn_slice);
CEL_FN(fn_sort);
CEL_FN(fn_sum);

/* lib_math.c */
CEL_FN(fn_abs);
CEL_FN(fn_base64_decode);
CEL_FN(fn_base64_encode);
CEL_FN(fn_bit_and);
CEL_FN(fn_bit_not);
CEL_FN(fn_bit_or);
CEL_FN(fn_bit_shift_left);
CEL_FN(fn_bit_shift_right);
CEL_FN(fn_bit_xor);
CEL_FN(fn_ceil);
CEL_FN(fn_floor);
CEL_FN(fn_greatest);
CEL_FN(fn_is_finite);
CEL_FN(fn_is_inf);
CEL_FN(fn_is_nan);
CEL_FN(fn_least);
CEL_FN(fn_round);
CEL_FN(fn_sign);
CEL_FN(fn_sqrt);
CEL_FN(fn_trunc);

/* lib_format.c */
CEL_FN(fn_format);

/* Bytes of the code point that starts at text[0]. */
static inline uint32_t
code_point_len(const char *text, uint32_t len)
{
	uint32_t n = 1;

	while (n < len && ((unsigned char)text[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* The text from byte `at` on; an empty one may point nowhere. */
static inline const char *
text_at(struct value text, uint32_t at)
{
	return text.len == 0 ? "" : text.as.s + at;
}

/* Where `part` first stands in text from byte `from` on; UINT32_MAX: not. */
uint32_t
text_find(struct value text, struct value part, uint32_t from);

/* The byte at which code point `index` starts (len at the end); UINT32_MAX
 * when there are fewer. */
uint32_t
text_offset(struct value text, int64_t index);

/* How many code points. */
int64_t
text_count(const char *text, uint32_t len);

/* "3600s", "1.5s" as CEL prints a duration; its length. */
#define DURATION_TEXT_MAX 40
size_t
duration_print(struct value v, char *text);

#endif
