#include "series.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Resident bytes of this process, the second number of statm; 0: unknown. */
static uint64_t
resident_bytes(void)
{
	char text[128];
	char *at;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	long page = sysconf(_SC_PAGESIZE);
	ssize_t len;

	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (len <= 0 || page <= 0)
		return 0;
	text[len] = '\0';
	at = strchr(text, ' ');
	if (at == NULL)
		return 0;
	return (uint64_t)strtoull(at, NULL, 10) * (uint64_t)page;
}

static void
put(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s ", name, help, name,
		type, name);
}

void
process_write(int64_t started_ms, struct buf *out)
{
	uint64_t resident = resident_bytes();
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use) == 0) {
		int64_t us = (int64_t)use.ru_utime.tv_usec +
			     (int64_t)use.ru_stime.tv_usec;
		int64_t s = (int64_t)use.ru_utime.tv_sec +
			    (int64_t)use.ru_stime.tv_sec + us / 1000000;

		put(out, "process_cpu_seconds_total", "counter",
			"User and system CPU time spent.");
		buf_printf(out, "%" PRId64 ".%06" PRId64 "\n", s, us % 1000000);
	}
	if (resident > 0) {
		put(out, "process_resident_memory_bytes", "gauge",
			"Resident memory.");
		buf_printf(out, "%" PRIu64 "\n", resident);
	}
	put(out, "process_start_time_seconds", "gauge",
		"When the process started, since 1970.");
	buf_printf(out, "%" PRId64 ".%03" PRId64 "\n", started_ms / 1000,
		started_ms % 1000);
}
