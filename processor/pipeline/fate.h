/*
 * fate.h - does a rule hold always, never, or does it depend?
 *
 * An expression is evaluated with what accounts bring left unknown: names have
 * no value but a marker, which && and || absorb as they absorb errors. What is
 * a boolean all the same is one for every account. Names with few values
 * (segments, the renewal window) are tried with each of them.
 */
#ifndef PIPELINE_FATE_H
#define PIPELINE_FATE_H

#include "program.h"

enum fate { FATE_OPEN, FATE_NEVER, FATE_ALWAYS };

struct fates;

SG_MUSTCHECK enum sg_err
fates_create(const struct program *prog, struct fates **ret_fates);
void
fates_destroy(struct fates *fates);

/* Of an expression over an account. FATE_OPEN also when it is not known. */
enum fate
fate_of_rule(struct fates *fates, const struct cel_prog *rule);

/* Of an expression over an event (where, delete_when). */
enum fate
fate_of_filter(struct fates *fates, const struct cel_prog *filter);

#endif
