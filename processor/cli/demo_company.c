/*
 * demo_company.c - the lives of some hundred accounts.
 *
 * Each account is in a mood, which says what happens to the number of its
 * users, how often they come, how many tickets they write, and what becomes
 * of the contract when it ends:
 *
 *     onboarding --> steady <--> growing      upsell when the seats are full
 *                      ^  |
 *                      |  v
 *                     fading --> quiet        churn when the contract ends
 *
 * A contract lasts 12 months and is renewed some days before its end, by those
 * who fade after it (overdue), or not at all. 60 days after the end of the
 * last one the account is deleted.
 *
 * The first month tells profiles and use only: so windows are full when the
 * contracts come, on the first day that is shown. Rates are per million and
 * day; money is whole dollars.
 */
#include "demo_company.h"

#include <stdlib.h>
#include <string.h>

#include "segmentd/civil.h"
#include "segmentd/hash.h"

#define PER_MILLION 1000000
#define KEPT_DAYS 60 /* of an account after its last contract */
#define TICKETS_OPEN_MAX 12
#define WARM_UP_DAYS 30

enum size { SMALL, MIDDLE, LARGE };
enum mood { ONBOARDING, STEADY, GROWING, FADING, QUIET };
enum stage { TO_COME, CUSTOMER, FORMER, FORGOTTEN };

/* Use is a session per user and working day, with this chance. */
static const struct {
	int32_t share; /* of all accounts */
	int32_t seats_min, seats_max;
	int32_t price_min, price_max; /* of a seat and year */
	int32_t session;
	int32_t ticket;
	const char *plan;
} sizes[] = {
	[SMALL] = {600000, 5, 16, 900, 1250, 200000, 8000, "Team"},
	[MIDDLE] = {290000, 18, 70, 1100, 1500, 100000, 15000, "Business"},
	[LARGE] = {110000, 70, 160, 1400, 1900, 100000, 30000, "Enterprise"},
};

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

/* --- days and chance ---------------------------------------------------- */

int64_t
demo_company_shown_day(void)
{
	return civil_days(2023, 1, 1);
}

int64_t
demo_company_first_day(void)
{
	return demo_company_shown_day() - WARM_UP_DAYS;
}

int64_t
demo_company_end_day(void)
{
	return civil_days(2025, 1, 1);
}

/* splitmix64. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom
 * Number Generators". */
