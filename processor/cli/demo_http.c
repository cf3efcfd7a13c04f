/* demo_http.c - the demo's own /metrics, and one number of it. */
#include "demo_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_get.h"

bool
demo_http_get(uint16_t port, const char *path, struct buf *out)
{
	char text[8];
	int status = 0;

	(void)snprintf(text, sizeof(text), "%u", (unsigned)port);
	return http_get("127.0.0.1", text, path, &status, out) && status == 200;
}

uint64_t
demo_metric(const char *text, const char *name, const char *label)
{
	size_t len = strlen(name);
	uint64_t sum = 0;

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		const char *end;
		const char *found;

		line += *line == '\n';
		if (strncmp(line, name, len) != 0 ||
			(line[len] != ' ' && line[len] != '{'))
			continue;
		end = line + strcspn(line, "\n");
		found = label == NULL ? line : strstr(line, label);
		if (found == NULL || found >= end)
			continue;
		while (end > line && end[-1] != ' ')
			end--;
		sum += strtoull(end, NULL, 10);
	}
	return sum;
}
