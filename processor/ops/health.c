#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/ops.h"

#define NAME_BYTES 32
#define DETAIL_BYTES 256

struct condition {
	char name[NAME_BYTES];
	char detail[DETAIL_BYTES]; /* shared, under mtx */
	bool is_ok;		   /* shared, under mtx */
	_Atomic int64_t beat_us;   /* 0: not watched */
	_Atomic int64_t since_us;  /* of the lease; 0: none */
	_Atomic int64_t bound_us;
};

struct health {
	pthread_mutex_t mtx;
	_Atomic int n; /* conditions below n are there for good */
	struct condition conditions[HEALTH_MAX];
};

/* Reading takes the lock too, and a lock is not part of the value. */
static void
health_lock(const struct health *health)
{
	(void)pthread_mutex_lock((pthread_mutex_t *)&health->mtx);
}

static void
health_unlock(const struct health *health)
{
	(void)pthread_mutex_unlock((pthread_mutex_t *)&health->mtx);
}

/* A copy in one line: whoever reads /readyz counts on a line a condition. */
static void
copy_line(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from);
	for (; *to != '\0'; to++) {
		if ((unsigned char)*to < ' ')
			*to = ' ';
	}
}

enum sg_err
health_create(struct health **ret_health)
{
	struct health *health = calloc(1, sizeof(*health));

	if (health == NULL)
		return SG_NOMEM;
	if (pthread_mutex_init(&health->mtx, NULL) != 0) {
		free(health);
		return SG_NOMEM;
	}
	*ret_health = health;
	return SG_OK;
}

void
health_destroy(struct health *health)
{
	if (health == NULL)
		return;
	(void)pthread_mutex_destroy(&health->mtx);
	free(health);
}

int
health_add(struct health *health, const char *name)
{
	int number = -1;

	health_lock(health);
	if (health->n < HEALTH_MAX) {
		struct condition *condition = &health->conditions[health->n];

		copy_line(condition->name, sizeof(condition->name), name);
		number = health->n++;
	}
	health_unlock(health);
	return number;
}

void
health_set(struct health *health, int number, bool is_ok, const char *detail)
{
	struct condition *condition;

	if (number < 0 || number >= health->n)
		return;
	condition = &health->conditions[number];
	health_lock(health);
	condition->is_ok = is_ok;
	copy_line(condition->detail, sizeof(condition->detail),
		detail != NULL ? detail : "");
	health_unlock(health);
}

void
health_lease(
	struct health *health, int number, int64_t since_us, int64_t bound_us)
{
	struct condition *condition;

	if (number < 0 || number >= health->n)
		return;
	condition = &health->conditions[number];
	atomic_store_explicit(
		&condition->bound_us, bound_us, memory_order_relaxed);
	atomic_store_explicit(
		&condition->since_us, since_us, memory_order_relaxed);
}

/* By how much the lease is over; 0: it is not, or there is none. */
static int64_t
overdue_us(const struct condition *condition, int64_t mono_us)
{
	int64_t since_us = atomic_load_explicit(
		&condition->since_us, memory_order_relaxed);
	int64_t age_us = mono_us - since_us;

	if (since_us == 0 ||
		age_us <= atomic_load_explicit(
				  &condition->bound_us, memory_order_relaxed))
		return 0;
	return age_us;
}

bool
health_is_ready(const struct health *health)
{
	int64_t mono_us = clock_mono_us();
	bool is_ready = true;

	health_lock(health);
	for (int i = 0; i < health->n; i++)
		is_ready = is_ready && health->conditions[i].is_ok &&
			   overdue_us(&health->conditions[i], mono_us) == 0;
	health_unlock(health);
	return is_ready;
}

void
health_write(const struct health *health, struct buf *out)
{
	int64_t mono_us = clock_mono_us();

	health_lock(health);
	for (int i = 0; i < health->n; i++) {
		const struct condition *condition = &health->conditions[i];
		const char *detail = condition->detail;
		int64_t late_us = overdue_us(condition, mono_us);

		if (condition->is_ok && late_us > 0) {
			buf_printf(out,
				"[-]%s: what came in the last %lld s is not "
				"published\n",
				condition->name,
				(long long)(late_us / 1000000));
			continue;
		}
		buf_printf(out, "[%c]%s", condition->is_ok ? '+' : '-',
			condition->name);
		if (detail[0] != '\0')
			buf_printf(out, ": %s\n", detail);
		else
			buf_put_str(
				out, condition->is_ok ? " ok\n" : " not yet\n");
	}
	health_unlock(health);
}

void
health_beat(struct health *health, int number, int64_t mono_us)
{
	if (number < 0 || number >= health->n)
		return;
	atomic_store_explicit(&health->conditions[number].beat_us, mono_us,
		memory_order_relaxed);
}

bool
health_is_live(const struct health *health, int64_t mono_us, struct buf *out)
{
	bool is_live = true;

	for (int i = 0; i < health->n; i++) {
		const struct condition *condition = &health->conditions[i];
		int64_t beat_us = atomic_load_explicit(
			&condition->beat_us, memory_order_relaxed);

		if (beat_us == 0 || mono_us - beat_us <= HEALTH_STALE_US)
			continue;
		is_live = false;
		if (out != NULL)
			buf_printf(out, "%s: no sign of life for %lld s\n",
				condition->name,
				(long long)((mono_us - beat_us) / 1000000));
	}
	return is_live;
}
