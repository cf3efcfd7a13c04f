/* replay.h - a replay as the rest of pipeline/ sees it. */
#ifndef PIPELINE_REPLAY_H
#define PIPELINE_REPLAY_H

#include "group.h"

/* The one group that holds every account. */
struct group *
replay_group(struct replay *replay);

#endif
