#include "segmentd/fault.h"

#ifdef SEGMENTD_FAULTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segmentd/err.h"

enum deed { DEED_NONE, DEED_EXIT, DEED_STOP, DEED_DROP };

static const struct {
	const char *name;
	bool can_drop;
	const char *where;
} points[] = {
#define FAULT(name, can_drop, where) {#name, can_drop, where},
#include "segmentd/tbl/faults.def"
#undef FAULT
};

/* Written once, before the first point is passed; `left` counts down. */
static struct {
	enum deed deed;
	atomic_long left;
} plans[FAULT_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
refuse(const char *text)
{
	(void)fprintf(stderr,
		"SEGMENTD_FAULT: `%s` is not POINT:NUMBER:exit|stop|drop\n",
		text);
	_exit(SG_EXIT_USAGE);
}

static enum deed
deed_of(const char *text, bool can_drop)
{
	if (strcmp(text, "exit") == 0)
		return DEED_EXIT;
	if (strcmp(text, "stop") == 0)
		return DEED_STOP;
	return can_drop && strcmp(text, "drop") == 0 ? DEED_DROP : DEED_NONE;
}

/* One "K1:2:exit"; `text` is taken apart. */
static bool
read_plan(char *text)
{
	char *number = strchr(text, ':');
	char *deed = number == NULL ? NULL : strchr(number + 1, ':');
	char *end;
	long n;

	if (deed == NULL)
		return false;
	*number++ = '\0';
	*deed++ = '\0';
	n = strtol(number, &end, 10);
	if (end == number || *end != '\0' || n < 1)
		return false;
	for (size_t i = 0; i < FAULT_COUNT; i++) {
		if (strcmp(points[i].name, text) != 0)
			continue;
		plans[i].deed = deed_of(deed, points[i].can_drop);
		atomic_store(&plans[i].left, n);
		return plans[i].deed != DEED_NONE;
	}
	return false;
}

static void
read_plans(void)
{
	const char *given = getenv("SEGMENTD_FAULT");
	char *text = given == NULL ? NULL : strdup(given);
	char *rest = text;

	while (rest != NULL && *rest != '\0') {
		char *comma = strchr(rest, ',');

		if (comma != NULL)
			*comma = '\0';
		if (!read_plan(rest))
			refuse(given);
		rest = comma == NULL ? NULL : comma + 1;
	}
	free(text);
}

bool
fault_pass(enum fault fault)
{
	(void)pthread_once(&once, read_plans);
	if (plans[fault].deed == DEED_NONE ||
		atomic_fetch_sub(&plans[fault].left, 1) != 1)
		return false;
	(void)fprintf(stderr, "event=fault point=%s\n", points[fault].name);
	/* To this thread: one for the process may be taken by another thread,
	 * and until that one runs, this one would go on. */
	if (plans[fault].deed != DEED_DROP)
		(void)raise(plans[fault].deed == DEED_EXIT ? SIGKILL : SIGSTOP);
	return plans[fault].deed == DEED_DROP;
}

void
fault_list(FILE *stream)
{
	for (size_t i = 0; i < FAULT_COUNT; i++)
		(void)fprintf(stream, "%s exit,stop%s %s\n", points[i].name,
			points[i].can_drop ? ",drop" : "", points[i].where);
}

#else

/* A translation unit is not empty. */
typedef int fault_is_not_compiled;

#endif
