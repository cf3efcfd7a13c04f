/* compare.c - two replays of the same events: who is where in each. */
#include <math.h>
#include <string.h>

#include "replay.h"
#include "tally.h"
#include "value_of.h"

struct compare {
	struct tally *tally;
	struct tally_side sides[2]; /* before, after */
	struct group *groups[2];
	uint32_t slots[2]; /* of the value */
};

static const struct membership *
membership_of(const struct account *acct)
{
	return acct == NULL || acct->is_gone ? NULL : acct->ms;
}

static double
value_in(const struct compare *c, size_t side, const struct account *acct)
{
	struct group *group = c->groups[side];

	if (acct == NULL || acct->is_gone)
		return NAN;
	return value_of(
		group->box->decider, acct, group->clock_ms, c->slots[side]);
}

static enum sg_err
one_account(struct compare *c, const struct account *before,
	const struct account *after)
{
	const struct tally_place from = {&c->sides[0], membership_of(before)};
	const struct tally_place to = {&c->sides[1], membership_of(after)};
	double value = value_in(c, 1, after);

	if (from.ms == NULL && to.ms == NULL)
		return SG_OK;
	if (isnan(value))
		value = value_in(c, 0, before);
	return tally_add(c->tally, after != NULL ? after->id : before->id,
		&from, &to, NULL, value);
}

static const struct account *
find(const struct group *group, const struct account *like)
{
	return accounts_find(
		&group->accounts, like->id, like->id_len, like->hash);
}

/* Every account of one side, with what it is on the other; of the old side
 * those that the new one has not. */
static enum sg_err
all_accounts(struct compare *c, size_t side)
{
	const struct accounts *accounts = &c->groups[side]->accounts;
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < accounts->nbuckets; i++) {
		const struct account *acct = accounts->buckets[i];

		for (; acct != NULL && err == SG_OK; acct = acct->chain) {
			const struct account *other =
				find(c->groups[1 - side], acct);

			if (side == 1)
				err = one_account(c, other, acct);
			else if (other == NULL)
				err = one_account(c, acct, NULL);
		}
	}
	return err;
}

static enum sg_err
fill(struct compare *c)
{
	const struct program *before = c->groups[0]->box->prog;
	const struct program *after = c->groups[1]->box->prog;
	enum sg_err err;

	err = tally_side_make(c->tally, after->defs, after->nsegmentations,
		true, &c->sides[1]);
	if (err == SG_OK)
		err = tally_side_make(c->tally, before->defs,
			before->nsegmentations, false, &c->sides[0]);
	if (err == SG_OK)
		err = all_accounts(c, 1);
	if (err == SG_OK)
		err = all_accounts(c, 0);
	return err;
}

enum sg_err
replay_compare(struct replay *before, struct replay *after, const char *value,
	struct comparison **ret_comparison)
{
	struct compare c = {
		.groups = {replay_group(before), replay_group(after)},
	};
	int64_t at_ms = c.groups[0]->clock_ms;
	enum sg_err err;

	for (size_t i = 0; i < 2; i++)
		c.slots[i] = value_slot(c.groups[i]->box->prog, value);
	if (c.groups[1]->clock_ms > at_ms)
		at_ms = c.groups[1]->clock_ms;
	err = replay_advance(before, at_ms);
	if (err == SG_OK)
		err = replay_advance(after, at_ms);
	if (err == SG_OK)
		err = tally_create(value, &c.tally);
	if (err != SG_OK)
		return err;
	err = fill(&c);
	if (err == SG_OK)
		err = tally_finish(c.tally, ret_comparison);
	if (err != SG_OK)
		tally_destroy(c.tally);
	return err;
}
