/* An allocator that says no when it is told to, and knows what was not given back. */
#ifndef TESTS_UNIT_FAILING_ALLOCATOR_H
#define TESTS_UNIT_FAILING_ALLOCATOR_H

#include "graft/base.h"

typedef struct failing_allocator {
    uint64_t calls;   /* so far */
    uint64_t fail_at; /* the call, counted from 1, that fails; 0: none does */
    bool keeps_on;    /* and every later one fails too */
    bool failed;      /* it came to that */
    size_t live_blocks, live_bytes;
    uint64_t wrong_sizes; /* blocks given back with another size than they were asked for */
} failing_allocator;

graft_allocator failing_allocator_of(failing_allocator *a);

/* A context over it, on one thread and without a cache, so that every allocation is a call; NULL if
 * there is no memory for that. */
graft_ctx *failing_allocator_open(failing_allocator *a);

/* Calls body(user, a) with the first allocation failing, then the second, ... until one run needs
 * none that fails; then the same with all later ones failing too. Asserts after each run that
 * nothing is left and that no size was wrong. body opens its contexts over a and closes them. */
void failing_allocator_sweep(void (*body)(void *user, failing_allocator *a), void *user);

#endif
