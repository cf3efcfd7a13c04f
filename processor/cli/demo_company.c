/* demo_company.c - accounts are made, live side by side, and can be asked. */
#include "demo_company.h"

#include <stdlib.h>
#include <string.h>

#include "demo_life.h"
#include "segmentd/civil.h"
#include "segmentd/hash.h"

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
			demo_live(co, acct, day);
		else if (acct->stage == CUSTOMER || acct->stage == FORMER)
			demo_tell_profile(co, acct,
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
	int64_t n = demo_between(acct, 0, PER_MILLION - 1);

	if (n < demo_sizes[SMALL].share)
		return SMALL;
	return n < demo_sizes[SMALL].share + demo_sizes[MIDDLE].share ? MIDDLE
								      : LARGE;
}

/* Two of three are customers from the start; the others come later, ever more
 * of them. */
static void
choose_days(struct account *acct)
{
	int64_t from = demo_company_shown_day() + 3;
	int64_t to = demo_company_end_day() - 30;
	int64_t one = demo_between(acct, from, to);
	int64_t other = demo_between(acct, from, to);

	acct->mood = ONBOARDING;
	acct->since_day = one > other ? one : other;
	if (demo_chance(acct, 660000)) {
		acct->since_day =
			demo_company_first_day() - demo_between(acct, 20, 1200);
		acct->mood = STEADY;
	}
	acct->starts_day = acct->since_day;
	acct->ends_day = acct->since_day;
	do
		acct->ends_day = demo_year_later(acct->ends_day);
	while (acct->ends_day <= demo_company_shown_day() + 12);
	demo_plan_renewal(acct);
	if (acct->decided_day <= demo_company_shown_day())
		acct->decided_day = acct->ends_day;
}

static void
be_born(struct account *acct, uint64_t seed, uint32_t number)
{
	acct->random = hash_mix(hash_u64(seed), hash_u64(number + 1));
	demo_name(seed, number, acct->name, acct->id, &acct->industry);
	acct->country = demo_country(demo_random(acct), &acct->utc_hours);
	acct->csm = demo_csm(demo_random(acct));
	acct->size = some_size(acct);
	acct->seats =
		(int32_t)demo_between(acct, demo_sizes[acct->size].seats_min,
			demo_sizes[acct->size].seats_max);
	acct->price =
		(int32_t)demo_between(acct, demo_sizes[acct->size].price_min,
			demo_sizes[acct->size].price_max);
	acct->target = (int32_t)demo_between(acct, 520000, 800000);
	choose_days(acct);
	acct->users = demo_share(acct->seats * 1000, acct->target);
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
		.plan = demo_sizes[acct->size].plan,
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
