/*
 * demo_show.h - what a person sees of the demo: changes, progress, summary.
 *
 * Changes and clocks come from the pipeline's worker; the first thread prints.
 */
#ifndef CLI_DEMO_SHOW_H
#define CLI_DEMO_SHOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "demo_broker.h"
#include "demo_company.h"
#include "segmentd/change.h"
#include "segmentd/conf.h"

#define DEMO_LINES_MAX 512 /* changes waiting to be shown */
#define DEMO_WHY_MAX 160

enum demo_colour { DEMO_PLAIN, DEMO_GOOD, DEMO_WARN, DEMO_BAD, DEMO_NEWS };

/* One change as it is shown. */
struct demo_line {
	int64_t at_ms;
	uint32_t account;
	const char *what; /* the segmentation; of the configuration */
	char from[24];
	char to[24];
	char why[DEMO_WHY_MAX];
	enum demo_colour colour;
	int worth; /* of being shown */
};

struct demo_show {
	const struct demo_company *company;
	const struct conf *conf;
	bool has_colours;
	bool has_status; /* a line that is written again and again */
	bool is_utf8;
	int width;
	int64_t tokens_us; /* may pay for lines */
	int64_t last_us;
	char recent[8][24]; /* what was shown last, for variety */
	size_t nrecent;
	uint64_t nshown;

	pthread_mutex_t mtx;
	/* shared, under mtx */
	struct demo_line lines[DEMO_LINES_MAX];
	size_t nlines;
	uint64_t nchanges;
	uint64_t nplaced; /* of them, the first place of an account */
	uint64_t (*moves)[ORIGIN_COUNT]; /* by segmentation; renewal is last */
	int32_t ngroups;
	int64_t clock_ms[DEMO_PARTITIONS_MAX];
};

SG_MUSTCHECK enum sg_err
demo_show_init(struct demo_show *show, const struct demo_company *company,
	const struct conf *conf, int32_t ngroups);
void
demo_show_fini(struct demo_show *show);

/* Of pipeline_run_opts. Thread: a worker's. */
void
demo_show_change(struct demo_show *show, const struct change *change);
void
demo_show_clock(struct demo_show *show, int32_t group, int64_t now_ms);

/* Up to where all groups have come. */
int64_t
demo_show_now(struct demo_show *show);

/* Print what is due. */
void
demo_show_head(const struct demo_show *show);
void
demo_show_frame(struct demo_show *show);
/* Take the status line away. */
void
demo_show_end(struct demo_show *show);

/* --- demo_why.c --------------------------------------------------------- */

/* Fills everything but the account, whose ARR was `arr` before. False: not
 * worth a line, ever. */
bool
demo_why(const struct change *change, int64_t arr, struct demo_line *ret_line);

/* "$48k", "$1.2M"; always the same width is the caller's. */
void
demo_money(int64_t dollars, char text[32]);
/* "1,234,567" */
void
demo_number(uint64_t n, char text[32]);
/* "2024-03-01" */
void
demo_date(int64_t at_ms, char text[32]);

#endif
