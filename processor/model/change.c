#include "segmentd/change.h"

#include "segmentd/err.h"

const char *
change_origin_name(enum change_origin origin)
{
	static const char *const names[] = {
#define ORIGIN(name) #name,
		CHANGE_ORIGINS(ORIGIN)
#undef ORIGIN
	};

	return (size_t)origin < SG_COUNTOF(names) ? names[origin] : "unknown";
}

const char *
change_action_name(enum change_action action)
{
	static const char *const names[] = {
#define ACTION(name) #name,
		CHANGE_ACTIONS(ACTION)
#undef ACTION
	};

	return (size_t)action < SG_COUNTOF(names) ? names[action] : "unknown";
}
