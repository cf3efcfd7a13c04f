/*
 * inflate.c - unpack raw deflate data (RFC 1951).
 *
 * Avro containers are the only thing that needs it, a block at a time, all in
 * memory: some 200 lines here are less to carry than one library more.
 *
 * Codes are canonical: of one length they are consecutive, shorter ones come
 * first. A code of up to FAST_BITS bits is found with one look at a table by
 * the next bits of the input; a longer one by counting up from the first code
 * of each length.
 *
 * INVARIANTS
 *  - `nbits` bits of `bits` are valid, those above are 0: at the end of the
 *    input a code may be looked up beyond it, but never be taken.
 *  - what is copied from lies within what this call has put out.
 */
#include "inflate.h"

#include <string.h>

#define FAST_BITS 10
#define CODE_BITS 15
#define LITERALS 288
#define DISTANCES 32
#define TOO_LARGE "it unpacks to more than is allowed"

struct code {
	uint16_t fast[1 << FAST_BITS]; /* symbol << 4 | length; 0: longer */
	uint16_t count[CODE_BITS + 1];
	uint16_t symbol[LITERALS]; /* in the order of their codes */
};

struct inflate {
	const uint8_t *at;
	const uint8_t *end;
	uint64_t bits;
	unsigned nbits;
	struct buf *out;
	size_t start; /* of what this call puts out */
	struct code literal;
	struct code distance;
};

static void
refill(struct inflate *z)
{
	while (z->nbits <= 56 && z->at < z->end) {
		z->bits |= (uint64_t)*z->at++ << z->nbits;
		z->nbits += 8;
	}
}

/* The next `n` bits (n <= 16), as a number; -1 past the end. */
static int
take(struct inflate *z, unsigned n)
{
	int value;

	refill(z);
	if (z->nbits < n)
		return -1;
	value = (int)(z->bits & ((UINT64_C(1) << n) - 1));
	z->bits >>= n;
	z->nbits -= n;
	return value;
}

/* --- codes ---------------------------------------------------------------- */

static unsigned
reversed(unsigned code, unsigned len)
{
	unsigned back = 0;

	for (; len > 0; len--, code >>= 1)
		back = back << 1 | (code & 1);
	return back;
}

static void
fast_fill(struct code *code, const uint8_t *lens, size_t n)
{
	unsigned next[CODE_BITS + 2] = {0};

	memset(code->fast, 0, sizeof(code->fast));
	for (unsigned len = 1; len <= CODE_BITS; len++)
		next[len + 1] = (next[len] + code->count[len]) << 1;
	for (size_t i = 0; i < n; i++) {
		unsigned len = lens[i];
		unsigned at;

		if (len == 0)
			continue;
		at = reversed(next[len]++, len);
		for (; len <= FAST_BITS && at < 1 << FAST_BITS; at += 1u << len)
			code->fast[at] = (uint16_t)(i << 4 | len);
	}
}

/* False when the lengths make no code: too many, or too few (one code of one
 * bit is allowed, and none at all). */
