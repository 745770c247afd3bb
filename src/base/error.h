/* The first error of a context. */
#ifndef GRAFT__BASE_ERROR_H
#define GRAFT__BASE_ERROR_H

#include <stdarg.h>

#include "graft/base.h"

typedef struct graft__error {
    graft_status status;
    int fault;      /* a graft_fault (file/fault.c) */
    int64_t offset; /* in a file, or -1 */
    char *text;     /* == small, or a block of text_size bytes from the context's allocator */
    size_t text_size;
    char small[512]; /* so that a message needs no memory, only a long one does */
} graft__error;

/* Keeps the message if it is the context's first, and returns status, so that a caller can
 * `return graft__fail(...)`. A message too long for the memory at hand is cut off with "...". */
graft_status graft__fail(graft_ctx *g, graft_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* GRAFT_ERR_MEMORY for `size` bytes that were wanted for `what`. */
graft_status graft__fail_memory(graft_ctx *g, size_t size, const char *what);

/* Appends to the message of the error that is pending, as far as memory goes. */
void graft__error_append(graft_ctx *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes the pending error away, so that others can be met and looked at, and puts it back: what
 * came in between is forgotten then. */
graft__error graft__error_put_aside(graft_ctx *g);
void graft__error_put_back(graft_ctx *g, const graft__error *e);

#endif
