/*
 * clock.h - the only place where time is read. Everything else is told.
 */
#ifndef SEGMENTD_CLOCK_H
#define SEGMENTD_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970-01-01T00:00:00Z. */
int64_t
clock_now_ms(void);

/* Monotonic microseconds, for measuring and for deadlines. */
int64_t
clock_mono_us(void);
/* The same in nanoseconds, for what takes less than one. */
int64_t
clock_mono_ns(void);

/* Sleep; a signal may end it early. */
void
clock_sleep_ms(int64_t ms);

/* Fill `bytes` with `len` random bytes of the system (tokens, lineages). */
void
clock_random(void *bytes, uint32_t len);

#endif
