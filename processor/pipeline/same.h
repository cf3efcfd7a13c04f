/*
 * same.h - are two rules the same, or one a weaker form of the other?
 *
 * Told from the texts: blanks and comments outside quotes do not count.
 */
#ifndef PIPELINE_SAME_H
#define PIPELINE_SAME_H

#include <stdbool.h>
#include <stdint.h>

#include "segmentd/doc.h"

/* Both may be absent: then they are the same. */
bool
same_rule(const struct conf_text *a, const struct conf_text *b);

/* Rules that are the same have the same. */
uint64_t
same_hash(const struct conf_text *rule);

/* Does `weak` hold wherever `strong` does? Known of two comparisons of one
 * thing with numbers: `x > 10` and `x >= 20`. False when it is not known. */
bool
same_threshold(const struct conf_text *weak, const struct conf_text *strong);

/* Do two clauses of a && b && c exclude each other, so that it never holds?
 * Known of comparisons of one thing with numbers, or of == with texts:
 * `x > 5 && x < 3`. False when it is not known. */
bool
same_contradicts(const char *rule);

#endif
