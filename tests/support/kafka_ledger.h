/*
 * kafka_ledger.h - what librdkafka's mock cluster leaves out of transactions.
 *
 * The mock forgets the offsets of a transaction and shows readers what was
 * aborted. So some functions of librdkafka are stood in front of here: they
 * call the real one, and note what one worker has sent, committed and aborted.
 * Committed offsets are answered from that, and records of segmentd.current
 * that were not committed are kept from the reader, as a broker does.
 *
 * Tests include kafka_ledger.c itself. One worker a process.
 *
 * Thread: any.
 */
#ifndef SEGMENTD_TESTS_KAFKA_LEDGER_H
#define SEGMENTD_TESTS_KAFKA_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#define LEDGER_TEXT 160

/* Begin anew, with another cluster. Without transactions what is delivered
 * counts, and offsets are the mock's own affair. */
void
ledger_reset(bool is_transactional);

/* A commit whose answer is an error was made all the same. */
void
ledger_answers_lie(bool is_lying);

/* Keep what is read from the worker for a moment, so that it meets all that is
 * made ready for it meanwhile. */
void
ledger_hold(bool is_held);

struct ledger_state {
	size_t nchanges; /* committed, without repeats */
	size_t nimages;	 /* the same, with every version from 1 on */
	size_t nrepeats;
	size_t nopens; /* producers */
	size_t nasked; /* for committed offsets */
	size_t naborts;
	/* What must not be: a gap, a repeat in transactions, a position that
	 * goes back. "": nothing. */
	char wrong[LEDGER_TEXT];
};

struct ledger_state
ledger_state(void);

#endif
