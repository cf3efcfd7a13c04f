/*
 * form.h - the wire forms of what is published: Avro and JSON.
 */
#ifndef PUBLISH_FORM_H
#define PUBLISH_FORM_H

#include "segmentd/buf.h"
#include "segmentd/change.h"
#include "segmentd/publish.h"

/*
 * CRC-64-AVRO of the canonical forms of schemas/NAME.v1.avsc: what stands in
 * front of a value. A test computes them from the files.
 */
#define FORM_CHANGE UINT64_C(0xbae358eefb55cfc0)
#define FORM_RENEWAL UINT64_C(0xa6f2d0211433025f)
#define FORM_CURRENT UINT64_C(0xdf644a5f5c205f3d)

#define FORM_DECIDED_HEADER "segmentd_decided"
#define FORM_FRAME_BYTES 10 /* of single-object framing */
#define FORM_VALUE_MAX ((size_t)16 << 20)
#define FORM_HASH_TEXT 17 /* bytes of a 64-bit number as text, with NUL */

SG_MUSTCHECK enum sg_err
form_renewal_avro(
	const struct change *change, struct buf *out, struct sg_fault *why);

/* 16 hexadecimal digits: a hash needs all 64 bits, which neither JSON's
 * numbers nor Avro's long have. */
void
form_hash_text(uint64_t hash, char text[FORM_HASH_TEXT]);

/* Append text that is UTF-8 whatever came in: each byte that is not becomes
 * U+FFFD. form_utf8_len() is how many bytes that appends. */
size_t
form_utf8_len(const char *text);
void
form_put_utf8(struct buf *out, const char *text);

#endif
