/*
 * demo_summary.h - what is in Redis at the end, as anybody could read it.
 */
#ifndef CLI_DEMO_SUMMARY_H
#define CLI_DEMO_SUMMARY_H

#include "demo_place.h"
#include "demo_show.h"

struct demo_facts {
	uint64_t nevents;
	uint64_t ntransactions; /* 0: not known */
	bool is_fast;		/* nothing held it back */
	int64_t played_us;
	int64_t clock_ms; /* how far it came */
	char top[64];	  /* filled: an account to look at; "" for none */
};

SG_MUSTCHECK enum sg_err
demo_summary(const struct demo_show *show, const struct demo_place *place,
	struct demo_facts *facts, struct sg_fault *why);

#endif
