/*
 * resp.h - Redis commands, written straight into a buffer.
 *
 * A commit is formatted once and sent again as the same bytes if need be, so
 * it is kept as bytes and not as a list of commands. A stream merges what goes
 * together: `MSET k v k v ...` for 500 accounts is one command, `HSET acct f v
 * f v ...` one for each account. How many arguments a command has is known only
 * at its end, so its header is written last:
 *
 *      [ slack ] [ finished commands ] [ *?  open command ... ]
 *      ^start                          ^open_at
 *
 * A header that turns out wider than one digit is made room for by moving the
 * shorter side: what is before it into the slack, or what is behind it.
 */
#ifndef SEGMENTD_RESP_H
#define SEGMENTD_RESP_H

#include "segmentd/buf.h"

/* The kind of a command that is never continued. */
#define RESP_LONE (-1)

struct resp_stream {
	struct buf buf;
	size_t start;
	size_t open_at;
	uint32_t nargs;	    /* of the open command; 0: none is open */
	uint32_t ncommands; /* finished and open */
	int kind;	    /* of the open command, as the caller names it */
	size_t key_at;	    /* where its key is, for resp_is_open() */
	size_t key_len;
};

void
resp_init(struct resp_stream *stream, size_t max_bytes);
void
resp_fini(struct resp_stream *stream);
void
resp_reset(struct resp_stream *stream);

/* Begin a command; the one before is closed. */
void
resp_begin(struct resp_stream *stream, int kind, const char *name);
void
resp_arg(struct resp_stream *stream, const void *bytes, size_t len);
void
resp_arg_text(struct resp_stream *stream, const char *text);
void
resp_arg_uint(struct resp_stream *stream, uint64_t n);
void
resp_arg_double(struct resp_stream *stream, double n);

/* An argument made of two parts. */
void
resp_arg2(struct resp_stream *stream, const void *a, size_t alen, const void *b,
	size_t blen);

/* The argument written last is the command's key. */
void
resp_mark_key(struct resp_stream *stream, size_t len);

/* Is a command of this kind open, with this key, and not too long already? */
bool
resp_is_open(const struct resp_stream *stream, int kind, const void *a,
	size_t alen, const void *b, size_t blen);
void
resp_close(struct resp_stream *stream);

/* Append the commands of another, closed stream. */
void
resp_append(struct resp_stream *stream, const struct resp_stream *other);

/* The closed commands. Valid until: the stream changes. */
const uint8_t *
resp_bytes(const struct resp_stream *stream, size_t *ret_len);

#endif
