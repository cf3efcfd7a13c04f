/*
 * demo_life.c - days in the life of an account.
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
#include "demo_life.h"

#include <stdlib.h>

#include "segmentd/civil.h"

#define KEPT_DAYS 60 /* of an account after its last contract */

const struct size_facts demo_sizes[SIZE_COUNT] = {
	[SMALL] = {600000, 5, 16, 900, 1250, 200000, 8000, "Team"},
	[MIDDLE] = {290000, 18, 70, 1100, 1500, 100000, 15000, "Business"},
	[LARGE] = {110000, 70, 160, 1400, 1900, 100000, 30000, "Enterprise"},
};

/* --- chance and calendar ------------------------------------------------ */

/* splitmix64. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom
 * Number Generators". */
uint64_t
demo_random(struct account *acct)
{
	uint64_t z = acct->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int64_t
demo_between(struct account *acct, int64_t min, int64_t max)
{
	return min + (int64_t)(demo_random(acct) % (uint64_t)(max - min + 1));
}

bool
demo_chance(struct account *acct, int64_t per_million)
{
	return (int64_t)(demo_random(acct) % PER_MILLION) < per_million;
}

int32_t
demo_share(int32_t n, int32_t per_million)
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

int64_t
demo_year_later(int64_t day)
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
	return day * CIVIL_DAY_MS + demo_between(acct, 60000, 5 * 3600000);
}

/* Office hours where the account is, as UTC of the same day. */
static int64_t
at_work(struct account *acct, int64_t day)
{
	int64_t hour_ms = INT64_C(3600000);
	int64_t ms = 8 * hour_ms + demo_between(acct, 0, 10 * hour_ms) -
		     acct->utc_hours * hour_ms;

	if (ms < 0)
		ms += CIVIL_DAY_MS;
	return day * CIVIL_DAY_MS + ms % CIVIL_DAY_MS;
}

void
demo_tell_profile(struct demo_company *co, struct account *acct, int64_t at_ms)
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
void
demo_plan_renewal(struct account *acct)
{
	int64_t off = demo_between(acct, -40, -3);

	if (acct->mood == FADING || acct->mood == QUIET)
		off = demo_between(acct, -10, 12);
	acct->decided_day = acct->ends_day + off;
}

static void
arrive(struct demo_company *co, struct account *acct, int64_t day)
{
	int64_t at_ms = at_night(acct, day);

	acct->stage = CUSTOMER;
	if (acct->since_day < day) {
		/* An old customer: the contract is told when all is shown. */
		demo_tell_profile(co, acct, at_ms);
		return;
	}
	tell_contract(co, acct, at_ms);
	demo_tell_profile(co, acct, at_ms + 1000);
}

static void
leave(struct demo_company *co, struct account *acct, int64_t day)
{
	int64_t at_ms = at_night(acct, day);

	acct->stage = FORMER;
	acct->former_day = day;
	tell_contract(co, acct, at_ms);
	demo_tell_profile(co, acct, at_ms + 1000);
}

static void
renew(struct demo_company *co, struct account *acct, int64_t day)
{
	int64_t at_ms = at_work(acct, day);

	acct->ends_day = demo_year_later(acct->ends_day);
	acct->price +=
		demo_share(acct->price, (int32_t)demo_between(acct, 0, 70000));
	if (acct->mood == FADING && demo_chance(acct, 600000)) {
		acct->seats = demo_share(acct->seats,
			(int32_t)demo_between(acct, 450000, 800000));
		if (acct->seats < acct->users / 1000 + 1)
			acct->seats = acct->users / 1000 + 1;
		acct->mood = STEADY;
	}
	demo_plan_renewal(acct);
	tell_contract(co, acct, at_ms);
	demo_tell_profile(co, acct, at_ms + 1000);
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
		demo_plan_renewal(acct);
	if (day != acct->decided_day)
		return;
	/* Who lets the contract end seldom comes back. */
	if (demo_chance(acct, day < acct->ends_day ? renews[acct->mood]
						   : renews[acct->mood] / 2)) {
		renew(co, acct, day);
	} else if (day >= acct->ends_day) {
		leave(co, acct, day);
	} else {
		acct->decided_day = acct->ends_day + demo_between(acct, 0, 9);
		acct->mood = acct->mood == QUIET ? QUIET : FADING;
	}
}

static void
upsell(struct demo_company *co, struct account *acct, int64_t day)
{
	int64_t at_ms = at_work(acct, day);

	acct->seats += demo_share(acct->seats,
			       (int32_t)demo_between(acct, 150000, 550000)) +
		       1;
	acct->mood = STEADY;
	tell_contract(co, acct, at_ms);
	demo_tell_profile(co, acct, at_ms + 1000);
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
		if (demo_chance(acct, 2500))
			acct->mood = GROWING;
		else if (demo_chance(acct, 1300))
			acct->mood = FADING;
		break;
	case GROWING:
		if (is_full && acct->narr + 4 < DEMO_ARR_STEPS &&
			demo_chance(acct, 40000))
			upsell(co, acct, day);
		break;
	case FADING:
		if (demo_chance(acct, 11000))
			acct->mood = STEADY;
		else if (acct->users < acct->seats * 450 &&
			 demo_chance(acct, 18000))
			acct->mood = QUIET;
		break;
	case QUIET:
		if (demo_chance(acct, 15000))
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
		users += demo_share(all, acct->target) / 45;
		break;
	case STEADY:
		users += (demo_share(all, acct->target) - users) / 40 +
			 (int32_t)demo_between(acct, -all / 100, all / 100);
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
	int32_t n = demo_chance(acct,
		(int64_t)demo_sizes[acct->size].ticket * factors[acct->mood]);
	bool is_incident = acct->incident_days > 0;

	if (is_weekend(day))
		return;
	if (!is_incident && demo_chance(acct, 500))
		acct->incident_days = 3;
	if (is_incident) {
		n += (int32_t)demo_between(acct, 1, 2);
		acct->incident_days--;
	}
	for (; n > 0 && acct->nopen < TICKETS_OPEN_MAX; n--) {
		struct ticket *ticket = &acct->open[acct->nopen++];
		struct demo_event *ev =
			tell(co, acct, DEMO_TICKET, at_work(acct, day));

		ticket->number = ++acct->ntickets;
		ticket->is_urgent =
			demo_chance(acct, is_incident		 ? 700000
					  : acct->mood == FADING ? 220000
								 : 60000);
		ticket->solved_day = day + demo_between(acct, 1, 6);
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
	int32_t session = demo_share(demo_sizes[acct->size].session, season);

	if (acct->mood == QUIET)
		return;
	for (int32_t user = 1; user <= acct->users / 1000; user++) {
		struct demo_event *ev;
		int64_t at_ms;

		if (!demo_chance(acct, session))
			continue;
		at_ms = at_work(acct, day);
		ev = tell(co, acct, DEMO_USAGE, at_ms);
		ev->number = user;
		ev->minutes = (int32_t)demo_between(acct, 2, 90);
		if (!demo_chance(acct, 120000))
			continue;
		ev = tell(co, acct, DEMO_USAGE,
			at_ms + demo_between(acct, 1000, 60000));
		ev->number = user;
		ev->action = (enum demo_action)demo_between(
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
	if (demo_chance(acct, 8000))
		demo_tell_profile(co, acct, at_work(acct, day));
}

void
demo_live(struct demo_company *co, struct account *acct, int64_t day)
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
