/*
 * c11_threads.c - C11 threads by way of POSIX ones, for ThreadSanitizer.
 *
 * librdkafka is written with C11 threads, which TSan does not know: its threads
 * would run without a state of TSan's and crash in the first function that it
 * watches, and its locks would order nothing. A program that has these in it
 * gives them to the libraries too, and each ends in a POSIX call that TSan
 * knows. glibc's types of both are the same.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "a mutex fits");
static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "a condition fits");
static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "a flag is one");

struct start {
	thrd_start_t run;
	void *arg;
};

static int
outcome(int error)
{
	switch (error) {
	case 0:
		return thrd_success;
	case EBUSY:
		return thrd_busy;
	case ENOMEM:
		return thrd_nomem;
	case ETIMEDOUT:
		return thrd_timedout;
	default:
		return thrd_error;
	}
}

static void *
thread_main(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	return (void *)(intptr_t)start.run(start.arg);
}

int
thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
	struct start *start = malloc(sizeof(*start));
	int error;

	if (start == NULL)
		return thrd_nomem;
	*start = (struct start){run, arg};
	error = pthread_create(thread, NULL, thread_main, start);
	if (error != 0)
		free(start);
	return outcome(error);
}

int
thrd_join(thrd_t thread, int *ret_status)
{
	void *status = NULL;
	int error = pthread_join(thread, &status);

	if (error == 0 && ret_status != NULL)
		*ret_status = (int)(intptr_t)status;
	return outcome(error);
}

int
thrd_detach(thrd_t thread)
{
	return outcome(pthread_detach(thread));
}

void
call_once(once_flag *flag, void (*run)(void))
{
	(void)pthread_once((pthread_once_t *)flag, run);
}

int
mtx_init(mtx_t *mtx, int type)
{
	pthread_mutexattr_t attr;
	int error = pthread_mutexattr_init(&attr);

	if (error == 0 && (type & mtx_recursive) != 0)
		error = pthread_mutexattr_settype(
			&attr, PTHREAD_MUTEX_RECURSIVE);
	if (error == 0)
		error = pthread_mutex_init((pthread_mutex_t *)mtx, &attr);
	(void)pthread_mutexattr_destroy(&attr);
	return outcome(error);
}

int
mtx_lock(mtx_t *mtx)
{
	return outcome(pthread_mutex_lock((pthread_mutex_t *)mtx));
}

int
mtx_trylock(mtx_t *mtx)
{
	return outcome(pthread_mutex_trylock((pthread_mutex_t *)mtx));
}

int
mtx_timedlock(mtx_t *restrict mtx, const struct timespec *restrict until)
{
	return outcome(pthread_mutex_timedlock((pthread_mutex_t *)mtx, until));
}

int
mtx_unlock(mtx_t *mtx)
{
	return outcome(pthread_mutex_unlock((pthread_mutex_t *)mtx));
}

void
mtx_destroy(mtx_t *mtx)
{
	(void)pthread_mutex_destroy((pthread_mutex_t *)mtx);
}

int
cnd_init(cnd_t *cnd)
{
	return outcome(pthread_cond_init((pthread_cond_t *)cnd, NULL));
}

int
cnd_signal(cnd_t *cnd)
{
	return outcome(pthread_cond_signal((pthread_cond_t *)cnd));
}

int
cnd_broadcast(cnd_t *cnd)
{
	return outcome(pthread_cond_broadcast((pthread_cond_t *)cnd));
}

int
cnd_wait(cnd_t *cnd, mtx_t *mtx)
{
	return outcome(pthread_cond_wait(
		(pthread_cond_t *)cnd, (pthread_mutex_t *)mtx));
}

int
cnd_timedwait(cnd_t *restrict cnd, mtx_t *restrict mtx,
	const struct timespec *restrict until)
{
	return outcome(pthread_cond_timedwait(
		(pthread_cond_t *)cnd, (pthread_mutex_t *)mtx, until));
}

void
cnd_destroy(cnd_t *cnd)
{
	(void)pthread_cond_destroy((pthread_cond_t *)cnd);
}