static bool
code_make(struct code *code, const uint8_t *lens, size_t n)
{
	uint16_t offset[CODE_BITS + 2] = {0};
	int left = 1;
	size_t used;

	memset(code->count, 0, sizeof(code->count));
	for (size_t i = 0; i < n; i++)
		code->count[lens[i]]++;
	used = n - code->count[0];
	code->count[0] = 0;
	for (unsigned len = 1; len <= CODE_BITS; len++) {
		left = left * 2 - code->count[len];
		if (left < 0)
			return false;
		offset[len + 1] = (uint16_t)(offset[len] + code->count[len]);
	}
	if (left > 0 && !(used == 0 || (used == 1 && code->count[1] == 1)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (lens[i] != 0)
			code->symbol[offset[lens[i]]++] = (uint16_t)i;
	fast_fill(code, lens, n);
	return true;
}

/* The next symbol; -1 when there is none. */
static int
symbol_take(struct inflate *z, const struct code *code)
{
	unsigned entry;
	int at = 0, first = 0, index = 0;

	refill(z);
	entry = code->fast[z->bits & ((1 << FAST_BITS) - 1)];
	if (entry != 0 && (entry & 15) <= z->nbits) {
		z->bits >>= entry & 15;
		z->nbits -= entry & 15;
		return (int)(entry >> 4);
	}
	for (unsigned len = 1; len <= CODE_BITS && len <= z->nbits; len++) {
		int count = code->count[len];

		at |= (int)(z->bits >> (len - 1) & 1);
		if (at - count < first) {
			z->bits >>= len;
			z->nbits -= len;
			return code->symbol[index + (at - first)];
		}
		index += count;
		first = (first + count) << 1;
		at <<= 1;
	}
	return -1;
}

/* --- blocks --------------------------------------------------------------- */

static const char *
stored_block(struct inflate *z)
{
	int len, inverse;

	(void)take(z, z->nbits % 8);
	len = take(z, 16);
	inverse = take(z, 16);
	if (len < 0 || inverse < 0 || len != (inverse ^ 0xffff))
		return "a stored block is damaged";
	for (; len > 0; len--) {
		int byte = take(z, 8);

		if (byte < 0)
			return "it ends early";
		buf_put_u8(z->out, (uint8_t)byte);
	}
	return NULL;
}

static const char *
copy(struct inflate *z, size_t distance, size_t len)
{
	size_t have = z->out->len - z->start;
	uint8_t *to;

	if (distance > have)
		return "a distance is too far";
	to = buf_reserve(z->out, len);
	if (to == NULL)
		return TOO_LARGE;
	for (size_t i = 0; i < len; i++)
		to[i] = *(to + i - distance);
	z->out->len += len;
	return NULL;
}

static const char *
match(struct inflate *z, int symbol)
{
	static const uint16_t base[] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17,
		19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
		227, 258};
	static const uint8_t extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2,
		2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
	static const uint16_t far_base[] = {1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33,
		49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
		3073, 4097, 6145, 8193, 12289, 16385, 24577};
	int more, far, far_more;

	symbol -= 257;
	if (symbol >= (int)SG_COUNTOF(base))
		return "there is no such length";
	more = take(z, extra[symbol]);
	far = symbol_take(z, &z->distance);
	if (far < 0 || far >= (int)SG_COUNTOF(far_base))
		return "there is no such distance";
	far_more = take(z, far < 4 ? 0 : (unsigned)far / 2 - 1);
	if (more < 0 || far_more < 0)
		return "it ends early";
	return copy(z, (size_t)far_base[far] + (size_t)far_more,
		(size_t)base[symbol] + (size_t)more);
}

static const char *
coded_block(struct inflate *z)
{
	const char *why = NULL;

	while (why == NULL) {
		int symbol = symbol_take(z, &z->literal);

		if (symbol < 0)
			return "there is no such code, or it ends early";
		if (symbol == 256)
			return NULL;
		if (symbol < 256)
			buf_put_u8(z->out, (uint8_t)symbol);
		else
			why = match(z, symbol);
		if (z->out->is_failed)
			return TOO_LARGE;
	}
	return why;
}

static const char *
fixed_codes(struct inflate *z)
{
	uint8_t lens[LITERALS];

	memset(lens, 8, 144);
	memset(lens + 144, 9, 256 - 144);
	memset(lens + 256, 7, 280 - 256);
	memset(lens + 280, 8, LITERALS - 280);
	(void)code_make(&z->literal, lens, LITERALS);
	memset(lens, 5, DISTANCES);
	(void)code_make(&z->distance, lens, DISTANCES);
	return NULL;
}

/* Code lengths, themselves coded with runs, into `lens`. */
static const char *
lengths_read(struct inflate *z, uint8_t *lens, int n)
{
	static const uint8_t bits[] = {2, 3, 7};
	static const uint8_t base[] = {3, 3, 11};
	int at = 0;

	while (at < n) {
		int symbol = symbol_take(z, &z->literal);
		int run = 1, more;
		uint8_t len = (uint8_t)symbol;

		if (symbol < 0)
			return "a code is damaged";
		if (symbol >= 16) {
			more = take(z, bits[symbol - 16]);
			if (more < 0 || (symbol == 16 && at == 0))
				return "a code is damaged";
			run = base[symbol - 16] + more;
			len = symbol == 16 ? lens[at - 1] : 0;
		}
		if (run > n - at)
			return "a code is damaged";
		memset(lens + at, len, (size_t)run);
		at += run;
	}
	return NULL;
}

static const char *
own_codes(struct inflate *z)
{
	static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11,
		4, 12, 3, 13, 2, 14, 1, 15};
	uint8_t lens[LITERALS + DISTANCES] = {0};
	int nliteral = take(z, 5) + 257;
	int ndistance = take(z, 5) + 1;
	int nlen = take(z, 4) + 4;
	const char *why;

	if (nliteral > 286 || ndistance > 30 || nliteral < 257 ||
		ndistance < 1 || nlen < 4)
		return "a code is damaged";
	for (int i = 0; i < nlen; i++) {
		int len = take(z, 3);

		if (len < 0)
			return "it ends early";
		lens[order[i]] = (uint8_t)len;
	}
	if (!code_make(&z->literal, lens, 19))
		return "a code is damaged";
	memset(lens, 0, sizeof(lens));
	why = lengths_read(z, lens, nliteral + ndistance);
	if (why != NULL)
		return why;
	if (lens[256] == 0 || !code_make(&z->literal, lens, (size_t)nliteral) ||
		!code_make(&z->distance, lens + nliteral, (size_t)ndistance))
		return "a code is damaged";
	return NULL;
}

const char *
inflate_all(const void *bytes, size_t len, struct buf *out)
{
	struct inflate z = {.at = bytes,
		.end = (const uint8_t *)bytes + len,
		.out = out,
		.start = out->len};
	const char *why = NULL;
	int is_last;

	do {
		int type;

		is_last = take(&z, 1);
		type = take(&z, 2);
		if (is_last < 0 || type < 0)
			return "it ends early";
		if (type == 3)
			return "there is no such block";
		if (type == 0) {
			why = stored_block(&z);
		} else {
			why = type == 1 ? fixed_codes(&z) : own_codes(&z);
			if (why == NULL)
				why = coded_block(&z);
		}
	} while (why == NULL && !is_last && !out->is_failed);
	if (why == NULL && out->is_failed)
		why = TOO_LARGE;
	return why;
}
