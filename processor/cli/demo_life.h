/*
 * demo_life.h - an account of the company, private to demo_life.c (its days)
 * and demo_company.c (all of them).
 */
#ifndef CLI_DEMO_LIFE_H
#define CLI_DEMO_LIFE_H

#include "demo_company.h"

#define PER_MILLION 1000000
#define WARM_UP_DAYS 30
#define TICKETS_OPEN_MAX 12

enum size { SMALL, MIDDLE, LARGE, SIZE_COUNT };
enum mood { ONBOARDING, STEADY, GROWING, FADING, QUIET };
enum stage { TO_COME, CUSTOMER, FORMER, FORGOTTEN };

/* Use is a session per user and working day, with this chance. */
struct size_facts {
	int32_t share; /* of all accounts */
	int32_t seats_min, seats_max;
	int32_t price_min, price_max; /* of a seat and year */
	int32_t session;
	int32_t ticket;
	const char *plan;
};
extern const struct size_facts demo_sizes[SIZE_COUNT];

struct ticket {
	int32_t number;
	bool is_urgent;
	int64_t solved_day;
};

struct arr_step {
	int64_t at_ms;
	int64_t arr;
};

struct account {
	char id[DEMO_NAME_MAX];
	char name[DEMO_NAME_MAX];
	const char *industry;
	const char *country;
	const char *csm;
	int32_t utc_hours;
	uint64_t random;
	enum size size;
	enum mood mood;
	enum stage stage;
	int64_t since_day;
	int64_t starts_day; /* of the first contract */
	int64_t ends_day;
	int64_t decided_day; /* when the renewal is, or is not, signed */
	int64_t former_day;
	int32_t seats;
	int32_t price;
	int32_t users;	/* in thousandths */
	int32_t target; /* share of seats used in steady times */
	int32_t incident_days;
	int32_t ntickets;
	struct ticket open[TICKETS_OPEN_MAX];
	size_t nopen;
	struct arr_step arr[DEMO_ARR_STEPS];
	size_t narr;
};

struct demo_company {
	struct account *accounts;
	uint32_t naccounts;
	uint32_t *by_id; /* sorted by id */
	struct demo_event *events;
	size_t nevents;
	size_t cap;
	bool is_failed; /* out of memory */
	struct demo_event nowhere;
};

/* The next number of an account's own sequence. */
uint64_t
demo_random(struct account *acct);
/* From min to max, both included. */
int64_t
demo_between(struct account *acct, int64_t min, int64_t max);
bool
demo_chance(struct account *acct, int64_t per_million);
int32_t
demo_share(int32_t n, int32_t per_million);
int64_t
demo_year_later(int64_t day);

/* Decide when the contract will be renewed, or not. */
void
demo_plan_renewal(struct account *acct);

/* One day; what happens is added to company->events. */
void
demo_live(struct demo_company *company, struct account *acct, int64_t day);
void
demo_tell_profile(
	struct demo_company *company, struct account *acct, int64_t at_ms);

#endif
