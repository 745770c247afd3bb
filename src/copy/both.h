/* Calls with a foot in two contexts. */
#ifndef GRAFT__COPY_BOTH_H
#define GRAFT__COPY_BOTH_H

#include "base/error.h"

/* What failed in one context is an error of the other too, so that whichever the caller asks tells.
 * The caller's thread has both. */
static inline void graft__tell_both(graft_ctx *a, graft_ctx *b)
{
    if (a == b)
        return;
    if (graft_error(a))
        graft__fail(b, graft_error_status(a), "%s", graft_error(a));
    else if (graft_error(b))
        graft__fail(a, graft_error_status(b), "%s", graft_error(b));
}

#endif
