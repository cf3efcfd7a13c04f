/*
 * log.h - one line an entry, logfmt or JSON, to standard error.
 *
 *     SG_LOG(LOG_WARN, "redis_down", LOG_STR("url", url),
 *	       LOG_INT("retry_ms", pause_ms));
 *
 * writes
 *
 *     time=2026-03-01T10:00:00.000Z level=warn event=redis_down url=...
 *retry_ms=100
 *
 * Never an account's data. What can happen per record is counted, and logged
 * through a struct log_limit at most once a second.
 *
 * Thread: any.
 */
#ifndef SEGMENTD_LOG_H
#define SEGMENTD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

enum log_field_type { LOG_F_STR, LOG_F_INT, LOG_F_DOUBLE, LOG_F_BOOL };

struct log_field {
	const char *name;
	enum log_field_type type;
	union {
		const char *s; /* NULL is written as an empty string */
		int64_t i;
		double d;
	} as;
};

#define LOG_STR(k, v)                                                          \
	((struct log_field){.name = (k), .type = LOG_F_STR, .as = {.s = (v)}})
#define LOG_INT(k, v)                                                          \
	((struct log_field){                                                   \
		.name = (k), .type = LOG_F_INT, .as = {.i = (int64_t)(v)}})
#define LOG_DOUBLE(k, v)                                                       \
	((struct log_field){                                                   \
		.name = (k), .type = LOG_F_DOUBLE, .as = {.d = (v)}})
#define LOG_BOOL(k, v)                                                         \
	((struct log_field){                                                   \
		.name = (k), .type = LOG_F_BOOL, .as = {.i = (v) ? 1 : 0}})

/* An entry with at least one field. */
#define SG_LOG(level, event, ...)                                              \
	do {                                                                   \
		if (log_is_on(level)) {                                        \
			const struct log_field fields_[] = {__VA_ARGS__};      \
			log_write(level, event, fields_,                       \
				sizeof(fields_) / sizeof(fields_[0]));         \
		}                                                              \
	} while (0)

/* The least level written, and the form. Before the threads start. */
void
log_setup(enum log_level level, enum log_format format);
bool
log_is_on(enum log_level level);
void
log_write(enum log_level level, const char *event,
	const struct log_field *fields, size_t nfields);

/* At most one entry a second: true when it is time to write the next one, and
 * then *ret_skipped is how many were held back since the last. */
struct log_limit {
	int64_t last_mono_ms;
	uint64_t skipped;
};
bool
log_limit_pass(struct log_limit *limit, uint64_t *ret_skipped);

#endif
