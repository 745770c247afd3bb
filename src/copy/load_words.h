/* A load in words. */
#ifndef GRAFT__COPY_LOAD_WORDS_H
#define GRAFT__COPY_LOAD_WORDS_H

#include "copy/load_view.h"

/* All that is wrong, one line each, and what may be behind it. */
void graft__load_problems(const graft__load_view *view, graft__text *out);

/* What was done with every tensor or, if the status is not OK, would have been. */
void graft__load_deeds(const graft__load_view *view, graft_status status, graft__text *out);

#endif