static uint64_t
next(struct account *acct)
{
	uint64_t z = acct->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* From min to max, both included. */
static int64_t
between(struct account *acct, int64_t min, int64_t max)
{
	return min + (int64_t)(next(acct) % (uint64_t)(max - min + 1));
}

static bool
chance(struct account *acct, int64_t per_million)
{
	return (int64_t)(next(acct) % PER_MILLION) < per_million;
}

static int32_t
share_of(int32_t n, int32_t per_million)
{
	return (int32_t)((int64_t)n * per_million / PER_MILLION);
}

static bool
is_weekend(int64_t day)
{
	int64_t weekday = (day + 4) % 7; /* 1970-01-01 was a Thursday */

	return weekday == 0 || weekday == 6;
}

/* The end of the year and August are slow, weekends dead. */
static int32_t
season_of(int64_t day)
{
	struct civil c;

	civil_from_days(day, &c);
	if ((c.month == 12 && c.day >= 23) || (c.month == 1 && c.day <= 2))
		return is_weekend(day) ? 50000 : 400000;
	if (is_weekend(day))
		return 80000;
	return c.month == 8 ? 850000 : PER_MILLION;
}

static int64_t
year_later(int64_t day)
{
	struct civil c;

	civil_from_days(day, &c);
	if (c.month == 2 && c.day == 29)
		c.day = 28;
	return civil_days(c.year + 1, c.month, c.day);
}

/* --- telling ------------------------------------------------------------ */

static struct demo_event *
tell(struct demo_company *co, const struct account *acct, enum demo_input input,
	int64_t at_ms)
{
	struct demo_event *ev;

	if (co->nevents == co->cap) {
		size_t cap = co->cap * 2 + 1024;

		ev = realloc(co->events, cap * sizeof(*ev));
		if (ev == NULL) {
			co->is_failed = true;
			return &co->nowhere;
		}
		co->events = ev;
		co->cap = cap;
	}
	ev = &co->events[co->nevents];
	*ev = (struct demo_event){
		.at_ms = at_ms,
		.seq = (uint32_t)co->nevents++,
		.account = (uint32_t)(acct - co->accounts),
		.input = input,
	};
	return ev;
}

/* An instant of the day that night jobs use. */
static int64_t
at_night(struct account *acct, int64_t day)
{
	return day * CIVIL_DAY_MS + between(acct, 60000, 5 * 3600000);
}

/* Office hours where the account is, as UTC of the same day. */
static int64_t
at_work(struct account *acct, int64_t day)
{
	int64_t hour_ms = INT64_C(3600000);
	int64_t ms = 8 * hour_ms + between(acct, 0, 10 * hour_ms) -
		     acct->utc_hours * hour_ms;

	if (ms < 0)
		ms += CIVIL_DAY_MS;
	return day * CIVIL_DAY_MS + ms % CIVIL_DAY_MS;
}

static void
tell_profile(struct demo_company *co, struct account *acct, int64_t at_ms)
{
	struct demo_event *ev = tell(co, acct, DEMO_ACCOUNT, at_ms);

	ev->number = acct->seats;
	ev->status = acct->stage == CUSTOMER ? DEMO_ACTIVE : DEMO_ENDED;
}

static void
tell_contract(struct demo_company *co, struct account *acct, int64_t at_ms)
{
	struct demo_event *ev = tell(co, acct, DEMO_SUBSCRIPTION, at_ms);
	bool is_running = acct->stage == CUSTOMER;

	ev->status = is_running ? DEMO_ACTIVE : DEMO_ENDED;
	ev->starts_ms = acct->starts_day * CIVIL_DAY_MS;
	ev->ends_ms = acct->ends_day * CIVIL_DAY_MS;
	ev->arr = (int64_t)acct->seats * acct->price;
	if (acct->narr < DEMO_ARR_STEPS)
		acct->arr[acct->narr++] =
			(struct arr_step){at_ms, is_running ? ev->arr : 0};
}

/* --- a day in the life of an account ------------------------------------ */

/* Those who are glad sign early, those who are not late or never. */
static void
plan_renewal(struct account *acct)
{
	int64_t off = between(acct, -40, -3);

	if (acct->mood == FADING || acct->mood == QUIET)
		off = between(acct, -10, 12);
	acct->decided_day = acct->ends_day + off;
}

static void
arrive(struct demo_company *co, struct account *acct, int64_t day)
{
	int64_t at_ms = at_night(acct, day);

	acct->stage = CUSTOMER;
	if (acct->since_day < day) {
		/* An old customer: the contract is told when all is shown. */
		tell_profile(co, acct, at_ms);
		return;
	}
	tell_contract(co, acct, at_ms);
	tell_profile(co, acct, at_ms + 1000);
}

static void
leave(struct demo_company *co, struct account *acct, int64_t day)
{
	int64_t at_ms = at_night(acct, day);

	acct->stage = FORMER;
	acct->former_day = day;
	tell_contract(co, acct, at_ms);
	tell_profile(co, acct, at_ms + 1000);
}

static void
renew(struct demo_company *co, struct account *acct, int64_t day)
{
	int64_t at_ms = at_work(acct, day);

	acct->ends_day = year_later(acct->ends_day);
	acct->price += share_of(acct->price, (int32_t)between(acct, 0, 70000));
	if (acct->mood == FADING && chance(acct, 600000)) {
		acct->seats = share_of(
			acct->seats, (int32_t)between(acct, 450000, 800000));
		acct->seats += acct->seats < 3 ? 2 : 0;
		acct->mood = STEADY;
	}
	plan_renewal(acct);
	tell_contract(co, acct, at_ms);
	tell_profile(co, acct, at_ms + 1000);
}

static void
mind_contract(struct demo_company *co, struct account *acct, int64_t day)
{
	static const int32_t renews[] = {[ONBOARDING] = 950000,
		[STEADY] = 960000,
		[GROWING] = 990000,
		[FADING] = 600000,
		[QUIET] = 150000};

	/* In another mood by now: the ink is not dry yet. */
	if (day == acct->ends_day - 41)
		plan_renewal(acct);
	if (day != acct->decided_day)
		return;
	/* Who lets the contract end seldom comes back. */
	if (chance(acct, day < acct->ends_day ? renews[acct->mood]
					      : renews[acct->mood] / 2)) {
		renew(co, acct, day);
	} else if (day >= acct->ends_day) {
		leave(co, acct, day);
	} else {
		acct->decided_day = acct->ends_day + between(acct, 0, 9);
		acct->mood = acct->mood == QUIET ? QUIET : FADING;
	}
}

static void
upsell(struct demo_company *co, struct account *acct, int64_t day)
{
	int64_t at_ms = at_work(acct, day);

	acct->seats +=
		share_of(acct->seats, (int32_t)between(acct, 150000, 550000)) +
		1;
	acct->mood = STEADY;
	tell_contract(co, acct, at_ms);
	tell_profile(co, acct, at_ms + 1000);
}

static void
change_mood(struct demo_company *co, struct account *acct, int64_t day)
{
	bool is_full = acct->users >= acct->seats * 980;

	switch (acct->mood) {
	case ONBOARDING:
		if (day - acct->since_day > 50)
			acct->mood = STEADY;
		break;
	case STEADY:
		if (chance(acct, 2500))
			acct->mood = GROWING;
		else if (chance(acct, 1300))
			acct->mood = FADING;
		break;
	case GROWING:
		if (is_full && acct->narr + 4 < DEMO_ARR_STEPS &&
			chance(acct, 40000))
			upsell(co, acct, day);
		break;
	case FADING:
		if (chance(acct, 11000))
			acct->mood = STEADY;
		else if (acct->users < acct->seats * 450 && chance(acct, 18000))
			acct->mood = QUIET;
		break;
	case QUIET:
		if (chance(acct, 15000))
			acct->mood = STEADY;
		break;
	}
}

static void
change_users(struct account *acct)
{
	int32_t all = acct->seats * 1000;
	int32_t users = acct->users;

	switch (acct->mood) {
	case ONBOARDING:
		users += share_of(all, acct->target) / 45;
		break;
	case STEADY:
		users += (share_of(all, acct->target) - users) / 40 +
			 (int32_t)between(acct, -all / 100, all / 100);
		break;
	case GROWING:
		users += all / 90;
		break;
	case FADING:
		users -= users / 45;
		break;
	case QUIET:
		break;
	}
	if (users > all)
		users = all;
	acct->users = users < 1000 ? 1000 : users;
}

static void
write_tickets(struct demo_company *co, struct account *acct, int64_t day)
{
	static const int32_t factors[] = {[ONBOARDING] = 2,
		[STEADY] = 1,
		[GROWING] = 1,
		[FADING] = 3,
		[QUIET] = 0};
	int32_t n = chance(
		acct, (int64_t)sizes[acct->size].ticket * factors[acct->mood]);
	bool is_incident = acct->incident_days > 0;

	if (is_weekend(day))
		return;
	if (!is_incident && chance(acct, 500))
		acct->incident_days = 3;
	if (is_incident) {
		n += (int32_t)between(acct, 1, 2);
		acct->incident_days--;
	}
	for (; n > 0 && acct->nopen < TICKETS_OPEN_MAX; n--) {
		struct ticket *ticket = &acct->open[acct->nopen++];
		struct demo_event *ev =
			tell(co, acct, DEMO_TICKET, at_work(acct, day));

		ticket->number = ++acct->ntickets;
		ticket->is_urgent =
			chance(acct, is_incident	    ? 700000
				     : acct->mood == FADING ? 220000
							    : 60000);
		ticket->solved_day = day + between(acct, 1, 6);
		ev->number = ticket->number;
		ev->is_urgent = ticket->is_urgent;
	}
}

static void
solve_tickets(struct demo_company *co, struct account *acct, int64_t day)
{
	size_t kept = 0;

	for (size_t i = 0; i < acct->nopen; i++) {
		struct demo_event *ev;

		if (acct->open[i].solved_day > day) {
			acct->open[kept++] = acct->open[i];
			continue;
		}
		ev = tell(co, acct, DEMO_TICKET, at_work(acct, day));
		ev->status = DEMO_ENDED;
		ev->number = acct->open[i].number;
		ev->is_urgent = acct->open[i].is_urgent;
	}
	acct->nopen = kept;
}

static void
use(struct demo_company *co, struct account *acct, int64_t day, int32_t season)
{
	int32_t session = share_of(sizes[acct->size].session, season);

	if (acct->mood == QUIET)
		return;
	for (int32_t user = 1; user <= acct->users / 1000; user++) {
		struct demo_event *ev;
		int64_t at_ms;

		if (!chance(acct, session))
			continue;
		at_ms = at_work(acct, day);
		ev = tell(co, acct, DEMO_USAGE, at_ms);
		ev->number = user;
		ev->minutes = (int32_t)between(acct, 2, 90);
		if (!chance(acct, 120000))
			continue;
		ev = tell(co, acct, DEMO_USAGE,
			at_ms + between(acct, 1000, 60000));
		ev->number = user;
		ev->action = (enum demo_action)between(
			acct, DEMO_REPORT, DEMO_INVITE);
		ev->minutes = 1;
	}
}

static void
live_as_customer(struct demo_company *co, struct account *acct, int64_t day)
{
	if (acct->since_day < day && day == demo_company_shown_day())
		tell_contract(co, acct, at_night(acct, day));
	if (day >= demo_company_shown_day()) {
		mind_contract(co, acct, day);
		if (acct->stage != CUSTOMER)
			return;
		change_mood(co, acct, day);
	}
	change_users(acct);
	solve_tickets(co, acct, day);
	write_tickets(co, acct, day);
	use(co, acct, day, season_of(day));
	if (chance(acct, 8000))
		tell_profile(co, acct, at_work(acct, day));
}

static void
live_account(struct demo_company *co, struct account *acct, int64_t day)
{
	switch (acct->stage) {
	case TO_COME:
		if (day >= acct->since_day)
			arrive(co, acct, day);
		break;
	case CUSTOMER:
		live_as_customer(co, acct, day);
		break;
	case FORMER:
		if (day == acct->former_day + KEPT_DAYS) {
			tell(co, acct, DEMO_ACCOUNT, at_night(acct, day))
				->status = DEMO_DELETED;
			acct->stage = FORGOTTEN;
		}
		break;
	case FORGOTTEN:
		break;
	}
}

static int
compare_events(const void *a, const void *b)
{
	const struct demo_event *x = a;
	const struct demo_event *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

enum sg_err
demo_company_live(struct demo_company *co, int64_t day,
	const struct demo_event **ret_events, size_t *ret_n)
{
	co->nevents = 0;
	for (uint32_t i = 0; i < co->naccounts; i++) {
		struct account *acct = &co->accounts[i];

		if (day < demo_company_end_day())
			live_account(co, acct, day);
		else if (acct->stage == CUSTOMER || acct->stage == FORMER)
			tell_profile(co, acct,
				day * CIVIL_DAY_MS + (int64_t)co->nevents);
	}
	if (co->is_failed)
		return SG_NOMEM;
	if (co->nevents > 0)
		qsort(co->events, co->nevents, sizeof(*co->events),
			compare_events);
	*ret_events = co->events;
	*ret_n = co->nevents;
	return SG_OK;
}

/* --- making it ---------------------------------------------------------- */

static enum size
some_size(struct account *acct)
{
	int64_t n = between(acct, 0, PER_MILLION - 1);

	if (n < sizes[SMALL].share)
		return SMALL;
	return n < sizes[SMALL].share + sizes[MIDDLE].share ? MIDDLE : LARGE;
}

/* Two of three are customers from the start; the others come later, ever more
 * of them. */
static void
choose_days(struct account *acct)
{
	int64_t from = demo_company_shown_day() + 3;
	int64_t to = demo_company_end_day() - 30;
	int64_t one = between(acct, from, to);
	int64_t other = between(acct, from, to);

	acct->mood = ONBOARDING;
	acct->since_day = one > other ? one : other;
	if (chance(acct, 660000)) {
		acct->since_day =
			demo_company_first_day() - between(acct, 20, 1200);
		acct->mood = STEADY;
	}
	acct->starts_day = acct->since_day;
	acct->ends_day = acct->since_day;
	do
		acct->ends_day = year_later(acct->ends_day);
	while (acct->ends_day <= demo_company_shown_day() + 12);
	plan_renewal(acct);
	if (acct->decided_day <= demo_company_shown_day())
		acct->decided_day = acct->ends_day;
}

static void
be_born(struct account *acct, uint64_t seed, uint32_t number)
{
	acct->random = hash_mix(hash_u64(seed), hash_u64(number + 1));
	demo_name(seed, number, acct->name, acct->id, &acct->industry);
	acct->country = demo_country(next(acct), &acct->utc_hours);
	acct->csm = demo_csm(next(acct));
	acct->size = some_size(acct);
	acct->seats = (int32_t)between(
		acct, sizes[acct->size].seats_min, sizes[acct->size].seats_max);
	acct->price = (int32_t)between(
		acct, sizes[acct->size].price_min, sizes[acct->size].price_max);
	acct->target = (int32_t)between(acct, 520000, 800000);
	choose_days(acct);
	acct->users = share_of(acct->seats * 1000, acct->target);
	if (acct->mood == ONBOARDING)
		acct->users /= 6;
}

static int
compare_ids(const void *a, const void *b, void *ctx)
{
	const struct account *accounts = ctx;

	return strcmp(accounts[*(const uint32_t *)a].id,
		accounts[*(const uint32_t *)b].id);
}

enum sg_err
demo_company_create(
	uint64_t seed, uint32_t naccounts, struct demo_company **ret_company)
{
	struct demo_company *co = calloc(1, sizeof(*co));

	if (co == NULL)
		return SG_NOMEM;
	co->naccounts = naccounts;
	co->accounts = calloc(naccounts, sizeof(*co->accounts));
	co->by_id = calloc(naccounts, sizeof(*co->by_id));
	if (co->accounts == NULL || co->by_id == NULL) {
		demo_company_destroy(co);
		return SG_NOMEM;
	}
	for (uint32_t i = 0; i < naccounts; i++) {
		be_born(&co->accounts[i], seed, i);
		co->by_id[i] = i;
	}
	qsort_r(co->by_id, naccounts, sizeof(*co->by_id), compare_ids,
		co->accounts);
	*ret_company = co;
	return SG_OK;
}

void
demo_company_destroy(struct demo_company *co)
{
	if (co == NULL)
		return;
	free(co->accounts);
	free(co->by_id);
	free(co->events);
	free(co);
}

/* --- asking ------------------------------------------------------------- */

void
demo_company_info(const struct demo_company *co, uint32_t account,
	struct demo_account_info *ret_info)
{
	const struct account *acct = &co->accounts[account];

	*ret_info = (struct demo_account_info){.id = acct->id,
		.name = acct->name,
		.industry = acct->industry,
		.country = acct->country,
		.plan = sizes[acct->size].plan,
		.csm = acct->csm};
}

bool
demo_company_find(
	const struct demo_company *co, const char *id, uint32_t *ret_account)
{
	size_t from = 0, to = co->naccounts;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int order = strcmp(co->accounts[co->by_id[mid]].id, id);

		if (order == 0) {
			*ret_account = co->by_id[mid];
			return true;
		}
		if (order < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return false;
}

int64_t
demo_company_arr(const struct demo_company *co, uint32_t account, int64_t at_ms)
{
	const struct account *acct = &co->accounts[account];
	int64_t arr = acct->narr == 0 ? 0 : acct->arr[0].arr;

	for (size_t i = 0; i < acct->narr && acct->arr[i].at_ms <= at_ms; i++)
		arr = acct->arr[i].arr;
	return arr;
}
