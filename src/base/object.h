/* What every handle starts with: whose it is, and how many hold it. */
#ifndef GRAFT__BASE_OBJECT_H
#define GRAFT__BASE_OBJECT_H

#include "graft/base.h"

typedef struct graft__object graft__object;

typedef struct graft__kind {
    const char *name;
    void (*destroy)(graft__object *o); /* the last reference is gone: free all, also o itself */
} graft__kind;

/* Where the handle's own reference is: a slot of the scope stack (>= 0), the context's list of
 * things that live until they are freed, or with whoever called graft__disown. */
enum { GRAFT__OWNER_NONE = -1, GRAFT__OWNER_CONTEXT = -2 };

struct graft__object {
    graft_ctx *ctx;
    const graft__kind *kind;
    uint32_t refs;
    int32_t owner;
    graft__object *prev, *next; /* in the context's list */
};

/* A new object has one reference, held by the caller. */
void graft__object_init(graft__object *o, graft_ctx *g, const graft__kind *kind);

graft__object *graft__ref(graft__object *o);

/* Drops a reference; the last one destroys. NULL is ignored. */
void graft__unref(graft__object *o);

/* Gives the caller's reference to the innermost scope, or to the context if none is open. If there
 * is no memory for that the reference is dropped, the error is set, and false comes back. */
bool graft__own(graft__object *o);

/* Gives the caller's reference to the context's list; never fails. */
void graft__own_by_context(graft__object *o);

/* Takes the reference back from whatever owns it: it is the caller's then. Returns false, and does
 * nothing, if nothing owns it. */
bool graft__disown(graft__object *o);

#endif
