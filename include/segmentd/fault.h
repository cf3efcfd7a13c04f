/*
 * fault.h - kill points: a build with FAULTS=1 dies where a test wants it to.
 *
 *      SEGMENTD_FAULT=<point>:<n>:<exit|stop|drop>[,...]
 *
 * At its n-th passing the point kills the process (SIGKILL), stops it
 * (SIGSTOP), or loses the outcome of what was just done. Each does so once.
 * The points are in tbl/faults.def. In ordinary builds there is nothing.
 */
#ifndef SEGMENTD_FAULT_H
#define SEGMENTD_FAULT_H

#ifdef SEGMENTD_FAULTS

#include <stdbool.h>
#include <stdio.h>

enum fault {
#define FAULT(name, can_drop, where) FAULT_##name,
#include "segmentd/tbl/faults.def"
#undef FAULT
	FAULT_COUNT
};

/* Pass a point. True when what was done there is to be taken as lost. A text
 * in SEGMENTD_FAULT that is wrong ends the process with status 64. */
bool
fault_pass(enum fault fault);

/* One point a line: name, what can happen there, where it is. */
void
fault_list(FILE *stream);

#define FAULT_POINT(name) ((void)fault_pass(FAULT_##name))
#define FAULT_DROPS(name) fault_pass(FAULT_##name)

#else

#define FAULT_POINT(name) ((void)0)
#define FAULT_DROPS(name) false

#endif

#endif
