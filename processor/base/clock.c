#include "segmentd/clock.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

int64_t
clock_now_ms(void)
{
	struct timespec now;

	/* Neither clock can fail on Linux once its id is known. */
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		abort();
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_mono_us(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		abort();
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_mono_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		abort();
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void
clock_sleep_ms(int64_t ms)
{
	struct timespec span;

	if (ms <= 0)
		return;
	span.tv_sec = (time_t)(ms / 1000);
	span.tv_nsec = (long)(ms % 1000) * 1000000;
	(void)nanosleep(&span, NULL);
}

void
clock_random(void *bytes, uint32_t len)
{
	uint8_t *at = bytes;
	size_t left = len;

	while (left > 0) {
		ssize_t got = getrandom(at, left, 0);

		/* A token that can be guessed is worse than no process. */
		if (got < 0 && errno != EINTR)
			abort();
		if (got > 0) {
			at += got;
			left -= (size_t)got;
		}
	}
}
