/* The pickle interpreter: protocols 0 to 5 as data. It builds values; it runs nothing. A global
 * that is on the list of globals (pickle_globals.c) becomes what it stands for; every other becomes
 * a record, with a line in the audit. */
#ifndef GRAFT__FILE_PICKLE_H
#define GRAFT__FILE_PICKLE_H

#include "file/reading.h"

typedef struct graft__pickle graft__pickle;

/* What the reader of a container gives the interpreter. */
typedef struct graft__pickle_host {
    void *user;
    /* A persistent id (a tuple, an int or a string) becomes a value: usually a storage, as a 1-d
     * tensor over all of it, the same for the same key, or a record that stands for one. *out is
     * owned by the interpreter then; id is lent. A string's length counts: it need not end with a
     * 0. Faults are set at r->pickle_offset. NULL: persistent ids are refused. */
    graft_status (*persistent)(graft__pickle *p, void *user, const graft__value *id,
                               graft__value *out);
} graft__pickle_host;

/* Reads one pickle from bytes[*at] on and moves *at behind its STOP. The value in *out is the
 * caller's (graft__value_drop). On failure the error is set and everything is freed, also what
 * contains itself. Bounded by options.max_depth and by the memory budget. */
graft_status graft__pickle_read(graft__reading *r, const graft__pickle_host *host,
                                const unsigned char *bytes, size_t size, size_t *at,
                                graft__value *out);

#endif
