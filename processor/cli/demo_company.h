/*
 * demo_company.h - a B2B SaaS company that does not exist, day by day.
 *
 * The same seed gives the same company, on any machine: integers and a
 * generator of its own, no libm, no clock. An account's life depends on the
 * seed and its own number only.
 */
#ifndef CLI_DEMO_COMPANY_H
#define CLI_DEMO_COMPANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/err.h"

#define DEMO_ACCOUNTS_MIN 20
#define DEMO_ACCOUNTS_MAX 2000
#define DEMO_NAME_MAX 40
#define DEMO_ARR_STEPS 24 /* how often the ARR of an account may change */

/* In the order of the configuration. */
enum demo_input {
	DEMO_ACCOUNT,
	DEMO_SUBSCRIPTION,
	DEMO_USAGE,
	DEMO_TICKET,
	DEMO_INPUT_COUNT
};

enum demo_status { DEMO_ACTIVE, DEMO_ENDED, DEMO_DELETED };
enum demo_action { DEMO_LOGIN, DEMO_REPORT, DEMO_EXPORT, DEMO_INVITE };

struct demo_event {
	int64_t at_ms;
	uint32_t seq; /* in the order they were thought of */
	uint32_t account;
	enum demo_input input;
	enum demo_status status; /* ticket: DEMO_ENDED is solved */
	int32_t number;		 /* account: seats. usage: user. A ticket's. */
	int32_t minutes;	 /* usage */
	enum demo_action action; /* usage */
	bool is_urgent;		 /* ticket */
	int64_t starts_ms;	 /* subscription */
	int64_t ends_ms;
	int64_t arr;
};

struct demo_company;

struct demo_account_info {
	const char *id;	  /* "corvane-freight" */
	const char *name; /* "Corvane Freight" */
	const char *industry;
	const char *country;
	const char *plan;
	const char *csm;
};

/* Errors: SG_NOMEM. */
SG_MUSTCHECK enum sg_err
demo_company_create(
	uint64_t seed, uint32_t naccounts, struct demo_company **ret_company);
void
demo_company_destroy(struct demo_company *company);

/* The days that are played, since 1970-01-01: the first (a month in which
 * nothing but use is told), the first that is shown, and the one after the
 * last. */
int64_t
demo_company_first_day(void);
int64_t
demo_company_shown_day(void);
int64_t
demo_company_end_day(void);

/*
 * Live one day: days come in order, each once. Events are sorted by time. On
 * the day after the last, every account that is left tells its profile once, no
 * two at the same instant.
 * Valid until: the next day. Errors: SG_NOMEM.
 */
SG_MUSTCHECK enum sg_err
demo_company_live(struct demo_company *company, int64_t day,
	const struct demo_event **ret_events, size_t *ret_n);

/* What does not change about an account. */
void
demo_company_info(const struct demo_company *company, uint32_t account,
	struct demo_account_info *ret_info);
/* False when nobody is called that. */
bool
demo_company_find(const struct demo_company *company, const char *id,
	uint32_t *ret_account);
/* Its ARR at an instant, in dollars; before the first contract that of it.
 * Thread: any, once all days are lived. */
int64_t
demo_company_arr(
	const struct demo_company *company, uint32_t account, int64_t at_ms);

/* demo_names.c: names, unique up to DEMO_ACCOUNTS_MAX. */
void
demo_name(uint64_t seed, uint32_t account, char name[DEMO_NAME_MAX],
	char id[DEMO_NAME_MAX], const char **ret_industry);
const char *
demo_country(uint64_t random, int32_t *ret_utc_hours);
const char *
demo_csm(uint64_t random);

#endif
