/* A plan in words. */
#ifndef GRAFT__COPY_LOAD_WORDS_H
#define GRAFT__COPY_LOAD_WORDS_H

#include "copy/load_plan.h"

/* All that is wrong, one line each, and what may be behind it. */
void graft__load_problems(const graft__load_plan *plan, graft__text *out);

/* What was done with every tensor or, if not done, would have been had there been memory. */
void graft__load_deeds(const graft__load_plan *plan, bool done, graft__text *out);

/* Lines on what may be behind missing and unexpected names, if anything is recognised; true if it
 * explains most of them. */
bool graft__load_causes(const graft__load_plan *plan, graft__text *out);

/* The unexpected entry that is nearest to a missing one in name (and of its shape); NULL if none is
 * near. */
const graft__load_entry *graft__load_near_miss(const graft__load_plan *plan,
                                               const graft__load_entry *missing);

#endif
